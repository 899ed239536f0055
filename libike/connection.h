/* struct ike_connection: one peer relation, RFC 4301's PAD and SPD entries in one.
 * Immutable once built, and shared by reference count.  Built from a plain struct of
 * texts with defaults for all but the peer, the identities and the secret; building
 * checks all of it and names every fault at once. */
#ifndef IKE_CONNECTION_H
#define IKE_CONNECTION_H

#include "libike/ike.h"

#ifdef __cplusplus
extern "C" {
#endif

enum ike_start { IKE_START_PASSIVE, IKE_START_ON_DEMAND, IKE_START_ALWAYS };
enum ike_encap { IKE_ENCAP_AUTO, IKE_ENCAP_FORCE, IKE_ENCAP_NEVER };
/* A peer that has an SA brings another one: the new one stays, the old one stays and the
 * new one is refused, or both stay. */
enum ike_unique { IKE_UNIQUE_REPLACE, IKE_UNIQUE_KEEP, IKE_UNIQUE_NEVER };
/* An established SA died of silence or of a malformed message: begin again; let it be;
 * or wait for a packet.  BY_START: restart, drop or on-demand, as `start` is always,
 * passive or on-demand. */
enum ike_on_dead {
	IKE_ON_DEAD_BY_START, IKE_ON_DEAD_RESTART, IKE_ON_DEAD_DROP, IKE_ON_DEAD_ON_DEMAND
};

/* Key exchange of a Child SA's own (perfect forward secrecy, RFC 7296 1.3.1): offered
 * together with NONE, and either is accepted; asked for, and nothing else accepted; or
 * never. */
enum ike_pfs { IKE_PFS_PREFER, IKE_PFS_REQUIRE, IKE_PFS_OFF };
enum ike_mode { IKE_MODE_TUNNEL, IKE_MODE_TRANSPORT };	/* of a Child SA, 1.3.1 */

struct ike_texts { const char *const *v; unsigned n; };	/* borrowed */

struct ike_child_setup {
	const char *name;
	struct ike_texts local, remote;	/* as esp_range_parse reads them: "10.1.0.0/24" */
	/* Transport mode protects what the two hosts themselves say to each other: every
	 * selector is one address then, the IKE SA's own where the connection names it; a
	 * side that may have several addresses may have any selectors. */
	enum ike_mode mode;		/* tunnel */
};

/* How long something lives; 0: without end.  A time is at least a second and at most ten
 * years.  Octets and packets are those of one direction of a Child SA. */
struct ike_lifetime { ike_time time; uint64_t octets, packets; };

/* When SAs are made anew.  At the soft lifetime a rekey begins, each by chance up to
 * jitter_percent (0..50) of it earlier; at the hard one, which is more than the soft one,
 * what could not be rekeyed ends.  A hard value of 0 is a quarter more than the soft one,
 * and that of a soft one of 0 is 0. */
struct ike_renewal {
	struct ike_lifetime child, child_hard;	/* 1 h */
	ike_time ike, ike_hard;			/* 4 h */
	ike_time reauth;			/* 0: never, make-before-break */
	uint8_t jitter_percent;			/* 10 */
};

/* When to send again, RFC 7296 2.1, 2.4: after `first`, then each time `factor_percent` /
 * 100 later, at most `most` apart, `tries` copies in all. */
struct ike_retransmission {
	ike_time first, most;
	uint16_t factor_percent;
	uint8_t tries;
};
/* The time from the first copy until the peer is given up. */
ike_time ike_retransmission_time(const struct ike_retransmission *);

struct ike_setup {		/* texts are borrowed until ike_connection_new returns */
	const char *name;			/* required */
	const char *local_address;		/* NULL: any */
	const char *local_id;			/* required */
	/* Required: addresses, ranges and host names, separated by commas:
	 * "203.0.113.7", "203.0.113.0/24", "203.0.113.1-203.0.113.9",
	 * "gw.paris.example"; or "any".  Unless the start is passive, one must be an
	 * address or a host name. */
	const char *remote_address;
	/* Required.  Unless it calls, also "*.domain", "*@domain" or "%any" (id.h). */
	const char *remote_id;
	uint16_t port, natt_port;		/* the peer's; 500 and 4500 */
	const char *auth;			/* "psk" */
	/* Required: what PROVE and CHECK find the secret by, not the secret. */
	const char *secret;
	struct ike_texts ike, esp;		/* proposals; "default" */
	struct ike_texts compat;		/* weak algorithms they may name: "sha1";
						 * none */
	enum ike_start start;			/* passive */
	enum ike_encap encap;			/* force */
	enum ike_unique unique;			/* replace */
	enum ike_on_dead on_dead;		/* by start */
	const struct ike_child_setup *children;	/* required: at least one */
	unsigned n_children;
	struct ike_retransmission established, setting_up;	/* as in the defaults */
	struct ike_renewal renewal;		/* as in the defaults */
	enum ike_pfs pfs;			/* prefer */
	/* 30 s: ask a peer that is silent for so long, from 1 s to a day; 0: never */
	ike_time dpd;
	/* The longest IP packet that IKE is sent in when it must be cut, RFC 7383, 576 to
	 * 65000; 0: neither cut nor announced.  Every IPv6 link carries 1280, and smaller
	 * ones go there, too. */
	uint16_t fragment;			/* 1280 */
	bool mobike;				/* RFC 4555; true */
	bool childless;				/* RFC 6023; true */
};
void ike_setup_defaults(struct ike_setup *);

enum ike_fault_code {
	IKE_FAULT_MISSING,		/* a required setting is not there */
	IKE_FAULT_NAME,			/* not a name: 1..63 of letters, digits, - _ . */
	IKE_FAULT_ADDRESS, IKE_FAULT_IDENTITY, IKE_FAULT_PORT, IKE_FAULT_PROPOSAL,
	IKE_FAULT_SELECTOR, IKE_FAULT_FAMILY, IKE_FAULT_DUPLICATE, IKE_FAULT_AUTH,
	IKE_FAULT_NEEDS_ADDRESS,	/* start without an address to call */
	IKE_FAULT_RETRANSMISSION,
	IKE_FAULT_LIFETIME,		/* too short, too long, hard not over soft */
	IKE_FAULT_JITTER, IKE_FAULT_DPD, IKE_FAULT_FRAGMENT,
	IKE_FAULT_PFS,			/* a group is required, and there is none */
	IKE_FAULT_MODE,			/* transport mode between other than two hosts */
	IKE_FAULT_NO_MEMORY
};
const char *ike_fault_name(enum ike_fault_code);
struct ike_fault {
	enum ike_fault_code code;
	const char *setting;		/* static: "ike", "remote.address" */
	int child;			/* index into children, or -1 */
	int item;			/* index into the list concerned, or -1 */
	char text[240];			/* what is wrong; what would be right */
};

/* NULL when there is any fault: *n faults were found, and the first `max` of them are in
 * `faults`.  A setting's fault is not told again as the fault of another. */
struct ike_connection *ike_connection_new(const struct ike_setup *,
    struct ike_fault *faults, unsigned max, unsigned *n);
struct ike_connection *ike_connection_hold(struct ike_connection *);
/* Gives one reference back; NULL is nothing. */
void ike_connection_free(struct ike_connection *);

/* What whoever keeps its policies needs; texts live as long as the connection. */
const char *ike_connection_name(const struct ike_connection *);
enum ike_start ike_connection_start(const struct ike_connection *);
/* A packet that finds no SA asks for one (IKE_ACQUIRE). */
bool ike_connection_acquires(const struct ike_connection *);
/* The name of the configured child at that index; NULL: there are no more. */
const char *ike_connection_child(const struct ike_connection *, unsigned index);
/* What that child carries: *n pairs in *v, which the caller frees. */
enum ike_error ike_connection_selectors(const struct ike_connection *, unsigned index,
    struct esp_selector **v, unsigned *n);

#ifdef __cplusplus
}
#endif

#endif
