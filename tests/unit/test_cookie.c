/* Floods of IKE_SA_INIT: cookies, bounds, the ration of unprotected answers, RFC 7296
 * 2.6. */
#include <string.h>

#include "tests/unit/pair.h"
#include "tests/unit/run.h"

static struct pair p;
static struct pair_datagram init;

/* One IKE_SA_INIT of end 0 as a mould: `n` varies SPI, nonce and port, `addr` the
 * source. */
static struct pair_datagram
flood(uint32_t n, uint32_t addr)
{
	struct pair_datagram d = init;

	bytes_store32(d.data, n + 1);
	bytes_store32(d.path.addr[1], addr);
	d.path.port[1] = (uint16_t)(1024 + n % 50000);
	return d;
}

static void
begin(void)
{
	struct ike_setup setup[2];
	struct ike_child_setup child[2];

	pair_setups(setup, child);
	setup[1].remote_address = "any";
	pair_open(&p, setup);
	pair_up(&p);
	init = p.queue[0];
	p.n = 0;
}

static struct ike_counts
counts(void)
{
	struct ike_counts c;

	ike_read_counts(p.e[1], &c);
	return c;
}

/* As many as no cookie is asked for, each from an address of its own. */
static void
fill(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct pair_datagram d = flood(i, 0xc6336400 + i);

		pair_send(&p, &d);
		ck_assert_uint_eq(p.n, 1);
		ck_assert_uint_ne(bytes_load64(p.queue[0].data + 8), 0);
		p.n = 0;
	}
}

static bool
is_notify(uint16_t type)
{
	return p.n == 1 && bytes_load64(p.queue[0].data + 8) == 0 &&
	    p.queue[0].data[16] == IKE_PAYLOAD_NOTIFY &&
	    bytes_load16(p.queue[0].data + 34) == type;
}

/* The mould again with a COOKIE payload in front. */
static struct pair_datagram
with_cookie(const struct pair_datagram *d, struct bytes cookie)
{
	struct pair_datagram c = *d;
	size_t len = 8 + cookie.len;

	memmove(c.data + 28 + len, d->data + 28, d->len - 28);
	memcpy(c.data + 28, (uint8_t[]){
	    d->data[16], 0, 0, (uint8_t)len, 0, 0, 0x40, 6 }, 8);
	memcpy(c.data + 36, cookie.p, cookie.len);
	c.data[16] = IKE_PAYLOAD_NOTIFY;
	c.len += len;
	bytes_store32(c.data + 24, (uint32_t)c.len);
	return c;
}

static struct bytes
ask_cookie(struct pair_datagram *d, uint8_t *buf)
{
	size_t len;

	p.n = 0;
	pair_send(&p, d);
	ck_assert(is_notify(IKE_N_COOKIE));
	len = p.queue[0].len - 36;
	ck_assert_uint_le(p.queue[0].len, d->len);
	memcpy(buf, p.queue[0].data + 36, len);
	p.n = 0;
	return bytes_of(buf, len);
}

START_TEST(cookie_is_asked_for_above_a_number)		/* T26 */
{
	uint8_t buf[64];
	struct pair_datagram d, c;
	struct bytes cookie;

	begin();
	fill(64);
	ck_assert_uint_eq(counts().responding, 64);
	d = flood(1000, 0xcb007101);
	cookie = ask_cookie(&d, buf);
	ck_assert_uint_eq(counts().responding, 64);	/* no state */
	c = with_cookie(&d, cookie);
	pair_send(&p, &c);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_uint_ne(bytes_load64(p.queue[0].data + 8), 0);
	ck_assert_uint_eq(counts().responding, 65);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(cookie_is_bound_to_its_asker)		/* T26 */
{
	uint8_t buf[64], wrong[64];
	struct pair_datagram d, other, c;
	struct bytes cookie;

	begin();
	fill(64);
	d = flood(1000, 0xcb007101);
	cookie = ask_cookie(&d, buf);
	memcpy(wrong, buf, sizeof(wrong));
	for (size_t i = 0; i < cookie.len; i++) {	/* another cookie */
		wrong[i] ^= 1;
		c = with_cookie(&d, bytes_of(wrong, cookie.len));
		p.n = 0;
		pair_send(&p, &c);
		ck_assert(is_notify(IKE_N_COOKIE));
		wrong[i] ^= 1;
	}
	for (size_t len = 1; len < cookie.len; len++) {
		c = with_cookie(&d, bytes_of(buf, len));
		p.n = 0;
		pair_send(&p, &c);
		ck_assert(is_notify(IKE_N_COOKIE));
	}
	other = with_cookie(&d, cookie);		/* another address */
	other.path.addr[1][3] ^= 1;
	p.n = 0;
	pair_send(&p, &other);
	ck_assert(is_notify(IKE_N_COOKIE));
	other = with_cookie(&d, cookie);		/* another SPIi */
	other.data[7] ^= 1;
	p.n = 0;
	pair_send(&p, &other);
	ck_assert(is_notify(IKE_N_COOKIE));
	ike_cookie_make(p.e[1], &d.path, 1, bytes_of("0123456789abcdef", 16), wrong);
	ck_assert(!ike_cookie_good(p.e[1], &d.path, 1, bytes_of("0123456789abcdeg", 16),
	    bytes_of(wrong, IKE_COOKIE_LEN)));		/* another nonce */
	ck_assert_uint_eq(counts().responding, 64);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(cookie_expires)				/* T26 */
{
	uint8_t buf[64];
	struct pair_datagram d, c;

	begin();
	d = flood(1000, 0xcb007101);
	fill(64);
	c = with_cookie(&d, ask_cookie(&d, buf));
	for (unsigned i = 0; i < 4; i++) {
		pair_pass(&p, 31 * IKE_SECOND);		/* the first flood has expired */
		ck_assert_uint_eq(counts().responding, 0);
		p.n = 0;
		for (unsigned k = 0; k < 64; k++) {
			struct pair_datagram f = flood(2000 + 100 * i + k,
			    0xc6336400 + k);

			pair_send(&p, &f);
			p.n = 0;
		}
		if (i == 3)
			break;
	}
	pair_send(&p, &c);
	ck_assert(is_notify(IKE_N_COOKIE));
	p.n = 0;
	pair_close(&p);
}
END_TEST

/* The secret turns over more often than its number has values. */
START_TEST(cookie_outlives_one_rotation)		/* T26 */
{
	uint8_t cookie[3][IKE_COOKIE_LEN];
	struct bytes nonce = bytes_of("0123456789abcdef", 16);
	const struct ike_path *path;

	begin();
	path = &init.path;
	for (unsigned i = 0; i < 600; i++) {
		ike_cookie_make(p.e[1], path, i, nonce, cookie[i % 3]);
		ck_assert_msg(ike_cookie_good(p.e[1], path, i, nonce,
		    bytes_of(cookie[i % 3], IKE_COOKIE_LEN)), "turn %u: today's", i);
		if (i >= 1)
			ck_assert_msg(ike_cookie_good(p.e[1], path, i - 1, nonce,
			    bytes_of(cookie[(i - 1) % 3], IKE_COOKIE_LEN)),
			    "turn %u: the one before", i);
		if (i >= 2)
			ck_assert_msg(!ike_cookie_good(p.e[1], path, i - 2, nonce,
			    bytes_of(cookie[(i - 2) % 3], IKE_COOKIE_LEN)),
			    "turn %u: older", i);
		p.e[1]->now += 60 * IKE_SECOND;
	}
	/* After a silence even the last one is too old. */
	p.e[1]->now += 60 * IKE_SECOND;
	ck_assert(!ike_cookie_good(p.e[1], path, 599, nonce,
	    bytes_of(cookie[599 % 3], IKE_COOKIE_LEN)));
	p.now = p.e[1]->now;
	pair_close(&p);
}
END_TEST

/* Octets of an IPv6 address are an IPv4 one, if some are taken for none or for the end
 * of a longer nonce. */
START_TEST(cookie_tells_the_families_apart)
{
	static const uint8_t octets[] = "0123456789abcdef2a0104f80000";
	struct ike_path v4 = { .family = ESP_IPV4 }, v6 = { .family = ESP_IPV6 };
	struct bytes nonce = bytes_of(octets, 16), longer = bytes_of(octets, 28);
	uint8_t cookie[IKE_COOKIE_LEN];
	struct bytes made = bytes_of(cookie, sizeof(cookie));

	begin();
	memcpy(v6.addr[1], octets + 16, 12);
	memcpy(v6.addr[1] + 12, "\x2a\1\4\xf8", 4);
	memcpy(v4.addr[1], octets + 16, 4);
	ike_cookie_make(p.e[1], &v6, 1, nonce, cookie);
	ck_assert(ike_cookie_good(p.e[1], &v6, 1, nonce, made));
	ck_assert(!ike_cookie_good(p.e[1], &v4, 1, nonce, made));
	memcpy(v4.addr[1], v6.addr[1] + 12, 4);
	ck_assert(!ike_cookie_good(p.e[1], &v4, 1, longer, made));
	p.n = 0;
	pair_close(&p);
}
END_TEST

/* Who forges a source's address can have it asked for cookies, and nothing more: the
 * source itself still gets in. */
START_TEST(forger_does_not_lock_a_source_out)		/* T26 */
{
	unsigned answered = 0;

	begin();
	for (unsigned i = 0; i < 1000; i++) {
		struct pair_datagram d = flood(i, bytes_load32(init.path.addr[1]));

		pair_send(&p, &d);
		ck_assert_uint_eq(p.n, 1);
		answered += bytes_load64(p.queue[0].data + 8) != 0;
		p.n = 0;
	}
	ck_assert_uint_le(answered, 8);
	ck_assert_uint_eq(counts().responding, answered);
	pair_send(&p, &init);
	pair_pump(&p);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

START_TEST(all_together_are_bounded)
{
	struct ike_path path;
	unsigned *responding;

	begin();
	path = init.path;
	responding = &p.e[1]->counts.responding;
	ck_assert_int_eq(ike_source_welcome(p.e[1], &path), IKE_WELCOME);
	*responding = 63;
	ck_assert_int_eq(ike_source_welcome(p.e[1], &path), IKE_WELCOME);
	*responding = 64;
	ck_assert_int_eq(ike_source_welcome(p.e[1], &path), IKE_WELCOME_COOKIE);
	*responding = 16383;
	ck_assert_int_eq(ike_source_welcome(p.e[1], &path), IKE_WELCOME_COOKIE);
	*responding = 16384;
	ck_assert_int_eq(ike_source_welcome(p.e[1], &path), IKE_WELCOME_NOT);
	*responding = 0;
	pair_close(&p);
}
END_TEST

/* IPv6 sources are networks of 64 bits: one that moves about in its own is one. */
START_TEST(source_of_ipv6_is_a_network)
{
	struct ike_path path = { .family = ESP_IPV6, .addr[1] = { 0x20, 1, 0xd, 0xb8 } };
	struct ike_half_open half_open[64];
	struct ike_sa sa[64];

	begin();
	memset(half_open, 0, sizeof(half_open));
	memset(sa, 0, sizeof(sa));
	for (unsigned i = 0; i < 64; i++) {
		ck_assert_int_eq(ike_source_welcome(p.e[1], &path),
		    i < 8 ? IKE_WELCOME : IKE_WELCOME_COOKIE);
		sa[i].half_open = &half_open[i];
		sa[i].path = path;
		sa[i].path.addr[1][15] = (uint8_t)i;
		ck_assert(ike_source_join(p.e[1], &sa[i]));
	}
	ck_assert_int_eq(ike_source_welcome(p.e[1], &path), IKE_WELCOME_NOT);
	path.addr[1][7] = 1;
	ck_assert_int_eq(ike_source_welcome(p.e[1], &path), IKE_WELCOME_COOKIE);
	for (unsigned i = 0; i < 64; i++) {
		ike_source_leave(p.e[1], &sa[i]);
		ike_source_leave(p.e[1], &sa[i]);	/* harmless */
	}
	ck_assert_ptr_null(p.e[1]->sources);
	ck_assert_uint_eq(counts().responding, 0);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(ration_fills_with_time)
{
	static const struct { ike_time passes; unsigned answers; } rows[] = {
		{ 0, 200 }, { 0, 0 }, { IKE_SECOND / 100 - 1, 0 }, { 1, 1 },
		{ IKE_SECOND, 100 }, { 2 * IKE_SECOND, 200 },
		{ 365 * 86400 * IKE_SECOND, 200 }, { IKE_SECOND / 2, 50 },
	};

	begin();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned n = 0;

		p.e[1]->now += rows[i].passes;
		while (n <= 200 && ike_may_answer(p.e[1]))
			n++;
		ck_assert_msg(n == rows[i].answers, "row %zu: %u answers", i, n);
	}
	p.now = p.e[1]->now;
	pair_close(&p);
}
END_TEST

/* Engines that end in the midst of it leave nothing: the sanitizer tells. */
START_TEST(engine_is_freed_in_a_flood)
{
	begin();
	fill(64);
	for (unsigned i = 0; i < 2; i++)
		ike_free(p.e[i]);
}
END_TEST

START_TEST(source_is_bounded)
{
	uint8_t buf[64];
	struct pair_datagram d, c;
	unsigned let_in = 0;

	begin();
	for (unsigned i = 0; i < 200; i++) {
		d = flood(i, 0xc6336401);
		if (i >= 8 && i < 64)
			d = with_cookie(&d, ask_cookie(&d, buf));
		pair_send(&p, &d);
		ck_assert_uint_eq(p.n, i < 64);		/* then not even a cookie */
		let_in += p.n;
		p.n = 0;
	}
	ck_assert_uint_eq(let_in, 64);
	ck_assert_uint_eq(counts().responding, 64);
	d = flood(1000, 0xcb007101);			/* another source gets in */
	c = with_cookie(&d, ask_cookie(&d, buf));
	pair_send(&p, &c);
	ck_assert_uint_eq(counts().responding, 65);
	p.n = 0;
	pair_pass(&p, 31 * IKE_SECOND);
	ck_assert_uint_eq(counts().responding, 0);
	p.n = 0;
	d = flood(5000, 0xc6336401);		/* and the first one again, later */
	pair_send(&p, &d);
	ck_assert_uint_eq(p.n, 1);
	p.n = 0;
	pair_close(&p);
}
END_TEST

START_TEST(peer_gets_in_during_a_flood)		/* T26, T27, T33 through both ends */
{
	begin();
	fill(64);
	pair_send(&p, &init);
	ck_assert(is_notify(IKE_N_COOKIE));
	pair_pump(&p);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	ck_assert_int_eq(pair_state(&p, 1), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

/* COOKIE, then INVALID_KE, then COOKIE again or not: both converge (T29). */
START_TEST(cookie_and_invalid_ke_mix)
{
	static const char *const both[1] = { "aes256gcm16-prfsha256-x25519-ecp256" };
	static const char *const mine[1] = { "aes256gcm16-prfsha256-ecp256" };
	struct ike_setup setup[2];
	struct ike_child_setup child[2];

	pair_setups(setup, child);
	setup[0].ike = (struct ike_texts){ both, 1 };
	setup[1].ike = (struct ike_texts){ mine, 1 };
	setup[1].remote_address = "any";
	pair_open(&p, setup);
	pair_up(&p);
	init = p.queue[0];
	p.n = 0;
	for (unsigned i = 0; i < 64; i++) {		/* this responder wants ECP 256 */
		struct pair_datagram d = flood(i, 0xc6336400 + i);

		pair_send(&p, &d);
		ck_assert(is_notify(IKE_INVALID_KE_PAYLOAD));
		p.n = 0;
	}
	ck_assert_uint_eq(counts().responding, 0);
	pair_send(&p, &init);
	pair_pump(&p);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

START_TEST(unknown_spi_is_answered_within_a_ration)	/* T84 */
{
	uint8_t message[100] = { 0 };
	unsigned answers = 0;

	begin();
	message[16] = IKE_PAYLOAD_SK;
	message[17] = 0x20;
	message[18] = INFORMATIONAL;
	message[19] = IKE_FLAG_INITIATOR;
	bytes_store32(message + 24, sizeof(message));
	for (uint64_t i = 1; i <= 1000; i++) {
		bytes_store64(message, i);
		bytes_store64(message + 8, i * 7);
		pair_inject(&p, 1, &init.path, message, sizeof(message));
		if (p.n > 0) {
			ck_assert_uint_eq(bytes_load16(p.queue[0].data + 34),
			    IKE_INVALID_IKE_SPI);
			ck_assert_uint_le(p.queue[0].len, sizeof(message));
			ck_assert_uint_eq(p.queue[0].data[19], IKE_FLAG_RESPONSE);
		}
		answers += p.n;
		p.n = 0;
	}
	ck_assert_uint_ge(answers, 1);
	ck_assert_uint_le(answers, 200);
	message[19] = IKE_FLAG_RESPONSE;		/* an answer is never answered */
	pair_pass(&p, 60 * IKE_SECOND);
	p.n = 0;
	pair_inject(&p, 1, &init.path, message, sizeof(message));
	ck_assert_uint_eq(p.n, 0);
	ck_assert_uint_eq(counts().sas, 0);
	pair_close(&p);
}
END_TEST

/* A header alone is shorter than any refusal of it. */
START_TEST(answer_is_never_larger_than_the_question)
{
	uint8_t message[36] = { 0 };

	begin();
	bytes_store64(message, 1);
	message[17] = 0x30;
	message[18] = IKE_SA_INIT;
	message[19] = IKE_FLAG_INITIATOR;
	for (size_t len = 28; len <= 36; len++) {
		bytes_store32(message + 24, (uint32_t)len);
		pair_inject(&p, 1, &init.path, message, len);
		ck_assert_uint_eq(p.n, len < 36 ? 0 : 1);
	}
	p.n = 0;
	pair_close(&p);
}
END_TEST

int
main(void)
{
	const TTest *tests[] = {
		cookie_is_asked_for_above_a_number, cookie_is_bound_to_its_asker,
		cookie_expires, cookie_outlives_one_rotation,
		cookie_tells_the_families_apart,
		forger_does_not_lock_a_source_out, all_together_are_bounded,
		source_of_ipv6_is_a_network, ration_fills_with_time,
		engine_is_freed_in_a_flood, source_is_bounded,
		peer_gets_in_during_a_flood, cookie_and_invalid_ke_mix,
		unknown_spi_is_answered_within_a_ration,
		answer_is_never_larger_than_the_question,
	};
	TCase *c = tcase_create("cookie");

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(c, tests[i]);
	return run_tests("cookie", c);
}
