/* One netlink socket that asks the kernel and waits for its answer: what the interface,
 * the routes, the rules and the packet filter's sets are made with. */
#ifndef DAEMON_NETLINK_H
#define DAEMON_NETLINK_H

#include <libmnl/libmnl.h>
#include <stdint.h>

#include "libesp/bytes.h"
#include "libesp/selector.h"

struct netlink;

/* `bus` is NETLINK_ROUTE or NETLINK_NETFILTER; `groups` a mask of multicast groups, 0:
 * none. NULL: errno says why. */
struct netlink *netlink_new(int bus, unsigned groups);
void netlink_free(struct netlink *);	/* NULL is nothing */
int netlink_fd(const struct netlink *);

/* Begins a request in the socket's own buffer: the caller adds a family header and
 * attributes (at most NETLINK_ROOM octets in all) and then calls one of the next two. */
enum { NETLINK_ROOM = 4096 };
struct nlmsghdr *netlink_begin(struct netlink *, uint16_t type, uint16_t flags);

/* Sends it and waits for the kernel's word: 0, or a negative errno. */
int netlink_commit(struct netlink *);
/* Sends it as a dump and gives `each` every object (what it returns does not matter).  0,
 * or a negative errno. */
int netlink_dump(struct netlink *, mnl_cb_t each, void *arg);
/* The same three steps as one transaction of nfnetlink, which is all or nothing. */
int netlink_commit_batch(struct netlink *);

/* What is wrong after one of these failed, in the kernel's words if it gave any:
 * "Operation not permitted", "File exists: Invalid prefsrc address".  Lives until the
 * next request. */
const char *netlink_reason(const struct netlink *);

/* What waits on a socket with groups: calls `each` for every message.  0; -EAGAIN:
 * nothing waits any more; -ENOBUFS: messages were lost. */
int netlink_receive(struct netlink *, mnl_cb_t each, void *arg);

/* Walks over the attributes behind a family header of `skip` octets: begin with *attr
 * NULL, stop at false. */
bool netlink_next(const struct nlmsghdr *, size_t skip, const struct nlattr **attr);

/* AF_INET or AF_INET6 of 4 or 6, the other way round, and octets of an address. */
uint8_t netlink_family(uint8_t ip_version);
uint8_t netlink_ip_version(uint8_t address_family);	/* 0: neither */
uint16_t netlink_address_len(uint8_t ip_version);
/* An address attribute as 16 octets, zeros behind an IPv4 one; false: its length is
 * wrong. */
bool netlink_read_address(const struct nlattr *, uint8_t ip_version, uint8_t addr[16]);

#endif
