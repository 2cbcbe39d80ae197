#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Logins that an adapter does by itself (qla4xxx): with and without CHAP, failures and time-outs, losses at each step of a
# recovery, restarts and kills of the daemon, sessions that its firmware made, what it does not take, logout.
# kernels: 6.12
# needs: adapter
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
if [[ -z ${ADAPTER:-} ]]; then
	skip "logins of adapters" "there is no test adapter"
	exit
fi
# shellcheck source=tests/kernel/adapter.sh
source "${BASH_SOURCE[0]%/*}/adapter.sh"

event_limit=30
transport=qla4xxx
one_way=iqn.2026-11.org.example:oneway1
mutual=iqn.2026-11.org.example:mutual1

# What every event of these sessions says.
about()
{
	echo "OIS_TRANSPORT=qla4xxx OIS_HOST=$host OIS_IFACE=$interface OIS_TARGET=${1:-$target}"
}

# The sessions of the kernel, and what is on them.
identity()
{
	local sessions=(/sys/class/iscsi_session/session*)
	echo "${sessions[@]##*/}"
	cat "${sessions[@]/%//targetname}" "${sessions[@]/%//state}" "${sessions[@]/%//ifacename}" /sys/class/iscsi_connection/*/state
	session_disks
}

check_no_trace()
{
	check_equal "nothing is left, $1" "" "$(remains | grep -v '^host' || true)"
	check_equal "nor an endpoint, $1" "" "$(ls /sys/class/iscsi_endpoint)"
}

fault()
{
	port 0 fault "$1"
}

told()
{
	cat "$work/output"
}

# session MEMBER: what the daemon says of the session with the target.
session()
{
	ois-ctl session show "$target" --json=short | jq -r ".[0].$1"
}

test_login()
{
	check "login over the interface of the port" ois-ctl login "$target"
	# shellcheck disable=SC2046
	check_event 1000 $(about)
	disk=$(session_disks)
	check "data" write_and_compare "$disk" 1024
	check_equal "the session is ours, and scanned" "ois LOGGED_IN SCANNED 77" \
		"$(cat /sys/class/iscsi_session/session*/{ifacename,state,target_state,recovery_tmo} | paste -s -d ' ')"
	check_equal "as the daemon says" "logged_in true qla4xxx" "$(session phase) $(session managed) $(session transport)"
	check_equal "the name is the adapter's" "$(cat "/sys/class/iscsi_host/host$host/initiatorname")" "$(session initiatorName)"
	check_equal "and so is the ISID" "$(cat /sys/class/iscsi_session/session*/isid)" "$(session isid)"
	check_equal "what the node wanted was offered, and the result is shown" "16384 131072 4096 true" \
		"$(session connections[0].parameters.maxRecvDataSegmentLength) $(session parameters.maxBurstLength) $(session parameters.firstBurstLength) $(session parameters.initialR2T)"
	check_equal "no ping is claimed, nor error handling" "null null" "$(session connections[0].noopIntervalSeconds) $(session abortTimeoutSeconds)"
	check "a second login is none" ois-ctl login "$target"
	check "logout" ois-ctl logout "$target"
	# shellcheck disable=SC2046
	check_event 1001 $(about) OIS_REASON="the adapter logged out, and does not tell whether the target agreed"
	check_no_trace "after a logout"
}

# secrets TARGET SECRET [SECRET OF THE TARGET]
secrets()
{
	ois-ctl node set "$1" --secret-file=- <<<"$2" >/dev/null
	[[ -z ${3-} ]] || ois-ctl node set "$1" --target-secret-file=- <<<"$3" >/dev/null
}

test_chap()
{
	check_fails "no CHAP where the target wants it" 1 ois-ctl login "$one_way"
	# shellcheck disable=SC2046
	check_event 1210 $(about "$one_way") OIS_OUTCOME=failed
	# shellcheck disable=SC2046
	check_event 70 $(about "$one_way")
	check_no_trace "after a refusal"
	ois-ctl node set 'iqn.*:[om]*' authentication.method=chap authentication.userName=alice >/dev/null
	check_fails "CHAP without a secret" 1 ois-ctl login "$one_way"
	check_event 5 OIS_TARGET="$one_way" OIS_STATUS=95
	secrets "$one_way" wrong-sesame-1001
	check_fails "a wrong secret" 1 ois-ctl login "$one_way"
	check_events 2 1210 OIS_TARGET="$one_way"
	secrets "$one_way" open-sesame-1001
	check "the right one" ois-ctl login "$one_way"
	check_event 1026 OIS_TARGET="$one_way"
	secrets "$mutual" open-sesame-1001 who-goes-there-42
	check_fails "a target proves itself by its name" 1 ois-ctl login "$mutual"
	ois-ctl node set "$mutual" authentication.targetUserName=somebody >/dev/null
	check_fails "by the right one" 1 ois-ctl login "$mutual"
	check_event 1210 OIS_TARGET="$mutual"
	ois-ctl node set "$mutual" authentication.targetUserName=storage >/dev/null
	check "both sides prove themselves" ois-ctl login "$mutual"
	check "logout of both" ois-ctl logout --all
	check_equal "no secret in the journal" "" "$(journalctl --output=export | grep -a -e sesame -e goes-there || true)"
	check_no_trace "after CHAP"
}

# check_refused SETTING...: the adapter does not take it, which is told before anything else happens.
check_refused()
{
	ois-ctl node set "$target" "$@" >/dev/null
	check_fails "login with $*" 1 ois-ctl login "$target"
	check_equal "says which" "${1%%=*}" "$(told | grep -o "${1%%=*}" | head -n 1)"
	local one
	for one; do
		ois-ctl node set "$target" --reset="${one%%=*}" >/dev/null
	done
}

test_failures()
{
	check_refused initiatorName=iqn.2026-11.org.example:somebody
	check_refused authentication.algorithms=sha256 authentication.method=chap authentication.userName=alice
	ois-ctl node set "$target" headerDigestRequired=yes keys.headerDigest=crc32c >/dev/null
	check_fails "a digest that is required" 1 ois-ctl login "$target"
	check_events 3 5 OIS_TARGET="$target" OIS_STATUS=95
	ois-ctl node set "$target" --reset=headerDigestRequired --reset=keys.headerDigest >/dev/null
	fault "start-error 22 1"
	check_fails "the adapter refuses to begin" 1 ois-ctl login "$target"
	# shellcheck disable=SC2046
	check_event 6 $(about) OIS_OUTCOME=failed
	fault "login-error 111 1"
	check_fails "it cannot log in" 1 ois-ctl login "$target"
	# shellcheck disable=SC2046
	check_event 1210 $(about) OIS_OUTCOME=failed
	fault "login-delay 60000 1"
	ois-ctl node set "$target" connectTimeoutSeconds=1 loginTimeoutSeconds=1 >/dev/null
	check_fails "it does not say how it ended" 1 ois-ctl login "$target"
	# shellcheck disable=SC2046
	check_event 43 $(about) OIS_OUTCOME=failed
	fault "login-error 111 1"
	ois-ctl node set "$target" loginRetryMax=1 >/dev/null
	check "the next attempt is another login" ois-ctl login "$target"
	check_event 1210 OIS_TARGET="$target" OIS_OUTCOME=retrying
	ois-ctl node set "$target" loginRetryMax=0 --reset=connectTimeoutSeconds --reset=loginTimeoutSeconds >/dev/null
	check "logout" ois-ctl logout "$target"
	check_no_trace "after failures"
}

# What the firmware has logged in to is its own.
test_firmware()
{
	local sid
	port 0 firmware "$storage $target"
	# shellcheck disable=SC2046
	check_event 1009 OIS_TARGET="$target" OIS_HOST="$host"
	sid=$(ois-ctl sessions --json=short | jq -r '.[0].session')
	check "a login to what the firmware has is none" ois-ctl login "$target"
	check_fails "it is not logged out by us" 1 ois-ctl logout "$target" --force
	ois-ctl node add "$target" "$storage:3261" >/dev/null
	ois-ctl node set "$target" --portal="$storage:3261" interface="$interface" >/dev/null
	check_fails "nor is there another one to the target" 1 ois-ctl login "$target" --portal="$storage:3261"
	check_equal "which is told" "has a session with this target already" "$(told | grep -o 'has a session with this target already')"
	check_event 70 OIS_TARGET="$target" OIS_STATUS=17
	ois-ctl node remove "$target" --portal="$storage:3261" >/dev/null
	check_equal "it is still there, alone" "$sid LOGGED_IN" "$(ois-ctl sessions --json=short | jq -r '.[].session') $(cat "/sys/class/iscsi_session/session$sid/state")"
	port 0 firmware ""
	check_event 1001 OIS_SESSION="$sid"
	check_no_trace "of the firmware"
}

# check_recovery FAULT...: the session comes back after a cut, though these come in its way.
n_back=0
check_recovery()
{
	local one
	for one; do
		fault "$one"
	done
	n_back=$((n_back + 1))
	port 0 raise cut
	await_events "$n_back" 34 OIS_TRANSPORT=qla4xxx >/dev/null
	fault clear
	check_equal "it is back${1:+ after $*}" "$before" "$(identity)"
}

test_recovery()
{
	check "login" ois-ctl login "$target"
	disk=$(session_disks)
	before=$(identity)
	check_recovery
	# shellcheck disable=SC2046
	check_event 20 $(about) OIS_STATUS=1011 OIS_OUTCOME=retrying
	check_recovery "login-error 111 1"
	# shellcheck disable=SC2046
	check_event 69 $(about) OIS_OUTCOME=retrying
	check_recovery "start-error 22 1" "bind-error 12 1"
	check "data after all of it" write_and_compare "$disk" 1024
	ois-ctl node set "$target" replacementTimeoutSeconds=1 >/dev/null
	check_recovery
	fault "login-error 111"
	port 0 raise cut
	until [[ $(cat /sys/class/iscsi_session/session*/state) == FREE ]]; do :; done
	check_equal "the devices fail after the replacement time-out" transport-offline "$(cat "/sys/block/${disk##*/}/device/state")"
	fault clear
	n_back=$((n_back + 1))
	await_events "$n_back" 34 OIS_TRANSPORT=qla4xxx >/dev/null
	check_equal "the daemon goes on trying: it comes back from there, too" "$before" "$(identity)"
	ois-ctl node set "$target" replacementTimeoutSeconds=77 >/dev/null
	check_recovery
	check "data" write_and_compare "$disk"
}

# check_killed: the daemon dies, and another one comes.
kill_daemon()
{
	check_fails "the daemon is killed, $1" 137 stop_service oisd KILL
}

test_restarts()
{
	local sid
	kill_daemon "beside a session"
	start_oisd
	check_equal "the session stays" "$before" "$(identity)"
	check_equal "and is the daemon's" "true logged_in" "$(session managed) $(session phase)"
	check_recovery
	kill_daemon "and the connection is lost meanwhile"
	port 0 raise cut
	start_oisd
	n_back=$((n_back + 1))
	await_events "$n_back" 34 OIS_TRANSPORT=qla4xxx >/dev/null
	check_equal "the next one mends it" "$before" "$(identity)"
	fault "login-delay 60000 1"
	port 0 raise cut
	until [[ $(cat /sys/class/iscsi_connection/*/state) == up && $(cat /sys/class/iscsi_session/*/state) == FAILED ]]; do :; done
	kill_daemon "in a re-login"
	start_oisd
	n_back=$((n_back + 1))
	await_events "$n_back" 34 OIS_TRANSPORT=qla4xxx >/dev/null
	check_equal "the next one ends it" "$before" "$(identity)"
	check "data" write_and_compare "$disk"
	check "logout of a session that was found" ois-ctl logout "$target"
	check_equal "no session is left" "" "$(ls /sys/class/iscsi_session)"

	fault "login-delay 60000 1"
	ois-ctl login "$target" >/dev/null 2>&1 &
	until [[ $(cat /sys/class/iscsi_connection/*/state 2>/dev/null) == up ]]; do :; done
	sid=$(basename /sys/class/iscsi_session/session*)
	kill_daemon "in a first login"
	wait "$!" || true
	start_oisd
	check_event 1180 OIS_SESSION="${sid#session}"
	check_equal "which is undone" "" "$(ls /sys/class/iscsi_session)"
	check "the next one succeeds" ois-ctl login "$target"
	check "data" write_and_compare "$(session_disks)"
}

# The real driver leaves an object behind; the kernel then keeps that of the session, too.
test_kept()
{
	local sid
	sid=$(session session)
	fault "connection-kept 0 1"
	check "a logout ends, though the driver keeps the connection" ois-ctl logout "$target"
	check_equal "nobody is logged in" "" "$(ois-ctl sessions --json=short | jq -r '.[].session')"
	check_equal "an object is left" "session$sid" "$(ls /sys/class/iscsi_session)"
	check "and does not keep another login off" ois-ctl login "$target"
	check "data" write_and_compare "$(session_disks)"
	check "logout" ois-ctl logout "$target"
	check "the object goes" transport qla4xxx destroy "$sid"
}

# One that another program had the adapter log in to.
test_foreign()
{
	local sid
	sid=$(ep self-login "$(connect 0)" "$target" "$storage")
	check_event 1009 OIS_SESSION="$sid" OIS_TRANSPORT=qla4xxx
	check "it is taken over" ois-ctl session adopt "$sid"
	check_event 1154 OIS_SESSION="$sid"
	port 0 raise cut
	check_event 34 OIS_SESSION="$sid"
	check_equal "and repaired" "true logged_in" "$(session managed) $(session phase)"
	check "data" write_and_compare "$(session_disks)"
	check "logout" ois-ctl logout "$target"
	sid=$(ep self-login "$(connect 0)" "$target" "$storage")
	check_event 1009 OIS_SESSION="$sid"
	check "another one is logged out as it is" ois-ctl logout "$sid"
	check_no_trace "of another program"
}

# An adapter that goes away takes its sessions along.
test_unplug()
{
	check "login" ois-ctl login "$target"
	port 0 plugged 0
	# shellcheck disable=SC2046
	check_event 20 $(about) OIS_STATUS=1018 OIS_OUTCOME=failed
	check_equal "no session is left" "" "$(ls /sys/class/iscsi_session)"
	port 0 plugged 1
	echo "fd 8" >/sys/devices/testadapter/port0/netns
	host=$(port 0 host)
	check "login when it is back" ois-ctl login "$target"
	check "data" write_and_compare "$(session_disks)"
	check "logout" ois-ctl logout "$target"
}

setup_storage
start_system
printf '%s\n' userid=alice password=open-sesame-1001 >"$work/one-way"
printf '%s\n' userid=alice password=open-sesame-1001 userid_mutual=storage password_mutual=who-goes-there-42 >"$work/mutual"
in_storage lio setup --portal "$storage:3260" --pages 1024 --parameter DefaultTime2Wait=0
in_storage lio setup --portal "$storage:3260" --name "${one_way%1}" --auth "$work/one-way"
in_storage lio setup --portal "$storage:3260" --name "${mutual%1}" --auth "$work/mutual"
load_adapter qla4xxx ports=2
host=$(port 0 host)
interface=qla4xxx.$(port 0 hwaddress)
for name in "$target" "$one_way" "$mutual"; do
	ois-ctl node add "$name" "$storage" >/dev/null
	ois-ctl node set "$name" interface="$interface" loginRetryMax=0 keys.defaultTime2Wait=0 replacementTimeoutSeconds=77 \
		keys.maxRecvDataSegmentLength=16384 keys.maxBurstLength=131072 keys.firstBurstLength=4096 >/dev/null
done

test_login
test_chap
test_failures
test_firmware
test_recovery
test_restarts
test_kept
test_foreign
test_unplug
check_fails "discovery over it is refused" 2 ois-ctl discover "$storage" --interface="$interface"
check "the adapter is not in use any more" unload_adapter
