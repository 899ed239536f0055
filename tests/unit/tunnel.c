#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/fake_port.h"
#include "tests/unit/tunnel.h"

enum { PATIENCE_MS = 10000, FDS = 1024 };

/* ---- what is heard ---- */

static void
hear(struct tunnel_heard *h, struct ipsec_session *s, const struct ipsec_event *event)
{
	struct tunnel_said *said = &h->said[event->type];

	ck_assert_uint_lt(event->type, TUNNEL_EVENTS);
	h->events[event->type]++;
	if (h->n_order < sizeof(h->order) / sizeof(h->order[0]))
		h->order[h->n_order++] = event->type;
	said->error = event->error;
	said->session = s;
	snprintf(said->text, sizeof(said->text), "%s", event->text);
	snprintf(said->ours, sizeof(said->ours), "%s", event->ours);
	snprintf(said->theirs, sizeof(said->theirs), "%s", event->theirs);
	snprintf(said->difference, sizeof(said->difference), "%s", event->difference);
	snprintf(said->setting, sizeof(said->setting), "%s", event->setting);
	snprintf(said->peer_id, sizeof(said->peer_id), "%s", event->peer_id);
	snprintf(said->peer_address, sizeof(said->peer_address), "%s",
	    event->peer_address);
	ck_assert_uint_gt(strlen(event->text), 0);
}

static void
count(struct tunnel_heard *h, const struct ipsec_packet *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		h->packets++;
		h->octets += v[i].len;
		h->last.len = v[i].len;
		memcpy(h->last.data, v[i].data, v[i].len < sizeof(h->last.data) ?
		    v[i].len : sizeof(h->last.data));
	}
}

static void
client_event(void *arg, struct ipsec_client *client, const struct ipsec_event *event)
{
	struct tunnel_end *end = arg;
	bool over = event->type == IPSEC_EVENT_DOWN || event->type == IPSEC_EVENT_FAILED;

	ck_assert(client == end->client);
	hear(&end->heard, NULL, event);
	if (over && end->heard.connect_me != NULL) {
		end->heard.connect_me = NULL;
		ck_assert_int_eq(ipsec_client_connect(client, end->heard.address),
		    IPSEC_OK);
		ck_assert_int_eq(ipsec_client_connect(client, end->heard.address),
		    IPSEC_BUSY);
	}
	if (end->heard.free_me != NULL) {
		end->client = end->heard.free_me = NULL;
		ipsec_client_free(client);
	}
}

/* Swaps the addresses, and sends it back. */
static void
turn(uint8_t *packet, const struct ipsec_packet *from)
{
	memcpy(packet, from->data, from->len);
	memcpy(packet + 12, from->data + 16, 4);
	memcpy(packet + 16, from->data + 12, 4);
}

static void
client_packets(void *arg, struct ipsec_client *client, const struct ipsec_packet *v,
    unsigned n)
{
	struct tunnel_end *end = arg;

	ck_assert(client == end->client);
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_le(n, 64);
	count(&end->heard, v, n);
}

static enum ipsec_verdict
server_accept(void *arg, struct ipsec_server *server, struct ipsec_session *s)
{
	struct tunnel *t = arg;

	ck_assert(server == t->server);
	ck_assert(ipsec_session_server(s) == server);
	t->heard.asked++;
	t->heard.session = s;
	if (t->heard.only != NULL && strcmp(ipsec_session_peer_id(s), t->heard.only) != 0)
		return IPSEC_REFUSE;
	return t->heard.verdict;
}

static size_t
server_psk(void *arg, struct ipsec_server *server, const char *peer_id, uint8_t *secret,
    size_t room)
{
	struct tunnel *t = arg;
	size_t len;

	ck_assert(server == t->server);
	ck_assert_uint_gt(strlen(peer_id), 0);
	if (t->heard.psk == NULL)
		return 0;
	len = strlen(t->heard.psk);
	ck_assert_uint_le(len, room);
	ck_assert_ptr_null(memmem(secret, room, t->heard.psk, len));	/* of before */
	memcpy(secret, t->heard.psk, len);
	return len;
}

static void
server_event(void *arg, struct ipsec_server *server, struct ipsec_session *s,
    const struct ipsec_event *event)
{
	struct tunnel *t = arg;

	ck_assert(server == t->server);
	hear(&t->heard, s, event);
}

static void
server_packets(void *arg, struct ipsec_session *s, const struct ipsec_packet *v,
    unsigned n)
{
	struct tunnel *t = arg;
	uint8_t packet[2048];

	ck_assert(ipsec_session_server(s) == t->server);
	count(&t->heard, v, n);
	for (unsigned i = 0; t->heard.echo && i < n; i++) {
		ck_assert_uint_le(v[i].len, sizeof(packet));
		turn(packet, &v[i]);
		ipsec_session_send_packet(s, packet, v[i].len);
	}
}

/* ---- making ---- */

struct ipsec_builder *
tunnel_builder(bool server)
{
	struct ipsec_builder *b = ipsec_builder_new();

	ck_assert_ptr_nonnull(b);
	ipsec_builder_set_local_id(b, server ? "server.example" : "client.example");
	if (!server)
		ipsec_builder_set_remote_id(b, "server.example");
	ipsec_builder_set_psk(b, "0123456789abcdef", 16);
	ipsec_builder_add_traffic_selector(b, server ? "10.8.0.0/24" : "10.9.0.0/16",
	    server ? "10.9.0.0/16" : "10.8.0.0/24");
	return b;
}

struct ipsec_client_config *
tunnel_client_config(struct ipsec_builder *b)
{
	struct ipsec_fault fault = { .text = "" };
	struct ipsec_client_config *c;
	unsigned n;

	c = ipsec_client_config_build(b, &fault, 1, &n);
	ck_assert_msg(c != NULL, "%s", fault.text);
	ck_assert_uint_eq(n, 0);
	ipsec_builder_free(b);
	return c;
}

struct ipsec_server_config *
tunnel_server_config(struct ipsec_builder *b)
{
	struct ipsec_fault fault = { .text = "" };
	struct ipsec_server_config *c;
	unsigned n;

	c = ipsec_server_config_build(b, &fault, 1, &n);
	ck_assert_msg(c != NULL, "%s", fault.text);
	ck_assert_uint_eq(n, 0);
	ipsec_builder_free(b);
	return c;
}

static struct ipsec_server *
serve(struct tunnel *t, struct ipsec_server_config *config, bool callback,
    const char *address)
{
	const struct ipsec_server_callbacks callbacks = { .accept = server_accept,
	    .psk = server_psk, .event = server_event,
	    .packets = callback ? server_packets : NULL };

	t->server = ipsec_server_new(config, &callbacks, t);
	ipsec_server_config_free(config);
	ck_assert_ptr_nonnull(t->server);
	ck_assert_msg(ipsec_server_bind(t->server, address) == IPSEC_OK, "%s",
	    ipsec_server_why(t->server));
	return t->server;
}

struct ipsec_server *
tunnel_serve(struct tunnel *t, struct ipsec_server_config *config, bool callback)
{
	return serve(t, config, callback, "127.0.0.1:0");
}

struct ipsec_server *
tunnel_serve_at(struct tunnel *t, struct ipsec_server_config *config, const char *address)
{
	return serve(t, config, true, address);
}

/* The ends do not move: callbacks have their addresses. */
struct tunnel_end *
tunnel_add(struct tunnel *t, struct ipsec_client_config *config, bool callback)
{
	const struct ipsec_client_callbacks callbacks = { .event = client_event,
	    .packets = callback ? client_packets : NULL };
	struct tunnel_end *end;

	if (t->ends == NULL)
		t->ends = calloc(FDS / 4, sizeof(*t->ends));
	ck_assert_ptr_nonnull(t->ends);
	ck_assert_uint_lt(t->n, FDS / 4);
	end = &t->ends[t->n++];
	end->client = ipsec_client_new(config, &callbacks, end);
	ipsec_client_config_free(config);
	ck_assert_ptr_nonnull(end->client);
	return end;
}

const char *
tunnel_address(const struct tunnel *t)
{
	static char text[64];

	snprintf(text, sizeof(text), "127.0.0.1:%u", ipsec_server_port(t->server));
	return text;
}

void
tunnel_connect(struct tunnel *t, unsigned i)
{
	struct tunnel_end *end = &t->ends[i];

	ck_assert_msg(ipsec_client_connect(end->client, tunnel_address(t)) == IPSEC_OK,
	    "%s", ipsec_client_why(end->client));
	tunnel_await(t, &end->heard.events[IPSEC_EVENT_UP],
	    end->heard.events[IPSEC_EVENT_UP] + 1);
}

void
tunnel_open(struct tunnel *t, unsigned n)
{
	char id[64];

	memset(t, 0, sizeof(*t));
	tunnel_serve(t, tunnel_server_config(tunnel_builder(true)), true);
	for (unsigned i = 0; i < n; i++) {
		struct ipsec_builder *b = tunnel_builder(false);

		snprintf(id, sizeof(id), "client%u.example", i);
		if (n > 1)
			ipsec_builder_set_local_id(b, id);
		tunnel_add(t, tunnel_client_config(b), true);
	}
	for (unsigned i = 0; i < n; i++)
		tunnel_connect(t, i);
}

void
tunnel_close(struct tunnel *t)
{
	for (unsigned i = 0; i < t->n; i++)
		ipsec_client_free(t->ends[i].client);
	ipsec_server_free(t->server);
	free(t->ends);
	memset(t, 0, sizeof(*t));
}

/* ---- driving ---- */

static void
wait_shorter(int *timeout, int other)
{
	if (other >= 0 && other < *timeout)
		*timeout = other;
}

static void
go_round(struct tunnel *t, int most_ms)
{
	static struct pollfd fds[FDS];
	int64_t now = ipsec_now();
	unsigned n = 0;

	if (t->server != NULL && !t->silent) {
		n += ipsec_server_fds(t->server, fds, FDS);
		wait_shorter(&most_ms, ipsec_server_timeout(t->server, now));
	}
	for (unsigned i = 0; i < t->n; i++) {
		if (t->ends[i].client == NULL)
			continue;
		n += ipsec_client_fds(t->ends[i].client, fds + n, FDS - n);
		wait_shorter(&most_ms, ipsec_client_timeout(t->ends[i].client, now));
	}
	ck_assert_uint_le(n, FDS);
	poll(fds, n, most_ms);
	now = ipsec_now();
	if (t->server != NULL && !t->silent)
		ipsec_server_process(t->server, now);
	for (unsigned i = 0; i < t->n; i++)
		if (t->ends[i].client != NULL)
			ipsec_client_process(t->ends[i].client, now);
}

void
tunnel_run(struct tunnel *t, int ms)
{
	int64_t end = ipsec_now() + ms * INT64_C(1000);

	while (ipsec_now() < end)
		go_round(t, 10);
}

void
tunnel_await(struct tunnel *t, const unsigned *counter, unsigned value)
{
	int64_t end = ipsec_now() + PATIENCE_MS * INT64_C(1000);

	while (*counter < value) {
		ck_assert_msg(ipsec_now() < end, "%u of %u, and no more", *counter,
		    value);
		go_round(t, 50);
	}
}

void
tunnel_await_packets(struct tunnel *t, const uint64_t *counter, uint64_t value)
{
	int64_t end = ipsec_now() + PATIENCE_MS * INT64_C(1000);

	while (*counter < value) {
		ck_assert_msg(ipsec_now() < end, "%u of %u packets, and no more",
		    (unsigned)*counter, (unsigned)value);
		go_round(t, 50);
	}
}

size_t
tunnel_packet(uint8_t *packet, size_t len, bool to_server, uint8_t tag)
{
	return fake_packet(packet, to_server ? "10.9.0.1" : "10.8.0.1",
	    to_server ? "10.8.0.1" : "10.9.0.1", (uint32_t)len, tag);
}

unsigned
tunnel_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}
