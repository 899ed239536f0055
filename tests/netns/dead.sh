#!/bin/bash
# An ikevd whose peer is killed does as it is told, and one whose peer has moved finds it by
# its name, which is asked for again at each attempt while other tunnels go on.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need jq perl unshare
net_up

# Dead after 1 s of silence and four copies: 0.2 + 0.3 + 0.45 + 0.675 s.
quick='dpd = "1s"; retransmit = { first = "200ms"; factor = "1.5"; most = "1s"; tries = 4; };
	retransmit_setup = { first = "200ms"; factor = "1.5"; most = "1s"; tries = 4; };'
NOTICED=4

sas() {
	ctl berlin -j status paris | jq '.connections[0].sas | length'
}
anew() {
	stop berlin
	stop paris
	rm -f "$tmp"/*.log
	start paris berlin
}
reasons() { # how often the log says that nobody answers
	grep -c 'warning paris: the peer does not answer' "$tmp/berlin.log"
}

gateway paris passive
gateway berlin passive "$quick"' on_dead = "drop";'
anew
check "drop: up" ctl berlin up paris
stop paris KILL
check "drop: noticed in time" wait_for $NOTICED not is_up berlin paris
start paris
sleep 2
check "drop: and left alone" test "$(sas)" = 0

gateway berlin on-demand "$quick"
anew
check "on-demand: no packet is lost" probe berlin $IN_BERLIN $IN_PARIS 3
stop paris KILL
check "on-demand: noticed in time" wait_for $NOTICED not is_up berlin paris
start paris
sleep 2
check "on-demand: no call without a packet" test "$(sas)" = 0
check "on-demand: no packet is lost then" probe berlin $IN_BERLIN $IN_PARIS 3

gateway berlin passive "$quick"' on_dead = "restart";'
anew
check "restart: up" ctl berlin up paris
stop paris KILL
check "restart: noticed in time" wait_for $NOTICED not is_up berlin paris
start paris
check "restart: up again by itself" wait_for 20 is_up berlin paris
check "restart: packets both ways" wait_for 2 both_ways 2

gateway berlin always "$quick"
anew
check "always: up" wait_for 5 is_up berlin paris
stop paris KILL
check "always: noticed in time" wait_for $NOTICED not is_up berlin paris
capture
sleep 12
captured
calls=$(packets "src host $BERLIN and udp port 500")
check "always: calls go on" test "$calls" -ge 8
check "always: the log says why, and not at each of them" test "$(reasons)" -le 2
start paris
check "always: up again by itself" wait_for 30 is_up berlin paris
check "always: packets both ways" wait_for 2 both_ways 2
stop berlin
stop paris

# ---- names ----

# Answers A queries for gw.paris.example with the address in a file, and others never.
cat >"$tmp/names.pl" <<'X'
use IO::Socket::INET;
my ($file, $log) = @ARGV;
my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 53, Proto => "udp")
	or die "names: $!";
while ($s->recv(my $q, 512)) {
	my ($name, $type) = substr($q, 12) =~ /^(.*?)\0\0(.)/s or next;
	$name = lc($name =~ s/[\x01-\x1f]/./gr);	# evdns plays with upper and lower case
	open my $l, ">>", $log; print $l "$name ", ord($type), "\n"; close $l;
	next if $name ne ".gw.paris.example";
	open my $f, "<", $file; chomp(my $address = <$f>);
	my $question = substr($q, 12, length($name) + 5);
	my $answer = ord($type) == 1 ? "\xc0\x0c\0\1\0\1\0\0\0\1\0\4" .
		pack("C4", split(/\./, $address)) : "";
	$s->send(substr($q, 0, 2) . "\x81\x80\0\1" . ($answer ? "\0\1" : "\0\0") .
		"\0\0\0\0" . $question . $answer);
}
X
echo "nameserver 127.0.0.1" >"$tmp/resolv.conf"
echo "$PARIS" >"$tmp/address"
cat >"$tmp/named_ikevd" <<X
#!/bin/sh
exec unshare -m sh -c 'mount --bind "$tmp/resolv.conf" /etc/resolv.conf &&
	exec "\$0" "\$@"' "$IKEVD" "\$@"
X
chmod +x "$tmp/named_ikevd"
on berlin perl "$tmp/names.pl" "$tmp/address" "$tmp/asked" 2>"$tmp/names.err" &
pid[names]=$!

asked() { # NAME: how often
	grep -c "$1" "$tmp/asked"
}
asked_more() { # NAME COUNT: more often than that
	[ "$(asked "$1")" -gt "$2" ]
}
conf berlin <<X
	daemon = { secrets_dir = "$tmp/berlin.secrets"; };
	connections = {
	  paris = {
	    local = { id = "gw.berlin.example"; subnets = "10.1.0.0/24"; };
	    remote = { address = "gw.paris.example"; id = "gw.paris.example";
	               subnets = "10.2.0.0/24"; };
	    start = "always"; $quick
	  };
	  silent = {
	    local = { id = "gw.berlin.example"; subnets = "10.1.0.0/24"; };
	    remote = { address = "nobody.example"; id = "nobody.example";
	               subnets = "10.3.0.0/24"; };
	    start = "always"; $quick
	  };
	};
X
secret berlin paris "what berlin and paris both know"
secret berlin silent "what nobody knows"
rm -f "$tmp"/*.log
start paris
IKEVD=$tmp/named_ikevd start berlin
check "a name is called" wait_for 10 is_up berlin paris
check "while another one has no answer" wait_for 5 asked_more nobody.example 0
begun=${EPOCHREALTIME/[.,]/}
ctl berlin list >/dev/null
check "and nothing waits for that" test $((${EPOCHREALTIME/[.,]/} - begun)) -lt 1000000
check "packets both ways" both_ways 3
n=$(asked gw.paris)
MOVED=203.0.113.77
stop paris KILL
ip -n "$(ns paris)" addr del $PARIS/24 dev wan
ip -n "$(ns paris)" addr add $MOVED/24 dev wan
ip -n "$(ns paris)" route replace default via 203.0.113.254
ip -n "$(ns router)" route replace 10.2.0.0/24 via $MOVED
echo $MOVED >"$tmp/address"
start paris
check "the name has moved: found dead" wait_for $NOTICED not is_up berlin paris
check "the name has moved: and found again" wait_for 30 is_up berlin paris
check "at its new address" status_is berlin paris \
	".sas[0].remote_address | startswith(\"$MOVED\")"
check "the name was asked for again" asked_more gw.paris "$n"
check "packets both ways after that" wait_for 3 both_ways 3
check "ikevd still runs" alive berlin
finish
