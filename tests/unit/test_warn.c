#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/warn.h"
#include "libesp/selector.h"
#include "tests/unit/configs.h"
#include "tests/unit/files.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

#define ROWS(a) ((int)(sizeof(a) / sizeof((a)[0])))

static struct config loaded;

static void
teardown(void)
{
	config_forget(&loaded);
}

/* The warnings about a configuration without faults. */
static void
warn(const char *text)
{
	ck_assert_msg(config_load(&loaded, text), "%s\n%s", text, config_faults(&loaded));
	configuration_warn(loaded.c, &loaded.faults);
}

#define PARIS(more) "connections = { paris = { " PEER(NETS) more " }; };"

/* Weak algorithms are a warning where they stand, and so is a door that nobody uses. */
START_TEST(compat_warned_of)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *words;	/* NULL: no warning */
	} rows[] = {
		{ PARIS("\nstart = `always`;"), 0, NULL },
		{ PARIS("\ncompat = `sha1`;\nike = `aes256-sha1-modp2048`;"), 3,
		    "paris: ike names sha1, which is weak; give the peer sha256 as " },
		{ PARIS("\nike = `aes256gcm16-prfsha1-x25519`;\ncompat = [ `sha1` ];"),
		    2, "paris: ike names prfsha1, which is weak; give the peer prf" },
		{ PARIS("\ncompat = `sha1`;\nesp = `aes128-sha1`;"), 3,
		    "paris: esp names sha1" },
		{ PARIS("\n\ncompat = `sha1`;"), 3,
		    "paris: compat allows weak algorithms and no proposal names one" }
	};

	for (int i = 0; i < ROWS(rows); i++) {
		warn(rows[i].text);
		ck_assert_uint_eq(loaded.faults.n, rows[i].words != NULL);
		if (rows[i].words == NULL)
			continue;
		ck_assert_uint_eq(loaded.faults.v[0].line, rows[i].line);
		ck_assert_msg(config_says(loaded.faults.v[0].text, rows[i].words), "%s",
		    config_faults(&loaded));
	}
}
END_TEST

static const struct {
	const char *text;
	unsigned line;
	const char *words;		/* NULL: no warning */
} rows[] = {
	/* children */
	{ "connections = { paris = { " PEER("") " start = `always`;\n"
	    "children = { lan = { local = `10.1.0.0/24`; remote = `10.2.0.0/24`; };\n"
	    "lan6 = { local = `2001:db8:1::/64`; remote = `2001:db8:2::/64`; }; }; }; };",
	    0, NULL },
	/* anybody with everything */
#define ANY(address, subnets) "connections = { paris = { local = { id = `a`; " \
	"subnets = [ `0.0.0.0/0`, `::/0` ]; }; " \
	"remote = { id = `b`; address = " address ";\nsubnets = [ " subnets " ]; }; }; };"
	{ ANY("`any`", "`0.0.0.0/0`, `2001:db8::/64`"), 2, "call from anywhere" },
	{ ANY("`any`", "`10.0.0.0/24`, `::/0`"), 2, "call from anywhere" },
	{ ANY("`any`", "`0.0.0.0/0[tcp]`, `2001:db8::/64`"), 0, NULL },
	{ ANY("`any`", "`0.0.0.0/1`, `2001:db8::/64`"), 0, NULL },
	{ ANY("`203.0.113.7`", "`0.0.0.0/0`, `::/0`"), 0, NULL },
	/* nobody to call */
#define DEAD(address) "connections = { paris = { local = { id = `a`; " NETS " };\n" \
	"remote = { id = `b`; address = " address "; " NETS " };\n" \
	"on_dead = `restart`; }; };"
	{ DEAD("`any`"), 3, "no address to call" },
	{ DEAD("[ `203.0.113.0/24`, `198.51.100.0/24` ]"), 3, "no address to call" },
	{ DEAD("[ `203.0.113.0/24`, `198.51.100.1` ]"), 0, NULL },
	{ DEAD("`gw.example`"), 0, NULL },
	/* what has no effect */
	{ PARIS("\non_dead = `on-demand`;"), 2, "start is passive" },
	{ PARIS("\non_dead = `on-demand`; start = `always`;"), 0, NULL },
	{ PARIS("\non_dead = `drop`;"), 0, NULL },
	{ PARIS("\nreauth = `24h`;"), 2, "reauth does nothing where the peer calls" },
	{ PARIS("\nreauth = `24h`; start = `on-demand`;"), 0, NULL },
	/* what ends in the midst of traffic */
	{ PARIS("rekey = { child = `never`; };\nexpire = { child = `1h`; };"), 2,
	    "expire.child ends what nothing rekeys before" },
	{ PARIS("rekey = { ike = `never`; };\nexpire = { ike = `1h`; };"), 2,
	    "write rekey.ike, too" },
	{ PARIS("\nexpire = { bytes = `1G`; };"), 2, "write rekey.bytes, too" },
	{ PARIS("\nexpire = { packets = 5000; };"), 2, "write rekey.packets, too" },
	{ PARIS("rekey = { child = `never`; ike = `never`; };"), 0, NULL },
	{ PARIS("rekey = { bytes = `1G`; }; expire = { bytes = `2G`; };"), 0, NULL },
	/* what never ends */
	{ PARIS("\nrekey = { bytes = `64`; };"), 2, "rekey.bytes is 64 octets" },
	{ PARIS("\nrekey = { bytes = `1M`; };"), 0, NULL },
	{ PARIS("\nrekey = { packets = 999; };"), 2, "rekey.packets is 999" },
	{ PARIS("\nrekey = { packets = 1000; };"), 0, NULL },
};

START_TEST(warning_at_its_line)
{
	warn(rows[_i].text);
	ck_assert_msg(loaded.faults.n == (rows[_i].words != NULL), "of %s: %s",
	    rows[_i].text, config_faults(&loaded));
	if (rows[_i].words == NULL)
		return;
	ck_assert_msg(loaded.faults.v[0].line == rows[_i].line &&
	    config_says(loaded.faults.v[0].text, rows[_i].words), "of %s: %s",
	    rows[_i].text, config_faults(&loaded));
	ck_assert_msg(strchr(loaded.faults.v[0].text, ';') != NULL,
	    "what would be right? %s", loaded.faults.v[0].text);
}
END_TEST

/* ---- overlaps ---- */

#define TUNNEL(name, start, locals, remotes) name " = { start = `" start "`; " \
	"local = { id = `a`; subnets = [ " locals " ]; }; " \
	"remote = { id = `b`; address = `203.0.113.7`; subnets = [ " remotes " ]; }; };\n"
#define TWO(la, ra, lb, rb) "connections = {\n" \
	TUNNEL("paris", "always", la, ra) TUNNEL("rome", "on-demand", lb, rb) "};"

static const struct {
	const char *text;
	const char *words;	/* of the one warning, in line 3; NULL: none */
} pairs[] = {
	{ TWO("`10.1.0.0/24`", "`10.2.0.0/24`", "`10.1.0.0/24`", "`10.3.0.0/24`"), NULL },
	{ TWO("`10.1.0.0/24`", "`10.2.0.0/24`", "`10.3.0.0/24`", "`10.2.0.0/24`"), NULL },
	{ TWO("`10.1.0.0/24`", "`10.2.0.0/25`", "`10.1.0.0/24`", "`10.2.0.128/25`"),
	    NULL },
	{ TWO("`10.1.0.0/24`", "`10.2.0.0/24`", "`10.1.0.0/24`", "`10.2.0.0/24`"),
	    "rome: 10.1.0.0/24 === 10.2.0.0/24 overlaps with 10.1.0.0/24 === 10.2.0.0/24 "
	    "of paris (" },
	{ TWO("`10.1.0.0/24`", "`10.2.0.0/24`", "`10.1.0.0/24`", "`10.2.0.0/24`"),
	    "a packet that fits both goes to rome, which is read later, so write it" },
	{ TWO("`10.1.0.0/24`", "`10.2.0.0/24`", "`10.1.0.0/24`", "`10.0.0.0/8`"),
	    "goes to paris, which is narrower" },
	{ TWO("`10.1.0.0/24`", "`0.0.0.0/0`", "`10.1.0.0/24`", "`10.2.0.0/24`"),
	    "goes to rome, which is narrower" },
	{ TWO("`10.1.0.0/25`", "`10.2.0.0/24`", "`10.1.0.0/24`", "`10.2.0.0/24`"),
	    "goes to paris, which is narrower" },
	{ TWO("`10.1.0.0/24`", "`10.2.0.0-10.2.0.9`", "`10.1.0.0/24`", "`10.2.0.9`"),
	    "goes to rome" },
	{ TWO("`10.1.0.0/24`", "`10.2.0.0-10.2.0.9`", "`10.1.0.0/24`", "`10.2.0.10`"),
	    NULL },
	{ TWO("`10.1.0.0/24`", "`10.2.0.0/24[tcp/80]`", "`10.1.0.0/24`",
	    "`10.2.0.0/24[tcp/443]`"), NULL },
	{ TWO("`10.1.0.0/24`", "`10.2.0.0/24[tcp/80]`", "`10.1.0.0/24`", "`10.2.0.0/24`"),
	    "10.2.0.0/24[tcp/80] of paris" },
	{ TWO("`10.1.0.0/24`", "`10.2.0.0/24`", "`10.1.0.0/24`, `10.9.0.0/24`",
	    "`10.7.0.0/24`, `10.2.0.0/24`, `10.2.0.0/16`"), "overlaps with" },
	{ TWO("`0.0.0.0/0`", "`0.0.0.0/0`", "`::/0`", "`::/0`"), NULL },
	{ TWO("`2001:db8:1::/64`", "`::/0`", "`2001:db8:1::/64`", "`2001:db8:2::/64`"),
	    "goes to rome" },
	/* its networks come with the peer */
	{ "connections = {\n" TUNNEL("paris", "passive", "`10.1.0.0/24`", "`10.2.0.0/24`")
	    TUNNEL("rome", "always", "`10.1.0.0/24`", "`10.2.0.0/24`") "};", NULL },
	/* one connection may have it in two children */
	{ "connections = {\n" TUNNEL("paris", "always", "`10.1.0.0/24`",
	    "`10.2.0.0/24`, `10.2.0.0/16`") "};", NULL },
};

START_TEST(overlap_of_two)
{
	char place[4096];

	warn(pairs[_i].text);
	ck_assert_msg(loaded.faults.n == (pairs[_i].words != NULL), "of %s: %s",
	    pairs[_i].text, config_faults(&loaded));
	if (pairs[_i].words == NULL)
		return;
	ck_assert_msg(loaded.faults.v[0].line == 3 &&
	    config_says(loaded.faults.v[0].text, pairs[_i].words), "of %s: %s",
	    pairs[_i].text, config_faults(&loaded));
	snprintf(place, sizeof(place), "(%s/ikev.conf:2)", files_folder());
	ck_assert_msg(strstr(loaded.faults.v[0].text, place) != NULL, "%s",
	    config_faults(&loaded));
}
END_TEST

/* A configuration of n connections; `write` gives the networks of each. */
static char *
make_many(unsigned n, void (*write)(unsigned i, char *local, char *remote, size_t size))
{
	size_t size = (size_t)n * 256 + 64, at;
	char *text = malloc(size), local[64], remote[64];
	unsigned i;

	at = (size_t)snprintf(text, size, "connections = (");
	for (i = 0; i < n; i++) {
		write(i, local, remote, sizeof(local));
		at += (size_t)snprintf(text + at, size - at,
		    "%s\n{ name = `c%u`; start = `always`; local = { id = `a`; "
		    "subnets = `%s`; }; remote = { id = `b`; address = `203.0.113.7`; "
		    "subnets = `%s`; }; }", i > 0 ? "," : "", i, local, remote);
	}
	snprintf(text + at, size - at, ");");
	return text;
}

static uint64_t dice;

/* Few and of all sizes, so that some meet. */
static void
write_random(unsigned i, char *local, char *remote, size_t size)
{
	uint32_t net = (uint32_t)next_random(&dice), other = (uint32_t)next_random(&dice);
	unsigned bits = 24 + (unsigned)(next_random(&dice) % 9);
	uint32_t mask = UINT32_MAX << (32 - bits);

	(void)i;
	net &= mask;
	snprintf(remote, size, "10.2.%u.%u/%u", net >> 8 & 7, net & 255, bits);
	snprintf(local, size, "10.1.%u.%u-10.1.%u.%u", other >> 8 & 3, other & 127,
	    (other >> 8 & 3) + (other >> 16 & 1), 128 + (other >> 24 & 127));
}

static bool
meets_an_earlier(unsigned at)
{
	const struct ike_connection_child *b =
	    loaded.c->connections[at].connection->children;
	struct esp_range both;
	unsigned i;

	for (i = 0; i < at; i++) {
		const struct ike_connection_child *a =
		    loaded.c->connections[i].connection->children;

		if (esp_range_intersect(a->local.v, b->local.v, &both) &&
		    esp_range_intersect(a->remote.v, b->remote.v, &both))
			return true;
	}
	return false;
}

/* The sweep finds what comparing each with each finds. */
START_TEST(overlaps_as_by_brute_force)
{
	unsigned i, k, expected;
	char *text;

	dice = (uint64_t)_i + 1;
	text = make_many(10 + 10 * (unsigned)_i, write_random);
	warn(text);
	free(text);
	for (i = expected = 0; i < loaded.c->n_connections; i++) {
		if (!meets_an_earlier(i))
			continue;
		expected++;
		for (k = 0; k < loaded.faults.n; k++)
			if (loaded.faults.v[k].line == i + 2)
				break;
		ck_assert_msg(k < loaded.faults.n, "c%u is not warned of:\n%s", i,
		    config_faults(&loaded));
	}
	ck_assert_uint_eq(loaded.faults.n, expected);
}
END_TEST

static void
write_hub(unsigned i, char *local, char *remote, size_t size)
{
	snprintf(local, size, "10.0.0.0/8");
	snprintf(remote, size, "172.16.%u.%u", i >> 8, i & 255);
}

static void
write_spoke(unsigned i, char *local, char *remote, size_t size)
{
	write_hub(i, remote, local, size);
}

static void
write_same(unsigned i, char *local, char *remote, size_t size)
{
	write_hub(i & 0, remote, local, size);
}

/* Many are no matter of minutes, as they would be compared each with each. */
START_TEST(overlaps_of_many)
{
	static const struct {
		void (*write)(unsigned, char *, char *, size_t);
		unsigned warnings;
	} kinds[] = { { write_hub, 0 }, { write_spoke, 0 }, { write_same, 5999 } };
	char *text = make_many(6000, kinds[_i].write);

	warn(text);
	free(text);
	ck_assert_uint_eq(loaded.faults.n, kinds[_i].warnings);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("warn");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, compat_warned_of);
	tcase_add_loop_test(t, warning_at_its_line, 0, ROWS(rows));
	tcase_add_loop_test(t, overlap_of_two, 0, ROWS(pairs));
	tcase_add_loop_test(t, overlaps_as_by_brute_force, 0, 12);
	tcase_add_loop_test(t, overlaps_of_many, 0, 3);
	return run_tests("warn", t);
}
