#include "daemon/secret.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
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

/* The buffers are guarded and locked, and made once: that costs a dozen system calls. */
struct secret_folder {
	const char *path;
	int fd;
	struct faults *faults, *weak;
	uint8_t *content;		/* FILE_MAX + 1: too much shows */
	uint8_t *octets;		/* SECRET_MAX */
	size_t read, decoded;		/* octets of them to be wiped */
};

struct reader {
	struct origin origin;		/* the file's path */
	struct secret_folder *folder;
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
blame_open(struct reader *r)
{
	const char *remedy = "it must be a file that can be read";
	int error = errno;
	size_t i;

	for (i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++)
		if (remedies[i].error == error)
			remedy = remedies[i].what;
	fault_add(r->faults, r->origin, "cannot open the secret: %s; %s", strerror(error),
	    remedy);
}

static bool
check_file(struct reader *r, int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0) {
		blame_open(r);
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
read_all(struct reader *r, int fd)
{
	struct secret_folder *folder = r->folder;
	ssize_t n;

	do {
		n = read(fd, folder->content + folder->read, FILE_MAX + 1 - folder->read);
		if (n > 0)
			folder->read += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0) {
		blame_open(r);
		return -1;
	}
	return (ssize_t)folder->read;
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

/* ---- a folder ---- */

static void
wipe(struct secret_folder *folder)
{
	sodium_memzero(folder->content, folder->read);
	sodium_memzero(folder->octets, folder->decoded);
	folder->read = folder->decoded = 0;
}

/* Whoever may write the folder may replace a secret in it. */
static bool
check_folder(struct reader *r, int fd)
{
	const char *path = r->origin.file;
	struct stat st;
	int error;

	if (fd < 0 || fstat(fd, &st) != 0) {
		error = errno;
		fault_add(r->faults, r->origin,
		    "cannot open the folder of the secrets: %s; %s", strerror(error),
		    error == EACCES ?
			"run ikevd as root, or let its group enter (chmod g+x)" :
			"make it (mkdir -m 700), or set daemon.secrets_dir to the right "
			"one");
		return false;
	}
	if ((st.st_mode & S_IWOTH) == 0)
		return true;
	fault_add(r->faults, r->origin,
	    "everybody can put secrets into this folder; run: chmod o-w %s", path);
	return false;
}

struct secret_folder *
secret_folder_open(const char *path, struct faults *faults, struct faults *weak)
{
	struct reader r = { .origin = { path, 0 }, .faults = faults };
	struct secret_folder *folder;
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (!check_folder(&r, fd)) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	folder = calloc(1, sizeof(*folder));
	if (folder != NULL)
		*folder = (struct secret_folder){ .path = path, .fd = fd,
		    .faults = faults, .weak = weak,
		    .content = sodium_malloc(FILE_MAX + 1),
		    .octets = sodium_malloc(SECRET_MAX) };
	if (folder != NULL && folder->content != NULL && folder->octets != NULL)
		return folder;
	faults->no_memory = true;
	if (folder == NULL)
		close(fd);
	secret_folder_close(folder);
	return NULL;
}

void
secret_folder_close(struct secret_folder *folder)
{
	if (folder == NULL)
		return;
	close(folder->fd);
	sodium_free(folder->content);	/* which wipes */
	sodium_free(folder->octets);
	free(folder);
}

static bool
read_secret(struct reader *r, int fd, struct bytes *secret)
{
	struct secret_folder *folder = r->folder;
	const uint8_t *content = folder->content;
	ssize_t len;
	size_t n = 0;
	bool good;

	if (!check_file(r, fd) || (len = read_all(r, fd)) < 0)
		return false;
	if (len > 0 && content[len - 1] == '\n')
		len--;
	good = decode(r, content, (size_t)len, folder->octets, &n);
	folder->decoded = good ? n : SECRET_MAX;
	if (!good)
		return false;
	if (n == 0) {
		fault_add(r->faults, r->origin, "the secret is empty; "
		    "\"openssl rand -base64 32\" makes a good one");
		return false;
	}
	check_strength(r, content, (size_t)len, n);
	*secret = bytes_of(folder->octets, n);
	return true;
}

bool
secret_read(struct secret_folder *folder, const char *name, struct bytes *secret)
{
	char path[PATH_MAX], file[NAME_MAX + 1];
	struct reader r = { .origin = { path, 0 }, .folder = folder,
	    .faults = folder->faults, .weak = folder->weak };
	bool good;
	int fd;

	*secret = (struct bytes){ 0 };
	wipe(folder);
	snprintf(path, sizeof(path), "%s/%s.psk", folder->path, name);
	if (snprintf(file, sizeof(file), "%s.psk", name) >= (int)sizeof(file) ||
	    strchr(name, '/') != NULL) {
		fault_add(r.faults, r.origin,
		    "this is no name of a file; rename the connection");
		return false;
	}
	fd = open_beneath(folder->fd, file);
	if (fd < 0) {
		blame_open(&r);
		return false;
	}
	good = read_secret(&r, fd, secret);
	close(fd);
	return good;
}
