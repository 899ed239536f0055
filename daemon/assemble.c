#include "daemon/assemble.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/arena.h"

enum {
	NAME = 128,		/* a setting's path */
	SENTENCE = 512,
	FAULTS = 64		/* of one connection; more are counted only */
};

struct assembly {
	struct configuration *c;
	struct faults *faults;
	const char *connection;	/* at hand: in front of its faults; or NULL */
};

static void *
take(struct assembly *a, size_t n, size_t size)
{
	void *taken = arena_take(a->c->arena, n, size);

	if (taken == NULL)
		a->faults->no_memory = true;
	return taken;
}

static void blame(struct assembly *, struct origin, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
blame(struct assembly *a, struct origin origin, const char *format, ...)
{
	char text[SENTENCE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (a->connection != NULL)
		fault_add(a->faults, origin, "%s: %s", a->connection, text);
	else
		fault_add(a->faults, origin, "%s", text);
}

/* ---- what stands in the file ---- */

const struct given *
given_find(const struct givens *givens, const char *setting)
{
	unsigned i;

	for (i = 0; i < givens->n; i++)
		if (strcmp(givens->v[i].setting->name, setting) == 0)
			return &givens->v[i];
	return NULL;
}

static const char *
text_of(const struct givens *givens, enum setting_scope scope, const char *name)
{
	const struct given *given = given_find(givens, name);

	if (given != NULL && given->n > 0)
		return given->texts[0];
	return setting_find(scope, name)->standard;
}

static struct ike_texts
texts_of(const struct givens *givens, const char *name)
{
	const struct given *given = given_find(givens, name);

	if (given == NULL)
		return (struct ike_texts){ 0 };
	return (struct ike_texts){ given->texts, given->n };
}

/* A list as one text, its parts joined by ", "; NULL: not given, or no memory. */
static const char *
joined_of(struct assembly *a, const struct givens *givens, const char *name)
{
	const struct ike_texts texts = texts_of(givens, name);
	size_t len = 1, at = 0;
	char *all;
	unsigned i;

	if (texts.n <= 1)
		return texts.n == 0 ? NULL : texts.v[0];
	for (i = 0; i < texts.n; i++)
		len += strlen(texts.v[i]) + 2;
	all = take(a, len, 1);
	for (i = 0; i < texts.n && all != NULL; i++)
		at += (size_t)snprintf(all + at, len - at, "%s%s", i > 0 ? ", " : "",
		    texts.v[i]);
	return all;
}

/* A number, or the index of a word; -1 of a choice that is not made. */
static long
number_of(const struct givens *givens, enum setting_scope scope, const char *name)
{
	const struct given *given = given_find(givens, name);
	const struct setting *row = setting_find(scope, name);

	if (given != NULL && !given->bad)
		return given->number;
	if (row->standard == NULL)
		return -1;
	return row->words != NULL ? setting_word(row, row->standard) :
	    strtol(row->standard, NULL, 10);
}

static void
assemble_daemon(struct assembly *a)
{
	const struct givens *givens = &a->c->givens;
	struct daemon_settings *daemon = &a->c->daemon;
	const struct given *natt = given_find(givens, "daemon.natt_port");
	const struct given *port = given_find(givens, "daemon.port");

	daemon->datapath = text_of(givens, SETTINGS_FILE, "daemon.datapath");
	daemon->listen = texts_of(givens, "daemon.listen");
	daemon->port = (uint16_t)number_of(givens, SETTINGS_FILE, "daemon.port");
	daemon->natt_port =
	    (uint16_t)number_of(givens, SETTINGS_FILE, "daemon.natt_port");
	daemon->secrets_dir = text_of(givens, SETTINGS_FILE, "daemon.secrets_dir");
	daemon->user = text_of(givens, SETTINGS_FILE, "daemon.user");
	daemon->log = (enum log_level)number_of(givens, SETTINGS_FILE, "daemon.log");
	if (daemon->port == daemon->natt_port)
		blame(a, natt != NULL ? natt->origin : port->origin,
		    "port and natt_port are both %u; they must differ", daemon->port);
}

const struct given *
configured_find(const struct configured *connection, const char *setting, int child)
{
	static const char children[] = "children.";
	const char *side = strrchr(setting, '.'), *name;
	char plain[NAME];
	unsigned i;

	if (strncmp(setting, children, sizeof(children) - 1) != 0)
		return given_find(&connection->givens, setting);
	if (connection->n_children == 0) {
		snprintf(plain, sizeof(plain), "%s.subnets", side + 1);
		return given_find(&connection->givens, plain);
	}
	name = setting + sizeof(children) - 1;
	for (i = 0; i < connection->n_children; i++) {
		const struct configured_child *c = &connection->children[i];

		if ((int)i == child || (child < 0 && side > name &&
		    strlen(c->name) == (size_t)(side - name) &&
		    strncmp(c->name, name, (size_t)(side - name)) == 0))
			return given_find(&c->givens, side + 1);
	}
	return NULL;
}

struct origin
configured_origin(const struct configured *connection, const char *setting, int child)
{
	const struct given *given = configured_find(connection, setting, child);
	char group[NAME];

	if (given != NULL)
		return given->origin;
	if (child >= 0 && (unsigned)child < connection->n_children)
		return connection->children[child].origin;
	if (connection->n_children == 0 && strncmp(setting, "children.", 9) == 0)
		setting = strrchr(setting, '.') + 1;	/* within local or remote */
	snprintf(group, sizeof(group), "%.*s", (int)strcspn(setting, "."), setting);
	given = given_find(&connection->givens, group);
	return given != NULL ? given->origin : connection->origin;
}

/* The setting as the file has it, or would have it: "local.subnets" where the engine says
 * "children.local" of the only child, "children.lan.local" where there are several. */
static const char *
name_setting(const struct configured *connection, const struct ike_fault *fault,
    char *buf, size_t size)
{
	const char *key = strrchr(fault->setting, '.');

	if (fault->child < 0 || key == NULL)
		return fault->setting;
	if (connection->n_children == 0)
		snprintf(buf, size, "%s.subnets", key + 1);
	else
		snprintf(buf, size, "children.%s.%s",
		    connection->children[fault->child].name, key + 1);
	return buf;
}

/* A group that is none has told so; what is missing in it would only repeat that. */
static bool
in_bad_group(const struct configured *connection, const char *setting)
{
	const struct given *group;
	char name[NAME];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(setting, "."), setting);
	group = given_find(&connection->givens, name);
	return group != NULL && group->bad;
}

static void
blame_setup(struct assembly *a, const struct configured *connection,
    const struct ike_fault *fault)
{
	const struct given *given =
	    configured_find(connection, fault->setting, fault->child);
	struct origin origin =
	    configured_origin(connection, fault->setting, fault->child);
	bool short_form = connection->n_children == 0 &&
	    strncmp(fault->setting, "children", 8) == 0;
	size_t len = strlen(fault->setting);
	char buf[NAME];
	const char *name = name_setting(connection, fault, buf, sizeof(buf));

	/* its own fault is told already; and so are missing subnets and a bad name, which
	 * the only child has from the connection */
	if (given != NULL ? given->bad : in_bad_group(connection, fault->setting))
		return;
	if (short_form &&
	    (fault->code == IKE_FAULT_MISSING || fault->code == IKE_FAULT_NAME))
		return;
	if (given != NULL && fault->item >= 0 && (unsigned)fault->item < given->n)
		origin.line = given->lines[fault->item];
	if (strncmp(fault->text, fault->setting, len) == 0)
		blame(a, origin, "%s%s", name, fault->text + len);
	else
		blame(a, origin, "%s: %s", name, fault->text);
}

/* `subnets` on both sides, or children, but not both. */
static void
check_children(struct assembly *a, const struct configured *connection)
{
	static const char *const sides[] = { "local", "remote" };
	const struct given *children = given_find(&connection->givens, "children");
	const struct given *subnets;
	char name[NAME];
	unsigned i;

	for (i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%s.subnets", sides[i]);
		subnets = given_find(&connection->givens, name);
		if (children != NULL && !children->bad && subnets != NULL)
			blame(a, subnets->origin,
			    "%s and children exclude each other; "
			    "move these networks into a child: %s = [ ... ];",
			    name, sides[i]);
		if (children == NULL && subnets == NULL &&
		    !in_bad_group(connection, sides[i]))
			blame(a, configured_origin(connection, sides[i], -1),
			    "%s is missing; for instance: %s = { %s };", name, sides[i],
			    setting_find(SETTINGS_CONNECTION, name)->example);
	}
}

static struct ike_child_setup *
assemble_children(struct assembly *a, const struct configured *connection, unsigned *n)
{
	const struct configured_child *child;
	struct ike_child_setup *setups;
	unsigned i;

	*n = connection->n_children > 0 ? connection->n_children : 1;
	setups = take(a, *n, sizeof(*setups));
	if (setups == NULL)
		return NULL;
	setups[0] = (struct ike_child_setup){ .name = connection->name,
	    .local = texts_of(&connection->givens, "local.subnets"),
	    .remote = texts_of(&connection->givens, "remote.subnets") };
	for (i = 0; i < connection->n_children; i++) {
		child = &connection->children[i];
		setups[i] = (struct ike_child_setup){ .name = child->name,
		    .local = texts_of(&child->givens, "local"),
		    .remote = texts_of(&child->givens, "remote"),
		    .mode = (enum ike_mode)number_of(&child->givens, SETTINGS_CHILD,
			"mode") };
	}
	return setups;
}

/* What stands in the file in place of a default, and where it goes. */
#define FIELD(member) offsetof(struct ike_setup, member), \
	sizeof(((struct ike_setup *)NULL)->member)
static const struct field { const char *setting; size_t offset, size; } fields[] = {
	{ "rekey.ike", FIELD(renewal.ike) },
	{ "rekey.child", FIELD(renewal.child.time) },
	{ "rekey.bytes", FIELD(renewal.child.octets) },
	{ "rekey.packets", FIELD(renewal.child.packets) },
	{ "rekey.jitter", FIELD(renewal.jitter_percent) },
	{ "expire.ike", FIELD(renewal.ike_hard) },
	{ "expire.child", FIELD(renewal.child_hard.time) },
	{ "expire.bytes", FIELD(renewal.child_hard.octets) },
	{ "expire.packets", FIELD(renewal.child_hard.packets) },
	{ "reauth", FIELD(renewal.reauth) },
	{ "dpd", FIELD(dpd) },
	{ "retransmit.first", FIELD(established.first) },
	{ "retransmit.factor", FIELD(established.factor_percent) },
	{ "retransmit.most", FIELD(established.most) },
	{ "retransmit.tries", FIELD(established.tries) },
	{ "retransmit_setup.first", FIELD(setting_up.first) },
	{ "retransmit_setup.factor", FIELD(setting_up.factor_percent) },
	{ "retransmit_setup.most", FIELD(setting_up.most) },
	{ "retransmit_setup.tries", FIELD(setting_up.tries) },
	{ "fragment", FIELD(fragment) },
	{ "mobike", FIELD(mobike) },
	{ "childless", FIELD(childless) },
};

/* Every number fits: the table of settings has its bounds. */
static void
store(void *to, size_t size, long number)
{
	const uint8_t octet = (uint8_t)number;
	const uint16_t word = (uint16_t)number;
	const int64_t whole = number;

	if (size == sizeof(whole))
		memcpy(to, &whole, size);
	else if (size == sizeof(word))
		memcpy(to, &word, size);
	else
		memcpy(to, &octet, size);	/* a bool is one, too */
}

static void
assemble_numbers(const struct givens *givens, struct ike_setup *setup)
{
	const struct given *given;
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if ((given = given_find(givens, fields[i].setting)) != NULL &&
		    !given->bad)
			store((char *)setup + fields[i].offset, fields[i].size,
			    given->number);
}

static void
assemble_connection(struct assembly *a, struct configured *connection)
{
	const struct givens *givens = &connection->givens;
	struct ike_fault faults[FAULTS];
	struct ike_setup setup;
	unsigned n = 0, i;

	ike_setup_defaults(&setup);
	setup.name = setup.secret = connection->name;
	setup.local_address = text_of(givens, SETTINGS_CONNECTION, "local.address");
	setup.local_id = text_of(givens, SETTINGS_CONNECTION, "local.id");
	setup.remote_address = joined_of(a, givens, "remote.address");
	setup.remote_id = text_of(givens, SETTINGS_CONNECTION, "remote.id");
	setup.auth = text_of(givens, SETTINGS_CONNECTION, "auth");
	setup.start = (enum ike_start)number_of(givens, SETTINGS_CONNECTION, "start");
	setup.encap = (enum ike_encap)number_of(givens, SETTINGS_CONNECTION, "encap");
	setup.unique = (enum ike_unique)number_of(givens, SETTINGS_CONNECTION, "unique");
	setup.on_dead = (enum ike_on_dead)(number_of(givens, SETTINGS_CONNECTION,
	    "on_dead") + 1);
	if (given_find(givens, "ike") != NULL)
		setup.ike = texts_of(givens, "ike");
	if (given_find(givens, "esp") != NULL)
		setup.esp = texts_of(givens, "esp");
	setup.compat = texts_of(givens, "compat");
	setup.pfs = (enum ike_pfs)number_of(givens, SETTINGS_CONNECTION, "pfs");
	assemble_numbers(givens, &setup);
	setup.children = assemble_children(a, connection, &setup.n_children);
	if (setup.children == NULL)
		return;
	check_children(a, connection);
	connection->connection = ike_connection_new(&setup, faults, FAULTS, &n);
	for (i = 0; i < n && i < FAULTS; i++)
		blame_setup(a, connection, &faults[i]);
	if (n > FAULTS)
		blame(a, connection->origin,
		    "there are %u more faults in this connection", n - FAULTS);
}

static int
compare_names(const void *a, const void *b)
{
	const struct configured *const *x = a, *const *y = b;
	int names = strcmp((*x)->name, (*y)->name);

	return names != 0 ? names : *x < *y ? -1 : *x > *y;
}

/* Lists and several files can have a name twice; libconfig refuses it in a group. */
static void
sort_names(struct assembly *a)
{
	struct configuration *c = a->c;
	const struct configured **v =
	    take(a, c->n_connections, sizeof(struct configured *));
	unsigned i;

	if (v == NULL)
		return;
	for (i = 0; i < c->n_connections; i++)
		v[i] = &c->connections[i];
	qsort(v, c->n_connections, sizeof(*v), compare_names);
	for (i = 1; i < c->n_connections; i++)
		if (strcmp(v[i - 1]->name, v[i]->name) == 0 &&
		    strcmp(v[i]->name, "?") != 0)
			blame(a, v[i]->origin,
			    "another connection has the name \"%s\", at %s:%u; "
			    "a name stands for one connection, rename one of the two",
			    v[i]->name, v[i - 1]->origin.file,
			    v[i - 1]->origin.line);
	c->by_name = v;
}

static int
compare_to_name(const void *name, const void *entry)
{
	const struct configured *const *connection = entry;

	return strcmp(name, (*connection)->name);
}

const struct configured *
configuration_find(const struct configuration *c, const char *name)
{
	const struct configured **found = bsearch(name, c->by_name, c->n_connections,
	    sizeof(*c->by_name), compare_to_name);

	return found == NULL ? NULL : *found;
}

void
configuration_assemble(struct configuration *c, struct faults *faults)
{
	struct assembly a = { .c = c, .faults = faults };
	unsigned i;

	assemble_daemon(&a);
	sort_names(&a);
	for (i = 0; i < c->n_connections; i++) {
		a.connection = c->connections[i].name;
		assemble_connection(&a, &c->connections[i]);
		a.connection = NULL;
	}
}

void
configuration_free(struct configuration *c)
{
	unsigned i;

	if (c == NULL)
		return;
	for (i = 0; i < c->n_connections; i++)
		ike_connection_free(c->connections[i].connection);
	arena_free(c->arena);
}
