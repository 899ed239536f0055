/* Identities: octets of a type.  Text is for people and for the configuration only; what
 * is compared is octets. */
#include "libike/id.h"

#include <stdio.h>
#include <stdlib.h>

#include "libesp/selector.h"

enum {
	MAX_NAME = 253, MAX_LABEL = 63,	/* of a domain name, RFC 1035 2.3.4 */
	MAX_USER = 64,			/* before the @, RFC 5321 4.5.3.1.1 */
	MAX_KEY_ID = 1024
};

static const char KEY_ID_PREFIX[] = "keyid:";

/* ASCII only and whatever the locale: an identity means the same on every host. */
static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static uint8_t
lower(uint8_t c)
{
	return (uint8_t)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool
is_label_octet(uint8_t c)
{
	return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' ||
	    c == '_';
}

static bool
is_printable(uint8_t c)
{
	return c > ' ' && c < 0x7f;
}

/* Labels of 1 to 63 letters, digits, - and _. */
static bool
is_name(struct bytes text)
{
	size_t label = 0;

	if (text.len == 0 || text.len > MAX_NAME)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '.' ? label == 0 : !is_label_octet(text.p[i]))
			return false;
		label = text.p[i] == '.' ? 0 : label + 1;
		if (label > MAX_LABEL)
			return false;
	}
	return label != 0;
}

/* A name that nobody takes for an address: its last label is no number, RFC 1123 2.1. */
static bool
is_plain_name(struct bytes text)
{
	size_t i = text.len;

	if (!is_name(text))
		return false;
	for (; i > 0 && text.p[i - 1] != '.'; i--)
		if (!is_digit(text.p[i - 1]))
			return true;
	return false;
}

static size_t
find_at(struct bytes text)
{
	size_t i = 0;

	while (i < text.len && text.p[i] != '@')
		i++;
	return i;
}

static bool
is_mail(struct bytes text)
{
	size_t at = find_at(text);

	if (at == 0 || at > MAX_USER || at == text.len)
		return false;
	for (size_t i = 0; i < at; i++)
		if (!is_printable(text.p[i]) || text.p[i] == '\\')
			return false;
	return is_name(bytes_of(text.p + at + 1, text.len - at - 1));
}

static bool
make(struct ike_identity *id, uint8_t type, struct bytes data, const char **why)
{
	uint8_t *copy = malloc(data.len);

	if (copy == NULL) {
		*why = "out of memory";
		return false;
	}
	memcpy(copy, data.p, data.len);
	*id = (struct ike_identity){ type, bytes_of(copy, data.len) };
	return true;
}

/* The value of a hexadecimal digit, or -1. */
static int
hex_value(uint8_t c)
{
	if (is_digit(c))
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
parse_hex(struct bytes text, struct ike_identity *id, const char **why)
{
	uint8_t octets[MAX_KEY_ID];

	if (text.len == 0 || text.len % 2 != 0) {
		*why = "an even number of hexadecimal digits must follow 0x";
		return false;
	}
	if (text.len / 2 > sizeof octets) {
		*why = "a key id has at most 1024 octets";
		return false;
	}
	for (size_t i = 0; i < text.len; i += 2) {
		int high = hex_value(text.p[i]), low = hex_value(text.p[i + 1]);

		if (high < 0 || low < 0) {
			*why = "only hexadecimal digits may follow 0x";
			return false;
		}
		octets[i / 2] = (uint8_t)(high << 4 | low);
	}
	return make(id, IKE_ID_KEY_ID, bytes_of(octets, text.len / 2), why);
}

static bool
starts_with_0x(struct bytes text)
{
	return text.len >= 2 && text.p[0] == '0' && lower(text.p[1]) == 'x';
}

static bool
parse_key_id(struct bytes text, struct ike_identity *id, const char **why)
{
	if (starts_with_0x(text))
		return parse_hex(bytes_of(text.p + 2, text.len - 2), id, why);
	if (text.len == 0 || text.len > MAX_KEY_ID) {
		*why = "a key id has 1 to 1024 octets";
		return false;
	}
	return make(id, IKE_ID_KEY_ID, text, why);
}

/* One address without prefix length, protocol or ports, as libesp reads it. */
static bool
is_address(const char *text, struct esp_range *range)
{
	return text[strcspn(text, "/-[")] == '\0' && esp_range_parse(text, range);
}

bool
ike_id_parse(const char *text, struct ike_identity *id, const char **why)
{
	struct bytes octets = bytes_of(text, strlen(text));
	const size_t prefix = sizeof KEY_ID_PREFIX - 1;
	struct esp_range range;

	if (octets.len == 0) {
		*why = "an identity is not empty";
		return false;
	}
	if (octets.len >= prefix && memcmp(text, KEY_ID_PREFIX, prefix) == 0)
		return parse_key_id(bytes_of(octets.p + prefix, octets.len - prefix), id,
		    why);
	if (is_address(text, &range)) {
		bool v4 = range.family == ESP_IPV4;

		return make(id, v4 ? IKE_ID_IPV4_ADDR : IKE_ID_IPV6_ADDR,
		    bytes_of(range.addr[0], v4 ? 4 : 16), why);
	}
	if (text[0] == '@' && is_name(bytes_of(octets.p + 1, octets.len - 1)))
		return make(id, IKE_ID_FQDN, bytes_of(octets.p + 1, octets.len - 1), why);
	if (is_mail(octets))
		return make(id, IKE_ID_RFC822_ADDR, octets, why);
	if (is_plain_name(octets))
		return make(id, IKE_ID_FQDN, octets, why);
	*why = "neither an address, a domain name, user@domain nor keyid:...";
	return false;
}

static const char ANYONE[] = "%any";

bool
ike_id_parse_pattern(const char *text, struct ike_identity *id, const char **why)
{
	struct bytes octets = bytes_of(text, strlen(text));

	if (strcmp(text, ANYONE) == 0) {
		*id = (struct ike_identity){ .type = IKE_ID_ANY };
		return true;
	}
	if (octets.len < 3 || text[0] != '*')
		return ike_id_parse(text, id, why);
	if (text[1] == '.' && is_plain_name(bytes_of(octets.p + 2, octets.len - 2)))
		return make(id, IKE_ID_FQDN, octets, why);
	if (text[1] == '@' && is_name(bytes_of(octets.p + 2, octets.len - 2)))
		return make(id, IKE_ID_RFC822_ADDR, octets, why);
	*why = "after the * there is a dot and a domain name, or @ and one";
	return false;
}

bool
ike_id_is_pattern(const struct ike_identity *id)
{
	return id->type == IKE_ID_ANY ||
	    ((id->type == IKE_ID_FQDN || id->type == IKE_ID_RFC822_ADDR) &&
	    id->data.len > 1 && id->data.p[0] == '*' &&
	    id->data.p[1] == (id->type == IKE_ID_FQDN ? '.' : '@'));
}

void
ike_id_free(struct ike_identity *id)
{
	free((void *)(uintptr_t)id->data.p);
	*id = (struct ike_identity){ 0 };
}

/* Octets from which on case does not count: all of a domain name, and what stands behind
 * the last @ of an address; the user's part is the host's own business, RFC 5321 2.4. */
static size_t
caseless_from(uint8_t type, struct bytes data)
{
	size_t i = data.len;

	if (type == IKE_ID_FQDN)
		return 0;
	if (type == IKE_ID_RFC822_ADDR)
		for (; i > 0; i--)
			if (data.p[i - 1] == '@')
				return i;
	return data.len;
}

bool
ike_id_equal(const struct ike_identity *a, const struct ike_identity *b)
{
	size_t exact;

	if (a->type != b->type || a->data.len != b->data.len)
		return false;
	exact = caseless_from(a->type, a->data);
	if (!bytes_equal(bytes_of(a->data.p, exact), bytes_of(b->data.p, exact)))
		return false;
	for (size_t i = exact; i < a->data.len; i++)
		if (lower(a->data.p[i]) != lower(b->data.p[i]))
			return false;
	return true;
}

/* Its end is the pattern without the *, and something stands before that. */
bool
ike_id_matches(const struct ike_identity *pattern, const struct ike_identity *id)
{
	struct bytes end;

	if (!ike_id_is_pattern(pattern))
		return ike_id_equal(pattern, id);
	if (id->data.len == 0 || ike_id_is_pattern(id))
		return false;
	if (pattern->type == IKE_ID_ANY)
		return true;
	if (id->type != pattern->type || id->data.len < pattern->data.len)
		return false;
	end = bytes_of(id->data.p + (id->data.len - pattern->data.len + 1),
	    pattern->data.len - 1);
	for (size_t i = 0; i < end.len; i++)
		if (lower(end.p[i]) != lower(pattern->data.p[i + 1]))
			return false;
	return true;
}

/* Text in the making, piece by piece.  Room for "..." and the NUL is kept, so that a text
 * that does not fit shows it. */
struct text {
	char *p;
	size_t len, cap;
	bool cut;
};

static void
put(struct text *t, const char *piece)
{
	size_t n = strlen(piece);

	if (t->cut)
		return;
	if (t->len + n + sizeof "..." > t->cap) {
		t->cut = true;
		piece = "...";
		n = t->cap - t->len - 1 < 3 ? t->cap - t->len - 1 : 3;
	}
	memcpy(t->p + t->len, piece, n);
	t->len += n;
	t->p[t->len] = '\0';
}

static void
put_escaped(struct text *t, struct bytes octets)
{
	char piece[8];

	for (size_t i = 0; i < octets.len && !t->cut; i++) {
		uint8_t c = octets.p[i];

		if (is_printable(c) && c != '\\')
			snprintf(piece, sizeof piece, "%c", c);
		else
			snprintf(piece, sizeof piece, "\\x%02x", (unsigned)c);
		put(t, piece);
	}
}

static void
put_hex(struct text *t, struct bytes octets)
{
	char piece[4];

	put(t, "0x");
	for (size_t i = 0; i < octets.len && !t->cut; i++) {
		snprintf(piece, sizeof piece, "%02x", (unsigned)octets.p[i]);
		put(t, piece);
	}
}

static void
put_address(struct text *t, uint8_t family, struct bytes octets)
{
	char address[ESP_RANGE_TEXT];
	struct esp_range range;

	if (octets.len != (family == ESP_IPV4 ? 4 : 16) ||
	    !esp_range_from_prefix(&range, family, octets.p, (unsigned)octets.len * 8)) {
		put(t, family == ESP_IPV4 ? "ipv4:" : "ipv6:");
		put_hex(t, octets);
		return;
	}
	esp_range_print(&range, address, sizeof address);
	put(t, address);
}

static void
put_key_id(struct text *t, struct bytes octets)
{
	bool plain = octets.len != 0 && !starts_with_0x(octets);

	for (size_t i = 0; i < octets.len; i++)
		plain = plain && is_printable(octets.p[i]) && octets.p[i] != '\\';
	put(t, KEY_ID_PREFIX);
	if (plain)
		put_escaped(t, octets);
	else
		put_hex(t, octets);
}

/* What a name of one type would be read as if it were text is none of the peer's
 * choosing: one that looks like another type is marked. */
static void
put_name(struct text *t, bool plain, const char *mark, struct bytes octets)
{
	if (!plain)
		put(t, mark);
	put_escaped(t, octets);
}

static void
put_other(struct text *t, uint8_t type, struct bytes octets)
{
	char mark[16];

	snprintf(mark, sizeof mark, "id%u:", (unsigned)type);
	put(t, mark);
	put_hex(t, octets);
}

const char *
ike_id_print(uint8_t type, struct bytes data, char *buf, size_t len)
{
	const struct ike_identity id = { type, data };
	struct text t = { buf, 0, len, false };
	bool pattern = ike_id_is_pattern(&id);

	if (len == 0)
		return buf;
	buf[0] = '\0';
	if (type == IKE_ID_ANY && data.len == 0)
		put(&t, ANYONE);
	else if (type == IKE_ID_IPV4_ADDR)
		put_address(&t, ESP_IPV4, data);
	else if (type == IKE_ID_IPV6_ADDR)
		put_address(&t, ESP_IPV6, data);
	else if (type == IKE_ID_FQDN)
		put_name(&t, pattern || is_plain_name(data), "@", data);
	else if (type == IKE_ID_RFC822_ADDR)
		put_name(&t, pattern || is_mail(data), "rfc822:", data);
	else if (type == IKE_ID_KEY_ID)
		put_key_id(&t, data);
	else
		put_other(&t, type, data);
	return buf;
}
