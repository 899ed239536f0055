/* Ranges as people write them: the notation of strongSwan's traffic selectors. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>

#include "libesp/selector.h"

enum { ICMP = 1, ICMPV6 = 58, MOBILITY = 135, PORT_LAST = 65535 };

static const struct { const char *name; uint8_t number; } protocols[] = {
	{ "any", 0 }, { "icmp", ICMP }, { "igmp", 2 }, { "ipip", 4 }, { "tcp", 6 },
	{ "udp", 17 }, { "dccp", 33 }, { "ipv6", 41 }, { "gre", 47 }, { "esp", 50 },
	{ "ah", 51 }, { "ipv6-icmp", ICMPV6 }, { "icmpv6", ICMPV6 }, { "ospf", 89 },
	{ "vrrp", 112 }, { "l2tp", 115 }, { "sctp", 132 }, { "mh", MOBILITY },
	{ "udplite", 136 },
};

enum { PROTOCOLS = sizeof protocols / sizeof protocols[0] };

static bool
counts_types(uint8_t protocol)
{
	return protocol == ICMP || protocol == ICMPV6 || protocol == MOBILITY;
}

/* ---- reading: each takes what it knows off the front of the cursor ---- */

static bool
take(const char **at, const char *what)
{
	size_t len = strlen(what);

	if (strncmp(*at, what, len) != 0)
		return false;
	*at += len;
	return true;
}

static bool
take_number(const char **at, unsigned max, unsigned *value)
{
	unsigned n = 0;
	const char *p = *at;

	for (; *p >= '0' && *p <= '9'; p++) {
		n = n * 10 + (unsigned)(*p - '0');
		if (n > max)
			return false;
	}
	if (p == *at)
		return false;
	*at = p;
	*value = n;
	return true;
}

static bool
take_address(const char **at, uint8_t *family, uint8_t addr[16])
{
	size_t len = strspn(*at, "0123456789abcdefABCDEF:.");
	char text[INET6_ADDRSTRLEN];

	if (len >= sizeof text)
		return false;
	memcpy(text, *at, len);
	text[len] = '\0';
	memset(addr, 0, 16);
	if (inet_pton(AF_INET, text, addr) == 1)
		*family = ESP_IPV4;
	else if (inet_pton(AF_INET6, text, addr) == 1)
		*family = ESP_IPV6;
	else
		return false;
	*at += len;
	return true;
}

static bool
take_addresses(const char **at, struct esp_range *r)
{
	uint8_t family, last_family, first[16], last[16];
	unsigned bits;

	if (!take_address(at, &family, first))
		return false;
	if (take(at, "/")) {
		if (!take_number(at, 128, &bits) ||
		    !esp_range_from_prefix(r, family, first, bits))
			return false;
		return memcmp(r->addr[0], first, 16) == 0;
	}
	if (take(at, "-")) {
		if (!take_address(at, &last_family, last) || last_family != family)
			return false;
	} else {
		memcpy(last, first, 16);
	}
	*r = esp_range_any(family);
	memcpy(r->addr[0], first, 16);
	memcpy(r->addr[1], last, 16);
	return true;
}

static bool
take_protocol(const char **at, uint8_t *protocol)
{
	size_t len = strcspn(*at, "/]");
	unsigned number;

	for (unsigned i = 0; i < PROTOCOLS; i++)
		if (strlen(protocols[i].name) == len &&
		    strncmp(*at, protocols[i].name, len) == 0) {
			*at += len;
			*protocol = protocols[i].number;
			return true;
		}
	if (!take_number(at, 255, &number))
		return false;
	*protocol = (uint8_t)number;
	return true;
}

/* A port; or TYPE(CODE), or TYPE alone for its first or last code. */
static bool
take_port(const char **at, uint8_t protocol, unsigned default_code, uint16_t *port)
{
	bool types = counts_types(protocol);
	unsigned number, code = default_code;

	if (!take_number(at, types ? 255 : PORT_LAST, &number))
		return false;
	if (types && take(at, "(") && (!take_number(at, 255, &code) || !take(at, ")")))
		return false;
	*port = (uint16_t)(types ? number << 8 | code : number);
	return true;
}

static bool
take_ports(const char **at, struct esp_range *r)
{
	const char *again = *at;

	if (take(at, "opaque")) {
		r->port[0] = PORT_LAST;
		r->port[1] = 0;
		return true;
	}
	if (!take_port(at, r->protocol, 0, &r->port[0]))
		return false;
	if (!take(at, "-"))
		*at = again;	/* one port: first and last of it */
	return take_port(at, r->protocol, 255, &r->port[1]) && r->port[0] <= r->port[1];
}

bool
esp_range_parse(const char *text, struct esp_range *range)
{
	struct esp_range r;

	if (!take_addresses(&text, &r))
		return false;
	if (take(&text, "[")) {
		if (!take_protocol(&text, &r.protocol) ||
		    (take(&text, "/") && !take_ports(&text, &r)) || !take(&text, "]"))
			return false;
	}
	if (*text != '\0' || !esp_range_valid(&r))
		return false;
	*range = r;
	return true;
}

/* ---- writing ---- */

struct text { char *p; size_t size, len; };

static void __attribute__((format(printf, 2, 3)))
put(struct text *t, const char *format, ...)
{
	size_t room = t->len < t->size ? t->size - t->len : 0;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(room == 0 ? NULL : t->p + t->len, room, format, args);
	va_end(args);
	t->len += len < 0 ? 0 : (size_t)len;
}

static void
put_address(struct text *t, uint8_t family, const uint8_t *addr)
{
	char text[INET6_ADDRSTRLEN];

	if (inet_ntop(family == ESP_IPV4 ? AF_INET : AF_INET6, addr, text,
	    sizeof text) != NULL)
		put(t, "%s", text);
}

static void
put_addresses(struct text *t, const struct esp_range *r)
{
	unsigned bits;

	put_address(t, r->family, r->addr[0]);
	if (memcmp(r->addr[0], r->addr[1], 16) == 0)
		return;
	if (esp_range_is_prefix(r, &bits)) {
		put(t, "/%u", bits);
		return;
	}
	put(t, "-");
	put_address(t, r->family, r->addr[1]);
}

static void
put_protocol(struct text *t, uint8_t protocol)
{
	for (unsigned i = 0; i < PROTOCOLS; i++)
		if (protocols[i].number == protocol) {
			put(t, "%s", protocols[i].name);
			return;
		}
	put(t, "%u", protocol);
}

static void
put_types(struct text *t, const uint16_t port[2])
{
	bool whole = (port[0] & 0xff) == 0 && (port[1] & 0xff) == 0xff;

	if (whole && port[0] >> 8 == port[1] >> 8)
		put(t, "/%u", port[0] >> 8);
	else if (whole)
		put(t, "/%u-%u", port[0] >> 8, port[1] >> 8);
	else if (port[0] == port[1])
		put(t, "/%u(%u)", port[0] >> 8, port[0] & 0xff);
	else
		put(t, "/%u(%u)-%u(%u)", port[0] >> 8, port[0] & 0xff, port[1] >> 8,
		    port[1] & 0xff);
}

static void
put_ports(struct text *t, const struct esp_range *r)
{
	if (r->port[0] == 0 && r->port[1] == PORT_LAST)
		return;
	if (r->port[0] > r->port[1])
		put(t, "/opaque");
	else if (counts_types(r->protocol))
		put_types(t, r->port);
	else if (r->port[0] == r->port[1])
		put(t, "/%u", r->port[0]);
	else
		put(t, "/%u-%u", r->port[0], r->port[1]);
}

size_t
esp_range_print(const struct esp_range *r, char *text, size_t size)
{
	struct text t = { .p = text, .size = size };

	if (size > 0)
		text[0] = '\0';
	put_addresses(&t, r);
	if (r->protocol != 0 || r->port[0] != 0) {
		put(&t, "[");
		put_protocol(&t, r->protocol);
		put_ports(&t, r);
		put(&t, "]");
	}
	return t.len;
}
