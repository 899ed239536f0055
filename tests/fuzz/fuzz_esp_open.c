/* esp_open on made-up packets, and on made-up plaintext that is sealed with the right
 * keys; esp_find and esp_seal on made-up inner packets, which must open to the same.  An
 * input is an octet of set-up and then packets: an octet that says which kind, a word of
 * length, and as many octets. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/ends.h"
#include "tests/unit/vectors.h"

enum { MOST = 32, BATCH = 4 };

struct run {
	struct ends ends;
	const struct esp_transform *transform;
	void *key;
	uint64_t sequence;
	struct esp_packet batch[BATCH];
	unsigned n;
};

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_require(sodium_init() >= 0);
	return 0;
}

static const struct esp_transform *
choose(unsigned i)
{
	unsigned n = 0;

	while (bulk_transform(n) != NULL)
		n++;
	fuzz_require(n > 0);
	return bulk_transform(i % n);
}

static void
open_batch(struct run *r)
{
	struct esp_packet *p;
	struct esp_flow flow;
	struct esp_notice notice;
	const uint8_t *begin[BATCH] = { NULL }, *end[BATCH] = { NULL };

	for (unsigned i = 0; i < r->n; i++) {
		begin[i] = r->batch[i].data - r->batch[i].head;
		end[i] = r->batch[i].data + r->batch[i].len + r->batch[i].tail;
	}
	esp_open(r->ends.in, r->batch, r->n);
	for (unsigned i = 0; i < r->n; i++) {
		p = &r->batch[i];
		fuzz_require(p->verdict < ESP_VERDICTS);
		fuzz_require(p->data - p->head == begin[i]);
		fuzz_require(p->data + p->len + p->tail == end[i]);
		if (p->verdict == ESP_OK) {
			fuzz_require(esp_flow_read(bytes_of(p->data, p->len), &flow));
			fuzz_require(flow.len == p->len);
			fuzz_require(esp_sa_user(p->sa) == &r->ends);
			fuzz_require(
			    esp_selector_matches(&r->ends.selectors[0], &flow, ESP_IN) ||
			    esp_selector_matches(&r->ends.selectors[1], &flow, ESP_IN));
		}
		packet_free(p);
	}
	while (esp_next_notice(r->ends.in, &notice))
		;
	r->n = 0;
}

static void
add(struct run *r, struct esp_packet p)
{
	r->batch[r->n++] = p;
	if (r->n == BATCH)
		open_batch(r);
}

static void
raw(struct run *r, struct fuzz_input in)
{
	struct esp_packet p = packet_new(fuzz_rest(&in), (struct esp_room){ 0, 0 });

	add(r, p);
}

static void
addressed(struct run *r, struct fuzz_input in)
{
	uint8_t distance = fuzz_octet(&in);
	struct esp_packet p = packet_new(fuzz_rest(&in), (struct esp_room){ 0, 0 });

	if (p.len >= 8) {
		bytes_store32(p.data, ENDS_SPI);
		bytes_store32(p.data + 4, (uint32_t)(r->sequence + distance));
	}
	add(r, p);
}

/* The outer DS field, the distance of the sequence number, plaintext with its trailer. */
static void
sealed(struct run *r, struct fuzz_input in)
{
	const struct esp_transform *t = r->transform;
	uint8_t tos = fuzz_octet(&in), aad[12], high[4];
	struct bytes plain;
	struct esp_packet p;
	struct esp_op op = { .key = r->key };
	uint8_t *octets;

	r->sequence += (uint64_t)(int64_t)(int8_t)fuzz_octet(&in);
	plain = fuzz_rest(&in);
	plain.len -= plain.len % t->align;
	octets = malloc(8 + t->iv_len + plain.len + t->icv_len);
	fuzz_require(octets != NULL);
	bytes_store32(octets, ENDS_SPI);
	bytes_store32(octets + 4, (uint32_t)r->sequence);
	fuzz_require(t->make_iv(r->key, r->sequence, octets + 8));
	if (plain.len > 0)
		memcpy(octets + 8 + t->iv_len, plain.p, plain.len);
	bytes_store32(high, (uint32_t)(r->sequence >> 32));
	op.iv = octets + 8;
	op.data = op.iv + t->iv_len;
	op.len = (uint32_t)plain.len;
	op.icv = op.data + plain.len;
	op.aad = bytes_of(octets, 8);
	if (r->ends.config.esn && t->integ == AUTH_NONE) {
		memcpy(aad, octets, 4);
		memcpy(aad + 4, high, 4);
		memcpy(aad + 8, octets + 4, 4);
		op.aad = bytes_of(aad, 12);
	} else if (r->ends.config.esn) {
		op.trailer = bytes_of(high, 4);
	}
	t->seal(NULL, &op, 1);
	fuzz_require(op.ok);
	p = packet_new(bytes_of(octets, 8 + t->iv_len + plain.len + t->icv_len),
	    (struct esp_room){ 0, 0 });
	p.tos = tos;
	free(octets);
	add(r, p);
}

/* What can be sealed opens to what it was, cut to its own length, unless a rule forbids
 * it: the selectors are the same at both ends, not mirrored, so that may be. */
static void
inner(struct run *r, struct fuzz_input in)
{
	struct esp_room room = esp_transform_overhead(r->transform);
	struct bytes b = fuzz_rest(&in);
	struct esp_packet p = packet_new(b, room);
	struct esp_flow flow;

	open_batch(r);
	esp_find(r->ends.out, &p, 1);
	esp_seal(r->ends.out, &p, 1);
	if (p.verdict == ESP_OK) {
		fuzz_require(esp_flow_read(b, &flow));
		esp_open(r->ends.in, &p, 1);
		fuzz_require(p.verdict == ESP_OK || p.verdict == ESP_REPLAY ||
		    p.verdict == ESP_CONGESTED || p.verdict == ESP_POLICY ||
		    p.verdict == ESP_SPENT);
		fuzz_require(p.verdict != ESP_OK || (p.len == flow.len &&
		    memcmp(p.data + 8, b.p + 8, 2) == 0));
	}
	packet_free(&p);
}

static void (*const kinds[])(struct run *, struct fuzz_input) = {
	raw, addressed, sealed, inner
};

/* Bits 0 - 3: transform, 4: ESN, 5: narrow selectors, 6: near 2^32, 7: small limits. */
static void
set_up(struct run *r, uint8_t how)
{
	struct ends *ends = &r->ends;

	r->transform = choose(how & 15);
	ends_prepare(ends, r->transform, how & 0x10);
	if (how & 0x20)
		esp_range_from_prefix(&ends->selectors[0].remote, ESP_IPV4,
		    (const uint8_t[]){ 10, 1, 0, 0 }, 16);
	if (how & 0x40)
		ends->config.first = how & 0x10 ? 0xfffffff0 : 0xffffff00;
	if (how & 0x80)
		ends->config.hard = (struct esp_limits){ 5, 5000 };
	ends_add(ends);
	r->sequence = ends->config.first > 0 ? ends->config.first : 1;
	r->key = r->transform->new_key(r->transform, ends->config.keymat,
	    ends->config.iv_key);
	fuzz_require(r->key != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct run r = { .n = 0 };
	struct bytes piece;
	uint8_t kind;

	set_up(&r, fuzz_octet(&in));
	for (unsigned n = 0; n < MOST && in.len > 0; n++) {
		kind = fuzz_octet(&in) % (sizeof(kinds) / sizeof(kinds[0]));
		piece = fuzz_piece(&in);
		kinds[kind](&r, (struct fuzz_input){ piece.p, piece.len });
	}
	open_batch(&r);
	r.transform->free_key(r.key);
	ends_free(&r.ends);
	return 0;
}
