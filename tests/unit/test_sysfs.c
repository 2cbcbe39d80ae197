// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading of sysfs, on trees made by fake_sysfs.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "fake_sysfs.h"
#include "sysfs_private.h"

static int set_up(void **state)
{
	fake_begin();
	return 0;
}

static int tear_down(void **state)
{
	fake_end();
	return 0;
}

static void transports(void **state)
{
	static const struct {
		const char *handle, *capabilities;
		int result;
		uint64_t ret_handle;
		uint32_t ret_capabilities;
	} rows[] = {
		{ "18446744072101234944", "0x39", 0, 18446744072101234944ULL, 0x39 },
		{ "1", "0x0", 0, 1, 0 },
		{ "1", "0xffffffff", 0, 1, 0xffffffff },
		{ "18446744073709551616", "0x39", -ERANGE, 0, 0 },
		{ "", "0x39", -EINVAL, 0, 0 },
		{ "-1", "0x39", -EINVAL, 0, 0 },
		{ "1", "39", -EINVAL, 0, 0 },
		{ "1", "0x", -EINVAL, 0, 0 },
		{ "1", "0x-1", -EINVAL, 0, 0 },
		{ "1", "0x1ffffffff", -EINVAL, 0, 0 },
		{ "1", "0x39 y", -EINVAL, 0, 0 },
	};
	uint64_t handle = 7;
	uint32_t capabilities = 7;

	assert_int_equal(sysfs_transport_read(&fake, "tcp", &handle, &capabilities), -ENOENT);
	fake_directory("class/iscsi_transport/tcp");
	assert_int_equal(sysfs_transport_read(&fake, "tcp", &handle, &capabilities), -ENOENT);
	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		handle = capabilities = 7;
		fake_put("class/iscsi_transport/tcp/handle", rows[i].handle);
		fake_put("class/iscsi_transport/tcp/caps", rows[i].capabilities);
		assert_int_equal(sysfs_transport_read(&fake, "tcp", &handle, &capabilities),
				 rows[i].result);
		assert_true(handle == (rows[i].result < 0 ? 7 : rows[i].ret_handle));
		assert_int_equal(capabilities, rows[i].result < 0 ? 7 : rows[i].ret_capabilities);
	}
}

static void lists_of_sessions(void **state)
{
	_cleanup_free_ uint32_t *none = NULL;
	_cleanup_free_ uint32_t *sessions = NULL;
	size_t n = 7;

	assert_int_equal(sysfs_session_list(&fake, &none, &n), 0);
	assert_int_equal(n, 0);

	/* More than one read of the directory gives, and names that are none. */
	for (unsigned sid = 300; sid > 0; sid--)
		fake_session(sid, sid + 1);
	fake_session(UINT32_MAX, 4000);
	fake_directory("class/iscsi_session/session");
	fake_directory("class/iscsi_session/session-1");
	fake_directory("class/iscsi_session/session4294967296");
	fake_directory("class/iscsi_session/sessionx");
	fake_directory("class/iscsi_session/session5 ");
	fake_directory("class/iscsi_session/connection5:0");
	assert_int_equal(sysfs_session_list(&fake, &sessions, &n), 0);
	assert_int_equal(n, 301);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(sessions[i], i + 1);
	assert_true(sessions[300] == UINT32_MAX);
}

static void make_session(void)
{
	static const char *const session[] = { "state",
					       "LOGGED_IN",
					       "targetname",
					       "iqn.2003-01.org.example:x",
					       "initiatorname",
					       "iqn.1993-08.org.debian:01:1",
					       "ifacename",
					       "default",
					       "tpgt",
					       "1",
					       "creator",
					       "4321",
					       "initial_r2t",
					       "0",
					       "immediate_data",
					       "1",
					       "max_burst_len",
					       "262144",
					       "first_burst_len",
					       "65536",
					       "max_outstanding_r2t",
					       "1",
					       "data_pdu_in_order",
					       "1",
					       "data_seq_in_order",
					       "1",
					       "erl",
					       "0",
					       "recovery_tmo",
					       "120",
					       "abort_tmo",
					       "15",
					       "lu_reset_tmo",
					       "30",
					       "tgt_reset_tmo",
					       "31",
					       "target_id",
					       "0",
					       NULL };
	static const char *const connection[] = { "state",
						  "up",
						  "address",
						  "2001:0db8:0000:0000:0000:0000:0000:0001",
						  "port",
						  "3260",
						  "persistent_address",
						  "storage.example.org",
						  "persistent_port",
						  "3261",
						  "local_port",
						  "50123",
						  "header_digest",
						  "1",
						  "data_digest",
						  "0",
						  "max_recv_dlength",
						  "262144",
						  "max_xmit_dlength",
						  "8192",
						  "recv_tmo",
						  "5",
						  "ping_tmo",
						  "6",
						  NULL };

	fake_session(12, 3);
	fake_attributes("devices/platform/host3/session12/iscsi_session/session12", session);
	fake_attributes("class/iscsi_connection/connection12:0", connection);
	fake_put("class/scsi_host/host3/proc_name", "iscsi_tcp");
	fake_put("class/scsi_host/host3/can_queue", "113");
	fake_put("class/iscsi_host/host3/ipaddress", "192.0.2.7");
}

static void session(void **state)
{
	struct sysfs_session s;

	make_session();
	memset(&s, 0xff, sizeof(s));
	assert_int_equal(sysfs_session_read(&fake, 12, &s), 0);
	assert_int_equal(s.sid, 12);
	assert_int_equal(s.host, 3);
	assert_true(s.has_connection);
	assert_int_equal(s.state, SYSFS_SESSION_LOGGED_IN);
	assert_int_equal(s.connection_state, SYSFS_CONNECTION_UP);
	assert_string_equal(s.transport, "tcp");
	assert_string_equal(s.target_name, "iqn.2003-01.org.example:x");
	assert_string_equal(s.initiator_name, "iqn.1993-08.org.debian:01:1");
	assert_string_equal(s.interface, "default");
	assert_int_equal(s.portal_group_tag, 1);
	assert_int_equal(s.creator, 4321);
	assert_string_equal(s.address, "2001:db8::1");
	assert_string_equal(s.persistent_address, "storage.example.org");
	assert_int_equal(s.port, 3260);
	assert_int_equal(s.persistent_port, 3261);
	assert_int_equal(s.local_port, 50123);
	assert_string_equal(s.local_address, "192.0.2.7");
	assert_int_equal(s.header_digest, 1);
	assert_int_equal(s.data_digest, 0);
	assert_int_equal(s.max_recv_data_segment_length, 262144);
	assert_int_equal(s.max_xmit_data_segment_length, 8192);
	assert_int_equal(s.initial_r2t, 0);
	assert_int_equal(s.immediate_data, 1);
	assert_int_equal(s.max_burst_length, 262144);
	assert_int_equal(s.first_burst_length, 65536);
	assert_int_equal(s.max_outstanding_r2t, 1);
	assert_int_equal(s.data_pdu_in_order, 1);
	assert_int_equal(s.data_sequence_in_order, 1);
	assert_int_equal(s.error_recovery_level, 0);
	assert_int_equal(s.recovery_timeout, 120);
	assert_int_equal(s.abort_timeout, 15);
	assert_int_equal(s.lu_reset_timeout, 30);
	assert_int_equal(s.target_reset_timeout, 31);
	assert_int_equal(s.noop_interval, 5);
	assert_int_equal(s.noop_timeout, 6);
	assert_int_equal(s.can_queue, 113);
}

static void session_with_little(void **state)
{
	struct sysfs_session s;

	make_session();
	fake_delete("class/iscsi_connection");
	fake_delete("class/iscsi_host");
	fake_session_put(12, 3, "state", "FREE");
	fake_session_put(12, 3, "targetname", "(null)");
	fake_session_put(12, 3, "recovery_tmo", "off");
	fake_session_put(12, 3, "tpgt", "many");
	fake_put("class/scsi_host/host3/proc_name", "qla4xxx");
	fake_delete("class/scsi_host/host3/can_queue");
	assert_int_equal(sysfs_session_read(&fake, 12, &s), 0);
	assert_false(s.has_connection);
	assert_int_equal(s.state, SYSFS_SESSION_FREE);
	assert_int_equal(s.connection_state, SYSFS_CONNECTION_UNKNOWN);
	assert_string_equal(s.target_name, "");
	assert_string_equal(s.address, "");
	assert_string_equal(s.persistent_address, "");
	assert_string_equal(s.local_address, "");
	assert_string_equal(s.transport, "qla4xxx");
	assert_int_equal(s.port, -1);
	assert_int_equal(s.recovery_timeout, -1);
	assert_int_equal(s.portal_group_tag, -1);
	assert_int_equal(s.header_digest, -1);
	assert_int_equal(s.can_queue, -1);
}

static void session_that_is_gone(void **state)
{
	enum sysfs_session_state session_state = SYSFS_SESSION_FAILED;
	enum sysfs_connection_state connection_state = SYSFS_CONNECTION_FAILED;
	struct sysfs_session s, untouched;

	memset(&s, 0x5a, sizeof(s));
	untouched = s;
	assert_int_equal(sysfs_session_read(&fake, 12, &s), -ENOENT);
	make_session();
	assert_int_equal(sysfs_session_read(&fake, 13, &s), -ENOENT);
	fake_delete("devices/platform/host3/session12/iscsi_session/session12/state");
	assert_int_equal(sysfs_session_read(&fake, 12, &s), -ENOENT);
	assert_int_equal(sysfs_session_read_state(&fake, 12, &session_state, &connection_state),
			 -ENOENT);
	fake_delete("devices/platform/host3/session12");
	assert_int_equal(sysfs_session_read(&fake, 12, &s), -ENOENT);
	assert_int_equal(sysfs_session_read_state(&fake, 12, &session_state, &connection_state),
			 -ENOENT);
	assert_memory_equal(&s, &untouched, sizeof(s));
	assert_int_equal(session_state, SYSFS_SESSION_FAILED);
	assert_int_equal(connection_state, SYSFS_CONNECTION_FAILED);
	/* A link that leads nowhere we know. */
	fake_link("class/iscsi_session/session5", "../../devices/hostile/session5/x");
	assert_int_equal(sysfs_session_read(&fake, 5, &s), -ENOENT);
	fake_link("class/iscsi_session/session6", "session6");
	assert_int_equal(sysfs_session_read(&fake, 6, &s), -ENOENT);
}

static void states(void **state)
{
	static const struct {
		const char *session, *connection;
		enum sysfs_session_state session_state;
		enum sysfs_connection_state connection_state;
	} rows[] = {
		{ "LOGGED_IN", "up", SYSFS_SESSION_LOGGED_IN, SYSFS_CONNECTION_UP },
		{ "FAILED", "failed", SYSFS_SESSION_FAILED, SYSFS_CONNECTION_FAILED },
		{ "FREE", "down", SYSFS_SESSION_FREE, SYSFS_CONNECTION_DOWN },
		{ "FREE", "bound", SYSFS_SESSION_FREE, SYSFS_CONNECTION_BOUND },
		{ "logged_in", "UP", SYSFS_SESSION_UNKNOWN, SYSFS_CONNECTION_UNKNOWN },
		{ "", "", SYSFS_SESSION_UNKNOWN, SYSFS_CONNECTION_UNKNOWN },
	};
	enum sysfs_session_state session_state;
	enum sysfs_connection_state connection_state;
	struct sysfs_session s;

	make_session();
	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		fake_session_put(12, 3, "state", rows[i].session);
		fake_put("class/iscsi_connection/connection12:0/state", rows[i].connection);
		assert_int_equal(
			sysfs_session_read_state(&fake, 12, &session_state, &connection_state), 0);
		assert_int_equal(session_state, rows[i].session_state);
		assert_int_equal(connection_state, rows[i].connection_state);
		assert_int_equal(sysfs_session_read(&fake, 12, &s), 0);
		assert_int_equal(s.state, rows[i].session_state);
		assert_int_equal(s.connection_state, rows[i].connection_state);
	}
}

static void addresses(void **state)
{
	static const char *const rows[][2] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "fe80:0000:0000:0000:0a00:27ff:fe4e:66a1", "fe80::a00:27ff:fe4e:66a1" },
		{ "0000:0000:0000:0000:0000:0000:0000:0000", "::" },
		{ "2001:0db8:0001:0000:0000:0001:0000:0000", "2001:db8:1::1:0:0" },
		{ "0000:0000:0000:0000:0000:ffff:c000:0201", "::ffff:192.0.2.1" },
		{ "(null)", "" },
		{ "something else", "something else" },
	};
	struct sysfs_session s;

	make_session();
	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		fake_put("class/iscsi_connection/connection12:0/address", rows[i][0]);
		fake_put("class/iscsi_host/host3/ipaddress", rows[i][0]);
		assert_int_equal(sysfs_session_read(&fake, 12, &s), 0);
		assert_string_equal(s.address, rows[i][1]);
		assert_string_equal(s.local_address, rows[i][1]);
	}
}

static void texts(void **state)
{
	char small[4], long_text[600];
	int fd;

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	fake_put("a/long", long_text);
	fake_put("a/empty", "");
	fake_put("a/blanks", "ab   ");
	fake_directory("a/directory");
	fd = sysfs_open(&fake, O_PATH | O_DIRECTORY, "%s", "a");
	assert_true(fd >= 0);
	/* What does not fit is cut. */
	assert_int_equal(sysfs_read_string(fd, "long", small, sizeof(small)), 0);
	assert_string_equal(small, "xxx");
	assert_int_equal(sysfs_read_string(fd, "empty", small, sizeof(small)), 0);
	assert_string_equal(small, "");
	assert_int_equal(sysfs_read_string(fd, "blanks", small, sizeof(small)), 0);
	assert_string_equal(small, "ab");
	assert_int_equal(sysfs_read_string(fd, "none", small, sizeof(small)), -ENOENT);
	assert_string_equal(small, "");
	assert_int_equal(sysfs_read_string(fd, "directory", small, sizeof(small)), -EISDIR);
	assert_int_equal(sysfs_read_number(fd, "long"), -1);
	assert_int_equal(sysfs_read_number(fd, "none"), -1);
	close_fd(fd);
	assert_int_equal(sysfs_open(&fake, O_PATH | O_DIRECTORY, "a/long"), -ENOTDIR);
}

static void luns(void **state)
{
	_cleanup_free_ struct sysfs_lun *list = NULL;
	const char *directory;
	char path[512];
	size_t n = 0;

	make_session();
	/* A target without devices, and what else is in such directories. */
	fake_directory("devices/platform/host3/session12/target3:0:1/power");
	fake_directory("devices/platform/host3/session12/connection12:0");
	assert_int_equal(sysfs_lun_list(&fake, 12, 3, NULL, &list, &n), 0);
	assert_int_equal(n, 0);
	free(TAKE_PTR(list));

	directory = fake_lun(12, 3, "3:0:0:10", "0");
	fake_block(directory, "sdb", "8:16");
	(void)snprintf(path, sizeof(path), "%s/wwid", directory);
	fake_put(path, "naa.60014051234567890abcdef012345678");
	(void)snprintf(path, sizeof(path), "%s/scsi_generic/sg1", directory);
	fake_directory(path);
	/* The driver's link is there, the disk not yet. */
	directory = fake_lun(12, 3, "3:0:0:2", "0");
	(void)snprintf(path, sizeof(path), "%s/driver", directory);
	fake_link(path, "../../../../../../bus/scsi/drivers/sd");
	/* No disk: nobody need drive it. */
	fake_lun(12, 3, "3:0:0:3", "31");
	fake_lun(12, 3, "3:0:0:18446744073709551615", "7");
	/* Not devices, or not ours. */
	fake_lun(12, 3, "3:0:0", "0");
	fake_lun(12, 3, "3:0:0:1:1", "0");
	fake_lun(12, 3, "3:0:0:x", "0");
	fake_lun(12, 3, "4:0:0:0", "0");
	/* Gone while we look. */
	directory = fake_lun(12, 3, "3:0:0:4", "0");
	(void)snprintf(path, sizeof(path), "%s/state", directory);
	fake_delete(path);
	directory = fake_lun(12, 3, "3:0:0:5", "0");
	(void)snprintf(path, sizeof(path), "%s/inquiry", directory);
	fake_delete(path);

	assert_int_equal(sysfs_lun_list(&fake, 12, 3, NULL, &list, &n), 0);
	assert_int_equal(n, 4);
	assert_true(list[0].lun == 2 && list[1].lun == 3 && list[2].lun == 10);
	assert_true(list[3].lun == UINT64_MAX);
	assert_false(list[0].bound);
	assert_string_equal(list[0].block, "");
	assert_int_equal(list[0].size_bytes, -1);
	assert_false(list[1].bound);
	assert_int_equal(list[1].type, 31);
	assert_int_equal(list[2].host, 3);
	assert_int_equal(list[2].channel, 0);
	assert_int_equal(list[2].target, 0);
	assert_true(list[2].bound);
	assert_string_equal(list[2].use, "");
	assert_string_equal(list[2].state, "running");
	assert_string_equal(list[2].block, "sdb");
	assert_string_equal(list[2].generic, "sg1");
	assert_string_equal(list[2].vendor, "LIO-ORG");
	assert_string_equal(list[2].model, "disk0");
	assert_string_equal(list[2].wwid, "naa.60014051234567890abcdef012345678");
	assert_int_equal(list[2].size_bytes, 1048576);
	assert_int_equal(list[2].queue_depth, 64);

	/* What a scan has just found: 2 has no driver yet, so that nobody can know whether 4 is
	 * gone; what came before 2 in the directory may be told in full. */
	free(TAKE_PTR(list));
	assert_int_equal(sysfs_lun_list_new(&fake, 12, 3, &list, &n), 0);
	assert_in_range(n, 4, 5);
	assert_true(list[0].lun == 2 && !list[0].bound);
	assert_string_equal(list[0].wwid, "");
	assert_string_equal(list[n - 2].block, "sdb");

	assert_int_equal(sysfs_lun_list(&fake, 13, 3, NULL, &list, &n), -ENOENT);
	assert_in_range(n, 4, 5);
}

static void lun_counters(void **state)
{
	static const char *const base = "class/scsi_device/3:0:1:18446744073709551615/device";
	const struct sysfs_lun lun = { .host = 3, .target = 1, .lun = UINT64_MAX };
	struct sysfs_lun_counters counters;
	char path[128];

	sysfs_lun_read_counters(&fake, &lun, &counters);
	assert_true(counters.requests == -1 && counters.timeouts == -1);
	(void)snprintf(path, sizeof(path), "%s/iorequest_cnt", base);
	fake_put(path, "0x1a");
	(void)snprintf(path, sizeof(path), "%s/iodone_cnt", base);
	fake_put(path, "26");
	(void)snprintf(path, sizeof(path), "%s/ioerr_cnt", base);
	fake_put(path, "0x0");
	(void)snprintf(path, sizeof(path), "%s/iotmo_cnt", base);
	fake_put(path, "0xffffffffffffffff");
	sysfs_lun_read_counters(&fake, &lun, &counters);
	assert_int_equal(counters.requests, 26);
	assert_int_equal(counters.completed, -1);
	assert_int_equal(counters.errors, 0);
	assert_int_equal(counters.timeouts, -1);
}

static void many_luns(void **state)
{
	_cleanup_free_ struct sysfs_lun *list = NULL;
	size_t n = 0;

	make_session();
	for (unsigned i = 0; i < 256; i++) {
		char hctl[32];

		(void)snprintf(hctl, sizeof(hctl), "3:0:0:%u", 255 - i);
		fake_lun(12, 3, hctl, "0");
	}
	assert_int_equal(sysfs_lun_list(&fake, 12, 3, NULL, &list, &n), 0);
	assert_int_equal(n, 256);
	for (unsigned i = 0; i < n; i++)
		assert_true(list[i].lun == i);
}

static void disks(void **state)
{
	for (int type = -1; type < 32; type++) {
		struct sysfs_lun lun = { .type = type };

		assert_int_equal(sysfs_lun_is_disk(&lun),
				 type == 0 || type == 7 || type == 14 || type == 20);
	}
}

static void usage(void **state)
{
	static const struct {
		const char *path, *content; /* a path that ends in "/": a directory */
		const char *use;            /* what is said; "": not in use */
	} rows[] = {
		{ "proc/self/mountinfo", "22 1 8:99 / / rw - ext4 /dev/root rw", "" },
		{ "proc/self/mountinfo", "22 1 8:16 / /mnt rw,noatime shared:1 - ext4 /dev/sdq rw",
		  "sdq is mounted on /mnt" },
		{ "proc/self/mountinfo", "22 1 8:17 / /a\\040b rw - ext4 /dev/nosuch1 rw",
		  "sdq1 is mounted on /a\\040b" },
		{ "proc/self/mountinfo", "22 1 0:33 / /mnt rw - btrfs /dev/sdq1 rw",
		  "sdq1 is mounted on /mnt" },
		{ "proc/self/mountinfo", "22 1 0:33 / /mnt rw - btrfs /dev/sdqq rw", "" },
		{ "proc/self/mountinfo", "22 1 0:33 / /mnt rw - nfs4 server:/dev/sdq rw", "" },
		{ "proc/self/mountinfo", "22 1 8", "" },
		{ "proc/self/mountinfo", "", "" },
		{ "proc/self/mountinfo", "nonsense - - - /dev/sdq", "" },
		{ "proc/swaps", "Filename Type Size Used Priority\n/dev/sdq1  partition\t1\t0\t-2",
		  "sdq1 is swap" },
		{ "proc/swaps", "Filename Type Size Used Priority\n/swapfile file\t1\t0\t-2", "" },
		{ "fs/btrfs/0011-22/devices/sdq1/", NULL, "sdq1 is part of a mounted btrfs" },
		{ "fs/btrfs/0011-22/devices/sdr1/", NULL, "" },
		{ "fs/btrfs/features/", NULL, "" },
		{ "HOLDERS/dm-0/", NULL, "sdq is used by dm-0" },
		{ "HOLDERS/dm-0/dm/name", "vg-data",
		  "sdq is used by dm-0 (vg-data, device mapper)" },
		{ "PARTITION_HOLDERS/md0/", NULL, "sdq1 is used by md0" },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		static const char block[] =
			"devices/platform/host3/session12/target3:0:0/3:0:0:0/block/sdq";
		_cleanup_free_ struct sysfs_lun *list = NULL;
		_cleanup_(usage_freep) struct usage *usage = NULL;
		const char *directory, *path = rows[i].path;
		char full[512];
		size_t n = 0;

		if (i > 0) {
			fake_end();
			fake_begin();
		}
		make_session();
		directory = fake_lun(12, 3, "3:0:0:0", "0");
		fake_block(directory, "sdq", "8:16");
		(void)snprintf(full, sizeof(full), "%s/sdq1/dev", block);
		fake_put(full, "8:17");
		(void)snprintf(full, sizeof(full), "%s/sdq1/holders", block);
		fake_directory(full);

		(void)snprintf(full, sizeof(full), "%s", path);
		if (strncmp(path, "HOLDERS", 7) == 0)
			(void)snprintf(full, sizeof(full), "%s/holders%s", block, path + 7);
		else if (strncmp(path, "PARTITION_HOLDERS", 17) == 0)
			(void)snprintf(full, sizeof(full), "%s/sdq1/holders%s", block, path + 17);
		if (rows[i].content)
			fake_put(full, rows[i].content);
		else
			fake_directory(full);
		assert_int_equal(usage_new(&fake, &usage), 0);
		assert_int_equal(sysfs_lun_list(&fake, 12, 3, usage, &list, &n), 0);
		assert_int_equal(n, 1);
		if (strcmp(list[0].use, rows[i].use) != 0)
			fail_msg("%s: %s: %s", rows[i].path, rows[i].content ? rows[i].content : "",
				 list[0].use);
	}
}

/* Who made a device of device mapper stands in its UUID. */
static void usage_by_mapper(void **state)
{
	static const struct {
		const char *uuid, *use;
	} rows[] = {
		{ "LVM-abcdef", "sdq is used by dm-3 (a name, LVM)" },
		{ "mpath-36001405", "sdq is used by dm-3 (a name, multipath)" },
		{ "CRYPT-LUKS2-0011", "sdq is used by dm-3 (a name, encryption)" },
		{ "", "sdq is used by dm-3 (a name, device mapper)" },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		_cleanup_free_ struct sysfs_lun *list = NULL;
		_cleanup_(usage_freep) struct usage *usage = NULL;
		const char *directory;
		char path[512];
		size_t n = 0;

		if (i > 0) {
			fake_end();
			fake_begin();
		}
		make_session();
		directory = fake_lun(12, 3, "3:0:0:0", "0");
		fake_block(directory, "sdq", "8:16");
		(void)snprintf(path, sizeof(path), "%s/block/sdq/holders/dm-3/dm/name", directory);
		fake_put(path, "a name");
		(void)snprintf(path, sizeof(path), "%s/block/sdq/holders/dm-3/dm/uuid", directory);
		fake_put(path, rows[i].uuid);
		assert_int_equal(usage_new(&fake, &usage), 0);
		assert_int_equal(sysfs_lun_list(&fake, 12, 3, usage, &list, &n), 0);
		assert_int_equal(n, 1);
		assert_string_equal(list[0].use, rows[i].use);
	}
}

/* So many more descriptors can be opened; negative: as before. */
static void leave_descriptors(int n)
{
	static struct rlimit before;
	struct rlimit limit;
	int lowest;

	if (n < 0) {
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		return;
	}
	lowest = dup(STDERR_FILENO);
	assert_true(lowest >= 0);
	(void)close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)(lowest + n);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* A disk is not free because there is no descriptor to look with. */
static void usage_that_cannot_be_seen(void **state)
{
	static const struct {
		const char *path, *content;
	} rows[] = {
		{ "proc/self/mountinfo", "22 1 8:17 / /mnt rw - ext4 /dev/nosuch1 rw" },
		{ "fs/btrfs/0011-22/devices/sdq1/", NULL },
		{ "devices/platform/host3/session12/target3:0:0/3:0:0:0/block/sdq/sdq1/holders/"
		  "md0/",
		  NULL },
	};

	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		if (i > 0) {
			fake_end();
			fake_begin();
		}
		make_session();
		fake_block(fake_lun(12, 3, "3:0:0:0", "0"), "sdq", "8:16");
		fake_put("devices/platform/host3/session12/target3:0:0/3:0:0:0/block/sdq/sdq1/dev",
			 "8:17");
		if (rows[i].content)
			fake_put(rows[i].path, rows[i].content);
		else
			fake_directory(rows[i].path);
		for (int left = 0; left < 8; left++) {
			_cleanup_free_ struct sysfs_lun *list = NULL;
			_cleanup_(usage_freep) struct usage *usage = NULL;
			size_t n = 0;
			int r;

			leave_descriptors(left);
			r = usage_new(&fake, &usage);
			if (r >= 0)
				r = sysfs_lun_list(&fake, 12, 3, usage, &list, &n);
			leave_descriptors(-1);
			assert_true(r == -EMFILE || (r == 0 && n == 1 && list[0].use[0]));
			assert_true(r == 0 || left < 7);
		}
	}
}

static void read_file(const char *path, char *ret, size_t size);

/* Only what SCSI error handling left offline is touched. */
static void revives(void **state)
{
	static const char *const states[] = { "running", "offline", "transport-offline",
					      "blocked" };
	_cleanup_free_ struct sysfs_lun *list = NULL;
	char path[512], name[16], text[64];
	const char *directory;
	size_t n = 0;

	make_session();
	for (unsigned i = 0; i < ELEMENTSOF(states); i++) {
		(void)snprintf(name, sizeof(name), "3:0:0:%u", i);
		directory = fake_lun(12, 3, name, "0");
		(void)snprintf(name, sizeof(name), "sd%c", 'a' + (int)i);
		fake_block(directory, name, "8:16");
		(void)snprintf(path, sizeof(path), "%s/state", directory);
		fake_put(path, states[i]);
		(void)snprintf(path, sizeof(path), "%s/block/%s/queue/stable_writes", directory,
			       name);
		fake_put(path, "0");
	}
	assert_int_equal(sysfs_lun_revive(&fake, 99, 3, false, &list, &n), -ENOENT);
	assert_int_equal(sysfs_lun_revive(&fake, 12, 3, true, &list, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(list[0].block, "sdb");
	for (unsigned i = 0; i < ELEMENTSOF(states); i++) {
		(void)snprintf(path, sizeof(path),
			       "devices/platform/host3/session12/target3:0:0/3:0:0:%u/state", i);
		read_file(path, text, sizeof(text));
		assert_true(strncmp(text, i == 1 ? "running" : states[i],
				    strlen(i == 1 ? "running" : states[i])) == 0);
		(void)snprintf(path, sizeof(path),
			       "devices/platform/host3/session12/target3:0:0/3:0:0:%u/block/sd%c/"
			       "queue/stable_writes",
			       i, 'a' + (int)i);
		read_file(path, text, sizeof(text));
		assert_string_equal(text, "1\n");
	}
}

static void read_file(const char *path, char *ret, size_t size)
{
	char full[512];
	FILE *file;

	(void)snprintf(full, sizeof(full), "%s/%s", fake_root, path);
	file = fopen(full, "r");
	assert_non_null(file);
	ret[fread(ret, 1, size - 1, file)] = '\0';
	assert_int_equal(fclose(file), 0);
}

static void scans(void **state)
{
	static const struct {
		const char *target_id;
		bool one;
		uint64_t lun;
		const char *written;
	} rows[] = {
		{ "0", false, 0, "0 0 -" },
		{ "0", true, 5, "0 0 5" },
		{ "17", false, 0, "0 17 -" },
		{ "17", true, UINT64_MAX, "0 17 18446744073709551615" },
		{ "-1", false, 0, "- - -" },
		{ "4294967295", true, 0, "- - 0" },
	};

	assert_int_equal(sysfs_session_scan(&fake, 12, 3, NULL), -ENOENT);
	make_session();
	assert_int_equal(sysfs_session_scan(&fake, 12, 3, NULL), -ENOENT);
	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		char text[64];

		fake_session_put(12, 3, "target_id", rows[i].target_id);
		(void)unlink(fake_path("class/scsi_host/host3/scan"));
		assert_int_equal(close(creat(fake_path("class/scsi_host/host3/scan"), 0600)), 0);
		assert_int_equal(
			sysfs_session_scan(&fake, 12, 3, rows[i].one ? &rows[i].lun : NULL), 0);
		read_file("class/scsi_host/host3/scan", text, sizeof(text));
		assert_string_equal(text, rows[i].written);
	}
}

/* What the firmware of an adapter made is up though the kernel says that its connection is down. */
static void firmware_session(void **state)
{
	struct sysfs_session session;

	make_session();
	fake_put("class/scsi_host/host3/proc_name", "qla4xxx");
	fake_session_put(12, 3, "creator", "-1");
	fake_session_put(12, 3, "state", "LOGGED_IN");
	fake_put("class/iscsi_connection/connection12:0/state", "down");
	assert_int_equal(sysfs_session_identify(&fake, 12, &session), 0);
	assert_int_equal(session.connection_state, SYSFS_CONNECTION_UP);
	fake_session_put(12, 3, "state", "FAILED");
	assert_int_equal(sysfs_session_identify(&fake, 12, &session), 0);
	assert_int_equal(session.connection_state, SYSFS_CONNECTION_FAILED);
	fake_session_put(12, 3, "creator", "4711");
	assert_int_equal(sysfs_session_identify(&fake, 12, &session), 0);
	assert_int_equal(session.connection_state, SYSFS_CONNECTION_DOWN);
}

/* Of one that was asked for the connection is up before the login has ended; what the adapter has
 * chosen is told. */
static void adapter_session(void **state)
{
	struct sysfs_session session;

	make_session();
	fake_put("class/scsi_host/host3/proc_name", "qla4xxx");
	fake_put("class/iscsi_host/host3/initiatorname", "iqn.2000-04.com.qlogic:adapter");
	fake_session_put(12, 3, "initiatorname", "(null)");
	fake_session_put(12, 3, "isid", "400012345678");
	fake_session_put(12, 3, "tsid", "9");
	fake_session_put(12, 3, "targetalias", "disks");
	fake_session_put(12, 3, "creator", "4711");
	fake_put("class/iscsi_connection/connection12:0/state", "up");
	fake_session_put(12, 3, "state", "FREE");
	assert_int_equal(sysfs_session_identify(&fake, 12, &session), 0);
	assert_int_equal(session.connection_state, SYSFS_CONNECTION_BOUND);
	fake_session_put(12, 3, "state", "FAILED");
	assert_int_equal(sysfs_session_identify(&fake, 12, &session), 0);
	assert_int_equal(session.connection_state, SYSFS_CONNECTION_BOUND);
	fake_session_put(12, 3, "state", "LOGGED_IN");
	assert_int_equal(sysfs_session_read(&fake, 12, &session), 0);
	assert_int_equal(session.connection_state, SYSFS_CONNECTION_UP);
	assert_string_equal(session.initiator_name, "iqn.2000-04.com.qlogic:adapter");
	assert_string_equal(session.isid, "400012345678");
	assert_string_equal(session.target_alias, "disks");
	assert_int_equal(session.tsih, 9);
}

static void put_host(const char *host, const char *class, const char *name, const char *content)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "class/%s/%s/%s", class, host, name);
	fake_put(path, content);
}

static void hosts(void **state)
{
	_cleanup_free_ uint32_t *numbers = NULL;
	struct sysfs_host host;
	uint32_t number = 77;
	size_t n;

	assert_int_equal(sysfs_host_list(&fake, &numbers, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(sysfs_host_resolve(&fake, "0", &number), -ENODEV);
	put_host("host0", "scsi_host", "proc_name", "qla4xxx");
	put_host("host0", "scsi_host", "can_queue", "64");
	put_host("host0", "iscsi_host", "hwaddress", "00:c0:dd:01:02:03");
	put_host("host0", "iscsi_host", "ipaddress", "2001:0db8:0000:0000:0000:0000:0000:0001");
	put_host("host0", "iscsi_host", "initiatorname", "iqn.2000-04.com.example:x");
	put_host("host0", "iscsi_host", "port_state", "LINK UP");
	put_host("host0", "iscsi_host", "port_speed", "10 Gbps");
	/* As qedi has it. */
	put_host("host12", "scsi_host", "proc_name", "qedi");
	put_host("host12", "iscsi_host", "netdev", "host12");
	put_host("host12", "iscsi_host", "hwaddress", "(null)");
	/* Of a driver that nobody knows. */
	put_host("host2", "scsi_host", "proc_name", "<NULL>");
	put_host("host2", "iscsi_host", "hwaddress", "00:C0:DD:01:02:03");
	/* No host of iSCSI. */
	put_host("host3", "scsi_host", "proc_name", "ahci");

	free(TAKE_PTR(numbers));
	assert_int_equal(sysfs_host_list(&fake, &numbers, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(numbers[0], 0);
	assert_int_equal(numbers[1], 2);
	assert_int_equal(numbers[2], 12);

	assert_int_equal(sysfs_host_read(&fake, 0, &host), 0);
	assert_int_equal(host.host, 0);
	assert_string_equal(host.transport, "qla4xxx");
	assert_string_equal(host.proc_name, "qla4xxx");
	assert_string_equal(host.hardware_address, "00:c0:dd:01:02:03");
	assert_string_equal(host.address, "2001:db8::1");
	assert_string_equal(host.initiator_name, "iqn.2000-04.com.example:x");
	assert_string_equal(host.port_state, "LINK UP");
	assert_string_equal(host.port_speed, "10 Gbps");
	assert_string_equal(host.net_device, "");
	assert_int_equal(host.can_queue, 64);
	assert_int_equal(sysfs_host_read(&fake, 12, &host), 0);
	assert_string_equal(host.net_device, "");
	assert_string_equal(host.hardware_address, "");
	assert_int_equal(sysfs_host_read(&fake, 2, &host), 0);
	assert_string_equal(host.transport, "");
	assert_int_equal(sysfs_host_read(&fake, 3, &host), -ENODEV);

	assert_int_equal(sysfs_host_resolve(&fake, "12", &number), 0);
	assert_int_equal(number, 12);
	assert_int_equal(sysfs_host_resolve(&fake, "3", &number), -ENODEV);
	assert_int_equal(sysfs_host_resolve(&fake, "", &number), -ENODEV);
	assert_int_equal(sysfs_host_resolve(&fake, "00:c0:dd:01:02:04", &number), -ENODEV);
	assert_int_equal(sysfs_host_resolve(&fake, "00:c0:dd:01:02:03", &number), -ENOTUNIQ);
	fake_delete("class/iscsi_host/host2");
	assert_int_equal(sysfs_host_resolve(&fake, "00:C0:dd:01:02:03", &number), 0);
	assert_int_equal(number, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(transports, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lists_of_sessions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(session, set_up, tear_down),
		cmocka_unit_test_setup_teardown(session_with_little, set_up, tear_down),
		cmocka_unit_test_setup_teardown(session_that_is_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(states, set_up, tear_down),
		cmocka_unit_test_setup_teardown(addresses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(texts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(luns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lun_counters, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_luns, set_up, tear_down),
		cmocka_unit_test(disks),
		cmocka_unit_test_setup_teardown(usage, set_up, tear_down),
		cmocka_unit_test_setup_teardown(usage_by_mapper, set_up, tear_down),
		cmocka_unit_test_setup_teardown(usage_that_cannot_be_seen, set_up, tear_down),
		cmocka_unit_test_setup_teardown(revives, set_up, tear_down),
		cmocka_unit_test_setup_teardown(scans, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hosts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(firmware_session, set_up, tear_down),
		cmocka_unit_test_setup_teardown(adapter_session, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
