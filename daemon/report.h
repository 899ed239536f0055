/* The state of connections as JSON, in the types of org.ikev.Ikevd.varlink. */
#ifndef DAEMON_REPORT_H
#define DAEMON_REPORT_H

#include <jansson.h>

#include "daemon/load.h"
#include "libipsec/endpoint.h"

enum report_state {
	REPORT_DOWN, REPORT_CONNECTING, REPORT_UP, REPORT_CLOSING,
	REPORT_CHILDLESS	/* the IKE SA is up, its Child SA was refused */
};

enum report_state report_state(const struct ike *, ike_id connection);

/* A Connection; `refusal` may be NULL.  NULL: no memory. */
json_t *report_connection(struct ipsec_endpoint *, ike_id connection,
    const struct configured *, const char *refusal);

/* A string; octets that are no UTF-8 (of a file's name, say) are escaped.  NULL: no
 * memory. */
json_t *report_text(const char *);
/* The list with `item`, which is taken over, behind its last; NULL, and the list is gone,
 * if either is NULL: so that one look at the end finds every lack of memory. */
json_t *report_append(json_t *list, json_t *item);

#endif
