#!/bin/bash
# 100,000 IKE_SA_INITs from 65,000 addresses that nobody has, while berlin calls paris: paris
# keeps next to nothing of them, and berlin gets in.
# shellcheck source=../netns/lib.sh
. "$(dirname "$0")/lib.sh"
need jq
COUNT=${COUNT:-100000}
RATE=${RATE:-12000}
MOST_KB=65536		# how much paris may grow
MOST_MS=5000		# how long berlin may wait, on a busy machine; usual is a tenth

net_up
${CC:-cc} -std=c11 -D_GNU_SOURCE -O1 -o "$tmp/flood" "$(dirname "$0")/flood.c" || die "no flood"
# What paris answers to the made-up addresses goes nowhere, as on the internet.
ip -n "$(ns router)" route add blackhole 100.64.0.0/16
gateway berlin passive
PEER=any gateway paris passive
start paris berlin

memory() { # in KiB
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/${pid[paris]}/status"
}
udp_of_paris() { # NAME: a counter of the kernel
	on paris nstat -asz "Udp$1" | sed -n "s/^Udp$1  *\([0-9]*\) .*/\1/p"
}
# The flood's first SAs are there, so whoever comes now is asked for a cookie.
flooded() {
	[ "$(udp_of_paris InDatagrams)" -gt $((COUNT / 10)) ]
}
half_open() {
	ctl paris -j status | jq '[.connections[].sas[] | select(.state == "connecting")] | length'
}
few_half_open() {
	local n
	n=$(half_open)
	echo "$n half-open"
	[ "$n" -gt 0 ] && [ "$n" -le 64 ]
}
now_ms() {
	local us=${EPOCHREALTIME/[.,]/}
	echo $((us / 1000))
}
is_cookie='src host 203.0.113.7 and udp port 500 and udp[24] = 41 and udp[42:2] = 16390'

before=$(memory)
capture
on router "$tmp/flood" $PARIS 500 "$COUNT" "$RATE" 100.64.0.0 65000 >"$tmp/sent" &
flood=$!
check "the flood arrives" wait_for 20 flooded
for i in 1 2 3; do
	started=$(now_ms)
	check "call $i: berlin is up" ctl berlin up paris
	took=$(($(now_ms) - started))
	check "call $i: within $MOST_MS ms" test "$took" -le "$MOST_MS"
	echo "      $took ms"
	check "call $i: the flood goes on meanwhile" kill -0 $flood
	check "call $i: packets both ways" both_ways 2
	check "call $i: down" ctl berlin down paris
done
check "the flood ends" wait "$flood"
captured
check "berlin was asked for a cookie" test "$(packets "$is_cookie and dst host $BERLIN")" -ge 3
check "all was sent" test "$(cat "$tmp/sent")" = "$COUNT"
took_in=$(udp_of_paris InDatagrams)
overrun=$(udp_of_paris RcvbufErrors)
answered=$(udp_of_paris OutDatagrams)
check "and arrived" test $((took_in + overrun)) -ge "$COUNT"
check "paris has read at least half" test "$took_in" -ge $((COUNT / 2))
after=$(memory)
echo "      sent $(cat "$tmp/sent"), read $took_in, lost in the socket $overrun," \
	"answered $answered; memory $before KiB before, $after KiB after"
check "the memory of paris is bounded" test $((after - before)) -le $MOST_KB
check "and so are its half-open SAs" few_half_open
check "up after the flood" ctl berlin up paris
check "packets both ways after the flood" both_ways 2
check "paris still runs" alive paris
check "paris ends well" stop paris
finish
