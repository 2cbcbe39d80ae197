#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The root file system lies on a disk of the daemon: its program, its libraries, its configuration, all that it could
# read. The disk is lost, and the daemon brings it back while everything else that touches its root waits, the journal
# included.
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

target=iqn.2026-11.org.example:root1
root=/newroot

# copy_program FILE...: into the new root, with the libraries it needs.
copy_program()
{
	local file
	for file in "$@" $(ldd "$@" | awk '$1 ~ /^\// { print $1 } $3 ~ /^\// { print $3 }' | grep -v ':$' | sort -u); do
		mkdir -p "$root${file%/*}"
		cp -L "$file" "$root$file"
	done
}

# await_told NUMBER: an event from the daemon's own stream of them; the journal does not help here.
await_told()
{
	local reply
	while read -r -d '' -t 60 reply <&"${stream[0]}"; do
		[[ $reply != *"\"number\":$1,"* ]] || return 0
	done
	return 1
}

# is_waiting PID: it goes as far as to wait for a disk, and does not end.
is_waiting()
{
	local state=''
	while [[ $state != D ]]; do
		read -r _ _ state _ <"/proc/$1/stat"
		[[ $state != Z ]] || return 1
	done 2>/dev/null
}

# listen 0|1: whether anybody answers at the address of the target.
listen()
{
	local portal=/sys/kernel/config/target/iscsi/$target/tpgt_1/np/127.0.0.1:3260
	if (($1)); then
		mkdir "$portal"
	else
		rmdir "$portal"
	fi
	portal_groups "$1"
}

# lose_root NUMBER: until this event; and nothing of it stays in memory that is not locked there.
lose_root()
{
	sync -f "$root"
	echo 3 >/proc/sys/vm/drop_caches
	listen 0
	await_told 20 || return
	cat "$root/data" >"$work/data.read" &
	reader=$!
	dd if="$work/data" of="$root/written" bs=64K oflag=sync status=none &
	writer=$!
	chroot "$root" /usr/bin/ois-ctl status >"$work/status" 2>&1 &
	client=$!
	await_told "$1"
}

root_is_back()
{
	wait "$reader" && cmp "$work/data" "$work/data.read" && wait "$writer" && cmp "$work/data" "$root/written" && wait "$client"
}

# watch_opens: what the daemon and its scanner open from now on.
watch_opens()
{
	local process word
	tracers=()
	for process in "$pid" "$scanner"; do
		tracer opens "$process" >"$work/opened" &
		tracers+=($!)
		read -r word <&6
		[[ $word == attached ]] || return
	done
}

# opens: and what it was that lies on its root.
opens()
{
	local path
	kill "${tracers[@]}"
	wait "${tracers[@]}" || true
	echo >&6
	while read -r path <&6 && [[ $path ]]; do
		[[ $path == /sys/* || $path == "$root"/sys/* || $path == /proc/* ]] || echo "$path"
	done | sort -u
}

# move_root ADDRESS: logs in, puts all of the daemon on the disk, and starts it there.
move_root()
{
	local name disk
	ois-ctl node add "$target" "$1" authentication.method=chap authentication.userName=alice \
		keys.defaultTime2Wait=0 resolveTimeoutSeconds=1 replacementTimeoutSeconds=-1 \
		--secret-file=- <<<open-sesame-1001
	ois-ctl login "$target"
	disk=$(session_disks)
	mkfs.ext4 -q "$disk"
	mount "$disk" "$root"
	mkdir "$root"/{proc,sys,dev,run,etc}
	for name in proc sys dev run; do
		mount --rbind "/$name" "$root/$name"
	done
	copy_program /usr/sbin/oisd /usr/bin/ois-ctl /lib/x86_64-linux-gnu/libnss_{files,dns}.so.2
	cp -a /etc/{ois,iscsi,nsswitch.conf,hosts} "$root/etc"
	cp "$work/data" "$root/data"
	stop_service oisd
	start_service oisd --listen /run/ois/org.ois --name varlink -- chroot "$root" /usr/sbin/oisd
	pid=${services[oisd]}
	scanner=''
	until [[ $scanner ]]; do
		ois-ctl status >/dev/null
		scanner=$(pgrep -x -P "$pid" oisd-scanner)
	done
	[[ $(readlink "/proc/$pid/exe") == "$root/usr/sbin/oisd" && $(readlink "/proc/$scanner/exe") == "$root/usr/sbin/oisd" ]]
}

# unflushing: their threads that would wait for a disk to be written when memory is short, PF_MEMALLOC_NOIO of sched.h.
unflushing()
{
	local name flags
	while read -r _ name _ _ _ _ _ _ flags _; do
		((flags & 0x80000)) || echo "$name"
	done < <(cat "/proc/$pid/task"/*/stat "/proc/$scanner/task"/*/stat)
}

is_locked()
{
	awk '/^(VmLck|RssFile):/ { kib[$1] = $2 } END { print (kib["VmLck:"] > kib["RssFile:"] && kib["RssFile:"] > 0) }' \
		"/proc/$1/status"
}

subscribe()
{
	coproc stream { socat - UNIX-CONNECT:/run/ois/org.ois; }
	printf '{"method":"org.ois.event.Subscribe","more":true}\0' >&"${stream[1]}"
	read -r -d '' word <&"${stream[0]}"
}

# lose_and_repair ADDRESS
lose_and_repair()
{
	check "$1: the daemon runs from its own disk" move_root "$1"
	subscribe
	check "$1: it is watched" watch_opens
	check_equal "$1: no thread writes to disks to get memory" "" "$(unflushing)"
	check_equal "$1: its memory is locked" 1 "$(is_locked "$pid")"
	check_equal "$1: and that of its scanner" 1 "$(is_locked "$scanner")"
	kill -STOP "${services[journald]}"
	check "$1: the disk is lost" lose_root 69
	check "$1: a reader of the root waits" is_waiting "$reader"
	check "$1: a writer waits" is_waiting "$writer"
	check "$1: a client from that disk waits" is_waiting "$client"
	check "$1: a client that is in memory is answered" ois-ctl sessions
	listen 1
	check "$1: the daemon brings it back" await_told 34
	opened=$(opens)
	check "$1: nothing was lost for anybody" root_is_back
	kill -CONT "${services[journald]}"
	check_event 34 OIS_TARGET="$target" OIS_PORTAL="$1:3260"
	check "$1: the daemon stops" stop_service oisd
	umount -l "$root"
	start_oisd
	check "$1: logout" ois-ctl logout --all
	ois-ctl node remove "$target" >/dev/null
	check_nothing_left
}

start_system
load_modules ext4
mkdir "$root"
mkfifo "$work/opened"
exec 6<>"$work/opened"
printf '%s\n' userid=alice password=open-sesame-1001 >"$work/auth"
lio setup --name "${target%1}" --pages 16384 --auth "$work/auth"
dd if=/dev/urandom of="$work/data" bs=1M count=4 status=none
echo 127.0.0.1 disk.example >>/etc/hosts

lose_and_repair 127.0.0.1
check_equal "it has opened nothing but sysfs, and started no program" "" "$opened"
# The last good address comes first. It is refused for a while, and the file of names lies on the disk.
lose_and_repair disk.example
check_equal "a lookup of the name waited, and nothing waited for that" /etc/hosts "$(grep -x /etc/hosts <<<"$opened")"
