#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Portals by all kinds of addresses: link-local with its interface, IPv6, names with several addresses of which not
# all answer; discoveries over one interface, and of one target.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

nodes()
{
	ois-ctl nodes --json=short | jq -r '.[].key | "\(.targetName) \(.address) \(.port) \(.portalGroupTag)"'
}

device()
{
	local name=$1 address=$2
	echo 0 >"/proc/sys/net/ipv6/conf/$name/accept_dad"
	ip link set "$name" up
	ip address add "$address" dev "$name"
}

start_system
load_modules ipv6 veth
ip link add near type veth peer name far
device near 192.0.2.1/24
device far 198.51.100.1/24
local_address=$(ip -6 -json address show dev near scope link | jq -r '.[0].addr_info[0].local')
lio setup --name iqn.2026-11.org.example:disk --targets 3 --portal '[::]:3260' --tag 7 --pages 64

# The target listens everywhere and names the address it was reached by, without an interface.
check "discovery at a link-local address" ois-ctl discover "[$local_address%near]" --target=iqn.2026-11.org.example:disk2
check_equal "finds the one target, on our link" "iqn.2026-11.org.example:disk2 $local_address%near 3260 7" "$(nodes)"
check "login" ois-ctl login --all
check "the disk can be used" write_and_compare "$(session_disks)" 64
check_equal "the session is listed by the address" "[$local_address%near]:3260" \
	"$(ois-ctl sessions --no-legend | awk '{ print $3 }')"
check "the daemon stops" stop_service oisd
check "the daemon starts" start_oisd
check_equal "it takes the session over" "$local_address%near true" \
	"$(ois-ctl sessions --json=short | jq -r '.[] | "\(.address) \(.managed)"')"
check "logout by portal" ois-ctl logout --all --portal="[$local_address%near]"
check_nothing_left
ois-ctl node remove --all >/dev/null

check "the interface may be an option" ois-ctl discover "$local_address" --interface=tcp.near --record=replace
check_equal "and finds all" 3 "$(nodes | grep -c " $local_address%near 3260 7")"
check_fails "a link-local address alone is no way" 1 ois-ctl discover "$local_address"
check_event 5 OIS_PORTAL="[$local_address]:3260"
check_fails "nor is an interface that is not there" 1 ois-ctl discover "[$local_address%nosuch0]"
check_event 5 OIS_PORTAL="[$local_address%nosuch0]:3260"
check_fails "nor an address of somebody else" 1 ois-ctl discover 192.0.2.1 --source=203.0.113.1
check_event 5 OIS_PORTAL=192.0.2.1:3260
ois-ctl node remove --all >/dev/null

# Nobody is behind the first two addresses of the name, and the network does not say so at once.
cat >>/etc/hosts <<-END
	2001:db8::77 storage.example
	192.0.2.77 storage.example
	192.0.2.1 storage.example
END
ip -6 route add 2001:db8::/64 dev near
ip -6 neighbour add 2001:db8::77 lladdr 02:00:00:00:00:77 dev near
ip neighbour add 192.0.2.77 lladdr 02:00:00:00:00:77 dev near
check "discovery at a name" ois-ctl discover storage.example
check_equal "by the address that answered" 3 "$(nodes | grep -c ' 192.0.2.1 3260 7')"
check "a node by name" ois-ctl node add iqn.2026-11.org.example:disk3 storage.example
check "login by name" ois-ctl login iqn.2026-11.org.example:disk3 --portal=storage.example
check "the disk can be used" write_and_compare "$(session_disks)" 64
check_equal "no address failed: the slow ones lost" 0 "$(n_events 1)"
check "logout" ois-ctl logout --all
check_nothing_left
