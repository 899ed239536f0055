#!/bin/bash
# ikevd -n: every fault at once, each with its place and what would be right; secrets that
# others can read; and no start with a configuration that -n refuses.
# shellcheck source=../netns/lib.sh
. "$(dirname "$0")/lib.sh"
net_up
try() { # reads berlin.conf only
	on berlin timeout 5 "$IKEVD" -n -f "$tmp/berlin.conf" -s "$tmp/berlin.sock"
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
finish
