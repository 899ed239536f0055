#!/bin/bash
# A long one, outside `make check`: SOAK changed datagrams against a running ikevd that was
# built with sanitizers.  It lives, its memory stays what it is after two fifths of them,
# the tunnel that was up is up, and a new one comes up.
#
#	SOAK=10000000  how many; SEED=1  another seed, other datagrams
# shellcheck source=../netns/lib.sh
. "$(dirname "$0")/../netns/lib.sh"
need jq
SOAK=${SOAK:-10000000}
SEED=${SEED:-1}
MOST_KB=8192		# how much memory may grow after two fifths

# What is freed is kept for a while by ASan, which is not to be taken for growth.
export ASAN_OPTIONS=quarantine_size_mb=8:thread_local_quarantine_size_kb=64:detect_leaks=1
export UBSAN_OPTIONS=print_stacktrace=1

net_up
${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -o "$tmp/mutate" "$(dirname "$0")/mutate.c" || die "no mutate"
ip -n "$(ns router)" route add blackhole 100.64.0.0/16

peer() { # NAME ADDRESS N START: its part of ikev.conf
	cat <<-X
		  $1 = {
		    local  = { id = "gw.paris.example"; subnets = "10.2.$3.0/24"; };
		    remote = { address = "$2"; id = "gw.$1.example"; subnets = "10.1.$3.0/24"; };
		    auth   = "psk"; start = "$4";
		  };
	X
	secret paris "$1" "what $1 and paris both know"
}
{
	echo "daemon = { secrets_dir = \"$tmp/paris.secrets\"; }; connections = {"
	peer berlin "$BERLIN" 0 passive
	peer stranger any 1 passive
	peer nobody 100.64.0.1 2 always
	echo "};"
} | conf paris
gateway berlin passive
check "ikevd is built with sanitizers" grep -q __asan_init "$IKEVD"
start paris berlin

memory() { # in KiB
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/${pid[paris]}/status"
}
spis() {
	ctl paris -j status berlin | jq -r '.connections[0].sas[] |
		select(.state == "established") | .spi_i, .children[].spi_in'
}
same_sa() {
	diff "$tmp/spis" <(spis)
}
soak() { # COUNT SEED
	on router "$tmp/mutate" "$tmp/cap.pcap" "$PARIS" "${pid[paris]}" "$1" "$2" \
		>"$tmp/mutated" 2>&1
}
figures() {
	echo "      $(cat "$tmp/mutated"); memory $(memory) KiB," \
		"log $(wc -c <"$tmp/paris.log") octets, $SECONDS s"
}
of_all_sizes() {
	both_ways 3 -s 0 && both_ways 3 -s 700 && both_ways 3 -s 1300
}

# All that there is: either as initiator, deletion, packets; the last tunnel stays.
capture
check "up from berlin" ctl berlin up paris
check "packets both ways" both_ways 10
check "down from berlin" ctl berlin down paris
check "up from paris" ctl paris up berlin
check "down from paris" ctl paris down berlin
check "up again" ctl berlin up paris
check "packets of many sizes" of_all_sizes
captured
spis >"$tmp/spis"
check "the tunnel has SPIs" test "$(wc -l <"$tmp/spis")" = 2

for fifth in 1 2 3 4 5; do
	check "fifth $fifth" soak $((SOAK / 5)) "$SEED$fifth"
	figures
	[ $fifth != 2 ] || before=$(memory)
done
check "paris is alive" alive paris
check "memory is what it was" test $(($(memory) - before)) -le $MOST_KB
check "paris answers" ctl paris status
check "the tunnel is the same" same_sa
check "and carries" both_ways 10
check "down" ctl berlin down paris
check "a tunnel comes up" ctl berlin up paris
check "and carries, too" both_ways 10
check "paris ends well, without a leak" stop paris
check "no sanitizer has spoken" not grep -qE 'Sanitizer|runtime error' "$tmp/paris.log"
finish
