#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The test adapter where adapters have more than connections: network interfaces (be2iscsi, qla4xxx), and firmware that
# logs in by itself and has tables of its own (qla4xxx). The initiator here is "transport", not the daemon.
# kernels: 6.1 6.12 debian13
# needs: adapter
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source=tests/kernel/adapter.sh
source "${BASH_SOURCE[0]%/*}/adapter.sh"

# iface 4|6 NUMBER ATTRIBUTE: what it says.
iface()
{
	cat "/sys/class/iscsi_iface/ipv$1-iface-$(port 0 host)-$2/$3"
}

session_attribute()
{
	cat "/sys/class/iscsi_session/session$1/$2"
}

test_interfaces()
{
	local host
	host=$(port 0 host)
	check_equal "an address that is not set" 0.0.0.0 "$(iface 4 0 ipaddress)"
	check "address, mask and gateway" ep iface "$host" 4 0 net 1:ip:198.51.100.7 2:ip:255.255.255.0 3:ip:198.51.100.1
	check_equal "are seen" "198.51.100.7 255.255.255.0 198.51.100.1" \
		"$(iface 4 0 ipaddress) $(iface 4 0 subnet) $(iface 4 0 gateway)"
	check_equal "static" static "$(iface 4 0 bootproto)"
	check "DHCP" ep iface "$host" 4 0 net 4:u8:2
	check_equal "is seen" dhcp "$(iface 4 0 bootproto)"
	check "VLAN" ep iface "$host" 4 0 net 15:u8:2 16:u16:$((5 << 13 | 77))
	check_equal "is seen, too" "enable 77 5" "$(iface 4 0 vlan_enabled) $(iface 4 0 vlan_id) $(iface 4 0 vlan_priority)"
	check "IPv6 address" ep iface "$host" 6 0 net 12:u8:2 7:ip:2001:db8::7
	check_equal "is seen as groups" 2001:0db8:0000:0000:0000:0000:0000:0007 "$(iface 6 0 ipaddress)"
	check "an interface is taken away" ep iface "$host" 4 0 net 12:u8:1
	check_equal "with its object" "" "$(find /sys/class/iscsi_iface/ -name 'ipv4*')"
	check "it comes back" ep iface "$host" 4 0 net 12:u8:2 4:u8:1
	check_equal "as it was" 198.51.100.7 "$(iface 4 0 ipaddress)"
}

test_be2iscsi()
{
	local host endpoint sid
	host=$(port 0 host)
	check_equal "port state and speed" "LINK UP 10 Gbps" \
		"$(cat "/sys/class/iscsi_host/host$host/port_state" "/sys/class/iscsi_host/host$host/port_speed" | paste -s -d ' ')"
	check_fails "an address without a mask is refused" 1 ep iface "$host" 4 0 net 1:ip:198.51.100.8
	check_fails "as is a second interface" 1 ep iface "$host" 6 1 net 7:ip:2001:db8::8
	endpoint=$(connect 0)
	check_equal "an address that it does not have: it never connects" 0 "$(ep poll "$endpoint")"
	check "that endpoint goes" ep disconnect "$endpoint"
	check "its address in the storage network" ep iface "$host" 4 0 net "1:ip:$storage" 2:ip:255.255.255.255
	sid=$(log_in 0)
	check "data come back" write_and_compare "$(ep await-disk)"
	check_equal "limits" "8192 65536" "$(session_attribute "$sid" first_burst_len) $(session_attribute "$sid" max_burst_len)"
	port 0 link 0
	check_equal "link down" "LINK DOWN" "$(cat "/sys/class/iscsi_host/host$host/port_state")"
	check_fails "no connection then" 1 connect 0
	port 0 link 1
	check "logout" ep logout "$sid"
}

test_tables()
{
	local host
	host=$(port 0 host)
	check_equal "no secrets at first" "" "$(ep chap-get "$host" 0 10)"
	check "a secret" ep chap-set "$host" 0:u16:3 1:u8:0 2:text:alice 3:text:secretofalice 4:u8:13
	check "a secret of a target, at any place" ep chap-set "$host" 0:u16:65535 1:u8:1 2:text:storage 3:text:secretofstorage 4:u8:15
	check_equal "they are listed" $'0 1 storage secretofstorage 15\n3 0 alice secretofalice 13' "$(ep chap-get "$host" 0 10)"
	check_equal "from a place on" "3 0 alice secretofalice 13" "$(ep chap-get "$host" 1 10)"
	check_fails "one does not become the other" 1 ep chap-set "$host" 0:u16:3 1:u8:1 2:text:x 3:text:y 4:u8:1
	check "a secret is deleted" ep chap-delete "$host" 0
	check_fails "once" 1 ep chap-delete "$host" 0
	check_equal "the other is left" "3 0 alice secretofalice 13" "$(ep chap-get "$host" 0 10)"
	check_equal "statistics" "$(seq -s ' ' 1000 1081)" "$(ep host-stats "$host")"
	check "ping" ep ping "$host" 4 56 1234 "$storage"
	check_equal "succeeds" "ping-done $host 0 1234" "$(await_line ping-done)"
	check "ping of nobody" ep ping "$host" 4 56 1235 203.0.113.1
	check_equal "fails" "ping-done $host 5 1235" "$(await_line ping-done)"
	port 0 fault "ping-status 9 1"
	check "a ping with a fault" ep ping "$host" 4 56 1236 "$storage"
	check_equal "says it" "ping-done $host 9 1236" "$(await_line ping-done)"
	port 0 link 0
	check_equal "link down" "host-event $host 0 2" "$(await_line host-event)"
	port 0 link 1
	check_equal "link up" "host-event $host 0 1" "$(await_line host-event)"
}

test_self_login()
{
	local endpoint sid
	endpoint=$(connect 0)
	check "the adapter is ready at once" ep wait "$endpoint"
	sid=$(ep self-login "$endpoint" "$target" "$storage")
	check_equal "the adapter logs in" "login-state $sid 0 3" "$(await_line login-state)"
	check "data come back" write_and_compare "$(ep await-disk)"
	check_equal "what it negotiated" "8192 65536 1" \
		"$(session_attribute "$sid" first_burst_len) $(session_attribute "$sid" max_burst_len) $(session_attribute "$sid" tpgt)"
	port 0 raise cut
	check_equal "a cut is an error" "connection-error $sid 0 1011" "$(await_line "connection-error $sid")"
	endpoint=$(connect 0)
	check "it logs in again" ep self-relogin "$sid" "$endpoint" "$target"
	check "data come back after it" write_and_compare "$(ep await-disk)"
	check "removal is a logout" ep destroy "$sid"
	forget_events
	port 0 fault "login-error 111"
	endpoint=$(connect 0)
	check_fails "a login that fails" 1 ep self-login "$endpoint" "$target" "$storage"
	sid=$(await_line login-state | cut -d ' ' -f 2,4)
	check_equal "is told" 0 "${sid#* }"
	port 0 fault clear
	check "the session is removed" ep destroy "${sid% *}"
}

test_nodes()
{
	local host node sid
	host=$(port 0 host)
	node=$(ep node-new "$host" ipv4)
	check "a flash node" test -e "/sys/bus/iscsi_flashnode/devices/flashnode_sess-$host:$node"
	check_fails "does not log in without a target" 1 ep node-login "$host" "$node"
	check "its target" ep node-set "$host" "$node" "43:text:$target" "35:ip16:$storage" 32:u16:3260 51:u16:3
	check_equal "is seen" "$target $storage 3260 3 alice" \
		"$(cd "/sys/bus/iscsi_flashnode/devices/flashnode_sess-$host:$node" && cat targetname ./*/ipaddress ./*/port chap_out_idx username | paste -s -d ' ')"
	check_fails "a secret in use is not deleted" 1 ep chap-delete "$host" 3
	check_fails "what is not settable" 1 ep node-set "$host" "$node" 58:u8:1
	forget_events
	check "login to it" ep node-login "$host" "$node"
	sid=$(await_line session-created | cut -d ' ' -f 2)
	check_equal "makes a session of nobody" "-1 $target" "$(session_attribute "$sid" creator) $(session_attribute "$sid" targetname)"
	check "data come back from it" write_and_compare "$(ep await-disk)"
	port 0 raise cut
	check "and after a cut that the firmware repairs" write_and_compare "$(ep await-disk)"
	check "logout from it" ep node-logout "$host" "$node"
	check_equal "takes the session away" "session-destroyed $host $sid" "$(await_line "session-destroyed $host $sid")"
	check "the node is deleted" ep node-delete "$host" "$node"
	forget_events
	port 0 firmware "$storage $target"
	sid=$(await_line session-created | cut -d ' ' -f 2)
	check "data come back from a session made before" write_and_compare "$(ep await-disk)"
	check_fails "from which nobody logs out" 1 ep session-logout "$host" "$sid"
	check_fails "and to whose target nobody else logs in" 1 ep self-login "$(connect 0)" "$target" "$storage"
	check_equal "for it is there" "transport: request 17: File exists" "$(tail -n 1 "$work/output")"
	check "a session that was not begun is removed" ep destroy "$(await_line session-created | cut -d ' ' -f 2)"
	port 0 firmware ""
	check_equal "but itself" "session-destroyed $host $sid" "$(await_line "session-destroyed $host $sid")"
}

load_iscsi
setup_storage
check "a target in the storage network" in_storage lio setup --portal "$storage:3260"

load be2iscsi 0x8b9
test_interfaces
test_be2iscsi
unload

load qla4xxx 0x48b8
test_interfaces
ep iface "$(port 0 host)" 4 0 net 12:u8:2 1:ip:0.0.0.0
test_tables
test_self_login
test_nodes
check_equal "no endpoint of $transport is left" "" "$(ls /sys/class/iscsi_endpoint)"
port 0 firmware "$storage $target"
check "its disk is there" ep await-disk
deafen_adapter
check "the adapter is unloaded with its own session" unload_adapter
check_nothing_left
