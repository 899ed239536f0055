/* What the engine says: events and datagrams, queued with their own copy of everything
 * they view, so that they outlive what they speak of. */
#include <stdlib.h>
#include <string.h>

#include "libike/sa.h"

static struct ike_output *
make(struct ike *e, enum ike_event_type type, size_t data)
{
	struct ike_output *o;

	if ((o = calloc(1, sizeof(*o))) == NULL)
		return NULL;
	if (data > 0 && (o->data = malloc(data)) == NULL) {
		free(o);
		return NULL;
	}
	o->len = data;
	o->event.type = type;
	o->event.at = e->now;
	return o;
}

void
ike_output_free(struct ike_output *o)
{
	if (o == NULL)
		return;
	if (o->data != NULL)
		ike_wipe(o->data, o->len);	/* keys, or signed octets */
	free(o->data);
	free(o);
}

/* Copies into the output's data at *at. */
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

	if ((o = make(e, type, 0)) != NULL)
		name_sa(&o->event, sa);
	return o;
}

struct ike_output *
ike_make_child_event(
    struct ike *e, enum ike_event_type type, const struct ike_child_sa *c)
{
	struct ike_output *o;
	struct ike_child *d;
	bool keys = type == IKE_IN_ADD || type == IKE_OUT_ADD;
	size_t selectors = c->n_selectors * sizeof(*c->selectors);
	size_t key = keys ? esp_transform_keymat(c->transform) : 0;
	uint8_t *at;

	o = make(e, type, selectors + key + strlen(c->configured->name) + 1);
	if (o == NULL)
		return NULL;
	name_sa(&o->event, c->sa);
	o->event.child = c->id;
	o->event.u.child = d = &o->u.child;
	ike_child_describe(c, d);
	at = o->data;			/* selectors first: they need the alignment */
	d->selectors = (const void *)put(&at, bytes_of(c->selectors, selectors)).p;
	if (type == IKE_IN_ADD)
		d->key_in = put(&at, bytes_of(c->key[0], key));
	else if (type == IKE_OUT_ADD)
		d->key_out = put(&at, bytes_of(c->key[1], key));
	d->name = put_text(&at, c->configured->name);
	return o;
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
	struct ike_output *o;
	size_t len = 0;
	uint8_t *at;

	for (unsigned i = 0; i < 6; i++) {
		if (from[i] == NULL)
			from[i] = "";
		len += strlen(from[i]) + 1;
	}
	if ((o = make(e, IKE_REFUSED, len)) == NULL)
		return;
	name_sa(&o->event, sa);
	if (connection != 0)
		o->event.connection = connection;
	o->event.error = r->error;
	at = o->data;
	for (unsigned i = 0; i < 6; i++)
		to[i] = put_text(&at, from[i]);
	o->u.refusal = (struct ike_refusal){
		.error = r->error, .by_peer = r->by_peer, .what = to[0], .ours = to[1],
		.theirs = to[2], .difference = to[3], .setting = to[4], .child = to[5],
		.path = sa != NULL ? sa->path : r->path,
	};
	o->event.u.refusal = &o->u.refusal;
	ike_say(e, o);
}

bool
ike_say_question(struct ike *e, enum ike_event_type type, const struct ike_exchange *x,
    const struct ike_auth_request *a)
{
	const struct ike_connection *c = x->connection != NULL ? x->connection :
	    x->sa->connection;
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
	if ((o = make(e, type, len)) == NULL)
		return false;
	name_sa(&o->event, x->sa);
	o->event.question = x->question.id;
	at = o->data;
	if (a == NULL) {
		o->event.u.resolve.remote = put_text(&at, remote);
		o->event.u.resolve.local = put_text(&at, local);
	} else {
		o->u.auth = *a;
		o->u.auth.local_id = put(&at, a->local_id);
		o->u.auth.remote_id = put(&at, a->remote_id);
		o->u.auth.octets = put(&at, a->octets);
		o->u.auth.value = put(&at, a->value);
		o->u.auth.secret = put_text(&at, a->secret);
		o->event.u.auth = &o->u.auth;
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

	if ((o = make(e, IKE_TRACE, len + 1)) == NULL)
		return;
	name_sa(&o->event, sa);
	at = o->data;
	o->event.u.text = put(&at, bytes_of(text, len));
	ike_say(e, o);
}

static bool
send(struct ike *e, const struct ike_path *path, struct bytes data, bool keepalive)
{
	struct ike_output *o;
	uint8_t *at;

	if ((o = make(e, IKE_TRACE, data.len)) == NULL)
		return false;
	o->path = *path;
	o->keepalive = keepalive;
	at = o->data;
	put(&at, data);
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
	struct ike_output *o;

	if ((o = take(e, &e->events)) == NULL)
		return false;
	*event = o->event;
	return true;
}

bool
ike_next_datagram(struct ike *e, struct ike_datagram *datagram)
{
	struct ike_output *o;

	if ((o = take(e, &e->datagrams)) == NULL)
		return false;
	*datagram = (struct ike_datagram){ .path = o->path,
	    .data = bytes_of(o->data, o->len), .keepalive = o->keepalive };
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
