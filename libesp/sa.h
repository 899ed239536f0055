/* One SA: its keys, selectors, numbers and limits. */
#ifndef LIBESP_SA_H
#define LIBESP_SA_H

#include "libesp/alert.h"
#include "libesp/replay.h"
#include "libesp/table.h"

struct esp_policy;

/* There are many SAs: nothing is larger than it must be. */

/* What was agreed on.  Both SAs of a Child SA have it in common. */
struct esp_terms {
	uint32_t uses, n_selectors;
	const struct esp_transform *transform;
	struct esp_limits soft, hard;
	uint8_t mode;			/* enum esp_mode */
	bool esn;
	struct esp_selector selectors[];
};

/* What each packet needs lies together, from `id` on. */
struct esp_sa {				/* what both directions have */
	struct esp_link by_id;
	struct esp_alert alert;
	uint64_t id;
	void *user;
	void *key;			/* NULL: another worker's */
	struct esp_terms *terms;
	uint32_t spi;
	uint16_t owner;			/* the worker whose packets these are */
	uint8_t direction;		/* enum esp_direction */
	bool soft_told : 1, hard_told : 1, first_told : 1;
	bool listed : 1;		/* in by_spi, or at its policy */
	bool whole : 1;			/* outbound: contains all of its policy */
	uint64_t packets, octets;	/* sealed, or delivered */
	uint64_t sequence;		/* the counter itself, or the highest authentic one */
};

struct esp_sa_in {
	struct esp_sa sa;		/* first */
	struct esp_replay replay;
	struct esp_link by_spi;
	uint8_t (*sent)[16];		/* NULL: not translated; owned */
	struct { uint64_t replay, integrity, policy, malformed; } dropped;
};

struct esp_sa_out {
	struct esp_sa sa;		/* first */
	struct esp_policy *policy;
	SLIST_ENTRY(esp_sa_out) sibling;	/* newest first */
};

static inline struct esp_sa_in *
esp_inbound(struct esp_sa *sa)
{
	return (struct esp_sa_in *)sa;
}

static inline struct esp_sa_out *
esp_outbound(struct esp_sa *sa)
{
	return (struct esp_sa_out *)sa;
}

/* ESP_INVALID, ESP_NO_MEMORY, or *sa is a new SA outside every table.  `mine`: this
 * worker seals or opens with it and needs the key.  `other`: the one of the other
 * direction, with which it shares what is the same; NULL: there is none. */
enum esp_error esp_sa_new(const struct esp_sa_config *, bool mine,
    const struct esp_sa *other, struct esp_sa **sa);
void esp_sa_free(struct esp_sa *);	/* wipes the key; NULL is allowed */

void esp_sa_usage(const struct esp_sa *, struct esp_usage *);

bool esp_sa_matches(const struct esp_sa *, const struct esp_flow *);

/* A packet of this SA will come soon (stage.h): asks for what lies in the SA, then, when
 * that is there, for what lies around it, and last for the cipher's. */
void esp_sa_expect_in(const struct esp_sa_in *);
void esp_sa_expect_out(const struct esp_sa_out *);
void esp_sa_expect_around(const struct esp_sa *);
void esp_sa_expect_cipher(const struct esp_sa *);

/* True if nothing may be sent or accepted any more. */
bool esp_sa_spent(const struct esp_sa *);

/* Counts a packet of `octets` that was sent or delivered, and raises what it brings
 * about. */
void esp_sa_count(struct esp_sa *, struct esp_alerts *, uint32_t octets);

/* Octets behind the payload: padding, pad length and next header, without the ICV. */
uint32_t esp_trailer_len(const struct esp_transform *, uint32_t payload);

#endif
