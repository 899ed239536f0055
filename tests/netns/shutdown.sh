#!/bin/bash
# Ending gracefully, RFC 7296 1.4.1: of a hundred tunnels at once, of one of several, in the
# middle of a rekey, and with a peer that is dead, which is waited for so long and no longer.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need jq
net_up

CELLS=$(seq 1 100)
no_keys() { :; }
always() { echo 'start = "always";'; }

ups() { # NODE: how many connections are up
	ctl "$1" -j status | jq '[.connections[] | select(.state == "up")] | length'
}
all_up() { # NODE
	[ "$(ups "$1")" = 100 ]
}
empty() { # NODE: no IKE SA
	[ "$(ctl "$1" -j status | jq '[.connections[].sas[]] | length')" = 0 ]
}
ended_alone() { # NODE: without its peers' answers
	grep -q 'not every peer has answered' "$tmp/$1.log"
}
stopped_within() { # NODE MILLISECONDS: with exit status 0
	local begun=${EPOCHREALTIME/[.,]/} took
	stop "$1" || return 1
	took=$(((${EPOCHREALTIME/[.,]/} - begun) / 1000))
	echo "$took ms"
	[ "$took" -le "$2" ]
}

# ---- a hundred tunnels ----
# shellcheck disable=SC2086
cells_conf berlin always $CELLS
# shellcheck disable=SC2086
cells_conf paris no_keys $CELLS
system_state berlin >"$tmp/berlin.before"
start paris berlin
check "a hundred tunnels are up" wait_for 30 all_up berlin
check "at the other end, too" wait_for 5 all_up paris
check "SIGTERM ends them in time" stopped_within berlin 3000
check "each peer has answered" not ended_alone berlin
check "the other end has none of them" wait_for 2 empty paris
check "nothing is left in the system" same_state "$tmp/berlin.before" berlin

start berlin
check "a hundred again" wait_for 30 all_up berlin
check "down takes one" ctl berlin down c7
check "and one only" test "$(ups berlin)" = 99
check "at the other end, too" test "$(ups paris)" = 99
check "SIGTERM at the responder ends the others" stopped_within paris 3000
check "the initiator has heard it" test "$(ups berlin)" = 0
stop berlin

# ---- in the middle of a rekey ----
rekey_under_way() { # OPTION...: on a way of 150 ms
	delay_begin 150
	ctl berlin rekey paris "$@" >/dev/null 2>&1 &
	sleep 0.1
}
for kind in --ike ''; do
	for way in "down at the initiator" "down at the responder" SIGTERM; do
		title="$way while ${kind:-a child} is rekeyed"
		gateway berlin passive
		gateway paris passive
		rm -f "$tmp"/*.log
		start paris berlin
		ctl berlin up paris >/dev/null
		# shellcheck disable=SC2086
		rekey_under_way $kind
		case $way in
		"down at the initiator") check "$title" ctl berlin down paris ;;
		"down at the responder") check "$title" ctl paris down berlin ;;
		SIGTERM) check "$title" stopped_within berlin 3000
			check "$title: the peer has answered" not ended_alone berlin ;;
		esac
		[ "$way" = SIGTERM ] ||
			check "$title: nothing is left here" wait_for 5 empty berlin
		check "$title: nothing is left there" wait_for 5 empty paris
		delay_end >/dev/null
		stop berlin
		stop paris
	done
done

# ---- a peer that is dead ----
gateway berlin passive
gateway paris passive
start paris berlin
check "up" ctl berlin up paris
stop paris KILL
check "down gives up waiting" timeout 7 "$IKECTL" -s "$tmp/berlin.sock" down paris
check "SIGTERM with a dead peer takes 3 s and no more" stopped_within berlin 3500
check "and says so" ended_alone berlin
check "nothing is left in the system" same_state "$tmp/berlin.before" berlin
finish
