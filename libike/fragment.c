/* RFC 7383: what is too long for a packet goes in several, and comes back whole.  Parts
 * are found by their number, never by walking a list, and their count and octets are
 * bounded before anything is allocated. */
#include "libike/fragment.h"

#include <stdlib.h>
#include <string.h>

enum { UDP_HEADER = 8, MARKER = 4, IPV4_HEADER = 20, IPV6_HEADER = 40, IKE_PORT = 500 };

size_t
ike_fragment_size(const struct ike_path *path, size_t packet)
{
	size_t around = UDP_HEADER +
	    (path->family == ESP_IPV6 ? IPV6_HEADER : IPV4_HEADER) +
	    (path->port[0] != IKE_PORT && path->port[1] != IKE_PORT ? MARKER : 0);

	return packet > around ? packet - around : 0;
}

bool
ike_next_message(struct bytes *rest, struct bytes *message)
{
	struct ike_reader r = ike_reader(*rest);
	size_t len;

	(void)ike_read_bytes(&r, IKE_HEADER_LEN - 4);
	len = ike_read32(&r);
	if (r.bad || len < IKE_HEADER_LEN || len > rest->len)
		return false;
	*message = bytes_of(rest->p, len);
	*rest = bytes_of(rest->p + len, rest->len - len);
	return true;
}

/* ---- cutting ---- */

static enum ike_error
seal_whole(const struct ike_suite *suite, const struct ike_keys *keys, bool by_initiator,
    const struct ike_header *h, const struct ike_chain *chain, uint64_t *counter,
    const struct ike_random *random, struct ike_writer *w)
{
	const struct ike_cover cover = { .total = 0 };

	if (chain->w.len > ike_seal_room(suite, &cover, IKE_MAX_MESSAGE)) {
		w->bad = true;
		return IKE_NO_MEMORY;
	}
	return ike_seal_message(suite, keys, by_initiator, h, chain, (*counter)++,
	    random, w);
}

enum ike_error
ike_seal_fragments(const struct ike_suite *suite, const struct ike_keys *keys,
    bool by_initiator, const struct ike_header *h, const struct ike_chain *chain,
    size_t size, uint64_t *counter, const struct ike_random *random,
    struct ike_writer *w)
{
	const struct ike_cover sk = { .total = 0 };
	struct ike_cover cover = { .total = 1 };
	struct bytes left = ike_written(&chain->w);
	size_t room = ike_seal_room(suite, &cover, size);
	size_t total = room > 0 ? (left.len + room - 1) / room : 0;
	enum ike_error error = IKE_OK;

	if (left.len <= ike_seal_room(suite, &sk, size) || total == 0 ||
	    total > IKE_MAX_FRAGMENTS)
		return seal_whole(
		    suite, keys, by_initiator, h, chain, counter, random, w);
	cover.total = (uint16_t)total;
	cover.first = chain->first;	/* in the first; in the others 0, 2.5 */
	for (; left.len > 0 && error == IKE_OK; cover.first = IKE_PAYLOAD_NONE) {
		if (room > left.len)
			room = left.len;
		cover.number++;
		error = ike_seal_payload(suite, keys, by_initiator, h, &cover,
		    bytes_of(left.p, room), (*counter)++, random, w);
		left = bytes_of(left.p + room, left.len - room);
	}
	return error;
}

/* ---- putting together ---- */

struct ike_mark
ike_mark(struct bytes wire)
{
	size_t n = wire.len < IKE_TAIL ? wire.len : IKE_TAIL;
	struct ike_mark mark = { .len = (uint32_t)wire.len };	/* of a datagram */

	memcpy(mark.tail, wire.p + wire.len - n, n);
	return mark;
}

bool
ike_mark_is(const struct ike_mark *mark, struct bytes wire)
{
	struct ike_mark other = ike_mark(wire);

	return mark->len == other.len &&
	    memcmp(mark->tail, other.tail, sizeof(other.tail)) == 0;
}

bool
ike_is_fragment(const struct ike_message *m)
{
	return m->header.next == IKE_PAYLOAD_SKF && m->n == 1;
}

struct ike_cover
ike_fragment_cover(const struct ike_message *m)
{
	struct ike_reader r = ike_reader(m->v[0].body);
	struct ike_cover cover = { .first = m->sk_first };

	cover.number = ike_read16(&r);
	cover.total = ike_read16(&r);
	return cover;
}

/* RFC 7383 2.5, 2.6. */
static bool
makes_sense(const struct ike_cover *c)
{
	return c->number > 0 && c->number <= c->total && c->total <= IKE_MAX_FRAGMENTS &&
	    (c->number == 1 || c->first == IKE_PAYLOAD_NONE);
}

void
ike_reassembly_free(struct ike_reassembly *r)
{
	if (r == NULL)
		return;
	for (unsigned i = 0; i < r->total; i++)
		if (r->part[i].p != NULL)
			ike_wipe(r->part[i].p, r->part[i].len);
	for (unsigned i = 0; i < r->total; i++)
		free(r->part[i].p);
	free(r);
}

/* What the fragment belongs to: what is there; or, when it is of another message or cut
 * otherwise, nothing.  False: it is older than what is there, or there already. */
static bool
find_company(const struct ike_reassembly *r, const struct ike_header *h,
    const struct ike_cover *c, bool *begins)
{
	*begins = r == NULL || r->id != h->message_id || r->exchange != h->exchange ||
	    c->total > r->total;
	return *begins ||
	    (c->total == r->total && r->part[c->number - 1].p == NULL);
}

/* The last one is not kept: all goes into one piece.  `r` is NULL when it is the only
 * one. */
static enum ike_error
join(const struct ike_reassembly *r, const struct ike_cover *c, struct bytes plain,
    struct bytes wire, struct ike_whole *whole)
{
	static const struct ike_reassembly nothing;
	const struct ike_reassembly *others = r != NULL ? r : &nothing;
	const size_t len = others->octets + plain.len;
	struct ike_writer w = ike_writer(malloc(len > 0 ? len : 1), len);

	if (w.p == NULL)
		return IKE_NO_MEMORY;
	for (unsigned i = 1; i <= c->total; i++)
		ike_write_bytes(&w, i == c->number ? plain :
		    bytes_of(others->part[i - 1].p, others->part[i - 1].len));
	*whole = (struct ike_whole){ .octets = w.p, .len = len };
	whole->first = c->number == 1 ? c->first : others->first;
	whole->mark = c->number == 1 ? ike_mark(wire) : others->mark;
	return IKE_OK;
}

static struct ike_reassembly *
begin(const struct ike_header *h, const struct ike_cover *c)
{
	struct ike_reassembly *r;

	r = calloc(1, sizeof(*r) + c->total * sizeof(r->part[0]));
	if (r != NULL) {
		r->id = h->message_id;
		r->exchange = h->exchange;
		r->total = c->total;
	}
	return r;
}

static bool
keep(struct ike_reassembly *r, const struct ike_cover *c, struct bytes plain,
    struct bytes wire)
{
	uint8_t *p = malloc(plain.len > 0 ? plain.len : 1);

	if (p == NULL)
		return false;
	if (plain.len > 0)
		memcpy(p, plain.p, plain.len);
	r->part[c->number - 1].p = p;
	r->part[c->number - 1].len = plain.len;
	r->have++;
	r->octets += plain.len;
	if (c->number == 1) {
		r->first = c->first;
		r->mark = ike_mark(wire);
	}
	return true;
}

/* Keeps it with its company, or alone in place of what was there. */
static enum ike_error
take(struct ike_reassembly **r, bool begins, const struct ike_header *h,
    const struct ike_cover *c, struct bytes plain, struct bytes wire)
{
	struct ike_reassembly *to = begins ? begin(h, c) : *r;

	if (to == NULL)
		return IKE_NO_MEMORY;
	if (!keep(to, c, plain, wire)) {
		if (begins)
			ike_reassembly_free(to);
		return IKE_NO_MEMORY;
	}
	if (begins)
		ike_reassembly_free(*r);
	*r = to;
	return IKE_WAIT;
}

enum ike_error
ike_reassemble(struct ike_reassembly **r, const struct ike_suite *suite,
    const struct ike_keys *keys, bool by_initiator, uint8_t *buf,
    const struct ike_message *m, struct bytes wire, struct ike_whole *whole)
{
	const struct ike_cover c = ike_fragment_cover(m);
	struct bytes plain;
	enum ike_error error;
	bool begins;

	if (!makes_sense(&c) || !find_company(*r, &m->header, &c, &begins))
		return IKE_DROP;
	error = ike_open_payload(suite, keys, by_initiator, buf, m, &c, &plain);
	if (error != IKE_OK)		/* nor is one of use whose padding is wrong */
		return error == IKE_NO_MEMORY ? error : IKE_DROP;
	if (plain.len > IKE_MAX_MESSAGE - (begins ? 0 : (*r)->octets))
		return IKE_DROP;
	if ((begins ? 1 : (*r)->have + 1) < c.total)
		return take(r, begins, &m->header, &c, plain, wire);
	error = join(begins ? NULL : *r, &c, plain, wire, whole);
	if (error == IKE_OK) {
		ike_reassembly_free(*r);
		*r = NULL;
	}
	return error;
}
