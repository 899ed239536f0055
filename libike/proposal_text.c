/* Proposals from text and as text.  Which keywords there are says names.c, which of them
 * can be served say the algorithm tables; there is no list of either here. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "libike/compat.h"
#include "libike/like.h"

#define COUNT(a) (sizeof (a) / sizeof *(a))

/* AEAD ciphers and the others cannot share a proposal, 3.3. */
static const char *const ike_default[] = {
	"aes256gcm16-aes128gcm16-chacha20poly1305-prfsha256-prfsha384-prfsha512"
	"-x25519-ecp256-ecp384-modp2048-modp3072",
	"aes256-aes128-sha256-sha384-sha512-prfsha256-prfsha384-prfsha512"
	"-x25519-ecp256-ecp384-modp2048-modp3072",
	NULL
};
static const char *const esp_default[] = {
	"aes256gcm16-aes128gcm16-chacha20poly1305"
	"-x25519-ecp256-ecp384-modp2048-modp3072-modpnone-noesn-esn",
	"aes256-aes128-sha256-sha384-sha512"
	"-x25519-ecp256-ecp384-modp2048-modp3072-modpnone-noesn-esn",
	NULL
};

struct parser {
	uint8_t protocol;
	const char *text;		/* of the proposal at hand */
	int text_len;
	struct ike_proposal p;		/* what it says so far */
	struct ike_proposals list;	/* the finished ones */
	char *buf;			/* for the sentence that says what is wrong */
	size_t len;
};

__attribute__((format(printf, 2, 3)))
static bool
complain(const struct parser *parser, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(parser->buf, parser->len, format, arguments);
	va_end(arguments);
	return false;
}

static const char *
name_of(const struct ike_transform *t, char buf[IKE_NAME_LEN])
{
	return ike_transform_name(t->type, t->id, t->key_bits, buf);
}

/* ---- text being put together, cut to fit ---- */

struct text {
	char *buf;
	size_t cap, len;
	bool cut;
};

static struct text
open_text(char *buf, size_t cap)
{
	if (cap > 0)
		*buf = '\0';
	return (struct text){ buf, cap, 0, cap == 0 };
}

static void
add_text(struct text *t, const char *s)
{
	static const char dots[] = "...";
	size_t room, len = strlen(s);

	if (t->cut)
		return;
	room = t->cap - 1 - t->len;
	t->cut = len > room;
	memcpy(t->buf + t->len, s, t->cut ? room : len);
	t->len += t->cut ? room : len;
	t->buf[t->len] = '\0';
	if (t->cut && t->cap > sizeof dots)
		memcpy(t->buf + t->cap - sizeof dots, dots, sizeof dots);
}

/* ---- what can be served ---- */

enum { IDS = 64 };	/* every row's id is below */
static const uint16_t key_sizes[] = { 0, 128, 192, 256 };

/* The transforms that there may be, by number. */
enum { CANDIDATES = IKE_ESN * IDS * (int)COUNT(key_sizes) };

static struct ike_transform
candidate(unsigned i)
{
	return (struct ike_transform){
		.type = (uint8_t)(IKE_ENCR + i / COUNT(key_sizes) / IDS),
		.id = (uint16_t)(i / COUNT(key_sizes) % IDS),
		.key_bits = key_sizes[i % COUNT(key_sizes)]
	};
}

static bool
pair_served(uint8_t protocol, const struct ike_transform *cipher, uint16_t integ)
{
	return (protocol == IKE_PROTOCOL_IKE ?
	    ike_find_cipher(NULL, cipher->id, cipher->key_bits, integ) :
	    esp_transform_find(cipher->id, cipher->key_bits, integ)) != NULL;
}

static bool
is_aead(uint8_t protocol, const struct ike_transform *cipher)
{
	return pair_served(protocol, cipher, IKE_INTEG_NONE);
}

static bool
cipher_served(uint8_t protocol, const struct ike_transform *t)
{
	for (uint16_t integ = 0; integ < IDS; integ++)
		if (pair_served(protocol, t, integ))
			return true;
	return false;
}

static bool
prf_served(uint8_t protocol, const struct ike_transform *t)
{
	return protocol == IKE_PROTOCOL_IKE && t->key_bits == 0 &&
	    ike_find_prf(NULL, t->id) != NULL;
}

static bool
integ_served(uint8_t protocol, const struct ike_transform *t)
{
	(void)protocol;
	return t->key_bits == 0 && esp_transform_has_integ(t->id);
}

static bool
ke_served(uint8_t protocol, const struct ike_transform *t)
{
	return t->key_bits == 0 && (ike_find_kex(NULL, t->id) != NULL ||
	    (t->id == IKE_KE_NONE && protocol == IKE_PROTOCOL_ESP));
}

static bool
esn_served(uint8_t protocol, const struct ike_transform *t)
{
	return protocol == IKE_PROTOCOL_ESP && t->key_bits == 0 && t->id <= IKE_ESN_YES;
}

static const struct kind {
	const char *plural;
	bool (*served)(uint8_t protocol, const struct ike_transform *);
} kinds[] = {
	[IKE_ENCR] = { "ciphers", cipher_served },
	[IKE_PRF] = { "PRFs", prf_served },
	[IKE_INTEG] = { "integrity algorithms", integ_served },
	[IKE_KE] = { "key exchange groups", ke_served },
	[IKE_ESN] = { "sequence number words", esn_served }
};

static bool
served(uint8_t protocol, const struct ike_transform *t)
{
	return t->type < COUNT(kinds) && kinds[t->type].served(protocol, t);
}

/* What people should be told of. */
static bool
advised(uint8_t protocol, const struct ike_transform *t)
{
	return served(protocol, t) && ike_weak_find(t) == NULL;
}

static const char *
list_served(uint8_t protocol, uint8_t type, char *buf, size_t len)
{
	struct text text = open_text(buf, len);
	char name[IKE_NAME_LEN];

	for (unsigned i = 0; i < CANDIDATES; i++) {
		struct ike_transform t = candidate(i);

		if (t.type != type || !advised(protocol, &t))
			continue;
		add_text(&text, text.len == 0 ? "" : ", ");
		add_text(&text, name_of(&t, name));
	}
	return buf;
}

/* ---- words that are wrong ---- */

/* The keyword most like the word; false when none is like it. */
static bool
find_nearest(uint8_t protocol, const char *word, struct ike_transform *nearest)
{
	unsigned least = 1 + (unsigned)strlen(word) / 3;
	char name[IKE_NAME_LEN];
	bool found = false;

	for (unsigned i = 0; i < CANDIDATES; i++) {
		struct ike_transform t = candidate(i);
		unsigned d;

		if (!advised(protocol, &t))
			continue;
		d = ike_like_distance(word, name_of(&t, name), least);
		if (d < least || (d == least && !found)) {
			least = d;
			*nearest = t;
			found = true;
		}
	}
	return found;
}

/* Is the word a name of something that others speak? */
static bool
find_foreign(const char *word, struct ike_transform *foreign)
{
	char name[IKE_NAME_LEN];

	for (unsigned i = 0; i < CANDIDATES; i++) {
		*foreign = candidate(i);
		if (strcmp(name_of(foreign, name), word) == 0)
			return true;
	}
	return false;
}

static bool
refuse_unserved(const struct parser *parser, const char *word, uint8_t type)
{
	char list[160];

	return complain(parser,
	    "%s is not available here; available %s are %s",
	    word, kinds[type].plural,
	    list_served(parser->protocol, type, list, sizeof list));
}

static bool
refuse_unknown(const struct parser *parser, const char *word)
{
	struct ike_transform t;
	char name[IKE_NAME_LEN], list[160];

	if (find_foreign(word, &t))
		return refuse_unserved(parser, word, t.type);
	if (find_nearest(parser->protocol, word, &t))
		return complain(parser,
		    "%s is not an algorithm; did you mean %s?", word, name_of(&t, name));
	return complain(parser,
	    "%s is not an algorithm; available ciphers are %s",
	    word, list_served(parser->protocol, IKE_ENCR, list, sizeof list));
}

/* A group that can be broken, RFC 8247 2.4, and a kind of gateway that still wants it. */
static bool
refuse_weak(const struct parser *parser)
{
	return complain(parser,
	    "modp1024 (DH group 2) can be broken and is never used; write modp2048 or "
	    "better and give the gateway at the other end a policy with it (Azure: a "
	    "custom IPsec policy with DHGroup14 or ECP256)");
}

static bool
refuse_misplaced(const struct parser *parser, const char *word, uint8_t type)
{
	static const char *const why[] = {
		[IKE_PRF] = "an ESP proposal has no PRF",
		[IKE_KE] = "an IKE SA needs a key exchange",
		[IKE_ESN] = "an IKE SA has no sequence numbers to extend"
	};

	return complain(parser,
	    "%s has no place here: %s; leave it out", word, why[type]);
}

static bool
misplaced(uint8_t protocol, const struct ike_transform *t)
{
	if (protocol == IKE_PROTOCOL_ESP)
		return t->type == IKE_PRF;
	return t->type == IKE_ESN || (t->type == IKE_KE && t->id == IKE_KE_NONE);
}

/* ---- parsing ---- */

static bool
same_transform(const struct ike_transform *a, const struct ike_transform *b)
{
	return a->type == b->type && a->id == b->id && a->key_bits == b->key_bits;
}

/* As people write proposals. */
static const uint8_t type_order[] = { IKE_ENCR, IKE_INTEG, IKE_PRF, IKE_KE, IKE_ESN };

static unsigned
place(uint8_t type)
{
	unsigned i = 0;

	while (i < COUNT(type_order) && type_order[i] != type)
		i++;
	return i;
}

/* To its place: in order of types, within each as they came.  Once is enough. */
static bool
add_transform(struct parser *parser, const struct ike_transform *t)
{
	struct ike_proposal *p = &parser->p;
	struct ike_transform *v;
	unsigned at;

	for (unsigned i = 0; i < p->n; i++)
		if (same_transform(&p->v[i], t))
			return true;
	v = reallocarray(p->v, p->n + 1, sizeof *v);
	if (v == NULL)
		return complain(parser, "out of memory");
	p->v = v;
	for (at = p->n++; at > 0 && place(v[at - 1].type) > place(t->type); at--)
		v[at] = v[at - 1];
	v[at] = *t;
	return true;
}

static bool
parse_word(struct parser *parser, const char *s, size_t len)
{
	enum { MAX_WORD = 24 };
	char word[MAX_WORD + 1] = "";
	struct ike_transform t;

	if (len == 0)
		return complain(parser,
		    "\"%.*s\" has a \"-\" without an algorithm beside it; put one \"-\" "
		    "between two algorithms", parser->text_len, parser->text);
	if (len > MAX_WORD)
		return complain(parser,
		    "\"%.*s...\" is not an algorithm; put a \"-\" between two "
		    "algorithms", MAX_WORD, s);
	for (size_t i = 0; i < len; i++)
		word[i] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] - 'A' + 'a' : s[i]);

	if (!ike_transform_by_keyword(word, len, &t))
		return refuse_unknown(parser, word);
	if (t.type == IKE_KE && t.id == IKE_KE_MODP_1024)
		return refuse_weak(parser);
	if (misplaced(parser->protocol, &t))
		return refuse_misplaced(parser, word, t.type);
	if (!served(parser->protocol, &t))
		return refuse_unserved(parser, word, t.type);
	return add_transform(parser, &t);
}

static const struct ike_transform *
first_of(const struct ike_proposal *p, uint8_t type)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->v[i].type == type)
			return &p->v[i];
	return NULL;
}

/* Adds what goes without saying. */
static bool
complete(struct parser *parser)
{
	static const struct { uint16_t integ, prf; } followers[] = {
		{ IKE_INTEG_HMAC_SHA1_96, IKE_PRF_HMAC_SHA1 },
		{ IKE_INTEG_HMAC_SHA2_256_128, IKE_PRF_HMAC_SHA2_256 },
		{ IKE_INTEG_HMAC_SHA2_384_192, IKE_PRF_HMAC_SHA2_384 },
		{ IKE_INTEG_HMAC_SHA2_512_256, IKE_PRF_HMAC_SHA2_512 }
	};
	static const struct ike_transform noesn = { .type = IKE_ESN, .id = IKE_ESN_NO };
	static const struct ike_transform esn = { .type = IKE_ESN, .id = IKE_ESN_YES };
	const struct ike_proposal *p = &parser->p;
	struct ike_transform prf[COUNT(followers)];
	unsigned n = 0;

	if (parser->protocol == IKE_PROTOCOL_ESP)
		return first_of(p, IKE_ESN) != NULL ||
		    (add_transform(parser, &noesn) && add_transform(parser, &esn));
	if (first_of(p, IKE_PRF) != NULL)
		return true;
	for (unsigned i = 0; i < p->n; i++)
		for (size_t k = 0; k < COUNT(followers); k++)
			if (p->v[i].type == IKE_INTEG && p->v[i].id == followers[k].integ)
				prf[n++] = (struct ike_transform){
					.type = IKE_PRF, .id = followers[k].prf
				};
	for (unsigned i = 0; i < n; i++)
		if (!add_transform(parser, &prf[i]))
			return false;
	return true;
}

/* Both kinds of cipher in one proposal cannot be: one needs integrity, the other must not
 * have it. */
static bool
check_ciphers(const struct parser *parser, const struct ike_transform *cipher)
{
	bool aead = is_aead(parser->protocol, cipher);
	char first[IKE_NAME_LEN], second[IKE_NAME_LEN];

	for (const struct ike_transform *t = cipher; t < parser->p.v + parser->p.n; t++)
		if (t->type == IKE_ENCR && is_aead(parser->protocol, t) != aead)
			return complain(parser,
			    "%s and %s cannot share a proposal: only one of them brings "
			    "its own integrity; write two proposals",
			    name_of(cipher, first), name_of(t, second));
	return true;
}

static bool
check_integrity(const struct parser *parser, const struct ike_transform *cipher)
{
	const struct ike_transform *integ = first_of(&parser->p, IKE_INTEG);
	bool aead = is_aead(parser->protocol, cipher);
	char first[IKE_NAME_LEN], second[IKE_NAME_LEN];

	if (!aead && integ == NULL)
		return complain(parser,
		    "%s brings no integrity; add an algorithm for it, such as sha256",
		    name_of(cipher, first));
	if (!aead || integ == NULL)
		return true;
	if (parser->protocol == IKE_PROTOCOL_IKE)
		return complain(parser,
		    "%s brings its own integrity, so %s has no place beside it; write "
		    "prf%s, if the PRF is meant",
		    name_of(cipher, first), name_of(integ, second),
		    name_of(integ, second));
	return complain(parser,
	    "%s brings its own integrity; leave %s out",
	    name_of(cipher, first), name_of(integ, second));
}

static bool
check_pairs(const struct parser *parser)
{
	const struct ike_proposal *p = &parser->p;
	char first[IKE_NAME_LEN], second[IKE_NAME_LEN];

	for (unsigned i = 0; i < p->n; i++)
		for (unsigned k = 0; k < p->n; k++)
			if (p->v[i].type == IKE_ENCR && p->v[k].type == IKE_INTEG &&
			    !pair_served(parser->protocol, &p->v[i], p->v[k].id))
				return complain(parser,
				    "%s with %s is not available here; write them in two "
				    "proposals",
				    name_of(&p->v[i], first), name_of(&p->v[k], second));
	return true;
}

static bool
check(const struct parser *parser)
{
	const struct ike_proposal *p = &parser->p;
	const struct ike_transform *cipher = first_of(p, IKE_ENCR);
	bool ike = parser->protocol == IKE_PROTOCOL_IKE;

	if (cipher == NULL)
		return complain(parser,
		    "\"%.*s\" names no cipher; add one, such as aes256gcm16",
		    parser->text_len, parser->text);
	if (!check_ciphers(parser, cipher) || !check_integrity(parser, cipher) ||
	    !check_pairs(parser))
		return false;
	if (ike && first_of(p, IKE_PRF) == NULL)
		return complain(parser,
		    "\"%.*s\" names no PRF; add one, such as prfsha256",
		    parser->text_len, parser->text);
	if (ike && first_of(p, IKE_KE) == NULL)
		return complain(parser,
		    "\"%.*s\" names no key exchange group; add one, such as x25519",
		    parser->text_len, parser->text);
	return true;
}

static bool
same_proposal(const struct ike_proposal *a, const struct ike_proposal *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++)
		if (!same_transform(&a->v[i], &b->v[i]))
			return false;
	return true;
}

/* Moves the finished proposal to the list. */
static bool
keep(struct parser *parser)
{
	enum { MAX_PROPOSALS = 255 };	/* their number is one octet, 3.3.1 */
	struct ike_proposals *list = &parser->list;
	struct ike_proposal *v;

	for (unsigned i = 0; i < list->n; i++)
		if (same_proposal(&list->v[i], &parser->p)) {
			free(parser->p.v);
			parser->p.v = NULL;
			return true;
		}
	if (list->n == MAX_PROPOSALS)
		return complain(parser,
		    "there are more than %d proposals; write several algorithms into "
		    "one", MAX_PROPOSALS);
	v = reallocarray(list->v, list->n + 1, sizeof *v);
	if (v == NULL)
		return complain(parser, "out of memory");
	list->v = v;
	v[list->n++] = parser->p;
	parser->p.v = NULL;
	return true;
}

static bool
parse_proposal(struct parser *parser, const char *s, size_t len)
{
	bool ok = true;

	parser->text = s;
	parser->text_len = len < 80 ? (int)len : 80;
	parser->p = (struct ike_proposal){ .protocol = parser->protocol };
	for (size_t start = 0, end; ok && start <= len; start = end + 1) {
		for (end = start; end < len && s[end] != '-'; )
			end++;
		ok = parse_word(parser, s + start, end - start);
	}
	ok = ok && complete(parser) && check(parser) && keep(parser);
	free(parser->p.v);
	return ok;
}

static bool
parse_default(struct parser *parser)
{
	const char *const *s =
	    parser->protocol == IKE_PROTOCOL_IKE ? ike_default : esp_default;

	for (; *s != NULL; s++)
		if (!parse_proposal(parser, *s, strlen(*s)))
			return false;
	return true;
}

/* One setting's text: proposals between commas. */
static bool
parse_text(struct parser *parser, const char *s)
{
	static const char standard[] = "default", blank[] = " \t\n";
	const char *rest = s;
	size_t len;

	do {
		rest += strspn(rest, blank);
		len = strcspn(rest, ",");
		s = rest;
		rest += len;
		while (len > 0 && strchr(blank, s[len - 1]) != NULL)
			len--;
		if (len == 0)
			return complain(parser,
			    "a proposal is empty; write \"default\" or algorithms, such "
			    "as aes256gcm16-prfsha256-x25519");
		if (len == sizeof standard - 1 && strncasecmp(s, standard, len) == 0 ?
		    !parse_default(parser) : !parse_proposal(parser, s, len))
			return false;
	} while (*rest++ == ',');
	return true;
}

bool
ike_proposals_parse(const char *const *text, unsigned n, uint8_t protocol,
    struct ike_proposals *list, char *buf, size_t len)
{
	struct parser parser = { .protocol = protocol, .buf = buf, .len = len };
	bool ok = true;

	*list = (struct ike_proposals){ NULL, 0 };
	if (n == 0)
		return complain(&parser, "no proposal is named; write \"default\"");
	for (unsigned i = 0; ok && i < n; i++)
		ok = parse_text(&parser, text[i]);
	if (ok)
		*list = parser.list;
	else
		ike_proposals_free(&parser.list);
	return ok;
}

/* ---- printing ---- */

static void
print_transform(struct text *text, const struct ike_transform *t, bool first)
{
	char name[IKE_NAME_LEN];

	add_text(text, first ? "" : "-");
	add_text(text, name_of(t, name));
	if (t->unknown_attribute)
		add_text(text, " (unknown attribute)");
}

const char *
ike_choice_print(const struct ike_choice *choice, char *buf, size_t len)
{
	struct text text = open_text(buf, len);

	for (size_t i = 0; i < COUNT(type_order); i++) {
		uint8_t type = type_order[i];
		struct ike_transform t = {
			.type = type, .id = choice->id[type],
			.key_bits = type == IKE_ENCR ? choice->key_bits : 0
		};

		if (choice->has[type])
			print_transform(&text, &t, text.len == 0);
	}
	return buf;
}

const char *
ike_offer_print(const struct ike_proposals *list, bool with_ke, char *buf, size_t len)
{
	struct text text = open_text(buf, len);

	for (unsigned i = 0; i < list->n; i++) {
		const struct ike_proposal *p = &list->v[i];
		bool first = true;

		add_text(&text, i == 0 ? "" : ", ");
		for (unsigned k = 0; k < p->n; k++) {
			if (p->protocol == IKE_PROTOCOL_ESP && p->v[k].type == IKE_KE &&
			    !with_ke)
				continue;
			print_transform(&text, &p->v[k], first);
			first = false;
		}
	}
	return buf;
}

const char *
ike_proposals_print(const struct ike_proposals *list, char *buf, size_t len)
{
	return ike_offer_print(list, true, buf, len);
}

const char *
ike_sa_print(struct bytes sa, char *buf, size_t len)
{
	struct text text = open_text(buf, len);
	struct ike_proposal_view p;

	while (!text.cut && ike_next_proposal(&sa, &p)) {
		struct ike_transform t;
		bool first = true;

		add_text(&text, text.len == 0 ? "" : ", ");
		while (!text.cut && ike_next_transform(&p.transforms, &t)) {
			print_transform(&text, &t, first);
			first = false;
		}
	}
	return buf;
}
