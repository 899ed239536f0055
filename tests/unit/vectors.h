/* Reads the vector files of tests/vectors, one test after the other.  Whatever is
 * wrong with a file or a field fails the Check test that asked. */
#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

#include "libesp/bytes.h"

struct vectors;

/* `name` without folder; tests run in the top folder. */
struct vectors *vectors_open(const char *name);
void vectors_close(struct vectors *);

/* Goes to the next test, the first at first; false behind the last.  All that came
 * from the one before is freed. */
bool vectors_next(struct vectors *);

/* Fields of the current test.  Octets and text live until the next vectors_next. */
bool vectors_has(const struct vectors *, const char *field);
struct bytes vectors_hex(struct vectors *, const char *field);
const char *vectors_text(const struct vectors *, const char *field);
uint64_t vectors_number(const struct vectors *, const char *field);

/* What to say in a failure: the test's "id". */
const char *vectors_id(const struct vectors *);

/* ---- for every test that needs octets ---- */

/* A copy on an allocation of exactly its size, so that ASan sees the first octet too
 * far. */
uint8_t *exact_copy(struct bytes);

/* Octets that look random and are the same on every run. */
uint64_t next_random(uint64_t *state);
void fill_random(uint64_t *state, uint8_t *p, size_t len);

#endif
