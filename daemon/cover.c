#include "daemon/cover.h"

#include <stdlib.h>

#include "daemon/plan.h"
#include "libipsec/hash.h"

struct member {
	UT_hash_handle hh;
	struct esp_prefix prefix;	/* all its octets are the key: no padding */
	unsigned users;
	bool needed;
};
struct cover {
	cover_changed *changed;
	void *arg;
	struct member *members;
	unsigned lengths[129];	/* how many members have so many bits */
};

struct cover *
cover_new(cover_changed *changed, void *arg)
{
	struct cover *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->changed = changed;
	c->arg = arg;
	return c;
}

void
cover_free(struct cover *c)
{
	struct member *m, *next;

	if (c == NULL)
		return;
	HASH_ITER(hh, c->members, m, next) {
		HASH_DEL(c->members, m);
		free(m);
	}
	free(c);
}

static struct member *
find(struct cover *c, const struct esp_prefix *prefix)
{
	struct member *m;

	HASH_FIND(hh, c->members, prefix, sizeof(*prefix), m);
	return m;
}

/* True if a shorter prefix of the set contains it. */
static bool
is_covered(struct cover *c, struct esp_prefix prefix)
{
	while (prefix.bits-- > 0) {
		prefix.addr[prefix.bits / 8] &= (uint8_t)~(0x80 >> prefix.bits % 8);
		if (c->lengths[prefix.bits] != 0 && find(c, &prefix) != NULL)
			return true;
	}
	return false;
}

/* Spares a walk over thousands of subnets of one size. */
static bool
has_longer(const struct cover *c, unsigned bits)
{
	while (++bits < sizeof(c->lengths) / sizeof(c->lengths[0]))
		if (c->lengths[bits] != 0)
			return true;
	return false;
}

static void
set_needed(struct cover *c, struct member *m, bool needed)
{
	if (m->needed == needed)
		return;
	m->needed = needed;
	c->changed(c->arg, needed, &m->prefix);
}

bool
cover_hold(struct cover *c, const struct esp_prefix *prefix)
{
	struct member *m = find(c, prefix), *rest, *inner, *next;

	if (m != NULL) {
		m->users++;
		return true;
	}
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return false;
	m->prefix = *prefix;
	m->users = 1;
	HASH_ADD(hh, c->members, prefix, sizeof(m->prefix), m);
	if (m->hh.tbl == NULL) {
		free(m);
		return false;
	}
	c->lengths[prefix->bits]++;
	if (is_covered(c, *prefix))
		return true;
	rest = has_longer(c, prefix->bits) ? c->members : NULL;
	HASH_ITER(hh, rest, inner, next)
		if (inner != m && plan_prefix_contains(prefix, &inner->prefix))
			set_needed(c, inner, false);
	set_needed(c, m, true);
	return true;
}

void
cover_release(struct cover *c, const struct esp_prefix *prefix)
{
	struct member *m = find(c, prefix), *rest, *inner, *next;
	bool was_needed;

	if (m == NULL || --m->users != 0)
		return;
	was_needed = m->needed;
	set_needed(c, m, false);
	HASH_DEL(c->members, m);
	c->lengths[m->prefix.bits]--;
	rest = has_longer(c, m->prefix.bits) ? c->members : NULL;
	HASH_ITER(hh, rest, inner, next)
		if (was_needed && plan_prefix_contains(&m->prefix, &inner->prefix) &&
		    !is_covered(c, inner->prefix))
			set_needed(c, inner, true);
	free(m);
}

void
cover_each(struct cover *c)
{
	struct member *m, *next;

	HASH_ITER(hh, c->members, m, next)
		if (m->needed)
			c->changed(c->arg, true, &m->prefix);
}
