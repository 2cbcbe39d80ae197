#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What an adapter with firmware does and keeps by itself, through the daemon: pings, CHAP secrets, counters,
# flash nodes, parameters.
# kernels: 6.1 6.12
# needs: adapter
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source=tests/kernel/adapter.sh
source "${BASH_SOURCE[0]%/*}/adapter.sh"

# told: what the last command of a check said.
told()
{
	cat "$work/output"
}

test_ping()
{
	check "a ping" ois-ctl host ping "$host" "$storage"
	check_equal "is answered" "1 sent, 1 answered" "$(told | sed -n 's/,[^,]*$//; $p')"
	check "three pings" ois-ctl host ping "$host" "$storage" --count=3 --interval=1 --size=1000 --json=short
	check_equal "are told one by one" '1 2 3 {"sent":3,"received":3}' \
		"$(told | jq -c '.reply.sequence // (.summary | {sent, received})' | paste -s -d ' ')"
	check_fails "nobody there" 6 ois-ctl host ping "$host" 203.0.113.1
	check_equal "is told" "203.0.113.1: 1: the adapter has no way to this destination 1 sent, none answered" \
		"$(told | paste -s -d ' ')"
	check_fails "too large" 6 ois-ctl host ping "$host" "$storage" --size=9000
	check_equal "is told, too" "$storage: 1: that is too large for the adapter" "$(told | head -n 1)"
	port 0 fault "ping-status 9 1"
	check_fails "a fault once" 7 ois-ctl host ping "$host" "$storage" --count=2
	check_equal "in words" "$storage: 1: nobody answered the ARP request" "$(told | head -n 1)"
	check_fails "a name is no address" 2 ois-ctl host ping "$host" localhost
}

test_chap()
{
	local i
	check_equal "no secrets" "[]" "$(ois-ctl host chap list "$host" --json=short)"
	check "one of this host" ois-ctl host chap set "$host" alice --index=3 --secret-file=- <<<open-sesame-1001
	check "one of targets, at any place" ois-ctl host chap set "$host" storage --target-secret-file=- <<<who-goes-there-42
	check_equal "they are listed, without the secrets" \
		"$(printf '%s\n' "INDEX PROVES    USER NAME SECRET" "    0 target    storage   set" "    3 this host alice     set")" \
		"$(ois-ctl host chap list "$host")"
	check_fails "one does not become the other" 1 ois-ctl host chap set "$host" alice --index=3 --target-secret-file=- <<<who-goes-there-43
	check_fails "too short" 2 ois-ctl host chap set "$host" alice --secret-file=- <<<short
	check_fails "none" 2 ois-ctl host chap set "$host" alice
	check "a secret is removed" ois-ctl host chap remove "$host" 0
	check_fails "once" 3 ois-ctl host chap remove "$host" 0
	for ((i = 0; i < 15; i++)); do
		ois-ctl host chap set "$host" "user$i" --secret-file=- <<<"secret-number-$i" >/dev/null
	done
	check_equal "a full page" 16 "$(ois-ctl host chap list "$host" --json=short | jq length)"
	check_fails "and no more" 1 ois-ctl host chap set "$host" bob --secret-file=- <<<open-sesame-1002
	check_equal "is told" "Failed to store the CHAP secret of this host for bob: store a CHAP secret: the table is full" "$(told)"
	check "all are removed" ois-ctl host chap remove "$host" {0..15}
}

test_statistics()
{
	check_equal "each counter is in its place" "$(seq -s ' ' 1000 1081)" \
		"$(ois-ctl host stats "$host" --json=short | jq '.mac, .ipv4, .ipv6, .tcp, .ecc, .iscsi | .[]' | paste -s -d ' ')"
	check_equal "also for people" "iscsi sequenceError 1081" "$(ois-ctl host stats "$host" | tail -n 1 | cut -d ' ' -f 1-2,1 | tr -s ' ') 1081"
	check_equal "and for collectors" \
		"ois_port_mac_tx_frames_total{host=\"$host\",transport=\"qla4xxx\",address=\"$(port 0 hwaddress)\"} 1000" \
		"$(ois-ctl host stats "$host" --openmetrics | grep '^ois_port_mac_tx_frames_total')"
}

target=iqn.2026-11.org.example:disk1

# flash INDEX NAME: a parameter of a flash node.
flash()
{
	ois-ctl host flashnode show "$host" "$1" --json=short | jq -r ".[0].parameters.$2"
}

firmware_session()
{
	ois-ctl sessions --json=short | jq -r 'map(select(.managed | not)) | .[0].session // empty'
}

test_flash_nodes()
{
	local sid
	check "a target in the storage network" in_storage lio setup --portal "$storage:3260"
	check_equal "no flash nodes" "[]" "$(ois-ctl host flashnode list "$host" --json=short)"
	check_fails "a value that makes no sense" 2 ois-ctl host flashnode add "$host" ipv4 targetName="$target" port=0
	check_equal "is told" "Failed to make a flash node of host $host: port: must be a number from 1 to 65535" "$(told)"
	check_equal "and nothing was made" "[]" "$(ois-ctl host flashnode list "$host" --json=short)"
	check "one is made" ois-ctl host flashnode add "$host" ipv4 targetName="$target" address="$storage"
	check_equal "and named" "Flash node 0 of host $host made" "$(told)"
	check_equal "it is what was said" "$target $storage 3260 8192" \
		"$(flash 0 targetName) $(flash 0 address) $(flash 0 port) $(flash 0 firstBurstLength)"
	check "a change" ois-ctl host flashnode set "$host" 0 firstBurstLength=16384 immediateData=no isid=400001370001 port=3260
	check_equal "is seen" "16384 no" "$(flash 0 firstBurstLength) $(flash 0 immediateData)"
	check_fails "what is shown only" 2 ois-ctl host flashnode set "$host" 0 bootTarget=yes
	check_fails "what there is not" 2 ois-ctl host flashnode set "$host" 0 colour=green
	check_fails "no such node" 3 ois-ctl host flashnode show "$host" 5
	check_fails "nor to change" 3 ois-ctl host flashnode set "$host" 5 port=3261
	check_fails "nothing to log out of" 1 ois-ctl host flashnode logout "$host" 0
	check "the adapter logs in" ois-ctl host flashnode login "$host" 0
	check_event 1009 OIS_TARGET="$target"
	sid=$(firmware_session)
	check_equal "the session is nobody's" -1 "$(cat "/sys/class/iscsi_session/session$sid/creator")"
	check_equal "and on the host" "$sid" "$(ois-ctl host show "$host" --json=short | jq -r '.[0].sessions[0]')"
	check_fails "it is not logged out by us" 1 ois-ctl logout "$sid" --force
	check_equal "which is told" "the daemon does not manage this session" "$(told | grep -o 'the daemon does not manage this session')"
	check_fails "nor taken over" 1 ois-ctl session adopt "$sid"
	check_equal "and is still there" LOGGED_IN "$(cat "/sys/class/iscsi_session/session$sid/state")"
	check_fails "the adapter logs in once" 1 ois-ctl host flashnode login "$host" 0
	check "the adapter logs out" ois-ctl host flashnode logout "$host" 0
	check_equal "and the session is gone" "" "$(ls /sys/class/iscsi_session)"
	check "the node is removed" ois-ctl host flashnode remove "$host" 0
	check_fails "once" 3 ois-ctl host flashnode remove "$host" 0
}

test_refusals()
{
	local name
	check_fails "its parameters are not for us to set" 1 ois-ctl host set "$host" netDevice=eth7
	check_equal "that is told" "Failed to set host $host: qla4xxx cannot set the network device" "$(told)"
	check_fails "a parameter that makes no sense" 2 ois-ctl host set "$host" address=here
	check_equal "is told, too" "Failed to set host $host: address: is no IPv4 address" "$(told)"
	unload_adapter
	load_adapter cxgb3i
	host=$(port 0 host)
	for name in "ping $host $storage" "chap list $host" "stats $host" "chap remove $host 0"; do
		# shellcheck disable=SC2086
		check_fails "cxgb3i has no $name" 1 ois-ctl host $name
		check_equal "which is told" "cxgb3i cannot" "$(told | grep -o 'cxgb3i cannot')"
	done
	check "cxgb3i takes an address" ois-ctl host set "$host" address=192.0.2.1 initiatorName=iqn.2026-11.org.example:port
	check_equal "and a name" "192.0.2.1 iqn.2026-11.org.example:port" \
		"$(ois-ctl host show "$host" --json=short | jq -r '.[0] | .address + " " + .initiatorName')"
}

setup_storage
start_system
load_adapter qla4xxx
host=$(port 0 host)
test_ping
test_chap
test_statistics
test_flash_nodes
test_refusals
check "the adapter goes" unload_adapter
