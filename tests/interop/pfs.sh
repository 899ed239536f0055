#!/bin/bash
# ikevd and strongSwan: perfect forward secrecy of a Child SA, offered, asked for or left
# out by either of them.  Where they do not agree the first rekey shows it, and the tunnel
# goes on as it was.
# shellcheck source=../interop/lib.sh
. "$(dirname "$0")/lib.sh"
need jq
net_up

pair() { # PFS, STRONGSWAN'S ESP [ITS CHILDLESS]: both with that, and no SA
	: >"$tmp/berlin.log"
	gateway berlin passive "esp = \"${MY_ESP:-default}\"; pfs = \"$1\";"
	ESP=$2 swan_gateway
	sed -i "s/version = 2/&\nchildless = ${3:-never}/" "$tmp/paris.swan/swanctl.conf"
	anew
}
sa_id() {
	ctl berlin -j status paris | jq -r '.connections[0].sas[0].id'
}
has_group() { # GROUP, or "none"
	case $1 in
	none) swan_has paris berlin 'INSTALLED, .* ESP:AES_GCM_16-256$' ;;
	*) swan_has paris berlin "INSTALLED, .* ESP:AES_GCM_16-256/$1\$" ;;
	esac
}
from_swan() {
	swan paris --rekey --child berlin
	wait_for 2 swan_rekeyed
}
swan_rekeyed() {
	grep -qa 'outbound CHILD_SA .* established' "$tmp/paris.charon.log"
}
agree() { # TITLE GROUP: up, and made anew from either side without a loss
	local title=$1 id
	check "$title: up" ctl berlin up paris
	id=$(sa_id)
	numbers_begin "$IN_BERLIN" "$IN_PARIS"
	check "$title: rekey by ikevd" ctl berlin rekey paris --child paris
	check "$title: with $2" wait_for 2 has_group "$2"
	: >"$tmp/paris.charon.log"
	check "$title: rekey by strongSwan" from_swan
	check "$title: with $2 then" wait_for 2 has_group "$2"
	numbers_end
	check "$title: no packet is lost" nothing_lost
	check "$title: in the same IKE SA" test "$(sa_id)" = "$id"
}

# ---- offered ----
pair prefer aes256gcm16
agree "prefer, strongSwan without" none
pair prefer aes256gcm16-x25519
agree "prefer, strongSwan with X25519" CURVE_25519
pair prefer aes256gcm16-ecp256
agree "prefer, strongSwan with another group" ECP_256
pair prefer aes256gcm16-x25519,aes256gcm16
agree "prefer, strongSwan with either" CURVE_25519

# ---- asked for ----
pair require aes256gcm16-x25519
agree "require, strongSwan with X25519" CURVE_25519
pair require aes256gcm16-modp3072
agree "require, strongSwan with another group" MODP_3072
pair require aes256gcm16,aes256gcm16-x25519
agree "require, strongSwan with either" CURVE_25519

# ---- left out ----
pair off aes256gcm16
agree "off, strongSwan without" none
pair off aes256gcm16-x25519,aes256gcm16
agree "off, strongSwan with either" none

# ---- they do not agree ----
logged() {
	grep -qE -e "$1" "$tmp/berlin.log"
}
differ() { # TITLE PATTERN: the tunnel works, cannot be made anew, and goes on
	local title=$1 id
	id=$(sa_id)
	check "$title: rekey by ikevd fails" exits 1 ctl berlin rekey paris --child paris
	check "$title: and says why" says "$2" ctl berlin rekey paris --child paris
	check "$title: so does the log" logged "$2"
	swan paris --rekey --child berlin >/dev/null 2>&1
	check "$title: strongSwan cannot either" wait_for 2 \
		grep -qa 'CHILD_SA rekeying failed' "$tmp/paris.charon.log"
	check "$title: it is still up" is_up berlin paris
	check "$title: in the same IKE SA" test "$(sa_id)" = "$id"
}
pair off aes256gcm16-x25519
check "off, strongSwan asks for it: up" ctl berlin up paris
numbers_begin "$IN_BERLIN" "$IN_PARIS"
differ "off, strongSwan asks for it" pfs
numbers_end
check "off, strongSwan asks for it: no packet is lost" nothing_lost

pair require aes256gcm16
check "require, strongSwan without: up" ctl berlin up paris
numbers_begin "$IN_BERLIN" "$IN_PARIS"
differ "require, strongSwan without" pfs
numbers_end
check "require, strongSwan without: no packet is lost" nothing_lost

# With RFC 6023 at both ends it shows at once: the first Child SA has its own key exchange.
pair require aes256gcm16-x25519 allow
check "require, childless: up" ctl berlin up paris
check "require, childless: the first Child SA has it" has_group CURVE_25519
check "require, childless: packets both ways" both_ways 2
pair require aes256gcm16 allow
check "require, childless, strongSwan without: not up" exits 1 ctl berlin up paris
check "require, childless, strongSwan without: says why" says pfs ctl berlin up paris
check "ikevd still runs" alive berlin
finish
