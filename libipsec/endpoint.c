#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "libesp/bytes.h"
#include "libipsec/child.h"
#include "libipsec/endpoint.h"
#include "libipsec/lookup.h"

struct question {		/* an IKE_ASK_RESOLVE that the resolver has */
	LIST_ENTRY(question) link;
	ike_id id;
	char local[];		/* the connection's local address, or "" */
};

struct ipsec_endpoint {
	struct ipsec_options options;
	struct ike *ike;
	struct ipsec_udp *udp;
	struct ipsec_datapath *datapath;
	struct ipsec_children *children;
	LIST_HEAD(, question) questions;

	struct pollfd *fds;		/* the sockets', then the data path's */
	unsigned n_sockets, n_fds;
	void (*changed)(void *arg);
	void *changed_arg;

	ike_time now;
	bool draining;			/* inputs from within callbacks wait for it */
	bool again;
	bool closing;
};

ike_time
ipsec_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (ike_time)t.tv_sec * IKE_SECOND + t.tv_nsec / 1000;
}

/* ---- events: each to its room ---- */

static void
tell_people(struct ipsec_endpoint *e, const struct ike_event *event)
{
	if (e->options.event != NULL)
		e->options.event(e->options.arg, event);
}

static bool
attempting(const struct ipsec_endpoint *e, ike_id connection)
{
	struct ike_sa_info sa;

	for (ike_id id = 0; ike_next_sa_of(e->ike, connection, id, &sa); id = sa.id)
		if (sa.state < IKE_STATE_ESTABLISHED)
			return true;
	return false;
}

/* What was held for an attempt that has failed is held no longer; an older SA that ends
 * while another attempt goes on says nothing about that one. */
static void
give_up(struct ipsec_endpoint *e, const struct ike_event *event)
{
	if (ipsec_children_holds(e->children, event->connection) &&
	    !attempting(e, event->connection))
		ipsec_children_release(e->children, event->connection);
	tell_people(e, event);
}

static void
install(struct ipsec_endpoint *e, const struct ike_event *event)
{
	struct ike_notice notice;

	if (ipsec_children_apply(e->children, event, &notice))
		ike_tell(e->ike, e->now, &notice);
}

static void
answer(struct ipsec_endpoint *e, ike_id question, const struct ike_answer *a)
{
	ike_answer_question(e->ike, e->now, question, a);
}

static void
authenticate(struct ipsec_endpoint *e, const struct ike_event *event)
{
	struct ike_answer a = { .error = IKE_AUTHENTICATION_FAILED,
	    .reason = "this endpoint has no secrets" };
	uint8_t value[IPSEC_AUTH_MAX];

	if (e->options.authenticate != NULL)
		e->options.authenticate(e->options.arg, event, value, &a);
	else if (e->options.secrets != NULL)
		ipsec_secrets_answer(e->options.secrets, event, value, &a);
	answer(e, event->question, &a);
	sodium_memzero(value, sizeof(value));
}

static void
admit(struct ipsec_endpoint *e, const struct ike_event *event)
{
	struct ike_answer a = { .error = IKE_OK };
	ike_id question = event->question;

	if (e->options.admit != NULL)
		a.error = e->options.admit(e->options.arg, event);
	if (a.error != IKE_WAIT)
		answer(e, question, &a);
}

/* The newest packet of all Child SAs of an IKE SA. */
static void
tell_usage(struct ipsec_endpoint *e, const struct ike_event *event)
{
	struct ike_answer a = { .error = IKE_OK };
	struct ike_child_info child;
	struct ipsec_usage usage;

	for (unsigned i = 0; ike_child_at(e->ike, event->sa, i, &child); i++)
		if (e->datapath->ops->usage(e->datapath, child.id, &usage) &&
		    usage.heard > a.heard)
			a.heard = usage.heard;
	answer(e, event->question, &a);
}

static void drain(struct ipsec_endpoint *);

static void
resolved(void *arg, ike_id id, const struct ipsec_address *v, unsigned n, const char *why)
{
	struct ipsec_endpoint *e = arg;
	struct ike_answer a;
	struct question *q;

	LIST_FOREACH(q, &e->questions, link)
		if (q->id == id)
			break;
	if (q == NULL)
		return;
	if (!e->draining)
		e->now = ipsec_now();
	ipsec_lookup_answer(e->udp, q->local, v, n, &a);
	if (n == 0)
		a.reason = why;
	LIST_REMOVE(q, link);
	free(q);
	answer(e, id, &a);
	drain(e);
}

static void
ask_resolver(struct ipsec_endpoint *e, const struct ike_event *event)
{
	struct ike_answer a = { .error = IKE_UNRESOLVED,
	    .reason = "this endpoint does not look up host names: use an address" };
	const char *local = event->u.resolve.local;
	struct question *q;

	if (e->options.resolver == NULL) {
		answer(e, event->question, &a);
		return;
	}
	if ((q = calloc(1, sizeof(*q) + strlen(local) + 1)) == NULL) {
		a = (struct ike_answer){ .error = IKE_NO_MEMORY };
		answer(e, event->question, &a);
		return;
	}
	q->id = event->question;
	memcpy(q->local, local, strlen(local));
	LIST_INSERT_HEAD(&e->questions, q, link);
	e->options.resolver->ops->ask(e->options.resolver, q->id, event->u.resolve.remote,
	    resolved, e);
}

static void
resolve(struct ipsec_endpoint *e, const struct ike_event *event)
{
	struct ipsec_address remote;
	struct ike_answer a;

	if (!ipsec_lookup_literal(event->u.resolve.remote, &remote)) {
		ask_resolver(e, event);
		return;
	}
	ipsec_lookup_answer(e->udp, event->u.resolve.local, &remote, 1, &a);
	answer(e, event->question, &a);
}

static void (*const rooms[])(struct ipsec_endpoint *, const struct ike_event *) = {
	[IKE_ASK_RESOLVE] = resolve,
	[IKE_ASK_PROVE] = authenticate, [IKE_ASK_CHECK] = authenticate,
	[IKE_ASK_ADMIT] = admit, [IKE_ASK_USAGE] = tell_usage,
	[IKE_IN_ADD] = install, [IKE_OUT_ADD] = install,
	[IKE_OUT_REMOVE] = install, [IKE_IN_REMOVE] = install, [IKE_SET_PATH] = install,
	[IKE_UP] = tell_people, [IKE_REPLACED] = tell_people,
	[IKE_DOWN] = give_up, [IKE_REFUSED] = give_up,
	[IKE_TRACE] = tell_people,
};

/* ---- draining ---- */

static void
send_datagrams(struct ipsec_endpoint *e)
{
	struct ipsec_message v[IPSEC_BATCH];
	struct ike_datagram out;
	unsigned n;

	do {
		for (n = 0; n < IPSEC_BATCH && ike_next_datagram(e->ike, &out); n++)
			v[n] = (struct ipsec_message){
			    .kind = out.keepalive ? IPSEC_KEEPALIVE : IPSEC_IKE,
			    .data = (uint8_t *)(uintptr_t)out.data.p,	/* only read */
			    .len = (uint32_t)out.data.len, .path = out.path };
		ipsec_udp_send(e->udp, v, n);
	} while (n == IPSEC_BATCH);
}

/* SAs are in the data path before the peer hears of them. */
static void
settle(struct ipsec_endpoint *e)
{
	struct ike_event event;

	while (ike_next_event(e->ike, &event))
		rooms[event.type](e, &event);
	send_datagrams(e);
}

static void
rest(struct ipsec_endpoint *e)
{
	if (e->options.rest != NULL)
		e->options.rest(e->options.arg);
	if (e->options.secrets != NULL)
		ipsec_secrets_rest(e->options.secrets);
}

/* Called after every input; the only place where the engine's outputs leave it. */
static void
drain(struct ipsec_endpoint *e)
{
	if (e->draining)
		return;
	e->draining = true;
	do {
		e->again = false;
		settle(e);
		if (e->datapath->ops->process != NULL)
			e->datapath->ops->process(e->datapath);
	} while (e->again);
	rest(e);
	e->draining = false;
	if (e->changed != NULL)
		e->changed(e->changed_arg);
}

/* What the data path has to tell, from its `process` or from a callback of its own. */
static void
tell(void *arg, const struct ike_notice *notice)
{
	struct ipsec_endpoint *e = arg;

	if (e->closing)
		return;
	if (!e->draining)
		e->now = ipsec_now();
	if (ike_tell(e->ike, e->now, notice) == IKE_OK)
		e->again = true;
	else if (notice->type == IKE_ACQUIRE)
		ipsec_children_release(e->children, notice->id);
	drain(e);
}

/* ---- life ---- */

static void
fill_random(void *arg, uint8_t *p, size_t len)
{
	(void)arg;
	randombytes_buf(p, len);
}

static bool
open_sockets(struct ipsec_endpoint *e, char why[IPSEC_WHY_LEN])
{
	const struct ipsec_options *o = &e->options;
	const struct ipsec_udp_options options = { .listen = o->listen,
	    .n_listen = o->n_listen, .port = o->port, .natt_port = o->natt_port,
	    .one_port = o->one_port,
	    .fwmark = o->fwmark, .native_esp = o->native_esp };

	e->udp = ipsec_udp_new(&options, why);
	return e->udp != NULL;
}

static bool
make_parts(struct ipsec_endpoint *e)
{
	uint16_t natt_port = ipsec_udp_natt_port(e->udp);
	const struct ike_options options = { .random = fill_random,
	    .port = e->options.one_port ? natt_port : e->options.port,
	    .natt_port = natt_port,
	    .native_esp = ipsec_udp_native(e->udp), .trace = e->options.trace };

	e->ike = ike_new(&options);
	e->children = ipsec_children_new(e->datapath);
	return e->ike != NULL && e->children != NULL;
}

/* After attach, which may be what opens the data path's. */
static bool
collect_fds(struct ipsec_endpoint *e)
{
	unsigned (*more)(struct ipsec_datapath *, int *, unsigned);
	unsigned n = ipsec_udp_fds(e->udp, NULL, 0);
	int *fds;

	more = e->datapath->ops->fds;
	e->n_sockets = n;
	e->n_fds = n + (more != NULL ? more(e->datapath, NULL, 0) : 0);
	fds = calloc(e->n_fds, sizeof(*fds));
	e->fds = calloc(e->n_fds, sizeof(*e->fds));
	if (fds == NULL || e->fds == NULL) {
		free(fds);
		return false;
	}
	ipsec_udp_fds(e->udp, fds, n);
	if (more != NULL)
		more(e->datapath, fds + n, e->n_fds - n);
	for (unsigned i = 0; i < e->n_fds; i++)
		e->fds[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	free(fds);
	return true;
}

static void
free_endpoint(struct ipsec_endpoint *e)
{
	struct question *q;

	while ((q = LIST_FIRST(&e->questions)) != NULL) {
		LIST_REMOVE(q, link);
		free(q);
	}
	ike_free(e->ike);
	ipsec_udp_free(e->udp);
	free(e->fds);
	free(e);
}

struct ipsec_endpoint *
ipsec_endpoint_new(const struct ipsec_options *options, char why[IPSEC_WHY_LEN])
{
	struct ipsec_endpoint *e = NULL;

	snprintf(why, IPSEC_WHY_LEN, "no memory for an endpoint");
	if (sodium_init() < 0 || (e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	e->options = *options;
	e->datapath = options->datapath;
	LIST_INIT(&e->questions);
	if (!open_sockets(e, why) || !make_parts(e))
		goto out;
	if (!e->datapath->ops->attach(e->datapath, e->udp, tell, e)) {
		snprintf(why, IPSEC_WHY_LEN, "the data path does not take the sockets");
		goto out;
	}
	if (collect_fds(e))
		return e;
out:
	ipsec_children_free(e->children);
	free_endpoint(e);
	return NULL;
}

void
ipsec_endpoint_free(struct ipsec_endpoint *e)
{
	if (e == NULL)
		return;
	if (e->options.resolver != NULL)
		e->options.resolver->ops->cancel(e->options.resolver, e);
	ipsec_children_free(e->children);
	e->datapath->ops->close(e->datapath);
	free_endpoint(e);
}

/* ---- inputs ---- */

ike_id
ipsec_endpoint_put(struct ipsec_endpoint *e, ike_time now, struct ike_connection *c)
{
	ike_id id;

	e->now = now;
	id = ike_put(e->ike, now, 0, c);
	if (id != 0 && !ipsec_children_put(e->children, id, c)) {
		ike_drop(e->ike, now, id);
		id = 0;
	}
	drain(e);
	return id;
}

enum ike_error
ipsec_endpoint_drop(struct ipsec_endpoint *e, ike_time now, ike_id connection)
{
	enum ike_error error;

	e->now = now;
	error = ike_drop(e->ike, now, connection);
	drain(e);
	ipsec_children_drop(e->children, connection);
	return error;
}

enum ike_error
ipsec_endpoint_up(struct ipsec_endpoint *e, ike_time now, ike_id connection)
{
	enum ike_error error;

	e->now = now;
	error = ike_up(e->ike, now, connection);
	drain(e);
	return error;
}

enum ike_error
ipsec_endpoint_down(struct ipsec_endpoint *e, ike_time now, ike_id id)
{
	enum ike_error error;

	e->now = now;
	error = ike_down(e->ike, now, id);
	drain(e);
	return error;
}

void
ipsec_endpoint_carry(struct ipsec_endpoint *e, ike_time now)
{
	if (!e->draining)
		e->now = now;
	drain(e);
}

void
ipsec_endpoint_roam(struct ipsec_endpoint *e, ike_time now)
{
	e->now = now;
	ike_roam(e->ike, now);
	drain(e);
}

enum ike_error
ipsec_endpoint_rekey(struct ipsec_endpoint *e, ike_time now, ike_id id)
{
	enum ike_error error;

	e->now = now;
	error = ike_rekey(e->ike, now, id);
	drain(e);
	return error;
}

enum ike_error
ipsec_endpoint_admit(struct ipsec_endpoint *e, ike_time now, ike_id question,
    enum ike_error verdict)
{
	const struct ike_answer a = { .error = verdict };
	enum ike_error error;

	e->now = now;
	error = ike_answer_question(e->ike, now, question, &a);
	drain(e);
	return error;
}

/* One who begins has not had our SPI yet, RFC 7296 3.1. */
static bool
is_newcomer(const struct ipsec_message *m)
{
	return bytes_load64(m->data + 8) == 0;
}

static void
take_ike(struct ipsec_endpoint *e, struct ipsec_message *m)
{
	if (e->closing && is_newcomer(m))
		return;
	ike_receive(e->ike, e->now, &m->path, m->data, m->len);
	settle(e);
}

/* In the order they came: what an IKE message installs serves the ESP behind it. */
static void
dispatch(struct ipsec_endpoint *e, struct ipsec_message *v, unsigned n)
{
	unsigned i = 0, first;

	while (i < n) {
		for (first = i; i < n && (v[i].kind == IPSEC_ESP_UDP ||
		    v[i].kind == IPSEC_ESP_NATIVE); i++)
			continue;
		if (i > first && e->datapath->ops->receive != NULL)
			e->datapath->ops->receive(e->datapath, v + first, i - first);
		if (i < n && v[i].kind == IPSEC_IKE)
			take_ike(e, &v[i]);
		i++;
	}
}

void
ipsec_endpoint_process(struct ipsec_endpoint *e, ike_time now)
{
	bool one = e->n_sockets == 1;	/* reading it costs no more than to ask */
	struct ipsec_message *v;
	unsigned n;

	if (e->draining)
		return;
	e->now = now;
	e->draining = true;		/* drain comes at the end, once */
	if (one || poll(e->fds, e->n_sockets, 0) > 0)
		for (unsigned i = 0; i < e->n_sockets; i++)
			if ((one || e->fds[i].revents != 0) &&
			    (n = ipsec_udp_receive(e->udp, i, &v)) > 0)
				dispatch(e, v, n);
	ike_tick(e->ike, now);
	e->draining = false;
	drain(e);
}

/* ---- what it waits for, and what it has ---- */

unsigned
ipsec_endpoint_fds(const struct ipsec_endpoint *e, struct pollfd *v, unsigned n)
{
	for (unsigned i = 0; i < e->n_fds && i < n; i++)
		v[i] = (struct pollfd){ .fd = e->fds[i].fd, .events = e->fds[i].events };
	return e->n_fds;
}

bool
ipsec_endpoint_deadline(const struct ipsec_endpoint *e, ike_time *when)
{
	return ike_next_deadline(e->ike, when);
}

void
ipsec_endpoint_watch(struct ipsec_endpoint *e, void (*changed)(void *arg), void *arg)
{
	e->changed = changed;
	e->changed_arg = arg;
}

void
ipsec_endpoint_shutdown(struct ipsec_endpoint *e, ike_time now)
{
	ike_id id = 0;

	e->now = now;
	e->closing = true;
	while ((id = ipsec_children_next(e->children, id)) != 0)
		ike_down(e->ike, now, id);
	drain(e);
}

bool
ipsec_endpoint_idle(const struct ipsec_endpoint *e)
{
	struct ike_sa_info info = { 0 };

	while (ike_next_sa(e->ike, info.id, &info))
		if (info.state != IKE_STATE_CLOSED)
			return false;
	return true;
}

const struct ike *
ipsec_endpoint_engine(const struct ipsec_endpoint *e)
{
	return e->ike;
}

bool
ipsec_endpoint_usage(struct ipsec_endpoint *e, ike_id child, struct ipsec_usage *usage)
{
	return e->datapath->ops->usage(e->datapath, child, usage);
}

const struct ipsec_udp *
ipsec_endpoint_udp(const struct ipsec_endpoint *e)
{
	return e->udp;
}
