/* What an IKE SA holds, as a number: "nothing has changed" can be checked.  Also of use to
 * the simulator: it needs no Check. */
#ifndef TEST_DIGEST_H
#define TEST_DIGEST_H

#include "libike/sa.h"

/* All fields, its exchanges and Child SAs included, but places in tables and when the
 * cached response was last sent again: a repeated request may bring that about. */
uint64_t sa_digest(const struct ike_sa *);

#endif
