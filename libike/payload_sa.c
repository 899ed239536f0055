/* Security Association payload, RFC 7296 3.3: proposals, in them transforms, in them
 * attributes.  The check and the iterators share the readers of one item, so what one
 * accepts the other cannot misread. */
#include "libike/payload.h"

enum {
	LAST = 0, MORE_PROPOSALS = 2, MORE_TRANSFORMS = 3,	/* 3.3.1, 3.3.2 */
	PROPOSAL_HEADER = 8, TRANSFORM_HEADER = 8,
	ATTRIBUTE_TV = 0x8000	/* 3.3.5: the value stands in the length field */
};

/* A substructure that begins with "last", RESERVED and a length that counts itself. */
static struct ike_reader
read_item(struct ike_reader *r, size_t header, uint8_t *last)
{
	struct ike_reader item;
	size_t length;

	*last = ike_read8(r);
	(void)ike_read8(r);	/* RESERVED */
	length = ike_read16(r);
	if (length < header)
		r->bad = true;
	item = ike_reader(ike_read_bytes(r, r->bad ? 0 : length - 4));
	item.bad = r->bad;
	return item;
}

/* "Last" must say what the lengths say. */
static bool
last_agrees(const struct ike_reader *r, uint8_t last, uint8_t more)
{
	return last == (ike_left(r) == 0 ? LAST : more);
}

/* 3.3.5.  Key Length is the only attribute there is; anything else, or a Key Length in
 * another shape, twice or zero, makes the transform one that cannot be chosen. */
static void
read_attribute(struct ike_reader *r, struct ike_transform *t)
{
	uint16_t type = ike_read16(r);
	uint16_t value = ike_read16(r);

	if ((type & ATTRIBUTE_TV) == 0)
		(void)ike_read_bytes(r, value);
	if (type == (ATTRIBUTE_TV | IKE_ATTRIBUTE_KEY_LENGTH) && t->key_bits == 0 &&
	    value != 0)
		t->key_bits = value;
	else
		t->unknown_attribute = true;
}

static bool
read_transform(struct ike_reader *r, struct ike_transform *t)
{
	struct ike_reader item;
	uint8_t last;

	*t = (struct ike_transform){ 0 };
	item = read_item(r, TRANSFORM_HEADER, &last);
	t->type = ike_read8(&item);
	(void)ike_read8(&item);	/* RESERVED */
	t->id = ike_read16(&item);
	while (ike_left(&item) != 0)
		read_attribute(&item, t);
	return !item.bad && last_agrees(r, last, MORE_TRANSFORMS);
}

/* IKE_SA_INIT has no SPI, an IKE rekey 8 octets, AH and ESP 4.  A protocol that is not
 * known is not chosen, whatever its SPI. */
static bool
spi_fits(uint8_t protocol, uint8_t spi_len)
{
	if (protocol == IKE_PROTOCOL_IKE)
		return spi_len == 0 || spi_len == IKE_SPI_LEN;
	if (protocol == IKE_PROTOCOL_AH || protocol == IKE_PROTOCOL_ESP)
		return spi_len == IKE_ESP_SPI_LEN;
	return true;
}

static bool
read_proposal(struct ike_reader *r, struct ike_proposal_view *p, uint8_t *n_transforms)
{
	struct ike_reader item;
	uint8_t last, spi_len;

	item = read_item(r, PROPOSAL_HEADER, &last);
	p->number = ike_read8(&item);
	p->protocol = ike_read8(&item);
	spi_len = ike_read8(&item);
	*n_transforms = ike_read8(&item);
	p->spi = ike_read_bytes(&item, spi_len);
	p->transforms = ike_read_rest(&item);
	return !item.bad && spi_fits(p->protocol, spi_len) &&
	    last_agrees(r, last, MORE_PROPOSALS);
}

static bool
check_transforms(struct bytes transforms, unsigned n)
{
	struct ike_reader r = ike_reader(transforms);
	struct ike_transform t;
	unsigned count = 0;

	for (; ike_left(&r) != 0; count++)
		if (!read_transform(&r, &t))
			return false;
	return count == n;
}

enum ike_error
ike_check_sa(struct bytes body)
{
	struct ike_reader r = ike_reader(body);
	struct ike_proposal_view p;
	uint8_t n_transforms;

	if (body.len == 0)
		return IKE_INVALID_SYNTAX;
	while (ike_left(&r) != 0)
		if (!read_proposal(&r, &p, &n_transforms) ||
		    !check_transforms(p.transforms, n_transforms))
			return IKE_INVALID_SYNTAX;
	return r.bad ? IKE_INVALID_SYNTAX : IKE_OK;
}

bool
ike_next_proposal(struct bytes *sa, struct ike_proposal_view *p)
{
	struct ike_reader r = ike_reader(*sa);
	uint8_t n_transforms;

	if (!read_proposal(&r, p, &n_transforms)) {
		*sa = bytes_of(NULL, 0);
		return false;
	}
	*sa = ike_read_rest(&r);
	return true;
}

bool
ike_next_transform(struct bytes *transforms, struct ike_transform *t)
{
	struct ike_reader r = ike_reader(*transforms);

	if (!read_transform(&r, t)) {
		*transforms = bytes_of(NULL, 0);
		return false;
	}
	*transforms = ike_read_rest(&r);
	return true;
}
