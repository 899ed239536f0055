/* Lists of traffic selectors: narrowing and pairing.  What two ranges have in common is
 * libesp's to say, so that the tunnel carries what was agreed here. */
#include "libike/ts.h"

#include <stdlib.h>

#include "libike/payload.h"

void
ike_ts_free(struct ike_ts *ts)
{
	free(ts->v);
	*ts = (struct ike_ts){ 0 };
}

enum ike_error
ike_ts_read(struct bytes body, struct ike_ts *out)
{
	struct bytes list = ike_ts_list(body);
	struct ike_ts ts = { 0 };
	struct esp_range range;
	unsigned n = 0;

	for (struct bytes rest = list; ike_next_ts(&rest, &range);)
		n++;
	if (n != 0) {
		ts.v = calloc(n, sizeof *ts.v);
		if (ts.v == NULL)
			return IKE_NO_MEMORY;
	}
	while (ts.n < n && ike_next_ts(&list, &ts.v[ts.n]))
		ts.n++;
	*out = ts;
	return IKE_OK;
}

static bool
covers(const struct ike_ts *ts, const struct esp_range *range)
{
	for (unsigned i = 0; i < ts->n; i++)
		if (esp_range_subset(range, &ts->v[i]))
			return true;
	return false;
}

static void
drop_covered(struct ike_ts *ts, const struct esp_range *range)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < ts->n; i++)
		if (!esp_range_subset(&ts->v[i], range))
			ts->v[kept++] = ts->v[i];
	ts->n = kept;
}

/* ts has room for IKE_MAX_TS.  What comes when it is full is left out: an answer may
 * always be narrower. */
static void
add(struct ike_ts *ts, const struct esp_range *range)
{
	if (covers(ts, range))
		return;
	drop_covered(ts, range);
	if (ts->n < IKE_MAX_TS)
		ts->v[ts->n++] = *range;
}

enum ike_error
ike_ts_narrow(const struct ike_ts *offer, const struct ike_ts *policy, struct ike_ts *out)
{
	struct ike_ts ts = { 0 };
	struct esp_range both, *fitting;

	ts.v = calloc(IKE_MAX_TS, sizeof *ts.v);
	if (ts.v == NULL)
		return IKE_NO_MEMORY;
	for (unsigned i = 0; i < offer->n; i++)
		for (unsigned j = 0; j < policy->n; j++)
			if (esp_range_intersect(&offer->v[i], &policy->v[j], &both))
				add(&ts, &both);
	if (ts.n == 0) {
		ike_ts_free(&ts);
		return IKE_TS_UNACCEPTABLE;
	}
	/* Child SAs keep theirs, and most have one. */
	if ((fitting = realloc(ts.v, ts.n * sizeof *ts.v)) != NULL)
		ts.v = fitting;
	*out = ts;
	return IKE_OK;
}

bool
ike_ts_within(const struct ike_ts *inner, const struct ike_ts *outer)
{
	for (unsigned i = 0; i < inner->n; i++)
		if (!covers(outer, &inner->v[i]))
			return false;
	return true;
}

/* An SA's packets have one protocol, so where one side says any the other decides. */
static bool
pair(const struct esp_range *local, const struct esp_range *remote,
    struct esp_selector *out)
{
	if (local->family != remote->family || (local->protocol != remote->protocol &&
	    local->protocol != 0 && remote->protocol != 0))
		return false;
	out->local = *local;
	out->remote = *remote;
	/* one of them is 0, or they are equal */
	out->local.protocol |= remote->protocol;
	out->remote.protocol = out->local.protocol;
	return true;
}

static unsigned
pair_all(const struct ike_ts *local, const struct ike_ts *remote, struct esp_selector *v,
    unsigned max)
{
	struct esp_selector s;
	unsigned n = 0;

	for (unsigned i = 0; i < local->n; i++)
		for (unsigned j = 0; j < remote->n; j++) {
			if (!pair(&local->v[i], &remote->v[j], &s))
				continue;
			if (n < max)
				v[n] = s;
			n++;
		}
	return n;
}

enum ike_error
ike_ts_pairs(const struct ike_ts *local, const struct ike_ts *remote,
    struct esp_selector **out, unsigned *n)
{
	unsigned count = pair_all(local, remote, NULL, 0);
	struct esp_selector *v;

	if (count == 0 || count > IKE_MAX_PAIRS)
		return IKE_TS_UNACCEPTABLE;
	v = calloc(count, sizeof *v);
	if (v == NULL)
		return IKE_NO_MEMORY;
	*n = pair_all(local, remote, v, count);
	*out = v;
	return IKE_OK;
}

/* Cut between ranges: half an address would be another address. */
const char *
ike_ts_print(const struct ike_ts *ts, char *buf, size_t len)
{
	static const char more[] = " ...";
	size_t used = 0;

	if (len == 0)
		return buf;
	buf[0] = '\0';
	for (unsigned i = 0; i < ts->n; i++) {
		char text[1 + ESP_RANGE_TEXT] = " ";
		const char *piece = i == 0 ? text + 1 : text;
		size_t reserve = i + 1 < ts->n ? sizeof more : 1;

		esp_range_print(&ts->v[i], text + 1, sizeof text - 1);
		if (strlen(piece) + reserve > len - used) {
			piece = i == 0 ? more + 1 : more;
			i = ts->n;
		}
		if (strlen(piece) >= len - used)
			break;
		memcpy(buf + used, piece, strlen(piece) + 1);
		used += strlen(piece);
	}
	return buf;
}
