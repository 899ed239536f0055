/* INFORMATIONAL, RFC 7296 1.4: liveness answered, DELETE sent and obeyed. */
#include <stdlib.h>
#include <string.h>

#include "libike/sa.h"

/* ---- the peer's request ---- */

struct wish { /* what a request asks for, read before anything is done */
	bool delete_sa;
	enum ike_error error;	/* a notify that ends the SA */
	unsigned n;		/* Delete payloads for ESP */
};

static enum ike_error
read_request(const struct ike_message *m, struct wish *wish)
{
	struct ike_notify n;
	struct ike_delete d;

	memset(wish, 0, sizeof(*wish));
	for (unsigned i = 0; i < m->n; i++) {
		if (m->v[i].type == IKE_PAYLOAD_NOTIFY) {
			if (ike_parse_notify(m->v[i].body, &n) != IKE_OK)
				return IKE_INVALID_SYNTAX;
			if (n.type == IKE_AUTHENTICATION_FAILED)
				wish->error = IKE_AUTHENTICATION_FAILED;
		} else if (m->v[i].type == IKE_PAYLOAD_DELETE) {
			if (ike_parse_delete(m->v[i].body, &d) != IKE_OK)
				return IKE_INVALID_SYNTAX;
			if (d.protocol == IKE_PROTOCOL_IKE)
				wish->delete_sa = true;
			else if (d.protocol == IKE_PROTOCOL_ESP)
				wish->n++;
		}
	}
	return IKE_OK;
}

static bool
names_unknown(struct ike_sa *sa, const struct ike_message *m)
{
	const struct ike_payload *p;
	struct ike_delete d;

	for (unsigned i = 0; (p = ike_find_payload(m, IKE_PAYLOAD_DELETE, i)) != NULL; i++)
		if (ike_parse_delete(p->body, &d) == IKE_OK &&
		    d.protocol == IKE_PROTOCOL_ESP)
			for (uint16_t k = 0; k < d.count; k++)
				if (ike_child_by_out(sa, ike_delete_spi(&d, k)) == NULL)
					return true;
	return false;
}

/* Marks what goes, and lists our own SPIs of it for the answer.  One that we are
 * deleting at this moment ourselves is not listed: the peer's answer to that speaks
 * for it (T69). */
static void
mark_children(struct ike_sa *sa, const struct ike_message *m, struct ike_chain *answer)
{
	const struct ike_payload *p;
	struct ike_child_sa *c;
	struct ike_delete d;
	uint32_t spi;

	for (unsigned i = 0; (p = ike_find_payload(m, IKE_PAYLOAD_DELETE, i)) != NULL;
	     i++) {
		if (ike_parse_delete(p->body, &d) != IKE_OK ||
		    d.protocol != IKE_PROTOCOL_ESP)
			continue;
		for (uint16_t k = 0; k < d.count; k++) {
			c = ike_child_by_out(sa, ike_delete_spi(&d, k));
			if (c == NULL)
				continue;	/* unknown or already gone (T75) */
			c->leaving = true;
			if (c->deleting)
				continue;
			spi = c->spi_in;
			ike_chain_open(answer, IKE_PAYLOAD_DELETE);
			ike_build_delete(&answer->w, IKE_PROTOCOL_ESP, &spi, 1);
			ike_chain_close(answer);
		}
	}
}

static void
settle_children(struct ike *e, struct ike_sa *sa, bool gone)
{
	struct ike_child_sa *c, *next;

	for (c = LIST_FIRST(&sa->children); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		if (!c->leaving)
			continue;
		if (gone)
			ike_child_close(e, c, IKE_CLOSED);
		else
			c->leaving = false;
	}
	if (sa->peer != NULL)
		ike_peer_lost(e, sa->peer);
}

/* Why we delete an SA. */
static enum ike_error
reason(const struct ike_sa *sa)
{
	return sa->hint != IKE_OK ? sa->hint : IKE_CANCELLED;
}

static enum ike_error
end_sa(struct ike *e, struct ike_sa *sa, struct ike_exchange *x, enum ike_error why)
{
	struct ike_chain empty = ike_chain_begin(e);
	enum ike_error error = ike_exchange_send(e, x, &empty);

	if (error != IKE_OK)
		return error;
	if (why != IKE_CLOSED)
		ike_refused_by_peer(e, sa, why, NULL);
	if (sa->state == IKE_STATE_CLOSING)
		why = reason(sa);	/* crossed (T73) */
	if (why == IKE_CLOSED)
		ike_rekey_yield(e, sa);
	ike_sa_close(e, sa, why, IKE_LINGER);
	return IKE_OK;
}

static enum ike_error
request(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	struct ike_mobike_wish mobike;
	struct ike_chain answer;
	struct wish wish;
	enum ike_error error;

	if ((error = read_request(x->message, &wish)) != IKE_OK)
		return error;
	if (wish.delete_sa || wish.error != IKE_OK)	/* ends the message (T77) */
		return end_sa(e, sa, x, wish.error != IKE_OK ? wish.error : IKE_CLOSED);
	if ((error = ike_mobike_read(e, sa, x, &mobike)) != IKE_OK)
		return error;
	/* It may be what our own request is making; the peer asks again. */
	if (wish.n > 0 && ike_create_is_open(sa) && names_unknown(sa, x->message))
		return IKE_DROP;
	answer = ike_chain_begin(e);
	if (wish.n > 0)
		mark_children(sa, x->message, &answer);
	ike_mobike_answer(e, sa, x, &mobike, &answer);
	error = ike_exchange_send(e, x, &answer);
	if (wish.n > 0)
		settle_children(e, sa, error == IKE_OK);
	if (error == IKE_OK)
		ike_mobike_obey(e, sa, x, &mobike);
	return error;
}

ike_step *const ike_info_request_steps[] = { request, NULL };

/* ---- our own DELETE ---- */

/* What cannot be sent is tried again for as long as it would go unanswered, about. */
#define DELETE_AGAIN IKE_SECOND
enum { DELETE_TRIES = 120 };

/* Without memory for less, all of it goes: the peer is told of that when there is
 * some. */
static void
give_up(struct ike *e, struct ike_sa *sa)
{
	sa->hint = IKE_NO_MEMORY;
	ike_info_delete_sa(e, sa);
}

/* Its Child SAs go with it, and are not named: RFC 7296 1.4.1 says so, whoever answers
 * has answered for them, and a message that named both would be read by some for the Child
 * SAs only (T77).  Nothing more leaves by them from here on; what the peer still sends is
 * heard until its answer. */
static enum ike_error
send_delete_sa(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	struct ike_chain chain = ike_chain_begin(e);
	struct ike_child_sa *c;

	LIST_FOREACH(c, &sa->children, link)
		ike_child_stop_out(e, c);
	ike_chain_open(&chain, IKE_PAYLOAD_DELETE);
	ike_build_delete(&chain.w, IKE_PROTOCOL_IKE, NULL, 0);
	ike_chain_close(&chain);
	return ike_exchange_send(e, x, &chain);
}

static enum ike_error
sa_deleted(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	(void)x;
	ike_sa_close(e, sa, reason(sa), 0);
	return IKE_OK;
}

static ike_step *const delete_sa_steps[] = { send_delete_sa, sa_deleted, NULL };

void
ike_info_delete_later(struct ike *e, struct ike_sa *sa)
{
	if (++sa->window.sent > DELETE_TRIES)
		ike_sa_close(e, sa, reason(sa), 0);
	else
		ike_timer_arm(e, &sa->timer, e->now + DELETE_AGAIN);
}

void
ike_info_begin_delete(struct ike *e, struct ike_sa *sa)
{
	struct ike_exchange *x =
	    ike_exchange_new(sa, true, INFORMATIONAL, delete_sa_steps);

	if (x != NULL)
		ike_exchange_begin(e, sa, x);
	else
		ike_info_delete_later(e, sa);
}

void
ike_info_delete_sa(struct ike *e, struct ike_sa *sa)
{
	if (sa->state == IKE_STATE_CLOSING || sa->state == IKE_STATE_CLOSED)
		return;
	sa->close_after = sa->ours != NULL;
	if (sa->close_after)
		return;
	ike_sa_state(e, sa, IKE_STATE_CLOSING);
	ike_timer_disarm(e, &sa->timer);	/* its lifetimes are over */
	sa->window.sent = 0;
	ike_info_begin_delete(e, sa);
}

static enum ike_error
send_delete_spi(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	struct ike_chain chain = ike_chain_begin(e);
	struct ike_child_sa *c = ike_child_by_in(sa, x->spi);

	if (c != NULL) {
		c->deleting = true;
		ike_child_stop_out(e, c);
	}
	ike_chain_open(&chain, IKE_PAYLOAD_DELETE);
	ike_build_delete(&chain.w, IKE_PROTOCOL_ESP, &x->spi, 1);
	ike_chain_close(&chain);
	return ike_exchange_send(e, x, &chain);
}

/* Both directions go, whatever the answer lists (T76). */
static enum ike_error
spi_deleted(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	struct ike_child_sa *c = ike_child_by_in(sa, x->spi);

	if (c != NULL)
		ike_child_close(e, c, c->why != IKE_OK ? c->why : IKE_CANCELLED);
	if (sa->peer != NULL)
		ike_peer_lost(e, sa->peer);
	return IKE_OK;
}

static ike_step *const delete_spi_steps[] = { send_delete_spi, spi_deleted, NULL };

/* Is it asked for already?  Then once is enough, however often it is asked for. */
static bool
is_coming(struct ike_sa *sa, uint32_t spi_in)
{
	const struct ike_child_sa *c = ike_child_by_in(sa, spi_in);

	return c != NULL && c->deleting;
}

void
ike_info_begin_delete_child(struct ike *e, struct ike_sa *sa, uint32_t spi_in)
{
	struct ike_exchange *x =
	    ike_exchange_new(sa, true, INFORMATIONAL, delete_spi_steps);

	if (x == NULL) {
		give_up(e, sa);
		return;
	}
	x->spi = spi_in;
	ike_exchange_begin(e, sa, x);
}

void
ike_info_delete_spi(struct ike *e, struct ike_sa *sa, uint32_t spi_in)
{
	if (sa->state != IKE_STATE_ESTABLISHED || is_coming(sa, spi_in))
		return;
	if (ike_want(sa, IKE_WISH_DELETE_CHILD, spi_in))
		ike_next_wanted(e, sa);
	else
		give_up(e, sa);
}
