#include "daemon/rtnl.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

enum { DEFAULT_ROUTES = 0 };	/* FRA_SUPPRESS_PREFIXLEN: as short as this, or shorter */

static const struct {
	enum rtnl_use use;
	uint8_t type;
} uses[] = {
	{ RTNL_TUNNEL, RTN_UNICAST },
	{ RTNL_UNREACHABLE, RTN_UNREACHABLE },
	{ RTNL_THROW, RTN_THROW },
};
enum { USES = sizeof(uses) / sizeof(uses[0]) };

static uint8_t
type_of(enum rtnl_use use)
{
	for (unsigned i = 0; i < USES; i++)
		if (uses[i].use == use)
			return uses[i].type;
	return RTN_UNSPEC;
}

static void
put_address(struct nlmsghdr *h, uint16_t type, uint8_t family, const uint8_t *addr)
{
	mnl_attr_put(h, type, netlink_address_len(family), addr);
}

int
rtnl_route(struct netlink *nl, enum rtnl_change change, const struct rtnl_route *r)
{
	bool add = change == RTNL_ADD;
	struct nlmsghdr *h = netlink_begin(nl, add ? RTM_NEWROUTE : RTM_DELROUTE,
	    add ? NLM_F_CREATE | NLM_F_REPLACE : 0);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	struct nlattr *metrics;

	m->rtm_family = netlink_family(r->prefix.family);
	m->rtm_dst_len = r->prefix.bits;
	m->rtm_table = RT_TABLE_COMPAT;
	m->rtm_type = type_of(r->use);
	m->rtm_protocol = RTNL_PROTOCOL;
	/* IPv4 wants a route without a gateway to have the scope of the link; to a
	 * removal RT_SCOPE_NOWHERE means any. */
	m->rtm_scope = !add ? RT_SCOPE_NOWHERE : r->use == RTNL_TUNNEL &&
	    r->prefix.family == ESP_IPV4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	put_address(h, RTA_DST, r->prefix.family, r->prefix.addr);
	mnl_attr_put_u32(h, RTA_TABLE, RTNL_TABLE);
	mnl_attr_put_u32(h, RTA_PRIORITY, r->use);
	if (!add || r->use != RTNL_TUNNEL)
		return netlink_commit(nl);
	mnl_attr_put_u32(h, RTA_OIF, r->ifindex);
	if (r->source != NULL)
		put_address(h, RTA_PREFSRC, r->prefix.family, r->source);
	metrics = mnl_attr_nest_start(h, RTA_METRICS);
	mnl_attr_put_u32(h, RTAX_MTU, r->mtu);
	mnl_attr_nest_end(h, metrics);
	return netlink_commit(nl);
}

int
rtnl_rule(struct netlink *nl, enum rtnl_change change, const struct rtnl_rule *r)
{
	static const uint8_t actions[] = { [RTNL_LOOKUP] = FR_ACT_TO_TBL,
		[RTNL_GOTO] = FR_ACT_GOTO,
		[RTNL_NOP] = FR_ACT_NOP };
	bool add = change == RTNL_ADD;
	struct nlmsghdr *h = netlink_begin(nl, add ? RTM_NEWRULE : RTM_DELRULE,
	    add ? NLM_F_CREATE | NLM_F_EXCL : 0);
	struct fib_rule_hdr *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->family = netlink_family(r->family);
	m->action = actions[r->action];
	m->flags = r->invert ? FIB_RULE_INVERT : 0;
	m->src_len = r->from.bits;
	mnl_attr_put_u32(h, FRA_PRIORITY, r->priority);
	mnl_attr_put_u8(h, FRA_PROTOCOL, RTNL_PROTOCOL);
	if (r->from.bits != 0)
		put_address(h, FRA_SRC, r->family, r->from.addr);
	if (r->mark != 0) {
		mnl_attr_put_u32(h, FRA_FWMARK, r->mark);
		mnl_attr_put_u32(h, FRA_FWMASK, UINT32_MAX);
	}
	if (r->action == RTNL_LOOKUP)
		mnl_attr_put_u32(h, FRA_TABLE, r->target);
	else if (r->action == RTNL_GOTO)
		mnl_attr_put_u32(h, FRA_GOTO, r->target);
	if (r->specific)
		mnl_attr_put_u32(h, FRA_SUPPRESS_PREFIXLEN, DEFAULT_ROUTES);
	return netlink_commit(nl);
}

struct walk {
	void (*route)(void *arg, const struct rtnl_route *);
	void (*rule)(void *arg, const struct rtnl_rule *);
	void *arg;
};

static uint32_t
read_u32(const struct nlattr *attr)
{
	return mnl_attr_validate(attr, MNL_TYPE_U32) == 0 ? mnl_attr_get_u32(attr) : 0;
}

static int
read_route(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	const struct walk *walk = arg;
	struct rtnl_route r = { .prefix.bits = m->rtm_dst_len };
	uint32_t table = m->rtm_table, metric = 0;
	const struct nlattr *attr = NULL;

	r.prefix.family = netlink_ip_version(m->rtm_family);
	/* The kernel's own clones (PMTU exceptions) are no routes of ours. */
	if (h->nlmsg_type != RTM_NEWROUTE || (m->rtm_flags & RTM_F_CLONED) != 0)
		return MNL_CB_OK;
	while (netlink_next(h, sizeof(*m), &attr)) {
		uint16_t type = mnl_attr_get_type(attr);

		if (type == RTA_TABLE)
			table = read_u32(attr);
		else if (type == RTA_PRIORITY)
			metric = read_u32(attr);
		else if (type == RTA_DST &&
		    !netlink_read_address(attr, r.prefix.family, r.prefix.addr))
			return MNL_CB_OK;
	}
	r.use = (enum rtnl_use)metric;
	if (table == RTNL_TABLE)
		walk->route(walk->arg, &r);
	return MNL_CB_OK;
}

int
rtnl_each_route(struct netlink *nl, uint8_t family,
    void (*each)(void *arg, const struct rtnl_route *), void *arg)
{
	struct walk walk = { .route = each, .arg = arg };
	struct nlmsghdr *h = netlink_begin(nl, RTM_GETROUTE, 0);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	int error;

	m->rtm_family = netlink_family(family);
	mnl_attr_put_u32(h, RTA_TABLE, RTNL_TABLE);
	error = netlink_dump(nl, read_route, &walk);
	return error == -ENOENT ? 0 : error;	/* nobody ever used the table */
}

static int
read_rule(const struct nlmsghdr *h, void *arg)
{
	const struct fib_rule_hdr *m = mnl_nlmsg_get_payload(h);
	const struct walk *walk = arg;
	struct rtnl_rule r = { .from.bits = m->src_len, .action = RTNL_NOP };
	uint8_t protocol = 0;
	const struct nlattr *attr = NULL;

	r.family = r.from.family = netlink_ip_version(m->family);
	r.invert = (m->flags & FIB_RULE_INVERT) != 0;
	if (h->nlmsg_type != RTM_NEWRULE || r.family == 0)
		return MNL_CB_OK;
	if (m->action == FR_ACT_TO_TBL)
		r.action = RTNL_LOOKUP;
	else if (m->action == FR_ACT_GOTO)
		r.action = RTNL_GOTO;
	while (netlink_next(h, sizeof(*m), &attr)) {
		uint16_t type = mnl_attr_get_type(attr);

		if (type == FRA_PRIORITY)
			r.priority = read_u32(attr);
		else if (type == FRA_FWMARK)
			r.mark = read_u32(attr);
		else if (type == FRA_SUPPRESS_PREFIXLEN)
			r.specific = read_u32(attr) == DEFAULT_ROUTES;
		else if ((type == FRA_TABLE && r.action == RTNL_LOOKUP) ||
		    (type == FRA_GOTO && r.action == RTNL_GOTO))
			r.target = read_u32(attr);
		else if (type == FRA_PROTOCOL &&
		    mnl_attr_validate(attr, MNL_TYPE_U8) == 0)
			protocol = mnl_attr_get_u8(attr);
		else if (type == FRA_SRC &&
		    !netlink_read_address(attr, r.family, r.from.addr))
			return MNL_CB_OK;
	}
	if (protocol == RTNL_PROTOCOL && r.priority >= RTNL_FIRST &&
	    r.priority <= RTNL_LAST)
		walk->rule(walk->arg, &r);
	return MNL_CB_OK;
}

int
rtnl_each_rule(struct netlink *nl, uint8_t family,
    void (*each)(void *arg, const struct rtnl_rule *), void *arg)
{
	struct walk walk = { .rule = each, .arg = arg };
	struct fib_rule_hdr *m = mnl_nlmsg_put_extra_header(
	    netlink_begin(nl, RTM_GETRULE, 0), sizeof(*m));

	m->family = netlink_family(family);
	return netlink_dump(nl, read_rule, &walk);
}

static struct nlmsghdr *
begin_link(struct netlink *nl, uint32_t ifindex, unsigned flags, unsigned change)
{
	struct nlmsghdr *h = netlink_begin(nl, RTM_NEWLINK, 0);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->ifi_family = AF_UNSPEC;
	m->ifi_index = (int)ifindex;
	m->ifi_flags = flags;
	m->ifi_change = change;
	return h;
}

int
rtnl_set_mtu(struct netlink *nl, uint32_t ifindex, uint32_t mtu)
{
	mnl_attr_put_u32(begin_link(nl, ifindex, 0, 0), IFLA_MTU, mtu);
	return netlink_commit(nl);
}

int
rtnl_set_up(struct netlink *nl, uint32_t ifindex)
{
	struct nlmsghdr *h = begin_link(nl, ifindex, 0, 0);
	struct nlattr *families = mnl_attr_nest_start(h, IFLA_AF_SPEC);
	struct nlattr *inet6 = mnl_attr_nest_start(h, AF_INET6);

	mnl_attr_put_u8(h, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(h, inet6);
	mnl_attr_nest_end(h, families);
	(void)netlink_commit(nl);	/* fails where there is no IPv6 */
	begin_link(nl, ifindex, IFF_UP | IFF_NOARP, IFF_UP | IFF_NOARP | IFF_MULTICAST);
	return netlink_commit(nl);
}
