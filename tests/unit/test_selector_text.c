#include <check.h>
#include <stdlib.h>

#include "libesp/selector.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

#define COUNT(a) (sizeof (a) / sizeof (a)[0])

static struct esp_range
range(const char *text)
{
	struct esp_range r = { .family = 0 };

	ck_assert_msg(esp_range_parse(text, &r), "\"%s\" does not parse", text);
	return r;
}

START_TEST(range_text_round_trips)
{
	static const char *const texts[] = {
		"0.0.0.0/0",
		"10.1.0.0/24",
		"10.1.0.7",
		"10.1.0.1-10.1.0.9",
		"255.255.255.255",
		"0.0.0.0-255.255.255.254",
		"::/0",
		"2001:db8::/32",
		"2001:db8::7",
		"::1-::9",
		"10.1.0.0/24[udp]",
		"10.1.0.0/24[udp/53]",
		"10.1.0.0/24[tcp/1024-65535]",
		"10.1.0.0/24[tcp/0]",
		"10.1.0.0/24[gre]",
		"::/0[sctp/1-2]",
		"10.1.0.0/24[udp/opaque]",
		"10.1.0.0/24[any/opaque]",
		"10.1.0.0/24[199/7]",
		"10.1.0.0/24[icmp]",
		"10.1.0.0/24[icmp/8]",
		"10.1.0.0/24[icmp/8(0)]",
		"10.1.0.0/24[icmp/3(0)-3(4)]",
		"10.1.0.0/24[icmp/0-8]",
		"::/0[ipv6-icmp/128(0)]",
		"ffff:1111:ffff:1111:ffff:1111:ffff:fff0-ffff:2222::ffff:fffe",
		"1234:5678:9abc:def0::-ffff::[ipv6-icmp/100(1)-255(100)]",
	};
	char text[ESP_RANGE_TEXT];

	for (unsigned i = 0; i < COUNT(texts); i++) {
		struct esp_range r = range(texts[i]), again;

		ck_assert(esp_range_valid(&r));
		ck_assert_uint_eq(esp_range_print(&r, text, sizeof text),
		    strlen(texts[i]));
		ck_assert_str_eq(text, texts[i]);
		again = range(text);
		ck_assert(esp_range_equal(&r, &again));
	}
}
END_TEST

START_TEST(range_text_other_spellings)
{
	static const char *const pairs[][2] = {
		{ "10.1.0.7/32", "10.1.0.7" },
		{ "10.1.0.0-10.1.0.255", "10.1.0.0/24" },
		{ "::7/128", "::7" },
		{ "2001:0DB8:0::0/32", "2001:db8::/32" },
		{ "10.1.0.0/24[17/53]", "10.1.0.0/24[udp/53]" },
		{ "10.1.0.0/24[47]", "10.1.0.0/24[gre]" },
		{ "10.1.0.0/24[udp/0-65535]", "10.1.0.0/24[udp]" },
		{ "10.1.0.0/24[any]", "10.1.0.0/24" },
		{ "10.1.0.0/24[0]", "10.1.0.0/24" },
		{ "::/0[icmpv6/1]", "::/0[ipv6-icmp/1]" },
		{ "10.0.0.0/8[icmp/3-3(4)]", "10.0.0.0/8[icmp/3(0)-3(4)]" },
	};

	for (unsigned i = 0; i < COUNT(pairs); i++) {
		struct esp_range a = range(pairs[i][0]), b = range(pairs[i][1]);

		ck_assert_msg(esp_range_equal(&a, &b), "%s", pairs[i][0]);
	}
}
END_TEST

START_TEST(range_text_refused)
{
	static const char *const texts[] = {
		"",
		" ",
		"10.1.0.0/33",
		"10.1.0.0/",
		"10.1.0.0/-1",
		"10.1.0.0/ 24",
		"10.1.0/24",
		"10.1.0.5/24",
		"256.0.0.1",
		"10.1.0.0/24 ",
		" 10.1.0.0/24",
		"10.1.0.9-10.1.0.1",
		"10.1.0.1-::1",
		"10.1.0.1-",
		"-10.1.0.1",
		"10.1.0.0/24-10.2.0.0",
		"::/129",
		"::1::2",
		"fe80::1%eth0",
		"dynamic",
		"10.1.0.0/24[",
		"10.1.0.0/24[]",
		"10.1.0.0/24[udp",
		"10.1.0.0/24[udp/]",
		"10.1.0.0/24[udp/53]x",
		"10.1.0.0/24[udp/65536]",
		"10.1.0.0/24[udp/5-4]",
		"10.1.0.0/24[256]",
		"10.1.0.0/24[any/53]",
		"10.1.0.0/24[/53]",
		"10.1.0.0/24[udp/domain]",
		"10.1.0.0/24[icmp/256]",
		"10.1.0.0/24[icmp/8(256)]",
		"10.1.0.0/24[icmp/8(0]",
		"10.1.0.0/24[udp/8(0)]",
		"10.1.0.0/24[udp][tcp]",
		"10.1.0.0/24[UDP]",
		"10.1.0.0/99999999999999999999",
		"10.1.0.0/24[udp/99999999999999999999]",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc",
	};

	for (unsigned i = 0; i < COUNT(texts); i++) {
		struct esp_range r = { .family = 99 };

		ck_assert_msg(!esp_range_parse(texts[i], &r), "\"%s\"", texts[i]);
		ck_assert_uint_eq(r.family, 99);
	}
}
END_TEST

START_TEST(range_text_truncated)
{
	static const char *const texts[] = {
		"10.1.0.1-10.1.0.9[icmp/3(0)-3(4)]", "2001:db8::1/128[tcp/1024-65535]",
	};

	for (unsigned i = 0; i < COUNT(texts); i++)
		for (size_t len = 0; len <= strlen(texts[i]); len++) {
			char *copy = (char *)exact_copy(bytes_of(texts[i], len + 1));
			char text[ESP_RANGE_TEXT];
			struct esp_range r, again;

			copy[len] = '\0';
			if (esp_range_parse(copy, &r)) {
				esp_range_print(&r, text, sizeof text);
				ck_assert(esp_range_parse(text, &again));
				ck_assert(esp_range_equal(&r, &again));
			}
			free(copy);
		}
}
END_TEST

START_TEST(range_print_cuts)
{
	struct esp_range r = range("10.1.0.0/24[tcp/1024-65535]");
	const char *whole = "10.1.0.0/24[tcp/1024-65535]";

	for (size_t size = 0; size <= strlen(whole) + 1; size++) {
		char *text = malloc(size);

		ck_assert_uint_eq(esp_range_print(&r, text, size), strlen(whole));
		if (size > 0) {
			ck_assert_uint_eq(strlen(text), size - 1);
			ck_assert(strncmp(text, whole, size - 1) == 0);
		}
		free(text);
	}
}
END_TEST

int
main(void)
{
	TCase *tcase = tcase_create("selector_text");

	tcase_add_test(tcase, range_text_round_trips);
	tcase_add_test(tcase, range_text_other_spellings);
	tcase_add_test(tcase, range_text_refused);
	tcase_add_test(tcase, range_text_truncated);
	tcase_add_test(tcase, range_print_cuts);
	return run_tests("selector_text", tcase);
}
