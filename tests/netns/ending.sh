#!/bin/bash
# What is left when ikevd ends: nothing after SIGTERM, and after a kill -9 nothing once the
# next one has started.
# shellcheck source=../netns/lib.sh
. "$(dirname "$0")/lib.sh"
net_up
gateway berlin always
gateway paris passive
system_state berlin >"$tmp/berlin.before"
system_state paris >"$tmp/paris.before"

start paris berlin
check "up" wait_for 5 is_up berlin paris
check "carries" both_ways 2
system_state berlin >"$tmp/berlin.running"
check "the daemon did change the system" not same_state "$tmp/berlin.before" berlin
capture
check "SIGTERM: exit status 0" stop berlin
captured
check "a DELETE went to the peer" test "$(packets "src host $BERLIN and ($is_ike)")" -gt 0
check "the peer has closed" wait_for 2 not is_up paris berlin
check "interface, routes, rules and tables are as before" same_state "$tmp/berlin.before" berlin
check "the socket is gone" not test -e "$tmp/berlin.sock"
check "SIGINT does the same: exit status 0" stop paris INT
check "and leaves nothing" same_state "$tmp/paris.before" paris

start paris berlin
check "up again" wait_for 10 is_up berlin paris
stop berlin KILL
check "kill -9: a new start" start berlin
check "up after that" wait_for 15 is_up berlin paris
check "carries after that" both_ways 2
check "the system is as after the first start" same_state "$tmp/berlin.running" berlin
check "SIGTERM after that" stop berlin
check "nothing is left of either" same_state "$tmp/berlin.before" berlin

# A configuration without connections: what the dead one left must go all the same.
start berlin
check "up once more" wait_for 15 is_up berlin paris
stop berlin KILL
echo "daemon = { secrets_dir = \"$tmp/berlin.secrets\"; }; connections = { };" | conf berlin
start berlin
check "stops" stop berlin
check "nothing is left although nothing is configured" same_state "$tmp/berlin.before" berlin

gateway berlin always
launch berlin
sleep 0.02
kill -TERM "${pid[berlin]}"
wait_for 5 gone "${pid[berlin]}"
check "SIGTERM in the middle of the start leaves nothing" same_state "$tmp/berlin.before" berlin
unset 'pid[berlin]'

# A second ikevd on the same socket would take the first one's place unnoticed.
start berlin
check "a second ikevd in its place refuses to start" exits 1 \
	on berlin timeout 5 "$IKEVD" -f "$tmp/berlin.conf" -s "$tmp/berlin.sock"
check "and does the first one no harm" wait_for 15 is_up berlin paris
check "which still carries" both_ways 2
finish
