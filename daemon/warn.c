#include "daemon/warn.h"

#include "daemon/overlap.h"
#include "libike/compat.h"

static bool
warn_weak(const struct configured *c, const char *setting,
    const struct ike_proposals *list, struct faults *warnings)
{
	const struct ike_transform *t = ike_proposals_weak(list, 0);
	char name[IKE_NAME_LEN];

	if (t == NULL)
		return false;
	fault_add(warnings, configured_origin(c, setting, -1),
	    "%s: %s names %s, which is weak; give the peer %s as soon as it can, and "
	    "then remove compat",
	    c->name, setting, ike_transform_name(t->type, t->id, t->key_bits, name),
	    ike_weak_find(t)->instead);
	return true;
}

static void
warn_compat(const struct configured *c, struct faults *warnings)
{
	bool ike, esp;

	if (c->connection->compat == 0)
		return;
	ike = warn_weak(c, "ike", &c->connection->ike, warnings);
	esp = warn_weak(c, "esp", &c->connection->esp, warnings);
	if (!ike && !esp)
		fault_add(warnings, configured_origin(c, "compat", -1),
		    "%s: compat allows weak algorithms and no proposal names one; "
		    "remove it", c->name);
}

/* The child whose peer has all addresses behind it, or -1. */
static int
find_everything(const struct ike_connection *built)
{
	unsigned i, k;

	for (i = 0; i < built->n_children; i++) {
		const struct ike_ts *remote = &built->children[i].remote;

		for (k = 0; k < remote->n; k++) {
			struct esp_range any = esp_range_any(remote->v[k].family);

			if (esp_range_equal(&remote->v[k], &any))
				return (int)i;
		}
	}
	return -1;
}

static void
warn_anywhere(const struct configured *c, struct faults *warnings)
{
	int child = find_everything(c->connection);

	if (child >= 0 && c->connection->remote.v[0].kind == IKE_HOST_ANY)
		fault_add(warnings, configured_origin(c, "children.remote", child),
		    "%s: the peer may call from anywhere and take all traffic for "
		    "which no connection is narrower; write the networks that are "
		    "behind it",
		    c->name);
}

static void
warn_uncallable(const struct configured *c, struct faults *warnings)
{
	if (c->connection->on_dead == IKE_ON_DEAD_RESTART &&
	    ike_hosts_callable(&c->connection->remote, 0) == NULL)
		fault_add(warnings, configured_origin(c, "on_dead", -1),
		    "%s: on_dead is restart and there is no address to call; leave "
		    "it out, or write one in remote.address", c->name);
}

void
configuration_warn(const struct configuration *c, struct faults *warnings)
{
	static void (*const look[])(const struct configured *, struct faults *) = {
		warn_compat, warn_anywhere, warn_uncallable,
	};
	unsigned i, k;

	for (i = 0; i < c->n_connections; i++)
		for (k = 0; k < sizeof(look) / sizeof(look[0]); k++)
			look[k](&c->connections[i], warnings);
	overlaps_warn(c, warnings);
}
