/* Secrets: files of their own, NAME.psk in the folder that daemon.secrets_dir names, that
 * nobody else can read.  The content is text (one newline at its end does not count), or
 * octets as "0x..." or "base64:...". */
#ifndef DAEMON_SECRET_H
#define DAEMON_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/fault.h"
#include "libesp/bytes.h"

enum {
	SECRET_MAX = 4096,	/* octets of a secret */
	SECRET_STRONG = 16	/* fewer are worth a warning */
};

struct secret_folder;

/* Opens a folder of secrets, whose path and faults are borrowed.  `weak`, which may be
 * NULL: what is allowed and still unwise goes there.  NULL, with a fault: there is no
 * such folder, or everybody can write to it.  sodium_init has been called. */
struct secret_folder *secret_folder_open(const char *path, struct faults *,
    struct faults *weak);
void secret_folder_close(struct secret_folder *);	/* wipes; NULL is nothing */

/* Reads NAME.psk.  False, with a fault that says what is wrong and the command that mends
 * it: missing, readable by others, not a regular file in that folder, empty, too long,
 * neither hex nor base64 though it begins so.  The secret is the folder's, and wiped by
 * the next call with this folder. */
bool secret_read(struct secret_folder *, const char *name, struct bytes *secret);

#endif
