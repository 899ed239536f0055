/* Message ids with a window of one, the cached response, and sending again: RFC 7296
 * 2.1 - 2.4.  A request of ours is repeated octet for octet until it is answered or
 * the schedule is at its end; a response of ours goes out again only when the very
 * same request comes again, of one in fragments the first (RFC 7383 2.6.1).  All
 * fragments of ours go out together, and in their first size: an answer that never comes
 * is no reason to try a smaller one. */
#include <stdlib.h>
#include <string.h>

#include "libike/sa.h"

/* A cached response is not repeated faster than this, whatever arrives. */
#define RESEND_GAP (IKE_SECOND / 10)

static const struct ike_retransmission *
schedule(const struct ike_sa *sa)
{
	return sa->state >= IKE_STATE_ESTABLISHED ?
	    &sa->connection->established : &sa->connection->setting_up;
}

static ike_time
next_interval(const struct ike_retransmission *s, ike_time interval)
{
	interval = interval * s->factor_percent / 100;
	return interval < s->most ? interval : s->most;
}

ike_time
ike_retransmission_time(const struct ike_retransmission *s)
{
	ike_time interval = s->first, all = 0;

	for (unsigned sent = 0; sent < s->tries; sent++) {
		all += interval;
		interval = next_interval(s, interval);
	}
	return all;
}

/* One datagram, or a fragment each; without memory they go with the next copy. */
static void
send(struct ike *e, struct ike_sa *sa, const struct ike_path *path, struct bytes messages)
{
	struct bytes message;

	while (ike_next_message(&messages, &message))
		if (ike_send(e, path, message))
			sa->live.sent = e->now;
}

static struct bytes
view(const struct ike_request *r)
{
	return bytes_of(r->octets, r->len);
}

static void
retransmit(struct ike *e, struct ike_timer *t)
{
	struct ike_request *r = IKE_OWNER(t, struct ike_request, timer);
	struct ike_sa *sa = r->sa;
	const struct ike_retransmission *s = schedule(sa);

	if (sa->window.sent >= s->tries) {
		ike_sa_close(e, sa, sa->hint != IKE_OK ? sa->hint :
		    sa->state == IKE_STATE_CLOSING ? IKE_CANCELLED : IKE_TIMEOUT, 0);
		return;
	}
	sa->window.sent++;
	e->counts.retransmitted++;
	r->interval = next_interval(s, r->interval);
	send(e, sa, &sa->path, view(r));
	ike_timer_arm(e, &r->timer, e->now + r->interval);
	ike_mobike_unanswered(e, sa);
}

/* From the beginning of the schedule. */
static void
send_first(struct ike *e, struct ike_sa *sa)
{
	struct ike_request *r = sa->window.request;

	sa->window.sent = 1;
	r->interval = schedule(sa)->first;
	send(e, sa, &sa->path, view(r));
	ike_timer_arm(e, &r->timer, e->now + r->interval);
}

bool
ike_window_request(struct ike *e, struct ike_sa *sa, struct bytes request)
{
	struct ike_request *r = calloc(1, sizeof(*r) + request.len);

	if (r == NULL)
		return false;
	r->sa = sa;
	r->timer.fire = retransmit;
	r->len = request.len;
	memcpy(r->octets, request.p, request.len);
	ike_window_answered(e, sa);
	sa->window.request = r;
	send_first(e, sa);
	return true;
}

void
ike_window_answered(struct ike *e, struct ike_sa *sa)
{
	struct ike_request *r = sa->window.request;

	if (r == NULL)
		return;
	sa->window.request = NULL;
	ike_timer_disarm(e, &r->timer);
	free(r);
}

/* RFC 4555 3.5: what is outstanding goes on by the new path. */
void
ike_window_moved(struct ike *e, struct ike_sa *sa, bool anew)
{
	if (sa->window.request == NULL)
		return;
	if (anew)
		send_first(e, sa);
	else
		send(e, sa, &sa->path, view(sa->window.request));
}

bool
ike_window_respond(struct ike *e, struct ike_sa *sa, const struct ike_exchange *x,
    struct bytes response)
{
	struct ike_window *w = &sa->window;

	if (!ike_buffer_set(&w->response, response))
		return false;
	w->answered = x->request;
	w->next_expected = x->id + 1;
	w->resent = e->now;
	send(e, sa, &x->path, response);
	return true;
}

enum ike_window_verdict
ike_window_judge(const struct ike_sa *sa, uint32_t id, struct bytes wire)
{
	const struct ike_window *w = &sa->window;

	if (sa->theirs != NULL)
		return IKE_WINDOW_DROP;		/* its answer is being made (T03) */
	if (id == w->next_expected && sa->state != IKE_STATE_CLOSED)
		return IKE_WINDOW_NEW;
	if (id + 1 != w->next_expected || w->response.len == 0 ||
	    !ike_mark_is(&w->answered, wire))
		return IKE_WINDOW_DROP;
	return IKE_WINDOW_AGAIN;
}

void
ike_window_again(struct ike *e, struct ike_sa *sa, const struct ike_path *path)
{
	struct ike_window *w = &sa->window;

	if (e->now - w->resent < RESEND_GAP)
		return;
	w->resent = e->now;
	e->counts.retransmitted++;
	send(e, sa, path, ike_buffer_view(&w->response));
}
