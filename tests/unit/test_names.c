#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "libike/ike.h"
#include "libike/payload.h"
#include "libike/proto.h"
#include "tests/unit/run.h"

/* A name is never NULL, never empty and fits where an unknown number would be printed;
 * the buffer is exactly as large as promised, so ASan sees one octet too many (libreswan
 * CVE-2015-3204). One assertion at the end: Check reports each to its parent, and these
 * are millions. */
static bool
is_name(const char *name, const char *buf, unsigned number)
{
	char digits[12];

	if (name == NULL || name[0] == '\0' || strlen(name) >= IKE_NAME_LEN)
		return false;
	snprintf(digits, sizeof digits, "%u", number);
	return name != buf || strstr(name, digits) != NULL;
}

static void
check_name(const char *name, const char *buf, unsigned number)
{
	if (!is_name(name, buf, number))
		ck_abort_msg("%u is \"%s\"", number, name == NULL ? "NULL" : name);
}

START_TEST(names_of_every_octet)
{
	char *buf = malloc(IKE_NAME_LEN);

	for (unsigned i = 0; i <= UINT8_MAX; i++) {
		check_name(ike_exchange_name((uint8_t)i, buf), buf, i);
		check_name(ike_payload_name((uint8_t)i, buf), buf, i);
		check_name(ike_transform_type_name((uint8_t)i, buf), buf, i);
	}
	free(buf);
}
END_TEST

START_TEST(names_of_every_notify)
{
	char *buf = malloc(IKE_NAME_LEN);

	for (unsigned i = 0; i <= UINT16_MAX; i++)
		check_name(ike_notify_name((uint16_t)i, buf), buf, i);
	free(buf);
}
END_TEST

START_TEST(names_of_every_transform)
{
	static const uint8_t types[] = { 0, 1, 2, 3, 4, 5, 6, 13, 255 };
	char *buf = malloc(IKE_NAME_LEN);

	for (unsigned t = 0; t < sizeof types; t++)
		for (unsigned id = 0; id <= UINT16_MAX; id++)
			check_name(ike_transform_name(types[t], (uint16_t)id, 0, buf),
			    buf, id);
	for (unsigned bits = 1; bits <= UINT16_MAX; bits++)
		check_name(ike_transform_name(IKE_ENCR, IKE_ENCR_AES_CBC, (uint16_t)bits,
		    buf), buf, bits);
	for (unsigned t = 0; t <= UINT8_MAX; t++)
		check_name(ike_transform_name((uint8_t)t, 65535, 65535, buf), buf, 65535);
	free(buf);
}
END_TEST

START_TEST(names_of_every_error)
{
	for (int i = -70000; i <= 70000; i++) {
		const char *name = ike_error_name((enum ike_error)i);

		if (name == NULL || name[0] == '\0')
			ck_abort_msg("error %d has no name", i);
	}
	ck_assert_str_eq(ike_error_name(IKE_NO_PROPOSAL_CHOSEN), "NO_PROPOSAL_CHOSEN");
	ck_assert_str_eq(ike_error_name(IKE_TIMEOUT), "timeout");
	ck_assert_str_eq(ike_error_name((enum ike_error)40), "UNACCEPTABLE_ADDRESSES");
	ck_assert_str_eq(ike_error_name((enum ike_error)3), "unknown error");
	ck_assert_str_eq(ike_error_name((enum ike_error)-99), "unknown error");
	ck_assert_str_eq(ike_error_name((enum ike_error)(65536 + 14)), "unknown error");
}
END_TEST

START_TEST(names_are_the_rfcs)
{
	char buf[IKE_NAME_LEN];

	ck_assert_str_eq(ike_exchange_name(34, buf), "IKE_SA_INIT");
	ck_assert_str_eq(ike_exchange_name(37, buf), "INFORMATIONAL");
	ck_assert_str_eq(ike_exchange_name(0, buf), "exchange 0");
	ck_assert_str_eq(ike_payload_name(33, buf), "SA");
	ck_assert_str_eq(ike_payload_name(44, buf), "TSi");
	ck_assert_str_eq(ike_payload_name(53, buf), "SKF");
	ck_assert_str_eq(ike_payload_name(1, buf), "payload 1");	/* SA of IKEv1 */
	ck_assert_str_eq(ike_notify_name(17, buf), "INVALID_KE_PAYLOAD");
	ck_assert_str_eq(ike_notify_name(16384, buf), "INITIAL_CONTACT");
	ck_assert_str_eq(ike_notify_name(16388, buf), "NAT_DETECTION_SOURCE_IP");
	ck_assert_str_eq(ike_notify_name(40960, buf), "notify 40960");
	ck_assert_str_eq(ike_transform_type_name(3, buf), "INTEG");
	ck_assert_str_eq(ike_transform_type_name(200, buf), "transform type 200");
	ck_assert_str_eq(ike_transform_name(1, 20, 256, buf), "aes256gcm16");
	ck_assert_str_eq(ike_transform_name(1, 3, 0, buf), "3des");
	ck_assert_str_eq(ike_transform_name(1, 12, 0, buf), "ENCR_12");
	ck_assert_str_eq(ike_transform_name(1, 12, 100, buf), "ENCR_12/100");
	ck_assert_str_eq(ike_transform_name(4, 1025, 0, buf), "KE_1025");
	ck_assert_str_eq(ike_transform_name(77, 9, 1, buf), "TYPE77_9/1");
}
END_TEST

static const struct {
	const char *word;
	uint8_t type;
	uint16_t id, key_bits;
} keywords[] = {	/* numbers of the IANA registry, written out */
	{ "aes128gcm16", 1, 20, 128 }, { "aes192gcm16", 1, 20, 192 },
	{ "aes256gcm16", 1, 20, 256 }, { "aes256gcm", 1, 20, 256 },
	{ "chacha20poly1305", 1, 28, 0 },
	{ "aes128", 1, 12, 128 }, { "aes192", 1, 12, 192 }, { "aes256", 1, 12, 256 },
	{ "sha1", 3, 2, 0 }, { "sha256", 3, 12, 0 }, { "sha384", 3, 13, 0 },
	{ "sha512", 3, 14, 0 },
	{ "prfsha1", 2, 2, 0 }, { "prfsha256", 2, 5, 0 }, { "prfsha384", 2, 6, 0 },
	{ "prfsha512", 2, 7, 0 },
	{ "x25519", 4, 31, 0 }, { "curve25519", 4, 31, 0 }, { "ecp256", 4, 19, 0 },
	{ "ecp384", 4, 20, 0 }, { "ecp521", 4, 21, 0 }, { "modp1024", 4, 2, 0 },
	{ "modp2048", 4, 14, 0 }, { "modp3072", 4, 15, 0 }, { "modp4096", 4, 16, 0 },
	{ "esn", 5, 1, 0 }, { "noesn", 5, 0, 0 }
};

START_TEST(keyword_gives_transform)
{
	struct ike_transform t = { .unknown_attribute = true };
	char *word = strdup(keywords[_i].word);

	ck_assert(ike_transform_by_keyword(word, strlen(word), &t));
	ck_assert_uint_eq(t.type, keywords[_i].type);
	ck_assert_uint_eq(t.id, keywords[_i].id);
	ck_assert_uint_eq(t.key_bits, keywords[_i].key_bits);
	ck_assert(!t.unknown_attribute);
	free(word);
}
END_TEST

/* What is printed for a transform reads back as that transform or is no keyword. */
START_TEST(keyword_printed_reads_back)
{
	struct ike_transform t;
	char buf[IKE_NAME_LEN];
	unsigned known = 0;

	for (unsigned type = 1; type <= 5; type++)
		for (unsigned id = 0; id <= 2000; id++)
			for (unsigned bits = 0; bits <= 256; bits += 64) {
				const char *name = ike_transform_name((uint8_t)type,
				    (uint16_t)id, (uint16_t)bits, buf);

				if (!ike_transform_by_keyword(name, strlen(name), &t))
					continue;
				known++;
				if (t.type != type || t.id != id || t.key_bits != bits)
					ck_abort_msg("%s is another transform", name);
			}
	ck_assert_uint_ge(known, 25);
}
END_TEST

START_TEST(keyword_unknown)
{
	static const char *const words[] = {
		"", "a", "aes25", "aes2560", "AES256", "aes256 ", " aes256", "3des",
		"md5", "modp768", "prfmd5", "x448", "KE_31", "modp", "default", "-"
	};

	for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
		struct ike_transform t = { .type = 99, .id = 98 };

		ck_assert_msg(!ike_transform_by_keyword(words[i], strlen(words[i]), &t),
		    "\"%s\"", words[i]);
		ck_assert_uint_eq(t.type, 99);
		ck_assert_uint_eq(t.id, 98);
	}
}
END_TEST

/* The length decides, not a NUL. */
START_TEST(keyword_ends_at_its_length)
{
	struct ike_transform t;
	char *word = malloc(6);

	memcpy(word, "aes256", 6);
	ck_assert(ike_transform_by_keyword(word, 6, &t));
	ck_assert(!ike_transform_by_keyword(word, 5, &t));
	ck_assert(ike_transform_by_keyword("aes256-sha256", 6, &t));
	free(word);
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("names");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, names_of_every_octet);
	tcase_add_test(tcase, names_of_every_notify);
	tcase_add_test(tcase, names_of_every_transform);
	tcase_add_test(tcase, names_of_every_error);
	tcase_add_test(tcase, names_are_the_rfcs);
	tcase_add_loop_test(tcase, keyword_gives_transform, 0,
	    sizeof keywords / sizeof *keywords);
	tcase_add_test(tcase, keyword_printed_reads_back);
	tcase_add_test(tcase, keyword_unknown);
	tcase_add_test(tcase, keyword_ends_at_its_length);
	return run_tests("names", tcase);
}
