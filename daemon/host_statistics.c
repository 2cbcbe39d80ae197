/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_statistics.h"
#include "json.h"
#include "manager.h"
#include "method_common.h"
#include "sysfs_private.h"

void counters_add(struct counters *sum, const struct session *session,
		  const struct kernel_statistics *statistics)
{
	if (statistics->error < 0)
		return;
	sum->known = true;
	sum->all = session->transport && session->transport->kind == TRANSPORT_ADAPTER;
	sum->transmitted_bytes += statistics->transmitted_bytes;
	sum->received_bytes += statistics->received_bytes;
	for (size_t i = 0; i < _KERNEL_COUNTER_MAX; i++)
		sum->counters[i] += statistics->counters[i];
}

static struct host_sum *find_row(struct host_sums *sums, const struct session *session)
{
	struct host_sum *rows;

	for (size_t i = sums->n; i > 0; i--)
		if (sums->rows[i - 1].host == session->host)
			return &sums->rows[i - 1];
	rows = reallocarray(sums->rows, sums->n + 1, sizeof(*rows));
	if (!rows)
		return NULL;
	sums->rows = rows;
	rows[sums->n] = (struct host_sum){
		.host = session->host,
		.units = { -1, -1, -1, -1 },
	};
	(void)snprintf(rows[sums->n].transport, sizeof(rows[sums->n].transport), "%s",
		       session_transport_name(session));
	return &rows[sums->n++];
}

static void add_known(int64_t *sum, int64_t value)
{
	if (value >= 0)
		*sum = (*sum < 0 ? 0 : *sum) + value;
}

static void add_units(struct host_sum *sum, const struct session *session)
{
	for (size_t i = 0; i < session->n_luns; i++) {
		struct sysfs_lun_counters found;

		sysfs_lun_read_counters(&session->manager->sysfs, &session->luns[i], &found);
		add_known(&sum->units.requests, found.requests);
		add_known(&sum->units.completed, found.completed);
		add_known(&sum->units.errors, found.errors);
		add_known(&sum->units.timeouts, found.timeouts);
	}
	sum->logical_units += session->n_luns;
}

int host_sums_add(struct host_sums *sums, const struct session *session,
		  const struct kernel_statistics *statistics)
{
	struct host_sum *sum = find_row(sums, session);

	if (!sum)
		return -ENOMEM;
	counters_add(&sum->counters, session, statistics);
	sum->sessions++;
	sum->logged_in += session->state == SESSION_STATE_LOGGED_IN;
	sum->reconnects += session->reconnects;
	add_units(sum, session);
	return 0;
}

void host_sums_done(struct host_sums *sums)
{
	free(sums->rows);
}

/* What the kernel shows of a host. */
static const struct {
	const char *class, *attribute, *name;
	bool number;
} facts[] = {
	{ "scsi_host", "proc_name", "procName", false },
	{ "scsi_host", "can_queue", "commandsMax", true },
	{ "scsi_host", "host_busy", "commandsNow", true },
	{ "iscsi_host", "netdev", "netDevice", false },
	{ "iscsi_host", "ipaddress", "localAddress", false },
	{ "iscsi_host", "hwaddress", "hardwareAddress", false },
};

static int set_fact(json_object *object, const struct sysfs *sysfs, uint32_t host, size_t fact)
{
	_cleanup_close_ int fd = sysfs_open(sysfs, O_RDONLY | O_DIRECTORY, "class/%s/host%" PRIu32,
					    facts[fact].class, host);
	char text[128];
	int64_t number;

	if (fd < 0)
		return 0;
	if (facts[fact].number) {
		number = sysfs_read_number(fd, facts[fact].attribute);
		return number < 0 ? 0 : json_set_int(object, facts[fact].name, number);
	}
	/* The kernel prints a string it does not have in its own way. */
	if (sysfs_read_string(fd, facts[fact].attribute, text, sizeof(text)) < 0 || !text[0] ||
	    strcmp(text, "<NULL>") == 0 || strcmp(text, "(null)") == 0)
		return 0;
	return json_set_string(object, facts[fact].name, text);
}

static int set_known(json_object *object, const char *name, int64_t value)
{
	return value >= 0 ? json_set_int(object, name, value) : 0;
}

json_object *host_sum_to_json(const struct sysfs *sysfs, const struct host_sum *sum)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	int r;

	if (!object)
		return NULL;
	r = json_set_int(object, "hostNumber", sum->host);
	r |= json_set_string(object, "transport", sum->transport);
	for (size_t i = 0; i < ELEMENTSOF(facts); i++)
		r |= set_fact(object, sysfs, sum->host, i);
	r |= json_set_int(object, "sessions", (int64_t)sum->sessions);
	r |= json_set_int(object, "loggedIn", (int64_t)sum->logged_in);
	r |= counters_to_json(object, &sum->counters);
	r |= json_set_int(object, "reconnects", (int64_t)sum->reconnects);
	r |= json_set_int(object, "logicalUnits", (int64_t)sum->logical_units);
	r |= set_known(object, "requests", sum->units.requests);
	r |= set_known(object, "completed", sum->units.completed);
	r |= set_known(object, "errors", sum->units.errors);
	r |= set_known(object, "timeouts", sum->units.timeouts);
	return r < 0 ? NULL : TAKE_PTR(object);
}
