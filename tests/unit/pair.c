#include <check.h>
#include <stdlib.h>

#include "libesp/backend.h"
#include "tests/unit/packets.h"
#include "tests/unit/pair.h"
#include "tests/unit/vectors.h"

const struct esp_transform *
bulk_transform(unsigned i)
{
	return esp_openssl_row(i);
}

void
pair_prepare(struct pair *pair, const struct esp_transform *t, bool esn)
{
	uint64_t seed = 42;

	memset(pair, 0, sizeof *pair);
	pair->out = esp_new(0, 1);
	pair->in = esp_new(0, 1);
	ck_assert(pair->out != NULL && pair->in != NULL);
	fill_random(&seed, pair->keymat, sizeof pair->keymat);
	fill_random(&seed, pair->iv_key, sizeof pair->iv_key);
	pair->selectors[0].local = pair->selectors[0].remote = esp_range_any(ESP_IPV4);
	pair->selectors[1].local = pair->selectors[1].remote = esp_range_any(ESP_IPV6);
	pair->config = (struct esp_sa_config){
		.id = PAIR_ID, .policy = PAIR_POLICY, .spi = PAIR_SPI, .esn = esn,
		.transform = t, .user = pair,
		.keymat = bytes_of(pair->keymat, esp_transform_keymat(t)),
		.iv_key = bytes_of(pair->iv_key, t->iv_key_len),
		.selectors = pair->selectors, .n_selectors = 2
	};
}

void
pair_add(struct pair *pair)
{
	struct esp_policy_config policy = {
		.id = PAIR_POLICY, .selectors = pair->selectors, .n_selectors = 2
	};

	ck_assert_int_eq(esp_policy_put(pair->out, &policy), ESP_SUCCESS);
	pair->config.direction = ESP_OUT;
	ck_assert_int_eq(esp_add(pair->out, &pair->config), ESP_SUCCESS);
	pair->config.direction = ESP_IN;
	ck_assert_int_eq(esp_add(pair->in, &pair->config), ESP_SUCCESS);
}

void
pair_free(struct pair *pair)
{
	esp_free(pair->out);
	esp_free(pair->in);
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
	free(p->data - p->head);
}

void
pair_seal(struct pair *pair, struct esp_packet *p)
{
	esp_find(pair->out, p, 1);
	if (p->verdict == ESP_OK)
		esp_seal(pair->out, p, 1);
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
