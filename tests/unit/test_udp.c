/* The sockets: what a datagram is (RFC 7296 2.23, RFC 3948), which address a reply leaves
 * from, and what becomes of what cannot be sent.  On the loopback, without privileges. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libipsec/udp.h"
#include "tests/unit/ports.h"
#include "tests/unit/run.h"

enum { WAIT_MS = 2000 };

/* ---- telling datagrams apart ---- */

static const struct datagram {
	uint16_t local, remote;
	uint8_t family;
	bool raw;
	uint32_t len;
	uint8_t head[8];		/* its first octets; the rest is 0xee */
	enum ipsec_kind kind;
	uint32_t stripped;
} datagrams[] = {
	/* one of the ports is 500: no marker, so all is IKE */
	{ 500, 500, 4, false, 28, { 1 }, IPSEC_IKE, 0 },
	{ 500, 500, 4, false, 28, { 0 }, IPSEC_IKE, 0 },
	{ 500, 12345, 4, false, 200, { 1 }, IPSEC_IKE, 0 },
	{ 4500, 500, 4, false, 200, { 1 }, IPSEC_IKE, 0 },
	{ 500, 500, 4, false, 27, { 1 }, IPSEC_JUNK, 0 },
	{ 500, 500, 4, false, 1, { 0xff }, IPSEC_JUNK, 0 },
	{ 500, 500, 4, false, 0, { 0 }, IPSEC_JUNK, 0 },
	/* neither is: the marker decides */
	{ 4500, 4500, 4, false, 32, { 0 }, IPSEC_IKE, 4 },
	{ 4500, 4500, 6, false, 32, { 0 }, IPSEC_IKE, 4 },
	{ 4500, 61234, 4, false, 300, { 0 }, IPSEC_IKE, 4 },
	{ 5500, 5501, 4, false, 32, { 0 }, IPSEC_IKE, 4 },
	{ 4500, 4500, 4, false, 31, { 0 }, IPSEC_JUNK, 4 },
	{ 4500, 4500, 4, false, 4, { 0 }, IPSEC_JUNK, 4 },
	{ 4500, 4500, 4, false, 8, { 0, 0, 1, 0 }, IPSEC_ESP_UDP, 0 },
	{ 4500, 4500, 4, false, 100, { 0x80 }, IPSEC_ESP_UDP, 0 },
	{ 4500, 4500, 4, false, 7, { 1 }, IPSEC_JUNK, 0 },
	/* T82 */
	{ 4500, 4500, 4, false, 1, { 0xff }, IPSEC_KEEPALIVE, 0 },
	{ 4500, 4500, 4, false, 1, { 0xfe }, IPSEC_JUNK, 0 },
	{ 4500, 4500, 4, false, 0, { 0 }, IPSEC_JUNK, 0 },
	{ 4500, 4500, 4, false, 2, { 0xff, 0xff }, IPSEC_JUNK, 0 },
	{ 4500, 4500, 4, false, 3, { 0 }, IPSEC_JUNK, 0 },
	/* protocol 50: IPv4 comes with its header, whose length counts in words */
	{ 0, 0, 4, true, 28, { 0x45 }, IPSEC_ESP_NATIVE, 20 },
	{ 0, 0, 4, true, 32, { 0x46 }, IPSEC_ESP_NATIVE, 24 },
	{ 0, 0, 4, true, 27, { 0x45 }, IPSEC_JUNK, 20 },
	{ 0, 0, 4, true, 28, { 0x44 }, IPSEC_JUNK, 0 },
	{ 0, 0, 4, true, 40, { 0x4f }, IPSEC_JUNK, 0 },
	{ 0, 0, 4, true, 0, { 0 }, IPSEC_JUNK, 0 },
	{ 0, 0, 6, true, 8, { 1 }, IPSEC_ESP_NATIVE, 0 },
	{ 0, 0, 6, true, 7, { 1 }, IPSEC_JUNK, 0 },
};

/* An exactly sized buffer, so that a read past the end is seen. */
static uint8_t *
make_datagram(const struct datagram *d, uint32_t len)
{
	uint8_t *octets = malloc(len > 0 ? len : 1);

	ck_assert_ptr_nonnull(octets);
	for (uint32_t i = 0; i < len; i++)
		octets[i] = i < sizeof(d->head) ? d->head[i] : 0xee;
	return octets;
}

static struct ipsec_message
as_received(const struct datagram *d, uint8_t *octets, uint32_t len)
{
	return (struct ipsec_message){ .data = octets, .len = len,
	    .path = { .family = d->family, .port = { d->local, d->remote } } };
}

START_TEST(datagram_kinds)
{
	const struct datagram *d = &datagrams[_i];
	uint8_t *octets = make_datagram(d, d->len);
	struct ipsec_message m = as_received(d, octets, d->len);

	ck_assert_msg(ipsec_udp_classify(&m, d->raw) == d->kind, "row %d", _i);
	ck_assert_msg(m.data == octets + d->stripped, "row %d", _i);
	ck_assert_msg(m.len == d->len - d->stripped, "row %d", _i);
	free(octets);
}
END_TEST

START_TEST(datagram_truncated)
{
	const struct datagram *d = &datagrams[_i];
	struct ipsec_message m;
	uint8_t *octets;

	for (uint32_t len = 0; len < d->len; len++) {
		octets = make_datagram(d, len);
		m = as_received(d, octets, len);
		ipsec_udp_classify(&m, d->raw);
		ck_assert_ptr_eq(m.data + m.len, octets + len);
		free(octets);
	}
}
END_TEST

/* ---- sockets ---- */

struct set {
	struct ipsec_udp *udp;
	uint16_t port[2];
	int fds[8];
	unsigned n;
};

static void
open_set(struct set *s, const char *listen)
{
	const char *const list[] = { listen };
	struct ipsec_udp_options options = { .listen = list, .n_listen = listen != NULL };
	char why[IPSEC_WHY_LEN] = "";

	free_ports(s->port);
	options.port = s->port[0];
	options.natt_port = s->port[1];
	s->udp = ipsec_udp_new(&options, why);
	ck_assert_msg(s->udp != NULL, "%s", why);
	s->n = ipsec_udp_fds(s->udp, s->fds, 8);
	ck_assert_uint_ge(s->n, 2);
	ck_assert_uint_le(s->n, 8);
	ck_assert(!ipsec_udp_native(s->udp));
}

/* Waits for the next batch on any socket. */
static unsigned
receive(struct set *s, struct ipsec_message **v)
{
	struct pollfd p[8] = { 0 };
	unsigned n;

	for (unsigned i = 0; i < s->n; i++)
		p[i] = (struct pollfd){ .fd = s->fds[i], .events = POLLIN };
	ck_assert_int_gt(poll(p, s->n, WAIT_MS), 0);
	for (unsigned i = 0; i < s->n; i++)
		if (p[i].revents != 0 && (n = ipsec_udp_receive(s->udp, i, v)) > 0)
			return n;
	ck_abort_msg("nothing to read");
	return 0;
}

static void
set_address(uint8_t addr[16], uint8_t family, const char *text)
{
	memset(addr, 0, 16);
	ck_assert_int_eq(inet_pton(family == 4 ? AF_INET : AF_INET6, text, addr), 1);
}

/* From `from` to `to` at that address; which: 0 the IKE ports, 1 the NAT-T ports. */
static struct ike_path
path_to(const struct set *from, const struct set *to, unsigned which, uint8_t family,
    const char *address)
{
	struct ike_path path = { .family = family,
	    .port = { from->port[which], to->port[which] } };

	set_address(path.addr[1], family, address);
	return path;
}

static void
send_one(struct set *s, const struct ike_path *path, enum ipsec_kind kind, uint8_t tos,
    uint8_t *data, uint32_t len)
{
	struct ipsec_message m = { .data = data, .len = len, .kind = kind, .tos = tos,
	    .path = *path };

	ipsec_udp_send(s->udp, &m, 1);
	ck_assert_int_eq(m.error, 0);
}

static bool
has_ipv6(void)
{
	struct sockaddr_in6 own = { .sin6_family = AF_INET6,
	    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	bool has = fd >= 0 && bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0;

	if (fd >= 0)
		close(fd);
	return has;
}

/* There and back, for both families and both ports: the marker is added and taken off. */
static void
exchange_ike(uint8_t family, const char *address, unsigned which)
{
	struct set a, b;
	struct ipsec_message *v;
	uint8_t request[40] = "a request of more than 28 octets", response[] =
	    "a response, which is longer than that";
	struct ike_path path, back;

	open_set(&a, address);
	open_set(&b, NULL);
	path = path_to(&a, &b, which, family, address);
	send_one(&a, &path, IPSEC_IKE, 0, request, sizeof(request));
	ck_assert_uint_eq(receive(&b, &v), 1);
	ck_assert_int_eq(v->kind, IPSEC_IKE);
	ck_assert_uint_eq(v->len, sizeof(request));
	ck_assert_mem_eq(v->data, request, sizeof(request));
	ck_assert_uint_eq(v->path.family, family);
	ck_assert_uint_eq(v->path.port[0], b.port[which]);
	ck_assert_uint_eq(v->path.port[1], a.port[which]);
	ck_assert_mem_eq(v->path.addr[0], path.addr[1], 16);
	ck_assert_mem_eq(v->path.addr[1], path.addr[1], 16);
	ck_assert_uint_eq(v->path.ifindex, 0);
	back = v->path;
	send_one(&b, &back, IPSEC_IKE, 0, response, sizeof(response));
	ck_assert_uint_eq(receive(&a, &v), 1);
	ck_assert_int_eq(v->kind, IPSEC_IKE);
	ck_assert_uint_eq(v->len, sizeof(response));
	ck_assert_mem_eq(v->data, response, sizeof(response));
	ipsec_udp_free(a.udp);
	ipsec_udp_free(b.udp);
}

START_TEST(ike_there_and_back)
{
	exchange_ike(4, "127.0.0.1", (unsigned)_i);
	if (has_ipv6())
		exchange_ike(6, "::1", (unsigned)_i);
}
END_TEST

START_TEST(reply_leaves_from_the_address_asked)
{
	struct set a, b;
	struct ipsec_message *v;
	uint8_t data[28] = { 1 }, other[16];
	struct ike_path path, back;

	open_set(&a, "127.0.0.1");
	open_set(&b, NULL);
	set_address(other, 4, "127.0.0.2");
	path = path_to(&a, &b, 0, 4, "127.0.0.2");
	send_one(&a, &path, IPSEC_IKE, 0, data, sizeof(data));
	ck_assert_uint_eq(receive(&b, &v), 1);
	ck_assert_mem_eq(v->path.addr[0], other, 16);
	back = v->path;
	send_one(&b, &back, IPSEC_IKE, 0, data, sizeof(data));
	ck_assert_uint_eq(receive(&a, &v), 1);
	ck_assert_mem_eq(v->path.addr[1], other, 16);	/* the kernel's choice is .1 */
	ipsec_udp_free(a.udp);
	ipsec_udp_free(b.udp);
}
END_TEST

START_TEST(esp_keeps_its_tos)
{
	const char *address = _i == 0 ? "127.0.0.1" : "::1";
	uint8_t family = _i == 0 ? 4 : 6, data[60] = { 0x12, 0x34 };
	struct ipsec_message *v;
	struct ike_path path;
	struct set a, b;

	if (family == 6 && !has_ipv6())
		return;
	open_set(&a, address);
	open_set(&b, address);
	path = path_to(&a, &b, 1, family, address);
	for (unsigned tos = 0; tos < 256; tos += 51) {
		send_one(&a, &path, IPSEC_ESP_UDP, (uint8_t)tos, data, sizeof(data));
		ck_assert_uint_eq(receive(&b, &v), 1);
		ck_assert_int_eq(v->kind, IPSEC_ESP_UDP);
		ck_assert_uint_eq(v->len, sizeof(data));
		ck_assert_mem_eq(v->data, data, sizeof(data));
		ck_assert_uint_eq(v->tos, tos);
	}
	ipsec_udp_free(a.udp);
	ipsec_udp_free(b.udp);
}
END_TEST

/* More than a batch, of two kinds: all arrive, in order. */
START_TEST(batch_in_order)
{
	enum { N = 150 };
	struct ipsec_message out[N], *v;
	uint8_t data[N][32];
	struct ike_path path;
	struct set a, b;
	unsigned seen = 0, n;

	open_set(&a, "127.0.0.1");
	open_set(&b, "127.0.0.1");
	path = path_to(&a, &b, 1, 4, "127.0.0.1");
	memset(data, 0, sizeof(data));
	for (unsigned i = 0; i < N; i++) {
		data[i][0] = 0x80;
		data[i][31] = (uint8_t)i;
		out[i] = (struct ipsec_message){ .data = data[i], .len = 32, .path = path,
		    .kind = i % 40 == 7 ? IPSEC_IKE : IPSEC_ESP_UDP };
	}
	ipsec_udp_send(a.udp, out, N);
	while (seen < N) {
		n = receive(&b, &v);
		ck_assert_uint_le(n, IPSEC_BATCH);
		for (unsigned i = 0; i < n; i++, seen++) {
			ck_assert_int_eq(v[i].kind, out[seen].kind);
			ck_assert_uint_eq(v[i].data[31], seen);
		}
	}
	ck_assert_uint_eq(ipsec_udp_read_counters(a.udp)->sent, N);
	ck_assert_uint_eq(ipsec_udp_read_counters(b.udp)->received, N);
	ipsec_udp_free(a.udp);
	ipsec_udp_free(b.udp);
}
END_TEST

/* RFC 3948 2.3: one octet without a marker, whatever it is sent among. */
START_TEST(keepalive_is_one_octet)
{
	const char *address = _i == 0 ? "127.0.0.1" : "::1";
	uint8_t family = _i == 0 ? 4 : 6, data[40] = { 0 }, octet = 0xff;
	struct ipsec_message out[3], *v;
	struct ike_path path;
	struct set a, b;
	unsigned n = 0;

	if (family == 6 && !has_ipv6())
		return;
	open_set(&a, address);
	open_set(&b, address);
	path = path_to(&a, &b, 1, family, address);
	for (unsigned i = 0; i < 3; i++)
		out[i] = (struct ipsec_message){ .data = data, .len = sizeof(data),
		    .path = path, .kind = IPSEC_IKE };
	out[1].kind = IPSEC_KEEPALIVE;
	out[1].data = &octet;
	out[1].len = 1;
	ipsec_udp_send(a.udp, out, 3);
	while (n < 3) {
		unsigned more = receive(&b, &v);

		for (unsigned i = 0; i < more; i++, n++) {
			ck_assert_int_eq(v[i].kind, out[n].kind);
			ck_assert_uint_eq(v[i].len, out[n].len);
			ck_assert_mem_eq(v[i].data, out[n].data, out[n].len);
		}
	}
	ck_assert_uint_eq(ipsec_udp_read_counters(b.udp)->keepalives, 1);
	ck_assert_uint_eq(ipsec_udp_read_counters(a.udp)->unsent, 0);
	ipsec_udp_free(a.udp);
	ipsec_udp_free(b.udp);
}
END_TEST

/* What this host fragments in silence would be lost in tunnels; a handshake must pass. */
START_TEST(only_ike_may_be_fragmented)
{
	uint8_t data[40] = { 0x80 };
	struct ike_path path;
	struct set a;
	int mode;
	socklen_t len = sizeof(mode);

	open_set(&a, "127.0.0.1");
	ck_assert_int_eq(getsockopt(a.fds[0], IPPROTO_IP, IP_MTU_DISCOVER, &mode,
	    &len), 0);
	ck_assert_int_eq(mode, IP_PMTUDISC_DONT);
	path = path_to(&a, &a, 1, 4, "127.0.0.1");
	for (int i = 0; i < 4; i++) {
		send_one(&a, &path, i % 2 == 0 ? IPSEC_ESP_UDP : IPSEC_IKE, 0, data,
		    sizeof(data));
		ck_assert_int_eq(getsockopt(a.fds[1], IPPROTO_IP, IP_MTU_DISCOVER, &mode,
		    &len), 0);
		ck_assert_int_eq(mode, i % 2 == 0 ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
	}
	ipsec_udp_free(a.udp);
}
END_TEST

START_TEST(unsendable_is_counted_and_left_out)
{
	static uint8_t data[66000] = { 0x80 };
	const struct ipsec_udp_counters *c;
	struct ipsec_message out[5], *v;
	struct ike_path path;
	struct set a, b;

	open_set(&a, "127.0.0.1");
	open_set(&b, "127.0.0.1");
	path = path_to(&a, &b, 1, 4, "127.0.0.1");
	for (unsigned i = 0; i < 5; i++)
		out[i] = (struct ipsec_message){ .data = data, .len = 40 + i,
		    .path = path, .kind = IPSEC_ESP_UDP };
	out[1].len = sizeof(data);		/* over any datagram */
	out[2].kind = IPSEC_ESP_NATIVE;		/* no raw socket */
	out[3].path.family = 6;			/* not listening there */
	ipsec_udp_send(a.udp, out, 5);
	ck_assert_int_eq(out[0].error, 0);
	ck_assert_int_eq(out[1].error, EMSGSIZE);
	ck_assert_int_eq(out[2].error, EADDRNOTAVAIL);
	ck_assert_int_eq(out[3].error, EADDRNOTAVAIL);
	ck_assert_int_eq(out[4].error, 0);
	c = ipsec_udp_read_counters(a.udp);
	ck_assert_uint_eq(c->sent, 2);
	ck_assert_uint_eq(c->too_big, 1);
	ck_assert_uint_eq(c->unsent, 2);
	ck_assert_uint_eq(c->busy, 0);
	ck_assert_uint_eq(receive(&b, &v), 2);
	ck_assert_uint_eq(v[0].len, 40);
	ck_assert_uint_eq(v[1].len, 44);
	ipsec_udp_free(a.udp);
	ipsec_udp_free(b.udp);
}
END_TEST

/* A path whose local address this host has no more costs its own messages only, and is
 * known at once. */
START_TEST(vanished_address_is_counted)
{
	static const char *const gone[] = { "192.0.2.77", "2001:db8::77" };
	const char *address = _i == 0 ? "127.0.0.1" : "::1";
	uint8_t family = _i == 0 ? 4 : 6, data[40] = { 0x80 };
	struct ipsec_message out[3], *v;
	struct ike_path path;
	struct set a, b;

	if (family == 6 && !has_ipv6())
		return;
	open_set(&a, NULL);
	open_set(&b, address);
	path = path_to(&a, &b, 1, family, address);
	for (unsigned i = 0; i < 3; i++)
		out[i] = (struct ipsec_message){ .data = data, .len = sizeof(data),
		    .path = path, .kind = IPSEC_ESP_UDP };
	set_address(out[1].path.addr[0], family, gone[_i]);
	ck_assert(!ipsec_udp_owns(a.udp, &out[1].path));
	ipsec_udp_send(a.udp, out, 3);
	ck_assert_int_eq(out[0].error, 0);
	ck_assert_int_ne(out[1].error, 0);
	ck_assert_int_eq(out[2].error, 0);
	ck_assert_uint_eq(ipsec_udp_read_counters(a.udp)->sent, 2);
	ck_assert_uint_eq(ipsec_udp_read_counters(a.udp)->unsent, 1);
	ck_assert_uint_eq(receive(&b, &v), 2);
	ipsec_udp_free(a.udp);
	ipsec_udp_free(b.udp);
}
END_TEST

/* Nobody listens at the other end: the ICMP error must not come out at a later call. */
START_TEST(icmp_errors_do_no_harm)
{
	struct ipsec_message *v;
	struct ike_path path;
	struct set a, b;
	uint8_t data[40] = { 0x80 };

	open_set(&a, "127.0.0.1");
	open_set(&b, "127.0.0.1");
	path = path_to(&a, &b, 1, 4, "127.0.0.1");
	path.port[1] = b.port[0];
	ipsec_udp_free(b.udp);
	for (unsigned i = 0; i < 3; i++) {
		send_one(&a, &path, IPSEC_ESP_UDP, 0, data, sizeof(data));
		for (unsigned k = 0; k < a.n; k++)
			ck_assert_uint_eq(ipsec_udp_receive(a.udp, k, &v), 0);
	}
	ck_assert_uint_eq(ipsec_udp_read_counters(a.udp)->sent, 3);
	ipsec_udp_free(a.udp);
}
END_TEST

START_TEST(port_in_use_is_named)
{
	const char *const list[] = { "127.0.0.1" };
	struct ipsec_udp_options options = { .listen = list, .n_listen = 1 };
	char why[IPSEC_WHY_LEN] = "", port[16];
	struct set a;

	open_set(&a, "127.0.0.1");
	options.port = a.port[0];
	options.natt_port = a.port[1];
	ck_assert_ptr_null(ipsec_udp_new(&options, why));
	snprintf(port, sizeof(port), "port %u", a.port[0]);
	ck_assert_ptr_nonnull(strstr(why, "127.0.0.1"));
	ck_assert_ptr_nonnull(strstr(why, port));
	ck_assert_ptr_nonnull(strstr(why, "another program"));
	ipsec_udp_free(a.udp);
}
END_TEST

START_TEST(listen_must_be_an_address_of_this_host)
{
	static const struct { const char *text, *says; } rows[] = {
		{ "vpn.example", "\"vpn.example\"" }, { "", "\"\"" },
		{ "127.0.0.1.1", "not an address" },
		{ "fe80::1%nonesuch", "not an address" },
		{ "192.0.2.77", "does not have the address" },
	};
	struct ipsec_udp_options options = { .listen = &rows[_i].text, .n_listen = 1 };
	char why[IPSEC_WHY_LEN] = "";
	uint16_t port[2];

	free_ports(port);
	options.port = port[0];
	options.natt_port = port[1];
	ck_assert_ptr_null(ipsec_udp_new(&options, why));
	ck_assert_msg(strstr(why, rows[_i].says) != NULL, "%s", why);
}
END_TEST

START_TEST(source_and_mtu_towards_a_peer)
{
	struct ike_path path = { .family = 4 };
	uint8_t own[16];
	struct set any, two;

	open_set(&any, NULL);
	open_set(&two, "127.0.0.2");
	set_address(path.addr[1], 4, "127.0.0.9");
	set_address(own, 4, "127.0.0.1");
	ck_assert(ipsec_udp_source(any.udp, &path));
	ck_assert_mem_eq(path.addr[0], own, 16);
	set_address(own, 4, "127.0.0.2");
	ck_assert(ipsec_udp_source(two.udp, &path));	/* the one we listen at */
	ck_assert_mem_eq(path.addr[0], own, 16);
	ck_assert_uint_ge(ipsec_udp_mtu(any.udp, &path), 1280);
	ipsec_udp_free(any.udp);
	ipsec_udp_free(two.udp);
}
END_TEST

START_TEST(address_of_the_host_or_not)
{
	static const struct { const char *listen, *address; bool owned; } rows[] = {
		{ NULL, "127.0.0.1", true },
		{ NULL, "127.0.0.2", true },
		{ NULL, "192.0.2.1", false },
		{ "127.0.0.2", "127.0.0.2", true },
		{ "127.0.0.2", "127.0.0.1", false },
	};
	struct ike_path path = { .family = 4, .port = { 500, 500 } };
	struct set set;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_set(&set, rows[i].listen);
		set_address(path.addr[0], 4, rows[i].address);
		ck_assert_msg(
		    ipsec_udp_owns(set.udp, &path) == rows[i].owned, "row %zu", i);
		ipsec_udp_free(set.udp);
	}
}
END_TEST

/* 2.23: all on one port, which any free one may be; of both families the same. */
START_TEST(one_port_carries_all)
{
	const struct ipsec_udp_options options = { .one_port = true };
	static const char *const loopback[] = { "127.0.0.1" };
	struct ipsec_udp_options one = { .one_port = true, .listen = loopback,
	    .n_listen = 1 };
	char why[IPSEC_WHY_LEN];
	uint8_t octets[64] = { 1, 2, 3, 4 };
	struct ipsec_message *v, m = { .data = octets, .len = sizeof(octets),
	    .kind = IPSEC_IKE, .path = { .family = 4 } };
	struct ipsec_udp *u, *other;
	struct pollfd p = { .events = POLLIN };
	struct sockaddr_in6 own;
	socklen_t len;
	int fds[4];

	u = ipsec_udp_new(&options, why);
	ck_assert_msg(u != NULL, "%s", why);
	ck_assert_uint_eq(ipsec_udp_fds(u, fds, 4), 2);
	for (unsigned i = 0; i < 2; i++) {
		len = sizeof(own);
		ck_assert_int_eq(getsockname(fds[i], (struct sockaddr *)&own, &len), 0);
		ck_assert_uint_eq(ntohs(own.sin6_port), ipsec_udp_natt_port(u));
	}
	other = ipsec_udp_new(&one, why);
	ck_assert_msg(other != NULL, "%s", why);
	ck_assert_uint_eq(ipsec_udp_fds(other, &p.fd, 1), 1);
	ck_assert_uint_ne(ipsec_udp_natt_port(other), ipsec_udp_natt_port(u));
	set_address(m.path.addr[1], 4, "127.0.0.1");
	m.path.port[1] = ipsec_udp_natt_port(other);
	ipsec_udp_send(u, &m, 1);
	ck_assert_int_eq(m.error, 0);
	ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
	ck_assert_uint_eq(ipsec_udp_receive(other, 0, &v), 1);
	ck_assert_int_eq(v->kind, IPSEC_IKE);
	ck_assert_uint_eq(v->len, sizeof(octets));
	ck_assert_uint_eq(v->path.port[1], ipsec_udp_natt_port(u));
	one.natt_port = ipsec_udp_natt_port(other);
	ck_assert_ptr_null(ipsec_udp_new(&one, why));
	ck_assert_ptr_nonnull(strstr(why, "another program"));
	ipsec_udp_free(u);
	ipsec_udp_free(other);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("udp");

	tcase_add_loop_test(t, datagram_kinds, 0, sizeof(datagrams) / sizeof(*datagrams));
	tcase_add_loop_test(t, datagram_truncated, 0,
	    sizeof(datagrams) / sizeof(*datagrams));
	tcase_add_loop_test(t, ike_there_and_back, 0, 2);
	tcase_add_test(t, reply_leaves_from_the_address_asked);
	tcase_add_loop_test(t, esp_keeps_its_tos, 0, 2);
	tcase_add_test(t, batch_in_order);
	tcase_add_loop_test(t, keepalive_is_one_octet, 0, 2);
	tcase_add_test(t, only_ike_may_be_fragmented);
	tcase_add_test(t, unsendable_is_counted_and_left_out);
	tcase_add_loop_test(t, vanished_address_is_counted, 0, 2);
	tcase_add_test(t, icmp_errors_do_no_harm);
	tcase_add_test(t, port_in_use_is_named);
	tcase_add_loop_test(t, listen_must_be_an_address_of_this_host, 0, 5);
	tcase_add_test(t, source_and_mtu_towards_a_peer);
	tcase_add_test(t, address_of_the_host_or_not);
	tcase_add_test(t, one_port_carries_all);
	return run_tests("udp", t);
}
