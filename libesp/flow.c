/* What an IP packet shows of itself: the only place where inner packets are parsed. */
#include "libesp/selector.h"

enum {
	ICMP = 1, TCP = 6, UDP = 17, DCCP = 33, ICMPV6 = 58, SCTP = 132, MOBILITY = 135,
	UDP_LITE = 136
};

enum {	/* the IPv6 headers that are skipped; AH and ESP are not (RFC 4301 4.4.1.1) */
	HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, DESTINATION = 60
};

enum { IPV4_MIN = 20, IPV6_HEADER = 40, HEADERS_MAX = 16 };

/* Where the transport header shows what selectors call ports. */
static const struct transport {
	uint8_t protocol, ports, need;
} transports[] = {
	{ TCP, ESP_PORTS_PAIR, 4 },
	{ UDP, ESP_PORTS_PAIR, 4 },
	{ ICMP, ESP_PORTS_TYPE, 2 },
	{ ICMPV6, ESP_PORTS_TYPE, 2 },
	{ SCTP, ESP_PORTS_PAIR, 4 },
	{ DCCP, ESP_PORTS_PAIR, 4 },
	{ UDP_LITE, ESP_PORTS_PAIR, 4 },
	{ MOBILITY, ESP_PORTS_TYPE, 4 },
};

static const struct transport *
find_transport(uint8_t protocol)
{
	for (unsigned i = 0; i < sizeof transports / sizeof transports[0]; i++)
		if (transports[i].protocol == protocol)
			return &transports[i];
	return NULL;
}

static void
read_ports(const uint8_t *p, size_t left, struct esp_flow *flow)
{
	const struct transport *t = find_transport(flow->protocol);

	if (t == NULL || left < t->need)
		return;
	flow->ports = t->ports;
	if (t->ports == ESP_PORTS_PAIR) {
		flow->port[0] = bytes_load16(p);
		flow->port[1] = bytes_load16(p + 2);
		return;
	}
	/* RFC 4301 4.4.1.1: type and code, or the mobility header's type alone */
	flow->port[0] = bytes_load16(t->protocol == MOBILITY ? p + 2 : p);
	if (t->protocol == MOBILITY)
		flow->port[0] &= 0xff00;
	flow->port[1] = flow->port[0];
}

static unsigned
ipv4_header(const uint8_t *p)
{
	return (p[0] & 0xfu) * 4;
}

bool
esp_flow_measure(struct bytes packet, uint8_t *family, uint32_t *len)
{
	if (packet.len >= IPV4_MIN && packet.p[0] >> 4 == 4) {
		*family = ESP_IPV4;
		*len = bytes_load16(packet.p + 2);
		return ipv4_header(packet.p) >= IPV4_MIN &&
		    ipv4_header(packet.p) <= *len && *len <= packet.len;
	}
	if (packet.len >= IPV6_HEADER && packet.p[0] >> 4 == 6) {
		*family = ESP_IPV6;
		*len = IPV6_HEADER + bytes_load16(packet.p + 4);
		return *len <= packet.len;
	}
	return false;
}

static void
read_ipv4(const uint8_t *p, struct esp_flow *flow)
{
	unsigned header = ipv4_header(p);

	flow->protocol = p[9];
	memcpy(flow->addr[0], p + 12, 4);
	memcpy(flow->addr[1], p + 16, 4);
	if ((bytes_load16(p + 6) & 0x1fff) == 0)
		read_ports(p + header, flow->len - header, flow);
}

static bool
is_extension(uint8_t next)
{
	return next == HOP_BY_HOP || next == ROUTING || next == FRAGMENT ||
	    next == DESTINATION;
}

/* Leaves the protocol 0, unseen, where the chain ends before the transport. */
static void
walk_extensions(const uint8_t *p, struct esp_flow *flow)
{
	uint32_t at = IPV6_HEADER;
	uint8_t next = p[6];

	for (unsigned i = 0; is_extension(next); i++) {
		const uint8_t *header = p + at;
		uint32_t len;

		if (i == HEADERS_MAX || flow->len - at < 8)
			return;
		len = next == FRAGMENT ? 8 : (header[1] + 1u) * 8;
		if (flow->len - at < len)
			return;
		if (next == FRAGMENT && (bytes_load16(header + 2) & 0xfff8) != 0) {
			flow->protocol = is_extension(header[0]) ? 0 : header[0];
			return;
		}
		next = header[0];
		at += len;
	}
	flow->protocol = next;
	read_ports(p + at, flow->len - at, flow);
}

static void
read_ipv6(const uint8_t *p, struct esp_flow *flow)
{
	memcpy(flow->addr[0], p + 8, 16);
	memcpy(flow->addr[1], p + 24, 16);
	walk_extensions(p, flow);
}

bool
esp_flow_read(struct bytes packet, struct esp_flow *flow)
{
	memset(flow, 0, sizeof *flow);
	if (!esp_flow_measure(packet, &flow->family, &flow->len))
		return false;
	if (flow->family == ESP_IPV4)
		read_ipv4(packet.p, flow);
	else
		read_ipv6(packet.p, flow);
	return true;
}

static struct esp_range
point(const struct esp_flow *flow, unsigned end)
{
	struct esp_range r = { .family = flow->family, .protocol = flow->protocol };

	memcpy(r.addr[0], flow->addr[end], 16);
	memcpy(r.addr[1], flow->addr[end], 16);
	if (flow->ports != ESP_PORTS_NONE) {
		r.port[0] = r.port[1] = flow->port[end];
	} else {
		bool unseen = find_transport(flow->protocol) != NULL;

		r.port[0] = unseen ? 65535 : 0;
		r.port[1] = unseen ? 0 : 65535;
	}
	return r;
}

struct esp_selector
esp_flow_selector(const struct esp_flow *flow, enum esp_direction direction)
{
	bool out = direction == ESP_OUT;

	return (struct esp_selector){
		.local = point(flow, out ? 0 : 1), .remote = point(flow, out ? 1 : 0)
	};
}
