/* What every Check program's main ends with. */
#ifndef TESTS_RUN_H
#define TESTS_RUN_H

#include <check.h>

/* Runs the case as suite `name`, prints Check's summary, frees everything; main's return
 * value. */
int run_tests(const char *name, TCase *);

#endif
