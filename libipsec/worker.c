#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "libipsec/batch.h"
#include "libipsec/early.h"
#include "libipsec/endpoint.h"
#include "libipsec/hash.h"
#include "libipsec/hold.h"
#include "libipsec/index.h"
#include "libipsec/transport.h"
#include "libipsec/udp.h"
#include "libipsec/worker.h"

enum {
	TAILROOM = 64,		/* behind each packet: padding, trailer, ICV */
	SLOT = IPSEC_HEADROOM + IPSEC_PACKET_MAX + TAILROOM,
	IV_KEY_MAX = 32,
	ASK_MTU_AGAIN = 64	/* refusals: a path's MTU is forgotten, or grows */
};

struct policy {
	UT_hash_handle hh;
	uint64_t id;
	ike_id connection;
	struct ipsec_hold hold;
	bool ready;		/* an SA has come: what is held can go */
	LIST_ENTRY(policy) link;	/* of the ready ones */
	char child[];		/* name */
};

struct transport {		/* an inbound SA whose packets need a header in front */
	UT_hash_handle hh;
	uint32_t spi;
};

struct move {			/* the peer of a Child SA seems to be elsewhere */
	LIST_ENTRY(move) link;
	ike_id id;
	struct ike_path to;
};

struct sa {			/* a Child SA; there are many */
	struct ipsec_entry entry;	/* by its id */
	bool in, out;		/* installed in libesp, whose user it is */
	bool in_transport_mode;
	uint8_t kind;		/* enum ipsec_kind, of the packets that leave */
	uint8_t refused;	/* for their size, since the MTU was asked for */
	uint32_t mtu;		/* of inner packets, once one was refused; 0: not known */
	struct ike_path path;	/* by which packets leave */
	const struct esp_transform *transform;
	ike_time heard;		/* its newest authentic packet; 0: none */
	struct transport *front;	/* NULL: tunnel mode, or no inbound half */
	struct move *move;	/* that is to be told, or NULL */
};

struct worker {
	struct ipsec_datapath datapath;	/* first: the data path is the worker */
	struct esp *esp;
	struct ipsec_port *port;
	struct ipsec_udp *udp;
	void (*tell)(void *arg, const struct ike_notice *);
	void *arg;

	struct policy *policies;
	struct ipsec_index sas;
	struct transport *transports;	/* by SPI */
	LIST_HEAD(, policy) ready;
	LIST_HEAD(, move) moves;
	size_t held;			/* octets of all holds */
	struct ipsec_early *early;	/* NULL: there was none yet */
	struct ipsec_worker_counters counters;

	uint8_t *slots;			/* IPSEC_BATCH; unused pages cost nothing */
	struct esp_packet packets[IPSEC_BATCH];
	struct ipsec_message messages[IPSEC_BATCH];
};

static struct worker *
of(struct ipsec_datapath *d)
{
	return (struct worker *)d;
}

static struct policy *
find_policy(const struct worker *w, uint64_t id)
{
	struct policy *p;

	HASH_FIND(hh, w->policies, &id, sizeof(id), p);
	return p;
}

/* ---- outward ---- */

static void
refuse(struct worker *w, struct esp_packet *p)
{
	w->counters.refused++;
	w->port->ops->refuse(w->port, p, 0);
}

/* The Child SA with an outbound half; NULL: there is none. */
static struct sa *
find_out(const struct worker *w, ike_id id)
{
	struct sa *sa = ipsec_index_find(&w->sas, id);

	return sa != NULL && sa->out ? sa : NULL;
}

/* The longest inner packet whose ESP packet has at most that many octets. */
static uint32_t
inner_max(const struct sa *out, uint32_t room)
{
	uint32_t payload = esp_payload_max(out->transform, room);

	return out->in_transport_mode && payload > 0 ?
	    payload + ipsec_transport_front(out->path.family) : payload;
}

/* 0: no route. */
static uint32_t
ask_mtu(const struct worker *w, const struct sa *out)
{
	uint32_t outer = (out->path.family == 4 ? 20 : 40) +
	    (out->kind == IPSEC_ESP_UDP ? 8 : 0);
	uint32_t mtu = ipsec_udp_mtu(w->udp, &out->path);

	return mtu > outer ? inner_max(out, mtu - outer) : 0;
}

static void
learn_mtu(struct worker *w, struct sa *out)
{
	uint32_t mtu = ask_mtu(w, out);

	out->refused = 0;
	if (mtu != 0)
		out->mtu = mtu;
}

static void
refuse_size(struct worker *w, struct esp_packet *p)
{
	struct sa *out = p->sa != NULL ? esp_sa_user(p->sa) : NULL;
	uint32_t mtu = 0;

	if (out != NULL)
		mtu = out->mtu != 0 ? out->mtu :
		    inner_max(out, ESP_PACKET_MAX);
	w->counters.refused++;
	w->port->ops->refuse(w->port, p, mtu);
	if (out != NULL && out->mtu != 0 && ++out->refused >= ASK_MTU_AGAIN)
		learn_mtu(w, out);
}

static void
hold(struct worker *w, struct esp_packet *p)
{
	struct policy *policy = find_policy(w, p->policy);

	if (policy != NULL && ipsec_hold_put(&policy->hold, &w->held, p))
		w->counters.held++;
	else
		w->counters.overflow++;
}

/* What becomes of a packet that was not sealed.  The others are dropped, and counted by
 * libesp. */
static void (*const fates[ESP_VERDICTS])(struct worker *, struct esp_packet *) = {
	[ESP_NO_SA] = refuse, [ESP_POLICY] = refuse, [ESP_SPENT] = refuse,
	[ESP_TOO_BIG] = refuse_size, [ESP_ACQUIRE] = hold,
};

/* Packets that the path is known not to take, or not as they are, are refused while they
 * can be read. */
static void
check_path(struct esp_packet *v, unsigned n)
{
	const struct sa *out;

	for (unsigned i = 0; i < n; i++) {
		if (v[i].verdict != ESP_OK)
			continue;
		out = esp_sa_user(v[i].sa);
		if (out->mtu != 0 && v[i].len > out->mtu)
			v[i].verdict = ESP_TOO_BIG;
		else if (out->in_transport_mode && !ipsec_transport_fits(bytes_of(v[i].data,
		    v[i].len), &out->path))
			v[i].verdict = ESP_POLICY;
	}
}

static void
send_sealed(struct worker *w, const struct esp_packet *const *sealed, unsigned n)
{
	struct ipsec_message *m = w->messages;
	struct sa *out;

	ipsec_udp_send(w->udp, m, n);
	for (unsigned i = 0; i < n; i++) {
		if (m[i].error == 0)
			continue;
		w->counters.unsent++;
		out = esp_sa_user(sealed[i]->sa);
		if (m[i].error == EMSGSIZE)	/* narrower now, perhaps again */
			learn_mtu(w, out);
	}
}

/* Those that are sealed, one after another in w->messages. */
static void
send_ok(struct worker *w, const struct esp_packet *v, unsigned n)
{
	const struct esp_packet *sealed[IPSEC_BATCH];
	const struct sa *out;
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++) {
		if (v[i].verdict != ESP_OK)
			continue;
		out = esp_sa_user(v[i].sa);
		w->messages[k] = (struct ipsec_message){ .data = v[i].data,
		    .len = v[i].len, .kind = out->kind, .tos = v[i].tos,
		    .path = out->path };
		sealed[k++] = &v[i];
	}
	if (k > 0)
		send_sealed(w, sealed, k);
}

static void
carry_out(struct worker *w, struct esp_packet *v, unsigned n)
{
	esp_find(w->esp, v, n);
	check_path(v, n);
	esp_seal(w->esp, v, n);
	for (unsigned i = 0; i < n; i++)
		if (fates[v[i].verdict] != NULL)
			fates[v[i].verdict](w, &v[i]);
	send_ok(w, v, n);
}

/* Slot i, empty: room for a packet of up to IPSEC_PACKET_MAX octets. */
static struct esp_packet *
empty_slot(struct worker *w, unsigned i)
{
	w->packets[i] = (struct esp_packet){ .head = IPSEC_HEADROOM,
	    .data = w->slots + (size_t)i * SLOT + IPSEC_HEADROOM,
	    .len = IPSEC_PACKET_MAX };
	return &w->packets[i];
}

static void
set_tail(struct esp_packet *p)
{
	uint32_t tail = IPSEC_PACKET_MAX - p->len + TAILROOM;

	p->tail = (uint16_t)(tail < UINT16_MAX ? tail : UINT16_MAX);
}

static void
carry_from_port(struct worker *w)
{
	unsigned n;

	for (unsigned i = 0; i < IPSEC_BATCH; i++)
		empty_slot(w, i);
	n = w->port->ops->read(w->port, w->packets, IPSEC_BATCH);
	for (unsigned i = 0; i < n; i++)
		set_tail(&w->packets[i]);
	if (n > 0)
		carry_out(w, w->packets, n);
}

/* One batch has room for a whole hold. */
static void
deliver(struct worker *w, struct policy *policy)
{
	struct ipsec_held *held;
	struct esp_packet *p;
	unsigned n = 0;

	LIST_REMOVE(policy, link);
	policy->ready = false;
	while ((held = ipsec_hold_take(&policy->hold, &w->held)) != NULL) {
		p = empty_slot(w, n++);
		p->len = held->len;
		memcpy(p->data, held->data, held->len);
		set_tail(p);
		free(held);
	}
	w->counters.delivered += n;
	carry_out(w, w->packets, n);
}

static bool
translate(const struct worker *w, const struct esp_notice *said,
    struct ike_notice *notice)
{
	static const enum ike_notice_type types[] = {
		[ESP_WANTED] = IKE_ACQUIRE, [ESP_SOFT] = IKE_SOFT, [ESP_HARD] = IKE_HARD,
		[ESP_FIRST_IN] = IKE_FIRST_IN,
	};
	const struct policy *policy;

	*notice = (struct ike_notice){ .type = types[said->type], .id = said->id };
	if (said->type != ESP_WANTED)
		return true;
	if ((policy = find_policy(w, said->id)) == NULL)
		return false;
	notice->id = policy->connection;
	notice->child = policy->child;
	notice->packet = said->packet;
	return true;
}

static void
tell_notices(struct worker *w)
{
	struct esp_notice said;
	struct ike_notice notice;

	while (esp_next_notice(w->esp, &said))
		if (translate(w, &said, &notice))
			w->tell(w->arg, &notice);
}

static void
forget_move(struct sa *out)
{
	if (out->move != NULL)
		LIST_REMOVE(out->move, link);
	free(out->move);
	out->move = NULL;
}

/* Telling may change the list: each leaves it first. */
static void
tell_moves(struct worker *w)
{
	struct ike_notice notice = { .type = IKE_MOVED };
	struct move *move;

	while ((move = LIST_FIRST(&w->moves)) != NULL) {
		notice.id = move->id;
		notice.path = move->to;
		forget_move(find_out(w, move->id));
		w->tell(w->arg, &notice);
	}
}

static void receive_early(struct worker *);

static void
process(struct ipsec_datapath *d)
{
	struct worker *w = of(d);
	struct policy *policy;

	while ((policy = LIST_FIRST(&w->ready)) != NULL)
		deliver(w, policy);
	receive_early(w);
	carry_from_port(w);
	tell_notices(w);
	tell_moves(w);
}

/* ---- outward, without a port ---- */

/* Of packets that a verdict keeps back. */
static const enum ipsec_error errors[ESP_VERDICTS] = {
	[ESP_NO_SA] = IPSEC_NOT_CONNECTED, [ESP_MALFORMED] = IPSEC_MALFORMED,
	[ESP_POLICY] = IPSEC_SELECTORS, [ESP_TOO_BIG] = IPSEC_TOO_BIG,
	[ESP_SPENT] = IPSEC_SPENT, [ESP_FAILED] = IPSEC_NO_MEMORY,
	[ESP_NO_ROOM] = IPSEC_TOO_BIG,
};

/* A socket that cannot say why has lost it as the network would. */
static enum ipsec_error
error_of(int error)
{
	return error == 0 ? IPSEC_OK : error == EMSGSIZE ? IPSEC_TOO_BIG : IPSEC_AGAIN;
}

/* Slots are free here, whoever calls: a port reads and is written to in process and
 * receive, and what is received lies elsewhere. */
static void
copy_in(struct worker *w, struct esp_packet *p, unsigned i, struct ipsec_packet *from)
{
	*p = (struct esp_packet){ .head = IPSEC_HEADROOM,
	    .data = w->slots + (size_t)i * SLOT + IPSEC_HEADROOM };
	if (from->len > IPSEC_PACKET_MAX) {
		p->verdict = ESP_TOO_BIG;
		return;
	}
	p->len = (uint32_t)from->len;
	if (p->len > 0)
		memcpy(p->data, from->data, p->len);
	set_tail(p);
}

static unsigned
send_batch(struct worker *w, uint64_t policy, struct ipsec_packet *from, unsigned n)
{
	const struct ipsec_message *m = w->messages;
	struct esp_packet v[IPSEC_BATCH];
	unsigned sent = 0;

	for (unsigned i = 0; i < n; i++)
		copy_in(w, &v[i], i, &from[i]);
	esp_find_of(w->esp, policy, v, n);
	check_path(v, n);
	esp_seal(w->esp, v, n);
	send_ok(w, v, n);
	for (unsigned i = 0; i < n; i++) {
		from[i].error = v[i].verdict != ESP_OK ? errors[v[i].verdict] :
		    error_of((m++)->error);
		sent += from[i].error == IPSEC_OK;
	}
	return sent;
}

unsigned
ipsec_worker_send(struct ipsec_datapath *d, uint64_t policy, struct ipsec_packet *v,
    unsigned n)
{
	unsigned sent = 0, batch;

	for (; n > 0; n -= batch, v += batch) {
		batch = n < IPSEC_BATCH ? n : IPSEC_BATCH;
		sent += send_batch(of(d), policy, v, batch);
	}
	return sent;
}

/* ---- inward ---- */

/* The newest authentic packet of an SA did not come from where we send to (RFC 7296
 * 2.23): the engine decides what to make of it.  Without memory the next packet says it
 * again. */
static void
note_move(struct worker *w, const struct esp_packet *p, const struct ipsec_message *m)
{
	const struct ike_path *came_by = &m->path;
	struct sa *out = esp_sa_user(p->sa);

	if (m->kind != IPSEC_ESP_UDP || !out->out || out->kind != IPSEC_ESP_UDP ||
	    (out->path.port[1] == came_by->port[1] &&
	    memcmp(out->path.addr[1], came_by->addr[1], sizeof(came_by->addr[1])) == 0))
		return;
	if (out->move == NULL) {
		if ((out->move = calloc(1, sizeof(*out->move))) == NULL)
			return;
		out->move->id = out->entry.id;
		LIST_INSERT_HEAD(&w->moves, out->move, link);
	}
	out->move->to = *came_by;
}

/* Of each packet the Child SA will be written to: asks for all of them at once. */
static void
expect_sas(const struct esp_packet *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if ((v[i].flags & ESP_AUTHENTIC) != 0)
			bytes_expect(esp_sa_user(v[i].sa), sizeof(struct sa));
}

/* One look at the clock will do for a batch. */
static void
note_heard(const struct esp_packet *v, unsigned n)
{
	ike_time now = 0;
	struct sa *sa;

	for (unsigned i = 0; i < n; i++) {
		if ((v[i].flags & ESP_AUTHENTIC) == 0)
			continue;
		if (now == 0)
			now = ipsec_now();
		sa = esp_sa_user(v[i].sa);
		sa->heard = now;
	}
}

static bool
in_transport_mode(const struct worker *w, const struct ipsec_message *m)
{
	const struct transport *found;
	uint32_t spi;

	if (w->transports == NULL || m->len < sizeof(spi))
		return false;
	spi = bytes_load32(m->data);
	HASH_FIND(hh, w->transports, &spi, sizeof(spi), found);
	return found != NULL;
}

static void
receive_batch(struct worker *w, struct ipsec_message *m, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		w->packets[i] = (struct esp_packet){ .data = m[i].data, .len = m[i].len,
		    .tos = m[i].tos, .origin = (uint16_t)i };
		if (in_transport_mode(w, &m[i]))
			w->packets[i].front = ipsec_transport_restore(&m[i]);
	}
	esp_open(w->esp, w->packets, n);
	expect_sas(w->packets, n);
	note_heard(w->packets, n);
	for (unsigned i = 0; i < n; i++)
		if (w->packets[i].verdict == ESP_OK &&
		    (w->packets[i].flags & ESP_NEWEST) != 0)
			note_move(w, &w->packets[i], &m[i]);
	w->port->ops->write(w->port, w->packets, n);
	/* not before: early packets come from where others are kept */
	for (unsigned i = 0; i < n; i++)
		if (w->packets[i].verdict == ESP_NO_SA)
			ipsec_early_keep(&w->early, ipsec_now(), &m[i]);
}

/* Their SA has come after all. */
static void
receive_early(struct worker *w)
{
	struct ipsec_message v[IPSEC_EARLY_PACKETS];
	unsigned n = ipsec_early_take(w->early, v, IPSEC_EARLY_PACKETS);

	if (n > 0)
		receive_batch(w, v, n);
}

static void
receive(struct ipsec_datapath *d, struct ipsec_message *m, unsigned n)
{
	unsigned batch;

	for (; n > 0; n -= batch, m += batch) {
		batch = n < IPSEC_BATCH ? n : IPSEC_BATCH;
		receive_batch(of(d), m, batch);
	}
}

/* ---- policies ---- */

static void
free_policy(struct worker *w, struct policy *p)
{
	if (p->ready)
		LIST_REMOVE(p, link);
	ipsec_hold_clear(&p->hold, &w->held);
	free(p);
}

static bool
trap(struct ipsec_datapath *d, const struct ipsec_trap *t)
{
	const struct esp_policy_config config = { .id = t->id, .selectors = t->selectors,
	    .n_selectors = t->n, .acquire = t->mode == IPSEC_TRAP_ACQUIRE };
	struct worker *w = of(d);
	size_t name_len = strlen(t->child);
	struct policy *p;

	if (find_policy(w, t->id) != NULL ||
	    (p = calloc(1, sizeof(*p) + name_len + 1)) == NULL)
		return false;
	p->id = t->id;
	p->connection = t->connection;
	memcpy(p->child, t->child, name_len);
	ipsec_hold_init(&p->hold);
	HASH_ADD(hh, w->policies, id, sizeof(p->id), p);
	if (p->hh.tbl == NULL) {
		free_policy(w, p);
		return false;
	}
	if (esp_policy_put(w->esp, &config) == ESP_SUCCESS)
		return true;
	HASH_DEL(w->policies, p);
	free_policy(w, p);
	return false;
}

static void
untrap(struct ipsec_datapath *d, uint64_t id)
{
	struct worker *w = of(d);
	struct policy *p = find_policy(w, id);

	if (p == NULL)
		return;
	esp_policy_remove(w->esp, id);
	HASH_DEL(w->policies, p);
	free_policy(w, p);
}

static void
release(struct ipsec_datapath *d, uint64_t id)
{
	struct worker *w = of(d);
	struct policy *p = find_policy(w, id);
	struct ipsec_held *held;
	struct esp_packet packet;

	if (p == NULL || p->ready)
		return;
	while ((held = ipsec_hold_take(&p->hold, &w->held)) != NULL) {
		packet = (struct esp_packet){ .data = held->data, .len = held->len,
		    .verdict = ESP_POLICY, .policy = id };
		refuse(w, &packet);
		free(held);
	}
	esp_wanted_done(w->esp, id);
}

/* ---- SAs ---- */

static struct esp_sa_config
describe(const struct ipsec_sa *sa)
{
	const struct ike_child *c = sa->child;

	return (struct esp_sa_config){ .id = sa->id, .policy = sa->policy,
	    .mode = c->transport ? ESP_TRANSPORT : ESP_TUNNEL,
	    .esn = c->esn, .transform = c->transform,
	    .selectors = c->selectors, .n_selectors = c->n_selectors,
	    .soft = { c->soft_packets, c->soft_octets },
	    .hard = { c->hard_packets, c->hard_octets } };
}

/* One without either direction is forgotten. */
static void
forget_if_gone(struct worker *w, struct sa *sa)
{
	if (sa->in || sa->out)
		return;
	ipsec_index_remove(&w->sas, &sa->entry);
	free(sa);
}

static struct sa *
need_sa(struct worker *w, ike_id id)
{
	struct sa *sa = ipsec_index_find(&w->sas, id);

	if (sa != NULL || (sa = calloc(1, sizeof(*sa))) == NULL)
		return sa;
	sa->entry.id = id;
	if (ipsec_index_add(&w->sas, &sa->entry))
		return sa;
	free(sa);
	return NULL;
}

static void
forget_front(struct worker *w, struct sa *sa)
{
	if (sa->front != NULL)
		HASH_DEL(w->transports, sa->front);
	free(sa->front);
	sa->front = NULL;
}

static bool
note_front(struct worker *w, struct sa *sa, uint32_t spi)
{
	struct transport *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return false;
	t->spi = spi;
	HASH_ADD(hh, w->transports, spi, sizeof(t->spi), t);
	if (t->hh.tbl != NULL) {
		sa->front = t;
		return true;
	}
	free(t);
	return false;
}

static bool
install_in(struct worker *w, const struct ipsec_sa *said, struct sa *sa)
{
	struct esp_sa_config config = describe(said);

	if (said->child->transport && !note_front(w, sa, said->child->spi_in))
		return false;
	config.direction = ESP_IN;
	config.spi = said->child->spi_in;
	config.keymat = said->child->key_in;
	config.user = sa;
	memcpy(config.sent[0], said->child->seen_by_peer[1], sizeof(config.sent[0]));
	memcpy(config.sent[1], said->child->seen_by_peer[0], sizeof(config.sent[1]));
	if (esp_add(w->esp, &config) == ESP_SUCCESS)
		return true;
	forget_front(w, sa);
	return false;
}

static bool
in_add(struct ipsec_datapath *d, const struct ipsec_sa *said)
{
	struct worker *w = of(d);
	struct sa *sa = need_sa(w, said->id);
	bool done;

	if (sa == NULL || sa->in)
		return false;
	done = sa->in = install_in(w, said, sa);
	if (done)
		ipsec_early_claim(w->early, ipsec_now(), said->child->spi_in);
	forget_if_gone(w, sa);
	return done;
}

static void
in_remove(struct ipsec_datapath *d, ike_id id)
{
	struct worker *w = of(d);
	struct sa *sa = ipsec_index_find(&w->sas, id);

	if (sa == NULL || !sa->in)
		return;
	esp_remove(w->esp, ESP_IN, id);
	forget_front(w, sa);
	sa->in = false;
	sa->heard = 0;
	forget_if_gone(w, sa);
}

static void
set_way(struct sa *out, const struct ike_child *child)
{
	out->kind = child->encap ? IPSEC_ESP_UDP : IPSEC_ESP_NATIVE;
	out->path = child->path;
	out->mtu = 0;			/* another path may have another */
}

static bool
install_out(struct worker *w, const struct ipsec_sa *said, struct sa *sa)
{
	struct esp_room room = esp_transform_overhead(said->child->transform);
	struct esp_sa_config config = describe(said);
	uint8_t iv_key[IV_KEY_MAX];
	bool done;

	if (room.head > IPSEC_HEADROOM || room.tail > TAILROOM ||
	    said->child->transform->iv_key_len > sizeof(iv_key))
		return false;
	config.direction = ESP_OUT;
	config.spi = said->child->spi_out;
	config.keymat = said->child->key_out;
	config.user = sa;
	config.iv_key = bytes_of(iv_key, said->child->transform->iv_key_len);
	randombytes_buf(iv_key, sizeof(iv_key));
	done = esp_add(w->esp, &config) == ESP_SUCCESS;
	sodium_memzero(iv_key, sizeof(iv_key));
	if (!done)
		return false;
	set_way(sa, said->child);
	sa->transform = said->child->transform;
	sa->in_transport_mode = said->child->transport;
	return true;
}

static bool
out_add(struct ipsec_datapath *d, const struct ipsec_sa *said)
{
	struct worker *w = of(d);
	struct policy *policy = find_policy(w, said->policy);
	struct sa *sa = need_sa(w, said->id);
	bool done;

	if (sa == NULL || sa->out)
		return false;
	done = sa->out = install_out(w, said, sa);
	forget_if_gone(w, sa);
	if (done && policy != NULL && policy->hold.n > 0 && !policy->ready) {
		policy->ready = true;
		LIST_INSERT_HEAD(&w->ready, policy, link);
	}
	return done;
}

static void
out_remove(struct ipsec_datapath *d, ike_id id)
{
	struct worker *w = of(d);
	struct sa *out = find_out(w, id);

	if (out == NULL)
		return;
	esp_remove(w->esp, ESP_OUT, id);
	forget_move(out);
	out->out = false;
	forget_if_gone(w, out);
}

static void
set_path(struct ipsec_datapath *d, const struct ipsec_sa *said)
{
	struct sa *out = find_out(of(d), said->id);

	if (out != NULL)
		set_way(out, said->child);
}

static bool
usage(struct ipsec_datapath *d, ike_id id, struct ipsec_usage *u)
{
	const struct esp *esp = of(d)->esp;
	const struct sa *sa = ipsec_index_find(&of(d)->sas, id);
	struct esp_usage in = { 0 }, out = { 0 };
	bool known = esp_read_usage(esp, ESP_IN, id, &in);

	known = esp_read_usage(esp, ESP_OUT, id, &out) || known;
	*u = (struct ipsec_usage){ .packets = { in.packets, out.packets },
	    .octets = { in.octets, out.octets }, .replay = in.replay,
	    .integrity = in.integrity, .selectors = in.policy,
	    .heard = sa != NULL ? sa->heard : 0 };
	return known;
}

/* ---- the data path as a whole ---- */

static bool
attach(struct ipsec_datapath *d, struct ipsec_udp *udp,
    void (*tell)(void *, const struct ike_notice *), void *arg)
{
	struct worker *w = of(d);

	w->udp = udp;
	w->tell = tell;
	w->arg = arg;
	return true;
}

static unsigned
fds(struct ipsec_datapath *d, int *v, unsigned n)
{
	int fd = of(d)->port->fd;

	if (fd < 0)
		return 0;
	if (n > 0)
		v[0] = fd;
	return 1;
}

static void
free_worker(struct worker *w)
{
	struct policy *policy, *next;
	struct sa *sa;
	size_t from = 0;

	HASH_ITER(hh, w->policies, policy, next) {
		HASH_DEL(w->policies, policy);
		free_policy(w, policy);
	}
	while ((sa = ipsec_index_any(&w->sas, &from)) != NULL) {
		forget_front(w, sa);
		forget_move(sa);
		sa->in = sa->out = false;
		forget_if_gone(w, sa);
	}
	ipsec_index_free(&w->sas);
	esp_free(w->esp);
	ipsec_early_free(w->early);
	free(w->slots);
	free(w);
}

static void
close_worker(struct ipsec_datapath *d)
{
	struct worker *w = of(d);

	w->port->ops->close(w->port);
	free_worker(w);
}

static const struct ipsec_datapath_ops worker_ops = {
	.attach = attach, .trap = trap, .untrap = untrap, .in_add = in_add,
	.out_add = out_add, .out_remove = out_remove, .in_remove = in_remove,
	.set_path = set_path,
	.usage = usage, .close = close_worker, .release = release, .receive = receive,
	.fds = fds, .process = process,
};

struct ipsec_datapath *
ipsec_worker_new(struct ipsec_port *port)
{
	struct worker *w;

	if (sodium_init() < 0 || (w = calloc(1, sizeof(*w))) == NULL)
		return NULL;
	w->datapath.ops = &worker_ops;
	w->port = port;
	LIST_INIT(&w->ready);
	LIST_INIT(&w->moves);
	w->esp = esp_new(0, 1);
	/* calloc would wipe what an earlier worker gave back, and so use every page */
	w->slots = malloc((size_t)IPSEC_BATCH * SLOT);
	if (w->esp != NULL && w->slots != NULL)
		return &w->datapath;
	free_worker(w);
	return NULL;
}

bool
ipsec_worker_has_news(const struct ipsec_datapath *d)
{
	const struct worker *w = (const struct worker *)d;

	return esp_has_notice(w->esp);
}

uint32_t
ipsec_worker_mtu(const struct ipsec_datapath *d, ike_id child)
{
	const struct worker *w = (const struct worker *)d;
	const struct sa *out = find_out(w, child);

	if (out == NULL)
		return 0;
	return out->mtu != 0 ? out->mtu : ask_mtu(w, out);
}

void
ipsec_worker_read_counters(const struct ipsec_datapath *d,
    struct ipsec_worker_counters *c)
{
	const struct worker *w = (const struct worker *)d;

	*c = w->counters;
	c->esp = *esp_read_counters(w->esp);
}
