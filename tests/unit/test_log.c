#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

#define ROWS(a) ((int)(sizeof(a) / sizeof((a)[0])))

static int reader, writer;
static struct log *out;

static void
setup(void)
{
	int ends[2];

	unsetenv("JOURNAL_STREAM");
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	reader = ends[0];
	writer = ends[1];
	ck_assert_int_eq(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
	out = log_new(writer, LOG_LEVEL_INFO);
	ck_assert_ptr_nonnull(out);
}

static void
teardown(void)
{
	log_free(out);
	close(reader);
	close(writer);
}

/* All that has been written since the last call. */
static const char *
written(void)
{
	static char text[1 << 17];
	ssize_t n = read(reader, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* The one line behind date and time. */
static const char *
behind_time(void)
{
	static const char form[] = "dddd-dd-dd dd:dd:dd.ddd ";
	const char *text = written();
	size_t i;

	for (i = 0; i < sizeof(form) - 1; i++)
		ck_assert_msg(form[i] == 'd' ? text[i] >= '0' && text[i] <= '9' :
		    text[i] == form[i], "no time: %s", text);
	return text + i;
}

START_TEST(line_with_its_time)
{
	log_error(out, "%s is %d", "this", 1);
	ck_assert_str_eq(behind_time(), "error   this is 1\n");
	log_warning(out, "x");
	ck_assert_str_eq(behind_time(), "warning x\n");
	log_notice(out, "x");
	ck_assert_str_eq(behind_time(), "notice  x\n");
	log_info(out, "x");
	ck_assert_str_eq(behind_time(), "info    x\n");
}
END_TEST

START_TEST(level_that_nobody_wants)
{
	log_debug(out, "x");
	ck_assert_str_eq(written(), "");
	ck_assert(!log_wants(out, LOG_LEVEL_DEBUG));
	log_set_level(out, LOG_LEVEL_DEBUG);
	ck_assert(log_wants(out, LOG_LEVEL_DEBUG));
	log_debug(out, "x");
	ck_assert_str_eq(behind_time(), "debug   x\n");
	log_set_level(out, LOG_LEVEL_ERROR);
	log_warning(out, "x");
	ck_assert_str_eq(written(), "");
	ck_assert(!log_wants(NULL, LOG_LEVEL_ERROR));
	log_error(NULL, "x");
}
END_TEST

/* systemd names the stream it reads by device and inode. */
START_TEST(journal_has_priorities)
{
	struct stat st;
	char name[64];
	struct log *journal;

	ck_assert_int_eq(fstat(writer, &st), 0);
	snprintf(name, sizeof(name), "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino + (unsigned)_i);
	setenv("JOURNAL_STREAM", name, 1);
	journal = log_new(writer, LOG_LEVEL_DEBUG);
	log_error(journal, "a\nb");
	if (_i == 0) {
		ck_assert_str_eq(written(), "<3>a\n<3>    b\n");
		log_debug(journal, "x");
		ck_assert_str_eq(written(), "<7>x\n");
	} else {
		ck_assert_ptr_nonnull(strstr(behind_time(), "error   a\n"));
	}
	log_free(journal);
}
END_TEST

START_TEST(message_of_many_lines)
{
	const char *text;

	log_info(out, "one\ntwo\n\nfour");
	text = written();
	ck_assert_ptr_nonnull(strstr(text, "info    one\n"));
	ck_assert_ptr_nonnull(strstr(text, "info        two\n"));
	ck_assert_ptr_nonnull(strstr(text, "info        four\n"));
}
END_TEST

static const struct { const char *text, *escaped; } escapes[] = {
	{ "", "" }, { "plain text, ~", "plain text, ~" },
	{ "a\nb\rc\td", "a\\x0ab\\x0dc\\x09d" }, { "\033[31mred", "\\x1b[31mred" },
	{ "\x7f", "\\x7f" },
	{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
	    "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
	{ "\xc2\x9b" "31m", "\\xc2\\x9b31m" },			/* C1, a terminal's CSI */
	{ "\xc0\xaf", "\\xc0\\xaf" },				/* overlong */
	{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },
	{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },			/* surrogate */
	{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },		/* beyond U+10FFFF */
	{ "\xff\xfe", "\\xff\\xfe" }, { "\xc3", "\\xc3" }, { "\xe2\x82", "\\xe2\\x82" },
	{ "\xc3(", "\\xc3(" }, { "\x80x", "\\x80x" },
};

START_TEST(escape_of_a_text)
{
	struct bytes exact = bytes_of(escapes[_i].text, strlen(escapes[_i].text));
	char buf[200];

	exact.p = exact_copy(exact);
	log_escape((const char *)exact.p, exact.len, buf, sizeof(buf));
	ck_assert_str_eq(buf, escapes[_i].escaped);
	free((void *)(uintptr_t)exact.p);
}
END_TEST

/* Cut between characters, never within one or within an escape. */
START_TEST(escape_cut_to_fit)
{
	static const char text[] = "a\xc3\xa9\n\xe2\x82\xac";
	static const char *const fits[] = {
		"", "", "a", "a", "a\xc3\xa9", "a\xc3\xa9", "a\xc3\xa9", "a\xc3\xa9",
		"a\xc3\xa9\\x0a", "a\xc3\xa9\\x0a", "a\xc3\xa9\\x0a",
		"a\xc3\xa9\\x0a\xe2\x82\xac"
	};
	size_t size;
	char *buf;

	for (size = 1; size < sizeof(fits) / sizeof(fits[0]); size++) {
		buf = malloc(size);
		log_escape(text, sizeof(text) - 1, buf, size);
		ck_assert_str_eq(buf, fits[size]);
		free(buf);
	}
}
END_TEST

START_TEST(message_much_too_long)
{
	static char text[100000];
	const char *line;

	memset(text, 'x', sizeof(text) - 1);
	log_info(out, "%s", text);
	line = written();
	ck_assert_uint_le(strlen(line), 1024);
	ck_assert_uint_ge(strlen(line), 1000);
	ck_assert(line[strlen(line) - 1] == '\n');
}
END_TEST

/* A reader has fallen asleep: nothing blocks, and the loss is told when it wakes up. */
START_TEST(reader_too_slow)
{
	const char *text;
	unsigned i;

	for (i = 0; i < 5000; i++)
		log_info(out, "line %u, long enough to fill the pipe one day", i);
	text = written();
	ck_assert_ptr_nonnull(strstr(text, " line 0,"));
	ck_assert_ptr_null(strstr(text, " line 4999,"));
	ck_assert_ptr_null(strstr(text, "were lost"));
	while (written()[0] != '\0')
		;
	log_info(out, "awake");
	text = written();
	ck_assert_ptr_nonnull(strstr(text, "lines of this log were lost"));
	ck_assert_ptr_nonnull(strstr(text, "info    awake\n"));
	log_info(out, "again");
	ck_assert_ptr_null(strstr(written(), "were lost"));
}
END_TEST

/* A full disk, a reader that has gone: SIGPIPE is the daemon's to ignore. */
START_TEST(nobody_takes_it)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct log *log = log_new(full, LOG_LEVEL_INFO);

	errno = 77;
	log_error(log, "x");
	log_error(log, "x");
	ck_assert_int_eq(errno, 77);
	log_free(log);
	close(full);
	log = log_new(-1, LOG_LEVEL_INFO);
	log_error(log, "x");
	log_free(log);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("log");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, line_with_its_time);
	tcase_add_test(t, level_that_nobody_wants);
	tcase_add_loop_test(t, journal_has_priorities, 0, 2);
	tcase_add_test(t, message_of_many_lines);
	tcase_add_loop_test(t, escape_of_a_text, 0, ROWS(escapes));
	tcase_add_test(t, escape_cut_to_fit);
	tcase_add_test(t, message_much_too_long);
	tcase_add_test(t, reader_too_slow);
	tcase_add_test(t, nobody_takes_it);
	return run_tests("log", t);
}
