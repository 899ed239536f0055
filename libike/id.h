/* Identities, RFC 7296 3.5. */
#ifndef IKE_ID_H
#define IKE_ID_H

#include <stdbool.h>

#include "libesp/bytes.h"
#include "libike/proto.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ike_identity {
	uint8_t type;			/* enum ike_id_type */
	struct bytes data;		/* owned by whoever made it (malloc) */
};

/* Text to identity: an address -> ID_IPV4_ADDR / ID_IPV6_ADDR, "user@host" -> RFC822,
 * "@name" or a name -> FQDN, "keyid:text" or "keyid:0xHEX" -> KEY_ID.  False: not an
 * identity (empty, too long, characters no identity of that kind has) or no memory: *why
 * says which, a static sentence. */
bool ike_id_parse(const char *text, struct ike_identity *, const char **why);
void ike_id_free(struct ike_identity *);
/* Type and octets equal; FQDN and RFC822 domains compare without case.  Never text. */
bool ike_id_equal(const struct ike_identity *, const struct ike_identity *);
/* For people: printable, everything else escaped, cut to fit; returns buf. */
const char *ike_id_print(uint8_t type, struct bytes data, char *buf, size_t len);

#ifdef __cplusplus
}
#endif

#endif
