/* Packets through a worker: from a port to a socket and from a socket to a port,
 * between two workers on the loopback; what happens to those that find no SA; what the
 * path refuses. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "libipsec/batch.h"
#include "libipsec/early.h"
#include "libipsec/endpoint.h"
#include "libipsec/hold.h"
#include "tests/unit/host.h"
#include "tests/unit/run.h"

static struct host berlin, paris;

static const struct transform {
	uint16_t encr, bits, integ;
} transforms[] = {
	{ ENCR_AES_GCM_16, 256, AUTH_NONE }, { ENCR_AES_GCM_16, 128, AUTH_NONE },
	{ ENCR_CHACHA20_POLY1305, 0, AUTH_NONE },
	{ ENCR_AES_CBC, 256, AUTH_HMAC_SHA2_256_128 },
};

static void
set_up(void)
{
	host_start(&berlin, false);
	host_start(&paris, false);
}

static void
tear_down(void)
{
	host_stop(&berlin);
	host_stop(&paris);
}

/* ---- policies and SAs ---- */

static bool
trap(struct host *h, uint64_t id, enum ipsec_trap_mode mode, const char *local,
    const char *remote)
{
	const struct esp_selector s = host_selector(local, remote);
	const struct ipsec_trap t = { .id = id, .connection = 100 + id,
	    .connection_name = "paris", .child = "lan", .mode = mode, .selectors = &s,
	    .n = 1 };

	return h->datapath->ops->trap(h->datapath, &t);
}

struct tunnel {
	const struct transform *transform;
	uint8_t family;
	bool encap, esn;
	const char *there;		/* the address paris is reached at */
	const char *local, *remote;	/* as berlin sees them */
	ike_id id;			/* of the Child SA */
	struct esp_limits soft, hard;
};

static const struct tunnel plain = { .transform = &transforms[0], .family = 4,
    .encap = true, .there = "127.0.0.1", .local = "10.1.0.0/24", .remote = "10.2.0.0/24",
    .id = 7 };

/* One end of a Child SA under policy 1; berlin's SPIs are paris' the other way round. */
static bool
add(struct host *h, const struct host *peer, const struct tunnel *t, bool in, bool out)
{
	const struct esp_selector s = h == &berlin ? host_selector(t->local, t->remote) :
	    host_selector(t->remote, t->local);
	struct ike_child child = { .name = "lan", .esn = t->esn, .encap = t->encap,
	    .soft_packets = t->soft.packets, .soft_octets = t->soft.octets,
	    .hard_packets = t->hard.packets, .hard_octets = t->hard.octets,
	    .selectors = &s, .n_selectors = 1 };
	const struct ipsec_sa sa = { .id = t->id, .policy = 1, .child = &child };
	const uint32_t spi[] = { 0x1000 + (uint32_t)t->id, 0x2000 + (uint32_t)t->id };
	uint8_t key[2][128];
	size_t keymat;

	child.transform = esp_transform_find(t->transform->encr, t->transform->bits,
	    t->transform->integ);
	ck_assert_ptr_nonnull(child.transform);
	for (unsigned i = 0; i < 128; i++) {
		key[0][i] = (uint8_t)i;
		key[1][i] = (uint8_t)(i * 3 + 1);
	}
	child.spi_in = spi[h != &berlin];
	child.spi_out = spi[h == &berlin];
	keymat = esp_transform_keymat(child.transform);
	child.key_in = bytes_of(key[h == &berlin], keymat);
	child.key_out = bytes_of(key[h != &berlin], keymat);
	child.path.family = t->family;
	child.path.port[0] = h->ports[1];
	child.path.port[1] = peer->ports[1];
	ck_assert_int_eq(inet_pton(t->family == 4 ? AF_INET : AF_INET6, t->there,
	    child.path.addr[1]), 1);
	return (!in || h->datapath->ops->in_add(h->datapath, &sa)) &&
	    (!out || h->datapath->ops->out_add(h->datapath, &sa));
}

static void
connect_both(const struct tunnel *t)
{
	ck_assert(trap(&berlin, 1, IPSEC_TRAP_REFUSE, t->local, t->remote));
	ck_assert(trap(&paris, 1, IPSEC_TRAP_REFUSE, t->remote, t->local));
	ck_assert(add(&berlin, &paris, t, true, true));
	ck_assert(add(&paris, &berlin, t, true, true));
}

static uint8_t buffer[65536];

static void
push(struct host *h, const char *from, const char *to, uint32_t len, uint8_t tag)
{
	fake_port_push(&h->port, buffer, fake_packet(buffer, from, to, len, tag));
}

/* `n` packets of different lengths that arrive as they were. */
static void
carry(struct host *from, struct host *to, const char *source, const char *target,
    unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		push(from, source, target, 60 + i * 7 % 1300, (uint8_t)i);
	for (unsigned i = 0; i < n; i += IPSEC_BATCH)
		host_process(from);
	ck_assert_uint_eq(host_receive(to, WAIT_MS), n);
	ck_assert_uint_eq(to->port.out.n, n);
	for (unsigned i = 0; i < n; i++) {
		fake_packet(buffer, source, target, 60 + i * 7 % 1300, (uint8_t)i);
		ck_assert_uint_eq(to->port.out.v[i].len, 60 + i * 7 % 1300);
		ck_assert_mem_eq(to->port.out.v[i].data, buffer, to->port.out.v[i].len);
	}
	fake_port_clear(&to->port);
}

/* ---- through the tunnel ---- */

START_TEST(packets_both_ways)
{
	struct tunnel t = plain;
	struct ipsec_usage u;

	t.transform = &transforms[_i % 4];
	t.esn = _i >= 4;
	connect_both(&t);
	carry(&berlin, &paris, "10.1.0.5", "10.2.0.9", 100);
	carry(&paris, &berlin, "10.2.0.9", "10.1.0.5", 3);
	ck_assert(berlin.datapath->ops->usage(berlin.datapath, 7, &u));
	ck_assert_uint_eq(u.packets[0], 3);
	ck_assert_uint_eq(u.packets[1], 100);
	ck_assert_uint_eq(u.octets[0], 60 + 67 + 74);
	ck_assert_uint_eq(u.replay + u.integrity + u.selectors, 0);
	ck_assert(!berlin.datapath->ops->usage(berlin.datapath, 8, &u));
	ck_assert_uint_eq(host_counters(&berlin).unsent, 0);
	ck_assert_uint_eq(host_counters(&berlin).esp.out[ESP_OK], 100);
}
END_TEST

static void
move(struct host *h, ike_id id, const struct ike_path *path, bool encap)
{
	const struct ike_child child = { .path = *path, .encap = encap };
	const struct ipsec_sa sa = { .id = id, .policy = 1, .child = &child };

	h->datapath->ops->set_path(h->datapath, &sa);
}

/* RFC 7296 2.23: paris sends to where berlin is no more, until berlin's next packet
 * (T81). */
START_TEST(worker_tells_of_a_move)
{
	struct ike_path astray = { .family = 4 };
	const struct told *told = &paris.told[0];

	connect_both(&plain);
	carry(&berlin, &paris, "10.1.0.5", "10.2.0.9", 3);
	host_process(&paris);
	paris.n_told = 0;		/* that it is used */
	memcpy(astray.addr[0], "\177\0\0\1", 4);
	memcpy(astray.addr[1], "\177\0\0\1", 4);
	astray.port[0] = paris.ports[1];
	astray.port[1] = 9;
	move(&paris, 7, &astray, true);
	carry(&berlin, &paris, "10.1.0.5", "10.2.0.9", 3);
	host_process(&paris);
	ck_assert_uint_eq(paris.n_told, 1);	/* three packets, one fact */
	ck_assert_int_eq(told->type, IKE_MOVED);
	ck_assert_uint_eq(told->id, 7);
	ck_assert_uint_eq(told->path.port[1], berlin.ports[1]);
	move(&paris, 7, &told->path, true);
	carry(&paris, &berlin, "10.2.0.9", "10.1.0.5", 3);
	move(&paris, 8, &astray, true);		/* no such SA */
}
END_TEST

/* ---- facts for the engine ---- */

static struct ipsec_usage
usage_of(const struct host *h, ike_id id)
{
	struct ipsec_usage u;

	ck_assert(h->datapath->ops->usage(h->datapath, id, &u));
	return u;
}

static void
expect_told(struct host *h, unsigned i, enum ike_notice_type type, ike_id id)
{
	host_process(h);
	ck_assert_uint_eq(h->n_told, i + 1);
	ck_assert_int_eq(h->told[i].type, type);
	ck_assert_uint_eq(h->told[i].id, id);
}

/* More than a batch, without a port or a trap, by the SAs of one policy; each packet with
 * what became of it. */
START_TEST(worker_sends_for_a_policy)
{
	static struct ipsec_packet v[130];
	static uint8_t octets[130][128];
	struct tunnel t = plain;

	t.soft.packets = 10;
	ck_assert(add(&berlin, &paris, &t, false, true));
	ck_assert(add(&paris, &berlin, &t, true, false));
	for (unsigned i = 0; i < 130; i++) {
		v[i].data = octets[i];
		v[i].len = fake_packet(octets[i], "10.1.0.5", i % 10 == 4 ? "10.3.0.9" :
		    "10.2.0.9", 60 + i % 60, (uint8_t)i);
	}
	ck_assert_uint_eq(ipsec_worker_send(berlin.datapath, 2, v, 1), 0);
	ck_assert_int_eq(v[0].error, IPSEC_NOT_CONNECTED);
	ck_assert(!ipsec_worker_has_news(berlin.datapath));
	v[1].len = 3;
	v[2].len = 70000;
	ck_assert_uint_eq(ipsec_worker_send(berlin.datapath, 1, v, 130), 130 - 15);
	ck_assert(ipsec_worker_has_news(berlin.datapath));
	expect_told(&berlin, 0, IKE_SOFT, 7);
	ck_assert_int_eq(v[0].error, IPSEC_OK);
	ck_assert_int_eq(v[1].error, IPSEC_MALFORMED);
	ck_assert_int_eq(v[2].error, IPSEC_TOO_BIG);
	ck_assert_int_eq(v[124].error, IPSEC_SELECTORS);
	ck_assert_uint_eq(host_receive(&paris, WAIT_MS), 115);
	ck_assert_uint_eq(paris.port.out.n, 115);
	ck_assert_mem_eq(paris.port.out.v[114].data, octets[129], v[129].len);
	ck_assert_uint_gt(ipsec_worker_mtu(berlin.datapath, 7), 1400);
	ck_assert_uint_eq(ipsec_worker_mtu(berlin.datapath, 8), 0);
	ck_assert_uint_eq(ipsec_worker_mtu(paris.datapath, 7), 0);
}
END_TEST

START_TEST(worker_tells_of_the_first_packet)
{
	struct ipsec_message m = { .kind = IPSEC_ESP_UDP };
	uint8_t forged[80] = { 0, 0, 0x20, 7, 0, 0, 0, 1 };

	connect_both(&plain);
	m.data = forged;
	m.len = sizeof(forged);
	paris.datapath->ops->receive(paris.datapath, &m, 1);
	host_process(&paris);
	ck_assert_uint_eq(paris.n_told, 0);
	carry(&berlin, &paris, "10.1.0.5", "10.2.0.9", 3);
	expect_told(&paris, 0, IKE_FIRST_IN, 7);
	carry(&berlin, &paris, "10.1.0.5", "10.2.0.9", 3);
	expect_told(&paris, 0, IKE_FIRST_IN, 7);	/* once */
	ck_assert_uint_eq(berlin.n_told, 0);
}
END_TEST

/* Neither forged packets nor replayed ones are signs of life (RFC 7296 2.4). */
START_TEST(worker_knows_when_it_heard)
{
	struct ipsec_message m, *v;
	ike_time before = ipsec_now(), heard;
	uint8_t copy[2048];
	struct pollfd p = { .events = POLLIN };
	int fds[8];

	connect_both(&plain);
	ipsec_udp_fds(paris.udp, fds, 8);
	p.fd = fds[1];
	ck_assert_int_eq(usage_of(&paris, 7).heard, 0);
	push(&berlin, "10.1.0.5", "10.2.0.9", 100, 1);
	host_process(&berlin);
	ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
	ck_assert_uint_eq(ipsec_udp_receive(paris.udp, 1, &v), 1);
	m = *v;
	m.data = memcpy(copy, v->data, v->len);
	copy[m.len - 1] ^= 1;
	paris.datapath->ops->receive(paris.datapath, &m, 1);
	ck_assert_int_eq(usage_of(&paris, 7).heard, 0);
	memcpy(copy, v->data, v->len);
	paris.datapath->ops->receive(paris.datapath, v, 1);
	heard = usage_of(&paris, 7).heard;
	ck_assert(heard >= before && heard <= ipsec_now());
	poll(NULL, 0, 2);
	paris.datapath->ops->receive(paris.datapath, &m, 1);
	ck_assert_uint_eq(usage_of(&paris, 7).replay, 1);
	ck_assert_int_eq(usage_of(&paris, 7).heard, heard);
	ck_assert_int_eq(usage_of(&berlin, 7).heard, 0);
	paris.datapath->ops->in_remove(paris.datapath, 7);
	ck_assert_int_eq(usage_of(&paris, 7).heard, 0);
}
END_TEST

/* Inner octets or packets, of what is sent or of what is received. */
START_TEST(worker_tells_of_limits)
{
	struct tunnel limited = plain, unlimited = plain;
	struct host *h = _i < 2 ? &berlin : &paris;
	unsigned first = _i < 2 ? 0 : 1;	/* the receiver tells of the first one */

	if (_i % 2 == 0) {
		limited.soft.packets = 3;
		limited.hard.packets = 5;
	} else {
		limited.soft.octets = 60 + 67 + 74;
		limited.hard.octets = 60 + 67 + 74 + 60 + 67;
	}
	ck_assert(trap(&berlin, 1, IPSEC_TRAP_REFUSE, plain.local, plain.remote));
	ck_assert(add(&berlin, &paris, _i < 2 ? &limited : &unlimited, true, true));
	ck_assert(add(&paris, &berlin, _i < 2 ? &unlimited : &limited, true, true));
	carry(&berlin, &paris, "10.1.0.5", "10.2.0.9", 2);
	host_process(h);
	ck_assert_uint_eq(h->n_told, first);
	push(&berlin, "10.1.0.5", "10.2.0.9", 74, 1);
	host_process(&berlin);
	ck_assert_uint_eq(host_receive(&paris, WAIT_MS), 1);
	expect_told(h, first, IKE_SOFT, 7);
	push(&berlin, "10.1.0.5", "10.2.0.9", 60, 1);
	push(&berlin, "10.1.0.5", "10.2.0.9", 67, 1);
	push(&berlin, "10.1.0.5", "10.2.0.9", 74, 1);
	host_process(&berlin);
	ck_assert_uint_eq(host_receive(&paris, WAIT_MS), _i < 2 ? 2 : 3);
	expect_told(h, first + 1, IKE_HARD, 7);
	ck_assert_uint_eq(paris.port.out.n, 3);
	ck_assert_uint_eq(berlin.port.refused.n, _i < 2);
	ck_assert(_i >= 2 || berlin.port.refused.v[0].verdict == ESP_SPENT);
	ck_assert_uint_eq(host_counters(&paris).esp.in[ESP_SPENT], _i >= 2);
}
END_TEST

/* ---- rekeying ---- */

static void
expect_carrier(struct host *from, struct host *to, ike_id id)
{
	uint64_t before = usage_of(from, id).packets[1];

	carry(from, to, from == &berlin ? "10.1.0.5" : "10.2.0.9",
	    from == &berlin ? "10.2.0.9" : "10.1.0.5", 3);
	ck_assert_uint_eq(usage_of(from, id).packets[1], before + 3);
}

/* Both ends have the new SA inbound before either sends by it; the answering end moves
 * when it sees that; what was under way by the old one still arrives. */
START_TEST(rekey_loses_nothing)
{
	struct tunnel new = plain;

	new.id = 8;
	connect_both(&plain);
	expect_carrier(&berlin, &paris, 7);
	host_process(&paris);
	paris.n_told = 0;
	ck_assert(add(&paris, &berlin, &new, true, false));
	expect_carrier(&paris, &berlin, 7);
	ck_assert(add(&berlin, &paris, &new, true, false));
	push(&berlin, "10.1.0.5", "10.2.0.9", 200, 1);
	host_process(&berlin);		/* by the old SA, and read at the end */
	ck_assert(add(&berlin, &paris, &new, false, true));
	push(&berlin, "10.1.0.5", "10.2.0.9", 201, 2);
	host_process(&berlin);
	ck_assert_uint_eq(usage_of(&berlin, 8).packets[1], 1);
	expect_carrier(&paris, &berlin, 7);	/* it has heard nothing yet */
	ck_assert_uint_eq(host_receive(&paris, WAIT_MS), 2);
	ck_assert_uint_eq(paris.port.out.n, 2);
	fake_port_clear(&paris.port);
	expect_told(&paris, 0, IKE_FIRST_IN, 8);
	ck_assert(add(&paris, &berlin, &new, false, true));
	expect_carrier(&paris, &berlin, 8);
	berlin.datapath->ops->out_remove(berlin.datapath, 7);
	paris.datapath->ops->out_remove(paris.datapath, 7);
	expect_carrier(&berlin, &paris, 8);
	berlin.datapath->ops->in_remove(berlin.datapath, 7);
	paris.datapath->ops->in_remove(paris.datapath, 7);
	expect_carrier(&paris, &berlin, 8);
	ck_assert_uint_eq(host_counters(&paris).esp.in[ESP_NO_SA], 0);
	ck_assert_uint_eq(berlin.port.refused.n + paris.port.refused.n, 0);
}
END_TEST

/* The peer's first packet overtakes the answer that brings its SA. */
START_TEST(packet_before_its_sa_is_delivered)
{
	ck_assert(trap(&berlin, 1, IPSEC_TRAP_REFUSE, plain.local, plain.remote));
	ck_assert(trap(&paris, 1, IPSEC_TRAP_REFUSE, plain.remote, plain.local));
	ck_assert(add(&berlin, &paris, &plain, true, true));
	push(&berlin, "10.1.0.5", "10.2.0.9", 200, 1);
	host_process(&berlin);
	ck_assert_uint_eq(host_receive(&paris, WAIT_MS), 1);
	ck_assert_uint_eq(paris.port.out.n, 0);
	ck_assert(add(&paris, &berlin, &plain, true, true));
	ck_assert_uint_eq(paris.port.out.n, 0);		/* not from within that call */
	host_process(&paris);
	ck_assert_uint_eq(paris.port.out.n, 1);
	ck_assert_uint_eq(paris.port.out.v[0].len, 200);
	host_process(&paris);
	ck_assert_uint_eq(paris.port.out.n, 1);
	expect_told(&paris, 0, IKE_FIRST_IN, 7);
}
END_TEST

/* Those whose SA has gone again meanwhile are kept anew, and not where one that is being
 * delivered lies. */
START_TEST(early_packets_are_delivered_whole)
{
	struct tunnel first = plain, second = plain;

	second.id = 9;
	ck_assert(trap(&berlin, 1, IPSEC_TRAP_REFUSE, plain.local, plain.remote));
	ck_assert(trap(&paris, 1, IPSEC_TRAP_REFUSE, plain.remote, plain.local));
	ck_assert(add(&berlin, &paris, &first, false, true));
	push(&berlin, "10.1.0.5", "10.2.0.9", 200, 1);
	host_process(&berlin);
	ck_assert(add(&berlin, &paris, &second, false, true));
	for (unsigned i = 1; i < IPSEC_EARLY_PACKETS; i++)
		push(&berlin, "10.1.0.5", "10.2.0.9", 200, 2);
	host_process(&berlin);
	ck_assert_uint_eq(host_receive(&paris, WAIT_MS), IPSEC_EARLY_PACKETS);
	ck_assert_uint_eq(paris.port.out.n, 0);
	ck_assert(add(&paris, &berlin, &first, true, false));
	ck_assert(add(&paris, &berlin, &second, true, false));
	paris.datapath->ops->in_remove(paris.datapath, second.id);
	host_process(&paris);
	ck_assert_uint_eq(paris.port.out.n, 1);
	fake_packet(buffer, "10.1.0.5", "10.2.0.9", 200, 1);
	ck_assert_uint_eq(paris.port.out.v[0].len, 200);
	ck_assert_mem_eq(paris.port.out.v[0].data, buffer, 200);
}
END_TEST

/* Of three the one that came last; when it goes, the one before it. */
START_TEST(rekey_that_is_given_up)
{
	struct tunnel t = plain;

	connect_both(&plain);
	for (t.id = 8; t.id <= 9; t.id++) {
		ck_assert(add(&paris, &berlin, &t, true, false));
		ck_assert(add(&berlin, &paris, &t, true, true));
	}
	expect_carrier(&berlin, &paris, 9);
	berlin.datapath->ops->out_remove(berlin.datapath, 9);
	expect_carrier(&berlin, &paris, 8);
	berlin.datapath->ops->out_remove(berlin.datapath, 7);
	expect_carrier(&berlin, &paris, 8);
	t.id = 7;
	ck_assert(add(&berlin, &paris, &t, false, true));
	expect_carrier(&berlin, &paris, 7);
}
END_TEST

START_TEST(packets_of_ipv6_inside)
{
	struct tunnel t = plain;

	t.local = "2001:db8:1::/64";
	t.remote = "2001:db8:2::/64";
	connect_both(&t);
	carry(&berlin, &paris, "2001:db8:1::5", "2001:db8:2::9", 10);
	carry(&paris, &berlin, "2001:db8:2::9", "2001:db8:1::5", 10);
}
END_TEST

START_TEST(outer_tos_is_the_inner)
{
	struct ipsec_message *v;
	uint8_t packet[60];
	struct pollfd p = { .events = POLLIN };
	int fds[8];

	connect_both(&plain);
	fake_packet(packet, "10.1.0.5", "10.2.0.9", 60, 1);
	packet[1] = 46 << 2 | 2;	/* EF, ECT(0): RFC 6040 4.1 copies both */
	fake_port_push(&berlin.port, packet, 60);
	host_process(&berlin);
	ck_assert_uint_ge(ipsec_udp_fds(paris.udp, fds, 8), 2);
	p.fd = fds[1];
	ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
	ck_assert_uint_eq(ipsec_udp_receive(paris.udp, 1, &v), 1);
	ck_assert_uint_eq(v->tos, 46 << 2 | 2);
}
END_TEST

START_TEST(garbage_is_not_delivered)
{
	struct ipsec_message m = { .kind = IPSEC_ESP_UDP };
	uint8_t *octets;

	connect_both(&plain);
	for (uint32_t len = 0; len <= 80; len++) {
		octets = malloc(len > 0 ? len : 1);
		ck_assert_ptr_nonnull(octets);
		for (uint32_t i = 0; i < len; i++)
			octets[i] = i == 2 ? 0x20 : i == 3 ? 7 : i == 7; /* number 1 */
		m.data = octets;
		m.len = len;
		paris.datapath->ops->receive(paris.datapath, &m, 1);
		free(octets);
	}
	ck_assert_uint_eq(paris.port.out.n, 0);
	ck_assert_uint_gt(host_counters(&paris).esp.in[ESP_INTEGRITY], 0);
	carry(&berlin, &paris, "10.1.0.5", "10.2.0.9", 5);
}
END_TEST

/* ---- no SA (T93) ---- */

START_TEST(packets_without_sa_are_refused)
{
	ck_assert(trap(&berlin, 1, IPSEC_TRAP_REFUSE, "10.1.0.0/24", "10.2.0.0/24"));
	push(&berlin, "10.1.0.5", "10.2.0.9", 60, 1);
	push(&berlin, "10.1.0.5", "10.9.0.9", 61, 2);
	host_process(&berlin);
	ck_assert_uint_eq(berlin.port.refused.n, 2);
	ck_assert_uint_eq(berlin.port.refused.v[0].verdict, ESP_POLICY);
	ck_assert_uint_eq(berlin.port.refused.v[0].len, 60);
	ck_assert_uint_eq(berlin.port.refused.v[0].mtu, 0);
	ck_assert_uint_eq(berlin.port.refused.v[1].verdict, ESP_NO_SA);
	ck_assert_uint_eq(host_counters(&berlin).refused, 2);
	ck_assert_uint_eq(berlin.n_told, 0);
	/* and again once the SA has gone */
	ck_assert(add(&berlin, &paris, &plain, true, true));
	push(&berlin, "10.1.0.5", "10.2.0.9", 60, 1);
	host_process(&berlin);
	ck_assert_uint_eq(berlin.port.refused.n, 2);
	berlin.datapath->ops->out_remove(berlin.datapath, 7);
	berlin.datapath->ops->in_remove(berlin.datapath, 7);
	push(&berlin, "10.1.0.5", "10.2.0.9", 60, 1);
	host_process(&berlin);
	ck_assert_uint_eq(berlin.port.refused.n, 3);
	ck_assert_uint_eq(ipsec_udp_read_counters(berlin.udp)->sent, 1);
}
END_TEST

static void
push_wanted(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		push(&berlin, "10.1.0.5", "10.2.0.9", 60 + i, (uint8_t)i);
	host_process(&berlin);
}

START_TEST(wanted_packets_are_held_and_delivered)
{
	const struct told *told = &berlin.told[0];

	ck_assert(trap(&berlin, 1, IPSEC_TRAP_ACQUIRE, "10.1.0.0/24", "10.2.0.0/24"));
	push_wanted(IPSEC_HOLD_PACKETS + 2);
	push_wanted(1);
	ck_assert_uint_eq(berlin.n_told, 1);
	ck_assert_int_eq(told->type, IKE_ACQUIRE);
	ck_assert_uint_eq(told->id, 101);
	ck_assert_str_eq(told->child, "lan");
	ck_assert_uint_eq(told->packet.local.protocol, 17);
	ck_assert_uint_eq(told->packet.remote.port[0], 53);
	ck_assert_uint_eq(host_counters(&berlin).held, IPSEC_HOLD_PACKETS);
	ck_assert_uint_eq(host_counters(&berlin).overflow, 3);
	ck_assert(trap(&paris, 1, IPSEC_TRAP_REFUSE, "10.2.0.0/24", "10.1.0.0/24"));
	ck_assert(add(&paris, &berlin, &plain, true, true));
	ck_assert(add(&berlin, &paris, &plain, true, true));
	ck_assert_uint_eq(ipsec_udp_read_counters(berlin.udp)->sent, 0);
	host_process(&berlin);		/* once the peer has been answered */
	ck_assert_uint_eq(host_receive(&paris, WAIT_MS), IPSEC_HOLD_PACKETS);
	ck_assert_uint_eq(paris.port.out.n, IPSEC_HOLD_PACKETS);
	for (unsigned i = 0; i < IPSEC_HOLD_PACKETS; i++)
		ck_assert_uint_eq(paris.port.out.v[i].len, 60 + i);
	ck_assert_uint_eq(host_counters(&berlin).delivered, IPSEC_HOLD_PACKETS);
	ck_assert_uint_eq(berlin.port.refused.n, 0);
}
END_TEST

/* The outbound half may come much later than the inbound one. */
START_TEST(wanted_packets_wait_for_the_outbound_half)
{
	ck_assert(trap(&berlin, 1, IPSEC_TRAP_ACQUIRE, "10.1.0.0/24", "10.2.0.0/24"));
	ck_assert(trap(&paris, 1, IPSEC_TRAP_REFUSE, "10.2.0.0/24", "10.1.0.0/24"));
	push_wanted(3);
	ck_assert(add(&paris, &berlin, &plain, true, true));
	ck_assert(add(&berlin, &paris, &plain, true, false));
	push_wanted(2);
	ck_assert_uint_eq(ipsec_udp_read_counters(berlin.udp)->sent, 0);
	carry(&paris, &berlin, "10.2.0.9", "10.1.0.5", 1);
	expect_told(&berlin, 1, IKE_FIRST_IN, 7);
	ck_assert(add(&berlin, &paris, &plain, false, true));
	host_process(&berlin);
	ck_assert_uint_eq(host_receive(&paris, WAIT_MS), 5);
	ck_assert_uint_eq(host_counters(&berlin).delivered, 5);
	ck_assert_uint_eq(berlin.port.refused.n, 0);
}
END_TEST

START_TEST(wanted_packets_are_refused_when_the_attempt_fails)
{
	ck_assert(trap(&berlin, 1, IPSEC_TRAP_ACQUIRE, "10.1.0.0/24", "10.2.0.0/24"));
	push_wanted(3);
	ck_assert_uint_eq(berlin.port.refused.n, 0);
	berlin.datapath->ops->release(berlin.datapath, 1);
	ck_assert_uint_eq(berlin.port.refused.n, 3);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(berlin.port.refused.v[i].len, 60 + i);
		ck_assert_uint_eq(berlin.port.refused.v[i].verdict, ESP_POLICY);
	}
	ck_assert_uint_eq(berlin.n_told, 1);
	push_wanted(1);
	ck_assert_uint_eq(berlin.n_told, 2);
	berlin.datapath->ops->release(berlin.datapath, 99);
}
END_TEST

/* Policies leave with what they hold, also with an SA that came a moment before. */
START_TEST(wanted_packets_leave_with_the_policy)
{
	ck_assert(trap(&berlin, 1, IPSEC_TRAP_ACQUIRE, "10.1.0.0/24", "10.2.0.0/24"));
	push_wanted(3);
	if (_i == 1)
		ck_assert(add(&berlin, &paris, &plain, true, true));
	berlin.datapath->ops->untrap(berlin.datapath, 1);
	host_process(&berlin);
	ck_assert(add(&berlin, &paris, &plain, true, true) == (_i == 0));
	push(&berlin, "10.1.0.5", "10.2.0.9", 60, 1);
	host_process(&berlin);
	ck_assert_uint_eq(berlin.port.refused.v[0].verdict, ESP_NO_SA);
	ck_assert_uint_eq(ipsec_udp_read_counters(berlin.udp)->sent, 0);
}
END_TEST

START_TEST(holds_are_bounded)
{
	static struct ipsec_hold holds[70];
	struct esp_packet big = { .data = buffer, .len = 40000 },
	    exact = { .data = buffer, .len = IPSEC_HOLD_OCTETS - 40000 };
	struct ipsec_held *held;
	size_t total = 0;
	unsigned full = 0;

	for (unsigned i = 0; i < 70; i++) {
		ipsec_hold_init(&holds[i]);
		if (!ipsec_hold_put(&holds[i], &total, &big)) {
			full++;
			continue;
		}
		ck_assert(!ipsec_hold_put(&holds[i], &total, &big));
		if (ipsec_hold_put(&holds[i], &total, &exact))
			ck_assert_uint_eq(holds[i].octets, IPSEC_HOLD_OCTETS);
	}
	ck_assert_uint_eq(total, IPSEC_HOLD_TOTAL);
	ck_assert_uint_eq(full, 6);
	held = ipsec_hold_take(&holds[0], &total);
	ck_assert_uint_eq(held->len, 40000);
	free(held);
	for (unsigned i = 0; i < 70; i++)
		ipsec_hold_clear(&holds[i], &total);
	ck_assert_uint_eq(total, 0);
}
END_TEST

/* ---- what cannot be installed ---- */

START_TEST(policy_that_does_not_fit_is_not_there)
{
	struct esp_selector s = host_selector("10.1.0.0/24", "10.2.0.0/24");
	const struct ipsec_trap t = { .id = 1, .connection_name = "paris", .child = "lan",
	    .selectors = &s, .n = 1 };

	s.remote.family = 6;
	ck_assert(!berlin.datapath->ops->trap(berlin.datapath, &t));
	push(&berlin, "10.1.0.5", "10.2.0.9", 60, 1);
	host_process(&berlin);
	ck_assert_uint_eq(berlin.port.refused.v[0].verdict, ESP_NO_SA);
	ck_assert(trap(&berlin, 1, IPSEC_TRAP_REFUSE, "10.1.0.0/24", "10.2.0.0/24"));
	ck_assert(!trap(&berlin, 1, IPSEC_TRAP_REFUSE, "10.3.0.0/24", "10.2.0.0/24"));
}
END_TEST

START_TEST(sa_that_does_not_fit_is_not_there)
{
	struct ike_child child = { .name = "lan", .spi_in = 300, .spi_out = 300,
	    .transform = esp_transform_find(ENCR_AES_GCM_16, 256, AUTH_NONE) };
	const struct esp_selector s = host_selector("10.1.0.0/24", "10.2.0.0/24");
	const struct ipsec_sa sa = { .id = 9, .policy = 1, .child = &child };
	struct ipsec_usage u;
	uint8_t key[35] = { 0 };	/* one octet short */

	child.selectors = &s;
	child.n_selectors = 1;
	child.key_in = child.key_out = bytes_of(key, sizeof(key));
	ck_assert(!berlin.datapath->ops->in_add(berlin.datapath, &sa));
	ck_assert(!berlin.datapath->ops->out_add(berlin.datapath, &sa));
	ck_assert(!berlin.datapath->ops->usage(berlin.datapath, 9, &u));
	ck_assert(add(&berlin, &paris, &plain, true, true));
	ck_assert(!add(&berlin, &paris, &plain, true, false));
	ck_assert(!add(&berlin, &paris, &plain, false, true));
}
END_TEST

/* ---- what needs a network of its own ---- */

static void
start_in_own_network(bool native)
{
	tear_down();
	host_start(&berlin, native);
	host_start(&paris, native);
	ck_assert_int_eq(ipsec_udp_native(berlin.udp), native);
}

START_TEST(native_esp_both_ways)
{
	struct tunnel t = plain;
	struct ike_path path = { .family = _i == 0 ? 4 : 6 };

	t.encap = false;
	t.family = path.family;
	t.there = _i == 0 ? "127.0.0.1" : "::1";
	ck_assert_int_eq(inet_pton(_i == 0 ? AF_INET : AF_INET6, t.there, path.addr[1]),
	    1);
	if (!host_network(65536))
		return;
	start_in_own_network(true);
	connect_both(&t);
	path.port[0] = berlin.ports[1];
	path.port[1] = paris.ports[1];
	/* Both hosts hear every packet of protocol 50: the other one has no such SPI. */
	carry(&berlin, &paris, "10.1.0.5", "10.2.0.9", 20);
	ck_assert_uint_eq(host_receive(&berlin, WAIT_MS), 20);
	ck_assert_uint_eq(berlin.port.out.n, 0);
	ck_assert_uint_eq(host_counters(&berlin).esp.in[ESP_NO_SA], 20);
	/* a NAT has come between: what paris gets comes by UDP from now on */
	move(&berlin, 7, &path, true);
	carry(&berlin, &paris, "10.1.0.5", "10.2.0.9", 20);
	ck_assert_uint_eq(host_receive(&berlin, PATIENCE_MS), 0);
}
END_TEST

/* The first packet over the path's MTU is lost, later ones are refused with the inner
 * MTU, and one of just that size passes in one piece. */
START_TEST(packets_over_the_path_mtu_are_refused)
{
	struct tunnel t = plain;
	uint32_t mtu;

	t.family = _i % 2 == 0 ? 4 : 6;
	t.there = _i % 2 == 0 ? "127.0.0.1" : "::1";
	t.encap = _i < 2;
	t.transform = &transforms[_i % 4];
	if (!host_network(1400))
		return;
	start_in_own_network(!t.encap);
	connect_both(&t);
	push(&berlin, "10.1.0.5", "10.2.0.9", 1400, 1);
	host_process(&berlin);
	ck_assert_uint_eq(host_counters(&berlin).unsent, 1);
	ck_assert_uint_eq(berlin.port.refused.n, 0);
	push(&berlin, "10.1.0.5", "10.2.0.9", 1400, 2);
	host_process(&berlin);
	ck_assert_uint_eq(berlin.port.refused.n, 1);
	ck_assert_uint_eq(berlin.port.refused.v[0].verdict, ESP_TOO_BIG);
	mtu = berlin.port.refused.v[0].mtu;
	ck_assert_uint_lt(mtu, 1400 - 20 - 8 - 8);
	ck_assert_uint_gt(mtu, 1400 - 120);
	push(&berlin, "10.1.0.5", "10.2.0.9", mtu, 3);
	push(&berlin, "10.1.0.5", "10.2.0.9", mtu + 1, 4);
	host_process(&berlin);
	ck_assert_uint_eq(berlin.port.refused.n, 2);
	ck_assert_uint_eq(host_counters(&berlin).unsent, 1);
	ck_assert_uint_eq(host_receive(&paris, WAIT_MS), 1);
	ck_assert_uint_eq(paris.port.out.n, 1);
	ck_assert_uint_eq(paris.port.out.v[0].len, mtu);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("worker");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, packets_both_ways, 0, 8);
	tcase_add_test(t, worker_tells_of_a_move);
	tcase_add_test(t, worker_sends_for_a_policy);
	tcase_add_test(t, worker_tells_of_the_first_packet);
	tcase_add_test(t, worker_knows_when_it_heard);
	tcase_add_loop_test(t, worker_tells_of_limits, 0, 4);
	tcase_add_test(t, rekey_loses_nothing);
	tcase_add_test(t, packet_before_its_sa_is_delivered);
	tcase_add_test(t, early_packets_are_delivered_whole);
	tcase_add_test(t, rekey_that_is_given_up);
	tcase_add_test(t, packets_of_ipv6_inside);
	tcase_add_test(t, outer_tos_is_the_inner);
	tcase_add_test(t, garbage_is_not_delivered);
	tcase_add_test(t, packets_without_sa_are_refused);
	tcase_add_test(t, wanted_packets_are_held_and_delivered);
	tcase_add_test(t, wanted_packets_wait_for_the_outbound_half);
	tcase_add_test(t, wanted_packets_are_refused_when_the_attempt_fails);
	tcase_add_loop_test(t, wanted_packets_leave_with_the_policy, 0, 2);
	tcase_add_test(t, holds_are_bounded);
	tcase_add_test(t, policy_that_does_not_fit_is_not_there);
	tcase_add_test(t, sa_that_does_not_fit_is_not_there);
	tcase_add_loop_test(t, native_esp_both_ways, 0, 2);
	tcase_add_loop_test(t, packets_over_the_path_mtu_are_refused, 0, 4);
	return run_tests("worker", t);
}
