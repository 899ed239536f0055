#include <stdlib.h>

#include "libesp/bytes.h"
#include "libipsec/index.h"

enum { CHAINS_MIN = 16 };

/* Ids are counted up, in steps that may be even: multiplied by an odd number, their upper
 * half differs in every bit. */
static struct ipsec_entry **
chain_of(const struct ipsec_index *x, uint64_t id)
{
	return &x->chains[(id * 0x9e3779b97f4a7c15) >> 32 & x->mask];
}

static void
push(struct ipsec_index *x, struct ipsec_entry *e)
{
	struct ipsec_entry **chain = chain_of(x, e->id);

	e->next = *chain;
	*chain = e;
}

/* One that cannot grow goes on with longer chains. */
static void
grow(struct ipsec_index *x)
{
	struct ipsec_index larger = *x;
	struct ipsec_entry *e;

	larger.mask = x->chains == NULL ? CHAINS_MIN - 1 : 2 * x->mask + 1;
	larger.chains = calloc(larger.mask + 1, sizeof(struct ipsec_entry *));
	if (larger.chains == NULL)
		return;
	for (size_t i = 0; x->chains != NULL && i <= x->mask; i++)
		while ((e = x->chains[i]) != NULL) {
			x->chains[i] = e->next;
			push(&larger, e);
		}
	free(x->chains);
	*x = larger;
}

bool
ipsec_index_add(struct ipsec_index *x, struct ipsec_entry *e)
{
	if (x->chains == NULL || x->n > x->mask)
		grow(x);
	if (x->chains == NULL)
		return false;
	push(x, e);
	x->n++;
	return true;
}

void
ipsec_index_remove(struct ipsec_index *x, struct ipsec_entry *e)
{
	struct ipsec_entry **at = chain_of(x, e->id);

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	if (--x->n == 0)
		ipsec_index_free(x);
}

void *
ipsec_index_find(const struct ipsec_index *x, uint64_t id)
{
	struct ipsec_entry *e = x->chains == NULL ? NULL : *chain_of(x, id);

	while (e != NULL && e->id != id)
		e = e->next;
	return e;
}

/* Each round finds near what the one before has asked for; few are further down their
 * chains. */
void
ipsec_index_expect(const struct ipsec_index *x, const uint64_t *ids, unsigned n,
    size_t len)
{
	const struct ipsec_entry *e;
	unsigned i;

	if (x->chains == NULL)
		return;
	for (i = 0; i < n; i++)
		bytes_expect(chain_of(x, ids[i]), sizeof(*x->chains));
	for (i = 0; i < n; i++)
		bytes_expect(*chain_of(x, ids[i]), len);
	for (i = 0; i < n; i++)
		if ((e = *chain_of(x, ids[i])) != NULL && e->id != ids[i])
			bytes_expect(e->next, len);
}

void *
ipsec_index_any(const struct ipsec_index *x, size_t *from)
{
	for (; x->n != 0 && *from <= x->mask; (*from)++)
		if (x->chains[*from] != NULL)
			return x->chains[*from];
	return NULL;
}

void
ipsec_index_free(struct ipsec_index *x)
{
	free(x->chains);
	*x = (struct ipsec_index){ .chains = NULL };
}
