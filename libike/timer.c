/* Deadlines as an intrusive pairing heap: arming and disarming never allocate, so a
 * deadline cannot be lost for want of memory. */
#include "libike/sa.h"

/* Makes the later of two roots the eldest child of the other. */
static struct ike_timer *
meld(struct ike_timer *a, struct ike_timer *b)
{
	struct ike_timer *t;

	if (a == NULL)
		return b;
	if (b == NULL)
		return a;
	if (b->at < a->at) {
		t = a;
		a = b;
		b = t;
	}
	b->prev = a;
	b->next = a->child;
	if (b->next != NULL)
		b->next->prev = b;
	a->child = b;
	a->next = a->prev = NULL;
	return a;
}

/* Siblings become one heap: first in pairs from left to right, then right to left. */
static struct ike_timer *
meld_siblings(struct ike_timer *first)
{
	struct ike_timer *pairs = NULL, *a, *b, *rest, *root = NULL;

	for (a = first; a != NULL; a = rest) {
		b = a->next;
		rest = b != NULL ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b != NULL)
			b->next = b->prev = NULL;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	for (a = pairs; a != NULL; a = rest) {
		rest = a->next;
		a->next = NULL;
		root = meld(root, a);
	}
	return root;
}

static void
set_first(struct ike *e, struct ike_timer *t)
{
	e->timers = t;
	if (t != NULL)
		t->prev = t;
}

void
ike_timer_disarm(struct ike *e, struct ike_timer *t)
{
	struct ike_timer *below;

	if (!ike_timer_is_armed(t))
		return;
	below = meld_siblings(t->child);
	if (t == e->timers) {
		set_first(e, below);
	} else {
		if (t->prev->child == t)
			t->prev->child = t->next;
		else
			t->prev->next = t->next;
		if (t->next != NULL)
			t->next->prev = t->prev;
		set_first(e, meld(e->timers, below));
	}
	t->child = t->next = t->prev = NULL;
	e->counts.timers--;
}

void
ike_timer_arm(struct ike *e, struct ike_timer *t, ike_time at)
{
	ike_timer_disarm(e, t);
	t->at = at;
	t->child = t->next = t->prev = NULL;
	set_first(e, meld(e->timers, t));
	e->counts.timers++;
}

void
ike_timers_run(struct ike *e)
{
	struct ike_timer *t;

	while ((t = e->timers) != NULL && t->at <= e->now) {
		ike_timer_disarm(e, t);
		t->fire(e, t);
	}
}
