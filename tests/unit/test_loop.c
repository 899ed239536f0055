/* Clients and servers on a libevent base: nothing but the one call that attaches them. */
#include <event2/event.h>
#include <stdlib.h>

#include "tests/unit/run.h"
#include "tests/unit/tunnel.h"

enum { PATIENCE_S = 10 };

static struct event_base *base;
static struct tunnel t;
static unsigned descriptors;

static void
set_up(void)
{
	event_base_free(event_base_new());	/* what libevent keeps open for good */
	descriptors = tunnel_descriptors();
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
	memset(&t, 0, sizeof(t));
}

static void
tear_down(void)
{
	tunnel_close(&t);
	event_base_loop(base, EVLOOP_NONBLOCK);	/* look-ups that were given up */
	event_base_free(base);
	ck_assert_uint_eq(tunnel_descriptors(), descriptors);
}

static void
await(const unsigned *counter, unsigned count)
{
	const struct timeval tick = { .tv_usec = 20000 };
	int64_t end = ipsec_now() + PATIENCE_S * IPSEC_SECOND;

	while (*counter < count) {
		ck_assert_msg(ipsec_now() < end, "%u of %u", *counter, count);
		event_base_loopexit(base, &tick);
		event_base_dispatch(base);
	}
}

static struct tunnel_end *
add_client(void)
{
	return tunnel_add(&t, tunnel_client_config(tunnel_builder(false)), true);
}

/* Attached before there is a socket, and after; fds come and go by themselves. */
START_TEST(loop_drives_both)
{
	struct tunnel_end *end = add_client();
	uint8_t packet[100];

	ck_assert(ipsec_client_attach(end->client, base));
	ck_assert(!ipsec_client_attach(end->client, base));	/* once */
	tunnel_serve(&t, tunnel_server_config(tunnel_builder(true)), true);
	ck_assert(ipsec_server_attach(t.server, base));
	t.heard.echo = true;
	ck_assert_int_eq(ipsec_client_connect(end->client, tunnel_address(&t)), IPSEC_OK);
	await(&end->heard.events[IPSEC_EVENT_UP], 1);
	tunnel_packet(packet, 100, true, 1);
	ck_assert_int_eq(ipsec_client_send_packet(end->client, packet, 100), IPSEC_OK);
	for (unsigned i = 0; i < 500 && end->heard.packets == 0; i++)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_uint_eq(end->heard.packets, 1);
	ipsec_session_close(t.heard.session);
	await(&end->heard.events[IPSEC_EVENT_DOWN], 1);
	t.heard.events[IPSEC_EVENT_UP] = 0;
	ck_assert_int_eq(ipsec_client_connect(end->client, tunnel_address(&t)), IPSEC_OK);
	await(&end->heard.events[IPSEC_EVENT_UP], 2);
	ipsec_client_shutdown(end->client);
	await(&end->heard.events[IPSEC_EVENT_SHUT_DOWN], 1);
	ipsec_server_shutdown(t.server);
	await(&t.heard.events[IPSEC_EVENT_SHUT_DOWN], 1);
	ck_assert_int_eq(event_base_dispatch(base), 1);	/* nothing is left on it */
	ck_assert(!ipsec_client_attach(end->client, base));
}
END_TEST

/* Time is the loop's too: nobody is there, and nothing else wakes it. */
START_TEST(loop_lets_time_pass)
{
	const struct ipsec_retransmission quick = { .first = IPSEC_SECOND / 20,
	    .most = IPSEC_SECOND / 20, .factor_percent = 100, .tries = 3 };
	struct ipsec_builder *b = tunnel_builder(false);
	struct tunnel_end *end;

	ipsec_builder_set_retransmission(b, &quick, NULL);
	end = tunnel_add(&t, tunnel_client_config(b), true);
	ck_assert(ipsec_client_attach(end->client, base));
	ck_assert_int_eq(ipsec_client_connect(end->client, "127.0.0.1:9"), IPSEC_OK);
	await(&end->heard.events[IPSEC_EVENT_FAILED], 1);
	ck_assert_int_eq(end->heard.said[IPSEC_EVENT_FAILED].error, IPSEC_NO_ANSWER);
}
END_TEST

/* Names are looked up on the base, and what comes of it is heard outside of any call. */
START_TEST(loop_looks_names_up)
{
	struct tunnel_end *end = add_client();
	char address[64];

	tunnel_serve(&t, tunnel_server_config(tunnel_builder(true)), true);
	ck_assert(ipsec_server_attach(t.server, base));
	ck_assert(ipsec_client_attach(end->client, base));
	snprintf(address, sizeof(address), "localhost:%u", ipsec_server_port(t.server));
	ck_assert_int_eq(ipsec_client_connect(end->client, address), IPSEC_OK);
	await(&end->heard.events[IPSEC_EVENT_UP], 1);
	end = add_client();
	ck_assert(ipsec_client_attach(end->client, base));
	ck_assert_int_eq(ipsec_client_connect(end->client, "no.such.host.invalid"),
	    IPSEC_OK);
	ipsec_client_shutdown(end->client);		/* before there is an answer */
	await(&end->heard.events[IPSEC_EVENT_SHUT_DOWN], 1);
}
END_TEST

/* Freed in its own callback, by the loop's own call. */
START_TEST(loop_survives_its_client)
{
	struct tunnel_end *end = add_client();

	tunnel_serve(&t, tunnel_server_config(tunnel_builder(true)), true);
	ck_assert(ipsec_server_attach(t.server, base));
	ck_assert(ipsec_client_attach(end->client, base));
	ck_assert_int_eq(ipsec_client_connect(end->client, tunnel_address(&t)), IPSEC_OK);
	end->heard.free_me = end->client;
	await(&end->heard.events[IPSEC_EVENT_UP], 1);
	ck_assert_ptr_null(end->client);
	end = add_client();
	ck_assert(ipsec_client_attach(end->client, base));
	ck_assert_int_eq(ipsec_client_connect(end->client, tunnel_address(&t)), IPSEC_OK);
	await(&end->heard.events[IPSEC_EVENT_UP], 1);
}
END_TEST

int
main(void)
{
	TCase *c = tcase_create("loop");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, loop_drives_both);
	tcase_add_test(c, loop_lets_time_pass);
	tcase_add_test(c, loop_looks_names_up);
	tcase_add_test(c, loop_survives_its_client);
	tcase_set_timeout(c, 60);
	return run_tests("loop", c);
}
