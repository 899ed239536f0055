#include "daemon/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	LINE = 1024,		/* octets of one; below PIPE_BUF, so it stays whole */
	MESSAGE = 32768		/* octets of a whole message */
};

struct log {
	int fd;
	enum log_level most;
	bool journal;		/* systemd reads: "<priority>" in front */
	bool waits;		/* fd may block: look before writing */
	uint64_t lost;		/* lines since the last one that was written */
};

static const struct level {
	const char *name;
	int priority;		/* syslog's */
} levels[LOG_LEVELS] = {
	[LOG_LEVEL_ERROR] = { "error", 3 },
	[LOG_LEVEL_WARNING] = { "warning", 4 },
	[LOG_LEVEL_NOTICE] = { "notice", 5 },
	[LOG_LEVEL_INFO] = { "info", 6 },
	[LOG_LEVEL_DEBUG] = { "debug", 7 },
};

const char *
log_level_name(enum log_level level)
{
	return levels[level].name;
}

/* systemd says which stream it reads, so that a program whose stderr went elsewhere since
 * does not write priorities into a file. */
static bool
is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	if (stream == NULL || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
		return false;
	return fstat(fd, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static bool
may_block(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && !S_ISREG(st.st_mode);
}

struct log *
log_new(int fd, enum log_level most)
{
	struct log *log = calloc(1, sizeof(*log));

	if (log == NULL)
		return NULL;
	log->fd = fd;
	log->most = most;
	log->journal = is_journal(fd);
	log->waits = may_block(fd);
	return log;
}

void
log_free(struct log *log)
{
	free(log);
}

void
log_set_level(struct log *log, enum log_level most)
{
	log->most = most;
}

bool
log_wants(const struct log *log, enum log_level level)
{
	return log != NULL && level <= log->most;
}

/* Octets of the UTF-8 character at p (RFC 3629 4), 0 if it is none or a control
 * character. */
static size_t
printable(const uint8_t *p, size_t left)
{
	static const struct { uint8_t mask, lead; uint32_t least; } forms[] = {
		{ 0x80, 0x00, 0x20 }, { 0xe0, 0xc0, 0xa0 }, { 0xf0, 0xe0, 0x800 },
		{ 0xf8, 0xf0, 0x10000 },
	};
	uint32_t c;
	size_t n, i;

	for (n = 0; n < 4 && (*p & forms[n].mask) != forms[n].lead; n++)
		;
	if (n == 4 || n >= left)
		return 0;
	c = (uint32_t)(*p & ~forms[n].mask & 0xff);
	for (i = 1; i <= n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < forms[n].least || c == 0x7f || c > 0x10ffff ||
	    (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return n + 1;
}

char *
log_escape(const char *text, size_t len, char *out, size_t size)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t at = 0, n;

	if (size == 0)
		return out;
	while (len > 0) {
		n = printable(p, len);
		if (at + (n > 0 ? n : 4) >= size)
			break;
		if (n > 0) {
			memcpy(out + at, p, n);
			at += n;
		} else {
			at += (size_t)snprintf(out + at, size - at, "\\x%02x", *p);
			n = 1;
		}
		p += n;
		len -= n;
	}
	out[at] = '\0';
	return out;
}

/* What stands in front of a line. */
static void
lead(const struct log *log, enum log_level level, bool first, char *out, size_t size)
{
	const char *indent = first ? "" : "    ";
	struct timespec now;
	struct tm day;
	char date[32];

	if (log->journal) {
		snprintf(out, size, "<%d>%s", levels[level].priority, indent);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &day);
	strftime(date, sizeof(date), "%F %T", &day);
	snprintf(out, size, "%s.%03ld %-7s %s", date, now.tv_nsec / 1000000,
	    levels[level].name, indent);
}

/* False: the reader did not take it.  Nothing else can be done with that, so nobody is
 * told but the next reader. */
static bool
put(struct log *log, const char *line, size_t len)
{
	struct pollfd ready = { .fd = log->fd, .events = POLLOUT };
	ssize_t n;

	if (log->waits && (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0))
		return false;
	do
		n = write(log->fd, line, len);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len;
}

static void
put_line(struct log *log, enum log_level level, bool first, const char *text, size_t len)
{
	char line[LINE], front[64];
	size_t n;

	if (log->lost > 0) {
		lead(log, LOG_LEVEL_WARNING, true, front, sizeof(front));
		n = (size_t)snprintf(line, sizeof(line),
		    "%s%llu lines of this log were lost: nobody took them\n", front,
		    (unsigned long long)log->lost);
		if (put(log, line, n))
			log->lost = 0;
	}
	lead(log, level, first, line, sizeof(line));
	n = strlen(line);
	log_escape(text, len, line + n, sizeof(line) - n - 1);
	n = strlen(line);
	line[n++] = '\n';
	if (log->lost > 0 || !put(log, line, n))
		log->lost++;
}

static void put_message(struct log *, enum log_level, const char *format, va_list)
    __attribute__((format(printf, 3, 0)));

static void
put_message(struct log *log, enum log_level level, const char *format, va_list args)
{
	char *text, *line, *end;
	int saved = errno;
	bool first = true;

	if (!log_wants(log, level) || (text = malloc(MESSAGE)) == NULL)
		goto out;
	vsnprintf(text, MESSAGE, format, args);
	for (line = text; line != NULL; line = end) {
		if ((end = strchr(line, '\n')) != NULL)
			*end++ = '\0';
		put_line(log, level, first, line, strlen(line));
		first = false;
	}
	free(text);
out:
	errno = saved;	/* so that a message may stand between a failure and its use */
}

void
log_error(struct log *log, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_message(log, LOG_LEVEL_ERROR, format, args);
	va_end(args);
}

void
log_warning(struct log *log, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_message(log, LOG_LEVEL_WARNING, format, args);
	va_end(args);
}

void
log_notice(struct log *log, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_message(log, LOG_LEVEL_NOTICE, format, args);
	va_end(args);
}

void
log_info(struct log *log, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_message(log, LOG_LEVEL_INFO, format, args);
	va_end(args);
}

void
log_debug(struct log *log, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_message(log, LOG_LEVEL_DEBUG, format, args);
	va_end(args);
}
