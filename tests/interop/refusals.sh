#!/bin/bash
# ikevd and strongSwan: what they refuse each other, in both roles.  Whoever asked hears
# why, and no SA is left on either side.
# shellcheck source=../interop/lib.sh
. "$(dirname "$0")/lib.sh"
net_up

from_berlin() { # TITLE PATTERN...: what ikectl prints
	local title=$1 pattern rc=0
	shift
	ctl berlin up paris >"$tmp/said" 2>&1 || rc=$?
	check "$title: ikectl up fails" test $rc = 1
	for pattern; do
		check "$title: and says $pattern" says "$pattern" cat "$tmp/said"
	done
	check "$title: no SA on either side" no_sa
}
from_paris() { # TITLE PATTERN: what strongSwan hears
	: >"$tmp/paris.charon.log"
	check "$1: strongSwan cannot either" not swan_up paris berlin
	check "$1: and hears why" grep -q "$2" "$tmp/paris.charon.log"
	check "$1: no SA on either side then" no_sa
}
logged() { # TITLE PATTERN: so the person at berlin knows too
	check "$1: ikevd's log says $2" grep -q -e "$2" "$tmp/berlin.log"
}
fresh() {
	: >"$tmp/berlin.log"
	anew
}

gateway berlin passive
SECRET="what only paris knows" swan_gateway
fresh
from_berlin "wrong PSK" 'ours: .*gw\.berlin\.example' 'theirs: .*AUTHENTICATION_FAILED' 'paris\.psk'
from_paris "wrong PSK" AUTHENTICATION_FAILED
logged "wrong PSK" 'paris\.psk'
check "wrong PSK: the log does not hold it" not grep -q 'both know' "$tmp/berlin.log"

gateway berlin passive 'ike = [ "aes256gcm16-prfsha256-ecp256" ];'
IKE=aes256gcm16-prfsha256-modp2048 swan_gateway
fresh
from_berlin "no common IKE proposal" ecp256
from_paris "no common IKE proposal" NO_PROPOSAL_CHOSEN
logged "no common IKE proposal" ecp256
logged "no common IKE proposal" modp2048

gateway berlin passive
swan_gateway
sed -i 's/gw.berlin.example/gw.nobody.example/' "$tmp/berlin.conf"
fresh
from_berlin "an identity the peer does not know" 'gw\.nobody\.example'
from_paris "an identity the peer does not know" AUTHENTICATION_FAILED

# Without a common ESP proposal the IKE SA may stay, without a Child.
gateway berlin passive 'esp = [ "chacha20poly1305" ];'
ESP=aes256gcm16 swan_gateway
fresh
check "no common ESP proposal: ikectl up fails" exits 1 ctl berlin up paris
check "no common ESP proposal: strongSwan has no Child" not swan_has paris berlin INSTALLED
check "no common ESP proposal: and says why" says chacha20poly1305 ctl berlin up paris
check "no common ESP proposal: ikevd is not up" not is_up berlin paris
fresh
check "no common ESP proposal: strongSwan cannot either" not swan_up paris berlin
check "no common ESP proposal: and hears why" grep -q NO_PROPOSAL_CHOSEN "$tmp/paris.charon.log"
check "no common ESP proposal: ikevd has no Child" not is_up berlin paris
logged "no common ESP proposal" aes256gcm16

MINE='"10.1.1.0/24"' THEIRS='"10.2.1.0/24"' gateway berlin passive
swan_gateway
fresh
check "no common selectors: ikectl up fails" exits 1 ctl berlin up paris
check "no common selectors: and says why" says '10\.2\.1\.0/24' ctl berlin up paris
fresh
check "no common selectors: strongSwan cannot either" not swan_up paris berlin
check "no common selectors: and hears why" grep -q TS_UNACCEPT "$tmp/paris.charon.log"

# No refusal in the end: the first guess at the key exchange is not the one they agree on.
gateway berlin passive 'ike = [ "aes256gcm16-prfsha256-x25519-ecp256-modp2048" ];'
IKE=aes256gcm16-prfsha256-modp2048 swan_gateway
fresh
check "strongSwan wants another group: up" ctl berlin up paris
check "strongSwan wants another group: MODP 2048" swan_has paris berlin MODP_2048
gateway berlin passive 'ike = [ "aes256gcm16-prfsha256-modp2048" ];'
IKE=aes256gcm16-prfsha256-x25519-modp2048 swan_gateway
fresh
check "ikevd wants another group: up" swan_up paris berlin
check "ikevd wants another group: MODP 2048" swan_has paris berlin MODP_2048
check "ikevd still runs" alive berlin
finish
