#!/bin/bash
# The questions that the other tests ask can be answered with no: without any ikevd every one
# of them about a tunnel has to fail, and what counts is counted.
# shellcheck source=../netns/lib.sh
. "$(dirname "$0")/lib.sh"
net_up
add_desk

check "the ground carries IPv4" both_ways 2
check "the ground carries IPv6" both_ways6 2
check "the desk is behind berlin" probe desk 10.1.0.2 "$IN_PARIS" 2
check "the outer addresses reach each other" probe berlin "$BERLIN" "$PARIS" 2
check "nobody answers for an address that is not there" not probe berlin "$IN_BERLIN" 10.2.0.99 1 -W 0.2
check "silence is not what berlin hears" not silence berlin "$IN_BERLIN" "$IN_PARIS"
check "silence is what nobody's address gives" silence berlin "$IN_BERLIN" 10.2.0.99

capture
both_ways 1 >/dev/null
captured
check "a clear packet is neither IKE nor ESP" not only_ike_and_esp
check "a clear packet shows its insides" not no_inner_byte
check "a clear packet is no sealed one" not sealed
check "four packets were captured" test "$(packets icmp)" = 4
check "none of them a fragment" no_fragments
capture
both_ways6 1 >/dev/null
captured
check "a clear IPv6 packet is neither IKE nor ESP" not only_ike_and_esp
check "a clear IPv6 packet shows its insides" not no_inner_byte
capture
both_ways 1 -s 3000 -M dont >/dev/null
captured
check "a fragment is seen" not no_fragments
capture
both_ways6 1 -s 3000 >/dev/null
captured
check "an IPv6 fragment is seen" not no_fragments
capture
captured
check "an empty capture is not a sealed one" not sealed
before=$(echoes_in berlin)
probe paris "$IN_PARIS" "$IN_BERLIN" 3 >/dev/null
check "echo requests are counted" test $(($(echoes_in berlin) - before)) = 3

# ---- numbered packets, and a longer way ----
numbers_begin "$IN_BERLIN" "$IN_PARIS" "$IN_BERLIN6" "$IN_PARIS6"
sleep 0.3
numbers_end
check "numbered packets arrive" nothing_lost
check "and are counted" test 4 = \
	"$(grep -c '^flow .* sent [2-5][0-9] lost 0 twice 0 ' "$tmp/account")"
capture
numbers_begin "$IN_BERLIN" "$IN_PARIS"
sleep 0.2
on router nft -f - <<X
	table ip lossy { chain one { type filter hook forward priority 0; ip saddr $IN_BERLIN drop; }; }
X
sleep 0.2
on router nft delete table ip lossy
sleep 0.2
numbers_end
captured
check "packets that are lost are missed" not nothing_lost
check "each of them" test \
	"$(sed -n "s/^flow $IN_BERLIN .* lost \([0-9]*\) .*/\1/p" "$tmp/account")" = \
	"$(grep -c "^lost $IN_BERLIN" "$tmp/account")"
check "about 20 they were" test "$(grep -c "^lost $IN_BERLIN" "$tmp/account")" -ge 15
check "and none the other way" grep -q "^flow $IN_PARIS .* lost 0 twice 0" "$tmp/account"
delay_begin 30
check "the longer way takes 60 ms" says 'rtt min/avg/max/mdev = [67][0-9]\.' \
	on berlin ping -n -c 3 -i 0.1 -I "$IN_BERLIN" "$IN_PARIS"
numbers_begin "$IN_BERLIN" "$IN_PARIS"
sleep 0.2
numbers_end
check "the longer way loses nothing" nothing_lost
check "nor does whoever makes it longer" delay_end
check "the way is short again" says 'rtt min/avg/max/mdev = 0\.' \
	on berlin ping -n -c 3 -i 0.1 -I "$IN_BERLIN" "$IN_PARIS"

system_state berlin >"$tmp/state"
check "nothing has changed" same_state "$tmp/state" berlin
ip -n "$(ns berlin)" rule add to 10.9.0.0/16 table 99
check "a rule is a change" not same_state "$tmp/state" berlin
ip -n "$(ns berlin)" rule del to 10.9.0.0/16 table 99
ip -n "$(ns berlin)" route add 10.9.0.0/16 dev lan table 99
check "a route is a change, in any table" not same_state "$tmp/state" berlin
ip -n "$(ns berlin)" route del 10.9.0.0/16 dev lan table 99
on berlin nft add table inet other
check "a packet filter is a change" not same_state "$tmp/state" berlin
on berlin nft delete table inet other
ip -n "$(ns berlin)" tuntap add mode tun name other
check "an interface is a change" not same_state "$tmp/state" berlin
ip -n "$(ns berlin)" tuntap del mode tun name other
check "and all is as before" same_state "$tmp/state" berlin

check "says: not what was not said" not says moon echo sun
check "exits: not with another status" not exits 0 false
check "wait_for gives up" not wait_for 0 false
(kept= && check "a failure" false >/dev/null; finish >"$tmp/summary")
check "a failure is a failure" test $? = 1
check "and is counted" grep -q ' [0-9]* passed, 1 failed$' "$tmp/summary"
finish
