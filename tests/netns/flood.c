/* Sends well-formed IKE_SA_INIT requests from addresses that are not its own:
 *
 *	flood DESTINATION PORT COUNT RATE FIRST SOURCES
 *
 * COUNT requests, at most RATE a second, from the SOURCES addresses from FIRST on,
 * in turn; each has another SPI, nonce and public value.  What it offers is aes256gcm16-
 * prfsha256-x25519.  Prints how many it has sent. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 32, FROM_PORT = 500 };

/* RFC 7296 3.1, 3.3, 3.4, 3.9, 3.10; `fill` below draws what differs. */
static const unsigned char request[200] = {
	/* IKE_SA_INIT by its initiator; an SA with one proposal, of three transforms:
	 * AES-GCM-16 of 256 bits, HMAC-SHA2-256, Curve25519 */
	[16] = 33, 0x20, 34, 0x08, [27] = 200,
	[28] = 34, 0, 0, 40, 0, 0, 0, 36, 1, 1, 0, 3,
	[40] = 3, 0, 0, 12, 1, 0, 0, 20, 0x80, 14, 1, 0,
	[52] = 3, 0, 0, 8, 2, 0, 0, 5,
	[60] = 0, 0, 0, 8, 4, 0, 0, 31,
	/* key exchange, nonce, NAT_DETECTION_SOURCE_IP and _DESTINATION_IP */
	[68] = 40, 0, 0, 40, 0, 31,
	[108] = 41, 0, 0, 36,
	[144] = 41, 0, 0, 28, 0, 0, 0x40, 0x04,
	[172] = 0, 0, 0, 28, 0, 0, 0x40, 0x05
};
static const struct {
	size_t at, len;
} differs[] = { { 0, 8 }, { 76, 32 }, { 112, 32 } };

struct packet {
	struct iphdr ip;
	struct udphdr udp;
	unsigned char ike[sizeof(request)];
};

static uint64_t
draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

static void
fill(struct packet *p, const struct sockaddr_in *to, uint32_t from, uint64_t *state)
{
	uint64_t octets;

	*p = (struct packet){ .ip = { .version = 4, .ihl = 5, .ttl = 64,
	    .protocol = IPPROTO_UDP, .tot_len = htons(sizeof(*p)), .saddr = htonl(from),
	    .daddr = to->sin_addr.s_addr },
	    .udp = { .source = htons(FROM_PORT), .dest = to->sin_port,
	    .len = htons(sizeof(p->udp) + sizeof(p->ike)) } };
	memcpy(p->ike, request, sizeof(request));
	for (size_t i = 0; i < sizeof(differs) / sizeof(differs[0]); i++)
		for (size_t done = 0; done < differs[i].len; done += sizeof(octets)) {
			octets = draw(state);
			memcpy(p->ike + differs[i].at + done, &octets, sizeof(octets));
		}
}

static void
pause_until(const struct timespec *start, double seconds)
{
	struct timespec at = *start;
	double part = seconds - (double)(time_t)seconds;

	at.tv_sec += (time_t)seconds;
	at.tv_nsec += (long)(part * 1e9);
	if (at.tv_nsec >= 1000000000) {
		at.tv_nsec -= 1000000000;
		at.tv_sec++;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct in_addr first;
	struct packet packets[BATCH];
	struct iovec iov[BATCH];
	struct mmsghdr messages[BATCH];
	struct timespec start;
	unsigned long count, rate, sources, sent = 0;
	uint64_t state;
	uint32_t from;
	int s, n;

	if (argc != 7 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 ||
	    inet_pton(AF_INET, argv[5], &first) != 1) {
		fputs("usage: flood DESTINATION PORT COUNT RATE FIRST SOURCES\n", stderr);
		return 2;
	}
	to.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	count = strtoul(argv[3], NULL, 10);
	rate = strtoul(argv[4], NULL, 10);
	sources = strtoul(argv[6], NULL, 10);
	if (rate == 0 || sources == 0)
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &start);
	state = ((uint64_t)start.tv_sec << 32 | (uint64_t)start.tv_nsec) + 1;
	if ((s = socket(AF_INET, SOCK_RAW, IPPROTO_RAW)) < 0) {
		perror("flood: socket");
		return 1;
	}
	while (sent < count) {
		for (n = 0; n < BATCH && sent + (unsigned)n < count; n++) {
			from = (uint32_t)((sent + (unsigned)n) % sources);
			fill(&packets[n], &to, ntohl(first.s_addr) + from, &state);
			iov[n] = (struct iovec){ &packets[n], sizeof(packets[n]) };
			messages[n].msg_hdr = (struct msghdr){ .msg_name = &to,
			    .msg_namelen = sizeof(to), .msg_iov = &iov[n],
			    .msg_iovlen = 1 };
		}
		if ((n = sendmmsg(s, messages, (unsigned)n, 0)) < 0) {
			perror("flood: sendmmsg");
			return 1;
		}
		sent += (unsigned)n;
		pause_until(&start, (double)sent / (double)rate);
	}
	printf("%lu\n", sent);
	return 0;
}
