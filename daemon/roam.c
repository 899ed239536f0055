#include "daemon/roam.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>

#include "daemon/rtnl.h"
#include "libipsec/endpoint.h"

enum {
	QUIET_MS = 300,
	PATIENCE_MS = 2000,
	GROUPS = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
	    RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE
};

struct roam {
	struct netlink *nl;
	struct event *input, *timer;
	uint32_t ifindex;
	ike_time first;			/* change that was not told yet; 0: none */
	void (*changed)(void *arg);
	void *arg;
};

/* ---- which messages say that something has changed ---- */

/* Nothing can be sent from an IPv6 address before it is known to be nobody else's; then
 * it is told again. */
static bool
address_counts(const struct roam *r, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);

	return m->ifa_index != r->ifindex &&
	    (h->nlmsg_type == RTM_DELADDR || (m->ifa_flags & IFA_F_TENTATIVE) == 0);
}

static uint32_t
read_u32(const struct nlattr *attr)
{
	return mnl_attr_validate(attr, MNL_TYPE_U32) == 0 ? mnl_attr_get_u32(attr) : 0;
}

/* Local and broadcast routes come and go with their addresses, clones with traffic. */
static bool
route_counts(const struct roam *r, const struct nlmsghdr *h)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	uint32_t table = m->rtm_table, ifindex = 0;
	const struct nlattr *attr = NULL;

	if ((m->rtm_flags & RTM_F_CLONED) != 0 || m->rtm_protocol == RTNL_PROTOCOL ||
	    (m->rtm_type >= RTN_LOCAL && m->rtm_type <= RTN_MULTICAST))
		return false;
	while (netlink_next(h, sizeof(*m), &attr))
		if (mnl_attr_get_type(attr) == RTA_TABLE)
			table = read_u32(attr);
		else if (mnl_attr_get_type(attr) == RTA_OIF)
			ifindex = read_u32(attr);
	return table != RTNL_TABLE && (ifindex == 0 || ifindex != r->ifindex);
}

/* IPv4 routes that go with their link are not told one by one.  Where it is not said
 * what has changed, it is the carrier. */
static bool
link_counts(const struct roam *r, const struct nlmsghdr *h)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);

	if (m->ifi_family != AF_UNSPEC || (uint32_t)m->ifi_index == r->ifindex)
		return false;
	return h->nlmsg_type == RTM_DELLINK || m->ifi_change == 0 ||
	    (m->ifi_change & (IFF_UP | IFF_RUNNING)) != 0;
}

static const struct news {
	uint16_t type;
	size_t size;			/* of its family header */
	bool (*counts)(const struct roam *, const struct nlmsghdr *);
} news[] = {
	{ RTM_NEWADDR, sizeof(struct ifaddrmsg), address_counts },
	{ RTM_DELADDR, sizeof(struct ifaddrmsg), address_counts },
	{ RTM_NEWROUTE, sizeof(struct rtmsg), route_counts },
	{ RTM_DELROUTE, sizeof(struct rtmsg), route_counts },
	{ RTM_NEWLINK, sizeof(struct ifinfomsg), link_counts },
	{ RTM_DELLINK, sizeof(struct ifinfomsg), link_counts },
};

/* ---- telling of it once ---- */

static void
note_change(struct roam *r)
{
	ike_time now = ipsec_now(), wait = QUIET_MS * 1000, left;
	struct timeval until;

	if (r->first == 0)
		r->first = now;
	left = r->first + PATIENCE_MS * 1000 - now;
	if (wait > left)
		wait = left > 0 ? left : 0;
	until = (struct timeval){ .tv_usec = wait };
	evtimer_add(r->timer, &until);
}

static int
read_news(const struct nlmsghdr *h, void *arg)
{
	struct roam *r = arg;

	for (unsigned i = 0; i < sizeof(news) / sizeof(news[0]); i++)
		if (h->nlmsg_type == news[i].type &&
		    mnl_nlmsg_get_payload_len(h) >= news[i].size &&
		    news[i].counts(r, h))
			note_change(r);
	return MNL_CB_OK;
}

static void
hear(evutil_socket_t fd, short what, void *arg)
{
	struct roam *r = arg;

	(void)fd, (void)what;
	if (netlink_receive(r->nl, read_news, r) == -ENOBUFS)
		note_change(r);
}

static void
tell(evutil_socket_t fd, short what, void *arg)
{
	struct roam *r = arg;

	(void)fd, (void)what;
	r->first = 0;
	r->changed(r->arg);
}

/* ---- life ---- */

struct roam *
roam_new(struct event_base *base, uint32_t ifindex, void (*changed)(void *arg), void *arg)
{
	struct roam *r = calloc(1, sizeof(*r));
	int error;

	if (r == NULL)
		return NULL;
	r->ifindex = ifindex;
	r->changed = changed;
	r->arg = arg;
	r->nl = netlink_new(NETLINK_ROUTE, GROUPS);
	error = errno;
	if (r->nl == NULL)
		goto out;
	error = ENOMEM;
	r->input = event_new(base, netlink_fd(r->nl), EV_READ | EV_PERSIST, hear, r);
	r->timer = evtimer_new(base, tell, r);
	if (r->input != NULL && r->timer != NULL && event_add(r->input, NULL) == 0)
		return r;
out:
	roam_free(r);
	errno = error;
	return NULL;
}

void
roam_free(struct roam *r)
{
	if (r == NULL)
		return;
	if (r->input != NULL)
		event_free(r->input);
	if (r->timer != NULL)
		event_free(r->timer);
	netlink_free(r->nl);
	free(r);
}
