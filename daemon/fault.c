#include "daemon/fault.h"

#include <stdarg.h>
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

void
faults_print(struct faults *faults, FILE *out)
{
	char file[TEXT], text[TEXT];
	const struct fault *f;

	if (faults->n > 0)
		qsort(faults->v, faults->n, sizeof(*faults->v), compare);
	for (f = faults->v; f != faults->v + faults->n; f++) {
		if (f != faults->v && same(f - 1, f))
			continue;
		log_escape(f->file, strlen(f->file), file, sizeof(file));
		log_escape(f->text, strlen(f->text), text, sizeof(text));
		if (f->line > 0)
			fprintf(out, "%s:%u: %s\n", file, f->line, text);
		else
			fprintf(out, "%s: %s\n", file, text);
	}
	if (faults->no_memory)
		fprintf(out, "out of memory: there may be more faults\n");
}

void
faults_free(struct faults *faults)
{
	unsigned i;

	for (i = 0; i < faults->n; i++) {
		free(faults->v[i].file);
		free(faults->v[i].text);
	}
	free(faults->v);
	*faults = (struct faults){ 0 };
}
