/* libipsec: an IPsec tunnel inside a program, without root, TUN or kernel IPsec, over one
 * UDP socket.  IKEv2 (RFC 7296) and ESP in UDP (RFC 3948) go on behind a client or a
 * server; liveness checks, retransmission, rekeying and keepalives need no call.
 *
 *	b = ipsec_builder_new();
 *	ipsec_builder_set_local_id(b, "laptop.example");
 *	ipsec_builder_set_remote_id(b, "gate.example");
 *	ipsec_builder_set_psk(b, secret, secret_len);
 *	ipsec_builder_add_traffic_selector(b, "10.9.0.7", "10.1.0.0/16");
 *	config = ipsec_client_config_build(b, faults, MAX, &n);
 *	client = ipsec_client_new(config, &callbacks, arg);
 *	ipsec_client_connect(client, "203.0.113.1");
 *	while (ipsec_client_wait(client, IPSEC_FOREVER))
 *		;
 *
 * What is sent and received are IP packets, IPv4 or IPv6, as a TUN device has them.
 *
 * Loops.  A program that has nothing else to wait for calls ipsec_client_wait, as above,
 * or ipsec_server_wait.  In a loop of its own, a client and a server are driven by the
 * fds, the deadline and the process function that they have:
 *
 *	n = ipsec_client_fds(client, fds, MAX);
 *	poll(fds, n, ipsec_client_timeout(client, ipsec_now()));
 *	ipsec_client_process(client, ipsec_now());
 *
 * and ipsec_client_attach and ipsec_server_attach put them on a libevent base in one call.
 * The fds change with connect, bind and the end of shutdown, the deadline with every call:
 * ask for both before each wait.  Processing too often is harmless.
 *
 * Threads.  A client, or a server with all its sessions, belongs to one thread at a
 * time: whoever calls its functions; its callbacks come on that thread, from within those
 * calls.  Any number may exist in a process, on any number of threads, and nothing is
 * shared between them but a config, which may be used by several on one thread only.
 *
 * Callbacks may call every function of this header, on any object, but process and wait of
 * the one they belong to.  They may free it: then no further one comes.
 *
 * Time is in microseconds.  `now` is that of CLOCK_BOOTTIME, as ipsec_now gives it, which
 * goes on in suspend.
 *
 * Nothing is logged, and nothing ends the program.  Secrets are kept in guarded memory
 * and wiped, and never appear in a text.
 *
 * endpoint.h has the layer below: connections, data paths and events as ikevd uses
 * them. */
#ifndef IPSEC_IPSEC_H
#define IPSEC_IPSEC_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;			/* libevent's */

#define IPSEC_SECOND INT64_C(1000000)

int64_t ipsec_now(void);

/* ---- what can go wrong ---- */

enum ipsec_error {
	IPSEC_OK,
	/* the program's own doing */
	IPSEC_INVALID,		/* an argument: not an address, no such port, ... */
	IPSEC_NO_MEMORY,	/* memory, or the crypto library, failed */
	IPSEC_NOT_CONNECTED,	/* no tunnel: not asked for, not up yet, or down */
	IPSEC_BUSY,		/* connected, connecting or bound already */
	IPSEC_SHUT_DOWN,	/* shutdown or close was called */
	IPSEC_NO_SOCKET,	/* the UDP socket could not be opened or bound */
	/* a packet */
	IPSEC_AGAIN,		/* send: the socket takes no more now; recv: none waits */
	IPSEC_TOO_BIG,		/* longer than the path, or the caller's room, takes */
	IPSEC_MALFORMED,	/* not an IP packet */
	IPSEC_SELECTORS,	/* outside the traffic selectors of the tunnel */
	IPSEC_SPENT,		/* the SA has reached its hard lifetime */
	/* a tunnel */
	IPSEC_NO_ANSWER,	/* nobody answers there */
	IPSEC_NO_PROPOSAL,	/* no set of algorithms that both sides accept */
	IPSEC_AUTH_FAILED,	/* one side is not who it should be: secret or identity */
	IPSEC_NO_SELECTORS,	/* no traffic that both sides want protected */
	IPSEC_UNRESOLVED,	/* the host name has no address, or none was looked up */
	IPSEC_REFUSED,		/* refused for another reason; the text names it */
	IPSEC_PEER_DEAD,	/* it was up, and the peer fell silent */
	IPSEC_PEER_CLOSED,	/* the peer deleted it */
	IPSEC_EXPIRED,		/* its hard lifetime is over */
	IPSEC_CANCELLED		/* by shutdown, close or free */
};
/* "no proposal": never NULL */
const char *ipsec_error_name(enum ipsec_error);
/* One sentence of what it means and what helps: never NULL. */
const char *ipsec_error_text(enum ipsec_error);

/* ---- configuration ---- */

/* A builder gathers settings and complains of nothing; build checks all of them at once.
 * Texts and octets are copied.  Everything has a default but the identities and the
 * secret. */
struct ipsec_builder;
struct ipsec_client_config;
struct ipsec_server_config;

struct ipsec_lifetime {	/* 0: without end.  Octets and packets: of one direction */
	int64_t time;
	uint64_t octets, packets;
};

/* When a message without an answer is sent again: after `first`, then each time
 * factor_percent / 100 later, at most `most` apart, `tries` copies in all. */
struct ipsec_retransmission {
	int64_t first, most;
	unsigned factor_percent, tries;
};

/* A peer that has a session brings another one: the new one stays; the old one; both. */
enum ipsec_unique { IPSEC_UNIQUE_REPLACE, IPSEC_UNIQUE_KEEP, IPSEC_UNIQUE_NEVER };
/* Key exchange of each Child SA's own (perfect forward secrecy). */
enum ipsec_pfs { IPSEC_PFS_PREFER, IPSEC_PFS_REQUIRE, IPSEC_PFS_OFF };

struct ipsec_builder *ipsec_builder_new(void);		/* NULL: no memory */
void ipsec_builder_free(struct ipsec_builder *);	/* wipes; NULL is nothing */

/* Identities: a domain name, user@domain, an address, "keyid:text" or "keyid:0xHEX".
 * Both required, but remote_id for a server: there it says who may come, and may also be
 * "*.example.com", "*@example.com" or "%any", which is the default. */
void ipsec_builder_set_local_id(struct ipsec_builder *, const char *id);
void ipsec_builder_set_remote_id(struct ipsec_builder *, const char *id);
/* The shared secret: any octets.  Required, but for a server with add_psk or with a psk
 * callback.  The caller wipes its own copy. */
void ipsec_builder_set_psk(struct ipsec_builder *, const void *secret, size_t len);
/* Server: the secret of the peer of this identity, in place of the one above. */
void ipsec_builder_add_psk(struct ipsec_builder *, const char *peer_id,
    const void *secret, size_t len);
/* Proposals in order of preference: "aes256gcm16-prfsha384-x25519", "default"; ESP:
 * "aes128gcm16", "chacha20poly1305", "default".  None: "default". */
void ipsec_builder_add_ike_proposal(struct ipsec_builder *, const char *proposal);
void ipsec_builder_add_esp_proposal(struct ipsec_builder *, const char *proposal);
/* Traffic for one Child SA: networks, addresses or ranges of our side and of the peer's,
 * several of a side separated by commas, each perhaps with "[tcp/443]".  A server narrows
 * what a client asks for to them.  None: everything, IPv4 and IPv6. */
void ipsec_builder_add_traffic_selector(struct ipsec_builder *, const char *local,
    const char *remote);
/* Of Child SAs: at the soft one a rekey begins (up to a tenth earlier), at the hard one
 * what could not be rekeyed ends.  Either may be NULL: 1 hour, and a quarter more than
 * the soft one. */
void ipsec_builder_set_lifetime(struct ipsec_builder *, const struct ipsec_lifetime *soft,
    const struct ipsec_lifetime *hard);
/* Of the IKE SA, likewise; 0: without end.  4 hours; hard 0: a quarter more. */
void ipsec_builder_set_ike_lifetime(struct ipsec_builder *, int64_t soft, int64_t hard);
/* A peer that is silent for so long is asked whether it lives; 0: never.  30 seconds. */
void ipsec_builder_set_dpd(struct ipsec_builder *, int64_t silence);
/* While a tunnel is set up, and afterwards; NULL: as it was.  500 ms, at most 10 s,
 * 180 %, 8 tries (about 40 s); 500 ms, at most 15 s, 180 %, 12 tries (2.3 minutes). */
void ipsec_builder_set_retransmission(struct ipsec_builder *,
    const struct ipsec_retransmission *setting_up,
    const struct ipsec_retransmission *established);
void ipsec_builder_set_pfs(struct ipsec_builder *, enum ipsec_pfs);	/* prefer */
/* replace */
void ipsec_builder_set_unique(struct ipsec_builder *, enum ipsec_unique);
/* Client: our own end, "address", "address:port", "[address]:port" or ":port".  The
 * address that the host would use, and any free port. */
void ipsec_builder_set_local_address(struct ipsec_builder *, const char *address);
/* How many received packets wait for recv, where there is no packets callback; further
 * ones are lost, and counted.  256 of a client and of each session. */
void ipsec_builder_set_queue(struct ipsec_builder *, unsigned packets);
/* How long shutdown and close wait for peers to confirm.  5 seconds. */
void ipsec_builder_set_shutdown_time(struct ipsec_builder *, int64_t time);

enum ipsec_fault_code {
	IPSEC_FAULT_MISSING,		/* a required setting is not there */
	IPSEC_FAULT_IDENTITY, IPSEC_FAULT_SECRET, IPSEC_FAULT_PROPOSAL,
	IPSEC_FAULT_SELECTOR,
	IPSEC_FAULT_FAMILY,		/* IPv4 on one side, IPv6 on the other */
	IPSEC_FAULT_DUPLICATE, IPSEC_FAULT_ADDRESS, IPSEC_FAULT_LIFETIME,
	IPSEC_FAULT_RETRANSMISSION,
	IPSEC_FAULT_RANGE,		/* a number that makes no sense there */
	IPSEC_FAULT_NO_MEMORY
};
const char *ipsec_fault_name(enum ipsec_fault_code);	/* "proposal": never NULL */
struct ipsec_fault {
	enum ipsec_fault_code code;
	const char *setting;	/* static: "local_id", "traffic_selector", ... */
	int item;		/* which call of an add function, from 0; or -1 */
	char text[240];		/* what is wrong, and what would be right */
};

/* NULL when there is any fault: *n were found (`n` may be NULL), and the first `max` are
 * in `faults`; the builder is as it was.  Otherwise the settings have moved into the
 * config, and the builder is empty. */
struct ipsec_client_config *ipsec_client_config_build(struct ipsec_builder *,
    struct ipsec_fault *faults, unsigned max, unsigned *n);
struct ipsec_server_config *ipsec_server_config_build(struct ipsec_builder *,
    struct ipsec_fault *faults, unsigned max, unsigned *n);
/* May be freed while clients or servers use them: the last one wipes.  NULL is
 * nothing. */
void ipsec_client_config_free(struct ipsec_client_config *);
void ipsec_server_config_free(struct ipsec_server_config *);

/* ---- packets, events and metrics ---- */

struct ipsec_packet {
	const uint8_t *data;	/* an IP packet.  Received: borrowed, see there */
	size_t len;
	enum ipsec_error error;	/* set by send; received: IPSEC_OK */
};

enum ipsec_event_type {
	IPSEC_EVENT_CONNECTING,
	IPSEC_EVENT_UP,		/* packets can be sent */
	IPSEC_EVENT_REKEYED,	/* new keys, the same tunnel; no packet was lost for it */
	IPSEC_EVENT_MOVED,	/* the peer, or this client, has another address now */
	IPSEC_EVENT_REFUSED,	/* something was refused; what becomes of it comes next */
	IPSEC_EVENT_FAILED,	/* it could not be set up, for `error`; the end of it */
	IPSEC_EVENT_DOWN,	/* it was up and is no more, for `error`; the end of it */
	IPSEC_EVENT_SHUT_DOWN	/* shutdown is complete: socket and SAs are gone */
};
const char *ipsec_event_name(enum ipsec_event_type);	/* "up": never NULL */

struct ipsec_event {		/* lives as long as the callback; no text is NULL */
	enum ipsec_event_type type;
	enum ipsec_error error;
	const char *text;	/* a sentence; what the peer said is escaped */
	/* With REFUSED and FAILED, or "": both sides' values, the first thing in which
	 * they differ, and the setting concerned, "ike_proposal". */
	const char *ours, *theirs, *difference, *setting;
	const char *peer_id;	/* "" as long as it is not known */
	const char *peer_address;	/* "203.0.113.1:4500", "[2001:db8::1]:4500" */
};

struct ipsec_metrics {		/* [0] in, [1] out.  Never count back */
	uint64_t packets[2], octets[2];	/* inner packets, through the tunnel */
	/* Received and dropped: seen before; not authentic; outside the selectors; the
	 * queue for recv was full. */
	uint64_t replayed, forged, selectors, overflow;
	uint64_t unsent;		/* not sent: for any error but NOT_CONNECTED */
	uint64_t ike_rekeys, child_rekeys;
	int64_t up_since;		/* 0: it is not up */
	/* Server as a whole (0 of a session); a client counts itself. */
	uint64_t sessions;		/* at present */
	uint64_t accepted, refused;	/* sessions that came up; attempts that did not */
	uint64_t retransmitted;		/* IKE messages sent again */
	uint64_t junk;		/* datagrams that are neither IKE nor ESP, or of no SA */
};

/* ---- client ---- */

struct ipsec_client;
struct ipsec_client_callbacks {		/* each may be NULL */
	void (*event)(void *arg, struct ipsec_client *, const struct ipsec_event *);
	/* Received packets, at most 64; they live until it returns.  Without it they
	 * wait for recv. */
	void (*packets)(void *arg, struct ipsec_client *, const struct ipsec_packet *,
	    unsigned n);
};

/* The callbacks are copied, the config is held.  No socket yet.  NULL: no memory, or no
 * config; connect says it again, so that it is enough to look there. */
struct ipsec_client *ipsec_client_new(struct ipsec_client_config *,
    const struct ipsec_client_callbacks *, void *arg);
/* Closes without a word to the peer: shut down first.  NULL is nothing. */
void ipsec_client_free(struct ipsec_client *);

/* Opens the socket and begins.  `address`: "203.0.113.1", "203.0.113.1:4500",
 * "[2001:db8::1]:4500", "fe80::1%eth0", or a host name on an attached client; the port
 * is the peer's for IKE and ESP in UDP (RFC 7296 2.23), 4500 if not given, never 500.
 * IPSEC_OK: the outcome is an event, UP or FAILED.  After FAILED and DOWN it may be
 * called again.  Errors: INVALID, BUSY, SHUT_DOWN, NO_SOCKET, NO_MEMORY; why says
 * more. */
enum ipsec_error ipsec_client_connect(struct ipsec_client *, const char *address);
/* A sentence on the last error of connect, or ""; lives until the next call. */
const char *ipsec_client_why(const struct ipsec_client *);
bool ipsec_client_is_up(const struct ipsec_client *);

/* One IP packet, into the tunnel.  It is copied once, sealed and sent before this
 * returns. */
enum ipsec_error ipsec_client_send_packet(struct ipsec_client *, const void *packet,
    size_t len);
/* `n` of them, each with its own error.  Returns how many were sent. */
unsigned ipsec_client_send_packets(struct ipsec_client *, struct ipsec_packet *,
    unsigned n);
/* Without a packets callback: the oldest received packet, copied.  IPSEC_AGAIN: none
 * waits; IPSEC_TOO_BIG: it stays, *len octets are needed.  What waits goes with the
 * tunnel. */
enum ipsec_error ipsec_client_recv_packet(struct ipsec_client *, void *packet,
    size_t room, size_t *len);
/* Up to `n` of them, not copied: they live until the next call of recv, process or free.
 * Returns how many. */
unsigned ipsec_client_recv_packets(struct ipsec_client *, struct ipsec_packet *,
    unsigned n);
/* The longest inner packet that the path takes; 0: not up. */
size_t ipsec_client_mtu(const struct ipsec_client *);

/* New keys now: of the Child SAs, or of the IKE SA.  The outcome is an event, REKEYED;
 * a rekey that is on its way already is enough.  NOT_CONNECTED, SHUT_DOWN. */
enum ipsec_rekey { IPSEC_REKEY_CHILD, IPSEC_REKEY_IKE };
enum ipsec_error ipsec_client_rekey(struct ipsec_client *, enum ipsec_rekey);

/* This host's addresses or routes have changed, as from one network to another: the
 * tunnel moves along, with its keys, where the peer speaks MOBIKE too (RFC 4555 3.5).
 * That it has is an event, MOVED; then the MTU may be another one.  The program finds out
 * by rtnetlink, or by what its system has for that; telling it for nothing is harmless.
 * What stays where it is: a client with a local address of its own, and one whose peer
 * does not speak MOBIKE, which is found dead in time. */
void ipsec_client_roam(struct ipsec_client *);

/* DELETE of the Child SAs, then of the IKE SA, then the socket.  Goes on in process, for
 * no longer than the shutdown time, and ends with IPSEC_EVENT_SHUT_DOWN (error: IPSEC_OK,
 * or NO_ANSWER if the peer has not confirmed).  Nothing can be sent any more. */
void ipsec_client_shutdown(struct ipsec_client *);
/* It is complete, or there was never anything to shut down. */
bool ipsec_client_is_shut_down(const struct ipsec_client *);

void ipsec_client_metrics(const struct ipsec_client *, struct ipsec_metrics *);

/* To wait for: fds, of which up to `n` are written and all are counted; the time by which
 * process is due, false: none; the same as milliseconds for poll(2), -1: none. */
unsigned ipsec_client_fds(const struct ipsec_client *, struct pollfd *, unsigned n);
bool ipsec_client_deadline(const struct ipsec_client *, int64_t *when);
int ipsec_client_timeout(const struct ipsec_client *, int64_t now);
void ipsec_client_process(struct ipsec_client *, int64_t now);
/* The three in one, for a program without a loop: waits by poll(2) until there is something
 * to do, a signal has come or `until` has, a time as of ipsec_now, and processes.  False:
 * it is that time, or there is nothing to wait for, as after FAILED, DOWN and SHUT_DOWN,
 * before connect, and in a callback of the client. */
#define IPSEC_FOREVER INT64_MAX
bool ipsec_client_wait(struct ipsec_client *, int64_t until);
/* All of it on a libevent base, which must outlive the client, and host names looked
 * up there; after shutdown nothing of it is left there.  Once, at any time before.
 * False: no memory. */
bool ipsec_client_attach(struct ipsec_client *, struct event_base *);

/* ---- server and sessions ---- */

struct ipsec_server;
/* A session is one peer that has proven its identity, with an IKE SA and its Child SAs.
 * It outlives their rekeying and moves with the peer, whatever its address; it ends with
 * IPSEC_EVENT_DOWN or FAILED, and is gone when that callback returns. */
struct ipsec_session;

enum ipsec_verdict {
	IPSEC_ACCEPT, IPSEC_REFUSE,
	IPSEC_LATER		/* ipsec_session_accept will say, within 30 seconds */
};

struct ipsec_server_callbacks {		/* each may be NULL */
	/* The peer has proven its identity (ipsec_session_peer_id): may it come in?
	 * NULL: everyone may. */
	enum ipsec_verdict (*accept)(void *arg, struct ipsec_server *,
	    struct ipsec_session *);
	/* The secret of a peer for which the config has none of its own: writes at most
	 * `room` octets and returns how many; 0: unknown.  Wiped after use. */
	size_t (*psk)(void *arg, struct ipsec_server *, const char *peer_id,
	    uint8_t *secret, size_t room);
	/* Of a session; or, with NULL, REFUSED peers that got no session, and
	 * SHUT_DOWN. */
	void (*event)(void *arg, struct ipsec_server *, struct ipsec_session *,
	    const struct ipsec_event *);
	/* Received packets, at most 64; they live until it returns.  Without it they
	 * wait for recv. */
	void (*packets)(void *arg, struct ipsec_session *, const struct ipsec_packet *,
	    unsigned n);
};

/* As of a client. */
struct ipsec_server *ipsec_server_new(struct ipsec_server_config *,
    const struct ipsec_server_callbacks *, void *arg);
void ipsec_server_free(struct ipsec_server *);	/* and its sessions, silently */

/* Opens the socket.  `address`: "0.0.0.0:4500", "[::1]:4500", an address (port 4500) or
 * ":4500" (every address of both families); port 0: any free one, which ipsec_server_port
 * gives.  INVALID, BUSY, SHUT_DOWN, NO_SOCKET, NO_MEMORY; why says more. */
enum ipsec_error ipsec_server_bind(struct ipsec_server *, const char *address);
const char *ipsec_server_why(const struct ipsec_server *);
uint16_t ipsec_server_port(const struct ipsec_server *);	/* 0: not bound */

/* Takes no new sessions and closes each as ipsec_session_close does, then the socket.
 * Ends with IPSEC_EVENT_SHUT_DOWN, with a session of NULL, within the shutdown time. */
void ipsec_server_shutdown(struct ipsec_server *);
bool ipsec_server_is_shut_down(const struct ipsec_server *);

void ipsec_server_metrics(const struct ipsec_server *, struct ipsec_metrics *);

unsigned ipsec_server_fds(const struct ipsec_server *, struct pollfd *, unsigned n);
bool ipsec_server_deadline(const struct ipsec_server *, int64_t *when);
int ipsec_server_timeout(const struct ipsec_server *, int64_t now);
void ipsec_server_process(struct ipsec_server *, int64_t now);
bool ipsec_server_wait(struct ipsec_server *, int64_t until);
bool ipsec_server_attach(struct ipsec_server *, struct event_base *);

/* The sessions, oldest first: the one after `session`, or the first, after NULL; NULL:
 * there is none. */
struct ipsec_session *ipsec_server_next_session(struct ipsec_server *,
    const struct ipsec_session *);

/* The late answer, after IPSEC_LATER. */
void ipsec_session_accept(struct ipsec_session *, bool);

struct ipsec_server *ipsec_session_server(const struct ipsec_session *);
/* As it was proven, "laptop.example"; a static text of the session. */
const char *ipsec_session_peer_id(const struct ipsec_session *);
/* Where the peer is now: "203.0.113.1:4500".  Writes to `text`, of IPSEC_ADDRESS_LEN
 * octets, and returns it. */
enum { IPSEC_ADDRESS_LEN = 64 };
const char *ipsec_session_peer_address(const struct ipsec_session *, char *text);
/* The program's own pointer; NULL at first. */
void *ipsec_session_user(const struct ipsec_session *);
void ipsec_session_set_user(struct ipsec_session *, void *);
bool ipsec_session_is_up(const struct ipsec_session *);

/* As of a client: packets go to this session whatever other sessions' selectors. */
enum ipsec_error ipsec_session_send_packet(struct ipsec_session *, const void *packet,
    size_t len);
unsigned ipsec_session_send_packets(struct ipsec_session *, struct ipsec_packet *,
    unsigned n);
enum ipsec_error ipsec_session_recv_packet(struct ipsec_session *, void *packet,
    size_t room, size_t *len);
unsigned ipsec_session_recv_packets(struct ipsec_session *, struct ipsec_packet *,
    unsigned n);
size_t ipsec_session_mtu(const struct ipsec_session *);
enum ipsec_error ipsec_session_rekey(struct ipsec_session *, enum ipsec_rekey);
/* DELETE of the Child SAs, then of the IKE SA; ends with IPSEC_EVENT_DOWN (CANCELLED)
 * when the peer has confirmed or the shutdown time is over. */
void ipsec_session_close(struct ipsec_session *);
void ipsec_session_metrics(const struct ipsec_session *, struct ipsec_metrics *);

#ifdef __cplusplus
}
#endif

#endif
