#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Sessions over RDMA, whose connections the kernel makes: login with CHAP, keys of RFC 7145, data, losses under verified
# I/O, restarts, a daemon that is killed, refusals, logout.
# kernels: 6.12
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source=tests/kernel/load.sh
source "${BASH_SOURCE[0]%/*}/load.sh"
# shellcheck source=tests/kernel/rdma.sh
source "${BASH_SOURCE[0]%/*}/rdma.sh"

target=iqn.2026-11.org.example:disk1
nobody=iqn.2026-11.org.example:nobody
event_limit=30

# What must be the same after a recovery, and after a restart of the daemon.
identity()
{
	local sessions=(/sys/class/iscsi_session/session*)
	echo "${sessions[@]##*/}"
	cat "${sessions[@]/%//state}" "${sessions[@]/%//targetname}" /sys/class/iscsi_connection/*/state
	session_disks
}

endpoints()
{
	local endpoint n=0
	for endpoint in /sys/class/iscsi_endpoint/ep-*; do
		[[ ! -e $endpoint ]] || n=$((n + 1))
	done
	echo "$n"
}

parameter()
{
	ois-ctl session show "$target" --json=short | jq -r ".[0].$1"
}

lost=0
lose()
{
	lost=$((lost + 1))
	portal_groups 0
	await_events "$lost" 20 OIS_TARGET="$target" OIS_TRANSPORT=iser >/dev/null
}

back=0
come_back()
{
	back=$((back + 1))
	portal_groups 1
	await_events "$back" 34 OIS_TARGET="$target" OIS_TRANSPORT=iser >/dev/null
}

start_rdma
start_system
printf '%s\n' userid=alice password=open-sesame-1001 userid_mutual=storage password_mutual=who-goes-there-42 >"$work/auth"
lio setup --pages 2048 --targets 2 --portal "$rdma_portal" --auth "$work/auth" --parameter DefaultTime2Wait=0 \
	--parameter HeaderDigest=CRC32C,None --parameter DataDigest=CRC32C,None
accept_rdma "$target"
check "discovery goes over TCP" ois-ctl discover "${rdma_portal%:*}" --interface=iser
check_equal "and binds nodes to iSER" iser "$(ois-ctl node show "$target" --json=short | jq -r '.[0].origin.interface')"
ois-ctl node set "$target" keys.defaultTime2Wait=0 replacementTimeoutSeconds=-1 loginRetryMax=0 \
	keys.headerDigest=crc32c,none keys.dataDigest=crc32c,none authentication.method=chap authentication.userName=alice \
	--secret-file=- <<<wrong-sesame-1001 >/dev/null
ois-ctl node set "$target" --target-secret-file=- <<<who-goes-there-42 >/dev/null

# Logins that fail leave nothing, neither a session nor an endpoint. LIO ends an RDMA connection before its refusal is out.
check_fails "a wrong secret" 1 ois-ctl login "$target"
check_event 59 OIS_TARGET="$target" OIS_TRANSPORT=iser OIS_HOST=0 OIS_OUTCOME=failed
check_event 70 OIS_TARGET="$target" OIS_TRANSPORT=iser
check_nothing_left
check_equal "nor an endpoint" 0 "$(endpoints)"
ois-ctl node set "$target" --secret-file=- <<<open-sesame-1001 >/dev/null
ois-ctl node add "$nobody" "$rdma_source" >/dev/null
ois-ctl node set "$nobody" transport=iser loginRetryMax=0 connectTimeoutSeconds=300 >/dev/null
check_fails "a portal that refuses, which is told at once" 1 ois-ctl login "$nobody"
check_event 1 OIS_TARGET="$nobody" OIS_TRANSPORT=iser OIS_DUMP_ADDRESS="$rdma_source" OIS_DUMP_PORT=3260
ois-ctl node remove "$nobody" >/dev/null
check_nothing_left
check_equal "nor an endpoint" 0 "$(endpoints)"
ois-ctl node set "$target" headerDigestRequired=true >/dev/null
check_fails "digests, which RDMA does not have" 1 ois-ctl login "$target"
check_event 5 OIS_TARGET="$target" OIS_TRANSPORT=iser
ois-ctl node set "$target" --reset=headerDigestRequired >/dev/null

check "login" ois-ctl login "$target"
check_event 1000 OIS_TARGET="$target" OIS_TRANSPORT=iser
check_equal "the transport is told" "iser" "$(ois-ctl sessions --json=short | jq -r '.[].transport')"
check_equal "both sides proved themselves" true "$(parameter mutualAuthentication)"
check_equal "no digests" "none none" "$(parameter connections[0].parameters.headerDigest) $(parameter connections[0].parameters.dataDigest)"
check_equal "what the kernel's buffers hold" 512 "$(parameter connections[0].parameters.maxRecvDataSegmentLength)"
check_equal "what those of the target hold" 8192 "$(parameter connections[0].parameters.maxXmitDataSegmentLength)"
check_equal "the kernel was told" 8192 "$(cat /sys/class/iscsi_connection/*/max_xmit_dlength)"
check_equal "one endpoint" 1 "$(endpoints)"
before=$(identity)
disk=$(session_disks)
check "data" write_and_compare "$disk" 4096

# Over the same portal, without RDMA.
check "login over TCP beside it" bash -c "ois-ctl node set '${target%1}2' interface=default authentication.method=chap \
	authentication.userName=alice --secret-file=- <<<open-sesame-1001 && ois-ctl login '${target%1}2'"
check_equal "the transports" "iser tcp" "$(ois-ctl sessions --json=short | jq -r '.[].transport' | sort | xargs)"
check "logout" ois-ctl logout "${target%1}2"
check_equal "the other session is still there" "$before" "$(identity)"

# Losses, under I/O that is verified.
begin_with 1
checker_pause=10
start_checkers
for round in 1 2 3; do
	lose
	come_back
	check_equal "the session is the same, $round" "$before" "$(identity)"
done

# A daemon that comes and goes changes nothing; one that finds a lost session repairs it.
check "the daemon stops" stop_service oisd
check_equal "the session stays" "$before" "$(identity)"
start_oisd
check_equal "and is found" "iser true" "$(ois-ctl sessions --json=short | jq -r '.[] | "\(.transport) \(.managed)"')"
check_fails "the daemon is killed" 137 stop_service oisd KILL
start_oisd
check_equal "the session stays" "$before" "$(identity)"
lose
come_back
check_equal "one that was found is repaired, too" "$before" "$(identity)"
check_equal "with one endpoint" 1 "$(endpoints)"
lose
check_fails "the daemon is killed in a recovery" 137 stop_service oisd KILL
portal_groups 1
start_oisd
back=$((back + 1))
await_events "$back" 34 OIS_TARGET="$target" >/dev/null
check_equal "the next one ends it" "$before" "$(identity)"
stop_checkers

lose
check "logout while the target is away" ois-ctl logout "$target"
check_nothing_left
portal_groups 1
check "login" ois-ctl login "$target"
check "data" write_and_compare "$(session_disks)"
check "logout" ois-ctl logout "$target"
check_equal "the target agreed" 1 "$(await_events 2 1001 OIS_TARGET="$target" | grep -c 'closed$')"
check_nothing_left
check_equal "nor an endpoint" 0 "$(endpoints)"
