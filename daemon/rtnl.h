/* Routes, rules and the interface as rtnetlink takes them: one call, one change.  All of
 * ours have the numbers below, by which they are found again (stale.h). */
#ifndef DAEMON_RTNL_H
#define DAEMON_RTNL_H

#include "daemon/netlink.h"

enum {
	RTNL_TABLE = 7296,	/* of our routes */
	RTNL_PROTOCOL = 72,	/* of our routes and rules: "proto 72" */

	/* Priorities of our rules, in the order they are asked. */
	RTNL_FIRST = 7296,	/* not fwmark MARK lookup 7296 suppress_prefixlength 0 */
	RTNL_MAIN = 7297,	/* lookup main suppress_prefixlength 0 */
	RTNL_MARKED = 7298,	/* fwmark MARK goto 7303 */
	RTNL_FROM = 7299,	/* from LOCAL lookup 7296 */
	RTNL_HOST = 7300,	/* IPv4: from 0.0.0.0/32 lookup 7296; IPv6: from
				 * half of all addresses goto 7303, twice */
	RTNL_HOST6 = 7301,	/* lookup 7296 */
	RTNL_LAST = 7303	/* nop: where the jumps land */
};

/* By metric one prefix can have all three; the lowest that exists counts. */
enum rtnl_use {
	RTNL_TUNNEL = 10,	/* to the interface */
	RTNL_UNREACHABLE = 20,	/* left alone when the interface goes */
	RTNL_THROW = 30		/* ask the next rule */
};

struct rtnl_route {
	struct esp_prefix prefix;
	enum rtnl_use use;	/* also its metric */
	uint32_t ifindex, mtu;	/* RTNL_TUNNEL only */
	const uint8_t *source;	/* the same; NULL: the kernel chooses */
};

enum rtnl_action { RTNL_LOOKUP, RTNL_GOTO, RTNL_NOP };
struct rtnl_rule {
	uint8_t family;			/* 4 or 6 */
	uint32_t priority;
	enum rtnl_action action;
	uint32_t target;		/* table, or priority to go to */
	uint32_t mark;			/* 0: any */
	bool invert;			/* not: for all that has another mark */
	bool specific;			/* default routes do not count */
	struct esp_prefix from;		/* bits 0: any */
};

enum rtnl_change { RTNL_ADD, RTNL_REMOVE };

/* 0 or a negative errno (netlink_reason says more).  Adding a route takes the place of
 * one with this prefix and use; adding a rule twice gives -EEXIST. */
int rtnl_route(struct netlink *, enum rtnl_change, const struct rtnl_route *);
int rtnl_rule(struct netlink *, enum rtnl_change, const struct rtnl_rule *);

/* Every route in our table; every rule of our protocol. */
int rtnl_each_route(struct netlink *, uint8_t family,
    void (*each)(void *arg, const struct rtnl_route *), void *arg);
int rtnl_each_rule(struct netlink *, uint8_t family,
    void (*each)(void *arg, const struct rtnl_rule *), void *arg);

/* The interface: its MTU, and up without ARP, neighbour discovery or addresses of its
 * own. */
int rtnl_set_mtu(struct netlink *, uint32_t ifindex, uint32_t mtu);
int rtnl_set_up(struct netlink *, uint32_t ifindex);

#endif
