#!/bin/bash
# ikevd and strongSwan: either side ends the tunnel, and it comes up again when it should;
# one of several Child SAs is ended while the others carry; both end the same at once.
# shellcheck source=../interop/lib.sh
. "$(dirname "$0")/lib.sh"
need jq
net_up
swan_gateway

gateway berlin passive
capture
anew
check "up from ikevd" ctl berlin up paris
check "packets both ways" both_ways 3
check "down from ikevd" ctl berlin down paris
check "down from ikevd: strongSwan has closed" wait_for 2 swan_empty paris
check "up from strongSwan" swan_up paris berlin
check "large packets both ways" both_ways 2 -s 3000 -M dont
check "SIGTERM: exit status 0" stop berlin
check "SIGTERM: strongSwan has closed" wait_for 2 swan_empty paris

gateway berlin always
anew
check "always: up by itself" wait_for 5 is_up berlin paris
check "always: packets both ways" both_ways 2
check "always: strongSwan closes the IKE SA" swan_down paris berlin
check "always: up again by itself" wait_for 15 is_up berlin paris
check "always: and carries" wait_for 2 both_ways 2
check "always: strongSwan closes the Child SA alone" \
	swan paris --terminate --child berlin --timeout 5
check "always: up again by itself after that" wait_for 15 swan_has paris berlin INSTALLED
check "always: and carries after that" wait_for 2 both_ways 2

# kill -9: strongSwan still believes in the old SA when the new ikevd comes.
stop berlin KILL
start berlin
check "ikevd died: up again" wait_for 15 is_up berlin paris
check "ikevd died: and carries" wait_for 2 both_ways 2

gateway berlin on-demand
anew
check "on-demand: no packet is lost" probe berlin "$IN_BERLIN" "$IN_PARIS" 3
check "on-demand: strongSwan closes" swan_down paris berlin
check "on-demand: ikevd has closed" wait_for 2 not is_up berlin paris
check "on-demand: no packet is lost again" probe berlin "$IN_BERLIN" "$IN_PARIS" 3
# One more at once would have to wait: ikevd backs off from what falls as soon as it is up.
anew
check "on-demand, anew: up" ctl berlin up paris
check "on-demand: strongSwan closes the Child SA alone" \
	swan paris --terminate --child berlin --timeout 5
check "on-demand: no packet is lost after that either" probe berlin "$IN_BERLIN" "$IN_PARIS" 3
captured
check "only IKE and ESP on the wire" sealed

# ---- several Child SAs in one IKE SA ----

several() { # START: both configurations
	local n
	conf berlin <<-X
		daemon = { secrets_dir = "$tmp/berlin.secrets"; };
		connections = { paris = {
		  local  = { id = "gw.berlin.example"; };
		  remote = { address = "$PARIS"; id = "gw.paris.example"; };
		  auth   = "psk";
		  start  = "$1";
		  children = {
		    c11 = { local = "10.1.11.0/24"; remote = "10.2.11.0/24"; };
		    c12 = { local = "10.1.12.0/24"; remote = "10.2.12.0/24"; };
		    c13 = { local = "10.1.13.0/24"; remote = "10.2.13.0/24"; };
		  };
		}; };
	X
	swan_conf paris <<-X
		connections { berlin {
			version = 2
			local_addrs = $PARIS
			remote_addrs = $BERLIN
			proposals = aes256gcm16-prfsha256-x25519
			local { auth = psk
				id = gw.paris.example }
			remote { auth = psk
				id = gw.berlin.example }
			children {
				$(for n in 11 12 13; do
					echo "c$n { local_ts = 10.2.$n.0/24"
					echo "remote_ts = 10.1.$n.0/24"
					echo "esp_proposals = aes256gcm16 }"
				done)
			}
		} }
		secrets { ike { secret = "what berlin and paris both know" } }
	X
	anew
}
children_are() { # NAME...: of one IKE SA at both ends, and no others
	local sas name
	sas=$(swan_sas paris)
	[ "$(grep -c ESTABLISHED <<<"$sas")" = 1 ] && [ "$(grep -c INSTALLED <<<"$sas")" = $# ] &&
		status_is berlin paris ".sas | length == 1 and (.[0].children | length == $#)" ||
		return
	for name; do
		grep -q "^  $name: .* INSTALLED" <<<"$sas" &&
			status_is berlin paris ".sas[0].children | any(.name == \"$name\")" || return
	done
}
session() {
	ctl berlin -j status paris | jq '.connections[0].sas[0].id'
}
carries() { # CELL...
	local n
	for n; do
		cell_packets "$n" 1 || return
	done
}

for n in 11 12 13; do
	cell_inside $n
done
several passive
capture
check "three children: up from ikevd" ctl berlin up paris
check "three children: all of them" wait_for 3 children_are c11 c12 c13
check "three children: packets both ways" carries 11 12 13
before=$(session)
numbers_begin 10.1.11.1 10.2.11.1 10.1.13.1 10.2.13.1
check "three children: strongSwan closes one" swan paris --terminate --child c12 --timeout 5
check "three children: two are left" wait_for 8 children_are c11 c13
check "three children: strongSwan makes another" swan_up paris c12
check "three children: three again" wait_for 3 children_are c11 c12 c13
check "three children: which carries" wait_for 2 carries 12
check "three children: in the same IKE SA" test "$(session)" = "$before"
numbers_end
check "three children: the others lose no packet" nothing_lost
check "three children: down from ikevd" ctl berlin down paris
check "three children: strongSwan has closed" wait_for 2 swan_empty paris
check "three children: up from strongSwan, one" swan_up paris c11
check "three children: up from strongSwan, the next" swan_up paris c13
check "three children: two, then" wait_for 3 children_are c11 c13
check "three children: both carry" carries 11 13
check "three children: down from strongSwan" swan_down paris berlin
check "three children: ikevd has closed" wait_for 2 not is_up berlin paris

several always
check "three always: all of them" wait_for 8 children_are c11 c12 c13
before=$(session)
numbers_begin 10.1.11.1 10.2.11.1 10.1.12.1 10.2.12.1
check "three always: strongSwan closes one" swan paris --terminate --child c13 --timeout 5
check "three always: it is made again" wait_for 15 children_are c11 c12 c13
check "three always: in the same IKE SA" test "$(session)" = "$before"
numbers_end
check "three always: the others lose no packet" nothing_lost

# ---- both at once, and their requests cross ----

several passive
delay_begin 40
check "a longer way: up" ctl berlin up paris
check "a longer way: all of them" wait_for 5 children_are c11 c12 c13
numbers_begin 10.1.13.1 10.2.13.1
swan paris --terminate --child c11 --timeout 5 >/dev/null 2>&1 &
first=$!
swan paris --rekey --child c12 >/dev/null 2>&1 &
second=$!
ctl berlin rekey paris --child c11 >/dev/null 2>&1
wait $first $second
check "one is deleted and made anew at once: it is gone, or a new one is there" wait_for 15 \
	eval 'children_are c12 c13 || children_are c11 c12 c13'
numbers_end
check "one is deleted and made anew at once: the others lose no packet" nothing_lost
swan_down paris berlin >/dev/null 2>&1 &
first=$!
ctl berlin down paris >/dev/null 2>&1
wait $first
check "both delete the IKE SA at once: strongSwan has closed" wait_for 5 swan_empty paris
check "both delete the IKE SA at once: so has ikevd" not is_up berlin paris
check "nobody lost a packet on the longer way" delay_end
captured
check "several children: only IKE and ESP on the wire" only_ike_and_esp
check "ikevd still runs" alive berlin
finish
