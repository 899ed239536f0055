/* From the engine's Child SA events to data path calls, in their order, without I/O:
 * the simulator runs the same code over a data path of its own.
 *
 * Policies (decision: fail closed).  Every connection that is not passive has one
 * policy for each of its children, from ipsec_children_put to ipsec_children_drop,
 * whether or not there is an SA: on-demand ones hold packets and ask for an SA, always
 * ones refuse.  A Child SA of a passive connection brings a policy of its own
 * selectors, which goes with the last SA that has it; an SA with the same selectors as
 * another of its connection, or as the one it follows (rekeying), shares that one's, so
 * that until its outbound half comes the other goes on to send.  When it follows one with
 * other selectors, those that would take packets from that one come with its outbound
 * half, and the other's policy goes with the other's. */
#ifndef IPSEC_CHILD_H
#define IPSEC_CHILD_H

#include "libike/connection.h"
#include "libipsec/datapath.h"

struct ipsec_children;

/* The data path is borrowed and must outlive the children.  NULL: no memory. */
struct ipsec_children *ipsec_children_new(struct ipsec_datapath *);
/* Takes everything out of the data path: SAs, then policies.  NULL is nothing. */
void ipsec_children_free(struct ipsec_children *);

/* A connection that the engine has just taken (ike_put): keeps a reference to it and
 * installs its policies.  False: no memory, or the data path could not; then nothing is
 * left of it. */
bool ipsec_children_put(struct ipsec_children *, ike_id connection,
    struct ike_connection *);

/* The connection was dropped: removes its policies.  Its SAs leave with their own
 * events. */
void ipsec_children_drop(struct ipsec_children *, ike_id connection);

/* Applies IKE_IN_ADD, IKE_OUT_ADD, IKE_OUT_REMOVE, IKE_IN_REMOVE or IKE_SET_PATH; other
 * events do nothing.  True: the data path could not, and *notice (IKE_NOT_INSTALLED) must
 * be told to the engine; that is the caller's to do, because it ends the life of the
 * event. */
bool ipsec_children_apply(struct ipsec_children *, const struct ike_event *,
    struct ike_notice *notice);

/* An attempt to bring the connection up has failed (IKE_DOWN, IKE_REFUSED, or ike_tell
 * would not take an IKE_ACQUIRE): packets held for it are refused, and its next packet
 * asks again. */
void ipsec_children_release(struct ipsec_children *, ike_id connection);

/* Has it policies of its own, for which packets may be held?  A passive one has none, and
 * may have thousands of SAs. */
bool ipsec_children_holds(const struct ipsec_children *, ike_id connection);

/* The connections, in the order they were put: the one after `connection`, which is one
 * of them, or the first, after 0.  0: there is none. */
ike_id ipsec_children_next(const struct ipsec_children *, ike_id connection);

/* How many policies and Child SAs exist, for tests and status. */
unsigned ipsec_children_policies(const struct ipsec_children *);
unsigned ipsec_children_count(const struct ipsec_children *);

#endif
