/* What the fuzz targets share.  A target is one file, fuzz_NAME.c; `make fuzz` links it
 * with libFuzzer, and `make check` with replay.c, which runs the kept inputs of
 * corpus/NAME through it.  A target is deterministic: no clock, no randomness but from a
 * seed, and nothing is left of one input when the next one comes. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include "libesp/bytes.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An input as a sequence of fields; beyond its end they are zero or empty. */
struct fuzz_input { const uint8_t *p; size_t len; };
uint8_t fuzz_octet(struct fuzz_input *);
uint16_t fuzz_word(struct fuzz_input *);		/* big-endian */
struct bytes fuzz_piece(struct fuzz_input *);		/* a word of length, octets */
struct bytes fuzz_rest(struct fuzz_input *);

/* A text of it with a NUL behind; free() it. */
char *fuzz_text(struct bytes);

/* A folder of this process for targets that need files; gone when it ends. */
const char *fuzz_folder(void);
/* Writes a file of that name, mode 0600, in the folder; returns its path, which lives
 * until the next call. */
const char *fuzz_file(const char *name, struct bytes content);

/* What must hold whatever the input is: else says so and aborts, which is a finding. */
#define fuzz_require(condition) \
	((condition) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #condition))
_Noreturn void fuzz_fail(const char *file, int line, const char *condition);

#endif
