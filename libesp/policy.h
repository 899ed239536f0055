/* The outbound policies: which one a packet belongs to, and the SAs that serve it. */
#ifndef LIBESP_POLICY_H
#define LIBESP_POLICY_H

#include "libesp/sa.h"

SLIST_HEAD(esp_siblings, esp_sa_out);

struct esp_policy {
	uint64_t id;
	struct esp_policy_put *put;	/* NULL: gone or not yet here, but SAs name it */
	struct esp_siblings sas;
	struct esp_link by_id;
};

struct esp_policy_entry {		/* a selector */
	struct esp_selector selector;
	uint32_t rank;
	struct esp_policy_put *put;	/* whose it is */
	struct esp_policy_bucket *bucket;
	struct esp_policy_entry *next;	/* in its bucket: by rank, then newest first */
};

struct esp_policy_key {			/* no padding: it is hashed as octets */
	uint8_t family, remote_bits, local_bits, zero;
	uint8_t remote[16], local[16];
};

struct esp_policy_put {
	struct esp_alert alert;
	struct esp_selector packet;	/* the one that wanted an SA */
	bool acquire;
	bool wanted;			/* it was asked for */
	unsigned n;
	uint64_t serial;		/* order of putting */
	struct esp_policy *policy;	/* near the first of the entries */
	struct esp_policy_entry entries[];
};

/* Tuple space search: each selector lies in the bucket of the shortest prefixes around
 * its remote and its local addresses; a tuple is one pair of such lengths.  A look-up
 * tries one bucket for each tuple in use, and there are few, however many policies.
 * Disjoint ranges never share a bucket: two that need the same prefix both contain its
 * middle. */
struct esp_policies {
	struct esp_table by_id, buckets;
	struct esp_tuples {
		struct esp_tuple *v;	/* owned; the best rank first */
		unsigned n, room;
	} tuples[2];			/* IPv4, IPv6 */
	uint64_t serial;
};

void esp_policies_init(struct esp_policies *);
void esp_policies_free(struct esp_policies *, struct esp_alerts *);

enum esp_error esp_policies_put(struct esp_policies *, struct esp_alerts *,
    const struct esp_policy_config *);
void esp_policies_remove(struct esp_policies *, struct esp_alerts *, uint64_t id);

/* NULL if no SA and no esp_policy_put has named it. */
struct esp_policy *esp_policies_named(const struct esp_policies *, uint64_t id);

/* The policy of an outbound packet, by THE precedence; NULL if there is none. */
struct esp_policy *esp_policies_best(const struct esp_policies *,
    const struct esp_flow *);

/* The same in steps (stage.h), in this order, each of which but the last asks for the
 * memory of the next one: where the table begins to look, what is there first, what is
 * behind that, and the bucket's entries.  Of many tuples only the best ones'. */
enum { ESP_TUPLES_AHEAD = 2 };
struct esp_policy_search {
	unsigned n;			/* tuples */
	struct esp_policy_key key[ESP_TUPLES_AHEAD];
	const struct esp_policy_bucket *bucket[ESP_TUPLES_AHEAD];
	struct esp_link *const *slot[ESP_TUPLES_AHEAD];
};
void esp_policies_begin(const struct esp_policies *, const struct esp_flow *,
    struct esp_policy_search *);
void esp_policies_expect_first(const struct esp_policy_search *);
void esp_policies_expect_second(const struct esp_policy_search *);
void esp_policies_find_buckets(const struct esp_policies *, struct esp_policy_search *);
struct esp_policy *esp_policies_choose(const struct esp_policies *,
    const struct esp_flow *, const struct esp_policy_search *);

/* An outbound SA begins and ends to serve a policy, whether that has been put or not.
 * False: no memory. */
bool esp_policies_join(struct esp_policies *, uint64_t id, struct esp_sa_out *);
void esp_policies_leave(struct esp_policies *, struct esp_sa_out *);

#endif
