/* A program's settings: defaults, everything set, and every fault by its name. */
#include <stdlib.h>

#include "tests/unit/run.h"
#include "tests/unit/tunnel.h"

static const struct ipsec_retransmission quick = { .first = IPSEC_SECOND / 20,
    .most = IPSEC_SECOND / 10, .factor_percent = 150, .tries = 3 };

static unsigned
faults_of(struct ipsec_builder *b, bool server, struct ipsec_fault *v, unsigned max)
{
	struct ipsec_client_config *c = NULL;
	struct ipsec_server_config *s = NULL;
	unsigned n = 99;

	if (server)
		s = ipsec_server_config_build(b, v, max, &n);
	else
		c = ipsec_client_config_build(b, v, max, &n);
	ck_assert((c != NULL || s != NULL) == (n == 0));
	ipsec_client_config_free(c);
	ipsec_server_config_free(s);
	return n;
}

static void
set_all(struct ipsec_builder *b)
{
	const struct ipsec_lifetime soft = { 60 * IPSEC_SECOND, 1000000, 1000 };
	const struct ipsec_lifetime hard = { 90 * IPSEC_SECOND, 2000000, 2000 };

	ipsec_builder_add_ike_proposal(b, "aes256gcm16-prfsha384-x25519");
	ipsec_builder_add_ike_proposal(b, "aes128-sha256-ecp256");
	ipsec_builder_add_esp_proposal(b, "chacha20poly1305");
	ipsec_builder_add_traffic_selector(b, "2001:db8:1::/64 , 10.77.0.0/16",
	    "10.78.0.0/16[tcp/443],2001:db8:2::/64");
	ipsec_builder_set_lifetime(b, &soft, &hard);
	ipsec_builder_set_ike_lifetime(b, 3600 * IPSEC_SECOND, 0);
	ipsec_builder_set_dpd(b, 5 * IPSEC_SECOND);
	ipsec_builder_set_retransmission(b, &quick, &quick);
	ipsec_builder_set_pfs(b, IPSEC_PFS_REQUIRE);
	ipsec_builder_set_unique(b, IPSEC_UNIQUE_KEEP);
	ipsec_builder_set_queue(b, 10);
	ipsec_builder_set_shutdown_time(b, IPSEC_SECOND);
}

/* Defaults for all that is optional; everything set; a builder is empty afterwards. */
START_TEST(client_config_builder)
{
	struct ipsec_fault v[8];
	struct ipsec_builder *b = tunnel_builder(false);
	char id[] = "client.example";

	ck_assert_uint_eq(faults_of(b, false, v, 8), 0);
	ck_assert_uint_eq(faults_of(b, false, v, 8), 3);	/* empty now */
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(v[i].code, IPSEC_FAULT_MISSING);
	ipsec_builder_set_local_id(b, id);
	memset(id, 'x', sizeof(id) - 1);	/* it was copied */
	ipsec_builder_set_remote_id(b, "server.example");
	ipsec_builder_set_psk(b, "\0\1\2", 3);
	ipsec_builder_set_local_address(b, "[::1]:4500");
	set_all(b);
	ck_assert_msg(faults_of(b, false, v, 8) == 0, "%s: %s", v[0].setting, v[0].text);
	ipsec_builder_free(b);
	ipsec_builder_free(NULL);
	ipsec_client_config_free(NULL);
}
END_TEST

START_TEST(server_config_builder)
{
	struct ipsec_fault v[8];
	struct ipsec_builder *b = ipsec_builder_new();

	ipsec_builder_set_local_id(b, "server.example");
	ck_assert_uint_eq(faults_of(b, true, v, 8), 0);	/* a callback may have secrets */
	ipsec_builder_set_local_id(b, "server.example");
	ipsec_builder_set_remote_id(b, "*.example");
	ipsec_builder_set_psk(b, "secret", 6);
	ipsec_builder_add_psk(b, "anna@example", "another", 7);
	ipsec_builder_add_psk(b, "192.0.2.7", "a third", 7);
	set_all(b);
	ck_assert_msg(faults_of(b, true, v, 8) == 0, "%s: %s", v[0].setting, v[0].text);
	ipsec_builder_free(b);
	ipsec_server_config_free(NULL);
}
END_TEST

static const struct ipsec_lifetime long_one = { .time = 3600 * IPSEC_SECOND,
    .octets = 1000 };
static const struct ipsec_lifetime short_one = { .time = 60 * IPSEC_SECOND,
    .octets = 500 };

static void
bad_local_id(struct ipsec_builder *b)
{
	ipsec_builder_set_local_id(b, "a b");
}

static void
no_local_id(struct ipsec_builder *b)
{
	ipsec_builder_set_local_id(b, NULL);
}

static void
no_remote_id(struct ipsec_builder *b)
{
	ipsec_builder_set_remote_id(b, NULL);
}

static void
any_remote_id(struct ipsec_builder *b)
{
	ipsec_builder_set_remote_id(b, "%any");
}

static void
bad_remote_id(struct ipsec_builder *b)
{
	ipsec_builder_set_remote_id(b, "*");
}

static void
no_psk(struct ipsec_builder *b)
{
	ipsec_builder_set_psk(b, "", 0);
}

static void
weak(struct ipsec_builder *b)
{
	ipsec_builder_add_ike_proposal(b, "aes128-sha1-modp1024");
}

static void
old(struct ipsec_builder *b)
{
	ipsec_builder_add_ike_proposal(b, "aes128-sha1-modp2048");
}

static void
unknown(struct ipsec_builder *b)
{
	ipsec_builder_add_esp_proposal(b, "rot13");
}

static void
bad_ts(struct ipsec_builder *b)
{
	ipsec_builder_add_traffic_selector(b, "10.0.0.1/8", "10.1.0.0/16");
}

static void
empty_ts(struct ipsec_builder *b)
{
	ipsec_builder_add_traffic_selector(b, "10.1.0.0/16,", "10.1.0.0/16");
}

static void
mixed_ts(struct ipsec_builder *b)
{
	ipsec_builder_add_traffic_selector(b, "2001:db8::/32", "10.1.0.0/16");
}

static void
unlike_ts(struct ipsec_builder *b)
{
	ipsec_builder_add_traffic_selector(b, "10.0.0.0/8[tcp]", "10.1.0.0/16[udp]");
}

static void
same_ts(struct ipsec_builder *b)
{
	ipsec_builder_add_traffic_selector(b, "10.9.0.0/16", "10.8.0.0/24");
}

static void
hard_first(struct ipsec_builder *b)
{
	ipsec_builder_set_lifetime(b, &long_one, &short_one);
}

static void
ike_hard_first(struct ipsec_builder *b)
{
	ipsec_builder_set_ike_lifetime(b, long_one.time, short_one.time);
}

static void
negative(struct ipsec_builder *b)
{
	ipsec_builder_set_ike_lifetime(b, -1, 0);
}

static void
dpd_of_ms(struct ipsec_builder *b)
{
	ipsec_builder_set_dpd(b, 30);
}

static void
no_tries(struct ipsec_builder *b)
{
	struct ipsec_retransmission r = quick;

	r.tries = 0;
	ipsec_builder_set_retransmission(b, &r, NULL);
}

static void
many_tries(struct ipsec_builder *b)
{
	struct ipsec_retransmission r = quick;

	r.tries = 256;
	ipsec_builder_set_retransmission(b, NULL, &r);
}

static void
no_such_pfs(struct ipsec_builder *b)
{
	ipsec_builder_set_pfs(b, (enum ipsec_pfs)3);
}

static void
no_such_unique(struct ipsec_builder *b)
{
	ipsec_builder_set_unique(b, (enum ipsec_unique)-1);
}

static void
no_queue(struct ipsec_builder *b)
{
	ipsec_builder_set_queue(b, 0);
}

static void
no_time(struct ipsec_builder *b)
{
	ipsec_builder_set_shutdown_time(b, 0);
}

static void
bad_local(struct ipsec_builder *b)
{
	ipsec_builder_set_local_address(b, "host.example:70000");
}

static void
local_500(struct ipsec_builder *b)
{
	ipsec_builder_set_local_address(b, ":500");
}

static void
psk_twice(struct ipsec_builder *b)
{
	ipsec_builder_add_psk(b, "a@B.example", "x", 1);
	ipsec_builder_add_psk(b, "a@b.EXAMPLE", "y", 1);
}

static void
psk_empty(struct ipsec_builder *b)
{
	ipsec_builder_add_psk(b, "a.example", "", 0);
}

static void
psk_of_nobody(struct ipsec_builder *b)
{
	ipsec_builder_add_psk(b, "not one", "x", 1);
}

static void
server_at(struct ipsec_builder *b)
{
	ipsec_builder_set_local_address(b, "127.0.0.1");
}

static const struct wrong {
	void (*make)(struct ipsec_builder *);
	bool server;
	enum ipsec_fault_code code;
	const char *setting, *says;
	int item;
	unsigned n;
} wrongs[] = {
	{ bad_local_id, false, IPSEC_FAULT_IDENTITY, "local_id", "local_id \"a b\"", -1,
	    1 },
	{ no_local_id, true, IPSEC_FAULT_MISSING, "local_id", "local_id is missing", -1,
	    1 },
	{ no_remote_id, false, IPSEC_FAULT_MISSING, "remote_id", "is missing", -1, 1 },
	{ any_remote_id, false, IPSEC_FAULT_IDENTITY, "remote_id", "may be many", -1, 1 },
	{ bad_remote_id, true, IPSEC_FAULT_IDENTITY, "remote_id", "\"*\"", -1, 1 },
	{ no_psk, false, IPSEC_FAULT_SECRET, "psk", "empty", -1, 1 },
	{ weak, false, IPSEC_FAULT_PROPOSAL, "ike_proposal", "", 0, 1 },
	{ old, false, IPSEC_FAULT_PROPOSAL, "ike_proposal", "sha256 instead", 0, 1 },
	{ unknown, true, IPSEC_FAULT_PROPOSAL, "esp_proposal", "rot13", 0, 1 },
	{ bad_ts, false, IPSEC_FAULT_SELECTOR, "traffic_selector",
	    "the local side: \"10.0.0.1/8\" is", 1, 1 },
	{ empty_ts, false, IPSEC_FAULT_SELECTOR, "traffic_selector", "local side: \"\"",
	    1, 1 },
	{ mixed_ts, false, IPSEC_FAULT_FAMILY, "traffic_selector",
	    "the local side has IPv6", 1, 2 },
	{ unlike_ts, false, IPSEC_FAULT_SELECTOR, "traffic_selector",
	    "several traffic selectors", 1, 1 },
	{ same_ts, false, IPSEC_FAULT_DUPLICATE, "traffic_selector",
	    "traffic selectors 1 and 2 carry the same", 1, 1 },
	{ hard_first, false, IPSEC_FAULT_LIFETIME, "lifetime",
	    "the hard lifetime is not more than the soft lifetime", -1, 2 },
	{ ike_hard_first, false, IPSEC_FAULT_LIFETIME, "ike_lifetime",
	    "the hard IKE lifetime is not more than the soft IKE lifetime", -1, 1 },
	{ negative, false, IPSEC_FAULT_LIFETIME, "ike_lifetime",
	    "the soft IKE lifetime is not", -1, 1 },
	{ dpd_of_ms, false, IPSEC_FAULT_RANGE, "dpd", "30 seconds", -1, 1 },
	{ no_tries, true, IPSEC_FAULT_RETRANSMISSION, "retransmission", "0 tries", -1,
	    1 },
	{ many_tries, true, IPSEC_FAULT_RETRANSMISSION, "retransmission", "256 tries", -1,
	    1 },
	{ no_such_pfs, false, IPSEC_FAULT_RANGE, "pfs", "IPSEC_PFS_PREFER", -1, 1 },
	{ no_such_unique, true, IPSEC_FAULT_RANGE, "unique", "IPSEC_UNIQUE_KEEP", -1, 1 },
	{ no_queue, false, IPSEC_FAULT_RANGE, "queue", "queue is 0", -1, 1 },
	{ no_time, true, IPSEC_FAULT_RANGE, "shutdown_time", "5 seconds", -1, 1 },
	{ bad_local, false, IPSEC_FAULT_ADDRESS, "local_address", "host.example", -1, 1 },
	{ local_500, false, IPSEC_FAULT_ADDRESS, "local_address", "port 500", -1, 1 },
	{ psk_twice, true, IPSEC_FAULT_DUPLICATE, "peer_psk", "a@b.EXAMPLE", 1, 1 },
	{ psk_empty, true, IPSEC_FAULT_SECRET, "peer_psk", "a.example", 0, 1 },
	{ psk_of_nobody, true, IPSEC_FAULT_IDENTITY, "peer_psk", "not one", 0, 1 },
	{ psk_twice, false, IPSEC_FAULT_DUPLICATE, "peer_psk", "", 1, 2 },
	{ server_at, true, IPSEC_FAULT_ADDRESS, "local_address", "bind", -1, 1 },
};

/* Names that a configuration of ikevd has, and no program. */
static const char *const foreign[] = { "rekey.", "expire.", "children", "local.", "remote.",
	"compat", "retransmit_" };

/* Each fault by its code, its setting and a sentence in words that the program knows, with
 * nothing of the secret in it; and mended, the same builder builds. */
START_TEST(config_validation)
{
	const struct wrong *w = &wrongs[_i];
	struct ipsec_builder *b = tunnel_builder(w->server);
	struct ipsec_fault v[8];
	unsigned n;

	w->make(b);
	n = faults_of(b, w->server, v, 8);
	ck_assert_msg(n == w->n, "%u faults, %s", n, v[0].text);
	ck_assert_str_eq(ipsec_fault_name(v[0].code), ipsec_fault_name(w->code));
	ck_assert_str_eq(v[0].setting, w->setting);
	ck_assert_int_eq(v[0].item, w->item);
	ck_assert_msg(strstr(v[0].text, w->says) != NULL, "%s", v[0].text);
	ck_assert_uint_gt(strlen(v[0].text), 20);
	ck_assert_ptr_null(strstr(v[0].text, "0123456789abcdef"));
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		ck_assert_msg(strstr(v[0].text, foreign[i]) == NULL, "%s", v[0].text);
	ck_assert_uint_eq(faults_of(b, w->server, NULL, 0), n);	/* it is as it was */
	ipsec_builder_free(b);
}
END_TEST

/* All of them at once, those beyond the array counted. */
START_TEST(config_names_every_fault)
{
	struct ipsec_builder *b = ipsec_builder_new();
	struct ipsec_fault v[16];
	bool seen[16] = { false };
	unsigned n;

	bad_local_id(b);
	no_psk(b);
	unknown(b);
	bad_ts(b);
	dpd_of_ms(b);
	no_queue(b);
	bad_local(b);
	n = faults_of(b, false, v, 16);
	ck_assert_uint_eq(n, 8);		/* and no remote_id */
	for (unsigned i = 0; i < n; i++)
		seen[v[i].code] = true;
	ck_assert(seen[IPSEC_FAULT_IDENTITY] && seen[IPSEC_FAULT_SECRET] &&
	    seen[IPSEC_FAULT_PROPOSAL] && seen[IPSEC_FAULT_SELECTOR] &&
	    seen[IPSEC_FAULT_RANGE] && seen[IPSEC_FAULT_ADDRESS] &&
	    seen[IPSEC_FAULT_MISSING]);
	v[2].text[0] = '\0';
	ck_assert_uint_eq(faults_of(b, false, v, 2), 8);
	ck_assert_str_eq(v[2].text, "");
	ck_assert_ptr_null(ipsec_client_config_build(b, NULL, 0, NULL));
	ipsec_builder_set_local_id(b, "client.example");
	ipsec_builder_set_psk(b, "x", 1);
	ck_assert_uint_eq(faults_of(b, false, v, 16), 6);
	ipsec_builder_free(b);
}
END_TEST

int
main(void)
{
	TCase *c = tcase_create("config");

	tcase_add_test(c, client_config_builder);
	tcase_add_test(c, server_config_builder);
	tcase_add_loop_test(c, config_validation, 0, sizeof(wrongs) / sizeof(wrongs[0]));
	tcase_add_test(c, config_names_every_fault);
	return run_tests("config", c);
}
