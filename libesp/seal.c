#include "libesp/front.h"
#include "libesp/sadb.h"

/* RFC 6040 4.1, normal mode, and RFC 4301 5.1.2.1: the inner DS field and ECN go
 * outside. */
static uint8_t
inner_tos(const uint8_t *p, uint8_t family)
{
	return family == ESP_IPV4 ? p[1] : (uint8_t)(bytes_load16(p) >> 4 & 0xff);
}

/* What there is to seal: a whole IP packet of `len` octets, of which `front` stays. */
struct inner {
	struct esp_front front;		/* tunnel mode: none of it */
	uint8_t family, next_header;
	uint32_t len;
};

static bool
measure(const struct esp_packet *p, enum esp_mode mode, struct inner *inner)
{
	*inner = (struct inner){ .next_header = 0 };
	if (!esp_flow_measure(bytes_of(p->data, p->len), &inner->family, &inner->len))
		return false;
	inner->next_header = inner->family == ESP_IPV4 ? 4 : 41;
	if (mode == ESP_TUNNEL)
		return true;
	if (!esp_front_find(bytes_of(p->data, inner->len), inner->family, &inner->front))
		return false;
	inner->next_header = p->data[inner->front.next];
	return true;
}

static enum esp_verdict
may_seal(const struct esp *esp, struct esp_packet *p, struct inner *inner)
{
	const struct esp_sa *sa = p->sa;
	const struct esp_transform *t;
	uint32_t payload, trailer, len;

	if (sa == NULL || sa->direction != ESP_OUT)
		return ESP_NO_SA;
	p->owner = sa->owner;
	if (sa->owner != esp->worker)
		return ESP_NOT_MINE;
	if (!measure(p, sa->terms->mode, inner))
		return ESP_MALFORMED;
	t = sa->terms->transform;
	payload = inner->len - inner->front.len;
	trailer = esp_trailer_len(t, payload) + t->icv_len;
	len = ESP_HEADER + t->iv_len + payload + trailer;
	if (len > ESP_PACKET_MAX || inner->front.len + len > UINT16_MAX)
		return ESP_TOO_BIG;
	if (p->head < ESP_HEADER + t->iv_len || p->len - inner->len + p->tail < trailer)
		return ESP_NO_ROOM;
	return esp_sa_spent(sa) ? ESP_SPENT : ESP_OK;
}

/* The IP header makes room for ESP's. */
static void
move_front(uint8_t *from, uint32_t back, const struct esp_front *front, uint32_t behind)
{
	memmove(from - back, from, front->len);
	esp_front_write(from - back, front, ESP_PROTOCOL, behind);
}

/* Writes all of the packet but ciphertext and ICV. */
static bool
build(struct esp *esp, struct esp_packet *p, const struct inner *inner)
{
	struct esp_sa *sa = p->sa;
	const struct esp_transform *t = sa->terms->transform;
	const uint32_t before = ESP_HEADER + t->iv_len;
	uint32_t payload = inner->len - inner->front.len;
	uint32_t trailer = esp_trailer_len(t, payload);
	uint8_t *start = p->data + inner->front.len - before, *pad = p->data + inner->len;
	uint64_t sequence = ++sa->sequence;

	p->tos = inner_tos(p->data, inner->family);
	p->next_header = inner->next_header;
	if (sa->terms->mode == ESP_TRANSPORT)
		move_front(p->data, before, &inner->front,
		    before + payload + trailer + t->icv_len);
	if (!t->make_iv(sa->key, sequence, start + ESP_HEADER))
		return false;
	bytes_store32(start, sa->spi);
	bytes_store32(start + 4, (uint32_t)(sequence & 0xffffffff));
	for (uint32_t i = 0; i < trailer - ESP_TRAILER; i++)
		pad[i] = (uint8_t)(i + 1);	/* RFC 4303 2.4 */
	pad[trailer - 2] = (uint8_t)(trailer - ESP_TRAILER);
	pad[trailer - 1] = p->next_header;
	esp_batch_add(&esp->batch, p, start, payload + trailer, sequence);
	return true;
}

static void
flush(struct esp *esp)
{
	struct esp_batch *b = &esp->batch;

	if (b->n == 0)
		return;
	b->transform->seal(NULL, b->op, b->n);
	for (unsigned i = 0; i < b->n; i++) {
		struct esp_packet *p = b->packet[i];
		const struct esp_op *op = &b->op[i];
		uint32_t around =
		    ESP_HEADER + b->transform->iv_len + b->transform->icv_len;

		/* the payload has not moved: what was before it is in front now */
		if (op->ok)
			esp_packet_move(p, (uint16_t)(op->data - p->data),
			    op->iv - ESP_HEADER, around + op->len);
		else
			p->verdict = ESP_FAILED;
		esp->counters.out[p->verdict]++;
	}
	b->n = 0;
}

static void
expect_keys(struct esp *esp, struct esp_packet *v, unsigned at, unsigned n)
{
	const struct esp_sa *last = NULL;

	(void)esp;
	(void)at;
	for (unsigned i = 0; i < n; i++)
		if (v[i].verdict == ESP_OK && v[i].sa != NULL && v[i].sa != last) {
			esp_sa_expect_around(v[i].sa);
			last = v[i].sa;
		}
}

static void
seal_group(struct esp *esp, struct esp_packet *v, unsigned at, unsigned n)
{
	struct esp_batch *b = &esp->batch;
	enum esp_verdict verdict;
	struct inner inner;

	(void)at;
	for (struct esp_packet *p = v; p < v + n; p++) {
		if (p->verdict != ESP_OK)
			continue;
		verdict = may_seal(esp, p, &inner);
		if (verdict == ESP_OK) {
			if (b->n > 0 && b->transform != p->sa->terms->transform)
				flush(esp);
			if (!build(esp, p, &inner))
				verdict = ESP_FAILED;
			/* before it is sealed, so that limits hold in a batch */
			esp_sa_count(p->sa, &esp->alerts, inner.len);
		}
		p->verdict = (uint8_t)verdict;
		if (verdict != ESP_OK)
			esp->counters.out[verdict]++;
	}
	flush(esp);
}

void
esp_seal(struct esp *esp, struct esp_packet *v, unsigned n)
{
	static const struct esp_stages stages = { .group = 4, .n = 3, .stage = {
		expect_keys, esp_expect_ciphers, seal_group
	} };

	esp_stages_run(&stages, esp, v, n);
}
