#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Another target: tgt, in user space. It answers keys in another order than LIO, one stage after the other.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:tgt
start_system
tgtd --foreground --iscsi portal=127.0.0.1:3265 >"$work/tgtd.log" 2>&1 &
until tgtadm --mode system --op show >/dev/null 2>&1; do :; done
truncate -s 1M "$work/disk"
tgtadm --lld iscsi --op new --mode target --tid 1 --targetname "$target"
tgtadm --lld iscsi --op new --mode logicalunit --tid 1 --lun 1 --backing-store "$work/disk"
tgtadm --lld iscsi --op bind --mode target --tid 1 --initiator-address ALL

check "discovery" ois-ctl discover 127.0.0.1:3265
check "login" ois-ctl login "$target"
check "data" write_and_compare "$(session_disks | head -n 1)" 64
check "logout" ois-ctl logout --all
check_nothing_left

tgtadm --lld iscsi --op new --mode account --user alice --password open-sesame-1001
tgtadm --lld iscsi --op bind --mode account --tid 1 --user alice
ois-ctl node set "$target" authentication.method=chap authentication.userName=alice --secret-file=- <<<wrong-sesame-1001 >/dev/null
check_fails "a wrong secret" 1 ois-ctl login "$target"
check_event 10 OIS_TARGET="$target"
check_nothing_left
# tgt 1.0.85 takes algorithm 7, SHA-256, for SHA1, and fails on the longer response.
ois-ctl node set "$target" authentication.algorithms=md5 --secret-file=- <<<open-sesame-1001 >/dev/null
check "CHAP" ois-ctl login "$target"
check "data" write_and_compare "$(session_disks | head -n 1)" 64
check "logout" ois-ctl logout --all
check_nothing_left
