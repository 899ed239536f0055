/* ikectl: asks a running ikevd over its control socket. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/show.h"
#include "ctl/varlink.h"

static const char default_socket[] = "/run/ikevd/control";

enum name { NO_NAME, MAY_NAME, MUST_NAME };

static void
show_up(FILE *out, const json_t *parameters)
{
	bool already = json_is_true(json_object_get(parameters, "already"));

	fputs(already ? "already up\n" : "up\n", out);
}

static void
show_down(FILE *out, const json_t *parameters)
{
	fputs(json_is_true(json_object_get(parameters, "already")) ? "already down\n" :
	    json_is_true(json_object_get(parameters, "answered")) ? "down\n" :
	    "going down; the peer has not answered yet\n", out);
}

static void
show_rekey(FILE *out, const json_t *parameters)
{
	long long n = json_integer_value(json_object_get(parameters, "rekeyed"));

	if (json_is_true(json_object_get(parameters, "finished")))
		fprintf(out, "%lld rekeyed\n", n);
	else
		fprintf(out, "%lld rekeyed; for the rest, the peer has not answered "
		    "yet\n", n);
}

static void
show_version(FILE *out, const json_t *parameters)
{
	const char *version = json_string_value(json_object_get(parameters, "version"));

	fprintf(out, "ikectl %s, ikevd %s\n", IKEVD_VERSION,
	    version != NULL ? version : "of an unknown version");
}

static const struct command {
	const char *word, *method;
	enum name name;
	void (*show)(FILE *, const json_t *);
	const char *help;
} commands[] = {
	{ "up", "Up", MUST_NAME, show_up, "bring a connection up, and wait until it is" },
	{ "down", "Down", MUST_NAME, show_down, "take it down, and wait for the peer" },
	{ "rekey", "Rekey", MUST_NAME, show_rekey,
	    "new keys for its Child SAs, for one, or for the IKE SA" },
	{ "status", "Status", MAY_NAME, show_status,
	    "what is up, with traffic and ages" },
	{ "list", "List", NO_NAME, show_list, "the names of all connections" },
	{ "version", "Version", NO_NAME, show_version, "of ikectl and ikevd" },
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static const struct { const char *usage, *sentence; } arguments[] = {
	[NO_NAME] = { "", "nothing" },
	[MAY_NAME] = { " [NAME]", "at most the name of a connection" },
	[MUST_NAME] = { " NAME", "the name of a connection" },
};

/* What the command line says beside the command and a connection's name. */
struct options {
	const char *socket_path;
	const char *child;		/* of rekey, or NULL */
	bool ike;			/* rekey that */
	bool as_json;
};

static int
usage(FILE *out)
{
	char left[40];

	fputs("usage: ikectl [-j] [-s SOCKET] COMMAND\n       ikectl -h | -V\n", out);
	for (unsigned i = 0; i < COMMANDS; i++) {
		snprintf(left, sizeof(left), "%s%s", commands[i].word,
		    arguments[commands[i].name].usage);
		fprintf(out, "  %-14s %s\n", left, commands[i].help);
	}
	fprintf(out, "  -j            print ikevd's reply as JSON\n"
	    "  -s SOCKET     ikevd's control socket; %s\n"
	    "  -V            print ikectl's version\n"
	    "  --child NAME  rekey only this child\n"
	    "  --ike         rekey the IKE SA\n", default_socket);
	return out == stdout ? 0 : 2;
}

static const struct command *
find_command(const char *word)
{
	for (unsigned i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].word, word) == 0)
			return &commands[i];
	return NULL;
}

/* What the method gets; NULL: a name is not valid. */
static json_t *
parameters_of(const struct options *options, const char *name)
{
	json_t *parameters = json_object();

	if ((name == NULL ||
	    json_object_set_new(parameters, "name", json_string(name)) == 0) &&
	    (options->child == NULL ||
	    json_object_set_new(parameters, "child", json_string(options->child)) == 0) &&
	    (!options->ike ||
	    json_object_set_new(parameters, "ike", json_true()) == 0))
		return parameters;
	json_decref(parameters);
	return NULL;
}

/* 0: done; 1: it was refused, or ikevd is not there. */
static int
run(const struct options *options, const struct command *command, const char *name)
{
	json_t *parameters = parameters_of(options, name);
	char method[64], why[VARLINK_WHY_LEN];
	const char *error;
	json_t *reply;

	snprintf(method, sizeof(method), "org.ikev.Ikevd.%s", command->method);
	reply = varlink_call(options->socket_path, method, parameters, why);
	if (reply == NULL) {
		fprintf(stderr, "ikectl: %s\n", why);
		return 1;
	}
	error = json_string_value(json_object_get(reply, "error"));
	parameters = json_object_get(reply, "parameters");
	if (options->as_json) {
		json_dumpf(error != NULL ? reply : parameters, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (error != NULL) {
		show_error(stderr, error, parameters);
	} else {
		command->show(stdout, parameters);
	}
	json_decref(reply);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("ikectl: standard output");
		return 1;
	}
	return error != NULL ? 1 : 0;
}

/* True: go on; else the exit status is *status. */
static bool
read_options(int argc, char **argv, struct options *options, int *status)
{
	enum { CHILD = 256, IKE };
	static const struct option words[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ "child", required_argument, NULL, CHILD },
		{ "ike", no_argument, NULL, IKE },
		{ 0 },
	};
	int c;

	*options = (struct options){ .socket_path = default_socket };
	while ((c = getopt_long(argc, argv, "hjs:V", words, NULL)) != -1) {
		switch (c) {
		case 'h':
			*status = usage(stdout);
			return false;
		case 'j':
			options->as_json = true;
			break;
		case 's':
			options->socket_path = optarg;
			break;
		case 'V':
			puts("ikectl " IKEVD_VERSION);
			*status = 0;
			return false;
		case CHILD:
			options->child = optarg;
			break;
		case IKE:
			options->ike = true;
			break;
		default:
			*status = usage(stderr);
			return false;
		}
	}
	return true;
}

/* What fits together; if it does not, it is told. */
static bool
fits(const struct options *options, const struct command *command, int given)
{
	bool chosen = options->child != NULL || options->ike;

	if (given > (command->name != NO_NAME) || given < (command->name == MUST_NAME))
		fprintf(stderr, "ikectl: %s takes %s\n", command->word,
		    arguments[command->name].sentence);
	else if (chosen && command->show != show_rekey)
		fprintf(stderr, "ikectl: --child and --ike belong to rekey\n");
	else if (options->child != NULL && options->ike)
		fprintf(stderr, "ikectl: rekey takes --child or --ike, not both\n");
	else
		return true;
	return false;
}

int
main(int argc, char **argv)
{
	const struct command *command;
	struct options options;
	int status;

	if (!read_options(argc, argv, &options, &status))
		return status;
	if (optind == argc)
		return usage(stderr);
	if ((command = find_command(argv[optind])) == NULL) {
		fprintf(stderr, "ikectl: there is no command %s\n", argv[optind]);
		return usage(stderr);
	}
	if (!fits(&options, command, argc - optind - 1))
		return usage(stderr);
	return run(&options, command, argv[optind + 1]);	/* or NULL */
}
