/* Look-ups by id, SPI and, for half-open SAs, by the octets of the peer's first
 * message.  SPIs and ids are ours and random or counted; the third comes from the
 * network, so its key is a SipHash under the engine's own secret and cannot be steered
 * into collisions. */
#include <sodium.h>

#include "libike/sa.h"

void
ike_tables_init(struct ike *e)
{
	e->sas_by_id = (struct esp_table)ESP_TABLE(struct ike_sa, by_id, id);
	e->sas_by_spi = (struct esp_table)ESP_TABLE(struct ike_sa, by_spi, spi_ours);
	e->children_by_id = (struct esp_table)ESP_TABLE(struct ike_child_sa, by_id, id);
	e->children_by_spi =
	    (struct esp_table)ESP_TABLE(struct ike_child_sa, by_spi, spi_in);
	e->same = (struct esp_table)ESP_TABLE(struct ike_same, by_key, key);
}

void
ike_tables_free(struct ike *e)
{
	esp_table_free(&e->sas_by_id);
	esp_table_free(&e->sas_by_spi);
	esp_table_free(&e->children_by_id);
	esp_table_free(&e->children_by_spi);
	esp_table_free(&e->same);
}

bool
ike_table_add_sa(struct ike *e, struct ike_sa *sa)
{
	if (!esp_table_add(&e->sas_by_id, &sa->by_id))
		return false;
	if (!esp_table_add(&e->sas_by_spi, &sa->by_spi)) {
		esp_table_remove(&e->sas_by_id, &sa->by_id);
		return false;
	}
	TAILQ_INSERT_TAIL(&e->sas, sa, link);
	e->counts.sas++;
	return true;
}

bool
ike_table_add_init(struct ike *e, struct ike_half_open *h, uint64_t key)
{
	h->init_key = key;
	HASH_ADD(by_init, e->half_open_by_init, init_key, sizeof(h->init_key), h);
	h->indexed = h->by_init.tbl != NULL;
	return h->indexed;
}

void
ike_table_remove_init(struct ike *e, struct ike_half_open *h)
{
	if (h->indexed)
		HASH_DELETE(by_init, e->half_open_by_init, h);
	h->indexed = false;
}

void
ike_table_remove_sa(struct ike *e, struct ike_sa *sa)
{
	esp_table_remove(&e->sas_by_id, &sa->by_id);
	esp_table_remove(&e->sas_by_spi, &sa->by_spi);
	TAILQ_REMOVE(&e->sas, sa, link);
	e->counts.sas--;
}

/* A table that has had a member takes one without memory. */
static void
rename_sa(struct ike *e, struct ike_sa *sa, ike_id id)
{
	esp_table_remove(&e->sas_by_id, &sa->by_id);
	sa->id = id;
	(void)esp_table_add(&e->sas_by_id, &sa->by_id);
}

void
ike_table_swap_ids(struct ike *e, struct ike_sa *a, struct ike_sa *b)
{
	struct ike_sa *behind = TAILQ_NEXT(b, link);
	ike_id id = a->id;

	rename_sa(e, a, b->id);
	rename_sa(e, b, id);
	TAILQ_REMOVE(&e->sas, b, link);
	TAILQ_INSERT_BEFORE(a, b, link);
	if (behind == a)
		return;			/* they were neighbours */
	TAILQ_REMOVE(&e->sas, a, link);
	if (behind != NULL)
		TAILQ_INSERT_BEFORE(behind, a, link);
	else
		TAILQ_INSERT_TAIL(&e->sas, a, link);
}

struct ike_sa *
ike_table_sa(const struct ike *e, ike_id id)
{
	return ESP_MEMBER(esp_table_find(&e->sas_by_id, &id), struct ike_sa, by_id);
}

struct ike_sa *
ike_table_spi(const struct ike *e, uint64_t ours)
{
	return ESP_MEMBER(esp_table_find(&e->sas_by_spi, &ours), struct ike_sa, by_spi);
}

struct ike_sa *
ike_table_init(const struct ike *e, uint64_t key)
{
	struct ike_half_open *h;

	HASH_FIND(by_init, e->half_open_by_init, &key, sizeof(key), h);
	return h != NULL ? h->sa : NULL;
}

/* RFC 7296 2.1: half-open SAs are told apart by the whole message and where it came
 * from. */
uint64_t
ike_init_key(const struct ike *e, const struct ike_path *path, struct bytes message)
{
	uint8_t mixed[8 + 2 + 16], key[8];

	crypto_shorthash(mixed, message.p, message.len, e->init_hash_key);
	bytes_store16(mixed + 8, path->port[1]);
	memcpy(mixed + 10, path->addr[1], 16);
	crypto_shorthash(key, mixed, sizeof(mixed), e->init_hash_key);
	return bytes_load64(key);
}

bool
ike_table_add_child(struct ike *e, struct ike_child_sa *c)
{
	if (!esp_table_add(&e->children_by_id, &c->by_id))
		return false;
	if (!esp_table_add(&e->children_by_spi, &c->by_spi)) {
		esp_table_remove(&e->children_by_id, &c->by_id);
		return false;
	}
	e->counts.children++;
	return true;
}

void
ike_table_remove_child(struct ike *e, struct ike_child_sa *c)
{
	esp_table_remove(&e->children_by_id, &c->by_id);
	esp_table_remove(&e->children_by_spi, &c->by_spi);
	e->counts.children--;
}

struct ike_child_sa *
ike_table_child(const struct ike *e, ike_id id)
{
	return ESP_MEMBER(
	    esp_table_find(&e->children_by_id, &id), struct ike_child_sa, by_id);
}

bool
ike_table_child_spi_used(const struct ike *e, uint32_t spi_in)
{
	return esp_table_find(&e->children_by_spi, &spi_in) != NULL;
}

bool
ike_table_add_question(struct ike *e, struct ike_exchange *x)
{
	HASH_ADD(question.hh, e->questions, question.id, sizeof(x->question.id), x);
	if (x->question.hh.tbl == NULL)
		return false;
	e->counts.questions++;
	return true;
}

void
ike_table_remove_question(struct ike *e, struct ike_exchange *x)
{
	HASH_DELETE(question.hh, e->questions, x);
	e->counts.questions--;
}

struct ike_exchange *
ike_table_question(const struct ike *e, ike_id id)
{
	struct ike_exchange *x;

	HASH_FIND(question.hh, e->questions, &id, sizeof(id), x);
	return x;
}

bool
ike_table_add_peer(struct ike *e, struct ike_peer *p)
{
	HASH_ADD(by_id, e->peers_by_id, id, sizeof(p->id), p);
	if (p->by_id.tbl == NULL)
		return false;
	TAILQ_INSERT_TAIL(&e->peers, p, link);
	e->counts.connections++;
	return true;
}

void
ike_table_remove_peer(struct ike *e, struct ike_peer *p)
{
	HASH_DELETE(by_id, e->peers_by_id, p);
	TAILQ_REMOVE(&e->peers, p, link);
	e->counts.connections--;
}

struct ike_peer *
ike_table_peer(const struct ike *e, ike_id id)
{
	struct ike_peer *p;

	HASH_FIND(by_id, e->peers_by_id, &id, sizeof(id), p);
	return p;
}
