#include "libesp/selector.h"

/* Ranges are compared and hashed as octets, so there must be no padding. */
_Static_assert(sizeof(struct esp_range) == 38, "struct esp_range has padding");

enum { PORT_LAST = 65535 };

static unsigned
address_len(uint8_t family)
{
	return family == ESP_IPV4 ? 4 : 16;
}

static bool
any_port(const struct esp_range *r)
{
	return r->port[0] == 0 && r->port[1] == PORT_LAST;
}

static bool
opaque_port(const struct esp_range *r)
{
	return r->port[0] == PORT_LAST && r->port[1] == 0;
}

/* ---- addresses as big numbers ---- */

static unsigned
bit_length(unsigned value)
{
	unsigned bits = 0;

	for (; value != 0; value >>= 1)
		bits++;
	return bits;
}

/* Bits that last - first needs: there are at most 2 to that power addresses. */
static unsigned
address_width(const struct esp_range *r)
{
	unsigned len = address_len(r->family), width = 0;
	int borrow = 0;

	for (unsigned i = len; i-- > 0;) {
		int diff = r->addr[1][i] - r->addr[0][i] - borrow;

		borrow = diff < 0;
		if ((diff & 0xff) != 0)
			width = 8 * (len - 1 - i) + bit_length((unsigned)diff & 0xff);
	}
	return width;
}

static unsigned
port_width(const struct esp_range *r)
{
	return opaque_port(r) ? 0 : bit_length((unsigned)r->port[1] - r->port[0]);
}

static bool
bit_is_set(const uint8_t *addr, unsigned bit)
{
	return (addr[bit / 8] & 0x80 >> bit % 8) != 0;
}

/* Sets or clears all bits from number `bits` on. */
static void
set_host(uint8_t *addr, unsigned len, unsigned bits, bool ones)
{
	for (unsigned i = bits / 8; i < len; i++) {
		uint8_t mask = 0xff;

		if (i == bits / 8)
			mask = (uint8_t)(0xff >> bits % 8);

		if (ones)
			addr[i] |= mask;
		else
			addr[i] &= (uint8_t)~mask;
	}
}

/* ---- ranges ---- */

struct esp_range
esp_range_any(uint8_t family)
{
	struct esp_range r = { .family = family, .port = { 0, PORT_LAST } };

	memset(r.addr[1], 0xff, address_len(family));
	return r;
}

bool
esp_range_valid(const struct esp_range *r)
{
	static const uint8_t zero[16];
	unsigned len = address_len(r->family);

	if (r->family != ESP_IPV4 && r->family != ESP_IPV6)
		return false;
	if (memcmp(r->addr[0], r->addr[1], len) > 0 ||
	    memcmp(r->addr[0] + len, zero, 16 - len) != 0 ||
	    memcmp(r->addr[1] + len, zero, 16 - len) != 0)
		return false;
	if (any_port(r) || opaque_port(r))
		return true;
	return r->protocol != 0 && r->port[0] <= r->port[1];
}

bool
esp_range_from_prefix(struct esp_range *r, uint8_t family, const uint8_t *addr,
    unsigned bits)
{
	unsigned len = address_len(family);

	if ((family != ESP_IPV4 && family != ESP_IPV6) || bits > 8 * len)
		return false;
	*r = esp_range_any(family);
	memcpy(r->addr[0], addr, len);
	set_host(r->addr[0], len, bits, false);
	memcpy(r->addr[1], r->addr[0], len);
	set_host(r->addr[1], len, bits, true);
	return true;
}

bool
esp_range_is_prefix(const struct esp_range *r, unsigned *bits)
{
	struct esp_prefix first = { .family = 0 };
	uint8_t last[16];

	if (!esp_range_next_prefix(r, &first))
		return false;
	memcpy(last, first.addr, sizeof last);
	set_host(last, address_len(r->family), first.bits, true);
	if (memcmp(last, r->addr[1], sizeof last) != 0)
		return false;
	*bits = first.bits;
	return true;
}

bool
esp_range_next_prefix(const struct esp_range *r, struct esp_prefix *p)
{
	unsigned len = address_len(r->family), bits = 8 * len;
	uint8_t next[16], last[16];

	memcpy(next, r->addr[0], sizeof next);
	if (p->family != 0) {
		memcpy(next, p->addr, sizeof next);
		set_host(next, len, p->bits, true);
		if (memcmp(next, r->addr[1], len) >= 0)
			return false;
		for (unsigned i = len; i-- > 0 && ++next[i] == 0;)
			;
	}
	/* the widest prefix that begins here and ends inside */
	while (bits > 0 && !bit_is_set(next, bits - 1)) {
		memcpy(last, next, sizeof last);
		set_host(last, len, bits - 1, true);
		if (memcmp(last, r->addr[1], len) > 0)
			break;
		bits--;
	}
	p->family = r->family;
	p->bits = (uint8_t)bits;
	memcpy(p->addr, next, sizeof next);
	return true;
}

bool
esp_range_equal(const struct esp_range *a, const struct esp_range *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

bool
esp_range_has_address(const struct esp_range *r, uint8_t family, const uint8_t addr[16])
{
	unsigned len = address_len(family);

	return r->family == family && memcmp(r->addr[0], addr, len) <= 0 &&
	    memcmp(addr, r->addr[1], len) <= 0;
}

static bool
ports_subset(const struct esp_range *inner, const struct esp_range *outer)
{
	if (any_port(outer))
		return true;
	if (opaque_port(inner) || opaque_port(outer))
		return opaque_port(inner) && opaque_port(outer);
	return outer->port[0] <= inner->port[0] && inner->port[1] <= outer->port[1];
}

bool
esp_range_subset(const struct esp_range *inner, const struct esp_range *outer)
{
	return (outer->protocol == 0 || outer->protocol == inner->protocol) &&
	    esp_range_has_address(outer, inner->family, inner->addr[0]) &&
	    esp_range_has_address(outer, inner->family, inner->addr[1]) &&
	    ports_subset(inner, outer);
}

static bool
intersect_ports(const struct esp_range *a, const struct esp_range *b, uint16_t port[2])
{
	if (ports_subset(a, b) || ports_subset(b, a)) {
		memcpy(port, ports_subset(a, b) ? a->port : b->port, sizeof a->port);
		return true;
	}
	/* an OPAQUE one, 65535..0, meets nothing here */
	port[0] = a->port[0] > b->port[0] ? a->port[0] : b->port[0];
	port[1] = a->port[1] < b->port[1] ? a->port[1] : b->port[1];
	return port[0] <= port[1];
}

bool
esp_range_intersect(const struct esp_range *a, const struct esp_range *b,
    struct esp_range *both)
{
	struct esp_range r = *a;

	if (a->family != b->family)
		return false;
	if (a->protocol != 0 && b->protocol != 0 && a->protocol != b->protocol)
		return false;
	if (a->protocol == 0)
		r.protocol = b->protocol;
	if (!intersect_ports(a, b, r.port))
		return false;
	if (memcmp(r.addr[0], b->addr[0], 16) < 0)
		memcpy(r.addr[0], b->addr[0], 16);
	if (memcmp(r.addr[1], b->addr[1], 16) > 0)
		memcpy(r.addr[1], b->addr[1], 16);
	if (memcmp(r.addr[0], r.addr[1], 16) > 0)
		return false;
	*both = r;
	return true;
}

/* ---- selectors ---- */

bool
esp_selector_valid(const struct esp_selector *s)
{
	return esp_range_valid(&s->local) && esp_range_valid(&s->remote) &&
	    s->local.family == s->remote.family;
}

uint32_t
esp_selector_rank(const struct esp_selector *s)
{
	bool any_protocol = s->local.protocol == 0 && s->remote.protocol == 0;

	return address_width(&s->remote) << 19 | address_width(&s->local) << 11 |
	    (uint32_t)any_protocol << 10 |
	    port_width(&s->remote) << 5 | port_width(&s->local);
}

int
esp_selector_compare(const struct esp_selector *a, const struct esp_selector *b)
{
	uint32_t rank_a = esp_selector_rank(a), rank_b = esp_selector_rank(b);

	if (rank_a != rank_b)
		return rank_a < rank_b ? -1 : 1;
	return memcmp(a, b, sizeof *a);
}

static bool
fits_port(const struct esp_range *r, const struct esp_flow *flow, unsigned end)
{
	bool receiver = end == 1;

	if (any_port(r))
		return true;
	if (flow->ports == ESP_PORTS_NONE)
		return opaque_port(r);
	if (opaque_port(r))
		return flow->ports == ESP_PORTS_TYPE && receiver;
	return r->port[0] <= flow->port[end] && flow->port[end] <= r->port[1];
}

static bool
fits(const struct esp_range *r, const struct esp_flow *flow, unsigned end)
{
	return esp_range_has_address(r, flow->family, flow->addr[end]) &&
	    (r->protocol == 0 || r->protocol == flow->protocol) &&
	    fits_port(r, flow, end);
}

bool
esp_selector_matches(const struct esp_selector *s, const struct esp_flow *flow,
    enum esp_direction direction)
{
	const struct esp_range *sender = direction == ESP_OUT ? &s->local : &s->remote;
	const struct esp_range *receiver = direction == ESP_OUT ? &s->remote : &s->local;

	return fits(receiver, flow, 1) && fits(sender, flow, 0);
}
