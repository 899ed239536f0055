#include <sodium.h>
#include <string.h>

#include "tests/unit/digest.h"

static void
add(crypto_generichash_state *h, const void *what, size_t len)
{
	if (len > 0)
		crypto_generichash_update(h, what, len);
}

static void
add_buffer(crypto_generichash_state *h, const struct ike_buffer *b)
{
	add(h, &b->len, sizeof(b->len));
	add(h, b->p, b->len);
}

/* A timer's place in the heap is not the SA's own. */
static void
add_timer(crypto_generichash_state *h, struct ike_timer t)
{
	bool armed = ike_timer_is_armed(&t);

	t.child = t.next = t.prev = NULL;
	add(h, &armed, sizeof(armed));
	add(h, &t, sizeof(t));
}

/* An exchange without the last message it looked at. */
static void
add_exchange(crypto_generichash_state *h, const struct ike_exchange *x)
{
	if (x == NULL)
		return;
	add(h, &x->type, sizeof(x->type));
	add(h, &x->id, sizeof(x->id));
	add(h, &x->steps, sizeof(x->steps));
	add(h, &x->awaits_response, sizeof(x->awaits_response));
	add(h, &x->question.id, sizeof(x->question.id));
	add_timer(h, x->question.timer);
	add(h, &x->proven, sizeof(x->proven));
	add(h, &x->connection, sizeof(x->connection));
	add(h, &x->child, sizeof(x->child));
	add(h, &x->next, sizeof(x->next));
	add(h, &x->old, sizeof(x->old));
	add(h, &x->rival.met, sizeof(x->rival.met));
	add_buffer(h, &x->rival.lowest);
	add_buffer(h, &x->fresh.nonce);
	add_buffer(h, &x->fresh.ke);
	add_buffer(h, &x->answer_value);
	add_buffer(h, &x->id_body);
}

/* Nor are the links of the tables. */
static void
add_children(crypto_generichash_state *h, const struct ike_sa *sa)
{
	const struct ike_child_sa *c;
	struct ike_child_sa copy;

	LIST_FOREACH(c, &sa->children, link) {
		memcpy(&copy, c, sizeof(copy));
		memset(&copy.by_id, 0, sizeof(copy.by_id));
		memset(&copy.by_spi, 0, sizeof(copy.by_spi));
		memset(&copy.timer, 0, sizeof(copy.timer));
		add_timer(h, c->timer);
		memset(&copy.ending.link, 0, sizeof(copy.ending.link));
		copy.ending.queued = false;
		add(h, &copy, sizeof(copy));
		add(h, c->selectors, c->n_selectors * sizeof(*c->selectors));
	}
}

/* What has come of a message, wherever it is kept. */
static void
add_reassembly(crypto_generichash_state *h, const struct ike_reassembly *r)
{
	if (r == NULL)
		return;
	add(h, &r->id, sizeof(r->id));
	add(h, &r->exchange, sizeof(r->exchange));
	add(h, &r->first, sizeof(r->first));
	add(h, &r->total, sizeof(r->total));
	add(h, &r->have, sizeof(r->have));
	add(h, &r->mark, sizeof(r->mark));
	for (unsigned i = 0; i < r->total; i++) {
		add(h, &r->part[i].len, sizeof(r->part[i].len));
		add(h, r->part[i].p, r->part[i].len);
	}
}

static void
add_half_open(crypto_generichash_state *h, const struct ike_half_open *half)
{
	if (half == NULL)
		return;
	for (unsigned i = 0; i < 2; i++) {
		add_buffer(h, &half->init[i]);
		add_buffer(h, &half->nonce[i]);
	}
	add_buffer(h, &half->cookie);
	add(h, &half->source, sizeof(half->source));
	add(h, &half->keys, sizeof(half->keys));
}

uint64_t
sa_digest(const struct ike_sa *sa)
{
	crypto_generichash_state h;
	struct ike_sa copy;
	uint8_t out[crypto_generichash_BYTES];

	memcpy(&copy, sa, sizeof(copy));	/* with what stands between its members */
	memset(&copy.by_id, 0, sizeof(copy.by_id));
	memset(&copy.by_spi, 0, sizeof(copy.by_spi));
	memset(&copy.link, 0, sizeof(copy.link));
	memset(&copy.ending.link, 0, sizeof(copy.ending.link));
	copy.ending.queued = false;
	memset(&copy.of_peer, 0, sizeof(copy.of_peer));
	memset(&copy.timer, 0, sizeof(copy.timer));
	memset(copy.coming, 0, sizeof(copy.coming));
	memset(&copy.live.timer, 0, sizeof(copy.live.timer));
	copy.window.resent = copy.live.sent = 0;
	crypto_generichash_init(&h, NULL, 0, sizeof(out));
	add(&h, &copy, sizeof(copy));
	add(&h, sa->keys.octets, sa->keys.prf_len + 2u * sa->keys.cipher_len);
	add_half_open(&h, sa->half_open);
	if (sa->window.request != NULL) {
		add(&h, sa->window.request->octets, sa->window.request->len);
		add(&h, &sa->window.request->interval, sizeof(sa->window.request->interval));
		add_timer(&h, sa->window.request->timer);
	}
	add_buffer(&h, &sa->window.response);
	add(&h, sa->remote_id.data.p, sa->remote_id.data.len);
	add(&h, sa->mobile.others, sa->mobile.n * sizeof(*sa->mobile.others));
	add_timer(&h, sa->timer);
	add_timer(&h, sa->live.timer);
	add_exchange(&h, sa->ours);
	add_exchange(&h, sa->theirs);
	add_exchange(&h, sa->live.asking);
	add_exchange(&h, sa->mobile.asking);
	add_children(&h, sa);
	add_reassembly(&h, sa->coming[0]);
	add_reassembly(&h, sa->coming[1]);
	crypto_generichash_final(&h, out, sizeof(out));
	return bytes_load64(out);
}
