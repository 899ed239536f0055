/* Number to text and back.  Tables are scanned: they are short, and names are for people.
 * Numbers come from peers, so every function takes every value. */
#include <stdio.h>
#include <string.h>

#include "libike/ike.h"
#include "libike/payload.h"
#include "libike/proto.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct name {
	uint16_t number;
	const char *text;
};

static const struct name exchanges[] = {
	{ IKE_SA_INIT, "IKE_SA_INIT" },
	{ IKE_AUTH, "IKE_AUTH" },
	{ CREATE_CHILD_SA, "CREATE_CHILD_SA" },
	{ INFORMATIONAL, "INFORMATIONAL" },
	{ 38, "IKE_SESSION_RESUME" },
	{ 43, "IKE_INTERMEDIATE" },
	{ 44, "IKE_FOLLOWUP_KE" }
};

static const struct name payloads[] = {	/* as 3.2 abbreviates them */
	{ IKE_PAYLOAD_NONE, "none" },
	{ IKE_PAYLOAD_SA, "SA" },
	{ IKE_PAYLOAD_KE, "KE" },
	{ IKE_PAYLOAD_IDI, "IDi" },
	{ IKE_PAYLOAD_IDR, "IDr" },
	{ IKE_PAYLOAD_CERT, "CERT" },
	{ IKE_PAYLOAD_CERTREQ, "CERTREQ" },
	{ IKE_PAYLOAD_AUTH, "AUTH" },
	{ IKE_PAYLOAD_NONCE, "Nonce" },
	{ IKE_PAYLOAD_NOTIFY, "N" },
	{ IKE_PAYLOAD_DELETE, "D" },
	{ IKE_PAYLOAD_VENDOR, "V" },
	{ IKE_PAYLOAD_TSI, "TSi" },
	{ IKE_PAYLOAD_TSR, "TSr" },
	{ IKE_PAYLOAD_SK, "SK" },
	{ IKE_PAYLOAD_CP, "CP" },
	{ IKE_PAYLOAD_EAP, "EAP" },
	{ IKE_PAYLOAD_SKF, "SKF" }
};

/* RFC 7296 3.10.1 and what IANA added since: a peer may say any of these. */
static const struct name notifies[] = {
	{ IKE_UNSUPPORTED_CRITICAL_PAYLOAD, "UNSUPPORTED_CRITICAL_PAYLOAD" },
	{ IKE_INVALID_IKE_SPI, "INVALID_IKE_SPI" },
	{ IKE_INVALID_MAJOR_VERSION, "INVALID_MAJOR_VERSION" },
	{ IKE_INVALID_SYNTAX, "INVALID_SYNTAX" },
	{ IKE_INVALID_MESSAGE_ID, "INVALID_MESSAGE_ID" },
	{ IKE_INVALID_SPI, "INVALID_SPI" },
	{ IKE_NO_PROPOSAL_CHOSEN, "NO_PROPOSAL_CHOSEN" },
	{ IKE_INVALID_KE_PAYLOAD, "INVALID_KE_PAYLOAD" },
	{ IKE_AUTHENTICATION_FAILED, "AUTHENTICATION_FAILED" },
	{ IKE_SINGLE_PAIR_REQUIRED, "SINGLE_PAIR_REQUIRED" },
	{ IKE_NO_ADDITIONAL_SAS, "NO_ADDITIONAL_SAS" },
	{ IKE_INTERNAL_ADDRESS_FAILURE, "INTERNAL_ADDRESS_FAILURE" },
	{ IKE_FAILED_CP_REQUIRED, "FAILED_CP_REQUIRED" },
	{ IKE_TS_UNACCEPTABLE, "TS_UNACCEPTABLE" },
	{ IKE_INVALID_SELECTORS, "INVALID_SELECTORS" },
	{ IKE_UNACCEPTABLE_ADDRESSES, "UNACCEPTABLE_ADDRESSES" },
	{ IKE_UNEXPECTED_NAT_DETECTED, "UNEXPECTED_NAT_DETECTED" },
	{ 42, "USE_ASSIGNED_HoA" },
	{ IKE_TEMPORARY_FAILURE, "TEMPORARY_FAILURE" },
	{ IKE_CHILD_SA_NOT_FOUND, "CHILD_SA_NOT_FOUND" },
	{ 45, "INVALID_GROUP_ID" },
	{ 46, "AUTHORIZATION_FAILED" },
	{ 47, "STATE_NOT_FOUND" },
	{ 48, "TS_MAX_QUEUE" },

	{ IKE_N_INITIAL_CONTACT, "INITIAL_CONTACT" },
	{ IKE_N_SET_WINDOW_SIZE, "SET_WINDOW_SIZE" },
	{ IKE_N_ADDITIONAL_TS_POSSIBLE, "ADDITIONAL_TS_POSSIBLE" },
	{ 16387, "IPCOMP_SUPPORTED" },
	{ IKE_N_NAT_DETECTION_SOURCE_IP, "NAT_DETECTION_SOURCE_IP" },
	{ IKE_N_NAT_DETECTION_DESTINATION_IP, "NAT_DETECTION_DESTINATION_IP" },
	{ IKE_N_COOKIE, "COOKIE" },
	{ IKE_N_USE_TRANSPORT_MODE, "USE_TRANSPORT_MODE" },
	{ 16392, "HTTP_CERT_LOOKUP_SUPPORTED" },
	{ IKE_N_REKEY_SA, "REKEY_SA" },
	{ IKE_N_ESP_TFC_PADDING_NOT_SUPPORTED, "ESP_TFC_PADDING_NOT_SUPPORTED" },
	{ 16395, "NON_FIRST_FRAGMENTS_ALSO" },
	{ IKE_N_MOBIKE_SUPPORTED, "MOBIKE_SUPPORTED" },
	{ IKE_N_ADDITIONAL_IP4_ADDRESS, "ADDITIONAL_IP4_ADDRESS" },
	{ IKE_N_ADDITIONAL_IP6_ADDRESS, "ADDITIONAL_IP6_ADDRESS" },
	{ IKE_N_NO_ADDITIONAL_ADDRESSES, "NO_ADDITIONAL_ADDRESSES" },
	{ IKE_N_UPDATE_SA_ADDRESSES, "UPDATE_SA_ADDRESSES" },
	{ IKE_N_COOKIE2, "COOKIE2" },
	{ IKE_N_NO_NATS_ALLOWED, "NO_NATS_ALLOWED" },
	{ 16403, "AUTH_LIFETIME" },
	{ 16404, "MULTIPLE_AUTH_SUPPORTED" },
	{ 16405, "ANOTHER_AUTH_FOLLOWS" },
	{ 16406, "REDIRECT_SUPPORTED" },
	{ 16407, "REDIRECT" },
	{ 16408, "REDIRECTED_FROM" },
	{ 16409, "TICKET_LT_OPAQUE" },
	{ 16410, "TICKET_REQUEST" },
	{ 16411, "TICKET_ACK" },
	{ 16412, "TICKET_NACK" },
	{ 16413, "TICKET_OPAQUE" },
	{ 16414, "LINK_ID" },
	{ 16415, "USE_WESP_MODE" },
	{ 16416, "ROHC_SUPPORTED" },
	{ 16417, "EAP_ONLY_AUTHENTICATION" },
	{ 16418, "CHILDLESS_IKEV2_SUPPORTED" },
	{ 16419, "QUICK_CRASH_DETECTION" },
	{ 16420, "IKEV2_MESSAGE_ID_SYNC_SUPPORTED" },
	{ 16421, "IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED" },
	{ 16422, "IKEV2_MESSAGE_ID_SYNC" },
	{ 16423, "IPSEC_REPLAY_COUNTER_SYNC" },
	{ 16424, "SECURE_PASSWORD_METHODS" },
	{ 16425, "PSK_PERSIST" },
	{ 16426, "PSK_CONFIRM" },
	{ 16427, "ERX_SUPPORTED" },
	{ 16428, "IFOM_CAPABILITY" },
	{ 16429, "SENDER_REQUEST_ID" },
	{ IKE_N_FRAGMENTATION_SUPPORTED, "IKEV2_FRAGMENTATION_SUPPORTED" },
	{ IKE_N_SIGNATURE_HASH_ALGORITHMS, "SIGNATURE_HASH_ALGORITHMS" },
	{ 16432, "CLONE_IKE_SA_SUPPORTED" },
	{ 16433, "CLONE_IKE_SA" },
	{ 16434, "PUZZLE" },
	{ 16435, "USE_PPK" },
	{ 16436, "PPK_IDENTITY" },
	{ 16437, "NO_PPK_AUTH" },
	{ 16438, "INTERMEDIATE_EXCHANGE_SUPPORTED" },
	{ 16439, "IP4_ALLOWED" },
	{ 16440, "IP6_ALLOWED" },
	{ 16441, "ADDITIONAL_KEY_EXCHANGE" },
	{ 16442, "USE_AGGFRAG" },
	{ 16443, "SUPPORTED_AUTH_METHODS" },
	{ 16444, "SA_RESOURCE_INFO" }
};

static const struct name transform_types[] = {
	{ IKE_ENCR, "ENCR" },
	{ IKE_PRF, "PRF" },
	{ IKE_INTEG, "INTEG" },
	{ IKE_KE, "KE" },
	{ IKE_ESN, "ESN" },
	{ 6, "ADDKE1" }, { 7, "ADDKE2" }, { 8, "ADDKE3" }, { 9, "ADDKE4" },
	{ 10, "ADDKE5" }, { 11, "ADDKE6" }, { 12, "ADDKE7" }
};

static const struct {
	enum ike_error error;
	const char *text;
} local_errors[] = {
	{ IKE_OK, "ok" },
	{ IKE_DROP, "dropped" },
	{ IKE_WAIT, "waiting" },
	{ IKE_NO_MEMORY, "out of memory" },
	{ IKE_GONE, "gone" },
	{ IKE_TIMEOUT, "timeout" },
	{ IKE_CANCELLED, "cancelled" },
	{ IKE_CLOSED, "closed by the peer" },
	{ IKE_UNRESOLVED, "name not resolved" },
	{ IKE_NOT_INITIATOR, "no address to call" },
	{ IKE_EXPIRED, "lifetime over" }
};

struct keyword {
	uint8_t type;
	uint16_t id, key_bits;
	const char *text;
};

/* What can be spoken.  The first row of a transform is how it is printed, the others are
 * aliases. */
static const struct keyword keywords[] = {
	{ IKE_ENCR, IKE_ENCR_AES_GCM_16, 128, "aes128gcm16" },
	{ IKE_ENCR, IKE_ENCR_AES_GCM_16, 192, "aes192gcm16" },
	{ IKE_ENCR, IKE_ENCR_AES_GCM_16, 256, "aes256gcm16" },
	{ IKE_ENCR, IKE_ENCR_AES_GCM_16, 128, "aes128gcm" },
	{ IKE_ENCR, IKE_ENCR_AES_GCM_16, 192, "aes192gcm" },
	{ IKE_ENCR, IKE_ENCR_AES_GCM_16, 256, "aes256gcm" },
	{ IKE_ENCR, IKE_ENCR_AES_GCM_16, 128, "aes128gcm128" },
	{ IKE_ENCR, IKE_ENCR_AES_GCM_16, 192, "aes192gcm128" },
	{ IKE_ENCR, IKE_ENCR_AES_GCM_16, 256, "aes256gcm128" },
	{ IKE_ENCR, IKE_ENCR_CHACHA20_POLY1305, 0, "chacha20poly1305" },
	{ IKE_ENCR, IKE_ENCR_AES_CBC, 128, "aes128" },
	{ IKE_ENCR, IKE_ENCR_AES_CBC, 192, "aes192" },
	{ IKE_ENCR, IKE_ENCR_AES_CBC, 256, "aes256" },
	{ IKE_ENCR, IKE_ENCR_AES_CBC, 128, "aes" },
	{ IKE_PRF, IKE_PRF_HMAC_SHA1, 0, "prfsha1" },
	{ IKE_PRF, IKE_PRF_HMAC_SHA2_256, 0, "prfsha256" },
	{ IKE_PRF, IKE_PRF_HMAC_SHA2_384, 0, "prfsha384" },
	{ IKE_PRF, IKE_PRF_HMAC_SHA2_512, 0, "prfsha512" },
	{ IKE_INTEG, IKE_INTEG_HMAC_SHA1_96, 0, "sha1" },
	{ IKE_INTEG, IKE_INTEG_HMAC_SHA1_96, 0, "sha" },
	{ IKE_INTEG, IKE_INTEG_HMAC_SHA2_256_128, 0, "sha256" },
	{ IKE_INTEG, IKE_INTEG_HMAC_SHA2_384_192, 0, "sha384" },
	{ IKE_INTEG, IKE_INTEG_HMAC_SHA2_512_256, 0, "sha512" },
	{ IKE_INTEG, IKE_INTEG_HMAC_SHA2_256_128, 0, "sha2_256" },
	{ IKE_INTEG, IKE_INTEG_HMAC_SHA2_384_192, 0, "sha2_384" },
	{ IKE_INTEG, IKE_INTEG_HMAC_SHA2_512_256, 0, "sha2_512" },
	{ IKE_KE, IKE_KE_CURVE25519, 0, "x25519" },
	{ IKE_KE, IKE_KE_CURVE25519, 0, "curve25519" },
	{ IKE_KE, IKE_KE_ECP_256, 0, "ecp256" },
	{ IKE_KE, IKE_KE_ECP_384, 0, "ecp384" },
	{ IKE_KE, IKE_KE_ECP_521, 0, "ecp521" },
	{ IKE_KE, IKE_KE_MODP_1024, 0, "modp1024" },
	{ IKE_KE, IKE_KE_MODP_2048, 0, "modp2048" },
	{ IKE_KE, IKE_KE_MODP_3072, 0, "modp3072" },
	{ IKE_KE, IKE_KE_MODP_4096, 0, "modp4096" },
	{ IKE_KE, IKE_KE_NONE, 0, "modpnone" },
	{ IKE_ESN, IKE_ESN_NO, 0, "noesn" },
	{ IKE_ESN, IKE_ESN_YES, 0, "esn" }
};

/* What only others speak: for the refusal that shows both sides' values. */
static const struct keyword foreign[] = {
	{ IKE_ENCR, 2, 0, "des" },
	{ IKE_ENCR, 3, 0, "3des" },
	{ IKE_ENCR, 6, 128, "cast128" },
	{ IKE_ENCR, 7, 128, "blowfish128" },
	{ IKE_ENCR, 7, 256, "blowfish256" },
	{ IKE_ENCR, 11, 0, "null" },
	{ IKE_ENCR, 13, 128, "aes128ctr" },
	{ IKE_ENCR, 13, 192, "aes192ctr" },
	{ IKE_ENCR, 13, 256, "aes256ctr" },
	{ IKE_ENCR, 14, 128, "aes128ccm8" },
	{ IKE_ENCR, 14, 192, "aes192ccm8" },
	{ IKE_ENCR, 14, 256, "aes256ccm8" },
	{ IKE_ENCR, 15, 128, "aes128ccm12" },
	{ IKE_ENCR, 15, 192, "aes192ccm12" },
	{ IKE_ENCR, 15, 256, "aes256ccm12" },
	{ IKE_ENCR, 16, 128, "aes128ccm16" },
	{ IKE_ENCR, 16, 192, "aes192ccm16" },
	{ IKE_ENCR, 16, 256, "aes256ccm16" },
	{ IKE_ENCR, 18, 128, "aes128gcm8" },
	{ IKE_ENCR, 18, 192, "aes192gcm8" },
	{ IKE_ENCR, 18, 256, "aes256gcm8" },
	{ IKE_ENCR, 19, 128, "aes128gcm12" },
	{ IKE_ENCR, 19, 192, "aes192gcm12" },
	{ IKE_ENCR, 19, 256, "aes256gcm12" },
	{ IKE_ENCR, 21, 128, "aes128gmac" },
	{ IKE_ENCR, 21, 192, "aes192gmac" },
	{ IKE_ENCR, 21, 256, "aes256gmac" },
	{ IKE_ENCR, 23, 128, "camellia128" },
	{ IKE_ENCR, 23, 192, "camellia192" },
	{ IKE_ENCR, 23, 256, "camellia256" },
	{ IKE_PRF, 1, 0, "prfmd5" },
	{ IKE_PRF, 4, 0, "prfaesxcbc" },
	{ IKE_PRF, 8, 0, "prfaescmac" },
	{ IKE_INTEG, IKE_INTEG_NONE, 0, "noauth" },
	{ IKE_INTEG, 1, 0, "md5" },
	{ IKE_INTEG, 5, 0, "aesxcbc" },
	{ IKE_INTEG, 6, 0, "md5_128" },
	{ IKE_INTEG, 7, 0, "sha1_160" },
	{ IKE_INTEG, 8, 0, "aescmac" },
	{ IKE_KE, 1, 0, "modp768" },
	{ IKE_KE, 5, 0, "modp1536" },
	{ IKE_KE, 17, 0, "modp6144" },
	{ IKE_KE, 18, 0, "modp8192" },
	{ IKE_KE, 22, 0, "modp1024s160" },
	{ IKE_KE, 23, 0, "modp2048s224" },
	{ IKE_KE, 24, 0, "modp2048s256" },
	{ IKE_KE, 25, 0, "ecp192" },
	{ IKE_KE, 26, 0, "ecp224" },
	{ IKE_KE, 27, 0, "ecp224bp" },
	{ IKE_KE, 28, 0, "ecp256bp" },
	{ IKE_KE, 29, 0, "ecp384bp" },
	{ IKE_KE, 30, 0, "ecp512bp" },
	{ IKE_KE, 32, 0, "x448" },
	{ IKE_KE, 35, 0, "mlkem512" },
	{ IKE_KE, 36, 0, "mlkem768" },
	{ IKE_KE, 37, 0, "mlkem1024" }
};

static const char *
find_name(const struct name *v, size_t n, uint16_t number)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].number == number)
			return v[i].text;
	return NULL;
}

static const char *
name_or_number(const char *name, const char *kind, uint16_t number, char *buf)
{
	if (name != NULL)
		return name;
	snprintf(buf, IKE_NAME_LEN, "%s %u", kind, (unsigned)number);
	return buf;
}

const char *
ike_exchange_name(uint8_t type, char *buf)
{
	return name_or_number(find_name(exchanges, COUNT(exchanges), type), "exchange",
	    type, buf);
}

const char *
ike_payload_name(uint8_t type, char *buf)
{
	return name_or_number(find_name(payloads, COUNT(payloads), type), "payload", type,
	    buf);
}

const char *
ike_notify_name(uint16_t type, char *buf)
{
	return name_or_number(find_name(notifies, COUNT(notifies), type), "notify", type,
	    buf);
}

const char *
ike_transform_type_name(uint8_t type, char *buf)
{
	return name_or_number(find_name(transform_types, COUNT(transform_types), type),
	    "transform type", type, buf);
}

const char *
ike_error_name(enum ike_error error)
{
	const char *name = NULL;

	for (size_t i = 0; i < COUNT(local_errors); i++)
		if (local_errors[i].error == error)
			return local_errors[i].text;
	if (error > 0 && error <= UINT16_MAX)
		name = find_name(notifies, COUNT(notifies), (uint16_t)error);
	return name != NULL ? name : "unknown error";
}

static const char *
find_keyword(const struct keyword *v, size_t n, uint8_t type, uint16_t id,
    uint16_t key_bits)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].type == type && v[i].id == id && v[i].key_bits == key_bits)
			return v[i].text;
	return NULL;
}

/* "ENCR_99", "ENCR_12/100", "KE_1025": the type and IANA's number. */
static const char *
print_transform(uint8_t type, uint16_t id, uint16_t key_bits, char *buf)
{
	char number[IKE_NAME_LEN];
	const char *name;

	snprintf(number, sizeof number, "TYPE%u", (unsigned)type);
	name = find_name(transform_types, COUNT(transform_types), type);
	if (name == NULL)
		name = number;
	if (key_bits == 0)
		snprintf(buf, IKE_NAME_LEN, "%.12s_%u", name, (unsigned)id);
	else
		snprintf(buf, IKE_NAME_LEN, "%.12s_%u/%u", name, (unsigned)id,
		    (unsigned)key_bits);
	return buf;
}

const char *
ike_transform_name(uint8_t type, uint16_t id, uint16_t key_bits, char *buf)
{
	const char *name;

	name = find_keyword(keywords, COUNT(keywords), type, id, key_bits);
	if (name == NULL)
		name = find_keyword(foreign, COUNT(foreign), type, id, key_bits);
	return name != NULL ? name : print_transform(type, id, key_bits, buf);
}

bool
ike_transform_by_keyword(const char *word, size_t len, struct ike_transform *out)
{
	for (size_t i = 0; i < COUNT(keywords); i++) {
		const struct keyword *k = &keywords[i];

		if (strlen(k->text) != len || memcmp(k->text, word, len) != 0)
			continue;
		*out = (struct ike_transform){ .type = k->type, .id = k->id,
			.key_bits = k->key_bits };
		return true;
	}
	return false;
}
