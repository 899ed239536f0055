#!/bin/bash
# The control socket as a stranger sees it: Varlink, and whatever else is written into it.
# shellcheck source=../netns/lib.sh
. "$(dirname "$0")/lib.sh"
need jq
net_up
gateway berlin passive
gateway paris passive
start berlin paris

# Sends its argument (a perl string) and prints the answers, NULs as newlines, until the
# daemon closes or half a second has passed.
speak() {
	perl -MIO::Socket::UNIX -MIO::Select -e '
		$SIG{PIPE} = "IGNORE";
		my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "connect: $!";
		my $text = eval $ARGV[1];
		while (length $text) {
			my $n = syswrite $s, $text, 65536;
			last unless $n;
			substr($text, 0, $n) = "";
		}
		my $wait = IO::Select->new($s);
		while ($wait->can_read(0.5)) {
			last unless sysread $s, my $b, 65536;
			$b =~ tr/\0/\n/;
			print $b;
		}' "$tmp/berlin.sock" "$1"
}
error='"error": ?"'

check "the socket has mode 0660" test "$(stat -c %a "$tmp/berlin.sock")" = 660
check "GetInfo answers" says '"parameters"' \
	speak '"{\"method\":\"org.varlink.service.GetInfo\"}\0"'
check "GetInterfaceDescription answers" says 'interface org.ikev.Ikevd' speak \
	'"{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"org.ikev.Ikevd\"}}\0"'
check "two calls in one write get two answers" \
	test "$(speak '"{\"method\":\"org.varlink.service.GetInfo\"}\0" x 2' | grep -c parameters)" = 2
check "garbage gets an error" says "$error" speak '"garbage\0"'
check "broken JSON gets an error" says "$error" speak '"{\"method\":\0"'
check "JSON that is no call gets an error" says "$error" speak '"[1,2,3]\0"'
check "a method that is no string gets an error" says "$error" speak '"{\"method\":7}\0"'
check "an unknown method gets an error" says "$error" \
	speak '"{\"method\":\"org.ikev.Ikevd.Sideways\"}\0"'
check "an unknown interface gets an error" says "$error" speak '"{\"method\":\"a.b.C\"}\0"'
check "deep nesting is no crash" says '' speak '"[" x 100000 . "\0"'
check "octets of all kinds are no crash" says '' speak 'join("", map { chr(int(rand 256)) } 1 .. 20000)'
check "a call without an end is bounded" says '' speak '"x" x 30_000_000'
check "an empty call is no crash" says '' speak '"\0\0\0"'
check "hanging up is no crash" says '' speak '"{\"method\":\"org.ikev.Ikevd.Up\",\"par"'
check "and after all that it answers" exits 0 ctl berlin list
check "berlin still runs" alive berlin

# Hangs up in the middle of an `up` that cannot succeed soon.
stop paris
timeout 0.5 "$IKECTL" -s "$tmp/berlin.sock" up paris >/dev/null 2>&1
check "a client that leaves in the middle is no crash" exits 0 ctl berlin list
start paris
check "and the tunnel comes up for the next" exits 0 ctl berlin up paris
check "and carries" both_ways 2
hold=()
for _ in $(seq 100); do
	perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => shift) or die; sleep 9' \
		"$tmp/berlin.sock" 2>/dev/null &
	hold+=($!)
done
check "a hundred idle clients do not stop the next" exits 0 ctl berlin list
kill "${hold[@]}" 2>/dev/null
wait "${hold[@]}" 2>/dev/null
check "ikectl without a daemon: exit status 1" exits 1 timeout 5 "$IKECTL" -s "$tmp/none.sock" list
check "ikectl without a daemon: says which socket" says "$tmp/none.sock" \
	timeout 5 "$IKECTL" -s "$tmp/none.sock" list
finish
