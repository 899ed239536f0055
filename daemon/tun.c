#include "daemon/tun.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "daemon/guard.h"
#include "daemon/icmp.h"
#include "daemon/log.h"
#include "daemon/mtu.h"
#include "daemon/route.h"
#include "daemon/stale.h"
#include "libipsec/endpoint.h"
#include "libipsec/hash.h"
#include "libipsec/worker.h"

enum { OUTER_MOST = 65535 };	/* octets of an IP packet; loopback promises more */

/* What the guard was asked to protect, for taking it back. */
struct protected {
	UT_hash_handle hh;
	uint64_t policy;
	unsigned n;
	struct esp_selector selectors[];
};
struct tun {
	struct ipsec_datapath datapath;	/* first: what the endpoint sees */
	struct ipsec_port port;		/* what the worker sees */
	struct ipsec_datapath *worker;
	struct ipsec_udp *udp;
	struct route *route;
	struct guard *guard;
	struct protected *protected;	/* by policy */
	struct log *log;
	struct icmp_ration ration;
	uint64_t refused, answered;
	uint32_t ifindex;
	int lock;
	char name[IFNAMSIZ];
};

static struct tun *
of(struct ipsec_datapath *d)
{
	return (struct tun *)d;
}

static struct tun *
of_port(struct ipsec_port *port)
{
	return (struct tun *)(void *)((char *)port - offsetof(struct tun, port));
}

/* ---- the inner port: the interface ---- */

/* Somebody has deleted the interface.  Its fd would be ready for ever; one that never is
 * takes its number. */
static void
lose_interface(struct tun *t)
{
	int idle = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	log_error(t->log,
	    "somebody has deleted %s: the remote subnets are unreachable until ikevd is "
	    "restarted", t->name);
	if (idle < 0)
		return;
	(void)dup3(idle, t->port.fd, O_CLOEXEC);
	close(idle);
}

static unsigned
read_port(struct ipsec_port *port, struct esp_packet *v, unsigned n)
{
	unsigned got = 0;
	ssize_t len;

	errno = 0;
	while (got < n) {
		len = read(port->fd, v[got].data, v[got].len);
		if (len > 0)
			v[got++].len = (uint32_t)len;
		else if (len >= 0 || errno != EINTR)
			break;
	}
	if (got < n && errno == EBADFD)
		lose_interface(of_port(port));
	return got;
}

static void
write_port(struct ipsec_port *port, struct esp_packet *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		/* What the interface does not take is lost, as on any link. */
		if (v[i].verdict == ESP_OK && write(port->fd, v[i].data, v[i].len) < 0)
			continue;
}

/* IPv4 that may be cut and is too big gets no answer: its next one will be cut by the
 * kernel, since the routes learn the size too. */
static void
refuse_packet(struct ipsec_port *port, const struct esp_packet *p, uint32_t mtu)
{
	static const uint8_t reasons[ESP_VERDICTS] = {
		[ESP_NO_SA] = ICMP_PROHIBITED, [ESP_POLICY] = ICMP_UNREACHABLE,
		[ESP_ACQUIRE] = ICMP_UNREACHABLE, [ESP_SPENT] = ICMP_UNREACHABLE,
		[ESP_FAILED] = ICMP_UNREACHABLE, [ESP_TOO_BIG] = ICMP_TOO_BIG,
	};
	struct tun *t = of_port(port);
	uint8_t answer[ICMP_ANSWER_MAX];
	size_t len;

	t->refused++;
	if (p->verdict == ESP_TOO_BIG && mtu != 0)
		route_lower_mtu(t->route, p->policy, mtu);
	len = icmp_answer(bytes_of(p->data, p->len), reasons[p->verdict], mtu, answer);
	if (len != 0 && icmp_may_answer(&t->ration, ipsec_now()) &&
	    write(port->fd, answer, len) == (ssize_t)len)
		t->answered++;
}

static void
close_port(struct ipsec_port *port)
{
	close(port->fd);
	port->fd = -1;
}

static const struct ipsec_port_ops port_ops = {
	.read = read_port,
	.write = write_port,
	.refuse = refuse_packet,
	.close = close_port,
};

/* ---- policies: first closed, then routed, then carried ---- */

static struct protected *
find_protected(const struct tun *t, uint64_t policy)
{
	struct protected *p;

	HASH_FIND(hh, t->protected, &policy, sizeof(policy), p);
	return p;
}

static void
unprotect(struct tun *t, struct protected *p)
{
	if (p == NULL)
		return;
	HASH_DEL(t->protected, p);
	guard_release(t->guard, p->selectors, p->n);
	free(p);
}

/* Instead of what the policy had before, without a gap. */
static bool
protect(struct tun *t, const struct ipsec_trap *trap)
{
	size_t octets = trap->n * sizeof(*trap->selectors);
	struct protected *p = malloc(sizeof(*p) + octets);
	struct protected *old = find_protected(t, trap->id);

	if (p == NULL || !guard_protect(t->guard, trap->selectors, trap->n)) {
		free(p);
		return false;
	}
	p->policy = trap->id;
	p->n = trap->n;
	if (octets != 0)
		memcpy(p->selectors, trap->selectors, octets);
	unprotect(t, old);
	HASH_ADD(hh, t->protected, policy, sizeof(p->policy), p);
	if (p->hh.tbl != NULL)
		return true;
	guard_release(t->guard, p->selectors, p->n);
	free(p);
	return false;
}

static void
untrap(struct ipsec_datapath *d, uint64_t id)
{
	struct tun *t = of(d);

	t->worker->ops->untrap(t->worker, id);
	route_remove(t->route, id);
	unprotect(t, find_protected(t, id));
}

static bool
trap(struct ipsec_datapath *d, const struct ipsec_trap *trap)
{
	struct tun *t = of(d);

	if (protect(t, trap) && route_put(t->route, trap) &&
	    t->worker->ops->trap(t->worker, trap))
		return true;
	untrap(d, trap->id);
	return false;
}

/* ---- the data path: the worker's, with the above around it ---- */

static bool
attach(struct ipsec_datapath *d, struct ipsec_udp *udp,
    void (*tell)(void *arg, const struct ike_notice *), void *arg)
{
	struct tun *t = of(d);

	t->udp = udp;
	return t->worker->ops->attach(t->worker, udp, tell, arg);
}

static bool
in_add(struct ipsec_datapath *d, const struct ipsec_sa *sa)
{
	struct tun *t = of(d);

	return t->worker->ops->in_add(t->worker, sa);
}

/* IPv6 does not go below 1280: those packets are fragmented outside, or lost. */
static void
fit_mtu(struct tun *t, const struct ipsec_sa *sa)
{
	const struct ike_child *c = sa->child;
	uint32_t outer = ipsec_udp_mtu(t->udp, &c->path), mtu;

	if (outer == 0)
		outer = MTU_ETHERNET;
	else if (outer > OUTER_MOST)
		outer = OUTER_MOST;
	mtu = tunnel_mtu(outer, c->path.family, c->encap, c->transform);
	if (mtu < MTU_IPV6_MIN && c->n_selectors != 0 &&
	    c->selectors[0].remote.family == ESP_IPV6)
		log_warning(t->log,
		    "%s: the path to the peer carries %u octets, too few for IPv6 "
		    "through a tunnel (%u needed inside, %u possible)",
		    c->name, outer, MTU_IPV6_MIN, mtu);
	route_set_mtu(t->route, sa->policy, mtu);
}

static bool
out_add(struct ipsec_datapath *d, const struct ipsec_sa *sa)
{
	struct tun *t = of(d);

	if (!t->worker->ops->out_add(t->worker, sa))
		return false;
	fit_mtu(t, sa);
	return true;
}

static void
out_remove(struct ipsec_datapath *d, ike_id child)
{
	struct tun *t = of(d);

	t->worker->ops->out_remove(t->worker, child);
}

static void
in_remove(struct ipsec_datapath *d, ike_id child)
{
	struct tun *t = of(d);

	t->worker->ops->in_remove(t->worker, child);
}

static void
set_path(struct ipsec_datapath *d, const struct ipsec_sa *sa)
{
	struct tun *t = of(d);

	t->worker->ops->set_path(t->worker, sa);
	fit_mtu(t, sa);
}

static bool
usage(struct ipsec_datapath *d, ike_id child, struct ipsec_usage *u)
{
	struct tun *t = of(d);

	return t->worker->ops->usage(t->worker, child, u);
}

static void
release(struct ipsec_datapath *d, uint64_t policy)
{
	struct tun *t = of(d);

	t->worker->ops->release(t->worker, policy);
}

static void
receive(struct ipsec_datapath *d, struct ipsec_message *m, unsigned n)
{
	struct tun *t = of(d);

	t->worker->ops->receive(t->worker, m, n);
}

static unsigned
list_fds(struct ipsec_datapath *d, int *fds, unsigned n)
{
	struct tun *t = of(d);
	unsigned count = t->worker->ops->fds(t->worker, fds, n);
	int ours[] = { route_fd(t->route), guard_fd(t->guard) };

	for (unsigned i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		if (ours[i] < 0)
			continue;
		if (count < n)
			fds[count] = ours[i];
		count++;
	}
	return count;
}

static void
process(struct ipsec_datapath *d)
{
	struct tun *t = of(d);

	t->worker->ops->process(t->worker);
	route_process(t->route);
	guard_process(t->guard);
}

/* Also of one that is only half made.  The destinations stay closed until the last step
 * but one. */
static void
close_all(struct ipsec_datapath *d)
{
	struct tun *t = of(d);
	struct protected *p, *next;

	if (t->worker != NULL)
		t->worker->ops->close(t->worker);
	if (t->port.fd >= 0)
		close_port(&t->port);
	route_free(t->route);
	guard_free(t->guard);
	HASH_ITER(hh, t->protected, p, next) {
		HASH_DEL(t->protected, p);
		free(p);
	}
	if (t->lock >= 0)
		close(t->lock);
	free(t);
}

static const struct ipsec_datapath_ops ops = {
	.attach = attach, .trap = trap, .untrap = untrap, .in_add = in_add,
	.out_add = out_add, .out_remove = out_remove, .in_remove = in_remove,
	.usage = usage, .close = close_all, .release = release, .receive = receive,
	.fds = list_fds, .process = process, .set_path = set_path,
};

/* ---- beginning ---- */

/* It becomes part of the packet filter's rules. */
static bool
is_name(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && strchr("._-", name[i]) == NULL)
			return false;
	return len > 0 && len < IFNAMSIZ;
}

static const char *
remedy_of(int code)
{
	static const struct {
		int code;
		const char *remedy;
	} remedies[] = {
		{ ENOENT, "; \"modprobe tun\" makes it" },
		{ ENODEV, "; \"modprobe tun\" loads its driver" },
		{ ENXIO, "; \"modprobe tun\" loads its driver" },
		{ EACCES,
		    "; the user ikevd runs as must be allowed to read and write it" },
		{ EPERM,
		    "; run ikevd as root or with CAP_NET_ADMIN, and where it runs in a "
		    "container allow it the device" },
		{ EBUSY,
		    "; another program uses an interface of this name: stop it, or "
		    "\"ip link delete\" it" },
		{ EINVAL,
		    "; an interface of this name exists and is no TUN: rename or "
		    "\"ip link delete\" it" },
	};

	for (unsigned i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++)
		if (remedies[i].code == code)
			return remedies[i].remedy;
	return "";
}

static bool
open_interface(struct tun *t, char *error, size_t size)
{
	static const char device[] = "/dev/net/tun";
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };

	t->port.fd = open(device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->port.fd < 0) {
		snprintf(error, size, "cannot open %s: %s%s", device, strerror(errno),
		    remedy_of(errno));
		return false;
	}
	memcpy(request.ifr_name, t->name, sizeof(t->name));
	if (ioctl(t->port.fd, TUNSETIFF, &request) == 0) {
		t->ifindex = if_nametoindex(t->name);
		if (t->ifindex != 0)
			return true;
	}
	snprintf(error, size, "cannot make the interface %s: %s%s", t->name,
	    strerror(errno), remedy_of(errno));
	return false;
}

static bool
start(struct tun *t, const struct tun_options *o, char *error, size_t size)
{
	uint32_t mark = o->mark != 0 ? o->mark : TUN_MARK;
	struct guard_options guard = { .interface = t->name, .mark = mark,
	    .port = o->port != 0 ? o->port : 500,
	    .natt_port = o->natt_port != 0 ? o->natt_port : 4500, .log = o->log };
	struct route_options route = {
		.interface = t->name, .mark = mark, .log = o->log
	};

	t->lock = stale_lock(error, size);
	if (t->lock < 0 || !open_interface(t, error, size))
		return false;
	route.ifindex = t->ifindex;
	t->guard = guard_new(&guard);
	if (t->guard == NULL) {
		snprintf(error, size, "no memory for the tun data path");
		return false;
	}
	t->route = route_new(&route, error, size);
	if (t->route == NULL)
		return false;
	t->worker = ipsec_worker_new(&t->port);
	if (t->worker == NULL)
		snprintf(error, size, "no memory for the tun data path");
	return t->worker != NULL;
}

struct ipsec_datapath *
tun_new(const struct tun_options *o, char *error, size_t size)
{
	const char *name = o->name != NULL ? o->name : TUN_NAME;
	struct tun *t;

	if (!is_name(name)) {
		snprintf(error, size,
		    "\"%s\" cannot be an interface's name: 1 to %u letters, digits, "
		    "\".\", \"_\" or \"-\"",
		    name, IFNAMSIZ - 1);
		return NULL;
	}
	t = calloc(1, sizeof(*t));
	if (t == NULL) {
		snprintf(error, size, "no memory for the tun data path");
		return NULL;
	}
	t->datapath.ops = &ops;
	t->port = (struct ipsec_port){ .ops = &port_ops, .fd = -1 };
	t->lock = -1;
	t->log = o->log;
	memcpy(t->name, name, strlen(name));
	if (!start(t, o, error, size)) {
		close_all(&t->datapath);
		return NULL;
	}
	return &t->datapath;
}

void
tun_settled(struct ipsec_datapath *d)
{
	route_settled(of(d)->route);
}

void
tun_read_status(const struct ipsec_datapath *d, struct tun_status *status)
{
	const struct tun *t = (const struct tun *)d;

	*status = (struct tun_status){ .name = t->name, .ifindex = t->ifindex,
	    .mtu = route_mtu(t->route), .refused = t->refused, .answered = t->answered };
	status->guarded = guard_dropped(t->guard, &status->clear_in, &status->clear_out);
}
