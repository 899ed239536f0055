/* Two ends that see the key exchange of Child SAs differently, RFC 7296 1.3.1: it is
 * found out early, told, and loses no tunnel. */
#include <string.h>

#include "tests/unit/pair.h"
#include "tests/unit/run.h"

#define HOUR (3600 * IKE_SECOND)

static struct pair p;
static struct ike_setup setup[2];
static struct ike_child_setup child[2];
static int outs[2];		/* outbound SAs that each end has */
static unsigned without[2];	/* how often it had none any more */

static void
count(void *arg, unsigned end, const struct ike_event *event)
{
	(void)arg;
	if (event->type == IKE_OUT_ADD)
		outs[end]++;
	if (event->type == IKE_OUT_REMOVE && --outs[end] == 0)
		without[end]++;
}

static void
pass(ike_time time)
{
	for (ike_time end = p.now + time; p.now < end;) {
		pair_pass(&p, IKE_SECOND);
		pair_pump(&p);
	}
}

static void
open_both(void)
{
	memset(outs, 0, sizeof(outs));
	memset(without, 0, sizeof(without));
	pair_open(&p, setup);
	p.hear = count;
}

static void
begin(enum ike_pfs ours, enum ike_pfs theirs)
{
	pair_setups(setup, child);
	setup[0].pfs = ours;
	setup[1].pfs = theirs;
	setup[0].childless = setup[1].childless = false;
	setup[0].renewal = (struct ike_renewal){ .child.time = HOUR, .jitter_percent = 10,
	    .child_hard.time = 5 * HOUR / 4 };
	open_both();
	pair_up(&p);
	pair_pump(&p);
	ck_assert_uint_eq(p.events[0][IKE_UP], 2);
}

/* Time from now until the peer has refused something more; more than `most`: never. */
static ike_time
refused_after(ike_time most)
{
	unsigned before = p.events[0][IKE_REFUSED];
	ike_time begun = p.now;

	while (p.events[0][IKE_REFUSED] == before && p.now - begun <= most)
		pass(IKE_SECOND);
	return p.now - begun;
}

/* Each end has had an outbound SA ever since its first. */
static void
expect_tunnel(void)
{
	for (unsigned end = 0; end < 2; end++) {
		ck_assert_uint_eq(without[end], 0);
		ck_assert_int_ge(outs[end], 1);
	}
}

/* Who requires a group asks within a minute, once; what works goes on. */
START_TEST(mismatch_is_found_early)
{
	ike_time after;

	begin(IKE_PFS_REQUIRE, IKE_PFS_OFF);
	after = refused_after(2 * 60 * IKE_SECOND);
	ck_assert_int_ge(after, 9 * IKE_SECOND);
	ck_assert_int_le(after, 62 * IKE_SECOND);
	ck_assert_int_eq(p.refused[0], IKE_NO_PROPOSAL_CHOSEN);
	ck_assert_ptr_nonnull(strstr(p.refusal[0], "the peer accepts none"));
	ck_assert_ptr_nonnull(strstr(p.refusal[0], "x25519"));
	ck_assert_ptr_nonnull(strstr(p.refusal[0], "|esp"));
	expect_tunnel();
	pass(50 * 60 * IKE_SECOND);
	ck_assert_uint_eq(p.events[0][IKE_REFUSED], 1);
	expect_tunnel();
	pair_close(&p);
}
END_TEST

/* When it must be rekeyed and may not be, another IKE SA brings fresh keys, before the
 * old ones end. */
START_TEST(mismatch_loses_no_tunnel)
{
	unsigned before;

	begin(_i == 0 ? IKE_PFS_REQUIRE : IKE_PFS_OFF,
	    _i == 0 ? IKE_PFS_OFF : IKE_PFS_REQUIRE);
	before = p.events[0][IKE_OUT_ADD];
	pass(5 * HOUR);
	expect_tunnel();
	ck_assert_uint_ge(p.events[0][IKE_OUT_ADD], before + 4);
	/* once an hour, and the probe */
	ck_assert_uint_ge(p.events[0][IKE_REFUSED], 4);
	ck_assert_uint_le(p.events[0][IKE_REFUSED], 7);
	pair_close(&p);
}
END_TEST

/* Asked for by a person: refused, told, and no more. */
START_TEST(refused_rekey_is_not_repeated)
{
	begin(IKE_PFS_OFF, IKE_PFS_REQUIRE);
	ike_rekey(p.e[0], p.now, LIST_FIRST(&pair_sa(&p, 0)->children)->id);
	pair_drain(&p, 0);
	pair_pump(&p);
	ck_assert_uint_eq(p.events[0][IKE_REFUSED], 1);
	pass(50 * 60 * IKE_SECOND);
	ck_assert_uint_eq(p.events[0][IKE_REFUSED], 1);
	expect_tunnel();
	pair_close(&p);
}
END_TEST

/* The data path's word is heard nevertheless. */
START_TEST(limit_after_a_refusal_is_heard)
{
	struct ike_notice soft = { .type = IKE_SOFT };

	begin(IKE_PFS_REQUIRE, IKE_PFS_OFF);
	ck_assert_int_le(refused_after(2 * 60 * IKE_SECOND), 62 * IKE_SECOND);
	soft.id = LIST_FIRST(&pair_sa(&p, 0)->children)->id;
	ck_assert_int_eq(ike_tell(p.e[0], p.now, &soft), IKE_OK);
	pair_drain(&p, 0);
	pair_pump(&p);
	ck_assert_uint_eq(p.events[0][IKE_REFUSED], 2);
	pass(20 * IKE_SECOND);
	ck_assert_uint_eq(p.events[0][IKE_OUT_ADD], 2);
	expect_tunnel();
	pair_close(&p);
}
END_TEST

/* Another configuration is another question. */
START_TEST(new_configuration_is_probed_again)
{
	struct ike_connection *c;
	struct ike_fault faults[4];
	unsigned n;

	begin(IKE_PFS_REQUIRE, IKE_PFS_OFF);
	ck_assert_int_le(refused_after(2 * 60 * IKE_SECOND), 62 * IKE_SECOND);
	c = ike_connection_new(&setup[0], faults, 4, &n);
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(ike_put(p.e[0], p.now, p.connection[0], c), p.connection[0]);
	ike_connection_free(c);
	pair_drain(&p, 0);
	ck_assert_int_eq(ike_down(p.e[0], p.now, pair_sa(&p, 0)->id), IKE_OK);
	pair_drain(&p, 0);
	pair_pump(&p);
	pair_up(&p);
	pair_pump(&p);
	ck_assert_int_le(refused_after(2 * 60 * IKE_SECOND), 62 * IKE_SECOND);
	pair_close(&p);
}
END_TEST

/* RFC 6023: where both ends bear an IKE SA without a Child SA the first one shows it. */
START_TEST(childless_shows_it_at_once)
{
	pair_setups(setup, child);
	setup[0].pfs = IKE_PFS_REQUIRE;
	setup[1].pfs = IKE_PFS_OFF;
	open_both();
	pair_up(&p);
	pair_pump(&p);
	ck_assert_uint_eq(p.events[0][IKE_REFUSED], 1);
	ck_assert_int_eq(p.refused[0], IKE_NO_PROPOSAL_CHOSEN);
	ck_assert_uint_eq(p.events[0][IKE_OUT_ADD], 0);
	pair_close(&p);
}
END_TEST

/* The same of the IKE SA: its peer has no such algorithms any more. */
START_TEST(refused_rekey_of_the_ike_sa_loses_nothing)
{
	static const char *const one[] = { "aes256gcm16-prfsha256-x25519" };
	static const char *const other[] = { "aes256-sha256-modp2048" };
	struct ike_connection *c;
	struct ike_fault faults[4];
	unsigned n;

	pair_setups(setup, child);
	setup[0].ike = (struct ike_texts){ one, 1 };
	setup[0].renewal = (struct ike_renewal){ .ike = 4 * HOUR, .ike_hard = 5 * HOUR };
	open_both();
	pair_up(&p);
	pair_pump(&p);
	setup[1].ike = (struct ike_texts){ other, 1 };
	c = ike_connection_new(&setup[1], faults, 4, &n);
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_ne(ike_put(p.e[1], p.now, p.connection[1], c), 0);
	ike_connection_free(c);
	ck_assert_int_eq(ike_rekey(p.e[0], p.now, pair_sa(&p, 0)->id), IKE_OK);
	pair_drain(&p, 0);
	pass(3 * HOUR);
	ck_assert_uint_eq(p.events[0][IKE_REFUSED], 1);
	ck_assert_str_eq(p.refusal[0], "the peer accepts none of our IKE proposals|"
	    "aes256gcm16-prfsha256-x25519|NO_PROPOSAL_CHOSEN|ike");
	pass(HOUR + 60 * IKE_SECOND);
	/* the rekey that was due, and the IKE SA that was to follow; both ends told it */
	ck_assert_uint_ge(p.events[0][IKE_REFUSED], 3);
	expect_tunnel();
	pair_close(&p);
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("mismatch");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, mismatch_is_found_early);
	tcase_add_loop_test(tcase, mismatch_loses_no_tunnel, 0, 2);
	tcase_add_test(tcase, refused_rekey_is_not_repeated);
	tcase_add_test(tcase, limit_after_a_refusal_is_heard);
	tcase_add_test(tcase, new_configuration_is_probed_again);
	tcase_add_test(tcase, childless_shows_it_at_once);
	tcase_add_test(tcase, refused_rekey_of_the_ike_sa_loses_nothing);
	return run_tests("mismatch", tcase);
}
