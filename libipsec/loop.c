#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "libipsec/core.h"
#include "libipsec/loop.h"

/* What is driven: an endpoint for its user, or the core of a client or server. */
struct driven {
	unsigned (*fds)(const void *, struct pollfd *, unsigned n);
	bool (*deadline)(const void *, int64_t *when);
	void (*process)(void *, int64_t now);
};

struct ipsec_loop {
	const struct driven *driven;
	void *what;
	struct event_base *base;
	struct ipsec_resolver *resolver;	/* its own, or NULL */
	int timer;
	unsigned n;
	struct pollfd *fds;			/* those that have events */
	struct event **events;
	struct event *timeout;
};

static void
process(struct ipsec_loop *l)
{
	l->driven->process(l->what, ipsec_now());
}

static void
ready(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	process(arg);
}

static void
expired(evutil_socket_t fd, short what, void *arg)
{
	uint64_t expirations;

	(void)what;
	if (read(fd, &expirations, sizeof(expirations)) >= 0)
		process(arg);
	/* else it was set anew meanwhile */
}

static void
set_timer(struct ipsec_loop *l)
{
	struct itimerspec at = { 0 };
	int64_t when;

	if (l->driven->deadline(l->what, &when)) {
		if (when < 1)
			when = 1;	/* 0 would stop the timer */
		at.it_value.tv_sec = when / IKE_SECOND;
		at.it_value.tv_nsec = when % IKE_SECOND * 1000;
	}
	timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void
drop_events(struct ipsec_loop *l)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->events[i] != NULL)
			event_free(l->events[i]);
	free(l->events);
	free(l->fds);
	l->events = NULL;
	l->fds = NULL;
	l->n = 0;
}

static bool
add_events(struct ipsec_loop *l)
{
	unsigned n = l->driven->fds(l->what, NULL, 0);

	l->fds = calloc(n + 1, sizeof(*l->fds));
	l->events = calloc(n + 1, sizeof(*l->events));
	if (l->fds == NULL || l->events == NULL)
		return false;
	l->driven->fds(l->what, l->fds, n);
	l->n = n;
	for (unsigned i = 0; i < n; i++) {
		l->events[i] = event_new(l->base, l->fds[i].fd, EV_READ | EV_PERSIST,
		    ready, l);
		if (l->events[i] == NULL || event_add(l->events[i], NULL) != 0)
			return false;
	}
	return true;
}

static struct ipsec_loop *
new_loop(const struct driven *driven, void *what, struct event_base *base)
{
	struct ipsec_loop *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->driven = driven;
	l->what = what;
	l->base = base;
	l->timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (l->timer >= 0)
		l->timeout = event_new(base, l->timer, EV_READ | EV_PERSIST, expired, l);
	if (l->timeout != NULL && event_add(l->timeout, NULL) == 0 && add_events(l))
		return l;
	ipsec_detach(l);
	return NULL;
}

/* ---- an endpoint ---- */

static unsigned
endpoint_fds(const void *e, struct pollfd *v, unsigned n)
{
	return ipsec_endpoint_fds(e, v, n);
}

static bool
endpoint_deadline(const void *e, int64_t *when)
{
	return ipsec_endpoint_deadline(e, when);
}

static void
endpoint_process(void *e, int64_t now)
{
	ipsec_endpoint_process(e, now);
}

static void
endpoint_changed(void *arg)
{
	set_timer(arg);
}

struct ipsec_loop *
ipsec_attach(struct ipsec_endpoint *endpoint, struct event_base *base)
{
	static const struct driven driven = { endpoint_fds, endpoint_deadline,
	    endpoint_process };
	struct ipsec_loop *l = new_loop(&driven, endpoint, base);

	if (l == NULL)
		return NULL;
	ipsec_endpoint_watch(endpoint, endpoint_changed, l);
	set_timer(l);
	return l;
}

void
ipsec_detach(struct ipsec_loop *l)
{
	if (l == NULL)
		return;
	if (l->driven->process == endpoint_process)
		ipsec_endpoint_watch(l->what, NULL, NULL);
	drop_events(l);
	if (l->timeout != NULL)
		event_free(l->timeout);
	if (l->timer >= 0)
		close(l->timer);
	ipsec_resolver_free(l->resolver);
	free(l);
}

/* ---- a client or a server ---- */

static unsigned
core_fds(const void *c, struct pollfd *v, unsigned n)
{
	return ipsec_core_fds(c, v, n);
}

static bool
core_deadline(const void *c, int64_t *when)
{
	return ipsec_core_deadline(c, when);
}

static void
core_process(void *c, int64_t now)
{
	ipsec_core_process(c, now);
}

static bool
has_same_fds(const struct ipsec_loop *l)
{
	struct pollfd now[IPSEC_CORE_FDS] = { 0 };
	unsigned n = l->driven->fds(l->what, now, IPSEC_CORE_FDS);

	if (n != l->n || n > IPSEC_CORE_FDS)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (now[i].fd != l->fds[i].fd)
			return false;
	return true;
}

/* Where there is no memory for the events of new fds, time alone goes on.  After shutdown
 * nothing is left on the base, which may be all that its dispatch waits for. */
static void
core_changed(void *arg)
{
	struct ipsec_loop *l = arg;
	struct ipsec_core *c = l->what;

	if (c->shut_down) {
		ipsec_core_watch(c, NULL, NULL, NULL, NULL);
		ipsec_detach(l);
		return;
	}
	if (!has_same_fds(l)) {
		drop_events(l);
		if (!add_events(l))
			drop_events(l);
	}
	set_timer(l);
}

static void
core_gone(void *arg)
{
	ipsec_detach(arg);
}

static bool
attach_core(struct ipsec_core *c, struct event_base *base, bool resolves)
{
	static const struct driven driven = { core_fds, core_deadline, core_process };
	struct ipsec_loop *l;

	if (c->watcher != NULL || c->shut_down || (l = new_loop(&driven, c, base)) == NULL)
		return false;
	if (resolves && (l->resolver = ipsec_resolver_new(base)) == NULL) {
		ipsec_detach(l);
		return false;
	}
	ipsec_core_watch(c, core_changed, core_gone, l, l->resolver);
	set_timer(l);
	return true;
}

bool
ipsec_client_attach(struct ipsec_client *client, struct event_base *base)
{
	return attach_core(ipsec_client_core(client), base, true);
}

bool
ipsec_server_attach(struct ipsec_server *server, struct event_base *base)
{
	return attach_core(ipsec_server_core(server), base, false);
}
