# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What scripts need that run in the guest: the services of a running system, LIO targets, disks, and a look at what is
# left. Nothing here sleeps: services say when they are ready.
set -euo pipefail

: "${SOURCE:?start this in a guest: ./dev test}" "${BUILD:?}"
export PATH=$BUILD/tests/kernel:$BUILD/tests/protocol:$BUILD/tests/bench:$PATH

declare -A services=()
work=$(mktemp -d)

# ---- services ----

# launch_service NAME [OPTION OF service]... -- COMMAND...: it has a process id, and begins when somebody waits for it.
launch_service()
{
	local name=$1 pipe=$work/$1.pipe
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
}

# await_service NAME: until it says that it is ready.
await_service()
{
	local word=''
	read -r word <"$work/$1.pipe" || true
	if [[ $word != ready ]]; then
		echo "# $1 did not get ready:"
		tail -n 30 "$work/$1.log" | sed 's/^/#   /'
		return 1
	fi
}

# start_service NAME [OPTION OF service]... -- COMMAND...
start_service()
{
	launch_service "$@"
	await_service "$1"
}

# stop_service NAME [SIGNAL]: returns its exit status.
stop_service()
{
	local pid=${services[$1]}
	unset "services[$1]"
	kill -"${2:-TERM}" "$pid"
	wait "$pid"
}

# The journal, with events explained.
start_journal()
{
	mkdir -p /run/log/journal /run/systemd/journal /run/systemd/journald.conf.d
	# The kernel's own messages have a console; hundreds of sessions make thousands of them.
	printf '%s\n' '[Journal]' ReadKMsg=no >/run/systemd/journald.conf.d/no-kernel.conf
	start_service journald -- /lib/systemd/systemd-journald
	SYSTEMD_LOG_LEVEL=warning journalctl --update-catalog
}

start_udev()
{
	start_service udevd -- /lib/systemd/systemd-udevd
}

# Puts what "cmake --install" made to where it belongs.
install_ois()
{
	cp -a "$BUILD/stage/." /
	SYSTEMD_LOG_LEVEL=warning systemd-sysusers ois.conf
	SYSTEMD_LOG_LEVEL=warning systemd-tmpfiles --create ois.conf
}

# The daemon, under its real socket.
launch_oisd()
{
	mkdir -p /run/ois
	launch_service oisd --listen /run/ois/org.ois --name varlink -- oisd
}

start_oisd()
{
	launch_oisd
	await_service oisd
}

# Debian's kernel for user mode has no trace events, its others have.
have_tracing()
{
	[[ -d /sys/kernel/tracing/instances ]]
}

# The daemon makes its instance in a thread; each turn waits for an answer.
await_trace_events()
{
	until [[ $(cat /sys/kernel/tracing/instances/ois/events/iscsi/iscsi_dbg_eh/enable 2>/dev/null) == 1 ]]; do
		ois-ctl status >/dev/null
	done
}

# ---- targets and disks ----

# load_modules NAME...: a kernel without modules has them built in.
load_modules()
{
	[[ ! -e /lib/modules/$(uname -r)/modules.dep ]] || modprobe -a "$@"
}

# What most tests need.
load_iscsi()
{
	load_modules target_core_mod iscsi_target_mod iscsi_tcp sd_mod crc32c
}

# unit_add TARGET NUMBER, unit_remove TARGET NUMBER: a logical unit of 1 MiB, while the target is in use.
unit_add()
{
	local target=/sys/kernel/config/target disk
	disk=$target/core/rd_mcp_0/${1##*:}-$2
	mkdir "$disk"
	echo rd_pages=256 >"$disk/control"
	echo 1 >"$disk/enable"
	mkdir "$target/iscsi/$1/tpgt_1/lun/lun_$2"
	ln -s "$disk" "$target/iscsi/$1/tpgt_1/lun/lun_$2/disk"
}

unit_remove()
{
	local target=/sys/kernel/config/target
	rm "$target/iscsi/$1/tpgt_1/lun/lun_$2/disk"
	rmdir "$target/iscsi/$1/tpgt_1/lun/lun_$2" "$target/core/rd_mcp_0/${1##*:}-$2"
}

# portal_groups 0|1: of all targets. Disabling them closes their connections, and refuses new ones.
portal_groups()
{
	local group
	for group in /sys/kernel/config/target/iscsi/iqn*/tpgt_1; do
		echo "$1" >"$group/enable"
	done
}

# start_tgt PORT TARGET: another target, tgt, in user space, with a disk of 1 MiB as unit 1.
start_tgt()
{
	start_service tgtd -- tgtd --foreground --iscsi portal="127.0.0.1:$1"
	truncate -s 1M "$work/disk"
	tgtadm --lld iscsi --op new --mode target --tid 1 --targetname "$2"
	tgtadm --lld iscsi --op new --mode logicalunit --tid 1 --lun 1 --backing-store "$work/disk"
	tgtadm --lld iscsi --op bind --mode target --tid 1 --initiator-address ALL
}

# The disks of all sessions.
session_disks()
{
	local block
	for block in /sys/class/iscsi_session/session*/device/target*/*/block/*; do
		[[ ! -e $block ]] || echo "/dev/${block##*/}"
	done
}

# All are read: who writes into a pipe that nobody reads any more dies of it.
first_disk()
{
	session_disks | sed -n 1p
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
