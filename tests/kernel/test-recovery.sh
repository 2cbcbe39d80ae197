#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Connections that are lost come back, through the kernel's own PDU channel, and I/O goes on.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

# Disabling a portal group closes its connections.
portal_group()
{
	local group
	for group in /sys/kernel/config/target/iscsi/iqn*/tpgt_1; do
		echo "$1" >"$group/enable"
	done
}

start_system
printf '%s\n' userid=alice password=open-sesame-1001 >"$work/auth"
lio setup --pages 64 --auth "$work/auth" --parameter HeaderDigest=CRC32C,None
target=iqn.2026-11.org.example:disk1
ois-ctl discover 127.0.0.1 >/dev/null
ois-ctl node set "$target" authentication.method=chap authentication.userName=alice keys.headerDigest=crc32c \
	--secret-file=- <<<open-sesame-1001 >/dev/null
check "login" ois-ctl login "$target"
disk=$(session_disks)
session=$(echo /sys/class/iscsi_session/session*)

portal_group 0
check_event 20 OIS_TARGET="$target"
dd if="$disk" of="$work/read" bs=64K count=1 iflag=direct status=none &
reader=$!
portal_group 1
check_event 34 OIS_TARGET="$target"
check "I/O that waited is done" wait "$reader"
check_equal "the session is the same" "$session" "$(echo /sys/class/iscsi_session/session*)"
check_equal "and logged in" LOGGED_IN "$(<"$session/state")"
check_equal "the digest is in force again" 1 "$(cat /sys/class/iscsi_connection/*/header_digest)"
check_equal "the disk is the same" "$disk" "$(session_disks)"
check "data" write_and_compare "$disk"

portal_group 0
check_equal "2 times event 20" 2 "$(await_events 2 20 | wc -l)"
check "logout while the target is away" ois-ctl logout --all
check_nothing_left
