#!/bin/bash
# ikevd demands a key exchange of each Child SA's own, and strongSwan grants none: that shows
# within a minute, or at once where the first Child SA comes by CREATE_CHILD_SA, is told with
# what would mend it, and loses neither the tunnel nor a packet.
# shellcheck source=../interop/lib.sh
. "$(dirname "$0")/lib.sh"
need jq
net_up
swan_gateway

told() { # how often the log explains it
	grep -c 'warning paris: the peer accepts none of our ESP proposals' "$tmp/berlin.log"
}
is_told() {
	[ "$(told)" -gt 0 ]
}
explains() { # COMMAND...: its output has both sides, the line, and the remedy
	local out
	out=$("$@" 2>&1)
	grep -q 'theirs: NO_PROPOSAL_CHOSEN' <<<"$out" && grep -q 'ours: .*x25519' <<<"$out" &&
		grep -qE 'berlin.conf:[0-9]+ says: pfs = "require";' <<<"$out" &&
		grep -q 'pfs = "prefer";' <<<"$out" && return
	echo "$out"
	return 1
}
session() { # the IKE SA and its Child SA
	ctl berlin -j status paris | jq -c '.connections[0].sas |
		map([.spi_i, (.children | map(.spi_in))])'
}

# ---- the probe ----
gateway berlin passive 'pfs = "require"; childless = false;'
anew
check "up, for the first Child SA has none anyway" ctl berlin up paris
before=$(session)
numbers_begin $IN_BERLIN $IN_PARIS
check "within a minute the log tells" wait_for 62 is_told
check "what, where and how to mend it" explains cat "$tmp/berlin.log"
check "status does, too" explains ctl berlin status paris
sleep 8
check "once" test "$(told)" = 1
check "the tunnel is the same" test "$(session)" = "$before"
check "a rekey by hand is refused, and told why" explains ctl berlin rekey paris
check "the tunnel is still the same" test "$(session)" = "$before"
numbers_end
check "no packet was lost" nothing_lost

# ---- when it must be rekeyed ----
gateway berlin passive 'pfs = "require"; childless = false;
	rekey = { child = "12s"; jitter = "0%"; }; expire = { child = "25s"; };'
anew
check "lifetimes of seconds: up" ctl berlin up paris
numbers_begin $IN_BERLIN $IN_PARIS
sleep 45
numbers_end
check "lifetimes of seconds: no packet was lost" nothing_lost
check "lifetimes of seconds: the log tells why" is_told
check "lifetimes of seconds: not more than once each" test "$(told)" -le 5
check "lifetimes of seconds: fresh keys came by new IKE SAs" \
	test "$(grep -c 'IKE SA is up' "$tmp/berlin.log")" -ge 3
check "lifetimes of seconds: no Child SA has expired" not grep -q 'lifetime is over' \
	"$tmp/berlin.log"

# ---- by CREATE_CHILD_SA from the beginning ----
gateway berlin passive 'pfs = "require";'
anew
check "childless: shown at once" explains ctl berlin up paris
finish
