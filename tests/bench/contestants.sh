# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the benchmarks that run in a guest share: how a figure is taken, and how to use each of the contestants.
# shellcheck source=tests/kernel/guest.sh
source "${BASH_SOURCE[0]%/*}/../kernel/guest.sh"

: "${FIGURES:?a name for the figures}"
portal=127.0.0.1
figures=$work/figures
mkfifo "$work/never"

# record CONTESTANT FIGURE N VALUE
record()
{
	printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" >>"$figures"
}

# take_time CONTESTANT COMMAND...: when it began and ended, in microseconds, is in $began and $ended.
take_time()
{
	local who=$1
	shift
	began=${EPOCHREALTIME/./}
	"$@" >"$work/output" 2>&1 || { cat "$work/output"; echo "bench: $who failed: $*" >&2; exit 1; }
	ended=${EPOCHREALTIME/./}
}

# measure CONTESTANT FIGURE N COMMAND...: its wall-clock time.
measure()
{
	take_time "$1" "${@:4}"
	record "$1" "$2" "$3" "$((ended - began))"
}

# The floor also says how long it took by its own clock, in seconds with four digits.
measure_floor()
{
	local figure=$1 n=$2 result
	shift 2
	measure floor "$figure" "$n" floor "$@"
	result=$(tail -n 1 "$work/output")
	result=${result##* }
	record floor "$figure, own clock" "$n" "$((10#${result/./} * 100))"
}

# Returns when all disks are there, partitions read: for contestants that do not wait for them.
disks_are_there()
{
	local disks disk
	while disks=(/dev/sd*); ((${#disks[@]} < $1)) || [[ ! -b ${disks[0]} ]]; do
		read -r -t 0.002 <>"$work/never" || true
	done
	# A node may be there before its disk can be opened.
	for disk in "${disks[@]}"; do
		until : 2>/dev/null <"$disk"; do
			read -r -t 0.002 <>"$work/never" || true
		done
	done
}

resident()
{
	local sum=0 pid label kib unit
	for pid; do
		while read -r label kib unit; do
			[[ $label != VmRSS: ]] || sum=$((sum + kib))
		done <"/proc/$pid/status"
	done
	: "${unit:-}"
	echo "$sum"
}

# ---- the contestants: start, stop, pids, discover, login, list, logout ----

ois_start()
{
	rm -rf /etc/ois
	mkdir -p /etc/ois
	start_oisd
}
ois_stop() { stop_service oisd; }
ois_pids() { echo "${services[oisd]}"; pgrep -x oisd-scanner; }
ois_discover() { ois-ctl discover "$portal"; }
ois_login() { ois-ctl login --all; }
ois_list() { ois-ctl sessions --json=short; }
ois_logout() { ois-ctl logout --all; }

peer_start()
{
	rm -rf /etc/iscsi/nodes /etc/iscsi/send_targets
	mkdir -p /run/lock/iscsi /etc/iscsi
	echo "InitiatorName=iqn.2026-11.org.example:peer" >/etc/iscsi/initiatorname.iscsi
	# At its end iscsid kills its process group.
	setsid iscsid -f >"$work/iscsid.log" 2>&1 &
	peer=$!
	until iscsiadm -m session >"$work/output" 2>&1 || grep -q 'No active' "$work/output"; do :; done
}
peer_stop()
{
	kill "$peer"
	# After a cut it sometimes waits for ever.
	timeout 10 tail --pid="$peer" -f /dev/null || kill -KILL "$peer"
	wait "$peer" || true
}
peer_pids() { pgrep -x iscsid; }
peer_discover() { iscsiadm -m discovery -t st -p "$portal"; }
peer_login() { iscsiadm -m node --loginall=all; }
peer_list() { iscsiadm -m session -P 3; }
peer_logout() { iscsiadm -m node --logoutall=all; }

# The figures as a table, and as JSON in $RESULTS/$FIGURES.json.
report()
{
	cp "$figures" "$RESULTS/$FIGURES.tsv"
	awk -f "${BASH_SOURCE[0]%/*}/table.awk" "$figures"
	awk -f "${BASH_SOURCE[0]%/*}/json.awk" "$figures" >"$RESULTS/$FIGURES.json"
}
