#include "libike/pfs.h"

#include <stdlib.h>

static const struct ike_transform none = { .type = IKE_KE, .id = IKE_KE_NONE };

static bool
is_group(const struct ike_transform *t)
{
	return t->type == IKE_KE && t->id != IKE_KE_NONE;
}

static unsigned
count_groups(const struct ike_proposal *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n; i++)
		n += is_group(&p->v[i]);
	return n;
}

static bool
names_none(const struct ike_proposal *p)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->v[i].type == IKE_KE && p->v[i].id == IKE_KE_NONE)
			return true;
	return false;
}

bool
ike_pfs_refuses(const struct ike_proposal *p)
{
	return names_none(p) && count_groups(p) == 0;
}

/* Puts a group behind the others, once. */
static void
add_group(struct ike_proposal *p, const struct ike_transform *group)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->v[i].type == IKE_KE && p->v[i].id == group->id)
			return;
	p->v[p->n++] = *group;
}

static void
add_groups(struct ike_proposal *p, const struct ike_proposal *from)
{
	for (unsigned i = 0; i < from->n; i++)
		if (is_group(&from->v[i]))
			add_group(p, &from->v[i]);
}

/* Everything but groups, of the types before theirs or of those behind. */
static void
add_others(struct ike_proposal *p, const struct ike_proposal *from, bool behind)
{
	for (unsigned i = 0; i < from->n; i++)
		if (from->v[i].type != IKE_KE && (from->v[i].type > IKE_KE) == behind)
			p->v[p->n++] = from->v[i];
}

static bool
apply(enum ike_pfs pfs, const struct ike_proposals *ike, struct ike_proposal *esp)
{
	struct ike_proposal new = { .protocol = esp->protocol };
	bool own = count_groups(esp) > 0;
	bool alone = pfs == IKE_PFS_OFF ||
	    (pfs == IKE_PFS_PREFER && ike_pfs_refuses(esp));
	size_t most = esp->n + 1u;

	for (unsigned i = 0; i < ike->n; i++)
		most += ike->v[i].n;
	if ((new.v = calloc(most, sizeof *new.v)) == NULL)
		return false;
	add_others(&new, esp, false);
	if (!alone && own)
		add_groups(&new, esp);
	for (unsigned i = 0; !alone && !own && i < ike->n; i++)
		add_groups(&new, &ike->v[i]);
	if (alone ? names_none(esp) : pfs == IKE_PFS_PREFER)
		add_group(&new, &none);
	add_others(&new, esp, true);
	free(esp->v);
	*esp = new;
	return true;
}

bool
ike_pfs_apply(enum ike_pfs pfs, const struct ike_proposals *ike,
    struct ike_proposals *esp)
{
	bool done = true;

	for (unsigned i = 0; i < esp->n; i++)
		done &= apply(pfs, ike, &esp->v[i]);
	return done;
}
