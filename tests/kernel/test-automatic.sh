#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Nodes that start automatically are logged in when the daemon starts; one whose portal does not answer holds up neither
# the start nor the others.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

start_system
lio setup --targets 5 --pages 16
ois-ctl discover 127.0.0.1 >/dev/null
# Nobody is there: packets to it vanish. More of these nodes than may be logged in at a time, and first in the alphabet.
load_modules dummy
ip link add dead type dummy
ip address add 192.0.2.254/24 dev dead
ip link set dead up
mkdir -p /etc/ois/ois.conf.d
printf '%s\n' '[Daemon]' LoginsMax=2 '[Node]' connectTimeoutSeconds=300 >/etc/ois/ois.conf.d/few.conf
for number in 1 2 3; do
	ois-ctl node add "iqn.2026-11.org.example:dead$number" "192.0.2.$number" startup=automatic >/dev/null
	ois-ctl node set "iqn.2026-11.org.example:disk$number" startup=automatic >/dev/null
done
check_equal "a setting logs nobody in" "" "$(remains)"
stop_service oisd
check "the daemon is ready at once" start_oisd
check_events 3 1000
check_equal "only automatic nodes" "disk1 disk2 disk3" \
	"$(ois-ctl sessions --json=short | jq -r '.[] | select(.state == "logged_in") | .targetName' | sed 's/.*://' | sort | xargs)"
check_equal "the others are still being tried" "connecting connecting connecting" \
	"$(ois-ctl sessions --json=short | jq -r '.[] | select(.state != "logged_in") | .phase' | xargs)"
check "settings survive a discovery" ois-ctl discover 127.0.0.1 --record=update
check_equal "as configured" automatic \
	"$(ois-ctl node show iqn.2026-11.org.example:disk1 --json=short | jq -r '.. | objects | .settings? // empty | .startup // empty' | head -n 1)"

# Restarted once more: those that run stay, those that do not are tried again.
check "the daemon stops in the middle of logins" stop_service oisd
check "and starts" start_oisd
check_equal "three sessions" 3 "$(ois-ctl sessions --json=short | jq '[.[] | select(.state == "logged_in")] | length')"
check "logout, also of those that are being tried" ois-ctl logout --all
check_equal "no session is listed" 0 "$(ois-ctl sessions --json=short | jq length)"
check_nothing_left
