/* Pseudorandom functions, RFC 7296 2.13, RFC 4868 2.4. */
#include "libike/crypto.h"
#include "libike/proto.h"

enum { SHA1_LEN = 20, SHA256_LEN = 32, SHA384_LEN = 48, SHA512_LEN = 64 };

static bool
compute_sha1(struct bytes key, const struct bytes *parts, unsigned n, uint8_t *out)
{
	return ike_hmac("SHA1", key, parts, n, out, SHA1_LEN);
}

static bool
compute_sha256(struct bytes key, const struct bytes *parts, unsigned n, uint8_t *out)
{
	return ike_hmac("SHA256", key, parts, n, out, SHA256_LEN);
}

static bool
compute_sha384(struct bytes key, const struct bytes *parts, unsigned n, uint8_t *out)
{
	return ike_hmac("SHA384", key, parts, n, out, SHA384_LEN);
}

static bool
compute_sha512(struct bytes key, const struct bytes *parts, unsigned n, uint8_t *out)
{
	return ike_hmac("SHA512", key, parts, n, out, SHA512_LEN);
}

static const struct ike_prf sha256 = {
	IKE_PRF_HMAC_SHA2_256, "prfsha256", SHA256_LEN, compute_sha256
};
static const struct ike_prf sha384 = {
	IKE_PRF_HMAC_SHA2_384, "prfsha384", SHA384_LEN, compute_sha384
};
static const struct ike_prf sha512 = {
	IKE_PRF_HMAC_SHA2_512, "prfsha512", SHA512_LEN, compute_sha512
};
static const struct ike_prf sha1 = {	/* on request only: no default names it */
	IKE_PRF_HMAC_SHA1, "prfsha1", SHA1_LEN, compute_sha1
};

const struct ike_prf *const ike_prfs[] = { &sha256, &sha384, &sha512, &sha1, NULL };
