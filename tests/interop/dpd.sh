#!/bin/bash
# ikevd asks a silent strongSwan whether it is there, and only a silent one; and does as it is
# told with one that is dead.
# shellcheck source=../interop/lib.sh
. "$(dirname "$0")/lib.sh"
need jq
net_up
swan_gateway

# A peer that says nothing is dead after 1 s of silence and four copies: 0.2 + 0.3 + 0.45 +
# 0.675 s.  What it takes to see that comes on top.
quick='dpd = "1s"; retransmit = { first = "200ms"; factor = "1.5"; most = "1s"; tries = 4; };'
NOTICED=4

asked() { # liveness checks that strongSwan has answered so far
	grep -c 'parsed INFORMATIONAL request [0-9]* \[ \]' "$tmp/paris.charon.log"
}

asked_since() { # COUNT TIMES: more often than that
	[ "$(asked)" -ge $(($1 + $2)) ]
}

dies() { # strongSwan, without a word
	stop paris KILL
	true
}

comes_back() {
	swan_start paris
}

sas() { # how many IKE SAs ikevd has
	ctl berlin -j status paris | jq '.connections[0].sas | length'
}

gateway berlin passive "$quick"' on_dead = "drop";'
anew
check "up" ctl berlin up paris
n=$(asked)
check "a silent peer is asked, again and again" wait_for 5 asked_since "$n" 3
check "and is alive" both_ways 2
n=$(asked)
on berlin ping -n -q -i 0.2 -c 20 -I $IN_BERLIN $IN_PARIS >/dev/null
check "one that sends ESP is not asked" not asked_since "$n" 1
check "still the same SA" test "$(sas)" = 1

dies
check "drop: noticed in time" wait_for $NOTICED not is_up berlin paris
comes_back
sleep 2
check "drop: and left alone" test "$(sas)" = 0
check "drop: until somebody asks" ctl berlin up paris
check "drop: packets both ways" both_ways 2

gateway berlin passive "$quick"' on_dead = "restart";'
anew
check "restart: up" ctl berlin up paris
dies
check "restart: noticed in time" wait_for $NOTICED not is_up berlin paris
comes_back
check "restart: up again by itself" wait_for 20 is_up berlin paris
check "restart: packets both ways" wait_for 2 both_ways 2

gateway berlin on-demand "$quick"
anew
check "on-demand: no packet is lost" probe berlin $IN_BERLIN $IN_PARIS 3
dies
check "on-demand: noticed in time" wait_for $NOTICED not is_up berlin paris
comes_back
sleep 2
check "on-demand: no call without a packet" test "$(sas)" = 0
check "on-demand: no packet is lost then" probe berlin $IN_BERLIN $IN_PARIS 3

gateway berlin always "$quick"
anew
check "always: up" wait_for 5 is_up berlin paris
dies
check "always: noticed in time" wait_for $NOTICED not is_up berlin paris
comes_back
check "always: up again by itself" wait_for 20 is_up berlin paris
check "always: packets both ways" wait_for 2 both_ways 2

# The other way round: strongSwan asks, and ikevd answers.
gateway berlin passive 'dpd = "0";'
sed -i 's/version = 2/&\n\t\t\tdpd_delay = 1s/' "$tmp/paris.swan/swanctl.conf"
anew
check "strongSwan asks: up" swan_up paris berlin
check "strongSwan asks: and is answered" wait_for 5 \
	eval "[ \$(grep -c 'parsed INFORMATIONAL response [0-9]* \\[ \\]' $tmp/paris.charon.log) -ge 3 ]"
stop berlin KILL
check "strongSwan asks: a dead ikevd is noticed" wait_for 20 swan_empty paris
start berlin
check "ikevd still runs" alive berlin
finish
