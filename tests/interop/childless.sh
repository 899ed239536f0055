#!/bin/bash
# ikevd and strongSwan: an IKE SA without a Child SA, RFC 6023, allowed, asked for and refused
# by either; the first Child SA then comes by CREATE_CHILD_SA.
# shellcheck source=../interop/lib.sh
. "$(dirname "$0")/lib.sh"
need jq
net_up

pair() { # CHILDLESS OF STRONGSWAN [FURTHER KEYS OF IKEVD]
	gateway berlin passive "${2-}"
	swan_gateway
	sed -i "s/version = 2/&\nchildless = $1/" "$tmp/paris.swan/swanctl.conf"
	anew
}
# What strongSwan says of the IKE_AUTH request, its own or ours.
auth_has_sa() {
	grep -aE '(parsed|generating) IKE_AUTH request' "$tmp/paris.charon.log" | grep -q ' SA '
}
childless_it_was() {
	grep -qaE '(parsed|generating) IKE_AUTH request' "$tmp/paris.charon.log" &&
		grep -qaE '(parsed|generating) CREATE_CHILD_SA request' "$tmp/paris.charon.log" &&
		! auth_has_sa
}
carries() { # TITLE
	check "$1: packets both ways" wait_for 2 both_ways 2
	check "$1: one IKE SA" test "$(swan_sas paris | grep -c ESTABLISHED)" = 1
	check "$1: one Child SA" test "$(swan_sas paris | grep -c INSTALLED)" = 1
}

# ---- strongSwan begins ----
pair force
check "strongSwan asks for it: up" swan_up paris berlin
check "strongSwan asks for it: childless it was" childless_it_was
carries "strongSwan asks for it"
check "strongSwan asks for it: it closes the Child SA" \
	swan paris --terminate --child berlin --timeout 5
check "strongSwan asks for it: and makes another in the same IKE SA" swan_up paris berlin
carries "strongSwan asks for it, again"

pair allow 'childless = false;'
check "ikevd has none of it: up" swan_up paris berlin
check "ikevd has none of it: with the Child SA" auth_has_sa
carries "ikevd has none of it"

pair force 'childless = false;'
check "ikevd has none, strongSwan insists: not up" not swan_up paris berlin
check "ikevd has none, strongSwan insists: it says why" \
	grep -qa 'does not support childless' "$tmp/paris.charon.log"
check "ikevd has none, strongSwan insists: no SA is left" no_sa

# ---- ikevd begins: childless when it asks for perfect forward secrecy ----
pair allow 'esp = "aes256gcm16"; pfs = "off";'
check "ikevd begins: up" ctl berlin up paris
check "ikevd begins: with the Child SA" auth_has_sa
carries "ikevd begins"

ESP=aes256gcm16-x25519 pair allow 'pfs = "require";'
check "ikevd wants it for PFS: up" ctl berlin up paris
check "ikevd wants it for PFS: childless it was" childless_it_was
carries "ikevd wants it for PFS"

ESP=aes256gcm16-x25519 pair force 'pfs = "require";'
check "strongSwan insists, ikevd begins: up" ctl berlin up paris
check "strongSwan insists, ikevd begins: childless it was" childless_it_was
carries "strongSwan insists, ikevd begins"

ESP=aes256gcm16-x25519 pair never 'pfs = "require";'
check "strongSwan has none of it: up" ctl berlin up paris
check "strongSwan has none of it: with the Child SA" auth_has_sa
carries "strongSwan has none of it"

check "ikevd still runs" alive berlin
finish
