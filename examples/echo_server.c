/* A server that answers pings: a host 10.8.0.1 that exists only in this program.
 *
 *	cc echo_server.c $(pkg-config --cflags --libs libipsec libevent_core)
 *	./a.out :4500 SECRET */
#include <event2/event.h>
#include <ikev/ipsec.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* An echo request over IPv4 becomes its reply: who asked is answered, RFC 792. */
static void
answer(void *arg, struct ipsec_session *session, const struct ipsec_packet *v, unsigned n)
{
	uint8_t reply[2048];

	(void)arg;
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *p = v[i].data;
		size_t ip = (p[0] & 0xfU) * 4, sum;

		if (p[0] >> 4 != 4 || v[i].len < ip + 8 || v[i].len > sizeof(reply) ||
		    p[9] != 1 || p[ip] != 8)
			continue;
		memcpy(reply, p, v[i].len);
		memcpy(reply + 12, p + 16, 4);
		memcpy(reply + 16, p + 12, 4);
		reply[ip] = 0;
		sum = ((size_t)p[ip + 2] << 8 | p[ip + 3]) + 0x800;
		sum = (sum & 0xffff) + (sum >> 16);
		reply[ip + 2] = (uint8_t)(sum >> 8);
		reply[ip + 3] = (uint8_t)sum;
		ipsec_session_send_packet(session, reply, v[i].len);
	}
}

static void
said(void *arg, struct ipsec_server *server, struct ipsec_session *session,
    const struct ipsec_event *event)
{
	(void)server;
	(void)session;
	printf("%s %s: %s\n", event->peer_id, ipsec_event_name(event->type), event->text);
	if (event->type == IPSEC_EVENT_SHUT_DOWN)
		event_base_loopbreak(arg);
}

static void
stop(int signal, short what, void *server)
{
	(void)signal;
	(void)what;
	ipsec_server_shutdown(server);
}

int
main(int argc, char **argv)
{
	struct ipsec_server_callbacks callbacks = { .event = said, .packets = answer };
	struct event_base *base = event_base_new();
	struct ipsec_builder *b = ipsec_builder_new();
	struct ipsec_server_config *config = NULL;
	struct ipsec_server *server = NULL;
	struct event *interrupt = NULL;
	struct ipsec_fault fault;
	unsigned faults;

	if (argc != 3 || base == NULL || b == NULL)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	ipsec_builder_set_local_id(b, "server.example");
	ipsec_builder_set_psk(b, argv[2], strlen(argv[2]));
	ipsec_builder_add_traffic_selector(b, "10.8.0.1", "10.9.0.0/16");
	config = ipsec_server_config_build(b, &fault, 1, &faults);
	ipsec_builder_free(b);
	if (config == NULL)
		return fprintf(stderr, "%s\n", fault.text), 1;
	server = ipsec_server_new(config, &callbacks, base);
	ipsec_server_config_free(config);
	if (server == NULL || !ipsec_server_attach(server, base))
		return 1;
	if (ipsec_server_bind(server, argv[1]) != IPSEC_OK)
		return fprintf(stderr, "%s\n", ipsec_server_why(server)), 1;
	printf("port %u\n", ipsec_server_port(server));
	interrupt = evsignal_new(base, SIGINT, stop, server);
	event_add(interrupt, NULL);
	event_base_dispatch(base);
	event_free(interrupt);
	ipsec_server_free(server);
	event_base_free(base);
	return 0;
}
