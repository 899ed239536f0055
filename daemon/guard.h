/* What arrives in clear although a policy protects it is dropped, and so is what would
 * leave in clear: the nftables table "inet ikevd".
 *
 * A packet is protected if its far end lies in the remote range of a policy and its near
 * end in the local range of one.  Where the ranges of a policy overlap, or the remote one
 * is everything, addresses alone do not tell the peer's network from our own: then the
 * far end counts as remote if this host's routes to it lead to the tunnel (or nowhere).
 *
 * Never dropped: IKE and ESP to this host, ICMP errors about its own IKE and ESP, what
 * carries the daemon's mark, neighbour discovery, and what comes by the interface itself
 * or by lo.
 *
 * Counting ranges, not pairs, keeps it at three set lookups for any number of
 * policies. */
#ifndef DAEMON_GUARD_H
#define DAEMON_GUARD_H

#include "libesp/selector.h"

struct guard;
struct log;

struct guard_options {
	const char *interface;		/* letters, digits, dot, dash and underscore */
	uint32_t mark;
	uint16_t port, natt_port;
	struct log *log;		/* borrowed for life */
};

/* Takes the place of a table that a predecessor left.  Where the kernel has no nf_tables,
 * or does not let us, one warning says so and the guard does nothing (guard_works).
 * NULL: no memory. */
struct guard *guard_new(const struct guard_options *);
void guard_free(struct guard *);	/* removes the table; NULL is nothing */
bool guard_works(const struct guard *);

/* Once for each policy, and released with the same selectors.  False: no memory, and
 * nothing is protected that was not before. */
bool guard_protect(struct guard *, const struct esp_selector *, unsigned n);
void guard_release(struct guard *, const struct esp_selector *, unsigned n);

/* Packets dropped since the table exists: on their way in, and out.  False: unknown. */
bool guard_dropped(struct guard *, uint64_t *in, uint64_t *out);

/* To be polled for input, then guard_process: somebody changed the packet filter, and if
 * our table went with it (nft flush ruleset) it is made again.  -1 if the guard does not
 * work. */
int guard_fd(const struct guard *);
void guard_process(struct guard *);

#endif
