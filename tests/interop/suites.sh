#!/bin/bash
# ikevd in berlin, strongSwan in paris: every algorithm of the tables.  Each of seven IKE
# suites meets each of seven ESP suites, set up from either side, with packets both ways;
# HMAC-SHA1, which has to be asked for, once.
# shellcheck source=../interop/lib.sh
. "$(dirname "$0")/lib.sh"
net_up

# What the two configurations say, and what strongSwan says when it lists its SAs.
ike_suites=(
	"aes128gcm16-prfsha256-x25519	AES_GCM_16-128/PRF_HMAC_SHA2_256/CURVE_25519"
	"aes192gcm16-prfsha384-modp4096	AES_GCM_16-192/PRF_HMAC_SHA2_384/MODP_4096"
	"aes256gcm16-prfsha384-ecp384	AES_GCM_16-256/PRF_HMAC_SHA2_384/ECP_384"
	"chacha20poly1305-prfsha512-ecp521	CHACHA20_POLY1305/PRF_HMAC_SHA2_512/ECP_521"
	"aes128-sha256-ecp256	AES_CBC-128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/ECP_256"
	"aes192-sha384-modp3072	AES_CBC-192/HMAC_SHA2_384_192/PRF_HMAC_SHA2_384/MODP_3072"
	"aes256-sha512-modp2048	AES_CBC-256/HMAC_SHA2_512_256/PRF_HMAC_SHA2_512/MODP_2048"
)
esp_suites=(
	"aes128gcm16	ESP:AES_GCM_16-128"
	"aes192gcm16	ESP:AES_GCM_16-192"
	"aes256gcm16	ESP:AES_GCM_16-256"
	"chacha20poly1305	ESP:CHACHA20_POLY1305"
	"aes128-sha256	ESP:AES_CBC-128/HMAC_SHA2_256_128"
	"aes192-sha384	ESP:AES_CBC-192/HMAC_SHA2_384_192"
	"aes256-sha512	ESP:AES_CBC-256/HMAC_SHA2_512_256"
)
old_ike="aes128-sha1-modp2048	AES_CBC-128/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_2048"
old_esp="aes128-sha1	ESP:AES_CBC-128/HMAC_SHA1_96"

# Cell N has the insides 10.1.N.1 and 10.2.N.1, and a connection cN on both sides.
each() { # FUNCTION: called with N, IKE, IKE's words, ESP, ESP's words
	local i e ike esp
	for i in "${!ike_suites[@]}"; do
		for e in "${!esp_suites[@]}"; do
			IFS=$'\t' read -ra ike <<<"${ike_suites[i]}"
			IFS=$'\t' read -ra esp <<<"${esp_suites[e]}"
			"$1" $((10 * (i + 1) + e)) "${ike[@]}" "${esp[@]}"
		done
	done
	IFS=$'\t' read -ra ike <<<"$old_ike"
	IFS=$'\t' read -ra esp <<<"$old_esp"
	"$1" 99 "${ike[@]}" "${esp[@]}"
}

ikevd_part() {
	local compat=
	[ "$1" != 99 ] || compat='compat = "sha1";'
	cat <<-X
		  c$1 = {
		    local  = { id = "berlin-c$1"; subnets = "10.1.$1.0/24"; };
		    remote = { address = "$PARIS"; id = "paris-c$1"; subnets = "10.2.$1.0/24"; };
		    auth = "psk"; start = "passive";
		    ike = "$2"; esp = "$4"; $compat
		  };
	X
	secret berlin "c$1" "$psk"
}
swan_part() {
	cat <<-X
		c$1 {
			version = 2
			local_addrs = $PARIS
			remote_addrs = $BERLIN
			proposals = $2
			local { auth = psk
				id = paris-c$1 }
			remote { auth = psk
				id = berlin-c$1 }
			children { c$1 {
				local_ts = 10.2.$1.0/24
				remote_ts = 10.1.$1.0/24
				esp_proposals = $4
			} }
		}
	X
}

# Of two sizes, so that the padding differs.
carries() { # N
	probe berlin "10.1.$1.1" "10.2.$1.1" 2 && probe paris "10.2.$1.1" "10.1.$1.1" 2 -s 1111 &&
		swan_carried paris "c$1"
}
from_berlin() {
	check "$2, $4: up from ikevd" ctl berlin up "c$1"
	check "$2, $4: as asked for" swan_has paris "c$1" "$3" "$5"
	check "$2, $4: packets both ways" carries "$1"
	check "$2, $4: down from strongSwan" swan_down paris "c$1"
}
from_paris() {
	check "$2, $4: up from strongSwan" swan_up paris "c$1"
	check "$2, $4: as asked for then" swan_has paris "c$1" "$3" "$5"
	check "$2, $4: packets both ways then" carries "$1"
	check "$2, $4: down from ikevd" ctl berlin down "c$1"
}

each cell_inside
{
	echo "daemon = { secrets_dir = \"$tmp/berlin.secrets\"; };"
	echo "connections = {"
	each ikevd_part
	echo "};"
} | conf berlin
{
	echo "connections {"
	each swan_part
	echo "}"
	echo "secrets { ike { secret = \"$psk\" } }"
} | swan_conf paris

check "the configuration is without a fault" on berlin "$IKEVD" -n -f "$tmp/berlin.conf"
check "but warns of SHA1" says 'c99.*sha1' on berlin "$IKEVD" -n -f "$tmp/berlin.conf"
capture
start berlin
swan_start paris
each from_berlin
each from_paris
check "strongSwan holds nothing in the end" wait_for 2 swan_empty paris
captured
check "only IKE and ESP on the wire" sealed
check "ikevd still runs" alive berlin
finish
