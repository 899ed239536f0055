/* Quantities as the configuration writes them, "90s", "64G", "10%": texts, since
 * libconfig has no units and cuts large numbers. */
#ifndef DAEMON_QUANTITY_H
#define DAEMON_QUANTITY_H

#include <stdbool.h>
#include <stddef.h>

enum quantity {
	QUANTITY_TIME,		/* in microseconds */
	QUANTITY_SIZE,		/* in octets; units are powers of 1024 */
	QUANTITY_COUNT,
	QUANTITY_PERCENT,
	QUANTITY_FACTOR		/* in hundredths */
};
enum { QUANTITY_TEXT = 32 };

/* "0", "never" and "off" are 0 of any kind.  False: it is none, or does not fit. */
bool quantity_parse(enum quantity, const char *text, long *value);
/* In the largest unit that holds it whole, as quantity_parse reads it back; returns
 * buf. */
const char *quantity_print(enum quantity, long value, char buf[QUANTITY_TEXT]);
/* "a number and its unit: ms, s, m, h or d" */
const char *quantity_form(enum quantity);

#endif
