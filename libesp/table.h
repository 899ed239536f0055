/* Hash tables of members that carry their own link, of 8 octets: there are many SAs, and
 * each is in two of them.  A table grows by itself, and never shrinks. */
#ifndef LIBESP_TABLE_H
#define LIBESP_TABLE_H

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

/* The key is in none of its members.  False: no memory. */
bool esp_table_add(struct esp_table *, struct esp_link *);
void esp_table_remove(struct esp_table *, struct esp_link *);	/* a member */
struct esp_link *esp_table_find(const struct esp_table *, const void *key);
/* For the end: any member, beginning with *from = 0; NULL: there are no more.  The caller
 * removes each. */
struct esp_link *esp_table_any(const struct esp_table *, size_t *from);
void esp_table_free(struct esp_table *);	/* not its members */

#endif
