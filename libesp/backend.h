/* Between transform.c and the backends, one a file: each offers rows for the same
 * algorithms. */
#ifndef LIBESP_BACKEND_H
#define LIBESP_BACKEND_H

#include "libesp/transform.h"

/* Row number i of the backend's table; NULL behind the last. */
typedef const struct esp_transform *esp_backend(unsigned i);

esp_backend esp_openssl_row, esp_sodium_row;

/* make_iv of every row whose IV is a counter: the sequence number (RFC 4106 3.1,
 * RFC 7634 2). */
bool esp_counter_iv(void *key, uint64_t sequence, uint8_t *iv);

#endif
