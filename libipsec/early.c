#include <stdlib.h>
#include <string.h>

#include "libesp/bytes.h"
#include "libipsec/early.h"

enum { SPI_LEN = 4, BEFORE = 64 };	/* BEFORE: what may be written over in front */

struct packet {
	ike_time at;
	bool kept, claimed;
	struct ipsec_message message;
	uint8_t octets[BEFORE + IPSEC_EARLY_LEN];
};

struct ipsec_early {
	unsigned next;			/* the oldest one's place */
	unsigned claimed;
	struct packet v[IPSEC_EARLY_PACKETS];
};

void
ipsec_early_free(struct ipsec_early *e)
{
	free(e);
}

void
ipsec_early_keep(struct ipsec_early **early, ike_time now, const struct ipsec_message *m)
{
	struct ipsec_early *e = *early;
	struct packet *p;

	if (m->len < SPI_LEN || m->len > IPSEC_EARLY_LEN)
		return;
	if (e == NULL && (e = *early = calloc(1, sizeof(*e))) == NULL)
		return;
	p = &e->v[e->next];
	e->next = (e->next + 1) % IPSEC_EARLY_PACKETS;
	if (p->kept && p->claimed)
		e->claimed--;
	p->at = now;
	p->kept = true;
	p->claimed = false;
	p->message = *m;
	p->message.data = p->octets + BEFORE;
	p->message.head = BEFORE;
	memmove(p->message.data, m->data, m->len);
}

void
ipsec_early_claim(struct ipsec_early *e, ike_time now, uint32_t spi)
{
	struct packet *p;

	for (unsigned i = 0; e != NULL && i < IPSEC_EARLY_PACKETS; i++) {
		p = &e->v[i];
		if (!p->kept || p->claimed || now - p->at > IPSEC_EARLY_TIME ||
		    bytes_load32(p->message.data) != spi)
			continue;
		p->claimed = true;
		e->claimed++;
	}
}

unsigned
ipsec_early_take(struct ipsec_early *e, struct ipsec_message *v, unsigned n)
{
	struct packet *p;
	unsigned taken = 0;

	for (unsigned i = 0; e != NULL && e->claimed > 0 && taken < n &&
	     i < IPSEC_EARLY_PACKETS; i++) {
		p = &e->v[(e->next + i) % IPSEC_EARLY_PACKETS];
		if (!p->kept || !p->claimed)
			continue;
		v[taken++] = p->message;
		p->kept = false;
		e->claimed--;
	}
	return taken;
}
