/* A server that answers pings: a host 10.8.0.1 that exists only in this program.
 *
 *	cc echo_server.c $(pkg-config --cflags --libs libipsec)
 *	./a.out :4500 SECRET */
#include "ping.h"
#include <event2/event.h>
#include <ikev/ipsec.h>
#include <signal.h>
#include <stdio.h>

static void
received(void *arg, struct ipsec_session *session, const struct ipsec_packet *v, unsigned n)
{
	uint8_t answer[2048];

	(void)arg;
	for (unsigned i = 0; i < n; i++)
		if (make_answer(answer, sizeof(answer), v[i].data, v[i].len))
			ipsec_session_send_packet(session, answer, v[i].len);
}

static void
said(void *arg, struct ipsec_server *server, struct ipsec_session *session,
    const struct ipsec_event *event)
{
	(void)arg, (void)server, (void)session;
	printf("%s %s: %s\n", event->peer_id, ipsec_event_name(event->type), event->text);
}

static void
stop(int signal, short what, void *server)
{
	(void)signal, (void)what;
	ipsec_server_shutdown(server);
}

int
main(int argc, char **argv)
{
	struct ipsec_server_callbacks callbacks = { .event = said, .packets = received };
	struct event_base *base = event_base_new();
	struct ipsec_builder *b = ipsec_builder_new();
	struct ipsec_server_config *config;
	struct ipsec_server *server;
	struct ipsec_fault fault;
	struct event *interrupt;

	if (argc < 3 || base == NULL || b == NULL)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	ipsec_builder_set_local_id(b, "server.example");
	ipsec_builder_set_psk(b, argv[2], strlen(argv[2]));
	ipsec_builder_add_traffic_selector(b, "10.8.0.1", "10.9.0.0/16");
	if ((config = ipsec_server_config_build(b, &fault, 1, NULL)) == NULL)
		return fprintf(stderr, "%s\n", fault.text), 1;
	server = ipsec_server_new(config, &callbacks, NULL);
	if (ipsec_server_bind(server, argv[1]) != IPSEC_OK)
		return fprintf(stderr, "%s\n", ipsec_server_why(server)), 1;
	printf("port %u\n", ipsec_server_port(server));
	interrupt = event_new(base, SIGINT, EV_SIGNAL, stop, server);
	if (!ipsec_server_attach(server, base) || event_add(interrupt, NULL) != 0)
		return 1;
	event_base_dispatch(base);	/* as long as there is something on it */
	event_free(interrupt);
	ipsec_server_free(server);
	ipsec_server_config_free(config);
	ipsec_builder_free(b);
	event_base_free(base);
	return 0;
}
