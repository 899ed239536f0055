#!/bin/bash
# run.sh LOGS [limit=SECONDS | user=caller | user=root | jobs=COUNT | TEST]...
#
# Runs each TEST, a command that may carry arguments, under the last limit and user named
# before it and at most so many at a time, and keeps what it prints in LOGS/NAME.log; NAME
# is that of its file, and of the folder, too, if that is a folder of scripts in tests/.  A
# test ends with Check's summary ("NN%: Checks: A, Failures: B, Errors: C"), with a line "N
# passed, N failed", or, being all one, with "NAME: ok".  One that ends badly, prints no
# summary, runs nothing or skips something has failed.  The last line adds everything up;
# the exit status is 0 only if nothing failed and something ran.

top=$(dirname "$0")/..
as_caller=$top/build-aux/as-caller
logs=$1
shift
limit=300
jobs=1
prefix=()
passed=0
failed=0
running=0
# of what runs, by its process
declare -A name_of started_at limit_of
# A test of a busy machine is no failure for that: Check's limits are for what hangs.
export LC_ALL=C CK_TIMEOUT_MULTIPLIER=${CK_TIMEOUT_MULTIPLIER:-5}

# Prints "PASSED FAILED SKIPPED" of a log: the last plain summary, else all of Check's.
count()
{
	awk '
	/^([^ ]+: )?[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ {
		sub(/^[^ ]+: /, "")
		plain = 1; p = $1; f = $3; s = $5 + 0
	}
	/^[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+$/ {
		gsub(/,/, ""); bad += $5 + $7; checks += $3
	}
	{ last = $0 }
	END {
		if (plain) print p, f, s
		else if (last ~ /^[a-z_]+: ok$/) print 1, 0, 0
		else print checks - bad, bad + 0, 0
	}' "$1"
}

name_of_test() # COMMAND
{
	case $1 in
	tests/*/*.sh) set -- "${1#tests/}" ;;
	*) set -- "${1##*/}" ;;
	esac
	echo "${1%.sh}"
}

# What runs in the background of a shell is deaf to SIGINT, and so would be all that a test
# starts.
begin() # COMMAND...
{
	local name log

	name=$(name_of_test "$1")
	log=$logs/$name.log
	$as_caller mkdir -p "${log%/*}"
	# a log left by another user could not be written
	rm -f "$log"
	env --default-signal=INT,QUIT "${prefix[@]}" timeout -k 15 "$limit" "$@" \
		>"$log" 2>&1 </dev/null &
	name_of[$!]=$name
	started_at[$!]=$SECONDS
	limit_of[$!]=$limit
	running=$((running + 1))
}

# Why a test has failed beyond what it counted itself; nothing: it has not.
verdict() # STATUS LIMIT PASSED FAILED SKIPPED
{
	if [ "$1" = 124 ] || [ "$1" = 137 ]; then
		echo "took longer than $2 s"
	elif [ "$3" = 0 ] && [ "$4" = 0 ]; then
		echo "exit status $1 and no summary"
	elif [ "$5" != 0 ]; then
		echo "$5 skipped"
	elif [ "$1" != 0 ] && [ "$4" = 0 ]; then
		echo "exit status $1"
	elif [ "$1" = 0 ] && [ "$4" != 0 ]; then
		echo "exit status 0 in spite of failures"
	fi
}

# Waits for one to end and adds it up.
reap()
{
	local pid status name log seconds why counts

	wait -n -p pid
	status=$?
	name=${name_of[$pid]}
	log=$logs/$name.log
	seconds=$((SECONDS - started_at[$pid]))
	running=$((running - 1))
	unset "name_of[$pid]"
	[ -z "${SUDO_UID:-}" ] || [ "$(id -u)" != 0 ] ||
		chown "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$log"

	read -r -a counts <<<"$(count "$log")"
	why=$(verdict "$status" "${limit_of[$pid]}" "${counts[@]}")
	[ -z "$why" ] || counts[1]=$((counts[1] + 1))
	passed=$((passed + counts[0]))
	failed=$((failed + counts[1]))
	if [ "${counts[1]}" = 0 ]; then
		printf '  %-6s %-28s %7d  %4d s\n' ok "$name" "${counts[0]}" $seconds
		return
	fi
	printf '  %-6s %-28s %7d passed, %d failed  %4d s\n' FAILED "$name" "${counts[0]}" \
		"${counts[1]}" $seconds
	[ -z "$why" ] || printf '         %s\n' "$why"
	sed 's/^/    | /' "$log"
}

# `timeout` hands it on, and scripts clean up.
give_up() # EXIT-STATUS
{
	trap '' INT TERM HUP
	kill "${!name_of[@]}" 2>/dev/null
	wait
	exit "$1"
}
trap 'give_up 130' INT
trap 'give_up 143' TERM
trap 'give_up 129' HUP

$as_caller mkdir -p "$logs" || exit 1
# kept for whoever wants the counts without the rest; gone until they are known
rm -f "$logs/summary"
for test; do
	case $test in
	limit=*) limit=${test#limit=} ;;
	user=caller) prefix=("$as_caller") ;;
	user=root) prefix=() ;;
	jobs=*) jobs=${test#jobs=} ;;
	*)
		while [ $running -ge "$jobs" ]; do
			reap
		done
		# shellcheck disable=SC2086 # a command with its arguments
		begin $test
		;;
	esac
done
while [ $running -gt 0 ]; do
	reap
done

echo "$passed passed, $failed failed" | $as_caller tee "$logs/summary"
[ $failed = 0 ] && [ $passed != 0 ]
