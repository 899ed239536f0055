#include "daemon/icmp.h"

#include "libesp/selector.h"

enum {
	ICMPV4 = 1,
	ICMPV6 = 58, /* IP protocols */
	HEADER4 = 20,
	HEADER6 = 40,
	ICMP_HEADER = 8,
	MOST4 = 576, /* RFC 1812 4.3.2.3 */
	MOST6 = 1280, /* RFC 4443 2.4 c */
	TTL = 64,
	DONT_FRAGMENT = 0x4000,
	FRAGMENT_OFFSET = 0x1fff,
	/* RFC 8200 4.1: what may stand between the IPv6 header and the ICMPv6 one */
	HOP_BY_HOP = 0,
	ROUTING = 43,
	FRAGMENT = 44,
	DESTINATION = 60,
	AUTHENTICATION = 51,
	CHAIN_MOST = 16,
	NEIGHBOUR_REDIRECT = 137
};

/* Type and code, IPv4 and IPv6. */
static const struct { uint8_t v4[2], v6[2]; } answers[ICMP_REASONS] = {
	[ICMP_PROHIBITED] = { { 3, 13 }, { 1, 1 } },
	[ICMP_UNREACHABLE] = { { 3, 1 }, { 1, 3 } },
	[ICMP_TOO_BIG] = { { 3, 4 }, { 2, 0 } },
};

/* RFC 1071, over what was summed so far; an odd octet is padded, so only the last part
 * may have one. */
static uint32_t
sum(uint32_t so_far, const uint8_t *p, size_t len)
{
	for (; len > 1; len -= 2, p += 2)
		so_far += bytes_load16(p);
	return len == 0 ? so_far : so_far + ((uint32_t)p[0] << 8);
}

static uint16_t
finish(uint32_t total)
{
	while (total >> 16 != 0)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)~total;
}

/* Only queries may be answered; every other type, known or not, may be an error. */
static bool
is_query4(uint8_t type)
{
	static const uint8_t queries[] = { 0, 8, 9, 10, 13, 14, 15, 16, 17, 18, 42, 43 };

	return memchr(queries, type, sizeof(queries)) != NULL;
}

static bool
is_many4(const uint8_t *addr)
{
	return addr[0] >= 224;		/* multicast, reserved, broadcast */
}

static bool
may_answer4(struct bytes packet)
{
	const uint8_t *p = packet.p;
	size_t header = (size_t)(p[0] & 15) * 4;

	if (header < HEADER4 || packet.len < header ||
	    (bytes_load16(p + 6) & FRAGMENT_OFFSET) != 0)
		return false;
	/* 0.x is nobody, 127.x is not on a network. */
	if (is_many4(p + 12) || p[12] == 0 || p[12] == 127 || is_many4(p + 16))
		return false;
	return p[9] != ICMPV4 || (packet.len > header && is_query4(p[header]));
}

static bool
is_many6(const uint8_t *addr)
{
	return addr[0] == 0xff;
}

static bool
is_nobody6(const uint8_t *addr)
{
	static const uint8_t low[15];

	return memcmp(addr, low, sizeof(low)) == 0 && addr[15] <= 1;	/* :: and ::1 */
}

/* False if the packet's payload is ICMPv6 that is no query, or cannot be found. */
static bool
payload_may6(struct bytes packet)
{
	uint8_t next = packet.p[6];
	size_t at = HEADER6;

	for (unsigned i = 0; i < CHAIN_MOST; i++) {
		const uint8_t *p = packet.p + at;

		if (next == ICMPV6)
			return at < packet.len && p[0] >= 128 &&
			    p[0] != NEIGHBOUR_REDIRECT;
		if (next != HOP_BY_HOP && next != ROUTING && next != FRAGMENT &&
		    next != DESTINATION && next != AUTHENTICATION)
			return true;
		if (packet.len - at < 8)
			return false;
		if (next == FRAGMENT && bytes_load16(p + 2) >> 3 != 0)
			return false;
		at += next == FRAGMENT ? 8 : next == AUTHENTICATION ? (p[1] + 2u) * 4 :
		    (p[1] + 1u) * 8;
		next = p[0];
		if (at > packet.len)
			return false;
	}
	return false;
}

/* RFC 4443 2.4 e 3 would allow "too big" for multicast, but not from its address. */
static bool
may_answer6(struct bytes packet)
{
	const uint8_t *p = packet.p;

	return packet.len >= HEADER6 && !is_many6(p + 8) && !is_nobody6(p + 8) &&
	    !is_many6(p + 24) && payload_may6(packet);
}

static size_t
answer4(struct bytes packet, enum icmp_reason reason, uint32_t mtu, uint8_t *out)
{
	size_t quoted = packet.len < MOST4 - HEADER4 - ICMP_HEADER ? packet.len :
	    MOST4 - HEADER4 - ICMP_HEADER;
	size_t len = HEADER4 + ICMP_HEADER + quoted;
	uint8_t *icmp = out + HEADER4;

	memset(out, 0, HEADER4 + ICMP_HEADER);
	out[0] = 0x45;
	out[1] = 0xc0;			/* internetwork control, RFC 1812 4.3.2.5 */
	bytes_store16(out + 2, (uint16_t)len);
	out[8] = TTL;
	out[9] = ICMPV4;
	memcpy(out + 12, packet.p + 16, 4);
	memcpy(out + 16, packet.p + 12, 4);
	bytes_store16(out + 10, finish(sum(0, out, HEADER4)));
	icmp[0] = answers[reason].v4[0];
	icmp[1] = answers[reason].v4[1];
	if (reason == ICMP_TOO_BIG)	/* RFC 1191 4: 16 bits */
		bytes_store16(icmp + 6, (uint16_t)(mtu > UINT16_MAX ? UINT16_MAX : mtu));
	memcpy(icmp + ICMP_HEADER, packet.p, quoted);
	bytes_store16(icmp + 2, finish(sum(0, icmp, ICMP_HEADER + quoted)));
	return len;
}

static size_t
answer6(struct bytes packet, enum icmp_reason reason, uint32_t mtu, uint8_t *out)
{
	size_t quoted = packet.len < MOST6 - HEADER6 - ICMP_HEADER ? packet.len :
	    MOST6 - HEADER6 - ICMP_HEADER;
	size_t len = ICMP_HEADER + quoted;
	uint8_t *icmp = out + HEADER6;

	memset(out, 0, HEADER6 + ICMP_HEADER);
	out[0] = 0x60;
	bytes_store16(out + 4, (uint16_t)len);
	out[6] = ICMPV6;
	out[7] = TTL;
	memcpy(out + 8, packet.p + 24, 16);
	memcpy(out + 24, packet.p + 8, 16);
	icmp[0] = answers[reason].v6[0];
	icmp[1] = answers[reason].v6[1];
	/* RFC 8201 4: nobody believes in less. */
	if (reason == ICMP_TOO_BIG)
		bytes_store32(icmp + 4, mtu < MOST6 ? MOST6 : mtu);
	memcpy(icmp + ICMP_HEADER, packet.p, quoted);
	/* Pseudo-header, RFC 8200 8.1: both addresses, length, next header. */
	bytes_store16(
	    icmp + 2, finish(sum(sum((uint32_t)len + ICMPV6, out + 8, 32), icmp, len)));
	return HEADER6 + len;
}

size_t
icmp_answer(struct bytes packet, enum icmp_reason reason, uint32_t mtu, uint8_t *out)
{
	if (packet.len < HEADER4)
		return 0;
	if (packet.p[0] >> 4 == ESP_IPV6)
		return may_answer6(packet) ? answer6(packet, reason, mtu, out) : 0;
	if (packet.p[0] >> 4 != ESP_IPV4 || !may_answer4(packet))
		return 0;
	if (reason == ICMP_TOO_BIG && (bytes_load16(packet.p + 6) & DONT_FRAGMENT) == 0)
		return 0;
	return answer4(packet, reason, mtu, out);
}

/* The ration fills by one each 1/ICMP_RATE seconds; `full` moves on by that for each
 * answer, and may be at most a burst ahead. */
bool
icmp_may_answer(struct icmp_ration *ration, ike_time now)
{
	ike_time each = IKE_SECOND / ICMP_RATE,
		 from = ration->full > now ? ration->full : now;

	if (from - now > (ICMP_BURST - 1) * each)
		return false;
	ration->full = from + each;
	return true;
}
