#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/memory.h"

/* The linker leads calls of malloc to __wrap_malloc, and those of __real_malloc to
 * malloc.  Blocks of foreign libraries are neither allocated nor freed by way of these. */
static long blocks;

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void __real_free(void *);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
void __wrap_free(void *);
void *__wrap_reallocarray(void *, size_t, size_t);
char *__wrap_strdup(const char *);

static void *
count(void *p)
{
	blocks += p != NULL;
	return p;
}

void *
__wrap_malloc(size_t n)
{
	return count(__real_malloc(n));
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return count(__real_calloc(n, size));
}

void *
__wrap_realloc(void *p, size_t n)
{
	return p != NULL ? __real_realloc(p, n) : count(__real_malloc(n));
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return size != 0 && n > SIZE_MAX / size ? NULL : __wrap_realloc(p, n * size);
}

void
__wrap_free(void *p)
{
	blocks -= p != NULL;
	__real_free(p);
}

char *
__wrap_strdup(const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = __wrap_malloc(n);

	return copy != NULL ? memcpy(copy, text, n) : NULL;
}

long
memory_blocks(void)
{
	return blocks;
}
