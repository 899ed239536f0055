/* Where a peer may be: the texts of remote.address and local.address. */
#ifndef IKE_HOST_H
#define IKE_HOST_H

#include "libesp/selector.h"

enum ike_host_kind { IKE_HOST_ANY, IKE_HOST_ADDRESS, IKE_HOST_RANGE, IKE_HOST_NAME };

struct ike_host {
	enum ike_host_kind kind;
	struct esp_range range;		/* of an address and of a range; family 0: none */
	char *text;			/* owned */
};

/* Several, in the order in which they are called; "any" stands alone. */
struct ike_hosts {
	struct ike_host *v;
	unsigned n;
	char *text;			/* all of them, owned */
};

enum ike_host_error { IKE_HOST_GOOD, IKE_HOST_WRONG, IKE_HOST_NO_MEMORY };

/* "203.0.113.7", "203.0.113.0/24", "203.0.113.1-203.0.113.9", "gw.paris.example",
 * "any". */
enum ike_host_error ike_host_parse(const char *text, struct ike_host *);
/* The same, separated by commas.  *wrong: the number (from 0) of the part that is
 * none. */
enum ike_host_error ike_hosts_parse(const char *text, struct ike_hosts *,
    unsigned *wrong);
void ike_host_free(struct ike_host *);
void ike_hosts_free(struct ike_hosts *);

/* May a peer of one of them have this address?  A name may: who comes is told apart by
 * identity. */
bool ike_hosts_match(const struct ike_hosts *, uint8_t family, const uint8_t addr[16]);
bool ike_host_matches(const struct ike_host *, uint8_t family, const uint8_t addr[16]);

/* One that can be called, an address or a name: the turn-th, going round; NULL: there
 * is none. */
const struct ike_host *ike_hosts_callable(const struct ike_hosts *, unsigned turn);
/* The only address that a peer can have, or NULL: it may have several. */
const struct ike_host *ike_hosts_only(const struct ike_hosts *);

#endif
