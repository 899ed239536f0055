#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/tell.h"
#include "tests/unit/files.h"
#include "tests/unit/pair.h"
#include "tests/unit/run.h"

/* ` stands for a double quote */
static const char file[] =
    "connections = {\n"
    "  passive = { local = { id = `a`; subnets = `10.1.0.0/24`; };\n"
    "    remote = { address = `192.0.2.7`; id = `b`; subnets = `10.2.0.0/24`; }; };\n"
    "  always = { local = { id = `a`; subnets = `10.1.0.0/24`; }; start = `on-demand`;\n"
    "    remote = { address = `192.0.2.8`; id = `c`; subnets = `10.3.0.0/24`; }; };\n"
    /* those of pair.c */
    "  to-b = { local = { id = `a.example`; subnets = `10.1.0.0/16`; };\n"
    "    remote = { address = `192.0.2.2`; id = `b.example`;\n"
    "    subnets = `10.2.0.0/16`; }; };\n"
    "  to-a = { local = { id = `b.example`; subnets = `10.2.0.0/16`; };\n"
    "    remote = { address = `192.0.2.1`; id = `a.example`;\n"
    "    subnets = `10.1.0.0/16`; }; };\n"
    "};\n";

static int reader, writer;
static struct faults faults;
static struct configuration *c;
static struct log *out;
static struct ike *ike;
static struct tell *tell;
static ike_id passive, always;

static void
no_random(void *arg, uint8_t *p, size_t n)
{
	(void)arg;
	memset(p, 7, n);
}

static void
setup(void)
{
	const struct ike_options options = { .random = no_random };
	struct tell_options with;
	char text[sizeof(file)], *p;
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	reader = ends[0];
	writer = ends[1];
	memcpy(text, file, sizeof(file));
	for (p = text; (p = strchr(p, '`')) != NULL; p++)
		*p = '"';
	c = configuration_load(files_write("ikev.conf", text, strlen(text), 0600),
	    &faults);
	ck_assert_ptr_nonnull(c);
	unsetenv("JOURNAL_STREAM");
	out = log_new(writer, LOG_LEVEL_DEBUG);
	ike = ike_new(&options);
	passive = ike_put(ike, 1, 0, c->connections[0].connection);
	always = ike_put(ike, 1, 0, c->connections[1].connection);
	with = (struct tell_options){ .log = out, .configuration = c };
	tell = tell_new(&with);
	ck_assert_ptr_nonnull(tell);
}

static void
teardown(void)
{
	tell_free(tell);
	ike_free(ike);
	log_free(out);
	configuration_free(c);
	close(reader);
	close(writer);
	files_remove();
}

static const char *
written(void)
{
	static char text[1 << 17];
	ssize_t n = read(reader, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static unsigned
count(const char *text, const char *words)
{
	unsigned n = 0;

	for (; (text = strstr(text, words)) != NULL; text++)
		n++;
	return n;
}

static void
refuse(ike_time at, ike_id connection, const char *what)
{
	const struct ike_refusal refusal = { .what = what, .ours = "", .theirs = "",
		.difference = "", .setting = "", .child = "" };

	tell_event(tell, ike, &(struct ike_event){ .type = IKE_REFUSED, .at = at,
	    .connection = connection, .u.refusal = &refusal });
}

static void
go(enum ike_event_type type, ike_time at, ike_id connection, ike_id sa,
    enum ike_error error)
{
	tell_event(tell, ike, &(struct ike_event){ .type = type, .at = at,
	    .connection = connection, .sa = sa, .error = error });
}

#define HOUR (3600 * IKE_SECOND)

/* The reason why a tunnel is down is told when it is news, not at each attempt. */
START_TEST(refusal_again_and_again)
{
	const char *text;
	ike_time at;

	for (at = 0; at < HOUR; at += 60 * IKE_SECOND) {
		refuse(at, passive, "no");
		refuse(at, passive, "nor that");
		refuse(at, always, "no");
	}
	text = written();
	ck_assert_uint_eq(count(text, "warning passive: no\n"), 1);
	ck_assert_uint_eq(count(text, "warning passive: nor that\n"), 1);
	ck_assert_uint_eq(count(text, "warning always: no\n"), 1);
	ck_assert_uint_eq(count(text, "debug   passive: no\n"), 59);
	refuse(at, passive, "another");
	ck_assert_uint_eq(count(written(), "warning passive: another\n"), 1);
	/* after a while once more */
	refuse(at, passive, "no");
	text = written();
	ck_assert_uint_eq(count(text, "warning passive: no\n"), 1);
	ck_assert_uint_eq(count(text, "the same came 59 more times"), 1);
}
END_TEST

/* Up and down again: that is news. */
START_TEST(refusal_after_a_success)
{
	const struct ike_child child = { .name = "lan",
		.transform = esp_transform_find(IKE_ENCR_AES_CBC, 256,
		    IKE_INTEG_HMAC_SHA2_256_128) };

	refuse(IKE_SECOND, passive, "no");
	refuse(IKE_SECOND, always, "no");
	tell_event(tell, ike, &(struct ike_event){ .type = IKE_UP, .connection = always,
		.sa = 5, .child = 6, .u.child = &child });
	written();
	refuse(2 * IKE_SECOND, always, "no");
	ck_assert_uint_eq(count(written(), "warning always: no\n"), 1);
	refuse(2 * IKE_SECOND, passive, "no");
	ck_assert_uint_eq(count(written(), "warning"), 0);
}
END_TEST

/* Of many texts the oldest are forgotten. */
START_TEST(refusals_of_many_kinds)
{
	char what[8];
	unsigned i;

	for (i = 0; i < 6; i++) {
		snprintf(what, sizeof(what), "no %u", i);
		refuse(IKE_SECOND * 10 * (i + 1), passive, what);
	}
	written();
	refuse(IKE_SECOND * 100, passive, "no 5");
	ck_assert_uint_eq(count(written(), "warning"), 0);
	refuse(IKE_SECOND * 100, passive, "no 0");
	ck_assert_uint_eq(count(written(), "warning passive: no 0\n"), 1);
}
END_TEST

/* Of strangers for a minute only: they are many. */
START_TEST(refusal_of_strangers)
{
	refuse(IKE_SECOND, 0, "no");
	refuse(IKE_SECOND * 50, 0, "no");
	ck_assert_uint_eq(count(written(), "warning no\n"), 1);
	refuse(IKE_SECOND * 70, 0, "no");
	ck_assert_uint_eq(count(written(), "warning no\n"), 1);
}
END_TEST

/* A peer that is away is called every minute or two, for weeks. */
START_TEST(attempts_again_and_again)
{
	unsigned told = 0;
	ike_time at;

	for (at = 0; at < 24 * HOUR; at += 100 * IKE_SECOND) {
		go(IKE_DOWN, at, always, (ike_id)(6 + at), IKE_TIMEOUT);
		told += count(written(), "warning always: the peer does not");
	}
	ck_assert_uint_eq(told, 24);
}
END_TEST

/* Whoever sends datagrams can make refusals; the log does not grow by each. */
START_TEST(refusals_in_a_flood)
{
	const char *text;
	char what[32];
	unsigned i;

	for (i = 0; i < 10000; i++) {
		snprintf(what, sizeof(what), "no %u", i);
		refuse(IKE_SECOND * 5 + i, 0, what);
	}
	text = written();
	ck_assert_uint_eq(count(text, " warning "), 20);
	ck_assert_uint_eq(count(text, "(unknown)"), 0);
	refuse(IKE_SECOND * 9, 0, "later");
	text = written();
	ck_assert_uint_eq(count(text, "9980 more failures came too fast"), 1);
	ck_assert_uint_eq(count(text, "warning later\n"), 1);
	refuse(IKE_SECOND * 9, 0, "too early");
	ck_assert_uint_eq(count(written(), " warning "), 0);
	refuse(IKE_SECOND * 1000, 0, "much later");
	ck_assert_uint_eq(count(written(), "warning much later\n"), 1);
}
END_TEST

/* Half-open attempts of anybody, which end by themselves, are no news; ours are. */
START_TEST(attempt_that_failed)
{
	go(IKE_DOWN, IKE_SECOND, passive, 5, IKE_TIMEOUT);
	ck_assert_uint_eq(count(written(), " debug "), 3);
	go(IKE_DOWN, IKE_SECOND, always, 6, IKE_TIMEOUT);
	ck_assert_uint_eq(count(written(), "warning always: the peer does not"), 1);
	go(IKE_DOWN, IKE_SECOND, always, 7, IKE_NO_PROPOSAL_CHOSEN);
	ck_assert_uint_eq(count(written(), "debug   always: no proposal in common\n"), 1);
	go(IKE_DOWN, IKE_SECOND, always, 7, IKE_UNRESOLVED);
	ck_assert_uint_eq(count(written(), "warning"), 0);	/* told before */
	go(IKE_DOWN, IKE_SECOND, 99, 8, IKE_TIMEOUT);
	ck_assert_uint_eq(count(written(), " debug "), 1);
}
END_TEST

START_TEST(tunnel_that_was_lost)
{
	go(IKE_UP, IKE_SECOND, passive, 5, IKE_OK);
	go(IKE_UP, IKE_SECOND, passive, 6, IKE_OK);
	written();
	go(IKE_DOWN, IKE_SECOND, passive, 5, IKE_TIMEOUT);
	ck_assert_uint_eq(count(written(), "warning passive: the peer does not"), 1);
	go(IKE_DOWN, IKE_SECOND, passive, 5, IKE_TIMEOUT);
	ck_assert_uint_eq(count(written(), " warning "), 0);
	go(IKE_REPLACED, IKE_SECOND, passive, 6, IKE_OK);	/* keeps its id */
	ck_assert_uint_eq(count(written(), "info    passive: IKE SA is rekeyed\n"), 1);
	go(IKE_UP, IKE_SECOND, passive, 8, IKE_OK);
	written();
	go(IKE_DOWN, IKE_SECOND, passive, 8, IKE_EXPIRED);
	ck_assert_uint_eq(count(written(), "warning passive: its lifetime is over, and "
	    "it could not be rekeyed\n"), 1);
	go(IKE_DOWN, IKE_SECOND, passive, 6, IKE_CLOSED);
	ck_assert_uint_eq(count(written(), "notice  passive: the peer has closed"), 1);
	go(IKE_UP, IKE_SECOND, passive, 7, IKE_OK);	/* freed with the rest */
}
END_TEST

START_TEST(event_of_a_child)
{
	const struct esp_selector selector = {
		.local = { .family = 4, .port = { 0, 65535 },
		    .addr = { { 10, 1, 0, 0 }, { 10, 1, 0, 255 } } },
		.remote = { .family = 4, .port = { 0, 65535 },
		    .addr = { { 10, 2, 0, 0 }, { 10, 2, 0, 255 } } } };
	const struct ike_child child = { .name = "lan", .spi_in = 0xa1, .spi_out = 0xb2,
		.transform = esp_transform_find(IKE_ENCR_AES_CBC, 256,
		    IKE_INTEG_HMAC_SHA2_256_128), .esn = true, .selectors = &selector,
		.n_selectors = 1,
		.path = { .family = 4, .port = { 4500, 4501 },
		    .addr = { { 192, 0, 2, 1 }, { 192, 0, 2, 8 } } } };
	struct ike_event event = { .type = IKE_UP, .connection = always, .sa = 5,
		.child = 6,
		.u.child = &child };

	tell_event(tell, ike, &event);
	ck_assert_uint_eq(count(written(), "notice  always: child lan is up: "
	    "10.1.0.0/24 - 10.2.0.0/24, aes256-sha256-esn, native ESP, "
	    "SPIs 000000a1 000000b2\n"), 1);
	event.type = IKE_SET_PATH;
	tell_event(tell, ike, &event);
	ck_assert_uint_eq(count(written(), "info    always: child lan goes by "
	    "192.0.2.1:4500 - 192.0.2.8:4501 now\n"), 1);
	event.type = IKE_REPLACED;
	event.replaced = 4;
	tell_event(tell, ike, &event);
	ck_assert_uint_eq(count(written(), "info    always: child lan is rekeyed, "
	    "SPIs 000000a1 000000b2\n"), 1);
	event.type = IKE_DOWN;
	tell_event(tell, ike, &event);
	ck_assert_uint_eq(count(written(), "notice  always: child lan is down\n"), 1);
	event.error = IKE_EXPIRED;
	tell_event(tell, ike, &event);
	ck_assert_uint_eq(count(written(), "child lan is down: its lifetime is over, and "
	    "it could not be rekeyed\n"), 1);
}
END_TEST

static struct pair p;

static void
hear(void *arg, unsigned end, const struct ike_event *event)
{
	const unsigned *listens = arg;

	if (end == *listens)
		tell_event(tell, p.e[end], event);
}

/* What another IKE SA has taken over is not lost, and nobody need look: at the end that
 * reauthenticates, and at the other one. */
START_TEST(tunnel_that_goes_on)
{
	unsigned end = (unsigned)_i;
	const char *text;

	pair_start(&p);
	p.hear = hear;
	p.hear_arg = &end;
	pair_up(&p);
	pair_pump(&p);
	ck_assert_uint_eq(count(written(), ": child net is up: "), 1);
	ck_assert_int_eq(ike_peer_reauthenticate(p.e[0], pair_sa(&p, 0)), IKE_OK);
	pair_drain(&p, 0);
	for (unsigned i = 0; i < 10; i++) {
		pair_pump(&p);
		pair_pass(&p, IKE_SECOND);
	}
	text = written();
	ck_assert_uint_eq(count(text, ": child net is up: "), 1);
	ck_assert_uint_eq(count(text, ": child net of the former IKE SA is closed\n"), 1);
	ck_assert_uint_eq(count(text, ": the former IKE SA is closed; another one "), 1);
	ck_assert_uint_eq(count(text, " is down"), 0);
	ck_assert_uint_eq(count(text, " notice "), 1);
	ike_down(p.e[0], p.now, p.connection[0]);
	pair_drain(&p, 0);
	pair_pump(&p);
	ck_assert_uint_eq(count(written(), ": child net is down\n"), 1);
	pair_close(&p);
}
END_TEST

START_TEST(event_for_somebody_else)
{
	enum ike_event_type type;

	for (type = IKE_ASK_RESOLVE; type < IKE_SET_PATH; type++)
		go(type, IKE_SECOND, passive, 5, IKE_OK);
	go((enum ike_event_type)(IKE_TRACE + 1), IKE_SECOND, passive, 5, IKE_OK);
	ck_assert_str_eq(written(), "");
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("tell");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, refusal_again_and_again);
	tcase_add_test(t, refusal_after_a_success);
	tcase_add_test(t, refusals_of_many_kinds);
	tcase_add_test(t, refusal_of_strangers);
	tcase_add_test(t, attempts_again_and_again);
	tcase_add_test(t, refusals_in_a_flood);
	tcase_add_test(t, attempt_that_failed);
	tcase_add_test(t, tunnel_that_was_lost);
	tcase_add_test(t, event_of_a_child);
	tcase_add_loop_test(t, tunnel_that_goes_on, 0, 2);
	tcase_add_test(t, event_for_somebody_else);
	return run_tests("tell", t);
}
