/* An inner port without a device: what a test pushes is read, what is written and
 * refused is kept for the test to look at.  And inner packets to push. */
#ifndef TESTS_FAKE_PORT_H
#define TESTS_FAKE_PORT_H

#include "libipsec/worker.h"

enum { FAKE_PACKETS = 512 };

struct fake_packet {
	uint8_t *data;
	uint32_t len;
	uint8_t verdict;	/* of a refused one */
	uint32_t mtu;
};

struct fake_queue {
	struct fake_packet v[FAKE_PACKETS];
	unsigned n, taken;
};

struct fake_port {
	struct ipsec_port port;
	struct fake_queue in, out, refused;	/* to be read; written; refused */
};

/* Zeroed and filled in; the worker that takes it over closes it, which keeps `out` and
 * `refused` until fake_port_clear. */
void fake_port_init(struct fake_port *);
void fake_port_clear(struct fake_port *);
void fake_port_push(struct fake_port *, const uint8_t *, uint32_t len);

/* A UDP packet with `len` octets in all (at least 48), `tag` in the last one.
 * Addresses as text, which give the family. */
uint32_t fake_packet(uint8_t *buf, const char *from, const char *to, uint32_t len,
    uint8_t tag);

#endif
