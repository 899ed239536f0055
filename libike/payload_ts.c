/* Traffic Selector payloads, RFC 7296 3.13. */
#include "libike/payload.h"

enum {
	TS_HEADER = 4,		/* count and RESERVED */
	SELECTOR_HEADER = 4	/* type, protocol, length */
};

static const struct family {
	uint8_t type, family, addr_len;
} families[] = {	/* 3.13.1 */
	{ IKE_TS_IPV4_ADDR_RANGE, ESP_IPV4, 4 },
	{ IKE_TS_IPV6_ADDR_RANGE, ESP_IPV6, 16 }
};

static const struct family *
find_type(uint8_t type)
{
	for (size_t i = 0; i < sizeof families / sizeof *families; i++)
		if (families[i].type == type)
			return &families[i];
	return NULL;
}

static const struct family *
find_family(uint8_t family)
{
	for (size_t i = 0; i < sizeof families / sizeof *families; i++)
		if (families[i].family == family)
			return &families[i];
	return NULL;
}

static void
copy_address(struct ike_reader *r, uint8_t len, uint8_t addr[16])
{
	struct bytes octets = ike_read_bytes(r, len);

	memset(addr, 0, 16);
	if (octets.len != 0)
		memcpy(addr, octets.p, octets.len);
}

/* One selector; its length field is obeyed whatever its type.  Of an unknown type only
 * the length is read, and range->family is 0. */
static bool
read_selector(struct ike_reader *r, struct esp_range *range)
{
	const struct family *f = find_type(ike_read8(r));
	struct ike_reader body;
	size_t length;

	*range = (struct esp_range){ 0 };
	range->protocol = ike_read8(r);
	length = ike_read16(r);
	if (length < SELECTOR_HEADER)
		return false;
	body = ike_reader(ike_read_bytes(r, length - SELECTOR_HEADER));
	if (r->bad || f == NULL)
		return !r->bad;
	range->family = f->family;
	range->port[0] = ike_read16(&body);
	range->port[1] = ike_read16(&body);
	copy_address(&body, f->addr_len, range->addr[0]);
	copy_address(&body, f->addr_len, range->addr[1]);
	return !body.bad && ike_left(&body) == 0 &&
	    memcmp(range->addr[0], range->addr[1], f->addr_len) <= 0;
}

enum ike_error
ike_check_ts(struct bytes body)
{
	struct ike_reader r = ike_reader(body);
	struct esp_range range;
	unsigned count, n = 0;

	count = ike_read8(&r);
	(void)ike_read_bytes(&r, TS_HEADER - 1);	/* RESERVED */
	for (; ike_left(&r) != 0; n++)
		if (!read_selector(&r, &range))
			return IKE_INVALID_SYNTAX;
	return r.bad || count == 0 || n != count ? IKE_INVALID_SYNTAX : IKE_OK;
}

struct bytes
ike_ts_list(struct bytes body)
{
	struct ike_reader r = ike_reader(body);

	(void)ike_read_bytes(&r, TS_HEADER);
	return ike_read_rest(&r);
}

bool
ike_next_ts(struct bytes *list, struct esp_range *range)
{
	struct ike_reader r = ike_reader(*list);
	bool found = false;

	while (!found && ike_left(&r) != 0 && read_selector(&r, range))
		found = range->family != 0 && esp_range_valid(range);
	*list = found ? ike_read_rest(&r) : bytes_of(NULL, 0);
	return found;
}

static void
build_selector(struct ike_writer *w, const struct esp_range *range)
{
	const struct family *f = find_family(range->family);
	size_t at;

	if (f == NULL) {
		w->bad = true;
		return;
	}
	ike_write8(w, f->type);
	ike_write8(w, range->protocol);
	at = ike_open16(w);
	ike_write16(w, range->port[0]);
	ike_write16(w, range->port[1]);
	ike_write_bytes(w, bytes_of(range->addr[0], f->addr_len));
	ike_write_bytes(w, bytes_of(range->addr[1], f->addr_len));
	ike_close16(w, at, 2);
}

void
ike_build_ts(struct ike_writer *w, const struct esp_range *ranges, unsigned n)
{
	if (n == 0 || n > UINT8_MAX) {
		w->bad = true;
		return;
	}
	ike_write8(w, (uint8_t)n);
	ike_write_zero(w, 3);
	for (unsigned i = 0; i < n; i++)
		build_selector(w, &ranges[i]);
}
