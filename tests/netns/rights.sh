#!/bin/bash
# What the daemon may do: it gives root up by itself (daemon.user), runs without root where
# it has three capabilities, as under systemd, and says what is missing where it has none.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need setpriv perl

field() { # NAME: of /proc/PID/status of berlin's daemon
	sed -n "s/^$1:[[:space:]]*//p" "/proc/${pid[berlin]}/status"
}

works() { # TITLE SOCKET: packets both ways, then an end that leaves nothing
	check "$1: packets both ways" both_ways 3
	check "$1: ends with 0" stop berlin
	check "$1: leaves nothing behind" same_state "$tmp/before" berlin
	check "$1: nor its socket" not test -e "$2"
}

net_up
chmod 755 "$tmp"
system_state berlin >"$tmp/before"
gateway paris passive
gateway berlin on-demand
start paris
nobody=$(id -u nobody)

# ---- root, and a user in the configuration ----

sed -i 's/^daemon = {/& user = "nobody";/' "$tmp/berlin.conf"
launch berlin -s "$tmp/run/sock"	# the folder is not there yet
check "user: is up" wait_for 5 grep -q ready "$tmp/berlin.log"
check "user: real, effective, saved" says "^(${nobody}[[:space:]]*){4}\$" field Uid
check "user: no group of root's" not says '(^| )0( |$)' field Groups
check "user: CAP_NET_ADMIN, CAP_NET_RAW and no more" says '^0*3000$' field CapPrm
check "user: nothing to hand on" says '^0*$' field CapInh
check "user: nothing new" says '^1$' field NoNewPrivs
check "user: the socket is its own" says "^$nobody 660\$" stat -c '%u %a' "$tmp/run/sock"
check "user: the secret stayed root's" says '^0 600$' stat -c '%u %a' \
	"$tmp/berlin.secrets/paris.psk"
works "user" "$tmp/run/sock"

# ---- as systemd starts it: no root, three capabilities ----

gateway berlin on-demand
chown nobody "$tmp/berlin.secrets/paris.psk"
install -d -o nobody "$tmp/home"
cat >"$tmp/listen.pl" <<'X'
use Socket;
my $s;
socket($s, PF_UNIX, SOCK_DGRAM, 0) && bind($s, sockaddr_un($ARGV[0])) or die;
chmod 0666, $ARGV[0];
$| = 1;
while (defined recv($s, my $m, 4096, 0)) { print "$m\n"; }
X
perl "$tmp/listen.pl" "$tmp/notify" >"$tmp/notified" &
wait_for 5 test -S "$tmp/notify"
caps=+net_admin,+net_raw,+net_bind_service
NOTIFY_SOCKET=$tmp/notify ip netns exec "$(ns berlin)" \
	setpriv --reuid nobody --clear-groups --inh-caps "$caps" --ambient-caps "$caps" \
	--bounding-set "-all,$caps" "$IKEVD" -f "$tmp/berlin.conf" -s "$tmp/home/sock" \
	>>"$tmp/berlin.log" 2>&1 &
pid[berlin]=$!
check "capabilities: systemd hears READY=1" wait_for 10 grep -q '^READY=1$' "$tmp/notified"
check "capabilities: and the state" wait_for 5 grep -q '^STATUS=1 connection' "$tmp/notified"
works "capabilities" "$tmp/home/sock"
check "capabilities: systemd hears STOPPING=1" wait_for 5 grep -q '^STOPPING=1$' "$tmp/notified"

# ---- nothing ----

rightless() {
	on berlin timeout 10 setpriv --reuid nobody --clear-groups --bounding-set=-all \
		"$IKEVD" -f "$tmp/berlin.conf" -s "$tmp/home/sock"
}
check "no rights: exit status 1" exits 1 rightless
check "no rights: says which are missing" says CAP_NET_ADMIN rightless
check "no rights: leaves nothing behind" same_state "$tmp/before" berlin

finish
