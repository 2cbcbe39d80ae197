# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The targets of test-targets.sh: how each implementation is given a target of the kind that a row of the table names.
# Of each, three functions:
#
#   NAME_add NUMBER WANTS DIGESTS ADDRESS MODE  one more target, reached at ADDRESS
#   NAME_start MODE                             it serves what was added, and demands MODE of discovery sessions; the
#                                               modes come in the order none, chap, mutual
#   NAME_port MODE                              the port to discover it at
#
# WANTS and MODE are none, chap or mutual; DIGESTS is none or some.
# shellcheck disable=SC2034,SC2154 # names and secrets are for test-targets.sh; $work is of guest.sh

user=alice secret=open-sesame-1001
target_user=storage target_secret=who-goes-there-42
base=iqn.2026-11.org.example

# ---- LIO, in the kernel; one portal group for each target, one setting for all discovery sessions ----

lio_file()
{
	printf '%s\n' "userid=$user" "password=$secret" >"$work/lio.chap"
	printf '%s\n' "userid_mutual=$target_user" "password_mutual=$target_secret" | cat "$work/lio.chap" - >"$work/lio.mutual"
}

lio_add()
{
	local options=()
	[[ -e $work/lio.chap ]] || lio_file
	[[ $2 == none ]] || options+=(--auth "$work/lio.$2")
	[[ $3 != none ]] || options+=(--parameter HeaderDigest=None --parameter DataDigest=None)
	lio setup --name "$base:lio" --first "$1" --portal "$4:3260" ${options[@]+"${options[@]}"}
}

lio_start() { [[ $1 == none ]] || lio setup --targets 0 --discovery-auth "$work/lio.$1"; }

lio_port() { echo 3260; }

# ---- tgt, one daemon; it shows targets only to the addresses that may use them ----

tgt_do() { tgtadm --lld iscsi --op "$1" --mode "$2" "${@:3}"; }

tgt_run()
{
	start_service tgtd -- tgtd --foreground --iscsi "portal=127.0.0.1:3270,portal=[::1]:3270"
	tgt_do new account --user "$user" --password "$secret"
	tgt_do new account --user "$target_user" --password "$target_secret"
}

tgt_add()
{
	local tid=$1 digest
	[[ ${services[tgtd]-} ]] || tgt_run
	truncate -s 1M "$work/tgt$tid"
	tgt_do new target --tid "$tid" --targetname "$base:tgt$tid"
	tgt_do new logicalunit --tid "$tid" --lun 1 --backing-store "$work/tgt$tid"
	tgt_do bind target --tid "$tid" --initiator-address "$4"
	[[ $2 == none ]] || tgt_do bind account --tid "$tid" --user "$user"
	[[ $2 != mutual ]] || tgt_do bind account --tid "$tid" --user "$target_user" --outgoing
	[[ $3 != none ]] || return 0
	for digest in HeaderDigest DataDigest; do
		tgt_do update target --tid "$tid" --name "$digest" --value None,CRC32C
	done
}

# Accounts that are not of a target are for discovery.
tgt_start()
{
	case $1 in
	chap) tgt_do bind account --user "$user" ;;
	mutual) tgt_do bind account --user "$target_user" --outgoing ;;
	esac
}

tgt_port() { echo 3270; }

# ---- istgt, one process for each way of discovery; it has a second's pause in each login, for all others, too ----

declare -A istgt_units=() istgt_ports=([none]=3280 [chap]=3281 [mutual]=3282)
declare -A istgt_methods=([none]=None [chap]=CHAP [mutual]='CHAP Mutual')
declare -A istgt_accounts=([none]=AuthGroup1 [chap]=AuthGroup1 [mutual]=AuthGroup2)

istgt_add()
{
	local group=1
	[[ $4 != \[* ]] || group=2
	istgt_units[$5]+="
[LogicalUnit$1]
TargetName istgt$1
Mapping PortalGroup$group InitiatorGroup1
AuthMethod ${istgt_methods[$2]}
AuthGroup ${istgt_accounts[$2]}
UseDigest Auto
UnitType Disk
LUN0 Storage $work/istgt$1 1MB
"
}

istgt_file()
{
	local port=${istgt_ports[$1]}
	cat <<-EOF
	[Global]
	NodeBase $base
	PidFile /run/istgt.$1.pid
	AuthFile $work/istgt.auth
	MediaDirectory $work
	LogFacility local7
	Timeout 30
	NopInInterval 20
	DiscoveryAuthMethod ${istgt_methods[$1]}
	DiscoveryAuthGroup ${istgt_accounts[$1]}
	MaxSessions 64
	MaxConnections 1
	MaxR2T 32
	MaxOutstandingR2T 1
	DefaultTime2Wait 2
	DefaultTime2Retain 60
	FirstBurstLength 65536
	MaxBurstLength 262144
	MaxRecvDataSegmentLength 262144
	InitialR2T Yes
	ImmediateData Yes
	DataPDUInOrder Yes
	DataSequenceInOrder Yes
	ErrorRecoveryLevel 0
	[UnitControl]
	AuthMethod None
	Portal UC1 127.0.0.1:$((port + 10))
	Netmask 127.0.0.1
	[PortalGroup1]
	Portal DA1 127.0.0.1:$port
	[PortalGroup2]
	Portal DA1 [::1]:$port
	[InitiatorGroup1]
	InitiatorName ALL
	Netmask ALL
	${istgt_units[$1]}
	EOF
}

# It listens before it writes its process id. tail(1) is told of the file by the kernel, where /tmp is an overlay not.
istgt_start()
{
	local pid=''
	(
		umask 077
		printf '%s\n' '[AuthGroup1]' "Auth $user $secret" '[AuthGroup2]' "Auth $user $secret $target_user $target_secret" \
			>"$work/istgt.auth"
	)
	istgt_file "$1" >"$work/istgt.$1.conf"
	exec 5< <(exec timeout 20 tail -F "/run/istgt.$1.pid" 2>&-)
	istgt -c "$work/istgt.$1.conf" >"$work/istgt.$1.log" 2>&1
	read -r pid <&5 || true
	exec 5<&-
	[[ $pid ]]
}

istgt_port() { echo "${istgt_ports[$1]}"; }
