/* libesp: ESP in tunnel and transport mode (RFC 4303) over policies and SAs, on batches
 * of packets, in place.
 *
 * A struct esp belongs to one thread and knows neither time nor sockets nor locks.
 * Its caller
 *	- puts policies (esp_policy_put) and adds SAs (esp_add) as the IKE engine
 *	  says;
 *	- outbound: esp_find on packets from the inside, esp_seal on what it found,
 *	  sends the ESP_OK ones;
 *	- inbound: esp_open on what begins with an SPI, delivers the ESP_OK ones;
 *	- after either: esp_next_notice until false, and tells the engine.
 *
 * Workers.  Each of `workers` threads has its own struct esp.  Inbound SAs live with
 * worker spi % workers alone; policies and outbound SAs are copied to all of them, and
 * each outbound SA names the one worker that seals with it.  A packet met elsewhere is
 * ESP_NOT_MINE and names its owner.
 *
 * A batch is an array; every function looks only at packets whose verdict is ESP_OK
 * and leaves the others as they are.  Set the verdict to ESP_OK (0) before the first
 * stage. */
#ifndef LIBESP_ESP_H
#define LIBESP_ESP_H

#include "libesp/selector.h"
#include "libesp/transform.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
	ESP_SPI_MIN = 256,		/* those below are reserved (RFC 4303 2.1) */
	ESP_WINDOW_DEFAULT = 1024,
	ESP_WINDOW_MAX = 65536,
	ESP_PACKET_MAX = 65507		/* an ESP packet that fits UDP over IPv4 */
};

enum esp_verdict {
	ESP_OK,
	ESP_NO_SA,	/* find: no policy has this packet; open: no such SPI */
	ESP_NOT_MINE,	/* hand it to worker `owner`, which runs the same function */
	ESP_MALFORMED,	/* not an IP packet; not an ESP packet; authentic but with a
			 * bad trailer; in transport mode a fragment, or octets in
			 * front that are not this packet's IP header */
	ESP_REPLAY,	/* seen before, or older than the window */
	ESP_INTEGRITY,	/* ICV is wrong; the payload is wiped or still encrypted */
	ESP_POLICY,	/* find: policy without SA and without acquire; open: inner
			 * packet outside the SA's selectors (RFC 4301 5.2) */
	ESP_DUMMY,	/* authentic and meant to be thrown away (RFC 4303 2.6) */
	ESP_CONGESTED,	/* CE outside, Not-ECT inside: dropped as RFC 6040 4.2 demands */
	ESP_TOO_BIG,	/* would not fit ESP_PACKET_MAX; also for the caller's own MTU */
	ESP_NO_ROOM,	/* head or tail below esp_overhead: the caller's fault */
	ESP_SPENT,	/* hard limit or last sequence number reached; never sent */
	ESP_ACQUIRE,	/* find: policy `policy` wants an SA; hold the packet, find it
			 * again later */
	ESP_FAILED,	/* the cryptographic library failed; the payload has been wiped */
	ESP_VERDICTS	/* how many there are */
};

enum {	/* esp_packet.flags */
	ESP_NEWEST = 1,	/* set by open: this packet has the highest sequence number of
			 * its SA so far, so its outer source may be where the peer is
			 * now (RFC 7296 2.23); an older one, or one that did not
			 * authenticate, must never move the peer */
	ESP_AUTHENTIC = 2	/* set by open, whatever the verdict: the peer has sent
				 * this packet, and it is no replay */
};

struct esp_sa;		/* opaque; see esp_sa_id, esp_sa_user, esp_overhead */

struct esp_packet {
	uint8_t *data;		/* borrowed.  find, seal: the inner IP packet.  open:
				 * the SPI.  After seal the SPI, after open the inner
				 * IP packet, in the same buffer */
	uint32_t len;
	uint16_t head, tail;	/* free octets before data (before `front`, where there
				 * is one) and behind it; kept true by seal and open */
	uint16_t front;		/* octets of IP header just before the SPI, not in len.
				 * Transport mode: set by seal, to send them (or only
				 * what is behind, where the kernel or UDP has a header
				 * of its own); set by the caller before open, else 0.
				 * 0 where data is an IP packet */
	uint8_t verdict;	/* enum esp_verdict */
	uint8_t tos;		/* outer DS field and ECN: set by seal, set by the
				 * caller before open */
	uint8_t next_header;	/* 4 or 41, in transport mode the transport; set by
				 * seal and open */
	uint8_t flags;		/* set by open */
	uint16_t origin;	/* the caller's, untouched: index of the message it
				 * came in */
	uint16_t owner;		/* set with ESP_NOT_MINE */
	struct esp_sa *sa;	/* set by find and open, read by seal; NULL if there is
				 * none; valid until the next esp_add, esp_remove or
				 * esp_free */
	uint64_t policy;	/* set by find: the policy that decided, 0 if none did */
};

enum esp_error {
	ESP_SUCCESS,
	ESP_INVALID,	/* a value out of range: SPI, selectors, key lengths, window,
			 * worker, id 0 */
	ESP_EXISTS,	/* this id (or inbound SPI) is in use */
	ESP_NO_MEMORY
};

enum esp_mode { ESP_TUNNEL, ESP_TRANSPORT };

/* 0: none.  Octets are those of inner packets, here and below. */
struct esp_limits { uint64_t packets, octets; };

struct esp_sa_config {		/* read during the call, all of it copied */
	uint64_t id;		/* the caller's, not 0, unique within its direction;
				 * both SAs of a Child SA may share it */
	uint64_t policy;	/* outbound: the policy it serves, put before or after */
	void *user;		/* the caller's own, given back by esp_sa_user */
	enum esp_direction direction;
	enum esp_mode mode;
	uint32_t spi;
	bool esn;		/* 64-bit sequence numbers (RFC 4303 2.2.1) */
	uint16_t owner;		/* outbound: the worker that seals.  Other workers need
				 * no keys */
	uint32_t window;	/* inbound: replay window in packets, rounded up to a
				 * multiple of 64; 0: ESP_WINDOW_DEFAULT */
	uint64_t first;		/* the first sequence number that is sent or accepted;
				 * 0 means 1 */
	const struct esp_transform *transform;
	struct bytes keymat;	/* as transform.h describes it */
	struct bytes iv_key;	/* outbound: transform->iv_key_len random octets */
	const struct esp_selector *selectors;
	unsigned n_selectors;	/* at least 1 */
	struct esp_limits soft, hard;
	/* inbound, transport mode: source and destination that the sender had in its
	 * packets, where a NAT has changed them (RFC 7296 2.23.1); zeros: as received */
	uint8_t sent[2][16];
};

/* A policy: what is to be protected, whether or not an SA for it exists. */
struct esp_policy_config {	/* read during the call, all of it copied */
	uint64_t id;		/* the caller's, not 0 */
	const struct esp_selector *selectors;
	unsigned n_selectors;	/* at least 1 */
	bool acquire;		/* packets without an SA ask for one, else they are
				 * ESP_POLICY */
};

enum esp_notice_type {
	ESP_WANTED,	/* a packet of policy `id` found no SA; once until
			 * esp_wanted_done, an esp_add to the policy, or a new
			 * esp_policy_put */
	ESP_SOFT,	/* soft limit or 75 % of the sequence numbers: rekey now; once
			 * an SA */
	ESP_HARD,	/* the SA sends or accepts nothing any more; once an SA */
	ESP_FIRST_IN	/* the first authentic packet arrived on this inbound SA; once
			 * an SA */
};

struct esp_notice {
	enum esp_notice_type type;
	enum esp_direction direction;	/* of SA `id`; ESP_OUT with ESP_WANTED */
	uint64_t id;			/* SA, or policy with ESP_WANTED */
	struct esp_selector packet;	/* ESP_WANTED: the packet's, for the first
					 * traffic selectors */
};

struct esp_usage {		/* of one SA */
	uint64_t packets, octets;	/* sealed, or delivered */
	uint64_t replay, integrity, policy, malformed;	/* dropped inbound packets */
	uint64_t sequence;		/* last one sent, highest one authenticated */
};

struct esp_counters {	/* packets by verdict; ESP_OK is what was sealed, or delivered */
	uint64_t in[ESP_VERDICTS], out[ESP_VERDICTS];
};

struct esp_room { uint16_t head, tail; };

/* Sets up libsodium.  NULL: that failed, no memory, or worker >= workers.  One thread:
 * esp_new(0, 1). */
struct esp *esp_new(uint16_t worker, uint16_t workers);
void esp_free(struct esp *);	/* wipes every key; NULL is allowed */

/* Adds one SA, which is in force for the next packet.  A later outbound SA of a policy
 * takes over from an earlier one for the packets its selectors contain; when it is
 * removed the earlier one is current again.  Inbound SAs are refused (ESP_INVALID) by
 * a worker that does not own their SPI.  On an error nothing has changed. */
enum esp_error esp_add(struct esp *, const struct esp_sa_config *);

/* Unknown ids are harmless. */
void esp_remove(struct esp *, enum esp_direction, uint64_t id);

/* Puts a policy, or replaces one of this id while its SAs stay.  Of several policies
 * that contain a packet the most specific selector decides (esp_selector_rank); among
 * equal ranks the one put last.  The chosen policy's newest outbound SA that contains
 * the packet carries it; a less specific policy is never asked instead.  On an error
 * nothing has changed. */
enum esp_error esp_policy_put(struct esp *, const struct esp_policy_config *);

/* Its SAs stay until they are removed, and serve again if the policy returns. */
void esp_policy_remove(struct esp *, uint64_t id);

/* The attempt that ESP_WANTED asked for has ended: the next packet asks again. */
void esp_wanted_done(struct esp *, uint64_t policy);

/* Inner packets -> their SA: ESP_OK with `sa` set, or ESP_NO_SA, ESP_POLICY,
 * ESP_ACQUIRE, ESP_NOT_MINE, ESP_MALFORMED. */
void esp_find(struct esp *, struct esp_packet *v, unsigned n);

/* The same among the SAs of this policy alone, whatever others have put: for those who
 * know where a packet belongs by more than its addresses.  The policy need not have been
 * put.  ESP_NO_SA: it has no SA; ESP_POLICY: it has, but none whose selectors contain the
 * packet; and never ESP_ACQUIRE. */
void esp_find_of(struct esp *, uint64_t policy, struct esp_packet *v, unsigned n);

/* Inner packets with `sa` set -> ESP packets: SPI | sequence | IV | payload | ICV.  In
 * transport mode the packet's own IP header, with protocol, lengths and checksum as they
 * must be now, goes in front of that. */
void esp_seal(struct esp *, struct esp_packet *v, unsigned n);

/* ESP packets, data at the SPI -> inner packets: authentic, new, cut to their own
 * length, inside the SA's selectors, ECN combined with the outer field.  A packet with
 * another verdict still begins at its SPI, but may be decrypted, and in transport mode
 * the octets there may be overwritten.  Until its ICV has proved right a packet changes
 * nothing but a counter.
 *
 * Transport mode: protocol, lengths and checksum of the IP header in front become again
 * what they were; its addresses are what the selectors are checked against, and who
 * received it has checked that they are true.  Checksums behind it, which address
 * translation makes wrong, are mended where the SA says what they were computed over
 * (`sent`, RFC 3948 3.1.2). */
void esp_open(struct esp *, struct esp_packet *v, unsigned n);

/* False when there is none.  Notices are never lost and take no memory: each SA and
 * policy has room for its own. */
bool esp_next_notice(struct esp *, struct esp_notice *);
bool esp_has_notice(const struct esp *);	/* perhaps */

bool esp_read_usage(const struct esp *, enum esp_direction, uint64_t id,
    struct esp_usage *);
const struct esp_counters *esp_read_counters(const struct esp *);

uint64_t esp_sa_id(const struct esp_sa *);
void *esp_sa_user(const struct esp_sa *);

/* Free octets that esp_seal needs before and behind any inner packet.  The second
 * answers for every SA of a transform. */
struct esp_room esp_overhead(const struct esp_sa *);
struct esp_room esp_transform_overhead(const struct esp_transform *);

/* The largest inner packet (in transport mode: without its IP header) whose ESP packet
 * (from the SPI to the ICV) has at most `room` octets: for MTUs.  0 if not even an empty
 * one fits. */
uint32_t esp_payload_max(const struct esp_transform *, uint32_t room);

#ifdef __cplusplus
}
#endif

#endif
