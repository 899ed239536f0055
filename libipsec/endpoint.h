/* An IPsec endpoint: sockets, an IKE engine and a data path in one object, without an
 * event loop.  Its user polls fds, waits for a deadline, and calls
 * ipsec_endpoint_process:
 *
 *	e = ipsec_endpoint_new(&options, why);
 *	ipsec_endpoint_put(e, ipsec_now(), connection);
 *	for (;;) {
 *		n = ipsec_endpoint_fds(e, fds, MAX);
 *		poll(fds, n, ipsec_endpoint_deadline(e, &when) ? until(when) : -1);
 *		ipsec_endpoint_process(e, ipsec_now());
 *	}
 *
 * or lets ipsec_attach (loop.h) do that on libevent.  Every function that takes `now`
 * carries out all that follows from it before it returns: events are applied to the
 * data path, questions are answered, datagrams leave.  Calling ipsec_endpoint_process
 * too often is harmless.
 *
 * One endpoint belongs to one thread; any number may exist, each with ports of its own.
 */
#ifndef IPSEC_ENDPOINT_H
#define IPSEC_ENDPOINT_H

#include <poll.h>

#include "libike/connection.h"
#include "libipsec/auth_psk.h"
#include "libipsec/datapath.h"
#include "libipsec/ipsec.h"		/* ipsec_now: what `now` is everywhere below */
#include "libipsec/resolve.h"
#include "libipsec/udp.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ipsec_endpoint;

struct ipsec_options {			/* zeroed: defaults, but for what is required */
	const char *const *listen;	/* addresses as text; n_listen == 0: any */
	unsigned n_listen;
	uint16_t port, natt_port;	/* 0: 500 and 4500 */
	bool one_port;	/* natt_port alone carries all, 0: any free one (udp.h) */
	uint32_t fwmark;		/* of all that is sent (SO_MARK); 0: none */
	bool native_esp;		/* carry ESP without UDP too, where permitted */
	bool trace;			/* IKE_TRACE events */

	/* Required.  Taken over if ipsec_endpoint_new succeeds: closed with the
	 * endpoint. */
	struct ipsec_datapath *datapath;
	/* Borrowed; must outlive the endpoint.  NULL: every PSK authentication fails. */
	struct ipsec_secrets *secrets;
	/* Answers IKE_ASK_PROVE and IKE_ASK_CHECK in place of `secrets`, as
	 * ipsec_secrets_answer does.  NULL: they do. */
	void (*authenticate)(void *arg, const struct ike_event *,
	    uint8_t value[IPSEC_AUTH_MAX], struct ike_answer *);
	/* Every question of a round has been asked: what was opened for `authenticate`
	 * can be shut.  NULL: nothing is open. */
	void (*rest)(void *arg);
	/* Borrowed; must outlive the endpoint.  NULL: host names fail with
	 * IKE_UNRESOLVED. */
	struct ipsec_resolver *resolver;

	/* What happened, for people: IKE_UP, IKE_REPLACED, IKE_DOWN, IKE_REFUSED,
	 * IKE_TRACE.  The event's views live until it returns or calls an endpoint
	 * function that takes `now`, which it may; it must not free the endpoint.  NULL:
	 * nobody listens. */
	void (*event)(void *arg, const struct ike_event *);
	/* IKE_ASK_ADMIT: may this authenticated peer come in?  IKE_OK; an error to
	 * refuse it; IKE_WAIT: ipsec_endpoint_admit will say.  NULL: everyone may. */
	enum ike_error (*admit)(void *arg, const struct ike_event *);
	void *arg;
};

/* NULL: `why` has a sentence that names what failed and what helps. */
struct ipsec_endpoint *ipsec_endpoint_new(const struct ipsec_options *,
    char why[IPSEC_WHY_LEN]);
/* Silently: ipsec_endpoint_shutdown first to tell the peers.  Closes sockets and data
 * path, which removes its SAs and policies.  NULL is nothing. */
void ipsec_endpoint_free(struct ipsec_endpoint *);

/* Adds a connection: installs its policies, then starts it if it should always be up.
 * Takes a reference of its own.  0: no memory, or the data path could not install the
 * policies. */
ike_id ipsec_endpoint_put(struct ipsec_endpoint *, ike_time now, struct ike_connection *);
/* Closes what the connection has, removes its policies and forgets it. */
enum ike_error ipsec_endpoint_drop(struct ipsec_endpoint *, ike_time now,
    ike_id connection);
/* As ike_up, ike_down and ike_rekey (ike.h); the outcome comes as an event. */
enum ike_error ipsec_endpoint_up(struct ipsec_endpoint *, ike_time now,
    ike_id connection);
enum ike_error ipsec_endpoint_down(struct ipsec_endpoint *, ike_time now, ike_id);
/* As ike_rekey. */
enum ike_error ipsec_endpoint_rekey(struct ipsec_endpoint *, ike_time now, ike_id);
/* The data path has something to tell, not from one of its fds: lets it, and carries out
 * what follows from that. */
void ipsec_endpoint_carry(struct ipsec_endpoint *, ike_time now);
/* This host's addresses or routes have changed: as ike_roam. */
void ipsec_endpoint_roam(struct ipsec_endpoint *, ike_time now);
/* The late answer to an IKE_ASK_ADMIT for which `admit` returned IKE_WAIT. */
enum ike_error ipsec_endpoint_admit(struct ipsec_endpoint *, ike_time now,
    ike_id question, enum ike_error);

/* The fds to poll, with their events: writes up to `n` and returns how many there are.
 * They stay the same for the endpoint's life. */
unsigned ipsec_endpoint_fds(const struct ipsec_endpoint *, struct pollfd *, unsigned n);
/* When ipsec_endpoint_process is due at the latest, though no fd be ready.  False: no
 * such time.  May change with every call that takes `now`. */
bool ipsec_endpoint_deadline(const struct ipsec_endpoint *, ike_time *);
/* Reads what is ready, at most one batch of each fd, and lets the time pass. */
void ipsec_endpoint_process(struct ipsec_endpoint *, ike_time now);
/* `changed` is called whenever the deadline may have changed, at the end of the call
 * that changed it; it must not call functions that take `now`.  One watcher; NULL:
 * none. */
void ipsec_endpoint_watch(struct ipsec_endpoint *, void (*changed)(void *arg), void *arg);

/* Says DELETE to every peer and takes no new ones: then process until
 * ipsec_endpoint_idle, or as long as the caller will wait, and free.  Policies stay to
 * the end. */
void ipsec_endpoint_shutdown(struct ipsec_endpoint *, ike_time now);
bool ipsec_endpoint_idle(const struct ipsec_endpoint *);	/* no IKE SA is left */

/* For status (ike_next_sa, ike_child_at, ike_connection_of, ike_read_counts): what
 * takes `now` must go through the endpoint. */
const struct ike *ipsec_endpoint_engine(const struct ipsec_endpoint *);
/* Traffic of a Child SA; false: there is none of that id. */
bool ipsec_endpoint_usage(struct ipsec_endpoint *, ike_id child, struct ipsec_usage *);
const struct ipsec_udp *ipsec_endpoint_udp(const struct ipsec_endpoint *);

#ifdef __cplusplus
}
#endif

#endif
