/* Members by id: they come, are found, and go, in any order and number. */
#include <stdlib.h>

#include "libipsec/index.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

enum { N = 5000, STEP = 4 };		/* ids as they are given out: in even steps */

struct member {
	struct ipsec_entry entry;
	bool in;
};

START_TEST(index_agrees_with_an_array)
{
	struct ipsec_index x = { 0 };
	struct member *v = calloc(N, sizeof(*v));
	uint64_t seed = 3;
	size_t in = 0;

	ck_assert_ptr_nonnull(v);
	ck_assert_ptr_null(ipsec_index_find(&x, STEP));
	for (unsigned i = 0; i < N; i++)
		v[i].entry.id = STEP * (i + 1);
	for (unsigned step = 0; step < 10 * N; step++) {
		struct member *m = &v[next_random(&seed) % N];

		ck_assert_msg(ipsec_index_find(&x, m->entry.id) == (m->in ? m : NULL),
		    "step %u", step);
		if (m->in)
			ipsec_index_remove(&x, &m->entry);
		else
			ck_assert(ipsec_index_add(&x, &m->entry));
		m->in = !m->in;
		in += m->in ? 1 : (size_t)-1;
		ck_assert_uint_eq(x.n, in);
	}
	for (unsigned i = 0; i < N; i++)
		ck_assert(ipsec_index_find(&x, v[i].entry.id) == (v[i].in ? &v[i] : NULL));
	ipsec_index_free(&x);
	free(v);
}
END_TEST

/* Chains stay short, whatever the steps. */
START_TEST(index_spreads_ids)
{
	struct ipsec_index x = { 0 };
	struct member *v = calloc(N, sizeof(*v));
	unsigned longest = 0, len;

	ck_assert_ptr_nonnull(v);
	for (unsigned i = 0; i < N; i++) {
		v[i].entry.id = (uint64_t)(i + 1) << _i;
		ck_assert(ipsec_index_add(&x, &v[i].entry));
	}
	for (size_t i = 0; i <= x.mask; i++) {
		len = 0;
		for (struct ipsec_entry *e = x.chains[i]; e != NULL; e = e->next)
			len++;
		longest = len > longest ? len : longest;
	}
	ck_assert_uint_le(longest, 12);
	ipsec_index_free(&x);
	free(v);
}
END_TEST

START_TEST(index_gives_up_each_member_once)
{
	struct ipsec_index x = { 0 };
	struct member v[100] = { 0 }, *m;
	size_t from = 0;
	unsigned n = 0;

	ck_assert_ptr_null(ipsec_index_any(&x, &from));
	for (unsigned i = 0; i < 100; i++) {
		v[i].entry.id = i + 1;
		ck_assert(ipsec_index_add(&x, &v[i].entry));
	}
	while ((m = ipsec_index_any(&x, &from)) != NULL) {
		ck_assert(!m->in);
		m->in = true;
		ipsec_index_remove(&x, &m->entry);
		n++;
	}
	ck_assert_uint_eq(n, 100);
	ipsec_index_free(&x);
}
END_TEST

/* Asking ahead needs no member to be there, and changes nothing. */
START_TEST(index_expects_any_ids)
{
	struct ipsec_index x = { 0 };
	struct member v[100] = { 0 };
	uint64_t ids[200];

	for (unsigned i = 0; i < 200; i++)
		ids[i] = i;
	ipsec_index_expect(&x, ids, 200, sizeof(*v));
	for (unsigned i = 0; i < 100; i++) {
		v[i].entry.id = i + 1;
		ck_assert(ipsec_index_add(&x, &v[i].entry));
		ipsec_index_expect(&x, ids, 200, sizeof(*v));
	}
	for (unsigned i = 0; i < 200; i++)
		ck_assert(ipsec_index_find(&x, i) ==
		    (i > 0 && i <= 100 ? &v[i - 1] : NULL));
	ipsec_index_free(&x);
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("index");

	tcase_add_test(tcase, index_agrees_with_an_array);
	tcase_add_loop_test(tcase, index_spreads_ids, 0, 8);
	tcase_add_test(tcase, index_gives_up_each_member_once);
	tcase_add_test(tcase, index_expects_any_ids);
	return run_tests("index", tcase);
}
