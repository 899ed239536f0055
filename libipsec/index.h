/* Members by their id, each with its own place in the table: there are as many as Child
 * SAs and sessions, and none takes more than it must.  Ids are our own, and any spread of
 * them will do. */
#ifndef IPSEC_INDEX_H
#define IPSEC_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ipsec_entry {		/* the first member of what it is of */
	struct ipsec_entry *next;
	uint64_t id;
};

struct ipsec_index {		/* zeroed it is empty */
	struct ipsec_entry **chains;	/* owned; NULL as long as there is no member */
	size_t mask;			/* chains, less one */
	size_t n;
};

/* No member has its id.  False: no memory. */
bool ipsec_index_add(struct ipsec_index *, struct ipsec_entry *);
/* A member; with the last one all memory goes. */
void ipsec_index_remove(struct ipsec_index *, struct ipsec_entry *);
void *ipsec_index_find(const struct ipsec_index *, uint64_t id);	/* or NULL */
/* These will be looked for soon: has the memory of all of them on its way at once, `len`
 * octets of each. */
void ipsec_index_expect(const struct ipsec_index *, const uint64_t *ids, unsigned n,
    size_t len);
/* For the end: any member, beginning with *from = 0; NULL: there are no more.  The caller
 * removes each. */
void *ipsec_index_any(const struct ipsec_index *, size_t *from);
void ipsec_index_free(struct ipsec_index *);	/* not its members */

#endif
