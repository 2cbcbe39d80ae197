#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The same as kernel.kill where the kernel has a session before the first Login Request: the daemon is killed at every
# step of a first login through an adapter, also of one that logs in by itself, and of a discovery through it, beside a
# session that works.
# kernels: 6.1
# needs: adapter
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
if [[ -z ${ADAPTER:-} ]]; then
	skip "kills in logins through adapters" "there is no test adapter"
	exit
fi
# shellcheck source=tests/kernel/adapter.sh
source "${BASH_SOURCE[0]%/*}/adapter.sh"

target=iqn.2026-11.org.example:victim1
n_others=1
# shellcheck source=tests/kernel/kill.sh
source "${BASH_SOURCE[0]%/*}/kill.sh"

# others: each session that is not the victim's, by its number, and the disk of it.
others()
{
	local directory name
	for directory in /sys/class/iscsi_session/session*; do
		read -r name <"$directory/targetname"
		[[ $name != *:disk* ]] || echo "${directory##*/}" "$directory"/device/target*/*/block/*
	done
}

begin_discover()
{
	operate ois-ctl discover "$storage" --interface="$interface" >"$work/discover" 2>&1 &
}

# A discovery is undone, whatever it came to; the next one works at once.
judge_discover()
{
	local left
	for left in ${nameless[@]+"${nameless[@]}"}; do
		rival await-removal "${left##*session}"
	done
	ois-ctl discover "$storage" --interface="$interface" || return
	find_session
	((n_sessions == n_others)) || { echo "sessions: $n_sessions" && return 1; }
}

# sweep_adapter NAME OPERATION...
sweep_adapter()
{
	local disk steady name operation
	load_adapter "$1" ports=1
	interface=$1.$(port 0 hwaddress)
	for name in "${target%:*}:disk1" "$target"; do
		ois-ctl node add "$name" "$storage" interface="$interface" >/dev/null
	done
	ois-ctl login 'iqn.*:disk?' >/dev/null
	bystanders=$(others)
	disk=$(session_disks)
	nice -n 19 steady "$disk" >"$work/steady" 2>&1 &
	steady=$!
	for operation in "${@:2}"; do
		sweep "$operation"
	done
	kill "$steady"
	check "I/O of another session went on, with the right data" wait "$steady"
	sed 's/^/# /' "$work/steady"
	check "logout of all" ois-ctl logout --all
	check_equal "no session is left" "" "$(remains | grep -v '^host' || true)"
	ois-ctl node remove --all >/dev/null
	check "the adapter is not in use any more" unload_adapter
}

echo "# seed $seed"
setup_storage
start_system
in_storage lio setup --portal "$storage:3260" --pages 1024
in_storage lio setup --portal "$storage:3260" --name "${target%1}"
# The target deals with one login at a time, and gives one up that nobody finishes after 15 seconds only.
ois-ctl portal set "$storage" loginTimeoutSeconds=30 loginTotalTimeoutSeconds=60 >/dev/null
sweep_adapter be2iscsi login discover
sweep_adapter qla4xxx login
for what in "${!at[@]}"; do
	echo "# ${at[$what]} times the kernel had '$what'"
done
