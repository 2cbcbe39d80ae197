/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counters of SCSI hosts: the sums over their sessions, and what sysfs shows of a host. A session
 * of tcp has a host of its own; an adapter has all its sessions on one.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel.h"
#include "session.h"

/* As the kernel counts, of one connection or of many together. */
struct counters {
	bool known; /* else there are none */
	bool all;   /* the transport counts all of them, else those that all count */
	uint64_t transmitted_bytes, received_bytes;
	uint64_t counters[_KERNEL_COUNTER_MAX];
};

void counters_add(struct counters *sum, const struct session *session,
		  const struct kernel_statistics *statistics);
/* method_statistics.c */
int counters_to_json(json_object *object, const struct counters *counters);

struct host_sum {
	uint32_t host;
	char transport[32]; /* of the session seen first */
	struct counters counters;
	uint64_t sessions, logged_in, reconnects, logical_units;
	struct sysfs_lun_counters units; /* -1: not known of any */
};

struct host_sums {
	struct host_sum *rows;
	size_t n;
};

/* Errors: -ENOMEM. */
int host_sums_add(struct host_sums *sums, const struct session *session,
		  const struct kernel_statistics *statistics);
void host_sums_done(struct host_sums *sums);
/* A HostStatistics of org.ois.session. */
json_object *host_sum_to_json(const struct sysfs *sysfs, const struct host_sum *sum);
