#!/bin/bash
# MOBIKE with strongSwan, in both roles: who began the tunnel changes its address, or a NAT
# before it changes its mind, and the tunnel goes on there.  strongSwan's ESP in userspace
# cannot move a Child SA and rekeys it instead; that ikevd's moves is shown by netns/mobike.sh.
# shellcheck source=../interop/lib.sh
. "$(dirname "$0")/lib.sh"
need nft jq
net_up

ELSEWHERE=192.0.2.9 PARIS_ELSEWHERE=203.0.113.9

readdress() { # NODE FROM TO: as when a host leaves one network and joins another
	on "$1" ip addr del "$2/24" dev wan
	on "$1" ip addr add "$3/24" dev wan
	on "$1" ip route replace default via "${3%.*}.254"
}

lost_at_most() { # PACKETS, of both ways together; after numbers_end
	awk -v most="$1" '/^flow/ { sent += $5; lost += $7 }
		END { exit !(sent > 100 && lost <= most) }' "$tmp/account" && return
	cat "$tmp/account"
	return 1
}

session() { # the IKE SAs by their names
	ctl berlin -j status paris | jq -c '.connections[0].sas | map(.id)'
}

keeps() { # SESSION: it is the same that it was
	[ "$1" != "[]" ] && [ "$(session)" = "$1" ]
}

swan_sees() { # ADDRESS OF ikevd, as a pattern
	swan_has paris berlin "gw.berlin.example' @ $1"
}

ikevd_sees() { # ADDRESS OF strongSwan, as a pattern
	ctl berlin -j status paris | jq -r '.connections[0].sas[0].remote_address' | grep -qE "$1"
}

logged() { # PATTERN: strongSwan has said so
	grep -qE -e "$1" "$tmp/paris.charon.log"
}

# ---- ikevd has called, and moves ----

PEER=%any swan_gateway
gateway berlin passive
anew
check "ikevd: up" ctl berlin up paris
check "ikevd: strongSwan speaks MOBIKE" logged 'N\(MOBIKE_SUP\)'
check "ikevd: packets both ways" both_ways 2
sa=$(session)
numbers_begin $IN_BERLIN $IN_PARIS
sleep 0.5
readdress berlin $BERLIN $ELSEWHERE
check "ikevd moves: strongSwan sees it there" wait_for 5 swan_sees $ELSEWHERE
sleep 0.5
numbers_end
check "ikevd moves: packets go on" lost_at_most 150
check "ikevd moves: the IKE SA stays" keeps "$sa"
check "ikevd moves: packets both ways" both_ways 5
check "ikevd moves: strongSwan has had no other SA" not logged 'IKE_SA berlin\[2\]'
capture
check "ikevd moves back" eval "readdress berlin $ELSEWHERE $BERLIN; wait_for 5 swan_sees $BERLIN"
check "ikevd moves back: packets both ways" wait_for 2 both_ways 5
captured
check "ikevd moves back: only IKE and ESP on the wire" sealed
check "ikevd moves back: the IKE SA stays" keeps "$sa"
check "ikevd: down, from its new place" ctl berlin down paris
check "ikevd: strongSwan has closed" wait_for 2 swan_empty paris

# ---- a NAT before ikevd changes its mapping ----

hide() { # PORTS: berlin is behind the router, and its packets come from these
	on router nft -f - <<-X
		flush ruleset
		table ip nat {
			chain out {
				type nat hook postrouting priority srcnat;
				iifname berlin oifname paris ip protocol udp masquerade to :$1
			}
		}
	X
}

another_mapping() { # PORTS; what the router remembers goes with the old rules and its flows
	on router sysctl -qw net.netfilter.nf_conntrack_udp_timeout=1 \
		net.netfilter.nf_conntrack_udp_timeout_stream=1
	sleep 2
	hide "$1"
}

gateway berlin passive 'encap = "auto"; dpd = "3s";'
hide 20000-29999
anew
check "NAT: up" ctl berlin up paris
check "NAT: strongSwan sees its port" swan_sees '203.0.113.254\[2[0-9]{4}\]'
check "NAT: packets both ways" both_ways 2
sa=$(session)
another_mapping 40000-49999
check "NAT: a liveness check finds the new mapping" \
	wait_for 15 swan_sees '203.0.113.254\[4[0-9]{4}\]'
check "NAT: packets both ways again" wait_for 2 both_ways 5
check "NAT: the IKE SA stays" keeps "$sa"
check "NAT: down" ctl berlin down paris
check "NAT: strongSwan has closed" wait_for 2 swan_empty paris
on router nft flush ruleset

# ---- strongSwan has called, and moves ----

OUTER=%any swan_gateway
PEER=any gateway berlin passive
anew
check "strongSwan: up" swan_up paris berlin
check "strongSwan: packets both ways" both_ways 2
check "strongSwan: ikevd sees it" ikevd_sees $PARIS
sa=$(session)
numbers_begin $IN_BERLIN $IN_PARIS
sleep 0.5
readdress paris $PARIS $PARIS_ELSEWHERE
check "strongSwan moves: ikevd sees it there" wait_for 10 ikevd_sees $PARIS_ELSEWHERE
check "strongSwan moves: it was asked for a cookie" wait_for 2 logged 'request.*N\(COOKIE2\)'
sleep 0.5
numbers_end
check "strongSwan moves: packets go on" lost_at_most 150
check "strongSwan moves: the IKE SA stays" keeps "$sa"
check "strongSwan moves: packets both ways" both_ways 5
check "strongSwan: down, from its new place" swan_down paris berlin
check "strongSwan: ikevd has closed" wait_for 2 not is_up berlin paris
check "ikevd still runs" alive berlin
finish
