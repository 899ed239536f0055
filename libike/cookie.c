/* COOKIE as responder, RFC 7296 2.6: while too many SAs are half-open, only who shows
 * that it receives what we send to its address gets state.  The cookie is a keyed hash
 * over what the initiator will send again, so nothing is kept for it:
 *
 *	number of the secret (1 octet) | BLAKE2b-128(secret, family | Ni | address | SPIi)
 *
 * The secret changes every minute; the one before is still taken. */
#include <sodium.h>
#include <string.h>

#include "libike/sa.h"

#define ROTATE (60 * IKE_SECOND)

/* A secret that nobody asked for in a while is old by more than one turn.  The number
 * goes round; its age is what counts. */
static void
rotate(struct ike *e)
{
	struct ike_cookies *c = &e->cookies;

	if (c->made && e->now < c->since + ROTATE)
		return;
	if (!c->made || e->now >= c->since + 2 * ROTATE)
		e->random.fill(e->random.arg, c->secret[0], sizeof(c->secret[0]));
	else
		memcpy(c->secret[0], c->secret[1], sizeof(c->secret[0]));
	e->random.fill(e->random.arg, c->secret[1], sizeof(c->secret[1]));
	c->since = e->now;
	c->number++;
	c->made = true;
}

static void
compute(const uint8_t *secret, uint8_t number, const struct ike_path *path,
    uint64_t spi_i, struct bytes nonce, uint8_t cookie[IKE_COOKIE_LEN])
{
	size_t addr_len = path->family == ESP_IPV6 ? 16 : 4;
	crypto_generichash_state state;
	uint8_t spi[IKE_SPI_LEN];

	bytes_store64(spi, spi_i);
	crypto_generichash_init(&state, secret, IKE_COOKIE_SECRET, IKE_COOKIE_LEN - 1);
	crypto_generichash_update(&state, &path->family, 1);
	crypto_generichash_update(&state, nonce.p, nonce.len);
	crypto_generichash_update(&state, path->addr[1], addr_len);
	crypto_generichash_update(&state, spi, sizeof(spi));
	crypto_generichash_final(&state, cookie + 1, IKE_COOKIE_LEN - 1);
	cookie[0] = number;
}

void
ike_cookie_make(struct ike *e, const struct ike_path *path, uint64_t spi_i,
    struct bytes nonce, uint8_t cookie[IKE_COOKIE_LEN])
{
	rotate(e);
	compute(e->cookies.secret[1], e->cookies.number, path, spi_i, nonce, cookie);
}

bool
ike_cookie_good(struct ike *e, const struct ike_path *path, uint64_t spi_i,
    struct bytes nonce, struct bytes cookie)
{
	uint8_t expected[IKE_COOKIE_LEN];
	uint8_t age;

	rotate(e);
	if (cookie.len != IKE_COOKIE_LEN)
		return false;
	age = (uint8_t)(e->cookies.number - cookie.p[0]);
	if (age > 1)
		return false;
	compute(e->cookies.secret[1 - age], cookie.p[0], path, spi_i, nonce, expected);
	return sodium_memcmp(expected, cookie.p, IKE_COOKIE_LEN) == 0;
}
