#include <stdlib.h>
#include <string.h>

#include "libike/message.h"
#include "tests/sim/attacker.h"

enum { SPIS = 16, NEXT = 16, VERSION = 17, TYPE = 18, FLAGS = 19, ID = 20, LENGTH = 24 };
enum { FRAME_MOST = 2048 };

/* ---- recording ---- */

void
attacker_record(void *arg, const struct frame *f)
{
	struct attacker *a = arg;
	struct record *r = &a->records[a->n++ % ATTACKER_KEEPS];

	free(r->frame);
	r->arrived = false;
	if ((r->frame = malloc(sizeof(*f) + FRAME_MOST)) == NULL)
		abort();
	memcpy(r->frame, f, sizeof(*f) + f->len);
}

void
attacker_arrived(struct attacker *a, uint64_t serial)
{
	for (unsigned i = 0; i < ATTACKER_KEEPS; i++)
		if (a->records[i].frame != NULL && a->records[i].frame->serial == serial)
			a->records[i].arrived = true;
}

void
attacker_free(struct attacker *a)
{
	for (unsigned i = 0; i < ATTACKER_KEEPS; i++)
		free(a->records[i].frame);
	memset(a->records, 0, sizeof(a->records));
}

void
attacker_forget(struct attacker *a)
{
	attacker_free(a);
}

/* ---- making things up: each alters a copy of something recorded ---- */

typedef void forge(struct chance *, struct frame *);

static void
flip_bits(struct chance *c, struct frame *f)
{
	for (uint64_t n = 1 + chance_below(c, 3); n > 0 && f->len > 0; n--)
		f->data[chance_below(c, f->len)] ^= (uint8_t)(1u << chance_below(c, 8));
}

static void
cut(struct chance *c, struct frame *f)
{
	f->len = chance_below(c, f->len + 1);
	if (f->kind == FRAME_IKE && f->len >= LENGTH + 4)
		bytes_store32(f->data + LENGTH, (uint32_t)f->len);
}

static void
lengthen(struct chance *c, struct frame *f)
{
	size_t more = 1 + chance_below(c, 40);

	if (f->len + more > FRAME_MOST)
		return;
	chance_fill(c, f->data + f->len, more);
	f->len += more;
	if (f->kind == FRAME_IKE)
		bytes_store32(f->data + LENGTH, (uint32_t)f->len);
}

/* The body is as it was, and the header is another's. */
static void
turn_header(struct chance *c, struct frame *f)
{
	if (f->kind != FRAME_IKE) {	/* another sequence number */
		bytes_store32(f->data + 4,
		    bytes_load32(f->data + 4) + 1 + (uint32_t)chance_below(c, 100));
		return;
	}
	switch (chance_below(c, 4)) {
	case 0:
		f->data[FLAGS] ^= IKE_FLAG_RESPONSE;
		break;
	case 1:
		f->data[FLAGS] ^= IKE_FLAG_INITIATOR;
		break;
	case 2:
		f->data[TYPE] = (uint8_t)(IKE_SA_INIT + chance_below(c, 5));
		break;
	default:
		bytes_store32(f->data + ID,
		    bytes_load32(f->data + ID) + 1 + (uint32_t)chance_below(c, 3));
	}
}

/* Garbage in a payload of this type behind the header, which is kept. */
static void
make_body(struct chance *c, struct frame *f, uint8_t type, const uint8_t *start, size_t n,
    size_t garbage)
{
	size_t len = IKE_HEADER_LEN + IKE_PAYLOAD_HEADER_LEN + n + garbage;

	f->kind = FRAME_IKE;
	f->data[NEXT] = type;
	f->data[VERSION] = 0x20;
	f->data[IKE_HEADER_LEN] = f->data[IKE_HEADER_LEN + 1] = 0;
	bytes_store16(f->data + IKE_HEADER_LEN + 2,
	    (uint16_t)(IKE_PAYLOAD_HEADER_LEN + n + garbage));
	if (n > 0)
		memcpy(f->data + IKE_HEADER_LEN + IKE_PAYLOAD_HEADER_LEN, start, n);
	chance_fill(c, f->data + len - garbage, garbage);
	bytes_store32(f->data + LENGTH, (uint32_t)len);
	f->len = len;
}

static void
say_notify(struct chance *c, struct frame *f)
{
	static const uint16_t types[] = { IKE_INVALID_IKE_SPI, IKE_INVALID_SYNTAX,
		IKE_INVALID_MAJOR_VERSION, IKE_AUTHENTICATION_FAILED, IKE_INVALID_SPI,
		IKE_NO_PROPOSAL_CHOSEN, IKE_INVALID_KE_PAYLOAD, IKE_TEMPORARY_FAILURE,
		IKE_CHILD_SA_NOT_FOUND };
	uint8_t body[4] = { 0 };

	bytes_store16(body + 2, types[chance_below(c, sizeof(types) / sizeof(*types))]);
	if (!chance_one_in(c, 3))
		f->data[FLAGS] ^= IKE_FLAG_RESPONSE;
	make_body(c, f, IKE_PAYLOAD_NOTIFY, body, sizeof(body), 0);
}

static void
say_delete(struct chance *c, struct frame *f)
{
	static const uint8_t body[4] = { IKE_PROTOCOL_IKE, 0, 0, 0 };

	f->data[TYPE] = INFORMATIONAL;
	make_body(c, f, IKE_PAYLOAD_DELETE, body, sizeof(body), 0);
}

static void
send_fragment(struct chance *c, struct frame *f)
{
	uint8_t head[4];

	bytes_store16(head, (uint16_t)chance_below(c, 4));
	bytes_store16(head + 2, (uint16_t)chance_below(c, 4));
	bytes_store32(f->data + ID,
	    bytes_load32(f->data + ID) + (uint32_t)chance_below(c, 2));
	make_body(c, f, IKE_PAYLOAD_SKF, head, sizeof(head), 24 + chance_below(c, 80));
}

static void
send_garbage(struct chance *c, struct frame *f)
{
	bytes_store32(f->data + ID,
	    bytes_load32(f->data + ID) + (uint32_t)chance_below(c, 2));
	make_body(c, f, IKE_PAYLOAD_SK, NULL, 0, 24 + chance_below(c, 80));
}

/* A set-up in somebody's name; recorded ones serve as its body. */
static void
ask_init(struct chance *c, struct frame *f)
{
	if (f->data[TYPE] != IKE_SA_INIT) {
		send_garbage(c, f);
		return;
	}
	chance_fill(c, f->data, 8);
	if (chance_one_in(c, 2))
		chance_fill(c, f->data + f->len - 16, 16);
}

static void
lose_spi(struct chance *c, struct frame *f)
{
	chance_fill(c, f->data + 8 * chance_below(c, 2), 8);
}

static forge *const of_ike[] = { flip_bits, flip_bits, cut, lengthen, turn_header,
	say_notify, say_notify, say_delete, send_fragment, send_fragment, send_garbage,
	ask_init, lose_spi };
static forge *const of_esp[] = { flip_bits, flip_bits, cut, lengthen, turn_header };

/* ---- striking ---- */

static struct record *
choose(struct attacker *a)
{
	unsigned n = a->n < ATTACKER_KEEPS ? a->n : ATTACKER_KEEPS;
	struct record *r = n > 0 ? &a->records[chance_below(&a->chance, n)] : NULL;

	return r != NULL && r->frame != NULL ? r : NULL;
}

/* He may say that he is anybody. */
static void
lie_about_source(struct chance *c, struct frame *f)
{
	f->lied = true;
	f->path.addr[1][f->path.family == ESP_IPV4 ? 3 : 15] =
	    (uint8_t)(100 + chance_below(c, 50));
	f->path.port[1] = (uint16_t)(1024 + chance_below(c, 60000));
}

static void
repeat(struct attacker *a, struct record *r)
{
	if (!r->arrived)
		return;			/* as the network may, too */
	r->frame->origin = FRAME_REPLAYED;
	if (chance_one_in(&a->chance, 3))
		lie_about_source(&a->chance, r->frame);
}

static void
alter(struct attacker *a, struct record *r, const struct frame *original)
{
	struct chance *c = &a->chance;
	struct frame *f = r->frame;

	if (f->kind == FRAME_IKE && f->len >= IKE_HEADER_LEN + 8)
		of_ike[chance_below(c, sizeof(of_ike) / sizeof(*of_ike))](c, f);
	else if (f->kind != FRAME_IKE)
		of_esp[chance_below(c, sizeof(of_esp) / sizeof(*of_esp))](c, f);
	else
		flip_bits(c, f);
	if (f->len == original->len && memcmp(f->data, original->data, f->len) == 0) {
		repeat(a, r);		/* two changes that cancel each other */
		return;
	}
	f->origin = FRAME_FORGED;
	if (chance_one_in(c, 3))
		lie_about_source(c, f);
}

void
attacker_strike(struct attacker *a, struct network *n, ike_time now)
{
	struct record *r = choose(a), copy;

	if (r == NULL)
		return;
	copy = *r;
	if ((copy.frame = malloc(sizeof(*r->frame) + FRAME_MOST)) == NULL)
		abort();
	memcpy(copy.frame, r->frame, sizeof(*r->frame) + r->frame->len);
	if (chance_one_in(&a->chance, 2))
		repeat(a, &copy);
	else
		alter(a, &copy, r->frame);
	network_inject(n, copy.frame,
	    now + (ike_time)chance_below(&a->chance, IKE_SECOND / 2));
	free(copy.frame);
}
