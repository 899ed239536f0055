/* Handshakes, from IKE_SA_INIT to the first Child SA, between engines in memory. */
#include <stdlib.h>

#include "tests/bench/bench.h"
#include "tests/bench/engines.h"

enum { ROUND = 500 };		/* handshakes of a measurement */

static bool
repeat(struct engines *x, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!engines_handshake(x))
			return false;
	return true;
}

/* Milliseconds of the responder's work a handshake, with `present` sessions there
 * already. */
static double
responder_cpu(unsigned present, unsigned b)
{
	struct engines x;
	double cpu = -1;

	(void)b;
	if (engines_open(&x) && repeat(&x, present)) {
		x.cpu = 0;
		if (repeat(&x, ROUND))
			cpu = x.cpu * 1e3 / ROUND;
	}
	engines_close(&x);
	return cpu;
}

/* Handshakes a second, both ends on one core. */
static double
rate(unsigned a, unsigned b)
{
	struct engines x;
	double start, result = -1;

	(void)a;
	(void)b;
	if (engines_open(&x) && repeat(&x, 10)) {
		start = bench_cpu();
		if (repeat(&x, ROUND))
			result = ROUND / (bench_cpu() - start);
	}
	engines_close(&x);
	return result;
}

/* Octets of an IKE SA with its Child SA in the responder. */
static double
memory(unsigned sessions, unsigned b)
{
	struct engines x;
	double result = -1;
	size_t before;

	(void)b;
	if (engines_open(&x) && repeat(&x, 10)) {
		before = bench_memory();
		if (repeat(&x, sessions))
			result = (double)(bench_memory() - before) / sessions;
	}
	engines_close(&x);
	return result;
}

const struct bench_row bench_handshakes[] = {
	{ .name = "handshakes, both ends on one core", .unit = "1/s", .measure = rate },
	{ .name = "handshake, responder", .unit = "ms", .measure = responder_cpu,
	    .arguments = { 0 }, .bare = "bare X25519, two", .goal = 0.12 },
	{ .name = "handshake, responder, 100 sessions present", .unit = "ms",
	    .measure = responder_cpu, .arguments = { 100 }, .bare = "bare X25519, two",
	    .goal = 0.12 },
	{ .name = "handshake, responder, 100,000 present", .unit = "ms",
	    .measure = responder_cpu, .arguments = { 100000 },
	    .bare = "handshake, responder, 100 sessions present", .goal = 0.12,
	    .once = true },
	{ .name = "memory of a session in the engine, 10,000", .unit = "octets",
	    .measure = memory, .arguments = { 10000 }, .once = true },
	{ .name = NULL }
};
