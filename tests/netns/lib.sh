# shellcheck shell=bash
# The test ground of the whole-system tests, sourced by each of them:
#
#     desk --- berlin --- router --- paris
#
#   berlin  192.0.2.1    2001:db8:0:b::1   inside 10.1.0.1/24  2001:db8:1::1/64
#   paris   203.0.113.7  2001:db8:0:f::7   inside 10.2.0.1/24  2001:db8:2::1/64
#   router  .254 and ::fe on both sides; desk (only after `add_desk`) 10.1.0.2
#
# Every node is a network namespace named ikev-PID-NODE.  The router also routes the inner
# networks, so without a tunnel a packet between them travels in the clear and arrives: a
# leak is seen, not hidden by a missing route.  Everything made here goes away when the
# script ends, however it ends; nothing outside these namespaces and $tmp is touched.
#
# Use:  net_up; conf NODE <<X ...; secret NODE CONNECTION TEXT; start NODE; check ...; finish

set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
case ${B:=build} in /*) bin=$B ;; *) bin=$top/$B ;; esac
IKEVD=${IKEVD:-$bin/ikevd}
IKECTL=${IKECTL:-$bin/ikectl}
PATH=$PATH:/usr/sbin:/sbin

BERLIN=192.0.2.1	PARIS=203.0.113.7
BERLIN6=2001:db8:0:b::1	PARIS6=2001:db8:0:f::7
export BERLIN PARIS BERLIN6 PARIS6
IN_BERLIN=10.1.0.1	IN_PARIS=10.2.0.1
IN_BERLIN6=2001:db8:1::1	IN_PARIS6=2001:db8:2::1
export IN_BERLIN IN_PARIS IN_BERLIN6 IN_PARIS6

# What a script leaves that fails, in a folder beside its log; KEPT= for nothing.
kept=$(realpath "$0")
kept=${KEPT-$bin/${kept#"$top/"}}
kept=${kept%.sh}${kept:+.kept}

psk="a lab secret of some length"	# of the cells

passed=0
failed=0
nodes=()		# nodes whose namespace exists, so far
declare -A pid=()	# node -> its daemon, node.capture -> a tcpdump
tmp=

# ---- the end of everything --------------------------------------------------------------

# What a failure is found by, as it is now: configurations, whole logs, captures, accounts.
keep() { # FOLDER
	[ -n "$kept" ] || return 0
	mkdir -p "$kept/$1" && find "$tmp" -maxdepth 1 -type f ! -perm -u+x -exec cp -t "$kept/$1" {} +
	if [ -n "${SUDO_UID-}" ]; then
		chown -R "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$kept"
	fi
}

# Runs on every way out.  What holds on to a namespace is found through the namespace
# itself, so a process whose pid was not kept yet is ended too.
cleanup() { # [EXIT-STATUS]
	local node p
	trap - EXIT
	trap '' INT TERM HUP
	for p in $(jobs -p); do
		kill -KILL "$p"
	done
	for node in "${nodes[@]}"; do
		for p in $(ip netns pids "$(ns "$node")"); do
			kill -KILL "$p"
		done
		ip netns del "$(ns "$node")"
	done
	wait
	if [ -n "$tmp" ]; then
		[ "$1" = 0 ] || keep end
		rm -rf "$tmp"
	fi
} 2>/dev/null	# the shell would report each process that was killed

leave() {
	cleanup "$1"
	trap - INT TERM
	exit "$1"
}
trap 'cleanup $?' EXIT
trap 'leave 130' INT
trap 'leave 143' TERM
trap 'leave 129' HUP

die() {
	echo "$(basename "$0"): $*" >&2
	exit 1
}

need() { # PROGRAM...: ends the script when one is missing
	local p
	for p; do
		command -v "$p" >/dev/null || die "$p is missing"
	done
}

# ---- namespaces -------------------------------------------------------------------------

ns() { # NODE: name of its namespace
	echo "ikev-$$-$1"
}

on() { # NODE COMMAND...
	local node=$1
	shift
	ip netns exec "ikev-$$-$node" "$@"
}

add_node() { # NODE...: a namespace that routes, with addresses usable at once (no DAD)
	local node
	for node; do
		nodes+=("$node")
		ip netns add "$(ns "$node")" || die "no namespace for $node"
		on "$node" sh <<-'X'
			cd /proc/sys/net || exit
			echo 1 >ipv4/ip_forward
			test ! -d ipv6 && exit
			for c in all default; do
				echo 0 >ipv6/conf/$c/accept_dad
				echo 1 >ipv6/conf/$c/forwarding
			done
		X
	done
}

# The first interface leads to the router and is called wan there and after the node on the
# router's side; lan is the inside, its far end waits in the node itself until `add_desk`.
wire() { # NODE OUTER OUTER6 INNER INNER6
	local node=$1 outer=$2 outer6=$3 inner=$4 inner6=$5
	ip -n "$(ns "$node")" -batch - <<-X || die "cannot wire $node"
		link set lo up
		link add wan type veth peer name $node netns $(ns router)
		link add lan type veth peer name port
		addr add $outer/24 dev wan
		addr add $outer6/64 dev wan
		addr add $inner/24 dev lan
		addr add $inner6/64 dev lan
		link set wan up
		link set port up
		link set lan up
	X
	ip -n "$(ns router)" -batch - <<-X || die "cannot wire the router to $node"
		addr add ${outer%.*}.254/24 dev $node
		addr add ${outer6%::*}::fe/64 dev $node
		link set $node up
		route add ${inner%.*}.0/24 via $outer
		route add ${inner6%::*}::/64 via $outer6
	X
	ip -n "$(ns "$node")" -batch - <<-X || die "no routes in $node"
		route add default via ${outer%.*}.254
		route add default via ${outer6%::*}::fe
	X
}

net_up() {
	[ "$(id -u)" = 0 ] || die "namespaces need root"
	need ip ping tcpdump perl
	[ -z "$kept" ] || rm -rf "$kept"
	tmp=$(mktemp -d "${TMPDIR:-/tmp}/ikev-$$-XXXXXX") || die "no temporary folder"
	add_node router berlin paris
	ip -n "$(ns router)" link set lo up
	wire berlin $BERLIN $BERLIN6 $IN_BERLIN $IN_BERLIN6
	wire paris $PARIS $PARIS6 $IN_PARIS $IN_PARIS6
}

add_desk() { # a host behind berlin that knows nothing of tunnels
	add_node desk
	ip -n "$(ns berlin)" link set port netns "$(ns desk)"
	ip -n "$(ns desk)" -batch - <<-X
		link set lo up
		addr add 10.1.0.2/24 dev port
		addr add 2001:db8:1::2/64 dev port
		link set port up
		route add default via $IN_BERLIN
		route add default via $IN_BERLIN6
	X
}

# ---- waiting ----------------------------------------------------------------------------

wait_for() { # SECONDS COMMAND...: asks every 50 ms until it is true
	local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
	shift
	until "$@" >/dev/null 2>&1; do
		if [ "${EPOCHREALTIME/[.,]/}" -ge "$end" ]; then
			return 1
		fi
		sleep 0.05
	done
}

# ---- daemons ----------------------------------------------------------------------------

conf() { # NODE: the configuration on standard input
	cat >"$tmp/$1.conf"
	mkdir -p "$tmp/$1.secrets"
}

secret() { # NODE CONNECTION TEXT
	mkdir -p "$tmp/$1.secrets"
	(umask 077 && echo "$3" >"$tmp/$1.secrets/$2.psk")
}

# The usual pair: berlin's connection is called paris, and the other way round.  MINE, THEIRS
# (lists of quoted subnets) and PEER (an address) take the place of what is usual.
gateway() { # NODE START [FURTHER KEYS OF THE CONNECTION]
	local node=$1 start=$2 other address mine theirs
	case $node in
	berlin) other=paris address=$PARIS mine=10.1.0.0/24 theirs=10.2.0.0/24 ;;
	paris) other=berlin address=$BERLIN mine=10.2.0.0/24 theirs=10.1.0.0/24 ;;
	esac
	conf "$node" <<-X
		daemon = { secrets_dir = "$tmp/$node.secrets"; };
		connections = {
		  $other = {
		    local  = { id = "gw.$node.example"; subnets = [ ${MINE:-\"$mine\"} ]; };
		    remote = { address = "${PEER:-$address}"; id = "gw.$other.example";
		               subnets = [ ${THEIRS:-\"$theirs\"} ]; };
		    auth   = "psk";
		    start  = "$start";
		    ${3-}
		  };
		};
	X
	secret "$node" "$other" "what berlin and paris both know"
}

# Cell N is a connection cN of its own between the same two addresses, apart by its
# identities, with the insides 10.1.N.1 and 10.2.N.1.
cell_inside() { # N ...
	ip -n "$(ns berlin)" addr add "10.1.$1.1/24" dev lan
	ip -n "$(ns paris)" addr add "10.2.$1.1/24" dev lan
}

cell_packets() { # N COUNT: both ways
	probe berlin "10.1.$1.1" "10.2.$1.1" "$2" && probe paris "10.2.$1.1" "10.1.$1.1" "$2"
}

cells_conf() { # NODE FUNCTION N...: ikev.conf; FUNCTION N prints a cell's further keys
	local node=$1 keys=$2 n other address mine theirs
	shift 2
	case $node in
	berlin) other=paris address=$PARIS mine=10.1 theirs=10.2 ;;
	paris) other=berlin address=$BERLIN mine=10.2 theirs=10.1 ;;
	esac
	for n; do
		cat <<-X
			  c$n = {
			    local  = { id = "$node-c$n"; subnets = "$mine.$n.0/24"; };
			    remote = { address = "${PEER:-$address}"; id = "$other-c$n";
			               subnets = "$theirs.$n.0/24"; };
			    auth   = "psk";
			    $($keys "$n")
			  };
		X
	done >"$tmp/cells"
	conf "$node" <<-X
		daemon = { secrets_dir = "$tmp/$node.secrets"; };
		connections = {
		$(cat "$tmp/cells")
		};
	X
	for n; do
		secret "$node" "c$n" "$psk"
	done
}

ctl() { # NODE ARGUMENT...: ikectl, which never may hang
	local node=$1
	shift
	timeout 60 "$IKECTL" -s "$tmp/$node.sock" "$@"
}

launch() { # NODE [OPTION...]: starts ikevd and does not wait
	local node=$1
	shift
	ip netns exec "ikev-$$-$node" "$IKEVD" -f "$tmp/$node.conf" -s "$tmp/$node.sock" "$@" \
		>>"$tmp/$node.log" 2>&1 &
	pid[$node]=$!
}

alive() { # NODE
	[ -n "${pid[$1]-}" ] && kill -0 "${pid[$1]}" 2>/dev/null
}

ready() { # NODE: answers, or is gone
	! alive "$1" || timeout 2 "$IKECTL" -s "$tmp/$1.sock" list
}

start() { # NODE...: starts ikevd in each; ends the script when one does not come up
	local node
	for node; do
		launch "$node"
	done
	for node; do
		if ! wait_for 10 ready "$node" || ! alive "$node"; then
			fail "ikevd starts in $node"
			finish
		fi
	done
}

stop() { # NODE [SIGNAL]: returns the daemon's exit status; 99 when it must be killed
	local node=$1 p=${pid[$1]-} rc
	[ -n "$p" ] || return 0
	kill -"${2:-TERM}" "$p"
	if wait_for 10 gone "$p"; then
		wait "$p"
		rc=$?
	else
		kill -KILL "$p"
		wait "$p"
		rc=99
	fi
	unset "pid[$node]"
	return $rc
} 2>/dev/null	# the shell would report a process that was killed

gone() { # PID: ended, if still a zombie of ours
	! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

is_up() { # NODE CONNECTION: it has a Child SA
	ctl "$1" -j status "$2" | grep -q '"state": "up"'
}

# Without any answer jq -e alone would say yes.
status_is() { # NODE CONNECTION CONDITION: what jq finds true of its entry
	ctl "$1" -j status "$2" | jq -e -n "input | .connections[0] | $3" >/dev/null && return
	echo "$3 is not true of:"
	ctl "$1" -j status "$2"
	return 1
}

# ---- packets ----------------------------------------------------------------------------

# The payload is the word "leak" again and again: in a capture it can be found.  All COUNT leave
# in one burst, and the interval of 1 s is how long ping then waits for the last answers; with
# a shorter one a busy machine looks like a loss.
probe() { # NODE FROM TO COUNT [OPTION...]: true when every single one is answered
	local node=$1 from=$2 to=$3 count=$4 out got
	shift 4
	out=$(on "$node" ping -n -q -l "$count" -i 1 -W 2 -c "$count" -p 6c65616b -I "$from" "$@" \
		"$to" 2>&1)
	got=$(sed -n 's/.* \([0-9]*\) received.*/\1/p' <<<"$out")
	if [ "${got:-0}" = "$count" ]; then
		return 0
	fi
	echo "$node: ping $* $from -> $to: ${got:-0} of $count answered"
	echo "$out"
	return 1
}

both_ways() { # [COUNT [OPTION...]]: the inner addresses of berlin and paris
	local count=${1:-3}
	shift
	probe berlin $IN_BERLIN $IN_PARIS "$count" "$@" && probe paris $IN_PARIS $IN_BERLIN "$count" "$@"
}

both_ways6() {
	local count=${1:-3}
	shift
	probe berlin $IN_BERLIN6 $IN_PARIS6 "$count" "$@" &&
		probe paris $IN_PARIS6 $IN_BERLIN6 "$count" "$@"
}

silence() { # NODE FROM TO: true when nothing at all comes back
	local out
	out=$(on "$1" ping -n -q -c 3 -i 0.05 -W 1 -w 1 -p 6c65616b -I "$2" "$3" 2>&1)
	grep -q ' 0 received' <<<"$out" && return 0
	echo "$out"
	return 1
}

echoes_in() { # NODE: ICMP echo requests its stack has accepted so far
	on "$1" sed -n 's/^Icmp: \([0-9]* \)\{8\}\([0-9]*\) .*/\2/p' /proc/net/snmp
}

# ---- numbered packets, each accounted for -------------------------------------------------

helper() { # NAME: builds NAME.c beside this file
	[ -x "$tmp/$1" ] ||
		${CC:-cc} -std=c11 -D_GNU_SOURCE -O1 -o "$tmp/$1" "$top/tests/netns/$1.c" ||
		die "no $1"
}

# A packet each way every 10 ms between each pair, from now until `numbers_end`.
numbers_begin() { # {ADDRESS ADDRESS}...: one of berlin's and one of paris's
	helper numbers
	numbers_overflows=$(overflows)
	: >"$tmp/account"
	"$tmp/numbers" "$(ns berlin)" "$(ns paris)" "$@" >"$tmp/account" 2>&1 &
	pid[numbers]=$!
	wait_for 5 grep -q sending "$tmp/account" || die "numbers: $(cat "$tmp/account")"
}

overflows() { # datagrams that found a socket's buffer full, in any node
	local node
	for node in "${nodes[@]}"; do
		on "$node" sed -n 's/^Udp: \([0-9]* \)\{4\}\([0-9]*\) .*/\2/p' /proc/net/snmp
	done | awk '{ n += $1 } END { print n }'
}
# The machine stood still for so long, since numbers_begin, that the kernel threw datagrams
# away before any daemon could read them: what is lost says nothing of the daemons.
stood_still() {
	[ "$(overflows)" != "$numbers_overflows" ] && echo "      the machine stood still"
}

numbers_end() {
	kill -TERM "${pid[numbers]}"
	wait "${pid[numbers]}"
	numbers_status=$?
	unset 'pid[numbers]'
	awk '/^flow/ { sent += $5; lost += $7; twice += $9; if ($11 > gap) gap = $11 }
		END { printf "      %d packets, %d lost, %d twice, at most %d ms apart\n", \
			sent, lost, twice, gap }' "$tmp/account"
}

nothing_lost() { # since numbers_begin; after numbers_end
	[ "$numbers_status" = 0 ] && return
	grep ^flow "$tmp/account" | grep -v ' lost 0 twice 0 '
	grep ^lost "$tmp/account" | head -n 20
	stood_still
	return 1
}

# The way between berlin and paris takes MILLISECONDS: what both begin at once does cross.
delay_begin() { # MILLISECONDS
	helper delay
	on router sysctl -qw net.ipv4.ip_forward=0
	ip netns exec "ikev-$$-router" "$tmp/delay" "$1" berlin paris >"$tmp/delay.out" 2>&1 &
	pid[delay]=$!
	wait_for 5 grep -q delaying "$tmp/delay.out" || die "delay: $(cat "$tmp/delay.out")"
}

delay_end() { # true when it has lost nothing
	kill -KILL "${pid[delay]}"
	wait "${pid[delay]}" 2>/dev/null
	unset 'pid[delay]'
	on router sysctl -qw net.ipv4.ip_forward=1
	[ "$(cat "$tmp/delay.out")" = delaying ] || { cat "$tmp/delay.out"; return 1; }
}

# ---- captures, on the router's interface to berlin --------------------------------------

capture() { # starts one; `captured` ends it
	rm -f "$tmp/cap.err" "$tmp/cap.pcap"
	ip netns exec "ikev-$$-router" tcpdump -Z root -n -U --immediate-mode -i berlin -s 0 \
		-w "$tmp/cap.pcap" 2>"$tmp/cap.err" &
	pid[capture]=$!
	wait_for 5 grep -q 'listening on' "$tmp/cap.err" || die "tcpdump: $(cat "$tmp/cap.err")"
}

# Nothing is left to read: the file has the length that it had 50 ms ago and tcpdump sleeps.
# On a busy machine it is behind, and what it has not read when it ends is lost.
settled() {
	local before=$cap_size
	cap_size=$(stat -c %s "$tmp/cap.pcap")
	[ "$cap_size" = "$before" ] && grep -q '^State:.S' "/proc/${pid[capture]}/status"
}

captured() {
	local cap_size=none
	wait_for 2 settled
	kill -INT "${pid[capture]}"
	wait "${pid[capture]}" 2>/dev/null
	unset 'pid[capture]'
}

packets() { # FILTER: how many of the last capture match
	tcpdump -n -r "$tmp/cap.pcap" "$1" 2>/dev/null | wc -l
}

# What a link says to itself: ARP, neighbour discovery, multicast listener reports.
link_noise='arp or (icmp6 and ip6[40] >= 130 and ip6[40] <= 143) or (ip6[6] = 0 and ip6[40] = 58)'
ike_or_esp='udp port 500 or udp port 4500 or ip proto 50 or ip6 proto 50'

only_ike_and_esp() { # true when the capture holds both, and nothing else
	local other
	other=$(packets "not ($ike_or_esp) and not ($link_noise)")
	if [ "$other" != 0 ]; then
		echo "$other packets are neither IKE nor ESP:"
		tcpdump -n -r "$tmp/cap.pcap" "not ($ike_or_esp) and not ($link_noise)" 2>/dev/null |
			head -n 5
		return 1
	fi
	if [ "$(packets "$is_ike")" = 0 ] || [ "$(packets "$is_esp")" = 0 ]; then
		echo "the capture lacks IKE or ESP: $(packets "$is_ike") and $(packets "$is_esp")"
		return 1
	fi
}

# On port 4500 four zero octets lead IKE; a single 0xff is a keepalive.
is_ike='udp port 500 or (ip and udp port 4500 and udp[8:4] = 0) or (ip6 and udp port 4500 and ip6[48:4] = 0)'
is_esp='ip proto 50 or ip6 proto 50 or (ip and udp port 4500 and udp[4:2] > 12 and udp[8:4] != 0) or (ip6 and udp port 4500 and ip6[44:2] > 12 and ip6[48:4] != 0)'

# Looks at every octet of the capture, not only at the outer headers.
no_inner_byte() { # true when neither an inner address nor a ping's payload is seen
	perl -0777 -ne '
		my %secret = ("10.1.0.1" => "\x0a\x01\x00\x01", "10.2.0.1" => "\x0a\x02\x00\x01",
			"10.1.0.2" => "\x0a\x01\x00\x02", "the payload" => "leakleak",
			"2001:db8:1::1" => pack("H*", "20010db80001" . "0" x 18 . "01"),
			"2001:db8:2::1" => pack("H*", "20010db80002" . "0" x 18 . "01"));
		for my $name (sort keys %secret) {
			next if index($_, $secret{$name}) < 0;
			print "$name is visible in the capture\n";
			$seen = 1;
		}
		END { exit($seen ? 1 : 0); }' "$tmp/cap.pcap"
}

no_fragments() {
	local n
	n=$(packets 'ip[6:2] & 0x3fff != 0 or ip6[6] = 44')
	[ "$n" = 0 ] && return 0
	echo "$n outer fragments"
	return 1
}

sealed() { # the usual three questions about the last capture
	only_ike_and_esp && no_inner_byte && no_fragments
}

# ---- what a daemon changes in its node --------------------------------------------------

# Interfaces, addresses, routes of every table, rules and nft tables, without what changes
# by itself (indices, link-layer addresses, lifetimes).
system_state() { # NODE
	on "$1" sh -c '
		ip -o -4 addr; ip -o -6 addr; ip -o link
		ip -4 rule; ip -6 rule
		ip -4 route show table all; ip -6 route show table all
		nft list ruleset 2>/dev/null || true' |
		sed -E 's/^[0-9]+: ([a-z])/\1/; s/@if?[^:]*:/:/; s/link\/.*//; s/valid_lft.*//;
			s/ (qlen|link-netns(id)?) [^ ]*//g; /cache/d; s/expires [0-9]+sec//;
			/ fe80::/d; /^(local|anycast) fe80:/d; s/counter packets [0-9]+ bytes [0-9]+/counter/' |
		sort
}

same_state() { # FILE NODE: as it was when the file was written
	diff "$1" <(system_state "$2")
}

# ---- counting ---------------------------------------------------------------------------

ok() {
	passed=$((passed + 1))
	echo "ok    $1"
}

fail() { # TITLE: with the ends of the logs; all of them are in $kept
	local f
	failed=$((failed + 1))
	echo "FAIL  $1"
	[ $failed -gt 1 ] || keep first
	[ -s "$tmp/out" ] && sed 's/^/      | /' "$tmp/out"
	for f in "$tmp"/*.log; do
		[ -s "$f" ] || continue
		echo "      --- ${f##*/}"
		tail -n "${LOG_LINES:-15}" "$f" | sed 's/^/      | /'
	done
}

check() { # TITLE COMMAND...: runs in this shell; its output shows only when it fails
	local title=$1
	shift
	if "$@" >"$tmp/out" 2>&1; then
		ok "$title"
	else
		fail "$title"
	fi
	: >"$tmp/out"
}

not() { # COMMAND...: true when it fails
	! "$@"
}

says() { # PATTERN COMMAND...: true when the output matches, whatever the exit status
	local pattern=$1 out
	shift
	out=$("$@" 2>&1)
	grep -qE -e "$pattern" <<<"$out" && return 0
	echo "expected: $pattern"
	echo "got: $out"
	return 1
}

exits() { # STATUS COMMAND...
	local want=$1 rc=0
	shift
	"$@" || rc=$?
	[ $rc = "$want" ] && return 0
	echo "exit status $rc, not $want"
	return 1
}

finish() {
	[ "$failed" = 0 ] || echo "kept: ${kept:-nothing}"
	echo "$(basename "$0"): $passed passed, $failed failed"
	[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
	exit
}
