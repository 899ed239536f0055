/* Traffic selectors: ranges of addresses, protocols and ports (RFC 4301 4.4.1.1,
 * RFC 7296 3.13.1), what they contain, and the one precedence that the tun path and
 * XFRM share. */
#ifndef LIBESP_SELECTOR_H
#define LIBESP_SELECTOR_H

#include "libesp/bytes.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Address families are the IP version numbers, so that no socket header is needed
 * here. */
enum { ESP_IPV4 = 4, ESP_IPV6 = 6 };

enum esp_direction { ESP_IN, ESP_OUT };		/* as seen from this host */

/* First and last of each, both included.  Addresses are in network byte order; an IPv4
 * address takes the first four octets and the other twelve are zero, so whole arrays
 * may be compared.
 *
 * protocol 0 is any.  Ports 0..65535 are any; 65535..0 is OPAQUE (RFC 7296 3.13.1):
 * packets whose port cannot be seen, which any contains too.  Protocol 0 allows only
 * these two.  With ICMP, ICMPv6 and the mobility header the "port" is type * 256 +
 * code (RFC 4301 4.4.1.1). */
struct esp_range {
	uint8_t family, protocol;
	uint16_t port[2];
	uint8_t addr[2][16];
};

/* One pair of ranges; several pairs make a policy or an SA.  An outbound packet's
 * source lies in local and its destination in remote; an inbound one's the other way
 * round. */
struct esp_selector {
	struct esp_range local, remote;
};

struct esp_prefix {
	uint8_t family, bits;
	uint8_t addr[16];	/* octets beyond `bits` are zero */
};

/* What one IP packet shows of itself.  Index 0 is the source, 1 the destination. */
struct esp_flow {
	uint8_t family;
	uint8_t protocol;	/* 0: cannot be seen; only ranges of any protocol match
				 * it */
	uint8_t ports;		/* enum esp_ports */
	uint16_t port[2];
	uint32_t len;		/* the packet's octets by its own header; what follows
				 * is padding */
	uint8_t addr[2][16];
};

enum esp_ports {
	ESP_PORTS_NONE,		/* no ports, or unseen (a later fragment): only ranges
				 * of any port and OPAQUE ones match */
	ESP_PORTS_PAIR,		/* source and destination */
	ESP_PORTS_TYPE		/* ICMP type and code, the same number in both; it must
				 * lie in the sender's range, the receiver's may also
				 * be OPAQUE (RFC 4301 4.4.1.3: "willing to send, not
				 * to receive") */
};

/* ---- ranges ---- */

/* Every address, protocol and port of a family. */
struct esp_range esp_range_any(uint8_t family);

/* True if family, order of addresses and ports, and the zero octets are as described
 * above.  A range from the network or a file passes here before any other function
 * sees it. */
bool esp_range_valid(const struct esp_range *);

/* All addresses of a prefix, any protocol and port.  Octets of `addr` beyond `bits`
 * are ignored; IPv4 reads four octets, IPv6 sixteen.  False if family or bits are out
 * of range. */
bool esp_range_from_prefix(struct esp_range *, uint8_t family, const uint8_t *addr,
    unsigned bits);

/* True if the addresses are exactly one prefix, whose length goes to *bits. */
bool esp_range_is_prefix(const struct esp_range *, unsigned *bits);

/* The addresses as the shortest list of prefixes, in ascending order, one a call:
 * begin with a zeroed *p, stop at false.  At most 62 for IPv4 and 254 for IPv6.  For
 * routes, XFRM, tables. */
bool esp_range_next_prefix(const struct esp_range *, struct esp_prefix *p);

bool esp_range_equal(const struct esp_range *, const struct esp_range *);

/* True if every packet of `inner` is one of `outer`. */
bool esp_range_subset(const struct esp_range *inner, const struct esp_range *outer);

/* Narrowing, RFC 7296 2.9: the packets that both contain go to *both (which may be a
 * or b). False, and *both untouched, if there are none. */
bool esp_range_intersect(const struct esp_range *a, const struct esp_range *b,
    struct esp_range *both);

bool esp_range_has_address(const struct esp_range *, uint8_t family,
    const uint8_t addr[16]);

/* Text: "10.1.0.0/24", "10.1.0.7", "10.1.0.1-10.1.0.9", IPv6 likewise, then optionally
 * the protocol and ports in brackets: "[udp]", "[udp/53]", "[tcp/1024-65535]", "[47]",
 * "[udp/opaque]", "[icmp/8]" (a type with all codes), "[icmp/8(0)]" and
 * "[icmp/3(0)-3(4)]" (type and code). Host bits behind a prefix length, spaces and
 * empty parts are errors.  False and *range untouched if the text is none of these. */
bool esp_range_parse(const char *text, struct esp_range *range);

enum { ESP_RANGE_TEXT = 128 };	/* room for every range's text and its NUL */

/* Writes the text that esp_range_parse reads back to the same range, always
 * NUL-terminated and cut to `size`; returns its whole length.  Prefixes print as
 * prefixes, a host without "/32". */
size_t esp_range_print(const struct esp_range *, char *text, size_t size);

/* ---- selectors ---- */

bool esp_selector_valid(const struct esp_selector *);	/* both ranges, and of one
							 * family */

/* THE precedence: lower is more specific and comes first, in esp_find as in XFRM,
 * where it is the priority.  It looks, in this order, at the number of remote
 * addresses (as routes do), of local addresses, at the protocol (one before any), at
 * the number of remote and of local ports. Numbers of addresses and ports count in
 * powers of two, rounded up, so that /24 is 8 and a range of nine addresses 4.  Always
 * below 2^27. */
uint32_t esp_selector_rank(const struct esp_selector *);

/* The same made total, for sorting: by rank, then by content.  <0, 0 (equal), >0. */
int esp_selector_compare(const struct esp_selector *, const struct esp_selector *);

/* True if the packet belongs to the selector when it travels in this direction. */
bool esp_selector_matches(const struct esp_selector *, const struct esp_flow *,
    enum esp_direction);

/* ---- packets ---- */

/* Reads an IPv4 or IPv6 packet's addresses, protocol and ports, walking IPv6 extension
 * headers. Octets behind the packet's own length are allowed.  False if it is
 * malformed: version, header length, or own length longer than the octets.  A packet
 * too short for its ports, a later fragment (RFC 4301 7) or a chain longer than 16
 * headers is ESP_PORTS_NONE, not malformed. */
bool esp_flow_read(struct bytes packet, struct esp_flow *);

/* Only its version and its length by its own header; false as above. */
bool esp_flow_measure(struct bytes packet, uint8_t *family, uint32_t *len);

/* The selector that contains just the packet, as the first of TSi and TSr (RFC 7296 2.9).
 * Unseen ports become OPAQUE if they are a later fragment's, else any. */
struct esp_selector esp_flow_selector(const struct esp_flow *, enum esp_direction);

#ifdef __cplusplus
}
#endif

#endif
