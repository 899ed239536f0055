#include <fcntl.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/life.h"
#include "daemon/load.h"
#include "daemon/log.h"
#include "daemon/patience.h"
#include "daemon/privilege.h"
#include "daemon/secret.h"
#include "daemon/warn.h"
#include "libipsec/auth_psk.h"

#define CONFIGURATION "/etc/ikev.conf"
#define SOCKET "/run/ikevd/control"

enum { DONE = 0, FAILED = 1, MISUSED = 2 };	/* exit status */

struct options {
	const char *file, *socket;
	bool check, verbose;
};

static const char usage[] =
    "usage: ikevd [-nv] [-f FILE] [-s SOCKET]\n"
    "       ikevd -h | -V\n"
    "  -f FILE    configuration; " CONFIGURATION "\n"
    "  -s SOCKET  control socket; " SOCKET "\n"
    "  -n         only check configuration and secrets\n"
    "  -v         tell more: debugging messages, every IKE message\n"
    "  -V         print the version\n";

/* DONE: go on; else the exit status is *status. */
static bool
read_options(int argc, char **argv, struct options *options, int *status)
{
	static const struct option words[] = {
		{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int c;

	*options = (struct options){ .file = CONFIGURATION, .socket = SOCKET };
	*status = MISUSED;
	while ((c = getopt_long(argc, argv, "f:hns:vV", words, NULL)) != -1) {
		switch (c) {
		case 'f':
			options->file = optarg;
			break;
		case 's':
			options->socket = optarg;
			break;
		case 'n':
			options->check = true;
			break;
		case 'v':
			options->verbose = true;
			break;
		case 'h':
			fputs(usage, stdout);
			*status = DONE;
			return false;
		case 'V':
			puts("ikevd " IKEVD_VERSION);
			*status = DONE;
			return false;
		default:
			fputs(usage, stderr);
			return false;
		}
	}
	if (optind == argc)
		return true;
	fprintf(stderr, "ikevd: %s: not an option\n%s", argv[optind], usage);
	return false;
}

/* With -n to people, else to the log. */
static void
tell_faults(const struct options *options, struct log *log, struct faults *faults,
    bool fatal)
{
	char line[FAULT_LINE];
	unsigned i;

	faults_sort(faults);
	for (i = 0; i < faults->n; i++) {
		fault_line(&faults->v[i], line, sizeof(line));
		if (options->check)
			fprintf(stderr, "%s%s\n", fatal ? "" : "warning: ", line);
		else if (fatal)
			log_error(log, "%s", line);
		else
			log_warning(log, "%s", line);
	}
	if (faults->no_memory)
		log_error(log, "no memory; there may be more faults");
}

/* Each connection's secret under its name. */
static void
read_secrets(const struct configuration *c, struct ipsec_secrets *secrets,
    struct faults *faults, struct faults *weak)
{
	struct secret_folder *folder;
	struct bytes secret;
	unsigned i;

	if (c->n_connections == 0)
		return;
	folder = secret_folder_open(c->daemon.secrets_dir, faults, weak);
	if (folder == NULL)
		return;
	ipsec_secrets_open(secrets);
	for (i = 0; i < c->n_connections; i++)
		if (secret_read(folder, c->connections[i].name, &secret) &&
		    !ipsec_secrets_put(secrets, c->connections[i].name, secret))
			faults->no_memory = true;
	ipsec_secrets_shut(secrets);
	secret_folder_close(folder);
}

static void
tell_valid(const struct options *options, struct log *log, const struct configuration *c)
{
	if (options->check) {
		printf("%s: valid, %u connection%s\n", c->file, c->n_connections,
		    c->n_connections == 1 ? "" : "s");
		patience_tell(stdout, c);
	} else if (c->n_connections == 0) {
		log_notice(log, "%s has no connections; there is nothing to do", c->file);
	}
}

/* A descriptor below 3 that is closed would be taken by a socket, and messages be written
 * to that. */
static bool
fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	return fd >= 0 && close(fd) == 0;
}

static int
run(const struct options *options, struct log *log)
{
	struct faults faults = { 0 }, weak = { 0 };
	struct ipsec_secrets *secrets = ipsec_secrets_new();
	struct configuration *c = NULL;
	struct life_options life = { .socket = options->socket, .log = log,
	    .trace = options->verbose };
	int status = FAILED;

	if (secrets == NULL) {
		log_error(log, "libsodium does not start: no memory");
		goto out;
	}
	c = configuration_load(options->file, &faults);
	if (c != NULL) {
		configuration_warn(c, &weak);
		read_secrets(c, secrets, &faults, &weak);
	}
	tell_faults(options, log, &faults, true);
	tell_faults(options, log, &weak, false);
	if (faults_any(&faults))
		goto out;
	tell_valid(options, log, c);
	if (options->check) {
		status = DONE;
		goto out;
	}
	log_set_level(log, options->verbose ? LOG_LEVEL_DEBUG : c->daemon.log);
	life.configuration = c;
	life.secrets = secrets;
	status = life_run(&life) ? DONE : FAILED;
out:
	configuration_free(c);
	ipsec_secrets_free(secrets);
	faults_free(&faults);
	faults_free(&weak);
	return status;
}

int
main(int argc, char **argv)
{
	struct options options;
	struct log *log;
	int status;

	if (!fill_standard_descriptors())
		return FAILED;
	if (!read_options(argc, argv, &options, &status))
		return status;
	log = log_new(STDERR_FILENO, options.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	if (log == NULL) {
		fputs("ikevd: no memory\n", stderr);
		return FAILED;
	}
	if (!privilege_harden() && !options.check)
		log_debug(log,
		    "memory is not locked: the limit is too low (LimitMEMLOCK=)");
	if (sodium_init() < 0) {
		log_error(log, "libsodium does not start");
		status = FAILED;
	} else {
		status = run(&options, log);
	}
	log_free(log);
	return status;
}
