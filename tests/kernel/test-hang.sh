#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A target that hangs, but whose connections live: then, and in the middle of a recovery. tgt runs in user space, and can
# be stopped.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:tgt
start_system
start_tgt 3265 "$target"
ois-ctl node add "$target" 127.0.0.1:3265 >/dev/null
ois-ctl node set "$target" noopIntervalSeconds=1 noopTimeoutSeconds=1 keys.defaultTime2Wait=0 loginTimeoutSeconds=60 \
	logoutTimeoutSeconds=1 >/dev/null
check "login" ois-ctl login "$target"
kill -STOP "${services[tgtd]}"
check_event 20 OIS_TARGET="$target" OIS_STATUS=1022
kill -CONT "${services[tgtd]}"
check_event 34 OIS_TARGET="$target"
check "data" write_and_compare "$(first_disk)" 64
kill -STOP "${services[tgtd]}"
check_events 2 20 OIS_TARGET="$target"
check "logout in the middle of a login" ois-ctl logout --force --all
check_nothing_left
kill -CONT "${services[tgtd]}"
# The answer to the logout is to be missed before the one to a ping.
ois-ctl node set "$target" noopIntervalSeconds=60 noopTimeoutSeconds=60 >/dev/null
check "login" ois-ctl login "$target"
kill -STOP "${services[tgtd]}"
check "logout of a target that does not answer" ois-ctl logout --force --all
check_nothing_left
check_event 44 OIS_TARGET="$target"
