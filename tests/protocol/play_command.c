/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands of a program that uses a unit of the session. */
#include <fcntl.h>
#include <linux/bsg.h>
#include <scsi/sg.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "play.h"

/* SEND, SPC-2 7.25: which units of all kinds but disks may know. */
#define SEND_6 0x0a

/* Unit 0 of the session. */
static int open_unit(const struct play *play)
{
	_cleanup_(buffer_done) struct buffer path = { 0 };
	int fd;

	check(buffer_append_string(&path, "/dev/bsg/"), "unit");
	check(append_last(play, "OIS_HOST", &path), "unit");
	check(buffer_append(&path, ":0:0:0", sizeof(":0:0:0")), "unit");
	fd = open((char *)path.data, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail("cannot open %s: %s", (char *)path.data, strerror(errno));
	return fd;
}

/* Ends when the unit is gone, or the script. */
static _Noreturn void write_bytes(int fd, uint32_t length, uint32_t timeout_ms)
{
	uint8_t cdb[6] = { SEND_6, 0, (uint8_t)(length >> 16), (uint8_t)(length >> 8),
			   (uint8_t)length };
	uint8_t *data = calloc(1, length);
	struct sg_io_v4 io = {
		.guard = 'Q',
		.request_len = sizeof(cdb),
		.request = (uintptr_t)cdb,
		.dout_xfer_len = length,
		.dout_xferp = (uintptr_t)data,
		.timeout = timeout_ms,
	};

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Connections of the target end when it ends them. */
	if (dup2(fd, STDERR_FILENO + 1) >= 0)
		(void)close_range(STDERR_FILENO + 2, ~0U, 0);
	(void)ioctl(STDERR_FILENO + 1, SG_IO, &io);
	_exit(0);
}

void play_write(struct play *play, const struct line *line)
{
	uint32_t length = (uint32_t)strtoul(line->words[1], NULL, 10);
	uint32_t timeout_ms =
		line->n > 2 ? (uint32_t)strtoul(line->words[2], NULL, 10) * 1000 : PATIENCE_MS;
	int fd = open_unit(play);
	pid_t pid = fork();

	if (pid < 0)
		fail("fork failed");
	if (pid == 0)
		write_bytes(fd, length, timeout_ms);
	(void)close(fd);
}
