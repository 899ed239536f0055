/* Refusals: what was refused, both sides' values, and the setting that decides. */
#include <stdio.h>
#include <string.h>

#include "libike/sa.h"

struct ike_refusal
ike_refusal(enum ike_error error, const char *what)
{
	return (struct ike_refusal){ .error = error, .what = what };
}

static bool
ours_has(const struct ike_proposals *ours, const struct ike_transform *t)
{
	for (unsigned i = 0; i < ours->n; i++)
		for (unsigned k = 0; k < ours->v[i].n; k++)
			if (ours->v[i].v[k].type == t->type &&
			    ours->v[i].v[k].id == t->id &&
			    ours->v[i].v[k].key_bits == t->key_bits)
				return true;
	return false;
}

static bool
ours_uses(const struct ike_proposals *ours, uint8_t type)
{
	for (unsigned i = 0; i < ours->n; i++)
		for (unsigned k = 0; k < ours->v[i].n; k++)
			if (ours->v[i].v[k].type == type)
				return true;
	return false;
}

/* In IKE_AUTH the groups of ESP proposals are left out, and stand for nothing, 1.2. */
static bool
has_groups(const struct ike_proposals *ours, const struct ike_sa *sa)
{
	return ours->n == 0 || ours->v[0].protocol != IKE_PROTOCOL_ESP ||
	    (sa != NULL && sa->state >= IKE_STATE_ESTABLISHED);
}

/* The first transform type for which the peer names nothing that we have. */
static const char *
find_difference(const struct ike_proposals *ours, struct bytes theirs, bool with_ke,
    char *buf, size_t len)
{
	static const uint8_t types[] = { IKE_ENCR, IKE_INTEG, IKE_PRF, IKE_KE, IKE_ESN };
	struct ike_proposal_view p;
	struct ike_transform t;
	struct bytes rest;
	char name[IKE_NAME_LEN];

	for (size_t i = 0; i < sizeof(types); i++) {
		bool named = false, common = false;

		if (types[i] == IKE_KE && !with_ke)
			continue;
		for (rest = theirs; ike_next_proposal(&rest, &p);)
			while (ike_next_transform(&p.transforms, &t))
				if (t.type == types[i]) {
					named = true;
					common = common || ours_has(ours, &t);
				}
		if (common || (!named && !ours_uses(ours, types[i])))
			continue;
		if (types[i] == IKE_INTEG && (!named || !ours_uses(ours, IKE_INTEG)))
			continue;	/* an AEAD needs none: the ciphers differ */
		snprintf(
		    buf, len, "no %s in common", ike_transform_type_name(types[i], name));
		return buf;
	}
	return "each algorithm is known to both, but no one proposal holds them all";
}

void
ike_refuse_proposals(struct ike *e, const struct ike_sa *sa, ike_id connection,
    const struct ike_path *path, const struct ike_proposals *ours, struct bytes theirs)
{
	bool esp = ours->n > 0 && ours->v[0].protocol == IKE_PROTOCOL_ESP;
	struct ike_refusal r = ike_refusal(IKE_NO_PROPOSAL_CHOSEN,
	    esp ? "no ESP proposal in common" : "no IKE proposal in common");
	char our_text[512], their_text[512], first[128];
	bool with_ke = has_groups(ours, sa);

	r.ours = ike_offer_print(ours, with_ke, our_text, sizeof(our_text));
	r.theirs = ike_sa_print(theirs, their_text, sizeof(their_text));
	r.difference = find_difference(ours, theirs, with_ke, first, sizeof(first));
	r.setting = esp ? "esp" : "ike";
	r.path = *path;
	ike_say_refused(e, sa, connection, &r);
}

void
ike_refuse_identity(struct ike *e, const struct ike_sa *sa, const char *what,
    const char *setting, const struct ike_identity *ours,
    const struct ike_id_view *theirs)
{
	struct ike_refusal r = ike_refusal(IKE_AUTHENTICATION_FAILED, what);
	char our_text[256], their_text[256];

	r.ours = ike_id_print(ours->type, ours->data, our_text, sizeof(our_text));
	r.theirs =
	    ike_id_print(theirs->type, theirs->data, their_text, sizeof(their_text));
	r.setting = setting;
	ike_say_refused(e, sa, 0, &r);
}

static void
print_pair(const struct ike_ts *local, const struct ike_ts *remote, char *buf, size_t len)
{
	char a[256], b[256];

	snprintf(buf, len, "%s === %s", ike_ts_print(local, a, sizeof(a)),
	    ike_ts_print(remote, b, sizeof(b)));
}

/* `local` and `remote`: TS payloads (checked) as seen from here. */
void
ike_refuse_selectors(struct ike *e, const struct ike_sa *sa,
    const struct ike_connection *c, struct bytes remote, struct bytes local)
{
	struct ike_refusal r = ike_refusal(IKE_TS_UNACCEPTABLE,
	    "the traffic selectors have nothing in common");
	struct ike_ts l = { 0 }, t = { 0 };
	char ours[600], theirs[600];
	size_t at = 0;

	ours[0] = theirs[0] = '\0';
	for (unsigned i = 0; i < c->n_children && at < sizeof(ours); i++) {
		if (i > 0)
			at += (size_t)snprintf(ours + at, sizeof(ours) - at, ", ");
		if (at < sizeof(ours))
			print_pair(&c->children[i].local, &c->children[i].remote,
			    ours + at, sizeof(ours) - at);
		at = strlen(ours);
	}
	if (ike_ts_read(local, &l) == IKE_OK && ike_ts_read(remote, &t) == IKE_OK)
		print_pair(&l, &t, theirs, sizeof(theirs));
	ike_ts_free(&l);
	ike_ts_free(&t);
	r.ours = ours;
	r.theirs = theirs;
	r.setting = "subnets";
	ike_say_refused(e, sa, 0, &r);
}

void
ike_refuse_more(struct ike *e, const struct ike_sa *sa, enum ike_error error,
    const char *what, unsigned most)
{
	struct ike_refusal r = ike_refusal(error, what);
	char ours[32];

	snprintf(ours, sizeof(ours), "at most %u", most);
	r.ours = ours;
	ike_say_refused(e, sa, 0, &r);
}

/* What we had asked for, a Child SA or (NULL) an IKE SA, by the notify that answers
 * it. */
static void
fill_asked(struct ike_refusal *r, const struct ike_sa *sa,
    const struct ike_connection_child *child, char *buf, size_t len)
{
	const struct ike_connection *c = sa->connection;
	char id[256];

	if (sa->state == IKE_STATE_ESTABLISHED && sa->peer != NULL)
		c = sa->peer->connection;	/* as rekeys ask for it */
	switch (r->error) {
	case IKE_NO_PROPOSAL_CHOSEN:
	case IKE_INVALID_KE_PAYLOAD:
		r->what = child != NULL ? "the peer accepts none of our ESP proposals" :
		    "the peer accepts none of our IKE proposals";
		r->ours = ike_offer_print(child != NULL ? &c->esp : &c->ike,
		    child == NULL || has_groups(&c->esp, sa), buf, len);
		r->setting = child != NULL ? "esp" : "ike";
		break;
	case IKE_AUTHENTICATION_FAILED:
		r->what = "the peer does not accept our identity or our proof of it";
		snprintf(buf, len, "id %s",
		    ike_id_print(c->local_id.type, c->local_id.data, id, sizeof(id)));
		r->ours = buf;
		r->setting = "secret";
		break;
	case IKE_TS_UNACCEPTABLE:
		r->what = "the peer accepts none of our traffic selectors";
		if (child != NULL)
			print_pair(&child->local, &child->remote, buf, len);
		r->ours = buf;
		r->setting = "subnets";
		break;
	default:
		r->what = "the peer refused";
		break;
	}
}

void
ike_refused_by_peer(struct ike *e, const struct ike_sa *sa, enum ike_error error,
    const struct ike_connection_child *child)
{
	struct ike_refusal r = ike_refusal(error, "");
	char ours[600] = "", theirs[80];

	r.by_peer = true;
	r.child = child != NULL ? child->name : "";
	snprintf(theirs, sizeof(theirs), "%s", ike_error_name(error));
	r.theirs = theirs;
	fill_asked(&r, sa, child, ours, sizeof(ours));
	ike_say_refused(e, sa, 0, &r);
}

void
ike_answer_unprotected(struct ike *e, const struct ike_path *path,
    const struct ike_header *asked, uint16_t notify, struct bytes data)
{
	struct ike_header h = { .spi_i = asked->spi_i,
		.spi_r = asked->spi_r,
		.version = 0x20,
		.exchange = asked->exchange,
		.message_id = asked->message_id,
		.flags = (uint8_t)(IKE_FLAG_RESPONSE |
		    (asked->flags & IKE_FLAG_INITIATOR ? 0 : IKE_FLAG_INITIATOR)) };
	struct ike_chain chain = ike_chain_begin(e);
	struct ike_writer w = ike_writer(e->scratch, sizeof(e->scratch));

	ike_add_notify(&chain, notify, data);
	ike_write_message(&w, &h, &chain);
	if (w.bad || w.len > asked->length)
		return;
	ike_trace_sent(e, NULL, &h, &chain);
	ike_send(e, path, ike_written(&w));
}

void
ike_refuse_unprotected(struct ike *e, const struct ike_path *path,
    const struct ike_header *asked, enum ike_error error, struct bytes data)
{
	if (ike_may_answer(e))
		ike_answer_unprotected(e, path, asked, (uint16_t)error, data);
}
