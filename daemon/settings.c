#include "daemon/settings.h"

#include <arpa/inet.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "libike/host.h"
#include "libike/like.h"

static bool
check_address(const char *text, char *why, size_t size)
{
	uint8_t address[16];

	if (inet_pton(AF_INET, text, address) == 1 ||
	    inet_pton(AF_INET6, text, address) == 1)
		return true;
	snprintf(why, size, "\"%s\" is not an IP address; for instance "
	    "\"192.0.2.1\" or \"2001:db8::1\"", text);
	return false;
}

static bool
check_folder(const char *text, char *why, size_t size)
{
	if (text[0] == '/')
		return true;
	snprintf(why, size, "\"%s\" is not a whole path; it begins with a \"/\"", text);
	return false;
}

static bool
check_host(const char *text, char *why, size_t size)
{
	enum ike_host_error error;
	struct ike_host host;

	error = ike_host_parse(text, &host);
	ike_host_free(&host);
	if (error != IKE_HOST_WRONG)
		return true;		/* without memory, somebody else says so */
	if (strchr(text, ',') == NULL)
		snprintf(why, size, "\"%s\" is neither an address, a network or range of "
		    "them, nor a host name; for instance \"203.0.113.7\" or "
		    "\"gw.paris.example\"", text);
	else
		snprintf(why, size, "\"%s\" has a comma; write each address in quotes "
		    "of its own: address = [ \"203.0.113.7\", \"203.0.113.8\" ];", text);
	return false;
}

static bool
check_user(const char *text, char *why, size_t size)
{
	if (getpwnam(text) != NULL)
		return true;
	snprintf(why, size, "there is no user \"%s\" on this system; "
	    "\"useradd --system %s\" would make one", text, text);
	return false;
}

static bool
check_datapath(const char *text, char *why, size_t size)
{
	if (strcmp(text, "xfrm") != 0)
		return true;		/* anything else is the choice's business */
	snprintf(why, size, "this version has no xfrm data path; "
	    "the one it has is \"tun\"");
	return false;
}

/* A TUN interface is made for packets from one network to another. */
static bool
check_mode(const char *text, char *why, size_t size)
{
	if (strcmp(text, "transport") != 0)
		return true;		/* anything else is the choice's business */
	snprintf(why, size, "the data path \"tun\" carries tunnel mode only, and this "
	    "version has no other; write: mode = \"tunnel\"; and let the peer do the "
	    "same");
	return false;
}

/* In the order of the enums that ike_setup and the log take. */
static const char *const datapaths[] = { "tun", NULL };
static const char *const levels[] = {
	"error", "warning", "notice", "info", "debug", NULL
};
static const char *const auths[] = { "psk", NULL };
static const char *const starts[] = { "passive", "on-demand", "always", NULL };
static const char *const encaps[] = { "auto", "force", "never", NULL };
static const char *const uniques[] = { "replace", "keep", "never", NULL };
static const char *const pfs[] = { "prefer", "require", "off", NULL };
static const char *const modes[] = { "tunnel", "transport", NULL };
/* One less than in the enum, whose 0 is the default: as `start` has it. */
static const char *const on_deads[] = { "restart", "drop", "on-demand", NULL };

/* In microseconds. */
#define SECOND 1000000L
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define YEARS(n) ((n) * 365 * DAY)
#define FOREVER INT64_MAX		/* in octets or packets */

static const struct setting settings[] = {
	{ SETTINGS_FILE, "daemon", SETTING_GROUP, .effect = SETTING_IN_PLACE,
	    .example = "daemon = { log = \"info\"; };",
	    .doc = "what concerns the daemon as a whole" },
	{ SETTINGS_FILE, "daemon.datapath", SETTING_CHOICE, .standard = "tun",
	    .words = datapaths, .check = check_datapath, .effect = SETTING_RESTART,
	    .example = "datapath = \"tun\";",
	    .doc = "what carries the packets" },
	{ SETTINGS_FILE, "daemon.listen", SETTING_TEXTS,
	    .check = check_address, .effect = SETTING_RESTART,
	    .example = "listen = [ \"192.0.2.1\", \"2001:db8::1\" ];",
	    .doc = "the addresses to receive on" },
	{ SETTINGS_FILE, "daemon.port", SETTING_NUMBER, .standard = "500",
	    .least = 1, .most = 65535, .effect = SETTING_RESTART,
	    .example = "port = 500;",
	    .doc = "the UDP port for IKE" },
	{ SETTINGS_FILE, "daemon.natt_port", SETTING_NUMBER, .standard = "4500",
	    .least = 1, .most = 65535, .effect = SETTING_RESTART,
	    .example = "natt_port = 4500;",
	    .doc = "the UDP port for IKE and ESP behind address translation" },
	{ SETTINGS_FILE, "daemon.secrets_dir", SETTING_TEXT,
	    .standard = "/etc/ikev.secrets.d",
	    .check = check_folder, .effect = SETTING_IN_PLACE,
	    .example = "secrets_dir = \"/etc/ikev.secrets.d\";",
	    .doc = "the folder of the secrets" },
	{ SETTINGS_FILE, "daemon.user", SETTING_TEXT,
	    .check = check_user, .effect = SETTING_RESTART,
	    .example = "user = \"ikevd\";",
	    .doc = "the user to become after the start" },
	{ SETTINGS_FILE, "daemon.log", SETTING_CHOICE, .standard = "info",
	    .words = levels, .effect = SETTING_IN_PLACE,
	    .example = "log = \"info\";",
	    .doc = "how much is told" },

	{ SETTINGS_FILE, "connections", SETTING_NAMED, .effect = SETTING_IN_PLACE,
	    .example = "connections = { paris = { "
	    "remote = { address = \"203.0.113.7\"; }; }; };",
	    .doc = "the peers" },
	{ SETTINGS_CONNECTION, "name", SETTING_TEXT, .effect = SETTING_RESTART,
	    .example = "name = \"paris\";",
	    .doc = "the name of a connection that stands in a list" },
	{ SETTINGS_CONNECTION, "local", SETTING_GROUP, .effect = SETTING_IN_PLACE,
	    .example = "local = { id = \"gw.berlin.example\"; "
	    "subnets = [ \"10.1.0.0/24\" ]; };",
	    .doc = "our side" },
	{ SETTINGS_CONNECTION, "local.address", SETTING_TEXT, .effect = SETTING_RESTART,
	    .example = "address = \"192.0.2.1\";",
	    .doc = "our address towards the peer" },
	{ SETTINGS_CONNECTION, "local.id", SETTING_TEXT, .effect = SETTING_RESTART,
	    .example = "id = \"gw.berlin.example\";",
	    .doc = "our identity" },
	{ SETTINGS_CONNECTION, "local.subnets", SETTING_TEXTS, .effect = SETTING_REKEY,
	    .example = "subnets = [ \"10.1.0.0/24\" ];",
	    .doc = "the networks on our side" },
	{ SETTINGS_CONNECTION, "remote", SETTING_GROUP, .effect = SETTING_IN_PLACE,
	    .example = "remote = { address = \"203.0.113.7\"; id = \"gw.paris.example\"; "
	    "subnets = [ \"10.2.0.0/24\" ]; };",
	    .doc = "the peer's side" },
	{ SETTINGS_CONNECTION, "remote.address", SETTING_TEXTS,
	    .check = check_host, .effect = SETTING_RESTART,
	    .example = "address = \"203.0.113.7\";",
	    .doc = "the peer's addresses, host names or networks, or \"any\"" },
	{ SETTINGS_CONNECTION, "remote.id", SETTING_TEXT, .effect = SETTING_RESTART,
	    .example = "id = \"gw.paris.example\";",
	    .doc = "the peer's identity" },
	{ SETTINGS_CONNECTION, "remote.subnets", SETTING_TEXTS, .effect = SETTING_REKEY,
	    .example = "subnets = [ \"10.2.0.0/24\" ];",
	    .doc = "the networks on the peer's side" },
	{ SETTINGS_CONNECTION, "auth", SETTING_CHOICE, .standard = "psk",
	    .words = auths, .effect = SETTING_RESTART,
	    .example = "auth = \"psk\";",
	    .doc = "how both sides prove who they are" },
	{ SETTINGS_CONNECTION, "start", SETTING_CHOICE, .standard = "passive",
	    .words = starts, .effect = SETTING_IN_PLACE,
	    .example = "start = \"always\";",
	    .doc = "when we call the peer" },
	{ SETTINGS_CONNECTION, "ike", SETTING_TEXTS, .standard = "default",
	    .effect = SETTING_REKEY,
	    .example = "ike = [ \"aes256gcm16-prfsha384-x25519\" ];",
	    .doc = "the proposals for the IKE SA" },
	{ SETTINGS_CONNECTION, "esp", SETTING_TEXTS, .standard = "default",
	    .effect = SETTING_REKEY,
	    .example = "esp = [ \"aes256gcm16\", \"chacha20poly1305\" ];",
	    .doc = "the proposals for Child SAs" },
	{ SETTINGS_CONNECTION, "compat", SETTING_TEXTS, .effect = SETTING_REKEY,
	    .example = "compat = \"sha1\";",
	    .doc = "weak algorithms that the proposals may name" },
	{ SETTINGS_CONNECTION, "encap", SETTING_CHOICE, .standard = "force",
	    .words = encaps, .effect = SETTING_RESTART,
	    .example = "encap = \"auto\";",
	    .doc = "whether ESP travels in UDP" },
	{ SETTINGS_CONNECTION, "unique", SETTING_CHOICE, .standard = "replace",
	    .words = uniques, .effect = SETTING_IN_PLACE,
	    .example = "unique = \"replace\";",
	    .doc = "what a second SA with the same peer means" },
	{ SETTINGS_CONNECTION, "on_dead", SETTING_CHOICE,
	    .words = on_deads, .effect = SETTING_IN_PLACE,
	    .example = "on_dead = \"restart\";",
	    .doc = "what follows when the peer is dead" },
	{ SETTINGS_CONNECTION, "pfs", SETTING_CHOICE, .standard = "prefer",
	    .words = pfs, .effect = SETTING_IN_PLACE,
	    .example = "pfs = \"prefer\";",
	    .doc = "whether Child SAs have a key exchange of their own" },
	{ SETTINGS_CONNECTION, "rekey", SETTING_GROUP, .effect = SETTING_IN_PLACE,
	    .example = "rekey = { ike = \"4h\"; child = \"1h\"; };",
	    .doc = "when SAs are made anew" },
	{ SETTINGS_CONNECTION, "rekey.ike", SETTING_QUANTITY, .standard = "4h",
	    .quantity = QUANTITY_TIME, .most = YEARS(10), .effect = SETTING_IN_PLACE,
	    .example = "ike = \"4h\";",
	    .doc = "how old an IKE SA becomes" },
	{ SETTINGS_CONNECTION, "rekey.child", SETTING_QUANTITY, .standard = "1h",
	    .quantity = QUANTITY_TIME, .most = YEARS(10), .effect = SETTING_IN_PLACE,
	    .example = "child = \"1h\";",
	    .doc = "how old a Child SA becomes" },
	{ SETTINGS_CONNECTION, "rekey.bytes", SETTING_QUANTITY, .standard = "never",
	    .quantity = QUANTITY_SIZE, .most = FOREVER, .effect = SETTING_IN_PLACE,
	    .example = "bytes = \"64G\";",
	    .doc = "how many octets a Child SA carries in one direction" },
	{ SETTINGS_CONNECTION, "rekey.packets", SETTING_QUANTITY, .standard = "never",
	    .quantity = QUANTITY_COUNT, .most = FOREVER, .effect = SETTING_IN_PLACE,
	    .example = "packets = \"1000000000\";",
	    .doc = "how many packets a Child SA carries in one direction" },
	{ SETTINGS_CONNECTION, "rekey.jitter", SETTING_QUANTITY, .standard = "10%",
	    .quantity = QUANTITY_PERCENT, .most = 50, .effect = SETTING_IN_PLACE,
	    .example = "jitter = \"10%\";",
	    .doc = "how much earlier it may be, by chance" },
	{ SETTINGS_CONNECTION, "expire", SETTING_GROUP, .effect = SETTING_IN_PLACE,
	    .example = "expire = { ike = \"5h\"; child = \"75m\"; };",
	    .doc = "when SAs end that could not be made anew" },
	{ SETTINGS_CONNECTION, "expire.ike", SETTING_QUANTITY,
	    .quantity = QUANTITY_TIME, .least = SECOND, .most = YEARS(10),
	    .effect = SETTING_IN_PLACE,
	    .example = "ike = \"5h\";",
	    .doc = "the end of an IKE SA" },
	{ SETTINGS_CONNECTION, "expire.child", SETTING_QUANTITY,
	    .quantity = QUANTITY_TIME, .least = SECOND, .most = YEARS(10),
	    .effect = SETTING_IN_PLACE,
	    .example = "child = \"75m\";",
	    .doc = "the end of a Child SA" },
	{ SETTINGS_CONNECTION, "expire.bytes", SETTING_QUANTITY,
	    .quantity = QUANTITY_SIZE, .least = 1, .most = FOREVER,
	    .effect = SETTING_IN_PLACE,
	    .example = "bytes = \"80G\";",
	    .doc = "the end of a Child SA in octets of one direction" },
	{ SETTINGS_CONNECTION, "expire.packets", SETTING_QUANTITY,
	    .quantity = QUANTITY_COUNT, .least = 1, .most = FOREVER,
	    .effect = SETTING_IN_PLACE,
	    .example = "packets = \"1250000000\";",
	    .doc = "the end of a Child SA in packets of one direction" },
	{ SETTINGS_CONNECTION, "reauth", SETTING_QUANTITY, .standard = "never",
	    .quantity = QUANTITY_TIME, .most = YEARS(10), .effect = SETTING_IN_PLACE,
	    .example = "reauth = \"24h\";",
	    .doc = "when both sides prove again who they are" },
	{ SETTINGS_CONNECTION, "dpd", SETTING_QUANTITY, .standard = "30s",
	    .quantity = QUANTITY_TIME, .most = DAY, .effect = SETTING_IN_PLACE,
	    .example = "dpd = \"30s\";",
	    .doc = "how long the peer may be silent until it is asked" },
	{ SETTINGS_CONNECTION, "retransmit", SETTING_GROUP, .effect = SETTING_IN_PLACE,
	    .example = "retransmit = { first = \"500ms\"; tries = 12; };",
	    .doc = "when a request to a peer is repeated" },
	{ SETTINGS_CONNECTION, "retransmit.first", SETTING_QUANTITY, .standard = "500ms",
	    .quantity = QUANTITY_TIME, .least = 1000, .most = HOUR,
	    .effect = SETTING_IN_PLACE,
	    .example = "first = \"500ms\";",
	    .doc = "the time until the second copy" },
	{ SETTINGS_CONNECTION, "retransmit.factor", SETTING_QUANTITY, .standard = "1.8",
	    .quantity = QUANTITY_FACTOR, .least = 100, .most = 1000,
	    .effect = SETTING_IN_PLACE,
	    .example = "factor = \"1.8\";",
	    .doc = "how much longer the time between two copies becomes" },
	{ SETTINGS_CONNECTION, "retransmit.most", SETTING_QUANTITY, .standard = "15s",
	    .quantity = QUANTITY_TIME, .least = 1000, .most = HOUR,
	    .effect = SETTING_IN_PLACE,
	    .example = "most = \"15s\";",
	    .doc = "the longest time between two copies" },
	{ SETTINGS_CONNECTION, "retransmit.tries", SETTING_QUANTITY, .standard = "12",
	    .quantity = QUANTITY_COUNT, .least = 1, .most = 255,
	    .effect = SETTING_IN_PLACE,
	    .example = "tries = 12;",
	    .doc = "how many copies there are" },
	{ SETTINGS_CONNECTION, "retransmit_setup", SETTING_GROUP,
	    .effect = SETTING_IN_PLACE,
	    .example = "retransmit_setup = { most = \"10s\"; tries = 8; };",
	    .doc = "the same while an IKE SA is set up" },
	{ SETTINGS_CONNECTION, "retransmit_setup.first", SETTING_QUANTITY,
	    .standard = "500ms",
	    .quantity = QUANTITY_TIME, .least = 1000, .most = HOUR,
	    .effect = SETTING_IN_PLACE,
	    .example = "first = \"500ms\";",
	    .doc = "the time until the second copy" },
	{ SETTINGS_CONNECTION, "retransmit_setup.factor", SETTING_QUANTITY,
	    .standard = "1.8",
	    .quantity = QUANTITY_FACTOR, .least = 100, .most = 1000,
	    .effect = SETTING_IN_PLACE,
	    .example = "factor = \"1.8\";",
	    .doc = "how much longer the time between two copies becomes" },
	{ SETTINGS_CONNECTION, "retransmit_setup.most", SETTING_QUANTITY,
	    .standard = "10s",
	    .quantity = QUANTITY_TIME, .least = 1000, .most = HOUR,
	    .effect = SETTING_IN_PLACE,
	    .example = "most = \"10s\";",
	    .doc = "the longest time between two copies" },
	{ SETTINGS_CONNECTION, "retransmit_setup.tries", SETTING_QUANTITY,
	    .standard = "8",
	    .quantity = QUANTITY_COUNT, .least = 1, .most = 255,
	    .effect = SETTING_IN_PLACE,
	    .example = "tries = 8;",
	    .doc = "how many copies there are" },
	{ SETTINGS_CONNECTION, "fragment", SETTING_QUANTITY, .standard = "1280",
	    .quantity = QUANTITY_COUNT, .most = 65000, .effect = SETTING_RESTART,
	    .example = "fragment = 1280;",
	    .doc = "the longest packet of IKE" },
	{ SETTINGS_CONNECTION, "mobike", SETTING_BOOL, .standard = "true",
	    .effect = SETTING_RESTART,
	    .example = "mobike = true;",
	    .doc = "whether the tunnel follows a change of address" },
	{ SETTINGS_CONNECTION, "childless", SETTING_BOOL, .standard = "true",
	    .effect = SETTING_IN_PLACE,
	    .example = "childless = true;",
	    .doc = "whether an IKE SA may begin without a Child SA" },
	{ SETTINGS_CONNECTION, "children", SETTING_NAMED, .effect = SETTING_IN_PLACE,
	    .example = "children = { lan = { local = [ \"10.1.0.0/24\" ]; "
	    "remote = [ \"10.2.0.0/24\" ]; }; };",
	    .doc = "several Child SAs, in place of subnets" },

	{ SETTINGS_CHILD, "name", SETTING_TEXT, .effect = SETTING_RESTART,
	    .example = "name = \"lan\";",
	    .doc = "the name of a child that stands in a list" },
	{ SETTINGS_CHILD, "local", SETTING_TEXTS, .effect = SETTING_REKEY,
	    .example = "local = [ \"10.1.0.0/24\" ];",
	    .doc = "the traffic selectors on our side" },
	{ SETTINGS_CHILD, "remote", SETTING_TEXTS, .effect = SETTING_REKEY,
	    .example = "remote = [ \"10.2.0.0/24\" ];",
	    .doc = "the traffic selectors on the peer's side" },
	{ SETTINGS_CHILD, "mode", SETTING_CHOICE, .standard = "tunnel",
	    .words = modes, .check = check_mode, .effect = SETTING_REKEY,
	    .example = "mode = \"tunnel\";",
	    .doc = "what is protected: whole packets, or what hosts say" },
};

enum { SETTINGS = sizeof(settings) / sizeof(settings[0]) };

const struct setting *
setting_next(const struct setting *row)
{
	if (row == NULL)
		return settings;
	return row + 1 == settings + SETTINGS ? NULL : row + 1;
}

const struct setting *
setting_find(enum setting_scope scope, const char *name)
{
	const struct setting *row = NULL;

	while ((row = setting_next(row)) != NULL)
		if (row->scope == scope && strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

bool
setting_is_group(const struct setting *row)
{
	return row->type == SETTING_GROUP || row->type == SETTING_NAMED;
}

const char *
setting_key(const struct setting *row)
{
	const char *dot = strrchr(row->name, '.');

	return dot == NULL ? row->name : dot + 1;
}

/* A third of a word may be wrong; of short ones a single letter. */
static unsigned
tolerance(const char *text)
{
	size_t len = strlen(text);

	return len < 3 ? 0 : len < 6 ? 1 : len < 12 ? 2 : 3;
}

const struct setting *
setting_like(enum setting_scope scope, const char *name)
{
	const char *key = strrchr(name, '.') == NULL ? name : strrchr(name, '.') + 1;
	const struct setting *row = NULL, *best = NULL;
	unsigned most = tolerance(key), d, nearest = UINT32_MAX;

	/* first the names of the same group, then the right key in the wrong place */
	while ((row = setting_next(row)) != NULL) {
		bool same_group = setting_key(row) - row->name == key - name &&
		    strncmp(row->name, name, (size_t)(key - name)) == 0;

		if (row->scope != scope)
			continue;
		d = ike_like_distance(key, setting_key(row), most);
		if (d > most || (!same_group && d > 0))
			continue;
		d += same_group ? 0 : most + 1;
		if (d < nearest) {
			nearest = d;
			best = row;
		}
	}
	return best;
}

int
setting_word(const struct setting *row, const char *text)
{
	int i;

	for (i = 0; row->words[i] != NULL; i++)
		if (strcmp(row->words[i], text) == 0)
			return i;
	return -1;
}

const char *
setting_word_like(const struct setting *row, const char *text)
{
	unsigned most = tolerance(text), d, nearest = most + 1;
	const char *best = NULL;
	int i;

	for (i = 0; row->words[i] != NULL; i++) {
		d = ike_like_distance(text, row->words[i], most);
		if (d < nearest) {
			nearest = d;
			best = row->words[i];
		}
	}
	return best;
}
