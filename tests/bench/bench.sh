#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs in a guest: OIS, open-iscsi and the floor side by side, on the same kernel with the same targets. Prints a table,
# and leaves the figures as JSON in $RESULTS. All three are measured as their user sees them, from starting the command
# to its end; what starting a program costs here is the row "empty command", and the rows "own clock" are the floor's
# figures without it.
#
# Usage: bench.sh [N]...   numbers of sessions (1 10 100 500 1000)
# shellcheck source=tests/bench/contestants.sh
source "${BASH_SOURCE[0]%/*}/contestants.sh"

sizes=("${@:-}")
[[ ${sizes[0]} ]] || sizes=(1 10 100 500 1000)
peer_max=100 # open-iscsi takes minutes beyond
round_trips=(0.5 2 10)

# Of a login that ends when all disks are there, which is part of its time: whether that is true.
all_disks_are_there()
{
	local disks=(/dev/sd*) disk
	((${#disks[@]} >= $1)) || return
	for disk in "${disks[@]}"; do
		: 2>/dev/null <"$disk" || return
	done
}

# measure_login CONTESTANT FIGURE N: until all disks are there, for which iscsiadm does not wait.
measure_login()
{
	if [[ $1 == ois ]]; then
		measure "$1" "$2" "$3" "$1_login"
		all_disks_are_there "$3" || { echo "bench: $1 has not waited for all disks" >&2; exit 1; }
	else
		measure "$1" "$2" "$3" eval "$1_login && disks_are_there $3"
	fi
}

measure_round()
{
	local who=$1 n=$2 pids
	measure "$who" discover "$n" "${who}_discover"
	measure_login "$who" login "$n"
	measure "$who" list "$n" "${who}_list"
	mapfile -t pids < <("${who}_pids")
	record "$who" memory "$n" "$(resident "${pids[@]}")"
	measure "$who" logout "$n" "${who}_logout"
	[[ -z $(remains) ]] || { echo "bench: $who left $(remains | wc -l) objects in the kernel" >&2; exit 1; }
}

measure_floor_round()
{
	measure_floor discover "$1" discover "$portal"
	measure_floor login "$1" login "$portal"
	measure_floor logout "$1" logout
}

# System calls of daemon and command together, for one login.
count_calls()
{
	local who=$1 pids tracer
	mapfile -t pids < <("${who}_pids")
	: >"$work/daemon.calls"
	strace -f -c -o "$work/daemon.calls" "${pids[@]/#/-p}" 2>"$work/strace" &
	tracer=$!
	until grep -q attached "$work/strace"; do :; done
	export -f "${who}_login"
	portal=$portal strace -f -c -o "$work/command.calls" bash -c "${who}_login" >/dev/null
	kill -INT "$tracer"
	wait "$tracer" || true
	record "$who" calls 1 "$(awk '$NF == "total" { sum += $(NF == 5 ? 3 : 4) } END { print sum }' \
		"$work/daemon.calls" "$work/command.calls")"
	"${who}_logout" >/dev/null
}

measure_round_trips()
{
	local who=$1 rtt
	for rtt in "${round_trips[@]}"; do
		# Each packet leaves through lo once: half of the round trip in each direction.
		tc qdisc replace dev lo root netem limit 100000 delay "$(awk -v r="$rtt" 'BEGIN { print r * 500 }')us"
		if [[ $who == floor ]]; then
			measure_floor "login, $rtt ms" 1 login "$portal"
		else
			measure_login "$who" "login, $rtt ms" 1
		fi
		tc qdisc del dev lo root
		if [[ $who == floor ]]; then
			floor logout >/dev/null
		else
			"${who}_logout" >/dev/null
		fi
	done
}

contestants=(ois peer)

install_ois
load_iscsi
load_modules sch_netem
export portal
targets=0
for n in "${sizes[@]}"; do
	lio setup --first $((targets + 1)) --targets $((n - targets)) --pages 16
	targets=$n
	rounds=$((n > 100 ? 1 : 3))
	# The first round lets the guest touch its memory for the first time: not counted.
	floor login "$portal" >/dev/null
	floor logout >/dev/null
	for ((round = 0; round < rounds; round++)); do
		measure_floor_round "$n"
		measure any "empty command" "$n" /bin/true
	done
	for who in "${contestants[@]}"; do
		[[ $who != peer ]] || ((n <= peer_max)) || continue
		"${who}_start"
		# One login of 100 takes open-iscsi a minute.
		[[ $who != peer ]] || ((n < peer_max)) || rounds=1
		for ((round = 0; round < rounds; round++)); do
			measure_round "$who" "$n"
		done
		if ((n == 1)); then
			count_calls "$who"
			measure_round_trips "$who"
		fi
		"${who}_stop"
	done
	if ((n == 1)); then
		measure_round_trips floor
		strace -f -c -o "$work/command.calls" floor login "$portal" >/dev/null
		record floor calls 1 "$(awk '$NF == "total" { print $(NF == 5 ? 3 : 4) }' "$work/command.calls")"
		floor logout >/dev/null
	fi
	echo "bench: $n sessions done after $SECONDS s" >&2
done

report
