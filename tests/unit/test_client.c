/* A program's client: how it gets its tunnel, and every way it may not. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#include "tests/unit/host.h"
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
	ck_assert_ptr_null(ipsec_client_new(NULL, NULL, NULL));
	ck_assert_int_eq(ipsec_client_connect(NULL, "127.0.0.1"), IPSEC_NO_MEMORY);
	ck_assert_ptr_nonnull(strstr(ipsec_client_why(NULL), "memory"));
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
	ck_assert_str_eq(ipsec_client_why(end->client), "");
	ck_assert(ipsec_client_is_up(end->client));
	ck_assert(!ipsec_client_is_shut_down(end->client));
	ck_assert_uint_eq(ipsec_client_fds(end->client, fds, 4), 1);
	ck_assert_uint_eq(end->heard.n_order, 2);
	ck_assert_uint_gt(ipsec_client_mtu(end->client), 1280);
	ck_assert_int_eq(ipsec_client_connect(end->client, tunnel_address(&t)),
	    IPSEC_BUSY);
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
	ck_assert_str_eq(end->heard.said[IPSEC_EVENT_FAILED].setting, "psk");
	said = &t.heard.said[IPSEC_EVENT_REFUSED];
	ck_assert_str_eq(said->setting, "psk");
	ck_assert(strncmp(said->peer_address, "127.0.0.1:", 10) == 0);

	b = tunnel_builder(false);
	ipsec_builder_set_retransmission(b, &quick, &quick);
	ipsec_builder_add_ike_proposal(b, "aes256-sha512-modp4096");
	end = add_client(b);
	expect_failure(end, IPSEC_NO_PROPOSAL);
	said = &end->heard.said[IPSEC_EVENT_FAILED];
	ck_assert_str_eq(said->setting, "ike_proposal");
	ck_assert_ptr_nonnull(strstr(said->ours, "modp4096"));
	said = &t.heard.said[IPSEC_EVENT_REFUSED];	/* the server knows both sides */
	ck_assert_int_eq(said->error, IPSEC_NO_PROPOSAL);
	ck_assert(strncmp(said->peer_address, "127.0.0.1:", 10) == 0);
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
	ck_assert_str_eq(end->heard.said[IPSEC_EVENT_FAILED].setting, "psk");

	b = ipsec_builder_new();
	ipsec_builder_set_local_id(b, "client.example");
	ipsec_builder_set_remote_id(b, "server.example");
	ipsec_builder_set_psk(b, "0123456789abcdef", 16);
	ipsec_builder_add_traffic_selector(b, "172.16.0.0/24", "172.17.0.0/24");
	end = add_client(b);
	expect_failure(end, IPSEC_NO_SELECTORS);
	ck_assert_ptr_nonnull(strstr(end->heard.said[IPSEC_EVENT_FAILED].ours,
	    "172.16.0.0"));
	ck_assert_str_eq(end->heard.said[IPSEC_EVENT_FAILED].setting, "traffic_selector");
	ck_assert_str_eq(end->heard.said[IPSEC_EVENT_FAILED].peer_address,
	    tunnel_address(&t));
	tunnel_await(&t, &t.heard.events[IPSEC_EVENT_FAILED], 1);
	ck_assert_str_eq(ipsec_error_name(t.heard.said[IPSEC_EVENT_FAILED].error),
	    "no selectors");

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
		{ "any", IPSEC_INVALID }, { "224.0.0.1", IPSEC_INVALID },
		{ "0.0.0.0:4500", IPSEC_INVALID },
	};
	struct ipsec_builder *b = tunnel_builder(false);
	struct tunnel_end *end;

	ipsec_builder_set_local_address(b, "192.0.2.1");	/* not this host's */
	end = add_client(b);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_msg(ipsec_client_connect(end->client, rows[i].address) ==
		    rows[i].error, "%s", rows[i].address);
		ck_assert_uint_gt(strlen(ipsec_client_why(end->client)), 20);
		ck_assert_ptr_null(strstr(ipsec_client_why(end->client), "remote."));
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
	snprintf(end->heard.address, sizeof(end->heard.address), "%s",
	    tunnel_address(&t));
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

	for (unsigned i = 0; i < 300; i++)	/* 256 wait, the others are lost */
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
	tunnel_packet(big, ipsec_client_mtu(c) + 1, true, 0);
	ck_assert_int_eq(ipsec_client_send_packet(c, big, ipsec_client_mtu(c) + 1),
	    IPSEC_TOO_BIG);
	ipsec_client_metrics(c, &m);
	ck_assert_uint_eq(m.unsent, 6);
	ck_assert_uint_eq(m.packets[1], 0);
	tunnel_packet(big, ipsec_client_mtu(c), true, 0);
	ck_assert_int_eq(ipsec_client_send_packet(c, big, ipsec_client_mtu(c)), IPSEC_OK);
	tunnel_await_packets(&t, &t.heard.packets, 1);
	ck_assert_uint_eq(t.heard.last.len, ipsec_client_mtu(c));
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
	ck_assert_ptr_nonnull(strstr(end->heard.said[IPSEC_EVENT_SHUT_DOWN].text,
	    "closed here"));
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

/* A peer that falls silent is asked, and then taken for dead; one that answers is not,
 * though no packet flows. */
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
	const struct ipsec_lifetime hard = { .time = 60 * IPSEC_SECOND,
	    .packets = 100000 };
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
	ck_assert_int_eq(ipsec_client_rekey(t.ends[0].client, IPSEC_REKEY_CHILD),
	    IPSEC_OK);
	tunnel_await(&t, &h->events[IPSEC_EVENT_REKEYED], 1);
	ipsec_client_metrics(t.ends[0].client, &m);
	ck_assert_uint_eq(m.child_rekeys, 1);
	ck_assert_int_eq(ipsec_client_rekey(t.ends[0].client, IPSEC_REKEY_IKE), IPSEC_OK);
	tunnel_await(&t, &h->events[IPSEC_EVENT_REKEYED], 2);
	ipsec_client_metrics(t.ends[0].client, &m);
	ck_assert_uint_eq(m.ike_rekeys, 1);
	ck_assert_int_eq(ipsec_client_rekey(t.ends[0].client, 7), IPSEC_INVALID);
	tunnel_packet(packet, 60, true, 1);
	ck_assert_int_eq(ipsec_client_send_packet(t.ends[0].client, packet, 60),
	    IPSEC_OK);
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

/* ---- on the move ---- */

/* RFC 4555 3.5: told that its address is another one, the client takes its tunnel along. */
START_TEST(client_roams)
{
	char address[IPSEC_ADDRESS_LEN];
	uint8_t packet[100];
	struct tunnel_end *end;
	struct ipsec_metrics m;
	const struct tunnel_said *moved = &t.heard.said[IPSEC_EVENT_MOVED];

	if (!host_network(65536))
		return;
	host_readdress("192.0.2.1");
	tunnel_serve_at(&t, tunnel_server_config(tunnel_builder(true)), "0.0.0.0:0");
	snprintf(address, sizeof(address), "192.0.2.200:%u", ipsec_server_port(t.server));
	end = add_client(tunnel_builder(false));
	ipsec_client_roam(end->client);		/* nothing to move yet */
	ck_assert_int_eq(ipsec_client_connect(end->client, address), IPSEC_OK);
	tunnel_await(&t, &t.heard.events[IPSEC_EVENT_UP], 1);
	tunnel_await(&t, &end->heard.events[IPSEC_EVENT_UP], 1);
	ipsec_client_roam(end->client);		/* and nowhere to move to */
	tunnel_run(&t, 50);
	ck_assert_uint_eq(end->heard.events[IPSEC_EVENT_MOVED], 0);

	host_readdress("192.0.2.77");
	ipsec_client_roam(end->client);
	tunnel_await(&t, &t.heard.events[IPSEC_EVENT_MOVED], 1);
	ck_assert(strncmp(moved->peer_address, "192.0.2.77:", 11) == 0);
	moved = &end->heard.said[IPSEC_EVENT_MOVED];
	ck_assert_uint_eq(end->heard.events[IPSEC_EVENT_MOVED], 1);
	ck_assert_str_eq(moved->peer_address, address);
	ck_assert_ptr_nonnull(strstr(moved->text, "this end"));
	tunnel_packet(packet, sizeof(packet), true, 1);
	ck_assert_int_eq(ipsec_client_send_packet(end->client, packet, sizeof(packet)),
	    IPSEC_OK);
	tunnel_await_packets(&t, &t.heard.packets, 1);
	tunnel_packet(packet, sizeof(packet), false, 2);
	ck_assert_int_eq(ipsec_session_send_packet(t.heard.session, packet,
	    sizeof(packet)), IPSEC_OK);
	tunnel_await_packets(&t, &end->heard.packets, 1);
	ipsec_client_metrics(end->client, &m);
	ck_assert_uint_eq(m.ike_rekeys + m.child_rekeys, 0);
	ck_assert_uint_eq(t.heard.events[IPSEC_EVENT_UP], 1);
	ipsec_client_shutdown(end->client);
	ipsec_client_roam(end->client);
	tunnel_await(&t, &end->heard.events[IPSEC_EVENT_SHUT_DOWN], 1);
	ck_assert_int_eq(end->heard.said[IPSEC_EVENT_SHUT_DOWN].error, IPSEC_OK);
	ipsec_client_roam(end->client);
}
END_TEST

int
main(void)
{
	TCase *c = tcase_create("client");

	tcase_add_checked_fixture(c, set_up, tear_down);
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
	tcase_add_test(c, client_roams);
	tcase_set_timeout(c, 60);
	return run_tests("client", c);
}
