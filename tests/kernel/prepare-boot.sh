#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What test-boot.sh boots: automatic nodes, the first of which is dead, and file systems on disks of two others, one of
# which is not unmounted at shutdown.
# shellcheck source=tests/kernel/guest.sh
source "${BASH_SOURCE[0]%/*}/guest.sh"

install_ois
mkdir -p /etc/iscsi /etc/ois/ois.conf.d
echo InitiatorName=iqn.2026-11.org.example:guest >/etc/iscsi/initiatorname.iscsi
printf '%s\n' '[Daemon]' LoginsMax=1 '[Node]' connectTimeoutSeconds=300 >/etc/ois/ois.conf.d/few.conf
load_iscsi
lio setup --pages 4096 --targets 2
# Packets to it vanish.
load_modules dummy
ip link add dead type dummy
ip address add 192.0.2.254/24 dev dead
ip link set dead up

start_oisd
target=iqn.2026-11.org.example:disk
for number in 1 2; do
	ois-ctl node add "$target$number" 127.0.0.1 >/dev/null
	ois-ctl login "$target$number" >/dev/null
	disk=$(session_disks)
	mkfs.ext4 -q "$disk"
	mount "$disk" /mnt
	echo kept >/mnt/file
	umount /mnt
	ois-ctl logout "$target$number" >/dev/null
	ois-ctl node set "$target$number" startup=automatic >/dev/null
done
ois-ctl node add iqn.2026-11.org.example:dead 192.0.2.1 startup=automatic >/dev/null
stop_service oisd

echo "/dev/disk/by-path/ip-127.0.0.1:3260-iscsi-${target}1-lun-0 /data ext4 _netdev 0 2" >/etc/fstab
SYSTEMD_OFFLINE=1 systemctl --quiet enable remote-fs.target
SYSTEMD_OFFLINE=1 systemctl --quiet preset oisd.socket oisd.service
mkdir /data
# What systemd-poweroff.service is after, without the end.
printf '%s\n' '[Unit]' DefaultDependencies=no 'Requires=shutdown.target umount.target final.target' \
	'After=shutdown.target umount.target final.target' >/etc/systemd/system/down.target
