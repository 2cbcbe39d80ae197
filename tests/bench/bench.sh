#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs in a guest: OIS, open-iscsi and the floor side by side, on the same kernel with the same targets. Prints a table,
# and leaves the figures as JSON in $RESULTS. All three are measured as their user sees them, from starting the command
# to its end; what starting a program costs here is the row "empty command", and the rows "own clock" are the floor's
# figures without it.
#
# Usage: bench.sh [N]...   numbers of sessions (1 10 100 500 1000)
# shellcheck source=tests/kernel/guest.sh
source "${BASH_SOURCE[0]%/*}/../kernel/guest.sh"

sizes=("${@:-}")
[[ ${sizes[0]} ]] || sizes=(1 10 100 500 1000)
peer_max=100 # open-iscsi takes minutes beyond
round_trips=(0.5 2 10)
portal=127.0.0.1
figures=$work/figures

# record CONTESTANT FIGURE N VALUE
record()
{
	printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" >>"$figures"
}

# measure CONTESTANT FIGURE N COMMAND...: its wall-clock time.
measure()
{
	local who=$1 figure=$2 n=$3 begin end
	shift 3
	begin=$EPOCHREALTIME
	"$@" >"$work/output" 2>&1 || { cat "$work/output"; echo "bench: $who failed: $*" >&2; exit 1; }
	end=$EPOCHREALTIME
	record "$who" "$figure" "$n" "$((${end/./} - ${begin/./}))"
}

# The floor also says how long it took by its own clock, in seconds with four digits.
measure_floor()
{
	local figure=$1 n=$2 result
	shift 2
	measure floor "$figure" "$n" floor "$@"
	result=$(tail -n 1 "$work/output")
	result=${result##* }
	record floor "$figure, own clock" "$n" "$((10#${result/./} * 100))"
}

# Returns when all disks are there, partitions read: to be sure of contestants that do not wait for them.
disks_are_there()
{
	local disks disk
	while disks=(/dev/sd*); ((${#disks[@]} < $1)) || [[ ! -b ${disks[0]} ]]; do
		read -r -t 0.002 <>"$work/never" || true
	done
	# A node may be there before its disk can be opened.
	for disk in "${disks[@]}"; do
		until : 2>/dev/null <"$disk"; do
			read -r -t 0.002 <>"$work/never" || true
		done
	done
}

resident()
{
	local sum=0 pid label kib unit
	for pid; do
		while read -r label kib unit; do
			[[ $label != VmRSS: ]] || sum=$((sum + kib))
		done <"/proc/$pid/status"
	done
	: "${unit:-}"
	echo "$sum"
}

# ---- the contestants: start, stop, pids, discover, login, list, logout ----

ois_start()
{
	rm -rf /etc/ois
	mkdir -p /etc/ois
	start_oisd
}
ois_stop() { stop_service oisd; }
ois_pids() { echo "${services[oisd]}"; }
ois_discover() { ois-ctl discover "$portal"; }
ois_login() { ois-ctl login --all; }
ois_list() { ois-ctl sessions --json=short; }
ois_logout() { ois-ctl logout --all; }

peer_start()
{
	rm -rf /etc/iscsi/nodes /etc/iscsi/send_targets
	mkdir -p /run/lock/iscsi /etc/iscsi
	echo "InitiatorName=iqn.2026-11.org.example:peer" >/etc/iscsi/initiatorname.iscsi
	# At its end iscsid kills its process group.
	setsid iscsid -f >"$work/iscsid.log" 2>&1 &
	peer=$!
	until iscsiadm -m session >"$work/output" 2>&1 || grep -q 'No active' "$work/output"; do :; done
}
peer_stop()
{
	kill "$peer"
	wait "$peer" || true
}
peer_pids() { pgrep -x iscsid; }
peer_discover() { iscsiadm -m discovery -t st -p "$portal"; }
peer_login() { iscsiadm -m node --loginall=all; }
peer_list() { iscsiadm -m session -P 3; }
peer_logout() { iscsiadm -m node --logoutall=all; }

measure_round()
{
	local who=$1 n=$2 pids
	measure "$who" discover "$n" "${who}_discover"
	measure "$who" login "$n" eval "${who}_login && disks_are_there $n"
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
			measure "$who" "login, $rtt ms" 1 eval "${who}_login && disks_are_there 1"
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
mkfifo "$work/never"
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

cp "$figures" "$RESULTS/figures.tsv"
awk -f "${BASH_SOURCE[0]%/*}/table.awk" "$figures"
awk -f "${BASH_SOURCE[0]%/*}/json.awk" "$figures" >"$RESULTS/bench.json"
