#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A person's word counts: what was logged out stays logged out, over restarts too; a disk that somebody uses is left only
# by force; and a logout ends whatever the target does.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:disk1
phases() { ois-ctl sessions --json=short | jq -r '.[].phase' | xargs; }
kept() { ois-ctl nodes --json=short | jq -r '.[] | select(.loggedOutTimestampUSec) | .key.targetName'; }

start_system
lio setup --pages 4096
ois-ctl discover 127.0.0.1 >/dev/null
ois-ctl node set "$target" startup=automatic keys.defaultTime2Wait=0 logoutTimeoutSeconds=1 >/dev/null

# It lasts until a person says something else.
check "login" ois-ctl login "$target"
check_equal "nothing is said against the node" "" "$(kept)"
check "logout" ois-ctl logout "$target"
check_equal "it is kept" "$target" "$(kept)"
check "and shown" grep -q '^ *Logged out: ' <(ois-ctl node show "$target")
check "a discovery" ois-ctl discover 127.0.0.1
check_equal "changes nothing" "$target" "$(kept)"
check "the daemon stops" stop_service oisd
check "it starts" start_oisd
check_equal "it does not log in" "0 $target" "$(ois-ctl sessions --json=short | jq length) $(kept)"
check "login" ois-ctl login "$target"
check_equal "by which it is wanted again" "" "$(kept)"
check "logout" ois-ctl logout "$target"
check "startup is set" ois-ctl node set "$target" startup=automatic
check_equal "which is a word, too" "" "$(kept)"
check "the daemon stops" stop_service oisd
check "it starts" start_oisd
check_event 1000 OIS_TARGET="$target"
await_events 3 1000 >/dev/null
check_equal "it logs in" logged_in "$(phases)"

# A daemon that is killed in the middle of a logout. The target does not answer.
check_fails "the daemon is killed" 137 stop_service oisd KILL
sed -i '/"targetName"/s/"origin"/"loggedOutTimestampUSec":1,"origin"/' /etc/ois/nodes.jsonl
check "it starts" start_oisd
check_event 1150 OIS_TARGET="$target"
await_events 3 1001 >/dev/null
check_nothing_left
check_equal "it stays so" "$target" "$(kept)"

# The same, and somebody uses the disk.
check "login" ois-ctl login "$target"
disk=$(session_disks)
mkfs.ext4 -q "$disk"
mkdir "$work/mount"
mount "$disk" "$work/mount"
check_fails "the daemon is killed" 137 stop_service oisd KILL
sed -i '/"targetName"/s/"origin"/"loggedOutTimestampUSec":1,"origin"/' /etc/ois/nodes.jsonl
check "it starts" start_oisd
check_event 1151 OIS_TARGET="$target" OIS_STATUS=16
check_equal "the session stays and is wanted" logged_in "$(phases)$(kept)"

# The same, and the logout was by force.
check_fails "the daemon is killed" 137 stop_service oisd KILL
sed -i '/"targetName"/s/"origin"/"loggedOutTimestampUSec":1,"loggedOutHow":"forced","origin"/' /etc/ois/nodes.jsonl
check "it starts" start_oisd
await_events 4 1001 >/dev/null
check_nothing_left
check_equal "the disk is gone from under who used it" "$target" "$(kept)"
umount --lazy "$work/mount"
check "login" ois-ctl login "$target"
disk=$(session_disks)
mkfs.ext4 -q "$disk"

# refused WHAT: the logout is, and says who uses the disk.
refused()
{
	check_fails "logout of a disk that ${1#* }" 1 ois-ctl logout "$target"
	check_equal "who uses it" "$1; --force does it anyway" "$(sed 's/.*: //' "$work/output")"
}
name=${disk#/dev/}
if [[ -e /proc/swaps ]]; then
	mkswap "$disk" >/dev/null
	swapon "$disk"
	refused "$name is swap"
	swapoff "$disk"
else
	skip "swap" "this kernel has none"
fi
if modprobe dm_mod 2>/dev/null || [[ -e /sys/class/misc/device-mapper ]]; then
	for uuid in LVM-0123 mpath-36001405; do
		dmsetup create --noudevsync --uuid "$uuid" --table "0 64 linear $disk 0" mapped
		holder=$(basename "$(readlink -f /sys/block/"$name"/holders/*)")
		refused "$name is used by $holder (mapped, $([[ $uuid == LVM* ]] && echo LVM || echo multipath))"
		dmsetup remove --noudevsync mapped
	done
else
	skip "device mapper" "this kernel has none"
fi
addpart "$disk" 1 64 16384
part=${name}1
if [[ -b /dev/$part ]]; then
	mkfs.ext4 -q "/dev/$part"
	mount "/dev/$part" "$work/mount"
	refused "$part is mounted on $work/mount"
	check "by force it goes" ois-ctl logout --force "$target"
	umount --lazy "$work/mount"
else
	skip "a partition" "this kernel has none"
	check "logout" ois-ctl logout "$target"
fi
check_nothing_left

# The target is told if there is a way.
check "login" ois-ctl login "$target"
check "logout" ois-ctl logout "$target" --json=short
check_equal "the target agreed" clean "$(jq -r '.progress.ending // empty' "$work/output" | xargs)"
check "login" ois-ctl login "$target"
portal_groups 0
await_events 1 20 >/dev/null
check "logout while the target is away" ois-ctl logout "$target"
check_equal "it says so" "; the target could not be told" "$(sed 's/.*, session [0-9]*//' "$work/output")"
check_event 1001 OIS_TARGET="$target" OIS_REASON="the target could not be told, there was no connection"
check_nothing_left
