#include "daemon/told.h"

#include <stdlib.h>
#include <string.h>

#include "libipsec/hash.h"

enum {
	TEXTS = 4,		/* of a connection: several children may be refused */
	LATELY = 3600,		/* seconds */
	LATELY_ANYBODY = 60
};

struct text {
	char *text;		/* NULL: none */
	ike_time at;
	uint64_t again;
};

struct of_connection {
	ike_id connection;
	struct text v[TEXTS];
	UT_hash_handle hh;
};

struct told {
	struct of_connection *all;	/* by connection; those alone that were told of */
};

struct told *
told_new(void)
{
	return calloc(1, sizeof(struct told));
}

static struct of_connection *
find(const struct told *told, ike_id connection)
{
	struct of_connection *of;

	HASH_FIND(hh, told->all, &connection, sizeof(connection), of);
	return of;
}

static void
drop(struct told *told, struct of_connection *of)
{
	HASH_DEL(told->all, of);
	for (unsigned i = 0; i < TEXTS; i++)
		free(of->v[i].text);
	free(of);
}

void
told_free(struct told *told)
{
	struct of_connection *of, *next;

	if (told == NULL)
		return;
	HASH_ITER(hh, told->all, of, next)
		drop(told, of);
	free(told);
}

void
told_forget(struct told *told, ike_id connection)
{
	struct of_connection *of = find(told, connection);

	if (of != NULL)
		drop(told, of);
}

static struct text *
find_text(struct of_connection *of, const char *text)
{
	for (unsigned i = 0; of != NULL && i < TEXTS; i++)
		if (of->v[i].text != NULL && strcmp(of->v[i].text, text) == 0)
			return &of->v[i];
	return NULL;
}

bool
told_lately(struct told *told, ike_id connection, const char *text, ike_time now)
{
	struct text *t = find_text(find(told, connection), text);
	ike_time span = (connection == 0 ? LATELY_ANYBODY : LATELY) * IKE_SECOND;

	if (t == NULL || now - t->at >= span)
		return false;
	t->again++;
	return true;
}

static struct of_connection *
find_or_make(struct told *told, ike_id connection)
{
	struct of_connection *of = find(told, connection);

	if (of != NULL || (of = calloc(1, sizeof(*of))) == NULL)
		return of;
	of->connection = connection;
	HASH_ADD(hh, told->all, connection, sizeof(of->connection), of);
	if (of->hh.tbl != NULL)
		return of;
	free(of);
	return NULL;
}

/* An empty one, or that of the oldest. */
static struct text *
make_room(struct of_connection *of)
{
	struct text *oldest = &of->v[0];

	for (unsigned i = 0; i < TEXTS; i++) {
		if (of->v[i].text == NULL)
			return &of->v[i];
		if (of->v[i].at < oldest->at)
			oldest = &of->v[i];
	}
	return oldest;
}

uint64_t
told_note(struct told *told, ike_id connection, const char *text, ike_time now)
{
	struct of_connection *of = find_or_make(told, connection);
	struct text *t = find_text(of, text);
	uint64_t again = t != NULL ? t->again : 0;

	if (of == NULL)
		return 0;
	if (t == NULL) {
		t = make_room(of);
		free(t->text);
		t->text = strdup(text);
	}
	t->at = now;
	t->again = 0;
	return again;
}
