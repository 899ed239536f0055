#!/bin/bash
# Rekeys by ikectl from either end, of all children, of one, of the IKE SA, while packets go
# through both children: nothing is lost, routes stay as they are, the connection being
# passive, and status says what happened.
# shellcheck source=../netns/lib.sh
. "$(dirname "$0")/lib.sh"
need jq
net_up
ip -n "$(ns berlin)" addr add 10.1.7.1/24 dev lan
ip -n "$(ns paris)" addr add 10.2.7.1/24 dev lan

two_children() { # NODE ADDRESS OTHER LOCAL REMOTE
	conf "$1" <<-X
		daemon = { secrets_dir = "$tmp/$1.secrets"; };
		connections = { main = {
		  local  = { id = "gw.$1.example"; };
		  remote = { address = "$2"; id = "gw.$3.example"; };
		  rekey = { ike = "2h"; child = "30m"; jitter = "0%"; };
		  expire = { child = "1h"; };
		  children = {
		    lan = { local = "$4.0.0/24"; remote = "$5.0.0/24"; };
		    dmz = { local = "$4.7.0/24"; remote = "$5.7.0/24"; };
		  };
		}; };
	X
	secret "$1" main "0x00112233445566778899aabbccddeeff"
}
two_children berlin "$PARIS" paris 10.1 10.2
two_children paris "$BERLIN" berlin 10.2 10.1
start berlin paris

both_up() { # NODE
	status_is "$1" main '.sas[0].children | map(.name) | sort == ["dmz", "lan"]'
}
routes() { # NODE
	on "$1" ip -4 route show table all | grep ikev0 | sort
}
one_of_each() { # NODE: one IKE SA, and of each child the newest Child SA only
	status_is "$1" main '.state == "up" and (.sas | length == 1) and
		(.sas[0].children | map(.name) | sort == ["dmz", "lan"])'
}

check "up brings the first child" exits 0 ctl berlin up main
check "and the second comes by itself" wait_for 5 both_up berlin
check "at the other end, too" wait_for 5 both_up paris
check "times are those of the file" status_is berlin main '.sas[0] |
	(.rekey_in <= 7200 and .rekey_in > 7100) and
	(.children | all(.rekey_in <= 1800 and .rekey_in > 1700 and .ends_in > 3500))'
routes berlin >"$tmp/berlin.routes"
routes paris >"$tmp/paris.routes"
check "both children have routes" test "$(grep -c '10\.2\.[07]\.0/24' "$tmp/berlin.routes")" -ge 2

numbers_begin 10.1.0.1 10.2.0.1 10.1.7.1 10.2.7.1
check "all children of it" says '^2 rekeyed$' ctl berlin rekey main
check "one of them" says '^1 rekeyed$' ctl berlin rekey main --child dmz
check "the same from the other end" says '^1 rekeyed$' ctl paris rekey main --child dmz
check "the IKE SA" says '^1 rekeyed$' ctl berlin rekey main --ike
check "the IKE SA from the other end" says '^1 rekeyed$' ctl paris rekey main --ike
check "and all children again" says '^2 rekeyed$' ctl paris rekey main
check "berlin counts the generations" status_is berlin main '.sas
	| map(select(.state == "established"))[0] | .generation == 3 and .child_rekeys == 6 and
	(.children | map(select(.replaced | not) | [.name, .generation]) | sort ==
		[["dmz", 5], ["lan", 3]])'
check "paris does as well" status_is paris main '.sas
	| map(select(.state == "established"))[0] | .generation == 3 and .child_rekeys == 6 and
	(.children | map(select(.replaced | not) | [.name, .generation]) | sort ==
		[["dmz", 5], ["lan", 3]])'
check "as a table" says 'generation 3, rekey in .*; 6 child rekeys$' ctl berlin status main
check "the old ones go" wait_for 15 one_of_each berlin
check "at the other end, too" wait_for 15 one_of_each paris
numbers_end
check "no packet was lost" nothing_lost
check "routes are as they were" diff "$tmp/berlin.routes" <(routes berlin)
check "at the other end, too" diff "$tmp/paris.routes" <(routes paris)
check "the log has each rekey" test "$(grep -c 'child dmz is rekeyed' "$tmp/berlin.log")" = 4
check "and those of the IKE SA" test "$(grep -c 'IKE SA is rekeyed' "$tmp/paris.log")" = 2

check "an unknown child is refused, and the others named" \
	says 'main has no child wan; it has: lan, dmz$' ctl berlin rekey main --child wan
check "an unknown connection is refused" says 'did you mean main' ctl berlin rekey mian
check "two kinds at once are refused" exits 2 ctl berlin rekey main --ike --child lan
completes() { # LINE...: what bash offers for the last word
	bash -c '. etc/ikectl.bash; ikectl() { "$IKECTL" "$@"; }
		COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ikectl; echo "${COMPREPLY[@]}"' \
		_ ikectl -s "$tmp/berlin.sock" "$@"
}
export IKECTL
check "bash completes a command" test "$(completes re)" = rekey
check "bash completes a connection" test "$(completes rekey m)" = main
check "bash completes an option" test "$(completes rekey main --c)" = --child
check "bash completes a child" test "$(completes rekey main --child d)" = dmz

check "down" exits 0 ctl berlin down main
no_routes() { # NODE: to the peer's networks
	! routes "$1" | grep '10\.[12]\.[07]\.0/24'
}
# inbound SAs that were replaced linger for 5 s, and with them what leads to them
check "no route is left behind" wait_for 8 no_routes berlin
check "at the other end, neither" wait_for 8 no_routes paris
check "what is down is not rekeyed" says 'it is not up; bring it up: ikectl up main' \
	ctl berlin rekey main
finish
