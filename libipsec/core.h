/* What a client and a server have in common: an endpoint on one port, and its sessions.
 * Private to libipsec.
 *
 * Callbacks of the program come from within its own calls, and may call back: every entry
 * point is between ipsec_core_enter and ipsec_core_leave, and what would pull the ground
 * from under a call on its way (freeing, connecting anew, closing the socket) waits for
 * the outermost one to leave. */
#ifndef IPSEC_CORE_H
#define IPSEC_CORE_H

#include "libipsec/config.h"
#include "libipsec/endpoint.h"
#include "libipsec/link.h"

struct ipsec_peer {			/* where it is; family 0: not known yet */
	uint8_t family, addr[16];
	uint16_t port;
};

struct ipsec_session {
	struct ipsec_link link;			/* first */
	TAILQ_ENTRY(ipsec_session) next;	/* oldest first */
	TAILQ_ENTRY(ipsec_session) next_closing;	/* or empty, or dead */
	struct ipsec_core *core;
	void *user;
	ike_id question;			/* of an accept that comes later */
	int64_t up_since, close_by;		/* close_by: while empty or closing */
	uint32_t ike_rekeys, child_rekeys;
	uint8_t error;				/* enum ipsec_error: why we close it */
	bool established, up, was_up, empty, closing, ended;
	struct ipsec_peer peer;
	char peer_id[];
};
TAILQ_HEAD(ipsec_sessions, ipsec_session);

/* A refusal with its texts; what does not fit is cut. */
struct ipsec_said {
	ike_id sa;
	enum ipsec_error error;
	struct ipsec_peer peer;			/* of which no session tells */
	char text[256], ours[600], theirs[600], difference[160], setting[64];
};

struct ipsec_core_ops {			/* those of a client, and of a server */
	bool calls;		/* it begins IKE SAs, with the peer of the settings */
	/* May this session come in?  IKE_OK, IKE_WAIT or an error. */
	enum ike_error (*admit)(struct ipsec_core *, struct ipsec_session *);
	/* The secret of a peer, at most `room` octets; 0: none.  NULL: there is none. */
	size_t (*psk)(struct ipsec_core *, const char *peer_id, uint8_t *secret,
	    size_t room);
	void (*event)(struct ipsec_core *, struct ipsec_session *,
	    const struct ipsec_event *);
	/* NULL: packets wait in a queue. */
	void (*packets)(struct ipsec_core *, struct ipsec_session *,
	    const struct ipsec_packet *, unsigned n);
	/* An IKE SA that never became a session is down. */
	void (*failed)(struct ipsec_core *, ike_id sa, enum ike_error);
	/* The outermost call is about to leave. */
	void (*settle)(struct ipsec_core *);
	void (*destroy)(struct ipsec_core *);	/* ipsec_core_end, and free */
};

struct ipsec_core {
	const struct ipsec_core_ops *ops;
	struct ipsec_settings *settings;	/* held */
	struct ipsec_endpoint *endpoint;	/* NULL: no socket */
	struct ipsec_links *links;		/* the endpoint's */
	ike_id connection;
	uint8_t own[16];	/* who calls: its own address, as last told of */
	struct ipsec_index by_id;		/* sessions that have not ended */
	/* All; those whose last Child SA the peer has deleted; those that we close; those
	 * that are freed when nobody can hold them any more. */
	struct ipsec_sessions sessions, empty, closing, dead;
	unsigned n_sessions;

	unsigned depth;				/* calls on their way */
	bool doomed, unsettled, shutting, shut_down;
	bool unconfirmed;			/* by a peer, while shutting */
	int64_t shut_by;
	struct ipsec_said last;			/* refusal */
	char why[IPSEC_WHY_LEN];
	struct ipsec_metrics ended;		/* of sessions that are no more, */
	uint64_t accepted, refused;
	uint64_t retransmitted, junk;		/* and of endpoints */

	struct ipsec_resolver *resolver;	/* the watcher's, or NULL */
	void (*changed)(void *arg);		/* fds or deadline */
	void (*gone)(void *arg);		/* freed */
	void *watcher;
	uint8_t *psk_room;			/* for the program's psk; or NULL */
};

void ipsec_core_init(struct ipsec_core *, const struct ipsec_core_ops *,
    struct ipsec_settings *);
void ipsec_core_end(struct ipsec_core *);	/* closes and frees what it has */

/* Calls of the program, and of the endpoint. */
void ipsec_core_enter(struct ipsec_core *);
void ipsec_core_leave(struct ipsec_core *);	/* may destroy it */

/* Opens the socket at that place: host "" is any address of both families.  `why` has a
 * sentence when it fails. */
enum ipsec_error ipsec_core_open(struct ipsec_core *, const struct ipsec_place *);
void ipsec_core_close(struct ipsec_core *);	/* silently; sessions end */
/* Puts the connection to that place in; c's reference stays the caller's. */
bool ipsec_core_put(struct ipsec_core *, struct ike_connection *);

void ipsec_core_tell(struct ipsec_core *, struct ipsec_session *,
    enum ipsec_event_type, enum ipsec_error, const struct ipsec_said *);
/* What an end means: of one that was up, or of one that never was. */
enum ipsec_error ipsec_core_error(enum ike_error, bool was_up);

void ipsec_core_shutdown(struct ipsec_core *);
void ipsec_core_process(struct ipsec_core *, int64_t now);
unsigned ipsec_core_fds(const struct ipsec_core *, struct pollfd *, unsigned n);
bool ipsec_core_deadline(const struct ipsec_core *, int64_t *when);
int ipsec_core_timeout(const struct ipsec_core *, int64_t now);
enum { IPSEC_CORE_FDS = 8 };		/* more than any client or server has */
bool ipsec_core_wait(struct ipsec_core *, int64_t until);
void ipsec_core_metrics(const struct ipsec_core *, struct ipsec_metrics *);
/* For loop.c: set once, and back to NULL after shutdown. */
void ipsec_core_watch(struct ipsec_core *, void (*changed)(void *arg),
    void (*gone)(void *arg), void *arg, struct ipsec_resolver *);
struct ipsec_core *ipsec_client_core(struct ipsec_client *);
struct ipsec_core *ipsec_server_core(struct ipsec_server *);

/* ---- session.c ---- */

/* NULL: no memory. */
struct ipsec_session *ipsec_session_new(struct ipsec_core *, ike_id, const char *peer_id);
/* It carries nothing, as the peer wants it: for a moment it may get another Child SA, or
 * be deleted. */
void ipsec_session_wait(struct ipsec_session *);
void ipsec_session_go_on(struct ipsec_session *);	/* it carries something again */
/* True: it was elsewhere. */
bool ipsec_session_set_peer(struct ipsec_session *, const struct ike_path *);
struct ipsec_session *ipsec_session_find(const struct ipsec_core *, ike_id);
/* Says so, unless it is `silent`.  Freed when the outermost call leaves. */
void ipsec_session_end(struct ipsec_session *, enum ipsec_error, bool silent);
void ipsec_session_add_metrics(const struct ipsec_session *, struct ipsec_metrics *);

#endif
