/* Configurations that a test writes into its folder of files, and what is told of
 * them. */
#ifndef TESTS_CONFIGS_H
#define TESTS_CONFIGS_H

#include "daemon/load.h"

/* What the last load gave; freed by the next one and by `config_forget`, which also
 * removes the files. */
struct config {
	struct configuration *c;	/* NULL: there were faults */
	struct faults faults;
};

/* In the texts of these functions ` stands for a double quote. */
char *config_quoted(const char *text);		/* free() it */
bool config_load(struct config *, const char *text);	/* written as ikev.conf */
bool config_load_octets(struct config *, const char *text, size_t len);
void config_forget(struct config *);

bool config_says(const char *fault, const char *words);
/* All faults in their order, one a line; lives until the next call. */
const char *config_faults(struct config *);

/* Sides of a connection, with more settings in both, and networks for both. */
#define PEER(sides) "local = { id = `berlin`; " sides " }; " \
	"remote = { address = `203.0.113.7`; id = `paris`; " sides " };"
#define NETS "subnets = [ `10.1.0.0/24` ];"

#endif
