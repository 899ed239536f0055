/* Building a connection: every setting is checked, and every fault is named, before
 * anything is given out. */
#include "libike/compat.h"
#include "libike/connection_built.h"
#include "libike/pfs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(a) (sizeof (a) / sizeof *(a))

enum {
	IKE_PORT = 500, NATT_PORT = 4500,
	MAX_NAME = 63,
	MIN_FACTOR = 100, MAX_FACTOR = 1000,
	MAX_JITTER = 50,	/* percent */
	MIN_FRAGMENT = 576,	/* what every IPv4 host takes, RFC 791 3.1 */
	MAX_FRAGMENT = 65000
};

/* Longer than this between two copies is a setting in the wrong unit. */
#define MAX_INTERVAL (3600 * IKE_SECOND)
#define MAX_DPD (86400 * IKE_SECOND)
#define MAX_LIFETIME (3650 * 86400 * IKE_SECOND)

struct build {
	const struct ike_setup *setup;
	struct ike_connection *c;
	struct ike_fault *faults;
	unsigned max, n;
};

void
ike_setup_defaults(struct ike_setup *setup)
{
	static const char *const standard[] = { "default" };

	*setup = (struct ike_setup){
		.port = IKE_PORT, .natt_port = NATT_PORT, .auth = "psk",
		.ike = { standard, COUNT(standard) },
		.esp = { standard, COUNT(standard) },
		.start = IKE_START_PASSIVE, .encap = IKE_ENCAP_FORCE,
		.established = {
			.first = IKE_SECOND / 2, .most = 15 * IKE_SECOND,
			.factor_percent = 180, .tries = 12
		},
		.setting_up = {
			.first = IKE_SECOND / 2, .most = 10 * IKE_SECOND,
			.factor_percent = 180, .tries = 8
		},
		.renewal = {
			.child = { .time = 3600 * IKE_SECOND },
			.ike = 4 * 3600 * IKE_SECOND, .jitter_percent = 10
		},
		.dpd = 30 * IKE_SECOND, .fragment = 1280,
		.mobike = true, .childless = true
	};
}

/* ---- faults ---- */

static const char *const fault_names[] = {
	[IKE_FAULT_MISSING] = "missing",
	[IKE_FAULT_NAME] = "name",
	[IKE_FAULT_ADDRESS] = "address",
	[IKE_FAULT_IDENTITY] = "identity",
	[IKE_FAULT_PORT] = "port",
	[IKE_FAULT_PROPOSAL] = "proposal",
	[IKE_FAULT_SELECTOR] = "selector",
	[IKE_FAULT_FAMILY] = "family",
	[IKE_FAULT_DUPLICATE] = "duplicate",
	[IKE_FAULT_AUTH] = "auth",
	[IKE_FAULT_NEEDS_ADDRESS] = "needs address",
	[IKE_FAULT_RETRANSMISSION] = "retransmission",
	[IKE_FAULT_LIFETIME] = "lifetime",
	[IKE_FAULT_JITTER] = "jitter",
	[IKE_FAULT_DPD] = "dpd",
	[IKE_FAULT_FRAGMENT] = "fragment",
	[IKE_FAULT_PFS] = "pfs",
	[IKE_FAULT_MODE] = "mode",
	[IKE_FAULT_NO_MEMORY] = "no memory"
};

const char *
ike_fault_name(enum ike_fault_code code)
{
	return (unsigned)code < COUNT(fault_names) ? fault_names[code] : "unknown fault";
}

/* Where a fault is: a setting, and the indices of ike_fault. */
struct place {
	const char *setting;
	int child, item;
};

static struct place
at(const char *setting)
{
	return (struct place){ setting, -1, -1 };
}

static struct place
at_item(const char *setting, unsigned item)
{
	return (struct place){ setting, -1, (int)item };
}

static struct place
in_child(const char *setting, unsigned child)
{
	return (struct place){ setting, (int)child, -1 };
}

__attribute__((format(printf, 4, 5)))
static void
report(struct build *b, enum ike_fault_code code, struct place place,
    const char *format, ...)
{
	struct ike_fault *fault;
	va_list arguments;

	if (b->n++ >= b->max)
		return;
	fault = &b->faults[b->n - 1];
	*fault = (struct ike_fault){
		.code = code, .setting = place.setting, .child = place.child,
		.item = place.item
	};
	va_start(arguments, format);
	vsnprintf(fault->text, sizeof fault->text, format, arguments);
	va_end(arguments);
	/* Settings are repeated: nothing in them may move a terminal. */
	for (char *c = fault->text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

/* What the parsers of identities and proposals say then, too. */
static const char no_memory[] = "out of memory";

static void
report_no_memory(struct build *b, struct place place)
{
	report(b, IKE_FAULT_NO_MEMORY, place, no_memory);
}

static bool
is_given(const char *text)
{
	return text != NULL && *text != '\0';
}

/* The text's own copy, or NULL, which is reported. */
static char *
copy_text(struct build *b, struct place place, const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		report_no_memory(b, place);
	return copy;
}

/* ---- names ---- */

static char *
take_name(struct build *b, struct place place, const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

	if (!is_given(name))
		report(b, IKE_FAULT_MISSING, place,
		    "a name is missing; give one of letters, digits, -, _ and .");
	else if (strlen(name) > MAX_NAME)
		report(b, IKE_FAULT_NAME, place,
		    "the name \"%.20s...\" is too long; it may have %d characters",
		    name, MAX_NAME);
	else if (name[strspn(name, allowed)] != '\0')
		report(b, IKE_FAULT_NAME, place,
		    "\"%s\" is not a name; it may consist of letters, digits, -, _ and "
		    ".", name);
	else
		return copy_text(b, place, name);
	return NULL;
}

static void
take_secret(struct build *b)
{
	struct place place = at("secret");

	if (!is_given(b->setup->secret))
		report(b, IKE_FAULT_MISSING, place,
		    "secret is missing; name the secret that both sides share");
	else
		b->c->secret = copy_text(b, place, b->setup->secret);
}

static void
take_auth(struct build *b)
{
	const char *auth = b->setup->auth;

	b->c->auth = IKE_AUTH_PSK;
	if (!is_given(auth) || strcmp(auth, "psk") != 0)
		report(b, IKE_FAULT_AUTH, at("auth"),
		    "\"%.40s\" is not a way to prove an identity here; write psk",
		    is_given(auth) ? auth : "");
}

/* ---- identities ---- */

static bool
take_identity(struct build *b, struct place place, const char *text,
    bool (*parse)(const char *, struct ike_identity *, const char **),
    struct ike_identity *id)
{
	const char *why;

	if (!is_given(text))
		report(b, IKE_FAULT_MISSING, place,
		    "%s is missing; write an identity: a domain name, user@domain, an "
		    "address or keyid:...", place.setting);
	else if (parse(text, id, &why))
		return true;
	else if (strcmp(why, no_memory) == 0)
		report_no_memory(b, place);
	else
		report(b, IKE_FAULT_IDENTITY, place,
		    "%s \"%.80s\" is not an identity; %s", place.setting, text, why);
	return false;
}

/* Whoever is called is somebody. */
static void
take_remote_id(struct build *b)
{
	const struct ike_setup *s = b->setup;
	struct ike_identity *id = &b->c->remote_id;

	if (take_identity(b, at("remote.id"), s->remote_id, ike_id_parse_pattern, id) &&
	    s->start != IKE_START_PASSIVE && ike_id_is_pattern(id))
		report(b, IKE_FAULT_IDENTITY, at("remote.id"),
		    "remote.id \"%.80s\" may be many peers; write the one that is called, "
		    "or let start be passive", s->remote_id);
}

/* ---- addresses ---- */

static void
take_local(struct build *b)
{
	const char *text = b->setup->local_address;
	struct place place = at("local.address");
	struct ike_host *host = &b->c->local;
	enum ike_host_error error = ike_host_parse(text == NULL ? "any" : text, host);

	if (error == IKE_HOST_NO_MEMORY)
		report_no_memory(b, place);
	else if (error == IKE_HOST_WRONG ||
	    (host->kind != IKE_HOST_ANY && host->kind != IKE_HOST_ADDRESS))
		report(b, IKE_FAULT_ADDRESS, place,
		    "local.address \"%.80s\" is not an address that a host has; write "
		    "one of this host's, or leave it out", text);
}

static void
take_remote(struct build *b)
{
	const char *text = b->setup->remote_address;
	struct ike_hosts *hosts = &b->c->remote;
	struct place place = at("remote.address");
	enum ike_host_error error;
	unsigned wrong;

	if (!is_given(text)) {
		report(b, IKE_FAULT_MISSING, place,
		    "remote.address is missing; write the peer's address or host name, "
		    "or any, if only the peer calls");
		return;
	}
	error = ike_hosts_parse(text, hosts, &wrong);
	if (strchr(text, ',') != NULL)
		place.item = (int)wrong;
	if (error == IKE_HOST_NO_MEMORY)
		report_no_memory(b, place);
	else if (error == IKE_HOST_WRONG)
		report(b, IKE_FAULT_ADDRESS, place,
		    "remote.address \"%.80s\" is neither a host's address, a range of "
		    "them nor a host name; write one of them, or any, which stands alone",
		    text);
	else if (b->setup->start != IKE_START_PASSIVE &&
	    ike_hosts_callable(hosts, 0) == NULL)
		report(b, IKE_FAULT_NEEDS_ADDRESS, at("remote.address"),
		    "remote.address is %.80s, which cannot be called; write the "
		    "peer's address or host name, or let start be passive", hosts->text);
}

static void
check_addresses(struct build *b)
{
	const struct ike_host *local = &b->c->local;
	const struct ike_host *remote = ike_hosts_only(&b->c->remote);

	if (local->kind == IKE_HOST_ADDRESS && remote != NULL &&
	    local->range.family != remote->range.family)
		report(b, IKE_FAULT_FAMILY, at("local.address"),
		    "local.address is IPv%u and remote.address is IPv%u; write two "
		    "addresses of one family",
		    (unsigned)local->range.family, (unsigned)remote->range.family);
}

static void
take_ports(struct build *b)
{
	const struct ike_setup *s = b->setup;

	b->c->port = s->port;
	b->c->natt_port = s->natt_port;
	if (s->port == 0)
		report(b, IKE_FAULT_PORT, at("port"),
		    "port is 0; write the peer's port for IKE, %d as a rule", IKE_PORT);
	/* Where the marker in front of IKE is left out no ESP can be told from it. */
	if (s->natt_port == 0 || s->natt_port == IKE_PORT)
		report(b, IKE_FAULT_PORT, at("natt_port"),
		    "natt_port cannot be %u; write the peer's port for ESP in UDP, %d as "
		    "a rule", (unsigned)s->natt_port, NATT_PORT);
}

/* ---- proposals ---- */

static void
take_compat(struct build *b)
{
	const struct ike_texts *texts = &b->setup->compat;

	for (unsigned i = 0; i < texts->n; i++) {
		unsigned bit = ike_compat_by_word(texts->v[i]);

		b->c->compat |= bit;
		if (bit == 0)
			report(b, IKE_FAULT_PROPOSAL, at_item("compat", i),
			    "\"%.40s\" is not a weak algorithm that may be allowed; "
			    "sha1 is the only one", texts->v[i]);
	}
}

static void
report_proposal(struct build *b, struct place place, const char *why)
{
	if (strcmp(why, no_memory) == 0)
		report_no_memory(b, place);
	else
		report(b, IKE_FAULT_PROPOSAL, place, "%s", why);
}

/* The only door to weak algorithms is the setting `compat`. */
static void
check_strength(struct build *b, struct place place, const struct ike_proposals *list)
{
	const struct ike_transform *t = ike_proposals_weak(list, b->c->compat);
	char name[IKE_NAME_LEN];

	if (t != NULL)
		report(b, IKE_FAULT_PROPOSAL, place,
		    "%s is weak and is used only where that is allowed; write %s "
		    "instead or, if the peer can do nothing better, add: "
		    "compat = \"%s\"",
		    ike_transform_name(t->type, t->id, t->key_bits, name),
		    ike_weak_find(t)->instead, ike_weak_find(t)->word);
}

static void
take_proposals(struct build *b, const char *setting, const struct ike_texts *texts,
    uint8_t protocol, struct ike_proposals *out)
{
	char together[sizeof b->faults->text], why[sizeof b->faults->text];
	unsigned before = b->n;

	if (ike_proposals_parse(texts->v, texts->n, protocol, out, together,
	    sizeof together) && ike_proposals_weak(out, b->c->compat) == NULL)
		return;
	for (unsigned i = 0; i < texts->n; i++) {
		struct ike_proposals one;

		if (!ike_proposals_parse(&texts->v[i], 1, protocol, &one, why,
		    sizeof why))
			report_proposal(b, at_item(setting, i), why);
		check_strength(b, at_item(setting, i), &one);
		ike_proposals_free(&one);
	}
	/* Each is right and strong by itself; too many together, or none, are still a
	 * fault. */
	if (b->n == before)
		report_proposal(b, at(setting), together);
}

static void
take_pfs(struct build *b)
{
	struct ike_connection *c = b->c;

	c->pfs = b->setup->pfs;
	for (unsigned i = 0; i < c->esp.n; i++)
		if (c->pfs == IKE_PFS_REQUIRE && ike_pfs_refuses(&c->esp.v[i])) {
			report(b, IKE_FAULT_PFS, at("esp"),
			    "esp names modpnone and no group beside it, and pfs is "
			    "require; write a group such as x25519 in its place, or "
			    "leave it out: then those of ike are taken");
			return;
		}
	if (!ike_pfs_apply(c->pfs, &c->ike, &c->esp))
		report_no_memory(b, at("esp"));
}

/* ---- children ---- */

static bool
holds(const struct ike_ts *ts, const struct esp_range *range)
{
	for (unsigned i = 0; i < ts->n; i++)
		if (esp_range_equal(&ts->v[i], range))
			return true;
	return false;
}

/* `place` is the list's. */
static void
take_selector(struct build *b, struct place place, const char *text, struct ike_ts *ts)
{
	struct esp_range range;

	if (!esp_range_parse(text, &range))
		report(b, IKE_FAULT_SELECTOR, place,
		    "\"%.80s\" is not a traffic selector; write a network such as "
		    "10.1.0.0/24 (no bits behind the prefix), an address or a range, "
		    "then perhaps [tcp/443]", text);
	else if (holds(ts, &range))
		report(b, IKE_FAULT_DUPLICATE, place,
		    "\"%.80s\" stands in the list twice; leave one out", text);
	else
		ts->v[ts->n++] = range;
}

static void
take_selectors(struct build *b, struct place place, const struct ike_texts *texts,
    struct ike_ts *ts)
{
	if (texts->n == 0) {
		report(b, IKE_FAULT_MISSING, place,
		    "%s is empty; write the networks of that side, such as 10.1.0.0/24",
		    place.setting);
		return;
	}
	if (texts->n > IKE_MAX_TS) {
		report(b, IKE_FAULT_SELECTOR, place,
		    "%s has %u traffic selectors and %d are possible; make networks of "
		    "them, or several children", place.setting, texts->n, IKE_MAX_TS);
		return;
	}
	ts->v = calloc(texts->n, sizeof *ts->v);
	if (ts->v == NULL) {
		report_no_memory(b, place);
		return;
	}
	for (unsigned i = 0; i < texts->n; i++) {
		place.item = (int)i;
		take_selector(b, place, texts->v[i], ts);
	}
}

static bool
has_family(const struct ike_ts *ts, uint8_t family)
{
	for (unsigned i = 0; i < ts->n; i++)
		if (ts->v[i].family == family)
			return true;
	return false;
}

/* A family on one side only would never carry a packet. */
static void
check_families(struct build *b, struct place place, const struct ike_ts *ts,
    const struct ike_ts *other)
{
	static const uint8_t families[] = { ESP_IPV4, ESP_IPV6 };

	for (size_t i = 0; i < COUNT(families); i++)
		if (has_family(ts, families[i]) && !has_family(other, families[i]))
			report(b, IKE_FAULT_FAMILY, place,
			    "%s has IPv%u traffic selectors and the other side has none; "
			    "add one there, or leave them out here",
			    place.setting, (unsigned)families[i]);
}

static void
check_pairs(struct build *b, unsigned child, const struct ike_connection_child *c)
{
	struct esp_selector *pairs;
	unsigned before = b->n, n;
	enum ike_error error;

	check_families(b, in_child("children.local", child), &c->local, &c->remote);
	check_families(b, in_child("children.remote", child), &c->remote, &c->local);
	if (b->n != before)
		return;
	error = ike_ts_pairs(&c->local, &c->remote, &pairs, &n);
	if (error == IKE_OK)
		free(pairs);
	else if (error == IKE_NO_MEMORY)
		report_no_memory(b, in_child("children.local", child));
	else
		report(b, IKE_FAULT_SELECTOR, in_child("children.local", child),
		    "no pair of local and remote traffic selectors agrees on a protocol, "
		    "or more than %d do; write the same protocols on both sides, or "
		    "several children", IKE_MAX_PAIRS);
}

/* Were all of its selectors understood? */
static bool
is_whole(const struct build *b, unsigned child)
{
	return b->c->children[child].local.n == b->setup->children[child].local.n &&
	    b->c->children[child].remote.n == b->setup->children[child].remote.n;
}

static bool
same_ranges(const struct ike_ts *a, const struct ike_ts *b)
{
	return ike_ts_within(a, b) && ike_ts_within(b, a);
}

/* Two children must differ in their names, and in what they carry. */
static void
check_distinct(struct build *b, unsigned child)
{
	const struct ike_connection_child *c = &b->c->children[child];

	for (unsigned i = 0; i < child; i++) {
		const struct ike_connection_child *other = &b->c->children[i];

		if (c->name != NULL && other->name != NULL &&
		    strcmp(c->name, other->name) == 0)
			report(b, IKE_FAULT_DUPLICATE, in_child("children.name", child),
			    "there are two children with the name \"%s\"; rename one",
			    c->name);
		if (is_whole(b, i) && is_whole(b, child) && c->local.n != 0 &&
		    same_ranges(&c->local, &other->local) &&
		    same_ranges(&c->remote, &other->remote))
			report(b, IKE_FAULT_DUPLICATE, in_child("children.local", child),
			    "children %u and %u carry the same traffic; leave one out, "
			    "or tell them apart by a protocol or port", i + 1, child + 1);
	}
}

/* The only address that a side can have, or NULL: it may have several. */
static const struct esp_range *
only_address(const struct ike_host *host)
{
	return host != NULL && host->kind == IKE_HOST_ADDRESS ? &host->range : NULL;
}

/* Transport mode is between the two hosts themselves, RFC 4301 4.1, 7296 2.23.1. */
static void
check_hosts(struct build *b, struct place place, const struct ike_ts *ts,
    const struct esp_range *host)
{
	for (unsigned i = 0; host != NULL && i < ts->n; i++)
		if (ts->v[i].family != host->family ||
		    memcmp(ts->v[i].addr[0], host->addr[0], sizeof host->addr[0]) != 0 ||
		    memcmp(ts->v[i].addr[1], host->addr[0], sizeof host->addr[0]) != 0) {
			place.item = (int)i;
			report(b, IKE_FAULT_MODE, place,
			    "in transport mode %s is the address of that side's host "
			    "itself and nothing else, perhaps with a protocol and port; "
			    "write it, or let mode be tunnel", place.setting);
		}
}

static void
check_mode(struct build *b, unsigned i)
{
	const struct ike_connection_child *c = &b->c->children[i];

	if (c->mode != IKE_MODE_TRANSPORT)
		return;
	check_hosts(b, in_child("children.local", i), &c->local,
	    only_address(&b->c->local));
	check_hosts(b, in_child("children.remote", i), &c->remote,
	    only_address(ike_hosts_only(&b->c->remote)));
}

static void
take_child(struct build *b, unsigned i)
{
	const struct ike_child_setup *setup = &b->setup->children[i];
	struct ike_connection_child *c = &b->c->children[i];
	unsigned before;

	c->name = take_name(b, in_child("children.name", i), setup->name);
	c->mode = setup->mode;
	before = b->n;
	take_selectors(b, in_child("children.local", i), &setup->local, &c->local);
	take_selectors(b, in_child("children.remote", i), &setup->remote, &c->remote);
	if (b->n == before)
		check_pairs(b, i, c);
	if (b->n == before)
		check_mode(b, i);
	check_distinct(b, i);
}

static void
take_children(struct build *b)
{
	unsigned n = b->setup->n_children;
	struct place place = at("children");

	if (n == 0) {
		report(b, IKE_FAULT_MISSING, place,
		    "there are no children; write the networks of both sides");
		return;
	}
	b->c->children = calloc(n, sizeof *b->c->children);
	if (b->c->children == NULL) {
		report_no_memory(b, place);
		return;
	}
	b->c->n_children = n;
	for (unsigned i = 0; i < n; i++)
		take_child(b, i);
}

/* ---- retransmission ---- */

static void
take_retransmission(struct build *b, const char *setting,
    const struct ike_retransmission *r, struct ike_retransmission *out)
{
	struct place place = at(setting);

	*out = *r;
	if (r->tries == 0)
		report(b, IKE_FAULT_RETRANSMISSION, place,
		    "%s: 0 tries send nothing; write at least 1", setting);
	if (r->first <= 0 || r->first > r->most || r->most > MAX_INTERVAL)
		report(b, IKE_FAULT_RETRANSMISSION, place,
		    "%s: the first interval must be more than 0 and at most the longest, "
		    "and that at most an hour; 500 ms and 15 s are usual", setting);
	if (r->factor_percent < MIN_FACTOR || r->factor_percent > MAX_FACTOR)
		report(b, IKE_FAULT_RETRANSMISSION, place,
		    "%s: a factor of %u percent is not between %d and %d; 180 is usual",
		    setting, (unsigned)r->factor_percent, MIN_FACTOR, MAX_FACTOR);
}

/* ---- renewal, and what else goes on with an SA ---- */

/* The hard value that a soft one has when none is given. */
static uint64_t
hard_of(uint64_t hard, uint64_t soft)
{
	return hard != 0 ? hard : soft > UINT64_MAX - soft / 4 ? UINT64_MAX :
	    soft + soft / 4;
}

static ike_time
hard_time(ike_time hard, ike_time soft)
{
	/* one that is out of bounds is told anyway */
	return hard != 0 || soft < 0 || soft > MAX_LIFETIME ? hard :
	    (ike_time)hard_of(0, (uint64_t)soft);
}

static bool
check_time(struct build *b, const char *setting, ike_time time)
{
	if (time == 0 || (time >= IKE_SECOND && time <= MAX_LIFETIME))
		return true;
	report(b, IKE_FAULT_LIFETIME, at(setting),
	    "%s is not between a second and ten years; write a time in it such as an "
	    "hour, or 0: without end", setting);
	return false;
}

/* A hard value is more than its soft one. */
static void
check_hard(struct build *b, const char *soft, const char *hard, bool good)
{
	if (!good)
		report(b, IKE_FAULT_LIFETIME, at(hard),
		    "%s is not more than %s, so that there would be no time for a rekey; "
		    "write more, or leave it out: then it is a quarter more", hard, soft);
}

static void
check_times(struct build *b, const char *soft, const char *hard, ike_time soft_time,
    ike_time hard_time)
{
	bool sound = check_time(b, soft, soft_time);

	sound &= check_time(b, hard, hard_time);
	if (sound)
		check_hard(b, soft, hard, hard_time == 0 || hard_time > soft_time);
}

static void
check_renewal(struct build *b, const struct ike_renewal *s)
{
	check_times(b, "rekey.ike", "expire.ike", s->ike, s->ike_hard);
	check_times(b, "rekey.child", "expire.child", s->child.time, s->child_hard.time);
	check_hard(b, "rekey.bytes", "expire.bytes", s->child_hard.octets == 0 ||
	    s->child_hard.octets > s->child.octets);
	check_hard(b, "rekey.packets", "expire.packets", s->child_hard.packets == 0 ||
	    s->child_hard.packets > s->child.packets);
	check_time(b, "reauth", s->reauth);
	if (s->jitter_percent > MAX_JITTER)
		report(b, IKE_FAULT_JITTER, at("rekey.jitter"),
		    "rekey.jitter is %u percent and may be %d at most; 10 is usual",
		    (unsigned)s->jitter_percent, MAX_JITTER);
}

static void
take_renewal(struct build *b)
{
	const struct ike_renewal *s = &b->setup->renewal;
	struct ike_renewal *r = &b->c->renewal;

	check_renewal(b, s);
	*r = *s;
	r->child_hard.time = hard_time(s->child_hard.time, s->child.time);
	r->child_hard.octets = hard_of(s->child_hard.octets, s->child.octets);
	r->child_hard.packets = hard_of(s->child_hard.packets, s->child.packets);
	r->ike_hard = hard_time(s->ike_hard, s->ike);
}

static void
take_dpd(struct build *b)
{
	ike_time dpd = b->setup->dpd;

	b->c->dpd = dpd;
	if (dpd != 0 && (dpd < IKE_SECOND || dpd > MAX_DPD))
		report(b, IKE_FAULT_DPD, at("dpd"),
		    "dpd is not between a second and a day; 30 seconds are usual, and 0 "
		    "means never");
}

static void
take_fragment(struct build *b)
{
	unsigned fragment = b->setup->fragment;

	b->c->fragment = b->setup->fragment;
	if (fragment != 0 && (fragment < MIN_FRAGMENT || fragment > MAX_FRAGMENT))
		report(b, IKE_FAULT_FRAGMENT, at("fragment"),
		    "fragment is %u, which is not between %d and %d octets; 1280 is "
		    "usual, and 0 means never", fragment, MIN_FRAGMENT, MAX_FRAGMENT);
}

/* ---- the whole ---- */

static void
take_all(struct build *b)
{
	const struct ike_setup *s = b->setup;
	struct ike_connection *c = b->c;

	c->start = s->start;
	c->encap = s->encap;
	c->unique = s->unique;
	c->on_dead = s->on_dead;
	c->name = take_name(b, at("name"), s->name);
	take_local(b);
	take_identity(b, at("local.id"), s->local_id, ike_id_parse, &c->local_id);
	take_remote(b);
	take_remote_id(b);
	check_addresses(b);
	take_ports(b);
	take_auth(b);
	take_secret(b);
	take_compat(b);
	take_proposals(b, "ike", &s->ike, IKE_PROTOCOL_IKE, &c->ike);
	take_proposals(b, "esp", &s->esp, IKE_PROTOCOL_ESP, &c->esp);
	take_pfs(b);
	take_children(b);
	take_retransmission(b, "retransmit", &s->established, &c->established);
	take_retransmission(b, "retransmit_setup", &s->setting_up, &c->setting_up);
	take_renewal(b);
	take_dpd(b);
	take_fragment(b);
	c->mobike = s->mobike;
	c->childless = s->childless;
}

struct ike_connection *
ike_connection_new(const struct ike_setup *setup, struct ike_fault *faults, unsigned max,
    unsigned *n)
{
	struct build b = { .setup = setup, .faults = faults, .max = max };

	b.c = calloc(1, sizeof *b.c);
	if (b.c == NULL) {
		report_no_memory(&b, at("name"));
	} else {
		b.c->references = 1;
		take_all(&b);
	}
	*n = b.n;
	if (b.n != 0) {
		ike_connection_free(b.c);
		return NULL;
	}
	return b.c;
}

struct ike_connection *
ike_connection_hold(struct ike_connection *c)
{
	c->references++;
	return c;
}

void
ike_connection_free(struct ike_connection *c)
{
	if (c == NULL || --c->references != 0)
		return;
	for (unsigned i = 0; i < c->n_children; i++) {
		free(c->children[i].name);
		ike_ts_free(&c->children[i].local);
		ike_ts_free(&c->children[i].remote);
	}
	free(c->children);
	ike_proposals_free(&c->ike);
	ike_proposals_free(&c->esp);
	ike_id_free(&c->local_id);
	ike_id_free(&c->remote_id);
	ike_host_free(&c->local);
	ike_hosts_free(&c->remote);
	free(c->secret);
	free(c->name);
	free(c);
}

const char *
ike_connection_name(const struct ike_connection *c)
{
	return c->name;
}

enum ike_start
ike_connection_start(const struct ike_connection *c)
{
	return c->start;
}

bool
ike_connection_acquires(const struct ike_connection *c)
{
	return c->start == IKE_START_ON_DEMAND || c->on_dead == IKE_ON_DEAD_ON_DEMAND;
}

const char *
ike_connection_child(const struct ike_connection *c, unsigned index)
{
	return index < c->n_children ? c->children[index].name : NULL;
}

enum ike_error
ike_connection_selectors(const struct ike_connection *c, unsigned index,
    struct esp_selector **v, unsigned *n)
{
	if (index >= c->n_children)
		return IKE_GONE;
	return ike_ts_pairs(&c->children[index].local, &c->children[index].remote, v, n);
}
