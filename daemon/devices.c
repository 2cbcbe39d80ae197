/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A scan has three steps: a worker writes to the host's scan file, which returns when the SCSI
 * devices exist; the kernel binds drivers to them in its own time, and says so in an event each; a
 * worker lists what is there. Scans may hang as long as a target does, so lists have a thread of
 * their own. We listen to events all the time: a filter lets none pass that does not concern us,
 * and a socket that hears uevents takes the kernel milliseconds to close, with everybody else
 * waiting.
 */
#include <limits.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "devices.h"
#include "module.h"
#include "parse.h"
#include "renew.h"
#include "uevent.h"
#include "work.h"

#define BUCKETS 256

struct devices {
	sd_event *event;
	const struct sysfs *sysfs;
	struct work *scan_work;
	struct work *list_work;
	struct uevent *uevent;
	devices_attention_t attention;
	void *userdata;
	bool disk_driver_loaded; /* or at least tried */
	bool closing;
	/* The list thread's: who uses block devices, and when that was read */
	struct usage *usage;
	uint64_t usage_usec;
	struct devices_scan *buckets[BUCKETS]; /* by session number */
};

struct devices_scan {
	struct devices *devices;
	struct devices_scan *next, **previous; /* in the bucket */
	uint32_t sid, host;
	uint64_t lun;
	bool list_only, all_luns, renew, in_use, stable, load_disk_driver;
	uint64_t timeout_usec;
	uint64_t asked_usec;
	sd_event_source *timer;
	devices_done_t done;
	void *userdata;

	bool running; /* a worker has it: it must not be freed now */
	bool scanned; /* the scan file has been written */
	bool expired;
	unsigned n_bound; /* events since the worker began to look */

	_Atomic bool forgotten; /* to be freed when the worker gives it back */
	/* The worker's while it runs */
	_Atomic uint64_t started_usec;
	struct sysfs_lun *luns, *kept;
	size_t n_luns, n_kept;
	unsigned n_unbound;
};

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* In worker threads */

/* What was read after a list was asked for is good enough for it: many logouts at once read it
 * once. */
static int refresh_usage(struct devices *devices, uint64_t asked_usec)
{
	uint64_t now = now_usec();
	struct usage *usage;
	int r;

	if (devices->usage && devices->usage_usec > asked_usec)
		return 0;
	r = usage_new(devices->sysfs, &usage);
	if (r < 0)
		return r;
	(void)usage_free(devices->usage);
	devices->usage = usage;
	devices->usage_usec = now;
	return 0;
}

/* Those that are gone at the target, but in use. */
static void mark_kept(struct devices_scan *scan)
{
	for (size_t i = 0; i < scan->n_luns; i++)
		for (size_t k = 0; k < scan->n_kept; k++)
			if (scan->luns[i].lun == scan->kept[k].lun &&
			    scan->luns[i].channel == scan->kept[k].channel &&
			    scan->luns[i].target == scan->kept[k].target)
				scan->luns[i].gone = true;
}

static int list_luns(struct devices_scan *scan)
{
	const struct sysfs *sysfs = scan->devices->sysfs;
	int r;

	free(TAKE_PTR(scan->luns));
	scan->n_luns = 0;
	scan->n_unbound = 0;
	r = scan->in_use ? refresh_usage(scan->devices, scan->asked_usec) : 0;
	if (r < 0)
		return r;
	r = sysfs_lun_list(sysfs, scan->sid, scan->host, scan->in_use ? scan->devices->usage : NULL,
			   &scan->luns, &scan->n_luns);
	if (r < 0)
		return r;
	mark_kept(scan);
	for (size_t i = 0; i < scan->n_luns; i++)
		if (sysfs_lun_is_disk(&scan->luns[i]) && !scan->luns[i].bound)
			scan->n_unbound++;
	return 0;
}

static int run_list(void *argument)
{
	return list_luns(argument);
}

static int run_revive(void *argument)
{
	struct devices_scan *scan = argument;

	if (atomic_load(&scan->forgotten))
		return -ECANCELED;
	return sysfs_lun_revive(scan->devices->sysfs, scan->sid, scan->host, scan->stable,
				&scan->luns, &scan->n_luns);
}

/* udev loads the driver when it sees a disk; in an initial RAM disk there may be no udev. */
static void load_disk_driver(const struct sysfs *sysfs)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/module/sd_mod", sysfs->root);
	if (access(path, F_OK) < 0)
		(void)module_load("sd_mod");
}

static int run_scan(void *argument)
{
	struct devices_scan *scan = argument;
	const struct sysfs *sysfs = scan->devices->sysfs;
	const uint64_t *lun = scan->all_luns ? NULL : &scan->lun;
	int r = 0;

	if (atomic_load(&scan->forgotten))
		return -ECANCELED;
	atomic_store(&scan->started_usec, now_usec());
	if (scan->load_disk_driver)
		load_disk_driver(sysfs);
	if (scan->renew)
		r = renew_units(sysfs, scan->sid, scan->host, lun, &scan->kept, &scan->n_kept);
	if (r >= 0)
		r = sysfs_session_scan(sysfs, scan->sid, scan->host, lun);
	return r < 0 ? r : list_luns(scan);
}

/* In the loop */

static struct devices_scan *scan_free(struct devices_scan *scan)
{
	if (!scan)
		return NULL;
	sd_event_source_disable_unref(scan->timer);
	free(scan->kept);
	free(scan->luns);
	free(scan);
	return NULL;
}

DEFINE_CLEANUP(struct devices_scan *, scan_free);

static void link_scan(struct devices *devices, struct devices_scan *scan)
{
	struct devices_scan **bucket = &devices->buckets[scan->sid % BUCKETS];

	scan->next = *bucket;
	if (scan->next)
		scan->next->previous = &scan->next;
	scan->previous = bucket;
	*bucket = scan;
}

static void unlink_scan(struct devices_scan *scan)
{
	*scan->previous = scan->next;
	if (scan->next)
		scan->next->previous = scan->previous;
}

/* Frees the scan, at once or as soon as no worker has it. */
static void forget(struct devices_scan *scan)
{
	unlink_scan(scan);
	scan->timer = sd_event_source_disable_unref(scan->timer);
	atomic_store(&scan->forgotten, true);
	if (!scan->running)
		scan_free(scan);
}

static void finish(struct devices_scan *scan, int error)
{
	struct devices_result result = { .error = error };
	devices_done_t done = scan->done;
	void *userdata = scan->userdata;
	_cleanup_free_ struct sysfs_lun *luns = NULL;

	if (!scan->running && (error == 0 || error == -ETIMEDOUT)) {
		result.n_luns = scan->n_luns;
		luns = TAKE_PTR(scan->luns);
		result.luns = luns;
	}
	forget(scan);
	done(userdata, &result);
}

static void on_worker_done(void *argument, int result);

static int start_list(struct devices_scan *scan)
{
	int r;

	if (scan->devices->closing)
		return -ECANCELED;
	r = work_submit(scan->devices->list_work, run_list, on_worker_done, scan);
	if (r < 0)
		return r;
	scan->n_bound = 0;
	scan->running = true;
	return 0;
}

static void on_worker_done(void *argument, int result)
{
	struct devices_scan *scan = argument;
	int r;

	scan->running = false;
	scan->scanned = true;
	if (atomic_load(&scan->forgotten)) {
		scan_free(scan);
		return;
	}
	if (result < 0 || scan->list_only || scan->n_unbound == 0) {
		finish(scan, result < 0 ? result : 0);
		return;
	}
	if (scan->expired) {
		finish(scan, -ETIMEDOUT);
		return;
	}
	/*
	 * Each device that had no driver sends an event after we looked. Some of those counted may
	 * be from before that; then the next look comes too early, and another one follows.
	 */
	if (scan->n_bound < scan->n_unbound)
		return;
	r = start_list(scan);
	if (r < 0)
		finish(scan, r);
}

static int arm_timer(struct devices_scan *scan, uint64_t at_usec);

/* Time begins when a thread begins to scan, however long the scan waited for the thread. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct devices_scan *scan = userdata;
	uint64_t started = atomic_load(&scan->started_usec), now = now_usec();
	int r;

	if (started == 0)
		started = now;
	if (now - started < scan->timeout_usec) {
		r = arm_timer(scan, started + scan->timeout_usec);
		if (r < 0)
			finish(scan, r);
		return 0;
	}
	scan->expired = true;
	if (scan->running && scan->scanned)
		return 0; /* a list, which does not take long */
	r = scan->running ? -ETIMEDOUT : start_list(scan);
	if (r < 0)
		finish(scan, r);
	return 0;
}

static int arm_timer(struct devices_scan *scan, uint64_t at_usec)
{
	int r;

	if (!scan->timer) {
		r = sd_event_add_time(scan->devices->event, &scan->timer, CLOCK_MONOTONIC, at_usec,
				      100 * 1000, on_timer, scan);
		if (r >= 0)
			(void)sd_event_source_set_description(scan->timer, "scan");
		return r;
	}
	r = sd_event_source_set_time(scan->timer, at_usec);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(scan->timer, SD_EVENT_ONESHOT);
}

/* A list that cannot be started here is left to the timer, because done() must not be called from
 * here. */
static void look_again(struct devices_scan *scan)
{
	if (scan->running || scan->expired || scan->n_bound < scan->n_unbound)
		return;
	if (start_list(scan) < 0)
		scan->n_bound = 0;
}

/* "/devices/platform/host3/session1/target3:0:0/3:0:0:0" gives 1. */
static int path_to_session(const char *path, uint32_t *ret)
{
	const char *at = strstr(path, "/session");
	unsigned sid;
	char slash;

	if (!at || sscanf(at, "/session%u%c", &sid, &slash) != 2 || slash != '/')
		return -EINVAL;
	*ret = sid;
	return 0;
}

static void on_bound(void *userdata, const char *path)
{
	struct devices *devices = userdata;
	uint32_t sid;

	if (path_to_session(path, &sid) < 0)
		return;
	for (struct devices_scan *scan = devices->buckets[sid % BUCKETS]; scan; scan = scan->next) {
		if (scan->sid != sid || scan->list_only)
			continue;
		scan->n_bound++;
		look_again(scan);
	}
}

/* ".../3:0:0:7" gives 7. */
static int path_to_lun(const char *path, uint64_t *ret)
{
	const char *at = strrchr(path, ':');

	return at ? parse_u64(at + 1, 0, UINT64_MAX, ret) : -EINVAL;
}

static void on_attention(void *userdata, const char *path, const char *name)
{
	struct devices *devices = userdata;
	uint64_t lun;
	uint32_t sid;

	if (path_to_session(path, &sid) >= 0 && path_to_lun(path, &lun) >= 0)
		devices->attention(devices->userdata, sid, lun, name);
}

static void on_overrun(void *userdata)
{
	struct devices *devices = userdata;

	for (unsigned i = 0; i < BUCKETS; i++) {
		for (struct devices_scan *scan = devices->buckets[i]; scan; scan = scan->next) {
			if (scan->list_only)
				continue;
			/* More than any session has: enough for another look. */
			scan->n_bound = UINT32_MAX / 2;
			look_again(scan);
		}
	}
}

static const struct uevent_callbacks uevent_callbacks = {
	.bound = on_bound,
	.attention = on_attention,
	.overrun = on_overrun,
};

int devices_new(sd_event *event, const struct sysfs *sysfs, unsigned scan_threads,
		devices_attention_t attention, void *userdata, struct devices **ret)
{
	_cleanup_(devices_freep) struct devices *devices = calloc(1, sizeof(*devices));
	int r;

	if (!devices)
		return -ENOMEM;
	devices->event = sd_event_ref(event);
	devices->sysfs = sysfs;
	devices->attention = attention;
	devices->userdata = userdata;
	r = uevent_new(event, &uevent_callbacks, devices, &devices->uevent);
	if (r < 0)
		return r;
	r = work_new(event, "ois-scan", scan_threads, SD_EVENT_PRIORITY_NORMAL,
		     &devices->scan_work);
	if (r < 0)
		return r;
	r = work_new(event, "ois-list", 1, SD_EVENT_PRIORITY_NORMAL, &devices->list_work);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(devices);
	return 0;
}

struct devices *devices_free(struct devices *devices)
{
	if (!devices)
		return NULL;
	devices->closing = true;
	devices->list_work = work_free(devices->list_work);
	devices->scan_work = work_free(devices->scan_work);
	for (unsigned i = 0; i < BUCKETS; i++)
		while (devices->buckets[i])
			finish(devices->buckets[i], -ECANCELED);
	devices->usage = usage_free(devices->usage);
	devices->uevent = uevent_free(devices->uevent);
	sd_event_unref(devices->event);
	free(devices);
	return NULL;
}

static int scan_new(struct devices *devices, uint32_t sid, uint32_t host, devices_done_t done,
		    void *userdata, struct devices_scan **ret)
{
	struct devices_scan *scan = calloc(1, sizeof(*scan));

	if (!scan)
		return -ENOMEM;
	scan->devices = devices;
	scan->sid = sid;
	scan->host = host;
	scan->done = done;
	scan->userdata = userdata;
	*ret = scan;
	return 0;
}

static int start_scan(struct devices *devices, uint32_t sid, uint32_t host, const uint64_t *lun,
		      bool renew, uint64_t timeout_usec, devices_done_t done, void *userdata,
		      struct devices_scan **ret)
{
	_cleanup_(scan_freep) struct devices_scan *scan = NULL;
	int r;

	r = scan_new(devices, sid, host, done, userdata, &scan);
	if (r < 0)
		return r;
	scan->all_luns = !lun;
	scan->lun = lun ? *lun : 0;
	scan->renew = renew;
	scan->load_disk_driver = !devices->disk_driver_loaded;
	scan->timeout_usec = timeout_usec;
	r = arm_timer(scan, now_usec() + timeout_usec);
	if (r < 0)
		return r;
	scan->running = true;
	r = work_submit(devices->scan_work, run_scan, on_worker_done, scan);
	if (r < 0)
		return r;
	devices->disk_driver_loaded = true;
	link_scan(devices, scan);
	*ret = TAKE_PTR(scan);
	return 0;
}

int devices_scan(struct devices *devices, uint32_t sid, uint32_t host, const uint64_t *lun,
		 uint64_t timeout_usec, devices_done_t done, void *userdata,
		 struct devices_scan **ret)
{
	return start_scan(devices, sid, host, lun, false, timeout_usec, done, userdata, ret);
}

int devices_renew(struct devices *devices, uint32_t sid, uint32_t host, const uint64_t *lun,
		  uint64_t timeout_usec, devices_done_t done, void *userdata,
		  struct devices_scan **ret)
{
	return start_scan(devices, sid, host, lun, true, timeout_usec, done, userdata, ret);
}

struct devices_scan *devices_scan_cancel(struct devices_scan *scan)
{
	if (scan)
		forget(scan);
	return NULL;
}

int devices_list(struct devices *devices, uint32_t sid, uint32_t host, bool in_use,
		 devices_done_t done, void *userdata, struct devices_scan **ret)
{
	_cleanup_(scan_freep) struct devices_scan *scan = NULL;
	int r;

	r = scan_new(devices, sid, host, done, userdata, &scan);
	if (r < 0)
		return r;
	scan->list_only = true;
	scan->in_use = in_use;
	scan->asked_usec = now_usec();
	r = start_list(scan);
	if (r < 0)
		return r;
	link_scan(devices, scan);
	*ret = TAKE_PTR(scan);
	return 0;
}

int devices_revive(struct devices *devices, uint32_t sid, uint32_t host, bool stable,
		   devices_done_t done, void *userdata, struct devices_scan **ret)
{
	_cleanup_(scan_freep) struct devices_scan *scan = NULL;
	int r;

	r = scan_new(devices, sid, host, done, userdata, &scan);
	if (r < 0)
		return r;
	scan->list_only = true;
	scan->stable = stable;
	/* The kernel looks at a disk that is set running, and waits for it. */
	r = work_submit(devices->scan_work, run_revive, on_worker_done, scan);
	if (r < 0)
		return r;
	scan->running = true;
	link_scan(devices, scan);
	*ret = TAKE_PTR(scan);
	return 0;
}
