#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What becomes of sessions is told to those who follow them: a login, a loss, a recovery, a logout, each step with its
# states and its cause; sessions of other programs, too.
# kernels: 6.1 6.12
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:disk1
cause='"\(.phase) \(.state) \(.connectionState)\(if .failure then " \(.failure.event)" else "" end)"'

# follow_until PHASE [STATE]: prints what is told until then, one a line; the last one is kept in $work/told.
follow_until()
{
	local line said
	while read -r -t 20 line <&6; do
		said=$(jq -r "$cause" <<<"$line")
		echo "$said"
		echo "$line" >"$work/told"
		[[ $said != "$1 ${2:-}"* ]] || break
	done
}

# told FILTER: of the last one.
told()
{
	jq -r "$1" "$work/told"
}

start_system
lio setup --pages 256 --parameter DefaultTime2Wait=0
ois-ctl discover 127.0.0.1 >/dev/null
ois-ctl node set "$target" keys.defaultTime2Wait=0 >/dev/null
exec 6< <(exec ois-ctl sessions --follow --json=short)
follower=$!
until [[ $(ois-ctl status --json=short | jq .subscribers) == 1 ]]; do :; done

ois-ctl login "$target" >/dev/null
check_equal "a login" "queued free free
resolving free xpt_wait
connecting free xpt_wait
operational_negotiation free in_login
operational_negotiation free logged_in
scanning logged_in logged_in
logged_in logged_in logged_in" "$(follow_until logged_in | uniq)"
session=$(told .session)
check_equal "the session has its number" "$(echo /sys/class/iscsi_session/session*)" "/sys/class/iscsi_session/session$session"

portal_groups 0
check_equal "a loss" "logged_in failed cleanup_wait 20
retrying failed free 20" "$(follow_until retrying | uniq)"
check_equal "which is recovered from" "true true true" \
	"$(told '"\(.recovering) \(.nextAttemptTimestampUSec > .lostTimestampUSec) \(.sinceTimestampUSec >= .lostTimestampUSec)"')"
check_event 69 OIS_TARGET="$target"
portal_groups 1
follow_until logged_in logged_in >/dev/null
check_equal "a recovery" "1 false $session" "$(told '"\(.reconnects) \(.recovering) \(.session)"')"

# Who comes later is told what is there.
timeout 20 ois-ctl sessions --follow >"$work/lines" &
lines=$!
until [[ -s $work/lines ]]; do ois-ctl status >/dev/null; done
ois-ctl logout "$target" >/dev/null
check_equal "a logout" "removing_devices logged_in in_logout
logging_out logged_in in_logout
logging_out logged_in free
closed free free" "$(follow_until closed | sed 's/ 20$//' | uniq)"
check_equal "how it went, and of which session" "clean $session" "$(told '"\(.ending) \(.session)"')"
until grep -q closed "$work/lines"; do ois-ctl status >/dev/null; done
kill "$lines"
check_equal "as people read it" "$session $target 127.0.0.1:3260 logged in
$session $target 127.0.0.1:3260 removing devices
$session $target 127.0.0.1:3260 logging out
$session $target 127.0.0.1:3260 closed" "$(sed 's/^[0-9-]* [0-9:]* *//; s/: .*//' "$work/lines" | uniq)"
check_nothing_left

kill "$follower"
exec 6<&-
until [[ $(ois-ctl status --json=short | jq .subscribers) == 0 ]]; do :; done
check "login that nobody follows" ois-ctl login "$target"
check "logout" ois-ctl logout "$target"
check_nothing_left
