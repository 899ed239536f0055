/* The simulator's data path: libesp under libipsec/child.c, without sockets.  It keeps
 * the keys that the engine handed out, so that both ends can be compared. */
#ifndef SIM_PATH_H
#define SIM_PATH_H

#include "libesp/esp.h"
#include "libipsec/datapath.h"
#include "tests/sim/judge.h"
#include "tests/sim/tunnel.h"

enum { PATH_SAS = 128, PATH_TRAPS = TUNNELS * CHILDREN * 4 };

struct path_sa {
	ike_id id;			/* 0: free */
	ike_id connection;		/* whose policy it serves */
	uint32_t spi;
	bool out, encap;
	bool paired;			/* inbound: its outbound side was added, too */
	struct ike_path path;
	uint8_t iv_len;
	uint64_t key_hash;
	ike_time heard;
	ike_time soft_at;		/* when its soft limit was told; 0: not */
	unsigned child, order;		/* of adding */
};

struct path_trap { uint64_t id; ike_id connection; char child[16]; };

struct path {
	struct ipsec_datapath datapath;	/* first */
	struct esp *esp;
	struct judge *judge;
	char name;			/* of the host, in what is blamed */
	bool cheap;			/* ciphers */
	bool silent;			/* tells no first packet, as the kernel */
	bool high;			/* sequence numbers begin near three quarters */
	struct path_sa sas[PATH_SAS];
	struct path_trap traps[PATH_TRAPS];
	unsigned refuse;		/* fail so many of the next in_add, out_add */
	unsigned added;			/* SAs, so far */
	ike_id refused;			/* the Child SA that was failed last */
};

bool path_open(struct path *);		/* judge, name and wishes are set */
void path_close(struct path *);
/* Seals an inner packet in `buf` (with room around it); the SA that carries it, or
 * NULL: the verdict says why. */
const struct path_sa *path_seal(struct path *, struct esp_packet *);
/* The inbound SA it came by, or NULL. */
struct path_sa *path_unseal(struct path *, struct esp_packet *);
/* The next fact for the engine; false: none. */
bool path_notice(struct path *, struct ike_notice *);
unsigned path_count(const struct path *, bool out);
const struct path_sa *path_find(const struct path *, uint32_t spi, bool out);
/* The one added last for packets of this child of a connection, or NULL. */
const struct path_sa *path_newest(const struct path *, ike_id connection, unsigned child);
struct path_sa *path_find_id(struct path *, ike_id child, bool out);

#endif
