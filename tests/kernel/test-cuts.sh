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

# Each session that is back is cut again, after a moment; at times another one is too, wherever it is in its login.
for number in 1 2 3; do
	kill -USR1 "${relays[$number]}"
done
exec 6< <(exec journalctl --quiet --output=cat --follow --lines=all MESSAGE_ID=08d9494dbfb34ec49b18eadcb2750034)
follower=$!
for ((cut = 3; cut < cuts; cut++)); do
	read -r -t 60 back <&6
	[[ $back =~ :lio([123])\  ]]
	number=${BASH_REMATCH[1]}
	draw 60
	pause "$drawn"
	kill -USR1 "${relays[$number]}"
	draw 12
	((drawn == 0 || drawn > 3)) || kill -USR1 "${relays[$drawn]}"
done
kill "$follower"
check_equal "all sessions are back" 3 "$(await_sessions 3 60)"
stop_checkers
losses=$(n_events 20)
check "each cut was a loss: $losses" test "$losses" -ge "$cuts"
check_equal "digests are the same" "$digests" "$(cat /sys/class/iscsi_connection/*/{header,data}_digest | sort | uniq -c)"
check "logout" ois-ctl logout --all
check_nothing_left
