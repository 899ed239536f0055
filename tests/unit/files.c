#include "tests/unit/files.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
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

void
files_remove(void)
{
	char path[PATH_MAX + 256];
	struct dirent *entry;
	DIR *dir;

	if (folder[0] == '\0' || (dir = opendir(folder)) == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (unlink(path) != 0)
			(void)rmdir(path);
	}
	closedir(dir);
	rmdir(folder);
	folder[0] = '\0';
}
