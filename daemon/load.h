/* The configuration, a file and those in the folder beside it, read and checked as a
 * whole: connections ready for the engine, and for each setting where it stands.  Only
 * load.c knows libconfig. */
#ifndef DAEMON_LOAD_H
#define DAEMON_LOAD_H

#include <stdint.h>

#include "daemon/fault.h"
#include "daemon/log.h"
#include "daemon/settings.h"
#include "libike/connection_built.h"

/* A setting that stands in the file.  Everything here belongs to the configuration. */
struct given {
	const struct setting *setting;
	struct origin origin;
	const char **texts;	/* of a text one, of a list all; also of a choice */
	unsigned *lines;	/* of each text */
	unsigned n;
	bool list;		/* as a list, be it of one */
	long number;		/* of a number; of a choice the index of the word */
	bool bad;		/* it has a fault of its own; nothing else is known */
	bool misspelt;		/* that fault is its name */
};
struct givens { struct given *v; unsigned n; };

struct configured_child {
	const char *name;
	struct origin origin;
	struct givens givens;
};

struct configured {			/* one of `connections` */
	const char *name;
	struct origin origin;
	struct givens givens;
	/* none: local.subnets and remote.subnets are the one child, which is named as the
	 * connection */
	struct configured_child *children;
	unsigned n_children;
	struct ike_connection *connection;	/* the configuration holds a reference */
};

struct daemon_settings {
	const char *datapath;
	struct ike_texts listen;	/* none: all addresses */
	uint16_t port, natt_port;
	const char *secrets_dir;
	const char *user;		/* NULL: stay who we are */
	enum log_level log;
};

struct configuration {
	const char *file;		/* the main one */
	struct daemon_settings daemon;
	struct givens givens;		/* of daemon */
	struct configured *connections;
	unsigned n_connections;
	const struct configured **by_name;	/* the same, sorted */
	struct arena *arena;		/* what everything above lives in */
};

/* Reads and checks all of the file and of FILE.d, see fragments.h: connections from all
 * of them, and each setting of the daemon from one.  NULL if there is any fault; all of
 * them are in `faults` then. */
struct configuration *configuration_load(const char *file, struct faults *faults);
void configuration_free(struct configuration *);

/* A connection by name, or NULL. */
const struct configured *configuration_find(const struct configuration *,
    const char *name);

/* What stands in the file for a setting, or NULL. */
const struct given *given_find(const struct givens *, const char *setting);

/* The setting of a connection by the name that the engine and ike_connection_new use:
 * "remote.id", "ike", "children.lan.local", or "children.local" with the index of the
 * child (else -1).  Of the short form it is "local.subnets" or "remote.subnets".  NULL:
 * not in the file. */
const struct given *configured_find(const struct configured *, const char *setting,
    int child);
/* Where a setting stands; or else the group around it; or else the connection. */
struct origin configured_origin(const struct configured *, const char *setting,
    int child);

#endif
