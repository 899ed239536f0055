#include <arpa/inet.h>
#include <check.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/host.h"
#include "tests/unit/ports.h"

static void
tell(void *arg, const struct ike_notice *notice)
{
	struct host *h = arg;
	struct told *told = &h->told[h->n_told++];

	ck_assert_uint_lt(h->n_told, MAX_TOLD);
	told->type = notice->type;
	told->id = notice->id;
	told->packet = notice->packet;
	told->path = notice->path;
	snprintf(told->child, sizeof(told->child), "%s",
	    notice->child != NULL ? notice->child : "");
}

void
host_start(struct host *h, bool native)
{
	struct ipsec_udp_options options = { .native_esp = native };
	char why[IPSEC_WHY_LEN] = "";

	memset(h, 0, sizeof(*h));
	fake_port_init(&h->port);
	h->datapath = ipsec_worker_new(&h->port.port);
	ck_assert_ptr_nonnull(h->datapath);
	free_ports(h->ports);
	options.port = h->ports[0];
	options.natt_port = h->ports[1];
	h->udp = ipsec_udp_new(&options, why);
	ck_assert_msg(h->udp != NULL, "%s", why);
	ck_assert(h->datapath->ops->attach(h->datapath, h->udp, tell, h));
}

void
host_stop(struct host *h)
{
	if (h->datapath == NULL)
		return;
	h->datapath->ops->close(h->datapath);
	ipsec_udp_free(h->udp);
	fake_port_clear(&h->port);
	h->datapath = NULL;
}

void
host_process(struct host *h)
{
	h->datapath->ops->process(h->datapath);
}

unsigned
host_receive(struct host *h, int wait)
{
	struct ipsec_message *v;
	struct pollfd p[8] = { 0 };
	unsigned n_fds, n, total = 0;
	int fds[8];

	n_fds = ipsec_udp_fds(h->udp, fds, 8);
	for (unsigned i = 0; i < n_fds; i++)
		p[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	while (poll(p, n_fds, wait) > 0)
		for (unsigned i = 0; i < n_fds; i++)
			if (p[i].revents != 0 &&
			    (n = ipsec_udp_receive(h->udp, i, &v)) > 0) {
				for (unsigned k = 0; h->nat != NULL && k < n; k++)
					h->nat(h, &v[k]);
				h->datapath->ops->receive(h->datapath, v, n);
				total += n;
				wait = PATIENCE_MS;
			}
	return total;
}

struct esp_selector
host_selector(const char *local, const char *remote)
{
	struct esp_selector s;

	memset(&s, 0, sizeof(s));
	ck_assert(esp_range_parse(local, &s.local));
	ck_assert(esp_range_parse(remote, &s.remote));
	return s;
}

struct ipsec_worker_counters
host_counters(const struct host *h)
{
	struct ipsec_worker_counters c;

	ipsec_worker_read_counters(h->datapath, &c);
	return c;
}

bool
host_network(int mtu)
{
	struct ifreq lo = { .ifr_name = "lo" };
	int fd;

	if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
		fprintf(stderr, "no namespaces here: not tested\n");
		return false;
	}
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert_int_ge(fd, 0);
	lo.ifr_mtu = mtu;
	ck_assert_int_eq(ioctl(fd, SIOCSIFMTU, &lo), 0);
	lo.ifr_flags = IFF_UP | IFF_RUNNING;
	ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	close(fd);
	return true;
}

void
host_readdress(const char *address)
{
	struct ifreq lo = { .ifr_name = "lo" };
	struct sockaddr_in in = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(inet_pton(AF_INET, address, &in.sin_addr), 1);
	memcpy(&lo.ifr_addr, &in, sizeof(in));
	ck_assert_int_eq(ioctl(fd, SIOCSIFADDR, &lo), 0);
	close(fd);
}
