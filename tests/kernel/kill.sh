# shellcheck shell=bash disable=SC2154 # work, services: guest.sh; bystanders: the script
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Kills the daemon at a step of an operation, and starts it again. A script that sources this sets target and n_others
# (sessions that must not be touched), has a function others, and begin_NAME and judge_NAME of each operation but login,
# with prepare_NAME for what comes before the first step.
# KILLS=all takes every step, KILLS=N so many of each operation; SEED=N is another choice.
: "${target:?}" "${n_others:?}"

kills=${KILLS:-5}
seed=${SEED:-$RANDOM}
declare -A at=()

# find_session: sets session to the directory of the target's session, or to nothing; n_sessions, nameless.
find_session()
{
	local directory name
	session='' n_sessions=0 nameless=()
	for directory in /sys/class/iscsi_session/session*; do
		[[ -e $directory ]] || continue
		read -r name <"$directory/targetname"
		n_sessions=$((n_sessions + 1))
		[[ $name != "$target" ]] || session=$directory
		[[ $name != '(null)' ]] || nameless+=("$directory")
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
	[[ $session && $n_sessions == $((n_others + 1)) && ${#nameless[@]} == 0 ]] || { echo "sessions: $n_sessions" && return 1; }
	disk=$(echo "$session"/device/target*/*/block/*)
	dd if="/dev/${disk##*/}" of=/dev/null bs=4K count=1 iflag=direct status=none
	ois-ctl logout "$target" >/dev/null
}

# kill_at OPERATION N: at the end of the operation if it has fewer steps. Sets steps to those that were made.
kill_at()
{
	local status=0 now
	! declare -F "prepare_$1" >/dev/null || "prepare_$1"
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
	now=$(others)
	[[ $now == "$bystanders" ]] || { echo "other sessions changed: $now" >>"$work/judgement" && status=1; }
	# What has changed is told once.
	bystanders=$now
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
