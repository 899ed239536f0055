#include "libesp/sadb.h"

/* What is authenticated besides the payload: SPI | sequence.  With ESN an AEAD takes
 * the whole number (RFC 4106 5), a MAC gets its high half behind the ciphertext
 * (RFC 4303 2.2.1). */
static void
set_aad(struct esp_op *op, const struct esp_sa *sa, uint8_t *start, uint64_t sequence,
    uint8_t aad[ESP_AAD_MAX])
{
	op->aad = bytes_of(start, ESP_HEADER);
	op->trailer = bytes_of(NULL, 0);
	if (!sa->terms->esn)
		return;
	if (sa->terms->transform->integ == AUTH_NONE) {
		memcpy(aad, start, 4);
		bytes_store64(aad + 4, sequence);
		op->aad = bytes_of(aad, ESP_AAD_MAX);
	} else {
		bytes_store32(aad, (uint32_t)(sequence >> 32));
		op->trailer = bytes_of(aad, 4);
	}
}

static uint16_t
saturated(size_t room)
{
	return room > UINT16_MAX ? UINT16_MAX : (uint16_t)room;
}

void
esp_packet_move(struct esp_packet *p, uint16_t front, uint8_t *data, uint32_t len)
{
	uint8_t *begin = p->data - p->front - p->head, *end = p->data + p->len + p->tail;

	p->data = data;
	p->len = len;
	p->front = front;
	p->head = saturated((size_t)(data - front - begin));
	p->tail = saturated((size_t)(end - (data + len)));
}

void
esp_batch_add(struct esp_batch *b, struct esp_packet *p, uint8_t *start, uint32_t len,
    uint64_t sequence)
{
	const struct esp_sa *sa = p->sa;
	struct esp_op *op = &b->op[b->n];

	op->key = sa->key;
	op->iv = start + ESP_HEADER;
	op->data = op->iv + sa->terms->transform->iv_len;
	op->len = len;
	op->icv = op->data + len;
	op->ok = false;
	set_aad(op, sa, start, sequence, b->aad[b->n]);
	b->packet[b->n] = p;
	b->sequence[b->n] = sequence;
	b->transform = sa->terms->transform;
	b->n++;
}

void
esp_expect_ciphers(struct esp *esp, struct esp_packet *v, unsigned at, unsigned n)
{
	const struct esp_sa *last = NULL;

	(void)esp;
	(void)at;
	for (unsigned i = 0; i < n; i++)
		if (v[i].verdict == ESP_OK && v[i].sa != NULL && v[i].sa != last) {
			esp_sa_expect_cipher(v[i].sa);
			last = v[i].sa;
		}
}
