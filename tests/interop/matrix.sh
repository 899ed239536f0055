#!/bin/bash
# ikevd in berlin, strongSwan in paris, PSK: each ESP transform with each key exchange, set
# up from either side, with packets both ways.
# shellcheck source=../interop/lib.sh
. "$(dirname "$0")/lib.sh"
net_up

ikevd_cell() { # N ESP KE: its part of ikev.conf
	cat <<-X
		  c$1 = {
		    local  = { id = "berlin-c$1"; subnets = [ "10.1.$1.0/24" ]; };
		    remote = { address = "$PARIS"; id = "paris-c$1"; subnets = [ "10.2.$1.0/24" ]; };
		    auth = "psk"; start = "passive";
		    ike = [ "$(cell_ike "$2")-$3" ];
		    esp = [ "$2" ];
		  };
	X
	secret berlin "c$1" "$psk"
}
ikevd_matrix() {
	echo "daemon = { secrets_dir = \"$tmp/berlin.secrets\"; };"
	echo "connections = {"
	each_cell ikevd_cell
	echo "};"
}

each_cell cell_inside
ikevd_matrix | conf berlin
swan_matrix paris berlin "$PARIS" "$BERLIN" 10.2 10.1 | swan_conf paris
capture
start berlin
swan_start paris

from_berlin() { # N ESP KE
	local words
	mapfile -t words < <(cell_words "$2" "$3")
	check "$2, $3: up from ikevd" ctl berlin up "c$1"
	check "$2, $3: as asked for" swan_has paris "c$1" "${words[@]}"
	check "$2, $3: packets both ways" cell_packets "$1" 2
	check "$2, $3: counted by strongSwan" swan_carried paris "c$1"
}
from_paris() {
	check "$2, $3: up from strongSwan" swan_up paris "c$1"
	check "$2, $3: ikevd has it" is_up berlin "c$1"
	check "$2, $3: packets both ways" cell_packets "$1" 2
	check "$2, $3: counted by strongSwan" swan_carried paris "c$1"
}
ikevd_closes() {
	check "$2, $3: down from ikevd" ctl berlin down "c$1"
	check "$2, $3: strongSwan has closed" wait_for 2 swan_lacks paris "c$1"
}
swan_closes() {
	check "$2, $3: down from strongSwan" swan_down paris "c$1"
	check "$2, $3: ikevd has closed" wait_for 2 not is_up berlin "c$1"
}
each_cell from_berlin
each_cell swan_closes
check "strongSwan holds nothing" wait_for 2 swan_empty paris
each_cell from_paris
each_cell ikevd_closes
check "strongSwan holds nothing again" wait_for 2 swan_empty paris
captured
check "only IKE and ESP on the wire" sealed
check "ikevd still runs" alive berlin
finish
