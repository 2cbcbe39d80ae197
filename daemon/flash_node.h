/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Flash nodes: targets that an adapter keeps in its own memory, and logs in to by itself. Their
 * parameters are the rows of flash_node.def.
 */
#pragma once

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

struct kernel_host_request;
struct sysfs;

/* Indices of the nodes of a host, ascending; the caller frees *@ret. Errors: -ENOMEM. */
int flash_node_list(const struct sysfs *sysfs, uint32_t host, uint32_t **ret, size_t *ret_n);
/*
 * A FlashNode of org.ois.host. Much of it is asked of the adapter: worker threads only. Errors:
 * -ENOENT (no such node), -ENOMEM.
 */
int flash_node_read(const struct sysfs *sysfs, uint32_t host, uint32_t index, json_object **ret);

struct flash_node_fault {
	char name[64], message[128];
};

/*
 * Adds the parameters in @object, names and values as text, to the request that sets them. Returns
 * how many. Errors: -EINVAL with @ret_fault; the request is then good for nothing.
 */
int flash_node_compose(json_object *object, struct kernel_host_request *request,
		       struct flash_node_fault *ret_fault);
