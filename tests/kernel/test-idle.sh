#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A daemon that has nothing to do does nothing: no timer of its own wakes it, however many sessions it looks after. Where
# the kernel can skip idle time it is watched for an hour.
# kernels: 6.12
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

while_idle=3
[[ $(</sys/devices/system/clocksource/clocksource0/current_clocksource) != time-travel* ]] || while_idle=3600

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

# look_idle WHAT: what it did last has had its time to end. Here time is not waited for but looked at.
look_idle()
{
	local before
	sleep "$while_idle"
	before=$(wakeups)
	sleep "$while_idle"
	check_equal "$1: not woken in $while_idle seconds" "$before" "$(wakeups)"
	check_equal "$1: no timer is armed" "" "$(timers)"
}

start_system
look_idle "without sessions"
lio setup --targets 20
ois-ctl discover 127.0.0.1 >/dev/null
check "login of 20" ois-ctl login --all
look_idle "with sessions it made"
stop_service oisd
start_oisd
look_idle "with sessions it found"
check "logout" ois-ctl logout --all
check_nothing_left
