/* The daemon's methods over its socket: a real endpoint of ours on the loopback, and its
 * peer, on one loop. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/control.h"
#include "daemon/report.h"
#include "libipsec/loop.h"
#include "tests/unit/caller.h"
#include "tests/unit/fake_port.h"
#include "tests/unit/files.h"
#include "tests/unit/ports.h"
#include "tests/unit/run.h"

#define ROWS(a) ((int)(sizeof(a) / sizeof((a)[0])))
#define NAMESPACE "org.ikev.Ikevd."
#define CALL(method) "{\"method\":\"" NAMESPACE method "\"}"
#define CALL_OF(method, name) \
	"{\"method\":\"" NAMESPACE method "\",\"parameters\":{\"name\":\"" name "\"}}"

/* ` stands for a double quote */
#define PEER(id, from, to, more) \
	"{ local = { id = `" id "`; subnets = [ `" from "` ]; };\n remote = { " more \
	" subnets = [ `" to "` ]; }; };\n"
#define STRICT(id, from, to, more, groups) \
	"{ local = { id = `" id "`; }; remote = { " more " }; pfs = `" groups "`; " \
	" childless = false;\n" \
	" children = { lan = { local = `" from "`; remote = `" to "`; }; }; };\n"
#define TO_PARIS "address = `127.0.0.1`; id = `gw.paris.example`;"

static const char berlin_file[] = "connections = {\n"
    "paris = " PEER("a.berlin", "10.1.0.0/24", "10.2.0.0/24", TO_PARIS)
    "wrong = " PEER("b.berlin", "10.1.1.0/24", "10.2.1.0/24", TO_PARIS)
    "narrow = " PEER("c.berlin", "10.1.2.0/24", "10.2.2.0/24", TO_PARIS)
    "silent = " PEER("d.berlin", "10.1.3.0/24", "10.2.3.0/24", TO_PARIS)
    "nameless = " PEER("e.berlin", "10.1.4.0/24", "10.2.4.0/24",
    "address = `gw.nowhere.example`; id = `x`;")
    "any = " PEER("f.berlin", "10.1.5.0/24", "10.2.5.0/24", "address = `any`; id = `y`;")
    "strict = " STRICT("g.berlin", "10.1.6.0/24", "10.2.6.0/24", TO_PARIS, "require")
    "};\n";
static const char paris_file[] = "connections = {\n"
    "paris = " PEER("gw.paris.example", "10.2.0.0/24", "10.1.0.0/24",
    "address = `127.0.0.1`; id = `a.berlin`;")
    "wrong = " PEER("gw.paris.example", "10.2.1.0/24", "10.1.1.0/24",
    "address = `127.0.0.1`; id = `b.berlin`;")
    "narrow = " PEER("gw.paris.example", "10.2.9.0/24", "10.1.9.0/24",
    "address = `127.0.0.1`; id = `c.berlin`;")
    "strict = " STRICT("gw.paris.example", "10.2.6.0/24", "10.1.6.0/24",
    "address = `127.0.0.1`; id = `g.berlin`;", "off")
    "};\n";
enum { PARIS, WRONG, NARROW, SILENT, NAMELESS, ANY, STRICT, CONNECTIONS };

struct host {
	struct fake_port port;
	struct ipsec_secrets *secrets;
	struct ipsec_endpoint *endpoint;
	struct ipsec_loop *loop;
	struct configuration *configuration;
	uint16_t ports[2];
	struct control_connection connections[CONNECTIONS];
};

static struct event_base *base;
static struct host berlin, paris;
static struct control *control;
static char path[108];
static struct caller caller;

/* ---- hosts ---- */

static void
hear(void *arg, const struct ike_event *event)
{
	if (arg == &berlin && control != NULL && event->type != IKE_TRACE)
		control_event(control, event);
}

static void
open_host(struct host *h)
{
	const char *listen = "127.0.0.1";
	struct ipsec_options options = { .listen = &listen, .n_listen = 1, .event = hear,
	    .arg = h };
	char why[IPSEC_WHY_LEN] = "";

	memset(h, 0, sizeof(*h));
	fake_port_init(&h->port);
	h->secrets = ipsec_secrets_new();
	free_ports(h->ports);
	options.port = h->ports[0];
	options.natt_port = h->ports[1];
	options.secrets = h->secrets;
	options.datapath = ipsec_worker_new(&h->port.port);
	ck_assert_ptr_nonnull(options.datapath);
	h->endpoint = ipsec_endpoint_new(&options, why);
	ck_assert_msg(h->endpoint != NULL, "%s", why);
	h->loop = ipsec_attach(h->endpoint, base);
	ck_assert_ptr_nonnull(h->loop);
}

static void
close_host(struct host *h)
{
	ipsec_detach(h->loop);
	ipsec_endpoint_free(h->endpoint);
	ipsec_secrets_free(h->secrets);
	fake_port_clear(&h->port);
	configuration_free(h->configuration);
	memset(h, 0, sizeof(*h));
}

static void
load(struct host *h, const char *file, const char *name)
{
	struct faults faults = { 0 };
	char text[4096], *p;

	snprintf(text, sizeof(text), "%s", file);
	for (p = text; (p = strchr(p, '`')) != NULL; p++)
		*p = '"';
	h->configuration = configuration_load(files_write(name, text, strlen(text), 0600),
	    &faults);
	ck_assert_msg(h->configuration != NULL, "%s",
	    faults.n > 0 ? faults.v[0].text : "?");
	faults_free(&faults);
}

/* The ports of a peer are no setting, and it should not take long to find one silent. */
static void
put(struct host *h, const struct host *peer)
{
	struct configured *v = h->configuration->connections;
	bool silent;

	for (unsigned i = 0; i < h->configuration->n_connections; i++) {
		silent = strcmp(v[i].name, "silent") == 0;
		v[i].connection->port = silent ? 9 : peer->ports[0];
		v[i].connection->natt_port = silent ? 19 : peer->ports[1];
		v[i].connection->setting_up =
		    (struct ike_retransmission){ .first = IKE_SECOND / 20,
			    .most = IKE_SECOND,
			    .factor_percent = 180,
			    .tries = silent ? 3 : 8 };
		v[i].connection->established = v[i].connection->setting_up;
		ck_assert(ipsec_secrets_put(h->secrets, v[i].name, bytes_of(
		    strcmp(v[i].name, "wrong") == 0 ? v[i].connection->remote_id.data.p :
		    (const uint8_t *)"secret of both", 8)));
		h->connections[i].configured = &v[i];
		h->connections[i].id = ipsec_endpoint_put(h->endpoint, ipsec_now(),
		    v[i].connection);
		ck_assert_uint_ne(h->connections[i].id, 0);
	}
}

static void
set_up(void)
{
	struct control_options options = { .path = path,
		.secrets_dir = "/etc/ikev.secrets.d",
		.n_connections = CONNECTIONS };
	char why[VARLINK_WHY_LEN] = "";

	(void)signal(SIGPIPE, SIG_IGN);
	options.base = base = event_base_new();
	open_host(&berlin);
	open_host(&paris);
	load(&berlin, berlin_file, "berlin.conf");
	load(&paris, paris_file, "paris.conf");
	ck_assert_uint_eq(berlin.configuration->n_connections, CONNECTIONS);
	put(&berlin, &paris);
	put(&paris, &berlin);
	options.endpoint = berlin.endpoint;
	options.connections = berlin.connections;
	snprintf(path, sizeof(path), "%s/control", files_folder());
	control = control_new(&options, why);
	ck_assert_msg(control != NULL, "%s", why);
	caller_open(&caller, base, path);
}

static void
tear_down(void)
{
	caller_close(&caller);
	control_free(control);
	control = NULL;
	close_host(&berlin);
	if (paris.endpoint != NULL)
		close_host(&paris);
	event_base_free(base);
	files_remove();
}

/* ---- asking ---- */

/* A yes or no in a reply that is no error. */
static void
replies(json_t *reply, const char *name, bool value)
{
	ck_assert_msg(*error_of(reply) == '\0', "%s: %s", error_of(reply),
	    json_dumps(reply, JSON_COMPACT));
	ck_assert_msg(json_is_boolean(parameter_of(reply, name)), "no %s", name);
	ck_assert_msg(json_is_true(parameter_of(reply, name)) == value, "%s is not %d",
	    name, value);
}

static void
asks(const char *call, const char *name, bool value)
{
	json_t *reply = caller_ask(&caller, call);

	replies(reply, name, value);
	json_decref(reply);
}

/* An error, and words of its explanation; takes the reply over. */
static void
failed(json_t *reply, const char *error, const char *name, const char *words)
{
	const char *text;

	ck_assert_str_eq(error_of(reply), error);
	ck_assert_str_eq(json_string_value(parameter_of(reply, "name")), name);
	text = json_string_value(parameter_of(reply, "explanation"));
	ck_assert_ptr_nonnull(text);
	ck_assert_msg(strstr(text, words) != NULL, "no \"%s\" in: %s", words, text);
	json_decref(reply);
}

static void
not_up(json_t *reply, const char *name, const char *words)
{
	failed(reply, NAMESPACE "NotUp", name, words);
}

static void
not_rekeyed(json_t *reply, const char *name, const char *words)
{
	failed(reply, NAMESPACE "NotRekeyed", name, words);
}

/* A connection of Status, which belongs to *reply. */
static const json_t *
status_of(const char *name, json_t **reply)
{
	char call[256];
	const json_t *list;

	snprintf(call, sizeof(call), CALL_OF("Status", "%s"), name);
	*reply = caller_ask(&caller, call);
	ck_assert_str_eq(error_of(*reply), "");
	list = parameter_of(*reply, "connections");
	ck_assert_uint_eq(json_array_size(list), 1);
	return json_array_get(list, 0);
}

static void
is_in_state(const char *name, const char *state)
{
	json_t *reply;
	const json_t *c = status_of(name, &reply);

	ck_assert_str_eq(json_string_value(json_object_get(c, "name")), name);
	ck_assert_str_eq(json_string_value(json_object_get(c, "state")), state);
	json_decref(reply);
}

/* Words of the last failure; NULL: there is none. */
static void
failed_by(const char *name, const char *words)
{
	json_t *reply;
	const json_t *refusal = json_object_get(status_of(name, &reply), "refusal");

	if (words == NULL)
		ck_assert_msg(json_is_null(refusal), "%s", json_string_value(refusal));
	else
		ck_assert_msg(json_is_string(refusal) &&
		    strstr(json_string_value(refusal), words) != NULL, "%s",
		    json_dumps(refusal, JSON_ENCODE_ANY));
	json_decref(reply);
}

/* ---- up and down ---- */

START_TEST(up_and_down)
{
	is_in_state("paris", "down");
	asks(CALL_OF("Down", "paris"), "already", true);
	asks(CALL_OF("Up", "paris"), "already", false);
	is_in_state("paris", "up");
	failed_by("paris", NULL);
	asks(CALL_OF("Up", "paris"), "already", true);
	asks(CALL_OF("Down", "paris"), "answered", true);
	is_in_state("paris", "down");
	failed_by("paris", NULL);		/* that was no failure */
	asks(CALL_OF("Down", "paris"), "already", true);
	asks(CALL_OF("Up", "paris"), "already", false);
}
END_TEST

START_TEST(up_is_refused)
{
	static const struct { const char *name, *words[3], *state; } rows[] = {
		{ "wrong", { "ikev.secrets.d/wrong.psk", "AUTHENTICATION_FAILED",
		    "berlin.conf:" }, "down" },
		{ "narrow", { "10.1.2.0/24", "TS_UNACCEPTABLE", "berlin.conf:" },
		    "up without Child SA" },
		{ "silent", { "does not answer", "berlin.conf:", "127.0.0.1" }, "down" },
		{ "nameless", { "host name", "nameless", "" }, "down" },
	};
	char call[200];

	for (int again = 0; again < 2; again++) {
		for (int i = 0; i < 3; i++) {
			snprintf(call, sizeof(call), CALL_OF("Up", "%s"), rows[_i].name);
			not_up(caller_ask(&caller, call), rows[_i].name,
			    rows[_i].words[i]);
			failed_by(rows[_i].name, rows[_i].words[i]);
		}
		is_in_state(rows[_i].name, rows[_i].state);
		asks(CALL_OF("Up", "paris"), "already", again > 0);
	}
}
END_TEST

START_TEST(up_without_an_address_to_call)
{
	not_up(caller_ask(&caller, CALL_OF("Up", "any")), "any",
	    "only the peer can begin");
	is_in_state("any", "down");
}
END_TEST

/* A failure is told until the next success, and another one takes its place. */
START_TEST(failure_is_kept_until_success)
{
	struct ike_connection *c = berlin.connections[PARIS].configured->connection;

	ck_assert(ipsec_secrets_put(berlin.secrets, "paris", bytes_of("wrong one", 9)));
	not_up(caller_ask(&caller, CALL_OF("Up", "paris")), "paris", "paris.psk");
	failed_by("paris", "paris.psk");
	c->setting_up.tries = 3;
	c->port = 9;
	not_up(caller_ask(&caller, CALL_OF("Up", "paris")), "paris", "does not answer");
	failed_by("paris", "does not answer");
	c->port = paris.ports[0];
	ck_assert(ipsec_secrets_put(berlin.secrets, "paris", bytes_of("secret o", 8)));
	asks(CALL_OF("Up", "paris"), "already", false);
	failed_by("paris", NULL);
}
END_TEST

/* What ends when another SA has taken its place is no failure. */
START_TEST(end_of_an_older_sa_is_no_failure)
{
	struct ike_connection *c = berlin.connections[PARIS].configured->connection;
	struct ike_event event = { .type = IKE_DOWN, .error = IKE_CLOSED,
		.connection = berlin.connections[PARIS].id, .sa = 1 << 20 };

	c->start = IKE_START_ALWAYS;		/* of others it is no news */
	control_event(control, &event);
	failed_by("paris", "the peer has closed it");
	c->start = IKE_START_PASSIVE;
	asks(CALL_OF("Up", "paris"), "already", false);
	c->start = IKE_START_ALWAYS;
	control_event(control, &event);
	failed_by("paris", NULL);
	c->start = IKE_START_PASSIVE;
}
END_TEST

START_TEST(two_wait_for_one)
{
	struct caller other;
	json_t *reply;

	caller_open(&other, base, path);
	caller_say(&caller, CALL_OF("Up", "paris"));
	caller_say(&other, CALL_OF("Up", "paris"));
	replies(reply = caller_hear(&other), "already", false);
	json_decref(reply);
	replies(reply = caller_hear(&caller), "already", false);
	json_decref(reply);
	caller_close(&other);
}
END_TEST

START_TEST(down_ends_an_up_that_waits)
{
	struct caller other;
	json_t *reply;

	caller_open(&other, base, path);
	berlin.connections[SILENT].configured->connection->setting_up.tries = 20;
	caller_say(&other, CALL_OF("Up", "silent"));
	caller_pause(base, 30);
	is_in_state("silent", "connecting");
	reply = caller_ask(&caller, CALL_OF("Down", "silent"));
	ck_assert_str_eq(error_of(reply), "");
	json_decref(reply);
	not_up(caller_hear(&other), "silent", "closed from here");
	failed_by("silent", NULL);
	caller_close(&other);
}
END_TEST

/* The peer has gone without a word: after five seconds that is the answer. */
START_TEST(down_without_an_answer)
{
	struct ike_retransmission *r =
	    &berlin.connections[PARIS].configured->connection->established;
	struct timespec begin, end;

	r->first = 20 * IKE_SECOND;
	r->most = 20 * IKE_SECOND;
	asks(CALL_OF("Up", "paris"), "already", false);
	close_host(&paris);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	asks(CALL_OF("Down", "paris"), "answered", false);
	clock_gettime(CLOCK_MONOTONIC, &end);
	ck_assert_int_ge(end.tv_sec - begin.tv_sec, 4);
	is_in_state("paris", "closing");
}
END_TEST

static bool
paris_is_down(void *arg)
{
	(void)arg;
	return report_state(ipsec_endpoint_engine(berlin.endpoint),
	    berlin.connections[PARIS].id) == REPORT_DOWN;
}

START_TEST(peer_closes_it)
{
	asks(CALL_OF("Up", "paris"), "already", false);
	ck_assert_int_eq(ipsec_endpoint_down(paris.endpoint, ipsec_now(),
	    paris.connections[PARIS].id), IKE_OK);
	ck_assert(caller_wait(base, paris_is_down, NULL));
	failed_by("paris", "the peer has closed it");
	asks(CALL_OF("Down", "paris"), "already", true);
}
END_TEST

START_TEST(caller_that_leaves_does_not_take_the_tunnel_along)
{
	struct caller other;

	caller_open(&other, base, path);
	caller_say(&other, CALL_OF("Up", "paris"));
	event_base_loop(base, EVLOOP_ONCE);
	event_base_loop(base, EVLOOP_NONBLOCK);
	caller_close(&other);
	asks(CALL_OF("Down", "silent"), "already", true);
	caller_pause(base, 100);
	is_in_state("paris", "up");
	caller_open(&other, base, path);
	caller_say(&other, CALL_OF("Up", "silent"));
	caller_pause(base, 20);
	caller_close(&other);			/* an answer to nobody */
	caller_pause(base, 600);
	is_in_state("silent", "down");
}
END_TEST

START_TEST(calls_may_be_open_at_the_end)
{
	caller_say(&caller, CALL_OF("Up", "silent"));
	caller_pause(base, 20);
	control_free(control);
	control = NULL;
	ck_assert_ptr_null(caller_hear(&caller));
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(socket_that_cannot_be)
{
	struct control_options options = { .base = base, .path = path };
	char why[VARLINK_WHY_LEN] = "";

	ck_assert_ptr_null(control_new(&options, why));
	ck_assert_ptr_nonnull(strstr(why, "another process listens there"));
	control_free(NULL);
}
END_TEST

/* ---- rekey ---- */

#define REKEY(more) \
	"{\"method\":\"" NAMESPACE "Rekey\",\"parameters\":{\"name\":" more "}}"

static void
rekeys(const char *call, json_int_t n, bool finished)
{
	json_t *reply = caller_ask(&caller, call);

	replies(reply, "finished", finished);
	ck_assert_int_eq(json_integer_value(parameter_of(reply, "rekeyed")), n);
	json_decref(reply);
}

/* The generation of the IKE SA, and of its newest Child SA. */
static void
generations_are(const char *name, json_int_t sa, json_int_t child)
{
	const json_t *v, *one = NULL;
	json_int_t newest = 0;
	json_t *reply;
	size_t i;

	v = json_object_get(status_of(name, &reply), "sas");
	json_array_foreach(v, i, one)
		if (strcmp(json_string_value(json_object_get(one, "state")),
		    "established") == 0)
			break;
	ck_assert_int_eq(json_integer_value(json_object_get(one, "generation")), sa);
	v = json_object_get(one, "children");
	json_array_foreach(v, i, one)
		if (json_integer_value(json_object_get(one, "generation")) > newest)
			newest =
			    json_integer_value(json_object_get(one, "generation"));
	ck_assert_int_eq(newest, child);
	json_decref(reply);
}

START_TEST(rekey_of_each_kind)
{
	asks(CALL_OF("Up", "paris"), "already", false);
	generations_are("paris", 1, 1);
	rekeys(REKEY("\"paris\""), 1, true);
	generations_are("paris", 1, 2);
	rekeys(REKEY("\"paris\",\"ike\":true"), 1, true);
	generations_are("paris", 2, 2);
	rekeys(REKEY("\"paris\",\"child\":\"paris\",\"ike\":false"), 1, true);
	generations_are("paris", 2, 3);
	rekeys(REKEY("\"paris\",\"child\":null,\"ike\":null"), 1, true);
	generations_are("paris", 2, 4);
	is_in_state("paris", "up");
	failed_by("paris", NULL);
}
END_TEST

START_TEST(rekey_of_nothing)
{
	json_t *reply;

	not_rekeyed(caller_ask(&caller, REKEY("\"paris\"")), "paris",
	    "it is not up; bring");
	not_rekeyed(caller_ask(&caller, REKEY("\"paris\",\"ike\":true")), "paris",
	    "ikectl up paris");
	not_rekeyed(caller_ask(&caller, REKEY("\"paris\",\"child\":\"paris\"")), "paris",
	    "its child paris is not up; ikectl status paris");
	reply = caller_ask(&caller, REKEY("\"paris\",\"child\":\"lan\""));
	ck_assert_str_eq(error_of(reply), NAMESPACE "NoChild");
	ck_assert_str_eq(json_string_value(parameter_of(reply, "child")), "lan");
	ck_assert_str_eq(json_string_value(json_array_get(parameter_of(reply, "children"),
	    0)), "paris");
	json_decref(reply);
}
END_TEST

START_TEST(rekey_is_asked_wrongly)
{
	static const struct { const char *call, *parameter; } rows[] = {
		{ REKEY("\"paris\",\"child\":7"), "child" },
		{ REKEY("\"paris\",\"ike\":\"yes\""), "ike" },
		{ REKEY("\"paris\",\"ike\":true,\"child\":\"paris\""), "ike" },
		{ REKEY("\"paris\",\"kid\":\"paris\""), "kid" },
	};
	json_t *reply = caller_ask(&caller, rows[_i].call);

	ck_assert_str_eq(error_of(reply), "org.varlink.service.InvalidParameter");
	ck_assert_str_eq(json_string_value(parameter_of(reply, "parameter")),
	    rows[_i].parameter);
	json_decref(reply);
}
END_TEST

/* The peer wants no groups: the rekey is refused and explained, and the tunnel stays. */
START_TEST(rekey_is_refused)
{
	asks(CALL_OF("Up", "strict"), "already", false);
	not_rekeyed(caller_ask(&caller, REKEY("\"strict\"")), "strict",
	    "says: pfs = \"require\";");
	generations_are("strict", 1, 1);
	is_in_state("strict", "up");
	failed_by("strict", "berlin.conf:");
	rekeys(REKEY("\"strict\",\"ike\":true"), 1, true);
}
END_TEST

/* It goes away while the rekey waits for its answer. */
START_TEST(rekey_of_a_tunnel_that_is_lost)
{
	asks(CALL_OF("Up", "paris"), "already", false);
	close_host(&paris);
	not_rekeyed(caller_ask(&caller, REKEY("\"paris\"")), "paris", "does not answer");
	is_in_state("paris", "down");
}
END_TEST

START_TEST(rekey_may_be_open_at_the_end)
{
	asks(CALL_OF("Up", "paris"), "already", false);
	close_host(&paris);
	caller_say(&caller, REKEY("\"paris\""));
	caller_pause(base, 20);
	control_free(control);
	control = NULL;
	ck_assert_ptr_null(caller_hear(&caller));
}
END_TEST

/* ---- names ---- */

START_TEST(name_is_checked)
{
	static const char *const methods[] = { "Up", "Down", "Status", "Rekey" };
	static const struct { const char *name, *suggestion; } rows[] = {
		{ "pairs", "paris" }, { "Paris", "paris" }, { "pari", "paris" },
		{ "slient", "silent" }, { "rome", "" }, { "", "" },
	};
	static const char *const wrong[] = { "", "\"name\":7", "\"name\":[\"paris\"]",
		"\"name\":\"paris\",\"nmae\":\"paris\"", "\"nmae\":\"paris\"" };
	char call[200];
	json_t *reply;

	for (int i = 0; i < ROWS(rows); i++) {
		snprintf(call, sizeof(call), CALL_OF("%s", "%s"), methods[_i],
		    rows[i].name);
		reply = caller_ask(&caller, call);
		ck_assert_str_eq(error_of(reply), NAMESPACE "NoConnection");
		ck_assert_str_eq(json_string_value(parameter_of(reply, "name")),
		    rows[i].name);
		ck_assert_str_eq(json_string_value(parameter_of(reply, "suggestion")),
		    rows[i].suggestion);
		json_decref(reply);
	}
	for (int i = _i == 2 ? 1 : 0; i < ROWS(wrong); i++) {	/* Status takes none */
		snprintf(call, sizeof(call), "{\"method\":\"" NAMESPACE "%s\","
		    "\"parameters\":{%s}}", methods[_i], wrong[i]);
		reply = caller_ask(&caller, call);
		ck_assert_msg(
		    strcmp(error_of(reply), "org.varlink.service.InvalidParameter") == 0,
		    "row %d: %s", i, error_of(reply));
		ck_assert_str_eq(json_string_value(parameter_of(reply, "parameter")),
		    i < 3 ? "name" : "nmae");
		json_decref(reply);
	}
}
END_TEST

START_TEST(list_is_in_the_order_of_the_file)
{
	static const char *const names[] = { "paris", "wrong", "narrow", "silent",
		"nameless", "any", "strict" };
	json_t *reply = caller_ask(&caller, CALL("List"));
	const json_t *list = parameter_of(reply, "names");

	ck_assert_uint_eq(json_array_size(list), CONNECTIONS);
	for (size_t i = 0; i < CONNECTIONS; i++)
		ck_assert_str_eq(json_string_value(json_array_get(list, i)), names[i]);
	json_decref(reply);
}
END_TEST

START_TEST(version_is_told)
{
	json_t *reply = caller_ask(&caller, CALL("Version"));

	ck_assert_str_eq(json_string_value(parameter_of(reply, "version")),
	    IKEVD_VERSION);
	json_decref(reply);
}
END_TEST

/* ---- the description is what is sent ---- */

/* What stands behind "KEYWORD NAME" in the description, from its "(" on. */
static const char *
find_declared(const char *description, const char *keyword, const char *name)
{
	char line[80];
	const char *at;

	snprintf(line, sizeof(line), "\n%s %s", keyword, name);
	for (at = description; (at = strstr(at, line)) != NULL; at++)
		if (strchr(" (", at[strlen(line)]) != NULL)
			return strchr(at, '(');
	ck_abort_msg("%s %s is not described", keyword, name);
}

static const char *
behind_space(const char *at)
{
	return at + strspn(at, " \n,");
}

static void value_fits(const char *description, const char *type, const json_t *value,
    const char *where);

/* `fields`: "(name: type, ...)".  Exactly those, each of its type. */
static void
object_fits(const char *description, const char *fields, const json_t *object,
    const char *where)
{
	char name[40], type[40], deeper[200];
	const char *at = behind_space(fields + 1);
	size_t n = 0;
	int len;

	ck_assert_msg(json_is_object(object), "%s is no object", where);
	for (; *at != ')'; at = behind_space(at + len), n++) {
		ck_assert_int_eq(
		    sscanf(at, "%39[a-z_]: %39[][?A-Za-z]%n", name, type, &len), 2);
		snprintf(deeper, sizeof(deeper), "%s.%s", where, name);
		ck_assert_msg(json_object_get(object, name) != NULL, "no %s", deeper);
		value_fits(description, type, json_object_get(object, name), deeper);
	}
	ck_assert_msg(json_object_size(object) == n,
	    "%s has %zu fields, described are %zu", where, json_object_size(object), n);
}

static void
value_fits(const char *description, const char *type, const json_t *value,
    const char *where)
{
	const json_t *item;
	size_t i;

	if (type[0] == '?') {
		if (!json_is_null(value))
			value_fits(description, type + 1, value, where);
	} else if (strncmp(type, "[]", 2) == 0) {
		ck_assert_msg(json_is_array(value), "%s is no list", where);
		json_array_foreach(value, i, item)
			value_fits(description, type + 2, item, where);
	} else if (strcmp(type, "string") == 0) {
		ck_assert_msg(json_is_string(value), "%s is no string", where);
	} else if (strcmp(type, "int") == 0) {
		ck_assert_msg(json_is_integer(value), "%s is no int", where);
	} else if (strcmp(type, "bool") == 0) {
		ck_assert_msg(json_is_boolean(value), "%s is no bool", where);
	} else {
		object_fits(description, find_declared(description, "type", type), value,
		    where);
	}
}

/* The reply, or the error that it is. */
static void
reply_fits(const char *description, const char *method, const json_t *reply)
{
	const char *error = error_of(reply), *fields;

	if (*error != '\0') {
		ck_assert_msg(strncmp(error, NAMESPACE, strlen(NAMESPACE)) == 0, "%s",
		    error);
		fields = find_declared(description, "error", error + strlen(NAMESPACE));
	} else {
		fields = strstr(find_declared(description, "method", method), "-> ") + 3;
	}
	object_fits(description, fields, json_object_get(reply, "parameters"), method);
}

static char *
take_description(void)
{
	json_t *reply = caller_ask(&caller,
	    "{\"method\":\"org.varlink.service."
	    "GetInterfaceDescription\",\"parameters\":{\"interface\":\"org.ikev.Ikevd\"}"
	    "}");
	char *text = strdup(json_string_value(parameter_of(reply, "description")));

	json_decref(reply);
	return text;
}

START_TEST(replies_fit_the_description)
{
	static const struct { const char *method, *call, *error; } calls[] = {
		{ "List", CALL("List"), "" },
		{ "Version", CALL("Version"), "" },
		{ "Up", CALL_OF("Up", "paris"), "" },
		{ "Up", CALL_OF("Up", "wrong"), NAMESPACE "NotUp" },
		{ "Up", CALL_OF("Up", "narrow"), NAMESPACE "NotUp" },
		{ "Up", CALL_OF("Up", "rome"), NAMESPACE "NoConnection" },
		{ "Rekey", REKEY("\"paris\",\"ike\":true"), "" },
		{ "Rekey", CALL_OF("Rekey", "wrong"), NAMESPACE "NotRekeyed" },
		{ "Rekey", REKEY("\"paris\",\"child\":\"x\""), NAMESPACE "NoChild" },
		{ "Status", CALL("Status"), "" },
		{ "Status", CALL_OF("Status", "paris"), "" },
		{ "Down", CALL_OF("Down", "paris"), "" },
		{ "Down", CALL_OF("Down", "paris"), "" },
		{ "Status", CALL("Status"), "" },
		{ "Status", "x", NAMESPACE "BadMessage" },
	};
	char *description = take_description();
	json_t *reply;

	for (int i = 0; i < ROWS(calls); i++) {
		reply = caller_ask(&caller, calls[i].call);
		ck_assert_msg(strcmp(error_of(reply), calls[i].error) == 0, "row %d: %s",
		    i, error_of(reply));
		reply_fits(description, calls[i].method, reply);
		json_decref(reply);
	}
	/* what no test brings about */
	ck_assert_int_eq(find_declared(description, "error", "Busy")[1], ')');
	ck_assert_int_eq(find_declared(description, "error", "NoMemory")[1], ')');
	free(description);
}
END_TEST

/* ---- status ---- */

static const char *
text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	ck_assert_msg(s != NULL, "no %s", key);
	return s;
}

static json_int_t
number(const json_t *object, const char *key)
{
	ck_assert_msg(json_is_integer(json_object_get(object, key)), "no %s", key);
	return json_integer_value(json_object_get(object, key));
}

static bool
delivered(void *arg)
{
	(void)arg;
	return paris.port.out.n > 0;
}

START_TEST(status_of_a_tunnel)
{
	uint8_t packet[200];
	const json_t *c, *sa, *child;
	char address[32];
	json_t *reply;

	asks(CALL_OF("Up", "paris"), "already", false);
	fake_port_push(&berlin.port, packet,
	    fake_packet(packet, "10.1.0.5", "10.2.0.9", 150, 7));
	ipsec_endpoint_process(berlin.endpoint, ipsec_now());
	ck_assert(caller_wait(base, delivered, NULL));
	c = status_of("paris", &reply);
	ck_assert_str_eq(text(c, "start"), "passive");
	ck_assert_str_eq(text(c, "local_id"), "a.berlin");
	ck_assert_str_eq(text(c, "remote_id"), "gw.paris.example");
	ck_assert_str_eq(text(c, "remote_address"), "127.0.0.1");
	ck_assert_uint_eq(json_array_size(json_object_get(c, "sas")), 1);
	sa = json_array_get(json_object_get(c, "sas"), 0);
	ck_assert_str_eq(text(sa, "state"), "established");
	ck_assert(json_is_true(json_object_get(sa, "initiator")));
	snprintf(address, sizeof(address), "127.0.0.1:%u", paris.ports[1]);
	ck_assert_str_eq(text(sa, "remote_address"), address);
	ck_assert_str_eq(text(sa, "remote_id"), "gw.paris.example");
	ck_assert_str_eq(text(sa, "proposal"), "aes256gcm16-prfsha256-x25519");
	ck_assert_uint_eq(strlen(text(sa, "spi_i")), 16);
	ck_assert_uint_eq(strlen(text(sa, "spi_r")), 16);
	ck_assert_int_le(number(sa, "age"), 5);
	ck_assert_uint_eq(json_array_size(json_object_get(sa, "children")), 1);
	child = json_array_get(json_object_get(sa, "children"), 0);
	ck_assert_str_eq(text(child, "name"), "paris");
	ck_assert_str_eq(text(child, "proposal"), "aes256gcm16");
	ck_assert_uint_eq(strlen(text(child, "spi_in")), 8);
	ck_assert_str_eq(
	    json_string_value(json_array_get(json_object_get(child, "local"), 0)),
	    "10.1.0.0/24");
	ck_assert_str_eq(
	    json_string_value(json_array_get(json_object_get(child, "remote"), 0)),
	    "10.2.0.0/24");
	ck_assert_int_eq(number(child, "bytes_out"), 150);
	ck_assert_int_eq(number(child, "packets_out"), 1);
	ck_assert_int_eq(number(child, "bytes_in"), 0);
	json_decref(reply);
}
END_TEST

/* Forty thousand tunnels: in one reply, and in many that are joined. */
START_TEST(status_of_very_many)
{
	enum { MANY = 40000 };
	struct configured *v = calloc(MANY, sizeof(*v));
	struct control_connection *connections = calloc(MANY, sizeof(*connections));
	struct control_options options = { .base = base, .path = path, .endpoint =
	    berlin.endpoint, .connections = connections, .n_connections = MANY };
	char (*names)[16] = calloc(MANY, sizeof(*names)), why[VARLINK_WHY_LEN];
	json_t *reply, *list, *pieces = json_array();
	struct timespec begin, end;
	size_t n = 0;
	bool more;

	for (unsigned i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "site-%u", i);
		v[i] = berlin.configuration->connections[ANY];
		v[i].name = names[i];
		connections[i].configured = &v[i];
		connections[i].id = ipsec_endpoint_put(berlin.endpoint, ipsec_now(),
		    v[i].connection);
	}
	control_free(control);
	control = control_new(&options, why);
	ck_assert_ptr_nonnull(control);
	caller_close(&caller);
	caller_open(&caller, base, path);

	clock_gettime(CLOCK_MONOTONIC, &begin);
	reply = caller_ask(&caller, CALL("Status"));
	clock_gettime(CLOCK_MONOTONIC, &end);
	ck_assert_str_eq(error_of(reply), "");
	ck_assert_ptr_null(json_object_get(reply, "continues"));
	list = parameter_of(reply, "connections");
	ck_assert_uint_eq(json_array_size(list), MANY);
	ck_assert_int_le(end.tv_sec - begin.tv_sec, 5);	/* it takes a fraction of one */

	caller_say(&caller, "{\"method\":\"" NAMESPACE "Status\",\"more\":true}");
	do {
		json_t *piece = caller_hear(&caller);

		ck_assert_str_eq(error_of(piece), "");
		more = json_is_true(json_object_get(piece, "continues"));
		json_array_extend(pieces, parameter_of(piece, "connections"));
		json_decref(piece);
		n++;
	} while (more);
	ck_assert_uint_ge(n, 100);
	ck_assert(json_equal(pieces, list));
	ck_assert_str_eq(text(json_array_get(list, MANY - 1), "name"), names[MANY - 1]);
	json_decref(pieces);
	json_decref(reply);
	reply = caller_ask(&caller, CALL_OF("Up", "site-39999"));
	not_up(reply, "site-39999", "only the peer can begin");
	control_free(control);
	control = NULL;
	free(v);
	free(connections);
	free(names);
}
END_TEST

/* A path may have octets that are no UTF-8, and JSON may not. */
START_TEST(text_that_is_no_utf8_is_escaped)
{
	static const struct { const char *text, *expected; } rows[] = {
		{ "", "" },
		{ "plain\nand \xc3\xa9", "plain\nand \xc3\xa9" },
		{ "\xff", "\\xff" },
		{ "/etc/\xc3(\n\xfe\n", "/etc/\\xc3(\n\\xfe\n" },
	};
	json_t *string;

	for (int i = 0; i < ROWS(rows); i++) {
		string = report_text(rows[i].text);
		ck_assert_str_eq(json_string_value(string), rows[i].expected);
		json_decref(string);
	}
}
END_TEST

/* ---- without memory ---- */

static size_t refused;			/* which allocation from now on: that one only */

static void *
grant(size_t size)
{
	return refused-- != 0 ? malloc(size) : NULL;
}

/* So that two replies at different times are equal. */
static void
forget_ages(json_t *value)
{
	static const char *const times[] = { "age", "rekey_in", "ends_in", "reauth_in" };
	const char *name;
	json_t *item;
	size_t i;

	json_array_foreach(value, i, item)
		forget_ages(item);
	json_object_foreach(value, name, item) {
		for (i = 0; i < sizeof(times) / sizeof(times[0]); i++)
			if (strcmp(name, times[i]) == 0)
				json_integer_set(item, 0);	/* null stays null */
		forget_ages(item);
	}
}

static json_t *
ask_with(size_t n, const char *call)
{
	json_t *reply;

	caller_close(&caller);
	caller_open(&caller, base, path);
	caller_say(&caller, call);
	json_set_alloc_funcs(grant, free);
	refused = n;
	caller_pause(base, 0);
	json_set_alloc_funcs(malloc, free);
	reply = caller_hear(&caller);
	ck_assert_msg(reply != NULL, "allocation %zu: no answer", n);
	forget_ages(reply);
	return reply;
}

/* How many allocations it takes to read a call: jansson loses characters where one of
 * them fails, and says nothing. */
static size_t
reading(const char *call)
{
	json_t *message;

	json_set_alloc_funcs(grant, free);
	refused = SIZE_MAX;
	message = json_loads(call, JSON_REJECT_DUPLICATES, NULL);
	json_set_alloc_funcs(malloc, free);
	json_decref(message);
	return SIZE_MAX - refused;
}

/* Whichever allocation for a reply fails: an error, and nothing is lost or forgotten. */
START_TEST(every_lack_of_memory_is_survived)
{
	static const char *const calls[] = {
		"{\"method\":\"" NAMESPACE "Status\",\"more\":true}",
		CALL_OF("Status", "paris"),
		CALL_OF("Up", "rome"),
		CALL_OF("Up", "any"),
		CALL_OF("Rekey", "any"),
		CALL_OF("Rekey", "paris\",\"child\":\"lan"),
		CALL("List"),
		"{\"method\":\"org.varlink.service.GetInfo\"}",
		"garbage",
	};
	json_t *reply, *whole;
	bool equal = false;
	size_t n, errors = 0;

	asks(CALL_OF("Up", "paris"), "already", false);
	not_up(caller_ask(&caller, CALL_OF("Up", "wrong")), "wrong", "wrong.psk");
	whole = ask_with(SIZE_MAX, calls[_i]);
	/* at the end no such allocation is reached any more */
	for (n = reading(calls[_i]); (!equal || refused > SIZE_MAX / 2) && n < 20000;
	     n++) {
		reply = ask_with(n, calls[_i]);
		equal = json_equal(reply, whole);
		errors += !equal;
		ck_assert_msg(equal ||
			strcmp(error_of(reply), NAMESPACE "NoMemory") == 0 ||
			strcmp(error_of(reply), NAMESPACE "BadMessage") == 0,
		    "allocation %zu: %s", n, json_dumps(reply, 0));
		json_decref(reply);
	}
	ck_assert(equal);
	ck_assert_uint_gt(errors, 3);
	json_decref(whole);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("control");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, up_and_down);
	tcase_add_loop_test(t, up_is_refused, 0, 4);
	tcase_add_test(t, up_without_an_address_to_call);
	tcase_add_test(t, failure_is_kept_until_success);
	tcase_add_test(t, end_of_an_older_sa_is_no_failure);
	tcase_add_test(t, two_wait_for_one);
	tcase_add_test(t, down_ends_an_up_that_waits);
	tcase_add_test(t, down_without_an_answer);
	tcase_add_test(t, peer_closes_it);
	tcase_add_test(t, caller_that_leaves_does_not_take_the_tunnel_along);
	tcase_add_test(t, calls_may_be_open_at_the_end);
	tcase_add_test(t, rekey_of_each_kind);
	tcase_add_test(t, rekey_of_nothing);
	tcase_add_loop_test(t, rekey_is_asked_wrongly, 0, 4);
	tcase_add_test(t, rekey_is_refused);
	tcase_add_test(t, rekey_of_a_tunnel_that_is_lost);
	tcase_add_test(t, rekey_may_be_open_at_the_end);
	tcase_add_test(t, socket_that_cannot_be);
	tcase_add_loop_test(t, name_is_checked, 0, 4);
	tcase_add_test(t, list_is_in_the_order_of_the_file);
	tcase_add_test(t, version_is_told);
	tcase_add_test(t, replies_fit_the_description);
	tcase_add_test(t, status_of_a_tunnel);
	tcase_add_test(t, status_of_very_many);
	tcase_add_test(t, text_that_is_no_utf8_is_escaped);
	tcase_add_loop_test(t, every_lack_of_memory_is_survived, 0, 9);
	return run_tests("control", t);
}
