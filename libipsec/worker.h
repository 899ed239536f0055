/* Userspace ESP: a data path that carries the packets itself, between an inner port (a
 * TUN device, or whatever a program brings) and the endpoint's sockets, with one struct
 * esp, on the thread that calls it.
 *
 *	out: port read -> find -> (hold | refuse) -> seal -> socket
 *	in:  socket -> open -> port write
 *
 * Packets that ask for an SA are held, at most IPSEC_HOLD_PACKETS and IPSEC_HOLD_OCTETS
 * for a policy and IPSEC_HOLD_TOTAL octets in all, and leave when the SA comes; when it
 * does not, they are refused. */
#ifndef IPSEC_WORKER_H
#define IPSEC_WORKER_H

#include "libesp/esp.h"
#include "libipsec/datapath.h"
#include "libipsec/ipsec.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
	IPSEC_HEADROOM = 64,		/* before each packet that a port reads */
	IPSEC_PACKET_MAX = 65535,	/* the longest inner packet */
	IPSEC_HOLD_PACKETS = 8,
	IPSEC_HOLD_OCTETS = 65536,
	IPSEC_HOLD_TOTAL = 4194304
};

/* The inner side.  An implementation's own struct begins with a struct ipsec_port. */
struct ipsec_port;
struct ipsec_port_ops {
	/* Reads up to `n` IP packets without blocking and returns how many.  On entry
	 * each v[i] has `data` with room for `len` octets and `head` free ones before
	 * them; the port writes the packet to `data` and its length to `len`. */
	unsigned (*read)(struct ipsec_port *, struct esp_packet *v, unsigned n);
	/* Delivers those of `n` IP packets whose verdict is ESP_OK, without blocking;
	 * what the inside does not take is lost.  At least 8 octets before `data` may be
	 * written over. */
	void (*write)(struct ipsec_port *, struct esp_packet *v, unsigned n);
	/* An IP packet from `read` will not be carried, for its verdict: ESP_TOO_BIG
	 * (the inner MTU is `mtu`; else 0), ESP_POLICY and ESP_NO_SA (nothing protects
	 * it), ESP_SPENT.  Answers the sender with ICMP as RFC 4301 6 and 8.2.1 say,
	 * with the restraint RFC 1122 3.2.2 and RFC 4443 2.4 demand. */
	void (*refuse)(struct ipsec_port *, const struct esp_packet *, uint32_t mtu);

	void (*close)(struct ipsec_port *);	/* frees it */
};
struct ipsec_port {
	const struct ipsec_port_ops *ops;
	int fd;			/* polled for input; -1: none */
};

struct ipsec_worker_counters {
	uint64_t held, delivered;	/* packets that waited; sent after all */
	uint64_t overflow;		/* not held: a bound was reached */
	uint64_t refused;		/* inner packets, answered by the port */
	uint64_t unsent;		/* sealed, but the socket did not take them */
	struct esp_counters esp;	/* by verdict */
};

/* The port is taken over: closed with the data path.  NULL: no memory, and the port is
 * still the caller's. */
struct ipsec_datapath *ipsec_worker_new(struct ipsec_port *);

/* The rest: of a data path that ipsec_worker_new made. */

/* IP packets that need no port and no trap: copied once, sealed by the SAs of this policy
 * alone (esp_find_of) and sent.  Sets each `error`: IPSEC_OK, AGAIN, TOO_BIG, MALFORMED,
 * SELECTORS, SPENT, NOT_CONNECTED (there is no SA), NO_MEMORY.  Returns how many were
 * sent. */
unsigned ipsec_worker_send(struct ipsec_datapath *, uint64_t policy,
    struct ipsec_packet *, unsigned n);
/* Sending has made something that the engine must hear: let the endpoint carry it. */
bool ipsec_worker_has_news(const struct ipsec_datapath *);
/* The longest inner packet that goes into this Child SA without being fragmented on its
 * way; 0: no such SA, or no route. */
uint32_t ipsec_worker_mtu(const struct ipsec_datapath *, ike_id child);
void ipsec_worker_read_counters(const struct ipsec_datapath *,
    struct ipsec_worker_counters *);

#ifdef __cplusplus
}
#endif

#endif
