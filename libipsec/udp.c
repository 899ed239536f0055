#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libesp/bytes.h"
#include "libike/proto.h"
#include "libipsec/socket.h"

enum {
	IKE_PORT = 500, NATT_PORT = 4500,	/* RFC 7296 2, 2.23 */
	MARKER_LEN = 4,			/* non-ESP marker, RFC 3948 2.2 */
	ESP_MIN = 8,			/* SPI and sequence number */
	KEEPALIVE = 0xff,		/* RFC 3948 2.3 */
	ROOM = 65536,			/* the longest datagram, with its IP header */
	HEAD = 64,		/* before it, for an IP header in transport mode */
	FREE_PORTS = 16			/* tried until both families have one */
};

struct ipsec_udp {
	struct ipsec_socket *sockets;
	unsigned n;
	uint16_t port, natt_port;
	bool one_port;
	uint32_t fwmark;
	struct ipsec_udp_counters counters;

	uint8_t *room;		/* of received datagrams; unused pages cost nothing */
	uint8_t marker[MARKER_LEN];
	struct ipsec_message messages[IPSEC_BATCH];
	struct mmsghdr headers[IPSEC_BATCH];
	struct iovec parts[IPSEC_BATCH][2];
	union ipsec_sockaddr addresses[IPSEC_BATCH];
	_Alignas(struct cmsghdr) uint8_t controls[IPSEC_BATCH][IPSEC_CONTROL_LEN];
};

/* ---- opening ---- */

static bool
add(struct ipsec_udp *u, const struct ipsec_socket *s)
{
	struct ipsec_socket *more;

	more = reallocarray(u->sockets, u->n + 1, sizeof(*more));
	if (more == NULL)
		return false;
	u->sockets = more;
	u->sockets[u->n++] = *s;
	return true;
}

static bool
has_role(const struct ipsec_udp *u, uint8_t role)
{
	for (unsigned i = 0; i < u->n; i++)
		if (u->sockets[i].role == role)
			return true;
	return false;
}

/* A family or a right that is missing is no fault if the socket is `optional`. */
static bool
open_socket(struct ipsec_udp *u, struct ipsec_socket *s, bool optional,
    char why[IPSEC_WHY_LEN])
{
	int error = ipsec_socket_open(s, u->fwmark, why);

	if (error != 0)
		return optional && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL ||
		    (s->role == IPSEC_SOCKET_RAW && (error == EPERM || error == EACCES)));
	if (add(u, s))
		return true;
	close(s->fd);
	snprintf(why, IPSEC_WHY_LEN, "no memory for the sockets");
	return false;
}

/* The sockets of one address, described by `at`. */
static bool
open_address(struct ipsec_udp *u, const struct ipsec_socket *at, bool any, bool native,
    char why[IPSEC_WHY_LEN])
{
	const struct { uint8_t role; uint16_t port; bool wanted, optional; } rows[] = {
		{ IPSEC_SOCKET_IKE, u->port, !u->one_port, any },
		{ IPSEC_SOCKET_NATT, u->natt_port, true, any },
		{ IPSEC_SOCKET_RAW, 0, native, true },
	};
	struct ipsec_socket s;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		s = *at;
		s.role = rows[i].role;
		s.port = rows[i].port;
		if (!rows[i].wanted)
			continue;
		if (!open_socket(u, &s, rows[i].optional, why))
			return false;
		if (s.role == IPSEC_SOCKET_NATT && s.port != 0)
			u->natt_port = s.port;
	}
	return true;
}

static bool
open_any(struct ipsec_udp *u, bool native, char why[IPSEC_WHY_LEN])
{
	struct ipsec_socket v4 = { .family = 4 }, v6 = { .family = 6 };

	/* Where one family is missing `why` keeps its sentence, in case both are. */
	return open_address(u, &v4, true, native, why) &&
	    open_address(u, &v6, true, native, why) &&
	    (u->one_port || has_role(u, IPSEC_SOCKET_IKE)) &&
	    has_role(u, IPSEC_SOCKET_NATT);
}

static bool
open_listed(struct ipsec_udp *u, const struct ipsec_udp_options *o,
    char why[IPSEC_WHY_LEN])
{
	struct ipsec_socket s;

	for (unsigned i = 0; i < o->n_listen; i++) {
		memset(&s, 0, sizeof(s));
		if (!ipsec_addr_parse(o->listen[i], &s.family, s.addr, &s.ifindex)) {
			snprintf(why, IPSEC_WHY_LEN, "cannot listen at \"%s\": not an "
			    "address like 192.0.2.1, 2001:db8::1 or fe80::1%%eth0",
			    o->listen[i]);
			return false;
		}
		if (!open_address(u, &s, false, o->native_esp, why))
			return false;
	}
	return true;
}

static void
close_all(struct ipsec_udp *u)
{
	while (u->n > 0)
		close(u->sockets[--u->n].fd);
}

/* A free port is one that every address has free: the first one's choice may be taken
 * elsewhere. */
static bool
open_all(struct ipsec_udp *u, const struct ipsec_udp_options *o, char why[IPSEC_WHY_LEN])
{
	unsigned tries = o->one_port && o->natt_port == 0 ? FREE_PORTS : 1;

	do {
		u->natt_port = o->natt_port;
		if (u->natt_port == 0 && !o->one_port)
			u->natt_port = NATT_PORT;
		if (o->n_listen == 0 ? open_any(u, o->native_esp, why) :
		    open_listed(u, o, why))
			return true;
		close_all(u);
	} while (--tries > 0);
	return false;
}

struct ipsec_udp *
ipsec_udp_new(const struct ipsec_udp_options *o, char why[IPSEC_WHY_LEN])
{
	struct ipsec_udp *u = calloc(1, sizeof(*u));

	if (u != NULL)			/* calloc might wipe it, and so use every page */
		u->room = malloc((size_t)IPSEC_BATCH * (HEAD + ROOM));
	if (u == NULL || u->room == NULL) {
		snprintf(why, IPSEC_WHY_LEN, "no memory for the sockets");
		goto out;
	}
	u->port = o->port != 0 ? o->port : IKE_PORT;
	u->one_port = o->one_port;
	u->fwmark = o->fwmark;
	if (open_all(u, o, why))
		return u;
out:
	ipsec_udp_free(u);
	return NULL;
}

void
ipsec_udp_free(struct ipsec_udp *u)
{
	if (u == NULL)
		return;
	close_all(u);
	free(u->sockets);
	free(u->room);
	free(u);
}

uint16_t
ipsec_udp_natt_port(const struct ipsec_udp *u)
{
	return u->natt_port;
}

bool
ipsec_udp_native(const struct ipsec_udp *u)
{
	return has_role(u, IPSEC_SOCKET_RAW);
}

unsigned
ipsec_udp_fds(const struct ipsec_udp *u, int *fds, unsigned n)
{
	for (unsigned i = 0; i < u->n && i < n; i++)
		fds[i] = u->sockets[i].fd;
	return u->n;
}

const struct ipsec_udp_counters *
ipsec_udp_read_counters(const struct ipsec_udp *u)
{
	return &u->counters;
}

/* ---- receiving ---- */

static bool
is_marked(const struct ike_path *path)
{
	return path->port[0] != IKE_PORT && path->port[1] != IKE_PORT;
}

static void
strip(struct ipsec_message *m, uint32_t n)
{
	m->data += n;
	m->len -= n;
	m->head = (uint16_t)(m->head + n);
}

/* IPv4 raw sockets give the IP header too. */
static enum ipsec_kind
classify_raw(struct ipsec_message *m)
{
	uint32_t header;

	if (m->path.family == 4) {
		header = m->len > 0 ? (m->data[0] & 0x0fU) * 4 : 0;
		if (header < 20 || m->len < header)
			return IPSEC_JUNK;
		strip(m, header);
	}
	return m->len >= ESP_MIN ? IPSEC_ESP_NATIVE : IPSEC_JUNK;
}

enum ipsec_kind
ipsec_udp_classify(struct ipsec_message *m, bool raw)
{
	if (raw)
		return classify_raw(m);
	if (!is_marked(&m->path))
		return m->len >= IKE_HEADER_LEN ? IPSEC_IKE : IPSEC_JUNK;
	if (m->len == 1 && m->data[0] == KEEPALIVE)
		return IPSEC_KEEPALIVE;
	if (m->len < MARKER_LEN)
		return IPSEC_JUNK;
	if (bytes_load32(m->data) != 0)
		return m->len >= ESP_MIN ? IPSEC_ESP_UDP : IPSEC_JUNK;
	strip(m, MARKER_LEN);
	return m->len >= IKE_HEADER_LEN ? IPSEC_IKE : IPSEC_JUNK;
}

static void
take(struct ipsec_udp *u, const struct ipsec_socket *s, struct mmsghdr *h,
    struct ipsec_message *m)
{
	bool raw = s->role == IPSEC_SOCKET_RAW;

	m->data = h->msg_hdr.msg_iov->iov_base;
	m->len = h->msg_len;
	m->head = HEAD;
	m->error = 0;
	ipsec_control_read(&h->msg_hdr, m);
	m->path.port[0] = s->port;
	if (raw)
		m->path.port[1] = 0;
	m->kind = (h->msg_hdr.msg_flags & MSG_TRUNC) != 0 ? IPSEC_JUNK :
	    ipsec_udp_classify(m, raw);
	u->counters.received++;
	if (m->kind == IPSEC_KEEPALIVE)
		u->counters.keepalives++;
	else if (m->kind == IPSEC_JUNK)
		u->counters.junk++;
}

unsigned
ipsec_udp_receive(struct ipsec_udp *u, unsigned socket, struct ipsec_message **v)
{
	struct msghdr *h;
	int n;

	*v = u->messages;
	if (socket >= u->n)
		return 0;
	for (unsigned i = 0; i < IPSEC_BATCH; i++) {
		u->parts[i][0].iov_base = u->room + (size_t)i * (HEAD + ROOM) + HEAD;
		u->parts[i][0].iov_len = ROOM;
		h = &u->headers[i].msg_hdr;
		*h = (struct msghdr){ .msg_iov = u->parts[i], .msg_iovlen = 1,
		    .msg_name = &u->addresses[i], .msg_namelen = sizeof(u->addresses[i]),
		    .msg_control = u->controls[i], .msg_controllen = IPSEC_CONTROL_LEN };
	}
	/* An error is an old ICMP answer or nothing to read: either way there is none. */
	n = recvmmsg(u->sockets[socket].fd, u->headers, IPSEC_BATCH, 0, NULL);
	for (int i = 0; i < n; i++)
		take(u, &u->sockets[socket], &u->headers[i], &u->messages[i]);
	return n > 0 ? (unsigned)n : 0;
}

/* ---- sending ---- */

/* The role whose socket carries the message.  A local port that is neither of ours (the
 * peer's idea of it after a NAT, or none yet) goes by the peer's port. */
static uint8_t
role_of(const struct ipsec_udp *u, const struct ipsec_message *m)
{
	if (m->kind == IPSEC_ESP_NATIVE)
		return IPSEC_SOCKET_RAW;
	if (m->path.port[0] == u->natt_port || u->one_port)
		return IPSEC_SOCKET_NATT;
	if (m->path.port[0] == u->port || m->path.port[1] == IKE_PORT)
		return IPSEC_SOCKET_IKE;
	return IPSEC_SOCKET_NATT;
}

/* One bound to the local address, else one bound to any; without a local address any. */
static struct ipsec_socket *
choose(struct ipsec_udp *u, const struct ipsec_message *m)
{
	uint8_t role = role_of(u, m);
	bool unbound = ipsec_addr_is_any(m->path.addr[0]);
	struct ipsec_socket *s;

	if (m->kind == IPSEC_JUNK)
		return NULL;
	for (unsigned i = 0; i < u->n; i++) {
		s = &u->sockets[i];
		if (s->role == role && s->family == m->path.family &&
		    (unbound || ipsec_addr_is_any(s->addr) ||
		    memcmp(s->addr, m->path.addr[0], sizeof(s->addr)) == 0))
			return s;
	}
	return NULL;
}

static void
write_header(struct ipsec_udp *u, unsigned i, struct ipsec_message *m)
{
	struct iovec *part = u->parts[i];
	struct msghdr *h = &u->headers[i].msg_hdr;
	struct ike_path to = m->path;

	*h = (struct msghdr){ .msg_iov = part, .msg_name = &u->addresses[i] };
	if (m->kind == IPSEC_IKE && is_marked(&m->path))
		part[h->msg_iovlen++] = (struct iovec){ u->marker, MARKER_LEN };
	part[h->msg_iovlen++] = (struct iovec){ m->data, m->len };
	if (m->kind == IPSEC_ESP_NATIVE)
		to.port[1] = 0;		/* IPv6 raw sockets take it as the protocol */
	h->msg_namelen = ipsec_sockaddr(&to, 1, &u->addresses[i]);
	ipsec_control_write(h, u->controls[i], m);
}

static void
refuse(struct ipsec_udp *u, struct ipsec_message *m, int error)
{
	m->error = error;
	if (error == EAGAIN || error == ENOBUFS)
		u->counters.busy++;
	else if (error == EMSGSIZE)
		u->counters.too_big++;
	else
		u->counters.unsent++;
}

/* `n` messages of one socket and one kind, in headers[0 .. n - 1].  A message that
 * fails is left out; a full socket takes no more of them. */
static void
send_run(struct ipsec_udp *u, struct ipsec_socket *s, struct ipsec_message *v, unsigned n)
{
	unsigned done = 0;
	int sent, error;

	ipsec_socket_fragments(s, v->kind == IPSEC_IKE);
	while (done < n) {
		sent = sendmmsg(s->fd, u->headers + done, n - done, 0);
		if (sent > 0) {
			u->counters.sent += (unsigned)sent;
			done += (unsigned)sent;
			continue;
		}
		error = sent < 0 ? errno : EIO;
		if (error == EINTR)
			continue;
		do
			refuse(u, &v[done++], error);
		while ((error == EAGAIN || error == ENOBUFS) && done < n);
	}
}

void
ipsec_udp_send(struct ipsec_udp *u, struct ipsec_message *v, unsigned n)
{
	struct ipsec_socket *s;
	unsigned i = 0, first;

	while (i < n) {
		first = i;
		s = choose(u, &v[i]);
		if (s == NULL) {
			refuse(u, &v[i++], EADDRNOTAVAIL);
			continue;
		}
		do {
			v[i].error = 0;
			write_header(u, i - first, &v[i]);
			i++;
		} while (i < n && i - first < IPSEC_BATCH && v[i].kind == v[first].kind &&
		    choose(u, &v[i]) == s);
		send_run(u, s, v + first, i - first);
	}
}

/* ---- what the host would do ---- */

/* A socket connected to the path's remote address; nothing is sent.  -1: no route. */
static int
connect_to(const struct ipsec_udp *u, const struct ike_path *path)
{
	struct ike_path to = *path;
	union ipsec_sockaddr address;
	socklen_t len;
	int fd;

	to.port[1] = NATT_PORT;		/* any that is not 0 */
	len = ipsec_sockaddr(&to, 1, &address);
	fd = socket(address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
	if (fd < 0)
		return -1;
	if ((u->fwmark == 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &u->fwmark,
	    sizeof(u->fwmark)) == 0) && connect(fd, &address.any, len) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Where we listen at certain addresses, ours is one.  False: none is of this family. */
static bool
keep_to_listened(const struct ipsec_udp *u, struct ike_path *path)
{
	const struct ipsec_socket *other = NULL, *s;

	for (unsigned i = 0; i < u->n; i++) {
		s = &u->sockets[i];
		if (s->family != path->family)
			continue;
		if (ipsec_addr_is_any(s->addr) ||
		    memcmp(s->addr, path->addr[0], sizeof(s->addr)) == 0)
			return true;
		if (other == NULL)
			other = s;
	}
	if (other != NULL)
		memcpy(path->addr[0], other->addr, sizeof(other->addr));
	return other != NULL;
}

bool
ipsec_udp_source(const struct ipsec_udp *u, struct ike_path *path)
{
	union ipsec_sockaddr own = { 0 };
	socklen_t len = sizeof(own);
	int fd = connect_to(u, path);
	bool known;

	if (fd < 0)
		return false;
	known = getsockname(fd, &own.any, &len) == 0;
	close(fd);
	if (!known)
		return false;
	memset(path->addr[0], 0, sizeof(path->addr[0]));
	if (path->family == 4)
		memcpy(path->addr[0], &own.in.sin_addr, 4);
	else
		memcpy(path->addr[0], &own.in6.sin6_addr, 16);
	return keep_to_listened(u, path);
}

/* Whether the kernel lets us have it, which it does for addresses to come where
 * ip_nonlocal_bind allows that. */
static bool
is_own(const struct ike_path *path)
{
	struct ike_path from = *path;
	union ipsec_sockaddr address;
	socklen_t len;
	bool own;
	int fd;

	from.port[0] = 0;
	len = ipsec_sockaddr(&from, 0, &address);
	fd = socket(address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
	if (fd < 0)
		return false;
	own = bind(fd, &address.any, len) == 0;
	close(fd);
	return own;
}

bool
ipsec_udp_owns(const struct ipsec_udp *u, const struct ike_path *path)
{
	struct ike_path kept = *path;

	return is_own(path) && keep_to_listened(u, &kept) &&
	    memcmp(kept.addr[0], path->addr[0], sizeof(kept.addr[0])) == 0;
}

uint32_t
ipsec_udp_mtu(const struct ipsec_udp *u, const struct ike_path *path)
{
	int mtu = 0, fd = connect_to(u, path);
	socklen_t len = sizeof(mtu);
	bool v4 = path->family == 4;

	if (fd < 0)
		return 0;
	if (getsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU : IPV6_MTU, &mtu,
	    &len) != 0)
		mtu = 0;
	close(fd);
	return mtu > 0 ? (uint32_t)mtu : 0;
}
