/* Key exchange methods: Diffie-Hellman in the shape of a KEM, RFC 7296 2.12, RFC 9370. */
#include <stdlib.h>

#include "libike/crypto.h"
#include "libike/keys.h"
#include "libike/proto.h"

struct state {
	const struct ike_group *group;
	uint8_t private_value[IKE_MAX_PRIVATE_LEN];
};

static void
free_state(void *state)
{
	if (state == NULL)
		return;
	ike_wipe(state, sizeof(struct state));
	free(state);
}

static void *
start(const struct ike_group *group, const struct ike_random *random,
    uint8_t *public_value)
{
	struct state *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->group = group;
	if (!group->generate(group, random, s->private_value, public_value)) {
		free_state(s);
		return NULL;
	}
	return s;
}

static bool
finish(void *state, struct bytes peer, uint8_t *secret)
{
	const struct state *s = state;

	return peer.len == s->group->public_len &&
	    s->group->agree(s->group, s->private_value, peer.p, secret);
}

static bool
respond(const struct ike_group *group, const struct ike_random *random, struct bytes peer,
    uint8_t *public_value, uint8_t *secret)
{
	struct state s = { .group = group };
	bool ok;

	ok = peer.len == group->public_len &&
	    group->generate(group, random, s.private_value, public_value) &&
	    group->agree(group, s.private_value, peer.p, secret);
	ike_wipe(&s, sizeof s);
	return ok;
}

/* ---- the groups ---- */

static const struct ike_group x25519_group = {
	255, 32, 32, 32, ike_x25519_generate, ike_x25519_agree
};
static const struct ike_group ecp256_group = {
	256, 32, 64, 32, ike_ecp_generate, ike_ecp_agree
};
static const struct ike_group ecp384_group = {
	384, 48, 96, 48, ike_ecp_generate, ike_ecp_agree
};
static const struct ike_group ecp521_group = {
	521, 66, 132, 66, ike_ecp_generate, ike_ecp_agree
};
/* The private values of MODP are as long as RFC 3526 8 wants by its larger estimate. */
static const struct ike_group modp2048_group = {
	2048, 40, 256, 256, ike_modp_generate, ike_modp_agree
};
static const struct ike_group modp3072_group = {
	3072, 53, 384, 384, ike_modp_generate, ike_modp_agree
};
static const struct ike_group modp4096_group = {
	4096, 60, 512, 512, ike_modp_generate, ike_modp_agree
};

static void *
start_x25519(const struct ike_random *random, uint8_t *public_value)
{
	return start(&x25519_group, random, public_value);
}

static bool
respond_x25519(const struct ike_random *random, struct bytes peer, uint8_t *public_value,
    uint8_t *secret)
{
	return respond(&x25519_group, random, peer, public_value, secret);
}

static void *
start_ecp256(const struct ike_random *random, uint8_t *public_value)
{
	return start(&ecp256_group, random, public_value);
}

static bool
respond_ecp256(const struct ike_random *random, struct bytes peer, uint8_t *public_value,
    uint8_t *secret)
{
	return respond(&ecp256_group, random, peer, public_value, secret);
}

static void *
start_ecp384(const struct ike_random *random, uint8_t *public_value)
{
	return start(&ecp384_group, random, public_value);
}

static bool
respond_ecp384(const struct ike_random *random, struct bytes peer, uint8_t *public_value,
    uint8_t *secret)
{
	return respond(&ecp384_group, random, peer, public_value, secret);
}

static void *
start_ecp521(const struct ike_random *random, uint8_t *public_value)
{
	return start(&ecp521_group, random, public_value);
}

static bool
respond_ecp521(const struct ike_random *random, struct bytes peer, uint8_t *public_value,
    uint8_t *secret)
{
	return respond(&ecp521_group, random, peer, public_value, secret);
}

static void *
start_modp2048(const struct ike_random *random, uint8_t *public_value)
{
	return start(&modp2048_group, random, public_value);
}

static bool
respond_modp2048(const struct ike_random *random, struct bytes peer,
    uint8_t *public_value, uint8_t *secret)
{
	return respond(&modp2048_group, random, peer, public_value, secret);
}

static void *
start_modp3072(const struct ike_random *random, uint8_t *public_value)
{
	return start(&modp3072_group, random, public_value);
}

static bool
respond_modp3072(const struct ike_random *random, struct bytes peer,
    uint8_t *public_value, uint8_t *secret)
{
	return respond(&modp3072_group, random, peer, public_value, secret);
}

static void *
start_modp4096(const struct ike_random *random, uint8_t *public_value)
{
	return start(&modp4096_group, random, public_value);
}

static bool
respond_modp4096(const struct ike_random *random, struct bytes peer,
    uint8_t *public_value, uint8_t *secret)
{
	return respond(&modp4096_group, random, peer, public_value, secret);
}

static const struct ike_kex x25519 = {
	IKE_KE_CURVE25519, "x25519", 32, 32, 32,
	start_x25519, respond_x25519, finish, free_state
};
static const struct ike_kex ecp256 = {
	IKE_KE_ECP_256, "ecp256", 64, 64, 32,
	start_ecp256, respond_ecp256, finish, free_state
};
static const struct ike_kex ecp384 = {
	IKE_KE_ECP_384, "ecp384", 96, 96, 48,
	start_ecp384, respond_ecp384, finish, free_state
};
static const struct ike_kex ecp521 = {
	IKE_KE_ECP_521, "ecp521", 132, 132, 66,
	start_ecp521, respond_ecp521, finish, free_state
};
static const struct ike_kex modp2048 = {
	IKE_KE_MODP_2048, "modp2048", 256, 256, 256,
	start_modp2048, respond_modp2048, finish, free_state
};
static const struct ike_kex modp3072 = {
	IKE_KE_MODP_3072, "modp3072", 384, 384, 384,
	start_modp3072, respond_modp3072, finish, free_state
};

static const struct ike_kex modp4096 = {
	IKE_KE_MODP_4096, "modp4096", 512, 512, 512,
	start_modp4096, respond_modp4096, finish, free_state
};

const struct ike_kex *const ike_kexs[] = {
	&x25519, &ecp256, &ecp384, &ecp521, &modp2048, &modp3072, &modp4096, NULL
};
