#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Sessions through adapters that make the connections themselves: the target can be reached through the adapter only.
# Login, data, losses at each step of a recovery, refusals, restarts of the daemon, hot-unplug, logout.
# kernels: 6.1 debian13
# needs: adapter
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
if [[ -z ${ADAPTER:-} ]]; then
	skip "sessions through adapters" "there is no test adapter"
	exit
fi
# shellcheck source=tests/kernel/adapter.sh
source "${BASH_SOURCE[0]%/*}/adapter.sh"

event_limit=30
node=(keys.defaultTime2Wait=0 replacementTimeoutSeconds=-1 loginRetryMax=0)

identity()
{
	local sessions=(/sys/class/iscsi_session/session*)
	echo "${sessions[@]##*/}"
	cat "${sessions[@]/%//targetname}" /sys/class/iscsi_connection/*/state
	session_disks
}

endpoints()
{
	local endpoint n=0
	for endpoint in /sys/class/iscsi_endpoint/ep-*; do
		[[ ! -e $endpoint ]] || n=$((n + 1))
	done
	echo "$n"
}

check_no_trace()
{
	check_equal "nothing is left, $name" "" "$(remains | grep -v '^host' || true)"
	check_equal "nor an endpoint, $name" "$leaked" "$(endpoints)"
}

# An endpoint that a killed daemon was connecting is nobody's; see BUGS in oisd-adapters(7).
leaked=0

# fault VALUE: of the port that has the session.
fault()
{
	port "$port" fault "$1"
}

# check_refused FAULT NUMBER [FIELD=VALUE]...: a login under a fault fails with this event, and leaves nothing.
check_refused()
{
	fault "$1"
	check_fails "login under $1, $name" 1 ois-ctl login "$target"
	fault clear
	check_event "$2" OIS_TARGET="$target" OIS_TRANSPORT="$name" OIS_OUTCOME=failed "${@:3}"
	check_no_trace
}

# check_recovery FAULT...: the session comes back after a cut, though these come in its way.
n_back=0
check_recovery()
{
	local one
	for one; do
		fault "$one"
	done
	n_back=$((n_back + 1))
	port "$port" raise cut
	await_events "$n_back" 34 OIS_TRANSPORT="$name" >/dev/null
	fault clear
	check_equal "it is back${1:+ after $*}, $name" "$before" "$(identity)"
}

# ---- one adapter after the other ----

test_refusals()
{
	check_refused "connect-error 28" 6
	check_refused "connect-error 101" 1 OIS_DUMP_ADDRESS="$storage" OIS_DUMP_PORT=3260
	check_refused "bind-error 12" 6
	check_refused "start-error 12" 57
	check_refused "cut-at-bind 0 1" 59
	check_refused "cut-after 1 1" 59
	ois-ctl node set "$target" connectTimeoutSeconds=1 >/dev/null
	check_refused connect-never 1 OIS_STATUS=110
	ois-ctl node set "$target" --reset=connectTimeoutSeconds >/dev/null
}

test_life()
{
	fault "connect-delay 300 1"
	check "login, $name" ois-ctl login "$target"
	fault clear
	check_event 1000 OIS_TARGET="$target" OIS_TRANSPORT="$name" OIS_HOST="$(port "$port" host)"
	check_equal "the session is this port's, $name" "$(port "$port" host)" "$(ois-ctl sessions --json=short | jq -r '.[].hostNumber')"
	disk=$(session_disks)
	before=$(identity)
	check "data, $name" write_and_compare "$disk" 1024
	n_back=0
	check_recovery
	check_event 20 OIS_TRANSPORT="$name" OIS_HOST="$(port "$port" host)"
	check_recovery "connect-error 101 1"
	check_recovery "bind-error 12 1"
	check_recovery "cut-at-bind 0 1"
	check_recovery "cut-after 0 1"
	check_recovery "cut-after 1 1"
	check_recovery "disconnect-delay 1500" "connect-delay 500 1"
	check "data after all of it, $name" write_and_compare "$disk" 1024
}

# A daemon finds a session, and one whose recovery another one has begun.
test_restarts()
{
	check_fails "the daemon is killed, $name" 137 stop_service oisd KILL
	start_oisd
	check_equal "the session stays, $name" "$before" "$(identity)"
	check_recovery
	check_equal "with one endpoint, $name" 1 "$(endpoints)"
	fault "connect-delay 60000"
	port "$port" raise cut
	await_events "$((n_back + 1))" 20 OIS_TRANSPORT="$name" >/dev/null
	check_fails "the daemon is killed in a recovery, $name" 137 stop_service oisd KILL
	fault clear
	leaked=$(endpoints)
	n_back=$((n_back + 1))
	start_oisd
	await_events "$n_back" 34 OIS_TRANSPORT="$name" >/dev/null
	check_equal "the next one ends it, $name" "$before" "$(identity)"
	check "data, $name" write_and_compare "$disk"
}

# An adapter that goes away takes its session along.
test_unplug()
{
	local host
	host=$(port "$port" host)
	port "$port" plugged 0
	check_event 1001 OIS_TARGET="$target" OIS_HOST="$host"
	check_equal "it is lost for good, $name" 1 "$(await_events 1 20 OIS_TRANSPORT="$name" OIS_HOST="$host" OIS_OUTCOME=failed | wc -l)"
	check_no_trace
	port "$port" plugged 1
	echo "fd 8" >"/sys/devices/testadapter/port$port/netns"
	check "login when it is back, $name" ois-ctl login "$target"
	check "data, $name" write_and_compare "$(session_disks)"
}

# An automatic node is logged in again as soon as its port is there, or over another port if it names none.
test_replug()
{
	local n
	n=$(n_events 1000 OIS_TRANSPORT="$name")
	ois-ctl node set "$target" startup=automatic >/dev/null
	port "$port" plugged 0
	await_events 2 1001 OIS_TARGET="$target" OIS_TRANSPORT="$name" >/dev/null
	port "$port" plugged 1
	echo "fd 8" >"/sys/devices/testadapter/port$port/netns"
	check_events "$((n + 1))" 1000 OIS_TRANSPORT="$name"
	check "data when it is back by itself, $name" write_and_compare "$(session_disks)"
	ois-ctl node set "$target" --reset=startup >/dev/null
}

# test_adapter NAME PORT [SETTING]
test_adapter()
{
	local name=$1 port=$2 disk before
	load_adapter "$name" ports=2
	ois-ctl node set "$target" transport="$name" ${3:+"$3"} >/dev/null
	test_refusals
	test_life
	test_restarts
	test_unplug
	test_replug
	check "logout, $name" ois-ctl logout "$target"
	check_no_trace
	ois-ctl node set "$target" --reset=adapter >/dev/null
	check "the adapter is not in use any more, $name" unload_adapter
	leaked=0
}

# Nobody said which address the adapter has.
test_paths()
{
	local name=$1
	load_adapter "$name" ports=1
	ois-ctl node set "$target" transport="$name" >/dev/null
	check_fails "login without paths, $name" 1 ois-ctl login "$target"
	check_event 1202 OIS_TARGET="$target" OIS_TRANSPORT="$name" OIS_OUTCOME=failed
	check_no_trace
	unload_adapter
}

setup_storage
start_system
in_storage lio setup --portal "$storage:3260" --pages 1024 --parameter DefaultTime2Wait=0
ois-ctl node add "$target" "$storage" >/dev/null
ois-ctl node set "$target" "${node[@]}" >/dev/null
ois-ctl node set "$target" transport=be2iscsi >/dev/null
check_fails "without the adapter's module" 1 ois-ctl login "$target"
check_event 1014 OIS_TRANSPORT=be2iscsi OIS_MODULE=be2iscsi

test_adapter cxgb4i 0
load_adapter be2iscsi ports=2
ois-ctl node set "$target" transport=be2iscsi >/dev/null
check_fails "two ports, and none is named" 1 ois-ctl login "$target"
check_event 5 OIS_TRANSPORT=be2iscsi OIS_STATUS=76
address=$(port 1 hwaddress)
unload_adapter
test_adapter be2iscsi 1 "adapter=$address"
test_paths bnx2i
