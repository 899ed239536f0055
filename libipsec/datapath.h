/* A data path: whoever carries the packets of Child SAs.  libipsec/worker.c is one
 * (libesp in this process), the simulator another, the kernel's XFRM a third.  child.c
 * drives it from the engine's events; it tells the engine its facts through `tell`.
 *
 * Every Child SA comes in four separate steps (in_add, out_add, out_remove, in_remove),
 * so that a rekey can make before it breaks.  A policy (trap) is named by a number that
 * child.c chose for (connection, child, resource), never by its selectors.
 * Descriptions are borrowed for the length of the call.  No function may call the
 * engine or `tell` from within a call, but `process`, which may `tell`. */
#ifndef IPSEC_DATAPATH_H
#define IPSEC_DATAPATH_H

#include "libike/ike.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ipsec_message;
struct ipsec_udp;

enum ipsec_trap_mode {
	IPSEC_TRAP_REFUSE,	/* without an SA: refuse with ICMP, never in clear */
	IPSEC_TRAP_ACQUIRE	/* without an SA: hold packets, tell IKE_ACQUIRE */
};

struct ipsec_trap {
	uint64_t id;			/* of the policy; never 0 */
	ike_id connection;
	const char *connection_name, *child;
	enum ipsec_trap_mode mode;
	const struct esp_selector *selectors;
	unsigned n;
};

struct ipsec_sa {
	ike_id id;			/* of the Child SA; names both directions */
	uint64_t policy;		/* the trap whose packets it carries */
	ike_id ike_sa;			/* that it belongs to */
	const struct ike_child *child;
};

struct ipsec_usage {
	uint64_t packets[2], octets[2];	/* [0] in, [1] out; inner octets */
	uint64_t replay, integrity, selectors;	/* dropped on receipt, by reason */
	ike_time heard;		/* when the newest authentic packet came; 0: none, or not
				 * known */
};

struct ipsec_datapath;
struct ipsec_datapath_ops {	/* bool: false when it could not */
	/* The sockets ESP leaves by, and whom to tell; once, before anything else. */
	bool (*attach)(struct ipsec_datapath *, struct ipsec_udp *,
	    void (*tell)(void *arg, const struct ike_notice *), void *arg);
	bool (*trap)(struct ipsec_datapath *, const struct ipsec_trap *);
	void (*untrap)(struct ipsec_datapath *, uint64_t id);
	bool (*in_add)(struct ipsec_datapath *, const struct ipsec_sa *);
	bool (*out_add)(struct ipsec_datapath *, const struct ipsec_sa *);
	void (*out_remove)(struct ipsec_datapath *, ike_id child);
	void (*in_remove)(struct ipsec_datapath *, ike_id child);
	bool (*usage)(struct ipsec_datapath *, ike_id child, struct ipsec_usage *);
	void (*close)(struct ipsec_datapath *);	/* removes all it made; frees itself */

	/* The rest may be NULL. */

	/* The attempt to get an SA for this policy has failed: refuse the packets held
	 * for it, and ask again at the next one. */
	void (*release)(struct ipsec_datapath *, uint64_t policy);
	/* The peer of a Child SA is elsewhere now, or a NAT has come between: what it
	 * gets goes by child->path, as child->encap says. */
	void (*set_path)(struct ipsec_datapath *, const struct ipsec_sa *);
	/* ESP that came in by the sockets (batch.h); NULL: the kernel takes it. */
	void (*receive)(struct ipsec_datapath *, struct ipsec_message *, unsigned n);
	/* Its fds, to be polled for input: writes up to `n`, returns how many there are.
	 * They stay the same for life. */
	unsigned (*fds)(struct ipsec_datapath *, int *fds, unsigned n);
	/* Carries what waits: input at its fds, packets held for an SA that has come,
	 * facts to tell.  A bounded piece of work; called after each round of events,
	 * when the peer has had its answer, and whenever an fd is ready. */
	void (*process)(struct ipsec_datapath *);
};
struct ipsec_datapath {		/* the first member of an implementation's own struct */
	const struct ipsec_datapath_ops *ops;
};

#ifdef __cplusplus
}
#endif

#endif
