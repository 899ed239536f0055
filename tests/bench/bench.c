/* bench [-n RUNS] [PART-OF-A-NAME]...
 *
 * Runs the rows, all of them or those whose names have such a part, RUNS times in turn,
 * so that what disturbs the machine for a while disturbs no row alone, and prints
 * medians. */
#include <malloc.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/bench.h"

enum { RUNS_MAX = 99, ROWS_MAX = 99 };

struct result {
	const struct bench_row *row;
	unsigned n;
	double value[RUNS_MAX];		/* sorted in the end */
};

double
bench_cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

size_t
bench_memory(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static int
compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

double
bench_median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), compare);
	return (v[(n - 1) / 2] + v[n / 2]) / 2;
}

/* It is measured with the row before it. */
static bool
follows(const struct bench_row *row)
{
	return row->measure == NULL && row->measure_all == NULL;
}

static bool
is_wanted(const struct bench_row *row, char **parts)
{
	for (char **part = parts; *part != NULL; part++)
		if (strstr(row->name, *part) != NULL)
			return true;
	return *parts == NULL;
}

static unsigned
gather(struct result *results, char **parts)
{
	static const struct bench_row *const tables[] = { bench_bare, bench_packets,
		bench_handshakes, bench_tunnels, bench_crowds };
	const struct bench_row *row;
	bool wanted = false;
	unsigned n = 0;

	for (unsigned i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (row = tables[i]; row->name != NULL && n < ROWS_MAX; row++)
			if ((wanted = follows(row) ? wanted : is_wanted(row, parts)))
				results[n++].row = row;
	return n;
}

/* The row, and those that follow it. */
static bool
measure(struct result *results, unsigned n)
{
	const struct bench_row *row = results->row;
	double v[ROWS_MAX] = { 0 };

	if (row->measure_all == NULL)
		v[0] = row->measure(row->arguments[0], row->arguments[1]);
	else if (!row->measure_all(row->arguments[0], row->arguments[1], v))
		return false;
	for (unsigned k = 0; k < n && (k == 0 || follows(results[k].row)); k++)
		results[k].value[results[k].n++] = v[k];
	return v[0] >= 0;
}

/* False: a row could not be measured. */
static bool
run(struct result *results, unsigned n, unsigned runs)
{
	const struct bench_row *row;

	for (unsigned i = 0; i < runs; i++)
		for (unsigned k = 0; k < n; k++) {
			row = results[k].row;
			if (follows(row) || (row->once && i > 0))
				continue;
			if (isatty(2))
				fprintf(stderr, "\r\033[K%u/%u %s ", i + 1, runs,
				    row->name);
			if (!measure(&results[k], n - k)) {
				fprintf(stderr, "\nbench: %s: failed\n", row->name);
				return false;
			}
			malloc_trim(0);
		}
	if (isatty(2))
		fprintf(stderr, "\r\033[K");
	return true;
}

static double
median(const struct result *r)
{
	return (r->value[(r->n - 1) / 2] + r->value[r->n / 2]) / 2;
}

/* Of a rate how much of the bare one is left; of a time how many bare ones it is. */
static void
print_beside(const struct result *results, unsigned n, const struct result *r)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(results[i].row->name, r->row->bare) != 0)
			continue;
		if (strcmp(r->row->unit, "1/s") == 0)
			printf("  %3.0f %% of ", 100 * median(r) / median(&results[i]));
		else
			printf("  %4.2f x ", median(r) / median(&results[i]));
		printf("%s", r->row->bare);
	}
}

static void
print(const struct result *results, unsigned n)
{
	const struct result *r;
	double value;

	printf("%-46s %12s %-6s %10s %10s\n", "", "median", "", "least", "most");
	for (r = results; r < results + n; r++) {
		value = median(r);
		printf("%-46s %12.*f %-6s %10.*f %10.*f", r->row->name,
		    value < 10 ? 4 : 0, value, r->row->unit, value < 10 ? 4 : 0,
		    r->value[0], value < 10 ? 4 : 0, r->value[r->n - 1]);
		if (r->row->bare != NULL)
			print_beside(results, n, r);
		if (r->row->goal > 0)
			printf("  (goal %g: %s)", r->row->goal,
			    value <= r->row->goal ? "met" : "NOT MET");
		printf("\n");
	}
}

int
main(int argc, char **argv)
{
	static struct result results[ROWS_MAX];
	unsigned runs = 5, n;
	int c;

	while ((c = getopt(argc, argv, "n:")) == 'n')
		runs = (unsigned)strtoul(optarg, NULL, 10);
	if (c != -1 || runs == 0 || runs > RUNS_MAX) {
		fprintf(stderr, "usage: bench [-n RUNS (1 to %d)] [PART-OF-A-NAME]...\n",
		    RUNS_MAX);
		return 2;
	}
	n = gather(results, argv + optind);
	if (sodium_init() < 0 || !run(results, n, runs))
		return 1;
	for (unsigned i = 0; i < n; i++)
		qsort(results[i].value, results[i].n, sizeof(double), compare);
	print(results, n);
	return 0;
}
