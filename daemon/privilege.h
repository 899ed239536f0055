/* What the daemon may do, and who may look into it. */
#ifndef DAEMON_PRIVILEGE_H
#define DAEMON_PRIVILEGE_H

#include <stdbool.h>
#include <stddef.h>

/* No core dumps, no debugger of the same user, no exec with more rights, and all memory
 * locked where that can hold for life.  Nothing of it is worth failing for: false only
 * tells that memory is not locked.  At the start, before secrets are read. */
bool privilege_harden(void);

/* Becomes `user` for good, keeping CAP_NET_ADMIN (interfaces, routes, rules) and
 * CAP_NET_RAW (native ESP) and nothing else.  Call when sockets and files are open.  It
 * is fine to be that user already.  False: `why` is a sentence that says what to do; the
 * process must end. */
bool privilege_drop(const char *user, char *why, size_t size);

/* Lets `user` own what was made for it as root: the control socket and its folder. */
bool privilege_give(const char *user, const char *path);

#endif
