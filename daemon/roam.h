/* Where this host is in the network: says so when its addresses, routes or links have
 * changed, so that peers can be told of a new address (RFC 4555 3.5).
 *
 * Changes come in crowds (a link, its addresses, its routes): they are told as one,
 * 300 ms after the last, and no later than 2 s after the first.  What the daemon itself
 * does to its interface, its table and with its protocol number (rtnl.h) is none; when
 * the kernel had to leave changes out, that counts as one.  Needs no privilege. */
#ifndef DAEMON_ROAM_H
#define DAEMON_ROAM_H

#include <event2/event.h>
#include <stdint.h>

struct roam;

/* `ifindex` is the daemon's own interface; `changed` is called from the loop.  NULL:
 * errno says why. */
struct roam *roam_new(struct event_base *, uint32_t ifindex, void (*changed)(void *arg),
    void *arg);
void roam_free(struct roam *);	/* NULL is nothing */

#endif
