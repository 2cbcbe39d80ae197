#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# SCSI commands on request: what the units say of themselves, and what happens when they do not answer.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:disk1

# ask VERB [OPTION]... FILTER
ask()
{
	local verb=$1
	shift
	ois-ctl scsi "$verb" "$target" --json=short "${@:1:$#-1}" | jq -r "${!#}"
}

start_system
lio setup --luns 3 --pages 256
ois-ctl discover 127.0.0.1 >/dev/null
check "login" ois-ctl login "$target"
disk=$(first_disk)

check_equal "inquiry" "0 disk LIO-ORG" "$(ask inquiry '.standard | "\(.deviceType) \(.deviceTypeName) \(.vendor)"')"
check_equal "the same product as the kernel's" "$(sed 's/ *$//' "/sys/block/${disk#/dev/}/device/model")" \
	"$(ask inquiry .standard.product)"
check_equal "supported pages" "0 128 131" "$(ask inquiry --page=0 '.pages | "\(.[0]) \(.[1]) \(.[2])"')"
check_equal "serial number" "$(tr -cd '[:print:]' <"/sys/block/${disk#/dev/}/device/vpd_pg80")" \
	"$(ask inquiry --page=0x80 .serialNumber)"
check_equal "designators" "$(<"/sys/block/${disk#/dev/}/device/wwid")" \
	"$(ask inquiry --page=0x83 '[.designators[] | select(.type == "naa")][0].value')"
check "block limits" test "$(ask inquiry --page=0xb0 .blockLimits.maximumTransferLength)" -gt 0
check_equal "units" "0 1 2" "$(ask report-luns '[.luns[].lun] | join(" ")')"
check_equal "with their disks" "$(session_disks | sed 's,/dev/,,' | paste -sd ' ')" "$(ask report-luns '[.luns[].blockDevice] | join(" ")')"
check_equal "capacity" "$(blockdev --getsize64 "$disk") 512" "$(ask read-capacity '"\(.sizeBytes) \(.blockLengthBytes)"')"
check "for people, too" eval "ois-ctl scsi inquiry $target --page=0x83 | grep -q 'Designators: .*of the logical_unit'"

check_fails "a unit that is not there" 1 ois-ctl scsi inquiry "$target" --lun=7
check_fails "a page that is not there" 1 ois-ctl scsi inquiry "$target" --page=0x99
check_equal "says what the unit says" "ILLEGAL REQUEST, Invalid field in CDB" "$(sed 's/.*command: //' "$work/output")"
check_fails "a session that is not there" 3 ois-ctl scsi inquiry 4711
check_fails "a page that cannot be" 2 ois-ctl scsi inquiry "$target" --page=0x100

# The target is away: the command waits for the session, as long as it may.
portal_groups 0
await_events 1 20 OIS_TARGET="$target" >/dev/null
check_fails "no answer in time" 6 ois-ctl scsi inquiry "$target" --deadline=1
check_event 47 OIS_TARGET="$target" OIS_COMMAND=12000000ff00
check_equal "the daemon serves others meanwhile" 1 "$(ois-ctl sessions --json=short | jq length)"
portal_groups 1
await_events 1 34 OIS_TARGET="$target" >/dev/null
check_equal "it answers again" LIO-ORG "$(ask inquiry .standard.vendor)"
check "logout" ois-ctl logout --all
check_nothing_left
