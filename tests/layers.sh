#!/bin/bash
# layers.sh [TOP]
#
# The arrows of the house run one way only.  Looks at what each archive in $B asks for from
# outside, at its variables and names, and at the #includes of every source, and names each
# one that breaks a rule.  Every rule is first tried on a small tree that breaks it.

top=${1:-$(dirname "$0")/..}
build=${B:-build}
[ "${build#/}" != "$build" ] || build=$top/$build
passed=0
failed=0
export LC_ALL=C

# ---- the rules: patterns of case, one a line ----

# Plain C without I/O, and what a compiler adds by itself.
pure='
	memcpy|memmove|memset|memcmp|bcmp|memchr|memmem
	strlen|strnlen|strcmp|strncmp|strcasecmp|strncasecmp|strchr|strrchr|strstr|strspn|strcspn|strpbrk
	strcpy|stpcpy|strdup|strndup
	strtol|strtoul|strtoll|strtoull|__isoc23_strto*
	snprintf|vsnprintf|asprintf|vasprintf
	malloc|calloc|realloc|reallocarray|free|aligned_alloc|explicit_bzero
	qsort|bsearch
	inet_pton|inet_ntop
	__ctype_b_loc|__ctype_tolower_loc|__ctype_toupper_loc
	__*_chk|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_
'
# Calculation only: nothing of a library that reads files, clocks or randomness.
crypto='
	sodium_memcmp|sodium_memzero|sodium_is_zero|sodium_increment|sodium_init
	crypto_*
	EVP_*|CRYPTO_*|BN_*|EC_*|ECDSA_*|RSA_*|OSSL_PARAM_*|OSSL_LIB_CTX_*|OSSL_PROVIDER_*
	OPENSSL_cleanse|OPENSSL_init_crypto|ERR_*|OBJ_*|X509_*|ASN1_*|d2i_*|i2d_*
'
# Calculation too, by its name, but it draws randomness or keeps it.
random='
	*_keypair|*_keygen|*_random|*_random_*|crypto_*_seal
	BN_rand*|BN_priv_rand*|BN_pseudo_rand*|BN_generate_*
	EVP_PKEY_keygen*|EVP_PKEY_generate|EVP_PKEY_Q_keygen|EVP_RAND_*|EC_KEY_generate_key
	RSA_generate_*|ERR_print_errors*
'
# The endpoint also has sockets, a clock and the machine's randomness.
endpoint='
	socket|bind|connect|close|setsockopt|getsockopt|getsockname|getpeername
	recvmsg|recvmmsg|sendmsg|sendmmsg|recv|recvfrom|send|sendto|read|write|readv|writev
	fcntl|fcntl64|poll|ppoll|pipe2|eventfd|ioctl|__cmsg_nxthdr|__errno_location
	clock_gettime|getrandom|randombytes_buf|randombytes_uniform|sodium_init
	sodium_malloc|sodium_free|sodium_mprotect_*|sodium_mlock|sodium_munlock
	if_nametoindex|if_indextoname|htonl|htons|ntohl|ntohs|in6addr_any
	strerror|strerror_r|__xpg_strerror_r|strerrorname_np|strerrordesc_np
'
pure_headers='
	<stdbool.h>|<stddef.h>|<stdint.h>|<stdlib.h>|<string.h>|<strings.h>|<stdio.h>|<stdarg.h>
	<limits.h>|<inttypes.h>|<ctype.h>|<endian.h>|<stdalign.h>|<arpa/inet.h>
	<sys/queue.h>|<uthash.h>|<utlist.h>|<utarray.h>
	<sodium.h>|<sodium/*>|<openssl/*>
'
low_headers='"libesp/bytes.h"|"libesp/selector.h"|"libesp/transform.h"'
# What is installed: libipsec knows no more of the libraries below it than a program does.
public_headers="$low_headers|\"libesp/esp.h\"
	\"libike/ike.h\"|\"libike/connection.h\"|\"libike/algorithm.h\"|\"libike/proto.h\"
	\"libike/id.h\""

# ---- tools ----

# matches WORD PATTERNS: one of the patterns, which white space or | part
matches()
{
	local pattern
	set -f
	for pattern in ${2//|/ }; do
		# shellcheck disable=SC2254 # it is a pattern
		case $1 in $pattern)
			set +f
			return 0
			;;
		esac
	done
	set +f
	return 1
}

# verdict WHAT VIOLATIONS: counts one test
verdict()
{
	if [ -z "$2" ]; then
		passed=$((passed + 1))
		echo "ok: $1"
	else
		failed=$((failed + 1))
		echo "FAILED: $1"
		printf '%s\n' "$2" | sed 's/^/    /'
	fi
}

# defined ARCHIVE [MEMBER-PATTERNS]: names of its global symbols
defined()
{
	nm -A --defined-only --extern-only "$build/$1.a" |
		while read -r place _ name; do
			place=${place#*.a:}
			matches "${place%%:*}" "${2:-*}" && echo "$name"
		done
}

# wanted ARCHIVE MEMBERS-LEFT-OUT: "MEMBER SYMBOL" for each undefined symbol
wanted()
{
	nm -A --undefined-only "$build/$1.a" |
		while read -r place _ name; do
			place=${place#*.a:}
			matches "${place%%:*}" "$2" || echo "${place%%:*} $name"
		done
}

# check_symbols ARCHIVE ALLOWED FORBIDDEN LEFT-OUT LOWER...: LOWER is ARCHIVE or
# ARCHIVE=MEMBERS of a lower part whose symbols may be used
check_symbols()
{
	local archive=$1 allowed=$2 forbidden=$3 left_out=$4 member members name lower bad=
	local -A own=()
	shift 4
	for lower in "$archive" "$@"; do
		members=
		case $lower in *=*) members=${lower#*=} ;; esac
		for name in $(defined "${lower%%=*}" "$members"); do
			own[$name]=1
		done
	done
	while read -r member name; do
		[ -z "${own[$name]:-}" ] || continue
		if matches "$name" "$forbidden" || ! matches "$name" "$allowed"; then
			bad+="$archive.a: $member uses $name"$'\n'
		fi
	done < <(wanted "$archive" "$left_out")
	verdict "$archive uses only what it may" "${bad%$'\n'}"
}

# check_names ARCHIVE PREFIX
check_names()
{
	verdict "$1 has public names in $2 only" \
		"$(defined "$1" | grep -v "^$2" | sed "s/^/$1.a: /")"
}

# check_variables ARCHIVE: none but constant tables.  The objects are position-independent,
# so a constant table of pointers is in .data.rel.ro.
check_variables()
{
	verdict "$1 has no variables" "$(objdump -t "$build/$1.a" | awk -v archive="$1.a" '
		/file format/ { member = $1; sub(/:$/, "", member) }
		{
			for (i = 2; i < NF; i++)
				if ($i ~ /^(\*COM\*|\.bss|\.tbss|\.tdata|\.data)/ && $i !~ /^\.data\.rel\.ro/ \
				    && $NF !~ /^\./)
					print archive ": " member " has variable " $NF " in " $i
		}')"
}

# check_includes FOLDER ALLOWED FORBIDDEN [FILES-LEFT-OUT]
check_includes()
{
	local file header bad=
	compgen -G "$top/$1/*.c" >/dev/null || bad="$1 has no sources"
	while IFS=: read -r file header; do
		! matches "${file##*/}" "${4:-}" || continue
		if matches "$header" "$3" || ! matches "$header" "$2"; then
			bad+="$file includes $header"$'\n'
		fi
	done < <(cd "$top" && grep -Ho '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<][^">]*[">]' \
		"$1"/*.[ch] 2>/dev/null | sed 's/:.*include[[:space:]]*/:/')
	verdict "$1 includes only what it may" "${bad%$'\n'}"
}

check_all()
{
	local archive
	for archive in libesp libike libipsec; do
		if [ ! -f "$build/$archive.a" ]; then
			verdict "$archive" "$build/$archive.a is not built"
			return
		fi
	done
	check_symbols libesp "$pure $crypto" "$random" ''
	check_symbols libike "$pure $crypto" "$random" '' 'libesp=selector*.o|transform*.o'
	check_symbols libipsec "$pure $crypto $endpoint" '' 'loop.o|resolve.o' libesp libike
	check_names libesp esp_
	check_names libike ike_
	check_names libipsec ipsec_
	check_variables libesp
	check_variables libike
	check_includes libesp "$pure_headers \"libesp/*.h\"" ''
	check_includes libike "$pure_headers \"libike/*.h\" \"libesp/table.h\" $low_headers" ''
	check_includes libipsec "\"libipsec/*.h\" $public_headers <*>" '<event2/*> <event.h>' \
		'loop.c|resolve.c'
	# the .inc is made from the interface's description
	check_includes daemon \
		'"daemon/*.h" "org.ikev.*.inc" "libipsec/*.h" "libike/*.h" "libesp/*.h" <*>' ''
	check_includes ctl '"ctl/*.h" <*>' '<event2/*>'
}

# ---- the rules tried on a tree that breaks each ----

# plant FILE TEXT
plant()
{
	mkdir -p "$tmp/${1%/*}"
	printf '%s\n' "$2" >"$tmp/$1"
}

plant_faults()
{
	local part
	plant libesp/esp.h '#include "libike/ike.h"'
	plant libesp/a.c '#include <sys/socket.h>
#include <stdlib.h>
int esp_count; int esp_fail(void) { abort(); } int esp_sock(void) { return socket(1, 2, 3); }'
	plant libike/ike.h ''
	plant libike/a.c '#include "libesp/esp.h"
#include <time.h>
static int calls; int ike_now(void) { calls++; return time(0) + esp_fail(); }
static const char *const names[] = { "a", "b" }; const char *ike_name(int i) { return names[i]; }
void randombytes_buf(void *, unsigned long); int BN_rand(void *, int, int, int);
void ike_draw(void *p) { randombytes_buf(p, 1); BN_rand(p, 1, 2, 3); }'
	plant libipsec/a.c '#include <event2/event.h>
#include "daemon/a.h"
#include "libike/sa.h"
void *event_base_new(void); void *make(void) { return event_base_new(); }'
	plant libipsec/loop.c '#include <event2/event.h>
void *event_base_new(void); void *ipsec_loop(void) { return event_base_new(); }'
	plant daemon/a.c '#include "ctl/a.h"'
	plant ctl/a.c '#include "libike/ike.h"'
	for part in libesp libike libipsec; do
		mkdir -p "$tmp/build/$part"
		sed '/#include/d; 1i #include <stdlib.h>' "$tmp/$part/a.c" >"$tmp/build/$part/a.c"
		${CC:-cc} -w -fPIC -c -o "$tmp/build/$part/a.o" "$tmp/build/$part/a.c" || return
		[ $part != libipsec ] || ${CC:-cc} -w -fPIC -c -I"$tmp/libipsec" \
			-o "$tmp/build/$part/loop.o" -xc <(sed '/#include/d' "$tmp/$part/loop.c") || return
		ar crs "$tmp/build/$part.a" "$tmp/build/$part"/*.o
	done
}

expected='libesp.a: a.o uses abort
libesp.a: a.o uses socket
libesp.a: a.o has variable esp_count in .bss
libike.a: a.o has variable calls in .bss
libike.a: a.o uses BN_rand
libike.a: a.o uses esp_fail
libike.a: a.o uses randombytes_buf
libike.a: a.o uses time
libipsec.a: a.o uses event_base_new
libipsec.a: make
libesp/a.c includes <sys/socket.h>
libesp/esp.h includes "libike/ike.h"
libike/a.c includes "libesp/esp.h"
libike/a.c includes <time.h>
libipsec/a.c includes "daemon/a.h"
libipsec/a.c includes "libike/sa.h"
libipsec/a.c includes <event2/event.h>
daemon/a.c includes "ctl/a.h"
ctl/a.c includes "libike/ike.h"'

try_rules()
{
	tmp=$(mktemp -d) || exit 1
	trap 'rm -rf "$tmp"' EXIT
	plant_faults || exit 1
	verdict "the rules see every planted fault and nothing else" "$(diff \
		<(B=build "$0" "$tmp" | sed -n 's/^    //p' | sort) <(echo "$expected" | sort))"
}

[ $# != 0 ] || try_rules
check_all
echo "$passed passed, $failed failed"
[ $failed = 0 ]
