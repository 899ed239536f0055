/* One socket of an endpoint, and how paths and control messages look to the kernel.
 * Private to udp.c, which has the set of them. */
#ifndef IPSEC_SOCKET_H
#define IPSEC_SOCKET_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "libipsec/udp.h"

enum ipsec_socket_role {
	IPSEC_SOCKET_IKE,	/* UDP, the IKE port */
	IPSEC_SOCKET_NATT,	/* UDP, the NAT-T port */
	IPSEC_SOCKET_RAW	/* IP protocol 50 */
};

struct ipsec_socket {
	int fd;
	uint8_t role;		/* enum ipsec_socket_role */
	uint8_t family;		/* 4, 6 */
	bool fragments;		/* what is sent now may be fragmented */
	uint16_t port;		/* 0 with RAW */
	uint8_t addr[16];	/* bound to; zeros: any */
	uint32_t ifindex;	/* of a link-local addr; else 0 */
};

union ipsec_sockaddr {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

enum {
	IPSEC_CONTROL_LEN = CMSG_SPACE(sizeof(struct in6_pktinfo)) +
	    CMSG_SPACE(sizeof(int))
};

/* Octets of an address of that family. */
static inline size_t
ipsec_addr_len(uint8_t family)
{
	return family == 4 ? 4 : 16;
}

bool ipsec_addr_is_any(const uint8_t addr[16]);
bool ipsec_addr_is_link_local(uint8_t family, const uint8_t addr[16]);

/* "10.0.0.1", "2001:db8::1", "fe80::1%eth0".  False: none of these. */
bool ipsec_addr_parse(const char *text, uint8_t *family, uint8_t addr[16],
    uint32_t *ifindex);

/* Opens what `role`, `family`, `addr`, `ifindex` and `port` describe and sets the rest.
 * 0, or an errno; `why` then has a sentence. */
int ipsec_socket_open(struct ipsec_socket *, uint32_t fwmark, char why[IPSEC_WHY_LEN]);

/* Whether what is sent from now on may be fragmented, or leaves with DF. */
void ipsec_socket_fragments(struct ipsec_socket *, bool);

/* One end of a path as the kernel wants it; returns its length. */
socklen_t ipsec_sockaddr(const struct ike_path *, unsigned end, union ipsec_sockaddr *);

/* The control messages with which a message leaves from its path's local address with
 * its tos; `control` has IPSEC_CONTROL_LEN octets.  Sets msg_control and
 * msg_controllen. */
void ipsec_control_write(struct msghdr *, void *control, const struct ipsec_message *);

/* The other way round: fills the path (ports: the remote one) and tos of a received
 * message. */
void ipsec_control_read(struct msghdr *, struct ipsec_message *);

#endif
