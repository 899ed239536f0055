/* Messages in fragments, RFC 7383: cut into SKF payloads and put together again.  Each
 * fragment is a whole IKE message of its own, with its own IV and ICV: it is opened
 * before anything of it is kept. */
#ifndef IKE_FRAGMENT_H
#define IKE_FRAGMENT_H

#include "libike/protect.h"

/* Octets that hold any message in fragments: what one adds is header, numbers, IV,
 * padding and ICV. */
enum { IKE_FRAGMENTS_ROOM = IKE_MAX_MESSAGE + IKE_MAX_FRAGMENTS * 128 };

/* The IKE octets, without UDP header and non-ESP marker, that fit into an IP packet of
 * `packet` octets on this path; 0: none. */
size_t ike_fragment_size(const struct ike_path *, size_t packet);

/* Takes the next off messages that stand one behind the other; false: none is left. */
bool ike_next_message(struct bytes *rest, struct bytes *message);

/* Seals the chain as one message with an SK payload if that is at most `size` octets
 * long, else as fragments of at most `size`, none of them empty, which stand one behind
 * the other in `w`, for ike_next_message.  A size of 0, or
 * one that IKE_MAX_FRAGMENTS of would not do for, means whole (RFC 7383 has no way for a
 * message that fits neither).  `*counter` goes on by one for each IV that was used.
 * Errors as those of ike_seal_message. */
enum ike_error ike_seal_fragments(const struct ike_suite *, const struct ike_keys *,
    bool by_initiator, const struct ike_header *, const struct ike_chain *, size_t size,
    uint64_t *counter, const struct ike_random *, struct ike_writer *w);

/* What a request is known again by, RFC 7296 2.1 and RFC 7383 2.6.1: its length and its
 * trailing octets, which hold any ICV; in fragments those of the first one. */
enum { IKE_TAIL = 32 };
struct ike_mark { uint32_t len; uint8_t tail[IKE_TAIL]; };
struct ike_mark ike_mark(struct bytes wire);
bool ike_mark_is(const struct ike_mark *, struct bytes wire);

/* One message of which a part has come.  Read-only outside fragment.c. */
struct ike_reassembly {
	uint32_t id;			/* message id */
	uint8_t exchange;
	uint8_t first;			/* the first payload inside: of fragment 1 */
	uint16_t total, have;
	size_t octets;			/* plaintext kept; IKE_MAX_MESSAGE at most */
	struct ike_mark mark;		/* of fragment 1 */
	struct { uint8_t *p; size_t len; } part[];	/* owned; NULL: not here */
};
void ike_reassembly_free(struct ike_reassembly *);	/* wipes; NULL is nothing */

/* A message that is complete. */
struct ike_whole {
	uint8_t *octets;		/* the payloads; owned by who took it */
	size_t len;
	uint8_t first;			/* type of the first one */
	struct ike_mark mark;
};

/* Is it a fragment, and nothing beside it?  What else holds an SKF payload is nothing
 * that this protocol knows. */
bool ike_is_fragment(const struct ike_message *);
/* What such a fragment says in clear. */
struct ike_cover ike_fragment_cover(const struct ike_message *);
/* Takes such a fragment.  *r is what there is of its message or of one before, or NULL.
 * `buf` is the copy of the datagram that m->octets views, and is decrypted in place;
 * `wire` the datagram as it came.
 * IKE_DROP: forged, here already, or its numbers make no sense (2.6); IKE_NO_MEMORY: *r
 * is as it was.  IKE_WAIT: kept in *r, and more is missing.
 * IKE_OK: the last one: *r is NULL again, and all is in *whole, ready for
 * ike_parse_chain. */
enum ike_error ike_reassemble(struct ike_reassembly **r, const struct ike_suite *,
    const struct ike_keys *, bool by_initiator, uint8_t *buf,
    const struct ike_message *, struct bytes wire, struct ike_whole *whole);

#endif
