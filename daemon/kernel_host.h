/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests to the kernel about a SCSI host: one message each, whose payload and answer may hold
 * secrets. The kernel may take its time over them, in which it executes nothing else.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "kernel_abi.h"

struct kernel;

struct kernel_host_request {
	struct kernel *kernel;
	uint16_t request; /* enum iscsi_kernel_request */
	struct iscsi_kernel_event event;
	struct buffer payload;
	int fault;         /* of composing it */
	size_t answer_max; /* of one that is more than a reply; 0: there is none */

	/* What came back. */
	int error; /* 0 or what the kernel says; -ETIMEDOUT: the reply was lost, it may be done */
	uint64_t sent_usec; /* CLOCK_MONOTONIC */
	struct iscsi_kernel_event reply;
	struct buffer answer;

	void (*done)(void *userdata, struct kernel_host_request *request);
	void *userdata;
};

/* NULL stands for no memory, and is accepted everywhere. */
struct kernel_host_request *kernel_host_request_new(struct kernel *kernel,
						    uint64_t transport_handle, uint32_t host,
						    enum iscsi_kernel_request request);
struct kernel_host_request *kernel_host_request_free(struct kernel_host_request *request);
DEFINE_CLEANUP(struct kernel_host_request *, kernel_host_request_free);

void kernel_host_add(struct kernel_host_request *request, const void *data, size_t length);
/* Text and its NUL. */
void kernel_host_add_text(struct kernel_host_request *request, const char *text);
/* One more attribute. */
void kernel_host_add_attribute(struct kernel_host_request *request, uint16_t param,
			       const void *value, size_t length);
/* The same with a number of one, two or four bytes. */
void kernel_host_add_number(struct kernel_host_request *request, uint16_t param, uint32_t value,
			    size_t size);

/*
 * Takes the request over in any case. done() is called exactly once, from the loop; the request is
 * gone when it returns. Errors (done() is then not called): -ENOMEM, -EMSGSIZE, -EAGAIN, -ENOTCONN
 * (there is no kernel).
 */
int kernel_host_submit(struct kernel_host_request *request,
		       void (*done)(void *userdata, struct kernel_host_request *request),
		       void *userdata);

/* Entries of a CHAP table, as far as they are in the answer; a secret is a length here. */
struct kernel_chap_entry {
	uint16_t index;
	enum iscsi_kernel_chap_type type;
	char user_name[257];
	uint8_t secret_length;
};
/* Most that are asked for at once. */
#define KERNEL_CHAP_PAGE 16
/* From @index on, in the order of their indices; -EPROTO: not in that order. Returns how many. */
int kernel_host_get_chap(const struct kernel_host_request *request,
			 struct kernel_chap_entry ret[KERNEL_CHAP_PAGE]);
