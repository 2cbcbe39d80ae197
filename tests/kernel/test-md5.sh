#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# tgt takes CHAP algorithm 7, SHA-256, for SHA1, and fails on the longer response. Once MD5 alone has worked, that is known:
# in the next login, in a recovery, and after a restart; until something is changed.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:tgt

known()
{
	ois-ctl nodes --json=short | jq '.[].md5OnlyTimestampUSec != null'
}

start_system
start_tgt 3265 "$target"
tgtadm --lld iscsi --op new --mode account --user alice --password open-sesame-1001
tgtadm --lld iscsi --op bind --mode account --tid 1 --user alice
ois-ctl node add "$target" 127.0.0.1:3265 authentication.method=chap authentication.userName=alice keys.defaultTime2Wait=0 \
	noopIntervalSeconds=1 noopTimeoutSeconds=1 loginTimeoutSeconds=60 --secret-file=- <<<open-sesame-1001 >/dev/null

check "login" ois-ctl login "$target"
check_event 10 OIS_TARGET="$target" OIS_PDU_STATUS_CLASS=2 OIS_PDU_STATUS_DETAIL=0
check_event 1026 OIS_TARGET="$target"
check_equal "by MD5" md5 "$(ois-ctl sessions --json=short | jq -r '.[].chapAlgorithm')"
check_equal "which is known now" true "$(known)"
check "and shown" grep -q '^ *MD5 only: ' <(ois-ctl node show "$target")
check "data" write_and_compare "$(first_disk)" 64

kill -STOP "${services[tgtd]}"
check_event 20 OIS_TARGET="$target"
kill -CONT "${services[tgtd]}"
check_event 34 OIS_TARGET="$target"
check "logout" ois-ctl logout --all
stop_service oisd
start_oisd
check "login after a restart" ois-ctl login "$target"
check_events 3 1026 OIS_TARGET="$target"
check_equal "the list was refused once" 1 "$(n_events 10 OIS_TARGET="$target")"
check "logout" ois-ctl logout --all
check_nothing_left

check "discovery" ois-ctl discover 127.0.0.1:3265 --record=update
check_equal "forgets it" false "$(known)"
check "login" ois-ctl login "$target"
check_equal "learns it again" true "$(known)"
check "logout" ois-ctl logout --all
check "a list without MD5" ois-ctl node set "$target" authentication.algorithms=sha3_256,sha256,sha1
check_equal "forgets it, too" false "$(known)"
check_fails "is all that is offered" 1 ois-ctl login "$target"
check_event 70 OIS_TARGET="$target"
check_equal "no MD5" 4 "$(n_events 1026 OIS_TARGET="$target")"
check_nothing_left
