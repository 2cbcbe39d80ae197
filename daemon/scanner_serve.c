/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel hands each message to one of the threads that wait for one, so there is neither a
 * queue nor a lock: a thread takes a request, does it, and sends the answer. One is always waiting.
 * How many requests there are at the same time is the daemon's to decide.
 *
 * Death is told by descriptors: those of a process are closed when the last thread that shares them
 * is gone, and a killed thread that waits for a SCSI command is not. So the one by which each side
 * notices the end of the other is open in the first thread alone, which never sends a command.
 */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "module.h"
#include "renew.h"
#include "scanner_message.h"
#include "scanner_serve.h"
#include "trace.h"

/* What is touched of it is locked in memory. */
#define THREAD_STACK_SIZE (256 * 1024)
#define UNITS_MAX         (SCANNER_PAYLOAD_MAX / sizeof(struct sysfs_lun))

static const struct sysfs *sysfs;
static atomic_uint n_waiting; /* threads without a request */

/* Without a daemon nobody wants to know; then the process ends. */
static void tell(const struct scanner_answer *answer, const void *payload, size_t length)
{
	struct iovec parts[] = {
		{ (void *)answer, sizeof(*answer) },
		{ (void *)payload, length },
	};
	const struct msghdr message = { .msg_iov = parts, .msg_iovlen = length > 0 ? 2 : 1 };

	while (sendmsg(SCANNER_MESSAGES, &message, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return;
}

static void tell_units(struct scanner_answer *answer, const struct sysfs_lun *units, size_t n)
{
	do {
		size_t some = n < UNITS_MAX ? n : UNITS_MAX;

		answer->last = some == n;
		tell(answer, units, some * sizeof(*units));
		units += some;
		n -= some;
	} while (!answer->last);
}

/* udev loads the driver when it sees a disk; in an initial RAM disk there may be no udev. */
static void load_disk_driver(void)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/module/sd_mod", sysfs->root);
	if (access(path, F_OK) < 0)
		(void)module_load("sd_mod");
}

/*
 * The kernel probes new disks in threads of its own. Where processors are short these have not run
 * yet, and each disk would have to be looked for a second time when the kernel tells of it.
 */
static void let_probes_run(void)
{
	for (unsigned i = 0; i < 3; i++)
		(void)sched_yield();
}

static int scan(const struct scanner_request *request, struct sysfs_lun **ret_units, size_t *ret_n)
{
	const uint64_t *lun = request->all_luns ? NULL : &request->lun;
	bool renew = request->order == SCANNER_RENEW;
	int r = 0;

	if (request->load_disk_driver)
		load_disk_driver();
	if (renew)
		r = renew_units(sysfs, request->sid, request->host, lun, ret_units, ret_n);
	if (r >= 0)
		r = sysfs_session_scan(sysfs, request->sid, request->host, lun);
	if (r >= 0 && !renew) {
		let_probes_run();
		r = sysfs_lun_list_new(sysfs, request->sid, request->host, ret_units, ret_n);
	}
	return r;
}

static void do_request(const struct scanner_request *request)
{
	struct scanner_answer answer = { .slot = request->slot, .last = true };
	_cleanup_free_ struct sysfs_lun *units = NULL;
	size_t n = 0;
	const struct sysfs_lun unit = {
		.host = request->host,
		.channel = request->channel,
		.target = request->target,
		.lun = request->lun,
	};
	uint8_t data[SCANNER_PAYLOAD_MAX];

	switch (request->order) {
	case SCANNER_SCAN:
	case SCANNER_RENEW:
		answer.error = scan(request, &units, &n);
		break;
	case SCANNER_REVIVE:
		answer.error = sysfs_lun_revive(sysfs, request->sid, request->host, request->stable,
						&units, &n);
		break;
	case SCANNER_COMMAND:
		answer.error = bsg_run(sysfs, &unit, &request->cdb, request->timeout_seconds, data,
				       &answer.command);
		tell(&answer, data, answer.command.length);
		return;
	}
	tell_units(&answer, units, n);
}

static int start_thread(void *(*run)(void *));

static void *serve(void *userdata)
{
	struct scanner_request request;
	ssize_t n;

	for (;;) {
		n = recv(SCANNER_MESSAGES, &request, sizeof(request), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof(request))
			return NULL;
		if (atomic_fetch_sub(&n_waiting, 1) == 1)
			(void)start_thread(serve);
		do_request(&request);
		atomic_fetch_add(&n_waiting, 1);
	}
}

/* The first one; those that it makes, and these make, have their descriptors in common with it. */
static void *serve_first(void *userdata)
{
	if (unshare(CLONE_FILES) < 0) {
		trace("the end of this process will not be noticed while it waits: %s",
		      strerror(errno));
		return serve(userdata);
	}
	(void)close(SCANNER_LIFE);
	return serve(userdata);
}

static int start_thread(void *(*run)(void *))
{
	pthread_attr_t attributes;
	pthread_t thread;
	int r = pthread_attr_init(&attributes);

	if (r != 0)
		return -r;
	(void)pthread_attr_setstacksize(&attributes, THREAD_STACK_SIZE);
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	atomic_fetch_add(&n_waiting, 1);
	r = pthread_create(&thread, &attributes, run, NULL);
	if (r != 0)
		atomic_fetch_sub(&n_waiting, 1);
	pthread_attr_destroy(&attributes);
	return -r;
}

static int check_socket(int fd)
{
	int type;
	socklen_t size = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		return -errno;
	return type == SOCK_SEQPACKET ? 0 : -ENOTSOCK;
}

int scanner_serve(const struct sysfs *where)
{
	struct pollfd daemon = { .fd = SCANNER_LIFE, .events = POLLIN | POLLRDHUP };
	int r;

	r = check_socket(SCANNER_MESSAGES);
	if (r >= 0)
		r = check_socket(SCANNER_LIFE);
	if (r < 0)
		return r;
	(void)prctl(PR_SET_NAME, SCANNER_NAME, 0, 0, 0);
	/* All of it is locked, and what is allocated is little. */
	(void)mallopt(M_ARENA_MAX, 1);
	sysfs = where;
	r = start_thread(serve_first);
	if (r < 0)
		return r;
	while (poll(&daemon, 1, -1) < 0)
		if (errno != EINTR)
			break;
	/* Nothing is to wait for threads that wait. */
	_exit(0);
}
