#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A boot and a shutdown with automatic nodes, see prepare-boot.sh: the disk of one is mounted by /etc/fstab; one, which
# comes first and is dead, holds up nothing. At shutdown sessions are logged out, but not that of a disk in use.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:disk1

# disk_of NAME
disk_of()
{
	local path
	for path in /sys/class/iscsi_session/session*; do
		[[ $(<"$path/targetname") != *:"$1" ]] || echo "/dev/$(ls "$path"/device/target*/*/block)"
	done
}
phases() { ois-ctl sessions --json=short | jq -r '.[] | "\(.targetName | sub(".*:"; "")) \(.phase)"' | sort; }

# The units that systemd stopped, in order.
stopped() { journalctl --quiet --output=json MESSAGE_ID=9d1aaa27d60140bd96365438aad20286 | jq -r .UNIT; }

check_equal "the system is up" running "$(systemctl is-system-running --wait)"
check_equal "without a unit that failed" "" "$(systemctl --failed --plain --no-legend)"
await_events 2 1000 >/dev/null
check_equal "two nodes are logged in, the other one is still being tried" \
	"$(printf '%s\n' 'dead connecting' 'disk1 logged_in' 'disk2 logged_in')" "$(phases)"
check_event 1000 OIS_TARGET="$target"
check_equal "the disk is mounted" "$(disk_of disk1)" \
	"$(findmnt --noheadings --output=SOURCE /data)"
check_equal "the file is there" kept "$(</data/file)"
echo later >/data/file
disk=$(disk_of disk1)

# Like the disk of a root file system, this one is in use to the end.
other=$(disk_of disk2)
dmsetup create --noudevsync --table "0 64 linear $other 0" stays

check "a restart" systemctl restart oisd.service
check_equal "logs out nothing" "$disk $other" "$(disk_of disk1) $(disk_of disk2)"
check_equal "but is ready to" "active exited" \
	"$(systemctl show --property=ActiveState,SubState --value oisd-logout.service | xargs)"

# Everything goes but this script, and what it uses.
check "shutdown" systemctl start --job-mode=replace-irreversibly down.target
check_equal "the file system, then the session, then the daemon" "data.mount oisd-logout.service oisd.service" \
	"$(stopped | grep -x -e data.mount -e oisd.service -e oisd-logout.service | tail -n 3 | xargs)"
check_equal "none by force" "success success success" \
	"$(systemctl show --property=Result --value data.mount oisd.service oisd-logout.service | xargs)"
check_equal "nothing failed" "" "$(systemctl --failed --plain --no-legend)"
check_event 1001 OIS_TARGET="$target"
check_equal "the session is logged out" "" "$(disk_of disk1)"
check_equal "that of the disk in use stays" "$other" "$(disk_of disk2)"
check "and works" dd if="$other" of=/dev/null count=8 iflag=direct
check_equal "the node is logged in at the next boot" 0 "$(grep -c loggedOut /etc/ois/nodes.jsonl)"
