#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What is seen of commands: one that a target does not answer times out, cannot be aborted, and the session is reset.
# With trace events the CDB and the steps are told, without them a number. Nobody else's tracing is touched.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:disk
tracing=/sys/kernel/tracing

# Reads a block, which the target answers when the session has been reset.
times=0
stall()
{
	local reader
	times=$((times + 1))
	kill -STOP "${services[tgtd]}"
	dd if="$disk" of=/dev/null bs=4096 count=1 skip=1 iflag=direct status=none &
	reader=$!
	await_events "$times" 20 OIS_STATUS=1021 >/dev/null
	kill -CONT "${services[tgtd]}"
	await_events "$times" 34 >/dev/null
	check "a read that the target did not answer in time is done, $times" wait "$reader"
}

mkdir -p /etc/ois/ois.conf.d
printf '%s\n' '[Node]' noopIntervalSeconds=0 noopTimeoutSeconds=0 abortTimeoutSeconds=1 keys.defaultTime2Wait=0 \
	>/etc/ois/ois.conf.d/timeouts.conf
! have_tracing || mkdir "$tracing/instances/other"
! have_tracing || echo 1 >"$tracing/instances/other/events/iscsi/iscsi_dbg_eh/enable"
start_system
start_tgt 3260 "$target"
ois-ctl node add "$target" 127.0.0.1 >/dev/null
check "login" ois-ctl login "$target"
disk=$(session_disks)
echo 1 >"/sys/block/${disk##*/}/device/timeout"
address=$(basename "$(readlink "/sys/block/${disk##*/}/device")")

if have_tracing; then
	await_trace_events
	stall
	check_event 9 OIS_TARGET="$target" OIS_DEVICE="$address" OIS_COUNT=1 OIS_DUMP_CDB=28000000000800000800 PRIORITY=3
	check_event 49 OIS_TARGET="$target" OIS_REASON="abort of a command" PRIORITY=3
else
	skip "a command that timed out" "this kernel has no trace events"
	stall
	check_event 9 OIS_TARGET="$target" OIS_DEVICE="$address" OIS_COUNT=1 PRIORITY=3
	check_event 49 OIS_TARGET="$target" OIS_STATUS=1021 PRIORITY=3
fi
check_equal "one event tells of it" 1 "$(n_events 9)"
check_equal "and one of its abort" 1 "$(n_events 49)"
check_event 20 OIS_TARGET="$target" OIS_STATUS=1021 OIS_STATUS_TEXT="session reset by SCSI error handling"
check "the disk works" write_and_compare "$disk"
check "statistics are asked for" ois-ctl stats
check_equal "they tell nothing new" 1 "$(n_events 9)"

# A daemon that is killed leaves its instance, and the next one uses it.
check_fails "the daemon is killed" 137 stop_service oisd KILL
if have_tracing; then
	check "its instance is there" test -d "$tracing/instances/ois"
	echo 0 >"$tracing/instances/ois/events/iscsi/iscsi_dbg_eh/enable"
fi
check "it starts" start_oisd
# It counts from what it finds.
until [[ $(ois-ctl sessions --json=short) == *blockDevice* ]]; do :; done
! have_tracing || await_trace_events
stall
check_events 2 9 OIS_TARGET="$target" OIS_DEVICE="$address"
check "logout" ois-ctl logout --all
check "the daemon ends" stop_service oisd
if have_tracing; then
	check_equal "of instances only that of others is left" other "$(ls "$tracing/instances")"
	check_equal "which records" 1 "$(cat "$tracing/instances/other/events/iscsi/iscsi_dbg_eh/enable")"
	check_equal "nothing is recorded for all" "" "$(cat "$tracing/set_event")"
fi
check_nothing_left
