/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Is a disk in use? By what the kernel shows: mounts of our mount namespace, swap, devices that a
 * btrfs spans, and holders (device mapper, MD, bcache) of the disk or a partition of it. A program
 * that merely has the disk open is not seen.
 */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "sysfs_private.h"

struct usage {
	dev_t *devices; /* sorted */
	size_t n_devices, devices_allocated;
	char (*names)[32]; /* where only the name of a block device is known */
	size_t n_names, names_allocated;
};

struct usage *usage_free(struct usage *usage)
{
	if (!usage)
		return NULL;
	free(usage->devices);
	free(usage->names);
	free(usage);
	return NULL;
}

static int add_device(struct usage *usage, dev_t device)
{
	if (usage->n_devices == usage->devices_allocated) {
		size_t n = usage->devices_allocated > 0 ? usage->devices_allocated * 2 : 64;
		dev_t *larger = reallocarray(usage->devices, n, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		usage->devices = larger;
		usage->devices_allocated = n;
	}
	usage->devices[usage->n_devices++] = device;
	return 0;
}

static int add_name(struct usage *usage, const char *name)
{
	if (strlen(name) >= sizeof(usage->names[0]))
		return 0;
	if (usage->n_names == usage->names_allocated) {
		size_t n = usage->names_allocated > 0 ? usage->names_allocated * 2 : 16;
		char(*larger)[32] = reallocarray(usage->names, n, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		usage->names = larger;
		usage->names_allocated = n;
	}
	strcpy(usage->names[usage->n_names++], name);
	return 0;
}

/* "/dev/sda1", or a link to it. Looks at the node only, never at the device. */
static int add_path(struct usage *usage, const char *path)
{
	struct stat status;

	if (strncmp(path, "/dev/", strlen("/dev/")) != 0)
		return 0;
	if (stat(path, &status) == 0 && S_ISBLK(status.st_mode))
		return add_device(usage, status.st_rdev);
	return add_name(usage, strrchr(path, '/') + 1);
}

/* "36 35 8:1 / /mnt rw,noatime shared:1 - ext4 /dev/sda1 rw" */
static int add_mount(struct usage *usage, char *line)
{
	unsigned major_number, minor_number;
	char *source;

	if (sscanf(line, "%*u %*u %u:%u ", &major_number, &minor_number) != 2)
		return 0;
	if (major_number != 0)
		return add_device(usage, makedev(major_number, minor_number));
	/* btrfs and the like invent a device number; the source is the best there is. */
	source = strstr(line, " - ");
	if (!source)
		return 0;
	source += strlen(" - ");
	(void)strsep(&source, " ");
	return source ? add_path(usage, strsep(&source, " ")) : 0;
}

/* "/dev/sda2 partition 1048572 0 -2", after a heading */
static int add_swap(struct usage *usage, char *line)
{
	return add_path(usage, strsep(&line, " \t"));
}

static int read_lines(const struct sysfs *sysfs, const char *name, struct usage *usage,
		      int (*add)(struct usage *usage, char *line))
{
	_cleanup_(fclosep) FILE *file = NULL;
	_cleanup_free_ char *line = NULL;
	char path[PATH_MAX];
	size_t size = 0;
	int r = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", sysfs->proc, name);
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && getline(&line, &size, file) >= 0)
		r = add(usage, line);
	return r;
}

/* /sys/fs/btrfs/UUID/devices has a link for each device of a mounted file system. */
static int read_btrfs(const struct sysfs *sysfs, struct usage *usage)
{
	int fd = sysfs_open(sysfs, O_RDONLY | O_DIRECTORY, "fs/btrfs");
	_cleanup_(directory_close) struct directory systems = { .fd = -EBADF };
	const char *uuid, *name;
	int r = 0;

	if (fd < 0)
		return 0;
	directory_init(fd, &systems);
	while (r == 0 && (uuid = directory_next(&systems))) {
		_cleanup_(directory_close) struct directory devices = { .fd = -EBADF };
		char path[NAME_MAX + sizeof("/devices")];

		(void)snprintf(path, sizeof(path), "%s/devices", uuid);
		if (directory_open(systems.fd, path, &devices) < 0)
			continue;
		while (r == 0 && (name = directory_next(&devices)))
			r = add_name(usage, name);
	}
	return r;
}

static int compare_devices(const void *a, const void *b)
{
	dev_t x = *(const dev_t *)a, y = *(const dev_t *)b;

	return x < y ? -1 : x > y;
}

int usage_new(const struct sysfs *sysfs, struct usage **ret)
{
	_cleanup_(usage_freep) struct usage *usage = calloc(1, sizeof(*usage));
	int r;

	if (!usage)
		return -ENOMEM;
	r = read_lines(sysfs, "self/mountinfo", usage, add_mount);
	if (r < 0)
		return r;
	r = read_lines(sysfs, "swaps", usage, add_swap);
	if (r < 0)
		return r;
	r = read_btrfs(sysfs, usage);
	if (r < 0)
		return r;
	if (usage->n_devices > 0)
		qsort(usage->devices, usage->n_devices, sizeof(dev_t), compare_devices);
	*ret = TAKE_PTR(usage);
	return 0;
}

/* @name is a disk or a partition, a directory below @parent_fd. */
static bool has_block(const struct usage *usage, int parent_fd, const char *name)
{
	_cleanup_(directory_close) struct directory holders = { .fd = -EBADF };
	unsigned major_number, minor_number;
	char path[NAME_MAX + sizeof("/holders")], text[32];

	for (size_t i = 0; i < usage->n_names; i++)
		if (strcmp(usage->names[i], name) == 0)
			return true;
	(void)snprintf(path, sizeof(path), "%s/dev", name);
	if (sysfs_read_string(parent_fd, path, text, sizeof(text)) == 0 &&
	    sscanf(text, "%u:%u", &major_number, &minor_number) == 2) {
		dev_t device = makedev(major_number, minor_number);

		if (usage->n_devices > 0 && bsearch(&device, usage->devices, usage->n_devices,
						    sizeof(dev_t), compare_devices))
			return true;
	}
	(void)snprintf(path, sizeof(path), "%s/holders", name);
	return directory_open(parent_fd, path, &holders) == 0 && directory_next(&holders);
}

bool usage_has_disk(const struct usage *usage, int parent_fd, const char *path, const char *block)
{
	_cleanup_(directory_close) struct directory disks = { .fd = -EBADF };
	_cleanup_(directory_close) struct directory parts = { .fd = -EBADF };
	const char *name;

	if (directory_open(parent_fd, path, &disks) < 0)
		return false;
	if (has_block(usage, disks.fd, block))
		return true;
	if (directory_open(disks.fd, block, &parts) < 0)
		return false;
	while ((name = directory_next(&parts)))
		if (strncmp(name, block, strlen(block)) == 0 && has_block(usage, parts.fd, name))
			return true;
	return false;
}
