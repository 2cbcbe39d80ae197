#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Adapters that have a network of their own are told what was set of it: when a person says so, and when the daemon
# starts; not what they have already, and nothing that would cut sessions unasked.
# kernels: 6.1 6.12
# needs: adapter
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
if [[ -z ${ADAPTER:-} ]]; then
	skip "networks of adapters" "there is no test adapter"
	exit
fi
# shellcheck source=tests/kernel/adapter.sh
source "${BASH_SOURCE[0]%/*}/adapter.sh"

event_limit=30

# shown FAMILY NUMBER ATTRIBUTE: of the interface of the first port.
shown()
{
	cat "/sys/class/iscsi_iface/ipv$1-iface-$(port 0 host)-$2/$3"
}

restart()
{
	check "the daemon stops" stop_service oisd
	check "the daemon starts" start_oisd
}

plug()
{
	check "the adapter plays $1" load_adapter "$1"
	iface=$1.$(port 0 hwaddress)
	check_equal "its port is listed" "$(port 0 host)" \
		"$(ois-ctl ifaces --json=short | jq --arg name "$iface" '.[] | select(.name == $name).host')"
}

test_be2iscsi()
{
	local all="network.address, network.prefixLength, network.gateway, network.vlan, network.vlanPriority"
	plug be2iscsi
	check_fails "there is nothing to apply" 1 ois-ctl iface apply "$iface"
	check "network" ois-ctl iface set "$iface" network.address=192.0.2.9 network.prefixLength=24 network.gateway=192.0.2.1 \
		network.vlan=7 network.vlanPriority=2
	port 0 fault "network-error 5 1"
	check_fails "the adapter refuses it" 1 ois-ctl iface apply "$iface"
	check_event 1204 OIS_IFACE="$iface" OIS_STATUS=5 OIS_SETTING="$all"
	check_equal "apply" "$iface: applied" "$(ois-ctl iface apply "$iface")"
	check_equal "the port has it" "192.0.2.9 255.255.255.0 192.0.2.1 7 2 enable" \
		"$(shown 4 0 ipaddress) $(shown 4 0 subnet) $(shown 4 0 gateway) $(shown 4 0 vlan_id) $(shown 4 0 vlan_priority) $(
			shown 4 0 vlan_enabled)"
	check_event 1203 OIS_IFACE="$iface"
	check_equal "it is told once" "$iface: in force already" "$(ois-ctl iface apply "$iface")"
	check_fails "what it does not take is refused" 2 ois-ctl iface set "$iface" network.mtu=9000
	check "connections begin there" ois-ctl node add "$target" "$storage" interface="$iface" loginRetryMax=0
	check "login" ois-ctl login "$target"
	check_equal "from its address" 192.0.2.9 "$(in_storage ss --no-header --tcp --numeric state established dport = 3260 |
		awk '{ print $3 }' | cut -d : -f 1 | sort -u)"
	check "data" write_and_compare "$(first_disk)" 64
	check "logout" ois-ctl logout "$target"
	check "no VLAN" ois-ctl iface set "$iface" network.vlan=0 --reset=network.vlanPriority
	restart
	check_event 1203 OIS_IFACE="$iface" OIS_SETTING=network.vlan
	check_equal "the start applies it" disable "$(shown 4 0 vlan_enabled)"
	check "IPv6 is another interface" ois-ctl iface add six transport=be2iscsi adapter="$(port 0 hwaddress)" \
		network.family=ipv6 network.enabled=yes network.address=2001:db8::9
	check_equal "apply of all" "1 applied, 1 in force already" "$(ois-ctl iface apply)"
	check_equal "the port has it" 2001:0db8:0000:0000:0000:0000:0000:0009 "$(shown 6 0 ipaddress)"
	check "unloaded" unload_adapter
	check_fails "without the port" 1 ois-ctl iface apply six
	ois-ctl node remove "$target" >/dev/null
	ois-ctl iface remove six "$iface" >/dev/null
}

# All connections of the port are lost when it is told anything; the firmware brings its own back by itself.
test_qla4xxx()
{
	local sid
	plug qla4xxx
	transport=qla4xxx
	listen_adapter qla4xxx
	port 0 firmware "$storage $target"
	read -r _ sid _ < <(await_line session-created)
	check "a session of the firmware" test -n "$sid"
	check "network" ois-ctl iface set "$iface" network.address=192.0.2.9 network.prefixLength=24 network.mtu=1400
	restart
	check_equal "a start tells nothing to a port with sessions" 1500 "$(shown 4 0 mtu)"
	check "a person does" ois-ctl iface apply "$iface"
	check_equal "the port has it" "1400 192.0.2.9" "$(shown 4 0 mtu) $(shown 4 0 ipaddress)"
	check "again" ois-ctl iface apply "$iface"
	check_equal "tells nothing" 1 "$(n_events 1203 OIS_IFACE="$iface")"
	port 0 firmware ""
	deafen_adapter
	check "unloaded" unload_adapter
	ois-ctl iface remove "$iface" >/dev/null
}

test_cxgb3i()
{
	plug cxgb3i
	check "address" ois-ctl iface set "$iface" network.address=192.0.2.9
	check "apply" ois-ctl iface apply "$iface"
	check_equal "the port has it" 192.0.2.9 "$(port 0 ipaddress)"
	check_equal "it is told once" "$iface: in force already" "$(ois-ctl iface apply "$iface")"
	check "unloaded" unload_adapter
}

start_system
setup_storage
in_storage ip address add 192.0.2.9/32 dev lo
load_modules ipv6
in_storage ip address add 2001:db8::9/128 dev lo
check "a target in the storage network" in_storage lio setup --portal "$storage:3260" --pages 256
test_be2iscsi
test_qla4xxx
test_cxgb3i
