/* A server of libipsec on the loopback, which any client with the right secret may use. */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include "libipsec/ipsec.h"

struct server {
	struct ipsec_server_config *config;
	struct ipsec_server *server;
	char address[32];
	unsigned up, received;		/* sessions, packets */
	/* Room for the sessions in the order they came, or NULL; the caller's. */
	struct ipsec_session **sessions;
	double cpu;			/* seconds that it has worked */
};

/* It never asks whether clients are still there: those that have gone without a word
 * stay, and cost nothing. */
bool server_open(struct server *);
void server_close(struct server *);
/* If there is anything to read, after that many ms at most. */
void server_process(struct server *, int wait);

/* What clients and the server agree on. */
struct ipsec_builder *server_describe(const char *ours, const char *theirs);

#endif
