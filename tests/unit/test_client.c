/* A program's client: its settings, how it gets its tunnel, and every way it may not. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#include "tests/unit/run.h"
#include "tests/unit/tunnel.h"

static const struct ipsec_retransmission quick = { .first = IPSEC_SECOND / 20,
    .most = IPSEC_SECOND / 10, .factor_percent = 150, .tries = 3 };

static struct tunnel t;
static unsigned descriptors;

static void
set_up(void)
{
	descriptors = tunnel_descriptors();
	memset(&t, 0, sizeof(t));
}

/* Whatever happened, nothing stays open. */
static void
tear_down(void)
{
	tunnel_close(&t);
	ck_assert_uint_eq(tunnel_descriptors(), descriptors);
}

/* ---- settings ---- */

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

/* Defaults for all that is optional; everything set; and a builder is empty afterwards. */
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
static const struct ipsec_lifetime short_one = { .time = 60 * IPSEC_SECOND, .octets = 500 };

static void bad_local_id(struct ipsec_builder *b) { ipsec_builder_set_local_id(b, "a b"); }
static void no_local_id(struct ipsec_builder *b) { ipsec_builder_set_local_id(b, NULL); }
static void no_remote_id(struct ipsec_builder *b) { ipsec_builder_set_remote_id(b, NULL); }
static void any_remote_id(struct ipsec_builder *b) { ipsec_builder_set_remote_id(b, "%any"); }
static void bad_remote_id(struct ipsec_builder *b) { ipsec_builder_set_remote_id(b, "*"); }
static void no_psk(struct ipsec_builder *b) { ipsec_builder_set_psk(b, "", 0); }
static void weak(struct ipsec_builder *b) { ipsec_builder_add_ike_proposal(b, "aes128-sha1-modp1024"); }
static void unknown(struct ipsec_builder *b) { ipsec_builder_add_esp_proposal(b, "rot13"); }
static void bad_ts(struct ipsec_builder *b) { ipsec_builder_add_traffic_selector(b, "10.0.0.1/8", "10.1.0.0/16"); }
static void empty_ts(struct ipsec_builder *b) { ipsec_builder_add_traffic_selector(b, "10.1.0.0/16,", "10.1.0.0/16"); }
static void mixed_ts(struct ipsec_builder *b) { ipsec_builder_add_traffic_selector(b, "2001:db8::/32", "10.1.0.0/16"); }
static void same_ts(struct ipsec_builder *b) { ipsec_builder_add_traffic_selector(b, "10.9.0.0/16", "10.8.0.0/24"); }
static void hard_first(struct ipsec_builder *b) { ipsec_builder_set_lifetime(b, &long_one, &short_one); }
static void negative(struct ipsec_builder *b) { ipsec_builder_set_ike_lifetime(b, -1, 0); }
static void dpd_of_ms(struct ipsec_builder *b) { ipsec_builder_set_dpd(b, 30); }
static void no_tries(struct ipsec_builder *b) { struct ipsec_retransmission r = quick; r.tries = 0; ipsec_builder_set_retransmission(b, &r, NULL); }
static void no_queue(struct ipsec_builder *b) { ipsec_builder_set_queue(b, 0); }
static void no_time(struct ipsec_builder *b) { ipsec_builder_set_shutdown_time(b, 0); }
static void bad_local(struct ipsec_builder *b) { ipsec_builder_set_local_address(b, "host.example:70000"); }
static void psk_twice(struct ipsec_builder *b) { ipsec_builder_add_psk(b, "a@B.example", "x", 1); ipsec_builder_add_psk(b, "a@b.EXAMPLE", "y", 1); }
static void psk_empty(struct ipsec_builder *b) { ipsec_builder_add_psk(b, "a.example", "", 0); }
static void psk_of_nobody(struct ipsec_builder *b) { ipsec_builder_add_psk(b, "not one", "x", 1); }
static void server_at(struct ipsec_builder *b) { ipsec_builder_set_local_address(b, "127.0.0.1"); }

static const struct wrong {
	void (*make)(struct ipsec_builder *);
	bool server;
	enum ipsec_fault_code code;
	const char *setting, *says;
	int item;
	unsigned n;
} wrongs[] = {
	{ bad_local_id, false, IPSEC_FAULT_IDENTITY, "local_id", "local_id \"a b\"", -1, 1 },
	{ no_local_id, true, IPSEC_FAULT_MISSING, "local_id", "local_id is missing", -1, 1 },
	{ no_remote_id, false, IPSEC_FAULT_MISSING, "remote_id", "is missing", -1, 1 },
	{ any_remote_id, false, IPSEC_FAULT_IDENTITY, "remote_id", "may be many", -1, 1 },
	{ bad_remote_id, true, IPSEC_FAULT_IDENTITY, "remote_id", "\"*\"", -1, 1 },
	{ no_psk, false, IPSEC_FAULT_SECRET, "psk", "empty", -1, 1 },
	{ weak, false, IPSEC_FAULT_PROPOSAL, "ike_proposal", "", 0, 1 },
	{ unknown, true, IPSEC_FAULT_PROPOSAL, "esp_proposal", "rot13", 0, 1 },
	{ bad_ts, false, IPSEC_FAULT_SELECTOR, "traffic_selector", "10.0.0.1/8", 1, 1 },
	{ empty_ts, false, IPSEC_FAULT_SELECTOR, "traffic_selector", "\"\"", 1, 1 },
	{ mixed_ts, false, IPSEC_FAULT_FAMILY, "traffic_selector", "IPv6", 1, 2 },
	{ same_ts, false, IPSEC_FAULT_DUPLICATE, "traffic_selector", "same", 1, 1 },
	{ hard_first, false, IPSEC_FAULT_LIFETIME, "lifetime", "", -1, 2 },
	{ negative, false, IPSEC_FAULT_LIFETIME, "ike_lifetime", "", -1, 1 },
	{ dpd_of_ms, false, IPSEC_FAULT_RANGE, "dpd", "30 seconds", -1, 1 },
	{ no_tries, true, IPSEC_FAULT_RETRANSMISSION, "retransmission", "0 tries", -1, 1 },
	{ no_queue, false, IPSEC_FAULT_RANGE, "queue", "queue is 0", -1, 1 },
	{ no_time, true, IPSEC_FAULT_RANGE, "shutdown_time", "5 seconds", -1, 1 },
	{ bad_local, false, IPSEC_FAULT_ADDRESS, "local_address", "host.example", -1, 1 },
	{ psk_twice, true, IPSEC_FAULT_DUPLICATE, "peer_psk", "a@b.EXAMPLE", 1, 1 },
	{ psk_empty, true, IPSEC_FAULT_SECRET, "peer_psk", "a.example", 0, 1 },
	{ psk_of_nobody, true, IPSEC_FAULT_IDENTITY, "peer_psk", "not one", 0, 1 },
	{ psk_twice, false, IPSEC_FAULT_DUPLICATE, "peer_psk", "", 1, 2 },
	{ server_at, true, IPSEC_FAULT_ADDRESS, "local_address", "bind", -1, 1 },
};

/* Each fault by its code, its setting and a sentence; nothing of the secret in it; and
 * mended, the same builder builds. */
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
	ipsec_builder_set_local_id(b, "client.example");
	ipsec_builder_set_psk(b, "x", 1);
	ck_assert_uint_eq(faults_of(b, false, v, 16), 6);
	ipsec_builder_free(b);
}
END_TEST

/* ---- connecting ---- */

static struct tunnel_end *
add_client(struct ipsec_builder *b)
{
	return tunnel_add(&t, tunnel_client_config(b), true);
}

/* Made of a config that may go at once, without a socket; and gone again. */
START_TEST(client_builder)
{
	struct tunnel_end *end = add_client(tunnel_builder(false));
	struct ipsec_metrics m;
	struct pollfd fd;
	int64_t when;

	ck_assert_uint_eq(tunnel_descriptors(), descriptors);
	ck_assert_uint_eq(ipsec_client_fds(end->client, &fd, 1), 0);
	ck_assert(!ipsec_client_deadline(end->client, &when));
	ck_assert_int_eq(ipsec_client_timeout(end->client, ipsec_now()), -1);
	ck_assert(!ipsec_client_is_up(end->client));
	ck_assert(ipsec_client_is_shut_down(end->client));
	ck_assert_str_eq(ipsec_client_why(end->client), "");
	ipsec_client_process(end->client, ipsec_now());
	ipsec_client_metrics(end->client, &m);
	ck_assert_uint_eq(m.sessions + m.accepted + m.packets[0] + m.packets[1], 0);
	ipsec_client_free(NULL);
}
END_TEST

/* One socket carries all, from any free port. */
START_TEST(client_connect_success)
{
	struct tunnel_end *end;
	struct pollfd fds[4];
	const struct tunnel_said *up;

	tunnel_serve(&t, tunnel_server_config(tunnel_builder(true)), true);
	end = add_client(tunnel_builder(false));
	tunnel_connect(&t, 0);
	up = &end->heard.said[IPSEC_EVENT_UP];
	ck_assert_int_eq(up->error, IPSEC_OK);
	ck_assert_str_eq(up->peer_id, "server.example");
	ck_assert_str_eq(up->peer_address, tunnel_address(&t));
	ck_assert(ipsec_client_is_up(end->client));
	ck_assert(!ipsec_client_is_shut_down(end->client));
	ck_assert_uint_eq(ipsec_client_fds(end->client, fds, 4), 1);
	ck_assert_uint_eq(end->heard.n_order, 2);
	ck_assert_uint_gt(ipsec_client_mtu(end->client), 1280);
	ck_assert_int_eq(ipsec_client_connect(end->client, tunnel_address(&t)), IPSEC_BUSY);
}
END_TEST

static void
expect_failure(struct tunnel_end *end, enum ipsec_error error)
{
	const struct tunnel_said *failed = &end->heard.said[IPSEC_EVENT_FAILED];

	ck_assert_int_eq(ipsec_client_connect(end->client, tunnel_address(&t)), IPSEC_OK);
	tunnel_await(&t, &end->heard.events[IPSEC_EVENT_FAILED], 1);
	ck_assert_str_eq(ipsec_error_name(failed->error), ipsec_error_name(error));
	ck_assert_uint_gt(strlen(failed->text), 20);
	ck_assert_uint_eq(end->heard.events[IPSEC_EVENT_UP], 0);
	ck_assert(!ipsec_client_is_up(end->client));
	ck_assert_uint_eq(t.heard.events[IPSEC_EVENT_UP], 0);
}

/* Who is not there, by another, by a secret, by algorithms, by traffic: each its own
 * code, and after it another attempt is possible. */
START_TEST(client_connect_failure)
{
	struct ipsec_builder *b = tunnel_builder(false);
	struct tunnel_end *end;
	const struct tunnel_said *said;

	tunnel_serve(&t, tunnel_server_config(tunnel_builder(true)), true);

	ipsec_builder_set_psk(b, "not the same", 12);
	end = add_client(b);
	expect_failure(end, IPSEC_AUTH_FAILED);
	ck_assert_uint_eq(t.heard.asked, 0);	/* nobody was let in */

	b = tunnel_builder(false);
	ipsec_builder_set_retransmission(b, &quick, &quick);
	ipsec_builder_add_ike_proposal(b, "aes256-sha512-modp4096");
	end = add_client(b);
	expect_failure(end, IPSEC_NO_PROPOSAL);
	said = &end->heard.said[IPSEC_EVENT_FAILED];
	ck_assert_str_eq(said->setting, "ike");
	ck_assert_ptr_nonnull(strstr(said->ours, "modp4096"));
	said = &t.heard.said[IPSEC_EVENT_REFUSED];	/* the server knows both sides */
	ck_assert_int_eq(said->error, IPSEC_NO_PROPOSAL);
	ck_assert_ptr_nonnull(strstr(said->theirs, "modp4096"));
	ck_assert_ptr_nonnull(strstr(said->ours, "x25519"));
	ck_assert_uint_gt(strlen(said->difference), 0);

	b = tunnel_builder(false);
	ipsec_builder_set_retransmission(b, &quick, &quick);
	end = add_client(b);
	t.silent = true;
	expect_failure(end, IPSEC_NO_ANSWER);
	t.silent = false;
}
END_TEST

/* No traffic in common, a peer that says it is somebody else: codes of their own. */
START_TEST(client_is_refused_otherwise)
{
	struct ipsec_builder *b = tunnel_builder(false);
	struct tunnel_end *end;

	tunnel_serve(&t, tunnel_server_config(tunnel_builder(true)), true);
	ipsec_builder_set_remote_id(b, "other.example");
	end = add_client(b);
	expect_failure(end, IPSEC_AUTH_FAILED);

	b = ipsec_builder_new();
	ipsec_builder_set_local_id(b, "client.example");
	ipsec_builder_set_remote_id(b, "server.example");
	ipsec_builder_set_psk(b, "0123456789abcdef", 16);
	ipsec_builder_add_traffic_selector(b, "172.16.0.0/24", "172.17.0.0/24");
	end = add_client(b);
	expect_failure(end, IPSEC_NO_SELECTORS);
	ck_assert_ptr_nonnull(strstr(end->heard.said[IPSEC_EVENT_FAILED].ours, "172.16.0.0"));

	t.heard.verdict = IPSEC_REFUSE;
	end = add_client(tunnel_builder(false));
	expect_failure(end, IPSEC_AUTH_FAILED);
	tunnel_run(&t, 50);
	ck_assert_ptr_null(ipsec_server_next_session(t.server, NULL));
}
END_TEST

/* What cannot even begin says so at once, with a sentence. */
START_TEST(client_connect_arguments)
{
	static const struct { const char *address; enum ipsec_error error; } rows[] = {
		{ "", IPSEC_INVALID }, { ":4500", IPSEC_INVALID },
		{ "127.0.0.1:500", IPSEC_INVALID }, { "127.0.0.1:0", IPSEC_INVALID },
		{ "127.0.0.1:65536", IPSEC_INVALID }, { "[::1", IPSEC_INVALID },
		{ "[::1]4500", IPSEC_INVALID }, { "127.0.0.1:45x", IPSEC_INVALID },
		{ "not a host", IPSEC_INVALID }, { "10.0.0.0/8", IPSEC_INVALID },
		{ "any", IPSEC_INVALID },
	};
	struct ipsec_builder *b = tunnel_builder(false);
	struct tunnel_end *end;

	ipsec_builder_set_local_address(b, "192.0.2.1");	/* not this host's */
	end = add_client(b);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_msg(ipsec_client_connect(end->client, rows[i].address) ==
		    rows[i].error, "%s", rows[i].address);
		ck_assert_uint_gt(strlen(ipsec_client_why(end->client)), 20);
		ck_assert_uint_eq(tunnel_descriptors(), descriptors);
	}
	ck_assert_int_eq(ipsec_client_connect(end->client, "127.0.0.1"), IPSEC_NO_SOCKET);
	ck_assert_ptr_nonnull(strstr(ipsec_client_why(end->client), "192.0.2.1"));
	end = add_client(tunnel_builder(false));
	ck_assert_int_eq(ipsec_client_connect(end->client, "gate.example"), IPSEC_OK);
	tunnel_await(&t, &end->heard.events[IPSEC_EVENT_FAILED], 1);
	ck_assert_int_eq(end->heard.said[IPSEC_EVENT_FAILED].error, IPSEC_UNRESOLVED);
}
END_TEST

/* A callback may connect again, and may free the client. */
START_TEST(client_acts_in_its_callbacks)
{
	struct ipsec_builder *b = tunnel_builder(false);
	struct tunnel_end *end;

	tunnel_serve(&t, tunnel_server_config(tunnel_builder(true)), true);
	ipsec_builder_set_retransmission(b, &quick, &quick);
	end = add_client(b);
	end->heard.connect_me = end->client;
	snprintf(end->heard.address, sizeof(end->heard.address), "%s", tunnel_address(&t));
	ck_assert_int_eq(ipsec_client_connect(end->client, "127.0.0.1:9"), IPSEC_OK);
	tunnel_await(&t, &end->heard.events[IPSEC_EVENT_UP], 1);
	ck_assert_uint_eq(end->heard.events[IPSEC_EVENT_FAILED], 1);

	end = add_client(tunnel_builder(false));
	end->heard.free_me = end->client;	/* in CONNECTING, within connect */
	ck_assert_int_eq(ipsec_client_connect(end->client, tunnel_address(&t)), IPSEC_OK);
	ck_assert_ptr_null(end->client);
	end = add_client(tunnel_builder(false));
	ck_assert_int_eq(ipsec_client_connect(end->client, tunnel_address(&t)), IPSEC_OK);
	end->heard.free_me = end->client;	/* in UP, within process */
	tunnel_await(&t, &end->heard.events[IPSEC_EVENT_UP], 1);
	ck_assert_ptr_null(end->client);
}
END_TEST

/* ---- packets ---- */

/* By a callback, and for those who ask: one, many, too little room, and none. */
START_TEST(client_send_recv)
{
	uint8_t packet[1400], got[1400];
	struct ipsec_packet v[300];
	struct ipsec_metrics m;
	struct tunnel_end *end;
	size_t len;

	tunnel_serve(&t, tunnel_server_config(tunnel_builder(true)), true);
	t.heard.echo = true;
	end = tunnel_add(&t, tunnel_client_config(tunnel_builder(false)), false);
	ck_assert_int_eq(ipsec_client_recv_packet(end->client, got, sizeof(got), &len),
	    IPSEC_AGAIN);
	tunnel_connect(&t, 0);
	ck_assert_int_eq(ipsec_client_recv_packet(end->client, got, sizeof(got), &len),
	    IPSEC_AGAIN);
	len = tunnel_packet(packet, 333, true, 7);
	ck_assert_int_eq(ipsec_client_send_packet(end->client, packet, len), IPSEC_OK);
	tunnel_await_packets(&t, &t.heard.packets, 1);
	tunnel_run(&t, 50);
	ck_assert_int_eq(ipsec_client_recv_packet(end->client, got, 332, &len),
	    IPSEC_TOO_BIG);
	ck_assert_uint_eq(len, 333);
	ck_assert_int_eq(ipsec_client_recv_packet(end->client, got, 333, &len), IPSEC_OK);
	ck_assert_uint_eq(len, 333);
	ck_assert_mem_eq(got + 20, packet + 20, 333 - 20);
	ck_assert_int_eq(ipsec_client_recv_packet(end->client, got, 333, &len),
	    IPSEC_AGAIN);

	for (unsigned i = 0; i < 300; i++)	/* 256 of them wait, the others are lost */
		v[i] = (struct ipsec_packet){ .data = packet,
		    .len = tunnel_packet(packet, 100, true, 1) };
	ck_assert_uint_eq(ipsec_client_send_packets(end->client, v, 300), 300);
	tunnel_await_packets(&t, &t.heard.packets, 301);
	tunnel_run(&t, 50);
	ck_assert_uint_eq(ipsec_client_recv_packets(end->client, v, 200), 200);
	for (unsigned i = 0; i < 200; i++) {
		ck_assert_uint_eq(v[i].len, 100);
		ck_assert_mem_eq(v[i].data + 20, packet + 20, 80);
	}
	ck_assert_uint_eq(ipsec_client_recv_packets(end->client, v, 300), 56);
	ck_assert_uint_eq(ipsec_client_recv_packets(end->client, v, 300), 0);
	ipsec_client_metrics(end->client, &m);
	ck_assert_uint_eq(m.packets[0], 301);
	ck_assert_uint_eq(m.packets[1], 301);
	ck_assert_uint_eq(m.overflow, 44);
}
END_TEST

/* Each refusal by its name: not an IP packet, not of the tunnel, too long. */
START_TEST(client_send_errors)
{
	static uint8_t big[70000];
	uint8_t packet[64];
	struct ipsec_metrics m;
	struct ipsec_client *c;

	tunnel_open(&t, 1);
	c = t.ends[0].client;
	ck_assert_int_eq(ipsec_client_send_packet(c, "hello", 5), IPSEC_MALFORMED);
	ck_assert_int_eq(ipsec_client_send_packet(c, NULL, 0), IPSEC_MALFORMED);
	tunnel_packet(packet, 60, false, 0);
	ck_assert_int_eq(ipsec_client_send_packet(c, packet, 60), IPSEC_SELECTORS);
	tunnel_packet(big, 65535, true, 0);
	ck_assert_int_eq(ipsec_client_send_packet(c, big, sizeof(big)), IPSEC_TOO_BIG);
	ck_assert_int_eq(ipsec_client_send_packet(c, big, 65535), IPSEC_TOO_BIG);
	ipsec_client_metrics(c, &m);
	ck_assert_uint_eq(m.unsent, 5);
	ck_assert_uint_eq(m.packets[1], 0);
}
END_TEST

/* Before it connects, while it does, when it failed, after shutdown. */
START_TEST(client_without_connect)
{
	uint8_t packet[64];
	struct tunnel_end *end;
	struct ipsec_packet v[2];
	size_t len = tunnel_packet(packet, 60, true, 0);

	tunnel_serve(&t, tunnel_server_config(tunnel_builder(true)), true);
	end = add_client(tunnel_builder(false));
	ck_assert_int_eq(ipsec_client_send_packet(end->client, packet, len),
	    IPSEC_NOT_CONNECTED);
	ck_assert_int_eq(ipsec_client_rekey(end->client, IPSEC_REKEY_CHILD),
	    IPSEC_NOT_CONNECTED);
	ck_assert_uint_eq(ipsec_client_mtu(end->client), 0);
	ck_assert_int_eq(ipsec_client_connect(end->client, tunnel_address(&t)), IPSEC_OK);
	v[0] = v[1] = (struct ipsec_packet){ .data = packet, .len = len };
	ck_assert_uint_eq(ipsec_client_send_packets(end->client, v, 2), 0);
	ck_assert_int_eq(v[0].error, IPSEC_NOT_CONNECTED);
	ck_assert_int_eq(v[1].error, IPSEC_NOT_CONNECTED);
	tunnel_await(&t, &end->heard.events[IPSEC_EVENT_UP], 1);
	ck_assert_int_eq(ipsec_client_send_packet(end->client, packet, len), IPSEC_OK);
	ipsec_client_shutdown(end->client);
	ck_assert_int_eq(ipsec_client_send_packet(end->client, packet, len),
	    IPSEC_SHUT_DOWN);
	tunnel_await(&t, &end->heard.events[IPSEC_EVENT_SHUT_DOWN], 1);
	ck_assert_int_eq(ipsec_client_send_packet(end->client, packet, len),
	    IPSEC_SHUT_DOWN);
	ck_assert_int_eq(ipsec_client_connect(end->client, tunnel_address(&t)),
	    IPSEC_SHUT_DOWN);
	end = add_client(tunnel_builder(false));	/* never connected */
	ipsec_client_shutdown(end->client);
	ck_assert_uint_eq(end->heard.events[IPSEC_EVENT_SHUT_DOWN], 1);
}
END_TEST

/* ---- the end ---- */

/* DELETE, and then the socket; without a word from the peer after the shutdown time. */
START_TEST(client_shutdown)
{
	struct ipsec_builder *b = tunnel_builder(false);
	struct tunnel_end *end;
	int64_t begun;

	tunnel_serve(&t, tunnel_server_config(tunnel_builder(true)), true);
	end = add_client(tunnel_builder(false));
	tunnel_connect(&t, 0);
	ipsec_client_shutdown(end->client);
	ipsec_client_shutdown(end->client);	/* once is enough */
	tunnel_await(&t, &end->heard.events[IPSEC_EVENT_SHUT_DOWN], 1);
	ck_assert_int_eq(end->heard.said[IPSEC_EVENT_SHUT_DOWN].error, IPSEC_OK);
	ck_assert_int_eq(t.heard.said[IPSEC_EVENT_DOWN].error, IPSEC_PEER_CLOSED);
	ck_assert_uint_eq(ipsec_client_fds(end->client, NULL, 0), 0);
	ck_assert_int_eq(ipsec_client_timeout(end->client, ipsec_now()), -1);

	ipsec_builder_set_shutdown_time(b, IPSEC_SECOND / 5);
	end = add_client(b);
	tunnel_connect(&t, 1);
	t.silent = true;
	begun = ipsec_now();
	ipsec_client_shutdown(end->client);
	tunnel_await(&t, &end->heard.events[IPSEC_EVENT_SHUT_DOWN], 1);
	ck_assert_int_eq(end->heard.said[IPSEC_EVENT_SHUT_DOWN].error, IPSEC_NO_ANSWER);
	ck_assert_uint_eq(end->heard.events[IPSEC_EVENT_DOWN], 1);
	ck_assert_int_ge(ipsec_now() - begun, IPSEC_SECOND / 5);
	ck_assert_int_lt(ipsec_now() - begun, 2 * IPSEC_SECOND);
	t.silent = false;

	end = add_client(tunnel_builder(false));	/* half-way */
	ck_assert_int_eq(ipsec_client_connect(end->client, tunnel_address(&t)), IPSEC_OK);
	ipsec_client_shutdown(end->client);
	tunnel_await(&t, &end->heard.events[IPSEC_EVENT_SHUT_DOWN], 1);
	ck_assert_uint_eq(end->heard.events[IPSEC_EVENT_UP], 0);
}
END_TEST

/* ---- in the background ---- */

/* A peer that falls silent is asked, and then taken for dead; one that answers is not, though
 * no packet flows. */
START_TEST(client_dpd)
{
	struct ipsec_builder *b = tunnel_builder(false);
	struct ipsec_metrics m;
	struct tunnel_end *end;
	int64_t begun;

	ipsec_builder_set_dpd(b, IPSEC_SECOND);
	ipsec_builder_set_retransmission(b, &quick, &quick);
	tunnel_serve(&t, tunnel_server_config(tunnel_builder(true)), true);
	end = add_client(b);
	tunnel_connect(&t, 0);
	tunnel_run(&t, 2500);
	ck_assert(ipsec_client_is_up(end->client));
	ipsec_client_metrics(end->client, &m);
	ck_assert_uint_eq(m.retransmitted, 0);
	t.silent = true;
	begun = ipsec_now();
	tunnel_await(&t, &end->heard.events[IPSEC_EVENT_DOWN], 1);
	ck_assert_int_eq(end->heard.said[IPSEC_EVENT_DOWN].error, IPSEC_PEER_DEAD);
	ck_assert_int_lt(ipsec_now() - begun, 4 * IPSEC_SECOND);
	ck_assert(!ipsec_client_is_up(end->client));
	ipsec_client_metrics(end->client, &m);
	ck_assert_uint_eq(m.retransmitted, 2);
	t.silent = false;
	tunnel_connect(&t, 0);			/* and it is found again */
	ck_assert(ipsec_client_is_up(end->client));
}
END_TEST

/* Packets flow both ways while Child SA and IKE SA are rekeyed by themselves, several
 * times, and by both ends: not one is lost, none comes twice. */
START_TEST(client_automatic_rekey)
{
	const struct ipsec_lifetime soft = { .time = IPSEC_SECOND, .packets = 300 };
	const struct ipsec_lifetime hard = { .time = 60 * IPSEC_SECOND, .packets = 100000 };
	struct ipsec_builder *b[2] = { tunnel_builder(false), tunnel_builder(true) };
	struct tunnel_end *end;
	struct ipsec_metrics m;
	uint8_t packet[120];
	uint64_t sent = 0;
	int64_t until;

	for (unsigned i = 0; i < 2; i++) {
		ipsec_builder_set_lifetime(b[i], &soft, &hard);
		ipsec_builder_set_ike_lifetime(b[i], 2 * IPSEC_SECOND, 60 * IPSEC_SECOND);
	}
	tunnel_serve(&t, tunnel_server_config(b[1]), true);
	t.heard.echo = true;
	end = add_client(b[0]);
	tunnel_connect(&t, 0);
	for (until = ipsec_now() + 7 * IPSEC_SECOND; ipsec_now() < until; sent++) {
		tunnel_packet(packet, sizeof(packet), true, (uint8_t)sent);
		ck_assert_int_eq(ipsec_client_send_packet(end->client, packet,
		    sizeof(packet)), IPSEC_OK);
		tunnel_run(&t, 4);
	}
	tunnel_await_packets(&t, &end->heard.packets, sent);
	tunnel_run(&t, 100);
	ck_assert_uint_eq(t.heard.packets, sent);
	ck_assert_uint_eq(end->heard.packets, sent);
	ipsec_client_metrics(end->client, &m);
	ck_assert_uint_ge(m.child_rekeys, 4);
	ck_assert_uint_ge(m.ike_rekeys, 2);
	ck_assert_uint_ge(end->heard.events[IPSEC_EVENT_REKEYED], 6);
	ck_assert_uint_eq(m.replayed + m.forged + m.selectors + m.unsent, 0);
	ck_assert_uint_eq(m.packets[1], sent);
	ck_assert_uint_eq(end->heard.events[IPSEC_EVENT_DOWN], 0);
	ck_assert_uint_eq(t.heard.events[IPSEC_EVENT_DOWN], 0);
	ck_assert_uint_eq(t.heard.events[IPSEC_EVENT_UP], 1);	/* one session */
	ck_assert_ptr_null(ipsec_server_next_session(t.server,
	    ipsec_server_next_session(t.server, NULL)));
}
END_TEST

/* When it is asked for, too, of either kind. */
START_TEST(client_rekeys_when_asked)
{
	struct tunnel_heard *h;
	uint8_t packet[60];
	struct ipsec_metrics m;

	tunnel_open(&t, 1);
	h = &t.ends[0].heard;
	ck_assert_int_eq(ipsec_client_rekey(t.ends[0].client, IPSEC_REKEY_CHILD), IPSEC_OK);
	tunnel_await(&t, &h->events[IPSEC_EVENT_REKEYED], 1);
	ipsec_client_metrics(t.ends[0].client, &m);
	ck_assert_uint_eq(m.child_rekeys, 1);
	ck_assert_int_eq(ipsec_client_rekey(t.ends[0].client, IPSEC_REKEY_IKE), IPSEC_OK);
	tunnel_await(&t, &h->events[IPSEC_EVENT_REKEYED], 2);
	ipsec_client_metrics(t.ends[0].client, &m);
	ck_assert_uint_eq(m.ike_rekeys, 1);
	ck_assert_int_eq(ipsec_client_rekey(t.ends[0].client, 7), IPSEC_INVALID);
	tunnel_packet(packet, 60, true, 1);
	ck_assert_int_eq(ipsec_client_send_packet(t.ends[0].client, packet, 60), IPSEC_OK);
	tunnel_await_packets(&t, &t.heard.packets, 1);
	h = &t.heard;
	ck_assert_uint_eq(h->events[IPSEC_EVENT_REKEYED], 2);
	ck_assert_int_eq(ipsec_session_rekey(h->session, IPSEC_REKEY_IKE), IPSEC_OK);
	tunnel_await(&t, &h->events[IPSEC_EVENT_REKEYED], 3);
	tunnel_packet(packet, 60, false, 1);
	ck_assert_int_eq(ipsec_session_send_packet(h->session, packet, 60), IPSEC_OK);
	tunnel_await_packets(&t, &t.ends[0].heard.packets, 1);
}
END_TEST

/* What is sent one way only is counted, too: its soft lifetime needs no answer to be
 * heard. */
START_TEST(client_rekeys_by_what_it_sends)
{
	const struct ipsec_lifetime soft = { .packets = 20 }, hard = { .packets = 100 };
	struct ipsec_builder *b = tunnel_builder(false);
	struct tunnel_end *end;
	uint8_t packet[60];

	ipsec_builder_set_lifetime(b, &soft, &hard);
	tunnel_serve(&t, tunnel_server_config(tunnel_builder(true)), true);
	end = add_client(b);
	tunnel_connect(&t, 0);
	tunnel_packet(packet, 60, true, 1);
	for (unsigned i = 0; i < 300; i++) {
		ck_assert_int_eq(ipsec_client_send_packet(end->client, packet, 60),
		    IPSEC_OK);
		if (i % 30 == 29)
			tunnel_await(&t, &end->heard.events[IPSEC_EVENT_REKEYED], i / 30);
	}
	tunnel_await_packets(&t, &t.heard.packets, 300);
	ck_assert_uint_ge(end->heard.events[IPSEC_EVENT_REKEYED], 9);
}
END_TEST

int
main(void)
{
	TCase *c = tcase_create("client");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, client_config_builder);
	tcase_add_test(c, server_config_builder);
	tcase_add_loop_test(c, config_validation, 0, sizeof(wrongs) / sizeof(wrongs[0]));
	tcase_add_test(c, config_names_every_fault);
	tcase_add_test(c, client_builder);
	tcase_add_test(c, client_connect_success);
	tcase_add_test(c, client_connect_failure);
	tcase_add_test(c, client_is_refused_otherwise);
	tcase_add_test(c, client_connect_arguments);
	tcase_add_test(c, client_acts_in_its_callbacks);
	tcase_add_test(c, client_send_recv);
	tcase_add_test(c, client_send_errors);
	tcase_add_test(c, client_without_connect);
	tcase_add_test(c, client_shutdown);
	tcase_add_test(c, client_dpd);
	tcase_add_test(c, client_automatic_rekey);
	tcase_add_test(c, client_rekeys_when_asked);
	tcase_add_test(c, client_rekeys_by_what_it_sends);
	tcase_set_timeout(c, 60);
	return run_tests("client", c);
}
