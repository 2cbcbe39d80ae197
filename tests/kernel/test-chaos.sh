#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Faults of all kinds under verified I/O, in an order that a seed decides; in the end all is well. "./dev chaos" lasts
# longer. Sessions wait for ever here: no request may fail.
# kernels: 6.12
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source=tests/kernel/faults.sh
source "${BASH_SOURCE[0]%/*}/faults.sh"
# shellcheck source=tests/kernel/load.sh
source "${BASH_SOURCE[0]%/*}/load.sh"

seconds=${CHAOS_SECONDS:-15}
begin_with "${CHAOS_SEED:-1}"
faults=(group group freeze crash link drop bad flap reset reset kill kill stop sleep logout rescan discovery)
# At one time there are two, of different kinds.
declare -A kind=([freeze]=tgtd [crash]=tgtd [link]=path [drop]=path [bad]=path [flap]=path [kill]=daemon [stop]=daemon
	[sleep]=daemon)
n_faults=0

# In milliseconds, since all was set up.
since_start()
{
	echo "$(((${EPOCHREALTIME/[.,]/} - epoch) / 1000))"
}

tell()
{
	local msec
	msec=$(since_start)
	printf '# %4d.%03d s: %s\n' $((msec / 1000)) $((msec % 1000)) "$*"
}

# One or two faults that last a while together.
strike()
{
	local one two where_one where_two hold
	draw "${#faults[@]}"; one=${faults[drawn]}
	draw 6; where_one=$drawn
	draw "${#faults[@]}"; two=${faults[drawn]}
	draw 6; where_two=$drawn
	draw 2500; hold=$drawn
	[[ ${kind[$one]-$one} != "${kind[$two]-$two}" ]] || two=none
	tell "$one $where_one$([[ $two == none ]] || echo ", $two $where_two") for $hold ms"
	n_faults=$((n_faults + 1))
	"fault_$one" "$where_one"
	[[ $two == none ]] || "fault_$two" "$where_two"
	pause "$hold"
	[[ $two == none ]] || "end_$two" "$where_two"
	"end_$one" "$where_one"
	daemon_is_running
	draw 1500
	pause "$drawn"
}

descriptors()
{
	find "/proc/${services[oisd]}/fd/" -type l | wc -l
}

resident()
{
	awk '/^VmRSS:/ { print $2 }' "/proc/${services[oisd]}/status"
}

mkdir -p /etc/ois/ois.conf.d
printf '%s\n' '[Node]' replacementTimeoutSeconds=-1 noopIntervalSeconds=2 noopTimeoutSeconds=2 keys.defaultTime2Wait=0 \
	>/etc/ois/ois.conf.d/chaos.conf
start_system
make_network
make_targets
find_targets >/dev/null
check "login" ois-ctl login --all
check_equal "sessions" 7 "$(logged_in)"
start_checkers
epoch=${EPOCHREALTIME/[.,]/}
tell "seed $seed, $seconds s"
while (($(since_start) < seconds * 1000)); do
	strike
done
tell "the end of $n_faults faults"

await_people
check "what is out is let in" ois-ctl login --all
check_equal "all sessions are logged in" 7 "$(await_sessions 7 90)"
stop_checkers
tell "RSS $(resident) KiB, $(descriptors) descriptors, $(n_events 20) losses, $(n_events 34) recoveries"
used=$(resident) open=$(descriptors)
check "the daemon stops" stop_daemon TERM 0
start_oisd
check_equal "sessions" 7 "$(await_sessions 7 20)"
new=$(descriptors)
# It may still listen for changes of the network, which it does until the next one.
check "it had no descriptor more than a new one: $open, $new" test "$open" -le $((new + 1))
check "nor much memory" test "$used" -lt $(($(resident) + 4096))
check "logout" ois-ctl logout --all
check_nothing_left
