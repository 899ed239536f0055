#!/bin/bash
# When a tunnel comes up by itself: start = "on-demand", "always" and "passive".
# shellcheck source=../netns/lib.sh
. "$(dirname "$0")/lib.sh"
need jq
net_up
one_sa() { # NODE CONNECTION
	ctl "$1" -j status "$2" | tee "$tmp/status" |
		jq -e '.connections[0].sas | length == 1' >/dev/null && return
	cat "$tmp/status"
	return 1
}

gateway berlin on-demand
gateway paris passive
start berlin paris
sleep 0.3
check "on-demand waits for a packet" not is_up berlin paris
capture
check "the first packets bring it up and none is lost" probe berlin "$IN_BERLIN" "$IN_PARIS" 5
check "berlin says up" is_up berlin paris
check "paris says up" is_up paris berlin
check "the other way" probe paris "$IN_PARIS" "$IN_BERLIN" 3
captured
check "nothing left in the clear meanwhile" sealed
check "down" exits 0 ctl berlin down paris
check "and the next packet brings it up again" probe berlin "$IN_BERLIN" "$IN_PARIS" 2
add_desk
check "down once more" exits 0 ctl berlin down paris
check "a packet from behind berlin does it too" probe desk 10.1.0.2 "$IN_PARIS" 3

check "berlin stops" stop berlin
check "paris hears of it" wait_for 3 not is_up paris berlin
check "paris stops" stop paris

gateway berlin always
start paris
start berlin
check "always comes up by itself" wait_for 5 is_up berlin paris
check "and carries" both_ways 3
check "paris stops for a while" stop paris
check "berlin sees it go" wait_for 3 not is_up berlin paris
start paris
check "it comes back by itself" wait_for 15 is_up berlin paris
check "and carries again" both_ways 3
stop paris KILL
start paris
check "a peer that died calls again: up" ctl paris up berlin
check "a peer that died calls again: packets both ways" wait_for 5 both_ways 2
check "a peer that died calls again: its old SA is gone" one_sa berlin paris

check "berlin stops again" stop berlin
check "paris stops again" stop paris
gateway berlin always
start berlin
sleep 0.5
start paris
check "always does not give up on a peer that starts late" wait_for 15 is_up berlin paris
check "and carries then" both_ways 2
check "berlin stops once more" stop berlin
check "paris stops once more" stop paris

# Both ends want it, and both begin at the same moment.
gateway berlin always
gateway paris always
start berlin paris
check "both at once: berlin is up" wait_for 5 is_up berlin paris
check "both at once: paris is up" wait_for 5 is_up paris berlin
check "both at once: packets both ways" both_ways 20
check "berlin stops after that" stop berlin
check "paris stops after that" stop paris

gateway berlin always
gateway paris passive
start paris berlin
check "always, once more" wait_for 5 is_up berlin paris
check "always, taken down" ctl berlin down paris
check "stays down" not wait_for 1 is_up berlin paris

# The router swallows everything for a while: what is lost is sent again.
on router nft -f - <<X
	table inet hole {
		chain c { type filter hook forward priority 0; policy drop; }
	}
X
(sleep 0.8 && on router nft delete table inet hole) &
check "a path that comes late: up" ctl berlin up paris
check "a path that comes late: packets both ways" wait_for 2 both_ways 2
finish
