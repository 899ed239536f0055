/* IKE engines in one process: a responder, and initiators that come one after the other
 * and are gone, as peers that fell silent are; the responder keeps its SAs. */
#ifndef BENCH_ENGINES_H
#define BENCH_ENGINES_H

#include "libike/ike.h"

struct engines {
	struct ike *responder;
	ike_id connection;		/* its only one: any peer may come */
	ike_time now;
	unsigned initiators;		/* so far */
	double cpu;			/* seconds that the responder has worked */
	/* What the responder's data path is told, or NULL. */
	void (*child)(void *arg, const struct ike_event *);
	void *arg;
	unsigned up;			/* sessions of the responder */
};

/* Initiator number 1 and up, and what it, or the responder, answers to its engine's
 * questions.  NULL: no memory. */
struct ike *engines_initiator(unsigned number, ike_time now, ike_id *connection);
void engines_answer(struct ike *, ike_time now, unsigned initiator,
    const struct ike_event *);

bool engines_open(struct engines *);
void engines_close(struct engines *);
/* One more session.  False: it did not come up. */
bool engines_handshake(struct engines *);

#endif
