/* Shared secrets, and the answers they give to IKE_ASK_PROVE and IKE_ASK_CHECK (RFC
 * 7296 2.15).
 *
 * The secrets lie together in one sodium_malloc region: guarded, locked in memory where
 * that is permitted, out of core dumps, and not even readable but from an answer to
 * ipsec_secrets_rest, which ends a round: not while a program waits.  They are found by
 * name, the text that a connection's `secret` holds, and never leave. */
#ifndef IPSEC_AUTH_PSK_H
#define IPSEC_AUTH_PSK_H

#include "libike/ike.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ipsec_secrets;

/* NULL: no memory, or libsodium does not start. */
struct ipsec_secrets *ipsec_secrets_new(void);
void ipsec_secrets_free(struct ipsec_secrets *);	/* wipes; NULL is nothing */

/* Keeps a copy of `secret` under `name`, in place of an older one.  The caller wipes
 * its own. False: no memory, or an empty name or secret; nothing has changed. */
bool ipsec_secrets_put(struct ipsec_secrets *, const char *name, struct bytes secret);
void ipsec_secrets_remove(struct ipsec_secrets *, const char *name);	/* wipes */
/* Around many calls of put: between these two the region stays accessible, which saves
 * each of them two changes of its protection. */
void ipsec_secrets_open(struct ipsec_secrets *);
void ipsec_secrets_shut(struct ipsec_secrets *);
bool ipsec_secrets_has(const struct ipsec_secrets *, const char *name);

enum { IPSEC_AUTH_MAX = 64 };		/* octets of the longest AUTH value */

/* IKE_ASK_PROVE and IKE_ASK_CHECK, by the event's type: fills *answer, whose value is
 * written to `value` and whose reason is static.  IKE_AUTHENTICATION_FAILED with a
 * reason: the method is not PSK, no secret has that name, or (CHECK) the peer's value
 * is not what ours gives. */
void ipsec_secrets_answer(struct ipsec_secrets *, const struct ike_event *,
    uint8_t value[IPSEC_AUTH_MAX], struct ike_answer *answer);
/* Nothing will be asked for a while: the end of a round.  Calling it again costs
 * nothing. */
void ipsec_secrets_rest(struct ipsec_secrets *);
/* The same by a secret that the caller has; one without octets is none. */
void ipsec_secret_answer(struct bytes secret, const struct ike_event *,
    uint8_t value[IPSEC_AUTH_MAX], struct ike_answer *answer);

#ifdef __cplusplus
}
#endif

#endif
