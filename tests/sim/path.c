#include <stdio.h>
#include <string.h>

#include "tests/sim/cheap.h"
#include "tests/sim/path.h"

static bool
attach(struct ipsec_datapath *d, struct ipsec_udp *udp,
    void (*tell)(void *, const struct ike_notice *), void *arg)
{
	(void)d;
	(void)udp;
	(void)tell;
	(void)arg;
	return true;
}

/* ---- policies ---- */

static bool
trap(struct ipsec_datapath *d, const struct ipsec_trap *t)
{
	struct path *p = (struct path *)d;
	struct esp_policy_config c = { .id = t->id, .selectors = t->selectors,
	    .n_selectors = t->n, .acquire = t->mode == IPSEC_TRAP_ACQUIRE };

	for (unsigned i = 0; i < PATH_TRAPS; i++) {
		if (p->traps[i].id != 0)
			continue;
		if (esp_policy_put(p->esp, &c) != ESP_SUCCESS)
			return false;
		p->traps[i].id = t->id;
		p->traps[i].connection = t->connection;
		snprintf(p->traps[i].child, sizeof(p->traps[i].child), "%s", t->child);
		return true;
	}
	judge_blame(p->judge, "host %c has too many policies", p->name);
	return false;
}

static void
untrap(struct ipsec_datapath *d, uint64_t id)
{
	struct path *p = (struct path *)d;
	bool found = false;

	for (unsigned i = 0; i < PATH_TRAPS; i++)
		if (p->traps[i].id == id) {
			memset(&p->traps[i], 0, sizeof(p->traps[i]));
			found = true;
		}
	if (!found)
		judge_blame(p->judge, "host %c removes a policy twice", p->name);
	esp_policy_remove(p->esp, id);
}

/* ---- SAs ---- */

struct path_sa *
path_find_id(struct path *p, ike_id child, bool out)
{
	for (unsigned i = 0; i < PATH_SAS; i++)
		if (p->sas[i].id == child && p->sas[i].out == out)
			return &p->sas[i];
	return NULL;
}

const struct path_sa *
path_find(const struct path *p, uint32_t spi, bool out)
{
	for (unsigned i = 0; i < PATH_SAS; i++)
		if (p->sas[i].id != 0 && p->sas[i].out == out && p->sas[i].spi == spi)
			return &p->sas[i];
	return NULL;
}

static ike_id
connection_of(const struct path *p, uint64_t policy)
{
	for (unsigned i = 0; i < PATH_TRAPS; i++)
		if (p->traps[i].id == policy)
			return p->traps[i].connection;
	return 0;
}

const struct path_sa *
path_newest(const struct path *p, ike_id connection, unsigned child)
{
	const struct path_sa *found = NULL;

	for (unsigned i = 0; i < PATH_SAS; i++)
		if (p->sas[i].id != 0 && p->sas[i].out && p->sas[i].child == child &&
		    p->sas[i].connection == connection &&
		    (found == NULL || p->sas[i].order > found->order))
			found = &p->sas[i];
	return found;
}

/* What the peer may answer with comes first; and no SPI twice. */
static void
check_add(struct path *p, const struct esp_sa_config *c)
{
	bool out = c->direction == ESP_OUT;

	if (path_find_id(p, c->id, out) != NULL)
		judge_blame(p->judge, "host %c adds Child SA %llu twice", p->name,
		    (unsigned long long)c->id);
	if (out && path_find_id(p, c->id, false) == NULL && p->refused != c->id)
		judge_blame(p->judge, "host %c adds outbound before inbound", p->name);
	if (!out && path_find(p, c->spi, false) != NULL)
		judge_blame(p->judge, "host %c uses SPI %08x for two SAs", p->name,
		    c->spi);
	judge_key(p->judge, (uint64_t)p->name << 8 | out, c->keymat);
}

static void
describe(const struct path *p, const struct ipsec_sa *s, bool out,
    struct esp_sa_config *c)
{
	static const uint8_t iv_key[32] = { 1 };
	const struct ike_child *child = s->child;
	const struct esp_transform *t = p->cheap ? cheap_transform(child->transform) :
	    child->transform;

	*c = (struct esp_sa_config){
		.id = s->id, .policy = s->policy, .direction = out ? ESP_OUT : ESP_IN,
		.mode = child->transport ? ESP_TRANSPORT : ESP_TUNNEL,
		.spi = out ? child->spi_out : child->spi_in, .esn = child->esn,
		.transform = t, .keymat = out ? child->key_out : child->key_in,
		.iv_key = { iv_key, out ? t->iv_key_len : 0 },
		.selectors = child->selectors, .n_selectors = child->n_selectors,
		.soft = { child->soft_packets, child->soft_octets },
		.hard = { child->hard_packets, child->hard_octets },
	};
	if (p->high && out && !child->esn)
		c->first = 0xbfffffe0;
}

static bool
add(struct path *p, const struct ipsec_sa *s, bool out)
{
	struct esp_sa_config config;
	struct path_sa *sa = p->sas, *in;

	describe(p, s, out, &config);
	if (p->refuse > 0) {
		p->refuse--;
		p->refused = s->id;
		return false;
	}
	check_add(p, &config);
	while (sa < p->sas + PATH_SAS && sa->id != 0)
		sa++;
	if (sa == p->sas + PATH_SAS || esp_add(p->esp, &config) != ESP_SUCCESS) {
		judge_blame(p->judge, "host %c cannot add an SA", p->name);
		return false;
	}
	if (out && (in = path_find_id(p, s->id, false)) != NULL)
		in->paired = true;
	*sa = (struct path_sa){ .id = s->id,
	    .connection = connection_of(p, s->policy), .spi = config.spi, .out = out,
	    .encap = s->child->encap, .path = s->child->path,
	    .iv_len = config.transform->iv_len, .order = ++p->added,
	    .child = tunnel_child(s->child->name),
	    .key_hash = cheap_hash(0, config.keymat.p, config.keymat.len) };
	return true;
}

static bool
in_add(struct ipsec_datapath *d, const struct ipsec_sa *s)
{
	return add((struct path *)d, s, false);
}

static bool
out_add(struct ipsec_datapath *d, const struct ipsec_sa *s)
{
	return add((struct path *)d, s, true);
}

static void
take_out(struct path *p, ike_id child, bool out)
{
	struct path_sa *sa = path_find_id(p, child, out);

	if (!out && path_find_id(p, child, true) != NULL)
		judge_blame(p->judge, "host %c sends by an SA without its inbound side",
		    p->name);
	if (sa == NULL) {
		judge_blame(p->judge, "host %c removes an SA that it does not have",
		    p->name);
		return;
	}
	esp_remove(p->esp, out ? ESP_OUT : ESP_IN, child);
	memset(sa, 0, sizeof(*sa));
}

static void
out_remove(struct ipsec_datapath *d, ike_id child)
{
	take_out((struct path *)d, child, true);
}

static void
in_remove(struct ipsec_datapath *d, ike_id child)
{
	take_out((struct path *)d, child, false);
}

static void
set_path(struct ipsec_datapath *d, const struct ipsec_sa *sa)
{
	struct path *p = (struct path *)d;

	for (unsigned i = 0; i < PATH_SAS; i++)
		if (p->sas[i].id == sa->id)
			p->sas[i].path = sa->child->path;
}

static bool
usage(struct ipsec_datapath *d, ike_id child, struct ipsec_usage *u)
{
	(void)d;
	(void)child;
	(void)u;
	return false;
}

static void
close_path(struct ipsec_datapath *d)
{
	(void)d;
}

static const struct ipsec_datapath_ops ops = {
	.attach = attach, .trap = trap, .untrap = untrap, .in_add = in_add,
	.out_add = out_add, .out_remove = out_remove, .in_remove = in_remove,
	.set_path = set_path, .usage = usage, .close = close_path,
};

/* Its tables never get smaller: now they are there. */
static bool
warm_up(struct esp *esp)
{
	static const uint8_t key[ESP_MAX_KEY_LEN];
	struct esp_selector any[2] = {
		{ esp_range_any(ESP_IPV4), esp_range_any(ESP_IPV4) },
		{ esp_range_any(ESP_IPV6), esp_range_any(ESP_IPV6) }
	};
	struct esp_policy_config c = { .id = 1, .selectors = any, .n_selectors = 2 };
	const struct esp_transform *t = ike_find_cipher(
	    &cheap_algorithms, ENCR_AES_GCM_16, 256, AUTH_NONE);
	struct esp_sa_config sa = { .id = 1, .policy = 1, .spi = ESP_SPI_MIN,
	    .transform = t, .keymat = bytes_of(key, esp_transform_keymat(t)),
	    .selectors = any, .n_selectors = 2 };
	bool good = esp_policy_put(esp, &c) == ESP_SUCCESS;

	for (int i = 0; i < 2; i++) {
		sa.direction = i == 0 ? ESP_IN : ESP_OUT;
		good = good && esp_add(esp, &sa) == ESP_SUCCESS;
		esp_remove(esp, sa.direction, sa.id);
	}
	esp_policy_remove(esp, 1);
	return good;
}

bool
path_open(struct path *p)
{
	p->datapath.ops = &ops;
	memset(p->sas, 0, sizeof(p->sas));
	memset(p->traps, 0, sizeof(p->traps));
	return (p->esp = esp_new(0, 1)) != NULL && warm_up(p->esp);
}

void
path_close(struct path *p)
{
	esp_free(p->esp);
	p->esp = NULL;
}

unsigned
path_count(const struct path *p, bool out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PATH_SAS; i++)
		n += p->sas[i].id != 0 && p->sas[i].out == out;
	return n;
}

/* ---- packets ---- */

const struct path_sa *
path_seal(struct path *p, struct esp_packet *packet)
{
	enum { HEADER = 8 };		/* SPI, sequence */
	const struct path_sa *sa;

	esp_find(p->esp, packet, 1);
	if (packet->verdict != ESP_OK)
		return NULL;
	if ((sa = path_find_id(p, esp_sa_id(packet->sa), true)) == NULL) {
		judge_blame(p->judge, "host %c has an SA that nobody added", p->name);
		return NULL;
	}
	esp_seal(p->esp, packet, 1);
	if (packet->verdict != ESP_OK)
		return NULL;
	judge_iv(p->judge, sa->key_hash, bytes_of(packet->data + HEADER, sa->iv_len));
	return sa;
}

struct path_sa *
path_unseal(struct path *p, struct esp_packet *packet)
{
	esp_open(p->esp, packet, 1);
	return packet->verdict == ESP_OK ?
	    path_find_id(p, esp_sa_id(packet->sa), false) : NULL;
}

/* A policy that wants an SA; false: its connection has gone. */
static bool
wanted(struct path *p, const struct esp_notice *n, struct ike_notice *notice)
{
	for (unsigned i = 0; i < PATH_TRAPS; i++) {
		if (p->traps[i].id != n->id)
			continue;
		*notice = (struct ike_notice){ .type = IKE_ACQUIRE,
		    .id = p->traps[i].connection, .child = p->traps[i].child,
		    .packet = n->packet };
		esp_wanted_done(p->esp, n->id);
		return true;
	}
	return false;
}

bool
path_notice(struct path *p, struct ike_notice *notice)
{
	static const enum ike_notice_type types[] = {
		[ESP_SOFT] = IKE_SOFT, [ESP_HARD] = IKE_HARD,
		[ESP_FIRST_IN] = IKE_FIRST_IN
	};
	struct esp_notice n;

	while (esp_next_notice(p->esp, &n)) {
		if (n.type == ESP_WANTED && wanted(p, &n, notice))
			return true;
		if (n.type == ESP_WANTED || (n.type == ESP_FIRST_IN && p->silent))
			continue;
		*notice = (struct ike_notice){ .type = types[n.type], .id = n.id };
		return true;
	}
	return false;
}
