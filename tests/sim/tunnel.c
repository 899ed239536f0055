#include <stdio.h>
#include <string.h>

#include "tests/sim/tunnel.h"

static const char *const names[CHILDREN] = { "net0", "net1", "net2" };

void
tunnel_net_text(uint8_t family, unsigned host, unsigned child, char *buf, size_t len)
{
	if (family == ESP_IPV4)
		snprintf(buf, len, "10.%u.%u.0/24", host + 1, child);
	else
		snprintf(buf, len, "2001:db8:%u:%u::/64", host + 1, child);
}

void
tunnel_net_address(uint8_t family, unsigned host, unsigned child, uint8_t addr[16])
{
	memset(addr, 0, 16);
	if (family == ESP_IPV4) {
		addr[0] = 10;
		addr[1] = (uint8_t)(host + 1);
		addr[2] = (uint8_t)child;
		addr[3] = 1;
	} else {
		memcpy(addr, "\x20\x01\x0d\xb8", 4);
		addr[5] = (uint8_t)(host + 1);
		addr[7] = (uint8_t)child;
		addr[15] = 1;
	}
}

unsigned
tunnel_end(const struct tunnel *t, unsigned host)
{
	return t->host[1] == host;
}

unsigned
tunnel_child(const char *name)
{
	unsigned i = 0;

	while (i < CHILDREN && strcmp(names[i], name) != 0)
		i++;
	return i;
}

const char *
tunnel_child_name(unsigned child)
{
	return names[child];
}
