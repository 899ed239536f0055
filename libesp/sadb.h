/* struct esp: the tables of SAs and policies of one thread, and its scratch. */
#ifndef LIBESP_SADB_H
#define LIBESP_SADB_H

#include "libesp/policy.h"

enum { ESP_HEADER = 8, ESP_TRAILER = 2, ESP_BATCH = 64, ESP_AAD_MAX = 12 };

/* Packets on their way through a transform: one call for as many as follow each other
 * with the same one. */
struct esp_batch {
	const struct esp_transform *transform;
	unsigned n;
	struct esp_op op[ESP_BATCH];
	struct esp_packet *packet[ESP_BATCH];
	uint64_t sequence[ESP_BATCH];
	uint8_t aad[ESP_BATCH][ESP_AAD_MAX];	/* with ESN */
};

struct esp {
	uint16_t worker, workers;
	struct esp_table by_id[2];	/* by enum esp_direction */
	struct esp_table by_spi;	/* inbound */
	struct esp_policies policies;
	struct esp_alerts alerts;
	struct esp_counters counters;
	struct esp_batch batch;
};

/* The inbound SA of an SPI; NULL if there is none. */
struct esp_sa *esp_sadb_inbound(const struct esp *, uint32_t spi);

/* Adds the ESP packet that begins at `start` to the batch, which has room: its
 * operation covers `len` octets behind the IV.  SPI and low sequence number stand
 * there already. */
void esp_batch_add(struct esp_batch *, struct esp_packet *, uint8_t *start, uint32_t len,
    uint64_t sequence);

/* The packet is now `len` octets from `data` on, behind `front` octets of IP header, in
 * the buffer that it had before. */
void esp_packet_move(struct esp_packet *, uint16_t front, uint8_t *data, uint32_t len);

#endif
