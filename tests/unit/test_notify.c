#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/notify.h"
#include "tests/unit/files.h"
#include "tests/unit/run.h"

/* A socket as systemd has it; its name goes to NOTIFY_SOCKET, '@' for the NUL of an
 * abstract one. */
static int
listen_at(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	size_t len = strlen(name);

	memcpy(at.sun_path, name, len);
	if (name[0] == '@')
		at.sun_path[0] = '\0';
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&at,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void
expect(int fd, const char *state)
{
	char got[256];
	ssize_t n = recv(fd, got, sizeof(got), 0);

	ck_assert_int_eq(n, (ssize_t)strlen(state));
	ck_assert_mem_eq(got, state, (size_t)n);
}

START_TEST(notify_by_path_and_by_name)
{
	char name[100];
	int fd;

	if (_i == 0)
		snprintf(name, sizeof(name), "%s/notify", files_folder());
	else
		snprintf(name, sizeof(name), "@ikev-test-%ld", (long)getpid());
	fd = listen_at(name);
	ck_assert(notify("READY=1"));
	expect(fd, "READY=1");
	ck_assert(notify("STOPPING=1\nSTATUS=ending"));
	expect(fd, "STOPPING=1\nSTATUS=ending");
	close(fd);
	ck_assert_int_eq(notify("READY=1"), false);
}
END_TEST

START_TEST(notify_nobody)
{
	char path[200];

	unsetenv("NOTIFY_SOCKET");
	ck_assert(!notify("READY=1"));
	setenv("NOTIFY_SOCKET", "", 1);
	ck_assert(!notify("READY=1"));
	setenv("NOTIFY_SOCKET", "relative", 1);
	ck_assert(!notify("READY=1"));
	setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
	ck_assert(!notify("READY=1"));
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	setenv("NOTIFY_SOCKET", path, 1);
	ck_assert(!notify("READY=1"));
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("notify");

	tcase_add_checked_fixture(t, NULL, files_remove);
	tcase_add_loop_test(t, notify_by_path_and_by_name, 0, 2);
	tcase_add_test(t, notify_nobody);
	return run_tests("notify", t);
}
