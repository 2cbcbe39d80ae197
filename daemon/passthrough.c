/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <linux/bsg.h>
#include <scsi/sg.h>

#include "parse.h"
#include "passthrough.h"
#include "sysfs_private.h"
#include "work.h"

/* Commands that may hang at the same time; others wait behind them, and run into their deadline. */
#define THREADS_MAX 8
#define SECOND_USEC UINT64_C(1000000)
/* Host byte of the kernel's result: the command ran out of time. */
#define HOST_TIME_OUT 0x03

struct passthrough {
	sd_event *event;
	const struct sysfs *sysfs;
	struct work *work;
};

struct passthrough_command {
	struct passthrough *passthrough;
	struct sysfs_lun lun;
	struct scsi_cdb cdb;
	unsigned timeout_seconds;
	passthrough_done_t done; /* NULL: nobody waits any more */
	void *userdata;
	sd_event_source *timer;

	/* Of the worker */
	struct passthrough_answer answer;
	uint8_t data[];
};

static int read_number(const struct sysfs *sysfs, const char *name, dev_t *ret)
{
	_cleanup_close_ int fd = sysfs_open(sysfs, O_RDONLY, "class/bsg/%s/dev", name);
	char text[32], *minor_text;
	uint64_t major_number, minor_number;

	if (fd < 0)
		return fd;
	if (sysfs_read_open(fd, text, sizeof(text)) < 0)
		return -ENODEV;
	minor_text = strchr(text, ':');
	if (!minor_text)
		return -ENODEV;
	*minor_text++ = '\0';
	if (parse_u64(text, 0, UINT32_MAX, &major_number) < 0 ||
	    parse_u64(minor_text, 0, UINT32_MAX, &minor_number) < 0)
		return -ENODEV;
	*ret = makedev((unsigned)major_number, (unsigned)minor_number);
	return 0;
}

/* The node is made by others: it must be the device that the kernel has under this name. */
static int open_device(const struct sysfs *sysfs, const struct sysfs_lun *lun)
{
	_cleanup_close_ int fd = -EBADF;
	char name[SYSFS_LUN_NAME_MAX], path[80];
	struct stat status;
	dev_t number;
	int r;

	sysfs_lun_address(lun, name);
	r = read_number(sysfs, name, &number);
	if (r < 0)
		return r == -ENOENT ? -ENODEV : r;
	(void)snprintf(path, sizeof(path), "/dev/bsg/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISCHR(status.st_mode) || status.st_rdev != number)
		return -ENODEV;
	return TAKE_FD(fd);
}

int passthrough_run(const struct sysfs *sysfs, const struct sysfs_lun *lun,
		    const struct scsi_cdb *cdb, unsigned timeout_seconds, uint8_t *data,
		    struct passthrough_answer *ret)
{
	struct sg_io_v4 io = {
		.guard = 'Q',
		.protocol = BSG_PROTOCOL_SCSI,
		.subprotocol = BSG_SUB_PROTOCOL_SCSI_CMD,
		.request_len = cdb->length,
		.request = (uintptr_t)cdb->bytes,
		.max_response_len = sizeof(ret->sense),
		.response = (uintptr_t)ret->sense,
		.din_xfer_len = cdb->data_length,
		.din_xferp = (uintptr_t)data,
		.timeout = timeout_seconds * 1000,
	};
	_cleanup_close_ int fd = open_device(sysfs, lun);

	if (fd < 0)
		return fd;
	while (ioctl(fd, SG_IO, &io) < 0)
		if (errno != EINTR)
			return -errno;
	if (io.transport_status == HOST_TIME_OUT)
		return -ETIMEDOUT;
	if (io.transport_status != 0)
		return -EIO;
	ret->status = io.device_status;
	ret->length = cdb->data_length;
	if (io.din_resid > 0)
		ret->length -=
			(size_t)io.din_resid <= ret->length ? (size_t)io.din_resid : ret->length;
	ret->sense_length =
		io.response_len <= sizeof(ret->sense) ? io.response_len : sizeof(ret->sense);
	return 0;
}

static int run(void *argument)
{
	struct passthrough_command *command = argument;

	return passthrough_run(command->passthrough->sysfs, &command->lun, &command->cdb,
			       command->timeout_seconds, command->data, &command->answer);
}

static void command_free(struct passthrough_command *command)
{
	sd_event_source_disable_unref(command->timer);
	free(command);
}

static void returned(void *argument, int result)
{
	struct passthrough_command *command = argument;
	const struct passthrough_result told = {
		.error = result,
		.status = command->answer.status,
		.data = command->data,
		.length = command->answer.length,
		.sense = command->answer.sense,
		.sense_length = command->answer.sense_length,
	};

	if (command->done)
		command->done(command->userdata, &told);
	command_free(command);
}

static int expired(sd_event_source *source, uint64_t usec, void *userdata)
{
	static const struct passthrough_result late = { .error = -ETIMEDOUT };
	struct passthrough_command *command = userdata;
	passthrough_done_t done = command->done;

	(void)passthrough_cancel(command);
	done(command->userdata, &late);
	return 0;
}

int passthrough_send(struct passthrough *passthrough, const struct sysfs_lun *lun,
		     const struct scsi_cdb *cdb, unsigned timeout_seconds, passthrough_done_t done,
		     void *userdata, struct passthrough_command **ret)
{
	struct passthrough_command *command = calloc(1, sizeof(*command) + cdb->data_length);
	int r;

	if (!command)
		return -ENOMEM;
	command->passthrough = passthrough;
	command->lun = *lun;
	command->cdb = *cdb;
	command->timeout_seconds = timeout_seconds;
	command->done = done;
	command->userdata = userdata;
	r = sd_event_add_time_relative(passthrough->event, &command->timer, CLOCK_MONOTONIC,
				       timeout_seconds * SECOND_USEC, 0, expired, command);
	if (r >= 0)
		r = work_submit(passthrough->work, run, returned, command);
	if (r < 0) {
		command_free(command);
		return r;
	}
	*ret = command;
	return 0;
}

struct passthrough_command *passthrough_cancel(struct passthrough_command *command)
{
	if (!command)
		return NULL;
	/* The worker's, until it gives it back. */
	command->done = NULL;
	command->timer = sd_event_source_disable_unref(command->timer);
	return NULL;
}

int passthrough_new(sd_event *event, const struct sysfs *sysfs, struct passthrough **ret)
{
	_cleanup_(passthrough_freep) struct passthrough *passthrough =
		calloc(1, sizeof(*passthrough));
	int r;

	if (!passthrough)
		return -ENOMEM;
	passthrough->event = sd_event_ref(event);
	passthrough->sysfs = sysfs;
	r = work_new(event, "ois-scsi", THREADS_MAX, SD_EVENT_PRIORITY_NORMAL, &passthrough->work);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(passthrough);
	return 0;
}

struct passthrough *passthrough_free(struct passthrough *passthrough)
{
	if (!passthrough)
		return NULL;
	passthrough->work = work_free(passthrough->work);
	sd_event_unref(passthrough->event);
	free(passthrough);
	return NULL;
}
