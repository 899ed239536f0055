#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/settings.h"
#include "libike/connection_built.h"
#include "tests/unit/run.h"

/* ---- the table itself ---- */

START_TEST(settings_have_what_their_type_needs)
{
	const struct setting *row = NULL, *other;
	char why[256], *end;

	while ((row = setting_next(row)) != NULL) {
		ck_assert_msg(row->doc != NULL && row->doc[0] != '\0', "%s", row->name);
		ck_assert_msg(strstr(row->example, setting_key(row)) == row->example,
		    "%s", row->name);
		ck_assert_msg((row->type == SETTING_CHOICE) == (row->words != NULL), "%s",
		    row->name);
		if (row->words != NULL && row->standard != NULL)
			ck_assert_msg(
			    setting_word(row, row->standard) >= 0, "%s", row->name);
		if (row->type == SETTING_NUMBER) {
			long number = strtol(row->standard, &end, 10);

			ck_assert_msg(
			    *end == '\0' && number >= row->least && number <= row->most,
			    "%s", row->name);
		}
		if (row->type == SETTING_QUANTITY) {
			long number = row->least;

			ck_assert_msg(row->standard == NULL || quantity_parse(
			    row->quantity, row->standard, &number), "%s", row->name);
			ck_assert_msg(number >= row->least && number <= row->most, "%s",
			    row->name);
		}
		if (row->type == SETTING_TEXT && row->standard != NULL &&
		    row->check != NULL)
			ck_assert_msg(
			    row->check(row->standard, why, sizeof(why)), "%s", row->name);
		other = setting_find(row->scope, row->name);
		ck_assert_msg(other == row, "%s stands in the table twice", row->name);
	}
}
END_TEST

/* A setting inside a group needs the row of that group. */
START_TEST(settings_have_their_groups)
{
	const struct setting *row = NULL, *group;
	char name[64];

	while ((row = setting_next(row)) != NULL) {
		const char *dot = strrchr(row->name, '.');

		if (dot == NULL)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(dot - row->name), row->name);
		group = setting_find(row->scope, name);
		ck_assert_msg(
		    group != NULL && group->type == SETTING_GROUP, "%s", row->name);
	}
}
END_TEST

/* The loader takes the index of a word for the value of the enum. */
START_TEST(words_are_in_the_order_of_enums)
{
	const struct setting *start = setting_find(SETTINGS_CONNECTION, "start");
	const struct setting *encap = setting_find(SETTINGS_CONNECTION, "encap");
	const struct setting *unique = setting_find(SETTINGS_CONNECTION, "unique");
	const struct setting *on_dead = setting_find(SETTINGS_CONNECTION, "on_dead");
	const struct setting *pfs = setting_find(SETTINGS_CONNECTION, "pfs");
	const struct setting *mode = setting_find(SETTINGS_CHILD, "mode");
	const struct setting *level = setting_find(SETTINGS_FILE, "daemon.log");
	struct ike_setup setup;
	unsigned i;

	ck_assert_int_eq(setting_word(start, "passive"), IKE_START_PASSIVE);
	ck_assert_int_eq(setting_word(start, "on-demand"), IKE_START_ON_DEMAND);
	ck_assert_int_eq(setting_word(start, "always"), IKE_START_ALWAYS);
	ck_assert_int_eq(setting_word(encap, "auto"), IKE_ENCAP_AUTO);
	ck_assert_int_eq(setting_word(encap, "force"), IKE_ENCAP_FORCE);
	ck_assert_int_eq(setting_word(encap, "never"), IKE_ENCAP_NEVER);
	ck_assert_int_eq(setting_word(unique, "replace"), IKE_UNIQUE_REPLACE);
	ck_assert_int_eq(setting_word(unique, "keep"), IKE_UNIQUE_KEEP);
	ck_assert_int_eq(setting_word(unique, "never"), IKE_UNIQUE_NEVER);
	ck_assert_int_eq(setting_word(on_dead, "restart") + 1, IKE_ON_DEAD_RESTART);
	ck_assert_int_eq(setting_word(on_dead, "drop") + 1, IKE_ON_DEAD_DROP);
	ck_assert_int_eq(setting_word(on_dead, "on-demand") + 1, IKE_ON_DEAD_ON_DEMAND);
	ck_assert_int_eq(setting_word(pfs, "prefer"), IKE_PFS_PREFER);
	ck_assert_int_eq(setting_word(pfs, "require"), IKE_PFS_REQUIRE);
	ck_assert_int_eq(setting_word(pfs, "off"), IKE_PFS_OFF);
	ck_assert_int_eq(setting_word(mode, "tunnel"), IKE_MODE_TUNNEL);
	ck_assert_int_eq(setting_word(mode, "transport"), IKE_MODE_TRANSPORT);
	for (i = 0; i < LOG_LEVELS; i++)
		ck_assert_str_eq(level->words[i], log_level_name((enum log_level)i));
	ck_assert_ptr_null(level->words[LOG_LEVELS]);

	/* and the defaults are the engine's */
	ike_setup_defaults(&setup);
	ck_assert_int_eq(setting_word(start, start->standard), setup.start);
	ck_assert_int_eq(setting_word(encap, encap->standard), setup.encap);
	ck_assert_int_eq(setting_word(unique, unique->standard), setup.unique);
	ck_assert_int_eq(setting_word(pfs, pfs->standard), setup.pfs);
	ck_assert_int_eq(setup.on_dead, IKE_ON_DEAD_BY_START);
	ck_assert_ptr_null(on_dead->standard);
	ck_assert_str_eq(setting_find(SETTINGS_CONNECTION, "auth")->standard, setup.auth);
	ck_assert_str_eq(
	    setting_find(SETTINGS_CONNECTION, "ike")->standard, setup.ike.v[0]);
	ck_assert_str_eq(
	    setting_find(SETTINGS_CONNECTION, "esp")->standard, setup.esp.v[0]);
}
END_TEST

/* The manual has an entry for every setting, and shows its default. */
START_TEST(settings_are_in_the_manual)
{
	const struct setting *row = NULL;
	static char page[1 << 16];
	char entry[128];
	FILE *file = fopen("man/ikev.conf.5", "r");
	size_t len;

	ck_assert_msg(file != NULL, "man/ikev.conf.5: run this in the top folder");
	len = fread(page, 1, sizeof(page) - 1, file);
	fclose(file);
	page[len] = '\0';
	while ((row = setting_next(row)) != NULL) {
		snprintf(entry, sizeof(entry), ".It Ic %s", setting_key(row));
		ck_assert_msg(
		    strstr(page, entry) != NULL, "the manual lacks %s", row->name);
		if (row->standard != NULL)
			ck_assert_msg(strstr(page, row->standard) != NULL,
			    "the manual lacks the default of %s: %s", row->name,
			    row->standard);
	}
}
END_TEST

/* ---- checks ---- */

static const struct {
	const char *name, *text;
	bool good;
} checks[] = {
	{ "daemon.listen", "192.0.2.1", true },
	{ "daemon.listen", "2001:db8::1", true },
	{ "daemon.listen", "::", true },
	{ "daemon.listen", "gw.example", false },
	{ "daemon.listen", "192.0.2.1/24", false },
	{ "daemon.listen", "192.0.2", false },
	{ "daemon.listen", "", false },
	{ "daemon.secrets_dir", "/etc/ikev.secrets.d", true },
	{ "daemon.secrets_dir", "secrets", false },
	{ "daemon.secrets_dir", "", false },
	{ "daemon.user", "root", true },
	{ "daemon.user", "no-such-user-here", false },
	{ "daemon.datapath", "tun", true },
	{ "daemon.datapath", "xfrm", false },
	{ "remote.address", "gw.example", true },
	{ "remote.address", "192.0.2.1, 192.0.2.2", false },
	{ "remote.address", "192.0.2.1,", false },
	{ "remote.address", "198.51.100.0/24", true },
	{ "remote.address", "2001:db8::1-2001:db8::9", true },
	{ "remote.address", "any", true },
	{ "remote.address", "198.51.100.1/24", false },
	{ "remote.address", "gw example", false },
	{ "remote.address", "198.51.100.0/24[udp]", false },
};

START_TEST(check_of_a_text)
{
	enum setting_scope scope = strncmp(checks[_i].name, "daemon.", 7) == 0 ?
	    SETTINGS_FILE : SETTINGS_CONNECTION;
	const struct setting *row = setting_find(scope, checks[_i].name);
	char why[256] = "";

	ck_assert_int_eq(row->check(checks[_i].text, why, sizeof(why)), checks[_i].good);
	ck_assert_msg(checks[_i].good == (why[0] == '\0'), "%s", why);
	if (!checks[_i].good)
		ck_assert_msg(strchr(why, ';') != NULL, "what would be right? %s", why);
}
END_TEST

/* ---- suggestions ---- */

static const struct {
	enum setting_scope scope;
	const char *name, *like;	/* NULL: nothing is like it */
} likes[] = {
	{ SETTINGS_FILE, "conections", "connections" },
	{ SETTINGS_FILE, "deamon", "daemon" },
	{ SETTINGS_FILE, "daemon.lisen", "daemon.listen" },
	{ SETTINGS_FILE, "daemon.nat_port", "daemon.natt_port" },
	{ SETTINGS_FILE, "daemon.Port", "daemon.port" },
	{ SETTINGS_FILE, "port", "daemon.port" },
	{ SETTINGS_FILE, "paris", NULL },
	{ SETTINGS_CONNECTION, "remote.adress", "remote.address" },
	{ SETTINGS_CONNECTION, "local.adress", "local.address" },
	{ SETTINGS_CONNECTION, "remotes", "remote" },
	{ SETTINGS_CONNECTION, "address", "local.address" },
	{ SETTINGS_CONNECTION, "local.start", "start" },
	{ SETTINGS_CONNECTION, "child", "rekey.child" },
	{ SETTINGS_CONNECTION, "rekey.chid", "rekey.child" },
	{ SETTINGS_CONNECTION, "expire.ikes", "expire.ike" },
	{ SETTINGS_CONNECTION, "xy", NULL },
	{ SETTINGS_CHILD, "locals", "local" },
	{ SETTINGS_CHILD, "", NULL },
};

START_TEST(like_an_unknown_name)
{
	const struct setting *row = setting_like(likes[_i].scope, likes[_i].name);

	if (likes[_i].like == NULL)
		ck_assert_msg(row == NULL, "%s is like %s", likes[_i].name, row->name);
	else
		ck_assert_msg(row != NULL && strcmp(row->name, likes[_i].like) == 0,
		    "%s is like %s", likes[_i].name, row == NULL ? "nothing" : row->name);
}
END_TEST

START_TEST(like_a_long_name)
{
	char text[4000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert_ptr_null(setting_like(SETTINGS_FILE, text));
}
END_TEST

START_TEST(like_an_unknown_word)
{
	const struct setting *start = setting_find(SETTINGS_CONNECTION, "start");

	ck_assert_str_eq(setting_word_like(start, "on_demand"), "on-demand");
	ck_assert_str_eq(setting_word_like(start, "Always"), "always");
	ck_assert_ptr_null(setting_word_like(start, "sometimes"));
	ck_assert_int_eq(setting_word(start, "Always"), -1);
}
END_TEST

#define ROWS(a) ((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	TCase *t = tcase_create("settings");

	tcase_add_test(t, settings_have_what_their_type_needs);
	tcase_add_test(t, settings_have_their_groups);
	tcase_add_test(t, words_are_in_the_order_of_enums);
	tcase_add_test(t, settings_are_in_the_manual);
	tcase_add_loop_test(t, check_of_a_text, 0, ROWS(checks));
	tcase_add_test(t, like_a_long_name);
	tcase_add_loop_test(t, like_an_unknown_name, 0, ROWS(likes));
	tcase_add_test(t, like_an_unknown_word);
	return run_tests("settings", t);
}
