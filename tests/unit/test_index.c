/* Finding the connection of a caller among many: by address and proposals first, by
 * identity then (T97). */
#include <string.h>

#include "tests/unit/pair.h"
#include "tests/unit/run.h"

enum { MOST = 8 };

static struct ike_setup setup[2];
static struct ike_child_setup child[2];
static struct pair p;
static ike_id extra[MOST];
static unsigned n_extra;

static const char *const rare[1] = { "aes256-sha256-modp4096" };

/* As end 1's own connection, but for these; NULL leaves one as it is. */
static void
add(const char *name, const char *remote_id, const char *remote_address,
    const char *const *ike)
{
	struct ike_setup s = setup[1];
	struct ike_connection *c;
	struct ike_fault fault;
	unsigned n;

	s.name = name;
	s.remote_id = remote_id != NULL ? remote_id : s.remote_id;
	s.remote_address = remote_address != NULL ? remote_address : s.remote_address;
	if (ike != NULL)
		s.ike = (struct ike_texts){ ike, 1 };
	ck_assert_ptr_nonnull(c = ike_connection_new(&s, &fault, 1, &n));
	ck_assert_uint_lt(n_extra, MOST);
	extra[n_extra] = ike_put(p.e[1], p.now, 0, c);
	ck_assert(extra[n_extra++] != 0);
	ike_connection_free(c);
}

/* End 1's own connection knows another peer; what else there is a test adds. */
static void
begin(const char *const *ike)
{
	n_extra = 0;
	pair_setups(setup, child);
	setup[1].remote_address = "any";
	setup[1].remote_id = "nobody.example";
	if (ike != NULL)
		setup[0].ike = (struct ike_texts){ ike, 1 };
	pair_open(&p, setup);
	setup[1].remote_id = "a.example";
}

static void
drop(unsigned i)
{
	ck_assert_int_eq(ike_drop(p.e[1], p.now, extra[i]), IKE_OK);
	pair_drain(&p, 1);
	extra[i] = 0;
}

/* Does end 0 come in, and by this connection of end 1? */
static void
expect(const char *name)
{
	struct ike_sa *sa;

	pair_up(&p);
	pair_pump(&p);
	if (name == NULL) {
		ck_assert_uint_eq(p.events[1][IKE_IN_ADD], 0);
	} else {
		ck_assert_uint_eq(p.events[1][IKE_IN_ADD], 1);
		sa = pair_sa(&p, 1);
		ck_assert_str_eq(sa->connection->name, name);
		ck_assert_str_eq(sa->peer->connection->name, name);
	}
	for (unsigned i = 0; i < n_extra; i++)
		if (extra[i] != 0)
			drop(i);
	pair_close(&p);
}

START_TEST(caller_is_told_by_identity)
{
	begin(NULL);
	add("other", "other.example", NULL, NULL);
	add("right", NULL, NULL, NULL);
	expect("right");
}
END_TEST

/* The first of a kind speaks for it; when it goes, the next one does. */
START_TEST(kind_outlives_its_first)
{
	begin(NULL);
	ike_drop(p.e[1], p.now, p.connection[1]);
	add("first", "other.example", NULL, NULL);
	add("second", "another.example", NULL, NULL);
	add("right", NULL, NULL, NULL);
	drop(0);
	drop(1);
	expect("right");
}
END_TEST

/* Other proposals are another kind, and so are other addresses. */
START_TEST(every_kind_is_tried)
{
	begin(rare);
	add("rare", NULL, NULL, rare);
	expect("rare");

	begin(NULL);
	ike_drop(p.e[1], p.now, p.connection[1]);
	add("far", "other.example", "198.51.100.0/24", NULL);
	add("near", NULL, "192.0.2.0/24", NULL);
	expect("near");

	begin(NULL);
	ike_drop(p.e[1], p.now, p.connection[1]);
	add("far", NULL, "198.51.100.0/24", NULL);
	expect(NULL);

	begin(NULL);
	ike_drop(p.e[1], p.now, p.connection[1]);
	setup[1].local_address = "198.51.100.2";
	add("there", "other.example", NULL, NULL);
	setup[1].local_address = "192.0.2.2";
	add("here", NULL, NULL, NULL);
	expect("here");
}
END_TEST

/* Of two that are alike the first is meant, also when it was replaced meanwhile. */
START_TEST(replacement_keeps_its_turn)
{
	struct ike_connection *c;

	begin(NULL);
	add("first", NULL, NULL, NULL);
	add("second", NULL, NULL, NULL);
	c = ike_connection_hold(ike_table_peer(p.e[1], extra[0])->connection);
	ck_assert(ike_put(p.e[1], p.now, extra[0], c) == extra[0]);
	ike_connection_free(c);
	expect("first");
}
END_TEST

/* Two that have the caller's identity: the one with its very address is meant. */
START_TEST(address_is_nearer_than_any)
{
	begin(NULL);
	add("road", NULL, NULL, NULL);
	add("site", NULL, "192.0.2.1", NULL);
	expect("site");

	begin(NULL);
	add("site", NULL, "192.0.2.1", NULL);
	add("road", NULL, NULL, NULL);
	expect("site");
}
END_TEST

START_TEST(identity_has_no_case)
{
	begin(NULL);
	add("right", "A.EXAMPLE", NULL, NULL);
	expect("right");
}
END_TEST

/* A pattern means many; whoever is known by name is not asked for one, and of patterns the
 * longest counts. */
START_TEST(pattern_means_many)
{
	begin(NULL);
	add("anyone", "%any", NULL, NULL);
	expect("anyone");

	begin(NULL);
	add("anyone", "%any", NULL, NULL);
	add("below", "*.example", NULL, NULL);
	add("elsewhere", "*.longer.example", NULL, NULL);
	expect("below");

	begin(NULL);
	add("below", "*.example", NULL, NULL);
	add("right", NULL, NULL, NULL);
	expect("right");

	begin(NULL);
	add("users", "*@a.example", NULL, NULL);
	expect(NULL);
}
END_TEST

int
main(void)
{
	const TTest *tests[] = {
		caller_is_told_by_identity, kind_outlives_its_first, every_kind_is_tried,
		replacement_keeps_its_turn, address_is_nearer_than_any,
		identity_has_no_case, pattern_means_many,
	};
	TCase *c = tcase_create("index");

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(c, tests[i]);
	return run_tests("index", c);
}
