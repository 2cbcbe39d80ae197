/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the methods of org.ois.host share: a call that is about one host, which is found off the
 * loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernel_host.h"
#include "method_common.h"

struct host_call {
	struct call *call; /* NULL: the client is gone, something still under way */
	struct manager *manager;
	char which[64]; /* as the client names the host; empty: none */
	struct sysfs_host host;
	struct transport *transport; /* of the host; NULL: not known */
	bool busy;                   /* something is under way that cannot be called back */
	/* In the worker: reads more of the host, which is known. May be NULL. */
	int (*read)(struct host_call *host_call);
	/* In the loop: answers the call, or begins something. Errors become those of the call. */
	int (*run)(struct host_call *host_call);
	void (*done)(struct host_call *host_call); /* before it is freed; may be NULL */
	/* The kernel refused: true if the call was answered for that. May be NULL. */
	bool (*refused)(struct host_call *host_call, int error);
	enum iscsi_kernel_request request; /* sent last */
	const char *operation;             /* asked for last, in words */
	void (*answered)(struct host_call *host_call, const struct kernel_host_request *request);
};

/*
 * Makes a call about the host that the parameter "host" names, of @size bytes, which begin with a
 * struct host_call. 0: the call was answered. Errors: -ENOMEM.
 */
int host_call_new(struct call *call, size_t size, void *ret);
/* Takes the call over, finds its host and runs it. Errors: those of work_submit(). */
int host_call_start(void *host_call);
/* A request about the host, which is known. NULL: no memory. */
struct kernel_host_request *host_call_request(const struct host_call *host_call,
					      enum iscsi_kernel_request request);
/*
 * Sends @request, which it takes over; answered() is called if the kernel did what was asked, else
 * the call is answered with an error. @operation: "ping", in words. Errors: those of
 * kernel_host_submit().
 */
int host_call_send(struct host_call *host_call, const char *operation,
		   struct kernel_host_request *request,
		   void (*answered)(struct host_call *host_call,
				    const struct kernel_host_request *request));
/* The kernel, or we, did not do it. */
void host_call_refused(struct host_call *host_call, int error, const char *message);
/* A parameter makes no sense: error InvalidSetting. */
void host_refuse_setting(struct call *call, const char *setting, const char *message);
/* Something that was under way has come back; false: the client is gone, and so is @host_call. */
bool host_call_returned(struct host_call *host_call);
