/* The cryptography with nothing around it, as libesp and libike call it: what they can at
 * most be as fast as. */
#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

#include "tests/bench/bench.h"

enum { AES_GCM, CHACHA };
enum { PACKETS = 20000, EXCHANGES = 2000 };

/* A packet: a new IV, what is authenticated only, the octets, the tag. */
static bool
seal(EVP_CIPHER_CTX *ctx, uint8_t *data, int len, uint64_t sequence)
{
	uint8_t iv[12] = { 0 }, aad[8] = { 0 }, tag[16];
	int n;

	memcpy(iv + 4, &sequence, sizeof(sequence));
	return EVP_EncryptInit_ex2(ctx, NULL, NULL, iv, NULL) == 1 &&
	    EVP_EncryptUpdate(ctx, NULL, &n, aad, sizeof(aad)) == 1 &&
	    EVP_EncryptUpdate(ctx, data, &n, data, len) == 1 &&
	    EVP_EncryptFinal_ex(ctx, data, &n) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, sizeof(tag), tag) == 1;
}

/* Packets a second. */
static double
aead(unsigned cipher, unsigned len)
{
	static const uint8_t key[32] = { 1 };
	uint8_t data[2048] = { 0 };
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	double start, result = -1;
	unsigned i = 0;

	if (ctx != NULL && EVP_EncryptInit_ex2(ctx,
	    cipher == AES_GCM ? EVP_aes_128_gcm() : EVP_chacha20_poly1305(), key, NULL,
	    NULL) == 1) {
		start = bench_cpu();
		while (i < PACKETS && seal(ctx, data, (int)len, i))
			i++;
		if (i == PACKETS)
			result = PACKETS / (bench_cpu() - start);
	}
	EVP_CIPHER_CTX_free(ctx);
	return result;
}

/* Seconds of each of many. */
static double
x25519(void)
{
	uint8_t scalar[32] = { 1 }, point[32] = { 9 };
	double start = bench_cpu();

	for (unsigned i = 0; i < EXCHANGES; i++)
		if (crypto_scalarmult_curve25519(point, scalar, point) != 0)
			return -1;
	return (bench_cpu() - start) / EXCHANGES;
}

static double
x25519_rate(unsigned a, unsigned b)
{
	(void)a;
	(void)b;
	return 1 / x25519();
}

/* Milliseconds of `n`. */
static double
x25519_time(unsigned n, unsigned b)
{
	(void)b;
	return n * x25519() * 1e3;
}

const struct bench_row bench_bare[] = {
	{ .name = "bare AES-128-GCM, 64", .unit = "1/s", .measure = aead,
	    .arguments = { AES_GCM, 64 } },
	{ .name = "bare AES-128-GCM, 1400", .unit = "1/s", .measure = aead,
	    .arguments = { AES_GCM, 1400 } },
	{ .name = "bare ChaCha20-Poly1305, 64", .unit = "1/s", .measure = aead,
	    .arguments = { CHACHA, 64 } },
	{ .name = "bare ChaCha20-Poly1305, 1400", .unit = "1/s", .measure = aead,
	    .arguments = { CHACHA, 1400 } },
	{ .name = "bare X25519", .unit = "1/s", .measure = x25519_rate },
	{ .name = "bare X25519, two", .unit = "ms", .measure = x25519_time,
	    .arguments = { 2 } },
	{ .name = NULL }
};
