#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The daemon as systemd's own client sees it: every interface, every method, replies, errors and streams. varlinkctl
# drops the connection at anything it does not expect, so it is the judge. Usage: varlinkctl.sh OISD SOURCE
set -uo pipefail

oisd=$1 source=$2
target=iqn.2026-11.org.example:disk
skip=77

version=$(varlinkctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
if ((${version:-0} < 257)); then
	echo "varlinkctl 257 or later is not installed"
	exit $skip
fi

directory=$(mktemp -d /tmp/ois-varlinkctl.XXXXXX)
address=$directory/org.ois
pid=
failures=0

# shellcheck disable=SC2317 # for the trap
finish()
{
	[[ -z $pid ]] || kill "$pid" 2>/dev/null
	wait
	rm -rf "$directory"
}
trap finish EXIT

not_ok()
{
	echo "not ok - $*"
	sed 's/^/# /' "$directory/output" "$directory/errors"
	failures=$((failures + 1))
}

# Runs varlinkctl with these arguments. It must end with this status, print a text that has this part ('' for any), and
# say nothing on standard error but a line with this end.
expect()
{
	local status=$1 part=$2 notice=$3 result=0
	shift 3
	timeout 30 varlinkctl "$@" >"$directory/output" 2>"$directory/errors" </dev/null || result=$?
	if ((result != status)); then
		not_ok "status $result, not $status: $*"
	elif [[ $(<"$directory/output") != *"$part"* ]]; then
		not_ok "no $part: $*"
	elif [[ $(<"$directory/errors") != ${notice:+*}"$notice" ]]; then
		not_ok "said something else than '$notice': $*"
	else
		echo "ok - $*"
	fi
}

show()
{
	expect 0 "$2" '' "$1" "$address" "${@:3}"
}

call()
{
	expect 0 "$1" '' call -j "${@:4}" "$address" "org.$2" "$3"
}

# The error must be this one, with these parameters. A second time, --graceful makes it a success.
call_fails()
{
	local error=org.$1 part=$2 arguments=("${@:5}" "$address" "org.$3" "$4")
	expect 1 "$part" "failed: $error" call -j "${arguments[@]}"
	expect 0 "$part" "returned expected error: $error" call -j --graceful="$error" "${arguments[@]}"
}

start()
{
	touch "$directory/ois.conf"
	"$oisd" --config="$directory/ois.conf" --listen="$address" --records="$directory/records" \
		--journal="$directory/journal" --initiator-name-file="$directory/initiatorname" \
		--sysfs="$directory/sysfs" 2>"$directory/log" &
	pid=$!
	# Whoever gets an answer finds a daemon that is ready; before, nobody listens.
	# Until it listens, nobody can be asked.
	while kill -0 "$pid" 2>/dev/null; do
		varlinkctl info "$address" >/dev/null 2>&1 && return
		sleep 0.1
	done
	echo "not ok - the daemon does not start"
	cat "$directory/log"
	exit 1
}

describe()
{
	local interface interfaces file
	show info 'Interfaces: org.ois.discovery'
	expect 0 '"vendor":"OIS","product":"oisd"' '' info -j "$address"
	show introspect 'method Login('
	show list-methods org.ois.session.Rescan
	show list-interfaces org.ois.session
	interfaces=$(<"$directory/output")
	for interface in $interfaces; do
		show introspect "interface $interface" "$interface"
		show list-methods "$interface." "$interface"
	done
	for file in "$source"/include/ois/*.varlink; do
		expect 0 '' '' validate-idl "$file"
	done
	call '"interfaces":["org.ois.discovery",' varlink.service.GetInfo '{}'
	call 'interface org.ois.node' varlink.service.GetInterfaceDescription '{"interface":"org.ois.node"}'
	call_fails varlink.service.InterfaceNotFound '"org.example.none"' \
		varlink.service.GetInterfaceDescription '{"interface":"org.example.none"}'
	call_fails varlink.service.MethodNotFound '"org.ois.node.Nothing"' ois.node.Nothing '{}'
}

nodes()
{
	local key="{\"targetName\":\"$target\",\"address\":\"192.0.2.1\",\"port\":3260}"
	local other='{"selector":{"targetName":"iqn.2026-11.org.example:other"}}'
	call '{}' ois.node.List '{}' --more
	call '[{}]' ois.node.List '{}' --collect
	call "$target" ois.node.Create \
		"{\"key\":$key,\"settings\":{\"authentication\":{\"userName\":\"Jürgen \\\"☃\\\"\"}}}"
	call_fails ois.node.NodeExists "$target" ois.node.Create "{\"key\":$key}"
	call_fails ois.node.InvalidSetting '"setting":"loginTimeoutSeconds"' ois.node.Update \
		'{"selector":{},"settings":{"loginTimeoutSeconds":-7}}'
	call_fails ois.node.NoSuchNode :other ois.node.Update "$other"
	call '{"updated":1}' ois.node.Update \
		'{"selector":{},"settings":{"keys":{"headerDigest":["crc32c","none"]}}}'
	call '{"updated":1}' ois.node.SetSecret \
		'{"selector":{},"role":"initiator","secret":"a secret of some length"}'
	call_fails ois.node.SecretTooShort '"minimumBytes":' ois.node.SetSecret \
		'{"selector":{},"role":"target","secret":"short"}'
	call '"userName":"Jürgen \"☃\""' ois.node.List '{"effective":true}' --more
	call '"secretSet":true' ois.node.List '{}' --collect
	call_fails ois.node.NoSuchNode :other ois.node.Delete "$other"
	call_fails varlink.service.ExpectedMore '{}' ois.node.List '{}'
	call_fails varlink.service.InvalidParameter '"nothing"' ois.node.List '{"nothing":1}' --more
	call '' ois.node.Update '{"selector":{},"settings":{"queueDepth":7}}' --oneway
	call '"queueDepth":7' ois.node.List '{}' --more
}

sessions()
{
	local nowhere='{"selector":{"session":4000000000}}'
	call '' ois.session.List '{"logicalUnits":true}' --more
	call_fails ois.session.NoSuchSession 4000000000 ois.session.List "$nowhere" --more
	call_fails ois.session.NoSuchSession 4000000000 ois.session.Logout "$nowhere" --more
	call_fails ois.session.NoSuchSession 4000000000 ois.session.Rescan '{"session":4000000000}'
	call_fails ois.session.NoSuchNode :other ois.session.Login \
		'{"selector":{"targetName":"iqn.2026-11.org.example:other"}}' --more
}

# Port 1 of this machine is nobody's.
discovery()
{
	call_fails ois.discovery.Unreachable '"errnoName":"ECONNREFUSED"' ois.discovery.Discover \
		'{"method":"send_targets","address":"127.0.0.1","port":1}' --more
	call_fails varlink.service.InvalidParameter '"method"' ois.discovery.Discover \
		'{"method":"isns","address":"127.0.0.1"}' --more
}

manager()
{
	call '"state":"running"' ois.manager.GetStatus '{}'
	expect 0 '"initiator" : {' '' call --json=pretty "$address" org.ois.manager.GetStatus '{}'
	call '"name":"keys.maxBurstLength"' ois.manager.ListSettings '{}' --more
	call '[{"setting":{"name":' ois.manager.ListSettings '{}' --collect
	echo Nonsense >"$directory/ois.conf"
	call_fails ois.manager.ConfigurationInvalid '"line":1' ois.manager.Reload '{}'
	: >"$directory/ois.conf"
	call '{}' ois.manager.Reload '{}'
}

# The next reply of the stream must have this part.
expect_reply()
{
	local reply
	if ! read -r -t 30 reply <&"$stream"; then
		reply="nothing"
	fi
	if [[ $reply == *"$1"* ]]; then
		echo "ok - Subscribe: $1"
	else
		printf '%s\n' "$reply" >"$directory/output"
		not_ok "no $1: Subscribe"
	fi
}

events()
{
	local stream client
	call '"symbol":"RECORD_INVALID"' ois.event.ListTypes '{}' --more
	call '"symbol":"CONFIGURATION_INVALID"' ois.event.ListRecent '{}' --more
	call_fails ois.event.NoSuchEvent 9999 ois.event.ListRecent '{"numbers":[9999]}' --more
	call_fails ois.event.NoSuchEvent 9999 ois.event.Subscribe '{"numbers":[9999]}' --more
	exec {stream}< <(exec varlinkctl call -j -E "$address" org.ois.event.Subscribe '{"numbers":[1021]}' 2>&1)
	client=$!
	expect_reply '"ready":true'
	call '{}' ois.manager.Reload '{}'
	expect_reply '"symbol":"CONFIGURATION_LOADED"'
	kill "$client"
	exec {stream}<&-
	# A client that gives up hurts nobody.
	expect 1 '"ready":true' 'failed: io.systemd.TimedOut' call -j --more --timeout=1 "$address" \
		org.ois.event.Subscribe '{}'
	call '"subscribers":0' ois.manager.GetStatus '{}'
}

stop()
{
	local status=0
	kill "$pid"
	wait "$pid" || status=$?
	pid=
	((status == 0)) && return
	mv "$directory/log" "$directory/errors"
	not_ok "the daemon ended with status $status"
}

start
describe
nodes
sessions
discovery
manager
events
call '{"deleted":1}' ois.node.Delete '{"selector":{}}'
stop
exit $((failures > 0))
