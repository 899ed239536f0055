/* Proposals on the wire and choosing one, RFC 7296 2.7, 3.3. */
#include <stdlib.h>

#include "libike/keys.h"
#include "libike/proposal.h"

void
ike_proposals_free(struct ike_proposals *list)
{
	for (unsigned i = 0; i < list->n; i++)
		free(list->v[i].v);
	free(list->v);
	*list = (struct ike_proposals){ NULL, 0 };
}

/* ---- what a proposal says ---- */

static bool
has_type(const struct ike_proposal *p, uint8_t type)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->v[i].type == type)
			return true;
	return false;
}

static bool
has_transform(const struct ike_proposal *p, uint8_t type, uint16_t id, uint16_t key_bits)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->v[i].type == type && p->v[i].id == id &&
		    p->v[i].key_bits == key_bits)
			return true;
	return false;
}

/* Key exchange belongs to every IKE proposal, and to ESP ones outside IKE_AUTH, 1.2. */
static bool
left_out(const struct ike_proposal *p, uint8_t type, bool with_ke)
{
	return type == IKE_KE && p->protocol == IKE_PROTOCOL_ESP && !with_ke;
}

/* May the type be missing, which means NONE, 3.3.3? */
static bool
may_lack(const struct ike_proposal *p, uint8_t type, bool with_ke)
{
	return !has_type(p, type) || left_out(p, type, with_ke) ||
	    (type == IKE_KE && has_transform(p, IKE_KE, IKE_KE_NONE, 0));
}

/* Integrity beside an AEAD cipher, and key exchange where there is none, may be named
 * NONE as well as left out, 3.3.3, RFC 5282 8. */
static bool
may_be_none(const struct ike_proposal *p, uint8_t type, bool with_ke)
{
	if (type == IKE_INTEG)
		return !has_type(p, type);
	return type == IKE_KE && p->protocol == IKE_PROTOCOL_ESP &&
	    may_lack(p, type, with_ke);
}

/* ---- building ---- */

static void
write_transform(struct ike_writer *w, const struct ike_transform *t, bool last)
{
	enum { MORE = 3, FIXED_LENGTH = 0x8000 };	/* 3.3.2, 3.3.5 */
	size_t length;

	ike_write8(w, last ? 0 : MORE);
	ike_write8(w, 0);
	length = ike_open16(w);
	ike_write8(w, t->type);
	ike_write8(w, 0);
	ike_write16(w, t->id);
	if (t->key_bits != 0) {
		ike_write16(w, FIXED_LENGTH | IKE_ATTRIBUTE_KEY_LENGTH);
		ike_write16(w, t->key_bits);
	}
	ike_close16(w, length, 2);
}

static void
write_proposal(struct ike_writer *w, uint8_t number, const struct ike_proposal *p,
    struct bytes spi, bool with_ke, bool last)
{
	enum { MORE = 2 };	/* 3.3.1 */
	uint8_t left = 0;
	size_t length;

	for (unsigned i = 0; i < p->n; i++)
		if (!left_out(p, p->v[i].type, with_ke))
			left++;

	ike_write8(w, last ? 0 : MORE);
	ike_write8(w, 0);
	length = ike_open16(w);
	ike_write8(w, number);
	ike_write8(w, p->protocol);
	ike_write8(w, (uint8_t)spi.len);
	ike_write8(w, left);
	ike_write_bytes(w, spi);
	for (unsigned i = 0; i < p->n; i++)
		if (!left_out(p, p->v[i].type, with_ke))
			write_transform(w, &p->v[i], --left == 0);
	ike_close16(w, length, 2);
}

void
ike_build_sa(struct ike_writer *w, const struct ike_proposals *ours, struct bytes spi,
    bool with_ke)
{
	for (unsigned i = 0; i < ours->n; i++)
		write_proposal(w, (uint8_t)(i + 1), &ours->v[i], spi, with_ke,
		    i + 1 == ours->n);
}

void
ike_build_choice(struct ike_writer *w, const struct ike_choice *choice, struct bytes spi)
{
	struct ike_transform v[IKE_TRANSFORM_TYPES];
	struct ike_proposal chosen = { choice->protocol, 0, v };

	for (uint8_t type = 1; type < IKE_TRANSFORM_TYPES; type++)
		if (choice->has[type])
			v[chosen.n++] = (struct ike_transform){
				.type = type, .id = choice->id[type],
				.key_bits = type == IKE_ENCR ? choice->key_bits : 0
			};
	write_proposal(w, choice->number, &chosen, spi, true, true);
}

/* ---- choosing ---- */

/* Is the transform in the peer's proposal, in a form that may be chosen (3.3.6)? */
static bool
offered(struct bytes transforms, uint8_t type, uint16_t id, uint16_t key_bits)
{
	struct ike_transform t;

	while (ike_next_transform(&transforms, &t))
		if (t.type == type && t.id == id && t.key_bits == key_bits &&
		    !t.unknown_attribute)
			return true;
	return false;
}

static bool
type_offered(struct bytes transforms, uint8_t type)
{
	struct ike_transform t;

	while (ike_next_transform(&transforms, &t))
		if (t.type == type)
			return true;
	return false;
}

/* What the peer proposes, and the group that its KE payload is of: with any other one the
 * exchange would have to be begun again. */
struct peers {
	struct ike_proposal_view proposal;
	uint16_t group;
};

/* Who sends no KE payload, and would do without, is taken at that: a group would cost a
 * round more, and not every peer knows how to begin again with one. */
static bool
does_without(const struct ike_proposal *ours, const struct peers *theirs, bool with_ke)
{
	return ours->protocol == IKE_PROTOCOL_ESP && with_ke &&
	    theirs->group == IKE_KE_NONE && may_be_none(ours, IKE_KE, with_ke) &&
	    offered(theirs->proposal.transforms, IKE_KE, IKE_KE_NONE, 0);
}

/* Takes the peer's group, or our most preferred transform of a type, that is offered,
 * too. */
static bool
choose_type(const struct ike_proposal *ours, const struct peers *theirs, uint8_t type,
    bool with_ke, struct ike_choice *choice)
{
	struct bytes transforms = theirs->proposal.transforms;
	uint16_t group = theirs->group;

	if (type == IKE_KE && group != IKE_KE_NONE && !left_out(ours, type, with_ke) &&
	    has_transform(ours, IKE_KE, group, 0) &&
	    offered(transforms, IKE_KE, group, 0)) {
		choice->has[IKE_KE] = true;
		choice->id[IKE_KE] = group;
		return true;
	}
	if (type == IKE_KE && does_without(ours, theirs, with_ke)) {
		choice->has[IKE_KE] = true;
		choice->id[IKE_KE] = IKE_KE_NONE;
		return true;
	}
	for (unsigned i = 0; i < ours->n; i++) {
		const struct ike_transform *t = &ours->v[i];

		if (t->type != type || left_out(ours, type, with_ke) ||
		    !offered(transforms, type, t->id, t->key_bits))
			continue;
		choice->has[type] = true;
		choice->id[type] = t->id;
		if (type == IKE_ENCR)
			choice->key_bits = t->key_bits;
		return true;
	}
	if (may_be_none(ours, type, with_ke) && offered(transforms, type, 0, 0)) {
		choice->has[type] = true;
		choice->id[type] = 0;
		return true;
	}
	/* Groups in IKE_AUTH stand for nothing, 1.2: what is chosen has none. */
	if (left_out(ours, type, with_ke))
		return true;
	return !type_offered(transforms, type) && may_lack(ours, type, with_ke);
}

/* Every type of the peer's must be one that we know, 3.3.6. */
static bool
types_known(struct bytes transforms)
{
	struct ike_transform t;

	while (ike_next_transform(&transforms, &t))
		if (t.type < IKE_ENCR || t.type > IKE_ESN)
			return false;
	return true;
}

static bool
choose_from(const struct ike_proposal *ours, const struct peers *theirs, bool with_ke,
    struct ike_choice *choice)
{
	const struct ike_proposal_view *p = &theirs->proposal;
	struct ike_choice c = {
		.number = p->number, .protocol = p->protocol, .spi = p->spi
	};

	if (p->protocol != ours->protocol || !types_known(p->transforms))
		return false;
	for (uint8_t type = IKE_ENCR; type <= IKE_ESN; type++)
		if (!choose_type(ours, theirs, type, with_ke, &c))
			return false;
	*choice = c;
	return true;
}

enum ike_error
ike_choose(const struct ike_proposals *ours, struct bytes sa, bool with_ke,
    uint16_t group, struct ike_choice *choice)
{
	struct peers theirs = { .group = group };

	for (unsigned i = 0; i < ours->n; i++)
		for (struct bytes left = sa; ike_next_proposal(&left, &theirs.proposal); )
			if (choose_from(&ours->v[i], &theirs, with_ke, choice))
				return IKE_OK;
	return IKE_NO_PROPOSAL_CHOSEN;
}

enum ike_error
ike_check_choice(const struct ike_proposals *ours, struct bytes sa, bool with_ke,
    struct ike_choice *choice)
{
	struct peers answer = { .group = IKE_KE_NONE };
	struct ike_proposal_view second;
	struct ike_choice c;
	struct ike_transform t;
	unsigned expected = 0, n = 0;

	/* One proposal, under the number of ours that it comes from, 3.3.1. */
	if (!ike_next_proposal(&sa, &answer.proposal) ||
	    ike_next_proposal(&sa, &second) ||
	    answer.proposal.number < 1 || answer.proposal.number > ours->n ||
	    !choose_from(&ours->v[answer.proposal.number - 1], &answer, with_ke, &c))
		return IKE_NO_PROPOSAL_CHOSEN;

	/* As many transforms as types were taken: none twice, and none beside them. */
	for (uint8_t type = 1; type < IKE_TRANSFORM_TYPES; type++)
		expected += c.has[type];
	while (ike_next_transform(&answer.proposal.transforms, &t))
		n++;
	if (n != expected)
		return IKE_NO_PROPOSAL_CHOSEN;
	*choice = c;
	return IKE_OK;
}

static bool
allows(const struct ike_proposal *p, const struct ike_choice *choice)
{
	bool with_ke = choice->has[IKE_KE] && choice->id[IKE_KE] != IKE_KE_NONE;

	if (p->protocol != choice->protocol)
		return false;
	for (uint8_t type = 1; type < IKE_TRANSFORM_TYPES; type++) {
		uint16_t bits = type == IKE_ENCR ? choice->key_bits : 0;

		if (!choice->has[type] ? !may_lack(p, type, with_ke) :
		    !has_transform(p, type, choice->id[type], bits) &&
		    !(choice->id[type] == 0 && may_be_none(p, type, with_ke)))
			return false;
	}
	return true;
}

bool
ike_choice_allowed(const struct ike_proposals *ours, const struct ike_choice *choice)
{
	for (unsigned i = 0; i < ours->n; i++)
		if (allows(&ours->v[i], choice))
			return true;
	return false;
}

/* ---- the rows behind ---- */

bool
ike_suite_of(const struct ike_algorithms *algorithms, const struct ike_choice *choice,
    struct ike_suite *suite)
{
	struct ike_suite s = {
		/* Without integrity the id is 0, which is NONE. */
		.cipher = ike_find_cipher(algorithms, choice->id[IKE_ENCR],
		    choice->key_bits, choice->id[IKE_INTEG]),
		.prf = ike_find_prf(algorithms, choice->id[IKE_PRF]),
		.kex = ike_find_kex(algorithms, choice->id[IKE_KE])
	};

	if (s.cipher == NULL || s.prf == NULL || s.kex == NULL)
		return false;
	*suite = s;
	return true;
}

struct ike_choice
ike_choice_of(const struct ike_suite *suite)
{
	return (struct ike_choice){
		.protocol = IKE_PROTOCOL_IKE, .key_bits = suite->cipher->key_bits,
		.id = { [IKE_ENCR] = suite->cipher->encr, [IKE_PRF] = suite->prf->id,
		    [IKE_INTEG] = suite->cipher->integ, [IKE_KE] = suite->kex->id },
		.has = { [IKE_ENCR] = true, [IKE_PRF] = true,
		    [IKE_INTEG] = suite->cipher->integ != 0, [IKE_KE] = true },
	};
}

uint16_t
ike_first_group(const struct ike_proposals *ours)
{
	for (unsigned i = 0; ours->n > 0 && i < ours->v[0].n; i++)
		if (ours->v[0].v[i].type == IKE_KE)
			return ours->v[0].v[i].id;
	return IKE_KE_NONE;
}

bool
ike_offers_group(const struct ike_proposals *ours, uint16_t group)
{
	for (unsigned i = 0; i < ours->n; i++)
		if (group != IKE_KE_NONE && has_transform(&ours->v[i], IKE_KE, group, 0))
			return true;
	return false;
}
