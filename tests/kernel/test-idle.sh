#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A daemon that has nothing to do does nothing: no timer of its own wakes it, however many sessions it looks after. Where
# the kernel can skip idle time it is watched for an hour, and with hundreds of sessions, which the kernel pings meanwhile,
# for ten minutes.
# kernels: 6.12
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

n=500
rest=3 while_idle=3 while_busy=3
[[ $(</sys/devices/system/clocksource/clocksource0/current_clocksource) != time-travel* ]] ||
	rest=60 while_idle=3600 while_busy=600

# How often its threads went to sleep, and so woke up.
wakeups()
{
	awk '/^voluntary_ctxt_switches/ { n += $2 } END { print n }' /proc/"${services[oisd]}"/task/*/status
}

# What is armed of its timers; but for the one that goes off only when somebody sets the clock (TFD_TIMER_CANCEL_ON_SET).
timers()
{
	local info
	for info in /proc/"${services[oisd]}"/fdinfo/*; do
		awk '/^settime flags:/ { cancels = $3 ~ /3$/ } /^it_value:/ && !/\(0, 0\)$/ && !cancels' "$info"
	done
}

# look_idle SECONDS WHAT: what it did last has had its time to end. Here time is not waited for but looked at.
look_idle()
{
	local before
	sleep "$rest"
	before=$(wakeups)
	sleep "$1"
	check_equal "$2: not woken in $1 seconds" "$before" "$(wakeups)"
	check_equal "$2: no timer is armed" "" "$(timers)"
}

start_system
look_idle "$while_idle" "without sessions"
lio setup --targets "$n" --pages 16
ois-ctl discover 127.0.0.1 >/dev/null
check "login of $n" ois-ctl login --all
check_equal "sessions" "$n" "$(find /sys/class/iscsi_session/ -name 'session*' | wc -l)"
look_idle "$while_busy" "with $n sessions it made"
stop_service oisd
start_oisd
look_idle "$while_busy" "with $n sessions it found"
check "logout" ois-ctl logout --all
check_nothing_left
