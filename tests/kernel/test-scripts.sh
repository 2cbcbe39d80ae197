#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Scripts as those of tests/protocol, for what needs a kernel that takes over the connection: its end, and what comes
# after. CONTRIBUTING.md describes the language. Each starts a daemon of its own.
# kernels: 6.1 6.12
# shellcheck source=tests/kernel/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

# play_script FILE: and nothing is left in the kernel.
play_script()
{
	local left
	play --kernel "$BUILD/tests/protocol/oisd-virtual" "$1" || return
	left=$(remains)
	[[ -z $left ]] || { echo "left: $left" && false; }
}

load_modules iscsi_tcp crc32c
for script in "$SOURCE"/tests/kernel/scripts/*.script; do
	name=${script##*/}
	check "script ${name%.script}" play_script "$script"
done
# What only trace events tell.
for script in "$SOURCE"/tests/kernel/scripts/traced/*.script; do
	name=traced/${script##*/}
	if have_tracing; then
		check "script ${name%.script}" play_script "$script"
	else
		skip "script ${name%.script}" "this kernel has no trace events"
	fi
done
