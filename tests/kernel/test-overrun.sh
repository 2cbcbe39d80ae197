#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A daemon that is not scheduled hears nothing, and what the kernel says meanwhile is lost: it looks for what it missed.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:disk
foreign=iqn.2026-11.org.example:foreign1

sid_of() { ois-ctl sessions --json=short | jq --arg target "$1" '.[] | select(.targetName == $target).session'; }
group() { echo "/sys/kernel/config/target/iscsi/$1/tpgt_1/enable"; }

start_system
# Other initiators do not even see these.
lio setup --targets 3 --initiator iqn.2026-11.org.example:guest --attribute demo_mode_discovery=0
lio setup --name "${foreign%1}"
ois-ctl discover 127.0.0.1 >/dev/null
ois-ctl node set 'iqn.*:disk?' keys.defaultTime2Wait=0 >/dev/null
check "login of three" ois-ctl login 'iqn.*:disk?'
lost=$(sid_of "${target}1") removed=$(sid_of "${target}2") well=$(sid_of "${target}3")

# Its socket is full from the second command on.
kill -STOP "${services[oisd]}"
rival count "$well" 20000
echo 0 >"$(group "${target}1")"
check "a session is removed" rival remove "$removed"
check "another program logs in" floor login 127.0.0.1
echo 1 >"$(group "${target}1")"
kill -CONT "${services[oisd]}"

check_event 1017
check_event 20 OIS_TARGET="${target}1" OIS_SESSION="$lost"
check_event 34 OIS_TARGET="${target}1" OIS_SESSION="$lost"
check_event 1010 OIS_TARGET="${target}2" OIS_SESSION="$removed"
check_event 1009 OIS_TARGET="$foreign"
check_equal "all are known" "disk1 logged_in
disk3 logged_in
foreign1 logged_in" "$(ois-ctl sessions --json=short | jq -r '.[] | (.targetName | sub(".*:"; "")) + " " + .phase' | sort)"
check_equal "the third was not touched" "$well 0" "$(sid_of "${target}3") $(n_events 20 OIS_TARGET="${target}3")"
for disk in $(session_disks); do
	check "$disk works" write_and_compare "$disk"
done
check "logout" ois-ctl logout --force --all
check_nothing_left
