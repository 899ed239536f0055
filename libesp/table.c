#include <stdlib.h>

#include "libesp/table.h"

enum { CHAINS_MIN = 16 };

/* Keys are ours, or what was agreed on with peers that have proven who they are: any
 * spread of them will do.  Multiplication by an odd number moves what differs upwards,
 * the shift brings it back down. */
static size_t
spread(const struct esp_table *t, const uint8_t *key)
{
	uint64_t hash = t->key_len, word;

	for (size_t at = 0; at < t->key_len; at += sizeof(word)) {
		size_t left = t->key_len - at;

		word = 0;
		memcpy(&word, key + at, left < sizeof(word) ? left : sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15;
		hash ^= hash >> 32;
	}
	return (size_t)hash;
}

static const uint8_t *
key_of(const struct esp_table *t, const struct esp_link *link)
{
	return (const uint8_t *)link + t->key_at;
}

static struct esp_link **
chain_of(const struct esp_table *t, const uint8_t *key)
{
	return &t->chains[spread(t, key) & t->mask];
}

/* A table that cannot grow goes on with longer chains. */
static void
grow(struct esp_table *t)
{
	struct esp_table larger = *t;
	struct esp_link *link, **chain;

	larger.mask = t->chains == NULL ? CHAINS_MIN - 1 : 2 * t->mask + 1;
	larger.chains = calloc(larger.mask + 1, sizeof(*larger.chains));
	if (larger.chains == NULL)
		return;
	for (size_t i = 0; t->chains != NULL && i <= t->mask; i++)
		while ((link = t->chains[i]) != NULL) {
			t->chains[i] = link->next;
			chain = chain_of(&larger, key_of(t, link));
			link->next = *chain;
			*chain = link;
		}
	free(t->chains);
	t->chains = larger.chains;
	t->mask = larger.mask;
}

bool
esp_table_add(struct esp_table *t, struct esp_link *link)
{
	struct esp_link **chain;

	if (t->chains == NULL || t->n > t->mask)
		grow(t);
	if (t->chains == NULL)
		return false;
	chain = chain_of(t, key_of(t, link));
	link->next = *chain;
	*chain = link;
	t->n++;
	return true;
}

void
esp_table_remove(struct esp_table *t, struct esp_link *link)
{
	struct esp_link **at = chain_of(t, key_of(t, link));

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	t->n--;
}

struct esp_link *
esp_table_find(const struct esp_table *t, const void *key)
{
	struct esp_link *link = t->chains == NULL ? NULL : *chain_of(t, key);

	while (link != NULL && memcmp(key_of(t, link), key, t->key_len) != 0)
		link = link->next;
	return link;
}

struct esp_link *
esp_table_any(const struct esp_table *t, size_t *from)
{
	for (; t->n != 0 && *from <= t->mask; (*from)++)
		if (t->chains[*from] != NULL)
			return t->chains[*from];
	return NULL;
}

void
esp_table_free(struct esp_table *t)
{
	free(t->chains);
	t->chains = NULL;
	t->n = 0;
}
