#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

static struct bytes
take(struct fuzz_input *in, size_t len)
{
	struct bytes b = bytes_of(in->p, len < in->len ? len : in->len);

	in->p += b.len;
	in->len -= b.len;
	return b;
}

uint8_t
fuzz_octet(struct fuzz_input *in)
{
	struct bytes b = take(in, 1);

	return b.len == 1 ? b.p[0] : 0;
}

uint16_t
fuzz_word(struct fuzz_input *in)
{
	uint8_t high = fuzz_octet(in);

	return (uint16_t)(high << 8 | fuzz_octet(in));
}

struct bytes
fuzz_piece(struct fuzz_input *in)
{
	return take(in, fuzz_word(in));
}

struct bytes
fuzz_rest(struct fuzz_input *in)
{
	return take(in, in->len);
}

char *
fuzz_text(struct bytes b)
{
	char *text = malloc(b.len + 1);

	fuzz_require(text != NULL);
	if (b.len > 0)
		memcpy(text, b.p, b.len);
	text[b.len] = '\0';
	return text;
}

static char folder[64];

static void
remove_folder(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir != NULL)
		closedir(dir);
	rmdir(folder);
}

const char *
fuzz_folder(void)
{
	if (folder[0] == '\0') {
		snprintf(folder, sizeof(folder), "/tmp/ikevd-fuzz-XXXXXX");
		fuzz_require(mkdtemp(folder) != NULL);
		atexit(remove_folder);
	}
	return folder;
}

const char *
fuzz_file(const char *name, struct bytes content)
{
	static char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	fuzz_require(fd >= 0);
	fuzz_require(write(fd, content.p, content.len) == (ssize_t)content.len);
	close(fd);
	return path;
}

void
fuzz_fail(const char *file, int line, const char *condition)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
	abort();
}

/* What the assertions of tests/unit's helpers call: Check itself knows no test here. */

void
_mark_point(const char *file, int line)
{
	(void)file;
	(void)line;
}

void
_ck_assert_failed(const char *file, int line, const char *condition, const char *why, ...)
{
	va_list args;

	if (why != NULL) {
		va_start(args, why);
		vfprintf(stderr, why, args);
		va_end(args);
		fputc('\n', stderr);
	}
	fuzz_fail(file, line, condition);
}
