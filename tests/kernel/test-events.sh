#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Numbered events in a journal: found by number, explained by our catalogue, shown by ois-ctl; a journal that does not
# read holds up nothing. A kernel that refuses sessions is reported, and nothing is left of them.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:disk1
refused=iqn.2026-11.org.example:refused

# later NAME COMMAND...: a process that becomes COMMAND when a line is written to its pipe; nothing has to be started then.
later()
{
	local name=$1
	shift
	mkfifo "$work/$name"
	(
		read -r <"$work/$name"
		exec "$@" >"$work/$name.out" 2>&1
	) &
	later=$!
}

start_system
lio setup
ois-ctl discover 127.0.0.1 >/dev/null
ois-ctl node add "$refused" 127.0.0.1 loginRetryMax=0 >/dev/null
ois-ctl login "$target" >/dev/null
check_fails "login to a target that does not exist" 1 ois-ctl login "$refused"

# By number, and explained.
check_event 10 OIS_TARGET="$refused" OIS_SYMBOL=LOGIN_FAILED PRIORITY=3 OIS_PORTAL=127.0.0.1:3260 OIS_TRANSPORT=tcp \
	OIS_STATUS=769 SYSLOG_IDENTIFIER=oisd _COMM=oisd
journalctl -x MESSAGE_ID=08d9494dbfb34ec49b18eadcb2750010 >"$work/explained"
check "the catalogue names it" grep -q 'Subject: Login to target failed' "$work/explained"
check "says what it means" grep -q 'Event 10, LOGIN_FAILED, error' "$work/explained"
check "and where to read on" grep -q 'Documentation: man:ois-events(7)' "$work/explained"
check "and what to do" grep -q 'says what the target found and what to do' <(tr -d '\n' <"$work/explained" | sed 's/░░ / /g')

# By ois-ctl.
check_equal "by number" "10 LOGIN_FAILED" "$(ois-ctl events --number=10 --json=short | jq -r '"\(.number) \(.symbol)"')"
check_equal "by symbol" "10 LOGIN_FAILED" "$(ois-ctl events --number=LOGIN_FAILED --json=short | jq -r '"\(.number) \(.symbol)"')"
check_equal "with its dump data" "23 3 1" \
	"$(ois-ctl events --number=10 --json=short | jq -r '.fields | "\(.OIS_DUMP_PDU[:2]) \(.OIS_PDU_STATUS_CLASS) \(.OIS_PDU_STATUS_DETAIL)"')"
check_equal "by target" "$refused" \
	"$(ois-ctl events --target='*:refused' --json=short | jq -r .fields.OIS_TARGET | sort -u)"
check_equal "the last one" 1 "$(ois-ctl events --lines=1 --json=short | wc -l)"
check_equal "none of a number that did not come" "" "$(ois-ctl events --number=3000 --json=short 2>/dev/null || true)"
check_fails "an unknown number" 2 ois-ctl events --number=3000
check "all numbers of the table are listed" test "$(ois-ctl events --list --json=short | jq '[.[] | select(.number <= 72)] | length')" = 72

# As they come. The first line is of the past, and says that the daemon listens.
mkfifo "$work/live"
ois-ctl events --live --number=1000,1001 --lines=1 --json=short >"$work/live" &
follower=$!
exec 6<"$work/live"
read -r -t 10 line <&6 || line={}
check_equal "a past event is told" "1000 $target" "$(jq -r '"\(.number) \(.fields.OIS_TARGET)"' <<<"$line")"
check "logout" ois-ctl logout "$target"
read -r -t 10 line <&6 || line={}
check_equal "a new one as it comes" "1001 $target" "$(jq -r '"\(.number) \(.fields.OIS_TARGET)"' <<<"$line")"
kill "$follower"
exec 6<&-

# The journal does not read. What it missed is told when it does.
lio setup --name iqn.2026-11.org.example:many --targets 250 --pages 1
kill -STOP "${services[journald]}"
for round in 1 2 3; do
	check "discovery while the journal hangs, $round" ois-ctl discover 127.0.0.1
	check "removal of nodes, $round" ois-ctl node remove --all
done
ois-ctl discover 127.0.0.1 >/dev/null
check "login while the journal hangs" ois-ctl login "$target"
check "logout" ois-ctl logout "$target"
kill -CONT "${services[journald]}"
check_events 2 1001 OIS_TARGET="$target"
check "entries that waited have their own time" test -n "$(ois-ctl events --number=1001 --lines=1 --json=short | jq '.fields.OIS_REALTIME_USEC // empty')"
read -r line < <(exec ois-ctl events --live --lines=1 --json=short)
kill $!
journalctl --sync
journalctl --quiet --output=json --output-fields=OIS_DROPPED SYSLOG_IDENTIFIER=oisd | jq -r '.OIS_DROPPED // 0' >"$work/entries"
dropped=$(awk '{ n += $1 } END { print n }' "$work/entries")
check "some events were dropped" test "$dropped" -gt 0
check_equal "and counted" "$(jq .sequence <<<"$line")" "$(($(wc -l <"$work/entries") + dropped))"

# Digests by the kernel's plain code, and by CPU instructions as other kernels than this one have them.
ois-ctl node set "$target" keys.headerDigest=crc32c keys.dataDigest=crc32c >/dev/null
check "login with digests" ois-ctl login "$target"
check "logout" ois-ctl logout "$target"
check_equal "this kernel does not use CPU instructions" 0 "$(n_events 67)"
printf '%s\n' 'name : crc32c' 'driver : crc32c-intel' 'priority : 200' >"$work/crypto"
mount --bind "$work/crypto" /proc/crypto
check "login with digests" ois-ctl login "$target"
check_boundary_event 67 OIS_TARGET="$target" OIS_DRIVER=crc32c-intel PRIORITY=6
check "logout" ois-ctl logout "$target"
umount /proc/crypto
ois-ctl node set "$target" keys.headerDigest=none keys.dataDigest=none >/dev/null

# A system whose sysfs may only be read, as sandboxes have it: the session is there, and nobody has looked for its disks.
mount -o remount,bind,ro /sys
check "login without a scan" ois-ctl login "$target"
check_event 1015 OIS_TARGET="$target" OIS_STATUS=30
mount -o remount,bind,rw /sys

# The kernel says more than a daemon that is not scheduled can hear.
sid=$(ois-ctl sessions --json=short | jq ".[].session")
kill -STOP "${services[oisd]}"
rival count "$sid" 20000
kill -CONT "${services[oisd]}"
check_event 1017
check_equal "the session is known to be well" "logged_in" "$(ois-ctl sessions --json=short | jq -r ".[].phase")"

# Another program removes a session.
check "the session is removed" rival remove "$sid"
check_event 1010 OIS_TARGET="$target" OIS_SESSION="$sid"
check_equal "and not there any more" "[]" "$(ois-ctl sessions --json=short)"
check_nothing_left

# A kernel that cannot make sessions: no threads are left for their hosts. Nothing can be started here meanwhile.
start_tgt 3265 iqn.2026-11.org.example:tgt
target=iqn.2026-11.org.example:tgt
ois-ctl node add "$target" 127.0.0.1:3265 loginRetryMax=0 >/dev/null
later login ois-ctl login "$target"
read -r threads </proc/sys/kernel/threads-max
status=0
echo 20 >/proc/sys/kernel/threads-max
echo >"$work/login"
wait "$later" || status=$?
echo "$threads" >/proc/sys/kernel/threads-max
check_equal "a login without resources fails" 1 "$status"
check_event 2 OIS_TARGET="$target" OIS_OUTCOME=failed
check_event 70 OIS_TARGET="$target"
check_nothing_left
check "it works when they are back" ois-ctl login "$target"
check "logout" ois-ctl logout --all
check_nothing_left
