/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel shows of iSCSI in sysfs. All readers take the root of the tree from struct sysfs,
 * so that tests can stand in; a thing that disappears while it is read is -ENOENT.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct sysfs {
	const char *root; /* "/sys" */
	const char *proc; /* "/proc" */
};

/* /sys/class/iscsi_transport/NAME. Errors: -ENOENT (module not loaded), -EACCES. */
int sysfs_transport_read(const struct sysfs *sysfs, const char *name, uint64_t *ret_handle,
			 uint32_t *ret_capabilities);
typedef int (*sysfs_name_t)(void *userdata, const char *name);
/* Calls back for each transport that is loaded, until that fails. Errors: those of found(). */
int sysfs_transport_list(const struct sysfs *sysfs, sysfs_name_t found, void *userdata);

enum sysfs_connection_state {
	SYSFS_CONNECTION_UP,
	SYSFS_CONNECTION_DOWN,
	SYSFS_CONNECTION_FAILED,
	SYSFS_CONNECTION_BOUND,
	SYSFS_CONNECTION_UNKNOWN,
};

enum sysfs_session_state {
	SYSFS_SESSION_LOGGED_IN,
	SYSFS_SESSION_FAILED,
	SYSFS_SESSION_FREE,
	SYSFS_SESSION_UNKNOWN,
};

/* How far the kernel is with a session's devices; older kernels do not tell. */
enum sysfs_target_state {
	SYSFS_TARGET_UNBOUND,   /* they are removed, for good */
	SYSFS_TARGET_ALLOCATED, /* never scanned */
	SYSFS_TARGET_SCANNED,
	SYSFS_TARGET_UNBINDING, /* being removed */
	SYSFS_TARGET_UNKNOWN,
};

/* Strings are empty where the kernel shows none, numbers -1 (also a recovery timeout of "off"). */
struct sysfs_session {
	uint32_t sid, host;
	bool has_connection;
	enum sysfs_session_state state;
	enum sysfs_connection_state connection_state;
	enum sysfs_target_state target_state;
	char transport[32];
	char target_name[224];
	char initiator_name[224];
	char interface[64];
	/* With adapters that log in by themselves only */
	char target_alias[256];
	char isid[16]; /* twelve hex digits */
	int64_t tsih;
	int64_t portal_group_tag;
	int64_t creator;
	char address[64], persistent_address[256];
	int64_t port, persistent_port, local_port;
	char local_address[64];
	int64_t header_digest, data_digest, max_recv_data_segment_length,
		max_xmit_data_segment_length;
	int64_t initial_r2t, immediate_data, max_burst_length, first_burst_length,
		max_outstanding_r2t;
	int64_t data_pdu_in_order, data_sequence_in_order, error_recovery_level;
	int64_t recovery_timeout, abort_timeout, lu_reset_timeout, target_reset_timeout;
	int64_t noop_interval, noop_timeout;
	int64_t can_queue;
};

/* A SCSI host that is a port of an adapter; strings are empty where the kernel shows none. */
struct sysfs_port {
	uint32_t number;
	char proc_name[32];
	char hardware_address[32];
	char net_device[16];
};

/* The caller frees *@ret. No class at all is an empty list. Errors: -ENOMEM. */
int sysfs_port_list(const struct sysfs *sysfs, struct sysfs_port **ret, size_t *ret_n);

/*
 * The port with this proc_name and, unless that is NULL, this hardware address. Errors: -ENODEV
 * (none), -ENOTUNIQ (several), -ENOMEM.
 */
int sysfs_host_find(const struct sysfs *sysfs, const char *proc_name, const char *hardware_address,
		    uint32_t *ret);

/* Strings are empty where the kernel shows none, numbers -1. */
struct sysfs_host {
	uint32_t host;
	char transport[32]; /* or what the SCSI layer calls the driver, if it is not known */
	char proc_name[32];
	char net_device[32];
	char hardware_address[64];
	char address[64];
	char initiator_name[224];
	char port_state[24], port_speed[24]; /* as the kernel prints them */
	int64_t can_queue;
};

/*
 * Numbers of the iSCSI hosts present, ascending; the caller frees *@ret. Errors: -ENOMEM.
 */
int sysfs_host_list(const struct sysfs *sysfs, uint32_t **ret, size_t *ret_n);
/* Some of it is asked of the adapter, which may take its time: worker threads only. */
int sysfs_host_read(const struct sysfs *sysfs, uint32_t host, struct sysfs_host *ret);
/*
 * The number of the host that a person means by a number or a hardware address. Worker threads
 * only. Errors: -ENODEV (none), -ENOTUNIQ (several), -ENOMEM.
 */
int sysfs_host_resolve(const struct sysfs *sysfs, const char *which, uint32_t *ret);

/*
 * Session numbers present now, ascending; the caller frees *@ret. No class at all is an empty list.
 * Errors: -ENOMEM.
 */
int sysfs_session_list(const struct sysfs *sysfs, uint32_t **ret, size_t *ret_n);
int sysfs_session_read(const struct sysfs *sysfs, uint32_t sid, struct sysfs_session *ret);
/*
 * The same in two parts: who a session is and what state it is in, and, a hundred system calls, all
 * else, which is unset after the first.
 */
int sysfs_session_identify(const struct sysfs *sysfs, uint32_t sid, struct sysfs_session *ret);
void sysfs_session_complete(const struct sysfs *sysfs, struct sysfs_session *session);
/* Only the two states; cheap. */
int sysfs_session_read_state(const struct sysfs *sysfs, uint32_t sid, enum sysfs_session_state *ret,
			     enum sysfs_connection_state *ret_connection);
enum sysfs_target_state sysfs_session_read_target_state(const struct sysfs *sysfs, uint32_t sid);

struct sysfs_lun {
	uint32_t host, channel, target;
	uint64_t lun;
	int type;         /* SCSI peripheral device type */
	bool bound;       /* a driver is attached; of a disk: it has a block device */
	char state[24];   /* "running" */
	char block[32];   /* "sda"; empty: none */
	char generic[32]; /* "sg0" */
	char vendor[16], model[24];
	char wwid[256];     /* of page 0x83, as the kernel prints it */
	int64_t size_bytes; /* -1: unknown */
	int64_t queue_depth;
	char use[128]; /* "sda1 is mounted on /data"; only where asked for, empty: not in use */
	bool gone;     /* at the target; only where asked for */
};

/* The number of a logical unit as people know it: decimal, or hex with 0x. Errors: -EINVAL,
 * -ERANGE. */
int lun_parse(const char *text, uint64_t *ret);
#define LUN_TEXT_MAX 24
void lun_format(uint64_t lun, char *ret, size_t size);

#define SYSFS_LUN_NAME_MAX 64
/* "0:0:0:1" */
void sysfs_lun_address(const struct sysfs_lun *lun, char ret[SYSFS_LUN_NAME_MAX]);
/* "sda", or the address of what has no block device. */
void sysfs_lun_name(const struct sysfs_lun *lun, char ret[SYSFS_LUN_NAME_MAX]);

/*
 * Block devices that are mounted or swapped to, and where, as they were at the time of the call.
 * Errors: -ENOMEM, those of reading. Worker threads only.
 */
struct usage;
int usage_new(const struct sysfs *sysfs, struct usage **ret);
struct usage *usage_free(struct usage *usage);
DEFINE_CLEANUP(struct usage *, usage_free);

/*
 * Devices of a session in the order of their LUNs; the caller frees *@ret. With @usage (may be
 * NULL) .use names the first who uses the disk or a partition of it. Some twenty system calls per
 * device: worker threads only. Errors: -ENOENT (no such session).
 */
int sysfs_lun_list(const struct sysfs *sysfs, uint32_t sid, uint32_t host,
		   const struct usage *usage, struct sysfs_lun **ret, size_t *ret_n);
/*
 * The same right after a scan. As a rule the kernel is not at their drivers yet, and who lists them
 * will do so again: from the first disk without a driver on, only .type, .block and what names the
 * device is told. Worker threads only.
 */
int sysfs_lun_list_new(const struct sysfs *sysfs, uint32_t sid, uint32_t host,
		       struct sysfs_lun **ret, size_t *ret_n);
/* True if this is a device the sd driver will make a disk of. */
bool sysfs_lun_is_disk(const struct sysfs_lun *lun);
/*
 * Sets devices of a session running that SCSI error handling left offline; *@ret lists them, the
 * caller frees it. With @stable, pages that are being written to a disk do not change from now on.
 * May block like a scan: the scanner only. Errors: -ENOENT (no such session), -ENOMEM.
 */
int sysfs_lun_revive(const struct sysfs *sysfs, uint32_t sid, uint32_t host, bool stable,
		     struct sysfs_lun **ret, size_t *ret_n);

/*
 * Scans a session for all LUNs, or for one unless @lun is NULL; returns when probing has ended.
 * Does nothing if the session is not logged in. Blocks, for minutes if the target does not answer,
 * and for ever without a connection: the scanner only.
 */
int sysfs_session_scan(const struct sysfs *sysfs, uint32_t sid, uint32_t host, const uint64_t *lun);

/*
 * Makes the kernel do to a device what the name of the attribute says: "delete", or "rescan", which
 * reads its size. Blocks as long as the target does not answer: the scanner only.
 */
int sysfs_lun_order(const struct sysfs *sysfs, const struct sysfs_lun *lun, const char *attribute);

/* Commands of a device since the kernel has it; -1: not shown. */
struct sysfs_lun_counters {
	int64_t requests, completed, errors, timeouts;
};

/* Some fourteen system calls, none of which waits. A device that is gone has no counters. */
void sysfs_lun_read_counters(const struct sysfs *sysfs, const struct sysfs_lun *lun,
			     struct sysfs_lun_counters *ret);
