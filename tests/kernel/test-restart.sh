#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The daemon comes and goes; sessions stay, and are taken over without being touched.
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

start_system
lio setup --targets 5 --pages 64
ois-ctl discover 127.0.0.1 >/dev/null
ois-ctl login --all >/dev/null
before=$(identity)
disk=$(session_disks | head -n 1)

check "the daemon stops" stop_service oisd
check_equal "the sessions stay" "$before" "$(identity)"
check "disks work without a daemon" write_and_compare "$disk" 64
check "the daemon starts" start_oisd
check_equal "it finds the sessions" 5 "$(ois-ctl sessions --json=short | jq length)"
check_equal "and leaves them alone" "$before" "$(identity)"
check_events 5 1009

check_fails "the daemon is killed" 137 stop_service oisd KILL
check "the daemon starts" start_oisd
check_equal "it finds the sessions again" 5 "$(ois-ctl sessions --json=short | jq length)"
check_equal "and leaves them alone again" "$before" "$(identity)"
check_equal "nodes are remembered" 5 "$(ois-ctl nodes --no-legend | wc -l)"
check "disks work" write_and_compare "$disk" 64
check "logout" ois-ctl logout --all
check_nothing_left
