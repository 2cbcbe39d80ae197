# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Verified I/O on the disks of all sessions, and numbers that depend on a seed only. tests/kernel/faults.sh comes first.
# shellcheck disable=SC2154 # $work: of guest.sh

declare -A checkers=()
# Between two requests of each three; they leave the guest's only processor time for others.
checker_pause=60

# begin_with SEED
begin_with()
{
	seed=$1 state=$1
}

# draw N: a number below N, in $drawn. Not $RANDOM, which is another bash's own.
draw()
{
	state=$(((state * 6364136223846793005 + 1442695040888963407) & 0x7fffffffffffffff))
	# shellcheck disable=SC2034 # for those who source this
	drawn=$(((state >> 33) % $1))
}

mkfifo "$work/never"
exec 9<>"$work/never"

# pause MSEC
pause()
{
	local seconds
	printf -v seconds '%d.%03d' $(($1 / 1000)) $(($1 % 1000))
	read -r -t "$seconds" <&9 || true
}

logged_in()
{
	ois-ctl sessions --json=short | jq '[.[] | select(.phase == "logged_in" and .managed and (.recovering | not))] | length'
}

# await_sessions N SECONDS: how many are logged in as soon as N are, or when the time is up.
# Each login and each recovery is a reason to count again.
await_sessions()
{
	local n='' reader
	exec 7< <(exec timeout "$2" journalctl --quiet --output=cat --follow --lines=1 _COMM=oisd)
	reader=$!
	while n=$(logged_in) && ((n < $1)); do
		read -r <&7 || break
	done
	kill "$reader" 2>/dev/null || true
	exec 7<&-
	echo "$n"
}

# It returns when each disk has been written once.
start_checkers()
{
	local session disk name word
	mkfifo "$work/ready"
	exec 8<>"$work/ready"
	for session in /sys/class/iscsi_session/session*; do
		name=$(<"$session/targetname")
		[[ $name != *:spare* ]] || continue
		disk=/dev/$(basename "$session"/device/target*/*/block/*)
		checker --requests 3 --pause "$checker_pause" --seed "$seed" --ready "$work/ready" "$disk" >"$work/$name.checker" 2>&1 &
		checkers[$name]=$!
	done
	for name in "${!checkers[@]}"; do
		read -r -t 60 word <&8
		[[ $word == ready ]]
	done
	exec 8>&-
	rm "$work/ready"
}

stop_checkers()
{
	local name
	kill "${checkers[@]}" || true
	for name in "${!checkers[@]}"; do
		check "data of $name" wait "${checkers[$name]}"
		sed 's/^/# /' "$work/$name.checker"
	done
}
