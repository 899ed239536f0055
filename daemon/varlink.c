#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/varlink.h"

/* A client whose replies pile up this high is not read from. */
enum { OUTPUT_HIGH = 1 << 20 };

struct client {
	LIST_ENTRY(client) link;
	struct varlink *server;
	struct bufferevent *io;
	struct varlink_call call;
	json_t *message;		/* what call's views belong to */
	bool busy;			/* a call is open */
	bool oneway;
	bool closing;			/* once the output is written */
};

struct varlink {
	struct event_base *base;
	struct evconnlistener *listener;
	const struct varlink_interface *interface;
	LIST_HEAD(, client) clients;
	unsigned n_clients;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* ---- clients ---- */

static void
free_client(struct client *c)
{
	const struct varlink_interface *i = c->server->interface;

	if (c->busy)
		i->cancel(i->arg, &c->call);
	LIST_REMOVE(c, link);
	c->server->n_clients--;
	json_decref(c->message);
	bufferevent_free(c->io);
	free(c);
}

static void
end_call(struct client *c)
{
	c->busy = false;
	json_decref(c->message);
	c->message = NULL;
}

/* Takes `message` over. */
static void
send_message(struct client *c, json_t *message)
{
	char *text = message != NULL ? json_dumps(message, JSON_COMPACT) : NULL;

	json_decref(message);
	if (text == NULL) {		/* no memory: the client sees the end */
		c->closing = true;
		return;
	}
	bufferevent_write(c->io, text, strlen(text) + 1);
	free(text);
}

static struct client *
client_of(struct varlink_call *call)
{
	return (struct client *)(void *)((char *)call - offsetof(struct client, call));
}

/* The next call of this client is read from the loop, not from within the handler. */
static void
answer(struct varlink_call *call, json_t *message)
{
	struct client *c = client_of(call);

	if (c->oneway)
		json_decref(message);
	else
		send_message(c, message);
	end_call(c);
	bufferevent_trigger(c->io, EV_READ, BEV_OPT_DEFER_CALLBACKS);
	bufferevent_trigger(c->io, EV_WRITE, BEV_OPT_DEFER_CALLBACKS);
}

void
varlink_reply(struct varlink_call *call, json_t *parameters)
{
	answer(call, json_pack("{so}", "parameters",
	    parameters != NULL ? parameters : json_object()));
}

void
varlink_error(struct varlink_call *call, const char *error, json_t *parameters)
{
	answer(call, json_pack("{ssso}", "error", error, "parameters",
	    parameters != NULL ? parameters : json_object()));
}

void
varlink_invalid(struct varlink_call *call, const char *parameter)
{
	varlink_error(call, "org.varlink.service.InvalidParameter",
	    json_pack("{ss}", "parameter", parameter));
}

/* ---- org.varlink.service ---- */

static void
get_info(struct client *c)
{
	varlink_reply(&c->call, json_pack("{ssssssss s[ss]}", "vendor", "ikevd", "product",
	    "ikevd", "version", IKEVD_VERSION, "url", "", "interfaces",
	    "org.varlink.service", c->server->interface->name));
}

static const char service_description[] =
    "# The Varlink Service Interface is provided by every varlink service.\n"
    "interface org.varlink.service\n\n"
    "method GetInfo() -> (vendor: string, product: string, version: string, url: string,"
    " interfaces: []string)\n"
    "method GetInterfaceDescription(interface: string) -> (description: string)\n"
    "error InterfaceNotFound (interface: string)\n"
    "error MethodNotFound (method: string)\n"
    "error MethodNotImplemented (method: string)\n"
    "error InvalidParameter (parameter: string)\n";

static void
get_description(struct client *c)
{
	const struct varlink_interface *i = c->server->interface;
	const char *name = json_string_value(json_object_get(c->call.parameters, "interface"));

	if (name == NULL)
		varlink_invalid(&c->call, "interface");
	else if (strcmp(name, i->name) == 0)
		varlink_reply(&c->call, json_pack("{ss}", "description", i->description));
	else if (strcmp(name, "org.varlink.service") == 0)
		varlink_reply(&c->call, json_pack("{ss}", "description", service_description));
	else
		varlink_error(&c->call, "org.varlink.service.InterfaceNotFound",
		    json_pack("{ss}", "interface", name));
}

static void
dispatch(struct client *c)
{
	const struct varlink_interface *i = c->server->interface;
	const char *method = c->call.method;
	size_t len = strlen(i->name);

	if (strcmp(method, "org.varlink.service.GetInfo") == 0) {
		get_info(c);
		return;
	}
	if (strcmp(method, "org.varlink.service.GetInterfaceDescription") == 0) {
		get_description(c);
		return;
	}
	if (strncmp(method, i->name, len) != 0 || method[len] != '.') {
		varlink_error(&c->call, "org.varlink.service.InterfaceNotFound",
		    json_pack("{ss}", "interface", method));
		return;
	}
	for (const struct varlink_method *m = i->methods; m->name != NULL; m++)
		if (strcmp(m->name, method + len + 1) == 0) {
			m->handle(i->arg, &c->call);
			return;
		}
	varlink_error(&c->call, "org.varlink.service.MethodNotFound",
	    json_pack("{ss}", "method", method));
}

/* ---- reading ---- */

static void
refuse_client(struct client *c, const char *reason)
{
	send_message(c, json_pack("{sss{ss}}", "error", "org.ikev.Ikevd.BadMessage",
	    "parameters", "reason", reason));
	c->closing = true;
	bufferevent_disable(c->io, EV_READ);
	bufferevent_trigger(c->io, EV_WRITE, BEV_OPT_DEFER_CALLBACKS);
}

/* One framed message; false: it is none, and the client was refused. */
static bool
take_message(struct client *c, const char *text, size_t len)
{
	json_error_t error;
	json_t *parameters;
	char reason[JSON_ERROR_TEXT_LENGTH + 64];

	c->message = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (c->message == NULL) {
		snprintf(reason, sizeof(reason), "not JSON: %s (column %d)", error.text,
		    error.column);
		refuse_client(c, reason);
		return false;
	}
	c->call.method = json_string_value(json_object_get(c->message, "method"));
	parameters = json_object_get(c->message, "parameters");
	if (c->call.method == NULL || (parameters != NULL && !json_is_object(parameters))) {
		end_call(c);
		refuse_client(c, "a call is an object with a string `method` and, where it has "
		    "any, an object `parameters`");
		return false;
	}
	c->call.parameters = parameters;
	c->call.context = NULL;
	c->oneway = json_is_true(json_object_get(c->message, "oneway"));
	c->busy = true;
	return true;
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
			if (evbuffer_get_length(in) >= VARLINK_MESSAGE_MAX)
				refuse_client(c, "the message is too long, or its NUL is missing");
			return;
		}
		text = (char *)evbuffer_pullup(in, end.pos + 1);
		if (text == NULL) {
			refuse_client(c, "no memory");
			return;
		}
		if (take_message(c, text, (size_t)end.pos)) {
			evbuffer_drain(in, (size_t)end.pos + 1);
			dispatch(c);
		}
	}
}

/* The output has been written: the end, or room for further calls. */
static void
written(struct bufferevent *io, void *arg)
{
	struct client *c = arg;

	if (evbuffer_get_length(bufferevent_get_output(io)) > 0)
		return;
	if (c->closing)
		free_client(c);
}

static void
ended(struct bufferevent *io, short what, void *arg)
{
	struct client *c = arg;

	if ((what & BEV_EVENT_EOF) != 0 && !c->closing && !c->busy &&
	    evbuffer_get_length(bufferevent_get_input(io)) > 0) {
		refuse_client(c, "the message ended without its NUL");
		return;
	}
	free_client(c);
}

/* ---- the socket ---- */

static void
accepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int len,
    void *arg)
{
	struct varlink *v = arg;
	struct client *c;
	socklen_t size = sizeof(c->call.peer);

	(void)listener;
	(void)from;
	(void)len;
	if (v->n_clients >= VARLINK_CLIENTS_MAX || (c = calloc(1, sizeof(*c))) == NULL) {
		close(fd);
		return;
	}
	c->server = v;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c->call.peer, &size) != 0 ||
	    (c->io = bufferevent_socket_new(v->base, fd, BEV_OPT_CLOSE_ON_FREE)) == NULL) {
		close(fd);
		free(c);
		return;
	}
	LIST_INSERT_HEAD(&v->clients, c, link);
	v->n_clients++;
	bufferevent_setcb(c->io, read_calls, written, ended, c);
	bufferevent_setwatermark(c->io, EV_READ, 0, VARLINK_MESSAGE_MAX);
	bufferevent_enable(c->io, EV_READ | EV_WRITE);
}

/* Out of descriptors, say: try again later rather than spin. */
static void
accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct varlink *v = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(v->listener);
}

static void
accept_failed(struct evconnlistener *listener, void *arg)
{
	struct varlink *v = arg;
	struct timeval second = { 1, 0 };

	evconnlistener_disable(listener);
	event_base_once(v->base, -1, EV_TIMEOUT, accept_again, v, &second);
}

/* Does somebody answer at this path? */
static bool
is_alive(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool alive;

	if (fd < 0)
		return false;
	alive = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
	close(fd);
	return alive;
}

static int
open_socket(const char *path, struct sockaddr_un *address, char *why)
{
	struct stat st;
	mode_t mask;
	int fd;

	if (strlen(path) >= sizeof(address->sun_path)) {
		snprintf(why, VARLINK_WHY_LEN, "control socket %.100s: the path is too long; at "
		    "most %zu characters fit", path, sizeof(address->sun_path) - 1);
		return -1;
	}
	strcpy(address->sun_path, path);
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
		snprintf(why, VARLINK_WHY_LEN, "control socket %s: another kind of file is there; "
		    "remove it or choose another path with -s", path);
		return -1;
	}
	if (is_alive(address)) {
		snprintf(why, VARLINK_WHY_LEN, "control socket %s: another ikevd answers there; "
		    "stop it or choose another path with -s", path);
		return -1;
	}
	unlink(path);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) < 0) {
		snprintf(why, VARLINK_WHY_LEN, "control socket: %s", strerror(errno));
		return -1;
	}
	mask = umask(0117);		/* 0660 from its first moment */
	if (bind(fd, (struct sockaddr *)address, sizeof(*address)) != 0 ||
	    listen(fd, 64) != 0) {
		snprintf(why, VARLINK_WHY_LEN, "control socket %s: %s%s", path, strerror(errno),
		    errno == ENOENT ? "; create its folder (mkdir -p) or choose another path with "
		    "-s" : errno == EACCES ? "; it needs write permission on the folder" : "");
		umask(mask);
		close(fd);
		return -1;
	}
	umask(mask);
	return fd;
}

struct varlink *
varlink_new(struct event_base *base, const char *path, const struct varlink_interface *i,
    char why[VARLINK_WHY_LEN])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct varlink *v;
	int fd;

	if ((fd = open_socket(path, &address, why)) < 0)
		return NULL;
	if ((v = calloc(1, sizeof(*v))) != NULL) {
		v->base = base;
		v->interface = i;
		LIST_INIT(&v->clients);
		strcpy(v->path, path);
		v->listener = evconnlistener_new(base, accepted, v, LEV_OPT_CLOSE_ON_FREE, -1,
		    fd);
	}
	if (v == NULL || v->listener == NULL) {
		snprintf(why, VARLINK_WHY_LEN, "control socket: no memory");
		free(v);
		close(fd);
		unlink(path);
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
	while ((c = LIST_FIRST(&v->clients)) != NULL)
		free_client(c);
	evconnlistener_free(v->listener);
	unlink(v->path);
	free(v);
}
