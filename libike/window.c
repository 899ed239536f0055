/* Message ids with a window of one, the cached response, and sending again: RFC 7296
 * 2.1 - 2.4.  A request of ours is repeated octet for octet until it is answered or
 * the schedule is at its end; a response of ours goes out again only when the very
 * same request comes again, of one in fragments the first (RFC 7383 2.6.1).  All
 * fragments of ours go out together, and in their first size: an answer that never comes
 * is no reason to try a smaller one. */
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

bool
ike_window_request(struct ike *e, struct ike_sa *sa, struct bytes request)
{
	struct ike_window *w = &sa->window;

	if (!ike_buffer_set(&w->request, request))
		return false;
	w->sent = 1;
	w->interval = schedule(sa)->first;
	send(e, sa, &sa->path, request);
	ike_timer_arm(e, &sa->retransmit, e->now + w->interval);
	return true;
}

void
ike_window_answered(struct ike *e, struct ike_sa *sa)
{
	ike_timer_disarm(e, &sa->retransmit);
	ike_buffer_free(&sa->window.request);
}

void
ike_window_retransmit(struct ike *e, struct ike_timer *t)
{
	struct ike_sa *sa = IKE_OWNER(t, struct ike_sa, retransmit);
	const struct ike_retransmission *s = schedule(sa);
	struct ike_window *w = &sa->window;

	if (w->sent >= s->tries) {
		ike_sa_close(e, sa, sa->hint != IKE_OK ? sa->hint :
		    sa->state == IKE_STATE_CLOSING ? IKE_CANCELLED : IKE_TIMEOUT, 0);
		return;
	}
	w->sent++;
	e->counts.retransmitted++;
	w->interval = next_interval(s, w->interval);
	send(e, sa, &sa->path, ike_buffer_view(&w->request));
	ike_timer_arm(e, &sa->retransmit, e->now + w->interval);
	ike_mobike_unanswered(e, sa);
}

/* RFC 4555 3.5: what is outstanding goes on by the new path. */
void
ike_window_moved(struct ike *e, struct ike_sa *sa, bool anew)
{
	struct ike_window *w = &sa->window;

	if (w->request.len == 0)
		return;
	send(e, sa, &sa->path, ike_buffer_view(&w->request));
	if (!anew)
		return;
	w->sent = 1;
	w->interval = schedule(sa)->first;
	ike_timer_arm(e, &sa->retransmit, e->now + w->interval);
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
