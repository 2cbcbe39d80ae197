/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes a sysfs (and /proc) in a temporary directory out of rows, as the kernel lays it out.
 */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sysfs.h"

static char fake_root[64], fake_proc[80];
static const struct sysfs fake = { .root = fake_root, .proc = fake_proc };

static _unused_ void fake_begin(void)
{
	(void)snprintf(fake_root, sizeof(fake_root), "/tmp/ois-test-sysfs.XXXXXX");
	assert_non_null(mkdtemp(fake_root));
	(void)snprintf(fake_proc, sizeof(fake_proc), "%s/proc", fake_root);
	assert_int_equal(mkdir(fake_proc, 0755), 0);
}

static int fake_remove(const char *path, const struct stat *status, int type, struct FTW *at)
{
	return remove(path);
}

static _unused_ void fake_delete(const char *path)
{
	char full[512];

	(void)snprintf(full, sizeof(full), "%s/%s", fake_root, path);
	assert_int_equal(nftw(full, fake_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static _unused_ void fake_end(void)
{
	fake_delete("");
}

/* Makes the directories that lead to a path, and returns the whole of it. */
static const char *fake_path(const char *path)
{
	static char full[512];

	(void)snprintf(full, sizeof(full), "%s/%s", fake_root, path);
	for (char *slash = full + strlen(fake_root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		(void)mkdir(full, 0755);
		*slash = '/';
	}
	return full;
}

/* An attribute; the newline is added. */
static _unused_ void fake_put(const char *path, const char *content)
{
	FILE *file = fopen(fake_path(path), "w");

	assert_non_null(file);
	(void)fprintf(file, "%s\n", content);
	assert_int_equal(fclose(file), 0);
}

static void fake_put_bytes(const char *path, const void *bytes, size_t length)
{
	FILE *file = fopen(fake_path(path), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static _unused_ void fake_directory(const char *path)
{
	char with_slash[1024];

	(void)snprintf(with_slash, sizeof(with_slash), "%s/", path);
	(void)fake_path(with_slash);
}

static _unused_ void fake_link(const char *path, const char *target)
{
	assert_int_equal(symlink(target, fake_path(path)), 0);
}

/* Attributes of a directory: name, content, name, content, ..., NULL */
static _unused_ void fake_attributes(const char *directory, const char *const *attributes)
{
	char path[512];

	for (; *attributes; attributes += 2) {
		(void)snprintf(path, sizeof(path), "%s/%s", directory, attributes[0]);
		fake_put(path, attributes[1]);
	}
}

/* Session @sid of iscsi_tcp on host @host, without attributes. */
static _unused_ void fake_session(unsigned sid, unsigned host)
{
	char path[256], target[256];

	(void)snprintf(path, sizeof(path), "class/iscsi_session/session%u", sid);
	(void)snprintf(target, sizeof(target),
		       "../../devices/platform/host%u/session%u/iscsi_session/session%u", host, sid,
		       sid);
	fake_link(path, target);
	(void)snprintf(path, sizeof(path),
		       "devices/platform/host%u/session%u/iscsi_session/session%u/device", host,
		       sid, sid);
	fake_link(path, "../..");
	(void)snprintf(path, sizeof(path), "devices/platform/host%u/scsi_host/host%u", host, host);
	fake_directory(path);
	(void)snprintf(path, sizeof(path), "class/scsi_host/host%u", host);
	(void)snprintf(target, sizeof(target), "../../devices/platform/host%u/scsi_host/host%u",
		       host, host);
	fake_link(path, target);
}

/* Its attribute @name. */
static _unused_ void fake_session_put(unsigned sid, unsigned host, const char *name,
				      const char *content)
{
	char path[256];

	(void)snprintf(path, sizeof(path),
		       "devices/platform/host%u/session%u/iscsi_session/session%u/%s", host, sid,
		       sid, name);
	fake_put(path, content);
}

/* Device @hctl of a session, with what every SCSI device has; returns its directory. */
static _unused_ const char *fake_lun(unsigned sid, unsigned host, const char *hctl,
				     const char *type)
{
	static char directory[256];
	char path[512];
	const char *const attributes[] = { "state", "running", "queue_depth", "64", NULL };
	char inquiry[] = "0       LIO-ORG disk0           0001";

	(void)snprintf(directory, sizeof(directory),
		       "devices/platform/host%u/session%u/target%u:0:0/%s", host, sid, host, hctl);
	fake_attributes(directory, attributes);
	(void)snprintf(path, sizeof(path), "%s/inquiry", directory);
	inquiry[0] = (char)atoi(type);
	fake_put_bytes(path, inquiry, sizeof(inquiry) - 1);
	return directory;
}

/* Block device @name of the device in @directory. */
static _unused_ void fake_block(const char *directory, const char *name, const char *device)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/driver", directory);
	fake_link(path, "../../../../../../bus/scsi/drivers/sd");
	(void)snprintf(path, sizeof(path), "%s/block/%s/size", directory, name);
	fake_put(path, "2048");
	(void)snprintf(path, sizeof(path), "%s/block/%s/dev", directory, name);
	fake_put(path, device);
	(void)snprintf(path, sizeof(path), "%s/block/%s/holders", directory, name);
	fake_directory(path);
}
