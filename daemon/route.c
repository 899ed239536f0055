#include "daemon/route.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/log.h"
#include "daemon/mtu.h"
#include "daemon/plan.h"
#include "daemon/rule.h"
#include "daemon/stale.h"
#include "libipsec/hash.h"

enum { NAME = 136 };		/* CONNECTION.CHILD: two names of at most 63 */

/* What the kernel has been told, or should have been. */
struct entry {
	UT_hash_handle hh;
	struct plan_key key;
	unsigned users;		/* policies */
	bool has_source;
	uint8_t source[16];
	uint32_t mtu;		/* PLAN_REMOTE: the least of its users' */
};
struct policy {
	UT_hash_handle hh;
	uint64_t id;
	char name[NAME];	/* for the log */
	uint32_t mtu;
	struct esp_selector *selectors;
	unsigned n;
	struct plan plan;
};
struct route {
	const char *interface;
	uint32_t ifindex;
	struct log *log;
	struct netlink *nl, *watch;
	struct rules rules;
	struct addresses host;
	struct entry *entries;		/* by key */
	struct policy *policies;	/* by id, in the order they came */
	unsigned defaults[2];		/* IPv4, IPv6: remote prefixes of length 0 */
	bool no_ipv6;
	bool up;			/* the interface, when we last heard of it */
	uint32_t link_mtu;
};

static unsigned
index_of(uint8_t family)
{
	return family == ESP_IPV4 ? 0 : 1;
}

/* ---- routes ---- */

static uint32_t
least_mtu(uint8_t family)
{
	return family == ESP_IPV4 ? MTU_IPV4_MIN : MTU_IPV6_MIN;
}

static void
complain(struct route *r, const struct rtnl_route *route, const char *meaning)
{
	struct esp_range range;
	char text[ESP_RANGE_TEXT] = "";

	if (esp_range_from_prefix(&range, route->prefix.family, route->prefix.addr,
	    route->prefix.bits))
		esp_range_print(&range, text, sizeof(text));
	log_error(r->log, "cannot make the route to %s: %s; %s", text,
	    netlink_reason(r->nl), meaning);
}

static void
add_tunnel_route(struct route *r, const struct entry *e)
{
	struct rtnl_route route = { .prefix = e->key.prefix,
		.use = RTNL_TUNNEL,
		.ifindex = r->ifindex,
		.mtu = e->mtu,
		.source = e->has_source ? e->source : NULL };
	int error;

	if (!r->up)
		return;		/* all of them are added when it is up again */
	error = rtnl_route(r->nl, RTNL_ADD, &route);
	/* The address may have gone a moment ago; route_process will hear of it. */
	if (error == -EINVAL && route.source != NULL) {
		route.source = NULL;
		error = rtnl_route(r->nl, RTNL_ADD, &route);
	}
	if (error != 0)
		complain(r, &route,
		    "until the connection is loaded again, or the interface "
		    "comes up again, it is unreachable");
}

static void
add_remote(struct route *r, const struct entry *e)
{
	struct rtnl_route closed = { .prefix = e->key.prefix, .use = RTNL_UNREACHABLE };

	if (rtnl_route(r->nl, RTNL_ADD, &closed) != 0)
		complain(r, &closed, "it is not protected should the interface go");
	add_tunnel_route(r, e);
	if (e->key.prefix.bits == 0 && r->defaults[index_of(e->key.prefix.family)]++ == 0)
		rule_default(&r->rules, RTNL_ADD, e->key.prefix.family);
}

static void
remove_remote(struct route *r, const struct entry *e)
{
	struct rtnl_route route = { .prefix = e->key.prefix, .use = RTNL_TUNNEL };

	/* The kernel removed it already if the interface has gone. */
	(void)rtnl_route(r->nl, RTNL_REMOVE, &route);
	route.use = RTNL_UNREACHABLE;
	(void)rtnl_route(r->nl, RTNL_REMOVE, &route);
	if (e->key.prefix.bits == 0 && --r->defaults[index_of(e->key.prefix.family)] == 0)
		rule_default(&r->rules, RTNL_REMOVE, e->key.prefix.family);
}

static void
add_except(struct route *r, const struct entry *e)
{
	struct rtnl_route route = { .prefix = e->key.prefix, .use = RTNL_THROW };

	if (rtnl_route(r->nl, RTNL_ADD, &route) != 0)
		complain(r, &route, "packets to this local network go to the tunnel");
}

static void
remove_except(struct route *r, const struct entry *e)
{
	struct rtnl_route route = { .prefix = e->key.prefix, .use = RTNL_THROW };

	(void)rtnl_route(r->nl, RTNL_REMOVE, &route);
}

static void
add_from(struct route *r, const struct entry *e)
{
	rule_from(&r->rules, RTNL_ADD, &e->key.prefix);
}

static void
remove_from(struct route *r, const struct entry *e)
{
	rule_from(&r->rules, RTNL_REMOVE, &e->key.prefix);
}

static void
add_host(struct route *r, const struct entry *e)
{
	rule_host(&r->rules, RTNL_ADD, e->key.prefix.family);
}

static void
remove_host(struct route *r, const struct entry *e)
{
	rule_host(&r->rules, RTNL_REMOVE, e->key.prefix.family);
}

static const struct kind {
	void (*add)(struct route *, const struct entry *);
	void (*remove)(struct route *, const struct entry *);
} kinds[PLAN_KINDS] = {
	[PLAN_REMOTE] = { add_remote, remove_remote },
	[PLAN_EXCEPT] = { add_except, remove_except },
	[PLAN_FROM] = { add_from, remove_from },
	[PLAN_HOST] = { add_host, remove_host },
};

/* ---- the interface's MTU: the greatest of its routes ---- */

static void
refresh_ipv6(struct route *r)
{
	struct entry *e, *next;

	HASH_ITER(hh, r->entries, e, next)
		if (e->key.kind == PLAN_REMOTE && e->key.prefix.family == ESP_IPV6)
			add_tunnel_route(r, e);
}

/* IPv6 moves the MTU of routes along with the interface's: they are set again. */
static void
set_link_mtu(struct route *r, uint32_t mtu)
{
	if (mtu < MTU_IPV6_MIN)
		mtu = MTU_IPV6_MIN;
	if (mtu == r->link_mtu)
		return;
	if (rtnl_set_mtu(r->nl, r->ifindex, mtu) != 0) {
		if (r->up)
			log_warning(r->log, "cannot set the MTU of %s to %u: %s",
			    r->interface, mtu, netlink_reason(r->nl));
		return;
	}
	r->link_mtu = mtu;
	refresh_ipv6(r);
}

static void
fit_link_mtu(struct route *r)
{
	uint32_t most = 0;
	struct entry *e, *next;

	HASH_ITER(hh, r->entries, e, next)
		if (e->key.kind == PLAN_REMOTE && e->mtu > most)
			most = e->mtu;
	set_link_mtu(r, most == 0 ? tunnel_mtu_worst(MTU_ETHERNET) : most);
}

/* ---- entries ---- */

static const struct plan_entry *
find_in(const struct plan *plan, const struct plan_key *key)
{
	for (unsigned i = 0; i < plan->n; i++)
		if (memcmp(&plan->v[i].key, key, sizeof(*key)) == 0)
			return &plan->v[i];
	return NULL;
}

/* The least MTU counts, and the source of the first policy that has one. */
static bool
add_wish(struct entry *e, const struct policy *p)
{
	const struct plan_entry *wish = find_in(&p->plan, &e->key);

	if (wish == NULL)
		return false;
	if (p->mtu < e->mtu)
		e->mtu = p->mtu;
	if (wish->has_source && !e->has_source) {
		e->has_source = true;
		memcpy(e->source, wish->source, sizeof(e->source));
	}
	return true;
}

/* Works out anew what an entry's users want of it, and tells the kernel when that
 * differs.  `changed` is what has changed: mostly it is the only user. */
static void
settle_entry(struct route *r, struct entry *e, const struct policy *changed)
{
	struct entry old = *e;
	struct policy *p, *next;

	if (e->key.kind != PLAN_REMOTE)
		return;
	e->mtu = UINT32_MAX;
	e->has_source = false;
	memset(e->source, 0, sizeof(e->source));
	if (e->users != 1 || !add_wish(e, changed))
		HASH_ITER(hh, r->policies, p, next)
			(void)add_wish(e, p);
	if (e->mtu < least_mtu(e->key.prefix.family))
		e->mtu = least_mtu(e->key.prefix.family);
	if (e->mtu == old.mtu && e->has_source == old.has_source &&
	    memcmp(e->source, old.source, sizeof(e->source)) == 0)
		return;
	if (e->mtu > r->link_mtu)
		set_link_mtu(r, e->mtu);
	add_tunnel_route(r, e);
}

static struct entry *
find_entry(struct route *r, const struct plan_key *key)
{
	struct entry *e;

	HASH_FIND(hh, r->entries, key, sizeof(*key), e);
	return e;
}

static void
release(struct route *r, const struct plan_key *key)
{
	struct entry *e = find_entry(r, key);

	if (e == NULL || --e->users != 0)
		return;
	kinds[e->key.kind].remove(r, e);
	HASH_DEL(r->entries, e);
	free(e);
}

/* A new entry has its MTU and source at once, so that the kernel is told just once. */
static bool
hold(struct route *r, const struct policy *p, const struct plan_entry *wish)
{
	struct entry *e = find_entry(r, &wish->key);

	if (e != NULL) {
		e->users++;
		return true;
	}
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return false;
	e->key = wish->key;
	e->users = 1;
	e->has_source = wish->has_source;
	memcpy(e->source, wish->source, sizeof(e->source));
	e->mtu = p->mtu < least_mtu(e->key.prefix.family) ?
	    least_mtu(e->key.prefix.family) : p->mtu;
	HASH_ADD(hh, r->entries, key, sizeof(e->key), e);
	if (e->hh.tbl == NULL) {
		free(e);
		return false;
	}
	if (e->key.kind == PLAN_REMOTE && e->mtu > r->link_mtu)
		set_link_mtu(r, e->mtu);
	kinds[e->key.kind].add(r, e);
	return true;
}

/* Gives a policy another plan; what is in *plan afterwards is to be cleared.  What both
 * want is never taken away in between. */
static bool
replan(struct route *r, struct policy *p, struct plan *plan)
{
	struct plan old = p->plan;
	struct entry *e;

	if (plan_equal(plan, &old)) {
		p->plan = *plan;	/* what it says besides may differ */
		*plan = old;
		return true;
	}
	for (unsigned i = 0; i < plan->n; i++)
		if (!hold(r, p, &plan->v[i])) {
			while (i-- > 0)
				release(r, &plan->v[i].key);
			return false;
		}
	p->plan = *plan;
	*plan = (struct plan){ NULL, 0, false, false };
	for (unsigned i = 0; i < old.n; i++)
		release(r, &old.v[i].key);
	for (unsigned i = 0; i < p->plan.n; i++) {
		e = find_entry(r, &p->plan.v[i].key);
		if (e != NULL && (e->users > 1 || old.n != 0))
			settle_entry(r, e, p);
	}
	for (unsigned i = 0; i < old.n; i++) {
		e = find_entry(r, &old.v[i].key);
		if (e != NULL)
			settle_entry(r, e, p);
	}
	plan_clear(&old);
	return true;
}

/* ---- policies ---- */

static void
explain_plan(struct route *r, const struct policy *p)
{
	if (p->plan.narrow)
		log_notice(r->log,
		    "%s: packets are routed by their addresses alone; those whose "
		    "protocol or ports the selectors do not have are refused",
		    p->name);
	if (p->plan.sourceless)
		log_notice(r->log,
		    "%s: no address of this host lies in the local subnets; "
		    "packets it forwards are carried, its own need such an address",
		    p->name);
}

static struct policy *
find_policy(struct route *r, uint64_t id)
{
	struct policy *p;

	HASH_FIND(hh, r->policies, &id, sizeof(id), p);
	return p;
}

static bool
has_family(const struct esp_selector *v, unsigned n, uint8_t family)
{
	for (unsigned i = 0; i < n; i++)
		if (v[i].remote.family == family)
			return true;
	return false;
}

/* IPv6 selectors are left out where there is no IPv6: nothing can be sent in clear
 * either. */
static unsigned
copy_selectors(
    const struct route *r, struct esp_selector *to, const struct ipsec_trap *trap)
{
	unsigned n = 0;

	for (unsigned i = 0; i < trap->n; i++)
		if (!r->no_ipv6 || trap->selectors[i].remote.family == ESP_IPV4)
			to[n++] = trap->selectors[i];
	return n;
}

static void
free_policy(struct policy *p)
{
	plan_clear(&p->plan);
	free(p->selectors);
	free(p);
}

static struct policy *
new_policy(struct route *r, uint64_t id)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->id = id;
	p->mtu = tunnel_mtu_worst(MTU_ETHERNET);
	HASH_ADD(hh, r->policies, id, sizeof(p->id), p);
	if (p->hh.tbl == NULL) {
		free(p);
		return NULL;
	}
	return p;
}

bool
route_put(struct route *r, const struct ipsec_trap *trap)
{
	struct esp_selector *copy = calloc(trap->n == 0 ? 1 : trap->n, sizeof(*copy));
	struct policy *p = find_policy(r, trap->id);
	bool new = p == NULL;
	struct plan plan = { NULL, 0, false, false };
	unsigned n;

	if (copy == NULL || (new && (p = new_policy(r, trap->id)) == NULL)) {
		free(copy);
		return false;
	}
	snprintf(p->name, sizeof(p->name), "%s.%s", trap->connection_name, trap->child);
	n = copy_selectors(r, copy, trap);
	if (r->no_ipv6 && has_family(trap->selectors, trap->n, ESP_IPV6))
		log_warning(r->log,
		    "%s: this host has no IPv6, so its IPv6 subnets are left out",
		    p->name);
	if (!plan_make(&plan, copy, n, &r->host) || !replan(r, p, &plan)) {
		plan_clear(&plan);
		free(copy);
		if (new) {
			HASH_DEL(r->policies, p);
			free_policy(p);
		}
		return false;
	}
	plan_clear(&plan);
	free(p->selectors);
	p->selectors = copy;
	p->n = n;
	explain_plan(r, p);
	return true;
}

void
route_remove(struct route *r, uint64_t id)
{
	struct policy *p = find_policy(r, id);
	struct plan none = { NULL, 0, false, false };

	if (p == NULL)
		return;
	(void)replan(r, p, &none);
	plan_clear(&none);
	HASH_DEL(r->policies, p);
	if (p->mtu >= r->link_mtu)
		fit_link_mtu(r);
	free_policy(p);
}

void
route_set_mtu(struct route *r, uint64_t id, uint32_t mtu)
{
	struct policy *p = find_policy(r, id);
	bool was_greatest;

	if (p == NULL || p->mtu == mtu)
		return;
	was_greatest = p->mtu >= r->link_mtu;
	p->mtu = mtu;
	for (unsigned i = 0; i < p->plan.n; i++) {
		struct entry *e = find_entry(r, &p->plan.v[i].key);

		if (e != NULL)
			settle_entry(r, e, p);
	}
	if (was_greatest)
		fit_link_mtu(r);
}

void
route_lower_mtu(struct route *r, uint64_t id, uint32_t mtu)
{
	const struct policy *p = find_policy(r, id);

	if (p != NULL && mtu < p->mtu)
		route_set_mtu(r, id, mtu);
}

uint32_t
route_mtu(const struct route *r)
{
	return r->link_mtu;
}

/* ---- what changes around us ---- */

struct news {
	const struct route *route;
	bool addresses;		/* some have changed */
	bool lost;		/* routes, which the kernel removed */
	bool up, down;
};

static bool
is_source(const struct route *r, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr = NULL;
	uint8_t family = netlink_ip_version(m->ifa_family), addr[16];
	struct entry *e, *next;

	while (netlink_next(h, sizeof(*m), &attr)) {
		uint16_t type = mnl_attr_get_type(attr);

		if ((type != IFA_LOCAL && type != IFA_ADDRESS) ||
		    !netlink_read_address(attr, family, addr))
			continue;
		HASH_ITER(hh, r->entries, e, next)
			if (e->has_source && e->key.prefix.family == family &&
			    memcmp(e->source, addr, sizeof(addr)) == 0)
				return true;
	}
	return false;
}

static int
read_news(const struct nlmsghdr *h, void *arg)
{
	struct news *news = arg;
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(h);
	bool ours = (uint32_t)link->ifi_index == news->route->ifindex;

	if (h->nlmsg_type == RTM_NEWADDR) {
		news->addresses = true;
	} else if (h->nlmsg_type == RTM_DELADDR) {
		news->addresses = true;
		/* IPv4 routes go with the address that is their source, also when it is
		 * back before we look. */
		news->lost |= is_source(news->route, h);
	} else if (h->nlmsg_type == RTM_NEWLINK && ours) {
		bool up = (link->ifi_flags & IFF_UP) != 0;

		news->down |= !up;
		news->up = up;
	} else if (h->nlmsg_type == RTM_DELLINK && ours &&
	    link->ifi_family == AF_UNSPEC) {
		news->down = true;
		news->up = false;
	}
	return MNL_CB_OK;
}

static void
follow_addresses(struct route *r)
{
	struct policy *p, *next;
	struct plan plan;

	if (addresses_read(r->nl, &r->host) != 0) {
		log_warning(r->log, "cannot read the addresses of this host: %s",
		    netlink_reason(r->nl));
		return;
	}
	HASH_ITER(hh, r->policies, p, next) {
		if (!plan_make(&plan, p->selectors, p->n, &r->host) ||
		    !replan(r, p, &plan))
			log_error(r->log,
			    "%s: no memory to follow the addresses of this host",
			    p->name);
		plan_clear(&plan);
	}
}

static void
add_tunnel_routes(struct route *r)
{
	struct entry *e, *next;

	HASH_ITER(hh, r->entries, e, next)
		if (e->key.kind == PLAN_REMOTE)
			add_tunnel_route(r, e);
}

void
route_process(struct route *r)
{
	struct news news = { .route = r, .up = r->up };
	int got = netlink_receive(r->watch, read_news, &news);
	bool risen = news.up && (news.down || !r->up);

	if (got == -ENOBUFS)
		news.addresses = news.lost = true;
	if (r->up && !news.up)
		log_error(r->log,
		    "somebody has taken %s down: the remote subnets are unreachable "
		    "until it is up again (ip link set %s up)",
		    r->interface, r->interface);
	if (risen)
		log_notice(r->log, "%s is up again", r->interface);
	r->up = news.up;
	if (news.addresses)
		follow_addresses(r);
	if (risen || news.lost)
		add_tunnel_routes(r);
}

int
route_fd(const struct route *r)
{
	return netlink_fd(r->watch);
}

/* ---- beginning and end ---- */

static bool
keep_route(void *arg, const struct rtnl_route *found)
{
	struct route *r = arg;
	struct plan_key key;

	memset(&key, 0, sizeof(key));
	key.kind = found->use == RTNL_THROW ? PLAN_EXCEPT : PLAN_REMOTE;
	key.prefix = found->prefix;
	return find_entry(r, &key) != NULL;
}

static bool
keep_rule(void *arg, const struct rtnl_rule *found)
{
	struct route *r = arg;
	struct plan_key key;
	bool of_host = found->priority == RTNL_HOST || found->priority == RTNL_HOST6;

	if (found->priority == RTNL_FIRST || found->priority == RTNL_MARKED)
		return found->mark == r->rules.mark && (found->priority == RTNL_FIRST ||
		    r->defaults[index_of(found->family)] != 0);
	if (!of_host && found->priority != RTNL_FROM)
		return r->defaults[index_of(found->family)] != 0;
	memset(&key, 0, sizeof(key));
	key.kind = of_host ? PLAN_HOST : PLAN_FROM;
	key.prefix.family = found->family;
	if (!of_host)
		key.prefix = found->from;
	return find_entry(r, &key) != NULL;
}

void
route_settled(struct route *r)
{
	struct stale_keep keep = { keep_route, keep_rule, r };
	unsigned removed = stale_sweep(r->nl, &keep);

	if (removed != 0)
		log_notice(r->log,
		    "removed %u routes and rules that a killed ikevd left behind",
		    removed);
}

static void
explain_start(char *error, size_t size, const char *what, const char *reason, int code)
{
	const char *remedy = "";

	if (code == -EPERM)
		remedy = "; run ikevd as root or with CAP_NET_ADMIN";
	else if (code == -EOPNOTSUPP || code == -EAFNOSUPPORT)
		remedy = "; the kernel needs policy routing (CONFIG_IP_MULTIPLE_TABLES)";

	snprintf(error, size, "cannot %s: %s%s", what, reason, remedy);
}

static int
ignore(const struct nlmsghdr *h, void *arg)
{
	(void)h;
	(void)arg;
	return MNL_CB_OK;
}

/* IPv6 may be missing in the kernel or switched off when it starts; IPv4 may not. */
static bool
start(struct route *r, char *error, size_t size)
{
	int code = addresses_read(r->nl, &r->host);

	if (code == 0)
		code = rtnl_set_mtu(r->nl, r->ifindex, r->link_mtu);
	if (code == 0)
		code = rtnl_set_up(r->nl, r->ifindex);
	if (code != 0) {
		explain_start(
		    error, size, "bring the interface up", netlink_reason(r->nl), code);
		return false;
	}
	(void)netlink_receive(r->watch, ignore, NULL);	/* our own doing so far */
	code = rule_first(&r->rules, ESP_IPV4);
	if (code == 0)
		code = rule_first(&r->rules, ESP_IPV6);
	r->no_ipv6 = code == -EAFNOSUPPORT || code == -EOPNOTSUPP;
	if (code != 0 && !r->no_ipv6) {
		explain_start(
		    error, size, "add a routing rule", netlink_reason(r->nl), code);
		return false;
	}
	return true;
}

struct route *
route_new(const struct route_options *options, char *error, size_t size)
{
	struct route *r = calloc(1, sizeof(*r));

	if (r != NULL) {
		r->interface = options->interface;
		r->ifindex = options->ifindex;
		r->log = options->log;
		r->up = true;
		r->link_mtu = tunnel_mtu_worst(MTU_ETHERNET);
		r->nl = netlink_new(NETLINK_ROUTE, 0);
		r->rules = (struct rules){ r->nl, options->log, options->mark };
		r->watch = netlink_new(NETLINK_ROUTE,
		    RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
	}
	if (r == NULL || r->nl == NULL || r->watch == NULL) {
		snprintf(
		    error, size, "cannot open a netlink socket: %s", strerror(errno));
		route_free(r);
		return NULL;
	}
	if (!start(r, error, size)) {
		route_free(r);
		return NULL;
	}
	return r;
}

void
route_free(struct route *r)
{
	struct entry *e, *next_entry;
	struct policy *p, *next_policy;

	if (r == NULL)
		return;
	if (r->nl != NULL)
		(void)stale_sweep(r->nl, NULL);
	HASH_ITER(hh, r->entries, e, next_entry) {
		HASH_DEL(r->entries, e);
		free(e);
	}
	HASH_ITER(hh, r->policies, p, next_policy) {
		HASH_DEL(r->policies, p);
		free_policy(p);
	}
	addresses_clear(&r->host);
	netlink_free(r->nl);
	netlink_free(r->watch);
	free(r);
}
