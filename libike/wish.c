/* What an IKE SA wants to do and the window has no room for yet: one request of ours at a
 * time (RFC 7296 2.3), in the order they were asked for, each once. */
#include <stdlib.h>
#include <string.h>

#include "libike/sa.h"

/* Message ids from here on are for the end of the SA, and from here on it is rekeyed
 * (2.2). */
#define LAST_IDS UINT32_C(0xfffffff0)
#define MANY_IDS UINT32_C(0x80000000)

static bool
has_name(const struct ike_connection_child *a, const struct ike_connection_child *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a->name, b->name) == 0);
}

static const struct ike_wanted *
find(const struct ike_sa *sa, enum ike_wish wish, uint32_t spi,
    const struct ike_connection_child *configured)
{
	const struct ike_wanted *w;

	STAILQ_FOREACH(w, &sa->wanted, link)
		if (w->wish == wish && w->spi == spi && has_name(w->configured, configured))
			return w;
	return NULL;
}

bool
ike_is_wanted(const struct ike_sa *sa, enum ike_wish wish, uint32_t spi)
{
	return find(sa, wish, spi, NULL) != NULL;
}

static struct ike_wanted *
add(struct ike_sa *sa, enum ike_wish wish, uint32_t spi)
{
	struct ike_wanted *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->wish = wish;
	w->spi = spi;
	STAILQ_INSERT_TAIL(&sa->wanted, w, link);
	return w;
}

bool
ike_want(struct ike_sa *sa, enum ike_wish wish, uint32_t spi)
{
	return ike_is_wanted(sa, wish, spi) || add(sa, wish, spi) != NULL;
}

bool
ike_want_child(struct ike_sa *sa, struct ike_connection *c,
    const struct ike_connection_child *configured, const struct esp_selector *packet)
{
	struct ike_wanted *w;

	if (find(sa, IKE_WISH_CREATE_CHILD, 0, configured) != NULL)
		return true;
	if ((w = add(sa, IKE_WISH_CREATE_CHILD, 0)) == NULL)
		return false;
	w->connection = ike_connection_hold(c);
	w->configured = configured;
	if (packet != NULL)
		w->packet = *packet;
	return true;
}

static void
forget(struct ike_wanted *w)
{
	ike_connection_free(w->connection);
	free(w);
}

void
ike_want_no_more(struct ike_sa *sa, enum ike_wish wish, uint32_t spi)
{
	struct ike_wanted *w, *next;

	for (w = STAILQ_FIRST(&sa->wanted); w != NULL; w = next) {
		next = STAILQ_NEXT(w, link);
		if (w->wish != wish || w->spi != spi)
			continue;
		STAILQ_REMOVE(&sa->wanted, w, ike_wanted, link);
		forget(w);
	}
}

void
ike_unwant(struct ike_wishes *wishes)
{
	struct ike_wanted *w;

	while ((w = STAILQ_FIRST(wishes)) != NULL) {
		STAILQ_REMOVE_HEAD(wishes, link);
		forget(w);
	}
}

static void
delete_child(struct ike *e, struct ike_sa *sa, const struct ike_wanted *w)
{
	ike_info_begin_delete_child(e, sa, w->spi);
}

static void
rekey_child(struct ike *e, struct ike_sa *sa, const struct ike_wanted *w)
{
	ike_create_begin_rekey(e, sa, w->spi);
}

static void
rekey_ike(struct ike *e, struct ike_sa *sa, const struct ike_wanted *w)
{
	(void)w;
	ike_rekey_begin(e, sa);
}

/* One may find that it is not wanted any more, and begin nothing. */
static void (*const begin[IKE_WISHES])(struct ike *, struct ike_sa *,
    const struct ike_wanted *) = {
	[IKE_WISH_DELETE_CHILD] = delete_child, [IKE_WISH_REKEY_CHILD] = rekey_child,
	[IKE_WISH_CREATE_CHILD] = ike_create_begin, [IKE_WISH_REKEY_IKE] = rekey_ike,
};

/* An id of either side is `limit` or more. */
static bool
has_used(const struct ike_sa *sa, uint32_t limit)
{
	return sa->state == IKE_STATE_ESTABLISHED &&
	    (sa->window.next_request >= limit || sa->window.next_expected >= limit);
}

void
ike_next_wanted(struct ike *e, struct ike_sa *sa)
{
	struct ike_wanted *w;

	if ((sa->close_after || has_used(sa, LAST_IDS)) && sa->ours == NULL) {
		ike_info_delete_sa(e, sa);
		return;
	}
	if (has_used(sa, MANY_IDS) && sa->refusals == 0)
		(void)ike_want(sa, IKE_WISH_REKEY_IKE, 0);	/* else with the next */
	if (sa->mobile.pending && sa->ours == NULL && sa->state == IKE_STATE_ESTABLISHED)
		ike_mobike_begin(e, sa);
	while (sa->ours == NULL && sa->state == IKE_STATE_ESTABLISHED &&
	    (w = STAILQ_FIRST(&sa->wanted)) != NULL) {
		STAILQ_REMOVE_HEAD(&sa->wanted, link);
		begin[w->wish](e, sa, w);
		forget(w);
	}
}
