#include "daemon/life.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/control.h"
#include "daemon/notify.h"
#include "daemon/privilege.h"
#include "daemon/roam.h"
#include "daemon/tell.h"
#include "daemon/tun.h"
#include "libike/algorithm.h"
#include "libipsec/endpoint.h"
#include "libipsec/loop.h"

enum {
	WHY = 512,
	PATIENCE_MS = 3000,	/* for the peers' answers to our DELETE */
	LOOK_MS = 20,		/* how often it is looked whether all have answered */
	STATUS_MS = 500		/* systemd is told at most that often */
};

struct life {
	const struct life_options *options;
	struct log *log;
	struct event_base *base;
	struct ipsec_datapath *datapath;
	bool handed_over;			/* the endpoint closes the data path */
	struct ipsec_resolver *resolver;
	struct ipsec_endpoint *endpoint;
	struct ipsec_loop *loop;
	struct roam *roam;
	struct control *control;
	char *folder;				/* of its socket, if it was made here */
	struct control_connection *connections;	/* as in the file */
	struct tell *tell;
	struct event *signals[3];
	struct event *status;			/* pending: systemd's is out of date */
	struct event *look;			/* while stopping */
	ike_time stopping;			/* since when; 0: not */
};

/* ---- running ---- */

static void
tell_status(struct life *life)
{
	char state[128];
	struct ike_counts counts;

	ike_read_counts(ipsec_endpoint_engine(life->endpoint), &counts);
	snprintf(state, sizeof(state),
	    "STATUS=%u connection%s, %u IKE SA%s, %u Child SA%s", counts.connections,
	    counts.connections == 1 ? "" : "s", counts.sas, counts.sas == 1 ? "" : "s",
	    counts.children, counts.children == 1 ? "" : "s");
	notify(state);
}

static void
status_due(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	tell_status(arg);
}

static void
said(void *arg, const struct ike_event *event)
{
	static const struct timeval soon = { .tv_usec = STATUS_MS * 1000 };
	struct life *life = arg;

	/* while the first connections are put, there is no control yet */
	if (life->control != NULL && event->type != IKE_TRACE)
		control_event(life->control, event);
	tell_event(life->tell, ipsec_endpoint_engine(life->endpoint), event);
	if (event->type != IKE_TRACE && !evtimer_pending(life->status, NULL))
		evtimer_add(life->status, &soon);
}

/* ---- ending ---- */

static void
look(evutil_socket_t fd, short what, void *arg)
{
	struct life *life = arg;
	bool idle = ipsec_endpoint_idle(life->endpoint);

	(void)fd, (void)what;
	if (!idle && ipsec_now() - life->stopping < PATIENCE_MS * 1000)
		return;
	if (!idle)
		log_notice(life->log, "not every peer has answered; ending without");
	event_base_loopbreak(life->base);
}

static void
stop(evutil_socket_t number, short what, void *arg)
{
	static const struct timeval often = { .tv_usec = LOOK_MS * 1000 };
	struct life *life = arg;

	(void)what;
	if (life->stopping != 0) {
		log_notice(life->log, "ending at once");
		event_base_loopbreak(life->base);
		return;
	}
	log_notice(life->log, "%s: telling the peers and ending",
	    number == SIGINT ? "SIGINT" : "SIGTERM");
	notify("STOPPING=1");
	life->stopping = ipsec_now();
	ipsec_endpoint_shutdown(life->endpoint, life->stopping);
	evtimer_add(life->look, &often);
	look(-1, 0, life);
}

static void
no_reload(evutil_socket_t number, short what, void *arg)
{
	struct life *life = arg;

	(void)number, (void)what;
	log_notice(life->log, "SIGHUP: the configuration is read at the start only; "
	    "restart ikevd to take over a change");
}

/* ---- starting ---- */

static bool
fail(struct life *life, const char *why)
{
	log_error(life->log, "%s", why);
	return false;
}

/* What libevent has to say goes to stderr as it is; what it only mentions, such as name
 * servers that do not answer, we tell in words of our own where it matters. */
static void
libevent_says(int severity, const char *text)
{
	if (severity >= EVENT_LOG_WARN)
		fprintf(stderr, "libevent: %s\n", text);
}

static bool
make_base(struct life *life)
{
	static const struct { int number; event_callback_fn handle; } signals[] = {
		{ SIGTERM, stop }, { SIGINT, stop }, { SIGHUP, no_reload },
	};
	unsigned i;

	(void)signal(SIGPIPE, SIG_IGN);
	event_set_log_callback(libevent_says);
	life->base = event_base_new();
	if (life->base == NULL)
		return fail(life, "no event loop: out of memory or file descriptors");
	life->status = evtimer_new(life->base, status_due, life);
	life->look = event_new(life->base, -1, EV_PERSIST, look, life);
	if (life->status == NULL || life->look == NULL)
		return fail(life, "no memory");
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		life->signals[i] =
		    evsignal_new(life->base, signals[i].number, signals[i].handle, life);
		if (life->signals[i] == NULL || event_add(life->signals[i], NULL) != 0)
			return fail(life, "cannot handle signals: no memory");
	}
	return true;
}

static void
roamed(void *arg)
{
	struct life *life = arg;

	log_debug(life->log, "addresses or routes of this host have changed");
	ipsec_endpoint_roam(life->endpoint, ipsec_now());
}

/* Without it tunnels still come up again when their peer is found dead. */
static void
watch_network(struct life *life)
{
	struct tun_status status;

	tun_read_status(life->datapath, &status);
	life->roam = roam_new(life->base, status.ifindex, roamed, life);
	if (life->roam == NULL)
		log_warning(life->log, "cannot watch the addresses of this host: %s; "
		    "tunnels will not follow when they change", strerror(errno));
}

static bool
make_endpoint(struct life *life)
{
	const struct daemon_settings *settings = &life->options->configuration->daemon;
	const struct tun_options tun = { .port = settings->port,
	    .natt_port = settings->natt_port, .log = life->log };
	struct ipsec_options options = { .listen = settings->listen.v,
	    .n_listen = settings->listen.n, .port = settings->port,
	    .natt_port = settings->natt_port, .fwmark = TUN_MARK, .native_esp = true,
	    .trace = life->options->trace, .secrets = life->options->secrets,
	    .event = said, .arg = life };
	char why[WHY] = "no memory";

	life->datapath = tun_new(&tun, why, sizeof(why));
	if (life->datapath == NULL)
		return fail(life, why);
	life->resolver = ipsec_resolver_new(life->base);
	if (life->resolver == NULL)
		return fail(life, "no memory");
	options.datapath = life->datapath;
	options.resolver = life->resolver;
	life->endpoint = ipsec_endpoint_new(&options, why);
	if (life->endpoint == NULL)
		return fail(life, why);
	life->handed_over = true;
	life->loop = ipsec_attach(life->endpoint, life->base);
	if (life->loop == NULL)
		return fail(life, "no memory");
	watch_network(life);
	return true;
}

static bool
put_connections(struct life *life)
{
	const struct configuration *c = life->options->configuration;
	unsigned i;

	life->connections = calloc(c->n_connections + 1u, sizeof(*life->connections));
	if (life->connections == NULL)
		return fail(life, "no memory");
	for (i = 0; i < c->n_connections; i++) {
		life->connections[i].configured = &c->connections[i];
		life->connections[i].id = ipsec_endpoint_put(life->endpoint, ipsec_now(),
		    c->connections[i].connection);
		if (life->connections[i].id != 0)
			continue;
		log_error(life->log, "%s: its routes and policies could not be installed",
		    c->connections[i].name);
		return false;
	}
	tun_settled(life->datapath);
	return true;
}

/* The folder of the socket is there already under systemd (RuntimeDirectory); by hand it
 * is made. */
static bool
make_folder(struct life *life)
{
	const char *path = life->options->socket, *slash = strrchr(path, '/');
	char *folder;

	if (slash == NULL || slash == path)
		return true;
	folder = strndup(path, (size_t)(slash - path));
	if (folder == NULL)
		return fail(life, "no memory");
	if (mkdir(folder, 0755) == 0)
		life->folder = folder;
	else
		free(folder);	/* what is wrong with it, the socket will show */
	return true;
}

static bool
make_control(struct life *life)
{
	const struct configuration *c = life->options->configuration;
	const struct control_options options = { .base = life->base,
	    .path = life->options->socket, .log = life->log, .endpoint = life->endpoint,
	    .secrets_dir = c->daemon.secrets_dir, .connections = life->connections,
	    .n_connections = c->n_connections };
	char why[WHY] = "no memory";

	if (!make_folder(life))
		return false;
	life->control = control_new(&options, why);
	if (life->control == NULL)
		return fail(life, why);
	/* so that it can be used, and removed at the end */
	if (c->daemon.user != NULL)
		privilege_give(c->daemon.user, options.path);
	if (c->daemon.user != NULL && life->folder != NULL)
		privilege_give(c->daemon.user, life->folder);
	return true;
}

static bool
drop_privileges(struct life *life)
{
	const char *user = life->options->configuration->daemon.user;
	char why[WHY];

	return user == NULL || privilege_drop(user, why, sizeof(why)) || fail(life, why);
}

static bool
start(struct life *life)
{
	const struct tell_options options = { .log = life->log,
	    .configuration = life->options->configuration };

	life->tell = tell_new(&options);
	if (life->tell == NULL)
		return fail(life, "no memory");
	return make_base(life) && make_endpoint(life) && put_connections(life) &&
	    make_control(life) && drop_privileges(life);
}

/* ---- the whole of it ---- */

static void
clean_up(struct life *life)
{
	unsigned i;

	control_free(life->control);
	if (life->folder != NULL)
		(void)rmdir(life->folder);
	free(life->folder);
	roam_free(life->roam);
	ipsec_detach(life->loop);
	ipsec_endpoint_free(life->endpoint);
	if (life->datapath != NULL && !life->handed_over)
		life->datapath->ops->close(life->datapath);
	ipsec_resolver_free(life->resolver);
	for (i = 0; i < sizeof(life->signals) / sizeof(life->signals[0]); i++)
		if (life->signals[i] != NULL)
			event_free(life->signals[i]);
	if (life->status != NULL)
		event_free(life->status);
	if (life->look != NULL)
		event_free(life->look);
	if (life->base != NULL)
		event_base_free(life->base);
	tell_free(life->tell);
	free(life->connections);
}

static void
draw(void *unused, uint8_t *p, size_t len)
{
	(void)unused;
	randombytes_buf(p, len);
}

static void
test_algorithms(struct log *log)
{
	char names[256];

	if (ike_self_test(NULL, &(struct ike_random){ draw, NULL }, names,
	    sizeof(names)) > 0)
		log_warning(log,
		    "the cryptographic libraries of this host fail at %s; leave these "
		    "out of ike and esp", names);
}

bool
life_run(const struct life_options *options)
{
	struct life life = { .options = options, .log = options->log };
	bool good = false;

	test_algorithms(life.log);
	if (!start(&life))
		goto out;
	log_notice(life.log, "ready: %u connection%s of %s",
	    options->configuration->n_connections,
	    options->configuration->n_connections == 1 ? "" : "s",
	    options->configuration->file);
	notify("READY=1");
	tell_status(&life);
	good = event_base_dispatch(life.base) == 0;
	if (!good)
		log_error(life.log, "the event loop failed: %s", strerror(errno));
out:
	clean_up(&life);
	if (good)
		log_notice(life.log, "ended");
	return good;
}
