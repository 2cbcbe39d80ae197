#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Who may do what: root everything, members of the group ois read, others nothing.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

group=''
as_member() { setpriv --reuid=65534 --regid=65534 --groups="$group" "$@"; }

start_system
group=$(getent group ois | cut -d: -f3)
lio setup
ois-ctl discover 127.0.0.1 >/dev/null
check "a member lists nodes" as_member ois-ctl nodes
check "a member sees the status" as_member ois-ctl status
check "a member may not log in" bash -c "! setpriv --reuid=65534 --regid=65534 --groups=$group ois-ctl login --all"
check "a member may not discover" bash -c "! setpriv --reuid=65534 --regid=65534 --groups=$group ois-ctl discover 127.0.0.1"
check_equal "no session was made" "" "$(remains)"
check "others may not list nodes" bash -c "! setpriv --reuid=65534 --regid=65534 --clear-groups ois-ctl nodes"
check "root logs in" ois-ctl login --all
check "a member lists sessions" as_member ois-ctl sessions
check "a member may not log out" bash -c "! setpriv --reuid=65534 --regid=65534 --groups=$group ois-ctl logout --all"
check_equal "the session is still there" 1 "$(ois-ctl sessions --json=short | jq length)"
check "others may not list sessions" bash -c "! setpriv --reuid=65534 --regid=65534 --clear-groups ois-ctl sessions"
check "root logs out" ois-ctl logout --all
check_nothing_left
