/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /etc/ois/ois.conf and its drop-ins, and the identity of the initiator.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cleanup.h"
#include "settings.h"

enum initiator_origin {
	INITIATOR_ORIGIN_CONFIGURATION, /* ois.conf */
	INITIATOR_ORIGIN_FILE,          /* initiatorname.iscsi */
	INITIATOR_ORIGIN_GENERATED,     /* made at the first start, and kept */
};

struct config {
	struct config *next; /* the owner's list */
	/* [Daemon] */
	char *access_group;      /* who may read; "ois" */
	bool access_group_known; /* this system has it */
	gid_t access_gid;
	unsigned logins_max;    /* at the same time */
	unsigned scans_max;     /* hosts scanned at the same time */
	unsigned event_history; /* events kept in memory */
	/* [Initiator] */
	char *initiator_name;
	char *initiator_alias; /* the host's name if none is configured; NULL: it has none */
	enum initiator_origin initiator_origin;
	/* [Node]: defaults of node settings */
	struct settings *node_defaults;
	/* Files read, NULL at the end */
	char **files;
};

enum config_option_type {
	CONFIG_OPTION_NUMBER,
	CONFIG_OPTION_GROUP,
	CONFIG_OPTION_NAME,
	CONFIG_OPTION_ALIAS,
};

/* An option of [Daemon] or [Initiator]; those of [Node] are the rows of settings.def. */
struct config_option {
	const char *section, *name;
	enum config_option_type type;
	size_t offset;             /* in struct config */
	unsigned minimum, maximum; /* of numbers */
	const char *default_value; /* NULL: made when needed */
	const char *text;          /* for the manual page: whole sentences */
};

/* NULL after the last. */
const struct config_option *config_option_at(size_t index);

struct config_fault {
	char file[256];
	unsigned line;
	char setting[64];
	char message[256];
};

/*
 * Reads @path (may be missing) and @path.d/NAME.conf in the order of their names, then the
 * initiator's name: from the configuration, else from /etc/iscsi/initiatorname.iscsi
 * (@initiator_path), else from @directory/initiatorname.iscsi, generated there once. Blocks on
 * disk: start-up and worker threads only. Errors: -EINVAL with @ret_fault filled in; -ENOMEM; of
 * reading and writing, with @ret_fault.
 */
int config_load(const char *path, const char *initiator_path, const char *directory,
		struct config **ret, struct config_fault *ret_fault);
struct config *config_free(struct config *config);
DEFINE_CLEANUP(struct config *, config_free);
