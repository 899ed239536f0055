#include <sodium.h>
#include <stdlib.h>

#include "libesp/sadb.h"

struct esp *
esp_new(uint16_t worker, uint16_t workers)
{
	struct esp *esp;

	if (worker >= workers || sodium_init() < 0)
		return NULL;
	esp = calloc(1, sizeof *esp);
	if (esp == NULL)
		return NULL;
	esp->worker = worker;
	esp->workers = workers;
	esp->by_id[ESP_IN] = esp->by_id[ESP_OUT] =
	    (struct esp_table)ESP_TABLE(struct esp_sa, by_id, id);
	esp->by_spi = (struct esp_table)ESP_TABLE(struct esp_sa_in, by_spi, sa.spi);
	esp_policies_init(&esp->policies);
	STAILQ_INIT(&esp->alerts);
	return esp;
}

/* ---- SAs ---- */

static struct esp_sa *
find_id(const struct esp *esp, enum esp_direction direction, uint64_t id)
{
	return ESP_MEMBER(esp_table_find(&esp->by_id[direction], &id), struct esp_sa,
	    by_id);
}

struct esp_sa *
esp_sadb_inbound(const struct esp *esp, uint32_t spi)
{
	struct esp_link *found = esp_table_find(&esp->by_spi, &spi);

	return found == NULL ? NULL : &ESP_MEMBER(found, struct esp_sa_in, by_spi)->sa;
}

struct esp_link *const *
esp_sadb_slot(const struct esp *esp, uint32_t spi)
{
	return esp->by_spi.n == 0 ? NULL : esp_table_slot(&esp->by_spi, &spi);
}

static void
take_out(struct esp *esp, struct esp_sa *sa)
{
	esp_table_remove(&esp->by_id[sa->direction], &sa->by_id);
	if (sa->listed && sa->direction == ESP_IN)
		esp_table_remove(&esp->by_spi, &esp_inbound(sa)->by_spi);
	else if (sa->listed)
		esp_policies_leave(&esp->policies, esp_outbound(sa));
	esp_alert_drop(&esp->alerts, &sa->alert);
	esp_sa_free(sa);
}

/* False: no memory, and the SA is gone. */
static bool
put_in(struct esp *esp, struct esp_sa *sa, uint64_t policy)
{
	if (!esp_table_add(&esp->by_id[sa->direction], &sa->by_id)) {
		esp_sa_free(sa);
		return false;
	}
	sa->listed = sa->direction == ESP_OUT ?
	    esp_policies_join(&esp->policies, policy, esp_outbound(sa)) :
	    esp_table_add(&esp->by_spi, &esp_inbound(sa)->by_spi);
	if (sa->listed)
		return true;
	take_out(esp, sa);
	return false;
}

static uint16_t
owner_of(const struct esp *esp, uint32_t spi)
{
	return (uint16_t)(spi % esp->workers);
}

static bool
belongs(const struct esp *esp, const struct esp_sa_config *c)
{
	if (c->direction == ESP_IN)
		return owner_of(esp, c->spi) == esp->worker;
	return c->owner < esp->workers && c->policy != 0;
}

enum esp_error
esp_add(struct esp *esp, const struct esp_sa_config *c)
{
	bool mine = c->direction == ESP_IN || c->owner == esp->worker;
	const struct esp_sa *other;
	enum esp_error error;
	struct esp_sa *sa;

	if (!belongs(esp, c))
		return ESP_INVALID;
	other = find_id(esp, c->direction == ESP_IN ? ESP_OUT : ESP_IN, c->id);
	error = esp_sa_new(c, mine, other, &sa);
	if (error != ESP_SUCCESS)
		return error;
	if (find_id(esp, sa->direction, sa->id) != NULL ||
	    (sa->direction == ESP_IN && esp_sadb_inbound(esp, sa->spi) != NULL)) {
		esp_sa_free(sa);
		return ESP_EXISTS;
	}
	return put_in(esp, sa, c->policy) ? ESP_SUCCESS : ESP_NO_MEMORY;
}

void
esp_remove(struct esp *esp, enum esp_direction direction, uint64_t id)
{
	struct esp_sa *sa = find_id(esp, direction, id);

	if (sa != NULL)
		take_out(esp, sa);
}

bool
esp_read_usage(const struct esp *esp, enum esp_direction direction, uint64_t id,
    struct esp_usage *usage)
{
	const struct esp_sa *sa = find_id(esp, direction, id);

	if (sa == NULL)
		return false;
	esp_sa_usage(sa, usage);
	return true;
}

const struct esp_counters *
esp_read_counters(const struct esp *esp)
{
	return &esp->counters;
}

/* So that nobody has to look for its own among many. */
static void
drop_alerts(struct esp_alerts *alerts)
{
	struct esp_alert *a;

	while ((a = STAILQ_FIRST(alerts)) != NULL) {
		STAILQ_REMOVE_HEAD(alerts, next);
		a->pending = 0;
	}
}

void
esp_free(struct esp *esp)
{
	struct esp_link *link;
	size_t from;

	if (esp == NULL)
		return;
	drop_alerts(&esp->alerts);
	for (int direction = 0; direction < 2; direction++) {
		from = 0;
		while ((link = esp_table_any(&esp->by_id[direction], &from)) != NULL)
			take_out(esp, ESP_MEMBER(link, struct esp_sa, by_id));
		esp_table_free(&esp->by_id[direction]);
	}
	esp_table_free(&esp->by_spi);
	esp_policies_free(&esp->policies, &esp->alerts);
	free(esp);
}

/* ---- policies ---- */

enum esp_error
esp_policy_put(struct esp *esp, const struct esp_policy_config *c)
{
	return esp_policies_put(&esp->policies, &esp->alerts, c);
}

void
esp_policy_remove(struct esp *esp, uint64_t id)
{
	esp_policies_remove(&esp->policies, &esp->alerts, id);
}

void
esp_wanted_done(struct esp *esp, uint64_t id)
{
	struct esp_policy *policy = esp_policies_named(&esp->policies, id);

	if (policy != NULL && policy->put != NULL)
		policy->put->wanted = false;
}

/* ---- notices ---- */

#define OWNER(a, type) ((type *)(void *)((uint8_t *)(a) - offsetof(type, alert)))

static bool
take_notice(struct esp_alert *a, struct esp_notice *notice)
{
	static const enum esp_notice_type order[] = {
		ESP_WANTED, ESP_FIRST_IN, ESP_SOFT, ESP_HARD
	};
	const struct esp_policy_put *put;
	const struct esp_sa *sa;

	for (unsigned i = 0; i < sizeof order / sizeof order[0]; i++) {
		if ((a->pending & 1u << order[i]) == 0)
			continue;
		a->pending &= (uint8_t)~(1u << order[i]);
		*notice = (struct esp_notice){ .type = order[i], .direction = ESP_OUT };
		if (!a->of_policy) {
			sa = OWNER(a, struct esp_sa);
			notice->direction = sa->direction;
			notice->id = sa->id;
			return true;
		}
		put = OWNER(a, struct esp_policy_put);
		notice->id = put->policy->id;
		notice->packet = put->packet;
		return put->wanted;		/* else it has got its SA meanwhile */
	}
	return false;
}

bool
esp_next_notice(struct esp *esp, struct esp_notice *notice)
{
	struct esp_alert *a;

	while ((a = STAILQ_FIRST(&esp->alerts)) != NULL) {
		bool taken = take_notice(a, notice);

		if (a->pending == 0)
			STAILQ_REMOVE_HEAD(&esp->alerts, next);
		if (taken)
			return true;
	}
	return false;
}

bool
esp_has_notice(const struct esp *esp)
{
	return !STAILQ_EMPTY(&esp->alerts);
}
