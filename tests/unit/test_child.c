/* Child SA events become data path calls in their order, policies before the SAs that
 * need them (fail closed).  The data path here writes down what it is told. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libipsec/child.h"
#include "tests/unit/run.h"

/* ---- a data path that writes down what it is told ---- */

struct recorder {
	struct ipsec_datapath datapath;
	char log[1024];
	const char *refuse;	/* the call that fails, or NULL */
	unsigned after;		/* how often it still works */
};

static struct recorder *
of(struct ipsec_datapath *d)
{
	return (struct recorder *)d;
}

static void __attribute__((format(printf, 2, 3)))
say(struct ipsec_datapath *d, const char *format, ...)
{
	struct recorder *r = of(d);
	size_t len = strlen(r->log);
	va_list args;

	va_start(args, format);
	vsnprintf(r->log + len, sizeof(r->log) - len, format, args);
	va_end(args);
}

static bool
may(struct ipsec_datapath *d, const char *call)
{
	struct recorder *r = of(d);

	if (r->refuse == NULL || strcmp(r->refuse, call) != 0)
		return true;
	if (r->after == 0)
		return false;
	r->after--;
	return true;
}

static bool
trap(struct ipsec_datapath *d, const struct ipsec_trap *t)
{
	char remote[ESP_RANGE_TEXT];

	esp_range_print(&t->selectors[0].remote, remote, sizeof(remote));
	say(d, "trap%llu:%s/%s:%s:%s:%u ", (unsigned long long)t->id, t->connection_name,
	    t->child, t->mode == IPSEC_TRAP_ACQUIRE ? "acquire" : "refuse", remote, t->n);
	return may(d, "trap");
}

static void
untrap(struct ipsec_datapath *d, uint64_t id)
{
	say(d, "untrap%llu ", (unsigned long long)id);
}

static bool
in_add(struct ipsec_datapath *d, const struct ipsec_sa *sa)
{
	say(d, "in+%llu/%llu ", (unsigned long long)sa->id,
	    (unsigned long long)sa->policy);
	return may(d, "in_add");
}

static bool
out_add(struct ipsec_datapath *d, const struct ipsec_sa *sa)
{
	say(d, "out+%llu/%llu ", (unsigned long long)sa->id,
	    (unsigned long long)sa->policy);
	return may(d, "out_add");
}

static void
out_remove(struct ipsec_datapath *d, ike_id id)
{
	say(d, "out-%llu ", (unsigned long long)id);
}

static void
in_remove(struct ipsec_datapath *d, ike_id id)
{
	say(d, "in-%llu ", (unsigned long long)id);
}

static void
release(struct ipsec_datapath *d, uint64_t policy)
{
	say(d, "release%llu ", (unsigned long long)policy);
}

static void
set_path(struct ipsec_datapath *d, const struct ipsec_sa *sa)
{
	say(d, "path%llu/%llu ", (unsigned long long)sa->id,
	    (unsigned long long)sa->policy);
}

static const struct ipsec_datapath_ops recorder_ops = {
	.trap = trap, .untrap = untrap, .in_add = in_add, .out_add = out_add,
	.out_remove = out_remove, .in_remove = in_remove, .release = release,
	.set_path = set_path,
};

/* ---- what every test has ---- */

static struct recorder recorder;
static struct ipsec_children *children;

static void
set_up(void)
{
	recorder = (struct recorder){ .datapath = { &recorder_ops } };
	children = ipsec_children_new(&recorder.datapath);
	ck_assert_ptr_nonnull(children);
}

static void
tear_down(void)
{
	ipsec_children_free(children);
}

/* What was said since the last time. */
static void
expect(const char *log)
{
	ck_assert_str_eq(recorder.log, log);
	recorder.log[0] = '\0';
}

static struct ike_connection *
make_connection(enum ike_start start)
{
	static const char *const here[] = { "10.1.0.0/24" };
	static const char *const lan[] = { "10.2.0.0/24", "10.3.0.0/24" };
	static const char *const dmz[] = { "192.0.2.0/28" };
	const struct ike_child_setup both[] = {
		{ .name = "lan", .local = { here, 1 }, .remote = { lan, 2 } },
		{ .name = "dmz", .local = { here, 1 }, .remote = { dmz, 1 } },
	};
	struct ike_setup setup;
	struct ike_fault faults[4];
	struct ike_connection *c;
	unsigned n = 0;

	ike_setup_defaults(&setup);
	setup.name = "paris";
	setup.local_id = "berlin.example";
	setup.remote_id = "paris.example";
	setup.remote_address = "203.0.113.7";
	setup.secret = "paris";
	setup.start = start;
	setup.children = both;
	setup.n_children = 2;
	c = ike_connection_new(&setup, faults, 4, &n);
	ck_assert_msg(c != NULL, "%s", n > 0 ? faults[0].text : "no fault named");
	return c;
}

static bool
put(ike_id id, enum ike_start start)
{
	struct ike_connection *c = make_connection(start);
	bool done = ipsec_children_put(children, id, c);

	ike_connection_free(c);		/* the children hold it themselves */
	return done;
}

/* An event of connection 1's child `name`; `remote` is the selectors' other side, one or
 * two parted by a comma. */
static bool
apply(enum ike_event_type type, ike_id id, ike_id replaced, const char *name,
    const char *remote)
{
	const char *comma = strchr(remote, ',');
	size_t len = comma != NULL ? (size_t)(comma - remote) : strlen(remote);
	struct esp_selector selectors[2];
	struct ike_child child = { .name = name, .selectors = selectors,
	    .n_selectors = comma != NULL ? 2 : 1 };
	char first[ESP_RANGE_TEXT];
	struct ike_event event = { .type = type, .connection = 1, .child = id,
	    .replaced = replaced, .u = { .child = &child } };
	struct ike_notice notice = { .type = IKE_ACQUIRE };
	bool failed;

	memset(selectors, 0, sizeof(selectors));
	snprintf(first, sizeof(first), "%.*s", (int)len, remote);
	for (unsigned i = 0; i < child.n_selectors; i++) {
		ck_assert(esp_range_parse("10.1.0.0/24", &selectors[i].local));
		ck_assert(esp_range_parse(i == 0 ? first : comma + 1,
		    &selectors[i].remote));
	}
	failed = ipsec_children_apply(children, &event, &notice);
	if (failed) {
		ck_assert_int_eq(notice.type, IKE_NOT_INSTALLED);
		ck_assert_uint_eq(notice.id, id);
	}
	return !failed;
}

/* ---- policies ---- */

START_TEST(policies_of_who_is_not_passive)
{
	ck_assert(put(1, IKE_START_ON_DEMAND));
	expect("trap1:paris/lan:acquire:10.2.0.0/24:2 "
	    "trap2:paris/dmz:acquire:192.0.2.0/28:1 ");
	ck_assert(put(2, IKE_START_ALWAYS));
	expect("trap3:paris/lan:refuse:10.2.0.0/24:2 "
	    "trap4:paris/dmz:refuse:192.0.2.0/28:1 ");
	ck_assert(put(3, IKE_START_PASSIVE));
	expect("");
	ck_assert_uint_eq(ipsec_children_policies(children), 4);
	ipsec_children_drop(children, 1);
	expect("untrap1 untrap2 ");
	ipsec_children_drop(children, 1);
	ipsec_children_drop(children, 3);
	expect("");
	ck_assert_uint_eq(ipsec_children_policies(children), 2);
}
END_TEST

START_TEST(policies_all_or_none)
{
	recorder.refuse = "trap";
	recorder.after = 1;
	ck_assert(!put(1, IKE_START_ALWAYS));
	expect("trap1:paris/lan:refuse:10.2.0.0/24:2 "
	    "trap2:paris/dmz:refuse:192.0.2.0/28:1 untrap1 ");
	ck_assert_uint_eq(ipsec_children_policies(children), 0);
	ck_assert_uint_eq(ipsec_children_next(children, 0), 0);
}
END_TEST

START_TEST(connections_in_order)
{
	ck_assert_uint_eq(ipsec_children_next(children, 0), 0);
	ck_assert(put(4, IKE_START_PASSIVE));
	ck_assert(put(7, IKE_START_PASSIVE));
	ck_assert(put(9, IKE_START_PASSIVE));
	ipsec_children_drop(children, 7);
	ck_assert_uint_eq(ipsec_children_next(children, 0), 4);
	ck_assert_uint_eq(ipsec_children_next(children, 4), 9);
	ck_assert_uint_eq(ipsec_children_next(children, 9), 0);
}
END_TEST

START_TEST(release_of_a_connection)
{
	ck_assert(put(1, IKE_START_ON_DEMAND));
	ck_assert(put(2, IKE_START_PASSIVE));
	recorder.log[0] = '\0';
	ipsec_children_release(children, 1);
	expect("release1 release2 ");
	ipsec_children_release(children, 2);
	ipsec_children_release(children, 3);
	expect("");
}
END_TEST

/* ---- Child SAs ---- */

START_TEST(sa_steps_in_order)
{
	ck_assert(put(1, IKE_START_ALWAYS));
	recorder.log[0] = '\0';
	ck_assert(apply(IKE_IN_ADD, 50, 0, "dmz", "192.0.2.0/28"));
	ck_assert(apply(IKE_OUT_ADD, 50, 0, "dmz", "192.0.2.0/28"));
	ck_assert(apply(IKE_SET_PATH, 50, 0, "dmz", "192.0.2.0/28"));
	ck_assert(apply(IKE_SET_PATH, 51, 0, "dmz", "192.0.2.0/28"));
	expect("in+50/2 out+50/2 path50/2 ");
	ck_assert_uint_eq(ipsec_children_count(children), 1);
	ck_assert(apply(IKE_OUT_REMOVE, 50, 0, "dmz", "192.0.2.0/28"));
	ck_assert(apply(IKE_IN_REMOVE, 50, 0, "dmz", "192.0.2.0/28"));
	expect("out-50 in-50 ");
	ck_assert_uint_eq(ipsec_children_count(children), 0);
	ck_assert_uint_eq(ipsec_children_policies(children), 2);
}
END_TEST

/* Both ends rekey at once, and one of the new SAs goes again; outbound halves come when
 * the peer is seen to use an SA, inbound ones linger; the connection itself may go. */
START_TEST(rekeys_in_flight_share_a_policy)
{
	static const struct { enum ike_start start; const char *begin, *end; } rows[] = {
		{ IKE_START_ALWAYS, "", "" },
		{ IKE_START_PASSIVE, "trap1:paris/lan:refuse:10.2.0.0/24:1 ",
		    "untrap1 " },
	};
	char log[256];

	ck_assert(put(1, rows[_i].start));
	recorder.log[0] = '\0';
	ck_assert(apply(IKE_IN_ADD, 50, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_OUT_ADD, 50, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_IN_ADD, 51, 50, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_IN_ADD, 52, 50, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_OUT_ADD, 52, 50, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_OUT_REMOVE, 50, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_IN_REMOVE, 51, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_IN_ADD, 53, 52, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_IN_REMOVE, 50, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_IN_ADD, 54, 50, "lan", "10.2.0.0/24"));	/* just gone */
	ck_assert(apply(IKE_OUT_ADD, 54, 50, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_OUT_REMOVE, 52, 0, "lan", "10.2.0.0/24"));
	snprintf(log, sizeof(log), "%sin+50/1 out+50/1 in+51/1 in+52/1 out+52/1 out-50 "
	    "in-51 in+53/1 in-50 in+54/1 out+54/1 out-52 ", rows[_i].begin);
	expect(log);
	ck_assert(apply(IKE_IN_REMOVE, 52, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_IN_REMOVE, 53, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_IN_REMOVE, 54, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_OUT_REMOVE, 54, 0, "lan", "10.2.0.0/24"));
	snprintf(log, sizeof(log), "in-52 in-53 in-54 out-54 %s", rows[_i].end);
	expect(log);
	ck_assert_uint_eq(ipsec_children_count(children), 0);
}
END_TEST

/* Removed between the halves: the late one finds the policy its SA has. */
START_TEST(late_out_add_after_the_connection_went)
{
	ck_assert(put(1, _i == 0 ? IKE_START_PASSIVE : IKE_START_ALWAYS));
	ck_assert(apply(IKE_IN_ADD, 50, 0, "lan", "10.2.0.0/24"));
	ipsec_children_drop(children, 1);
	recorder.log[0] = '\0';
	ck_assert(apply(IKE_OUT_ADD, 50, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_OUT_REMOVE, 50, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_IN_REMOVE, 50, 0, "lan", "10.2.0.0/24"));
	expect(_i == 0 ? "out+50/1 out-50 in-50 untrap1 " : "out+50/1 out-50 in-50 ");
}
END_TEST

/* A rekey makes before it breaks; both carry the same policy. */
START_TEST(sa_replaced)
{
	ck_assert(put(1, IKE_START_ON_DEMAND));
	recorder.log[0] = '\0';
	ck_assert(apply(IKE_IN_ADD, 50, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_OUT_ADD, 50, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_IN_ADD, 51, 50, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_OUT_ADD, 51, 50, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_OUT_REMOVE, 50, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_IN_REMOVE, 50, 0, "lan", "10.2.0.0/24"));
	expect("in+50/1 out+50/1 in+51/1 out+51/1 out-50 in-50 ");
	ck_assert_uint_eq(ipsec_children_count(children), 1);
}
END_TEST

START_TEST(passive_sa_brings_its_policy)
{
	ck_assert(put(1, IKE_START_PASSIVE));
	ck_assert(apply(IKE_IN_ADD, 50, 0, "lan", "10.2.0.5"));
	ck_assert(apply(IKE_OUT_ADD, 50, 0, "lan", "10.2.0.5"));
	expect("trap1:paris/lan:refuse:10.2.0.5:1 in+50/1 out+50/1 ");
	/* the same selectors: shared, whomever it follows; others: a policy of its own */
	ck_assert(apply(IKE_IN_ADD, 51, 50, "lan", "10.2.0.5"));
	ck_assert(apply(IKE_OUT_ADD, 51, 50, "lan", "10.2.0.5"));
	expect("in+51/1 out+51/1 ");
	ck_assert(apply(IKE_IN_ADD, 52, 51, "lan", "10.2.0.6"));
	ck_assert(apply(IKE_IN_ADD, 53, 0, "lan", "10.2.0.5"));
	expect("trap2:paris/lan:refuse:10.2.0.6:1 in+52/2 "
	    "in+53/1 ");
	ck_assert(apply(IKE_OUT_REMOVE, 50, 0, "lan", "10.2.0.5"));
	ck_assert(apply(IKE_IN_REMOVE, 50, 0, "lan", "10.2.0.5"));
	expect("out-50 in-50 ");
	ck_assert(apply(IKE_IN_REMOVE, 51, 0, "lan", "10.2.0.5"));
	ck_assert(apply(IKE_OUT_REMOVE, 51, 0, "lan", "10.2.0.5"));
	expect("in-51 out-51 ");
	ck_assert(apply(IKE_IN_REMOVE, 53, 0, "lan", "10.2.0.5"));
	expect("in-53 untrap1 ");
	ck_assert_uint_eq(ipsec_children_policies(children), 1);
}
END_TEST

/* A rekey brings other selectors to a passive connection: what is equal or narrower waits
 * for its outbound half, and what has moved leaves no policy that would take it back. */
static const struct {
	const char *before, *after, *in_add, *out_add, *out_remove;
} wider[] = {
	{ "10.2.0.0/24", "10.2.0.0/16", "trap2:paris/lan:refuse:10.2.0.0/16:1 in+51/2 ",
	    "out+51/2 ", "out-50 untrap1 " },
	{ "10.2.0.0/24", "10.2.0.0/24,10.3.0.0/24",
	    "trap2:paris/lan:refuse:10.3.0.0/24:1 in+51/1 ",
	    "trap3:paris/lan:refuse:10.2.0.0/24:2 out+51/3 untrap2 ", "out-50 untrap1 " },
	{ "10.2.0.0/16", "10.2.0.0/16,10.2.7.0/24", "in+51/1 ",
	    "trap2:paris/lan:refuse:10.2.0.0/16:2 out+51/2 ", "out-50 untrap1 " },
	{ "10.2.0.0/24", "10.2.0.0-10.2.0.200,10.2.0.0/16",
	    "trap2:paris/lan:refuse:10.2.0.0/16:1 in+51/1 ",
	    "trap3:paris/lan:refuse:10.2.0.0-10.2.0.200:2 out+51/3 untrap2 ",
	    "out-50 untrap1 " },
};

START_TEST(passive_sa_with_other_selectors)
{
	ck_assert(put(1, IKE_START_PASSIVE));
	ck_assert(apply(IKE_IN_ADD, 50, 0, "lan", wider[_i].before));
	ck_assert(apply(IKE_OUT_ADD, 50, 0, "lan", wider[_i].before));
	recorder.log[0] = '\0';
	ck_assert(apply(IKE_IN_ADD, 51, 50, "lan", wider[_i].after));
	expect(wider[_i].in_add);
	ck_assert(apply(IKE_OUT_ADD, 51, 50, "lan", wider[_i].after));
	expect(wider[_i].out_add);
	ck_assert(apply(IKE_OUT_REMOVE, 50, 0, "lan", wider[_i].before));
	expect(wider[_i].out_remove);
	ck_assert(apply(IKE_IN_REMOVE, 50, 0, "lan", wider[_i].before));
	expect("in-50 ");
	ck_assert_uint_eq(ipsec_children_policies(children), 1);
	ck_assert(apply(IKE_OUT_REMOVE, 51, 0, "lan", wider[_i].after));
	expect("out-51 ");		/* closed while it goes */
	ck_assert(apply(IKE_IN_REMOVE, 51, 0, "lan", wider[_i].after));
	ck_assert_uint_eq(ipsec_children_policies(children), 0);
}
END_TEST

/* The one that was to follow goes before it ever sent: all is as before. */
START_TEST(passive_sa_that_never_sent)
{
	ck_assert(put(1, IKE_START_PASSIVE));
	ck_assert(apply(IKE_IN_ADD, 50, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_OUT_ADD, 50, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_IN_ADD, 51, 50, "lan", "10.2.0.0/24,10.3.0.0/24"));
	recorder.log[0] = '\0';
	ck_assert(apply(IKE_IN_REMOVE, 51, 0, "lan", "10.2.0.0/24,10.3.0.0/24"));
	expect("in-51 untrap2 ");
	/* and back to what was before: that policy is there again in time */
	ck_assert(apply(IKE_IN_ADD, 52, 50, "lan", "10.2.0.0/16"));
	ck_assert(apply(IKE_OUT_ADD, 52, 50, "lan", "10.2.0.0/16"));
	ck_assert(apply(IKE_OUT_REMOVE, 50, 0, "lan", "10.2.0.0/24"));
	recorder.log[0] = '\0';
	ck_assert(apply(IKE_IN_ADD, 53, 52, "lan", "10.2.0.0/24"));
	expect("in+53/3 ");
	ck_assert(apply(IKE_OUT_ADD, 53, 52, "lan", "10.2.0.0/24"));
	expect("trap4:paris/lan:refuse:10.2.0.0/24:1 out+53/4 ");
}
END_TEST

START_TEST(sa_not_installed)
{
	static const struct { enum ike_start start; const char *refuse, *log; } rows[] = {
		{ IKE_START_ALWAYS, "in_add", "in+50/1 out+50/1 out-50 " },
		{ IKE_START_ALWAYS, "out_add", "in+50/1 out+50/1 in-50 " },
		{ IKE_START_PASSIVE, "in_add", "trap1:paris/lan:refuse:10.2.0.0/24:1 "
		    "in+50/1 untrap1 trap2:paris/lan:refuse:10.2.0.0/24:1 out+50/2 "
		    "out-50 untrap2 " },
		{ IKE_START_PASSIVE, "out_add", "trap1:paris/lan:refuse:10.2.0.0/24:1 "
		    "in+50/1 out+50/1 in-50 untrap1 " },
		{ IKE_START_PASSIVE, "trap", "trap1:paris/lan:refuse:10.2.0.0/24:1 "
		    "trap2:paris/lan:refuse:10.2.0.0/24:1 " },
	};
	bool in, out;

	ck_assert(put(1, rows[_i].start));
	recorder.log[0] = '\0';
	recorder.refuse = rows[_i].refuse;
	in = apply(IKE_IN_ADD, 50, 0, "lan", "10.2.0.0/24");
	out = apply(IKE_OUT_ADD, 50, 0, "lan", "10.2.0.0/24");
	ck_assert_int_eq(in, strcmp(recorder.refuse, "out_add") == 0);
	ck_assert_int_eq(out, strcmp(recorder.refuse, "in_add") == 0);
	/* what the engine says then */
	ck_assert(apply(IKE_OUT_REMOVE, 50, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_IN_REMOVE, 50, 0, "lan", "10.2.0.0/24"));
	expect(rows[_i].log);
	ck_assert_uint_eq(ipsec_children_count(children), 0);
}
END_TEST

START_TEST(sa_of_nobody_is_refused)
{
	ck_assert(!apply(IKE_IN_ADD, 50, 0, "lan", "10.2.0.0/24"));
	ck_assert(put(1, IKE_START_ALWAYS));
	recorder.log[0] = '\0';
	ck_assert(!apply(IKE_IN_ADD, 50, 0, "nonesuch", "10.2.0.0/24"));
	ck_assert(apply(IKE_OUT_REMOVE, 50, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_UP, 50, 0, "lan", "10.2.0.0/24"));
	expect("");
	ck_assert_uint_eq(ipsec_children_count(children), 0);
}
END_TEST

/* The connection goes first, its SAs with their own events. */
START_TEST(sa_outlives_its_connection)
{
	ck_assert(put(1, IKE_START_PASSIVE));
	ck_assert(apply(IKE_IN_ADD, 50, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_OUT_ADD, 50, 0, "lan", "10.2.0.0/24"));
	recorder.log[0] = '\0';
	ipsec_children_drop(children, 1);
	expect("");
	ck_assert(apply(IKE_OUT_REMOVE, 50, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_IN_REMOVE, 50, 0, "lan", "10.2.0.0/24"));
	expect("out-50 in-50 untrap1 ");
}
END_TEST

START_TEST(free_takes_out_everything)
{
	ck_assert(put(1, IKE_START_ALWAYS));
	ck_assert(apply(IKE_IN_ADD, 50, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_OUT_ADD, 50, 0, "lan", "10.2.0.0/24"));
	ck_assert(apply(IKE_IN_ADD, 51, 0, "dmz", "192.0.2.0/28"));
	recorder.log[0] = '\0';
	ipsec_children_free(children);
	children = NULL;
	/* SAs in any order, each outbound half first, and policies last */
	if (strncmp(recorder.log, "in-51", 5) == 0)
		expect("in-51 out-50 in-50 untrap1 untrap2 ");
	else
		expect("out-50 in-50 in-51 untrap1 untrap2 ");
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("child");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, policies_of_who_is_not_passive);
	tcase_add_test(t, policies_all_or_none);
	tcase_add_test(t, connections_in_order);
	tcase_add_test(t, release_of_a_connection);
	tcase_add_test(t, sa_steps_in_order);
	tcase_add_loop_test(t, rekeys_in_flight_share_a_policy, 0, 2);
	tcase_add_loop_test(t, late_out_add_after_the_connection_went, 0, 2);
	tcase_add_test(t, sa_replaced);
	tcase_add_test(t, passive_sa_brings_its_policy);
	tcase_add_loop_test(t, passive_sa_with_other_selectors, 0,
	    sizeof(wider) / sizeof(wider[0]));
	tcase_add_test(t, passive_sa_that_never_sent);
	tcase_add_loop_test(t, sa_not_installed, 0, 5);
	tcase_add_test(t, sa_of_nobody_is_refused);
	tcase_add_test(t, sa_outlives_its_connection);
	tcase_add_test(t, free_takes_out_everything);
	return run_tests("child", t);
}
