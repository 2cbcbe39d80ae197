#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The daemon is killed at random moments while it has twenty sessions to look after: some work, some are lost and made
# again, some are logged in and out by people, some have targets that are away. No request of those that are in use fails,
# each read returns what was written, and in the end there is one session to each target and nothing else.
# KILLS=N ./dev test kernel.crash for another number of kills, SEED=N for those of another run.
# kernels: 6.12
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source=tests/kernel/faults.sh
source "${BASH_SOURCE[0]%/*}/faults.sh"
# shellcheck source=tests/kernel/load.sh
source "${BASH_SOURCE[0]%/*}/load.sh"

kills=${KILLS:-24}
n_lio=20
# So many are in use, and never logged out.
n_used=3
away=() deeds=()
declare -A done_so_far=()

# Used sessions lose their connection, or have a target that is away until after the next kill; the others are logged in
# and out as well. Of each kill three have their turn.
disturb()
{
	local number deed kinds=(restart away login logout)
	draw "$n_lio"; number=$((drawn + 1))
	draw $((number <= n_used ? 2 : 4)); deed=${kinds[drawn]}
	done_so_far[$deed]=$((${done_so_far[$deed]:-0} + 1))
	deeds+=("$deed $number")
	case $deed in
	restart) fault_group $((number - 1)) && end_group $((number - 1)) ;;
	away) fault_group $((number - 1)) && away+=($((number - 1))) ;;
	*) person "$deed" "$name_base:lio$number" ;;
	esac
}

come_back()
{
	local where
	for where in ${away[@]+"${away[@]}"}; do
		end_group "$where"
	done
	away=()
}

# crash: what was under way with it.
crash()
{
	local _ absent=(${away[@]+"${away[@]}"})
	deeds=()
	for _ in 1 2 3; do
		disturb
	done
	draw 400
	pause "$drawn"
	stop_daemon KILL 137 || return
	start_oisd || return
	# Those that were away before this one; the next daemon has found them like that.
	((${#absent[@]} < 3)) || come_back
}

# One a line: the sessions of the targets in use, with their disks.
used()
{
	local session name
	for session in /sys/class/iscsi_session/session*; do
		name=$(<"$session/targetname")
		((${name##*:lio} > n_used)) || echo "$name ${session##*/} $(basename "$session"/device/target*/*/block/*)"
	done
}

checker_pause=150
begin_with "${SEED:-$((RANDOM + 1))}"
mkdir -p /etc/ois/ois.conf.d
printf '%s\n' '[Node]' replacementTimeoutSeconds=-1 keys.defaultTime2Wait=0 >/etc/ois/ois.conf.d/crash.conf
start_system
lio setup --name "$name_base:lio" --targets "$n_lio" --pages 256 --parameter DefaultTime2Wait=0
ois-ctl discover 127.0.0.1 >/dev/null
for ((number = 1; number <= n_used; number++)); do
	ois-ctl login "$name_base:lio$number" >/dev/null
done
before=$(used)
check_equal "sessions in use" "$n_used" "$(wc -l <<<"$before")"
start_checkers
check "login of the others" ois-ctl login --all

for ((kill = 1; kill <= kills; kill++)); do
	crash && continue
	echo "# kill $kill: $(IFS=,; echo "${deeds[*]}")"
	break
done
check_equal "the daemon was killed, and started again" "$kills" "$((kill - 1))"
echo "# seed $seed:$(printf ' %s' "${done_so_far[@]@K}")"
come_back
await_people
check "what is out is let in" ois-ctl login --all
check_equal "all sessions are logged in" "$n_lio" "$(await_sessions "$n_lio" 90)"
stop_checkers
check_equal "those in use are the same" "$before" "$(used)"
check_equal "one to each target" "$n_lio $n_lio" \
	"$(cat /sys/class/iscsi_session/session*/targetname | wc -l) $(cat /sys/class/iscsi_session/session*/targetname | sort -u | wc -l)"
check "logout" ois-ctl logout --all
check_nothing_left
