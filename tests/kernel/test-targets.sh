#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Real targets: each row of the tables is a target and what must become of a login to it, or a discovery.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source=tests/kernel/targets.sh
source "${BASH_SOURCE[0]%/*}/targets.sh"

# target     lio, tgt or istgt; see targets.sh
# wants      what the target asks for: none, chap, mutual
# has        what the node has: none, chap, mutual, wrong (secret), impostor (mutual, wrong secret of the target)
# digests    what both agree to: none, header, data, both; -header, -data: the node demands one, the target has none
# family     ipv4, ipv6
# discovery  what the discovery that finds the target is asked for: none, chap, mutual
# result     the hash function of CHAP (-: a session without CHAP); or the events of a failure, 10 with the status;
#            or EVENT:HASH, where MD5 alone helped; events after which the login went on do not count
# setting... further settings of the node
table='
lio   none   none     none    ipv4 none   -
lio   none   none     header  ipv4 chap   -
lio   none   none     data    ipv4 mutual -
lio   none   none     both    ipv4 none   -
lio   none   none     none    ipv6 none   -
lio   none   none     both    ipv6 chap   -
lio   chap   chap     none    ipv4 chap   sha3_256
lio   chap   chap     none    ipv4 mutual sha256 authentication.algorithms=sha256,md5
lio   chap   chap     none    ipv4 none   sha1 authentication.algorithms=sha1,md5
lio   chap   chap     none    ipv4 chap   md5 authentication.algorithms=md5
lio   chap   chap     both    ipv4 mutual sha3_256
lio   chap   chap     none    ipv6 mutual sha3_256
lio   chap   chap     both    ipv6 none   sha3_256
lio   mutual mutual   none    ipv4 none   sha3_256
lio   mutual mutual   both    ipv4 chap   sha3_256
lio   mutual mutual   none    ipv6 chap   sha3_256
lio   mutual mutual   both    ipv6 mutual sha3_256
lio   mutual chap     none    ipv4 mutual sha3_256
lio   chap   none     none    ipv4 none   10/0201+40
lio   chap   wrong    none    ipv4 chap   10/0201
lio   chap   wrong    none    ipv6 none   10/0201
lio   mutual wrong    none    ipv4 mutual 10/0201
lio   mutual impostor none    ipv4 none   17
lio   mutual impostor none    ipv6 chap   17
# It lets this host in, and says nothing of itself.
lio   chap   mutual   none    ipv4 chap   16
# CHAP is refused when the algorithms come, as if they were at fault.
lio   none   chap     none    ipv4 mutual 1026+10/0201
lio   none   mutual   none    ipv4 none   1026+10/0201
# So are digests it does not have.
lio   none   none     -header ipv4 chap   10/0200
lio   none   none     -data   ipv4 mutual 10/0200
# Nothing that a target of these does has to be tolerated.
lio   none   none     both    ipv4 none   - strict=true
lio   mutual mutual   none    ipv4 mutual sha3_256 strict=true

tgt   none   none     none    ipv4 none   -
tgt   none   none     header  ipv4 chap   -
tgt   none   none     data    ipv4 mutual -
tgt   none   none     both    ipv4 none   -
tgt   none   none     none    ipv6 none   -
tgt   none   none     both    ipv6 chap   -
# It takes 7, SHA-256, for SHA1, fails on the longer response, and does not know 6, which is SHA1: it gets MD5 alone, where
# that is listed.
tgt   chap   chap     none    ipv4 chap   10/0200 authentication.algorithms=sha1
tgt   chap   chap     none    ipv4 mutual 10/0200 authentication.algorithms=sha3_256,sha256,sha1
tgt   chap   chap     none    ipv4 none   md5 authentication.algorithms=sha1,md5
tgt   chap   chap     none    ipv4 chap   md5 authentication.algorithms=md5
tgt   chap   chap     none    ipv4 mutual 1026:md5
tgt   chap   chap     both    ipv4 none   1026:md5
tgt   chap   chap     none    ipv6 mutual 1026:md5
tgt   chap   chap     both    ipv6 none   1026:md5
tgt   mutual mutual   none    ipv4 chap   1026:md5
tgt   mutual mutual   both    ipv4 mutual md5 authentication.algorithms=md5
tgt   mutual mutual   none    ipv6 chap   1026:md5
tgt   mutual mutual   both    ipv6 mutual md5 authentication.algorithms=md5
tgt   mutual chap     none    ipv4 none   1026:md5
tgt   chap   none     none    ipv4 chap   10/0201+40
tgt   chap   wrong    none    ipv4 mutual 1026+10/0201
tgt   chap   wrong    none    ipv6 none   10/0201 authentication.algorithms=md5
tgt   mutual wrong    none    ipv4 none   1026+10/0201
tgt   mutual impostor none    ipv4 chap   1026+17
tgt   mutual impostor none    ipv6 chap   17 authentication.algorithms=md5
# The login is refused if it cannot prove itself.
tgt   chap   mutual   none    ipv4 mutual 1026+10/0201
# AuthMethod=CHAP alone is refused, not answered.
tgt   none   chap     none    ipv4 none   10/0201
tgt   none   mutual   none    ipv4 chap   10/0201
# It answers None, which was not offered.
tgt   none   none     -header ipv4 mutual 18
tgt   none   none     -data   ipv4 none   19
tgt   none   none     both    ipv4 none   - strict=true
tgt   mutual mutual   none    ipv4 mutual md5 authentication.algorithms=md5 strict=true

istgt none   none     none    ipv4 none   -
istgt none   none     header  ipv4 chap   -
istgt none   none     data    ipv4 mutual -
istgt none   none     both    ipv4 none   -
istgt none   none     none    ipv6 none   -
istgt none   none     both    ipv6 chap   -
istgt chap   chap     none    ipv4 chap   md5
istgt chap   chap     both    ipv4 mutual md5
istgt chap   chap     none    ipv6 mutual md5
istgt chap   chap     both    ipv6 none   md5
istgt mutual mutual   none    ipv4 none   md5
istgt mutual mutual   both    ipv4 chap   md5
istgt mutual mutual   none    ipv6 chap   md5
istgt mutual mutual   both    ipv6 mutual md5
istgt chap   none     none    ipv4 mutual 10/0201+40
istgt chap   wrong    none    ipv4 none   10/0201
istgt chap   wrong    none    ipv6 none   10/0201
istgt mutual wrong    none    ipv4 chap   10/0201
istgt mutual impostor none    ipv4 mutual 17
istgt mutual impostor none    ipv6 chap   17
# It insists on proving itself, and refuses the login if it cannot.
istgt mutual chap     none    ipv4 none   10/0201
istgt chap   mutual   none    ipv4 chap   10/0201
istgt none   chap     none    ipv4 mutual 38
istgt none   mutual   none    ipv4 none   38
istgt none   none     both    ipv4 none   - strict=true
istgt mutual mutual   none    ipv4 mutual md5 strict=true
'
# Discoveries: TARGET WANTS HAS FAMILY, as above, and found or the event of the failure. Each target wants none first, then
# chap, then mutual.
discoveries='
lio   none   none     ipv4 found
lio   none   none     ipv6 found
lio   none   chap     ipv4 10
lio   chap   none     ipv4 40
lio   chap   wrong    ipv6 10
lio   chap   chap     ipv4 found
lio   chap   chap     ipv6 found
lio   chap   mutual   ipv4 16
lio   mutual none     ipv6 40
lio   mutual chap     ipv4 found
lio   mutual wrong    ipv4 10
lio   mutual impostor ipv4 17
lio   mutual mutual   ipv4 found
lio   mutual mutual   ipv6 found

tgt   none   none     ipv4 found
tgt   none   none     ipv6 found
tgt   none   chap     ipv4 10
tgt   chap   none     ipv4 40
tgt   chap   wrong    ipv6 10
tgt   chap   chap     ipv4 found
tgt   chap   chap     ipv6 found
tgt   chap   mutual   ipv4 10
tgt   mutual none     ipv6 40
tgt   mutual chap     ipv4 found
tgt   mutual wrong    ipv4 10
tgt   mutual impostor ipv4 17
tgt   mutual mutual   ipv4 found
tgt   mutual mutual   ipv6 found

istgt none   none     ipv4 found
istgt none   none     ipv6 found
istgt none   chap     ipv4 38
istgt chap   none     ipv4 40
istgt chap   wrong    ipv6 10
istgt chap   chap     ipv4 found
istgt chap   chap     ipv6 found
istgt chap   mutual   ipv4 10
istgt mutual none     ipv6 40
istgt mutual chap     ipv4 10
istgt mutual wrong    ipv4 10
istgt mutual impostor ipv4 17
istgt mutual mutual   ipv4 found
istgt mutual mutual   ipv6 found
'
if ! command -v istgt >/dev/null; then
	skip "istgt" "it is not installed"
	table=$(sed '/^istgt/d' <<<"$table")
	discoveries=$(sed '/^istgt/d' <<<"$discoveries")
fi
declare -A addresses=([ipv4]=127.0.0.1 [ipv6]='[::1]')
mapfile -t rows < <(grep '^[^#]' <<<"$table")

# each_row FUNCTION: calls it with NUMBER TARGET WANTS HAS DIGESTS FAMILY DISCOVERY RESULT SETTING...
each_row()
{
	local number=0 row
	for row in "${rows[@]}"; do
		# shellcheck disable=SC2086 # words of the row
		"$1" $((number += 1)) $row
	done
}

add_target()
{
	local digests=some
	[[ $5 != -* ]] || digests=none
	"$2_add" "$1" "$3" "$digests" "${addresses[$6]}" "$7"
}

# credentials HAS: to the array settings.
credentials()
{
	[[ $1 == none ]] || settings+=(authentication.method=chap authentication.userName="$user")
	case $1 in
	chap | mutual | impostor) settings+=(--secret-file="$work/secret") ;;&
	wrong) settings+=(--secret-file="$work/other-secret") ;;
	mutual) settings+=(--target-secret-file="$work/target-secret") ;;
	impostor) settings+=(--target-secret-file="$work/other-target-secret") ;;
	esac
}

set_node()
{
	local settings=("${@:9}")
	credentials "$4"
	case $5 in
	header | both) settings+=("keys.headerDigest=crc32c,none") ;;&
	data | both) settings+=("keys.dataDigest=crc32c,none") ;;
	-header) settings+=(keys.headerDigest=crc32c headerDigestRequired=true) ;;
	-data) settings+=(keys.dataDigest=crc32c dataDigestRequired=true) ;;
	esac
	((${#settings[@]} == 0)) || ois-ctl node set "$base:$2$1" "${settings[@]}" >/dev/null
}

# Of each target: what is told, and the disk.
declare -A told=() disks=()

read_events()
{
	local name event
	while read -r name event; do
		told[$name]+=${told[$name]:++}$event
	done < <(ois-ctl events --json=short | jq -r '.number as $number | .fields |
		select(.OIS_TARGET and ($number == 1026 or
			($number <= 72 and $number != 70 and .OIS_OUTCOME != "continued"))) |
		"\(.OIS_TARGET) \($number)" + if $number == 10 then "/0\(.OIS_PDU_STATUS_CLASS)0\(.OIS_PDU_STATUS_DETAIL)" else "" end')
}

read_sessions()
{
	local name disk session words header data
	while read -r name disk session words; do
		read -r header <"/sys/class/iscsi_connection/connection$session:0/header_digest"
		read -r data <"/sys/class/iscsi_connection/connection$session:0/data_digest"
		told[$name]+="${told[$name]:+ }$words $header $data"
		disks[$name]=$disk
	done < <(ois-ctl sessions --json=short | jq -r '.[] | . as $session | .connections[0] | [
		$session.targetName, "/dev/\($session.logicalUnits[].blockDevice | strings)", $session.session,
		$session.state, .address, $session.chapAlgorithm // "-", $session.mutualAuthentication // false,
		.parameters.headerDigest, .parameters.dataDigest] | join(" ")')
}

# What the daemon and the kernel are to tell of the session, or the events of a failure.
check_login()
{
	local address=${addresses[$6]//[\[\]]/} mutual=false digests='none none 0 0' failure='' hash=$8
	if [[ $8 == [0-9]* ]]; then
		failure=${8%:*}
		hash=${8:${#failure}+1}
	fi
	[[ $4 != mutual ]] || mutual=true
	case $5 in
	header) digests='crc32c none 1 0' ;;
	data) digests='none crc32c 0 1' ;;
	both) digests='crc32c crc32c 1 1' ;;
	esac
	[[ ! $hash ]] || hash="${failure:+ }logged_in $address $hash $mutual $digests"
	check_equal "$2$1: ${*:3}" "$failure$hash" "${told[$base:$2$1]-}"
}

# 512 KiB of random data, more than one burst, and others on each disk.
write_disks()
{
	local disk place=0
	head --bytes="$((${#disks[@]} * 512))K" /dev/urandom >"$work/random"
	for disk in "${disks[@]}"; do
		dd if="$work/random" of="$disk" bs=512K count=1 skip=$((place++)) oflag=direct status=none || return
	done
}

# compare_disk PLACE NAME
compare_disk() { cmp --bytes=512K --ignore-initial="$(($1 * 512))K:0" "$work/random" "${disks[$2]}"; }

# Adds the target of a row to missing, if the discovery should have found it and did not.
note_missing()
{
	[[ "$2 $7 $6" != "$discovery" || $found == *"\"$base:$2$1\""* ]] || missing+=" $2$1"
}

# discover TARGET WANTS HAS FAMILY: tells the result. Nothing that these targets do has to be tolerated, but that tgt fails
# on a list of algorithms.
discover()
{
	local discovery="$1 $2 $4" address settings=(strict=true) found missing=''
	address=${addresses[$4]}:$("$1_port" "$2")
	[[ $1 != tgt ]] || settings=(strict=false)
	credentials "$3"
	ois-ctl portal set "$address" "${settings[@]}" >/dev/null
	if found=$(ois-ctl discover "$address" --json=short 2>"$work/errors"); then
		each_row note_missing
		echo "found${missing:+, not$missing}"
	else
		sed -n 's/^Event \([0-9]*\) .*/\1/p' "$work/errors"
	fi
	ois-ctl portal remove "$address" >/dev/null
}

declare -A started=()
# check_discovery TARGET WANTS HAS FAMILY RESULT
check_discovery()
{
	[[ ${started[$1 $2]-} ]] || "$1_start" "$2"
	started[$1 $2]=yes
	check_equal "discovery: $*" "$5" "$(discover "$@")"
}

printf '%s\n' "$secret" >"$work/secret"
printf '%s\n' "$target_secret" >"$work/target-secret"
printf '%s\n' "not-$secret" >"$work/other-secret"
printf '%s\n' "not-$target_secret" >"$work/other-target-secret"
# istgt makes logins wait for each other, and then connections.
mkdir -p /etc/ois/ois.conf.d
printf '%s\n' '[Daemon]' LoginsMax=4 >/etc/ois/ois.conf.d/few.conf
start_system
each_row add_target
while read -r -a words; do
	check_discovery "${words[@]}"
done < <(grep '^[^#]' <<<"$discoveries")
each_row set_node

check_fails "login of all, not all succeed" 7 ois-ctl login --all
# The last event of each failure.
await_events "$(printf '%s\n' "${rows[@]}" | awk '$7 ~ /^[0-9][^:]*$/' | wc -l)" 70 >/dev/null
read_events
read_sessions
each_row check_login
check_equal "the kernel has these sessions only" "${#disks[@]}" "$(find /sys/class/iscsi_session/ -name 'session*' | wc -l)"
check "data are written to all disks" write_disks
place=0
for name in "${!disks[@]}"; do
	check "data come back from ${name#*:}" compare_disk $((place++)) "$name"
done
check "logout" ois-ctl logout --all
check_nothing_left
