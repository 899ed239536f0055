#!/bin/bash
# ikevd in berlin and strongSwan in paris, both making the same SAs anew at the same time,
# over a way so long that their requests cross: Child SAs, IKE SAs, the one while the other,
# and at last with lifetimes alone.  One pair of SAs is left each time.  Every packet that is
# lost is one that strongSwan dropped, or could not send, because of an SA that it had deleted.
# shellcheck source=../interop/lib.sh
. "$(dirname "$0")/lib.sh"
SWAN_ESP_LOG=2
need jq
net_up

CELLS="11 12 13 14"
pairs=()
life='' swan_ike='rekey_time = 0' swan_child='rekey_time = 0'
esp_of() { # N
	case $1 in
	11) echo aes256gcm16 ;;
	12) echo aes256gcm16-x25519 ;;
	13) echo aes256-sha256-ecp256 ;;
	14) echo chacha20poly1305-x25519 ;;
	esac
}
ikevd_keys() {
	echo "start = \"passive\"; esp = \"$(esp_of "$1")\"; $life"
}
swan_keys() {
	ESP=$(esp_of "$1") CONNECTION=$swan_ike CHILD=$swan_child
}
configure() {
	# shellcheck disable=SC2086 # a list of numbers
	cells_conf berlin ikevd_keys $CELLS
	# shellcheck disable=SC2086
	swan_cells paris swan_keys $CELLS
}
up() { # N
	ctl berlin up "c$1"
}
down() { # N
	ctl berlin down "c$1"
}
again() { # --child | --ike, N
	case $1 in
	--child) ctl berlin rekey "c$2" --child "c$2" ;;
	--ike) ctl berlin rekey "c$2" --ike ;;
	esac
}
is_one() { # N: one IKE SA and one Child SA, and nothing else
	status_is berlin "c$1" '.state == "up" and (.sas | length == 1) and
		.sas[0].state == "established" and (.sas[0].children | length == 1)'
}
all_up() {
	local n
	for n in $CELLS; do
		up "$n" || return
	done
}

by_both() { # IKEVD'S-OPTION STRONGSWAN'S-OPTION: of every cell at once, and wait for both
	local n jobs=()
	for n in $CELLS; do
		swan paris --rekey "$2" "c$n" >/dev/null 2>&1 &
		jobs+=($!)
		again "$1" "$n" >/dev/null 2>&1 &
		jobs+=($!)
	done
	wait "${jobs[@]}"
}
rounds() { # COUNT IKEVD'S-OPTION STRONGSWAN'S-OPTION
	local i
	for ((i = 0; i < $1; i++)); do
		by_both "$2" "$3"
		sleep 0.5
	done
}
rounds_until() { # PATTERN LEAST COUNT ...: a slow machine misses some, so again if need be
	local i
	for ((i = 0; i < 4; i++)); do
		rounds "${@:3}"
		[ "$(collisions "$1")" -lt "$2" ] || return 0
	done
}
collisions() { # PATTERN: that strongSwan has noticed
	grep -acE "detected $1" "$tmp/paris.charon.log"
}
one_pair() {
	local n sas
	sas=$(swan_sas paris)
	for n in $CELLS; do
		[ "$(grep -cE "^c$n: .* ESTABLISHED" <<<"$sas")" = 1 ] &&
			[ "$(grep -cE "^  c$n: .* INSTALLED" <<<"$sas")" = 1 ] &&
			[ "$(grep -cE "^ *c$n: " <<<"$sas")" = 2 ] &&
			is_one "$n" && continue
		echo "c$n:"
		echo "$sas"
		ctl berlin status "c$n"
		return 1
	done
}
left_with_one_pair() { # in the end: strongSwan tries a rekey again after up to 15 s
	wait_for 30 one_pair || one_pair
}
judged() {
	perl "$top/tests/interop/judge.pl" "$tmp/account" "$tmp/cap.pcap" \
		"$tmp/paris.charon.log" "$BERLIN" "$PARIS" >"$tmp/verdicts"
	local rc=$?
	grep -vE 'strongSwan (had deleted|sent it on|read it|dropped it)' "$tmp/verdicts" | tail -n 12
	return "$rc"
}
account() { # TITLE: of all since `numbers_begin` and `capture`
	numbers_end
	captured
	check "$1: what is lost, strongSwan has lost" judged
	grep -E 'lost by' "$tmp/verdicts" | sed 's/^/      /'
	check "$1: only IKE and ESP on the wire" only_ike_and_esp
	check "$1: one pair of SAs is left of each" left_with_one_pair
}
begin() {
	capture
	numbers_begin "${pairs[@]}"
}

for n in $CELLS; do
	cell_inside "$n"
	pairs+=("10.1.$n.1" "10.2.$n.1")
done
configure
start berlin
swan_start paris
delay_begin 40
check "all are up" all_up

begin
rounds_until 'CHILD_REKEY collision with CHILD_REKEY' 16 8 --child --child
account "both rekey the Child SA"
check "both rekey the Child SA: they did collide" test "$(collisions \
	'CHILD_REKEY collision with CHILD_REKEY')" -ge 16

begin
rounds_until 'IKE_REKEY collision with IKE_REKEY' 8 6 --ike --ike
account "both rekey the IKE SA"
check "both rekey the IKE SA: they did collide" test "$(collisions \
	'IKE_REKEY collision with IKE_REKEY')" -ge 8

begin
rounds 3 --ike --child
rounds 3 --child --ike
account "one the IKE SA, the other the Child SA"

# ---- that of itself the judge can say both ----
begin
sleep 0.3
check "strongSwan closes a Child SA" swan paris --terminate --child c11 --timeout 5
sleep 0.3
check "and makes another" swan_up paris c11
sleep 0.3
numbers_end
captured
check "strongSwan deletes: packets are lost" not nothing_lost
check "strongSwan deletes: that is laid at its door" judged
begin
sleep 0.3
check "ikevd closes its SAs" down 11
sleep 0.3
check "and makes others" up 11
sleep 0.3
numbers_end
captured
check "ikevd deletes: that is not laid at strongSwan's door" not judged

# ---- with lifetimes alone ----
stop berlin
life='rekey = { child = "1s"; ike = "5s"; jitter = "0%"; }; expire = { child = "1m"; ike = "1m"; };'
swan_ike=$'rekey_time = 5s\nrand_time = 0\nover_time = 1m'
swan_child=$'rekey_time = 1s\nrand_time = 0\nlife_time = 1m'
configure
check "strongSwan reads its configuration" swan_load paris
check "strongSwan forgets its SAs" eval 'swan paris --terminate --ike c11 --force; true'
start berlin
check "all are up again" all_up
begin
sleep 11
numbers_end
captured
check "lifetimes alone: what is lost, strongSwan has lost" judged
grep -E 'lost by' "$tmp/verdicts" | sed 's/^/      /'
check "nobody lost a packet on the longer way" delay_end
check "ikevd still runs" alive berlin
finish
