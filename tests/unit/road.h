/* What travels between the two engines of a pair: what a data path would hold of their
 * Child SAs, and packets over it.  A packet that the other end could not open fails the
 * test, and so does one that an end has nothing to send on. */
#ifndef TEST_ROAD_H
#define TEST_ROAD_H

#include "tests/unit/pair.h"

enum { ROAD_SAS = 128 };

/* One direction of a Child SA at one end. */
struct road_sa {
	ike_id id;
	uint32_t spi;
	char name[16];
	struct pair_key key;
	bool open;		/* added and not removed */
	bool told;		/* IKE_FIRST_IN */
	ike_time used;		/* last, by a packet; 0: never */
};

struct road {
	struct pair *p;
	struct road_sa in[2][ROAD_SAS], out[2][ROAD_SAS];	/* [end], in order */
	unsigned n_in[2], n_out[2];
	bool deaf;		/* the data path does not tell IKE_FIRST_IN */
	bool closing;		/* what has no SA any more need not travel */
	unsigned packets;
};

void road_open(struct road *, struct pair *);	/* after pair_open, before pair_up */
void road_travel(struct road *);	/* a packet each way for each configured child */
void road_deliver(struct road *, unsigned index);	/* and packets before and after */
void road_pump(struct road *);		/* delivers all, packets in between */
void road_pass(struct road *, ike_time);	/* delivers all at once, time passes */
unsigned road_in(const struct road *, unsigned end);	/* open inbound SAs */
unsigned road_out(const struct road *, unsigned end);
uint32_t road_spi(const struct road *, unsigned end);	/* the newest open outbound one */

#endif
