#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Two hundred sessions at once, again and again: none is left behind, and the daemon does not grow.
# kernels: 6.1 debian13
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

n=200

# Memory and descriptors of the daemon and its scanner.
processes()
{
	echo "/proc/${services[oisd]}"
	pgrep -x -P "${services[oisd]}" oisd-scanner | sed 's|^|/proc/|'
}

resident() { processes | sed 's|$|/status|' | xargs cat | awk '/^VmRSS/ { sum += $2 } END { print sum }'; }
descriptors() { processes | sed 's|$|/fd|' | xargs -I{} find {} -mindepth 1 | wc -l; }

# The socket for uevents stays open for a second after the last scan, and a client's for a moment after it is gone.
await_descriptors()
{
	until (($(descriptors) <= $1)); do
		((SECONDS < deadline)) || return 1
		read -r -t 0.01 <>"$work/never" || true
	done
}

cycle()
{
	ois-ctl login --all && ois-ctl logout --all
}

start_system
lio setup --targets "$n" --pages 1
ois-ctl discover 127.0.0.1 >/dev/null
check "login" ois-ctl login --all
check_equal "sessions" "$n" "$(ois-ctl sessions --json=short | jq 'map(select(.state == "logged_in")) | length')"
check_equal "sessions in the kernel" "$n" "$(find /sys/class/iscsi_session/ -name 'session*' | wc -l)"
check_equal "disks, told and there" "$n $n" \
	"$(ois-ctl sessions --json=short | jq '[.[].logicalUnits[].blockDevice] | unique | length') $(session_disks | wc -l)"

# All lost, all back.
ois-ctl node set --all keys.defaultTime2Wait=0 >/dev/null
portal_groups 0
check_events "$n" 20
portal_groups 1
check_events "$n" 34
check_equal "no session was made again" "$n" "$(n_events 1000)"
echo "# the longest turn of the loop: $(ois-ctl status --json=short | jq .longestTurnUSec) us, on $(nproc) processors"
check "logout" ois-ctl logout --all
check_nothing_left
check_equal "each told" "$n" "$(await_events "$n" 1001 | wc -l)"

# What the first two cycles take is kept for the next ones.
check "cycle" cycle
before=$(resident) before_descriptors=$(descriptors)
for round in 1 2 3 4; do
	check "cycle $round" cycle
	check_equal "nothing is left" "" "$(remains)"
done
growth=$(($(resident) - before))
echo "# $before KiB, then $growth more"
check "the daemon does not grow" test "$growth" -lt 512
mkfifo "$work/never"
deadline=$((SECONDS + 10))
check "nor its descriptors" await_descriptors "$before_descriptors"
