/* Every call of a cryptographic library fails, once or from then on, at either end, over
 * a whole life of an SA: what is refused says so, nothing stays half, and when the time
 * for sending again is over both ends agree, and what one seals the other can open. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/library.h"
#include "tests/unit/road.h"
#include "tests/unit/run.h"

/* Together they reach every backend. */
static const char *const suites[] = {
	"aes256gcm16-prfsha256-x25519",
	"aes128-sha256-prfsha384-ecp256",
	"chacha20poly1305-prfsha512-modp2048"
};

/* What goes on while calls fail, */
enum act {
	SET_UP,
	DOWN,
	CHILD_REKEY,
	CHILD_REKEYS,			/* at both ends at once */
	IKE_REKEY,
	IKE_REKEYS
};
static const struct {
	const char *name;
	enum act act;
	unsigned by;			/* the end that begins */
} acts[] = {
	{ "set-up", SET_UP, 0 },
	{ "down by 0", DOWN, 0 },
	{ "down by 1", DOWN, 1 },
	{ "Child SA rekeyed by 0", CHILD_REKEY, 0 },
	{ "Child SA rekeyed by 1", CHILD_REKEY, 1 },
	{ "Child SA rekeyed by both", CHILD_REKEYS, 0 },
	{ "IKE SA rekeyed by 0", IKE_REKEY, 0 },
	{ "IKE SA rekeyed by 1", IKE_REKEY, 1 },
	{ "IKE SA rekeyed by both", IKE_REKEYS, 0 },
};
/* and where they fail. */
static const struct {
	const char *name;
	unsigned fails;
	bool for_good;
} faults[] = {
	{ "once at 0", 0, false },
	{ "once at 1", 1, false },
	{ "for good at 0", 0, true },
	{ "for good at 1", 1, true },
};
enum {
	SUITES = sizeof suites / sizeof suites[0],
	ACTS = sizeof acts / sizeof acts[0],
	FAULTS = sizeof faults / sizeof faults[0]
};

struct part {
	char name[64];
	enum act act;
	unsigned by, fails;
	bool established;		/* the failures begin with an SA that is up */
	bool for_good;
};

static struct pair p;
static struct road road;
static unsigned failing;		/* the end whose library fails */

static void
within(unsigned end, bool inside)
{
	library.on = inside && end == failing;
}

/* `watchful` ones ask each other whether they are there: who is alone with an SA, or with
 * one that the other has not, finds out. */
static void
open_with(const char *suite, bool watchful)
{
	struct ike_setup setup[2];
	struct ike_child_setup child[2];

	pair_setups(setup, child);
	for (unsigned i = 0; i < 2; i++) {
		setup[i].ike = (struct ike_texts){ &suite, 1 };
		setup[i].dpd = watchful ? 30 * IKE_SECOND : 0;
	}
	pair_open(&p, setup);
	road_open(&road, &p);
	road.closing = true;		/* packets travel when all is settled */
}

/* Long enough for every schedule of sending again, and for asking before that. */
static void
settle(void)
{
	for (unsigned i = 0; i < 66; i++) {
		pair_pump(&p);
		pair_pass(&p, 5 * IKE_SECOND);
	}
	pair_pump(&p);
}

static void
go_up(unsigned end)
{
	within(end, true);
	ike_up(p.e[end], p.now, p.connection[end]);
	within(end, false);
	pair_drain(&p, end);
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
rekey(unsigned end, bool ike)
{
	struct ike_sa *sa = pair_sa(&p, end);

	within(end, true);
	ike_rekey(p.e[end], p.now, ike ? sa->id : LIST_FIRST(&sa->children)->id);
	within(end, false);
	pair_drain(&p, end);
}

static void
begin(const struct part *part)
{
	bool ike = part->act == IKE_REKEY || part->act == IKE_REKEYS;

	if (part->act == SET_UP)
		go_up(part->by);
	else if (part->act == DOWN)
		go_down(part->by);
	else
		rekey(part->by, ike);
	if (part->act == CHILD_REKEYS || part->act == IKE_REKEYS)
		rekey(1 - part->by, ike);
}

static unsigned
children(unsigned end)
{
	struct ike_sa *sa = pair_sa(&p, end);

	return sa != NULL ? sa->n_children : 0;
}

static bool
same_keys(const struct ike_keys *a, const struct ike_keys *b)
{
	return bytes_equal(ike_key_d(a), ike_key_d(b)) &&
	    bytes_equal(ike_key_cipher(a, true), ike_key_cipher(b, true)) &&
	    bytes_equal(ike_key_cipher(a, false), ike_key_cipher(b, false));
}

/* The same SA at both ends, and packets pass; or none at either. */
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
	if (a == NULL)
		return;
	ck_assert_msg(a->spi_i == b->spi_i && a->spi_r == b->spi_r &&
		same_keys(&a->keys, &b->keys) && a->encap && b->encap,
	    "%s, %u (%s): two different SAs", part->name, n, library.name);
	road.closing = false;
	road_travel(&road);
	road.closing = true;
}

/* Nothing is half, what ended has said why, and both ends agree.  But an end that can
 * seal or open nothing any more has no way to tell the other, which then keeps what it
 * had until it asks. */
static void
check_outcome(const struct part *part, unsigned n)
{
	struct ike_counts c[2];
	unsigned by = part->by;

	for (unsigned i = 0; i < 2; i++) {
		ike_read_counts(p.e[i], &c[i]);
		ck_assert_msg(c[i].half_open + c[i].questions == 0 &&
			c[i].children == c[i].sas,
		    "%s, %u (%s): %u half-open, %u questions, %u SAs, %u children at %u",
		    part->name, n, library.name, c[i].half_open, c[i].questions,
		    c[i].sas, c[i].children, i);
	}
	ck_assert_msg(c[by].sas == 1 ||
		(p.events[by][IKE_DOWN] > 0 && p.down[by] != IKE_OK),
	    "%s, %u (%s): ends without a reason", part->name, n, library.name);
	ck_assert_msg(part->act != DOWN || c[by].sas == 0, "%s, %u (%s): is up",
	    part->name, n, library.name);
	if (!part->for_good || part->established || c[by].sas == 1)
		check_agreement(part, n);
}

static void
establish(void)
{
	pair_up(&p);
	pair_pump(&p);
	ck_assert_uint_eq(children(0), 1);
	ck_assert_uint_eq(children(1), 1);
}

/* False: there was no such call to fail. */
static bool
fail_one(const char *suite, const struct part *part, unsigned n)
{
	bool hit, stays = part->act != DOWN;

	open_with(suite, part->established);
	if (part->established)
		establish();
	p.within = within;
	failing = part->fails;
	library.for_good = part->for_good;
	library.forgery = n % FORGERIES;
	library.target = n;
	library.calls = 0;
	begin(part);
	for (unsigned i = 0; i < 20; i++) {	/* the calls that count */
		pair_pump(&p);
		pair_pass(&p, IKE_SECOND);
	}
	hit = library.calls >= n;
	if (!part->for_good || !hit)
		library.target = 0;
	settle();
	check_outcome(part, n);
	library.target = 0;		/* from here on all is well again */
	ck_assert_msg(hit || children(0) == stays, "%s: fails by itself", part->name);
	go_up(part->by);
	settle();
	ck_assert_msg(children(part->by) == 1, "%s, %u (%s): not up again", part->name, n,
	    library.name);
	check_agreement(part, n);
	pair_close(&p);
	return hit;
}

START_TEST(library_call_fails)
{
	unsigned act = (unsigned)_i % ACTS, fault = (unsigned)_i / ACTS % FAULTS;
	struct part part = { .act = acts[act].act, .by = acts[act].by,
	    .fails = faults[fault].fails, .for_good = faults[fault].for_good,
	    .established = acts[act].act != SET_UP };
	unsigned n = 1;

	snprintf(part.name, sizeof(part.name), "%s, %s", acts[act].name,
	    faults[fault].name);
	while (fail_one(suites[(unsigned)_i / ACTS / FAULTS], &part, n))
		n++;
	ck_assert_uint_gt(n, part.act == SET_UP ? 60 : part.act == DOWN ? 2 : 8);
}
END_TEST

int
main(void)
{
	TCase *c = tcase_create("crypto faults");

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	tcase_set_timeout(c, 120);
	tcase_add_loop_test(c, library_call_fails, 0, SUITES * ACTS * FAULTS);
	return run_tests("crypto_faults", c);
}
