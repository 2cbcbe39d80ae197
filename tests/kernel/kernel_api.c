/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's kernel side against a kernel: batches, their errors, events and the loss of them,
 * scans and lists of devices. Runs as root in a guest that has a LIO target at 127.0.0.1:3260 for
 * each session of the last test; "kernel-api PREFIX N" says what the targets' names start with and
 * how many there are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "devices.h"
#include "fake_scanner.h"
#include "kernel.h"
#include "module.h"
#include "sysfs.h"

#define SECOND       UINT64_C(1000000)
#define BHS          48
#define SESSIONS_MAX 2000

static const struct sysfs sysfs = { .root = "/sys", .proc = "/proc" };
static const char *target_prefix;
static unsigned n_targets;

static sd_event *event;
static struct poller *poller;
static struct kernel *kernel;
static struct fake_scanner scanner;
static struct devices *devices;
static uint64_t transport;

/* What events said since the test began. */
static struct {
	unsigned n_created, n_unbound, n_destroyed, n_failed, n_pdus, n_overruns;
	uint32_t sid, host;
	unsigned error;
	uint8_t opcode;
} seen;

static void on_pdu(void *userdata, uint32_t sid, uint32_t cid, const uint8_t header[48],
		   const void *data, size_t length)
{
	seen.n_pdus++;
	seen.sid = sid;
	seen.opcode = header[0] & 0x3f;
}

static void on_failed(void *userdata, uint32_t sid, uint32_t cid, unsigned error)
{
	seen.n_failed++;
	seen.sid = sid;
	seen.error = error;
}

static void on_created(void *userdata, uint32_t sid, uint32_t host)
{
	seen.n_created++;
	seen.sid = sid;
	seen.host = host;
}

static void on_unbound(void *userdata, uint32_t sid)
{
	seen.n_unbound++;
}

static void on_destroyed(void *userdata, uint32_t sid)
{
	seen.n_destroyed++;
	seen.sid = sid;
}

static void on_overrun(void *userdata)
{
	seen.n_overruns++;
}

static const struct kernel_callbacks callbacks = {
	.pdu_received = on_pdu,
	.connection_failed = on_failed,
	.session_created = on_created,
	.session_unbound = on_unbound,
	.session_destroyed = on_destroyed,
	.overrun = on_overrun,
};

/* A loop that has nothing for so long has lost something. */
static void run_until(const unsigned *counter, unsigned n)
{
	while (*counter < n)
		assert_true(sd_event_run(event, 30 * SECOND) > 0);
}

static size_t n_sessions(void)
{
	_cleanup_free_ uint32_t *list = NULL;
	size_t n;

	assert_int_equal(sysfs_session_list(&sysfs, &list, &n), 0);
	return n;
}

static unsigned n_entries(const char *path)
{
	_cleanup_(closedirp) DIR *directory = opendir(path);
	unsigned n = 0;

	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory));)
		n += entry->d_name[0] != '.';
	return n;
}

/* Nothing is left of a test in any class. */
static int tear_down(void **state)
{
	assert_int_equal(n_sessions(), 0);
	assert_int_equal(n_entries("/sys/class/iscsi_connection"), 0);
	assert_int_equal(n_entries("/sys/class/iscsi_host"), 0);
	assert_int_equal(kernel_n_ignored(kernel), 0);
	return 0;
}

static int set_up(void **state)
{
	memset(&seen, 0, sizeof(seen));
	return 0;
}

struct outcome {
	unsigned n;
	struct kernel_result result;
};

static void on_done(void *userdata, const struct kernel_result *result)
{
	struct outcome *outcome = userdata;

	outcome->n++;
	outcome->result = *result;
}

static struct kernel_result run_batch(struct kernel_batch *batch)
{
	struct outcome outcome = { 0 };

	assert_int_equal(kernel_batch_submit(batch, on_done, &outcome), 0);
	assert_int_equal(outcome.n, 0);
	run_until(&outcome.n, 1);
	return outcome.result;
}

static uint32_t create_session(void)
{
	struct kernel_batch *batch = kernel_batch_new(kernel, transport, KERNEL_SESSION_NEW);
	struct kernel_result result;

	kernel_batch_create_session(batch, 1, 128, 32);
	kernel_batch_create_connection(batch);
	result = run_batch(batch);
	assert_int_equal(result.error, 0);
	assert_true(result.created);
	return result.sid;
}

static void destroy_session(uint32_t sid)
{
	struct kernel_batch *batch = kernel_batch_new(kernel, transport, sid);
	unsigned n = seen.n_destroyed;

	kernel_batch_stop(batch, KERNEL_STOP_TERMINATE);
	kernel_batch_destroy_connection(batch);
	kernel_batch_destroy_session(batch);
	assert_int_equal(run_batch(batch).error, 0);
	run_until(&seen.n_destroyed, n + 1);
}

static void create_and_destroy(void **state)
{
	enum sysfs_connection_state connection_state;
	enum sysfs_session_state session_state;
	struct sysfs_session session;
	uint32_t sid = create_session();

	run_until(&seen.n_created, 1);
	assert_int_equal(seen.sid, sid);
	assert_int_equal(n_sessions(), 1);
	assert_int_equal(sysfs_session_read(&sysfs, sid, &session), 0);
	assert_int_equal(session.host, seen.host);
	assert_string_equal(session.transport, "tcp");
	assert_int_equal(session.state, SYSFS_SESSION_FREE);
	assert_int_equal(session.connection_state, SYSFS_CONNECTION_DOWN);
	/* libnl makes port numbers of the process number and a counter above it. */
	assert_int_equal(session.creator & 0x3fffff, getpid());
	assert_string_equal(session.target_name, "");
	assert_string_equal(session.address, "");
	destroy_session(sid);
	/* Of the same session, though the kernel names it in another place. */
	assert_int_equal(seen.sid, sid);
	assert_int_equal(sysfs_session_read_state(&sysfs, sid, &session_state, &connection_state),
			 -ENOENT);
}

static void refused_requests(void **state)
{
	struct kernel_batch *batch;
	struct kernel_result result;
	uint32_t sid;

	batch = kernel_batch_new(kernel, transport + 1, KERNEL_SESSION_NEW);
	kernel_batch_create_session(batch, 1, 128, 32);
	kernel_batch_create_connection(batch);
	result = run_batch(batch);
	assert_int_equal(result.error, -EINVAL);
	assert_int_equal(result.operation, KERNEL_CREATE_SESSION);
	assert_false(result.created);

	batch = kernel_batch_new(kernel, transport, 123456);
	kernel_batch_start(batch);
	result = run_batch(batch);
	assert_int_equal(result.error, -EINVAL);
	assert_int_equal(result.operation, KERNEL_START_CONNECTION);

	sid = create_session();
	batch = kernel_batch_new(kernel, transport, sid);
	kernel_batch_set_number(batch, KERNEL_PARAM_SESSION_RECOVERY_TIMEOUT, 7);
	kernel_batch_set_number(batch, KERNEL_PARAM_MAX_XMIT_DLENGTH, 8192);
	result = run_batch(batch);
	assert_int_equal(result.error, -ENOTCONN);
	assert_int_equal(result.operation, KERNEL_SET_PARAMETER);

	/* A session with a connection is not destroyed. */
	batch = kernel_batch_new(kernel, transport, sid);
	kernel_batch_destroy_session(batch);
	result = run_batch(batch);
	assert_int_equal(result.error, -EBUSY);
	destroy_session(sid);
}

/* START would succeed on a connection that was never bound, hence the barrier. */
static void barrier_holds_start_back(void **state)
{
	struct kernel_batch *batch = kernel_batch_new(kernel, transport, KERNEL_SESSION_NEW);
	enum sysfs_connection_state connection_state;
	enum sysfs_session_state session_state;
	struct kernel_result result;

	kernel_batch_create_session(batch, 1, 128, 32);
	kernel_batch_create_connection(batch);
	kernel_batch_bind(batch, 0x7fffff);
	kernel_batch_barrier(batch);
	kernel_batch_start(batch);
	result = run_batch(batch);
	assert_int_equal(result.error, -EEXIST);
	assert_int_equal(result.operation, KERNEL_BIND_CONNECTION);
	assert_true(result.created);
	assert_int_equal(
		sysfs_session_read_state(&sysfs, result.sid, &session_state, &connection_state), 0);
	assert_int_equal(connection_state, SYSFS_CONNECTION_DOWN);
	destroy_session(result.sid);
}

static void one_batch_cleans_up_after_itself(void **state)
{
	struct kernel_batch *batch = kernel_batch_new(kernel, transport, KERNEL_SESSION_NEW);
	struct kernel_result result;

	kernel_batch_create_session(batch, 1, 128, 32);
	kernel_batch_create_connection(batch);
	kernel_batch_bind(batch, 0x7fffff);
	kernel_batch_barrier(batch);
	kernel_batch_destroy_connection(batch);
	kernel_batch_destroy_session(batch);
	result = run_batch(batch);
	assert_int_equal(result.error, -EEXIST);
	run_until(&seen.n_destroyed, 1);
	assert_int_equal(seen.sid, result.sid);
}

/* Sessions with a target */

struct session {
	int fd;
	uint32_t sid, host;
	uint32_t statsn;
	unsigned n_done;
	int error;
	struct devices_scan *scan;
	struct sysfs_lun lun;
	size_t n_luns;
};

static void put32(uint8_t *at, uint32_t value)
{
	value = htonl(value);
	memcpy(at, &value, sizeof(value));
}

static void read_all(int fd, void *to, size_t length)
{
	for (size_t n = 0; n < length;) {
		ssize_t got = read(fd, (uint8_t *)to + n, length - n);

		assert_true(got > 0);
		n += (size_t)got;
	}
}

/* Text of the Login Request: strings separated by NUL. */
static size_t login_text(unsigned number, char *ret, size_t size)
{
	int n = snprintf(ret, size,
			 "InitiatorName=iqn.2026-11.org.example:kernel-api%cTargetName=%s%u%c"
			 "SessionType=Normal%cHeaderDigest=None%cDataDigest=None%c"
			 "InitialR2T=Yes%cImmediateData=Yes%cMaxRecvDataSegmentLength=262144%c"
			 "MaxBurstLength=262144%cFirstBurstLength=65536%cMaxOutstandingR2T=1%c"
			 "ErrorRecoveryLevel=0%cDefaultTime2Wait=2%cDefaultTime2Retain=0%c",
			 0, target_prefix, number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

	assert_true(n > 0 && (size_t)n < size);
	return (size_t)n;
}

/* Login on the socket: from the operational stage to full feature phase. */
static void login_on_socket(struct session *session, unsigned number)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(3260) };
	uint8_t message[BHS + 1024] = { 0x43, 0x87 }, answer[BHS + 8192];
	size_t length = login_text(number, (char *)message + BHS, 1024);
	uint32_t answered;
	int on = 1;

	session->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(session->fd >= 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(session->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	for (unsigned n = 0; n < 5; n++) {
		put32(message + 4, (uint32_t)length);
		put32(message + 8, 0x80000000 | number >> 8);
		message[12] = (uint8_t)number;
		put32(message + 24, 1);
		put32(message + 28, session->statsn);
		assert_int_equal(write(session->fd, message, BHS + ((length + 3) & ~(size_t)3)),
				 BHS + ((length + 3) & ~(size_t)3));
		read_all(session->fd, answer, BHS);
		answered = (uint32_t)answer[5] << 16 | (uint32_t)answer[6] << 8 | answer[7];
		assert_true(answered <= 8192);
		read_all(session->fd, answer + BHS, (answered + 3) & ~UINT32_C(3));
		assert_int_equal(answer[0], 0x23);
		assert_int_equal(answer[36], 0);
		memcpy(&session->statsn, answer + 24, sizeof(session->statsn));
		session->statsn = ntohl(session->statsn) + 1;
		if (answer[1] & 0x80)
			return;
		length = 0;
	}
	fail_msg("the target does not end the login");
}

static struct kernel_batch *hand_over(struct session *session, unsigned number)
{
	struct kernel_batch *batch = kernel_batch_new(kernel, transport, KERNEL_SESSION_NEW);
	uint8_t noop[BHS] = { 0x40, 0x80 };
	char name[256];

	(void)snprintf(name, sizeof(name), "%s%u", target_prefix, number);
	kernel_batch_create_session(batch, 1, 128, 32);
	kernel_batch_create_connection(batch);
	kernel_batch_bind(batch, (uint64_t)session->fd);
	kernel_batch_barrier(batch);
	kernel_batch_set_number(batch, KERNEL_PARAM_MAX_RECV_DLENGTH, 262144);
	kernel_batch_set_number(batch, KERNEL_PARAM_MAX_XMIT_DLENGTH, 8192);
	kernel_batch_set_number(batch, KERNEL_PARAM_HEADER_DIGEST, 0);
	kernel_batch_set_number(batch, KERNEL_PARAM_DATA_DIGEST, 0);
	kernel_batch_set_number(batch, KERNEL_PARAM_INITIAL_R2T, 1);
	kernel_batch_set_number(batch, KERNEL_PARAM_MAX_R2T, 1);
	kernel_batch_set_number(batch, KERNEL_PARAM_IMMEDIATE_DATA, 1);
	kernel_batch_set_number(batch, KERNEL_PARAM_FIRST_BURST_LENGTH, 65536);
	kernel_batch_set_number(batch, KERNEL_PARAM_MAX_BURST_LENGTH, 262144);
	kernel_batch_set_number(batch, KERNEL_PARAM_EXP_STATSN, session->statsn);
	kernel_batch_set_string(batch, KERNEL_PARAM_TARGET_NAME, name);
	kernel_batch_set_string(batch, KERNEL_PARAM_PERSISTENT_ADDRESS, "127.0.0.1");
	kernel_batch_set_number(batch, KERNEL_PARAM_PERSISTENT_PORT, 3260);
	kernel_batch_set_number(batch, KERNEL_PARAM_SESSION_RECOVERY_TIMEOUT, -1);
	kernel_batch_set_number(batch, KERNEL_PARAM_NOOP_INTERVAL, 5);
	kernel_batch_set_number(batch, KERNEL_PARAM_NOOP_TIMEOUT, 6);
	kernel_batch_barrier(batch);
	kernel_batch_start(batch);
	kernel_batch_barrier(batch);
	put32(noop + 20, UINT32_MAX);
	kernel_batch_send_pdu(batch, noop, NULL, 0);
	return batch;
}

static void log_in(struct session *session, unsigned number)
{
	struct kernel_result result;

	*session = (struct session){ .fd = -1 };
	login_on_socket(session, number);
	result = run_batch(hand_over(session, number));
	assert_int_equal(result.error, 0);
	session->sid = result.sid;
	session->host = result.host;
}

static void on_scanned(void *userdata, const struct devices_result *result)
{
	struct session *session = userdata;

	session->n_done++;
	session->error = result->error;
	session->n_luns = result->n_luns;
	if (result->n_luns > 0)
		session->lun = result->luns[0];
}

static void scan(struct session *session)
{
	assert_int_equal(devices_scan(devices, session->sid, session->host, NULL, 30 * SECOND,
				      on_scanned, session, &session->scan),
			 0);
}

static struct kernel_batch *unbind(const struct session *session)
{
	struct kernel_batch *batch = kernel_batch_new(kernel, transport, session->sid);

	kernel_batch_unbind_session(batch);
	return batch;
}

static void log_out(struct session *session)
{
	uint8_t logout[BHS] = { 0x46, 0x80 };
	struct kernel_batch *batch;
	unsigned n = seen.n_unbound;

	assert_int_equal(run_batch(unbind(session)).error, 0);
	run_until(&seen.n_unbound, n + 1);
	n = seen.n_pdus;
	batch = kernel_batch_new(kernel, transport, session->sid);
	kernel_batch_send_pdu(batch, logout, NULL, 0);
	assert_int_equal(run_batch(batch).error, 0);
	run_until(&seen.n_pdus, n + 1);
	assert_int_equal(seen.opcode, 0x26);
	destroy_session(session->sid);
	close(session->fd);
}

static void session_with_a_disk(void **state)
{
	struct sysfs_session session;
	struct session s;
	char path[64];
	uint64_t none = 77;

	log_in(&s, 1);
	/* The answer to our NOP-Out. */
	run_until(&seen.n_pdus, 1);
	assert_int_equal(seen.opcode, 0x20);
	assert_int_equal(seen.sid, s.sid);

	scan(&s);
	run_until(&s.n_done, 1);
	assert_int_equal(s.error, 0);
	assert_int_equal(s.n_luns, 1);
	assert_true(s.lun.bound);
	assert_string_equal(s.lun.state, "running");
	assert_string_equal(s.lun.vendor, "LIO-ORG");
	assert_true(s.lun.size_bytes > 0);
	assert_memory_equal(s.lun.wwid, "naa.", 4);
	(void)snprintf(path, sizeof(path), "/sys/block/%s", s.lun.block);
	assert_int_equal(access(path, F_OK), 0);

	assert_int_equal(sysfs_session_read(&sysfs, s.sid, &session), 0);
	assert_int_equal(session.state, SYSFS_SESSION_LOGGED_IN);
	assert_int_equal(session.connection_state, SYSFS_CONNECTION_UP);
	assert_string_equal(session.address, "127.0.0.1");
	assert_string_equal(session.local_address, "127.0.0.1");
	assert_int_equal(session.port, 3260);
	assert_int_equal(session.max_xmit_data_segment_length, 8192);
	assert_int_equal(session.recovery_timeout, -1);
	assert_int_equal(session.noop_interval, 5);
	assert_int_equal(session.noop_timeout, 6);
	assert_int_equal(session.can_queue, 113);
	assert_memory_equal(session.target_name, target_prefix, strlen(target_prefix));

	/* Again, when there is nothing to wait for; and a logical unit that is not there. */
	scan(&s);
	run_until(&s.n_done, 2);
	assert_int_equal(s.error, 0);
	assert_int_equal(s.n_luns, 1);
	assert_int_equal(
		devices_scan(devices, s.sid, s.host, &none, 30 * SECOND, on_scanned, &s, &s.scan),
		0);
	run_until(&s.n_done, 3);
	assert_int_equal(s.error, 0);
	assert_int_equal(s.n_luns, 1);
	log_out(&s);
	assert_int_equal(seen.n_failed, 0);
}

static void disk_in_use(void **state)
{
	struct devices_scan *list;
	char command[128];
	struct session s;

	/* The smallest of kernels has none. */
	if (access("/proc/swaps", F_OK) < 0)
		skip();
	log_in(&s, 1);
	scan(&s);
	run_until(&s.n_done, 1);
	assert_int_equal(devices_list(devices, s.sid, s.host, true, on_scanned, &s, &list), 0);
	run_until(&s.n_done, 2);
	assert_string_equal(s.lun.use, "");

	(void)snprintf(command, sizeof(command), "mkswap /dev/%s >/dev/null && swapon /dev/%s",
		       s.lun.block, s.lun.block);
	assert_int_equal(system(command), 0);
	assert_int_equal(devices_list(devices, s.sid, s.host, true, on_scanned, &s, &list), 0);
	run_until(&s.n_done, 3);
	assert_non_null(strstr(s.lun.use, " is swap"));
	(void)snprintf(command, sizeof(command), "swapoff /dev/%s", s.lun.block);
	assert_int_equal(system(command), 0);
	assert_int_equal(devices_list(devices, s.sid, s.host, true, on_scanned, &s, &list), 0);
	run_until(&s.n_done, 4);
	assert_string_equal(s.lun.use, "");
	log_out(&s);
}

static void connection_lost(void **state)
{
	enum sysfs_connection_state connection_state;
	enum sysfs_session_state session_state;
	struct session s;

	/* Nothing is to be sent any more, neither to a disk nor our NOP-Out: what cannot be sent is
	 * another error. */
	log_in(&s, 1);
	run_until(&seen.n_pdus, 1);
	assert_int_equal(shutdown(s.fd, SHUT_RDWR), 0);
	run_until(&seen.n_failed, 1);
	assert_int_equal(seen.sid, s.sid);
	assert_int_equal(seen.error, KERNEL_ERROR_CLOSED);
	/* The event comes first, the state follows. */
	do
		assert_int_equal(
			sysfs_session_read_state(&sysfs, s.sid, &session_state, &connection_state),
			0);
	while (connection_state == SYSFS_CONNECTION_UP && sched_yield() == 0);
	assert_int_equal(connection_state, SYSFS_CONNECTION_FAILED);
	destroy_session(s.sid);
	close(s.fd);
}

/* The socket of the events: the newer one of the two of this protocol. */
static int find_event_socket(void)
{
	for (int fd = 255; fd >= 0; fd--) {
		int protocol = -1;
		socklen_t size = sizeof(protocol);

		if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == 8)
			return fd;
	}
	fail();
	return -1;
}

static void set_receive_buffer(int fd, int size)
{
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)), 0);
}

/* More events than there is room for, while the loop is not looking; and afterwards all is well
 * again. */
static void events_are_lost(void **state)
{
	struct outcome outcomes[40] = { 0 };
	int fd = find_event_socket(), size;
	socklen_t length = sizeof(size);
	unsigned n;

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &length), 0);
	/* What is asked for, doubled. */
	assert_true(size >= 8 * 1024 * 1024);
	set_receive_buffer(fd, 4096);
	for (unsigned i = 0; i < ELEMENTSOF(outcomes); i++) {
		struct kernel_batch *batch =
			kernel_batch_new(kernel, transport, KERNEL_SESSION_NEW);

		kernel_batch_create_session(batch, 1, 16, 1);
		assert_int_equal(kernel_batch_submit(batch, on_done, &outcomes[i]), 0);
	}
	while (n_sessions() < ELEMENTSOF(outcomes))
		sched_yield();
	for (unsigned i = 0; i < ELEMENTSOF(outcomes); i++) {
		run_until(&outcomes[i].n, 1);
		/* The replies are not affected. */
		assert_int_equal(outcomes[i].result.error, 0);
	}
	run_until(&seen.n_overruns, 1);
	assert_int_equal(seen.n_overruns, 1);
	assert_in_range(seen.n_created, 1, ELEMENTSOF(outcomes) - 1);

	set_receive_buffer(fd, size / 2);
	n = seen.n_destroyed;
	for (unsigned i = 0; i < ELEMENTSOF(outcomes); i++) {
		struct kernel_batch *batch =
			kernel_batch_new(kernel, transport, outcomes[i].result.sid);

		kernel_batch_destroy_session(batch);
		assert_int_equal(run_batch(batch).error, 0);
	}
	run_until(&seen.n_destroyed, n + ELEMENTSOF(outcomes));
	assert_int_equal(seen.n_overruns, 1);
}

/* What kernel_new() says in a child with less. */
static int new_in_child(int (*reduce)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct kernel *another = NULL;
		struct poller *own_poller = NULL;
		sd_event *own = NULL;
		int r;

		if (reduce() < 0 || sd_event_new(&own) < 0 || poller_new(own, &own_poller) < 0)
			_exit(255);
		r = kernel_new(own_poller, &callbacks, NULL, &another);
		_exit(r < 0 ? -r : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static int leave_network(void)
{
	return unshare(CLONE_NEWNET);
}

static int leave_root(void)
{
	return setresuid(65534, 65534, 65534);
}

static int leave_nothing(void)
{
	return 0;
}

static void without_rights(void **state)
{
	assert_int_equal(new_in_child(leave_nothing), 0);
	assert_int_equal(new_in_child(leave_network), -ECONNREFUSED);
	assert_int_equal(new_in_child(leave_root), -EPERM);
}

static void modules(void **state)
{
	assert_int_equal(module_load("iscsi_tcp"), 0);
	assert_int_equal(module_load("no-such-module-at-all"), -ENOENT);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Login, scan and logout of all, side by side; the times are for the reader of the log. */
static void all_at_once(void **state)
{
	static struct session sessions[SESSIONS_MAX];
	static struct outcome outcomes[SESSIONS_MAX];
	double begin = seconds(), up, down;
	struct rusage used;

	memset(sessions, 0, sizeof(sessions));
	for (unsigned i = 0; i < n_targets; i++) {
		login_on_socket(&sessions[i], i + 1);
		assert_int_equal(
			kernel_batch_submit(hand_over(&sessions[i], i + 1), on_done, &outcomes[i]),
			0);
		(void)sd_event_run(event, 0);
	}
	for (unsigned i = 0; i < n_targets; i++) {
		run_until(&outcomes[i].n, 1);
		assert_int_equal(outcomes[i].result.error, 0);
		sessions[i].sid = outcomes[i].result.sid;
		sessions[i].host = outcomes[i].result.host;
		scan(&sessions[i]);
	}
	for (unsigned i = 0; i < n_targets; i++) {
		run_until(&sessions[i].n_done, 1);
		assert_int_equal(sessions[i].error, 0);
		assert_int_equal(sessions[i].n_luns, 1);
		assert_true(sessions[i].lun.bound);
	}
	up = seconds();
	assert_int_equal(seen.n_failed, 0);

	memset(outcomes, 0, sizeof(outcomes));
	for (unsigned i = 0; i < n_targets; i++) {
		assert_int_equal(kernel_batch_submit(unbind(&sessions[i]), on_done, &outcomes[i]),
				 0);
		(void)sd_event_run(event, 0);
	}
	run_until(&seen.n_unbound, n_targets);
	for (unsigned i = 0; i < n_targets; i++) {
		struct kernel_batch *batch = kernel_batch_new(kernel, transport, sessions[i].sid);

		kernel_batch_stop(batch, KERNEL_STOP_TERMINATE);
		kernel_batch_destroy_connection(batch);
		kernel_batch_destroy_session(batch);
		assert_int_equal(kernel_batch_submit(batch, NULL, NULL), 0);
	}
	run_until(&seen.n_destroyed, n_targets);
	down = seconds();
	for (unsigned i = 0; i < n_targets; i++)
		close(sessions[i].fd);
	assert_int_equal(seen.n_overruns, 0);
	getrusage(RUSAGE_SELF, &used);
	print_message("%u sessions: up in %.3f s, down in %.3f s; %ld KiB\n", n_targets, up - begin,
		      down - up, used.ru_maxrss);
}

static void on_attention(void *userdata, uint32_t sid, uint64_t lun, const char *name)
{
}

static int begin_group(void **state)
{
	uint32_t capabilities;

	assert_int_equal(module_load("iscsi_tcp"), 0);
	assert_int_equal(sysfs_transport_read(&sysfs, "tcp", &transport, &capabilities), 0);
	assert_int_equal(capabilities, 0x39);
	assert_int_equal(sd_event_new(&event), 0);
	assert_int_equal(poller_new(event, &poller), 0);
	assert_int_equal(kernel_new(poller, &callbacks, NULL, &kernel), 0);
	fake_scanner_begin(&scanner, event, &sysfs, FAKE_SCANNER_PROGRAM, 32);
	assert_int_equal(
		devices_new(scanner.poller, &sysfs, scanner.scanner, on_attention, NULL, &devices),
		0);
	return 0;
}

static int end_group(void **state)
{
	devices = devices_free(devices);
	fake_scanner_end(&scanner);
	kernel = kernel_free(kernel);
	poller = poller_free(poller);
	event = sd_event_unref(event);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(modules, set_up, tear_down),
		cmocka_unit_test_setup_teardown(create_and_destroy, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refused_requests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(barrier_holds_start_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_batch_cleans_up_after_itself, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(session_with_a_disk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(disk_in_use, set_up, tear_down),
		cmocka_unit_test_setup_teardown(connection_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(events_are_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_rights, set_up, tear_down),
		cmocka_unit_test_setup_teardown(all_at_once, set_up, tear_down),
	};

	if (argc != 3 || atoi(argv[2]) < 1 || atoi(argv[2]) > SESSIONS_MAX) {
		(void)fprintf(stderr, "Usage: kernel-api PREFIX N\n");
		return 2;
	}
	alarm(200);
	target_prefix = argv[1];
	n_targets = (unsigned)atoi(argv[2]);
	return cmocka_run_group_tests(tests, begin_group, end_group);
}
