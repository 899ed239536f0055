/* One simulated host: an engine, child.c and a data path, joined as an endpoint joins
 * them. */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include "libike/connection_built.h"
#include "libipsec/child.h"
#include "tests/sim/network.h"
#include "tests/sim/path.h"

enum { HOST_ANSWERS = 16, INNER_MAX = 256 };

struct host_answer {			/* given later */
	ike_time at;
	ike_id question;
	enum ike_error error;
	struct ike_path path;
	size_t len;
	uint8_t value[64];
};

struct host {
	unsigned number;
	struct network *network;
	struct ike *ike;
	struct path path;
	struct ipsec_children *children;
	struct chance chance, patience; /* of the engine; how slow answers are */
	ike_time slowness;		/* answers take at most this */
	ike_id connection;
	const char *secret;
	uint8_t family;
	struct host_answer answers[HOST_ANSWERS];
	unsigned n_answers;
	uint64_t delivered;		/* inner packets, by their number */
	unsigned ups, downs, refusals;
	ike_id condemned;		/* an IKE SA that failed to authenticate */
	bool spared;			/* and was found alive afterwards */
	char refusal[256];		/* the last one */
	FILE *trace;
};

/* Takes the setup's connection; false: it has faults (printed), or no memory. */
bool host_open(struct host *, uint64_t seed, const struct ike_setup *, FILE *trace);
void host_close(struct host *);
void host_put(struct host *, ike_time now, const struct ike_setup *);
/* Everything that leads to outputs ends in this. */
void host_drain(struct host *, ike_time now);
void host_receive(struct host *, ike_time now, struct frame *);
bool host_deadline(const struct host *, ike_time *);
void host_tick(struct host *, ike_time now);
/* An inner packet to the other side; false: no SA, or dropped on the way out. */
bool host_send_inner(struct host *, ike_time now, uint16_t number);

#endif
