/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A scanner, which is the daemon of this build, and all it needs: the program is not a fake.
 */
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>

#include "eventlog.h"
#include "journal.h"
#include "poller.h"
#include "scanner.h"
#include "sysfs.h"
#include "work.h"

struct fake_scanner {
	struct journal *journal;
	struct eventlog *log;
	struct poller *poller;
	struct work *loader;
	struct scanner *scanner;
	int status; /* of the process, after the end */
};

static _unused_ void fake_scanner_begin(struct fake_scanner *fake_one, sd_event *event,
					const struct sysfs *sysfs, const char *program,
					unsigned scans_max)
{
	sigset_t child;

	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	assert_int_equal(sigprocmask(SIG_BLOCK, &child, NULL), 0);
	assert_int_equal(journal_new(event, "/nonexistent", &fake_one->journal), 0);
	assert_int_equal(eventlog_new(event, fake_one->journal, 16, &fake_one->log), 0);
	assert_int_equal(poller_new(event, &fake_one->poller), 0);
	assert_int_equal(work_new(fake_one->poller, "test-loader", 1, &fake_one->loader), 0);
	assert_int_equal(scanner_new(fake_one->poller, sysfs, program, scans_max, fake_one->loader,
				     fake_one->log, &fake_one->scanner),
			 0);
}

static _unused_ void fake_scanner_end(struct fake_scanner *fake_one)
{
	fake_one->loader = work_free(fake_one->loader);
	fake_one->scanner = scanner_free(fake_one->scanner);
	while (waitpid(-1, &fake_one->status, 0) > 0)
		;
	fake_one->poller = poller_free(fake_one->poller);
	fake_one->log = eventlog_free(fake_one->log);
	fake_one->journal = journal_free(fake_one->journal);
}

#define FAKE_SCANNER_PROGRAM PROJECT_BINARY "/daemon/oisd"
