/* A tunnel: what two hosts are configured to have between them. */
#ifndef SIM_TUNNEL_H
#define SIM_TUNNEL_H

#include "libike/connection.h"

enum { CHILDREN = 3, TUNNELS = 3 };

struct tunnel {
	uint8_t host[2];		/* end 0 may always call, end 1 perhaps */
	ike_id connection[2];		/* of each end's engine */
	struct ike_setup setup[2];
	struct ike_child_setup child[2][CHILDREN];
	const char *secret[2];
	const char *nets[2][CHILDREN];
	char text[2][CHILDREN][32], name[2][8];
	char remote[2][64];
	bool sure[CHILDREN];		/* has once been up at both ends */
};

/* The inner network of a host for a child, as a selector and as 16 or 4 octets of an
 * address in it. */
void tunnel_net_text(
    uint8_t family, unsigned host, unsigned child, char *buf, size_t len);
void tunnel_net_address(uint8_t family, unsigned host, unsigned child, uint8_t addr[16]);
unsigned tunnel_end(const struct tunnel *, unsigned host);
/* By a child's name; CHILDREN: it has none of this name. */
unsigned tunnel_child(const char *name);
const char *tunnel_child_name(unsigned child);

#endif
