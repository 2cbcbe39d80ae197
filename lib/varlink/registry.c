/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looks interfaces and their members up by name. The texts come from generated code.
 */
#include <errno.h>
#include <string.h>

#include "registry.h"

struct varlink_registry {
	size_t n_interfaces;
	struct varlink_interface interfaces[];
};

int varlink_registry_new(struct varlink_registry **ret)
{
	_cleanup_(varlink_registry_freep) struct varlink_registry *registry = NULL;
	int r;

	registry = calloc(1, sizeof(*registry) +
				     varlink_n_descriptions * sizeof(registry->interfaces[0]));
	if (!registry)
		return -ENOMEM;
	for (size_t i = 0; i < varlink_n_descriptions; i++) {
		const struct varlink_description *description = &varlink_descriptions[i];
		struct varlink_interface *interface = &registry->interfaces[i];

		r = idl_parse(description->text, strlen(description->text), &interface->idl, NULL);
		if (r < 0)
			return r;
		interface->name = description->name;
		interface->description = description->text;
		registry->n_interfaces++;
	}
	*ret = TAKE_PTR(registry);
	return 0;
}

struct varlink_registry *varlink_registry_free(struct varlink_registry *registry)
{
	if (!registry)
		return NULL;
	for (size_t i = 0; i < registry->n_interfaces; i++)
		(void)idl_free(registry->interfaces[i].idl);
	free(registry);
	return NULL;
}

static const struct varlink_interface *find(const struct varlink_registry *registry,
					    const char *name, size_t length)
{
	for (size_t i = 0; i < registry->n_interfaces; i++)
		if (strlen(registry->interfaces[i].name) == length &&
		    memcmp(registry->interfaces[i].name, name, length) == 0)
			return &registry->interfaces[i];
	return NULL;
}

const struct varlink_interface *varlink_registry_find(const struct varlink_registry *registry,
						      const char *name)
{
	return find(registry, name, strlen(name));
}

const struct varlink_interface *varlink_registry_at(const struct varlink_registry *registry,
						    size_t index)
{
	return index < registry->n_interfaces ? &registry->interfaces[index] : NULL;
}

const struct idl_member *varlink_registry_member(const struct varlink_registry *registry,
						 enum idl_member_kind kind, const char *name)
{
	const struct varlink_interface *interface;
	const char *dot = strrchr(name, '.');

	interface = dot ? find(registry, name, (size_t)(dot - name)) : NULL;
	return interface ? idl_find(interface->idl, kind, dot + 1) : NULL;
}
