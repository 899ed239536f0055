/* Does every row do here what its table says?  A library may have been built without an
 * algorithm, or be told not to serve it. */
#include <stdio.h>
#include <string.h>

#include "libike/crypto.h"
#include "libike/keys.h"
#include "libike/payload.h"
#include "libike/proto.h"

struct report {
	const struct ike_random *random;
	char *buf;
	size_t len;
	unsigned n;
};

static void
tell(struct report *r, const char *name)
{
	size_t used = strnlen(r->buf, r->len);

	if (used < r->len)
		snprintf(r->buf + used, r->len - used, "%s%s", used > 0 ? ", " : "",
		    name);
	r->n++;
}

static void
draw(const struct report *r, uint8_t *p, size_t len)
{
	r->random->fill(r->random->arg, p, len);
}

/* The same message whole and in parts. */
static bool
prf_works(const struct report *r, const struct ike_prf *prf)
{
	uint8_t text[48], whole[IKE_MAX_PRF_LEN], parted[IKE_MAX_PRF_LEN];
	const struct bytes one = bytes_of(text, sizeof text);
	const struct bytes two[] = { bytes_of(text, 7), bytes_of(text + 7, 41) };

	draw(r, text, sizeof text);
	return prf->compute(one, &one, 1, whole) && prf->compute(one, two, 2, parted) &&
	    memcmp(whole, parted, prf->len) == 0;
}

/* Both sides get the same secret. */
static bool
kex_works(const struct report *r, const struct ike_kex *kex)
{
	uint8_t value[2][IKE_MAX_KE_LEN], secret[2][IKE_MAX_SECRET_LEN];
	void *state = kex->start(r->random, value[0]);
	bool ok = state != NULL &&
	    kex->respond(r->random, bytes_of(value[0], kex->public_len), value[1],
	    secret[0]) &&
	    kex->finish(state, bytes_of(value[1], kex->response_len), secret[1]) &&
	    memcmp(secret[0], secret[1], kex->secret_len) == 0;

	kex->free(state);
	ike_wipe(secret, sizeof secret);
	return ok;
}

/* What is sealed opens to what it was, and with another ICV not at all. */
static bool
cipher_works(const struct report *r, const struct esp_transform *t)
{
	uint8_t keymat[ESP_MAX_KEY_LEN], iv[16], icv[32], plain[32], data[32];
	const struct bytes no_iv_key = bytes_of(NULL, 0);
	struct esp_op op = { .data = data, .iv = iv, .icv = icv, .len = sizeof data };
	bool ok;

	draw(r, keymat, sizeof keymat);
	draw(r, iv, sizeof iv);
	draw(r, plain, sizeof plain);
	memcpy(data, plain, sizeof data);
	op.key = t->new_key(t, bytes_of(keymat, esp_transform_keymat(t)), no_iv_key);
	if (op.key == NULL)
		return false;
	t->seal(NULL, &op, 1);
	ok = op.ok && memcmp(data, plain, sizeof data) != 0;
	if (ok)
		t->open(NULL, &op, 1);
	ok = ok && op.ok && memcmp(data, plain, sizeof data) == 0;
	icv[0] ^= 1;
	if (ok)
		t->open(NULL, &op, 1);
	ok = ok && !op.ok;
	t->free_key(op.key);
	ike_wipe(keymat, sizeof keymat);
	return ok;
}

static void
test_cipher(struct report *r, const struct esp_transform *t)
{
	char encr[IKE_NAME_LEN], integ[IKE_NAME_LEN], name[2 * IKE_NAME_LEN];

	if (t == NULL || cipher_works(r, t))
		return;
	snprintf(name, sizeof name, "%s%s%s",
	    ike_transform_name(IKE_ENCR, t->encr, t->key_bits, encr),
	    t->integ == AUTH_NONE ? "" : "-",
	    t->integ == AUTH_NONE ? "" :
	    ike_transform_name(IKE_INTEG, t->integ, 0, integ));
	tell(r, name);
}

/* Built in are two rows for some: one for packets, one for single messages. */
static void
test_builtin_ciphers(struct report *r)
{
	static const uint16_t sizes[] = { 0, 128, 192, 256 };
	enum { IDS = 64, SIZES = sizeof sizes / sizeof *sizes };

	for (unsigned i = 0; i < IDS * IDS * SIZES; i++) {
		uint16_t encr = (uint16_t)(i / SIZES / IDS);
		uint16_t integ = (uint16_t)(i / SIZES % IDS), bits = sizes[i % SIZES];
		const struct esp_transform *bulk = esp_transform_find(encr, bits, integ);
		const struct esp_transform *single =
		    esp_transform_find_single(encr, bits, integ);

		test_cipher(r, bulk);
		if (single != bulk)
			test_cipher(r, single);
	}
}

unsigned
ike_self_test(const struct ike_algorithms *a, const struct ike_random *random, char *buf,
    size_t len)
{
	struct report r = { .random = random, .buf = buf, .len = len };

	if (a == NULL)
		a = &ike_builtin_algorithms;
	if (len > 0)
		*buf = '\0';
	for (const struct ike_prf *const *prf = a->prfs; *prf != NULL; prf++)
		if (!prf_works(&r, *prf))
			tell(&r, (*prf)->keyword);
	for (const struct ike_kex *const *kex = a->kexs; *kex != NULL; kex++)
		if (!kex_works(&r, *kex))
			tell(&r, (*kex)->keyword);
	if (a->ciphers == NULL)
		test_builtin_ciphers(&r);
	for (unsigned i = 0; a->ciphers != NULL && a->ciphers[i] != NULL; i++)
		test_cipher(&r, a->ciphers[i]);
	return r.n;
}
