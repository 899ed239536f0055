#include "libike/sa.h"
#include "tests/sim/intact.h"
#include "tests/unit/digest.h"

enum { NEXT = 16, TYPE = 18, FLAGS = 19, ID = 20 };

static bool
is_protected(const struct frame *f)
{
	return f->kind != FRAME_IKE || (f->len > IKE_HEADER_LEN &&
	    (f->data[NEXT] == IKE_PAYLOAD_SK || f->data[NEXT] == IKE_PAYLOAD_SKF));
}

/* Before its keys are proven an SA has to believe what comes without protection. */
static bool
may_change(const struct ike_sa *sa, const struct frame *f)
{
	return sa->state == IKE_STATE_INIT_SENT || (!is_protected(f) &&
	    (sa->state == IKE_STATE_INIT_DONE || sa->state == IKE_STATE_AUTH_SENT));
}

void
intact_remember(const struct host *h, const struct frame *f, struct intact *i)
{
	const struct ike_sa *sa;

	i->n = 0;
	TAILQ_FOREACH(sa, &h->ike->sas, link)
		if (i->n < INTACT_MOST && !may_change(sa, f)) {
			i->v[i->n].id = sa->id;
			i->v[i->n].hint_at = sa->live.hint_at;
			i->v[i->n++].digest = sa_digest(sa);
		}
}

/* A hint, which anybody may give, makes it ask whether its peer is there, now and then
 * (RFC 7296 2.4). */
static bool
has_asked(const struct ike_sa *sa, ike_time hint_at)
{
	return sa->live.hint_at != hint_at &&
	    (sa->ours != NULL || sa->live.asking != NULL);
}

void
intact_compare(const struct host *h, const struct intact *before)
{
	const struct ike_sa *sa;

	for (unsigned i = 0; i < before->n; i++) {
		sa = ike_table_sa(h->ike, before->v[i].id);
		if (sa == NULL || (sa_digest(sa) != before->v[i].digest &&
		    !has_asked(sa, before->v[i].hint_at)))
			judge_blame(h->judge,
			    "an unauthenticated packet changed IKE SA %llu of host %c",
			    (unsigned long long)before->v[i].id, 'A' + h->number);
	}
}

/* A request that was not yet answered, or the response to one that is still open. */
bool
intact_is_news(const struct host *h, const struct frame *f)
{
	const struct ike_sa *sa;
	uint32_t id;

	if (f->kind != FRAME_IKE || f->len < IKE_HEADER_LEN ||
	    f->data[TYPE] == IKE_SA_INIT)
		return false;
	id = bytes_load32(f->data + ID);
	TAILQ_FOREACH(sa, &h->ike->sas, link) {
		if (sa->spi_i != bytes_load64(f->data) ||
		    sa->spi_r != bytes_load64(f->data + 8))
			continue;
		if ((f->data[FLAGS] & IKE_FLAG_RESPONSE) == 0)
			return id >= sa->window.next_expected;
		return sa->ours != NULL && sa->ours->id == id;
	}
	return false;
}
