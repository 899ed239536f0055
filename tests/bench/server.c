#include <stdio.h>
#include <string.h>

#include "tests/bench/bench.h"
#include "tests/bench/server.h"

struct ipsec_builder *
server_describe(const char *ours, const char *theirs)
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
	ipsec_builder_set_dpd(b, 0);
	return b;
}

static void
said(void *arg, struct ipsec_server *server, struct ipsec_session *session,
    const struct ipsec_event *event)
{
	struct server *s = arg;

	(void)server;
	if (session == NULL || event->type != IPSEC_EVENT_UP)
		return;
	if (s->sessions != NULL)
		s->sessions[s->up] = session;
	s->up++;
}

static void
receive(void *arg, struct ipsec_session *session, const struct ipsec_packet *v,
    unsigned n)
{
	struct server *s = arg;

	(void)session;
	(void)v;
	s->received += n;
}

bool
server_open(struct server *s)
{
	static const struct ipsec_server_callbacks callbacks = { .event = said,
	    .packets = receive };
	struct ipsec_builder *b;
	struct ipsec_fault fault;
	unsigned n;

	memset(s, 0, sizeof(*s));
	b = server_describe("server.example", "*.clients.example");
	s->config = ipsec_server_config_build(b, &fault, 1, &n);
	ipsec_builder_free(b);
	if (s->config == NULL)
		return false;
	s->server = ipsec_server_new(s->config, &callbacks, s);
	if (s->server == NULL || ipsec_server_bind(s->server, "127.0.0.1:0") != IPSEC_OK)
		return false;
	snprintf(s->address, sizeof(s->address), "127.0.0.1:%u",
	    ipsec_server_port(s->server));
	return true;
}

void
server_close(struct server *s)
{
	ipsec_server_free(s->server);
	ipsec_server_config_free(s->config);
}

void
server_process(struct server *s, int wait)
{
	struct pollfd fds[8];
	unsigned n = ipsec_server_fds(s->server, fds, 8);
	double start;

	if (poll(fds, n, wait) <= 0)
		return;
	start = bench_cpu();
	ipsec_server_process(s->server, ipsec_now());
	s->cpu += bench_cpu() - start;
}
