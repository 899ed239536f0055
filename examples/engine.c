/* libike alone: two engines in one program, and what we carry from one to the other in
 * place of a network.  Prints every message of the handshake, and what the data paths of
 * both would be told.
 *
 *	cc engine.c $(pkg-config --cflags --libs libike) */
#include <ikev/connection.h>
#include <ikev/ike.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char secret[] = "correct horse battery staple";
static const struct side {
	const char *name, *id, *network, *address;
	uint8_t octets[4];			/* of the address */
} sides[2] = {
	{ "left", "left.example", "10.1.0.0/16", "192.0.2.1", { 192, 0, 2, 1 } },
	{ "right", "right.example", "10.2.0.0/16", "192.0.2.2", { 192, 0, 2, 2 } },
};

static void
draw(void *arg, uint8_t *p, size_t n)
{
	(void)arg;
	for (ssize_t got; n > 0; p += got, n -= (size_t)got)
		if ((got = getrandom(p, n, 0)) < 0)
			exit(1);
}

/* In the same time wherever they differ, as with all that proves something. */
static bool
same(struct bytes a, struct bytes b)
{
	unsigned differ = a.len != b.len;

	for (size_t i = 0; i < a.len && i < b.len; i++)
		differ |= a.p[i] ^ b.p[i];
	return differ == 0;
}

/* An engine with one connection, which knows the other end and the networks of both. */
static struct ike *
open_end(unsigned end, ike_time now, ike_id *id)
{
	const struct side *us = &sides[end], *them = &sides[!end];
	struct ike_child_setup child = { .name = "net", .local = { &us->network, 1 },
	    .remote = { &them->network, 1 } };
	struct ike_options options = { .random = draw, .trace = true };
	struct ike_setup setup;
	struct ike_fault fault;
	struct ike_connection *c;
	struct ike *e = ike_new(&options);
	unsigned n;

	ike_setup_defaults(&setup);
	setup.name = them->name;
	setup.local_id = us->id;
	setup.remote_id = them->id;
	setup.remote_address = them->address;
	setup.secret = "example";	/* what its questions will call it */
	setup.children = &child;
	setup.n_children = 1;
	if ((c = ike_connection_new(&setup, &fault, 1, &n)) == NULL)
		fprintf(stderr, "%s: %s\n", fault.setting, fault.text);
	if (e == NULL || c == NULL || (*id = ike_put(e, now, 0, c)) == 0)
		exit(1);
	ike_connection_free(c);		/* the engine keeps a reference of its own */
	return e;
}

/* What the engine asks: addresses, proofs by the shared secret, and leave to come in. */
static void
answer(struct ike *e, unsigned end, ike_time now, const struct ike_event *event)
{
	struct ike_answer a = { .error = IKE_OK };
	const struct ike_auth_request *auth = event->u.auth;
	uint8_t value[64];

	if (event->type == IKE_ASK_RESOLVE) {
		a.path.family = 4;
		memcpy(a.path.addr[0], sides[end].octets, 4);
		memcpy(a.path.addr[1], sides[!end].octets, 4);
	} else if (event->type == IKE_ASK_PROVE || event->type == IKE_ASK_CHECK) {
		a.value = bytes_of(value, ike_psk_auth(NULL, auth->prf,
		    bytes_of(secret, sizeof(secret) - 1), auth->octets, value));
		if (event->type == IKE_ASK_CHECK && !same(a.value, auth->value))
			a.error = IKE_AUTHENTICATION_FAILED;
	}
	ike_answer_question(e, now, event->question, &a);
}

/* Events first, so that SAs are installed before the peer is told; then datagrams. */
static bool
drain(struct ike *e[2], unsigned end, ike_time now)
{
	static const char *const steps[] = { "IN_ADD", "OUT_ADD", "OUT_REMOVE",
		"IN_REMOVE" };
	struct ike_event event;
	struct ike_datagram d;
	bool any = false;

	for (; ike_next_event(e[end], &event); any = true)
		if (event.type <= IKE_ASK_USAGE)
			answer(e[end], end, now, &event);
		else if (event.type >= IKE_IN_ADD && event.type <= IKE_IN_REMOVE)
			printf("%5s: data path: %s, SPIs %08x %08x\n", sides[end].name,
			    steps[event.type - IKE_IN_ADD], event.u.child->spi_in,
			    event.u.child->spi_out);
		else if (event.type == IKE_UP || event.type == IKE_DOWN)
			printf("%5s: %s is %s\n", sides[end].name,
			    event.child == 0 ? "the IKE SA" : "the Child SA",
			    event.type == IKE_UP ? "up" : "down");
		else if (event.type == IKE_TRACE)
			printf("%5s: %.*s\n", sides[end].name, (int)event.u.text.len,
			    (const char *)event.u.text.p);
	for (; ike_next_datagram(e[end], &d); any = true) {
		struct ike_path seen = d.path;	/* as the other end sees it */
		uint8_t copy[65536];			/* decrypted in place */

		for (unsigned i = 0; i < 2; i++) {
			seen.port[i] = d.path.port[!i];
			memcpy(seen.addr[i], d.path.addr[!i], sizeof(seen.addr[i]));
		}
		memcpy(copy, d.data.p, d.data.len);
		ike_receive(e[!end], now, &seen, copy, d.data.len);
	}
	return any;
}

static void
run(struct ike *e[2], ike_time now)
{
	while (drain(e, 0, now) || drain(e, 1, now))
		;
}

int
main(void)
{
	ike_time now = IKE_SECOND;	/* the clock is ours, too: here it stands still */
	struct ike_sa_info info;
	struct ike *e[2];
	ike_id id[2];
	bool up;

	for (unsigned i = 0; i < 2; i++)
		e[i] = open_end(i, now, &id[i]);
	ike_up(e[0], now, id[0]);
	run(e, now);
	up = ike_next_sa(e[0], 0, &info) && info.state == IKE_STATE_ESTABLISHED &&
	    info.n_children == 1;
	printf("%s\n", up ? info.proposal : "not established");
	ike_down(e[0], now, id[0]);
	run(e, now);
	for (unsigned i = 0; i < 2; i++)
		ike_free(e[i]);
	return !up;
}
