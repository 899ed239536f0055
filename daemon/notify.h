/* Telling systemd, by its documented protocol (sd_notify(3)): datagrams of VARIABLE=value
 * lines to the Unix socket that NOTIFY_SOCKET names.  Without it nothing happens. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdbool.h>

/* "READY=1", "STOPPING=1", "STATUS=3 connections"; a newline separates several.  Waits up
 * to a second for a busy systemd.  False: nobody to tell, or it did not work; there is
 * nothing more to do about it. */
bool notify(const char *state);

#endif
