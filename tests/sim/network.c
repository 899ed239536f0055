#include <stdlib.h>
#include <string.h>

#include "tests/sim/network.h"

/* The last octet of an address: a host's own, for each of its moves; the NAT's. */
enum { NAT = 200, STRIDE = 10, NAT_PORTS = 20000 };

static void
write_address(const struct network *n, uint8_t last, uint8_t addr[16])
{
	static const uint8_t v4[3] = { 192, 0, 2 };
	static const uint8_t v6[4] = { 0x20, 0x01, 0x0d, 0xb8 };

	memset(addr, 0, 16);
	if (n->family == ESP_IPV4)
		memcpy(addr, v4, sizeof(v4));
	else
		memcpy(addr, v6, sizeof(v6));
	addr[n->family == ESP_IPV4 ? 3 : 15] = last;
}

void
network_address(const struct network *n, unsigned host, uint8_t addr[16])
{
	write_address(n, (uint8_t)(1 + host + STRIDE * n->place[host].moves), addr);
}

unsigned
network_host(const struct network *n, const uint8_t addr[16])
{
	uint8_t own[16];

	for (unsigned i = 0; i < HOSTS; i++) {
		network_address(n, i, own);
		if (memcmp(own, addr, 16) == 0)
			return i;
	}
	return HOSTS;
}

static bool
is_nat(const struct network *n, const uint8_t addr[16])
{
	uint8_t own[16];

	write_address(n, NAT, own);
	return memcmp(own, addr, 16) == 0;
}

/* A port of the NAT for each host, mapping and port of its own. */
static uint16_t
outer_port(const struct network *n, unsigned host, uint16_t port)
{
	return (uint16_t)(NAT_PORTS + (n->place[host].mapping * HOSTS + host) * 2u +
	    (port == 4500));
}

static bool
enter_nat(const struct network *n, uint16_t outer, struct ike_path *p)
{
	for (unsigned i = 0; i < HOSTS; i++)
		for (uint16_t port = 500; port <= 4500; port += 4000)
			if (n->place[i].nat && outer_port(n, i, port) == outer) {
				network_address(n, i, p->addr[0]);
				p->port[0] = port;
				return true;
			}
	return false;
}

bool
network_cross(const struct network *n, const struct ike_path *path, struct ike_path *p)
{
	unsigned from = network_host(n, path->addr[0]), to;

	*p = (struct ike_path){ .family = path->family,
	    .port = { path->port[1], path->port[0] } };
	memcpy(p->addr[0], path->addr[1], 16);
	memcpy(p->addr[1], path->addr[0], 16);
	if (from == HOSTS || n->place[from].cut)
		return false;
	if (n->place[from].nat) {
		write_address(n, NAT, p->addr[1]);
		p->port[1] = outer_port(n, from, p->port[1]);
	}
	if (is_nat(n, path->addr[1]) && !enter_nat(n, path->port[1], p))
		return false;
	to = network_host(n, p->addr[0]);
	/* Nobody reaches a private address from outside. */
	return to != HOSTS && !n->place[to].cut &&
	    (!n->place[to].nat || is_nat(n, path->addr[1]));
}

static void
insert(struct network *n, struct frame *f)
{
	struct frame **p = &n->frames;

	while (*p != NULL && (*p)->at <= f->at)
		p = &(*p)->next;
	f->next = *p;
	*p = f;
}

static void
say_lost(const struct network *n, ike_time now, const struct frame *f, const char *how)
{
	if (n->trace != NULL)
		fprintf(n->trace, "%10.3f  %s: %s, %zu octets\n", (double)now / 1e6, how,
		    f->kind == FRAME_IKE ? "IKE" : "ESP", f->len);
}

static void
put(struct network *n, ike_time now, struct frame *f, const struct weather *weather)
{
	f->at = now + 1000 +
	    (ike_time)chance_below(&n->chance, (uint64_t)weather->delay + 1);
	if (f->len > 0 && chance_percent(&n->chance, weather->corruption)) {
		f->data[chance_below(&n->chance, f->len)] ^=
		    (uint8_t)(1u << chance_below(&n->chance, 8));
		f->origin = FRAME_CORRUPT;
		say_lost(n, now, f, "altered");
	}
	insert(n, f);
}

static struct frame *
copy_frame(const struct frame *f)
{
	struct frame *copy = malloc(sizeof(*f) + f->len);

	if (copy == NULL)
		abort();
	memcpy(copy, f, sizeof(*f) + f->len);
	return copy;
}

bool
network_send(struct network *n, ike_time now, enum frame_kind kind,
    const struct ike_path *path, struct bytes data, uint32_t packet)
{
	const struct weather *w = kind == FRAME_IKE ? &n->ike : &n->esp;
	struct frame *f = malloc(sizeof(*f) + data.len);
	bool leads;

	if (f == NULL)
		abort();
	*f = (struct frame){ .at = now, .serial = ++n->sent, .kind = kind,
	    .packet = packet, .len = data.len };
	n->sent_ike += kind == FRAME_IKE;
	if (data.len > 0)
		memcpy(f->data, data.p, data.len);
	leads = network_cross(n, path, &f->path);
	/* A NAT has no port to translate in native ESP. */
	if (kind == FRAME_ESP && (f->path.port[1] != path->port[0] ||
	    f->path.port[0] != path->port[1]))
		leads = false;
	if (leads && n->tap != NULL)
		n->tap(n->arg, f);
	if (!leads || chance_percent(&n->chance, w->loss)) {
		say_lost(n, now, f, leads ? "lost" : "leads nowhere");
		free(f);
		return leads;
	}
	if (chance_percent(&n->chance, w->duplication))
		put(n, now, copy_frame(f), w);
	put(n, now, f, w);
	return true;
}

void
network_inject(struct network *n, const struct frame *f, ike_time at)
{
	struct frame *copy = copy_frame(f);

	copy->at = at;
	insert(n, copy);
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
