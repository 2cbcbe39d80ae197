/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/netlink.h>
#include <string.h>

#include "kernel_host.h"

struct kernel_host_request *kernel_host_request_new(struct kernel *kernel,
						    uint64_t transport_handle, uint32_t host,
						    enum iscsi_kernel_request request)
{
	struct kernel_host_request *new = calloc(1, sizeof(*new));

	if (!new)
		return NULL;
	new->kernel = kernel;
	new->request = (uint16_t)request;
	/* Some answers are recognized by it. */
	new->event.type = request;
	new->event.transport_handle = transport_handle;
	/* The host comes first in all of them. */
	new->event.request.host.host = host;
	new->payload.limit = KERNEL_VALUE_MAX;
	return new;
}

struct kernel_host_request *kernel_host_request_free(struct kernel_host_request *request)
{
	if (!request)
		return NULL;
	buffer_erase(&request->payload);
	buffer_erase(&request->answer);
	free(request);
	return NULL;
}

void kernel_host_add(struct kernel_host_request *request, const void *data, size_t length)
{
	int r;

	if (!request || request->fault < 0)
		return;
	r = buffer_append(&request->payload, data, length);
	if (r < 0)
		request->fault = r == -E2BIG ? -EMSGSIZE : r;
}

void kernel_host_add_text(struct kernel_host_request *request, const char *text)
{
	kernel_host_add(request, text, strlen(text) + 1);
}

void kernel_host_add_attribute(struct kernel_host_request *request, uint16_t param,
			       const void *value, size_t length)
{
	static const uint8_t padding[NLA_ALIGNTO] = { 0 };
	struct iscsi_kernel_attribute attribute = { (uint32_t)length, param };
	size_t whole = NLA_HDRLEN + sizeof(attribute) + length;
	struct nlattr header = { .nla_len = (uint16_t)whole, .nla_type = param };

	if (request && whole > KERNEL_VALUE_MAX)
		request->fault = -EMSGSIZE;
	kernel_host_add(request, &header, sizeof(header));
	kernel_host_add(request, &attribute, sizeof(attribute));
	kernel_host_add(request, value, length);
	kernel_host_add(request, padding, NLA_ALIGN(whole) - whole);
}

void kernel_host_add_number(struct kernel_host_request *request, uint16_t param, uint32_t value,
			    size_t size)
{
	uint16_t two = (uint16_t)value;
	uint8_t one = (uint8_t)value;

	if (size == sizeof(one))
		kernel_host_add_attribute(request, param, &one, size);
	else if (size == sizeof(two))
		kernel_host_add_attribute(request, param, &two, size);
	else
		kernel_host_add_attribute(request, param, &value, sizeof(value));
}

int kernel_host_get_chap(const struct kernel_host_request *request,
			 struct kernel_chap_entry ret[KERNEL_CHAP_PAGE])
{
	size_t n = request->reply.request.get_chap.n_entries, n_there;
	uint32_t least = request->event.request.get_chap.index;

	n_there = request->answer.length / sizeof(struct iscsi_kernel_chap);
	if (n > n_there)
		n = n_there;
	if (n > KERNEL_CHAP_PAGE)
		n = KERNEL_CHAP_PAGE;
	for (size_t i = 0; i < n; i++) {
		const uint8_t *at = request->answer.data + i * sizeof(struct iscsi_kernel_chap);
		struct kernel_chap_entry *entry = &ret[i];
		uint32_t type;

		memcpy(&entry->index, at, sizeof(entry->index));
		memcpy(&type, at + offsetof(struct iscsi_kernel_chap, type), sizeof(type));
		memcpy(entry->user_name, at + offsetof(struct iscsi_kernel_chap, user_name), 256);
		entry->user_name[256] = '\0';
		entry->secret_length = at[offsetof(struct iscsi_kernel_chap, secret_length)];
		entry->type =
			type == KERNEL_CHAP_INCOMING ? KERNEL_CHAP_INCOMING : KERNEL_CHAP_OUTGOING;
		/* A driver that fails leaves zeroes behind, and says nothing. */
		if (entry->index < least || type > KERNEL_CHAP_INCOMING)
			return -EPROTO;
		least = (uint32_t)entry->index + 1;
	}
	return (int)n;
}
