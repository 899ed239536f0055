/* The folder beside the configuration file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/configs.h"
#include "tests/unit/files.h"
#include "tests/unit/run.h"

#define ROWS(a) ((int)(sizeof(a) / sizeof((a)[0])))

static struct config loaded;

static void
teardown(void)
{
	config_forget(&loaded);
}

static bool
load(const char *text)
{
	return config_load(&loaded, text);
}

static const char *
fragment_path(const char *name)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/ikev.conf.d", files_folder());
	ck_assert(mkdir(path, 0700) == 0 || errno == EEXIST);
	snprintf(path, sizeof(path), "%s/ikev.conf.d%s%s", files_folder(),
	    name[0] == '\0' ? "" : "/", name);
	return path;
}

static void
fragment(const char *name, const char *text)
{
	char *file = config_quoted(text), at[256];

	(void)fragment_path(name);
	snprintf(at, sizeof(at), "ikev.conf.d/%s", name);
	files_write(at, file, strlen(file), 0600);
	free(file);
}

/* FILE of the main file and of a fragment, as faults have it; LINE: of the fault. */
static bool
fault_names(const struct fault *fault, const char *file, unsigned line,
    const char *words, const char *other)
{
	char place[4096];

	snprintf(place, sizeof(place), "%s/%s", files_folder(), other);
	return strcmp(fault->file + strlen(files_folder()) + 1, file) == 0 &&
	    fault->line == line && config_says(fault->text, words) &&
	    (other[0] == '\0' || strstr(fault->text, place) != NULL);
}

#define ONE(name) "connections = { " name " = { " PEER(NETS) " }; };"
#define LISTED(name) "connections = ( { name = `" name "`; " PEER(NETS) " } );"

START_TEST(fragments_by_name)
{
	static const char *const names[] = { "main", "ten", "twenty", "b", "umlaut" };
	const struct configured *b;
	unsigned i;

	fragment("a\xc3\xa4.conf", ONE("umlaut"));
	fragment("20.conf", ONE("twenty"));
	fragment("B.conf", LISTED("b"));
	fragment("10.conf", "daemon = { port = 501; };\n" ONE("ten"));
	fragment("c.conf", "");
	/* all others are none of ours */
	fragment("a.conf.bak", "(");
	fragment(".a.conf", "(");
	fragment("README", "(");
	fragment(".conf", "(");
	fragment("conf", "(");
	ck_assert_int_eq(mkdir(fragment_path("folder.conf"), 0700), 0);
	ck_assert_int_eq(mkfifo(fragment_path("fifo.conf"), 0600), 0);

	ck_assert_msg(load("daemon = { log = `debug`; };\n" ONE("main")), "%s",
	    config_faults(&loaded));
	ck_assert_uint_eq(loaded.c->n_connections, 5);
	for (i = 0; i < 5; i++)
		ck_assert_str_eq(loaded.c->connections[i].name, names[i]);
	ck_assert_uint_eq(loaded.c->daemon.port, 501);
	ck_assert_uint_eq(loaded.c->daemon.natt_port, 4500);
	ck_assert_int_eq(loaded.c->daemon.log, LOG_LEVEL_DEBUG);
	ck_assert_str_eq(configuration_find(loaded.c, "ten")->origin.file,
	    fragment_path("10.conf"));
	ck_assert_uint_eq(configuration_find(loaded.c, "ten")->origin.line, 2);
	b = configuration_find(loaded.c, "b");
	ck_assert_str_eq(configured_origin(b, "remote.id", -1).file,
	    fragment_path("B.conf"));
	ck_assert_str_eq(configuration_find(loaded.c, "main")->origin.file,
	    loaded.c->file);
}
END_TEST

/* A link counts as what it leads to. */
START_TEST(fragment_behind_a_link)
{
	fragment("elsewhere", ONE("paris"));
	ck_assert_int_eq(symlink("elsewhere", fragment_path("a.conf")), 0);
	ck_assert_int_eq(symlink("/dev/zero", fragment_path("b.conf")), 0);
	ck_assert_msg(load(""), "%s", config_faults(&loaded));
	ck_assert_uint_eq(loaded.c->n_connections, 1);
}
END_TEST

static const struct {
	const char *main, *a, *b;
	/* the fault's place, its words, and the other place in them */
	const char *file;
	unsigned line;
	const char *words, *other;
} doubles[] = {
	{ ONE("x"), "\n" ONE("x"), "", "ikev.conf.d/a.conf", 2,
	    "another connection has the name `x`", "ikev.conf:1;" },
	{ LISTED("x"), ONE("y"), "\n\n" LISTED("y"), "ikev.conf.d/b.conf", 3,
	    "another connection has the name `y`", "ikev.conf.d/a.conf:1;" },
	{ "daemon = { log = `info`;\nport = 501; };", "daemon = {\n\nport = 501; };", "",
	    "ikev.conf.d/a.conf", 3, "daemon.port stands at", "ikev.conf:2, too;" },
	{ "", "daemon = { listen = `::1`; };", "daemon = { listen = `::1`; };",
	    "ikev.conf.d/b.conf", 1, "daemon.listen stands at",
	    "ikev.conf.d/a.conf:1, too;" },
	/* what is misspelt stands nowhere, and what is bad does not become good */
	{ "daemon = { prot = 500; };", "daemon = { port = 500; };", "",
	    "ikev.conf", 1, "there is no setting `daemon.prot`", "" },
	{ "daemon = { port = 500; };", "daemon = { prot = 500; };", "",
	    "ikev.conf.d/a.conf", 1, "there is no setting `daemon.prot`", "" },
	{ "daemon = { port = 500; };", "daemon = 5;", "daemon = { user = `root`; };",
	    "ikev.conf.d/a.conf", 1, "daemon is a number", "" },
	{ "connections = 5;", ONE("x"), "",
	    "ikev.conf", 1, "connections is a number", "" },
};

START_TEST(fragments_that_say_it_twice)
{
	fragment("a.conf", doubles[_i].a);
	fragment("b.conf", doubles[_i].b);
	ck_assert(!load(doubles[_i].main));
	ck_assert_msg(loaded.faults.n == 1 && fault_names(&loaded.faults.v[0],
	    doubles[_i].file, doubles[_i].line, doubles[_i].words, doubles[_i].other),
	    "%s", config_faults(&loaded));
}
END_TEST

/* Nothing of one file keeps the faults of another from being told. */
START_TEST(fragments_all_faults_in_one_run)
{
	static const struct {
		const char *file;
		unsigned line;
		const char *words;
	} rows[] = {
		{ "ikev.conf", 1, "no setting `mian`" },
		{ "ikev.conf", 2, "no setting `daemon.pirt`" },
		{ "ikev.conf.d/a.conf", 2, "never closed" },
		{ "ikev.conf.d/b.conf", 0, "cannot open the file" },
		{ "ikev.conf.d/c.conf", 3, "NUL" },
		{ "ikev.conf.d/d.conf", 1, "x: start is `sometimes`" },
		{ "ikev.conf.d/d.conf", 2, "at " },
		{ "ikev.conf.d/e.conf", 1, "daemon.log is a number" },
	};
	unsigned i;

	fragment("a.conf", "\nconnections = {");
	ck_assert_int_eq(symlink("nowhere", fragment_path("b.conf")), 0);
	(void)files_write("ikev.conf.d/c.conf", "\n\n\0", 3, 0600);
	fragment("d.conf", "connections = ("
	    "{ name = `x`; start = `sometimes`; " PEER(NETS) " },\n"
	    "{ name = `x`; " PEER(NETS) " } );");
	fragment("e.conf", "daemon = { log = 5; };");
	ck_assert(!load("mian = 5;\ndaemon = { pirt = 5; };"));
	faults_sort(&loaded.faults);
	ck_assert_msg(loaded.faults.n == 8, "%s", config_faults(&loaded));
	for (i = 0; i < loaded.faults.n; i++)
		ck_assert_msg(fault_names(&loaded.faults.v[i], rows[i].file, rows[i].line,
		    rows[i].words, ""), "%u of\n%s", i, config_faults(&loaded));
}
END_TEST

START_TEST(fragments_without_the_main_file)
{
	char path[4096];

	fragment("a.conf", "daemon = { prot = 5; };");
	snprintf(path, sizeof(path), "%s/ikev.conf", files_folder());
	ck_assert_ptr_null(configuration_load(path, &loaded.faults));
	ck_assert_msg(loaded.faults.n == 2, "%s", config_faults(&loaded));
}
END_TEST

/* What stands at the folder's place and cannot be read. */
START_TEST(fragments_folder_unreadable)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/ikev.conf.d", files_folder());
	if (_i == 0)
		files_write("ikev.conf.d", "x", 1, 0600);
	else
		ck_assert_int_eq(symlink("ikev.conf.d", path), 0);
	ck_assert(!load("daemon = { };"));
	ck_assert_msg(loaded.faults.n == 1 && loaded.faults.v[0].line == 0 &&
	    strcmp(loaded.faults.v[0].file, path) == 0 &&
	    strchr(loaded.faults.v[0].text, ';') != NULL, "%s", config_faults(&loaded));
}
END_TEST

START_TEST(fragments_many)
{
	enum { MANY = 1000 };
	char name[32], text[512];
	unsigned i;

	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "%04u.conf", i);
		snprintf(text, sizeof(text),
		    "\nconnections = { c%u = { " PEER(NETS) " }; };", i);
		fragment(name, text);
	}
	ck_assert_msg(load(""), "%s", config_faults(&loaded));
	ck_assert_uint_eq(loaded.c->n_connections, MANY);
	ck_assert_str_eq(configuration_find(loaded.c, "c999")->origin.file,
	    fragment_path("0999.conf"));
	ck_assert_uint_eq(configuration_find(loaded.c, "c999")->origin.line, 2);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("fragments");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, fragments_by_name);
	tcase_add_test(t, fragment_behind_a_link);
	tcase_add_loop_test(t, fragments_that_say_it_twice, 0, ROWS(doubles));
	tcase_add_test(t, fragments_all_faults_in_one_run);
	tcase_add_test(t, fragments_without_the_main_file);
	tcase_add_loop_test(t, fragments_folder_unreadable, 0, 2);
	tcase_add_test(t, fragments_many);
	return run_tests("fragments", t);
}
