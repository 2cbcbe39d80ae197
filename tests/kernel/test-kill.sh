#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The daemon is killed at every step of a login, a re-login, its own start, a logout, a rescan, a change of a setting and a
# discovery, and started again: other sessions and nodes are not touched, what was half done is finished or undone, and
# nothing is left. A step is what the daemon tells the kernel, the network, the disk or others, or takes in from them. Of
# each operation some steps have their turn, others at each seed; KILLS=all ./dev test kernel.kill takes every one of
# them, KILLS=N so many.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:victim1
n_others=2
found=iqn.2026-11.org.example:found1
group=/sys/kernel/config/target/iscsi/$target/tpgt_1
# The logical unit that the victim has beside its first one.
unit=1
# shellcheck source=tests/kernel/kill.sh
source "${BASH_SOURCE[0]%/*}/kill.sh"

# others: what would change if one of the other sessions were made again.
others()
{
	local directory name line
	for directory in /sys/class/iscsi_session/session*; do
		read -r name <"$directory/targetname"
		[[ $name == *:disk* ]] || continue
		# There is none to read without a connection.
		line=none
		read -r line <"/sys/class/iscsi_connection/connection${directory##*session}:0/local_port" || true
		echo "${directory##*/} $line"
	done
}

begin_relogin()
{
	find_session
	before=$session
	echo 0 >"$group/enable"
	echo 1 >"$group/enable"
	operate dd if="$work/data" of="$disk" bs=16K oflag=direct status=none &
	writer=$!
}

judge_relogin()
{
	wait "$writer" || { echo "a write failed" && return 1; }
	dd if="$disk" of="$work/read" bs=64K count=4 iflag=direct status=none
	cmp "$work/data" "$work/read" || return
	find_session
	[[ $session == "$before" && $n_sessions == 3 ]] || { echo "not the same session" && return 1; }
}

# The daemon finds the session without connection, and a target that refuses it: recovery is left to the next one.
prepare_start()
{
	find_session
	before=$session
	stop_service oisd
	echo 0 >"$group/enable"
	until [[ $(left_of_session "$session") == failed* ]]; do :; done
	dd if="$work/data" of="$disk" bs=16K oflag=direct status=none &
	writer=$!
	launch_oisd
}

# await_refusal: until the daemon is ready, and tells that an attempt has failed.
await_refusal()
{
	await_service oisd && grep --quiet --max-count=1 RECOVERY_FAILED < <(ois-ctl events --live --target="$target")
}

begin_start()
{
	operate await_refusal >"$work/start" 2>&1 &
}

judge_start()
{
	echo 1 >"$group/enable"
	# Who waits has it try at once.
	ois-ctl login "$target" >"$work/login" 2>&1 || { cat "$work/login" && return 1; }
	judge_relogin
}

begin_logout()
{
	operate ois-ctl logout "$target" >"$work/logout" 2>&1 &
}

# Once it was kept that it is wanted, a logout is finished, and may be done by now; before that, nothing has happened.
judge_logout()
{
	local status=0
	if [[ $session && $kernel_has == 'up SCANNED' ]]; then
		ois-ctl logout "$target" >"$work/logout" 2>&1 || status=$?
		((status == 0 || status == 3)) || { cat "$work/logout" && return 1; }
	elif [[ $session ]]; then
		rival await-removal "${session##*session}"
	fi
	find_session
	[[ ! $session && $n_sessions == 2 ]] || { echo "sessions: $n_sessions" && return 1; }
	ois-ctl login "$target" >"$work/login" 2>&1
}

# units: the numbers of the session's logical units.
units()
{
	local device numbers=()
	for device in "$session"/device/target*/*:*; do
		numbers+=("${device##*:}")
	done
	echo "${numbers[*]}"
}

# One unit is gone, and there is another one.
prepare_rescan()
{
	unit_remove "$target" "$unit"
	unit=$((3 - unit))
	unit_add "$target" "$unit"
}

begin_rescan()
{
	operate ois-ctl rescan "$target" >"$work/rescan" 2>&1 &
}

judge_rescan()
{
	local disk
	ois-ctl rescan "$target" || return
	find_session
	[[ $session == "$before" && $(units) == "0 $unit" ]] || { echo "units of ${session##*/}: $(units)" && return 1; }
	for disk in "$session"/device/target*/*/block/*; do
		dd if="/dev/${disk##*/}" of=/dev/null bs=4K count=1 iflag=direct status=none || return
	done
}

# setting: what is kept of the one that is changed.
setting()
{
	ois-ctl node show "$target" --json=short | jq '.[].settings.loginRetryMax'
}

# nodes: what is kept of all nodes and is not changed here.
nodes()
{
	ois-ctl node show 'iqn.*' --json=short | jq --compact-output --arg found "$found" '.[] |
		select(.key.targetName != $found) | [.key, .origin, .createdTimestampUSec, (.settings | del(.loginRetryMax))]'
}

prepare_change()
{
	value=$((value + 1))
}

begin_change()
{
	operate ois-ctl node set "$target" loginRetryMax="$value" >"$work/change" 2>&1 &
	command=$!
}

# What was answered is kept; what was not, as a whole or not at all.
judge_change()
{
	local kept
	kept=$(setting)
	if wait "$command"; then
		[[ $kept == "$value" ]] || { echo "$kept instead of $value is kept" && return 1; }
	else
		[[ $kept == "$value" || $kept == $((value - 1)) ]] || { echo "$kept is kept, near $value" && return 1; }
	fi
	[[ $(nodes) == "$kept_nodes" ]] || { nodes && return 1; }
	value=$kept
}

prepare_discover()
{
	ois-ctl node remove "$found" >/dev/null
}

begin_discover()
{
	operate ois-ctl discover 127.0.0.1 >"$work/discover" 2>&1 &
	command=$!
}

# The node is there or not, and is if the discovery was answered; the next one makes it.
judge_discover()
{
	local status=0
	ois-ctl node show "$found" >"$work/node" 2>&1 || status=$?
	if wait "$command" || ((status != 3)); then
		((status == 0)) || { cat "$work/node" && return 1; }
	fi
	ois-ctl discover 127.0.0.1 || return
	ois-ctl node show "$found" >"$work/node" || return
	[[ $(nodes) == "$kept_nodes" ]] || { nodes && return 1; }
}

echo "# seed $seed"
start_system
lio setup --targets 2
lio setup --name "${target%1}"
ois-ctl discover 127.0.0.1 >/dev/null
ois-ctl node set "$target" keys.defaultTime2Wait=0 >/dev/null
ois-ctl login 'iqn.*:disk?' >/dev/null
bystanders=$(others)
for disk in $(session_disks); do
	nice -n 19 steady "$disk" >"$work/${disk##*/}" 2>&1 &
	steady+=("$!")
done
dd if=/dev/urandom of="$work/data" bs=64K count=4 status=none

sweep login
ois-ctl login "$target" >/dev/null
find_session
disk=/dev/$(basename "$session"/device/target*/*/block/*)
sweep relogin
sweep start
sweep logout

unit_add "$target" "$unit"
ois-ctl rescan "$target" >/dev/null
find_session
before=$session
sweep rescan

value=1
ois-ctl node set "$target" loginRetryMax="$value" >/dev/null
lio setup --name "${found%1}"
ois-ctl discover 127.0.0.1 >/dev/null
kept_nodes=$(nodes)
sweep change
sweep discover

# The same, for certain, and by any program: nobody will ever go on with these.
stop_service oisd
orphans=("$(rival half 1)" "$(rival half 2)")
start_oisd
for sid in "${orphans[@]}"; do
	check_event 1180 OIS_SESSION="$sid"
done
find_session
check_equal "no half-made session is left" 0 "${#nameless[@]}"
# A program that still runs is at work.
mkfifo "$work/sid"
rival half 1 --stay >"$work/sid" &
maker=$!
read -r sid <"$work/sid"
stop_service oisd
start_oisd
check "a session that is being made is left alone" test -e "/sys/class/iscsi_session/session$sid"
kill "$maker"
wait "$maker" || true
stop_service oisd
start_oisd
check_event 1180 OIS_SESSION="$sid"

for what in "${!at[@]}"; do
	echo "# ${at[$what]} times the kernel had '$what'"
done
for pid in "${steady[@]}"; do
	kill "$pid"
	check "I/O of another session went on, with the right data" wait "$pid"
done
cat "$work"/sd? | sed 's/^/# /'
check "logout of all" ois-ctl logout --all
check_event 1001 OIS_TARGET="$target"
check_equal "no line of a record was ever unreadable, or could not be written" "0 0" "$(n_events 1012) $(n_events 1013)"
check_nothing_left
