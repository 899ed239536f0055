/* The simulator: two engines in a world made by seed.  Every run must end established
 * on both sides with the same keys and a delivered packet each way, or closed on both. */
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/world.h"

enum { WARM_UP = 50, MAY_GROW = 65536 };

static int
usage(void)
{
	fputs("usage: sim [--seeds N] [--from S] [-v]\n"
	    "       sim --seed S [-v]\n"
	    "  --seeds N  run N worlds (default 1000)\n"
	    "  --from S   beginning with seed S (default 1)\n"
	    "  --seed S   run one world\n"
	    "  -v         tell what happens in it\n", stderr);
	return 2;
}

static bool
number(const char *text, uint64_t *n)
{
	char *end;

	*n = strtoull(text, &end, 0);
	return *text != '\0' && *end == '\0';
}

static size_t
memory(void)
{
	return mallinfo2().uordblks;
}

/* 0 when every world was as it must be. */
static int
run(uint64_t from, uint64_t seeds, FILE *trace)
{
	struct world_count count = { 0 };
	size_t before = 0, after;
	uint64_t failed = 0;
	char why[512];
	const char *result;

	for (uint64_t seed = from; seed < from + seeds; seed++) {
		if (seed == from + WARM_UP)
			before = memory();
		result = world_run(seed, trace, &count, why, sizeof(why));
		if (result == NULL)
			continue;
		failed++;
		printf("seed %" PRIu64 ": %s\n    replay: sim --seed %" PRIu64 " -v\n",
		    seed, result, seed);
	}
	after = memory();
	if (before != 0 && after > before + MAY_GROW) {
		printf("memory grew from %zu to %zu octets\n", before, after);
		failed++;
	}
	printf("sim: %" PRIu64 " established, %" PRIu64 " refused, %" PRIu64
	       " ended early, "
	       "%" PRIu64 " frames\n",
	    count.established, count.refused, count.ended, count.frames);
	printf("%" PRIu64 " passed, %" PRIu64 " failed\n", seeds - failed, failed);
	return failed == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seeds", required_argument, NULL, 'n' },
		{ "from", required_argument, NULL, 'f' },
		{ "seed", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 }
	};
	uint64_t seeds = 1000, from = 1;
	bool verbose = false, good = true;
	int c;

	while ((c = getopt_long(argc, argv, "v", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			good = good && number(optarg, &seeds);
			break;
		case 'f':
			good = good && number(optarg, &from);
			break;
		case 's':
			good = good && number(optarg, &from);
			seeds = 1;
			break;
		case 'v':
			verbose = true;
			break;
		default:
			return usage();
		}
	}
	if (!good || optind != argc)
		return usage();
	return run(from, seeds, verbose ? stdout : NULL);
}
