/* A Child SA whose numbers go to an end is rekeyed in time: the engine and libesp
 * together, from three quarters of the 32-bit sequence numbers (RFC 4303 3.3.3), or from
 * a limit of packets or octets, to the SA that follows. */
#include <stdlib.h>
#include <string.h>

#include "libesp/esp.h"
#include "tests/unit/ends.h"
#include "tests/unit/pair.h"
#include "tests/unit/run.h"

enum { POLICY = 1, LEN = 100 };
#define THREE_QUARTERS 0xc0000000u

static struct pair p;
static struct ike_setup setup[2];
static struct ike_child_setup child[2];
static struct esp *esp[2];
static struct esp_selector all;
static uint64_t first;			/* sequence number of the first SA */
static ike_id newest[2];
static unsigned soft[2];		/* notices */
static uint64_t seed;
static uint32_t last_spi[2], last_sequence[2];

static void
add(unsigned end, enum esp_direction direction, const struct ike_event *event)
{
	const struct ike_child *c = event->u.child;
	static const uint8_t iv_key[16];
	const struct esp_sa_config config = { .id = event->child, .policy = POLICY,
	    .direction = direction, .mode = ESP_TUNNEL,
	    .spi = direction == ESP_IN ? c->spi_in : c->spi_out, .esn = c->esn,
	    .first = event->replaced == 0 ? first : 0, .transform = c->transform,
	    .keymat = direction == ESP_IN ? c->key_in : c->key_out,
	    .iv_key = bytes_of(iv_key, c->transform->iv_key_len),
	    .selectors = &all, .n_selectors = 1,
	    .soft = { c->soft_packets, c->soft_octets },
	    .hard = { c->hard_packets, c->hard_octets } };

	ck_assert_int_eq(esp_add(esp[end], &config), ESP_SUCCESS);
}

static void
hear(void *arg, unsigned end, const struct ike_event *event)
{
	(void)arg;
	if (event->type == IKE_IN_ADD)
		add(end, ESP_IN, event);
	else if (event->type == IKE_OUT_ADD)
		add(end, ESP_OUT, event);
	else if (event->type == IKE_OUT_REMOVE)
		esp_remove(esp[end], ESP_OUT, event->child);
	else if (event->type == IKE_IN_REMOVE)
		esp_remove(esp[end], ESP_IN, event->child);
	if (event->type == IKE_OUT_ADD)
		newest[end] = event->child;
}

static void
tell(unsigned end)
{
	static const int types[] = { [ESP_SOFT] = IKE_SOFT, [ESP_HARD] = IKE_HARD,
		[ESP_FIRST_IN] = IKE_FIRST_IN };
	struct esp_notice notice;

	while (esp_next_notice(esp[end], &notice)) {
		ck_assert_int_ne(notice.type, ESP_WANTED);
		soft[end] += notice.type == ESP_SOFT;
		(void)ike_tell(p.e[end], p.now, &(struct ike_notice){
		    .type = (enum ike_notice_type)types[notice.type], .id = notice.id });
		pair_drain(&p, end);
	}
}

/* No number of an SA goes out twice. */
static void
expect_news(unsigned end, const struct esp_packet *packet)
{
	uint32_t spi = bytes_load32(packet->data);
	uint32_t sequence = bytes_load32(packet->data + 4);

	ck_assert(spi != last_spi[end] || sequence > last_sequence[end]);
	last_spi[end] = spi;
	last_sequence[end] = sequence;
}

/* One packet from this end, which must arrive. */
static void
carry(unsigned end)
{
	uint8_t buffer[LEN];
	struct esp_packet packet = packet_new(inner_packet(buffer, ESP_IPV4, LEN, &seed),
	    (struct esp_room){ 64, 64 });

	esp_find(esp[end], &packet, 1);
	if (packet.verdict == ESP_OK)
		esp_seal(esp[end], &packet, 1);
	ck_assert_uint_eq(packet.verdict, ESP_OK);
	expect_news(end, &packet);
	esp_open(esp[1 - end], &packet, 1);
	ck_assert_uint_eq(packet.verdict, ESP_OK);
	packet_free(&packet);
	tell(end);
	tell(1 - end);
}

static void
begin(uint64_t from)
{
	static const char *const noesn[] = { "aes128gcm16-noesn" };

	first = from;
	seed = 7;
	all.local = all.remote = esp_range_any(ESP_IPV4);
	for (unsigned i = 0; i < 2; i++) {
		const struct esp_policy_config policy = { .id = POLICY, .selectors = &all,
		    .n_selectors = 1 };

		setup[i].esp = (struct ike_texts){ noesn, 1 };
		esp[i] = esp_new(0, 1);
		ck_assert_ptr_nonnull(esp[i]);
		ck_assert_int_eq(esp_policy_put(esp[i], &policy), ESP_SUCCESS);
	}
	pair_open(&p, setup);
	p.hear = hear;
	pair_up(&p);
	pair_pump(&p);
	ck_assert(newest[0] != 0 && newest[1] != 0);
}

static void
end(void)
{
	pair_close(&p);
	for (unsigned i = 0; i < 2; i++)
		esp_free(esp[i]);
}

/* Packets each way while a rekey is under way and for ten seconds behind it. */
static void
go_on(void)
{
	for (unsigned i = 0; i < 100; i++) {
		carry(0);
		carry(1);
		if (p.n > 0)
			pair_deliver(&p, 0);
		pair_pass(&p, IKE_SECOND / 10);
	}
	pair_pump(&p);
}

static void
expect_rekeyed(ike_id before)
{
	struct esp_usage usage;

	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_ge(p.events[i][IKE_REPLACED], 1);
		ck_assert_uint_eq(p.events[i][IKE_DOWN], 0);
		ck_assert_uint_eq(p.events[i][IKE_IN_REMOVE] + 1,
		    p.events[i][IKE_IN_ADD]);
		ck_assert_uint_eq(p.events[i][IKE_OUT_REMOVE] + 1,
		    p.events[i][IKE_OUT_ADD]);
		ck_assert(esp_read_usage(esp[i], ESP_OUT, newest[i], &usage));
		ck_assert_uint_lt(usage.sequence, 1000);
	}
	ck_assert_uint_ne(newest[0], before);
}

START_TEST(sequence_numbers_are_rekeyed_at_three_quarters)
{
	ike_id before;

	pair_setups(setup, child);
	begin(THREE_QUARTERS - 5);
	before = newest[0];
	carry(_i);
	carry(_i);
	ck_assert_uint_eq(soft[_i], 0);
	ck_assert_uint_eq(p.n, 0);
	for (unsigned i = 0; i < 3 && soft[_i] == 0; i++)
		carry(_i);
	ck_assert_uint_ge(soft[_i], 1);
	/* both ends see the same numbers, and may begin at once */
	ck_assert(p.n == 1 || p.n == 2);
	go_on();
	expect_rekeyed(before);
	end();
}
END_TEST

/* By packets, by octets: set at one end, seen by it in either direction. */
START_TEST(limits_are_rekeyed)
{
	ike_id before;

	pair_setups(setup, child);
	setup[0].renewal.jitter_percent = 0;
	if (_i % 2 == 0)
		setup[0].renewal.child.packets = 300;
	else
		setup[0].renewal.child.octets = 300 * LEN;
	begin(1);
	before = newest[0];
	for (unsigned i = 0; i < 299; i++)
		carry((unsigned)_i / 2);
	ck_assert_uint_eq(soft[0] + p.n, 0);
	carry((unsigned)_i / 2);
	ck_assert_uint_eq(soft[0], 1);
	ck_assert_uint_eq(p.n, 1);
	go_on();
	expect_rekeyed(before);
	end();
}
END_TEST

/* Both ends count the same packets; by chance one of them begins, at most so much
 * earlier, and not both. */
START_TEST(limits_are_reached_by_one_end)
{
	unsigned n = 0;

	pair_setups(setup, child);
	for (unsigned i = 0; i < 2; i++) {
		setup[i].renewal.child.packets = 1000;
		setup[i].renewal.child_hard.packets = 2000;
	}
	begin(1);
	for (; soft[0] + soft[1] == 0; n++)
		carry(0);
	ck_assert_uint_ge(n, 900);
	ck_assert_uint_lt(n, 1000);
	ck_assert_uint_eq(soft[0] + soft[1], 1);
	ck_assert_uint_eq(p.n, 1);
	go_on();
	for (unsigned i = 0; i < 2; i++)
		ck_assert_uint_eq(p.events[i][IKE_REPLACED], 1);
	end();
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("spent");

	tcase_add_loop_test(tcase, sequence_numbers_are_rekeyed_at_three_quarters, 0, 2);
	tcase_add_loop_test(tcase, limits_are_rekeyed, 0, 4);
	tcase_add_test(tcase, limits_are_reached_by_one_end);
	return run_tests("spent", tcase);
}
