/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who uses a disk? By what the kernel shows: mounts of our mount namespace, swap, devices that a
 * btrfs spans, and holders (device mapper, MD, bcache) of the disk or a partition of it. A program
 * that merely has the disk open is not seen.
 */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "sysfs_private.h"

/* Somebody uses a block device. */
struct use {
	dev_t device;  /* 0: only the name is known */
	char name[32]; /* "sda1"; empty: only the number is known */
	char what[96]; /* "mounted on /data" */
};

struct usage {
	struct use *uses; /* sorted by device */
	size_t n, allocated;
};

struct usage *usage_free(struct usage *usage)
{
	if (!usage)
		return NULL;
	free(usage->uses);
	free(usage);
	return NULL;
}

static int add_use(struct usage *usage, dev_t device, const char *name, const char *what)
{
	struct use *use;

	if (usage->n == usage->allocated) {
		size_t n = usage->allocated > 0 ? usage->allocated * 2 : 64;
		struct use *larger = reallocarray(usage->uses, n, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		usage->uses = larger;
		usage->allocated = n;
	}
	if (strlen(name) >= sizeof(use->name))
		return 0;
	use = &usage->uses[usage->n++];
	*use = (struct use){ .device = device };
	strcpy(use->name, name);
	(void)snprintf(use->what, sizeof(use->what), "%s", what);
	return 0;
}

/* "/dev/sda1", or a link to it. Looks at the node only, never at the device. */
static int add_path(struct usage *usage, const char *path, const char *what)
{
	struct stat status;

	if (strncmp(path, "/dev/", strlen("/dev/")) != 0)
		return 0;
	if (stat(path, &status) == 0 && S_ISBLK(status.st_mode))
		return add_use(usage, status.st_rdev, "", what);
	return add_use(usage, 0, strrchr(path, '/') + 1, what);
}

/* "36 35 8:1 / /mnt rw,noatime shared:1 - ext4 /dev/sda1 rw" */
static int add_mount(struct usage *usage, char *line)
{
	char what[sizeof(((struct use *)NULL)->what)], where[80];
	unsigned major_number, minor_number;
	char *source;

	/* Blanks and the like in the name of a directory are octal numbers. */
	if (sscanf(line, "%*u %*u %u:%u %*s %79s", &major_number, &minor_number, where) != 3)
		return 0;
	(void)snprintf(what, sizeof(what), "mounted on %s", where);
	if (major_number != 0)
		return add_use(usage, makedev(major_number, minor_number), "", what);
	/* btrfs and the like invent a device number; the source is the best there is. */
	source = strstr(line, " - ");
	if (!source)
		return 0;
	source += strlen(" - ");
	(void)strsep(&source, " ");
	return source ? add_path(usage, strsep(&source, " "), what) : 0;
}

/* "/dev/sda2 partition 1048572 0 -2", after a heading */
static int add_swap(struct usage *usage, char *line)
{
	return add_path(usage, strsep(&line, " \t"), "swap");
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
		return sysfs_lacks(fd) ? fd : 0;
	directory_init(fd, &systems);
	while (r == 0 && (uuid = directory_next(&systems))) {
		_cleanup_(directory_close) struct directory devices = { .fd = -EBADF };
		char path[NAME_MAX + sizeof("/devices")];

		(void)snprintf(path, sizeof(path), "%s/devices", uuid);
		r = directory_open(systems.fd, path, &devices);
		if (r < 0 && !sysfs_lacks(r))
			r = 0;
		if (devices.fd < 0)
			continue;
		while (r == 0 && (name = directory_next(&devices)))
			r = add_use(usage, 0, name, "part of a mounted btrfs");
	}
	return r;
}

static int compare_uses(const void *a, const void *b)
{
	dev_t x = ((const struct use *)a)->device, y = ((const struct use *)b)->device;

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
	if (usage->n > 0)
		qsort(usage->uses, usage->n, sizeof(usage->uses[0]), compare_uses);
	*ret = TAKE_PTR(usage);
	return 0;
}

/* Looks in the part of the list that has no numbers, which comes first. */
static const struct use *find_name(const struct usage *usage, const char *name)
{
	for (size_t i = 0; i < usage->n && usage->uses[i].device == 0; i++)
		if (strcmp(usage->uses[i].name, name) == 0)
			return &usage->uses[i];
	return NULL;
}

/* Like all below, of a disk or partition that is a directory below @parent_fd. */
static int find_device(const struct usage *usage, int parent_fd, const char *name,
		       const struct use **ret)
{
	unsigned major_number, minor_number;
	char path[NAME_MAX + sizeof("/dev")], text[32];
	struct use key = { 0 };
	int r;

	if (usage->n == 0)
		return 0;
	(void)snprintf(path, sizeof(path), "%s/dev", name);
	r = sysfs_read_string(parent_fd, path, text, sizeof(text));
	if (r < 0)
		return r;
	if (sscanf(text, "%u:%u", &major_number, &minor_number) != 2)
		return 0;
	key.device = makedev(major_number, minor_number);
	*ret = bsearch(&key, usage->uses, usage->n, sizeof(key), compare_uses);
	return 0;
}

/* What device mapper calls its devices begins with who made them. */
static const char *mapper_kind(const char *uuid)
{
	static const struct {
		const char *prefix, *kind;
	} kinds[] = {
		{ "LVM-", "LVM" },
		{ "mpath-", "multipath" },
		{ "CRYPT-", "encryption" },
	};

	for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
		if (strncmp(uuid, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
			return kinds[i].kind;
	return "device mapper";
}

/* "dm-0 (vg-data, LVM)", "md0" */
static void describe_holder(int parent_fd, const char *name, const char *holder, char *ret,
			    size_t size)
{
	char path[2 * NAME_MAX + sizeof("/holders//dm/name")], label[64], uuid[160];

	(void)snprintf(path, sizeof(path), "%s/holders/%s/dm/name", name, holder);
	if (sysfs_read_string(parent_fd, path, label, sizeof(label)) < 0) {
		(void)snprintf(ret, size, "%s is used by %s", name, holder);
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/holders/%s/dm/uuid", name, holder);
	if (sysfs_read_string(parent_fd, path, uuid, sizeof(uuid)) < 0)
		uuid[0] = '\0';
	(void)snprintf(ret, size, "%s is used by %s (%s, %s)", name, holder, label,
		       mapper_kind(uuid));
}

/* What is gone meanwhile is used by nobody. */
static int gone_or(int error)
{
	return sysfs_lacks(error) ? error : 0;
}

static int describe_block(const struct usage *usage, int parent_fd, const char *name, char *ret,
			  size_t size)
{
	_cleanup_(directory_close) struct directory holders = { .fd = -EBADF };
	const struct use *use = find_name(usage, name);
	char path[NAME_MAX + sizeof("/holders")];
	const char *holder;
	int r = 0;

	if (!use)
		r = find_device(usage, parent_fd, name, &use);
	if (r < 0)
		return gone_or(r);
	if (use) {
		(void)snprintf(ret, size, "%s is %s", name, use->what);
		return 1;
	}
	(void)snprintf(path, sizeof(path), "%s/holders", name);
	r = directory_open(parent_fd, path, &holders);
	if (r < 0)
		return gone_or(r);
	holder = directory_next(&holders);
	if (!holder)
		return 0;
	describe_holder(parent_fd, name, holder, ret, size);
	return 1;
}

int usage_describe(const struct usage *usage, int parent_fd, const char *path, const char *block,
		   char *ret, size_t size)
{
	_cleanup_(directory_close) struct directory disks = { .fd = -EBADF };
	_cleanup_(directory_close) struct directory parts = { .fd = -EBADF };
	const char *name;
	int r;

	r = directory_open(parent_fd, path, &disks);
	if (r < 0)
		return gone_or(r);
	r = describe_block(usage, disks.fd, block, ret, size);
	if (r != 0)
		return r;
	r = directory_open(disks.fd, block, &parts);
	if (r < 0)
		return gone_or(r);
	while (r == 0 && (name = directory_next(&parts)))
		if (strncmp(name, block, strlen(block)) == 0)
			r = describe_block(usage, parts.fd, name, ret, size);
	return r;
}
