#include "tests/unit/configs.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/files.h"

/* libconfig forgets a text that it was reading when it met a syntax error. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig\n";
}

char *
config_quoted(const char *text)
{
	char *copy = strdup(text), *p;

	for (p = copy; (p = strchr(p, '`')) != NULL; p++)
		*p = '"';
	return copy;
}

static void
clear(struct config *config)
{
	configuration_free(config->c);
	config->c = NULL;
	faults_free(&config->faults);
}

bool
config_load_octets(struct config *config, const char *text, size_t len)
{
	const char *path = files_write("ikev.conf", text, len, 0600);

	clear(config);
	config->c = configuration_load(path, &config->faults);
	ck_assert_int_eq(config->c == NULL, faults_any(&config->faults));
	return config->c != NULL;
}

bool
config_load(struct config *config, const char *text)
{
	char *file = config_quoted(text);
	bool good = config_load_octets(config, file, strlen(file));

	free(file);
	return good;
}

void
config_forget(struct config *config)
{
	clear(config);
	files_remove();
}

bool
config_says(const char *fault, const char *words)
{
	char *all = config_quoted(words);
	bool found = strstr(fault, all) != NULL;

	free(all);
	return found;
}

const char *
config_faults(struct config *config)
{
	static char text[1 << 16];
	struct faults *faults = &config->faults;
	char line[FAULT_LINE];
	size_t at = 0;
	unsigned i;

	faults_sort(faults);
	text[0] = '\0';
	for (i = 0; i < faults->n && at < sizeof(text); i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s\n",
		    fault_line(&faults->v[i], line, sizeof(line)));
	return text;
}
