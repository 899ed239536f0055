#include <event2/dns.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "libipsec/resolve.h"

enum { MAX_ADDRESSES = 16 };	/* of one name that are looked at */

struct resolver;
struct ask {
	LIST_ENTRY(ask) link;
	struct resolver *resolver;	/* NULL: freed meanwhile */
	ike_id question;
	ipsec_resolved *done;		/* NULL: cancelled */
	void *arg;
};

struct resolver {
	struct ipsec_resolver public;	/* first: the resolver is this struct */
	struct event_base *base;
	struct evdns_base *dns;		/* NULL until the first question */
	LIST_HEAD(, ask) asks;
};

static struct resolver *
of(struct ipsec_resolver *r)
{
	return (struct resolver *)r;
}

/* The files may have changed since the last question.  Not while one is open. */
static bool
read_files(struct resolver *r)
{
	if (!LIST_EMPTY(&r->asks))
		return r->dns != NULL;
	if (r->dns != NULL)
		evdns_base_free(r->dns, 0);
	r->dns = evdns_base_new(r->base,
	    EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	return r->dns != NULL;
}

static bool
take_address(const struct sockaddr *from, struct ipsec_address *to)
{
	const struct sockaddr_in *in = (const void *)from;
	const struct sockaddr_in6 *in6 = (const void *)from;

	memset(to, 0, sizeof(*to));
	if (from->sa_family == AF_INET) {
		to->family = 4;
		memcpy(to->addr, &in->sin_addr, 4);
	} else if (from->sa_family == AF_INET6) {
		to->family = 6;
		memcpy(to->addr, &in6->sin6_addr, 16);
		to->ifindex = in6->sin6_scope_id;
	}
	return to->family != 0;
}

static void
answered(int error, struct evutil_addrinfo *found, void *arg)
{
	struct ask *a = arg;
	struct ipsec_address v[MAX_ADDRESSES] = { 0 };
	struct evutil_addrinfo *i;
	unsigned n = 0;

	for (i = found; i != NULL && n < MAX_ADDRESSES; i = i->ai_next)
		if (take_address(i->ai_addr, &v[n]))
			n++;
	if (a->done != NULL)
		a->done(a->arg, a->question, v, n,
		    error != 0 ? evutil_gai_strerror(error) : "the name has no address");
	if (found != NULL)
		evutil_freeaddrinfo(found);
	if (a->resolver != NULL)
		LIST_REMOVE(a, link);	/* not before: see read_files */
	free(a);
}

static void
ask(struct ipsec_resolver *public, ike_id question, const char *host,
    ipsec_resolved *done, void *arg)
{
	struct evutil_addrinfo hints = { .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_DGRAM, .ai_protocol = IPPROTO_UDP };
	struct resolver *r = of(public);
	struct ask *a = NULL;

	if (!read_files(r) || (a = calloc(1, sizeof(*a))) == NULL) {
		done(arg, question, NULL, 0, "the resolver could not be started");
		return;
	}
	a->resolver = r;
	a->question = question;
	a->done = done;
	a->arg = arg;
	LIST_INSERT_HEAD(&r->asks, a, link);
	/* Calls back at once for what /etc/hosts says. */
	evdns_getaddrinfo(r->dns, host, NULL, &hints, answered, a);
}

/* The look-ups go on, and their answers are thrown away. */
static void
cancel(struct ipsec_resolver *public, void *arg)
{
	struct ask *a;

	LIST_FOREACH(a, &of(public)->asks, link)
		if (a->arg == arg)
			a->done = NULL;
}

static const struct ipsec_resolver_ops resolver_ops = { .ask = ask, .cancel = cancel };

struct ipsec_resolver *
ipsec_resolver_new(struct event_base *base)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->public.ops = &resolver_ops;
	r->base = base;
	LIST_INIT(&r->asks);
	return &r->public;
}

void
ipsec_resolver_free(struct ipsec_resolver *public)
{
	struct resolver *r = of(public);
	struct ask *a;

	if (r == NULL)
		return;
	while ((a = LIST_FIRST(&r->asks)) != NULL) {
		a->resolver = NULL;
		a->done = NULL;
		LIST_REMOVE(a, link);
	}
	if (r->dns != NULL)
		evdns_base_free(r->dns, 1);	/* answered comes when the base runs */
	free(r);
}
