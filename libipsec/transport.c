#include <string.h>

#include "libipsec/transport.h"

enum { IPV4_HEADER = 20, IPV6_HEADER = 40, ESP_PROTOCOL = 50 };
enum { HOPS = 64, DONT_FRAGMENT = 0x4000 };

/* IPv6 headers some of which would have to stay in front of ESP's. */
enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, DESTINATION = 60 };

static const struct header {
	uint16_t len;
	uint8_t source, address_len;	/* the destination is just behind it */
} ipv4 = { IPV4_HEADER, 12, 4 }, ipv6 = { IPV6_HEADER, 8, 16 };

static const struct header *
header_of(uint8_t family)
{
	return family == ESP_IPV4 ? &ipv4 : &ipv6;
}

uint16_t
ipsec_transport_front(uint8_t family)
{
	return header_of(family)->len;
}

static bool
is_any(const uint8_t addr[16])
{
	static const uint8_t zeros[16];

	return memcmp(addr, zeros, sizeof(zeros)) == 0;
}

static bool
is_bare(const uint8_t *p, uint8_t family)
{
	if (family == ESP_IPV4)
		return (p[0] & 0xf) * 4 == IPV4_HEADER;
	return p[6] != HOP_BY_HOP && p[6] != ROUTING && p[6] != FRAGMENT &&
	    p[6] != DESTINATION;
}

bool
ipsec_transport_fits(struct bytes packet, const struct ike_path *path)
{
	const struct header *h = header_of(path->family);
	const uint8_t *source = packet.p + h->source;
	uint8_t family;
	uint32_t len;

	return esp_flow_measure(packet, &family, &len) && family == path->family &&
	    is_bare(packet.p, family) && (is_any(path->addr[0]) ||
	    memcmp(source, path->addr[0], h->address_len) == 0) &&
	    memcmp(source + h->address_len, path->addr[1], h->address_len) == 0;
}

uint16_t
ipsec_transport_restore(struct ipsec_message *m)
{
	const struct header *h = header_of(m->path.family);
	uint8_t *p;

	if (m->head < h->len)
		return 0;
	p = m->data - h->len;
	memset(p, 0, h->len);
	if (h == &ipv4) {
		p[0] = 0x45;
		p[1] = m->tos;
		bytes_store16(p + 6, DONT_FRAGMENT);
		p[8] = HOPS;
		p[9] = ESP_PROTOCOL;
	} else {
		bytes_store16(p, (uint16_t)(0x6000 | m->tos << 4));
		p[6] = ESP_PROTOCOL;
		p[7] = HOPS;
	}
	memcpy(p + h->source, m->path.addr[1], h->address_len);
	memcpy(p + h->source + h->address_len, m->path.addr[0], h->address_len);
	return h->len;
}
