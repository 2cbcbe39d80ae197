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
# Nobody answers there: packets to it vanish.
ip route add blackhole 192.0.2.0/24 2>/dev/null || true
ois-ctl node add iqn.2026-11.org.example:dead 192.0.2.1 startup=automatic >/dev/null
for number in 1 2 3; do
	ois-ctl node set "iqn.2026-11.org.example:disk$number" startup=automatic >/dev/null
done
check_equal "a setting logs nobody in" "" "$(remains)"
stop_service oisd
check "the daemon is ready at once" start_oisd
check_events 3 1000
check_equal "only automatic nodes" "disk1 disk2 disk3" \
	"$(ois-ctl sessions --json=short | jq -r '.[] | select(.state == "logged_in") | .targetName' | sed 's/.*://' | sort | xargs)"
check "settings survive a discovery" ois-ctl discover 127.0.0.1 --record=update
check_equal "as configured" automatic \
	"$(ois-ctl node show iqn.2026-11.org.example:disk1 --json=short | jq -r '.. | objects | .settings? // empty | .startup // empty' | head -n 1)"
check "logout" ois-ctl logout --all
check_nothing_left
