/* What libsodium does best: X25519, and wiping. */
#include <sodium.h>

#include "libike/crypto.h"
#include "libike/keys.h"

void
ike_wipe(void *p, size_t len)
{
	sodium_memzero(p, len);
}

bool
ike_x25519_generate(const struct ike_group *group, const struct ike_random *random,
    uint8_t *private_value, uint8_t *public_value)
{
	random->fill(random->arg, private_value, group->private_len);
	return crypto_scalarmult_curve25519_base(public_value, private_value) == 0;
}

bool
ike_x25519_agree(const struct ike_group *group, const uint8_t *private_value,
    const uint8_t *peer, uint8_t *secret)
{
	(void)group;
	/* The library fails on a secret of zeros only, RFC 7748 6.1, RFC 8031 3. */
	return crypto_scalarmult_curve25519(secret, private_value, peer) == 0;
}
