/* Agreeing on algorithms, engine to engine: every row of the tables in use, extended
 * sequence numbers, the group of the first KE payload, and key exchange values that no
 * honest peer sends (ids: RFC 7296 cases). */
#include <check.h>
#include <string.h>

#include "libike/proposal.h"
#include "tests/unit/octets.h"
#include "tests/unit/pair.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

#define COUNT(a) (int)(sizeof(a) / sizeof(*(a)))

static struct ike_setup setup[2];
static struct ike_child_setup child[2];
static struct pair p;

static void
open_with(const char *const ike[2], const char *const esp[2])
{
	static const char *const compat = "sha1";

	pair_setups(setup, child);
	for (unsigned i = 0; i < 2; i++) {
		setup[i].ike = (struct ike_texts){ &ike[i], 1 };
		setup[i].esp = (struct ike_texts){ &esp[i], 1 };
		setup[i].compat = (struct ike_texts){ &compat, 1 };
	}
	pair_open(&p, setup);
	pair_up(&p);
}

static const char *const standard[2] = { "default", "default" };

/* ---- every algorithm carries an SA through ---- */

static const char *const suites[][2] = {	/* IKE, ESP */
	{ "aes128gcm16-prfsha256-x25519", "aes128gcm16" },
	{ "aes192gcm16-prfsha384-ecp256", "aes192gcm16" },
	{ "aes256gcm16-prfsha512-ecp384", "aes256gcm16" },
	{ "chacha20poly1305-prfsha256-ecp521", "chacha20poly1305" },
	{ "aes128-sha256-modp2048", "aes128-sha256" },
	{ "aes192-sha384-modp3072", "aes192-sha384" },
	{ "aes256-sha512-modp4096", "aes256-sha512" },
	{ "aes128-sha1-x25519", "aes128-sha1" },
	{ "aes256-sha1-prfsha256-x25519", "aes256-sha1" },
	{ "aes192-sha256-prfsha1-ecp256", "aes192-sha1" },
	{ "aes256-sha384-prfsha512-x25519", "aes256-sha384" }
};

START_TEST(suite_is_established)
{
	const char *const ike[2] = { suites[_i][0], suites[_i][0] };
	const char *const esp[2] = { suites[_i][1], suites[_i][1] };
	struct ike_sa_info info[2];
	struct ike_child_info out, in;

	open_with(ike, esp);
	pair_pump(&p);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_msg(pair_state(&p, i) == IKE_STATE_ESTABLISHED, "%s",
		    p.refusal[i]);
		ck_assert(ike_next_sa(p.e[i], 0, &info[i]));
		ck_assert_uint_eq(p.events[i][IKE_OUT_ADD], 1);
	}
	ck_assert_str_eq(info[0].proposal, info[1].proposal);
	ck_assert(ike_child_at(p.e[0], info[0].id, 0, &out));
	ck_assert(ike_child_at(p.e[1], info[1].id, 0, &in));
	ck_assert_ptr_eq(out.child.transform, in.child.transform);
	ck_assert_uint_eq(out.child.spi_out, in.child.spi_in);
	pair_close(&p);
}
END_TEST

/* ---- extended sequence numbers, RFC 7296 3.3.2 ---- */

static const struct { const char *i, *r; int esn; } numbers[] = {	/* -1: refused */
	{ "aes256gcm16-esn", "aes256gcm16-esn", 1 },
	{ "aes256gcm16-noesn", "aes256gcm16-noesn", 0 },
	{ "aes256gcm16-esn", "aes256gcm16-noesn", -1 },
	{ "aes256gcm16-noesn", "aes256gcm16-esn", -1 },
	{ "aes256gcm16", "aes256gcm16-esn", 1 },
	{ "aes256gcm16-esn", "aes256gcm16", 1 },
	{ "aes256gcm16", "aes256gcm16-noesn", 0 },
	{ "aes256gcm16-noesn", "aes256gcm16", 0 },
	{ "aes256gcm16", "aes256gcm16", 0 },
	/* the responder's order */
	{ "aes256gcm16-noesn-esn", "aes256gcm16-esn-noesn", 1 },
	{ "aes256gcm16-esn-noesn", "aes256gcm16-noesn-esn", 0 },
	{ "aes256-sha256-esn", "aes256-sha256-esn-noesn", 1 },
	{ "aes256-sha256-noesn", "aes256-sha256-esn-noesn", 0 },
	{ "default", "default", 0 }
};

START_TEST(esn_is_negotiated)
{
	const char *const esp[2] = { numbers[_i].i, numbers[_i].r };
	struct ike_child_info info;

	open_with(standard, esp);
	pair_pump(&p);
	for (unsigned i = 0; i < 2; i++) {
		struct ike_sa *sa = pair_sa(&p, i);

		if (numbers[_i].esn < 0) {
			ck_assert_uint_eq(p.events[i][IKE_IN_ADD],
			    p.events[i][IKE_IN_REMOVE]);
			ck_assert_uint_eq(p.events[i][IKE_OUT_ADD], 0);
			ck_assert_int_eq(p.refused[i], IKE_NO_PROPOSAL_CHOSEN);
			continue;
		}
		ck_assert_ptr_nonnull(sa);
		ck_assert(ike_child_at(p.e[i], sa->id, 0, &info));
		ck_assert_int_eq(info.child.esn, numbers[_i].esn);
	}
	pair_close(&p);
}
END_TEST

/* ---- the group of the first KE payload ---- */

/* It is one of the responder's, though not its first: one round is enough. */
START_TEST(first_group_is_taken)
{
	static const char *const ike[2] = {
		"aes256gcm16-prfsha256-ecp384-x25519-modp2048",
		"aes256gcm16-prfsha256-x25519-modp2048-ecp384"
	};
	struct ike_sa_info info;
	struct ike_counts c;

	open_with(ike, standard);
	pair_pump(&p);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	ck_assert(ike_next_sa(p.e[0], 0, &info));
	ck_assert_str_eq(info.proposal, "aes256gcm16-prfsha256-ecp384");
	ike_read_counts(p.e[0], &c);
	ck_assert_uint_eq(c.sent, 2);	/* IKE_SA_INIT and IKE_AUTH */
	pair_close(&p);
}
END_TEST

/* Offered by both, but not what the KE payload is of: another round. */
START_TEST(first_group_is_asked_for)
{
	static const char *const ike[2] = {
		"aes256gcm16-prfsha256-modp4096-x25519", "aes256gcm16-prfsha256-x25519"
	};
	struct ike_counts c;

	open_with(ike, standard);
	pair_pump(&p);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	ike_read_counts(p.e[0], &c);
	ck_assert_uint_eq(c.sent, 3);
	pair_close(&p);
}
END_TEST

/* Where the body of the KE payload stands: group, RESERVED, value. */
static uint8_t *
find_ke(struct pair_datagram *d, size_t *len)
{
	struct ike_message m;
	const struct ike_payload *ke;

	ck_assert_int_eq(ike_parse_message(bytes_of(d->data, d->len), &m), IKE_OK);
	ke = ike_find_payload(&m, IKE_PAYLOAD_KE, 0);
	ck_assert_ptr_nonnull(ke);
	*len = ke->body.len;
	return d->data + (ke->body.p - d->data);
}

static unsigned
half_open(unsigned end)
{
	struct ike_counts c;

	ike_read_counts(p.e[end], &c);
	return c.half_open + c.sas;
}

/* All group numbers: without the right one there is no SA, and whatever is answered asks
 * for a group that was offered; none has a meaning of its own inside. */
START_TEST(every_group_number)
{
	struct pair_datagram request, d;
	unsigned asked = 0;
	uint8_t *ke;
	size_t len;

	pair_start(&p);
	pair_up(&p);
	request = p.queue[0];
	ke = find_ke(&request, &len);
	for (unsigned group = 0; group <= UINT16_MAX; group++) {
		if (group == IKE_KE_CURVE25519)
			continue;
		p.n = 0;
		p.now += IKE_SECOND / 100;
		bytes_store16(ke, (uint16_t)group);
		bytes_store32(request.data + 4, group);		/* another SPI */
		pair_send(&p, &request);
		ck_assert_msg(half_open(1) == 0, "group %u", group);
		if (p.n == 0)
			continue;
		d = p.queue[0];
		ck_assert_uint_eq(d.data[16], IKE_PAYLOAD_NOTIFY);
		ck_assert_uint_eq(bytes_load64(d.data + 8), 0);
		ck_assert_uint_le(d.len, request.len);
		if (bytes_load16(d.data + 34) == IKE_INVALID_KE_PAYLOAD) {
			ck_assert_uint_eq(bytes_load16(d.data + 36), IKE_KE_CURVE25519);
			asked++;
		}
	}
	ck_assert_uint_gt(asked, 0);
	p.n = 0;
	pair_close(&p);
}
END_TEST

/* ---- public values of no honest peer (T37) ---- */

static const struct { const char *ike, *name, *value; } bad[] = {
#define X "aes256gcm16-prfsha256-x25519"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define ONES "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
	{ X, "0", ZEROS },
	{ X, "1", "0100000000000000000000000000000000000000000000000000000000000000" },
	{ X, "order 8",
	    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800" },
	{ X, "order 8",
	    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157" },
	{ X, "p-1", "ec" ONES "7f" }, { X, "p", "ed" ONES "7f" },
	{ X, "p+1", "ee" ONES "7f" },
	{ X, "p+1, high bit", "ee" ONES "ff" },
	{ "aes256gcm16-prfsha256-ecp256", "0", ZEROS ZEROS },
	{ "aes256gcm16-prfsha256-ecp256", "not on the curve",
	    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
	    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f4" },
	{ "aes256gcm16-prfsha256-ecp521", "0", NULL },
	{ "aes256gcm16-prfsha256-modp2048", "0", NULL },
	{ "aes256gcm16-prfsha256-modp2048", "1", "01" },
	{ "aes256gcm16-prfsha256-modp2048", "p-1", "minus 1" },
	{ "aes256gcm16-prfsha256-modp2048", "p", "minus 0" },
	{ "aes256gcm16-prfsha256-modp4096", "1", "01" }
};

static void
take_prime(uint8_t *value, size_t len, unsigned below)
{
	struct vectors *v = vectors_open("modp-primes.json");

	while (vectors_next(v)) {
		struct bytes prime = vectors_hex(v, "prime");

		if (prime.len != len)
			continue;
		memcpy(value, prime.p, len);
		value[len - 1] -= (uint8_t)below;
	}
	vectors_close(v);
}

/* Row `i` in place of the value in the message. */
static void
spoil(struct pair_datagram *d, int i)
{
	const char *text = bad[i].value;
	struct bytes value;
	size_t len;
	uint8_t *ke = find_ke(d, &len) + 4;

	len -= 4;
	memset(ke, 0, len);
	if (text == NULL)
		return;
	if (strncmp(text, "minus ", 6) == 0) {
		take_prime(ke, len, (unsigned)(text[6] - '0'));
		return;
	}
	value = octets(text);
	memcpy(ke + len - value.len, value.p, value.len);
	octets_free(value);
}

/* No state is kept, no answer is larger than the question, and the peer's own message is
 * still welcome. */
START_TEST(bad_value_as_request)
{
	const char *const ike[2] = { bad[_i].ike, bad[_i].ike };
	struct pair_datagram request, spoiled;

	open_with(ike, standard);
	request = spoiled = p.queue[0];
	p.n = 0;
	spoil(&spoiled, _i);
	pair_send(&p, &spoiled);
	ck_assert_msg(half_open(1) == 0, "%s", bad[_i].name);
	ck_assert_uint_le(p.n, 1);
	if (p.n == 1) {
		ck_assert_uint_eq(p.queue[0].data[16], IKE_PAYLOAD_NOTIFY);
		ck_assert_uint_eq(bytes_load64(p.queue[0].data + 8), 0);
		ck_assert_uint_le(p.queue[0].len, spoiled.len);
	}
	p.n = 0;
	pair_send(&p, &request);
	pair_pump(&p);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	ck_assert_int_eq(pair_state(&p, 1), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

/* The initiator takes it for a forgery: it changes nothing, and the real answer works. */
START_TEST(bad_value_as_response)
{
	const char *const ike[2] = { bad[_i].ike, bad[_i].ike };
	struct pair_datagram answer, spoiled;
	uint64_t before;

	open_with(ike, standard);
	pair_deliver(&p, 0);
	answer = spoiled = p.queue[0];
	p.n = 0;
	spoil(&spoiled, _i);
	before = sa_digest(pair_sa(&p, 0));
	pair_send(&p, &spoiled);
	ck_assert_uint_eq(p.n, 0);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_INIT_SENT);
	ck_assert_msg(sa_digest(pair_sa(&p, 0)) == before, "%s", bad[_i].name);
	pair_send(&p, &answer);
	pair_pump(&p);
	ck_assert_int_eq(pair_state(&p, 0), IKE_STATE_ESTABLISHED);
	ck_assert_int_eq(pair_state(&p, 1), IKE_STATE_ESTABLISHED);
	pair_close(&p);
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("agree");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, suite_is_established, 0, COUNT(suites));
	tcase_add_loop_test(tcase, esn_is_negotiated, 0, COUNT(numbers));
	tcase_add_test(tcase, first_group_is_taken);
	tcase_add_test(tcase, first_group_is_asked_for);
	tcase_add_test(tcase, every_group_number);
	tcase_add_loop_test(tcase, bad_value_as_request, 0, COUNT(bad));
	tcase_add_loop_test(tcase, bad_value_as_response, 0, COUNT(bad));
	return run_tests("agree", tcase);
}
