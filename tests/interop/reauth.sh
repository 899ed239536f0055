#!/bin/bash
# ikevd and strongSwan authenticate each other anew every few seconds, with the new SAs up
# before the old ones go; in two tunnels ikevd begins it, in two strongSwan.  Where ikevd
# does no packet is lost.  strongSwan deletes the old SAs as soon as the new ones are up: of
# what is under way just then, what it has not read yet is lost, and nothing else.
# shellcheck source=../interop/lib.sh
. "$(dirname "$0")/lib.sh"
SWAN_ESP_LOG=2
need jq
net_up

OURS="11 12"	# ikevd begins in these,
THEIRS="21 22"	# and strongSwan in those
ikevd_keys() { # N
	echo 'start = "passive";'
	case $1 in
	1?) echo 'reauth = "3s"; rekey = { jitter = "0%"; };' ;;
	esac
}
swan_keys() { # N
	[ "$1" != 12 ] && [ "$1" != 22 ] || ESP=aes256-sha256-x25519
	case $1 in
	1?) CONNECTION=$'rekey_time = 0\nreauth_time = 0' ;;
	2?) CONNECTION=$'rekey_time = 0\nreauth_time = 3s\nrand_time = 0\nover_time = 1h' ;;
	esac
}
cells() { # COMMAND...: with all cells behind it
	# shellcheck disable=SC2086 # lists of numbers
	"$@" $OURS $THEIRS
}
each_inside() {
	local n
	for n; do
		cell_inside "$n"
	done
}
authenticated() { # CELLS: how often, by strongSwan's log
	grep -acE "IKE_SA c(${1// /|})\[[0-9]+\] established between" "$tmp/paris.charon.log"
}
lost_by_strongswan() { # CELLS: each that is lost, by an SA that it had deleted
	grep -E "^lost 10\.[12]\.(${1// /|})\." "$tmp/account" >"$tmp/lost"
	perl "$top/tests/interop/judge.pl" "$tmp/lost" "$tmp/cap.pcap" \
		"$tmp/paris.charon.log" "$BERLIN" "$PARIS" >"$tmp/verdicts"
	local rc=$?
	cat "$tmp/verdicts"
	return "$rc"
}
none_lost() { # CELLS
	lost_by_strongswan "$1"
	[ ! -s "$tmp/lost" ]
}
one_each() {
	local n sas
	sas=$(swan_sas paris)
	for n in $OURS $THEIRS; do
		[ "$(grep -cE "^c$n: .* ESTABLISHED" <<<"$sas")" = 1 ] &&
			[ "$(grep -cE "^  c$n: .* INSTALLED" <<<"$sas")" = 1 ] &&
			status_is berlin "c$n" '.sas | length == 1 and
				(.[0].children | length == 1)' && continue
		echo "$sas"
		return 1
	done
}

cells each_inside
cells cells_conf berlin ikevd_keys
cells swan_cells paris swan_keys
sed -i 's/user = root/& \n make_before_break = yes/' "$tmp/paris.swan/strongswan.conf"
start berlin
swan_start paris
for n in $OURS $THEIRS; do
	check "c$n is up" ctl berlin up "c$n"
done
for _ in 1 2 3; do
	capture
	numbers_begin 10.1.11.1 10.2.11.1 10.1.12.1 10.2.12.1 10.1.21.1 10.2.21.1 \
		10.1.22.1 10.2.22.1
	sleep 13
	numbers_end
	captured
	stood_still || break
done
check "ikevd begins: authenticated anew" test "$(authenticated "$OURS")" -ge 8
check "ikevd begins: no packet is lost" none_lost "$OURS"
check "strongSwan begins: authenticated anew" test "$(authenticated "$THEIRS")" -ge 8
check "strongSwan begins: what is lost, strongSwan has lost" lost_by_strongswan "$THEIRS"
grep -E 'lost by' "$tmp/verdicts" | sed 's/^/      /'
check "one of each is left" wait_for 5 one_each
check "only IKE and ESP on the wire" only_ike_and_esp
check "ikevd still runs" alive berlin
finish
