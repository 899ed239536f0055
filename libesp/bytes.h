/* Views of octets and big-endian fields: the lowest layer, which everything else may
 * include. */
#ifndef LIBESP_BYTES_H
#define LIBESP_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A view of somebody else's octets: it owns nothing and dies with its buffer.  `p` may be
 * NULL when `len` is 0. */
struct bytes {
	const uint8_t *p;
	size_t len;
};

static inline struct bytes
bytes_of(const void *p, size_t len)
{
	struct bytes b;

	b.p = (const uint8_t *)p;	/* a cast for C++, which includes this too */
	b.len = len;
	return b;
}

/* Octets that will be needed soon, wherever they are: asks the processor to have them
 * near, and waits for nothing.  Any p will do. */
static inline void
bytes_expect(const void *p, size_t len)
{
	const uint8_t *octets = (const uint8_t *)p;

	if (p == NULL || len == 0)
		return;
	for (size_t i = 0; i < len; i += 64)	/* lines of most processors' caches */
		__builtin_prefetch(octets + i);
	__builtin_prefetch(octets + len - 1);
	/* or a compiler takes who only asks for one who does nothing */
	__asm__ volatile("");
}

/* For public values only: the time it takes tells where they differ.  Secrets are
 * compared by sodium_memcmp. */
static inline bool
bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* Network byte order, at any alignment.  The caller has checked that the octets exist. */
static inline uint16_t
bytes_load16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
bytes_load32(const uint8_t *p)
{
	return (uint32_t)bytes_load16(p) << 16 | bytes_load16(p + 2);
}

static inline uint64_t
bytes_load64(const uint8_t *p)
{
	return (uint64_t)bytes_load32(p) << 32 | bytes_load32(p + 4);
}

static inline void
bytes_store16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)(value & 0xff);
}

static inline void
bytes_store32(uint8_t *p, uint32_t value)
{
	bytes_store16(p, (uint16_t)(value >> 16));
	bytes_store16(p + 2, (uint16_t)(value & 0xffff));
}

static inline void
bytes_store64(uint8_t *p, uint64_t value)
{
	bytes_store32(p, (uint32_t)(value >> 32));
	bytes_store32(p + 4, (uint32_t)(value & 0xffffffff));
}

#ifdef __cplusplus
}
#endif

#endif
