#include <check.h>
#include <stdlib.h>

#include "libesp/sadb.h"
#include "tests/unit/packets.h"
#include "tests/unit/ends.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

#define COUNT(a) (sizeof (a) / sizeof (a)[0])

enum { MAX = 256 };

static const struct esp_transform *
gcm(void)
{
	return esp_transform_find(ENCR_AES_GCM_16, 128, AUTH_NONE);
}

static struct esp_selector
selector(const char *local, const char *remote)
{
	struct esp_selector s;

	ck_assert(esp_range_parse(local, &s.local) && esp_range_parse(remote, &s.remote));
	return s;
}

static void
put_policy(struct esp *esp, uint64_t id, const char *local, const char *remote,
    bool acquire)
{
	struct esp_selector s = selector(local, remote);
	struct esp_policy_config config = { .id = id, .selectors = &s, .n_selectors = 1,
		.acquire = acquire };

	ck_assert_int_eq(esp_policy_put(esp, &config), ESP_SUCCESS);
}

static void
add_out(struct ends *ends, uint64_t id, const char *local, const char *remote)
{
	struct esp_selector s = selector(local, remote);

	ends->config.direction = ESP_OUT;
	ends->config.id = id;
	ends->config.selectors = &s;
	ends->config.n_selectors = 1;
	ck_assert_int_eq(esp_add(ends->out, &ends->config), ESP_SUCCESS);
}

/* From 10.1.0.5 to 10.2.0.6, UDP from port 0x1234 to `port`. */
static struct esp_packet
find(struct esp *esp, uint16_t port)
{
	uint8_t buffer[MAX], payload[8] = { 0x12, 0x34 };
	struct esp_packet p;

	bytes_store16(payload + 2, port);
	p = packet_new(ipv4(buffer, 17, 5, 0, bytes_of(payload, sizeof payload)),
	    esp_transform_overhead(gcm()));
	esp_find(esp, &p, 1);
	packet_free(&p);
	p.data = NULL;
	return p;
}

/* Id of the SA that carries it; 0 if none does. */
static uint64_t
carrier(struct esp *esp, uint16_t port)
{
	struct esp_packet p = find(esp, port);

	return p.verdict == ESP_OK ? esp_sa_id(p.sa) : 0;
}

/* ---- adding and removing ---- */

START_TEST(new_checks_workers)
{
	ck_assert_ptr_null(esp_new(0, 0));
	ck_assert_ptr_null(esp_new(3, 3));
	esp_free(NULL);
}
END_TEST

START_TEST(add_refuses_invalid)
{
	const struct esp_transform *cbc = esp_transform_find(ENCR_AES_CBC, 128,
	    AUTH_HMAC_SHA2_256_128);
	struct ends ends;
	struct esp_sa_config good, bad[15];
	struct esp_selector broken;

	ends_prepare(&ends, cbc, false);
	ends.config.direction = ESP_OUT;
	good = ends.config;
	broken = ends.selectors[0];
	broken.remote.family = ESP_IPV6;
	for (unsigned i = 0; i < COUNT(bad); i++)
		bad[i] = good;
	bad[0].id = 0;
	bad[1].spi = 0;
	bad[2].spi = ESP_SPI_MIN - 1;
	bad[3].transform = NULL;
	bad[4].keymat.len--;
	bad[5].keymat.len++;
	bad[6].iv_key.len = 0;
	bad[7].n_selectors = 0;
	bad[8].selectors = &broken;
	bad[8].n_selectors = 1;
	bad[9].owner = 1;
	bad[10].policy = 0;
	bad[11].first = 0x100000000;
	bad[12].direction = ESP_IN;
	bad[12].window = ESP_WINDOW_MAX + 1;
	bad[13].direction = (enum esp_direction)2;
	bad[14].keymat.len = 0;
	for (unsigned i = 0; i < COUNT(bad); i++)
		ck_assert_msg(esp_add(ends.out, &bad[i]) == ESP_INVALID, "row %u", i);
	ck_assert_int_eq(esp_add(ends.out, &good), ESP_SUCCESS);
	good.direction = ESP_IN;	/* where the IV key is not needed */
	good.iv_key.len = 0;
	good.window = ESP_WINDOW_MAX;
	ck_assert_int_eq(esp_add(ends.out, &good), ESP_SUCCESS);
	ends_free(&ends);
}
END_TEST

START_TEST(add_refuses_what_exists)
{
	struct ends ends;
	struct esp_usage usage;

	ends_prepare(&ends, gcm(), false);
	ends_add(&ends);
	ends.config.direction = ESP_OUT;
	ck_assert_int_eq(esp_add(ends.out, &ends.config), ESP_EXISTS);
	ends.config.direction = ESP_IN;
	ck_assert_int_eq(esp_add(ends.in, &ends.config), ESP_EXISTS);
	ends.config.id = 8;	/* another id, the same SPI */
	ck_assert_int_eq(esp_add(ends.in, &ends.config), ESP_EXISTS);
	ends.config.spi++;
	ck_assert_int_eq(esp_add(ends.in, &ends.config), ESP_SUCCESS);
	/* an outbound SPI is the peer's: two peers may choose the same */
	ends.config.direction = ESP_OUT;
	ends.config.spi--;
	ck_assert_int_eq(esp_add(ends.out, &ends.config), ESP_SUCCESS);
	/* and both directions may have the same id */
	ends.config.direction = ESP_IN;
	ends.config.id = ENDS_ID;
	ck_assert_int_eq(esp_add(ends.out, &ends.config), ESP_SUCCESS);
	esp_remove(ends.out, ESP_IN, ENDS_ID);
	ck_assert(!esp_read_usage(ends.out, ESP_IN, ENDS_ID, &usage));
	ck_assert(esp_read_usage(ends.out, ESP_OUT, ENDS_ID, &usage));
	ends_free(&ends);
}
END_TEST

START_TEST(remove_forgets)
{
	struct ends ends;
	struct esp_packet p;
	uint8_t buffer[MAX];
	uint64_t seed = 1;
	struct esp_notice notice;

	ends_prepare(&ends, gcm(), false);
	ends.config.soft.packets = 1;
	ends_add(&ends);
	p = packet_new(
	    inner_packet(buffer, ESP_IPV4, 60, &seed), esp_transform_overhead(gcm()));
	ends_seal(&ends, &p);
	/* both ends have a notice waiting, which goes with its SA */
	esp_open(ends.in, &p, 1);
	ck_assert_uint_eq(p.verdict, ESP_OK);
	esp_remove(ends.in, ESP_IN, ENDS_ID);
	esp_remove(ends.out, ESP_OUT, ENDS_ID);
	esp_remove(ends.out, ESP_OUT, ENDS_ID);
	ck_assert(!esp_next_notice(ends.in, &notice));
	ck_assert(!esp_next_notice(ends.out, &notice));
	ck_assert_uint_eq(find(ends.out, 53).verdict, ESP_POLICY);
	packet_free(&p);
	/* the same again is new */
	ends.config.direction = ESP_IN;
	ck_assert_int_eq(esp_add(ends.in, &ends.config), ESP_SUCCESS);
	ends_free(&ends);
}
END_TEST

START_TEST(add_grows_by_itself)
{
	enum { N = 3000 };
	struct ends ends;

	ends_prepare(&ends, gcm(), false);
	ends.config.direction = ESP_IN;
	ends.config.window = 64;
	for (uint32_t i = 0; i < N; i++) {
		ends.config.id = i + 1;
		ends.config.spi = ESP_SPI_MIN + 977 * i;
		must(esp_add(ends.in, &ends.config) == ESP_SUCCESS, "%u", i);
	}
	for (uint32_t i = 0; i < N; i += 2)
		esp_remove(ends.in, ESP_IN, i + 1);
	for (uint32_t i = 0; i < N; i++) {
		uint8_t octets[64] = { 0 };
		struct esp_packet p = { .data = octets, .len = sizeof octets };

		bytes_store32(octets, ESP_SPI_MIN + 977 * i);
		bytes_store32(octets + 4, 1);
		esp_open(ends.in, &p, 1);
		must(p.verdict == (i % 2 == 0 ? ESP_NO_SA : ESP_INTEGRITY), "%u", i);
		must(i % 2 == 0 || esp_sa_id(p.sa) == i + 1, "%u", i);
	}
	ends_free(&ends);
}
END_TEST

/* ---- policies and their SAs ---- */

START_TEST(find_without_sa)
{
	struct ends ends;
	struct esp_notice notice;
	struct esp_packet p;

	ends_prepare(&ends, gcm(), false);
	ck_assert_uint_eq(find(ends.out, 53).verdict, ESP_NO_SA);
	put_policy(ends.out, 1, "10.9.0.0/24", "10.2.0.0/24", true);
	ck_assert_uint_eq(find(ends.out, 53).verdict, ESP_NO_SA);
	put_policy(ends.out, 2, "10.1.0.0/24", "10.2.0.0/24", false);
	p = find(ends.out, 53);
	ck_assert_uint_eq(p.verdict, ESP_POLICY);
	ck_assert_uint_eq(p.policy, 2);
	ck_assert_ptr_null(p.sa);
	ck_assert(!esp_next_notice(ends.out, &notice));
	ck_assert_uint_eq(esp_read_counters(ends.out)->out[ESP_NO_SA], 2);
	ck_assert_uint_eq(esp_read_counters(ends.out)->out[ESP_POLICY], 1);
	ends_free(&ends);
}
END_TEST

START_TEST(find_asks_once_for_an_sa)
{
	struct ends ends;
	struct esp_notice notice;
	struct esp_selector want = selector("10.1.0.5[udp/4660]", "10.2.0.6[udp/53]");
	struct esp_packet p;

	ends_prepare(&ends, gcm(), false);
	ends.config.policy = 4;
	put_policy(ends.out, 4, "10.1.0.0/24", "10.2.0.0/24", true);
	for (uint16_t port = 53; port < 60; port++) {
		p = find(ends.out, port);
		ck_assert_uint_eq(p.verdict, ESP_ACQUIRE);
		ck_assert_uint_eq(p.policy, 4);
		ck_assert_ptr_null(p.sa);
	}
	ck_assert(esp_next_notice(ends.out, &notice));
	ck_assert_int_eq(notice.type, ESP_WANTED);
	ck_assert_uint_eq(notice.id, 4);
	ck_assert_mem_eq(&notice.packet, &want, sizeof want);
	ck_assert(!esp_next_notice(ends.out, &notice));
	ck_assert_uint_eq(find(ends.out, 53).verdict, ESP_ACQUIRE);
	ck_assert(!esp_next_notice(ends.out, &notice));

	/* the attempt failed */
	esp_wanted_done(ends.out, 4);
	esp_wanted_done(ends.out, 5);
	ck_assert(!esp_next_notice(ends.out, &notice));
	ck_assert_uint_eq(find(ends.out, 53).verdict, ESP_ACQUIRE);
	ck_assert(esp_next_notice(ends.out, &notice));
	/* it succeeded, and the SA went later */
	add_out(&ends, 1, "10.1.0.0/24", "10.2.0.0/24");
	ck_assert_uint_eq(carrier(ends.out, 53), 1);
	esp_remove(ends.out, ESP_OUT, 1);
	ck_assert_uint_eq(find(ends.out, 53).verdict, ESP_ACQUIRE);
	ck_assert(esp_next_notice(ends.out, &notice));
	/* put again */
	put_policy(ends.out, 4, "10.1.0.0/24", "10.2.0.0/24", true);
	ck_assert_uint_eq(find(ends.out, 53).verdict, ESP_ACQUIRE);
	/* an SA that comes before the notice is read makes it void */
	add_out(&ends, 2, "10.1.0.0/24", "10.2.0.0/24");
	ck_assert(!esp_next_notice(ends.out, &notice));
	ends_free(&ends);
}
END_TEST

START_TEST(find_asks_in_one_batch)
{
	enum { N = 20 };
	struct ends ends;
	struct esp_notice notice;
	struct esp_packet v[N];
	uint8_t buffer[MAX];
	uint64_t seed = 1;

	ends_prepare(&ends, gcm(), false);
	put_policy(ends.out, 1, "10.1.0.0/24", "10.2.0.0/24", true);
	put_policy(ends.out, 2, "::/0", "::/0", true);
	for (unsigned i = 0; i < N; i++)
		v[i] = packet_new(
		    inner_packet(buffer, i % 5 ? ESP_IPV4 : ESP_IPV6, 60, &seed),
		    esp_transform_overhead(gcm()));
	v[1].data[0] = 0;
	v[2].verdict = ESP_TOO_BIG;
	esp_find(ends.out, v, N);
	for (unsigned i = 0; i < N; i++) {
		ck_assert_uint_eq(v[i].verdict,
		    i == 1 ? ESP_MALFORMED : i == 2 ? ESP_TOO_BIG : ESP_ACQUIRE);
		if (v[i].verdict == ESP_ACQUIRE)
			ck_assert_uint_eq(v[i].policy, i % 5 ? 1 : 2);
		packet_free(&v[i]);
	}
	ck_assert(esp_next_notice(ends.out, &notice) && notice.id == 2);
	ck_assert(esp_next_notice(ends.out, &notice) && notice.id == 1);
	ck_assert(!esp_next_notice(ends.out, &notice));
	ends_free(&ends);
}
END_TEST

START_TEST(find_takes_the_newest_sa_that_fits)
{
	struct ends ends;

	ends_prepare(&ends, gcm(), false);
	ends.config.policy = 1;
	put_policy(ends.out, 1, "10.1.0.0/24", "10.2.0.0/24", false);
	add_out(&ends, 1, "10.1.0.0/24", "10.2.0.0/24");
	ck_assert_uint_eq(carrier(ends.out, 53), 1);
	add_out(&ends, 2, "10.1.0.0/24", "10.2.0.0/24[udp/53]");	/* narrowed */
	ck_assert_uint_eq(carrier(ends.out, 53), 2);
	ck_assert_uint_eq(carrier(ends.out, 54), 1);
	add_out(&ends, 3, "10.1.0.0/24", "10.2.0.0/24");
	ck_assert_uint_eq(carrier(ends.out, 53), 3);
	esp_remove(ends.out, ESP_OUT, 3);
	ck_assert_uint_eq(carrier(ends.out, 53), 2);
	esp_remove(ends.out, ESP_OUT, 1);
	ck_assert_uint_eq(carrier(ends.out, 53), 2);
	ck_assert_uint_eq(find(ends.out, 54).verdict, ESP_POLICY);
	ends_free(&ends);
}
END_TEST

static struct esp_packet
find_of(struct esp *esp, uint64_t policy, uint16_t port)
{
	uint8_t buffer[MAX], payload[8] = { 0x12, 0x34 };
	struct esp_packet p;

	bytes_store16(payload + 2, port);
	p = packet_new(ipv4(buffer, 17, 5, 0, bytes_of(payload, sizeof payload)),
	    esp_transform_overhead(gcm()));
	esp_find_of(esp, policy, &p, 1);
	packet_free(&p);
	p.data = NULL;
	return p;
}

/* Two policies for the same packets: whoever knows better asks one of them.  Neither has
 * been put, so nobody else finds them. */
START_TEST(find_of_asks_one_policy)
{
	struct ends ends;

	ends_prepare(&ends, gcm(), false);
	for (uint64_t id = 1; id <= 2; id++) {
		ends.config.policy = id;
		add_out(&ends, 10 * id, "10.1.0.0/24", "10.2.0.0/24");
	}
	add_out(&ends, 21, "10.1.0.0/24", "10.2.0.0/24[udp/53]");
	ck_assert_uint_eq(esp_sa_id(find_of(ends.out, 1, 53).sa), 10);
	ck_assert_uint_eq(esp_sa_id(find_of(ends.out, 2, 53).sa), 21);
	ck_assert_uint_eq(esp_sa_id(find_of(ends.out, 2, 54).sa), 20);
	ck_assert_uint_eq(find_of(ends.out, 2, 54).policy, 2);
	ck_assert_int_eq(find_of(ends.out, 3, 53).verdict, ESP_NO_SA);
	ck_assert_int_eq(find(ends.out, 53).verdict, ESP_NO_SA);
	esp_remove(ends.out, ESP_OUT, 20);
	ck_assert_int_eq(find_of(ends.out, 2, 54).verdict, ESP_POLICY);
	esp_remove(ends.out, ESP_OUT, 21);
	ck_assert_int_eq(find_of(ends.out, 2, 53).verdict, ESP_NO_SA);
	put_policy(ends.out, 2, "10.1.0.0/24", "10.2.0.0/24", true);
	ck_assert_int_eq(find_of(ends.out, 2, 53).verdict, ESP_NO_SA);
	ck_assert(!esp_has_notice(ends.out));
	ck_assert_int_eq(find(ends.out, 53).verdict, ESP_ACQUIRE);
	ck_assert(esp_has_notice(ends.out));
	ends_free(&ends);
}
END_TEST

/* A less specific policy never carries what a more specific one has no SA for. */
START_TEST(find_does_not_fall_through)
{
	struct ends ends;

	ends_prepare(&ends, gcm(), false);
	put_policy(ends.out, 1, "0.0.0.0/0", "0.0.0.0/0", false);
	put_policy(ends.out, 2, "10.1.0.0/24", "10.2.0.0/24[udp/53]", false);
	ends.config.policy = 1;
	add_out(&ends, 1, "0.0.0.0/0", "0.0.0.0/0");
	ck_assert_uint_eq(carrier(ends.out, 54), 1);
	ck_assert_uint_eq(find(ends.out, 53).verdict, ESP_POLICY);
	ends_free(&ends);
}
END_TEST

START_TEST(sa_and_policy_in_any_order)
{
	struct ends ends;

	ends_prepare(&ends, gcm(), false);
	ends.config.policy = 9;
	add_out(&ends, 1, "10.1.0.0/24", "10.2.0.0/24");
	ck_assert_uint_eq(find(ends.out, 53).verdict, ESP_NO_SA);
	put_policy(ends.out, 9, "10.1.0.0/24", "10.2.0.0/24", true);
	ck_assert_uint_eq(carrier(ends.out, 53), 1);
	esp_policy_remove(ends.out, 9);
	ck_assert_uint_eq(find(ends.out, 53).verdict, ESP_NO_SA);
	put_policy(ends.out, 9, "10.1.0.0/24", "10.2.0.0/24", true);
	ck_assert_uint_eq(carrier(ends.out, 53), 1);
	put_policy(ends.out, 9, "10.1.0.0/24", "10.3.0.0/24", true);	/* replaced */
	ck_assert_uint_eq(find(ends.out, 53).verdict, ESP_NO_SA);
	esp_policy_remove(ends.out, 9);
	esp_remove(ends.out, ESP_OUT, 1);
	esp_policy_remove(ends.out, 9);
	ends_free(&ends);
}
END_TEST

START_TEST(policy_removal_takes_its_notice)
{
	struct ends ends;
	struct esp_notice notice;

	ends_prepare(&ends, gcm(), false);
	put_policy(ends.out, 1, "10.1.0.0/24", "10.2.0.0/24", true);
	ck_assert_uint_eq(find(ends.out, 53).verdict, ESP_ACQUIRE);
	esp_policy_remove(ends.out, 1);
	ck_assert(!esp_next_notice(ends.out, &notice));
	ends_free(&ends);
}
END_TEST

START_TEST(find_hands_over_to_the_owner)
{
	struct ends ends;
	struct esp *other = esp_new(1, 2), *owner = esp_new(0, 2);
	struct esp_packet p;

	ck_assert(other != NULL && owner != NULL);
	ends_prepare(&ends, gcm(), false);
	put_policy(other, ENDS_POLICY, "10.1.0.0/24", "10.2.0.0/24", true);
	ends.config.direction = ESP_OUT;
	ck_assert_int_eq(esp_add(owner, &ends.config), ESP_SUCCESS);
	ends.config.keymat = ends.config.iv_key = bytes_of(NULL, 0);	/* no keys
									 * needed */
	ck_assert_int_eq(esp_add(owner, &(struct esp_sa_config){ .id = 0 }), ESP_INVALID);
	ck_assert_int_eq(esp_add(other, &ends.config), ESP_SUCCESS);
	p = find(other, 53);
	ck_assert_uint_eq(p.verdict, ESP_NOT_MINE);
	ck_assert_uint_eq(p.owner, 0);
	ck_assert_ptr_null(p.sa);
	ck_assert_uint_eq(esp_read_counters(other)->out[ESP_NOT_MINE], 1);
	esp_free(other);
	esp_free(owner);
	ends_free(&ends);
}
END_TEST

/* ---- without memory ---- */

/* Not under AddressSanitizer, whose allocator must be the only one. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__has_feature)
#define CAN_FAIL 1
#elif !defined(__SANITIZE_ADDRESS__)
#if !__has_feature(address_sanitizer)
#define CAN_FAIL 1
#endif
#endif

#ifdef CAN_FAIL

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

static long allowed = -1;	/* allocations before one fails; -1: all succeed */

static bool
fails(void)
{
	return allowed >= 0 && allowed-- == 0;
}

void *
malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t size)
{
	return fails() ? NULL : __libc_realloc(p, size);
}

/* libcrypto cannot stand a failure while it sets itself up: it has done that before. */
static void
warm_up(const struct esp_transform *t)
{
	uint8_t zero[160] = { 0 };
	void *key = t->new_key(t, bytes_of(zero, esp_transform_keymat(t)),
	    bytes_of(zero, t->iv_key_len));
	struct esp_op op = { .key = key, .data = zero, .len = 16, .iv = zero + 16,
		.icv = zero + 64 };

	ck_assert_ptr_nonnull(key);
	t->seal(NULL, &op, 1);
	ck_assert(op.ok);
	t->free_key(key);
}

/* Fails the first, second, ... allocation until none is left to fail.  A failure that the
 * library gets over is none; after a refusal nothing may have changed. */
START_TEST(add_without_memory)
{
	const struct esp_transform *t = bulk_transform((unsigned)_i / 2);
	struct ends ends;
	unsigned refused = 0;
	bool failed = true;

	warm_up(t);
	ends_prepare(&ends, t, false);
	ends.config.direction = _i % 2 == 1 ? ESP_OUT : ESP_IN;
	for (unsigned n = 0; failed; n++) {
		struct esp_usage usage;
		enum esp_error error;

		allowed = n;
		error = esp_add(ends.out, &ends.config);
		failed = allowed < 0;
		allowed = -1;
		ck_assert_msg(error == ESP_SUCCESS || (failed && error == ESP_NO_MEMORY),
		    "allocation %u: error %d", n, error);
		ck_assert_msg((error == ESP_SUCCESS) == esp_read_usage(ends.out,
		    ends.config.direction, ENDS_ID, &usage), "allocation %u", n);
		refused += error == ESP_NO_MEMORY;
		esp_remove(ends.out, ends.config.direction, ENDS_ID);
	}
	ck_assert_uint_ge(refused, 3);
	ends_free(&ends);
}
END_TEST

START_TEST(policy_without_memory)
{
	bool replaces = _i == 1, failed = true;
	struct ends ends;
	struct esp_selector s[3] = { selector("10.1.0.0/24", "10.2.0.0/24"),
		selector("10.1.0.0/16", "10.2.0.0/16"), selector("::/0", "::/0") };
	struct esp_policy_config config = { .id = 5, .selectors = s, .n_selectors = 3 };
	unsigned refused = 0;

	ends_prepare(&ends, gcm(), false);
	if (replaces) {	/* two of one rank: the second was put last */
		put_policy(ends.out, 5, "10.1.0.5", "10.2.0.0/29[udp/53]", false);
		put_policy(ends.out, 6, "10.1.0.5", "10.2.0.4-10.2.0.10[udp/53]", true);
	}
	for (unsigned n = 0; failed; n++) {
		enum esp_error error;

		allowed = n;
		error = esp_policy_put(ends.out, &config);
		failed = allowed < 0;
		allowed = -1;
		ck_assert_int_eq(error, failed ? ESP_NO_MEMORY : ESP_SUCCESS);
		if (!failed)
			break;
		refused++;
		ck_assert(
		    (esp_policies_named(&ends.out->policies, 5) != NULL) == replaces);
		ck_assert_uint_eq(find(ends.out, 53).verdict,
		    replaces ? ESP_ACQUIRE : ESP_NO_SA);
		ck_assert_uint_eq(find(ends.out, 54).verdict, ESP_NO_SA);
	}
	ck_assert_uint_ge(refused, 3);
	ck_assert_uint_eq(find(ends.out, 54).verdict, ESP_POLICY);
	ck_assert_uint_eq(find(ends.out, 53).policy, replaces ? 6 : 5);
	ends_free(&ends);
}
END_TEST

START_TEST(new_without_memory)
{
	allowed = 0;
	ck_assert_ptr_null(esp_new(0, 1));
	allowed = -1;
}
END_TEST

/* A cipher's context is made on first use: without memory nothing leaves in clear. */
START_TEST(seal_without_memory)
{
	const struct esp_transform *t = bulk_transform((unsigned)_i);
	bool failed = true;
	unsigned refused = 0;

	warm_up(t);
	for (unsigned n = 0; failed; n++) {
		uint8_t buffer[MAX], inner[60];
		uint64_t seed = 1;
		struct ends ends;
		struct esp_packet p = packet_new(
		    inner_packet(buffer, ESP_IPV4, 60, &seed), esp_transform_overhead(t));

		memcpy(inner, p.data, 60);
		ends_prepare(&ends, t, false);
		ends_add(&ends);
		esp_find(ends.out, &p, 1);
		allowed = n;
		esp_seal(ends.out, &p, 1);
		failed = allowed < 0;
		allowed = -1;
		ck_assert(p.verdict == ESP_OK || (failed && p.verdict == ESP_FAILED));
		if (p.verdict == ESP_FAILED)
			ck_assert(memcmp(p.data, inner, 20) != 0);
		refused += p.verdict == ESP_FAILED;
		ck_assert_uint_eq(esp_read_counters(ends.out)->out[p.verdict], 1);
		packet_free(&p);
		ends_free(&ends);
	}
	ck_assert_uint_gt(refused, 0);
}
END_TEST

#endif

int
main(void)
{
	TCase *tcase = tcase_create("sadb");
#ifdef CAN_FAIL
	int rows = 0;
#endif

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, new_checks_workers);
	tcase_add_test(tcase, add_refuses_invalid);
	tcase_add_test(tcase, add_refuses_what_exists);
	tcase_add_test(tcase, remove_forgets);
	tcase_add_test(tcase, add_grows_by_itself);
	tcase_add_test(tcase, find_without_sa);
	tcase_add_test(tcase, find_asks_once_for_an_sa);
	tcase_add_test(tcase, find_asks_in_one_batch);
	tcase_add_test(tcase, find_takes_the_newest_sa_that_fits);
	tcase_add_test(tcase, find_of_asks_one_policy);
	tcase_add_test(tcase, find_does_not_fall_through);
	tcase_add_test(tcase, sa_and_policy_in_any_order);
	tcase_add_test(tcase, policy_removal_takes_its_notice);
	tcase_add_test(tcase, find_hands_over_to_the_owner);
#ifdef CAN_FAIL
	while (bulk_transform((unsigned)rows) != NULL)
		rows++;
	tcase_add_test(tcase, new_without_memory);
	tcase_add_loop_test(tcase, add_without_memory, 0, 2 * rows);
	tcase_add_loop_test(tcase, policy_without_memory, 0, 2);
	tcase_add_loop_test(tcase, seal_without_memory, 0, rows);
#endif
	return run_tests("sadb", tcase);
}
