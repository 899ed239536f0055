/* Transport mode from one worker to another, RFC 4303 3.1.1, in both families, by UDP and
 * as protocol 50, with NATs at both ends between (RFC 7296 2.23.1, RFC 3948 3.1.2). */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/host.h"
#include "tests/unit/packets.h"
#include "tests/unit/run.h"
#include "tests/unit/sums.h"
#include "tests/unit/vectors.h"

enum { TCP = 6, UDP = 17, ICMP = 1, CHILD = 7, POLICY = 1, LOOPBACK_MTU = 65536 };

static struct host berlin, paris;

/* Each address as text, in each family.  Behind its NAT berlin is `outside`, and behind
 * its own paris is `inside`. */
static const struct names {
	const char *berlin, *paris, *outside, *inside, *stranger;
} names[] = {
	{ "127.0.0.1", "127.0.0.2", "127.0.0.9", "127.0.0.3", "127.0.0.66" },
	{ "2001:db8::1", "2001:db8::2", "2001:db8:7::9", "2001:db8:8::3",
	    "2001:db8::66" },
};

static const struct way {
	uint8_t family;
	bool encap, nat;
} ways[] = {
	{ 4, true, false }, { 4, true, true }, { 6, true, false }, { 6, true, true },
	{ 4, false, false }, { 6, false, false },
};

static const struct way *way;

/* What an end sees: its own address and its peer's. */
struct view { const char *own, *peer; };

static const struct names *
named(void)
{
	return &names[way->family == 4 ? 0 : 1];
}

static struct view
view_of(const struct host *h)
{
	const struct names *n = named();

	if (h == &berlin)
		return (struct view){ n->berlin, n->paris };
	return way->nat ? (struct view){ n->inside, n->outside } :
	    (struct view){ n->paris, n->berlin };
}

static void
read_address(const char *text, uint8_t addr[16])
{
	memset(addr, 0, 16);
	ck_assert_int_eq(inet_pton(strchr(text, ':') != NULL ? AF_INET6 : AF_INET, text,
	    addr), 1);
}

/* The NATs: on the way in each end sees the addresses that it knows. */
static void
translate(const struct host *h, struct ipsec_message *m)
{
	struct view v = view_of(h);

	read_address(v.own, m->path.addr[0]);
	read_address(v.peer, m->path.addr[1]);
}

/* ---- two hosts ---- */

static void
add_address(const char *text)
{
	struct { struct in6_addr addr; uint32_t bits; int ifindex; } request = {
		.bits = 128, .ifindex = (int)if_nametoindex("lo")
	};
	struct sockaddr_in6 own = { .sin6_family = AF_INET6 };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), tries = 0;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(inet_pton(AF_INET6, text, &request.addr), 1);
	ck_assert_msg(ioctl(fd, SIOCSIFADDR, &request) == 0, "%s: %s", text,
	    strerror(errno));
	/* it is tentative for a moment */
	own.sin6_addr = request.addr;
	while (bind(fd, (struct sockaddr *)&own, sizeof(own)) != 0 && tries++ < WAIT_MS)
		poll(NULL, 0, 1);
	ck_assert_int_lt(tries, WAIT_MS);
	close(fd);
}

/* One end of the Child SA, whose selectors are its own and its peer's address, or these
 * (of the peer). */
static void
add_sa(struct host *h, const struct host *peer, const char *remote)
{
	static const uint8_t key[2][36] = { { 1, 2, 3 }, { 4, 5, 6 } };
	struct view v = view_of(h), others = view_of(peer);
	const struct esp_selector s = host_selector(v.own, remote != NULL ? remote :
	    v.peer);
	const struct ipsec_trap t = { .id = POLICY, .connection_name = "host",
	    .child = "host", .selectors = &s, .n = 1 };
	struct ike_child child = { .name = "host", .transport = true,
	    .encap = way->encap, .selectors = &s, .n_selectors = 1,
	    .spi_in = h == &berlin ? 0x1000 : 0x2000,
	    .spi_out = h == &berlin ? 0x2000 : 0x1000,
	    .transform = esp_transform_find(ENCR_AES_GCM_16, 256, AUTH_NONE),
	    .key_in = bytes_of(key[h == &berlin], 36),
	    .key_out = bytes_of(key[h != &berlin], 36),
	    .path = { .family = way->family, .port = { h->ports[1], peer->ports[1] } } };
	const struct ipsec_sa sa = { .id = CHILD, .policy = POLICY, .child = &child };

	read_address(v.own, child.path.addr[0]);
	read_address(v.peer, child.path.addr[1]);
	if (way->nat) {
		read_address(others.peer, child.seen_by_peer[0]);
		read_address(others.own, child.seen_by_peer[1]);
	}
	ck_assert(h->datapath->ops->trap(h->datapath, &t));
	ck_assert(h->datapath->ops->in_add(h->datapath, &sa));
	ck_assert(h->datapath->ops->out_add(h->datapath, &sa));
}

/* False: it takes rights that we do not have. */
static bool
begin(const struct way *w)
{
	bool own_network = w->family == 6 || !w->encap;

	way = w;
	if (own_network && !host_network(LOOPBACK_MTU))
		return false;
	for (unsigned i = 0; w->family == 6 && i < 4; i++)
		add_address((const char *const[]){ named()->berlin, named()->paris,
		    named()->outside, named()->inside }[i]);
	host_start(&berlin, !w->encap);
	host_start(&paris, !w->encap);
	if (w->nat)
		berlin.nat = paris.nat = translate;
	add_sa(&berlin, &paris, NULL);
	add_sa(&paris, &berlin, NULL);
	return true;
}

static void
tear_down(void)
{
	host_stop(&berlin);
	host_stop(&paris);
}

/* ---- packets with right checksums ---- */

static unsigned
sum_at(uint8_t protocol)
{
	return protocol == TCP ? 16 : protocol == UDP ? 6 : 2;
}

/* `payload` octets behind the IP header, from this host to its peer. */
static struct bytes
make_packet(uint8_t *p, const struct host *h, uint8_t protocol, uint32_t payload)
{
	struct view v = view_of(h);
	uint8_t body[2048], addr[2][16];
	uint64_t seed = payload;
	struct bytes packet;
	unsigned begins;

	fill_random(&seed, body, payload);
	read_address(v.own, addr[0]);
	read_address(v.peer, addr[1]);
	packet = way->family == 4 ? ipv4(p, protocol, 5, 0, bytes_of(body, payload)) :
	    ipv6(p, protocol, bytes_of(body, payload));
	memcpy(p + (way->family == 4 ? 12 : 8), addr[0], way->family == 4 ? 4 : 16);
	memcpy(p + (way->family == 4 ? 16 : 24), addr[1], way->family == 4 ? 4 : 16);
	if (way->family == 4) {
		bytes_store16(p + 6, 0x4000);
		bytes_store16(p + 4, 0);
	}
	begins = sum_transport_at(p);
	bytes_store16(p + begins + sum_at(protocol),
	    sum_transport(p, (uint32_t)packet.len, sum_at(protocol), NULL, NULL));
	return packet;
}

static void
send_packet(struct host *h, struct bytes packet)
{
	fake_port_push(&h->port, packet.p, (uint32_t)packet.len);
	host_process(h);
}

/* What came out is what went in, as from the peer that this end knows. */
static void
check_delivered(const struct host *h, const struct fake_packet *got, struct bytes sent,
    uint8_t protocol)
{
	unsigned begins = sum_transport_at(sent.p), at = begins + sum_at(protocol);
	const size_t len = way->family == 4 ? 4 : 16;
	const uint8_t *source = got->data + (way->family == 4 ? 12 : 8);
	struct view v = view_of(h);
	uint8_t addr[16];

	ck_assert_uint_eq(got->len, sent.len);
	read_address(v.peer, addr);
	ck_assert_mem_eq(source, addr, len);
	read_address(v.own, addr);
	ck_assert_mem_eq(source + len, addr, len);
	if (way->family == 4) {
		ck_assert_uint_eq(ipv4_checksum(got->data), 0);
		ck_assert_uint_eq(bytes_load16(got->data + 2), got->len);
		ck_assert_uint_eq(got->data[9], protocol);
	} else {
		ck_assert_uint_eq(bytes_load16(got->data + 4), got->len - 40);
		ck_assert_uint_eq(got->data[6], protocol);
	}
	ck_assert_mem_eq(got->data + begins, sent.p + begins, at - begins);
	ck_assert_mem_eq(got->data + at + 2, sent.p + at + 2, sent.len - at - 2);
	if (bytes_load16(sent.p + at) == 0 && protocol == UDP)
		ck_assert_uint_eq(bytes_load16(got->data + at), 0);
	else
		ck_assert_uint_eq(bytes_load16(got->data + at),
		    sum_transport(got->data, got->len, at - begins, NULL, NULL));
}

static void
carry(struct host *from, struct host *to, uint8_t protocol, uint32_t payload, bool zero)
{
	uint8_t buffer[2048];
	struct bytes p = make_packet(buffer, from, protocol, payload);

	if (zero)
		bytes_store16(buffer + sum_transport_at(buffer) + sum_at(protocol), 0);
	send_packet(from, p);
	/* both hear what is protocol 50; the other one has no such SPI */
	ck_assert_uint_ge(host_receive(to, WAIT_MS), 1);
	ck_assert_uint_eq(to->port.out.n, 1);
	check_delivered(to, &to->port.out.v[0], p, protocol);
	fake_port_clear(&to->port);
	if (!way->encap)
		host_receive(from, 0);
}

START_TEST(packets_both_ways)
{
	static const uint32_t lengths[] = { 20, 21, 100, 101, 1399 };

	if (!begin(&ways[_i]))
		return;
	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		carry(&berlin, &paris, TCP, lengths[i], false);
		carry(&paris, &berlin, TCP, lengths[i], false);
		carry(&berlin, &paris, UDP, lengths[i], false);
		carry(&paris, &berlin, UDP, lengths[i], false);
	}
	carry(&berlin, &paris, UDP, 50, true);
	carry(&paris, &berlin, UDP, 51, true);
	ck_assert_uint_eq(host_counters(&berlin).unsent, 0);
	ck_assert_uint_eq(berlin.port.refused.n + paris.port.refused.n, 0);
}
END_TEST

/* The kernel has made an IP header of its own: DS and ECN are those of the way. */
START_TEST(tos_of_the_way)
{
	uint8_t buffer[256];
	struct bytes p;

	if (!begin(&ways[_i]))
		return;
	p = make_packet(buffer, &berlin, UDP, 40);
	if (way->family == 4)
		buffer[1] = 46 << 2 | 1;
	else
		bytes_store16(buffer, 0x6000 | (46 << 2 | 1) << 4);
	send_packet(&berlin, p);
	ck_assert_uint_ge(host_receive(&paris, WAIT_MS), 1);
	ck_assert_uint_eq(paris.port.out.n, 1);
	p = bytes_of(paris.port.out.v[0].data, paris.port.out.v[0].len);
	ck_assert_uint_eq(way->family == 4 ? p.p[1] :
	    bytes_load16(p.p) >> 4 & 0xff, 46 << 2 | 1);
}
END_TEST

/* ---- fail closed ---- */

/* Somebody else's address in front, or none at all, is not what was agreed on. */
static void
from_a_stranger(const struct host *h, struct ipsec_message *m)
{
	translate(h, m);
	read_address(named()->stranger, m->path.addr[1]);
}

static void
to_a_stranger(const struct host *h, struct ipsec_message *m)
{
	translate(h, m);
	read_address(named()->stranger, m->path.addr[0]);
}

static void
nowhere(const struct host *h, struct ipsec_message *m)
{
	(void)h;
	memset(m->path.addr, 0, sizeof(m->path.addr));
}

static void
without_room(const struct host *h, struct ipsec_message *m)
{
	translate(h, m);
	m->head = way->family == 4 ? 19 : 39;
}

static void
of_the_other_family(const struct host *h, struct ipsec_message *m)
{
	(void)h;
	m->path.family = way->family == 4 ? 6 : 4;
}

START_TEST(wrong_way_is_not_delivered)
{
	static const struct {
		void (*nat)(const struct host *, struct ipsec_message *);
		enum esp_verdict verdict;
	} rows[] = {
		{ from_a_stranger, ESP_POLICY }, { to_a_stranger, ESP_POLICY },
		{ nowhere, ESP_POLICY }, { of_the_other_family, ESP_POLICY },
		{ without_room, ESP_MALFORMED },
	};
	uint8_t buffer[256];

	if (!begin(&ways[_i]))
		return;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t before = host_counters(&paris).esp.in[rows[i].verdict];

		paris.nat = rows[i].nat;
		send_packet(&berlin, make_packet(buffer, &berlin, UDP, 40));
		ck_assert_uint_ge(host_receive(&paris, WAIT_MS), 1);
		ck_assert_msg(paris.port.out.n == 0, "row %u", i);
		ck_assert_msg(host_counters(&paris).esp.in[rows[i].verdict] == before + 1,
		    "row %u", i);
	}
	paris.nat = way->nat ? translate : NULL;
	carry(&berlin, &paris, TCP, 40, false);
}
END_TEST

static struct bytes
to_another(uint8_t *p)
{
	struct bytes packet = make_packet(p, &berlin, UDP, 40);

	p[way->family == 4 ? 19 : 39] ^= 64;
	return packet;
}

static struct bytes
with_options(uint8_t *p)
{
	uint8_t plain[256];
	struct bytes packet;

	(void)make_packet(plain, &berlin, UDP, 40);
	if (way->family == 4) {
		packet = ipv4(p, UDP, 6, 0, bytes_of(plain + 20, 40));
		memcpy(p + 12, plain + 12, 8);
		return packet;
	}
	plain[32] = UDP;
	memcpy(plain + 33, "\0\1\4\0\0\0\0", 7);
	packet = ipv6(p, 60, bytes_of(plain + 32, 48));
	read_address(named()->berlin, p + 8);
	read_address(named()->paris, p + 24);
	return packet;
}

/* The selectors would allow it, but the peer would get it as if it were for itself. */
START_TEST(packet_of_another_header_is_refused)
{
	struct bytes (*const rows[])(uint8_t *) = { to_another, with_options };
	uint8_t buffer[256];
	uint64_t sent;

	if (!begin(&ways[_i]))
		return;
	tear_down();
	host_start(&berlin, !way->encap);
	host_start(&paris, !way->encap);
	add_sa(&berlin, &paris, way->family == 4 ? "127.0.0.0/8" : "2001:db8::/32");
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		sent = ipsec_udp_read_counters(berlin.udp)->sent;
		send_packet(&berlin, rows[i](buffer));
		ck_assert_uint_eq(berlin.port.refused.n, i + 1);
		ck_assert_uint_eq(berlin.port.refused.v[i].verdict, ESP_POLICY);
		ck_assert_uint_eq(ipsec_udp_read_counters(berlin.udp)->sent, sent);
	}
	send_packet(&berlin, make_packet(buffer, &berlin, UDP, 40));
	ck_assert_uint_eq(berlin.port.refused.n, 2);
	ck_assert_uint_eq(ipsec_udp_read_counters(berlin.udp)->sent, sent + 1);
}
END_TEST

/* A fragment cannot go in transport mode, RFC 4303 3.3.4. */
START_TEST(fragment_is_not_sent)
{
	uint8_t buffer[256];
	struct bytes p;

	if (!begin(&ways[0]))
		return;
	p = make_packet(buffer, &berlin, ICMP, 40);
	bytes_store16(buffer + 6, 0x2000);
	send_packet(&berlin, p);
	ck_assert_uint_eq(ipsec_udp_read_counters(berlin.udp)->sent, 0);
	ck_assert_uint_eq(host_counters(&berlin).esp.out[ESP_MALFORMED], 1);
}
END_TEST

/* ---- size ---- */

/* The path's MTU is told as that of whole packets, and one of just that size passes. */
START_TEST(packets_over_the_path_mtu_are_refused)
{
	uint8_t buffer[2048];
	uint32_t mtu, header;

	way = &ways[_i * 2];
	header = way->family == 4 ? 20 : 40;
	if (!host_network(1400))
		return;
	if (way->family == 6) {
		add_address(named()->berlin);
		add_address(named()->paris);
	}
	host_start(&berlin, false);
	host_start(&paris, false);
	add_sa(&berlin, &paris, NULL);
	add_sa(&paris, &berlin, NULL);
	for (unsigned i = 0; i < 2; i++)
		send_packet(&berlin, make_packet(buffer, &berlin, UDP, 1390 - header));
	ck_assert_uint_eq(host_counters(&berlin).unsent, 1);
	ck_assert_uint_eq(berlin.port.refused.n, 1);
	ck_assert_uint_eq(berlin.port.refused.v[0].verdict, ESP_TOO_BIG);
	mtu = berlin.port.refused.v[0].mtu;
	ck_assert_uint_eq(mtu, ipsec_worker_mtu(berlin.datapath, CHILD));
	send_packet(&berlin, make_packet(buffer, &berlin, UDP, mtu + 1 - header));
	ck_assert_uint_eq(berlin.port.refused.n, 2);
	send_packet(&berlin, make_packet(buffer, &berlin, UDP, mtu - header));
	ck_assert_uint_eq(berlin.port.refused.n, 2);
	ck_assert_uint_eq(host_counters(&berlin).unsent, 1);
	ck_assert_uint_eq(host_receive(&paris, WAIT_MS), 1);
	ck_assert_uint_eq(paris.port.out.v[0].len, mtu);
	ck_assert_uint_gt(mtu, 1400 - header - 8 - 8 - 8 - 16 - 5 - 1);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("hosts");
	const int n = sizeof(ways) / sizeof(ways[0]);

	tcase_set_timeout(t, 20);
	tcase_add_checked_fixture(t, NULL, tear_down);
	tcase_add_loop_test(t, packets_both_ways, 0, n);
	tcase_add_loop_test(t, tos_of_the_way, 0, n);
	tcase_add_loop_test(t, wrong_way_is_not_delivered, 0, 4);
	tcase_add_loop_test(t, packet_of_another_header_is_refused, 0, n);
	tcase_add_test(t, fragment_is_not_sent);
	tcase_add_loop_test(t, packets_over_the_path_mtu_are_refused, 0, 2);
	return run_tests("hosts", t);
}
