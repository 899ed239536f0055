#include "libesp/esp.h"
#include "tests/sim/ledger.h"

static const char *const verdicts[ESP_VERDICTS] = {
	[ESP_OK] = "ok", [ESP_NO_SA] = "no SA", [ESP_NOT_MINE] = "not mine",
	[ESP_MALFORMED] = "malformed", [ESP_REPLAY] = "replay",
	[ESP_INTEGRITY] = "integrity", [ESP_POLICY] = "policy", [ESP_DUMMY] = "dummy",
	[ESP_CONGESTED] = "congested", [ESP_TOO_BIG] = "too big",
	[ESP_NO_ROOM] = "no room", [ESP_SPENT] = "spent", [ESP_ACQUIRE] = "acquire",
	[ESP_FAILED] = "failed",
};

static struct entry *
find(struct ledger *l, uint32_t number)
{
	return number > 0 && number <= l->n ? &l->v[number - 1] : NULL;
}

static void
blame(struct judge *j, const struct entry *e, uint32_t number, const char *what,
    const char *why)
{
	judge_blame(j, "packet %u of %c for %c (child %u, sent at %.3f) %s%s%s", number,
	    'A' + e->from, 'A' + e->to, e->child, (double)e->at / 1e6, what,
	    *why != '\0' ? ": " : "", why);
}

uint32_t
ledger_open(struct ledger *l, const struct entry *e)
{
	if (l->n == LEDGER_MOST)
		return 0;
	l->v[l->n++] = *e;
	return l->n;
}

void
ledger_refused(struct ledger *l, struct judge *j, uint32_t number, unsigned verdict)
{
	struct entry *e = find(l, number);

	if (e == NULL)
		return;
	if (e->must)
		blame(j, e, number, "could not be sent", verdicts[verdict]);
}

void
ledger_dropped(struct ledger *l, struct judge *j, uint32_t number, unsigned verdict)
{
	struct entry *e = find(l, number);

	if (e != NULL && e->must && e->delivered == 0)
		blame(j, e, number, "was dropped", verdicts[verdict]);
}

void
ledger_delivered(struct ledger *l, struct judge *j, uint32_t number, unsigned host)
{
	struct entry *e = find(l, number);

	if (e == NULL) {
		judge_blame(j, "a packet %u was delivered that nobody sent", number);
		return;
	}
	if (e->to != host)
		blame(j, e, number, "was delivered to another", "");
	if (e->delivered++ > 0)
		blame(j, e, number, "was delivered twice", "");
	l->delivered++;
}

void
ledger_close(const struct ledger *l, struct judge *j)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->v[i].must && l->v[i].delivered == 0)
			blame(j, &l->v[i], i + 1, "was lost", "");
}
