#!/bin/bash
# The demo and these tests leave nothing behind: not at the end, not after a failure
# half-way, not after a signal.
# shellcheck source=../netns/lib.sh
. "$(dirname "$0")/lib.sh"
net_up
here=$(dirname "$0")

# What a script with this pid would leave: namespaces, and files in a folder of its own.
nothing_left() { # PID
	local left
	left=$(ip netns list | grep "^ikev-$1-"; ls -A "$tmp/scratch")
	[ -z "$left" ] && return 0
	echo "left behind: $left"
	return 1
}

run_demo() { # SIGNAL SECONDS [VARIABLE=VALUE...]: sets status and shown
	local signal=$1 after=$2 p
	shift 2
	mkdir -p "$tmp/scratch"
	env KEPT= TMPDIR="$tmp/scratch" "$@" "$here/demo.sh" >"$tmp/demo.out" 2>&1 &
	p=$!
	demo=$p
	if [ "$signal" != none ]; then
		sleep "$after"
		kill "-$signal" $p
	fi
	status=0
	wait $p 2>/dev/null || status=$?
}

run_demo none 0
check "the demo succeeds" test $status = 0
check "its last line" test "$(tail -n 1 "$tmp/demo.out")" = "demo: ok"
check "nothing is left" nothing_left "$demo"
if [ $status != 0 ]; then
	cat "$tmp/demo.out"
fi

# Half-way: both daemons run and a capture does, then ikectl refuses.
cat >"$tmp/ikectl" <<X
#!/bin/sh
case "\$*" in *up*) exit 1 ;; esac
exec "$IKECTL" "\$@"
X
chmod +x "$tmp/ikectl"
run_demo none 0 IKECTL="$tmp/ikectl"
check "half-way: the demo fails" test $status != 0
check "half-way: it says at what" grep -q 'demo: failed at: berlin: ikectl up' "$tmp/demo.out"
check "half-way: it does not say ok" not grep -q 'demo: ok' "$tmp/demo.out"
check "half-way: nothing is left" nothing_left "$demo"
run_demo none 0 IKEVD=/bin/false
check "no ikevd: the demo fails" test $status != 0
check "no ikevd: nothing is left" nothing_left "$demo"
for after in 0.03 0.1 0.4; do
	run_demo TERM $after
	check "SIGTERM after $after s: nothing is left" nothing_left "$demo"
done
finish
