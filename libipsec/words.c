/* Names and sentences of the public codes. */
#include "libipsec/ipsec.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct { const char *name, *text; } errors[] = {
	[IPSEC_OK] = { "ok", "nothing is wrong" },
	[IPSEC_INVALID] = { "invalid",
	    "an argument makes no sense: correct the address, port or length" },
	[IPSEC_NO_MEMORY] = { "no memory",
	    "memory, or the cryptographic library, failed: try again later" },
	[IPSEC_NOT_CONNECTED] = { "not connected",
	    "there is no tunnel: connect, and wait for it to be up" },
	[IPSEC_BUSY] = { "busy",
	    "it is connected, connecting or bound already: shut it down first" },
	[IPSEC_SHUT_DOWN] = { "shut down",
	    "it was shut down: make a new one" },
	[IPSEC_NO_SOCKET] = { "no socket",
	    "the UDP socket could not be opened or bound: choose another address or "
	    "port" },
	[IPSEC_AGAIN] = { "again",
	    "not now: wait for the socket or the peer, then try again" },
	[IPSEC_TOO_BIG] = { "too big",
	    "the packet is longer than the path, or the buffer: ask for the mtu" },
	[IPSEC_MALFORMED] = { "malformed",
	    "this is not an IP packet: begin with an IPv4 or IPv6 header" },
	[IPSEC_SELECTORS] = { "selectors",
	    "the packet is outside the traffic selectors of the tunnel: look at its "
	    "addresses" },
	[IPSEC_SPENT] = { "spent",
	    "the keys have reached the end of their life: rekey earlier" },
	[IPSEC_NO_ANSWER] = { "no answer",
	    "nobody answers at that address and port: is the peer there, and does a "
	    "firewall pass UDP?" },
	[IPSEC_NO_PROPOSAL] = { "no proposal",
	    "the two sides have no set of algorithms in common: give both one that they "
	    "share" },
	[IPSEC_AUTH_FAILED] = { "authentication failed",
	    "one side is not who it should be: compare the secrets and identities of "
	    "both" },
	[IPSEC_NO_SELECTORS] = { "no selectors",
	    "there is no traffic that both sides want protected: compare the traffic "
	    "selectors" },
	[IPSEC_UNRESOLVED] = { "unresolved",
	    "the host name has no address, or nobody looks it up: use an address, or "
	    "attach to a libevent base" },
	[IPSEC_REFUSED] = { "refused",
	    "the peer or this side refused: the event before says why" },
	[IPSEC_PEER_DEAD] = { "peer dead",
	    "the tunnel was up and the peer fell silent: connect again" },
	[IPSEC_PEER_CLOSED] = { "peer closed", "the peer has closed the tunnel" },
	[IPSEC_EXPIRED] = { "expired",
	    "the tunnel has reached its hard lifetime, since it could not be rekeyed" },
	[IPSEC_CANCELLED] = { "cancelled", "this side has closed the tunnel" },
};

static const char *const faults[] = {
	[IPSEC_FAULT_MISSING] = "missing", [IPSEC_FAULT_IDENTITY] = "identity",
	[IPSEC_FAULT_SECRET] = "secret", [IPSEC_FAULT_PROPOSAL] = "proposal",
	[IPSEC_FAULT_SELECTOR] = "selector", [IPSEC_FAULT_FAMILY] = "family",
	[IPSEC_FAULT_DUPLICATE] = "duplicate", [IPSEC_FAULT_ADDRESS] = "address",
	[IPSEC_FAULT_LIFETIME] = "lifetime",
	[IPSEC_FAULT_RETRANSMISSION] = "retransmission", [IPSEC_FAULT_RANGE] = "range",
	[IPSEC_FAULT_NO_MEMORY] = "no memory",
};

static const char *const events[] = {
	[IPSEC_EVENT_CONNECTING] = "connecting", [IPSEC_EVENT_UP] = "up",
	[IPSEC_EVENT_REKEYED] = "rekeyed", [IPSEC_EVENT_MOVED] = "moved",
	[IPSEC_EVENT_REFUSED] = "refused", [IPSEC_EVENT_FAILED] = "failed",
	[IPSEC_EVENT_DOWN] = "down", [IPSEC_EVENT_SHUT_DOWN] = "shut down",
};

const char *
ipsec_error_name(enum ipsec_error error)
{
	return (unsigned)error < COUNT(errors) ? errors[error].name : "unknown error";
}

const char *
ipsec_error_text(enum ipsec_error error)
{
	return (unsigned)error < COUNT(errors) ? errors[error].text : "unknown error";
}

const char *
ipsec_fault_name(enum ipsec_fault_code code)
{
	return (unsigned)code < COUNT(faults) ? faults[code] : "unknown fault";
}

const char *
ipsec_event_name(enum ipsec_event_type type)
{
	return (unsigned)type < COUNT(events) ? events[type] : "unknown event";
}
