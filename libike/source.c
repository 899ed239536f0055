/* Sources of half-open SAs, and the ration of unprotected answers: what anybody on the
 * network could make grow is counted and bounded here.  A source is an IPv4 address or
 * an IPv6 /64. */
#include <sodium.h>
#include <stdlib.h>

#include "libike/sa.h"

/* Half-open SAs as responder: from so many on, in all or of one source, a COOKIE is
 * asked for; more than so many get nothing.  A source is asked long before it is full,
 * so that who forges its address cannot fill its place. */
enum { COOKIE_ABOVE = 64, COOKIE_ABOVE_OF_A_SOURCE = 8 };
enum { MOST = 16384, MOST_OF_A_SOURCE = 64 };

/* Unprotected refusals and explanations a second, and at once. */
enum { ANSWERS_A_SECOND = 100, ANSWERS_AT_ONCE = 200 };

static uint64_t
key_of(const struct ike *e, const struct ike_path *path)
{
	uint8_t key[8];

	/* The peer chooses its address: keyed, so that it cannot choose collisions. */
	crypto_shorthash(key, path->addr[1], path->family == ESP_IPV6 ? 8 : 4,
	    e->init_hash_key);
	return bytes_load64(key);
}

static struct ike_source *
find(const struct ike *e, uint64_t key)
{
	struct ike_source *s;

	HASH_FIND(hh, e->sources, &key, sizeof(key), s);
	return s;
}

enum ike_welcome
ike_source_welcome(const struct ike *e, const struct ike_path *path)
{
	const struct ike_source *s = find(e, key_of(e, path));
	unsigned all = e->counts.responding, of_it = s != NULL ? s->half_open : 0;

	if (all >= MOST || of_it >= MOST_OF_A_SOURCE)
		return IKE_WELCOME_NOT;
	return all >= COOKIE_ABOVE || of_it >= COOKIE_ABOVE_OF_A_SOURCE ?
	    IKE_WELCOME_COOKIE : IKE_WELCOME;
}

bool
ike_source_join(struct ike *e, struct ike_sa *sa)
{
	uint64_t key = key_of(e, &sa->path);
	struct ike_source *s = find(e, key);

	if (s == NULL) {
		if ((s = calloc(1, sizeof(*s))) == NULL)
			return false;
		s->key = key;
		HASH_ADD(hh, e->sources, key, sizeof(s->key), s);
		if (s->hh.tbl == NULL) {
			free(s);
			return false;
		}
	}
	s->half_open++;
	e->counts.responding++;
	sa->half_open->source = s;
	return true;
}

bool
ike_source_has(const struct ike_sa *sa)
{
	return sa->half_open != NULL && sa->half_open->source != NULL;
}

void
ike_source_leave(struct ike *e, struct ike_sa *sa)
{
	struct ike_source *s;

	if (!ike_source_has(sa))
		return;
	s = sa->half_open->source;
	sa->half_open->source = NULL;
	e->counts.responding--;
	if (--s->half_open > 0)
		return;
	HASH_DELETE(hh, e->sources, s);
	free(s);
}

/* A bucket that fills with time. */
bool
ike_may_answer(struct ike *e)
{
	struct ike_ration *r = &e->answers;
	ike_time gap = IKE_SECOND / ANSWERS_A_SECOND;

	if (e->now >= r->empty_until + gap * ANSWERS_AT_ONCE)
		r->empty_until = e->now - gap * ANSWERS_AT_ONCE;
	if (e->now < r->empty_until + gap)
		return false;
	r->empty_until += gap;
	return true;
}
