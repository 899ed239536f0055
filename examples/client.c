/* A client that pings 10.8.0.1 through a tunnel, as 10.9.0.1, which exists only in this
 * program.
 *
 *	cc client.c $(pkg-config --cflags --libs libipsec libevent_core)
 *	./a.out 203.0.113.1:4500 SECRET [COUNT] */
#include <event2/event.h>
#include <ikev/ipsec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct timeval pause = { .tv_usec = 200000 };

struct program {
	struct event_base *base;
	struct ipsec_client *client;
	struct event *tick;
	unsigned asked, answered, count;
};

/* IPv4 and ICMP, RFC 791 and 792, with their checksums. */
static void
ask(int fd, short what, void *arg)
{
	struct program *p = arg;
	uint8_t ping[28] = { 0x45, [3] = sizeof(ping), [8] = 64, 1,
	    [12] = 10, 9, 0, 1, 10, 8, 0, 1, 8, [27] = (uint8_t)p->asked };
	unsigned ip = 0x4500 + sizeof(ping) + 0x4001 + 0x0a09 + 1 + 0x0a08 + 1;
	unsigned icmp = 0x0800 + ping[27];

	(void)fd;
	(void)what;
	ip = ~((ip & 0xffff) + (ip >> 16));
	ping[10] = (uint8_t)(ip >> 8);
	ping[11] = (uint8_t)ip;
	ping[22] = (uint8_t)(~icmp >> 8);
	ping[23] = (uint8_t)~icmp;
	if (p->asked++ < p->count)
		ipsec_client_send_packet(p->client, ping, sizeof(ping));
	else
		ipsec_client_shutdown(p->client);
}

static void
answered(void *arg, struct ipsec_client *client, const struct ipsec_packet *v, unsigned n)
{
	struct program *p = arg;

	(void)client;
	for (unsigned i = 0; i < n; i++)
		if (v[i].len == 28 && v[i].data[9] == 1 && v[i].data[20] == 0)
			printf("answer %u of %u\n", ++p->answered, p->count);
}

static void
said(void *arg, struct ipsec_client *client, const struct ipsec_event *event)
{
	struct program *p = arg;

	(void)client;
	printf("%s: %s\n", ipsec_event_name(event->type), event->text);
	if (event->type == IPSEC_EVENT_UP)
		event_add(p->tick, &pause);
	else if (event->type >= IPSEC_EVENT_FAILED)
		event_base_loopbreak(p->base);
}

int
main(int argc, char **argv)
{
	struct ipsec_client_callbacks callbacks = { .event = said, .packets = answered };
	struct program p = { .base = event_base_new(), .count = 5 };
	struct ipsec_builder *b = ipsec_builder_new();
	struct ipsec_client_config *config;
	struct ipsec_fault fault = { .text = "" };
	unsigned faults;

	if (argc < 3 || p.base == NULL || b == NULL)
		return 2;
	if (argc > 3)
		p.count = (unsigned)strtoul(argv[3], NULL, 10);
	setvbuf(stdout, NULL, _IOLBF, 0);
	ipsec_builder_set_local_id(b, "client.example");
	ipsec_builder_set_remote_id(b, "server.example");
	ipsec_builder_set_psk(b, argv[2], strlen(argv[2]));
	ipsec_builder_add_traffic_selector(b, "10.9.0.1", "10.8.0.1");
	config = ipsec_client_config_build(b, &fault, 1, &faults);
	ipsec_builder_free(b);
	if (config == NULL)
		return fprintf(stderr, "%s\n", fault.text), 1;
	p.client = ipsec_client_new(config, &callbacks, &p);
	ipsec_client_config_free(config);
	p.tick = event_new(p.base, -1, EV_PERSIST, ask, &p);
	if (p.client == NULL || p.tick == NULL || !ipsec_client_attach(p.client, p.base))
		return 1;
	if (ipsec_client_connect(p.client, argv[1]) != IPSEC_OK)
		return fprintf(stderr, "%s\n", ipsec_client_why(p.client)), 1;
	event_base_dispatch(p.base);
	event_free(p.tick);
	ipsec_client_free(p.client);
	event_base_free(p.base);
	return p.answered != p.count;
}
