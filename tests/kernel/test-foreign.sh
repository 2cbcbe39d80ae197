#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Sessions of other programs: seen as they come and go, left alone, and taken over when a person says so. And what a
# session goes through beside losing its connection: a target that changes its mind, a clock that is set.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:foreign1
tell() { ois-ctl sessions --json=short | jq -r '.[] | "\(.targetName | sub(".*:"; "")) \(.phase) \(.managed)"'; }

start_system
lio setup --name iqn.2026-11.org.example:foreign --parameter DefaultTime2Wait=0
check "another program logs in" floor login 127.0.0.1
check_event 1009 OIS_TARGET="$target"
check_equal "its session is listed" "foreign1 logged_in false" "$(tell)"
session=$(ois-ctl sessions --json=short | jq '.[].session')
disk=$(session_disks)

portal_groups 0
check_event 71 OIS_TARGET="$target" OIS_STATUS=95
check_equal "its loss is seen" "foreign1 retrying false" "$(tell)"
check_fails "a session that is none" 3 ois-ctl session adopt 999
check "it is taken over" ois-ctl session adopt "$session"
check_event 1154 OIS_TARGET="$target"
portal_groups 1
check_event 34 OIS_TARGET="$target"
check_equal "it is repaired" "foreign1 logged_in true" "$(tell)"
check "data" write_and_compare "$disk" 64
check "logout" ois-ctl logout "$session"
check_nothing_left

check "another program logs in again" floor login 127.0.0.1
await_events 2 1009 >/dev/null
session=$(ois-ctl sessions --json=short | jq '.[].session')
check "it is taken over while it works" ois-ctl session adopt "$session"
check "a second time changes nothing" ois-ctl session adopt "$session"
check_equal "it has a label" ois-adopted "$(</sys/class/iscsi_session/session"$session"/ifacename)"
check_equal "nobody knows its ISID" null "$(ois-ctl sessions --json=short | jq '.[].isid')"
check_fails "the daemon is killed" 137 stop_service oisd KILL
check "it starts" start_oisd
check_equal "the session is still ours" "foreign1 logged_in true" "$(tell)"

# The target changes its mind; what was agreed on before is known from the first login of ours.
disk=$(session_disks)
back=$(n_events 34 || true)
portal_groups 0
await_events 1 20 >/dev/null
portal_groups 1
await_events "$((back + 1))" 34 >/dev/null
group=/sys/kernel/config/target/iscsi/$target/tpgt_1
echo 131072 >"$group/param/MaxBurstLength"
lost=$(n_events 20 || true)
portal_groups 0
await_events "$((lost + 1))" 20 >/dev/null
portal_groups 1
check_event 1153 OIS_TARGET="$target" OIS_REASON="MaxBurstLength 131072 instead of 262144"
check "data" write_and_compare "$disk" 64
check_equal "it is in force" 131072 "$(</sys/class/iscsi_session/session"$session"/max_burst_len)"
check_equal "its ISID is known" 1 "$(ois-ctl sessions --json=short | jq -r '.[].isid' | grep -c '^80')"

# The clock is set.
since=$(ois-ctl sessions --json=short | jq '.[].loggedInTimestampUSec')
date --set "@$(($(date +%s) + 86400))" >/dev/null
check_event 1155
check_equal "times of sessions follow" true \
	"$(ois-ctl sessions --json=short | jq ".[].loggedInTimestampUSec - $since > 86390000000")"
check_equal "the session lives" "foreign1 logged_in true" "$(tell)"
check "logout" ois-ctl logout --all
check_nothing_left
