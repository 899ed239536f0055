/* The sockets of an endpoint: UDP for IKE and for ESP in UDP (RFC 7296 2.23, RFC 3948),
 * and raw ones for ESP as IP protocol 50 (RFC 4303), of both families.
 *
 * Everything is non-blocking and in batches.  A datagram that cannot be sent now is
 * dropped and counted, as the network itself would: IKE retransmits, and so does
 * whoever sends through ESP.
 *
 * A reply leaves from the address the request came to (IP_PKTINFO).  ESP leaves with DF
 * set, so that nothing behind us fragments it in silence: the kernel keeps the path's
 * MTU and a message over it gets EMSGSIZE.  IKE may be fragmented, since a handshake
 * through a path that loses the ICMP errors is worth more than a tidy packet. */
#ifndef IPSEC_UDP_H
#define IPSEC_UDP_H

#include "libipsec/batch.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { IPSEC_WHY_LEN = 240 };	/* of every buffer that gets a sentence for people */

struct ipsec_udp;

struct ipsec_udp_options {
	const char *const *listen;	/* addresses as text; n_listen == 0: any */
	unsigned n_listen;
	uint16_t port, natt_port;	/* 0: 500 and 4500 */
	bool one_port;	/* natt_port alone carries all, 0: any free one (2.23) */
	uint32_t fwmark;		/* SO_MARK of all that is sent; 0: none */
	bool native_esp;		/* open raw sockets, if that is permitted */
};

struct ipsec_udp_counters {
	uint64_t received, sent;	/* datagrams */
	uint64_t junk;			/* received: too short, neither IKE nor ESP */
	uint64_t keepalives;		/* received: RFC 3948 2.3 */
	uint64_t busy;			/* not sent: buffers full (EAGAIN, ENOBUFS) */
	uint64_t too_big;		/* not sent: EMSGSIZE */
	uint64_t unsent;		/* not sent: no route, no such socket, ... */
};

/* Opens and binds every socket.  NULL: `why` says which address and port, and what
 * helps. A family the host does not have is left out where any address was asked for;
 * raw sockets that are not permitted are left out (ipsec_udp_native says so). */
struct ipsec_udp *ipsec_udp_new(const struct ipsec_udp_options *,
    char why[IPSEC_WHY_LEN]);
void ipsec_udp_free(struct ipsec_udp *);	/* NULL is nothing */

/* The NAT-T port. */
uint16_t ipsec_udp_natt_port(const struct ipsec_udp *);

/* IP protocol 50 can be carried. */
bool ipsec_udp_native(const struct ipsec_udp *);

/* The sockets, to be polled for input: writes up to `n` of them and returns how many
 * there are.  They stay the same for life. */
unsigned ipsec_udp_fds(const struct ipsec_udp *, int *fds, unsigned n);

/* Up to IPSEC_BATCH datagrams of the socket at that index of ipsec_udp_fds, in the
 * order they came, each told apart (`kind`): the non-ESP marker, present exactly when
 * neither port is 500, is taken off.  *v is the socket set's own memory and lives until
 * the next call.  0: nothing waits. */
unsigned ipsec_udp_receive(struct ipsec_udp *, unsigned socket, struct ipsec_message **v);

/* What a received message is, by its octets and its path (of a raw socket: `raw`).  Takes
 * marker and IPv4 header off `data`.  ipsec_udp_receive has done it. */
enum ipsec_kind ipsec_udp_classify(struct ipsec_message *, bool raw);

/* Sends all that is not JUNK and sets each `error`.  The socket is chosen by family,
 * local address and local port (IKE port, NAT-T port); the non-ESP marker is added here,
 * to IKE.  A local address of zeros lets the kernel choose; one that this host has no
 * more is an error like any other. */
void ipsec_udp_send(struct ipsec_udp *, struct ipsec_message *, unsigned n);

/* Fills path->addr[0] with the address this host would send to path->addr[1] from.
 * False: there is no route, or no socket of that family. */
bool ipsec_udp_source(const struct ipsec_udp *, struct ike_path *);

/* Is path->addr[0] an address of this host, and one that is listened at? */
bool ipsec_udp_owns(const struct ipsec_udp *, const struct ike_path *);

/* What the kernel knows of the MTU towards path->addr[1], IP headers included; 0: no
 * route. */
uint32_t ipsec_udp_mtu(const struct ipsec_udp *, const struct ike_path *);

const struct ipsec_udp_counters *ipsec_udp_read_counters(const struct ipsec_udp *);

#ifdef __cplusplus
}
#endif

#endif
