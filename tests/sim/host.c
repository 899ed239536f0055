#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/host.h"

static void __attribute__((format(printf, 3, 4)))
say(const struct host *h, ike_time now, const char *format, ...)
{
	va_list args;

	if (h->trace == NULL)
		return;
	fprintf(h->trace, "%10.3f  %c: ", (double)now / 1e6, 'A' + (char)h->number);
	va_start(args, format);
	vfprintf(h->trace, format, args);
	va_end(args);
	fputc('\n', h->trace);
}

bool
host_open(struct host *h, uint64_t seed, const struct ike_setup *setup, FILE *trace)
{
	struct ike_options options = { .random = chance_fill, .arg = &h->chance,
	    .native_esp = true, .trace = trace != NULL };

	h->chance = chance_of(seed, 10 + h->number);
	h->patience = chance_of(seed, 20 + h->number);
	h->trace = trace;
	if (!path_open(&h->path))
		return false;
	h->children = ipsec_children_new(&h->path.datapath);
	h->ike = ike_new(&options);
	if (h->children == NULL || h->ike == NULL)
		return false;
	host_put(h, 0, setup);
	return h->connection != 0;
}

void
host_put(struct host *h, ike_time now, const struct ike_setup *setup)
{
	struct ike_fault faults[8];
	struct ike_connection *c;
	unsigned n;

	if ((c = ike_connection_new(setup, faults, 8, &n)) == NULL) {
		for (unsigned i = 0; i < n && i < 8; i++)
			fprintf(
			    stderr, "sim: %s: %s\n", faults[i].setting, faults[i].text);
		return;
	}
	h->connection = ike_put(h->ike, now, 0, c);
	if (h->connection != 0)
		ipsec_children_put(h->children, h->connection, c);
	ike_connection_free(c);
	host_drain(h, now);
}

void
host_close(struct host *h)
{
	ipsec_children_free(h->children);
	ike_free(h->ike);
	path_close(&h->path);
}

/* ---- questions ---- */

static enum ike_error
check_secret(const struct host *h, const struct ike_event *event, struct host_answer *a)
{
	const struct ike_auth_request *r = event->u.auth;

	a->len = ike_psk_auth(
	    NULL, r->prf, bytes_of(h->secret, strlen(h->secret)), r->octets, a->value);
	if (a->len == 0)
		return IKE_NO_MEMORY;
	if (event->type == IKE_ASK_CHECK &&
	    !bytes_equal(bytes_of(a->value, a->len), r->value))
		return IKE_AUTHENTICATION_FAILED;
	return IKE_OK;
}

static void
question(struct host *h, ike_time now, const struct ike_event *event)
{
	struct host_answer *a;

	if (h->n_answers == HOST_ANSWERS)
		return;			/* forgotten: the engine must get over it */
	a = &h->answers[h->n_answers++];
	memset(a, 0, sizeof(*a));
	a->question = event->question;
	a->at = now + (h->slowness > 0 ? (ike_time)chance_below(&h->patience,
	    (uint64_t)h->slowness) : 0);
	if (event->type == IKE_ASK_RESOLVE) {
		a->path.family = h->family;
		network_address(h->number, h->family, a->path.addr[0]);
		network_address(1 - h->number, h->family, a->path.addr[1]);
	} else if (event->type != IKE_ASK_ADMIT && event->type != IKE_ASK_USAGE) {
		a->error = check_secret(h, event, a);
	}
}

static bool
give_answer(struct host *h, ike_time now)
{
	struct ike_answer answer;
	struct host_answer a;

	for (unsigned i = 0; i < h->n_answers; i++) {
		if (h->answers[i].at > now)
			continue;
		a = h->answers[i];
		h->answers[i] = h->answers[--h->n_answers];
		answer = (struct ike_answer){ .error = a.error,
		    .value = bytes_of(a.value, a.len), .path = a.path };
		ike_answer_question(h->ike, now, a.question, &answer);
		return true;
	}
	return false;
}

/* ---- outputs ---- */

static void
hear(struct host *h, ike_time now, const struct ike_event *event)
{
	struct ike_notice notice;

	switch (event->type) {
	case IKE_ASK_RESOLVE: case IKE_ASK_PROVE: case IKE_ASK_CHECK: case IKE_ASK_ADMIT:
	case IKE_ASK_USAGE:
		question(h, now, event);
		return;
	case IKE_UP:
		say(h, now, "up: %s", event->child != 0 ? "Child SA" : "IKE SA");
		h->ups += event->child != 0;
		return;
	case IKE_DOWN:
		say(h, now, "down: %s, %s", event->child != 0 ? "Child SA" : "IKE SA",
		    ike_error_name(event->error));
		h->downs += event->child != 0;
		return;
	case IKE_REFUSED:
		say(h, now, "refused: %s; ours: %s; theirs: %s; %s [%s]",
		    event->u.refusal->what, event->u.refusal->ours,
		    event->u.refusal->theirs, event->u.refusal->difference,
		    event->u.refusal->setting);
		h->refusals++;
		if (event->error == IKE_AUTHENTICATION_FAILED && event->sa != 0)
			h->condemned = event->sa;
		snprintf(h->refusal, sizeof(h->refusal), "%s", event->u.refusal->what);
		return;
	case IKE_TRACE:
		say(h, now, "%.*s", (int)event->u.text.len, event->u.text.p);
		return;
	default:
		if (ipsec_children_apply(h->children, event, &notice))
			ike_tell(h->ike, now, &notice);
	}
}

/* An SA whose AUTH failed is on its way out before anything else happens. */
static void
watch_condemned(struct host *h)
{
	struct ike_sa_info info;

	for (ike_id id = 0; h->condemned != 0 && ike_next_sa(h->ike, id, &info);
	     id = info.id)
		if (info.id == h->condemned && info.state < IKE_STATE_CLOSING)
			h->spared = true;
	h->condemned = 0;
}

void
host_drain(struct host *h, ike_time now)
{
	struct ike_datagram datagram;
	struct ike_event event;

	do {
		while (ike_next_event(h->ike, &event))
			hear(h, now, &event);
	} while (give_answer(h, now));
	watch_condemned(h);
	while (ike_next_datagram(h->ike, &datagram))
		network_send(h->network, now, FRAME_IKE, &datagram.path, datagram.data);
}

/* ---- inputs ---- */

static void
receive_esp(struct host *h, ike_time now, struct frame *f)
{
	struct esp_packet p = { .data = f->data, .len = (uint32_t)f->len };
	struct ike_notice moved;

	esp_open(h->path.esp, &p, 1);
	if (p.verdict != ESP_OK) {
		say(h, now, "ESP dropped: verdict %u", p.verdict);
		return;
	}
	h->delivered = bytes_load16(p.data + p.len - 2);
	moved = (struct ike_notice){ .type = IKE_MOVED, .id = esp_sa_id(p.sa),
	    .path = f->path };
	if (f->kind == FRAME_ESP_UDP && (p.flags & ESP_NEWEST) != 0)
		ike_tell(h->ike, now, &moved);
}

void
host_receive(struct host *h, ike_time now, struct frame *f)
{
	if (f->kind == FRAME_IKE)
		ike_receive(h->ike, now, &f->path, f->data, f->len);
	else
		receive_esp(h, now, f);
	host_drain(h, now);
}

bool
host_deadline(const struct host *h, ike_time *at)
{
	bool any = ike_next_deadline(h->ike, at);

	for (unsigned i = 0; i < h->n_answers; i++)
		if (!any || h->answers[i].at < *at) {
			*at = h->answers[i].at;
			any = true;
		}
	return any;
}

void
host_tick(struct host *h, ike_time now)
{
	ike_tick(h->ike, now);
	host_drain(h, now);
}

/* An IP packet between the inner networks, its number in the last two octets. */
static uint32_t
make_inner(unsigned from, uint8_t family, uint16_t number, uint8_t *p)
{
	uint32_t head = family == ESP_IPV4 ? 20 : 40, len = head + 8 + 2;

	memset(p, 0, len);
	if (family == ESP_IPV4) {
		p[0] = 0x45;
		bytes_store16(p + 2, (uint16_t)len);
		p[8] = 64;
		p[9] = 17;
		p[12] = p[16] = 10;
		p[13] = (uint8_t)(from + 1);
		p[17] = (uint8_t)(2 - from);
		p[15] = p[19] = 1;
	} else {
		p[0] = 0x60;
		bytes_store16(p + 4, (uint16_t)(len - head));
		p[6] = 17;
		p[7] = 64;
		memcpy(p + 8, "\x20\x01\x0d\xb8", 4);
		memcpy(p + 24, "\x20\x01\x0d\xb8", 4);
		p[13] = (uint8_t)(from + 1);
		p[29] = (uint8_t)(2 - from);
		p[23] = p[39] = 1;
	}
	bytes_store16(p + head, 7);
	bytes_store16(p + head + 2, 7);
	bytes_store16(p + head + 4, 10);
	bytes_store16(p + len - 2, number);
	return len;
}

bool
host_send_inner(struct host *h, ike_time now, uint16_t number)
{
	uint8_t buf[INNER_MAX + 256];
	struct esp_packet p = { .data = buf + 64, .head = 64, .tail = 128 };
	const struct path_sa *sa;
	struct ike_notice notice;

	p.len = make_inner(h->number, h->family, number, p.data);
	sa = path_seal(&h->path, &p);
	if (sa != NULL)
		network_send(h->network, now, sa->encap ? FRAME_ESP_UDP : FRAME_ESP,
		    &sa->path, bytes_of(p.data, p.len));
	if (path_wanted(&h->path, &notice)) {
		say(h, now, "a packet asks for a Child SA");
		ike_tell(h->ike, now, &notice);
		host_drain(h, now);
	}
	return sa != NULL;
}
