#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "daemon/listen.h"
#include "daemon/varlink.h"

/* A client whose replies pile up this high is not read from. */
enum { OUTPUT_HIGH = 1 << 20 };

/* What can be said without memory for JSON. */
static const char no_memory[] =
    "{\"error\":\"org.ikev.Ikevd.NoMemory\",\"parameters\":{}}";
static const char too_many[] = "{\"error\":\"org.ikev.Ikevd.Busy\",\"parameters\":{}}";

struct client {
	TAILQ_ENTRY(client) link;
	struct varlink *server;
	struct bufferevent *io;
	struct varlink_call call;
	json_t *message;		/* what call's views belong to */
	bool busy;			/* a call is open */
	bool oneway, upgrade;		/* as the call says */
	bool continued;			/* it goes on when the output is written */
	bool ended;			/* nothing more will come */
	bool closing;			/* once the output is written */
};

struct varlink {
	struct event_base *base;
	struct evconnlistener *listener;
	struct event *again;		/* accept again */
	const struct varlink_interface *interface;
	TAILQ_HEAD(clients, client) clients;	/* who spoke last is first */
	unsigned n_clients;
	struct listen_socket socket;
};

/* ---- clients ---- */

static void
free_client(struct client *c)
{
	const struct varlink_interface *i = c->server->interface;

	if (c->busy)
		i->cancel(i->arg, &c->call);
	TAILQ_REMOVE(&c->server->clients, c, link);
	c->server->n_clients--;
	json_decref(c->message);
	bufferevent_free(c->io);
	free(c);
}

/* Called when there is nothing to be written, too. */
static void
close_when_written(struct client *c)
{
	c->closing = true;
	bufferevent_disable(c->io, EV_READ);
	bufferevent_trigger(c->io, EV_WRITE, BEV_OPT_DEFER_CALLBACKS);
}

/* jansson goes on after an error of its writer: the first one sets `bad`. */
struct writer {
	struct evbuffer *to;
	bool bad;
};

static int
write_piece(const char *text, size_t len, void *arg)
{
	struct writer *w = arg;

	w->bad = w->bad || evbuffer_add(w->to, text, len) != 0;
	return w->bad ? -1 : 0;
}

/* The whole message, or nothing of it. */
static bool
write_message(struct evbuffer *out, const json_t *message)
{
	struct writer w = { evbuffer_new(), false };
	bool written = w.to != NULL && message != NULL &&
	    json_dump_callback(message, write_piece, &w, JSON_COMPACT) == 0 &&
	    write_piece("", 1, &w) == 0 && evbuffer_add_buffer(out, w.to) == 0;

	if (w.to != NULL)
		evbuffer_free(w.to);
	return written;
}

/* Takes `message` over.  False: no memory; the client is closed. */
static bool
send_message(struct client *c, json_t *message)
{
	struct evbuffer *out = bufferevent_get_output(c->io);
	bool sent = write_message(out, message);

	json_decref(message);
	if (!sent) {
		evbuffer_add(out, no_memory, sizeof(no_memory));
		close_when_written(c);
	}
	return sent;
}

static struct client *
client_of(struct varlink_call *call)
{
	return (struct client *)(void *)((char *)call - offsetof(struct client, call));
}

/* The next call of this client is read from the loop, not from within the handler. */
static void
end_call(struct client *c)
{
	c->busy = c->continued = false;
	json_decref(c->message);
	c->message = NULL;
	bufferevent_trigger(c->io, EV_READ, BEV_OPT_DEFER_CALLBACKS);
}

static void
answer(struct varlink_call *call, json_t *message)
{
	struct client *c = client_of(call);

	if (c->oneway)
		json_decref(message);
	else
		send_message(c, message);
	end_call(c);
}

/* json_pack takes no NULL for an object: then there is no message either. */
void
varlink_reply(struct varlink_call *call, json_t *parameters)
{
	answer(call, json_pack("{so}", "parameters", parameters));
}

void
varlink_error(struct varlink_call *call, const char *error, json_t *parameters)
{
	answer(call, json_pack("{ssso}", "error", error, "parameters", parameters));
}

void
varlink_invalid(struct varlink_call *call, const char *parameter)
{
	varlink_error(call, "org.varlink.service.InvalidParameter",
	    json_pack("{ss}", "parameter", parameter));
}

void
varlink_continue(struct varlink_call *call, json_t *parameters)
{
	struct client *c = client_of(call);

	if (send_message(c,
		json_pack("{sosb}", "parameters", parameters, "continues", 1)))
		c->continued = true;
	else
		end_call(c);
}

/* ---- org.varlink.service ---- */

static void
get_info(void *arg, struct varlink_call *call)
{
	(void)arg;
	varlink_reply(call, json_pack("{ssssssss s[ss]}", "vendor", "ikevd", "product",
	    "ikevd", "version", IKEVD_VERSION, "url", "", "interfaces",
	    "org.varlink.service", client_of(call)->server->interface->name));
}

static void get_description(void *arg, struct varlink_call *);

static const struct varlink_method service_methods[] = {
	{ "GetInfo", get_info, { NULL } },
	{ "GetInterfaceDescription", get_description, { "interface" } },
	{ NULL, NULL, { NULL } }
};

static const struct varlink_interface service = {
	.name = "org.varlink.service",
	.methods = service_methods,
	.description =
	    "# What every Varlink service can be asked about itself.\n"
	    "interface org.varlink.service\n\n"
	    "method GetInfo() -> (vendor: string, product: string, version: string, url: "
	    "string,"
	    " interfaces: []string)\n"
	    "method GetInterfaceDescription(interface: string) -> (description: string)\n"
	    "error InterfaceNotFound (interface: string)\n"
	    "error MethodNotFound (method: string)\n"
	    "error MethodNotImplemented (method: string)\n"
	    "error InvalidParameter (parameter: string)\n",
};

/* By the first `len` characters. */
static const struct varlink_interface *
find_interface(const struct client *c, const char *name, size_t len)
{
	const struct varlink_interface *all[] = { c->server->interface, &service };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strlen(all[i]->name) == len && memcmp(all[i]->name, name, len) == 0)
			return all[i];
	return NULL;
}

static void
no_interface(struct varlink_call *call, const char *name, size_t len)
{
	varlink_error(call, "org.varlink.service.InterfaceNotFound",
	    json_pack("{ss%}", "interface", name, len));
}

static void
get_description(void *arg, struct varlink_call *call)
{
	const char *name =
	    json_string_value(json_object_get(call->parameters, "interface"));
	const struct varlink_interface *i;

	(void)arg;
	if (name == NULL)
		varlink_invalid(call, "interface");
	else if ((i = find_interface(client_of(call), name, strlen(name))) != NULL)
		varlink_reply(call, json_pack("{ss}", "description", i->description));
	else
		no_interface(call, name, strlen(name));
}

/* ---- from a call to its method ---- */

/* A name among the parameters that the method does not have, or NULL. */
static const char *
find_stranger(const struct varlink_method *m, const struct varlink_call *call)
{
	const char *name;
	json_t *value;
	unsigned i;

	json_object_foreach(call->parameters, name, value) {
		for (i = 0; m->parameters[i] != NULL; i++)
			if (strcmp(m->parameters[i], name) == 0)
				break;
		if (m->parameters[i] == NULL)
			return name;
	}
	return NULL;
}

static void
handle(const struct varlink_interface *i, const struct varlink_method *m,
    struct varlink_call *call)
{
	const char *stranger = find_stranger(m, call);

	if (stranger != NULL)
		varlink_invalid(call, stranger);
	else if (client_of(call)->upgrade)	/* a reply would mean that we did */
		varlink_invalid(call, "upgrade");
	else
		m->handle(i->arg, call);
}

static void
dispatch(struct varlink_call *call)
{
	const char *dot = strrchr(call->method, '.');
	const struct varlink_interface *i = NULL;
	const struct varlink_method *m;
	size_t len = dot != NULL ? (size_t)(dot - call->method) : 0;

	if (dot != NULL &&
	    (i = find_interface(client_of(call), call->method, len)) == NULL) {
		no_interface(call, call->method, len);
		return;
	}
	for (m = i != NULL ? i->methods : NULL; m != NULL && m->name != NULL; m++)
		if (strcmp(m->name, dot + 1) == 0) {
			handle(i, m, call);
			return;
		}
	varlink_error(call, "org.varlink.service.MethodNotFound",
	    json_pack("{ss}", "method", call->method));
}

/* ---- reading ---- */

static void
refuse_client(struct client *c, const char *reason)
{
	if (send_message(c, json_pack("{sss{ss}}", "error", "org.ikev.Ikevd.BadMessage",
	    "parameters", "reason", reason)))
		close_when_written(c);
}

/* Of what JSON itself does not say: false with `reason`. */
static bool
read_call(struct client *c, char *reason, size_t size)
{
	struct varlink_call *call = &c->call;
	int oneway = 0, more = 0, upgrade = 0;
	json_error_t error;

	call->parameters = call->context = NULL;
	if (json_unpack_ex(c->message, &error, 0, "{s:s, s?o, s?b, s?b, s?b}", "method",
		&call->method, "parameters", &call->parameters, "oneway", &oneway, "more",
		&more, "upgrade", &upgrade) != 0) {
		snprintf(reason, size, "not a call: %s", error.text);
		return false;
	}
	if (json_is_null(call->parameters))
		call->parameters = NULL;
	if (call->parameters != NULL && !json_is_object(call->parameters)) {
		snprintf(reason, size, "not a call: parameters must be an object");
		return false;
	}
	if (oneway && (more || upgrade)) {
		snprintf(reason, size,
		    "not a call: oneway has no reply, more and upgrade ask for "
		    "some");
		return false;
	}
	call->more = more;
	c->oneway = oneway;
	c->upgrade = upgrade;
	return true;
}

/* One framed message; false: it is none, and the client was refused. */
static bool
take_message(struct client *c, const char *text, size_t len)
{
	json_error_t error;
	char reason[JSON_ERROR_TEXT_LENGTH + 64];

	c->message = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (c->message == NULL)
		snprintf(reason, sizeof(reason), "not JSON: %s (column %d)", error.text,
		    error.column);
	if (c->message == NULL || !read_call(c, reason, sizeof(reason))) {
		refuse_client(c, reason);
		return false;
	}
	c->busy = true;
	TAILQ_REMOVE(&c->server->clients, c, link);
	TAILQ_INSERT_HEAD(&c->server->clients, c, link);
	return true;
}

/* All whole messages have been taken. */
static void
starve(struct client *c)
{
	size_t len = evbuffer_get_length(bufferevent_get_input(c->io));

	if (len >= VARLINK_MESSAGE_MAX)
		refuse_client(c, "the message is too long, or its NUL is missing");
	else if (c->ended && len > 0)
		refuse_client(c, "the message ended without its NUL");
	else if (c->ended)
		close_when_written(c);
}

static void
read_calls(struct bufferevent *io, void *arg)
{
	struct client *c = arg;
	struct evbuffer *in = bufferevent_get_input(io);
	struct evbuffer_ptr end;
	char *text;

	while (!c->busy && !c->closing &&
	    evbuffer_get_length(bufferevent_get_output(io)) < OUTPUT_HIGH) {
		end = evbuffer_search(in, "", 1, NULL);
		if (end.pos < 0) {
			starve(c);
			return;
		}
		text = (char *)evbuffer_pullup(in, end.pos + 1);
		if (text == NULL) {
			send_message(c, NULL);
			return;
		}
		if (take_message(c, text, (size_t)end.pos)) {
			evbuffer_drain(in, (size_t)end.pos + 1);
			dispatch(&c->call);
		}
	}
}

/* The output has been written: the end, or room for further replies and calls. */
static void
written(struct bufferevent *io, void *arg)
{
	struct client *c = arg;
	const struct varlink_interface *i = c->server->interface;

	if (evbuffer_get_length(bufferevent_get_output(io)) > 0)
		return;
	if (c->closing) {
		free_client(c);
	} else if (c->continued) {
		c->continued = false;
		i->resume(i->arg, &c->call);
	} else {
		read_calls(io, c);
	}
}

/* Not only has it sent all that it had to send: it will not read either. */
static bool
has_gone(const struct client *c)
{
	struct pollfd p = { .fd = bufferevent_getfd(c->io) };

	return poll(&p, 1, 0) != 0;
}

static void
ended(struct bufferevent *io, short what, void *arg)
{
	struct client *c = arg;
	bool waits_for_nothing = c->busy && c->oneway;

	if ((what & BEV_EVENT_EOF) == 0 || (has_gone(c) && !waits_for_nothing)) {
		free_client(c);
		return;
	}
	c->ended = true;
	read_calls(io, c);
}

/* ---- the socket ---- */

/* The client that has been silent for longest gives way, but none with an open call. */
static bool
make_room(struct varlink *v)
{
	struct client *c;

	if (v->n_clients < VARLINK_CLIENTS_MAX)
		return true;
	TAILQ_FOREACH_REVERSE(c, &v->clients, clients, link)
		if (!c->busy) {
			free_client(c);
			return true;
		}
	return false;
}

static struct client *
new_client(struct varlink *v, int fd)
{
	struct client *c = calloc(1, sizeof(*c));
	socklen_t size = sizeof(c->call.peer);

	if (c == NULL)
		return NULL;
	c->server = v;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c->call.peer, &size) != 0 ||
	    (c->io = bufferevent_socket_new(v->base, fd, BEV_OPT_CLOSE_ON_FREE)) ==
		NULL) {
		free(c);
		return NULL;
	}
	return c;
}

static void
accepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
    int len, void *arg)
{
	struct varlink *v = arg;
	bool room = make_room(v);
	struct client *c = room ? new_client(v, fd) : NULL;

	(void)listener;
	(void)from;
	(void)len;
	if (c == NULL) {
		(void)send(fd, room ? no_memory : too_many, room ? sizeof(no_memory) :
		    sizeof(too_many), MSG_DONTWAIT | MSG_NOSIGNAL);
		close(fd);
		return;
	}
	TAILQ_INSERT_HEAD(&v->clients, c, link);
	v->n_clients++;
	bufferevent_setcb(c->io, read_calls, written, ended, c);
	bufferevent_setwatermark(c->io, EV_READ, 0, VARLINK_MESSAGE_MAX);
	bufferevent_enable(c->io, EV_READ | EV_WRITE);
}

static void
accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct varlink *v = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(v->listener);
}

/* Out of descriptors, say: try again later rather than spin. */
static void
accept_failed(struct evconnlistener *listener, void *arg)
{
	struct varlink *v = arg;
	struct timeval second = { 1, 0 };

	evconnlistener_disable(listener);
	event_add(v->again, &second);
}

struct varlink *
varlink_new(struct event_base *base, const char *path, const struct varlink_interface *i,
    char why[VARLINK_WHY_LEN])
{
	struct listen_socket socket;
	struct varlink *v;

	if (!listen_open(&socket, path, why))
		return NULL;
	snprintf(why, VARLINK_WHY_LEN, "control socket: no memory");
	if ((v = calloc(1, sizeof(*v))) == NULL) {
		close(socket.fd);
		listen_remove(&socket);
		return NULL;
	}
	v->base = base;
	v->interface = i;
	v->socket = socket;
	TAILQ_INIT(&v->clients);
	v->again = event_new(base, -1, 0, accept_again, v);
	v->listener =
	    evconnlistener_new(base, accepted, v, LEV_OPT_CLOSE_ON_EXEC, 0, socket.fd);
	if (v->again == NULL || v->listener == NULL) {
		varlink_free(v);
		return NULL;
	}
	evconnlistener_set_error_cb(v->listener, accept_failed);
	return v;
}

void
varlink_free(struct varlink *v)
{
	struct client *c;

	if (v == NULL)
		return;
	while ((c = TAILQ_FIRST(&v->clients)) != NULL)
		free_client(c);
	if (v->listener != NULL)
		evconnlistener_free(v->listener);
	if (v->again != NULL)
		event_free(v->again);
	close(v->socket.fd);
	listen_remove(&v->socket);
	free(v);
}
