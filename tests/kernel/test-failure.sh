#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Targets that are not there, do not speak, or are gone: the right event, in time, and nothing left in the kernel.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:none

# listen PORT ADDRESS: connections to the port go to an address of socat; returns when it listens.
listen()
{
	local log
	exec {log}< <(exec socat -u -d -d "TCP-LISTEN:$1,reuseaddr,fork,bind=127.0.0.1" "$2" 2>&1)
	grep -q -m 1 'listening on' <&"$log"
}

start_system

check_fails "discovery where nobody listens" 1 ois-ctl discover 127.0.0.1:3269
check_event 1 OIS_DUMP_ADDRESS=127.0.0.1 OIS_DUMP_PORT=3269
check_event 1008

ois-ctl node add "$target" 127.0.0.1:3269 loginRetryMax=0 >/dev/null
check_fails "login where nobody listens" 1 ois-ctl login "$target"
check_event 1 OIS_TARGET="$target"
check_nothing_left

# Takes connections, and says nothing.
listen 3270 OPEN:/dev/null
ois-ctl node add "$target" 127.0.0.1:3270 loginRetryMax=0 loginTimeoutSeconds=2 >/dev/null
check_fails "login at a silent portal" 1 ois-ctl login "$target" --portal=127.0.0.1:3270
check_event 43 OIS_TARGET="$target"
check_nothing_left

# Takes a connection, and closes it.
listen 3271 SYSTEM:'head -c 48 >/dev/null'
ois-ctl node add "$target" 127.0.0.1:3271 loginRetryMax=0 loginTimeoutSeconds=5 >/dev/null
check_fails "login at a portal that hangs up" 1 ois-ctl login "$target" --portal=127.0.0.1:3271
check_event 59 OIS_TARGET="$target"
check_nothing_left

# A name is looked up by a thread, and the service is allowed no further one (TasksMax= of its unit).
[[ -e /sys/fs/cgroup/cgroup.controllers ]] || mount -t cgroup2 none /sys/fs/cgroup
echo +pids >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/oisd
echo "${services[oisd]}" >/sys/fs/cgroup/oisd/cgroup.procs
ois-ctl node add "$target" localhost:3260 loginRetryMax=0 >/dev/null
echo 1 >/sys/fs/cgroup/oisd/pids.max
check_fails "login without a thread" 1 ois-ctl login "$target" --portal=localhost:3260
check_event 30 OIS_TARGET="$target" OIS_OUTCOME=failed PRIORITY=3
check_fails "discovery without a thread" 1 ois-ctl discover localhost
check_equal "told as the cause" 1 "$(grep -c 'allows this service no further thread' "$work/output")"
check_event 30 OIS_PORTAL=localhost:3260 OIS_DISCOVERY=send_targets OIS_OUTCOME=failed
echo max >/sys/fs/cgroup/oisd/pids.max
check_nothing_left

lio setup
check "discovery of a name, with threads" ois-ctl discover localhost
ois-ctl node add "$target" 127.0.0.1:3260 loginRetryMax=0 >/dev/null
check_fails "login to a target that does not exist" 1 ois-ctl login "$target" --portal=127.0.0.1:3260
check_event 10 OIS_TARGET="$target" OIS_PDU_STATUS_CLASS=3
check_nothing_left
check "the daemon still works" ois-ctl discover 127.0.0.1
check "as a login shows" ois-ctl login iqn.2026-11.org.example:disk1
check "and a logout" ois-ctl logout --all
check_nothing_left
