/* Every allocation of a client and a server fails once, and once for good, from the
 * builder to the end: nothing crashes, nothing is left, and shutdown has its end. */
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fake_port.h"
#include "tests/unit/run.h"
#include "tests/unit/tunnel.h"

/* The sanitizers have an allocator of their own. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__has_feature)
#define CAN_FAIL 1
#elif !defined(__SANITIZE_ADDRESS__)
#if !__has_feature(address_sanitizer)
#define CAN_FAIL 1
#endif
#endif

#ifdef CAN_FAIL

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);

static bool inside;		/* the library: the test's own allocations never fail */
static long allowed = -1;	/* allocations before one fails; -1: all succeed */
static bool for_good, failed;
static long live;
static const char *wrong;	/* what must not be; checks of the test allocate, too */

static void
expect(bool good, const char *what)
{
	if (!good && wrong == NULL)
		wrong = what;
}

static bool
fails(void)
{
	if (!inside || allowed < 0)
		return false;
	if (allowed > 0) {
		allowed--;
		return false;
	}
	failed = true;
	if (!for_good)
		allowed = -1;
	return true;
}

void *
malloc(size_t size)
{
	void *p = fails() ? NULL : __libc_malloc(size);

	live += p != NULL;
	return p;
}

void *
calloc(size_t n, size_t size)
{
	void *p = fails() ? NULL : __libc_calloc(n, size);

	live += p != NULL;
	return p;
}

void *
realloc(void *old, size_t size)
{
	void *p = fails() ? NULL : __libc_realloc(old, size);

	live += p != NULL && old == NULL;
	return p;
}

void *
reallocarray(void *old, size_t n, size_t size)
{
	return realloc(old, n * size);
}

void
free(void *p)
{
	live -= p != NULL;
	__libc_free(p);
}

enum { FDS = 8, MOST = 3000 };

static struct life {
	struct ipsec_server *server;
	struct ipsec_client *client;
	unsigned events[TUNNEL_EVENTS];		/* the client's */
	unsigned packets;
} life;

static uint8_t packet[60];

static void
client_event(void *arg, struct ipsec_client *client, const struct ipsec_event *event)
{
	(void)arg;
	life.events[event->type]++;
	if (event->type != IPSEC_EVENT_UP)
		return;
	ipsec_client_send_packet(client, packet, sizeof(packet));
	ipsec_client_rekey(client, IPSEC_REKEY_CHILD);
}

static size_t
server_psk(void *arg, struct ipsec_server *server, const char *peer_id, uint8_t *secret,
    size_t room)
{
	(void)arg;
	(void)server;
	(void)peer_id;
	(void)room;
	memcpy(secret, "0123456789abcdef", 16);
	return 16;
}

static void
configure(struct ipsec_builder *b, bool server)
{
	const struct ipsec_retransmission quick = { .first = 4000, .most = 10000,
	    .factor_percent = 150, .tries = 4 };

	ipsec_builder_set_local_id(b, server ? "server.example" : "client.example");
	if (!server) {
		ipsec_builder_set_remote_id(b, "server.example");
		ipsec_builder_set_psk(b, "0123456789abcdef", 16);
	} else {
		ipsec_builder_add_psk(b, "other.example", "x", 1);
	}
	ipsec_builder_add_ike_proposal(b, "aes128gcm16-prfsha256-x25519");
	ipsec_builder_add_traffic_selector(b, server ? "10.8.0.0/16, 10.7.0.0/16" :
	    "10.9.0.0/16", server ? "10.9.0.0/16" : "10.8.0.0/16, 10.7.0.0/16");
	ipsec_builder_set_retransmission(b, &quick, &quick);
	ipsec_builder_set_shutdown_time(b, IPSEC_SECOND / 100);
}

/* A builder that was short of memory says so, or builds what it was told. */
static void
make_server(void)
{
	const struct ipsec_server_callbacks callbacks = { .psk = server_psk };
	struct ipsec_builder *b = ipsec_builder_new();
	struct ipsec_server_config *config;
	struct ipsec_fault fault = { .code = IPSEC_FAULT_NO_MEMORY };
	unsigned n = 0;

	if (b == NULL)
		return;
	configure(b, true);
	config = ipsec_server_config_build(b, &fault, 1, &n);
	expect((config == NULL) == (n > 0), "a config and faults, or none");
	ipsec_builder_free(b);
	if (config == NULL)
		return;
	life.server = ipsec_server_new(config, &callbacks, NULL);
	ipsec_server_config_free(config);
	if (life.server != NULL &&
	    ipsec_server_bind(life.server, "127.0.0.1:0") != IPSEC_OK)
		expect(strlen(ipsec_server_why(life.server)) > 0, "no reason is given");
}

static void
make_client(void)
{
	const struct ipsec_client_callbacks callbacks = { .event = client_event };
	struct ipsec_builder *b = ipsec_builder_new();
	struct ipsec_client_config *config;
	struct ipsec_fault fault;
	unsigned n = 0;

	if (b == NULL)
		return;
	configure(b, false);
	config = ipsec_client_config_build(b, &fault, 1, &n);
	expect((config == NULL) == (n > 0), "a config and faults, or none");
	ipsec_builder_free(b);
	if (config == NULL)
		return;
	life.client = ipsec_client_new(config, &callbacks, NULL);
	ipsec_client_config_free(config);
}

static bool
go_round(int64_t end)
{
	struct pollfd fds[FDS];
	int wait = 10, other;
	unsigned n;

	n = ipsec_server_fds(life.server, fds, FDS);
	n += ipsec_client_fds(life.client, fds + n, FDS - n);
	other = ipsec_client_timeout(life.client, ipsec_now());
	wait = other >= 0 && other < wait ? other : wait;
	other = ipsec_server_timeout(life.server, ipsec_now());
	poll(fds, n, other >= 0 && other < wait ? other : wait);
	ipsec_server_process(life.server, ipsec_now());
	ipsec_client_process(life.client, ipsec_now());
	return ipsec_now() < end;
}

/* What a failure leaves to be lived: nothing comes of it when all fail. */
#define LEFT (for_good ? IPSEC_SECOND / 200 : IPSEC_SECOND / 20)

/* Until it is rekeyed, or the client has an end of it, or the time is over. */
static void
live_it(void)
{
	int64_t end = ipsec_now() + IPSEC_SECOND;
	struct ipsec_packet p;
	char address[32];
	bool over = false;

	snprintf(address, sizeof(address), "127.0.0.1:%u",
	    ipsec_server_port(life.server));
	if (ipsec_client_connect(life.client, address) != IPSEC_OK)
		return;
	while (!over && go_round(end)) {
		if (failed && end > ipsec_now() + LEFT)
			end = ipsec_now() + LEFT;
		struct ipsec_session *s = ipsec_server_next_session(life.server, NULL);

		if (s != NULL && ipsec_session_recv_packets(s, &p, 1) == 1)
			life.packets++;
		over = life.events[IPSEC_EVENT_REKEYED] > 0 ||
		    life.events[IPSEC_EVENT_FAILED] > 0 ||
		    life.events[IPSEC_EVENT_DOWN] > 0;
	}
	ipsec_client_shutdown(life.client);
	ipsec_server_shutdown(life.server);
	for (end = ipsec_now() + IPSEC_SECOND; go_round(end);)
		if (ipsec_client_is_shut_down(life.client) &&
		    ipsec_server_is_shut_down(life.server))
			break;
	expect(ipsec_client_is_shut_down(life.client), "the client does not end");
	expect(ipsec_server_is_shut_down(life.server), "the server does not end");
}

static void
run_life(long failing)
{
	memset(&life, 0, sizeof(life));
	failed = false;
	allowed = failing;
	inside = true;
	make_server();
	make_client();
	if (life.server != NULL && life.client != NULL &&
	    ipsec_server_port(life.server) != 0)
		live_it();
	ipsec_client_free(life.client);
	ipsec_server_free(life.server);
	inside = false;
	allowed = -1;
	ERR_clear_error();		/* what libcrypto says of it is kept there */
}

START_TEST(tunnel_without_memory)
{
	unsigned descriptors;
	long before, at;

	for_good = _i == 1;
	fake_packet(packet, "10.9.0.1", "10.8.0.1", sizeof(packet), 1);
	ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE);	/* the libraries keep for good */
	run_life(-1);
	ck_assert_uint_eq(life.events[IPSEC_EVENT_REKEYED], 1);
	ck_assert_uint_eq(life.packets, 1);
	descriptors = tunnel_descriptors();
	before = live;
	for (at = 0; at < MOST; at++) {
		run_life(at);
		ck_assert_msg(wrong == NULL, "allocation %ld: %s", at, wrong);
		ck_assert_msg(live == before, "allocation %ld: %ld are left", at,
		    live - before);
		ck_assert_uint_eq(tunnel_descriptors(), descriptors);
		if (!failed)
			break;
	}
	ck_assert_int_gt(at, 100);	/* they did fail */
	ck_assert_int_lt(at, MOST);	/* and there was an end of them */
}
END_TEST

#endif

int
main(void)
{
	TCase *c = tcase_create("tunnel_faults");

#ifdef CAN_FAIL
	tcase_add_loop_test(c, tunnel_without_memory, 0, 2);
#endif
	tcase_set_timeout(c, 110);
	return run_tests("tunnel_faults", c);
}
