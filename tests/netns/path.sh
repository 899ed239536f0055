#!/bin/bash
# The outside: IPv6, protocol 50, sizes, and peers inside their own remote subnets.
# shellcheck source=../netns/lib.sh
. "$(dirname "$0")/lib.sh"
net_up
dual_berlin='"10.1.0.0/24", "2001:db8:1::/64"'
dual_paris='"10.2.0.0/24", "2001:db8:2::/64"'

again() { # TITLE: both daemons on the configurations as they are now
	local title=$1
	start paris
	start berlin
	check "$title: up" ctl berlin up paris
}
stopped() {
	stop berlin
	stop paris
}

# ---- sizes ----
gateway berlin always
gateway paris passive
capture
again "sizes"
for size in 1300 1372 1400 1472 1500 2000 3000; do
	check "ping -s $size both ways" both_ways 2 -s $size -M dont
done
mtu=$(on berlin ip -o route get "$IN_PARIS" from "$IN_BERLIN" | sed -n 's/.* dev \([^ ]*\).*/\1/p')
mtu=$(on berlin cat "/sys/class/net/$mtu/mtu")
check "the tunnel's own MTU is usable: $mtu" test "${mtu:-0}" -ge 1280
check "the largest packet that must not be fragmented" both_ways 2 -s $((mtu - 28)) -M "do"
check "one octet more is refused, with the size" \
	says "mtu ?= ?$mtu" on berlin ping -c 1 -W 1 -M "do" -s $((mtu - 27)) -I "$IN_BERLIN" "$IN_PARIS"
add_desk
check "a host behind berlin is told the size as well" \
	says "mtu ?= ?$mtu" on desk ping -c 2 -i 0.1 -W 1 -M "do" -s 1472 "$IN_PARIS"
check "and gets through with it" probe desk 10.1.0.2 "$IN_PARIS" 3 -s $((mtu - 28)) -M "do"
check "or in fragments" probe desk 10.1.0.2 "$IN_PARIS" 3 -s 3000 -M dont
captured
check "sizes: never a fragment outside" sealed

# ---- a stream, and the DS field (RFC 6040) ----
head -c 4194304 /dev/urandom >"$tmp/sent"
cat >"$tmp/take.pl" <<'X'
use IO::Socket::INET;
my $l = IO::Socket::INET->new(LocalAddr => shift, LocalPort => 7777, Listen => 1) or die;
print STDERR "listening\n";
my $s = $l->accept;
print $b while sysread $s, $b, 65536;
X
cat >"$tmp/give.pl" <<'X'
use IO::Socket::INET;
my ($from, $to) = splice @ARGV, 0, 2;
my $s = IO::Socket::INET->new(LocalAddr => $from, PeerAddr => $to, PeerPort => 7777) or die;
print $s $b while sysread STDIN, $b, 65536;
X
stream() { # FROM-NODE FROM TO-NODE TO: 4 MiB over TCP arrive as they were sent
	local taker
	rm -f "$tmp/listening"
	on "$3" perl "$tmp/take.pl" "$4" >"$tmp/got" 2>"$tmp/listening" &
	taker=$!
	wait_for 5 test -s "$tmp/listening"
	on "$1" timeout 20 perl "$tmp/give.pl" "$2" "$4" <"$tmp/sent"
	wait_for 5 gone "$taker" || kill "$taker"
	cmp "$tmp/sent" "$tmp/got"
}
capture
check "4 MiB over TCP to paris" stream berlin "$IN_BERLIN" paris "$IN_PARIS"
check "4 MiB over TCP to the host behind berlin" stream paris "$IN_PARIS" desk 10.1.0.2
captured
check "4 MiB over TCP: never a fragment outside" no_fragments
check "4 MiB over TCP: nothing of it in the clear" no_inner_byte
capture
check "the DS field goes through" probe berlin "$IN_BERLIN" "$IN_PARIS" 3 -Q 0xb8
captured
check "and shows outside" test "$(packets "ip[1] = 0xb8 and ($is_esp)")" = 6

# ---- the path becomes narrower, twice: it is learnt from what does not get through ----
narrow() { # MTU of the router's link to paris
	ip -n "$(ns router)" link set paris mtu "$1"
	ip -n "$(ns paris)" link set wan mtu "$1"
}
narrow 1400
check "the path shrinks to 1400: large packets soon pass" \
	wait_for 10 both_ways 2 -s 1410 -M dont -W 0.2
narrow 1300
check "the path shrinks to 1300: large packets soon pass" \
	wait_for 10 both_ways 2 -s 1410 -M dont -W 0.2
capture
check "and all of them then" both_ways 5 -s 3000 -M dont
captured
check "without a fragment outside" no_fragments
narrow 1500
stopped

# ---- protocol 50 ----
gateway berlin always 'encap = "never";'
gateway paris passive 'encap = "never";'
capture
again "protocol 50"
check "protocol 50: packets both ways" both_ways 3
check "protocol 50: large ones" both_ways 2 -s 3000 -M dont
captured
check "protocol 50: only IKE and ESP" sealed
check "protocol 50 it was" test "$(packets 'ip proto 50')" -ge 12
check "and no ESP in UDP" test "$(packets "udp and ($is_esp)")" = 0
stopped

# ---- IPv6 ----
MINE=$dual_berlin THEIRS=$dual_paris PEER=$PARIS6 gateway berlin always
MINE=$dual_paris THEIRS=$dual_berlin PEER=$BERLIN6 gateway paris passive
capture
again "IPv6 outside"
check "IPv6 outside: IPv4 inside" both_ways 3
check "IPv6 outside: IPv6 inside" both_ways6 3
check "IPv6 outside: large ones" both_ways6 2 -s 3000
check "IPv6 outside: large IPv4 ones" both_ways 2 -s 3000 -M dont
captured
check "IPv6 outside: only IKE and ESP" sealed
check "IPv6 it was" test "$(packets "ip6 and ($is_esp)")" -ge 24
stopped

MINE=$dual_berlin THEIRS=$dual_paris PEER=$PARIS6 gateway berlin always 'encap = "never";'
MINE=$dual_paris THEIRS=$dual_berlin PEER=$BERLIN6 gateway paris passive 'encap = "never";'
capture
again "protocol 50 in IPv6"
check "protocol 50 in IPv6: IPv6 inside" both_ways6 3
check "protocol 50 in IPv6: IPv4 inside" both_ways 3
captured
check "protocol 50 in IPv6: only IKE and ESP" sealed
check "protocol 50 in IPv6 it was" test "$(packets 'ip6 proto 50')" -ge 12
stopped

MINE=$dual_berlin THEIRS=$dual_paris gateway berlin always
MINE=$dual_paris THEIRS=$dual_berlin gateway paris passive
capture
again "IPv4 outside"
check "IPv4 outside: IPv6 inside" both_ways6 3
check "IPv4 outside: IPv4 inside" both_ways 3
captured
check "IPv4 outside: only IKE and ESP" sealed
stopped

# ---- berlin behind a NAT: paris knows neither its address nor its ports ----
on router nft -f - <<X
	table ip nat {
		chain out {
			type nat hook postrouting priority 100;
			oifname "paris" ip saddr $BERLIN masquerade random
		}
	}
X
gateway berlin always 'encap = "auto";'
PEER=any gateway paris passive 'encap = "auto";'
capture
again "behind a NAT"
check "behind a NAT: packets both ways" both_ways 3
check "behind a NAT: large ones" both_ways 2 -s 3000 -M dont
captured
check "behind a NAT: only IKE and ESP" sealed
check "behind a NAT: ESP went in UDP" test "$(packets "udp and ($is_esp)")" -ge 12
check "behind a NAT: down" ctl paris down berlin
check "behind a NAT: berlin hears it" wait_for 2 not is_up berlin paris
stopped
on router nft delete table ip nat

# ---- the peer inside its own remote subnet: the daemon's datagrams must not loop ----
THEIRS='"203.0.113.0/24"' gateway berlin always
MINE='"203.0.113.0/24"' gateway paris passive
capture
again "the peer is inside its subnet"
check "the peer's outer address through the tunnel" probe berlin "$IN_BERLIN" "$PARIS" 3
check "and back" probe paris "$PARIS" "$IN_BERLIN" 3
captured
check "the peer is inside its subnet: only IKE and ESP" sealed
stopped

THEIRS='"0.0.0.0/0"' gateway berlin always
MINE='"0.0.0.0/0"' gateway paris passive
capture
again "everything into the tunnel"
check "everything into the tunnel: packets both ways" both_ways 3
check "everything into the tunnel: the peer itself" probe berlin "$IN_BERLIN" "$PARIS" 3
captured
check "everything into the tunnel: only IKE and ESP" sealed
stopped
finish
