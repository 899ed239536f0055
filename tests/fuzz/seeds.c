/* seeds FOLDER: writes inputs for the fuzz targets to begin with, made from real
 * exchanges and real packets: FOLDER/NAME/seed-WHAT. */
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "libike/protect.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/ends.h"
#include "tests/unit/packets.h"
#include "tests/unit/pair.h"

static const char *corpus;

/* ---- an input under construction ---- */

struct input { uint8_t p[200000]; size_t len; };

static void
put(struct input *in, const void *p, size_t len)
{
	fuzz_require(in->len + len <= sizeof(in->p));
	if (len > 0)
		memcpy(in->p + in->len, p, len);
	in->len += len;
}

static void
put8(struct input *in, unsigned value)
{
	put(in, &(uint8_t){ (uint8_t)value }, 1);
}

/* A step: kind, length, and some octets before the content. */
static void
put_step(struct input *in, unsigned kind, const void *head, size_t head_len,
    struct bytes b)
{
	put8(in, kind);
	put8(in, (unsigned)(head_len + b.len) >> 8);
	put8(in, (unsigned)(head_len + b.len) & 0xff);
	put(in, head, head_len);
	put(in, b.p, b.len);
}

static void __attribute__((format(printf, 3, 4)))
keep(struct input *in, const char *target, const char *format, ...)
{
	char name[64], path[512];
	va_list args;
	FILE *file;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	snprintf(path, sizeof(path), "%s/%s", corpus, target);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%s/seed-%s", corpus, target, name);
	fuzz_require((file = fopen(path, "wb")) != NULL);
	fuzz_require(fwrite(in->p, 1, in->len, file) == in->len);
	fclose(file);
	in->len = 0;
}

/* ---- message, engine ---- */

static const struct { uint8_t type, kind; } kinds[] = {	/* as fuzz_message.c has them */
	{ IKE_PAYLOAD_SA, 2 }, { IKE_PAYLOAD_KE, 3 }, { IKE_PAYLOAD_IDI, 4 },
	{ IKE_PAYLOAD_IDR, 5 }, { IKE_PAYLOAD_AUTH, 6 }, { IKE_PAYLOAD_NONCE, 7 },
	{ IKE_PAYLOAD_NOTIFY, 8 }, { IKE_PAYLOAD_DELETE, 9 }, { IKE_PAYLOAD_TSI, 10 },
	{ IKE_PAYLOAD_TSR, 11 },
};

static void
keep_bodies(struct input *in, const struct ike_message *m, unsigned number)
{
	for (unsigned i = 0; i < m->n; i++)
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
			if (kinds[k].type == m->v[i].type) {
				put8(in, kinds[k].kind);
				put(in, m->v[i].body.p, m->v[i].body.len);
				keep(in, "message", "body-%u-%u", number, i);
			}
}

/* The chain inside a message to `to`, from the SA that can open it. */
static bool
open_datagram(struct pair *p, struct pair_datagram *d, struct ike_message *m)
{
	struct ike_sa *sa = pair_sa(p, d->to);

	return ike_parse_message(bytes_of(d->data, d->len), m) == IKE_OK && sa != NULL &&
	    sa->suite.cipher != NULL && ike_open_message(&sa->suite, &sa->keys,
	    !sa->initiator, d->data, m) == IKE_OK && m->n > 0;
}

static void
keep_datagram(struct input *in, struct pair *p, unsigned number)
{
	struct pair_datagram d = p->queue[0];
	struct ike_message m;
	const uint8_t *chain;
	uint8_t head[6] = { 0 };

	put8(in, 0);
	put(in, d.data, d.len);
	keep(in, "message", "datagram-%u", number);
	put8(in, 0);
	put8(in, number);
	put_step(in, d.to << 7 | 0, head, 1, bytes_of(d.data, d.len));
	keep(in, "engine", "raw-%u", number);
	put8(in, 0);
	put8(in, number);
	put_step(in, d.to << 7 | 1, head, 1, bytes_of(d.data, d.len));
	keep(in, "engine", "addressed-%u", number);
	if (ike_parse_message(bytes_of(d.data, d.len), &m) == IKE_OK)
		keep_bodies(in, &m, number);
	if (!open_datagram(p, &d, &m))
		return;
	chain = m.v[0].body.p - IKE_PAYLOAD_HEADER_LEN;
	keep_bodies(in, &m, number);
	head[1] = m.header.exchange;
	head[2] = m.header.flags & IKE_FLAG_RESPONSE;
	head[4] = m.v[0].type;
	put8(in, 0);
	put8(in, number);
	put_step(in, d.to << 7 | 2, head, 5, bytes_of(chain,
	    (size_t)(m.v[m.n - 1].body.p + m.v[m.n - 1].body.len - chain)));
	keep(in, "engine", "sealed-%u", number);
}

static void
keep_handshake(struct input *in)
{
	static struct pair p;
	struct ike_setup setup[2];
	struct ike_child_setup child[2];
	static const char *const suite[] = { "chacha20poly1305-prfsha256-x25519",
	    "chacha20poly1305-x25519" };
	unsigned number = 0;

	pair_setups(setup, child);
	for (unsigned i = 0; i < 2; i++) {
		setup[i].ike = (struct ike_texts){ &suite[0], 1 };
		setup[i].esp = (struct ike_texts){ &suite[1], 1 };
	}
	pair_open(&p, setup);
	pair_up(&p);
	while (p.n > 0) {
		keep_datagram(in, &p, number++);
		pair_deliver(&p, 0);
	}
	ike_down(p.e[0], p.now, p.connection[0]);
	pair_drain(&p, 0);
	while (p.n > 0) {
		keep_datagram(in, &p, number++);
		pair_deliver(&p, 0);
	}
	pair_close(&p);
}

/* Requests of a peer that has the keys: built here, sealed by the target. */
static void
keep_requests(struct input *in)
{
	static const struct {
		uint8_t exchange, first;
		const char *name;
		uint8_t len, body[80];
	} rows[] = {
		{ INFORMATIONAL, 0, "probe", 0, { 0 } },
		{ INFORMATIONAL, IKE_PAYLOAD_DELETE, "delete-ike", 8,
		    { 0, 0, 0, 8, 1, 0, 0, 0 } },
		{ INFORMATIONAL, IKE_PAYLOAD_DELETE, "delete-esp", 12,
		    { 0, 0, 0, 12, 3, 4, 0, 1, 1, 2, 3, 4 } },
		{ INFORMATIONAL, IKE_PAYLOAD_NOTIFY, "notify-error", 8,
		    { 0, 0, 0, 8, 0, 0, 0, 24 } },
		{ INFORMATIONAL, 99, "critical", 8, { 0, 0x80, 0, 8, 1, 2, 3, 4 } },
		{ CREATE_CHILD_SA, IKE_PAYLOAD_SA, "child", 76, {
		    IKE_PAYLOAD_NONCE, 0, 0, 36,
		    0, 0, 0, 32, 1, 3, 4, 2, 0xaa, 0xbb, 0xcc, 0xdd,
		    3, 0, 0, 12, 1, 0, 0, 28, 0, 0, 0, 0, 0, 0, 0, 8, 5, 0, 0, 0,
		    IKE_PAYLOAD_TSI, 0, 0, 20,
		    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
		    IKE_PAYLOAD_NONE, 0, 0, 20,
		    1, 0, 0, 0, 7, 0, 0, 16, 0, 0, 255, 255 } },
	};
	uint8_t head[5] = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (unsigned end = 0; end < 2; end++) {
			head[1] = rows[i].exchange;
			head[4] = rows[i].first;
			put8(in, (i & 3) | 8);
			put8(in, 7);
			put_step(in, end << 7 | 2, head, sizeof(head),
			    bytes_of(rows[i].body, rows[i].len));
			put_step(in, 3, "\0\0", 2, bytes_of(NULL, 0));
			keep(in, "engine", "%s-%u", rows[i].name, end);
		}
}

/* Every stage of the handshake, and what befalls it there. */
static void
keep_stages(struct input *in)
{
	static const struct { uint8_t step, len; const char *content, *name; } rows[] = {
		{ 5, 2, "\xff\xff", "timeout" }, { 4, 4, "\0\0\x30\1", "altered" },
		{ 3, 2, "\0\1", "repeated" }, { 6, 2, "\1\0", "down" },
		{ 6, 2, "\4\7", "acquire" }, { 6, 2, "\5\7", "not-installed" },
		{ 6, 2, "\3\0", "child-down" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (unsigned stage = 0; stage < 6; stage++) {
			put8(in, (unsigned)i & 3);
			put8(in, stage);
			put_step(in, rows[i].step, NULL, 0,
			    bytes_of(rows[i].content, rows[i].len));
			put_step(in, 3, "\0\0", 2, bytes_of(NULL, 0));
			put_step(in, 5, "\4\0", 2, bytes_of(NULL, 0));
			keep(in, "engine", "%s-%u", rows[i].name, stage);
		}
	for (unsigned held = 0x20; held <= 0x60; held += 0x20) {
		put8(in, held);
		put8(in, 1);
		for (unsigned i = 0; i < 4; i++) {
			put_step(in, 6, "\6\1", 2, bytes_of(NULL, 0));
			put_step(in, 0x86, "\6\1", 2, bytes_of(NULL, 0));
			put_step(in, 3, "\0\0", 2, bytes_of(NULL, 0));
		}
		keep(in, "engine", "held-%u", held >> 5);
	}
}

/* Rekeys of an IKE SA and of a Child SA, by one end, the other, or both at once, of which
 * any datagram may come twice; then lifetimes pass. */
static void
keep_renewals(struct input *in)
{
	static const char asked[][3] = { { 0, 0, 0 }, { 0, 1, 0 }, { 0, 1, 2 },
		{ 0, 0, 3 | 8 }, { 0, 1, 5 } };

	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		for (unsigned who = 1; who < 4; who++) {
			put8(in, (i & 3) | 8);
			put8(in, 7);
			for (unsigned k = 0; k < 4; k++)	/* the other child */
				put_step(in, 3, "\0\0", 2, bytes_of(NULL, 0));
			for (unsigned end = 0; end < 2; end++)
				if (who & 1u << end)
					put_step(in, end << 7 | 7, NULL, 0,
					    bytes_of(asked[i], 3));
			for (unsigned k = 0; k < 8; k++)
				put_step(in, 3, k == 2 ? "\0\1" : "\0\0", 2,
				    bytes_of(NULL, 0));
			for (unsigned k = 0; k < 12; k++) {
				put_step(in, 5, "\x08\0", 2, bytes_of(NULL, 0));
				put_step(in, 3, "\0\0", 2, bytes_of(NULL, 0));
				put_step(in, 3, "\0\0", 2, bytes_of(NULL, 0));
			}
			keep(in, "engine", "renewal-%u-%u", (unsigned)i, who);
		}
}

/* ---- fragments ---- */

/* As fuzz_fragment.c reads it. */
static void
put_fragment(struct input *in, unsigned how, unsigned id, unsigned number, unsigned total)
{
	const uint8_t step[] = { 2, (uint8_t)how, (uint8_t)id, IKE_AUTH,
	    number == 1 ? IKE_PAYLOAD_VENDOR : 0, (uint8_t)number, (uint8_t)total,
	    (uint8_t)(10 * number), (uint8_t)(number * 31 + id) };

	put(in, step, sizeof(step));
}

static void
keep_fragments(struct input *in)
{
	static const struct { unsigned how, id, number, total; } rows[] = {
		{ 0, 1, 3, 5 }, { 0, 1, 1, 5 }, { 4, 1, 2, 5 }, { 0, 1, 5, 5 },
		{ 0, 1, 2, 5 }, { 0, 1, 2, 5 }, { 0, 1, 0, 5 }, { 0, 1, 6, 5 },
		{ 0, 1, 4, 4 }, { 0, 1, 4, 5 }, { 0, 2, 1, 1 }, { 0, 2, 2, 3 },
		{ 0, 2, 4, 4 }, { 0, 3, 255, 255 }, { 0, 3, 1, 255 },
	};
	static const char text[] = "what is cut and put together again, whatever it is";

	for (size_t n = 5; n <= sizeof(rows) / sizeof(rows[0]); n += 5) {
		for (size_t i = 0; i < n; i++)
			put_fragment(in, rows[i].how, rows[i].id, rows[i].number,
			    rows[i].total);
		keep(in, "fragment", "numbers-%zu", n);
	}
	for (unsigned size = 0; size < 120; size += 17) {
		put(in, "\1\0", 2);
		put8(in, size);
		put8(in, IKE_PAYLOAD_VENDOR);
		put8(in, 0);
		put8(in, sizeof(text));
		put(in, text, sizeof(text));
		keep(in, "fragment", "cut-%u", size);
	}
}

/* What stands in clear is all that the message's target looks at. */
static void
keep_fragment_message(struct input *in)
{
	uint8_t p[28 + 8 + 33] = { [16] = IKE_PAYLOAD_SKF, 0x20, IKE_AUTH,
	    [27] = sizeof(p), [31] = sizeof(p) - 28, [33] = 2, [35] = 3 };

	put8(in, 0);
	put(in, p, sizeof(p));
	keep(in, "message", "fragment");
}

/* Of the set-up's IKE_AUTH, and of a request in three that a peer with the keys sends. */
static void
keep_fragmented(struct input *in)
{
	static const uint8_t order[] = { 2, 1, 3, 1 };
	uint8_t head[7] = { 4, INFORMATIONAL, 0, 0, 0, 0, 3 };

	for (unsigned stage = 0; stage < 7; stage++) {
		put8(in, 4 | (stage & 3));
		put8(in, stage);
		for (unsigned i = 0; i < 5; i++)	/* backwards, some twice */
			put_step(in, 3, i & 1 ? "\4\1" : "\4\0", 2,
			    bytes_of(NULL, 0));
		put_step(in, 5, "\4\0", 2, bytes_of(NULL, 0));
		keep(in, "engine", "fragments-%u", stage);
	}
	for (unsigned end = 0; end < 2; end++) {
		put8(in, 8);
		put8(in, 7);
		for (size_t i = 0; i < sizeof(order); i++) {
			head[4] = order[i] == 1 ? IKE_PAYLOAD_NOTIFY : 0;
			head[5] = order[i];
			put_step(in, end << 7 | 2, head, sizeof(head), bytes_of(
			    "\0\0\0\14\0\0\100\1what" + 4 * (order[i] - 1), 4));
		}
		put_step(in, 3, "\0\0", 2, bytes_of(NULL, 0));
		keep(in, "engine", "request-in-fragments-%u", end);
	}
}

/* ---- esp_open ---- */

static void
keep_packets(struct input *in)
{
	uint8_t packet[2048], head[2] = { 0, 1 };
	uint8_t payload[64] = { 0x12, 0x34, 0, 53, 0, 64 };
	struct bytes inner;

	for (unsigned i = 0; bulk_transform(i) != NULL; i++)
		for (unsigned family = 4; family <= 6; family += 2) {
			inner = family == 4 ?
			    ipv4(packet, 17, 5, 0, bytes_of(payload, 58)) :
			    ipv6(packet, 17, bytes_of(payload, 54));
			put8(in, i | (family == 4 ? 0 : 0x50));
			put_step(in, 3, NULL, 0, inner);
			/* 80 or 96 octets in all: whole blocks */
			packet[inner.len] = 0;
			packet[inner.len + 1] = family == 4 ? 4 : 41;
			put_step(in, 2, head, 2, bytes_of(packet, inner.len + 2));
			put_step(in, 1, "\1", 1, bytes_of(packet, inner.len));
			put_step(in, 0, NULL, 0, inner);
			keep(in, "esp_open", "%u-%u", i, family);
		}
}

/* ---- texts ---- */

static const struct { const char *target, *name, *text; } texts[] = {
	{ "secret", "text", "correct horse battery staple\n" },
	{ "secret", "hex", "0x00112233445566778899aabbccddeeff\n" },
	{ "secret", "base64", "base64:AAECAwQFBgcICQoLDA0ODw==\n" },
	{ "secret", "base64-unpadded", "base64:AAECAwQFBgcICQoLDA0ODw" },
	{ "secret", "short", " x \n" },
	{ "config", "empty", "" },
	{ "config", "paris",
	    "daemon = { datapath = \"tun\"; log = \"debug\"; port = 500; "
	    "natt_port = 4500;\n"
	    "  listen = [ \"192.0.2.1\", \"2001:db8::1\" ]; "
	    "secrets_dir = \"/etc/s\"; };\n"
	    "connections = {\n  paris = {\n"
	    "    local = { address = \"192.0.2.1\"; id = \"gw.berlin.example\";\n"
	    "      subnets = [ \"10.1.0.0/24\" ]; };\n"
	    "    remote = { address = \"203.0.113.7\"; id = \"gw.paris.example\";\n"
	    "      subnets = [ \"10.2.0.0/24\" ]; };\n"
	    "    auth = \"psk\"; start = \"always\"; encap = \"auto\";\n"
	    "    ike = [ \"aes256gcm16-prfsha384-x25519\", \"default\" ]; "
	    "esp = \"default\";\n"
	    "  };\n};\n" },
	{ "config", "children",
	    "connections = (\n  { name = \"a\"; local = { id = \"a@b.example\"; };\n"
	    "    remote = { address = \"any\"; id = \"keyid:0x0102\"; };\n"
	    "    children = { x = { local = \"10.1.0.0/16[tcp/80-90]\"; "
	    "remote = \"0.0.0.0/0\"; };\n"
	    "      y = { local = [ \"2001:db8::/32\" ]; remote = [ \"::/0\" ]; }; };\n"
	    "  },\n);\n" },
	{ "config", "faults",
	    "daemon = { prot = 500; port = 99999999999; log = \"lod\"; "
	    "listen = \"x\" };\n"
	    "/* a comment */ # another\n"
	    "connections = { a = { local = { id = \"\"; }; remote = 5; "
	    "start = \"alwys\"; };\n"
	    "  b = { remote = { address = \"10.0.0.1\" \"10.0.0.2\"; }; "
	    "auth = \"rsa\"; }; };\n" },
};

static void
keep_calls(struct input *in)
{
	static const char *const calls[] = {
		"{\"method\":\"org.varlink.service.GetInfo\"}",
		"{\"method\":\"org.varlink.service.GetInterfaceDescription\","
		    "\"parameters\":{\"interface\":\"org.ikev.Ikevd\"}}",
		"{\"method\":\"org.ikev.Ikevd.List\",\"parameters\":{}}",
		"{\"method\":\"org.ikev.Ikevd.Version\",\"oneway\":true}",
		"{\"method\":\"org.ikev.Ikevd.Status\",\"more\":true,"
		    "\"parameters\":{\"name\":null}}",
		"{\"method\":\"org.ikev.Ikevd.Status\","
		    "\"parameters\":{\"name\":\"roma\"}}",
		"{\"method\":\"org.ikev.Ikevd.Up\",\"parameters\":{\"name\":\"paris\"}}",
		"{\"method\":\"org.ikev.Ikevd.Up\",\"parameters\":{\"name\":\"roads\"}}",
		"{\"method\":\"org.ikev.Ikevd.Down\","
		    "\"parameters\":{\"name\":\"paris\"}}",
		"{\"method\":\"org.ikev.Ikevd.Nothing\",\"upgrade\":true}",
		"[1,2", "{\"method\":5}",
	};
	enum { N = sizeof(calls) / sizeof(calls[0]) };

	for (unsigned i = 0; i < N; i++) {
		put_step(in, 0, NULL, 0, bytes_of(calls[i], strlen(calls[i])));
		put_step(in, 0x10, NULL, 0,
		    bytes_of(calls[(i + 5) % N], strlen(calls[(i + 5) % N])));
		for (unsigned k = 0; k < 3; k++)
			put_step(in, 4, "\xff\1", 2, bytes_of(NULL, 0));
		put_step(in, 0x12, NULL, 0, bytes_of(calls[i], strlen(calls[i]) / 2));
		put_step(in, i & 1 ? 3 : 2, NULL, 0, bytes_of("x", 1));
		keep(in, "control", "%u", i);
	}
}

int
main(int argc, char **argv)
{
	static struct input in;

	if (argc != 2 || sodium_init() < 0) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return EXIT_FAILURE;
	}
	corpus = argv[1];
	mkdir(corpus, 0755);
	keep_handshake(&in);
	keep_requests(&in);
	keep_stages(&in);
	keep_renewals(&in);
	keep_fragments(&in);
	keep_fragment_message(&in);
	keep_fragmented(&in);
	keep_packets(&in);
	keep_calls(&in);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		put(&in, texts[i].text, strlen(texts[i].text));
		keep(&in, texts[i].target, "%s", texts[i].name);
	}
	return EXIT_SUCCESS;
}
