#include "daemon/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"

enum { TEXT = 1024 };

void
fault_add(struct faults *faults, struct origin origin, const char *format, ...)
{
	struct fault fault = { .line = origin.line, .number = faults->n };
	struct fault *v;
	char text[TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fault.file = strdup(origin.file);
	fault.text = strdup(text);
	v = reallocarray(faults->v, faults->n + 1, sizeof(*v));
	if (v != NULL)
		faults->v = v;
	if (v == NULL || fault.file == NULL || fault.text == NULL) {
		faults->no_memory = true;
		free(fault.file);
		free(fault.text);
		return;
	}
	v[faults->n++] = fault;
}

bool
faults_any(const struct faults *faults)
{
	return faults->n > 0 || faults->no_memory;
}

bool
faults_at(const struct faults *faults, struct origin origin)
{
	unsigned i;

	for (i = 0; i < faults->n; i++)
		if (faults->v[i].line == origin.line &&
		    strcmp(faults->v[i].file, origin.file) == 0)
			return true;
	return false;
}

static int
compare(const void *a, const void *b)
{
	const struct fault *x = a, *y = b;
	int files = strcmp(x->file, y->file);

	if (files != 0)
		return files;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static bool
same(const struct fault *a, const struct fault *b)
{
	return a->line == b->line && strcmp(a->file, b->file) == 0 &&
	    strcmp(a->text, b->text) == 0;
}

static void
free_fault(struct fault *fault)
{
	free(fault->file);
	free(fault->text);
}

void
faults_sort(struct faults *faults)
{
	unsigned i, kept = 0;

	if (faults->n == 0)
		return;
	qsort(faults->v, faults->n, sizeof(*faults->v), compare);
	for (i = 1; i < faults->n; i++) {
		if (same(&faults->v[kept], &faults->v[i]))
			free_fault(&faults->v[i]);
		else
			faults->v[++kept] = faults->v[i];
	}
	faults->n = kept + 1;
}

char *
fault_line(const struct fault *fault, char *buf, size_t size)
{
	char file[TEXT], text[TEXT], line[16] = "";

	if (fault->line > 0)
		snprintf(line, sizeof(line), "%u:", fault->line);
	log_escape(fault->file, strlen(fault->file), file, sizeof(file));
	log_escape(fault->text, strlen(fault->text), text, sizeof(text));
	snprintf(buf, size, "%s:%s %s", file, line, text);
	return buf;
}

void
faults_free(struct faults *faults)
{
	unsigned i;

	for (i = 0; i < faults->n; i++)
		free_fault(&faults->v[i]);
	free(faults->v);
	*faults = (struct faults){ 0 };
}
