/* struct esp: the tables of SAs and policies of one thread, and its scratch. */
#ifndef LIBESP_SADB_H
#define LIBESP_SADB_H

#include "libesp/policy.h"
#include "libesp/stage.h"

enum { ESP_HEADER = 8, ESP_TRAILER = 2, ESP_AAD_MAX = 12 };

/* Packets on their way through a transform: one call for as many as follow each other
 * with the same one. */
struct esp_batch {
	const struct esp_transform *transform;
	unsigned n;
	struct esp_op op[ESP_GROUP_MAX];
	struct esp_packet *packet[ESP_GROUP_MAX];
	uint64_t sequence[ESP_GROUP_MAX];
	uint8_t aad[ESP_GROUP_MAX][ESP_AAD_MAX];	/* with ESN */
};

/* The SA of an inner packet, while it is looked for. */
struct esp_search {
	struct esp_flow flow;			/* of family 0: none */
	const struct esp_search *first;		/* of the run of this flow's packets */
	struct esp_policy_search by_policy;
	const struct esp_policy *policy;	/* NULL: it has none */
	struct esp_sa *sa;
	enum esp_verdict verdict;
	uint16_t owner;
};

struct esp {
	uint16_t worker, workers;
	struct esp_table by_id[2];	/* by enum esp_direction */
	struct esp_table by_spi;	/* inbound */
	struct esp_policies policies;
	struct esp_alerts alerts;
	struct esp_counters counters;
	struct esp_batch batch;
	struct esp_search search[ESP_BATCH];
	struct esp_link *const *slots[ESP_BATCH];	/* of packets to open, or NULL */
	const struct esp_policy *only;			/* that is asked; NULL: any */
};

/* The inbound SA of an SPI; NULL if there is none. */
struct esp_sa *esp_sadb_inbound(const struct esp *, uint32_t spi);
/* Where the look-up begins: `by_spi` of one or several, in a chain.  NULL: there are no
 * SAs. */
struct esp_link *const *esp_sadb_slot(const struct esp *, uint32_t spi);

/* The stage before packets with an SA go through their transform. */
esp_stage esp_expect_ciphers;

/* Adds the ESP packet that begins at `start` to the batch, which has room: its
 * operation covers `len` octets behind the IV.  SPI and low sequence number stand
 * there already. */
void esp_batch_add(struct esp_batch *, struct esp_packet *, uint8_t *start, uint32_t len,
    uint64_t sequence);

/* The packet is now `len` octets from `data` on, behind `front` octets of IP header, in
 * the buffer that it had before. */
void esp_packet_move(struct esp_packet *, uint16_t front, uint8_t *data, uint32_t len);

#endif
