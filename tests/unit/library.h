/* The functions of the cryptographic libraries that the project calls, each of which may
 * be made to fail: the ones defined here stand in front of the libraries' own.  So this
 * is for the one source file of a program that wants that, not for a helper that every
 * test is linked with. */
#ifndef TEST_LIBRARY_H
#define TEST_LIBRARY_H

#include <dlfcn.h>
#include <sodium.h>
#include <stdbool.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

enum { FORGERIES = 3 };

static struct {
	bool on;
	unsigned depth;		/* what a library calls itself is its own business */
	unsigned calls, target;	/* the call number `target` gives a forged result */
	bool for_good;		/* and so do all after that one */
	unsigned forgery;
	const char *name;	/* of that call */
} library = { .name = "none" };

static bool
is_target(const char *name)
{
	if (!library.on || library.depth > 0)
		return false;
	library.calls++;
	if (library.target == 0 || library.calls < library.target ||
	    (library.calls > library.target && !library.for_good))
		return false;
	library.name = name;
	return true;
}

/* A function whose result stands for success when it is `good`; it does its work. */
#define RESULT(type, name, parameters, arguments, ...)					\
type											\
name parameters										\
{											\
	static const type forged[FORGERIES] = { __VA_ARGS__ };				\
	static type (*real) parameters;							\
	bool forge = is_target(#name);							\
	type result;									\
											\
	if (real == NULL)								\
		*(void **)&real = dlsym(RTLD_NEXT, #name);				\
	library.depth++;								\
	result = real arguments;							\
	library.depth--;								\
	return forge ? forged[library.forgery] : result;				\
}

#define ONE_IS_GOOD(name, parameters, arguments)					\
	RESULT(int, name, parameters, arguments, -1, 0, 2)
#define ZERO_IS_GOOD(name, parameters, arguments)					\
	RESULT(int, name, parameters, arguments, -1, 1, 2)

/* A function that makes something: the forgery is nothing. */
#define MAKER(type, name, parameters, arguments)					\
type *											\
name parameters										\
{											\
	static type *(*real) parameters;						\
	bool forge = is_target(#name);							\
	type *made = NULL;								\
											\
	if (real == NULL)								\
		*(void **)&real = dlsym(RTLD_NEXT, #name);				\
	library.depth++;								\
	if (!forge)									\
		made = real arguments;							\
	library.depth--;								\
	return made;									\
}

MAKER(EVP_MAC, EVP_MAC_fetch, (OSSL_LIB_CTX *a, const char *b, const char *c), (a, b, c))
MAKER(EVP_MAC_CTX, EVP_MAC_CTX_new, (EVP_MAC *a), (a))
ONE_IS_GOOD(EVP_MAC_init, (EVP_MAC_CTX *a, const unsigned char *b, size_t c,
    const OSSL_PARAM d[]), (a, b, c, d))
ONE_IS_GOOD(EVP_MAC_update, (EVP_MAC_CTX *a, const unsigned char *b, size_t c), (a, b, c))
ONE_IS_GOOD(EVP_MAC_final, (EVP_MAC_CTX *a, unsigned char *b, size_t *c, size_t d),
    (a, b, c, d))
ONE_IS_GOOD(EVP_Digest, (const void *a, size_t b, unsigned char *c, unsigned int *d,
    const EVP_MD *e, ENGINE *f), (a, b, c, d, e, f))

MAKER(EVP_CIPHER, EVP_CIPHER_fetch, (OSSL_LIB_CTX *a, const char *b, const char *c),
    (a, b, c))
MAKER(EVP_CIPHER_CTX, EVP_CIPHER_CTX_new, (void), ())
ONE_IS_GOOD(EVP_CIPHER_CTX_set_padding, (EVP_CIPHER_CTX *a, int b), (a, b))
ONE_IS_GOOD(EVP_CIPHER_CTX_ctrl, (EVP_CIPHER_CTX *a, int b, int c, void *d), (a, b, c, d))
ONE_IS_GOOD(EVP_CipherInit_ex2, (EVP_CIPHER_CTX *a, const EVP_CIPHER *b,
    const unsigned char *c, const unsigned char *d, int e, const OSSL_PARAM f[]),
    (a, b, c, d, e, f))
ONE_IS_GOOD(EVP_CipherUpdate, (EVP_CIPHER_CTX *a, unsigned char *b, int *c,
    const unsigned char *d, int e), (a, b, c, d, e))
ONE_IS_GOOD(EVP_CipherFinal_ex, (EVP_CIPHER_CTX *a, unsigned char *b, int *c), (a, b, c))
ONE_IS_GOOD(EVP_EncryptInit_ex2, (EVP_CIPHER_CTX *a, const EVP_CIPHER *b,
    const unsigned char *c, const unsigned char *d, const OSSL_PARAM e[]),
    (a, b, c, d, e))
ONE_IS_GOOD(EVP_EncryptUpdate, (EVP_CIPHER_CTX *a, unsigned char *b, int *c,
    const unsigned char *d, int e), (a, b, c, d, e))

MAKER(BN_CTX, BN_CTX_new, (void), ())
MAKER(BIGNUM, BN_new, (void), ())
MAKER(BIGNUM, BN_bin2bn, (const unsigned char *a, int b, BIGNUM *c), (a, b, c))
MAKER(BIGNUM, BN_get_rfc3526_prime_2048, (BIGNUM *a), (a))
ONE_IS_GOOD(BN_sub, (BIGNUM *a, const BIGNUM *b, const BIGNUM *c), (a, b, c))
ONE_IS_GOOD(BN_set_word, (BIGNUM *a, BN_ULONG b), (a, b))
ONE_IS_GOOD(BN_mod_exp_mont_consttime, (BIGNUM *a, const BIGNUM *b, const BIGNUM *c,
    const BIGNUM *d, BN_CTX *e, BN_MONT_CTX *f), (a, b, c, d, e, f))
ONE_IS_GOOD(BN_bn2binpad, (const BIGNUM *a, unsigned char *b, int c), (a, b, c))
MAKER(EC_GROUP, EC_GROUP_new_by_curve_name, (int a), (a))
MAKER(EC_POINT, EC_POINT_new, (const EC_GROUP *a), (a))
ONE_IS_GOOD(EC_POINT_mul, (const EC_GROUP *a, EC_POINT *b, const BIGNUM *c,
    const EC_POINT *d, const BIGNUM *e, BN_CTX *f), (a, b, c, d, e, f))
ONE_IS_GOOD(EC_POINT_oct2point, (const EC_GROUP *a, EC_POINT *b, const unsigned char *c,
    size_t d, BN_CTX *e), (a, b, c, d, e))
ONE_IS_GOOD(EC_POINT_is_on_curve, (const EC_GROUP *a, const EC_POINT *b, BN_CTX *c),
    (a, b, c))
ZERO_IS_GOOD(EC_POINT_is_at_infinity, (const EC_GROUP *a, const EC_POINT *b), (a, b))
RESULT(size_t, EC_POINT_point2oct, (const EC_GROUP *a, const EC_POINT *b,
    point_conversion_form_t c, unsigned char *d, size_t e, BN_CTX *f),
    (a, b, c, d, e, f), 0, 1, SIZE_MAX)

ZERO_IS_GOOD(crypto_scalarmult_curve25519_base, (unsigned char *a,
    const unsigned char *b), (a, b))
ZERO_IS_GOOD(crypto_scalarmult_curve25519, (unsigned char *a, const unsigned char *b,
    const unsigned char *c), (a, b, c))
ZERO_IS_GOOD(crypto_aead_chacha20poly1305_ietf_encrypt_detached, (unsigned char *a,
    unsigned char *b, unsigned long long *c, const unsigned char *d, unsigned long long e,
    const unsigned char *f, unsigned long long g, const unsigned char *h,
    const unsigned char *i, const unsigned char *k), (a, b, c, d, e, f, g, h, i, k))
ZERO_IS_GOOD(crypto_aead_chacha20poly1305_ietf_decrypt_detached, (unsigned char *a,
    unsigned char *b, const unsigned char *c, unsigned long long d,
    const unsigned char *e, const unsigned char *f, unsigned long long g,
    const unsigned char *h, const unsigned char *i), (a, b, c, d, e, f, g, h, i))

#endif
