/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "event.h"
#include "keys.h"
#include "manager.h"
#include "manager_private.h"
#include "module.h"
#include "table.h"
#include "transport.h"

static const char *const transport_kind_names[] = {
	[TRANSPORT_SOCKET] = "socket",
	[TRANSPORT_ENDPOINT] = "endpoint",
	[TRANSPORT_ADAPTER] = "adapter",
	[TRANSPORT_UNKNOWN] = "unknown",
};

const char *transport_kind_to_string(enum transport_kind kind)
{
	return table_name(transport_kind_names, ELEMENTSOF(transport_kind_names), kind);
}

static struct transport transports[] = {
#define TRANSPORT(row, ...) { .name = row, __VA_ARGS__ },
#include "transport.def"
#undef TRANSPORT
	{ .name = NULL },
};

struct transport *transport_table(void)
{
	return transports;
}

struct transport *transport_find(const char *name)
{
	for (struct transport *t = transports; t->name; t++)
		if (strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

struct transport *transport_find_host(const char *proc_name)
{
	for (struct transport *t = transports; t->name; t++)
		if (strcmp(t->proc_name, proc_name) == 0)
			return t;
	return NULL;
}

bool transport_has_network(const struct transport *transport)
{
	return transport->network4 || transport->network6;
}

/* Offers */

bool transport_has_digests(const struct transport *transport, enum transport_capability which)
{
	if (transport->quirks & TRANSPORT_RDMA)
		return false;
	return !transport->loaded || transport->capabilities & which;
}

static void limit(uint32_t *value, uint32_t most)
{
	if (most > 0 && *value > most)
		*value = most;
}

static void limit_digests(struct iscsi_digest_list *list)
{
	list->digest[0] = ISCSI_DIGEST_NONE;
	list->n = 1;
}

void transport_limit_offer(const struct transport *transport, struct iscsi_offer *offer)
{
	const struct transport_limits *limits = &transport->limits;

	if (!transport_has_digests(transport, TRANSPORT_CAPABILITY_HEADER_DIGEST))
		limit_digests(&offer->header_digest);
	if (!transport_has_digests(transport, TRANSPORT_CAPABILITY_DATA_DIGEST))
		limit_digests(&offer->data_digest);
	if (transport->loaded && !(transport->capabilities & TRANSPORT_CAPABILITY_MULTI_R2T))
		limit(&offer->max_outstanding_r2t, 1);
	limit(&offer->max_recv_data_segment_length, limits->max_recv_data_segment_length);
	limit(&offer->max_burst_length, limits->max_burst_length);
	limit(&offer->first_burst_length, limits->first_burst_length);
	offer->initial_r2t |= (transport->quirks & TRANSPORT_INITIAL_R2T) != 0;
	/*
	 * RFC 7145, 6.2 and 6.5: another key limits what is not written by RDMA. The buffers of
	 * ib_iser are even smaller than the least one may declare, but hold all the sense data.
	 */
	offer->rdma_extensions = transport->quirks & TRANSPORT_RDMA;
	limit(&offer->initiator_recv_data_segment_length, limits->max_recv_data_segment_length);
}

uint32_t transport_limit_transmit(const struct transport *transport, uint32_t length)
{
	limit(&length, transport->limits.max_xmit_data_segment_length);
	return length;
}

/* Loading */

struct preparation {
	struct manager *manager;
	struct transport *transport;
	transport_ready_t done;
	void *userdata;
};

static int load_transport(void *argument)
{
	struct preparation *preparation = argument;

	return module_load(preparation->transport->module);
}

void transport_refresh(struct manager *manager, struct transport *transport)
{
	uint64_t handle;
	uint32_t capabilities;

	transport->loaded =
		sysfs_transport_read(&manager->sysfs, transport->name, &handle, &capabilities) >= 0;
	if (!transport->loaded)
		return;
	transport->handle = handle;
	transport->capabilities = capabilities;
}

static void transport_loaded(void *argument, int result)
{
	_cleanup_free_ struct preparation *preparation = argument;
	struct transport *transport = preparation->transport;
	struct manager *manager = preparation->manager;

	if (result != -ECANCELED) {
		transport_refresh(manager, transport);
		/* Built in, or loaded by somebody else: what counts is that it is there. */
		if (transport->loaded)
			result = manager_open_kernel(manager);
		else if (result >= 0)
			result = -ENODEV;
	}
	if (result < 0 && result != -ECANCELED) {
		struct event *event = event_new(EVENT_TRANSPORT_UNAVAILABLE);

		event_set_string(event, FIELD_TRANSPORT, transport->name);
		event_set_string(event, FIELD_MODULE, transport->module);
		event_set_errno(event, result);
		eventlog_raise(manager->log, event);
	}
	preparation->done(preparation->userdata, result);
}

int transport_prepare(struct manager *manager, struct transport *transport, transport_ready_t done,
		      void *userdata)
{
	struct preparation *preparation;
	int r;

	if (!transport->loaded)
		transport_refresh(manager, transport);
	if (transport->loaded && manager_open_kernel(manager) >= 0)
		return 1;
	preparation = malloc(sizeof(*preparation));
	if (!preparation)
		return -ENOMEM;
	*preparation = (struct preparation){ manager, transport, done, userdata };
	r = work_submit(manager->loader, load_transport, transport_loaded, preparation);
	if (r < 0) {
		free(preparation);
		return r;
	}
	return 0;
}
