#include <check.h>
#include <stdlib.h>

#include "libesp/bytes.h"
#include "tests/unit/run.h"

START_TEST(bytes_load_big_endian)
{
	static const uint8_t p[] = {
		0xff, 0x81, 0x02, 0xf3, 0x04, 0xe5, 0x06, 0xd7, 0x08
	};

	ck_assert_uint_eq(bytes_load16(p + 1), 0x8102);
	ck_assert_uint_eq(bytes_load32(p + 1), 0x8102f304);
	ck_assert_uint_eq(bytes_load64(p + 1), 0x8102f304e506d708);
}
END_TEST

START_TEST(bytes_store_whole_width)
{
	static const uint8_t want[] = {
		0xaa, 0x81, 0x02, 0xf3, 0x04, 0xe5, 0x06, 0xd7, 0x08, 0xaa
	};
	uint8_t p[10];

	memset(p, 0xaa, sizeof p);
	bytes_store64(p + 1, 0x8102f304e506d708);
	ck_assert_mem_eq(p, want, sizeof want);

	memset(p, 0xaa, sizeof p);
	bytes_store32(p + 1, 0x8102f304);
	ck_assert_mem_eq(p, want, 5);
	ck_assert_uint_eq(p[5], 0xaa);

	memset(p, 0xaa, sizeof p);
	bytes_store16(p + 1, 0x8102);
	ck_assert_mem_eq(p, want, 3);
	ck_assert_uint_eq(p[3], 0xaa);
}
END_TEST

START_TEST(bytes_equal_compares_length_and_content)
{
	ck_assert(bytes_equal(bytes_of(NULL, 0), bytes_of("x", 0)));
	ck_assert(bytes_equal(bytes_of("abc", 3), bytes_of("abc", 3)));
	ck_assert(!bytes_equal(bytes_of("abc", 3), bytes_of("abd", 3)));
	ck_assert(!bytes_equal(bytes_of("abc", 3), bytes_of("abc", 2)));
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("bytes");

	tcase_add_test(tcase, bytes_load_big_endian);
	tcase_add_test(tcase, bytes_store_whole_width);
	tcase_add_test(tcase, bytes_equal_compares_length_and_content);
	return run_tests("bytes", tcase);
}
