#include "libesp/front.h"

enum {
	TCP = 6, UDP = 17, DCCP = 33, ICMPV6 = 58, MOBILITY = 135, UDP_LITE = 136
};

enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, DESTINATION = 60 };

enum { IPV4_MIN = 20, IPV6_HEADER = 40, HEADERS_MAX = 16 };

/* ---- IPv4 ---- */

static bool
find_ipv4(struct bytes p, struct esp_front *front)
{
	const uint16_t more_or_offset = 0x3fff;

	if (p.len < IPV4_MIN || (bytes_load16(p.p + 6) & more_or_offset) != 0)
		return false;
	*front = (struct esp_front){ .family = ESP_IPV4, .next = 9,
		.len = (uint16_t)((p.p[0] & 0xf) * 4) };
	return front->len >= IPV4_MIN && front->len <= p.len;
}

/* RFC 791 3.1, over the header with the checksum's own field left out. */
static uint16_t
checksum(const uint8_t *p, unsigned len)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < len; i += 2)
		sum += i == 10 ? 0 : bytes_load16(p + i);
	sum = (sum >> 16) + (sum & 0xffff);
	sum += sum >> 16;
	return (uint16_t)~sum;
}

/* ---- IPv6 ---- */

/* One step along the chain: `at` goes behind the header of type `type` that begins
 * there. */
static bool
step(struct bytes p, uint8_t type, uint32_t *at)
{
	const uint16_t more_or_offset = 0xfff9;
	const uint8_t *header = p.p + *at;
	uint32_t len;

	if (p.len - *at < 8)
		return false;
	len = type == FRAGMENT ? 8 : (header[1] + 1u) * 8;
	if (p.len - *at < len ||
	    (type == FRAGMENT && (bytes_load16(header + 2) & more_or_offset) != 0))
		return false;
	*at += len;
	return true;
}

/* Hop-by-hop options come first or not at all (RFC 8200 4.1).  Destination options stay
 * in front when a routing header follows, and always when `all` do. */
static bool
find_ipv6(struct bytes p, bool all, struct esp_front *front)
{
	uint32_t at = IPV6_HEADER, next_at = 6;

	if (p.len < IPV6_HEADER)
		return false;
	*front = (struct esp_front){ .family = ESP_IPV6, .len = IPV6_HEADER, .next = 6 };
	for (unsigned i = 0; i < HEADERS_MAX; i++) {
		uint8_t type = p.p[next_at];
		uint32_t here = at;

		if (type == HOP_BY_HOP ? i != 0 :
		    type != ROUTING && type != FRAGMENT && type != DESTINATION)
			return type != HOP_BY_HOP;
		if (!step(p, type, &at) || at > UINT16_MAX)
			return false;
		next_at = here;
		if (type == DESTINATION && !all)
			continue;
		front->len = (uint16_t)at;
		front->next = (uint16_t)next_at;
	}
	return false;
}

/* ---- both ---- */

bool
esp_front_find(struct bytes packet, uint8_t family, struct esp_front *front)
{
	return family == ESP_IPV4 ? find_ipv4(packet, front) :
	    find_ipv6(packet, false, front);
}

bool
esp_front_read(struct bytes p, struct esp_front *front)
{
	bool found = p.len > 0 && p.p[0] >> 4 == 4 ? find_ipv4(p, front) :
	    p.len > 0 && p.p[0] >> 4 == 6 && find_ipv6(p, true, front);

	return found && front->len == p.len && p.p[front->next] == ESP_PROTOCOL;
}

void
esp_front_write(uint8_t *p, const struct esp_front *front, uint8_t next, uint32_t behind)
{
	p[front->next] = next;
	if (front->family == ESP_IPV4) {
		bytes_store16(p + 2, (uint16_t)(front->len + behind));
		bytes_store16(p + 10, checksum(p, front->len));
	} else {
		bytes_store16(p + 4, (uint16_t)(front->len - IPV6_HEADER + behind));
	}
}

/* ---- address translation ---- */

/* Where a checksum covers the addresses.  UDP's is never 0: that would say that there is
 * none (RFC 768). */
static const struct covered {
	uint8_t protocol, at;
	bool ipv6_only, never_zero;
} covered[] = {
	{ TCP, 16, false, false }, { UDP, 6, false, true }, { DCCP, 6, false, false },
	{ ICMPV6, 2, true, false }, { MOBILITY, 4, true, false },
	{ UDP_LITE, 6, false, true },
};

static const struct covered *
find_covered(uint8_t protocol, uint8_t family)
{
	for (unsigned i = 0; i < sizeof covered / sizeof covered[0]; i++)
		if (covered[i].protocol == protocol &&
		    (family == ESP_IPV6 || !covered[i].ipv6_only))
			return &covered[i];
	return NULL;
}

/* RFC 1624 3, equation 3: what is taken out and what comes in, of one address. */
static uint32_t
exchange(const uint8_t *out, const uint8_t *in, unsigned len)
{
	static const uint8_t same[16];
	uint32_t sum = 0;

	if (memcmp(out, same, len) == 0)
		return 0;
	for (unsigned i = 0; i < len; i += 2)
		sum += (uint16_t)~bytes_load16(out + i) + (uint32_t)bytes_load16(in + i);
	return sum;
}

void
esp_front_mend(uint8_t *packet, uint32_t len, const uint8_t sent[2][16])
{
	bool v4 = len > 0 && packet[0] >> 4 == 4;
	struct bytes p = bytes_of(packet, len);
	const struct covered *c;
	struct esp_front front;
	uint32_t sum;
	uint8_t *at;

	if (!(v4 ? find_ipv4(p, &front) : find_ipv6(p, true, &front)) ||
	    (c = find_covered(packet[front.next], front.family)) == NULL ||
	    len - front.len < c->at + 2u)
		return;
	at = packet + front.len + c->at;
	if (c->never_zero && bytes_load16(at) == 0)
		return;
	sum = (uint16_t)~bytes_load16(at);
	sum += exchange(sent[0], packet + (v4 ? 12 : 8), v4 ? 4 : 16);
	sum += exchange(sent[1], packet + (v4 ? 16 : 24), v4 ? 4 : 16);
	sum = (sum >> 16) + (sum & 0xffff);
	sum += sum >> 16;
	sum = ~sum & 0xffff;
	bytes_store16(at, (uint16_t)(sum == 0 && c->never_zero ? 0xffff : sum));
}
