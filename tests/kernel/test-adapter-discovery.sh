#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Discoveries where a portal can be reached through an adapter only: answers of several PDUs, CHAP, failures of each
# step, clients and daemons that go away meanwhile, hot-unplug. Nothing is left in the kernel, ever.
# kernels: 6.12
# needs: adapter
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
if [[ -z ${ADAPTER:-} ]]; then
	skip "discoveries through adapters" "there is no test adapter"
	exit
fi
# shellcheck source=tests/kernel/adapter.sh
source "${BASH_SOURCE[0]%/*}/adapter.sh"

event_limit=30
n_targets=120

check_no_trace()
{
	check_equal "nothing is left, $1" "" "$(remains | grep -v '^host' || true)"
	check_equal "nor an endpoint, $1" "" "$(ls /sys/class/iscsi_endpoint)"
}

discover()
{
	ois-ctl discover "$storage" --interface="$interface" "$@"
}

# check_refused FAULT NUMBER [FIELD=VALUE]...: a discovery under a fault fails with this event, and leaves nothing.
check_refused()
{
	port 0 fault "$1"
	check_fails "discovery under $1" 1 discover
	port 0 fault clear
	check_event "$2" OIS_PORTAL="$storage:3260" OIS_DISCOVERY=send_targets OIS_TRANSPORT=be2iscsi OIS_OUTCOME=failed "${@:3}"
	check_no_trace "$1"
}

test_discovery()
{
	check_fails "the portal is not in this host's network" 1 ois-ctl discover "$storage" --timeout=2
	check "discovery" discover
	check_equal "all targets are found, in several PDUs" "$n_targets" "$(ois-ctl nodes --json=short | jq length)"
	check_event 1007 OIS_TRANSPORT=be2iscsi OIS_COUNT="$n_targets"
	check_no_trace "after a discovery"
	check_equal "nodes are bound to the interface" "$interface" \
		"$(ois-ctl node show "$target" --json=short | jq -r '.[0].origin.interface')"
	check "a node found is logged in" ois-ctl login "$target"
	check "beside its session" discover
	check "data" write_and_compare "$(session_disks)"
	check "logout" ois-ctl logout "$target"
	check_no_trace "after the logout"
}

test_failures()
{
	check_refused "connect-error 28" 6
	check_refused "connect-error 101" 1 OIS_DUMP_ADDRESS="$storage" OIS_DUMP_PORT=3260
	check_refused "bind-error 12" 6 OIS_HOST="$(port 0 host)"
	check_refused "start-error 12" 57
	check_refused "message-at-start 0 1" 42
	check_refused "cut-at-bind 0 1" 59
	check_refused "cut-after 0 1" 59
	check_refused "cut-after 1 1" 20
	port 0 fault connect-never
	check_fails "no connection in time" 6 discover --timeout=1
	port 0 fault clear
	check_no_trace "after a time-out"
}

# A client that goes away ends its discovery. What the next one asks of the kernel comes after that.
test_cancel()
{
	local client
	port 0 fault connect-never
	ois-ctl discover "$storage" --interface="$interface" >/dev/null 2>&1 &
	client=$!
	until [[ $(ls /sys/class/iscsi_endpoint) ]]; do :; done
	kill "$client"
	wait "$client" || true
	port 0 fault clear
	check "discovery after one that was left" discover
	check_no_trace "after one that was left"
}

# EP_DISCONNECT takes its time: the session is still there, and then nobody's.
test_kill()
{
	port 0 fault "disconnect-delay 1500 1"
	discover >/dev/null 2>&1 &
	until [[ $(ls /sys/class/iscsi_session) ]]; do :; done
	check_fails "the daemon is killed" 137 stop_service oisd KILL
	wait "$!" || true
	port 0 fault clear
	start_oisd
	check_event 1180
	check "discovery after that" discover
	check_no_trace "after a daemon that was killed"
}

test_unplug()
{
	port 0 fault connect-never
	discover --timeout=1 >/dev/null 2>&1 &
	until [[ $(ls /sys/class/iscsi_endpoint) ]]; do :; done
	port 0 plugged 0
	check_fails "the adapter is unplugged while it connects, which it does not tell" 6 wait "$!"
	port 0 fault clear
	port 0 plugged 1
	echo "fd 8" >/sys/devices/testadapter/port0/netns
	check "discovery when it is back" discover
	check_no_trace "after a hot-unplug"
}

setup_storage
start_system
in_storage lio setup --portal "$storage:3260" --pages 64
in_storage lio setup --portal "$storage:3260" --first 2 --targets $((n_targets - 1)) --pages 1
load_adapter be2iscsi ports=1
interface=be2iscsi.$(port 0 hwaddress)
test_discovery
test_failures
test_cancel
test_kill
test_unplug
unload_adapter

# Adapters in the network of this host leave discoveries to it.
load_adapter cxgb4i ports=1
interface=cxgb4i.$(port 0 hwaddress)
in_storage lio clear
lio setup
check "discovery for an adapter in this host's network" ois-ctl discover 127.0.0.1 --interface="$interface"
check_equal "binds nodes to the interface" "$interface" \
	"$(ois-ctl nodes --json=short | jq -r '.[] | select(.key.address == "127.0.0.1").origin.interface')"
check_no_trace "of a discovery over TCP"
unload_adapter
check_fails "an adapter that logs in by itself" 2 ois-ctl discover 127.0.0.1 --interface=qla4xxx.00:00:00:00:00:01
