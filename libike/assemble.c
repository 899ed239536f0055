/* Fragments that an SA receives, RFC 7383 2.6: of one message in each direction.  Nothing
 * else of the SA knows of a message before all of it is here.  A peer that has said who
 * it is may leave one message of any length with us; those that have not, all together
 * no more than so much. */
#include <stdlib.h>

#include "libike/sa.h"

enum { MOST_OF_STRANGERS = 16 << 20 };	/* octets, in half-open SAs as responder */

static size_t
held(const struct ike_reassembly *r)
{
	return r == NULL ? 0 :
	    sizeof(*r) + r->total * sizeof(r->part[0]) + r->octets;
}

static void
count(struct ike *e, const struct ike_sa *sa, size_t before, size_t after)
{
	e->counts.reassembling += after - before;
	if (ike_source_has(sa))
		e->left_by_strangers += after - before;
}

/* The fragment's own length stands for what it would add. */
static bool
is_too_much(const struct ike *e, const struct ike_sa *sa, struct bytes wire)
{
	return ike_source_has(sa) && e->left_by_strangers + wire.len > MOST_OF_STRANGERS;
}

enum ike_error
ike_assemble(struct ike *e, struct ike_sa *sa, uint8_t **copy, struct bytes wire,
    struct ike_message *m, struct ike_mark *mark)
{
	struct ike_reassembly **r =
	    &sa->coming[(m->header.flags & IKE_FLAG_RESPONSE) != 0];
	const size_t before = held(*r);
	struct ike_whole whole;
	enum ike_error error;

	if (is_too_much(e, sa, wire))
		return IKE_DROP;
	error = ike_reassemble(r, &sa->suite, &sa->keys, !sa->initiator, *copy, m, wire,
	    &whole);
	ike_wipe(*copy, wire.len);	/* it is plaintext; what is kept is elsewhere */
	count(e, sa, before, held(*r));
	if (error == IKE_OK || error == IKE_WAIT)
		ike_trace_fragments(e, sa, false, wire);
	if (error != IKE_OK)
		return error;
	free(*copy);
	*copy = whole.octets;
	*mark = whole.mark;
	m->octets = bytes_of(whole.octets, whole.len);
	m->n = 0;
	return ike_parse_chain(whole.first, m->octets, m);
}

void
ike_assemble_end(struct ike *e, struct ike_sa *sa, bool response)
{
	struct ike_reassembly **r = &sa->coming[response];

	count(e, sa, held(*r), 0);
	ike_reassembly_free(*r);
	*r = NULL;
}
