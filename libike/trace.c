/* Decoded messages, one line each: "sent IKE_AUTH request 1 [...]: IDi IDr AUTH SA TSi
 * TSr", and one for each fragment of one. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libike/sa.h"

struct line { char text[1000]; size_t len; };

static void __attribute__((format(printf, 2, 3)))
add(struct line *l, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(l->text + l->len, sizeof(l->text) - l->len, format, args);
	va_end(args);
	if (n > 0)
		l->len += (size_t)n;
	if (l->len >= sizeof(l->text))
		l->len = sizeof(l->text) - 1;
}

static void
add_payloads(struct line *l, const struct ike_message *m)
{
	char name[IKE_NAME_LEN];
	struct ike_notify n;

	for (unsigned i = 0; i < m->n; i++) {
		if (m->v[i].type == IKE_PAYLOAD_SK)
			continue;
		if (m->v[i].type == IKE_PAYLOAD_NOTIFY &&
		    ike_parse_notify(m->v[i].body, &n) == IKE_OK)
			add(l, " N(%s)", ike_notify_name(n.type, name));
		else
			add(l, " %s", ike_payload_name(m->v[i].type, name));
	}
	if (m->n == 0)
		add(l, " (empty)");
}

static struct line
begin(const struct ike_header *h, bool sent)
{
	char name[IKE_NAME_LEN];
	struct line l = { .len = 0 };

	add(&l, "%s %s %s %u [%016llx_i %016llx_r]:", sent ? "sent" : "received",
	    ike_exchange_name(h->exchange, name),
	    h->flags & IKE_FLAG_RESPONSE ? "response" : "request", h->message_id,
	    (unsigned long long)h->spi_i, (unsigned long long)h->spi_r);
	return l;
}

static void
say(struct ike *e, const struct ike_sa *sa, const struct ike_header *h, bool sent,
    const struct ike_message *m)
{
	struct line l = begin(h, sent);

	add_payloads(&l, m);
	ike_say_text(e, sa, l.text);
}

void
ike_trace_sent(struct ike *e, const struct ike_sa *sa, const struct ike_header *h,
    const struct ike_chain *chain)
{
	struct ike_message m;

	if (!e->options.trace)
		return;
	memset(&m, 0, sizeof(m));
	if (ike_parse_chain(chain->first, ike_written(&chain->w), &m) == IKE_OK)
		say(e, sa, h, true, &m);
}

void
ike_trace_received(struct ike *e, const struct ike_sa *sa, const struct ike_header *h,
    const struct ike_message *m)
{
	if (e->options.trace)
		say(e, sa, h, false, m);
}

void
ike_trace_fragments(struct ike *e, const struct ike_sa *sa, bool sent,
    struct bytes messages)
{
	struct bytes message;
	struct ike_message m;
	struct ike_cover c;
	struct line l;

	while (e->options.trace && ike_next_message(&messages, &message)) {
		if (ike_parse_message(message, &m) != IKE_OK || !ike_is_fragment(&m))
			continue;
		c = ike_fragment_cover(&m);
		l = begin(&m.header, sent);
		add(&l, " fragment %u of %u, %zu octets", c.number, c.total, message.len);
		ike_say_text(e, sa, l.text);
	}
}
