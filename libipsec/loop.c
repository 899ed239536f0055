#include <event2/event.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "libipsec/loop.h"

struct ipsec_loop {
	struct ipsec_endpoint *endpoint;
	int timer;
	unsigned n;
	struct event *events[];		/* of each fd, and the timer's as the last */
};

static void
ready(evutil_socket_t fd, short what, void *arg)
{
	struct ipsec_loop *l = arg;
	uint64_t expirations;

	(void)what;
	if (fd == l->timer && read(fd, &expirations, sizeof(expirations)) < 0)
		return;			/* it was set anew meanwhile */
	ipsec_endpoint_process(l->endpoint, ipsec_now());
}

static void
set_timer(void *arg)
{
	struct ipsec_loop *l = arg;
	struct itimerspec at = { 0 };
	ike_time when;

	if (ipsec_endpoint_deadline(l->endpoint, &when)) {
		if (when < 1)
			when = 1;	/* 0 would stop the timer */
		at.it_value.tv_sec = when / IKE_SECOND;
		at.it_value.tv_nsec = when % IKE_SECOND * 1000;
	}
	timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static bool
add_events(struct ipsec_loop *l, struct event_base *base, const struct pollfd *fds)
{
	for (unsigned i = 0; i < l->n; i++) {
		l->events[i] = event_new(base, fds[i].fd, EV_READ | EV_PERSIST, ready, l);
		if (l->events[i] == NULL || event_add(l->events[i], NULL) != 0)
			return false;
	}
	return true;
}

struct ipsec_loop *
ipsec_attach(struct ipsec_endpoint *endpoint, struct event_base *base)
{
	unsigned n = ipsec_endpoint_fds(endpoint, NULL, 0);
	struct pollfd *fds = calloc(n + 1, sizeof(*fds));
	struct ipsec_loop *l = calloc(1, sizeof(*l) + (n + 1) * sizeof(l->events[0]));

	if (l != NULL)
		l->timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (fds == NULL || l == NULL || l->timer < 0)
		goto out;
	l->endpoint = endpoint;
	l->n = n + 1;
	ipsec_endpoint_fds(endpoint, fds, n);
	fds[n].fd = l->timer;
	if (!add_events(l, base, fds))
		goto out;
	free(fds);
	ipsec_endpoint_watch(endpoint, set_timer, l);
	set_timer(l);
	return l;
out:
	free(fds);
	ipsec_detach(l);
	return NULL;
}

void
ipsec_detach(struct ipsec_loop *l)
{
	if (l == NULL)
		return;
	if (l->endpoint != NULL)
		ipsec_endpoint_watch(l->endpoint, NULL, NULL);
	for (unsigned i = 0; i < l->n; i++)
		if (l->events[i] != NULL)
			event_free(l->events[i]);
	if (l->timer >= 0)
		close(l->timer);
	free(l);
}
