#!/bin/bash
# mutants.sh [NAME]...
#
# Can the simulator fail?  Breaks one rule at a time in a copy of the sources and runs the
# worlds of `make check-sim` there until one of them fails; that world must pass with the
# sources as they are.  A mutant that lives through all of them says that the judge does not
# look there.  NAMEs: these only.  Needs $B/sim and its objects; prints a line for each
# mutant, and then "N passed, N failed".
#
#	SIM_SEEDS=10000  worlds for each; MUTANT_JOBS=2  so many at once (default: a core each)

top=$(cd "$(dirname "$0")/../.." && pwd)
build=${B:-build}
[ "${build#/}" != "$build" ] || build=$top/$build
seeds=${SIM_SEEDS:-10000}
jobs=${MUTANT_JOBS:-$(nproc)}
names=()		# of mutants
rules=()		# that they break
changes=()		# of each: indices of the next three
files=()
olds=()
news=()

# ---- the mutants ----

mutant() { # NAME RULE: what follows belongs to it
	names+=("$1")
	rules+=("$2")
	changes+=('')
}

# The text has to be there exactly once.  Headers are for all objects: only sources.
change() { # FILE OLD NEW
	changes[-1]+=" ${#files[@]}"
	files+=("$1")
	olds+=("$2")
	news+=("$3")
}

mutant loser-stays 'who loses a collision of Child rekeys deletes the new SA (2.8.1)'
change libike/create.c 'ike_renew_child_lost(e, c);' ''

mutant child-nonces-turned 'both ends compare the nonces of a collision alike (2.8.1)'
change libike/create.c 'lost = ike_nonce_is_lower(' \
	'lost = sa->initiator != ike_nonce_is_lower('

mutant ike-nonces-turned 'both ends compare those of two IKE rekeys alike (2.8.2)'
change libike/rekey.c 'else if (ike_nonce_is_lower(' \
	'else if (sa->initiator != ike_nonce_is_lower('

mutant setup-collision-ignored 'of two Child SAs made at once one goes'
change libike/create.c 'if (x->child->lowest < other->lowest) {' 'if (false) {'
change libike/create.c 'a->follows != NULL && c->lowest < a->follows->lowest' 'false'

mutant no-linger 'a deleted inbound SA is heard a while longer'
change libike/child.c '#define LINGER (5 * IKE_SECOND)' '#define LINGER 0'

mutant inbound-too-late 'the inbound SA is there before the answer leaves (2.8)'
change libike/child.c $'\tsay_once(e, &c->coming[0]);\n' ''
change libike/child.c $'\tsay_once(e, &c->coming[1]);\n' \
	$'\tsay_once(e, &c->coming[0]);\n\tsay_once(e, &c->coming[1]);\n'

mutant responder-moves-early 'the responder of a rekey sends by the new SA when it sees it used'
change libike/create.c 'if (a->follows == NULL && !ike_unique_serves(c->sa, c->configured->name))' \
	'if (true)'

mutant responder-never-moves 'it does so at its first packet, or at the DELETE of the old one'
change libike/engine.c $'\tc->unseen = false;\n\tike_child_move_out(e, c);' \
	$'\tc->unseen = false;'
change libike/child.c $'\tif (heir != NULL)\n\t\tike_child_move_out(e, heir);\n\tike_say_' \
	$'\t(void)heir;\n\tike_say_'

mutant initiator-never-moves 'the initiator of a rekey moves when it has the answer'
change libike/create.c $'\tike_child_move_out(e, c);\n\tif (old != NULL) {' \
	$'\tif (old != NULL) {'

mutant old-child-stays 'who began a rekey deletes the old Child SA (2.8)'
change libike/renew.c 'if (c->successor != NULL && !ike_child_has_arrived(e, c->successor))' \
	$'if (c->successor != NULL)\n\t\treturn;\n\telse if (false)'

mutant old-ike-stays 'who began an IKE rekey deletes the old IKE SA (2.18)'
change libike/renew.c 'ike_timer_arm(e, &sa->timer, e->now + (theirs ? ABANDONED : MOVING));' \
	''

mutant children-left-behind 'Child SAs move to the new IKE SA (2.18)'
change libike/rekey.c 'while ((c = LIST_FIRST(&sa->children)) != NULL)' \
	'if ((c = NULL) != NULL)'

mutant ids-go-on 'message ids of a new IKE SA begin at 0 (2.2)'
change libike/rekey.c 'to->path = from->path;' \
	'to->path = from->path; to->window.next_request = from->window.next_request;'

# Not the other half, by which a Child rekey waits: this one is enough between two of us.
mutant ike-meets-child 'an IKE rekey that meets a Child rekey has to wait (2.25.2)'
change libike/rekey.c '(ours->type == CREATE_CHILD_SA && ours->next == NULL)' 'false'

mutant again-at-once 'TEMPORARY_FAILURE is waited out (2.25)'
change libike/renew.c 'return e->now + ike_between(e, wait * 2 / 3, wait * 4 / 3);' \
	'return e->now + 0 * wait;'

mutant answered-anew 'a request that comes again gets the same octets (2.1)'
change libike/window.c 'return IKE_WINDOW_AGAIN;' 'return IKE_WINDOW_NEW;'

mutant never-repeated 'a request is repeated until it is answered (2.1)'
change libike/window.c $'\tsend(e, sa, &sa->path, view(r));\n\tike_timer_arm(e, &r->timer, e->now + r->interval);\n\tike_mobike_unanswered' \
	$'\tike_timer_arm(e, &r->timer, e->now + r->interval);\n\tike_mobike_unanswered'

mutant repeated-for-ever 'and not for ever (2.4)'
change libike/window.c 'if (sa->window.sent >= s->tries) {' 'if (false) {'

mutant delete-unanswered 'a DELETE of a Child SA is answered (1.4.1)'
change libike/info.c $'\tanswer = ike_chain_begin(e);\n\tif (wish.n > 0)' \
	$'\tif (wish.n > 0)\n\t\treturn IKE_DROP;\n\tanswer = ike_chain_begin(e);\n\tif (wish.n > 0)'

mutant spi-of-the-lingering 'an SPI that is still heard is not used again (T35)'
change libike/child.c 'spi > 255 && !ike_table_child_spi_used(e, spi)' 'spi > 255'
change libike/child.c 'if (child->spi_in == 0 || !ike_table_add_child(e, child)) {' \
	'if (child->spi_in == 0 || (!ike_table_add_child(e, child) && false)) {'

mutant soft-ignored 'a Child SA is rekeyed before its sequence numbers are spent'
change libike/engine.c $'\tike_renew_child_soon(e, c);\n' ''

mutant no-probe 'a silent peer is asked whether it lives (2.4)'
change libike/liveness.c $'else\n\t\tike_liveness_begin(e, sa);' \
	$'else\n\t\treturn IKE_OK;'

mutant on-dead-ignored 'a dead peer is handled as on_dead says'
change libike/peer.c 'enum ike_on_dead what = p->connection->on_dead;' \
	'enum ike_on_dead what = IKE_ON_DEAD_RESTART;'

mutant half-open-for-ever 'half-open SAs end (2.4)'
change libike/sa.c 'ike_timer_arm(e, &sa->timer, e->now + HALF_OPEN);' \
	'(void)HALF_OPEN;'

mutant auth-unchecked 'nobody comes in without AUTH (2.15)'
change libike/auth.c 'x->asked != IKE_ASK_CHECK || x->answer_error != IKE_OK' \
	'x->asked != IKE_ASK_CHECK'

mutant wrong-icv 'an SK payload with a wrong ICV is dropped (3.14)'
change libike/protect.c $'\tif (!op.ok)\n\t\treturn IKE_DROP;\n' ''

mutant esp-wrong-icv 'an ESP packet with a wrong ICV is dropped (RFC 4303 3.4.4)'
change libesp/open.c 'if (b->op[i].ok)' 'if (true)'

mutant replay-accepted 'no sequence number is taken twice (RFC 4303 3.4.3)'
change libesp/replay.c 'return (*word_of(r, sequence) & bit_of(sequence)) == 0;' \
	'return true;'

mutant iv-again 'no IV of an IKE SA is used twice (RFC 5282 3.1)'
change libike/exchange.c 'longest(sa, x), &sa->iv,' 'longest(sa, x), &(uint64_t){ 1 },'

mutant keys-of-the-other 'KEYMAT is cut in the order of 2.17'
change libike/child.c 'key[initiator ? 1 : 0], key[initiator ? 0 : 1]' 'key[1], key[0]'

mutant move-ignored 'UPDATE_SA_ADDRESSES is obeyed (RFC 4555 3.5)'
change libike/mobike.c $'\tif (wish->update)\n\t\tfollow(e, sa, x, wish);\n' \
	$'\t(void)follow;\n'

mutant leak 'memory comes back when all is closed'
change libike/child.c $'\tfree(c->seen_by_peer);\n\tike_connection_free(c->connection);\n' \
	$'\tfree(c->seen_by_peer);\n'

# ---- one of them ----

say() { # WORD NAME TEXT
	printf '%-8s %-24s %s\n' "$1" "$2" "$3"
}

# Why the first failing world failed, and its seed in front; nothing: none did.
first_failure() { # LOG
	sed -n 's/^seed \([0-9]*\): /\1 /p; s/^memory grew.*/0 &/p' "$1" | head -n 1
}

apply() { # INDEX-OF-CHANGE: says why it cannot be done
	local file=$tree/${files[$1]} old=${olds[$1]} text rest
	text=$(<"$file") || { echo "no ${files[$1]}"; return 1; }
	text+=$'\n'
	rest=${text#*"$old"}
	if [ "$rest" = "$text" ]; then
		echo "${files[$1]} has this text no more: ${old@Q}"
	elif [ "${rest#*"$old"}" != "$rest" ]; then
		echo "${files[$1]} has this text more than once: ${old@Q}"
	else
		printf '%s' "${text%%"$old"*}${news[$1]}$rest" >"$file"
		return 0
	fi
	return 1
}

# Each begins with a fresh copy, so that none inherits anything of another.
try() { # INDEX
	local name=${names[$1]} tree=$tmp/$1 log=$tmp/$1.log i seed why
	cp -a "$tmp/tree" "$tree" || return 1
	for i in ${changes[$1]}; do
		if ! why=$(apply "$i"); then
			say BROKEN "$name" "$why"
			return 1
		fi
	done
	if ! "${MAKE:-make}" -s -C "$tree" B=build build/sim >"$log" 2>&1; then
		say BROKEN "$name" "it cannot be made: $(grep -m 1 error: "$log" || tail -n 1 "$log")"
		return 1
	fi
	timeout 200 "$tree/build/sim" --seeds "$seeds" --jobs 1 --first >"$log" 2>&1
	read -r seed why <<<"$(first_failure "$log")"
	if [ -z "$seed" ]; then
		say SURVIVED "$name" "$(tail -n 1 "$log") seeds: ${rules[$1]}"
		return 1
	fi
	if [ "$seed" -gt 0 ] && ! "$build/sim" --seed "$seed" >/dev/null; then
		say BROKEN "$name" "seed $seed fails without it, too"
		return 1
	fi
	say caught "$name" "after $seed seeds: $why"
	rm -rf "$tree"
}

# ---- all of them ----

chosen=()
for ((i = 0; i < ${#names[@]}; i++)); do
	case " ${*:-${names[$i]}} " in
	*" ${names[$i]} "*) chosen+=("$i") ;;
	esac
done
if [ ${#chosen[@]} -eq 0 ] || { [ $# -gt 0 ] && [ ${#chosen[@]} -ne $# ]; }; then
	printf 'mutants: %s are what there is\n' "${names[*]}" >&2
	exit 2
fi

tmp=$(mktemp -d) || exit 1
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM

# What the simulator is made of; objects keep their time, and so only the changed one is
# made anew.
copy_tree() {
	local f
	mkdir -p "$tmp/tree/tests/unit" "$tmp/tree/build/tests/unit" || return 1
	cp -a "$top"/{Makefile,config.mk,config.mk.in,config.status,configure,configure.ac} \
		"$top"/{build-aux,libesp,libike,libipsec} "$tmp/tree" || return 1
	cp -a "$top/tests/sim" "$tmp/tree/tests" || return 1
	cp -a "$top"/tests/unit/digest.[ch] "$tmp/tree/tests/unit" || return 1
	for f in flags libesp{,.a,.objects} libike{,.a,.objects} libipsec{,.a,.objects}; do
		cp -a "$build/$f" "$tmp/tree/build" || return 1
	done
	cp -a "$build/tests/sim" "$tmp/tree/build/tests" || return 1
	cp -a "$build/tests/unit/digest.o" "$tmp/tree/build/tests/unit"
}
copy_tree || { echo "mutants: $build has no simulator: make mutants"; exit 1; }

# A job takes every so manyeth.
work() { # JOB
	local k
	for ((k = $1; k < ${#chosen[@]}; k += jobs)); do
		try "${chosen[$k]}" && echo passed >>"$tmp/result.$1"
	done
}
for ((j = 0; j < jobs; j++)); do
	: >"$tmp/result.$j"
	work "$j" &
done
wait
passed=$(cat "$tmp"/result.* | wc -l)
failed=$((${#chosen[@]} - passed))
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
