#include "daemon/secret.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	FILE_MAX = 2 * SECRET_MAX + 64,	/* the longest form: hex, prefix, newline */
	/* bits that must not be there */
	OTHERS = S_IROTH | S_IWOTH, CHANGERS = S_IWGRP
};

struct reader {
	struct origin origin;		/* the file's path */
	const char *folder;
	struct faults *faults, *weak;
};

/* A link may lead to another file of the folder, as mounted secrets have it, and nowhere
 * else. */
static int
open_beneath(int folder, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));

	if (fd < 0 && (errno == ENOSYS || errno == EPERM))	/* before Linux 5.6 */
		fd = openat(folder, name, (int)how.flags | O_NOFOLLOW);
	return fd;
}

static const struct {
	int error;
	const char *what;
} remedies[] = {
	{ ENOENT, "write the secret there, readable for nobody else" },
	{ EACCES, "run ikevd as root, or let its group read the file (chmod g+r)" },
	{ EXDEV, "a link must stay within the folder" },
	{ ELOOP, "it must be a file, not a link" },
};

static void
blame_open(struct reader *r, const char *what)
{
	const char *remedy = "it must be a file that can be read";
	int error = errno;
	size_t i;

	for (i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++)
		if (remedies[i].error == error)
			remedy = remedies[i].what;
	fault_add(r->faults, r->origin, "cannot open the %s: %s; %s", what,
	    strerror(error), remedy);
}

/* Whoever may write the folder may replace a secret in it. */
static bool
check_folder(struct reader *r, int folder)
{
	struct stat st;

	if (fstat(folder, &st) != 0) {
		blame_open(r, "folder of the secrets");
		return false;
	}
	if ((st.st_mode & S_IWOTH) == 0)
		return true;
	fault_add(r->faults, (struct origin){ r->folder, 0 },
	    "everybody can put secrets into this folder; run: chmod o-w %s", r->folder);
	return false;
}

static bool
check_file(struct reader *r, int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0) {
		blame_open(r, "secret");
		return false;
	}
	if (!S_ISREG(st.st_mode)) {
		fault_add(r->faults, r->origin, "this is not a regular file; "
		    "write the secret into a file of this name");
		return false;
	}
	if ((st.st_mode & (OTHERS | CHANGERS)) != 0) {
		fault_add(r->faults, r->origin,
		    "%s can %s this secret (mode %04o); run: chmod %s %s",
		    (st.st_mode & OTHERS) != 0 ? "everybody" : "its group",
		    (st.st_mode & S_IROTH) != 0 ? "read" : "change",
		    (unsigned)st.st_mode & 07777,
		    (st.st_mode & CHANGERS) != 0 ? "g-w,o=" : "o=", r->origin.file);
		return false;
	}
	return true;
}

/* All octets, or the first FILE_MAX + 1 of more; -1 after a fault. */
static ssize_t
read_all(struct reader *r, int fd, uint8_t *buf)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, buf + len, FILE_MAX + 1 - len);
		if (n > 0)
			len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0) {
		blame_open(r, "secret");
		return -1;
	}
	return (ssize_t)len;
}

static bool
has_prefix(const uint8_t *p, size_t len, const char *prefix)
{
	return len >= strlen(prefix) &&
	    strncasecmp((const char *)p, prefix, strlen(prefix)) == 0;
}

/* The octets that the content stands for; false after a fault. */
static bool
decode(struct reader *r, const uint8_t *p, size_t len, uint8_t *out, size_t *n)
{
	const char *text = (const char *)p, *end;

	if (has_prefix(p, len, "0x")) {
		text += 2;
		len -= 2;
		if (sodium_hex2bin(out, SECRET_MAX, text, len, NULL, n, &end) == 0 &&
		    end == text + len)
			return true;
		fault_add(r->faults, r->origin,
		    "this begins with 0x and is not hex, or is longer "
		    "than %d octets; write pairs of hex digits, or the text as "
		    "base64:...",
		    SECRET_MAX);
		return false;
	}
	if (has_prefix(p, len, "base64:")) {
		text += 7;
		len -= 7;
		if ((sodium_base642bin(out, SECRET_MAX, text, len, NULL, n, &end,
		    sodium_base64_VARIANT_ORIGINAL) == 0 && end == text + len) ||
		    (sodium_base642bin(out, SECRET_MAX, text, len, NULL, n, &end,
		    sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 && end == text + len))
			return true;
		fault_add(r->faults, r->origin,
		    "this begins with base64: and is not base64, or is "
		    "longer than %d octets; \"base64 -w0\" writes it",
		    SECRET_MAX);
		return false;
	}
	if (len > SECRET_MAX) {
		fault_add(r->faults, r->origin, "the secret is longer than %d octets; "
		    "\"openssl rand -base64 32\" makes a good one", SECRET_MAX);
		return false;
	}
	memcpy(out, p, len);
	*n = len;
	return true;
}

static void
check_strength(struct reader *r, const uint8_t *p, size_t len, size_t n)
{
	if (r->weak == NULL)
		return;
	if (n < SECRET_STRONG)
		fault_add(r->weak, r->origin,
		    "the secret has only %zu octets and can be guessed by "
		    "whoever pretends to be the peer once; \"openssl rand -base64 32\" "
		    "makes a good one",
		    n);
	if (len > 0 && !has_prefix(p, len, "0x") && !has_prefix(p, len, "base64:") &&
	    (isspace(p[0]) || isspace(p[len - 1])))
		fault_add(r->weak, r->origin,
		    "the secret begins or ends with a blank, which "
		    "counts; remove it unless the peer has it too");
}

static bool
read_secret(struct reader *r, int fd, struct secret *secret)
{
	/* one more, so that what is too long shows */
	uint8_t *content = sodium_malloc(FILE_MAX + 1);
	uint8_t *octets = sodium_malloc(SECRET_MAX);
	struct secret new = { 0 };
	ssize_t len;
	size_t n = 0;

	if (content == NULL || octets == NULL) {
		r->faults->no_memory = true;
		goto out;
	}
	if (!check_file(r, fd) || (len = read_all(r, fd, content)) < 0)
		goto out;
	if (len > 0 && content[len - 1] == '\n')
		len--;
	if (!decode(r, content, (size_t)len, octets, &n))
		goto out;
	if (n == 0) {
		fault_add(r->faults, r->origin, "the secret is empty; "
		    "\"openssl rand -base64 32\" makes a good one");
		goto out;
	}
	new.octets = sodium_malloc(n);
	if (new.octets == NULL) {
		r->faults->no_memory = true;
		goto out;
	}
	memcpy(new.octets, octets, n);
	new.len = n;
	check_strength(r, content, (size_t)len, n);
	*secret = new;
out:
	sodium_free(content);
	sodium_free(octets);
	return new.octets != NULL;
}

bool
secret_read(const char *folder, const char *name, struct secret *secret,
    struct faults *faults, struct faults *weak)
{
	char path[PATH_MAX], file[NAME_MAX + 1];
	struct reader r = { .origin = { path, 0 }, .folder = folder, .faults = faults,
	    .weak = weak };
	int at = -1, fd = -1;
	bool good = false;

	*secret = (struct secret){ 0 };
	snprintf(path, sizeof(path), "%s/%s.psk", folder, name);
	if (snprintf(file, sizeof(file), "%s.psk", name) >= (int)sizeof(file) ||
	    strchr(name, '/') != NULL) {
		fault_add(faults, r.origin,
		    "this is no name of a file; rename the connection");
		return false;
	}
	at = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0) {
		r.origin.file = folder;
		blame_open(&r, "folder of the secrets");
		goto out;
	}
	if (!check_folder(&r, at))
		goto out;
	fd = open_beneath(at, file);
	if (fd < 0) {
		blame_open(&r, "secret");
		goto out;
	}
	good = read_secret(&r, fd, secret);
out:
	if (fd >= 0)
		close(fd);
	if (at >= 0)
		close(at);
	return good;
}

void
secret_free(struct secret *secret)
{
	sodium_free(secret->octets);
	*secret = (struct secret){ 0 };
}
