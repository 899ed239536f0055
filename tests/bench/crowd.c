/* A server of libipsec with many sessions all of which carry packets, in no order: what it
 * costs the server to receive them, and to send them.  The clients are engines that were
 * there for the handshake, and SAs of libesp, behind one socket, as behind one NAT. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libesp/esp.h"
#include "tests/bench/bench.h"
#include "tests/bench/engines.h"
#include "tests/bench/server.h"

enum { BATCH = 64, SLOT = 2048, HEAD = 128, MARKER = 4, SHORT_MS = 1,
	LONG_MS = 1000, TRIES = 100 };
/* Batches to and from one server until it is the next one's turn, and how often. */
enum { TURN = 32, TURNS = 50 };

struct crowd {
	struct server server;
	int fd;				/* the clients' */
	struct ike_path path;		/* of all of them */
	struct esp *esp;		/* what they send by, each with a policy of its own */
	unsigned n, next;
	uint8_t memory[BATCH * SLOT];	/* a slot for each packet of a batch */
};

/* ---- one more session ---- */

/* A client that had another idea of the addresses would seem to be behind a NAT, and the
 * server would send keepalives. */
static void
resolve(const struct crowd *c, struct ike *client, ike_time now, ike_id question)
{
	const struct ike_answer a = { .error = IKE_OK, .path = c->path };

	ike_answer_question(client, now, question, &a);
}

/* What the client's engine says.  True: the Child SA is there. */
static bool
hear(struct crowd *c, struct ike *client, ike_time now)
{
	uint8_t datagram[4096] = { 0 };	/* it begins with the non-ESP marker */
	struct ike_datagram d;
	struct ike_event event;
	bool up = false;

	while (ike_next_event(client, &event)) {
		if (event.type == IKE_ASK_RESOLVE) {
			resolve(c, client, now, event.question);
		} else if (event.type <= IKE_ASK_USAGE) {
			engines_answer(client, now, c->n + 1, &event);
		} else if (event.type == IKE_OUT_ADD) {
			struct esp_sa_config sa = { .id = c->n + 1, .policy = c->n + 1,
			    .direction = ESP_OUT, .spi = event.u.child->spi_out,
			    .transform = event.u.child->transform,
			    .keymat = event.u.child->key_out,
			    .selectors = event.u.child->selectors,
			    .n_selectors = event.u.child->n_selectors };

			up = esp_add(c->esp, &sa) == ESP_SUCCESS;
		}
	}
	while (ike_next_datagram(client, &d) && MARKER + d.data.len <= sizeof(datagram)) {
		memcpy(datagram + MARKER, d.data.p, d.data.len);
		(void)send(c->fd, datagram, MARKER + d.data.len, 0);
	}
	return up;
}

static void
answer(struct crowd *c, struct ike *client, ike_time now)
{
	uint8_t datagram[4096];
	ssize_t len;

	while ((len = recv(c->fd, datagram, sizeof(datagram), MSG_DONTWAIT)) > 0)
		if (len > MARKER)
			ike_receive(client, now, &c->path, datagram + MARKER,
			    (size_t)len - MARKER);
}

static bool
join(struct crowd *c)
{
	unsigned up = c->server.up;
	bool ours = false;
	ike_time now = ipsec_now();
	ike_id connection;
	struct ike *client = engines_initiator(c->n + 1, now, &connection);

	if (client == NULL)
		return false;
	ike_up(client, now, connection);
	for (unsigned i = 0; i < TRIES; i++) {
		ours = hear(c, client, now) || ours;
		if (ours && c->server.up > up)
			break;
		server_process(&c->server, SHORT_MS);
		answer(c, client, now);
	}
	ike_free(client);
	c->n++;
	return ours && c->server.up > up;
}

static bool
open_clients(struct crowd *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
	    .sin_port = htons(ipsec_server_port(c->server.server)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, own;
	socklen_t len = sizeof(own);

	c->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	c->esp = esp_new(0, 1);
	if (c->fd < 0 || c->esp == NULL ||
	    connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
	    getsockname(c->fd, (struct sockaddr *)&own, &len) != 0)
		return false;
	c->path = (struct ike_path){ .family = 4,
	    .port = { ntohs(own.sin_port), ntohs(to.sin_port) } };
	memcpy(c->path.addr[0], &own.sin_addr, sizeof(own.sin_addr));
	memcpy(c->path.addr[1], &to.sin_addr, sizeof(to.sin_addr));
	return true;
}

static bool
open_crowd(struct crowd *c, unsigned n)
{
	memset(c, 0, sizeof(*c));
	c->fd = -1;
	if (!server_open(&c->server) || !open_clients(c))
		return false;
	c->server.sessions = calloc(n, sizeof(struct ipsec_session *));
	if (c->server.sessions == NULL)
		return false;
	while (c->n < n)
		if (!join(c))
			return false;
	return true;
}

static void
close_crowd(struct crowd *c)
{
	server_close(&c->server);
	free(c->server.sessions);
	esp_free(c->esp);
	if (c->fd >= 0)
		close(c->fd);
}

/* ---- packets ---- */

static const uint8_t inner[64] = { 0x45, 0, 0, 64, 0, 0, 0, 0, 64, 253, 0, 0, 10, 9, 0, 1,
	10, 9, 0, 2 };

static unsigned
next_session(struct crowd *c)
{
	enum { STRIDE = 7919 };		/* a prime */

	return (unsigned)((uint64_t)c->next++ * STRIDE % c->n);
}

static bool
send_batch(struct crowd *c)
{
	struct esp_packet v[BATCH];

	for (unsigned i = 0; i < BATCH; i++) {
		v[i] = (struct esp_packet){ .data = c->memory + i * SLOT + HEAD,
		    .len = sizeof(inner), .head = HEAD, .tail = SLOT / 2 };
		memcpy(v[i].data, inner, sizeof(inner));
		esp_find_of(c->esp, next_session(c) + 1, &v[i], 1);
	}
	esp_seal(c->esp, v, BATCH);
	for (unsigned i = 0; i < BATCH; i++)
		if (v[i].verdict != ESP_OK ||
		    send(c->fd, v[i].data, v[i].len, 0) != (ssize_t)v[i].len)
			return false;
	return true;
}

/* Adds the seconds that the server works for a batch in. */
static bool
carry_in(struct crowd *c, double *taken)
{
	unsigned want = c->server.received + BATCH;

	c->server.cpu = 0;
	if (!send_batch(c))
		return false;
	for (unsigned i = 0; i < TRIES && c->server.received < want; i++)
		server_process(&c->server, LONG_MS);
	*taken += c->server.cpu;
	return c->server.received == want;
}

/* And out, where a session is given one packet at a time. */
static bool
carry_out(struct crowd *c, double *taken)
{
	struct ipsec_session *to[BATCH];
	uint8_t received[256];
	unsigned sent = 0;
	double start;

	for (unsigned i = 0; i < BATCH; i++)
		to[i] = c->server.sessions[next_session(c)];
	start = bench_cpu();
	for (unsigned i = 0; i < BATCH; i++)
		sent += ipsec_session_send_packet(to[i], inner, sizeof(inner)) == IPSEC_OK;
	*taken += bench_cpu() - start;
	while (recv(c->fd, received, sizeof(received), MSG_DONTWAIT) > 0)
		continue;
	return sent == BATCH;
}

static bool
carry(struct crowd *c, unsigned n, double taken[2])
{
	taken[0] = taken[1] = 0;
	for (; n > 0; n--)
		if (!carry_in(c, &taken[0]) || !carry_out(c, &taken[1]))
			return false;
	return true;
}

enum { CROWDS = 2 };

/* Packets a second in, and out, of each crowd, by turns. */
static bool
take_turns(struct crowd *c, double *v)
{
	double rate[2][CROWDS][TURNS], taken[2];

	for (unsigned turn = 0; turn < TURNS; turn++)
		for (unsigned i = 0; i < CROWDS; i++) {
			if (!carry(&c[i], TURN, taken))
				return false;
			rate[0][i][turn] = TURN * BATCH / taken[0];
			rate[1][i][turn] = TURN * BATCH / taken[1];
		}
	for (unsigned way = 0; way < 2; way++)
		for (unsigned i = 0; i < CROWDS; i++)
			*v++ = bench_median(rate[way][i], TURNS);
	return true;
}

static bool
compare(unsigned few, unsigned many, double *v)
{
	const unsigned n[CROWDS] = { few, many };
	struct crowd c[CROWDS];
	double before[2];
	bool good = true;

	for (unsigned i = 0; i < CROWDS; i++) {
		good = open_crowd(&c[i], n[i]) && good;
		/* the first packets of each SA make its cipher contexts */
		good = good && carry(&c[i], n[i] / BATCH * 2 + 10, before);
	}
	good = good && take_turns(c, v);
	for (unsigned i = 0; i < CROWDS; i++)
		close_crowd(&c[i]);
	return good;
}

const struct bench_row bench_crowds[] = {
	{ .name = "server in, 64, 100 sessions", .unit = "1/s", .measure_all = compare,
	    .arguments = { 100, 100000 }, .once = true },
	{ .name = "server in, 64, 100,000 sessions at random", .unit = "1/s",
	    .bare = "server in, 64, 100 sessions", .once = true },
	{ .name = "server out, 64, 100 sessions", .unit = "1/s", .once = true },
	{ .name = "server out, 64, 100,000 sessions at random", .unit = "1/s",
	    .bare = "server out, 64, 100 sessions", .once = true },
	{ .name = NULL }
};
