/* What things cost.  A row measures one thing once; bench.c repeats all of them in turn and
 * prints medians, each beside the row it is to be compared with. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench_row {
	const char *name, *unit;
	/* By this argument.  Below 0: it could not be measured, and bench fails. */
	double (*measure)(unsigned);
	unsigned argument;
	/* The name of the row that does the same with nothing around it, or NULL; */
	const char *bare;
	double times;			/* and how many of those one of these takes */
	double goal;			/* at most; 0: none */
	bool once;			/* takes long, and varies little */
};

/* Each ends with a row without a name. */
extern const struct bench_row bench_bare[], bench_packets[], bench_handshakes[],
    bench_tunnels[];

/* Seconds: of the wall, and of this thread's own work. */
double bench_time(void);
double bench_cpu(void);
/* Octets of memory in use. */
size_t bench_memory(void);

#endif
