/* What nobody who knows no key may change: the fields of an SA. */
#ifndef SIM_INTACT_H
#define SIM_INTACT_H

#include "tests/sim/host.h"

enum { INTACT_MOST = 32 };

struct intact {
	unsigned n;
	struct { ike_id id; uint64_t digest; ike_time hint_at; } v[INTACT_MOST];
};

/* The SAs of the host, before it receives this. */
void intact_remember(const struct host *, const struct frame *, struct intact *);
/* They are still what they were. */
void intact_compare(const struct host *, const struct intact *);
/* A repeated message that its receiver could not use when it came first. */
bool intact_is_news(const struct host *, const struct frame *);

#endif
