/* Names on libevent.  What needs no name server: /etc/hosts, cancelling, and an end
 * with a question open. */
#include <event2/event.h>
#include <string.h>

#include "libipsec/resolve.h"
#include "tests/unit/run.h"

static struct event_base *base;
static struct ipsec_resolver *resolver;
static unsigned answers, addresses;
static bool loopback;

static void
set_up(void)
{
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
	resolver = ipsec_resolver_new(base);
	ck_assert_ptr_nonnull(resolver);
	answers = addresses = 0;
	loopback = false;
}

static void
tear_down(void)
{
	ipsec_resolver_free(resolver);
	event_base_loop(base, EVLOOP_NONBLOCK);
	event_base_free(base);
}

static void
done(void *arg, ike_id question, const struct ipsec_address *v, unsigned n,
    const char *why)
{
	ck_assert_ptr_eq(arg, &answers);
	ck_assert_uint_eq(question, 77);
	ck_assert_ptr_nonnull(why);
	answers++;
	addresses = n;
	for (unsigned i = 0; i < n; i++)
		loopback |= v[i].family == 4 ? v[i].addr[0] == 127 : v[i].addr[15] == 1;
}

START_TEST(hosts_file_is_asked)
{
	for (unsigned i = 1; i <= 2; i++) {
		resolver->ops->ask(resolver, 77, "localhost", done, &answers);
		for (unsigned k = 0; k < 100 && answers < i; k++)
			event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		ck_assert_uint_eq(answers, i);
		ck_assert_uint_gt(addresses, 0);
		ck_assert(loopback);
	}
}
END_TEST

/* Also for the leak checker: what the question holds is freed. */
START_TEST(open_question_has_no_answer_after_the_end)
{
	resolver->ops->ask(resolver, 77, "nobody.invalid", done, &answers);
	if (_i == 1)
		resolver->ops->cancel(resolver, &answers);
	ipsec_resolver_free(resolver);
	resolver = NULL;
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(answers, 0);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("resolve");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, hosts_file_is_asked);
	tcase_add_loop_test(t, open_question_has_no_answer_after_the_end, 0, 2);
	return run_tests("resolve", t);
}
