# shellcheck shell=bash
# strongSwan on the test ground, sourced by the interop tests after netns/lib.sh's helpers:
# one charon-systemd a node with its own folder, control socket and userspace ESP
# (kernel-libipsec), so that nothing of the machine's own strongSwan is read or touched.
#
# Use:  swan_conf NODE <<X ...swanctl.conf...; swan_start NODE; swan NODE --list-sas

# shellcheck source=../netns/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../netns/lib.sh"

charon=/usr/sbin/charon-systemd

swan_conf() { # NODE: its swanctl.conf on standard input
	mkdir -p "$tmp/$1.swan"
	cat >"$tmp/$1.swan/swanctl.conf"
	# kernel-libipsec has to come before kernel-netlink, which then serves routes only; the
	# mark keeps the daemon's own datagrams out of the routes it makes for its tunnels.
	cat >"$tmp/$1.swan/strongswan.conf" <<-X
		charon-systemd {
			load = random nonce openssl hmac kdf kernel-libipsec kernel-netlink socket-default vici
			user = root
			group = root
			retransmit_timeout = 1.0
			retransmit_tries = 3
			${CHARON-}
			plugins {
				vici { socket = unix://$tmp/$1.swan/vici }
				kernel-libipsec { allow_peer_ts = yes }
				kernel-netlink { fwmark = !0x42 }
				socket-default { fwmark = 0x42 }
			}
			journal { default = -1 }
			filelog {
				log {
					path = $tmp/$1.charon.log
					default = 1
					esp = ${SWAN_ESP_LOG:-1}
					time_format = %s
					time_add_ms = yes
					flush_line = yes
				}
			}
		}
	X
}

swan() { # NODE ARGUMENT...: swanctl
	local node=$1
	shift
	STRONGSWAN_CONF=$tmp/$node.swan/strongswan.conf SWANCTL_DIR=$tmp/$node.swan \
		timeout 30 swanctl "$@" --uri "unix://$tmp/$node.swan/vici"
}

swan_load() { # NODE: reads its swanctl.conf again
	swan "$1" --load-all --noprompt --clear --file "$tmp/$1.swan/swanctl.conf"
}

swan_start() { # NODE...
	local node
	for node; do
		STRONGSWAN_CONF=$tmp/$node.swan/strongswan.conf SWANCTL_DIR=$tmp/$node.swan \
			ip netns exec "ikev-$$-$node" $charon >>"$tmp/$node.charon.log" 2>&1 &
		pid[$node]=$!
	done
	for node; do
		if ! wait_for 10 swan "$node" --stats || ! swan_load "$node" >"$tmp/out" 2>&1; then
			fail "strongSwan starts in $node"
			finish
		fi
	done
}

swan_up() { # NODE CHILD
	swan "$1" --initiate --child "$2" --timeout 10
}

swan_down() { # NODE CONNECTION
	swan "$1" --terminate --ike "$2" --timeout 10
}

# Lines a program can count: one with "ESTABLISHED" an IKE SA, one with "INSTALLED" a Child.
swan_sas() { # NODE [CONNECTION]
	local node=$1
	shift
	swan "$node" --list-sas ${1:+--ike "$1"}
}

swan_empty() { # NODE: holds no SA at all, not even a half-open one
	[ -z "$(swan_sas "$1")" ]
}

swan_has() { # NODE CONNECTION PATTERN...: every pattern occurs in what it says of that SA
	local node=$1 connection=$2 out pattern
	shift 2
	out=$(swan_sas "$node" "$connection")
	for pattern; do
		grep -qE -e "$pattern" <<<"$out" && continue
		echo "no '$pattern' in:"
		echo "$out"
		return 1
	done
}

swan_lacks() { # NODE CONNECTION
	[ -z "$(swan_sas "$1" "$2")" ]
}

swan_carried() { # NODE CONNECTION: packets went through its Child in both directions
	swan_has "$1" "$2" '^ +in .* [1-9][0-9]* packets' '^ +out .* [1-9][0-9]* packets'
}

# ---- strongSwan in paris, ikevd in berlin -------------------------------------------------

# What netns/lib.sh's `gateway` is to ikevd; the variables stand for what a test changes.
swan_gateway() {
	swan_conf paris <<-X
		connections { berlin {
			version = 2
			local_addrs = ${OUTER:-$PARIS}
			remote_addrs = ${PEER:-$BERLIN}
			proposals = ${IKE:-aes256gcm16-prfsha256-x25519}
			fragmentation = ${FRAGMENTATION:-yes}
			local { auth = psk
				id = gw.paris.example }
			remote { auth = psk
				id = gw.berlin.example }
			children { berlin {
				local_ts = ${LOCAL_TS:-10.2.0.0/24}
				remote_ts = ${REMOTE_TS:-10.1.0.0/24}
				esp_proposals = ${ESP:-aes256gcm16}
			} }
		} }
		secrets { ike { secret = "${SECRET:-what berlin and paris both know}" } }
	X
}

# Both ends with their configurations as they stand, and no SA.  strongSwan stays the same
# process: its start and its end are what takes time.
anew() {
	stop berlin
	if [ -z "${pid[paris]-}" ]; then
		swan_start paris
	elif ! { swan_load paris && swan_forget; } >"$tmp/out" 2>&1; then
		fail "strongSwan begins anew"
	fi
	: >"$tmp/paris.charon.log"
	start berlin
}

swan_forget() {
	swan_empty paris || swan paris --terminate --ike berlin --force --timeout 1 ||
		wait_for 2 swan_empty paris
}

no_sa() { # neither side holds one
	wait_for 3 swan_empty paris && not is_up berlin paris && return
	swan_sas paris
	ctl berlin status
	return 1
}

# The cells of netns/lib.sh with strongSwan at NODE.  FUNCTION N sets what a cell has beyond
# the usual: IKE, ESP, and the keys CONNECTION and CHILD.
swan_cells() { # NODE FUNCTION N...
	local node=$1 keys=$2 n other outer peer mine theirs IKE ESP CONNECTION CHILD
	shift 2
	case $node in
	berlin) other=paris outer=$BERLIN peer=$PARIS mine=10.1 theirs=10.2 ;;
	paris) other=berlin outer=$PARIS peer=$BERLIN mine=10.2 theirs=10.1 ;;
	esac
	for n; do
		IKE=aes256gcm16-prfsha256-x25519 ESP=aes256gcm16 CONNECTION='' CHILD=''
		$keys "$n"
		cat <<-X
			c$n {
				version = 2
				local_addrs = $outer
				remote_addrs = $peer
				proposals = $IKE
				$CONNECTION
				local { auth = psk
					id = $node-c$n }
				remote { auth = psk
					id = $other-c$n }
				children { c$n {
					local_ts = $mine.$n.0/24
					remote_ts = $theirs.$n.0/24
					esp_proposals = $ESP
					$CHILD
				} }
			}
		X
	done >"$tmp/cells"
	swan_conf "$node" <<-X
		connections {
		$(cat "$tmp/cells")
		}
		secrets { ike { secret = "$psk" } }
	X
}

# ---- the matrix of suites -----------------------------------------------------------------

# Every ESP transform meets every key exchange, each in a connection of its own: cell cN has
# the insides 10.1.N.1 and 10.2.N.1 and the identities SIDE-cN, all at the same addresses.
each_cell() { # FUNCTION [ARGUMENT...]: called with N, ESP and key exchange at the end
	local e k n=10
	for e in chacha20poly1305 aes256gcm16 aes256-sha256; do
		for k in x25519 ecp256 modp2048; do
			n=$((n + 1))
			"$@" $n $e $k
		done
	done
}

# What strongSwan calls the algorithms of a cell when it lists its SAs.
cell_words() { # ESP KE
	case $1 in
	chacha20poly1305) echo "ESP:CHACHA20_POLY1305" ;;
	aes256gcm16) echo "ESP:AES_GCM_16-256" ;;
	aes256-sha256) echo "ESP:AES_CBC-256/HMAC_SHA2_256_128" ;;
	esac
	case $2 in
	x25519) echo "CURVE_25519" ;;
	ecp256) echo "ECP_256" ;;
	modp2048) echo "MODP_2048" ;;
	esac
}

swan_cell() { # SIDE OTHER OUTER PEER LOCAL REMOTE N ESP KE: its part of swanctl.conf
	cat <<-X
		c$7 {
			version = 2
			local_addrs = $3
			remote_addrs = $4
			proposals = $(cell_ike "$8")-$9
			local { auth = psk
				id = $1-c$7 }
			remote { auth = psk
				id = $2-c$7 }
			children { c$7 {
				local_ts = $5.$7.0/24
				remote_ts = $6.$7.0/24
				esp_proposals = $8
			} }
		}
	X
}

# The IKE SA's own cipher goes along with ESP's, so that each is met there too.
cell_ike() { # ESP
	case $1 in
	aes256-sha256) echo "$1" ;;
	*) echo "$1-prfsha256" ;;
	esac
}

swan_matrix() { # SIDE OTHER OUTER PEER LOCAL REMOTE: the whole swanctl.conf
	echo "connections {"
	each_cell swan_cell "$@"
	echo "}"
	echo "secrets { ike { secret = \"$psk\" } }"
}
