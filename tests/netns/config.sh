#!/bin/bash
# ikevd -n: every fault at once, each with its place and what would be right; secrets that
# others can read; no start with a configuration that -n refuses; the files of a folder
# beside it; and how long 40,000 connections take.
# shellcheck source=../netns/lib.sh
. "$(dirname "$0")/lib.sh"
net_up
try() { # reads berlin.conf and berlin.conf.d only
	on berlin timeout "${patience:-5}" "$IKEVD" -n -f "$tmp/berlin.conf" -s "$tmp/berlin.sock"
}

gateway berlin always
system_state berlin >"$tmp/before"
check "a good one: exit status 0" exits 0 try
check "-n changes nothing" same_state "$tmp/before" berlin
check "-n makes no socket" not test -e "$tmp/berlin.sock"

conf berlin <<X
daemon = { secrets_dir = "$tmp/berlin.secrets"; datapth = "tun"; };
connections = {
  paris = {
    local  = { id = "gw.berlin.example"; subnets = [ "10.1.0.0/33" ]; };
    remote = { address = "203.0.113.7"; id = "gw.paris.example"; subnets = [ "10.2.0.0/24" ]; };
    auth   = "psk";
    start  = "allways";
    esp    = [ "rot13" ];
  };
};
X
check "bad: exit status 1" exits 1 try
check "bad: the misspelt key, at its line" says "^$tmp/berlin.conf:1: .*datapth" try
check "bad: the subnet, at its line" says "^$tmp/berlin.conf:4: .*10\.1\.0\.0/33" try
check "bad: the start, at its line" says "^$tmp/berlin.conf:7: .*allways" try
check "bad: the proposal, at its line" says "^$tmp/berlin.conf:8: .*rot13" try
check "bad: a suggestion for the key" says 'datapth.*datapath' try
check "bad: a suggestion for the value" says 'allways.*always' try
check "bad: it does not start either" exits 1 on berlin timeout 5 "$IKEVD" -f "$tmp/berlin.conf" \
	-s "$tmp/berlin.sock"
check "bad: and has changed nothing" same_state "$tmp/before" berlin

echo 'connections = { paris = { local' | conf berlin
check "broken syntax: exit status 1" exits 1 try
check "broken syntax: the line" says "^$tmp/berlin.conf:1: " try
: | conf berlin
rm "$tmp/berlin.conf"
check "no file: exit status 1" exits 1 try
check "no file: it is named" says "$tmp/berlin.conf" try

gateway berlin always
chmod 644 "$tmp/berlin.secrets/paris.psk"
check "a secret others can read: exit status 1" exits 1 try
check "a secret others can read: the line that mends it" \
	says "chmod o= $tmp/berlin.secrets/paris.psk" try
rm "$tmp/berlin.secrets/paris.psk"
check "no secret: exit status 1" exits 1 try
check "no secret: the file is named" says "$tmp/berlin.secrets/paris.psk" try
secret berlin paris "0x123"
check "a secret of half an octet: exit status 1" exits 1 try
check "an unknown option: exit status not 0" not on berlin timeout 5 "$IKEVD" --nonsense

# ---- the folder beside the file ---------------------------------------------------------

fragment() { # NAME: standard input as a file of berlin.conf.d
	mkdir -p "$tmp/berlin.conf.d"
	cat >"$tmp/berlin.conf.d/$1"
}
peer() { # NAME: a passive connection
	cat <<-X
		connections = { $1 = {
		  local = { id = "gw.berlin.example"; subnets = [ "10.1.0.0/24" ]; };
		  remote = { address = "198.51.100.0/24"; id = "gw.$1.example"; subnets = [ "10.9.0.0/24" ]; };
		}; };
	X
}

gateway berlin always
peer rome | fragment 20-rome.conf
peer madrid | fragment 10-madrid.conf
echo 'connections = (' | fragment 30-off.conf.disabled
secret berlin rome "what berlin and rome both know"
check "a folder: a secret that is missing is named" says "$tmp/berlin.secrets/madrid.psk" try
secret berlin madrid "what berlin and madrid both know"
check "a folder: all of it counts" says "valid, 3 connections" try
start berlin
check "a folder: the daemon has all of it" says '^madrid' ctl berlin status
check "a folder: and the main file" says '^paris' ctl berlin status
check "a folder: the daemon ends" stop berlin

peer paris | fragment 40-paris.conf
check "a name twice: exit status 1" exits 1 try
check "a name twice: both places" \
	says "^$tmp/berlin.conf.d/40-paris.conf:1: .*\"paris\", at $tmp/berlin.conf:3;" try
rm "$tmp/berlin.conf.d/40-paris.conf"
echo "daemon = { secrets_dir = \"$tmp/berlin.secrets\"; };" | fragment 50-daemon.conf
check "a setting twice: both places" \
	says "^$tmp/berlin.conf.d/50-daemon.conf:1: .*stands at $tmp/berlin.conf:1," try
ln -s nowhere "$tmp/berlin.conf.d/60-gone.conf"
check "an unreadable file: exit status 1" exits 1 try
check "an unreadable file: it is named, too" says "^$tmp/berlin.conf.d/60-gone.conf: " try
check "an unreadable file: nor is anything else forgotten" \
	says "^$tmp/berlin.conf.d/50-daemon.conf:1: " try
rm -r "$tmp/berlin.conf.d"
: >"$tmp/berlin.conf.d"
check "a file for the folder: exit status 1" exits 1 try
rm "$tmp/berlin.conf.d"

# ---- warnings ---------------------------------------------------------------------------

gateway berlin always 'compat = "sha1"; ike = [ "default", "aes256-sha1-modp2048" ];'
secret berlin paris sesame
check "warnings: exit status 0" exits 0 try
check "warnings: weak algorithms, at their line" \
	says "^warning: $tmp/berlin.conf:9: paris: ike names sha1" try
check "warnings: a secret that can be guessed" \
	says "^warning: $tmp/berlin.secrets/paris.psk: .*6 octets" try

# ---- how long a peer is waited for ------------------------------------------------------

gateway berlin always 'dpd = "10s"; retransmit = { first = "1s"; factor = 1; tries = 5; };'
secret berlin paris 0x000102030405060708090a0b0c0d0e0f
check "patience: exit status 0" exits 0 try
check "patience: of a silent peer, and of one that never answers" says \
	"^paris: a silent peer is given up after 10 s \+ 5 s; .* first call after 41 s$" try
gateway berlin always 'children = { net = { local = "10.1.0.0/24"; remote = "10.2.0.0/24";
	mode = "transport"; }; };'
check "transport mode: the data path cannot, and that is said" says \
	"^$tmp/berlin.conf:[0-9]*: paris: mode: the data path \"tun\" carries tunnel" try
gateway berlin always 'rekey = { child = "1h"; }; expire = { child = "30m"; };'
check "lifetimes: the end comes after the rekey" says \
	"^$tmp/berlin.conf:9: paris: expire.child is not more than rekey.child, " try

# ---- 40,000 connections -----------------------------------------------------------------

many() { # N: a list of them, and their secrets
	mkdir -p "$tmp/many.secrets"
	perl -e '
		my ($n, $tmp) = @ARGV;
		umask 077;
		open my $conf, ">", "$tmp/berlin.conf" or die;
		print $conf "daemon = { secrets_dir = \"$tmp/many.secrets\"; };\nconnections = (\n";
		for my $i (0 .. $n - 1) {
			my $net = sprintf "%d.%d", $i >> 8, $i & 255;
			print $conf "{ name = \"peer$i\"; start = \"always\";\n",
				"  local = { id = \"gw.berlin.example\"; subnets = [ \"10.1.0.0/24\" ]; };\n",
				"  remote = { address = \"203.0.113.7\"; id = \"gw$i.paris.example\";\n",
				"    subnets = [ \"172.$net.0/24\" ]; };\n",
				"}", $i < $n - 1 ? ",\n" : "\n";
			open my $secret, ">", "$tmp/many.secrets/peer$i.psk" or die;
			print $secret "0x", unpack("H*", pack("N4", $i, 1, 2, 3)), "\n";
		}
		print $conf ");\n";' "$1" "$tmp"
}
quick() { # CENTISECONDS COMMAND...: of the processor, which others may be using, too
	local most=$1 spent TIMEFORMAT='%2U %2S'
	shift
	spent=$({ time "$@" >/dev/null; } 2>&1) || return
	spent=$(awk '{ print int(100 * ($1 + $2)) }' <<<"$spent")
	[ "$spent" -le "$most" ] && return 0
	echo "$spent centiseconds"
	return 1
}
many 40000
patience=100
if grep -q __asan_init "$IKEVD"; then
	limit=2000
else
	limit=200
fi
check "40,000 connections and secrets: valid" says "valid, 40000 connections$" try
check "40,000 connections and secrets: in a second or so" quick $limit try
finish
