/* The Varlink service as its clients see it: well-behaved ones, slow ones, and the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/varlink.h"
#include "tests/unit/caller.h"
#include "tests/unit/files.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

#define ROWS(a) ((int)(sizeof(a) / sizeof((a)[0])))
#define SERVICE "org.varlink.service."
#define TEST "org.example.Test."
#define CALL(method, more) "{\"method\":\"" method "\"" more "}"
#define ECHO(n) CALL(TEST "Echo", ",\"parameters\":{\"n\":" #n "}")

enum { MAX_OPEN = VARLINK_CLIENTS_MAX + 1 };

static struct event_base *base;
static struct varlink *server;
static char path[sizeof(((struct sockaddr_un *)0)->sun_path)];

/* ---- the methods of the server ---- */

static struct varlink_call *waiting[MAX_OPEN];
static unsigned n_waiting, cancelled, handled, resumed;

static void
echo(void *arg, struct varlink_call *call)
{
	json_t *n = json_object_get(call->parameters, "n");

	ck_assert_ptr_eq(arg, &server);
	handled++;
	if (!json_is_integer(n))
		varlink_invalid(call, "n");
	else
		varlink_reply(call, json_pack("{sO}", "n", n));
}

static void
keep(void *arg, struct varlink_call *call)
{
	(void)arg;
	ck_assert_uint_lt(n_waiting, MAX_OPEN);
	handled++;
	waiting[n_waiting++] = call;
}

static void
big(void *arg, struct varlink_call *call)
{
	size_t size = (size_t)json_integer_value(json_object_get(call->parameters, "n"));
	char *text = malloc(size);

	(void)arg;
	handled++;
	ck_assert_ptr_nonnull(text);
	memset(text, 'x', size);
	varlink_reply(call, json_pack("{ss%}", "text", text, size));
	free(text);
}

static void
nothing(void *arg, struct varlink_call *call)
{
	(void)arg;
	varlink_reply(call, NULL);
}

/* Counts from 1 to n, in a reply each where they are welcome; 13 brings bad luck. */
static void
count(void *arg, struct varlink_call *call)
{
	json_int_t n = json_integer_value(json_object_get(call->parameters, "n"));
	size_t at = (size_t)call->context + 1;
	char *text;

	(void)arg;
	resumed += at > 1;
	ck_assert_ptr_nonnull(text = calloc(1, 100001));
	memset(text, 'x', 100000);
	call->context = (void *)at;
	if (at == 13)
		varlink_continue(call, NULL);
	else if (call->more && at < (size_t)n)
		varlink_continue(call,
		    json_pack("{sIss}", "at", (json_int_t)at, "text", text));
	else
		varlink_reply(call,
		    json_pack("{sI}", "at", call->more ? (json_int_t)at : n));
	free(text);
}

static void
who(void *arg, struct varlink_call *call)
{
	(void)arg;
	varlink_reply(call, json_pack("{sIsI}", "pid", (json_int_t)call->peer.pid, "uid",
	    (json_int_t)call->peer.uid));
}

static void
cancel(void *arg, struct varlink_call *call)
{
	ck_assert_ptr_eq(arg, &server);
	cancelled++;
	for (unsigned i = 0; i < n_waiting; i++)
		if (waiting[i] == call) {
			waiting[i] = waiting[--n_waiting];
			return;
		}
}

static const struct varlink_method methods[] = {
	{ "Echo", echo, { "n" } },
	{ "Keep", keep, { NULL } },
	{ "Big", big, { "n" } },
	{ "Nothing", nothing, { NULL } },
	{ "Count", count, { "n" } },
	{ "Who", who, { NULL } },
	{ NULL, NULL, { NULL } },
};

static const struct varlink_interface interface = {
	.name = "org.example.Test", .description = "interface org.example.Test\n",
	.methods = methods, .cancel = cancel, .resume = count, .arg = &server,
};

/* ---- before and after ---- */

static void
set_up(void)
{
	char why[VARLINK_WHY_LEN] = "";

	(void)signal(SIGPIPE, SIG_IGN);
	n_waiting = cancelled = handled = resumed = 0;
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
	snprintf(path, sizeof(path), "%s/control", files_folder());
	server = varlink_new(base, path, &interface, why);
	ck_assert_msg(server != NULL, "%s", why);
}

static void
tear_down(void)
{
	varlink_free(server);
	server = NULL;
	event_base_free(base);
	files_remove();
}

static void
call_once(struct caller *c)
{
	caller_open(c, base, path);
}

/* Still serves, whatever happened before. */
static void
still_serves(void)
{
	struct caller c;
	json_t *reply;

	call_once(&c);
	reply = caller_ask(&c, ECHO(7));
	ck_assert_str_eq(error_of(reply), "");
	ck_assert_int_eq(json_integer_value(parameter_of(reply, "n")), 7);
	json_decref(reply);
	caller_close(&c);
}

static void
hears_number(struct caller *c, json_int_t n)
{
	json_t *reply = caller_hear(c);

	ck_assert_str_eq(error_of(reply), "");
	ck_assert_int_eq(json_integer_value(parameter_of(reply, "n")), n);
	json_decref(reply);
}

static void
hears_error(struct caller *c, const char *error)
{
	json_t *reply = caller_hear(c);

	ck_assert_str_eq(error_of(reply), error);
	json_decref(reply);
}

static void
hears_end(struct caller *c)
{
	json_t *reply = caller_hear(c);

	ck_assert_msg(reply == NULL, "another answer: %s", json_dumps(reply, 0));
}

static bool
one_waits(void *arg)
{
	(void)arg;
	return n_waiting > 0;
}

static bool
one_cancelled(void *arg)
{
	(void)arg;
	return cancelled > 0;
}

static void
say_and_keep(struct caller *c, const char *more)
{
	char text[256];

	snprintf(text, sizeof(text), CALL(TEST "Keep", "%s"), more);
	caller_say(c, text);
	ck_assert(caller_wait(base, one_waits, NULL));
}

/* ---- calls ---- */

START_TEST(call_is_answered)
{
	struct caller c;

	call_once(&c);
	caller_say(&c, ECHO(42));
	hears_number(&c, 42);
	caller_say(&c, ECHO(43));
	hears_number(&c, 43);
	caller_close(&c);
}
END_TEST

START_TEST(caller_is_known)
{
	struct caller c;
	json_t *reply;

	call_once(&c);
	reply = caller_ask(&c, CALL(TEST "Who", ""));
	ck_assert_int_eq(json_integer_value(parameter_of(reply, "pid")), getpid());
	ck_assert_int_eq(json_integer_value(parameter_of(reply, "uid")), getuid());
	json_decref(reply);
	caller_close(&c);
}
END_TEST

START_TEST(call_in_single_octets)
{
	static const char text[] = ECHO(42) "\0" ECHO(43);
	struct caller c;

	call_once(&c);
	for (size_t i = 0; i < sizeof(text); i++) {
		caller_write(&c, text + i, 1);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	hears_number(&c, 42);
	hears_number(&c, 43);
	caller_close(&c);
}
END_TEST

START_TEST(calls_in_one_write_are_answered_in_order)
{
	static const char text[] =
	    ECHO(1) "\0" ECHO(2) "\0" CALL(TEST "None", "") "\0" ECHO(3);
	struct caller c;

	call_once(&c);
	caller_write(&c, text, sizeof(text));
	hears_number(&c, 1);
	hears_number(&c, 2);
	hears_error(&c, SERVICE "MethodNotFound");
	hears_number(&c, 3);
	caller_close(&c);
}
END_TEST

/* More calls than fit into the server's buffer, said before any answer is read. */
START_TEST(pipelined_calls_beyond_every_buffer)
{
	enum { CALLS = 20000 };
	struct caller c;

	call_once(&c);
	for (unsigned i = 0; i < CALLS; i++) {
		char text[100];

		snprintf(text, sizeof(text),
		    CALL(TEST "Echo", ",\"parameters\":{\"n\":%u}"), i);
		caller_say(&c, text);
		/* answers are many more octets than the sockets hold: let some wait */
		if (i % 5000 == 4999)
			for (unsigned k = i - 4999; k <= i; k++)
				hears_number(&c, k);
	}
	caller_close(&c);
}
END_TEST

START_TEST(call_behind_an_open_one_waits)
{
	struct caller c;

	call_once(&c);
	say_and_keep(&c, "");
	caller_say(&c, ECHO(1));
	caller_say(&c, ECHO(2));
	caller_pause(base, 50);
	ck_assert_uint_eq(handled, 1);
	varlink_reply(waiting[0], json_pack("{si}", "n", 0));
	n_waiting = 0;
	hears_number(&c, 0);
	hears_number(&c, 1);
	hears_number(&c, 2);
	ck_assert_uint_eq(cancelled, 0);
	caller_close(&c);
}
END_TEST

START_TEST(oneway_call_gets_no_answer)
{
	struct caller c;

	call_once(&c);
	caller_say(&c, CALL(TEST "Echo", ",\"parameters\":{\"n\":1},\"oneway\":true"));
	caller_say(&c, CALL(TEST "None", ",\"oneway\":true"));
	caller_say(&c, CALL(TEST "Echo", ",\"parameters\":{\"n\":2},\"oneway\":false"));
	hears_number(&c, 2);
	ck_assert_uint_eq(handled, 2);
	say_and_keep(&c, ",\"oneway\":true");
	caller_say(&c, ECHO(3));
	varlink_reply(waiting[0], json_object());
	n_waiting = 0;
	hears_number(&c, 3);
	caller_close(&c);
}
END_TEST

/* Who asks for no answer need not wait for it. */
START_TEST(oneway_calls_outlive_their_caller)
{
	struct caller c;

	call_once(&c);
	say_and_keep(&c, ",\"oneway\":true");
	caller_say(&c, CALL(TEST "Echo", ",\"parameters\":{\"n\":1},\"oneway\":true"));
	caller_close(&c);
	caller_pause(base, 50);
	ck_assert_uint_eq(cancelled, 0);
	ck_assert_uint_eq(n_waiting, 1);
	varlink_reply(waiting[0], json_object());
	n_waiting = 0;
	caller_pause(base, 50);
	ck_assert_uint_eq(handled, 2);
	still_serves();
}
END_TEST

START_TEST(absent_parameters_are_none)
{
	static const char *const rows[] = { "", ",\"parameters\":{}",
		",\"parameters\":null",
		",\"oneway\":false,\"more\":true,\"upgrade\":false,\"whatever\":[1]" };
	struct caller c;
	char text[256];
	json_t *reply;

	call_once(&c);
	snprintf(text, sizeof(text), CALL(TEST "Who", "%s"), rows[_i]);
	reply = caller_ask(&c, text);
	ck_assert_msg(*error_of(reply) == '\0', "row %d: %s", _i, error_of(reply));
	json_decref(reply);
	caller_close(&c);
}
END_TEST

/* ---- errors of a call, after which the next is heard ---- */

static const struct {
	const char *call, *error, *parameter, *value;
} refused[] = {
	{ CALL(TEST "None", ""), "MethodNotFound", "method", TEST "None" },
	{ CALL(TEST "echo", ""), "MethodNotFound", "method", TEST "echo" },
	{ CALL(TEST, ""), "MethodNotFound", "method", TEST },
	{ CALL("", ""), "MethodNotFound", "method", "" },
	{ CALL("Echo", ""), "MethodNotFound", "method", "Echo" },
	{ CALL(SERVICE "None", ""), "MethodNotFound", "method", SERVICE "None" },
	{ CALL("org.example.Other.Echo", ""), "InterfaceNotFound", "interface",
	    "org.example.Other" },
	{ CALL("org.example.Tes.Echo", ""), "InterfaceNotFound", "interface",
	    "org.example.Tes" },
	{ CALL("org.example.Test.x.Echo", ""), "InterfaceNotFound", "interface",
	    "org.example.Test.x" },
	{ CALL(".Echo", ""), "InterfaceNotFound", "interface", "" },
	{ CALL(TEST "Echo", ""), "InvalidParameter", "parameter", "n" },
	{ CALL(TEST "Echo", ",\"parameters\":{\"n\":\"1\"}"), "InvalidParameter",
	    "parameter", "n" },
	{ CALL(TEST "Echo", ",\"parameters\":{\"n\":1,\"m\":2}"), "InvalidParameter",
	    "parameter", "m" },
	{ CALL(TEST "Who", ",\"parameters\":{\"n\":1}"), "InvalidParameter", "parameter",
	    "n" },
	{ CALL(TEST "Who", ",\"upgrade\":true"), "InvalidParameter", "parameter",
	    "upgrade" },
	{ CALL(SERVICE "GetInterfaceDescription", ""), "InvalidParameter", "parameter",
	    "interface" },
	{ CALL(SERVICE "GetInterfaceDescription", ",\"parameters\":{\"interface\":1}"),
	    "InvalidParameter", "parameter", "interface" },
	{ CALL(SERVICE "GetInterfaceDescription",
	      ",\"parameters\":{\"interface\":\"a.b\"}"),
	    "InterfaceNotFound", "interface", "a.b" },
};

START_TEST(wrong_call_is_named)
{
	char error[100];
	struct caller c;
	json_t *reply;

	call_once(&c);
	reply = caller_ask(&c, refused[_i].call);
	snprintf(error, sizeof(error), SERVICE "%s", refused[_i].error);
	ck_assert_msg(strcmp(error_of(reply), error) == 0, "row %d: %s", _i,
	    error_of(reply));
	ck_assert_str_eq(json_string_value(parameter_of(reply, refused[_i].parameter)),
	    refused[_i].value);
	json_decref(reply);
	ck_assert_uint_le(handled, 1);
	caller_say(&c, ECHO(1));
	hears_number(&c, 1);
	caller_close(&c);
}
END_TEST

START_TEST(lack_of_memory_is_told)
{
	struct caller c;

	call_once(&c);
	caller_say(&c, CALL(TEST "Nothing", ""));
	hears_error(&c, "org.ikev.Ikevd.NoMemory");
	hears_end(&c);
	caller_close(&c);
	still_serves();
}
END_TEST

/* ---- what is no call: an error, and the end ---- */

static const struct {
	const char *octets, *reason;
} broken[] = {
	{ "", "not JSON" },
	{ " ", "not JSON" },
	{ "garbage", "not JSON" },
	{ "\"text\"", "not JSON" },
	{ "null", "not JSON" },
	{ "{\"method\":", "not JSON" },
	{ CALL(TEST "Who", "") "x", "not JSON" },
	{ CALL(TEST "Who", "") CALL(TEST "Who", ""), "not JSON" },
	{ CALL(TEST "Who", ",\"method\":\"a.b.C\""), "duplicate" },
	{ CALL(TEST "Echo", ",\"parameters\":{\"n\":1,\"n\":2}"), "duplicate" },
	{ "{\"method\":\"\xff\xfe\"}", "not JSON" },
	{ "{\"method\":\"\\u0000\"}", "not JSON" },
	{ "{\"method\":\"\xed\xa0\x80\"}", "not JSON" },
	{ "[]", "not a call" },
	{ "[1,2,3]", "not a call" },
	{ "{}", "not a call" },
	{ "{\"method\":7}", "not a call" },
	{ "{\"method\":null}", "not a call" },
	{ "{\"parameters\":{}}", "not a call" },
	{ CALL(TEST "Who", ",\"parameters\":[]"), "parameters must be an object" },
	{ CALL(TEST "Who", ",\"parameters\":\"x\""), "parameters must be an object" },
	{ CALL(TEST "Who", ",\"oneway\":1"), "not a call" },
	{ CALL(TEST "Who", ",\"more\":\"true\""), "not a call" },
	{ CALL(TEST "Who", ",\"upgrade\":null"), "not a call" },
	{ CALL(TEST "Who", ",\"oneway\":true,\"more\":true"), "oneway" },
	{ CALL(TEST "Who", ",\"oneway\":true,\"upgrade\":true"), "oneway" },
};

static void
hears_bad_message(struct caller *c, const char *reason, int row)
{
	json_t *reply = caller_hear(c);
	const char *said;

	ck_assert_msg(strcmp(error_of(reply), "org.ikev.Ikevd.BadMessage") == 0,
	    "row %d: %s", row, error_of(reply));
	said = json_string_value(parameter_of(reply, "reason"));
	ck_assert_msg(said != NULL && strstr(said, reason) != NULL, "row %d: %s", row,
	    said);
	json_decref(reply);
	hears_end(c);
}

START_TEST(garbage_gets_an_error_and_the_end)
{
	struct caller c;

	call_once(&c);
	caller_say(&c, ECHO(1));
	caller_say(&c, broken[_i].octets);
	caller_say(&c, ECHO(2));
	hears_number(&c, 1);
	hears_bad_message(&c, broken[_i].reason, _i);
	ck_assert_uint_eq(handled, 1);
	caller_close(&c);
	still_serves();
}
END_TEST

/* Nested so deep that a parser without a limit would run out of stack. */
START_TEST(deep_nesting_gets_an_error)
{
	static const char *const openings[] = { "[", "{\"a\":" };
	char text[VARLINK_MESSAGE_MAX];
	size_t piece = strlen(openings[_i]), len = 0;
	struct caller c;

	for (; len + piece < sizeof(text); len += piece)
		memcpy(text + len, openings[_i], piece);
	text[len] = '\0';
	call_once(&c);
	caller_write(&c, text, len + 1);
	hears_bad_message(&c, "not JSON", _i);
	caller_close(&c);
	still_serves();
}
END_TEST

/* A call of exactly `size` octets with its NUL, which is not written. */
static char *
call_of_size(size_t size)
{
	static const char begin[] =
	    "{\"method\":\"" TEST "Echo\",\"parameters\":{\"n\":5},\"x\":\"";
	char *text = malloc(size);

	ck_assert_ptr_nonnull(text);
	memset(text, 'x', size);
	memcpy(text, begin, sizeof(begin) - 1);
	memcpy(text + size - 3, "\"}", 3);
	return text;
}

START_TEST(longest_message)
{
	char *text = call_of_size(VARLINK_MESSAGE_MAX);
	struct caller c;

	call_once(&c);
	caller_write(&c, text, VARLINK_MESSAGE_MAX);
	hears_number(&c, 5);
	caller_write(&c, text, VARLINK_MESSAGE_MAX);
	caller_write(&c, text, VARLINK_MESSAGE_MAX);
	hears_number(&c, 5);
	hears_number(&c, 5);
	free(text);
	caller_close(&c);
}
END_TEST

START_TEST(message_without_end_is_bounded)
{
	static const size_t sizes[] = { VARLINK_MESSAGE_MAX + 1, VARLINK_MESSAGE_MAX + 2,
		2 * VARLINK_MESSAGE_MAX };
	char *text = call_of_size(sizes[_i]);
	struct caller c;

	call_once(&c);
	caller_write(&c, text, sizes[_i] - 1);		/* no NUL yet */
	if (sizes[_i] > VARLINK_MESSAGE_MAX + 1) {
		hears_bad_message(&c, "too long", _i);
	} else {
		caller_write(&c, "", 1);
		hears_bad_message(&c, "too long", _i);
	}
	ck_assert_uint_eq(handled, 0);
	free(text);
	caller_close(&c);
	still_serves();
}
END_TEST

/* ---- ends ---- */

START_TEST(message_cut_by_the_end_gets_an_error)
{
	static const char text[] = ECHO(2);
	struct caller c;

	for (size_t n = 1; n < sizeof(text); n++) {
		call_once(&c);
		caller_say(&c, ECHO(1));
		caller_write(&c, text, n);
		caller_half_close(&c);
		hears_number(&c, 1);
		hears_bad_message(&c, "without its NUL", (int)n);
		caller_close(&c);
	}
}
END_TEST

START_TEST(half_closed_caller_gets_its_answers)
{
	struct caller c;

	call_once(&c);
	caller_say(&c, ECHO(1));
	caller_say(&c, ECHO(2));
	caller_half_close(&c);
	hears_number(&c, 1);
	hears_number(&c, 2);
	hears_end(&c);
	caller_close(&c);
}
END_TEST

START_TEST(half_closed_caller_waits_for_an_open_call)
{
	struct caller c;

	call_once(&c);
	say_and_keep(&c, "");
	caller_say(&c, ECHO(1));
	caller_half_close(&c);
	caller_pause(base, 50);
	ck_assert_uint_eq(cancelled, 0);
	varlink_reply(waiting[0], json_pack("{si}", "n", 0));
	n_waiting = 0;
	hears_number(&c, 0);
	hears_number(&c, 1);
	hears_end(&c);
	caller_close(&c);
}
END_TEST

/* An answer much longer than the socket takes at once. */
START_TEST(half_closed_caller_gets_a_long_answer)
{
	struct caller c;
	json_t *reply;

	call_once(&c);
	caller_say(&c, CALL(TEST "Big", ",\"parameters\":{\"n\":5000000}"));
	caller_half_close(&c);
	caller_pause(base, 50);
	reply = caller_hear(&c);
	ck_assert_uint_eq(json_string_length(parameter_of(reply, "text")), 5000000);
	json_decref(reply);
	hears_end(&c);
	caller_close(&c);
}
END_TEST

START_TEST(silent_end_is_no_error)
{
	struct caller c;

	call_once(&c);
	caller_half_close(&c);
	hears_end(&c);
	caller_close(&c);
	call_once(&c);
	caller_close(&c);
	caller_pause(base, 20);
	still_serves();
}
END_TEST

START_TEST(caller_that_goes_takes_its_call_along)
{
	struct caller c;

	call_once(&c);
	say_and_keep(&c, "");
	if (_i == 1)
		caller_say(&c, ECHO(1));
	else if (_i == 2)
		caller_write(&c, "{\"meth", 6);
	caller_close(&c);
	ck_assert(caller_wait(base, one_cancelled, NULL));
	caller_pause(base, 20);
	ck_assert_uint_eq(cancelled, 1);
	ck_assert_uint_eq(handled, 1);
	still_serves();
}
END_TEST

START_TEST(caller_that_half_closes_and_goes)
{
	struct caller c;

	call_once(&c);
	say_and_keep(&c, "");
	caller_half_close(&c);
	caller_pause(base, 20);
	caller_close(&c);
	caller_pause(base, 20);
	if (n_waiting > 0)		/* nobody told: the answer finds nobody */
		varlink_reply(waiting[0], json_object());
	n_waiting = 0;
	caller_pause(base, 20);
	still_serves();
}
END_TEST

START_TEST(open_calls_end_with_the_server)
{
	struct caller c[3];

	for (int i = 0; i < 3; i++) {
		call_once(&c[i]);
		caller_say(&c[i], CALL(TEST "Keep", ""));
	}
	caller_pause(base, 20);
	ck_assert_uint_eq(n_waiting, 3);
	varlink_free(server);
	server = NULL;
	ck_assert_uint_eq(cancelled, 3);
	for (int i = 0; i < 3; i++) {
		hears_end(&c[i]);
		caller_close(&c[i]);
	}
}
END_TEST

/* ---- much to say ---- */

START_TEST(slow_reader_holds_up_nobody_else)
{
	enum { CALLS = 8 };
	struct caller c;
	json_t *reply;

	call_once(&c);
	for (int i = 0; i < CALLS; i++)
		caller_say(&c, CALL(TEST "Big", ",\"parameters\":{\"n\":1500000}"));
	caller_pause(base, 50);
	ck_assert_uint_eq(handled,
	    1); /* each is above the mark at which it is read no more */
	still_serves();
	for (int i = 0; i < CALLS; i++) {
		reply = caller_hear(&c);
		ck_assert_uint_eq(json_string_length(parameter_of(reply, "text")),
		    1500000);
		json_decref(reply);
	}
	caller_close(&c);
}
END_TEST

START_TEST(reader_that_gives_up_is_forgotten)
{
	struct caller c;

	call_once(&c);
	caller_say(&c, CALL(TEST "Big", ",\"parameters\":{\"n\":9000000}"));
	caller_say(&c, ECHO(1));
	caller_pause(base, 20);
	caller_close(&c);
	caller_pause(base, 20);
	ck_assert_uint_eq(handled, 1);
	still_serves();
}
END_TEST

START_TEST(several_replies_where_more_are_welcome)
{
	struct caller c;
	json_t *reply;

	call_once(&c);
	caller_say(&c, CALL(TEST "Count", ",\"parameters\":{\"n\":12},\"more\":true"));
	caller_say(&c, ECHO(99));
	caller_pause(base, 50);
	ck_assert_uint_lt(resumed, 11);		/* it is not read: nothing piles up */
	for (int i = 1; i <= 12; i++) {
		reply = caller_hear(&c);
		ck_assert_str_eq(error_of(reply), "");
		ck_assert_int_eq(json_integer_value(parameter_of(reply, "at")), i);
		ck_assert_int_eq(json_is_true(json_object_get(reply, "continues")),
		    i < 12);
		json_decref(reply);
	}
	hears_number(&c, 99);
	reply = caller_ask(&c, CALL(TEST "Count", ",\"parameters\":{\"n\":12}"));
	ck_assert_int_eq(json_integer_value(parameter_of(reply, "at")), 12);
	ck_assert_ptr_null(json_object_get(reply, "continues"));
	json_decref(reply);
	caller_close(&c);
}
END_TEST

START_TEST(several_replies_end_without_memory)
{
	struct caller c;
	json_t *reply;

	call_once(&c);
	caller_say(&c, CALL(TEST "Count", ",\"parameters\":{\"n\":20},\"more\":true"));
	for (int i = 1; i <= 12; i++) {
		reply = caller_hear(&c);
		ck_assert_int_eq(json_integer_value(parameter_of(reply, "at")), i);
		json_decref(reply);
	}
	hears_error(&c, "org.ikev.Ikevd.NoMemory");
	hears_end(&c);
	ck_assert_uint_eq(cancelled, 0);
	caller_close(&c);
	still_serves();
}
END_TEST

START_TEST(caller_that_goes_between_replies)
{
	struct caller c;

	call_once(&c);
	caller_say(&c, CALL(TEST "Count", ",\"parameters\":{\"n\":12},\"more\":true"));
	caller_pause(base, 20);
	caller_close(&c);
	ck_assert(caller_wait(base, one_cancelled, NULL));
	caller_pause(base, 20);
	ck_assert_uint_eq(cancelled, 1);
	still_serves();
}
END_TEST

/* ---- many ---- */

/* The one that has been silent for longest gives way. */
START_TEST(idle_callers_give_way)
{
	struct caller c[VARLINK_CLIENTS_MAX];

	for (int i = 0; i < VARLINK_CLIENTS_MAX; i++) {
		call_once(&c[i]);
		caller_pause(base, 0);
	}
	caller_say(&c[0], ECHO(1));		/* not silent any more: the next goes */
	hears_number(&c[0], 1);
	still_serves();
	hears_end(&c[1]);
	caller_say(&c[0], ECHO(2));
	hears_number(&c[0], 2);
	caller_say(&c[2], ECHO(3));
	hears_number(&c[2], 3);
	for (int i = 0; i < VARLINK_CLIENTS_MAX; i++)
		caller_close(&c[i]);
	caller_pause(base, 20);
	still_serves();
}
END_TEST

START_TEST(callers_that_wait_do_not_give_way)
{
	struct caller c[VARLINK_CLIENTS_MAX], late;

	for (int i = 0; i < VARLINK_CLIENTS_MAX; i++) {
		call_once(&c[i]);
		caller_say(&c[i], CALL(TEST "Keep", ""));
		caller_pause(base, 0);
	}
	caller_pause(base, 20);
	ck_assert_uint_eq(n_waiting, VARLINK_CLIENTS_MAX);
	call_once(&late);
	caller_say(&late, ECHO(1));
	hears_error(&late, "org.ikev.Ikevd.Busy");
	hears_end(&late);
	caller_close(&late);
	ck_assert_uint_eq(cancelled, 0);
	varlink_reply(waiting[5], json_pack("{si}", "n", 6));
	waiting[5] = waiting[--n_waiting];
	caller_pause(base, 20);
	still_serves();
	for (int i = 0; i < VARLINK_CLIENTS_MAX; i++)
		caller_close(&c[i]);
	caller_pause(base, 20);
	ck_assert_uint_eq(cancelled, VARLINK_CLIENTS_MAX - 1);
}
END_TEST

/* ---- what the service says of itself ---- */

START_TEST(service_describes_itself)
{
	static const char *const names[] = { "org.varlink.service", "org.example.Test" };
	struct caller c;
	char text[256];
	json_t *reply, *interfaces;

	call_once(&c);
	reply = caller_ask(&c, CALL(SERVICE "GetInfo", ""));
	ck_assert_str_eq(error_of(reply), "");
	ck_assert_str_eq(json_string_value(parameter_of(reply, "vendor")), "ikevd");
	ck_assert_str_eq(json_string_value(parameter_of(reply, "product")), "ikevd");
	ck_assert_str_eq(json_string_value(parameter_of(reply, "version")),
	    IKEVD_VERSION);
	ck_assert(json_is_string(parameter_of(reply, "url")));
	interfaces = parameter_of(reply, "interfaces");
	ck_assert_uint_eq(json_array_size(interfaces), 2);
	for (size_t i = 0; i < 2; i++)
		ck_assert_str_eq(json_string_value(json_array_get(interfaces, i)),
		    names[i]);
	json_decref(reply);
	for (size_t i = 0; i < 2; i++) {
		char head[100];

		snprintf(text, sizeof(text), CALL(SERVICE "GetInterfaceDescription",
		    ",\"parameters\":{\"interface\":\"%s\"}"), names[i]);
		reply = caller_ask(&c, text);
		snprintf(head, sizeof(head), "interface %s\n", names[i]);
		ck_assert_ptr_nonnull(strstr(
		    json_string_value(parameter_of(reply, "description")), head));
		json_decref(reply);
	}
	caller_close(&c);
}
END_TEST

/* ---- the socket's file ---- */

START_TEST(socket_is_for_owner_and_group)
{
	struct stat st;
	mode_t before = umask(_i == 0 ? 0 : 0777);

	varlink_free(server);
	server = varlink_new(base, path, &interface, (char[VARLINK_WHY_LEN]){ 0 });
	ck_assert_ptr_nonnull(server);
	ck_assert_int_eq(umask(before), _i == 0 ? 0 : 0777);	/* as it was */
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_int_eq(st.st_mode & 07777, 0660);
}
END_TEST

START_TEST(socket_is_removed_at_the_end)
{
	varlink_free(server);
	server = NULL;
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(errno, ENOENT);
	varlink_free(NULL);
}
END_TEST

START_TEST(socket_of_another_is_not_removed)
{
	ck_assert_int_eq(unlink(path), 0);
	files_write("control", "x", 1, 0600);
	varlink_free(server);
	server = NULL;
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

static void
refused_at(const char *where, const char *says)
{
	char why[VARLINK_WHY_LEN] = "";
	struct varlink *second = varlink_new(base, where, &interface, why);

	ck_assert_msg(second == NULL, "listens at %s", where);
	ck_assert_msg(strstr(why, says) != NULL, "%s", why);
	ck_assert_msg(strchr(why, ';') != NULL, "what would help? %s", why);
}

START_TEST(living_socket_is_not_taken)
{
	refused_at(path, "another process listens there");
	caller_pause(base, 20);
	still_serves();
}
END_TEST

/* A daemon that is stopped and whose queue is full is alive, too. */
START_TEST(socket_with_a_full_queue_is_not_taken)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int v[200];

	strcpy(address.sun_path, path);
	for (int i = 0; i < 200; i++) {
		v[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		ck_assert_int_ge(v[i], 0);
		(void)connect(v[i], (struct sockaddr *)&address, sizeof(address));
	}
	refused_at(path, "another process listens there");
	for (int i = 0; i < 200; i++)
		close(v[i]);
}
END_TEST

START_TEST(dead_socket_is_replaced)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	varlink_free(server);
	strcpy(address.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	server = varlink_new(base, path, &interface, (char[VARLINK_WHY_LEN]){ 0 });
	ck_assert_ptr_nonnull(server);
	still_serves();
}
END_TEST

START_TEST(other_file_is_not_replaced)
{
	char link[200];

	files_write("file", "precious", 8, 0600);
	snprintf(link, sizeof(link), "%s/file", files_folder());
	refused_at(link, "another kind of file");
	snprintf(link, sizeof(link), "%s/link", files_folder());
	ck_assert_int_eq(symlink(path, link), 0);
	refused_at(link, "another kind of file");
	refused_at(files_folder(), "another kind of file");
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(path_that_cannot_be_is_refused)
{
	char where[300];
	size_t len = (size_t)snprintf(where, sizeof(where), "%s/", files_folder());

	refused_at("", "empty");
	memset(where + len, 'x', sizeof(where) - len);
	where[sizeof(where) - 1] = '\0';
	refused_at(where, "too long");
	where[sizeof(path)] = '\0';
	refused_at(where, "too long");
	where[sizeof(path) - 1] = '\0';		/* the longest, at the next try */
	varlink_free(server);
	server = varlink_new(base, where, &interface, (char[VARLINK_WHY_LEN]){ 0 });
	ck_assert_ptr_nonnull(server);
	snprintf(where, sizeof(where), "%s/no/folder", files_folder());
	refused_at(where, "mkdir");
	snprintf(where, sizeof(where), "%s/file/control", files_folder());
	files_write("file", "", 0, 0600);
	refused_at(where, "Not a directory");
}
END_TEST

/* ---- random garbage ---- */

static const char *const words[] = { "{", "}", "[", "]", ":", ",", "\"", "\\",
	"\"method\"", "\"parameters\"", "\"oneway\"", "\"more\"", "\"upgrade\"", "true",
	"false", "null", "1", "\"" TEST "Echo\"", "\"" TEST "Who\"", "{\"n\":1}", ECHO(3),
	"\xff", "\xc3", "\\u12", "1e999",
	CALL(TEST "Count", ",\"parameters\":{\"n\":3},\"more\":true"), "\n" };

/* Words of JSON, octets, and whole calls, with NULs between. */
static size_t
make_garbage(uint64_t *seed, char *out, size_t size)
{
	size_t len = 0;
	unsigned n = (unsigned)(next_random(seed) % 40);

	for (unsigned i = 0; i < n && len + 200 < size; i++) {
		uint64_t chance = next_random(seed);
		const char *word = words[chance / 16 % (uint64_t)ROWS(words)];

		if (chance % 16 == 0) {
			out[len++] = '\0';
		} else if (chance % 16 == 1) {
			out[len++] = (char)(chance >> 32);
		} else {
			memcpy(out + len, word, strlen(word));
			len += strlen(word);
		}
	}
	return len;
}

/* What comes is well-formed, and after the end of what is said comes the end. */
START_TEST(random_garbage_does_no_harm)
{
	uint64_t seed = 1, begin;
	time_t end = time(NULL) + 2;
	char text[8192];
	unsigned rounds;

	for (rounds = 0; time(NULL) < end || rounds < 100; rounds++) {
		struct caller c;
		json_t *reply;
		bool any = false;
		size_t len;

		begin = seed;
		len = make_garbage(&seed, text, sizeof(text));
		call_once(&c);
		caller_write(&c, text, len);
		caller_half_close(&c);
		for (; (reply = caller_hear(&c)) != NULL; any = true) {
			must(json_is_object(json_object_get(reply, "parameters")),
			    "seed %llu", (unsigned long long)begin);
			json_decref(reply);
		}
		must(any || len == 0 || strstr(text, "oneway") != NULL,
		    "no answer: seed %llu", (unsigned long long)begin);
		caller_close(&c);
	}
	still_serves();
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("varlink");

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, call_is_answered);
	tcase_add_test(t, caller_is_known);
	tcase_add_test(t, call_in_single_octets);
	tcase_add_test(t, calls_in_one_write_are_answered_in_order);
	tcase_add_test(t, pipelined_calls_beyond_every_buffer);
	tcase_add_test(t, call_behind_an_open_one_waits);
	tcase_add_test(t, oneway_call_gets_no_answer);
	tcase_add_test(t, oneway_calls_outlive_their_caller);
	tcase_add_loop_test(t, absent_parameters_are_none, 0, 4);
	tcase_add_loop_test(t, wrong_call_is_named, 0, ROWS(refused));
	tcase_add_test(t, lack_of_memory_is_told);
	tcase_add_loop_test(t, garbage_gets_an_error_and_the_end, 0, ROWS(broken));
	tcase_add_loop_test(t, deep_nesting_gets_an_error, 0, 2);
	tcase_add_test(t, longest_message);
	tcase_add_loop_test(t, message_without_end_is_bounded, 0, 3);
	tcase_add_test(t, message_cut_by_the_end_gets_an_error);
	tcase_add_test(t, half_closed_caller_gets_its_answers);
	tcase_add_test(t, half_closed_caller_waits_for_an_open_call);
	tcase_add_test(t, half_closed_caller_gets_a_long_answer);
	tcase_add_test(t, silent_end_is_no_error);
	tcase_add_loop_test(t, caller_that_goes_takes_its_call_along, 0, 3);
	tcase_add_test(t, caller_that_half_closes_and_goes);
	tcase_add_test(t, open_calls_end_with_the_server);
	tcase_add_test(t, slow_reader_holds_up_nobody_else);
	tcase_add_test(t, reader_that_gives_up_is_forgotten);
	tcase_add_test(t, several_replies_where_more_are_welcome);
	tcase_add_test(t, several_replies_end_without_memory);
	tcase_add_test(t, caller_that_goes_between_replies);
	tcase_add_test(t, idle_callers_give_way);
	tcase_add_test(t, callers_that_wait_do_not_give_way);
	tcase_add_test(t, service_describes_itself);
	tcase_add_loop_test(t, socket_is_for_owner_and_group, 0, 2);
	tcase_add_test(t, socket_is_removed_at_the_end);
	tcase_add_test(t, socket_of_another_is_not_removed);
	tcase_add_test(t, living_socket_is_not_taken);
	tcase_add_test(t, socket_with_a_full_queue_is_not_taken);
	tcase_add_test(t, dead_socket_is_replaced);
	tcase_add_test(t, other_file_is_not_replaced);
	tcase_add_test(t, path_that_cannot_be_is_refused);
	tcase_add_loop_test(t, random_garbage_does_no_harm, 0, 1);
	return run_tests("varlink", t);
}
