#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The same short life under the name of each adapter that leaves the login to the daemon, over a port that is chosen, with
# CHAP and digests: discovery, a fault at each step of a login, data, losses, a restart of the daemon, hot-unplug, logout.
# What takes longer is in test-endpoint.sh, with two of them.
# kernels: 6.1
# needs: adapter
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
if [[ -z ${ADAPTER:-} ]]; then
	skip "the life of a session under each name" "there is no test adapter"
	exit
fi
# shellcheck source=tests/kernel/adapter.sh
source "${BASH_SOURCE[0]%/*}/adapter.sh"

event_limit=30
password=open-sesame-1001 target_password=who-goes-there-42

# NAME, whether it discovers in a network of its own, what a port calls its network device, and the status of a connect that
# the portal refuses: those that do not tell let it time out.
adapters='
cxgb3i   discover -     110
cxgb4i   add      -     110
be2iscsi discover -     110
bnx2i    discover net0  1
qedi     discover host0 1
'
# Of a login: FAULT, and the number and status of the event it leads to.
faults='
connect-error 28  | 6 28
connect-error 101 | 1 101
poll-error 113    | 1 113
bind-error 12     | 6 12
start-error 12    | 57 12
cut-at-bind 0 1   | 59 -
cut-after 0 1     | 59 -
cut-after 1       | 59 -
'
node=(keys.defaultTime2Wait=0 replacementTimeoutSeconds=-1 loginRetryMax=0 headerDigestRequired=yes dataDigestRequired=yes
	keys.headerDigest=crc32c keys.dataDigest=crc32c authentication.method=chap authentication.userName=alice)
mutual=(authentication.method=mutual_chap authentication.targetUserName=storage)

identity()
{
	(cd /sys/class/iscsi_session && echo session* && cat session*/targetname ../iscsi_connection/*/state)
	session_disks
}

check_no_trace()
{
	check_equal "nothing is left, $name" "" "$(remains | grep -v '^host' || true)"
	check_equal "nor an endpoint, $name" "" "$(ls /sys/class/iscsi_endpoint)"
}

# check_refused WHY NUMBER STATUS: a login fails, and what it is to tell is remembered.
check_refused()
{
	check_fails "no login: $1, $name" 1 ois-ctl login "$target"
	expected+=("$2 $3 $(port 1 host)")
}

# One line for each login over this interface that failed: number, status (of 59, what noticed it first) and host of the
# last event before 70. All at once: to wait for each in the journal takes longer than what it tells of.
told()
{
	ois-ctl events --json=short | jq -rs --arg iface "$iface" '
		map(select(.fields.OIS_IFACE == $iface and (.number == 70 or .fields.OIS_OUTCOME == "failed"))) as $events |
		range(1; $events | length) | select($events[.].number == 70) | $events[. - 1] |
		"\(.number) \(if .number == 59 then "-" else .fields.OIS_STATUS // "-" end) \(.fields.OIS_HOST)"'
}

# A portal that nobody listens at.
test_nobody()
{
	ois-ctl node add "$target" "$storage:3261" >/dev/null
	ois-ctl node set "$target" "${node[@]}" interface="$iface" connectTimeoutSeconds=1 >/dev/null
	check_refused "nobody listens" 1 "$nobody"
	ois-ctl node remove "$target" >/dev/null
}

test_discover()
{
	check "discovery, $name" ois-ctl discover "$storage" --interface="$iface"
	check_equal "binds the node to the port, $name" "$iface" \
		"$(ois-ctl node show "$target" --json=short | jq -r '.[].origin.interface')"
}

# In the network of this host, from which the portal cannot be reached: see test-adapter-discovery.sh.
test_add()
{
	ois-ctl node add "$target" "$storage" interface="$iface" >/dev/null
}

# What the daemon says of how the two sides proved themselves.
proof()
{
	ois-ctl sessions --json=short | jq -r '.[] | "\(.chapAlgorithm) \(.mutualAuthentication)"'
}

test_secrets()
{
	check "a wrong secret, $name" ois-ctl node set "$target" --secret-file=- <<<"not-$password"
	check_refused "a wrong secret" 10 $((0x0201))
	check "the right one, $name" ois-ctl node set "$target" --secret-file=- <<<"$password"
	check "one-way CHAP, $name" ois-ctl login "$target"
	check_equal "this side has proved itself, $name" "sha3_256 false" "$(proof)"
	check "logout, $name" ois-ctl logout "$target"
	check "a wrong secret of the target, $name" ois-ctl node set "$target" "${mutual[@]}" --target-secret-file=- <<<"not-$target_password"
	check_refused "the target's secret is another" 17 -
	check "the right one, $name" ois-ctl node set "$target" --target-secret-file=- <<<"$target_password"
}

test_faults()
{
	local fault event
	while IFS='|' read -r fault event; do
		port 1 fault "$fault"
		# shellcheck disable=SC2086 # number and status
		check_refused "$fault" $event
		port 1 fault clear
	done < <(grep . <<<"$faults")
}

test_refusals()
{
	local expected=()
	test_nobody
	"test_$found"
	ois-ctl node set "$target" "${node[@]}" >/dev/null
	test_secrets
	test_faults
	check_equal "each is told with its cause, $name" "$(printf '%s\n' "${expected[@]}")" "$(told)"
	check_no_trace
}

check_proved()
{
	check_equal "both sides have proved themselves, $name" "sha3_256 true" "$(proof)"
	check_equal "with digests, $name" "1 1" "$(cat /sys/class/iscsi_connection/*/{header,data}_digest | xargs)"
}

# check_recovery [FAULT]: the session comes back after a loss, and proves itself again.
check_recovery()
{
	[[ -z ${1-} ]] || port 1 fault "$1"
	n_back=$((n_back + 1))
	port 1 raise cut
	check_events "$n_back" 34 OIS_TRANSPORT="$name" OIS_IFACE="$iface"
	check_equal "it is back${1:+ after $1}, $name" "$before" "$(identity)"
	check_proved
}

# in_sysfs TEXT...: whether one of these stands in what the kernel says of our side, even if it is to root only.
in_sysfs()
{
	printf '%s\n' "$@" >"$work/texts"
	grep -rsq -f "$work/texts" /sys/devices/testadapter || return 1
}

test_life()
{
	check "login, $name" ois-ctl login "$target"
	check_events 2 1000 OIS_TARGET="$target" OIS_TRANSPORT="$name" OIS_IFACE="$iface" OIS_HOST="$(port 1 host)"
	check_proved
	before=$(identity) n_back=0
	check "data, $name" write_and_compare "$(session_disks)" 1024
	check_recovery
	check_recovery "poll-error 113 1"
	check_fails "the daemon is killed, $name" 137 stop_service oisd KILL
	start_oisd
	check_equal "the session stays, $name" "$before" "$(identity)"
	check_recovery "cut-after 0 1"
	check "the target's name is in sysfs, $name" in_sysfs "$target"
	check_fails "but no secret, $name" 1 in_sysfs "$password" "$target_password"
	check "data after all of it, $name" write_and_compare "$(session_disks)" 1024
}

# The port goes away with its session, and comes back.
test_unplug()
{
	local host
	host=$(port 1 host)
	ois-ctl node set "$target" startup=automatic >/dev/null
	port 1 plugged 0
	check_event 1001 OIS_TARGET="$target" OIS_HOST="$host" OIS_IFACE="$iface"
	check_no_trace
	port 1 plugged 1
	echo "fd 8" >/sys/devices/testadapter/port1/netns
	check_events 3 1000 OIS_TRANSPORT="$name" OIS_IFACE="$iface"
	check "data when it is back, $name" write_and_compare "$(session_disks)"
	check "logout, $name" ois-ctl logout "$target"
	check_no_trace
}

# test_adapter NAME discover|add NETDEV STATUS
test_adapter()
{
	local name=$1 found=$2 nobody=$4 iface before n_back
	load_adapter "$name" ports=2
	iface=$name.$(port 1 hwaddress)
	if [[ $3 != - ]]; then
		port 1 netdev "$3"
		ois-ctl iface set "$iface" network.address="$own" >/dev/null
	fi
	test_refusals
	test_life
	test_unplug
	ois-ctl node remove "$target" >/dev/null
	check "it is not in use any more, $name" unload_adapter
}

start_system
setup_storage
setup_wire
printf '%s\n' userid=alice "password=$password" userid_mutual=storage "password_mutual=$target_password" >"$work/auth"
check "a target in the storage network" in_storage lio setup --portal "$storage:3260" --pages 1024 \
	--parameter DefaultTime2Wait=0 --parameter HeaderDigest=CRC32C --parameter DataDigest=CRC32C --auth "$work/auth"
while read -r -a words; do
	test_adapter "${words[@]}"
done < <(grep . <<<"$adapters")
check_nothing_left
