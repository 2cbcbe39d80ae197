#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs in a guest: logins through an adapter that makes the connections itself, OIS, open-iscsi and the floor side by
# side on the test adapter (tests/kernel/adapter/README.md). "login" is the time from starting the command until the
# kernel has all sessions logged in, whoever made them (login-clock): two round trips, one for the connection and one for
# the login. "disks" goes on until the last disk can be opened. That is mostly the kernel's own scan, some forty round
# trips, half of them with a lock that all sessions of a port share; so nobody can be much faster than the floor there.
#
# Usage: offload.sh [N]...   numbers of sessions (1 10)
# shellcheck source=tests/bench/contestants.sh
source "${BASH_SOURCE[0]%/*}/contestants.sh"
# shellcheck source=tests/kernel/adapter.sh
source "${BASH_SOURCE[0]%/*}/../kernel/adapter.sh"

sizes=("${@:-}")
[[ ${sizes[0]} ]] || sizes=(1 10)
transports=(cxgb4i be2iscsi)
rounds=5
# 0: the connection is there before the first question whether it is, as over no real network.
round_trips=(0 0.5 2 10)
step=1000 # microseconds
# Where work takes no time, one round is like the other, and nothing disturbs.
[[ $FIGURES != waiting ]] || rounds=2 round_trips=(0.5 2 10) step=50

# Nodes are made, not discovered: open-iscsi would ask the portal from this host's network, where it is not.

ois_bind()
{
	local i
	for ((i = 1; i <= $2; i++)); do
		ois-ctl node add "${target%1}$i" "$storage"
		ois-ctl node set "${target%1}$i" transport="$1" adapter="$(port 0 hwaddress)"
	done >/dev/null
}

peer_bind()
{
	local i
	iscsiadm -m iface -I offload -o new
	iscsiadm -m iface -I offload -o update -n iface.transport_name -v "$1"
	iscsiadm -m iface -I offload -o update -n iface.hwaddress -v "$(port 0 hwaddress)"
	for ((i = 1; i <= $2; i++)); do
		iscsiadm -m node -T "${target%1}$i" -p "$storage:3260,1" -I offload -o new
	done
} >/dev/null

floor_start() { :; }
floor_stop() { :; }
floor_bind()
{
	local i
	transport=$1 through=("$(port 0 host)" "$storage")
	for ((i = 1; i <= $2; i++)); do
		through+=("${target%1}$i")
	done
}
floor_login() { floor login-through "$transport" "${through[@]}"; }
floor_logout() { floor logout "$transport"; }

objects()
{
	remains | grep -v '^host' || true
}

# Each packet of the storage network leaves through lo once: half of the round trip in each direction.
round_trip()
{
	in_storage tc qdisc replace dev lo root netem limit 100000 delay "$(awk -v r="$1" 'BEGIN { print r * 500 }')us"
}

# measure_login WHO TRANSPORT N MILLISECONDS
measure_login()
{
	local who=$1 n=$3 logged_in=''
	exec 7< <(exec login-clock "$n" "$step")
	read -r <&7
	take_time "$who" eval "${who}_login && disks_are_there $n"
	read -r logged_in <&7
	exec 7<&-
	record "$who" "$2: login, $4 ms" "$n" "$((logged_in - began))"
	record "$who" "$2: disks, $4 ms" "$n" "$((ended - began))"
}

# measure_round WHO TRANSPORT N MILLISECONDS
measure_round()
{
	measure_login "$@"
	measure "$1" "$2: logout, $4 ms" "$3" "$1_logout"
	[[ -z $(objects) ]] || { echo "bench: $1 left $(objects)" >&2; exit 1; }
}

# measure_contestant WHO TRANSPORT N
measure_contestant()
{
	local who=$1 round rtt
	rm -rf /etc/iscsi/ifaces
	"${who}_start"
	"${who}_bind" "$2" "$3"
	# The first one touches memory and loads programs for the first time: not counted.
	"${who}_login" >/dev/null
	disks_are_there "$3"
	"${who}_logout" >/dev/null
	for rtt in "${round_trips[@]}"; do
		round_trip "$rtt"
		for ((round = 0; round < rounds; round++)); do
			measure_round "$@" "$rtt"
		done
	done
	round_trip 0
	"${who}_stop"
}

# Disks that are gone have a last reference for a moment.
release_adapter()
{
	until [[ $(</sys/module/testadapter/refcnt) == 0 ]]; do
		read -r -t 0.002 <>"$work/never" || true
	done
	unload_adapter
}

install_ois
load_iscsi
load_modules sch_netem
setup_storage
targets=0
for n in "${sizes[@]}"; do
	in_storage lio setup --portal "$storage:3260" --first $((targets + 1)) --targets $((n - targets)) --pages 16
	targets=$n
	for transport in "${transports[@]}"; do
		load_adapter "$transport"
		for who in floor ois peer; do
			measure_contestant "$who" "$transport" "$n"
		done
		release_adapter
	done
	echo "bench: $n sessions done after $SECONDS s" >&2
done
report
