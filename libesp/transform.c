#include "libesp/backend.h"

/* The first backend that has an algorithm serves it, by measured speed.  For bulk a
 * third one, intel-ipsec-mb, goes in front where it is built in.  libsodium needs no
 * context, so a key that is used once is cheapest there. */
static esp_backend *const bulk[] = { esp_openssl_row, esp_sodium_row, NULL };
static esp_backend *const single[] = { esp_sodium_row, esp_openssl_row, NULL };

static const struct esp_transform *
find(esp_backend *const *backend, uint16_t encr, uint16_t key_bits, uint16_t integ)
{
	for (; *backend != NULL; backend++) {
		const struct esp_transform *t;

		for (unsigned i = 0; (t = (*backend)(i)) != NULL; i++)
			if (t->encr == encr && t->key_bits == key_bits &&
			    t->integ == integ)
				return t;
	}
	return NULL;
}

const struct esp_transform *
esp_transform_find(uint16_t encr, uint16_t key_bits, uint16_t integ)
{
	return find(bulk, encr, key_bits, integ);
}

const struct esp_transform *
esp_transform_find_single(uint16_t encr, uint16_t key_bits, uint16_t integ)
{
	return find(single, encr, key_bits, integ);
}

bool
esp_transform_has_integ(uint16_t integ)
{
	const struct esp_transform *t;

	for (esp_backend *const *backend = bulk; *backend != NULL; backend++)
		for (unsigned i = 0; (t = (*backend)(i)) != NULL; i++)
			if (t->integ == integ && integ != AUTH_NONE)
				return true;
	return false;
}

bool
esp_counter_iv(void *key, uint64_t sequence, uint8_t *iv)
{
	(void)key;
	bytes_store64(iv, sequence);
	return true;
}
