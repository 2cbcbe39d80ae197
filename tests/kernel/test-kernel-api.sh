#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The daemon's kernel side without the daemon: netlink batches, events, scans. See kernel_api.c.
# kernels: 6.1 6.12
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

load_iscsi
lio setup --targets 50 --pages 16
export CMOCKA_MESSAGE_OUTPUT=TAP
status=0
kernel-api iqn.2026-11.org.example:disk 50 >"$work/results" || status=$?
while read -r result number dash name; do
	case "$result $number $dash $name" in
	"ok "*) ok "$name" ;;
	"not ok"*"# SKIP "*) skip "${name##* }" "this kernel has not what it needs" ;;
	"not ok"*) not_ok "${name#- }" ;;
	*) echo "# $result $number $dash $name" ;;
	esac
done <"$work/results"
check_equal "kernel-api ends well" 0 "$status"
check_nothing_left
