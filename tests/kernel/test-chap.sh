#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Names and secrets of CHAP: no failure leaves anything in the kernel, and no secret reaches the journal or a record that
# others can read. What targets make of right and wrong ones is in test-targets.sh.
# kernels: 6.1 debian13
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

one_way=iqn.2026-11.org.example:oneway1
mutual=iqn.2026-11.org.example:mutual1

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
ois-ctl discover 127.0.0.1 >/dev/null
ois-ctl node set 'iqn.*' authentication.method=chap authentication.userName=alice >/dev/null
check "a secret" secrets "$one_way" wrong-sesame-1001
check_fails "a wrong one" 1 ois-ctl login "$one_way"
check_nothing_left
check "another secret" secrets "$one_way" open-sesame-1001
check "is used from now on" ois-ctl login "$one_way"

check "secrets of both sides" secrets "$mutual" open-sesame-1001 who-goes-there-42
check "another name of the target" ois-ctl node set "$mutual" authentication.targetUserName=somebody
check_fails "the target is refused for it" 1 ois-ctl login "$mutual"
check_event 17 OIS_TARGET="$mutual"
check "the right one" ois-ctl node set "$mutual" authentication.targetUserName=storage
check "mutual CHAP" ois-ctl login "$mutual"
check "logout" ois-ctl logout --all
check_nothing_left

# Secrets are nowhere but in files of root.
# The pattern is in a file, as it would find itself else.
any=$work/any
printf 'sesame\ngoes-there\n' >"$any"
check "secrets" secrets "$mutual" open-sesame-1001 who-goes-there-42
check "login" ois-ctl login "$mutual" "$one_way"
check_equal "not in the journal" "" "$(journalctl --output=export | grep -a -f "$any" || true)"
check_equal "not in files of others" "" "$(grep -rl -f "$any" /etc/ois /run/ois | xargs -r stat --format=%a | grep -v '00$' || true)"
check_equal "not in listings" "" "$({
	ois-ctl node show 'iqn.*' --json=short
	ois-ctl node show 'iqn.*'
	ois-ctl session show 'iqn.*' --json=short
	ois-ctl status --json=short
	ois-ctl settings
} | grep -f "$any" || true)"
check_equal "not in the kernel's lists" "" "$(grep -s -f "$any" /sys/class/iscsi_session/*/{username,password}{,_in} || true)"
check_equal "not in a process's arguments or environment" "" "$(grep -la -f "$any" /proc/[0-9]*/{cmdline,environ} 2>/dev/null || true)"
check_fails "not taken from the command line" 2 ois-ctl node set "$mutual" --secret=open-sesame-1001
check_fails "nor as a setting" 2 ois-ctl node set "$mutual" authentication.secret=open-sesame-1001
check "logout" ois-ctl logout --all

# Nor in a core dump.
stop_service oisd
echo "$work/core" >/proc/sys/kernel/core_pattern
ulimit -c unlimited
check "login by a daemon that is allowed to dump core" start_oisd
check "login" ois-ctl login "$mutual"
check_fails "it crashes" 134 stop_service oisd ABRT
check_equal "and leaves no core" "" "$(compgen -G "$work/core*" || true)"
check "it starts again" start_oisd
check "logout" ois-ctl logout --all
check_nothing_left
