/* UDP ports on the loopback for tests that open sockets. */
#ifndef TESTS_PORTS_H
#define TESTS_PORTS_H

#include <stdint.h>

/* Two ports that nobody listens on, neither of them 500: v[0] for IKE, v[1] for NAT-T. */
void free_ports(uint16_t v[2]);

#endif
