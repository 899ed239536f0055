#!/bin/bash
# ikevd and strongSwan under load: each asks the other for a cookie, and for another group on
# top of that.
# shellcheck source=../interop/lib.sh
. "$(dirname "$0")/lib.sh"
net_up
${CC:-cc} -std=c11 -D_GNU_SOURCE -O1 -o "$tmp/flood" "$(dirname "$0")/../netns/flood.c" ||
	die "no flood"
ip -n "$(ns router)" route add blackhole 100.64.0.0/16

answered() { # what strongSwan has answered of the flood
	grep -acE "sending packet: .* to 100\.64\." "$tmp/paris.charon.log"
}
has_answered() { # COUNT
	[ "$(answered)" -ge "$1" ]
}
half_open() { # ADDRESS COUNT: so many requests, each from another address, and their SAs
	local before
	before=$(answered)
	on router "$tmp/flood" "$1" 500 "$2" 5000 100.64.0.0 "$2" >/dev/null
	[ "$1" != $PARIS ] || wait_for 10 has_answered $((before + 1))
}
# In IKE_SA_INIT: requests or responses that begin with a notify of TYPE.
notifies() { # FROM TYPE
	packets "src host $1 and (host $BERLIN and host $PARIS) and udp port 500 and udp[24] = 41 and udp[42:2] = $2"
}
COOKIE=16390 INVALID_KE=17

# strongSwan sends a request again when the answer comes sooner than it can take it.
asked() { # ASKER ASKED [COUNT]: it was asked for a cookie once, and sent it COUNT times or more
	local asks answers
	asks=$(notifies "$1" "$COOKIE") answers=$(notifies "$2" "$COOKIE")
	echo "$asks asked for a cookie, $answers brought one"
	[ "$asks" = 1 ] && [ "$answers" -ge "${3:-1}" ]
}
no_cookie() {
	[ "$(notifies "$PARIS" "$COOKIE")" = 0 ] && [ "$(notifies "$BERLIN" "$COOKIE")" = 0 ]
}
refused_group() { # WHO
	local n
	n=$(notifies "$1" "$INVALID_KE")
	echo "$n times another group"
	[ "$n" -ge 1 ]
}
for_all() { # swanctl.conf: whoever may call; it calls berlin itself
	sed -i "s|remote_addrs = $BERLIN|remote_addrs = $BERLIN, 0.0.0.0/0|" "$tmp/paris.swan/swanctl.conf"
}
wary() { # strongSwan.conf: a cookie as soon as one SA is half-open
	sed -i 's/user = root/& \n cookie_threshold = 1\n cookie_threshold_ip = 1/' \
		"$tmp/paris.swan/strongswan.conf"
}

# ---- strongSwan asks ----

gateway berlin passive 'ike = [ "aes256gcm16-prfsha256-x25519-ecp256" ];'
swan_gateway
for_all
wary
anew
capture
half_open $PARIS 3
check "strongSwan asks for a cookie: up" ctl berlin up paris
check "strongSwan asks for a cookie: packets both ways" both_ways 2
captured
check "strongSwan asks for a cookie: and gets it" asked $PARIS $BERLIN
check "strongSwan asks for a cookie: only IKE and ESP on the wire" sealed

IKE=aes256gcm16-prfsha256-ecp256 swan_gateway
for_all
wary
stop berlin
stop paris
anew
capture
half_open $PARIS 3
check "a cookie and another group: up" ctl berlin up paris
check "a cookie and another group: ECP 256" swan_has paris berlin ECP_256
check "a cookie and another group: packets both ways" both_ways 2
captured
check "a cookie and another group: in two rounds" asked $PARIS $BERLIN 2
check "a cookie and another group: strongSwan wanted it" refused_group $PARIS

# ---- ikevd asks ----

PEER=any gateway berlin passive
swan_gateway
anew
capture
half_open $BERLIN 70
check "ikevd asks for a cookie: up" swan_up paris berlin
check "ikevd asks for a cookie: packets both ways" both_ways 2
captured
check "ikevd asks for a cookie: and gets it" asked $BERLIN $PARIS
check "ikevd asks for a cookie: only IKE and ESP on the wire" sealed
check "ikevd asks for a cookie: no state for the rest" test \
	"$(ctl berlin -j status | grep -c '"state": "connecting"')" = 64

PEER=any gateway berlin passive 'ike = [ "aes256gcm16-prfsha256-x25519-modp2048" ];'
IKE=aes256gcm16-prfsha256-ecp256-modp2048 swan_gateway
anew
capture
half_open $BERLIN 70
check "a cookie and another group for ikevd: up" swan_up paris berlin
check "a cookie and another group for ikevd: MODP 2048" swan_has paris berlin MODP_2048
check "a cookie and another group for ikevd: packets both ways" both_ways 2
captured
check "a cookie and another group for ikevd: in two rounds" asked $BERLIN $PARIS 2
check "a cookie and another group for ikevd: ikevd wanted it" refused_group $BERLIN

PEER=any gateway berlin passive 'ike = [ "aes256gcm16-prfsha256-modp2048" ];'
IKE=aes256gcm16-prfsha256-x25519-modp2048 swan_gateway
anew
capture
check "another group: up" swan_up paris berlin
check "another group: MODP 2048" swan_has paris berlin MODP_2048
captured
check "another group: no cookie without need" no_cookie
check "another group: ikevd wanted it" refused_group $BERLIN

check "ikevd still runs" alive berlin
finish
