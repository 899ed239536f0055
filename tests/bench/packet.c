/* Packets through libesp: found and sealed at one end, opened at the other. */
#include <stdlib.h>
#include <string.h>

#include "libesp/esp.h"
#include "tests/bench/bench.h"

enum { AES_GCM, CHACHA };
enum { BATCH = 64, ROUNDS = 300, SLOT = 2048, HEAD = 128 };
/* However many SAs there are, these carry packets, so that what grows is the tables. */
enum { BUSY = 100 };

struct pair {
	struct esp *end[2];		/* out, in */
	unsigned sas;
	struct esp_packet packet[BATCH];
	uint8_t *memory;		/* a slot for each */
	unsigned next;
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
open_pair(struct pair *p, unsigned cipher, unsigned sas)
{
	const struct esp_transform *t = cipher == AES_GCM ?
	    esp_transform_find(ENCR_AES_GCM_16, 128, AUTH_NONE) :
	    esp_transform_find(ENCR_CHACHA20_POLY1305, 0, AUTH_NONE);

	memset(p, 0, sizeof(*p));
	p->sas = sas;
	p->end[0] = esp_new(0, 1);
	p->end[1] = esp_new(0, 1);
	p->memory = calloc(BATCH, SLOT);
	if (p->end[0] == NULL || p->end[1] == NULL || p->memory == NULL)
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
	free(p->memory);
}

/* Inner packets of `len` octets, each for another of the SAs that are busy. */
static void
fill(struct pair *p, unsigned len)
{
	static const uint8_t header[16] = { 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 253, 0, 0, 10,
		1, 2, 3 };
	unsigned busy = p->sas < BUSY ? p->sas : BUSY;

	for (unsigned i = 0; i < BATCH; i++) {
		struct esp_packet *q = &p->packet[i];

		*q = (struct esp_packet){ .data = p->memory + i * SLOT + HEAD, .len = len,
		    .head = HEAD, .tail = (uint16_t)(SLOT - HEAD - len) };
		memcpy(q->data, header, sizeof(header));
		bytes_store16(q->data + 2, (uint16_t)len);
		bytes_store32(q->data + 16, address(p->next++ % busy * (p->sas / busy)));
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

/* Packets a second of one end, and of the other, with `sas` SAs present. */
static double
carry(unsigned cipher, unsigned len, unsigned sas, unsigned end)
{
	struct pair p;
	double taken[2] = { 0, 0 }, start;
	bool good = open_pair(&p, cipher, sas);

	/* the first rounds make the cipher contexts */
	for (unsigned i = 0; i < ROUNDS + 10 && good; i++) {
		if (i == 10)
			taken[0] = taken[1] = 0;
		fill(&p, len);
		start = bench_cpu();
		esp_find(p.end[0], p.packet, BATCH);
		esp_seal(p.end[0], p.packet, BATCH);
		taken[0] += bench_cpu() - start;
		start = bench_cpu();
		esp_open(p.end[1], p.packet, BATCH);
		taken[1] += bench_cpu() - start;
		good = all_ok(&p);
	}
	close_pair(&p);
	return good ? ROUNDS * BATCH / taken[end] : -1;
}

static double
seal(unsigned cipher, unsigned len)
{
	return carry(cipher, len, 1, 0);
}

static double
open(unsigned cipher, unsigned len)
{
	return carry(cipher, len, 1, 1);
}

static double
seal_among(unsigned sas, unsigned len)
{
	return carry(AES_GCM, len, sas, 0);
}

static double
open_among(unsigned sas, unsigned len)
{
	return carry(AES_GCM, len, sas, 1);
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
	{ .name = "seal, 64, 100 SAs present", .unit = "1/s", .measure = seal_among,
	    .arguments = { 100, 64 } },
	{ .name = "seal, 64, 100,000 SAs present", .unit = "1/s", .measure = seal_among,
	    .arguments = { 100000, 64 }, .bare = "seal, 64, 100 SAs present" },
	{ .name = "open, 64, 100 SAs present", .unit = "1/s", .measure = open_among,
	    .arguments = { 100, 64 } },
	{ .name = "open, 64, 100,000 SAs present", .unit = "1/s", .measure = open_among,
	    .arguments = { 100000, 64 }, .bare = "open, 64, 100 SAs present" },
	{ .name = NULL }
};
