#include <check.h>
#include <stdlib.h>

#include "libike/id.h"
#include "tests/unit/octets.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

static const struct {
	const char *text;
	uint8_t type;
	const char *data;	/* hexadecimal; NULL: the text itself */
} good[] = {
	{ "192.0.2.7", IKE_ID_IPV4_ADDR, "c0000207" },
	{ "0.0.0.0", IKE_ID_IPV4_ADDR, "00000000" },
	{ "2001:db8::1", IKE_ID_IPV6_ADDR, "20010db8000000000000000000000001" },
	{ "::", IKE_ID_IPV6_ADDR, "00000000000000000000000000000000" },
	{ "gw.berlin.example", IKE_ID_FQDN, NULL },
	{ "Gw-1_x.Example", IKE_ID_FQDN, NULL },
	{ "berlin", IKE_ID_FQDN, NULL },
	{ "1.2.3.4a", IKE_ID_FQDN, NULL },
	{ "@gw.berlin.example", IKE_ID_FQDN, "67772e6265726c696e2e6578616d706c65" },
	{ "@10.0.0.1", IKE_ID_FQDN, "31302e302e302e31" },
	{ "anna@berlin.example", IKE_ID_RFC822_ADDR, NULL },
	{ "a+b/c=d@x", IKE_ID_RFC822_ADDR, NULL },
	{ "keyid:abc", IKE_ID_KEY_ID, "616263" },
	{ "keyid:0x00ff", IKE_ID_KEY_ID, "00ff" },
	{ "keyid:0X0aF0", IKE_ID_KEY_ID, "0af0" },
	{ "keyid:192.0.2.7", IKE_ID_KEY_ID, "3139322e302e322e37" },
	{ "keyid:a b", IKE_ID_KEY_ID, "612062" }
};

START_TEST(id_parse_good)
{
	const char *text = good[_i].text, *why = NULL;
	struct bytes want = good[_i].data != NULL ? octets(good[_i].data) :
	    octets_prefix(bytes_of(text, strlen(text)), strlen(text));
	struct ike_identity id;

	ck_assert_msg(ike_id_parse(text, &id, &why), "%s: %s", text, why);
	ck_assert_uint_eq(id.type, good[_i].type);
	ck_assert(bytes_equal(id.data, want));
	ike_id_free(&id);
	ck_assert_ptr_null(id.data.p);
	octets_free(want);
}
END_TEST

static const char *const bad[] = {
	"", " ", "a b", "a..b", ".a", "a.", "192.0.2", "192.0.2.300", "10.0.0.0/8",
	"10.0.0.1-10.0.0.2", "10.0.0.1[tcp]", "2001:db8::/32", "2001:db8:::1", "a:b", "@",
	"@@a", "@a b", "a@", "@a@b", "a@b@c", "a@b c", "a b@c", "a\\b@c", "a@b..c",
	"a\x7f@b", "caf\xc3\xa9.example", "keyid:", "keyid:0x", "keyid:0x0", "keyid:0x0g",
	"keyid:0x 00", "C=DE, O=x", "a/b", "*.example"
};

START_TEST(id_parse_bad)
{
	const char *why = NULL;
	struct ike_identity id = { 99, { NULL, 5 } };

	ck_assert_msg(!ike_id_parse(bad[_i], &id, &why), "\"%s\" is an identity",
	    bad[_i]);
	ck_assert_ptr_nonnull(why);
	ck_assert_uint_gt(strlen(why), 0);
	ck_assert_uint_eq(id.type, 99);
	ck_assert_uint_eq(id.data.len, 5);
}
END_TEST

/* Labels of 63 and 64, names of 253 and 254, users of 64 and 65, key ids of 1024 and
 * 1025. */
START_TEST(id_parse_limits)
{
	static const struct {
		const char *prefix;
		unsigned length, dots_every;
		const char *suffix;
		bool good;
	} rows[] = {
		{ "", 63, 100, "", true }, { "", 64, 100, "", false },
		{ "", 253, 50, "", true }, { "", 254, 50, "", false },
		{ "", 64, 100, "@b", true }, { "", 65, 100, "@b", false },
		{ "keyid:", 1024, 2000, "", true }, { "keyid:", 1025, 2000, "", false },
		{ "keyid:0x", 2048, 3000, "", true },
		{ "keyid:0x", 2050, 3000, "", false }
	};

	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[4096];
		size_t n = strlen(rows[i].prefix);
		struct ike_identity id;
		const char *why;
		bool parsed;

		strcpy(text, rows[i].prefix);
		for (unsigned j = 1; j <= rows[i].length; j++)
			text[n++] = j % rows[i].dots_every == 0 ? '.' : 'a';
		strcpy(text + n, rows[i].suffix);
		parsed = ike_id_parse(text, &id, &why);
		ck_assert_msg(parsed == rows[i].good, "row %u", i);
		if (parsed)
			ike_id_free(&id);
	}
}
END_TEST

/* ---- equality ---- */

static const struct {
	uint8_t type[2];
	const char *a, *b;
	bool equal;
} pairs[] = {
	{ { 2, 2 }, "gw.example", "gw.example", true },
	{ { 2, 2 }, "GW.Example", "gw.eXample", true },
	{ { 2, 2 }, "gw.example", "gw.exampl", false },
	{ { 2, 2 }, "gw.example", "gx.example", false },
	{ { 2, 3 }, "gw.example", "gw.example", false },
	{ { 2, 11 }, "gw.example", "gw.example", false },
	{ { 3, 3 }, "anna@Berlin.Example", "anna@berlin.example", true },
	{ { 3, 3 }, "Anna@berlin.example", "anna@berlin.example", false },
	{ { 3, 3 }, "no-at-here", "NO-AT-HERE", false },
	{ { 11, 11 }, "Key", "key", false },
	{ { 11, 11 }, "key", "key", true },
	{ { 1, 1 }, "AAAA", "aaaa", false },
	/* strongSwan CVE-2013-6075: octets, not parsing */
	{ { 9, 9 }, "AAAA", "aaaa", false },
	{ { 9, 9 }, "", "", true },
	{ { 2, 2 }, "", "", true },
	{ { 2, 2 }, "@", "`", false },		/* 0x20 apart, and no letters */
	{ { 2, 2 }, "[", "{", false }
};

START_TEST(id_equality)
{
	const char *a_text = pairs[_i].a, *b_text = pairs[_i].b;
	struct ike_identity a = { pairs[_i].type[0], bytes_of(a_text, strlen(a_text)) };
	struct ike_identity b = { pairs[_i].type[1], bytes_of(b_text, strlen(b_text)) };

	ck_assert_int_eq(ike_id_equal(&a, &b), pairs[_i].equal);
	ck_assert_int_eq(ike_id_equal(&b, &a), pairs[_i].equal);
	ck_assert(ike_id_equal(&a, &a));
}
END_TEST

/* A NUL ends nothing. */
START_TEST(id_equality_beyond_nul)
{
	struct ike_identity a = { IKE_ID_FQDN, bytes_of("gw\0a", 4) };
	struct ike_identity b = { IKE_ID_FQDN, bytes_of("gw\0b", 4) };

	ck_assert(!ike_id_equal(&a, &b));
}
END_TEST

/* ---- text ---- */

static const struct {
	uint8_t type;
	const char *data, *want;
} texts[] = {
	{ 1, "c0000207", "192.0.2.7" },
	{ 1, "", "ipv4:0x" },
	{ 1, "c00002", "ipv4:0xc00002" },
	{ 1, "c000020700", "ipv4:0xc000020700" },
	{ 5, "20010db8000000000000000000000001", "2001:db8::1" },
	{ 5, "c0000207", "ipv6:0xc0000207" },
	{ 2, "67772e6578616d706c65", "gw.example" },
	{ 2, "31302e302e302e31", "@10.0.0.1" },		/* a name, not the address */
	{ 2, "616e6e614062", "@anna@b" },
	{ 2, "6b657969643a61", "@keyid:a" },
	{ 2, "", "@" },
	{ 2, "61006209ff5c", "@a\\x00b\\x09\\xff\\x5c" },
	{ 3, "616e6e614062", "anna@b" },
	{ 3, "62", "rfc822:b" },
	{ 3, "61406220", "rfc822:a@b\\x20" },
	{ 11, "616263", "keyid:abc" },
	{ 11, "3078", "keyid:0x3078" },			/* its own text begins with 0x */
	{ 11, "00ff", "keyid:0x00ff" },
	{ 11, "", "keyid:0x" },
	{ 9, "3000", "id9:0x3000" },
	{ 0, "", "id0:0x" },
	{ 255, "01", "id255:0x01" }
};

START_TEST(id_print_table)
{
	struct bytes data = octets(texts[_i].data);
	char text[128];

	ck_assert_str_eq(ike_id_print(texts[_i].type, data, text, sizeof text),
	    texts[_i].want);
	octets_free(data);
}
END_TEST

/* What is printed for an identity of the configuration reads back as that identity. */
START_TEST(id_print_reads_back)
{
	struct ike_identity id, back;
	const char *why;
	char text[128];

	ck_assert(ike_id_parse(good[_i].text, &id, &why));
	ike_id_print(id.type, id.data, text, sizeof text);
	ck_assert_msg(ike_id_parse(text, &back, &why), "%s: %s", text, why);
	ck_assert_uint_eq(id.type, back.type);
	ck_assert(bytes_equal(id.data, back.data));
	ike_id_free(&id);
	ike_id_free(&back);
}
END_TEST

/* A peer's octets, however many and whatever (WatchGuard CVE-2025-9242): printable,
 * terminated and inside the buffer; and what does not fit says so. */
START_TEST(id_print_anything)
{
	static const size_t lengths[] = { 0, 1, 3, 4, 5, 15, 16, 17, 255, 4096, 60000 };
	uint64_t seed = 9242;

	for (unsigned type = 0; type <= 255; type++)
		for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
			uint8_t *data = malloc(lengths[i]);
			size_t size = 1 + next_random(&seed) % 200;
			char *text = malloc(size);
			bool ok;

			fill_random(&seed, data, lengths[i]);
			ok = ike_id_print((uint8_t)type, bytes_of(data, lengths[i]), text,
			    size) == text && memchr(text, '\0', size) != NULL;
			for (size_t j = 0; ok && text[j] != '\0'; j++)
				ok = text[j] > ' ' && text[j] < 0x7f;
			if (ok && lengths[i] >= 255)
				ok = size < 4 || strstr(text, "...") != NULL;
			if (!ok)
				ck_abort_msg("type %u, %zu octets in %zu", type,
				    lengths[i], size);
			free(text);
			free(data);
		}
}
END_TEST

START_TEST(id_print_cut)
{
	for (size_t size = 1; size <= 24; size++) {
		char *text = malloc(size);
		size_t kept = size < 4 ? 0 : size - 4;

		ike_id_print(IKE_ID_FQDN, bytes_of("gw.berlin.example", 17), text, size);
		if (size > 20)
			ck_assert_str_eq(text, "gw.berlin.example");
		else {
			ck_assert_uint_eq(strlen(text), size - 1);
			ck_assert_mem_eq(text, "gw.berlin.example", kept);
			ck_assert_mem_eq(text + kept, "...", size - 1 - kept);
		}
		free(text);
	}
	(void)ike_id_print(IKE_ID_FQDN, bytes_of("a", 1), NULL, 0);
}
END_TEST

static const struct {
	const char *pattern, *id;
	bool matches;
} patterns[] = {
	{ "%any", "anna@berlin.example", true },
	{ "%any", "192.0.2.7", true },
	{ "%any", "keyid:0x00", true },
	{ "*.berlin.example", "gw.berlin.example", true },
	{ "*.berlin.example", "GW.Berlin.Example", true },
	{ "*.berlin.example", "a.b.berlin.example", true },
	{ "*.berlin.example", "berlin.example", false },
	{ "*.berlin.example", "gwberlin.example", false },
	{ "*.berlin.example", "anna@gw.berlin.example", false },
	{ "*.berlin.example", "keyid:gw.berlin.example", false },
	{ "*@berlin.example", "anna@berlin.example", true },
	{ "*@berlin.example", "anna@BERLIN.example", true },
	{ "*@berlin.example", "anna@gw.berlin.example", false },
	{ "*@berlin.example", "gw.berlin.example", false },
	{ "gw.berlin.example", "GW.berlin.example", true },
	{ "gw.berlin.example", "x.berlin.example", false }
};

START_TEST(id_pattern_means)
{
	struct ike_identity pattern, id;
	char text[64];
	const char *why;

	ck_assert(ike_id_parse_pattern(patterns[_i].pattern, &pattern, &why));
	ck_assert(ike_id_parse(patterns[_i].id, &id, &why));
	ck_assert(ike_id_matches(&pattern, &id) == patterns[_i].matches);
	ck_assert(!ike_id_is_pattern(&id));
	ck_assert(ike_id_is_pattern(&pattern) == (strpbrk(patterns[_i].pattern, "*%") !=
	    NULL));
	ck_assert_str_eq(ike_id_print(pattern.type, pattern.data, text, sizeof(text)),
	    patterns[_i].pattern);
	ike_id_free(&pattern);
	ike_id_free(&id);
}
END_TEST

/* Who claims to be a pattern, or nothing at all, is nobody that a pattern means. */
START_TEST(id_pattern_is_nobody)
{
	const struct ike_identity claims[] = {
		{ IKE_ID_ANY, bytes_of(NULL, 0) }, { IKE_ID_FQDN, bytes_of(NULL, 0) },
		{ IKE_ID_ANY, bytes_of("x", 1) },
		{ IKE_ID_FQDN, bytes_of("*.berlin.example", 16) },
		{ IKE_ID_RFC822_ADDR, bytes_of("*@berlin.example", 16) },
		{ IKE_ID_FQDN, bytes_of("x.berlin.example\0", 17) }
	};
	static const char *const texts_of[] = {
		"%any", "*.berlin.example", "*@berlin.example"
	};
	struct ike_identity pattern;
	const char *why;

	for (size_t k = 0; k < sizeof(texts_of) / sizeof(texts_of[0]); k++) {
		ck_assert(ike_id_parse_pattern(texts_of[k], &pattern, &why));
		for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++)
			ck_assert_msg(!ike_id_matches(&pattern, &claims[i]) ||
			    (k == 0 && i == 5), "%s, claim %zu", texts_of[k], i);
		ike_id_free(&pattern);
	}
}
END_TEST

static const char *const no_patterns[] = {
	"*", "**", "*.", "*@", "*.*.example", "*x.example", "a.*", "*.10", "*.a..b",
	"%", "%anyone", "*@a b", ""
};

START_TEST(id_pattern_bad)
{
	struct ike_identity id = { 99, { NULL, 5 } };
	const char *why = NULL;

	ck_assert(!ike_id_parse_pattern(no_patterns[_i], &id, &why));
	ck_assert_ptr_nonnull(why);
	ck_assert_uint_eq(id.type, 99);
}
END_TEST

#define ROWS(table) (int)(sizeof (table) / sizeof *(table))

int
main(void)
{
	TCase *tcase = tcase_create("id");

	tcase_add_loop_test(tcase, id_parse_good, 0, ROWS(good));
	tcase_add_loop_test(tcase, id_parse_bad, 0, ROWS(bad));
	tcase_add_test(tcase, id_parse_limits);
	tcase_add_loop_test(tcase, id_equality, 0, ROWS(pairs));
	tcase_add_test(tcase, id_equality_beyond_nul);
	tcase_add_loop_test(tcase, id_print_table, 0, ROWS(texts));
	tcase_add_loop_test(tcase, id_print_reads_back, 0, ROWS(good));
	tcase_add_test(tcase, id_print_anything);
	tcase_add_test(tcase, id_print_cut);
	tcase_add_loop_test(tcase, id_pattern_means, 0, ROWS(patterns));
	tcase_add_test(tcase, id_pattern_is_nobody);
	tcase_add_loop_test(tcase, id_pattern_bad, 0, ROWS(no_patterns));
	return run_tests("id", tcase);
}
