/* The numbers of IKEv2 (RFC 7296 and its IANA registry), in the RFCs' own spelling.
 * Numbers that stand on the wire only; nothing internal ever shares their range.
 * The error notifies are `enum ike_error` in ike.h. */
#ifndef IKE_PROTO_H
#define IKE_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {	/* sizes in octets */
	IKE_HEADER_LEN = 28,		/* 3.1 */
	IKE_PAYLOAD_HEADER_LEN = 4,	/* 3.2 */
	IKE_FRAGMENT_NUMBERS_LEN = 4,	/* number and total, RFC 7383 2.5 */
	IKE_SPI_LEN = 8,
	IKE_ESP_SPI_LEN = 4,
	IKE_NONCE_MIN = 16,		/* 2.10 */
	IKE_NONCE_MAX = 256,
	IKE_NATD_LEN = 20,		/* SHA-1, 2.23 */
	IKE_MAX_MESSAGE = 65000,	/* fits a UDP datagram over IPv4 and IPv6 */
	IKE_MAX_PAYLOADS = 100,		/* of one message; more is INVALID_SYNTAX */
	IKE_MAX_FRAGMENTS = 255		/* of one message; those of more are dropped */
};

enum ike_exchange_type {	/* 3.1 */
	IKE_SA_INIT = 34, IKE_AUTH = 35, CREATE_CHILD_SA = 36, INFORMATIONAL = 37
};

enum ike_header_flag {	/* 3.1 */
	IKE_FLAG_INITIATOR = 0x08, IKE_FLAG_VERSION = 0x10, IKE_FLAG_RESPONSE = 0x20
};

enum ike_payload_type {	/* 3.2 */
	IKE_PAYLOAD_NONE = 0,
	IKE_PAYLOAD_SA = 33, IKE_PAYLOAD_KE = 34, IKE_PAYLOAD_IDI = 35,
	IKE_PAYLOAD_IDR = 36, IKE_PAYLOAD_CERT = 37, IKE_PAYLOAD_CERTREQ = 38,
	IKE_PAYLOAD_AUTH = 39,
	IKE_PAYLOAD_NONCE = 40, IKE_PAYLOAD_NOTIFY = 41, IKE_PAYLOAD_DELETE = 42,
	IKE_PAYLOAD_VENDOR = 43, IKE_PAYLOAD_TSI = 44, IKE_PAYLOAD_TSR = 45,
	IKE_PAYLOAD_SK = 46, IKE_PAYLOAD_CP = 47, IKE_PAYLOAD_EAP = 48,
	IKE_PAYLOAD_SKF = 53	/* RFC 7383 */
};

enum ike_protocol {	/* 3.3.1 */
	IKE_PROTOCOL_NONE = 0, IKE_PROTOCOL_IKE = 1, IKE_PROTOCOL_AH = 2,
	IKE_PROTOCOL_ESP = 3
};

enum ike_transform_type {	/* 3.3.2; 6..12 are additional key exchanges, RFC 9370 */
	IKE_ENCR = 1, IKE_PRF = 2, IKE_INTEG = 3, IKE_KE = 4, IKE_ESN = 5,
	IKE_TRANSFORM_TYPES = 14	/* size of an array indexed by type */
};

enum ike_transform_id {		/* 3.3.2, RFC 8221, 8247, 8031, 5282, 7634 */
	IKE_ENCR_AES_CBC = 12, IKE_ENCR_AES_GCM_16 = 20, IKE_ENCR_CHACHA20_POLY1305 = 28,
	IKE_PRF_HMAC_SHA1 = 2, IKE_PRF_HMAC_SHA2_256 = 5, IKE_PRF_HMAC_SHA2_384 = 6,
	IKE_PRF_HMAC_SHA2_512 = 7,
	IKE_INTEG_NONE = 0, IKE_INTEG_HMAC_SHA1_96 = 2, IKE_INTEG_HMAC_SHA2_256_128 = 12,
	IKE_INTEG_HMAC_SHA2_384_192 = 13, IKE_INTEG_HMAC_SHA2_512_256 = 14,
	IKE_KE_NONE = 0, IKE_KE_MODP_1024 = 2, IKE_KE_MODP_2048 = 14,
	IKE_KE_MODP_3072 = 15, IKE_KE_MODP_4096 = 16, IKE_KE_ECP_256 = 19,
	IKE_KE_ECP_384 = 20, IKE_KE_ECP_521 = 21, IKE_KE_CURVE25519 = 31,
	IKE_ESN_NO = 0, IKE_ESN_YES = 1
};

enum { IKE_ATTRIBUTE_KEY_LENGTH = 14 };	/* 3.3.5; in bits, TV format */

enum ike_status_notify {	/* 3.10.1, status types */
	IKE_N_INITIAL_CONTACT = 16384, IKE_N_SET_WINDOW_SIZE = 16385,
	IKE_N_ADDITIONAL_TS_POSSIBLE = 16386, IKE_N_NAT_DETECTION_SOURCE_IP = 16388,
	IKE_N_NAT_DETECTION_DESTINATION_IP = 16389, IKE_N_COOKIE = 16390,
	IKE_N_USE_TRANSPORT_MODE = 16391, IKE_N_REKEY_SA = 16393,
	IKE_N_ESP_TFC_PADDING_NOT_SUPPORTED = 16394, IKE_N_MOBIKE_SUPPORTED = 16396,
	IKE_N_ADDITIONAL_IP4_ADDRESS = 16397,	/* RFC 4555 4.2 */
	IKE_N_ADDITIONAL_IP6_ADDRESS = 16398, IKE_N_NO_ADDITIONAL_ADDRESSES = 16399,
	IKE_N_UPDATE_SA_ADDRESSES = 16400, IKE_N_COOKIE2 = 16401,
	IKE_N_NO_NATS_ALLOWED = 16402,
	IKE_N_CHILDLESS_IKEV2_SUPPORTED = 16418,	/* RFC 6023 */
	IKE_N_FRAGMENTATION_SUPPORTED = 16430, IKE_N_SIGNATURE_HASH_ALGORITHMS = 16431,
	IKE_N_FIRST_STATUS = 16384
};

enum ike_id_type {	/* 3.5 */
	IKE_ID_IPV4_ADDR = 1, IKE_ID_FQDN = 2, IKE_ID_RFC822_ADDR = 3,
	IKE_ID_IPV6_ADDR = 5, IKE_ID_DER_ASN1_DN = 9, IKE_ID_DER_ASN1_GN = 10,
	IKE_ID_KEY_ID = 11
};

enum ike_auth_method {	/* 3.8 */
	IKE_AUTH_RSA = 1, IKE_AUTH_PSK = 2, IKE_AUTH_SIGNATURE = 14
};

enum ike_ts_type {	/* 3.13.1 */
	IKE_TS_IPV4_ADDR_RANGE = 7, IKE_TS_IPV6_ADDR_RANGE = 8
};

/* Number to text, for people.  Never NULL: an unknown number is printed into `buf`
 * (at least IKE_NAME_LEN octets), which is returned; any value is safe. */
enum { IKE_NAME_LEN = 40 };
const char *ike_exchange_name(uint8_t type, char *buf);
const char *ike_payload_name(uint8_t type, char *buf);
const char *ike_notify_name(uint16_t type, char *buf);
const char *ike_transform_type_name(uint8_t type, char *buf);
/* As a proposal string spells it: "aes256gcm16", "prfsha256", "x25519"; of the IANA
 * numbers that others offer and that are not spoken here, too: "3des", "modp1536". */
const char *ike_transform_name(uint8_t type, uint16_t id, uint16_t key_bits, char *buf);

#ifdef __cplusplus
}
#endif

#endif
