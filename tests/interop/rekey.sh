#!/bin/bash
# ikevd in berlin, strongSwan in paris: 100 Child SAs and 20 IKE SAs made anew by each, in
# ten tunnels at once, with a lifetime of a second and of five.  Of the packets that go
# both ways every 10 ms all the while, not one is lost.
# shellcheck source=../interop/lib.sh
. "$(dirname "$0")/lib.sh"
need jq
net_up

OURS="11 12 13 14 15"	# ikevd makes these anew,
THEIRS="21 22 23 24 25"	# and strongSwan those
pairs=()

# ESP of cell N on both sides: with a key exchange of its own it has perfect forward secrecy.
esp_of() { # N
	case $1 in
	?1) echo aes256gcm16 ;;
	?2) echo aes256gcm16-x25519 ;;
	?3) echo aes256-sha256-ecp256 ;;
	?4) echo chacha20poly1305-x25519 ;;
	?5) echo aes128gcm16-modp2048 ;;
	esac
}
ikevd_keys() { # N
	echo "start = \"passive\"; esp = \"$(esp_of "$1")\";"
	case $1 in
	1?) echo 'rekey = { child = "1s"; ike = "5s"; jitter = "0%"; }; expire = { child = "1m"; ike = "1m"; };' ;;
	2?) echo 'rekey = { child = "1h"; ike = "4h"; };' ;;
	esac
}
swan_keys() { # N
	ESP=$(esp_of "$1")
	case $1 in
	1?) CONNECTION='rekey_time = 0' CHILD='rekey_time = 0' ;;
	2?)
		CONNECTION=$'rekey_time = 5s\nrand_time = 0\nover_time = 1h'
		CHILD=$'rekey_time = 1s\nrand_time = 0\nlife_time = 1h'
		;;
	esac
}

# shellcheck disable=SC2086 # lists of numbers
{
	for n in $OURS $THEIRS; do
		cell_inside "$n"
		pairs+=("10.1.$n.1" "10.2.$n.1")
	done
	cells_conf berlin ikevd_keys $OURS $THEIRS
	swan_cells paris swan_keys $OURS $THEIRS
}

# How often a Child SA of these cells has been made anew, and an IKE SA: by the generations
# that ikectl shows, and by the numbers that strongSwan gives its SAs.
ours_of() { # child | ike, CELLS
	local n path=.generation
	[ "$1" = ike ] || path='(([.children[].generation] | max) // 1)'
	for n in $2; do
		ctl berlin -j status "c$n" | jq "[.connections[0].sas[] | $path - 1] | max"
	done | awk '{ n += $1 } END { print n + 0 }'
}
theirs_of() { # child | ike, CELLS
	case $1 in
	child) grep -acE "IKE\] outbound CHILD_SA c(${2// /|})\{" "$tmp/paris.charon.log" ;;
	ike) grep -acE "IKE_SA c(${2// /|})\[[0-9]+\] rekeyed between" "$tmp/paris.charon.log" ;;
	esac
}
anew_at_least() { # child | ike, CELLS, COUNT: that many in each round
	local ours theirs
	ours=$(ours_of "$1" "$2") theirs=$(theirs_of "$1" "$2")
	echo "$ours by ikectl, $theirs by strongSwan's log, in $round rounds"
	[ "$ours" -ge $(($3 * round)) ] && [ "$theirs" -ge $(($3 * round)) ]
}
made_anew() {
	anew_at_least child "$OURS" 100 && anew_at_least child "$THEIRS" 100 &&
		anew_at_least ike "$OURS" 20 && anew_at_least ike "$THEIRS" 20
}
# In use: those that have been replaced and are about to be deleted are not.
one_pair() {
	local n sas
	sas=$(swan_sas paris)
	for n in $OURS $THEIRS; do
		[ "$(grep -cE "^c$n: .* ESTABLISHED" <<<"$sas")" = 1 ] &&
			[ "$(grep -cE "^  c$n: .* INSTALLED" <<<"$sas")" = 1 ] &&
			status_is berlin "c$n" '.sas | map(select(.state == "established")) |
				length == 1 and ([.[0].children[] | select(.replaced | not)] |
				length == 1)' && continue
		echo "$sas"
		return 1
	done
}

start berlin
swan_start paris
for n in $OURS $THEIRS; do
	check "c$n is up" ctl berlin up "c$n"
done
capture
for round in 1 2 3; do
	numbers_begin "${pairs[@]}"
	sleep 20
	wait_for 40 made_anew
	numbers_end
	stood_still || break
done
captured
check "no packet is lost" nothing_lost
check "ikevd has made 100 Child SAs anew" anew_at_least child "$OURS" 100
check "ikevd has made 20 IKE SAs anew" anew_at_least ike "$OURS" 20
check "strongSwan has made 100 Child SAs anew" anew_at_least child "$THEIRS" 100
check "strongSwan has made 20 IKE SAs anew" anew_at_least ike "$THEIRS" 20
check "one pair is in use of each" wait_for 5 one_pair
check "only IKE and ESP on the wire" only_ike_and_esp
check "ikevd still runs" alive berlin
finish
