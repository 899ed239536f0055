#include "daemon/tell.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/explain.h"
#include "daemon/told.h"
#include "libike/proto.h"
#include "libipsec/hash.h"

enum {
	BURST = 20,		/* failures told at once, */
	EVERY = 3		/* then one in so many seconds */
};

struct up {			/* an IKE SA that was told to be up */
	ike_id sa;
	UT_hash_handle hh;
};

struct tell {
	struct tell_options options;
	struct up *up;		/* by sa */
	unsigned left;		/* failures that may be told */
	ike_time refilled;
	uint64_t untold;
	struct told *told;
};

enum { ENDS = 2 * (INET6_ADDRSTRLEN + 8) + 8 };

struct tell *
tell_new(const struct tell_options *options)
{
	struct tell *tell = calloc(1, sizeof(*tell));

	if (tell == NULL)
		return NULL;
	tell->told = told_new();
	if (tell->told == NULL) {
		free(tell);
		return NULL;
	}
	tell->options = *options;
	tell->left = BURST;
	return tell;
}

void
tell_free(struct tell *tell)
{
	struct up *up, *next;

	if (tell == NULL)
		return;
	HASH_ITER(hh, tell->up, up, next) {
		HASH_DEL(tell->up, up);
		free(up);
	}
	told_free(tell->told);
	free(tell);
}

/* Without memory the end of the SA will be told as that of an attempt. */
static void
remember(struct tell *tell, ike_id sa)
{
	struct up *up = calloc(1, sizeof(*up));

	if (up == NULL)
		return;
	up->sa = sa;
	HASH_ADD(hh, tell->up, sa, sizeof(up->sa), up);
	if (up->hh.tbl == NULL)
		free(up);
}

static bool
forget(struct tell *tell, ike_id sa)
{
	struct up *up;

	HASH_FIND(hh, tell->up, &sa, sizeof(sa), up);
	if (up == NULL)
		return false;
	HASH_DEL(tell->up, up);
	free(up);
	return true;
}

static const struct configured *
configured_of(const struct tell *tell, const struct ike *ike, ike_id connection)
{
	const struct ike_connection *c = ike_connection_of(ike, connection);

	if (c == NULL)
		return NULL;
	return configuration_find(tell->options.configuration, c->name);
}

static const char *
name_of(const struct configured *c)
{
	return c == NULL ? "(unknown)" : c->name;
}

/* "192.0.2.1:500 - 203.0.113.7:500" */
static const char *
print_path(const struct ike_path *path, char buf[ENDS])
{
	char ends[2][INET6_ADDRSTRLEN + 8], address[INET6_ADDRSTRLEN];
	unsigned i;

	for (i = 0; i < 2; i++) {
		if (inet_ntop(path->family == 4 ? AF_INET : AF_INET6, path->addr[i],
		    address, sizeof(address)) == NULL)
			address[0] = '\0';
		snprintf(ends[i], sizeof(ends[i]),
		    path->family == 4 ? "%s:%u" : "[%s]:%u", address, path->port[i]);
	}
	snprintf(buf, ENDS, "%s - %s", ends[0], ends[1]);
	return buf;
}

/* Of a NAT on the peer's side nothing is told: it may only say so, to have ESP in UDP. */
static void
tell_sa_up(struct tell *tell, const struct ike *ike, const struct ike_event *event,
    const char *name)
{
	struct ike_sa_info sa = { 0 };
	char path[ENDS];

	remember(tell, event->sa);
	while (ike_next_sa_of(ike, event->connection, sa.id, &sa) && sa.id != event->sa)
		;
	if (sa.id != event->sa)
		return;
	log_info(tell->options.log, "%s: IKE SA is up: %s, %s - %s, %s%s", name,
	    print_path(&sa.path, path), sa.local_id, sa.remote_id, sa.proposal,
	    sa.nat_here ? ", we are behind NAT" : "");
}

static void
tell_child_up(struct tell *tell, const struct ike_event *event, const char *name)
{
	const struct ike_child *c = event->u.child;
	const struct esp_transform *t = c->transform;
	char encr[IKE_NAME_LEN], integ[IKE_NAME_LEN];
	char local[ESP_RANGE_TEXT] = "", remote[ESP_RANGE_TEXT] = "";

	if (c->n_selectors > 0) {
		esp_range_print(&c->selectors[0].local, local, sizeof(local));
		esp_range_print(&c->selectors[0].remote, remote, sizeof(remote));
	}
	log_notice(tell->options.log,
	    "%s: child %s is up: %s - %s%s, %s%s%s%s, %s, SPIs %08x %08x", name, c->name,
	    local, remote, c->n_selectors > 1 ? " and more" : "",
	    ike_transform_name(IKE_ENCR, t->encr, t->key_bits, encr),
	    t->integ != 0 ? "-" : "",
	    t->integ != 0 ? ike_transform_name(IKE_INTEG, t->integ, 0, integ) : "",
	    c->esn ? "-esn" : "", c->encap ? "in UDP" : "native ESP", c->spi_in,
	    c->spi_out);
}

static void
tell_replaced(struct tell *tell, const struct ike *ike, const struct ike_event *event)
{
	const char *name = name_of(configured_of(tell, ike, event->connection));
	const struct ike_child *c = event->u.child;

	if (event->child == 0)
		log_info(tell->options.log, "%s: IKE SA is rekeyed", name);
	else
		log_info(tell->options.log, "%s: child %s is rekeyed, SPIs %08x %08x",
		    name, c->name, c->spi_in, c->spi_out);
}

static void
tell_up(struct tell *tell, const struct ike *ike, const struct ike_event *event)
{
	const char *name = name_of(configured_of(tell, ike, event->connection));

	if (event->child == 0)
		tell_sa_up(tell, ike, event, name);
	else
		tell_child_up(tell, event, name);
	if (event->child != 0)
		told_forget(tell->told, event->connection);
}

/* A bucket of BURST that gets one more every EVERY seconds. */
static bool
may_tell(struct tell *tell, ike_time now)
{
	ike_time more = (now - tell->refilled) / (EVERY * IKE_SECOND);

	if (more > 0) {
		tell->left =
		    more >= BURST - tell->left ? BURST : tell->left + (unsigned)more;
		tell->refilled = now;
	}
	if (tell->left == 0) {
		tell->untold++;
		return false;
	}
	tell->left--;
	if (tell->untold > 0)
		log_warning(tell->options.log,
		    "%llu more failures came too fast to be told",
		    (unsigned long long)tell->untold);
	tell->untold = 0;
	return true;
}

/* A failure that somebody should look at.  A peer sends its refused request again and
 * again, and one that is away is called again and again: once told is enough. */
static void
warn(struct tell *tell, const struct ike_event *event, const char *text)
{
	uint64_t again;

	if (told_lately(tell->told, event->connection, text, event->at) ||
	    !may_tell(tell, event->at)) {
		log_debug(tell->options.log, "%s", text);
		return;
	}
	log_warning(tell->options.log, "%s", text);
	again = told_note(tell->told, event->connection, text, event->at);
	if (again > 0)
		log_notice(tell->options.log,
		    "the same came %llu more time%s since it was last told",
		    (unsigned long long)again, again == 1 ? "" : "s");
}

/* An attempt has failed.  Of errors that have a notify, and of an address that could not
 * be found, the refusal was told; and who waits for calls only learns nothing from
 * callers that give up, who may be anybody. */
static void
tell_failed(struct tell *tell, const struct configured *c, const struct ike_event *event,
    const char *text)
{
	bool dull = event->error >= 0 || event->error == IKE_UNRESOLVED || c == NULL ||
	    c->connection->start == IKE_START_PASSIVE;

	if (dull)
		log_debug(tell->options.log, "%s", text);
	else
		warn(tell, event, text);
}

/* Does another IKE SA of the peer have what this one had, the child or all?  It was
 * reauthenticated, or the peer has begun anew.  Where there may be several peers, or
 * several SAs of one, nobody can say. */
static bool
goes_on(const struct configured *c, const struct ike *ike, const struct ike_event *event)
{
	struct ike_child_info child;
	struct ike_sa_info sa = { 0 };
	unsigned i;

	if (c == NULL || c->connection->unique == IKE_UNIQUE_NEVER ||
	    ike_id_is_pattern(&c->connection->remote_id))
		return false;
	while (ike_next_sa_of(ike, event->connection, sa.id, &sa)) {
		if (sa.id == event->sa || sa.state != IKE_STATE_ESTABLISHED)
			continue;
		for (i = 0; ike_child_at(ike, sa.id, i, &child); i++)
			if (event->child == 0 ||
			    strcmp(child.child.name, event->u.child->name) == 0)
				return true;
	}
	return false;
}

static void
tell_down(struct tell *tell, const struct ike *ike, const struct ike_event *event)
{
	const struct configured *c = configured_of(tell, ike, event->connection);
	char *text;

	if (event->child != 0 && goes_on(c, ike, event)) {
		log_info(tell->options.log, "%s: child %s of the former IKE SA is closed",
		    name_of(c), event->u.child->name);
		return;
	}
	if (event->child != 0) {
		log_notice(tell->options.log, "%s: child %s is down%s", name_of(c),
		    event->u.child->name, event->error != IKE_EXPIRED ? "" :
		    ": its lifetime is over, and it could not be rekeyed");
		return;
	}
	if (goes_on(c, ike, event) && forget(tell, event->sa)) {
		log_info(tell->options.log,
		    "%s: the former IKE SA is closed; another one carries on",
		    name_of(c));
		return;
	}
	text = explain_down(c, event->error);
	if (text == NULL)
		return;
	if (!forget(tell, event->sa) && event->error != IKE_CANCELLED)
		tell_failed(tell, c, event, text);
	else if (event->error == IKE_CANCELLED || event->error == IKE_CLOSED)
		log_notice(tell->options.log, "%s", text);
	else
		log_warning(tell->options.log, "%s", text);
	free(text);
}

static void
tell_refused(struct tell *tell, const struct ike *ike, const struct ike_event *event)
{
	const char *secrets_dir = tell->options.configuration->daemon.secrets_dir;
	char *text = explain_refusal(configured_of(tell, ike, event->connection),
	    secrets_dir, event->u.refusal);

	if (text != NULL)
		warn(tell, event, text);
	free(text);
}

/* By MOBIKE, or because a NAT has changed its mind. */
static void
tell_moved(struct tell *tell, const struct ike *ike, const struct ike_event *event)
{
	char path[ENDS];

	log_info(tell->options.log, "%s: child %s goes by %s now",
	    name_of(configured_of(tell, ike, event->connection)), event->u.child->name,
	    print_path(&event->u.child->path, path));
}

static void
tell_trace(struct tell *tell, const struct ike *ike, const struct ike_event *event)
{
	(void)ike;
	log_debug(tell->options.log, "%.*s", (int)event->u.text.len,
	    (const char *)event->u.text.p);
}

void
tell_event(struct tell *tell, const struct ike *ike, const struct ike_event *event)
{
	static void (*const kinds[])(struct tell *, const struct ike *,
	    const struct ike_event *) = {
		[IKE_SET_PATH] = tell_moved,
		[IKE_UP] = tell_up, [IKE_REPLACED] = tell_replaced,
		[IKE_DOWN] = tell_down, [IKE_REFUSED] = tell_refused,
		[IKE_TRACE] = tell_trace,
	};

	if ((size_t)event->type < sizeof(kinds) / sizeof(kinds[0]) &&
	    kinds[event->type] != NULL)
		kinds[event->type](tell, ike, event);
}
