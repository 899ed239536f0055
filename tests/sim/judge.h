/* The judge: notes the first rule that was broken, and sees to it that nothing which must
 * be used once is used twice. */
#ifndef SIM_JUDGE_H
#define SIM_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libesp/bytes.h"

struct once { uint64_t *v; size_t n, size; };	/* empty when all zero */
bool once_add(struct once *, uint64_t);		/* false: it was there */
void once_free(struct once *);

struct judge {
	bool failed;
	char why[400];
	struct once once;
};

/* Only the first one counts. */
void judge_blame(struct judge *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A key that an SA is added with; `salt` tells direction and host apart. */
void judge_key(struct judge *, uint64_t salt, struct bytes key);
/* An ESP packet under the key with this hash. */
void judge_iv(struct judge *, uint64_t key, struct bytes iv);
/* An IKE message as it was sent: no other under its id, no IV twice. */
void judge_message(struct judge *, struct bytes);
void judge_free(struct judge *);

#endif
