#!/bin/bash
# Several connections of ikevd to one address, or to any, with one identity of its own:
# strongSwan is told apart by who it says it is, and has its own secret, algorithms and
# networks.  IDi may lead to a connection that forbids what was agreed on before it.
# shellcheck source=../interop/lib.sh
. "$(dirname "$0")/lib.sh"
net_up

branch() { # NAME N [FURTHER KEYS]: its part of ikev.conf, for whoever calls from ADDRESS
	cat <<-X
		  $1 = {
		    local  = { id = "gw.berlin.example"; subnets = "10.1.$2.0/24"; };
		    remote = { address = "${ADDRESS:-any}"; id = "$1.example"; subnets = "10.2.$2.0/24"; };
		    auth = "psk"; start = "passive"; ${3-}
		  };
	X
	secret berlin "$1" "the secret of $1"
}
berlin_conf() { # the parts of it on standard input
	{
		echo "daemon = { secrets_dir = \"$tmp/berlin.secrets\"; }; connections = {"
		cat
		echo "};"
	} | conf berlin
}
swan_branch() { # NAME N [IKE [IDENTITY]]: its part of swanctl.conf
	cat <<-X
		connections { $1 {
			version = 2
			local_addrs = $PARIS
			remote_addrs = $BERLIN
			proposals = ${3:-default}
			local { auth = psk
				id = ${4:-$1.example} }
			remote { auth = psk
				id = gw.berlin.example }
			children { $1 {
				local_ts = 10.2.$2.0/24
				remote_ts = 10.1.$2.0/24
				esp_proposals = aes256gcm16
			} }
		} }
		secrets { ike-$1 { id-1 = ${4:-$1.example}
			secret = "the secret of $1" } }
	X
}
own_words() { # NAME: ikevd has it up, with the peer by its name, and no other
	is_up berlin "$1" && says "\"remote_id\": \"$1.example\"" ctl berlin -j status "$1"
}
refused() { # TITLE NAME PATTERN...: strongSwan cannot, and ikevd's log says why
	local title=$1 name=$2 pattern
	shift 2
	: >"$tmp/berlin.log"
	: >"$tmp/paris.charon.log"
	check "$title: not up" not swan_up paris "$name"
	check "$title: strongSwan hears no more than it must" \
		grep -qE 'AUTHENTICATION_FAILED|NO_PROPOSAL_CHOSEN' "$tmp/paris.charon.log"
	for pattern; do
		check "$title: ikevd's log says $pattern" grep -qE -e "$pattern" "$tmp/berlin.log"
	done
	check "$title: no SA" wait_for 3 swan_lacks paris "$name"
	check "$title: nor at ikevd" not is_up berlin "$name"
}

for n in 11 12 13; do
	cell_inside $n
done

# ---- from any address, and from one ----

{
	swan_branch rome 11
	swan_branch oslo 12 aes128-sha256-modp2048
	swan_branch bern 13 aes256gcm16-prfsha384-ecp384
} | swan_conf paris
swan_start paris
for ADDRESS in any "$PARIS" 203.0.113.0/24; do
	stop berlin
	{
		branch rome 11
		branch oslo 12 'ike = "aes128-sha256-modp2048";'
		branch bern 13 'ike = "aes256gcm16-prfsha384-ecp384";'
	} | berlin_conf
	start berlin
	for cell in "rome 11" "oslo 12" "bern 13"; do
		read -r name n <<<"$cell"
		check "$ADDRESS, $name: up" swan_up paris "$name"
		check "$ADDRESS, $name: known by its name" own_words "$name"
		check "$ADDRESS, $name: packets both ways" cell_packets "$n" 2
	done
	check "$ADDRESS: all three are up" says '(state": "up".*){3}' eval \
		"ctl berlin -j status | tr '\n' ' '"
	check "$ADDRESS: their own algorithms" swan_has paris oslo AES_CBC-128 MODP_2048
	check "$ADDRESS: also bern" swan_has paris bern AES_GCM_16-256 ECP_384
	for name in rome oslo bern; do
		check "$ADDRESS, $name: down" swan_down paris "$name"
	done
done

# ---- the secret is that of who it says it is ----

stop berlin
ADDRESS=any
{
	branch rome 11
	branch oslo 12
} | berlin_conf
{
	swan_branch rome 11
	swan_branch oslo 12 default
	swan_branch spy 13
} | sed 's/the secret of oslo/the secret of rome/' | swan_conf paris
start berlin
check "strongSwan reads its configuration" swan_load paris
check "rome with its own secret" swan_up paris rome
refused "oslo with the secret of rome" oslo 'oslo' 'oslo\.psk'
refused "nobody's name" spy 'spy\.example'
check "rome is still up" is_up berlin rome
check "packets both ways with rome" cell_packets 11 2
check "rome: down" swan_down paris rome

# ---- what was agreed on before IDi, the connection of IDi forbids (T97) ----

stop berlin
{
	branch rome 11 'ike = "aes256gcm16-prfsha256-x25519";'
	branch oslo 12 'ike = "aes256-sha256-modp2048";'
} | berlin_conf
{
	swan_branch rome 11
	swan_branch oslo 12 aes256gcm16-prfsha256-x25519
} | swan_conf paris
start berlin
check "strongSwan reads its configuration" swan_load paris
refused "oslo with the algorithms of rome" oslo oslo rome modp2048 aes256gcm16
check "rome with its own" swan_up paris rome
check "ikevd still runs" alive berlin
finish
