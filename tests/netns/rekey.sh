#!/bin/bash
# Two ikevds make their SAs anew all the time, both at once, over a way so long that their
# requests cross; on order of ikectl; with three Child SAs in one IKE SA; behind a NAT.  Of
# the packets that go both ways every 10 ms all the while, not one is lost, and one pair of
# SAs is left of each.
# shellcheck source=../netns/lib.sh
. "$(dirname "$0")/lib.sh"
need jq nft
net_up

CELLS="11 12 13 14 15"
pairs=()
life='rekey = { child = "1s"; ike = "4s"; jitter = "0%"; }; expire = { child = "1m"; ike = "1m"; };'
keys() { # N
	local esp
	case $1 in
	11) esp='esp = "aes256gcm16";' ;;
	12) esp='esp = "aes256gcm16-x25519"; pfs = "require";' ;;
	13) esp='esp = "aes256-sha256-esn"; pfs = "off";' ;;
	14) esp='esp = "chacha20poly1305-modp2048";' ;;
	15) esp= ;;		# the default
	esac
	echo "start = \"passive\"; $esp $life"
}
both_conf() {
	# shellcheck disable=SC2086 # a list of numbers
	cells_conf berlin keys $CELLS
	# shellcheck disable=SC2086
	cells_conf paris keys $CELLS
}
is_one() { # NODE NAME [CHILDREN]: one IKE SA, so many Child SAs, and nothing else
	status_is "$1" "$2" ".state == \"up\" and (.sas | length == 1) and
		.sas[0].state == \"established\" and (.sas[0].children | length == ${3:-1})"
}
one_pair() { # of each cell, at both ends
	local n
	for n in $CELLS; do
		is_one berlin "c$n" && is_one paris "c$n" || return
	done
}
all_up() {
	local n
	for n in $CELLS; do
		ctl berlin up "c$n" || return
	done
}
at_once() { # ARGUMENT...: ikectl rekey for every cell, at both ends
	local n node jobs=()
	for n in $CELLS; do
		for node in berlin paris; do
			ctl "$node" rekey "c$n" "$@" >>"$tmp/orders" 2>&1 &
			jobs+=($!)
		done
	done
	wait "${jobs[@]}"
}

for n in $CELLS; do
	cell_inside "$n"
	pairs+=("10.1.$n.1" "10.2.$n.1")
done

# ---- by lifetimes, both at once ----
both_conf
delay_begin 40
start berlin paris
check "all are up" all_up
capture
numbers_begin "${pairs[@]}"
sleep 14
numbers_end
captured
check "lifetimes of 1 s and 4 s at both ends: no packet is lost" nothing_lost
check "lifetimes of 1 s and 4 s at both ends: only IKE and ESP on the wire" only_ike_and_esp
check "berlin still runs" alive berlin
check "paris still runs" alive paris
stop berlin
stop paris

# ---- on order, both at once ----
life='rekey = { child = "1h"; ike = "4h"; };'
both_conf
start berlin paris
check "all are up for orders" all_up
numbers_begin "${pairs[@]}"
for _ in 1 2 3 4; do
	at_once
done
for _ in 1 2 3 4; do
	at_once --ike
done
numbers_end
check "both ordered at once: no packet is lost" nothing_lost
check "both ordered at once: one pair is left" wait_for 10 one_pair
check "nobody lost a packet on the longer way" delay_end

numbers_begin "${pairs[@]}"
check "rekey is done when ikectl says so" ctl berlin rekey c11
check "rekey --child NAME" ctl berlin rekey c11 --child c11
check "rekey --ike" ctl berlin rekey c11 --ike
check "from the other end too" ctl paris rekey c11 --child c11
check "the IKE SA too" ctl paris rekey c11 --ike
check "a child that is not there" exits 1 ctl berlin rekey c11 --child nowhere
check "is named" says nowhere ctl berlin rekey c11 --child nowhere
check "a connection that is not there" exits 1 ctl berlin rekey nowhere
numbers_end
check "one after the other: no packet is lost" nothing_lost
check "one pair is left then" wait_for 10 one_pair
stop berlin
stop paris

# ---- three Child SAs in one IKE SA ----
three() { # NODE START: its configuration
	local node=$1 other address mine theirs
	case $node in
	berlin) other=paris address=$PARIS mine=10.1 theirs=10.2 ;;
	paris) other=berlin address=${FROM:-$BERLIN} mine=10.2 theirs=10.1 ;;
	esac
	conf "$node" <<-X
		daemon = { secrets_dir = "$tmp/$node.secrets"; };
		connections = { three = {
		  local  = { id = "gw.$node.example"; };
		  remote = { address = "$address"; id = "gw.$other.example"; };
		  auth   = "psk";
		  start  = "$2";
		  children = {
		    one   = { local = "$mine.11.0/24"; remote = "$theirs.11.0/24"; };
		    two   = { local = "$mine.12.0/24"; remote = "$theirs.12.0/24"; };
		    three = { local = "$mine.13.0/24"; remote = "$theirs.13.0/24"; };
		  };
		  $life
		}; };
	X
	secret "$node" three "$psk"
}
three_up() {
	is_one berlin three 3 && is_one paris three 3
}
six=("${pairs[@]:0:6}")

life='rekey = { child = "1s"; ike = "3s"; jitter = "0%"; }; expire = { child = "1m"; ike = "1m"; };'
three berlin always
three paris always
delay_begin 40
start paris berlin
check "three children: up" wait_for 5 eval "probe berlin 10.1.11.1 10.2.11.1 1 &&
	probe berlin 10.1.12.1 10.2.12.1 1 && probe berlin 10.1.13.1 10.2.13.1 1"
numbers_begin "${six[@]}"
sleep 8
numbers_end
check "three children, both at once: no packet is lost" nothing_lost
check "nobody lost a packet on the longer way then" delay_end
stop berlin
stop paris

# ---- behind a NAT: what is made anew stays on the port that the NAT gave ----
life='encap = "auto"; rekey = { child = "1h"; ike = "4h"; };'
three berlin always
FROM=any three paris passive
on router nft -f - <<X
	table ip nat {
		chain out {
			type nat hook postrouting priority 100;
			oifname "paris" ip saddr $BERLIN masquerade random
		}
	}
X
start paris berlin
check "behind a NAT: up" wait_for 5 three_up
numbers_begin "${six[@]}"
for node in berlin paris; do
	check "behind a NAT: rekey by $node" ctl "$node" rekey three
	check "behind a NAT: IKE SA by $node" ctl "$node" rekey three --ike
	check "behind a NAT: one child by $node" ctl "$node" rekey three --child two
done
check "behind a NAT: status still shows it" status_is berlin three '.sas[0].nat == "local"'
check "behind a NAT: three are left" wait_for 10 three_up
numbers_end
check "behind a NAT: no packet is lost" nothing_lost
check "berlin still runs at the end" alive berlin
check "paris still runs at the end" alive paris
finish
