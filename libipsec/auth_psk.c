#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "libike/proto.h"
#include "libipsec/auth_psk.h"
#include "libipsec/hash.h"

enum { FIRST_SIZE = 1024 };

struct secret {
	UT_hash_handle hh;
	size_t at, len;		/* in the region */
	char name[];
};

struct ipsec_secrets {
	struct secret *by_name;
	uint8_t *region;	/* no access between calls; NULL until the first secret */
	size_t used, size;
	bool open;		/* between ipsec_secrets_open and _shut */
	bool readable;		/* between an answer and ipsec_secrets_rest */
};

struct ipsec_secrets *
ipsec_secrets_new(void)
{
	if (sodium_init() < 0)
		return NULL;
	return calloc(1, sizeof(struct ipsec_secrets));
}

void
ipsec_secrets_free(struct ipsec_secrets *s)
{
	struct secret *entry, *next;

	if (s == NULL)
		return;
	HASH_ITER(hh, s->by_name, entry, next) {
		HASH_DEL(s->by_name, entry);
		free(entry);
	}
	sodium_free(s->region);		/* which wipes it */
	free(s);
}

static struct secret *
find(const struct ipsec_secrets *s, const char *name)
{
	struct secret *entry;

	HASH_FIND_STR(s->by_name, name, entry);
	return entry;
}

bool
ipsec_secrets_has(const struct ipsec_secrets *s, const char *name)
{
	return find(s, name) != NULL;
}

/* Room for `len` more octets, with the region writable.  False: as it was. */
static bool
open_for_writing(struct ipsec_secrets *s, size_t len)
{
	size_t size = s->size > 0 ? s->size : FIRST_SIZE;
	uint8_t *region;

	if (len > SIZE_MAX / 4 - s->used)
		return false;
	if (s->region != NULL && len <= s->size - s->used)
		return s->open || sodium_mprotect_readwrite(s->region) == 0;
	while (size < s->used + len)
		size *= 2;
	if ((region = sodium_malloc(size)) == NULL)
		return false;
	if (s->region != NULL) {
		if (!s->open && sodium_mprotect_readonly(s->region) != 0) {
			sodium_free(region);
			return false;
		}
		memcpy(region, s->region, s->used);
		sodium_free(s->region);
	}
	s->region = region;
	s->size = size;
	return true;
}

/* Protection fails only where the system has none. */
static void
shut(struct ipsec_secrets *s)
{
	if (s->open)
		return;
	s->readable = false;
	(void)sodium_mprotect_noaccess(s->region);
}

/* A change of protection costs as much as a tenth of a handshake, and a round of many
 * handshakes asks twice for each: the first one opens, and ipsec_secrets_rest shuts. */
static bool
open_for_reading(struct ipsec_secrets *s)
{
	if (!s->open && !s->readable)
		s->readable = sodium_mprotect_readonly(s->region) == 0;
	return s->open || s->readable;
}

void
ipsec_secrets_rest(struct ipsec_secrets *s)
{
	if (s->readable)
		shut(s);
}

void
ipsec_secrets_open(struct ipsec_secrets *s)
{
	s->open = s->region == NULL || sodium_mprotect_readwrite(s->region) == 0;
}

void
ipsec_secrets_shut(struct ipsec_secrets *s)
{
	s->open = false;
	if (s->region != NULL)
		shut(s);
}

/* Takes the entry out and closes the gap it leaves; the region is writable. */
static void
cut(struct ipsec_secrets *s, struct secret *entry)
{
	uint8_t *gap = s->region + entry->at;

	memmove(gap, gap + entry->len, s->used - entry->at - entry->len);
	s->used -= entry->len;
	sodium_memzero(s->region + s->used, entry->len);
	for (struct secret *e = s->by_name; e != NULL; e = e->hh.next)
		if (e->at > entry->at)
			e->at -= entry->len;
	HASH_DEL(s->by_name, entry);
	free(entry);
}

bool
ipsec_secrets_put(struct ipsec_secrets *s, const char *name, struct bytes secret)
{
	size_t name_len = strlen(name);
	struct secret *entry, *old = find(s, name);

	if (name_len == 0 || secret.len == 0)
		return false;
	entry = calloc(1, sizeof(*entry) + name_len + 1);
	if (entry == NULL || !open_for_writing(s, secret.len)) {
		free(entry);
		return false;
	}
	memcpy(entry->name, name, name_len);
	entry->at = s->used;
	entry->len = secret.len;
	memcpy(s->region + s->used, secret.p, secret.len);
	HASH_ADD_STR(s->by_name, name, entry);
	if (entry->hh.tbl == NULL) {
		sodium_memzero(s->region + s->used, secret.len);
		free(entry);
		entry = NULL;
	} else {
		s->used += secret.len;
		if (old != NULL)
			cut(s, old);
	}
	shut(s);
	return entry != NULL;
}

void
ipsec_secrets_remove(struct ipsec_secrets *s, const char *name)
{
	struct secret *entry = find(s, name);

	/* Where it cannot be wiped it is still not found any more. */
	if (entry == NULL)
		return;
	if (!open_for_writing(s, 0)) {
		HASH_DEL(s->by_name, entry);
		free(entry);
		return;
	}
	cut(s, entry);
	shut(s);
}

/* ---- answers ---- */

static bool
is_same(struct bytes theirs, const uint8_t *ours, size_t len)
{
	return theirs.len == len && sodium_memcmp(theirs.p, ours, len) == 0;
}

static void
refuse(struct ike_answer *answer, const char *reason)
{
	answer->error = IKE_AUTHENTICATION_FAILED;
	answer->reason = reason;
}

void
ipsec_secret_answer(struct bytes secret, const struct ike_event *event,
    uint8_t value[IPSEC_AUTH_MAX], struct ike_answer *answer)
{
	const struct ike_auth_request *auth = event->u.auth;
	size_t len;

	*answer = (struct ike_answer){ .error = IKE_OK };
	if (auth->method != IKE_AUTH_PSK) {
		refuse(answer, "the peer does not authenticate by a shared secret (psk)");
		return;
	}
	if (secret.len == 0) {
		refuse(answer, "there is no shared secret for this connection here");
		return;
	}
	len = ike_psk_auth(NULL, auth->prf, secret, auth->octets, value);
	if (len == 0) {
		refuse(answer, "the cryptographic library failed on the shared secret");
	} else if (event->type == IKE_ASK_PROVE) {
		answer->value = bytes_of(value, len);
		return;
	} else if (!is_same(auth->value, value, len)) {
		refuse(answer, "the two ends do not have the same shared secret");
	}
	sodium_memzero(value, IPSEC_AUTH_MAX);
}

void
ipsec_secrets_answer(struct ipsec_secrets *s, const struct ike_event *event,
    uint8_t value[IPSEC_AUTH_MAX], struct ike_answer *answer)
{
	const struct secret *entry = find(s, event->u.auth->secret);

	if (entry == NULL) {
		ipsec_secret_answer(bytes_of(NULL, 0), event, value, answer);
	} else if (!open_for_reading(s)) {
		*answer = (struct ike_answer){ 0 };
		refuse(answer, "the shared secret cannot be read");
	} else {
		ipsec_secret_answer(bytes_of(s->region + entry->at, entry->len), event,
		    value, answer);
	}
}
