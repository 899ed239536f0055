/* Changes of addresses, routes and links in a network of our own, and when they are
 * told. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/roam.h"
#include "daemon/rtnl.h"
#include "libipsec/endpoint.h"
#include "tests/unit/run.h"

enum {
	OURS = 99, LOOPBACK = 1,	/* indices: of no interface, and the only one */
	QUIET_MS = 300, LATEST_MS = 2000,
	SLACK_MS = 200			/* of a machine that has more to do */
};

static struct event_base *base;
static struct roam *roam;
static struct netlink *nl;
static unsigned told;
static ike_time told_at;

static void
changed(void *arg)
{
	ck_assert_ptr_eq(arg, &told);
	told++;
	told_at = ipsec_now();
}

/* ::1 would be told anew after as much as a second. */
static void
hurry_ipv6(void)
{
	int fd = open("/proc/sys/net/ipv6/conf/lo/router_solicitation_delay", O_WRONLY);

	if (fd < 0)
		return;		/* no IPv6 */
	ck_assert_int_eq(write(fd, "0", 1), 1);
	close(fd);
}

/* False: not permitted here. */
static bool
own_network(uint32_t ours)
{
	told = 0;
	if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
		fprintf(stderr, "no namespaces here: not tested\n");
		return false;
	}
	nl = netlink_new(NETLINK_ROUTE, 0);
	base = event_base_new();
	ck_assert(nl != NULL && base != NULL);
	hurry_ipv6();
	ck_assert_int_eq(rtnl_set_up(nl, LOOPBACK), 0);
	poll(NULL, 0, SLACK_MS);
	roam = roam_new(base, ours, changed, &told);
	ck_assert_ptr_nonnull(roam);
	return true;
}

static void
tear_down(void)
{
	roam_free(roam);
	netlink_free(nl);
	if (base != NULL)
		event_base_free(base);
	roam = NULL;
	nl = NULL;
	base = NULL;
}

static void
run_for(unsigned ms)
{
	const struct timeval limit = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_base_loopexit(base, &limit);
	event_base_dispatch(base);
}

/* ---- changes ---- */

static int
address(bool add, const char *text, uint8_t bits, uint8_t flags)
{
	struct nlmsghdr *h = netlink_begin(nl, add ? RTM_NEWADDR : RTM_DELADDR,
	    add ? NLM_F_CREATE : 0);
	struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	bool v6 = strchr(text, ':') != NULL;
	uint8_t octets[16];

	ck_assert_int_eq(inet_pton(v6 ? AF_INET6 : AF_INET, text, octets), 1);
	m->ifa_family = v6 ? AF_INET6 : AF_INET;
	m->ifa_prefixlen = bits;
	m->ifa_index = LOOPBACK;
	m->ifa_flags = flags;
	mnl_attr_put(h, IFA_LOCAL, v6 ? 16 : 4, octets);
	mnl_attr_put(h, IFA_ADDRESS, v6 ? 16 : 4, octets);
	return netlink_commit(nl);
}

static int
route(bool add, uint8_t third, uint8_t protocol, uint32_t table)
{
	struct nlmsghdr *h = netlink_begin(nl, add ? RTM_NEWROUTE : RTM_DELROUTE,
	    add ? NLM_F_CREATE : 0);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	const uint8_t octets[] = { 198, 18, third, 0 };

	m->rtm_family = AF_INET;
	m->rtm_dst_len = 24;
	m->rtm_table = RT_TABLE_COMPAT;
	m->rtm_protocol = protocol;
	m->rtm_scope = add ? RT_SCOPE_LINK : RT_SCOPE_NOWHERE;
	m->rtm_type = RTN_UNICAST;
	mnl_attr_put(h, RTA_DST, sizeof(octets), octets);
	mnl_attr_put_u32(h, RTA_TABLE, table);
	mnl_attr_put_u32(h, RTA_OIF, LOOPBACK);
	return netlink_commit(nl);
}

static int
set_loopback(unsigned flags, unsigned change)
{
	struct nlmsghdr *h = netlink_begin(nl, RTM_NEWLINK, 0);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->ifi_family = AF_UNSPEC;
	m->ifi_index = LOOPBACK;
	m->ifi_flags = flags;
	m->ifi_change = change;
	return netlink_commit(nl);
}

static int
add_address(void)
{
	return address(true, "192.0.2.1", 32, 0);
}

static int
remove_address(void)
{
	return address(false, "127.0.0.1", 8, 0);
}

static int
add_ipv6_address(void)
{
	return address(true, "2001:db8::1", 128, IFA_F_NODAD);
}

static int
add_route(void)
{
	return route(true, 1, RTPROT_STATIC, RT_TABLE_MAIN);
}

static int
take_down(void)
{
	return set_loopback(0, IFF_UP);
}

static int
add_our_route(void)
{
	return route(true, 1, RTNL_PROTOCOL, RTNL_TABLE);
}

static int
add_to_our_table(void)
{
	return route(true, 1, RTPROT_STATIC, RTNL_TABLE);
}

static int
add_of_our_protocol(void)
{
	return route(true, 1, RTNL_PROTOCOL, RT_TABLE_MAIN);
}

static int
listen_to_all(void)
{
	return set_loopback(IFF_PROMISC, IFF_PROMISC);
}

static int
set_mtu(void)
{
	return rtnl_set_mtu(nl, LOOPBACK, 1400);
}

static const struct change {
	int (*make)(void);
	uint32_t ours;
	unsigned told;
} changes[] = {
	{ add_address, OURS, 1 }, { add_address, LOOPBACK, 0 },
	{ remove_address, OURS, 1 }, { remove_address, LOOPBACK, 0 },
	{ add_ipv6_address, OURS, 1 }, { add_ipv6_address, LOOPBACK, 0 },
	{ add_route, OURS, 1 }, { add_route, LOOPBACK, 0 },
	{ take_down, OURS, 1 }, { take_down, LOOPBACK, 0 },
	{ add_our_route, OURS, 0 }, { add_to_our_table, OURS, 0 },
	{ add_of_our_protocol, OURS, 0 }, { listen_to_all, OURS, 0 },
};

START_TEST(change_counts_or_not)
{
	const struct change *c = &changes[_i];

	if (!own_network(c->ours))
		return;
	ck_assert_msg(c->make() == 0, "%s", netlink_reason(nl));
	run_for(QUIET_MS + SLACK_MS);
	ck_assert_uint_eq(told, c->told);
}
END_TEST

START_TEST(change_is_told_when_it_is_quiet)
{
	ike_time last;

	if (!own_network(OURS))
		return;
	for (uint8_t i = 0; i < 5; i++) {
		ck_assert_int_eq(route(true, i, RTPROT_STATIC, RT_TABLE_MAIN), 0);
		run_for(QUIET_MS / 3);
	}
	ck_assert_uint_eq(told, 0);
	ck_assert_int_eq(set_mtu(), 0);
	ck_assert_int_eq(route(false, 0, RTPROT_STATIC, RT_TABLE_MAIN), 0);
	last = ipsec_now();
	run_for(QUIET_MS + SLACK_MS);
	ck_assert_uint_eq(told, 1);
	ck_assert_int_ge(told_at - last, (QUIET_MS - 10) * 1000);
	run_for(QUIET_MS + SLACK_MS);
	ck_assert_uint_eq(told, 1);
}
END_TEST

/* A network that never rests must not put it off for ever. */
START_TEST(change_is_told_at_last)
{
	ike_time first;
	bool add = true;

	if (!own_network(OURS))
		return;
	first = ipsec_now();
	while (told == 0 && ipsec_now() - first < 2 * LATEST_MS * 1000) {
		ck_assert_int_eq(route(add, 1, RTPROT_STATIC, RT_TABLE_MAIN), 0);
		add = !add;
		run_for(20);
	}
	ck_assert_uint_eq(told, 1);
	ck_assert_int_ge(told_at - first, (LATEST_MS - 10) * 1000);
	ck_assert_int_le(told_at - first, (LATEST_MS + SLACK_MS) * 1000);
}
END_TEST

/* Too many to keep, of which none would count: what was left out might have. */
START_TEST(overrun_counts_and_is_survived)
{
	if (!own_network(OURS))
		return;
	for (unsigned i = 0; i < 3000; i++)
		ck_assert_int_eq(route(i % 2 == 0, 1, RTNL_PROTOCOL, RTNL_TABLE), 0);
	run_for(QUIET_MS + SLACK_MS);
	ck_assert_uint_eq(told, 1);
	ck_assert_int_eq(add_our_route(), 0);
	run_for(QUIET_MS + SLACK_MS);
	ck_assert_uint_eq(told, 1);
	ck_assert_int_eq(add_address(), 0);
	run_for(QUIET_MS + SLACK_MS);
	ck_assert_uint_eq(told, 2);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("roam");

	tcase_set_timeout(t, 20);
	tcase_add_checked_fixture(t, NULL, tear_down);
	tcase_add_loop_test(t, change_counts_or_not, 0,
	    sizeof(changes) / sizeof(changes[0]));
	tcase_add_test(t, change_is_told_when_it_is_quiet);
	tcase_add_test(t, change_is_told_at_last);
	tcase_add_test(t, overrun_counts_and_is_survived);
	return run_tests("roam", t);
}
