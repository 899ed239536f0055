/* What the sender of an inner packet is told when it cannot be carried: RFC 792, 1812
 * 4.3, 4443; which answer for which reason is RFC 4301 5.1 and 8.2.1.  No I/O. */
#ifndef DAEMON_ICMP_H
#define DAEMON_ICMP_H

#include "libesp/bytes.h"
#include "libike/ike.h"

enum { ICMP_ANSWER_MAX = 1280 };	/* octets of the longest answer */

enum icmp_reason {
	ICMP_PROHIBITED,	/* no policy has it: administratively prohibited */
	ICMP_UNREACHABLE,	/* no way to the peer now: host, address unreachable */
	ICMP_TOO_BIG,		/* `mtu` is the most that can be carried */
	ICMP_REASONS
};

/* Builds the answer to an IP packet into `out`, of at least ICMP_ANSWER_MAX octets, and
 * returns its length.  0: it must not be answered (RFC 1122 3.2.2, RFC 4443 2.4 e): it is
 * malformed, an ICMP error, a later fragment, from or to many, or from nobody; or it is
 * an IPv4 packet too big that whoever routes it may cut.
 *
 * The answer comes from the address the packet was sent to: the kernel takes nothing from
 * an interface that claims to be from this host itself, and the route to that address
 * leads to the interface, as reverse path filters want it. */
size_t icmp_answer(struct bytes packet, enum icmp_reason, uint32_t mtu, uint8_t *out);

/* Answers are rationed (RFC 1812 4.3.2.8, RFC 4443 2.4 f): ICMP_BURST at once, then
 * ICMP_RATE a second.  Begin with it zeroed. */
enum { ICMP_RATE = 1000, ICMP_BURST = 100 };
struct icmp_ration { ike_time full; };		/* when the whole burst is there again */
bool icmp_may_answer(struct icmp_ration *, ike_time now);	/* true takes one */

#endif
