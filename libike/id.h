/* Identities, RFC 7296 3.5. */
#ifndef IKE_ID_H
#define IKE_ID_H

#include <stdbool.h>

#include "libesp/bytes.h"
#include "libike/proto.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { IKE_ID_ANY = 255 };		/* of a pattern; no peer's: 3.5, private use */

struct ike_identity {
	uint8_t type;			/* enum ike_id_type */
	struct bytes data;		/* owned by whoever made it (malloc) */
};

/* Text to identity: an address -> ID_IPV4_ADDR / ID_IPV6_ADDR, "user@host" -> RFC822,
 * "@name" or a name -> FQDN, "keyid:text" or "keyid:0xHEX" -> KEY_ID.  False: not an
 * identity (empty, too long, characters no identity of that kind has) or no memory: *why
 * says which, a static sentence. */
bool ike_id_parse(const char *text, struct ike_identity *, const char **why);
/* The same or whom to let in: also "*.domain" and "*@domain", which mean all names below
 * that domain and all users of it, and "%any".  A pattern is an identity of its kind that
 * begins with the "*", or IKE_ID_ANY, without octets. */
bool ike_id_parse_pattern(const char *text, struct ike_identity *, const char **why);
bool ike_id_is_pattern(const struct ike_identity *);
/* Is it what the pattern means?  One that is no pattern means what is equal. */
bool ike_id_matches(const struct ike_identity *pattern, const struct ike_identity *);
void ike_id_free(struct ike_identity *);
/* Type and octets equal; FQDN and RFC822 domains compare without case.  Never text. */
bool ike_id_equal(const struct ike_identity *, const struct ike_identity *);
/* For people: printable, everything else escaped, cut to fit; returns buf. */
const char *ike_id_print(uint8_t type, struct bytes data, char *buf, size_t len);

#ifdef __cplusplus
}
#endif

#endif
