#include <stdlib.h>

#include "libesp/sa.h"

enum {
	ESP_HEADER = 8,		/* SPI | sequence number */
	TRAILER = 2		/* pad length | next header */
};

static uint64_t
last_sequence(bool esn)
{
	return esn ? UINT64_MAX : UINT32_MAX;
}

static bool
selectors_valid(const struct esp_selector *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!esp_selector_valid(&s[i]))
			return false;
	return n > 0;
}

static bool
config_valid(const struct esp_sa_config *c, bool mine)
{
	if (c->id == 0 || c->spi < ESP_SPI_MIN || c->transform == NULL ||
	    (c->direction != ESP_IN && c->direction != ESP_OUT) ||
	    (c->mode != ESP_TUNNEL && c->mode != ESP_TRANSPORT) ||
	    c->window > ESP_WINDOW_MAX || c->first > last_sequence(c->esn) ||
	    !selectors_valid(c->selectors, c->n_selectors))
		return false;
	if (!mine)
		return true;
	return c->keymat.len == esp_transform_keymat(c->transform) &&
	    (c->direction == ESP_IN || c->iv_key.len == c->transform->iv_key_len);
}

static bool
make_keys(struct esp_sa *sa, const struct esp_sa_config *c, bool mine)
{
	uint64_t first = c->first == 0 ? 1 : c->first;
	uint32_t window =
	    c->window == 0 ? ESP_WINDOW_DEFAULT : (c->window + 63) / 64 * 64;
	struct bytes iv_key = c->direction == ESP_OUT ? c->iv_key : bytes_of(NULL, 0);

	if (c->direction == ESP_IN &&
	    !esp_replay_init(&sa->replay, window, first, c->esn))
		return false;
	if (mine) {
		sa->key = c->transform->new_key(c->transform, c->keymat, iv_key);
		if (sa->key == NULL)
			return false;
	}
	sa->usage.sequence = first - 1;
	return true;
}

/* Few SAs have these. */
static bool
keep_sent(struct esp_sa *sa, const struct esp_sa_config *c)
{
	static const uint8_t none[2][16];

	if (c->direction != ESP_IN || memcmp(c->sent, none, sizeof none) == 0)
		return true;
	sa->sent = malloc(sizeof c->sent);
	if (sa->sent == NULL)
		return false;
	memcpy(sa->sent, c->sent, sizeof c->sent);
	return true;
}

static void
copy(struct esp_sa *sa, const struct esp_sa_config *c)
{
	sa->id = c->id;
	sa->user = c->user;
	sa->direction = (uint8_t)c->direction;
	sa->mode = (uint8_t)c->mode;
	sa->spi = c->spi;
	sa->owner = c->owner;
	sa->esn = c->esn;
	sa->transform = c->transform;
	sa->soft = c->soft;
	sa->hard = c->hard;
	sa->n_selectors = c->n_selectors;
	memcpy(sa->selectors, c->selectors, c->n_selectors * sizeof *sa->selectors);
}

enum esp_error
esp_sa_new(const struct esp_sa_config *c, bool mine, struct esp_sa **sa)
{
	struct esp_sa *new;

	if (!config_valid(c, mine))
		return ESP_INVALID;
	new = calloc(1, sizeof *new + c->n_selectors * sizeof *new->selectors);
	if (new == NULL)
		return ESP_NO_MEMORY;
	copy(new, c);
	if (!make_keys(new, c, mine) || !keep_sent(new, c)) {
		esp_sa_free(new);
		return ESP_NO_MEMORY;
	}
	*sa = new;
	return ESP_SUCCESS;
}

void
esp_sa_free(struct esp_sa *sa)
{
	if (sa == NULL)
		return;
	sa->transform->free_key(sa->key);
	if (sa->direction == ESP_IN) {
		esp_replay_free(&sa->replay);
		free(sa->sent);
	}
	free(sa);
}

bool
esp_sa_matches(const struct esp_sa *sa, const struct esp_flow *flow)
{
	for (unsigned i = 0; i < sa->n_selectors; i++)
		if (esp_selector_matches(&sa->selectors[i], flow, sa->direction))
			return true;
	return false;
}

/* ---- limits ---- */

static bool
reached(const struct esp_limits *limit, const struct esp_usage *used)
{
	return (limit->packets != 0 && used->packets >= limit->packets) ||
	    (limit->octets != 0 && used->octets >= limit->octets);
}

bool
esp_sa_spent(const struct esp_sa *sa)
{
	return reached(&sa->hard, &sa->usage) ||
	    (sa->direction == ESP_OUT && sa->usage.sequence == last_sequence(sa->esn));
}

void
esp_sa_count(struct esp_sa *sa, struct esp_alerts *alerts, uint32_t octets)
{
	sa->usage.packets++;
	sa->usage.octets += octets;
	if (!sa->soft_told && (reached(&sa->soft, &sa->usage) ||
	    sa->usage.sequence >= last_sequence(sa->esn) / 4 * 3)) {
		sa->soft_told = true;
		esp_alert_raise(alerts, &sa->alert, ESP_SOFT);
	}
	if (!sa->hard_told && esp_sa_spent(sa)) {
		sa->hard_told = true;
		esp_alert_raise(alerts, &sa->alert, ESP_HARD);
	}
}

/* ---- sizes ---- */

/* RFC 4303 2.4: the ICV begins at a multiple of four octets, whatever the cipher
 * wants. */
static uint32_t
alignment(const struct esp_transform *t)
{
	return t->align < 4 ? 4 : t->align;
}

uint32_t
esp_trailer_len(const struct esp_transform *t, uint32_t payload)
{
	uint32_t align = alignment(t), whole = payload + TRAILER + align - 1;

	return whole - whole % align - payload;
}

struct esp_room
esp_transform_overhead(const struct esp_transform *t)
{
	return (struct esp_room){
		.head = (uint16_t)(ESP_HEADER + t->iv_len),
		.tail = (uint16_t)(alignment(t) - 1 + TRAILER + t->icv_len)
	};
}

struct esp_room
esp_overhead(const struct esp_sa *sa)
{
	return esp_transform_overhead(sa->transform);
}

uint32_t
esp_payload_max(const struct esp_transform *t, uint32_t room)
{
	uint32_t fixed = ESP_HEADER + t->iv_len + t->icv_len, padded;

	if (room < fixed)
		return 0;
	padded = (room - fixed) / alignment(t) * alignment(t);
	return padded < TRAILER ? 0 : padded - TRAILER;
}

uint64_t
esp_sa_id(const struct esp_sa *sa)
{
	return sa->id;
}

void *
esp_sa_user(const struct esp_sa *sa)
{
	return sa->user;
}
