/* Makes the way between two interfaces of a router longer, where the kernel has no netem:
 *
 *	delay MILLISECONDS INTERFACE INTERFACE
 *
 * Forwarding has to be off (net.ipv4.ip_forward = 0).  Whatever IPv4 packet arrives at
 * one of the two and is not for the router itself is sent on MILLISECONDS later, in the
 * order of arrival, if there is a route.  Runs until it is ended. */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum {
	WAITING_MAX = 8192,
	LONGEST = 1600,
	RECEIVE_BUFFER = 16777216,	/* octets: seconds in which this is not run */
};

struct waiting {
	int64_t due;
	size_t len;
	union {
		struct iphdr ip;
		uint8_t octets[LONGEST];
	} packet;
};
struct queue {
	struct waiting *v;
	unsigned first, n;
	int64_t delay;
};

static int64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int
listen_on(const char *interface)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET,
	    .sll_protocol = htons(ETH_P_IP) };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, 0), room = RECEIVE_BUFFER;

	a.sll_ifindex = (int)if_nametoindex(interface);
	if (fd < 0 || a.sll_ifindex == 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0 ||
	    bind(fd, (const struct sockaddr *)&a, sizeof(a)) != 0)
		err(2, "%s", interface);
	return fd;
}

/* On a veth a checksum may be left for a hardware that is not there; in IPv4 none at all
 * is as good. */
static void
forget_checksum(struct waiting *w)
{
	size_t header = (size_t)w->packet.ip.ihl * 4;

	if (w->packet.ip.protocol != IPPROTO_UDP ||
	    (ntohs(w->packet.ip.frag_off) & IP_OFFMASK) != 0 ||
	    header + sizeof(struct udphdr) > w->len)
		return;
	memset(w->packet.octets + header + offsetof(struct udphdr, check), 0, 2);
}

/* Said, because whoever counts packets would wonder. */
static void
tell_of_dropped(int from)
{
	struct tpacket_stats s;
	socklen_t len = sizeof(s);

	if (getsockopt(from, SOL_PACKET, PACKET_STATISTICS, &s, &len) == 0 &&
	    s.tp_drops != 0)
		warnx("%u packets, which found no room, are lost", s.tp_drops);
}

static void
take(struct queue *q, int from)
{
	struct sockaddr_ll a = { 0 };
	struct waiting *w;
	socklen_t len;
	ssize_t n;

	for (;;) {
		w = &q->v[(q->first + q->n) % WAITING_MAX];
		len = sizeof(a);
		n = recvfrom(from, &w->packet, sizeof(w->packet), MSG_TRUNC,
		    (struct sockaddr *)&a, &len);
		if (n < 0)
			return;
		if (a.sll_pkttype != PACKET_HOST || (size_t)n < sizeof(struct iphdr))
			continue;
		if ((size_t)n > sizeof(w->packet) || q->n == WAITING_MAX - 1) {
			warnx("%zd octets, with %u packets waiting, are lost", n,
			    q->n);
			continue;
		}
		w->len = (size_t)n;
		w->due = now() + q->delay;
		forget_checksum(w);
		q->n++;
	}
}

static void
give(struct queue *q, int to)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct waiting *w;

	for (; q->n != 0 && q->v[q->first].due <= now(); q->n--) {
		w = &q->v[q->first];
		a.sin_addr.s_addr = w->packet.ip.daddr;
		if (sendto(to, &w->packet, w->len, 0, (const struct sockaddr *)&a,
		    sizeof(a)) < 0 && errno != ENETUNREACH)
			warn("%zu octets to %s", w->len, inet_ntoa(a.sin_addr));
		q->first = (q->first + 1) % WAITING_MAX;
	}
}

int
main(int argc, char *argv[])
{
	struct pollfd fds[2];
	struct queue q = { 0 };
	int64_t wait;
	int out;

	if (argc != 4 || (q.delay = strtol(argv[1], NULL, 10) * 1000) <= 0)
		errx(2, "usage: delay MILLISECONDS INTERFACE INTERFACE");
	for (int i = 0; i < 2; i++)
		fds[i] = (struct pollfd){ .fd = listen_on(argv[2 + i]),
		    .events = POLLIN };
	out = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	q.v = calloc(WAITING_MAX, sizeof(*q.v));
	if (out < 0 || q.v == NULL)
		err(2, "socket");
	puts("delaying");
	fflush(stdout);
	for (;;) {
		wait = q.n == 0 ? 1000000 : q.v[q.first].due - now();
		wait = wait < 0 ? 0 : wait;
		struct timespec t = { wait / 1000000, wait % 1000000 * 1000 };

		if (ppoll(fds, 2, &t, NULL) < 0 && errno != EINTR)
			err(2, "poll");
		for (int i = 0; i < 2; i++) {
			take(&q, fds[i].fd);
			tell_of_dropped(fds[i].fd);
		}
		give(&q, out);
	}
}
