#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libipsec/core.h"
#include "libipsec/socket.h"

struct ipsec_client {
	struct ipsec_core core;			/* first */
	struct ipsec_client_callbacks callbacks;
	void *arg;
	struct ipsec_session *session;		/* the newest that is up, or NULL */
	struct ipsec_place place;		/* of the peer */
	bool connecting, waiting;	/* waiting: to begin, until a callback returns */
};

static struct ipsec_client *
of(struct ipsec_core *c)
{
	return (struct ipsec_client *)c;
}

struct ipsec_core *
ipsec_client_core(struct ipsec_client *client)
{
	return &client->core;
}

/* ---- the core's calls ---- */

/* The peer calls back: it has proven itself. */
static enum ike_error
admit(struct ipsec_core *c, struct ipsec_session *s)
{
	(void)c;
	(void)s;
	return IKE_OK;
}

static struct ipsec_session *
newest_up(const struct ipsec_client *client)
{
	struct ipsec_session *s, *newest = NULL;

	TAILQ_FOREACH(s, &client->core.sessions, next)
		if (s->up)
			newest = s;
	return newest;
}

/* To the program there is one tunnel, though the peer may have begun another. */
static void
tell(struct ipsec_core *c, struct ipsec_session *s, const struct ipsec_event *event)
{
	struct ipsec_client *client = of(c);
	struct ipsec_session *before = client->session;
	struct ipsec_event other = *event;

	client->session = newest_up(client);
	if (event->type == IPSEC_EVENT_UP && before != NULL)
		other.type = IPSEC_EVENT_REKEYED;
	if ((event->type == IPSEC_EVENT_DOWN || event->type == IPSEC_EVENT_FAILED) &&
	    s != NULL && client->session != NULL)
		return;
	if (event->type == IPSEC_EVENT_UP || event->type == IPSEC_EVENT_DOWN ||
	    event->type == IPSEC_EVENT_FAILED)
		client->connecting = false;
	if (client->callbacks.event != NULL && !c->doomed)
		client->callbacks.event(client->arg, client, &other);
}

static void
deliver(struct ipsec_core *c, struct ipsec_session *s, const struct ipsec_packet *v,
    unsigned n)
{
	struct ipsec_client *client = of(c);

	(void)s;
	if (!c->doomed)
		client->callbacks.packets(client->arg, client, v, n);
}

static void
failed(struct ipsec_core *c, ike_id sa, enum ike_error error)
{
	if (of(c)->connecting && c->n_sessions == 0)
		ipsec_core_tell(c, NULL, IPSEC_EVENT_FAILED,
		    ipsec_core_error(error, false), c->last.sa == sa ? &c->last : NULL);
}

static enum ipsec_error start(struct ipsec_client *);

/* An IKE SA without a Child SA is no tunnel; it was refused one in the same breath. */
static void
close_empty(struct ipsec_core *c)
{
	struct ipsec_session *s;

	TAILQ_FOREACH(s, &c->sessions, next)
		if (s->established && !s->was_up && !s->closing && s->link.n_out == 0) {
			s->error = (uint8_t)(c->last.sa == s->link.entry.id ? c->last.error :
			    IPSEC_NO_SELECTORS);
			ipsec_session_close(s);
		}
}

static void
settle(struct ipsec_core *c)
{
	struct ipsec_client *client = of(c);
	struct ipsec_said said = { .sa = 0 };
	enum ipsec_error error;

	close_empty(c);
	if (!client->waiting || c->shutting)
		return;
	client->waiting = false;
	if ((error = start(client)) == IPSEC_OK)
		return;
	snprintf(said.text, sizeof(said.text), "%s", c->why);
	ipsec_core_tell(c, NULL, IPSEC_EVENT_FAILED, error, &said);
}

static void
destroy(struct ipsec_core *c)
{
	ipsec_core_end(c);
	free(of(c));
}

static const struct ipsec_core_ops asking_ops = {
	.calls = true, .admit = admit, .event = tell, .failed = failed, .settle = settle,
	.destroy = destroy,
};

static const struct ipsec_core_ops told_ops = {
	.calls = true, .admit = admit, .event = tell, .packets = deliver,
	.failed = failed, .settle = settle, .destroy = destroy,
};

/* ---- life ---- */

struct ipsec_client *
ipsec_client_new(struct ipsec_client_config *config,
    const struct ipsec_client_callbacks *callbacks, void *arg)
{
	struct ipsec_client *client = NULL;

	if (config == NULL || (client = calloc(1, sizeof(*client))) == NULL)
		return NULL;
	if (callbacks != NULL)
		client->callbacks = *callbacks;
	client->arg = arg;
	ipsec_core_init(&client->core,
	    client->callbacks.packets != NULL ? &told_ops : &asking_ops,
	    ipsec_client_settings(config));
	return client;
}

void
ipsec_client_free(struct ipsec_client *client)
{
	if (client == NULL)
		return;
	client->core.doomed = true;
	if (client->core.depth == 0)
		destroy(&client->core);
}

/* ---- connecting ---- */

/* Our own end: as configured, else any address of the peer's family. */
static struct ipsec_place
own_place(const struct ipsec_client *client)
{
	struct ipsec_place own = client->core.settings->local;
	uint8_t family, addr[16];
	uint32_t ifindex;

	if (own.host[0] == '\0' && ipsec_addr_parse(client->place.host, &family, addr,
	    &ifindex))
		snprintf(own.host, sizeof(own.host), "%s",
		    family == 6 ? "::" : "0.0.0.0");
	return own;
}

static void
tell_address(struct ipsec_core *c, const char *address)
{
	snprintf(c->why, sizeof(c->why), "\"%.80s\" is not an address that can be called; "
	    "write 192.0.2.1, 192.0.2.1:4500, [2001:db8::1]:4500 or a host name",
	    address);
}

/* All but the address was checked when the config was built. */
static struct ike_connection *
make_connection(struct ipsec_client *client, enum ike_start start,
    enum ipsec_error *error)
{
	struct ipsec_core *c = &client->core;
	struct ike_connection *connection;
	struct ike_fault fault = { .text = "" };
	unsigned n;

	connection = ipsec_settings_connection(c->settings, client->place.host,
	    client->place.port, start, &fault, 1, &n);
	if (connection != NULL)
		return connection;
	tell_address(c, client->place.host);
	*error = IPSEC_INVALID;
	if (fault.code == IKE_FAULT_NO_MEMORY) {
		snprintf(c->why, sizeof(c->why), "no memory for the connection");
		*error = IPSEC_NO_MEMORY;
	}
	return NULL;
}

static enum ipsec_error
begin(struct ipsec_client *client, struct ike_connection *connection)
{
	struct ipsec_core *c = &client->core;
	struct ipsec_place own = own_place(client);
	enum ipsec_error error;
	enum ike_error ike = IKE_NO_MEMORY;

	ipsec_core_close(c);
	if ((error = ipsec_core_open(c, &own)) != IPSEC_OK)
		return error;
	client->connecting = true;
	ipsec_core_tell(c, NULL, IPSEC_EVENT_CONNECTING, IPSEC_OK, NULL);
	if (c->doomed || c->shutting)
		return IPSEC_OK;	/* that was the program's answer */
	if (ipsec_core_put(c, connection))
		ike = ipsec_endpoint_up(c->endpoint, ipsec_now(), c->connection);
	if (ike == IKE_OK)
		return IPSEC_OK;
	client->connecting = false;
	snprintf(c->why, sizeof(c->why), "no memory for the connection");
	ipsec_core_close(c);
	return IPSEC_NO_MEMORY;
}

/* Opens the socket and begins, if the place can be called. */
static enum ipsec_error
start(struct ipsec_client *client)
{
	enum ipsec_error error = IPSEC_OK;
	struct ike_connection *connection;

	connection = make_connection(client, IKE_START_ALWAYS, &error);
	ike_connection_free(connection);
	if (connection == NULL ||
	    (connection = make_connection(client, IKE_START_PASSIVE, &error)) == NULL)
		return error;
	error = begin(client, connection);
	ike_connection_free(connection);
	return error;
}

static bool
is_busy(const struct ipsec_client *client)
{
	const struct ipsec_session *s;

	TAILQ_FOREACH(s, &client->core.sessions, next)
		if (!s->ended)
			return true;
	return client->connecting || client->waiting;
}

enum ipsec_error
ipsec_client_connect(struct ipsec_client *client, const char *address)
{
	enum ipsec_error error = IPSEC_OK;
	struct ipsec_place place;
	struct ipsec_core *c;

	if (client == NULL)
		return IPSEC_NO_MEMORY;
	c = &client->core;
	c->why[0] = '\0';
	if (c->shutting || c->doomed)
		return IPSEC_SHUT_DOWN;
	if (is_busy(client))
		return IPSEC_BUSY;
	if (!ipsec_place_parse(address, IPSEC_NATT_PORT, &place) ||
	    place.host[0] == '\0') {
		tell_address(c, address);
		return IPSEC_INVALID;
	}
	if (place.port == 0 || place.port == IPSEC_IKE_PORT) {
		snprintf(c->why, sizeof(c->why), "port %u cannot carry ESP; write the "
		    "peer's port for ESP in UDP, %d as a rule", (unsigned)place.port,
		    IPSEC_NATT_PORT);
		return IPSEC_INVALID;
	}
	client->place = place;
	if (c->depth > 0) {		/* in a callback: when that has returned */
		client->waiting = true;
		return IPSEC_OK;
	}
	ipsec_core_enter(c);
	error = start(client);
	ipsec_core_leave(c);
	return error;
}

const char *
ipsec_client_why(const struct ipsec_client *client)
{
	return client != NULL ? client->core.why : ipsec_error_text(IPSEC_NO_MEMORY);
}

bool
ipsec_client_is_up(const struct ipsec_client *client)
{
	return client->session != NULL && ipsec_session_is_up(client->session);
}

/* ---- packets ---- */

/* Why nothing can be sent. */
static enum ipsec_error
refuses(const struct ipsec_client *client)
{
	if (client->core.shutting)
		return IPSEC_SHUT_DOWN;
	return client->session == NULL ? IPSEC_NOT_CONNECTED : IPSEC_OK;
}

unsigned
ipsec_client_send_packets(struct ipsec_client *client, struct ipsec_packet *v, unsigned n)
{
	enum ipsec_error error = refuses(client);

	if (error == IPSEC_OK)
		return ipsec_session_send_packets(client->session, v, n);
	for (unsigned i = 0; i < n; i++)
		v[i].error = error;
	return 0;
}

enum ipsec_error
ipsec_client_send_packet(struct ipsec_client *client, const void *packet, size_t len)
{
	enum ipsec_error error = refuses(client);

	return error != IPSEC_OK ? error :
	    ipsec_session_send_packet(client->session, packet, len);
}

unsigned
ipsec_client_recv_packets(struct ipsec_client *client, struct ipsec_packet *v, unsigned n)
{
	return client->session == NULL ? 0 :
	    ipsec_session_recv_packets(client->session, v, n);
}

enum ipsec_error
ipsec_client_recv_packet(struct ipsec_client *client, void *packet, size_t room,
    size_t *len)
{
	*len = 0;
	return client->session == NULL ? IPSEC_AGAIN :
	    ipsec_session_recv_packet(client->session, packet, room, len);
}

size_t
ipsec_client_mtu(const struct ipsec_client *client)
{
	return client->session == NULL ? 0 : ipsec_session_mtu(client->session);
}

/* ---- its course ---- */

enum ipsec_error
ipsec_client_rekey(struct ipsec_client *client, enum ipsec_rekey what)
{
	enum ipsec_error error = refuses(client);

	return error != IPSEC_OK ? error : ipsec_session_rekey(client->session, what);
}

void
ipsec_client_roam(struct ipsec_client *client)
{
	struct ipsec_core *c = &client->core;

	ipsec_core_enter(c);
	if (c->endpoint != NULL)
		ipsec_endpoint_roam(c->endpoint, ipsec_now());
	ipsec_core_leave(c);
}

void
ipsec_client_shutdown(struct ipsec_client *client)
{
	client->waiting = false;
	ipsec_core_shutdown(&client->core);
}

bool
ipsec_client_is_shut_down(const struct ipsec_client *client)
{
	return client->core.shut_down || client->core.endpoint == NULL;
}

void
ipsec_client_metrics(const struct ipsec_client *client, struct ipsec_metrics *m)
{
	ipsec_core_metrics(&client->core, m);
	m->up_since = client->session != NULL ? client->session->up_since : 0;
}

unsigned
ipsec_client_fds(const struct ipsec_client *client, struct pollfd *v, unsigned n)
{
	return ipsec_core_fds(&client->core, v, n);
}

bool
ipsec_client_deadline(const struct ipsec_client *client, int64_t *when)
{
	return ipsec_core_deadline(&client->core, when);
}

int
ipsec_client_timeout(const struct ipsec_client *client, int64_t now)
{
	return ipsec_core_timeout(&client->core, now);
}

bool
ipsec_client_wait(struct ipsec_client *client, int64_t until)
{
	struct ipsec_core *c = &client->core;
	bool over = !is_busy(client) && (!c->shutting || c->shut_down);

	return ipsec_core_wait(c, over ? 0 : until);
}

void
ipsec_client_process(struct ipsec_client *client, int64_t now)
{
	ipsec_core_process(&client->core, now);
}
