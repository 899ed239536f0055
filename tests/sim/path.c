#include <string.h>

#include "libike/keys.h"
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
		strncpy(p->traps[i].child, t->child, sizeof(p->traps[i].child) - 1);
		return true;
	}
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
	p->broken = p->broken || !found;
	esp_policy_remove(p->esp, id);
}

static bool
has(const struct path *p, ike_id child, bool out)
{
	for (unsigned i = 0; i < PATH_SAS; i++)
		if (p->sas[i].id == child && p->sas[i].out == out)
			return true;
	return false;
}

static bool
add(struct path *p, const struct ipsec_sa *s, bool out)
{
	static const uint8_t iv_key[32] = { 1 };
	const struct ike_child *c = s->child;
	struct bytes key = out ? c->key_out : c->key_in;
	struct path_sa *sa = p->sas;
	struct esp_sa_config config = {
		.id = s->id, .policy = s->policy, .direction = out ? ESP_OUT : ESP_IN,
		.spi = out ? c->spi_out : c->spi_in, .esn = c->esn,
		.transform = c->transform, .keymat = key,
		.iv_key = { iv_key, out ? c->transform->iv_key_len : 0 },
		.selectors = c->selectors, .n_selectors = c->n_selectors,
	};

	if (p->refuse) {
		p->refuse = false;
		p->refused = s->id;
		return false;
	}
	if (has(p, s->id, out) || (out && !has(p, s->id, false) && p->refused != s->id))
		p->broken = true;	/* what the peer may answer with comes first */
	while (sa < p->sas + PATH_SAS && sa->id != 0)
		sa++;
	if (sa == p->sas + PATH_SAS || key.len > sizeof(sa->key) ||
	    esp_add(p->esp, &config) != ESP_SUCCESS)
		return false;
	*sa = (struct path_sa){ .id = s->id, .spi = config.spi, .out = out,
	    .encap = c->encap, .path = c->path, .key_len = key.len };
	memcpy(sa->key, key.p, key.len);
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
	if (!out && has(p, child, true))
		p->broken = true;	/* it would go on sending what is not answered */
	for (unsigned i = 0; i < PATH_SAS; i++)
		if (p->sas[i].id == child && p->sas[i].out == out) {
			ike_wipe(&p->sas[i], sizeof(p->sas[i]));
			esp_remove(p->esp, out ? ESP_OUT : ESP_IN, child);
			return;
		}
	p->broken = true;		/* removed twice, or never added */
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

static const struct ipsec_datapath_ops ops = { .attach = attach,
	.trap = trap,
	.untrap = untrap,
	.in_add = in_add,
	.out_add = out_add,
	.out_remove = out_remove,
	.in_remove = in_remove, .set_path = set_path,
	.usage = usage,
	.close = close_path };

bool
path_open(struct path *p)
{
	memset(p, 0, sizeof(*p));
	p->datapath.ops = &ops;
	return (p->esp = esp_new(0, 1)) != NULL;
}

void
path_close(struct path *p)
{
	esp_free(p->esp);
	p->esp = NULL;
}

const struct path_sa *
path_seal(struct path *p, struct esp_packet *packet)
{
	esp_find(p->esp, packet, 1);
	if (packet->verdict != ESP_OK)
		return NULL;
	for (unsigned i = 0; i < PATH_SAS; i++)
		if (p->sas[i].out && p->sas[i].id == esp_sa_id(packet->sa)) {
			esp_seal(p->esp, packet, 1);
			return packet->verdict == ESP_OK ? &p->sas[i] : NULL;
		}
	p->broken = true;
	return NULL;
}

bool
path_wanted(struct path *p, struct ike_notice *notice)
{
	struct esp_notice n;

	while (esp_next_notice(p->esp, &n)) {
		for (unsigned i = 0; n.type == ESP_WANTED && i < PATH_TRAPS; i++) {
			if (p->traps[i].id != n.id)
				continue;
			*notice = (struct ike_notice){ .type = IKE_ACQUIRE,
			    .id = p->traps[i].connection, .child = p->traps[i].child,
			    .packet = n.packet };
			esp_wanted_done(p->esp, n.id);
			return true;
		}
	}
	return false;
}

unsigned
path_count(const struct path *p, bool out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PATH_SAS; i++)
		n += p->sas[i].id != 0 && p->sas[i].out == out;
	return n;
}

const struct path_sa *
path_find(const struct path *p, uint32_t spi, bool out)
{
	for (unsigned i = 0; i < PATH_SAS; i++)
		if (p->sas[i].id != 0 && p->sas[i].out == out && p->sas[i].spi == spi)
			return &p->sas[i];
	return NULL;
}
