#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "daemon/control.h"
#include "daemon/explain.h"
#include "daemon/renewal.h"
#include "daemon/report.h"
#include "libike/like.h"

/* How long `down` waits for the peer's answer, and `rekey`. */
#define DOWN_TIME (5 * IKE_SECOND)
#define REKEY_TIME (10 * IKE_SECOND)

/* Connections in one of many replies of Status: a few milliseconds of work at a time. */
enum { STATUS_BATCH = 200 };

static const char description[] =
#include "org.ikev.Ikevd.inc"
    ;

enum wish { UP, DOWN, REKEY };

/* A call that waits for its connection. */
struct waiting {
	LIST_ENTRY(waiting) link;
	struct varlink_call *call;
	enum wish wish;
	unsigned index;			/* of the connection */
	ike_time since;
	struct renewal renewal;		/* of REKEY */
};

struct state {				/* of a connection */
	char *refusal;			/* why it is not up, or NULL */
	ike_time refused;		/* when, */
	ike_id refused_sa;		/* and which IKE SA, or 0 */
	ike_id up;			/* the IKE SA that came up last */
	ike_time ended;			/* when an SA of it last went, */
	enum ike_error error;		/* and why */
	bool called;			/* `up` began an attempt that is not decided */
};

struct control {
	struct control_options options;
	struct varlink_interface interface;
	struct varlink *varlink;
	struct state *states;		/* one a connection */
	struct event *settle;
	LIST_HEAD(, waiting) waiting;
};

/* ---- look-ups ---- */

static int
find_name(const struct control *c, const char *name)
{
	for (unsigned i = 0; i < c->options.n_connections; i++)
		if (strcmp(c->options.connections[i].configured->name, name) == 0)
			return (int)i;
	return -1;
}

/* Ids grow in the order in which the connections were put. */
static int
find_id(const struct control *c, ike_id id)
{
	unsigned low = 0, high = c->options.n_connections, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (c->options.connections[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < c->options.n_connections && c->options.connections[low].id == id ?
	    (int)low : -1;
}

static void
no_connection(const struct control *c, struct varlink_call *call, const char *name)
{
	const char *nearest = "";
	unsigned best = 3, d;		/* two slips of the finger at most */

	for (unsigned i = 0; i < c->options.n_connections; i++) {
		d = ike_like_distance(name,
		    c->options.connections[i].configured->name, best);
		if (d < best) {
			best = d;
			nearest = c->options.connections[i].configured->name;
		}
	}
	varlink_error(call, "org.ikev.Ikevd.NoConnection",
	    json_pack("{ssss}", "name", name, "suggestion", nearest));
}

/* The connection that the call names; -1: the call was answered with an error. */
static int
named(const struct control *c, struct varlink_call *call)
{
	const char *name = json_string_value(json_object_get(call->parameters, "name"));
	int i;

	if (name == NULL) {
		varlink_invalid(call, "name");
		return -1;
	}
	if ((i = find_name(c, name)) < 0)
		no_connection(c, call, name);
	return i;
}

/* ---- calls that wait ---- */

static const char *const failures[] = {
	[UP] = "org.ikev.Ikevd.NotUp", [DOWN] = "org.ikev.Ikevd.NotUp",
	[REKEY] = "org.ikev.Ikevd.NotRekeyed",
};
static const char no_memory[] = "there was no memory for an explanation";

static void
fail(const struct control *c, struct varlink_call *call, enum wish wish, unsigned index,
    const char *text)
{
	varlink_error(call, failures[wish],
	    json_pack("{ssso}", "name", c->options.connections[index].configured->name,
		"explanation", report_text(text)));
}

/* Without a refusal of its own. */
static void
fail_by(const struct control *c, struct varlink_call *call, enum wish wish,
    unsigned index, enum ike_error error)
{
	char *text = explain_down(c->options.connections[index].configured, error);

	fail(c, call, wish, index, text != NULL ? text : ike_error_name(error));
	free(text);
}

static void
end_waiting(struct waiting *w)
{
	LIST_REMOVE(w, link);
	renewal_free(&w->renewal);
	free(w);
}

/* Is there an answer to `up` yet?  It is up, or an attempt since the call has failed. */
static bool
settle_up(struct control *c, struct waiting *w)
{
	const struct control_connection *connection = &c->options.connections[w->index];
	const struct ike *ike = ipsec_endpoint_engine(c->options.endpoint);
	const struct state *s = &c->states[w->index];
	enum report_state state = report_state(ike, connection->id);
	bool ended = s->ended >= w->since, refused = s->refused >= w->since;

	if (state == REPORT_UP)
		varlink_reply(w->call, json_pack("{sb}", "already", 0));
	else if (state == REPORT_DOWN ? !ended :
	    state != REPORT_CHILDLESS || (!ended && !refused))
		return false;
	else if (!refused)
		fail_by(c, w->call, UP, w->index, s->error);
	else
		fail(c, w->call, UP, w->index,
		    s->refusal != NULL ? s->refusal : no_memory);
	return true;
}

static bool
settle_down(struct control *c, struct waiting *w)
{
	const struct ike *ike = ipsec_endpoint_engine(c->options.endpoint);
	bool gone = report_state(ike, c->options.connections[w->index].id) == REPORT_DOWN;

	if (!gone && ipsec_now() < w->since + DOWN_TIME)
		return false;
	varlink_reply(w->call, json_pack("{sbsb}", "already", 0, "answered", gone));
	return true;
}

/* Rekeyed, refused, lost, or it takes long, and may come to an end later. */
static bool
settle_rekey(struct control *c, struct waiting *w)
{
	const struct state *s = &c->states[w->index];
	unsigned n[RENEWAL_LOST + 1];

	renewal_look(&w->renewal, ipsec_endpoint_engine(c->options.endpoint), n);
	if (n[RENEWAL_DONE] < w->renewal.n && s->refused >= w->since)
		fail(c, w->call, REKEY, w->index,
		    s->refusal != NULL ? s->refusal : no_memory);
	else if (n[RENEWAL_LOST] > 0)
		fail_by(c, w->call, REKEY, w->index,
		    s->ended >= w->since ? s->error : IKE_GONE);
	else if (n[RENEWAL_LEFT] > 0 && ipsec_now() < w->since + REKEY_TIME)
		return false;
	else
		varlink_reply(w->call, json_pack("{sIsb}", "rekeyed",
		    (json_int_t)n[RENEWAL_DONE], "finished", n[RENEWAL_LEFT] == 0));
	return true;
}

static void
settle(evutil_socket_t fd, short what, void *arg)
{
	static bool (*const settlers[])(struct control *, struct waiting *) = {
		[UP] = settle_up, [DOWN] = settle_down, [REKEY] = settle_rekey,
	};
	struct control *c = arg;
	struct waiting *w, *next;
	struct timeval second = { 1, 0 };

	(void)fd;
	(void)what;
	for (w = LIST_FIRST(&c->waiting); w != NULL; w = next) {
		next = LIST_NEXT(w, link);
		if (settlers[w->wish](c, w))
			end_waiting(w);
	}
	if (LIST_FIRST(&c->waiting) != NULL)
		event_add(c->settle, &second);
}

/* The engine is in the middle of a call now: look when it has left. */
static void
settle_soon(struct control *c)
{
	event_active(c->settle, EV_TIMEOUT, 0);
}

/* `renewal` is taken over, or NULL. */
static void
wait_for(struct control *c, struct varlink_call *call, enum wish wish, unsigned index,
    ike_time since, struct renewal *renewal)
{
	struct waiting *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		if (renewal != NULL)
			renewal_free(renewal);
		fail(c, call, wish, index, "no memory");
		return;
	}
	if (renewal != NULL)
		w->renewal = *renewal;
	w->call = call;
	w->wish = wish;
	w->index = index;
	w->since = since;
	LIST_INSERT_HEAD(&c->waiting, w, link);
	settle_soon(c);
}

static void
cancel(void *arg, struct varlink_call *call)
{
	struct control *c = arg;
	struct waiting *w;

	LIST_FOREACH(w, &c->waiting, link)
		if (w->call == call) {
			end_waiting(w);
			return;
		}
}

/* ---- methods ---- */

static void
log_call(const struct control *c, const struct varlink_call *call, unsigned index)
{
	log_notice(c->options.log, "%s: %s by pid %d of uid %u",
	    c->options.connections[index].configured->name, call->method,
	    (int)call->peer.pid, (unsigned)call->peer.uid);
}

static void
up(void *arg, struct varlink_call *call)
{
	struct control *c = arg;
	ike_time now = ipsec_now();
	enum ike_error error;
	int i;

	if ((i = named(c, call)) < 0)
		return;
	log_call(c, call, (unsigned)i);
	if (report_state(ipsec_endpoint_engine(c->options.endpoint),
	    c->options.connections[i].id) == REPORT_UP) {
		varlink_reply(call, json_pack("{sb}", "already", 1));
		return;
	}
	c->states[i].called = true;
	error = ipsec_endpoint_up(c->options.endpoint, now, c->options.connections[i].id);
	if (error == IKE_OK)
		wait_for(c, call, UP, (unsigned)i, now, NULL);
	else
		fail_by(c, call, UP, (unsigned)i, error);
}

static void
down(void *arg, struct varlink_call *call)
{
	struct control *c = arg;
	ike_time now = ipsec_now();
	bool already;
	int i;

	if ((i = named(c, call)) < 0)
		return;
	log_call(c, call, (unsigned)i);
	already = report_state(ipsec_endpoint_engine(c->options.endpoint),
	    c->options.connections[i].id) == REPORT_DOWN;
	ipsec_endpoint_down(c->options.endpoint, now, c->options.connections[i].id);
	if (already)
		varlink_reply(call, json_pack("{sbsb}", "already", 1, "answered", 1));
	else
		wait_for(c, call, DOWN, (unsigned)i, now, NULL);
}

/* The configured children, in their order. */
static json_t *
child_names(const struct ike_connection *built)
{
	json_t *names = json_array();

	for (unsigned i = 0; i < built->n_children && names != NULL; i++)
		names = report_append(names, json_string(built->children[i].name));
	return names;
}

static bool
has_child(const struct ike_connection *built, const char *name)
{
	for (unsigned i = 0; i < built->n_children; i++)
		if (strcmp(built->children[i].name, name) == 0)
			return true;
	return false;
}

/* What a call of Rekey means of its connection; false: it was answered with an error. */
static bool
find_renewal(struct control *c, struct varlink_call *call, unsigned i,
    struct renewal *renewal)
{
	const json_t *child = json_object_get(call->parameters, "child");
	const json_t *itself = json_object_get(call->parameters, "ike");
	const struct configured *configured = c->options.connections[i].configured;
	const char *name = json_string_value(child);
	char text[256];

	if (child != NULL && !json_is_null(child) && name == NULL) {
		varlink_invalid(call, "child");
	} else if (itself != NULL && !json_is_null(itself) && (!json_is_boolean(itself) ||
	    (json_is_true(itself) && name != NULL))) {
		varlink_invalid(call, "ike");
	} else if (name != NULL && !has_child(configured->connection, name)) {
		varlink_error(call, "org.ikev.Ikevd.NoChild", json_pack("{ss ss so}",
		    "name", configured->name, "child", name, "children",
		    child_names(configured->connection)));
	} else if (!renewal_find(ipsec_endpoint_engine(c->options.endpoint),
	    c->options.connections[i].id, json_is_true(itself), name, renewal)) {
		renewal_free(renewal);
		fail(c, call, REKEY, i, "no memory");
	} else if (renewal->n == 0) {
		if (name == NULL)
			snprintf(text, sizeof(text),
			    "it is not up; bring it up: ikectl up %s", configured->name);
		else
			snprintf(text, sizeof(text), "its child %s is not up; "
			    "ikectl status %s shows what is", name, configured->name);
		fail(c, call, REKEY, i, text);
	} else {
		return true;
	}
	return false;
}

static void
rekey(void *arg, struct varlink_call *call)
{
	struct control *c = arg;
	ike_time now = ipsec_now();
	struct renewal renewal;
	enum ike_error error;
	int i;

	if ((i = named(c, call)) < 0)
		return;
	log_call(c, call, (unsigned)i);
	if (!find_renewal(c, call, (unsigned)i, &renewal))
		return;
	error = renewal_begin(&renewal, c->options.endpoint, now);
	if (error == IKE_OK) {
		wait_for(c, call, REKEY, (unsigned)i, now, &renewal);
		return;
	}
	renewal_free(&renewal);
	fail_by(c, call, REKEY, (unsigned)i, error);
}

static json_t *
report(struct control *c, unsigned index)
{
	const struct control_connection *connection = &c->options.connections[index];

	return report_connection(c->options.endpoint, connection->id,
	    connection->configured, c->states[index].refusal);
}

/* What a call has had already is its context. */
static void
next_status(void *arg, struct varlink_call *call)
{
	struct control *c = arg;
	unsigned n = c->options.n_connections, first = (unsigned)(uintptr_t)call->context;
	unsigned end = call->more && n - first > STATUS_BATCH ? first + STATUS_BATCH : n;
	json_t *list = json_array();

	for (unsigned i = first; i < end && list != NULL; i++)
		list = report_append(list, report(c, i));
	list = json_pack("{so}", "connections", list);
	call->context = (void *)(uintptr_t)end;
	if (end < n)
		varlink_continue(call, list);
	else
		varlink_reply(call, list);
}

static void
status(void *arg, struct varlink_call *call)
{
	struct control *c = arg;
	json_t *name = json_object_get(call->parameters, "name");
	int i;

	if (name == NULL || json_is_null(name))
		next_status(c, call);
	else if ((i = named(c, call)) >= 0)
		varlink_reply(call,
		    json_pack("{s[o]}", "connections", report(c, (unsigned)i)));
}

static void
list(void *arg, struct varlink_call *call)
{
	struct control *c = arg;
	json_t *names = json_array();

	for (unsigned i = 0; i < c->options.n_connections && names != NULL; i++)
		names = report_append(names,
		    json_string(c->options.connections[i].configured->name));
	varlink_reply(call, json_pack("{so}", "names", names));
}

static void
version(void *arg, struct varlink_call *call)
{
	(void)arg;
	varlink_reply(call, json_pack("{ss}", "version", IKEVD_VERSION));
}

static const struct varlink_method methods[] = {
	{ "Up", up, { "name" } },
	{ "Down", down, { "name" } },
	{ "Rekey", rekey, { "name", "child", "ike" } },
	{ "Status", status, { "name" } },
	{ "List", list, { NULL } },
	{ "Version", version, { NULL } },
	{ NULL, NULL, { NULL } }
};

/* ---- events ---- */

/* Without memory for `text` the one before would be a wrong one. */
static void
keep_refusal(struct state *s, char *text, const struct ike_event *event)
{
	free(s->refusal);
	s->refusal = text;
	s->refused = event->at;
	s->refused_sa = event->sa;
}

static void
came_up(struct state *s, const struct ike_event *event)
{
	s->up = event->sa;
	s->called = false;
	if (event->child == 0)
		return;
	free(s->refusal);
	s->refusal = NULL;
	s->refused = s->refused_sa = 0;
}

/* Is the SA that came up last another one, and still there?  It has taken the place of
 * this one, by reauthentication or because the peer began anew. */
static bool
goes_on(const struct control *c, const struct state *s, const struct ike_event *event)
{
	const struct ike *ike = ipsec_endpoint_engine(c->options.endpoint);
	struct ike_sa_info sa;

	return s->up != 0 && s->up != event->sa && ike_next_sa(ike, s->up - 1, &sa) &&
	    sa.id == s->up && sa.state == IKE_STATE_ESTABLISHED;
}

/* A refusal says more than the end that follows it.  What was ended from here needs no
 * reason, and who waits for calls only learns none from callers that give up. */
static void
went_down(const struct control *c, struct state *s, const struct configured *configured,
    const struct ike_event *event)
{
	bool ours = event->sa == s->up || s->called ||
	    configured->connection->start != IKE_START_PASSIVE;

	s->ended = event->at;
	s->error = event->error;
	if (event->child != 0 || event->error == IKE_CANCELLED || !ours ||
	    goes_on(c, s, event))
		return;
	s->called = false;
	if (event->sa != s->refused_sa || event->error == IKE_TIMEOUT)
		keep_refusal(s, explain_down(configured, event->error), event);
}

void
control_event(struct control *c, const struct ike_event *event)
{
	int i = find_id(c, event->connection);
	const struct configured *configured;

	if (i < 0)
		return;
	configured = c->options.connections[i].configured;
	if (event->type == IKE_REFUSED)
		keep_refusal(&c->states[i],
		    explain_refusal(configured, c->options.secrets_dir, event->u.refusal),
		    event);
	else if (event->type == IKE_DOWN)
		went_down(c, &c->states[i], configured, event);
	else if (event->type == IKE_UP)
		came_up(&c->states[i], event);
	settle_soon(c);
}

/* ---- life ---- */

struct control *
control_new(const struct control_options *options, char why[VARLINK_WHY_LEN])
{
	struct control *c;

	snprintf(why, VARLINK_WHY_LEN, "control socket: no memory");
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	c->options = *options;
	LIST_INIT(&c->waiting);
	c->interface = (struct varlink_interface){ .name = "org.ikev.Ikevd",
	    .description = description, .methods = methods, .cancel = cancel,
	    .resume = next_status, .arg = c };
	c->states = calloc(options->n_connections + 1u, sizeof(*c->states));
	c->settle = event_new(options->base, -1, 0, settle, c);
	if (c->states != NULL && c->settle != NULL)
		c->varlink =
		    varlink_new(options->base, options->path, &c->interface, why);
	if (c->varlink == NULL) {
		control_free(c);
		return NULL;
	}
	return c;
}

void
control_free(struct control *c)
{
	if (c == NULL)
		return;
	varlink_free(c->varlink);
	if (c->settle != NULL)
		event_free(c->settle);
	for (unsigned i = 0; c->states != NULL && i < c->options.n_connections; i++)
		free(c->states[i].refusal);
	free(c->states);
	free(c);
}
