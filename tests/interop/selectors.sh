#!/bin/bash
# ikevd and strongSwan: one side's subnets lie within the other's, in both roles; the
# defaults of both; IPv6 outside with both families inside.
# shellcheck source=../interop/lib.sh
. "$(dirname "$0")/lib.sh"
net_up
ip -n "$(ns berlin)" addr add 10.1.0.200/24 dev lan
ip -n "$(ns paris)" addr add 10.2.0.200/24 dev lan

narrow() { # TITLE
	check "$1: carries inside" both_ways 2
	check "$1: status shows what was agreed on" says '10\.2\.0\.0/25' ctl berlin status paris
}
# berlin holds on to the wider pair: what the SA does not cover is dropped, not sent clear.
nothing_outside() { # TITLE
	check "$1: nothing outside, from berlin" silence berlin "$IN_BERLIN" 10.2.0.200
	check "$1: nothing outside, to berlin" silence paris 10.2.0.200 "$IN_BERLIN"
}

gateway berlin on-demand
LOCAL_TS=10.2.0.0/25 REMOTE_TS=10.1.0.0/25 swan_gateway
anew
check "strongSwan narrows: up from ikevd" ctl berlin up paris
narrow "strongSwan narrows"
nothing_outside "strongSwan narrows"
check "strongSwan is narrow: down" swan_down paris berlin
check "strongSwan is narrow: up from strongSwan" swan_up paris berlin
narrow "strongSwan is narrow"
nothing_outside "strongSwan is narrow"

MINE='"10.1.0.0/25"' THEIRS='"10.2.0.0/25"' gateway berlin on-demand
swan_gateway
anew
check "ikevd narrows: up from strongSwan" swan_up paris berlin
narrow "ikevd narrows"
check "ikevd is narrow: down" ctl berlin down paris
check "ikevd is narrow: up from ikevd" ctl berlin up paris
narrow "ikevd is narrow"

gateway berlin passive
IKE=default ESP=default swan_gateway
anew
capture
check "the defaults of both: up from ikevd" ctl berlin up paris
check "the defaults of both: packets" both_ways 2
check "the defaults of both: down" ctl berlin down paris
check "the defaults of both: up from strongSwan" swan_up paris berlin
check "the defaults of both: packets again" both_ways 2

MINE='"10.1.0.0/24", "2001:db8:1::/64"' THEIRS='"10.2.0.0/24", "2001:db8:2::/64"' \
	PEER=$PARIS6 gateway berlin passive
OUTER=$PARIS6 PEER=$BERLIN6 LOCAL_TS=10.2.0.0/24,2001:db8:2::/64 \
	REMOTE_TS=10.1.0.0/24,2001:db8:1::/64 swan_gateway
anew
check "IPv6 outside: up from ikevd" ctl berlin up paris
check "IPv6 outside: IPv6 inside" both_ways6 3
check "IPv6 outside: IPv4 inside" both_ways 3
check "IPv6 outside: down" ctl berlin down paris
check "IPv6 outside: up from strongSwan" swan_up paris berlin
check "IPv6 outside: IPv6 inside again" both_ways6 3
captured
check "only IKE and ESP on the wire" sealed
check "IPv6 it was" test "$(packets "ip6 and ($is_esp)")" -ge 24
check "ikevd still runs" alive berlin
finish
