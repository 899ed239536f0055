/* Connections: defaults, what is taken over, and each fault by its code, setting and
 * indices. */
#include <stdio.h>
#include <stdlib.h>

#include "libike/compat.h"
#include "libike/connection_built.h"
#include "tests/unit/run.h"

#define COUNT(a) (unsigned)(sizeof (a) / sizeof *(a))

enum { FAULTS = 64 };

static const char *const lan[] = { "10.1.0.0/24", "10.3.0.0/24[tcp/22]" };
static const char *const far[] = { "10.2.0.0/24" };
static const struct ike_child_setup child = {
	"lan", { lan, 2 }, { far, 1 }, IKE_MODE_TUNNEL
};

/* The least that makes a connection. */
static struct ike_setup
good_setup(void)
{
	struct ike_setup s;

	ike_setup_defaults(&s);
	s.name = "paris";
	s.local_id = "gw.berlin.example";
	s.remote_id = "admin@paris.example";
	s.remote_address = "203.0.113.7";
	s.secret = "paris-psk";
	s.children = &child;
	s.n_children = 1;
	return s;
}

static struct ike_connection *
make(const struct ike_setup *s)
{
	struct ike_fault faults[FAULTS];
	unsigned n = 99;
	struct ike_connection *c = ike_connection_new(s, faults, FAULTS, &n);

	ck_assert_msg(c != NULL, "%s: %s", faults[0].setting, faults[0].text);
	ck_assert_uint_eq(n, 0);
	return c;
}

/* Exactly one fault, in the form "what is wrong; what would be right". */
static void
expect(const struct ike_setup *s, enum ike_fault_code code, const char *setting,
    int in_child, int item)
{
	struct ike_fault f[FAULTS];
	unsigned n = 0;

	ck_assert_ptr_null(ike_connection_new(s, f, FAULTS, &n));
	ck_assert_msg(n == 1, "%u faults: %s / %s", n, f[0].text, n > 1 ? f[1].text : "");
	ck_assert_msg(f[0].code == code, "%s: %s", ike_fault_name(f[0].code), f[0].text);
	ck_assert_str_eq(f[0].setting, setting);
	ck_assert_int_eq(f[0].child, in_child);
	ck_assert_int_eq(f[0].item, item);
	ck_assert_msg(strchr(f[0].text, ';') != NULL, "%s", f[0].text);
	ck_assert_msg(strlen(f[0].text) + 1 < sizeof f[0].text, "cut: %s", f[0].text);
}

/* ---- what is taken over ---- */

START_TEST(connection_defaults)
{
	struct ike_setup s = good_setup();
	struct ike_connection *c = make(&s);
	char text[512];

	ck_assert_uint_eq(c->references, 1);
	ck_assert_uint_eq(c->auth, IKE_AUTH_PSK);
	ck_assert_int_eq(c->local.kind, IKE_HOST_ANY);
	ck_assert_str_eq(c->local.text, "any");
	ck_assert_uint_eq(c->port, 500);
	ck_assert_uint_eq(c->natt_port, 4500);
	ck_assert_int_eq(c->start, IKE_START_PASSIVE);
	ck_assert_int_eq(c->encap, IKE_ENCAP_FORCE);
	ck_assert_uint_eq(c->ike.n, 2);
	ck_assert_uint_eq(c->esp.n, 2);
	ck_assert_msg(strncmp(ike_proposals_print(&c->esp, text, sizeof text),
	    "aes256gcm16-aes128gcm16-chacha20poly1305-", 41) == 0, "%s", text);
	ck_assert_int_eq(c->established.first, IKE_SECOND / 2);
	ck_assert_int_eq(c->established.most, 15 * IKE_SECOND);
	ck_assert_uint_eq(c->established.factor_percent, 180);
	ck_assert_uint_eq(c->established.tries, 12);
	ck_assert_uint_lt(c->setting_up.tries, c->established.tries);
	ck_assert_int_eq(c->renewal.child.time, 3600 * IKE_SECOND);
	ck_assert_int_eq(c->renewal.child_hard.time, 4500 * IKE_SECOND);
	ck_assert_uint_eq(c->renewal.child.octets + c->renewal.child.packets, 0);
	ck_assert_uint_eq(c->renewal.child_hard.octets + c->renewal.child_hard.packets,
	    0);
	ck_assert_int_eq(c->renewal.ike, 4 * 3600 * IKE_SECOND);
	ck_assert_int_eq(c->renewal.ike_hard, 5 * 3600 * IKE_SECOND);
	ck_assert_int_eq(c->renewal.reauth, 0);
	ck_assert_uint_eq(c->renewal.jitter_percent, 10);
	ck_assert_int_eq(c->pfs, IKE_PFS_PREFER);
	ck_assert_int_eq(c->dpd, 30 * IKE_SECOND);
	ck_assert_uint_eq(c->fragment, 1280);
	ck_assert(c->mobike && c->childless);
	ck_assert_int_eq(c->children[0].mode, IKE_MODE_TUNNEL);
	ike_connection_free(c);
}
END_TEST

/* What those are told who may not look inside. */
START_TEST(connection_tells_its_policies)
{
	struct ike_setup s = good_setup();
	struct ike_connection *c;
	struct esp_selector *v = NULL;
	unsigned n = 0;
	char text[ESP_RANGE_TEXT];

	s.start = IKE_START_ALWAYS;
	c = make(&s);
	ck_assert_str_eq(ike_connection_name(c), "paris");
	ck_assert_int_eq(ike_connection_start(c), IKE_START_ALWAYS);
	ck_assert(!ike_connection_acquires(c));
	ck_assert_str_eq(ike_connection_child(c, 0), "lan");
	ck_assert_ptr_null(ike_connection_child(c, 1));
	ck_assert_int_eq(ike_connection_selectors(c, 1, &v, &n), IKE_GONE);
	ck_assert_int_eq(ike_connection_selectors(c, 0, &v, &n), IKE_OK);
	ck_assert_uint_eq(n, 2);
	esp_range_print(&v[1].local, text, sizeof text);
	ck_assert_str_eq(text, "10.3.0.0/24[tcp/22]");
	esp_range_print(&v[1].remote, text, sizeof text);
	ck_assert_str_eq(text, "10.2.0.0/24[tcp]");
	free(v);
	ike_connection_free(c);

	s.on_dead = IKE_ON_DEAD_ON_DEMAND;
	c = make(&s);
	ck_assert(ike_connection_acquires(c));
	ike_connection_free(c);
}
END_TEST

/* Nothing of the setup is needed afterwards. */
START_TEST(connection_copies)
{
	static const char *const texts[] = {
		"rome", "192.0.2.9", "a.example", "gw.rome.example", "keyid:k", "psk",
		"ref", "aes256-sha256-ecp256", "aes128gcm16-esn", "net",
		"10.9.0.0/16[udp]", "2001:db8::/32", "192.168.0.0/16",
		"2001:db8:1::1-2001:db8:1::9"
	};
	struct ike_child_setup *kid = malloc(sizeof *kid);
	struct ike_setup s = good_setup();
	const char *v[COUNT(texts)];
	char *t[COUNT(texts)], text[200];
	struct ike_connection *c;

	for (unsigned i = 0; i < COUNT(texts); i++)
		v[i] = t[i] = strdup(texts[i]);
	*kid = (struct ike_child_setup){ t[9], { v + 10, 2 }, { v + 12, 2 },
	    IKE_MODE_TUNNEL };
	s.name = t[0];
	s.local_address = t[1];
	s.local_id = t[2];
	s.remote_address = t[3];
	s.remote_id = t[4];
	s.auth = t[5];
	s.secret = t[6];
	s.ike = (struct ike_texts){ v + 7, 1 };
	s.esp = (struct ike_texts){ v + 8, 1 };
	s.children = kid;
	s.port = 1500;
	s.natt_port = 14500;
	s.start = IKE_START_ALWAYS;
	s.encap = IKE_ENCAP_AUTO;
	s.established.tries = 3;
	s.setting_up.factor_percent = 100;
	c = make(&s);
	for (unsigned i = 0; i < COUNT(texts); i++) {
		memset(t[i], 'x', strlen(t[i]));
		free(t[i]);
	}
	free(kid);

	ck_assert_str_eq(c->name, "rome");
	ck_assert_str_eq(c->secret, "ref");
	ck_assert_int_eq(c->local.kind, IKE_HOST_ADDRESS);
	ck_assert_uint_eq(c->local.range.family, 4);
	ck_assert_mem_eq(c->local.range.addr[0],
	    "\xc0\x00\x02\x09\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	ck_assert_str_eq(c->local.text, "192.0.2.9");
	ck_assert_int_eq(c->remote.v[0].kind, IKE_HOST_NAME);
	ck_assert_str_eq(c->remote.text, "gw.rome.example");
	ck_assert_uint_eq(c->local_id.type, IKE_ID_FQDN);
	ck_assert_uint_eq(c->remote_id.type, IKE_ID_KEY_ID);
	ck_assert(bytes_equal(c->remote_id.data, bytes_of("k", 1)));
	ck_assert_str_eq(ike_proposals_print(&c->ike, text, sizeof text),
	    "aes256-sha256-prfsha256-ecp256");
	ck_assert_str_eq(ike_proposals_print(&c->esp, text, sizeof text),
	    "aes128gcm16-ecp256-modpnone-esn");
	ck_assert_uint_eq(c->port, 1500);
	ck_assert_uint_eq(c->natt_port, 14500);
	ck_assert_int_eq(c->start, IKE_START_ALWAYS);
	ck_assert_int_eq(c->encap, IKE_ENCAP_AUTO);
	ck_assert_uint_eq(c->established.tries, 3);
	ck_assert_uint_eq(c->setting_up.factor_percent, 100);
	ck_assert_uint_eq(c->n_children, 1);
	ck_assert_str_eq(c->children[0].name, "net");
	ck_assert_uint_eq(c->children[0].local.n, 2);
	ck_assert_uint_eq(c->children[0].local.v[0].protocol, 17);
	ck_assert_uint_eq(c->children[0].remote.v[1].addr[1][15], 9);
	ike_connection_free(c);
}
END_TEST

START_TEST(connection_references)
{
	struct ike_setup s = good_setup();
	struct ike_connection *c = make(&s);

	ck_assert_ptr_eq(ike_connection_hold(c), c);
	ck_assert_uint_eq(c->references, 2);
	ike_connection_free(c);
	ck_assert_str_eq(c->name, "paris");
	ike_connection_free(c);
	ike_connection_free(NULL);
}
END_TEST

START_TEST(connection_hosts)
{
	static const struct {
		const char *text;
		enum ike_host_kind kind;
		uint8_t family;
		bool good;
	} rows[] = {
		{ "192.0.2.1", IKE_HOST_ADDRESS, 4, true },
		{ "2001:db8::1", IKE_HOST_ADDRESS, 6, true },
		{ "fe80::1", IKE_HOST_ADDRESS, 6, true },
		{ "gw.paris.example", IKE_HOST_NAME, 0, true },
		{ "localhost", IKE_HOST_NAME, 0, true },
		{ "any", IKE_HOST_ANY, 0, true }, { "%any", IKE_HOST_ANY, 0, true },
		{ "0.0.0.0", 0, 0, false }, { "::", 0, 0, false },
		{ "0.1.2.3", 0, 0, false }, { "224.0.0.1", 0, 0, false },
		{ "255.255.255.255", 0, 0, false }, { "ff02::1", 0, 0, false },
		{ "192.0.2.0/24", IKE_HOST_RANGE, 4, true },
		{ "2001:db8::/32", IKE_HOST_RANGE, 6, true },
		{ "192.0.2.1-192.0.2.2", IKE_HOST_RANGE, 4, true },
		{ "192.0.2.1, gw.paris.example", IKE_HOST_ADDRESS, 4, true },
		{ "192.0.2.1[udp/500]", 0, 0, false },
		{ "192.0.2.2-192.0.2.1", 0, 0, false },
		{ "192.0.2", 0, 0, false }, { "192.0.2.256", 0, 0, false },
		{ "2001:db8::1::2", 0, 0, false }, { "@gw.example", 0, 0, false },
		{ "user@gw.example", 0, 0, false }, { "keyid:1", 0, 0, false },
		{ "gw..example", 0, 0, false }, { "gw paris", 0, 0, false },
		{ " 192.0.2.1", 0, 0, false }, { "https://gw.example", 0, 0, false }
	};
	struct ike_setup s = good_setup();

	for (unsigned i = 0; i < COUNT(rows); i++) {
		struct ike_connection *c;

		s.remote_address = rows[i].text;
		if (!rows[i].good) {
			expect(&s, IKE_FAULT_ADDRESS, "remote.address", -1, -1);
			continue;
		}
		c = make(&s);
		ck_assert_int_eq(c->remote.v[0].kind, rows[i].kind);
		ck_assert_uint_eq(c->remote.v[0].range.family, rows[i].family);
		ike_connection_free(c);
	}
}
END_TEST

/* A fault in a list tells which part it is. */
START_TEST(connection_host_lists)
{
	struct ike_setup s = good_setup();
	struct ike_connection *c;

	s.remote_address = "192.0.2.1, 198.51.100.0/24,gw.paris.example";
	c = make(&s);
	ck_assert_uint_eq(c->remote.n, 3);
	ck_assert_str_eq(ike_hosts_callable(&c->remote, 0)->text, "192.0.2.1");
	ck_assert_str_eq(ike_hosts_callable(&c->remote, 1)->text, "gw.paris.example");
	ck_assert_str_eq(ike_hosts_callable(&c->remote, 2)->text, "192.0.2.1");
	ck_assert_ptr_null(ike_hosts_only(&c->remote));
	ike_connection_free(c);
	s.remote_address = "192.0.2.1,";
	expect(&s, IKE_FAULT_ADDRESS, "remote.address", -1, 1);
	s.remote_address = "192.0.2.1, any";
	expect(&s, IKE_FAULT_ADDRESS, "remote.address", -1, 1);
	s.remote_address = "any, 192.0.2.1";
	expect(&s, IKE_FAULT_ADDRESS, "remote.address", -1, 0);
	s.remote_address = "198.51.100.0/24, 203.0.113.0/24";
	s.start = IKE_START_ALWAYS;
	expect(&s, IKE_FAULT_NEEDS_ADDRESS, "remote.address", -1, -1);
}
END_TEST

/* ---- one fault ---- */

START_TEST(name_faults)
{
	static const char longest[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
	struct ike_setup s = good_setup();

	s.name = longest;
	ck_assert_uint_eq(strlen(longest), 63);
	ike_connection_free(make(&s));
	s.name = "a";
	ike_connection_free(make(&s));
	s.name = NULL;
	expect(&s, IKE_FAULT_MISSING, "name", -1, -1);
	s.name = "";
	expect(&s, IKE_FAULT_MISSING, "name", -1, -1);
	s.name = "a b";
	expect(&s, IKE_FAULT_NAME, "name", -1, -1);
	s.name = "paris/../../etc";
	expect(&s, IKE_FAULT_NAME, "name", -1, -1);
	s.name = "m\xc3\xbcnchen";
	expect(&s, IKE_FAULT_NAME, "name", -1, -1);
	s.name = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	expect(&s, IKE_FAULT_NAME, "name", -1, -1);
}
END_TEST

START_TEST(identity_faults)
{
	struct ike_setup s = good_setup();

	s.local_id = NULL;
	expect(&s, IKE_FAULT_MISSING, "local.id", -1, -1);
	s.local_id = "not an identity";
	expect(&s, IKE_FAULT_IDENTITY, "local.id", -1, -1);
	s = good_setup();
	s.remote_id = "";
	expect(&s, IKE_FAULT_MISSING, "remote.id", -1, -1);
	s.remote_id = "keyid:0x1";
	expect(&s, IKE_FAULT_IDENTITY, "remote.id", -1, -1);
	s.remote_id = "%any";			/* whom to call? */
	s.start = IKE_START_ALWAYS;
	expect(&s, IKE_FAULT_IDENTITY, "remote.id", -1, -1);
	s = good_setup();
	s.local_id = "*.paris.example";
	expect(&s, IKE_FAULT_IDENTITY, "local.id", -1, -1);
}
END_TEST

START_TEST(address_faults)
{
	struct ike_setup s = good_setup();

	s.remote_address = NULL;
	expect(&s, IKE_FAULT_MISSING, "remote.address", -1, -1);
	s = good_setup();
	s.local_address = "gw.berlin.example";
	expect(&s, IKE_FAULT_ADDRESS, "local.address", -1, -1);
	s.local_address = "";
	expect(&s, IKE_FAULT_ADDRESS, "local.address", -1, -1);
	s.local_address = "0.0.0.0";
	expect(&s, IKE_FAULT_ADDRESS, "local.address", -1, -1);
	s.local_address = "2001:db8::1";
	expect(&s, IKE_FAULT_FAMILY, "local.address", -1, -1);
	s.remote_address = "2001:db8::2";
	ike_connection_free(make(&s));
	s.remote_address = "gw.paris.example";
	ike_connection_free(make(&s));
}
END_TEST

START_TEST(any_cannot_be_called)
{
	struct ike_setup s = good_setup();

	s.remote_address = "any";
	ike_connection_free(make(&s));
	s.start = IKE_START_ON_DEMAND;
	expect(&s, IKE_FAULT_NEEDS_ADDRESS, "remote.address", -1, -1);
	s.start = IKE_START_ALWAYS;
	expect(&s, IKE_FAULT_NEEDS_ADDRESS, "remote.address", -1, -1);
}
END_TEST

START_TEST(port_faults)
{
	struct ike_setup s = good_setup();

	s.port = 0;
	expect(&s, IKE_FAULT_PORT, "port", -1, -1);
	s.port = 4500;
	ike_connection_free(make(&s));
	s.natt_port = 0;
	expect(&s, IKE_FAULT_PORT, "natt_port", -1, -1);
	s.natt_port = 500;	/* would have no marker */
	expect(&s, IKE_FAULT_PORT, "natt_port", -1, -1);
}
END_TEST

START_TEST(auth_faults)
{
	struct ike_setup s = good_setup();

	s.auth = "pubkey";
	expect(&s, IKE_FAULT_AUTH, "auth", -1, -1);
	s.auth = NULL;
	expect(&s, IKE_FAULT_AUTH, "auth", -1, -1);
	s = good_setup();
	s.secret = NULL;
	expect(&s, IKE_FAULT_MISSING, "secret", -1, -1);
	s.secret = "";
	expect(&s, IKE_FAULT_MISSING, "secret", -1, -1);
}
END_TEST

START_TEST(proposal_faults)
{
	static const char *const v[] = {
		"default", "aes256-sh256-x25519", "aes256gcm16"
	};
	struct ike_setup s = good_setup();
	struct ike_fault f[FAULTS];
	unsigned n;

	s.ike = (struct ike_texts){ v, 2 };
	expect(&s, IKE_FAULT_PROPOSAL, "ike", -1, 1);
	s.ike = (struct ike_texts){ NULL, 0 };
	expect(&s, IKE_FAULT_PROPOSAL, "ike", -1, -1);
	s = good_setup();
	s.esp = (struct ike_texts){ v + 1, 2 };
	expect(&s, IKE_FAULT_PROPOSAL, "esp", -1, 0);

	s.ike = (struct ike_texts){ v, 3 };
	ck_assert_ptr_null(ike_connection_new(&s, f, FAULTS, &n));
	ck_assert_uint_eq(n, 3);
	ck_assert_int_eq(f[0].item, 1);
	ck_assert_int_eq(f[1].item, 2);
	ck_assert_str_eq(f[2].setting, "esp");
	ck_assert_str_eq(f[2].text, "sh256 is not an algorithm; did you mean sha256?");
}
END_TEST

/* `compat` is the only door to weak algorithms, and none to broken ones. */
START_TEST(compat_opens)
{
	static const char *const weak[] = {
		"default", "aes256-sha1-modp2048", "aes256gcm16-prfsha1-x25519"
	};
	static const char *const weak_esp[] = { "aes256-sha1" };
	static const char *const broken[] = { "aes256-sha256-modp1024" };
	static const char *const words[] = { "sha1", "md5" };
	struct ike_setup s = good_setup();
	struct ike_connection *c;
	struct ike_fault f[FAULTS];
	unsigned n;

	c = ike_connection_new(&s, f, FAULTS, &n);
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(c->compat, 0);
	ike_connection_free(c);
	s.ike = (struct ike_texts){ weak, COUNT(weak) };
	ck_assert_ptr_null(ike_connection_new(&s, f, FAULTS, &n));
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(f[0].item, 1);
	ck_assert_str_eq(f[0].text, "sha1 is weak and is used only where that is "
	    "allowed; write sha256 instead or, if the peer can do nothing better, add: "
	    "compat = \"sha1\"");
	ck_assert_int_eq(f[1].item, 2);
	ck_assert_ptr_nonnull(strstr(f[1].text, "write prfsha256 instead"));
	s = good_setup();
	s.esp = (struct ike_texts){ weak_esp, COUNT(weak_esp) };
	expect(&s, IKE_FAULT_PROPOSAL, "esp", -1, 0);

	s.compat = (struct ike_texts){ words, 1 };
	s.ike = (struct ike_texts){ weak, COUNT(weak) };
	c = ike_connection_new(&s, f, FAULTS, &n);
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(c->compat, IKE_COMPAT_SHA1);
	ike_connection_free(c);
	s.ike = (struct ike_texts){ broken, COUNT(broken) };
	expect(&s, IKE_FAULT_PROPOSAL, "ike", -1, 0);
	s.ike = (struct ike_texts){ weak, 1 };
	s.compat = (struct ike_texts){ words, 2 };
	expect(&s, IKE_FAULT_PROPOSAL, "compat", -1, 1);
}
END_TEST

START_TEST(retransmission_faults)
{
	static const struct ike_retransmission bad[] = {
		{ 0, IKE_SECOND, 180, 5 }, { -1, IKE_SECOND, 180, 5 },
		{ 2 * IKE_SECOND, IKE_SECOND, 180, 5 },
		{ IKE_SECOND, INT64_MAX, 180, 5 },
		{ IKE_SECOND, 3601 * IKE_SECOND, 180, 5 },
		{ 1, 2, 99, 5 }, { 1, 2, 0, 5 }, { 1, 2, 1001, 5 }, { 1, 2, 180, 0 }
	};
	struct ike_setup s;

	for (unsigned i = 0; i < COUNT(bad); i++) {
		s = good_setup();
		s.established = bad[i];
		expect(&s, IKE_FAULT_RETRANSMISSION, "retransmit", -1, -1);
		s = good_setup();
		s.setting_up = bad[i];
		expect(&s, IKE_FAULT_RETRANSMISSION, "retransmit_setup", -1, -1);
	}
	s = good_setup();
	s.setting_up = (struct ike_retransmission){ 1, 1, 100, 1 };
	ike_connection_free(make(&s));
}
END_TEST

/* ---- renewal ---- */

#define S IKE_SECOND
#define YEARS ((ike_time)3650 * 86400 * S)

static const struct {
	struct ike_renewal r;
	const char *setting;		/* NULL: good */
} renewals[] = {
	{ { .ike = S, .child = { S, 1, 1 }, .reauth = S }, NULL },
	{ { .ike = 0 }, NULL },
	{ { .ike = YEARS, .child = { YEARS, UINT64_MAX, UINT64_MAX }, .reauth = YEARS },
	    NULL },
	{ { .ike = 4 * S, .ike_hard = 4 * S + 1, .child = { 2 * S, 7, 9 },
	    .child_hard = { 3 * S, 8, 10 }, .jitter_percent = 50 }, NULL },
	/* an end without a rekey before it */
	{ { .ike_hard = S, .child_hard = { S, 1, 1 } }, NULL },
	{ { .ike = S - 1 }, "rekey.ike" },
	{ { .ike = -1 }, "rekey.ike" },
	{ { .ike = YEARS + 1 }, "rekey.ike" },
	{ { .ike = INT64_MAX }, "rekey.ike" },
	{ { .ike = INT64_MIN }, "rekey.ike" },
	{ { .ike_hard = S - 1 }, "expire.ike" },
	{ { .ike_hard = YEARS + 1 }, "expire.ike" },
	{ { .ike = 2 * S, .ike_hard = 2 * S }, "expire.ike" },
	{ { .ike = 2 * S, .ike_hard = S }, "expire.ike" },
	{ { .child = { .time = 1 } }, "rekey.child" },
	{ { .child = { .time = INT64_MAX } }, "rekey.child" },
	{ { .child_hard = { .time = -S } }, "expire.child" },
	{ { .child = { .time = S }, .child_hard = { .time = S } }, "expire.child" },
	{ { .child = { .octets = 7 }, .child_hard = { .octets = 7 } }, "expire.bytes" },
	{ { .child = { .packets = 7 }, .child_hard = { .packets = 6 } },
	    "expire.packets" },
	{ { .reauth = S - 1 }, "reauth" },
	{ { .reauth = INT64_MAX }, "reauth" }
};

START_TEST(renewal_bounds)
{
	struct ike_setup s = good_setup();
	struct ike_connection *c;

	s.renewal = renewals[_i].r;
	if (renewals[_i].setting != NULL) {
		expect(&s, IKE_FAULT_LIFETIME, renewals[_i].setting, -1, -1);
		return;
	}
	c = make(&s);
	ck_assert(c->renewal.ike == 0 || c->renewal.ike_hard > c->renewal.ike);
	ck_assert(c->renewal.child.time == 0 ||
	    c->renewal.child_hard.time > c->renewal.child.time);
	ck_assert(c->renewal.child_hard.octets >= c->renewal.child.octets);
	ck_assert(c->renewal.child_hard.packets >= c->renewal.child.packets);
	if (s.renewal.ike_hard != 0)
		ck_assert_int_eq(c->renewal.ike_hard, s.renewal.ike_hard);
	if (s.renewal.child_hard.time != 0)
		ck_assert_int_eq(c->renewal.child_hard.time, s.renewal.child_hard.time);
	ike_connection_free(c);
}
END_TEST

START_TEST(hard_is_a_quarter_more)
{
	struct ike_setup s = good_setup();
	struct ike_connection *c;

	s.renewal = (struct ike_renewal){ .ike = 8 * S, .child = { 4 * S, 100, 1000 } };
	c = make(&s);
	ck_assert_int_eq(c->renewal.ike_hard, 10 * S);
	ck_assert_int_eq(c->renewal.child_hard.time, 5 * S);
	ck_assert_uint_eq(c->renewal.child_hard.octets, 125);
	ck_assert_uint_eq(c->renewal.child_hard.packets, 1250);
	ike_connection_free(c);
}
END_TEST

START_TEST(jitter_faults)
{
	struct ike_setup s = good_setup();

	s.renewal.jitter_percent = 0;
	ike_connection_free(make(&s));
	s.renewal.jitter_percent = 50;
	ike_connection_free(make(&s));
	s.renewal.jitter_percent = 51;
	expect(&s, IKE_FAULT_JITTER, "rekey.jitter", -1, -1);
	s.renewal.jitter_percent = 255;
	expect(&s, IKE_FAULT_JITTER, "rekey.jitter", -1, -1);
}
END_TEST

START_TEST(dpd_faults)
{
	static const ike_time good[] = { 0, S, 30 * S, 86400 * S };
	static const ike_time bad[] = { -1, 1, S - 1, 86400 * S + 1, INT64_MAX };
	struct ike_setup s = good_setup();

	for (unsigned i = 0; i < COUNT(good); i++) {
		s.dpd = good[i];
		ike_connection_free(make(&s));
	}
	for (unsigned i = 0; i < COUNT(bad); i++) {
		s.dpd = bad[i];
		expect(&s, IKE_FAULT_DPD, "dpd", -1, -1);
	}
}
END_TEST

START_TEST(fragment_faults)
{
	struct ike_setup s = good_setup();

	/* a prime, so that in between each residue has its turn */
	for (unsigned fragment = 0; fragment <= UINT16_MAX;
	     fragment += fragment >= 1000 && fragment < 64900 ? 97 : 1) {
		s.fragment = (uint16_t)fragment;
		if (fragment == 0 || (fragment >= 576 && fragment <= 65000))
			ike_connection_free(make(&s));
		else
			expect(&s, IKE_FAULT_FRAGMENT, "fragment", -1, -1);
	}
}
END_TEST

START_TEST(pfs_reaches_the_proposals)
{
	static const char *const ike[] = { "aes256gcm16-prfsha256-x25519" };
	static const char *const esp[] = { "aes256gcm16-noesn" };
	static const char *const expected[] = {
		[IKE_PFS_PREFER] = "aes256gcm16-x25519-modpnone-noesn",
		[IKE_PFS_REQUIRE] = "aes256gcm16-x25519-noesn",
		[IKE_PFS_OFF] = "aes256gcm16-noesn"
	};
	static const char *const without[] = {
		"aes256gcm16", "aes256gcm16-modpnone-esn"
	};
	struct ike_setup s = good_setup();
	struct ike_connection *c;
	char text[200];

	s.ike = (struct ike_texts){ ike, 1 };
	s.esp = (struct ike_texts){ esp, 1 };
	for (unsigned pfs = 0; pfs < COUNT(expected); pfs++) {
		s.pfs = (enum ike_pfs)pfs;
		c = make(&s);
		ck_assert_int_eq(c->pfs, s.pfs);
		ck_assert_str_eq(ike_proposals_print(&c->esp, text, sizeof text),
		    expected[pfs]);
		ike_connection_free(c);
	}
	s.esp = (struct ike_texts){ without, 2 };
	s.pfs = IKE_PFS_REQUIRE;
	expect(&s, IKE_FAULT_PFS, "esp", -1, -1);
	s.pfs = IKE_PFS_PREFER;
	ike_connection_free(make(&s));
}
END_TEST

/* ---- children ---- */

static const struct {
	const char *local_address, *remote_address, *local, *remote;
	const char *setting;		/* NULL: good */
} hosts[] = {
	{ "192.0.2.1", "203.0.113.7", "192.0.2.1", "203.0.113.7", NULL },
	{ "192.0.2.1", "203.0.113.7", "192.0.2.1[tcp/22]", "203.0.113.7[tcp]", NULL },
	{ "2001:db8::1", "2001:db8::2", "2001:db8::1", "2001:db8::2", NULL },
	/* who may have any address is narrowed when it is known */
	{ NULL, "203.0.113.7", "192.0.2.0/24", "203.0.113.7", NULL },
	{ "192.0.2.1", "any", "192.0.2.1", "0.0.0.0/0", NULL },
	{ "192.0.2.1", "gw.paris.example", "192.0.2.1", "203.0.113.7", NULL },
	{ "192.0.2.1", "203.0.113.7, 203.0.113.8", "192.0.2.1", "203.0.113.0/24", NULL },
	{ "192.0.2.1", "203.0.113.7", "192.0.2.2", "203.0.113.7", "children.local" },
	{ "192.0.2.1", "203.0.113.7", "192.0.2.0/24", "203.0.113.7", "children.local" },
	{ "192.0.2.1", "203.0.113.7", "192.0.2.1-192.0.2.2", "203.0.113.7",
	    "children.local" },
	{ NULL, "203.0.113.7", "192.0.2.1", "203.0.113.8", "children.remote" },
	{ NULL, "203.0.113.7", "192.0.2.1", "203.0.113.0/24", "children.remote" },
	{ NULL, "203.0.113.7", "2001:db8::1", "2001:db8::2", "children.remote" }
};

START_TEST(transport_is_between_hosts)
{
	struct ike_child_setup c = { "hosts", { &hosts[_i].local, 1 },
		{ &hosts[_i].remote, 1 }, IKE_MODE_TRANSPORT };
	struct ike_setup s = good_setup();
	struct ike_connection *built;

	s.children = &c;
	s.local_address = hosts[_i].local_address;
	s.remote_address = hosts[_i].remote_address;
	if (hosts[_i].setting != NULL) {
		expect(&s, IKE_FAULT_MODE, hosts[_i].setting, 0, 0);
		c.mode = IKE_MODE_TUNNEL;
	}
	built = make(&s);
	ck_assert_int_eq(built->children[0].mode, c.mode);
	ike_connection_free(built);
}
END_TEST

START_TEST(children_missing)
{
	struct ike_setup s = good_setup();

	s.n_children = 0;
	expect(&s, IKE_FAULT_MISSING, "children", -1, -1);
}
END_TEST

START_TEST(child_faults)
{
	static const char *const v4[] = { "10.1.0.0/24" };
	static const char *const v6[] = { "2001:db8::/32" };
	static const char *const both[] = { "10.1.0.0/24", "2001:db8::/32" };
	static const char *const bits[] = { "10.1.0.0/24", "10.1.0.1/24" };
	static const char *const twice[] = {
		"10.1.0.0/24", "10.2.0.0/24", "10.1.0.0/24"
	};
	static const char *const tcp[] = { "10.1.0.0/24[tcp]" };
	static const char *const udp[] = { "10.1.0.0/24[udp]" };
	static const struct {
		const char *name, *const *local;
		unsigned n_local;
		const char *const *remote;
		unsigned n_remote;
		enum ike_fault_code code;
		const char *setting;
		int item;
	} rows[] = {
		{ NULL, v4, 1, v4, 1, IKE_FAULT_MISSING, "children.name", -1 },
		{ "a b", v4, 1, v4, 1, IKE_FAULT_NAME, "children.name", -1 },
		{ "c", v4, 0, v4, 1, IKE_FAULT_MISSING, "children.local", -1 },
		{ "c", v4, 1, v4, 0, IKE_FAULT_MISSING, "children.remote", -1 },
		{ "c", bits, 2, v4, 1, IKE_FAULT_SELECTOR, "children.local", 1 },
		{ "c", v4, 1, bits, 2, IKE_FAULT_SELECTOR, "children.remote", 1 },
		{ "c", twice, 3, v4, 1, IKE_FAULT_DUPLICATE, "children.local", 2 },
		{ "c", both, 2, v4, 1, IKE_FAULT_FAMILY, "children.local", -1 },
		{ "c", v6, 1, both, 2, IKE_FAULT_FAMILY, "children.remote", -1 },
		{ "c", tcp, 1, udp, 1, IKE_FAULT_SELECTOR, "children.local", -1 }
	};
	struct ike_child_setup children[] = {
		child, { rows[_i].name, { rows[_i].local, rows[_i].n_local },
		{ rows[_i].remote, rows[_i].n_remote }, IKE_MODE_TUNNEL }
	};
	struct ike_setup s = good_setup();

	s.children = children;
	s.n_children = 2;
	expect(&s, rows[_i].code, rows[_i].setting, 1, rows[_i].item);
}
END_TEST

START_TEST(child_families_both)
{
	static const char *const both[] = { "10.1.0.0/24", "2001:db8::/32" };
	static const struct ike_child_setup c = {
		"dual", { both, 2 }, { both, 2 }, IKE_MODE_TUNNEL
	};
	struct ike_setup s = good_setup();

	s.children = &c;
	ike_connection_free(make(&s));
}
END_TEST

START_TEST(children_alike)
{
	struct ike_child_setup children[] = { child, child, child };
	static const char *const other[] = { "10.7.0.0/24" };
	static const char *const turned[] = { "10.3.0.0/24[tcp/22]", "10.1.0.0/24" };
	struct ike_setup s = good_setup();
	struct ike_fault f[FAULTS];
	unsigned n;

	s.children = children;
	s.n_children = 3;
	children[1].remote.v = other;		/* other traffic, the same name */
	children[2].name = "copy";		/* the same traffic, another name */
	children[2].local.v = turned;
	ck_assert_ptr_null(ike_connection_new(&s, f, FAULTS, &n));
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(f[0].code, IKE_FAULT_DUPLICATE);
	ck_assert_str_eq(f[0].setting, "children.name");
	ck_assert_int_eq(f[0].child, 1);
	ck_assert_int_eq(f[1].code, IKE_FAULT_DUPLICATE);
	ck_assert_str_eq(f[1].setting, "children.local");
	ck_assert_int_eq(f[1].child, 2);
}
END_TEST

/* What was not understood is not taken for the same. */
START_TEST(children_alike_but_for_a_fault)
{
	static const char *const bad[] = { "10.2.0.0/24", "x" };
	struct ike_child_setup children[] = { child, child };
	struct ike_setup s = good_setup();

	s.children = children;
	s.n_children = 2;
	children[1].name = "other";
	children[1].remote = (struct ike_texts){ bad, 2 };
	expect(&s, IKE_FAULT_SELECTOR, "children.remote", 1, 1);
}
END_TEST

START_TEST(child_selector_limits)
{
	char text[256][20];
	const char *v[256];
	struct ike_child_setup c = { "many", { v, 255 }, { far, 1 }, IKE_MODE_TUNNEL };
	struct ike_setup s = good_setup();

	for (unsigned i = 0; i < 256; i++) {
		snprintf(text[i], sizeof text[i], "10.9.%u.0/24", i);
		v[i] = text[i];
	}
	s.children = &c;
	ike_connection_free(make(&s));
	c.local.n = 256;
	expect(&s, IKE_FAULT_SELECTOR, "children.local", 0, -1);
	c.local.n = 255;	/* 255 times 17 pairs are too many */
	c.remote = (struct ike_texts){ v, 17 };
	expect(&s, IKE_FAULT_SELECTOR, "children.local", 0, -1);
	c.remote.n = 16;
	ike_connection_free(make(&s));
}
END_TEST

/* ---- all at once ---- */

START_TEST(faults_all_at_once)
{
	static const char *const bad[] = { "x" };
	static const struct ike_child_setup c = {
		"", { bad, 1 }, { bad, 0 }, IKE_MODE_TUNNEL
	};
	static const char *const settings[] = {
		"name", "local.address", "local.id", "remote.address", "remote.id",
		"port", "natt_port", "auth", "secret", "ike", "esp", "children.name",
		"children.local", "children.remote", "retransmit", "retransmit_setup",
		"rekey.ike", "expire.child", "expire.bytes", "expire.packets", "reauth",
		"rekey.jitter", "dpd", "fragment"
	};
	struct ike_setup s = {
		.local_address = "x y", .ike = { bad, 1 }, .esp = { bad, 1 },
		.children = &c, .n_children = 1,
		.established = { 1, 1, 100, 0 }, .setting_up = { 1, 1, 0, 1 },
		.renewal = { .ike = 1, .child = { 2 * IKE_SECOND, 2, 2 },
		    .child_hard = { IKE_SECOND, 1, 1 }, .reauth = -1,
		    .jitter_percent = 51 },
		.dpd = 1, .fragment = 1
	};
	struct ike_fault f[COUNT(settings)], *few;
	unsigned n = 0;

	ck_assert_ptr_null(ike_connection_new(&s, f, COUNT(settings), &n));
	ck_assert_uint_eq(n, COUNT(settings));
	for (unsigned i = 0; i < n; i++)
		ck_assert_str_eq(f[i].setting, settings[i]);

	for (unsigned max = 0; max < COUNT(settings); max++) {
		few = malloc(max == 0 ? 1 : max * sizeof *few);
		ck_assert_ptr_null(ike_connection_new(&s, few, max, &n));
		ck_assert_uint_eq(n, COUNT(settings));
		for (unsigned i = 0; i < max; i++)
			ck_assert_str_eq(few[i].setting, settings[i]);
		free(few);
	}
	ck_assert_ptr_null(ike_connection_new(&s, NULL, 0, &n));
	ck_assert_uint_eq(n, COUNT(settings));
}
END_TEST

START_TEST(fault_text_is_plain)
{
	struct ike_setup s = good_setup();
	struct ike_fault f[FAULTS];
	char name[300];
	unsigned n;

	memset(name, '\033', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	s.name = s.local_id = s.remote_address = s.auth = name;
	ck_assert_ptr_null(ike_connection_new(&s, f, FAULTS, &n));
	ck_assert_uint_eq(n, 4);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_uint_lt(strlen(f[i].text), sizeof f[i].text);
		ck_assert_ptr_null(strchr(f[i].text, '\033'));
	}
}
END_TEST

START_TEST(fault_names)
{
	for (int code = -1; code <= IKE_FAULT_NO_MEMORY + 1; code++) {
		const char *name = ike_fault_name((enum ike_fault_code)code);

		ck_assert_ptr_nonnull(name);
		ck_assert_int_eq(strcmp(name, "unknown fault") == 0,
		    code < 0 || code > IKE_FAULT_NO_MEMORY);
	}
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("connection");

	tcase_add_test(tcase, connection_defaults);
	tcase_add_test(tcase, connection_tells_its_policies);
	tcase_add_test(tcase, connection_copies);
	tcase_add_test(tcase, connection_references);
	tcase_add_test(tcase, connection_hosts);
	tcase_add_test(tcase, connection_host_lists);
	tcase_add_test(tcase, name_faults);
	tcase_add_test(tcase, identity_faults);
	tcase_add_test(tcase, address_faults);
	tcase_add_test(tcase, any_cannot_be_called);
	tcase_add_test(tcase, port_faults);
	tcase_add_test(tcase, auth_faults);
	tcase_add_test(tcase, proposal_faults);
	tcase_add_test(tcase, compat_opens);
	tcase_add_test(tcase, retransmission_faults);
	tcase_add_loop_test(tcase, renewal_bounds, 0, (int)COUNT(renewals));
	tcase_add_test(tcase, hard_is_a_quarter_more);
	tcase_add_test(tcase, jitter_faults);
	tcase_add_test(tcase, dpd_faults);
	tcase_add_test(tcase, fragment_faults);
	tcase_add_test(tcase, pfs_reaches_the_proposals);
	tcase_add_loop_test(tcase, transport_is_between_hosts, 0, (int)COUNT(hosts));
	tcase_add_test(tcase, children_missing);
	tcase_add_loop_test(tcase, child_faults, 0, 10);
	tcase_add_test(tcase, child_families_both);
	tcase_add_test(tcase, children_alike);
	tcase_add_test(tcase, children_alike_but_for_a_fault);
	tcase_add_test(tcase, child_selector_limits);
	tcase_add_test(tcase, faults_all_at_once);
	tcase_add_test(tcase, fault_text_is_plain);
	tcase_add_test(tcase, fault_names);
	return run_tests("connection", tcase);
}
