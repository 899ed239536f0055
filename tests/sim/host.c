#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/cheap.h"
#include "tests/sim/host.h"
#include "tests/sim/memory.h"

void
host_say(const struct host *h, ike_time now, const char *format, ...)
{
	va_list args;

	if (h->trace == NULL)
		return;
	fprintf(h->trace, "%10.3f  %c: ", (double)now / 1e6, 'A' + (char)h->number);
	va_start(args, format);
	vfprintf(h->trace, format, args);
	va_end(args);
	fputc('\n', h->trace);
}

/* ---- life ---- */

static void
fill(void *arg, uint8_t *p, size_t n)
{
	struct host *h = arg;

	chance_fill(&h->chance, p, n);
}

/* Some that are reserved, or in use, or only heard for a while yet: the engine has to
 * pass over them. */
static uint32_t
propose_spi(void *arg, uint32_t replaced)
{
	struct host *h = arg;
	const struct path_sa *sa = &h->path.sas[chance_below(&h->chance, 16)];

	switch (chance_below(&h->chance, 4)) {
	case 0:
		return replaced;
	case 1:
		return sa->out ? replaced : sa->spi;
	case 2:
		return (uint32_t)chance_below(&h->chance, ESP_SPI_MIN);
	default:
		return (uint32_t)chance_next(&h->chance);
	}
}

bool
host_open(struct host *h, ike_time now)
{
	struct ike_options options = { .random = fill, .arg = h, .native_esp = true,
	    .child_spi = h->bad_spis ? propose_spi : NULL,
	    .algorithms = h->cheap ? &cheap_algorithms : NULL,
	    .trace = h->trace != NULL };
	bool good;

	h->lives++;
	h->chance = chance_of(h->seed, 100 + h->number + 10 * h->lives);
	h->patience = chance_of(h->seed, 200 + h->number);
	h->path.judge = h->judge;
	h->path.name = (char)('A' + h->number);
	h->path.cheap = h->cheap;
	h->blocks = -memory_blocks();
	if (!path_open(&h->path))
		return false;
	h->children = ipsec_children_new(&h->path.datapath);
	h->ike = ike_new(&options);
	good = h->children != NULL && h->ike != NULL;
	h->blocks += memory_blocks();
	for (unsigned i = 0; good && i < h->n_tunnels; i++)
		if (h->tunnels[i].host[0] == h->number ||
		    h->tunnels[i].host[1] == h->number)
			good = host_put(h, now, &h->tunnels[i]);
	return good;
}

void
host_close(struct host *h)
{
	ipsec_children_free(h->children);
	ike_free(h->ike);
	path_close(&h->path);
	h->children = NULL;
	h->ike = NULL;
	h->n_answers = 0;
	for (unsigned i = 0; i < h->n_tunnels; i++)
		for (unsigned k = 0; k < 2; k++)
			if (h->tunnels[i].host[k] == h->number)
				h->tunnels[i].connection[k] = 0;
}

bool
host_put(struct host *h, ike_time now, struct tunnel *t)
{
	unsigned end = tunnel_end(t, h->number), n;
	struct ike_fault faults[8];
	struct ike_connection *c;
	ike_id old = t->connection[end];

	if ((c = ike_connection_new(&t->setup[end], faults, 8, &n)) == NULL) {
		for (unsigned i = 0; i < n && i < 8; i++)
			fprintf(
			    stderr, "sim: %s: %s\n", faults[i].setting, faults[i].text);
		return false;
	}
	t->connection[end] = ike_put(h->ike, now, old, c);
	if (old == 0 && t->connection[end] != 0)
		ipsec_children_put(h->children, t->connection[end], c);
	ike_connection_free(c);
	host_drain(h, now);
	return t->connection[end] != 0;
}

void
host_drop(struct host *h, ike_time now, struct tunnel *t)
{
	unsigned end = tunnel_end(t, h->number);

	ike_drop(h->ike, now, t->connection[end]);
	host_drain(h, now);
	ipsec_children_drop(h->children, t->connection[end]);
	t->connection[end] = 0;
}

struct tunnel *
host_tunnel(const struct host *h, ike_id connection)
{
	for (unsigned i = 0; i < h->n_tunnels; i++) {
		struct tunnel *t = &h->tunnels[i];
		unsigned end = tunnel_end(t, h->number);

		if (t->host[end] == h->number && t->connection[end] == connection &&
		    connection != 0)
			return t;
	}
	return NULL;
}

/* ---- questions ---- */

static enum ike_error
check_secret(const struct host *h, const struct tunnel *t, const struct ike_event *event,
    struct host_answer *a)
{
	const struct ike_auth_request *r = event->u.auth;
	const char *secret = t != NULL ? t->secret[tunnel_end(t, h->number)] : "nothing";

	a->len = ike_psk_auth(h->cheap ? &cheap_algorithms : NULL, r->prf,
	    bytes_of(secret, strlen(secret)), r->octets, a->value);
	if (a->len == 0)
		return IKE_NO_MEMORY;
	if (event->type == IKE_ASK_CHECK &&
	    !bytes_equal(bytes_of(a->value, a->len), r->value))
		return IKE_AUTHENTICATION_FAILED;
	return IKE_OK;
}

/* Where the other end of the tunnel is, and what we call ourselves on the way there. */
static enum ike_error
resolve(const struct host *h, const struct tunnel *t, struct ike_path *path)
{
	if (t == NULL)
		return IKE_UNRESOLVED;
	path->family = h->family;
	network_address(h->network, h->number, path->addr[0]);
	network_address(
	    h->network, t->host[1 - tunnel_end(t, h->number)], path->addr[1]);
	return IKE_OK;
}

static ike_time
last_heard(struct host *h, ike_id sa)
{
	struct ike_child_info info;
	const struct path_sa *in;
	ike_time heard = 0;

	for (unsigned i = 0; ike_child_at(h->ike, sa, i, &info); i++) {
		in = path_find_id(&h->path, info.id, false);
		if (in != NULL && in->heard > heard)
			heard = in->heard;
	}
	return heard;
}

static void
question(struct host *h, ike_time now, const struct ike_event *event)
{
	const struct tunnel *t = host_tunnel(h, event->connection);
	struct host_answer *a;

	if (h->n_answers == HOST_ANSWERS)
		return;			/* forgotten: the engine must get over it */
	a = &h->answers[h->n_answers++];
	memset(a, 0, sizeof(*a));
	a->question = event->question;
	a->at = now + (h->slowness > 0 ? (ike_time)chance_below(&h->patience,
	    (uint64_t)h->slowness) : 0);
	if (event->type == IKE_ASK_RESOLVE)
		a->error = resolve(h, t, &a->path);
	else if (event->type == IKE_ASK_USAGE)
		a->heard = last_heard(h, event->sa);
	else if (event->type != IKE_ASK_ADMIT)
		a->error = check_secret(h, t, event, a);
	a->sa = event->sa;
}

static bool
give_answer(struct host *h, ike_time now)
{
	struct ike_answer answer;
	struct host_answer a;

	for (unsigned i = 0; i < h->n_answers; i++) {
		if (h->answers[i].at > now)
			continue;
		a = h->answers[i];
		h->answers[i] = h->answers[--h->n_answers];
		answer = (struct ike_answer){ .error = a.error, .heard = a.heard,
		    .value = bytes_of(a.value, a.len), .path = a.path };
		ike_answer_question(h->ike, now, a.question, &answer);
		if (a.error == IKE_AUTHENTICATION_FAILED)
			h->condemned = a.sa;
		return true;
	}
	return false;
}

/* ---- outputs ---- */

static void
note_refusal(struct host *h, ike_time now, const struct ike_event *event)
{
	const struct ike_refusal *r = event->u.refusal;

	host_say(h, now, "refused: %s; ours: %s; theirs: %s; %s [%s]", r->what, r->ours,
	    r->theirs, r->difference, r->setting);
	h->refusals++;
}

static void
hear(struct host *h, ike_time now, const struct ike_event *event)
{
	const char *what = event->child != 0 ? "Child SA" : "IKE SA";
	unsigned long long id = event->child != 0 ? event->child : event->sa;
	struct ike_notice notice;

	switch (event->type) {
	case IKE_ASK_RESOLVE: case IKE_ASK_PROVE: case IKE_ASK_CHECK: case IKE_ASK_ADMIT:
	case IKE_ASK_USAGE:
		question(h, now, event);
		return;
	case IKE_UP:
		host_say(h, now, "up: %s %llu", what, id);
		return;
	case IKE_DOWN:
		host_say(h, now, "down: %s %llu, %s", what, id,
		    ike_error_name(event->error));
		return;
	case IKE_REPLACED:
		host_say(h, now, "rekeyed: %s %llu follows %llu", what, id,
		    (unsigned long long)event->replaced);
		h->replaced++;
		return;
	case IKE_REFUSED:
		note_refusal(h, now, event);
		return;
	case IKE_TRACE:
		host_say(h, now, "%.*s", (int)event->u.text.len, event->u.text.p);
		return;
	default:
		host_say(h, now, "data path: %s %llu (%s, %08x in, %08x out)",
		    event->type == IKE_IN_ADD ? "in add" :
		    event->type == IKE_OUT_ADD ? "out add" :
		    event->type == IKE_OUT_REMOVE ? "out remove" :
		    event->type == IKE_IN_REMOVE ? "in remove" : "path of", id,
		    event->u.child->name, event->u.child->spi_in,
		    event->u.child->spi_out);
		if (ipsec_children_apply(h->children, event, &notice))
			ike_tell(h->ike, now, &notice);
	}
}

/* An SA whose AUTH failed is on its way out before anything else happens. */
static void
watch_condemned(struct host *h)
{
	struct ike_sa_info info;

	for (ike_id id = 0; h->condemned != 0 && ike_next_sa(h->ike, id, &info);
	     id = info.id)
		if (info.id == h->condemned && info.state < IKE_STATE_CLOSING)
			judge_blame(h->judge,
			    "host %c keeps an SA that failed to authenticate",
			    'A' + h->number);
	h->condemned = 0;
}

static void
remember_soft(struct host *h, ike_time now, ike_id child)
{
	struct path_sa *sa;

	for (int out = 0; out < 2; out++)
		if ((sa = path_find_id(&h->path, child, out)) != NULL && sa->soft_at == 0)
			sa->soft_at = now;
}

static bool
tell_facts(struct host *h, ike_time now)
{
	struct ike_notice notice;

	if (!path_notice(&h->path, &notice))
		return false;
	host_say(h, now, "data path tells: %s %llu",
	    notice.type == IKE_ACQUIRE ? "wanted" :
	    notice.type == IKE_SOFT ? "soft limit of" :
	    notice.type == IKE_HARD ? "hard limit of" : "first packet on",
	    (unsigned long long)notice.id);
	if (notice.type == IKE_SOFT)
		remember_soft(h, now, notice.id);
	ike_tell(h->ike, now, &notice);
	return true;
}

static void
send_ike(struct host *h, ike_time now, const struct ike_datagram *d)
{
	if (now - h->second > IKE_SECOND) {
		h->second = now;
		h->in_second = 0;
	}
	if (++h->in_second > IKE_A_SECOND)
		judge_blame(h->judge, "host %c sends without bound", 'A' + h->number);
	judge_message(h->judge, d->data);
	network_send(h->network, now, FRAME_IKE, &d->path, d->data, 0);
}

void
host_drain(struct host *h, ike_time now)
{
	struct ike_datagram datagram;
	struct ike_event event;

	do {
		do {
			while (ike_next_event(h->ike, &event))
				hear(h, now, &event);
		} while (give_answer(h, now));
		watch_condemned(h);
		while (ike_next_datagram(h->ike, &datagram))
			send_ike(h, now, &datagram);
	} while (tell_facts(h, now));
}

/* ---- inputs ---- */

static unsigned
receive_esp(struct host *h, ike_time now, struct frame *f)
{
	struct esp_packet p = { .data = f->data, .len = (uint32_t)f->len };
	struct path_sa *sa = path_unseal(&h->path, &p);
	struct ike_notice moved;

	if (p.verdict != ESP_OK) {
		host_say(h, now, "ESP packet %u dropped: verdict %u", f->packet,
		    p.verdict);
		return p.verdict;
	}
	if (sa == NULL) {
		judge_blame(h->judge, "host %c has an SA that nobody added",
		    'A' + h->number);
		return p.verdict;
	}
	sa->heard = now;
	ledger_delivered(h->ledger, h->judge, bytes_load32(p.data + p.len - 4),
	    h->number);
	moved = (struct ike_notice){ .type = IKE_MOVED, .id = sa->id, .path = f->path };
	if (f->kind == FRAME_ESP_UDP && (p.flags & ESP_NEWEST) != 0)
		ike_tell(h->ike, now, &moved);
	return p.verdict;
}

unsigned
host_receive(struct host *h, ike_time now, struct frame *f)
{
	unsigned verdict = ESP_OK;

	if (f->kind == FRAME_IKE)
		ike_receive(h->ike, now, &f->path, f->data, f->len);
	else
		verdict = receive_esp(h, now, f);
	host_drain(h, now);
	return verdict;
}

bool
host_deadline(const struct host *h, ike_time *at)
{
	bool any = ike_next_deadline(h->ike, at);

	for (unsigned i = 0; i < h->n_answers; i++)
		if (!any || h->answers[i].at < *at) {
			*at = h->answers[i].at;
			any = true;
		}
	return any;
}

void
host_tick(struct host *h, ike_time now)
{
	ike_tick(h->ike, now);
	host_drain(h, now);
}

void
host_tell(struct host *h, ike_time now, const struct ike_notice *notice)
{
	ike_tell(h->ike, now, notice);
	host_drain(h, now);
}

/* ---- packets from the inside ---- */

/* An IP packet between two inner networks, its number in the last four octets. */
static uint32_t
make_inner(uint8_t family, unsigned from, unsigned to, unsigned child, uint32_t number,
    uint8_t *p)
{
	uint32_t head = family == ESP_IPV4 ? 20 : 40, len = head + 8 + 4;
	uint8_t addr[2][16];

	tunnel_net_address(family, from, child, addr[0]);
	tunnel_net_address(family, to, child, addr[1]);
	memset(p, 0, len);
	if (family == ESP_IPV4) {
		p[0] = 0x45;
		bytes_store16(p + 2, (uint16_t)len);
		p[8] = 64;
		p[9] = 17;
		memcpy(p + 12, addr[0], 4);
		memcpy(p + 16, addr[1], 4);
	} else {
		p[0] = 0x60;
		bytes_store16(p + 4, (uint16_t)(len - head));
		p[6] = 17;
		p[7] = 64;
		memcpy(p + 8, addr[0], 16);
		memcpy(p + 24, addr[1], 16);
	}
	bytes_store16(p + head, 7);
	bytes_store16(p + head + 2, 7);
	bytes_store16(p + head + 4, 12);
	bytes_store32(p + len - 4, number);
	return len;
}

const struct path_sa *
host_send_inner(struct host *h, ike_time now, const struct tunnel *t, unsigned child,
    bool must)
{
	uint8_t buf[INNER_MAX + 256], to = t->host[1 - tunnel_end(t, h->number)];
	struct esp_packet p = { .data = buf + 64, .head = 64, .tail = 128 };
	struct entry entry = { .at = now, .from = h->number, .to = to,
	    .child = (uint8_t)child, .must = must };
	uint32_t number = ledger_open(h->ledger, &entry);
	const struct path_sa *sa;

	if (number == 0)
		return NULL;
	p.len = make_inner(h->family, h->number, to, child, number, p.data);
	sa = path_seal(&h->path, &p);
	host_say(h, now, "packet %u for %c (child %u)%s%08x", number, 'A' + to, child,
	    sa != NULL ? " by SPI " : ": no SA, ", sa != NULL ? sa->spi : p.verdict);
	if (sa == NULL)
		ledger_refused(h->ledger, h->judge, number, p.verdict);
	else
		network_send(h->network, now, sa->encap ? FRAME_ESP_UDP : FRAME_ESP,
		    &sa->path, bytes_of(p.data, p.len), number);
	host_drain(h, now);
	return sa;
}
