/* Clients and servers of programs that have no loop: one call waits and works. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include "tests/unit/run.h"
#include "tests/unit/tunnel.h"

#define MS (IPSEC_SECOND / 1000)

static struct tunnel t;

static void
set_up(void)
{
	memset(&t, 0, sizeof(t));
}

static void
tear_down(void)
{
	tunnel_close(&t);
}

static struct ipsec_client *
add_client(struct ipsec_builder *b)
{
	return tunnel_add(&t, tunnel_client_config(b), true)->client;
}

/* How long it took, in milliseconds. */
static int
wait_for_client(struct ipsec_client *client, int64_t until, bool more)
{
	int64_t begun = ipsec_now();

	ck_assert(ipsec_client_wait(client, until) == more);
	return (int)((ipsec_now() - begun) / MS);
}

/* Where nothing was begun nothing can come, and nobody waits for it. */
START_TEST(wait_for_nothing)
{
	struct ipsec_client *client = add_client(tunnel_builder(false));
	struct ipsec_server_config *config = tunnel_server_config(tunnel_builder(true));
	struct ipsec_server *server = ipsec_server_new(config, NULL, NULL);

	ipsec_server_config_free(config);
	ck_assert_int_lt(wait_for_client(client, IPSEC_FOREVER, false), 100);
	ck_assert(!ipsec_server_wait(server, IPSEC_FOREVER));
	ck_assert(ipsec_server_bind(server, "127.0.0.1:0") == IPSEC_OK);
	ck_assert(!ipsec_server_wait(server, ipsec_now() + 20 * MS));
	ipsec_server_shutdown(server);
	ck_assert(!ipsec_server_wait(server, IPSEC_FOREVER));
	ipsec_server_free(server);
	ipsec_client_shutdown(client);
	ck_assert(!ipsec_client_wait(client, IPSEC_FOREVER));
}
END_TEST

/* The time that was given is kept to, whatever there is to do meanwhile; a time that is
 * past is no reason to wait, and what is due is done all the same. */
START_TEST(wait_ends_in_time)
{
	const struct ipsec_retransmission often = { .first = 50 * MS, .most = 50 * MS,
	    .factor_percent = 100, .tries = 100 };
	struct ipsec_builder *b = tunnel_builder(false);
	struct ipsec_metrics m;
	struct ipsec_client *client;
	int64_t until;

	ipsec_builder_set_retransmission(b, &often, NULL);
	client = add_client(b);
	ck_assert_int_eq(ipsec_client_connect(client, "127.0.0.1:9"), IPSEC_OK);
	ck_assert_int_lt(wait_for_client(client, 0, false), 30);
	until = ipsec_now() + 300 * MS;
	while (ipsec_client_wait(client, until))
		;
	ck_assert_int_ge(ipsec_now(), until);
	ck_assert_int_lt(ipsec_now(), until + 200 * MS);
	ipsec_client_metrics(client, &m);
	ck_assert_uint_ge(m.retransmitted, 3);
}
END_TEST

/* A client that has failed, or is down, has nothing to wait for, as before it began. */
START_TEST(wait_ends_with_the_tunnel)
{
	const struct ipsec_retransmission twice = { .first = 50 * MS, .most = 50 * MS,
	    .factor_percent = 100, .tries = 2 };
	struct ipsec_builder *b = tunnel_builder(false);
	struct ipsec_client *client;
	struct tunnel_heard *heard;

	ipsec_builder_set_retransmission(b, &twice, NULL);
	client = add_client(b);
	heard = &t.ends[0].heard;
	for (unsigned i = 1; i <= 2; i++) {
		ck_assert_int_eq(ipsec_client_connect(client, "127.0.0.1:9"), IPSEC_OK);
		while (ipsec_client_wait(client, ipsec_now() + 10 * IPSEC_SECOND))
			;
		ck_assert_uint_eq(heard->events[IPSEC_EVENT_FAILED], i);
	}
	tunnel_serve(&t, tunnel_server_config(tunnel_builder(true)), true);
	tunnel_connect(&t, 0);
	ipsec_session_close(t.heard.session);
	tunnel_await(&t, &heard->events[IPSEC_EVENT_DOWN], 1);
	ck_assert_int_lt(wait_for_client(client, ipsec_now() + 10 * IPSEC_SECOND, false),
	    2000);
}
END_TEST

static void
ring(int signal)
{
	(void)signal;
}

/* Who is told to end must not wait for the network first. */
START_TEST(wait_ends_with_a_signal)
{
	const struct itimerval soon = { .it_value = { .tv_usec = 50000 } };
	const struct sigaction action = { .sa_handler = ring, .sa_flags = SA_RESTART };
	struct ipsec_client *client;

	tunnel_open(&t, 1);
	client = t.ends[0].client;
	tunnel_run(&t, 50);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	ck_assert_int_lt(wait_for_client(client, ipsec_now() + 5 * IPSEC_SECOND, true),
	    2000);
}
END_TEST

/* A server with a thread of its own, until somebody has sent it a packet. */
static void
echo_once(void *arg, struct ipsec_session *session, const struct ipsec_packet *v,
    unsigned n)
{
	uint8_t packet[100];

	(void)v;
	(void)n;
	*(bool *)arg = !ipsec_server_wait(ipsec_session_server(session), IPSEC_FOREVER);
	tunnel_packet(packet, sizeof(packet), false, 1);
	ipsec_session_send_packet(session, packet, sizeof(packet));
	ipsec_server_shutdown(ipsec_session_server(session));
}

static void *
serve(void *server)
{
	while (ipsec_server_wait(server, IPSEC_FOREVER))
		;
	return NULL;
}

/* Nothing but these calls, at both ends, from the first message to the last. */
START_TEST(wait_carries_a_tunnel)
{
	const struct ipsec_server_callbacks callbacks = { .packets = echo_once };
	struct ipsec_server_config *config = tunnel_server_config(tunnel_builder(true));
	bool refused_within = false;
	struct ipsec_server *server = ipsec_server_new(config, &callbacks, &refused_within);
	struct ipsec_client *client = add_client(tunnel_builder(false));
	struct tunnel_heard *heard = &t.ends[0].heard;
	uint8_t packet[100];
	pthread_t thread;
	char address[32];

	ipsec_server_config_free(config);
	ck_assert_int_eq(ipsec_server_bind(server, "127.0.0.1:0"), IPSEC_OK);
	snprintf(address, sizeof(address), "127.0.0.1:%u", ipsec_server_port(server));
	ck_assert_int_eq(pthread_create(&thread, NULL, serve, server), 0);
	ck_assert_int_eq(ipsec_client_connect(client, address), IPSEC_OK);
	while (!ipsec_client_is_up(client))
		ck_assert(ipsec_client_wait(client, ipsec_now() + 10 * IPSEC_SECOND));
	tunnel_packet(packet, sizeof(packet), true, 1);
	ck_assert_int_eq(ipsec_client_send_packet(client, packet, sizeof(packet)),
	    IPSEC_OK);
	while (heard->events[IPSEC_EVENT_DOWN] == 0)
		ck_assert(ipsec_client_wait(client, ipsec_now() + 10 * IPSEC_SECOND));
	ck_assert_int_eq(heard->said[IPSEC_EVENT_DOWN].error, IPSEC_PEER_CLOSED);
	ck_assert_uint_eq(heard->packets, 1);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert(ipsec_server_is_shut_down(server));
	ck_assert(refused_within);
	ipsec_server_free(server);
	t.ends[0].heard.free_me = client;
	ipsec_client_shutdown(client);
	ck_assert_ptr_null(t.ends[0].client);
}
END_TEST

int
main(void)
{
	TCase *c = tcase_create("wait");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, wait_for_nothing);
	tcase_add_test(c, wait_ends_in_time);
	tcase_add_test(c, wait_ends_with_the_tunnel);
	tcase_add_test(c, wait_ends_with_a_signal);
	tcase_add_test(c, wait_carries_a_tunnel);
	tcase_set_timeout(c, 60);
	return run_tests("wait", c);
}
