#include "libipsec/core.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libike/id.h"
#include "libipsec/socket.h"
#include "libipsec/worker.h"

enum { PSK_ROOM = 1024, ID_TEXT = 300 };

/* ---- codes ---- */

enum ipsec_error
ipsec_core_error(enum ike_error error, bool was_up)
{
	static const struct { enum ike_error theirs; enum ipsec_error ours; } codes[] = {
		{ IKE_OK, IPSEC_OK },
		{ IKE_NO_PROPOSAL_CHOSEN, IPSEC_NO_PROPOSAL },
		{ IKE_INVALID_KE_PAYLOAD, IPSEC_NO_PROPOSAL },
		{ IKE_AUTHENTICATION_FAILED, IPSEC_AUTH_FAILED },
		{ IKE_TS_UNACCEPTABLE, IPSEC_NO_SELECTORS },
		{ IKE_SINGLE_PAIR_REQUIRED, IPSEC_NO_SELECTORS },
		{ IKE_NO_MEMORY, IPSEC_NO_MEMORY },
		{ IKE_CANCELLED, IPSEC_CANCELLED },
		{ IKE_CLOSED, IPSEC_PEER_CLOSED },
		{ IKE_UNRESOLVED, IPSEC_UNRESOLVED },
		{ IKE_EXPIRED, IPSEC_EXPIRED },
	};

	if (error == IKE_TIMEOUT)
		return was_up ? IPSEC_PEER_DEAD : IPSEC_NO_ANSWER;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].theirs == error)
			return codes[i].ours;
	return IPSEC_REFUSED;
}

/* ---- telling the program ---- */

static const char *
text_of(enum ipsec_event_type type, enum ipsec_error error)
{
	static const char *const texts[] = {
		[IPSEC_EVENT_CONNECTING] = "the tunnel is being set up",
		[IPSEC_EVENT_UP] = "the tunnel is up",
		[IPSEC_EVENT_REKEYED] = "the tunnel has new keys",
		[IPSEC_EVENT_MOVED] = "the peer has another address",
		[IPSEC_EVENT_SHUT_DOWN] = "everything is closed",
	};

	return error == IPSEC_OK && (size_t)type < sizeof(texts) / sizeof(texts[0]) &&
	    texts[type] != NULL ? texts[type] : ipsec_error_text(error);
}

void
ipsec_core_tell(struct ipsec_core *c, struct ipsec_session *s, enum ipsec_event_type type,
    enum ipsec_error error, const struct ipsec_said *said)
{
	static const struct ipsec_said nothing;
	struct ipsec_said copy = said != NULL ? *said : nothing;
	char address[IPSEC_ADDRESS_LEN] = "";
	struct ipsec_event event = { .type = type, .error = error,
	    .text = copy.text[0] != '\0' ? copy.text : text_of(type, error),
	    .ours = copy.ours, .theirs = copy.theirs, .difference = copy.difference,
	    .setting = copy.setting, .peer_id = s != NULL ? s->peer_id : "",
	    .peer_address = address };

	if (s != NULL && s->peer.family != 0)
		ipsec_session_peer_address(s, address);
	else
		ipsec_place_print(copy.peer.family, copy.peer.addr, copy.peer.port,
		    address);
	c->ops->event(c, s, &event);
}

static void
keep_refusal(struct ipsec_said *said, const struct ike_event *event)
{
	const struct ike_refusal *r = event->u.refusal;

	said->sa = event->sa;
	said->error = ipsec_core_error(r->error, false);
	said->peer.family = r->path.family;
	said->peer.port = r->path.port[1];
	memcpy(said->peer.addr, r->path.addr[1], sizeof(said->peer.addr));
	snprintf(said->text, sizeof(said->text), "%s", r->what);
	snprintf(said->ours, sizeof(said->ours), "%s", r->ours);
	snprintf(said->theirs, sizeof(said->theirs), "%s", r->theirs);
	snprintf(said->difference, sizeof(said->difference), "%s", r->difference);
	snprintf(said->setting, sizeof(said->setting), "%s",
	    ipsec_setting_name(r->setting));
}

/* ---- within the endpoint's own calls: nothing may be settled there ---- */

static void
begin(struct ipsec_core *c)
{
	c->depth++;
}

static void
end(struct ipsec_core *c)
{
	if (--c->depth == 0)		/* in none of the program's */
		c->unsettled = true;
}

/* ---- the engine's events ---- */

/* The session of an SA that has come up; of one that we began there is none yet. */
static struct ipsec_session *
need_session(struct ipsec_core *c, ike_id sa)
{
	struct ipsec_session *s = ipsec_session_find(c, sa);

	return s != NULL || !c->ops->calls ? s :
	    ipsec_session_new(c, sa, c->settings->remote_id);
}

static void
on_up(struct ipsec_core *c, const struct ike_event *event)
{
	struct ipsec_session *s = need_session(c, event->sa);

	if (s == NULL)
		return;
	s->established = true;
	if (event->child == 0 || s->up || s->closing)
		return;
	s->up = true;
	ipsec_session_go_on(s);
	if (s->was_up)			/* nobody was told that it was not */
		return;
	s->was_up = true;
	s->up_since = event->at;
	c->accepted++;
	ipsec_core_tell(c, s, IPSEC_EVENT_UP, IPSEC_OK, NULL);
}

static void
on_replaced(struct ipsec_core *c, const struct ike_event *event)
{
	struct ipsec_session *s = ipsec_session_find(c, event->sa);

	if (s == NULL)
		return;
	if (event->child != 0)
		s->child_rekeys++;
	else
		s->ike_rekeys++;
	ipsec_core_tell(c, s, IPSEC_EVENT_REKEYED, IPSEC_OK, NULL);
}

/* A tunnel that carries nothing any more is at its end, though the IKE SA lives. */
static void
on_down(struct ipsec_core *c, const struct ike_event *event)
{
	struct ipsec_session *s = ipsec_session_find(c, event->sa);
	enum ipsec_error error;

	if (s == NULL) {
		if (event->child == 0 && event->connection == c->connection)
			c->ops->failed(c, event->sa, event->error);
		return;
	}
	error = ipsec_core_error(event->error, s->was_up);
	if (event->child == 0) {
		ipsec_session_end(s, s->error != IPSEC_OK ? s->error : error, false);
	} else if (s->up && s->link.n_out == 0 && !s->closing) {
		s->up = false;
		s->error = (uint8_t)error;
		if (event->error == IKE_CLOSED)
			ipsec_session_wait(s);
		else
			ipsec_session_close(s);
	}
}

static void
on_refused(struct ipsec_core *c, const struct ike_event *event)
{
	keep_refusal(&c->last, event);
	c->refused++;
	ipsec_core_tell(c, ipsec_session_find(c, event->sa), IPSEC_EVENT_REFUSED,
	    c->last.error, &c->last);
}

static void
heard(void *arg, const struct ike_event *event)
{
	static void (*const rooms[])(struct ipsec_core *, const struct ike_event *) = {
		[IKE_UP] = on_up, [IKE_REPLACED] = on_replaced, [IKE_DOWN] = on_down,
		[IKE_REFUSED] = on_refused,
	};

	if ((size_t)event->type >= sizeof(rooms) / sizeof(rooms[0]) ||
	    rooms[event->type] == NULL)
		return;
	begin(arg);
	rooms[event->type](arg, event);
	end(arg);
}

/* ---- its questions ---- */

static enum ike_error
admit(void *arg, const struct ike_event *event)
{
	const struct ike_auth_request *auth = event->u.auth;
	struct ipsec_core *c = arg;
	struct ipsec_session *s;
	enum ike_error verdict;
	char id[ID_TEXT];

	ike_id_print(auth->remote_id_type, auth->remote_id, id, sizeof(id));
	if (c->shutting || c->doomed)
		return IKE_AUTHENTICATION_FAILED;
	if ((s = ipsec_session_new(c, event->sa, id)) == NULL)
		return IKE_NO_MEMORY;
	ipsec_session_set_peer(s, &auth->path);
	s->question = event->question;
	begin(c);
	verdict = c->ops->admit(c, s);
	end(c);
	if (verdict != IKE_WAIT)
		s->question = 0;
	if (verdict != IKE_OK && verdict != IKE_WAIT)
		ipsec_session_end(s, IPSEC_REFUSED, true);
	return verdict;
}

/* A question of its own: what an event views ends with the first call of the program that
 * takes `now`, and its callback may be what makes that. */
struct question {
	struct ike_event event;
	struct ike_auth_request auth;
	size_t len;
	uint8_t octets[];
};

static struct bytes
put(struct question *q, struct bytes from)
{
	struct bytes copy = { q->octets + q->len, from.len };

	if (from.len > 0)
		memcpy(q->octets + q->len, from.p, from.len);
	q->len += from.len;
	return copy;
}

static struct question *
keep_question(const struct ike_event *event)
{
	const struct ike_auth_request *auth = event->u.auth;
	struct bytes secret = bytes_of(auth->secret, strlen(auth->secret) + 1);
	struct question *q = calloc(1, sizeof(*q) + auth->octets.len + auth->value.len +
	    secret.len + auth->local_id.len + auth->remote_id.len);

	if (q == NULL)
		return NULL;
	q->event = *event;
	q->auth = *auth;
	q->auth.octets = put(q, auth->octets);
	q->auth.value = put(q, auth->value);
	q->auth.secret = (const char *)put(q, secret).p;
	q->auth.local_id = put(q, auth->local_id);
	q->auth.remote_id = put(q, auth->remote_id);
	q->event.u.auth = &q->auth;
	return q;
}

static void
free_question(struct question *q)
{
	sodium_memzero(q->octets, q->len);
	free(q);
}

/* The program's word on a peer; false: it has none.  The room for it is guarded memory:
 * making and freeing it twice for each handshake would cost a third of it.  It is kept,
 * and empty between two questions. */
static bool
ask_for_psk(struct ipsec_core *c, const struct ike_event *event,
    uint8_t value[IPSEC_AUTH_MAX], struct ike_answer *answer)
{
	const struct ike_auth_request *auth = event->u.auth;
	uint8_t *secret = c->psk_room;
	char id[ID_TEXT];
	size_t len;

	if (c->doomed || (secret == NULL &&
	    (secret = c->psk_room = sodium_malloc(PSK_ROOM)) == NULL))
		return false;
	ike_id_print(auth->remote_id_type, auth->remote_id, id, sizeof(id));
	begin(c);
	len = c->ops->psk(c, id, secret, PSK_ROOM);
	end(c);
	if (len > 0 && len <= PSK_ROOM)
		ipsec_secret_answer(bytes_of(secret, len), event, value, answer);
	sodium_memzero(secret, PSK_ROOM);
	return len > 0 && len <= PSK_ROOM;
}

static void
answer_asking(struct ipsec_core *c, const struct ike_event *event,
    uint8_t value[IPSEC_AUTH_MAX], struct ike_answer *answer)
{
	struct question *q = keep_question(event);

	if (q == NULL) {
		*answer = (struct ike_answer){ .error = IKE_NO_MEMORY };
		return;
	}
	if (!ask_for_psk(c, &q->event, value, answer))
		ipsec_settings_answer(c->settings, &q->event, value, answer);
	free_question(q);
}

static void
authenticate(void *arg, const struct ike_event *event, uint8_t value[IPSEC_AUTH_MAX],
    struct ike_answer *answer)
{
	struct ipsec_core *c = arg;

	if (ipsec_settings_answer_peer(c->settings, event, value, answer))
		return;
	if (c->ops->psk != NULL)
		answer_asking(c, event, value, answer);
	else
		ipsec_settings_answer(c->settings, event, value, answer);
}

static void
rest(void *arg)
{
	const struct ipsec_core *c = arg;

	ipsec_settings_rest(c->settings);
}

/* ---- the data path's ---- */

static struct ipsec_link *
need_link(void *arg, const struct ipsec_sa *sa)
{
	struct ipsec_core *c = arg;
	struct ipsec_session *s = need_session(c, sa->ike_sa);

	if (s == NULL)
		return NULL;
	ipsec_session_set_peer(s, &sa->child->path);
	memcpy(c->own, sa->child->path.addr[0], sizeof(c->own));
	return &s->link;
}

static void
deliver(void *arg, struct ipsec_link *link, const struct ipsec_packet *v, unsigned n)
{
	struct ipsec_core *c = arg;

	begin(c);
	c->ops->packets(c, (struct ipsec_session *)link, v, n);
	end(c);
}

/* A server has no address of its own to tell of: each session has its. */
static bool
has_roamed(struct ipsec_core *c, const struct ike_path *path)
{
	bool roamed = c->ops->calls && memcmp(c->own, path->addr[0], sizeof(c->own)) != 0;

	memcpy(c->own, path->addr[0], sizeof(c->own));
	return roamed;
}

static void
moved(void *arg, struct ipsec_link *link, const struct ike_path *path)
{
	static const struct ipsec_said here = { .text = "this end has another address" };
	struct ipsec_session *s = (struct ipsec_session *)link;
	bool roamed = has_roamed(arg, path), elsewhere = ipsec_session_set_peer(s, path);

	/* of several Child SAs the first says it */
	if (!s->up || (!roamed && !elsewhere))
		return;
	begin(arg);
	ipsec_core_tell(arg, s, IPSEC_EVENT_MOVED, IPSEC_OK, elsewhere ? NULL : &here);
	end(arg);
}

/* ---- life ---- */

void
ipsec_core_init(struct ipsec_core *c, const struct ipsec_core_ops *ops,
    struct ipsec_settings *settings)
{
	memset(c, 0, sizeof(*c));
	c->ops = ops;
	c->settings = ipsec_settings_hold(settings);
	TAILQ_INIT(&c->sessions);
	TAILQ_INIT(&c->empty);
	TAILQ_INIT(&c->closing);
	TAILQ_INIT(&c->dead);
}

/* A look-up has ended, or the like: outside of any call of the program. */
static void
endpoint_changed(void *arg)
{
	struct ipsec_core *c = arg;

	if (c->depth > 0)
		return;
	c->unsettled = true;
	if (c->changed != NULL)
		c->changed(c->watcher);
}

enum ipsec_error
ipsec_core_open(struct ipsec_core *c, const struct ipsec_place *place)
{
	const char *const listen[] = { place->host };
	const struct ipsec_links_user user = { .need = need_link, .moved = moved,
	    .packets = c->ops->packets != NULL ? deliver : NULL, .arg = c,
	    .queue = c->settings->queue };
	struct ipsec_options options = { .listen = listen,
	    .n_listen = place->host[0] != '\0', .natt_port = place->port,
	    .one_port = true, .resolver = c->resolver, .authenticate = authenticate, .rest = rest,
	    .event = heard, .admit = admit, .arg = c };

	if ((c->links = ipsec_links_new(&user)) == NULL) {
		snprintf(c->why, sizeof(c->why), "no memory for a data path");
		return IPSEC_NO_MEMORY;
	}
	options.datapath = ipsec_links_datapath(c->links);
	c->endpoint = ipsec_endpoint_new(&options, c->why);
	if (c->endpoint == NULL) {
		options.datapath->ops->close(options.datapath);
		c->links = NULL;
		return IPSEC_NO_SOCKET;
	}
	c->why[0] = '\0';
	ipsec_endpoint_watch(c->endpoint, endpoint_changed, c);
	return IPSEC_OK;
}

/* What an endpoint has counted outlives it. */
static void
add_counts(const struct ipsec_core *c, uint64_t *retransmitted, uint64_t *junk)
{
	struct ipsec_worker_counters packets;
	struct ike_counts counts;

	if (c->endpoint == NULL)
		return;
	ike_read_counts(ipsec_endpoint_engine(c->endpoint), &counts);
	ipsec_links_counters(c->links, &packets);
	*retransmitted += counts.retransmitted;
	*junk += ipsec_udp_read_counters(ipsec_endpoint_udp(c->endpoint))->junk +
	    packets.esp.in[ESP_NO_SA] + packets.esp.in[ESP_MALFORMED];
}

/* Who polls the fds must let go of them before they are closed. */
void
ipsec_core_close(struct ipsec_core *c)
{
	struct ipsec_endpoint *e = c->endpoint;
	struct ipsec_session *s;

	while ((s = TAILQ_FIRST(&c->sessions)) != NULL)
		ipsec_session_end(s, IPSEC_CANCELLED, c->doomed);
	if (e == NULL)
		return;
	add_counts(c, &c->retransmitted, &c->junk);
	c->endpoint = NULL;
	if (c->changed != NULL)
		c->changed(c->watcher);
	ipsec_endpoint_free(e);
	c->links = NULL;
	c->connection = 0;
}

static void
free_dead(struct ipsec_core *c)
{
	struct ipsec_session *s;

	while ((s = TAILQ_FIRST(&c->dead)) != NULL) {
		TAILQ_REMOVE(&c->dead, s, next_closing);
		free(s);
	}
}

void
ipsec_core_end(struct ipsec_core *c)
{
	c->doomed = true;
	ipsec_core_close(c);
	free_dead(c);
	ipsec_index_free(&c->by_id);
	if (c->gone != NULL)
		c->gone(c->watcher);
	sodium_free(c->psk_room);
	ipsec_settings_free(c->settings);
}

bool
ipsec_core_put(struct ipsec_core *c, struct ike_connection *connection)
{
	c->connection = ipsec_endpoint_put(c->endpoint, ipsec_now(), connection);
	return c->connection != 0;
}

/* ---- entering and leaving ---- */

void
ipsec_core_enter(struct ipsec_core *c)
{
	c->depth++;
}

/* Nobody has anything to say any more; of a client whose SA never became a session the
 * engine knows. */
static bool
is_silent(const struct ipsec_core *c)
{
	return c->n_sessions == 0 &&
	    (c->endpoint == NULL || !c->ops->calls || ipsec_endpoint_idle(c->endpoint));
}

static void
finish_shutdown(struct ipsec_core *c)
{
	static const struct ipsec_said alone = {
		.text = "everything is closed here, though a peer has not confirmed it" };
	bool silent = is_silent(c), good = silent && !c->unconfirmed;

	if (!c->shutting || c->shut_down || (!silent && ipsec_now() < c->shut_by))
		return;
	ipsec_core_close(c);
	c->shut_down = true;
	ipsec_core_tell(c, NULL, IPSEC_EVENT_SHUT_DOWN, good ? IPSEC_OK : IPSEC_NO_ANSWER,
	    good ? NULL : &alone);
}

void
ipsec_core_leave(struct ipsec_core *c)
{
	if (c->depth > 1) {
		c->depth--;
		return;
	}
	c->unsettled = false;
	if (!c->doomed)
		c->ops->settle(c);
	if (!c->doomed)
		finish_shutdown(c);
	free_dead(c);
	c->depth--;
	if (c->doomed)
		c->ops->destroy(c);
	else if (c->changed != NULL)
		c->changed(c->watcher);
}

void
ipsec_core_shutdown(struct ipsec_core *c)
{
	struct ipsec_session *s;

	if (c->shutting)
		return;
	ipsec_core_enter(c);		/* so that those that end stay in memory */
	c->shutting = true;
	c->shut_by = ipsec_now() + c->settings->shutdown_time;
	if (c->endpoint != NULL) {
		TAILQ_FOREACH(s, &c->sessions, next)
			ipsec_session_close(s);
		ipsec_endpoint_shutdown(c->endpoint, ipsec_now());
	}
	ipsec_core_leave(c);
}

/* Sessions that stay empty, and those whose peers do not confirm their end. */
static void
end_overdue(struct ipsec_core *c)
{
	struct ipsec_session *s;
	int64_t now = ipsec_now();

	while ((s = TAILQ_FIRST(&c->empty)) != NULL && s->close_by <= now)
		ipsec_session_close(s);
	while ((s = TAILQ_FIRST(&c->closing)) != NULL && s->close_by <= now) {
		c->unconfirmed = c->unconfirmed || c->shutting;
		ipsec_session_end(s, s->error != IPSEC_OK ? s->error : IPSEC_CANCELLED,
		    false);
	}
}

void
ipsec_core_process(struct ipsec_core *c, int64_t now)
{
	if (c->depth > 0)
		return;
	ipsec_core_enter(c);
	if (c->endpoint != NULL)
		ipsec_endpoint_process(c->endpoint, now);
	end_overdue(c);
	ipsec_core_leave(c);
}

/* ---- what it waits for, and what it has ---- */

unsigned
ipsec_core_fds(const struct ipsec_core *c, struct pollfd *v, unsigned n)
{
	return c->endpoint != NULL ? ipsec_endpoint_fds(c->endpoint, v, n) : 0;
}

static void
take_earlier(int64_t *when, bool *any, int64_t other)
{
	if (!*any || other < *when)
		*when = other;
	*any = true;
}

bool
ipsec_core_deadline(const struct ipsec_core *c, int64_t *when)
{
	const struct ipsec_session *empty = TAILQ_FIRST(&c->empty);
	const struct ipsec_session *closing = TAILQ_FIRST(&c->closing);
	bool any = c->endpoint != NULL && ipsec_endpoint_deadline(c->endpoint, when);

	if (empty != NULL)
		take_earlier(when, &any, empty->close_by);
	if (closing != NULL)
		take_earlier(when, &any, closing->close_by);
	if (c->shutting && !c->shut_down)
		take_earlier(when, &any, c->shut_by);
	if (c->unsettled)
		take_earlier(when, &any, 0);
	return any;
}

/* As milliseconds for poll(2); not earlier, which would be for nothing. */
static int
milliseconds(int64_t when, int64_t now)
{
	int64_t left = when > now ? when - now : 0;

	left = left / 1000 + (left % 1000 != 0);
	return left < INT32_MAX ? (int)left : INT32_MAX;
}

int
ipsec_core_timeout(const struct ipsec_core *c, int64_t now)
{
	int64_t when;

	return ipsec_core_deadline(c, &when) ? milliseconds(when, now) : -1;
}

bool
ipsec_core_wait(struct ipsec_core *c, int64_t until)
{
	struct pollfd fds[IPSEC_CORE_FDS];
	unsigned n = ipsec_core_fds(c, fds, IPSEC_CORE_FDS);
	int64_t when = until;
	bool any = ipsec_core_deadline(c, &when);

	if (c->depth > 0 || (n == 0 && !any))
		return false;
	if (when > until)
		when = until;
	if (n > IPSEC_CORE_FDS)
		n = IPSEC_CORE_FDS;
	poll(fds, n, milliseconds(when, ipsec_now()));
	ipsec_core_process(c, ipsec_now());	/* which may free it */
	return ipsec_now() < until;
}

void
ipsec_core_metrics(const struct ipsec_core *c, struct ipsec_metrics *m)
{
	const struct ipsec_session *s;

	*m = c->ended;
	TAILQ_FOREACH(s, &c->sessions, next)
		ipsec_session_add_metrics(s, m);
	m->sessions = c->n_sessions;
	m->accepted = c->accepted;
	m->refused = c->refused;
	m->retransmitted = c->retransmitted;
	m->junk = c->junk;
	add_counts(c, &m->retransmitted, &m->junk);
}

void
ipsec_core_watch(struct ipsec_core *c, void (*changed)(void *arg),
    void (*gone)(void *arg), void *arg, struct ipsec_resolver *resolver)
{
	c->changed = changed;
	c->gone = gone;
	c->watcher = arg;
	c->resolver = resolver;
}
