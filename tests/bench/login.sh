#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The figures of the login engine, which need no guest: what the decisions of a login cost, and what many thousand logins
# in flight at once cost the daemon, against a target that holds them back until all are there and refuses them in the
# last response. Prints a table, and leaves the figures as JSON in the file given.
#
# Usage: login.sh BUILD JSON [N]   (10000 logins)
set -euo pipefail

build=$1 json=$2 n=${3:-10000}
work=$(mktemp -d)
secret=secret-of-the-initiator target_secret=secret-of-the-target
figures=$work/figures
pids=() oisd=

finish()
{
	kill "${pids[@]}" ${oisd:+"$oisd"} 2>/dev/null || true
	wait
	rm -rf "$work"
}
trap finish EXIT

fail()
{
	echo "bench: $*" >&2
	exit 1
}

# record FIGURE VALUE UNIT [LIMIT]
record()
{
	printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "${4:-}" >>"$figures"
}

# Microseconds since $1, a former $EPOCHREALTIME.
since()
{
	local now=$EPOCHREALTIME
	echo $((${now/./} - ${1/./}))
}

resident() { awk '/^VmRSS/ { print $2 * 1024 }' "/proc/$oisd/status"; }
descriptors() { find "/proc/$oisd/fd" -mindepth 1 | wc -l; }
processor_usec() { awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) * 1000000 / hz }' "/proc/$oisd/stat"; }
ctl() { "$build/bin/ois-ctl" --socket="$work/socket" "$@"; }
status() { ctl status --json=short | jq ".$1"; }

start_crowd()
{
	mkfifo "$work/orders" "$work/answers"
	"$build/tests/bench/crowd" --targets="$n" --secret="$target_secret" --status=0x0301 \
		<"$work/orders" >"$work/answers" &
	pids+=($!)
	exec 3>"$work/orders" 4<"$work/answers"
	read -r _ port <&4
}

start_oisd()
{
	"$build/daemon/oisd" --config="$work/ois.conf" --listen="$work/socket" --records="$work/records" \
		--sysfs="$work" --journal="$work/journal" --initiator-name-file="$work/initiatorname.iscsi" &
	oisd=$!
	# What else the machine does is to disturb as little as can be. Not everybody may ask for that.
	renice -n -20 -p "$oisd" >/dev/null 2>&1 || true
	{ echo -20 >"/proc/$oisd/autogroup"; } 2>/dev/null || true
	until ctl status >/dev/null 2>&1; do
		kill -0 "$oisd" || fail "the daemon does not start"
	done
}

stop_oisd()
{
	kill "$oisd"
	wait "$oisd"
	oisd=
}

# Some may be those of a command that has just ended.
expect_descriptors()
{
	local i
	for ((i = 0; i < 100; i++)); do
		(($(descriptors) > $1)) || return 0
	done
	fail "the daemon had $1 descriptors, and has $(descriptors)"
}

# All logins at once; with "hold" until all are in flight, when others ask the daemon, too.
login_all()
{
	local begin=$EPOCHREALTIME login figure=$1 before longest=0 asked took
	before=$(resident)
	[[ $2 != hold ]] || echo "hold $n" >&3
	ctl login --all --json=short >"$work/progress" 2>/dev/null &
	login=$!
	if [[ $2 == hold ]]; then
		read -r _ _ <&4
		record "$figure: memory of one in flight" $((($(resident) - before) / n)) bytes 16384
		record "$figure: descriptors in flight" "$(descriptors)" ""
		echo go >&3
		while kill -0 "$login" 2>/dev/null; do
			asked=$EPOCHREALTIME
			ctl status >/dev/null
			took=$(since "$asked")
			((took <= longest)) || longest=$took
		done
		record "$figure: longest time another command took" "$longest" us
	fi
	wait "$login" || true
	record "$figure: all of them" "$(since "$begin")" us
	[[ $(tail -n 1 "$work/progress" | jq .summary.failed) == "$n" ]] || fail "not all logins ended as they should"
}

flight()
{
	local figure=$1 before processor
	start_oisd
	before=$(descriptors) processor=$(processor_usec)
	login_all "$figure" hold
	record "$figure: processor time of one" $((($(processor_usec) - processor) / n)) us
	record "$figure: longest turn of the loop" "$(status longestTurnUSec)" us 10000
	record "$figure: memory of the daemon afterwards" "$(resident)" bytes
	login_all "$figure, again" free
	record "$figure, again: longest turn of the loop" "$(status longestTurnUSec)" us 10000
	record "$figure, again: memory of the daemon afterwards" "$(resident)" bytes
	expect_descriptors "$before"
	echo count >&3
	read -r _ left <&4
	((left == 0)) || fail "$left connections are left"
	stop_oisd
}

"$build/tests/bench/decision" >"$work/decisions"
while IFS=$'\t' read -r name nsec; do
	record "decisions of a login, $name" "$(awk -v n="$nsec" 'BEGIN { printf "%.2f", n / 1000 }')" us 30
done <"$work/decisions"

printf '%s\n' '[Daemon]' "LoginsMax=$n" '[Node]' loginRetryMax=0 loginTimeoutSeconds=300 >"$work/ois.conf"
mkdir "$work/records"
start_crowd
socat -u "UNIX-RECV:$work/journal,rcvbuf=4194304" /dev/null &
pids+=($!)
start_oisd
begin=$EPOCHREALTIME
ctl discover "127.0.0.1:$port" --record=update >/dev/null
record "discovery of $n targets, recorded" "$(since "$begin")" us
record "discovery of $n targets, recorded: longest turn of the loop" "$(status longestTurnUSec)" us 10000
stop_oisd
flight "$n logins, no authentication"
start_oisd
printf '%s' "$secret" >"$work/secret"
printf '%s' "$target_secret" >"$work/target-secret"
ctl node set --all authentication.method=chap authentication.userName=alice authentication.targetUserName=storage \
	--secret-file="$work/secret" --target-secret-file="$work/target-secret" >/dev/null
stop_oisd
flight "$n logins, mutual CHAP sha256"

awk -F '\t' '{ printf "%-75s %10s %-5s %s\n", $1, $2, $3, $4 == "" ? "" : "goal: below " $4 }' "$figures"
jq -Rn '[inputs / "\t" | { figure: .[0], value: (.[1] | tonumber) } + (if .[2] == "" then {} else { unit: .[2] } end)
	+ (if .[3] == "" then {} else { goal: (.[3] | tonumber) } end)]' <"$figures" >"$json"
