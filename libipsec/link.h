/* The data path of clients and servers: a worker (worker.h) whose inner side is the
 * program.  Each session is a link, named by its IKE SA, with that one's Child SAs; what
 * a session sends goes by its own Child SAs, whatever the selectors of others, and what
 * arrives by a Child SA is its session's.  Private to libipsec. */
#ifndef IPSEC_LINK_H
#define IPSEC_LINK_H

#include <sys/queue.h>

#include "libipsec/index.h"
#include "libipsec/worker.h"

struct ipsec_waiting {			/* a received packet in a queue */
	STAILQ_ENTRY(ipsec_waiting) next;
	uint32_t len;
	uint8_t data[];
};
STAILQ_HEAD(ipsec_waitings, ipsec_waiting);

struct ipsec_link {		/* embedded in a session; zeroed, then ipsec_link_init */
	struct ipsec_entry entry;	/* first: by the id of the IKE SA */
	struct ipsec_links *links;
	SLIST_HEAD(, ipsec_link_child) children;
	unsigned n_out;			/* outbound halves: 0: nothing can be sent */
	uint32_t n_waiting;
	/* [0] to be received, [1] lent; NULL: never any */
	struct ipsec_waitings *waiting;
	uint64_t packets[2], octets[2];	/* [0] in, [1] out */
	uint64_t replayed, forged, selectors;	/* of Child SAs that are gone */
	uint64_t overflow, unsent;
};

struct ipsec_links_user {
	/* The link of the IKE SA that gets this Child SA; NULL: there can be none. */
	struct ipsec_link *(*need)(void *arg, const struct ipsec_sa *);
	/* Received, for this link; NULL: they wait in its queue. */
	void (*packets)(void *arg, struct ipsec_link *, const struct ipsec_packet *,
	    unsigned n);
	void (*moved)(void *arg, struct ipsec_link *, const struct ike_path *);
	void *arg;
	unsigned queue;			/* packets that wait of one link */
};

/* NULL: no memory.  Closed as a data path. */
struct ipsec_links *ipsec_links_new(const struct ipsec_links_user *);
struct ipsec_datapath *ipsec_links_datapath(struct ipsec_links *);
void ipsec_links_counters(const struct ipsec_links *, struct ipsec_worker_counters *);

void ipsec_link_init(struct ipsec_link *, struct ipsec_links *, ike_id ike_sa);
/* Its Child SAs stay in the data path until they are removed there, and carry nothing. */
void ipsec_link_end(struct ipsec_link *);

/* Sets each `error`; returns how many were sent. */
unsigned ipsec_link_send(struct ipsec_link *, struct ipsec_packet *, unsigned n);
bool ipsec_link_has_news(const struct ipsec_link *);	/* ipsec_worker_has_news */
/* Views, until the next of these two calls. */
unsigned ipsec_link_receive(struct ipsec_link *, struct ipsec_packet *, unsigned n);
void ipsec_link_give_back(struct ipsec_link *);
/* Length of the oldest; 0: none waits. */
size_t ipsec_link_waits(const struct ipsec_link *);
uint32_t ipsec_link_mtu(const struct ipsec_link *);
/* Adds this link's part; what is not of packets is left alone. */
void ipsec_link_metrics(const struct ipsec_link *, struct ipsec_metrics *);
/* Its Child SAs by turns: the i-th; 0: there are no more. */
ike_id ipsec_link_child(const struct ipsec_link *, unsigned i);

#endif
