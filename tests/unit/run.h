/* What every Check program's main ends with. */
#ifndef TESTS_RUN_H
#define TESTS_RUN_H

#include <check.h>

/* Runs the case as suite `name`, prints Check's summary, frees everything; main's return
 * value. */
int run_tests(const char *name, TCase *);

/* For loops of a million: Check's own assertions write to a file each time, this one
 * only when it fails. */
#define must(condition, ...) do {			\
	if (!(condition))				\
		ck_abort_msg(__VA_ARGS__);		\
} while (0)

#endif
