#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Hundreds of connections are lost at random moments under verified I/O, with digests and without: they are cut alone and
# together, also while they are being made again, portal groups are restarted, links go down and up, packets are late, in
# disorder and lost, or nothing comes through at all. No request fails, and each read returns what was written.
# CUTS=N ./dev test kernel.cuts for another number of faults, SEED=N for those of another run.
# kernels: 6.1 6.12
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source=tests/kernel/faults.sh
source "${BASH_SOURCE[0]%/*}/faults.sh"
# shellcheck source=tests/kernel/load.sh
source "${BASH_SOURCE[0]%/*}/load.sh"

# Most of them on the second kernel: the first has to share its time with the other tests.
faults=${CUTS:-200}
[[ $(uname -r) != 6.1.* ]] || faults=${CUTS:-60}
n_lio=4
# Of 20; what is under way does not begin again.
kinds=(cut cut cut cut cut cut cut cut cut cut cut three three three three group group flap bad drop)
declare -A relays=() up=() path=() since=() happened=()

# start_relay NUMBER: a way to a target that can be cut without a word, and is there again at once.
start_relay()
{
	local port=$((4000 + $1)) word
	mkfifo "$work/relay"
	relay "$port" "10.0.$((($1 - 1) % 2)).2" 3260 >"$work/relay" &
	relays[$1]=$!
	read -r -t 20 word <"$work/relay"
	[[ $word == ready ]]
	rm "$work/relay"
	ois-ctl node add "$name_base:lio$1" "127.0.0.1:$port" >/dev/null
}

# digests NUMBER: four kinds of targets.
digests()
{
	local header=None data=None
	(($1 % 2)) && header=CRC32C
	(($1 / 2 % 2)) && data=CRC32C
	echo "--parameter HeaderDigest=$header --parameter DataDigest=$data"
}

# hear SECONDS: that one of the sessions works.
hear()
{
	local number target
	read -r -t "$1" _ _ number target _ <&6 || return
	up[${target##*:lio}]=$number
}

# await_up NUMBER: returns when the session works.
await_up()
{
	while ((!${up[$1]:-0})); do
		hear 30
	done
}

# The time in milliseconds.
msec()
{
	echo "$((${EPOCHREALTIME/[.,]/} / 1000))"
}

# end_path KIND: of what lasts a while.
end_path()
{
	"end_$1" "${path[$1]}"
	unset "path[$1]"
}

# The faults of one target, NUMBER.
strike_cut()
{
	kill -USR1 "${relays[$1]}"
	up[$1]=0
}
strike_three()
{
	local other
	for other in "$1" $(($1 % n_lio + 1)) $((($1 + 1) % n_lio + 1)); do
		strike_cut "$other"
	done
}
strike_group()
{
	up[$1]=0
	fault_group $(($1 - 1))
	end_group $(($1 - 1))
}
# Those of its path. The pings of the kernel notice within two seconds when nothing comes through; the other path works.
strike_flap() { fault_flap $((($1 - 1) % 2)); }
strike_bad() { begin_path bad $((($1 - 1) % 2)); }
strike_drop() { begin_path drop $((($1 - 1) % 2)); }
begin_path()
{
	((!${#path[@]})) || end_path "${!path[@]}"
	path[$1]=$2 since[$1]=$(msec)
	"fault_$1" "$2"
}

# strike: a target whose session works meets with a fault in the middle of its I/O.
strike()
{
	local number kind lasting=${!path[*]}
	draw "$n_lio"; number=$((drawn + 1))
	draw "${#kinds[@]}"; kind=${kinds[drawn]}
	if [[ $lasting ]] && (($(msec) - ${since[$lasting]} > 2500)); then
		end_path "$lasting"
		lasting=''
	fi
	# Nobody gets up where nothing comes through.
	[[ $lasting != drop ]] || (((number - 1) % 2 != path[drop])) || number=$((number % n_lio + 1))
	[[ ! $lasting || ($kind != bad && $kind != drop && $kind != flap) ]] || kind="cut"
	await_up "$number"
	draw 60
	pause "$drawn"
	happened[$kind]=$((${happened[$kind]:-0} + 1))
	"strike_$kind" "$number"
}

losses()
{
	ois-ctl sessions --json=short | jq 'map(.reconnects) | add'
}

begin_with "${SEED:-7}"
checker_pause=60
mkdir -p /etc/ois/ois.conf.d
printf '%s\n' '[Node]' replacementTimeoutSeconds=-1 noopIntervalSeconds=1 noopTimeoutSeconds=1 loginTimeoutSeconds=2 \
	keys.defaultTime2Wait=0 keys.headerDigest=crc32c,none keys.dataDigest=crc32c,none >/etc/ois/ois.conf.d/cuts.conf
start_system
make_network
for ((number = 1; number <= n_lio; number++)); do
	# shellcheck disable=SC2046 # words
	lio_target "$number" $(((number - 1) % 2)) $(digests "$number")
	start_relay "$number"
done
check "login" ois-ctl login --all
agreed=$(head /sys/class/iscsi_connection/*/{header,data}_digest)
check_equal "of the sessions half have each digest" "2 2" \
	"$(cat /sys/class/iscsi_connection/*/header_digest | grep -c 1) $(cat /sys/class/iscsi_connection/*/data_digest | grep -c 1)"
# A command that was disturbed six times is given up by the kernel, and here that is soon done.
echo -1 | tee /sys/class/scsi_disk/*/max_retries >/dev/null
start_checkers
exec 6< <(exec ois-ctl sessions --follow > >(exec grep --line-buffered 'logged in$'))
follower=$!

began=$SECONDS
for ((fault = 0; fault < faults; fault++)); do
	strike
done
[[ ! ${!path[*]} ]] || end_path "${!path[@]}"
echo "# $faults faults in $((SECONDS - began)) s, seed $seed:$(printf ' %s' "${happened[@]@K}")"
kill "$follower"
exec 6<&-
# Of so many losses not each is an event.
deadline=$((SECONDS + 60))
while (($(logged_in) < n_lio && SECONDS < deadline)); do
	pause 100
done
check_equal "all sessions are back" "$n_lio" "$(logged_in)"
stop_checkers
lost=$(losses)
check "sessions were lost by it, and recovered, $lost times" test "$lost" -ge "$faults"
for kind in cut three group flap bad drop; do
	((faults >= 200)) || break
	check "$kind was among them" test "${happened[$kind]:-0}" -gt 0
done
check_equal "digests are the same" "$agreed" "$(head /sys/class/iscsi_connection/*/{header,data}_digest)"
check "logout" ois-ctl logout --all
check_nothing_left
