#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "libike/connection.h"
#include "tests/bench/bench.h"
#include "tests/bench/engines.h"

static void
draw(void *arg, uint8_t *p, size_t n)
{
	(void)arg;
	randombytes_buf(p, n);
}

static struct ike *
make(struct ike_connection *c, ike_time now, ike_id *id)
{
	struct ike_options options = { .random = draw };
	struct ike *e = c != NULL ? ike_new(&options) : NULL;

	if (e != NULL && (*id = ike_put(e, now, 0, c)) == 0) {
		ike_free(e);
		e = NULL;
	}
	ike_connection_free(c);
	return e;
}

/* An initiator has a number, and an identity with it; the responder is number 0. */
static struct ike_connection *
describe(unsigned initiator)
{
	static const char *const everything[] = { "0.0.0.0/0" };
	static const struct ike_child_setup child = { .name = "all",
	    .local = { everything, 1 }, .remote = { everything, 1 } };
	struct ike_setup s;
	struct ike_fault fault;
	char id[32];
	unsigned n;

	snprintf(id, sizeof(id), "%u.clients.example", initiator);

	ike_setup_defaults(&s);
	s.name = initiator > 0 ? "client" : "server";
	s.local_id = initiator > 0 ? id : "server.example";
	s.remote_id = initiator > 0 ? "server.example" : "*.clients.example";
	s.remote_address = initiator > 0 ? "192.0.2.1" : "any";
	s.secret = "shared";
	s.children = &child;
	s.n_children = 1;
	return ike_connection_new(&s, &fault, 1, &n);
}

struct ike *
engines_initiator(unsigned number, ike_time now, ike_id *connection)
{
	return make(describe(number), now, connection);
}

bool
engines_open(struct engines *x)
{
	memset(x, 0, sizeof(*x));
	x->now = IKE_SECOND;
	x->responder = make(describe(0), x->now, &x->connection);
	return x->responder != NULL;
}

void
engines_close(struct engines *x)
{
	ike_free(x->responder);
}

void
engines_answer(struct ike *e, ike_time now, unsigned initiator,
    const struct ike_event *event)
{
	static const char secret[] = "correct horse battery staple";
	struct ike_answer a = { .error = IKE_OK };
	uint8_t value[64];

	if (event->type == IKE_ASK_RESOLVE) {
		a.path.family = 4;
		bytes_store32(a.path.addr[0], 0x0a000000 + initiator);
		memcpy(a.path.addr[1], "\300\0\2\1", 4);
	} else if (event->type == IKE_ASK_PROVE || event->type == IKE_ASK_CHECK) {
		a.value = bytes_of(value, ike_psk_auth(NULL, event->u.auth->prf,
		    bytes_of(secret, sizeof(secret) - 1), event->u.auth->octets, value));
		if (event->type == IKE_ASK_CHECK &&
		    (a.value.len != event->u.auth->value.len ||
		    sodium_memcmp(value, event->u.auth->value.p, a.value.len) != 0))
			a.error = IKE_AUTHENTICATION_FAILED;
	}
	ike_answer_question(e, now, event->question, &a);
}

/* Events of one engine, and its datagrams to the other one.  True: there were any. */
static bool
drain(struct engines *x, struct ike *from, struct ike *to)
{
	struct ike_event event;
	struct ike_datagram d;
	struct ike_path path;
	uint8_t copy[4096];
	bool any = false;
	double start = bench_cpu();

	while (ike_next_event(from, &event)) {
		any = true;
		if (event.type <= IKE_ASK_USAGE)
			engines_answer(from, x->now, x->initiators, &event);
		else if (from != x->responder)
			continue;
		else if (event.type == IKE_UP && event.child != 0)
			x->up++;
		else if (event.type >= IKE_IN_ADD && event.type <= IKE_IN_REMOVE &&
		    x->child != NULL)
			x->child(x->arg, &event);
	}
	if (from == x->responder)
		x->cpu += bench_cpu() - start;
	while (ike_next_datagram(from, &d) && d.data.len <= sizeof(copy)) {
		any = true;
		path = d.path;
		memcpy(path.addr[0], d.path.addr[1], sizeof(path.addr[0]));
		memcpy(path.addr[1], d.path.addr[0], sizeof(path.addr[1]));
		path.port[0] = d.path.port[1];
		path.port[1] = d.path.port[0];
		memcpy(copy, d.data.p, d.data.len);
		start = bench_cpu();
		ike_receive(to, x->now, &path, copy, d.data.len);
		if (to == x->responder)
			x->cpu += bench_cpu() - start;
	}
	return any;
}

bool
engines_handshake(struct engines *x)
{
	unsigned up = x->up;
	struct ike *initiator;
	ike_id connection;
	bool any;

	x->now += IKE_SECOND / 1000;
	x->initiators++;
	initiator = engines_initiator(x->initiators, x->now, &connection);
	if (initiator == NULL)
		return false;
	ike_up(initiator, x->now, connection);
	do {
		any = drain(x, initiator, x->responder);
		any = drain(x, x->responder, initiator) || any;
	} while (any);
	ike_free(initiator);
	return x->up == up + 1;
}
