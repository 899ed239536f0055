/* The private side of libike: the engine, its IKE SAs, their exchanges and Child SAs,
 * and what each file offers to the others.  Nothing outside libike includes it.
 *
 * Life of a message: engine.c finds the SA, window.c judges its id, protect.c opens it
 * (or assemble.c, when it comes in fragments), exchange.c finds its row and runs the
 * row's steps.  A step fills the exchange's own fields; only the last step of an exchange
 * commits to the SA.  An SA that is closed stays in memory until the entry point returns
 * (ike_reap), so no step meets a freed one. */
#ifndef IKE_SA_H
#define IKE_SA_H

#include <sys/queue.h>

#define HASH_NONFATAL_OOM 1 /* an add without memory leaves hh.tbl NULL: see table.c */
#define uthash_nonfatal_oom(element) ((void)(element))
#include <uthash.h>

#include "libesp/table.h"
#include "libike/algorithm.h"
#include "libike/connection_built.h"
#include "libike/fragment.h"
#include "libike/ike.h"
#include "libike/keys.h"
#include "libike/message.h"
#include "libike/payload.h"
#include "libike/proposal.h"

/* ---- timer.c: deadlines, an intrusive pairing heap: arming never needs memory ---- */
struct ike_timer {
	ike_time at;
	void (*fire)(struct ike *, struct ike_timer *);
	/* prev: the elder sibling, or the parent, or of the first of all itself; NULL: not
	 * armed */
	struct ike_timer *child, *next, *prev;
};
static inline bool
ike_timer_is_armed(const struct ike_timer *t)
{
	return t->prev != NULL;
}
#define IKE_OWNER(timer, type, member) \
	((type *)(void *)((char *)(timer) - offsetof(type, member)))
void ike_timer_arm(struct ike *, struct ike_timer *, ike_time at);
void ike_timer_disarm(struct ike *, struct ike_timer *);
void ike_timers_run(struct ike *);	/* fires all that are due */

/* ---- event.c: what the engine says ---- */
/* A place in a queue: of what was said; or of an SA that ends, which stays in memory
 * until that was delivered, because an end must not need any. */
enum ike_output_type { IKE_SAID, IKE_SA_ENDS, IKE_CHILD_ENDS };
struct ike_output {
	STAILQ_ENTRY(ike_output) link;
	uint8_t type;			/* enum ike_output_type */
	/* Of an end: OUT_REMOVE, DOWN and IN_REMOVE, each once or never, a bit each. */
	uint8_t said, delivered;
	bool queued : 1;
	bool over : 1;			/* nothing but the queue knows the SA any more */
	enum ike_error error;		/* of DOWN */
};
STAILQ_HEAD(ike_outputs, ike_output);
struct ike_view;			/* of event.c */
struct ike_said {			/* an event or a datagram, with its own copies */
	struct ike_output output;	/* first */
	struct ike_event event;
	struct ike_view *view;		/* what it views, or NULL; owned */
};

/* ---- window.c: message ids, RFC 7296 2.1 - 2.3 ---- */
struct ike_buffer { uint8_t *p; size_t len; };	/* owned */
struct ike_request {			/* ours, until it is answered */
	struct ike_sa *sa;
	struct ike_timer timer;		/* when it goes out again */
	ike_time interval;
	size_t len;
	uint8_t octets[];
};
struct ike_window {
	uint32_t next_request;		/* id of our next request */
	uint32_t next_expected;		/* id of the peer's next request */
	/* Each is one datagram, or fragments for ike_next_message. */
	struct ike_buffer response;	/* to next_expected - 1 */
	struct ike_request *request;	/* owned, or NULL */
	struct ike_mark answered;	/* of the request to that response */
	unsigned sent;			/* how often our request was */
	ike_time resent;		/* when the cached response went out last */
};

/* ---- exchange.c: an exchange, which can wait ---- */
struct ike_sa;
struct ike_exchange;
typedef enum ike_error ike_step(struct ike *, struct ike_sa *, struct ike_exchange *);

enum { IKE_ADDRESS_TEXT = 46, IKE_COOKIE2_LEN = 16 };
/* fresh.c: what is made anew for an SA: our nonce and key exchange value. */
struct ike_fresh {
	struct ike_buffer nonce;
	const struct ike_kex *kex;	/* NULL: no key exchange */
	void *state;			/* its private part, until the answer */
	struct ike_buffer ke;		/* and its public one */
};

/* What the peer made, while our request was unanswered, of the very thing that we asked
 * for: RFC 7296 2.8.1, 2.8.2. */
struct ike_rival {
	bool met;
	struct ike_buffer lowest;	/* of its two nonces */
	ike_id child;			/* a Child SA, */
	struct ike_sa *sa;		/* or an IKE SA that waits; owned until settled */
};

/* transport.c: the address that the peer told, which a NAT may have changed. */
struct ike_told { bool set; uint8_t addr[16]; };

/* Everything an exchange needs beyond one call.  An SA has at most two: the one it began
 * and the peer's that it answers; and without messages, for a question alone, those of
 * struct ike_liveness and struct ike_mobile. */
struct ike_exchange {
	struct ike_sa *sa;
	bool ours;			/* we sent, or shall send, the request */
	bool running;			/* inside a step: freed by ike_exchange_run */
	uint8_t type;			/* enum ike_exchange_type */
	uint32_t id;			/* message id */
	ike_step *const *steps;		/* to NULL; the list of what remains */
	bool awaits_response;

	uint8_t *copy;			/* the peer's message, decrypted */
	struct ike_message *message;	/* views into copy */
	struct ike_path path;		/* it came by */
	struct ike_mark request;	/* of theirs, to know it again (T02) */

	struct {			/* the open question, if id is set */
		ike_id id;
		UT_hash_handle hh;
		struct ike_timer timer;
	} question;
	enum ike_event_type asked;		/* the last question, */
	enum ike_error answer_error;		/* and its answer, copied */
	struct ike_buffer answer_value;
	struct ike_path answer_path;
	ike_time answer_heard;
	char *answer_reason;			/* or NULL */

	/* What steps hand on to later steps. */
	struct ike_fresh fresh;
	struct ike_rival rival;
	struct ike_sa *next;	/* the IKE SA that a rekey makes; owned until settled */
	ike_id old;		/* the Child SA that is being rekeyed, or 0 */
	unsigned rounds;	/* COOKIE and INVALID_KE_PAYLOAD */
	bool proven;		/* CHECK said that the peer is who it should be */
	struct ike_connection *connection;	/* held: chosen at IDi */
	struct ike_child_sa *child;		/* being made; owned until committed */
	struct ike_ts narrowed[2];	/* of its selectors: local, remote */
	const struct ike_connection_child *configured;	/* the child that is wanted */
	struct esp_selector packet;		/* the triggering one; family 0: none */
	struct ike_told told[2];	/* by the peer: in TSi, in TSr */
	struct ike_buffer id_body;		/* our ID payload's octets */
	uint32_t spi;				/* inbound one that is being deleted */
	char remote[IKE_ADDRESS_TEXT];	/* RESOLVE this one, not the host that we call */
	uint8_t cookie2[IKE_COOKIE2_LEN];	/* the one that we want back */
};

/* ---- a Child SA ---- */
/* It crossed another one, which stays: it is deleted by the peer, or from here. */
enum ike_lost { IKE_LOST_NOT, IKE_LOST_THERE, IKE_LOST_HERE };
/* There are many of these and of struct ike_sa: small members stand beside each other. */
struct ike_child_sa {
	struct ike_output ending;
	ike_id id;
	ike_id session, connection_id;		/* for events; once it is prepared */
	struct esp_link by_id, by_spi;		/* spi_in */
	LIST_ENTRY(ike_child_sa) link;
	struct ike_sa *sa;			/* NULL once it has left */
	struct ike_connection *connection; /* held: names and settings it was made with */
	const struct ike_connection_child *configured;
	uint32_t spi_in, spi_out;
	const struct esp_transform *transform;
	bool esn, transport, installed;
	bool deleting;				/* our own DELETE of it is on the way */
	bool leaving;		/* the peer's DELETE of it is being answered */
	bool lingering;		/* only its inbound SA is left, and no IKE SA knows it */
	bool awaits_delete;	/* once replaced: which is the peer's to send */
	uint8_t lost;		/* enum ike_lost */
	bool unseen;		/* made in answer; the peer was not seen to have it yet */
	bool without_ke;	/* its keys are of the IKE SA alone */
	enum ike_error why;	/* we delete it; 0: it was asked for */
	unsigned generation;
	unsigned refusals;		/* of rekeys, in a row */
	unsigned put_off;		/* those of them that were only for now */
	unsigned n_selectors;
	struct esp_selector *selectors;		/* owned */
	/* Of the two nonces of the exchange that made the first of these, the lower one's
	 * first octets: both ends have the same. */
	uint64_t lowest;
	/* By rekeying; either may be NULL. */
	struct ike_child_sa *successor, *predecessor;
	/* At: rekey_at, ends_at; once replaced: of the DELETE; then of the end. */
	struct ike_timer timer;
	ike_time rekey_at, ends_at;	/* 0: never */
	ike_time due_at;	/* when it must be rekeyed, whoever asks for it earlier */
	uint8_t (*seen_by_peer)[16];	/* as in struct ike_child; or NULL: no difference */
	ike_time since;
	/* IN_ADD; OUT_ADD and UP or REPLACED, said when traffic moves there. */
	struct ike_said *coming[3];
};

/* ---- an IKE SA ---- */
enum ike_wish {			/* exchange.c begins each when its turn comes */
	IKE_WISH_DELETE_CHILD,		/* spi */
	IKE_WISH_REKEY_CHILD,		/* spi */
	IKE_WISH_CREATE_CHILD,		/* connection, configured, packet */
	IKE_WISH_REKEY_IKE,
	IKE_WISHES
};
struct ike_wanted {			/* what waits for the window */
	STAILQ_ENTRY(ike_wanted) link;
	enum ike_wish wish;
	uint32_t spi;			/* our inbound one */
	struct ike_connection *connection;	/* held, or NULL */
	const struct ike_connection_child *configured;	/* of that */
	struct esp_selector packet;	/* family 0: none */
};

/* liveness.c: all of it is begun anew when the SA is established. */
struct ike_liveness {
	ike_time heard;			/* the newest proven message of the peer */
	ike_time sent;			/* our last datagram */
	ike_time hint_at;		/* unprotected hints are not heard before */
	ike_time check_at, keepalive_at;	/* 0: never */
	struct ike_timer timer;			/* at the earlier of the two */
	struct ike_exchange *asking;	/* the open USAGE question, or NULL */
};

/* mobike.c, RFC 4555. */
struct ike_address { uint8_t family, octets[16]; };
enum { IKE_MOST_ADDRESSES = 8 };
struct ike_mobile {
	bool on;			/* both ends said MOBIKE_SUPPORTED */
	bool initiator;			/* we began the first of the IKE SAs (1.3) */
	bool pending;	/* the peer is to hear of a new path, or to prove that it has one */
	bool busy;			/* that is under way */
	bool roamed, again;	/* we have new addresses; and again since we asked */
	bool mapped;			/* `mapping` is known */
	uint8_t mapping[IKE_NATD_LEN];	/* how the peer sees us: its hash of that (3.8) */
	uint8_t n, turn, left;	/* of `others`; the next one to try; how many of them now */
	struct ike_address *others;	/* of the peer, besides its path's; owned, or NULL */
	struct ike_exchange *asking;	/* the open RESOLVE question, or NULL */
	/* Where ESP goes while the peer has not shown that it is at the SA's path; owned, or
	 * NULL: it goes by that. */
	struct ike_path *proven;
};

/* unique.c: of the session, whatever rekeys it has seen.  Both ends have the same. */
struct ike_setting_up {
	bool ours;				/* we began it */
	ike_time began, ended;
	/* Of its two nonces, the lower one's first octets. */
	uint64_t lowest;
};

/* What only the set-up of an SA needs. */
struct ike_half_open {
	UT_hash_handle by_init;			/* as responder, if `indexed` */
	uint64_t init_key;			/* keyed hash of the peer's IKE_SA_INIT */
	struct ike_sa *sa;
	bool indexed;
	/* IKE_SA_INIT as on the wire: [0] request, [1] response */
	struct ike_buffer init[2];
	struct ike_buffer nonce[2];		/* [0] initiator's */
	struct ike_buffer cookie;		/* as initiator */
	struct ike_source *source;		/* as responder */
	struct ike_auth_keys keys;
};

struct ike_sa {
	struct ike_output ending;
	ike_id id;
	struct esp_link by_id, by_spi;		/* spi_ours */
	TAILQ_ENTRY(ike_sa) link;		/* of the engine, in order of id */
	enum ike_state state;
	enum ike_error hint;		/* an unprotected refusal, remembered (T42) */
	bool initiator;				/* the original one */
	bool dead;
	bool natd, encap, nat_here, nat_there;
	bool fragments;				/* both ends know RFC 7383 */
	bool childless;		/* the peer bears an IKE_AUTH without a Child SA */
	bool full;		/* it wants no further Child SAs */
	bool close_after;			/* a DELETE follows what is outstanding */
	bool awaits_delete;	/* once replaced: which is the peer's to send */
	uint8_t unsent;		/* liveness checks in a row that could not be sent */
	unsigned n_children;
	unsigned n_lingering;		/* Child SAs of the session that were deleted */
	unsigned n_replaced;		/* IKE SAs of the session before this one */
	ike_time created, since;
	uint64_t spi_i, spi_r, spi_ours;
	struct ike_path path;

	struct ike_connection *connection;	/* held */
	const struct ike_host *host;		/* of it: the one we call, or NULL */
	ike_id connection_id;			/* for events */
	struct ike_peer *peer;			/* NULL once closed */
	LIST_ENTRY(ike_sa) of_peer;
	struct ike_identity remote_id;		/* as authenticated; owned */
	struct ike_same *same;			/* once authenticated: unique.c */
	struct ike_setting_up setting_up;	/* how the session began */
	LIST_ENTRY(ike_sa) of_same;

	struct ike_suite suite;
	struct ike_keys keys;
	uint64_t iv;				/* counter of our AEAD IVs */
	struct ike_half_open *half_open;	/* NULL once established, and of a rekey's */

	struct ike_liveness live;
	struct ike_mobile mobile;

	struct ike_window window;
	struct ike_reassembly *coming[2];	/* [0] request, [1] response; or NULL */
	struct ike_exchange *ours, *theirs;
	STAILQ_HEAD(ike_wishes, ike_wanted) wanted;
	LIST_HEAD(, ike_child_sa) children;
	ike_id session;		/* once replaced: the one it counts with; else 0 */

	struct ike_timer timer;			/* see fire() in sa.c */
	ike_time rekey_at, ends_at, reauth_at;	/* 0: never */
	ike_time due_at;	/* when it must be rekeyed, whoever asks for it earlier */
	unsigned refusals;			/* of rekeys, in a row */
	unsigned put_off;		/* those of them that were only for now */
	ike_id reauthenticates;			/* the IKE SA it is to stand for, or 0 */
	unsigned generation, child_rekeys, collisions_won, collisions_lost;
	struct ike_said *up;			/* IKE_UP or REPLACED: made beforehand */
};

/* ---- index.c: candidates by address and identity ---- */
struct ike_peer;
struct ike_place {			/* of a peer, in a bucket */
	TAILQ_ENTRY(ike_place) link;
	struct ike_bucket *bucket;
	struct ike_peer *peer;
};
struct ike_bucket {
	uint64_t key;
	UT_hash_handle hh;
	TAILQ_HEAD(, ike_place) places;		/* in the order of the connections */
	/* That of an address has none, but these: one for each kind of connection. */
	TAILQ_HEAD(, ike_bucket) kinds;
	TAILQ_ENTRY(ike_bucket) of_above;
	struct ike_bucket *above;		/* of a kind */
};

/* ---- peer.c: the desired state of a connection ---- */
struct ike_peer {
	ike_id id;				/* of the connection */
	UT_hash_handle by_id;
	TAILQ_ENTRY(ike_peer) link;
	struct ike_connection *connection;	/* held */
	LIST_HEAD(, ike_sa) sas;		/* those not closed */
	bool wanted;				/* should be up */
	bool probed;		/* that the peer grants the groups we require */
	unsigned attempts;			/* since it was last up for a while */
	ike_time steady_at;			/* when that is what it is */
	unsigned turn;		/* which of its addresses is called next */
	ike_time quiet_until;			/* packets are not heard before */
	bool restart;		/* begin once more, though it is not wanted always */
	struct ike_timer retry;
	struct ike_place by_address, by_identity;
};

/* ---- unique.c: the SAs whose peers have proven one identity ---- */
struct ike_same {
	uint64_t key;
	struct esp_link by_key;
	LIST_HEAD(, ike_sa) sas;
	struct ike_timer settle;
	unsigned asked;			/* for what one lacks, since the newest came up */
};

enum { IKE_COOKIE_LEN = 17, IKE_COOKIE_SECRET = 32 };
struct ike_cookies {
	bool made;			/* there are secrets */
	uint8_t number;			/* of secret[1] */
	ike_time since;
	uint8_t secret[2][IKE_COOKIE_SECRET];	/* the one before, and today's */
};
struct ike_source { uint64_t key; UT_hash_handle hh; unsigned half_open; };
struct ike_ration { ike_time empty_until; };

struct ike {
	struct ike_options options;
	struct ike_random random;
	const struct ike_algorithms *algorithms;
	uint16_t port, natt_port;
	uint8_t init_hash_key[16];		/* SipHash, of by_init */
	ike_time now;
	ike_id last_id;

	TAILQ_HEAD(, ike_peer) peers;
	TAILQ_HEAD(ike_sas, ike_sa) sas, dead;
	struct ike_peer *peers_by_id;
	struct esp_table sas_by_id, sas_by_spi;
	struct ike_half_open *half_open_by_init;
	struct esp_table children_by_id, children_by_spi;
	LIST_HEAD(, ike_child_sa) lingering;
	struct ike_exchange *questions;
	struct ike_source *sources;
	struct ike_bucket *buckets;
	struct esp_table same;
	struct ike_cookies cookies;
	struct ike_ration answers;
	struct ike_timer *timers;
	struct ike_outputs events, datagrams, delivered;
	struct ike_child ended;		/* viewed by the last event of an end */
	struct ike_counts counts;
	size_t left_by_strangers;		/* octets, see assemble.c */
	uint8_t scratch[IKE_FRAGMENTS_ROOM];	/* a message under construction */
	uint8_t plain[IKE_MAX_MESSAGE];		/* its payloads before sealing */
};

ike_id ike_new_id(struct ike *);

/* ---- sa.c ---- */
struct ike_sa *ike_sa_new(struct ike *, struct ike_connection *, struct ike_peer *,
    bool initiator, const struct ike_path *);	/* with its SPI; NULL: no memory */
/* The one that a rekey makes of an SA: unsettled, of no peer yet.  NULL: no memory. */
struct ike_sa *ike_sa_next(struct ike *, const struct ike_sa *, bool initiator);
void ike_sa_state(struct ike *, struct ike_sa *, enum ike_state);
/* The end: children leave the data path, DOWN is said, the peer may try again.  A
 * `linger` above 0 keeps it that long, only to resend its last response. */
void ike_sa_close(struct ike *, struct ike_sa *, enum ike_error why, ike_time linger);
/* Something authentic and new came by this path: follows the peer there when a NAT in
 * front of it may have changed its mind.  True: the SA has that path now. */
bool ike_sa_follow(struct ike *, struct ike_sa *, const struct ike_path *);
/* The IKE SA and its Child SAs have this path from now on; false: no memory, unchanged. */
bool ike_sa_move(struct ike *, struct ike_sa *, const struct ike_path *);
/* The Child SAs follow the IKE SA; false: no memory, nothing was said. */
bool ike_sa_move_children(struct ike *, struct ike_sa *);
/* Established, or dead: what only the set-up needed. */
void ike_sa_forget_setup(struct ike *, struct ike_sa *);
/* out of every table; freed by ike_reap */
void ike_sa_dead(struct ike *, struct ike_sa *);
void ike_reap(struct ike *);
bool ike_buffer_set(struct ike_buffer *, struct bytes);	/* false: no memory, unchanged */
void ike_buffer_free(struct ike_buffer *);		/* wipes */
struct bytes ike_buffer_view(const struct ike_buffer *);

/* ---- table.c: look-ups ---- */
void ike_tables_init(struct ike *);
void ike_tables_free(struct ike *);			/* which are empty */
bool ike_table_add_sa(struct ike *, struct ike_sa *);	/* id and SPI; false: no memory */
/* Of a half-open one, by the peer's IKE_SA_INIT; false: no memory. */
bool ike_table_add_init(struct ike *, struct ike_half_open *, uint64_t key);
void ike_table_remove_init(struct ike *, struct ike_half_open *);	/* if it is there */
void ike_table_remove_sa(struct ike *, struct ike_sa *);
/* Each gets the other's id, and its place in the order of ids.  Takes no memory. */
void ike_table_swap_ids(struct ike *, struct ike_sa *, struct ike_sa *);
struct ike_sa *ike_table_sa(const struct ike *, ike_id);
struct ike_sa *ike_table_spi(const struct ike *, uint64_t ours);
struct ike_sa *ike_table_init(const struct ike *, uint64_t key);
uint64_t ike_init_key(const struct ike *, const struct ike_path *, struct bytes message);
bool ike_table_add_child(struct ike *, struct ike_child_sa *);
void ike_table_remove_child(struct ike *, struct ike_child_sa *);
struct ike_child_sa *ike_table_child(const struct ike *, ike_id);
bool ike_table_child_spi_used(const struct ike *, uint32_t spi_in);
bool ike_table_add_question(struct ike *, struct ike_exchange *);
void ike_table_remove_question(struct ike *, struct ike_exchange *);
struct ike_exchange *ike_table_question(const struct ike *, ike_id);
bool ike_table_add_peer(struct ike *, struct ike_peer *);
void ike_table_remove_peer(struct ike *, struct ike_peer *);
struct ike_peer *ike_table_peer(const struct ike *, ike_id);

/* ---- event.c ---- */
/* Made now, said later: NULL without memory.  `key` is for IN_ADD and OUT_ADD. */
struct ike_said *ike_make_child_event(struct ike *, enum ike_event_type,
    const struct ike_child_sa *, struct bytes key);
/* Of a Child SA: the IKE SA has another path by now. */
void ike_said_move(struct ike_said *, const struct ike_sa *);
struct ike_said *ike_make_event(struct ike *, enum ike_event_type, const struct ike_sa *);
void ike_say(struct ike *, struct ike_said *);		/* NULL is nothing */
void ike_said_free(struct ike_said *);			/* wipes; NULL is nothing */
/* Empties a queue: what was said is freed, and what has ended if it says no more. */
void ike_outputs_free(struct ike_outputs *);
/* OUT_REMOVE, DOWN or IN_REMOVE, once, and in this order unless they were taken
 * meanwhile; `error` is of DOWN. */
void ike_say_ending(struct ike *, struct ike_output *, enum ike_event_type,
    enum ike_error);
void ike_say_no_ending(struct ike_output *);		/* from now on */
/* The SA is out of everything: frees what is left of it, now or when it has said all. */
void ike_ending_over(struct ike_output *);
/* Says one that was made earlier, of the connection that the SA belongs to by now. */
void ike_say_of(struct ike *, const struct ike_sa *, struct ike_said **, enum ike_error);
void ike_say_refused(struct ike *, const struct ike_sa *, ike_id connection,
    const struct ike_refusal *);
bool ike_say_question(struct ike *, enum ike_event_type, const struct ike_exchange *,
    const struct ike_auth_request *);
void ike_say_text(struct ike *, const struct ike_sa *, const char *);
bool ike_send(struct ike *, const struct ike_path *, struct bytes);
void ike_send_keepalive(struct ike *, const struct ike_path *);

/* ---- window.c ---- */
/* Keeps and sends our request; false: no memory. */
bool ike_window_request(struct ike *, struct ike_sa *, struct bytes);
void ike_window_answered(struct ike *, struct ike_sa *);	/* our request was, or is not
								 * waited for */
/* There is a new path: an outstanding request goes there at once; `anew`: and has all
 * its tries again. */
void ike_window_moved(struct ike *, struct ike_sa *, bool anew);
/* Keeps and sends the response to `x`; false: no memory, nothing sent. */
bool ike_window_respond(struct ike *, struct ike_sa *, const struct ike_exchange *,
    struct bytes);
enum ike_window_verdict { IKE_WINDOW_NEW, IKE_WINDOW_AGAIN, IKE_WINDOW_DROP };
enum ike_window_verdict ike_window_judge(const struct ike_sa *, uint32_t id,
    struct bytes);
void ike_window_again(struct ike *, struct ike_sa *, const struct ike_path *);

/* ---- assemble.c: messages that come in fragments ---- */
/* A fragment for which ike_is_fragment holds; *copy is its copy, that m->octets views.
 * IKE_OK, or positive as of ike_open_message: the message is complete, *copy is replaced
 * by its payloads and *mark is its own.  IKE_WAIT: more is missing. */
enum ike_error ike_assemble(struct ike *, struct ike_sa *, uint8_t **copy,
    struct bytes wire, struct ike_message *m, struct ike_mark *mark);
/* What has come in part is not waited for any longer. */
void ike_assemble_end(struct ike *, struct ike_sa *, bool response);

/* ---- exchange.c ---- */
/* A closed SA answers a retransmitted request this long: over the peer's schedule. */
#define IKE_LINGER (30 * IKE_SECOND)

struct ike_exchange *ike_exchange_new(struct ike_sa *, bool ours, uint8_t type,
    ike_step *const *steps);
void ike_exchange_free(struct ike *, struct ike_exchange *);	/* NULL is nothing */
void ike_exchange_cancel(struct ike *, struct ike_exchange *);	/* freed unless it runs */
/* Runs the steps that remain, until one waits, fails, or none is left. */
void ike_exchange_run(struct ike *, struct ike_exchange *);
/* None of the steps that remain is run: to be called by one that nothing can follow. */
void ike_exchange_end(struct ike_exchange *);
/* Our own exchange: takes the window, which must be free, and runs. */
void ike_exchange_begin(struct ike *, struct ike_sa *, struct ike_exchange *);
/* A datagram for this SA.  Nothing of the SA changes before it is proven. */
void ike_exchange_receive(struct ike *, struct ike_sa *, const struct ike_path *,
    const struct ike_header *, struct bytes wire);
/* The row's judgement on an IKE_SA_INIT request, for which there is no SA yet. */
enum ike_error ike_exchange_check_init(const struct ike_message *);
/* Opens a question: IKE_WAIT, or IKE_NO_MEMORY.  The next step finds the answer. */
enum ike_error ike_ask(struct ike *, struct ike_exchange *, enum ike_event_type,
    const struct ike_auth_request *);
enum ike_error ike_take_answer(struct ike *, ike_id question, const struct ike_answer *);
void ike_ask_timeout(struct ike *, struct ike_timer *);
/* Seals the chain as this exchange's request (IKE_WAIT) or response (IKE_OK), and hands
 * it to the window; IKE_NO_MEMORY: nothing was sent. */
enum ike_error ike_exchange_send(struct ike *, struct ike_exchange *,
    const struct ike_chain *);
struct ike_chain ike_chain_begin(struct ike *);		/* in the engine's `plain` */
/* The first error notify of a message, or IKE_OK. */
enum ike_error ike_first_error(const struct ike_message *);
/* Answers with one notify about an SPI, or about none (protocol 0), and data. */
enum ike_error ike_answer_notify(struct ike *, struct ike_exchange *,
    const struct ike_notify *);

/* ---- wish.c ---- */
/* Asks for something once; false: no memory.  ike_next_wanted begins it when the window
 * is free, and is called by whoever asked. */
bool ike_want(struct ike_sa *, enum ike_wish, uint32_t spi);
bool ike_want_child(struct ike_sa *, struct ike_connection *,
    const struct ike_connection_child *, const struct esp_selector *packet);
bool ike_is_wanted(const struct ike_sa *, enum ike_wish, uint32_t spi);
/* It has come about otherwise. */
void ike_want_no_more(struct ike_sa *, enum ike_wish, uint32_t spi);
void ike_unwant(struct ike_wishes *);			/* all of them */
void ike_next_wanted(struct ike *, struct ike_sa *);

/* ---- fresh.c ---- */
bool ike_fresh_nonce(struct ike *, struct ike_fresh *);	/* these two: false: no memory */
bool ike_fresh_ke(struct ike *, struct ike_fresh *, uint16_t group);
void ike_fresh_free(struct ike_fresh *);
/* KE (if there is one) and Nonce payloads. */
void ike_add_ke(struct ike_chain *, uint16_t group, struct bytes value);
void ike_add_nonce(struct ike_chain *, struct bytes nonce);
/* The two of a message, which holds a Nonce; ke->group IKE_KE_NONE: there is no KE. */
enum ike_error ike_read_fresh(const struct ike_message *, struct ike_ke *,
    struct bytes *nonce);
/* The lower one, RFC 7296 2.8.1: octet by octet; a prefix is lower (T64). */
struct bytes ike_lower_nonce(struct bytes, struct bytes);
bool ike_nonce_is_lower(struct bytes, struct bytes);
/* A group of ours that the peer asks for by INVALID_KE_PAYLOAD; IKE_KE_NONE: it asks for
 * nothing that could be given. */
uint16_t ike_wanted_group(const struct ike_message *, const struct ike_proposals *,
    uint16_t sent);

/* ---- init.c ---- */
void ike_init_request(struct ike *, const struct ike_path *, const struct ike_header *,
    struct bytes wire);
extern ike_step *const ike_setup_steps[]; /* IKE_SA_INIT, then IKE_AUTH, as initiator */

/* ---- index.c ---- */
/* From now on the peer is found as this connection says.  False: no memory, unchanged. */
bool ike_index_put(struct ike *, struct ike_peer *, const struct ike_connection *);
void ike_index_remove(struct ike *, struct ike_peer *);	/* harmless when it is not in */
/* NULL: none.  The kinds of one address; the kinds that may be anywhere; those of one
 * identity; those of any pattern of identities. */
const struct ike_bucket *ike_index_address(const struct ike *, const struct ike_path *);
const struct ike_bucket *ike_index_anywhere(const struct ike *);
const struct ike_bucket *ike_index_identity(const struct ike *,
    const struct ike_identity *);
const struct ike_bucket *ike_index_patterns(const struct ike *);
/* A keyed hash of an identity; equal ones have the same. */
uint64_t ike_identity_key(const struct ike *, const struct ike_identity *);

/* ---- unique.c ---- */
/* An SA is of those of this identity, as whom its peer has proven itself.  False: no
 * memory.  One that follows another (rekeying) joins, too. */
bool ike_unique_join(struct ike *, struct ike_sa *, const struct ike_identity *remote);
void ike_unique_leave(struct ike *, struct ike_sa *);	/* harmless when it did not join */
void ike_unique_initial_contact(struct ike *, const struct ike_sa *);
bool ike_unique_admits(const struct ike *, const struct ike_sa *,
    const struct ike_identity *remote, bool initial_contact);
/* How it began, for comparing it with others later. */
void ike_unique_remember(const struct ike *, struct ike_sa *);
void ike_unique_established(struct ike *, struct ike_sa *);
/* Does another SA of the same two carry something; and this child? */
bool ike_unique_carries(const struct ike_sa *except);
bool ike_unique_serves(const struct ike_sa *except, const char *child);
/* A Child SA of the same two for the same child, that waits for traffic; or NULL. */
struct ike_child_sa *ike_unique_waiting(const struct ike_child_sa *);

/* ---- cookie.c ---- */
void ike_cookie_make(struct ike *, const struct ike_path *, uint64_t spi_i,
    struct bytes nonce, uint8_t cookie[IKE_COOKIE_LEN]);
bool ike_cookie_good(struct ike *, const struct ike_path *, uint64_t spi_i,
    struct bytes nonce, struct bytes cookie);

/* ---- source.c ---- */
enum ike_welcome { IKE_WELCOME, IKE_WELCOME_COOKIE, IKE_WELCOME_NOT };
/* Of a new half-open SA from this address. */
enum ike_welcome ike_source_welcome(const struct ike *, const struct ike_path *);
bool ike_source_join(struct ike *, struct ike_sa *);	/* false: no memory */
void ike_source_leave(struct ike *, struct ike_sa *);	/* harmless when it did */
bool ike_source_has(const struct ike_sa *);		/* it joined, and did not leave */
/* Is there room in the ration of unprotected answers and explanations?  Takes from it. */
bool ike_may_answer(struct ike *);

/* ---- natd.c ---- */
struct ike_nat { bool supported, here, there; };
/* Do we make the peer believe in a NAT, so that ESP travels in UDP? */
bool ike_natd_force(const struct ike *, const struct ike_connection *);
void ike_natd_add(struct ike_chain *, const struct ike_path *, uint64_t spi_i,
    uint64_t spi_r, bool force);
/* False: no memory. */
bool ike_natd_read(const struct ike_message *, const struct ike_path *, uint64_t spi_i,
    uint64_t spi_r, struct ike_nat *);
/* Commits what was found to the SA; false: the peer wants native ESP, which we cannot
 * carry. */
bool ike_natd_decide(const struct ike *, struct ike_sa *, const struct ike_nat *);

/* ---- auth.c ---- */
ike_step ike_auth_prove, ike_auth_send, ike_auth_response, ike_auth_finish;
extern ike_step *const ike_auth_request_steps[];

/* ---- child.c ---- */
/* A Child SA with its inbound SPI, in the tables but not installed; NULL: no memory. */
struct ike_child_sa *ike_child_new(struct ike *, struct ike_sa *, struct ike_connection *,
    const struct ike_connection_child *, uint32_t replaced);
void ike_child_free(struct ike *, struct ike_child_sa *);	/* says nothing more */
void ike_child_forget(struct ike_child_sa *);		/* of its ending: the memory */
/* SA, Nonce and KE (outside IKE_AUTH), TSi and TSr of a request; what started it comes
 * first (2.9). */
void ike_child_offer(struct ike_chain *, const struct ike_exchange *);
/* Responder: chooses child, proposal and selectors, of the Child SA that is rekeyed no
 * fewer; `group` is that of the KE payload.  IKE_OK sets x->child. */
enum ike_error ike_child_choose(struct ike *, struct ike_exchange *,
    const struct ike_child_sa *old, uint16_t group, struct ike_choice *);
void ike_child_answer(struct ike_chain *, const struct ike_exchange *,
    const struct ike_choice *, const struct ike_ke *);
/* Initiator: checks the answer against the offer and completes x->child. */
enum ike_error ike_child_take(struct ike *, struct ike_exchange *,
    const struct ike_child_sa *old, struct ike_choice *);
/* Keys and everything that will be said about it, if it follows `old` (or NULL);
 * `secret` is empty without a key exchange.  IKE_NO_MEMORY: nothing happened. */
enum ike_error ike_child_prepare(struct ike *, struct ike_child_sa *,
    const struct ike_child_sa *old, bool initiator, struct bytes ni, struct bytes nr,
    struct bytes secret);
/* Installs the inbound one; `old` (or NULL) is replaced by it from now on. */
void ike_child_commit(struct ike *, struct ike_child_sa *, struct ike_child_sa *old);
/* Traffic moves there, if it may: OUT_ADD, UP or REPLACED, once. */
bool ike_child_may_move(const struct ike_child_sa *);
void ike_child_move_out(struct ike *, struct ike_child_sa *);
/* Its traffic has not moved there yet. */
bool ike_child_is_waiting(const struct ike_child_sa *);
/* The peer has what we answered: it uses this one, has sent another request since, or
 * would have repeated that one meanwhile. */
bool ike_child_has_arrived(const struct ike *, const struct ike_child_sa *);
void ike_child_have_arrived(struct ike_sa *, ike_time made);	/* all until then */
/* OUT_REMOVE, once; what replaced it takes over. */
void ike_child_stop_out(struct ike *, struct ike_child_sa *);
/* Out of its IKE SA.  One that was replaced goes on hearing for a while. */
void ike_child_close(struct ike *, struct ike_child_sa *, enum ike_error why);
/* May the peer have another one?  Those that linger count, too. */
bool ike_child_has_room(struct ike *, const struct ike_sa *,
    const struct ike_connection *);
/* Its IKE SA was rekeyed. */
void ike_child_hand_over(struct ike_child_sa *, struct ike_sa *to);
struct ike_child_sa *ike_child_by_out(struct ike_sa *, uint32_t spi_out);
struct ike_child_sa *ike_child_by_in(struct ike_sa *, uint32_t spi_in);
/* The one that serves a configured child, by name, and was not replaced; or NULL. */
struct ike_child_sa *ike_child_serving(struct ike_sa *, const char *name);
/* without keys */
void ike_child_describe(const struct ike_child_sa *, struct ike_child *);

/* ---- create.c: CREATE_CHILD_SA for Child SAs, RFC 7296 1.3.1, 1.3.3 ---- */
extern ike_step *const ike_create_child_steps[];	/* of any kind, as responder */
bool ike_create_is_open(const struct ike_sa *);		/* a request of ours */
void ike_create_begin(struct ike *, struct ike_sa *, const struct ike_wanted *);
void ike_create_begin_rekey(struct ike *, struct ike_sa *, uint32_t spi_in);

/* ---- transport.c: selectors of transport mode, RFC 7296 2.23.1 ---- */
/* What of these ranges is the address of that end of the path; `v` has room for all. */
unsigned ike_transport_limit(const struct ike_ts *, const struct ike_path *, unsigned end,
    struct esp_range *v);
/* The same as a list of its own: IKE_OK or IKE_NO_MEMORY. */
enum ike_error ike_transport_only(const struct ike_ts *, const struct ike_path *,
    unsigned end, struct ike_ts *out);
/* The address of that end of the path in place of the one that the peer tells. */
void ike_transport_see(struct ike_ts *, const struct ike_path *, unsigned end,
    struct ike_told *);
/* What was told, for the data path; IKE_OK or IKE_NO_MEMORY. */
enum ike_error ike_transport_keep(struct ike_child_sa *, const struct ike_exchange *);

/* ---- rekey.c: CREATE_CHILD_SA for the IKE SA, RFC 7296 1.3.2, 2.18 ---- */
void ike_rekey_begin(struct ike *, struct ike_sa *);
enum ike_error ike_rekey_answer(struct ike *, struct ike_sa *, struct ike_exchange *);
/* The peer deletes an SA that we are rekeying and that it has rekeyed itself: that one
 * takes over. */
void ike_rekey_yield(struct ike *, struct ike_sa *);

/* ---- renew.c: lifetimes, and when to try again ---- */
void ike_renew_sa(struct ike *, struct ike_sa *);	/* established: its life begins */
void ike_renew_sa_due(struct ike *, struct ike_sa *);	/* its timer has fired */
void ike_renew_child(struct ike *, struct ike_child_sa *);
void ike_renew_child_soon(struct ike *, struct ike_child_sa *);	/* now, if it may be */
/* A rekey was refused.  True: only for now, but too often in a row; the two ends are out
 * of step (2.25), and the IKE SA is being closed. */
bool ike_renew_refused(struct ike *, struct ike_sa *, unsigned *put_off, enum ike_error);
/* It is tried again; what cannot be rekeyed goes on to the end of its time. */
void ike_renew_sa_later(struct ike *, struct ike_sa *);
void ike_renew_child_later(struct ike *, struct ike_child_sa *);
/* Refused for good: the next time is when it must be.  When that is now, a new IKE SA
 * brings fresh keys, make-before-break. */
void ike_renew_sa_refused(struct ike *, struct ike_sa *);
void ike_renew_child_refused(struct ike *, struct ike_child_sa *);
/* The peer was not seen to use it yet: a rekey waits. */
void ike_renew_child_unseen(struct ike *, struct ike_child_sa *);
/* It crossed another one, which stays: it goes when the peer has that. */
void ike_renew_child_lost(struct ike *, struct ike_child_sa *);
/* It was replaced: its DELETE comes after a while, from here or from there. */
void ike_renew_child_replaced(struct ike *, struct ike_child_sa *);
void ike_renew_sa_replaced(struct ike *, struct ike_sa *, bool theirs);
/* Its reauthentication has failed. */
void ike_renew_reauth_later(struct ike *, struct ike_sa *);
/* Somewhere between the two, by chance. */
ike_time ike_between(struct ike *, ike_time least, ike_time most);

/* ---- info.c ---- */
extern ike_step *const ike_info_request_steps[];
/* Begin a DELETE exchange, or queue it. */
void ike_info_delete_sa(struct ike *, struct ike_sa *);
/* of a closing SA: the exchange */
void ike_info_begin_delete(struct ike *, struct ike_sa *);
/* The peer must hear of it: what failed for want of memory is tried again in a while. */
void ike_info_delete_later(struct ike *, struct ike_sa *);
void ike_info_begin_delete_child(struct ike *, struct ike_sa *, uint32_t spi_in);
/* The Child SA with this inbound SPI of ours, or one that never came to be. */
void ike_info_delete_spi(struct ike *, struct ike_sa *, uint32_t spi_in);

/* ---- liveness.c ---- */
/* When the SA becomes established, and when it is no longer. */
void ike_liveness_start(struct ike *, struct ike_sa *);
void ike_liveness_stop(struct ike *, struct ike_sa *);
void ike_liveness_nat(struct ike *, struct ike_sa *);	/* nat_here may have changed */
/* Asks the peer whether it is there; the window must be free. */
void ike_liveness_begin(struct ike *, struct ike_sa *);
/* Something unprotected that came for the SA may say that the peer has forgotten it. */
void ike_liveness_hint(struct ike *, struct ike_sa *, struct bytes wire);

/* ---- mobike.c: RFC 4555 ---- */
/* Does this connection want it? */
bool ike_mobike_wants(const struct ike_connection *);
void ike_mobike_offer(struct ike_chain *);
/* Of IKE_AUTH: what the peer said of it, when the SA becomes established. */
void ike_mobike_agree(struct ike_sa *, const struct ike_message *);
/* IKE_UNEXPECTED_NAT_DETECTED: the peer sent this from, or to, another address. */
enum ike_error ike_mobike_check_nats(const struct ike_connection *,
    const struct ike_message *, const struct ike_path *);
/* An INFORMATIONAL request: what it asks for; what is said to that; and what is done when
 * that was said. */
struct ike_mobike_wish {
	bool update, addresses, detection;
	struct bytes cookie;			/* COOKIE2; len 0: none */
	enum ike_error refused;			/* the notify that says why not */
};
enum ike_error ike_mobike_read(struct ike *, const struct ike_sa *,
    const struct ike_exchange *, struct ike_mobike_wish *);
void ike_mobike_answer(struct ike *, const struct ike_sa *, const struct ike_exchange *,
    const struct ike_mobike_wish *, struct ike_chain *);
void ike_mobike_obey(struct ike *, struct ike_sa *, const struct ike_exchange *,
    const struct ike_mobike_wish *);
/* Tells the peer of our new path, or checks that it is at its new one; the window must
 * be free. */
void ike_mobike_begin(struct ike *, struct ike_sa *);
/* Our addresses have changed, or the peer does not answer: looks for another path. */
void ike_mobike_look(struct ike *, struct ike_sa *);
void ike_mobike_unanswered(struct ike *, struct ike_sa *);
/* NAT detection in a liveness check, and what its answer says of our mapping (3.8). */
void ike_mobike_add_detection(struct ike *, const struct ike_sa *, struct ike_chain *);
enum ike_error ike_mobike_compare(struct ike *, struct ike_sa *, struct ike_exchange *);
/* The path of the Child SAs. */
const struct ike_path *ike_mobike_esp_path(const struct ike_sa *);
/* An IKE rekey: all that is known goes to the successor. */
void ike_mobike_inherit(struct ike *, struct ike_sa *to, struct ike_sa *from);
void ike_mobike_stop(struct ike *, struct ike_sa *);	/* closes its question */

/* ---- peer.c ---- */
/* NULL: no memory */
struct ike_peer *ike_peer_new(struct ike *, struct ike_connection *);
void ike_peer_free(struct ike *, struct ike_peer *);	/* its SAs are closed */
/* keeps its SAs */
bool ike_peer_replace(struct ike *, struct ike_peer *, struct ike_connection *);
void ike_peer_join(struct ike_peer *, struct ike_sa *);	/* leaves the one before */
void ike_peer_leave(struct ike_sa *);
/* Begins to set up an IKE SA with this child; `packet` may be NULL. */
enum ike_error ike_peer_start(struct ike *, struct ike_peer *,
    const struct ike_connection_child *, const struct esp_selector *packet);
/* The same because a packet wants it.  IKE_OK: the outcome will be said.  Else nothing
 * will come of it: IKE_TEMPORARY_FAILURE, too soon after the last time;
 * IKE_NO_ADDITIONAL_SAS, an SA is up that does not carry such packets. */
enum ike_error ike_peer_acquire(struct ike *, struct ike_peer *,
    const struct ike_connection_child *, const struct esp_selector *packet);
void ike_peer_up(struct ike *, struct ike_peer *);	/* a Child SA of it is up */
void ike_peer_reset(struct ike_peer *);		/* somebody has asked: no back-off */
/* An SA of it is no more, or has lost its Child SA, or got none: begins again in a
 * while when it carries nothing any more and should. */
void ike_peer_lost(struct ike *, struct ike_peer *);
/* What somebody has asked for could not be had now: once more in a while. */
void ike_peer_again(struct ike *, struct ike_peer *);
/* An established SA died of silence or of a malformed message: `on_dead` decides. */
void ike_peer_dead(struct ike *, struct ike_peer *);
/* Asks for the Child SAs that are configured and missing, by this IKE SA. */
void ike_peer_complete(struct ike *, struct ike_sa *);
/* The IKE SA that further Child SAs can be asked for in, or NULL. */
struct ike_sa *ike_peer_current(const struct ike_peer *);
/* Makes an IKE SA that is to stand for this one; make before break. */
enum ike_error ike_peer_reauthenticate(struct ike *, struct ike_sa *);
/* Is one up or on the way?  Those that can have no Child SA are deleted. */
bool ike_peer_busy(struct ike *, struct ike_peer *);
/* Does it have an SA that carries something, or may yet, besides this one? */
bool ike_peer_carries(const struct ike_peer *, const struct ike_sa *except);
/* Does it have an SA, half-open or up, besides this one?  A peer that is NULL has. */
bool ike_peer_has_sa(const struct ike_peer *, const struct ike_sa *except);
bool ike_peer_matches(const struct ike_peer *, const struct ike_path *);

/* ---- refuse.c: refusals with both sides' values ---- */
struct ike_refusal ike_refusal(enum ike_error, const char *what);
void ike_refuse_proposals(struct ike *, const struct ike_sa *, ike_id connection,
    const struct ike_path *, const struct ike_proposals *ours, struct bytes theirs);
void ike_refuse_identity(struct ike *, const struct ike_sa *, const char *what,
    const char *setting, const struct ike_identity *ours,
    const struct ike_id_view *theirs);
void ike_refuse_selectors(struct ike *, const struct ike_sa *,
    const struct ike_connection *, struct bytes tsi, struct bytes tsr);
/* The peer asks for more of something than it may have. */
void ike_refuse_more(struct ike *, const struct ike_sa *, enum ike_error,
    const char *what, unsigned most);
/* A notify in answer to a message that belongs to no SA: no state, and never larger
 * than the question (or nothing is sent); the second within the ration. */
void ike_answer_unprotected(struct ike *, const struct ike_path *,
    const struct ike_header *asked, uint16_t notify, struct bytes data);
void ike_refuse_unprotected(struct ike *, const struct ike_path *,
    const struct ike_header *asked, enum ike_error, struct bytes data);
/* The peer said no: its notify, and what we had asked for. */
void ike_refused_by_peer(struct ike *, const struct ike_sa *, enum ike_error,
    const struct ike_connection_child *);

/* ---- trace.c: decoded messages as IKE_TRACE events, when the host wants them ---- */
void ike_trace_sent(struct ike *, const struct ike_sa *, const struct ike_header *,
    const struct ike_chain *);
void ike_trace_received(struct ike *, const struct ike_sa *, const struct ike_header *,
    const struct ike_message *);
/* Those of the messages (see ike_next_message) that are fragments. */
void ike_trace_fragments(struct ike *, const struct ike_sa *, bool sent,
    struct bytes messages);

#endif
