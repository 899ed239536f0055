/* replay FOLDER: runs each file of the folder, as make fuzz keeps them, through a fuzz
 * target; without libFuzzer, by any compiler. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libesp/bytes.h"
#include "tests/fuzz/fuzz.h"

enum { MOST = 1 << 20, SECONDS = 30 };

static size_t
read_file(const char *path, uint8_t *buf)
{
	FILE *file = fopen(path, "rb");
	size_t len;

	if (file == NULL) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	len = fread(buf, 1, MOST, file);
	fclose(file);
	return len;
}

/* On an allocation of exactly its size, so that a sanitizer sees the first octet too
 * far. */
static void
run(const char *path)
{
	uint8_t *whole = malloc(MOST), *exact;
	size_t len;

	fuzz_require(whole != NULL);
	len = read_file(path, whole);
	exact = malloc(len > 0 ? len : 1);
	fuzz_require(exact != NULL);
	memcpy(exact, whole, len);
	free(whole);
	alarm(SECONDS);
	LLVMFuzzerTestOneInput(exact, len);
	alarm(0);
	free(exact);
}

/* Which of the inputs it was when one ends a process: each run of them has its own, from
 * the file `from` on, and writes the index of each file before it. */
static int
run_from(struct dirent *const *v, int from, int n, const char *folder)
{
	char path[4096];
	int at = from, pipes[2], status;
	pid_t child;

	fuzz_require(pipe(pipes) == 0 && (child = fork()) >= 0);
	if (child == 0) {
		close(pipes[0]);
		for (int i = from; i < n; i++) {
			snprintf(path, sizeof(path), "%s/%s", folder, v[i]->d_name);
			fuzz_require(write(pipes[1], &i, sizeof(i)) == sizeof(i));
			run(path);
		}
		exit(EXIT_SUCCESS);
	}
	close(pipes[1]);
	while (read(pipes[0], &at, sizeof(at)) == sizeof(at))
		;
	close(pipes[0]);
	fuzz_require(waitpid(child, &status, 0) == child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
		return n;
	printf("FAILED: %s/%s\n", folder, v[at]->d_name);
	return at;
}

static int
is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int
main(int argc, char **argv)
{
	struct dirent **v;
	int n, failed = 0, i;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return EXIT_FAILURE;
	}
	if ((n = scandir(argv[1], &v, is_input, alphasort)) < 0) {
		perror(argv[1]);
		return EXIT_FAILURE;
	}
	LLVMFuzzerInitialize(&argc, &argv);
	for (i = 0; i < n; i++)
		if ((i = run_from(v, i, n, argv[1])) < n)
			failed++;
	for (i = 0; i < n; i++)
		free(v[i]);
	free(v);
	printf("%d passed, %d failed\n", n - failed, failed);
	return failed == 0 && n > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
