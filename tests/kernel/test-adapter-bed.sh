#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The test adapter does what the other scripts take for granted. The initiator here is "transport", not the daemon.
# kernels: 6.1 6.12 debian13
# needs: adapter
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source=tests/kernel/adapter.sh
source "${BASH_SOURCE[0]%/*}/adapter.sh"

test_data_path()
{
	local sid
	check_fails "the target is out of reach from here" 1 timeout 5 bash -c "</dev/tcp/$storage/3260"
	sid=$(log_in 1)
	check_equal "the session is the second port's" "host$(port 1 host)" \
		"$(basename "$(readlink -f "/sys/class/iscsi_session/session$sid/device/..")")"
	check_equal "its address" "$storage" "$(conn_attribute "$sid" address)"
	check "data come back" write_and_compare "$(ep await-disk)"
	check_fails "it is not unloaded under a session" 1 unload_adapter
	port 1 raise cut
	check_equal "a cut is an error" "connection-error $sid 0 1020" "$(await_line "connection-error $sid")"
	check "a login after a cut" relogin "$sid" 1
	check "data come back after it" write_and_compare "$(ep await-disk)"
	check "logout" ep logout "$sid"
	sid=$(log_in 0 digests)
	check_equal "digests are in force" "1 1" "$(conn_attribute "$sid" header_digest) $(conn_attribute "$sid" data_digest)"
	check "data come back with digests" write_and_compare "$(ep await-disk)" 1024
	port 0 raise "error 1015"
	check_equal "an error to order" "connection-error $sid 0 1015" "$(await_line "connection-error $sid")"
	check "removal" ep destroy "$sid"
}

# check_fault FAULT EXPECTED COMMAND...: what the command says under a fault.
check_fault()
{
	local said
	port 0 fault "$1"
	said=$("${@:3}" 2>&1) || true
	port 0 fault clear
	check_equal "$1" "$2" "$said"
}

test_faults()
{
	local endpoint sid began
	check_fault "connect-error 28" "transport: request 29: No space left on device" connect 0
	port 0 fault connect-never
	port 0 fault "connect-delay 1 3"
	check_equal "faults are listed" $'connect-delay 1 3\nconnect-never 0 0' "$(port 0 fault)"
	endpoint=$(connect 0)
	check_equal "an endpoint that never connects" 0 "$(ep poll "$endpoint")"
	check_equal "a fault happens as often as it is ordered" $'connect-delay 1 2\nconnect-never 0 0' "$(port 0 fault)"
	check "its end" ep disconnect "$endpoint"
	port 0 fault clear
	endpoint=$(connect 0)
	check_fault "poll-error 110" -110 ep poll "$endpoint"
	check "it connects" ep wait "$endpoint"
	check_fault "bind-error 16" "transport: request 15: Device or resource busy" ep login "$endpoint" "$target"
	sid=$(await_line session-created | cut -d ' ' -f 2)
	check_fault "start-error 22" "transport: request 17: Invalid argument" ep relogin "$sid" "$endpoint" "$target"
	check "the session is removed" ep destroy "$sid"
	port 0 fault "cut-at-bind 0 1"
	check_fails "a cut at the bind is seen by the login" 1 log_in 0
	sid=$(await_line session-created | cut -d ' ' -f 2)
	check_equal "and told" "connection-error $sid 0 1020" "$(await_line "connection-error $sid")"
	port 0 fault "cut-after 0 1"
	check_fails "a cut at the login" 1 relogin "$sid" 0
	check_equal "is told, too" "connection-error $sid 0 1020" "$(await_line "connection-error $sid")"
	check "a login without a fault" relogin "$sid" 0
	port 0 fault "disconnect-delay 300"
	began=${EPOCHREALTIME/./}
	check "logout with a slow disconnect" ep logout "$sid"
	check "is slow" test $((${EPOCHREALTIME/./} - began)) -ge 300000
	port 0 fault clear
}

test_unplug()
{
	local sid
	sid=$(log_in 0)
	port 0 plugged 0 &
	check_equal "an unplugged port" "connection-error $sid 0 1018" "$(await_line "connection-error $sid")"
	check_equal "has no host" "" "$(port 0 host)"
	check "its session is removed" ep destroy "$sid"
	check "then the port is gone" wait $!
	check_equal "with its host" 1 "$(find /sys/class/iscsi_host/ -name 'host*' | wc -l)"
	check "it comes back" port 0 plugged 1
	check_equal "with a host" 2 "$(find /sys/class/iscsi_host/ -name 'host*' | wc -l)"
	sid=$(log_in 0)
	check "that logs in" ep logout "$sid"
}

# answer_path MAC SOURCE VLAN MTU: the next request, which is printed.
answer_path()
{
	local host handle rest
	read -r _ host handle rest < <(await_line path-request)
	ep path "$host" "$handle" "$@" || return
	echo "$rest"
}

# test_paths WORDS: what the driver answers to a negative answer.
test_paths()
{
	local mac=02:00:00:00:00:01 endpoint sid
	endpoint=$(connect 0)
	check_equal "a connect waits for the path" 0 "$(ep poll "$endpoint")"
	check_equal "to its target" "$storage 0 1500" "$(answer_path $mac "$storage" 5 1500)"
	check "then it connects" ep wait "$endpoint"
	check_equal "the answer is seen" "$mac $storage 5 1500" "$(port 0 path)"
	sid=$(ep login "$endpoint" "$target")
	check "data come back by this path" write_and_compare "$(ep await-disk)"
	check "logout by it" ep logout "$sid"
	endpoint=$(connect 0)
	check_equal "$transport's answer to a negative one" "$1" "$(answer_path 00:00:00:00:00:00 0.0.0.0 0 0 2>&1 >"$work/answer")"
	check_equal "no path is a failure at once" -1 "$(ep poll "$endpoint")"
	check "after it, too, the endpoint goes" ep disconnect "$endpoint"
	endpoint=$(connect 0)
	check "a path with another source" answer_path $mac 192.0.2.77 0 1500
	check_equal "a source that is not there is a failure" -1 "$(ep poll "$endpoint")"
	check "its endpoint goes" ep disconnect "$endpoint"
	deafen_adapter
	check_fails "nobody to be asked for a path" 1 connect 0
	check_equal "is told so" "transport: request 29: No such process" "$(tail -n 1 "$work/output")"
	listen_adapter "$transport"
}

load_iscsi
setup_storage
check "a target in the storage network" in_storage lio setup --portal "$storage:3260" \
	--parameter HeaderDigest=None,CRC32C --parameter DataDigest=None,CRC32C

load cxgb4i 0x30b9 ports=2
check_equal "its hosts" 2 "$(find /sys/class/iscsi_host/ -name 'host*' | wc -l)"
test_data_path
test_faults
test_unplug
unload

load bnx2i 0x8b9
test_paths ""
port 0 plugged 0
check_equal "$transport says that it goes" interface-down "$(await_line interface-down | cut -d ' ' -f 1)"
unload

load qedi 0x8b9
test_paths "transport: request 30: Input/output error"
port 0 fault path-ignored
endpoint=$(connect 0)
check "an answer that is not heard" answer_path 02:00:00:00:00:01 "$storage" 0 1500
check_equal "is as none" 0 "$(ep poll "$endpoint")"
check "the endpoint goes" ep disconnect "$endpoint"
port 0 fault clear
unload
