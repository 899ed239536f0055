/* Two engines that talk: a real handshake, stopped after some datagrams, and then what
 * the input does to either of them.  Datagrams that it makes up; ones under way that it
 * drops, repeats and alters; plaintext of its own that is sealed with the right keys and
 * so gets past the ICV; time; commands, rekeys of both kinds among them.  Lifetimes may
 * be of seconds, children several, both ends watchful and able to move.  At the end both are closed, and nothing may be
 * left: pair_close looks.  See STEPS below for the form of an input. */
#include <sodium.h>
#include <string.h>

#include "libike/protect.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/pair.h"

static const char *const suites[][2] = {	/* IKE, ESP */
	{ "chacha20poly1305-prfsha256-x25519", "chacha20poly1305-x25519" },
	{ "aes128gcm16-prfsha256-x25519", "aes128gcm16" },
	{ "aes128-sha256-x25519", "aes128-sha256-noesn" },
	{ "aes256-sha384-x25519", "aes256-sha384-esn" },
};
enum { SUITES = sizeof(suites) / sizeof(suites[0]), MOST_STEPS = 64 };

struct run {
	struct pair p;
	uint64_t chance;		/* of what is sealed here */
	uint64_t counter;
};

static void
fill(void *arg, uint8_t *p, size_t n)
{
	uint64_t *state = arg;

	for (size_t i = 0; i < n; i++) {
		*state = *state * 6364136223846793005u + 1442695040888963407u;
		p[i] = (uint8_t)(*state >> 56);
	}
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_require(sodium_init() >= 0);
	return 0;
}

/* ---- steps: each has a word of length and that many octets ---- */

/* As the peer's datagrams come, before or after the move to the other port. */
static struct ike_path
path_to(unsigned end, bool natt)
{
	uint16_t port = natt ? 4500 : 500;
	struct ike_path path = { .family = 4, .port = { port, port } };

	memcpy(path.addr[0], end == 0 ? "\300\0\2\1" : "\300\0\2\2", 4);
	memcpy(path.addr[1], end == 0 ? "\300\0\2\2" : "\300\0\2\1", 4);
	return path;
}

static void
raw(struct run *r, unsigned end, struct fuzz_input in)
{
	struct ike_path path = path_to(end, fuzz_octet(&in) & 1);
	struct bytes b = fuzz_rest(&in);

	pair_inject(&r->p, end, &path, b.p, b.len);
}

/* With the SPIs and, where the input says so, the message id that are right. */
static void
addressed(struct run *r, unsigned end, struct fuzz_input in)
{
	struct ike_sa *sa = pair_sa(&r->p, end);
	uint8_t how = fuzz_octet(&in), copy[UINT16_MAX];
	struct ike_path path = path_to(end, how & 1);
	struct bytes b = fuzz_rest(&in);

	if (b.len > 0)
		memcpy(copy, b.p, b.len);
	if (sa != NULL && b.len >= IKE_HEADER_LEN) {
		bytes_store64(copy, sa->spi_i);
		bytes_store64(copy + 8, how & 2 ? 0 : sa->spi_r);
		bytes_store32(copy + 24, (uint32_t)b.len);
		if ((how & 4) == 0)
			bytes_store32(copy + 20, copy[19] & IKE_FLAG_RESPONSE ?
			    sa->window.next_request - 1 : sa->window.next_expected);
	}
	pair_inject(&r->p, end, &path, copy, b.len);
}

/* how, exchange, flags, distance of the message id, type of the first payload, number and
 * total if how says that it is a fragment, plaintext */
static void
sealed(struct run *r, unsigned end, struct fuzz_input in)
{
	struct ike_sa *sa = pair_sa(&r->p, end);
	struct ike_random random = { fill, &r->chance };
	uint8_t how = fuzz_octet(&in), datagram[IKE_MAX_MESSAGE];
	struct ike_path path = path_to(end, how & 1);
	struct ike_writer w = ike_writer(datagram, sizeof(datagram));
	struct ike_header h = { .version = 0x20 };
	struct ike_cover cover = { .total = 0 };
	struct bytes b;

	if (sa != NULL && (how & 2) != 0)
		sa = TAILQ_FIRST(&r->p.e[end]->sas);
	if (sa == NULL || sa->suite.cipher == NULL || sa->keys.cipher_len == 0)
		return;
	h.spi_i = sa->spi_i;
	h.spi_r = sa->spi_r;
	h.exchange = fuzz_octet(&in);
	h.flags = fuzz_octet(&in) ^ (sa->initiator ? 0 : IKE_FLAG_INITIATOR);
	h.message_id = h.flags & IKE_FLAG_RESPONSE ? sa->window.next_request - 1 :
	    sa->window.next_expected;
	h.message_id += (uint32_t)(int8_t)fuzz_octet(&in);
	cover.first = fuzz_octet(&in);
	if ((how & 4) != 0) {
		cover.number = fuzz_octet(&in);
		cover.total = fuzz_octet(&in);
	}
	b = fuzz_rest(&in);
	if (ike_seal_payload(&sa->suite, &sa->keys, !sa->initiator, &h, &cover, b,
	    ++r->counter, &random, &w) == IKE_OK)
		pair_inject(&r->p, end, &path, datagram, w.len);
}

static void
deliver(struct run *r, unsigned end, struct fuzz_input in)
{
	uint8_t index = fuzz_octet(&in);
	struct pair_datagram copy;

	(void)end;
	if (r->p.n == 0)
		return;
	index = (uint8_t)(index % r->p.n);
	copy = r->p.queue[index];
	if (fuzz_octet(&in) & 1)	/* it stays, to be repeated */
		pair_inject(&r->p, copy.to, &copy.path, copy.data, copy.len);
	else
		pair_deliver(&r->p, index);
}

/* index, then offset and mask of each octet to change.  Nothing that is up may mind. */
static void
alter(struct run *r, unsigned end, struct fuzz_input in)
{
	const struct pair_datagram *from;
	struct pair_datagram d;
	struct ike_sa *sa;
	ike_id id = 0;
	unsigned children = 0;
	size_t at;

	(void)end;
	if (r->p.n == 0)
		return;
	from = &r->p.queue[fuzz_octet(&in) % r->p.n];
	d = *from;
	while (in.len >= 3) {
		at = fuzz_word(&in) % d.len;
		d.data[at] ^= fuzz_octet(&in);
	}
	sa = pair_sa(&r->p, d.to);
	if (memcmp(d.data, from->data, d.len) != 0 && sa != NULL &&
	    sa->state == IKE_STATE_ESTABLISHED) {
		id = sa->id;
		children = sa->n_children;
	}
	pair_inject(&r->p, d.to, &d.path, d.data, d.len);
	if (id == 0)
		return;
	sa = ike_table_sa(r->p.e[d.to], id);
	fuzz_require(sa != NULL && sa->state == IKE_STATE_ESTABLISHED &&
	    sa->n_children == children);
}

static void
pass(struct run *r, unsigned end, struct fuzz_input in)
{
	(void)end;
	r->p.n = r->p.n > PAIR_QUEUE / 4 ? PAIR_QUEUE / 4 : r->p.n;
	pair_pass(&r->p, fuzz_word(&in) * (IKE_SECOND / 1000));
}

/* The Child SA at this place of an IKE SA, or 0. */
static ike_id
child_of(struct run *r, unsigned end, struct ike_sa *sa, unsigned index)
{
	struct ike_child_info info;

	return sa != NULL && ike_child_at(r->p.e[end], sa->id, index, &info) ? info.id : 0;
}

/* Any IKE SA, in any state. */
static struct ike_sa *
sa_at(struct run *r, unsigned end, unsigned index)
{
	struct ike_sa *sa;

	TAILQ_FOREACH(sa, &r->p.e[end]->sas, link)
		if (index-- == 0)
			break;
	return sa;
}

/* What an end's own side may ask of any SA that it can name: which IKE SA, which Child
 * SA of it (0: the IKE SA), what. */
static void
renew(struct run *r, unsigned end, struct fuzz_input in)
{
	struct ike *e = r->p.e[end];
	struct ike_sa *sa = sa_at(r, end, fuzz_octet(&in) % 8);
	uint8_t index = fuzz_octet(&in) % 8, what = fuzz_octet(&in);
	struct ike_notice notice = { .type = IKE_ACQUIRE };
	ike_id id = sa == NULL ? 0 : index == 0 ? sa->id :
	    child_of(r, end, sa, index - 1u);

	switch (what % 8) {
	case 0:
	case 1:
		ike_rekey(e, r->p.now, id);
		break;
	case 2:
		ike_down(e, r->p.now, id);
		break;
	case 3:
		r->p.where[end].family = what & 0x80 ? 0 : 4;
		r->p.where[end].addr[0][3] = (uint8_t)(what >> 3 & 3);
		ike_roam(e, r->p.now);
		break;
	case 4:
		ike_drop(e, r->p.now, r->p.connection[end]);
		break;
	default:
		notice.type = what % 8 == 5 ? IKE_SOFT : what % 8 == 6 ? IKE_HARD :
		    IKE_FIRST_IN;
		notice.id = id;
		ike_tell(e, r->p.now, &notice);
		break;
	}
	pair_drain(&r->p, end);
}

static void
tell(struct run *r, unsigned end, enum ike_notice_type type, uint8_t host)
{
	struct ike_sa *sa = pair_sa(&r->p, end);
	struct ike_notice notice = { .type = type, .id = r->p.connection[end],
	    .child = "net", .packet = { esp_range_any(4), esp_range_any(4) } };

	if (type == IKE_NOT_INSTALLED)
		notice.id = sa != NULL && !LIST_EMPTY(&sa->children) ?
		    LIST_FIRST(&sa->children)->id : host;
	esp_range_from_prefix(&notice.packet.local, 4, (uint8_t[]){ 10, end == 0 ? 1 : 2,
	    0, host }, 32);
	esp_range_from_prefix(&notice.packet.remote, 4, (uint8_t[]){ 10, end == 0 ? 2 : 1,
	    0, host }, 32);
	ike_tell(r->p.e[end], r->p.now, &notice);
}

static void
command(struct run *r, unsigned end, struct fuzz_input in)
{
	struct ike *e = r->p.e[end];
	struct ike_sa *sa = pair_sa(&r->p, end);
	struct ike_answer answer = { .error = IKE_OK };
	uint8_t what = fuzz_octet(&in), argument = fuzz_octet(&in);

	switch (what % 8) {
	case 0:
		ike_up(e, r->p.now, r->p.connection[end]);
		break;
	case 1:
		ike_down(e, r->p.now, r->p.connection[end]);
		break;
	case 2:
		ike_down(e, r->p.now, sa != NULL ? sa->id : argument);
		break;
	case 3:
		ike_down(e, r->p.now, sa != NULL && !LIST_EMPTY(&sa->children) ?
		    LIST_FIRST(&sa->children)->id : argument);
		break;
	case 4:
		tell(r, end, IKE_ACQUIRE, argument);
		break;
	case 5:
		tell(r, end, IKE_NOT_INSTALLED, argument);
		break;
	case 6:			/* any answer to the question that is held */
		answer.error = argument & 1 ? IKE_OK : IKE_AUTHENTICATION_FAILED;
		answer.value = fuzz_rest(&in);
		ike_answer_question(e, r->p.now, r->p.question[end], &answer);
		break;
	default:
		r->p.hold_answers[end] = argument & 1;
		break;
	}
	pair_drain(&r->p, end);
}

/* STEPS.  An input is an octet of set-up, the number of datagrams of the handshake that
 * are delivered first (in fragments, twice the number), and then steps: an octet (bit 7:
 * which end), a word of length, and as many octets. */
static void (*const steps[])(struct run *, unsigned end, struct fuzz_input) = {
	raw, addressed, sealed, deliver, alter, pass, command, renew
};

/* Two children, lifetimes of seconds, questions whether the peer is there, MOBIKE. */
static void
make_lively(struct ike_setup setup[2], struct ike_child_setup child[2][2])
{
	static const char *const more[2] = { "10.3.0.0/16", "10.4.0.0/16" };

	for (unsigned i = 0; i < 2; i++) {
		child[i][1] = (struct ike_child_setup){ .name = "more",
		    .local = { &more[i], 1 }, .remote = { &more[1 - i], 1 },
		    .mode = IKE_MODE_TUNNEL };
		setup[i].children = child[i];
		setup[i].n_children = 2;
		setup[i].renewal.ike = 20 * IKE_SECOND;
		setup[i].renewal.ike_hard = 60 * IKE_SECOND;
		setup[i].renewal.child.time = 7 * IKE_SECOND;
		setup[i].renewal.child_hard.time = 30 * IKE_SECOND;
		setup[i].renewal.reauth = i == 0 ? 90 * IKE_SECOND : 0;
		setup[i].renewal.jitter_percent = 50;
		setup[i].dpd = 10 * IKE_SECOND;
		setup[i].mobike = true;
	}
}

static void
set_up(struct run *r, uint8_t how)
{
	struct ike_child_setup child[2], both[2][2];
	struct ike_setup setup[2];

	pair_setups(setup, child);
	if (how & 0x04)			/* IKE_AUTH in fragments */
		pair_widen(child);
	for (unsigned i = 0; i < 2; i++) {
		setup[i].fragment = how & 0x04 ? 576 : setup[i].fragment;
		setup[i].ike = (struct ike_texts){ &suites[how % SUITES][0], 1 };
		setup[i].esp = (struct ike_texts){ &suites[how % SUITES][1], 1 };
		setup[i].encap = how & 0x10 ? IKE_ENCAP_FORCE : IKE_ENCAP_AUTO;
	}
	if (how & 0x08) {
		for (unsigned i = 0; i < 2; i++)
			both[i][0] = child[i];
		make_lively(setup, both);
	}
	pair_open(&r->p, setup);
	r->p.lossy = true;
	for (unsigned i = 0; i < 2; i++)
		r->p.e[i]->options.trace = how & 0x08;
	r->p.hold_answers[0] = how & 0x20;
	r->p.hold_answers[1] = how & 0x40;
	if ((how & 0x80) == 0)
		pair_up(&r->p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct bytes piece;
	static struct run r;
	unsigned n;
	uint8_t step, how = fuzz_octet(&in);

	memset(&r, 0, sizeof(r));
	r.chance = 4711;
	r.counter = 0x70000000;
	set_up(&r, how);
	n = fuzz_octet(&in) % 8;
	for (n *= how & 0x04 ? 2 : 1; n > 0 && r.p.n > 0; n--)
		pair_deliver(&r.p, 0);
	for (n = 0; n < MOST_STEPS && in.len > 0; n++) {
		step = fuzz_octet(&in);
		piece = fuzz_piece(&in);
		if (r.p.n > PAIR_QUEUE / 2)
			r.p.n = PAIR_QUEUE / 2;
		steps[(step & 0x7f) % (sizeof(steps) / sizeof(steps[0]))](&r, step >> 7,
		    (struct fuzz_input){ piece.p, piece.len });
	}
	r.p.n = 0;
	pair_close(&r.p);
	return 0;
}
