/* What the engine says: events and datagrams, queued with their own copy of everything
 * they view, so that they outlive what they speak of.  The end of an SA has no copies:
 * the SA stays until that is delivered. */
#include <stdlib.h>
#include <string.h>

#include "libike/sa.h"

/* What an output views: first a description, as the public header has it, then the octets
 * that this views itself. */
struct ike_view {
	size_t len;			/* octets of `words` */
	uint64_t words[];
};

static struct ike_said *
make_plain(struct ike *e, enum ike_event_type type)
{
	struct ike_said *s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	s->event.type = type;
	s->event.at = e->now;
	return s;
}

/* With a view of this description, still zero, and *at behind it for `data` octets. */
static struct ike_said *
make(struct ike *e, enum ike_event_type type, size_t description, size_t data,
    uint8_t **at)
{
	struct ike_said *s;

	if ((s = make_plain(e, type)) == NULL)
		return NULL;
	s->view = calloc(1, sizeof(*s->view) + description + data);
	if (s->view == NULL) {
		free(s);
		return NULL;
	}
	s->view->len = description + data;
	*at = (uint8_t *)s->view->words + description;
	return s;
}

void
ike_said_free(struct ike_said *s)
{
	if (s == NULL)
		return;
	if (s->view != NULL)
		ike_wipe(s->view->words, s->view->len);	/* keys, or signed octets */
	free(s->view);
	free(s);
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

struct ike_said *
ike_make_event(struct ike *e, enum ike_event_type type, const struct ike_sa *sa)
{
	struct ike_said *s;

	if ((s = make_plain(e, type)) != NULL)
		name_sa(&s->event, sa);
	return s;
}

struct ike_said *
ike_make_child_event(struct ike *e, enum ike_event_type type,
    const struct ike_child_sa *c, struct bytes key)
{
	struct ike_said *s;
	struct ike_child *d;
	size_t selectors = c->n_selectors * sizeof(*c->selectors);
	uint8_t *at;

	s = make(e, type, sizeof(*d),
	    selectors + key.len + strlen(c->configured->name) + 1, &at);
	if (s == NULL)
		return NULL;
	name_sa(&s->event, c->sa);
	s->event.child = c->id;
	s->event.u.child = d = (struct ike_child *)s->view->words;
	ike_child_describe(c, d);
	/* selectors first: they need the alignment */
	d->selectors = (const void *)put(&at, bytes_of(c->selectors, selectors)).p;
	if (type == IKE_IN_ADD)
		d->key_in = put(&at, key);
	else if (type == IKE_OUT_ADD)
		d->key_out = put(&at, key);
	d->name = put_text(&at, c->configured->name);
	return s;
}

void
ike_said_move(struct ike_said *s, const struct ike_sa *sa)
{
	struct ike_child *child = (struct ike_child *)s->view->words;

	child->path = *ike_mobike_esp_path(sa);
	child->encap = sa->encap;
}

void
ike_say(struct ike *e, struct ike_said *s)
{
	if (s == NULL)
		return;
	s->event.at = e->now;
	STAILQ_INSERT_TAIL(&e->events, &s->output, link);
}

void
ike_say_of(
    struct ike *e, const struct ike_sa *sa, struct ike_said **s, enum ike_error error)
{
	if (*s == NULL)
		return;
	name_sa(&(*s)->event, sa);
	(*s)->event.error = error;
	ike_say(e, *s);
	*s = NULL;
}

void
ike_say_refused(struct ike *e, const struct ike_sa *sa, ike_id connection,
    const struct ike_refusal *r)
{
	const char *from[] = { r->what, r->ours, r->theirs, r->difference, r->setting,
	    r->child };
	const char *to[6];
	struct ike_refusal *copy;
	struct ike_said *s;
	size_t len = 0;
	uint8_t *at;

	for (unsigned i = 0; i < 6; i++) {
		if (from[i] == NULL)
			from[i] = "";
		len += strlen(from[i]) + 1;
	}
	if ((s = make(e, IKE_REFUSED, sizeof(*copy), len, &at)) == NULL)
		return;
	name_sa(&s->event, sa);
	if (connection != 0)
		s->event.connection = connection;
	s->event.error = r->error;
	for (unsigned i = 0; i < 6; i++)
		to[i] = put_text(&at, from[i]);
	s->event.u.refusal = copy = (struct ike_refusal *)s->view->words;
	*copy = (struct ike_refusal){
		.error = r->error, .by_peer = r->by_peer, .what = to[0], .ours = to[1],
		.theirs = to[2], .difference = to[3], .setting = to[4], .child = to[5],
		.path = sa != NULL ? sa->path : r->path,
	};
	ike_say(e, s);
}

bool
ike_say_question(struct ike *e, enum ike_event_type type, const struct ike_exchange *x,
    const struct ike_auth_request *a)
{
	const struct ike_connection *c = x->connection != NULL ? x->connection :
	    x->sa->connection;
	struct ike_auth_request *copy;
	struct ike_said *s;
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
	if ((s = make(e, type, a == NULL ? 0 : sizeof(*a), len, &at)) == NULL)
		return false;
	name_sa(&s->event, x->sa);
	s->event.question = x->question.id;
	if (a == NULL) {
		s->event.u.resolve.remote = put_text(&at, remote);
		s->event.u.resolve.local = put_text(&at, local);
	} else {
		s->event.u.auth = copy = (struct ike_auth_request *)s->view->words;
		*copy = *a;
		copy->local_id = put(&at, a->local_id);
		copy->remote_id = put(&at, a->remote_id);
		copy->octets = put(&at, a->octets);
		copy->value = put(&at, a->value);
		copy->secret = put_text(&at, a->secret);
	}
	ike_say(e, s);
	return true;
}

void
ike_say_text(struct ike *e, const struct ike_sa *sa, const char *text)
{
	struct ike_said *s;
	uint8_t *at;
	size_t len = strlen(text);

	if ((s = make(e, IKE_TRACE, 0, len + 1, &at)) == NULL)
		return;
	name_sa(&s->event, sa);
	s->event.u.text = put(&at, bytes_of(text, len));
	ike_say(e, s);
}

static bool
send(struct ike *e, const struct ike_path *path, struct bytes data, bool keepalive)
{
	struct ike_datagram *d;
	struct ike_said *s;
	uint8_t *at;

	if ((s = make(e, IKE_TRACE, sizeof(*d), data.len, &at)) == NULL)
		return false;
	d = (struct ike_datagram *)s->view->words;
	*d = (struct ike_datagram){ .path = *path, .data = put(&at, data),
	    .keepalive = keepalive };
	STAILQ_INSERT_TAIL(&e->datagrams, &s->output, link);
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

/* ---- ends ---- */

enum { ENDINGS = 3 };
static const enum ike_event_type ending_types[ENDINGS] = { IKE_OUT_REMOVE, IKE_DOWN,
	IKE_IN_REMOVE };

static struct ike_sa *
sa_of(struct ike_output *ending)
{
	return IKE_OWNER(ending, struct ike_sa, ending);
}

static struct ike_child_sa *
child_of(struct ike_output *ending)
{
	return IKE_OWNER(ending, struct ike_child_sa, ending);
}

/* One that is in the queue already says this, too, when its turn comes. */
void
ike_say_ending(struct ike *e, struct ike_output *ending, enum ike_event_type type,
    enum ike_error error)
{
	unsigned i = 0;

	while (i < ENDINGS - 1 && ending_types[i] != type)
		i++;
	if (ending->said & 1U << i)
		return;
	ending->said |= (uint8_t)(1U << i);
	if (type == IKE_DOWN)
		ending->error = error;
	if (!ending->queued)
		STAILQ_INSERT_TAIL(&e->events, ending, link);
	ending->queued = true;
}

void
ike_say_no_ending(struct ike_output *ending)
{
	ending->said = UINT8_MAX;
}

static void
free_unneeded(struct ike_output *ending)
{
	if (ending->queued || !ending->over)
		return;
	if (ending->type == IKE_SA_ENDS)
		free(sa_of(ending));
	else
		ike_child_forget(child_of(ending));
}

void
ike_ending_over(struct ike_output *ending)
{
	ending->over = true;
	free_unneeded(ending);
}

/* Made now: nothing is kept for it but what ends. */
static struct ike_event
describe(struct ike *e, struct ike_output *ending)
{
	struct ike_event event = { .at = e->now };
	const struct ike_child_sa *c;

	if (ending->type == IKE_SA_ENDS) {
		name_sa(&event, sa_of(ending));
		return event;
	}
	c = child_of(ending);
	event.sa = c->session;
	event.connection = c->connection_id;
	event.child = c->id;
	event.u.child = &e->ended;
	ike_child_describe(c, &e->ended);
	return event;
}

/* The next of what was said.  True: it is the last. */
static bool
next_of(struct ike *e, struct ike_output *ending, struct ike_event *event)
{
	unsigned i = 0;

	while (i < ENDINGS - 1 && (ending->said & ~ending->delivered & 1U << i) == 0)
		i++;
	ending->delivered |= (uint8_t)(1U << i);
	*event = describe(e, ending);
	event->type = ending_types[i];
	if (event->type == IKE_DOWN)
		event->error = ending->error;
	return ending->said == ending->delivered;
}

/* ---- what the host takes ---- */

static struct ike_said *
said_of(struct ike_output *o)
{
	return (struct ike_said *)o;
}

void
ike_outputs_free(struct ike_outputs *queue)
{
	struct ike_output *o;

	while ((o = STAILQ_FIRST(queue)) != NULL) {
		STAILQ_REMOVE_HEAD(queue, link);
		o->queued = false;
		if (o->type == IKE_SAID)
			ike_said_free(said_of(o));
		else
			free_unneeded(o);
	}
}

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

	if (o == NULL)
		return false;
	if (o->type == IKE_SAID)
		*event = said_of(o)->event;
	else if (!next_of(e, o, event))
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
	*datagram = *(const struct ike_datagram *)said_of(o)->view->words;
	return true;
}
