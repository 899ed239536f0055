/* The entry points: every input passes here, and leaves by the queues of event.c. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "libike/sa.h"

ike_id
ike_new_id(struct ike *e)
{
	return ++e->last_id;
}

/* Every input with a time begins and ends with these two. */
static void
enter(struct ike *e, ike_time now)
{
	if (now > e->now)		/* a clock that steps back must not undo timers */
		e->now = now;
	ike_outputs_free(&e->delivered);	/* its views were borrowed */
}

static void
leave(struct ike *e)
{
	ike_reap(e);
}

struct ike *
ike_new(const struct ike_options *options)
{
	struct ike *e;

	if (options->random == NULL || options->spi_prefix_bits > 32 || sodium_init() < 0 ||
	    (e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	e->options = *options;
	e->random = (struct ike_random){ options->random, options->arg };
	e->algorithms = options->algorithms != NULL ? options->algorithms :
	    &ike_builtin_algorithms;
	e->port = options->port != 0 ? options->port : 500;
	e->natt_port = options->natt_port != 0 ? options->natt_port : 4500;
	e->answers.empty_until = INT64_MIN / 2;		/* the ration is full */
	e->random.fill(e->random.arg, e->init_hash_key, sizeof(e->init_hash_key));
	ike_tables_init(e);
	LIST_INIT(&e->lingering);
	TAILQ_INIT(&e->peers);
	TAILQ_INIT(&e->sas);
	TAILQ_INIT(&e->dead);
	STAILQ_INIT(&e->events);
	STAILQ_INIT(&e->datagrams);
	STAILQ_INIT(&e->delivered);
	return e;
}

void
ike_free(struct ike *e)
{
	struct ike_child_sa *c;
	struct ike_peer *p;
	struct ike_sa *sa;

	if (e == NULL)
		return;
	while ((sa = TAILQ_FIRST(&e->sas)) != NULL) {
		while ((c = LIST_FIRST(&sa->children)) != NULL)
			ike_child_free(e, c);
		ike_exchange_free(e, sa->ours);
		ike_exchange_free(e, sa->theirs);
		ike_sa_dead(e, sa);
	}
	while ((c = LIST_FIRST(&e->lingering)) != NULL)
		ike_child_free(e, c);
	ike_reap(e);
	while ((p = TAILQ_FIRST(&e->peers)) != NULL)
		ike_peer_free(e, p);
	ike_outputs_free(&e->events);
	ike_outputs_free(&e->datagrams);
	ike_outputs_free(&e->delivered);
	ike_tables_free(e);
	ike_wipe(e, sizeof(*e));
	free(e);
}

ike_id
ike_put(struct ike *e, ike_time now, ike_id replace, struct ike_connection *c)
{
	struct ike_peer *p;

	enter(e, now);
	if (replace != 0) {
		if ((p = ike_table_peer(e, replace)) == NULL)
			return 0;
		if (!ike_peer_replace(e, p, c))
			return 0;
	} else if ((p = ike_peer_new(e, c)) == NULL) {
		return 0;
	}
	p->wanted = c->start == IKE_START_ALWAYS;
	ike_peer_reset(p);		/* what failed may be what was mended */
	if (p->wanted || p->restart)
		ike_timer_arm(e, &p->retry, e->now);
	else
		ike_timer_disarm(e, &p->retry);
	ike_timers_run(e);
	leave(e);
	return p->id;
}

/* A half-open SA goes silently, but one whose peer may hold it for up, as our IKE_AUTH
 * is on its way, is deleted when that is known; an established one says DELETE. */
static void
take_down(struct ike *e, struct ike_sa *sa)
{
	if (sa->state < IKE_STATE_AUTH_SENT ||
	    (sa->state == IKE_STATE_AUTH_SENT && sa->window.next_request == 1))
		ike_sa_close(e, sa, IKE_CANCELLED, 0);
	else
		ike_info_delete_sa(e, sa);
}

static void
peer_down(struct ike *e, struct ike_peer *p)
{
	struct ike_sa *sa, *next;

	p->wanted = p->restart = false;
	ike_timer_disarm(e, &p->retry);
	ike_peer_reset(p);		/* what was taken down has not failed */
	for (sa = LIST_FIRST(&p->sas); sa != NULL; sa = next) {
		next = LIST_NEXT(sa, of_peer);
		take_down(e, sa);
	}
}

enum ike_error
ike_drop(struct ike *e, ike_time now, ike_id connection)
{
	struct ike_peer *p;
	struct ike_sa *sa;

	enter(e, now);
	if ((p = ike_table_peer(e, connection)) == NULL)
		return IKE_GONE;
	peer_down(e, p);
	while ((sa = LIST_FIRST(&p->sas)) != NULL)	/* their DELETEs go on alone */
		ike_peer_leave(sa);
	ike_peer_free(e, p);
	leave(e);
	return IKE_OK;
}

enum ike_error
ike_up(struct ike *e, ike_time now, ike_id connection)
{
	enum ike_error error = IKE_OK;
	struct ike_peer *p;
	struct ike_sa *sa;

	enter(e, now);
	if ((p = ike_table_peer(e, connection)) == NULL)
		return IKE_GONE;
	p->wanted = p->connection->start == IKE_START_ALWAYS;
	ike_peer_reset(p);
	if ((sa = ike_peer_current(p)) != NULL)
		ike_peer_complete(e, sa);
	else if (!ike_peer_busy(e, p))
		error = ike_peer_start(e, p, NULL, NULL);
	leave(e);
	return error;
}

/* This SA is to go, or all it carries: what should always be up and has nothing else
 * now stays down, as asked. */
static void
stop_wanting(struct ike_sa *sa)
{
	if (sa->peer != NULL && !ike_peer_carries(sa->peer, sa))
		sa->peer->wanted = false;
}

enum ike_error
ike_down(struct ike *e, ike_time now, ike_id id)
{
	struct ike_child_sa *c;
	struct ike_peer *p;
	struct ike_sa *sa;
	enum ike_error error = IKE_OK;

	enter(e, now);
	if ((p = ike_table_peer(e, id)) != NULL) {
		peer_down(e, p);
	} else if ((sa = ike_table_sa(e, id)) != NULL &&
	    sa->state != IKE_STATE_UNSETTLED) {	/* that is of its rekey */
		stop_wanting(sa);
		take_down(e, sa);
	} else if ((c = ike_table_child(e, id)) != NULL && c->installed) {
		if (c->sa->n_children == 1)
			stop_wanting(c->sa);
		ike_info_delete_spi(e, c->sa, c->spi_in);
	} else {
		error = IKE_GONE;
	}
	leave(e);
	return error;
}

/* Is it on the way, or about to be? */
static bool
is_rekeying(const struct ike_sa *sa)
{
	return (sa->ours != NULL && sa->ours->next != NULL) ||
	    ike_is_wanted(sa, IKE_WISH_REKEY_IKE, 0);
}

enum ike_error
ike_rekey(struct ike *e, ike_time now, ike_id id)
{
	struct ike_child_sa *c;
	struct ike_sa *sa;
	enum ike_error error = IKE_OK;

	enter(e, now);
	if ((sa = ike_table_sa(e, id)) != NULL && sa->state == IKE_STATE_ESTABLISHED) {
		if (!is_rekeying(sa) && !ike_want(sa, IKE_WISH_REKEY_IKE, 0))
			error = IKE_NO_MEMORY;
		ike_next_wanted(e, sa);
	} else if ((c = ike_table_child(e, id)) != NULL && c->installed) {
		if (!ike_want(c->sa, IKE_WISH_REKEY_CHILD, c->spi_in))
			error = IKE_NO_MEMORY;
		ike_next_wanted(e, c->sa);
	} else {
		error = IKE_GONE;
	}
	leave(e);
	return error;
}

/* The SA that a header names by our SPI; NULL: none, or the other SPI or flags
 * disagree. */
static struct ike_sa *
find_sa(const struct ike *e, const struct ike_header *h)
{
	bool from_initiator = (h->flags & IKE_FLAG_INITIATOR) != 0;
	struct ike_sa *sa = ike_table_spi(e, from_initiator ? h->spi_r : h->spi_i);

	if (sa == NULL || sa->initiator == from_initiator)
		return NULL;
	if (sa->state == IKE_STATE_INIT_SENT)
		return sa;		/* the peer's SPI is what the answer brings */
	return h->spi_i == sa->spi_i && h->spi_r == sa->spi_r ? sa : NULL;
}

static bool
is_init_request(const struct ike_header *h)
{
	return h->exchange == IKE_SA_INIT && h->spi_r == 0 && h->spi_i != 0 &&
	    h->message_id == 0 &&
	    (h->flags & (IKE_FLAG_INITIATOR | IKE_FLAG_RESPONSE)) == IKE_FLAG_INITIATOR;
}

/* A peer that still believes in an SA of ours learns that it is gone (2.21.4); what it
 * makes of an unprotected word is its affair.  An answer is never answered. */
static void
unknown_sa(struct ike *e, const struct ike_path *path, const struct ike_header *h)
{
	e->counts.dropped++;
	if ((h->flags & IKE_FLAG_RESPONSE) == 0 && h->exchange != IKE_SA_INIT &&
	    h->spi_i != 0 && h->spi_r != 0)
		ike_refuse_unprotected(
		    e, path, h, IKE_INVALID_IKE_SPI, bytes_of(NULL, 0));
}

static void
receive(struct ike *e, const struct ike_path *path, struct bytes wire)
{
	struct ike_header h;
	struct ike_sa *sa;

	if (ike_parse_header(wire, &h) != IKE_OK || (h.version >> 4) < 2) {
		e->counts.dropped++;
		return;
	}
	if ((h.version >> 4) > 2) {	/* 2.5, T16 */
		if (is_init_request(&h))
			ike_refuse_unprotected(e, path, &h, IKE_INVALID_MAJOR_VERSION,
			    bytes_of(NULL, 0));
		e->counts.dropped++;
		return;
	}
	if (is_init_request(&h))
		ike_init_request(e, path, &h, wire);
	else if ((sa = find_sa(e, &h)) != NULL)
		ike_exchange_receive(e, sa, path, &h, wire);
	else
		unknown_sa(e, path, &h);
}

void
ike_roam(struct ike *e, ike_time now)
{
	struct ike_sa *sa, *next;

	enter(e, now);
	for (sa = TAILQ_FIRST(&e->sas); sa != NULL; sa = next) {
		next = TAILQ_NEXT(sa, link);
		ike_mobike_look(e, sa);
	}
	leave(e);
}

void
ike_receive(struct ike *e, ike_time now, const struct ike_path *path, uint8_t *data,
    size_t len)
{
	enter(e, now);
	e->counts.received++;
	receive(e, path, bytes_of(data, len));
	leave(e);
}

void
ike_tick(struct ike *e, ike_time now)
{
	enter(e, now);
	ike_timers_run(e);
	leave(e);
}

bool
ike_next_deadline(const struct ike *e, ike_time *when)
{
	if (e->timers == NULL)
		return false;
	*when = e->timers->at;
	return true;
}

enum ike_error
ike_answer_question(struct ike *e, ike_time now, ike_id question,
    const struct ike_answer *answer)
{
	enum ike_error error;

	enter(e, now);
	error = ike_take_answer(e, question, answer);
	leave(e);
	return error;
}

static enum ike_error
acquire(struct ike *e, const struct ike_notice *notice)
{
	const struct ike_connection_child *configured = NULL;
	struct ike_peer *p = ike_table_peer(e, notice->id);

	if (p == NULL)
		return IKE_GONE;
	for (unsigned i = 0; i < p->connection->n_children; i++)
		if (notice->child != NULL &&
		    strcmp(p->connection->children[i].name, notice->child) == 0)
			configured = &p->connection->children[i];
	if (configured == NULL)
		return IKE_GONE;
	return ike_peer_acquire(e, p, configured, &notice->packet);
}

/* A Child SA that the data path could not install is of no use to the peer either. */
static enum ike_error
not_installed(struct ike *e, const struct ike_notice *notice)
{
	struct ike_child_sa *c = ike_table_child(e, notice->id);
	struct ike_refusal r;

	if (c == NULL || !c->installed)
		return IKE_GONE;
	if (c->deleting)		/* its other direction failed, too */
		return IKE_OK;
	r = ike_refusal(IKE_NO_MEMORY, "the data path could not install the Child SA");
	r.child = c->configured->name;
	ike_say_refused(e, c->sa, 0, &r);
	ike_info_delete_spi(e, c->sa, c->spi_in);
	return IKE_OK;
}

/* The SA that is installed, of a notice; NULL: it is not any more. */
static struct ike_child_sa *
noticed(const struct ike *e, const struct ike_notice *notice)
{
	struct ike_child_sa *c = ike_table_child(e, notice->id);

	return c != NULL && c->installed ? c : NULL;
}

/* Its numbers or its limits near their end. */
static enum ike_error
soft(struct ike *e, const struct ike_notice *notice)
{
	struct ike_child_sa *c = noticed(e, notice);

	if (c == NULL)
		return IKE_GONE;
	ike_renew_child_soon(e, c);
	ike_timers_run(e);
	return IKE_OK;
}

static enum ike_error
hard(struct ike *e, const struct ike_notice *notice)
{
	struct ike_child_sa *c = noticed(e, notice);

	if (c == NULL)
		return IKE_GONE;
	if (c->successor == NULL)
		c->why = IKE_EXPIRED;
	ike_info_delete_spi(e, c->sa, c->spi_in);
	return IKE_OK;
}

/* The peer uses what it made of a rekey: so may we. */
static enum ike_error
first_in(struct ike *e, const struct ike_notice *notice)
{
	struct ike_child_sa *c = noticed(e, notice);

	if (c == NULL)
		return IKE_GONE;
	c->unseen = false;
	ike_child_move_out(e, c);
	return IKE_OK;
}

static enum ike_error
moved(struct ike *e, const struct ike_notice *notice)
{
	struct ike_child_sa *c = noticed(e, notice);

	if (c == NULL)
		return IKE_GONE;
	return ike_sa_follow(e, c->sa, &notice->path) ? IKE_OK : IKE_DROP;
}

enum ike_error
ike_tell(struct ike *e, ike_time now, const struct ike_notice *notice)
{
	static enum ike_error (*const told[])(struct ike *, const struct ike_notice *) = {
		[IKE_ACQUIRE] = acquire, [IKE_SOFT] = soft, [IKE_HARD] = hard,
		[IKE_FIRST_IN] = first_in, [IKE_MOVED] = moved,
		[IKE_NOT_INSTALLED] = not_installed,
	};
	enum ike_error error = IKE_OK;

	enter(e, now);
	if (told[notice->type] != NULL)
		error = told[notice->type](e, notice);
	leave(e);
	return error;
}

const struct ike_connection *
ike_connection_of(const struct ike *e, ike_id connection)
{
	struct ike_peer *p = ike_table_peer(e, connection);

	return p != NULL ? p->connection : NULL;
}

static void
describe(const struct ike_sa *sa, struct ike_sa_info *info)
{
	const struct ike_connection *c = sa->connection;
	const struct ike_identity *remote = sa->remote_id.data.len > 0 ? &sa->remote_id :
	    &c->remote_id;
	struct ike_choice choice;

	memset(info, 0, sizeof(*info));
	info->id = sa->id;
	info->connection = sa->connection_id;
	info->state = sa->state;
	info->initiator = sa->initiator;
	info->encap = sa->encap;
	info->nat_here = sa->nat_here;
	info->nat_there = sa->nat_there;
	info->spi_i = sa->spi_i;
	info->spi_r = sa->spi_r;
	info->since = sa->since;
	info->path = sa->path;
	info->n_children = sa->n_children;
	info->generation = sa->generation;
	info->child_rekeys = sa->child_rekeys;
	info->collisions_won = sa->collisions_won;
	info->collisions_lost = sa->collisions_lost;
	info->rekey_at = sa->rekey_at;
	info->ends_at = sa->ends_at;
	info->reauth_at = sa->reauth_at;
	ike_id_print(c->local_id.type, c->local_id.data, info->local_id,
	    sizeof(info->local_id));
	ike_id_print(
	    remote->type, remote->data, info->remote_id, sizeof(info->remote_id));
	if (sa->suite.cipher != NULL) {
		choice = ike_choice_of(&sa->suite);
		ike_choice_print(&choice, info->proposal, sizeof(info->proposal));
	}
}

bool
ike_next_sa(const struct ike *e, ike_id after, struct ike_sa_info *info)
{
	const struct ike_sa *sa = ike_table_sa(e, after);

	if (after == 0) {
		sa = TAILQ_FIRST(&e->sas);
	} else if (sa != NULL) {
		sa = TAILQ_NEXT(sa, link);
	} else {			/* gone meanwhile: the list is in order of id */
		TAILQ_FOREACH(sa, &e->sas, link)
			if (sa->id > after)
				break;
	}
	if (sa == NULL)
		return false;
	describe(sa, info);
	return true;
}

/* A connection has few SAs: the smallest id above `after` is found by looking at all. */
bool
ike_next_sa_of(
    const struct ike *e, ike_id connection, ike_id after, struct ike_sa_info *info)
{
	struct ike_peer *p = ike_table_peer(e, connection);
	const struct ike_sa *sa, *best = NULL;

	if (p == NULL)
		return false;
	LIST_FOREACH(sa, &p->sas, of_peer)
		if (sa->id > after && (best == NULL || sa->id < best->id))
			best = sa;
	if (best != NULL)
		describe(best, info);
	return best != NULL;
}

bool
ike_child_at(const struct ike *e, ike_id id, unsigned index, struct ike_child_info *info)
{
	const struct ike_sa *sa = ike_table_sa(e, id);
	const struct ike_child_sa *c;

	if (sa == NULL)
		return false;
	LIST_FOREACH(c, &sa->children, link) {
		if (index-- > 0)
			continue;
		info->id = c->id;
		info->since = c->since;
		info->generation = c->generation;
		info->replaced = c->successor != NULL;
		info->rekey_at = c->rekey_at;
		info->ends_at = c->ends_at;
		ike_child_describe(c, &info->child);
		return true;
	}
	return false;
}

void
ike_read_counts(const struct ike *e, struct ike_counts *counts)
{
	*counts = e->counts;
}
