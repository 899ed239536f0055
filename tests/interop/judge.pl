#!/usr/bin/perl
# Says of each packet that `numbers` has lost between ikevd in berlin and strongSwan in
# paris where it ended, by the router's capture towards berlin and by strongSwan's log,
# with esp = 2 (SWAN_ESP_LOG of lib.sh):
#
#	judge.pl ACCOUNT CAPTURE CHARON-LOG BERLIN PARIS
#
# Exit status 0 when strongSwan lost every one of them by an SA that it had deleted of
# its own: it dropped what came on it, or none was left to either side; or by one that it
# had not installed yet, although its making had been answered before on the wire.  Anything
# else is held against ikevd or the test: a packet that ikevd did not send, or dropped, or
# sent on an SA that it had deleted itself.
use strict;
use warnings;

my ($account, $capture, $log, $berlin, $paris) = @ARGV;
my (%cell, %pair, %sas, %told, %deleted, %alive, %last, %bare);
my (%answer, %read, %made);

# What strongSwan says.  SPIs: _i is that of what it receives, _o of what it sends.
open my $charon, '<', $log or die "$log: $!\n";
while (<$charon>) {
	my ($time) = /^\0*([0-9.]+) / or next;
	if (/CHILD_SA c(\d+)\{\d+\} established with SPIs (\w+)_i (\w+)_o/) {
		@cell{$2, $3} = ($1, $1);
		@pair{$2, $3} = ($3, $2);
		$sas{$1}{$2} //= $time;
		$last{$1}[2] //= $time;		# until then it was without
	} elsif (/received DELETE for ESP CHILD_SA with SPI (\w+)/) {
		$told{$1} //= $time;		# the outbound one of the two
	} elsif (/sending DELETE for ESP CHILD_SA with SPI (\w+)/) {
		my $out = $pair{$1} // '';
		# an answer names the pair of what it was told
		$deleted{$1} //= $time if !exists $told{$out};
	} elsif (/ (\d+)\[NET\] received packet: .*\((\d+) bytes\)/) {
		$answer{$1} = $2;		# by the thread that works on it
	} elsif (/ (\d+)\[ESP\] adding SAD entry with SPI (\w+)/) {
		$made{$2} = [$., $answer{$1} // 0];
	} elsif (/parsed ESP header with SPI (\w+) \[seq (\d+)\]/) {
		$read{$1}{$2} //= $.;
	} elsif (/deleted inbound SAD entry with SPI (\w+)/) {
		# without a word, with an IKE SA that has been replaced, for instance
		$deleted{$1} //= $time if !exists $told{$pair{$1} // ''};
	} elsif (/deleted outbound SAD entry with SPI (\w+)/) {
		my $cell = $cell{$1} // next;
		$last{$cell} = [$time, $1];
		push @{$bare{$cell}}, $last{$cell};
	} elsif (/IKE_SA c(\d+)\[(\d+)\] (?:established|rekeyed) between/) {
		$alive{$1}{$2} = 1;
	} elsif (/received DELETE for IKE_SA c(\d+)\[(\d+)\]/) {
		next if grep { $_ != $2 } keys %{$alive{$1}};
		$told{$pair{$_}} //= $time	# it was the only one: that ends all
		    for grep { !exists $deleted{$_} } keys %{$sas{$1}};
	} elsif (/deleting IKE_SA c(\d+)\[(\d+)\]/) {
		delete $alive{$1}{$2};
	}
}
close $charon;

# What went over the wire: by cell and direction, time, SPI and length; and ikevd's IKE
# messages behind a non-ESP marker, time and octets, in 46 of Ethernet, IP, UDP and marker.
my (%wire, %shortest, @said);
open my $dump, '-|', "tcpdump -e -tt -n -r '$capture' 2>/dev/null" or die "tcpdump: $!\n";
while (<$dump>) {
	push @said, [$1, $2 - 46]
	    if /^([0-9.]+) .*, length (\d+): \Q$berlin\E\.4500 > .* isakmp: /;
	my ($time, $from, $spi, $sequence, $length) = m{
		^([0-9.]+)\ .*,\ length\ \d+:\ (\S+?)(?:\.4500)?\ >\ .*
		ESP\(spi=0x(\w+),seq=0x(\w+)\),\ length\ (\d+)}x
	    or next;
	my $cell = $cell{$spi} // next;
	push @{$wire{"$cell $from"}}, [$time, $spi, $length, $sequence];
	$shortest{"$cell $from"} = $length
	    if $length < ($shortest{"$cell $from"} // 1 << 16);
}
close $dump;

# Packet N is as long as 16 * (N % 64) octets more than the shortest, so the next like it
# is 640 ms away.
sub on_the_wire {
	my ($way, $number, $time) = @_;
	for my $p (@{$wire{$way} // []}) {
		return $p if $p->[0] >= $time - 0.002 && $p->[0] < $time + 0.5 &&
		    int(($p->[2] - $shortest{$way}) / 16) == $number % 64;
	}
	return;
}

# Whether no SA was left at that time, who had deleted the last one, and which it was.
# One that has just come up may not be in use yet.
sub none_left {
	my ($cell, $time) = @_;
	my ($last, $who, $which) = (0, 'nobody', 'none');
	for my $in (grep { $sas{$cell}{$_} < $time - 0.2 } keys %{$sas{$cell} // {}}) {
		my @ends = ([$deleted{$in}, 'strongSwan'], [$told{$pair{$in}}, 'ikevd']);
		my ($end) = sort { $a->[0] <=> $b->[0] } grep { defined $_->[0] } @ends;
		return if !defined $end || $end->[0] > $time + 0.05;
		($last, $who, $which) = (@$end, $in) if $end->[0] > $last;
	}
	return ($who, $which);
}

# The verdict, and whether it clears ikevd.
sub unsent {
	my ($sender, $cell, $time) = @_;
	my ($who, $which) = none_left($cell, $time);
	my ($gap) = grep { $_->[0] < $time && $time < ($_->[2] // 'inf') + 0.1 &&
	    exists $deleted{$pair{$_->[1]}} } grep { defined $_->[1] } @{$bare{$cell} // []};
	return (1, "strongSwan had deleted what it sent on, $gap->[1]")
	    if $sender eq 'strongSwan' && defined $gap;
	return (0, "$sender did not send it") if !defined $who;
	return ($who eq 'strongSwan', "$who had deleted the last SA, $which");
}

# Whether strongSwan read this packet before it had worked on the message that makes its SA,
# although that had gone before.
sub read_too_early {
	my ($p) = @_;
	my ($time, $spi, $sequence) = ($p->[0], $p->[1], hex $p->[3]);
	my ($line, $octets) = @{$made{$spi} // return};
	return if ($read{$spi}{$sequence} // $line) >= $line;
	return grep { $_->[1] == $octets && $_->[0] < $time && $_->[0] > $time - 1 } @said;
}

sub from_berlin {
	my ($cell, $number, $time) = @_;
	my $p = on_the_wire("$cell $berlin", $number, $time)
	    or return unsent('ikevd', $cell, $time);
	my ($spi, $out) = ($p->[1], $pair{$p->[1]});
	return (0, "ikevd sent it on $spi, $p->[3], which it had deleted itself")
	    if exists $told{$out} && $told{$out} < $p->[0];
	return (1, "strongSwan dropped it: it had deleted $spi")
	    if exists $deleted{$spi} && $deleted{$spi} < $p->[0] + 1;
	return (1, "strongSwan read it before the answer that makes $spi")
	    if read_too_early($p);
	return (0, "ikevd sent it on $spi, $p->[3], which nobody had deleted");
}

sub from_paris {
	my ($cell, $number, $time) = @_;
	my $p = on_the_wire("$cell $paris", $number, $time)
	    or return unsent('strongSwan', $cell, $time);
	my ($spi, $in) = ($p->[1], $pair{$p->[1]});
	my ($who) = none_left($cell, $p->[0]);	# else it may linger for 5 s
	return (1, "strongSwan sent it on $spi, after it had deleted that")
	    if exists $deleted{$in} &&
	    $deleted{$in} + (defined $who ? 0 : 5) < $p->[0];
	return (0, "ikevd dropped it on $spi, $p->[3]");
}

my ($cleared, $charged) = (0, 0);
open my $list, '<', $account or die "$account: $!\n";
while (<$list>) {
	my ($side, $cell, $number, $time) =
	    /^lost 10\.([12])\.(\d+)\.1 \S+ (\d+) ([0-9.]+)/ or next;
	my ($clear, $why) = $side == 1 ? from_berlin($cell, $number, $time) :
	    from_paris($cell, $number, $time);
	$clear ? $cleared++ : $charged++;
	print "c$cell, number $number at $time: $why\n";
}
print "$cleared lost by strongSwan, $charged otherwise\n";
exit($charged == 0 ? 0 : 1);
