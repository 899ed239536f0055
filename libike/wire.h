/* Big-endian fields: a reader and a writer with a sticky error. */
#ifndef IKE_WIRE_H
#define IKE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libesp/bytes.h"

/* Reads big-endian fields.  The first short read sets `bad`; every later read returns
 * zero or an empty view, so `bad` is checked once, at the end. */
struct ike_reader {
	const uint8_t *p, *end;
	bool bad;
};

struct ike_reader ike_reader(struct bytes);
size_t ike_left(const struct ike_reader *);	/* 0 once bad */
uint8_t ike_read8(struct ike_reader *);
uint16_t ike_read16(struct ike_reader *);
uint32_t ike_read32(struct ike_reader *);
uint64_t ike_read64(struct ike_reader *);
struct bytes ike_read_bytes(struct ike_reader *, size_t);	/* a view */
struct bytes ike_read_rest(struct ike_reader *);	/* all that is left, maybe none */

/* Appends to a buffer that the caller owns.  A field is written whole or not at all: the
 * first one that does not fit sets `bad`, and nothing more is written. */
struct ike_writer {
	uint8_t *p;
	size_t len, cap;
	bool bad;
};

struct ike_writer ike_writer(uint8_t *, size_t cap);
void ike_write8(struct ike_writer *, uint8_t);
void ike_write16(struct ike_writer *, uint16_t);
void ike_write32(struct ike_writer *, uint32_t);
void ike_write64(struct ike_writer *, uint64_t);
void ike_write_bytes(struct ike_writer *, struct bytes);
void ike_write_zero(struct ike_writer *, size_t n);
/* For the caller to fill; NULL: no room. */
uint8_t *ike_write_space(struct ike_writer *, size_t n);
/* Over what was written. */
void ike_patch8(struct ike_writer *, size_t at, uint8_t);

/* A 16-bit length that is known only later.  open reserves it; close stores the octets
 * written since `at - before`: `before` octets in front of the length field count too. */
size_t ike_open16(struct ike_writer *);
void ike_close16(struct ike_writer *, size_t at, size_t before);

struct bytes ike_written(const struct ike_writer *);	/* empty when bad */

#endif
