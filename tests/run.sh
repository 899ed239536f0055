#!/bin/sh
# run.sh LOGS [limit=SECONDS | user=caller | user=root | TEST]...
#
# Runs each TEST, a command that may carry arguments, under the last limit and user named
# before it, and keeps what it prints in LOGS/NAME.log.  A test ends with Check's summary
# ("NN%: Checks: A, Failures: B, Errors: C"), with a line "N passed, N failed", or, being all
# one, with "NAME: ok".  One that ends badly, prints no summary, runs nothing or skips
# something has failed.  The last line adds everything up; the exit status is 0 only if
# nothing failed and something ran.

top=$(dirname "$0")/..
as_caller=$top/build-aux/as-caller
logs=$1
shift
limit=300
user=
passed=0
failed=0
LC_ALL=C
export LC_ALL

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

# run COMMAND...: sets test_passed, test_failed and why
run()
{
	started=$(date +%s)
	$prefix timeout -k 15 "$limit" "$@" >"$log" 2>&1 </dev/null
	status=$?
	seconds=$(($(date +%s) - started))

	# shellcheck disable=SC2046 # three numbers
	set -- $(count "$log")
	test_passed=$1
	test_failed=$2
	why=
	if [ $status = 124 ] || [ $status = 137 ]; then
		why="took longer than $limit s"
	elif [ "$1" = 0 ] && [ "$2" = 0 ]; then
		why="exit status $status and no summary"
	elif [ "$3" != 0 ]; then
		why="$3 skipped"
	elif [ $status != 0 ] && [ "$2" = 0 ]; then
		why="exit status $status"
	elif [ $status = 0 ] && [ "$2" != 0 ]; then
		why="exit status 0 in spite of failures"
	fi
	[ -z "$why" ] || test_failed=$((test_failed + 1))
}

prefix=
$as_caller mkdir -p "$logs" || exit 1
# kept for whoever wants the counts without the rest; gone until they are known
rm -f "$logs/summary"
for test; do
	case $test in
	limit=*)
		limit=${test#limit=}
		continue
		;;
	user=*)
		user=${test#user=}
		prefix=
		[ "$user" != caller ] || prefix=$as_caller
		continue
		;;
	esac

	name=${test%% *}
	name=${name##*/}
	name=${name%.sh}
	log=$logs/$name.log
	# a log left by another user could not be written
	rm -f "$log"
	# shellcheck disable=SC2086 # a command with its arguments
	run $test
	[ -z "${SUDO_UID:-}" ] || [ "$(id -u)" != 0 ] ||
		chown "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$log"

	passed=$((passed + test_passed))
	failed=$((failed + test_failed))
	if [ "$test_failed" = 0 ]; then
		printf '  %-6s %-28s %7d  %4d s\n' ok "$name" "$test_passed" $seconds
	else
		printf '  %-6s %-28s %7d passed, %d failed  %4d s\n' FAILED "$name" \
			"$test_passed" "$test_failed" $seconds
		[ -z "$why" ] || printf '         %s\n' "$why"
		sed 's/^/    | /' "$log"
	fi
done

echo "$passed passed, $failed failed" | $as_caller tee "$logs/summary"
[ $failed = 0 ] && [ $passed != 0 ]
