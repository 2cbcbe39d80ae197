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

setup_storage()
{
	ip netns add storage
	in_storage ip link set lo up
	in_storage ip address add "$storage/32" dev lo
	exec 8</run/netns/storage
}

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

# listen_adapter: from now on its events are on descriptor 9, one a line.
listen_adapter()
{
	local line
	exec 9< <(exec transport "$transport" events)
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
