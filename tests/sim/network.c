#include <stdlib.h>
#include <string.h>

#include "tests/sim/network.h"

enum { NAT_HOST = 8, NAT_PORTS = 20000 };

void
network_address(unsigned host, uint8_t family, uint8_t addr[16])
{
	static const uint8_t v4[4] = { 192, 0, 2, 0 };
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8 };

	memset(addr, 0, 16);
	if (family == ESP_IPV4)
		memcpy(addr, v4, sizeof(v4));
	else
		memcpy(addr, v6, sizeof(v6));
	addr[family == ESP_IPV4 ? 3 : 15] = (uint8_t)(host + 1);
}

unsigned
network_host(const uint8_t addr[16], uint8_t family)
{
	unsigned host = addr[family == ESP_IPV4 ? 3 : 15] - 1u;

	return host == NAT_HOST ? 0 : host;
}

struct ike_path
network_cross(const struct network *n, const struct ike_path *path)
{
	struct ike_path p = { .family = path->family };
	unsigned from = network_host(path->addr[0], path->family);

	p.port[0] = path->port[1];
	p.port[1] = path->port[0];
	memcpy(p.addr[0], path->addr[1], 16);
	memcpy(p.addr[1], path->addr[0], 16);
	if (n->nat && from == 0) {
		network_address(NAT_HOST, p.family, p.addr[1]);
		p.port[1] = (uint16_t)(p.port[1] + NAT_PORTS + n->mapping);
	} else if (n->nat) {
		network_address(0, p.family, p.addr[0]);
		p.port[0] = (uint16_t)(p.port[0] - NAT_PORTS - n->mapping);
	}
	return p;
}

static bool
is_mapped(const struct network *n, const struct ike_path *path)
{
	uint16_t port = network_cross(n, path).port[0];

	return network_host(path->addr[0], path->family) == 0 || port == 500 ||
	    port == 4500;
}

static void
put(struct network *n, ike_time at, enum frame_kind kind, const struct ike_path *path,
    struct bytes data)
{
	struct frame *f, **p;

	if ((f = malloc(sizeof(*f) + data.len)) == NULL)
		return;			/* as if lost */
	*f = (struct frame){ .at = at, .order = n->sent++, .kind = kind,
	    .path = network_cross(n, path), .len = data.len };
	memcpy(f->data, data.p, data.len);
	if (data.len > 0 && chance_percent(&n->chance, n->weather.corruption))
		f->data[chance_below(&n->chance, data.len)] ^=
		    (uint8_t)(1u << chance_below(&n->chance, 8));
	for (p = &n->frames; *p != NULL && (*p)->at <= at; p = &(*p)->next)
		;
	f->next = *p;
	*p = f;
}

void
network_send(struct network *n, ike_time now, enum frame_kind kind,
    const struct ike_path *path, struct bytes data)
{
	unsigned copies = chance_percent(&n->chance, n->weather.loss) ? 0 :
	    chance_percent(&n->chance, n->weather.duplication) ? 2 : 1;
	ike_time delay;

	if (n->nat && (kind == FRAME_ESP || !is_mapped(n, path)))
		copies = 0;	/* no port to translate, or one that leads nowhere */
	if (copies == 0 && n->trace != NULL)
		fprintf(
		    n->trace, "%10.3f  lost: %zu octets\n", (double)now / 1e6, data.len);
	while (copies-- > 0) {
		delay = 1000 + (ike_time)chance_below(&n->chance,
		    (uint64_t)n->weather.delay + 1);
		put(n, now + delay, kind, path, data);
	}
}

bool
network_next(const struct network *n, ike_time *at)
{
	if (n->frames != NULL)
		*at = n->frames->at;
	return n->frames != NULL;
}

struct frame *
network_take(struct network *n)
{
	struct frame *f = n->frames;

	n->frames = f->next;
	return f;
}

void
network_clear(struct network *n)
{
	while (n->frames != NULL)
		free(network_take(n));
}
