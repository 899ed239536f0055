/* The simulator: hosts in worlds made by seed, and a judge over what happens there.  A
 * world that breaks a rule is run again and told of. */
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/profile.h"

enum { WARM_UP = 50, MAY_GROW = 131072, TOLD_MOST = 5, LINES = 100 };

struct order {				/* what is to be run */
	uint64_t from, seeds;
	unsigned jobs;
	bool one, first, verbose;
	const struct profile *profile;
};

struct job {				/* shared with its process */
	uint64_t seed;			/* at which it is */
	uint64_t passed, failed;
	struct world_count count;
	bool grew, done;
};

static int
usage(FILE *to)
{
	fputs("usage: sim [--seeds N] [--from S] [--profile NAME] [--jobs N] [--first]\n"
	    "       sim --seed S [--profile NAME] [-v]\n"
	    "  --seeds N       run N worlds (default 1000)\n"
	    "  --from S        beginning with seed S (default 1)\n"
	    "  --profile NAME  of this kind; else the seed chooses\n"
	    "  --jobs N        in so many processes (default: one for each core)\n"
	    "  --first         stop at the first that fails\n"
	    "  --seed S        run one world\n"
	    "  -v              tell what happens in it\n"
	    "profiles:\n", to);
	for (const struct profile *p = profiles; p->name != NULL; p++)
		fprintf(to, "  %-15s %s\n", p->name, p->about);
	return to == stdout ? 0 : 2;
}

static bool
number(const char *text, uint64_t *n)
{
	char *end;

	*n = strtoull(text, &end, 0);
	return *text != '\0' && *end == '\0';
}

/* ---- telling ---- */

/* The last lines of a text. */
static const char *
tail(const char *text, size_t len, unsigned lines)
{
	const char *p = text + len;

	while (p > text && (p[-1] != '\n' || lines-- > 0))
		p--;
	return p;
}

static void
print_failed(const struct order *o, uint64_t seed, const char *why)
{
	printf("seed %" PRIu64 ": %s\n    replay: sim --seed %" PRIu64 "%s%s -v\n", seed,
	    why, seed, o->profile != NULL ? " --profile " : "",
	    o->profile != NULL ? o->profile->name : "");
}

/* What led to it: the schedule, and the last part of what was said. */
static void
tell(const struct order *o, uint64_t seed, const char *why)
{
	struct world_count unused = { 0 };
	char *text = NULL, again[512];
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	const char *begins;

	if (f == NULL)
		abort();
	world_run(seed, o->profile, f, &unused, again, sizeof(again));
	fclose(f);
	begins = strstr(text, WORLD_BEGINS);
	print_failed(o, seed, why);
	if (begins != NULL)
		printf("    %.*s    the last of it:\n%s", (int)(begins - text), text,
		    tail(begins, len - (size_t)(begins - text), LINES));
	free(text);
}

/* ---- running ---- */

static size_t
memory(void)
{
	return mallinfo2().uordblks;
}

static void
run_job(const struct order *o, unsigned which, struct job *job)
{
	size_t before = 0, n = 0;
	char why[512];

	for (uint64_t s = o->from + which; s < o->from + o->seeds; s += o->jobs) {
		job->seed = s;
		if (n++ == WARM_UP)
			before = memory();
		if (world_run(s, o->profile, NULL, &job->count, why, sizeof(why))) {
			job->passed++;
			continue;
		}
		if (job->failed++ < TOLD_MOST)
			tell(o, s, why);
		else
			printf("seed %" PRIu64 ": %s\n", s, why);
		fflush(stdout);
		if (o->first)
			break;
	}
	job->grew = before != 0 && memory() > before + MAY_GROW;
	job->done = true;
}

static int
run_jobs(const struct order *o)
{
	struct job *jobs = mmap(NULL, o->jobs * sizeof(*jobs), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct job all = { 0 };

	if (jobs == MAP_FAILED)
		abort();
	fflush(stdout);
	for (unsigned i = 0; i < o->jobs; i++)
		if (fork() == 0) {
			run_job(o, i, &jobs[i]);
			exit(0);
		}
	while (wait(NULL) > 0)
		;
	for (unsigned i = 0; i < o->jobs; i++) {
		if (!jobs[i].done)
			print_failed(o, jobs[i].seed, "the simulator itself ended");
		if (jobs[i].grew)
			printf("memory grew in job %u\n", i);
		all.passed += jobs[i].passed;
		all.failed += jobs[i].failed + !jobs[i].done + jobs[i].grew;
		all.count.frames += jobs[i].count.frames;
		all.count.packets += jobs[i].count.packets;
		all.count.delivered += jobs[i].count.delivered;
		all.count.rekeys += jobs[i].count.rekeys;
	}
	printf("sim: %" PRIu64 " datagrams, %" PRIu64 " packets, %" PRIu64
	       " delivered, %" PRIu64 " rekeys\n", all.count.frames, all.count.packets,
	    all.count.delivered, all.count.rekeys);
	printf("%" PRIu64 " passed, %" PRIu64 " failed\n", all.passed, all.failed);
	return all.failed == 0 ? 0 : 1;
}

static int
run_one(const struct order *o)
{
	struct world_count count = { 0 };
	char why[512];
	bool good = world_run(o->from, o->profile, o->verbose ? stdout : NULL, &count,
	    why, sizeof(why));

	printf("seed %" PRIu64 ": %s%s\n", o->from, why, good ? "passed" : "");
	return good ? 0 : 1;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seeds", required_argument, NULL, 'n' },
		{ "from", required_argument, NULL, 'f' },
		{ "seed", required_argument, NULL, 's' },
		{ "profile", required_argument, NULL, 'p' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "first", no_argument, NULL, '1' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	struct order o = { .from = 1, .seeds = 1000 };
	uint64_t jobs = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
	bool good = true;
	int c;

	while ((c = getopt_long(argc, argv, "v", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			good = good && number(optarg, &o.seeds);
			break;
		case 's':
			o.one = true;	/* fallthrough */
		case 'f':
			good = good && number(optarg, &o.from);
			break;
		case 'p':
			o.profile = profile_find(optarg);
			good = good && o.profile != NULL;
			break;
		case 'j':
			good = good && number(optarg, &jobs) && jobs > 0 && jobs < 1000;
			break;
		case '1':
			o.first = true;
			break;
		case 'v':
			o.verbose = true;
			break;
		case 'h':
			return usage(stdout);
		default:
			return usage(stderr);
		}
	}
	if (!good || optind != argc)
		return usage(stderr);
	o.jobs = (unsigned)jobs;
	return o.one ? run_one(&o) : run_jobs(&o);
}
