#include "daemon/explain.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libesp/selector.h"
#include "libike/compat.h"

/* ---- the file ---- */

/* What other IKE daemons call things, and what belongs elsewhere altogether. */
static const struct foreign {
	const char *key, *remedy;
} foreign[] = {
	{ "psk",
	    "the secret stands in a file of its own, NAME.psk in daemon.secrets_dir" },
	{ "secret",
	    "the secret stands in a file of its own, NAME.psk in daemon.secrets_dir" },
	{ "password",
	    "the secret stands in a file of its own, NAME.psk in daemon.secrets_dir" },
	{ "proposals", "write: ike = [ \"aes256gcm16-prfsha384-x25519\" ];" },
	{ "esp_proposals", "write: esp = [ \"aes256gcm16\" ];" },
	{ "local_addrs", "write: local = { address = \"192.0.2.1\"; };" },
	{ "remote_addrs", "write: remote = { address = \"203.0.113.7\"; };" },
	{ "left", "write: local = { address = \"192.0.2.1\"; };" },
	{ "right", "write: remote = { address = \"203.0.113.7\"; };" },
	{ "leftid", "write: local = { id = \"gw.berlin.example\"; };" },
	{ "rightid", "write: remote = { id = \"gw.paris.example\"; };" },
	{ "leftsubnet", "write: local = { subnets = [ \"10.1.0.0/24\" ]; };" },
	{ "rightsubnet", "write: remote = { subnets = [ \"10.2.0.0/24\" ]; };" },
	{ "local_ts", "write: local = { subnets = [ \"10.1.0.0/24\" ]; };" },
	{ "remote_ts", "write: remote = { subnets = [ \"10.2.0.0/24\" ]; };" },
	{ "peer", "write: remote = { address = \"203.0.113.7\"; };" },
	{ "start_action", "write: start = \"always\";" },
	{ "child",
	    "write: children = { lan = { ... }; }; or rekey = { child = \"1h\"; };" },
	{ "rekey_time", "write: rekey = { ike = \"4h\"; child = \"1h\"; };" },
	{ "ikelifetime", "write: rekey = { ike = \"4h\"; };" },
	{ "lifetime", "write: rekey = { child = \"1h\"; };" },
	{ "life_time", "write: expire = { child = \"75m\"; };" },
	{ "over_time", "write: expire = { ike = \"5h\"; };" },
	{ "rekey_bytes", "write: rekey = { bytes = \"64G\"; };" },
	{ "rekey_packets", "write: rekey = { packets = \"1000000000\"; };" },
	{ "rand_time", "write: rekey = { jitter = \"10%\"; };" },
	{ "rekeyfuzz", "write: rekey = { jitter = \"10%\"; };" },
	{ "reauth_time", "write: reauth = \"24h\";" },
	{ "dpd_delay", "write: dpd = \"30s\";" },
	{ "dpddelay", "write: dpd = \"30s\";" },
	{ "dpd_timeout", "write: retransmit = { tries = 12; };" },
	{ "dpd_action", "write: on_dead = \"restart\";" },
	{ "dpdaction", "write: on_dead = \"restart\";" },
	{ "retransmit_tries", "write: retransmit = { tries = 12; };" },
	{ "fragmentation", "write: fragment = 1280;" },
	{ "mode",
	    "it belongs to a child: children = { lan = { ...; mode = \"tunnel\"; }; };" },
};

static const char *
key_of(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot == NULL ? name : dot + 1;
}

static const char *
foreign_remedy(const char *key)
{
	size_t i;

	for (i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (strcmp(foreign[i].key, key) == 0)
			return foreign[i].remedy;
	return NULL;
}

static bool
same_group(const struct setting *row, const char *name)
{
	size_t prefix = (size_t)(key_of(name) - name);

	return (size_t)(setting_key(row) - row->name) == prefix &&
	    strncmp(row->name, name, prefix) == 0;
}

/* The names that may stand where `name` does. */
static void
list_keys(enum setting_scope scope, const char *name, char *buf, size_t size)
{
	const struct setting *row = NULL;
	size_t at = 0;

	buf[0] = '\0';
	while ((row = setting_next(row)) != NULL)
		if (row->scope == scope && same_group(row, name) && at < size)
			at += (size_t)snprintf(buf + at, size - at, "%s%s",
			    at > 0 ? ", " : "", setting_key(row));
}

const char *
explain_unknown(enum setting_scope scope, const char *name, char *buf, size_t size)
{
	const struct setting *like = setting_like(scope, name);
	const char *remedy = foreign_remedy(key_of(name));
	char keys[256];

	if (remedy != NULL)
		snprintf(buf, size, "there is no setting \"%s\"; %s", name, remedy);
	else if (like != NULL && same_group(like, name))
		snprintf(buf, size,
		    "there is no setting \"%s\"; did you mean \"%s\"? For instance: %s",
		    name, setting_key(like), like->example);
	else if (like != NULL && strchr(like->name, '.') != NULL)
		snprintf(buf, size,
		    "there is no setting \"%s\"; \"%s\" belongs into a group: "
		    "%.*s = { %s };",
		    name, key_of(name), (int)strcspn(like->name, "."), like->name,
		    like->example);
	else if (like != NULL)
		snprintf(buf, size,
		    "there is no setting \"%s\"; \"%s\" stands one level higher, "
		    "beside \"%.*s\"",
		    name, like->name, (int)strcspn(name, "."), name);
	else {
		list_keys(scope, name, keys, sizeof(keys));
		snprintf(buf, size, "there is no setting \"%s\"; there are: %s", name,
		    keys);
	}
	return buf;
}

const char *
explain_type(const struct setting *row, const char *found, char *buf, size_t size)
{
	const char *const expected[] = {
		[SETTING_GROUP] = "a group",
		[SETTING_NAMED] =
		    "a group of named groups, or a list of groups with a name each",
		[SETTING_TEXT] = "a text in double quotes",
		[SETTING_TEXTS] = "a list of texts",
		[SETTING_NUMBER] = "a number without quotes",
		[SETTING_QUANTITY] = strchr(row->example, '"') != NULL ?
		    "a text in double quotes" : "a number without quotes",
		[SETTING_BOOL] = "true or false, without quotes",
		[SETTING_CHOICE] = "a text in double quotes",
	};

	snprintf(buf, size, "%s is %s; it must be %s: %s", row->name, found,
	    expected[row->type], row->example);
	return buf;
}

const char *
explain_word(const struct setting *row, const char *text, char *buf, size_t size)
{
	const char *like = setting_word_like(row, text);
	size_t at;
	int i;

	at = (size_t)snprintf(buf, size, "%s is \"%s\"; ", row->name, text);
	if (at < size && like != NULL)
		at += (size_t)snprintf(buf + at, size - at, "did you mean \"%s\"? ",
		    like);
	if (at < size)
		at += (size_t)snprintf(buf + at, size - at, "%shere are: ",
		    like != NULL ? "T" : "t");
	for (i = 0; row->words[i] != NULL && at < size; i++)
		at += (size_t)snprintf(buf + at, size - at, "%s\"%s\"",
		    i > 0 ? ", " : "", row->words[i]);
	return buf;
}

const char *
explain_number(const struct setting *row, long long number, char *buf, size_t size)
{
	snprintf(buf, size, "%s is %lld; it may be %ld to %ld, for instance: %s",
	    row->name, number, row->least, row->most, row->example);
	return buf;
}

const char *
explain_bounds(const struct setting *row, char *buf, size_t size)
{
	snprintf(buf, size, "%s may be %ld to %ld, for instance: %s", row->name,
	    row->least, row->most, row->example);
	return buf;
}

const char *
explain_quantity(const struct setting *row, const char *text, char *buf, size_t size)
{
	snprintf(buf, size, "%s is \"%s\"; it must be %s%s: %s", row->name, text,
	    quantity_form(row->quantity),
	    row->least > 0 || row->quantity == QUANTITY_PERCENT ? "" : ", or \"never\"",
	    row->example);
	return buf;
}

const char *
explain_amount(const struct setting *row, const char *text, char *buf, size_t size)
{
	char least[QUANTITY_TEXT], most[QUANTITY_TEXT];

	quantity_print(row->quantity, row->least, least);
	quantity_print(row->quantity, row->most, most);
	if (row->most == LONG_MAX)
		snprintf(buf, size, "%s is %s; it must be %s or more, for instance: %s",
		    row->name, text, least, row->example);
	else
		snprintf(buf, size, "%s is %s; it may be %s to %s, for instance: %s",
		    row->name, text, least, most, row->example);
	return buf;
}

/* ---- refusals ---- */

struct refused {
	FILE *out;
	const struct configured *connection;
	const char *secrets_dir;
	const struct ike_refusal *refusal;
};

/* A setting as it stands, or would stand, in the file. */
static void
put_line(FILE *out, const char *key, bool list, const char *const *texts, unsigned n,
    const char *more)
{
	unsigned i;

	fprintf(out, "%s = %s", key, list ? "[ " : "");
	for (i = 0; i < n; i++)
		fprintf(out, "%s\"%s\"", i > 0 ? ", " : "", texts[i]);
	if (more != NULL)
		fprintf(out, "%s\"%s\"", n > 0 ? ", " : "", more);
	fprintf(out, "%s;", list ? " ]" : "");
}

/* "FILE:LINE says: ike = [ ... ];", with the setting as the file has it. */
static void
put_origin(const struct refused *r, const char *setting)
{
	const struct given *given = configured_find(r->connection, setting, -1);
	struct origin origin = configured_origin(r->connection, setting, -1);

	fprintf(r->out, "\n%s:%u ", origin.file, origin.line);
	if (given == NULL || given->n == 0) {
		fprintf(r->out,
		    given == NULL ? "leaves %s as it is by default" : "has %s", setting);
		return;
	}
	fputs("says: ", r->out);
	put_line(r->out, setting_key(given->setting), given->list, given->texts, given->n,
	    NULL);
}

/* What the peer itself said about it is an error's name, and no value. */
static bool
has_theirs(const struct refused *r)
{
	return !r->refusal->by_peer && r->refusal->theirs[0] != '\0';
}

/* The first of the peer's proposals, "a, b", that our configuration could hold if these
 * weak algorithms were allowed.  *weak is one of those that it needs, or NULL. */
static bool
find_acceptable(const struct refused *r, uint8_t protocol, unsigned allowed, char *one,
    size_t size, const struct ike_weak **weak)
{
	const char *theirs = r->refusal->theirs, *text = one;
	char why[256];
	size_t len;
	bool found;

	for (; *theirs != '\0'; theirs += strspn(theirs, ", ")) {
		struct ike_proposals parsed = { 0 };
		const struct ike_transform *t;

		len = strcspn(theirs, ",");
		snprintf(one, size, "%.*s", (int)len, theirs);
		theirs += len;
		if (len >= size ||
		    !ike_proposals_parse(&text, 1, protocol, &parsed, why, sizeof(why)))
			continue;
		found = ike_proposals_weak(&parsed, allowed) == NULL;
		t = ike_proposals_weak(&parsed, 0);
		*weak = t == NULL ? NULL : ike_weak_find(t);
		ike_proposals_free(&parsed);
		if (found)
			return true;
	}
	return false;
}

/* The setting as it is, and one proposal more. */
static void
put_proposal(const struct refused *r, const char *setting, const char *one)
{
	static const char *const standard[] = { "default" };
	const struct given *given = configured_find(r->connection, setting, -1);

	if (given != NULL)
		put_line(r->out, setting, true, given->texts, given->n, one);
	else
		put_line(r->out, setting, true, standard, 1, one);
}

/* Is it, or may it be, that the two sides see the key exchange of Child SAs differently?
 * It has no place in IKE_AUTH: there, ours names no group. */
static bool
is_about_groups(const struct refused *r)
{
	const struct ike_connection *c = r->connection->connection;
	uint16_t group = c != NULL ? ike_first_group(&c->esp) : IKE_KE_NONE;
	char name[IKE_NAME_LEN];

	if (c == NULL || c->pfs == IKE_PFS_PREFER ||
	    strcmp(r->refusal->setting, "esp") != 0)
		return false;
	if (!r->refusal->by_peer)
		return strstr(r->refusal->difference,
		    ike_transform_type_name(IKE_KE, name)) != NULL;
	return c->pfs == IKE_PFS_OFF || strstr(r->refusal->ours,
	    ike_transform_name(IKE_KE, group, 0, name)) != NULL;
}

static void
mend_pfs(const struct refused *r)
{
	put_origin(r, "pfs");
	fprintf(r->out, "\n%sthis would agree with the peer, whatever it has: "
	    "pfs = \"prefer\";",
	    r->refusal->by_peer ? "if it is the key exchange of Child SAs that the two "
	    "sides see differently, " : "");
}

static void
mend_proposals(const struct refused *r)
{
	const char *setting = r->refusal->setting;
	const struct given *given = configured_find(r->connection, setting, -1);
	bool ike = strcmp(setting, "ike") == 0;
	uint8_t protocol = ike ? IKE_PROTOCOL_IKE : IKE_PROTOCOL_ESP;
	const char *modest = ike ? "aes256-sha256-modp2048" : "aes256-sha256";
	const struct ike_connection *c = r->connection->connection;
	const struct ike_weak *weak = NULL;
	char one[256];

	if (is_about_groups(r)) {
		mend_pfs(r);
		if (!r->refusal->by_peer)
			return;
	}
	put_origin(r, setting);
	if (!has_theirs(r) && given == NULL)
		fprintf(r->out,
		    "\nif the peer cannot allow one of these, add one that it can; for "
		    "instance: %s",
		    setting_find(SETTINGS_CONNECTION, setting)->example);
	else if (!has_theirs(r)) {
		fputs("\nthis would offer what nearly every peer allows, too: ", r->out);
		put_line(r->out, setting, true, given->texts, given->n, "default");
	} else if (find_acceptable(r, protocol, c != NULL ? c->compat : 0, one,
	    sizeof(one), &weak)) {
		fputs("\nthis would agree with the peer: ", r->out);
		put_proposal(r, setting, one);
	} else if (find_acceptable(r, protocol, UINT_MAX, one, sizeof(one), &weak) &&
	    weak != NULL) {
		fprintf(r->out,
		    "\nwhat they offer is weak; the peer's side should change and "
		    "allow, for instance, %s\nif it cannot, this would agree with it: ",
		    modest);
		put_proposal(r, setting, one);
		fprintf(r->out, " compat = \"%s\";", weak->word);
	} else {
		fprintf(r->out,
		    "\nnothing of theirs is known here and safe; the peer's side must "
		    "change and allow, for instance, %s", modest);
	}
}

static void
mend_identity(const struct refused *r)
{
	put_origin(r, r->refusal->setting);
	if (!has_theirs(r))
		return;
	fputs("\nthis would agree with the peer: ", r->out);
	put_line(r->out, "id", false, &r->refusal->theirs, 1, NULL);
}

static void
mend_secret(const struct refused *r)
{
	fprintf(r->out, "\n%s/%s.psk has our secret; the peer must have the same octets",
	    r->secrets_dir, r->connection->name);
	if (!r->refusal->by_peer)
		return;
	put_origin(r, "local.id");
	fputs("\nthe peer must know us by this identity", r->out);
}

static void
mend_auth(const struct refused *r)
{
	put_origin(r, "auth");
	fputs("\nthe peer must authenticate with a pre-shared key", r->out);
}

/* A list of selectors, "10.1.0.0/24 10.3.0.0/24", as a line of the file. */
static void
put_selectors(const struct refused *r, const char *key, const char *list, size_t len)
{
	char *texts = strndup(list, len), *save = NULL, *text;
	const char *v[16];
	struct esp_range range;
	unsigned n = 0;

	for (text = texts == NULL ? NULL : strtok_r(texts, " ", &save);
	    text != NULL && n < sizeof(v) / sizeof(v[0]);
	    text = strtok_r(NULL, " ", &save))
		if (esp_range_parse(text, &range))
			v[n++] = text;
	if (n > 0)
		put_line(r->out, key, true, v, n, NULL);
	free(texts);
}

static void
mend_selectors(const struct refused *r)
{
	static const char parted[] = " === ";
	const char *remote = strstr(r->refusal->theirs, parted);
	bool plain = r->connection->n_children == 0;

	if (plain) {
		put_origin(r, "children.local");
		put_origin(r, "children.remote");
	} else {
		put_origin(r, "children");
	}
	if (!has_theirs(r) || remote == NULL) {
		fputs("\nthe peer must have the same networks, local and remote swapped",
		    r->out);
		return;
	}
	fprintf(r->out, "\nthis would agree with the peer%s: %s",
	    plain ? "" : ", in a child", plain ? "local = { " : "");
	put_selectors(r, plain ? "subnets" : "local", r->refusal->theirs,
	    (size_t)(remote - r->refusal->theirs));
	fputs(plain ? " }; remote = { " : " ", r->out);
	put_selectors(r, plain ? "subnets" : "remote", remote + sizeof(parted) - 1,
	    strlen(remote + sizeof(parted) - 1));
	fputs(plain ? " };" : "", r->out);
}

static void
mend_address(const struct refused *r)
{
	const struct ike_hosts *hosts = &r->connection->connection->remote;
	bool named = false;
	unsigned i;

	for (i = 0; i < hosts->n; i++)
		named |= hosts->v[i].kind == IKE_HOST_NAME;
	put_origin(r, "remote.address");
	if (r->refusal->error != IKE_UNRESOLVED)
		return;
	if (configured_find(r->connection, "local.address", -1) != NULL)
		put_origin(r, "local.address");
	fputs(named ? "\nis the name right, and does a name server answer?" :
	    "\nis there a route to it, from an address of this host?", r->out);
}

static void
mend_encap(const struct refused *r)
{
	put_origin(r, "encap");
	fputs("\nthe peer must offer NAT traversal (RFC 3948)", r->out);
}

static void
mend_unique(const struct refused *r)
{
	put_origin(r, "unique");
	fputs("\nthis would give the peer's new SA the place of the old one: "
	    "unique = \"replace\";", r->out);
}

static const struct mend {
	const char *setting;
	void (*say)(const struct refused *);
} mends[] = {
	{ "ike", mend_proposals },
	{ "esp", mend_proposals },
	{ "local.id", mend_identity },
	{ "remote.id", mend_identity },
	{ "secret", mend_secret },
	{ "auth", mend_auth },
	{ "subnets", mend_selectors },
	{ "remote.address", mend_address },
	{ "encap", mend_encap },
	{ "unique", mend_unique },
};

/* The connection's name; of a peer that may be anywhere, or anybody, its address too. */
static void
put_who(const struct refused *r)
{
	const struct ike_path *path = &r->refusal->path;
	char address[INET6_ADDRSTRLEN];
	bool anybody = r->connection == NULL ||
	    ike_hosts_only(&r->connection->connection->remote) == NULL;

	if (path->family == 0 || !anybody || inet_ntop(path->family == ESP_IPV4 ?
	    AF_INET : AF_INET6, path->addr[1], address, sizeof(address)) == NULL)
		address[0] = '\0';
	if (r->connection != NULL && address[0] != '\0')
		fprintf(r->out, "%s (%s): ", r->connection->name, address);
	else if (r->connection != NULL || address[0] != '\0')
		fprintf(r->out, "%s: ",
		    r->connection != NULL ? r->connection->name : address);
}

static void
put_refusal(const struct refused *r)
{
	const struct ike_refusal *refusal = r->refusal;
	size_t i;

	put_who(r);
	fputs(refusal->what[0] != '\0' ? refusal->what : ike_error_name(refusal->error),
	    r->out);
	if (refusal->difference[0] != '\0')
		fprintf(r->out, ": %s", refusal->difference);
	if (refusal->ours[0] != '\0')
		fprintf(r->out, "\nours:   %s", refusal->ours);
	if (refusal->theirs[0] != '\0')
		fprintf(r->out, "\ntheirs: %s", refusal->theirs);
	for (i = 0; r->connection != NULL && i < sizeof(mends) / sizeof(mends[0]); i++)
		if (strcmp(mends[i].setting, refusal->setting) == 0)
			mends[i].say(r);
}

char *
explain_refusal(const struct configured *connection, const char *secrets_dir,
    const struct ike_refusal *refusal)
{
	struct refused r = { .connection = connection, .secrets_dir = secrets_dir,
	    .refusal = refusal };
	char *text = NULL;
	size_t len;

	r.out = open_memstream(&text, &len);
	if (r.out == NULL)
		return NULL;
	put_refusal(&r);
	if (fclose(r.out) == 0)
		return text;
	free(text);
	return NULL;
}

/* ---- ends ---- */

static const struct end {
	enum ike_error error;
	const char *what;
	const char *setting;		/* the one to look at, or NULL */
	const char *remedy;
} ends[] = {
	{ IKE_TIMEOUT, "the peer does not answer", "remote.address",
	    "is it running there, and does every firewall between let UDP 500 and 4500 "
	    "pass?" },
	{ IKE_UNRESOLVED, "there is no address or no way to call", "remote.address",
	    "does a name server answer, and is there a route from an address of this "
	    "host?" },
	{ IKE_NOT_INITIATOR, "there is no address to call", "remote.address",
	    "only the peer can begin; to call it, write: address = \"203.0.113.7\";" },
	{ IKE_CLOSED, "the peer has closed it", NULL, NULL },
	{ IKE_CANCELLED, "closed from here", NULL, NULL },
	{ IKE_EXPIRED, "its lifetime is over, and it could not be rekeyed", "expire",
	    "the log says why the rekeys before its end have failed" },
	{ IKE_GONE, "it is there no more", NULL, NULL },
	{ IKE_NO_MEMORY, "memory, or the crypto library, failed", NULL, NULL },
	{ IKE_AUTHENTICATION_FAILED, "authentication failed", NULL, NULL },
	{ IKE_NO_PROPOSAL_CHOSEN, "no proposal in common", NULL, NULL },
	{ IKE_TS_UNACCEPTABLE, "no traffic selectors in common", NULL, NULL },
};

char *
explain_down(const struct configured *connection, enum ike_error error)
{
	struct refused r = { .connection = connection };
	const struct end *end = NULL;
	char *text = NULL;
	size_t len, i;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends[i].error == error)
			end = &ends[i];
	r.out = open_memstream(&text, &len);
	if (r.out == NULL)
		return NULL;
	if (connection != NULL)
		fprintf(r.out, "%s: ", connection->name);
	fputs(end == NULL ? ike_error_name(error) : end->what, r.out);
	if (end != NULL && end->setting != NULL && connection != NULL) {
		put_origin(&r, end->setting);
		fprintf(r.out, "\n%s", end->remedy);
	}
	if (fclose(r.out) == 0)
		return text;
	free(text);
	return NULL;
}
