/* struct ike_connection as it was built.  Private to libike and ikevd: programs, and
 * libipsec, ask the functions of connection.h. */
#ifndef IKE_CONNECTION_BUILT_H
#define IKE_CONNECTION_BUILT_H

#include "libike/connection.h"
#include "libike/host.h"
#include "libike/id.h"
#include "libike/proposal.h"
#include "libike/ts.h"

struct ike_connection_child {
	char *name;
	struct ike_ts local, remote;
	enum ike_mode mode;
};
struct ike_connection {			/* read-only outside connection.c */
	unsigned references;
	char *name, *secret;
	uint8_t auth;			/* enum ike_auth_method */
	struct ike_host local;
	struct ike_hosts remote;
	struct ike_identity local_id, remote_id;
	uint16_t port, natt_port;
	struct ike_proposals ike, esp;
	unsigned compat;		/* bits of enum ike_compat */
	enum ike_start start;
	enum ike_encap encap;
	enum ike_unique unique;
	enum ike_on_dead on_dead;
	struct ike_connection_child *children;
	unsigned n_children;
	struct ike_retransmission established, setting_up;
	struct ike_renewal renewal;		/* hard values filled in */
	enum ike_pfs pfs;	/* already in `esp`: what it offers outside IKE_AUTH */
	ike_time dpd;
	uint16_t fragment;
	bool mobike, childless;
};

#endif
