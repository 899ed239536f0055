/* Two endpoints in one process, on the loopback, with ports of their own: from a
 * connection and a secret to packets through the tunnel, and every way it may fail. */
#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libipsec/endpoint.h"
#include "libipsec/loop.h"
#include "libipsec/worker.h"
#include "tests/unit/fake_port.h"
#include "tests/unit/ports.h"
#include "tests/unit/run.h"

enum { PATIENCE_MS = 5000, MAX_SAID = 64 };

struct said {
	enum ike_event_type type;
	enum ike_error error;
	ike_id connection, sa, child;
	char text[240];		/* of a refusal */
};

struct host {
	const char *name;
	struct fake_port port;
	struct ipsec_secrets *secrets;
	struct ipsec_endpoint *endpoint;
	uint16_t ports[2];
	ike_id connection;
	struct said said[MAX_SAID];
	unsigned n_said;

	enum ike_error verdict;		/* of admit */
	ike_id asked;			/* the question that admit was asked */
	bool down_when_up;		/* call ipsec_endpoint_down from the event */

	struct ipsec_datapath_ops ops;	/* the worker's, with policies counted */
	bool (*trap)(struct ipsec_datapath *, const struct ipsec_trap *);
	void (*untrap)(struct ipsec_datapath *, uint64_t id);
	unsigned traps, untraps;
	bool no_trap;			/* policies cannot be installed */
};

static struct host berlin = { .name = "berlin" }, paris = { .name = "paris" };
static bool between_hosts;	/* transport mode, 127.0.0.1 and 127.0.0.2 */

/* ---- a resolver that knows one name ---- */

struct fake_resolver {
	struct ipsec_resolver resolver;
	bool at_once;
	unsigned asked, cancelled;
	ike_id question;
	ipsec_resolved *done;
	void *arg;
};

static void
answer_name(struct fake_resolver *r)
{
	const struct ipsec_address here[] = {
		{ .family = 6, .addr = { 0x20, 1, 0xd, 0xb8, [15] = 1 } },
		{ .family = 4, .addr = { 127, 0, 0, 1 } },
	};

	r->done(r->arg, r->question, here, 2, NULL);
}

static void
ask(struct ipsec_resolver *public, ike_id question, const char *host,
    ipsec_resolved *done, void *arg)
{
	struct fake_resolver *r = (struct fake_resolver *)public;

	r->asked++;
	r->question = question;
	r->done = done;
	r->arg = arg;
	if (strcmp(host, "gw.paris.example") != 0)
		done(arg, question, NULL, 0, "no such name");
	else if (r->at_once)
		answer_name(r);
}

static void
cancel(struct ipsec_resolver *public, void *arg)
{
	struct fake_resolver *r = (struct fake_resolver *)public;

	ck_assert(r->arg == NULL || r->arg == arg);
	r->cancelled++;
}

static const struct ipsec_resolver_ops fake_resolver_ops = {
	.ask = ask, .cancel = cancel,
};

/* ---- hosts ---- */

static struct host *
of(const struct ipsec_datapath *d)
{
	return d->ops == &berlin.ops ? &berlin : &paris;
}

static bool
trap(struct ipsec_datapath *d, const struct ipsec_trap *t)
{
	struct host *h = of(d);

	if (h->no_trap)
		return false;
	h->traps++;
	return h->trap(d, t);
}

static void
untrap(struct ipsec_datapath *d, uint64_t id)
{
	struct host *h = of(d);

	h->untraps++;
	h->untrap(d, id);
}

static struct ipsec_datapath *
make_datapath(struct host *h)
{
	struct ipsec_datapath *d = ipsec_worker_new(&h->port.port);

	ck_assert_ptr_nonnull(d);
	h->ops = *d->ops;
	h->trap = d->ops->trap;
	h->untrap = d->ops->untrap;
	h->ops.trap = trap;
	h->ops.untrap = untrap;
	d->ops = &h->ops;
	return d;
}

static void
hear(void *arg, const struct ike_event *event)
{
	struct host *h = arg;
	struct said *said = &h->said[h->n_said];

	ck_assert_uint_lt(h->n_said, MAX_SAID);
	*said = (struct said){ .type = event->type, .error = event->error,
	    .connection = event->connection, .sa = event->sa, .child = event->child };
	if (event->type == IKE_REFUSED)
		snprintf(said->text, sizeof(said->text), "%s", event->u.refusal->what);
	h->n_said++;
	if (h->down_when_up && event->type == IKE_UP && event->child != 0)
		ck_assert_int_eq(ipsec_endpoint_down(h->endpoint, ipsec_now(),
		    h->connection), IKE_OK);
}

static enum ike_error
admit(void *arg, const struct ike_event *event)
{
	struct host *h = arg;

	h->asked = event->question;
	return h->verdict;
}

static void
start(struct host *h, const char *listen, const char *secret,
    struct ipsec_resolver *resolver)
{
	struct ipsec_options options = { .listen = &listen, .n_listen = 1, .event = hear,
	    .admit = admit, .arg = h, .resolver = resolver };
	char why[IPSEC_WHY_LEN] = "";

	*h = (struct host){ .name = h->name };
	fake_port_init(&h->port);
	h->secrets = ipsec_secrets_new();
	ck_assert_ptr_nonnull(h->secrets);
	if (secret != NULL)
		ck_assert(ipsec_secrets_put(h->secrets, "tunnel",
		    bytes_of(secret, strlen(secret))));
	free_ports(h->ports);
	options.port = h->ports[0];
	options.natt_port = h->ports[1];
	options.secrets = h->secrets;
	options.datapath = make_datapath(h);
	h->endpoint = ipsec_endpoint_new(&options, why);
	ck_assert_msg(h->endpoint != NULL, "%s", why);
}

static void
stop(struct host *h)
{
	ipsec_endpoint_free(h->endpoint);
	ipsec_secrets_free(h->secrets);
	fake_port_clear(&h->port);
	h->endpoint = NULL;
	h->secrets = NULL;
}

static void
tear_down(void)
{
	stop(&berlin);
	stop(&paris);
}

static void
begin(const char *berlins_secret, const char *paris_secret)
{
	between_hosts = false;
	start(&berlin, "127.0.0.1", berlins_secret, NULL);
	start(&paris, "127.0.0.1", paris_secret, NULL);
}

static struct ike_connection *
make_connection(const struct host *h, const struct host *peer, enum ike_start start_as,
    const char *address)
{
	static const char *const ends[2][2] = {
		{ "10.1.0.0/24", "10.2.0.0/24" }, { "127.0.0.1", "127.0.0.2" }
	};
	bool here = h == &berlin;
	const char *local = ends[between_hosts][!here];
	const char *remote = ends[between_hosts][here];
	const struct ike_child_setup lan = { .name = "lan", .local = { &local, 1 },
	    .remote = { &remote, 1 },
	    .mode = between_hosts ? IKE_MODE_TRANSPORT : IKE_MODE_TUNNEL };
	struct ike_setup setup;
	struct ike_fault faults[4];
	struct ike_connection *c;
	unsigned n = 0;

	ike_setup_defaults(&setup);
	setup.name = "tunnel";
	setup.secret = "tunnel";
	setup.local_id = here ? "gw.berlin.example" : "gw.paris.example";
	setup.remote_id = here ? "gw.paris.example" : "gw.berlin.example";
	setup.remote_address = address;
	setup.port = peer->ports[0];
	setup.natt_port = peer->ports[1];
	setup.start = start_as;
	setup.children = &lan;
	setup.n_children = 1;
	c = ike_connection_new(&setup, faults, 4, &n);
	ck_assert_msg(c != NULL, "%s", n > 0 ? faults[0].text : "no fault named");
	return c;
}

static ike_id
put(struct host *h, const struct host *peer, enum ike_start start_as, const char *address)
{
	struct ike_connection *c = make_connection(h, peer, start_as, address);

	h->connection = ipsec_endpoint_put(h->endpoint, ipsec_now(), c);
	ike_connection_free(c);
	return h->connection;
}

/* Runs both until `done` says so; false: it took too long. */
static bool
run(bool (*done)(void))
{
	ike_time end = ipsec_now() + PATIENCE_MS * 1000, when;
	struct pollfd fds[16];
	unsigned n;
	int wait;

	while (!done()) {
		if (ipsec_now() > end)
			return false;
		n = ipsec_endpoint_fds(berlin.endpoint, fds, 8);
		n += ipsec_endpoint_fds(paris.endpoint, fds + n, 8);
		ck_assert_uint_le(n, 16);
		wait = 20;
		if (ipsec_endpoint_deadline(berlin.endpoint, &when) &&
		    when <= ipsec_now())
			wait = 0;
		poll(fds, n, wait);
		ipsec_endpoint_process(berlin.endpoint, ipsec_now());
		ipsec_endpoint_process(paris.endpoint, ipsec_now());
	}
	return true;
}

/* ---- what to wait for ---- */

static const struct said *
find_said(const struct host *h, enum ike_event_type type, bool child)
{
	for (unsigned i = 0; i < h->n_said; i++)
		if (h->said[i].type == type && (h->said[i].child != 0) == child)
			return &h->said[i];
	return NULL;
}

static bool
both_up(void)
{
	return find_said(&berlin, IKE_UP, true) != NULL &&
	    find_said(&paris, IKE_UP, true) != NULL;
}

static bool
both_down(void)
{
	return find_said(&berlin, IKE_DOWN, false) != NULL &&
	    find_said(&paris, IKE_DOWN, false) != NULL;
}

static bool
berlin_refused(void)
{
	return find_said(&berlin, IKE_REFUSED, false) != NULL;
}

static bool
berlin_idle(void)
{
	return ipsec_endpoint_idle(berlin.endpoint);
}

static bool
both_idle(void)
{
	return berlin_idle() && ipsec_endpoint_idle(paris.endpoint);
}

static bool
delivered(void)
{
	return berlin.port.out.n + paris.port.out.n > 0;
}

static bool
berlin_rejected_packet(void)
{
	return berlin.port.refused.n > 0;
}

static bool
paris_asks_admission(void)
{
	return paris.asked != 0;
}


static uint8_t buffer[2048];

static void
push(struct host *h, uint32_t len)
{
	const char *from = h == &berlin ? "10.1.0.5" : "10.2.0.9";
	const char *to = h == &berlin ? "10.2.0.9" : "10.1.0.5";

	fake_port_push(&h->port, buffer, fake_packet(buffer, from, to, len, 7));
}

static void
carry(struct host *from, struct host *to, uint32_t len)
{
	fake_port_clear(&to->port);
	push(from, len);
	ck_assert(run(delivered));
	ck_assert_uint_eq(to->port.out.n, 1);
	ck_assert_uint_eq(to->port.out.v[0].len, len);
	ck_assert_mem_eq(to->port.out.v[0].data, buffer, len);
	fake_port_clear(&to->port);
}

static void
connect_both(void)
{
	begin("correct horse battery", "correct horse battery");
	ck_assert_uint_ne(put(&paris, &berlin, IKE_START_PASSIVE, "any"), 0);
	ck_assert_uint_ne(put(&berlin, &paris, IKE_START_ALWAYS, "127.0.0.1"), 0);
	ck_assert(run(both_up));
}

/* ---- up, packets, down ---- */

START_TEST(tunnel_carries_and_goes_down)
{
	struct ipsec_usage u;
	ike_id child;

	connect_both();
	carry(&berlin, &paris, 200);
	carry(&paris, &berlin, 1300);
	child = find_said(&berlin, IKE_UP, true)->child;
	ck_assert(ipsec_endpoint_usage(berlin.endpoint, child, &u));
	ck_assert_uint_eq(u.packets[0], 1);
	ck_assert_uint_eq(u.octets[0], 1300);
	ck_assert_uint_eq(u.packets[1], 1);
	ck_assert_uint_eq(u.octets[1], 200);
	if (_i == 0)
		ck_assert_int_eq(ipsec_endpoint_down(berlin.endpoint, ipsec_now(),
		    berlin.connection), IKE_OK);
	else
		ck_assert_int_eq(ipsec_endpoint_down(paris.endpoint, ipsec_now(),
		    paris.connection), IKE_OK);
	ck_assert(run(both_down));
	ck_assert(!ipsec_endpoint_usage(berlin.endpoint, child, &u));
}
END_TEST

/* ---- transport mode ---- */

static bool
berlin_rekeyed(void)
{
	return find_said(&berlin, IKE_REPLACED, true) != NULL;
}

static bool
both_rekeyed(void)
{
	return berlin_rekeyed() && find_said(&paris, IKE_REPLACED, true) != NULL;
}

/* From one host to the other itself: all behind its IP header, which is made anew. */
static void
carry_between_hosts(struct host *from, struct host *to)
{
	const char *addresses[2] = { "127.0.0.1", "127.0.0.2" };
	unsigned which = from == &berlin ? 0 : 1;
	uint32_t len = 200;

	fake_port_clear(&to->port);
	fake_port_push(&from->port, buffer, fake_packet(buffer, addresses[which],
	    addresses[1 - which], len, 7));
	ck_assert(run(delivered));
	ck_assert_uint_eq(to->port.out.n, 1);
	ck_assert_uint_eq(to->port.out.v[0].len, len);
	ck_assert_mem_eq(to->port.out.v[0].data + 12, buffer + 12, len - 12);
	ck_assert_uint_eq(to->port.out.v[0].data[9], 17);
	fake_port_clear(&to->port);
}

/* Agreed on by IKE and carried by ESP, both here, and rekeyed. */
START_TEST(transport_mode_carries_between_hosts)
{
	struct ipsec_usage u;
	ike_id child;

	start(&berlin, "127.0.0.1", "correct horse battery", NULL);
	start(&paris, "127.0.0.2", "correct horse battery", NULL);
	between_hosts = true;
	ck_assert_uint_ne(put(&paris, &berlin, IKE_START_PASSIVE, "any"), 0);
	ck_assert_uint_ne(put(&berlin, &paris, IKE_START_ALWAYS, "127.0.0.2"), 0);
	ck_assert(run(both_up));
	carry_between_hosts(&berlin, &paris);
	carry_between_hosts(&paris, &berlin);
	child = find_said(&berlin, IKE_UP, true)->child;
	ck_assert(ipsec_endpoint_usage(berlin.endpoint, child, &u));
	ck_assert_uint_eq(u.packets[0], 1);
	ck_assert_uint_eq(u.packets[1], 1);
	ck_assert_int_eq(ipsec_endpoint_rekey(berlin.endpoint, ipsec_now(), child),
	    IKE_OK);
	ck_assert(run(berlin_rekeyed));
	carry_between_hosts(&berlin, &paris);
	ck_assert(run(both_rekeyed));
	carry_between_hosts(&paris, &berlin);
	child = find_said(&berlin, IKE_REPLACED, true)->child;
	ck_assert(ipsec_endpoint_usage(berlin.endpoint, child, &u));
	ck_assert_uint_eq(u.packets[0], 1);
	ck_assert_uint_eq(u.packets[1], 1);
	ck_assert_int_eq(ipsec_endpoint_down(berlin.endpoint, ipsec_now(),
	    berlin.connection), IKE_OK);
	ck_assert(run(both_down));
}
END_TEST

static bool
paris_up(void)
{
	return find_said(&paris, IKE_UP, true) != NULL;
}

/* What is sent right behind the IKE message that makes the SA waits at the same socket,
 * and is read with it. */
START_TEST(packet_behind_its_sa_arrives)
{
	const struct said *up;
	ike_time before;
	struct ipsec_usage u;

	begin("correct horse battery", "correct horse battery");
	put(&paris, &berlin, IKE_START_PASSIVE, "any");
	put(&berlin, &paris, IKE_START_ALWAYS, "127.0.0.1");
	ck_assert(run(paris_up));
	ck_assert_ptr_null(find_said(&berlin, IKE_UP, true));
	push(&paris, 321);
	ipsec_endpoint_process(paris.endpoint, ipsec_now());
	poll(NULL, 0, 20);
	before = ipsec_now();
	ipsec_endpoint_process(berlin.endpoint, before);
	up = find_said(&berlin, IKE_UP, true);
	ck_assert_ptr_nonnull(up);
	ck_assert_uint_eq(berlin.port.out.n, 1);
	ck_assert_uint_eq(berlin.port.out.v[0].len, 321);
	ck_assert(ipsec_endpoint_usage(berlin.endpoint, up->child, &u));
	ck_assert(u.heard >= before && u.heard <= ipsec_now());
}
END_TEST

/* Where nothing has changed nobody is told anything. */
START_TEST(roaming_nowhere)
{
	uint64_t sent;

	connect_both();
	sent = ipsec_udp_read_counters(ipsec_endpoint_udp(berlin.endpoint))->sent;
	for (unsigned i = 0; i < 3; i++)
		ipsec_endpoint_roam(berlin.endpoint, ipsec_now());
	ck_assert_uint_eq(
	    ipsec_udp_read_counters(ipsec_endpoint_udp(berlin.endpoint))->sent, sent);
	carry(&berlin, &paris, 100);
}
END_TEST

START_TEST(tunnel_over_ipv6)
{
	start(&berlin, "::1", "correct horse battery", NULL);
	start(&paris, "::1", "correct horse battery", NULL);
	ck_assert_uint_ne(put(&paris, &berlin, IKE_START_PASSIVE, "any"), 0);
	ck_assert_uint_ne(put(&berlin, &paris, IKE_START_ALWAYS, "::1"), 0);
	ck_assert(run(both_up));
	carry(&berlin, &paris, 200);
	carry(&paris, &berlin, 1300);
}
END_TEST

/* Fail closed: once it is down nothing leaves (T93). */
START_TEST(packets_of_a_tunnel_that_is_down_are_refused)
{
	connect_both();
	ck_assert_int_eq(ipsec_endpoint_down(berlin.endpoint, ipsec_now(),
	    berlin.connection), IKE_OK);
	ck_assert(run(both_down));
	push(&berlin, 100);
	ck_assert(run(berlin_rejected_packet));
	ck_assert_uint_eq(berlin.port.refused.v[0].verdict, ESP_POLICY);
	ck_assert_uint_eq(paris.traps, paris.untraps);	/* it was passive */
	ck_assert_uint_eq(berlin.traps, 1);
	ck_assert_uint_eq(berlin.untraps, 0);
}
END_TEST

START_TEST(first_packet_brings_it_up_and_arrives)
{
	begin("correct horse battery", "correct horse battery");
	put(&paris, &berlin, IKE_START_PASSIVE, "any");
	put(&berlin, &paris, IKE_START_ON_DEMAND, "127.0.0.1");
	ck_assert_uint_eq(berlin.n_said, 0);
	carry(&berlin, &paris, 333);
	ck_assert(both_up());
	carry(&paris, &berlin, 333);
	ck_assert_uint_eq(berlin.port.refused.n, 0);
}
END_TEST

START_TEST(up_and_down_on_command)
{
	begin("correct horse battery", "correct horse battery");
	put(&paris, &berlin, IKE_START_PASSIVE, "any");
	put(&berlin, &paris, IKE_START_PASSIVE, "127.0.0.1");
	ck_assert_int_eq(ipsec_endpoint_up(berlin.endpoint, ipsec_now(),
	    berlin.connection), IKE_OK);
	ck_assert(run(both_up));
	ck_assert_int_eq(ipsec_endpoint_up(berlin.endpoint, ipsec_now(), 12345),
	    IKE_GONE);
	ck_assert_int_eq(ipsec_endpoint_down(berlin.endpoint, ipsec_now(), 12345),
	    IKE_GONE);
	ck_assert_int_eq(ipsec_endpoint_up(paris.endpoint, ipsec_now(), paris.connection),
	    IKE_OK);	/* is up */
}
END_TEST

START_TEST(dropped_connection_leaves_nothing)
{
	connect_both();
	ck_assert_int_eq(ipsec_endpoint_drop(berlin.endpoint, ipsec_now(),
	    berlin.connection), IKE_OK);
	ck_assert_uint_eq(berlin.untraps, 1);
	ck_assert(run(both_idle));
	ck_assert_int_eq(ipsec_endpoint_drop(berlin.endpoint, ipsec_now(),
	    berlin.connection), IKE_GONE);
}
END_TEST

START_TEST(endpoint_may_be_called_from_its_events)
{
	begin("correct horse battery", "correct horse battery");
	berlin.down_when_up = true;
	put(&paris, &berlin, IKE_START_PASSIVE, "any");
	put(&berlin, &paris, IKE_START_ALWAYS, "127.0.0.1");
	ck_assert(run(both_down));
	ck_assert(run(both_idle));
}
END_TEST

/* ---- shutdown ---- */

START_TEST(shutdown_tells_the_peer_and_takes_no_new_ones)
{
	connect_both();
	ipsec_endpoint_shutdown(paris.endpoint, ipsec_now());
	ck_assert(run(both_down));
	ck_assert(ipsec_endpoint_idle(paris.endpoint));
	/* berlin should always be up and tries again, in vain */
	paris.n_said = 0;
	ck_assert_int_eq(ipsec_endpoint_up(berlin.endpoint, ipsec_now(),
	    berlin.connection), IKE_OK);
	for (int i = 0; i < 50; i++) {
		poll(NULL, 0, 2);
		ipsec_endpoint_process(berlin.endpoint, ipsec_now());
		ipsec_endpoint_process(paris.endpoint, ipsec_now());
	}
	ck_assert(ipsec_endpoint_idle(paris.endpoint));
	ck_assert(!ipsec_endpoint_idle(berlin.endpoint));
	ck_assert_uint_eq(paris.n_said, 0);
}
END_TEST

/* ---- refusals ---- */

START_TEST(wrong_secret_is_refused)
{
	static const struct { const char *berlin, *paris, *says; } rows[] = {
		{ "correct horse battery", "staple", "" },
		{ NULL, "correct horse battery", "no shared secret" },
	};
	const struct said *said;

	begin(rows[_i].berlin, rows[_i].paris);
	put(&paris, &berlin, IKE_START_PASSIVE, "any");
	put(&berlin, &paris, IKE_START_ON_DEMAND, "127.0.0.1");
	push(&berlin, 100);
	ck_assert(run(berlin_refused));
	said = find_said(&berlin, IKE_REFUSED, false);
	ck_assert_int_eq(said->error, IKE_AUTHENTICATION_FAILED);
	ck_assert_msg(strstr(said->text, rows[_i].says) != NULL, "%s", said->text);
	/* the packet that wanted it is not held for ever */
	ck_assert(run(berlin_rejected_packet));
	ck_assert(run(berlin_idle));
	ck_assert_ptr_null(find_said(&paris, IKE_UP, false));
	ck_assert_uint_eq(paris.traps, 0);
}
END_TEST

START_TEST(admission_refused)
{
	begin("correct horse battery", "correct horse battery");
	paris.verdict = IKE_AUTHENTICATION_FAILED;
	put(&paris, &berlin, IKE_START_PASSIVE, "any");
	put(&berlin, &paris, IKE_START_ALWAYS, "127.0.0.1");
	ck_assert(run(berlin_refused));
	ck_assert_ptr_null(find_said(&paris, IKE_UP, false));
}
END_TEST

START_TEST(admission_comes_late)
{
	begin("correct horse battery", "correct horse battery");
	paris.verdict = IKE_WAIT;
	put(&paris, &berlin, IKE_START_PASSIVE, "any");
	put(&berlin, &paris, IKE_START_ALWAYS, "127.0.0.1");
	ck_assert(run(paris_asks_admission));
	ck_assert_ptr_null(find_said(&paris, IKE_UP, false));
	ck_assert_int_eq(ipsec_endpoint_admit(paris.endpoint, ipsec_now(), paris.asked,
	    IKE_OK), IKE_OK);
	ck_assert(run(both_up));
	carry(&berlin, &paris, 100);
	ck_assert_int_eq(ipsec_endpoint_admit(paris.endpoint, ipsec_now(), paris.asked,
	    IKE_OK), IKE_GONE);
}
END_TEST

/* ---- names ---- */

START_TEST(name_is_resolved)
{
	struct fake_resolver r = { .resolver = { &fake_resolver_ops },
	    .at_once = _i == 1 };

	start(&berlin, "127.0.0.1", "correct horse battery", &r.resolver);
	start(&paris, "127.0.0.1", "correct horse battery", NULL);
	put(&paris, &berlin, IKE_START_PASSIVE, "any");
	put(&berlin, &paris, IKE_START_ALWAYS, "gw.paris.example");
	ck_assert_uint_eq(r.asked, 1);
	if (!r.at_once)
		answer_name(&r);
	ck_assert(run(both_up));
	carry(&berlin, &paris, 100);
	answer_name(&r);		/* twice: the question is gone */
	stop(&berlin);
	ck_assert_uint_eq(r.cancelled, 1);
}
END_TEST

START_TEST(name_without_address_is_refused)
{
	static const struct {
		const char *name;
		bool resolver;
		const char *says;
	} rows[] = {
		{ "gw.rome.example", true, "no such name" },
		{ "gw.rome.example", false, "host names" },
		{ "2001:db8::1", false, "cannot be reached" },
	};
	struct fake_resolver r = { .resolver = { &fake_resolver_ops } };
	const struct said *said;

	start(&berlin, "127.0.0.1", "correct horse battery",
	    rows[_i].resolver ? &r.resolver : NULL);
	start(&paris, "127.0.0.1", "correct horse battery", NULL);
	put(&berlin, &paris, IKE_START_PASSIVE, rows[_i].name);
	ipsec_endpoint_up(berlin.endpoint, ipsec_now(), berlin.connection);
	ck_assert(run(berlin_refused));
	said = find_said(&berlin, IKE_REFUSED, false);
	ck_assert_int_eq(said->error, IKE_UNRESOLVED);
	ck_assert_msg(strstr(said->text, rows[_i].says) != NULL, "%s", said->text);
	ck_assert_uint_eq(r.asked, rows[_i].resolver);
	stop(&berlin);
}
END_TEST

/* ---- what cannot begin ---- */

START_TEST(policy_that_cannot_be_is_no_connection)
{
	begin("correct horse battery", "correct horse battery");
	berlin.no_trap = true;
	ck_assert_uint_eq(put(&berlin, &paris, IKE_START_ALWAYS, "127.0.0.1"), 0);
	ck_assert(ipsec_endpoint_idle(berlin.endpoint));
	ck_assert_uint_eq(
	    ipsec_udp_read_counters(ipsec_endpoint_udp(berlin.endpoint))->sent, 0);
}
END_TEST

START_TEST(endpoint_that_cannot_listen_says_why)
{
	const char *listen = "127.0.0.1";
	struct ipsec_options options = { .listen = &listen, .n_listen = 1 };
	char why[IPSEC_WHY_LEN] = "";
	struct fake_port port;

	begin(NULL, NULL);
	fake_port_init(&port);
	options.port = berlin.ports[0];
	options.natt_port = berlin.ports[1];
	options.datapath = ipsec_worker_new(&port.port);
	ck_assert_ptr_null(ipsec_endpoint_new(&options, why));
	ck_assert_ptr_nonnull(strstr(why, "another program"));
	options.datapath->ops->close(options.datapath);	/* it is still ours */
}
END_TEST

/* ---- on libevent ---- */

static void
stop_loop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

START_TEST(loop_runs_both)
{
	struct event_base *base = event_base_new();
	const struct timeval soon = { .tv_usec = 5000 };
	struct ipsec_loop *loop[2];
	struct event *watch;

	begin("correct horse battery", "correct horse battery");
	loop[0] = ipsec_attach(berlin.endpoint, base);
	loop[1] = ipsec_attach(paris.endpoint, base);
	ck_assert(loop[0] != NULL && loop[1] != NULL);
	watch = event_new(base, -1, EV_PERSIST, stop_loop, base);
	event_add(watch, &soon);
	/* paris comes later, so berlin's first messages are lost: only its timer helps */
	put(&berlin, &paris, IKE_START_ALWAYS, "127.0.0.1");
	put(&paris, &berlin, IKE_START_PASSIVE, "any");
	for (int i = 0; i < 1000 && !both_up(); i++)
		event_base_dispatch(base);
	ck_assert(both_up());
	event_free(watch);
	ipsec_detach(loop[0]);
	ipsec_detach(loop[1]);
	event_base_free(base);
}
END_TEST

/* What was lost is sent again, at the deadline that the timer keeps. */
START_TEST(loop_keeps_the_deadline)
{
	struct event_base *base = event_base_new();
	const struct timeval limit = { .tv_sec = 3 };
	struct ipsec_loop *loop;
	uint64_t sent;

	begin("correct horse battery", "correct horse battery");
	loop = ipsec_attach(berlin.endpoint, base);
	ck_assert_ptr_nonnull(loop);
	put(&berlin, &paris, IKE_START_ALWAYS, "127.0.0.1");
	event_base_loopexit(base, &limit);
	event_base_dispatch(base);
	sent = ipsec_udp_read_counters(ipsec_endpoint_udp(berlin.endpoint))->sent;
	ck_assert_uint_ge(sent, 2);
	ipsec_detach(loop);
	event_base_free(base);
}
END_TEST

/* ---- garbage ---- */

START_TEST(garbage_at_the_sockets_does_no_harm)
{
	uint8_t octets[64];
	struct ipsec_message m = { .data = octets, .path = { .family = 4 } };
	struct ipsec_udp_options options = { 0 };
	struct ipsec_udp *sender;
	char why[IPSEC_WHY_LEN] = "";
	uint16_t ports[2];

	connect_both();
	free_ports(ports);
	options.port = ports[0];
	options.natt_port = ports[1];
	sender = ipsec_udp_new(&options, why);
	ck_assert_msg(sender != NULL, "%s", why);
	m.path.addr[1][0] = 127;
	m.path.addr[1][3] = 1;
	for (unsigned i = 0; i < 400; i++) {
		for (unsigned k = 0; k < sizeof(octets); k++)
			octets[k] = (uint8_t)(i * 31 + k * (i % 7));
		m.len = i % (sizeof(octets) + 1);
		m.kind = i % 2 == 0 ? IPSEC_IKE : IPSEC_ESP_UDP;
		m.path.port[0] = ports[i / 2 % 2];
		m.path.port[1] = paris.ports[i / 4 % 2];
		ipsec_udp_send(sender, &m, 1);
		if (i % 50 == 0)
			ipsec_endpoint_process(paris.endpoint, ipsec_now());
	}
	carry(&berlin, &paris, 100);
	carry(&paris, &berlin, 100);
	ipsec_udp_free(sender);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("endpoint");

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, NULL, tear_down);
	tcase_add_loop_test(t, tunnel_carries_and_goes_down, 0, 2);
	tcase_add_test(t, transport_mode_carries_between_hosts);
	tcase_add_test(t, packet_behind_its_sa_arrives);
	tcase_add_test(t, roaming_nowhere);
	tcase_add_test(t, tunnel_over_ipv6);
	tcase_add_test(t, packets_of_a_tunnel_that_is_down_are_refused);
	tcase_add_test(t, first_packet_brings_it_up_and_arrives);
	tcase_add_test(t, up_and_down_on_command);
	tcase_add_test(t, dropped_connection_leaves_nothing);
	tcase_add_test(t, endpoint_may_be_called_from_its_events);
	tcase_add_test(t, shutdown_tells_the_peer_and_takes_no_new_ones);
	tcase_add_loop_test(t, wrong_secret_is_refused, 0, 2);
	tcase_add_test(t, admission_refused);
	tcase_add_test(t, admission_comes_late);
	tcase_add_loop_test(t, name_is_resolved, 0, 2);
	tcase_add_loop_test(t, name_without_address_is_refused, 0, 3);
	tcase_add_test(t, policy_that_cannot_be_is_no_connection);
	tcase_add_test(t, endpoint_that_cannot_listen_says_why);
	tcase_add_test(t, loop_runs_both);
	tcase_add_test(t, loop_keeps_the_deadline);
	tcase_add_test(t, garbage_at_the_sockets_does_no_harm);
	return run_tests("endpoint", t);
}
