/* Sends what a capture holds again and again, changed in many ways:
 *
 *	mutate CAPTURE DESTINATION PID COUNT SEED
 *
 * CAPTURE is a pcap file of Ethernet; its UDP datagrams to DESTINATION, an IPv4 address,
 * are what is changed, as long as they are for port 500 or 4500.  PID is the process that
 * receives them: the counters of its network namespace tell how many it has read, and no
 * more than WINDOW are on their way, so that none is lost.  The same SEED makes the same
 * datagrams, but for those that follow a cookie: some of the cookies that the process
 * asks for pass by here, and are brought, so that not only what comes before them is met.
 * Prints how many were sent, read and lost, and how many of them brought a cookie; status
 * 1 when the process has ended. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum {
	BATCH = 32, WINDOW = 128, MOST = 1472, SAMPLES = 512, STALL_MS = 5000,
	SPI_LEN = 8, HEADER_LEN = 28, INIT_EXCHANGE = 34, NOTIFY = 41, COOKIE = 16390,
	COOKIE_AT = HEADER_LEN + 8,	/* in an answer: header, notify */
	SENT = 1024,			/* requests that are remembered */
	FOLLOWED = 16			/* one cookie in so many is brought */
};

struct datagram {
	uint16_t from_port, port, len;
	uint32_t from;
	uint8_t data[MOST];
};

struct packet {
	struct iphdr ip;
	struct udphdr udp;
	uint8_t data[MOST];
};

struct soak {
	struct datagram samples[SAMPLES];
	struct datagram sent[SENT], follow;
	unsigned n, n_sent, cookies, followed;
	bool may_follow;
	struct sockaddr_in to;
	uint64_t random;
	int out, in;
};

/* ---- chance ---- */

/* SplitMix64, the public-domain generator: any seed will do. */
static uint64_t
draw(struct soak *s)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static unsigned
below(struct soak *s, unsigned n)
{
	return n == 0 ? 0 : (unsigned)(draw(s) % n);
}

static const struct datagram *
any(struct soak *s)
{
	return &s->samples[below(s, s->n)];
}

/* ---- changes; each leaves `len` at MOST or less ---- */

static void
flip_bit(struct soak *s, struct datagram *d)
{
	if (d->len > 0)
		d->data[below(s, d->len)] ^= (uint8_t)(1 << below(s, 8));
}

static void
set_octet(struct soak *s, struct datagram *d)
{
	if (d->len > 0)
		d->data[below(s, d->len)] = (uint8_t)draw(s);
}

/* Lengths, types and counts are 16 bits wide, and go wrong at their edges. */
static void
set_field(struct soak *s, struct datagram *d)
{
	static const uint16_t edges[] = { 0, 1, 2, 3, 4, 5, 7, 8, 0x7f, 0x80, 0xff, 0x100,
	    0x7fff, 0x8000, 0xfffc, 0xffff };
	unsigned value = edges[below(s, sizeof(edges) / sizeof(edges[0]))], at;

	if (d->len < 2)
		return;
	at = below(s, d->len - 1);
	d->data[at] = (uint8_t)(value >> 8);
	d->data[at + 1] = (uint8_t)value;
}

/* What the header says of the length is made true again. */
static void
set_length(struct soak *s, struct datagram *d)
{
	unsigned at = d->port == 4500 ? 4 : 0, len;

	(void)s;
	if (d->len < at + HEADER_LEN)
		return;
	len = htonl(d->len - at);
	memcpy(d->data + at + 24, &len, sizeof(len));
}

static void
cut(struct soak *s, struct datagram *d)
{
	d->len = (uint16_t)below(s, d->len + 1U);
}

static void
lengthen(struct soak *s, struct datagram *d)
{
	unsigned more = below(s, 64);

	for (; more > 0 && d->len < MOST; more--)
		d->data[d->len++] = (uint8_t)draw(s);
}

static void
remove_range(struct soak *s, struct datagram *d)
{
	unsigned at = below(s, d->len), n = below(s, d->len - at + 1U);

	memmove(d->data + at, d->data + at + n, d->len - at - n);
	d->len = (uint16_t)(d->len - n);
}

static void
double_range(struct soak *s, struct datagram *d)
{
	unsigned at = below(s, d->len), n = below(s, d->len - at + 1U);

	if (d->len + n > MOST)
		return;
	memmove(d->data + at + n, d->data + at, d->len - at);
	d->len = (uint16_t)(d->len + n);
}

static void
splice(struct soak *s, struct datagram *d)
{
	const struct datagram *other = any(s);
	unsigned at = below(s, other->len), to = below(s, d->len);
	unsigned n = below(s, other->len - at + 1U);

	if (to + n > MOST)
		n = MOST - to;
	memcpy(d->data + to, other->data + at, n);
	if (d->len < to + n)
		d->len = (uint16_t)(to + n);
}

/* A new peer, not one that was heard already. */
static void
new_spi(struct soak *s, struct datagram *d)
{
	unsigned at = d->port == 4500 ? 4 : 0;
	uint64_t spi = draw(s);

	if (d->len >= at + SPI_LEN)
		memcpy(d->data + at, &spi, sizeof(spi));
}

static void
move_source(struct soak *s, struct datagram *d)
{
	d->from = htonl(0x64400000 + below(s, 1 << 16));
	if (below(s, 2) == 0)
		d->from_port = (uint16_t)(1 + below(s, 65535));
}

static void
other_port(struct soak *s, struct datagram *d)
{
	(void)s;
	d->port = d->port == 500 ? 4500 : 500;
}

static void (*const changes[])(struct soak *, struct datagram *) = {
	flip_bit, flip_bit, flip_bit, set_octet, set_octet, set_field, set_field,
	set_field, cut, lengthen, remove_range, double_range, splice, splice, new_spi,
	move_source, move_source, other_port, set_length, set_length
};

static bool
is_init(const struct datagram *d)
{
	return d->port == 500 && d->len >= HEADER_LEN && d->data[18] == INIT_EXCHANGE;
}

static void
mutate(struct soak *s, struct datagram *d)
{
	unsigned n = 1 + below(s, 1 + below(s, 8));

	*d = *any(s);
	if (is_init(d) && below(s, 4) != 0) {
		new_spi(s, d);
		move_source(s, d);
	}
	while (n-- > 0)
		changes[below(s, sizeof(changes) / sizeof(changes[0]))](s, d);
	if (below(s, 2) == 0)
		set_length(s, d);
}

/* ---- cookies ---- */

/* The request again with the cookie before all else, RFC 7296 2.6. */
static void
bring(struct soak *s, const struct datagram *request, const uint8_t *cookie, unsigned len)
{
	struct datagram *d = &s->follow;
	unsigned notify = 8 + len;

	if (request->len + notify > MOST)
		return;
	*d = *request;
	memmove(d->data + HEADER_LEN + notify, d->data + HEADER_LEN, d->len - HEADER_LEN);
	memcpy(d->data + HEADER_LEN, (const uint8_t[]){ d->data[16], 0, 0,
	    (uint8_t)notify, 0, 0, COOKIE >> 8, COOKIE & 0xff }, 8);
	memcpy(d->data + COOKIE_AT, cookie, len);
	d->data[16] = NOTIFY;
	d->len = (uint16_t)(d->len + notify);
	set_length(s, d);
	s->may_follow = true;
}

static void
hear(struct soak *s, const struct packet *p, size_t len)
{
	size_t headers = sizeof(p->ip) + sizeof(p->udp);
	unsigned cookie;

	if (len < headers + COOKIE_AT || p->ip.protocol != IPPROTO_UDP ||
	    p->data[18] != INIT_EXCHANGE || p->data[16] != NOTIFY ||
	    (p->data[34] << 8 | p->data[35]) != COOKIE || s->cookies++ % FOLLOWED != 0)
		return;
	cookie = (unsigned)(len - headers - COOKIE_AT);
	for (unsigned i = 0; i < SENT && cookie <= 64; i++)
		if (is_init(&s->sent[i]) &&
		    memcmp(s->sent[i].data, p->data, SPI_LEN) == 0) {
			bring(s, &s->sent[i], p->data + COOKIE_AT, cookie);
			return;
		}
}

static void
listen_for_cookies(struct soak *s)
{
	struct packet p;
	ssize_t len;

	for (unsigned i = 0; i < 2 * BATCH; i++) {
		if ((len = recv(s->in, &p, sizeof(p), MSG_DONTWAIT)) < 0)
			return;
		hear(s, &p, (size_t)len);
	}
}

static void
choose(struct soak *s, struct datagram *d)
{
	if (s->may_follow) {
		*d = s->follow;
		s->may_follow = false;
		s->followed++;
		return;
	}
	mutate(s, d);
	if (is_init(d))
		s->sent[s->n_sent++ % SENT] = *d;
}

/* ---- the capture ---- */

static void
keep(struct soak *s, const uint8_t *p, size_t len)
{
	struct packet packet;
	struct datagram *d = &s->samples[s->n];
	size_t data;

	if (len < 14 + sizeof(packet.ip) + sizeof(packet.udp) || s->n == SAMPLES)
		return;
	memcpy(&packet, p + 14, sizeof(packet.ip) + sizeof(packet.udp));
	data = len - 14 - sizeof(packet.ip) - sizeof(packet.udp);
	if (p[12] != 8 || p[13] != 0 || packet.ip.ihl != 5 ||
	    packet.ip.protocol != IPPROTO_UDP ||
	    packet.ip.daddr != s->to.sin_addr.s_addr || data > MOST)
		return;
	*d = (struct datagram){ .from = packet.ip.saddr, .len = (uint16_t)data,
	    .from_port = ntohs(packet.udp.source), .port = ntohs(packet.udp.dest) };
	if (d->port != 500 && d->port != 4500)
		return;
	memcpy(d->data, p + len - data, data);
	s->n++;
}

static bool
read_capture(struct soak *s, const char *name)
{
	uint8_t header[24], packet[4096];
	uint32_t record[4];
	FILE *f = fopen(name, "rb");

	if (f == NULL)
		return false;
	if (fread(header, sizeof(header), 1, f) == 1)
		while (fread(record, sizeof(record), 1, f) == 1 &&
		    record[2] <= sizeof(packet) && fread(packet, record[2], 1, f) == 1)
			keep(s, packet, record[2]);
	fclose(f);
	return s->n > 0;
}

/* ---- how much the process has read ---- */

struct udp_counters {
	unsigned long read, no_port, errors;	/* an overrun is an error, too */
};

static bool
count(const char *pid, struct udp_counters *c)
{
	char name[64], line[512];
	unsigned long sent;
	bool found = false;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%s/net/snmp", pid);
	if ((f = fopen(name, "r")) == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), f) != NULL)
		found = sscanf(line, "Udp: %lu %lu %lu %lu", &c->read, &c->no_port,
		    &c->errors, &sent) == 4;
	fclose(f);
	return found && kill((pid_t)strtol(pid, NULL, 10), 0) == 0;
}

static unsigned long
taken(const struct udp_counters *now, const struct udp_counters *before)
{
	return now->read - before->read + now->no_port - before->no_port + now->errors -
	    before->errors;
}

/* Until at most `most` of what was sent are not read yet.  What never arrives is
 * forgotten after a while: `lost`. */
static bool
wait_until_read(const char *pid, const struct udp_counters *before, unsigned long sent,
    unsigned long most, unsigned long *lost)
{
	static const struct timespec moment = { 0, 200000 };
	struct udp_counters now;
	unsigned long last = 0;

	for (unsigned long idle = 0;; idle++) {
		if (!count(pid, &now))
			return false;
		if (taken(&now, before) + *lost + most >= sent)
			return true;
		if (taken(&now, before) != last)
			idle = 0;
		last = taken(&now, before);
		if (idle >= STALL_MS * 1000000UL / (unsigned long)moment.tv_nsec)
			*lost = sent - last;
		nanosleep(&moment, NULL);
	}
}

/* ---- sending ---- */

static size_t
pack(const struct soak *s, const struct datagram *d, struct packet *p)
{
	size_t len = sizeof(p->ip) + sizeof(p->udp) + d->len;

	p->ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 64,
	    .protocol = IPPROTO_UDP, .tot_len = htons((uint16_t)len), .saddr = d->from,
	    .daddr = s->to.sin_addr.s_addr };
	p->udp = (struct udphdr){ .source = htons(d->from_port), .dest = htons(d->port),
	    .len = htons((uint16_t)(sizeof(p->udp) + d->len)) };
	memcpy(p->data, d->data, d->len);
	return len;
}

static bool
send_batch(struct soak *s, unsigned n)
{
	struct packet packets[BATCH];
	struct mmsghdr messages[BATCH];
	struct iovec iov[BATCH];
	struct datagram d;
	int done;

	for (unsigned i = 0; i < n; i++) {
		choose(s, &d);
		iov[i] = (struct iovec){ &packets[i], pack(s, &d, &packets[i]) };
		messages[i].msg_hdr = (struct msghdr){ .msg_name = &s->to,
		    .msg_namelen = sizeof(s->to), .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	for (unsigned at = 0; at < n; at += (unsigned)done)
		if ((done = sendmmsg(s->out, messages + at, n - at, 0)) < 0) {
			if (errno != ENOBUFS && errno != EINTR)
				return false;
			done = 0;
		}
	return true;
}

static bool
open_sockets(struct soak *s)
{
	int yes = 1;

	s->out = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	s->in = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));
	return s->out >= 0 && s->in >= 0 &&
	    setsockopt(s->in, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes)) == 0;
}

int
main(int argc, char **argv)
{
	static struct soak s;
	struct udp_counters before, after;
	unsigned long total, sent = 0, lost = 0;
	unsigned n;

	s.to.sin_family = AF_INET;
	if (argc != 6 || inet_pton(AF_INET, argv[2], &s.to.sin_addr) != 1) {
		fprintf(stderr, "usage: mutate CAPTURE DESTINATION PID COUNT SEED\n");
		return 2;
	}
	total = strtoul(argv[4], NULL, 10);
	s.random = strtoull(argv[5], NULL, 10);
	if (!read_capture(&s, argv[1]) || !count(argv[3], &before) || !open_sockets(&s)) {
		fprintf(stderr, "mutate: no capture, no process or no rights\n");
		return 2;
	}
	for (; sent < total; sent += n) {
		n = total - sent < BATCH ? (unsigned)(total - sent) : BATCH;
		if (!send_batch(&s, n)) {
			perror("mutate: sendmmsg");
			return 2;
		}
		if (!wait_until_read(argv[3], &before, sent + n, WINDOW, &lost)) {
			printf("ended after about %lu\n", sent);
			return 1;
		}
		listen_for_cookies(&s);
	}
	if (!wait_until_read(argv[3], &before, sent, 0, &lost) || !count(argv[3], &after))
		return 1;
	printf("samples %u, sent %lu, read %lu, lost %lu, with a cookie %u of %u\n", s.n,
	    sent, after.read - before.read, lost, s.followed, s.cookies);
	return 0;
}
