#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Hundreds of connections are cut at random moments, also while they are being made again, under verified I/O, with
# digests and without: no request fails, and each read returns what was written.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source=tests/kernel/faults.sh
source "${BASH_SOURCE[0]%/*}/faults.sh"
# shellcheck source=tests/kernel/load.sh
source "${BASH_SOURCE[0]%/*}/load.sh"

cuts=200
declare -A relays=()

# start_relay NUMBER ADDRESS: a way to a target that can be cut without a word, and is there again at once.
start_relay()
{
	local port=$((4000 + $1)) word
	mkfifo "$work/relay"
	relay "$port" "$2" 3260 >"$work/relay" &
	relays[$1]=$!
	read -r -t 20 word <"$work/relay"
	[[ $word == ready ]]
	rm "$work/relay"
	ois-ctl node add "$name_base:lio$1" "127.0.0.1:$port" keys.headerDigest=crc32c,none keys.dataDigest=crc32c,none \
		keys.defaultTime2Wait=0 >/dev/null
}

begin_with 7
start_system
make_network
lio_target 1 0 --parameter HeaderDigest=None --parameter DataDigest=None
lio_target 2 1 --parameter HeaderDigest=CRC32C --parameter DataDigest=CRC32C
lio_target 3 0 --parameter HeaderDigest=CRC32C --parameter DataDigest=None
start_relay 1 10.0.0.2
start_relay 2 10.0.1.2
start_relay 3 10.0.0.2
check "login" ois-ctl login --all
digests=$(cat /sys/class/iscsi_connection/*/{header,data}_digest | sort | uniq -c)
start_checkers

for ((cut = 0; cut < cuts; cut++)); do
	draw 3
	kill -USR1 "${relays[$((drawn + 1))]}"
	draw 300
	pause "$drawn"
done
check_equal "all sessions are back" 3 "$(await_sessions 3 60)"
stop_checkers
check "sessions were lost by it, not logins only" test "$(n_events 20)" -gt $((cuts / 10))
echo "# $cuts cuts, $(n_events 20) losses"
check_equal "digests are the same" "$digests" "$(cat /sys/class/iscsi_connection/*/{header,data}_digest | sort | uniq -c)"
check "logout" ois-ctl logout --all
check_nothing_left
