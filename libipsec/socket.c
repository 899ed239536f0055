#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libipsec/socket.h"

enum { RECEIVE_BUFFER = 4194304 };	/* octets; a second's burst at 32 Mbit/s */

bool
ipsec_addr_is_any(const uint8_t addr[16])
{
	static const uint8_t zeros[16];

	return memcmp(addr, zeros, sizeof(zeros)) == 0;
}

bool
ipsec_addr_is_link_local(uint8_t family, const uint8_t addr[16])
{
	return family == 6 && addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}

bool
ipsec_addr_parse(const char *text, uint8_t *family, uint8_t addr[16], uint32_t *ifindex)
{
	const char *zone = strchr(text, '%');
	char host[INET6_ADDRSTRLEN];
	uint8_t octets[16] = { 0 };
	size_t len = zone != NULL ? (size_t)(zone - text) : strlen(text);

	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	*ifindex = 0;
	if (zone == NULL && inet_pton(AF_INET, host, octets) == 1)
		*family = 4;
	else if (inet_pton(AF_INET6, host, octets) == 1)
		*family = 6;
	else
		return false;
	if (zone != NULL && (*ifindex = if_nametoindex(zone + 1)) == 0)
		return false;
	memcpy(addr, octets, sizeof(octets));
	return true;
}

socklen_t
ipsec_sockaddr(const struct ike_path *path, unsigned end, union ipsec_sockaddr *out)
{
	memset(out, 0, sizeof(*out));
	if (path->family == 4) {
		out->in.sin_family = AF_INET;
		out->in.sin_port = htons(path->port[end]);
		memcpy(&out->in.sin_addr, path->addr[end], 4);
		return sizeof(out->in);
	}
	out->in6.sin6_family = AF_INET6;
	out->in6.sin6_port = htons(path->port[end]);
	memcpy(&out->in6.sin6_addr, path->addr[end], 16);
	if (ipsec_addr_is_link_local(6, path->addr[end]))
		out->in6.sin6_scope_id = path->ifindex;
	return sizeof(out->in6);
}

/* ---- opening ---- */

static void
print_address(const struct ipsec_socket *s, char *text, size_t len)
{
	char host[INET6_ADDRSTRLEN] = "";

	inet_ntop(s->family == 4 ? AF_INET : AF_INET6, s->addr, host, sizeof(host));
	if (s->role == IPSEC_SOCKET_RAW)
		snprintf(text, len, "%s, IP protocol 50", host);
	else
		snprintf(text, len, "%s, UDP port %u", host, s->port);
}

static const struct remedy {
	int error;
	const char *text;
} remedies[] = {
	{ EADDRINUSE, "another program has it, perhaps another IKE daemon: stop that "
	    "one, or choose another port" },
	{ EACCES, "ports below 1024 need root or CAP_NET_BIND_SERVICE" },
	{ EPERM, "a raw socket or a mark needs root, or CAP_NET_RAW and CAP_NET_ADMIN" },
	{ EADDRNOTAVAIL, "this host does not have the address: listen on one that it "
	    "has, or on any" },
	{ EAFNOSUPPORT, "this host does not have the address family" },
};

static void
explain(const struct ipsec_socket *s, int error, const char *step,
    char why[IPSEC_WHY_LEN])
{
	const char *remedy = NULL;
	char at[INET6_ADDRSTRLEN + 32];

	for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++)
		if (remedies[i].error == error)
			remedy = remedies[i].text;
	print_address(s, at, sizeof(at));
	snprintf(why, IPSEC_WHY_LEN, "cannot %s at %s: %s%s%s", step, at,
	    strerrordesc_np(error) != NULL ? strerrordesc_np(error) : "unknown error",
	    remedy != NULL ? "; " : "", remedy != NULL ? remedy : "");
}

static bool
set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

void
ipsec_socket_fragments(struct ipsec_socket *s, bool allowed)
{
	if (s->fragments == allowed)
		return;
	/* IPv4: no DF, so that routers may fragment too.  IPv6: only we can, by the
	 * path MTU the kernel knows. */
	if (s->family == 4)
		set(s->fd, IPPROTO_IP, IP_MTU_DISCOVER,
		    allowed ? IP_PMTUDISC_DONT : IP_PMTUDISC_DO);
	else
		set(s->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
		    allowed ? IPV6_PMTUDISC_WANT : IPV6_PMTUDISC_DO);
	s->fragments = allowed;
}

static bool
prepare(struct ipsec_socket *s, uint32_t fwmark)
{
	bool done;

	if (s->family == 4)
		done = set(s->fd, IPPROTO_IP, IP_PKTINFO, 1) &&
		    set(s->fd, IPPROTO_IP, IP_RECVTOS, 1);
	else
		/* a raw socket is of one family anyway, and refuses to hear of it */
		done = (s->role == IPSEC_SOCKET_RAW ||
		    set(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
		    set(s->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) &&
		    set(s->fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
	if (!done || (fwmark != 0 && !set(s->fd, SOL_SOCKET, SO_MARK, (int)fwmark)))
		return false;
	/* A small buffer costs packets, not correctness: take what is given. */
	if (!set(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER))
		set(s->fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
	s->fragments = s->role != IPSEC_SOCKET_IKE;	/* the contrary: it must be set */
	ipsec_socket_fragments(s, !s->fragments);
	return true;
}

static bool
bind_to(const struct ipsec_socket *s)
{
	struct ike_path path = { .family = s->family, .ifindex = s->ifindex };
	union ipsec_sockaddr to;
	socklen_t len;

	path.port[0] = s->port;
	memcpy(path.addr[0], s->addr, sizeof(s->addr));
	len = ipsec_sockaddr(&path, 0, &to);
	return bind(s->fd, &to.any, len) == 0;
}

/* Of port 0 the kernel has made one. */
static bool
read_port(struct ipsec_socket *s)
{
	union ipsec_sockaddr own = { 0 };
	socklen_t len = sizeof(own);

	if (getsockname(s->fd, &own.any, &len) != 0)
		return false;
	s->port = ntohs(s->family == 4 ? own.in.sin_port : own.in6.sin6_port);
	return true;
}

int
ipsec_socket_open(struct ipsec_socket *s, uint32_t fwmark, char why[IPSEC_WHY_LEN])
{
	bool raw = s->role == IPSEC_SOCKET_RAW;
	const char *step = "open a socket";
	int error;

	s->fd = socket(s->family == 4 ? AF_INET : AF_INET6,
	    (raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    raw ? IPPROTO_ESP : IPPROTO_UDP);
	if (s->fd < 0)
		goto out;
	step = "set up a socket";
	if (!prepare(s, fwmark))
		goto out;
	step = "listen";
	if (!bind_to(s) || (!raw && !read_port(s)))
		goto out;
	return 0;
out:
	error = errno;
	explain(s, error, step, why);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	return error;
}

/* ---- control messages ---- */

/* Appends one control message behind `msg_controllen` octets. */
static void
append(struct msghdr *m, int level, int type, const void *data, size_t len)
{
	struct cmsghdr *c = (void *)((char *)m->msg_control + m->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	m->msg_controllen += CMSG_SPACE(len);
}

void
ipsec_control_write(struct msghdr *m, void *control, const struct ipsec_message *message)
{
	const struct ike_path *path = &message->path;
	struct in_pktinfo info4 = { .ipi_ifindex = (int)path->ifindex };
	struct in6_pktinfo info6 = { .ipi6_ifindex = path->ifindex };
	int tos = message->tos;
	bool v4 = path->family == 4;

	m->msg_control = control;
	m->msg_controllen = 0;
	if (!ipsec_addr_is_any(path->addr[0])) {
		memcpy(&info4.ipi_spec_dst, path->addr[0], sizeof(info4.ipi_spec_dst));
		memcpy(&info6.ipi6_addr, path->addr[0], sizeof(info6.ipi6_addr));
		if (v4)
			append(m, IPPROTO_IP, IP_PKTINFO, &info4, sizeof(info4));
		else
			append(m, IPPROTO_IPV6, IPV6_PKTINFO, &info6, sizeof(info6));
	}
	if (tos != 0)
		append(m, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &tos,
		    sizeof(tos));
	if (m->msg_controllen == 0)
		m->msg_control = NULL;
}

static void
read_control(const struct cmsghdr *c, struct ipsec_message *out)
{
	struct ike_path *path = &out->path;
	struct in_pktinfo info4;
	struct in6_pktinfo info6;
	int tos;

	if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
		out->tos = *CMSG_DATA(c);
	} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
		memcpy(&tos, CMSG_DATA(c), sizeof(tos));
		out->tos = (uint8_t)(tos & 0xff);
	} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
		memcpy(&info4, CMSG_DATA(c), sizeof(info4));
		memcpy(path->addr[0], &info4.ipi_spec_dst, 4);
	} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
		memcpy(&info6, CMSG_DATA(c), sizeof(info6));
		memcpy(path->addr[0], &info6.ipi6_addr, 16);
		/* Elsewhere it would pin the answer to it when routes change. */
		if (ipsec_addr_is_link_local(6, path->addr[1]))
			path->ifindex = info6.ipi6_ifindex;
	}
}

void
ipsec_control_read(struct msghdr *m, struct ipsec_message *out)
{
	const union ipsec_sockaddr *from = m->msg_name;
	struct ike_path *path = &out->path;

	memset(path, 0, sizeof(*path));
	out->tos = 0;
	if (from->any.sa_family == AF_INET) {
		path->family = 4;
		path->port[1] = ntohs(from->in.sin_port);
		memcpy(path->addr[1], &from->in.sin_addr, 4);
	} else {
		path->family = 6;
		path->port[1] = ntohs(from->in6.sin6_port);
		memcpy(path->addr[1], &from->in6.sin6_addr, 16);
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c))
		read_control(c, out);
}
