#!/bin/bash
# Fail closed (T93): without a tunnel the sender is told and nothing goes out in the clear;
# what comes in the clear is dropped, with a tunnel and without one.
# shellcheck source=../netns/lib.sh
. "$(dirname "$0")/lib.sh"
net_up
add_desk
check "without ikevd the inner networks reach each other" both_ways 1

gateway berlin always
start berlin		# and nobody answers in paris
told() { # NODE FROM TO: the answer is an error, not silence
	says 'nreachable|rohibited|No route|not permitted|filtered' \
		on "$1" ping -n -c 2 -i 0.2 -W 1 -p 6c65616b -I "$2" "$3"
}
capture
check "no tunnel: berlin itself is told" told berlin "$IN_BERLIN" "$IN_PARIS"
check "no tunnel: a host behind berlin is told" told desk 10.1.0.2 "$IN_PARIS"
check "no tunnel: nothing is answered" silence desk 10.1.0.2 "$IN_PARIS"
captured
check "no inner packet in the clear" no_inner_byte

# The router plays the thief: it owns an inner address of paris and sends from it.
thief() { # NODE TO: how many of 3 pings NODE accepted
	local before
	before=$(echoes_in "$1")
	on router ping -n -q -c 3 -i 0.02 -W 0.2 -w 1 -I "$IN_PARIS" "$2" >/dev/null 2>&1
	echo $(($(echoes_in "$1") - before))
}
ip -n "$(ns router)" addr add $IN_PARIS/32 dev lo
check "no tunnel: what comes in the clear to berlin is dropped" \
	test "$(thief berlin "$IN_BERLIN")" = 0
check "no tunnel: what comes in the clear for the desk is dropped" \
	test "$(thief desk 10.1.0.2)" = 0
ip -n "$(ns router)" addr del $IN_PARIS/32 dev lo

gateway paris passive
start paris
check "the tunnel comes up" wait_for 15 is_up berlin paris
check "and carries" both_ways 3
check "for the desk too" probe desk 10.1.0.2 "$IN_PARIS" 3
ip -n "$(ns router)" addr add $IN_PARIS/32 dev lo
check "tunnel: what comes in the clear to berlin is dropped" \
	test "$(thief berlin "$IN_BERLIN")" = 0
check "tunnel: what comes in the clear for the desk is dropped" \
	test "$(thief desk 10.1.0.2)" = 0
ip -n "$(ns router)" addr del $IN_PARIS/32 dev lo

# A packet that the selectors do not cover is nobody's business and goes its usual way.
ip -n "$(ns berlin)" addr add 10.1.8.1/24 dev lan
ip -n "$(ns router)" route add 10.1.8.0/24 via $BERLIN
check "what no selector covers is left alone" probe berlin $BERLIN $PARIS 2

capture
check "down" exits 0 ctl berlin down paris
check "after down: the sender is told" told berlin "$IN_BERLIN" "$IN_PARIS"
check "after down: nothing is answered" silence berlin "$IN_BERLIN" "$IN_PARIS"
captured
check "after down: no inner packet in the clear" no_inner_byte

check "berlin stops" stop berlin
ip -n "$(ns router)" addr add $IN_PARIS/32 dev lo
check "without ikevd the thief would get through" test "$(thief berlin "$IN_BERLIN")" = 3
finish
