#include "daemon/privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Locking what comes later is safe only without a limit: beyond it malloc would fail. */
static bool
lock_memory(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 &&
	    (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY))
		return false;
	return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
}

bool
privilege_harden(void)
{
	const struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return lock_memory();
}

/* The kernel's own call: one number for 32 bits of each set. */
static bool
keep_capabilities(void)
{
	const uint32_t kept = 1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW;
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{ .effective = kept, .permitted = kept },
	};

	return syscall(SYS_capset, &header, data) == 0;
}

static bool
become(const struct passwd *user)
{
	return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 &&
	    initgroups(user->pw_name, user->pw_gid) == 0 &&
	    setresgid(user->pw_gid, user->pw_gid, user->pw_gid) == 0 &&
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid) == 0 &&
	    keep_capabilities();
}

bool
privilege_drop(const char *user, char *why, size_t size)
{
	const struct passwd *entry = getpwnam(user);

	if (entry == NULL) {
		snprintf(why, size,
		    "there is no user \"%s\"; \"useradd --system %s\" would make one",
		    user, user);
		return false;
	}
	if (entry->pw_uid == 0 || entry->pw_uid == geteuid())
		return true;
	if (geteuid() != 0) {
		snprintf(why, size,
		    "only root can become the user \"%s\"; start ikevd as root, or "
		    "leave daemon.user out",
		    user);
		return false;
	}
	if (!become(entry)) {
		snprintf(why, size,
		    "cannot become the user \"%s\": %s; ikevd needs CAP_SETUID and "
		    "CAP_SETGID for that",
		    user, strerror(errno));
		return false;
	}
	/* a change of user makes the process dumpable again where the system says so */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (setresuid(0, 0, 0) == 0) {
		snprintf(why, size, "the way back from the user \"%s\" to root is open; "
		    "leave daemon.user out", user);
		return false;
	}
	return true;
}

bool
privilege_give(const char *user, const char *path)
{
	const struct passwd *entry = getpwnam(user);

	return entry != NULL && lchown(path, entry->pw_uid, entry->pw_gid) == 0;
}
