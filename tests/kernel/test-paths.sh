#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Adapters that have an address of their own and no tables for the network: the daemon tells them the way, which is that
# of this host, or at once that there is none. The target can be reached through the adapter only; what has its address
# in the network of this host is another one, which answers for the next hop and nothing else.
# kernels: 6.1 6.12
# needs: adapter
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
if [[ -z ${ADAPTER:-} ]]; then
	skip "paths of adapters" "there is no test adapter"
	exit
fi
# shellcheck source=tests/kernel/adapter.sh
source "${BASH_SOURCE[0]%/*}/adapter.sh"

event_limit=30

setup_lan()
{
	setup_wire
	add_lan net0 wire 2001:db8::100/64 2001:db8::1/64
	ip link add link net0 name net0.5 mtu 1400 type vlan id 5
	in_lan ip link add link wire name wire.5 type vlan id 5
	add_lan net0.5 wire.5 192.0.3.100/24 192.0.3.1/24
	ip route add 198.51.100.0/24 via "$storage"
	local address
	for address in 192.0.3.9/32 192.0.3.1/32 198.51.100.1/32 2001:db8::1/128 2001:db8::9/128; do
		in_storage ip address add "$address" dev lo
	done
	wire=$(in_lan ip -json link show wire | jq -r '.[0].address')
}

# check_way WORDS PORTAL [NAME=VALUE]...: with these settings of the interface a login goes this way.
check_way()
{
	local way=$1 portal=$2
	ois-ctl iface set "$iface" --reset=network "${@:3}" >/dev/null
	ois-ctl node add "$target" "$portal" interface="$iface" loginRetryMax=0 >/dev/null
	check "$name: login at $portal ${*:3}" ois-ctl login "$target"
	check_equal "$name: goes the way to $portal" "$way" "$(port 0 path)"
	check "$name: data come back" write_and_compare "$(first_disk)" 64
	check "$name: logout" ois-ctl logout "$target"
	ois-ctl node remove "$target" >/dev/null
}

# check_no_way TEXT PORTAL [NAME=VALUE]...: the login fails with event 1202, and leaves no endpoint.
check_no_way()
{
	local text=$1 portal=$2
	ois-ctl iface set "$iface" --reset=network "${@:3}" >/dev/null
	ois-ctl node add "$target" "$portal" interface="$iface" loginRetryMax=0 >/dev/null
	check_fails "$name: no login at $portal ${*:3}" 1 timeout 8 ois-ctl login "$target"
	check_event 1202 OIS_TRANSPORT="$name" OIS_TARGET="$target" OIS_OUTCOME=failed OIS_STATUS_TEXT="$text"
	ois-ctl node remove "$target" >/dev/null
	check_equal "$name: nothing is left" "" "$(ls /sys/class/iscsi_endpoint)"
}

test_ways()
{
	check_way "$wire $own 0 1500" "$storage" network.address="$own"
	check_way "$wire $own 0 9000" "$storage" network.address="$own" network.mtu=9000
	check_way "$wire $own 12293 1500" "$storage" network.address="$own" network.vlan=5 network.vlanPriority=3
	check_way "$wire $own 0 1500" 198.51.100.1 network.address="$own"
	check_way "$wire 192.0.3.9 5 1400" 192.0.3.1 network.address=192.0.3.9
	ip route del 198.51.100.0/24
	check_way "$wire $own 0 1500" 198.51.100.1 network.address="$own" network.gateway="$storage"
	check_way "$wire 2001:db8::9 0 1500" 2001:db8::1 network.family=ipv6 network.address=2001:db8::9
}

test_no_ways()
{
	local hardware
	hardware=$(port 0 hwaddress)
	check_no_way "no interface of the adapter's port $hardware has a network.address with IPv4" "$storage"
	check_no_way "no interface of the adapter's port $hardware has a network.address with IPv6" 2001:db8::1 \
		network.address="$own"
	check_no_way "192.0.2.100 is an address of this host; the adapter needs one of its own" "$storage" \
		network.address=192.0.2.100
	check_no_way "the target is this host, and not on the network" 192.0.2.100 network.address="$own"
	check_no_way "no subnet of net0 has the adapter's address 203.0.113.9" "$storage" network.address=203.0.113.9
	check_no_way "no route to 198.51.100.1 over net0" 198.51.100.1 network.address="$own"
	check_no_way "192.0.2.77 does not answer on net0" 192.0.2.77 network.address="$own"
	ip link set net0.5 down
	check_no_way "network device net0.5 is down" 192.0.3.1 network.address=192.0.3.9
	ip link set net0.5 up
}

# Somebody else connects, too, and answers his own requests.
test_others()
{
	local endpoint handle
	ois-ctl iface set "$iface" network.address="$own" >/dev/null
	listen_adapter "$name"
	transport=$name
	endpoint=$(connect 0)
	read -r _ _ handle _ < <(await_line path-request)
	check "what is asked for others is known to the daemon" ois-ctl status
	check_equal "and left to them" 0 "$(ep poll "$endpoint")"
	ep path "$(port 0 host)" "$handle" 02:00:00:00:00:01 "$own" 0 1500
	check "they connect" ep wait "$endpoint"
	ep disconnect "$endpoint"
	deafen_adapter
}

test_down()
{
	listen_adapter "$name"
	ois-ctl node add "$target" 192.0.2.78 interface="$iface" loginRetryMax=0 >/dev/null
	ois-ctl login "$target" --no-wait
	await_line path-request >/dev/null
	port 0 raise if-down
	check_event 1202 OIS_TARGET="$target" OIS_STATUS=100 OIS_STATUS_TEXT="the adapter's network goes down"
	deafen_adapter
	ois-ctl node remove "$target" --force >/dev/null
}

test_bnx2i()
{
	test_ways
	test_no_ways
	test_others
	test_down
}

# What it does not tell is its network device.
test_qedi()
{
	check_way "$wire 192.0.3.9 5 1400" 192.0.3.1 network.address=192.0.3.9
	check_no_way "no subnet of this host has the adapter's address 203.0.113.9" "$storage" network.address=203.0.113.9
	check_no_way "192.0.2.77 does not answer on net0" 192.0.2.77 network.address="$own"
}

# test_adapter NAME NETDEV: what the port calls its network device.
test_adapter()
{
	name=$1
	check "the adapter plays $name" load_adapter "$name"
	iface=$name.$(port 0 hwaddress)
	port 0 netdev "$2"
	check "its port is an interface" ois-ctl iface show "$iface"
	"test_$name"
	check "$name is unloaded" unload_adapter
}

start_system
load_modules 8021q
setup_storage
setup_lan
check "a target in the storage network" in_storage lio setup --portal '[::]:3260' --pages 256
test_adapter bnx2i net0
test_adapter qedi host0
check_nothing_left
