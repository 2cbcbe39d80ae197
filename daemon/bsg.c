/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <linux/bsg.h>
#include <scsi/sg.h>

#include "bsg.h"
#include "parse.h"
#include "sysfs_private.h"

/* Host byte of the kernel's result: the command ran out of time. */
#define HOST_TIME_OUT 0x03

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

int bsg_run(const struct sysfs *sysfs, const struct sysfs_lun *lun, const struct scsi_cdb *cdb,
	    unsigned timeout_seconds, uint8_t *data, struct bsg_answer *ret)
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
