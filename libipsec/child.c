#include <stdlib.h>
#include <string.h>

#include "libipsec/child.h"
#include "libipsec/hash.h"
#include "libipsec/index.h"

struct connection {
	UT_hash_handle hh;
	ike_id id;
	struct ike_connection *setup;	/* held */
	unsigned n;			/* children */
	uint64_t policies[];		/* of each child, in order; 0 when passive */
};

/* The policy of passive Child SAs, who have nothing but their selectors to make it of. */
struct policy {
	UT_hash_handle hh;
	uint64_t id;			/* 0: not installed (any more) */
	uint64_t early;			/* what of it is, before its SA sends; 0: nothing */
	unsigned uses, outs;		/* by SAs, and by those that send */
	unsigned n;
	ike_id connection;		/* from here on the key */
	struct esp_selector selectors[];
};

struct sa {
	struct ipsec_entry entry;	/* by the Child SA's id */
	struct policy *own;		/* NULL: its connection's */
	uint64_t policy;		/* that */
	bool in, out;			/* installed */
	bool followed;			/* another one has its traffic */
};

struct ipsec_children {
	struct ipsec_datapath *datapath;
	struct connection *connections;
	struct policy *own;
	struct ipsec_index sas;
	uint64_t last_policy;
	unsigned n_policies;
};

struct ipsec_children *
ipsec_children_new(struct ipsec_datapath *datapath)
{
	struct ipsec_children *c = calloc(1, sizeof(*c));

	if (c != NULL)
		c->datapath = datapath;
	return c;
}

unsigned
ipsec_children_policies(const struct ipsec_children *c)
{
	return c->n_policies;
}

unsigned
ipsec_children_count(const struct ipsec_children *c)
{
	return (unsigned)c->sas.n;
}

static struct connection *
find_connection(const struct ipsec_children *c, ike_id id)
{
	struct connection *found;

	HASH_FIND(hh, c->connections, &id, sizeof(id), found);
	return found;
}

static struct sa *
find_sa(const struct ipsec_children *c, ike_id id)
{
	return ipsec_index_find(&c->sas, id);
}

ike_id
ipsec_children_next(const struct ipsec_children *c, ike_id connection)
{
	const struct connection *at = c->connections;

	if (connection != 0 && (at = find_connection(c, connection)) != NULL)
		at = at->hh.next;
	return at != NULL ? at->id : 0;
}

/* ---- policies ---- */

/* Installs a policy under a new id; 0: the data path could not. */
static uint64_t
trap(struct ipsec_children *c, const struct connection *of, const char *child,
    const struct esp_selector *selectors, unsigned n)
{
	struct ipsec_trap t = { .id = ++c->last_policy, .connection = of->id,
	    .connection_name = ike_connection_name(of->setup), .child = child,
	    .selectors = selectors, .n = n };

	t.mode = ike_connection_acquires(of->setup) ? IPSEC_TRAP_ACQUIRE :
	    IPSEC_TRAP_REFUSE;
	if (!c->datapath->ops->trap(c->datapath, &t))
		return 0;
	c->n_policies++;
	return t.id;
}

static void
untrap(struct ipsec_children *c, uint64_t id)
{
	if (id == 0)
		return;
	c->datapath->ops->untrap(c->datapath, id);
	c->n_policies--;
}

static bool
trap_child(struct ipsec_children *c, struct connection *of, unsigned i)
{
	struct esp_selector *selectors = NULL;
	unsigned n;

	if (ike_connection_selectors(of->setup, i, &selectors, &n) == IKE_OK)
		of->policies[i] = trap(c, of, ike_connection_child(of->setup, i),
		    selectors, n);
	free(selectors);
	return of->policies[i] != 0;
}

static void
free_connection(struct ipsec_children *c, struct connection *connection)
{
	for (unsigned i = 0; i < connection->n; i++)
		untrap(c, connection->policies[i]);
	ike_connection_free(connection->setup);
	free(connection);
}

bool
ipsec_children_put(struct ipsec_children *c, ike_id id, struct ike_connection *setup)
{
	struct connection *new;
	unsigned n = 0;

	while (ike_connection_child(setup, n) != NULL)
		n++;
	new = calloc(1, sizeof(*new) + n * sizeof(new->policies[0]));
	if (new == NULL)
		return false;
	new->id = id;
	new->setup = ike_connection_hold(setup);
	new->n = n;
	for (unsigned i = 0; i < n; i++)
		if (ike_connection_start(setup) != IKE_START_PASSIVE &&
		    !trap_child(c, new, i))
			goto out;
	HASH_ADD(hh, c->connections, id, sizeof(new->id), new);
	if (new->hh.tbl != NULL)
		return true;
out:
	free_connection(c, new);
	return false;
}

void
ipsec_children_drop(struct ipsec_children *c, ike_id id)
{
	struct connection *connection = find_connection(c, id);

	if (connection == NULL)
		return;
	HASH_DEL(c->connections, connection);
	free_connection(c, connection);
}

void
ipsec_children_release(struct ipsec_children *c, ike_id id)
{
	const struct connection *connection = find_connection(c, id);

	if (connection == NULL || c->datapath->ops->release == NULL)
		return;
	for (unsigned i = 0; i < connection->n; i++)
		if (connection->policies[i] != 0)
			c->datapath->ops->release(c->datapath, connection->policies[i]);
}

bool
ipsec_children_holds(const struct ipsec_children *c, ike_id id)
{
	const struct connection *connection = find_connection(c, id);

	return connection != NULL &&
	    ike_connection_start(connection->setup) != IKE_START_PASSIVE;
}

/* ---- Child SAs ---- */

static struct policy *
new_own(const struct connection *of, const struct ike_child *child)
{
	size_t octets = child->n_selectors * sizeof(child->selectors[0]);
	struct policy *p;

	if (octets == 0 || (p = calloc(1, sizeof(*p) + octets)) == NULL)
		return NULL;
	p->connection = of->id;
	p->n = child->n_selectors;
	memcpy(p->selectors, child->selectors, octets);
	return p;
}

static const uint8_t *
key_of(const struct policy *p, size_t *len)
{
	*len = sizeof(*p) - offsetof(struct policy, connection) +
	    p->n * sizeof(p->selectors[0]);
	return (const uint8_t *)p + offsetof(struct policy, connection);
}

/* The one that is there already: of the SA it follows, else of any of its connection. */
static struct policy *
find_own(const struct ipsec_children *c, const struct policy *wanted, ike_id replaced)
{
	const struct sa *before = find_sa(c, replaced);
	struct policy *p = before != NULL ? before->own : NULL;
	const uint8_t *key;
	size_t len;

	if (p != NULL && p->n == wanted->n && memcmp(p->selectors, wanted->selectors,
	    p->n * sizeof(p->selectors[0])) == 0)
		return p;
	key = key_of(wanted, &len);
	HASH_FIND(hh, c->own, key, len, p);
	return p;
}

static bool
keep_own(struct ipsec_children *c, struct policy *p)
{
	const uint8_t *key;
	size_t len;

	key = key_of(p, &len);
	HASH_ADD_KEYPTR(hh, c->own, key, len, p);
	return p->hh.tbl != NULL;
}

/* For a passive connection's Child SA: one with its selectors, or a new one, which is not
 * installed yet. */
static bool
find_own_policy(struct ipsec_children *c, const struct connection *of,
    const struct ike_event *event, struct sa *sa)
{
	struct policy *new = new_own(of, event->u.child), *p;

	if (new == NULL)
		return false;
	p = find_own(c, new, event->replaced);
	if (p == NULL && keep_own(c, new))
		p = new;
	if (p != new)
		free(new);
	if (p == NULL)
		return false;
	p->uses++;
	sa->own = p;
	return true;
}

/* Would the one selector take packets from the other policy?  Of two equal ones the
 * younger counts, though its SA may not send yet. */
static bool
takes_from(const struct esp_selector *s, const struct policy *before)
{
	const struct esp_selector *b;
	struct esp_range both;

	for (unsigned i = 0; i < before->n; i++) {
		b = &before->selectors[i];
		if (esp_range_intersect(&s->local, &b->local, &both) &&
		    esp_range_intersect(&s->remote, &b->remote, &both) &&
		    esp_selector_rank(s) <= esp_selector_rank(b))
			return true;
	}
	return false;
}

/* What is new of it, and nothing that the policy before it goes on to carry meanwhile. */
static bool
install_early(struct ipsec_children *c, const struct connection *of, const char *child,
    struct policy *p, const struct policy *before)
{
	struct esp_selector *v = malloc(p->n * sizeof(*v));
	unsigned n = 0;

	if (v == NULL)
		return false;
	for (unsigned i = 0; i < p->n; i++)
		if (!takes_from(&p->selectors[i], before))
			v[n++] = p->selectors[i];
	if (n == p->n)
		p->id = trap(c, of, child, v, n);
	else if (n > 0)
		p->early = trap(c, of, child, v, n);
	free(v);
	return n == 0 || p->id != 0 || p->early != 0;
}

/* That of the SA which this one follows, with other selectors, and which goes on to send
 * until this one does; or NULL. */
static struct policy *
still_sending(const struct ipsec_children *c, const struct ike_event *event,
    const struct sa *sa)
{
	const struct sa *before = find_sa(c, event->replaced);

	return event->type == IKE_IN_ADD && before != NULL && before->own != NULL &&
	    before->own != sa->own && before->own->outs > 0 ? before->own : NULL;
}

/* The number of the installed policy that serves the SA for now; 0: it could not be. */
static uint64_t
install_own(struct ipsec_children *c, const struct ike_event *event, struct sa *sa)
{
	const struct connection *of = find_connection(c, event->connection);
	struct policy *p = sa->own, *before = still_sending(c, event, sa);
	const char *child = event->u.child->name;

	if (of == NULL || p->id != 0)
		return p->id;
	if (before == NULL)
		return p->id = trap(c, of, child, p->selectors, p->n);
	if (p->early == 0 && !install_early(c, of, child, p, before))
		return 0;
	return p->id != 0 ? p->id : before->id;
}

/* Its SA sends: the whole policy is there, and the SA before has none to keep. */
static void
moved_to(struct ipsec_children *c, const struct ike_event *event, struct sa *sa)
{
	struct sa *before = find_sa(c, event->replaced);

	if (before != NULL)
		before->followed = true;
	if (sa->own == NULL)
		return;
	sa->own->outs++;
	untrap(c, sa->own->early);
	sa->own->early = 0;
}

/* Nothing is sent by it any more.  Left there, one whose traffic has moved to wider
 * selectors would go on to take the packets, as the narrower. */
static void
moved_from(struct ipsec_children *c, const struct sa *sa)
{
	struct policy *p = sa->own;

	if (p == NULL || --p->outs > 0 || !sa->followed)
		return;
	untrap(c, p->id);
	p->id = 0;
}

static bool
find_policy(struct ipsec_children *c, const struct ike_event *event, struct sa *sa)
{
	const struct connection *of = find_connection(c, event->connection);

	if (of == NULL)
		return false;
	if (ike_connection_start(of->setup) == IKE_START_PASSIVE)
		return find_own_policy(c, of, event, sa);
	for (unsigned i = 0; i < of->n; i++)
		if (strcmp(ike_connection_child(of->setup, i),
		    event->u.child->name) == 0)
			sa->policy = of->policies[i];
	return sa->policy != 0;
}

/* An SA without either direction is forgotten, and with the last one its own policy. */
static void
forget_if_gone(struct ipsec_children *c, struct sa *sa)
{
	if (sa->in || sa->out)
		return;
	if (sa->own != NULL && --sa->own->uses == 0) {
		untrap(c, sa->own->early);
		untrap(c, sa->own->id);
		HASH_DEL(c->own, sa->own);
		free(sa->own);
	}
	ipsec_index_remove(&c->sas, &sa->entry);
	free(sa);
}

/* The SA of an event that adds one of its directions; NULL: it cannot be carried. */
static struct sa *
need_sa(struct ipsec_children *c, const struct ike_event *event)
{
	struct sa *sa = find_sa(c, event->child);

	if (sa != NULL)
		return sa;
	if ((sa = calloc(1, sizeof(*sa))) == NULL)
		return NULL;
	sa->entry.id = event->child;
	if (!ipsec_index_add(&c->sas, &sa->entry)) {
		free(sa);
		return NULL;
	}
	if (!find_policy(c, event, sa)) {
		forget_if_gone(c, sa);
		return NULL;
	}
	return sa;
}

static bool
add(struct ipsec_children *c, const struct ike_event *event)
{
	struct ipsec_datapath *d = c->datapath;
	struct ipsec_sa described = { .id = event->child, .ike_sa = event->sa,
	    .child = event->u.child };
	struct sa *sa = need_sa(c, event);
	bool in = event->type == IKE_IN_ADD, done;

	if (sa == NULL)
		return false;
	described.policy = sa->own != NULL ? install_own(c, event, sa) : sa->policy;
	done = described.policy != 0 &&
	    (in ? d->ops->in_add(d, &described) : d->ops->out_add(d, &described));
	if (done && in) {
		sa->in = true;
	} else if (done) {
		sa->out = true;
		moved_to(c, event, sa);
	}
	forget_if_gone(c, sa);
	return done;
}

static void
remove_out(struct ipsec_children *c, struct sa *sa)
{
	if (!sa->out)
		return;
	c->datapath->ops->out_remove(c->datapath, sa->entry.id);
	sa->out = false;
	moved_from(c, sa);
}

static void
remove_in(struct ipsec_children *c, struct sa *sa)
{
	if (sa->in)
		c->datapath->ops->in_remove(c->datapath, sa->entry.id);
	sa->in = false;
}

bool
ipsec_children_apply(struct ipsec_children *c, const struct ike_event *event,
    struct ike_notice *notice)
{
	bool adds = event->type == IKE_IN_ADD || event->type == IKE_OUT_ADD;
	struct ipsec_sa moved = { .id = event->child, .child = event->u.child };
	struct sa *sa;

	if (adds && !add(c, event)) {
		*notice = (struct ike_notice){ .type = IKE_NOT_INSTALLED,
		    .id = event->child };
		return true;
	}
	sa = adds ? NULL : find_sa(c, event->child);
	if (sa != NULL && event->type == IKE_OUT_REMOVE) {
		remove_out(c, sa);
		forget_if_gone(c, sa);
	} else if (sa != NULL && event->type == IKE_IN_REMOVE) {
		remove_in(c, sa);
		forget_if_gone(c, sa);
	} else if (sa != NULL && event->type == IKE_SET_PATH &&
	    c->datapath->ops->set_path != NULL) {
		moved.policy = sa->own != NULL ? sa->own->id : sa->policy;
		c->datapath->ops->set_path(c->datapath, &moved);
	}
	return false;
}

void
ipsec_children_free(struct ipsec_children *c)
{
	struct connection *connection, *next;
	struct sa *sa;
	size_t from = 0;

	if (c == NULL)
		return;
	while ((sa = ipsec_index_any(&c->sas, &from)) != NULL) {
		remove_out(c, sa);
		remove_in(c, sa);
		forget_if_gone(c, sa);
	}
	HASH_ITER(hh, c->connections, connection, next) {
		HASH_DEL(c->connections, connection);
		free_connection(c, connection);
	}
	ipsec_index_free(&c->sas);
	free(c);
}
