#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Logical units that come, go and grow while a session is in use: the target tells the kernel with a unit attention, and
# the daemon follows. What is in use stays.
# kernels: 6.1 6.12 debian13
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

start_system
lio setup --name iqn.2026-11.org.example:units --pages 256
target=iqn.2026-11.org.example:units1

# Unit attentions come with the answer to a command.
touch_disk()
{
	dd if="$1" of=/dev/null bs=4K count=1 iflag=direct status=none
}

ois-ctl discover 127.0.0.1 >/dev/null
check "login" ois-ctl login "$target"
check_equal "one disk" /dev/sda "$(session_disks)"

unit_add "$target" 1
check "the disk hears of it" touch_disk /dev/sda
check_event 1134 OIS_TARGET="$target" OIS_STATUS=16142
check_event 1130 OIS_TARGET="$target" OIS_LUN=1 OIS_DEVICE=sdb
check "the new unit can be used" write_and_compare /dev/sdb

unit_add "$target" 2
touch_disk /dev/sda
check_event 1130 OIS_LUN=2 OIS_DEVICE=sdc
mkfs.ext4 -q /dev/sdc
mkdir -p "$work/mount"
mount /dev/sdc "$work/mount"
unit_remove "$target" 1
unit_remove "$target" 2
check "two units go" touch_disk /dev/sda
check_event 1131 OIS_TARGET="$target" OIS_LUN=1 OIS_DEVICE=sdb
check_event 1132 OIS_TARGET="$target" OIS_LUN=2 OIS_DEVICE=sdc
check_equal "the one that is mounted stays" "/dev/sda
/dev/sdc" "$(session_disks)"
check_equal "a rescan says so" "Session 1: LUN 2 gone at the target, but in use (sdc)" "$(ois-ctl rescan "$target")"
umount "$work/mount"
check_equal "and removes it when nobody uses it any more" "Session 1: LUN 2 removed (sdc)" \
	"$(ois-ctl rescan "$target")"
check_equal "one disk is left" /dev/sda "$(session_disks)"
check_equal "a rescan without a change" "Session 1: no change" "$(ois-ctl rescan "$target")"

# Without the setting it is told, and nothing is done.
ois-ctl logout "$target" >/dev/null
ois-ctl node set "$target" rescanOnChange=no >/dev/null
check "login with rescanOnChange=no" ois-ctl login "$target"
unit_add "$target" 1
touch_disk "$(session_disks)"
check_event 1134 OIS_SESSION=2
check_equal "a rescan finds the unit that nobody looked for" "added 1" \
	"$(ois-ctl rescan "$target" --json=short | jq -r '.added[] | "added \(.lun)"')"
ois-ctl logout "$target" >/dev/null
check_nothing_left

# A unit that grows: a loop device, which is told to look at its file again.
if load_modules loop target_core_iblock 2>/dev/null && truncate -s 1M "$work/file" &&
	loop=$(losetup --find --show "$work/file"); then
	disk=/sys/kernel/config/target/core/iblock_0/grows
	mkdir -p "$disk"
	echo "udev_path=$loop" >"$disk/control"
	echo 1 >"$disk/enable"
	unit=/sys/kernel/config/target/iscsi/$target/tpgt_1/lun/lun_7
	mkdir "$unit"
	ln -s "$disk" "$unit/disk"
	check "login" ois-ctl login "$target"
	grown=$(ois-ctl sessions --json=short | jq -r '.[].session')
	truncate -s 3M "$work/file"
	losetup --set-capacity "$loop"
	check_equal "a rescan tells the new size" "LUN 7 resized to 3 MiB" \
		"$(ois-ctl rescan "$target" --lun=7 | sed 's/.*: //; s/ (.*//')"
	check_event 1133 OIS_SESSION="$grown" OIS_LUN=7 OIS_SIZE=3145728 OIS_SIZE_BEFORE=1048576
	ois-ctl logout "$target" >/dev/null
	check_nothing_left
fi

# A unit that says so itself when it grows: scsi_debug, which the target hands through as it is. The first read of the
# new size finds the condition, and nobody does anything by hand.
if load_modules target_core_pscsi && { [[ -d /sys/bus/pseudo/drivers/scsi_debug ]] || modprobe scsi_debug add_host=0; }; then
	debug=/sys/bus/pseudo/drivers/scsi_debug
	before=$(echo /sys/class/scsi_host/*)
	echo 1 >$debug/add_host
	for host in /sys/class/scsi_host/*; do
		[[ " $before " == *" $host "* ]] || break
	done
	number=${host##*host}
	until [[ -e $(echo "/sys/class/scsi_disk/$number:0:0:0/device/block/"*) ]]; do ois-ctl status >/dev/null; done
	local_disk=$(basename "/sys/class/scsi_disk/$number:0:0:0/device/block/"*)
	old_size=$((512 * $(<"/sys/block/$local_disk/size")))
	passed=/sys/kernel/config/target/core/pscsi_0/passed
	mkdir -p "$passed"
	echo "scsi_host_id=$number,scsi_channel_id=0,scsi_target_id=0,scsi_lun_id=0" >"$passed/control"
	echo "/dev/$local_disk" >"$passed/udev_path"
	echo 1 >"$passed/enable"
	unit=/sys/kernel/config/target/iscsi/$target/tpgt_1/lun/lun_8
	mkdir "$unit"
	ln -s "$passed" "$unit/disk"
	ois-ctl node set "$target" rescanOnChange=yes >/dev/null
	check "login" ois-ctl login "$target"
	passed_sid=$(ois-ctl sessions --json=short | jq -r '.[].session')
	passed_disk=$(ois-ctl sessions --json=short | jq -r '.[].logicalUnits[] | select(.lun == "8") | .blockDevice')
	check_equal "the disk has the size of the one behind it" "$old_size" "$((512 * $(<"/sys/block/$passed_disk/size")))"
	echo 1 >$debug/virtual_gb
	check "the disk hears of it" touch_disk "/dev/$passed_disk"
	check_event 1134 OIS_SESSION="$passed_sid" OIS_LUN=8 OIS_STATUS=10761
	check_event 1133 OIS_SESSION="$passed_sid" OIS_LUN=8 OIS_SIZE=1073741824 OIS_SIZE_BEFORE="$old_size"
	check_equal "the disk has grown by itself" 1073741824 "$((512 * $(<"/sys/block/$passed_disk/size")))"
	ois-ctl logout "$target" >/dev/null
	rm "$unit/disk"
	rmdir "$unit" "$passed"
	echo -1 >$debug/add_host
	check_nothing_left
else
	skip "a unit that says that it has grown" "this kernel has no scsi_debug, or no way through to it"
fi

# tgt says of a unit that is gone that it is none; its number 0 is no disk.
if [[ $(type -P tgtd) ]]; then
	start_tgt 3270 iqn.2026-11.org.example:tgt
	ois-ctl discover 127.0.0.1:3270 >/dev/null
	check "login to tgt" ois-ctl login iqn.2026-11.org.example:tgt
	truncate -s 1M "$work/second"
	tgtadm --lld iscsi --op new --mode logicalunit --tid 1 --lun 2 --backing-store "$work/second"
	touch_disk "$(session_disks | head -n 1)" || true
	check_event 1130 OIS_TARGET=iqn.2026-11.org.example:tgt OIS_LUN=2
	tgtadm --lld iscsi --op delete --mode logicalunit --tid 1 --lun 2
	touch_disk "$(session_disks | head -n 1)" || true
	check_event 1131 OIS_TARGET=iqn.2026-11.org.example:tgt OIS_LUN=2
	ois-ctl logout --all >/dev/null
	check_nothing_left
fi
check "the daemon stops" stop_service oisd
