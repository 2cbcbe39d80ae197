#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The daemon is killed at every step of a login, a re-login and a logout, and started again: other sessions are not
# touched, what was half done is finished or undone, and nothing is left. A step is what the daemon tells the kernel, the
# network or others, or takes in from them. Of each operation some steps have their turn, others at each seed;
# KILLS=all ./dev test kernel.kill takes every one of them, KILLS=N so many.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:victim1
n_others=2
group=/sys/kernel/config/target/iscsi/$target/tpgt_1
# shellcheck source=tests/kernel/kill.sh
source "${BASH_SOURCE[0]%/*}/kill.sh"

# others: what would change if one of the other sessions were made again.
others()
{
	local directory name line
	for directory in /sys/class/iscsi_session/session*; do
		read -r name <"$directory/targetname"
		[[ $name != *:disk* ]] || read -r line <"/sys/class/iscsi_connection/connection${directory##*session}:0/local_port"
		[[ $name != *:disk* ]] || echo "${directory##*/} $line"
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
sweep logout

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
check_nothing_left
