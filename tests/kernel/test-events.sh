#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# "ois-ctl events" against a real journal: numbers, targets, times, the last few, following; and the same events from
# the daemon when there is no journal.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

name=iqn.2026-11.org.example

# Numbers of the events shown, in their order.
numbers()
{
	ois-ctl events --json=short "$@" | jq -r .number | xargs
}

# follow NAME OPTION...: follows events into a pipe, and returns when the first one is there.
follow()
{
	local pipe=$work/$1
	shift
	mkfifo "$pipe"
	ois-ctl events --follow --json=short "$@" >"$pipe" &
	follower=$!
	exec 8<"$pipe"
	read -r -u 8 first
}

unfollow()
{
	exec 8<&-
	kill "$follower"
	wait "$follower" 2>/dev/null || true
}

start_system
ois-ctl node add $name:a 127.0.0.1 >/dev/null
ois-ctl node add $name:b 127.0.0.1 >/dev/null
ois-ctl node set $name:a commandsMax=64 >/dev/null
ois-ctl node remove $name:b >/dev/null
await_events 1 1006 >/dev/null

check_equal "all of some numbers" "1004 1004 1005 1006" "$(numbers --number=1004,1005,NODE_REMOVED)"
check_equal "the last ones" "1005 1006" "$(numbers --lines=2)"
check_equal "more than there are" "1004 1004" "$(numbers --number=1004 --lines=9)"
check_equal "none" "" "$(numbers --lines=0 --quiet)"
check_equal "about a target" "1004 1006" "$(numbers --target="*:b")"
check_equal "the last one about a target" "1005" "$(numbers --target="*:a" -n 1)"
check_equal "since an hour ago" "1005" "$(numbers --number=1005 --since=-1h)"
check_equal "since the year 2100" "" "$(numbers --since=2100-01-01 --quiet)"
check_equal "the fields of the journal" "$name:a 127.0.0.1:3260" \
	"$(ois-ctl events --number=1005 -j | jq -r '.fields | "\(.OIS_TARGET) \(.OIS_PORTAL)"')"
check_equal "as text" "1006 NODE_REMOVED Node $name:b at 127.0.0.1:3260 removed" \
	"$(ois-ctl events -n 1 | sed 's/^[^ ]* [^ ]* *//; s/   */ /')"

follow journal --lines=1 --number=1006,1004
check_equal "following starts with the last event" 1006 "$(jq .number <<<"$first")"
ois-ctl node add $name:c 127.0.0.1 >/dev/null
read -r -u 8 -t 10 next
check_equal "and goes on with the next" "1004 $name:c" "$(jq -r '"\(.number) \(.fields.OIS_TARGET)"' <<<"$next")"
unfollow

stop_service journald
follow live --live --lines=1 --number=1004
check_equal "without a journal the daemon is asked" "$name:c" "$(jq -r .targetName <<<"$first")"
ois-ctl node add $name:d 127.0.0.1 >/dev/null
read -r -u 8 -t 10 next
check_equal "and tells what is new" "$name:d" "$(jq -r .targetName <<<"$next")"
unfollow
