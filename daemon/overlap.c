#include "daemon/overlap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libesp/selector.h"

/* Pairs to be looked at, half a second's worth.  Only where many networks overlap are
 * there more, and then enough has been said. */
enum { MOST_PAIRS = 20 * 1000 * 1000 };

/* What one policy is found by. */
struct span {
	struct esp_selector selector;
	unsigned connection;
	int child;
};

struct spans {
	struct span *v;		/* owned */
	size_t n, room;
};

static bool
add_spans(struct spans *spans, const struct esp_selector *v, unsigned n,
    unsigned connection, int child)
{
	struct span *more;
	unsigned i;

	if (spans->room - spans->n < n) {
		spans->room = 2 * spans->room + n;
		more = reallocarray(spans->v, spans->room, sizeof(*more));
		if (more == NULL)
			return false;
		spans->v = more;
	}
	for (i = 0; i < n; i++)
		spans->v[spans->n++] = (struct span){ v[i], connection, child };
	return true;
}

static bool
add_children(struct spans *spans, const struct ike_connection *c, unsigned connection)
{
	struct esp_selector *v;
	bool good = true;
	unsigned i, n;

	for (i = 0; i < c->n_children && good; i++) {
		if (ike_ts_pairs(&c->children[i].local, &c->children[i].remote, &v,
		    &n) != IKE_OK)
			return false;
		good = add_spans(spans, v, n, connection, (int)i);
		free(v);
	}
	return good;
}

/* ---- in order of addresses, so that what overlaps is near ---- */

/* <0: a begins before b ends; the family goes before the address. */
static int
compare_ends(const struct esp_range *a, unsigned end_a, const struct esp_range *b,
    unsigned end_b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->addr[end_a], b->addr[end_b], sizeof(a->addr[0]));
}

static int
by_remote(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return compare_ends(&x->selector.remote, 0, &y->selector.remote, 0);
}

static int
by_local(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return compare_ends(&x->selector.local, 0, &y->selector.local, 0);
}

static const struct order {
	int (*compare)(const void *, const void *);
	size_t range;		/* in struct esp_selector: what is sorted by */
} orders[] = {
	{ by_remote, offsetof(struct esp_selector, remote) },
	{ by_local, offsetof(struct esp_selector, local) },
};

static const struct esp_range *
range_of(const struct order *order, const struct span *span)
{
	const uint8_t *selector = (const uint8_t *)&span->selector;

	return (const struct esp_range *)(const void *)(selector + order->range);
}

/* The first span behind `at` that begins after `at` ends. */
static size_t
find_end(const struct spans *spans, const struct order *order, size_t at)
{
	const struct esp_range *range = range_of(order, &spans->v[at]);
	size_t low = at + 1, high = spans->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (compare_ends(range_of(order, &spans->v[middle]), 0, range, 1) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint64_t
count_pairs(const struct spans *spans, const struct order *order)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < spans->n; i++)
		n += find_end(spans, order, i) - i - 1;
	return n;
}

/* Many peers behind one network, or many networks behind one peer: one of the two orders
 * has few pairs to look at.  The spans are sorted by it. */
static const struct order *
choose_order(struct spans *spans)
{
	const struct order *best = &orders[0];

	qsort(spans->v, spans->n, sizeof(*spans->v), orders[0].compare);
	if (count_pairs(spans, &orders[0]) <= spans->n)
		return best;
	qsort(spans->v, spans->n, sizeof(*spans->v), orders[1].compare);
	if (count_pairs(spans, &orders[1]) <= spans->n)
		return &orders[1];
	qsort(spans->v, spans->n, sizeof(*spans->v), best->compare);
	return best;
}

/* ---- saying so ---- */

static bool
overlap(const struct esp_selector *a, const struct esp_selector *b)
{
	struct esp_range both;

	return esp_range_intersect(&a->remote, &b->remote, &both) &&
	    esp_range_intersect(&a->local, &b->local, &both);
}

enum { SPAN_TEXT = 2 * ESP_RANGE_TEXT + 8 };

static const char *
print_span(const struct esp_selector *selector, char buf[SPAN_TEXT])
{
	char local[ESP_RANGE_TEXT], remote[ESP_RANGE_TEXT];

	esp_range_print(&selector->local, local, sizeof(local));
	esp_range_print(&selector->remote, remote, sizeof(remote));
	snprintf(buf, SPAN_TEXT, "%s === %s", local, remote);
	return buf;
}

/* esp_selector_rank decides, and of equals the policy that was put last. */
static void
warn(const struct configuration *c, const struct span *first, const struct span *second,
    struct faults *warnings)
{
	const struct configured *one = &c->connections[first->connection];
	const struct configured *two = &c->connections[second->connection];
	uint32_t rank_one = esp_selector_rank(&first->selector);
	uint32_t rank_two = esp_selector_rank(&second->selector);
	struct origin there = configured_origin(one, "children.remote", first->child);
	char text_one[SPAN_TEXT], text_two[SPAN_TEXT];

	print_span(&first->selector, text_one);
	print_span(&second->selector, text_two);
	fault_add(warnings, configured_origin(two, "children.remote", second->child),
	    "%s: %s overlaps with %s of %s (%s:%u); a packet that fits both goes to %s, "
	    "%s",
	    two->name, text_two, text_one, one->name, there.file, there.line,
	    rank_one < rank_two ? one->name : two->name,
	    rank_one != rank_two ? "which is narrower" :
	    "which is read later, so write it in one of them only");
}

static void
warn_each(const struct configuration *c, struct spans *spans, struct faults *warnings)
{
	const struct order *order = choose_order(spans);
	bool *told = calloc(c->n_connections, sizeof(*told));
	uint64_t pairs = 0;
	size_t i, k, end;

	if (told == NULL)
		warnings->no_memory = true;
	for (i = 0; i < spans->n && told != NULL && pairs < MOST_PAIRS; i++) {
		end = find_end(spans, order, i);
		pairs += end - i - 1;
		for (k = i + 1; k < end; k++) {
			const struct span *a = &spans->v[i], *b = &spans->v[k];
			const struct span *later = a->connection > b->connection ? a : b;

			if (a->connection == b->connection || told[later->connection] ||
			    !overlap(&a->selector, &b->selector))
				continue;
			told[later->connection] = true;
			warn(c, later == a ? b : a, later, warnings);
		}
	}
	free(told);
}

void
overlaps_warn(const struct configuration *c, struct faults *warnings)
{
	struct spans spans = { 0 };
	bool good = true;
	unsigned i;

	for (i = 0; i < c->n_connections && good; i++)
		if (c->connections[i].connection->start != IKE_START_PASSIVE)
			good = add_children(&spans, c->connections[i].connection, i);
	if (good && spans.n > 1)
		warn_each(c, &spans, warnings);
	else if (!good)
		warnings->no_memory = true;
	free(spans.v);
}
