/* What a builder has gathered, and what clients and servers make of it.  Private to
 * libipsec. */
#ifndef IPSEC_CONFIG_H
#define IPSEC_CONFIG_H

#include "libike/connection.h"
#include "libipsec/auth_psk.h"
#include "libipsec/ipsec.h"

/* A host and a port: "203.0.113.1:4500", "[2001:db8::1]:4500", "host.example", ":0". */
struct ipsec_place {
	char host[256];		/* "": any */
	uint16_t port;		/* as `otherwise`, if there is none in the text */
};
bool ipsec_place_parse(const char *text, uint16_t otherwise, struct ipsec_place *);
/* An end of a path; returns `text`, of IPSEC_ADDRESS_LEN octets. */
const char *ipsec_place_print(uint8_t family, const uint8_t addr[16], uint16_t port,
    char *text);

enum { IPSEC_IKE_PORT = 500, IPSEC_NATT_PORT = 4500 };	/* RFC 7296 2.23 */

struct ipsec_peer_psk {
	char *id;
	bool empty, twice;
};

struct ipsec_list { char **v; unsigned n; };

struct ipsec_traffic {			/* of one call: one child */
	char *text[2];			/* local, remote; commas have become ends */
	struct ipsec_list ranges[2];	/* views of them */
};

struct ipsec_settings {			/* read-only once built */
	unsigned references;
	bool no_memory;			/* a setter had none */
	char *local_id, *remote_id, *local_address;
	struct ipsec_place local;	/* of local_address */
	struct ipsec_secrets *secrets;	/* made with the first */
	bool has_psk, empty_psk;
	struct ipsec_peer_psk *peers;
	unsigned n_peers;
	struct ipsec_list ike, esp;
	struct ipsec_traffic *traffic;
	unsigned n_traffic;
	struct ike_renewal renewal;
	struct ike_retransmission setting_up, established;
	unsigned tries[2];		/* theirs, as they were given */
	enum ike_pfs pfs;
	enum ike_unique unique;
	bool bad_pfs, bad_unique;	/* what was given is none */
	int64_t dpd, shutdown_time;
	unsigned queue;
};

struct ipsec_builder { struct ipsec_settings *settings; };

struct ipsec_settings *ipsec_settings_new(void);	/* defaults; NULL: no memory */
struct ipsec_settings *ipsec_settings_hold(struct ipsec_settings *);
void ipsec_settings_free(struct ipsec_settings *);

/* A connection to the peer at that place ("any": only the peer calls).  Faults as
 * ike_connection_new has them.  `start` is passive, so that the data path gets no policy
 * but with its SAs, or another to hear whether the place can be called. */
struct ike_connection *ipsec_settings_connection(const struct ipsec_settings *,
    const char *remote, uint16_t port, enum ike_start start, struct ike_fault *faults,
    unsigned max, unsigned *n);

/* The answer to PROVE and CHECK by the secret of the event's peer, if it has one of its
 * own; false: it has none. */
bool ipsec_settings_answer_peer(const struct ipsec_settings *, const struct ike_event *,
    uint8_t value[IPSEC_AUTH_MAX], struct ike_answer *);
/* Nothing will be asked for a while. */
void ipsec_settings_rest(const struct ipsec_settings *);
/* By the secret of all others. */
void ipsec_settings_answer(const struct ipsec_settings *, const struct ike_event *,
    uint8_t value[IPSEC_AUTH_MAX], struct ike_answer *);

/* What the program calls a setting of the engine's: "" if it has none of the kind. */
const char *ipsec_setting_name(const char *theirs);

/* A config is settings that were checked for one or the other. */
struct ipsec_settings *ipsec_client_settings(struct ipsec_client_config *);
struct ipsec_settings *ipsec_server_settings(struct ipsec_server_config *);

#endif
