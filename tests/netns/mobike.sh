#!/bin/bash
# Two ikevds, of which the one that has called changes its address, once and again: the Child
# SA goes along with its keys, and packets are lost only while there is no way.  Behind a NAT
# that was not there before ESP goes into UDP.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need nft jq
net_up

readdress() { # FROM TO: as when a host leaves one network and joins another
	on berlin ip addr del "$1/24" dev wan
	on berlin ip addr add "$2/24" dev wan
	on berlin ip route replace default via 192.0.2.254
}

spis() { # NODE CONNECTION: of its IKE SA and Child SAs
	ctl "$1" -j status "$2" | jq -c '.connections[0].sas |
		map([.id, .spi_i, .spi_r, (.children | map([.spi_in, .spi_out]))])'
}

remembers() {
	here=$(spis berlin paris) there=$(spis paris berlin)
}

still() { # the same SAs as remembered, and no others
	[ "$(spis berlin paris)" = "$here" ] && [ "$(spis paris berlin)" = "$there" ] && return
	printf '%s\n' "$here" "$(spis berlin paris)" "$there" "$(spis paris berlin)"
	return 1
}

moved_to() { # ADDRESS, as a pattern: paris sees berlin there
	ctl paris -j status berlin | jq -r '.connections[0].sas[0].remote_address' | grep -qE "^$1"
}

lost_at_most() { # PACKETS, of both ways together; after numbers_end
	awk -v most="$1" '/^flow/ { sent += $5; lost += $7; twice += $9 }
		END { exit !(sent > 100 && lost <= most && twice == 0) }' "$tmp/account" && return
	cat "$tmp/account"
	return 1
}

gateway berlin passive
PEER=any gateway paris passive
start berlin paris
check "up" ctl berlin up paris
check "packets both ways" both_ways 2
remembers
numbers_begin $IN_BERLIN $IN_PARIS
from=$BERLIN
for to in 192.0.2.9 192.0.2.77 $BERLIN; do
	sleep 0.3
	readdress "$from" "$to"
	check "seen at $to" wait_for 5 moved_to "$to"
	from=$to
done
sleep 0.3
numbers_end
check "packets go on" lost_at_most 400
check "the SAs stay" still
check "packets both ways after all that" both_ways 5

# No address at all for a while, and other requests of ours meanwhile.
on berlin ip addr del "$BERLIN/24" dev wan
ctl berlin rekey paris >/dev/null 2>&1 &
sleep 1.5
on berlin ip addr add 192.0.2.9/24 dev wan
on berlin ip route replace default via 192.0.2.254
check "back after a while" wait_for 10 moved_to 192.0.2.9
check "back after a while: packets both ways" wait_for 5 both_ways 5
wait $!
check "back after a while: the IKE SA stays" \
	test "$(ctl berlin -j status paris | jq '.connections[0].sas[0].id')" = \
	"$(jq '.[0][0]' <<<"$here")"
check "down, from there" ctl berlin down paris
check "closed at paris" wait_for 2 not is_up paris berlin
readdress 192.0.2.9 $BERLIN

# ---- where a NAT is, and where none is ----

stop berlin
stop paris
gateway berlin passive 'encap = "auto";'
PEER=any gateway paris passive 'encap = "auto";'
start berlin paris
check "native: up" ctl berlin up paris
check "native: packets both ways" both_ways 2
check "native: not in UDP" status_is berlin paris '.sas[0].children[0].encapsulated == false'
remembers
on router nft -f - <<-X
	table ip nat {
		chain out {
			type nat hook postrouting priority srcnat;
			iifname berlin oifname paris ip saddr 192.0.2.9 masquerade
		}
	}
X
readdress $BERLIN 192.0.2.9
check "NAT: seen there" wait_for 5 moved_to 203.0.113.254
check "NAT: in UDP here" wait_for 2 \
	status_is berlin paris '.sas[0].children[0].encapsulated and .sas[0].nat == "local"'
check "NAT: in UDP there" \
	status_is paris berlin '.sas[0].children[0].encapsulated and .sas[0].nat == "remote"'
check "NAT: packets both ways" wait_for 2 both_ways 5
check "NAT: the SAs stay" still
readdress 192.0.2.9 $BERLIN
check "no NAT: seen there" wait_for 5 moved_to $BERLIN
check "no NAT: packets both ways" wait_for 2 both_ways 5
check "no NAT: found" status_is berlin paris '.sas[0].nat == "none"'
check "no NAT: the SAs stay" still
check "no secret in the logs" not grep -q "what berlin and paris both know" \
	"$tmp/berlin.log" "$tmp/paris.log"
check "berlin still runs" alive berlin
check "paris still runs" alive paris
finish
