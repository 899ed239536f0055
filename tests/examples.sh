#!/bin/bash
# examples.sh
#
# The libraries as a program outside the tree meets them: installed into a folder of this
# test, and found by pkg-config alone.  Headers, exported symbols, the examples and those of
# the manuals, shared and static, C++, Python.

cd "$(dirname "$0")/.." || exit 1
build=${B:-build}
cc=${CC:-cc}
cxx=${CXX:-c++}
prefix=/opt/ikev
libraries='libesp libike libipsec'
passed=0
failed=0
export LC_ALL=C

tmp=$(mktemp -d) || exit 1
server=
finish()
{
	[ -z "$server" ] || kill "$server" 2>/dev/null
	rm -rf "$tmp"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

root=$tmp/root
lib=$root$prefix/lib
work=$tmp/work
mkdir "$work"
export PKG_CONFIG_SYSROOT_DIR=$root
PKG_CONFIG_PATH=$lib/pkgconfig:${PKG_CONFIG_PATH:-}
export PKG_CONFIG_PATH
export LD_LIBRARY_PATH=$lib

# verdict WHAT: counts one test, which has left in $tmp/said what is wrong with it
verdict()
{
	if [ ! -s "$tmp/said" ]; then
		passed=$((passed + 1))
		echo "ok: $1"
	else
		failed=$((failed + 1))
		echo "FAILED: $1"
		sed 's/^/    /' "$tmp/said"
	fi
}

# check WHAT COMMAND...: that it succeeds
check()
{
	local what=$1
	shift
	if "$@" >"$tmp/out" 2>&1 </dev/null; then
		: >"$tmp/said"
	else
		{
			echo "exit status $?: $*"
			cat "$tmp/out"
		} >"$tmp/said"
	fi
	verdict "$what"
}

# same WHAT FILE FILE: that they have the same lines
same()
{
	diff "$2" "$3" >"$tmp/said"
	verdict "$1"
}

# ---- what is installed ----

install_all()
{
	make -s B="$build" DESTDIR="$root" prefix=$prefix install
}

exported()
{
	nm -D --defined-only "$lib/$1.so" | awk '$2 != "A" { print $3 }'
}

check_headers()
{
	local header language flags
	flags=$(pkg-config --cflags libipsec) || return
	for header in "$root$prefix"/include/ikev/*.h; do
		for language in "$cc -std=c11 -xc" "$cxx -std=c++17 -xc++"; do
			# shellcheck disable=SC2086 # words
			echo "#include <ikev/${header##*/}>" |
				$language $flags -Wall -Wextra -pedantic -Werror -fsyntax-only - ||
				return
		done
	done
}

check_symbols()
{
	local library=$1 node
	node=$(echo "${library#lib}" | tr '[:lower:]' '[:upper:]')_0
	CC=$cc build-aux/exports "$library" 0 "$root$prefix"/include/ikev/*.h |
		sed -n 's/;$//; /\*/d; s/^\t//p' | sed "s/$/@@$node/" >"$tmp/declared"
	exported "$library" | sort >"$tmp/exported"
	[ -s "$tmp/exported" ] || echo 'nothing is exported' >>"$tmp/declared"
	same "$library exports what its headers declare, versioned, and nothing else" \
		"$tmp/declared" "$tmp/exported"
}

# needs FILE: the libraries of this house that it is linked with
needs()
{
	readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(lib\(esp\|ike\|ipsec\)\.so[^]]*\)\]/\1/p' |
		sort | tr '\n' ' '
}

check_links()
{
	[ "$(needs "$lib/libesp.so")" = '' ] &&
		[ "$(needs "$lib/libike.so")" = 'libesp.so.0 ' ] &&
		[ "$(needs "$lib/libipsec.so")" = 'libesp.so.0 libike.so.0 ' ] &&
		[ "$(needs "$root$prefix/sbin/ikevd")" = '' ] &&
		[ "$(needs "$build/sim")" = '' ]
}

# What a manual calls a function is one.
check_manual()
{
	exported "$1" | sed 's/@.*//' | sort >"$tmp/exported"
	sed -n 's/^\.\(It \)\{0,1\}Fn //p' "man/$1.3" | tr -s ' ,' '\n' |
		grep "^${1#lib}_" | sort -u | comm -23 - "$tmp/exported" >"$tmp/said"
	verdict "$1.3 names functions that exist"
}

# ---- programs ----

# extract PAGE: its example, as mandoc would print it
extract()
{
	awk '/^\.Bd -literal/ { on = 1; next } /^\.Ed/ { on = 0 } on' "man/$1.3" |
		sed 's/^\\&//; s/\\e/\\/g' >"$work/$1.c"
	grep -q 'return 0;' "$work/$1.c"
}

# compile SOURCE PROGRAM PACKAGE [--static]
compile()
{
	local flags
	# shellcheck disable=SC2086 # words
	flags=$(pkg-config ${4:-} --cflags --libs "$3") || return
	# shellcheck disable=SC2086
	$cc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -o "$2" "$1" $flags
}

package_of()
{
	case $1 in
	engine | libike) echo libike ;;
	libesp) echo libesp ;;
	*) echo libipsec ;;
	esac
}

# pings KIND: the echo server, the client that it answers, and one that it does not know
pings()
{
	local port
	"$work/$1-echo_server" 127.0.0.1:0 secret >"$tmp/server" 2>&1 &
	server=$!
	for _ in $(seq 50); do
		port=$(sed -n 's/^port //p' "$tmp/server")
		[ -z "$port" ] || break
		sleep 0.1
	done
	timeout 20 "$work/$1-client" "127.0.0.1:$port" secret 3 &&
		! timeout 20 "$work/$1-client" "127.0.0.1:$port" wrong 3 &&
		{ [ "$1" = static ] || python3 examples/client.py "127.0.0.1:$port" secret; } &&
		kill -INT $server && wait $server && server= &&
		grep -q '^client.example up' "$tmp/server"
}

programs()
{
	local source name
	for source in examples/*.c "$work"/lib*.c; do
		name=${source##*/}
		name=${name%.c}
		check "$name compiles, $1" compile "$source" "$work/$1-$name" \
			"$(package_of "$name")" "${2:-}"
	done
	check "engine establishes, $1" timeout 20 "$work/$1-engine"
	check "poll greets itself, $1" timeout 20 "$work/$1-poll"
	check "client and echo server talk, $1" pings "$1"
	for name in $libraries; do
		check "the example of $name.3 runs, $1" timeout 20 "$work/$1-$name"
	done
}

# from_cxx: C++ calls a function of each library
from_cxx()
{
	cat >"$work/all.cc" <<-'end'
	#include <ikev/connection.h>
	#include <ikev/endpoint.h>
	#include <ikev/esp.h>
	#include <ikev/ipsec.h>
	#include <cstring>
	int
	main()
	{
		esp *e = esp_new(0, 1);
		ike_setup setup;

		ike_setup_defaults(&setup);
		esp_free(e);
		return e == nullptr || setup.port != 500 ||
		    std::strlen(ipsec_error_name(IPSEC_OK)) == 0;
	}
	end
	# shellcheck disable=SC2046 # words
	"$cxx" -std=c++17 -Wall -Wextra -pedantic -Werror -o "$work/all" "$work/all.cc" \
		$(pkg-config --cflags --libs libipsec) && "$work/all"
}

check 'make install' install_all
check 'each header stands alone, in C11 and C++17' check_headers
for library in $libraries; do
	check_symbols "$library"
	check_manual "$library"
	check "the example of $library.3 is there" extract "$library"
done
check 'libraries name each other, and programs of ours name none' check_links
programs shared
check 'C++ calls all three' from_cxx
check 'client.py names faults' python3 examples/client.py

rm -f "$lib"/lib*.so*
programs static --static
[ "$(needs "$work/static-libipsec")" = '' ] || echo 'it needs shared ones' >"$tmp/said"
verdict 'static programs need no library of ours'

check 'make uninstall' make -s B="$build" DESTDIR="$root" prefix=$prefix uninstall
find "$root" -type f ! -path "$root/etc/*" >"$tmp/said"
verdict 'nothing is left behind'

echo "$passed passed, $failed failed"
[ $failed = 0 ]
