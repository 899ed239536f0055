/* One simulated host: an engine, child.c and a data path, joined as an endpoint joins
 * them. */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include "libipsec/child.h"
#include "tests/sim/ledger.h"
#include "tests/sim/network.h"
#include "tests/sim/path.h"
#include "tests/sim/tunnel.h"

enum { HOST_ANSWERS = 16, INNER_MAX = 256 };

struct host_answer {			/* given later */
	ike_time at;
	ike_id question, sa;
	enum ike_error error;
	struct ike_path path;
	ike_time heard;
	size_t len;
	uint8_t value[64];
};

struct host {
	uint8_t number, family;
	bool cheap;			/* algorithms */
	bool bad_spis;			/* are proposed for Child SAs */
	bool dead;			/* its engine is not run any more */
	unsigned lives;			/* how often it was started */
	uint64_t seed;
	struct network *network;
	struct judge *judge;
	struct ledger *ledger;
	struct tunnel *tunnels;
	unsigned n_tunnels;
	struct ike *ike;
	struct path path;
	struct ipsec_children *children;
	struct chance chance, patience; /* of the engine; how slow answers are */
	ike_time slowness;		/* answers take at most this */
	struct host_answer answers[HOST_ANSWERS];
	unsigned n_answers;
	unsigned refusals, replaced;	/* told of; rekeys */
	ike_id condemned;		/* an IKE SA that failed to authenticate */
	long blocks;			/* of memory, when it has no tunnel */
	ike_time second;		/* of which the next is about */
	unsigned in_second;		/* IKE datagrams sent */
	FILE *trace;
};

enum { IKE_A_SECOND = 150 };	/* nobody has more to say */

/* Starts it with the tunnels that end here; false: a setup has faults (printed). */
bool host_open(struct host *, ike_time now);
/* Stops it as a crash does: nobody is told. */
void host_close(struct host *);
/* Its end of this tunnel is as the setup says now. */
bool host_put(struct host *, ike_time now, struct tunnel *);
/* Closes what the tunnel has here, and forgets it. */
void host_drop(struct host *, ike_time now, struct tunnel *);
/* Everything that leads to outputs ends in this. */
void host_drain(struct host *, ike_time now);
/* The verdict on an ESP packet; ESP_OK for IKE. */
unsigned host_receive(struct host *, ike_time now, struct frame *);
bool host_deadline(const struct host *, ike_time *);
void host_tick(struct host *, ike_time now);
void host_tell(struct host *, ike_time now, const struct ike_notice *);
/* An inner packet to the other end; `must`: it may not be lost.  The SA it went by, or
 * NULL. */
const struct path_sa *host_send_inner(struct host *, ike_time now,
    const struct tunnel *, unsigned child, bool must);
void host_say(const struct host *, ike_time now, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The tunnel of one of its connections; NULL: none. */
struct tunnel *host_tunnel(const struct host *, ike_id connection);

#endif
