/* Encrypted payloads, RFC 7296 3.14 and RFC 5282: seal and open.  What the two payloads,
 * SK and SKF, have in common is here; what is peculiar to SKF in fragment.h. */
#ifndef IKE_PROTECT_H
#define IKE_PROTECT_H

#include "libike/keys.h"
#include "libike/message.h"

/* What an encrypted payload says in clear: the first payload inside, and of an SKF
 * (RFC 7383 2.5) which of how many it is.  A total of 0 stands for an SK payload. */
struct ike_cover { uint8_t first; uint16_t number, total; };

/* Opens the SK payload, which stands last in `m`, in place.  Then the payloads of `m` are
 * the inner ones alone: what stood outside is ignored (of an unknown critical one
 * `unsupported` stays, 2.5).  `by_initiator`: sent by the original initiator of the SA.
 * `buf` is the datagram that m->octets views.
 * IKE_DROP: no SK payload, too short, or its ICV is wrong: as if it had never come.
 * IKE_INVALID_SYNTAX: the ICV is right and what is inside is malformed (T91).
 * IKE_NO_MEMORY.  On any failure `m` must not be used further. */
enum ike_error ike_open_message(const struct ike_suite *, const struct ike_keys *,
    bool by_initiator, uint8_t *buf, struct ike_message *m);

/* Appends a whole protected message: header, SK payload with the chain.  `counter` is
 * unique under this key (the IV of an AEAD); a CBC IV comes from `random`.
 * IKE_OK; IKE_NO_MEMORY when the library or the buffer failed: then nothing is to be
 * sent. */
enum ike_error ike_seal_message(const struct ike_suite *, const struct ike_keys *,
    bool by_initiator, const struct ike_header *, const struct ike_chain *,
    uint64_t counter, const struct ike_random *, struct ike_writer *);

/* The same for one payload of either kind, on which both are built.  The plaintext is a
 * view into `buf` and no chain yet; an SKF is asked for by a total that is not 0. */
enum ike_error ike_open_payload(const struct ike_suite *, const struct ike_keys *,
    bool by_initiator, uint8_t *buf, const struct ike_message *,
    const struct ike_cover *, struct bytes *plain);
enum ike_error ike_seal_payload(const struct ike_suite *, const struct ike_keys *,
    bool by_initiator, const struct ike_header *, const struct ike_cover *,
    struct bytes plain, uint64_t counter, const struct ike_random *,
    struct ike_writer *);
/* The most plaintext that a message of `size` octets has room for; 0: none. */
size_t ike_seal_room(const struct ike_suite *, const struct ike_cover *, size_t size);

#endif
