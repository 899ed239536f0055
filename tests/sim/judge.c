#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libike/message.h"
#include "tests/sim/cheap.h"
#include "tests/sim/judge.h"

/* ---- a set of numbers ---- */

enum { FIRST_SIZE = 1024 };

static uint64_t *
find(const struct once *o, uint64_t number)
{
	size_t i = number & (o->size - 1);

	while (o->v[i] != 0 && o->v[i] != number)
		i = (i + 1) & (o->size - 1);
	return &o->v[i];
}

static void
grow(struct once *o)
{
	struct once new = { .size = o->size > 0 ? 2 * o->size : FIRST_SIZE, .n = o->n };

	if ((new.v = calloc(new.size, sizeof(*new.v))) == NULL)
		abort();
	for (size_t i = 0; i < o->size; i++)
		if (o->v[i] != 0)
			*find(&new, o->v[i]) = o->v[i];
	free(o->v);
	*o = new;
}

bool
once_add(struct once *o, uint64_t number)
{
	uint64_t *at;

	number += number == 0;
	if (2 * o->n >= o->size)
		grow(o);
	at = find(o, number);
	if (*at != 0)
		return false;
	*at = number;
	o->n++;
	return true;
}

void
once_free(struct once *o)
{
	free(o->v);
	memset(o, 0, sizeof(*o));
}

/* ---- blame ---- */

void
judge_blame(struct judge *j, const char *format, ...)
{
	va_list args;

	if (j->failed)
		return;
	j->failed = true;
	va_start(args, format);
	vsnprintf(j->why, sizeof(j->why), format, args);
	va_end(args);
}

void
judge_free(struct judge *j)
{
	once_free(&j->once);
}

/* ---- once and never again ---- */

enum { KEY = 1000, ESP_IV, MESSAGE, IKE_IV, NAME };	/* kinds of numbers in the set */

void
judge_key(struct judge *j, uint64_t salt, struct bytes key)
{
	if (!once_add(&j->once, cheap_hash(KEY + (salt << 16), key.p, key.len)))
		judge_blame(j, "a key was used for a second SA");
}

void
judge_iv(struct judge *j, uint64_t key, struct bytes iv)
{
	if (!once_add(&j->once, cheap_hash(ESP_IV ^ key, iv.p, iv.len)))
		judge_blame(j, "a key and IV protect a second ESP packet");
}

/* The SPIs and the flag of the original initiator name the key; a message is named by its
 * exchange's id and direction and, when it is cut, the number of the fragment. */
void
judge_message(struct judge *j, struct bytes m)
{
	enum { SPIS = 16, NEXT = 16, TYPE = 18, FLAGS = 19, ID = 20, SK = 28, IV = 8 };
	uint8_t name[SPIS + 1 + 4 + 2] = { 0 };
	size_t iv = SK + 4;

	if (m.len < SK + 8 + IV || m.p[TYPE] == IKE_SA_INIT)
		return;
	memcpy(name, m.p, SPIS);
	name[SPIS] = m.p[FLAGS];
	memcpy(name + SPIS + 1, m.p + ID, 4);
	if (m.p[NEXT] == IKE_PAYLOAD_SKF) {
		memcpy(name + SPIS + 5, m.p + SK + 4, 2);
		iv += 4;
	} else if (m.p[NEXT] != IKE_PAYLOAD_SK) {
		return;
	}
	if (!once_add(&j->once, cheap_hash(MESSAGE, m.p, m.len)))
		return;			/* the very same one again */
	if (!once_add(&j->once, cheap_hash(NAME, name, sizeof(name))))
		judge_blame(j, "%s %u was sent again with other octets",
		    (m.p[FLAGS] & IKE_FLAG_RESPONSE) != 0 ? "response" : "request",
		    bytes_load32(m.p + ID));
	name[SPIS] &= IKE_FLAG_INITIATOR;
	memset(name + SPIS + 1, 0, 6);
	if (!once_add(&j->once, cheap_hash(
	    IKE_IV ^ cheap_hash(0, name, SPIS + 1), m.p + iv, IV)))
		judge_blame(j, "a key and IV protect a second IKE message");
}
