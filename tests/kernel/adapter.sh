# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The test adapter (adapter/README.md) and a storage network that only it can reach: a network namespace with the
# targets, in which the adapter's connections begin, too. A script that sources this has the line "# needs: adapter".
: "${ADAPTER:?the module of the test adapter}"

storage=192.0.2.1

# in_storage COMMAND...: beside the targets. Not "ip netns exec", which would hide configfs.
in_storage()
{
	nsenter --net=/run/netns/storage "$@"
}

# The drivers whose part the adapter plays must not come when they are asked for.
hide_drivers()
{
	modinfo --field=filename cxgb3i cxgb4i bnx2i qedi be2iscsi qla4xxx 2>/dev/null | xargs -r rm -f || true
}

setup_storage()
{
	hide_drivers
	ip netns add storage
	in_storage ip link set lo up
	in_storage ip address add "$storage/32" dev lo
	exec 8</run/netns/storage
}

# ---- the network of this host beside the adapter's, for those that ask it for the way ----

# Of the adapter, in the subnet of net0.
own=192.0.2.9

in_lan()
{
	nsenter --net=/run/netns/lan "$@"
}

# add_lan DEVICE PEER [ADDRESS PEER-ADDRESS]...: both ends of a link up, with these addresses.
add_lan()
{
	local device=$1 peer=$2
	shift 2
	echo 0 >"/proc/sys/net/ipv6/conf/$device/accept_dad"
	in_lan sh -c "echo 0 >/proc/sys/net/ipv6/conf/$peer/accept_dad"
	ip link set "$device" up
	in_lan ip link set "$peer" up
	while (($#)); do
		ip address add "$1" dev "$device"
		in_lan ip address add "$2" dev "$peer"
		shift 2
	done
}

# net0, whose other end has the target's address, and answers for the next hop and nothing else.
setup_wire()
{
	load_modules ipv6 veth
	ip netns add lan
	ip link add net0 type veth peer name wire
	ip link set wire netns lan
	add_lan net0 wire 192.0.2.100/24 "$storage/24"
	in_storage ip address add "$own/32" dev lo
}

# ---- the module ----

# load_adapter NAME [PARAMETER=VALUE]...: plays this transport, with all ports in the storage network.
load_adapter()
{
	load_modules libiscsi_tcp
	insmod "$ADAPTER" name="$1" "${@:2}"
	local port
	for port in /sys/devices/testadapter/port*; do
		echo "fd 8" >"$port/netns"
	done
}

unload_adapter()
{
	rmmod testadapter
}

# listen_adapter NAME: from now on its events are on descriptor 9, one a line.
listen_adapter()
{
	local line
	exec 9< <(exec transport "$1" events)
	listener=$!
	read -r line <&9
	[[ $line == listening ]]
}

deafen_adapter()
{
	kill "$listener"
	exec 9<&-
}

# await_line PATTERN...: prints the next event that begins with one of them; others are passed over.
await_line()
{
	local line pattern
	while read -r -t 10 line <&9; do
		for pattern; do
			[[ $line != "$pattern"* ]] || { echo "$line"; return; }
		done
	done
	return 1
}

# Events so far are of no interest: an event of our own comes after them.
forget_events()
{
	port 0 raise "event 99"
	await_line "host-event $(port 0 host) 0 99" >/dev/null
}

# port NUMBER ATTRIBUTE: what it says. port NUMBER ATTRIBUTE VALUE: tells it.
port()
{
	local file=/sys/devices/testadapter/port$1/$2
	if (($# == 2)); then
		cat "$file"
	else
		echo "$3" >"$file"
	fi
}

# ---- driving it without the daemon ----

target=iqn.2026-11.org.example:disk1

# ep VERB...: of the transport that is loaded.
ep()
{
	transport "$transport" "$@"
}

# connect PORT: prints the endpoint.
connect()
{
	ep connect "$(port "$1" host)" "$storage"
}


# log_in PORT [WORD]...: prints the session.
log_in()
{
	local endpoint
	endpoint=$(connect "$1")
	ep wait "$endpoint"
	ep login "$endpoint" "$target" "${@:2}"
}

# relogin SESSION PORT
relogin()
{
	local endpoint
	endpoint=$(connect "$2")
	ep wait "$endpoint"
	ep relogin "$1" "$endpoint" "$target"
}

conn_attribute()
{
	cat "/sys/class/iscsi_connection/connection$1:0/$2"
}

load()
{
	transport=$1
	check "the adapter plays $transport" load_adapter "$transport" "${@:3}"
	check_equal "$transport has the capabilities of the real one" "$2" "$(cat "/sys/class/iscsi_transport/$transport/caps")"
	listen_adapter "$transport"
}

unload()
{
	check_equal "no endpoint of $transport is left" "" "$(ls /sys/class/iscsi_endpoint)"
	deafen_adapter
	check "$transport is unloaded" unload_adapter
	check_nothing_left
}
