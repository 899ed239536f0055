/* Sends numbered packets both ways between pairs of addresses, and accounts for each:
 *
 *	numbers [-i MICROSECONDS] [-w MILLISECONDS] NETNS NETNS {ADDRESS ADDRESS}...
 *
 * The first address of a pair is in the first network namespace (a name of
 * ip-netns(8)), the second in the second.  Every -i, 10000, one UDP packet goes each way,
 * until SIGTERM; what is under way then has -w, 1000, to arrive.  Number N is 48 + 16 *
 * (N % 64) octets long, by which a capture of sealed packets tells which is which.
 *
 * For each way of a pair it prints "flow FROM TO sent N lost N twice N gap MS", the
 * longest time between two arrivals, and for each packet that is lost "lost FROM TO NUMBER
 * TIME", the time in seconds since 1970.  Exit status 0 when all have arrived once. */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
	PORT = 7077, SMALLEST = 48, STEP = 16, STEPS = 64, FLOWS_MAX = 64,
	PACKETS_MAX = 100000,		/* of one way: a quarter of an hour of them */
	RECEIVE_BUFFER = 4194304	/* octets: a second in which this is not run */
};

struct way {			/* from one end to the other */
	struct sockaddr_storage from, to;
	socklen_t len;
	int out, in;
	unsigned sent, twice;
	uint8_t *seen;		/* how often each has arrived */
	int64_t *when;		/* each was sent */
	int64_t heard, gap;
};

struct settings {
	int64_t interval, drain;
	const char *netns[2];
	struct way *ways;
	unsigned n;
};

static int64_t
now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static const char *
text(const struct sockaddr_storage *a, char buffer[INET6_ADDRSTRLEN])
{
	const void *octets = &((const struct sockaddr_in *)a)->sin_addr;

	if (a->ss_family == AF_INET6)
		octets = &((const struct sockaddr_in6 *)a)->sin6_addr;
	return inet_ntop(a->ss_family, octets, buffer, INET6_ADDRSTRLEN);
}

static void
enter(const char *netns)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
		err(2, "%s", path);
	close(fd);
}

static socklen_t
parse(const char *address, struct sockaddr_storage *a)
{
	struct sockaddr_in *in = (struct sockaddr_in *)a;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)a;

	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, address, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(PORT);
		return sizeof(*in);
	}
	if (inet_pton(AF_INET6, address, &in6->sin6_addr) != 1)
		errx(2, "%s is no address", address);
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(PORT);
	return sizeof(*in6);
}

static int
open_socket(const char *address)
{
	struct sockaddr_storage a;
	socklen_t len = parse(address, &a);
	int fd = socket(a.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int room = RECEIVE_BUFFER;

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0 ||
	    bind(fd, (const struct sockaddr *)&a, len) != 0)
		err(2, "%s", address);
	return fd;
}

static void
open_way(struct way *w, const char *from, const char *to, int out, int in)
{
	*w = (struct way){ .out = out, .in = in };
	(void)parse(from, &w->from);
	w->len = parse(to, &w->to);
	w->seen = calloc(PACKETS_MAX, sizeof(*w->seen));
	w->when = calloc(PACKETS_MAX, sizeof(*w->when));
	if (w->seen == NULL || w->when == NULL)
		err(2, "memory");
}

static struct settings
read_arguments(int argc, char *argv[])
{
	struct settings s = { .interval = 10000, .drain = 1000000 };
	int option, *fds;
	unsigned i, n;

	while ((option = getopt(argc, argv, "i:w:")) != -1) {
		if (option == 'i')
			s.interval = strtol(optarg, NULL, 10);
		else if (option == 'w')
			s.drain = strtol(optarg, NULL, 10) * 1000;
		else
			exit(2);
	}
	argc -= optind;
	argv += optind;
	n = argc < 4 ? 0 : (unsigned)argc - 2;
	if (n == 0 || n % 2 != 0 || n / 2 > FLOWS_MAX || s.interval <= 0)
		errx(2, "usage: numbers [-i US] [-w MS] NETNS NETNS "
		    "{ADDRESS ADDRESS}...");
	fds = calloc(n, sizeof(*fds));
	s.ways = calloc(n, sizeof(*s.ways));
	if (fds == NULL || s.ways == NULL)
		err(2, "memory");
	for (unsigned end = 0; end < 2; end++) {
		enter(argv[end]);
		for (i = end; i < n; i += 2)
			fds[i] = open_socket(argv[2 + i]);
	}
	for (i = 0; i < n; i++)
		open_way(&s.ways[i], argv[2 + i], argv[2 + (i ^ 1)], fds[i], fds[i ^ 1]);
	s.n = n;
	free(fds);
	return s;
}

static void
send_one(struct way *w)
{
	uint8_t packet[SMALLEST + STEP * STEPS];
	size_t len = SMALLEST + STEP * (w->sent % STEPS);

	if (w->sent == PACKETS_MAX)
		return;
	for (size_t i = 0; i < len; i++)
		packet[i] = (uint8_t)"leak"[i % 4];
	memcpy(packet + 8, &w->sent, sizeof(w->sent));
	w->when[w->sent] = now(CLOCK_REALTIME);
	/* What cannot be sent is lost: that is for the account. */
	(void)sendto(w->out, packet, len, 0, (const struct sockaddr *)&w->to, w->len);
	w->sent++;
}

static void
receive(struct way *w)
{
	uint8_t packet[2048];
	unsigned number;
	int64_t at;

	while (recv(w->in, packet, sizeof(packet), 0) >= SMALLEST) {
		memcpy(&number, packet + 8, sizeof(number));
		if (number >= w->sent)
			continue;
		w->twice += w->seen[number] != 0;
		w->seen[number] = 1;
		at = now(CLOCK_MONOTONIC);
		if (w->heard != 0 && at - w->heard > w->gap)
			w->gap = at - w->heard;
		w->heard = at;
	}
}

static unsigned
missing(const struct way *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->sent; i++)
		n += w->seen[i] == 0;
	return n;
}

/* Until `end`, or for good; one packet of each way an interval, one after the other. */
static void
run(struct settings *s, int signals, bool sending, int64_t end)
{
	struct pollfd fds[2 * FLOWS_MAX + 1];
	int64_t next = now(CLOCK_MONOTONIC), step = s->interval / s->n, wait;
	unsigned turn = 0, lost;

	for (unsigned i = 0; i < s->n; i++)
		fds[i] = (struct pollfd){ .fd = s->ways[i].in, .events = POLLIN };
	fds[s->n] = (struct pollfd){ .fd = signals, .events = POLLIN };
	for (;;) {
		wait = (sending ? next : end) - now(CLOCK_MONOTONIC);
		if (wait > 0) {
			struct timespec t = { wait / 1000000, wait % 1000000 * 1000 };

			ppoll(fds, s->n + sending, &t, NULL);
		}
		lost = 0;
		for (unsigned i = 0; i < s->n; i++) {
			receive(&s->ways[i]);
			lost += sending ? 1 : missing(&s->ways[i]);
		}
		if (sending ? (fds[s->n].revents & POLLIN) != 0 : lost == 0 || wait <= 0)
			return;
		if (sending && now(CLOCK_MONOTONIC) >= next) {
			send_one(&s->ways[turn++ % s->n]);
			next += step;
		}
	}
}

static bool
report(const struct way *w)
{
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
	unsigned lost = missing(w);

	text(&w->from, from);
	text(&w->to, to);
	printf("flow %s %s sent %u lost %u twice %u gap %" PRId64 "\n", from, to,
	    w->sent, lost, w->twice, w->gap / 1000);
	for (unsigned i = 0; i < w->sent; i++)
		if (w->seen[i] == 0)
			printf("lost %s %s %u %" PRId64 ".%06" PRId64 "\n", from, to, i,
			    w->when[i] / 1000000, w->when[i] % 1000000);
	return w->sent != 0 && lost == 0 && w->twice == 0;
}

int
main(int argc, char *argv[])
{
	struct settings s = read_arguments(argc, argv);
	bool whole = true;
	sigset_t term;
	int signals;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	signals = signalfd(-1, &term, SFD_CLOEXEC);
	if (signals < 0)
		err(2, "signalfd");
	puts("sending");
	fflush(stdout);
	run(&s, signals, true, 0);
	run(&s, signals, false, now(CLOCK_MONOTONIC) + s.drain);
	for (unsigned i = 0; i < s.n; i++)
		whole &= report(&s.ways[i]);
	return whole ? 0 : 1;
}
