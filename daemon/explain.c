#include "daemon/explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libesp/selector.h"

/* ---- the file ---- */

/* What other IKE daemons call things, and what belongs elsewhere altogether. */
static const struct foreign {
	const char *key, *remedy;
} foreign[] = {
	{ "psk", "the secret stands in a file of its own, NAME.psk in daemon.secrets_dir" },
	{ "secret", "the secret stands in a file of its own, NAME.psk in daemon.secrets_dir" },
	{ "password", "the secret stands in a file of its own, NAME.psk in daemon.secrets_dir" },
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
		snprintf(buf, size, "there is no setting \"%s\"; did you mean \"%s\"? For instance: %s",
		    name, setting_key(like), like->example);
	else if (like != NULL && strchr(like->name, '.') != NULL)
		snprintf(buf, size, "there is no setting \"%s\"; \"%s\" belongs into a group: "
		    "%.*s = { %s };", name, key_of(name), (int)strcspn(like->name, "."),
		    like->name, like->example);
	else if (like != NULL)
		snprintf(buf, size, "there is no setting \"%s\"; \"%s\" stands one level higher, "
		    "beside \"%.*s\"", name, like->name, (int)strcspn(name, "."), name);
	else {
		list_keys(scope, name, keys, sizeof(keys));
		snprintf(buf, size, "there is no setting \"%s\"; there are: %s", name, keys);
	}
	return buf;
}

const char *
explain_type(const struct setting *row, const char *found, char *buf, size_t size)
{
	static const char *const expected[] = {
		[SETTING_GROUP] = "a group",
		[SETTING_NAMED] = "a group of named groups, or a list of groups with a name each",
		[SETTING_TEXT] = "a text in double quotes",
		[SETTING_TEXTS] = "a list of texts",
		[SETTING_NUMBER] = "a number without quotes",
		[SETTING_CHOICE] = "a text in double quotes",
	};

	snprintf(buf, size, "%s is %s; it must be %s: %s", row->name, found, expected[row->type],
	    row->example);
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
		at += (size_t)snprintf(buf + at, size - at, "did you mean \"%s\"? ", like);
	for (i = 0; row->words[i] != NULL && at < size; i++)
		at += (size_t)snprintf(buf + at, size - at, "%s\"%s\"",
		    i > 0 ? ", " : like != NULL ? "There are: " : "there are: ", row->words[i]);
	return buf;
}

const char *
explain_number(const struct setting *row, long long number, char *buf, size_t size)
{
	snprintf(buf, size, "%s is %lld; it may be %ld to %ld, for instance: %s", row->name,
	    number, row->least, row->most, row->example);
	return buf;
}

/* ---- refusals ---- */

struct refused {
	FILE *out;
	const struct configured *connection;
	const char *secrets_dir;
	const struct ike_refusal *refusal;
	const struct given *given;	/* the setting concerned, or NULL: its default holds */
	struct origin origin;
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

static const char *
key_in_file(const struct refused *r)
{
	return r->given != NULL ? setting_key(r->given->setting) : key_of(r->refusal->setting);
}

static void
put_origin(const struct refused *r)
{
	fprintf(r->out, "\n%s:%u", r->origin.file, r->origin.line);
	if (r->given == NULL)
		fprintf(r->out, " leaves %s as it is by default", r->refusal->setting);
	else {
		fputs(" says: ", r->out);
		put_line(r->out, key_in_file(r), r->given->setting->type == SETTING_TEXTS,
		    r->given->texts, r->given->n, NULL);
	}
}

/* The first of the peer's proposals, "a, b", that our configuration could hold. */
static bool
acceptable(const char *theirs, uint8_t protocol, char *one, size_t size)
{
	struct ike_proposals parsed;
	const char *text = one;
	char why[256];
	size_t len;

	for (; *theirs != '\0'; theirs += strspn(theirs, ", ")) {
		len = strcspn(theirs, ",");
		snprintf(one, size, "%.*s", (int)len, theirs);
		theirs += len;
		parsed = (struct ike_proposals){ 0 };
		if (len >= size || !ike_proposals_parse(&text, 1, protocol, &parsed, why, sizeof(why)))
			continue;
		ike_proposals_free(&parsed);
		return true;
	}
	return false;
}

static void
mend_proposals(const struct refused *r)
{
	static const char *const standard[] = { "default" };
	bool ike = strcmp(r->refusal->setting, "ike") == 0;
	bool given = r->given != NULL && r->given->n > 0;
	char one[256];

	if (r->refusal->theirs[0] == '\0')
		fprintf(r->out, "\nthe peer must allow one of ours, or we one of its own: %s",
		    setting_find(SETTINGS_CONNECTION, ike ? "ike" : "esp")->example);
	else if (!acceptable(r->refusal->theirs, ike ? IKE_PROTOCOL_IKE : IKE_PROTOCOL_ESP, one,
	    sizeof(one)))
		fprintf(r->out, "\nnothing of theirs is known and safe here; the peer's side must "
		    "change and allow, for instance, %s",
		    ike ? "aes256-sha256-modp2048" : "aes256-sha256");
	else {
		fputs("\nthis would accept what the peer offers: ", r->out);
		put_line(r->out, key_in_file(r), true, given ? r->given->texts : standard,
		    given ? r->given->n : 1, one);
	}
}

static void
mend_identity(const struct refused *r)
{
	if (r->refusal->theirs[0] == '\0')
		return;
	fputs("\nthis would agree with the peer: ", r->out);
	put_line(r->out, "id", false, &r->refusal->theirs, 1, NULL);
}

static void
mend_secret(const struct refused *r)
{
	fprintf(r->out, "\nboth ends need the same secret; ours is in %s/%s.psk", r->secrets_dir,
	    r->connection->name);
}

static void
mend_auth(const struct refused *r)
{
	fputs("\nthe peer must authenticate with a pre-shared key", r->out);
}

/* The peer's selectors, "10.1.0.0/24 10.3.0.0/24", as a list. */
static void
mend_selectors(const struct refused *r)
{
	char *texts = strdup(r->refusal->theirs), *save = NULL, *text;
	struct esp_range range;
	bool first = true;

	for (text = texts == NULL ? NULL : strtok_r(texts, " ,", &save); text != NULL;
	    text = strtok_r(NULL, " ,", &save)) {
		if (!esp_range_parse(text, &range))
			break;
		if (first)
			fprintf(r->out, "\nthis would agree with the peer: %s = [ ", key_in_file(r));
		fprintf(r->out, "%s\"%s\"", first ? "" : ", ", text);
		first = false;
	}
	if (!first)
		fputs(" ];", r->out);
	free(texts);
}

static const struct mend {
	const char *setting;		/* its beginning, if it ends with a dot */
	bool in_file;			/* the setting has a line in the file */
	void (*say)(const struct refused *);
} mends[] = {
	{ "ike", true, mend_proposals },
	{ "esp", true, mend_proposals },
	{ "local.id", true, mend_identity },
	{ "remote.id", true, mend_identity },
	{ "secret", false, mend_secret },
	{ "auth", true, mend_auth },
	{ "children.", true, mend_selectors },
};

static const struct mend *
find_mend(const char *setting)
{
	size_t i, len;

	for (i = 0; i < sizeof(mends) / sizeof(mends[0]); i++) {
		len = strlen(mends[i].setting);
		if (strncmp(mends[i].setting, setting, len) == 0 &&
		    (setting[len] == '\0' || mends[i].setting[len - 1] == '.'))
			return &mends[i];
	}
	return NULL;
}

static void
put_refusal(struct refused *r)
{
	const struct ike_refusal *refusal = r->refusal;
	const struct mend *mend = find_mend(refusal->setting);

	if (r->connection != NULL)
		fprintf(r->out, "%s: ", r->connection->name);
	if (refusal->by_peer)
		fputs("the peer refuses: ", r->out);
	fputs(refusal->what[0] != '\0' ? refusal->what : ike_error_name(refusal->error), r->out);
	if (refusal->ours[0] != '\0')
		fprintf(r->out, "\nours:   %s", refusal->ours);
	if (refusal->theirs[0] != '\0')
		fprintf(r->out, "\ntheirs: %s", refusal->theirs);
	if (refusal->difference[0] != '\0')
		fprintf(r->out, "\nthey differ in: %s", refusal->difference);
	if (r->connection == NULL || mend == NULL)
		return;
	r->given = configured_find(r->connection, refusal->setting, -1);
	r->origin = configured_origin(r->connection, refusal->setting, -1);
	if (mend->in_file)
		put_origin(r);
	mend->say(r);
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
	    "is it running there, and does every firewall between let UDP 500 and 4500 pass?" },
	{ IKE_UNRESOLVED, "the peer's name has no address", "remote.address",
	    "is the name right, and does a name server answer?" },
	{ IKE_NOT_INITIATOR, "there is no address to call", "remote.address",
	    "only the peer can begin; to call it, write: address = \"203.0.113.7\";" },
	{ IKE_CLOSED, "the peer has closed it", NULL, NULL },
	{ IKE_CANCELLED, "closed from here", NULL, NULL },
	{ IKE_NO_MEMORY, "memory, or the crypto library, failed", NULL, NULL },
	{ IKE_AUTHENTICATION_FAILED, "authentication failed", NULL, NULL },
	{ IKE_NO_PROPOSAL_CHOSEN, "no proposal in common", NULL, NULL },
	{ IKE_TS_UNACCEPTABLE, "no traffic selectors in common", NULL, NULL },
};

char *
explain_down(const struct configured *connection, enum ike_error error)
{
	const struct end *end = NULL;
	const char *host = "";
	char *text = NULL;
	struct origin at;
	size_t len, i;
	FILE *out;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends[i].error == error)
			end = &ends[i];
	out = open_memstream(&text, &len);
	if (out == NULL)
		return NULL;
	if (connection != NULL)
		fprintf(out, "%s: ", connection->name);
	fputs(end == NULL ? ike_error_name(error) : end->what, out);
	if (end != NULL && end->setting != NULL && connection != NULL) {
		at = configured_origin(connection, end->setting, -1);
		host = connection->connection->remote.text;
		fprintf(out, "\n%s:%u says: address = \"%s\";\n%s", at.file, at.line, host,
		    end->remedy);
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
