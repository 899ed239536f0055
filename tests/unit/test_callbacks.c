/* What a program may do from within the callbacks of its server: everything (ipsec.h). */
#include "tests/unit/run.h"
#include "tests/unit/tunnel.h"

static struct tunnel t;
static unsigned descriptors;

static struct {
	unsigned events[TUNNEL_EVENTS];
	unsigned asked, told;		/* accept, psk */
	unsigned late;			/* callbacks after the server was freed */
	bool free_at_accept, free_at_psk, rekey_at_psk, close_at_psk, shut_at_psk;
	bool freed;
	unsigned read;		/* packets of a session that is down */
} did;

static void
set_up(void)
{
	descriptors = tunnel_descriptors();
	memset(&t, 0, sizeof(t));
	memset(&did, 0, sizeof(did));
}

static void
tear_down(void)
{
	tunnel_close(&t);
	ck_assert_uint_eq(tunnel_descriptors(), descriptors);
}

static void
free_server(struct ipsec_server *server)
{
	did.freed = true;
	t.server = NULL;
	ipsec_server_free(server);
}

static enum ipsec_verdict
accept(void *arg, struct ipsec_server *server, struct ipsec_session *s)
{
	(void)arg;
	did.late += did.freed;
	did.asked++;
	ck_assert_str_ne(ipsec_session_peer_id(s), "");
	if (did.free_at_accept)
		free_server(server);
	return IPSEC_ACCEPT;
}

/* Does what the test wants with the oldest session, then answers. */
static size_t
tell_psk(void *arg, struct ipsec_server *server, const char *peer_id, uint8_t *secret,
    size_t room)
{
	struct ipsec_session *s = did.freed ? NULL :
	    ipsec_server_next_session(server, NULL);

	(void)arg;
	did.late += did.freed;
	did.told++;
	ck_assert_str_ne(peer_id, "");
	if (did.rekey_at_psk && s != NULL && ipsec_session_is_up(s)) {
		ck_assert_int_eq(ipsec_session_rekey(s, IPSEC_REKEY_CHILD), IPSEC_OK);
		ck_assert_int_eq(ipsec_session_rekey(s, IPSEC_REKEY_IKE), IPSEC_OK);
	}
	if (did.close_at_psk && s != NULL)
		ipsec_session_close(s);
	if (did.shut_at_psk)
		ipsec_server_shutdown(server);
	if (did.free_at_psk && !did.freed)
		free_server(server);
	ck_assert_uint_ge(room, 16);
	memcpy(secret, "0123456789abcdef", 16);
	return 16;
}

/* What waits goes with the tunnel. */
static void
read_all(struct ipsec_session *s)
{
	uint8_t packet[2048];
	struct ipsec_packet v[4];
	size_t len;

	did.read += ipsec_session_recv_packet(
	    s, packet, sizeof(packet), &len) == IPSEC_OK;
	did.read += ipsec_session_recv_packets(s, v, 4);
	ck_assert_uint_eq(ipsec_session_mtu(s), 0);
}

static void
hear(void *arg, struct ipsec_server *server, struct ipsec_session *s,
    const struct ipsec_event *event)
{
	(void)arg, (void)server;
	did.late += did.freed;
	did.events[event->type]++;
	if (event->type == IPSEC_EVENT_DOWN)
		read_all(s);
}

static void
serve(void)
{
	const struct ipsec_server_callbacks callbacks = { .accept = accept,
	    .psk = tell_psk, .event = hear };
	struct ipsec_builder *b = tunnel_builder(true);
	struct ipsec_server_config *config = tunnel_server_config(b);

	t.server = ipsec_server_new(config, &callbacks, NULL);
	ipsec_server_config_free(config);
	ck_assert_int_eq(ipsec_server_bind(t.server, "127.0.0.1:0"), IPSEC_OK);
}

static void
add(const char *id)
{
	struct ipsec_builder *b = tunnel_builder(false);

	ipsec_builder_set_local_id(b, id);
	tunnel_add(&t, tunnel_client_config(b), true);
}

/* The question that is being answered stays what it was, whatever is done meanwhile. */
START_TEST(psk_callback_may_call_everything)
{
	serve();
	add("a.example");
	add("b.example");
	tunnel_connect(&t, 0);
	tunnel_await(&t, &did.events[IPSEC_EVENT_UP], 1);
	did.rekey_at_psk = true;
	tunnel_connect(&t, 1);
	tunnel_await(&t, &did.events[IPSEC_EVENT_UP], 2);
	tunnel_await(&t, &did.events[IPSEC_EVENT_REKEYED], 2);
	ck_assert_uint_eq(did.events[IPSEC_EVENT_DOWN], 0);
	did.rekey_at_psk = false;
	did.close_at_psk = true;
	add("c.example");
	tunnel_connect(&t, 2);
	tunnel_await(&t, &did.events[IPSEC_EVENT_DOWN], 1);
	ck_assert_uint_eq(did.events[IPSEC_EVENT_REFUSED], 0);
}
END_TEST

START_TEST(psk_callback_may_shut_down)
{
	serve();
	add("a.example");
	add("b.example");
	tunnel_connect(&t, 0);
	tunnel_await(&t, &did.events[IPSEC_EVENT_UP], 1);
	did.shut_at_psk = true;
	ck_assert_int_eq(ipsec_client_connect(t.ends[1].client, tunnel_address(&t)),
	    IPSEC_OK);
	tunnel_await(&t, &did.events[IPSEC_EVENT_SHUT_DOWN], 1);
	ck_assert_uint_eq(did.events[IPSEC_EVENT_DOWN], 1);
	ck_assert_uint_eq(did.asked, 1);
}
END_TEST

/* No further callback comes to a program that has freed its server in one. */
START_TEST(nothing_is_called_back_after_free)
{
	for (unsigned i = 0; i < 2; i++) {
		memset(&did, 0, sizeof(did));
		did.free_at_accept = i == 0;
		did.free_at_psk = i == 1;
		serve();
		add("a.example");
		ck_assert_int_eq(ipsec_client_connect(t.ends[i].client,
		    tunnel_address(&t)), IPSEC_OK);
		for (unsigned k = 0; k < 200 && !did.freed; k++)
			tunnel_run(&t, 10);
		ck_assert(did.freed);
		tunnel_run(&t, 20);
		ck_assert_uint_eq(did.late, 0);
		ck_assert_uint_eq(did.asked, i == 0);
	}
}
END_TEST

/* A peer that goes while packets of its wait to be read. */
START_TEST(queue_goes_with_its_session)
{
	uint8_t packet[100];

	serve();
	add("a.example");
	tunnel_connect(&t, 0);
	tunnel_await(&t, &did.events[IPSEC_EVENT_UP], 1);
	tunnel_packet(packet, sizeof(packet), true, 1);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(ipsec_client_send_packet(t.ends[0].client, packet,
		    sizeof(packet)), IPSEC_OK);
	tunnel_run(&t, 50);
	ipsec_client_shutdown(t.ends[0].client);
	tunnel_await(&t, &did.events[IPSEC_EVENT_DOWN], 1);
	ck_assert_uint_eq(did.read, 0);
}
END_TEST

int
main(void)
{
	const TTest *tests[] = {
		psk_callback_may_call_everything, psk_callback_may_shut_down,
		nothing_is_called_back_after_free, queue_goes_with_its_session,
	};
	TCase *c = tcase_create("callbacks");

	tcase_add_checked_fixture(c, set_up, tear_down);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(c, tests[i]);
	tcase_set_timeout(c, 60);
	return run_tests("callbacks", c);
}
