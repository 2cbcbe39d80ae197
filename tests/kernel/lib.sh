# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the scripts that run in the guest share: tests with their results in the form of TAP, the services of a running
# system, LIO targets, and a look at what is left. Nothing here sleeps: services say when they are ready.
set -euo pipefail

: "${SOURCE:?start this in a guest: ./dev test}" "${BUILD:?}"
export PATH=$BUILD/daemon:$BUILD/cli:$BUILD/tests/kernel:$BUILD/tests/bench:$PATH

tests=0 failures=0
declare -A services=()
work=$(mktemp -d)

# ---- results ----

ok()
{
	tests=$((tests + 1))
	echo "ok $tests - $*"
}

not_ok()
{
	tests=$((tests + 1)) failures=$((failures + 1))
	echo "not ok $tests - $*"
}

skip()
{
	tests=$((tests + 1))
	echo "ok $tests - $1 # SKIP $2"
}

# check DESCRIPTION COMMAND...: the command succeeds. What it says is shown only if it does not.
check()
{
	local description=$1 status=0
	shift
	"$@" >"$work/output" 2>&1 || status=$?
	if ((status == 0)); then
		ok "$description"
	else
		not_ok "$description"
		echo "# status $status of: $*"
		tail -n 20 "$work/output" | sed 's/^/#   /'
	fi
}

# check_equal DESCRIPTION EXPECTED ACTUAL
check_equal()
{
	if [[ $2 == "$3" ]]; then
		ok "$1"
	else
		not_ok "$1"
		printf '#   expected: %s\n#   actual:   %s\n' "$2" "$3"
	fi
}

# check_fails DESCRIPTION STATUS COMMAND...: the command fails with this exit status.
check_fails()
{
	local description=$1 expected=$2 status=0
	shift 2
	"$@" >"$work/output" 2>&1 || status=$?
	check_equal "$description" "$expected" "$status"
	((status == expected)) || tail -n 20 "$work/output" | sed 's/^/#   /'
}

finish()
{
	local status=$?
	trap - EXIT
	if ((status)); then
		not_ok "the script ended early, with status $status"
		show_logs
	fi
	echo "1..$tests"
	exit "$((failures > 0))"
}
trap finish EXIT

show_logs()
{
	local log
	for log in "$work"/*.log; do
		[[ -s $log ]] || continue
		echo "# ${log##*/}:"
		tail -n 30 "$log" | sed 's/^/#   /'
	done
}

# ---- services ----

# start_service NAME [OPTION OF service]... -- COMMAND...: returns when the service says that it is ready.
start_service()
{
	local name=$1 pipe=$work/$1.pipe word=''
	shift
	local options=()
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	rm -f "$pipe"
	mkfifo "$pipe"
	service --ready 9 ${options[@]+"${options[@]}"} "$@" 9>"$pipe" >>"$work/$name.log" 2>&1 &
	services[$name]=$!
	read -r word <"$pipe" || true
	if [[ $word != ready ]]; then
		echo "# $name did not get ready:"
		tail -n 30 "$work/$name.log" | sed 's/^/#   /'
		return 1
	fi
}

# stop_service NAME [SIGNAL]: returns its exit status.
stop_service()
{
	local pid=${services[$1]}
	unset "services[$1]"
	kill -"${2:-TERM}" "$pid"
	wait "$pid"
}

# The journal, with our events explained.
start_journal()
{
	mkdir -p /run/log/journal /run/systemd/journal
	start_service journald -- /lib/systemd/systemd-journald
	journalctl --update-catalog
}

start_udev()
{
	start_service udevd -- /lib/systemd/systemd-udevd
}

# The daemon as it is installed: under its real socket, with its records in /etc/ois.
start_oisd()
{
	mkdir -p /run/ois
	start_service oisd --listen /run/ois/org.ois --name varlink -- oisd "$@"
}

# Copies what "cmake --install" made to where it belongs.
install_ois()
{
	cp -a "$BUILD/stage/." /
	grep -q '^ois:' /etc/group || echo 'ois:x:980:' >>/etc/group
}

# ---- targets and disks ----

load_modules()
{
	modprobe -a target_core_mod iscsi_target_mod iscsi_tcp sd_mod crc32c
}

# The disks of all sessions.
session_disks()
{
	local block
	for block in /sys/class/iscsi_session/session*/device/target*/*/block/*; do
		[[ ! -e $block ]] || echo "/dev/${block##*/}"
	done
}

# Writes random data to a disk, past the cache, and reads it back.
write_and_compare()
{
	local disk=$1 kib=${2:-256}
	dd if=/dev/urandom of="$work/written" bs=1K count="$kib" status=none
	dd if="$work/written" of="$disk" bs=64K oflag=direct status=none
	dd if="$disk" of="$work/read" bs=64K count=$((kib / 64)) iflag=direct status=none
	cmp "$work/written" "$work/read"
}

# What of iSCSI the kernel still holds on our side; nothing at all is the only good answer.
remains()
{
	local object
	for object in /sys/class/iscsi_session/* /sys/class/iscsi_connection/* /sys/class/iscsi_host/* /sys/block/sd*; do
		[[ ! -e $object ]] || echo "${object##*/}"
	done
}

check_nothing_left()
{
	check_equal "nothing is left in the kernel" "" "$(remains)"
}
