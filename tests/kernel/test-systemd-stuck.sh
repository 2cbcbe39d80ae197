#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Scans of a session whose target is away wait in the kernel, where no signal ends them, for as long as the session is
# to wait: here for ever. The daemon can be killed, restarted and stopped all the same, under a real systemd, and the
# next one brings the session back.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source=tests/kernel/faults.sh
source "${BASH_SOURCE[0]%/*}/faults.sh"

target=$name_base:lio1

property() { systemctl show --property="$2" --value "$1"; }

# scanners: processes that scan, or that still wait for a scan.
scanners() { pgrep -x oisd-scanner || true; }

# scanner: that of the daemon that runs.
scanner() { pgrep --newest -x -P "$(property oisd MainPID)" oisd-scanner; }

# is_stuck PID: one of its threads waits for the target.
is_stuck()
{
	[[ $(cat "/proc/$1/task"/*/stat 2>/dev/null) == *' D '* ]]
}

# get_stuck: the target falls silent, and a scan for a unit that is not there yet finds out.
get_stuck()
{
	local lost
	lost=$(($(n_events 20) + 1))
	fault_drop 0
	timeout --kill-after=1 60 ois-ctl rescan --lun=5 "$target" >"$work/rescan" 2>&1 &
	pid=$(property oisd MainPID)
	stuck=$(scanner)
	[[ $(await_events "$lost" 20 | wc -l) == "$lost" ]] && is_stuck "$stuck"
}

# another_daemon: it serves, and the one before is gone.
another_daemon()
{
	timeout 20 ois-ctl status || return
	[[ $(property oisd MainPID) != "$pid" && ! -e /proc/$pid ]]
}

# waiting: sessions that the daemon tries to bring back.
waiting()
{
	ois-ctl sessions --json=short | jq -r '.[] | select(.managed and .recovering).targetName'
}

# come_back N: for the Nth time; and the scan that hung ends.
come_back()
{
	end_drop 0
	[[ $(event_limit=60 await_events "$1" 34 OIS_TARGET="$target" | wc -l) == "$1" ]] || return
	timeout 20 tail --pid="$stuck" --follow /dev/null
}

mkdir -p /etc/iscsi
install_ois
echo InitiatorName=iqn.2026-11.org.example:guest >/etc/iscsi/initiatorname.iscsi
load_modules target_core_mod iscsi_target_mod sd_mod crc32c
make_network
lio_target 1 0
systemctl daemon-reload
check "the daemon starts" systemctl start oisd.socket oisd.service
check "discovery" ois-ctl discover 10.0.0.2
ois-ctl node set "$target" replacementTimeoutSeconds=-1 noopIntervalSeconds=2 noopTimeoutSeconds=2 loginTimeoutSeconds=2 \
	scan=no >/dev/null
check "login, without a scan" ois-ctl login "$target"
before=$(ls /sys/class/iscsi_session)
check_equal "its commands are to wait for ever" off "$(cat "/sys/class/iscsi_session/$before/recovery_tmo")"

# The first scan, and a daemon that is killed.
check "a scan hangs" get_stuck
ois-ctl node set "$target" scan=yes startup=automatic >/dev/null
check "the daemon is killed" systemctl kill --kill-who=main --signal=KILL oisd
check "it is gone, and the next one serves" another_daemon
check_event 1180 OIS_TARGET="$target"
end_drop 0
event_limit=60 check_events 2 1000 OIS_TARGET="$target"
check "the scan is done again, and the disk works" write_and_compare "$(first_disk)"
before=$(ls /sys/class/iscsi_session)

# Another look at a disk.
check "a scan hangs" get_stuck
check "the daemon is killed" systemctl kill --kill-who=main --signal=KILL oisd
check "it is gone, and the next one serves" another_daemon
check_equal "it has the session" "$target" "$(waiting)"
check "the scan still hangs" is_stuck "$stuck"
pid=$(property oisd MainPID)
SECONDS=0
check "the daemon is restarted" timeout 60 systemctl restart oisd
check "the next one serves" another_daemon
check_equal "it has the session" "$target" "$(waiting)"
check "the daemon is stopped" timeout 60 systemctl stop oisd
check_equal "all that at once" 1 "$((SECONDS < 20))"
check "the scan still hangs" is_stuck "$stuck"
check "start" systemctl start oisd
check "the session comes back, and what was left over ends" come_back 1
check "rescan" timeout 20 ois-ctl rescan "$target"
check "the disk works" write_and_compare "$(first_disk)"
check_equal "the session is the same" "$before" "$(ls /sys/class/iscsi_session)"

# As long as the daemon runs.
check "a scan hangs" get_stuck
check "the daemon is restarted" timeout 20 systemctl restart oisd
check "the session comes back, and what was left over ends" come_back 2

# The one who scans dies, at rest and when it hangs.
pid=$(scanner)
kill -KILL "$pid"
check_event 1040 OIS_COUNT=0
check "rescan" timeout 20 ois-ctl rescan "$target"
check_equal "by another one" 1 "$(($(scanner) != pid))"
check "a scan hangs" get_stuck
kill -KILL "$stuck"
check_event 1040 OIS_COUNT=1
check "it cannot end" is_stuck "$stuck"
check_equal "there is another one" 1 "$(($(scanner) != stuck))"
check "the session comes back, and it ends" come_back 3
check "rescan" timeout 20 ois-ctl rescan "$target"
check "the disk works" write_and_compare "$(first_disk)"

check "logout" ois-ctl logout --all
check_nothing_left
check "stop" systemctl stop oisd
check_equal "nobody is left" "" "$(scanners)"
check_equal "nothing was refused" "" \
	"$(journalctl --quiet --output=cat --unit=oisd.service --grep='not permitted|denied|read-only|SYS\b' | sort -u)"
