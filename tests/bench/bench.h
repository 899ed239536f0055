/* What things cost.  A row measures one thing; bench.c repeats all of them in turn and
 * prints medians, each beside the row that does the same with nothing around it. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench_row {
	const char *name, *unit;
	/* Measures once, with these arguments.  Below 0: it could not be done, and bench
	 * fails. */
	double (*measure)(unsigned, unsigned);
	/* Or: measures this row and those behind it that have neither, by turns, so that
	 * they may be compared closely.  False: it could not be done. */
	bool (*measure_all)(unsigned, unsigned, double *v);
	unsigned arguments[2];
	const char *bare;		/* the name of the row to compare with, or NULL */
	double goal;			/* at most; 0: none */
	bool once;			/* takes long, and varies little */
};

/* Each ends with a row without a name. */
extern const struct bench_row bench_bare[], bench_packets[], bench_handshakes[],
    bench_tunnels[], bench_crowds[];

/* Seconds of this thread's own work, the kernel's for it included: what else the machine
 * does at the time does not count. */
double bench_cpu(void);
/* Sorts them. */
double bench_median(double *v, unsigned n);
/* Octets of memory in use. */
size_t bench_memory(void);

#endif
