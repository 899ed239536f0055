/* A folder for files that a test writes; gone after files_remove. */
#ifndef TESTS_FILES_H
#define TESTS_FILES_H

#include <stddef.h>
#include <sys/types.h>

const char *files_folder(void);		/* made at the first call */
/* Writes a file of that name, with that mode whatever the umask; returns its whole path,
 * which lives until the next call. */
const char *files_write(const char *name, const void *octets, size_t len, mode_t mode);
void files_remove(void);		/* all in the folder, and the folder */

#endif
