#!/bin/bash
# The interop harness without ikevd: strongSwan on both ends.  What passes here and fails in
# matrix.sh is ours; what fails here is the harness, the machine or strongSwan.
# shellcheck source=../interop/lib.sh
. "$(dirname "$0")/lib.sh"
net_up

each_cell cell_inside
swan_matrix berlin paris "$BERLIN" "$PARIS" 10.1 10.2 | swan_conf berlin
swan_matrix paris berlin "$PARIS" "$BERLIN" 10.2 10.1 | swan_conf paris
capture
swan_start berlin paris

cell() { # N ESP KE
	local words
	mapfile -t words < <(cell_words "$2" "$3")
	check "$2, $3: up" swan_up berlin "c$1"
	check "$2, $3: as asked for" swan_has paris "c$1" "${words[@]}"
	check "$2, $3: packets both ways" cell_packets "$1" 2
	check "$2, $3: counted by berlin" swan_carried berlin "c$1"
	check "$2, $3: counted by paris" swan_carried paris "c$1"
}
each_cell cell
captured
check "only IKE and ESP on the wire" sealed
check "down" swan_down berlin c11
check "berlin has forgotten it" not swan_has berlin c11 ESTABLISHED
check "paris has forgotten it" not swan_has paris c11 ESTABLISHED
finish
