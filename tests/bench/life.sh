#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs in a guest: what the bad days of many sessions cost, for OIS and open-iscsi side by side. Idle: how often the
# daemon wakes up. Restart: the daemon is killed, and starts again. Cut: targets close all connections, and refuse new
# ones until the last is closed. Cycles: sessions come and go until some 10000 logins are done, and memory is looked at.
#
# Usage: life.sh [N]   (500 sessions; open-iscsi gets 20, of which each costs it seconds)
# shellcheck source=tests/bench/contestants.sh
source "${BASH_SOURCE[0]%/*}/contestants.sh"

n=${1:-500}
peer_max=20
idle_seconds=10
logins=10000
limit=120 # seconds that anything may take

fail()
{
	echo "bench: $*" >&2
	exit 1
}

# Times the threads of a process have run.
wakeups()
{
	local pid sum=0 label value
	for pid; do
		while read -r label value _; do
			[[ $label != *ctxt_switches: ]] || sum=$((sum + value))
		done < <(cat "/proc/$pid"/task/*/status 2>/dev/null)
	done
	echo "$sum"
}

# All sessions are logged in, and each disk can be read. Without a process for each: those would take most of the time.
all_back()
{
	local state word end=$((SECONDS + limit))
	for state in /sys/class/iscsi_session/*/state; do
		until read -r word <"$state" && [[ $word == LOGGED_IN ]]; do
			((SECONDS < end)) || fail "a session does not come back"
			read -r -t 0.01 <>"$work/never" || true
		done
	done
	head -q -c 4096 /dev/sd* >"$work/output" || fail "a disk cannot be read"
}

measure_idle()
{
	local who=$1 count=$2 pids before
	# What ends a moment after the logins.
	read -r -t 3 <>"$work/never" || true
	mapfile -t pids < <("${who}_pids")
	before=$(wakeups "${pids[@]}")
	read -r -t "$idle_seconds" <>"$work/never" || true
	record "$who" idle "$count" "$(($(wakeups "${pids[@]}") - before))"
}

# The longest that a reading program waited goes by the checker's own clock.
measure_restart()
{
	local count=$1 checker begin now
	checker --blocks 64 --pause 2 --ready "$work/reading" /dev/sda >"$work/checker" &
	checker=$!
	until [[ -e $work/reading ]]; do read -r -t 0.01 <>"$work/never" || true; done
	stop_service oisd KILL || true
	begin=$EPOCHREALTIME
	start_oisd
	now=$EPOCHREALTIME
	record ois "restart, ready" "$count" $((${now/./} - ${begin/./}))
	ois_list | jq -e "map(select(.state == \"logged_in\")) | length == $count" >"$work/output" ||
		fail "sessions were not adopted"
	kill "$checker"
	wait "$checker" || fail "the disk was disturbed: $(<"$work/checker")"
	record ois "restart, stall" "$count" "$(sed -n 's/.*longest request \([0-9]*\) ms.*/\1000/p' "$work/checker")"
}

# What a program that has nothing to do with it has to wait in this guest meanwhile is the floor of the loop.
start_bystander()
{
	bystander >"$work/bystander" &
	bystander=$!
}

# record_turn CONTESTANT WHAT N: the longest turn of the loop since the daemon has started, and what the bystander waited.
record_turn()
{
	kill "$bystander"
	wait "$bystander" || true
	[[ $1 == ois ]] || return 0
	record floor "turn, $2" "$3" "$(<"$work/bystander")"
	record ois "turn, $2" "$3" "$(ois-ctl status --json=short | jq .longestTurnUSec)"
}

measure_cut()
{
	local who=$1 count=$2 begin now
	# Or the disks would not be asked.
	echo 1 >/proc/sys/vm/drop_caches
	portal_groups 0
	portal_groups 1
	begin=$EPOCHREALTIME
	all_back
	now=$EPOCHREALTIME
	record "$who" cut "$count" $((${now/./} - ${begin/./}))
}

# iscsid cuts all its sessions when it starts: there is nothing to compare with in a restart.
measure_life()
{
	local who=$1 count=$2
	"${who}_start"
	"${who}_discover" >/dev/null
	start_bystander
	"${who}_login" >/dev/null
	disks_are_there "$count"
	record_turn "$who" login "$count"
	measure_idle "$@"
	if [[ $who == ois ]]; then
		start_bystander
		measure_restart "$count"
		record_turn ois restart "$count"
	fi
	start_bystander
	measure_cut "$@"
	record_turn "$who" cut "$count"
}

# Everything anew again and again: login, cut, repair, logout.
measure_cycles()
{
	local count=$1 rounds=$((logins / $1)) round pids first last
	mapfile -t pids < <(ois_pids)
	for ((round = 0; round < rounds; round++)); do
		((round != rounds / 10)) || first=$(resident "${pids[@]}")
		ois_login >/dev/null
		portal_groups 0
		portal_groups 1
		all_back
		ois_logout >/dev/null
	done
	last=$(resident "${pids[@]}")
	record ois "leak" "$logins" $((last - first))
}

install_ois
load_iscsi
small=$((n < peer_max ? n : peer_max))
lio setup --targets "$small" --pages 16
measure_life peer "$small"
peer_logout >/dev/null
peer_stop
measure_life ois "$small"
ois_logout >/dev/null
ois_stop

((n == small)) || lio setup --first $((small + 1)) --targets $((n - small)) --pages 16
floor login "$portal" >/dev/null
floor logout >/dev/null
measure_floor login "$n" login "$portal"
floor logout >/dev/null
measure_life ois "$n"
((n == small)) || ois_logout >/dev/null
measure_cycles "$n"
report
