/* What the engine says: events and datagrams, queued with their own copy of everything
 * they view, so that they outlive what they speak of. */
#include <stdlib.h>
#include <string.h>

#include "libike/sa.h"

/* What an output views: first a description, as the public header has it, then the octets
 * that this views itself. */
struct ike_view {
	size_t len;			/* octets of `words` */
	uint64_t words[];
};

static struct ike_output *
make_plain(struct ike *e, enum ike_event_type type)
{
	struct ike_output *o;

	if ((o = calloc(1, sizeof(*o))) == NULL)
		return NULL;
	o->event.type = type;
	o->event.at = e->now;
	return o;
}

/* With a view of this description, still zero, and *at behind it for `data` octets. */
static struct ike_output *
make(struct ike *e, enum ike_event_type type, size_t description, size_t data,
    uint8_t **at)
{
	struct ike_output *o;

	if ((o = make_plain(e, type)) == NULL)
		return NULL;
	o->view = calloc(1, sizeof(*o->view) + description + data);
	if (o->view == NULL) {
		free(o);
		return NULL;
	}
	o->view->len = description + data;
	*at = (uint8_t *)o->view->words + description;
	return o;
}

/* The only one of a Child SA that views nothing of its own. */
static struct ike_ending *
ending_of(struct ike_output *o)
{
	return o->event.child == 0 || o->view != NULL ? NULL :
	    (struct ike_ending *)(void *)((char *)o - offsetof(struct ike_ending, output));
}

static void
free_unneeded(struct ike_ending *ending)
{
	if (!ending->queued && !ending->kept)
		free(ending);
}

void
ike_output_free(struct ike_output *o)
{
	struct ike_ending *ending;

	if (o == NULL)
		return;
	if ((ending = ending_of(o)) != NULL) {
		ending->queued = false;
		free_unneeded(ending);
		return;
	}
	if (o->view != NULL)
		ike_wipe(o->view->words, o->view->len);	/* keys, or signed octets */
	free(o->view);
	free(o);
}

/* Copies to *at. */
static struct bytes
put(uint8_t **at, struct bytes from)
{
	struct bytes copy = { *at, from.len };

	if (from.len > 0)
		memcpy(*at, from.p, from.len);
	*at += from.len;
	return copy;
}

static const char *
put_text(uint8_t **at, const char *text)
{
	return (const char *)put(at, bytes_of(text, strlen(text) + 1)).p;
}

static void
name_sa(struct ike_event *event, const struct ike_sa *sa)
{
	if (sa == NULL)
		return;
	event->sa = sa->id;
	event->connection = sa->connection_id;
}

struct ike_output *
ike_make_event(struct ike *e, enum ike_event_type type, const struct ike_sa *sa)
{
	struct ike_output *o;

	if ((o = make_plain(e, type)) != NULL)
		name_sa(&o->event, sa);
	return o;
}

struct ike_output *
ike_make_child_event(struct ike *e, enum ike_event_type type,
    const struct ike_child_sa *c, struct bytes key)
{
	struct ike_output *o;
	struct ike_child *d;
	size_t selectors = c->n_selectors * sizeof(*c->selectors);
	uint8_t *at;

	o = make(e, type, sizeof(*d),
	    selectors + key.len + strlen(c->configured->name) + 1, &at);
	if (o == NULL)
		return NULL;
	name_sa(&o->event, c->sa);
	o->event.child = c->id;
	o->event.u.child = d = (struct ike_child *)o->view->words;
	ike_child_describe(c, d);
	/* selectors first: they need the alignment */
	d->selectors = (const void *)put(&at, bytes_of(c->selectors, selectors)).p;
	if (type == IKE_IN_ADD)
		d->key_in = put(&at, key);
	else if (type == IKE_OUT_ADD)
		d->key_out = put(&at, key);
	d->name = put_text(&at, c->configured->name);
	return o;
}

void
ike_output_move(struct ike_output *o, const struct ike_sa *sa)
{
	struct ike_child *child = (struct ike_child *)o->view->words;

	child->path = *ike_mobike_esp_path(sa);
	child->encap = sa->encap;
}

void
ike_say(struct ike *e, struct ike_output *o)
{
	if (o == NULL)
		return;
	o->event.at = e->now;
	STAILQ_INSERT_TAIL(&e->events, o, link);
}

void
ike_say_of(
    struct ike *e, const struct ike_sa *sa, struct ike_output **o, enum ike_error error)
{
	if (*o == NULL)
		return;
	name_sa(&(*o)->event, sa);
	(*o)->event.error = error;
	ike_say(e, *o);
	*o = NULL;
}

void
ike_say_refused(struct ike *e, const struct ike_sa *sa, ike_id connection,
    const struct ike_refusal *r)
{
	const char *from[] = { r->what, r->ours, r->theirs, r->difference, r->setting,
	    r->child };
	const char *to[6];
	struct ike_refusal *copy;
	struct ike_output *o;
	size_t len = 0;
	uint8_t *at;

	for (unsigned i = 0; i < 6; i++) {
		if (from[i] == NULL)
			from[i] = "";
		len += strlen(from[i]) + 1;
	}
	if ((o = make(e, IKE_REFUSED, sizeof(*copy), len, &at)) == NULL)
		return;
	name_sa(&o->event, sa);
	if (connection != 0)
		o->event.connection = connection;
	o->event.error = r->error;
	for (unsigned i = 0; i < 6; i++)
		to[i] = put_text(&at, from[i]);
	o->event.u.refusal = copy = (struct ike_refusal *)o->view->words;
	*copy = (struct ike_refusal){
		.error = r->error, .by_peer = r->by_peer, .what = to[0], .ours = to[1],
		.theirs = to[2], .difference = to[3], .setting = to[4], .child = to[5],
		.path = sa != NULL ? sa->path : r->path,
	};
	ike_say(e, o);
}

bool
ike_say_question(struct ike *e, enum ike_event_type type, const struct ike_exchange *x,
    const struct ike_auth_request *a)
{
	const struct ike_connection *c = x->connection != NULL ? x->connection :
	    x->sa->connection;
	struct ike_auth_request *copy;
	struct ike_output *o;
	const char *local = c->local.kind == IKE_HOST_ANY ? "" : c->local.text;
	const char *remote = x->remote[0] != '\0' ? x->remote :
	    x->sa->host != NULL ? x->sa->host->text : "";
	uint8_t *at;
	size_t len;

	if (a == NULL)
		len = strlen(remote) + strlen(local) + 2;
	else
		len = a->local_id.len + a->remote_id.len + a->octets.len + a->value.len +
		    strlen(a->secret) + 1;
	if ((o = make(e, type, a == NULL ? 0 : sizeof(*a), len, &at)) == NULL)
		return false;
	name_sa(&o->event, x->sa);
	o->event.question = x->question.id;
	if (a == NULL) {
		o->event.u.resolve.remote = put_text(&at, remote);
		o->event.u.resolve.local = put_text(&at, local);
	} else {
		o->event.u.auth = copy = (struct ike_auth_request *)o->view->words;
		*copy = *a;
		copy->local_id = put(&at, a->local_id);
		copy->remote_id = put(&at, a->remote_id);
		copy->octets = put(&at, a->octets);
		copy->value = put(&at, a->value);
		copy->secret = put_text(&at, a->secret);
	}
	ike_say(e, o);
	return true;
}

void
ike_say_text(struct ike *e, const struct ike_sa *sa, const char *text)
{
	struct ike_output *o;
	uint8_t *at;
	size_t len = strlen(text);

	if ((o = make(e, IKE_TRACE, 0, len + 1, &at)) == NULL)
		return;
	name_sa(&o->event, sa);
	o->event.u.text = put(&at, bytes_of(text, len));
	ike_say(e, o);
}

static bool
send(struct ike *e, const struct ike_path *path, struct bytes data, bool keepalive)
{
	struct ike_datagram *d;
	struct ike_output *o;
	uint8_t *at;

	if ((o = make(e, IKE_TRACE, sizeof(*d), data.len, &at)) == NULL)
		return false;
	d = (struct ike_datagram *)o->view->words;
	*d = (struct ike_datagram){ .path = *path, .data = put(&at, data),
	    .keepalive = keepalive };
	STAILQ_INSERT_TAIL(&e->datagrams, o, link);
	e->counts.sent++;
	return true;
}

bool
ike_send(struct ike *e, const struct ike_path *path, struct bytes data)
{
	return send(e, path, data, false);
}

/* RFC 3948 2.3: nothing is lost with one that there is no memory for. */
void
ike_send_keepalive(struct ike *e, const struct ike_path *path)
{
	static const uint8_t octet = 0xff;

	(void)send(e, path, bytes_of(&octet, 1), true);
}

/* ---- the end of a Child SA ---- */

enum { ENDINGS = 3 };
static const enum ike_event_type ending_types[ENDINGS] = { IKE_OUT_REMOVE, IKE_DOWN,
	IKE_IN_REMOVE };

struct ike_ending *
ike_make_ending(const struct ike_child_sa *c)
{
	const char *name = c->configured->name;
	size_t len = c->n_selectors * sizeof(*c->selectors);
	struct ike_ending *ending = calloc(1, sizeof(*ending) + len + strlen(name) + 1);
	uint8_t *at;

	if (ending == NULL)
		return NULL;
	at = (uint8_t *)ending->selectors;
	ending->kept = true;
	ike_child_describe(c, &ending->child);
	ending->child.selectors = (const void *)put(&at, bytes_of(c->selectors, len)).p;
	ending->child.name = put_text(&at, name);
	name_sa(&ending->output.event, c->sa);
	ending->output.event.child = c->id;
	ending->output.event.u.child = &ending->child;
	return ending;
}

/* One that is in the queue already says this, too, when its turn comes. */
void
ike_say_ending(struct ike *e, struct ike_ending *ending, enum ike_event_type type,
    enum ike_error error)
{
	unsigned i = 0;

	while (i < ENDINGS - 1 && ending_types[i] != type)
		i++;
	if (ending->said & 1U << i)
		return;
	ending->said |= (uint8_t)(1U << i);
	if (type == IKE_DOWN)
		ending->output.event.error = error;
	if (!ending->queued)
		ike_say(e, &ending->output);
	ending->queued = true;
}

void
ike_ending_leave(struct ike_ending *ending)
{
	if (ending == NULL)
		return;
	ending->kept = false;
	free_unneeded(ending);
}

/* The next of what was said.  True: it is the last. */
static bool
next_of(struct ike_ending *ending, struct ike_event *event)
{
	unsigned i = 0;

	while (i < ENDINGS - 1 && (ending->said & ~ending->delivered & 1U << i) == 0)
		i++;
	ending->delivered |= (uint8_t)(1U << i);
	*event = ending->output.event;
	event->type = ending_types[i];
	if (event->type != IKE_DOWN)
		event->error = IKE_OK;
	return ending->said == ending->delivered;
}

/* ---- what the host takes ---- */

/* What was handed out is kept until the next input, because its views are borrowed. */
static struct ike_output *
take(struct ike *e, struct ike_outputs *from)
{
	struct ike_output *o;

	if ((o = STAILQ_FIRST(from)) == NULL)
		return NULL;
	STAILQ_REMOVE_HEAD(from, link);
	STAILQ_INSERT_TAIL(&e->delivered, o, link);
	return o;
}

bool
ike_next_event(struct ike *e, struct ike_event *event)
{
	struct ike_output *o = STAILQ_FIRST(&e->events);
	struct ike_ending *ending = o != NULL ? ending_of(o) : NULL;

	if (o == NULL)
		return false;
	if (ending == NULL)
		*event = o->event;
	else if (!next_of(ending, event))
		return true;
	(void)take(e, &e->events);
	return true;
}

bool
ike_next_datagram(struct ike *e, struct ike_datagram *datagram)
{
	struct ike_output *o;

	if ((o = take(e, &e->datagrams)) == NULL)
		return false;
	*datagram = *(const struct ike_datagram *)o->view->words;
	return true;
}

void
ike_forget_delivered(struct ike *e)
{
	struct ike_output *o;

	while ((o = STAILQ_FIRST(&e->delivered)) != NULL) {
		STAILQ_REMOVE_HEAD(&e->delivered, link);
		ike_output_free(o);
	}
}
