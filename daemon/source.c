#include "daemon/source.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MOST = 64 << 20,	/* octets of a file: 200,000 connections */
	DEEPEST = 64		/* brackets within brackets; five are of use */
};

/* ---- reading ---- */

static const char *
open_remedy(int error)
{
	switch (error) {
	case ENOENT:
		return "give the right path with -f";
	case EACCES:
		return "run ikevd as root, or let its user read the file";
	default:
		return "it must be a file that can be read";
	}
}

/* Where each line begins, and no NUL in any of them. */
static bool
index_lines(struct source *source, struct faults *faults)
{
	const char *p = source->text, *end = p + source->len;
	size_t n = 1;

	for (; p < end; p++) {
		n += *p == '\n';
		if (*p != '\0')
			continue;
		fault_add(faults, (struct origin){ source->file, (unsigned)n },
		    "there is a NUL octet, at which the rest would be lost; remove it");
		return false;
	}
	source->lines = calloc(n, sizeof(*source->lines));
	if (source->lines == NULL) {
		faults->no_memory = true;
		return false;
	}
	for (p = source->text; p != NULL; p = memchr(p, '\n', (size_t)(end - p))) {
		p += source->n_lines > 0;
		source->lines[source->n_lines++] = (size_t)(p - source->text);
	}
	return true;
}

bool
source_read(const char *file, struct source *source, struct faults *faults)
{
	const struct origin whole = { file, 0 };
	size_t room = 0;
	bool good = true;
	ssize_t n;
	char *more;
	int fd;

	*source = (struct source){ .file = file };
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		fault_add(faults, whole, "cannot open the file: %s; %s", strerror(errno),
		    open_remedy(errno));
		return false;
	}
	do {
		if (room - source->len < 4097) {
			room = room * 2 + 16384;
			more = realloc(source->text, room);
			if (more == NULL) {
				faults->no_memory = true;
				good = false;
				break;
			}
			source->text = more;
		}
		n = read(fd, source->text + source->len, room - source->len - 1);
		source->len += n > 0 ? (size_t)n : 0;
		if (n < 0 && errno != EINTR) {
			fault_add(faults, whole, "cannot read the file: %s; %s",
			    strerror(errno), open_remedy(errno));
			good = false;
		} else if (source->len > MOST) {
			fault_add(faults, whole, "the file is longer than %d MiB; "
			    "a configuration is text", MOST >> 20);
			good = false;
		}
	} while (good && n != 0);
	close(fd);
	if (!good)
		return false;
	source->text[source->len] = '\0';
	/* some editors begin with a byte-order mark, which says nothing in UTF-8 */
	if (strncmp(source->text, "\xef\xbb\xbf", 3) == 0)
		memset(source->text, ' ', 3);
	return index_lines(source, faults);
}

void
source_free(struct source *source)
{
	free(source->text);
	free(source->lines);
	*source = (struct source){ 0 };
}

/* ---- tokens ---- */

enum kind { START, WORD, NUMBER, STRING, MARK, BLOB, INCLUDE, END };
struct token {
	enum kind kind;
	const char *p;
	size_t len;
	unsigned line;
	bool ends;		/* of a string: its closing quote is there */
	bool wraps;		/* of a string: it goes over the end of the line */
};
struct scanner {
	const char *p, *end;
	unsigned line;
	unsigned open_comment;	/* the line of a comment that never ends, or 0 */
};

static void
skip_line(struct scanner *s)
{
	while (s->p < s->end && *s->p != '\n')
		s->p++;
}

static void
skip_comment(struct scanner *s)
{
	unsigned line = s->line;

	for (s->p += 2; s->p < s->end; s->p++) {
		if (*s->p == '\n')
			s->line++;
		if (s->p[0] == '*' && s->p[1] == '/') {
			s->p += 2;
			return;
		}
	}
	s->open_comment = line;
}

/* Blanks and comments. */
static void
skip(struct scanner *s)
{
	while (s->p < s->end) {
		if (*s->p == '\n')
			s->line++, s->p++;
		else if (isspace((unsigned char)*s->p))
			s->p++;
		else if (*s->p == '#' || (s->p[0] == '/' && s->p[1] == '/'))
			skip_line(s);
		else if (s->p[0] == '/' && s->p[1] == '*')
			skip_comment(s);
		else
			break;
	}
}

static void
read_string(struct scanner *s, struct token *t)
{
	for (s->p++; s->p < s->end && *s->p != '"'; s->p++) {
		if (*s->p == '\\' && s->p + 1 < s->end)
			s->p++;
		if (*s->p == '\n') {
			s->line++;
			t->wraps = true;
		}
	}
	if (s->p < s->end) {
		s->p++;
		t->ends = true;
	}
}

static bool
in_blob(char c)
{
	return isalnum((unsigned char)c) || (c != '\0' && strchr("-+_.*'", c) != NULL) ||
	    (unsigned char)c >= 0x80;
}

static enum kind
blob_kind(const char *p, size_t len)
{
	size_t i = 1, dots = 0;

	if (isalpha((unsigned char)p[0]) || p[0] == '*') {
		while (i < len &&
		    (isalnum((unsigned char)p[i]) || strchr("-_*", p[i]) != NULL))
			i++;
		return i == len ? WORD : BLOB;
	}
	for (i = 0; i < len; i++) {
		dots += p[i] == '.';
		if (dots > 1 ||
		    (!isxdigit((unsigned char)p[i]) && strchr("xX.+-L", p[i]) == NULL))
			return BLOB;
	}
	return len > 1 || isdigit((unsigned char)p[0]) ? NUMBER : BLOB;
}

static struct token
next(struct scanner *s)
{
	struct token t = { .kind = MARK };

	skip(s);
	t.p = s->p;
	t.line = s->line;
	if (s->p >= s->end) {
		t.kind = END;
	} else if (*s->p == '"') {
		t.kind = STRING;
		read_string(s, &t);
	} else if (*s->p == '@') {
		t.kind = INCLUDE;
		skip_line(s);
	} else if (in_blob(*s->p)) {
		while (s->p < s->end && in_blob(*s->p))
			s->p++;
		t.kind = blob_kind(t.p, (size_t)(s->p - t.p));
	} else {
		s->p++;
	}
	t.len = (size_t)(s->p - t.p);
	return t;
}

static bool
is(const struct token *t, char mark)
{
	return t->kind == MARK && t->p[0] == mark;
}

static bool
is_any(const struct token *t, const char *marks)
{
	return t->kind == MARK && t->p[0] != '\0' && strchr(marks, t->p[0]) != NULL;
}

/* ---- checking ---- */

struct check {
	const struct source *source;
	struct faults *faults;
	bool syntax;
	bool stop;			/* what follows a misfit would only repeat it */
	unsigned found;
	unsigned wraps;			/* line of the first text over several, or 0 */
	unsigned depth;
	struct { char mark; unsigned line; } open[DEEPEST];
};

static void fault_at(struct check *, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void misfit(struct check *, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
fault_at(struct check *c, unsigned line, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fault_add(c->faults, (struct origin){ c->source->file, line }, "%s", text);
	c->found++;
}

/* Of the syntax.  Behind a quote that was forgotten, all that is text seems to be none
 * and the other way round, so that quote is the better explanation. */
static void
misfit(struct check *c, unsigned line, const char *format, ...)
{
	char text[512];
	va_list args;

	if (!c->syntax || c->stop)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (c->wraps > 0)
		fault_at(c, c->wraps,
		    "a text begins here that goes over the end of the line; "
		    "close it with a double quote");
	else
		fault_at(c, line, "%s", text);
	c->stop = true;
}

/* libconfig turns what is too large into something else: 4294967796 into 500. */
static void
check_number(struct check *c, const struct token *t)
{
	bool hex = t->len > 2 && tolower((unsigned char)t->p[1]) == 'x';
	bool wide = memchr(t->p, 'L', t->len) != NULL;
	unsigned long long most = wide ? INT64_MAX : hex ? UINT32_MAX : INT32_MAX, value;
	char digits[32];

	if (!hex && memchr(t->p, '.', t->len) != NULL)
		return;
	snprintf(digits, sizeof(digits), "%.*s", (int)t->len, t->p);
	value = strtoull(digits + strspn(digits, "+-"), NULL, hex ? 16 : 10);
	if (t->len >= sizeof(digits) || value > most)
		fault_at(c, t->line, "the number %.*s does not fit into %d bits; %s",
		    (int)(t->len < 60 ? t->len : 60), t->p, wide ? 64 : 32, wide ?
		    "no setting is that large" :
		    "write a large number as text: bytes = \"5000000000\";");
}

static char
enclosing(const struct check *c)
{
	return c->depth == 0 ? '{' : c->open[c->depth - 1].mark;
}

static char
closing(char open)
{
	return open == '{' ? '}' : open == '[' ? ']' : ')';
}

static void
check_brackets(struct check *c, const struct token *t)
{
	if (is_any(t, "{[(")) {
		if (c->depth < DEEPEST) {
			c->open[c->depth].mark = t->p[0];
			c->open[c->depth].line = t->line;
		}
		c->depth++;	/* one too many ends the check */
		return;
	}
	if (!is_any(t, "}])"))
		return;
	if (c->depth == 0) {
		misfit(c, t->line,
		    "this \"%c\" closes nothing; remove it, or add the "
		    "\"%c\" it belongs to",
		    t->p[0], "{[("[strchr("}])", t->p[0]) - "}])"]);
		return;
	}
	c->depth--;
	if (closing(c->open[c->depth].mark) != t->p[0])
		misfit(c, t->line,
		    "\"%c\" closes the \"%c\" of line %u; it would have to be "
		    "\"%c\"",
		    t->p[0], c->open[c->depth].mark, c->open[c->depth].line,
		    closing(c->open[c->depth].mark));
}

static bool
is_boolean(const struct token *t)
{
	return (t->len == 4 && strncasecmp(t->p, "true", 4) == 0) ||
	    (t->len == 5 && strncasecmp(t->p, "false", 5) == 0);
}

/* A text that has lost its quotes, or has single ones, up to where it seems to end. */
static void
misfit_unquoted(struct check *c, const struct token *t)
{
	const char *p = t->p + strspn(t->p, "'");

	misfit(c, t->line, "a text stands in double quotes; write: \"%.*s\"",
	    (int)strcspn(p, " \t\r\n;,'\"])}"), p);
}

static bool
is_followed_by_value(const struct token *t)
{
	const char *p = t->p + t->len;

	p += strspn(p, " \t\r\n");
	return *p == '=' || *p == ':';
}

/* A name without its "=". */
static void
misfit_name(struct check *c, const struct token *name, const struct token *t)
{
	int len = (int)(name->len < 60 ? name->len : 60);

	if (t->kind == STRING || t->kind == NUMBER || t->kind == BLOB || is_any(t, "{[("))
		misfit(c, t->line, "there is no \"=\"; write: %.*s = %.*s", len, name->p,
		    (int)(t->len < 60 ? t->len : 60), t->p);
	else
		misfit(c, name->line, "there is no value behind \"%.*s\"; write: %.*s = "
		    "...;", len, name->p, len, name->p);
}

/* The frequent mistakes that two neighbouring tokens show. */
static void
check_pair(struct check *c, const struct token *last, const struct token *t)
{
	bool listed = enclosing(c) != '{';
	bool value = is_any(last, "=:") || (listed && is_any(last, ",[("));
	int len = (int)(t->len < 60 ? t->len : 60);

	if (t->kind == MARK && !is_any(t, "{}[]();,=:"))
		misfit(c, t->line,
		    "\"%.*s\" means nothing here; texts stand in double quotes", len,
		    t->p);
	else if (is(last, ',') && is_any(t, "])"))
		misfit(c, last->line, "there is a comma behind the last item; remove it");
	else if (is_any(last, "[(") && is(t, ','))
		misfit(c, t->line, "there is nothing in front of the comma; remove it");
	else if (last->kind == WORD && !listed && !is_boolean(last) && !is_any(t, "=:"))
		misfit_name(c, last, t);
	else if (is_any(last, "(,") && enclosing(c) == '(' && t->kind == WORD &&
	    is_followed_by_value(t))
		misfit(c, t->line,
		    "a setting cannot stand in a list by itself; write the settings of "
		    "an item in a group: ( { %.*s = ...; } )", len, t->p);
	else if (value && ((t->kind == WORD && !is_boolean(t)) || t->kind == BLOB))
		misfit_unquoted(c, t);
	else if (enclosing(c) == '[' && is_any(t, "{[("))
		misfit(c, t->line,
		    "there is a group or list between \"[\" and \"]\", where only texts "
		    "may be; write \"(\" and \")\" around it");
	else if (is_any(last, "=:") && (is_any(t, ";},") || t->kind == END))
		misfit(c, last->line,
		    "there is no value behind the \"%c\"; write one, or remove the "
		    "setting",
		    last->p[0]);
	else if (!listed && t->kind == BLOB && memchr(t->p, '.', t->len) != NULL)
		misfit(c, t->line,
		    "a name has no dots; write the part before the dot as a group: "
		    "%.*s = { ... };",
		    (int)strcspn(t->p, "."), t->p);
	else if (!listed && !value && (t->kind == BLOB || t->kind == NUMBER))
		misfit(c, t->line,
		    "\"%.*s\" is not a name; names begin with a letter and have "
		    "letters, digits, - and _",
		    len, t->p);
	else if (!listed && is_any(t, "=:") && last->kind == STRING)
		misfit(c, t->line, "names stand without quotes; write: %.*s =",
		    (int)last->len - 2, last->p + 1);
	else if (!listed && is(t, ';') &&
	    (last->kind == START || last->kind == INCLUDE || is_any(last, ";,{")))
		misfit(c, t->line, "there is a \";\" too many; remove it");
	else if (listed && is(last, '}') && is(t, '{'))
		misfit(c, last->line, "there is no comma between two items; write: },");
	else if (listed && is(t, ';'))
		misfit(c, t->line,
		    "items of a list are parted by commas; write \",\" for \";\"");
}

static void
check_end(struct check *c, const struct scanner *s)
{
	if (s->open_comment > 0)
		misfit(c, s->open_comment,
		    "this comment never ends; it ends with \"*/\"");
	else if (c->depth > 0)
		misfit(c, c->open[c->depth - 1].line,
		    "this \"%c\" is never closed; write \"%c\" "
		    "behind what belongs to it",
		    enclosing(c), closing(enclosing(c)));
	else if (c->wraps > 0)
		misfit(c, c->wraps, "there is a syntax error");
}

/* libconfig takes a relative path from wherever the daemon was started. */
static void
check_include(struct check *c, const struct token *t)
{
	const char *quote = memchr(t->p, '"', t->len);

	if (quote != NULL && quote[1] != '/')
		fault_at(c, t->line,
		    "a file is included by its whole path; it begins with a \"/\"");
}

/* Faults of one token that libconfig does not see. */
static void
check_token(struct check *c, const struct token *last, const struct token *t)
{
	if (t->kind == NUMBER)
		check_number(c, t);
	if (t->kind == INCLUDE)
		check_include(c, t);
	if (t->kind != STRING)
		return;
	if (memmem(t->p, t->len, "\\x00", 4) != NULL)
		fault_at(c, t->line,
		    "\\x00 ends a text, and the rest would be lost; remove it");
	if (last->kind == STRING && enclosing(c) != '{')
		fault_at(c, last->line,
		    "there is no comma between two texts; write: %.*s,",
		    (int)(last->len < 80 ? last->len : 80), last->p);
	if (t->wraps && c->wraps == 0)
		c->wraps = t->line;
	if (!t->ends)
		misfit(c, t->line, "this text never ends; close it with a double quote");
}

unsigned
source_check(const struct source *source, bool syntax, struct faults *faults)
{
	struct check c = { .source = source, .faults = faults, .syntax = syntax };
	struct scanner s = { source->text, source->text + source->len, .line = 1 };
	struct token last = { .kind = START }, t;

	do {
		t = next(&s);
		check_token(&c, &last, &t);
		if (syntax)
			check_pair(&c, &last, &t);
		check_brackets(&c, &t);
		last = t;
	} while (t.kind != END && !c.stop && c.depth <= DEEPEST);
	if (c.depth > DEEPEST)
		fault_at(&c, t.line,
		    "brackets are nested more than %d deep; no setting is", DEEPEST);
	else
		check_end(&c, &s);
	return c.found;
}

/* ---- names that stand twice ---- */

/* The line of the same name in the same group before it, or 0. */
static unsigned
find_before(const struct source *source, const struct token *name)
{
	struct scanner s = { source->text, source->text + source->len, .line = 1 };
	unsigned seen[DEEPEST + 1] = { 0 }, depth = 0;
	struct token t;

	for (t = next(&s); t.p < name->p; t = next(&s)) {
		if (is_any(&t, "{[(") && ++depth <= DEEPEST)
			seen[depth] = 0;
		else if (is_any(&t, "}])") && depth > 0)
			depth--;
		else if (t.kind == WORD && t.len == name->len && depth <= DEEPEST &&
		    memcmp(t.p, name->p, t.len) == 0)
			seen[depth] = t.line;
	}
	return depth <= DEEPEST ? seen[depth] : 0;
}

unsigned
source_twice(const struct source *source, unsigned line, char *name, size_t size)
{
	struct scanner s = { source->text, source->text + source->len, .line = 1 };
	unsigned first;
	struct token t;

	for (t = next(&s); t.kind != END && t.line <= line; t = next(&s)) {
		if (t.kind != WORD || t.line + 1 < line)
			continue;
		first = find_before(source, &t);
		if (first == 0)
			continue;
		snprintf(name, size, "%.*s", (int)t.len, t.p);
		return first;
	}
	return 0;
}

/* ---- lines ---- */

const char *
source_line(const struct source *source, unsigned line, char *buf, size_t size)
{
	const char *p, *stop;

	buf[0] = '\0';
	if (line == 0 || line > source->n_lines)
		return buf;
	p = source->text + source->lines[line - 1];
	p += strspn(p, " \t\r");
	stop = p + strcspn(p, "\n");
	while (stop > p && isspace((unsigned char)stop[-1]))
		stop--;
	snprintf(buf, size, "%.*s", (int)(stop - p < 200 ? stop - p : 200), p);
	return buf;
}

/* libconfig notes the line when it has read one token more, to see whether the text goes
 * on. */
unsigned
source_text_line(const struct source *source, unsigned line)
{
	char text[4];

	for (; line > 1 && line <= source->n_lines; line--) {
		source_line(source, line, text, sizeof(text));
		if (text[0] != '\0' && strchr("]),#", text[0]) == NULL &&
		    strncmp(text, "//", 2) != 0)
			break;
	}
	return line;
}
