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
	fprintf(out, "  -j         print ikevd's reply as JSON\n"
	    "  -s SOCKET  ikevd's control socket; %s\n"
	    "  -V         print ikectl's version\n", default_socket);
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

/* 0: done; 1: it was refused, or ikevd is not there. */
static int
run(const char *socket_path, const struct command *command, const char *name,
    bool as_json)
{
	json_t *parameters = name != NULL ? json_pack("{ss}", "name", name) :
	    json_object();
	char method[64], why[VARLINK_WHY_LEN];
	const char *error;
	json_t *reply;

	snprintf(method, sizeof(method), "org.ikev.Ikevd.%s", command->method);
	reply = varlink_call(socket_path, method, parameters, why);
	if (reply == NULL) {
		fprintf(stderr, "ikectl: %s\n", why);
		return 1;
	}
	error = json_string_value(json_object_get(reply, "error"));
	parameters = json_object_get(reply, "parameters");
	if (as_json) {
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

int
main(int argc, char **argv)
{
	static const struct option words[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	const char *socket_path = default_socket;
	const struct command *command;
	bool as_json = false;
	int c, given;

	while ((c = getopt_long(argc, argv, "hjs:V", words, NULL)) != -1) {
		switch (c) {
		case 'h':
			return usage(stdout);
		case 'j':
			as_json = true;
			break;
		case 's':
			socket_path = optarg;
			break;
		case 'V':
			puts("ikectl " IKEVD_VERSION);
			return 0;
		default:
			return usage(stderr);
		}
	}
	if (optind == argc)
		return usage(stderr);
	if ((command = find_command(argv[optind])) == NULL) {
		fprintf(stderr, "ikectl: there is no command %s\n", argv[optind]);
		return usage(stderr);
	}
	given = argc - optind - 1;
	if (given > (command->name != NO_NAME) || given < (command->name == MUST_NAME)) {
		fprintf(stderr, "ikectl: %s takes %s\n", command->word,
		    arguments[command->name].sentence);
		return usage(stderr);
	}
	return run(socket_path, command, argv[optind + 1], as_json);	/* or NULL */
}
