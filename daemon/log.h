/* The daemon's log: lines on standard error, in the form that its reader wants.  Under
 * systemd (JOURNAL_STREAM names our stderr) each line carries "<priority>" and no time;
 * otherwise a time of day.
 *
 * A message may have several lines; the later ones are indented.  Control characters and
 * broken UTF-8 are escaped, whatever the caller passed.  A reader that is too slow, has
 * gone or has no room never blocks or ends the daemon: lines are dropped, counted, and
 * the count is told as soon as there is room again. */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level {	/* the more, the later */
	LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};
enum { LOG_LEVELS = LOG_LEVEL_DEBUG + 1 };

struct log;

/* Writes to `fd`, which stays the caller's.  NULL: no memory. */
struct log *log_new(int fd, enum log_level most);
void log_free(struct log *);
void log_set_level(struct log *, enum log_level most);
bool log_wants(const struct log *, enum log_level);

/* printf-like, without a newline at the end.  A NULL log swallows everything. */
void log_error(struct log *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void log_warning(struct log *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void log_notice(struct log *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void log_info(struct log *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void log_debug(struct log *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The names of the levels, as the setting `log` spells them. */
const char *log_level_name(enum log_level);

/* Writes `text` as one printable line (of UTF-8) into `out`, cut to `size`, always
 * terminated: control characters and octets that are no UTF-8 as \xHH.  Returns out. */
char *log_escape(const char *text, size_t len, char *out, size_t size);

#endif
