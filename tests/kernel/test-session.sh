#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The main job without authentication: many targets, several logical units; what is left afterwards.
# kernels: 6.1 6.12 debian13
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

start_system
lio setup --targets 20 --pages 64

check "discovery" ois-ctl discover 127.0.0.1
check_equal "finds all targets" 20 "$(ois-ctl nodes --no-legend | wc -l)"
check_event 1007
check "login of all" ois-ctl login --all
check_equal "sessions" 20 "$(ois-ctl sessions --json=short | jq length)"
check_equal "sessions in the kernel" 20 "$(find /sys/class/iscsi_session/ -name 'session*' | wc -l)"
check_equal "disks" 20 "$(session_disks | wc -l)"
check_events 20 1000
check "a disk can be used" write_and_compare "$(first_disk)" 64
check "login again changes nothing" ois-ctl login --all
check_equal "sessions after the second login" 20 "$(ois-ctl sessions --json=short | jq length)"
check_equal "the list agrees with the kernel" \
	"$(cat /sys/class/iscsi_session/session*/targetname | sort)" \
	"$(ois-ctl sessions --json=short | jq -r '.[].targetName' | sort)"
check "logout of one" ois-ctl logout iqn.2026-11.org.example:disk7
check_equal "leaves the others" 19 "$(ois-ctl sessions --json=short | jq length)"
check "logout of all" ois-ctl logout --all
check_nothing_left
check_events 20 1001

lio clear
lio setup --name iqn.2026-11.org.example:units --luns 5 --portal 127.0.0.1:3261 --pages 64
check "discovery of a target with five units" ois-ctl discover 127.0.0.1:3261
check "login" ois-ctl login 'iqn.*:units1'
check_equal "disks are there when login returns" 5 "$(session_disks | wc -l)"
check_equal "and are told" 5 "$(ois-ctl sessions --json=short | jq '[.[].logicalUnits[]? | select(.blockDevice)] | length')"
check "logout" ois-ctl logout --all
check_nothing_left

# The kernel takes powers of two only, the target chooses otherwise.
lio setup --name iqn.2026-11.org.example:odd --portal 127.0.0.1:3263 --parameter MaxOutstandingR2T=3
odd=iqn.2026-11.org.example:odd1
ois-ctl discover 127.0.0.1:3263 >/dev/null
# Rescans here are ours alone, though the target tells of what changes.
ois-ctl node set "$odd" keys.maxOutstandingR2T=8 rescanOnChange=no >/dev/null
check "login where 3 R2Ts are agreed on" ois-ctl login "$odd"
check_equal "the kernel has room for four" 4 "$(cat /sys/class/iscsi_session/session*/max_outstanding_r2t)"
check "data" write_and_compare "$(session_disks)"

# Pings are as the node says at the time of the login, also of one that brings a session back.
pings()
{
	cat /sys/class/iscsi_connection/connection*/{recv,ping}_tmo | xargs
}
ois-ctl node set "$odd" noopIntervalSeconds=7 noopTimeoutSeconds=9 >/dev/null
check_equal "new intervals of pings wait for a login" "5 5" "$(pings)"
check_equal "as the settings tell" next_login \
	"$(ois-ctl settings --json=short | jq -r '.[] | select(.name == "noopIntervalSeconds") | .applies')"
portal_groups 0
check_event 20 OIS_TARGET="$odd"
portal_groups 1
check_event 34 OIS_TARGET="$odd"
check_equal "and come with the next one" "7 9" "$(pings)"

# Units come and go at the target.
unit_add "$odd" 1
check_equal "a rescan finds the new unit" "added 1 sdb" \
	"$(ois-ctl rescan "$odd" --json=short | jq -r '.added[] | "added \(.lun) \(.blockDevice)"')"
check "which can be used" write_and_compare /dev/sdb
unit_remove "$odd" 1
echo 1 >/sys/block/sdb/device/delete
check_equal "a rescan tells what is gone" "removed 1" \
	"$(ois-ctl rescan "$odd" --json=short | jq -r '.removed[] | "removed \(.lun)"')"
check_equal "the disk is gone" /dev/sda "$(session_disks)"
check_fails "no session to rescan" 3 ois-ctl rescan "iqn.*:disk7"

# What is in use stays.
session=$(ois-ctl sessions --json=short | jq '.[].session')
mkfs.ext4 -q "$(session_disks)"
mkdir -p "$work/mount"
mount "$(session_disks)" "$work/mount"
echo kept >"$work/mount/file"
check_fails "logout of a mounted disk" 1 ois-ctl logout "$session"
check_equal "says why, and what to do" "sda is mounted on $work/mount; --force does it anyway" \
	"$(sed 's/.*: sda/sda/' "$work/output")"
check_equal "the session is as before" "logged_in LOGGED_IN" \
	"$(ois-ctl sessions --json=short | jq -r '.[].phase') $(</sys/class/iscsi_session/session"$session"/state)"
check "so is the file system" sync -f "$work/mount"
umount "$work/mount"
check "logout by number" ois-ctl logout "$session"
check_nothing_left
check "login" ois-ctl login "$odd"
check "mount" mount "$(session_disks)" "$work/mount"
check_equal "the file is there" kept "$(<"$work/mount/file")"
check "logout by force" ois-ctl logout --force 'iqn.*:odd?'
umount "$work/mount"
check_nothing_left

check_fails "login to an unknown target" 3 ois-ctl login iqn.2026-11.org.example:nobody
check_fails "logout of an unknown session" 3 ois-ctl logout 4711
check_fails "logout of an unknown target" 3 ois-ctl logout iqn.2026-11.org.example:nobody
check_fails "no such session to show" 3 ois-ctl session show 4711
check "the daemon stops" stop_service oisd
