#include <check.h>
#include <stdlib.h>

#include "libesp/replay.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

/* ---- the oracle: a set of all sequence numbers ever accepted ---- */

enum { SLOTS = 1 << 20 };

struct oracle {
	uint64_t *seen;		/* open addressing; 0 is empty */
	uint64_t top, floor;
	uint32_t size;
	unsigned count;
};

static struct oracle
new_oracle(uint32_t size, uint64_t first)
{
	struct oracle o = { .seen = calloc(SLOTS, sizeof *o.seen), .top = first - 1,
		.floor = first - 1, .size = size };

	ck_assert_ptr_nonnull(o.seen);
	return o;
}

static uint64_t *
slot(const struct oracle *o, uint64_t sequence)
{
	uint64_t at = sequence * 0x9e3779b97f4a7c15 >> 44;

	while (o->seen[at] != 0 && o->seen[at] != sequence)
		at = (at + 1) % SLOTS;
	return &o->seen[at];
}

static bool
expect(const struct oracle *o, uint64_t sequence)
{
	if (sequence <= o->floor)
		return false;
	if (sequence <= o->top && o->top - sequence >= o->size)
		return false;
	return *slot(o, sequence) == 0;
}

static void
accept_sequence(struct oracle *o, uint64_t sequence)
{
	*slot(o, sequence) = sequence;
	o->count++;
	if (sequence > o->top)
		o->top = sequence;
}

/* What networks do, and what attackers do: mostly the next one, some late, some
 * repeated, some jumps, a few very far. */
static uint64_t
next_sequence(uint64_t *seed, const struct oracle *o, bool esn)
{
	uint64_t r = next_random(seed), size = o->size, distance = next_random(seed);

	switch (r % 16) {
	case 0:
		return o->top - distance % (2 * size);
	case 1:
		return o->top - size + distance % 3 - 1;	/* the lower edge */
	case 2:
		return o->top;
	case 3:
		return o->top + distance % (3 * size);
	case 4:
		if (r % 1024 >= 64)
			return distance % 3;
		/* with ESN often into the next 2^32 */
		return o->top + size * 64 + distance % (esn ? UINT32_MAX : 100000);
	case 5: case 6: case 7: case 8:
		return o->top - distance % size;
	default:
		return o->top + 1 + distance % 2;
	}
}

static const struct { uint32_t size; uint64_t first; bool esn; } rows[] = {
	{ 64, 1, false },
	{ 64, 0xffffff00, true },
	{ 128, 100000, false },
	{ 1024, 1, false },
	{ 1024, 1, true },
	{ 1024, 0x100000000 - 500, true },
	{ 1024, 0xfffffffff0000000, true },
	{ 4096, 64, false },
};

/* Far above the top a number cannot be told from one a round below, so the oracle's
 * sender stays inside what RFC 4303 A2 allows. */
static bool
sendable(const struct oracle *o, uint64_t sequence, bool esn)
{
	if (!esn)
		return sequence <= UINT32_MAX;
	if (sequence > o->top)
		return sequence - o->top <= (uint64_t)UINT32_MAX + 1 - o->size;
	return o->top - sequence < o->size;
}

START_TEST(replay_agrees_with_a_set)
{
	enum { STEPS = 1000000 };
	uint32_t size = rows[_i].size;
	bool esn = rows[_i].esn;
	uint64_t seed = (uint64_t)_i + 1, guess;
	struct oracle o = new_oracle(size, rows[_i].first);
	struct esp_replay r;
	unsigned refused = 0;

	ck_assert(esp_replay_init(&r, size, rows[_i].first, esn));
	for (unsigned step = 0; step < STEPS && o.count < SLOTS / 2; step++) {
		uint64_t sequence = next_sequence(&seed, &o, esn);
		bool want;

		if (!sendable(&o, sequence, esn))
			continue;
		want = expect(&o, sequence);
		if (!esp_replay_guess(&r, (uint32_t)(sequence & 0xffffffff), &guess) ||
		    guess != sequence)
			ck_abort_msg("step %u: guess %llx, is %llx", step,
			    (unsigned long long)guess, (unsigned long long)sequence);
		if (esp_replay_check(&r, sequence) != want || r.top != o.top)
			ck_abort_msg("step %u: %llx", step, (unsigned long long)sequence);
		refused += !want;
		if (next_random(&seed) % 8 == 0)	/* the ICV was wrong: nothing
							 * changes */
			continue;
		if (esp_replay_update(&r, sequence) != want)
			ck_abort_msg("step %u: %llx", step, (unsigned long long)sequence);
		if (want)
			accept_sequence(&o, sequence);
	}
	ck_assert_uint_gt(o.count, 50000);
	ck_assert_uint_gt(refused, 50000);
	ck_assert(!esn || o.top >> 32 > 100);
	esp_replay_free(&r);
	free(o.seen);
}
END_TEST

START_TEST(replay_zero_and_last)
{
	struct esp_replay r;
	uint64_t sequence;

	ck_assert(esp_replay_init(&r, 64, 1, false));
	ck_assert(!esp_replay_check(&r, 0));
	ck_assert(!esp_replay_update(&r, 0));
	ck_assert(esp_replay_update(&r, UINT32_MAX));
	ck_assert(!esp_replay_update(&r, UINT32_MAX));
	ck_assert(!esp_replay_check(&r, 0));
	ck_assert(!esp_replay_check(&r, 1));	/* no wrap without ESN */
	ck_assert(esp_replay_update(&r, UINT32_MAX - 63));
	ck_assert(!esp_replay_check(&r, UINT32_MAX - 64));
	esp_replay_free(&r);

	ck_assert(esp_replay_init(&r, 64, UINT64_MAX - 10, true));
	ck_assert(esp_replay_guess(&r, UINT32_MAX, &sequence));
	ck_assert(sequence == UINT64_MAX);
	ck_assert(esp_replay_update(&r, sequence));
	ck_assert(!esp_replay_update(&r, sequence));
	ck_assert(!esp_replay_guess(&r, 0, &sequence));	/* would be 2^64 */
	ck_assert(esp_replay_update(&r, UINT64_MAX - 10));
	ck_assert(!esp_replay_check(&r, UINT64_MAX - 11));
	esp_replay_free(&r);
}
END_TEST

START_TEST(replay_begins_closed_below_first)
{
	static const uint64_t firsts[] = { 1, 2, 63, 64, 65, 1000, 0x100000000 };

	for (unsigned i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
		struct esp_replay r;

		ck_assert(esp_replay_init(&r, 128, firsts[i], true));
		for (uint64_t back = 1; back <= 300 && back <= firsts[i]; back++)
			if (esp_replay_check(&r, firsts[i] - back))
				ck_abort_msg("%u: %u before", i, (unsigned)back);
		for (uint64_t ahead = 300; ahead-- > 0;)
			if (esp_replay_update(&r, firsts[i] + ahead) != (ahead >= 172))
				ck_abort_msg("%u: %u after", i, (unsigned)ahead);
		esp_replay_free(&r);
	}
}
END_TEST

/* RFC 4303 A2.2, cases A and B, by hand: window 64. */
START_TEST(replay_guess_by_the_appendix)
{
	static const struct {
		uint64_t top;
		uint32_t low;
		bool ok;
		uint64_t sequence;
	} cases[] = {
		{ 0x00000000, 1, true, 1 },
		{ 0x00000000, 0xffffffc0, true, 0xffffffc0 }, /* below the modular
							       * edge */
		{ 0x00000000, 0xffffffc1, false, 0 }, /* would be before zero */
		{ 0x1ffffffff, 0, true, 0x200000000 }, /* case A, wrapped */
		{ 0x1ffffffff, 0xffffffc0, true, 0x1ffffffc0 }, /* its lower edge */
		{ 0x1ffffffff, 0xffffffbf, true, 0x2ffffffbf },
		{ 0x20000003e, 0xffffffff, true, 0x1ffffffff }, /* case B */
		{ 0x20000003e, 0, true, 0x200000000 },
		{ 0x20000003f, 0, true, 0x200000000 }, /* A again */
		{ 0x20000003f, 0xffffffff, true, 0x2ffffffff },
		{ 0xffffffff0000003f, 0xffffffff, true, 0xffffffffffffffff },
		{ 0xffffffff00000040, 0, false, 0 },
	};

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct esp_replay r;
		uint64_t sequence = 0;

		ck_assert(esp_replay_init(&r, 64, cases[i].top + 1, true));
		ck_assert_msg(
		    esp_replay_guess(&r, cases[i].low, &sequence) == cases[i].ok,
		    "case %u", i);
		ck_assert_msg(!cases[i].ok || sequence == cases[i].sequence,
		    "case %u: %llx", i, (unsigned long long)sequence);
		esp_replay_free(&r);
	}
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("replay");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(
	    tcase, replay_agrees_with_a_set, 0, sizeof rows / sizeof rows[0]);
	tcase_add_test(tcase, replay_zero_and_last);
	tcase_add_test(tcase, replay_begins_closed_below_first);
	tcase_add_test(tcase, replay_guess_by_the_appendix);
	return run_tests("replay", tcase);
}
