#include <check.h>
#include <stdlib.h>

#include "libesp/backend.h"
#include "tests/unit/packets.h"
#include "tests/unit/ends.h"
#include "tests/unit/vectors.h"

const struct esp_transform *
bulk_transform(unsigned i)
{
	return esp_openssl_row(i);
}

void
ends_prepare(struct ends *ends, const struct esp_transform *t, bool esn)
{
	uint64_t seed = 42;

	memset(ends, 0, sizeof *ends);
	ends->out = esp_new(0, 1);
	ends->in = esp_new(0, 1);
	ck_assert(ends->out != NULL && ends->in != NULL);
	fill_random(&seed, ends->keymat, sizeof ends->keymat);
	fill_random(&seed, ends->iv_key, sizeof ends->iv_key);
	ends->selectors[0].local = ends->selectors[0].remote = esp_range_any(ESP_IPV4);
	ends->selectors[1].local = ends->selectors[1].remote = esp_range_any(ESP_IPV6);
	ends->config = (struct esp_sa_config){
		.id = ENDS_ID, .policy = ENDS_POLICY, .spi = ENDS_SPI, .esn = esn,
		.transform = t, .user = ends,
		.keymat = bytes_of(ends->keymat, esp_transform_keymat(t)),
		.iv_key = bytes_of(ends->iv_key, t->iv_key_len),
		.selectors = ends->selectors, .n_selectors = 2
	};
}

void
ends_add(struct ends *ends)
{
	struct esp_policy_config policy = {
		.id = ENDS_POLICY, .selectors = ends->selectors, .n_selectors = 2
	};

	ck_assert_int_eq(esp_policy_put(ends->out, &policy), ESP_SUCCESS);
	ends->config.direction = ESP_OUT;
	ck_assert_int_eq(esp_add(ends->out, &ends->config), ESP_SUCCESS);
	ends->config.direction = ESP_IN;
	ck_assert_int_eq(esp_add(ends->in, &ends->config), ESP_SUCCESS);
}

void
ends_free(struct ends *ends)
{
	esp_free(ends->out);
	esp_free(ends->in);
}

struct esp_packet
packet_new(struct bytes inner, struct esp_room room)
{
	uint8_t *buffer = malloc(room.head + inner.len + room.tail);

	ck_assert_ptr_nonnull(buffer);
	memset(buffer, 0xee, room.head + inner.len + room.tail);
	memcpy(buffer + room.head, inner.p, inner.len);
	return (struct esp_packet){ .data = buffer + room.head,
		.len = (uint32_t)inner.len,
		.head = room.head,
		.tail = room.tail };
}

void
packet_free(struct esp_packet *p)
{
	free(p->data - p->front - p->head);
}

void
ends_seal(struct ends *ends, struct esp_packet *p)
{
	esp_find(ends->out, p, 1);
	if (p->verdict == ESP_OK)
		esp_seal(ends->out, p, 1);
	if (p->verdict != ESP_OK)
		ck_abort_msg("verdict %u", p->verdict);
}

struct bytes
inner_packet(uint8_t *p, uint8_t family, size_t len, uint64_t *seed)
{
	uint8_t payload[65536];
	size_t header = family == ESP_IPV4 ? 20 : 40;
	struct bytes body = bytes_of(payload, len - header);

	ck_assert_uint_ge(len, header + 8);
	fill_random(seed, payload, body.len);
	return family == ESP_IPV4 ? ipv4(p, 17, 5, 0, body) : ipv6(p, 17, body);
}
