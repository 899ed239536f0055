/* What is made fresh for each SA: nonces and public key exchange values, RFC 7296 2.10,
 * 3.4, 3.9. */
#include <string.h>

#include "libike/sa.h"

enum { NONCE_LEN = 32 };	/* at least half the key of every PRF, 2.10 */

bool
ike_fresh_nonce(struct ike *e, struct ike_fresh *f)
{
	uint8_t octets[NONCE_LEN];

	e->random.fill(e->random.arg, octets, sizeof(octets));
	return ike_buffer_set(&f->nonce, bytes_of(octets, sizeof(octets)));
}

bool
ike_fresh_ke(struct ike *e, struct ike_fresh *f, uint16_t group)
{
	const struct ike_kex *kex = ike_find_kex(e->algorithms, group);
	uint8_t value[IKE_MAX_KE_LEN];
	void *state;

	if (kex == NULL || (state = kex->start(&e->random, value)) == NULL)
		return false;
	if (!ike_buffer_set(&f->ke, bytes_of(value, kex->public_len))) {
		kex->free(state);
		return false;
	}
	if (f->state != NULL)
		f->kex->free(f->state);
	f->kex = kex;
	f->state = state;
	return true;
}

void
ike_fresh_free(struct ike_fresh *f)
{
	if (f->state != NULL)
		f->kex->free(f->state);
	f->state = NULL;
	f->kex = NULL;
	ike_buffer_free(&f->nonce);
	ike_buffer_free(&f->ke);
}

void
ike_add_ke(struct ike_chain *chain, uint16_t group, struct bytes value)
{
	struct ike_ke payload = { group, value };

	ike_chain_open(chain, IKE_PAYLOAD_KE);
	ike_build_ke(&chain->w, &payload);
	ike_chain_close(chain);
}

void
ike_add_nonce(struct ike_chain *chain, struct bytes nonce)
{
	ike_chain_open(chain, IKE_PAYLOAD_NONCE);
	ike_write_bytes(&chain->w, nonce);
	ike_chain_close(chain);
}

enum ike_error
ike_read_fresh(const struct ike_message *m, struct ike_ke *ke, struct bytes *nonce)
{
	const struct ike_payload *p = ike_find_payload(m, IKE_PAYLOAD_KE, 0);
	enum ike_error error;

	*ke = (struct ike_ke){ .group = IKE_KE_NONE };
	if (p != NULL && (error = ike_parse_ke(p->body, ke)) != IKE_OK)
		return error;
	p = ike_find_payload(m, IKE_PAYLOAD_NONCE, 0);
	return p == NULL ? IKE_INVALID_SYNTAX : ike_parse_nonce(p->body, nonce);
}

bool
ike_nonce_is_lower(struct bytes a, struct bytes b)
{
	int order = memcmp(a.p, b.p, a.len < b.len ? a.len : b.len);

	return order != 0 ? order < 0 : a.len < b.len;
}

struct bytes
ike_lower_nonce(struct bytes a, struct bytes b)
{
	return ike_nonce_is_lower(a, b) ? a : b;
}

uint16_t
ike_wanted_group(const struct ike_message *m, const struct ike_proposals *ours,
    uint16_t sent)
{
	struct ike_notify n;
	uint16_t group;

	if (!ike_find_notify(m, IKE_INVALID_KE_PAYLOAD, &n) || n.data.len != 2)
		return IKE_KE_NONE;
	group = bytes_load16(n.data.p);
	return group != sent && ike_offers_group(ours, group) ? group : IKE_KE_NONE;
}
