/* A peer with the keys and without manners: protected messages whose inside is spoiled
 * octet by octet, cut at every length, or shuffled.  Whatever it is taken for, both
 * ends come to an end. */
#include <string.h>

#include "tests/unit/pair.h"
#include "tests/unit/run.h"

static struct pair p;

static const struct kind {
	unsigned steps; /* deliveries of the set-up before it is on its way */
	bool down;			/* host 0 deletes its Child SA then, */
	unsigned more;			/* and deliveries after that */
	unsigned from;
	uint8_t exchange, flags;
	uint32_t id;
	enum ike_event_type leads_to;	/* at its receiver, when nothing is spoiled */
} kinds[] = {
	{ 2, false, 0, 0, IKE_AUTH, 0, 1, IKE_IN_ADD },
	{ 3, false, 0, 1, IKE_AUTH, IKE_FLAG_RESPONSE, 1, IKE_IN_ADD },
	{ 4, true, 0, 0, INFORMATIONAL, 0, 2, IKE_IN_REMOVE },
	{ 4, true, 1, 1, INFORMATIONAL, IKE_FLAG_RESPONSE, 2, IKE_IN_REMOVE },
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* Up to the message, whose payloads it gives as a chain; it is taken off its way. */
static struct ike_chain
bring(const struct kind *k)
{
	struct ike_chain c = pair_chain();
	struct ike_child_info info;
	struct pair_datagram d;
	struct ike_message m;

	pair_start(&p);
	pair_up(&p);
	for (unsigned i = 0; i < k->steps; i++)
		pair_deliver(&p, 0);
	if (k->down) {
		ck_assert(ike_child_at(p.e[0], pair_sa(&p, 0)->id, 0, &info));
		ike_down(p.e[0], p.now, info.id);
		pair_drain(&p, 0);
	}
	for (unsigned i = 0; i < k->more; i++)
		pair_deliver(&p, 0);
	ck_assert_uint_eq(p.n, 1);
	d = p.queue[0];
	p.n = 0;
	pair_unseal(&p, &d, &m);
	for (unsigned i = 0; i < m.n; i++) {
		ike_chain_open(&c, m.v[i].type);
		ike_write_bytes(&c.w, m.v[i].body);
		ike_chain_close(&c);
	}
	return c;
}

static void
send_on(const struct kind *k, const struct ike_chain *c)
{
	struct pair_datagram d = pair_seal(&p, k->from, k->exchange, k->flags, k->id, c);

	pair_send(&p, &d);
	pair_pump(&p);
	pair_pass(&p, 3 * IKE_SECOND);
	pair_pump(&p);
}

START_TEST(message_as_it_was_does_its_work)
{
	const struct kind *k = &kinds[_i];
	struct ike_chain c = bring(k);

	ck_assert_uint_eq(p.events[1 - k->from][k->leads_to], 0);
	send_on(k, &c);
	ck_assert_uint_eq(p.events[1 - k->from][k->leads_to], 1);
	pair_close(&p);
}
END_TEST

START_TEST(octet_is_spoiled)
{
	static const uint8_t spoils[] = { 0x01, 0x80, 0xff };
	const struct kind *k = &kinds[_i];
	struct ike_chain c;
	size_t len = 1;

	for (size_t i = 0; i < len; i++)
		for (size_t s = 0; s < sizeof(spoils); s++) {
			c = bring(k);
			len = c.w.len;
			c.w.p[i] ^= spoils[s];
			send_on(k, &c);
			pair_close(&p);
		}
	ck_assert_uint_ge(len, 8);
}
END_TEST

START_TEST(message_is_cut)
{
	const struct kind *k = &kinds[_i];
	struct ike_chain c;
	size_t len = 1;

	for (size_t i = 0; i < len; i++) {
		c = bring(k);
		len = c.w.len;
		c.w.len = i;
		send_on(k, &c);
		pair_close(&p);
	}
}
END_TEST

/* Every payload alone, left out, or twice. */
START_TEST(payloads_are_not_those_of_the_table)
{
	static const uint8_t types[] = { 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44,
		45, 47, 48, 200 };
	const struct kind *k = &kinds[_i / 2];
	bool alone = _i % 2 == 1;
	struct ike_chain c, only;
	uint8_t kept[2048];

	for (size_t i = 0; i < sizeof(types); i++)
		for (size_t n = 0; n < 3; n++) {
			c = bring(k);
			memcpy(kept, c.w.p, c.w.len);
			only = alone ? pair_chain() : c;
			for (size_t t = 0; t < n; t++) {
				ike_chain_open(&only, types[i]);
				ike_write_bytes(
				    &only.w, bytes_of(kept + 4, t == 1 ? 8 : 0));
				ike_chain_close(&only);
			}
			send_on(k, &only);
			pair_close(&p);
		}
}
END_TEST

int
main(void)
{
	TCase *c = tcase_create("garbage");

	tcase_set_timeout(c, 60);
	tcase_add_loop_test(c, message_as_it_was_does_its_work, 0, KINDS);
	tcase_add_loop_test(c, octet_is_spoiled, 0, KINDS);
	tcase_add_loop_test(c, message_is_cut, 0, KINDS);
	tcase_add_loop_test(c, payloads_are_not_those_of_the_table, 0, 2 * KINDS);
	return run_tests("garbage", c);
}
