/* A client that pings 10.8.0.1 through a tunnel, as 10.9.0.1, which exists only in this
 * program.
 *
 *	cc client.c $(pkg-config --cflags --libs libipsec)
 *	./a.out 203.0.113.1:4500 SECRET [COUNT] */
#include "ping.h"
#include <ikev/ipsec.h>
#include <stdio.h>
#include <stdlib.h>

static void
received(void *arg, struct ipsec_client *client, const struct ipsec_packet *v, unsigned n)
{
	(void)client;
	for (unsigned i = 0; i < n; i++)
		if (is_answer(v[i].data, v[i].len))
			printf("answer %ld\n", ++*(long *)arg);
}

static void
said(void *arg, struct ipsec_client *client, const struct ipsec_event *event)
{
	(void)arg;
	(void)client;
	printf("%s: %s\n", ipsec_event_name(event->type), event->text);
}

int
main(int argc, char **argv)
{
	struct ipsec_client_callbacks callbacks = { .event = said, .packets = received };
	struct ipsec_builder *b = ipsec_builder_new();
	long answers = 0, count = argc > 3 ? strtol(argv[3], NULL, 10) : 5;
	struct ipsec_client_config *config;
	struct ipsec_client *client;
	struct ipsec_fault fault;

	if (argc < 3 || b == NULL)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	ipsec_builder_set_local_id(b, "client.example");
	ipsec_builder_set_remote_id(b, "server.example");
	ipsec_builder_set_psk(b, argv[2], strlen(argv[2]));
	ipsec_builder_add_traffic_selector(b, "10.9.0.1", "10.8.0.1");
	config = ipsec_client_config_build(b, &fault, 1, NULL);
	if (config == NULL)
		return fprintf(stderr, "%s\n", fault.text), 1;
	client = ipsec_client_new(config, &callbacks, &answers);
	if (ipsec_client_connect(client, argv[1]) != IPSEC_OK)
		return fprintf(stderr, "%s\n", ipsec_client_why(client)), 1;
	while (!ipsec_client_is_up(client) && ipsec_client_wait(client, IPSEC_FOREVER))
		;
	for (long i = 0; i < count; i++) {
		int64_t next = ipsec_now() + IPSEC_SECOND / 5;

		ipsec_client_send_packet(client, ping, sizeof(ping));
		while (ipsec_client_wait(client, next))
			;
	}
	ipsec_client_shutdown(client);
	while (ipsec_client_wait(client, IPSEC_FOREVER))
		;
	ipsec_client_free(client);
	ipsec_client_config_free(config);
	ipsec_builder_free(b);
	return answers != count;
}
