/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.ois.host: the table of CHAP secrets that an adapter keeps. It is read a page at a time; of a
 * secret only whether there is one leaves this process.
 */
#include <errno.h>
#include <string.h>

#include "interfaces.h"
#include "json.h"
#include "method_host.h"
#include "method_secret.h"
#include "table.h"

#define INDEX_MAX     UINT16_MAX
#define INDEX_ANY     UINT16_MAX
#define USER_NAME_MAX 255

static const char *const role_names[] = {
	[KERNEL_CHAP_OUTGOING] = "initiator",
	[KERNEL_CHAP_INCOMING] = "target",
};

/* List */

static json_object *entry_to_json(const struct kernel_chap_entry *entry)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_int(object, "index", entry->index);
	r |= json_set_string(object, "role", role_names[entry->type]);
	r |= json_set_string(object, "userName", entry->user_name);
	r |= json_set_bool(object, "secretSet", entry->secret_length > 0);
	return r < 0 ? NULL : TAKE_PTR(object);
}

static int ask_page(struct host_call *host_call, uint32_t index);

static void page_read(struct host_call *host_call, const struct kernel_host_request *request)
{
	struct kernel_chap_entry entries[KERNEL_CHAP_PAGE];
	int n = kernel_host_get_chap(request, entries), r;

	if (n < 0) {
		host_call_refused(host_call, n, "the adapter's answer makes no sense");
		return;
	}
	for (int i = 0; i < n; i++)
		if (!call_list(host_call->call, json_wrap("entry", entry_to_json(&entries[i]))))
			return;
	if (n < KERNEL_CHAP_PAGE || entries[n - 1].index == INDEX_MAX) {
		call_list_end(host_call->call);
		return;
	}
	r = ask_page(host_call, (uint32_t)entries[n - 1].index + 1);
	if (r < 0)
		call_fail(host_call->call, r, NULL);
}

static int ask_page(struct host_call *host_call, uint32_t index)
{
	struct kernel_host_request *request;

	request = host_call_request(host_call, KERNEL_REQUEST_GET_CHAP);
	if (!request)
		return -ENOMEM;
	request->event.request.get_chap.index = (uint16_t)index;
	request->event.request.get_chap.n_entries = KERNEL_CHAP_PAGE;
	request->answer_max = KERNEL_CHAP_PAGE * sizeof(struct iscsi_kernel_chap);
	return host_call_send(host_call, "list CHAP secrets", request, page_read);
}

static int list_entries(struct host_call *host_call)
{
	return ask_page(host_call, 0);
}

int method_host_list_chap_entries(struct call *call)
{
	struct host_call *host_call;
	int r;

	r = host_call_new(call, sizeof(*host_call), &host_call);
	if (r <= 0)
		return r;
	host_call->run = list_entries;
	return host_call_start(host_call);
}

/* Set and remove */

struct entry {
	struct host_call base;
	int64_t index; /* -1: any */
	struct secret_change change;
	char user_name[USER_NAME_MAX + 1];
};

static void answer_entry(struct entry *entry, const char *error)
{
	_cleanup_json_ json_object *details = json_object_new_object();

	if (!details || json_set_int(details, "hostNumber", entry->base.host.host) < 0 ||
	    json_set_int(details, "index", entry->index) < 0)
		call_error(entry->base.call, error, NULL);
	else
		call_error(entry->base.call, error, TAKE_PTR(details));
}

static bool entry_refused(struct host_call *host_call, int error)
{
	struct entry *entry = (struct entry *)host_call;

	if (entry->index < 0 && error == -EBUSY)
		host_call_refused(host_call, error, "the table is full");
	else if (entry->index >= 0 && error == -EBUSY)
		answer_entry(entry, ERROR_HOST_ENTRY_IN_USE);
	else if (error == -EINVAL && entry->change.secret)
		host_call_refused(host_call, error,
				  "the entry belongs to the other direction, or is none");
	else if (error == -EINVAL)
		answer_entry(entry, ERROR_HOST_NO_SUCH_ENTRY);
	else
		return false;
	return true;
}

static void entry_done(struct host_call *host_call)
{
	secret_change_done(&((struct entry *)host_call)->change);
}

static void entry_stored(struct host_call *host_call, const struct kernel_host_request *request)
{
	call_reply(host_call->call, json_object_new_object());
}

static int set_entry(struct host_call *host_call)
{
	struct entry *entry = (struct entry *)host_call;
	const struct secret *secret = entry->change.secret;
	struct kernel_host_request *request;

	request = host_call_request(host_call, KERNEL_REQUEST_SET_CHAP);
	kernel_host_add_number(request, KERNEL_CHAP_PARAM_INDEX,
			       entry->index < 0 ? INDEX_ANY : (uint32_t)entry->index,
			       sizeof(uint16_t));
	kernel_host_add_number(request, KERNEL_CHAP_PARAM_TYPE,
			       entry->change.target ? KERNEL_CHAP_INCOMING : KERNEL_CHAP_OUTGOING,
			       1);
	kernel_host_add_attribute(request, KERNEL_CHAP_PARAM_USER_NAME, entry->user_name,
				  strlen(entry->user_name));
	kernel_host_add_attribute(request, KERNEL_CHAP_PARAM_SECRET, secret_bytes(secret),
				  secret_length(secret));
	kernel_host_add_number(request, KERNEL_CHAP_PARAM_SECRET_LENGTH,
			       (uint32_t)secret_length(secret), 1);
	return host_call_send(host_call, "store a CHAP secret", request, entry_stored);
}

static int remove_entry(struct host_call *host_call)
{
	struct entry *entry = (struct entry *)host_call;
	struct kernel_host_request *request;

	request = host_call_request(host_call, KERNEL_REQUEST_DELETE_CHAP);
	if (!request)
		return -ENOMEM;
	request->event.request.delete_chap.index = (uint16_t)entry->index;
	return host_call_send(host_call, "remove a CHAP secret", request, entry_stored);
}

static int entry_new(struct call *call, struct entry **ret)
{
	struct entry *entry;
	int r;

	r = host_call_new(call, sizeof(*entry), &entry);
	if (r <= 0)
		return r;
	entry->index = -1;
	entry->base.done = entry_done;
	entry->base.refused = entry_refused;
	if (json_get_int(call_parameters(call), "index", 0, INDEX_MAX - 1, &entry->index) < 0) {
		free(entry);
		call_invalid_parameter(call, "index");
		return 0;
	}
	*ret = entry;
	return 1;
}

/* What goes into the entry; 0: the call was answered. */
static int read_entry(struct entry *entry, struct call *call)
{
	const char *user_name = "";
	struct settings_fault fault;
	int r;

	(void)json_get_string(call_parameters(call), "userName", &user_name);
	if (!*user_name || strlen(user_name) > USER_NAME_MAX) {
		host_refuse_setting(call, "userName", "must have 1 to 255 bytes");
		return 0;
	}
	(void)strcpy(entry->user_name, user_name);
	r = secret_change_read(call, &entry->change, &fault);
	if (r == -EMSGSIZE) {
		call_error(call, ERROR_HOST_SECRET_TOO_SHORT,
			   secret_too_short_to_json(&entry->change));
		return 0;
	}
	if (r == -EINVAL) {
		host_refuse_setting(call, "secret", fault.message);
		return 0;
	}
	if (r <= 0)
		return r;
	if (!entry->change.secret)
		host_refuse_setting(call, "secret", "is missing");
	else if (memchr(secret_bytes(entry->change.secret), '\0',
			secret_length(entry->change.secret)))
		host_refuse_setting(call, "secret", "must have no byte that is zero");
	else
		return 1;
	return 0;
}

int method_host_set_chap_entry(struct call *call)
{
	struct entry *entry;
	int r;

	r = entry_new(call, &entry);
	if (r <= 0)
		return r;
	r = read_entry(entry, call);
	if (r <= 0) {
		entry_done(&entry->base);
		free(entry);
		return r;
	}
	entry->base.run = set_entry;
	return host_call_start(entry);
}

int method_host_remove_chap_entry(struct call *call)
{
	struct entry *entry;
	int r;

	r = entry_new(call, &entry);
	if (r <= 0)
		return r;
	entry->base.run = remove_entry;
	return host_call_start(entry);
}
