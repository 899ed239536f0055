/* The ends of SAs are told when nothing is left of those but what tells it. */
#include <string.h>

#include "tests/unit/pair.h"
#include "tests/unit/run.h"

enum { MOST = 8 };

static struct pair p;
static struct ike_child added;			/* the last one of end 0 */
static struct esp_selector selector;
static struct { enum ike_event_type type; ike_id sa, child; } told[MOST];
static unsigned n_told;
static bool checking;

static void
check(const struct ike_child *c)
{
	ck_assert_str_eq(c->name, added.name);
	ck_assert_uint_eq(c->spi_in, added.spi_in);
	ck_assert_uint_eq(c->spi_out, added.spi_out);
	ck_assert_ptr_eq(c->transform, added.transform);
	ck_assert_uint_eq(c->n_selectors, 1);
	ck_assert_mem_eq(c->selectors, &selector, sizeof(selector));
	ck_assert_uint_eq(c->key_in.len + c->key_out.len, 0);
}

static void
listen(void *arg, unsigned end, const struct ike_event *event)
{
	(void)arg;
	if (end != 0)
		return;
	if (event->type == IKE_IN_ADD) {
		added = *event->u.child;
		selector = added.selectors[0];
	} else if (event->type == IKE_OUT_REMOVE || event->type == IKE_IN_REMOVE ||
	    event->type == IKE_DOWN) {
		ck_assert_uint_lt(n_told, MOST);
		told[n_told].type = event->type;
		told[n_told].sa = event->sa;
		told[n_told++].child = event->child;
		ck_assert(event->connection == p.connection[0]);
		ck_assert((event->child != 0) == (event->u.child != NULL));
		ck_assert(event->at == p.now);
		if (checking && event->child != 0)
			check(event->u.child);
	}
}

static void
set_up(void)
{
	n_told = 0;
	pair_start(&p);
	p.hear = listen;
	pair_up(&p);
	pair_pump(&p);
}

static struct ike_child_sa *
first_child(void)
{
	return LIST_FIRST(&pair_sa(&p, 0)->children);
}

/* Takes the IKE SA down, and the peer does not answer; nothing is taken until it is no
 * more, and some calls later. */
static void
end_unheard(void)
{
	struct ike_counts counts;
	ike_time when;

	ck_assert_int_eq(ike_down(p.e[0], p.now, pair_sa(&p, 0)->id), IKE_OK);
	do {
		ck_assert(ike_next_deadline(p.e[0], &when));
		p.now = when > p.now ? when : p.now;
		ike_tick(p.e[0], p.now);
		ike_read_counts(p.e[0], &counts);
	} while (counts.sas > 0);
	ck_assert_uint_eq(counts.children, 0);
	for (unsigned i = 0; i < 3; i++)
		ike_tick(p.e[0], ++p.now);
}

static void
take_all(void)
{
	checking = true;
	pair_drain(&p, 0);
	checking = false;
}

START_TEST(ends_are_told_of_what_is_gone)
{
	static const enum ike_event_type types[] = { IKE_OUT_REMOVE, IKE_DOWN,
		IKE_IN_REMOVE, IKE_DOWN };
	ike_id sa = pair_sa(&p, 0)->id, child = first_child()->id;

	added.name = first_child()->configured->name;
	end_unheard();
	ck_assert_uint_eq(n_told, 0);
	take_all();
	ck_assert_uint_eq(n_told, 4);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(told[i].type, types[i]);
		ck_assert(told[i].sa == sa);
		ck_assert(told[i].child == (i < 3 ? child : 0));
	}
	pair_close(&p);
}
END_TEST

START_TEST(ends_that_nobody_takes)
{
	end_unheard();
	for (unsigned i = 0; i < 2; i++)
		ike_free(p.e[i]);		/* the sanitizer finds what is left */
}
END_TEST

/* One that was rekeyed goes on hearing when its IKE SA is gone. */
START_TEST(end_of_what_lingers)
{
	const struct ike_child_sa *old = first_child();
	struct ike_child before = added;
	ike_id sa = pair_sa(&p, 0)->id, id = old->id;

	before.name = old->configured->name;
	ck_assert_int_eq(ike_rekey(p.e[0], p.now, id), IKE_OK);
	pair_drain(&p, 0);
	pair_pump(&p);
	pair_pass(&p, 2 * IKE_SECOND);		/* its DELETE */
	pair_pump(&p);
	ck_assert_uint_eq(n_told, 1);
	ck_assert_int_eq(told[0].type, IKE_OUT_REMOVE);
	ck_assert(told[0].child == id);
	ck_assert_int_eq(ike_down(p.e[0], p.now, sa), IKE_OK);
	pair_drain(&p, 0);
	pair_pump(&p);
	ck_assert_ptr_null(pair_sa(&p, 0));
	ck_assert_int_eq(told[n_told - 1].type, IKE_DOWN);
	n_told = 0;
	p.now += 10 * IKE_SECOND;
	ike_tick(p.e[0], p.now);
	added = before;
	take_all();
	ck_assert_uint_eq(n_told, 1);
	ck_assert_int_eq(told[0].type, IKE_IN_REMOVE);
	ck_assert(told[0].sa == sa && told[0].child == id);
	pair_close(&p);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("event");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, ends_are_told_of_what_is_gone);
	tcase_add_test(t, ends_that_nobody_takes);
	tcase_add_test(t, end_of_what_lingers);
	return run_tests("event", t);
}
