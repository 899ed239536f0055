/* The message parser, the parser of every payload body, and all that prints or builds
 * what they yield.  What was parsed and is built again must parse to the same. */
#include <stdlib.h>
#include <string.h>

#include "libike/fragment.h"
#include "libike/id.h"
#include "libike/message.h"
#include "libike/payload.h"
#include "libike/proposal.h"
#include "libike/ts.h"
#include "tests/fuzz/fuzz.h"

enum { ROOM = 70000 };

static struct ike_proposals ours[2];	/* IKE, ESP */

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const standard[] = { "default" };
	char why[256];

	(void)argc;
	(void)argv;
	fuzz_require(ike_proposals_parse(standard, 1, IKE_PROTOCOL_IKE, &ours[0], why,
	    sizeof(why)));
	fuzz_require(ike_proposals_parse(standard, 1, IKE_PROTOCOL_ESP, &ours[1], why,
	    sizeof(why)));
	return 0;
}

/* A text is always terminated, and cut to the room that it was given. */
static void
require_text(const char *text, const char *buf, size_t size)
{
	fuzz_require(text == buf && memchr(text, '\0', size) != NULL);
	for (; *text != '\0'; text++)
		fuzz_require(*text >= ' ' && *text <= '~');
}

static void
try_sa(struct bytes body)
{
	struct bytes rest = body;
	struct ike_proposal_view proposal;
	struct ike_transform transform;
	struct ike_choice choice;
	char text[200], name[IKE_NAME_LEN];
	uint8_t octets[ROOM];
	struct ike_writer w = ike_writer(octets, sizeof(octets));

	if (ike_check_sa(body) != IKE_OK)
		return;
	while (ike_next_proposal(&rest, &proposal))
		while (ike_next_transform(&proposal.transforms, &transform)) {
			ike_transform_type_name(transform.type, name);
			ike_transform_name(transform.type, transform.id,
			    transform.key_bits, name);
		}
	for (size_t len = 1; len <= sizeof(text); len += 23)
		require_text(ike_sa_print(body, text, len), text, len);
	for (unsigned i = 0; i < 4; i++) {
		ike_check_choice(&ours[i & 1], body, i > 1, &choice);
		if (ike_choose(&ours[i & 1], body, i > 1, 0, &choice) != IKE_OK)
			continue;
		fuzz_require(ike_choice_allowed(&ours[i & 1], &choice));
		require_text(ike_choice_print(&choice, text, sizeof(text)), text,
		    sizeof(text));
		w.len = 0;
		ike_build_choice(&w, &choice, choice.spi);
		fuzz_require(!w.bad && ike_check_sa(ike_written(&w)) == IKE_OK);
	}
}

static void
try_ts(struct bytes body)
{
	struct ike_ts ts, narrow, policy;
	struct esp_range any[2] = { esp_range_any(4), esp_range_any(6) }, range;
	struct bytes list;
	struct esp_selector *selectors;
	char text[200];
	uint8_t octets[ROOM];
	struct ike_writer w = ike_writer(octets, sizeof(octets));
	unsigned n;

	if (ike_check_ts(body) != IKE_OK)
		return;
	list = ike_ts_list(body);
	while (ike_next_ts(&list, &range)) {
		fuzz_require(esp_range_valid(&range));
		esp_range_print(&range, text, sizeof(text));
		fuzz_require(esp_range_parse(text, &any[0]));
		fuzz_require(esp_range_equal(&any[0], &range));
	}
	any[0] = esp_range_any(4);
	policy = (struct ike_ts){ any, 2 };
	fuzz_require(ike_ts_read(body, &ts) == IKE_OK);
	require_text(ike_ts_print(&ts, text, sizeof(text)), text, sizeof(text));
	if (ike_ts_narrow(&ts, &policy, &narrow) == IKE_OK) {
		fuzz_require(narrow.n > 0 && ike_ts_within(&narrow, &ts));
		ike_build_ts(&w, narrow.v, narrow.n);
		fuzz_require(!w.bad && ike_check_ts(ike_written(&w)) == IKE_OK);
		if (ike_ts_pairs(&narrow, &policy, &selectors, &n) == IKE_OK) {
			for (unsigned i = 0; i < n; i++)
				fuzz_require(esp_selector_valid(&selectors[i]));
			free(selectors);
		}
		ike_ts_free(&narrow);
	}
	ike_ts_free(&ts);
}

static void
try_ke(struct bytes body)
{
	uint8_t octets[ROOM];
	struct ike_writer w = ike_writer(octets, sizeof(octets));
	struct ike_ke ke, again;

	if (ike_parse_ke(body, &ke) != IKE_OK)
		return;
	ike_build_ke(&w, &ke);
	fuzz_require(ike_parse_ke(ike_written(&w), &again) == IKE_OK &&
	    again.group == ke.group && bytes_equal(again.data, ke.data));
}

static void
try_id(struct bytes body)
{
	uint8_t octets[ROOM];
	struct ike_writer w = ike_writer(octets, sizeof(octets));
	struct ike_id_view id, again;
	char text[200];

	if (ike_parse_id(body, &id) != IKE_OK)
		return;
	for (size_t len = 1; len <= sizeof(text); len += 23)
		require_text(ike_id_print(id.type, id.data, text, len), text, len);
	ike_build_id(&w, id.type, id.data);
	fuzz_require(ike_parse_id(ike_written(&w), &again) == IKE_OK &&
	    again.type == id.type && bytes_equal(again.data, id.data));
}

static void
try_auth(struct bytes body)
{
	uint8_t octets[ROOM];
	struct ike_writer w = ike_writer(octets, sizeof(octets));
	struct ike_auth auth, again;

	if (ike_parse_auth(body, &auth) != IKE_OK)
		return;
	ike_build_auth(&w, &auth);
	fuzz_require(ike_parse_auth(ike_written(&w), &again) == IKE_OK &&
	    again.method == auth.method && bytes_equal(again.data, auth.data));
}

static void
try_nonce(struct bytes body)
{
	struct bytes nonce;

	if (ike_parse_nonce(body, &nonce) == IKE_OK)
		fuzz_require(nonce.len >= IKE_NONCE_MIN && nonce.len <= IKE_NONCE_MAX);
}

static void
try_notify(struct bytes body)
{
	uint8_t octets[ROOM];
	struct ike_writer w = ike_writer(octets, sizeof(octets));
	struct ike_notify notify, again;
	char name[IKE_NAME_LEN];

	if (ike_parse_notify(body, &notify) != IKE_OK)
		return;
	ike_notify_name(notify.type, name);
	ike_error_name((enum ike_error)notify.type);
	ike_build_notify(&w, &notify);
	fuzz_require(ike_parse_notify(ike_written(&w), &again) == IKE_OK &&
	    again.type == notify.type && again.protocol == notify.protocol &&
	    bytes_equal(again.spi, notify.spi) && bytes_equal(again.data, notify.data));
}

static void
try_delete(struct bytes body)
{
	struct ike_delete delete;
	unsigned i;

	if (ike_parse_delete(body, &delete) != IKE_OK)
		return;
	for (i = 0; i < delete.count; i++)
		ike_delete_spi(&delete, (uint16_t)i);
	fuzz_require(i > UINT16_MAX || ike_delete_spi(&delete, (uint16_t)i) == 0);
}

static const struct { uint8_t type; void (*try)(struct bytes body); } bodies[] = {
	{ IKE_PAYLOAD_SA, try_sa }, { IKE_PAYLOAD_KE, try_ke },
	{ IKE_PAYLOAD_IDI, try_id }, { IKE_PAYLOAD_IDR, try_id },
	{ IKE_PAYLOAD_AUTH, try_auth },
	{ IKE_PAYLOAD_NONCE, try_nonce }, { IKE_PAYLOAD_NOTIFY, try_notify },
	{ IKE_PAYLOAD_DELETE, try_delete }, { IKE_PAYLOAD_TSI, try_ts },
	{ IKE_PAYLOAD_TSR, try_ts },
};
enum { BODIES = sizeof(bodies) / sizeof(bodies[0]) };

static void
try_payloads(const struct ike_message *m)
{
	char name[IKE_NAME_LEN];

	fuzz_require(m->n <= IKE_MAX_PAYLOADS);
	ike_exchange_name(m->header.exchange, name);
	for (unsigned i = 0; i < m->n; i++) {
		ike_payload_name(m->v[i].type, name);
		for (unsigned k = 0; k < BODIES; k++)
			if (bodies[k].type == m->v[i].type)
				bodies[k].try(m->v[i].body);
	}
}

/* The first octet: a whole message, a chain, or the body of one payload. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	uint8_t kind = fuzz_octet(&in) % (2 + BODIES), first;
	struct ike_message m;
	struct ike_header header;
	struct bytes octets;

	memset(&m, 0, sizeof(m));
	if (kind == 0) {
		octets = fuzz_rest(&in);
		ike_parse_header(octets, &header);
		if (ike_parse_message(octets, &m) == IKE_OK) {
			try_payloads(&m);
			if (ike_is_fragment(&m))
				ike_fragment_cover(&m);
		}
	} else if (kind == 1) {
		first = fuzz_octet(&in);
		if (ike_parse_chain(first, fuzz_rest(&in), &m) == IKE_OK)
			try_payloads(&m);
	} else {
		bodies[kind - 2].try(fuzz_rest(&in));
	}
	return 0;
}
