#!/bin/bash
# The router as an enemy: it repeats, changes and cuts what it has seen, and makes up the
# rest.  The tunnel stays, nothing of it is taken for true, and all of it is counted.
# shellcheck source=../netns/lib.sh
. "$(dirname "$0")/lib.sh"
need jq
net_up
gateway berlin passive
PEER=any gateway paris passive
start paris berlin

# Sends packets of the capture again, as they came from whoever sent them, in a MODE:
#	same	as they are
#	flip	each with one bit changed behind the UDP header, 20 times
#	cut	each cut off at every length
#	init	the first one 2000 times, each with another initiator's SPI
cat >"$tmp/again.pl" <<'X'
use Socket;
my ($file, $mode, $to, $port) = @ARGV;
srand 1;
open my $f, "<:raw", $file or die $!;
local $/;
my $data = <$f>;
socket my $s, AF_INET, SOCK_RAW, 255 or die $!;
my ($n, @all) = (0);
for (my $at = 24; $at + 16 <= length $data; ) {
	my $len = unpack "V", substr $data, $at + 8, 4;
	my $p = substr $data, $at + 16 + 14, $len - 14;
	$at += 16 + $len;
	next unless ord($p) == 0x45 and ord(substr $p, 9, 1) == 17;
	next unless substr($p, 16, 4) eq inet_aton($to);
	next unless unpack("n", substr $p, 22, 2) == $port;
	push @all, $p;
}
sub out {
	my $p = shift;
	substr $p, 2, 2, pack "n", length $p;
	substr $p, 24, 2, pack "n", length($p) - 20;
	substr $p, 26, 2, "\0\0";	# no UDP checksum
	send $s, $p, 0, pack_sockaddr_in(0, inet_aton($to)) or die $!;
	select undef, undef, undef, 0.002 if ++$n % 50 == 0;	# a socket's buffer is finite
}
for my $p (@all) {
	if ($mode eq "same") { out($p); }
	elsif ($mode eq "flip") {
		for (1 .. 20) {
			my $at = 28 + int rand(length($p) - 28);
			my $q = $p;
			substr $q, $at, 1, chr(ord(substr $q, $at, 1) ^ (1 << int rand 8));
			out($q);
		}
	}
	elsif ($mode eq "cut") { out(substr $p, 0, $_) for 28 .. length($p) - 1; }
	else {
		for (1 .. 2000) {
			substr $p, 28, 8, pack "NN", 1 + int rand(1 << 31), $_;
			out($p);
		}
		last;
	}
}
print "$n\n";
X
again() { # MODE ADDRESS PORT: how many packets
	on router perl "$tmp/again.pl" "$tmp/first.pcap" "$@"
}
dropped() { # NODE WHY
	ctl "$1" -j status | jq ".connections[0].sas[0].children[0].dropped_$2"
}
still_well() {
	alive berlin && alive paris && is_up berlin paris && is_up paris berlin && both_ways 2
}

capture
check "up" ctl berlin up paris
check "packets both ways" both_ways 10
captured
mv "$tmp/cap.pcap" "$tmp/first.pcap"

before=$(echoes_in paris)
sent=$(again same $PARIS 4500)
check "repeated: ESP and IKE" test "$sent" -ge 21
check "repeated: the inner packets do not arrive again" test "$(echoes_in paris)" = "$before"
check "repeated: counted as such" test "$(dropped paris replay)" = 20
sent=$(again same $PARIS 500)
check "repeated: the IKE_SA_INIT request" test "$sent" = 1
again same $BERLIN 4500 >/dev/null
again same $BERLIN 500 >/dev/null
check "repeated to berlin: counted as such" test "$(dropped berlin replay)" = 20
check "repeated: the tunnel is well" still_well

before=$(echoes_in paris)
sent=$(again flip $PARIS 4500)
check "one bit changed: many" test "$sent" -ge 400
again flip $PARIS 500 >/dev/null
again flip $BERLIN 4500 >/dev/null
again flip $BERLIN 500 >/dev/null
check "one bit changed: none arrives" test "$(echoes_in paris)" = "$before"
check "one bit changed: counted" test "$(dropped paris integrity)" -gt 0
check "one bit changed: the tunnel is well" still_well

again cut $PARIS 4500 >/dev/null
again cut $PARIS 500 >/dev/null
again cut $BERLIN 4500 >/dev/null
again cut $BERLIN 500 >/dev/null
check "cut at every length: the tunnel is well" still_well

# Made up: octets of all kinds, some of which begin like an IKE message.
cat >"$tmp/noise.pl" <<'X'
use IO::Socket::INET;
srand 2;
for my $port (500, 4500) {
	my $s = IO::Socket::INET->new(Proto => "udp", PeerAddr => $ARGV[0], PeerPort => $port) or die;
	for my $i (1 .. 1500) {
		my $b = join "", map { chr int rand 256 } 1 .. int rand 300;
		if ($i % 3) {
			$b = ($port == 4500 ? "\0\0\0\0" : "") . pack("NNNNCCCCNN", map({ int rand 1 << 32 } 1 .. 4),
				33 + int rand 22, 0x20, 34 + int rand 4, 8 * int rand 8, int rand 3,
				28 + length $b) . $b;
		}
		$s->send($b);
		select undef, undef, undef, 0.002 if $i % 50 == 0;
	}
}
X
on router perl "$tmp/noise.pl" $PARIS
on router perl "$tmp/noise.pl" $BERLIN
check "made up: the tunnel is well" still_well

sent=$(again init $PARIS 500)
check "a flood of IKE_SA_INIT: sent" test "$sent" = 2000
check "a flood of IKE_SA_INIT: the tunnel is well" still_well
check "a flood of IKE_SA_INIT: paris answers its own" exits 0 ctl paris status
check "a flood of IKE_SA_INIT: down" ctl berlin down paris
# The flood came from berlin's own address: who forges it must not keep berlin out.
check "a flood of IKE_SA_INIT: up within 5 s" timeout 5 "$IKECTL" -s "$tmp/berlin.sock" up paris
check "a flood of IKE_SA_INIT: packets both ways" wait_for 40 both_ways 2
check "berlin ends well" stop berlin
check "paris ends well" stop paris
finish
