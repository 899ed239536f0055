/* ikectl as its users see it, in front of a daemon that says what the test has it say. */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/varlink.h"
#include "tests/unit/caller.h"
#include "tests/unit/files.h"
#include "tests/unit/run.h"

#define ROWS(a) ((int)(sizeof(a) / sizeof((a)[0])))

static struct event_base *base;
static struct varlink *server;
static char path[108], ikectl[PATH_MAX];
static char out[1 << 16], errors[1 << 16];
static const char *said[4]; /* replies, as JSON; "error NAME" before an error's */
static char called[256];

/* ---- the daemon ---- */

/* "org.ikev.Ikevd.Rekey paris child=lan ike" */
static void
note(const struct varlink_call *call)
{
	const char *name =
	    json_string_value(json_object_get(call->parameters, "name"));
	const char *child =
	    json_string_value(json_object_get(call->parameters, "child"));
	bool itself = json_is_true(json_object_get(call->parameters, "ike"));

	snprintf(called, sizeof(called), "%s %s%s%s%s", call->method,
	    name != NULL ? name : "", child != NULL ? " child=" : "",
	    child != NULL ? child : "", itself ? " ike" : "");
}

static void
reply(void *arg, struct varlink_call *call)
{
	size_t i = (size_t)call->context;
	const char *text = said[i];
	char error[64] = "";
	int skip = 0;
	json_t *parameters;

	(void)arg;
	if (i == 0)
		note(call);
	if (sscanf(text, "error %60s %n", error, &skip) == 1)
		text += skip;
	parameters = json_loads(text, 0, NULL);
	ck_assert_msg(parameters != NULL, "%s", text);
	call->context = (void *)(i + 1);
	if (*error != '\0')
		varlink_error(call, error, parameters);
	else if (said[i + 1] != NULL && call->more)
		varlink_continue(call, parameters);
	else
		varlink_reply(call, parameters);
}

static void
cancel(void *arg, struct varlink_call *call)
{
	(void)arg;
	(void)call;
}

static const struct varlink_method methods[] = {
	{ "Up", reply, { "name" } },
	{ "Down", reply, { "name" } },
	{ "Rekey", reply, { "name", "child", "ike" } },
	{ "Status", reply, { "name" } },
	{ "List", reply, { NULL } },
	{ "Version", reply, { NULL } },
	{ NULL, NULL, { NULL } },
};

static const struct varlink_interface interface = {
	.name = "org.ikev.Ikevd", .description = "", .methods = methods, .cancel = cancel,
	.resume = reply,
};

static void
set_up(void)
{
	char why[VARLINK_WHY_LEN] = "", *slash;
	ssize_t n = readlink("/proc/self/exe", ikectl, sizeof(ikectl) - 1);

	(void)signal(SIGPIPE, SIG_IGN);
	ck_assert_int_gt(n, 0);
	ikectl[n] = '\0';
	for (int i = 0; i < 2; i++) {		/* BUILD/tests/test_ikectl */
		ck_assert_ptr_nonnull(slash = strrchr(ikectl, '/'));
		*slash = '\0';
	}
	strncat(ikectl, "/ikectl", sizeof(ikectl) - strlen(ikectl) - 1);
	base = event_base_new();
	snprintf(path, sizeof(path), "%s/control", files_folder());
	server = varlink_new(base, path, &interface, why);
	ck_assert_msg(server != NULL, "%s", why);
	memset(said, 0, sizeof(said));
	called[0] = '\0';
}

static void
tear_down(void)
{
	varlink_free(server);
	server = NULL;
	event_base_free(base);
	files_remove();
}

/* ---- the program ---- */

static void
read_file(const char *name, char *buf, size_t size)
{
	char where[PATH_MAX];
	FILE *f;

	snprintf(where, sizeof(where), "%s/%s", files_folder(), name);
	ck_assert_ptr_nonnull(f = fopen(where, "r"));
	buf[fread(buf, 1, size - 1, f)] = '\0';
	fclose(f);
}

static bool
has_ended(void *arg)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t) * (pid_t *)arg, &info, WEXITED | WNOHANG | WNOWAIT) ==
	    0 &&
	    info.si_pid != 0;
}

/* Runs `ikectl -s SOCKET ...` (or without -s) to its end; its exit status. */
static int
run_with(const char *socket_path, const char *const *arguments)
{
	const char *argv[16] = { ikectl, "-s", socket_path };
	char where[2][PATH_MAX];
	posix_spawn_file_actions_t actions;
	int n = socket_path != NULL ? 3 : 1, status;
	pid_t pid;

	for (; *arguments != NULL; arguments++)
		argv[n++] = *arguments;
	argv[n] = NULL;
	posix_spawn_file_actions_init(&actions);
	for (int i = 0; i < 2; i++) {
		snprintf(where[i], sizeof(where[i]), "%s/%s", files_folder(),
		    i == 0 ? "out" : "errors");
		posix_spawn_file_actions_addopen(&actions, i + 1, where[i],
		    O_WRONLY | O_CREAT | O_TRUNC, 0600);
	}
	ck_assert_int_eq(posix_spawn(&pid, ikectl, &actions, NULL,
	    (char *const *)(uintptr_t)argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	ck_assert_msg(caller_wait(base, has_ended, &pid), "ikectl does not end");
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	read_file("out", out, sizeof(out));
	read_file("errors", errors, sizeof(errors));
	return WEXITSTATUS(status);
}

#define RUN(...) run_with(path, (const char *const[]){ __VA_ARGS__, NULL })

static void
is(const char *text, const char *expected)
{
	ck_assert_msg(strcmp(text, expected) == 0, "\n%s\ninstead of\n%s", text,
	    expected);
}

static void
has(const char *text, const char *words)
{
	ck_assert_msg(strstr(text, words) != NULL, "no \"%s\" in: %s", words, text);
}

/* JSON that says the same. */
static void
is_json(const char *text, const char *expected)
{
	json_t *a = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	json_t *b = json_loads(expected, 0, NULL);

	ck_assert_msg(json_equal(a, b), "\n%s\ninstead of\n%s", text, expected);
	json_decref(a);
	json_decref(b);
}

/* ---- commands and what they say ---- */

static const struct {
	const char *command, *name, *said, *called, *out;
} answers[] = {
	{ "up", "paris", "{\"already\":false}", "org.ikev.Ikevd.Up paris", "up\n" },
	{ "up", "paris", "{\"already\":true}", "org.ikev.Ikevd.Up paris",
	    "already up\n" },
	{ "down", "paris", "{\"already\":false,\"answered\":true}",
	    "org.ikev.Ikevd.Down paris", "down\n" },
	{ "down", "paris", "{\"already\":false,\"answered\":false}",
	    "org.ikev.Ikevd.Down paris", "going down; the peer has not answered yet\n" },
	{ "down", "paris", "{\"already\":true,\"answered\":true}",
	    "org.ikev.Ikevd.Down paris", "already down\n" },
	{ "list", NULL, "{\"names\":[\"paris\",\"rome\"]}", "org.ikev.Ikevd.List ",
	    "paris\nrome\n" },
	{ "version", NULL, "{\"version\":\"7.8.9\"}", "org.ikev.Ikevd.Version ",
	    "ikectl " IKEVD_VERSION ", ikevd 7.8.9\n" },
	{ "status", "paris", "{\"connections\":[]}", "org.ikev.Ikevd.Status paris",
	    "CONNECTION  STATE                START      PEER\n" },
};

START_TEST(command_calls_its_method)
{
	said[0] = answers[_i].said;
	ck_assert_int_eq(RUN(answers[_i].command, answers[_i].name), 0);
	is(called, answers[_i].called);
	is(out, answers[_i].out);
	is(errors, "");
	ck_assert_int_eq(RUN("-j", answers[_i].command,
	    answers[_i].name), 0);
	is(errors, "");
	is_json(out, answers[_i].said);
}
END_TEST

static const struct {
	const char *words[4], *said, *called, *out;
} rekeys[] = {
	{ { "rekey", "paris" }, "{\"rekeyed\":1,\"finished\":true}",
	    "org.ikev.Ikevd.Rekey paris", "1 rekeyed\n" },
	{ { "rekey", "paris", "--ike" }, "{\"rekeyed\":1,\"finished\":true}",
	    "org.ikev.Ikevd.Rekey paris ike", "1 rekeyed\n" },
	{ { "rekey", "--child", "lan", "paris" }, "{\"rekeyed\":2,\"finished\":true}",
	    "org.ikev.Ikevd.Rekey paris child=lan", "2 rekeyed\n" },
	{ { "--child=lan", "rekey", "paris" }, "{\"rekeyed\":0,\"finished\":false}",
	    "org.ikev.Ikevd.Rekey paris child=lan",
	    "0 rekeyed; for the rest, the peer has not answered yet\n" },
};

START_TEST(rekey_says_what)
{
	const char *const *w = rekeys[_i].words;

	said[0] = rekeys[_i].said;
	ck_assert_int_eq(RUN(w[0], w[1], w[2], w[3]), 0);
	is(errors, "");
	is(called, rekeys[_i].called);
	is(out, rekeys[_i].out);
}
END_TEST

static const struct { const char *said, *says, *error;
} refusals[] = {
	{ "error org.ikev.Ikevd.NotRekeyed {\"name\":\"paris\",\"explanation\":"
	  "\"paris: the peer accepts none\\nours: 1\"}",
	    "ikectl: paris was not rekeyed: the peer accepts none\nours: 1\n",
	    "org.ikev.Ikevd.NotRekeyed" },
	{ "error org.ikev.Ikevd.NoChild {\"name\":\"paris\",\"child\":\"wan\","
	  "\"children\":[\"lan\",\"lan6\"]}",
	    "ikectl: paris has no child wan; it has: lan, lan6\n",
	    "org.ikev.Ikevd.NoChild" },
	{ "error org.ikev.Ikevd.NotUp {\"name\":\"paris\",\"explanation\":\"paris: the "
	  "peer "
	  "does not answer\\n/etc/ikev.conf:7 says: address = \\\"192.0.2.1\\\";\"}",
	    "ikectl: paris did not come up: the peer does not answer\n"
	    "/etc/ikev.conf:7 says: address = \"192.0.2.1\";\n",
	    "org.ikev.Ikevd.NotUp" },
	{ "error org.ikev.Ikevd.NotUp {\"name\":\"paris\",\"explanation\":\"out of "
	  "luck\"}",
	    "ikectl: paris did not come up: out of luck\n", "org.ikev.Ikevd.NotUp" },
	{ "error org.ikev.Ikevd.NoConnection "
	  "{\"name\":\"pairs\",\"suggestion\":\"paris\"}",
	    "ikectl: there is no connection pairs; did you mean paris?\n",
	    "org.ikev.Ikevd.NoConnection" },
	{ "error org.ikev.Ikevd.NoConnection {\"name\":\"rome\",\"suggestion\":\"\"}",
	    "ikectl: there is no connection rome; `ikectl list` names them all\n",
	    "org.ikev.Ikevd.NoConnection" },
	{ "error org.ikev.Ikevd.Busy {}",
	    "ikectl: too many clients wait for ikevd; try again later\n",
	    "org.ikev.Ikevd.Busy" },
	{ "error org.ikev.Ikevd.NoMemory {}",
	    "ikectl: ikevd has no memory for the answer\n", "org.ikev.Ikevd.NoMemory" },
	{ "error org.varlink.service.InvalidParameter {\"parameter\":\"name\"}",
	    "ikectl: ikevd answered org.varlink.service.InvalidParameter: name; are "
	    "ikectl and "
	    "ikevd of one version?\n",
	    "org.varlink.service.InvalidParameter" },
	{ "error org.example.Other {}",
	    "ikectl: ikevd answered org.example.Other; are ikectl "
	    "and ikevd of one version?\n",
	    "org.example.Other" },
};

START_TEST(refusal_is_explained)
{
	json_t *reply;

	said[0] = refusals[_i].said;
	ck_assert_int_eq(RUN("up", "paris"), 1);
	is(out, "");
	is(errors, refusals[_i].says);
	ck_assert_int_eq(RUN("-j", "up", "paris"), 1);
	reply = json_loads(out, 0, NULL);
	ck_assert_str_eq(error_of(reply), refusals[_i].error);
	json_decref(reply);
}
END_TEST

/* ---- status ---- */

static const char paris[] =
    "{\"connections\":[{\"name\":\"paris\",\"state\":\"up\","
    "\"start\":\"always\",\"local_id\":\"gw.berlin.example\","
    "\"remote_id\":\"gw.paris.example\",\"remote_address\":\"203.0.113.7\","
    "\"refusal\":null,\"sas\":[{\"id\":3,\"state\":\"established\",\"initiator\":true,"
    "\"local_address\":\"192.0.2.1:4500\",\"remote_address\":\"203.0.113.7:4500\","
    "\"local_id\":\"gw.berlin.example\",\"remote_id\":\"gw.paris.example\","
    "\"proposal\":\"aes256gcm16-prfsha256-x25519\",\"spi_i\":\"0102030405060708\","
    "\"spi_r\":\"1112131415161718\",\"nat\":\"local\",\"age\":187920,"
    "\"generation\":14,\"child_rekeys\":52,\"collisions_won\":1,\"collisions_lost\":2,"
    "\"rekey_in\":11520,\"ends_in\":15060,\"reauth_in\":null,\"children\":["
    "{\"name\":\"paris\",\"spi_in\":\"c0de51f1\",\"spi_out\":\"4a6f6e61\","
    "\"proposal\":\"aes256gcm16\",\"encapsulated\":true,\"local\":[\"10.1.0.0/24\","
    "\"10.3.0.0/24\"],\"remote\":[\"10.2.0.0/"
    "24\"],\"bytes_in\":1023,\"bytes_out\":5368709120,"
    "\"packets_in\":20,\"packets_out\":21,\"dropped_replay\":0,\"dropped_integrity\":2,"
    "\"dropped_selectors\":0,\"age\":3,\"generation\":53,\"replaced\":true,"
    "\"rekey_in\":3420,\"ends_in\":null}]}]}]}";
static const char others[] =
    "{\"connections\":[{\"name\":\"a-name-that-is-longer\","
    "\"state\":\"down\",\"start\":\"on-demand\",\"local_id\":\"b\",\"remote_id\":\"r\","
    "\"remote_address\":\"gw.rome.example\",\"refusal\":\"rome: no\\nours: "
    "1\",\"sas\":[]},"
    "{\"name\":\"any\",\"state\":\"connecting\",\"start\":\"passive\",\"local_id\":\"b\","
    "\"remote_id\":\"x\",\"remote_address\":\"any\",\"refusal\":null,\"sas\":["
    "{\"id\":4,\"state\":\"connecting\",\"initiator\":false,\"local_address\":\"\","
    "\"remote_address\":\"\",\"local_id\":\"b\",\"remote_id\":\"x\",\"proposal\":\"\","
    "\"spi_i\":\"0\",\"spi_r\":\"0\",\"nat\":\"none\",\"age\":7200,\"children\":[]}]}]}";

START_TEST(status_is_a_table)
{
	json_t *whole;

	said[0] = paris;
	said[1] = others;
	ck_assert_int_eq(RUN("status"), 0);
	is(called, "org.ikev.Ikevd.Status ");
	is(errors, "");
	is(out,
	    "CONNECTION             STATE                START      PEER\n"
	    "paris                  up                   always     203.0.113.7 "
	    "[gw.paris.example]\n"
	    "  IKE SA established as initiator, 2 d 4 h, aes256gcm16-prfsha256-x25519\n"
	    "    192.0.2.1:4500 [gw.berlin.example] === 203.0.113.7:4500 "
	    "[gw.paris.example], "
	    "behind a NAT here\n"
	    "    generation 14, rekey in 3 h 12 min, ends in 4 h 11 min; "
	    "52 child rekeys; of both at once: 1 won, 2 lost\n"
	    "    child paris        aes256gcm16, ESP in UDP, 3 s old, replaced\n"
	    "      selectors  10.1.0.0/24 10.3.0.0/24 === 10.2.0.0/24\n"
	    "      traffic    in 1023 B, 20 packets; out 5.0 GiB, 21 packets\n"
	    "      dropped    0 replayed, 2 with a wrong ICV, 0 outside the selectors\n"
	    "      life       generation 53, rekey in 57 min\n"
	    "      SPIs       in c0de51f1, out 4a6f6e61\n"
	    "a-name-that-is-longer  down                 on-demand  gw.rome.example [r]\n"
	    "  last failure:\n"
	    "    rome: no\n"
	    "    ours: 1\n"
	    "any                    connecting           passive    any [x]\n"
	    "  IKE SA connecting as responder, 2 h 0 min\n"
	    "     [b] ===  [x]\n");
	/* the pieces of the reply are one again */
	ck_assert_int_eq(RUN("-j", "status"), 0);
	whole = json_loads(out, 0, NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(whole, "connections")), 3);
	ck_assert_uint_eq(json_object_size(whole), 1);
	json_decref(whole);
}
END_TEST

START_TEST(error_after_a_piece_is_an_error)
{
	said[0] = paris;
	said[1] = "error org.ikev.Ikevd.NoMemory {}";
	ck_assert_int_eq(RUN("status"), 1);
	is(out, "");
	has(errors, "no memory");
}
END_TEST

/* What another version does not send is empty, and no crash. */
START_TEST(reply_without_what_is_expected)
{
	static const struct { const char *command, *said;
	} rows[] = {
		{ "status", "{}" },
		{ "status", "{\"connections\":7}" },
		{ "status", "{\"connections\":[1,{},{\"sas\":[{},null],\"name\":[]}]}" },
		{ "status",
		    "{\"connections\":[{\"sas\":[{\"children\":[{\"local\":[1]}]}]}]}" },
		{ "list", "{}" },
		{ "list", "{\"names\":[1,null,\"x\"]}" },
		{ "version", "{}" },
	};

	said[0] = rows[_i].said;
	ck_assert_int_eq(RUN(rows[_i].command), 0);
	is(errors, "");
	ck_assert_ptr_null(strstr(out, "(null)"));
}
END_TEST

/* ---- the command line ---- */

START_TEST(wrong_command_line)
{
	static const struct { const char *words[5], *says; } rows[] = {
		{ { NULL }, "usage: " },
		{ { "sideways" }, "there is no command sideways" },
		{ { "up" }, "up takes the name of a connection" },
		{ { "up", "a", "b" }, "up takes the name of a connection" },
		{ { "down" }, "down takes the name of a connection" },
		{ { "status", "a", "b" }, "status takes at most" },
		{ { "list", "a" }, "list takes nothing" },
		{ { "version", "a" }, "version takes nothing" },
		{ { "rekey" }, "rekey takes the name of a connection" },
		{ { "rekey", "a", "--child" }, "usage: " },
		{ { "up", "a", "--ike" }, "--child and --ike belong to rekey" },
		{ { "status", "--child=x" }, "--child and --ike belong to rekey" },
		{ { "rekey", "a", "--child=x", "--ike" }, "not both" },
		{ { "-x", "list" }, "usage: " },
		{ { "list", "--frob" }, "usage: " },
		{ { "-s" }, "usage: " },
	};

	ck_assert_int_eq(run_with(NULL, rows[_i].words), 2);
	is(out, "");
	has(errors, rows[_i].says);
	has(errors, "usage: ikectl");
	is(called, "");
}
END_TEST

START_TEST(help_and_version_need_no_daemon)
{
	static const char *const words[] = { "-h", "--help", "-V", "--version" };

	varlink_free(server);
	server = NULL;
	ck_assert_int_eq(run_with(NULL, (const char *[]){ words[_i], NULL }), 0);
	is(errors, "");
	if (_i < 2) {
		has(out, "usage: ikectl");
		has(out, "up NAME");
		has(out, "status [NAME]");
		has(out, "--child NAME");
		has(out, "/run/ikevd/control");
	} else {
		is(out, "ikectl " IKEVD_VERSION "\n");
	}
}
END_TEST

START_TEST(options_may_stand_behind_the_command)
{
	said[0] = "{\"names\":[]}";
	ck_assert_int_eq(run_with(NULL, (const char *[]){ "list", "-j",
	    "-s", path, NULL }), 0);
	is_json(out, said[0]);
}
END_TEST

/* ---- no daemon, or another one ---- */

START_TEST(no_daemon)
{
	char where[200];

	varlink_free(server);
	server = NULL;
	ck_assert_int_eq(RUN("list"), 1);
	has(errors, path);
	has(errors, "is ikevd running");
	files_write("file", "", 0, 0600);
	snprintf(where, sizeof(where), "%s/file", files_folder());
	ck_assert_int_eq(run_with(where, (const char *[]){ "list", NULL }), 1);
	has(errors, "ikevd is not running");
	memset(where, 'x', sizeof(where) - 1);
	where[sizeof(where) - 1] = '\0';
	ck_assert_int_eq(run_with(where, (const char *[]){ "list", NULL }), 1);
	has(errors, "too long");
	is(out, "");
}
END_TEST

struct stranger { const char *octets; size_t len; };

static void
answer_strangely(evutil_socket_t fd, short what, void *arg)
{
	const struct stranger *s = arg;
	int client = accept(fd, NULL, NULL);

	(void)what;
	ck_assert_int_ge(client, 0);
	ck_assert_int_eq(write(client, s->octets, s->len), (ssize_t)s->len);
	close(client);
}

START_TEST(strange_answers)
{
	static const struct {
		const char *octets;
		size_t len;
		const char *says;
	} rows[] = {
		{ "", 0, "closed the connection" },
		{ "{\"parameters\":{}}", 17, "closed the connection" }, /* no NUL */
		{ "\0", 1, "not Varlink" },
		{ "HTTP/1.1 400", 13, "not Varlink" },
		{ "[]\0", 3, "not Varlink" },
		{ "{}\0", 3, "not Varlink" },
		{ "{\"parameters\":7}\0", 17, "not Varlink" },
		{ "{\"parameters\":{},\"continues\":true}\0", 35,
		    "closed the connection" },
		{ "{\"parameters\":{},\"continues\":true}\0x\0", 37, "not Varlink" },
	};
	struct stranger s = { rows[_i].octets, rows[_i].len };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct event *e;

	varlink_free(server);
	server = NULL;
	strcpy(address.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 4), 0);
	e = event_new(base, fd, EV_READ | EV_PERSIST, answer_strangely, &s);
	ck_assert_int_eq(event_add(e, NULL), 0);
	ck_assert_int_eq(RUN("list"), 1);
	is(out, "");
	has(errors, rows[_i].says);
	event_free(e);
	close(fd);
}
END_TEST

START_TEST(name_that_is_no_text)
{
	ck_assert_int_eq(RUN("up", "\xff\xfe"), 1);
	has(errors, "UTF-8");
	is(called, "");
}
END_TEST

/* Longer than ikevd takes: what it says of it arrives, though not all was sent. */
START_TEST(name_that_is_too_long)
{
	char *name = malloc(100001);

	ck_assert_ptr_nonnull(name);
	memset(name, 'x', 100000);
	name[100000] = '\0';
	ck_assert_int_eq(RUN("up", name), 1);
	has(errors, "the message is too long");
	free(name);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("ikectl");

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, command_calls_its_method, 0, ROWS(answers));
	tcase_add_loop_test(t, rekey_says_what, 0, ROWS(rekeys));
	tcase_add_loop_test(t, refusal_is_explained, 0, ROWS(refusals));
	tcase_add_test(t, status_is_a_table);
	tcase_add_test(t, error_after_a_piece_is_an_error);
	tcase_add_loop_test(t, reply_without_what_is_expected, 0, 7);
	tcase_add_loop_test(t, wrong_command_line, 0, 16);
	tcase_add_loop_test(t, help_and_version_need_no_daemon, 0, 4);
	tcase_add_test(t, options_may_stand_behind_the_command);
	tcase_add_test(t, no_daemon);
	tcase_add_loop_test(t, strange_answers, 0, 9);
	tcase_add_test(t, name_that_is_no_text);
	tcase_add_test(t, name_that_is_too_long);
	return run_tests("ikectl", t);
}
