/* One SA: its keys, selectors, numbers and limits. */
#ifndef LIBESP_SA_H
#define LIBESP_SA_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "libesp/alert.h"
#include "libesp/replay.h"

struct esp_sa {
	uint64_t id;
	void *user;
	enum esp_direction direction;
	enum esp_mode mode;
	uint32_t spi;
	uint16_t owner;			/* the worker whose packets these are */
	bool esn;
	bool soft_told, hard_told, first_told;
	const struct esp_transform *transform;
	void *key;			/* NULL: another worker's */
	struct esp_selector *selectors;	/* owned */
	unsigned n_selectors;
	struct esp_limits soft, hard;
	struct esp_replay replay;	/* inbound */
	struct esp_usage usage;		/* .sequence is the counter itself */
	struct esp_alert alert;
	struct esp_policy *policy;	/* outbound */
	TAILQ_ENTRY(esp_sa) sibling;	/* newest first */
	UT_hash_handle by_id, by_spi;
};

/* ESP_INVALID, ESP_NO_MEMORY, or *sa is a new SA outside every table.  `mine`: this
 * worker seals or opens with it and needs the key. */
enum esp_error esp_sa_new(const struct esp_sa_config *, bool mine, struct esp_sa **sa);
void esp_sa_free(struct esp_sa *);	/* wipes the key; NULL is allowed */

bool esp_sa_matches(const struct esp_sa *, const struct esp_flow *);

/* True if nothing may be sent or accepted any more. */
bool esp_sa_spent(const struct esp_sa *);

/* Counts a packet of `octets` that was sent or delivered, and raises what it brings
 * about. */
void esp_sa_count(struct esp_sa *, struct esp_alerts *, uint32_t octets);

/* Octets behind the payload: padding, pad length and next header, without the ICV. */
uint32_t esp_trailer_len(const struct esp_transform *, uint32_t payload);

#endif
