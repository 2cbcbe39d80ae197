#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# CHAP against the kernel's target: one way and mutual, with right and wrong secrets. No failure leaves anything in the
# kernel, and no secret reaches the journal or a record that others can read.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

one_way=iqn.2026-11.org.example:oneway1
mutual=iqn.2026-11.org.example:mutual1
open=iqn.2026-11.org.example:open1

secrets()
{
	ois-ctl node set "$1" --secret-file=- <<<"$2"
	[[ -z ${3-} ]] || ois-ctl node set "$1" --target-secret-file=- <<<"$3"
}

start_system
printf '%s\n' userid=alice password=open-sesame-1001 >"$work/one-way"
printf '%s\n' userid=alice password=open-sesame-1001 userid_mutual=storage password_mutual=who-goes-there-42 >"$work/mutual"
lio setup --name "${one_way%1}" --auth "$work/one-way"
lio setup --name "${mutual%1}" --auth "$work/mutual"
lio setup --name "${open%1}"
ois-ctl discover 127.0.0.1 >/dev/null

check_fails "a target that demands CHAP is refused without" 1 ois-ctl login "$one_way"
check_event 40 OIS_TARGET="$one_way"

ois-ctl node set 'iqn.*' authentication.method=chap authentication.userName=alice >/dev/null
check "secret" secrets "$one_way" open-sesame-1001
check "one-way CHAP" ois-ctl login "$one_way"
check "a disk that can be used" write_and_compare "$(session_disks)"
check "logout" ois-ctl logout --all
check_nothing_left

check "wrong secret" secrets "$one_way" wrong-sesame-1001
check_fails "is refused" 1 ois-ctl login "$one_way"
check_event 10 OIS_TARGET="$one_way" OIS_PDU_STATUS_CLASS=2 OIS_PDU_STATUS_DETAIL=1
check_nothing_left

check "secrets of both sides" secrets "$mutual" open-sesame-1001 who-goes-there-42
check "mutual CHAP" ois-ctl login "$mutual"
check "logout" ois-ctl logout --all
check "wrong secret of the target" secrets "$mutual" open-sesame-1001 who-goes-there-43
check_fails "the target is refused" 1 ois-ctl login "$mutual"
check_event 17 OIS_TARGET="$mutual"
check_nothing_left

check "a secret for the open target" secrets "$open" open-sesame-1001
check_fails "a target that does not ask for CHAP is refused" 1 ois-ctl login "$open"
check_nothing_left

for algorithm in md5 sha1 sha256 sha3_256; do
	check "algorithm $algorithm" ois-ctl node set "$one_way" authentication.algorithms="$algorithm"
	secrets "$one_way" open-sesame-1001 >/dev/null
	check "login with $algorithm" ois-ctl login "$one_way"
	ois-ctl logout --all >/dev/null
done
check_nothing_left

check "the journal has no secret" test -z "$(journalctl --output=export | grep -aE 'sesame|goes-there' || true)"
check_equal "secrets are in files of root only" "" \
	"$(grep -rlE 'sesame|goes-there' /etc/ois | xargs -r stat --format=%a | grep -v '00$' || true)"
check "no secret is shown" test -z "$(ois-ctl node show 'iqn.*' --json=short | grep -E 'sesame|goes-there' || true)"
