#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Connections that are lost come back, through the kernel's own PDU channel, and I/O goes on; sessions whose target stays
# away can be left at any moment.
# kernels: 6.1 6.12 debian13
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:disk1

# lose: returns when the daemon has noticed.
lost=0
lose()
{
	lost=$((lost + 1))
	portal_groups 0
	await_events "$lost" 20 OIS_TARGET="$target" >/dev/null
}

# come_back: returns when the session works again.
back=0
come_back()
{
	back=$((back + 1))
	portal_groups 1
	await_events "$back" 34 OIS_TARGET="$target" >/dev/null
}

# What must be the same after a recovery.
identity()
{
	local sessions=(/sys/class/iscsi_session/session*)
	echo "${sessions[@]}"
	cat "${sessions[@]/%//state}" /sys/class/iscsi_connection/*/{header,data}_digest
	session_disks
}

start_system
printf '%s\n' userid=alice password=open-sesame-1001 userid_mutual=storage password_mutual=who-goes-there-42 >"$work/auth"
lio setup --pages 2048 --auth "$work/auth" --parameter HeaderDigest=CRC32C,None --parameter DataDigest=CRC32C,None \
	--parameter DefaultTime2Wait=0
ois-ctl discover 127.0.0.1 >/dev/null
ois-ctl node set "$target" authentication.method=chap authentication.userName=alice keys.headerDigest=crc32c \
	keys.dataDigest=crc32c keys.defaultTime2Wait=0 --secret-file=- <<<open-sesame-1001 >/dev/null
ois-ctl node set "$target" --target-secret-file=- <<<who-goes-there-42 >/dev/null
check "login" ois-ctl login "$target"
before=$(identity)
disk=$(session_disks)

# Reads that wait, and are done.
lose
check_equal "the session waits" "true $target" \
	"$(ois-ctl sessions --json=short | jq -r '.[] | "\(.recovering) \(.targetName)"')"
dd if="$disk" of="$work/read" bs=64K count=1 iflag=direct status=none &
reader=$!
come_back
check "a read that waited is done" wait "$reader"
check_equal "the session, its digests and its disk are the same" "$before" "$(identity)"
check_equal "it is told" "1 false" "$(ois-ctl sessions --json=short | jq -r '.[] | "\(.reconnects) \(.recovering)"')"
check "data" write_and_compare "$disk"

# Writes go on across losses.
dd if=/dev/urandom of="$work/written" bs=1M count=8 status=none
for round in 1 2 3; do
	dd if="$work/written" of="$disk" bs=16K oflag=direct status=none &
	writer=$!
	lose
	come_back
	check "a write goes on, $round" wait "$writer"
	dd if="$disk" of="$work/read" bs=1M iflag=direct status=none
	check "data, $round" cmp "$work/written" "$work/read"
done
check_equal "the session is the same" "$before" "$(identity)"

# The secret is changed at the target, then here.
lose
group=/sys/kernel/config/target/iscsi/$target/tpgt_1
printf changed-sesame-1001 >"$group/auth/password"
portal_groups 1
check_event 10 OIS_TARGET="$target" OIS_PDU_STATUS_CLASS=2 OIS_PDU_STATUS_DETAIL=1
check_event 69 OIS_TARGET="$target" OIS_OUTCOME=retrying
ois-ctl node set "$target" --secret-file=- <<<changed-sesame-1001 >/dev/null
come_back
check_equal "the new secret is used at once" "$before" "$(identity)"
check "data" write_and_compare "$disk"

# The kernel gives up waiting, the daemon does not.
ois-ctl node set "$target" replacementTimeoutSeconds=1 >/dev/null
lose
come_back
check_equal "a setting is in force after the next login" 1 "$(cat /sys/class/iscsi_session/session*/recovery_tmo)"
lose
check "I/O fails in time" bash -c "! dd if='$disk' of=/dev/null count=1 iflag=direct"
check_equal "the kernel gave up" FREE "$(cat /sys/class/iscsi_session/session*/state)"
come_back
check_equal "the session is the same" "$before" "$(identity)"
check "data" write_and_compare "$disk"

# A daemon that starts finds the session in pieces.
lose
check_fails "the daemon is killed" 137 stop_service oisd KILL
portal_groups 1
check "it starts" start_oisd
come_back
check_equal "the session is the same" "$before" "$(identity)"
check "data" write_and_compare "$disk"

lose
check "logout while the target is away" ois-ctl logout --all
check_nothing_left
portal_groups 1
check "login" ois-ctl login "$target"
lose
check "logout by force while the target is away" ois-ctl logout --force --all
check_nothing_left
