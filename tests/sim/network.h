/* A network that loses, duplicates, delays (and so reorders) and corrupts, by chance. */
#ifndef SIM_NETWORK_H
#define SIM_NETWORK_H

#include <stdio.h>

#include "libike/ike.h"
#include "tests/sim/chance.h"

enum frame_kind { FRAME_IKE, FRAME_ESP_UDP, FRAME_ESP };

struct frame {
	struct frame *next;
	ike_time at;			/* of arrival */
	uint64_t order;			/* among those of one moment */
	enum frame_kind kind;
	struct ike_path path;		/* as the receiver sees it: [0] is itself */
	size_t len;
	uint8_t data[];
};

struct weather {			/* percent, but for the delay */
	unsigned loss, duplication, corruption;
	ike_time delay;			/* at most */
};

struct network {
	struct chance chance;
	struct weather weather;
	bool nat;			/* between host 0 and host 1 */
	uint16_t mapping;		/* changes when the NAT forgets; what goes to an
					 * old one is lost */
	struct frame *frames;		/* in order of arrival */
	uint64_t sent;
	FILE *trace;			/* or NULL */
};

/* `path` as the sender sees it. */
void network_send(struct network *, ike_time now, enum frame_kind,
    const struct ike_path *, struct bytes);
/* The sender's view becomes the receiver's. */
struct ike_path network_cross(const struct network *, const struct ike_path *);
bool network_next(const struct network *, ike_time *at);
struct frame *network_take(struct network *);	/* the first one; the caller frees it */
void network_clear(struct network *);

/* Host 0 lives at .1, host 1 at .2; the NAT shows host 0 as .9 with other ports. */
void network_address(unsigned host, uint8_t family, uint8_t addr[16]);
unsigned network_host(const uint8_t addr[16], uint8_t family);

#endif
