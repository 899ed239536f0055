#!/bin/bash
# What ikevd makes around a tunnel so that nothing protected travels in clear (T93): routes,
# rules and packet filter, and what must get through all the same.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need nft
net_up
add_desk

routes() { # NODE: of our table, both families
	on "$1" sh -c 'ip -4 route show table 7296; ip -6 route show table 7296' 2>/dev/null
}
dropped() { # NODE in|out: packets
	on "$1" nft list counter inet ikevd "clear_$2" | sed -n 's/.*packets \([0-9]*\).*/\1/p'
}
leads() { # NODE DESTINATION [FROM ...]: the interface
	on "$1" ip route get "${@:2}" 2>&1 | sed -n 's/.* dev \([^ ]*\).*/\1/p'
}
is() { # WANTED GOT
	[ "$1" = "$2" ] && return 0
	echo "expected: $1"
	echo "got: $2"
	return 1
}
thief() { # FROM TO: how many of 3 pings from the router berlin accepted
	local before
	before=$(echoes_in berlin)
	on router ping -n -q -c 3 -i 0.02 -W 0.2 -w 1 -I "$1" "$2" >/dev/null 2>&1
	echo $(($(echoes_in berlin) - before))
}
told() { # NODE FROM TO PATTERN
	says "$4" on "$1" ping -n -c 2 -i 0.2 -W 1 -I "$2" "$3"
}
has_routes() { # PATTERN...: each matches a route of berlin
	local pattern
	for pattern; do
		says "$pattern" routes berlin || return
	done
}

# ---- routes, with nobody at the other end ----
MINE='"10.1.0.0/24", "2001:db8:1::/64"' THEIRS='"10.2.0.0/24", "2001:db8:2::/64"' \
	gateway berlin always
start berlin
check "routes with a source from the local subnets" has_routes \
	'10\.2\.0\.0/24 dev ikev0 .*src 10\.1\.0\.1 .*mtu 1[0-9]+' \
	'2001:db8:2::/64 dev ikev0 .*src 2001:db8:1::1 .*mtu 1[0-9]+' \
	'unreachable 10\.2\.0\.0/24' 'unreachable 2001:db8:2::/64'
check "who asks is told" told berlin $IN_BERLIN $IN_PARIS 'Host Unreachable'
check "in IPv6 too" told berlin $IN_BERLIN6 $IN_PARIS6 'Address unreachable'
check "what no policy has is prohibited" \
	told berlin $BERLIN $IN_PARIS 'filtered|prohibited'
ip -n "$(ns berlin)" addr del $IN_BERLIN/24 dev lan
check "the source goes with its address" \
	wait_for 2 not says '10\.2\.0\.0/24 dev ikev0.*src' routes berlin
check "and the route stays" has_routes '10\.2\.0\.0/24 dev ikev0'
ip -n "$(ns berlin)" addr add 10.1.0.9/24 dev lan
check "an address that comes later becomes the source" \
	wait_for 2 has_routes '10\.2\.0\.0/24 dev ikev0 .*src 10\.1\.0\.9'
ip -n "$(ns berlin)" addr del 10.1.0.9/24 dev lan
ip -n "$(ns berlin)" addr add $IN_BERLIN/24 dev lan
check "and the first one again" \
	wait_for 2 has_routes '10\.2\.0\.0/24 dev ikev0 .*src 10\.1\.0\.1'

# ---- what others do to it ----
ip -n "$(ns berlin)" link set ikev0 down
check "interface down: unreachable" is "" "$(leads berlin $IN_PARIS)"
ip -n "$(ns berlin)" link set ikev0 up
check "interface up: the routes are back" \
	wait_for 2 has_routes '10\.2\.0\.0/24 dev ikev0' '2001:db8:2::/64 dev ikev0'
on berlin nft flush ruleset
check "packet filter flushed: our table is back" \
	wait_for 2 on berlin nft list table inet ikevd
ip -n "$(ns router)" addr add $IN_PARIS/32 dev lo
check "with its sets: the thief is dropped" is 0 "$(thief $IN_PARIS $IN_BERLIN)"
check "and counted" test "$(dropped berlin in)" -ge 3
ip -n "$(ns berlin)" rule add pref 100 lookup main
capture
check "somebody's rule before ours: nothing is answered" silence berlin $IN_BERLIN $IN_PARIS
check "for the desk neither" silence desk 10.1.0.2 $IN_PARIS
captured
check "and nothing left in clear" no_inner_byte
check "but was counted" test "$(dropped berlin out)" -ge 6
ip -n "$(ns berlin)" rule del pref 100
check "a second ikevd is refused, on a socket of its own" says 'another ikevd' \
	on berlin timeout 5 "$IKEVD" -f "$tmp/berlin.conf" -s "$tmp/second.sock"
check "and the first one still has its routes" has_routes '10\.2\.0\.0/24 dev ikev0'
stop berlin KILL
check "killed: unreachable" is "" "$(leads berlin $IN_PARIS)"
check "killed: the thief is dropped" is 0 "$(thief $IN_PARIS $IN_BERLIN)"
ip -n "$(ns router)" addr del $IN_PARIS/32 dev lo
start berlin
ip -n "$(ns berlin)" link del ikev0
check "interface deleted: unreachable" is "" "$(leads berlin $IN_PARIS)"
check "said in the log" wait_for 2 grep -q 'deleted ikev0' "$tmp/berlin.log"
check "stops all the same" stop berlin

# ---- the daemon's own traffic, although both addresses are protected ----
MINE='"192.0.2.0/24"' THEIRS='"203.0.113.0/24"' gateway berlin on-demand
start berlin
throw() { # DESTINATION KIND: one packet from paris
	# shellcheck disable=SC2016 # they are perl's
	on paris perl -MSocket -e '
		my ($src, $dst, $kind) = (map(inet_aton($_), @ARGV[0, 1]), $ARGV[2]);
		my $ours = sub {	# a packet of berlin, as an ICMP error quotes it
			pack("CCnnnCCn", 0x45, 0, 100, 7, 0, 64, $_[0], 0) . $dst . $src .
			    pack("nnnn", $_[1], 4500, 80, 0) };
		my $udp = sub { (17, pack("nnnn", 4500, $_[0], 28, 0) . "x" x 20) };
		my $icmp = sub { my $b = pack("CCnN", 3, 4, 0, 1400) . $_[0];
			my $s = unpack("%32n*", $b); $s = ($s >> 16) + ($s & 65535) for 1, 2;
			substr($b, 2, 2) = pack("n", ~$s & 65535); (1, $b) };
		my %kinds = (
			500 => sub { $udp->(500) }, 4500 => sub { $udp->(4500) },
			9999 => sub { $udp->(9999) }, tcp => sub { (6, "z" x 20) },
			esp => sub { (50, "\0\0\1\1" x 10) },
			fragment => sub { (17, "y" x 64, 100) },
			big_udp => sub { $icmp->($ours->(17, 4500)) },
			big_esp => sub { $icmp->($ours->(50, 77)) },
			big_dns => sub { $icmp->($ours->(17, 53)) },
			big_tcp => sub { $icmp->($ours->(6, 4500)) });
		my ($protocol, $payload, $offset) = $kinds{$kind}->();
		socket(my $s, AF_INET, SOCK_RAW, 255) or die;
		send($s, pack("CCnnnCCn", 0x45, 0, 20 + length $payload, 7, $offset // 0, 64,
			$protocol, 0) . $src . $dst . $payload, 0, sockaddr_in(0, $dst)) or die;
		' "$PARIS" "$1" "$2"
}
through() { # DESTINATION KIND...: each passes
	local before kind
	for kind in "${@:2}"; do
		before=$(dropped berlin in)
		throw "$1" "$kind" || return
		is "$kind $before" "$kind $(dropped berlin in)" || return
	done
}
stopped() { # DESTINATION KIND...: each is dropped and counted
	local before kind
	for kind in "${@:2}"; do
		before=$(dropped berlin in)
		throw "$1" "$kind" || return
		sleep 0.02
		is "$kind $((before + 1))" "$kind $(dropped berlin in)" || return
	done
}
check "IKE and ESP get through, and errors about them" \
	through $BERLIN 500 4500 esp fragment big_udp big_esp
check "nothing else does" stopped $BERLIN 9999 tcp big_dns big_tcp
check "stops" stop berlin
MINE='"10.1.0.0/24"' THEIRS='"203.0.113.0/24"' gateway berlin on-demand
start berlin
check "nor IKE and ESP that are for another host" stopped 10.1.0.2 500 4500 esp
check "stops again" stop berlin

# ---- wide remote ranges leave this host its neighbours ----
ip -n "$(ns router)" addr add 198.51.100.9/32 dev lo
THEIRS='"10.0.0.0/8"' gateway berlin on-demand
start berlin
check "10.0.0.0/8: into the tunnel" is ikev0 "$(leads berlin 10.77.0.1)"
check "but not the local subnet in it" is lan "$(leads berlin 10.1.0.2)"
check "the desk and berlin hear each other" probe desk 10.1.0.2 $IN_BERLIN 3
check "stops" stop berlin

MINE='"10.1.0.0/24", "2001:db8:1::/64"' THEIRS='"0.0.0.0/0", "::/0"' \
	gateway berlin on-demand
start berlin
for try in "198.51.100.9 ikev0" "198.51.100.9 ikev0 from $IN_BERLIN" \
	"198.51.100.9 wan from $BERLIN" "198.51.100.9 wan mark 0x7296" "10.1.0.2 lan" \
	"2001:db8:77::1 ikev0" "2001:db8:77::1 ikev0 from $IN_BERLIN6" \
	"2001:db8:77::1 wan from $BERLIN6" "2001:db8:77::1 wan mark 0x7296" \
	"2001:db8:1::2 lan"; do
	# shellcheck disable=SC2086 # words are what it is for
	set -- $try
	check "everything: $1 ${*:3} goes to $2" is "$2" "$(leads berlin "$1" "${@:3}")"
done
check "the desk and berlin hear each other" probe desk 10.1.0.2 $IN_BERLIN 3
check "the outer address is reached as before" is 3 "$(thief 198.51.100.9 $BERLIN)"
check "the inner one is not" is 0 "$(thief 198.51.100.9 $IN_BERLIN)"
check "stops" stop berlin

# ---- a path that is narrower than Ethernet ----
ip -n "$(ns berlin)" route add 203.0.113.0/24 via 192.0.2.254 mtu 1400
gateway berlin always
gateway paris passive
start paris
capture
start berlin
check "the tunnel comes up" wait_for 5 is_up berlin paris
# 1400 - IP 20 - UDP 8 - ESP 8 - IV 8 - ICV 16 = 1340, of which 2 are the trailer
check "the route has the path's MTU, less what ESP takes" \
	has_routes '10\.2\.0\.0/24 dev ikev0 .*mtu 1338'
check "large packets" both_ways 2 -s 3000 -M dont
check "the largest" probe berlin $IN_BERLIN $IN_PARIS 2 -s $((1338 - 28)) -M "do"
captured
check "never a fragment outside" sealed
finish
