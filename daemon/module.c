/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kernel modules through libkmod. Each call makes a context of its own, because workers call it and
 * a context belongs to one thread.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>
#include <libkmod.h>

#include "cleanup.h"
#include "module.h"

DEFINE_CLEANUP(struct kmod_ctx *, kmod_unref);
DEFINE_CLEANUP(struct kmod_list *, kmod_module_unref_list);
DEFINE_CLEANUP(struct kmod_module *, kmod_module_unref);

static int insert(struct kmod_module *module)
{
	int r = kmod_module_get_initstate(module);

	if (r == KMOD_MODULE_BUILTIN || r == KMOD_MODULE_LIVE)
		return 0;
	r = kmod_module_probe_insert_module(module, KMOD_PROBE_APPLY_BLACKLIST, NULL, NULL, NULL,
					    NULL);
	if (r == KMOD_PROBE_APPLY_BLACKLIST)
		return -EACCES;
	/* Somebody else may have been quicker. */
	return r == -EEXIST ? 0 : r;
}

/* A kernel without loadable modules may have no list of what is built in. */
static bool is_there(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "/sys/module/%s", name);
	return access(path, F_OK) == 0;
}

int module_load(const char *name)
{
	_cleanup_(kmod_unrefp) struct kmod_ctx *context = NULL;
	_cleanup_(kmod_module_unref_listp) struct kmod_list *found = NULL;
	struct kmod_list *entry;
	int r;

	context = kmod_new(NULL, NULL);
	if (!context)
		return -ENOMEM;
	r = kmod_module_new_from_lookup(context, name, &found);
	if (r < 0)
		return r;
	if (!found)
		return is_there(name) ? 0 : -ENOENT;
	kmod_list_foreach(entry, found)
	{
		_cleanup_(kmod_module_unrefp) struct kmod_module *module =
			kmod_module_get_module(entry);

		r = insert(module);
		if (r < 0)
			return r;
	}
	return 0;
}
