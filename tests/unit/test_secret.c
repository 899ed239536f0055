#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/secret.h"
#include "tests/unit/files.h"
#include "tests/unit/run.h"

static struct faults faults, weak;
static struct secret_folder *folder;

static void
setup(void)
{
	ck_assert_int_ge(sodium_init(), 0);
}

static void
teardown(void)
{
	secret_folder_close(folder);
	folder = NULL;
	faults_free(&faults);
	faults_free(&weak);
	files_remove();
}

/* From the test's folder, opened anew. */
static bool
read_named(const char *name, struct bytes *secret)
{
	*secret = (struct bytes){ 0 };
	secret_folder_close(folder);
	folder = secret_folder_open(files_folder(), &faults, &weak);
	return folder != NULL && secret_read(folder, name, secret);
}

static bool
read_back(const char *text, size_t len, mode_t mode, struct bytes *secret)
{
	files_write("paris.psk", text, len, mode);
	return read_named("paris", secret);
}

/* ---- what a content stands for ---- */

#define FORM(file, means, warnings) { file, sizeof(file) - 1, means, sizeof(means) - 1, \
	warnings }
static const struct {
	const char *file;
	size_t file_len;
	const char *means;
	size_t len;
	unsigned warnings;
} forms[] = {
	FORM("a secret of some length", "a secret of some length", 0),
	FORM("a secret of some length\n", "a secret of some length", 0),
	FORM("a secret of some length\n\n", "a secret of some length\n", 1),
	FORM(" a secret of some length", " a secret of some length", 1),
	FORM("a secret of some length\r\n", "a secret of some length\r", 1),
	FORM("fifteen octets.", "fifteen octets.", 1),
	FORM("sixteen octets..", "sixteen octets..", 0),
	FORM("\0\377 not text at all", "\0\377 not text at all", 0),
	FORM("0x000102030405060708090a0b0c0D0E0f\n",
	    "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f", 0),
	FORM("0Xff", "\xff", 1),
	FORM("base64:c2l4dGVlbiBvY3RldHMuLg==\n", "sixteen octets..", 0),
	FORM("base64:c2l4dGVlbiBvY3RldHMuLg", "sixteen octets..", 0),
	FORM("BASE64:/+8=", "\xff\xef", 1),
};

START_TEST(secret_means)
{
	struct bytes secret;

	ck_assert(read_back(forms[_i].file, forms[_i].file_len, 0600, &secret));
	ck_assert_uint_eq(secret.len, forms[_i].len);
	ck_assert_mem_eq(secret.p, forms[_i].means, secret.len);
	ck_assert_uint_eq(faults.n, 0);
	ck_assert_uint_eq(weak.n, forms[_i].warnings);
}
END_TEST

static const char *const misfits[] = {
	"", "\n", "0x", "0x\n", "0xabc", "0xgg", "0xab cd", "0xab\n\n", "0x:ab",
	"base64:", "base64:\n", "base64:a", "base64:????", "base64:YQ==YQ==",
	"base64:YQ=", "base64:YQ== ", "base64:-_8=",
};

START_TEST(secret_misfits)
{
	struct bytes secret;

	ck_assert(!read_back(misfits[_i], strlen(misfits[_i]), 0600, &secret));
	ck_assert_ptr_null(secret.p);
	ck_assert_uint_eq(faults.n, 1);
	ck_assert_msg(strchr(faults.v[0].text, ';') != NULL, "%s", faults.v[0].text);
}
END_TEST

/* At the limit, and one beyond it, in each form. */
START_TEST(secret_has_a_longest)
{
	static const struct { const char *prefix, *unit; size_t octets; } kinds[] = {
		{ "", "x", 1 }, { "0x", "ab", 1 }, { "base64:", "QUJD", 3 },
	};
	static char text[4 * SECRET_MAX];
	struct bytes secret;
	size_t over, i, at;

	for (over = 0; over < 2; over++) {
		at = (size_t)snprintf(text, sizeof(text), "%s", kinds[_i].prefix);
		for (i = 0; i < SECRET_MAX / kinds[_i].octets + over; i++)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s",
			    kinds[_i].unit);
		ck_assert_int_eq(read_back(text, at, 0600, &secret), over == 0);
		if (over == 0)
			ck_assert_uint_eq(secret.len,
			    SECRET_MAX / kinds[_i].octets * kinds[_i].octets);
	}
	ck_assert_uint_eq(faults.n, 1);
}
END_TEST

START_TEST(secret_much_too_long)
{
	static char text[1 << 20];
	struct bytes secret;

	memset(text, 'x', sizeof(text));
	ck_assert(!read_back(text, sizeof(text), 0600, &secret));
	ck_assert_uint_eq(faults.n, 1);
}
END_TEST

/* ---- who can read it ---- */

static const struct {
	mode_t mode;
	const char *command;		/* NULL: allowed */
} modes[] = {
	{ 0600, NULL }, { 0400, NULL }, { 0640, NULL }, { 0440, NULL }, { 0700, NULL },
	{ 0644, "chmod o= " }, { 0604, "chmod o= " }, { 0602, "chmod o= " },
	{ 0666, "chmod g-w,o= " }, { 0660, "chmod g-w,o= " }, { 0620, "chmod g-w,o= " },
};

START_TEST(secret_mode)
{
	static const char text[] = "a secret of some length";
	char command[4096];
	struct bytes secret;

	ck_assert_int_eq(read_back(text, strlen(text), modes[_i].mode, &secret),
	    modes[_i].command == NULL);
	if (modes[_i].command != NULL) {
		snprintf(command, sizeof(command), "%s%s/paris.psk", modes[_i].command,
		    files_folder());
		ck_assert_ptr_null(secret.p);
		ck_assert_uint_eq(faults.n, 1);
		ck_assert_msg(strstr(faults.v[0].text, command) != NULL, "%s",
		    faults.v[0].text);
	}
}
END_TEST

START_TEST(secret_in_a_folder_for_all)
{
	struct bytes secret;

	files_write("paris.psk", "a secret of some length", 23, 0600);
	ck_assert_int_eq(chmod(files_folder(), 0777), 0);
	ck_assert(!read_named("paris", &secret));
	ck_assert_ptr_nonnull(strstr(faults.v[0].text, "chmod o-w "));
	ck_assert_int_eq(chmod(files_folder(), 0755), 0);
	ck_assert(read_named("paris", &secret));
}
END_TEST

/* ---- what is no file ---- */

START_TEST(secret_missing)
{
	struct bytes secret;

	ck_assert(!read_named("paris", &secret));
	ck_assert_ptr_null(secret_folder_open("/nowhere/at/all", &faults, &weak));
	ck_assert_uint_eq(faults.n, 2);
	ck_assert_ptr_nonnull(strstr(faults.v[0].file, "/paris.psk"));
	ck_assert_ptr_nonnull(strstr(faults.v[0].text, "write the secret there"));
	ck_assert_str_eq(faults.v[1].file, "/nowhere/at/all");
	ck_assert_ptr_nonnull(strstr(faults.v[1].text, "mkdir -m 700"));
}
END_TEST

START_TEST(secret_behind_a_link)
{
	char path[4096];
	struct bytes secret;

	files_write("real", "a secret of some length", 23, 0600);
	snprintf(path, sizeof(path), "%s/paris.psk", files_folder());
	ck_assert_int_eq(symlink("real", path), 0);
	ck_assert(read_named("paris", &secret));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/etc/hostname", path), 0);
	ck_assert(!read_named("paris", &secret));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("../../../../../../etc/hostname", path), 0);
	ck_assert(!read_named("paris", &secret));
	ck_assert_uint_eq(faults.n, 2);
}
END_TEST

/* Neither of them blocks. */
START_TEST(secret_not_regular)
{
	char path[4096];
	struct bytes secret;

	snprintf(path, sizeof(path), "%s/paris.psk", files_folder());
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert(!read_named("paris", &secret));
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert(!read_named("paris", &secret));
	ck_assert_uint_eq(faults.n, 2);
}
END_TEST

START_TEST(secret_of_an_odd_name)
{
	char name[300];
	struct bytes secret;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert(!read_named(name, &secret));
	ck_assert(!read_named("../paris", &secret));
	ck_assert_uint_eq(faults.n, 2);
}
END_TEST

/* A long one, a short one and none leave nothing of each other behind. */
START_TEST(secrets_one_after_the_other)
{
	static const char longest[] = "a secret that is longer than the others";
	const uint8_t *octets;
	struct bytes secret;
	unsigned i;

	files_write("rome.psk", "sixteen octets..", 16, 0600);
	ck_assert(read_back(longest, sizeof(longest) - 1, 0600, &secret));
	octets = secret.p;
	ck_assert(secret_read(folder, "rome", &secret));
	ck_assert_uint_eq(secret.len, 16);
	ck_assert_mem_eq(secret.p, "sixteen octets..", 16);
	ck_assert(!secret_read(folder, "nobody", &secret));
	ck_assert_ptr_null(secret.p);
	for (i = 0; i < sizeof(longest) - 1; i++)
		ck_assert_uint_eq(octets[i], 0);
	ck_assert(secret_read(folder, "paris", &secret));
	ck_assert_mem_eq(secret.p, longest, sizeof(longest) - 1);
	ck_assert_uint_eq(faults.n, 1);
}
END_TEST

/* A fault is for everybody's eyes. */
START_TEST(secret_is_in_no_message)
{
	static const char *const texts[] = {
		"0xsesame", "base64:sesame?", "sesame", "sesame "
	};
	struct bytes secret;
	unsigned i;

	for (i = 0; i < 4; i++) {
		read_back(texts[i], strlen(texts[i]), i == 2 ? 0644 : 0600, &secret);
	}
	ck_assert_uint_eq(faults.n, 3);
	ck_assert_uint_gt(weak.n, 0);
	for (i = 0; i < faults.n; i++)
		ck_assert_ptr_null(strstr(faults.v[i].text, "sesame"));
	for (i = 0; i < weak.n; i++)
		ck_assert_ptr_null(strstr(weak.v[i].text, "sesame"));
}
END_TEST

#define ROWS(a) ((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	TCase *t = tcase_create("secret");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, secret_means, 0, ROWS(forms));
	tcase_add_loop_test(t, secret_misfits, 0, ROWS(misfits));
	tcase_add_loop_test(t, secret_has_a_longest, 0, 3);
	tcase_add_test(t, secret_much_too_long);
	tcase_add_loop_test(t, secret_mode, 0, ROWS(modes));
	tcase_add_test(t, secret_in_a_folder_for_all);
	tcase_add_test(t, secret_missing);
	tcase_add_test(t, secret_behind_a_link);
	tcase_add_test(t, secret_not_regular);
	tcase_add_test(t, secret_of_an_odd_name);
	tcase_add_test(t, secrets_one_after_the_other);
	tcase_add_test(t, secret_is_in_no_message);
	return run_tests("secret", t);
}
