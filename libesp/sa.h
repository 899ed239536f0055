/* One SA: its keys, selectors, numbers and limits. */
#ifndef LIBESP_SA_H
#define LIBESP_SA_H

#include "libesp/alert.h"
#include "libesp/replay.h"
#include "libesp/table.h"

struct esp_policy;

struct esp_sa {			/* there are many: nothing is larger than it must be */
	uint64_t id;
	void *user;
	uint32_t spi;
	uint16_t owner;			/* the worker whose packets these are */
	uint8_t direction, mode;	/* enum esp_direction, enum esp_mode */
	bool esn;
	bool soft_told, hard_told, first_told;
	bool listed;			/* in by_spi, or at its policy */
	const struct esp_transform *transform;
	void *key;			/* NULL: another worker's */
	struct esp_limits soft, hard;
	struct esp_usage usage;		/* .sequence is the counter itself */
	struct esp_alert alert;
	struct esp_link by_id;
	union {
		struct {		/* inbound */
			struct esp_replay replay;
			struct esp_link by_spi;
			uint8_t (*sent)[16];	/* NULL: not translated; owned */
		};
		struct {		/* outbound */
			struct esp_policy *policy;
			TAILQ_ENTRY(esp_sa) sibling;	/* newest first */
		};
	};
	unsigned n_selectors;
	struct esp_selector selectors[];
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
