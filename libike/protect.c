/* The SK payload, and SKF, which has two numbers more in front of its IV.  An AEAD
 * authenticates header .. what stands in front of the IV as its associated data (RFC 5282
 * 5.1, RFC 7383 2.5), a separate MAC everything in front of the ICV (RFC 7296 3.14): with
 * the IV and the ciphertext behind it in place, the same `aad` serves both. */
#include "libike/protect.h"

/* A key made for one message: contexts are a cache that an SK payload has no use for. */
static bool
run_once(const struct esp_transform *t, const struct ike_keys *keys, bool by_initiator,
    void (*crypt)(void *, struct esp_op *, unsigned), struct esp_op *op)
{
	op->key = t->new_key(t, ike_key_cipher(keys, by_initiator), bytes_of(NULL, 0));
	if (op->key == NULL)
		return false;
	crypt(NULL, op, 1);
	t->free_key(op->key);
	op->key = NULL;
	return true;
}

static uint8_t
type_of(const struct ike_cover *cover)
{
	return cover->total == 0 ? IKE_PAYLOAD_SK : IKE_PAYLOAD_SKF;
}

/* Octets between the generic header and the IV. */
static size_t
numbers_len(const struct ike_cover *cover)
{
	return cover->total == 0 ? 0 : IKE_FRAGMENT_NUMBERS_LEN;
}

/* Finds IV, ciphertext and ICV of the payload; all lengths are checked before any is
 * used. */
static bool
find_parts(const struct esp_transform *t, uint8_t *buf, const struct ike_message *m,
    const struct ike_cover *cover, struct esp_op *op)
{
	const struct ike_payload *sk = m->n == 0 ? NULL : &m->v[m->n - 1];
	const size_t numbers = numbers_len(cover);
	const size_t around = numbers + t->iv_len + t->icv_len;
	size_t at;

	if (sk == NULL || sk->type != type_of(cover) || sk->body.len <= around ||
	    (sk->body.len - around) % t->align != 0)
		return false;
	at = (size_t)(sk->body.p - m->octets.p) + numbers;
	*op = (struct esp_op){
		.iv = buf + at,
		.data = buf + at + t->iv_len,
		.len = (uint32_t)(sk->body.len - around),
		.icv = buf + at - numbers + sk->body.len - t->icv_len,
		.aad = bytes_of(buf, at)
	};
	return true;
}

/* Plaintext | padding | pad length, 3.14. */
static bool
strip_padding(const struct esp_op *op, struct bytes *plain)
{
	size_t trailer = (size_t)op->data[op->len - 1] + 1;

	if (trailer > op->len)
		return false;
	*plain = bytes_of(op->data, op->len - trailer);
	return true;
}

enum ike_error
ike_open_payload(const struct ike_suite *suite, const struct ike_keys *keys,
    bool by_initiator, uint8_t *buf, const struct ike_message *m,
    const struct ike_cover *cover, struct bytes *plain)
{
	const struct esp_transform *t = suite->cipher;
	struct esp_op op;

	if (!find_parts(t, buf, m, cover, &op))
		return IKE_DROP;
	if (!run_once(t, keys, by_initiator, t->open, &op))
		return IKE_NO_MEMORY;
	if (!op.ok)
		return IKE_DROP;
	return strip_padding(&op, plain) ? IKE_OK : IKE_INVALID_SYNTAX;
}

enum ike_error
ike_open_message(const struct ike_suite *suite, const struct ike_keys *keys,
    bool by_initiator, uint8_t *buf, struct ike_message *m)
{
	const struct ike_cover cover = { .total = 0 };
	struct bytes plain;
	enum ike_error error;

	error = ike_open_payload(suite, keys, by_initiator, buf, m, &cover, &plain);
	if (error != IKE_OK)
		return error;
	m->n = 0;	/* what stood outside is not for the handlers, T25 */
	return ike_parse_chain(m->sk_first, plain, m);
}

/* Octets of padding in front of the pad length. */
static size_t
padding(const struct esp_transform *t, size_t plain)
{
	return (t->align - (plain + 1) % t->align) % t->align;
}

/* The header as it goes out, the payload's own, room for the rest. */
static bool
lay_out(const struct esp_transform *t, const struct ike_header *header,
    const struct ike_cover *cover, struct bytes plain, struct ike_writer *w,
    struct esp_op *op)
{
	const size_t start = w->len, numbers = numbers_len(cover);
	const size_t pad = padding(t, plain.len), inner = plain.len + pad + 1;
	struct ike_header full = *header;
	size_t length_at;

	full.next = type_of(cover);
	full.length = (uint32_t)(IKE_HEADER_LEN + IKE_PAYLOAD_HEADER_LEN + numbers +
	    t->iv_len + inner + t->icv_len);
	ike_write_header(w, &full);
	ike_write8(w, cover->first);
	ike_write8(w, 0);
	length_at = ike_open16(w);
	if (numbers != 0) {
		ike_write16(w, cover->number);
		ike_write16(w, cover->total);
	}
	*op = (struct esp_op){ .len = (uint32_t)inner };
	op->iv = ike_write_space(w, t->iv_len);
	op->data = ike_write_space(w, inner);
	op->icv = ike_write_space(w, t->icv_len);
	ike_close16(w, length_at, 2);
	if (w->bad)
		return false;
	op->aad = bytes_of(w->p + start,
	    IKE_HEADER_LEN + IKE_PAYLOAD_HEADER_LEN + numbers);
	if (plain.len != 0)
		memcpy(op->data, plain.p, plain.len);
	memset(op->data + plain.len, 0, pad);
	op->data[inner - 1] = (uint8_t)pad;
	return true;
}

size_t
ike_seal_room(const struct ike_suite *suite, const struct ike_cover *cover, size_t size)
{
	const struct esp_transform *t = suite->cipher;
	const size_t around = IKE_HEADER_LEN + IKE_PAYLOAD_HEADER_LEN +
	    numbers_len(cover) + t->iv_len + t->icv_len;
	size_t inner = size > around ? (size - around) / t->align * t->align : 0;

	return inner > 0 ? inner - 1 : 0;
}

/* An AEAD wants an IV that never comes back (RFC 5282 3.1), CBC one that cannot be
 * foreseen. */
static void
make_iv(const struct esp_transform *t, uint64_t counter, const struct ike_random *random,
    uint8_t *iv)
{
	if (t->iv_key_len != 0) {
		random->fill(random->arg, iv, t->iv_len);
		return;
	}
	for (size_t i = t->iv_len; i > 0; i--, counter >>= 8)
		iv[i - 1] = (uint8_t)(counter & 0xff);
}

enum ike_error
ike_seal_payload(const struct ike_suite *suite, const struct ike_keys *keys,
    bool by_initiator, const struct ike_header *header, const struct ike_cover *cover,
    struct bytes plain, uint64_t counter, const struct ike_random *random,
    struct ike_writer *w)
{
	const struct esp_transform *t = suite->cipher;
	struct esp_op op;

	if (w->bad || !lay_out(t, header, cover, plain, w, &op)) {
		w->bad = true;
		return IKE_NO_MEMORY;
	}
	make_iv(t, counter, random, op.iv);
	if (run_once(t, keys, by_initiator, t->seal, &op) && op.ok)
		return IKE_OK;
	w->bad = true;		/* the plaintext in it goes nowhere */
	return IKE_NO_MEMORY;
}

enum ike_error
ike_seal_message(const struct ike_suite *suite, const struct ike_keys *keys,
    bool by_initiator, const struct ike_header *header, const struct ike_chain *chain,
    uint64_t counter, const struct ike_random *random, struct ike_writer *w)
{
	const struct ike_cover cover = { .first = chain->first };

	if (chain->w.bad) {
		w->bad = true;
		return IKE_NO_MEMORY;
	}
	return ike_seal_payload(suite, keys, by_initiator, header, &cover,
	    ike_written(&chain->w), counter, random, w);
}
