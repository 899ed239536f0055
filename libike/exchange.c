/* THE table of exchanges: what may arrive when, which payloads it must hold, and who
 * answers it.  A message that matches no row is dropped before any handler runs, and
 * handlers never check what the table checks. */
#include <stdlib.h>
#include <string.h>

#include "libike/protect.h"
#include "libike/sa.h"

/* A question that nobody answers. */
#define ANSWER_TIME (30 * IKE_SECOND)
struct count { uint8_t type, min, max; };
enum { NO_SA = IKE_STATE_CLOSED + 1 };	/* beside the states */
#define IN(state) (1u << (state))
#define UP (IN(IKE_STATE_ESTABLISHED) | IN(IKE_STATE_REPLACED) | IN(IKE_STATE_CLOSING))

static const struct count init_counts[] = {
	{ IKE_PAYLOAD_SA, 1, 1 }, { IKE_PAYLOAD_KE, 1, 1 }, { IKE_PAYLOAD_NONCE, 1, 1 },
	{ 0 }
};
static const struct count auth_request_counts[] = {
	{ IKE_PAYLOAD_IDI, 1, 1 }, { IKE_PAYLOAD_IDR, 0, 1 }, { IKE_PAYLOAD_AUTH, 0, 1 },
	{ IKE_PAYLOAD_SA, 0, 1 }, { IKE_PAYLOAD_TSI, 0, 1 }, { IKE_PAYLOAD_TSR, 0, 1 },
	{ 0 }
};
static const struct count auth_response_counts[] = {
	{ IKE_PAYLOAD_IDR, 1, 1 }, { IKE_PAYLOAD_AUTH, 1, 1 }, { IKE_PAYLOAD_SA, 0, 1 },
	{ IKE_PAYLOAD_TSI, 0, 1 }, { IKE_PAYLOAD_TSR, 0, 1 }, { 0 }
};
static const struct count create_child_counts[] = {
	{ IKE_PAYLOAD_SA, 1, 1 }, { IKE_PAYLOAD_NONCE, 1, 1 }, { IKE_PAYLOAD_KE, 0, 1 },
	{ IKE_PAYLOAD_TSI, 0, 1 }, { IKE_PAYLOAD_TSR, 0, 1 }, { 0 }
};
static const struct count any_counts[] = { { 0 } };

/* A response without steps of its own goes on with the exchange that asked. */
static const struct rule {
	uint8_t type;
	bool response;
	unsigned states;		/* where it may arrive; else dropped */
	const struct count *counts;
	ike_step *const *steps;
} rules[] = {
	{ IKE_SA_INIT, false, IN(NO_SA), init_counts, NULL }, /* see init.c: no SA yet */
	{ IKE_SA_INIT, true, IN(IKE_STATE_INIT_SENT), init_counts, NULL },
	{ IKE_AUTH, false, IN(IKE_STATE_INIT_DONE), auth_request_counts,
	    ike_auth_request_steps },
	{ IKE_AUTH, true, IN(IKE_STATE_AUTH_SENT), auth_response_counts, NULL },
	{ CREATE_CHILD_SA, false, UP, create_child_counts, ike_create_child_steps },
	{ CREATE_CHILD_SA, true, IN(IKE_STATE_ESTABLISHED), create_child_counts, NULL },
	{ INFORMATIONAL, false, UP, any_counts, ike_info_request_steps },
	{ INFORMATIONAL, true, UP, any_counts, NULL },
};

static const struct rule *
find_rule(uint8_t type, bool response, unsigned state)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].type == type && rules[i].response == response &&
		    (rules[i].states & IN(state)) != 0)
			return &rules[i];
	return NULL;
}

enum ike_error
ike_first_error(const struct ike_message *m)
{
	struct ike_notify n;

	for (unsigned i = 0; i < m->n; i++)
		if (m->v[i].type == IKE_PAYLOAD_NOTIFY &&
		    ike_parse_notify(m->v[i].body, &n) == IKE_OK &&
		    n.type > 0 && n.type < IKE_N_FIRST_STATUS)
			return (enum ike_error)n.type;
	return IKE_OK;
}

/* Does a response say something else than a success, whose payloads it then need not
 * hold: an error, or in IKE_SA_INIT the wish for a cookie (2.6)? */
static bool
is_refusal(const struct rule *rule, const struct ike_message *m)
{
	struct ike_notify cookie;

	return rule->response && (ike_first_error(m) != IKE_OK ||
	    (rule->type == IKE_SA_INIT && ike_find_notify(m, IKE_N_COOKIE, &cookie)));
}

/* Too few or too many of a payload. */
static enum ike_error
check_counts(const struct rule *rule, const struct ike_message *m)
{
	bool lenient = is_refusal(rule, m);
	const struct count *c;
	unsigned n;

	for (c = rule->counts; c->type != 0; c++) {
		n = ike_count_payloads(m, c->type);
		if ((n < c->min && !lenient) || n > c->max)
			return IKE_INVALID_SYNTAX;
	}
	return IKE_OK;
}

static enum ike_error
check_message(const struct rule *rule, const struct ike_message *m)
{
	if (m->unsupported != 0)
		return IKE_UNSUPPORTED_CRITICAL_PAYLOAD;
	return check_counts(rule, m);
}

enum ike_error
ike_exchange_check_init(const struct ike_message *m)
{
	return check_message(find_rule(IKE_SA_INIT, false, NO_SA), m);
}

struct ike_exchange *
ike_exchange_new(struct ike_sa *sa, bool ours, uint8_t type, ike_step *const *steps)
{
	struct ike_exchange *x;

	if ((x = calloc(1, sizeof(*x))) == NULL)
		return NULL;
	x->sa = sa;
	x->ours = ours;
	x->type = type;
	x->steps = steps;
	x->question.timer.fire = ike_ask_timeout;
	return x;
}

static void
forget_message(struct ike_exchange *x)
{
	if (x->copy != NULL)
		ike_wipe(x->copy, x->message->octets.len);
	free(x->copy);
	free(x->message);
	x->copy = NULL;
	x->message = NULL;
}

static void
close_question(struct ike *e, struct ike_exchange *x)
{
	if (x->question.id == 0)
		return;
	ike_table_remove_question(e, x);
	ike_timer_disarm(e, &x->question.timer);
	x->question.id = 0;
}

void
ike_exchange_free(struct ike *e, struct ike_exchange *x)
{
	if (x == NULL)
		return;
	close_question(e, x);
	forget_message(x);
	ike_buffer_free(&x->answer_value);
	free(x->answer_reason);
	ike_buffer_free(&x->id_body);
	ike_fresh_free(&x->fresh);
	ike_buffer_free(&x->rival.lowest);
	if (x->rival.sa != NULL)
		ike_sa_dead(e, x->rival.sa);
	if (x->next != NULL)
		ike_sa_dead(e, x->next);
	if (x->child != NULL)
		ike_child_free(e, x->child);
	ike_ts_free(&x->narrowed[0]);
	ike_ts_free(&x->narrowed[1]);
	ike_connection_free(x->connection);
	if (x->sa->ours == x)
		x->sa->ours = NULL;
	if (x->sa->theirs == x)
		x->sa->theirs = NULL;
	free(x);
}

/* The longest datagram that is not cut; 0: none is. */
static size_t
longest(const struct ike_sa *sa, const struct ike_exchange *x)
{
	return !sa->fragments ? 0 :
	    ike_fragment_size(x->ours ? &sa->path : &x->path, sa->connection->fragment);
}

struct ike_chain
ike_chain_begin(struct ike *e)
{
	return ike_chain(e->plain, sizeof(e->plain));
}

enum ike_error
ike_exchange_send(struct ike *e, struct ike_exchange *x, const struct ike_chain *chain)
{
	struct ike_sa *sa = x->sa;
	struct ike_writer w = ike_writer(e->scratch, sizeof(e->scratch));
	struct ike_header h = {
		.spi_i = sa->spi_i,
		.spi_r = sa->spi_r,
		.version = 0x20,
		.exchange = x->type,
		.flags = (uint8_t)((sa->initiator ? IKE_FLAG_INITIATOR : 0) |
		    (x->ours ? 0 : IKE_FLAG_RESPONSE)),
		.message_id = x->ours ? sa->window.next_request : x->id,
	};
	enum ike_error error;

	if (chain->w.bad)
		return IKE_NO_MEMORY;
	error = ike_seal_fragments(&sa->suite, &sa->keys, sa->initiator, &h, chain,
	    longest(sa, x), &sa->iv, &e->random, &w);
	if (error != IKE_OK)
		return error;
	ike_trace_sent(e, sa, &h, chain);
	ike_trace_fragments(e, sa, true, ike_written(&w));
	if (!x->ours)
		return ike_window_respond(e, sa, x, ike_written(&w)) ?
		    IKE_OK : IKE_NO_MEMORY;
	if (!ike_window_request(e, sa, ike_written(&w)))
		return IKE_NO_MEMORY;
	x->id = sa->window.next_request++;
	x->awaits_response = true;
	return IKE_WAIT;
}

/* Does the peer hold the SA for up, which is to end?  Every answer to our IKE_AUTH but a
 * bare refusal means so. */
static bool
peer_is_up(const struct ike_exchange *x)
{
	if (x->sa->state == IKE_STATE_ESTABLISHED)
		return true;
	return x->sa->state == IKE_STATE_AUTH_SENT && x->message != NULL &&
	    x->message->header.exchange == IKE_AUTH &&
	    (ike_find_payload(x->message, IKE_PAYLOAD_AUTH, 0) != NULL ||
	    ike_first_error(x->message) == IKE_OK);
}

enum ike_error
ike_answer_notify(struct ike *e, struct ike_exchange *x, const struct ike_notify *n)
{
	struct ike_chain chain = ike_chain_begin(e);

	ike_chain_open(&chain, IKE_PAYLOAD_NOTIFY);
	ike_build_notify(&chain.w, n);
	ike_chain_close(&chain);
	return ike_exchange_send(e, x, &chain);
}

static bool
answer_error(struct ike *e, struct ike_exchange *x, enum ike_error error)
{
	uint8_t unsupported = x->message->unsupported;

	return ike_answer_notify(e, x, &(struct ike_notify){ .type = (uint16_t)error,
	    .data = bytes_of(&unsupported,
	    error == IKE_UNSUPPORTED_CRITICAL_PAYLOAD ? 1 : 0) }) == IKE_OK;
}

static void
fail(struct ike *e, struct ike_exchange *x, enum ike_error error)
{
	struct ike_sa *sa = x->sa;

	if (sa->state == IKE_STATE_CLOSED)
		return;
	if (x->ours) {
		if (peer_is_up(x)) {
			sa->hint = error;
			sa->close_after = true;
		} else if (sa->state == IKE_STATE_CLOSING && x->message == NULL) {
			ike_info_delete_later(e, sa);
		} else {
			ike_sa_close(e, sa, sa->hint != IKE_OK ? sa->hint : error, 0);
		}
		return;
	}
	/* Ours to mend (memory, a lost answer): the peer will ask again. */
	if (error < 0 || !answer_error(e, x, error))
		return;
	if (sa->state == IKE_STATE_INIT_DONE || error == IKE_INVALID_SYNTAX)
		ike_sa_close(e, sa, error, IKE_LINGER);	/* T39, T91: no Delete payload */
}

void
ike_exchange_cancel(struct ike *e, struct ike_exchange *x)
{
	if (x != NULL && !x->running)
		ike_exchange_free(e, x);
}

/* The exchange is over, well or not. */
static void
finish(struct ike *e, struct ike_exchange *x, enum ike_error error)
{
	struct ike_sa *sa = x->sa;

	x->running = true;		/* closing the SA must leave it to us */
	if (error != IKE_OK && error != IKE_WAIT)
		fail(e, x, error);
	ike_exchange_free(e, x);
	ike_next_wanted(e, sa);
}

void
ike_exchange_end(struct ike_exchange *x)
{
	while (*x->steps != NULL)
		x->steps++;
}

void
ike_exchange_run(struct ike *e, struct ike_exchange *x)
{
	struct ike_sa *sa = x->sa;
	enum ike_error error = IKE_OK;

	x->running = true;
	while (*x->steps != NULL && error == IKE_OK && sa->state != IKE_STATE_CLOSED)
		error = (*x->steps++)(e, sa, x);
	x->running = false;
	if (error == IKE_WAIT && sa->state != IKE_STATE_CLOSED)
		return;
	if (error == IKE_DROP && x->ours) {	/* not the answer; it may still come */
		x->steps--;
		x->awaits_response = true;
		return;
	}
	finish(e, x, error);
}

enum ike_error
ike_ask(struct ike *e, struct ike_exchange *x, enum ike_event_type type,
    const struct ike_auth_request *auth)
{
	x->asked = type;
	x->question.id = ike_new_id(e);
	if (!ike_table_add_question(e, x)) {
		x->question.id = 0;
		return IKE_NO_MEMORY;
	}
	ike_timer_arm(e, &x->question.timer, e->now + ANSWER_TIME);
	if (!ike_say_question(e, type, x, auth)) {
		close_question(e, x);
		return IKE_NO_MEMORY;
	}
	return IKE_WAIT;
}

/* The answer is copied: the exchange may keep it over later calls. */
static void
take_answer(struct ike *e, struct ike_exchange *x, const struct ike_answer *answer)
{
	close_question(e, x);
	free(x->answer_reason);
	x->answer_reason = answer->reason != NULL ? strdup(answer->reason) : NULL;
	x->answer_error = answer->error;
	x->answer_path = answer->path;
	x->answer_heard = answer->heard;
	if (!ike_buffer_set(&x->answer_value, answer->value))
		x->answer_error = IKE_NO_MEMORY;
	ike_exchange_run(e, x);
}

enum ike_error
ike_take_answer(struct ike *e, ike_id question, const struct ike_answer *answer)
{
	struct ike_exchange *x = ike_table_question(e, question);

	if (x == NULL)
		return IKE_GONE;
	take_answer(e, x, answer);
	return IKE_OK;
}

void
ike_ask_timeout(struct ike *e, struct ike_timer *t)
{
	struct ike_exchange *x = IKE_OWNER(t, struct ike_exchange, question.timer);

	take_answer(e, x, &(struct ike_answer){ .error = IKE_TIMEOUT,
	    .reason = "the question was not answered in time" });
}

/* Decrypts into the exchange's own copy.  IKE_DROP: forged, or not a message at all;
 * IKE_WAIT: a fragment, and others are missing. */
static enum ike_error
open_copy(struct ike *e, struct ike_sa *sa, uint8_t **copy, struct bytes wire,
    struct ike_message *m, struct ike_mark *mark)
{
	memcpy(*copy, wire.p, wire.len);
	*mark = ike_mark(wire);
	if (ike_parse_message(bytes_of(*copy, wire.len), m) != IKE_OK)
		return IKE_DROP;
	if (m->header.exchange == IKE_SA_INIT)
		return IKE_OK;
	if (sa->fragments && ike_is_fragment(m))
		return ike_assemble(e, sa, copy, wire, m, mark);
	return ike_open_message(&sa->suite, &sa->keys, !sa->initiator, *copy, m);
}

/* Puts the message into the exchange it belongs to: ours, or a new one of the peer's. */
static struct ike_exchange *
place(struct ike_sa *sa, const struct rule *rule, const struct ike_header *h)
{
	struct ike_exchange *x;

	if (rule->response) {
		x = sa->ours;
		x->awaits_response = false;
		return x;
	}
	if ((x = ike_exchange_new(sa, false, h->exchange, rule->steps)) != NULL) {
		x->id = h->message_id;
		sa->theirs = x;
	}
	return x;
}

/* The peer could not read our request, and has forgotten the SA (2.21.3, T91). */
static bool
peer_gave_up(const struct ike_sa *sa, const struct rule *rule,
    const struct ike_message *m)
{
	return rule->response && sa->state == IKE_STATE_ESTABLISHED &&
	    ike_first_error(m) == IKE_INVALID_SYNTAX;
}

/* A message for this SA that its row and the window admit; the octets are not yet
 * proven. */
static void
receive(struct ike *e, struct ike_sa *sa, const struct rule *rule,
    const struct ike_path *path, const struct ike_header *h, struct bytes wire)
{
	struct ike_exchange *x = NULL;
	struct ike_message *m = malloc(sizeof(*m));
	uint8_t *copy = malloc(wire.len);
	enum ike_error error = IKE_NO_MEMORY;
	struct ike_mark mark;

	if (m != NULL && copy != NULL) {
		error = open_copy(e, sa, &copy, wire, m, &mark);
		if (error == IKE_OK)
			error = check_message(rule, m);
		if (error != IKE_OK && h->exchange == IKE_SA_INIT)
			error = IKE_DROP;	/* unprotected: proves nothing */
	}
	if (error < 0 || (x = place(sa, rule, h)) == NULL) {
		e->counts.dropped += error != IKE_WAIT;
		free(m);
		free(copy);
		return;
	}
	ike_assemble_end(e, sa, rule->response);
	forget_message(x);
	x->copy = copy;
	x->message = m;
	x->path = *path;
	if (h->exchange != IKE_SA_INIT)
		sa->live.heard = e->now;
	if (rule->response) {
		if (h->exchange != IKE_SA_INIT)
			ike_window_answered(e, sa);
		ike_child_have_arrived(sa, sa->since);	/* or the peer had no such SA */
	} else {
		x->request = mark;
		ike_child_have_arrived(sa, e->now);	/* by the window of one */
		ike_sa_follow(e, sa, path);
	}
	ike_trace_received(e, sa, h, m);
	if (peer_gave_up(sa, rule, m)) {
		ike_refused_by_peer(e, sa, IKE_INVALID_SYNTAX, NULL);
		ike_sa_close(e, sa, IKE_INVALID_SYNTAX, 0);
	} else if (error == IKE_OK) {
		ike_exchange_run(e, x);
	} else {
		finish(e, x, error);
	}
}

void
ike_exchange_receive(struct ike *e, struct ike_sa *sa, const struct ike_path *path,
    const struct ike_header *h, struct bytes wire)
{
	bool response = (h->flags & IKE_FLAG_RESPONSE) != 0;
	const struct rule *rule = find_rule(h->exchange, response, sa->state);

	if (!response) {
		switch (ike_window_judge(sa, h->message_id, wire)) {
		case IKE_WINDOW_NEW:
			break;
		case IKE_WINDOW_AGAIN:
			ike_window_again(e, sa, path);
			return;
		case IKE_WINDOW_DROP:
			e->counts.dropped++;
			return;
		}
	} else if (sa->ours == NULL || !sa->ours->awaits_response ||
	    sa->ours->type != h->exchange || sa->ours->id != h->message_id) {
		rule = NULL;
	}
	if (rule == NULL) {
		ike_liveness_hint(e, sa, wire);
		e->counts.dropped++;
		return;
	}
	receive(e, sa, rule, path, h, wire);
}

void
ike_exchange_begin(struct ike *e, struct ike_sa *sa, struct ike_exchange *x)
{
	sa->ours = x;
	ike_exchange_run(e, x);
}
