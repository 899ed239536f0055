#include "daemon/guard.h"

#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/cover.h"
#include "daemon/log.h"
#include "daemon/netlink.h"

#define TABLE "ikevd"

/* Everything but the sets' elements.  In raw prerouting neither connection tracking nor
 * address translation has seen the packet. */
static const char ruleset[] =
    "table inet " TABLE "\n"
    "delete table inet " TABLE "\n"
    "table inet " TABLE " {\n"
    "	comment \"ikevd: no protected packet in clear\"\n"
    "	counter clear_in { comment \"protected, but arrived in clear\"; }\n"
    "	counter clear_out { comment \"protected, but about to leave in clear\"; }\n"
    "	set remote4 { type ipv4_addr; flags interval; }\n"
    "	set remote6 { type ipv6_addr; flags interval; }\n"
    "	set local4 { type ipv4_addr; flags interval; }\n"
    "	set local6 { type ipv6_addr; flags interval; }\n"
    "	set routed4 { type ipv4_addr; flags interval; }\n"
    "	set routed6 { type ipv6_addr; flags interval; }\n"
    /* Later fragments show no port.  An ICMP error shows, behind its own 8 octets, the IP
     * header of our packet and the port it left from. */
    "	chain to_daemon {\n"
    "		udp dport { %u, %u } accept\n"
    "		meta l4proto esp accept\n"
    "		ip frag-off & 0x1fff != 0 ip protocol udp accept\n"
    "		frag frag-off != 0 accept\n"
    "		icmp type { destination-unreachable, time-exceeded, parameter-problem }"
    " @th,136,8 50 accept\n"
    "		icmp type { destination-unreachable, time-exceeded, parameter-problem }"
    " @th,136,8 17 @th,224,16 { %u, %u } accept\n"
    "		icmpv6 type { destination-unreachable, packet-too-big, time-exceeded,"
    " parameter-problem } @th,112,8 50 accept\n"
    "		icmpv6 type { destination-unreachable, packet-too-big, time-exceeded,"
    " parameter-problem } @th,112,8 17 @th,384,16 { %u, %u } accept\n"
    "	}\n"
    "	chain neighbours {\n"
    "		ip6 hoplimit 255 icmpv6 type { nd-router-solicit, nd-router-advert,"
    " nd-neighbor-solicit, nd-neighbor-advert, nd-redirect } accept\n"
    "	}\n"
    "	chain drop_in {\n"
    "		fib daddr type local jump to_daemon\n"
    "		jump neighbours\n"
    "		counter name clear_in drop\n"
    "	}\n"
    "	chain drop_out {\n"
    "		jump neighbours\n"
    "		counter name clear_out drop\n"
    "	}\n"
    /* Nobody has the unspecified address (DHCP), and it is no route's destination. */
    "	chain unless_ours {\n"
    "		ip saddr 0.0.0.0 accept\n"
    "		ip6 saddr :: accept\n"
    "		fib saddr oifname \"%s\" goto drop_in\n"
    "		fib saddr oif missing goto drop_in\n"
    "	}\n"
    "	chain arriving {\n"
    "		type filter hook prerouting priority raw; policy accept;\n"
    "		iifname { \"%s\", \"lo\" } accept\n"
    "		ip saddr @remote4 ip daddr @local4 goto drop_in\n"
    "		ip6 saddr @remote6 ip6 daddr @local6 goto drop_in\n"
    "		ip daddr @routed4 goto unless_ours\n"
    "		ip6 daddr @routed6 goto unless_ours\n"
    "	}\n"
    "	chain leaving {\n"
    "		type filter hook postrouting priority raw; policy accept;\n"
    "		oifname { \"%s\", \"lo\" } accept\n"
    "		meta mark %u accept\n"
    "		ip saddr @local4 ip daddr @remote4 goto drop_out\n"
    "		ip6 saddr @local6 ip6 daddr @remote6 goto drop_out\n"
    "	}\n"
    "}\n";

enum set { REMOTE, LOCAL, ROUTED, SETS };
static const char *const set_names[SETS][2] = {		/* IPv4, IPv6 */
	[REMOTE] = { "remote4", "remote6" },
	[LOCAL] = { "local4", "local6" },
	[ROUTED] = { "routed4", "routed6" },
};

struct guard_set {
	struct guard *guard;
	const char *name;
	struct cover *cover;
};
struct guard {
	struct guard_set sets[SETS][2];
	struct netlink *nl, *watch;
	struct log *log;
	char *rules;		/* the ruleset, filled in */
	bool works;
};

/* ---- talking to nf_tables ---- */

static struct nlmsghdr *
begin(struct netlink *nl, uint16_t message, uint16_t flags)
{
	struct nlmsghdr *h = netlink_begin(nl,
	    (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message), flags);
	struct nfgenmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->nfgen_family = NFPROTO_INET;
	m->version = NFNETLINK_V0;
	return h;
}

static void
put_element(struct nlmsghdr *h, const uint8_t *key, uint16_t len, uint32_t flags)
{
	struct nlattr *element = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	struct nlattr *nest = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);

	mnl_attr_put(h, NFTA_DATA_VALUE, len, key);
	mnl_attr_nest_end(h, nest);
	if (flags != 0)
		mnl_attr_put_u32(h, NFTA_SET_ELEM_FLAGS, htobe32(flags));
	mnl_attr_nest_end(h, element);
}

/* The address behind the last one of a prefix; false: there is none. */
static bool
behind(const struct esp_prefix *prefix, uint8_t next[16])
{
	memcpy(next, prefix->addr, 16);
	for (unsigned i = (prefix->bits + 7u) / 8; i-- > 0;) {
		/* The last octet of the prefix counts in steps of its lowest bit. */
		unsigned step = i == (prefix->bits - 1u) / 8 ?
		    1u << (7 - (prefix->bits - 1u) % 8) : 1;

		next[i] = (uint8_t)(next[i] + step);
		if (next[i] >= step)
			return true;
	}
	return false;
}

/* An interval is two elements: where it begins, and where what is behind it begins. */
static int
change_interval(struct guard_set *set, uint16_t message, const struct esp_prefix *prefix)
{
	struct nlmsghdr *h = begin(set->guard->nl, message,
	    message == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0);
	uint16_t len = netlink_address_len(prefix->family);
	struct nlattr *list;
	uint8_t next[16];

	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, TABLE);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, set->name);
	list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	put_element(h, prefix->addr, len, 0);
	if (behind(prefix, next))
		put_element(h, next, len, NFT_SET_ELEM_INTERVAL_END);
	mnl_attr_nest_end(h, list);
	return netlink_commit_batch(set->guard->nl);
}

static void
change_set(void *arg, bool needed, const struct esp_prefix *prefix)
{
	struct guard_set *set = arg;
	struct guard *g = set->guard;

	if (!g->works || change_interval(set,
	    needed ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM, prefix) == 0)
		return;
	log_error(g->log, "cannot %s an address range %s the packet filter's set %s: %s",
	    needed ? "add" : "remove", needed ? "to" : "from", set->name,
	    netlink_reason(g->nl));
}

static bool
is_our_table(const struct nlmsghdr *h)
{
	const struct nlattr *attr = NULL;

	while (netlink_next(h, sizeof(struct nfgenmsg), &attr))
		if (mnl_attr_get_type(attr) == NFTA_TABLE_NAME &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0 &&
		    strcmp(mnl_attr_get_str(attr), TABLE) == 0)
			return true;
	return false;
}

static int
see_table(const struct nlmsghdr *h, void *arg)
{
	bool *seen = arg;
	const struct nfgenmsg *m = mnl_nlmsg_get_payload(h);

	if (m->nfgen_family == NFPROTO_INET && is_our_table(h))
		*seen = true;
	return MNL_CB_OK;
}

static bool
has_table(struct guard *g)
{
	bool seen = false;

	(void)begin(g->nl, NFT_MSG_GETTABLE, 0);
	return netlink_dump(g->nl, see_table, &seen) == 0 && seen;
}

static void
delete_table(struct guard *g)
{
	mnl_attr_put_strz(begin(g->nl, NFT_MSG_DELTABLE, 0), NFTA_TABLE_NAME, TABLE);
	(void)netlink_commit_batch(g->nl);	/* somebody else may have done it */
}

/* Runs the ruleset.  False: `why` has the first line of what libnftables says. */
static bool
make_table(const struct guard *g, char *why, size_t size)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	bool done = nft != NULL && nft_ctx_buffer_output(nft) == 0 &&
	    nft_ctx_buffer_error(nft) == 0 && nft_run_cmd_from_buffer(nft, g->rules) == 0;

	if (!done)
		snprintf(why, size, "%s", nft == NULL ? "no memory" :
		    nft_ctx_get_error_buffer(nft));
	why[strcspn(why, "\n")] = '\0';
	if (nft != NULL)
		nft_ctx_free(nft);
	return done;
}

/* ---- policies ---- */

typedef bool change_cover(struct cover *, const struct esp_prefix *);

static bool
release(struct cover *c, const struct esp_prefix *prefix)
{
	cover_release(c, prefix);
	return true;
}

static bool
change_range(
    struct guard *g, enum set set, const struct esp_range *range, change_cover *change)
{
	struct cover *cover = g->sets[set][range->family == ESP_IPV4 ? 0 : 1].cover;
	struct esp_prefix prefix = { 0 }, undo = { 0 };

	while (esp_range_next_prefix(range, &prefix))
		if (!change(cover, &prefix)) {
			while (esp_range_next_prefix(range, &undo) &&
			    memcmp(&undo, &prefix, sizeof(undo)) != 0)
				cover_release(cover, &undo);
			return false;
		}
	return true;
}

/* Overlapping addresses, or a remote range of all of them: addresses alone do not
 * tell. */
static bool
is_routed(const struct esp_selector *s)
{
	struct esp_range local = esp_range_any(s->local.family), remote = local, both;
	unsigned bits;

	memcpy(local.addr, s->local.addr, sizeof(local.addr));
	memcpy(remote.addr, s->remote.addr, sizeof(remote.addr));
	return esp_range_intersect(&local, &remote, &both) ||
	    (esp_range_is_prefix(&remote, &bits) && bits == 0);
}

static bool
change_selector(struct guard *g, const struct esp_selector *s, change_cover *change)
{
	if (is_routed(s))
		return change_range(g, ROUTED, &s->local, change);
	if (!change_range(g, LOCAL, &s->local, change))
		return false;
	if (change_range(g, REMOTE, &s->remote, change))
		return true;
	(void)change_range(g, LOCAL, &s->local, release);
	return false;
}

bool
guard_protect(struct guard *g, const struct esp_selector *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!change_selector(g, &v[i], cover_hold)) {
			guard_release(g, v, i);
			return false;
		}
	return true;
}

void
guard_release(struct guard *g, const struct esp_selector *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		(void)change_selector(g, &v[i], release);
}

bool
guard_works(const struct guard *g)
{
	return g->works;
}

/* ---- counters ---- */

struct counters { uint64_t in, out; bool has_in, has_out; };

static int
read_packets(const struct nlattr *attr, void *arg)
{
	if (mnl_attr_get_type(attr) == NFTA_COUNTER_PACKETS &&
	    mnl_attr_validate(attr, MNL_TYPE_U64) == 0)
		*(uint64_t *)arg = be64toh(mnl_attr_get_u64(attr));
	return MNL_CB_OK;
}

static int
read_counter(const struct nlmsghdr *h, void *arg)
{
	struct counters *counters = arg;
	const struct nlattr *attr = NULL, *data = NULL;
	const char *table = "", *name = "";
	uint64_t packets = 0;

	while (netlink_next(h, sizeof(struct nfgenmsg), &attr)) {
		uint16_t type = mnl_attr_get_type(attr);

		if (type == NFTA_OBJ_DATA &&
		    mnl_attr_validate(attr, MNL_TYPE_NESTED) == 0)
			data = attr;
		else if (type == NFTA_OBJ_TABLE &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
			table = mnl_attr_get_str(attr);
		else if (type == NFTA_OBJ_NAME &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
			name = mnl_attr_get_str(attr);
	}
	if (data == NULL || strcmp(table, TABLE) != 0)
		return MNL_CB_OK;
	(void)mnl_attr_parse_nested(data, read_packets, &packets);
	if (strcmp(name, "clear_in") == 0) {
		counters->in = packets;
		counters->has_in = true;
	} else if (strcmp(name, "clear_out") == 0) {
		counters->out = packets;
		counters->has_out = true;
	}
	return MNL_CB_OK;
}

bool
guard_dropped(struct guard *g, uint64_t *in, uint64_t *out)
{
	struct counters counters = { 0, 0, false, false };

	if (!g->works)
		return false;
	mnl_attr_put_strz(begin(g->nl, NFT_MSG_GETOBJ, 0), NFTA_OBJ_TABLE, TABLE);
	if (netlink_dump(g->nl, read_counter, &counters) != 0 || !counters.has_in ||
	    !counters.has_out)
		return false;
	*in = counters.in;
	*out = counters.out;
	return true;
}

/* ---- what others do to the packet filter ---- */

static int
see_deletion(const struct nlmsghdr *h, void *arg)
{
	bool *deleted = arg;

	if (h->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE) &&
	    is_our_table(h))
		*deleted = true;
	return MNL_CB_OK;
}

int
guard_fd(const struct guard *g)
{
	return g->works ? netlink_fd(g->watch) : -1;
}

void
guard_process(struct guard *g)
{
	bool deleted = false;
	char why[160];

	if (!g->works)
		return;
	if (netlink_receive(g->watch, see_deletion, &deleted) == -ENOBUFS)
		deleted = true;
	if (!deleted || has_table(g))
		return;
	if (!make_table(g, why, sizeof(why))) {
		log_error(g->log,
		    "somebody has removed the packet filter table inet " TABLE
		    ", and it cannot be made again (%s): clear packets are not dropped "
		    "until ikevd is restarted",
		    why);
		return;
	}
	for (unsigned set = 0; set < SETS; set++)
		for (unsigned family = 0; family < 2; family++)
			cover_each(g->sets[set][family].cover);
	log_warning(g->log, "somebody has removed the packet filter table inet " TABLE
	    " (nft flush ruleset?); it is made again");
	/* What was our own doing. */
	(void)netlink_receive(g->watch, see_deletion, &deleted);
}

/* ---- beginning and end ---- */

static bool
make_sets(struct guard *g)
{
	for (unsigned set = 0; set < SETS; set++)
		for (unsigned family = 0; family < 2; family++) {
			struct guard_set *s = &g->sets[set][family];

			s->guard = g;
			s->name = set_names[set][family];
			s->cover = cover_new(change_set, s);
			if (s->cover == NULL)
				return false;
		}
	return true;
}

static void
start(struct guard *g)
{
	char why[160] = "";
	bool ignored = false;

	g->nl = netlink_new(NETLINK_NETFILTER, 0);
	g->watch = netlink_new(NETLINK_NETFILTER, 1 << (NFNLGRP_NFTABLES - 1));
	if (g->nl == NULL || g->watch == NULL)
		snprintf(why, sizeof(why), "%s", strerror(errno));
	else
		g->works = make_table(g, why, sizeof(why));
	if (g->works)
		(void)netlink_receive(g->watch, see_deletion, &ignored);
	else
		log_warning(g->log,
		    "packets that arrive in clear from the remote subnets cannot be "
		    "dropped: nf_tables says: %s; \"modprobe -a nf_tables nft_fib_inet\" "
		    "before ikevd starts, or a packet filter of your own, mends it",
		    why);
}

struct guard *
guard_new(const struct guard_options *o)
{
	struct guard *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->log = o->log;
	if (!make_sets(g) || asprintf(&g->rules, ruleset, o->port, o->natt_port, o->port,
	    o->natt_port, o->port, o->natt_port, o->interface, o->interface, o->interface,
	    o->mark) < 0) {
		g->rules = NULL;
		guard_free(g);
		return NULL;
	}
	start(g);
	return g;
}

void
guard_free(struct guard *g)
{
	if (g == NULL)
		return;
	if (g->works)
		delete_table(g);
	for (unsigned set = 0; set < SETS; set++)
		for (unsigned family = 0; family < 2; family++)
			cover_free(g->sets[set][family].cover);
	netlink_free(g->nl);
	netlink_free(g->watch);
	free(g->rules);
	free(g);
}
