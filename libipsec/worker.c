#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "libipsec/batch.h"
#include "libipsec/early.h"
#include "libipsec/endpoint.h"
#include "libipsec/hash.h"
#include "libipsec/hold.h"
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

struct in {			/* what an inbound SA has heard */
	UT_hash_handle hh;
	ike_id id;
	ike_time heard;		/* its newest authentic packet; 0: none */
	struct transport *transport;	/* NULL: tunnel mode */
};

struct transport {		/* an inbound SA whose packets need a header in front */
	UT_hash_handle hh;
	uint32_t spi;
};

struct out {			/* where an outbound SA's packets go */
	UT_hash_handle hh;
	ike_id id;
	enum ipsec_kind kind;
	struct ike_path path;
	const struct esp_transform *transform;
	bool transport;		/* mode */
	uint32_t mtu;		/* of inner packets, once one was refused; 0: not known */
	unsigned refused;	/* since it was asked for */
	LIST_ENTRY(out) link;	/* of those whose peer seems to have moved */
	bool moved;
	struct ike_path moved_to;
};

struct worker {
	struct ipsec_datapath datapath;	/* first: the data path is the worker */
	struct esp *esp;
	struct ipsec_port *port;
	struct ipsec_udp *udp;
	void (*tell)(void *arg, const struct ike_notice *);
	void *arg;

	struct policy *policies;
	struct in *ins;
	struct transport *transports;	/* by SPI */
	struct out *outs;
	LIST_HEAD(, policy) ready;
	LIST_HEAD(, out) moved;
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

static struct out *
find_out(const struct worker *w, ike_id id)
{
	struct out *out;

	HASH_FIND(hh, w->outs, &id, sizeof(id), out);
	return out;
}

/* The longest inner packet whose ESP packet has at most that many octets. */
static uint32_t
inner_max(const struct out *out, uint32_t room)
{
	uint32_t payload = esp_payload_max(out->transform, room);

	return out->transport && payload > 0 ?
	    payload + ipsec_transport_front(out->path.family) : payload;
}

/* 0: no route. */
static uint32_t
ask_mtu(const struct worker *w, const struct out *out)
{
	uint32_t outer = (out->path.family == 4 ? 20 : 40) +
	    (out->kind == IPSEC_ESP_UDP ? 8 : 0);
	uint32_t mtu = ipsec_udp_mtu(w->udp, &out->path);

	return mtu > outer ? inner_max(out, mtu - outer) : 0;
}

static void
learn_mtu(struct worker *w, struct out *out)
{
	uint32_t mtu = ask_mtu(w, out);

	out->refused = 0;
	if (mtu != 0)
		out->mtu = mtu;
}

static void
refuse_size(struct worker *w, struct esp_packet *p)
{
	struct out *out = p->sa != NULL ? esp_sa_user(p->sa) : NULL;
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
	const struct out *out;

	for (unsigned i = 0; i < n; i++) {
		if (v[i].verdict != ESP_OK)
			continue;
		out = esp_sa_user(v[i].sa);
		if (out->mtu != 0 && v[i].len > out->mtu)
			v[i].verdict = ESP_TOO_BIG;
		else if (out->transport && !ipsec_transport_fits(bytes_of(v[i].data,
		    v[i].len), &out->path))
			v[i].verdict = ESP_POLICY;
	}
}

static void
send_sealed(struct worker *w, const struct esp_packet *const *sealed, unsigned n)
{
	struct ipsec_message *m = w->messages;
	struct out *out;

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
	const struct out *out;
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

/* Telling may change the list: each leaves it first. */
static void
tell_moves(struct worker *w)
{
	struct ike_notice notice = { .type = IKE_MOVED };
	struct out *out;

	while ((out = LIST_FIRST(&w->moved)) != NULL) {
		LIST_REMOVE(out, link);
		out->moved = false;
		notice.id = out->id;
		notice.path = out->moved_to;
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
 * 2.23): the engine decides what to make of it, when it is asked for facts. */
static void
note_move(struct worker *w, const struct esp_packet *p, const struct ipsec_message *m)
{
	const struct ike_path *came_by = &m->path;
	struct out *out = m->kind == IPSEC_ESP_UDP ? find_out(w, esp_sa_id(p->sa)) : NULL;

	if (out == NULL || out->kind != IPSEC_ESP_UDP ||
	    (out->path.port[1] == came_by->port[1] &&
	    memcmp(out->path.addr[1], came_by->addr[1], sizeof(came_by->addr[1])) == 0))
		return;
	out->moved_to = *came_by;
	if (out->moved)
		return;
	out->moved = true;
	LIST_INSERT_HEAD(&w->moved, out, link);
}

/* One look at the clock will do for a batch. */
static void
note_heard(const struct esp_packet *v, unsigned n)
{
	ike_time now = 0;
	struct in *in;

	for (unsigned i = 0; i < n; i++) {
		if ((v[i].flags & ESP_AUTHENTIC) == 0)
			continue;
		if (now == 0)
			now = ipsec_now();
		in = esp_sa_user(v[i].sa);
		in->heard = now;
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
	note_heard(w->packets, n);
	for (unsigned i = 0; i < n; i++)
		if (w->packets[i].verdict == ESP_OK &&
		    (w->packets[i].flags & ESP_NEWEST) != 0)
			note_move(w, &w->packets[i], &m[i]);
	for (unsigned i = 0; i < n; i++)
		if (w->packets[i].verdict == ESP_NO_SA)
			ipsec_early_keep(&w->early, ipsec_now(), &m[i]);
	w->port->ops->write(w->port, w->packets, n);
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

static struct in *
find_in(const struct worker *w, ike_id id)
{
	struct in *in;

	HASH_FIND(hh, w->ins, &id, sizeof(id), in);
	return in;
}

static void
free_in(struct worker *w, struct in *in)
{
	HASH_DEL(w->ins, in);
	if (in->transport != NULL)
		HASH_DEL(w->transports, in->transport);
	free(in->transport);
	free(in);
}

static bool
note_transport(struct worker *w, struct in *in, uint32_t spi)
{
	struct transport *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return false;
	t->spi = spi;
	HASH_ADD(hh, w->transports, spi, sizeof(t->spi), t);
	if (t->hh.tbl != NULL) {
		in->transport = t;
		return true;
	}
	free(t);
	return false;
}

static struct in *
new_in(struct worker *w, const struct ipsec_sa *sa)
{
	struct in *in;

	if (find_in(w, sa->id) != NULL || (in = calloc(1, sizeof(*in))) == NULL)
		return NULL;
	in->id = sa->id;
	HASH_ADD(hh, w->ins, id, sizeof(in->id), in);
	if (in->hh.tbl == NULL) {
		free(in);
		return NULL;
	}
	if (!sa->child->transport || note_transport(w, in, sa->child->spi_in))
		return in;
	free_in(w, in);
	return NULL;
}

static bool
in_add(struct ipsec_datapath *d, const struct ipsec_sa *sa)
{
	struct worker *w = of(d);
	struct esp_sa_config config = describe(sa);
	struct in *in = new_in(w, sa);

	if (in == NULL)
		return false;
	config.direction = ESP_IN;
	config.spi = sa->child->spi_in;
	config.keymat = sa->child->key_in;
	config.user = in;
	memcpy(config.sent[0], sa->child->seen_by_peer[1], sizeof(config.sent[0]));
	memcpy(config.sent[1], sa->child->seen_by_peer[0], sizeof(config.sent[1]));
	if (esp_add(w->esp, &config) == ESP_SUCCESS) {
		ipsec_early_claim(w->early, ipsec_now(), config.spi);
		return true;
	}
	free_in(w, in);
	return false;
}

static void
in_remove(struct ipsec_datapath *d, ike_id id)
{
	struct worker *w = of(d);
	struct in *in = find_in(w, id);

	esp_remove(w->esp, ESP_IN, id);
	if (in != NULL)
		free_in(w, in);
}

static void
set_way(struct out *out, const struct ike_child *child)
{
	out->kind = child->encap ? IPSEC_ESP_UDP : IPSEC_ESP_NATIVE;
	out->path = child->path;
}

static struct out *
new_out(struct worker *w, const struct ipsec_sa *sa)
{
	struct esp_room room = esp_transform_overhead(sa->child->transform);
	struct out *out;

	if (room.head > IPSEC_HEADROOM || room.tail > TAILROOM ||
	    find_out(w, sa->id) != NULL)
		return NULL;
	if ((out = calloc(1, sizeof(*out))) == NULL)
		return NULL;
	out->id = sa->id;
	set_way(out, sa->child);
	out->transform = sa->child->transform;
	out->transport = sa->child->transport;
	HASH_ADD(hh, w->outs, id, sizeof(out->id), out);
	if (out->hh.tbl != NULL)
		return out;
	free(out);
	return NULL;
}

static bool
out_add(struct ipsec_datapath *d, const struct ipsec_sa *sa)
{
	struct worker *w = of(d);
	struct esp_sa_config config = describe(sa);
	struct policy *policy = find_policy(w, sa->policy);
	struct out *out = new_out(w, sa);
	uint8_t iv_key[IV_KEY_MAX];
	bool done = false;

	if (out == NULL)
		return false;
	config.direction = ESP_OUT;
	config.spi = sa->child->spi_out;
	config.keymat = sa->child->key_out;
	config.user = out;
	config.iv_key = bytes_of(iv_key, sa->child->transform->iv_key_len);
	randombytes_buf(iv_key, sizeof(iv_key));
	done = config.iv_key.len <= sizeof(iv_key) &&
	    esp_add(w->esp, &config) == ESP_SUCCESS;
	sodium_memzero(iv_key, sizeof(iv_key));
	if (!done) {
		HASH_DEL(w->outs, out);
		free(out);
	} else if (policy != NULL && policy->hold.n > 0 && !policy->ready) {
		policy->ready = true;
		LIST_INSERT_HEAD(&w->ready, policy, link);
	}
	return done;
}

static void
out_remove(struct ipsec_datapath *d, ike_id id)
{
	struct worker *w = of(d);
	struct out *out = find_out(w, id);

	esp_remove(w->esp, ESP_OUT, id);
	if (out == NULL)
		return;
	if (out->moved)
		LIST_REMOVE(out, link);
	HASH_DEL(w->outs, out);
	free(out);
}

static void
set_path(struct ipsec_datapath *d, const struct ipsec_sa *sa)
{
	struct out *out = find_out(of(d), sa->id);

	if (out == NULL)
		return;
	set_way(out, sa->child);
	out->mtu = 0;			/* another path may have another */
}

static bool
usage(struct ipsec_datapath *d, ike_id id, struct ipsec_usage *u)
{
	const struct esp *esp = of(d)->esp;
	const struct in *heard = find_in(of(d), id);
	struct esp_usage in = { 0 }, out = { 0 };
	bool known = esp_read_usage(esp, ESP_IN, id, &in);

	known = esp_read_usage(esp, ESP_OUT, id, &out) || known;
	*u = (struct ipsec_usage){ .packets = { in.packets, out.packets },
	    .octets = { in.octets, out.octets }, .replay = in.replay,
	    .integrity = in.integrity, .selectors = in.policy,
	    .heard = heard != NULL ? heard->heard : 0 };
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
	struct in *in, *later;
	struct out *out, *after;

	HASH_ITER(hh, w->policies, policy, next) {
		HASH_DEL(w->policies, policy);
		free_policy(w, policy);
	}
	HASH_ITER(hh, w->ins, in, later)
		free_in(w, in);
	HASH_ITER(hh, w->outs, out, after) {
		HASH_DEL(w->outs, out);
		free(out);
	}
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
	w->esp = esp_new(0, 1);
	w->slots = calloc(IPSEC_BATCH, SLOT);
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
	const struct out *out = find_out(w, child);

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
