#!/bin/bash
# ikevd and strongSwan: either side ends the tunnel, and it comes up again when it should.
# shellcheck source=../interop/lib.sh
. "$(dirname "$0")/lib.sh"
net_up
swan_gateway

gateway berlin passive
capture
anew
check "up from ikevd" ctl berlin up paris
check "packets both ways" both_ways 3
check "down from ikevd" ctl berlin down paris
check "down from ikevd: strongSwan has closed" wait_for 2 swan_empty paris
check "up from strongSwan" swan_up paris berlin
check "large packets both ways" both_ways 2 -s 3000 -M dont
check "SIGTERM: exit status 0" stop berlin
check "SIGTERM: strongSwan has closed" wait_for 2 swan_empty paris

gateway berlin always
anew
check "always: up by itself" wait_for 5 is_up berlin paris
check "always: packets both ways" both_ways 2
check "always: strongSwan closes the IKE SA" swan_down paris berlin
check "always: up again by itself" wait_for 15 is_up berlin paris
check "always: and carries" wait_for 2 both_ways 2
check "always: strongSwan closes the Child SA alone" \
	swan paris --terminate --child berlin --timeout 5
check "always: up again by itself after that" wait_for 15 swan_has paris berlin INSTALLED
check "always: and carries after that" wait_for 2 both_ways 2

# kill -9: strongSwan still believes in the old SA when the new ikevd comes.
stop berlin KILL
start berlin
check "ikevd died: up again" wait_for 15 is_up berlin paris
check "ikevd died: and carries" wait_for 2 both_ways 2

gateway berlin on-demand
anew
check "on-demand: no packet is lost" probe berlin "$IN_BERLIN" "$IN_PARIS" 3
check "on-demand: strongSwan closes" swan_down paris berlin
check "on-demand: ikevd has closed" wait_for 2 not is_up berlin paris
check "on-demand: no packet is lost again" probe berlin "$IN_BERLIN" "$IN_PARIS" 3
# One more at once would have to wait: ikevd backs off from what falls as soon as it is up.
anew
check "on-demand, anew: up" ctl berlin up paris
check "on-demand: strongSwan closes the Child SA alone" \
	swan paris --terminate --child berlin --timeout 5
check "on-demand: no packet is lost after that either" probe berlin "$IN_BERLIN" "$IN_PARIS" 3
captured
check "only IKE and ESP on the wire" sealed
check "ikevd still runs" alive berlin
finish
