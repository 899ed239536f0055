#include "daemon/quantity.h"

#include <stdio.h>
#include <string.h>

struct unit { const char *word; long scale; };

/* The smallest comes first. */
static const struct unit times[] = {
	{ "ms", 1000 }, { "s", 1000000 }, { "m", 60 * 1000000L },
	{ "h", 3600 * 1000000L }, { "d", 86400 * 1000000L }, { NULL, 0 },
};
static const struct unit sizes[] = {
	{ "", 1 }, { "K", 1L << 10 }, { "M", 1L << 20 }, { "G", 1L << 30 },
	{ "T", 1L << 40 }, { NULL, 0 },
};
static const struct unit counts[] = { { "", 1 }, { NULL, 0 } };
static const struct unit percents[] = { { "%", 1 }, { "", 1 }, { NULL, 0 } };
static const struct unit factors[] = { { "", 100 }, { NULL, 0 } };

static const struct kind {
	const struct unit *units;
	bool fractions;
	const char *form;
} kinds[] = {
	[QUANTITY_TIME] = { times, true, "a number and its unit: ms, s, m, h or d" },
	[QUANTITY_SIZE] = { sizes, true,
	    "a number of octets, perhaps in one of the units K, M, G and T" },
	[QUANTITY_COUNT] = { counts, false, "a number" },
	[QUANTITY_PERCENT] = { percents, false, "a whole number of percent" },
	[QUANTITY_FACTOR] = { factors, true, "a number with a point, such as 1.8" },
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Both parts of a number with a point; false: it does not fit. */
static bool
read_digits(const char **text, long *whole, long *fraction, long *tenths)
{
	const char *p = *text;

	for (*whole = 0; is_digit(*p); p++)
		if (__builtin_mul_overflow(*whole, 10L, whole) ||
		    __builtin_add_overflow(*whole, *p - '0', whole))
			return false;
	*fraction = 0;
	*tenths = 1;
	if (*p == '.' && is_digit(p[1]))
		for (p++; is_digit(*p); p++) {
			if (*tenths == 1000000)
				return false;
			*fraction = *fraction * 10 + (*p - '0');
			*tenths *= 10;
		}
	*text = p;
	return true;
}

/* Of the units that a fraction of six digits may be of, a million fits into a long. */
static bool
scale(long whole, long fraction, long tenths, long unit, long *value)
{
	return !__builtin_mul_overflow(whole, unit, value) &&
	    !__builtin_add_overflow(*value, fraction * unit / tenths, value);
}

bool
quantity_parse(enum quantity quantity, const char *text, long *value)
{
	const struct kind *kind = &kinds[quantity];
	const struct unit *unit = kind->units;
	long whole, fraction, tenths;

	*value = 0;
	if (strcmp(text, "never") == 0 || strcmp(text, "off") == 0 ||
	    strcmp(text, "0") == 0)
		return true;
	if (!is_digit(text[0]) || !read_digits(&text, &whole, &fraction, &tenths) ||
	    (tenths > 1 && !kind->fractions))
		return false;
	text += *text == ' ' && text[1] != '\0';
	while (unit->word != NULL && strcmp(unit->word, text) != 0)
		unit++;
	return unit->word != NULL && scale(whole, fraction, tenths, unit->scale, value);
}

const char *
quantity_print(enum quantity quantity, long value, char buf[QUANTITY_TEXT])
{
	const struct unit *unit = kinds[quantity].units, *largest = unit;

	if (quantity == QUANTITY_FACTOR) {
		snprintf(buf, QUANTITY_TEXT, "%ld.%02ld", value / 100, value % 100);
		return buf;
	}
	for (; unit->word != NULL; unit++)
		if (value % unit->scale == 0 && unit->scale > largest->scale)
			largest = unit;
	if (value == 0)
		snprintf(buf, QUANTITY_TEXT, "0");
	else
		snprintf(buf, QUANTITY_TEXT, "%ld%s", value / largest->scale,
		    largest->word);
	return buf;
}

const char *
quantity_form(enum quantity quantity)
{
	return kinds[quantity].form;
}
