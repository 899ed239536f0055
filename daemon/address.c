#include "daemon/address.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "daemon/netlink.h"

bool
addresses_add(struct addresses *all, const struct address *one)
{
	struct address *v;

	/* Room doubles at powers of two, so no size needs to be kept. */
	if ((all->n & (all->n - 1)) == 0) {
		v = reallocarray(
		    all->v, all->n == 0 ? 1 : (size_t)all->n * 2, sizeof(*v));
		if (v == NULL)
			return false;
		all->v = v;
	}
	all->v[all->n++] = *one;
	return true;
}

void
addresses_clear(struct addresses *all)
{
	free(all->v);
	*all = (struct addresses){ NULL, 0 };
}

struct reading {
	struct addresses found;
	bool failed;
};

static int
read_one(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	struct reading *r = arg;
	struct address one = { .bits = m->ifa_prefixlen };
	const struct nlattr *attr = NULL, *local = NULL;
	uint32_t flags = m->ifa_flags;

	one.family = netlink_ip_version(m->ifa_family);
	if (h->nlmsg_type != RTM_NEWADDR || one.family == 0 ||
	    m->ifa_scope >= RT_SCOPE_LINK)
		return MNL_CB_OK;
	while (netlink_next(h, sizeof(*m), &attr)) {
		uint16_t type = mnl_attr_get_type(attr);

		/* On a point-to-point link IFA_ADDRESS is the other end. */
		if (type == IFA_LOCAL || (type == IFA_ADDRESS && local == NULL))
			local = attr;
		else if (type == IFA_FLAGS && mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
			flags = mnl_attr_get_u32(attr);
	}
	if (local == NULL || !netlink_read_address(local, one.family, one.addr) ||
	    (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0)
		return MNL_CB_OK;
	/* IPv6 calls temporary what IPv4 calls secondary. */
	one.fit = (flags & (IFA_F_DEPRECATED | IFA_F_SECONDARY)) == 0;
	if (!addresses_add(&r->found, &one))
		r->failed = true;
	return MNL_CB_OK;
}

int
addresses_read(struct netlink *nl, struct addresses *all)
{
	struct reading r = { { NULL, 0 }, false };
	int error;

	mnl_nlmsg_put_extra_header(
	    netlink_begin(nl, RTM_GETADDR, 0), sizeof(struct ifaddrmsg));
	error = netlink_dump(nl, read_one, &r);
	if (error == 0 && r.failed)
		error = -ENOMEM;
	if (error != 0) {
		addresses_clear(&r.found);
		return error;
	}
	addresses_clear(all);
	*all = r.found;
	return 0;
}

const struct address *
addresses_pick(const struct addresses *all, const struct esp_range *range)
{
	const struct address *second = NULL;

	for (unsigned i = 0; i < all->n; i++) {
		const struct address *a = &all->v[i];

		if (!esp_range_has_address(range, a->family, a->addr))
			continue;
		if (a->fit)
			return a;
		if (second == NULL)
			second = a;
	}
	return second;
}
