#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Another target: tgt, in user space. It answers keys in another order than LIO, one stage after the other. It can be
# stopped, too: a target that hangs, then and in the middle of a recovery.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:tgt
start_system
start_tgt 3265 "$target"

check "discovery" ois-ctl discover 127.0.0.1:3265
check_equal "finds the target" "$target" "$(ois-ctl nodes --json=short | jq -r '.[] | .targetName // .key.targetName')"
check "login" ois-ctl login "$target"
check "data" write_and_compare "$(session_disks | head -n 1)" 64
check "logout" ois-ctl logout --all
check_nothing_left

check "digests" ois-ctl node set "$target" keys.headerDigest=crc32c keys.dataDigest=crc32c headerDigestRequired=true
tgtadm --lld iscsi --op update --mode target --tid 1 --name HeaderDigest --value CRC32C
tgtadm --lld iscsi --op update --mode target --tid 1 --name DataDigest --value CRC32C
check "login with digests" ois-ctl login "$target"
check_equal "are used" "1 1" "$(cat /sys/class/iscsi_connection/*/{header,data}_digest | xargs)"
check "data" write_and_compare "$(session_disks | head -n 1)" 64
check "logout" ois-ctl logout --all

tgtadm --lld iscsi --op new --mode account --user alice --password open-sesame-1001
tgtadm --lld iscsi --op bind --mode account --tid 1 --user alice
check_fails "CHAP is asked for" 1 ois-ctl login "$target"
check_event 40 OIS_TARGET="$target"
ois-ctl node set "$target" authentication.method=chap authentication.userName=alice --secret-file=- <<<wrong-sesame-1001 >/dev/null
check_fails "a wrong secret" 1 ois-ctl login "$target"
check_event 10 OIS_TARGET="$target"
check_nothing_left
# tgt 1.0.85 takes algorithm 7, SHA-256, for SHA1, and fails on the longer response.
ois-ctl node set "$target" authentication.algorithms=sha1,md5 --secret-file=- <<<open-sesame-1001 >/dev/null
check "CHAP" ois-ctl login "$target"
check "data" write_and_compare "$(session_disks | head -n 1)" 64
check "logout" ois-ctl logout --all
check_nothing_left

tgtadm --lld iscsi --op new --mode account --user storage --password who-goes-there-42
tgtadm --lld iscsi --op bind --mode account --tid 1 --user storage --outgoing
ois-ctl node set "$target" --target-secret-file=- <<<who-goes-there-43 >/dev/null
check_fails "a wrong secret of the target" 1 ois-ctl login "$target"
check_event 17 OIS_TARGET="$target"
check_nothing_left
ois-ctl node set "$target" authentication.targetUserName=storage --target-secret-file=- <<<who-goes-there-42 >/dev/null
check "mutual CHAP" ois-ctl login "$target"
check_equal "is told" true "$(ois-ctl sessions --json=short | jq '.[].mutualAuthentication')"
check "data" write_and_compare "$(session_disks | head -n 1)" 64
check "logout" ois-ctl logout --all
check_nothing_left

# A target that hangs, but whose connections live.
ois-ctl node set "$target" noopIntervalSeconds=1 noopTimeoutSeconds=1 keys.defaultTime2Wait=0 loginTimeoutSeconds=60 \
	logoutTimeoutSeconds=1 >/dev/null
check "login" ois-ctl login "$target"
kill -STOP "${services[tgtd]}"
check_event 20 OIS_TARGET="$target" OIS_STATUS=1022
kill -CONT "${services[tgtd]}"
check_event 34 OIS_TARGET="$target"
check "data" write_and_compare "$(session_disks | head -n 1)" 64
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
