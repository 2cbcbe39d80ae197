# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A small storage network in the guest, and what can go wrong in it. Targets live in a network namespace of their own,
# which two paths lead to: 10.0.0.2 and 10.0.1.2. tests/kernel/lib.sh comes first.
#
# A fault is two functions: fault_NAME WHERE begins it, and end_NAME WHERE undoes it; WHERE is any number, of which each
# fault takes what it needs. What a kernel cannot do, it says; the others are done.
# shellcheck disable=SC2154 # $work, services: of guest.sh

name_base=iqn.2026-11.org.example
chaos_secret=open-sesame-1001
n_lio=3

# in_storage COMMAND...: beside the targets. Not "ip netns exec", which would hide configfs.
in_storage()
{
	nsenter --net=/run/netns/storage "$@"
}

make_network()
{
	local path
	load_modules veth sch_netem
	ip netns add storage
	in_storage ip link set lo up
	for path in 0 1; do
		ip link add "path$path" type veth peer name "port$path" netns storage
		ip address add "10.0.$path.1/24" dev "path$path"
		in_storage ip address add "10.0.$path.2/24" dev "port$path"
		in_storage ip link set "port$path" up
		ip link set "path$path" up
	done
	! may_reset || in_storage nft add table ip faults
}

# Without nftables there is nothing that could answer with RST.
may_reset()
{
	[[ $(uname -r) != 6.1.* ]]
}

# ---- targets ----

# lio_target NUMBER PATH [OPTION OF lio]...: with a disk of 4 MiB.
lio_target()
{
	in_storage lio setup --name "$name_base:lio" --first "$1" --portal "10.0.$2.2:3260" --pages 1024 \
		--parameter DefaultTime2Wait=0 "${@:3}"
}

tgt_do()
{
	tgtadm --lld iscsi --op "$1" --mode "$2" "${@:3}"
}

tgt_target()
{
	[[ -e $work/tgt$1 ]] || truncate -s 4M "$work/tgt$1"
	tgt_do new target --tid "$1" --targetname "$name_base:tgt$1"
	tgt_do update target --tid "$1" --name DefaultTime2Wait --value 0
	tgt_do new logicalunit --tid "$1" --lun 1 --backing-store "$work/tgt$1"
	tgt_do bind target --tid "$1" --initiator-address ALL
}

# Two targets in user space, the second one with CHAP and digests; their disks outlive the daemon.
start_targets()
{
	local digest
	start_service tgtd -- nsenter --net=/run/netns/storage tgtd --foreground --iscsi portal=10.0.1.2:3270
	tgt_target 1
	tgt_target 2
	tgt_do new account --user alice --password "$chaos_secret"
	tgt_do bind account --tid 2 --user alice
	for digest in HeaderDigest DataDigest; do
		tgt_do update target --tid 2 --name "$digest" --value CRC32C
	done
}

# Three targets of LIO, and two more that nobody reads from: plain, with digests, with CHAP in both directions.
make_targets()
{
	printf '%s\n' userid=alice "password=$chaos_secret" userid_mutual=storage password_mutual=who-goes-there-42 >"$work/auth"
	lio_target 1 0 --parameter HeaderDigest=None --parameter DataDigest=None
	lio_target 2 1 --parameter HeaderDigest=CRC32C --parameter DataDigest=CRC32C
	lio_target 3 0 --auth "$work/auth"
	in_storage lio setup --name "$name_base:spare" --targets 2 --portal 10.0.1.2:3260 --pages 64
	start_targets
}

find_targets()
{
	ois-ctl discover 10.0.0.2
	ois-ctl discover 10.0.1.2
	ois-ctl discover 10.0.1.2:3270
	ois-ctl node set "$name_base:lio2" keys.headerDigest=crc32c keys.dataDigest=crc32c
	ois-ctl node set "$name_base:tgt2" keys.headerDigest=crc32c keys.dataDigest=crc32c
	ois-ctl node set "$name_base:lio3" authentication.method=mutual_chap authentication.userName=alice \
		--secret-file=- <<<"$chaos_secret"
	ois-ctl node set "$name_base:lio3" --target-secret-file=- <<<who-goes-there-42
	ois-ctl node set "$name_base:tgt2" authentication.method=chap authentication.userName=alice \
		--secret-file=- <<<"$chaos_secret"
}

# ---- faults of targets ----

group_of()
{
	echo "/sys/kernel/config/target/iscsi/$name_base:lio$(($1 % n_lio + 1))/tpgt_1/enable"
}

# A target that closes its connections, and refuses new ones.
fault_group() { echo 0 >"$(group_of "$1")"; }
end_group() { echo 1 >"$(group_of "$1")"; }

# A target that says nothing any more.
fault_freeze() { kill -STOP "${services[tgtd]}"; }
end_freeze() { kill -CONT "${services[tgtd]}"; }

# A target that dies, and comes back.
fault_crash() { stop_service tgtd KILL 2>/dev/null || true; }
end_crash() { start_targets; }

# ---- faults of paths ----

fault_link() { in_storage ip link set "port$(($1 % 2))" down; }
end_link() { in_storage ip link set "port$(($1 % 2))" up; }

# netem WHERE WORD...: on both ends.
netem()
{
	local path=$(($1 % 2))
	shift
	in_storage tc qdisc replace dev "port$path" root netem "$@"
	tc qdisc replace dev "path$path" root netem "$@"
}

end_netem()
{
	local path=$(($1 % 2))
	in_storage tc qdisc delete dev "port$path" root
	tc qdisc delete dev "path$path" root
}

# Nothing comes through; nobody is told.
fault_drop() { netem "$1" loss 100%; }
end_drop() { end_netem "$1"; }

# Slow, in disorder, and a part of it lost.
fault_bad() { netem "$1" delay 20ms 10ms loss 3% reorder 20%; }
end_bad() { end_netem "$1"; }

# Up and down.
fault_flap()
{
	local _
	for _ in 1 2 3 4; do
		fault_link "$1"
		end_link "$1"
	done
}
end_flap() { :; }

# Each connection of a path ends with RST, and so does each new one.
fault_reset()
{
	may_reset || return 0
	in_storage nft add chain ip faults "cut$(($1 % 2))" '{ type filter hook input priority 0; }'
	in_storage nft add rule ip faults "cut$(($1 % 2))" ip daddr "10.0.$(($1 % 2)).2" meta l4proto tcp reject with tcp reset
}
end_reset()
{
	may_reset || return 0
	in_storage nft flush chain ip faults "cut$(($1 % 2))"
	in_storage nft delete chain ip faults "cut$(($1 % 2))"
}

# ---- faults of the daemon ----

daemon_is_running()
{
	kill -0 "${services[oisd]}"
}

# stop_daemon SIGNAL STATUS: it must have run so far, and end with this status.
stop_daemon()
{
	local status=0
	stop_service oisd "$1" 2>/dev/null || status=$?
	((status == $2)) || { echo "the daemon ended with status $status"; return 1; }
}

fault_kill() { stop_daemon KILL 137; }
end_kill() { start_oisd; }

fault_stop() { stop_daemon TERM 0; }
end_stop() { start_oisd; }

fault_sleep() { kill -STOP "${services[oisd]}"; }
end_sleep() { kill -CONT "${services[oisd]}"; }

# ---- what people do meanwhile; it may fail ----

people=()

person()
{
	timeout --kill-after=1 60 ois-ctl "$@" >>"$work/people.log" 2>&1 &
	people+=($!)
}

await_people()
{
	local pid
	for pid in ${people[@]+"${people[@]}"}; do
		wait "$pid" || true
	done
	people=()
}

fault_logout() { person logout "$name_base:spare$(($1 % 2 + 1))"; }
end_logout() { person login "$name_base:spare$(($1 % 2 + 1))"; }

fault_rescan() { person rescan "$name_base:*"; }
end_rescan() { :; }

fault_discovery() { person discover "10.0.$(($1 % 2)).2"; }
end_discovery() { person discover 10.0.1.2:3270; }
