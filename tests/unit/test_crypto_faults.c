/* Every call of a cryptographic library fails, once or from then on, at either end, over
 * a whole life of an SA: what is refused says so, nothing stays half, and when the time
 * for sending again is over both ends agree. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/library.h"
#include "tests/unit/pair.h"
#include "tests/unit/run.h"

/* Together they reach every backend. */
static const char *const suites[] = {
	"aes256gcm16-prfsha256-x25519",
	"aes128-sha256-prfsha384-ecp256",
	"chacha20poly1305-prfsha512-modp2048"
};

/* What goes on while calls fail, and where they fail. */
static const struct part {
	const char *name;
	bool established;		/* the failures begin with an SA that is up */
	unsigned downs;			/* the end that takes it down */
	unsigned fails;
	bool for_good;
} parts[] = {
	{ "set-up, once at 0", false, 0, 0, false },
	{ "set-up, once at 1", false, 0, 1, false },
	{ "set-up, for good at 0", false, 0, 0, true },
	{ "set-up, for good at 1", false, 0, 1, true },
	{ "down at 0, once at 0", true, 0, 0, false },
	{ "down at 0, once at 1", true, 0, 1, false },
	{ "down at 1, once at 0", true, 1, 0, false },
	{ "down at 1, once at 1", true, 1, 1, false },
	{ "down at 0, for good at 0", true, 0, 0, true },
	{ "down at 0, for good at 1", true, 0, 1, true },
	{ "down at 1, for good at 0", true, 1, 0, true },
	{ "down at 1, for good at 1", true, 1, 1, true }
};
enum {
	SUITES = sizeof suites / sizeof suites[0],
	PARTS = sizeof parts / sizeof parts[0]
};

static struct pair p;
static unsigned failing;		/* the end whose library fails */

static void
within(unsigned end, bool inside)
{
	library.on = inside && end == failing;
}

static void
open_with(const char *suite)
{
	struct ike_setup setup[2];
	struct ike_child_setup child[2];

	pair_setups(setup, child);
	for (unsigned i = 0; i < 2; i++)
		setup[i].ike = (struct ike_texts){ &suite, 1 };
	pair_open(&p, setup);
}

/* Long enough for every schedule of sending again. */
static void
settle(void)
{
	for (unsigned i = 0; i < 150; i++) {
		pair_pump(&p);
		pair_pass(&p, IKE_SECOND);
	}
	pair_pump(&p);
}

static void
go_down(unsigned end)
{
	within(end, true);
	ike_down(p.e[end], p.now, p.connection[end]);
	within(end, false);
	pair_drain(&p, end);
}

static void
go_up(unsigned end)
{
	within(end, true);
	ike_up(p.e[end], p.now, p.connection[end]);
	within(end, false);
	pair_drain(&p, end);
}

static unsigned
children(unsigned end)
{
	struct ike_sa *sa = pair_sa(&p, end);

	return sa != NULL ? sa->n_children : 0;
}

static bool
same_key(const struct pair_key *a, const struct pair_key *b)
{
	return a->len == b->len && memcmp(a->octets, b->octets, a->len) == 0;
}

static bool
same_keys(const struct ike_keys *a, const struct ike_keys *b)
{
	return bytes_equal(ike_key_d(a), ike_key_d(b)) &&
	    bytes_equal(ike_key_cipher(a, true), ike_key_cipher(b, true)) &&
	    bytes_equal(ike_key_cipher(a, false), ike_key_cipher(b, false));
}

/* The same SA at both ends, or none at either. */
static void
check_agreement(const struct part *part, unsigned n)
{
	struct ike_sa *a = pair_sa(&p, 0), *b = pair_sa(&p, 1);
	struct ike_counts c[2];

	for (unsigned i = 0; i < 2; i++)
		ike_read_counts(p.e[i], &c[i]);
	ck_assert_msg(c[0].sas == c[1].sas && c[0].sas <= 1 &&
		c[0].children == c[1].children && c[0].children == c[0].sas,
	    "%s, %u (%s): %u and %u SAs, %u and %u children", part->name, n,
	    library.name, c[0].sas, c[1].sas, c[0].children, c[1].children);
	ck_assert_msg(a == NULL || (a->spi_i == b->spi_i && a->spi_r == b->spi_r &&
		same_keys(&a->keys, &b->keys) &&
		a->encap && b->encap &&
		same_key(&p.keys[0][0], &p.keys[1][1]) &&
		same_key(&p.keys[0][1], &p.keys[1][0])),
	    "%s, %u (%s): two different SAs", part->name, n, library.name);
}

/* Nothing is half, what ended has said why, and both ends agree.  But an end that can
 * seal or open nothing any more has no way to tell the other, which then keeps what it
 * had until a new SA takes its place. */
static void
check_outcome(const struct part *part, unsigned n)
{
	unsigned end = part->established ? part->downs : 0;
	struct ike_counts c[2];

	for (unsigned i = 0; i < 2; i++) {
		ike_read_counts(p.e[i], &c[i]);
		ck_assert_msg(c[i].half_open + c[i].questions == 0 &&
			c[i].children == c[i].sas,
		    "%s, %u (%s): %u half-open, %u questions, %u SAs, %u children at %u",
		    part->name, n, library.name, c[i].half_open, c[i].questions,
		    c[i].sas, c[i].children, i);
	}
	ck_assert_msg(c[end].sas == 1 ||
		(p.events[end][IKE_DOWN] > 0 && p.down[end] != IKE_OK),
	    "%s, %u (%s): ends without a reason", part->name, n, library.name);
	ck_assert_msg(!part->established || c[end].sas == 0, "%s, %u (%s): is up",
	    part->name, n, library.name);
	if (!part->for_good || c[end].sas == 1)
		check_agreement(part, n);
}

/* False: there was no such call to fail. */
static bool
fail_one(const char *suite, const struct part *part, unsigned n)
{
	unsigned end = part->established ? part->downs : 0;
	bool hit;

	open_with(suite);
	if (part->established) {
		pair_up(&p);
		pair_pump(&p);
		ck_assert_uint_eq(children(0), 1);
		ck_assert_uint_eq(children(1), 1);
	}
	p.within = within;
	failing = part->fails;
	library.for_good = part->for_good;
	library.forgery = n % FORGERIES;
	library.target = n;
	library.calls = 0;
	if (part->established)
		go_down(end);
	else
		go_up(end);
	settle();
	hit = library.calls >= n;
	check_outcome(part, n);
	library.target = 0;		/* from here on all is well again */
	ck_assert_msg(hit || children(0) == !part->established, "%s: fails by itself",
	    part->name);
	go_up(end);
	settle();
	ck_assert_msg(children(end) == 1, "%s, %u (%s): not up again", part->name, n,
	    library.name);
	check_agreement(part, n);
	pair_close(&p);
	return hit;
}

START_TEST(library_call_fails)
{
	const struct part *part = &parts[_i % PARTS];
	unsigned n = 1;

	while (fail_one(suites[_i / PARTS], part, n))
		n++;
	ck_assert_uint_gt(n, part->established ? 2 : 60);
}
END_TEST

int
main(void)
{
	TCase *c = tcase_create("crypto faults");

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	tcase_set_timeout(c, 120);
	tcase_add_loop_test(c, library_call_fails, 0, SUITES * PARTS);
	return run_tests("crypto_faults", c);
}
