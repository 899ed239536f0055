#include "daemon/renewal.h"

#include <stdlib.h>
#include <string.h>

static bool
add(struct renewal *r, ike_id sa, ike_id child, unsigned generation)
{
	struct renewed *v = reallocarray(r->v, r->n + 1u, sizeof(*v));

	if (v == NULL)
		return false;
	r->v = v;
	v[r->n++] = (struct renewed){ sa, child, generation, RENEWAL_LEFT };
	return true;
}

static bool
add_children(struct renewal *r, const struct ike *ike, ike_id sa, const char *name)
{
	struct ike_child_info child;

	for (unsigned i = 0; ike_child_at(ike, sa, i, &child); i++)
		if (!child.replaced &&
		    (name == NULL || strcmp(child.child.name, name) == 0) &&
		    !add(r, sa, child.id, child.generation))
			return false;
	return true;
}

bool
renewal_find(const struct ike *ike, ike_id connection, bool itself, const char *child,
    struct renewal *r)
{
	struct ike_sa_info sa;

	*r = (struct renewal){ NULL, 0 };
	for (ike_id id = 0; ike_next_sa_of(ike, connection, id, &sa); id = sa.id)
		if (sa.state == IKE_STATE_ESTABLISHED &&
		    !(itself ? add(r, sa.id, 0, sa.generation) :
		    add_children(r, ike, sa.id, child)))
			return false;
	return true;
}

enum ike_error
renewal_begin(const struct renewal *r, struct ipsec_endpoint *e, ike_time now)
{
	enum ike_error first = IKE_OK, error;

	for (unsigned i = 0; i < r->n; i++) {
		error = ipsec_endpoint_rekey(e, now,
		    r->v[i].child != 0 ? r->v[i].child : r->v[i].sa);
		if (first == IKE_OK)
			first = error;
	}
	return first;
}

static enum renewal_fate
fate_of(const struct renewed *one, const struct ike *ike)
{
	struct ike_child_info child;
	struct ike_sa_info sa;

	if (!ike_next_sa(ike, one->sa - 1, &sa) || sa.id != one->sa ||
	    sa.state != IKE_STATE_ESTABLISHED)
		return RENEWAL_LOST;
	if (one->child == 0)
		return sa.generation == one->generation ? RENEWAL_LEFT : RENEWAL_DONE;
	for (unsigned i = 0; ike_child_at(ike, one->sa, i, &child); i++)
		if (child.id == one->child)
			return child.replaced ? RENEWAL_DONE : RENEWAL_LEFT;
	return RENEWAL_LOST;
}

void
renewal_look(struct renewal *r, const struct ike *ike, unsigned n[RENEWAL_LOST + 1])
{
	memset(n, 0, (RENEWAL_LOST + 1) * sizeof(*n));
	for (unsigned i = 0; i < r->n; i++) {
		if (r->v[i].fate == RENEWAL_LEFT)
			r->v[i].fate = fate_of(&r->v[i], ike);
		n[r->v[i].fate]++;
	}
}

void
renewal_free(struct renewal *r)
{
	free(r->v);
	*r = (struct renewal){ NULL, 0 };
}
