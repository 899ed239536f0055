/* Secrets: files of their own, NAME.psk in the folder that daemon.secrets_dir names, that
 * nobody else can read.  The content is text (one newline at its end does not count), or
 * octets as "0x..." or "base64:...". */
#ifndef DAEMON_SECRET_H
#define DAEMON_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/fault.h"

enum {
	SECRET_MAX = 4096,	/* octets of a secret */
	SECRET_STRONG = 16	/* fewer are worth a warning */
};

struct secret {
	uint8_t *octets;	/* of sodium_malloc; NULL: none */
	size_t len;
};

/* Reads `folder`/`name`.psk.  False, with a fault that says what is wrong and the command
 * that mends it: missing, readable by others, not a regular file in that folder, empty,
 * too long, neither hex nor base64 though it begins so.  `weak`, which may be NULL: what
 * is allowed and still unwise goes there.  sodium_init has been called. */
bool secret_read(const char *folder, const char *name, struct secret *, struct faults *,
    struct faults *weak);
/* Wipes. */
void secret_free(struct secret *);

#endif
