#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/configs.h"
#include "tests/unit/files.h"
#include "tests/unit/run.h"
#include "tests/unit/vectors.h"

#define ROWS(a) ((int)(sizeof(a) / sizeof((a)[0])))

static struct config loaded;

static void
teardown(void)
{
	config_forget(&loaded);
}

static bool
load(const char *text)
{
	return config_load(&loaded, text);
}

/* The one fault is in that line and has those words in it. */
static void
one_fault(const char *text, unsigned line, const char *words)
{
	ck_assert_msg(!load(text), "loads: %s", text);
	ck_assert_msg(loaded.faults.n == 1, "of %s:\n%s", text, config_faults(&loaded));
	ck_assert_msg(loaded.faults.v[0].line == line &&
	    config_says(loaded.faults.v[0].text, words),
	    "of %s: %s", text, config_faults(&loaded));
	ck_assert_msg(strpbrk(loaded.faults.v[0].text, ";?") != NULL,
	    "what would be right? %s",
	    loaded.faults.v[0].text);
}

/* ---- what is right ---- */

#define PARIS(more) "connections = { paris = { " PEER(NETS) more " }; };"

START_TEST(file_as_in_the_manual)
{
	const struct configured *paris;
	const struct given *given;

	ck_assert_msg(load(
	    "daemon = { datapath = `tun`; };          # optional\n"
	    "connections = {\n"
	    "  paris = {\n"
	    "    local  = { id = `gw.berlin.example`; subnets = [ `10.1.0.0/24` ]; };\n"
	    "    remote = { address = `203.0.113.7`; id = `gw.paris.example`;\n"
	    "      subnets = [ `10.2.0.0/24`,\n"
	    "        `10.3.0.0/24`\n"
	    "      ]; };\n"
	    "    auth   = `psk`;\n"
	    "    start  = `always`;\n"
	    "  };\n"
	    "};\n"), "%s", config_faults(&loaded));
	ck_assert_uint_eq(loaded.c->n_connections, 1);
	paris = configuration_find(loaded.c, "paris");
	ck_assert_ptr_eq(paris, loaded.c->connections);
	ck_assert_ptr_null(configuration_find(loaded.c, "berlin"));
	ck_assert_uint_eq(paris->origin.line, 3);
	ck_assert_str_eq(paris->connection->name, "paris");
	ck_assert_str_eq(paris->connection->secret, "paris");
	ck_assert_str_eq(paris->connection->remote.text, "203.0.113.7");
	ck_assert_int_eq(paris->connection->start, IKE_START_ALWAYS);
	ck_assert_int_eq(paris->connection->encap, IKE_ENCAP_FORCE);
	ck_assert_uint_eq(paris->connection->n_children, 1);
	ck_assert_str_eq(paris->connection->children[0].name, "paris");
	ck_assert_uint_eq(paris->connection->children[0].local.n, 1);
	ck_assert_uint_eq(paris->connection->children[0].remote.n, 2);

	ck_assert_uint_eq(configured_origin(paris, "local.id", -1).line, 4);
	ck_assert_uint_eq(configured_origin(paris, "remote.id", -1).line, 5);
	ck_assert_uint_eq(configured_origin(paris, "start", -1).line, 10);
	ck_assert_uint_eq(configured_origin(paris, "children.paris.remote", -1).line, 6);
	ck_assert_uint_eq(configured_origin(paris, "children.remote", 0).line, 6);
	/* not in the file: the group, the connection */
	ck_assert_uint_eq(configured_origin(paris, "local.address", -1).line, 4);
	ck_assert_uint_eq(configured_origin(paris, "ike", -1).line, 3);
	ck_assert_ptr_null(configured_find(paris, "ike", -1));
	given = configured_find(paris, "children.paris.remote", -1);
	ck_assert_uint_eq(given->lines[0], 6);
	ck_assert_uint_eq(given->lines[1], 7);
	ck_assert_str_eq(configured_origin(paris, "ike", -1).file, loaded.c->file);
}
END_TEST

START_TEST(file_without_anything)
{
	static const char *const texts[] = {
		"", "\n", "# nothing\n", "connections = { };",
		"connections = ( );", "daemon = { };"
	};

	ck_assert_msg(load(texts[_i]), "%s", config_faults(&loaded));
	ck_assert_uint_eq(loaded.c->n_connections, 0);
	ck_assert_str_eq(loaded.c->daemon.datapath, "tun");
	ck_assert_uint_eq(loaded.c->daemon.listen.n, 0);
	ck_assert_uint_eq(loaded.c->daemon.port, 500);
	ck_assert_uint_eq(loaded.c->daemon.natt_port, 4500);
	ck_assert_str_eq(loaded.c->daemon.secrets_dir, "/etc/ikev.secrets.d");
	ck_assert_ptr_null(loaded.c->daemon.user);
	ck_assert_int_eq(loaded.c->daemon.log, LOG_LEVEL_INFO);
}
END_TEST

START_TEST(daemon_has_it_all)
{
	ck_assert_msg(load("daemon = { datapath = `tun`;\n"
	    "listen = [ `192.0.2.1`, `::1` ];\n"
	    "port = 1500; natt_port = 0x1194; secrets_dir = `/run/s`; user = `root`;\n"
	    "log = `debug`; };"), "%s", config_faults(&loaded));
	ck_assert_uint_eq(loaded.c->daemon.listen.n, 2);
	ck_assert_str_eq(loaded.c->daemon.listen.v[1], "::1");
	ck_assert_uint_eq(loaded.c->daemon.port, 1500);
	ck_assert_uint_eq(loaded.c->daemon.natt_port, 4500);
	ck_assert_str_eq(loaded.c->daemon.secrets_dir, "/run/s");
	ck_assert_str_eq(loaded.c->daemon.user, "root");
	ck_assert_int_eq(loaded.c->daemon.log, LOG_LEVEL_DEBUG);
}
END_TEST

START_TEST(text_for_a_list_of_texts)
{
	ck_assert_msg(load("daemon = { listen = `192.0.2.1`; };\n"
	    "connections = { paris = { " PEER("subnets = `10.1.0.0/24`;")
	    " ike = `aes256-sha256-modp2048`;\n"
	    "esp = ( `aes256gcm16`, `aes128gcm16` ); }; };"),
	    "%s", config_faults(&loaded));
	ck_assert_uint_eq(loaded.c->daemon.listen.n, 1);
	ck_assert_uint_eq(loaded.c->connections[0].connection->ike.n, 1);
	ck_assert_uint_eq(loaded.c->connections[0].connection->esp.n, 2);
}
END_TEST

#define AT(address) "connections = { paris = { local = { id = `berlin`; " NETS " }; " \
	"remote = { id = `paris`; " NETS " address = " address "; }; }; };"

static const struct { const char *text, *joined; unsigned n; } addresses[] = {
	{ AT("`203.0.113.7`"), "203.0.113.7", 1 },
	{ AT("[ `203.0.113.7` ]"), "203.0.113.7", 1 },
	{ AT("[ `gw.example`, `2001:db8::/64`,\n`203.0.113.1-203.0.113.9` ]"),
	    "gw.example, 2001:db8::/64, 203.0.113.1-203.0.113.9", 3 },
	{ AT("( `203.0.113.7`, `203.0.113.8` )"), "203.0.113.7, 203.0.113.8", 2 },
	{ AT("`198.51.100.0/24`"), "198.51.100.0/24", 1 },
	{ AT("`any`"), "any", 1 },
};

START_TEST(addresses_of_a_peer)
{
	const struct ike_hosts *hosts;

	ck_assert_msg(load(addresses[_i].text), "%s", config_faults(&loaded));
	hosts = &loaded.c->connections[0].connection->remote;
	ck_assert_str_eq(hosts->text, addresses[_i].joined);
	ck_assert_uint_eq(hosts->n, addresses[_i].n);
}
END_TEST

static const struct {
	const char *more;
	enum ike_unique unique;
	enum ike_on_dead on_dead;
} after[] = {
	{ "", IKE_UNIQUE_REPLACE, IKE_ON_DEAD_BY_START },
	{ "unique = `replace`; on_dead = `restart`;",
	    IKE_UNIQUE_REPLACE, IKE_ON_DEAD_RESTART },
	{ "unique = `keep`; on_dead = `drop`;", IKE_UNIQUE_KEEP, IKE_ON_DEAD_DROP },
	{ "unique = `never`; on_dead = `on-demand`;",
	    IKE_UNIQUE_NEVER, IKE_ON_DEAD_ON_DEMAND },
};

START_TEST(words_reach_the_connection)
{
	const struct ike_connection *built;
	char text[1024];

	snprintf(text, sizeof(text), "connections = { paris = { " PEER(NETS) " %s }; };",
	    after[_i].more);
	ck_assert_msg(load(text), "%s", config_faults(&loaded));
	built = loaded.c->connections[0].connection;
	ck_assert_int_eq(built->unique, after[_i].unique);
	ck_assert_int_eq(built->on_dead, after[_i].on_dead);
}
END_TEST

static const struct ike_connection *
built_with(const char *more)
{
	char text[2048];

	snprintf(text, sizeof(text), "connections = { paris = { " PEER(NETS) " %s }; };",
	    more);
	ck_assert_msg(load(text), "%s", config_faults(&loaded));
	return loaded.c->connections[0].connection;
}

START_TEST(quantities_reach_the_connection)
{
	const struct ike_connection *c = built_with(
	    "rekey = { ike = `2h`; child = `90s`; bytes = `64G`; packets = `5000000000`;"
	    "  jitter = `25%`; };"
	    "expire = { ike = `3h`; child = `2m`; bytes = `1T`; packets = 6000000000L; };"
	    "reauth = `7d`; dpd = `2.5s`; pfs = `require`; mobike = false;"
	    "retransmit = { first = `250ms`; factor = 1.5; most = `4s`; tries = 7; };"
	    "retransmit_setup = { first = `1s`; factor = `2`; most = `8s`;"
	    "  tries = `3`; };"
	    "fragment = 576; childless = false;");
	const struct ike_renewal *r = &c->renewal;

	ck_assert_int_eq(r->ike, 7200 * IKE_SECOND);
	ck_assert_int_eq(r->child.time, 90 * IKE_SECOND);
	ck_assert_uint_eq(r->child.octets, UINT64_C(64) << 30);
	ck_assert_uint_eq(r->child.packets, UINT64_C(5000000000));
	ck_assert_uint_eq(r->jitter_percent, 25);
	ck_assert_int_eq(r->ike_hard, 10800 * IKE_SECOND);
	ck_assert_int_eq(r->child_hard.time, 120 * IKE_SECOND);
	ck_assert_uint_eq(r->child_hard.octets, UINT64_C(1) << 40);
	ck_assert_uint_eq(r->child_hard.packets, UINT64_C(6000000000));
	ck_assert_int_eq(r->reauth, 7 * 86400 * IKE_SECOND);
	ck_assert_int_eq(c->dpd, 5 * IKE_SECOND / 2);
	ck_assert_int_eq(c->pfs, IKE_PFS_REQUIRE);
	ck_assert_int_eq(c->established.first, IKE_SECOND / 4);
	ck_assert_uint_eq(c->established.factor_percent, 150);
	ck_assert_int_eq(c->established.most, 4 * IKE_SECOND);
	ck_assert_uint_eq(c->established.tries, 7);
	ck_assert_int_eq(c->setting_up.first, IKE_SECOND);
	ck_assert_uint_eq(c->setting_up.factor_percent, 200);
	ck_assert_int_eq(c->setting_up.most, 8 * IKE_SECOND);
	ck_assert_uint_eq(c->setting_up.tries, 3);
	ck_assert_uint_eq(c->fragment, 576);
	ck_assert(!c->mobike && !c->childless);
}
END_TEST

/* A number that is 0 is written in any of these ways. */
START_TEST(never_reaches_the_connection)
{
	static const char *const nevers[] = { "0", "`0`", "`never`", "`off`" };
	const struct ike_connection *c;
	char more[512];

	snprintf(more, sizeof(more), "rekey = { ike = %1$s; child = %1$s; bytes = %1$s; "
	    "packets = %1$s; jitter = %1$s; }; reauth = %1$s; dpd = %1$s; "
	    "fragment = %1$s; mobike = true; childless = true;", nevers[_i]);
	c = built_with(more);
	ck_assert_int_eq(c->renewal.ike + c->renewal.ike_hard, 0);
	ck_assert_int_eq(c->renewal.child.time + c->renewal.child_hard.time, 0);
	ck_assert_uint_eq(c->renewal.child.octets + c->renewal.child_hard.octets, 0);
	ck_assert_uint_eq(c->renewal.child.packets + c->renewal.child_hard.packets, 0);
	ck_assert_uint_eq(c->renewal.jitter_percent, 0);
	ck_assert_int_eq(c->renewal.reauth + c->dpd, 0);
	ck_assert_uint_eq(c->fragment, 0);
	ck_assert(c->mobike && c->childless);
}
END_TEST

static void
same_schedule(const struct ike_retransmission *a, const struct ike_retransmission *b)
{
	ck_assert_int_eq(a->first, b->first);
	ck_assert_int_eq(a->most, b->most);
	ck_assert_uint_eq(a->factor_percent, b->factor_percent);
	ck_assert_uint_eq(a->tries, b->tries);
}

/* A file that says every default says nothing: the table and the engine have the same. */
START_TEST(defaults_are_the_engines)
{
	const struct setting *row = NULL;
	struct ike_setup setup;
	const struct ike_connection *c;
	char more[2048] = "";
	size_t at = 0;

	while ((row = setting_next(row)) != NULL) {
		const char *dot = strchr(row->name, '.');

		if (row->scope != SETTINGS_CONNECTION || row->standard == NULL ||
		    (row->type != SETTING_QUANTITY && row->type != SETTING_BOOL &&
		    row->type != SETTING_CHOICE))
			continue;
		at += (size_t)snprintf(more + at, sizeof(more) - at,
		    row->type == SETTING_BOOL ? "%.*s%s%s = %s;%s\n" :
		    "%.*s%s%s = `%s`;%s\n", dot == NULL ? 0 : (int)(dot - row->name),
		    row->name, dot == NULL ? "" : " = { ", setting_key(row),
		    row->standard, dot == NULL ? "" : " };");
		if (dot != NULL) {	/* a group stands once: each by itself */
			c = built_with(more);
			ike_setup_defaults(&setup);
			ck_assert_int_eq(c->renewal.ike, setup.renewal.ike);
			ck_assert_int_eq(c->renewal.child.time, setup.renewal.child.time);
			ck_assert_uint_eq(c->renewal.jitter_percent,
			    setup.renewal.jitter_percent);
			same_schedule(&c->established, &setup.established);
			same_schedule(&c->setting_up, &setup.setting_up);
			at = 0;
			more[0] = '\0';
		}
	}
	c = built_with(more);
	ike_setup_defaults(&setup);
	ck_assert_int_eq(c->start, setup.start);
	ck_assert_int_eq(c->encap, setup.encap);
	ck_assert_int_eq(c->unique, setup.unique);
	ck_assert_int_eq(c->pfs, setup.pfs);
	ck_assert_int_eq(c->dpd, setup.dpd);
	ck_assert_int_eq(c->renewal.reauth, setup.renewal.reauth);
	ck_assert_uint_eq(c->fragment, setup.fragment);
	ck_assert(c->mobike == setup.mobike && c->childless == setup.childless);
}
END_TEST

START_TEST(connections_as_a_list)
{
	ck_assert_msg(load("connections = (\n"
	    "{ name = `10-paris`; " PEER(NETS) " },\n"
	    "{ " PEER(NETS) " name = `rome.example`; } );\n"), "%s",
	    config_faults(&loaded));
	ck_assert_uint_eq(loaded.c->n_connections, 2);
	ck_assert_uint_eq(configuration_find(loaded.c, "10-paris")->origin.line, 2);
	ck_assert_uint_eq(configuration_find(loaded.c, "rome.example")->origin.line, 3);
	ck_assert_str_eq(loaded.c->connections[1].connection->children[0].name,
	    "rome.example");
}
END_TEST

/* These names are as good as others. */
START_TEST(connections_named_as_settings)
{
	ck_assert_msg(load("connections = { local = { " PEER(NETS) " };\n"
	    "remote = { " PEER(NETS) " }; };"), "%s", config_faults(&loaded));
	ck_assert_uint_eq(loaded.c->n_connections, 2);
}
END_TEST

START_TEST(byte_order_mark)
{
	ck_assert_msg(load("\xef\xbb\xbf" "daemon = { port = 501; };"), "%s",
	    config_faults(&loaded));
	ck_assert_uint_eq(loaded.c->daemon.port, 501);
	ck_assert(!load("\xef\xbb"));
}
END_TEST

static const char *const families[] = {
	"children = { lan = { local = `10.1.0.0/24`; remote = [ `10.2.0.0/24` ]; };\n"
	"lan6 = { local = `2001:db8:1::/64`; remote = `2001:db8:2::/64`; }; };",
	"children = ( { name = `lan`; local = `10.1.0.0/24`; remote = `10.2.0.0/24`; },\n"
	"{ local = `2001:db8:1::/64`; remote = `2001:db8:2::/64`; name = `lan6`; } );",
};

START_TEST(children_as_groups_and_as_a_list)
{
	const struct configured *paris;
	char text[1024];

	snprintf(text, sizeof(text), "connections = { paris = { " PEER("") "\n%s }; };",
	    families[_i]);
	ck_assert_msg(load(text), "%s", config_faults(&loaded));
	paris = &loaded.c->connections[0];
	ck_assert_uint_eq(paris->connection->n_children, 2);
	ck_assert_str_eq(paris->connection->children[1].name, "lan6");
	ck_assert_uint_eq(configured_origin(paris, "children.lan.local", -1).line, 2);
	ck_assert_uint_eq(configured_origin(paris, "children.lan6.local", -1).line, 3);
	ck_assert_uint_eq(configured_origin(paris, "children.local", 1).line, 3);
	ck_assert_ptr_null(configured_find(paris, "children.lan7.local", -1));
	ck_assert_uint_eq(configured_origin(paris, "children.lan7.local", -1).line, 2);
}
END_TEST

/* ---- one thing wrong ---- */

static const struct {
	const char *text;
	unsigned line;
	const char *words;
} wrong[] = {
	/* names */
	{ "\nconections = { };", 2, "did you mean `connections`?" },
	{ "\nparis = { };", 2, "there are: daemon, connections" },
	{ "daemon = {\n lisen = `::`; };", 2, "did you mean `listen`?" },
	{ "daemon = {\n x = 5; };", 2, "there are: datapath, listen, port, natt_port" },
	{ PARIS("\nstrat = `always`;"),
	    2, "paris: there is no setting `strat`; did you mean" },
	{ PARIS("\nsubnets = `::/0`;"), 2, "local = { subnets" },
	{ PARIS("\npsk = `sesame`;"), 2, "NAME.psk" },
	{ PARIS("\nleftsubnet = `::/0`;"), 2, "local = { subnets" },
	{ "connections = { paris = { local = { id = `berlin`;\n"
	    "start = `always`; " NETS " };\n"
	    "remote = { address = `192.0.2.1`; id = `paris`; " NETS " }; }; };", 2,
	    "one level higher" },
	/* types */
	{ "daemon = 5;", 1, "daemon is a number; it must be a group" },
	{ "daemon = [ `x` ];", 1, "daemon is an array; it must be a group" },
	{ "connections = true;",
	    1, "connections is true or false; it must be a group of named" },
	{ "connections = [ ];",
	    1, "connections is an array; it must be a group of named" },
	{ "connections = {\n paris = `x`; };",
	    2, "connections.paris is a text; it must be a group" },
	{ "connections = (\n 5 );", 2, "connections is a number; it must be a group" },
	{ "connections = (\n { " PEER(NETS) " } );", 2, "has no name" },
	{ "connections = (\n {\n name = 5;\n" PEER(NETS) " } );",
	    3, "name is a number; it must be a text" },
	{ PARIS("\nname = `paris`;"), 2, "has its name already" },
	{ "daemon = {\n port = `500`; };",
	    2, "daemon.port is a text; it must be a number without" },
	{ "daemon = {\n port = 500.0; };", 2, "daemon.port is a fraction" },
	{ "daemon = {\n log = 5; };", 2, "daemon.log is a number; it must be a text" },
	{ "daemon = {\n listen = 5; };",
	    2, "daemon.listen is a number; it must be a list of texts" },
	{ "daemon = {\n listen = { }; };",
	    2, "daemon.listen is a group; it must be a list of texts" },
	{ "daemon = {\n listen = [ `::`,\n`x`\n ]; };", 3, "`x` is not an IP address" },
	{ "daemon = {\n listen = ( `::`,\n 5 ); };", 3, "daemon.listen is a number" },
	{ "daemon = {\n listen = [ ]; };", 2, "daemon.listen is an empty list" },
	{ "daemon = {\n secrets_dir = ``; };", 2, "daemon.secrets_dir is empty" },
	{ PARIS("\nchildren = 5;"), 2, "children is a number" },
	/* values */
	{ "daemon = {\n port = 0; };", 2, "daemon.port is 0; it may be 1 to 65535" },
	{ "daemon = {\n port = 65536; };", 2, "daemon.port is 65536; it may be" },
	{ "daemon = {\n port = -1; };", 2, "daemon.port is -1; it may be" },
	{ "daemon = {\n port = 5000000000L; };",
	    2, "daemon.port is 5000000000; it may be" },
	{ "daemon = {\n port = 4500; };", 2, "port and natt_port are both 4500" },
	{ "daemon = {\n natt_port = 500; };", 2, "port and natt_port are both 500" },
	{ "daemon = {\n log = `verbose`; };", 2, "`warning`, `notice`" },
	{ "daemon = {\n datapath = `xfrm`; };", 2, "the one it has is `tun`" },
	{ "daemon = {\n datapath = `tum`; };", 2, "did you mean `tun`?" },
	{ "daemon = {\n secrets_dir = `x`; };", 2, "it begins with a `/`" },
	{ "daemon = {\n user = `no-such-user-here`; };", 2, "there is no user" },
	{ PARIS("\nstart = `on_demand`;"), 2, "did you mean `on-demand`?" },
	{ "connections = {\n paris = { local = ( `berlin` );\n"
	    "remote = { address = `192.0.2.1`; id = `paris`; " NETS " }; }; };", 2,
	    "paris: local is a list; it must be a group" },
	{ "\nconnections = { name = `paris`; " PEER(NETS) " };", 2,
	    "they stand in a group with its name: connections = { paris = {" },
	{ "connections = (\n{ name = ``;\n" PEER(NETS) " } );", 2, "name is empty" },
	{ "connections = (\n{ " PEER(NETS) " paris = { }; } );", 2, "has no name" },
	{ "connections = (\n( { name = `a`; } ) );", 2, "is a list; it must be a group" },
	{ "connections = {\na = ( { } ); };", 2, "connections.a is a list; it must be" },
	{ "connections = { paris = { " PEER("") "\nchildren = ( { local = `10.0.0.0/8`;\n"
	    "remote = `10.0.0.0/8`; } ); }; };", 2, "this item of children has no name" },
	{ "connections = { paris = { " PEER("") "\nchildren = ( { name = `x`;\n"
	    "local = `10.0.0.0/8`; remote = `10.0.0.0/8`; }, { name = `x`;\n"
	    "local = `10.1.0.0/16`; remote = `10.0.0.0/8`; } ); }; };", 3,
	    "there are two children with the name `x`" },
	{ PARIS("\nunique = `yes`;"),
	    2, "unique is `yes`; there are: `replace`, `keep`, `never`" },
	{ PARIS("\non_dead = `restrat`;"), 2, "did you mean `restart`?" },
	{ PARIS("\non_daed = `restart`;"), 2, "did you mean `on_dead`?" },
	{ AT("[ `203.0.113.7`,\n`203.0.113.0/24`,\n`a b` ]"),
	    3, "paris: remote.address: `a b` is neither" },
	{ AT("[ `203.0.113.7`,\n`any` ]"), 2, "remote.address " },
	{ AT("`203.0.113.7, 203.0.113.8`"), 1, "address = [ `203.0.113.7`, " },
	{ AT("[ `203.0.113.7`,\n5 ]"), 2, "double quotes" },
	{ AT("( `203.0.113.7`,\n5 )"), 2, "remote.address is a number" },
	{ AT("[ ]"), 1, "remote.address is an empty list" },
	{ "connections = { paris = { local = { id = `berlin`; " NETS " }; remote = {\n"
	    "address = [ `203.0.113.0/24`, `any` ]; id = `paris`; " NETS " }; }; };",
	    2, "remote.address " },
	{ "connections = { paris = { local = { id = `berlin`; " NETS " };\nremote = {\n"
	    "address = `203.0.113.0/24`; id = `paris`; " NETS " };\n"
	    "start = `always`; }; };",
	    3, "cannot be called" },
	{ PARIS("\nrekey = {\nike = `4x`; };"), 3,
	    "paris: rekey.ike is `4x`; it must be a number and its unit: ms, s, m, h or "
	    "d, or `never`: ike = `4h`;" },
	{ PARIS("\nrekey = {\nike = 5; };"),
	    3, "rekey.ike is `5`; it must be a number and" },
	{ PARIS("\nrekey = {\nike = ``; };"), 3, "rekey.ike is ``; it must be a number" },
	{ PARIS("\nrekey = {\nike = [ `4h` ]; };"),
	    3, "rekey.ike is an array; it must be a text in double quotes: ike = `4h`;" },
	{ PARIS("\nrekey = {\nike = `100000d`; };"),
	    3, "rekey.ike is 100000d; it may be 0 to" },
	{ PARIS("\nrekey = {\nike = `1ms`; };"), 3, "rekey.ike is not between a second" },
	{ PARIS("\nrekey = {\nbytes = `64X`; };"),
	    3, "in one of the units K, M, G and T" },
	{ PARIS("\nrekey = {\nbytes = 5000000000; };"), 3,
	    "does not fit into 32 bits; write a large number as text" },
	{ PARIS("\nfragment = true;"), 2,
	    "must be a number without quotes: fragment = 1280;" },
	{ PARIS("\nmode = `transport`;"), 2, "it belongs to a child: children = " },
	{ PARIS("\nexpire = {\nchild = `never`; };"), 3,
	    "expire.child is never; it may be 1s to 3650d" },
	{ PARIS("\nexpire = {\nbytes = `off`; };"), 3,
	    "expire.bytes is off; it must be 1 or more, for instance: bytes = `80G`;" },
	{ PARIS("\nrekey = {\npackets = -1; };"),
	    3, "rekey.packets is `-1`; it must be a" },
	{ PARIS("\nrekey = {\njitter = `51%`; };"),
	    3, "jitter is 51%; it may be 0 to 50%" },
	{ PARIS("\nrekey = {\njitter = 7.5; };"),
	    3, "a whole number of percent: jitter" },
	{ PARIS("\nrekey = {\nchild = `1h`; };\nexpire = { child = `1h`; };"),
	    4, "expire.child is not more than rekey.child" },
	{ PARIS("\nexpire = { bytes = `1G`;\n}; rekey = { bytes = `1G`; };"),
	    2, "expire.bytes is not more than rekey.bytes" },
	{ PARIS("\nrekey = `1h`;"), 2, "rekey is a text; it must be a group: rekey = {" },
	{ PARIS("\nrekey_time = `1h`;"),
	    2, "write: rekey = { ike = `4h`; child = `1h`; };" },
	{ PARIS("\nrekey = { chlid = `1h`; };"), 2, "did you mean `child`?" },
	{ PARIS("\ndpd = `500ms`;"), 2, "paris: dpd is not between a second and a day" },
	{ PARIS("\ndpd = 30;"), 2, "dpd is `30`; it must be a number and its unit" },
	{ PARIS("\npfs = `yes`;"), 2, "there are: `prefer`, `require`, `off`" },
	{ PARIS("\npfs = `require`;\nesp = `aes256gcm16-modpnone`;"),
	    3, "esp names modpnone and no group beside it, and pfs is require" },
	{ PARIS("\nretransmit = {\ntries = 0; };"), 3, "tries is 0; it may be 1 to 255" },
	{ PARIS("\nretransmit = {\nfactor = 0.9; };"),
	    3, "is 0.9; it may be 1.00 to 10.00" },
	{ PARIS("\nretransmit = { most = `400ms`; };"),
	    2, "retransmit: the first interval must be more than 0 and at most the" },
	{ PARIS("\nfragment = 575;"),
	    2, "fragment is 575, which is not between 576 and" },
	{ PARIS("\nfragment = 65536;"), 2, "fragment is 65536; it may be 0 to 65000" },
	{ PARIS("\nmobike = `yes`;"),
	    2, "mobike is a text; it must be true or false, without quotes: mobike =" },
	{ PARIS("\nmobike = 1;"), 2, "mobike is a number; it must be true or false" },
	{ "connections = { paris = { " PEER("") "\nchildren = { lan = {\n"
	    "local = `10.1.0.0/24`; remote = `10.2.0.0/24`; mode = `transport`; }; "
	    "}; }; };", 3, "paris: mode: the data path `tun` carries tunnel mode only" },
	{ PARIS("\nauth = `pubkey`;"), 2, "auth is `pubkey`; there are: `psk`" },
	/* what the engine says */
	{ PARIS("\nike = [ `aes256-sha256-modp2048`,\n`aes256-md5` ];"),
	    3, "paris: ike: " },
	{ PARIS("\nesp = `rot13`;"), 2, "paris: esp: " },
	{ PARIS("\nike = [ `default`,\n`aes256-sha1-modp2048` ];"),
	    3, "or, if the peer can do nothing better, add: compat = `sha1`" },
	{ PARIS("\ncompat = [ `sha1`,\n`md5` ];"),
	    3, "paris: compat: `md5` is not a weak algorithm that may be allowed" },
	{ PARIS("\ncompat = `sha1`;\nike = `aes256-sha256-modp1024`;"),
	    3, "modp1024 (DH group 2) can be broken and is never used" },
	{ "connections = { paris = { local = { id = `berlin`; " NETS " };\n"
	    "remote = { id = `paris`; " NETS " }; }; };",
	    2, "remote.address is missing" },
	{ "connections = { paris = { local = { " NETS " };\n remote = { address = `::1`; "
	    "id = `paris`; " NETS " }; }; };", 1, "local.id is missing" },
	{ "connections = { paris = { local = { id = `berlin`;"
	    "subnets = [ `10.1.0.0/24`,\n"
	    "`10.2.0.1/24`\n] };\n remote = { address = `192.0.2.1`; id = `paris`; " NETS
	    " }; }; };", 2, "local.subnets: `10.2.0.1/24`" },
	{ "connections = (\n{ name = `a/b`; " PEER(NETS) " } );",
	    2, "`a/b` is not a name" },
	/* what does not fit together */
	{ "connections = { paris = {\n local = { id = `berlin`; };\n"
	    "remote = { address = `192.0.2.1`; id = `paris`; " NETS " }; }; };", 2,
	    "local.subnets is missing" },
	{ "connections = ( { name = `a`; " PEER(NETS) " },\n"
	    "{ name = `b`; " PEER(NETS) " },\n"
	    "{ name = `a`; " PEER(NETS) " } );", 3, "has the name `a`, at " },
	{ "connections = { paris = { " PEER("") "\nchildren = { lan = {\n"
	    "local = `10.1.0.0/24`; }; }; }; };", 2, "children.lan.remote is" },
	{ "connections = { paris = { " PEER("") "\nchildren = {\n"
	    "lan = { local = `10.1.0.0/24`; remote = `10.2.0.0/24`; };\n"
	    "dmz = { local = `10.1.0.0/24`; remote = `10.2.0.0/24`; }; }; }; };",
	    4, "children.dmz.local: " },
	{ "connections = { paris = {\nlocal = { id = `berlin`; " NETS " };\n"
	    "remote = { address = `192.0.2.1`; id = `paris`;\n"
	    "subnets = [ `10.2.0.0/24`, `2001:db8::/32` ]; }; }; };",
	    4, "remote.subnets has IPv6" },
	{ "connections = { paris = { " PEER("") "\nchildren = { }; }; };",
	    2, "children is empty" },
};

START_TEST(fault_in_its_line)
{
	one_fault(wrong[_i].text, wrong[_i].line, wrong[_i].words);
}
END_TEST

START_TEST(subnets_and_children)
{
	ck_assert(!load("connections = { paris = {\n" PEER(NETS) "\n"
	    "children = { lan = { local = `10.1.0.0/24`; remote = `10.2.0.0/24`; }; };\n"
	    "}; };"));
	ck_assert_uint_eq(loaded.faults.n, 2);
	ck_assert(config_says(loaded.faults.v[0].text, "local.subnets and children"));
	ck_assert(config_says(loaded.faults.v[1].text, "remote.subnets and children"));
}
END_TEST

/* ---- syntax ---- */

static const struct {
	const char *text;
	unsigned line;
	const char *words;
} broken[] = {
	{ "\ndaemon {\n port = 500; };", 2, "write: daemon = {" },
	{ "daemon = {\n listen = [ `::`,\n ]; };", 2, "a comma behind the last item" },
	{ "connections = (\n { },\n);", 2, "a comma behind the last item" },
	{ "connections = ( { }\n { } );", 1, "no comma between two items" },
	{ "daemon = {\n log = info; };", 2, "write: `info`" },
	{ "daemon = {\n log = 'info'; };", 2, "write: `info`" },
	{ "daemon = {\n listen = [ 10.1.0.0/24 ]; };", 2, "write: `10.1.0.0/24`" },
	{ "daemon = {\n listen = [ (`::`) ]; };", 2, "between `[` and `]`" },
	{ "daemon = {\n listen = [ `::`; ]; };", 2, "write `,` for `;`" },
	{ "daemon = {\n port 500; };", 2, "there is no `=`; write: port = 500" },
	{ "daemon = {\n listen [ `::1` ]; };", 2, "there is no `=`; write: listen = [" },
	{ "daemon = {\n log `info`; };", 2, "there is no `=`; write: log = `info`" },
	{ "daemon = { };\nconnections\n", 2, "no value behind `connections`; write:" },
	{ "daemon = {\n port; };", 2, "no value behind `port`; write: port = ...;" },
	{ "daemon = {\n port\n log = `info`; };", 2, "no value behind `port`" },
	{ "connections = (\n name = `a`; );", 2, "in a group: ( { name = ...; } )" },
	{ "daemon = {\n log = ; };", 2, "no value behind the `=`" },
	{ "daemon = {\n log = `info;\n port = 500; };",
	    2, "goes over the end of the line" },
	{ "connections = {\n a = `x;\n b = [ `10.0.0.0/8` ]; };",
	    2, "goes over the end" },
	{ "daemon = {\n /* log = 5;\n };", 2, "comment never ends" },
	{ "daemon = {\n port = 500;\n", 1, "never closed" },
	{ "daemon = { port = 500; };\n };", 2, "closes nothing" },
	{ "daemon = { listen = [ `::` };", 1, "closes the `[` of line 1" },
	{ "daemon = { };\n;", 2, "too many" },
	{ "daemon.port = 500;", 1, "a name has no dots" },
	{ "connections = {\n 10-paris = { }; };", 2, "is not a name" },
	{ "connections = {\n `paris` = { }; };", 2, "write: paris =" },
	{ "daemon = {\n port = 500;\n port = 501; };",
	    3, "port stands twice in the same group, first in line 2; remove one" },
	{ "connections = { paris = { };\n paris = { }; };",
	    2, "paris stands twice in the same group, first in line 1" },
	{ "connections = { a = { b = { }; }; b = { };\n"
	    "c = { b = 1; /* b */ b\n=2; }; };",
	    2, "b stands twice in the same group, first in line 2" },
	{ "connections = { };\nconnections = { };", 2,
	    "connections stands twice, first in line 1; put what is in both into one" },
	{ "connections = ( );\n\nconnections = { };", 3, "a file of its own in " },
	{ "daemon = {\n listen = [ `::`, 5 ]; };", 2, "double quotes" },
	{ "\n@include `/nowhere`\n", 2, "include" },
};

START_TEST(syntax_explained)
{
	one_fault(broken[_i].text, broken[_i].line, broken[_i].words);
}
END_TEST

/* What libconfig takes for something else. */
static const struct {
	const char *text;
	unsigned line;
	const char *words;
} misread[] = {
	{ "daemon = {\n port = 4294967796; };", 2, "does not fit into 32 bits" },
	{ "daemon = {\n port = 0x1000001f4; };", 2, "does not fit into 32 bits" },
	{ "daemon = {\n listen = [ `192.0.2.`\n`1` ]; };",
	    2, "no comma between two texts" },
	{ "daemon = {\n secrets_dir = `/etc\\x00/ikev`; };", 2, "\\x00" },
};

START_TEST(misread_by_libconfig)
{
	one_fault(misread[_i].text, misread[_i].line, misread[_i].words);
}
END_TEST

/* Nor is it told that the file has a number that it has not. */
static const struct { const char *text, *bits; } huge[] = {
	{ "daemon = {\n port = 99999999999999999999; };", "does not fit into 32 bits" },
	{ "daemon = {\n port = 0x1FFFFFFFFFFFFFFFF; };", "does not fit into 32 bits" },
	{ "daemon = {\n port = -9999999999; };", "does not fit into 32 bits" },
	{ "daemon = {\n port = 99999999999999999999L; };", "does not fit into 64 bits" },
	{ "daemon = {\n port = 0x1FFFFFFFFFFFFFFFFL; };", "does not fit into 64 bits" },
	{ "daemon = {\n port = -99999999999999999999999999999999999999999999999L; };",
	    "does not fit into 64 bits" },
};

START_TEST(number_huge)
{
	ck_assert(!load(huge[_i].text));
	ck_assert_msg(loaded.faults.n == 2, "%s", config_faults(&loaded));
	ck_assert_uint_eq(loaded.faults.v[0].line, 2);
	ck_assert_msg(config_says(loaded.faults.v[0].text, huge[_i].bits), "%s",
	    config_faults(&loaded));
	ck_assert_str_eq(loaded.faults.v[1].text,
	    "daemon.port may be 1 to 65535, for instance: port = 500;");
	ck_assert_uint_eq(loaded.faults.v[1].line, 2);
}
END_TEST

START_TEST(nul_octet)
{
	static const char text[] = "daemon = { };\n# \0\nconnections = 5;";

	ck_assert(!config_load_octets(&loaded, text, sizeof(text) - 1));
	ck_assert_uint_eq(loaded.faults.n, 1);
	ck_assert_uint_eq(loaded.faults.v[0].line, 2);
	ck_assert_ptr_nonnull(strstr(loaded.faults.v[0].text, "NUL"));
}
END_TEST

/* ---- everything at once ---- */

static const struct {
	unsigned line;
	const char *words;
} expected[] = {
	{ 1, "there is no setting `daemon.prot`; did you mean `port`?" },
	{ 1, "daemon.log is a number" },
	{ 2, "daemon.listen: `x` is not an IP address" },
	{ 4, "paris: local.id is empty" },
	{ 5, "paris: there is no setting `remote.adress`; did you mean `address`?" },
	{ 6, "paris: start is `sometimes`" },
	{ 6, "paris: remote.subnets: `10.2.0.1/24`" },
	{ 7, "rome: local.subnets is missing" },
	{ 7, "rome: remote.subnets is missing" },
	{ 7, "rome: local.id is missing" },
	{ 7, "rome: remote.address is missing" },
	{ 7, "rome: remote.id is missing" },
	{ 7, "rome: ike: rot13" },
	{ 8, "connections is a number" },
	{ 9, "there is no setting `more`" },
};

START_TEST(faults_all_in_one_run)
{
	unsigned i, k;

	ck_assert(!load(
	    "daemon = { prot = 500; log = 5;\n"
	    "  listen = `x`; };\n"
	    "connections = (\n"
	    "  { name = `paris`; local = { id = ``; " NETS " };\n"
	    "    remote = { adress = `203.0.113.7`; id = `paris`; subnets = [\n"
	    "       `10.2.0.1/24` ]; }; start = `sometimes`; },\n"
	    "  { name = `rome`; ike = `rot13`; },\n"
	    "  5 );\n"
	    "more = 1;\n"));
	for (i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		for (k = 0; k < loaded.faults.n; k++)
			if (loaded.faults.v[k].line == expected[i].line &&
			    config_says(loaded.faults.v[k].text, expected[i].words))
				break;
		ck_assert_msg(k < loaded.faults.n, "missing: %s", expected[i].words);
	}
	ck_assert_uint_eq(loaded.faults.n, i);
	faults_sort(&loaded.faults);
	ck_assert_uint_eq(loaded.faults.n, sizeof(expected) / sizeof(expected[0]));
	for (k = 1; k < loaded.faults.n; k++)
		ck_assert_uint_ge(loaded.faults.v[k].line, loaded.faults.v[k - 1].line);
}
END_TEST

START_TEST(faults_sorted_and_once)
{
	const struct origin at[] = {
		{ "b", 1 }, { "a", 10 }, { "a", 2 }, { "a", 10 }, { "a", 0 }, { "b", 1 }
	};
	char line[FAULT_LINE], all[1024] = "";
	unsigned i;

	for (i = 0; i < 6; i++)
		fault_add(&loaded.faults, at[i], "%s", i == 5 ? "new\nline" : "x");
	faults_sort(&loaded.faults);
	for (i = 0; i < loaded.faults.n; i++) {
		strcat(all, fault_line(&loaded.faults.v[i], line, sizeof(line)));
		strcat(all, "\n");
	}
	ck_assert_str_eq(all, "a: x\na:2: x\na:10: x\nb:1: x\nb:1: new\\x0aline\n");
	faults_free(&loaded.faults);
	faults_sort(&loaded.faults);
	ck_assert(!faults_any(&loaded.faults));
}
END_TEST

/* ---- files ---- */

START_TEST(file_unreadable)
{
	static const char *const names[] = { "/nowhere/at/all", "/", "/dev/zero" };

	ck_assert_ptr_null(configuration_load(names[_i], &loaded.faults));
	ck_assert_uint_eq(loaded.faults.n, 1);
	ck_assert_uint_eq(loaded.faults.v[0].line, 0);
	ck_assert_str_eq(loaded.faults.v[0].file, names[_i]);
}
END_TEST

START_TEST(file_included)
{
	char *paris = config_quoted("\nparis = { " PEER(NETS) "\nstrat = `always`; };");
	char text[512];

	files_write("paris.conf", paris, strlen(paris), 0600);
	free(paris);
	snprintf(text, sizeof(text), "connections = {\n@include `%s/paris.conf`\n};",
	    files_folder());
	ck_assert(!load(text));
	ck_assert_uint_eq(loaded.faults.n, 1);
	ck_assert_uint_eq(loaded.faults.v[0].line, 3);
	ck_assert_ptr_nonnull(strstr(loaded.faults.v[0].file, "/paris.conf"));
	ck_assert(!load("connections = {\n@include `paris.conf`\n};"));
	ck_assert_ptr_nonnull(strstr(config_faults(&loaded), "ikev.conf:2: "));
}
END_TEST

/* ---- large, deep and broken ones ---- */

START_TEST(file_included_with_a_nul_octet)
{
	static const char octets[] = "daemon = { };\n\0 connections = 5;";
	char text[512];

	files_write("nul.conf", octets, sizeof(octets) - 1, 0600);
	snprintf(text, sizeof(text), "@include `%s/nul.conf`\n", files_folder());
	ck_assert(!load(text));
	ck_assert_msg(loaded.faults.n == 1 && loaded.faults.v[0].line == 2 &&
	    config_says(loaded.faults.v[0].text, "NUL"), "%s", config_faults(&loaded));
}
END_TEST

START_TEST(file_of_many_connections)
{
	enum { MANY = 5000 };
	size_t at = 0, size = MANY * 256;
	char *text = malloc(size);
	unsigned i;

	at += (size_t)snprintf(text, size, "connections = (");
	for (i = 0; i < MANY; i++)
		at += (size_t)snprintf(text + at, size - at,
		    "%s\n{ name = `c%u`; " PEER(NETS) " }", i > 0 ? "," : "", i);
	snprintf(text + at, size - at, ");");
	ck_assert_msg(load(text), "%s", config_faults(&loaded));
	free(text);
	ck_assert_uint_eq(loaded.c->n_connections, MANY);
	ck_assert_uint_eq(configuration_find(loaded.c, "c4999")->origin.line, MANY + 1);
}
END_TEST

/* Deeper than any parser's stack. */
START_TEST(file_of_many_brackets)
{
	static const char open[] = "({[";
	static char text[400000];
	size_t i;

	memcpy(text, "a = ", 4);
	for (i = 4; i < sizeof(text) - 1; i++)
		text[i] = open[_i];
	ck_assert(!load(text));
	for (i = 4; i < 300; i += 5)
		memcpy(text + i, "{ a =", 5);
	ck_assert(!load(text));
}
END_TEST

/* Every beginning of a good file, and many files with some octets changed: each loads or
 * has faults, and neither reads where it should not. */
static const char sample[] =
    "daemon = { datapath = `tun`; listen = [ `::1`, `192.0.2.1` ]; port = 0x1F4; };\n"
    "# a comment\n/* another */ // and one more\n"
    "connections = {\n  paris = { " PEER("") " ike = ( `default` );\n"
    "    children = { lan = { local = `10.1.0.0/24`; remote = [ `10.2.0.0/24` ]; }; };\n"
    "  };\n};\n";

START_TEST(file_cut)
{
	char *text = config_quoted(sample);
	size_t len;

	for (len = 0; len < sizeof(sample); len++) {
		uint8_t *exact = exact_copy(bytes_of(text, len));

		config_load_octets(&loaded, (const char *)exact, len);
		free(exact);
	}
	free(text);
}
END_TEST

START_TEST(file_changed)
{
	static const char marks[] = "{}[]();,=:\"'\\/*#@\n\0 a1.-x\xff";
	char *text = config_quoted(sample), changed[sizeof(sample)];
	uint64_t state = 1;
	unsigned round, i;

	for (round = 0; round < 3000; round++) {
		memcpy(changed, text, sizeof(sample));
		for (i = 0; i < 1 + round % 3; i++)
			changed[next_random(&state) % (sizeof(sample) - 1)] =
			    marks[next_random(&state) % (sizeof(marks) - 1)];
		config_load_octets(&loaded, changed, sizeof(sample) - 1);
	}
	free(text);
}
END_TEST

int
main(void)
{
	TCase *t = tcase_create("load");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, file_as_in_the_manual);
	tcase_add_loop_test(t, file_without_anything, 0, 6);
	tcase_add_test(t, daemon_has_it_all);
	tcase_add_test(t, text_for_a_list_of_texts);
	tcase_add_loop_test(t, addresses_of_a_peer, 0, ROWS(addresses));
	tcase_add_loop_test(t, words_reach_the_connection, 0, ROWS(after));
	tcase_add_test(t, quantities_reach_the_connection);
	tcase_add_loop_test(t, never_reaches_the_connection, 0, 4);
	tcase_add_test(t, defaults_are_the_engines);
	tcase_add_test(t, connections_as_a_list);
	tcase_add_test(t, connections_named_as_settings);
	tcase_add_test(t, byte_order_mark);
	tcase_add_loop_test(t, children_as_groups_and_as_a_list, 0, ROWS(families));
	tcase_add_loop_test(t, fault_in_its_line, 0, ROWS(wrong));
	tcase_add_test(t, subnets_and_children);
	tcase_add_loop_test(t, syntax_explained, 0, ROWS(broken));
	tcase_add_loop_test(t, misread_by_libconfig, 0, ROWS(misread));
	tcase_add_loop_test(t, number_huge, 0, ROWS(huge));
	tcase_add_test(t, nul_octet);
	tcase_add_test(t, faults_all_in_one_run);
	tcase_add_test(t, faults_sorted_and_once);
	tcase_add_loop_test(t, file_unreadable, 0, 3);
	tcase_add_test(t, file_included);
	tcase_add_test(t, file_included_with_a_nul_octet);
	tcase_add_test(t, file_of_many_connections);
	tcase_add_loop_test(t, file_of_many_brackets, 0, 3);
	tcase_add_test(t, file_cut);
	tcase_add_test(t, file_changed);
	return run_tests("load", t);
}
