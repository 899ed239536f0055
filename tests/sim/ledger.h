/* The ledger of inner packets: each has a number, and what became of it. */
#ifndef SIM_LEDGER_H
#define SIM_LEDGER_H

#include "libike/ike.h"
#include "tests/sim/judge.h"

enum { LEDGER_MOST = 8192 };

struct entry {
	ike_time at;			/* when it was sent */
	uint8_t from, to, child;	/* hosts; which of the tunnel's children */
	bool must;			/* nothing excuses its loss */
	uint8_t delivered;
};

struct ledger {
	struct entry v[LEDGER_MOST];	/* number n is v[n - 1] */
	uint32_t n;
	uint32_t delivered;
};

/* The number of a new packet; 0: the ledger is full. */
uint32_t ledger_open(struct ledger *, const struct entry *);
/* It could not be sent, for this reason. */
void ledger_refused(struct ledger *, struct judge *, uint32_t number, unsigned verdict);
/* A copy of it was not let in, for this reason. */
void ledger_dropped(struct ledger *, struct judge *, uint32_t number, unsigned verdict);
/* It came out at this host. */
void ledger_delivered(struct ledger *, struct judge *, uint32_t number, unsigned host);
/* Everything has arrived that ever will. */
void ledger_close(const struct ledger *, struct judge *);

#endif
