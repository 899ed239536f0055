/* A network that loses, duplicates, delays (and so reorders) and corrupts, by chance; IKE
 * and ESP as differently as one likes. */
#ifndef SIM_NETWORK_H
#define SIM_NETWORK_H

#include <stdio.h>

#include "libike/ike.h"
#include "tests/sim/chance.h"

enum { HOSTS = 4 };

enum frame_kind { FRAME_IKE, FRAME_ESP_UDP, FRAME_ESP };
enum frame_origin { FRAME_GENUINE, FRAME_CORRUPT, FRAME_REPLAYED, FRAME_FORGED };

struct frame {
	struct frame *next;
	ike_time at;			/* of arrival */
	uint64_t serial;		/* of the sending: copies share it */
	enum frame_kind kind;
	enum frame_origin origin;
	bool lied;			/* about its source */
	uint32_t packet;		/* of the ledger; 0: no ESP */
	struct ike_path path;		/* as the receiver sees it: [0] is itself */
	size_t len;
	uint8_t data[];
};

struct weather {			/* percent, but for the delay */
	unsigned loss, duplication, corruption;
	ike_time delay;			/* at most */
};

struct place {				/* where a host lives */
	bool nat;			/* behind the one NAT there is */
	bool cut;			/* nothing comes to it, nor from it */
	uint8_t moves;			/* each gives it another address */
	uint16_t mapping;		/* changes when the NAT forgets; what goes to an
					 * old one is lost */
};

struct network {
	struct chance chance;
	struct weather ike, esp;
	struct place place[HOSTS];
	uint8_t family;
	struct frame *frames;		/* in order of arrival */
	uint64_t sent, sent_ike;
	FILE *trace;			/* or NULL */
	/* Sees each frame that was sent, whether it arrives or not; or NULL. */
	void (*tap)(void *, const struct frame *);
	void *arg;
};

/* `path` as the sender sees it.  False: it cannot ever arrive. */
bool network_send(struct network *, ike_time now, enum frame_kind,
    const struct ike_path *, struct bytes, uint32_t packet);
/* One of the attacker's: as it is, at `at`. */
void network_inject(struct network *, const struct frame *, ike_time at);
/* The sender's view becomes the receiver's; false: it leads to nobody. */
bool network_cross(const struct network *, const struct ike_path *, struct ike_path *);
bool network_next(const struct network *, ike_time *at);
struct frame *network_take(struct network *);	/* the first one; the caller frees it */
void network_clear(struct network *);

/* Where a host believes itself to be; and where others find it. */
void network_address(const struct network *, unsigned host, uint8_t addr[16]);
/* HOSTS: nobody's address. */
unsigned network_host(const struct network *, const uint8_t addr[16]);

#endif
