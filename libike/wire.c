/* Every bound of every field is checked here and nowhere else: by comparing with what is
 * left, never by adding to a pointer first. */
#include "libike/wire.h"

struct ike_reader
ike_reader(struct bytes octets)
{
	static const uint8_t nothing[1];

	if (octets.len == 0)	/* its p may be NULL, which has no arithmetic */
		return (struct ike_reader){ nothing, nothing, false };
	return (struct ike_reader){ octets.p, octets.p + octets.len, false };
}

size_t
ike_left(const struct ike_reader *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->p);
}

/* The next n octets, or NULL and bad. */
static const uint8_t *
take(struct ike_reader *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->bad || n > (size_t)(r->end - r->p)) {
		r->bad = true;
		return NULL;
	}
	r->p += n;
	return p;
}

uint8_t
ike_read8(struct ike_reader *r)
{
	const uint8_t *p = take(r, 1);

	return p == NULL ? 0 : *p;
}

uint16_t
ike_read16(struct ike_reader *r)
{
	const uint8_t *p = take(r, 2);

	return p == NULL ? 0 : bytes_load16(p);
}

uint32_t
ike_read32(struct ike_reader *r)
{
	const uint8_t *p = take(r, 4);

	return p == NULL ? 0 : bytes_load32(p);
}

uint64_t
ike_read64(struct ike_reader *r)
{
	const uint8_t *p = take(r, 8);

	return p == NULL ? 0 : bytes_load64(p);
}

struct bytes
ike_read_bytes(struct ike_reader *r, size_t n)
{
	const uint8_t *p = take(r, n);

	return p == NULL ? bytes_of(NULL, 0) : bytes_of(p, n);
}

struct bytes
ike_read_rest(struct ike_reader *r)
{
	return ike_read_bytes(r, ike_left(r));
}

struct ike_writer
ike_writer(uint8_t *p, size_t cap)
{
	return (struct ike_writer){ .p = p, .cap = cap };
}

uint8_t *
ike_write_space(struct ike_writer *w, size_t n)
{
	uint8_t *p;

	if (w->bad || n > w->cap - w->len) {
		w->bad = true;
		return NULL;
	}
	p = w->p + w->len;
	w->len += n;
	return p;
}

void
ike_write8(struct ike_writer *w, uint8_t value)
{
	uint8_t *p = ike_write_space(w, 1);

	if (p != NULL)
		*p = value;
}

void
ike_write16(struct ike_writer *w, uint16_t value)
{
	uint8_t *p = ike_write_space(w, 2);

	if (p != NULL)
		bytes_store16(p, value);
}

void
ike_write32(struct ike_writer *w, uint32_t value)
{
	uint8_t *p = ike_write_space(w, 4);

	if (p != NULL)
		bytes_store32(p, value);
}

void
ike_write64(struct ike_writer *w, uint64_t value)
{
	uint8_t *p = ike_write_space(w, 8);

	if (p != NULL)
		bytes_store64(p, value);
}

void
ike_write_bytes(struct ike_writer *w, struct bytes octets)
{
	uint8_t *p;

	if (octets.len == 0)	/* its p may be NULL, which memcpy must not see */
		return;
	p = ike_write_space(w, octets.len);
	if (p != NULL)
		memcpy(p, octets.p, octets.len);
}

void
ike_write_zero(struct ike_writer *w, size_t n)
{
	uint8_t *p;

	if (n == 0)
		return;
	p = ike_write_space(w, n);
	if (p != NULL)
		memset(p, 0, n);
}

void
ike_patch8(struct ike_writer *w, size_t at, uint8_t value)
{
	if (w->bad)
		return;
	if (at >= w->len)
		w->bad = true;
	else
		w->p[at] = value;
}

size_t
ike_open16(struct ike_writer *w)
{
	size_t at = w->len;

	ike_write16(w, 0);
	return at;
}

void
ike_close16(struct ike_writer *w, size_t at, size_t before)
{
	size_t length;

	if (w->bad)
		return;
	if (before > at || w->len < 2 || at > w->len - 2) {
		w->bad = true;
		return;
	}
	length = w->len - at + before;
	if (length > UINT16_MAX)
		w->bad = true;
	else
		bytes_store16(w->p + at, (uint16_t)length);
}

struct bytes
ike_written(const struct ike_writer *w)
{
	return w->bad ? bytes_of(NULL, 0) : bytes_of(w->p, w->len);
}
