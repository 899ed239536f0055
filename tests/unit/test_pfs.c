/* Which groups Child SAs offer, and whether two ends agree on one, RFC 7296 1.3.1. */
#include <stdlib.h>
#include <string.h>

#include "libike/pfs.h"
#include "tests/unit/run.h"

#define COUNT(a) (int)(sizeof (a) / sizeof *(a))

enum { MAX_SA = 2000 };

static struct ike_proposals
parse(uint8_t protocol, const char *text)
{
	struct ike_proposals list;
	char why[200];

	ck_assert_msg(ike_proposals_parse(&text, 1, protocol, &list, why, sizeof why),
	    "%s: %s", text, why);
	return list;
}

static struct ike_proposals
esp_of(enum ike_pfs pfs, const char *ike_text, const char *esp_text)
{
	struct ike_proposals ike = parse(IKE_PROTOCOL_IKE, ike_text);
	struct ike_proposals esp = parse(IKE_PROTOCOL_ESP, esp_text);

	ck_assert(ike_pfs_apply(pfs, &ike, &esp));
	ike_proposals_free(&ike);
	return esp;
}

#define ONE "aes256gcm16-prfsha256-x25519-ecp256"
#define TWO ONE ",aes256-sha256-ecp256-modp2048"

static const struct {
	enum ike_pfs pfs;
	const char *ike, *esp, *offered;
} rows[] = {
	{ IKE_PFS_OFF, ONE, "aes256gcm16", "aes256gcm16-noesn-esn" },
	{ IKE_PFS_OFF, ONE, "aes256gcm16-x25519-esn", "aes256gcm16-esn" },
	{ IKE_PFS_OFF, ONE, "aes256gcm16-x25519-modpnone-esn",
	    "aes256gcm16-modpnone-esn" },
	{ IKE_PFS_PREFER, ONE, "aes256gcm16-esn",
	    "aes256gcm16-x25519-ecp256-modpnone-esn" },
	{ IKE_PFS_PREFER, TWO, "aes256-sha256-noesn",
	    "aes256-sha256-x25519-ecp256-modp2048-modpnone-noesn" },
	{ IKE_PFS_PREFER, ONE, "aes256gcm16-modp3072-noesn",
	    "aes256gcm16-modp3072-modpnone-noesn" },
	{ IKE_PFS_PREFER, ONE, "aes256gcm16-modpnone-ecp384-x25519-noesn",
	    "aes256gcm16-ecp384-x25519-modpnone-noesn" },
	{ IKE_PFS_PREFER, ONE, "aes256gcm16-modpnone-noesn",
	    "aes256gcm16-modpnone-noesn" },
	{ IKE_PFS_PREFER, ONE, "aes256gcm16-noesn,aes256-sha256-ecp384-noesn",
	    "aes256gcm16-x25519-ecp256-modpnone-noesn, "
	    "aes256-sha256-ecp384-modpnone-noesn" },
	{ IKE_PFS_REQUIRE, TWO, "aes256gcm16-noesn",
	    "aes256gcm16-x25519-ecp256-modp2048-noesn" },
	{ IKE_PFS_REQUIRE, ONE, "aes256gcm16-modp3072-modpnone-noesn",
	    "aes256gcm16-modp3072-noesn" },
	{ IKE_PFS_REQUIRE, ONE, "aes256gcm16-ecp521-noesn", "aes256gcm16-ecp521-noesn" }
};

START_TEST(pfs_groups)
{
	struct ike_proposals esp = esp_of(rows[_i].pfs, rows[_i].ike, rows[_i].esp);
	char text[300];

	ck_assert_str_eq(ike_proposals_print(&esp, text, sizeof text), rows[_i].offered);
	ike_proposals_free(&esp);
}
END_TEST

/* In IKE_AUTH an offer is what it would be without any of it, 1.2. */
START_TEST(pfs_is_not_in_ike_auth)
{
	struct ike_proposals esp = esp_of(rows[_i].pfs, rows[_i].ike, rows[_i].esp);
	uint8_t sa[MAX_SA];
	struct ike_writer w = ike_writer(sa, sizeof sa);
	char sent[300], text[300];

	ike_build_sa(&w, &esp, bytes_of("\1\2\3\4", 4), false);
	ike_sa_print(ike_written(&w), sent, sizeof sent);
	ck_assert_str_eq(ike_offer_print(&esp, false, text, sizeof text), sent);
	ck_assert_ptr_null(strstr(sent, "x25519"));
	ck_assert_ptr_null(strstr(sent, "modp"));
	ck_assert_ptr_null(strstr(sent, "ecp"));
	ike_proposals_free(&esp);
}
END_TEST

#define MINE "aes256gcm16-prfsha256-x25519-ecp256"
#define OTHER "aes256gcm16-prfsha256-ecp384-ecp256"	/* ecp256 in common */
#define STRANGE "aes256gcm16-prfsha256-modp2048"	/* none */

static const struct {
	enum ike_pfs i, r;
	const char *theirs;	/* the responder's groups; the initiator's are MINE */
	const char *chosen;	/* NULL: refused */
} pairs[] = {
	{ IKE_PFS_PREFER, IKE_PFS_PREFER, MINE, "aes256gcm16-x25519-noesn" },
	{ IKE_PFS_PREFER, IKE_PFS_PREFER, OTHER, "aes256gcm16-ecp256-noesn" },
	{ IKE_PFS_PREFER, IKE_PFS_PREFER, STRANGE, "aes256gcm16-modpnone-noesn" },
	{ IKE_PFS_PREFER, IKE_PFS_OFF, MINE, "aes256gcm16-modpnone-noesn" },
	{ IKE_PFS_PREFER, IKE_PFS_REQUIRE, MINE, "aes256gcm16-x25519-noesn" },
	{ IKE_PFS_PREFER, IKE_PFS_REQUIRE, STRANGE, NULL },
	{ IKE_PFS_OFF, IKE_PFS_PREFER, MINE, "aes256gcm16-noesn" },
	{ IKE_PFS_OFF, IKE_PFS_OFF, MINE, "aes256gcm16-noesn" },
	{ IKE_PFS_OFF, IKE_PFS_REQUIRE, MINE, NULL },
	{ IKE_PFS_REQUIRE, IKE_PFS_PREFER, MINE, "aes256gcm16-x25519-noesn" },
	{ IKE_PFS_REQUIRE, IKE_PFS_PREFER, STRANGE, NULL },
	{ IKE_PFS_REQUIRE, IKE_PFS_OFF, MINE, NULL },
	{ IKE_PFS_REQUIRE, IKE_PFS_REQUIRE, OTHER, "aes256gcm16-ecp256-noesn" }
};

/* Both ends agree as the two words say, and the initiator takes what was chosen. */
START_TEST(pfs_pairs)
{
	struct ike_proposals i = esp_of(pairs[_i].i, MINE, "aes256gcm16-noesn");
	struct ike_proposals r = esp_of(pairs[_i].r, pairs[_i].theirs,
	    "aes256gcm16-noesn");
	uint8_t offer[MAX_SA], answer[MAX_SA];
	struct ike_writer o = ike_writer(offer, sizeof offer);
	struct ike_writer a = ike_writer(answer, sizeof answer);
	struct ike_choice choice, taken;
	enum ike_error error;
	char text[100];

	ike_build_sa(&o, &i, bytes_of("\1\2\3\4", 4), true);
	error = ike_choose(&r, ike_written(&o), true, ike_first_group(&i), &choice);
	ck_assert_int_eq(error, pairs[_i].chosen != NULL ? IKE_OK :
	    IKE_NO_PROPOSAL_CHOSEN);
	if (error == IKE_OK) {
		ck_assert_str_eq(ike_choice_print(&choice, text, sizeof text),
		    pairs[_i].chosen);
		ike_build_choice(&a, &choice, bytes_of("\5\6\7\10", 4));
		ck_assert_int_eq(ike_check_choice(&i, ike_written(&a), true, &taken),
		    IKE_OK);
	}
	ike_proposals_free(&i);
	ike_proposals_free(&r);
}
END_TEST

/* A peer that knows nothing of groups offers none, and answers with none or NONE. */
START_TEST(pfs_with_a_plain_peer)
{
	static const char *const plain[] = {
		"aes256gcm16-noesn", "aes256gcm16-modpnone-noesn"
	};
	enum ike_pfs pfs = (enum ike_pfs)(_i / 2);
	struct ike_proposals ours = esp_of(pfs, MINE, "aes256gcm16");
	struct ike_proposals theirs = parse(IKE_PROTOCOL_ESP, plain[_i % 2]);
	enum ike_error expected = pfs == IKE_PFS_REQUIRE ? IKE_NO_PROPOSAL_CHOSEN :
	    IKE_OK;
	uint8_t sa[MAX_SA];
	struct ike_writer w = ike_writer(sa, sizeof sa);
	struct ike_choice c;

	ike_build_sa(&w, &theirs, bytes_of("\1\2\3\4", 4), true);
	ck_assert_int_eq(ike_choose(&ours, ike_written(&w), true, IKE_KE_NONE, &c),
	    expected);
	ck_assert_int_eq(ike_check_choice(&ours, ike_written(&w), true, &c), expected);
	if (expected == IKE_OK)
		ck_assert_uint_eq(c.id[IKE_KE], IKE_KE_NONE);
	ike_proposals_free(&ours);
	ike_proposals_free(&theirs);
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("pfs");

	tcase_add_loop_test(tcase, pfs_groups, 0, COUNT(rows));
	tcase_add_loop_test(tcase, pfs_is_not_in_ike_auth, 0, COUNT(rows));
	tcase_add_loop_test(tcase, pfs_pairs, 0, COUNT(pairs));
	tcase_add_loop_test(tcase, pfs_with_a_plain_peer, 0, 6);
	return run_tests("pfs", tcase);
}
