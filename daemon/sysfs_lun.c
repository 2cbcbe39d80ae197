/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The SCSI devices below a session: .../sessionS/targetH:C:T/H:C:T:L. They come and go while we
 * look; one that cannot be read any more is left out.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "parse.h"
#include "sysfs.h"
#include "sysfs_private.h"

/* The kernel has at least as much of each device. */
#define INQUIRY_LENGTH 36

/* Device types the sd driver takes: disk, optical memory, simplified disk, zoned disk. SPC-6, 6.7.2
 */
bool sysfs_lun_is_disk(const struct sysfs_lun *lun)
{
	return lun->type == 0x00 || lun->type == 0x07 || lun->type == 0x0e || lun->type == 0x14;
}

/* SCSI shows a single-level number in the first two bytes; all others people know in hex. */
void lun_format(uint64_t lun, char *ret, size_t size)
{
	if (lun <= UINT16_MAX)
		(void)snprintf(ret, size, "%llu", (unsigned long long)lun);
	else
		(void)snprintf(ret, size, "0x%016llx", (unsigned long long)lun);
}

int lun_parse(const char *text, uint64_t *ret)
{
	uint8_t bytes[8];
	size_t length;
	uint64_t lun = 0;

	if (strncmp(text, "0x", 2) != 0)
		return parse_u64(text, 0, UINT64_MAX, ret);
	if (text[2] == '\0' ||
	    hex_decode(text + 2, strlen(text + 2), bytes, sizeof(bytes), &length) < 0)
		return -EINVAL;
	for (size_t i = 0; i < length; i++)
		lun = lun << 8 | bytes[i];
	*ret = lun;
	return 0;
}

void sysfs_lun_address(const struct sysfs_lun *lun, char ret[SYSFS_LUN_NAME_MAX])
{
	(void)snprintf(ret, SYSFS_LUN_NAME_MAX, "%" PRIu32 ":%" PRIu32 ":%" PRIu32 ":%" PRIu64,
		       lun->host, lun->channel, lun->target, lun->lun);
}

void sysfs_lun_name(const struct sysfs_lun *lun, char ret[SYSFS_LUN_NAME_MAX])
{
	if (lun->block[0])
		(void)snprintf(ret, SYSFS_LUN_NAME_MAX, "%s", lun->block);
	else
		sysfs_lun_address(lun, ret);
}

/* Splits "H:C:T:L". */
static int parse_hctl(const char *name, struct sysfs_lun *ret)
{
	char text[64], *at = text;
	uint64_t numbers[4];

	if (strlen(name) >= sizeof(text))
		return -EINVAL;
	strcpy(text, name);
	for (unsigned i = 0; i < ELEMENTSOF(numbers); i++) {
		const char *number = strsep(&at, ":");

		if (!number ||
		    parse_u64(number, 0, i == 3 ? UINT64_MAX : UINT32_MAX, &numbers[i]) < 0)
			return -EINVAL;
	}
	if (at)
		return -EINVAL;
	ret->host = (uint32_t)numbers[0];
	ret->channel = (uint32_t)numbers[1];
	ret->target = (uint32_t)numbers[2];
	ret->lun = numbers[3];
	return 0;
}

/* @target_fd and @name lead to the device, whose address @lun has. Negative ends the walk. */
typedef int (*visit_t)(int target_fd, const char *name, struct sysfs_lun *lun, void *userdata);

static int visit_target(struct directory *target, uint32_t host, visit_t visit, void *userdata)
{
	const char *name;

	while ((name = directory_next(target))) {
		struct sysfs_lun lun = { 0 };
		int r;

		if (parse_hctl(name, &lun) < 0 || lun.host != host)
			continue;
		r = visit(target->fd, name, &lun, userdata);
		if (r < 0)
			return r;
	}
	return 0;
}

static int visit_luns(const struct sysfs *sysfs, uint32_t sid, uint32_t host, visit_t visit,
		      void *userdata)
{
	_cleanup_(directory_close) struct directory directory = { .fd = -EBADF };
	const char *name;
	int fd, r;

	/* A session has one target. Where each has a host for itself, this is its name. */
	fd = sysfs_open(sysfs, O_RDONLY | O_DIRECTORY,
			"class/iscsi_session/session%" PRIu32 "/device/target%" PRIu32 ":0:0", sid,
			host);
	if (fd >= 0) {
		directory_init(fd, &directory);
		return visit_target(&directory, host, visit, userdata);
	}
	fd = sysfs_open(sysfs, O_RDONLY | O_DIRECTORY,
			"class/iscsi_session/session%" PRIu32 "/device", sid);
	if (fd < 0)
		return fd;
	directory_init(fd, &directory);
	while ((name = directory_next(&directory))) {
		_cleanup_(directory_close) struct directory target = { .fd = -EBADF };

		if (strncmp(name, "target", strlen("target")) != 0)
			continue;
		r = directory_open(directory.fd, name, &target);
		if (r >= 0)
			r = visit_target(&target, host, visit, userdata);
		else if (!sysfs_lacks(r))
			continue;
		if (r < 0)
			return r;
	}
	return 0;
}

/* Attributes of a device are read by a path from its target: one directory less to open. */
struct device {
	int target_fd;
	char path[NAME_MAX + 64];
	size_t length; /* of the device's name and a slash */
};

static void device_init(struct device *device, int target_fd, const char *name)
{
	device->target_fd = target_fd;
	device->length = (size_t)snprintf(device->path, NAME_MAX + 2, "%s/", name);
}

/* Valid until the next call. */
static const char *device_path(struct device *device, const char *attribute)
{
	(void)snprintf(device->path + device->length, sizeof(device->path) - device->length, "%s",
		       attribute);
	return device->path;
}

static int device_read_string(struct device *device, const char *attribute, char *ret, size_t size)
{
	return sysfs_read_string(device->target_fd, device_path(device, attribute), ret, size);
}

static int64_t device_read_number(struct device *device, const char *attribute)
{
	return sysfs_read_number(device->target_fd, device_path(device, attribute));
}

static int device_write(struct device *device, const char *attribute, const char *text)
{
	_cleanup_close_ int fd =
		openat(device->target_fd, device_path(device, attribute), O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static bool device_has(struct device *device, const char *attribute)
{
	return faccessat(device->target_fd, device_path(device, attribute), F_OK,
			 AT_SYMLINK_NOFOLLOW) == 0;
}

/* Text of SCSI data: padded with blanks, seldom ended by NUL. */
static void copy_padded(char *ret, const uint8_t *data, size_t length)
{
	memcpy(ret, data, length);
	ret[length] = '\0';
	for (length = strlen(ret); length > 0 && ret[length - 1] == ' '; length--)
		ret[length - 1] = '\0';
}

/* Standard INQUIRY data (SPC-6, 6.7.2): what three attributes would tell, in one. */
static int read_inquiry(struct device *device, struct sysfs_lun *lun)
{
	_cleanup_close_ int fd =
		openat(device->target_fd, device_path(device, "inquiry"), O_RDONLY | O_CLOEXEC);
	uint8_t data[INQUIRY_LENGTH];

	_Static_assert(sizeof(lun->vendor) > 8 && sizeof(lun->model) > 16, "texts do not fit");
	if (fd < 0)
		return -errno;
	if (read(fd, data, sizeof(data)) != (ssize_t)sizeof(data))
		return -ENODATA;
	lun->type = data[0] & 0x1f;
	copy_padded(lun->vendor, data + 8, 8);
	copy_padded(lun->model, data + 16, 16);
	return 0;
}

/* "block/sda" and the like: the name of the only entry of a directory. */
static int read_child(struct device *device, const char *name, char *ret, size_t size)
{
	_cleanup_(directory_close) struct directory directory = { .fd = -EBADF };
	const char *child;
	int r;

	r = directory_open(device->target_fd, device_path(device, name), &directory);
	if (r < 0)
		return sysfs_lacks(r) ? r : 0;
	child = directory_next(&directory);
	if (child && strlen(child) < size)
		strcpy(ret, child);
	return 0;
}

static int read_block(struct device *device, struct sysfs_lun *lun)
{
	char name[sizeof(lun->block) + sizeof("block//size")];
	int64_t sectors;
	int r;

	r = read_child(device, "block", lun->block, sizeof(lun->block));
	if (r < 0 || lun->block[0] == '\0')
		return r;
	(void)snprintf(name, sizeof(name), "block/%s/size", lun->block);
	sectors = device_read_number(device, name);
	if (sectors >= 0 && sectors <= INT64_MAX / 512)
		lun->size_bytes = sectors * 512;
	return 0;
}

struct list {
	struct sysfs_lun *luns;
	size_t n, allocated;
	const struct usage *usage;
	bool brief; /* from the first disk on that has no driver yet, only which devices they are */
	bool waiting;
};

static struct sysfs_lun *list_add(struct list *list)
{
	struct sysfs_lun *larger;

	if (list->n < list->allocated)
		return &list->luns[list->n++];
	larger = reallocarray(list->luns, list->allocated + 8 + list->allocated / 2,
			      sizeof(*larger));
	if (!larger)
		return NULL;
	list->luns = larger;
	list->allocated += 8 + list->allocated / 2;
	return &list->luns[list->n++];
}

/* A device that is gone meanwhile has no state. */
static int read_details(struct device *device, struct sysfs_lun *lun, const struct list *list)
{
	int r = 0;

	(void)device_read_string(device, "wwid", lun->wwid, sizeof(lun->wwid));
	lun->queue_depth = device_read_number(device, "queue_depth");
	(void)read_child(device, "scsi_generic", lun->generic, sizeof(lun->generic));
	if (list->usage && lun->block[0] != '\0')
		r = usage_describe(list->usage, device->target_fd, device_path(device, "block"),
				   lun->block, lun->use, sizeof(lun->use));
	if (r < 0)
		return r;
	/* A driver has just read it. */
	if (list->brief && lun->block[0] != '\0') {
		(void)strcpy(lun->state, "running");
		return 0;
	}
	return device_read_string(device, "state", lun->state, sizeof(lun->state));
}

static int read_lun(int target_fd, const char *name, struct sysfs_lun *lun, void *userdata)
{
	struct list *list = userdata;
	struct sysfs_lun *added;
	struct device device;
	int r;

	device_init(&device, target_fd, name);
	lun->size_bytes = -1;
	r = read_inquiry(&device, lun);
	if (r >= 0)
		r = read_block(&device, lun);
	if (r < 0)
		return sysfs_lacks(r) ? r : 0;
	/* The link to the driver is there before its probe has begun: a disk is bound when it has a
	 * block device. */
	lun->bound = sysfs_lun_is_disk(lun) ? lun->block[0] != '\0' : device_has(&device, "driver");
	list->waiting = list->waiting || (sysfs_lun_is_disk(lun) && !lun->bound);
	if (!(list->brief && list->waiting))
		r = read_details(&device, lun, list);
	if (r < 0)
		return sysfs_lacks(r) ? r : 0;
	added = list_add(list);
	if (!added)
		return -ENOMEM;
	*added = *lun;
	return 0;
}

struct revival {
	struct list offline;
	bool stable;
};

static int look_for_offline(int target_fd, const char *name, struct sysfs_lun *lun, void *userdata)
{
	struct revival *revival = userdata;
	struct sysfs_lun *added;
	struct device device;
	char attribute[64];

	device_init(&device, target_fd, name);
	(void)read_child(&device, "block", lun->block, sizeof(lun->block));
	if (revival->stable && lun->block[0] != '\0') {
		(void)snprintf(attribute, sizeof(attribute), "block/%s/queue/stable_writes",
			       lun->block);
		(void)device_write(&device, attribute, "1");
	}
	if (device_read_string(&device, "state", lun->state, sizeof(lun->state)) < 0 ||
	    strcmp(lun->state, "offline") != 0)
		return 0;
	added = list_add(&revival->offline);
	if (!added)
		return -ENOMEM;
	if (device_write(&device, "state", "running") < 0)
		revival->offline.n--;
	else
		*added = *lun;
	return 0;
}

int sysfs_lun_revive(const struct sysfs *sysfs, uint32_t sid, uint32_t host, bool stable,
		     struct sysfs_lun **ret, size_t *ret_n)
{
	struct revival revival = { .stable = stable };
	int r;

	r = visit_luns(sysfs, sid, host, look_for_offline, &revival);
	if (r < 0) {
		free(revival.offline.luns);
		return r;
	}
	*ret = revival.offline.luns;
	*ret_n = revival.offline.n;
	return 0;
}

static int compare_luns(const void *a, const void *b)
{
	const struct sysfs_lun *x = a, *y = b;

	if (x->channel != y->channel)
		return x->channel < y->channel ? -1 : 1;
	if (x->target != y->target)
		return x->target < y->target ? -1 : 1;
	return x->lun < y->lun ? -1 : x->lun > y->lun;
}

static int make_list(const struct sysfs *sysfs, uint32_t sid, uint32_t host, struct list list,
		     struct sysfs_lun **ret, size_t *ret_n)
{
	int r;

	r = visit_luns(sysfs, sid, host, read_lun, &list);
	if (r < 0) {
		free(list.luns);
		return r;
	}
	if (list.n > 0)
		qsort(list.luns, list.n, sizeof(*list.luns), compare_luns);
	*ret = list.luns;
	*ret_n = list.n;
	return 0;
}

int sysfs_lun_list(const struct sysfs *sysfs, uint32_t sid, uint32_t host,
		   const struct usage *usage, struct sysfs_lun **ret, size_t *ret_n)
{
	return make_list(sysfs, sid, host, (struct list){ .usage = usage }, ret, ret_n);
}

int sysfs_lun_list_new(const struct sysfs *sysfs, uint32_t sid, uint32_t host,
		       struct sysfs_lun **ret, size_t *ret_n)
{
	return make_list(sysfs, sid, host, (struct list){ .brief = true }, ret, ret_n);
}

/*
 * An adapter has all its sessions on one host, each with a target number of its own; with wildcards
 * every scan would go through all of them.
 */
static int read_target_id(const struct sysfs *sysfs, uint32_t sid, int64_t *ret)
{
	_cleanup_close_ int fd = sysfs_open(
		sysfs, O_RDONLY, "class/iscsi_session/session%" PRIu32 "/target_id", sid);
	char text[32];
	int r;

	if (fd < 0)
		return fd;
	r = sysfs_read_open(fd, text, sizeof(text));
	if (r < 0)
		return r;
	if (parse_i64(text, 0, INT32_MAX, ret) < 0)
		*ret = -1;
	return 0;
}

static int write_text(int fd, const char *text)
{
	while (write(fd, text, strlen(text)) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int sysfs_session_scan(const struct sysfs *sysfs, uint32_t sid, uint32_t host, const uint64_t *lun)
{
	_cleanup_close_ int fd = -EBADF;
	char text[64] = "- -";
	int64_t target;
	size_t length;
	int r;

	r = read_target_id(sysfs, sid, &target);
	if (r < 0)
		return r;
	if (target >= 0)
		(void)snprintf(text, sizeof(text), "0 %" PRIi64, target);
	length = strlen(text);
	if (lun)
		(void)snprintf(text + length, sizeof(text) - length, " %" PRIu64, *lun);
	else
		(void)snprintf(text + length, sizeof(text) - length, " -");

	fd = sysfs_open(sysfs, O_WRONLY, "class/scsi_host/host%" PRIu32 "/scan", host);
	return fd < 0 ? fd : write_text(fd, text);
}

static int open_device(const struct sysfs *sysfs, const struct sysfs_lun *lun, int flags,
		       const char *attribute)
{
	char address[SYSFS_LUN_NAME_MAX];

	sysfs_lun_address(lun, address);
	return sysfs_open(sysfs, flags, "class/scsi_device/%s/device/%s", address, attribute);
}

int sysfs_lun_order(const struct sysfs *sysfs, const struct sysfs_lun *lun, const char *attribute)
{
	_cleanup_close_ int fd = open_device(sysfs, lun, O_WRONLY, attribute);

	return fd < 0 ? fd : write_text(fd, "1");
}

/* "0x1a" */
static int64_t read_counter(int directory_fd, const char *name)
{
	char text[32], *end;
	unsigned long long value;

	if (sysfs_read_string(directory_fd, name, text, sizeof(text)) < 0 ||
	    strncmp(text, "0x", 2) != 0)
		return -1;
	errno = 0;
	value = strtoull(text, &end, 16);
	return errno != 0 || *end || value > INT64_MAX ? -1 : (int64_t)value;
}

void sysfs_lun_read_counters(const struct sysfs *sysfs, const struct sysfs_lun *lun,
			     struct sysfs_lun_counters *ret)
{
	_cleanup_close_ int fd = open_device(sysfs, lun, O_RDONLY | O_DIRECTORY, "");

	*ret = (struct sysfs_lun_counters){ -1, -1, -1, -1 };
	if (fd < 0)
		return;
	ret->requests = read_counter(fd, "iorequest_cnt");
	ret->completed = read_counter(fd, "iodone_cnt");
	ret->errors = read_counter(fd, "ioerr_cnt");
	ret->timeouts = read_counter(fd, "iotmo_cnt");
}
