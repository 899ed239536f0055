/* Weak algorithms.  No default names them, and a connection that names one has to allow
 * it by the word of its setting `compat`, so that nobody comes by one unawares. */
#ifndef IKE_COMPAT_H
#define IKE_COMPAT_H

#include "libike/proposal.h"

enum ike_compat { IKE_COMPAT_SHA1 = 1 };	/* bits */

struct ike_weak {
	uint8_t type;
	uint16_t id;
	enum ike_compat compat;		/* what allows it */
	const char *word;		/* the same in the setting: "sha1" */
	const char *instead;		/* the keyword of a strong one: "sha256" */
};

/* NULL: the transform is not weak. */
const struct ike_weak *ike_weak_find(const struct ike_transform *);
/* The first weak transform of the list that is not in `allowed`; NULL: there is none. */
const struct ike_transform *ike_proposals_weak(const struct ike_proposals *,
    unsigned allowed);

/* The bit of a word of the setting; 0: there is no such word. */
unsigned ike_compat_by_word(const char *word);

#endif
