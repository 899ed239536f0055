#include "libesp/sadb.h"

/* RFC 6040 4.1, normal mode, and RFC 4301 5.1.2.1: the inner DS field and ECN go
 * outside. */
static uint8_t
inner_tos(const uint8_t *p, uint8_t family)
{
	return family == ESP_IPV4 ? p[1] : (uint8_t)(bytes_load16(p) >> 4 & 0xff);
}

static enum esp_verdict
may_seal(const struct esp *esp, struct esp_packet *p, uint8_t *family, uint32_t *len)
{
	const struct esp_sa *sa = p->sa;
	const struct esp_transform *t;
	uint32_t trailer;

	if (sa == NULL || sa->direction != ESP_OUT)
		return ESP_NO_SA;
	p->owner = sa->owner;
	if (sa->owner != esp->worker)
		return ESP_NOT_MINE;
	if (!esp_flow_measure(bytes_of(p->data, p->len), family, len))
		return ESP_MALFORMED;
	t = sa->transform;
	trailer = esp_trailer_len(t, *len) + t->icv_len;
	if (ESP_HEADER + t->iv_len + *len + trailer > ESP_PACKET_MAX)
		return ESP_TOO_BIG;
	if (p->head < ESP_HEADER + t->iv_len || p->len - *len + p->tail < trailer)
		return ESP_NO_ROOM;
	return esp_sa_spent(sa) ? ESP_SPENT : ESP_OK;
}

/* Writes all of the packet but ciphertext and ICV. */
static bool
build(struct esp *esp, struct esp_packet *p, uint8_t family, uint32_t len)
{
	struct esp_sa *sa = p->sa;
	const struct esp_transform *t = sa->transform;
	uint8_t *start = p->data - t->iv_len - ESP_HEADER, *pad = p->data + len;
	uint32_t trailer = esp_trailer_len(t, len);
	uint64_t sequence = ++sa->usage.sequence;

	if (!t->make_iv(sa->key, sequence, start + ESP_HEADER))
		return false;
	bytes_store32(start, sa->spi);
	bytes_store32(start + 4, (uint32_t)(sequence & 0xffffffff));
	p->tos = inner_tos(p->data, family);
	p->next_header = family == ESP_IPV4 ? 4 : 41;
	for (uint32_t i = 0; i < trailer - ESP_TRAILER; i++)
		pad[i] = (uint8_t)(i + 1);	/* RFC 4303 2.4 */
	pad[trailer - 2] = (uint8_t)(trailer - ESP_TRAILER);
	pad[trailer - 1] = p->next_header;
	esp_batch_add(&esp->batch, p, start, len + trailer, sequence);
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

		if (op->ok)
			esp_packet_move(p, op->iv - ESP_HEADER, around + op->len);
		else
			p->verdict = ESP_FAILED;
		esp->counters.out[p->verdict]++;
	}
	b->n = 0;
}

void
esp_seal(struct esp *esp, struct esp_packet *v, unsigned n)
{
	struct esp_batch *b = &esp->batch;

	for (struct esp_packet *p = v; p < v + n; p++) {
		enum esp_verdict verdict;
		uint8_t family;
		uint32_t len;

		if (p->verdict != ESP_OK)
			continue;
		verdict = may_seal(esp, p, &family, &len);
		if (verdict == ESP_OK) {
			if (b->n == ESP_BATCH ||
			    (b->n > 0 && b->transform != p->sa->transform))
				flush(esp);
			if (!build(esp, p, family, len))
				verdict = ESP_FAILED;
			/* before it is sealed, so that limits hold in a batch */
			esp_sa_count(p->sa, &esp->alerts, len);
		}
		p->verdict = (uint8_t)verdict;
		if (verdict != ESP_OK)
			esp->counters.out[verdict]++;
	}
	flush(esp);
}
