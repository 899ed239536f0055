#!/bin/bash
# ikevd and strongSwan: IKE_AUTH in fragments both ways, RFC 7383, as strongSwan and as we
# cut them; either side without; on a way that loses packets, and on one that drops every
# IP fragment, as many do: what this is for.
# shellcheck source=../interop/lib.sh
. "$(dirname "$0")/lib.sh"
need nft
net_up

# So many subnets here that IKE_AUTH is over 2,000 octets long.
subnets() { # BEFORE BETWEEN AFTER
	local i out=
	for ((i = 0; i < 240; i += 2)); do
		out+=${out:+$2}$1"10.1.$i.0/24"$3
	done
	echo "$out"
}
MINE=$(subnets '"' ', ' '"')
REMOTE_TS=$(subnets '' ',' '')
export MINE REMOTE_TS

ours() { # FRAGMENT [FURTHER KEYS]
	gateway berlin passive "fragment = $1; ${2-}"
}

# Of the last capture.  SKF payloads are 53; the first payload's type is octet 16 of IKE.
is_cut='(ip and udp port 500 and udp[24] = 53) or (ip and udp port 4500 and udp[8:4] = 0 and udp[28] = 53)'
is_cut+=' or (ip6 and udp port 500 and ip6[64] = 53) or (ip6 and udp port 4500 and ip6[48:4] = 0 and ip6[68] = 53)'
cut() { # FROM LEAST: so many fragments at least
	local n
	n=$(packets "src host $1 and ($is_cut)")
	[ "$n" -ge "$2" ] && return
	echo "$n fragments from $1, not $2"
	return 1
}
cut_both() { # LEAST of ikevd's, LEAST of strongSwan's
	cut "${PEER:-$BERLIN}" "$1" && cut "${OUTER:-$PARIS}" "$2"
}
uncut() {
	not cut "$BERLIN" 1 && not cut "$PARIS" 1
}
within() { # FROM SIZE: no IP packet with a fragment is longer, and one nearly is
	test "$(packets "src host $1 and ($is_cut) and greater $(($2 + 15))")" = 0 &&
		test "$(packets "src host $1 and ($is_cut) and greater $(($2 - 10))")" != 0
}
swan_saw() { # COUNT: reassembled so many messages of ours, in five fragments each
	[ "$(grep -c 'received fragment #5 of 5' "$tmp/paris.charon.log")" -ge "$1" ]
}

both_call() { # TITLE: up from either side, with packets
	check "$1: up from ikevd" ctl berlin up paris
	check "$1: packets" both_ways 2
	check "$1: counted by strongSwan" swan_carried paris berlin
	check "$1: down from ikevd" ctl berlin down paris
	check "$1: strongSwan has closed" wait_for 2 swan_empty paris
	check "$1: up from strongSwan" swan_up paris berlin
	check "$1: packets again" both_ways 2
	check "$1: down from strongSwan" swan_down paris berlin
	check "$1: ikevd has closed" wait_for 2 not is_up berlin paris
}

# ---- both cut to 576 octets ----

CHARON='fragment_size = 576'
ours 576
swan_gateway
anew
capture
both_call "576"
captured
check "576: sealed, and no IP fragment" sealed
check "576: five fragments of each message of ours" cut "$BERLIN" 10
check "576: strongSwan cuts too" cut "$PARIS" 8
check "576: strongSwan has put ours together" swan_saw 2
check "576: ours are no longer" within "$BERLIN" 576
check "576: ikevd says nothing of them" not says 'fragment' cat "$tmp/berlin.log"

ours 576 'ike = [ "aes256-sha256-x25519" ];'
IKE=aes256-sha256-x25519 swan_gateway
anew
capture
both_call "576 with CBC"
captured
check "576 with CBC: cut both ways" cut_both 10 8
check "576 with CBC: ours are no longer" within "$BERLIN" 576

PEER=$PARIS6 ours 576
OUTER=$PARIS6 PEER=$BERLIN6 swan_gateway
anew
capture
both_call "576 over IPv6"
captured
OUTER=$PARIS6 PEER=$BERLIN6 check "576 over IPv6: cut both ways" cut_both 10 8
check "576 over IPv6: ours are no longer" within "$BERLIN6" 576

# ---- each its own size ----

ours 1280
swan_gateway
anew
capture
both_call "1280 and 576"
captured
check "1280 and 576: cut both ways" cut_both 4 8
check "1280 and 576: ours are no longer" within "$BERLIN" 1280

# ---- one side without ----

ours 0
swan_gateway
anew
capture
both_call "never in ikevd"
captured
check "never in ikevd: nothing is cut" uncut

ours 576
FRAGMENTATION=no swan_gateway
anew
capture
both_call "never in strongSwan"
captured
check "never in strongSwan: nothing is cut" uncut
check "never in strongSwan: IP does it" not no_fragments

# ---- what it is for ----

drop() { # RULE of the router
	on router nft -f - <<-X
		flush ruleset
		table inet lossy {
			chain before { type filter hook prerouting priority -500; $1; }
		}
	X
}

# The hook stands before reassembly, which conntrack would do.
drop 'ip frag-off & 0x3fff != 0 drop'
ours 0
swan_gateway
anew
check "IP fragments dropped: no way without" not ctl berlin up paris
ours 576
anew
check "IP fragments dropped: up from ikevd" ctl berlin up paris
check "IP fragments dropped: packets" both_ways 2
check "IP fragments dropped: down" ctl berlin down paris
check "IP fragments dropped: up from strongSwan" swan_up paris berlin

# One packet of six, the same ones again: those with five fragments lose one each time.
anew
drop 'numgen inc mod 6 == 0 drop'
check "one packet of six lost: up from ikevd" ctl berlin up paris
on router nft flush ruleset
check "one packet of six lost: packets" both_ways 2
check "one packet of six lost: down" ctl berlin down paris
anew
drop 'numgen inc mod 6 == 0 drop'
check "one packet of six lost: up from strongSwan" swan_up paris berlin
on router nft flush ruleset
check "one packet of six lost: packets again" both_ways 2
check "ikevd still runs" alive berlin
finish
