/* A program's server and its sessions. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/run.h"
#include "tests/unit/tunnel.h"

enum { MANY = 100 };

static struct tunnel t;
static unsigned descriptors;

static void
set_up(void)
{
	descriptors = tunnel_descriptors();
	memset(&t, 0, sizeof(t));
}

static void
tear_down(void)
{
	tunnel_close(&t);
	ck_assert_uint_eq(tunnel_descriptors(), descriptors);
}

static struct ipsec_client *
client(unsigned i)
{
	return t.ends[i].client;
}

static struct tunnel_heard *
heard(unsigned i)
{
	return &t.ends[i].heard;
}

static void
add_named(const char *id, const char *psk)
{
	struct ipsec_builder *b = tunnel_builder(false);

	ipsec_builder_set_local_id(b, id);
	if (psk != NULL)
		ipsec_builder_set_psk(b, psk, strlen(psk));
	tunnel_add(&t, tunnel_client_config(b), true);
}

/* ---- binding ---- */

/* Any free port, one that is asked for, both families, and what cannot be. */
START_TEST(server_bind)
{
	static const char *const wrong[] = {
		"", "host.example:4500", "127.0.0.1:x", "127.0.0.1:500", "[::1]:99999"
	};
	struct ipsec_server_config *config = tunnel_server_config(tunnel_builder(true));
	struct ipsec_server *a = ipsec_server_new(config, NULL, NULL);
	struct ipsec_server *b = ipsec_server_new(config, NULL, NULL);
	char address[32];

	ipsec_server_config_free(config);
	ck_assert_uint_eq(ipsec_server_port(a), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_msg(ipsec_server_bind(a, wrong[i]) == IPSEC_INVALID, "%s",
		    wrong[i]);
		ck_assert_uint_gt(strlen(ipsec_server_why(a)), 20);
	}
	ck_assert_int_eq(ipsec_server_bind(a, "192.0.2.1:0"), IPSEC_NO_SOCKET);
	ck_assert_ptr_nonnull(strstr(ipsec_server_why(a), "192.0.2.1"));
	ck_assert_uint_eq(tunnel_descriptors(), descriptors);
	ck_assert_msg(ipsec_server_bind(a, "127.0.0.1:0") == IPSEC_OK, "%s",
	    ipsec_server_why(a));
	ck_assert_str_eq(ipsec_server_why(a), "");
	ck_assert_uint_gt(ipsec_server_port(a), 0);
	ck_assert_uint_eq(ipsec_server_fds(a, NULL, 0), 1);
	ck_assert_int_eq(ipsec_server_bind(a, "127.0.0.1:0"), IPSEC_BUSY);
	snprintf(address, sizeof(address), "127.0.0.1:%u", ipsec_server_port(a));
	ck_assert_int_eq(ipsec_server_bind(b, address), IPSEC_NO_SOCKET);
	ck_assert_ptr_nonnull(strstr(ipsec_server_why(b), "another program"));
	ck_assert_msg(ipsec_server_bind(b, ":0") == IPSEC_OK, "%s", ipsec_server_why(b));
	ck_assert_uint_ge(ipsec_server_fds(b, NULL, 0), 1);	/* one a family */
	ck_assert_ptr_null(ipsec_server_new(NULL, NULL, NULL));
	ck_assert_int_eq(ipsec_server_bind(NULL, ":0"), IPSEC_NO_MEMORY);
	ck_assert_ptr_nonnull(strstr(ipsec_server_why(NULL), "memory"));
	ipsec_server_free(a);
	ipsec_server_shutdown(b);
	ck_assert(ipsec_server_is_shut_down(b));
	ck_assert_int_eq(ipsec_server_bind(b, ":0"), IPSEC_SHUT_DOWN);
	ipsec_server_free(b);
	ipsec_server_free(NULL);
}
END_TEST

/* Who has no secret lets nobody in. */
START_TEST(server_needs_a_secret)
{
	struct ipsec_builder *b = ipsec_builder_new();
	struct ipsec_server_config *config;
	struct ipsec_server *server;

	ipsec_builder_set_local_id(b, "server.example");
	config = tunnel_server_config(b);
	server = ipsec_server_new(config, NULL, NULL);
	ipsec_server_config_free(config);
	ck_assert_int_eq(ipsec_server_bind(server, ":0"), IPSEC_INVALID);
	ck_assert_ptr_nonnull(strstr(ipsec_server_why(server), "secret"));
	ipsec_server_free(server);
}
END_TEST

/* ---- letting in ---- */

/* The program refuses by identity; nobody else's session is touched. */
START_TEST(server_accept)
{
	tunnel_serve(&t, tunnel_server_config(tunnel_builder(true)), true);
	t.heard.only = "anna@example.org";
	add_named("anna@example.org", NULL);
	add_named("bert@example.org", NULL);
	tunnel_connect(&t, 0);
	ck_assert_str_eq(ipsec_session_peer_id(t.heard.session), "anna@example.org");
	ck_assert_int_eq(ipsec_client_connect(client(1), tunnel_address(&t)), IPSEC_OK);
	tunnel_await(&t, &heard(1)->events[IPSEC_EVENT_FAILED], 1);
	ck_assert_int_eq(heard(1)->said[IPSEC_EVENT_FAILED].error, IPSEC_AUTH_FAILED);
	ck_assert_uint_eq(t.heard.asked, 2);
	ck_assert_uint_eq(t.heard.events[IPSEC_EVENT_UP], 1);
	ck_assert_uint_eq(t.heard.events[IPSEC_EVENT_REFUSED], 1);
	ck_assert_uint_eq(t.heard.events[IPSEC_EVENT_FAILED], 0);
	ck_assert(ipsec_client_is_up(client(0)));
	ck_assert_ptr_null(ipsec_server_next_session(t.server,
	    ipsec_server_next_session(t.server, NULL)));
}
END_TEST

/* The answer may come later, either way. */
START_TEST(server_accepts_later)
{
	char address[IPSEC_ADDRESS_LEN];

	tunnel_serve(&t, tunnel_server_config(tunnel_builder(true)), true);
	t.heard.verdict = IPSEC_LATER;
	for (unsigned i = 0; i < 2; i++) {
		add_named(i == 0 ? "a.example" : "b.example", NULL);
		ck_assert_int_eq(ipsec_client_connect(client(i), tunnel_address(&t)),
		    IPSEC_OK);
		tunnel_await(&t, &t.heard.asked, i + 1);
		tunnel_run(&t, 100);
		ck_assert_uint_eq(heard(i)->events[IPSEC_EVENT_UP], 0);
		ck_assert(!ipsec_session_is_up(t.heard.session));
		ipsec_session_peer_address(t.heard.session, address);
		ck_assert_ptr_nonnull(strstr(address, "127.0.0.1:"));
		ipsec_session_accept(t.heard.session, i == 0);
		tunnel_await(&t, &heard(i)->events[i == 0 ? IPSEC_EVENT_UP :
		    IPSEC_EVENT_FAILED], 1);
	}
	ck_assert_uint_eq(t.heard.events[IPSEC_EVENT_UP], 1);
}
END_TEST

/* Each peer by its own secret, by what the callback says, or by the one for all; whoever
 * has another's is refused. */
START_TEST(server_finds_secrets_by_identity)
{
	static const struct { const char *id, *psk; bool good; } rows[] = {
		{ "own.example", "own secret", true },
		{ "OWN.example", "own secret", true },
		{ "own.example", "0123456789abcdef", false },
		{ "other.example", "own secret", false },
		{ "other.example", "told secret", true },
		{ "keyid:0x00ff", "told secret", true },
		{ "other.example", "0123456789abcdef", false },
	};
	struct ipsec_builder *b = tunnel_builder(true);

	ipsec_builder_add_psk(b, "own.example", "own secret", 10);
	ipsec_builder_set_unique(b, IPSEC_UNIQUE_NEVER);
	tunnel_serve(&t, tunnel_server_config(b), true);
	t.heard.psk = "told secret";
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		add_named(rows[i].id, rows[i].psk);
		ck_assert_int_eq(ipsec_client_connect(client(i), tunnel_address(&t)),
		    IPSEC_OK);
		tunnel_await(&t, &heard(i)->events[rows[i].good ? IPSEC_EVENT_UP :
		    IPSEC_EVENT_FAILED], 1);
	}
	t.heard.psk = NULL;
	add_named("other.example", "0123456789abcdef");
	tunnel_connect(&t, sizeof(rows) / sizeof(rows[0]));
}
END_TEST

/* Only those whom the pattern means. */
START_TEST(server_knows_a_pattern)
{
	struct ipsec_builder *b = tunnel_builder(true);

	ipsec_builder_set_remote_id(b, "*.berlin.example");
	tunnel_serve(&t, tunnel_server_config(b), true);
	add_named("a.berlin.example", NULL);
	add_named("a.paris.example", NULL);
	tunnel_connect(&t, 0);
	ck_assert_int_eq(ipsec_client_connect(client(1), tunnel_address(&t)), IPSEC_OK);
	tunnel_await(&t, &heard(1)->events[IPSEC_EVENT_FAILED], 1);
	ck_assert_int_eq(heard(1)->said[IPSEC_EVENT_FAILED].error, IPSEC_AUTH_FAILED);
	ck_assert_uint_eq(t.heard.asked, 1);
}
END_TEST

/* ---- sessions ---- */

START_TEST(session_send_recv)
{
	uint8_t packet[1000], got[1000];
	struct ipsec_metrics m, all;
	struct ipsec_packet v[3];
	struct ipsec_session *s;
	size_t len;
	int mine;

	tunnel_serve(&t, tunnel_server_config(tunnel_builder(true)), false);
	add_named("client.example", NULL);
	tunnel_connect(&t, 0);
	s = ipsec_server_next_session(t.server, NULL);
	ck_assert(s == t.heard.session);
	ck_assert_ptr_null(ipsec_session_user(s));
	ipsec_session_set_user(s, &mine);
	ck_assert(ipsec_session_user(s) == &mine);
	ck_assert_int_eq(ipsec_session_recv_packet(s, got, sizeof(got), &len),
	    IPSEC_AGAIN);
	len = tunnel_packet(packet, 500, true, 9);
	ck_assert_int_eq(ipsec_client_send_packet(client(0), packet, len), IPSEC_OK);
	tunnel_run(&t, 50);
	ck_assert_int_eq(ipsec_session_recv_packet(s, got, 499, &len), IPSEC_TOO_BIG);
	ck_assert_int_eq(ipsec_session_recv_packet(s, got, sizeof(got), &len), IPSEC_OK);
	ck_assert_uint_eq(len, 500);
	ck_assert_mem_eq(got, packet, 500);
	len = tunnel_packet(packet, 600, false, 3);
	for (unsigned i = 0; i < 3; i++)
		v[i] = (struct ipsec_packet){ .data = packet, .len = len };
	v[1].len = 5;
	ck_assert_uint_eq(ipsec_session_send_packets(s, v, 3), 2);
	ck_assert_int_eq(v[1].error, IPSEC_MALFORMED);
	tunnel_await_packets(&t, &heard(0)->packets, 2);
	ck_assert_uint_eq(heard(0)->last.len, 600);
	tunnel_packet(packet, 600, true, 3);
	ck_assert_int_eq(ipsec_session_send_packet(s, packet, 600), IPSEC_SELECTORS);
	ck_assert_uint_gt(ipsec_session_mtu(s), 1280);
	ipsec_session_metrics(s, &m);
	ck_assert_uint_eq(m.packets[0], 1);
	ck_assert_uint_eq(m.packets[1], 2);
	ck_assert_uint_eq(m.octets[1], 1200);
	ck_assert_uint_eq(m.unsent, 2);
	ipsec_server_metrics(t.server, &all);
	ck_assert_uint_eq(all.packets[1], 2);
	ck_assert_uint_eq(all.sessions, 1);
	ck_assert_uint_eq(all.accepted, 1);
}
END_TEST

/* One goes, and the other does not notice; metrics of the server stay. */
START_TEST(session_close)
{
	uint8_t packet[100];
	struct ipsec_metrics m;
	struct ipsec_session *first, *second;

	tunnel_open(&t, 2);
	tunnel_await(&t, &t.heard.events[IPSEC_EVENT_UP], 2);
	first = ipsec_server_next_session(t.server, NULL);
	second = ipsec_server_next_session(t.server, first);
	tunnel_packet(packet, 100, false, 1);
	ck_assert_int_eq(ipsec_session_send_packet(first, packet, 100), IPSEC_OK);
	tunnel_await_packets(&t, &heard(0)->packets, 1);
	ipsec_session_close(first);
	ipsec_session_close(first);
	ck_assert_int_eq(ipsec_session_send_packet(first, packet, 100), IPSEC_SHUT_DOWN);
	ck_assert_int_eq(ipsec_session_rekey(first, IPSEC_REKEY_IKE), IPSEC_SHUT_DOWN);
	tunnel_await(&t, &t.heard.events[IPSEC_EVENT_DOWN], 1);
	ck_assert(t.heard.said[IPSEC_EVENT_DOWN].session == first);
	ck_assert_int_eq(t.heard.said[IPSEC_EVENT_DOWN].error, IPSEC_CANCELLED);
	tunnel_await(&t, &heard(0)->events[IPSEC_EVENT_DOWN], 1);
	ck_assert_int_eq(heard(0)->said[IPSEC_EVENT_DOWN].error, IPSEC_PEER_CLOSED);
	ck_assert_uint_eq(heard(1)->events[IPSEC_EVENT_DOWN], 0);
	ck_assert(ipsec_server_next_session(t.server, NULL) == second);
	ck_assert_int_eq(ipsec_session_send_packet(second, packet, 100), IPSEC_OK);
	tunnel_await_packets(&t, &heard(1)->packets, 1);
	ipsec_server_metrics(t.server, &m);
	ck_assert_uint_eq(m.sessions, 1);
	ck_assert_uint_eq(m.packets[1], 2);
	t.heard.events[IPSEC_EVENT_UP] = 0;
	tunnel_connect(&t, 0);			/* and it may come again */
	tunnel_await(&t, &t.heard.events[IPSEC_EVENT_UP], 1);
}
END_TEST

static struct ipsec_session *
session_of(const char *id)
{
	struct ipsec_session *s = NULL;

	while ((s = ipsec_server_next_session(t.server, s)) != NULL)
		if (strcmp(ipsec_session_peer_id(s), id) == 0)
			return s;
	ck_abort_msg("%s has no session", id);
}

/* A hundred at once, all with the same selectors and from one address: each gets what is
 * sent to it and nothing else. */
START_TEST(multiple_sessions)
{
	uint8_t packet[200];
	char id[32];

	tunnel_serve(&t, tunnel_server_config(tunnel_builder(true)), true);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(id, sizeof(id), "client%u.example", i);
		add_named(id, NULL);
		ck_assert_int_eq(ipsec_client_connect(client(i), tunnel_address(&t)),
		    IPSEC_OK);
	}
	tunnel_await(&t, &t.heard.events[IPSEC_EVENT_UP], MANY);
	for (unsigned i = 0; i < MANY; i++)
		tunnel_await(&t, &heard(i)->events[IPSEC_EVENT_UP], 1);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(id, sizeof(id), "client%u.example", i);
		tunnel_packet(packet, 100 + i % 90, false, (uint8_t)i);
		packet[30] = (uint8_t)i;
		for (unsigned k = 0; k <= i % 3; k++)
			ck_assert_int_eq(ipsec_session_send_packet(session_of(id), packet,
			    100 + i % 90), IPSEC_OK);
	}
	for (unsigned i = 0; i < MANY; i++) {
		tunnel_await_packets(&t, &heard(i)->packets, 1 + i % 3);
		ck_assert_uint_eq(heard(i)->last.data[30], i);
		tunnel_packet(packet, 100, true, 0);
		ck_assert_int_eq(ipsec_client_send_packet(client(i), packet, 100),
		    IPSEC_OK);
	}
	tunnel_await_packets(&t, &t.heard.packets, MANY);
	tunnel_run(&t, 100);
	for (unsigned i = 0; i < MANY; i++)
		ck_assert_uint_eq(heard(i)->packets, 1 + i % 3);
	ck_assert_uint_eq(t.heard.packets, MANY);
}
END_TEST

/* The same identity twice: the newer stays, and both ends know. */
START_TEST(same_identity_is_replaced)
{
	tunnel_serve(&t, tunnel_server_config(tunnel_builder(true)), true);
	add_named("client.example", NULL);
	add_named("client.example", NULL);
	tunnel_connect(&t, 0);
	tunnel_await(&t, &t.heard.events[IPSEC_EVENT_UP], 1);
	tunnel_connect(&t, 1);
	tunnel_await(&t, &t.heard.events[IPSEC_EVENT_DOWN], 1);
	ck_assert(t.heard.said[IPSEC_EVENT_DOWN].session !=
	    ipsec_server_next_session(t.server, NULL));
	ck_assert(ipsec_session_is_up(ipsec_server_next_session(t.server, NULL)));
	ck_assert_ptr_null(ipsec_server_next_session(t.server,
	    ipsec_server_next_session(t.server, NULL)));
}
END_TEST

/* ---- a NAT in between ---- */

static struct { int front, back; struct sockaddr_in client; } nat;

static int
open_udp(uint16_t *port)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	socklen_t len = sizeof(any);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&any, &len), 0);
	*port = ntohs(any.sin_port);
	return fd;
}

/* What has come goes on: the client's by `back`, to the server, and back again. */
static void
translate(int ms)
{
	struct sockaddr_in server = { .sin_family = AF_INET,
	    .sin_port = htons(ipsec_server_port(t.server)) };
	socklen_t len = sizeof(nat.client);
	uint8_t octets[2048];
	ssize_t n;

	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (; ms > 0; ms -= 2) {
		tunnel_run(&t, 2);
		while ((n = recvfrom(nat.front, octets, sizeof(octets), 0,
		    (struct sockaddr *)&nat.client, &len)) > 0)
			sendto(nat.back, octets, (size_t)n, 0, (struct sockaddr *)&server,
			    sizeof(server));
		while ((n = recv(nat.back, octets, sizeof(octets), 0)) > 0)
			sendto(nat.front, octets, (size_t)n, 0,
			    (struct sockaddr *)&nat.client, sizeof(nat.client));
	}
}

/* The NAT forgets the client's port and gives it another one: with the next liveness
 * check the session follows, and is the same. */
START_TEST(session_follows_its_peer)
{
	char before[IPSEC_ADDRESS_LEN], after[IPSEC_ADDRESS_LEN], address[32];
	struct ipsec_builder *b = tunnel_builder(false);
	uint16_t port, other;
	uint8_t packet[100];

	tunnel_serve(&t, tunnel_server_config(tunnel_builder(true)), true);
	ipsec_builder_set_dpd(b, IPSEC_SECOND);
	tunnel_add(&t, tunnel_client_config(b), true);
	nat.front = open_udp(&port);
	nat.back = open_udp(&other);
	snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	ck_assert_int_eq(ipsec_client_connect(client(0), address), IPSEC_OK);
	for (unsigned i = 0; i < 100 && t.heard.events[IPSEC_EVENT_UP] == 0; i++)
		translate(20);
	translate(20);
	ck_assert(ipsec_client_is_up(client(0)));
	ipsec_session_peer_address(t.heard.session, before);
	close(nat.back);
	nat.back = open_udp(&port);
	tunnel_packet(packet, 100, true, 1);
	ck_assert_int_eq(ipsec_client_send_packet(client(0), packet, 100), IPSEC_OK);
	for (unsigned i = 0; i < 100 && t.heard.events[IPSEC_EVENT_MOVED] == 0; i++)
		translate(50);
	ck_assert_uint_eq(t.heard.packets, 1);
	ck_assert_uint_eq(t.heard.events[IPSEC_EVENT_MOVED], 1);
	snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	ck_assert_str_eq(ipsec_session_peer_address(t.heard.session, after), address);
	ck_assert_str_ne(before, after);
	tunnel_packet(packet, 100, false, 1);
	ck_assert_int_eq(ipsec_session_send_packet(t.heard.session, packet, 100),
	    IPSEC_OK);
	translate(100);
	ck_assert_uint_eq(heard(0)->packets, 1);
	ck_assert_uint_eq(t.heard.events[IPSEC_EVENT_DOWN], 0);
	close(nat.front);
	close(nat.back);
}
END_TEST

/* ---- the end ---- */

/* Every session is closed, the peers know; those that do not answer are not waited for
 * without end. */
START_TEST(server_shutdown)
{
	struct ipsec_builder *b = tunnel_builder(true);
	int64_t begun;

	ipsec_builder_set_shutdown_time(b, IPSEC_SECOND / 2);
	tunnel_serve(&t, tunnel_server_config(b), true);
	for (unsigned i = 0; i < 10; i++) {
		char id[32];

		snprintf(id, sizeof(id), "client%u.example", i);
		add_named(id, NULL);
		tunnel_connect(&t, i);
	}
	tunnel_await(&t, &t.heard.events[IPSEC_EVENT_UP], 10);
	ipsec_server_shutdown(t.server);
	ck_assert(!ipsec_server_is_shut_down(t.server));
	ck_assert_int_eq(ipsec_server_bind(t.server, ":0"), IPSEC_SHUT_DOWN);
	tunnel_await(&t, &t.heard.events[IPSEC_EVENT_SHUT_DOWN], 1);
	ck_assert_int_eq(t.heard.said[IPSEC_EVENT_SHUT_DOWN].error, IPSEC_OK);
	ck_assert_uint_eq(t.heard.events[IPSEC_EVENT_DOWN], 10);
	ck_assert_uint_eq(ipsec_server_port(t.server), 0);
	for (unsigned i = 0; i < 10; i++) {
		tunnel_await(&t, &heard(i)->events[IPSEC_EVENT_DOWN], 1);
		ck_assert_int_eq(heard(i)->said[IPSEC_EVENT_DOWN].error,
		    IPSEC_PEER_CLOSED);
	}
	tunnel_close(&t);

	b = tunnel_builder(true);
	ipsec_builder_set_shutdown_time(b, IPSEC_SECOND / 5);
	tunnel_serve(&t, tunnel_server_config(b), true);
	add_named("gone.example", NULL);
	tunnel_connect(&t, 0);
	tunnel_await(&t, &t.heard.events[IPSEC_EVENT_UP], 1);
	ipsec_client_free(client(0));		/* without a word */
	t.ends[0].client = NULL;
	begun = ipsec_now();
	ipsec_server_shutdown(t.server);
	tunnel_await(&t, &t.heard.events[IPSEC_EVENT_SHUT_DOWN], 1);
	ck_assert_int_eq(t.heard.said[IPSEC_EVENT_SHUT_DOWN].error, IPSEC_NO_ANSWER);
	ck_assert_uint_eq(t.heard.events[IPSEC_EVENT_DOWN], 1);
	ck_assert_int_lt(ipsec_now() - begun, 2 * IPSEC_SECOND);
}
END_TEST

int
main(void)
{
	const TTest *tests[] = {
		server_bind, server_needs_a_secret, server_accept, server_accepts_later,
		server_finds_secrets_by_identity, server_knows_a_pattern,
		session_send_recv, session_close, multiple_sessions,
		same_identity_is_replaced, session_follows_its_peer, server_shutdown,
	};
	TCase *c = tcase_create("server");

	tcase_add_checked_fixture(c, set_up, tear_down);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(c, tests[i]);
	tcase_set_timeout(c, 60);
	return run_tests("server", c);
}
