/* The tun data path: inner packets through one TUN interface, ESP by libipsec's worker,
 * and around it what keeps a protected packet from ever travelling in clear: routes and
 * rules (route.h), packet filter (guard.h) and ICMP for what is refused (icmp.h).
 *
 *	dp = tun_new(&options, error, sizeof(error));
 *	...			give it to the endpoint, load connections
 *	tun_settled(dp);		every connection has been loaded
 *	dp->ops->close(dp);		the endpoint does; nothing is left behind
 *
 * It belongs to the thread of the endpoint.  Everything it makes in the system has the
 * number or name below, is taken away by close, and after a violent end by the next
 * tun_new.  Between the two protected destinations are unreachable and not in clear.  One
 * at a time may exist in a network namespace. */
#ifndef DAEMON_TUN_H
#define DAEMON_TUN_H

#include "libipsec/datapath.h"

struct log;

#define TUN_NAME "ikev0"

enum {
	TUN_MARK = 0x7296	/* SO_MARK of the daemon's own sockets */
};

struct tun_options {
	const char *name;	/* of the interface; NULL: TUN_NAME.  Copied */
	uint32_t mark;		/* 0: TUN_MARK */
	uint16_t port, natt_port;	/* of our own sockets; 0: 500 and 4500 */
	struct log *log;	/* borrowed for life; may be NULL */
};

/* Takes over from one that died, then makes the interface, the rules and the filter.
 * NULL: could not, and `error` has a sentence that says what to do about it (missing
 * capability, module, another ikevd in this namespace). */
struct ipsec_datapath *tun_new(const struct tun_options *, char *error, size_t size);

/* What a dead predecessor left to keep its destinations closed is removed now, unless a
 * connection that has been loaded meanwhile wants it.  Not called: it happens at
 * close. */
void tun_settled(struct ipsec_datapath *);

struct tun_status {
	const char *name;		/* lives as long as the data path */
	uint32_t ifindex;
	uint32_t mtu;			/* of the interface */
	bool guarded;			/* the packet filter works */
	uint64_t clear_in, clear_out;	/* packets dropped because they were in clear */
	uint64_t refused;		/* inner packets that could not be carried */
	uint64_t answered;		/* of these, answered by ICMP */
};
/* `dp` is from tun_new.  Asks the kernel; for status and metrics, not for every
 * packet. */
void tun_read_status(const struct ipsec_datapath *dp, struct tun_status *);

#endif
