/* Programs with tunnels in them: clients and a server in one process, on the loopback,
 * driven by one poll loop, with all that their callbacks have heard. */
#ifndef TESTS_TUNNEL_H
#define TESTS_TUNNEL_H

#include <check.h>
#include <string.h>

#include "libipsec/ipsec.h"

enum { TUNNEL_PACKETS = 4096, TUNNEL_EVENTS = 8 };

struct tunnel_heard {			/* by one client, or by the server of all */
	unsigned events[TUNNEL_EVENTS];		/* by type */
	struct tunnel_said {		/* the last one of each type */
		enum ipsec_error error;
		char text[300], ours[600], theirs[600], difference[160], setting[64];
		char peer_id[128], peer_address[64];
		struct ipsec_session *session;
	} said[TUNNEL_EVENTS];
	enum ipsec_event_type order[64];	/* the first ones, in order */
	unsigned n_order;
	uint64_t packets, octets;
	struct { size_t len; uint8_t data[64]; } last;	/* its beginning */
	/* Of a session or client: send back what comes.  Of a client: connect again, or
	 * free itself, in this event's callback. */
	bool echo;
	enum ipsec_verdict verdict;		/* of the server */
	const char *only;		/* the one identity that it accepts; NULL: any */
	unsigned asked;
	struct ipsec_session *session;		/* the last one asked about */
	const char *psk;		/* what the psk callback says; NULL: nothing */
	struct ipsec_client *free_me, *connect_me;
	char address[64];
};

struct tunnel_end {
	struct ipsec_client *client;
	struct tunnel_heard heard;
};

/* Zeroed, then filled by the functions below. */
struct tunnel {
	struct ipsec_server *server;
	struct tunnel_heard heard;		/* by the server */
	struct tunnel_end *ends;		/* clients */
	unsigned n;
	bool silent;				/* the server is not processed: dead */
};

/* A builder for one side, with all that is required. */
struct ipsec_builder *tunnel_builder(bool server);
/* Builds, and frees it. */
struct ipsec_client_config *tunnel_client_config(struct ipsec_builder *);
struct ipsec_server_config *tunnel_server_config(struct ipsec_builder *);

/* Takes the config; `callback`: packets come by one. */
struct ipsec_server *tunnel_serve(struct tunnel *, struct ipsec_server_config *,
    bool callback);
struct ipsec_server *tunnel_serve_at(struct tunnel *, struct ipsec_server_config *,
    const char *address);
struct tunnel_end *tunnel_add(struct tunnel *, struct ipsec_client_config *,
    bool callback);
/* "127.0.0.1:PORT" of the server; static. */
const char *tunnel_address(const struct tunnel *);
/* A server and `n` clients with default settings, packets by callback, all of them up. */
void tunnel_open(struct tunnel *, unsigned n);
void tunnel_connect(struct tunnel *, unsigned i);	/* and waits for it to be up */
void tunnel_close(struct tunnel *);			/* silently; frees all */

/* Goes round for so long; or until there are so many events of a type, which fails the
 * test if it takes over 10 s. */
void tunnel_run(struct tunnel *, int ms);
void tunnel_await(struct tunnel *, const unsigned *counter, unsigned count);
void tunnel_await_packets(struct tunnel *, const uint64_t *counter, uint64_t count);

/* An IP packet from 10.9.0.1 to 10.8.0.1 (to_server), or back. */
size_t tunnel_packet(uint8_t *packet, size_t len, bool to_server, uint8_t tag);
unsigned tunnel_descriptors(void);			/* open in this process */

#endif
