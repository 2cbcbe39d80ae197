#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The bed itself: the guest's kernel, LIO and the tools of the tests do what the other scripts take for granted. The
# initiator here is the benchmark's floor.
# kernels: 6.1 debian13
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

load_iscsi
check "targets are set up" lio setup --targets 3 --luns 2
check_equal "discovery finds them" 3 "$(floor discover 127.0.0.1 | grep -c '^iqn')"
check "login" floor login 127.0.0.1
check_equal "sessions" 3 "$(find /sys/class/iscsi_session/ -name 'session*' | wc -l)"
check_equal "disks" 6 "$(session_disks | wc -l)"
for disk in $(session_disks); do
	check "data come back from $disk" write_and_compare "$disk"
done
check "what is left is seen" test -n "$(remains)"
check "logout" floor logout
check_nothing_left
check "targets are removed" lio clear
check_equal "no target is left" "" "$(find /sys/kernel/config/target/ -name 'iqn*')"

printf 'userid=%s\npassword=%s\n' alice "a secret of alice" >"$work/secrets"
check "a target that demands CHAP" lio setup --auth "$work/secrets"
check_fails "does not let the floor in" 1 floor login 127.0.0.1
check_nothing_left

start_journal
check "a service is seen to become ready" test -S /run/systemd/journal/socket
logger --journald <<<$'MESSAGE=hello\nMESSAGE_ID=f77379a8490b408bbe5f6940505a777b'
journalctl --sync
check_equal "the journal keeps what it is told" hello \
	"$(journalctl --output cat MESSAGE_ID=f77379a8490b408bbe5f6940505a777b | tail -n 1)"
check "and explains it" grep -q 'The journal has been started' \
	<(journalctl -x MESSAGE_ID=f77379a8490b408bbe5f6940505a777b)
check "a service that ends is missed" bash -c '! service --ready 9 false 9>/dev/null'
check "the journal stops" stop_service journald
