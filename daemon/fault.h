/* Faults of the configuration and of secret files, collected so that all are told in one
 * run: "FILE:LINE: what is wrong; what would be right". */
#ifndef DAEMON_FAULT_H
#define DAEMON_FAULT_H

#include <stdbool.h>
#include <stddef.h>

/* Where something stands.  Line 0: the file as a whole. */
struct origin {
	const char *file;	/* borrowed */
	unsigned line;
};

struct fault {
	char *file;		/* owned */
	unsigned line;
	unsigned number;	/* in the order of finding */
	char *text;		/* owned */
};

struct faults {			/* begin with a zeroed one */
	struct fault *v;
	unsigned n;
	bool no_memory;		/* one or more could not be kept */
};

void fault_add(struct faults *, struct origin, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool faults_any(const struct faults *);
bool faults_at(const struct faults *, struct origin);	/* is there one already? */

/* By file and line, each once. */
void faults_sort(struct faults *);

/* "FILE:LINE: text", printable and cut to fit; returns buf. */
enum { FAULT_LINE = 2200 };	/* room for the longest */
char *fault_line(const struct fault *, char *buf, size_t size);
void faults_free(struct faults *);

#endif
