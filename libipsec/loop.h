/* An endpoint on a libevent loop: its fds and its deadline become events of the base. */
#ifndef IPSEC_LOOP_H
#define IPSEC_LOOP_H

#include "libipsec/endpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;
struct ipsec_loop;

/* Both are borrowed and must outlive the loop object; it is the endpoint's watcher.
 * The deadline is a timer of CLOCK_BOOTTIME, so that it is kept through suspend.  NULL:
 * no memory, or no fds. */
struct ipsec_loop *ipsec_attach(struct ipsec_endpoint *, struct event_base *);
void ipsec_detach(struct ipsec_loop *);		/* NULL is nothing */

#ifdef __cplusplus
}
#endif

#endif
