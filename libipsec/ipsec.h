/* libipsec: an IPsec endpoint for programs, and what ikevd is built on.
 *
 *	endpoint.h	the endpoint: connections in, events out, fds and a deadline
 *	auth_psk.h	shared secrets, kept where nothing else reads them
 *	worker.h	ESP in this process, between the sockets and an inner port
 *	datapath.h	the shape of any other data path
 *	loop.h		the endpoint on a libevent loop
 *	resolve.h	host names, on libevent or by the program
 *
 * A tunnel, start to end:
 *
 *	secrets = ipsec_secrets_new();
 *	ipsec_secrets_put(secrets, "paris", secret);
 *	options = (struct ipsec_options){ .secrets = secrets, .event = said,
 *	    .datapath = ipsec_worker_new(&port) };
 *	e = ipsec_endpoint_new(&options, why);
 *	ipsec_endpoint_put(e, ipsec_now(), ike_connection_new(&setup, faults, max, &n));
 *	loop = ipsec_attach(e, base);
 *	event_base_dispatch(base);
 *	ipsec_detach(loop);
 *	ipsec_endpoint_free(e);
 *	ipsec_secrets_free(secrets);
 *
 * Errors.  What a person must mend (an address that is in use, a permission) comes as
 * one sentence in a buffer of IPSEC_WHY_LEN octets; what a program decides on, as a
 * bool or an enum ike_error.  Nothing is logged and nothing aborts. */
#ifndef IPSEC_IPSEC_H
#define IPSEC_IPSEC_H

#include "libipsec/auth_psk.h"
#include "libipsec/endpoint.h"
#include "libipsec/loop.h"
#include "libipsec/resolve.h"
#include "libipsec/worker.h"

#endif
