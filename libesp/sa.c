#include <stdlib.h>

#include "libesp/sa.h"

enum {
	ESP_HEADER = 8,		/* SPI | sequence number */
	TRAILER = 2,		/* pad length | next header */
	KEY_NEAR = 64		/* octets of a key that its own expect reads */
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
	    !esp_replay_init(&esp_inbound(sa)->replay, window, first, c->esn))
		return false;
	if (mine) {
		sa->key = c->transform->new_key(c->transform, c->keymat, iv_key);
		if (sa->key == NULL)
			return false;
	}
	sa->sequence = first - 1;
	return true;
}

/* Few SAs have these. */
static bool
keep_sent(struct esp_sa *sa, const struct esp_sa_config *c)
{
	static const uint8_t none[2][16];
	uint8_t (*sent)[16];

	if (c->direction != ESP_IN || memcmp(c->sent, none, sizeof none) == 0)
		return true;
	sent = malloc(sizeof c->sent);
	if (sent == NULL)
		return false;
	memcpy(sent, c->sent, sizeof c->sent);
	esp_inbound(sa)->sent = sent;
	return true;
}

static bool
same_limits(const struct esp_limits *a, const struct esp_limits *b)
{
	return a->packets == b->packets && a->octets == b->octets;
}

static bool
same_terms(const struct esp_terms *t, const struct esp_sa_config *c)
{
	return t->transform == c->transform && t->mode == c->mode && t->esn == c->esn &&
	    same_limits(&t->soft, &c->soft) && same_limits(&t->hard, &c->hard) &&
	    t->n_selectors == c->n_selectors && memcmp(t->selectors, c->selectors,
	    c->n_selectors * sizeof *c->selectors) == 0;
}

/* The other SA's, if they are the same; else new ones.  NULL: no memory. */
static struct esp_terms *
take_terms(const struct esp_sa_config *c, const struct esp_sa *other)
{
	struct esp_terms *t;

	if (other != NULL && same_terms(other->terms, c)) {
		other->terms->uses++;
		return other->terms;
	}
	t = calloc(1, sizeof *t + c->n_selectors * sizeof *t->selectors);
	if (t == NULL)
		return NULL;
	t->uses = 1;
	t->transform = c->transform;
	t->mode = (uint8_t)c->mode;
	t->esn = c->esn;
	t->soft = c->soft;
	t->hard = c->hard;
	t->n_selectors = c->n_selectors;
	memcpy(t->selectors, c->selectors, c->n_selectors * sizeof *t->selectors);
	return t;
}

static void
copy(struct esp_sa *sa, const struct esp_sa_config *c)
{
	sa->id = c->id;
	sa->user = c->user;
	sa->direction = (uint8_t)c->direction;
	sa->spi = c->spi;
	sa->owner = c->owner;
}

enum esp_error
esp_sa_new(const struct esp_sa_config *c, bool mine, const struct esp_sa *other,
    struct esp_sa **sa)
{
	struct esp_sa *new;

	if (!config_valid(c, mine))
		return ESP_INVALID;
	new = calloc(1, c->direction == ESP_IN ? sizeof(struct esp_sa_in) :
	    sizeof(struct esp_sa_out));
	if (new == NULL)
		return ESP_NO_MEMORY;
	copy(new, c);
	new->terms = take_terms(c, other);
	if (new->terms == NULL || !make_keys(new, c, mine) || !keep_sent(new, c)) {
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
	if (sa->key != NULL)
		sa->terms->transform->free_key(sa->key);
	if (sa->terms != NULL && --sa->terms->uses == 0)
		free(sa->terms);
	if (sa->direction == ESP_IN) {
		esp_replay_free(&esp_inbound(sa)->replay);
		free(esp_inbound(sa)->sent);
	}
	free(sa);
}

void
esp_sa_usage(const struct esp_sa *sa, struct esp_usage *usage)
{
	const struct esp_sa_in *in = (const struct esp_sa_in *)sa;

	*usage = (struct esp_usage){ .packets = sa->packets, .octets = sa->octets,
		.sequence = sa->sequence };
	if (sa->direction != ESP_IN)
		return;
	usage->replay = in->dropped.replay;
	usage->integrity = in->dropped.integrity;
	usage->policy = in->dropped.policy;
	usage->malformed = in->dropped.malformed;
}

bool
esp_sa_matches(const struct esp_sa *sa, const struct esp_flow *flow)
{
	const struct esp_terms *t = sa->terms;

	for (unsigned i = 0; i < t->n_selectors; i++)
		if (esp_selector_matches(&t->selectors[i], flow, sa->direction))
			return true;
	return false;
}

/* ---- memory that must be near ---- */

void
esp_sa_expect_in(const struct esp_sa_in *in)
{
	bytes_expect(&in->sa.id, offsetof(struct esp_sa_in, sent) -
	    offsetof(struct esp_sa_in, sa.id));
}

void
esp_sa_expect_out(const struct esp_sa_out *out)
{
	bytes_expect(&out->sa.id, sizeof(*out) - offsetof(struct esp_sa_out, sa.id));
}

void
esp_sa_expect_around(const struct esp_sa *sa)
{
	bytes_expect(sa->terms, sizeof(*sa->terms) + sizeof(*sa->terms->selectors));
	bytes_expect(sa->key, KEY_NEAR);
}

void
esp_sa_expect_cipher(const struct esp_sa *sa)
{
	const struct esp_transform *t = sa->terms->transform;

	if (sa->key != NULL && t->expect != NULL)
		t->expect(sa->key);
}

/* ---- limits ---- */

static bool
reached(const struct esp_limits *limit, const struct esp_sa *sa)
{
	return (limit->packets != 0 && sa->packets >= limit->packets) ||
	    (limit->octets != 0 && sa->octets >= limit->octets);
}

bool
esp_sa_spent(const struct esp_sa *sa)
{
	return reached(&sa->terms->hard, sa) || (sa->direction == ESP_OUT &&
	    sa->sequence == last_sequence(sa->terms->esn));
}

void
esp_sa_count(struct esp_sa *sa, struct esp_alerts *alerts, uint32_t octets)
{
	sa->packets++;
	sa->octets += octets;
	if (!sa->soft_told && (reached(&sa->terms->soft, sa) ||
	    sa->sequence >= last_sequence(sa->terms->esn) / 4 * 3)) {
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
	return esp_transform_overhead(sa->terms->transform);
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
