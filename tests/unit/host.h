/* A worker with a fake port on sockets of its own, without an engine: what it tells is
 * kept for the test to look at. */
#ifndef TESTS_HOST_H
#define TESTS_HOST_H

#include "libipsec/batch.h"
#include "libipsec/udp.h"
#include "tests/unit/fake_port.h"

enum { WAIT_MS = 2000, PATIENCE_MS = 50, MAX_TOLD = 64 };

struct told {
	enum ike_notice_type type;
	ike_id id;
	char child[32];
	struct esp_selector packet;
	struct ike_path path;
};

struct host {
	struct fake_port port;
	struct ipsec_datapath *datapath;
	struct ipsec_udp *udp;
	uint16_t ports[2];
	struct told told[MAX_TOLD];
	unsigned n_told;
	/* done to each message before the worker has it; NULL: nothing */
	void (*nat)(const struct host *, struct ipsec_message *);
};

void host_start(struct host *, bool native);	/* zeroes it first */
void host_stop(struct host *);			/* again, too */

void host_process(struct host *);

/* Carries what waits at the sockets inward, for as long as something comes, the first of
 * it within `wait` ms; returns how many messages there were. */
unsigned host_receive(struct host *, int wait);

struct ipsec_worker_counters host_counters(const struct host *);

struct esp_selector host_selector(const char *local, const char *remote);

/* From now on in a network of our own, whose loopback has that MTU.  False: not permitted
 * here. */
bool host_network(int mtu);
/* There: gives the loopback this address in place of the one it has, and all of its /24
 * (of a class C address). */
void host_readdress(const char *address);

#endif
