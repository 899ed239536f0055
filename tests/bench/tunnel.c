/* libipsec's client and server over the loopback, on one thread: packets, handshakes, and
 * what a session of the server keeps. */
#include <stdio.h>
#include <string.h>

#include "libesp/bytes.h"
#include "tests/bench/bench.h"
#include "tests/bench/server.h"

enum { BATCH = 64, ROUNDS = 300, HANDSHAKES = 300 };
enum { LAST_RESORT = 100000, LONG_MS = 1000 };

static void
process(struct server *s, struct ipsec_client *client)
{
	struct pollfd fds[8];
	unsigned n;

	server_process(s, 0);
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
	b = server_describe(id, "server.example");
	if ((config = ipsec_client_config_build(b, &fault, 1, &n)) != NULL)
		client = ipsec_client_new(config, &callbacks, NULL);
	ipsec_builder_free(b);
	ipsec_client_config_free(config);
	return client;
}

/* One more session.  NULL: it did not come up. */
static struct ipsec_client *
connect_client(struct server *s)
{
	unsigned up = s->up + 1;
	struct ipsec_client *client = new_client(up);

	if (client == NULL || ipsec_client_connect(client, s->address) != IPSEC_OK) {
		ipsec_client_free(client);
		return NULL;
	}
	for (unsigned i = 0; i < LAST_RESORT; i++) {
		process(s, client);
		if (s->up == up && ipsec_client_is_up(client))
			return client;
	}
	ipsec_client_free(client);
	return NULL;
}

/* Sessions whose clients have gone without a word. */
static bool
connect_many(struct server *s, unsigned n)
{
	struct ipsec_client *client;

	for (unsigned i = 0; i < n; i++) {
		if ((client = connect_client(s)) == NULL)
			return false;
		ipsec_client_free(client);
	}
	return true;
}

/* Sends one batch and waits until the server has it all: what the socket has no room for
 * would be lost. */
static bool
carry(struct server *s, struct ipsec_client *client, uint8_t *packet, unsigned len)
{
	struct ipsec_packet v[BATCH];
	unsigned want = s->received + BATCH, n;
	struct pollfd fds[8];

	for (unsigned i = 0; i < BATCH; i++)
		v[i] = (struct ipsec_packet){ .data = packet, .len = len };
	if (ipsec_client_send_packets(client, v, BATCH) != BATCH)
		return false;
	n = ipsec_server_fds(s->server, fds, 8);
	while (s->received < want && poll(fds, n, LONG_MS) > 0)
		ipsec_server_process(s->server, ipsec_now());
	return s->received == want;
}

/* Packets a second of one core that seals, sends, receives and opens them. */
static double
packets(unsigned len, unsigned b)
{
	uint8_t packet[1500] = { 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 253, 0, 0, 10, 9, 0, 1,
		10, 9, 0, 2 };
	struct server s;
	struct ipsec_client *client = NULL;
	double start, result = -1;
	unsigned i = 0;

	(void)b;
	bytes_store16(packet + 2, (uint16_t)len);
	if (server_open(&s) && (client = connect_client(&s)) != NULL &&
	    carry(&s, client, packet, len)) {
		start = bench_cpu();
		while (i < ROUNDS && carry(&s, client, packet, len))
			i++;
		if (i == ROUNDS)
			result = ROUNDS * BATCH / (bench_cpu() - start);
	}
	ipsec_client_free(client);
	server_close(&s);
	return result;
}

/* Handshakes a second, both ends on one core. */
static double
rate(unsigned present, unsigned b)
{
	struct server s;
	double start, result = -1;

	(void)b;
	if (server_open(&s) && connect_many(&s, present + 10)) {
		start = bench_cpu();
		if (connect_many(&s, HANDSHAKES))
			result = HANDSHAKES / (bench_cpu() - start);
	}
	server_close(&s);
	return result;
}

/* Milliseconds of the server's work a handshake, its system calls included. */
static double
server_cpu(unsigned present, unsigned b)
{
	struct server s;
	double result = -1;

	(void)b;
	if (server_open(&s) && connect_many(&s, present + 10)) {
		s.cpu = 0;
		if (connect_many(&s, HANDSHAKES))
			result = s.cpu * 1e3 / HANDSHAKES;
	}
	server_close(&s);
	return result;
}

/* Octets of a session.  No packet has passed, so there are no cipher contexts. */
static double
memory(unsigned sessions, unsigned b)
{
	struct server s;
	double result = -1;
	size_t before;

	(void)b;
	if (server_open(&s) && connect_many(&s, 10)) {
		before = bench_memory();
		if (connect_many(&s, sessions))
			result = (double)(bench_memory() - before) / sessions;
	}
	server_close(&s);
	return result;
}

const struct bench_row bench_tunnels[] = {
	{ .name = "tunnel, 64", .unit = "1/s", .measure = packets,
	    .arguments = { 64 }, .bare = "bare AES-128-GCM, 64" },
	{ .name = "tunnel, 1400", .unit = "1/s", .measure = packets,
	    .arguments = { 1400 }, .bare = "bare AES-128-GCM, 1400" },
	{ .name = "tunnels set up, both ends on one core", .unit = "1/s",
	    .measure = rate, .arguments = { 0 } },
	{ .name = "tunnel set up, server", .unit = "ms", .measure = server_cpu,
	    .arguments = { 0 }, .bare = "bare X25519, two", .goal = 0.12 },
	{ .name = "memory of a session in the server, 10,000", .unit = "octets",
	    .measure = memory, .arguments = { 10000 }, .goal = 3072, .once = true },
	{ .name = NULL }
};
