/* Names of peers to addresses, later: an endpoint asks, an implementation answers by a
 * call. */
#ifndef IPSEC_RESOLVE_H
#define IPSEC_RESOLVE_H

#include "libike/ike.h"

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;

struct ipsec_address {
	uint8_t family;		/* 4, 6 */
	uint8_t addr[16];
	uint32_t ifindex;	/* of a link-local one; else 0 */
};

/* n == 0: the name has no address, and `why` is a sentence.  Both are borrowed for the
 * call. */
typedef void ipsec_resolved(void *arg, ike_id question, const struct ipsec_address *v,
    unsigned n, const char *why);

struct ipsec_resolver;
struct ipsec_resolver_ops {
	/* Looks `host` up and calls `done` once, perhaps before it returns.  `host` is
	 * borrowed until either. */
	void (*ask)(struct ipsec_resolver *, ike_id question, const char *host,
	    ipsec_resolved *done, void *arg);
	/* Forgets all questions of this `arg`: their `done` is not called any more. */
	void (*cancel)(struct ipsec_resolver *, void *arg);
};
struct ipsec_resolver {		/* the first member of an implementation's own struct */
	const struct ipsec_resolver_ops *ops;
};

/* Asks /etc/hosts and the name servers of /etc/resolv.conf, both read again when they
 * may have changed, for addresses of both families, without blocking, on a libevent
 * base.  The base must outlive it.  NULL: no memory. */
struct ipsec_resolver *ipsec_resolver_new(struct event_base *);
/* Of ipsec_resolver_new.  Open questions get no answer; what they hold is freed when the
 * base runs once more.  NULL is nothing. */
void ipsec_resolver_free(struct ipsec_resolver *);

#ifdef __cplusplus
}
#endif

#endif
