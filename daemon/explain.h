/* Sentences for people: what a configuration file says wrongly, why an SA was refused,
 * where the setting stands and the line that would mend it. */
#ifndef DAEMON_EXPLAIN_H
#define DAEMON_EXPLAIN_H

#include <stddef.h>

#include "daemon/load.h"

/* A name that no setting has: what was probably meant, or which names there are. */
const char *explain_unknown(enum setting_scope, const char *name, char *buf, size_t size);
/* A value of the wrong type: what was found ("a number"), what is expected, and an
 * example. */
const char *explain_type(
    const struct setting *, const char *found, char *buf, size_t size);
/* A choice that has no such word. */
const char *explain_word(
    const struct setting *, const char *text, char *buf, size_t size);
/* A number out of its bounds, and what the bounds are. */
const char *explain_number(
    const struct setting *, long long number, char *buf, size_t size);
const char *explain_bounds(const struct setting *, char *buf, size_t size);
/* A quantity that is none, and how it is written; one out of its bounds. */
const char *explain_quantity(
    const struct setting *, const char *text, char *buf, size_t size);
const char *explain_amount(
    const struct setting *, const char *text, char *buf, size_t size);

/* A refusal, for the log, `ikectl up` and status: the sentence, "ours:" and "theirs:",
 * where the setting concerned stands, and the line that would mend it.  Several lines
 * without a newline at the end.  `connection` is NULL when none matched.  `secrets_dir`
 * is where its secret lies.  free() it; NULL: no memory. */
char *explain_refusal(const struct configured *connection, const char *secrets_dir,
    const struct ike_refusal *);

/* The same for an end without a refusal (IKE_DOWN with an error). */
char *explain_down(const struct configured *connection, enum ike_error);

#endif
