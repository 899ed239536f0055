/* A server and a client in one program, driven by one poll(2) as any loop may drive them.
 * They meet on the loopback, and the client pings the server through their tunnel.
 *
 *	cc poll.c $(pkg-config --cflags --libs libipsec) */
#include "ping.h"
#include <ikev/ipsec.h>
#include <stdio.h>
#include <stdlib.h>

enum { FDS = 8 };

static void
asked(void *arg, struct ipsec_session *session, const struct ipsec_packet *v, unsigned n)
{
	uint8_t answer[2048];

	(void)arg;
	for (unsigned i = 0; i < n; i++)
		if (make_answer(answer, sizeof(answer), v[i].data, v[i].len))
			ipsec_session_send_packet(session, answer, v[i].len);
}

static void
answered(void *arg, struct ipsec_client *client, const struct ipsec_packet *v, unsigned n)
{
	printf("%u packet of %zu octets came back\n", n, v->len);
	*(bool *)arg = is_answer(v->data, v->len);
	ipsec_client_shutdown(client);
}

static void
said(void *arg, struct ipsec_client *client, const struct ipsec_event *event)
{
	(void)arg;
	printf("%s: %s\n", ipsec_event_name(event->type), event->text);
	if (event->type == IPSEC_EVENT_UP)
		ipsec_client_send_packet(client, ping, sizeof(ping));
	else if (event->type == IPSEC_EVENT_FAILED)
		ipsec_client_shutdown(client);
}

/* Of either side. */
static struct ipsec_builder *
settings(const char *us, const char *them)
{
	struct ipsec_builder *b = ipsec_builder_new();

	if (b == NULL)
		exit(1);
	ipsec_builder_set_local_id(b, us);
	ipsec_builder_set_remote_id(b, them);
	ipsec_builder_set_psk(b, "correct horse battery staple", 28);
	return b;
}

/* Of two times to wait, where -1 is for ever. */
static int
shorter(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

int
main(void)
{
	struct ipsec_server_callbacks serving = { .packets = asked };
	struct ipsec_client_callbacks asking = { .event = said, .packets = answered };
	struct ipsec_builder *ours = settings("server.example", "client.example");
	struct ipsec_builder *theirs = settings("client.example", "server.example");
	struct ipsec_server_config *sc = ipsec_server_config_build(ours, NULL, 0, NULL);
	struct ipsec_client_config *cc = ipsec_client_config_build(theirs, NULL, 0, NULL);
	struct ipsec_server *server = ipsec_server_new(sc, &serving, NULL);
	bool good = false;
	struct ipsec_client *client = ipsec_client_new(cc, &asking, &good);
	struct pollfd fds[FDS];
	char address[32];
	unsigned n;

	if (ipsec_server_bind(server, "127.0.0.1:0") != IPSEC_OK)
		return fprintf(stderr, "%s\n", ipsec_server_why(server)), 1;
	snprintf(address, sizeof(address), "127.0.0.1:%u", ipsec_server_port(server));
	if (ipsec_client_connect(client, address) != IPSEC_OK)
		return fprintf(stderr, "%s\n", ipsec_client_why(client)), 1;
	while (!ipsec_client_is_shut_down(client)) {
		n = ipsec_server_fds(server, fds, FDS);
		n += ipsec_client_fds(client, fds + n, FDS - n);
		poll(fds, n, shorter(ipsec_server_timeout(server, ipsec_now()),
		    ipsec_client_timeout(client, ipsec_now())));
		ipsec_server_process(server, ipsec_now());
		ipsec_client_process(client, ipsec_now());
	}
	ipsec_client_free(client);
	ipsec_server_free(server);
	ipsec_client_config_free(cc);
	ipsec_server_config_free(sc);
	ipsec_builder_free(theirs);
	ipsec_builder_free(ours);
	return !good;
}
