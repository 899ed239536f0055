#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/vectors.h"

enum { FIELDS = 16 };

struct vectors {
	json_t *root, *tests, *test;
	size_t next;
	uint8_t *octets[FIELDS];
	unsigned n_octets;
	char id[80];
};

struct vectors *
vectors_open(const char *name)
{
	struct vectors *v = calloc(1, sizeof *v);
	json_error_t error;
	char path[256];

	ck_assert_ptr_nonnull(v);
	snprintf(path, sizeof path, "tests/vectors/%s", name);
	v->root = json_load_file(path, 0, &error);
	ck_assert_msg(v->root != NULL, "%s:%d: %s", path, error.line, error.text);
	v->tests = json_object_get(v->root, "tests");
	ck_assert_msg(json_array_size(v->tests) > 0, "%s: no tests", path);
	return v;
}

static void
forget(struct vectors *v)
{
	while (v->n_octets > 0)
		free(v->octets[--v->n_octets]);
}

void
vectors_close(struct vectors *v)
{
	forget(v);
	json_decref(v->root);
	free(v);
}

bool
vectors_next(struct vectors *v)
{
	json_t *id;

	forget(v);
	v->test = json_array_get(v->tests, v->next++);
	id = json_object_get(v->test, "id");
	if (json_is_string(id))
		snprintf(v->id, sizeof v->id, "%s", json_string_value(id));
	else
		snprintf(v->id, sizeof v->id, "test %lld",
		    (long long)json_integer_value(id));
	return v->test != NULL;
}

bool
vectors_has(const struct vectors *v, const char *field)
{
	return json_object_get(v->test, field) != NULL;
}

const char *
vectors_text(const struct vectors *v, const char *field)
{
	const char *text = json_string_value(json_object_get(v->test, field));

	ck_assert_msg(text != NULL, "%s: no text \"%s\"", v->id, field);
	return text;
}

uint64_t
vectors_number(const struct vectors *v, const char *field)
{
	json_t *number = json_object_get(v->test, field);

	ck_assert_msg(json_is_integer(number), "%s: no number \"%s\"", v->id, field);
	return (uint64_t)json_integer_value(number);
}

static unsigned
digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c == '\0' ? NULL : strchr(digits, c);

	ck_assert_msg(found != NULL, "not a hexadecimal digit: '%c'", c);
	return (unsigned)(found - digits);
}

struct bytes
vectors_hex(struct vectors *v, const char *field)
{
	const char *text = vectors_text(v, field);
	size_t len = strlen(text) / 2;
	uint8_t *p = malloc(len == 0 ? 1 : len);

	ck_assert_ptr_nonnull(p);
	ck_assert_msg(strlen(text) % 2 == 0, "%s: odd \"%s\"", v->id, field);
	ck_assert_uint_lt(v->n_octets, FIELDS);
	v->octets[v->n_octets++] = p;
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
	return bytes_of(p, len);
}

const char *
vectors_id(const struct vectors *v)
{
	return v->id;
}

uint8_t *
exact_copy(struct bytes b)
{
	uint8_t *copy = malloc(b.len);

	ck_assert(copy != NULL || b.len == 0);
	if (b.len != 0)
		memcpy(copy, b.p, b.len);
	return copy;
}

/* splitmix64 */
uint64_t
next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

void
fill_random(uint64_t *state, uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(next_random(state) >> 56);
}
