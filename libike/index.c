/* Which connections a peer's address, or its identity, may mean: found without a walk over all of
 * them, however many there are.  A bucket's key is a SipHash under the engine's secret; what
 * is found is only a candidate, and the caller compares. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "libike/sa.h"

enum { BY_ADDRESS = 'a', BY_IDENTITY = 'i', ANYWHERE = '*', KEY_MAX = 300 };

static uint64_t
key_of(const struct ike *e, uint8_t kind, uint8_t type, struct bytes data)
{
	uint8_t text[KEY_MAX], key[8];
	size_t len = data.len < KEY_MAX - 2 ? data.len : KEY_MAX - 2;

	text[0] = kind;
	text[1] = type;
	for (size_t i = 0; i < len; i++)	/* domains compare without case */
		text[2 + i] = kind == BY_IDENTITY && data.p[i] >= 'A' && data.p[i] <= 'Z' ?
		    data.p[i] | 0x20 : data.p[i];
	crypto_shorthash(key, text, len + 2, e->init_hash_key);
	return bytes_load64(key);
}

static struct ike_bucket *
find(const struct ike *e, uint64_t key)
{
	struct ike_bucket *b;

	HASH_FIND(hh, e->buckets, &key, sizeof(key), b);
	return b;
}

static struct ike_bucket *
find_or_make(struct ike *e, uint64_t key)
{
	struct ike_bucket *b = find(e, key);

	if (b != NULL || (b = calloc(1, sizeof(*b))) == NULL)
		return b;
	b->key = key;
	TAILQ_INIT(&b->places);
	HASH_ADD(hh, e->buckets, key, sizeof(b->key), b);
	if (b->hh.tbl == NULL) {
		free(b);
		return NULL;
	}
	return b;
}

static bool
enter(struct ike *e, struct ike_peer *p, struct ike_place *place, uint64_t key)
{
	place->bucket = find_or_make(e, key);
	if (place->bucket == NULL)
		return false;
	place->peer = p;
	TAILQ_INSERT_TAIL(&place->bucket->places, place, link);
	return true;
}

static void
leave(struct ike *e, struct ike_place *place)
{
	struct ike_bucket *b = place->bucket;

	if (b == NULL)
		return;
	TAILQ_REMOVE(&b->places, place, link);
	place->bucket = NULL;
	if (TAILQ_FIRST(&b->places) != NULL)
		return;
	HASH_DELETE(hh, e->buckets, b);
	free(b);
}

static uint64_t
address_key(const struct ike *e, uint8_t family, const uint8_t *addr)
{
	return key_of(e, BY_ADDRESS, family, bytes_of(addr, family == ESP_IPV6 ? 16 : 4));
}

static uint64_t
anywhere_key(const struct ike *e)
{
	return key_of(e, ANYWHERE, 0, bytes_of(NULL, 0));
}

bool
ike_index_add(struct ike *e, struct ike_peer *p)
{
	const struct ike_connection *c = p->connection;
	const struct ike_host *only = ike_hosts_only(&c->remote);

	if (enter(e, p, &p->by_address, only != NULL ?
	    address_key(e, only->range.family, only->range.addr[0]) : anywhere_key(e)) &&
	    enter(e, p, &p->by_identity, key_of(e, BY_IDENTITY, c->remote_id.type,
	    c->remote_id.data)))
		return true;
	ike_index_remove(e, p);
	return false;
}

void
ike_index_remove(struct ike *e, struct ike_peer *p)
{
	leave(e, &p->by_address);
	leave(e, &p->by_identity);
}

const struct ike_bucket *
ike_index_address(const struct ike *e, const struct ike_path *path)
{
	return find(e, address_key(e, path->family, path->addr[1]));
}

const struct ike_bucket *
ike_index_anywhere(const struct ike *e)
{
	return find(e, anywhere_key(e));
}

const struct ike_bucket *
ike_index_identity(const struct ike *e, const struct ike_identity *id)
{
	return find(e, key_of(e, BY_IDENTITY, id->type, id->data));
}
