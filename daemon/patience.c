#include "daemon/patience.h"

#include <stdlib.h>

struct patience {
	ike_time dpd, established, setting_up;
	unsigned index;			/* of the connection */
};

const char *
patience_print(ike_time time, char buf[PATIENCE_TEXT])
{
	const long long tenths = (time + IKE_SECOND / 20) / (IKE_SECOND / 10);
	const long long seconds = (time + IKE_SECOND / 2) / IKE_SECOND;

	if (tenths < 100 && tenths % 10 != 0)
		snprintf(buf, PATIENCE_TEXT, "%lld.%lld s", tenths / 10, tenths % 10);
	else if (seconds < 60)
		snprintf(buf, PATIENCE_TEXT, "%lld s", seconds);
	else if (seconds < 3600 && seconds % 60 != 0)
		snprintf(buf, PATIENCE_TEXT, "%lld min %lld s", seconds / 60,
		    seconds % 60);
	else if (seconds < 3600)
		snprintf(buf, PATIENCE_TEXT, "%lld min", seconds / 60);
	else if (seconds / 60 % 60 != 0)
		snprintf(buf, PATIENCE_TEXT, "%lld h %lld min", seconds / 3600,
		    seconds / 60 % 60);
	else
		snprintf(buf, PATIENCE_TEXT, "%lld h", seconds / 3600);
	return buf;
}

static int
compare_times(const struct patience *a, const struct patience *b)
{
	const ike_time x[] = { a->dpd, a->established, a->setting_up };
	const ike_time y[] = { b->dpd, b->established, b->setting_up };

	for (unsigned i = 0; i < sizeof(x) / sizeof(x[0]); i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const struct patience *x = a, *y = b;
	int times = compare_times(x, y);

	return times != 0 ? times : x->index < y->index ? -1 : x->index > y->index;
}

/* Of the first of `n` connections, and so of all. */
static void
tell(FILE *out, const char *name, const struct patience *p, unsigned n)
{
	char dpd[PATIENCE_TEXT], established[PATIENCE_TEXT], setting_up[PATIENCE_TEXT];

	fputs(name, out);
	if (n > 1)
		fprintf(out, " and %u more", n - 1);
	patience_print(p->established, established);
	if (p->dpd != 0)
		fprintf(out, ": a silent peer is given up after %s + %s",
		    patience_print(p->dpd, dpd), established);
	else
		fprintf(out, ": a peer is given up that leaves a request unanswered for "
		    "%s; silence alone is not noticed", established);
	fprintf(out, "; one that does not answer the first call after %s\n",
	    patience_print(p->setting_up, setting_up));
}

void
patience_tell(FILE *out, const struct configuration *c)
{
	struct patience *v = calloc(c->n_connections + 1u, sizeof(*v));
	unsigned i, first;

	if (v == NULL)
		return;
	for (i = 0; i < c->n_connections; i++) {
		const struct ike_connection *built = c->connections[i].connection;

		v[i] = (struct patience){ .dpd = built->dpd, .index = i,
		    .established = ike_retransmission_time(&built->established),
		    .setting_up = ike_retransmission_time(&built->setting_up) };
	}
	qsort(v, c->n_connections, sizeof(*v), compare);
	for (first = 0; first < c->n_connections; first = i) {
		for (i = first + 1; i < c->n_connections; i++)
			if (compare_times(&v[first], &v[i]) != 0)
				break;
		tell(out, c->connections[v[first].index].name, &v[first], i - first);
	}
	free(v);
}
