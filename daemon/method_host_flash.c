/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.ois.host: flash nodes.
 */
#include <errno.h>
#include <string.h>

#include "flash_node.h"
#include "interfaces.h"
#include "json.h"
#include "method_host.h"

struct flash {
	struct host_call base;
	int64_t index; /* -1: all */
	bool exists;   /* what a request says is about the node */
	/* Of a list */
	json_object **nodes;
	size_t at, n;
	/* To be sent next, with what to set of a new node; NULL: nothing */
	struct kernel_host_request *next;
};

static void flash_done(struct host_call *host_call)
{
	struct flash *flash = (struct flash *)host_call;

	for (size_t i = 0; i < flash->n; i++)
		json_object_put(flash->nodes[i]);
	free(flash->nodes);
	flash->next = kernel_host_request_free(flash->next);
}

static void answer_no_entry(struct flash *flash)
{
	_cleanup_json_ json_object *details = json_object_new_object();

	if (!details || json_set_int(details, "hostNumber", flash->base.host.host) < 0 ||
	    json_set_int(details, "index", flash->index) < 0)
		call_error(flash->base.call, ERROR_HOST_NO_SUCH_ENTRY, NULL);
	else
		call_error(flash->base.call, ERROR_HOST_NO_SUCH_ENTRY, TAKE_PTR(details));
}

/* What errnos of the drivers mean. */
static const struct {
	enum iscsi_kernel_request request;
	int error;
	const char *message;
} meanings[] = {
	{ KERNEL_REQUEST_NEW_FLASH_NODE, -EIO,
	  "there is no room, or a new node that was not logged in to" },
	{ KERNEL_REQUEST_DELETE_FLASH_NODE, -EPERM, "this host boots from it" },
	{ KERNEL_REQUEST_LOGIN_FLASH_NODE, -EPERM, "it is logged in" },
	{ KERNEL_REQUEST_LOGIN_FLASH_NODE, -EEXIST, "it is logged in" },
	{ KERNEL_REQUEST_LOGIN_FLASH_NODE, -EIO,
	  "it lacks a target or an address, or the adapter failed" },
	{ KERNEL_REQUEST_LOGOUT_FLASH_NODE, -EPERM,
	  "this host boots from it, or it is a portal for discoveries" },
	{ KERNEL_REQUEST_LOGOUT_FLASH_NODE, -ESRCH, "it is not logged in" },
	{ KERNEL_REQUEST_LOGOUT_FLASH_NODE, -ENOENT, "it is not logged in" },
};

static bool flash_refused(struct host_call *host_call, int error)
{
	struct flash *flash = (struct flash *)host_call;

	/* The host was there just now. */
	if (error == -ENODEV && flash->exists) {
		answer_no_entry(flash);
		return true;
	}
	for (size_t i = 0; i < ELEMENTSOF(meanings); i++)
		if (meanings[i].request == host_call->request && meanings[i].error == error) {
			host_call_refused(host_call, error, meanings[i].message);
			return true;
		}
	return false;
}

/* 0: the call was answered. */
static int flash_new(struct call *call, struct flash **ret)
{
	struct flash *flash;
	int r;

	r = host_call_new(call, sizeof(*flash), &flash);
	if (r <= 0)
		return r;
	flash->index = -1;
	flash->base.done = flash_done;
	flash->base.refused = flash_refused;
	if (json_get_int(call_parameters(call), "index", 0, UINT16_MAX, &flash->index) < 0) {
		free(flash);
		call_invalid_parameter(call, "index");
		return 0;
	}
	flash->exists = flash->index >= 0;
	*ret = flash;
	return 1;
}

/* List */

static int read_nodes(struct host_call *host_call)
{
	struct flash *flash = (struct flash *)host_call;
	const struct sysfs *sysfs = &host_call->manager->sysfs;
	_cleanup_free_ uint32_t *indices = NULL;
	size_t n;
	int r;

	r = flash_node_list(sysfs, host_call->host.host, &indices, &n);
	if (r < 0)
		return r;
	flash->nodes = calloc(n + 1, sizeof(*flash->nodes));
	if (!flash->nodes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (flash->index >= 0 && indices[i] != flash->index)
			continue;
		/* One that has gone meanwhile is not listed. */
		r = flash_node_read(sysfs, host_call->host.host, indices[i],
				    &flash->nodes[flash->n]);
		if (r == -ENOMEM)
			return r;
		flash->n += r >= 0;
	}
	return 0;
}

static void produce_nodes(struct call *call, void *userdata)
{
	struct flash *flash = userdata;

	while (!call_full(call)) {
		if (flash->at == flash->n) {
			call_list_end(call);
			return;
		}
		if (!call_list(call,
			       json_wrap("flashNode", json_object_get(flash->nodes[flash->at++]))))
			return;
	}
}

static int answer_nodes(struct host_call *host_call)
{
	struct flash *flash = (struct flash *)host_call;

	if (flash->index >= 0 && flash->n == 0)
		answer_no_entry(flash);
	else
		call_produce(host_call->call, produce_nodes);
	return 0;
}

int method_host_list_flash_nodes(struct call *call)
{
	struct flash *flash;
	int r;

	r = flash_new(call, &flash);
	if (r <= 0)
		return r;
	flash->base.read = read_nodes;
	flash->base.run = answer_nodes;
	return host_call_start(flash);
}

/* Change */

static void changed(struct host_call *host_call, const struct kernel_host_request *request)
{
	call_reply(host_call->call, json_object_new_object());
}

/* A request about the node, which is known. */
static struct kernel_host_request *about(struct flash *flash, enum iscsi_kernel_request which)
{
	struct kernel_host_request *request = host_call_request(&flash->base, which);

	if (request)
		request->event.request.flash_node.index = (uint32_t)flash->index;
	return request;
}

/* What is to be set; *@ret is NULL if that is nothing. -EINVAL: the call was answered. */
static int compose(struct flash *flash, struct kernel_host_request **ret)
{
	_cleanup_(kernel_host_request_freep) struct kernel_host_request *request = NULL;
	struct flash_node_fault fault;
	json_object *object = NULL;
	int n = 0;

	(void)json_get_object(call_parameters(flash->base.call), "parameters", &object);
	request = about(flash, KERNEL_REQUEST_SET_FLASH_NODE);
	if (!request)
		return -ENOMEM;
	if (object)
		n = flash_node_compose(object, request, &fault);
	if (n < 0) {
		host_refuse_setting(flash->base.call, fault.name, fault.message);
		return n;
	}
	request->event.request.flash_node.unused = (uint32_t)n;
	*ret = n > 0 ? TAKE_PTR(request) : NULL;
	return n;
}

static int set_node(struct host_call *host_call)
{
	struct flash *flash = (struct flash *)host_call;
	struct kernel_host_request *request = NULL;
	int n = compose(flash, &request);

	/* Answered. */
	if (n == -EINVAL)
		return 0;
	if (n < 0)
		return n;
	if (n == 0) {
		changed(host_call, NULL);
		return 0;
	}
	return host_call_send(host_call, "set a flash node", request, changed);
}

static json_object *index_to_json(const struct flash *flash)
{
	return json_wrap("index", json_object_new_int64(flash->index));
}

static void new_node_set(struct host_call *host_call, const struct kernel_host_request *request)
{
	call_reply(host_call->call, index_to_json((struct flash *)host_call));
}

static void node_made(struct host_call *host_call, const struct kernel_host_request *request)
{
	struct flash *flash = (struct flash *)host_call;
	struct kernel_host_request *next = TAKE_PTR(flash->next);
	int r;

	flash->index = request->reply.result.flash_node;
	flash->exists = true;
	if (!next) {
		call_reply(host_call->call, index_to_json(flash));
		return;
	}
	next->event.request.flash_node.index = (uint32_t)flash->index;
	r = host_call_send(host_call, "set the new flash node", next, new_node_set);
	if (r < 0)
		call_fail(host_call->call, r, NULL);
}

static int make_node(struct host_call *host_call)
{
	struct flash *flash = (struct flash *)host_call;
	struct kernel_host_request *request;
	const char *family = "ipv4";
	int n;

	n = compose(flash, &flash->next);
	if (n == -EINVAL)
		return 0;
	if (n < 0)
		return n;
	(void)json_get_string(call_parameters(host_call->call), "family", &family);
	request = host_call_request(host_call, KERNEL_REQUEST_NEW_FLASH_NODE);
	if (!request)
		return -ENOMEM;
	request->event.request.flash_node.index = (uint32_t)strlen(family) + 1;
	kernel_host_add_text(request, family);
	return host_call_send(host_call, "make a flash node", request, node_made);
}

static int remove_node(struct host_call *host_call)
{
	return host_call_send(host_call, "remove a flash node",
			      about((struct flash *)host_call, KERNEL_REQUEST_DELETE_FLASH_NODE),
			      changed);
}

static int login_node(struct host_call *host_call)
{
	return host_call_send(host_call, "log in to a flash node",
			      about((struct flash *)host_call, KERNEL_REQUEST_LOGIN_FLASH_NODE),
			      changed);
}

static int logout_node(struct host_call *host_call)
{
	return host_call_send(host_call, "log out of a flash node",
			      about((struct flash *)host_call, KERNEL_REQUEST_LOGOUT_FLASH_NODE),
			      changed);
}

static int start(struct call *call, int (*run)(struct host_call *host_call))
{
	struct flash *flash;
	int r;

	r = flash_new(call, &flash);
	if (r <= 0)
		return r;
	flash->base.run = run;
	return host_call_start(flash);
}

int method_host_create_flash_node(struct call *call)
{
	return start(call, make_node);
}

int method_host_set_flash_node(struct call *call)
{
	return start(call, set_node);
}

int method_host_remove_flash_node(struct call *call)
{
	return start(call, remove_node);
}

int method_host_login_flash_node(struct call *call)
{
	return start(call, login_node);
}

int method_host_logout_flash_node(struct call *call)
{
	return start(call, logout_node);
}
