/* Replies of ikevd for people.  What is missing in one is shown as empty or 0. */
#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include <jansson.h>
#include <stdio.h>

/* The reply of Status: one line a connection, and below it its IKE SAs and Child SAs. */
void show_status(FILE *, const json_t *parameters);
/* The reply of List: a name a line. */
void show_list(FILE *, const json_t *parameters);
/* An error reply, as sentences. */
void show_error(FILE *, const char *error, const json_t *parameters);

#endif
