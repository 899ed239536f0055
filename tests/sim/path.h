/* The simulator's data path: libesp under libipsec/child.c, without sockets.  It keeps
 * the keys that the engine handed out, so that both ends can be compared. */
#ifndef SIM_PATH_H
#define SIM_PATH_H

#include "libesp/esp.h"
#include "libipsec/datapath.h"

enum { PATH_SAS = 64, PATH_TRAPS = 16 };

struct path_sa {
	ike_id id;			/* 0: free */
	uint32_t spi;
	bool out, encap;
	struct ike_path path;
	size_t key_len;
	uint8_t key[128];
};

struct path_trap { uint64_t id; ike_id connection; char child[32]; };

struct path {
	struct ipsec_datapath datapath;	/* first */
	struct esp *esp;
	struct path_sa sas[PATH_SAS];
	struct path_trap traps[PATH_TRAPS];
	bool refuse;			/* fail the next in_add or out_add */
	ike_id refused;			/* the Child SA that was failed so */
	bool broken;			/* a rule of the interface was not kept */
};

bool path_open(struct path *);
void path_close(struct path *);
/* Seals an inner packet in `buf` (with room around it); the SA that carries it, or
 * NULL. */
const struct path_sa *path_seal(struct path *, struct esp_packet *);
bool path_wanted(struct path *, struct ike_notice *);	/* a trap that asks for an SA */
unsigned path_count(const struct path *, bool out);
const struct path_sa *path_find(const struct path *, uint32_t spi, bool out);

#endif
