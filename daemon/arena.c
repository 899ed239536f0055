#include "daemon/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64 << 10 };

struct block {
	struct block *next;
	size_t used, size;
	alignas(max_align_t) uint8_t octets[];
};

struct arena {
	struct block *blocks;		/* the first has room, perhaps */
};

struct arena *
arena_new(void)
{
	return calloc(1, sizeof(struct arena));
}

void
arena_free(struct arena *arena)
{
	struct block *block, *next;

	if (arena == NULL)
		return;
	for (block = arena->blocks; block != NULL; block = next) {
		next = block->next;
		free(block);
	}
	free(arena);
}

static struct block *
add_block(struct arena *arena, size_t least)
{
	size_t size = least > BLOCK ? least : BLOCK;
	struct block *block = calloc(1, sizeof(*block) + size);

	if (block == NULL)
		return NULL;
	block->size = size;
	block->next = arena->blocks;
	arena->blocks = block;
	return block;
}

void *
arena_take(struct arena *arena, size_t n, size_t size)
{
	const size_t unit = alignof(max_align_t);
	struct block *block = arena->blocks;
	void *taken;

	if (size > 0 && n > (SIZE_MAX / 2) / size)
		return NULL;
	size = (n * size + unit) / unit * unit;
	if (block == NULL || block->size - block->used < size)
		block = add_block(arena, size);
	if (block == NULL)
		return NULL;
	taken = block->octets + block->used;
	block->used += size;
	return taken;
}

char *
arena_text(struct arena *arena, const char *text)
{
	size_t len = strlen(text) + 1;
	char *copy = arena_take(arena, len, 1);

	if (copy != NULL)
		memcpy(copy, text, len);
	return copy;
}
