/* Octets written out in a test, each run of them on an allocation of exactly its size. */
#ifndef TESTS_OCTETS_H
#define TESTS_OCTETS_H

#include "libesp/bytes.h"

/* Hexadecimal digits, spaces anywhere between octets.  Freed by octets_free. */
struct bytes octets(const char *hex);
/* A copy of the first n octets. */
struct bytes octets_prefix(struct bytes, size_t n);
/* n octets of the same value. */
struct bytes octets_of(uint8_t value, size_t n);
void octets_free(struct bytes);

/* True if the view is empty or all of it lies in `whole`. */
bool octets_within(struct bytes view, struct bytes whole);

#endif
