/* THE table of settings: one row each.  The loader, its messages and suggestions, and the
 * test of the man page read it; a new setting is a new row, and the line that uses its
 * value. */
#ifndef DAEMON_SETTINGS_H
#define DAEMON_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/quantity.h"

/* Whose names a row belongs to; the names are paths within it. */
enum setting_scope {
	SETTINGS_FILE,		/* "daemon.port" */
	SETTINGS_CONNECTION,	/* "remote.address", in each of `connections` */
	SETTINGS_CHILD		/* "local", in each of a connection's `children` */
};

enum setting_type {
	SETTING_GROUP,	/* { ... }: its settings are the rows "name.*" */
	SETTING_NAMED,	/* { NAME = { ... }; ... } or ( { name = "NAME"; ... }, ... ) */
	SETTING_TEXT,
	SETTING_TEXTS,	/* [ "...", "..." ], or one text */
	SETTING_NUMBER,
	SETTING_QUANTITY,	/* "90s": a text, or a number where that says it all */
	SETTING_BOOL,		/* true or false */
	SETTING_CHOICE		/* one of `words` */
};

/* What a change of the setting asks for, when a running daemon reads the file anew. */
enum setting_effect {
	SETTING_IN_PLACE,	/* taken over, nothing is interrupted */
	SETTING_REKEY,		/* the SAs are rekeyed */
	SETTING_RESTART		/* the connection (of daemon.*: the daemon) starts anew */
};

struct setting {
	enum setting_scope scope;
	const char *name;
	enum setting_type type;
	/* The default as text; NULL: none, or it depends on other settings. */
	const char *standard;
	const char *const *words;	/* of a choice, ended by NULL */
	enum quantity quantity;		/* of a quantity: of which kind, */
	long least, most;		/* and in its unit, as of a number: the bounds */
	/* Of a text, and of each in a list: false with "what is wrong; what would be
	 * right". */
	bool (*check)(const char *text, char *why, size_t size);
	enum setting_effect effect;
	const char *example;		/* a right line */
	const char *doc;		/* what it is, as part of a sentence */
};

/* NULL when there is none. */
const struct setting *setting_find(enum setting_scope, const char *name);
/* All rows in order: NULL gives the first; NULL after the last. */
const struct setting *setting_next(const struct setting *);
/* The row in `scope` that was most likely meant by an unknown name, or NULL. */
const struct setting *setting_like(enum setting_scope, const char *name);
/* The index of a word among a choice's words, or -1. */
int setting_word(const struct setting *, const char *text);
/* The word that was most likely meant, or NULL. */
const char *setting_word_like(const struct setting *, const char *text);
/* Does it hold other settings? */
bool setting_is_group(const struct setting *);
/* The last part of a row's name: "address" of "remote.address". */
const char *setting_key(const struct setting *);

#endif
