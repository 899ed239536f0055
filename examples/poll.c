/* A server and a client in one program, both driven by one poll(2): no event loop is
 * needed.  They greet each other through a tunnel on the loopback.
 *
 *	cc poll.c $(pkg-config --cflags --libs libipsec) */
#include <ikev/ipsec.h>
#include <stdio.h>
#include <string.h>

enum { FDS = 8 };

static const char secret[] = "correct horse battery staple";

/* IPv4 with nothing known behind it (protocol 253, RFC 3692), from one to the other. */
static size_t
greet(uint8_t *packet, uint8_t from, uint8_t to, const char *text)
{
	const uint8_t header[20] = { 0x45, [3] = (uint8_t)(20 + strlen(text)),
	    [8] = 64, 253, [12] = 10, 0, 0, from, 10, 0, 0, to };

	memcpy(packet, header, sizeof(header));
	strcpy((char *)packet + sizeof(header), text);
	return sizeof(header) + strlen(text);
}

static void
served(void *arg, struct ipsec_session *session, const struct ipsec_packet *v, unsigned n)
{
	uint8_t packet[64];

	(void)arg;
	for (unsigned i = 0; i < n; i++)
		printf("%s says: %.*s\n", ipsec_session_peer_id(session),
		    (int)(v[i].len - 20), (const char *)v[i].data + 20);
	ipsec_session_send_packet(session, packet, greet(packet, 1, 2, "good day"));
}

static void
said(void *arg, struct ipsec_client *client, const struct ipsec_event *event)
{
	uint8_t packet[64];

	(void)arg;
	printf("%s: %s\n", ipsec_event_name(event->type), event->text);
	if (event->type == IPSEC_EVENT_UP)
		ipsec_client_send_packet(client, packet, greet(packet, 2, 1, "hello"));
}

static void
got(void *arg, struct ipsec_client *client, const struct ipsec_packet *v, unsigned n)
{
	(void)n;
	printf("the server says: %.*s\n", (int)(v->len - 20), (const char *)v->data + 20);
	*(unsigned *)arg += 1;
	ipsec_client_shutdown(client);
}

/* Settings of either side. */
static struct ipsec_builder *
settings(const char *us, const char *them)
{
	struct ipsec_builder *b = ipsec_builder_new();

	ipsec_builder_set_local_id(b, us);
	ipsec_builder_set_remote_id(b, them);
	ipsec_builder_set_psk(b, secret, sizeof(secret) - 1);
	return b;
}

static int
earlier(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

int
main(void)
{
	struct ipsec_server_callbacks serving = { .packets = served };
	struct ipsec_client_callbacks asking = { .event = said, .packets = got };
	struct ipsec_builder *b = settings("server.example", "client.example");
	struct ipsec_server_config *mine;
	struct ipsec_client_config *yours;
	struct ipsec_server *server;
	struct ipsec_client *client;
	struct pollfd fds[FDS];
	unsigned n, greeted = 0;
	char address[32];
	int64_t now;

	mine = ipsec_server_config_build(b, NULL, 0, &n);
	server = ipsec_server_new(mine, &serving, NULL);
	ipsec_builder_free(b);
	b = settings("client.example", "server.example");
	yours = ipsec_client_config_build(b, NULL, 0, &n);
	ipsec_builder_free(b);
	client = ipsec_client_new(yours, &asking, &greeted);
	if (ipsec_server_bind(server, "127.0.0.1:0") != IPSEC_OK)
		return fprintf(stderr, "%s\n", ipsec_server_why(server)), 1;
	snprintf(address, sizeof(address), "127.0.0.1:%u", ipsec_server_port(server));
	if (ipsec_client_connect(client, address) != IPSEC_OK)
		return fprintf(stderr, "%s\n", ipsec_client_why(client)), 1;
	while (!ipsec_client_is_shut_down(client)) {
		n = ipsec_server_fds(server, fds, FDS);
		n += ipsec_client_fds(client, fds + n, FDS - n);
		now = ipsec_now();
		poll(fds, n, earlier(ipsec_server_timeout(server, now),
		    ipsec_client_timeout(client, now)));
		now = ipsec_now();
		ipsec_server_process(server, now);
		ipsec_client_process(client, now);
	}
	ipsec_client_free(client);
	ipsec_server_free(server);
	ipsec_client_config_free(yours);
	ipsec_server_config_free(mine);
	return greeted == 1 ? 0 : 1;
}
