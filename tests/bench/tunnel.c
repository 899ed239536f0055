/* libipsec's client and server over the loopback, on one thread: packets, handshakes, and
 * what a session of the server keeps. */
#include <stdio.h>
#include <string.h>

#include "libesp/bytes.h"
#include "libipsec/ipsec.h"
#include "tests/bench/bench.h"

enum { BATCH = 64, ROUNDS = 300, HANDSHAKES = 300 };
enum { LAST_RESORT = 100000, LONG_MS = 1000 };

struct tunnel {
	struct ipsec_server_config *config;
	struct ipsec_server *server;
	char address[32];
	unsigned up, received;		/* sessions and packets of the server */
	double cpu;			/* seconds that the server has worked */
};

static struct ipsec_builder *
describe(const char *ours, const char *theirs)
{
	static const char secret[] = "correct horse battery staple";
	struct ipsec_builder *b = ipsec_builder_new();

	if (b == NULL)
		return NULL;
	ipsec_builder_set_local_id(b, ours);
	ipsec_builder_set_remote_id(b, theirs);
	ipsec_builder_set_psk(b, secret, sizeof(secret) - 1);
	ipsec_builder_add_ike_proposal(b, "aes128gcm16-prfsha256-x25519");
	ipsec_builder_add_esp_proposal(b, "aes128gcm16");
	ipsec_builder_add_traffic_selector(b, "0.0.0.0/0", "0.0.0.0/0");
	return b;
}

static void
said(void *arg, struct ipsec_server *server, struct ipsec_session *session,
    const struct ipsec_event *event)
{
	struct tunnel *t = arg;

	(void)server;
	if (session != NULL && event->type == IPSEC_EVENT_UP)
		t->up++;
}

static void
receive(void *arg, struct ipsec_session *session, const struct ipsec_packet *v,
    unsigned n)
{
	struct tunnel *t = arg;

	(void)session;
	(void)v;
	t->received += n;
}

static bool
open_server(struct tunnel *t)
{
	static const struct ipsec_server_callbacks callbacks = { .event = said,
	    .packets = receive };
	struct ipsec_builder *b;
	struct ipsec_fault fault;
	unsigned n;

	memset(t, 0, sizeof(*t));
	b = describe("server.example", "*.clients.example");
	t->config = ipsec_server_config_build(b, &fault, 1, &n);
	ipsec_builder_free(b);
	if (t->config == NULL)
		return false;
	t->server = ipsec_server_new(t->config, &callbacks, t);
	if (t->server == NULL || ipsec_server_bind(t->server, "127.0.0.1:0") != IPSEC_OK)
		return false;
	snprintf(t->address, sizeof(t->address), "127.0.0.1:%u",
	    ipsec_server_port(t->server));
	return true;
}

static void
close_server(struct tunnel *t)
{
	ipsec_server_free(t->server);
	ipsec_server_config_free(t->config);
}

static void
process(struct tunnel *t, struct ipsec_client *client)
{
	struct pollfd fds[8];
	unsigned n = ipsec_server_fds(t->server, fds, 8);
	double start;

	if (poll(fds, n, 0) > 0) {
		start = bench_cpu();
		ipsec_server_process(t->server, ipsec_now());
		t->cpu += bench_cpu() - start;
	}
	n = ipsec_client_fds(client, fds, 8);
	if (poll(fds, n, 0) > 0)
		ipsec_client_process(client, ipsec_now());
}

static struct ipsec_client *
new_client(unsigned number)
{
	static const struct ipsec_client_callbacks callbacks = { .event = NULL };
	struct ipsec_client_config *config;
	struct ipsec_client *client = NULL;
	struct ipsec_builder *b;
	struct ipsec_fault fault;
	char id[32];
	unsigned n;

	snprintf(id, sizeof(id), "%u.clients.example", number);
	b = describe(id, "server.example");
	if ((config = ipsec_client_config_build(b, &fault, 1, &n)) != NULL)
		client = ipsec_client_new(config, &callbacks, NULL);
	ipsec_builder_free(b);
	ipsec_client_config_free(config);
	return client;
}

/* One more session.  NULL: it did not come up. */
static struct ipsec_client *
connect_client(struct tunnel *t)
{
	unsigned up = t->up + 1;
	struct ipsec_client *client = new_client(up);

	if (client == NULL || ipsec_client_connect(client, t->address) != IPSEC_OK) {
		ipsec_client_free(client);
		return NULL;
	}
	for (unsigned i = 0; i < LAST_RESORT; i++) {
		process(t, client);
		if (t->up == up && ipsec_client_is_up(client))
			return client;
	}
	ipsec_client_free(client);
	return NULL;
}

/* Sessions whose clients have gone without a word. */
static bool
connect_many(struct tunnel *t, unsigned n)
{
	struct ipsec_client *client;

	for (unsigned i = 0; i < n; i++) {
		if ((client = connect_client(t)) == NULL)
			return false;
		ipsec_client_free(client);
	}
	return true;
}

/* Sends one batch and waits until the server has it all: what the socket has no room for
 * would be lost. */
static bool
carry(struct tunnel *t, struct ipsec_client *client, uint8_t *packet, unsigned len)
{
	struct ipsec_packet v[BATCH];
	unsigned want = t->received + BATCH, n;
	struct pollfd fds[8];

	for (unsigned i = 0; i < BATCH; i++)
		v[i] = (struct ipsec_packet){ .data = packet, .len = len };
	if (ipsec_client_send_packets(client, v, BATCH) != BATCH)
		return false;
	n = ipsec_server_fds(t->server, fds, 8);
	while (t->received < want && poll(fds, n, LONG_MS) > 0)
		ipsec_server_process(t->server, ipsec_now());
	return t->received == want;
}

/* Packets a second of one core that seals, sends, receives and opens them, with so many
 * sessions present. */
static double
packets(unsigned len, unsigned present)
{
	uint8_t packet[1500] = { 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 253, 0, 0, 10, 9, 0, 1,
		10, 9, 0, 2 };
	struct tunnel t;
	struct ipsec_client *client = NULL;
	double start, result = -1;
	unsigned i = 0;

	bytes_store16(packet + 2, (uint16_t)len);
	if (open_server(&t) && connect_many(&t, present) &&
	    (client = connect_client(&t)) != NULL && carry(&t, client, packet, len)) {
		start = bench_cpu();
		while (i < ROUNDS && carry(&t, client, packet, len))
			i++;
		if (i == ROUNDS)
			result = ROUNDS * BATCH / (bench_cpu() - start);
	}
	ipsec_client_free(client);
	close_server(&t);
	return result;
}

/* Handshakes a second, both ends on one core. */
static double
rate(unsigned present, unsigned b)
{
	struct tunnel t;
	double start, result = -1;

	(void)b;
	if (open_server(&t) && connect_many(&t, present + 10)) {
		start = bench_cpu();
		if (connect_many(&t, HANDSHAKES))
			result = HANDSHAKES / (bench_cpu() - start);
	}
	close_server(&t);
	return result;
}

/* Milliseconds of the server's work a handshake, its system calls included. */
static double
server_cpu(unsigned present, unsigned b)
{
	struct tunnel t;
	double result = -1;

	(void)b;
	if (open_server(&t) && connect_many(&t, present + 10)) {
		t.cpu = 0;
		if (connect_many(&t, HANDSHAKES))
			result = t.cpu * 1e3 / HANDSHAKES;
	}
	close_server(&t);
	return result;
}

/* Octets of a session.  No packet has passed, so there are no cipher contexts. */
static double
memory(unsigned sessions, unsigned b)
{
	struct tunnel t;
	double result = -1;
	size_t before;

	(void)b;
	if (open_server(&t) && connect_many(&t, 10)) {
		before = bench_memory();
		if (connect_many(&t, sessions))
			result = (double)(bench_memory() - before) / sessions;
	}
	close_server(&t);
	return result;
}

const struct bench_row bench_tunnels[] = {
	{ .name = "tunnel, 64", .unit = "1/s", .measure = packets,
	    .arguments = { 64, 0 }, .bare = "bare AES-128-GCM, 64" },
	{ .name = "tunnel, 1400", .unit = "1/s", .measure = packets,
	    .arguments = { 1400, 0 }, .bare = "bare AES-128-GCM, 1400" },
	{ .name = "tunnel, 64, 100 sessions present", .unit = "1/s", .measure = packets,
	    .arguments = { 64, 100 } },
	{ .name = "tunnel, 64, 100,000 present", .unit = "1/s", .measure = packets,
	    .arguments = { 64, 100000 }, .bare = "tunnel, 64, 100 sessions present",
	    .once = true },
	{ .name = "tunnels set up, both ends on one core", .unit = "1/s",
	    .measure = rate, .arguments = { 0 } },
	{ .name = "tunnel set up, server", .unit = "ms", .measure = server_cpu,
	    .arguments = { 0 }, .bare = "bare X25519, two", .goal = 0.12 },
	{ .name = "memory of a session in the server, 10,000", .unit = "octets",
	    .measure = memory, .arguments = { 10000 }, .goal = 3072, .once = true },
	{ .name = NULL }
};
