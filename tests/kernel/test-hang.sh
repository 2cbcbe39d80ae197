#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A target that hangs, but whose connections live: then, in the middle of a recovery, and with commands that wait for
# it. tgt runs in user space, and can be stopped.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:tgt
start_system
start_tgt 3265 "$target"
ois-ctl node add "$target" 127.0.0.1:3265 >/dev/null
ois-ctl node set "$target" noopIntervalSeconds=1 noopTimeoutSeconds=1 keys.defaultTime2Wait=0 loginTimeoutSeconds=60 \
	logoutTimeoutSeconds=1 >/dev/null
check "login" ois-ctl login "$target"
kill -STOP "${services[tgtd]}"
check_event 20 OIS_TARGET="$target" OIS_STATUS=1022
kill -CONT "${services[tgtd]}"
check_event 34 OIS_TARGET="$target"
check "data" write_and_compare "$(first_disk)" 64
kill -STOP "${services[tgtd]}"
check_events 2 20 OIS_TARGET="$target"
check "logout in the middle of a login" ois-ctl logout --force --all
check_nothing_left
kill -CONT "${services[tgtd]}"
# The answer to the logout is to be missed before the one to a ping.
ois-ctl node set "$target" noopIntervalSeconds=60 noopTimeoutSeconds=60 >/dev/null
check "login" ois-ctl login "$target"
kill -STOP "${services[tgtd]}"
check "logout of a target that does not answer" ois-ctl logout --force --all
check_nothing_left
check_event 44 OIS_TARGET="$target"
kill -CONT "${services[tgtd]}"

# From here on, nothing but the logout's own time ends what waits: no ping, and commands have five minutes.
ois-ctl node set "$target" noopIntervalSeconds=0 noopTimeoutSeconds=0 logoutTimeoutSeconds=2 >/dev/null

# in_flight DISK: returns when it has a command. The loop turns on what the daemon is asked meanwhile.
in_flight()
{
	local reads=0 writes=0
	until ((reads + writes)); do
		ois-ctl status >/dev/null
		read -r reads writes <"/sys/block/${1#/dev/}/inflight"
	done
}

# wait_for_the_target if=|of=: logs in, stops the target, and leaves a program, $user, with a command that it does not
# answer.
wait_for_the_target()
{
	local disk
	check "login" ois-ctl login "$target"
	disk=$(first_disk)
	echo 300 >"/sys/block/${disk#/dev/}/device/timeout"
	kill -STOP "${services[tgtd]}"
	case $1 in
	if=) dd if="$disk" of="$work/read" bs=4K count=1 iflag=direct 2>"$work/dd" & ;;
	of=) dd if=/dev/zero of="$disk" bs=4K count=1 oflag=direct 2>"$work/dd" & ;;
	esac
	user=$!
	in_flight "$disk"
	check "a command waits" kill -0 "$user"
}

# check_logout ENDING REASON [OPTION]...: it takes a fraction of what commands have, and says how it ended.
check_logout()
{
	local ending=$1 said=(1001 OIS_TARGET="$target" ${2:+OIS_REASON="$2"}) closed
	shift 2
	closed=$(n_events "${said[@]}")
	check "logout $*" timeout 20 ois-ctl logout "$@" "$target" --json=short
	check_equal "how it ended" "$ending" "$(jq -r '.progress.ending // empty' "$work/output" | xargs)"
	check_nothing_left
	check_events $((closed + 1)) "${said[@]}"
}

# check_user DOING: the program has been told that its command failed.
check_user()
{
	check_fails "the program ends" 1 wait "$user"
	check_equal "it knows why" "error $1: Link has been severed" "$(sed -n 's/^dd: \(error [a-z]*\) .*: /\1: /p' "$work/dd")"
}

forced="by force, since commands did not end"
wait_for_the_target if=
check_logout forced "$forced"
check_user reading
kill -CONT "${services[tgtd]}"
wait_for_the_target of=
check_logout forced "$forced" --force
check_user writing
kill -CONT "${services[tgtd]}"

# No command waits, and none is sent: the disk has no cache to be written.
check "login" ois-ctl login "$target"
echo write through >"$(echo /sys/class/iscsi_session/session*/device/target*/*/scsi_disk/*/cache_type)"
kill -STOP "${services[tgtd]}"
check_logout unanswered "the target did not answer the logout"
kill -CONT "${services[tgtd]}"

# It works as before.
check "login" ois-ctl login "$target"
check "data" write_and_compare "$(first_disk)" 64
check_logout clean ""
