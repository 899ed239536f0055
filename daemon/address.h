/* The addresses of this host, for choosing where its own packets into a tunnel come from
 * and which networks it is connected to. */
#ifndef DAEMON_ADDRESS_H
#define DAEMON_ADDRESS_H

#include "libesp/selector.h"

struct netlink;

struct address {
	uint8_t family, bits;	/* 4 or 6; prefix length of the network it stands in */
	uint8_t addr[16];
	bool fit;		/* as a source: not deprecated, temporary, secondary */
};
struct addresses {
	struct address *v;	/* owned; see addresses_clear */
	unsigned n;
};

/* Puts into *all, in the kernel's order, every address that may talk to others: not
 * tentative, and not of loopback or link-local scope.  0, or a negative errno, and then
 * *all is as it was. */
int addresses_read(struct netlink *, struct addresses *);
bool addresses_add(struct addresses *, const struct address *);	/* false: no memory */
void addresses_clear(struct addresses *);

/* The first one in the range that is fit, else the first one in it; NULL: none is. */
const struct address *addresses_pick(const struct addresses *, const struct esp_range *);

#endif
