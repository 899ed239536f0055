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
warn_on_dead(const struct configured *c, struct faults *warnings)
{
	const struct ike_connection *built = c->connection;

	if (built->on_dead == IKE_ON_DEAD_RESTART &&
	    ike_hosts_callable(&built->remote, 0) == NULL)
		fault_add(warnings, configured_origin(c, "on_dead", -1),
		    "%s: on_dead is restart and there is no address to call; leave "
		    "it out, or write one in remote.address", c->name);
	if (built->on_dead == IKE_ON_DEAD_ON_DEMAND && built->start == IKE_START_PASSIVE)
		fault_add(warnings, configured_origin(c, "on_dead", -1),
		    "%s: on_dead is on-demand and start is passive, so that no packet "
		    "comes here while the tunnel is down; leave it out, or write: "
		    "start = \"on-demand\";", c->name);
}

/* Only who sets up an IKE SA sets it up anew. */
static void
warn_reauth(const struct configured *c, struct faults *warnings)
{
	if (c->connection->renewal.reauth != 0 &&
	    c->connection->start == IKE_START_PASSIVE)
		fault_add(warnings, configured_origin(c, "reauth", -1),
		    "%s: reauth does nothing where the peer calls; leave it out, and "
		    "write it at the peer", c->name);
}

/* What ends and is not rekeyed before. */
static void
warn_expire(const struct configured *c, struct faults *warnings)
{
	const struct ike_renewal *r = &c->connection->renewal;
	const struct { const char *end, *rekey; bool rekeys, ends; } pairs[] = {
		{ "expire.ike", "rekey.ike", r->ike != 0, r->ike_hard != 0 },
		{ "expire.child", "rekey.child", r->child.time != 0,
		    r->child_hard.time != 0 },
		{ "expire.bytes", "rekey.bytes", r->child.octets != 0,
		    r->child_hard.octets != 0 },
		{ "expire.packets", "rekey.packets", r->child.packets != 0,
		    r->child_hard.packets != 0 },
	};

	for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (pairs[i].ends && !pairs[i].rekeys)
			fault_add(warnings, configured_origin(c, pairs[i].end, -1),
			    "%s: %s ends what nothing rekeys before, and packets are "
			    "lost; leave it out, or write %s, too",
			    c->name, pairs[i].end, pairs[i].rekey);
}

/* A unit was forgotten, perhaps: then each packet is a reason to rekey. */
static void
warn_hasty(const struct configured *c, struct faults *warnings)
{
	enum { FEW_OCTETS = 1 << 20, FEW_PACKETS = 1000 };
	const struct ike_lifetime *soft = &c->connection->renewal.child;

	if (soft->octets != 0 && soft->octets < FEW_OCTETS)
		fault_add(warnings, configured_origin(c, "rekey.bytes", -1),
		    "%s: rekey.bytes is %llu octets, so that it rekeys all the time; "
		    "is a unit missing? For instance: bytes = \"64G\";", c->name,
		    (unsigned long long)soft->octets);
	if (soft->packets != 0 && soft->packets < FEW_PACKETS)
		fault_add(warnings, configured_origin(c, "rekey.packets", -1),
		    "%s: rekey.packets is %llu, so that it rekeys all the time; "
		    "write more, for instance: packets = \"1000000000\";", c->name,
		    (unsigned long long)soft->packets);
}

void
configuration_warn(const struct configuration *c, struct faults *warnings)
{
	static void (*const look[])(const struct configured *, struct faults *) = {
		warn_compat, warn_anywhere, warn_on_dead, warn_reauth, warn_expire,
		warn_hasty,
	};
	unsigned i, k;

	for (i = 0; i < c->n_connections; i++)
		for (k = 0; k < sizeof(look) / sizeof(look[0]); k++)
			look[k](&c->connections[i], warnings);
	overlaps_warn(c, warnings);
}
