/* From a builder to a config: all is checked, and every fault is named. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libike/id.h"
#include "libipsec/config.h"
#include "libipsec/socket.h"

enum {
	QUEUE_MAX = 1048576,
	FAULTS = 64			/* of the connection, looked at */
};

#define SHUTDOWN_MAX (3600 * IPSEC_SECOND)

/* What a setting's name is made of. */
static const char WORD[] = "abcdefghijklmnopqrstuvwxyz_.";

struct faults { struct ipsec_fault *v; unsigned max, n; };

__attribute__((format(printf, 5, 6)))
static void
report(struct faults *f, enum ipsec_fault_code code, const char *setting, int item,
    const char *format, ...)
{
	struct ipsec_fault *fault;
	va_list arguments;

	if (f->n++ >= f->max)
		return;
	fault = &f->v[f->n - 1];
	*fault = (struct ipsec_fault){ .code = code, .setting = setting, .item = item };
	va_start(arguments, format);
	vsnprintf(fault->text, sizeof(fault->text), format, arguments);
	va_end(arguments);
	/* Settings are repeated: nothing in them may move a terminal. */
	for (char *c = fault->text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

/* The engine's settings: what they are called here, and in sentences. */
static const struct setting { const char *theirs, *ours, *words; } settings[] = {
	{ "local.id", "local_id", "local_id" }, { "remote.id", "remote_id", "remote_id" },
	{ "ike", "ike_proposal", "ike_proposal" },
	{ "esp", "esp_proposal", "esp_proposal" },
	{ "children", "traffic_selector", "traffic selectors" },
	{ "children.local", "traffic_selector", "the local side" },
	{ "children.remote", "traffic_selector", "the remote side" },
	{ "rekey.ike", "ike_lifetime", "the soft IKE lifetime" },
	{ "expire.ike", "ike_lifetime", "the hard IKE lifetime" },
	{ "rekey.child", "lifetime", "the soft lifetime" },
	{ "expire.child", "lifetime", "the hard lifetime" },
	{ "rekey.bytes", "lifetime", "the soft lifetime in octets" },
	{ "expire.bytes", "lifetime", "the hard lifetime in octets" },
	{ "rekey.packets", "lifetime", "the soft lifetime in packets" },
	{ "expire.packets", "lifetime", "the hard lifetime in packets" },
	{ "subnets", "traffic_selector", "traffic selectors" },
	{ "secret", "psk", "psk" }, { "auth", "psk", "psk" }, { "pfs", "pfs", "pfs" },
	{ "dpd", "dpd", "dpd" }, { "unique", "unique", "unique" },
	{ "retransmit", "retransmission", "retransmission, once established" },
	{ "retransmit_setup", "retransmission", "retransmission, while setting up" },
};

/* The entry of the name that is there, or NULL. */
static const struct setting *
find_setting(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (strlen(settings[i].theirs) == len &&
		    memcmp(settings[i].theirs, name, len) == 0)
			return &settings[i];
	return NULL;
}

const char *
ipsec_setting_name(const char *theirs)
{
	const struct setting *s = find_setting(theirs, strlen(theirs));

	return s != NULL ? s->ours : "";
}

static enum ipsec_fault_code
code_of(enum ike_fault_code code)
{
	static const struct {
		enum ike_fault_code theirs;
		enum ipsec_fault_code ours;
	} codes[] = {
		{ IKE_FAULT_MISSING, IPSEC_FAULT_MISSING },
		{ IKE_FAULT_IDENTITY, IPSEC_FAULT_IDENTITY },
		{ IKE_FAULT_PROPOSAL, IPSEC_FAULT_PROPOSAL },
		{ IKE_FAULT_PFS, IPSEC_FAULT_PROPOSAL },
		{ IKE_FAULT_SELECTOR, IPSEC_FAULT_SELECTOR },
		{ IKE_FAULT_FAMILY, IPSEC_FAULT_FAMILY },
		{ IKE_FAULT_DUPLICATE, IPSEC_FAULT_DUPLICATE },
		{ IKE_FAULT_ADDRESS, IPSEC_FAULT_ADDRESS },
		{ IKE_FAULT_LIFETIME, IPSEC_FAULT_LIFETIME },
		{ IKE_FAULT_RETRANSMISSION, IPSEC_FAULT_RETRANSMISSION },
		{ IKE_FAULT_NO_MEMORY, IPSEC_FAULT_NO_MEMORY },
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].theirs == code)
			return codes[i].ours;
	return IPSEC_FAULT_RANGE;
}

/* Advice for a configuration of ikevd ends the sentence too early for it here. */
static const char THEIR_ADVICE[] = " or, if the peer can do nothing better, add:";

/* The engine's sentence in words of ours; what is in quotes is the program's own. */
static void
translate(const char *from, char *to, size_t room)
{
	const char *end = strstr(from, THEIR_ADVICE);
	const struct setting *s;
	bool quoted = false;
	size_t len, used = 0;

	if (end == NULL)
		end = from + strlen(from);
	for (; from < end && used < room; from += len) {
		len = quoted ? 0 : strspn(from, WORD);
		s = find_setting(from, len);
		if (len == 0)
			len = 1;
		quoted ^= *from == '"';
		used += (size_t)snprintf(to + used, room - used, "%.*s",
		    (int)(s != NULL ? strlen(s->words) : len), s != NULL ? s->words : from);
	}
}

static void
pass_on(struct faults *f, const struct ike_fault *fault)
{
	const struct setting *s = find_setting(fault->setting, strlen(fault->setting));
	char text[sizeof(f->v->text)] = "";

	translate(fault->text, text, sizeof(text));
	report(f, code_of(fault->code), ipsec_setting_name(fault->setting),
	    fault->child >= 0 ? fault->child : fault->item, "%s%s%s",
	    s != NULL && text[0] == '"' ? s->words : "",
	    s != NULL && text[0] == '"' ? ": " : "", text);
}

static void
check_connection(struct faults *f, const struct ipsec_settings *s)
{
	struct ike_fault *found = calloc(FAULTS, sizeof(*found));
	struct ike_connection *c;
	unsigned n;

	if (found == NULL) {
		report(f, IPSEC_FAULT_NO_MEMORY, "", -1, "out of memory");
		return;
	}
	c = ipsec_settings_connection(s, "any", IPSEC_NATT_PORT, IKE_START_PASSIVE, found,
	    FAULTS, &n);
	ike_connection_free(c);
	for (unsigned i = 0; i < n && i < FAULTS; i++)
		pass_on(f, &found[i]);
	free(found);
}

static void
check_secrets(struct faults *f, const struct ipsec_settings *s)
{
	struct ike_identity id;
	const char *why;

	if (s->empty_psk)
		report(f, IPSEC_FAULT_SECRET, "psk", -1,
		    "psk is empty; give at least one octet, better 16 random ones");
	for (unsigned i = 0; i < s->n_peers; i++) {
		const struct ipsec_peer_psk *peer = &s->peers[i];

		if (peer->empty)
			report(f, IPSEC_FAULT_SECRET, "peer_psk", (int)i, "the psk of "
			    "\"%.80s\" is empty; give at least one octet, better 16 "
			    "random ones", peer->id);
		if (peer->twice)
			report(f, IPSEC_FAULT_DUPLICATE, "peer_psk", (int)i,
			    "there are two psks of \"%.80s\"; leave one out", peer->id);
		if (!ike_id_parse(peer->id, &id, &why))
			report(f, IPSEC_FAULT_IDENTITY, "peer_psk", (int)i,
			    "\"%.80s\" is not an identity; %s", peer->id, why);
		else
			ike_id_free(&id);
	}
}

static void
check_numbers(struct faults *f, const struct ipsec_settings *s)
{
	if (s->queue == 0 || s->queue > QUEUE_MAX)
		report(f, IPSEC_FAULT_RANGE, "queue", -1, "queue is %u, and must be 1 to "
		    "%d packets; 256 is usual", s->queue, QUEUE_MAX);
	if (s->bad_pfs)
		report(f, IPSEC_FAULT_RANGE, "pfs", -1, "pfs is none of "
		    "IPSEC_PFS_PREFER, IPSEC_PFS_REQUIRE and IPSEC_PFS_OFF");
	if (s->bad_unique)
		report(f, IPSEC_FAULT_RANGE, "unique", -1, "unique is none of "
		    "IPSEC_UNIQUE_REPLACE, IPSEC_UNIQUE_KEEP and IPSEC_UNIQUE_NEVER");
	for (unsigned i = 0; i < 2; i++)
		if (s->tries[i] > UINT8_MAX)
			report(f, IPSEC_FAULT_RETRANSMISSION, "retransmission", -1,
			    "%u tries are more than %d; 8 or 12 are usual", s->tries[i],
			    UINT8_MAX);
	if (s->shutdown_time <= 0 || s->shutdown_time > SHUTDOWN_MAX)
		report(f, IPSEC_FAULT_RANGE, "shutdown_time", -1,
		    "shutdown_time is not between a microsecond and an hour; 5 seconds "
		    "are usual");
}

static void
check_local(struct faults *f, struct ipsec_settings *s)
{
	uint8_t family, addr[16];
	uint32_t ifindex;

	s->local = (struct ipsec_place){ .port = 0 };
	if (s->local_address == NULL)
		return;
	if (!ipsec_place_parse(s->local_address, 0, &s->local) ||
	    (s->local.host[0] != '\0' && !ipsec_addr_parse(s->local.host, &family, addr,
	    &ifindex)))
		report(f, IPSEC_FAULT_ADDRESS, "local_address", -1, "local_address "
		    "\"%.80s\" is not an address; write one of this host's, perhaps "
		    "with a port: 192.0.2.1, 192.0.2.1:4500, [2001:db8::1]:4500 or :4500",
		    s->local_address);
	else if (s->local.port == IPSEC_IKE_PORT)
		report(f, IPSEC_FAULT_ADDRESS, "local_address", -1, "local_address: port "
		    "%d cannot carry ESP; leave the port out, or write another one",
		    IPSEC_IKE_PORT);
}

static void
check_all(struct faults *f, struct ipsec_settings *s)
{
	check_connection(f, s);
	check_secrets(f, s);
	check_numbers(f, s);
	check_local(f, s);
}

static void
check_client(struct faults *f, const struct ipsec_settings *s)
{
	struct ike_identity id;
	const char *why;

	if (s->remote_id == NULL)
		report(f, IPSEC_FAULT_MISSING, "remote_id", -1,
		    "remote_id is missing; write the identity that the server proves");
	else if (ike_id_parse_pattern(s->remote_id, &id, &why)) {
		if (ike_id_is_pattern(&id))
			report(f, IPSEC_FAULT_IDENTITY, "remote_id", -1, "remote_id "
			    "\"%.80s\" may be many; write the one that is called",
			    s->remote_id);
		ike_id_free(&id);
	}
	if (!s->has_psk && !s->empty_psk)
		report(f, IPSEC_FAULT_MISSING, "psk", -1,
		    "psk is missing; give the secret that both sides share");
	if (s->n_peers > 0)
		report(f, IPSEC_FAULT_SECRET, "peer_psk", 0,
		    "a client has one peer: give its secret by ipsec_builder_set_psk");
}

static void
check_server(struct faults *f, const struct ipsec_settings *s)
{
	if (s->local_address != NULL)
		report(f, IPSEC_FAULT_ADDRESS, "local_address", -1,
		    "a server's address is that of ipsec_server_bind; leave this one "
		    "out");
}

/* The settings, with the builder left empty; NULL: there is a fault. */
static struct ipsec_settings *
build(struct ipsec_builder *b, struct ipsec_fault *faults, unsigned max, unsigned *n,
    void (*check)(struct faults *, const struct ipsec_settings *))
{
	struct faults f = { faults, max, 0 };
	struct ipsec_settings *s = b->settings, *fresh = NULL;

	if (s->no_memory) {
		report(&f, IPSEC_FAULT_NO_MEMORY, "", -1, "a setting was lost for want of "
		    "memory; begin again with a new builder");
	} else {
		check_all(&f, s);
		check(&f, s);
	}
	if (f.n == 0 && (fresh = ipsec_settings_new()) == NULL)
		report(&f, IPSEC_FAULT_NO_MEMORY, "", -1, "out of memory");
	if (n != NULL)
		*n = f.n;
	if (f.n != 0)
		return NULL;
	b->settings = fresh;
	return s;
}

struct ipsec_client_config *
ipsec_client_config_build(struct ipsec_builder *b, struct ipsec_fault *faults,
    unsigned max, unsigned *n)
{
	return (struct ipsec_client_config *)build(b, faults, max, n, check_client);
}

struct ipsec_server_config *
ipsec_server_config_build(struct ipsec_builder *b, struct ipsec_fault *faults,
    unsigned max, unsigned *n)
{
	return (struct ipsec_server_config *)build(b, faults, max, n, check_server);
}

struct ipsec_settings *
ipsec_client_settings(struct ipsec_client_config *c)
{
	return (struct ipsec_settings *)c;
}

struct ipsec_settings *
ipsec_server_settings(struct ipsec_server_config *c)
{
	return (struct ipsec_settings *)c;
}

void
ipsec_client_config_free(struct ipsec_client_config *c)
{
	ipsec_settings_free(ipsec_client_settings(c));
}

void
ipsec_server_config_free(struct ipsec_server_config *c)
{
	ipsec_settings_free(ipsec_server_settings(c));
}
