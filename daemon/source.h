/* The text of a configuration file, looked at token by token, for what libconfig does not
 * say: where exactly a comma is missing, which string never ends, what it would silently
 * cut. */
#ifndef DAEMON_SOURCE_H
#define DAEMON_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/fault.h"

struct source {
	const char *file;	/* borrowed */
	char *text;		/* owned; a NUL stands behind len octets */
	size_t len;
	size_t *lines;		/* owned: where each begins */
	unsigned n_lines;
};

/* Reads a whole file.  False, and a fault that names the remedy: not readable, longer
 * than 64 MiB, or with a NUL octet.  source_free is allowed in any case. */
bool source_read(const char *file, struct source *, struct faults *);
void source_free(struct source *);

/* Faults in what libconfig accepts and misreads: numbers beyond 32 bits, "\x00" in a
 * text, texts in a list with no comma between, relative includes.  With `syntax` also
 * what it refuses, for use when it did: the first such place.  Returns how many. */
unsigned source_check(const struct source *, bool syntax, struct faults *);

/* Of a name that stands twice in its group, the second time in or just above `line`:
 * writes the name and returns the line of the first.  0: not found. */
unsigned source_twice(const struct source *, unsigned line, char *name, size_t size);

/* The line of a text in a list, which libconfig gives as the line of what follows it. */
unsigned source_text_line(const struct source *, unsigned line);
/* A line without blanks around it and cut to fit, for messages; returns buf. */
const char *source_line(const struct source *, unsigned line, char *buf, size_t size);

#endif
