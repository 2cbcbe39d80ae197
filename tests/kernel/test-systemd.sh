#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The units under a real systemd as process 1, with the whole sandbox.
# kernels: 6.1 debian13
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

group=''
as_member() { setpriv --reuid=65534 --regid=65534 --groups="$group" "$@"; }
as_other() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }

property() { systemctl show --property="$2" --value "$1"; }

# What would change if a session were made again.
identity()
{
	ls /sys/class/iscsi_session
	ss --no-header --tcp --numeric state established dport = 3260 | awk '{ print $3 }' | sort
}

# Waits for a line of the journal that systemd writes about the daemon.
await_journal()
{
	timeout 30 grep -q -m 1 "$1" < <(exec journalctl --quiet --output=cat --follow --lines=all --unit=oisd.service)
}

check_equal "systemd is process 1" systemd "$(</proc/1/comm)"
SYSTEMD_LOG_LEVEL=warning journalctl --update-catalog
install_ois
mkdir -p /etc/iscsi /run/systemd/system/oisd.service.d
echo InitiatorName=iqn.2026-11.org.example:guest >/etc/iscsi/initiatorname.iscsi
# A system call that the filter does not let pass is not merely refused here: it is the daemon's end.
printf '%s\n' '[Service]' SystemCallErrorNumber=kill >/run/systemd/system/oisd.service.d/strict.conf
load_modules target_core_mod iscsi_target_mod sd_mod crc32c
lio setup --targets 2 --pages 4096
target=iqn.2026-11.org.example:disk
group=$(getent group ois | cut -d: -f3)
systemctl daemon-reload
check "the preset enables both units" systemctl --quiet preset oisd.socket oisd.service
check "they are enabled" systemctl --quiet is-enabled oisd.socket oisd.service

check "the socket starts" systemctl start oisd.socket
check_equal "the daemon does not run yet" inactive "$(property oisd ActiveState)"
check_equal "nor is its kernel module loaded" "" "$(awk '$1 == "iscsi_tcp"' /proc/modules)"
check "a client starts it" ois-ctl status
check_equal "it is ready" "active running" "$(property oisd ActiveState) $(property oisd SubState)"
pid=$(property oisd MainPID)
check_equal "its system calls are filtered" 2 "$(awk '/^Seccomp:/ { print $2 }' "/proc/$pid/status")"
check_equal "its memory is locked" yes "$(awk '/^VmLck:/ { print ($2 > 1000 ? "yes" : "no") }' "/proc/$pid/status")"

check_equal "it is not killed when memory is short" -1000 "$(<"/proc/$pid/oom_score_adj")"

check "discovery" ois-ctl discover 127.0.0.1
check "login" ois-ctl login --all
check_event 1000 "OIS_TARGET=${target}1"
check_event 1000 "OIS_TARGET=${target}2"
check "it loaded the kernel module" test -d /sys/module/iscsi_tcp
check "records are written" test -s /etc/ois/discovered.jsonl
check_equal "it reads the kernel's log" /dev/kmsg "$(readlink "/proc/$pid/fd"/* | grep -xF /dev/kmsg)"
if have_tracing; then
	check "it has trace events" await_trace_events
else
	skip "it has trace events" "this kernel has none"
fi
disk=/dev/$(ois-ctl sessions --json=short |
	jq -r --arg target "${target}1" '.[] | select(.targetName == $target).logicalUnits[].blockDevice' | sed 's|.*/||')
check "the disk works" write_and_compare "$disk"
check "rescan" ois-ctl rescan 'iqn.*'
check "a unit is asked what it is" ois-ctl scsi inquiry "${target}1"

# What systemd's own client makes of it, through the socket that systemd made; see also tests/protocol/varlinkctl.sh.
version=$(varlinkctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p' || true)
if ((${version:-0} >= 257)); then
	socket=/run/ois/org.ois
	check "varlinkctl info" varlinkctl info "$socket"
	check_equal "tells what there is" "OIS oisd" "$(varlinkctl info --json=short "$socket" | jq -r '"\(.vendor) \(.product)"')"
	check "varlinkctl list-methods" grep -qxF org.ois.session.Login <(varlinkctl list-methods "$socket")
	check "varlinkctl introspect" grep -q '^method Login(' <(varlinkctl introspect "$socket" org.ois.session)
	check_equal "varlinkctl call" 2 "$(varlinkctl call --json=short "$socket" org.ois.manager.GetStatus '{}' | jq .status.sessions)"
	check_equal "and one with many replies" "${target}1 ${target}2" "$(varlinkctl call --more --json=short "$socket" org.ois.session.List '{}' |
		tr -d '\36' | jq -r .session.targetName | sort | xargs)"
else
	skip "varlinkctl" "it is not of systemd 257 or later"
fi
check_equal "events of the logins" 2 "$(ois-ctl events --number=1000 --no-legend | wc -l)"

check "a member of the group reads" as_member ois-ctl sessions
check_fails "others do not" 4 as_other ois-ctl sessions

# Mounted after the daemon got its own view of the file systems.
mkfs.ext4 -q "$disk"
mount "$disk" /mnt
check_fails "a session with a mounted file system stays" 1 ois-ctl logout "${target}1"
before=$(identity)

check "reload" systemctl reload oisd
check_equal "of the same daemon" "$pid" "$(property oisd MainPID)"
check "restart" systemctl restart oisd
check_equal "the sessions are the same" "$before" "$(identity)"
check_equal "the daemon knows them" 2 "$(ois-ctl sessions --json=short | jq 'map(select(.managed and .state == "logged_in")) | length')"
check "stop" systemctl stop oisd
check_equal "the sessions stay" "$before" "$(identity)"
echo something >/mnt/file
check "their disks work" sync -f /mnt
check "start" systemctl start oisd
check_equal "nothing failed on the way" "success 0" "$(property oisd Result) $(property oisd NRestarts)"

# ask_while PID: clients come all the time while that goes on; none of them is refused.
ask_while()
{
	while [[ -e /proc/$1 ]]; do
		ois-ctl status >/dev/null || return
	done
	wait "$1"
}

# An upgrade, and a daemon that dies, with I/O on a disk.
steady "$(session_disks | grep -v "$disk")" >"$work/steady" 2>&1 &
steady=$!
cp /usr/sbin/oisd /usr/sbin/oisd.new
mv -f /usr/sbin/oisd.new /usr/sbin/oisd
check_equal "the program is replaced" "/usr/sbin/oisd (deleted)" "$(readlink "/proc/$(property oisd MainPID)/exe")"
systemctl restart oisd &
check "no client is refused during the restart" ask_while $!
pid=$(property oisd MainPID)
check_equal "the new program runs" /usr/sbin/oisd "$(readlink "/proc/$pid/exe")"
check "it is killed" systemctl kill --signal=KILL oisd
check "a client waits for the next one" ois-ctl status
check_equal "which is another process" 1 "$(($(property oisd MainPID) != pid))"
check_equal "the sessions are the same" "$before" "$(identity)"
check_equal "no connection was lost" "0 0" "$(n_events 20) $(n_events 34)"
kill "$steady"
check "I/O went on, with the right data" wait "$steady"
sed 's/^/# /' "$work/steady"

umount /mnt

# Its view begins anew with each start, and of this place its sandbox keeps most away from it.
mount "$disk" /home
check_fails "a session with a file system at /home stays" 1 ois-ctl logout "${target}1"
umount /home
mount "$disk" /home
check "restart" systemctl restart oisd
check_fails "and after a restart" 1 ois-ctl logout "${target}1"
umount /home
check "logout" ois-ctl logout --all
check "a node is made automatic" ois-ctl node set "${target}2" startup=automatic
check "restart" systemctl restart oisd
check_equal "it is logged in" 2 "$(await_events 2 1000 "OIS_TARGET=${target}2" | wc -l)"
check_equal "and no other" "${target}2" "$(ois-ctl sessions --json=short | jq -r '.[].targetName')"
before=$(identity)

printf '%s\n' '[Service]' WatchdogSec=2s >/run/systemd/system/oisd.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart oisd
pid=$(property oisd MainPID)
kill -STOP "$pid"
check "a daemon that hangs is noticed" await_journal 'Watchdog timeout'
check "clients wait for the next one" ois-ctl status
check_equal "which is another process" 1 "$(($(property oisd MainPID) != pid))"
check_equal "the session is the same" "$before" "$(identity)"
rm /run/systemd/system/oisd.service.d/watchdog.conf
systemctl daemon-reload

# A target for repairs, as rescue.target, which stops what it does not name.
pid=$(property oisd MainPID)
mkdir -p /run/systemd/system/guest.service.d
printf '%s\n' '[Unit]' IgnoreOnIsolate=yes >/run/systemd/system/guest.service.d/stays.conf
printf '%s\n' '[Unit]' AllowIsolate=yes Wants=sysinit.target >/run/systemd/system/repair.target
systemctl daemon-reload
check "other services are stopped" systemctl isolate repair.target
check_equal "the daemon goes on" "active $pid" "$(property oisd ActiveState) $(property oisd MainPID)"
check "and answers" ois-ctl status
check_equal "the session is the same" "$before" "$(identity)"

check_equal "nothing was refused to the daemon" "" \
	"$(journalctl --quiet --output=cat --unit=oisd.service --grep='not permitted|denied|read-only|SYS\b' | sort -u)"
check_equal "iscsid kept away" inactive "$(property iscsid ActiveState)"
check "logout of all" ois-ctl logout --all
check_nothing_left
