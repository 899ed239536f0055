#include "libipsec/config.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libesp/bytes.h"
#include "libike/id.h"
#include "libike/proto.h"

enum {
	QUEUE = 256,
	SECRET_NAME = 2 * crypto_generichash_BYTES + 1
};

#define SHUTDOWN_TIME (5 * IPSEC_SECOND)

static const char ANYBODY[] = "psk";	/* the secret's name */

/* ---- the settings ---- */

struct ipsec_settings *
ipsec_settings_new(void)
{
	struct ipsec_settings *s = calloc(1, sizeof(*s));
	struct ike_setup setup;

	if (s == NULL)
		return NULL;
	ike_setup_defaults(&setup);
	s->references = 1;
	s->renewal = setup.renewal;
	s->setting_up = setup.setting_up;
	s->established = setup.established;
	s->pfs = setup.pfs;
	s->unique = setup.unique;
	s->dpd = setup.dpd;
	s->shutdown_time = SHUTDOWN_TIME;
	s->queue = QUEUE;
	return s;
}

struct ipsec_settings *
ipsec_settings_hold(struct ipsec_settings *s)
{
	s->references++;
	return s;
}

static void
free_list(struct ipsec_list *list)
{
	for (unsigned i = 0; i < list->n; i++)
		free(list->v[i]);
	free(list->v);
}

void
ipsec_settings_free(struct ipsec_settings *s)
{
	if (s == NULL || --s->references != 0)
		return;
	free(s->local_id);
	free(s->remote_id);
	free(s->local_address);
	ipsec_secrets_free(s->secrets);
	for (unsigned i = 0; i < s->n_peers; i++)
		free(s->peers[i].id);
	free(s->peers);
	free_list(&s->ike);
	free_list(&s->esp);
	for (unsigned i = 0; i < s->n_traffic; i++)
		for (unsigned side = 0; side < 2; side++) {
			free(s->traffic[i].text[side]);
			free(s->traffic[i].ranges[side].v);
		}
	free(s->traffic);
	free(s);
}

struct ipsec_builder *
ipsec_builder_new(void)
{
	struct ipsec_builder *b = calloc(1, sizeof(*b));

	if (b == NULL || sodium_init() < 0 ||
	    (b->settings = ipsec_settings_new()) == NULL) {
		free(b);
		return NULL;
	}
	return b;
}

void
ipsec_builder_free(struct ipsec_builder *b)
{
	if (b == NULL)
		return;
	ipsec_settings_free(b->settings);
	free(b);
}

/* ---- texts ---- */

static void
set_text(struct ipsec_builder *b, char **to, const char *text)
{
	char *copy = text != NULL ? strdup(text) : NULL;

	if (text != NULL && copy == NULL)
		b->settings->no_memory = true;
	free(*to);
	*to = copy;
}

/* Room for one more of `size` octets behind the `n` there are; false: no memory, and
 * that is remembered. */
static bool
grow(struct ipsec_builder *b, void *array, unsigned n, size_t size)
{
	void *old, *more;

	memcpy(&old, array, sizeof(old));
	more = reallocarray(old, n + 1, size);
	if (more == NULL) {
		b->settings->no_memory = true;
		return false;
	}
	memcpy(array, &more, sizeof(more));
	memset((char *)more + n * size, 0, size);
	return true;
}

static void
add_text(struct ipsec_builder *b, struct ipsec_list *list, const char *text)
{
	if (grow(b, &list->v, list->n, sizeof(list->v[0])))
		set_text(b, &list->v[list->n++], text != NULL ? text : "");
}

void
ipsec_builder_set_local_id(struct ipsec_builder *b, const char *id)
{
	set_text(b, &b->settings->local_id, id);
}

void
ipsec_builder_set_remote_id(struct ipsec_builder *b, const char *id)
{
	set_text(b, &b->settings->remote_id, id);
}

void
ipsec_builder_set_local_address(struct ipsec_builder *b, const char *address)
{
	set_text(b, &b->settings->local_address, address);
}

void
ipsec_builder_add_ike_proposal(struct ipsec_builder *b, const char *proposal)
{
	add_text(b, &b->settings->ike, proposal);
}

void
ipsec_builder_add_esp_proposal(struct ipsec_builder *b, const char *proposal)
{
	add_text(b, &b->settings->esp, proposal);
}

/* ---- traffic ---- */

/* Takes the text apart at its commas, and white space off the pieces. */
static void
split(struct ipsec_builder *b, char *text, struct ipsec_list *list)
{
	char *next, *end;

	for (; text != NULL; text = next) {
		if ((next = strchr(text, ',')) != NULL)
			*next++ = '\0';
		text += strspn(text, " \t");
		end = text + strlen(text);
		while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
			*--end = '\0';
		if (!grow(b, &list->v, list->n, sizeof(list->v[0])))
			return;
		list->v[list->n++] = text;
	}
}

void
ipsec_builder_add_traffic_selector(struct ipsec_builder *b, const char *local,
    const char *remote)
{
	struct ipsec_settings *s = b->settings;
	const char *const texts[] = { local, remote };
	struct ipsec_traffic *t;

	if (!grow(b, &s->traffic, s->n_traffic, sizeof(*t)))
		return;
	t = &s->traffic[s->n_traffic++];
	for (unsigned side = 0; side < 2; side++) {
		set_text(b, &t->text[side], texts[side] != NULL ? texts[side] : "");
		split(b, t->text[side], &t->ranges[side]);
	}
}

/* ---- secrets ---- */

static bool
keep_secret(struct ipsec_builder *b, const char *name, const void *secret, size_t len)
{
	struct ipsec_settings *s = b->settings;

	if (s->secrets == NULL)
		s->secrets = ipsec_secrets_new();
	if (s->secrets != NULL && ipsec_secrets_put(s->secrets, name,
	    bytes_of(secret, len)))
		return true;
	s->no_memory = true;
	return false;
}

void
ipsec_builder_set_psk(struct ipsec_builder *b, const void *secret, size_t len)
{
	struct ipsec_settings *s = b->settings;

	s->empty_psk = len == 0 || secret == NULL;
	if (s->empty_psk) {
		if (s->secrets != NULL)
			ipsec_secrets_remove(s->secrets, ANYBODY);
		s->has_psk = false;
		return;
	}
	s->has_psk = keep_secret(b, ANYBODY, secret, len);
}

/* The name of a peer's secret: a hash of the identity, in which case does not count where
 * ike_id_equal does not count it. */
static void
name_peer(uint8_t type, struct bytes id, char name[SECRET_NAME])
{
	uint8_t hash[crypto_generichash_BYTES], octet;
	crypto_generichash_state state;
	size_t domain = type == IKE_ID_FQDN ? 0 : id.len;

	if (type == IKE_ID_RFC822_ADDR)
		while (domain > 0 && id.p[domain - 1] != '@')
			domain--;
	crypto_generichash_init(&state, NULL, 0, sizeof(hash));
	crypto_generichash_update(&state, &type, 1);
	for (size_t i = 0; i < id.len; i++) {
		octet = id.p[i];
		if (i >= domain && octet >= 'A' && octet <= 'Z')
			octet |= 0x20;
		crypto_generichash_update(&state, &octet, 1);
	}
	crypto_generichash_final(&state, hash, sizeof(hash));
	for (size_t i = 0; i < sizeof(hash); i++)
		snprintf(name + 2 * i, 3, "%02x", hash[i]);
}

void
ipsec_builder_add_psk(struct ipsec_builder *b, const char *peer_id, const void *secret,
    size_t len)
{
	struct ipsec_settings *s = b->settings;
	struct ipsec_peer_psk *peer;
	struct ike_identity id;
	char name[SECRET_NAME];
	const char *why;

	if (!grow(b, &s->peers, s->n_peers, sizeof(*peer)))
		return;
	peer = &s->peers[s->n_peers++];
	set_text(b, &peer->id, peer_id != NULL ? peer_id : "");
	peer->empty = len == 0 || secret == NULL;
	if (peer->id == NULL || peer->empty)
		return;			/* build says so */
	if (!ike_id_parse(peer->id, &id, &why)) {
		s->no_memory = s->no_memory || strcmp(why, "out of memory") == 0;
		return;
	}
	name_peer(id.type, id.data, name);
	ike_id_free(&id);
	peer->twice = s->secrets != NULL && ipsec_secrets_has(s->secrets, name);
	keep_secret(b, name, secret, len);
}

bool
ipsec_settings_answer_peer(const struct ipsec_settings *s, const struct ike_event *event,
    uint8_t value[IPSEC_AUTH_MAX], struct ike_answer *answer)
{
	struct ike_auth_request auth = *event->u.auth;
	struct ike_event named = *event;
	char name[SECRET_NAME];

	if (s->n_peers == 0 || s->secrets == NULL)
		return false;
	name_peer(auth.remote_id_type, auth.remote_id, name);
	if (!ipsec_secrets_has(s->secrets, name))
		return false;
	auth.secret = name;
	named.u.auth = &auth;
	ipsec_secrets_answer(s->secrets, &named, value, answer);
	return true;
}

void
ipsec_settings_rest(const struct ipsec_settings *s)
{
	if (s->secrets != NULL)
		ipsec_secrets_rest(s->secrets);
}

void
ipsec_settings_answer(const struct ipsec_settings *s, const struct ike_event *event,
    uint8_t value[IPSEC_AUTH_MAX], struct ike_answer *answer)
{
	if (s->secrets != NULL)
		ipsec_secrets_answer(s->secrets, event, value, answer);
	else
		ipsec_secret_answer(bytes_of(NULL, 0), event, value, answer);
}

/* ---- numbers ---- */

static struct ike_lifetime
lifetime_of(const struct ipsec_lifetime *l)
{
	return (struct ike_lifetime){ l->time, l->octets, l->packets };
}

void
ipsec_builder_set_lifetime(struct ipsec_builder *b, const struct ipsec_lifetime *soft,
    const struct ipsec_lifetime *hard)
{
	struct ike_renewal *r = &b->settings->renewal;

	if (soft != NULL)
		r->child = lifetime_of(soft);
	if (hard != NULL)
		r->child_hard = lifetime_of(hard);
}

void
ipsec_builder_set_ike_lifetime(struct ipsec_builder *b, int64_t soft, int64_t hard)
{
	b->settings->renewal.ike = soft;
	b->settings->renewal.ike_hard = hard;
}

void
ipsec_builder_set_dpd(struct ipsec_builder *b, int64_t silence)
{
	b->settings->dpd = silence;
}

/* A factor that the engine's field cannot hold becomes one that is told of. */
static void
set_retransmission(struct ike_retransmission *to, unsigned *tries,
    const struct ipsec_retransmission *from)
{
	if (from == NULL)
		return;
	*tries = from->tries;
	to->first = from->first;
	to->most = from->most;
	to->factor_percent = (uint16_t)(from->factor_percent <= UINT16_MAX ?
	    from->factor_percent : UINT16_MAX);
	to->tries = (uint8_t)(from->tries <= UINT8_MAX ? from->tries : UINT8_MAX);
}

void
ipsec_builder_set_retransmission(struct ipsec_builder *b,
    const struct ipsec_retransmission *setting_up,
    const struct ipsec_retransmission *established)
{
	struct ipsec_settings *s = b->settings;

	set_retransmission(&s->setting_up, &s->tries[0], setting_up);
	set_retransmission(&s->established, &s->tries[1], established);
}

void
ipsec_builder_set_pfs(struct ipsec_builder *b, enum ipsec_pfs pfs)
{
	static const enum ike_pfs values[] = { [IPSEC_PFS_PREFER] = IKE_PFS_PREFER,
	    [IPSEC_PFS_REQUIRE] = IKE_PFS_REQUIRE, [IPSEC_PFS_OFF] = IKE_PFS_OFF };

	b->settings->bad_pfs = (unsigned)pfs >= sizeof(values) / sizeof(values[0]);
	if (!b->settings->bad_pfs)
		b->settings->pfs = values[pfs];
}

void
ipsec_builder_set_unique(struct ipsec_builder *b, enum ipsec_unique unique)
{
	static const enum ike_unique values[] = {
		[IPSEC_UNIQUE_REPLACE] = IKE_UNIQUE_REPLACE,
		[IPSEC_UNIQUE_KEEP] = IKE_UNIQUE_KEEP,
		[IPSEC_UNIQUE_NEVER] = IKE_UNIQUE_NEVER
	};

	b->settings->bad_unique = (unsigned)unique >= sizeof(values) / sizeof(values[0]);
	if (!b->settings->bad_unique)
		b->settings->unique = values[unique];
}

void
ipsec_builder_set_queue(struct ipsec_builder *b, unsigned packets)
{
	b->settings->queue = packets;
}

void
ipsec_builder_set_shutdown_time(struct ipsec_builder *b, int64_t time)
{
	b->settings->shutdown_time = time;
}

/* ---- the connection ---- */

/* Everything, for who has named nothing. */
static const char *const anything[] = { "0.0.0.0/0", "::/0" };

static struct ike_texts
texts_of(const struct ipsec_list *list)
{
	static const char *const standard[] = { "default" };

	return list->n == 0 ? (struct ike_texts){ standard, 1 } :
	    (struct ike_texts){ (const char *const *)list->v, list->n };
}

/* The children, with names that lie behind them: freed with them.  NULL: no memory. */
static struct ike_child_setup *
make_children(const struct ipsec_settings *s, unsigned n)
{
	enum { NAME = 12 };
	struct ike_child_setup *v = calloc(n, sizeof(*v) + NAME);
	char *name;

	for (unsigned i = 0; v != NULL && i < n; i++) {
		name = (char *)(v + n) + (size_t)i * NAME;
		snprintf(name, NAME, "%u", i + 1);
		v[i] = (struct ike_child_setup){ .name = name,
		    .local = { anything, 2 }, .remote = { anything, 2 } };
		if (s->n_traffic == 0)
			continue;
		v[i].local = texts_of(&s->traffic[i].ranges[0]);
		v[i].remote = texts_of(&s->traffic[i].ranges[1]);
	}
	return v;
}

struct ike_connection *
ipsec_settings_connection(const struct ipsec_settings *s, const char *remote,
    uint16_t port, enum ike_start start, struct ike_fault *faults, unsigned max,
    unsigned *n)
{
	unsigned n_children = s->n_traffic > 0 ? s->n_traffic : 1;
	struct ike_child_setup *children = make_children(s, n_children);
	struct ike_connection *c;
	struct ike_setup setup;

	if (children == NULL) {
		*n = 1;
		if (max > 0)
			faults[0] = (struct ike_fault){ .code = IKE_FAULT_NO_MEMORY,
			    .setting = "", .child = -1, .item = -1,
			    .text = "out of memory" };
		return NULL;
	}
	ike_setup_defaults(&setup);
	setup.name = "libipsec";
	setup.local_id = s->local_id;
	setup.remote_id = s->remote_id != NULL ? s->remote_id : "%any";
	setup.remote_address = remote;
	setup.port = setup.natt_port = port;
	setup.secret = ANYBODY;
	setup.start = start;
	setup.ike = texts_of(&s->ike);
	setup.esp = texts_of(&s->esp);
	setup.children = children;
	setup.n_children = n_children;
	setup.unique = s->unique;
	setup.renewal = s->renewal;
	setup.setting_up = s->setting_up;
	setup.established = s->established;
	setup.pfs = s->pfs;
	setup.dpd = s->dpd;
	c = ike_connection_new(&setup, faults, max, n);
	free(children);
	return c;
}
