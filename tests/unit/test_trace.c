/* What a decoded message looks like to people. */
#include <string.h>

#include "libike/sa.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

static struct ike *e;
static uint64_t chance;
static uint8_t buf[8192];

static void
fill(void *arg, uint8_t *p, size_t len)
{
	fill_random(arg, p, len);
}

static void
setup(void)
{
	struct ike_options options = { .random = fill, .arg = &chance, .trace = true };

	e = ike_new(&options);
	ck_assert_ptr_nonnull(e);
}

static void
teardown(void)
{
	ike_free(e);
}

/* The one line that was said; NULL: none. */
static const char *
said(void)
{
	static char text[2000];
	struct ike_event event;

	if (!ike_next_event(e, &event))
		return NULL;
	ck_assert_int_eq(event.type, IKE_TRACE);
	ck_assert_uint_lt(event.u.text.len, sizeof(text));
	memcpy(text, event.u.text.p, event.u.text.len);
	text[event.u.text.len] = '\0';
	ck_assert(!ike_next_event(e, &event));
	return text;
}

static void
add_body(struct ike_chain *chain, uint8_t type, struct bytes body)
{
	ike_chain_open(chain, type);
	ike_write_bytes(&chain->w, body);
	ike_chain_close(chain);
}

START_TEST(trace_names_payloads_and_notifies)
{
	struct ike_chain chain = ike_chain(buf, sizeof(buf));
	struct ike_header h = { .spi_i = 0x1122334455667788, .spi_r = 9,
	    .exchange = IKE_AUTH, .flags = IKE_FLAG_RESPONSE, .message_id = 1 };

	add_body(&chain, IKE_PAYLOAD_IDR, bytes_of("\2\0\0\0x", 5));
	add_body(&chain, IKE_PAYLOAD_AUTH, bytes_of("\2\0\0\0secret", 10));
	ike_add_notify(&chain, IKE_NO_PROPOSAL_CHOSEN, bytes_of(NULL, 0));
	ike_add_notify(&chain, 40000, bytes_of(NULL, 0));
	ike_trace_sent(e, NULL, &h, &chain);
	ck_assert_str_eq(said(), "sent IKE_AUTH response 1 [1122334455667788_i "
	    "0000000000000009_r]: IDr AUTH N(NO_PROPOSAL_CHOSEN) N(notify 40000)");
}
END_TEST

START_TEST(trace_of_empty_message)
{
	struct ike_message m;
	struct ike_header h = { .exchange = INFORMATIONAL, .message_id = 4294967295 };

	memset(&m, 0, sizeof(m));
	ike_trace_received(e, NULL, &h, &m);
	ck_assert_str_eq(said(), "received INFORMATIONAL request 4294967295 "
	    "[0000000000000000_i 0000000000000000_r]: (empty)");
}
END_TEST

START_TEST(trace_leaves_out_the_wrapping)
{
	struct ike_message m;
	struct ike_header h = { .exchange = 77 };

	memset(&m, 0, sizeof(m));
	m.n = 2;
	m.v[0].type = IKE_PAYLOAD_SK;
	m.v[1] = (struct ike_payload){
		.type = IKE_PAYLOAD_NOTIFY, .body = bytes_of("\0", 1)
	};
	ike_trace_received(e, NULL, &h, &m);
	/* a notify that does not parse is still named */
	ck_assert_str_eq(said(), "received exchange 77 request 0 "
	    "[0000000000000000_i 0000000000000000_r]: N");
}
END_TEST

START_TEST(trace_is_cut_not_overrun)
{
	struct ike_chain chain = ike_chain(buf, sizeof(buf));
	struct ike_header h = { .exchange = IKE_SA_INIT };
	const char *text;

	for (unsigned i = 0; i < IKE_MAX_PAYLOADS; i++)
		ike_add_notify(&chain, IKE_N_NAT_DETECTION_DESTINATION_IP,
		    bytes_of(NULL, 0));
	ike_trace_sent(e, NULL, &h, &chain);
	text = said();
	ck_assert_uint_eq(strlen(text), 999);
	ck_assert_int_eq(strncmp(text, "sent IKE_SA_INIT request 0 ", 27), 0);
}
END_TEST

START_TEST(trace_of_a_broken_chain)
{
	struct ike_chain chain = ike_chain(buf, sizeof(buf));
	struct ike_header h = { .exchange = IKE_SA_INIT };

	ike_add_notify(&chain, IKE_N_COOKIE, bytes_of(NULL, 0));
	chain.w.len--;
	ike_trace_sent(e, NULL, &h, &chain);
	ck_assert_ptr_null(said());
}
END_TEST

START_TEST(trace_is_silent_unless_wanted)
{
	struct ike_chain chain = ike_chain(buf, sizeof(buf));
	struct ike_message m;
	struct ike_header h = { .exchange = IKE_SA_INIT };

	memset(&m, 0, sizeof(m));
	e->options.trace = false;
	ike_trace_sent(e, NULL, &h, &chain);
	ike_trace_received(e, NULL, &h, &m);
	ck_assert_ptr_null(said());
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("trace");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, trace_names_payloads_and_notifies);
	tcase_add_test(t, trace_of_empty_message);
	tcase_add_test(t, trace_leaves_out_the_wrapping);
	tcase_add_test(t, trace_is_cut_not_overrun);
	tcase_add_test(t, trace_of_a_broken_chain);
	tcase_add_test(t, trace_is_silent_unless_wanted);
	return run_tests("trace", t);
}
