#include <string.h>

#include "libike/like.h"
#include "tests/unit/run.h"

static const struct {
	const char *a, *b;
	unsigned most, distance;
} distances[] = {
	{ "", "", 3, 0 }, { "a", "", 3, 1 }, { "", "abc", 3, 3 },
	{ "listen", "lisen", 3, 1 },		/* removed */
	{ "listen", "lissten", 3, 1 },		/* inserted */
	{ "listen", "liszen", 3, 1 },		/* changed */
	{ "listen", "lsiten", 3, 1 },		/* swapped */
	{ "LISTEN", "listen", 3, 0 }, { "LSITEN", "listen", 3, 1 },
	{ "aZ", "Az", 0, 0 }, { "@", "`", 3, 1 }, { "[", "{", 3, 1 },
	{ "local", "remote", 6, 6 }, { "local", "remote", 2, 3 },
	{ "kitten", "sitting", 5, 3 },
};

START_TEST(distance_of_two_words)
{
	ck_assert_uint_eq(
	    ike_like_distance(distances[_i].a, distances[_i].b, distances[_i].most),
	    distances[_i].distance);
	ck_assert_uint_eq(
	    ike_like_distance(distances[_i].b, distances[_i].a, distances[_i].most),
	    distances[_i].distance);
}
END_TEST

START_TEST(distance_of_long_words)
{
	char text[4000], longest[65];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ck_assert_uint_eq(ike_like_distance(longest, longest, 3), 0);
	ck_assert_uint_eq(ike_like_distance(text, text, 3), 4);
	ck_assert_uint_eq(ike_like_distance(text, "listen", 3), 4);
	ck_assert_uint_eq(ike_like_distance("listen", text, 3), 4);
}
END_TEST

#define ROWS(a) ((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	TCase *t = tcase_create("like");

	tcase_add_loop_test(t, distance_of_two_words, 0, ROWS(distances));
	tcase_add_test(t, distance_of_long_words);
	return run_tests("like", t);
}
