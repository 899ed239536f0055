/* Two engines and the datagrams between them, which a test may hold, drop, repeat or
 * alter. */
#ifndef TEST_PAIR_H
#define TEST_PAIR_H

#include "libike/sa.h"
#include "tests/unit/digest.h"

enum { PAIR_QUEUE = 64, PAIR_EVENTS = 256 };

struct pair_datagram {
	unsigned to;
	struct ike_path path;
	uint8_t data[4096];
	size_t len;
};

struct pair {
	struct ike *e[2];		/* 0 begins */
	ike_id connection[2];
	const char *secret[2];
	bool hold_answers[2];		/* questions stay open: see `question` */
	ike_id question[2];
	ike_time heard[2];			/* what USAGE is answered */
	/* Addresses: [end] as RESOLVE is answered; family 0: no way to the peer. */
	struct ike_path where[2];
	char asked[2][64];			/* the peer that the last RESOLVE named */
	uint64_t chance[2];
	ike_time now;
	struct pair_datagram queue[PAIR_QUEUE];	/* under way, in order */
	unsigned n;
	bool lossy;		/* loses what the queue has no room for */
	unsigned keepalives[2];			/* sent by; they are not queued */
	unsigned events[2][PAIR_EVENTS];	/* how many of each type */
	enum ike_error down[2];			/* the last IKE_DOWN of an IKE SA, */
	ike_id down_of[2];			/* and its connection */
	enum ike_error refused[2];
	/* Of the last Child SA: [end][0] in, [1] out. */
	struct pair_key { uint8_t octets[ESP_MAX_KEY_LEN]; size_t len; } keys[2][2];
	/* Told of every event; or NULL. */
	void (*hear)(void *arg, unsigned end, const struct ike_event *);
	void *hear_arg;
	/* Told when an end's engine is entered and left; or NULL. */
	void (*within)(unsigned end, bool inside);
	char refusal[2][1024];			/* what, ours, theirs, setting */
};

/* Setups as two hosts that fit together, which never ask whether the other is there and
 * never move; change them before pair_open. */
void pair_setups(struct ike_setup setup[2], struct ike_child_setup child[2]);
/* So many selectors that IKE_AUTH is over 2,000 octets long, both ways. */
void pair_widen(struct ike_child_setup child[2]);
void pair_open(struct pair *, const struct ike_setup setup[2]);
void pair_close(struct pair *);			/* fails the test when anything is left */
void pair_start(struct pair *);			/* two such hosts, opened */
void pair_establish(struct pair *);		/* and their SA set up */

void pair_up(struct pair *);			/* ike_up at 0; datagrams are queued */
void pair_drain(struct pair *, unsigned end);
void pair_deliver(struct pair *, unsigned index);	/* takes it out of the queue */
void pair_inject(
    struct pair *, unsigned to, const struct ike_path *, const void *, size_t);
void pair_send(struct pair *, const struct pair_datagram *);	/* one of a test's own */
void pair_pump(struct pair *);			/* delivers until nothing is under way */
void pair_pass(struct pair *, ike_time); /* time passes; what is sent stays queued */
void pair_answer(struct pair *, unsigned end, enum ike_error);	/* the held question */

struct ike_sa *pair_sa(struct pair *, unsigned end);	/* the newest one, or NULL */
enum ike_state pair_state(struct pair *, unsigned end);	/* of that one */
struct ike_chain pair_chain(void);		/* an empty one; the buffer is shared */
/* A protected message of `from` with this chain, as its peer would get it. */
struct pair_datagram pair_seal(struct pair *, unsigned from, uint8_t exchange,
    uint8_t flags, uint32_t id, const struct ike_chain *);
/* The payloads of such a message; views into d's data, which is decrypted. */
void pair_unseal(struct pair *, struct pair_datagram *d, struct ike_message *);

#endif
