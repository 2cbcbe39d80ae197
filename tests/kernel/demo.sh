#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The demo: what an administrator types, and what the machine answers. Two targets demand mutual CHAP; for the second
# one a wrong secret is set.
# shellcheck source=tests/kernel/guest.sh
source "${BASH_SOURCE[0]%/*}/guest.sh"

prepare()
{
	printf '%s\n' userid=alice password=open-sesame-1001 userid_mutual=storage password_mutual=who-goes-there-42 \
		>"$work/target"
	install_ois
	mkdir -p /etc/iscsi
	echo InitiatorName=iqn.2026-11.org.example:guest >/etc/iscsi/initiatorname.iscsi
	load_modules target_core_mod iscsi_target_mod
	lio setup --targets 2 --pages 4096 --auth "$work/target"
	cd "$work"
	(
		umask 077
		printf open-sesame-1001 >alice.secret
		printf who-goes-there-42 >storage.secret
		printf not-the-right-one >wrong.secret
	)
	start_journal
	start_udev
	start_oisd
}

remark()
{
	printf '\n# %s\n' "$1"
}

# Shows a command line as it is typed, and runs it. It must succeed.
enter()
{
	printf 'root@guest:~# %s\n' "$1"
	eval "$1"
}

# The same for one that must fail.
enter_failing()
{
	printf 'root@guest:~# %s\n' "$1"
	! eval "$1" || { echo "demo: this should have failed" >&2; exit 1; }
}

prepare
target=iqn.2026-11.org.example:disk

remark "Which targets does the portal offer?"
enter "ois-ctl discover 127.0.0.1"

remark "They want CHAP, and are to prove themselves, too. Secrets come from standard input or from a prompt."
enter "ois-ctl node set ${target}1 authentication.method=chap authentication.userName=alice --secret-file=- <alice.secret"
enter "ois-ctl node set ${target}1 authentication.targetUserName=storage --target-secret-file=- <storage.secret"

remark "Log in, and use the disk."
enter "ois-ctl login ${target}1"
udevadm settle
enter "ls -l /dev/disk/by-path"
disk=/dev/disk/by-path/ip-127.0.0.1:3260-iscsi-${target}1-lun-0
enter "dd if=/dev/urandom of=written bs=1M count=8 status=none"
enter "dd if=written of=$disk bs=1M oflag=direct status=none"
enter "dd if=$disk of=read bs=1M count=8 iflag=direct status=none"
enter "cmp written read && echo equal"

remark "The session."
enter "ois-ctl sessions"
enter "ois-ctl session show ${target}1"

remark "A wrong secret: the login fails, and leaves a numbered event."
enter "ois-ctl node set ${target}2 authentication.method=chap authentication.userName=alice --secret-file=- <wrong.secret"
enter_failing "ois-ctl login ${target}2"
journalctl --sync
enter "ois-ctl events --number=10"
enter "journalctl MESSAGE_ID=08d9494dbfb34ec49b18eadcb2750010 -x"

remark "Log out. Nothing is left."
enter "ois-ctl logout --all"
enter "ois-ctl sessions"
[[ -z $(remains) ]] || { echo "demo: left in the kernel: $(remains)" >&2; exit 1; }
