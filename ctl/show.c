#include <stdbool.h>
#include <string.h>

#include "ctl/show.h"

/* What is missing, or is no text, is an empty one. */
static const char *
text_of(const json_t *value)
{
	const char *s = json_string_value(value);

	return s != NULL ? s : "";
}

static const char *
text(const json_t *object, const char *key)
{
	return text_of(json_object_get(object, key));
}

static long long
number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* "47 s", "3 min", "5 h 12 min", "9 d 4 h" */
static const char *
age(long long seconds, char *buf, size_t len)
{
	if (seconds < 60)
		snprintf(buf, len, "%lld s", seconds);
	else if (seconds < 3600)
		snprintf(buf, len, "%lld min", seconds / 60);
	else if (seconds < 86400)
		snprintf(buf, len, "%lld h %lld min", seconds / 3600, seconds / 60 % 60);
	else
		snprintf(buf, len, "%lld d %lld h", seconds / 86400, seconds / 3600 % 24);
	return buf;
}

/* "812 B", "1.4 KiB", "3.0 GiB" */
static const char *
octets(long long n, char *buf, size_t len)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB" };
	double value = (double)n / 1024;
	size_t unit = 0;

	if (n < 1024) {
		snprintf(buf, len, "%lld B", n);
		return buf;
	}
	while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, len, "%.1f %s", value, units[unit]);
	return buf;
}

static void
show_ranges(FILE *out, const json_t *list)
{
	const json_t *range;
	size_t i;

	json_array_foreach(list, i, range)
		fprintf(out, "%s%s", i > 0 ? " " : "", text_of(range));
}

/* "generation 4, rekey in 57 min, ends in 1 h 12 min" */
static void
show_life(FILE *out, const json_t *object)
{
	static const struct { const char *key, *text; } ends[] = {
		{ "rekey_in", "rekey" }, { "ends_in", "ends" }, { "reauth_in", "reauth" },
	};
	char in[32];

	fprintf(out, "generation %lld", number(object, "generation"));
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (json_is_integer(json_object_get(object, ends[i].key)))
			fprintf(out, ", %s in %s", ends[i].text,
			    age(number(object, ends[i].key), in, sizeof(in)));
}

/* Nothing, before there was any. */
static void
show_rekeys(FILE *out, const json_t *sa)
{
	long long won = number(sa, "collisions_won");
	long long lost = number(sa, "collisions_lost");
	long long n = number(sa, "child_rekeys");

	if (n > 0)
		fprintf(out, "; %lld child rekey%s", n, n == 1 ? "" : "s");
	if (won + lost > 0)
		fprintf(out, "; of both at once: %lld won, %lld lost", won, lost);
}

static void
show_child(FILE *out, const json_t *c)
{
	bool udp = json_is_true(json_object_get(c, "encapsulated"));
	char a[32], b[32], since[32];
	long long replay = number(c, "dropped_replay");
	long long integrity = number(c, "dropped_integrity");
	long long selectors = number(c, "dropped_selectors");

	fprintf(out, "    child %-12s %s, %s, %s old%s\n", text(c, "name"),
	    text(c, "proposal"), udp ? "ESP in UDP" : "ESP",
	    age(number(c, "age"), since, sizeof(since)),
	    json_is_true(json_object_get(c, "replaced")) ? ", replaced" : "");
	fputs("      selectors  ", out);
	show_ranges(out, json_object_get(c, "local"));
	fputs(" === ", out);
	show_ranges(out, json_object_get(c, "remote"));
	fprintf(out, "\n      traffic    in %s, %lld packets; out %s, %lld packets\n",
	    octets(number(c, "bytes_in"), a, sizeof(a)), number(c, "packets_in"),
	    octets(number(c, "bytes_out"), b, sizeof(b)), number(c, "packets_out"));
	if (replay + integrity + selectors > 0)
		fprintf(out, "      dropped    %lld replayed, %lld with a wrong ICV, "
		    "%lld outside the selectors\n", replay, integrity, selectors);
	fputs("      life       ", out);
	show_life(out, c);
	fprintf(out, "\n      SPIs       in %s, out %s\n", text(c, "spi_in"),
	    text(c, "spi_out"));
}

/* A peer that wants its ESP in UDP claims to be behind a NAT, and perhaps is. */
static const char *
nat_text(const char *nat)
{
	static const struct { const char *nat, *text; } texts[] = {
		{ "local", ", behind a NAT here" },
		{ "remote", ", peer behind a NAT, or forcing UDP" },
		{ "both", ", behind a NAT here, peer too, or forcing UDP" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(texts[i].nat, nat) == 0)
			return texts[i].text;
	return "";
}

static void
show_sa(FILE *out, const json_t *sa)
{
	const json_t *children = json_object_get(sa, "children"), *child;
	char since[32];
	size_t i;

	fprintf(out, "  IKE SA %s as %s, %s", text(sa, "state"),
	    json_is_true(json_object_get(sa, "initiator")) ? "initiator" : "responder",
	    age(number(sa, "age"), since, sizeof(since)));
	if (*text(sa, "proposal") != '\0')
		fprintf(out, ", %s", text(sa, "proposal"));
	fprintf(out, "\n    %s [%s] === %s [%s]%s\n", text(sa, "local_address"),
	    text(sa, "local_id"), text(sa, "remote_address"), text(sa, "remote_id"),
	    nat_text(text(sa, "nat")));
	if (strcmp(text(sa, "state"), "established") == 0) {
		fputs("    ", out);
		show_life(out, sa);
		show_rekeys(out, sa);
		fputc('\n', out);
	}
	json_array_foreach(children, i, child)
		show_child(out, child);
}

static void
indent(FILE *out, const char *lines)
{
	for (const char *end; *lines != '\0'; lines = *end == '\0' ? end : end + 1) {
		end = lines + strcspn(lines, "\n");
		fprintf(out, "    %.*s\n", (int)(end - lines), lines);
	}
}

static int
longest_name(const json_t *connections)
{
	const json_t *c;
	size_t i, longest = 10;

	json_array_foreach(connections, i, c)
		if (strlen(text(c, "name")) > longest)
			longest = strlen(text(c, "name"));
	return (int)longest;
}

void
show_status(FILE *out, const json_t *parameters)
{
	const json_t *list = json_object_get(parameters, "connections"), *c, *sas, *sa;
	int width = longest_name(list);
	size_t i, k;

	fprintf(out, "%-*s  %-19s  %-9s  %s\n", width, "CONNECTION", "STATE", "START",
	    "PEER");
	json_array_foreach(list, i, c) {
		fprintf(out, "%-*s  %-19s  %-9s  %s [%s]\n", width, text(c, "name"),
		    text(c, "state"), text(c, "start"), text(c, "remote_address"),
		    text(c, "remote_id"));
		sas = json_object_get(c, "sas");
		json_array_foreach(sas, k, sa)
			show_sa(out, sa);
		if (json_is_string(json_object_get(c, "refusal"))) {
			fputs("  last failure:\n", out);
			indent(out, text(c, "refusal"));
		}
	}
}

void
show_list(FILE *out, const json_t *parameters)
{
	const json_t *list = json_object_get(parameters, "names"), *name;
	size_t i;

	json_array_foreach(list, i, name)
		fprintf(out, "%s\n", text_of(name));
}

static const struct { const char *error, *sentence; } sentences[] = {
	{ "org.ikev.Ikevd.Busy", "too many clients wait for ikevd; try again later" },
	{ "org.ikev.Ikevd.NoMemory", "ikevd has no memory for the answer" },
};

/* An explanation begins with the connection's name, as it stands in the log. */
static const char *
without_name(const char *explanation, const char *name)
{
	size_t len = strlen(name);

	return strncmp(explanation, name, len) == 0 &&
		strncmp(explanation + len, ": ", 2) == 0 ?
	    explanation + len + 2 :
	    explanation;
}

static void
show_other_error(FILE *out, const char *error, const json_t *parameters)
{
	const char *detail = text(parameters, "reason");

	for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
		if (strcmp(sentences[i].error, error) == 0) {
			fprintf(out, "ikectl: %s\n", sentences[i].sentence);
			return;
		}
	if (*detail == '\0')
		detail = text(parameters, "parameter");
	fprintf(out,
	    "ikectl: ikevd answered %s%s%s; are ikectl and ikevd of one version?\n",
	    error, *detail != '\0' ? ": " : "", detail);
}

static void
show_no_child(FILE *out, const json_t *parameters)
{
	const json_t *children = json_object_get(parameters, "children"), *child;
	size_t i;

	fprintf(out, "ikectl: %s has no child %s; it has: ", text(parameters, "name"),
	    text(parameters, "child"));
	json_array_foreach(children, i, child)
		fprintf(out, "%s%s", i > 0 ? ", " : "", text_of(child));
	fputc('\n', out);
}

void
show_error(FILE *out, const char *error, const json_t *parameters)
{
	const char *name = text(parameters, "name");
	const char *nearest = text(parameters, "suggestion");

	if (strcmp(error, "org.ikev.Ikevd.NotUp") == 0) {
		fprintf(out, "ikectl: %s did not come up: %s\n", name,
		    without_name(text(parameters, "explanation"), name));
	} else if (strcmp(error, "org.ikev.Ikevd.NotRekeyed") == 0) {
		fprintf(out, "ikectl: %s was not rekeyed: %s\n", name,
		    without_name(text(parameters, "explanation"), name));
	} else if (strcmp(error, "org.ikev.Ikevd.NoChild") == 0) {
		show_no_child(out, parameters);
	} else if (strcmp(error, "org.ikev.Ikevd.NoConnection") == 0) {
		fprintf(out, "ikectl: there is no connection %s", name);
		if (*nearest != '\0')
			fprintf(out, "; did you mean %s?\n", nearest);
		else
			fputs("; `ikectl list` names them all\n", out);
	} else {
		show_other_error(out, error, parameters);
	}
}
