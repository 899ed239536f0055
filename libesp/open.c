#include "libesp/front.h"
#include "libesp/sadb.h"

enum { IPV4 = 4, IPV6 = 41, NO_NEXT_HEADER = 59 };

/* ---- RFC 6040 4.2: the outer ECN field joins the inner one ---- */

enum { NOT_ECT, ECT_1, ECT_0, CE, DROP };

static const uint8_t joined[4][4] = {
	/* inner      outer: NOT_ECT  ECT_1    ECT_0    CE */
	[NOT_ECT] =        { NOT_ECT, NOT_ECT, NOT_ECT, DROP },
	[ECT_1] =          { ECT_1,   ECT_1,   ECT_1,   CE },
	[ECT_0] =          { ECT_0,   ECT_1,   ECT_0,   CE },
	[CE] =             { CE,      CE,      CE,      CE },
};

/* RFC 1624: the checksum changes with the first two octets. */
static void
set_ipv4_ecn(uint8_t *p, uint8_t ecn)
{
	uint32_t sum =
	    (uint16_t)~bytes_load16(p + 10) + (uint32_t)(uint16_t)~bytes_load16(p);

	p[1] = (uint8_t)((p[1] & ~3) | ecn);
	sum += bytes_load16(p);
	sum = (sum >> 16) + (sum & 0xffff);
	sum += sum >> 16;
	bytes_store16(p + 10, (uint16_t)~sum);
}

static bool
join_ecn(uint8_t *p, uint8_t family, uint8_t tos)
{
	uint8_t inner = family == ESP_IPV4 ? p[1] & 3 : p[1] >> 4 & 3;
	uint8_t ecn = joined[inner][tos & 3];

	if (ecn == DROP)
		return false;
	if (ecn == inner)
		return true;
	if (family == ESP_IPV4)
		set_ipv4_ecn(p, ecn);
	else
		p[1] = (uint8_t)((p[1] & ~0x30) | ecn << 4);
	return true;
}

/* ---- before decryption ---- */

/* Is it for one of our SAs? */
static enum esp_verdict
find_owner(const struct esp *esp, struct esp_packet *p)
{
	uint32_t spi;

	if (p->len < ESP_HEADER)
		return ESP_MALFORMED;
	spi = bytes_load32(p->data);
	if (spi < ESP_SPI_MIN)
		return ESP_NO_SA;
	p->owner = (uint16_t)(spi % esp->workers);
	return p->owner == esp->worker ? ESP_OK : ESP_NOT_MINE;
}

static void
drop(struct esp *esp, struct esp_packet *p, enum esp_verdict verdict)
{
	p->verdict = (uint8_t)verdict;
	esp->counters.in[verdict]++;
}

static void
find_slots(struct esp *esp, struct esp_packet *v, unsigned at, unsigned n)
{
	struct esp_link *const **slot = &esp->slots[at];
	enum esp_verdict verdict;

	for (struct esp_packet *p = v; p < v + n; p++, slot++) {
		*slot = NULL;
		if (p->verdict != ESP_OK)
			continue;
		p->sa = NULL;
		p->flags = 0;
		verdict = find_owner(esp, p);
		if (verdict == ESP_OK)
			*slot = esp_sadb_slot(esp, bytes_load32(p->data));
		else
			drop(esp, p, verdict);
		bytes_expect(*slot, sizeof(**slot));
	}
}

static void
expect_sa(struct esp_link *link)
{
	esp_sa_expect_in(ESP_MEMBER(link, struct esp_sa_in, by_spi));
}

static void
expect_first(struct esp *esp, struct esp_packet *v, unsigned at, unsigned n)
{
	struct esp_link *const **slot = &esp->slots[at];

	(void)v;
	for (; n > 0; n--, slot++)
		if (*slot != NULL && **slot != NULL)
			expect_sa(**slot);
}

/* Whether it will be needed is not worth a look. */
static void
expect_second(struct esp *esp, struct esp_packet *v, unsigned at, unsigned n)
{
	struct esp_link *const **slot = &esp->slots[at];

	(void)v;
	for (; n > 0; n--, slot++)
		if (*slot != NULL && **slot != NULL && (**slot)->next != NULL)
			expect_sa((**slot)->next);
}

/* The word of the window, too, that a packet without gaps before it needs. */
static void
expect_around(const struct esp_sa *sa)
{
	esp_sa_expect_around(sa);
	esp_replay_expect(&((const struct esp_sa_in *)sa)->replay);
}

static struct esp_sa *
find_in(struct esp_link *link, uint32_t spi)
{
	struct esp_sa_in *in;

	for (; link != NULL; link = link->next) {
		in = ESP_MEMBER(link, struct esp_sa_in, by_spi);
		if (in->sa.spi == spi)
			return &in->sa;
	}
	return NULL;
}

static void
find_sas(struct esp *esp, struct esp_packet *v, unsigned at, unsigned n)
{
	struct esp_link *const **slot = &esp->slots[at];
	const struct esp_sa *last = NULL;

	for (struct esp_packet *p = v; p < v + n; p++, slot++) {
		if (p->verdict != ESP_OK)
			continue;
		if (*slot != NULL)
			p->sa = find_in(**slot, bytes_load32(p->data));
		if (p->sa == NULL) {
			drop(esp, p, ESP_NO_SA);
		} else if (p->sa != last) {
			expect_around(p->sa);
			last = p->sa;
		}
	}
}

static bool
read_front(const struct esp_packet *p, struct esp_front *front)
{
	return esp_front_read(bytes_of(p->data - p->front, p->front), front);
}

/* Lengths, limit and sequence number: nothing that costs or changes anything. */
static enum esp_verdict
may_open(struct esp_packet *p, uint32_t *len, uint64_t *sequence)
{
	struct esp_sa *sa = p->sa;
	struct esp_sa_in *in = esp_inbound(sa);
	const struct esp_transform *t = sa->terms->transform;
	uint32_t around = ESP_HEADER + t->iv_len + t->icv_len;
	struct esp_front front;

	if (p->len < around + ESP_TRAILER || (p->len - around) % t->align != 0)
		return ESP_MALFORMED;
	if (sa->terms->mode == ESP_TRANSPORT && !read_front(p, &front))
		return ESP_MALFORMED;
	*len = p->len - around;
	if (esp_sa_spent(sa))
		return ESP_SPENT;
	if (!esp_replay_guess(&in->replay, bytes_load32(p->data + 4), sequence) ||
	    !esp_replay_check(&in->replay, *sequence)) {
		in->dropped.replay++;
		return ESP_REPLAY;
	}
	return ESP_OK;
}

/* ---- after decryption ---- */

/* The payload's length without the trailer; false if the padding is not 1, 2, 3
 * (RFC 4303 2.4). */
static bool
strip_trailer(const struct esp_op *op, uint32_t *len, uint8_t *next_header)
{
	const uint8_t *end = op->data + op->len;
	uint32_t pad = end[-2];

	if (pad + ESP_TRAILER > op->len)
		return false;
	*len = op->len - ESP_TRAILER - pad;
	*next_header = end[-1];
	for (uint32_t i = 0; i < pad; i++)
		if (op->data[*len + i] != i + 1)
			return false;
	return true;
}

/* The payload is an IP packet. */
static enum esp_verdict
deliver_tunnel(struct esp_packet *p, uint8_t *data, uint32_t len, uint8_t next_header)
{
	struct esp_flow flow;

	if (!esp_flow_read(bytes_of(data, len), &flow) ||
	    next_header != (flow.family == ESP_IPV4 ? IPV4 : IPV6))
		return ESP_MALFORMED;
	if (!esp_sa_matches(p->sa, &flow))
		return ESP_POLICY;
	if (!join_ecn(data, flow.family, p->tos))
		return ESP_CONGESTED;
	/* what lies behind its own length is traffic flow padding (RFC 4303 2.7) */
	esp_packet_move(p, 0, data, flow.len);
	return ESP_OK;
}

/* The payload goes behind the IP header again; its length is all that there is, and what
 * is padding in it the transport will know (RFC 4303 2.7). */
static enum esp_verdict
deliver_transport(struct esp_packet *p, uint8_t *data, uint32_t len, uint8_t next_header)
{
	const uint8_t (*sent)[16] = (const uint8_t(*)[16])esp_inbound(p->sa)->sent;
	uint8_t *whole = data - p->front;
	struct esp_front front;
	struct esp_flow flow;

	if (!read_front(p, &front) || front.len + len > UINT16_MAX)
		return ESP_MALFORMED;
	memmove(whole, p->data - p->front, p->front);
	esp_front_write(whole, &front, next_header, len);
	if (!esp_flow_read(bytes_of(whole, front.len + len), &flow))
		return ESP_MALFORMED;
	if (!esp_sa_matches(p->sa, &flow))
		return ESP_POLICY;
	if (sent != NULL)
		esp_front_mend(whole, flow.len, sent);
	esp_packet_move(p, 0, whole, flow.len);
	return ESP_OK;
}

static enum esp_verdict
deliver(struct esp *esp, struct esp_packet *p, const struct esp_op *op)
{
	struct esp_sa *sa = p->sa;
	enum esp_verdict verdict;
	uint8_t next_header;
	uint32_t len;

	if (esp_sa_spent(sa))
		return ESP_SPENT;
	if (!strip_trailer(op, &len, &next_header))
		return ESP_MALFORMED;
	if (next_header == NO_NEXT_HEADER)
		return ESP_DUMMY;
	verdict = sa->terms->mode == ESP_TUNNEL ?
	    deliver_tunnel(p, op->data, len, next_header) :
	    deliver_transport(p, op->data, len, next_header);
	if (verdict != ESP_OK)
		return verdict;
	p->next_header = next_header;
	esp_sa_count(sa, &esp->alerts, p->len);
	return ESP_OK;
}

/* The ICV is right: from here on the SA may change. */
static enum esp_verdict
authentic(struct esp *esp, struct esp_packet *p, const struct esp_op *op,
    uint64_t sequence)
{
	struct esp_sa *sa = p->sa;
	struct esp_sa_in *in = esp_inbound(sa);
	bool newest = sequence > in->replay.top;
	enum esp_verdict verdict;

	if (!esp_replay_update(&in->replay, sequence)) {
		in->dropped.replay++;
		return ESP_REPLAY;
	}
	sa->sequence = in->replay.top;
	p->flags = ESP_AUTHENTIC | (newest ? ESP_NEWEST : 0);
	if (!sa->first_told) {
		sa->first_told = true;
		esp_alert_raise(&esp->alerts, &sa->alert, ESP_FIRST_IN);
	}
	verdict = deliver(esp, p, op);
	in->dropped.malformed += verdict == ESP_MALFORMED;
	in->dropped.policy += verdict == ESP_POLICY;
	return verdict;
}

static void
flush(struct esp *esp)
{
	struct esp_batch *b = &esp->batch;

	if (b->n == 0)
		return;
	b->transform->open(NULL, b->op, b->n);
	for (unsigned i = 0; i < b->n; i++) {
		struct esp_packet *p = b->packet[i];
		enum esp_verdict verdict = ESP_INTEGRITY;

		if (b->op[i].ok)
			verdict = authentic(esp, p, &b->op[i], b->sequence[i]);
		else
			esp_inbound(p->sa)->dropped.integrity++;
		p->verdict = (uint8_t)verdict;
		esp->counters.in[verdict]++;
	}
	b->n = 0;
}

static void
open_group(struct esp *esp, struct esp_packet *v, unsigned at, unsigned n)
{
	struct esp_batch *b = &esp->batch;
	enum esp_verdict verdict;
	uint64_t sequence;
	uint32_t len;

	(void)at;
	for (struct esp_packet *p = v; p < v + n; p++) {
		if (p->verdict != ESP_OK)
			continue;
		verdict = may_open(p, &len, &sequence);
		if (verdict != ESP_OK) {
			drop(esp, p, verdict);
			continue;
		}
		if (b->n > 0 && b->transform != p->sa->terms->transform)
			flush(esp);
		esp_batch_add(b, p, p->data, len, sequence);
	}
	flush(esp);
}

void
esp_open(struct esp *esp, struct esp_packet *v, unsigned n)
{
	static const struct esp_stages stages = { .group = 4, .n = 6, .stage = {
		find_slots, expect_first, expect_second, find_sas, esp_expect_ciphers,
		open_group
	} };

	esp_stages_run(&stages, esp, v, n);
}
