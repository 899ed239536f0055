/* The control socket: what clients send, in pieces, to the real socket with the real
 * methods, over an engine whose peers never answer, on a clock of its own.  Whatever a
 * client gets is NUL-framed JSON.  An input is a sequence of steps: an octet, a word of
 * length, and as many octets. */
#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/control.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/vectors.h"

enum { CLIENTS = 3, CONNECTIONS = 3, MOST_STEPS = 64, ROUNDS = 12 };

static const char text[] =
    "connections = {\n"
    "  paris = { local = { id = \"a.example\"; subnets = [ \"10.1.0.0/24\" ]; };\n"
    "    remote = { address = \"192.0.2.2\"; id = \"b.example\";\n"
    "    subnets = [ \"10.2.0.0/24\" ]; }; auth = \"psk\"; };\n"
    "  rome = { local = { id = \"a.example\"; subnets = [ \"10.1.0.0/24\" ]; };\n"
    "    remote = { address = \"rome.example\"; id = \"c.example\";\n"
    "    subnets = [ \"10.3.0.0/24\" ]; }; auth = \"psk\"; start = \"on-demand\"; };\n"
    "  roads = { local = { id = \"a.example\"; subnets = [ \"10.1.0.0/24\" ]; };\n"
    "    remote = { address = \"any\"; id = \"d.example\";\n"
    "    subnets = [ \"10.4.0.0/24\" ]; }; auth = \"psk\"; };\n"
    "};\n";

/* ---- an endpoint without sockets: what control.c and report.c call ---- */

struct ipsec_endpoint {
	struct ike *ike;
	struct control *control;
	uint64_t chance;
	bool unresolved;
};

static ike_time now;

ike_time
ipsec_now(void)
{
	return now;
}

static void
resolve(struct ipsec_endpoint *e, const struct ike_event *event)
{
	struct ike_answer answer = { .error = e->unresolved ? IKE_UNRESOLVED : IKE_OK,
	    .path = { .family = 4, .addr = { { 192, 0, 2, 1 }, { 192, 0, 2, 2 } } } };

	ike_answer_question(e->ike, now, event->question, &answer);
}

static void
drain(struct ipsec_endpoint *e)
{
	struct ike_event event;
	struct ike_datagram datagram;

	while (ike_next_event(e->ike, &event)) {
		if (event.type == IKE_ASK_RESOLVE)
			resolve(e, &event);
		else if (e->control != NULL && (event.type == IKE_UP ||
		    event.type == IKE_REPLACED || event.type == IKE_DOWN ||
		    event.type == IKE_REFUSED))
			control_event(e->control, &event);
	}
	while (ike_next_datagram(e->ike, &datagram))
		;
}

const struct ike *
ipsec_endpoint_engine(const struct ipsec_endpoint *e)
{
	return e->ike;
}

enum ike_error
ipsec_endpoint_up(struct ipsec_endpoint *e, ike_time at, ike_id connection)
{
	enum ike_error error = ike_up(e->ike, at, connection);

	drain(e);
	return error;
}

enum ike_error
ipsec_endpoint_down(struct ipsec_endpoint *e, ike_time at, ike_id id)
{
	enum ike_error error = ike_down(e->ike, at, id);

	drain(e);
	return error;
}

enum ike_error
ipsec_endpoint_rekey(struct ipsec_endpoint *e, ike_time at, ike_id id)
{
	enum ike_error error = ike_rekey(e->ike, at, id);

	drain(e);
	return error;
}

bool
ipsec_endpoint_usage(struct ipsec_endpoint *e, ike_id child, struct ipsec_usage *usage)
{
	(void)e;
	memset(usage, 0, sizeof(*usage));
	return child % 2 == 0;
}

/* ---- what lives through all inputs ---- */

static struct event_base *base;
static struct configuration *configuration;

static void
random_octets(void *arg, uint8_t *p, size_t len)
{
	fill_random(arg, p, len);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct faults faults = { 0 };

	(void)argc;
	(void)argv;
	fuzz_require(sodium_init() >= 0);
	(void)signal(SIGPIPE, SIG_IGN);	/* as the daemon does: clients come and go */
	base = event_base_new();
	configuration = configuration_load(fuzz_file("ikev.conf",
	    bytes_of(text, sizeof(text) - 1)), &faults);
	fuzz_require(base != NULL && configuration != NULL);
	return 0;
}

/* ---- clients ---- */

struct client {
	int fd;
	char *got;
	size_t len;
};

struct run {
	struct ipsec_endpoint endpoint;
	struct control_connection connections[CONNECTIONS];
	struct client clients[CLIENTS];
	char path[100];
};

static void
connect_client(struct run *r, struct client *c)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", r->path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	fuzz_require(c->fd >= 0);
	fuzz_require(connect(c->fd, (struct sockaddr *)&to, sizeof(to)) == 0);
}

/* All that is whole must be JSON objects. */
static void
check_replies(struct client *c)
{
	char *end;
	size_t used;
	json_t *reply;

	while (c->len > 0 && (end = memchr(c->got, '\0', c->len)) != NULL) {
		used = (size_t)(end - c->got) + 1;
		reply = json_loadb(c->got, used - 1, JSON_REJECT_DUPLICATES, NULL);
		fuzz_require(json_is_object(json_object_get(reply, "parameters")));
		json_decref(reply);
		c->len -= used;
		memmove(c->got, c->got + used, c->len);
	}
}

static void
read_replies(struct client *c)
{
	char buf[4096];
	ssize_t n;

	while (c->fd >= 0 && (n = read(c->fd, buf, sizeof(buf))) > 0) {
		c->got = realloc(c->got, c->len + (size_t)n);
		fuzz_require(c->got != NULL);
		memcpy(c->got + c->len, buf, (size_t)n);
		c->len += (size_t)n;
		check_replies(c);
	}
}

static void
close_client(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->got);
	*c = (struct client){ .fd = -1 };
}

static void
turn(struct run *r)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		for (unsigned k = 0; k < CLIENTS; k++)
			read_replies(&r->clients[k]);
	}
}

/* ---- steps ---- */

static void
say(struct run *r, struct client *c, struct bytes b)
{
	if (c->fd < 0)
		connect_client(r, c);
	(void)!send(c->fd, b.p, b.len, MSG_NOSIGNAL);
	turn(r);
}

static void
say_line(struct run *r, struct client *c, struct bytes b)
{
	say(r, c, b);
	say(r, c, bytes_of("", 1));
}

static void
say_last(struct run *r, struct client *c, struct bytes b)
{
	say(r, c, b);
	shutdown(c->fd, SHUT_WR);
	turn(r);
}

static void
leave(struct run *r, struct client *c, struct bytes b)
{
	(void)b;
	close_client(c);
	turn(r);
}

/* As many tenths of a second as the first octet says. */
static void
pass(struct run *r, struct client *c, struct bytes b)
{
	(void)c;
	now += (b.len > 0 ? b.p[0] : 1) * (IKE_SECOND / 10);
	r->endpoint.unresolved = b.len > 1 && (b.p[1] & 1) != 0;
	ike_tick(r->endpoint.ike, now);
	drain(&r->endpoint);
	turn(r);
}

static void (*const steps[])(struct run *, struct client *, struct bytes) = {
	say_line, say, say_last, leave, pass
};

static void
set_up(struct run *r)
{
	struct ike_options options = {
		.random = random_octets, .arg = &r->endpoint.chance
	};
	struct control_options control = { .base = base, .path = r->path,
	    .endpoint = &r->endpoint, .secrets_dir = "/nowhere",
	    .connections = r->connections, .n_connections = CONNECTIONS };
	char why[VARLINK_WHY_LEN];

	now = 1000 * IKE_SECOND;
	r->endpoint.chance = 5;
	r->endpoint.ike = ike_new(&options);
	fuzz_require(r->endpoint.ike != NULL);
	fuzz_require(configuration->n_connections == CONNECTIONS);
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		r->connections[i].configured = &configuration->connections[i];
		r->connections[i].id = ike_put(r->endpoint.ike, now, 0,
		    configuration->connections[i].connection);
	}
	drain(&r->endpoint);
	snprintf(r->path, sizeof(r->path), "%s/control", fuzz_folder());
	r->endpoint.control = control_new(&control, why);
	fuzz_require(r->endpoint.control != NULL);
	for (unsigned i = 0; i < CLIENTS; i++)
		r->clients[i].fd = -1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct run r = { 0 };
	uint8_t step;

	set_up(&r);
	for (unsigned n = 0; n < MOST_STEPS && in.len > 0; n++) {
		step = fuzz_octet(&in);
		steps[(step & 15) % (sizeof(steps) / sizeof(steps[0]))](&r,
		    &r.clients[(step >> 4) % CLIENTS], fuzz_piece(&in));
	}
	turn(&r);
	control_free(r.endpoint.control);
	r.endpoint.control = NULL;
	for (unsigned i = 0; i < CLIENTS; i++)
		close_client(&r.clients[i]);
	ike_free(r.endpoint.ike);
	event_base_loop(base, EVLOOP_NONBLOCK);
	return 0;
}
