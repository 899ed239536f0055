/* A datagram into views, views into a datagram. */
#include "libike/message.h"

#include "libike/payload.h"

enum { CRITICAL = 0x80 };	/* 3.2; the other bits of that octet are RESERVED */

/* What 3.2 and RFC 7383 define.  Numbers below are IKEv1's and mean nothing here. */
static bool
is_known(uint8_t type)
{
	return (type >= IKE_PAYLOAD_SA && type <= IKE_PAYLOAD_EAP) ||
	    type == IKE_PAYLOAD_SKF;
}

static bool
is_encrypted(uint8_t type)
{
	return type == IKE_PAYLOAD_SK || type == IKE_PAYLOAD_SKF;
}

enum ike_error
ike_parse_header(struct bytes datagram, struct ike_header *header)
{
	struct ike_reader r = ike_reader(datagram);

	*header = (struct ike_header){ 0 };
	if (datagram.len < IKE_HEADER_LEN)
		return IKE_DROP;
	header->spi_i = ike_read64(&r);
	header->spi_r = ike_read64(&r);
	header->next = ike_read8(&r);
	header->version = ike_read8(&r);
	header->exchange = ike_read8(&r);
	header->flags = ike_read8(&r);
	header->message_id = ike_read32(&r);
	header->length = ike_read32(&r);
	return r.bad || header->length != datagram.len ? IKE_DROP : IKE_OK;
}

/* One payload with its generic header, 3.2; `*next` is the type of the one behind it. */
static bool
read_payload(struct ike_reader *r, struct ike_payload *payload, uint8_t *next)
{
	uint16_t length;

	*next = ike_read8(r);
	payload->critical = (ike_read8(r) & CRITICAL) != 0;
	length = ike_read16(r);
	if (length < IKE_PAYLOAD_HEADER_LEN)
		return false;
	payload->body = ike_read_bytes(r, (size_t)length - IKE_PAYLOAD_HEADER_LEN);
	return !r->bad;
}

/* Unknown payloads are skipped, RFC 7296 2.5; the critical bit means something on unknown
 * ones only. */
static bool
keep(struct ike_message *m, const struct ike_payload *payload)
{
	if (!is_known(payload->type)) {
		if (payload->critical && m->unsupported == 0)
			m->unsupported = payload->type;
		return true;
	}
	if (m->n == IKE_MAX_PAYLOADS)
		return false;
	m->v[m->n++] = *payload;
	return true;
}

enum ike_error
ike_parse_message(struct bytes datagram, struct ike_message *m)
{
	struct ike_payload payload = { 0 };
	struct ike_reader r;
	enum ike_error error;
	uint8_t next;

	m->octets = datagram;
	m->n = 0;
	m->sk_first = IKE_PAYLOAD_NONE;
	m->unsupported = 0;
	error = ike_parse_header(datagram, &m->header);
	if (error != IKE_OK)
		return error;
	r = ike_reader(datagram);
	(void)ike_read_bytes(&r, IKE_HEADER_LEN);
	for (payload.type = m->header.next; payload.type != IKE_PAYLOAD_NONE;
	    payload.type = next) {
		if (!read_payload(&r, &payload, &next) || !keep(m, &payload))
			return IKE_INVALID_SYNTAX;
		if (is_encrypted(payload.type)) {	/* `next` stands inside, 3.14 */
			m->sk_first = next;
			break;
		}
	}
	return ike_left(&r) == 0 ? IKE_OK : IKE_INVALID_SYNTAX;
}

enum ike_error
ike_parse_chain(uint8_t first, struct bytes octets, struct ike_message *m)
{
	struct ike_payload payload = { .type = first };
	struct ike_reader r = ike_reader(octets);
	uint8_t next;

	for (; payload.type != IKE_PAYLOAD_NONE; payload.type = next)
		if (is_encrypted(payload.type) || !read_payload(&r, &payload, &next) ||
		    !keep(m, &payload))
			return IKE_INVALID_SYNTAX;
	return ike_left(&r) == 0 ? IKE_OK : IKE_INVALID_SYNTAX;
}

const struct ike_payload *
ike_find_payload(const struct ike_message *m, uint8_t type, unsigned n)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->v[i].type == type && n-- == 0)
			return &m->v[i];
	return NULL;
}

unsigned
ike_count_payloads(const struct ike_message *m, uint8_t type)
{
	unsigned count = 0;

	for (unsigned i = 0; i < m->n; i++)
		count += m->v[i].type == type;
	return count;
}

bool
ike_find_notify(const struct ike_message *m, uint16_t type, struct ike_notify *out)
{
	struct ike_notify notify;

	for (unsigned i = 0; i < m->n; i++) {
		if (m->v[i].type != IKE_PAYLOAD_NOTIFY ||
		    ike_parse_notify(m->v[i].body, &notify) != IKE_OK ||
		    notify.type != type)
			continue;
		*out = notify;
		return true;
	}
	return false;
}

struct ike_chain
ike_chain(uint8_t *buf, size_t cap)
{
	return (struct ike_chain){ .w = ike_writer(buf, cap) };
}

void
ike_chain_open(struct ike_chain *c, uint8_t type)
{
	if (c->first == IKE_PAYLOAD_NONE)
		c->first = type;
	else
		ike_patch8(&c->w, c->next_at, type);
	c->next_at = c->w.len;
	ike_write8(&c->w, IKE_PAYLOAD_NONE);
	ike_write8(&c->w, 0);	/* never critical: all we send are of RFC 7296, 2.5 */
	c->open_at = ike_open16(&c->w);
}

void
ike_chain_close(struct ike_chain *c)
{
	ike_close16(&c->w, c->open_at, 2);
}

void
ike_add_notify(struct ike_chain *c, uint16_t type, struct bytes data)
{
	struct ike_notify notify = { .type = type, .data = data };

	ike_chain_open(c, IKE_PAYLOAD_NOTIFY);
	ike_build_notify(&c->w, &notify);
	ike_chain_close(c);
}

void
ike_write_header(struct ike_writer *w, const struct ike_header *header)
{
	ike_write64(w, header->spi_i);
	ike_write64(w, header->spi_r);
	ike_write8(w, header->next);
	ike_write8(w, header->version);
	ike_write8(w, header->exchange);
	ike_write8(w, header->flags);
	ike_write32(w, header->message_id);
	ike_write32(w, header->length);
}

void
ike_write_message(struct ike_writer *w, const struct ike_header *header,
    const struct ike_chain *chain)
{
	struct ike_header full = *header;

	if (chain->w.bad) {
		w->bad = true;
		return;
	}
	full.next = chain->first;
	full.length = (uint32_t)(IKE_HEADER_LEN + chain->w.len);
	ike_write_header(w, &full);
	ike_write_bytes(w, ike_written(&chain->w));
}
