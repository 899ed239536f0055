/* Packets through libesp: found and sealed at one end, opened at the other. */
#include <stdlib.h>
#include <string.h>

#include "libesp/esp.h"
#include "tests/bench/bench.h"

enum { AES_GCM, CHACHA };
enum { BATCH = 64, ROUNDS = 300, SLOT = 2048, HEAD = 128 };
/* Batches of one pair until it is the next one's turn, and how often. */
enum { TURN = 64, TURNS = 50 };

struct pair {
	struct esp *end[2];		/* out, in */
	unsigned sas, busy;		/* those carry packets, evenly spread */
	struct esp_packet packet[BATCH];
	unsigned next;
	uint8_t memory[BATCH * SLOT];	/* a slot for each */
};

/* The n-th SA's remote address, each in a network of its own. */
static uint32_t
address(unsigned n)
{
	return 0x0b000000 + n * 16 + 1;
}

static bool
add(struct pair *p, unsigned n, const struct esp_transform *t)
{
	static const uint8_t keymat[ESP_MAX_KEY_LEN] = { 1 };
	struct esp_selector s[2] = { 0 };	/* of either end */
	struct esp_policy_config policy = { .id = n + 1, .selectors = s,
	    .n_selectors = 1 };
	struct esp_sa_config sa = { .id = n + 1, .policy = n + 1, .spi = 256 + n,
	    .transform = t, .keymat = bytes_of(keymat, esp_transform_keymat(t)),
	    .n_selectors = 1 };
	uint8_t here[4] = { 10, 1, 0, 0 }, there[4];

	bytes_store32(there, address(n));
	if (!esp_range_from_prefix(&s[0].local, 4, here, 16) ||
	    !esp_range_from_prefix(&s[0].remote, 4, there, 28))
		return false;
	s[1].local = s[0].remote;
	s[1].remote = s[0].local;
	sa.direction = ESP_OUT;
	sa.selectors = &s[0];
	if (esp_policy_put(p->end[0], &policy) != ESP_SUCCESS ||
	    esp_add(p->end[0], &sa) != ESP_SUCCESS)
		return false;
	sa.direction = ESP_IN;
	sa.selectors = &s[1];
	return esp_add(p->end[1], &sa) == ESP_SUCCESS;
}

static bool
open_pair(struct pair *p, unsigned cipher, unsigned sas, unsigned busy)
{
	const struct esp_transform *t = cipher == AES_GCM ?
	    esp_transform_find(ENCR_AES_GCM_16, 128, AUTH_NONE) :
	    esp_transform_find(ENCR_CHACHA20_POLY1305, 0, AUTH_NONE);

	memset(p, 0, sizeof(*p));
	p->sas = sas;
	p->busy = busy;
	p->end[0] = esp_new(0, 1);
	p->end[1] = esp_new(0, 1);
	if (p->end[0] == NULL || p->end[1] == NULL)
		return false;
	for (unsigned i = 0; i < sas; i++)
		if (!add(p, i, t))
			return false;
	return true;
}

static void
close_pair(struct pair *p)
{
	esp_free(p->end[0]);
	esp_free(p->end[1]);
}

/* In no order that a processor could foresee. */
static unsigned
next_sa(struct pair *p)
{
	enum { STRIDE = 7919 };		/* a prime */

	return (unsigned)((uint64_t)p->next++ * STRIDE % p->busy) * (p->sas / p->busy);
}

/* Inner packets of `len` octets, each for another of the SAs that are busy. */
static void
fill(struct pair *p, unsigned len)
{
	static const uint8_t header[16] = { 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 253, 0, 0, 10,
		1, 2, 3 };

	for (unsigned i = 0; i < BATCH; i++) {
		struct esp_packet *q = &p->packet[i];

		*q = (struct esp_packet){ .data = p->memory + i * SLOT + HEAD, .len = len,
		    .head = HEAD, .tail = (uint16_t)(SLOT - HEAD - len) };
		memcpy(q->data, header, sizeof(header));
		bytes_store16(q->data + 2, (uint16_t)len);
		bytes_store32(q->data + 16, address(next_sa(p)));
	}
}

static bool
all_ok(const struct pair *p)
{
	for (unsigned i = 0; i < BATCH; i++)
		if (p->packet[i].verdict != ESP_OK)
			return false;
	return true;
}

/* Batches through both ends; adds the seconds of each. */
static bool
carry_batches(struct pair *p, unsigned len, unsigned n, double taken[2])
{
	double start;

	for (; n > 0; n--) {
		fill(p, len);
		start = bench_cpu();
		esp_find(p->end[0], p->packet, BATCH);
		esp_seal(p->end[0], p->packet, BATCH);
		taken[0] += bench_cpu() - start;
		start = bench_cpu();
		esp_open(p->end[1], p->packet, BATCH);
		taken[1] += bench_cpu() - start;
		if (!all_ok(p))
			return false;
	}
	return true;
}

/* Packets a second of one end, with one SA.  The first rounds make the cipher context. */
static double
carry(unsigned cipher, unsigned len, unsigned end)
{
	double before[2] = { 0, 0 }, taken[2] = { 0, 0 };
	struct pair p;
	bool good = open_pair(&p, cipher, 1, 1) && carry_batches(&p, len, 10, before) &&
	    carry_batches(&p, len, ROUNDS, taken);

	close_pair(&p);
	return good ? ROUNDS * BATCH / taken[end] : -1;
}

static double
seal(unsigned cipher, unsigned len)
{
	return carry(cipher, len, 0);
}

static double
open(unsigned cipher, unsigned len)
{
	return carry(cipher, len, 1);
}

/* How many SAs there are, and how many of them carry packets. */
static const struct { unsigned sas, busy; } crowds[] = {
	{ 100, 100 }, { 100000, 100 }, { 100000, 100000 }
};
enum { CROWDS = sizeof(crowds) / sizeof(*crowds) };

/* Packets a second of either end, for each of these, by turns. */
static bool
take_turns(struct pair *p, unsigned len, double *v)
{
	double rate[2][CROWDS][TURNS], taken[2];
	unsigned end, i;

	for (unsigned turn = 0; turn < TURNS; turn++)
		for (i = 0; i < CROWDS; i++) {
			taken[0] = taken[1] = 0;
			if (!carry_batches(&p[i], len, TURN, taken))
				return false;
			for (end = 0; end < 2; end++)
				rate[end][i][turn] = TURN * BATCH / taken[end];
		}
	for (end = 0; end < 2; end++)
		for (i = 0; i < CROWDS; i++)
			*v++ = bench_median(rate[end][i], TURNS);
	return true;
}

static bool
carry_among(unsigned cipher, unsigned len, double *v)
{
	struct pair p[CROWDS];
	double before[2] = { 0, 0 };
	bool good = true;

	for (unsigned i = 0; i < CROWDS; i++) {
		good = open_pair(&p[i], cipher, crowds[i].sas, crowds[i].busy) && good;
		/* the first packet of each SA makes its cipher context */
		good = good && carry_batches(&p[i], len, crowds[i].busy / BATCH + 10,
		    before);
	}
	good = good && take_turns(p, len, v);
	for (unsigned i = 0; i < CROWDS; i++)
		close_pair(&p[i]);
	return good;
}

#define PAIR(cipher, id, len)								\
	{ .name = "seal " cipher ", " #len, .unit = "1/s", .measure = seal,		\
	    .arguments = { id, len }, .bare = "bare " cipher ", " #len },		\
	{ .name = "open " cipher ", " #len, .unit = "1/s", .measure = open,		\
	    .arguments = { id, len }, .bare = "bare " cipher ", " #len }

const struct bench_row bench_packets[] = {
	PAIR("AES-128-GCM", AES_GCM, 64),
	PAIR("AES-128-GCM", AES_GCM, 1400),
	PAIR("ChaCha20-Poly1305", CHACHA, 64),
	PAIR("ChaCha20-Poly1305", CHACHA, 1400),
	{ .name = "seal, 64, 100 SAs", .unit = "1/s", .measure_all = carry_among,
	    .arguments = { AES_GCM, 64 } },
	{ .name = "seal, 64, 100 of 100,000 SAs", .unit = "1/s",
	    .bare = "seal, 64, 100 SAs" },
	{ .name = "seal, 64, 100,000 SAs at random", .unit = "1/s",
	    .bare = "seal, 64, 100 SAs" },
	{ .name = "open, 64, 100 SAs", .unit = "1/s" },
	{ .name = "open, 64, 100 of 100,000 SAs", .unit = "1/s",
	    .bare = "open, 64, 100 SAs" },
	{ .name = "open, 64, 100,000 SAs at random", .unit = "1/s",
	    .bare = "open, 64, 100 SAs" },
	{ .name = NULL }
};
