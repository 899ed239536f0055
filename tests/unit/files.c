#include "tests/unit/files.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[PATH_MAX];

const char *
files_folder(void)
{
	const char *top = getenv("TMPDIR");

	if (folder[0] == '\0') {
		snprintf(folder, sizeof(folder), "%s/ikev-test-XXXXXX",
		    top == NULL ? "/tmp" : top);
		ck_assert_ptr_nonnull(mkdtemp(folder));
	}
	return folder;
}

const char *
files_write(const char *name, const void *octets, size_t len, mode_t mode)
{
	static char path[PATH_MAX + 256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", files_folder(), name);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, octets, len), (ssize_t)len);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	ck_assert_int_eq(close(fd), 0);
	return path;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void
files_remove(void)
{
	if (folder[0] == '\0')
		return;
	(void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	folder[0] = '\0';
}
