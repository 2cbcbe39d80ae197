#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The test adapter does what the other scripts take for granted. The initiator here is "transport", not the daemon.
# kernels: 6.1 6.12
# needs: adapter
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source=tests/kernel/adapter.sh
source "${BASH_SOURCE[0]%/*}/adapter.sh"

target=iqn.2026-11.org.example:disk1

# ep VERB...: of the transport that is loaded.
ep()
{
	transport "$transport" "$@"
}

# log_in PORT [WORD]...: prints the session.
log_in()
{
	ep login "$(port "$1" host)" "$storage" "$target" "${@:2}"
}

conn_attribute()
{
	cat "/sys/class/iscsi_connection/connection$1:0/$2"
}

test_data_path()
{
	local sid
	check_fails "the target is out of reach from here" 1 timeout 5 bash -c "</dev/tcp/$storage/3260"
	sid=$(log_in 1)
	check_equal "the session is the second port's" "host$(port 1 host)" \
		"$(basename "$(readlink -f "/sys/class/iscsi_session/session$sid/device/..")")"
	check_equal "its address" "$storage" "$(conn_attribute "$sid" address)"
	check "data come back" write_and_compare "$(first_disk)"
	check_fails "it is not unloaded under a session" 1 unload_adapter
	port 1 raise cut
	check "a login after a cut" ep relogin "$sid" "$(port 1 host)" "$storage" "$target"
	check "data come back after it" write_and_compare "$(first_disk)"
	check "logout" ep logout "$sid"
	sid=$(log_in 0 digests)
	check_equal "digests are in force" "1 1" "$(conn_attribute "$sid" header_digest) $(conn_attribute "$sid" data_digest)"
	check "data come back with digests" write_and_compare "$(first_disk)" 1024
	check "logout with digests" ep logout "$sid"
	check_equal "no endpoint is left" "" "$(ls /sys/class/iscsi_endpoint)"
}

load_iscsi
setup_storage
check "a target in the storage network" in_storage lio setup --portal "$storage:3260" \
	--parameter HeaderDigest=None,CRC32C --parameter DataDigest=None,CRC32C

transport=cxgb4i
check "the adapter plays $transport" load_adapter "$transport" ports=2
check_equal "its hosts" 2 "$(find /sys/class/iscsi_host/ -name 'host*' | wc -l)"
check_equal "its capabilities" 0x30b9 "$(cat "/sys/class/iscsi_transport/$transport/caps")"
test_data_path
check "the adapter is unloaded" unload_adapter
check_nothing_left
