/* From what a connection says of its two ends to a path that can be used: the answer to
 * IKE_ASK_RESOLVE.  Private to endpoint.c. */
#ifndef IPSEC_LOOKUP_H
#define IPSEC_LOOKUP_H

#include "libipsec/resolve.h"
#include "libipsec/udp.h"

/* `text` is an address and not a name. */
bool ipsec_lookup_literal(const char *text, struct ipsec_address *);

/* Fills *answer with the first of the peer's `n` addresses that is of the family of the
 * address `local`, which must be one of this host's, or, where that is none ("any"), that
 * this host has a route to, and our own address towards it.  Its reason, if it fails, is
 * static, and NULL where n is 0. */
void ipsec_lookup_answer(const struct ipsec_udp *, const char *local,
    const struct ipsec_address *v, unsigned n, struct ike_answer *answer);

#endif
