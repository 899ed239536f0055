#!/bin/bash
# Programs with libipsec in them and strongSwan: the example client with charon as its server,
# and charon as a client of the example server.  The programs are in berlin, run by nobody,
# with no interface of their own; charon in paris gives what comes out of its tunnel to the
# host, or pings from there.
# shellcheck source=../interop/lib.sh
. "$(dirname "$0")/lib.sh"
need setpriv
net_up
SECRET="what a program and charon know"

# Theirs to run, wherever the tree lies.
chmod 711 "$tmp"
install -m 755 "$bin/examples/client" "$bin/examples/echo_server" "$tmp"
as_nobody() { # PROGRAM ARGUMENT...
	local program=$1
	shift
	on berlin setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs \
		--bounding-set=-all "$tmp/$program" "$@"
}

swan_side() { # US THEM OUR-TS THEIR-TS [KEYS]: charon's connection, called lib on its side
	swan_conf paris <<-X
		connections { lib {
			version = 2
			local_addrs = $PARIS
			remote_addrs = $BERLIN
			${5-}
			proposals = ${IKE:-aes256gcm16-prfsha384-x25519}
			local { auth = psk
				id = $1.example }
			remote { auth = psk
				id = $2.example }
			children { lib {
				local_ts = $3
				remote_ts = $4
				esp_proposals = ${ESP:-aes256gcm16}
			} }
		} }
		secrets { ike { secret = "$SECRET" } }
	X
}
said() { # PATTERN: by the program
	grep -qE "$1" "$tmp/program"
}
rekeyed_twice() { # [SESSION]
	test "$(grep -c "^${1:+$1 }rekeyed" "$tmp/program")" -ge 2
}
begin_server() {
	as_nobody echo_server 0.0.0.0:4500 "$SECRET" >"$tmp/program" 2>&1 &
	pid[program]=$!
	wait_for 5 said '^port 4500'
}
end_program() { # it has a tunnel, and ends by itself when it is asked to
	kill -INT "$(pgrep -P "${pid[program]}" || echo "${pid[program]}")"
	wait "${pid[program]}"
}

# ---- charon serves ----

on paris ip addr add 10.8.0.1/32 dev lan
swan_side server client 10.8.0.1/32 10.9.0.1/32
swan_start paris
capture
as_nobody client "$PARIS:4500" "$SECRET" 20 >"$tmp/program" 2>&1 &
pid[program]=$!
check "client: up" wait_for 10 said '^up'
check "client: charon has its SA" swan_has paris lib "client.example' @ 192.0.2.1" INSTALLED TUNNEL-in-UDP
check "client: answers come" wait_for 5 said '^answer 2$'
check "client: charon rekeys the Child SA" swan paris --rekey --child lib
check "client: and says so" wait_for 5 said '^rekeyed'
sleep 0.5
check "client: charon rekeys the IKE SA" swan paris --rekey --ike lib
check "client: every packet was answered, and it has left" wait "${pid[program]}"
check "client: it has shut down" said '^shut down'
check "client: both rekeys" rekeyed_twice
check "client: charon holds nothing any more" wait_for 3 swan_empty paris
captured
check "client: only IKE and ESP on the wire, from one port" only_ike_and_esp
check "client: nothing at port 500" test "$(packets 'udp port 500')" = 0

check "client with another secret: refused" not as_nobody client "$PARIS:4500" "wrong" 1
as_nobody client "$PARIS:4500" "wrong" 1 >"$tmp/program" 2>&1
check "client with another secret: it says so" said '^failed: .*(identity|secret|proof)'

IKE=aes128-sha512-modp4096 swan_side server client 10.8.0.1/32 10.9.0.1/32
check "client: charon has other algorithms" swan_load paris
as_nobody client "$PARIS:4500" "$SECRET" 1 >"$tmp/program" 2>&1
check "client without a proposal in common: it says so" said '^failed: .*proposals'

# ---- charon calls ----

on paris ip addr del 10.8.0.1/32 dev lan
on paris ip addr add 10.9.0.1/32 dev lan
swan_side client server 10.9.0.1/32 10.8.0.1/32 "remote_port = 4500"
check "server: charon's side" swan_load paris
check "server: it listens" begin_server
capture
check "server: up" swan_up paris lib
check "server: it has a session" wait_for 3 said '^client.example up'
check "server: pings are answered" on paris ping -q -c 10 -i 0.05 -W 2 -I 10.9.0.1 10.8.0.1
check "server: counted by charon" swan_carried paris lib
check "server: charon rekeys the Child SA" swan paris --rekey --child lib
check "server: and it says so" wait_for 5 said '^client.example rekeyed'
check "server: pings are answered again" on paris ping -q -c 10 -i 0.05 -W 2 -I 10.9.0.1 10.8.0.1
check "server: charon rekeys the IKE SA" swan paris --rekey --ike lib
check "server: and it says so again" wait_for 5 rekeyed_twice client.example
check "server: pings are answered still" on paris ping -q -c 10 -i 0.05 -W 2 -I 10.9.0.1 10.8.0.1
check "server: charon closes" swan_down paris lib
check "server: the session is closed" wait_for 3 said '^client.example down'
check "server: charon comes again" swan_up paris lib
check "server: pings are answered after all" on paris ping -q -c 3 -i 0.05 -W 2 -I 10.9.0.1 10.8.0.1
check "server: it shuts down when asked" end_program
check "server: it says so" said 'shut down'
check "server: charon holds nothing any more" wait_for 3 swan_empty paris
captured
check "server: only IKE and ESP on the wire" only_ike_and_esp
finish
