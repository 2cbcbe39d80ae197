# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What tests that run in the guest share: results in the form of TAP.
# shellcheck source=tests/kernel/guest.sh
source "${BASH_SOURCE[0]%/*}/guest.sh"

tests=0 failures=0

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

check_nothing_left()
{
	check_equal "nothing is left in the kernel" "" "$(remains)"
}

# ---- the daemon ----

# A machine with the product installed and its services running.
start_system()
{
	install_ois
	mkdir -p /etc/iscsi
	echo InitiatorName=iqn.2026-11.org.example:guest >/etc/iscsi/initiatorname.iscsi
	load_iscsi
	start_journal
	start_oisd
}

# How long an event may take, in seconds of the guest; QEMU without KVM needs longer.
event_limit=${EVENT_LIMIT:-10}

# await_events COUNT NUMBER [FIELD=VALUE]...: prints the first COUNT events of a number with these fields, one a line,
# as soon as they are in the journal. The daemon never waits for the journal, so a command may be done before them.
await_events()
{
	local count=$1 id reader
	printf -v id '08d9494dbfb34ec49b18eadcb275%04d' "$2"
	shift 2
	exec 7< <(exec timeout "$event_limit" journalctl --quiet --output=cat --follow --lines=all MESSAGE_ID="$id" "$@")
	reader=$!
	head -n "$count" <&7
	exec 7<&-
	kill "$reader" 2>/dev/null || true
}

# How many of them the journal has by now. Only after an event that is later tells this that one never came.
n_events()
{
	local id
	printf -v id '08d9494dbfb34ec49b18eadcb275%04d' "$1"
	shift
	journalctl --sync
	journalctl --quiet --output=cat MESSAGE_ID="$id" "$@" | wc -l
}

# check_events COUNT NUMBER [FIELD=VALUE]...
check_events()
{
	local count=$1
	shift
	check_equal "$count times event $*" "$count" "$(await_events "$count" "$@" | wc -l)"
}

# check_event NUMBER [FIELD=VALUE]...: it was raised, with these fields.
check_event()
{
	local found
	found=$(await_events 1 "$@")
	if [[ $found ]]; then
		ok "event $*: $found"
	else
		not_ok "event $*"
		journalctl --quiet --output=cat _COMM=oisd | tail -n 10 | sed 's/^/#   /'
	fi
}

# check_boundary_event NUMBER [FIELD=VALUE]...: the same where the test plays a part of the kernel.
check_boundary_event()
{
	check_event "$@"
}
