#!/bin/bash
# The whole thing as a story: two hosts, a router between them, one tunnel, packets through
# it.  Needs root; leaves nothing behind, also when it stops half-way.  `sudo make demo`.
# shellcheck source=../netns/lib.sh
. "$(dirname "$0")/lib.sh"

scene() {
	printf '\n%s\n' "$*"
}

# One line: what was done, and what came of it.
step() { # COMMAND AS A PERSON READS IT -- COMMAND...
	local shown=$1 began=${EPOCHREALTIME/[.,]/} result
	shift
	if ! "$@" >"$tmp/out" 2>&1; then
		printf '  %-52s FAILED\n' "$shown"
		sed 's/^/    | /' "$tmp/out"
		tail -n 10 "$tmp"/*.log 2>/dev/null | sed 's/^/    | /'
		echo "demo: failed at: $shown"
		exit 1
	fi
	result=$(tail -n 1 "$tmp/out")
	printf '  %-52s %s (%d ms)\n' "$shown" "${result:-done}" \
		$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
}

# And one that shows everything the command says.
show() { # SHOWN COMMAND...
	local shown=$1
	shift
	printf '  %s\n' "$shown"
	if ! "$@" >"$tmp/out" 2>&1; then
		sed 's/^/    | /' "$tmp/out"
		echo "demo: failed at: $shown"
		exit 1
	fi
	sed 's/^/    /' "$tmp/out"
}

begin() { # NODE
	launch "$1"
	wait_for 10 ready "$1" && alive "$1" && echo "answers"
}

ping_through() { # FROM-NODE FROM TO
	probe "$1" "$2" "$3" 5 && echo "5 of 5 answered"
}

leaks() {
	both_ways 1 && echo "answered, in the clear: so a leak would show"
}

look() {
	captured
	sealed && echo "$(packets "$is_ike") IKE, $(packets "$is_esp") ESP, nothing else"
}

over() { # NODE
	local rc=0
	stop "$1" || rc=$?
	[ $rc = 0 ] && echo "exit status 0" && return
	echo "exit status $rc"
	return 1
}

need "$IKEVD" "$IKECTL"
net_up
scene "Three namespaces: two gateways that know only the router between them."
echo "  berlin  $BERLIN    behind it 10.1.0.0/24"
echo "  paris   $PARIS  behind it 10.2.0.0/24"
step "ping 10.1.0.1 <-> 10.2.0.1 without a tunnel" leaks

scene "An ikevd at each end."
gateway berlin on-demand
gateway paris on-demand
step "berlin: ikevd -f berlin.conf" begin berlin
step "paris:  ikevd -f paris.conf" begin paris

scene "The tunnel, while the router listens with tcpdump."
capture
step "berlin: ikectl up paris" ctl berlin up paris
step "berlin: ping -c 5 -I 10.1.0.1 10.2.0.1" ping_through berlin "$IN_BERLIN" "$IN_PARIS"
step "paris:  ping -c 5 -I 10.2.0.1 10.1.0.1" ping_through paris "$IN_PARIS" "$IN_BERLIN"
step "router: what the capture holds" look

scene "What both say of it."
show "berlin: ikectl status" ctl berlin status
show "paris:  ikectl status" ctl paris status

scene "And down again."
step "berlin: ikectl down paris" ctl berlin down paris
step "berlin: kill -TERM ikevd" over berlin
step "paris:  kill -TERM ikevd" over paris
printf '\ndemo: ok\n'
