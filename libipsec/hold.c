#include <stdlib.h>
#include <string.h>

#include "libipsec/hold.h"

void
ipsec_hold_init(struct ipsec_hold *h)
{
	STAILQ_INIT(&h->packets);
	h->n = 0;
	h->octets = 0;
}

bool
ipsec_hold_put(struct ipsec_hold *h, size_t *total, const struct esp_packet *packet)
{
	struct ipsec_held *held;

	if (h->n >= IPSEC_HOLD_PACKETS || packet->len > IPSEC_HOLD_OCTETS - h->octets ||
	    packet->len > IPSEC_HOLD_TOTAL - *total)
		return false;
	if ((held = malloc(sizeof(*held) + packet->len)) == NULL)
		return false;
	held->len = packet->len;
	memcpy(held->data, packet->data, packet->len);
	STAILQ_INSERT_TAIL(&h->packets, held, link);
	h->n++;
	h->octets += held->len;
	*total += held->len;
	return true;
}

struct ipsec_held *
ipsec_hold_take(struct ipsec_hold *h, size_t *total)
{
	struct ipsec_held *held = STAILQ_FIRST(&h->packets);

	if (held == NULL)
		return NULL;
	STAILQ_REMOVE_HEAD(&h->packets, link);
	h->n--;
	h->octets -= held->len;
	*total -= held->len;
	return held;
}

void
ipsec_hold_clear(struct ipsec_hold *h, size_t *total)
{
	struct ipsec_held *held;

	while ((held = ipsec_hold_take(h, total)) != NULL)
		free(held);
}
