#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libike/protect.h"
#include "tests/unit/pair.h"

static const char *const nets[2] = { "10.1.0.0/16", "10.2.0.0/16" };
static const char *const standard[1] = { "default" };

void
pair_setups(struct ike_setup setup[2], struct ike_child_setup child[2])
{
	static const char *const ids[2] = { "a.example", "b.example" };
	static const char *const addresses[2] = { "192.0.2.1", "192.0.2.2" };

	for (unsigned i = 0; i < 2; i++) {
		ike_setup_defaults(&setup[i]);
		setup[i].name = i == 0 ? "to-b" : "to-a";
		setup[i].local_id = ids[i];
		setup[i].remote_id = ids[1 - i];
		setup[i].remote_address = addresses[1 - i];
		setup[i].auth = "psk";
		setup[i].secret = "shared";
		setup[i].ike = setup[i].esp = (struct ike_texts){ standard, 1 };
		child[i] = (struct ike_child_setup){ .name = "net",
		    .local = { &nets[i], 1 }, .remote = { &nets[1 - i], 1 },
		    .mode = IKE_MODE_TUNNEL };
		setup[i].children = &child[i];
		setup[i].n_children = 1;
		/* Time brings nothing by itself, but where a test says so. */
		setup[i].renewal = (struct ike_renewal){ .jitter_percent = 10 };
		setup[i].dpd = 0;
		setup[i].mobike = false;
	}
}

void
pair_widen(struct ike_child_setup child[2])
{
	enum { RANGES = 58 };
	static char text[2][RANGES][20];
	static const char *list[2][RANGES];

	for (unsigned end = 0; end < 2; end++)
		for (unsigned i = 0; i < RANGES; i++) {
			snprintf(text[end][i], sizeof(text[end][i]), "10.%u.%u.0/24",
			    end + 1, 2 * i);
			list[end][i] = text[end][i];
		}
	for (unsigned end = 0; end < 2; end++) {
		child[end].local = (struct ike_texts){ list[end], RANGES };
		child[end].remote = (struct ike_texts){ list[1 - end], RANGES };
	}
}

static void
fill(void *arg, uint8_t *p, size_t n)
{
	uint64_t *state = arg;

	for (size_t i = 0; i < n; i++) {
		*state = *state * 6364136223846793005u + 1442695040888963407u;
		p[i] = (uint8_t)(*state >> 56);
	}
}

void
pair_open(struct pair *p, const struct ike_setup setup[2])
{
	struct ike_options options = { .random = fill, .native_esp = true };
	static const uint8_t addresses[2][4] = { { 192, 0, 2, 1 }, { 192, 0, 2, 2 } };
	struct ike_fault faults[8];
	struct ike_connection *c;
	unsigned n;

	memset(p, 0, sizeof(*p));
	for (unsigned i = 0; i < 2; i++) {
		p->chance[i] = 77 + i;
		p->secret[i] = "correct horse battery staple";
		p->where[i].family = 4;
		memcpy(p->where[i].addr[0], addresses[i], 4);
		memcpy(p->where[i].addr[1], addresses[1 - i], 4);
		options.arg = &p->chance[i];
		p->e[i] = ike_new(&options);
		ck_assert_ptr_nonnull(p->e[i]);
		c = ike_connection_new(&setup[i], faults, 8, &n);
		ck_assert_msg(c != NULL, "%s", faults[0].text);
		p->connection[i] = ike_put(p->e[i], 0, 0, c);
		ck_assert(p->connection[i] != 0);
		ike_connection_free(c);
		pair_drain(p, i);
	}
}

void
pair_close(struct pair *p)
{
	struct ike_counts c;

	for (unsigned i = 0; i < 2; i++) {
		ike_drop(p->e[i], p->now, p->connection[i]);
		pair_drain(p, i);
	}
	pair_pump(p);
	for (unsigned k = 0; k < 40; k++) { /* lingering and unanswered ones end */
		pair_pass(p, 30 * IKE_SECOND);
		p->n = 0;
	}
	for (unsigned i = 0; i < 2; i++) {
		ike_read_counts(p->e[i], &c);
		ck_assert_msg(c.connections + c.sas + c.half_open + c.children +
			    c.questions + c.timers + c.reassembling ==
			0,
		    "%u: %u SAs, %u half-open, %u children, %u questions, %u "
		    "timers are left",
		    i, c.sas, c.half_open, c.children, c.questions, c.timers);
		ck_assert_uint_eq(p->events[i][IKE_IN_ADD], p->events[i][IKE_IN_REMOVE]);
		ck_assert_uint_eq(
		    p->events[i][IKE_OUT_ADD], p->events[i][IKE_OUT_REMOVE]);
		ike_free(p->e[i]);
	}
}

void
pair_start(struct pair *p)
{
	struct ike_setup setup[2];
	struct ike_child_setup child[2];

	pair_setups(setup, child);
	pair_open(p, setup);
}

void
pair_establish(struct pair *p)
{
	pair_start(p);
	pair_up(p);
	pair_pump(p);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(pair_state(p, i), IKE_STATE_ESTABLISHED);
}

static void
within(struct pair *p, unsigned end, bool inside)
{
	if (p->within != NULL)
		p->within(end, inside);
}

static void
answer(struct pair *p, unsigned end, const struct ike_event *event)
{
	struct ike_answer a = { .error = IKE_OK };
	uint8_t value[64];

	if (event->type == IKE_ASK_RESOLVE) {
		snprintf(p->asked[end], sizeof(p->asked[end]), "%s",
		    event->u.resolve.remote);
		a.path = p->where[end];
		if (a.path.family == 0)
			a.error = IKE_UNRESOLVED;
	} else if (event->type == IKE_ASK_USAGE) {
		a.heard = p->heard[end];
	} else if (event->type != IKE_ASK_ADMIT) {
		a.value = bytes_of(value,
		    ike_psk_auth(NULL, event->u.auth->prf,
			bytes_of(p->secret[end], strlen(p->secret[end])),
			event->u.auth->octets, value));
		if (a.value.len == 0)
			a.error = IKE_NO_MEMORY;
		else if (event->type == IKE_ASK_CHECK && !bytes_equal(a.value,
		    event->u.auth->value))
			a.error = IKE_AUTHENTICATION_FAILED;
	}
	within(p, end, true);
	ike_answer_question(p->e[end], p->now, event->question, &a);
	within(p, end, false);
}

void
pair_answer(struct pair *p, unsigned end, enum ike_error error)
{
	struct ike_answer a = { .error = error, .heard = p->heard[end] };

	ck_assert_int_eq(
	    ike_answer_question(p->e[end], p->now, p->question[end], &a), IKE_OK);
	pair_drain(p, end);
}

static void
keep_key(struct pair_key *to, struct bytes key)
{
	ck_assert_uint_le(key.len, sizeof(to->octets));
	memcpy(to->octets, key.p, key.len);
	to->len = key.len;
}

static void
hear(struct pair *p, unsigned end, const struct ike_event *event)
{
	const struct ike_refusal *r = event->u.refusal;

	p->events[end][event->type]++;
	if (p->hear != NULL)
		p->hear(p->hear_arg, end, event);
	if (event->type <= IKE_ASK_USAGE) {
		if (p->hold_answers[end])
			p->question[end] = event->question;
		else
			answer(p, end, event);
	} else if (event->type == IKE_IN_ADD) {
		keep_key(&p->keys[end][0], event->u.child->key_in);
	} else if (event->type == IKE_OUT_ADD) {
		keep_key(&p->keys[end][1], event->u.child->key_out);
	} else if (event->type == IKE_DOWN && event->child == 0) {
		p->down[end] = event->error;
		p->down_of[end] = event->connection;
	} else if (event->type == IKE_REFUSED) {
		p->refused[end] = r->error;
		snprintf(p->refusal[end], sizeof(p->refusal[end]), "%s|%s|%s|%s", r->what,
		    r->ours, r->theirs, r->setting);
	}
}

void
pair_drain(struct pair *p, unsigned end)
{
	struct ike_datagram d;
	struct ike_event event;
	struct pair_datagram *q;

	while (ike_next_event(p->e[end], &event))
		hear(p, end, &event);
	while (ike_next_datagram(p->e[end], &d)) {
		if (d.keepalive) {
			ck_assert(bytes_equal(d.data, bytes_of("\xff", 1)));
			p->keepalives[end]++;
			continue;
		}
		if (p->lossy && p->n == PAIR_QUEUE)
			continue;
		ck_assert_uint_lt(p->n, PAIR_QUEUE);
		ck_assert_uint_le(d.data.len, sizeof(q->data));
		q = &p->queue[p->n++];
		q->to = 1 - end;
		q->path = d.path;
		q->path.port[0] = d.path.port[1];
		q->path.port[1] = d.path.port[0];
		memcpy(q->path.addr[0], d.path.addr[1], 16);
		memcpy(q->path.addr[1], d.path.addr[0], 16);
		memcpy(q->data, d.data.p, d.data.len);
		q->len = d.data.len;
	}
}

/* In a buffer of exactly its size, so that the sanitizer sees the first octet beyond. */
void
pair_inject(struct pair *p, unsigned to, const struct ike_path *path, const void *data,
    size_t len)
{
	uint8_t *exact = malloc(len > 0 ? len : 1);

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, data, len);
	within(p, to, true);
	ike_receive(p->e[to], p->now, path, exact, len);
	within(p, to, false);
	free(exact);
	pair_drain(p, to);
}

void
pair_deliver(struct pair *p, unsigned index)
{
	struct pair_datagram d = p->queue[index];

	ck_assert_uint_lt(index, p->n);
	p->n--;
	memmove(&p->queue[index], &p->queue[index + 1],
	    (p->n - index) * sizeof(p->queue[0]));
	pair_send(p, &d);
}

void
pair_send(struct pair *p, const struct pair_datagram *d)
{
	pair_inject(p, d->to, &d->path, d->data, d->len);
}

void
pair_pump(struct pair *p)
{
	while (p->n > 0)
		pair_deliver(p, 0);
}

/* In steps to each deadline, as a loop would. */
void
pair_pass(struct pair *p, ike_time span)
{
	ike_time end = p->now + span, at, next;

	do {
		next = end;
		for (unsigned i = 0; i < 2; i++)
			if (ike_next_deadline(p->e[i], &at) && at < next)
				next = at;
		if (next > p->now)
			p->now = next;
		for (unsigned i = 0; i < 2; i++) {
			within(p, i, true);
			ike_tick(p->e[i], p->now);
			within(p, i, false);
			pair_drain(p, i);
		}
	} while (next < end);
}

void
pair_up(struct pair *p)
{
	ck_assert_int_eq(ike_up(p->e[0], p->now, p->connection[0]), IKE_OK);
	pair_drain(p, 0);
}

struct ike_sa *
pair_sa(struct pair *p, unsigned end)
{
	return TAILQ_LAST(&p->e[end]->sas, ike_sas);
}

enum ike_state
pair_state(struct pair *p, unsigned end)
{
	return pair_sa(p, end)->state;
}

struct ike_chain
pair_chain(void)
{
	static uint8_t buf[4096];

	return ike_chain(buf, sizeof(buf));
}

struct pair_datagram
pair_seal(struct pair *p, unsigned from, uint8_t exchange, uint8_t flags, uint32_t id,
    const struct ike_chain *chain)
{
	struct ike_sa *sa = pair_sa(p, from), *peer = pair_sa(p, 1 - from);
	struct pair_datagram d = { .to = 1 - from };
	struct ike_random random = { fill, &p->chance[from] };
	struct ike_writer w = ike_writer(d.data, sizeof(d.data));
	struct ike_header h = { .spi_i = sa->spi_i, .spi_r = sa->spi_r, .version = 0x20,
	    .exchange = exchange, .flags = flags, .message_id = id };

	if (sa->initiator)
		h.flags |= IKE_FLAG_INITIATOR;
	ck_assert_int_eq(ike_seal_message(&sa->suite, &sa->keys, sa->initiator, &h, chain,
	    0x7000 + id, &random, &w), IKE_OK);
	d.len = w.len;
	d.path = peer->path;
	return d;
}

/* The one with these SPIs, or else the newest. */
static struct ike_sa *
sa_named(struct pair *p, unsigned end, const struct ike_header *h)
{
	struct ike_sa *sa;

	TAILQ_FOREACH(sa, &p->e[end]->sas, link)
		if (sa->spi_i == h->spi_i && sa->spi_r == h->spi_r)
			return sa;
	return pair_sa(p, end);
}

void
pair_unseal(struct pair *p, struct pair_datagram *d, struct ike_message *m)
{
	struct ike_sa *sa;

	ck_assert_int_eq(ike_parse_message(bytes_of(d->data, d->len), m), IKE_OK);
	sa = sa_named(p, d->to, &m->header);
	ck_assert_int_eq(
	    ike_open_message(&sa->suite, &sa->keys, !sa->initiator, d->data, m), IKE_OK);
}
