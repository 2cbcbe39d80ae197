#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Digests on a processor that computes CRC32C: user-mode Linux has none that its kernel would use.
# kernels: debian13
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:disk1

digests()
{
	cat /sys/class/iscsi_connection/*/{header,data}_digest | xargs
}

start_system
modprobe crc32c-intel
lio setup --pages 64 --parameter HeaderDigest=CRC32C,None --parameter DataDigest=CRC32C,None
check "discovery" ois-ctl discover 127.0.0.1
ois-ctl node set "$target" keys.headerDigest=none keys.dataDigest=none >/dev/null
check "login without digests" ois-ctl login "$target"
check_equal "there are none" "0 0" "$(digests)"
check "logout" ois-ctl logout "$target"
ois-ctl node set "$target" keys.headerDigest=crc32c keys.dataDigest=crc32c >/dev/null
check "login with digests" ois-ctl login "$target"
check_equal "both are in force" "1 1" "$(digests)"
check_event 67 OIS_TARGET="$target" OIS_DRIVER=crc32c-intel PRIORITY=6
check_equal "only with digests" 1 "$(n_events 67)"
check "data" write_and_compare "$(first_disk)" 256
check "logout" ois-ctl logout "$target"
check_nothing_left
