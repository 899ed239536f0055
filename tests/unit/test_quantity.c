#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/quantity.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

#define ROWS(a) ((int)(sizeof(a) / sizeof((a)[0])))
#define S 1000000L

static const struct {
	enum quantity quantity;
	const char *text;
	long value;		/* -1: it is none */
	const char *printed;	/* NULL: as it is */
} rows[] = {
	{ QUANTITY_TIME, "500ms", 500000, NULL },
	{ QUANTITY_TIME, "90s", 90 * S, NULL },
	{ QUANTITY_TIME, "90 s", 90 * S, "90s" },
	{ QUANTITY_TIME, "60s", 60 * S, "1m" },
	{ QUANTITY_TIME, "4h", 4 * 3600 * S, NULL },
	{ QUANTITY_TIME, "24h", 86400 * S, "1d" },
	{ QUANTITY_TIME, "1.5h", 5400 * S, "90m" },
	{ QUANTITY_TIME, "0.001s", 1000, "1ms" },
	{ QUANTITY_TIME, "0.000001s", 1, NULL },
	{ QUANTITY_TIME, "0", 0, NULL },
	{ QUANTITY_TIME, "0s", 0, "0" },
	{ QUANTITY_TIME, "never", 0, "0" },
	{ QUANTITY_TIME, "off", 0, "0" },
	{ QUANTITY_TIME, "106751991d", 106751991L * 86400 * S, NULL },
	{ QUANTITY_TIME, "106751992d", -1, NULL },
	{ QUANTITY_TIME, "9223372036854775807d", -1, NULL },
	{ QUANTITY_TIME, "99999999999999999999s", -1, NULL },
	{ QUANTITY_TIME, "90", -1, NULL },
	{ QUANTITY_TIME, "s", -1, NULL },
	{ QUANTITY_TIME, "", -1, NULL },
	{ QUANTITY_TIME, " 90s", -1, NULL },
	{ QUANTITY_TIME, "90s ", -1, NULL },
	{ QUANTITY_TIME, "90 ", -1, NULL },
	{ QUANTITY_TIME, "90  s", -1, NULL },
	{ QUANTITY_TIME, "-1s", -1, NULL },
	{ QUANTITY_TIME, "+1s", -1, NULL },
	{ QUANTITY_TIME, "1.s", -1, NULL },
	{ QUANTITY_TIME, ".5s", -1, NULL },
	{ QUANTITY_TIME, "1..5s", -1, NULL },
	{ QUANTITY_TIME, "1.2.3s", -1, NULL },
	{ QUANTITY_TIME, "0.0000001s", -1, NULL },
	{ QUANTITY_TIME, "1h 30m", -1, NULL },
	{ QUANTITY_TIME, "1H", -1, NULL },
	{ QUANTITY_TIME, "1min", -1, NULL },
	{ QUANTITY_TIME, "Never", -1, NULL },
	{ QUANTITY_SIZE, "64G", 64L << 30, NULL },
	{ QUANTITY_SIZE, "1024M", 1L << 30, "1G" },
	{ QUANTITY_SIZE, "1.5K", 1536, "1536" },
	{ QUANTITY_SIZE, "1000", 1000, NULL },
	{ QUANTITY_SIZE, "8388607T", 8388607L << 40, NULL },
	{ QUANTITY_SIZE, "8388608T", -1, NULL },
	{ QUANTITY_SIZE, "9223372036854775807", LONG_MAX, NULL },
	{ QUANTITY_SIZE, "9223372036854775808", -1, NULL },
	{ QUANTITY_SIZE, "64GB", -1, NULL },
	{ QUANTITY_SIZE, "64g", -1, NULL },
	{ QUANTITY_COUNT, "1000000000", 1000000000, NULL },
	{ QUANTITY_COUNT, "12", 12, NULL },
	{ QUANTITY_COUNT, "1G", -1, NULL },
	{ QUANTITY_COUNT, "1.5", -1, NULL },
	{ QUANTITY_COUNT, "0x10", -1, NULL },
	{ QUANTITY_PERCENT, "10%", 10, NULL },
	{ QUANTITY_PERCENT, "10 %", 10, "10%" },
	{ QUANTITY_PERCENT, "10", 10, "10%" },
	{ QUANTITY_PERCENT, "7.5%", -1, NULL },
	{ QUANTITY_FACTOR, "1.8", 180, "1.80" },
	{ QUANTITY_FACTOR, "2", 200, "2.00" },
	{ QUANTITY_FACTOR, "1.25", 125, NULL },
	{ QUANTITY_FACTOR, "1.8x", -1, NULL },
};

START_TEST(quantity_read_and_printed)
{
	enum quantity quantity = rows[_i].quantity;
	char text[QUANTITY_TEXT];
	long value = 1, again;

	ck_assert_msg(quantity_parse(quantity, rows[_i].text, &value) ==
	    (rows[_i].value >= 0), "%s", rows[_i].text);
	if (rows[_i].value < 0)
		return;
	ck_assert_msg(value == rows[_i].value, "%s: %ld", rows[_i].text, value);
	if (value == 1 && quantity == QUANTITY_TIME)
		return;		/* smaller than any unit */
	quantity_print(quantity, value, text);
	ck_assert_str_eq(text,
	    rows[_i].printed != NULL ? rows[_i].printed : rows[_i].text);
	ck_assert(quantity_parse(quantity, text, &again));
	ck_assert_int_eq(again, value);
}
END_TEST

/* Every beginning of a text in memory of its own, and texts of any octets. */
START_TEST(quantity_of_anything)
{
	static const char marks[] = "0123456789.. msmhdKMGT%neverof\xff";
	uint64_t state = 1;
	char text[24], *exact;
	long value;

	for (unsigned round = 0; round < 20000; round++) {
		size_t len = next_random(&state) % sizeof(text);

		for (size_t i = 0; i < len; i++)
			text[i] = marks[next_random(&state) % (sizeof(marks) - 1)];
		exact = strndup(text, len);
		for (unsigned k = 0; k <= QUANTITY_FACTOR; k++)
			if (quantity_parse((enum quantity)k, exact, &value))
				ck_assert_int_ge(value, 0);
		free(exact);
	}
}
END_TEST

START_TEST(quantity_forms)
{
	for (unsigned k = 0; k <= QUANTITY_FACTOR; k++)
		ck_assert_ptr_nonnull(strstr(quantity_form((enum quantity)k), "number"));
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("quantity");

	tcase_add_loop_test(t, quantity_read_and_printed, 0, ROWS(rows));
	tcase_add_test(t, quantity_of_anything);
	tcase_add_test(t, quantity_forms);
	return run_tests("quantity", t);
}
