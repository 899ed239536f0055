#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/explain.h"
#include "tests/unit/files.h"
#include "tests/unit/run.h"

#define ROWS(a) ((int)(sizeof(a) / sizeof((a)[0])))

static struct faults faults;
static struct configuration *c;

static void
teardown(void)
{
	configuration_free(c);
	faults_free(&faults);
	files_remove();
}

static const char plain[] =
    "connections = {\n"
    "  paris = {\n"
    "    local = { id = \"berlin\"; subnets = [ \"10.1.0.0/24\" ]; };\n"
    "    remote = { address = \"gw.paris.example\"; id = \"paris\";\n"
    "      subnets = [ \"10.2.0.0/24\" ]; };\n"
    "    ike = [ \"aes256-sha256-modp2048\" ];\n"
    "  };\n"
    "};\n";

static const char with_children[] =
    "connections = {\n"
    "  paris = {\n"
    "    local = { id = \"berlin\"; };\n"
    "    remote = { address = \"gw.paris.example\"; id = \"paris\"; };\n"
    "    children = { lan = { local = \"10.1.0.0/24\"; remote = \"10.2.0.0/24\"; }; };\n"
    "  };\n"
    "};\n";

static const char with_addresses[] =
    "connections = {\n"
    "  paris = {\n"
    "    local = { address = \"192.0.2.1\"; id = \"a\"; subnets = \"10.1.0.0/24\"; };\n"
    "    remote = { address = \"203.0.113.7\"; id = \"b\";\n"
    "      subnets = \"10.2.0.0/24\"; };\n"
    "  };\n"
    "};\n";

static void
load(const char *text)
{
	const char *path = files_write("ikev.conf", text, strlen(text), 0600);

	c = configuration_load(path, &faults);
	ck_assert_ptr_nonnull(c);
}

/* The refusal's text, in which the path of the file has become "FILE". */
static const char *
explained(const char *file, struct ike_refusal refusal, const char *setting)
{
	static char out[4096];
	char *text, *p, *rest;
	size_t len;

	load(file);
	refusal.setting = setting;
	text = explain_refusal(c->connections, "/etc/s", &refusal);
	ck_assert_ptr_nonnull(text);
	out[0] = '\0';
	len = strlen(c->file);
	for (rest = text; (p = strstr(rest, c->file)) != NULL; rest = p + len) {
		strncat(out, rest, (size_t)(p - rest));
		strcat(out, "FILE");
	}
	strcat(out, rest);
	free(text);
	return out;
}

/* No text of a refusal is NULL. */
static struct ike_refusal
fill(struct ike_refusal refusal)
{
	const char **texts[] = { &refusal.what, &refusal.ours, &refusal.theirs,
		&refusal.difference, &refusal.setting, &refusal.child };
	unsigned i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (*texts[i] == NULL)
			*texts[i] = "";
	return refusal;
}

#define REFUSAL(...) fill((struct ike_refusal){ __VA_ARGS__ })

START_TEST(refusal_of_proposals)
{
	ck_assert_str_eq(explained(plain, REFUSAL(.error = IKE_NO_PROPOSAL_CHOSEN,
	    .what = "no IKE proposal in common",
	    .ours = "aes256-sha256-prfsha256-modp2048",
	    .theirs = "aes128-sha1-modp1024, aes256gcm16-prfsha384-ecp384",
	    .difference = "no KE in common"), "ike"),
	    "paris: no IKE proposal in common: no KE in common\n"
	    "ours:   aes256-sha256-prfsha256-modp2048\n"
	    "theirs: aes128-sha1-modp1024, aes256gcm16-prfsha384-ecp384\n"
	    "FILE:6 says: ike = [ \"aes256-sha256-modp2048\" ];\n"
	    "this would agree with the peer: ike = [ \"aes256-sha256-modp2048\", "
	    "\"aes256gcm16-prfsha384-ecp384\" ];");
}
END_TEST

START_TEST(refusal_of_default_proposals)
{
	ck_assert_str_eq(explained(plain, REFUSAL(.what = "no ESP proposal in common",
	    .theirs = "aes192-sha512"), "esp"),
	    "paris: no ESP proposal in common\n"
	    "theirs: aes192-sha512\n"
	    "FILE:2 leaves esp as it is by default\n"
	    "this would agree with the peer: esp = [ \"default\", \"aes192-sha512\" ];");
}
END_TEST

/* What is weak is not offered as a remedy. */
START_TEST(refusal_of_weak_proposals)
{
	ck_assert_str_eq(explained(plain, REFUSAL(.what = "no IKE proposal in common",
	    .theirs = "3des-sha1-modp1024, encr_99-prf_7"), "ike"),
	    "paris: no IKE proposal in common\n"
	    "theirs: 3des-sha1-modp1024, encr_99-prf_7\n"
	    "FILE:6 says: ike = [ \"aes256-sha256-modp2048\" ];\n"
	    "nothing of theirs is known here and safe; the peer's side must change and "
	    "allow, for instance, aes256-sha256-modp2048");
}
END_TEST

/* Where there is nothing else, with the key that allows it. */
START_TEST(refusal_of_old_proposals)
{
	ck_assert_str_eq(explained(plain, REFUSAL(.what = "no IKE proposal in common",
	    .theirs = "3des-sha1-modp1024, aes128-sha1-prfsha1-modp2048"), "ike"),
	    "paris: no IKE proposal in common\n"
	    "theirs: 3des-sha1-modp1024, aes128-sha1-prfsha1-modp2048\n"
	    "FILE:6 says: ike = [ \"aes256-sha256-modp2048\" ];\n"
	    "what they offer is weak; the peer's side should change and allow, for "
	    "instance, aes256-sha256-modp2048\n"
	    "if it cannot, this would agree with it: ike = [ "
	    "\"aes256-sha256-modp2048\", \"aes128-sha1-prfsha1-modp2048\" ]; "
	    "compat = \"sha1\";");
}
END_TEST

START_TEST(refusal_of_old_and_other_proposals)
{
	ck_assert_str_eq(explained(plain, REFUSAL(.what = "no ESP proposal in common",
	    .theirs = "aes128-sha1, aes192-sha1, aes192-sha512, aes192-sha256"), "esp"),
	    "paris: no ESP proposal in common\n"
	    "theirs: aes128-sha1, aes192-sha1, aes192-sha512, aes192-sha256\n"
	    "FILE:2 leaves esp as it is by default\n"
	    "this would agree with the peer: esp = [ \"default\", \"aes192-sha512\" ];");
}
END_TEST

/* The name of an error is no proposal. */
START_TEST(refusal_by_the_peer)
{
	ck_assert_str_eq(explained(plain, REFUSAL(.by_peer = true,
	    .what = "the peer accepts none of our IKE proposals",
	    .ours = "aes256-sha256-modp2048",
	    .theirs = "NO_PROPOSAL_CHOSEN"), "ike"),
	    "paris: the peer accepts none of our IKE proposals\n"
	    "ours:   aes256-sha256-modp2048\n"
	    "theirs: NO_PROPOSAL_CHOSEN\n"
	    "FILE:6 says: ike = [ \"aes256-sha256-modp2048\" ];\n"
	    "this would offer what nearly every peer allows, too: "
	    "ike = [ \"aes256-sha256-modp2048\", \"default\" ];");
}
END_TEST

START_TEST(refusal_of_an_identity)
{
	ck_assert_str_eq(explained(plain, REFUSAL(
	    .what = "the peer says it is somebody else",
	    .ours = "paris", .theirs = "rome"), "remote.id"),
	    "paris: the peer says it is somebody else\n"
	    "ours:   paris\n"
	    "theirs: rome\n"
	    "FILE:4 says: id = \"paris\";\n"
	    "this would agree with the peer: id = \"rome\";");
}
END_TEST

START_TEST(refusal_of_a_secret)
{
	ck_assert_str_eq(explained(plain, REFUSAL(.what = "the secrets differ"),
	    "secret"),
	    "paris: the secrets differ\n"
	    "/etc/s/paris.psk has our secret; the peer must have the same octets");
}
END_TEST

START_TEST(refusal_of_our_secret_by_the_peer)
{
	ck_assert_str_eq(explained(plain, REFUSAL(.by_peer = true, .what = "not accepted",
	    .theirs = "AUTHENTICATION_FAILED"), "secret"),
	    "paris: not accepted\n"
	    "theirs: AUTHENTICATION_FAILED\n"
	    "/etc/s/paris.psk has our secret; the peer must have the same octets\n"
	    "FILE:3 says: id = \"berlin\";\n"
	    "the peer must know us by this identity");
}
END_TEST

START_TEST(refusal_of_selectors)
{
	ck_assert_str_eq(explained(plain, REFUSAL(.what = "nothing in common",
	    .ours = "10.1.0.0/24 === 10.2.0.0/24",
	    .theirs = "10.1.5.0/24 10.1.7.0/24 === 10.2.0.0/16[tcp/80]"), "subnets"),
	    "paris: nothing in common\n"
	    "ours:   10.1.0.0/24 === 10.2.0.0/24\n"
	    "theirs: 10.1.5.0/24 10.1.7.0/24 === 10.2.0.0/16[tcp/80]\n"
	    "FILE:3 says: subnets = [ \"10.1.0.0/24\" ];\n"
	    "FILE:5 says: subnets = [ \"10.2.0.0/24\" ];\n"
	    "this would agree with the peer: local = { subnets = [ \"10.1.5.0/24\", "
	    "\"10.1.7.0/24\" ]; }; remote = { subnets = [ \"10.2.0.0/16[tcp/80]\" ]; };");
}
END_TEST

START_TEST(refusal_of_a_child_s_selectors)
{
	ck_assert_str_eq(explained(with_children, REFUSAL(.what = "nothing in common",
	    .theirs = "10.1.5.0/24 === 10.2.0.0/16"), "subnets"),
	    "paris: nothing in common\n"
	    "theirs: 10.1.5.0/24 === 10.2.0.0/16\n"
	    "FILE:5 has children\n"
	    "this would agree with the peer, in a child: local = [ \"10.1.5.0/24\" ]; "
	    "remote = [ \"10.2.0.0/16\" ];");
}
END_TEST

START_TEST(refusal_of_a_name)
{
	ck_assert_str_eq(explained(plain, REFUSAL(.error = IKE_UNRESOLVED,
	    .what = "no such name", .ours = "gw.paris.example"), "remote.address"),
	    "paris: no such name\n"
	    "ours:   gw.paris.example\n"
	    "FILE:4 says: address = \"gw.paris.example\";\n"
	    "is the name right, and does a name server answer?");
}
END_TEST

START_TEST(refusal_of_an_address)
{
	ck_assert_str_eq(explained(with_addresses, REFUSAL(.error = IKE_UNRESOLVED,
	    .what = "no route"), "remote.address"),
	    "paris: no route\n"
	    "FILE:4 says: address = \"203.0.113.7\";\n"
	    "FILE:3 says: address = \"192.0.2.1\";\n"
	    "is there a route to it, from an address of this host?");
}
END_TEST

START_TEST(refusal_of_one_of_several_addresses)
{
	static const char several[] =
	    "connections = { paris = {\n"
	    "local = { id = \"berlin\"; subnets = \"10.1.0.0/24\"; };\n"
	    "remote = { id = \"paris\"; subnets = \"10.2.0.0/24\";\n"
	    "address = [ \"203.0.113.7\", \"gw.paris.example\" ]; };\n"
	    "}; };";

	ck_assert_str_eq(explained(several, REFUSAL(.error = IKE_UNRESOLVED,
	    .what = "no such name", .ours = "gw.paris.example"), "remote.address"),
	    "paris: no such name\n"
	    "ours:   gw.paris.example\n"
	    "FILE:4 says: address = [ \"203.0.113.7\", \"gw.paris.example\" ];\n"
	    "is the name right, and does a name server answer?");
}
END_TEST

#define GROUPS(pfs) \
	"connections = { paris = {\n" \
	"local = { id = \"berlin\"; subnets = \"10.1.0.0/24\"; };\n" \
	"remote = { id = \"b\"; subnets = \"10.2.0.0/24\"; " \
	"address = \"192.0.2.1\"; };\n" \
	"pfs = \"" pfs "\"; esp = \"aes256gcm16-x25519\"; }; };"

/* What one side demands and the other refuses: it is so, or perhaps so, or, in IKE_AUTH,
 * where there are no groups, not so. */
static const struct {
	const char *file, *ours, *theirs, *difference;	/* ours NULL: refused here */
	const char *begins, *ends;			/* NULL: nothing of pfs */
} groups[] = {
	{ GROUPS("require"), NULL, "aes256gcm16-noesn", "no KE in common",
	    "FILE:4 says: pfs = \"require\";\nthis would agree with the peer, whatever "
	    "it has: pfs = \"prefer\";", "" },
	{ GROUPS("off"), NULL, "aes256gcm16-x25519-noesn", "no KE in common",
	    "FILE:4 says: pfs = \"off\";\nthis would agree with the peer, whatever "
	    "it has: pfs = \"prefer\";", "" },
	{ GROUPS("require"), NULL, "aes128gcm16-noesn", "no ENCR in common", NULL, NULL },
	{ GROUPS("require"), "aes256gcm16-x25519-noesn-esn", "NO_PROPOSAL_CHOSEN", "",
	    "FILE:4 says: pfs = \"require\";\nif it is the key exchange of Child SAs "
	    "that the two sides see differently, this would agree with the peer, "
	    "whatever it has: pfs = \"prefer\";",
	    "\nFILE:4 says: esp = \"aes256gcm16-x25519\";\n"
	    "this would offer what nearly every peer allows, too: "
	    "esp = [ \"aes256gcm16-x25519\", \"default\" ];" },
	{ GROUPS("off"), "aes256gcm16-noesn-esn", "NO_PROPOSAL_CHOSEN", "",
	    "FILE:4 says: pfs = \"off\";\nif it is the key exchange of Child SAs "
	    "that the two sides see differently, this would agree with the peer, "
	    "whatever it has: pfs = \"prefer\";",
	    "\nFILE:4 says: esp = \"aes256gcm16-x25519\";\n"
	    "this would offer what nearly every peer allows, too: "
	    "esp = [ \"aes256gcm16-x25519\", \"default\" ];" },
	{ GROUPS("require"), "aes256gcm16-noesn-esn", "NO_PROPOSAL_CHOSEN", "", NULL,
	    NULL },
	{ GROUPS("prefer"), "aes256gcm16-x25519-modpnone-noesn-esn",
	    "NO_PROPOSAL_CHOSEN", "", NULL, NULL },
};

START_TEST(refusal_of_groups)
{
	const char *ours = groups[_i].ours, *found;
	const char *text = explained(groups[_i].file, REFUSAL(.what = "refused",
	    .by_peer = ours != NULL, .ours = ours != NULL ? ours : "",
	    .theirs = groups[_i].theirs, .difference = groups[_i].difference), "esp");

	if (groups[_i].begins == NULL) {
		ck_assert_msg(strstr(text, "pfs") == NULL, "%s", text);
		return;
	}
	ck_assert_msg((found = strstr(text, groups[_i].begins)) != NULL, "%s", text);
	ck_assert_str_eq(found + strlen(groups[_i].begins), groups[_i].ends);
}
END_TEST

START_TEST(refusal_of_a_second_sa)
{
	static const char keep[] =
	    "connections = { paris = {\n"
	    "local = { id = \"berlin\"; subnets = \"10.1.0.0/24\"; };\n"
	    "remote = { id = \"b\"; subnets = \"10.2.0.0/24\"; address = \"any\"; };\n"
	    "unique = \"keep\"; }; };";

	ck_assert_str_eq(explained(keep, REFUSAL(.what = "it has an SA already"),
	    "unique"),
	    "paris: it has an SA already\n"
	    "FILE:4 says: unique = \"keep\";\n"
	    "this would give the peer's new SA the place of the old one: "
	    "unique = \"replace\";");
}
END_TEST

START_TEST(refusal_without_encapsulation)
{
	ck_assert_str_eq(explained(plain, REFUSAL(.what = "the SA needs ESP without UDP"),
	    "encap"),
	    "paris: the SA needs ESP without UDP\n"
	    "FILE:2 leaves encap as it is by default\n"
	    "the peer must offer NAT traversal (RFC 3948)");
}
END_TEST

/* Who is not known by name is known by address. */
START_TEST(refusal_of_anybody)
{
	static const char anywhere[] =
	    "connections = { rome = {\n"
	    "local = { id = \"a\"; subnets = \"10.1.0.0/24\"; };\n"
	    "remote = { address = \"any\"; id = \"b\"; subnets = \"10.2.0.0/24\"; };\n"
	    "}; };";
	struct ike_refusal refusal = REFUSAL(.what = "no connection is configured",
	    .path = { .family = 4, .addr = { { 192, 0, 2, 1 }, { 203, 0, 113, 9 } } });
	char *text = explain_refusal(NULL, "/etc/s", &refusal);

	ck_assert_str_eq(text, "203.0.113.9: no connection is configured");
	free(text);
	ck_assert_str_eq(explained(anywhere, refusal, ""),
	    "rome (203.0.113.9): no connection is configured");
	refusal.path.family = 6;
	text = explain_refusal(NULL, "/etc/s", &refusal);
	ck_assert_str_eq(text, "cb00:7109::: no connection is configured");
	free(text);
}
END_TEST

/* Nothing of it is known: still a sentence, and no format of the peer's is obeyed. */
START_TEST(refusal_of_anything_else)
{
	struct ike_refusal refusal = REFUSAL(.error = IKE_TEMPORARY_FAILURE,
	    .theirs = "%s%n%s === %s");
	char *text = explain_refusal(NULL, "/etc/s", &refusal);

	ck_assert_str_eq(text, "TEMPORARY_FAILURE\ntheirs: %s%n%s === %s");
	free(text);
	ck_assert_str_eq(explained(plain, refusal, "nonsense.setting"),
	    "paris: TEMPORARY_FAILURE\ntheirs: %s%n%s === %s");
}
END_TEST

/* Values cut to fit, or never written by an engine, end up in sentences all the same. */
START_TEST(refusal_with_odd_values)
{
	static const char *const settings[] = {
		"ike", "esp", "local.id", "remote.id", "secret", "auth", "subnets"
	};
	static const char *const values[] = {
		"", ",", ", , ,", " === ", "===", "10.1.0.0/24 ===", " === 10.2.0.0/24",
		"a", "aes256-sha2", "\"", "10.1.0.0/24 === 10.2.0.0/24 === x"
	};
	struct ike_refusal refusal = REFUSAL(.what = "what");
	unsigned i, k;
	char *text;

	load(plain);
	for (i = 0; i < 7; i++) {
		for (k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
			refusal.setting = settings[i];
			refusal.theirs = values[k];
			text = explain_refusal(c->connections, "/etc/s", &refusal);
			ck_assert_ptr_nonnull(text);
			ck_assert(strncmp(text, "paris: what", 11) == 0);
			free(text);
		}
	}
}
END_TEST

START_TEST(down_for_a_reason)
{
	char expected[4096], *text;

	load(plain);
	snprintf(expected, sizeof(expected), "paris: the peer does not answer\n"
	    "%s:4 says: address = \"gw.paris.example\";\n"
	    "is it running there, and does every firewall between let UDP 500 and 4500 "
	    "pass?",
	    c->file);
	text = explain_down(c->connections, IKE_TIMEOUT);
	ck_assert_str_eq(text, expected);
	free(text);
	text = explain_down(c->connections, IKE_CLOSED);
	ck_assert_str_eq(text, "paris: the peer has closed it");
	free(text);
	text = explain_down(NULL, IKE_TIMEOUT);
	ck_assert_str_eq(text, "the peer does not answer");
	free(text);
	text = explain_down(NULL, IKE_INVALID_SYNTAX);
	ck_assert_str_eq(text, "INVALID_SYNTAX");
	free(text);
}
END_TEST

/* Whatever does not fit is cut, and the buffer is never left. */
START_TEST(sentence_cut_to_fit)
{
	const struct setting *row = NULL;
	char buf[300];
	size_t size;

	while ((row = setting_next(row)) != NULL) {
		for (size = 1; size < sizeof(buf); size += 7) {
			memset(buf, 'x', sizeof(buf));
			explain_unknown(row->scope, setting_key(row), buf, size);
			ck_assert_uint_lt(strlen(buf), size);
			ck_assert(buf[size] == 'x');
			explain_type(row, "a number", buf, size);
			ck_assert_uint_lt(strlen(buf), size);
			explain_number(row, -1, buf, size);
			ck_assert_uint_lt(strlen(buf), size);
			explain_bounds(row, buf, size);
			ck_assert_uint_lt(strlen(buf), size);
			if (row->words != NULL)
				explain_word(row, "x", buf, size);
			ck_assert_uint_lt(strlen(buf), size);
			ck_assert(buf[size] == 'x');
		}
	}
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("explain");

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, refusal_of_proposals);
	tcase_add_test(t, refusal_of_default_proposals);
	tcase_add_test(t, refusal_of_weak_proposals);
	tcase_add_test(t, refusal_of_old_proposals);
	tcase_add_test(t, refusal_of_old_and_other_proposals);
	tcase_add_test(t, refusal_by_the_peer);
	tcase_add_test(t, refusal_of_an_identity);
	tcase_add_test(t, refusal_of_a_secret);
	tcase_add_test(t, refusal_of_our_secret_by_the_peer);
	tcase_add_test(t, refusal_of_selectors);
	tcase_add_test(t, refusal_of_a_child_s_selectors);
	tcase_add_test(t, refusal_of_a_name);
	tcase_add_test(t, refusal_of_an_address);
	tcase_add_test(t, refusal_of_one_of_several_addresses);
	tcase_add_loop_test(t, refusal_of_groups, 0, ROWS(groups));
	tcase_add_test(t, refusal_of_a_second_sa);
	tcase_add_test(t, refusal_without_encapsulation);
	tcase_add_test(t, refusal_of_anybody);
	tcase_add_test(t, refusal_of_anything_else);
	tcase_add_test(t, refusal_with_odd_values);
	tcase_add_test(t, down_for_a_reason);
	tcase_add_test(t, sentence_cut_to_fit);
	return run_tests("explain", t);
}
