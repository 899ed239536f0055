/* Traffic selectors: narrowing, RFC 7296 2.9, over libesp/selector.h. */
#ifndef IKE_TS_H
#define IKE_TS_H

#include "libesp/selector.h"
#include "libike/ike.h"

enum { IKE_MAX_TS = 255 };	/* of one payload: the count is one octet */

/* A list that owns its ranges. */
struct ike_ts { struct esp_range *v; unsigned n; };
void ike_ts_free(struct ike_ts *);

/* Reads a checked TS payload body.  IKE_OK or IKE_NO_MEMORY. */
enum ike_error ike_ts_read(struct bytes body, struct ike_ts *);

/* out = the part of `offer` that `policy` allows, without duplicates and without ranges
 * that another one contains, in the offer's order (so that the first selector, the
 * triggering packet's, stays covered).  IKE_OK, IKE_TS_UNACCEPTABLE when nothing is left,
 * IKE_NO_MEMORY. */
enum ike_error ike_ts_narrow(const struct ike_ts *offer, const struct ike_ts *policy,
    struct ike_ts *out);

/* Does every range of `inner` lie in one of `outer`? */
bool ike_ts_within(const struct ike_ts *inner, const struct ike_ts *outer);

/* All pairs (local, remote) of one family and agreeing protocols: what an SA carries.
 * At most IKE_MAX_PAIRS; more, or none: IKE_TS_UNACCEPTABLE. */
enum { IKE_MAX_PAIRS = 4096 };
enum ike_error ike_ts_pairs(const struct ike_ts *local, const struct ike_ts *remote,
    struct esp_selector **out, unsigned *n);

/* "10.1.0.0/24 10.3.0.0/24[udp/53]", cut to fit; returns buf. */
const char *ike_ts_print(const struct ike_ts *, char *buf, size_t len);

#endif
