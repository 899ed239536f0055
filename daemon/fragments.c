#include "daemon/fragments.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int
has_name(const struct dirent *entry)
{
	static const char suffix[] = ".conf";
	size_t len = strlen(entry->d_name), n = sizeof(suffix) - 1;

	return entry->d_name[0] != '.' && len > n &&
	    strcmp(entry->d_name + len - n, suffix) == 0;
}

/* Not as the locale sorts: the order is the same wherever the daemon starts. */
static int
by_octets(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
blame_folder(const char *folder, struct faults *faults)
{
	static const struct { int error; const char *remedy; } remedies[] = {
		{ EACCES, "run ikevd as root, or let its user read the folder" },
		{ ENOTDIR, "it must be a folder, whose *.conf files are read, or away" },
	};
	const char *remedy = "it must be a folder that can be read, or away";
	int error = errno;
	size_t i;

	for (i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++)
		if (remedies[i].error == error)
			remedy = remedies[i].remedy;
	fault_add(faults, (struct origin){ folder, 0 }, "cannot read the folder: %s; %s",
	    strerror(error), remedy);
}

/* What cannot even be looked at counts, so that reading it becomes a fault. */
static bool
is_regular(const char *path)
{
	struct stat st;

	return stat(path, &st) != 0 || S_ISREG(st.st_mode);
}

/* "a", "b": "ab" in the arena. */
static char *
join(struct arena *arena, const char *a, const char *b)
{
	size_t len = strlen(a) + strlen(b) + 1;
	char *text = arena_take(arena, len, 1);

	if (text != NULL)
		snprintf(text, len, "%s%s", a, b);
	return text;
}

struct fragments
fragments_find(const char *file, struct arena *arena, struct faults *faults)
{
	const char *folder = join(arena, file, ".d");
	const char *inside = join(arena, file, ".d/");
	struct fragments found = { 0 };
	struct dirent **entries = NULL;
	int n = -1, i;

	if (folder == NULL || inside == NULL)
		goto no_memory;
	n = scandir(folder, &entries, has_name, by_octets);
	if (n < 0 && errno == ENOMEM)
		goto no_memory;
	if (n < 0 && errno != ENOENT)
		blame_folder(folder, faults);
	if (n < 0)
		return found;
	found.v = arena_take(arena, (size_t)n, sizeof(*found.v));
	for (i = 0; i < n && found.v != NULL; i++) {
		const char *path = join(arena, inside, entries[i]->d_name);

		if (path == NULL)
			faults->no_memory = true;
		else if (is_regular(path))
			found.v[found.n++] = path;
	}
	if (found.v == NULL)
		faults->no_memory = true;
	for (i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	return found;
no_memory:
	faults->no_memory = true;
	return found;
}
