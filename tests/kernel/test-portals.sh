#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Credentials for discoveries, against LIO, which wants others for its targets: right, wrong, missing, of both sides. They
# outlive the daemon, and no secret reaches the journal or whoever may only look.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

disk=iqn.2026-11.org.example:disk1
chap=(authentication.method=chap authentication.userName=finder)

lio_wants()
{
	printf '%s\n' "$@" >"$work/discovery"
	lio clear
	lio setup --name "${disk%1}" --discovery-auth "$work/discovery"
}

secret() { ois-ctl portal set 127.0.0.1 --secret-file=- <<<"$1"; }
target_secret() { ois-ctl portal set 127.0.0.1 --target-secret-file=- <<<"$1"; }

found() { ois-ctl discover 127.0.0.1 --record=none --json=short | jq -r '.target.name // empty'; }

start_system
lio_wants userid=finder password=seek-and-find-11

check_fails "nothing is kept for the portal" 1 ois-ctl discover 127.0.0.1
check_equal "it is told what to do" 1 "$(grep -c 'ois-ctl portal set 127.0.0.1 authentication.method=chap' "$work/output")"
check_event 40 OIS_DISCOVERY=send_targets OIS_PORTAL=127.0.0.1:3260
check "a user name" ois-ctl portal set 127.0.0.1 "${chap[@]}"
check_fails "without a secret" 1 ois-ctl discover 127.0.0.1
check_event 36 OIS_DISCOVERY=send_targets OIS_DUMP_SECRET_LENGTH=0
check "a wrong secret" secret seek-and-lose-11
check_fails "it is refused" 1 ois-ctl discover 127.0.0.1
check_event 10 OIS_DISCOVERY=send_targets OIS_PORTAL=127.0.0.1:3260 OIS_PDU_STATUS_CLASS=2 OIS_PDU_STATUS_DETAIL=1
check "the right one" secret seek-and-find-11
check_equal "the target is found" "$disk" "$(found)"
check_fails "a name of the same portal is another portal" 1 ois-ctl discover localhost
check_equal "of which nothing is kept" 1 "$(ois-ctl portals --no-legend | wc -l)"

# The other side proves itself.
lio_wants userid=finder password=seek-and-find-11 userid_mutual=storage password_mutual=here-i-am-storage
check "LIO offers more than is asked for" ois-ctl discover 127.0.0.1 --record=none
check "a secret that LIO does not have" target_secret here-i-am-nobody
check_fails "LIO is refused" 1 ois-ctl discover 127.0.0.1
check_event 17 OIS_DISCOVERY=send_targets OIS_PORTAL=127.0.0.1:3260
check "the one it has" target_secret here-i-am-storage
check_equal "the target is found" "$disk" "$(found)"
check "under another name" ois-ctl portal set 127.0.0.1 authentication.targetUserName=somebody
check_fails "LIO is refused" 1 ois-ctl discover 127.0.0.1
check "under its own" ois-ctl portal set 127.0.0.1 authentication.targetUserName=storage
check_equal "the target is found" "$disk" "$(found)"

# They outlive the daemon, and are nobody else's business.
stop_service oisd
check "the daemon starts again" start_oisd
check_equal "the target is found" "$disk" "$(found)"
printf 'seek-and\nhere-i-am\n' >"$work/any"
check_equal "not in the journal" "" "$(journalctl --output=export | grep -a -f "$work/any" || true)"
check_equal "not in listings" "" "$({
	ois-ctl portals
	ois-ctl portal show 127.0.0.1
	ois-ctl portals --json=short
} | grep -f "$work/any" || true)"
check_equal "not in files of others" "600" "$(stat --format=%a /etc/ois/nodes.jsonl)"
check_equal "the node has none of it" "" "$(ois-ctl discover 127.0.0.1 >/dev/null
	ois-ctl node show "$disk" --json=short | jq -r '.[].settings.authentication // empty')"

echo 0 >/sys/kernel/config/target/iscsi/discovery_auth/enforce_discovery_auth
check "nothing is kept any more" ois-ctl portal remove 127.0.0.1
check_equal "nothing is asked for" "$disk" "$(found)"
check_nothing_left
