#!/bin/bash
# ikevd and strongSwan with the router as a NAT between them: it masquerades one side behind
# ports of its own, and forwards what comes to it from the other, so that each side is behind
# it in both roles.
# shellcheck source=../interop/lib.sh
. "$(dirname "$0")/lib.sh"
need nft jq
net_up
ROUTER_TO_PARIS=203.0.113.254 ROUTER_TO_BERLIN=192.0.2.254

hide() { # NODE OTHER: hides NODE from OTHER; what OTHER sends to the router is for NODE
	local node=$1 other=$2 address
	[ "$node" = berlin ] && address=$BERLIN || address=$PARIS
	on router nft -f - <<-X
		flush ruleset
		table ip nat {
			chain in {
				type nat hook prerouting priority dstnat;
				iifname $other fib daddr type local udp dport { 500, 4500 } dnat to $address
			}
			chain out {
				type nat hook postrouting priority srcnat;
				iifname $node oifname $other ip protocol udp masquerade to :20000-29999
			}
		}
	X
}
nat_is() { # PATTERN: what ikevd says of NAT
	says "^($1)\$" eval "ctl berlin -j status paris | jq -r '.connections[0].sas[0].nat'"
}
peer_is() { # PATTERN: where ikevd sees strongSwan
	says "^$1\$" eval "ctl berlin -j status paris | jq -r '.connections[0].sas[0].remote_address'"
}
# ESP has to be in UDP, from the ports that the NAT has chosen; IKE too, after IKE_SA_INIT.
seen_from() { # ADDRESS: what the captured side, berlin's, sees of the other
	test "$(packets "src host $1 and udp port 4500")" -ge 4 &&
		test "$(packets "ip proto 50")" = 0
}

# Who is hidden calls first.  The router remembers flows for a while: when the other one calls
# then, its ports may have to be others, too, so that both sides are behind a NAT.

# ---- ikevd is hidden ----

PEER=$PARIS gateway berlin passive 'encap = "auto";'
PEER=$ROUTER_TO_PARIS swan_gateway
hide berlin paris
anew
capture
check "ikevd behind NAT calls: up" ctl berlin up paris
check "ikevd behind NAT calls: strongSwan sees the NAT's address and port" \
	swan_has paris berlin "gw.berlin.example' @ 203.0.113.254\[2[0-9]{4}\]"
check "ikevd behind NAT calls: status shows NAT here" nat_is 'local|both'
check "ikevd behind NAT calls: ikectl says so" says 'behind a NAT here' ctl berlin status
check "ikevd behind NAT calls: packets both ways" both_ways 5
check "ikevd behind NAT calls: counted by strongSwan" swan_carried paris berlin
captured
check "ikevd behind NAT calls: only IKE and ESP on the wire" sealed
check "ikevd behind NAT calls: all in UDP" seen_from "$PARIS"
check "ikevd behind NAT calls: down" ctl berlin down paris
check "ikevd behind NAT calls: strongSwan has closed" wait_for 2 swan_empty paris

check "ikevd behind NAT is called: up" swan_up paris berlin
check "ikevd behind NAT is called: status shows NAT here" nat_is 'local|both'
check "ikevd behind NAT is called: packets both ways" both_ways 5
check "ikevd behind NAT is called: counted by strongSwan" swan_carried paris berlin
check "ikevd behind NAT is called: down" swan_down paris berlin
check "ikevd behind NAT is called: ikevd has closed" wait_for 2 not is_up berlin paris

# ---- strongSwan is hidden ----

PEER=any gateway berlin passive 'encap = "auto";'
swan_gateway
hide paris berlin
anew
capture
check "strongSwan behind NAT calls: up" swan_up paris berlin
check "strongSwan behind NAT calls: status shows the peer's NAT" nat_is remote
check "strongSwan behind NAT calls: and its address and port" peer_is '192.0.2.254.*2[0-9]{4}'
check "strongSwan behind NAT calls: packets both ways" both_ways 5
check "strongSwan behind NAT calls: counted by strongSwan" swan_carried paris berlin
captured
check "strongSwan behind NAT calls: only IKE and ESP on the wire" sealed
check "strongSwan behind NAT calls: from the NAT's ports" test \
	"$(packets "src host $ROUTER_TO_BERLIN and udp src portrange 20000-29999")" -ge 10
check "strongSwan behind NAT calls: down" swan_down paris berlin
check "strongSwan behind NAT calls: ikevd has closed" wait_for 2 not is_up berlin paris

PEER=$ROUTER_TO_BERLIN gateway berlin passive 'encap = "auto";'
anew
capture
check "strongSwan behind NAT is called: up" ctl berlin up paris
check "strongSwan behind NAT is called: it sees NAT too" says 'NAT|nat' cat "$tmp/paris.charon.log"
check "strongSwan behind NAT is called: status shows the peer's NAT" nat_is 'remote|both'
check "strongSwan behind NAT is called: and its address" peer_is '192.0.2.254.*'
check "strongSwan behind NAT is called: packets both ways" both_ways 5
check "strongSwan behind NAT is called: counted by strongSwan" swan_carried paris berlin
captured
check "strongSwan behind NAT is called: only IKE and ESP on the wire" sealed
check "strongSwan behind NAT is called: all in UDP" seen_from "$ROUTER_TO_BERLIN"
check "strongSwan behind NAT is called: down" ctl berlin down paris
check "strongSwan behind NAT is called: strongSwan has closed" wait_for 2 swan_empty paris

# ---- without NAT, to see that the question can be answered otherwise ----

on router nft flush ruleset
gateway berlin passive 'encap = "auto";'
anew
check "no NAT: up" ctl berlin up paris
check "no NAT: strongSwan sees ikevd itself" swan_has paris berlin "gw.berlin.example' @ 192.0.2.1\["
check "no NAT: none here" nat_is 'none|remote'
check "no NAT: ikevd sees strongSwan itself" peer_is '203.0.113.7.*'
check "no NAT: packets both ways" both_ways 5
check "ikevd still runs" alive berlin
finish
