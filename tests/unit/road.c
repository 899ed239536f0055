#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/road.h"
#include "tests/unit/run.h"

/* A packet may be under way for so long: an SA that was used goes no sooner. */
static const ike_time under_way = IKE_SECOND;

static void
add(struct road_sa *list, unsigned *n, const struct ike_event *event, struct bytes key)
{
	struct road_sa *sa = &list[*n];
	bool in = event->type == IKE_IN_ADD;

	ck_assert_uint_lt(*n, ROAD_SAS);
	*sa = (struct road_sa){ .id = event->child, .open = true,
	    .spi = in ? event->u.child->spi_in : event->u.child->spi_out };
	for (unsigned i = 0; i < *n; i++)
		ck_assert_msg(list[i].spi != sa->spi, "SPI %08x again", sa->spi);
	snprintf(sa->name, sizeof(sa->name), "%s", event->u.child->name);
	memcpy(sa->key.octets, key.p, key.len);
	sa->key.len = key.len;
	(*n)++;
}

static struct road_sa *
find(struct road_sa *list, unsigned n, uint32_t spi)
{
	for (unsigned i = 0; i < n; i++)
		if (list[i].spi == spi && list[i].open)
			return &list[i];
	return NULL;
}

static void
take_out(struct road_sa *list, unsigned n, uint32_t spi)
{
	struct road_sa *sa = find(list, n, spi);

	ck_assert_msg(sa != NULL, "SPI %08x is removed and was not there", spi);
	sa->open = false;
}

static void
hear(void *arg, unsigned end, const struct ike_event *event)
{
	struct road *r = arg;
	struct road_sa *sa;

	if (event->type == IKE_IN_ADD) {
		add(r->in[end], &r->n_in[end], event, event->u.child->key_in);
	} else if (event->type == IKE_OUT_ADD) {
		add(r->out[end], &r->n_out[end], event, event->u.child->key_out);
	} else if (event->type == IKE_OUT_REMOVE) {
		take_out(r->out[end], r->n_out[end], event->u.child->spi_out);
	} else if (event->type == IKE_IN_REMOVE) {
		sa = find(r->in[end], r->n_in[end], event->u.child->spi_in);
		ck_assert_msg(r->closing || sa == NULL || sa->used == 0 ||
		    r->p->now - sa->used >= under_way,
		    "SPI %08x goes while packets may be under way", sa ? sa->spi : 0);
		take_out(r->in[end], r->n_in[end], event->u.child->spi_in);
	}
}

void
road_open(struct road *r, struct pair *p)
{
	memset(r, 0, sizeof(*r));
	r->p = p;
	p->hear = hear;
	p->hear_arg = r;
}

static void
tell_first(struct road *r, unsigned end, struct road_sa *sa)
{
	struct ike_notice notice = { .type = IKE_FIRST_IN, .id = sa->id };

	if (r->deaf || sa->told)
		return;
	sa->told = true;
	ike_tell(r->p->e[end], r->p->now, &notice);
	pair_drain(r->p, end);
}

/* From this end over this child, if it has ever been up. */
static void
send(struct road *r, unsigned end, const char *name)
{
	struct road_sa *out = NULL, *in;

	for (unsigned i = 0; i < r->n_out[end]; i++)
		if (r->out[end][i].open && strcmp(r->out[end][i].name, name) == 0)
			out = &r->out[end][i];
	if (out == NULL) {
		must(r->closing, "%u has nothing to send on for %s", end, name);
		return;
	}
	in = find(r->in[1 - end], r->n_in[1 - end], out->spi);
	if (in == NULL) {
		must(r->closing, "%u cannot open what comes on %08x", 1 - end, out->spi);
		return;
	}
	must(in->key.len == out->key.len &&
	    memcmp(in->key.octets, out->key.octets, in->key.len) == 0,
	    "%08x has two keys", out->spi);
	in->used = out->used = r->p->now;
	r->packets++;
	tell_first(r, 1 - end, in);
}

void
road_travel(struct road *r)
{
	bool first;

	for (unsigned end = 0; end < 2; end++)
		for (unsigned i = 0; i < r->n_out[end]; i++) {
			first = true;
			for (unsigned k = 0; k < i; k++)
				first &= strcmp(r->out[end][k].name,
				    r->out[end][i].name) != 0;
			if (first)
				send(r, end, r->out[end][i].name);
		}
}

void
road_deliver(struct road *r, unsigned index)
{
	road_travel(r);
	pair_deliver(r->p, index);
	road_travel(r);
}

void
road_pump(struct road *r)
{
	road_travel(r);
	while (r->p->n > 0)
		road_deliver(r, 0);
}

void
road_pass(struct road *r, ike_time span)
{
	ike_time end = r->p->now + span, step, at;

	while (r->p->now < end) {
		step = end - r->p->now;
		for (unsigned i = 0; i < 2; i++)
			if (ike_next_deadline(r->p->e[i], &at) &&
			    at - r->p->now < step)
				step = at > r->p->now ? at - r->p->now : 1;
		if (step > IKE_SECOND / 10)
			step = IKE_SECOND / 10;
		pair_pass(r->p, step);
		road_pump(r);
	}
}

static unsigned
count(const struct road_sa *list, unsigned n)
{
	unsigned open = 0;

	for (unsigned i = 0; i < n; i++)
		open += list[i].open;
	return open;
}

unsigned
road_in(const struct road *r, unsigned end)
{
	return count(r->in[end], r->n_in[end]);
}

unsigned
road_out(const struct road *r, unsigned end)
{
	return count(r->out[end], r->n_out[end]);
}

uint32_t
road_spi(const struct road *r, unsigned end)
{
	for (unsigned i = r->n_out[end]; i-- > 0;)
		if (r->out[end][i].open)
			return r->out[end][i].spi;
	return 0;
}
