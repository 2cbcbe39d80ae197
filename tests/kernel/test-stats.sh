#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Counters: what the kernel counted of a session is what was done on it.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

# stat FIELD: of the first session.
stat()
{
	ois-ctl stats --json=short | jq ".[0] | $1"
}

start_system
lio setup --targets 40 --pages 1024
check_equal "no session, no counters" "[]" "$(ois-ctl stats --json=short)"
ois-ctl discover 127.0.0.1 >/dev/null
check "login" ois-ctl login iqn.2026-11.org.example:disk1
disk=$(session_disks)

read_before=$(stat .receivedBytes) written_before=$(stat .transmittedBytes) commands_before=$(stat .scsiCommand)
requests_before=$(stat .logicalUnits[0].requests)
check "read and write 1 MiB each" eval "dd if=$disk of=/dev/null bs=64k count=16 iflag=direct &&
	dd if=/dev/zero of=$disk bs=64k count=16 oflag=direct"
read_bytes=$(($(stat .receivedBytes) - read_before)) written_bytes=$(($(stat .transmittedBytes) - written_before))
commands=$(($(stat .scsiCommand) - commands_before))
check "received 1 MiB and headers: $read_bytes" test "$read_bytes" -gt 1048576 -a "$read_bytes" -lt 1148576
check "sent 1 MiB and headers: $written_bytes" test "$written_bytes" -gt 1048576 -a "$written_bytes" -lt 1148576
check "commands: $commands" test "$commands" -ge 32
check_equal "as many went to the device" "$commands" "$(($(stat .logicalUnits[0].requests) - requests_before))"
check_equal "all came back" true "$(stat '.scsiCommand == .scsiResponse')"
check_equal "what the kernel does not count is not told" null "$(stat .digestErrors)"
check_equal "its own counter is" 0 "$(stat .custom.eh_abort_cnt)"
# shellcheck disable=SC2016
check "OpenMetrics text" eval 'ois-ctl stats --openmetrics | tee "$work/metrics" | tail -n 1 | grep -qx "# EOF"'
check "has the session" grep -q "^ois_session_logged_in{.*target=\"iqn.2026-11.org.example:disk1\".*} 1$" "$work/metrics"
check "and its disk" grep -q "^ois_logical_unit_requests_total{.*device=\"${disk#/dev/}\"} [1-9]" "$work/metrics"
check_equal "a watch looks twice" 2 "$(ois-ctl stats --watch --interval=1 --count=2 | grep -c '^SESSION')"

check "login of all" ois-ctl login --all
check_equal "all sessions have counters" "40 40" \
	"$(ois-ctl stats --json=short | jq -r '"\(length) \([.[] | select(.receivedBytes > 0)] | length)"')"
check_equal "each has a host of its own" "40 40 iscsi_tcp" \
	"$(ois-ctl stats --hosts --json=short | jq -r '"\(length) \([.[].sessions] | add) \(.[0].procName)"')"
check_equal "the sums are those of the sessions" true "$(
	sessions=$(ois-ctl stats --json=short)
	ois-ctl stats --hosts --json=short | jq --argjson sessions "$sessions" '
		([.[].scsiCommand] | add) == ([$sessions[].scsiCommand] | add) and
		([.[].requests] | add) == ([$sessions[].logicalUnits[].requests] | add) and
		([.[].hostNumber] | sort) == ([$sessions[].hostNumber] | sort)'
)"
ois-ctl stats --hosts --openmetrics >"$work/hosts"
check "OpenMetrics of hosts" grep -q "^ois_host_sessions{.*driver=\"iscsi_tcp\".*} 1$" "$work/hosts"
check_fails "no such session" 3 ois-ctl stats 4711

# Another program's session is counted, too; one that is gone while we ask is left out.
check "logout" ois-ctl logout --all
check_nothing_left
check_equal "nothing is left to count" "[]" "$(ois-ctl stats --json=short)"
