/* A configuration file: it is either loaded, or refused with at least one fault, and
 * every fault is one printable line. */
#include <sodium.h>
#include <string.h>

#include "daemon/warn.h"
#include "tests/fuzz/fuzz.h"

/* libconfig forgets a text that it was reading when it met a syntax error. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig\n";
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_require(sodium_init() >= 0);
	fuzz_folder();
	return 0;
}

static void
print(const struct faults *faults)
{
	char line[FAULT_LINE];

	for (unsigned i = 0; i < faults->n; i++) {
		fault_line(&faults->v[i], line, sizeof(line));
		fuzz_require(memchr(line, '\0', sizeof(line)) != NULL);
		for (const char *p = line; *p != '\0'; p++)
			fuzz_require(((unsigned char)*p >= ' ' && *p != 0x7f) ||
			    *p == '\t');
	}
}

static void
look_up(const struct configuration *c)
{
	for (unsigned i = 0; i < c->n_connections; i++) {
		fuzz_require(configuration_find(c, c->connections[i].name) ==
		    &c->connections[i]);
		fuzz_require(c->connections[i].connection != NULL);
		configured_origin(&c->connections[i], "remote.address", -1);
		configured_origin(&c->connections[i], "children.local", 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes content = bytes_of(data, size);
	struct faults faults = { 0 }, warnings = { 0 };
	struct configuration *c;

	/* what an @include names is not the input's to choose */
	if (memmem(data, size, "@include", 8) != NULL)
		return -1;
	c = configuration_load(fuzz_file("ikev.conf", content), &faults);
	fuzz_require((c != NULL) == !faults_any(&faults));
	faults_sort(&faults);
	print(&faults);
	if (c != NULL) {
		look_up(c);
		configuration_warn(c, &warnings);
		print(&warnings);
	}
	configuration_free(c);
	faults_free(&faults);
	faults_free(&warnings);
	return 0;
}
