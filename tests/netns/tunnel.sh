#!/bin/bash
# A tunnel between two ikevds from the command line: list, up, status, down, version, as
# tables and as JSON; two connections that do not disturb each other.
# shellcheck source=../netns/lib.sh
. "$(dirname "$0")/lib.sh"
need jq
net_up
ip -n "$(ns berlin)" addr add 10.1.7.1/24 dev lan
ip -n "$(ns paris)" addr add 10.2.7.1/24 dev lan

# Two connections between the same two addresses, apart by their identities.
two() { # NODE ADDRESS OTHER LOCAL REMOTE
	conf "$1" <<-X
		daemon = { secrets_dir = "$tmp/$1.secrets"; };
		connections = {
		  main = {
		    local  = { id = "gw.$1.example"; subnets = [ "$4.0.0/24" ]; };
		    remote = { address = "$2"; id = "gw.$3.example"; subnets = [ "$5.0.0/24" ]; };
		    auth = "psk"; start = "passive";
		  };
		  second = {
		    local  = { id = "second@$1.example"; subnets = [ "$4.7.0/24" ]; };
		    remote = { address = "$2"; id = "second@$3.example"; subnets = [ "$5.7.0/24" ]; };
		    auth = "psk"; start = "passive"; esp = [ "chacha20poly1305" ];
		  };
		};
	X
	secret "$1" main "the secret of main"
	secret "$1" second "0x00112233445566778899aabbccddeeff"
}
two berlin "$PARIS" paris 10.1 10.2
two paris "$BERLIN" berlin 10.2 10.1
start berlin paris

json() { # JQ-CONDITION NODE ARGUMENT...: true when the output is JSON that fulfils it
	local condition=$1 out
	shift
	out=$(ctl "$1" -j "${@:2}") || return
	jq -e "$condition" <<<"$out" >/dev/null && return 0
	echo "$condition is not true of:"
	echo "$out"
	return 1
}

check "version says one" says '[0-9]+\.[0-9]' ctl berlin version
check "version as JSON" json '.version | type == "string"' berlin version
check "list names both" says main ctl berlin list
check "list names both, the second too" says second ctl berlin list
check "list as JSON" json '.names == ["main", "second"]' berlin list
check "status before anything" says 'main +down' ctl berlin status
check "status before anything as JSON" \
	json '.connections | length == 2 and all(.state == "down" and .sas == [])' berlin status
check "an unknown connection is refused" exits 1 ctl berlin up nowhere
check "and named" says nowhere ctl berlin up nowhere
check "an unknown command is refused" not ctl berlin sideways

capture
check "main up" exits 0 ctl berlin up main
check "berlin says up" is_up berlin main
check "paris says up" is_up paris main
check "up again is no error" exits 0 ctl berlin up main
check "packets both ways" both_ways 5
check "second is still down" not is_up berlin second
check "second up, from the other end" exits 0 ctl paris up second
check "second up at berlin" is_up berlin second
check "second carries" probe berlin 10.1.7.1 10.2.7.1 3
check "main still carries" both_ways 2
captured
check "only IKE and ESP on the wire" sealed

check "status shows the peer" says "203\.0\.113\.7" ctl berlin status
check "status shows the algorithms" says 'chacha20poly1305' ctl berlin status second
check "status shows the selectors" says '10\.2\.0\.0/24' ctl berlin status main
check "status of one shows one" not says second ctl berlin status main
check "status as JSON: one IKE SA" json '.connections | length == 1 and (.[0].sas | length == 1)' \
	berlin status main
check "status as JSON: its ends" json '.connections[0].sas[0] | .state == "established"
	and .initiator and .local_address == "192.0.2.1:4500" and .remote_address == "203.0.113.7:4500"
	and .local_id == "gw.berlin.example" and .remote_id == "gw.paris.example"
	and (.spi_i | test("^[0-9a-f]{16}$")) and .age < 60' berlin status main
check "status as JSON: its Child" json '.connections[0].sas[0].children | length == 1
	and (.[0] | .local == ["10.1.0.0/24"] and .remote == ["10.2.0.0/24"] and .encapsulated)' \
	berlin status main
# 5 + 2 pings each way, each answered: 14 packets of 84 octets in either direction
check "status as JSON: its traffic" json '.connections[0].sas[0].children[0] |
	[.packets_in, .packets_out, .bytes_in, .bytes_out] == [14, 14, 1176, 1176]' berlin status main
check "status as JSON: seen from the other end" json '.connections[0].sas[0] |
	(.initiator | not) and (.children[0] | .packets_in == 14 and .packets_out == 14)' \
	paris status main
check "status as JSON: the responder of the one is the initiator of the other" \
	json '.connections[0].sas[0].initiator | not' berlin status second
check "status as JSON has no secret" not says 'secret of main|001122334455' ctl berlin -j status

check "second down" exits 0 ctl berlin down second
check "second is down at berlin" not is_up berlin second
check "second is down at paris" wait_for 2 not is_up paris second
check "main is not touched" both_ways 2
check "main down, from the other end" exits 0 ctl paris down main
check "main is down at berlin" wait_for 2 not is_up berlin main
check "down again is no crash" says '.' ctl berlin down main
check "main up again" exits 0 ctl berlin up main
check "packets again" both_ways 2
check "no secret in the logs" not grep -qE 'secret of main|00112233' "$tmp/berlin.log" "$tmp/paris.log"
check "berlin still runs" alive berlin
check "paris still runs" alive paris
finish
