/* Weak algorithms: RFC 8247 2.2 and 2.3 on SHA-1, which collisions leave usable in HMAC
 * and which old peers have nothing better than. */
#include "libike/compat.h"

#include <string.h>

#include "libike/proto.h"

static const struct ike_weak weak[] = {
	{ IKE_PRF, IKE_PRF_HMAC_SHA1, IKE_COMPAT_SHA1, "sha1", "prfsha256" },
	{ IKE_INTEG, IKE_INTEG_HMAC_SHA1_96, IKE_COMPAT_SHA1, "sha1", "sha256" }
};
enum { WEAK = sizeof weak / sizeof *weak };

const struct ike_weak *
ike_weak_find(const struct ike_transform *t)
{
	for (unsigned i = 0; i < WEAK; i++)
		if (weak[i].type == t->type && weak[i].id == t->id)
			return &weak[i];
	return NULL;
}

const struct ike_transform *
ike_proposals_weak(const struct ike_proposals *list, unsigned allowed)
{
	for (unsigned i = 0; i < list->n; i++)
		for (unsigned k = 0; k < list->v[i].n; k++) {
			const struct ike_weak *w = ike_weak_find(&list->v[i].v[k]);

			if (w != NULL && (w->compat & allowed) == 0)
				return &list->v[i].v[k];
		}
	return NULL;
}

unsigned
ike_compat_by_word(const char *word)
{
	for (unsigned i = 0; i < WEAK; i++)
		if (strcmp(weak[i].word, word) == 0)
			return weak[i].compat;
	return 0;
}
