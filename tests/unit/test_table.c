/* Tables: members come, are found by their key, and go, in any order and number. */
#include <stdlib.h>

#include "libesp/table.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

enum { N = 5000 };

struct member {
	uint64_t other;
	struct esp_link link;
	uint8_t key[5];			/* not a whole word, nor in front of the link */
	bool in;
};

static void
set_key(struct member *m, uint32_t n)
{
	bytes_store32(m->key, n);
	m->key[4] = (uint8_t)(n * 7);
}

static struct member *
find(const struct esp_table *t, uint32_t n)
{
	struct member m;

	set_key(&m, n);
	return ESP_MEMBER(esp_table_find(t, m.key), struct member, link);
}

START_TEST(table_agrees_with_an_array)
{
	struct esp_table t = ESP_TABLE(struct member, link, key);
	struct member *v = calloc(N, sizeof(*v));
	uint64_t seed = 3;
	size_t in = 0;

	ck_assert_ptr_nonnull(v);
	ck_assert_ptr_null(find(&t, 0));
	for (uint32_t i = 0; i < N; i++)
		set_key(&v[i], i);
	for (unsigned step = 0; step < 10 * N; step++) {
		uint32_t i = (uint32_t)(next_random(&seed) % N);

		ck_assert_msg(find(&t, i) == (v[i].in ? &v[i] : NULL), "step %u", step);
		if (v[i].in)
			esp_table_remove(&t, &v[i].link);
		else
			ck_assert(esp_table_add(&t, &v[i].link));
		v[i].in = !v[i].in;
		in += v[i].in ? 1 : (size_t)-1;
		ck_assert_uint_eq(t.n, in);
	}
	for (uint32_t i = 0; i < N; i++)
		ck_assert(find(&t, i) == (v[i].in ? &v[i] : NULL));
	esp_table_free(&t);
	free(v);
}
END_TEST

START_TEST(table_empties)
{
	struct esp_table t = ESP_TABLE(struct member, link, key);
	struct member v[100];
	struct esp_link *link;
	size_t from = 0;
	unsigned n = 0;

	ck_assert_ptr_null(esp_table_any(&t, &from));
	for (uint32_t i = 0; i < 100; i++) {
		set_key(&v[i], i);
		ck_assert(esp_table_add(&t, &v[i].link));
	}
	while ((link = esp_table_any(&t, &from)) != NULL) {
		esp_table_remove(&t, link);
		n++;
	}
	ck_assert_uint_eq(n, 100);
	ck_assert_uint_eq(t.n, 0);
	esp_table_free(&t);
}
END_TEST

/* Keys that follow each other, as ids do, are spread. */
START_TEST(table_has_short_chains)
{
	struct esp_table t = ESP_TABLE(struct member, link, key);
	struct member *v = calloc(N, sizeof(*v));
	unsigned longest = 0, length;

	ck_assert_ptr_nonnull(v);
	for (uint32_t i = 0; i < N; i++) {
		set_key(&v[i], i << (_i * 4));
		ck_assert(esp_table_add(&t, &v[i].link));
	}
	for (size_t i = 0; i <= t.mask; i++) {
		length = 0;
		for (struct esp_link *link = t.chains[i]; link != NULL; link = link->next)
			length++;
		if (length > longest)
			longest = length;
	}
	ck_assert_uint_lt(longest, 12);
	esp_table_free(&t);
	free(v);
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("table");

	tcase_add_test(tcase, table_agrees_with_an_array);
	tcase_add_test(tcase, table_empties);
	tcase_add_loop_test(tcase, table_has_short_chains, 0, 5);
	return run_tests("table", tcase);
}
