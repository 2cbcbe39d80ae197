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
group=/sys/kernel/config/target/iscsi/$target/tpgt_1
kills=${KILLS:-5}
seed=${SEED:-$RANDOM}
declare -A at=()

# find_session: sets session to the directory of the target's session, or to nothing; n_sessions, nameless.
find_session()
{
	local directory name
	session='' n_sessions=0 nameless=()
	for directory in /sys/class/iscsi_session/session*; do
		read -r name <"$directory/targetname"
		n_sessions=$((n_sessions + 1))
		[[ $name != "$target" ]] || session=$directory
		[[ $name != '(null)' ]] || nameless+=("$directory")
	done
}

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

# What the kernel has of the session while no daemon runs, as "connection devices".
left_of_session()
{
	local connection=none devices=none
	[[ ! -e ${1/_session\/session/_connection\/connection}:0/state ]] ||
		read -r connection <"${1/_session\/session/_connection\/connection}:0/state"
	[[ ! -e $1/target_state ]] || read -r devices <"$1/target_state"
	echo "$connection $devices"
}

# trace_daemon N: from now on its Nth step is its last.
trace_daemon()
{
	rm -f "$work/tracer"
	# The tracer tells of its end.
	disown "${services[oisd]}"
	mkfifo "$work/tracer"
	tracer kill "${services[oisd]}" "$1" >"$work/tracer" &
	tracer=$!
	exec 5<"$work/tracer"
	read -r word <&5
	[[ $word == attached ]]
}

# The operations. Each begins with a daemon that is at rest, and has a check of what must be so with the next one.

# operate COMMAND...: whose end ends the tracer, too.
operate()
{
	local status=0
	"$@" || status=$?
	kill "$tracer" 2>/dev/null || true
	return "$status"
}

begin_login()
{
	operate ois-ctl login "$target" >"$work/login" 2>&1 &
}

# A login that was not as far as START is undone, one that was is finished; a new one finds no trace of it.
judge_login()
{
	local left
	for left in ${nameless[@]+"${nameless[@]}"} ${session:+"$session"}; do
		[[ $left == "$session" && $(left_of_session "$left") == up* ]] || rival await-removal "${left##*session}"
	done
	ois-ctl login "$target" >"$work/login" 2>&1 || { cat "$work/login" && return 1; }
	find_session
	[[ $session && $n_sessions == 3 && ${#nameless[@]} == 0 ]] || { echo "sessions: $n_sessions" && return 1; }
	disk=$(echo "$session"/device/target*/*/block/*)
	dd if="/dev/${disk##*/}" of=/dev/null bs=4K count=1 iflag=direct status=none
	ois-ctl logout "$target" >/dev/null
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

# kill_at OPERATION N: at the end of the operation if it has fewer steps. Sets steps to those that were made.
kill_at()
{
	local status=0
	trace_daemon "$2"
	"begin_$1"
	read -r word steps <&5
	exec 5<&-
	wait "$tracer" 2>/dev/null || true
	find_session
	kernel_has=nothing
	((${#nameless[@]} == 0)) || kernel_has='a session without a name'
	[[ ! $session ]] || kernel_has=$(left_of_session "$session")
	at[$kernel_has]=$((${at[$kernel_has]:-0} + 1))
	start_oisd
	"judge_$1" >"$work/judgement" 2>&1 || status=1
	[[ $(others) == "$bystanders" ]] || { echo "other sessions changed" >>"$work/judgement" && status=1; }
	if ((status)); then
		echo "# $1, killed before $word, step $2, kernel had '$kernel_has': $(tr '\n' ' ' <"$work/judgement")"
		journalctl --quiet --output=short-monotonic _COMM=oisd | tail -n 20 | sed 's/^/#   /'
	fi
	return "$status"
}

# sweep OPERATION
sweep()
{
	local all step bad=0 n wanted=$kills
	kill_at "$1" 1000 || bad=1
	all=$steps
	[[ $wanted != all ]] || wanted=$all
	for ((n = 0; n < wanted; n++)); do
		step=$((1 + (n * all / wanted + seed) % all))
		kill_at "$1" "$step" || bad=$((bad + 1))
	done
	check_equal "$1: $wanted of about $all steps, and its end, were the daemon's last" 0 "$bad"
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
