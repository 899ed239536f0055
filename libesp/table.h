/* Hash tables of members that carry their own link, of 8 octets: there are many SAs, and
 * each is in two of them.  A table grows by itself, and never shrinks.  All is here: no
 * library has them in its interface, and libike has a use for them, too. */
#ifndef LIBESP_TABLE_H
#define LIBESP_TABLE_H

#include <stdlib.h>

#include "libesp/bytes.h"

struct esp_link { struct esp_link *next; };

/* Its members have a key of `key_len` octets, without padding, `key_at` octets behind the
 * link.  Zeroed but for these two it is empty. */
struct esp_table {
	ptrdiff_t key_at;
	size_t key_len;
	struct esp_link **chains;	/* owned; NULL as long as there is no member */
	size_t mask;			/* chains, less one */
	size_t n;
};

#define ESP_TABLE(type, link, key) { \
	.key_at = (ptrdiff_t)offsetof(type, key) - (ptrdiff_t)offsetof(type, link), \
	.key_len = sizeof(((type *)NULL)->key) }
/* The member that this link is of; `found` may be NULL, and then it is NULL. */
#define ESP_MEMBER(found, type, link) \
	((type *)esp_table_member(found, offsetof(type, link)))
static inline void *
esp_table_member(struct esp_link *found, size_t offset)
{
	return found == NULL ? NULL : (uint8_t *)found - offset;
}

enum { ESP_TABLE_MIN = 16 };

/* Keys are ours, or what was agreed on with peers that have proven who they are: any
 * spread of them will do.  Multiplication by an odd number moves what differs upwards,
 * the shift brings it back down. */
static inline uint64_t
esp_table_mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15;
	return hash ^ hash >> 32;
}

/* In loads of fixed sizes, which need no call. */
static inline size_t
esp_table_spread(const struct esp_table *t, const uint8_t *key)
{
	const uint8_t *end = key + t->key_len;
	uint64_t hash = t->key_len, word;
	uint32_t half;

	for (; end - key >= (ptrdiff_t)sizeof(word); key += sizeof(word)) {
		memcpy(&word, key, sizeof(word));
		hash = esp_table_mix(hash, word);
	}
	for (; end - key >= (ptrdiff_t)sizeof(half); key += sizeof(half)) {
		memcpy(&half, key, sizeof(half));
		hash = esp_table_mix(hash, half);
	}
	for (; key < end; key++)
		hash = esp_table_mix(hash, *key);
	return (size_t)hash;
}

static inline const uint8_t *
esp_table_key_of(const struct esp_table *t, const struct esp_link *link)
{
	return (const uint8_t *)link + t->key_at;
}

static inline struct esp_link **
esp_table_chain_of(const struct esp_table *t, const uint8_t *key)
{
	return &t->chains[esp_table_spread(t, key) & t->mask];
}

/* A table that cannot grow goes on with longer chains. */
static inline void
esp_table_grow(struct esp_table *t)
{
	struct esp_table larger = *t;
	struct esp_link *link, **chain;

	larger.mask = t->chains == NULL ? ESP_TABLE_MIN - 1 : 2 * t->mask + 1;
	larger.chains = calloc(larger.mask + 1, sizeof(*larger.chains));
	if (larger.chains == NULL)
		return;
	for (size_t i = 0; t->chains != NULL && i <= t->mask; i++)
		while ((link = t->chains[i]) != NULL) {
			t->chains[i] = link->next;
			chain = esp_table_chain_of(&larger, esp_table_key_of(t, link));
			link->next = *chain;
			*chain = link;
		}
	free(t->chains);
	t->chains = larger.chains;
	t->mask = larger.mask;
}

/* The key is in none of its members.  False: no memory, which a table that has had a
 * member always has. */
static inline bool
esp_table_add(struct esp_table *t, struct esp_link *link)
{
	struct esp_link **chain;

	if (t->chains == NULL || t->n > t->mask)
		esp_table_grow(t);
	if (t->chains == NULL)
		return false;
	chain = esp_table_chain_of(t, esp_table_key_of(t, link));
	link->next = *chain;
	*chain = link;
	t->n++;
	return true;
}

/* A member. */
static inline void
esp_table_remove(struct esp_table *t, struct esp_link *link)
{
	struct esp_link **at = esp_table_chain_of(t, esp_table_key_of(t, link));

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	t->n--;
}

/* Where the look-up of a key begins.  Only in a table that has had a member, and until
 * one is added. */
static inline struct esp_link *const *
esp_table_slot(const struct esp_table *t, const void *key)
{
	return esp_table_chain_of(t, key);
}

/* The first link of a chain that begins there and has the key, or NULL. */
static inline struct esp_link *
esp_table_find_from(const struct esp_table *t, struct esp_link *link, const void *key)
{
	while (link != NULL && memcmp(esp_table_key_of(t, link), key, t->key_len) != 0)
		link = link->next;
	return link;
}

static inline struct esp_link *
esp_table_find(const struct esp_table *t, const void *key)
{
	return t->chains == NULL ? NULL :
	    esp_table_find_from(t, *esp_table_slot(t, key), key);
}

/* For the end: any member, beginning with *from = 0; NULL: there are no more.  The caller
 * removes each. */
static inline struct esp_link *
esp_table_any(const struct esp_table *t, size_t *from)
{
	for (; t->n != 0 && *from <= t->mask; (*from)++)
		if (t->chains[*from] != NULL)
			return t->chains[*from];
	return NULL;
}

/* Not its members. */
static inline void
esp_table_free(struct esp_table *t)
{
	free(t->chains);
	t->chains = NULL;
	t->n = 0;
}

#endif
