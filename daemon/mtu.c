#include "daemon/mtu.h"

#include "libesp/selector.h"

enum {
	IPV4_HEADER = 20,
	IPV6_HEADER = 40,
	UDP_HEADER = 8,
	ESP_HEADER = 8,
	ESP_TRAILER = 2
};

uint32_t
tunnel_mtu(uint32_t outer_mtu, uint8_t family, bool encap, const struct esp_transform *t)
{
	uint32_t ip = family == ESP_IPV4 ? IPV4_HEADER : IPV6_HEADER;
	uint32_t fixed =
	    ip + (encap ? UDP_HEADER : 0) + ESP_HEADER + t->iv_len + t->icv_len;
	uint32_t align = t->align < 4 ? 4 : t->align;
	uint32_t sealed;

	if (outer_mtu < fixed)
		return 0;
	sealed = (outer_mtu - fixed) / align * align;	/* packet, padding and trailer */
	return sealed < ESP_TRAILER ? 0 : sealed - ESP_TRAILER;
}

uint32_t
tunnel_mtu_worst(uint32_t outer_mtu)
{
	/* AES-CBC with HMAC-SHA2-512-256: longest IV, ICV and block. */
	static const struct esp_transform worst = {
		.iv_len = 16, .icv_len = 32, .align = 16
	};

	return tunnel_mtu(outer_mtu, ESP_IPV6, true, &worst);
}
