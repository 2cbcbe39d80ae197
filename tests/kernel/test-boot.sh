#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A boot and a shutdown with automatic nodes, see prepare-boot.sh: the disk of one is mounted by /etc/fstab; the other
# one, which comes first and is dead, holds up nothing.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:disk1
phases() { ois-ctl sessions --json=short | jq -r '.[] | "\(.targetName | sub(".*:"; "")) \(.phase)"' | sort; }

# The units that systemd stopped, in order.
stopped() { journalctl --quiet --output=json MESSAGE_ID=9d1aaa27d60140bd96365438aad20286 | jq -r .UNIT; }

check_equal "the system is up" running "$(systemctl is-system-running --wait)"
check_equal "without a unit that failed" "" "$(systemctl --failed --plain --no-legend)"
check_equal "one node is logged in, the other one still being tried" "$(printf '%s\n' 'dead connecting' 'disk1 logged_in')" \
	"$(phases)"
check_event 1000 OIS_TARGET="$target"
check_equal "the disk is mounted" "/dev/$(ois-ctl sessions --json=short | jq -r '.[].logicalUnits[]?.blockDevice')" \
	"$(findmnt --noheadings --output=SOURCE /data)"
check_equal "the file is there" kept "$(</data/file)"
echo later >/data/file
disk=$(session_disks)
features() { dumpe2fs -h "$disk" 2>/dev/null | sed -n 's/^Filesystem features: *//p'; }
check_equal "the file system is in use" needs_recovery "$(features | grep -o needs_recovery)"

# Everything goes but this script.
check "shutdown" systemctl start --job-mode=replace-irreversibly down.target
check_equal "the file system before the daemon" "data.mount oisd.service" \
	"$(stopped | grep -x -e data.mount -e oisd.service | xargs)"
check_equal "neither by force" "success success" \
	"$(systemctl show --property=Result --value data.mount oisd.service | xargs)"
check_equal "nothing failed" "" "$(systemctl --failed --plain --no-legend)"
check_equal "the session stays, for what is written last" "$disk" "$(session_disks)"
check_equal "the file system is closed" "" "$(features | grep -o needs_recovery || true)"
check_equal "the file is as written" later "$(debugfs -R 'cat /file' "$disk" 2>/dev/null)"
