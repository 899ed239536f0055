/* Proposals: text, wire, choosing, and answers that were never offered. */
#include <stdio.h>
#include <stdlib.h>

#include "libike/compat.h"
#include "libike/keys.h"
#include "tests/unit/octets.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

#define COUNT(a) (int)(sizeof (a) / sizeof *(a))

enum { IKE = IKE_PROTOCOL_IKE, ESP = IKE_PROTOCOL_ESP, MAX_SA = 4096 };

static struct ike_proposals
parse(uint8_t protocol, const char *text)
{
	struct ike_proposals list;
	char why[240] = "";

	ck_assert_msg(ike_proposals_parse(&text, 1, protocol, &list, why, sizeof why),
	    "%s: %s", text, why);
	return list;
}

/* ---- text ---- */

static const struct {
	uint8_t protocol;
	const char *text, *printed;
} texts[] = {
	{ IKE, "aes256gcm16-prfsha384-x25519", "aes256gcm16-prfsha384-x25519" },
	{ IKE, "AES256GCM16-PRFsha384-X25519", "aes256gcm16-prfsha384-x25519" },
	{ IKE, "aes256gcm128-prfsha384-curve25519", "aes256gcm16-prfsha384-x25519" },
	{ IKE, "x25519-prfsha384-aes256gcm16", "aes256gcm16-prfsha384-x25519" },
	{ IKE, "aes256-sha256-modp2048", "aes256-sha256-prfsha256-modp2048" },
	{ IKE, "aes256-sha256-prfsha512-modp2048", "aes256-sha256-prfsha512-modp2048" },
	{ IKE, "aes128-aes256-sha512-sha256-ecp256-ecp384",
	    "aes128-aes256-sha512-sha256-prfsha512-prfsha256-ecp256-ecp384" },
	{ IKE, "aes256gcm16-aes256gcm16-prfsha256-x25519-prfsha256",
	    "aes256gcm16-prfsha256-x25519" },
	{ IKE, "aes256gcm16-prfsha1-modp3072", "aes256gcm16-prfsha1-modp3072" },
	{ IKE, "aes256-sha1-modp2048", "aes256-sha1-prfsha1-modp2048" },
	{ IKE, "aes128-aes192-sha1-sha256-ecp521-modp4096",
	    "aes128-aes192-sha1-sha256-prfsha1-prfsha256-ecp521-modp4096" },
	{ ESP, "aes192-sha1", "aes192-sha1-noesn-esn" },
	{ IKE, " aes128-sha256-ecp256 ,\taes128gcm16-prfsha256-ecp256 ",
	    "aes128-sha256-prfsha256-ecp256, aes128gcm16-prfsha256-ecp256" },
	{ IKE, "aes128-sha256-ecp256,aes128-sha256-prfsha256-ecp256",
	    "aes128-sha256-prfsha256-ecp256" },
	{ IKE, "default", "aes256gcm16-aes128gcm16-chacha20poly1305-"
	    "prfsha256-prfsha384-prfsha512-x25519-ecp256-ecp384-modp2048-modp3072, "
	    "aes256-aes128-sha256-sha384-sha512-"
	    "prfsha256-prfsha384-prfsha512-x25519-ecp256-ecp384-modp2048-modp3072" },
	{ ESP, "chacha20poly1305", "chacha20poly1305-noesn-esn" },
	{ ESP, "chacha20poly1305-esn", "chacha20poly1305-esn" },
	{ ESP, "chacha20poly1305-esn-noesn", "chacha20poly1305-esn-noesn" },
	{ ESP, "aes256-sha256-noesn", "aes256-sha256-noesn" },
	{ ESP, "aes256gcm16-x25519-modpnone", "aes256gcm16-x25519-modpnone-noesn-esn" },
	{ ESP, "Default", "aes256gcm16-aes128gcm16-chacha20poly1305-"
	    "x25519-ecp256-ecp384-modp2048-modp3072-modpnone-noesn-esn, "
	    "aes256-aes128-sha256-sha384-sha512-"
	    "x25519-ecp256-ecp384-modp2048-modp3072-modpnone-noesn-esn" },
	{ ESP, "aes128gcm16,default,default,aes128gcm16", "aes128gcm16-noesn-esn, "
	    "aes256gcm16-aes128gcm16-chacha20poly1305-"
	    "x25519-ecp256-ecp384-modp2048-modp3072-modpnone-noesn-esn, "
	    "aes256-aes128-sha256-sha384-sha512-"
	    "x25519-ecp256-ecp384-modp2048-modp3072-modpnone-noesn-esn" }
};

START_TEST(text_parsed)
{
	struct ike_proposals list = parse(texts[_i].protocol, texts[_i].text);
	char printed[512];

	ck_assert_str_eq(ike_proposals_print(&list, printed, sizeof printed),
	    texts[_i].printed);
	for (unsigned i = 0; i < list.n; i++)
		ck_assert_uint_eq(list.v[i].protocol, texts[_i].protocol);
	ike_proposals_free(&list);
	ck_assert_uint_eq(list.n, 0);
}
END_TEST

/* What is printed means the same when it is read again. */
START_TEST(text_printed_is_parsed)
{
	struct ike_proposals list = parse(texts[_i].protocol, texts[_i].printed);
	char printed[512];

	ck_assert_str_eq(ike_proposals_print(&list, printed, sizeof printed),
	    texts[_i].printed);
	ike_proposals_free(&list);
}
END_TEST

START_TEST(texts_together)
{
	static const char *const v[] = {
		"aes128gcm16", "aes256-sha256,chacha20poly1305"
	};
	struct ike_proposals list;
	char why[240], printed[240];

	ck_assert(ike_proposals_parse(v, 2, ESP, &list, why, sizeof why));
	ck_assert_str_eq(ike_proposals_print(&list, printed, sizeof printed),
	    "aes128gcm16-noesn-esn, aes256-sha256-noesn-esn, chacha20poly1305-noesn-esn");
	ike_proposals_free(&list);
}
END_TEST

static const struct {
	uint8_t protocol;
	const char *text, *why;		/* a part of the sentence */
} wrong[] = {
	{ IKE, "", "a proposal is empty; write \"default\"" },
	{ IKE, "  ", "a proposal is empty" },
	{ IKE, "default,", "a proposal is empty" },
	{ IKE, ",default", "a proposal is empty" },
	{ IKE, "aes256-sha256--x25519", "has a \"-\" without an algorithm beside it" },
	{ IKE, "-aes256-sha256-x25519", "has a \"-\" without an algorithm beside it" },
	{ IKE, "aes256-sha256-x25519-", "has a \"-\" without an algorithm beside it" },
	{ IKE, "aes256-sh256-x25519", "sh256 is not an algorithm; did you mean sha256?" },
	{ IKE, "aes265-sha256-x25519", "did you mean aes256?" },
	{ IKE, "aes256gmc16-prfsha256-x25519", "did you mean aes256gcm16?" },
	{ IKE, "aes256gcm16-prfsha256-x22519", "did you mean x25519?" },
	{ IKE, "aes256gcm16-prfsha265-x25519", "did you mean prfsha256?" },
	{ IKE, "aes256-sha256-modp248", "did you mean modp2048?" },
	{ ESP, "chacha20-poly1305", "chacha20 is not an algorithm" },
	{ ESP, "aes256gcm16-noens", "did you mean noesn?" },
	{ ESP, "xyzzy", "xyzzy is not an algorithm; available ciphers are aes128, " },
	{ ESP, "aes256-sha256 -x25519",
	    "sha256  is not an algorithm; did you mean sha256?" },
	{ ESP, "aes256gcm16_sha256_x25519_modp2048",
	    "put a \"-\" between two algorithms" },
	{ IKE, "aes256-sha256-default", "default is not an algorithm" },
	{ IKE, "3des-sha256-modp2048",
	    "3des is not available here; available ciphers are" },
	{ IKE, "aes256-sha-1-modp2048", "1 is not an algorithm" },
	{ IKE, "aes256-sha2-modp2048", "sha2 is not an algorithm; did you mean sha" },
	{ IKE, "aes256-md5-modp2048",
	    "md5 is not available here; available integrity algorithms are sha256, " },
	{ IKE, "aes256-sha256-modp1536",
	    "modp1536 is not available here; available key exchange groups are modp" },
	{ IKE, "aes256-sha256-modp6144", "modp6144 is not available here" },
	{ IKE, "aes256gcm16-prfaesxcbc-x25519",
	    "prfaesxcbc is not available here; available PRFs are prfsha256, " },
	{ IKE, "aes256-sha256-modp1024",
	    "modp1024 (DH group 2) can be broken and is never used; write modp2048 " },
	{ ESP, "aes256-sha256-modp1024", "(Azure: " },
	{ IKE, "sha256-x25519", "names no cipher; add one, such as aes256gcm16" },
	{ IKE, "aes256-x25519", "aes256 brings no integrity; add an algorithm for it" },
	{ ESP, "aes256", "aes256 brings no integrity" },
	{ IKE, "aes256gcm16-x25519", "names no PRF; add one, such as prfsha256" },
	{ IKE, "aes256-sha256", "names no key exchange group; add one, such as x25519" },
	{ IKE, "aes256gcm16-aes256-sha256-x25519",
	    "aes256gcm16 and aes256 cannot share a proposal: only one of them brings "
	    "its own integrity; write two proposals" },
	{ ESP, "aes256-chacha20poly1305-sha256", "write two proposals" },
	{ IKE, "aes256gcm16-sha256-x25519", "write prfsha256, if the PRF is meant" },
	{ ESP, "aes256gcm16-sha256",
	    "aes256gcm16 brings its own integrity; leave sha256 out" },
	{ ESP, "aes256gcm16-prfsha256",
	    "prfsha256 has no place here: an ESP proposal has no" },
	{ IKE, "aes256-sha256-x25519-esn", "esn has no place here: an IKE SA has no" },
	{ IKE, "aes256-sha256-x25519-modpnone", "modpnone has no place here" },
	{ IKE, "aes256-sha256-x25519,aes256", "aes256 brings no integrity" }
};

START_TEST(text_refused)
{
	struct ike_proposals list = { (struct ike_proposal *)&list, 7 };
	char why[240] = "";

	ck_assert_msg(!ike_proposals_parse(&wrong[_i].text, 1, wrong[_i].protocol,
	    &list, why, sizeof why), "%s", wrong[_i].text);
	ck_assert_msg(strstr(why, wrong[_i].why) != NULL, "%s: %s", wrong[_i].text, why);
	ck_assert_ptr_null(list.v);
	ck_assert_uint_eq(list.n, 0);
}
END_TEST

/* Weak algorithms: none in the defaults, each found wherever it stands in a list. */
START_TEST(weak_found)
{
	static const struct { uint8_t protocol; const char *text, *weak; } rows[] = {
		{ IKE, "default", NULL }, { ESP, "default", NULL },
		{ IKE, "aes256-sha1-sha256-x25519", "sha1" },
		{ IKE, "default,aes256gcm16-prfsha256-prfsha1-x25519", "prfsha1" },
		{ IKE, "aes256-sha256-prfsha1-x25519", "prfsha1" },
		{ ESP, "default,aes256-sha256-sha1", "sha1" }
	};

	for (int i = 0; i < COUNT(rows); i++) {
		const struct ike_transform *t;
		struct ike_proposals list = parse(rows[i].protocol, rows[i].text);
		char name[IKE_NAME_LEN];

		t = ike_proposals_weak(&list, 0);
		ck_assert_msg((t == NULL) == (rows[i].weak == NULL), "row %d", i);
		if (t != NULL)
			ck_assert_str_eq(ike_transform_name(t->type, t->id, t->key_bits,
			    name), rows[i].weak);
		ck_assert_ptr_null(ike_proposals_weak(&list, IKE_COMPAT_SHA1));
		ike_proposals_free(&list);
	}
	ck_assert_uint_eq(ike_compat_by_word("sha1"), IKE_COMPAT_SHA1);
	ck_assert_uint_eq(ike_compat_by_word("SHA1"), 0);
	ck_assert_uint_eq(ike_compat_by_word("modp1024"), 0);
	ck_assert_uint_eq(ike_compat_by_word(""), 0);
}
END_TEST

START_TEST(text_refused_without_room)
{
	static const char *const text = "aes256-sh256-x25519";
	struct ike_proposals list;

	for (size_t len = 0; len < 60; len++) {
		char *why = malloc(len == 0 ? 1 : len);

		ck_assert(!ike_proposals_parse(&text, 1, IKE, &list, why, len));
		ck_assert(len == 0 || strlen(why) < len);
		free(why);
	}
	ck_assert(!ike_proposals_parse(NULL, 0, IKE, &list, NULL, 0));
}
END_TEST

/* Any text is parsed or refused, with a sentence. */
START_TEST(text_random)
{
	static const char letters[] = "-,- aesgcmh0123456789xprfnod25";
	uint64_t seed = 11;
	unsigned good = 0;

	for (unsigned i = 0; i < 3000; i++) {
		char text[48] = "aes256gcm16-prfsha256-x25519", why[240] = "";
		const char *v = text;
		struct ike_proposals list;

		for (unsigned n = (unsigned)(next_random(&seed) % 3); n > 0; n--)
			text[next_random(&seed) % 28] =
			    letters[next_random(&seed) % (sizeof letters - 1)];
		if (ike_proposals_parse(&v, 1, IKE, &list, why, sizeof why))
			good++;
		else
			ck_assert_msg(strchr(why, ';') != NULL, "%s: %s", text, why);
		ike_proposals_free(&list);
	}
	ck_assert_uint_gt(good, 500);
}
END_TEST

START_TEST(print_cut_to_fit)
{
	static const char whole[] =
	    "aes256-sha256-prfsha256-x25519, chacha20poly1305-prfsha256-ecp256";
	struct ike_proposals list = parse(IKE, whole);

	for (size_t len = 0; len < sizeof whole + 3; len++) {
		char *buf = malloc(len == 0 ? 1 : len);

		ck_assert_ptr_eq(ike_proposals_print(&list, buf, len), buf);
		if (len >= sizeof whole)
			ck_assert_str_eq(buf, whole);
		else if (len > 4)
			ck_assert_msg(strlen(buf) == len - 1 &&
			    memcmp(buf, whole, len - 4) == 0 &&
			    strcmp(buf + len - 4, "...") == 0, "%zu: %s", len, buf);
		else
			ck_assert(len == 0 || strlen(buf) < len);
		free(buf);
	}
	ike_proposals_free(&list);
}
END_TEST

/* ---- the wire ---- */

static struct bytes
build(const struct ike_proposals *list, bool with_ke, uint8_t *buf)
{
	const struct bytes spi =
	    bytes_of("\xc0\xff\xee\x01", list->v[0].protocol == ESP ? 4 : 0);
	struct ike_writer w = ike_writer(buf, MAX_SA);

	ike_build_sa(&w, list, spi, with_ke);
	ck_assert(!w.bad);
	ck_assert_int_eq(ike_check_sa(ike_written(&w)), IKE_OK);
	return ike_written(&w);
}

/* RFC 7296 3.3, octet by octet. */
START_TEST(sa_octets)
{
	struct ike_proposals list =
	    parse(ESP, "aes256gcm16-x25519-esn,aes128-sha256-noesn");
	struct bytes without = octets(
	    "02 00 0020 01 03 04 02 c0ffee01"
	    "03 00 000c 01 00 0014 800e 0100"
	    "00 00 0008 05 00 0001"
	    "00 00 0028 02 03 04 03 c0ffee01"
	    "03 00 000c 01 00 000c 800e 0080"
	    "03 00 0008 03 00 000c  00 00 0008 05 00 0000");
	struct bytes with = octets(
	    "02 00 0028 01 03 04 03 c0ffee01"
	    "03 00 000c 01 00 0014 800e 0100"
	    "03 00 0008 04 00 001f  00 00 0008 05 00 0001"
	    "00 00 0028 02 03 04 03 c0ffee01"
	    "03 00 000c 01 00 000c 800e 0080"
	    "03 00 0008 03 00 000c  00 00 0008 05 00 0000");
	uint8_t buf[MAX_SA];

	ck_assert(bytes_equal(build(&list, false, buf), without));
	ck_assert(bytes_equal(build(&list, true, buf), with));
	octets_free(without);
	octets_free(with);
	ike_proposals_free(&list);
}
END_TEST

START_TEST(sa_printed)
{
	struct ike_proposals list = parse(texts[_i].protocol, texts[_i].text);
	uint8_t buf[MAX_SA];
	char printed[512];

	ck_assert_str_eq(ike_sa_print(build(&list, true, buf), printed, sizeof printed),
	    texts[_i].printed);
	ike_proposals_free(&list);
}
END_TEST

/* The default leaves room for all else in an IKE_SA_INIT of 1200 octets: header 28, KE
 * of the largest group 8 + 384, nonce 36, two NAT_DETECTION 56, fragmentation 8, hashes
 * 16. */
START_TEST(sa_default_is_small)
{
	struct ike_proposals list = parse(IKE, "default");
	uint8_t buf[MAX_SA];

	ck_assert_uint_lt(4 + build(&list, true, buf).len,
	    1200 - 28 - 392 - 36 - 56 - 8 - 16);
	ike_proposals_free(&list);
}
END_TEST

START_TEST(sa_without_room)
{
	struct ike_proposals list = parse(IKE, "default");
	uint8_t buf[MAX_SA];
	size_t whole = build(&list, true, buf).len;

	for (size_t cap = 0; cap <= whole; cap++) {
		uint8_t *exact = malloc(cap == 0 ? 1 : cap);
		struct ike_writer w = ike_writer(exact, cap);

		ike_build_sa(&w, &list, bytes_of(NULL, 0), true);
		ck_assert_int_eq(w.bad, cap < whole);
		free(exact);
	}
	ike_proposals_free(&list);
}
END_TEST

/* ---- what a peer may send ---- */

enum { NO_LENGTH = -1, UNKNOWN = -2, TWICE = -3 };

struct raw {
	uint8_t type;
	uint16_t id;
	int key_bits;		/* or one of the above */
};

static void
put_raw(struct ike_writer *w, const struct raw *t, bool last)
{
	int n = t->key_bits == NO_LENGTH ? 0 : t->key_bits == TWICE ? 2 : 1;
	size_t at;

	ike_write8(w, last ? 0 : 3);
	ike_write8(w, 0xff);	/* RESERVED */
	at = ike_open16(w);
	ike_write8(w, t->type);
	ike_write8(w, 0xff);
	ike_write16(w, t->id);
	while (n-- > 0) {
		ike_write16(w, t->key_bits == UNKNOWN ? 0x8012 : 0x800e);
		ike_write16(w, t->key_bits < 0 ? 256 : (uint16_t)t->key_bits);
	}
	ike_close16(w, at, 2);
}

enum { MAX_RAW = 9 };

/* One proposal; the transforms end with type 0. */
static void
put_proposal(struct ike_writer *w, uint8_t number, uint8_t protocol, const struct raw *v,
    bool last)
{
	uint8_t n = 0;
	size_t at;

	while (n < MAX_RAW && v[n].type != 0)
		n++;
	ike_write8(w, last ? 0 : 2);
	ike_write8(w, 0xff);
	at = ike_open16(w);
	ike_write8(w, number);
	ike_write8(w, protocol);
	ike_write8(w, protocol == IKE ? 0 : 4);
	ike_write8(w, n);
	if (protocol != IKE)
		ike_write32(w, 0xc0ffee01);
	for (uint8_t i = 0; i < n; i++)
		put_raw(w, &v[i], i + 1 == n);
	ike_close16(w, at, 2);
}

#define GCM { IKE_ENCR, IKE_ENCR_AES_GCM_16, 256 }
#define CBC { IKE_ENCR, IKE_ENCR_AES_CBC, 256 }
#define CHACHA { IKE_ENCR, IKE_ENCR_CHACHA20_POLY1305, NO_LENGTH }
#define PRF256 { IKE_PRF, IKE_PRF_HMAC_SHA2_256, NO_LENGTH }
#define SHA256 { IKE_INTEG, IKE_INTEG_HMAC_SHA2_256_128, NO_LENGTH }
#define NO_INTEG { IKE_INTEG, IKE_INTEG_NONE, NO_LENGTH }
#define X25519 { IKE_KE, IKE_KE_CURVE25519, NO_LENGTH }
#define ECP256 { IKE_KE, IKE_KE_ECP_256, NO_LENGTH }
#define NO_KE { IKE_KE, IKE_KE_NONE, NO_LENGTH }
#define NOESN { IKE_ESN, IKE_ESN_NO, NO_LENGTH }
#define ESN { IKE_ESN, IKE_ESN_YES, NO_LENGTH }

static const struct {
	uint8_t protocol;
	bool with_ke;
	const char *ours;
	struct raw theirs[MAX_RAW];
	const char *chosen;	/* NULL: refused */
	bool not_an_answer;	/* a choice may be made of it, but it is none */
} peers[] = {
	/* every type is needed */
	{ IKE, 1, "aes256gcm16-prfsha256-x25519", { GCM, PRF256, X25519 },
	    "aes256gcm16-prfsha256-x25519", 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519", { X25519, PRF256, GCM },
	    "aes256gcm16-prfsha256-x25519", 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519", { PRF256, X25519 }, NULL, 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519", { GCM, X25519 }, NULL, 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519", { GCM, PRF256 }, NULL, 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519", { { 0, 0, 0 } }, NULL, 0 },
	{ IKE, 1, "aes256-sha256-x25519", { CBC, PRF256, SHA256, X25519 },
	    "aes256-sha256-prfsha256-x25519", 0 },
	{ IKE, 1, "aes256-sha256-x25519", { CBC, PRF256, X25519 }, NULL, 0 },
	/* whether IKE's key exchange is wanted does not matter */
	{ IKE, 0, "aes256gcm16-prfsha256-x25519", { GCM, PRF256, X25519 },
	    "aes256gcm16-prfsha256-x25519", 0 },
	{ IKE, 0, "aes256gcm16-prfsha256-x25519", { GCM, PRF256 }, NULL, 0 },
	/* NONE */
	{ IKE, 1, "aes256gcm16-prfsha256-x25519", { GCM, PRF256, NO_KE }, NULL, 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519",
	    { GCM, { IKE_PRF, 0, NO_LENGTH }, X25519 },
	    NULL, 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519", { GCM, PRF256, NO_INTEG, X25519 },
	    "aes256gcm16-noauth-prfsha256-x25519", 0 },
	{ IKE, 1, "aes256-sha256-x25519", { CBC, PRF256, NO_INTEG, X25519 }, NULL, 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519", { GCM, PRF256, SHA256, X25519 },
	    NULL, 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519",
	    { GCM, PRF256, SHA256, NO_INTEG, X25519 },
	    "aes256gcm16-noauth-prfsha256-x25519", 1 },
	/* twice */
	{ IKE, 1, "aes256gcm16-prfsha256-x25519", { GCM, GCM, PRF256, X25519 },
	    "aes256gcm16-prfsha256-x25519", 1 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519", { GCM, PRF256, X25519, X25519 },
	    "aes256gcm16-prfsha256-x25519", 1 },
	/* our order decides; what we have not is passed over */
	{ IKE, 1, "chacha20poly1305-aes256gcm16-prfsha256-ecp256-x25519",
	    { GCM, CHACHA, PRF256, X25519, ECP256 },
	    "chacha20poly1305-prfsha256-ecp256", 1 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519",
	    { { IKE_ENCR, 3, NO_LENGTH }, GCM, { IKE_PRF, 1, NO_LENGTH }, PRF256,
	    { IKE_KE, 2, NO_LENGTH }, X25519 }, "aes256gcm16-prfsha256-x25519", 1 },
	/* key lengths and attributes */
	{ IKE, 1, "aes256gcm16-prfsha256-x25519",
	    { { IKE_ENCR, IKE_ENCR_AES_GCM_16, NO_LENGTH }, PRF256, X25519 }, NULL, 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519",
	    { { IKE_ENCR, IKE_ENCR_AES_GCM_16, 0 }, PRF256, X25519 }, NULL, 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519",
	    { { IKE_ENCR, IKE_ENCR_AES_GCM_16, 255 }, PRF256, X25519 }, NULL, 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519",
	    { { IKE_ENCR, IKE_ENCR_AES_GCM_16, 128 }, PRF256, X25519 }, NULL, 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519",
	    { { IKE_ENCR, IKE_ENCR_AES_GCM_16, 65535 }, PRF256, X25519 }, NULL, 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519",
	    { { IKE_ENCR, IKE_ENCR_AES_GCM_16, UNKNOWN }, PRF256, X25519 }, NULL, 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519",
	    { { IKE_ENCR, IKE_ENCR_AES_GCM_16, TWICE }, PRF256, X25519 }, NULL, 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519",
	    { { IKE_ENCR, IKE_ENCR_AES_GCM_16, UNKNOWN }, GCM, PRF256, X25519 },
	    "aes256gcm16-prfsha256-x25519", 1 },
	{ IKE, 1, "chacha20poly1305-prfsha256-x25519",
	    { { IKE_ENCR, IKE_ENCR_CHACHA20_POLY1305, 256 }, PRF256, X25519 }, NULL, 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519",
	    { GCM, { IKE_PRF, IKE_PRF_HMAC_SHA2_256, 256 }, X25519 }, NULL, 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519",
	    { GCM, PRF256, { IKE_KE, IKE_KE_CURVE25519, UNKNOWN } }, NULL, 0 },
	/* types that we do not know, 3.3.6 */
	{ IKE, 1, "aes256gcm16-prfsha256-x25519",
	    { GCM, PRF256, X25519, { 6, IKE_KE_CURVE25519, NO_LENGTH } }, NULL, 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519",
	    { GCM, PRF256, X25519, { 13, 0, NO_LENGTH } },
	    NULL, 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519",
	    { { 255, 0, NO_LENGTH }, GCM, PRF256, X25519 }, NULL, 0 },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519", { GCM, PRF256, X25519, NOESN },
	    NULL, 0 },
	/* ESP: extended sequence numbers in any order, never missing, 3.3.3 */
	{ ESP, 0, "aes256gcm16", { GCM, NOESN, ESN }, "aes256gcm16-noesn", 1 },
	{ ESP, 0, "aes256gcm16", { ESN, NOESN, GCM }, "aes256gcm16-noesn", 1 },
	{ ESP, 0, "aes256gcm16", { GCM, ESN }, "aes256gcm16-esn", 0 },
	{ ESP, 0, "aes256gcm16-esn-noesn", { GCM, NOESN, ESN }, "aes256gcm16-esn", 1 },
	{ ESP, 0, "aes256gcm16-noesn", { GCM, ESN }, NULL, 0 },
	{ ESP, 0, "aes256gcm16", { GCM }, NULL, 0 },
	{ ESP, 0, "aes256gcm16", { GCM, { IKE_ESN, 2, NO_LENGTH } }, NULL, 0 },
	{ ESP, 0, "aes256gcm16", { GCM, PRF256, NOESN }, NULL, 0 },
	{ ESP, 0, "aes256gcm16", { GCM, NO_INTEG, NOESN }, "aes256gcm16-noauth-noesn",
	    0 },
	{ ESP, 0, "aes256-sha256", { CBC, SHA256, NOESN }, "aes256-sha256-noesn", 0 },
	{ ESP, 0, "aes256-sha256", { CBC, NO_INTEG, NOESN }, NULL, 0 },
	{ ESP, 0, "aes256-sha256", { CBC, NOESN }, NULL, 0 },
	/* a group in IKE_AUTH stands for nothing, 1.2 */
	{ ESP, 0, "aes256gcm16", { GCM, X25519, NOESN }, "aes256gcm16-noesn", 1 },
	{ ESP, 0, "aes256gcm16-x25519", { GCM, NOESN }, "aes256gcm16-noesn", 0 },
	{ ESP, 0, "aes256gcm16-x25519", { GCM, ECP256, NOESN }, "aes256gcm16-noesn", 1 },
	{ ESP, 0, "aes256gcm16", { GCM, NO_KE, NOESN }, "aes256gcm16-modpnone-noesn", 0 },
	/* and elsewhere for what it says */
	{ ESP, 1, "aes256gcm16-x25519", { GCM, X25519, NOESN },
	    "aes256gcm16-x25519-noesn", 0 },
	{ ESP, 1, "aes256gcm16-x25519", { GCM, NOESN }, NULL, 0 },
	{ ESP, 1, "aes256gcm16-x25519", { GCM, NO_KE, NOESN }, NULL, 0 },
	{ ESP, 1, "aes256gcm16-x25519", { GCM, ECP256, NOESN }, NULL, 0 },
	{ ESP, 1, "aes256gcm16", { GCM, X25519, NOESN }, NULL, 0 },
	{ ESP, 1, "aes256gcm16", { GCM, X25519, NO_KE, NOESN },
	    "aes256gcm16-modpnone-noesn",
	    1 },
	{ ESP, 1, "aes256gcm16", { GCM, NOESN }, "aes256gcm16-noesn", 0 },
	{ ESP, 1, "aes256gcm16-x25519-modpnone", { GCM, NOESN }, "aes256gcm16-noesn", 0 },
	/* without a KE payload */
	{ ESP, 1, "aes256gcm16-x25519-modpnone", { GCM, NO_KE, X25519, NOESN },
	    "aes256gcm16-modpnone-noesn", 1 },
	{ ESP, 1, "aes256gcm16-x25519", { GCM, NO_KE, X25519, NOESN },
	    "aes256gcm16-x25519-noesn", 1 },
	{ ESP, 1, "aes256gcm16-x25519-modpnone", { GCM, NO_KE, NOESN },
	    "aes256gcm16-modpnone-noesn", 0 },
	{ ESP, 1, "aes256gcm16-x25519-modpnone", { GCM, ECP256, NOESN }, NULL, 0 }
};

static struct bytes
build_peer(int i, uint8_t number, uint8_t *buf)
{
	struct ike_writer w = ike_writer(buf, MAX_SA);

	put_proposal(&w, number, peers[i].protocol, peers[i].theirs, true);
	ck_assert_int_eq(ike_check_sa(ike_written(&w)), IKE_OK);
	return ike_written(&w);
}

START_TEST(peer_proposal)
{
	struct ike_proposals ours = parse(peers[_i].protocol, peers[_i].ours);
	struct ike_choice choice = { .number = 99 };
	uint8_t buf[MAX_SA];
	struct bytes sa = build_peer(_i, 7, buf);
	char printed[100];

	if (peers[_i].chosen == NULL) {
		ck_assert_int_eq(ike_choose(&ours, sa, peers[_i].with_ke, 0, &choice),
		    IKE_NO_PROPOSAL_CHOSEN);
		ck_assert_uint_eq(choice.number, 99);
	} else {
		ck_assert_int_eq(ike_choose(&ours, sa, peers[_i].with_ke, 0, &choice),
		    IKE_OK);
		ck_assert_str_eq(ike_choice_print(&choice, printed, sizeof printed),
		    peers[_i].chosen);
		ck_assert_uint_eq(choice.number, 7);
		ck_assert_uint_eq(choice.protocol, peers[_i].protocol);
		ck_assert_uint_eq(choice.spi.len, peers[_i].protocol == ESP ? 4 : 0);
		ck_assert(ike_choice_allowed(&ours, &choice));
	}
	ike_proposals_free(&ours);
}
END_TEST

/* The same as an answer to ours. */
START_TEST(peer_answer)
{
	struct ike_proposals ours = parse(peers[_i].protocol, peers[_i].ours);
	bool good = peers[_i].chosen != NULL && !peers[_i].not_an_answer;
	struct ike_choice choice = { .number = 99 };
	uint8_t buf[MAX_SA];
	char printed[100];

	ck_assert_int_eq(ike_check_choice(&ours, build_peer(_i, 1, buf),
	    peers[_i].with_ke, &choice), good ? IKE_OK : IKE_NO_PROPOSAL_CHOSEN);
	ck_assert_uint_eq(choice.number, good ? 1 : 99);
	if (good)
		ck_assert_str_eq(ike_choice_print(&choice, printed, sizeof printed),
		    peers[_i].chosen);
	ike_proposals_free(&ours);
}
END_TEST

/* Cut anywhere, the iterators stop; an exact allocation shows who reads on. */
START_TEST(peer_proposal_truncated)
{
	struct ike_proposals ours = parse(peers[_i].protocol, peers[_i].ours);
	uint8_t buf[MAX_SA];
	struct bytes sa = build_peer(_i, 1, buf);
	struct ike_choice choice;
	char printed[200];

	for (size_t len = 0; len < sa.len; len++) {
		struct bytes prefix = octets_prefix(sa, len);

		ck_assert_int_ne(ike_check_sa(prefix), IKE_OK);
		ck_assert_int_eq(ike_choose(&ours, prefix, true, 0, &choice),
		    IKE_NO_PROPOSAL_CHOSEN);
		ck_assert_int_eq(ike_check_choice(&ours, prefix, true, &choice),
		    IKE_NO_PROPOSAL_CHOSEN);
		ck_assert_str_eq(ike_sa_print(prefix, printed, sizeof printed), "");
		octets_free(prefix);
	}
	ike_proposals_free(&ours);
}
END_TEST

/* ---- several proposals ---- */

static const struct raw gcm_x25519[] = { GCM, PRF256, X25519, { 0, 0, 0 } };
static const struct raw cbc_ecp256[] = { CBC, PRF256, SHA256, ECP256, { 0, 0, 0 } };
static const struct raw des[] = { { IKE_ENCR, 3, NO_LENGTH }, { IKE_PRF, 1, NO_LENGTH },
	{ IKE_KE, 2, NO_LENGTH }, { 200, 7, UNKNOWN }, { 0, 0, 0 } };

START_TEST(choose_our_first_proposal)
{
	static const char both[] = "aes256-sha256-ecp256,aes256gcm16-prfsha256-x25519";
	struct ike_proposals ours = parse(IKE, both);
	struct ike_writer w;
	struct ike_choice c;
	uint8_t buf[MAX_SA];
	char printed[200];

	w = ike_writer(buf, sizeof buf);
	put_proposal(&w, 1, IKE, des, false);
	put_proposal(&w, 2, IKE, gcm_x25519, false);
	put_proposal(&w, 9, IKE, cbc_ecp256, true);
	ck_assert_int_eq(ike_choose(&ours, ike_written(&w), true, 0, &c), IKE_OK);
	ck_assert_uint_eq(c.number, 9);
	ck_assert_str_eq(ike_choice_print(&c, printed, sizeof printed),
	    "aes256-sha256-prfsha256-ecp256");
	ck_assert_str_eq(ike_sa_print(ike_written(&w), printed, sizeof printed),
	    "3des-prfmd5-modp1024-TYPE200_7 (unknown attribute), "
	    "aes256gcm16-prfsha256-x25519, aes256-prfsha256-sha256-ecp256");
	ike_proposals_free(&ours);
}
END_TEST

static const struct {
	uint8_t protocol;
	bool with_ke;
	const char *ours, *theirs;
	uint16_t group;		/* of their KE payload */
	const char *chosen;
} preferred[] = {
	{ IKE, 1, "aes256gcm16-prfsha256-x25519-ecp256-modp2048",
	    "aes256gcm16-prfsha256-modp2048-ecp256-x25519", IKE_KE_MODP_2048,
	    "aes256gcm16-prfsha256-modp2048" },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519-ecp256-modp2048",
	    "aes256gcm16-prfsha256-modp2048-ecp256-x25519", IKE_KE_NONE,
	    "aes256gcm16-prfsha256-x25519" },
	/* not ours, not among theirs, neither */
	{ IKE, 1, "aes256gcm16-prfsha256-x25519-ecp256",
	    "aes256gcm16-prfsha256-modp2048-ecp256", IKE_KE_MODP_2048,
	    "aes256gcm16-prfsha256-ecp256" },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519-ecp256",
	    "aes256gcm16-prfsha256-x25519", IKE_KE_ECP_256,
	    "aes256gcm16-prfsha256-x25519" },
	{ IKE, 1, "aes256gcm16-prfsha256-x25519", "aes256gcm16-prfsha256-x25519", 1025,
	    "aes256gcm16-prfsha256-x25519" },
	/* it decides about the group, and not about the proposal */
	{ IKE, 1, "aes256gcm16-prfsha256-x25519,aes256-sha256-modp2048",
	    "aes256-sha256-modp2048,aes256gcm16-prfsha256-x25519", IKE_KE_MODP_2048,
	    "aes256gcm16-prfsha256-x25519" },
	{ ESP, 1, "aes256gcm16-modpnone-x25519-ecp256", "aes256gcm16-x25519-ecp256",
	    IKE_KE_ECP_256, "aes256gcm16-ecp256-noesn" },
	{ ESP, 1, "aes256gcm16-modpnone-x25519", "aes256gcm16-modpnone-x25519",
	    IKE_KE_CURVE25519, "aes256gcm16-x25519-noesn" },
	/* where groups stand for nothing it does not, either */
	{ ESP, 0, "aes256gcm16-x25519", "aes256gcm16-x25519", IKE_KE_CURVE25519,
	    "aes256gcm16-noesn" }
};

START_TEST(choose_peers_group)
{
	struct ike_proposals ours = parse(preferred[_i].protocol, preferred[_i].ours);
	struct ike_proposals theirs =
	    parse(preferred[_i].protocol, preferred[_i].theirs);
	bool with_ke = preferred[_i].with_ke;
	uint8_t buf[MAX_SA];
	struct ike_choice c;
	char printed[200];

	ck_assert_int_eq(ike_choose(&ours, build(&theirs, with_ke, buf), with_ke,
	    preferred[_i].group, &c), IKE_OK);
	ck_assert_str_eq(ike_choice_print(&c, printed, sizeof printed),
	    preferred[_i].chosen);
	ck_assert(ike_choice_allowed(&ours, &c) && ike_choice_allowed(&theirs, &c));
	ike_proposals_free(&ours);
	ike_proposals_free(&theirs);
}
END_TEST

/* Every number that a transform may have, in place of the right one: ours alone is
 * chosen.  No number stands for anything else inside. */
START_TEST(choose_every_number)
{
	static const struct raw right[] = { CBC, PRF256, SHA256, X25519, { 0, 0, 0 } };
	static const struct raw right_esp[] = { CBC, SHA256, ESN, { 0, 0, 0 } };
	const struct raw *model = _i < 4 ? right : right_esp;
	struct ike_proposals ours = _i < 4 ? parse(IKE, "aes256-sha256-x25519") :
	    parse(ESP, "aes256-sha256-esn");
	unsigned at = _i < 4 ? (unsigned)_i : 2;

	for (unsigned id = 0; id <= UINT16_MAX; id++) {
		struct raw v[MAX_RAW] = { { 0, 0, 0 } };
		uint8_t buf[MAX_SA];
		struct ike_writer w = ike_writer(buf, sizeof buf);
		enum ike_error expected = id == model[at].id ? IKE_OK :
		    IKE_NO_PROPOSAL_CHOSEN;
		struct ike_choice c;

		memcpy(v, model, (_i < 4 ? 4 : 3) * sizeof *v);
		v[at].id = (uint16_t)id;
		put_proposal(&w, 1, _i < 4 ? IKE : ESP, v, true);
		ck_assert_msg(ike_choose(&ours, ike_written(&w), true, (uint16_t)id,
		    &c) == expected, "%u", id);
		ck_assert_msg(ike_check_choice(&ours, ike_written(&w), true, &c) ==
		    expected, "%u", id);
	}
	ike_proposals_free(&ours);
}
END_TEST

START_TEST(choose_by_protocol)
{
	struct ike_proposals ike = parse(IKE, "default"), esp = parse(ESP, "default");
	struct ike_choice c;
	uint8_t buf[MAX_SA];

	ck_assert_int_eq(ike_choose(&esp, build(&ike, true, buf), true, 0, &c),
	    IKE_NO_PROPOSAL_CHOSEN);
	ck_assert_int_eq(ike_choose(&ike, build(&esp, true, buf), true, 0, &c),
	    IKE_NO_PROPOSAL_CHOSEN);
	ck_assert_int_eq(ike_choose(&ike, build(&ike, true, buf), true, 0, &c), IKE_OK);
	ck_assert_int_eq(ike_choose(&esp, build(&esp, false, buf), false, 0, &c), IKE_OK);
	ck_assert(!ike_choice_allowed(&ike, &c));
	ike_proposals_free(&ike);
	ike_proposals_free(&esp);
}
END_TEST

/* AH, and what may be there one day, with transforms that would do for ESP. */
START_TEST(protocols_by_number)
{
	static const struct raw v[] = { GCM, NOESN, { 0, 0, 0 } };
	struct ike_proposals ours = parse(ESP, "aes256gcm16");
	struct ike_choice c = { .protocol = 0 };
	uint8_t buf[MAX_SA];

	for (unsigned protocol = 0; protocol <= 255; protocol++) {
		struct ike_writer w = ike_writer(buf, sizeof buf);
		enum ike_error expected =
		    protocol == ESP ? IKE_OK : IKE_NO_PROPOSAL_CHOSEN;

		put_proposal(&w, 1, (uint8_t)protocol, v, true);
		ck_assert_int_eq(ike_check_sa(ike_written(&w)), IKE_OK);
		ck_assert_int_eq(ike_choose(&ours, ike_written(&w), false, 0, &c),
		    expected);
		ck_assert_int_eq(ike_check_choice(&ours, ike_written(&w), false, &c),
		    expected);
	}
	ck_assert(ike_choice_allowed(&ours, &c));
	c.protocol = IKE_PROTOCOL_AH;
	ck_assert(!ike_choice_allowed(&ours, &c));
	ike_proposals_free(&ours);
}
END_TEST

/* The initiator's and the responder's halves fit together, for both kinds. */
START_TEST(choice_round_trip)
{
	static const struct {
		uint8_t protocol;
		bool with_ke;
		const char *text;
	} rows[] = {
		{ IKE, true, "default" },
		{ IKE, true, "aes128-sha256-modp2048" },
		{ ESP, false, "default" },
		{ ESP, false, "aes128-sha512-esn" },
		{ ESP, true, "default" },
		{ ESP, true, "aes256gcm16-x25519-modpnone" },
		{ ESP, true, "aes256gcm16" }
	};
	struct ike_proposals ours = parse(rows[_i].protocol, rows[_i].text);
	const struct bytes spi =
	    bytes_of("\x11\x22\x33\x44", rows[_i].protocol == ESP ? 4 : 0);
	struct ike_choice responder, initiator;
	uint8_t offer[MAX_SA], answer[MAX_SA];
	struct ike_writer w = ike_writer(answer, sizeof answer);

	ck_assert_int_eq(ike_choose(&ours, build(&ours, rows[_i].with_ke, offer),
	    rows[_i].with_ke, 0, &responder), IKE_OK);
	ike_build_choice(&w, &responder, spi);
	ck_assert_int_eq(ike_check_sa(ike_written(&w)), IKE_OK);
	ck_assert_int_eq(ike_check_choice(&ours, ike_written(&w), rows[_i].with_ke,
	    &initiator), IKE_OK);
	ck_assert(bytes_equal(initiator.spi, spi));
	ck_assert_uint_eq(initiator.key_bits, responder.key_bits);
	ck_assert_mem_eq(initiator.id, responder.id, sizeof initiator.id);
	ck_assert_mem_eq(initiator.has, responder.has, sizeof initiator.has);
	ike_proposals_free(&ours);
}
END_TEST

START_TEST(answer_number)
{
	struct ike_proposals ours =
	    parse(IKE, "aes256gcm16-prfsha256-x25519,aes256-sha256-ecp256");
	struct ike_choice c;
	uint8_t buf[MAX_SA];

	for (unsigned number = 0; number <= 255; number++) {
		struct ike_writer w = ike_writer(buf, sizeof buf);

		put_proposal(&w, (uint8_t)number, IKE, cbc_ecp256, true);
		ck_assert_int_eq(ike_check_choice(&ours, ike_written(&w), true, &c),
		    number == 2 ? IKE_OK : IKE_NO_PROPOSAL_CHOSEN);
	}
	ike_proposals_free(&ours);
}
END_TEST

START_TEST(answer_of_two_proposals)
{
	struct ike_proposals ours =
	    parse(IKE, "aes256gcm16-prfsha256-x25519,aes256-sha256-ecp256");
	struct ike_choice c;
	uint8_t buf[MAX_SA];
	struct ike_writer w = ike_writer(buf, sizeof buf);

	put_proposal(&w, 1, IKE, gcm_x25519, false);
	put_proposal(&w, 2, IKE, cbc_ecp256, true);
	ck_assert_int_eq(ike_check_sa(ike_written(&w)), IKE_OK);
	ck_assert_int_eq(ike_check_choice(&ours, ike_written(&w), true, &c),
	    IKE_NO_PROPOSAL_CHOSEN);
	ck_assert_int_eq(ike_check_choice(&ours, bytes_of(NULL, 0), true, &c),
	    IKE_NO_PROPOSAL_CHOSEN);
	ike_proposals_free(&ours);
}
END_TEST

/* ---- another connection's proposals, rows, groups ---- */

START_TEST(choice_allowed)
{
	static const struct {
		uint8_t protocol;
		bool with_ke;
		const char *made_of, *asked;
		bool allowed;
	} rows[] = {
		{ IKE, 1, "aes256gcm16-prfsha256-x25519", "default", 1 },
		{ IKE, 1, "aes256gcm16-prfsha256-x25519", "aes128gcm16-prfsha256-x25519",
		    0 },
		{ IKE, 1, "aes256gcm16-prfsha256-x25519", "aes256gcm16-prfsha384-x25519",
		    0 },
		{ IKE, 1, "aes256gcm16-prfsha256-x25519", "aes256gcm16-prfsha256-ecp256",
		    0 },
		{ IKE, 1, "aes256gcm16-prfsha256-x25519", "aes256-sha256-x25519", 0 },
		{ IKE, 1, "aes256-sha256-x25519", "aes256-sha512-prfsha256-x25519", 0 },
		{ IKE, 1, "aes256-sha256-x25519",
		    "aes256gcm16-prfsha256-x25519,aes128-aes256-sha512-sha256-x25519",
		    1 },
		{ ESP, 0, "aes256gcm16-noesn", "aes256gcm16-esn", 0 },
		{ ESP, 0, "aes256gcm16-noesn", "aes256gcm16-x25519", 1 },
		{ ESP, 1, "aes256gcm16-x25519-noesn", "aes256gcm16-x25519", 1 },
		{ ESP, 1, "aes256gcm16-x25519-noesn", "aes256gcm16", 0 },
		{ ESP, 1, "aes256gcm16-x25519-noesn", "default", 1 }
	};
	struct ike_proposals ours = parse(rows[_i].protocol, rows[_i].made_of);
	struct ike_proposals others = parse(rows[_i].protocol, rows[_i].asked);
	struct ike_choice c;
	uint8_t buf[MAX_SA];

	ck_assert_int_eq(ike_choose(&ours, build(&ours, rows[_i].with_ke, buf),
	    rows[_i].with_ke, 0, &c), IKE_OK);
	ck_assert(ike_choice_allowed(&ours, &c));
	ck_assert_int_eq(ike_choice_allowed(&others, &c), rows[_i].allowed);
	ike_proposals_free(&ours);
	ike_proposals_free(&others);
}
END_TEST

/* Whatever the default may lead to has its rows. */
START_TEST(suite_of_default)
{
	struct ike_proposals list = parse(IKE, "default");
	struct ike_choice c = { .protocol = IKE };
	unsigned n = 0;

	for (unsigned p = 0; p < list.n; p++) {
		const struct ike_proposal *one = &list.v[p];

		for (unsigned i = 0; i < one->n; i++)
			for (unsigned k = 0; k < one->n; k++) {
				struct ike_suite suite = { NULL, NULL, NULL };

				/* Two at a time, in all ways. */
				c.id[one->v[i].type] = one->v[i].id;
				c.id[one->v[k].type] = one->v[k].id;
				if (one->v[i].type == IKE_ENCR)
					c.key_bits = one->v[i].key_bits;
				if (one->v[k].type == IKE_ENCR)
					c.key_bits = one->v[k].key_bits;
				if (c.id[IKE_KE] == 0)
					continue;
				n++;
				ck_assert(ike_suite_of(NULL, &c, &suite));
				ck_assert_uint_eq(suite.prf->id, c.id[IKE_PRF]);
				ck_assert_uint_eq(suite.kex->id, c.id[IKE_KE]);
				ck_assert_uint_eq(suite.cipher->encr, c.id[IKE_ENCR]);
				ck_assert_uint_eq(suite.cipher->integ, c.id[IKE_INTEG]);
			}
		c = (struct ike_choice){ .protocol = IKE };
	}
	ck_assert_uint_gt(n, 100);
	ike_proposals_free(&list);
}
END_TEST

START_TEST(suite_of_missing_rows)
{
	static const struct ike_choice rows[] = {
		{ .key_bits = 256, .id = { 0, 20, 5, 0, 31 } },		/* all there */
		{ .key_bits = 0, .id = { 0, 20, 5, 0, 31 } },
		{ .key_bits = 256, .id = { 0, 99, 5, 0, 31 } },
		{ .key_bits = 256, .id = { 0, 20, 1, 0, 31 } },
		{ .key_bits = 256, .id = { 0, 20, 5, 12, 31 } },
		{ .key_bits = 256, .id = { 0, 20, 5, 0, 2 } }
	};
	struct ike_suite suite;

	ck_assert_int_eq(ike_suite_of(NULL, &rows[_i], &suite), _i == 0);
}
END_TEST

START_TEST(groups_offered)
{
	struct ike_proposals ike =
	    parse(IKE, "aes256gcm16-prfsha256-ecp384-x25519,aes256-sha256-modp2048");
	struct ike_proposals esp = parse(ESP, "aes256gcm16-modpnone-x25519");
	struct ike_proposals none = { NULL, 0 };

	for (unsigned group = 0; group <= UINT16_MAX; group++) {
		ck_assert_int_eq(ike_offers_group(&ike, (uint16_t)group),
		    group == 20 || group == 31 || group == 14);
		ck_assert_int_eq(ike_offers_group(&esp, (uint16_t)group), group == 31);
	}
	ck_assert_uint_eq(ike_first_group(&ike), IKE_KE_ECP_384);
	ck_assert_uint_eq(ike_first_group(&esp), IKE_KE_NONE);
	ck_assert_uint_eq(ike_first_group(&none), IKE_KE_NONE);
	ike_proposals_free(&ike);
	ike_proposals_free(&esp);
}
END_TEST


int
main(void)
{
	TCase *tcase = tcase_create("proposal");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, text_parsed, 0, COUNT(texts));
	tcase_add_loop_test(tcase, text_printed_is_parsed, 0, COUNT(texts));
	tcase_add_test(tcase, texts_together);
	tcase_add_loop_test(tcase, text_refused, 0, COUNT(wrong));
	tcase_add_test(tcase, weak_found);
	tcase_add_test(tcase, text_refused_without_room);
	tcase_add_test(tcase, text_random);
	tcase_add_test(tcase, print_cut_to_fit);
	tcase_add_test(tcase, sa_octets);
	tcase_add_loop_test(tcase, sa_printed, 0, COUNT(texts));
	tcase_add_test(tcase, sa_default_is_small);
	tcase_add_test(tcase, sa_without_room);
	tcase_add_loop_test(tcase, peer_proposal, 0, COUNT(peers));
	tcase_add_loop_test(tcase, peer_answer, 0, COUNT(peers));
	tcase_add_loop_test(tcase, peer_proposal_truncated, 0, COUNT(peers));
	tcase_add_test(tcase, choose_our_first_proposal);
	tcase_add_loop_test(tcase, choose_peers_group, 0, COUNT(preferred));
	tcase_add_loop_test(tcase, choose_every_number, 0, 5);
	tcase_add_test(tcase, choose_by_protocol);
	tcase_add_test(tcase, protocols_by_number);
	tcase_add_loop_test(tcase, choice_round_trip, 0, 7);
	tcase_add_test(tcase, answer_number);
	tcase_add_test(tcase, answer_of_two_proposals);
	tcase_add_loop_test(tcase, choice_allowed, 0, 12);
	tcase_add_test(tcase, suite_of_default);
	tcase_add_loop_test(tcase, suite_of_missing_rows, 0, 6);
	tcase_add_test(tcase, groups_offered);
	return run_tests("proposal", tcase);
}
