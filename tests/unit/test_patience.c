#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/patience.h"
#include "tests/unit/configs.h"
#include "tests/unit/run.h"

#define ROWS(a) ((int)(sizeof(a) / sizeof((a)[0])))

static struct config loaded;

static void
teardown(void)
{
	config_forget(&loaded);
}

static const struct { ike_time time; const char *text; } times[] = {
	{ 0, "0 s" }, { IKE_SECOND / 2, "0.5 s" }, { IKE_SECOND, "1 s" },
	{ 3 * IKE_SECOND / 2, "1.5 s" }, { 9949999, "9.9 s" }, { 9950000, "10 s" },
	{ 10500000, "11 s" }, { 30 * IKE_SECOND, "30 s" }, { 59499999, "59 s" },
	{ 59500000, "1 min" }, { 137 * IKE_SECOND, "2 min 17 s" },
	{ 120 * IKE_SECOND, "2 min" }, { 3599 * IKE_SECOND, "59 min 59 s" },
	{ 3600 * IKE_SECOND, "1 h" }, { 3661 * IKE_SECOND, "1 h 1 min" },
	{ 25 * 3600 * IKE_SECOND, "25 h" },
};

START_TEST(patience_is_rounded)
{
	char buf[PATIENCE_TEXT];

	ck_assert_str_eq(patience_print(times[_i].time, buf), times[_i].text);
}
END_TEST

/* Half a second, then 1.8 times as long each time and 15 s at most, twelve copies. */
START_TEST(patience_of_a_schedule)
{
	static const struct ike_retransmission once = { 7, 7, 100, 1 };
	static const struct ike_retransmission even = { 3, 9, 100, 4 };
	static const struct ike_retransmission grows = { 4, 15, 200, 4 };
	struct ike_setup s;

	ck_assert_int_eq(ike_retransmission_time(&once), 7);
	ck_assert_int_eq(ike_retransmission_time(&even), 12);
	ck_assert_int_eq(ike_retransmission_time(&grows), 4 + 8 + 15 + 15);
	ike_setup_defaults(&s);
	ck_assert_int_eq(ike_retransmission_time(&s.established),
	    500000 + 900000 + 1620000 + 2916000 + 5248800 + 9447840 + 6 * 15000000);
}
END_TEST

static const struct { const char *text, *told; } told[] = {
	{ "connections = { };", "" },
	{ "connections = { paris = { " PEER(NETS) " }; };",
	    "paris: a silent peer is given up after 30 s + 1 min 51 s; one that does not "
	    "answer the first call after 41 s\n" },
	{ "connections = { paris = { " PEER(NETS) " }; oslo = { dpd = `never`;\n"
	    "retransmit = { first = `1s`; factor = 1; tries = 3; };\n"
	    "retransmit_setup = { tries = 1; }; " PEER(NETS) " };\n"
	    "rome = { " PEER(NETS) " }; bonn = { " PEER(NETS) " }; };",
	    "oslo: a peer is given up that leaves a request unanswered for 3 s; silence "
	    "alone is not noticed; one that does not answer the first call after 0.5 s\n"
	    "paris and 2 more: a silent peer is given up after 30 s + 1 min 51 s; one "
	    "that does not answer the first call after 41 s\n" },
};

START_TEST(patience_is_told)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert_msg(config_load(&loaded, told[_i].text), "%s", config_faults(&loaded));
	patience_tell(out, loaded.c);
	fclose(out);
	ck_assert_str_eq(text, told[_i].told);
	free(text);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("patience");

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_loop_test(t, patience_is_rounded, 0, ROWS(times));
	tcase_add_test(t, patience_of_a_schedule);
	tcase_add_loop_test(t, patience_is_told, 0, ROWS(told));
	return run_tests("patience", t);
}
