/* Which connections a peer's address, or its identity, may mean: found without a walk
 * over all of them, however many there are.  A bucket's key is a SipHash under the
 * engine's secret; what is found is only a candidate, and the caller compares.
 *
 * An IKE_SA_INIT is judged by addresses and IKE proposals, and thousands of connections
 * for road warriors have the same: they are one kind, in a bucket below that of the
 * address, and the first of them speaks for all. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "libike/sa.h"

enum {
	BY_ADDRESS = 'a', BY_IDENTITY = 'i', BY_PATTERN = 'p', ANYWHERE = '*',
	KEY_MAX = 300
};

static uint64_t
key_of(const struct ike *e, uint8_t kind, uint8_t type, struct bytes data)
{
	uint8_t text[KEY_MAX], key[8];
	size_t len = data.len < KEY_MAX - 2 ? data.len : KEY_MAX - 2;

	text[0] = kind;
	text[1] = type;
	for (size_t i = 0; i < len; i++)	/* domains compare without case */
		text[2 + i] = kind == BY_IDENTITY && data.p[i] >= 'A' &&
		    data.p[i] <= 'Z' ? data.p[i] | 0x20 : data.p[i];
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
	TAILQ_INIT(&b->kinds);
	HASH_ADD(hh, e->buckets, key, sizeof(b->key), b);
	if (b->hh.tbl == NULL) {
		free(b);
		return NULL;
	}
	return b;
}

static void
drop_empty(struct ike *e, struct ike_bucket *b)
{
	struct ike_bucket *above;

	while (b != NULL && TAILQ_EMPTY(&b->places) && TAILQ_EMPTY(&b->kinds)) {
		above = b->above;
		if (above != NULL)
			TAILQ_REMOVE(&above->kinds, b, of_above);
		HASH_DELETE(hh, e->buckets, b);
		free(b);
		b = above;
	}
}

/* NULL: to no bucket.  A place that stays in its bucket keeps its turn. */
static void
move(struct ike *e, struct ike_peer *p, struct ike_place *place, struct ike_bucket *to)
{
	struct ike_bucket *from = place->bucket;

	if (from == to)
		return;
	if (from != NULL)
		TAILQ_REMOVE(&from->places, place, link);
	place->bucket = to;
	place->peer = p;
	if (to != NULL)
		TAILQ_INSERT_TAIL(&to->places, place, link);
	drop_empty(e, from);
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

static void
add_proposals(crypto_generichash_state *state, const struct ike_proposals *list)
{
	const struct ike_transform *t;
	uint8_t octets[5];

	for (unsigned i = 0; i < list->n; i++) {
		crypto_generichash_update(state, (const uint8_t[]){ 0 }, 1);
		for (unsigned k = 0; k < list->v[i].n; k++) {
			t = &list->v[i].v[k];
			octets[0] = t->type;	/* never 0 */
			bytes_store16(octets + 1, t->id);
			bytes_store16(octets + 3, t->key_bits);
			crypto_generichash_update(state, octets, sizeof(octets));
		}
	}
}

/* The text of a host that any address may be is of no interest. */
static void
add_host(crypto_generichash_state *state, const struct ike_host *h)
{
	bool any = h->kind == IKE_HOST_ANY || h->kind == IKE_HOST_NAME;
	const char *text = any ? "" : h->text;

	crypto_generichash_update(state, (const uint8_t *)text, strlen(text) + 1);
}

/* Those which agree in all that an IKE_SA_INIT is judged by. */
static uint64_t
kind_key(const struct ike *e, uint64_t where, const struct ike_connection *c)
{
	uint8_t octets[8], out[crypto_generichash_BYTES_MIN];
	crypto_generichash_state state;

	bytes_store64(octets, where);
	crypto_generichash_init(&state, e->init_hash_key, sizeof(e->init_hash_key),
	    sizeof(out));
	crypto_generichash_update(&state, octets, sizeof(octets));
	add_host(&state, &c->local);
	add_proposals(&state, &c->ike);
	for (unsigned i = 0; i < c->remote.n; i++)
		add_host(&state, &c->remote.v[i]);
	crypto_generichash_final(&state, out, sizeof(out));
	return bytes_load64(out);
}

static struct ike_bucket *
find_or_make_kind(struct ike *e, const struct ike_connection *c)
{
	const struct ike_host *only = ike_hosts_only(&c->remote);
	uint64_t where = only == NULL ? anywhere_key(e) :
	    address_key(e, only->range.family, only->range.addr[0]);
	uint64_t key = kind_key(e, where, c);
	struct ike_bucket *kind = find(e, key), *above;

	if (kind != NULL || (above = find_or_make(e, where)) == NULL)
		return kind;
	if ((kind = find_or_make(e, key)) != NULL) {
		kind->above = above;
		TAILQ_INSERT_TAIL(&above->kinds, kind, of_above);
	}
	drop_empty(e, above);
	return kind;
}

static uint64_t
patterns_key(const struct ike *e)
{
	return key_of(e, BY_PATTERN, 0, bytes_of(NULL, 0));
}

uint64_t
ike_identity_key(const struct ike *e, const struct ike_identity *id)
{
	return key_of(e, BY_IDENTITY, id->type, id->data);
}

bool
ike_index_put(struct ike *e, struct ike_peer *p, const struct ike_connection *c)
{
	struct ike_bucket *kind = find_or_make_kind(e, c), *identity;

	if (kind == NULL)
		return false;
	identity = find_or_make(e, ike_id_is_pattern(&c->remote_id) ? patterns_key(e) :
	    ike_identity_key(e, &c->remote_id));
	if (identity != NULL) {		/* from here on nothing can fail */
		move(e, p, &p->by_address, kind);
		move(e, p, &p->by_identity, identity);
	}
	drop_empty(e, kind);
	return identity != NULL;
}

void
ike_index_remove(struct ike *e, struct ike_peer *p)
{
	move(e, p, &p->by_address, NULL);
	move(e, p, &p->by_identity, NULL);
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
	return find(e, ike_identity_key(e, id));
}

const struct ike_bucket *
ike_index_patterns(const struct ike *e)
{
	return find(e, patterns_key(e));
}
