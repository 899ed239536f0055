#include <check.h>
#include <stdlib.h>

#include "tests/unit/octets.h"
#include "tests/unit/vectors.h"

static unsigned
digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c == '\0' ? NULL : strchr(digits, c);

	ck_assert_msg(found != NULL, "not a hexadecimal digit: '%c'", c);
	return (unsigned)(found - digits);
}

struct bytes
octets(const char *hex)
{
	uint8_t text[8192];
	size_t n = 0;

	for (; *hex != '\0'; hex += *hex == ' ' ? 1 : 2) {
		if (*hex == ' ')
			continue;
		ck_assert_uint_lt(n, sizeof text);
		text[n++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
	}
	return octets_prefix(bytes_of(text, n), n);
}

struct bytes
octets_prefix(struct bytes b, size_t n)
{
	ck_assert_uint_le(n, b.len);
	return bytes_of(exact_copy(bytes_of(b.p, n)), n);
}

struct bytes
octets_of(uint8_t value, size_t n)
{
	uint8_t *p = malloc(n);

	ck_assert(p != NULL || n == 0);
	if (n != 0)
		memset(p, value, n);
	return bytes_of(p, n);
}

void
octets_free(struct bytes b)
{
	free((void *)(uintptr_t)b.p);
}

bool
octets_within(struct bytes view, struct bytes whole)
{
	return view.len == 0 || (view.p >= whole.p && view.len <= whole.len &&
	    (size_t)(view.p - whole.p) <= whole.len - view.len);
}
