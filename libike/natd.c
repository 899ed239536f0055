/* NAT detection and the one decision about encapsulation, RFC 7296 2.23.  Encapsulation
 * follows from what both ends detected and from our setting, never from the port. */
#include <string.h>

#include "libike/crypto.h"
#include "libike/sa.h"

/* Nobody's address: hashed in place of ours, it makes the peer find a NAT (T94).  It is
 * always the same, so that an IKE_SA_INIT repeated with a cookie has the same octets. */
static const uint8_t nobody[4];

static struct bytes
address(const struct ike_path *path, unsigned end)
{
	return bytes_of(path->addr[end], path->family == ESP_IPV6 ? 16 : 4);
}

bool
ike_natd_force(const struct ike *e, const struct ike_connection *c)
{
	return c->encap == IKE_ENCAP_FORCE ||
	    (c->encap == IKE_ENCAP_AUTO && !e->options.native_esp);
}

void
ike_natd_add(struct ike_chain *chain, const struct ike_path *path, uint64_t spi_i,
    uint64_t spi_r, bool force)
{
	uint8_t source[IKE_NATD_LEN], destination[IKE_NATD_LEN];
	struct bytes from = force ? bytes_of(nobody, sizeof(nobody)) : address(path, 0);

	if (!ike_natd_hash(spi_i, spi_r, from, force ? 0 : path->port[0], source) ||
	    !ike_natd_hash(spi_i, spi_r, address(path, 1), path->port[1], destination)) {
		chain->w.bad = true;	/* without it the peer would take us for older */
		return;
	}
	ike_add_notify(chain, IKE_N_NAT_DETECTION_SOURCE_IP,
	    bytes_of(source, sizeof(source)));
	ike_add_notify(chain, IKE_N_NAT_DETECTION_DESTINATION_IP,
	    bytes_of(destination, sizeof(destination)));
}

bool
ike_natd_read(const struct ike_message *m, const struct ike_path *path, uint64_t spi_i,
    uint64_t spi_r, struct ike_nat *nat)
{
	uint8_t here[IKE_NATD_LEN], there[IKE_NATD_LEN];
	bool source = false, destination = false;
	struct ike_notify n;

	*nat = (struct ike_nat){ .here = true, .there = true };
	if (!ike_natd_hash(spi_i, spi_r, address(path, 0), path->port[0], here) ||
	    !ike_natd_hash(spi_i, spi_r, address(path, 1), path->port[1], there))
		return false;
	for (unsigned i = 0; i < m->n; i++) {
		if (m->v[i].type != IKE_PAYLOAD_NOTIFY ||
		    ike_parse_notify(m->v[i].body, &n) != IKE_OK)
			continue;
		if (n.type == IKE_N_NAT_DETECTION_SOURCE_IP) {
			source = true;	/* any match: no NAT on that side (T80) */
			if (bytes_equal(n.data, bytes_of(there, sizeof(there))))
				nat->there = false;
		} else if (n.type == IKE_N_NAT_DETECTION_DESTINATION_IP) {
			destination = true;
			if (bytes_equal(n.data, bytes_of(here, sizeof(here))))
				nat->here = false;
		}
	}
	nat->supported = source && destination;
	if (!nat->supported)
		nat->here = nat->there = false;
	return true;
}

bool
ike_natd_decide(const struct ike *e, struct ike_sa *sa, const struct ike_nat *nat)
{
	const struct ike_connection *c = sa->connection;
	bool encap = nat->supported && c->encap != IKE_ENCAP_NEVER &&
	    (nat->here || nat->there || ike_natd_force(e, c));

	if (!encap && !e->options.native_esp)
		return false;
	sa->natd = nat->supported;
	sa->nat_here = nat->here;
	sa->nat_there = nat->there;
	sa->encap = encap;
	return true;
}
