#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libipsec/core.h"
#include "libipsec/socket.h"

struct ipsec_server {
	struct ipsec_core core;			/* first */
	struct ipsec_server_callbacks callbacks;
	struct ipsec_core_ops ops;		/* those that the callbacks need */
	void *arg;
};

static struct ipsec_server *
of(struct ipsec_core *c)
{
	return (struct ipsec_server *)c;
}

struct ipsec_core *
ipsec_server_core(struct ipsec_server *server)
{
	return &server->core;
}

/* ---- the core's calls ---- */

static enum ike_error
admit(struct ipsec_core *c, struct ipsec_session *s)
{
	static const enum ike_error verdicts[] = { [IPSEC_ACCEPT] = IKE_OK,
	    [IPSEC_REFUSE] = IKE_AUTHENTICATION_FAILED, [IPSEC_LATER] = IKE_WAIT };
	struct ipsec_server *server = of(c);
	enum ipsec_verdict verdict = IPSEC_ACCEPT;

	if (server->callbacks.accept != NULL)
		verdict = server->callbacks.accept(server->arg, server, s);
	return (unsigned)verdict < sizeof(verdicts) / sizeof(verdicts[0]) ?
	    verdicts[verdict] : IKE_AUTHENTICATION_FAILED;
}

static size_t
find_psk(struct ipsec_core *c, const char *peer_id, uint8_t *secret, size_t room)
{
	struct ipsec_server *server = of(c);

	return server->callbacks.psk(server->arg, server, peer_id, secret, room);
}

static void
tell(struct ipsec_core *c, struct ipsec_session *s, const struct ipsec_event *event)
{
	struct ipsec_server *server = of(c);

	if (server->callbacks.event != NULL && !c->doomed)
		server->callbacks.event(server->arg, server, s, event);
}

static void
deliver(struct ipsec_core *c, struct ipsec_session *s, const struct ipsec_packet *v,
    unsigned n)
{
	struct ipsec_server *server = of(c);

	if (!c->doomed)
		server->callbacks.packets(server->arg, s, v, n);
}

/* Somebody came, and was nobody: what was refused has been said. */
static void
failed(struct ipsec_core *c, ike_id sa, enum ike_error error)
{
	(void)c;
	(void)sa;
	(void)error;
}

static void
settle(struct ipsec_core *c)
{
	(void)c;
}

static void
destroy(struct ipsec_core *c)
{
	ipsec_core_end(c);
	free(of(c));
}

/* ---- life ---- */

struct ipsec_server *
ipsec_server_new(struct ipsec_server_config *config,
    const struct ipsec_server_callbacks *callbacks, void *arg)
{
	struct ipsec_server *server = NULL;

	if (config == NULL || (server = calloc(1, sizeof(*server))) == NULL)
		return NULL;
	if (callbacks != NULL)
		server->callbacks = *callbacks;
	server->arg = arg;
	server->ops = (struct ipsec_core_ops){ .admit = admit, .event = tell,
	    .failed = failed, .settle = settle, .destroy = destroy,
	    .packets = server->callbacks.packets != NULL ? deliver : NULL,
	    .psk = server->callbacks.psk != NULL ? find_psk : NULL };
	ipsec_core_init(&server->core, &server->ops, ipsec_server_settings(config));
	return server;
}

void
ipsec_server_free(struct ipsec_server *server)
{
	if (server == NULL)
		return;
	server->core.doomed = true;
	if (server->core.depth == 0)
		destroy(&server->core);
}

/* ---- binding ---- */

static enum ipsec_error
invalid(struct ipsec_core *c, const char *address, const char *why)
{
	snprintf(c->why, sizeof(c->why), "cannot listen at \"%.80s\": %s", address, why);
	return IPSEC_INVALID;
}

static enum ipsec_error
check(struct ipsec_server *server, const char *address, struct ipsec_place *place)
{
	struct ipsec_core *c = &server->core;
	uint8_t family, addr[16];
	uint32_t ifindex;

	if (c->shutting || c->doomed)
		return IPSEC_SHUT_DOWN;
	if (c->endpoint != NULL)
		return IPSEC_BUSY;
	if (!ipsec_place_parse(address, IPSEC_NATT_PORT, place) ||
	    (place->host[0] != '\0' && !ipsec_addr_parse(place->host, &family, addr,
	    &ifindex)))
		return invalid(c, address, "this is not an address; write one of this "
		    "host's, 0.0.0.0 or ::, perhaps with a port: 192.0.2.1:4500, "
		    "[::1]:4500, :4500");
	if (place->port == IPSEC_IKE_PORT)
		return invalid(c, address, "port 500 cannot carry ESP; 4500 is usual");
	if (!c->settings->has_psk && c->settings->n_peers == 0 &&
	    server->callbacks.psk == NULL)
		return invalid(c, address, "there is no secret; give the config one, or "
		    "a psk callback");
	return IPSEC_OK;
}

static enum ipsec_error
start(struct ipsec_core *c, const struct ipsec_place *place)
{
	enum ipsec_error error = ipsec_core_open(c, place);
	struct ike_connection *connection;
	struct ike_fault fault = { .text = "" };
	unsigned n;

	if (error != IPSEC_OK)
		return error;
	connection = ipsec_settings_connection(c->settings, "any", IPSEC_NATT_PORT,
	    IKE_START_PASSIVE, &fault, 1, &n);
	if (connection != NULL && ipsec_core_put(c, connection)) {
		ike_connection_free(connection);
		return IPSEC_OK;
	}
	ike_connection_free(connection);
	snprintf(c->why, sizeof(c->why), "no memory for the connection");
	ipsec_core_close(c);
	return IPSEC_NO_MEMORY;
}

enum ipsec_error
ipsec_server_bind(struct ipsec_server *server, const char *address)
{
	struct ipsec_place place;
	enum ipsec_error error;
	struct ipsec_core *c;

	if (server == NULL)
		return IPSEC_NO_MEMORY;
	c = &server->core;
	c->why[0] = '\0';
	if ((error = check(server, address, &place)) != IPSEC_OK)
		return error;
	ipsec_core_enter(c);
	error = start(c, &place);
	ipsec_core_leave(c);
	return error;
}

const char *
ipsec_server_why(const struct ipsec_server *server)
{
	return server != NULL ? server->core.why : ipsec_error_text(IPSEC_NO_MEMORY);
}

uint16_t
ipsec_server_port(const struct ipsec_server *server)
{
	const struct ipsec_endpoint *e = server->core.endpoint;

	return e != NULL ? ipsec_udp_natt_port(ipsec_endpoint_udp(e)) : 0;
}

/* ---- its course ---- */

void
ipsec_server_shutdown(struct ipsec_server *server)
{
	ipsec_core_shutdown(&server->core);
}

bool
ipsec_server_is_shut_down(const struct ipsec_server *server)
{
	return server->core.shut_down || server->core.endpoint == NULL;
}

void
ipsec_server_metrics(const struct ipsec_server *server, struct ipsec_metrics *m)
{
	ipsec_core_metrics(&server->core, m);
}

unsigned
ipsec_server_fds(const struct ipsec_server *server, struct pollfd *v, unsigned n)
{
	return ipsec_core_fds(&server->core, v, n);
}

bool
ipsec_server_deadline(const struct ipsec_server *server, int64_t *when)
{
	return ipsec_core_deadline(&server->core, when);
}

int
ipsec_server_timeout(const struct ipsec_server *server, int64_t now)
{
	return ipsec_core_timeout(&server->core, now);
}

bool
ipsec_server_wait(struct ipsec_server *server, int64_t until)
{
	return ipsec_core_wait(&server->core, until);
}

void
ipsec_server_process(struct ipsec_server *server, int64_t now)
{
	ipsec_core_process(&server->core, now);
}

struct ipsec_session *
ipsec_server_next_session(struct ipsec_server *server, const struct ipsec_session *s)
{
	return s == NULL ? TAILQ_FIRST(&server->core.sessions) : TAILQ_NEXT(s, next);
}

struct ipsec_server *
ipsec_session_server(const struct ipsec_session *s)
{
	return of(s->core);
}
