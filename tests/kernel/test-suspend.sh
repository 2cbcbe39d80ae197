#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A host that really sleeps, in the ways that its kernel knows, in the middle of verified I/O: the session is the same when
# it is awake again. Here "freeze" stops all programs and no clock, and "mem" ends by itself within about a second, which
# is not worth an event: what a long sleep leads to is shown by unit tests.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:disk1

# What wakes it up is outside, and told by this file.
sleep_now()
{
	touch "$RESULTS/sleep"
	echo "$1" >/sys/power/state
	rm "$RESULTS/sleep"
}

if [[ ! -w /sys/power/state ]]; then
	skip "a host that sleeps" "this kernel cannot"
	exit
fi
start_system
lio setup --pages 256
ois-ctl discover 127.0.0.1 >/dev/null
check "login" ois-ctl login "$target"
mkfifo "$work/checked"
checker --pause 20 --ready "$work/checked" "$(session_disks)" >"$work/checker" 2>&1 &
checker=$!
read -r word <"$work/checked"
[[ $word == ready ]]
for way in $(</sys/power/state); do
	check "the host sleeps, and wakes up: $way" sleep_now "$way"
	check_equal "the session is the same" "logged_in 0" \
		"$(ois-ctl sessions --json=short | jq -r '.[] | "\(.phase) \(.reconnects)"')"
done
kill "$checker"
check "the data are right" wait "$checker"
sed 's/^/# /' "$work/checker"
check "logout" ois-ctl logout "$target"
check_nothing_left
