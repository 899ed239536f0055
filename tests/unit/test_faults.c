/* Every allocation fails once, at either end, over a whole life of an SA: nothing
 * crashes, nothing is left, and when the time for sending again is over both ends
 * agree. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/pair.h"
#include "tests/unit/run.h"

/* The sanitizers have an allocator of their own. */
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
extern void __libc_free(void *);

static bool inside;		/* the engine: the test's own allocations never fail */
static long allowed = -1;	/* allocations before one fails; -1: all succeed */
static bool for_good;		/* and so do all after that one */
static long live;

static bool
fails(void)
{
	if (!inside || allowed < 0)
		return false;
	if (allowed > 0) {
		allowed--;
		return false;
	}
	if (!for_good)
		allowed = -1;
	return true;
}

void *
malloc(size_t size)
{
	void *p = fails() ? NULL : __libc_malloc(size);

	live += p != NULL;
	return p;
}

void *
calloc(size_t n, size_t size)
{
	void *p = fails() ? NULL : __libc_calloc(n, size);

	live += p != NULL;
	return p;
}

void *
realloc(void *old, size_t size)
{
	void *p = fails() ? NULL : __libc_realloc(old, size);

	live += p != NULL && old == NULL;
	return p;
}

void
free(void *p)
{
	live -= p != NULL;
	__libc_free(p);
}

static struct pair p;

static void
within(unsigned end, bool now_inside)
{
	(void)end;
	inside = now_inside;
}

/* Long enough for every schedule of sending again, but without leaving the SA idle at
 * its end. */
static void
settle(void)
{
	for (unsigned i = 0; i < 100; i++) {
		pair_pump(&p);
		pair_pass(&p, IKE_SECOND);
	}
	pair_pump(&p);
}

static unsigned
children(unsigned end)
{
	struct ike_sa *sa = pair_sa(&p, end);

	return sa != NULL ? sa->n_children : 0;
}

static void
check_agreement(const char *when, unsigned n)
{
	struct ike_counts c[2];

	for (unsigned i = 0; i < 2; i++)
		ike_read_counts(p.e[i], &c[i]);
	ck_assert_msg(c[0].sas == c[1].sas && c[0].children == c[1].children &&
		c[0].half_open + c[1].half_open + c[0].questions + c[1].questions == 0,
	    "%s, allocation %u: %u and %u SAs (%u and %u half-open), %u and %u children",
	    when, n, c[0].sas, c[1].sas, c[0].half_open, c[1].half_open, c[0].children,
	    c[1].children);
	ck_assert_msg(c[0].sas <= 1, "%s, allocation %u: %u SAs", when, n, c[0].sas);
}

static void
down(unsigned end, ike_id id)
{
	within(end, true);
	ike_down(p.e[end], p.now, id);
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

/* The parts of a life that a failure is to fall into. */
enum part {
	SET_UP,
	ACQUIRE,
	CHILD_DOWN,
	DOWN_AT_0,
	DOWN_AT_1,
	NOT_INSTALLED,
	REFUSED,
	IN_FRAGMENTS,
	SILENCE,
	ROAMING,
	CHILD_REKEY,
	CHILD_REKEYS,		/* at both ends at once */
	IKE_REKEY,
	IKE_REKEYS,
	REAUTHENTICATION,
	CHILDLESS,		/* the Child SA comes after IKE_AUTH */
	PARTS
};
static const char *const parts[] = { "set-up", "acquire", "Child SA down", "down at 0",
    "down at 1", "not installed", "refused", "in fragments",
    "silence", "roaming", "Child SA rekeyed", "Child SA rekeyed by both",
    "IKE SA rekeyed", "IKE SA rekeyed by both", "reauthenticated",
    "childless" };

static void
live_through(enum part part, struct ike_child_info *info)
{
	struct ike_notice notice = { .type = IKE_ACQUIRE, .child = "net",
	    .id = p.connection[0] };

	switch (part) {
	case REFUSED:
		p.secret[1] = "something else";
		/* fall through */
	case SET_UP:
	case IN_FRAGMENTS:
	case CHILDLESS:
		within(0, true);
		ike_up(p.e[0], p.now, p.connection[0]);
		within(0, false);
		break;
	case NOT_INSTALLED:
		notice.type = IKE_NOT_INSTALLED;
		notice.id = info->id;
		/* fall through */
	case ACQUIRE:
		esp_range_parse("10.1.0.1", &notice.packet.local);
		esp_range_parse("10.2.0.1", &notice.packet.remote);
		within(0, true);
		ike_tell(p.e[0], p.now, &notice);
		within(0, false);
		break;
	case CHILD_DOWN:
		down(0, info->id);
		break;
	case DOWN_AT_0:
	case DOWN_AT_1:
		down(part == DOWN_AT_1, p.connection[part == DOWN_AT_1]);
		break;
	case ROAMING:
		p.where[0].addr[0][3] = 99;
		within(0, true);
		ike_roam(p.e[0], p.now);
		within(0, false);
		break;
	case CHILD_REKEY:
	case IKE_REKEY:
		rekey(0, part == IKE_REKEY);
		break;
	case CHILD_REKEYS:
	case IKE_REKEYS:
		for (unsigned i = 0; i < 2; i++)
			rekey(i, part == IKE_REKEYS);
		break;
	case REAUTHENTICATION:
		within(0, true);
		(void)ike_peer_reauthenticate(p.e[0], pair_sa(&p, 0));
		within(0, false);
		break;
	case SILENCE:			/* time comes to pass */
	case PARTS:
		break;
	}
	for (unsigned i = 0; i < 2; i++)
		pair_drain(&p, i);
}

/* Those whose IKE_AUTH is cut in five. */
static void
start_in_fragments(void)
{
	struct ike_setup setup[2];
	struct ike_child_setup child[2];

	pair_setups(setup, child);
	pair_widen(child);
	setup[0].fragment = setup[1].fragment = 576;
	pair_open(&p, setup);
}

/* Those that want a key exchange for the first Child SA, too. */
static void
start_childless(void)
{
	struct ike_setup setup[2];
	struct ike_child_setup child[2];

	pair_setups(setup, child);
	for (unsigned i = 0; i < 2; i++)
		setup[i].pfs = IKE_PFS_REQUIRE;
	pair_open(&p, setup);
}

/* Two that are up, ask each other whether they are there, and may move. */
static void
establish_watchful(void)
{
	struct ike_setup setup[2];
	struct ike_child_setup child[2];

	pair_setups(setup, child);
	for (unsigned i = 0; i < 2; i++) {
		setup[i].dpd = 30 * IKE_SECOND;
		setup[i].mobike = true;
	}
	setup[1].remote_address = "any";
	pair_open(&p, setup);
	pair_up(&p);
	pair_pump(&p);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(pair_state(&p, i), IKE_STATE_ESTABLISHED);
}

/* Where one end is, the other one looks for it. */
static void
check_paths(const char *when, unsigned n)
{
	if (children(0) == 1 && children(1) == 1)
		ck_assert_msg(memcmp(pair_sa(&p, 0)->path.addr[0],
		    pair_sa(&p, 1)->path.addr[1], 16) == 0,
		    "%s, allocation %u: the ends take different ways", when, n);
}

/* False: there was no such allocation to fail. */
static bool
fail_one(enum part part, unsigned n)
{
	bool up = part == SET_UP || part == ACQUIRE || part == REFUSED ||
	    part == IN_FRAGMENTS || part == CHILDLESS;
	struct ike_child_info info = { 0 };

	if (part == IN_FRAGMENTS)
		start_in_fragments();
	else if (part == CHILDLESS)
		start_childless();
	else if (up)
		pair_start(&p);
	else if (part == SILENCE || part == ROAMING || part >= IKE_REKEY)
		establish_watchful();
	else
		pair_establish(&p);
	p.within = within;
	if (!up)
		ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
	allowed = n;
	live_through(part, &info);
	settle();
	for (unsigned i = 0; part >= IKE_REKEY && i < 3; i++)
		settle();	/* who has a new IKE SA alone finds out by asking */
	up = allowed < 0;
	allowed = -1;
	check_agreement(parts[part], n);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_msg(children(i) == 0 || pair_sa(&p, i)->encap,
		    "%s, allocation %u: up without encapsulation", parts[part], n);
	check_paths(parts[part], n);
	if (part != SET_UP && part != ACQUIRE && part < IN_FRAGMENTS)
		ck_assert_msg(children(0) == 0, "%s, allocation %u: a child is left",
		    parts[part], n);
	/* And nothing keeps it from being up again. */
	p.secret[1] = p.secret[0];
	pair_up(&p);
	settle();
	ck_assert_msg(children(0) == 1 && children(1) == 1,
	    "%s, allocation %u: not up again", parts[part], n);
	pair_close(&p);
	return up;
}

START_TEST(allocation_fails)
{
	enum part part = (enum part)_i;
	long before;
	unsigned n;

	fail_one(part, 100000); /* libcrypto cannot stand it while it sets itself up */
	before = live;
	for (n = 0; fail_one(part, n); n++)
		;
	ck_assert_uint_ge(n, 2);
	/* libcrypto remembers its last 16 failures with two strings each */
	ck_assert_msg(live <= before + 32, "%s: %ld allocations are left of %u failures",
	    parts[part], live - before, n);
}
END_TEST

/* Another connection in the place of one: when there is no memory for it, the peer is
 * found as before. */
START_TEST(replacement_fails_whole)
{
	struct ike_setup setup[2];
	struct ike_child_setup child[2];
	struct ike_connection *c;
	struct ike_fault fault;
	unsigned i = 0, n;
	ike_id id;

	do {
		pair_setups(setup, child);
		pair_open(&p, setup);
		setup[1].remote_address = "any";
		setup[1].remote_id = "c.example";
		ck_assert_ptr_nonnull(c = ike_connection_new(&setup[1], &fault, 1, &n));
		for_good = true;
		allowed = i++;
		within(1, true);
		id = ike_put(p.e[1], p.now, p.connection[1], c);
		within(1, false);
		allowed = -1;
		for_good = false;
		ike_connection_free(c);
		pair_up(&p);
		settle();
		ck_assert_msg(children(1) == (id == 0), "allocation %u: %s", i,
		    id == 0 ? "found no more" : "still found");
		pair_close(&p);
	} while (id == 0);
	ck_assert_uint_gt(i, 3);
}
END_TEST

#endif

int
main(void)
{
	TCase *c = tcase_create("faults");

	tcase_set_timeout(c, 60);
#ifdef CAN_FAIL
	tcase_add_loop_test(c, allocation_fails, 0, PARTS);
	tcase_add_test(c, replacement_fails_whole);
#endif
	return run_tests("faults", c);
}
