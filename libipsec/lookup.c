#include <string.h>

#include "libipsec/lookup.h"
#include "libipsec/socket.h"

bool
ipsec_lookup_literal(const char *text, struct ipsec_address *a)
{
	return ipsec_addr_parse(text, &a->family, a->addr, &a->ifindex);
}

/* Why it cannot be one; or NULL. */
static const char *
make_path(const struct ipsec_udp *udp, const struct ipsec_address *local,
    const struct ipsec_address *remote, struct ike_path *path)
{
	*path = (struct ike_path){ .family = remote->family, .ifindex = remote->ifindex };
	memcpy(path->addr[1], remote->addr, sizeof(remote->addr));
	if (local == NULL)
		return ipsec_udp_source(udp, path) ? NULL :
		    "the peer cannot be reached from here: there is no route to its "
		    "address, or no socket of its family";
	memcpy(path->addr[0], local->addr, sizeof(local->addr));
	if (local->family != remote->family)
		return "the peer has no address of the local address's family";
	return ipsec_udp_owns(udp, path) ? NULL :
	    "our address is not one of this host, or not one that is listened at";
}

void
ipsec_lookup_answer(const struct ipsec_udp *udp, const char *local,
    const struct ipsec_address *v, unsigned n, struct ike_answer *answer)
{
	struct ipsec_address own;
	bool fixed = ipsec_lookup_literal(local, &own);

	*answer = (struct ike_answer){ .error = IKE_UNRESOLVED };
	for (unsigned i = 0; i < n && answer->error != IKE_OK; i++) {
		answer->reason =
		    make_path(udp, fixed ? &own : NULL, &v[i], &answer->path);
		if (answer->reason == NULL)
			answer->error = IKE_OK;
	}
}
