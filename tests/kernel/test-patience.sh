#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What takes minutes and hours: time-outs as they are by default, attempts at a dead target, and a long rest. In this
# guest time passes at once when nobody has anything to do; a sleep here is what is looked at, not a wait for something.
# kernels: 6.12
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source=tests/kernel/faults.sh
source "${BASH_SOURCE[0]%/*}/faults.sh"

event_limit=60
plain=$name_base:lio1
checked=$name_base:lio2

# The guest's time, in seconds.
now()
{
	local uptime
	read -r uptime _ </proc/uptime
	echo "${uptime%.*}"
}

# note_attempts SECONDS: when each session tries again, in milliseconds: target, attempt, time. A cause is an event once.
note_attempts()
{
	local end=$(($(now) + $1)) next
	while (($(now) < end)); do
		ois-ctl sessions --json=short | jq -r '.[] | select(.nextAttemptTimestampUSec) |
			"\(.targetName) \(.attempt) \(.nextAttemptTimestampUSec / 1000 | floor)"' >"$work/next"
		cat "$work/next" >>"$work/attempts"
		next=$(sort -n -k 3 "$work/next" | awk -v now="${EPOCHREALTIME/[.,]/}" \
			'{ wait = $3 / 1000 - now / 1000000 } NR == 1 { print (wait > 0 ? wait : 0) + 0.1 }')
		sleep "${next:-0.1}"
	done
}

# times [TARGET]: of the attempts noted.
times()
{
	awk -v who="${1:-}" '(!who || $1 == who) && !seen[$1, $2]++ { print $3 }' "$work/attempts"
}

# check_between DESCRIPTION LEAST MOST NUMBER
check_between()
{
	if (($4 >= $2 && $4 <= $3)); then
		ok "$1: $4"
	else
		not_ok "$1"
		echo "#   expected: $2 to $3, actual: $4"
	fi
}

# gaps TIME...: from each to the next.
gaps()
{
	local before=$1 time
	shift
	for time; do
		echo $((time - before))
		before=$time
	done
}

# check_backoff WHO GAP...: 1 s, and twice of it each time, up to 30 s; and up to a quarter more, and what an attempt takes.
check_backoff()
{
	local who=$1 wait=1000 gap wrong=''
	shift
	for gap; do
		((gap >= wait && gap <= wait * 5 / 4 + 600)) || wrong+=" $gap instead of $wait"
		wait=$((wait * 2 > 30000 ? 30000 : wait * 2))
	done
	check_equal "the wait between attempts at $who grows up to half a minute" "" "$wrong"
}

identity()
{
	grep --with-filename . /sys/class/iscsi_session/session*/{targetname,recovery_tmo,state}
}

turns()
{
	awk '/ctxt_switches/ { sum += $2 } END { print sum }' "/proc/${services[oisd]}/status"
}

start_system
make_network
lio_target 1 0
lio_target 2 0 --parameter HeaderDigest=CRC32C --parameter DataDigest=CRC32C
ois-ctl discover 10.0.0.2 >/dev/null
ois-ctl node set "$checked" keys.headerDigest=crc32c keys.dataDigest=crc32c >/dev/null
check "login" ois-ctl login --all
before=$(identity)
# What is looked at a moment after a login.
sleep 10

# An hour in which nothing happens.
turns=$(turns)
sleep 3600
check_between "an hour of rest: the daemon was not woken up" 0 3 $(($(turns) - turns))
check_equal "no connection was lost" 0 "$(n_events 20)"
check_equal "the sessions are the same" "$before" "$(identity)"
check "data" write_and_compare "$(first_disk)"

# A path that says nothing: the kernel asks after 5 s, and has waited long enough after 5 more.
start=$(now)
fault_drop 0
check_events 2 20
check_between "a silent path is noticed in that many seconds" 5 13 $(($(now) - start))
end_drop 0
check_events 2 34
check "data" write_and_compare "$(first_disk)"

# Nobody answers for ten minutes. Requests are held for two of them, as is the default.
disk=$(first_disk)
portal_groups 0
check_events 4 20
note_attempts 600 &
noting=$!
start=$(now)
check "requests fail in the end" bash -c "! dd if='$disk' of='$work/read' count=1 iflag=direct"
check_between "after two minutes" 115 125 $(($(now) - start))
check_equal "the kernel gave up" FREE "$(sort -u /sys/class/iscsi_session/session*/state)"
check_equal "the daemon did not" "true true" "$(ois-ctl sessions --json=short | jq -r '[.[].recovering] | join(" ")')"
wait "$noting"
for who in "$plain" "$checked"; do
	mapfile -t attempts < <(times "$who")
	check_between "attempts at $who in ten minutes" 18 26 "${#attempts[@]}"
	mapfile -t gaps < <(gaps "${attempts[@]}")
	check_backoff "$who" "${gaps[@]}"
	check_between "no two of the long waits are alike; different ones" 8 26 "$(printf '%s\n' "${gaps[@]:5}" | sort -u | wc -l)"
done
check_between "the sessions do not go together; attempts in the same 50 ms" 0 4 \
	"$(times | awk '{ print int($1 / 50) }' | sort | uniq -d | wc -l)"
check_between "nor by a common clock; different hundredths of a quarter of a second" 10 25 \
	"$(times | awk '{ print int($1 % 250 / 10) }' | sort -u | wc -l)"

start=$(now)
portal_groups 1
check_events 4 34
check_between "within half a minute and a quarter of it" 0 39 $(($(now) - start))
check_equal "they are the same" "$before" "$(identity)"
check "data" write_and_compare "$disk"
check "logout" ois-ctl logout --all
check_nothing_left

# A target that accepts the connection, and no more: 15 s for its answer, and one minute for all of it.
start_targets
ois-ctl discover 10.0.1.2:3270 >/dev/null
ois-ctl node set "$name_base:tgt1" loginRetryMax=0 >/dev/null
fault_freeze 0
start=$(now)
check_fails "login where nobody answers" 1 ois-ctl login "$name_base:tgt1"
check_between "its time for an answer" 14 17 $(($(now) - start))
ois-ctl node set "$name_base:tgt1" loginTimeoutSeconds=300 >/dev/null
start=$(now)
check_fails "login where an answer may take longer" 1 ois-ctl login "$name_base:tgt1"
check_between "its time for all" 59 62 $(($(now) - start))
end_freeze 0
check "login once there are answers" ois-ctl login "$name_base:tgt1"
check "logout" ois-ctl logout --all
check_nothing_left
