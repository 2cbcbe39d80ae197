#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Ports of adapters as the daemon tells of them: hosts by number and hardware address, and links that go down and come up.
# kernels: 6.1 6.12
# needs: adapter
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source=tests/kernel/adapter.sh
source "${BASH_SOURCE[0]%/*}/adapter.sh"

# host NUMBER FIELD: of the port with this number, as the daemon tells it.
host()
{
	ois-ctl host show "$(port "$1" host)" --json=short | jq -r ".[0].$2"
}

test_list()
{
	local address
	check_equal "no hosts without an adapter" "[]" "$(ois-ctl hosts --json=short)"
	load_adapter cxgb4i ports=2
	port 1 netdev eth7
	check_equal "each port is listed" "cxgb4i cxgb4i" "$(ois-ctl hosts --json=short | jq -r '.[].transport' | paste -s -d ' ')"
	check_equal "with its number" "$(port 1 host)" "$(host 1 hostNumber)"
	check_equal "and what it is" "true cxgb4i eth7" "$(host 1 adapter) $(host 1 procName) $(host 1 netDevice)"
	check_equal "no sessions" 0 "$(host 1 'sessions | length')"
	check_equal "what it can do" 0x30b9 "$(cat /sys/class/iscsi_transport/cxgb4i/caps)"
	check_equal "is told in words" \
		"error_recovery_level_0 multiple_r2t header_digest data_digest text_negotiation digest_offload padding_offload" \
		"$(host 1 'capabilities[]' | paste -s -d ' ')"
	address=$(port 1 hwaddress)
	check_equal "it has a name that stays" "$(port 1 host)" \
		"$(ois-ctl host show "$address" --json=short | jq -r '.[0].hostNumber')"
	check_fails "no such number" 3 ois-ctl host show 999
	check_fails "no such address" 3 ois-ctl host show 02:00:00:ff:ff:ff
	port 0 hwaddress "$address"
	check_fails "an address that two have" 1 ois-ctl host show "$address"
	check_equal "is said to be that" \
		"Failed to show host $address: several hosts have this hardware address; name one by its number" \
		"$(cat "$work/output")"
}

test_link()
{
	port 1 raise "event 2"
	check_event 1061 OIS_HOST="$(port 1 host)" OIS_TRANSPORT=cxgb4i OIS_HARDWARE_ADDRESS="$(port 1 hwaddress)" OIS_COUNT=0
	port 1 raise "event 77"
	port 1 raise "event 1"
	check_event 1060 OIS_HOST="$(port 1 host)" OIS_TRANSPORT=cxgb4i OIS_HARDWARE_ADDRESS="$(port 1 hwaddress)" OIS_COUNT=0
	check_equal "each once, and nothing of a code that nobody knows" "1 1" "$(n_events 1061) $(n_events 1060)"
}

setup_storage
start_system
test_list
test_link
check "the adapter goes" unload_adapter
check_equal "and its hosts" "[]" "$(ois-ctl hosts --json=short)"
