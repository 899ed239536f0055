#include "daemon/load.h"

#include <libconfig.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/arena.h"
#include "daemon/assemble.h"
#include "daemon/explain.h"
#include "daemon/fragments.h"
#include "daemon/source.h"

enum {
	NAME = 128,		/* a setting's path, as far as it can be right */
	SENTENCE = 512
};

/* A file that settings came from: the one being read, or one that it includes. */
struct file {
	struct file *next;
	struct source source;
};

/* The connections of one file, until those of all are known. */
struct batch {
	struct batch *next;
	struct configured *v;
	unsigned n;
};

struct loader {
	struct configuration *c;
	struct arena *arena;
	struct faults *faults;
	struct file *files;	/* the first is the one being read */
	struct batch *batches, **last;
	const char *connection;	/* that is being read: in front of its faults; or NULL */
};

/* Where a group of settings goes. */
struct target {
	enum setting_scope scope;
	struct givens *givens;
	struct configured *connection;	/* whose `children` may come; or NULL */
	bool named;			/* the name stands before the group, not in it */
};

static void *
take(struct loader *l, size_t n, size_t size)
{
	void *taken = arena_take(l->arena, n, size);

	if (taken == NULL)
		l->faults->no_memory = true;
	return taken;
}

static const char *
take_text(struct loader *l, const char *text)
{
	const char *copy = arena_text(l->arena, text);

	if (copy == NULL)
		l->faults->no_memory = true;
	return copy;
}

static void blame(struct loader *, struct origin, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
blame(struct loader *l, struct origin origin, const char *format, ...)
{
	char text[SENTENCE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (l->connection != NULL)
		fault_add(l->faults, origin, "%s: %s", l->connection, text);
	else
		fault_add(l->faults, origin, "%s", text);
}

/* ---- where things stand ---- */

/* The file a setting came from, read once more for itself, so that its lines can be
 * looked at.  libconfig gives no name to the file that was handed to it as text. */
static struct file *
file_of(struct loader *l, const char *name)
{
	struct file *file, *new;

	if (name == NULL)
		return l->files;
	for (file = l->files;; file = file->next) {
		if (strcmp(file->source.file, name) == 0)
			return file;
		if (file->next == NULL)
			break;
	}
	new = take(l, 1, sizeof(*new));
	name = take_text(l, name);
	if (new == NULL || name == NULL)
		return l->files;
	file->next = new;
	if (source_read(name, &new->source, l->faults))
		source_check(&new->source, false, l->faults);
	new->source.file = name;
	return new;
}

static struct origin
origin_of(struct loader *l, const config_setting_t *s)
{
	return (struct origin){ file_of(l, config_setting_source_file(s))->source.file,
	    config_setting_source_line(s) };
}

static unsigned
line_of_text(struct loader *l, const config_setting_t *s)
{
	return source_text_line(&file_of(l, config_setting_source_file(s))->source,
	    config_setting_source_line(s));
}

/* ---- values ---- */

static const char *
type_name(const config_setting_t *s)
{
	static const char *const names[] = {
		[CONFIG_TYPE_NONE] = "nothing", [CONFIG_TYPE_GROUP] = "a group",
		[CONFIG_TYPE_INT] = "a number", [CONFIG_TYPE_INT64] = "a number",
		[CONFIG_TYPE_FLOAT] = "a fraction", [CONFIG_TYPE_STRING] = "a text",
		[CONFIG_TYPE_BOOL] = "true or false", [CONFIG_TYPE_ARRAY] = "an array",
		[CONFIG_TYPE_LIST] = "a list",
	};

	return names[config_setting_type(s)];
}

static bool
blame_type(struct loader *l, const struct given *given, const config_setting_t *s,
    unsigned line)
{
	char text[SENTENCE];

	blame(l, (struct origin){ given->origin.file, line }, "%s",
	    explain_type(given->setting, type_name(s), text, sizeof(text)));
	return false;
}

/* One text of a setting, checked, at the next free place of the given. */
static bool
keep_text(struct loader *l, struct given *given, const config_setting_t *s, unsigned line)
{
	const struct setting *row = given->setting;
	char why[SENTENCE];
	const char *text;

	if (config_setting_type(s) != CONFIG_TYPE_STRING)
		return blame_type(l, given, s, line);
	text = config_setting_get_string(s);
	if (text[0] == '\0') {
		blame(l, (struct origin){ given->origin.file, line },
		    "%s is empty; for instance: %s", row->name, row->example);
		return false;
	}
	if (row->check != NULL && !row->check(text, why, sizeof(why))) {
		blame(l, (struct origin){ given->origin.file, line }, "%s: %s", row->name,
		    why);
		return false;
	}
	given->texts[given->n] = take_text(l, text);
	given->lines[given->n] = line;
	return given->texts[given->n++] != NULL;
}

static bool
make_room(struct loader *l, struct given *given, unsigned n)
{
	given->texts = take(l, n, sizeof(*given->texts));
	given->lines = take(l, n, sizeof(*given->lines));
	return given->texts != NULL && given->lines != NULL;
}

static bool
read_text(struct loader *l, struct given *given, const config_setting_t *s)
{
	return make_room(l, given, 1) && keep_text(l, given, s, given->origin.line);
}

static bool
read_texts(struct loader *l, struct given *given, const config_setting_t *s)
{
	int type = config_setting_type(s), n = config_setting_length(s), i;
	bool good = true;

	if (type == CONFIG_TYPE_STRING)
		return read_text(l, given, s);
	if (type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST)
		return blame_type(l, given, s, given->origin.line);
	if (n == 0)
		blame(l, given->origin, "%s is an empty list; for instance: %s",
		    given->setting->name, given->setting->example);
	if (n == 0 || !make_room(l, given, (unsigned)n))
		return false;
	given->list = true;
	for (i = 0; i < n; i++) {
		const config_setting_t *item = config_setting_get_elem(s, (unsigned)i);

		good &= keep_text(l, given, item,
		    config_setting_type(item) == CONFIG_TYPE_STRING ?
		    line_of_text(l, item) : config_setting_source_line(item));
	}
	return good;
}

static bool
read_number(struct loader *l, struct given *given, const config_setting_t *s)
{
	const struct setting *row = given->setting;
	char text[SENTENCE];
	long long number;

	if (config_setting_type(s) != CONFIG_TYPE_INT &&
	    config_setting_type(s) != CONFIG_TYPE_INT64)
		return blame_type(l, given, s, given->origin.line);
	number = config_setting_type(s) == CONFIG_TYPE_INT ?
	    config_setting_get_int(s) : config_setting_get_int64(s);
	if (number < row->least || number > row->most) {
		/* of a number that did not fit, libconfig has made another one */
		blame(l, given->origin, "%s", faults_at(l->faults, given->origin) ?
		    explain_bounds(row, text, sizeof(text)) :
		    explain_number(row, number, text, sizeof(text)));
		return false;
	}
	given->number = (long)number;
	return true;
}

/* What stands there, as text; NULL: it is neither text nor number. */
static const char *
quantity_text(const config_setting_t *s, char number[QUANTITY_TEXT])
{
	int type = config_setting_type(s);

	if (type == CONFIG_TYPE_STRING)
		return config_setting_get_string(s);
	if (type == CONFIG_TYPE_FLOAT)
		snprintf(number, QUANTITY_TEXT, "%.9g", config_setting_get_float(s));
	else if (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64)
		snprintf(number, QUANTITY_TEXT, "%lld", type == CONFIG_TYPE_INT ?
		    config_setting_get_int(s) : config_setting_get_int64(s));
	else
		return NULL;
	return number;
}

static bool
read_quantity(struct loader *l, struct given *given, const config_setting_t *s)
{
	const struct setting *row = given->setting;
	char number[QUANTITY_TEXT], text[SENTENCE];
	const char *said = quantity_text(s, number);

	if (said == NULL)
		return blame_type(l, given, s, given->origin.line);
	/* of a number that did not fit, libconfig has made another one */
	if (config_setting_is_number(s) && faults_at(l->faults, given->origin))
		return false;
	if (!quantity_parse(row->quantity, said, &given->number)) {
		blame(l, given->origin, "%s",
		    explain_quantity(row, said, text, sizeof(text)));
		return false;
	}
	if (given->number < row->least || given->number > row->most) {
		blame(l, given->origin, "%s",
		    explain_amount(row, said, text, sizeof(text)));
		return false;
	}
	if (!make_room(l, given, 1) || (given->texts[0] = take_text(l, said)) == NULL)
		return false;
	given->lines[given->n++] = given->origin.line;
	return true;
}

static bool
read_bool(struct loader *l, struct given *given, const config_setting_t *s)
{
	if (config_setting_type(s) != CONFIG_TYPE_BOOL)
		return blame_type(l, given, s, given->origin.line);
	given->number = config_setting_get_bool(s);
	return true;
}

static bool
read_choice(struct loader *l, struct given *given, const config_setting_t *s)
{
	char text[SENTENCE];

	if (!read_text(l, given, s))
		return false;
	given->number = setting_word(given->setting, given->texts[0]);
	if (given->number < 0)
		blame(l, given->origin, "%s",
		    explain_word(given->setting, given->texts[0], text, sizeof(text)));
	return given->number >= 0;
}

/* ---- groups ---- */

static void read_group(struct loader *, const struct target *, const char *prefix,
    const config_setting_t *);
static bool read_connections(struct loader *, struct given *, const config_setting_t *);
static bool read_children(struct loader *, struct given *, struct configured *,
    const config_setting_t *);

static bool
read_value(struct loader *l, const struct target *to, struct given *given,
    const config_setting_t *s)
{
	static bool (*const readers[])(struct loader *, struct given *,
	    const config_setting_t *) = {
		[SETTING_TEXT] = read_text, [SETTING_TEXTS] = read_texts,
		[SETTING_NUMBER] = read_number, [SETTING_QUANTITY] = read_quantity,
		[SETTING_BOOL] = read_bool, [SETTING_CHOICE] = read_choice,
	};
	char prefix[NAME];

	switch (given->setting->type) {
	case SETTING_GROUP:
		if (config_setting_type(s) != CONFIG_TYPE_GROUP)
			return blame_type(l, given, s, given->origin.line);
		snprintf(prefix, sizeof(prefix), "%s.", given->setting->name);
		read_group(l, to, prefix, s);
		return true;
	case SETTING_NAMED:
		if (to->connection != NULL)
			return read_children(l, given, to->connection, s);
		return read_connections(l, given, s);
	default:
		return readers[given->setting->type](l, given, s);
	}
}

/* Its place among the givens, each of which stands there once; -1 if what is there
 * already shall stay.  Only a setting of the daemon can come twice, from two files. */
static int
place_of(struct loader *l, struct givens *givens, const struct given *given)
{
	unsigned at = 0;
	const struct given *old;

	while (at < givens->n && givens->v[at].setting != given->setting)
		at++;
	if (at == givens->n) {
		givens->v[givens->n++] = *given;
		return (int)at;
	}
	old = &givens->v[at];
	if (old->misspelt && !given->misspelt)
		return (int)at;
	if (!given->misspelt && !setting_is_group(given->setting))
		blame(l, given->origin,
		    "%s stands at %s:%u, too; a setting has one place, remove one of the "
		    "two", given->setting->name, old->origin.file, old->origin.line);
	return -1;
}

static void
read_setting(struct loader *l, const struct target *to, const char *prefix,
    const config_setting_t *s)
{
	struct given given = { .origin = origin_of(l, s) };
	char name[NAME], text[SENTENCE];
	int at;

	snprintf(name, sizeof(name), "%s%s", prefix, config_setting_name(s));
	given.setting = setting_find(to->scope, name);
	if (given.setting == NULL) {
		blame(l, given.origin, "%s",
		    explain_unknown(to->scope, name, text, sizeof(text)));
		given.setting = setting_like(to->scope, name);
		given.misspelt = given.bad = true;
		if (given.setting == NULL)
			return;
	}
	/* its place comes before those of the settings inside it */
	at = place_of(l, to->givens, &given);
	if (!given.bad)
		given.bad = !read_value(l, to, &given, s);
	if (at >= 0)
		to->givens->v[at] = given;
}

static void
read_group(struct loader *l, const struct target *to, const char *prefix,
    const config_setting_t *group)
{
	int i;

	for (i = 0; i < config_setting_length(group); i++)
		read_setting(l, to, prefix, config_setting_get_elem(group, (unsigned)i));
}

/* How many givens a group can yield: its settings and those of the groups in it. */
static unsigned
count_settings(const config_setting_t *group)
{
	int n = config_setting_length(group), i;
	unsigned all = (unsigned)n;

	for (i = 0; i < n; i++) {
		const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);

		if (config_setting_type(s) == CONFIG_TYPE_GROUP)
			all += (unsigned)config_setting_length(s);
	}
	return all;
}

static bool
read_settings(struct loader *l, const struct target *to, const config_setting_t *group)
{
	to->givens->v = take(l, count_settings(group) + 1, sizeof(*to->givens->v));
	if (to->givens->v == NULL)
		return false;
	read_group(l, to, "", group);
	return true;
}

/* ---- connections and children: named groups, or a list of groups with names ---- */

/* The name of the i-th, NULL after a fault. */
static const char *
name_of(struct loader *l, const struct given *given, const config_setting_t *all,
    const config_setting_t *one)
{
	bool listed = config_setting_type(all) == CONFIG_TYPE_LIST;
	const char *name = config_setting_name(one);
	const config_setting_t *member;
	struct origin origin = origin_of(l, one);

	if (config_setting_type(one) != CONFIG_TYPE_GROUP) {
		blame(l, origin, "%s%s%s is %s; it must be a group: %s",
		    given->setting->name, name == NULL ? "" : ".",
		    name == NULL ? "" : name, type_name(one), given->setting->example);
		return NULL;
	}
	member = config_setting_get_member(one, "name");
	if (!listed && member != NULL)
		blame(l, origin_of(l, member),
		    "%s has its name already, in front of the group; "
		    "remove this line",
		    name);
	if (!listed)
		return take_text(l, name);
	if (member == NULL)
		blame(l, origin,
		    "this item of %s has no name; for instance: name = \"%s\";",
		    given->setting->name,
		    given->setting->scope == SETTINGS_FILE ? "paris" : "lan");
	if (member == NULL)
		return NULL;
	name = config_setting_get_string(member);
	if (name == NULL || name[0] == '\0')
		name = "?";	/* told later */
	return take_text(l, name);
}

static bool
is_named(struct loader *l, const struct given *given, const config_setting_t *s)
{
	if (config_setting_type(s) == CONFIG_TYPE_GROUP ||
	    config_setting_type(s) == CONFIG_TYPE_LIST)
		return true;
	return blame_type(l, given, s, given->origin.line);
}

static bool
read_children(struct loader *l, struct given *given, struct configured *connection,
    const config_setting_t *s)
{
	int n = config_setting_length(s), i;

	if (!is_named(l, given, s))
		return false;
	if (n == 0)
		blame(l, given->origin, "children is empty; for instance: %s",
		    given->setting->example);
	connection->children = take(l, (size_t)n, sizeof(*connection->children));
	for (i = 0; i < n && connection->children != NULL; i++) {
		const config_setting_t *one = config_setting_get_elem(s, (unsigned)i);
		struct configured_child *child =
		    &connection->children[connection->n_children];
		struct target to = { .scope = SETTINGS_CHILD, .givens = &child->givens };

		child->name = name_of(l, given, s, one);
		if (child->name == NULL)
			continue;
		child->origin = origin_of(l, one);
		connection->n_children += read_settings(l, &to, one);
	}
	return connection->n_children > 0;
}

/* Somebody has forgotten the group with the connection's name? */
static bool
is_one_connection(const config_setting_t *s)
{
	static const char *const sides[] = { "local", "remote" };
	unsigned i, k;

	for (i = 0; i < 2; i++) {
		config_setting_t *side = config_setting_get_member(s, sides[i]);

		if (side == NULL || config_setting_type(side) != CONFIG_TYPE_GROUP)
			return false;
		for (k = 0; k < 2; k++)		/* it may be a connection of that name */
			if (config_setting_get_member(side, sides[k]) != NULL)
				return false;
	}
	return true;
}

static bool
read_connections(struct loader *l, struct given *given, const config_setting_t *s)
{
	int n = config_setting_length(s), i;
	struct batch *batch;

	if (!is_named(l, given, s))
		return false;
	if (config_setting_type(s) == CONFIG_TYPE_GROUP && is_one_connection(s)) {
		blame(l, given->origin, "connections has the settings of a connection "
		    "itself; they stand in a group with its name: %s",
		    given->setting->example);
		return false;
	}
	batch = take(l, 1, sizeof(*batch));
	if (batch == NULL)
		return false;
	*l->last = batch;
	l->last = &batch->next;
	batch->v = take(l, (size_t)n, sizeof(*batch->v));
	for (i = 0; i < n && batch->v != NULL; i++) {
		const config_setting_t *one = config_setting_get_elem(s, (unsigned)i);
		struct configured *connection = &batch->v[batch->n];
		struct target to = { .scope = SETTINGS_CONNECTION,
		    .givens = &connection->givens, .connection = connection };

		connection->name = name_of(l, given, s, one);
		if (connection->name == NULL)
			continue;
		connection->origin = origin_of(l, one);
		l->connection = connection->name;
		batch->n += read_settings(l, &to, one);
		l->connection = NULL;
	}
	return true;
}

/* The connections of all files, in the order of reading. */
static void
gather_connections(struct loader *l)
{
	struct configuration *c = l->c;
	const struct batch *batch;
	size_t n = 0;

	for (batch = l->batches; batch != NULL; batch = batch->next)
		n += batch->n;
	c->connections = take(l, n, sizeof(*c->connections));
	for (batch = l->batches; batch != NULL && c->connections != NULL;
	    batch = batch->next) {
		memcpy(c->connections + c->n_connections, batch->v,
		    batch->n * sizeof(*batch->v));
		c->n_connections += batch->n;
	}
}

/* ---- files ---- */

/* Lists have no such fault: their names are compared later. */
static void
blame_twice(struct loader *l, const struct source *source, struct origin origin)
{
	char name[NAME];
	unsigned first = source_twice(source, origin.line, name, sizeof(name));

	if (first == 0)
		blame(l, origin, "a name stands twice in the same group; remove one, or "
		    "rename it");
	else if (setting_find(SETTINGS_FILE, name) != NULL)
		blame(l, origin, "%s stands twice, first in line %u; put what is in both "
		    "into one, or the second into a file of its own in %s.d",
		    name, first, l->c->file);
	else
		blame(l, origin, "%s stands twice in the same group, first in line %u; "
		    "remove one, or rename it", name, first);
}

/* What libconfig says in two words. */
static void
blame_libconfig(struct loader *l, const config_t *config)
{
	const struct file *file = file_of(l, config_error_file(config));
	struct origin origin = { file->source.file, (unsigned)config_error_line(config) };
	const char *text = config_error_text(config);
	char line[SENTENCE];

	if (file->source.lines == NULL)		/* it has told its own fault */
		return;
	if (strcmp(text, "syntax error") == 0 &&
	    source_check(&file->source, true, l->faults) > 0)
		return;
	source_line(&file->source, origin.line, line, sizeof(line));
	if (strcmp(text, "duplicate setting name") == 0)
		blame_twice(l, &file->source, origin);
	else if (strstr(text, "include file") != NULL)
		blame(l, origin, "%s; it must be a file that can be read: %s", text,
		    line);
	else if (strstr(text, "mismatched element") != NULL)
		blame(l, origin,
		    "an array holds texts and other things; put each item in double "
		    "quotes");
	else
		blame(l, origin,
		    "%s; look at this line and at the end of the one before: %s", text,
		    line);
}

static void
parse_file(struct loader *l)
{
	struct target whole = { .scope = SETTINGS_FILE, .givens = &l->c->givens };
	config_t config;

	config_init(&config);
	if (config_read_string(&config, l->files->source.text) == CONFIG_FALSE) {
		blame_libconfig(l, &config);
	} else {
		source_check(&l->files->source, false, l->faults);
		read_group(l, &whole, "", config_root_setting(&config));
	}
	config_destroy(&config);
}

static void
read_file(struct loader *l, const char *name)
{
	l->files = take(l, 1, sizeof(*l->files));
	if (l->files != NULL && source_read(name, &l->files->source, l->faults))
		parse_file(l);
	for (; l->files != NULL; l->files = l->files->next)
		source_free(&l->files->source);
}

/* Room for the settings outside connections, each of which has one place. */
static bool
prepare_givens(struct loader *l)
{
	const struct setting *row = NULL;
	unsigned n = 0;

	while ((row = setting_next(row)) != NULL)
		n += row->scope == SETTINGS_FILE;
	l->c->givens.v = take(l, n, sizeof(*l->c->givens.v));
	return l->c->givens.v != NULL;
}

struct configuration *
configuration_load(const char *file, struct faults *faults)
{
	struct loader l = { .arena = arena_new(), .faults = faults, .last = &l.batches };
	struct configuration *c =
	    l.arena == NULL ? NULL : arena_take(l.arena, 1, sizeof(*c));
	const char *name = c == NULL ? NULL : arena_text(l.arena, file);
	struct fragments fragments;
	unsigned i;

	l.c = c;
	if (name == NULL || !prepare_givens(&l)) {
		faults->no_memory = true;
		arena_free(l.arena);
		return NULL;
	}
	c->arena = l.arena;
	c->file = name;
	fragments = fragments_find(name, l.arena, faults);
	read_file(&l, name);
	for (i = 0; i < fragments.n; i++)
		read_file(&l, fragments.v[i]);
	gather_connections(&l);
	configuration_assemble(c, faults);
	if (!faults_any(faults))
		return c;
	configuration_free(c);
	return NULL;
}
