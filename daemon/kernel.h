/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's iSCSI control interface, NETLINK_ISCSI. Requests travel in batches that a worker
 * thread sends one after the other, because the kernel executes a request inside sendmsg() and may
 * take its time; events arrive in the loop on a socket of their own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "kernel_abi.h"

struct kernel;
struct poller;

/* Something happened in the kernel. The session may be one we never heard of. */
struct kernel_callbacks {
	void (*pdu_received)(void *userdata, uint32_t sid, uint32_t cid, const uint8_t header[48],
			     const void *data, size_t length);
	/* @error is one of enum iscsi_kernel_error, kernel_abi.h. */
	void (*connection_failed)(void *userdata, uint32_t sid, uint32_t cid, unsigned error);
	/* A login that an adapter does by itself; @state is one of enum iscsi_kernel_login_state.
	 */
	void (*login_ended)(void *userdata, uint32_t sid, unsigned state);
	void (*session_created)(void *userdata, uint32_t sid, uint32_t host);
	/* All SCSI devices of the session are removed. */
	void (*session_unbound)(void *userdata, uint32_t sid);
	void (*session_destroyed)(void *userdata, uint32_t sid);
	/* @code is one of enum iscsi_kernel_host_code, or another. */
	void (*host_told)(void *userdata, uint32_t host, uint32_t code);
	/* @status is one of enum iscsi_kernel_ping, or another. */
	void (*ping_done)(void *userdata, uint32_t host, uint32_t cookie, uint32_t status);
	/* The adapter asks for the way to a target; the connect that caused it may be anybody's. */
	void (*path_requested)(void *userdata, uint64_t transport_handle, uint32_t host,
			       const struct iscsi_kernel_path *path);
	/* The network of this adapter's port goes away. */
	void (*interface_down)(void *userdata, uint64_t transport_handle, uint32_t host);
	/* Events were lost; look at sysfs. Comes after the events that were not. */
	void (*overrun)(void *userdata);
};

/*
 * Opens the sockets (which loads scsi_transport_iscsi). @callbacks is borrowed. Errors:
 * -EPROTONOSUPPORT (no such module), -ECONNREFUSED (not in the initial network namespace), -EPERM,
 * -ENOMEM.
 */
int kernel_new(struct poller *poller, const struct kernel_callbacks *callbacks, void *userdata,
	       struct kernel **ret);
/* Waits for the request in progress; done() of the rest gets -ECANCELED. Not from a callback. */
struct kernel *kernel_free(struct kernel *kernel);
DEFINE_CLEANUP(struct kernel *, kernel_free);

/* Messages on the event socket that made no sense and were dropped. */
uint64_t kernel_n_ignored(const struct kernel *kernel);

/* What the kernel calls the creator of the sessions that we make. */
uint32_t kernel_port(const struct kernel *kernel);

/* Operations of a batch, for error texts. */
enum kernel_operation {
	KERNEL_CREATE_SESSION,
	KERNEL_DESTROY_SESSION,
	KERNEL_CREATE_CONNECTION,
	KERNEL_DESTROY_CONNECTION,
	KERNEL_BIND_CONNECTION,
	KERNEL_SET_PARAMETER,
	KERNEL_START_CONNECTION,
	KERNEL_STOP_CONNECTION,
	KERNEL_SEND_PDU,
	KERNEL_UNBIND_SESSION,
	KERNEL_CONNECT_ENDPOINT,
	KERNEL_POLL_ENDPOINT,
	KERNEL_DISCONNECT_ENDPOINT,
	KERNEL_UPDATE_PATH,
	KERNEL_SET_INTERFACE,
	KERNEL_SET_HOST,
	_KERNEL_OPERATION_MAX,
};

/* "create session" */
const char *kernel_operation_to_string(enum kernel_operation operation);

/* The session a batch creates itself with its first message. */
#define KERNEL_SESSION_NEW UINT32_MAX

struct kernel_batch;
struct secret;

/*
 * Messages are executed in order, and one that fails does not stop those after it.
 * kernel_batch_barrier() does: what follows is sent only if all before it succeeded. So put one
 * after everything whose failure makes the rest dangerous, as BIND before START. What goes wrong
 * while adding is reported by submit; NULL (memory shortage) is accepted as a batch everywhere.
 */
struct kernel_batch *kernel_batch_new(struct kernel *kernel, uint64_t transport_handle,
				      uint32_t sid);
struct kernel_batch *kernel_batch_free(struct kernel_batch *batch);
DEFINE_CLEANUP(struct kernel_batch *, kernel_batch_free);

void kernel_batch_barrier(struct kernel_batch *batch);
/* Only as the first message of a batch made with KERNEL_SESSION_NEW; a barrier follows by itself.
 */
void kernel_batch_create_session(struct kernel_batch *batch, uint32_t initial_cmdsn,
				 uint16_t commands_max, uint16_t queue_depth);
/* The same of a transport whose sessions belong to the endpoint of their first connection. */
void kernel_batch_create_bound_session(struct kernel_batch *batch, uint64_t endpoint,
				       uint32_t initial_cmdsn, uint16_t commands_max,
				       uint16_t queue_depth);
void kernel_batch_create_connection(struct kernel_batch *batch);
/* @handle: descriptor number (tcp) or endpoint handle. The descriptor must stay open until done().
 */
void kernel_batch_bind(struct kernel_batch *batch, uint64_t handle);
void kernel_batch_set_number(struct kernel_batch *batch, enum iscsi_kernel_param param,
			     int64_t value);
void kernel_batch_set_string(struct kernel_batch *batch, enum iscsi_kernel_param param,
			     const char *value);
/* NULL: none. Root can read it in sysfs afterwards, so only for who logs in by itself. It must have
 * no byte that is zero. */
void kernel_batch_set_secret(struct kernel_batch *batch, enum iscsi_kernel_param param,
			     const struct secret *secret);
void kernel_batch_start(struct kernel_batch *batch);
void kernel_batch_stop(struct kernel_batch *batch, enum iscsi_kernel_stop how);
/* @length: at most KERNEL_PDU_DATA_MAX. */
void kernel_batch_send_pdu(struct kernel_batch *batch, const uint8_t header[48], const void *data,
			   size_t length);
void kernel_batch_unbind_session(struct kernel_batch *batch);
void kernel_batch_destroy_connection(struct kernel_batch *batch);
/* Asynchronous in the kernel; ends with session_destroyed(). */
void kernel_batch_destroy_session(struct kernel_batch *batch);

/*
 * Endpoints: connections of transports that make them themselves. Connecting begins with the first,
 * whose result has the handle, and has ended when poll says so. A poll takes a millisecond at most;
 * the other two may take many seconds, in which the kernel executes nothing else for anybody. These
 * three are messages of batches made with KERNEL_SESSION_NEW, one in each.
 */
#define KERNEL_HOST_ANY UINT32_MAX
struct sockaddr;
/* @host: the SCSI host that connects, or KERNEL_HOST_ANY. */
void kernel_batch_connect_endpoint(struct kernel_batch *batch, uint32_t host,
				   const struct sockaddr *address, size_t length);
void kernel_batch_poll_endpoint(struct kernel_batch *batch, uint64_t endpoint);
/* Before the connection it is bound to is stopped. */
void kernel_batch_disconnect_endpoint(struct kernel_batch *batch, uint64_t endpoint);

/*
 * The answer to a path request. In a batch of its own, made with KERNEL_SESSION_NEW, as those that
 * follow.
 */
void kernel_batch_update_path(struct kernel_batch *batch, uint32_t host,
			      const struct iscsi_kernel_path *path);
/* @attributes: netlink attributes, iscsi_kernel_interface_parameter. May take many seconds. */
void kernel_batch_set_interface(struct kernel_batch *batch, uint32_t host, const void *attributes,
				size_t length);
void kernel_batch_set_host(struct kernel_batch *batch, uint32_t host, uint32_t param,
			   const char *value);

struct kernel_result {
	/* 0, or the errno of the first operation that failed; -ETIMEDOUT: its reply was lost, it
	 * may be done */
	int error;
	enum kernel_operation operation; /* which one */
	uint32_t sid, host; /* of the session created; sid is valid once created, error or not */
	bool created;
	uint64_t endpoint; /* being connected; 0: none */
	bool connected;    /* the endpoint polled */
};

typedef void (*kernel_done_t)(void *userdata, const struct kernel_result *result);

/*
 * Consumes the batch in any case. done() is called exactly once from the loop, never from inside;
 * it may be NULL. Disconnect, stop, unbind and destroy messages of a batch are executed even if an
 * earlier message failed, except when the session could not be created. No order is promised
 * between done() and the events that the batch caused. Errors (done() is then not called): -ENOMEM,
 * -EMSGSIZE (a value or PDU too long), -EAGAIN, -ENOTCONN (a batch made without a kernel).
 */
int kernel_batch_submit(struct kernel_batch *batch, kernel_done_t done, void *userdata);

/* What the kernel counts of a connection, in the order of its interface. */
enum iscsi_kernel_counter {
	KERNEL_COUNTER_NOOP_OUT,
	KERNEL_COUNTER_SCSI_COMMAND,
	KERNEL_COUNTER_TASK_MANAGEMENT_REQUEST,
	KERNEL_COUNTER_LOGIN_REQUEST,
	KERNEL_COUNTER_TEXT_REQUEST,
	KERNEL_COUNTER_DATA_OUT,
	KERNEL_COUNTER_LOGOUT_REQUEST,
	KERNEL_COUNTER_SNACK_REQUEST,
	KERNEL_COUNTER_NOOP_IN,
	KERNEL_COUNTER_SCSI_RESPONSE,
	KERNEL_COUNTER_TASK_MANAGEMENT_RESPONSE,
	KERNEL_COUNTER_TEXT_RESPONSE,
	KERNEL_COUNTER_DATA_IN,
	KERNEL_COUNTER_LOGOUT_RESPONSE,
	KERNEL_COUNTER_R2T,
	KERNEL_COUNTER_ASYNC_MESSAGE,
	KERNEL_COUNTER_REJECT,
	KERNEL_COUNTER_DIGEST_ERROR,
	KERNEL_COUNTER_TIMEOUT_ERROR,
	_KERNEL_COUNTER_MAX,
};

/* Counters of the connection of one session, since it was made. */
struct kernel_statistics {
	/* Asked for. */
	uint64_t transport_handle;
	uint32_t sid;
	/* 0; -ENOTCONN: it has no connection; -ETIMEDOUT: no answer; -ENOMEM */
	int error;
	uint64_t transmitted_bytes, received_bytes; /* PDUs, whole */
	uint32_t counters[_KERNEL_COUNTER_MAX];
	/* Those of the transport itself; names are ended by NUL. Owned: kernel_statistics_done().
	 */
	struct iscsi_kernel_custom_counter *custom;
	size_t n_custom;
};

void kernel_statistics_done(struct kernel_statistics *statistics);

/* @error: 0, or the kernel could not be asked at all. */
typedef void (*kernel_statistics_ready_t)(void *userdata, int error);

/*
 * Asks for the counters of @n sessions; @items is the caller's, who must leave it alone until
 * ready(), which is called exactly once from the loop. The kernel executes nothing else meanwhile:
 * ask for few at a time. Errors (ready() is then not called): -ENOMEM, -EAGAIN, -ENOTCONN (NULL
 * kernel).
 */
int kernel_query_statistics(struct kernel *kernel, struct kernel_statistics *items, size_t n,
			    kernel_statistics_ready_t ready, void *userdata);
