/* libike: an IKEv2 engine (RFC 7296) without I/O, clock, randomness or globals.
 *
 * Datagrams, time, answers and notices go in; events, datagrams and a deadline come out.
 *
 *	ike_receive / ike_tick / ike_up / ...	one input, with `now`
 *	while (ike_next_event(e, &event))	apply it: install SAs, then tell the peer
 *	while (ike_next_datagram(e, &out))	send it
 *	ike_next_deadline(e, &when)		call ike_tick then, or earlier, or oftener
 *
 * After every input drain in this order.  Draining may itself give inputs (an answer, a
 * notice): then drain again.  No function calls back into the caller but the two
 * callbacks of ike_options, and those must not call the engine.
 *
 * Ownership: what goes in is copied, except the buffer of ike_receive, which is decrypted
 * in place, and an ike_connection, which is shared by reference count.  What comes out is
 * borrowed until the next call that takes `now`; what speaks of a Child SA's end, until
 * the next event.
 *
 * What a peer that has proven itself can make an engine keep is bounded: an IKE SA has at
 * most 16 Child SAs and four for each configured child, those that linger included; a
 * session, 32 IKE SAs that the peer replaced; and, unless `unique` is never, an identity
 * 32 IKE SAs, of which the oldest goes.  Who asks for more is refused with
 * NO_ADDITIONAL_SAS, or for a rekey with TEMPORARY_FAILURE (RFC 7296 2.25).
 *
 * Ids name things and are never reused; one that names nothing any more gives IKE_GONE,
 * so late answers are harmless.  One engine belongs to one thread; any number may
 * exist. */
#ifndef IKE_IKE_H
#define IKE_IKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libesp/bytes.h"
#include "libesp/selector.h"
#include "libesp/transform.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef int64_t ike_time;	/* microseconds of CLOCK_BOOTTIME, or of the simulator */
typedef uint64_t ike_id; /* connection, IKE SA, Child SA, question; 0 names nothing */

#define IKE_SECOND ((ike_time)1000000)

/* 0; positive: the notify to send, RFC 7296 3.10.1; negative: local. */
enum ike_error {
	IKE_OK = 0,
	IKE_UNSUPPORTED_CRITICAL_PAYLOAD = 1,
	IKE_INVALID_IKE_SPI = 4,
	IKE_INVALID_MAJOR_VERSION = 5,
	IKE_INVALID_SYNTAX = 7,
	IKE_INVALID_MESSAGE_ID = 9,
	IKE_INVALID_SPI = 11,
	IKE_NO_PROPOSAL_CHOSEN = 14,
	IKE_INVALID_KE_PAYLOAD = 17,
	IKE_AUTHENTICATION_FAILED = 24,
	IKE_SINGLE_PAIR_REQUIRED = 34,
	IKE_NO_ADDITIONAL_SAS = 35,
	IKE_INTERNAL_ADDRESS_FAILURE = 36,
	IKE_FAILED_CP_REQUIRED = 37,
	IKE_TS_UNACCEPTABLE = 38,
	IKE_INVALID_SELECTORS = 39,
	IKE_UNACCEPTABLE_ADDRESSES = 40,	/* RFC 4555 */
	IKE_UNEXPECTED_NAT_DETECTED = 41,
	IKE_TEMPORARY_FAILURE = 43,
	IKE_CHILD_SA_NOT_FOUND = 44,

	IKE_DROP = -1,		/* as if it had never come */
	IKE_WAIT = -2,		/* a question is open */
	IKE_NO_MEMORY = -3,	/* memory, or the crypto library, failed */
	IKE_GONE = -4,		/* the id names nothing (any more) */
	IKE_TIMEOUT = -5,	/* the peer did not answer */
	IKE_CANCELLED = -6,	/* ike_down, ike_drop or a newer configuration */
	IKE_CLOSED = -7,	/* the peer deleted the SA */
	IKE_UNRESOLVED = -8,	/* the peer's name has no address */
	IKE_NOT_INITIATOR = -9,	/* this connection does not say whom to call */
	IKE_EXPIRED = -10	/* its hard lifetime is over */
};
/* "NO_PROPOSAL_CHOSEN", "timeout": never NULL */
const char *ike_error_name(enum ike_error);

/* The two ends of a datagram: [0] local, [1] remote.  IPv4 fills the first 4 octets. */
struct ike_path {
	uint8_t family;		/* 4, 6; 0: not known yet */
	uint16_t port[2];
	uint8_t addr[2][16];
	uint32_t ifindex;	/* 0: any */
};

struct ike_algorithms;		/* algorithm.h */
struct ike_connection;		/* connection.h */

struct ike_options {
	void (*random)(void *arg, uint8_t *, size_t);	/* every random octet; required */
	/* Proposes an inbound SPI (`replaced`: the one it follows, or 0); NULL: random.
	 * The engine keeps it unique and over 255. */
	uint32_t (*child_spi)(void *arg, uint32_t replaced);
	void *arg;
	const struct ike_algorithms *algorithms;	/* NULL: built in */
	uint64_t spi_prefix;		/* our IKE SPIs begin with these bits: */
	uint8_t spi_prefix_bits;	/* which engine of a fleet; 0..32 */
	/* Our own; 0: 500 and 4500.  Both the same: IKE_SA_INIT too goes there and to the
	 * peer's NAT-T port, RFC 7296 2.23. */
	uint16_t port, natt_port;
	bool native_esp;	/* the host can carry ESP without UDP (protocol 50) */
	bool trace;		/* decoded exchanges as IKE_TRACE events */
};

/* A Child SA as the data path needs it, RFC 7296 2.17, 4301 4.4.2. */
struct ike_child {
	const char *name;		/* of the configured child */
	uint32_t resource;		/* RFC 9611; 0 */
	uint32_t spi_in, spi_out;
	const struct esp_transform *transform;
	bool esn;
	bool encap;			/* ESP in UDP, from path.port to path.port */
	bool transport;			/* transport mode, RFC 4303 3.1.1 */
	/* Transport mode through a NAT, RFC 7296 2.23.1: `selectors` have the addresses
	 * that we see, these are the same as the peer has them in its packets: ours, its
	 * own.  Zeros: no different. */
	uint8_t seen_by_peer[2][16];
	/* In packets and inner octets of each direction, 0: none.  At soft the data path
	 * tells IKE_SOFT, at hard it stops and tells IKE_HARD. */
	uint64_t soft_packets, soft_octets, hard_packets, hard_octets;
	/* Of the IKE SA; family 0, and no `encap`: it has left that one, and is to be
	 * removed. */
	struct ike_path path;
	/* cipher key | salt | integrity key; in IN_ADD / OUT_ADD */
	struct bytes key_in, key_out;
	const struct esp_selector *selectors;
	unsigned n_selectors;
};

/* Why something was refused, with both sides' values; every string may be empty, none is
 * NULL, and what came from the peer is escaped. */
struct ike_refusal {
	enum ike_error error;
	bool by_peer;		/* the peer said so; its reasons can only be guessed */
	const char *what;		/* one sentence */
	const char *ours, *theirs;	/* "aes256-sha256-x25519" */
	const char *difference;		/* the first thing that does not agree */
	/* the key concerned: "ike", "remote.id", "children.lan.local" */
	const char *setting;
	const char *child;		/* the child concerned, or "" */
	struct ike_path path;
};

enum ike_event_type {
	/* Questions; answer each with ike_answer_question, now or later (30 s at
	 * most). */
	/* u.resolve: the peer's address, and ours towards it, in answer.path */
	IKE_ASK_RESOLVE,
	IKE_ASK_PROVE,	/* u.auth: our AUTH value for u.auth.octets, in answer.value */
	IKE_ASK_CHECK,	/* u.auth: does u.auth.value prove the peer?  answer.error */
	IKE_ASK_ADMIT,	/* u.auth: may this authenticated peer come in?  answer.error */
	/* Before a liveness check: when did the newest authentic packet of any Child SA of
	 * event.sa arrive?  answer.heard; 0: never, or not known */
	IKE_ASK_USAGE,
	/* For the data path, in the order they come. */
	IKE_IN_ADD, IKE_OUT_ADD, IKE_OUT_REMOVE, IKE_IN_REMOVE,		/* u.child */
	IKE_SET_PATH,		/* u.child: the peer is elsewhere now, RFC 7296 2.23 */
	/* For people. */
	IKE_UP,			/* child == 0: the IKE SA; else that Child SA, u.child */
	/* Rekeyed.  child == 0: the IKE SA, which keeps its id; else Child SA `child`,
	 * u.child, follows Child SA `replaced`, of which no IKE_DOWN comes */
	IKE_REPLACED,
	IKE_DOWN,		/* the same; `error` says why */
	IKE_REFUSED,		/* u.refusal */
	IKE_TRACE		/* u.text: a decoded message */
};

struct ike_auth_request {
	uint8_t method;		/* enum ike_auth_method */
	uint16_t prf;		/* transform id of the PRF a shared secret goes through */
	const char *secret;	/* the connection's reference to the secret or key */
	uint8_t local_id_type, remote_id_type;
	struct bytes local_id, remote_id;
	struct bytes octets;	/* what is signed, 2.15 */
	struct bytes value;	/* CHECK: what the peer sent */
	struct ike_path path;	/* ADMIT: that it came by */
};

/* Views live until the next call that takes now; u.child of OUT_REMOVE, IN_REMOVE and
 * DOWN until the next event. */
struct ike_event {
	enum ike_event_type type;
	enum ike_error error;
	ike_time at;
	ike_id connection, sa, child, question;
	/* IN_ADD, OUT_ADD, REPLACED: the Child SA this one follows, or 0 */
	ike_id replaced;
	union {
		const struct ike_child *child;
		const struct ike_refusal *refusal;
		const struct ike_auth_request *auth;
		struct {	/* names or address literals; local "" means any */
			const char *remote, *local;
		} resolve;
		struct bytes text;
	} u;
};

struct ike_answer {
	enum ike_error error;	/* IKE_OK, or why not */
	struct bytes value;	/* PROVE: the AUTH data */
	/* RESOLVE: family, addr and ifindex; the engine sets the ports */
	struct ike_path path;
	ike_time heard;		/* USAGE */
	const char *reason;	/* with an error: a sentence for people, or NULL */
};

enum ike_notice_type {		/* what a data path tells */
	IKE_ACQUIRE,	/* id: connection; child: its name; packet: who wants out */
	IKE_SOFT,	/* id: Child SA that nears the end of its numbers or limits */
	IKE_HARD,	/* id: Child SA that carries nothing any more */
	IKE_FIRST_IN,	/* id: Child SA that the peer was seen to use; a hint */
	IKE_MOVED,	/* id: Child SA; path: by which its newest authentic packet came */
	IKE_NOT_INSTALLED	/* id: Child SA whose IN_ADD or OUT_ADD failed */
};
struct ike_notice {
	enum ike_notice_type type;
	ike_id id;
	const char *child;
	struct esp_selector packet;
	struct ike_path path;
};

struct ike_datagram {	/* the sender adds the non-ESP marker when neither port is 500 */
	struct ike_path path;
	struct bytes data;
	bool keepalive;		/* RFC 3948 2.3, one octet: goes without the marker */
};

/* One IKE SA as people see it. */
enum ike_state {
	IKE_STATE_INIT_SENT, IKE_STATE_INIT_DONE, IKE_STATE_AUTH_SENT,
	IKE_STATE_ESTABLISHED,
	IKE_STATE_UNSETTLED,	/* a rekey's, until it is known which one stays (2.8.2) */
	IKE_STATE_REPLACED,	/* rekeyed: until it is deleted */
	IKE_STATE_CLOSING, IKE_STATE_CLOSED
};
struct ike_child_info {
	ike_id id;
	ike_time since;
	unsigned generation;		/* 1, and one more with each rekey */
	bool replaced;			/* rekeyed: until it is deleted */
	ike_time rekey_at, ends_at;	/* soft and hard lifetime; 0: never */
	struct ike_child child;		/* without keys; views live as long as the SA */
};
struct ike_sa_info {
	ike_id id, connection;
	enum ike_state state;
	bool initiator;			/* the original one */
	bool encap, nat_here, nat_there;
	uint64_t spi_i, spi_r;
	ike_time since;			/* of the state */
	struct ike_path path;
	char local_id[128], remote_id[128], proposal[128];
	unsigned n_children;
	unsigned generation;		/* 1, and one more with each rekey */
	/* Since it was set up: rekeys of Child SAs; rekeys that both ends began at once,
	 * by whose SA stayed. */
	unsigned child_rekeys, collisions_won, collisions_lost;
	ike_time rekey_at, ends_at, reauth_at;	/* 0: never */
};

/* Sets up libsodium.  NULL: that failed, no memory, or no random callback. */
struct ike *ike_new(const struct ike_options *);
void ike_free(struct ike *);		/* silently; ike_down first to tell the peers */

/* Adds a connection, or replaces one that keeps its SAs (0: none).  Takes a reference.
 * Starts it when its `start` is always.  0: no memory, or `replace` names nothing. */
ike_id ike_put(struct ike *, ike_time now, ike_id replace, struct ike_connection *);
/* Closes what the connection has (as ike_down) and forgets it. */
enum ike_error ike_drop(struct ike *, ike_time now, ike_id connection);
/* Brings the connection up; the outcome is IKE_UP or IKE_DOWN.  Already up: nothing. */
enum ike_error ike_up(struct ike *, ike_time now, ike_id connection);
/* Deletes the SAs of a connection, or one IKE SA or Child SA, with a DELETE to the peer
 * (1.4.1).  A connection that should always be up stays down until ike_up.  IKE_GONE for
 * an IKE SA in IKE_STATE_UNSETTLED, too: end the one that it is to follow. */
enum ike_error ike_down(struct ike *, ike_time now, ike_id);

/* Rekeys an IKE SA (which keeps its id) or a Child SA now, if it is not on the way
 * already. */
enum ike_error ike_rekey(struct ike *, ike_time now, ike_id);
/* Our addresses or routes have changed: SAs that we began and that speak MOBIKE find a
 * new path (RFC 4555 3.5). */
void ike_roam(struct ike *, ike_time now);

void ike_receive(struct ike *, ike_time now, const struct ike_path *, uint8_t *, size_t);
void ike_tick(struct ike *, ike_time now);
enum ike_error ike_answer_question(struct ike *, ike_time now, ike_id question,
    const struct ike_answer *);
enum ike_error ike_tell(struct ike *, ike_time now, const struct ike_notice *);

bool ike_next_event(struct ike *, struct ike_event *);
bool ike_next_datagram(struct ike *, struct ike_datagram *);
bool ike_next_deadline(const struct ike *, ike_time *);

/* For status: `sa` 0 gives the first, then the next after `sa`, in order of id; the
 * second only those of a connection. */
bool ike_next_sa(const struct ike *, ike_id sa, struct ike_sa_info *);
bool ike_next_sa_of(const struct ike *, ike_id connection, ike_id sa,
    struct ike_sa_info *);
bool ike_child_at(const struct ike *, ike_id sa, unsigned index, struct ike_child_info *);
const struct ike_connection *ike_connection_of(const struct ike *, ike_id connection);
/* Live objects, for tests and metrics: all zero again when everything is closed. */
struct ike_counts {
	unsigned connections, sas, half_open, children, questions, timers;
	unsigned responding; /* not authenticated, as responder: half-open or refused */
	size_t reassembling;	/* octets kept of messages that have come in part */
	uint64_t received, dropped, sent, retransmitted;
};
void ike_read_counts(const struct ike *, struct ike_counts *);

/* AUTH by a shared secret, RFC 7296 2.15, for those who answer PROVE and CHECK:
 * prf(prf(secret, "Key Pad for IKEv2"), octets).  `out` has 64 octets.  Returns the
 * length; 0: unknown PRF or the library failed.  `algorithms` as in ike_options. */
size_t ike_psk_auth(const struct ike_algorithms *, uint16_t prf, struct bytes secret,
    struct bytes octets, uint8_t *out);

#ifdef __cplusplus
}
#endif

#endif
