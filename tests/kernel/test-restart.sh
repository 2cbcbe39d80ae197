#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The daemon comes and goes; sessions stay, and are taken over without being touched.
# kernels: 6.1 6.12 debian13
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

# What would change if a session were made again.
identity()
{
	local session
	for session in /sys/class/iscsi_session/session*; do
		echo "${session##*/} $(<"$session/targetname") $(<"$session/state")"
	done
	ss --no-header --tcp --numeric state established dport = 3260 | awk '{ print $3 }' | sort
}

# The sessions the daemon does not manage.
others()
{
	ois-ctl sessions --json=short | jq -r '.[] | select(.managed | not) | "session\(.session) \(.targetName)"'
}

# Writes to a disk and compares, again and again, until told to stop by a line in a pipe.
keep_busy()
{
	local rounds=0
	while ! read -r -t 0 <&6; do
		write_and_compare "$1" 256 || return 1
		rounds=$((rounds + 1))
	done
	((rounds > 0))
}

start_system
lio setup --name iqn.2026-11.org.example:foreign
stop_service oisd
check "another program logs in" floor login 127.0.0.1
start_oisd
foreign=$(ls /sys/class/iscsi_session)
lio setup --targets 5 --pages 64
ois-ctl discover 127.0.0.1 >/dev/null
ois-ctl login --all >/dev/null
before=$(identity)
check_equal "one session is not ours" "$foreign iqn.2026-11.org.example:foreign1" "$(others)"
disk=$(session_disks | tail -n 1)
mkfifo "$work/stop"
exec 6<>"$work/stop"
keep_busy "$disk" &
busy=$!

check "the daemon stops" stop_service oisd
check_equal "the sessions stay" "$before" "$(identity)"
check "the daemon starts" start_oisd
check_equal "it finds the sessions" 5 "$(ois-ctl sessions --json=short | jq 'map(select(.managed and .state == "logged_in")) | length')"
check_equal "and leaves them alone" "$before" "$(identity)"
check_events 7 1009

check_fails "the daemon is killed" 137 stop_service oisd KILL
check "the daemon starts" start_oisd
check_equal "it finds the sessions again" 5 "$(ois-ctl sessions --json=short | jq 'map(select(.managed and .state == "logged_in")) | length')"
check_equal "and leaves them alone again" "$before" "$(identity)"
check_events 13 1009
check_equal "the other session is not taken over" "$foreign iqn.2026-11.org.example:foreign1" "$(others)"
check_equal "nodes are remembered" 6 "$(ois-ctl nodes --no-legend | wc -l)"
check_equal "the disks are told" 5 "$(ois-ctl sessions --json=short | jq '[.[] | select(.managed).logicalUnits[].blockDevice] | length')"
check_equal "no session was made again" "5 0 0" "$(n_events 1000) $(n_events 20) $(n_events 34)"
echo >&6
check "I/O went on, with the right data" wait "$busy"

# A loss is repaired by a daemon that did not make the session.
portal_groups 0
await_events 5 20 >/dev/null
portal_groups 1
check_events 5 34
check "disks work" write_and_compare "$disk"

# What another program made is left to it, also after a loss.
check_equal "no loss of a session that is not ours" 0 "$(n_events 20 OIS_TARGET=iqn.2026-11.org.example:foreign1)"
check_equal "nor a recovery" "$foreign FAILED" "$foreign $(<"/sys/class/iscsi_session/$foreign/state")"
check "logout of ours" ois-ctl logout 'iqn.*:disk?'
check_equal "the other one stays" "$foreign" "$(ls /sys/class/iscsi_session)"
check "until it is asked for" ois-ctl logout --force "${foreign#session}"
check_nothing_left
