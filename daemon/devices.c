/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A scan has three steps: the scanner writes to the host's scan file, which returns when the SCSI
 * devices exist; the kernel binds drivers to them in its own time, and says so in an event each; a
 * worker lists what is there, which takes no command to the target and never waits. We listen to
 * events all the time: a filter lets none pass that does not concern us, and a socket that hears
 * uevents takes the kernel milliseconds to close, with everybody else waiting.
 */
#include <stdatomic.h>
#include <string.h>

#include "devices.h"
#include "parse.h"
#include "poller.h"
#include "turn.h"
#include "uevent.h"
#include "work.h"

#define BUCKETS 256

struct devices {
	sd_event *event;
	const struct sysfs *sysfs;
	struct scanner *scanner;
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
	bool list_only, in_use;
	uint64_t timeout_usec;
	uint64_t asked_usec;
	sd_event_source *timer;
	devices_done_t done;
	void *userdata;

	struct scanner_job *job; /* the scanner has it */
	bool running;            /* the list thread has it: it must not be freed now */
	bool expired;
	unsigned n_bound;       /* events since somebody began to look */
	struct sysfs_lun *told; /* by the scanner */
	size_t n_told;

	_Atomic bool forgotten; /* to be freed when the list thread gives it back */
	/* The list thread's while it runs */
	struct sysfs_lun *luns;
	size_t n_luns;
	unsigned n_unbound;
};

/* In the list thread */

/* What was read after a list was asked for is good enough for it: many logouts at once read it
 * once. */
static int refresh_usage(struct devices *devices, uint64_t asked_usec)
{
	uint64_t now = turn_usec(CLOCK_MONOTONIC);
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
		for (size_t k = 0; k < scan->n_told; k++)
			if (scan->luns[i].lun == scan->told[k].lun &&
			    scan->luns[i].channel == scan->told[k].channel &&
			    scan->luns[i].target == scan->told[k].target)
				scan->luns[i].gone = true;
}

static void count_unbound(struct devices_scan *scan)
{
	scan->n_unbound = 0;
	for (size_t i = 0; i < scan->n_luns; i++)
		if (sysfs_lun_is_disk(&scan->luns[i]) && !scan->luns[i].bound)
			scan->n_unbound++;
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
	count_unbound(scan);
	return 0;
}

static int run_list(void *argument)
{
	return list_luns(argument);
}

/* In the loop */

static struct devices_scan *scan_free(struct devices_scan *scan)
{
	if (!scan)
		return NULL;
	sd_event_source_disable_unref(scan->timer);
	free(scan->told);
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

/* Frees the scan, at once or as soon as the list thread gives it back. */
static void forget(struct devices_scan *scan)
{
	unlink_scan(scan);
	scan->job = scanner_cancel(scan->job);
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

static void listed(void *argument, int result);

static int start_list(struct devices_scan *scan)
{
	int r;

	if (scan->devices->closing)
		return -ECANCELED;
	r = work_submit(scan->devices->list_work, run_list, listed, scan);
	if (r < 0)
		return r;
	scan->n_bound = 0;
	scan->running = true;
	return 0;
}

/*
 * Each device that had no driver sends an event after somebody looked. Some of those counted may be
 * from before that; then the next look comes too early, and another one follows.
 */
static bool is_waiting(const struct devices_scan *scan)
{
	return scan->n_unbound > 0 && scan->n_bound < scan->n_unbound;
}

static void look(struct devices_scan *scan)
{
	int r = start_list(scan);

	if (r < 0)
		finish(scan, r);
}

static void listed(void *argument, int result)
{
	struct devices_scan *scan = argument;

	scan->running = false;
	if (atomic_load(&scan->forgotten))
		scan_free(scan);
	else if (result < 0 || scan->list_only || scan->n_unbound == 0)
		finish(scan, result < 0 ? result : 0);
	else if (scan->expired)
		finish(scan, -ETIMEDOUT);
	else if (!is_waiting(scan))
		look(scan);
}

/* True with the last of the devices that the scanner tells of. */
static bool take_answer(struct devices_scan *scan, const struct scanner_answer *answer,
			const void *payload, size_t length)
{
	size_t n = length / sizeof(struct sysfs_lun);
	struct sysfs_lun *larger;

	if (answer->last)
		scan->job = NULL;
	if (answer->error < 0) {
		finish(scan, answer->error);
		return false;
	}
	if (n > 0) {
		larger = reallocarray(scan->told, scan->n_told + n, sizeof(*scan->told));
		if (!larger) {
			finish(scan, -ENOMEM);
			return false;
		}
		memcpy(larger + scan->n_told, payload, n * sizeof(*larger));
		scan->told = larger;
		scan->n_told += n;
	}
	return answer->last;
}

static void take_luns(struct devices_scan *scan)
{
	scan->luns = TAKE_PTR(scan->told);
	scan->n_luns = scan->n_told;
	scan->n_told = 0;
}

static void scanned(void *userdata, const struct scanner_answer *answer, const void *payload,
		    size_t length)
{
	struct devices_scan *scan = userdata;

	if (!take_answer(scan, answer, payload, length))
		return;
	take_luns(scan);
	count_unbound(scan);
	if (scan->n_unbound == 0)
		finish(scan, 0);
	else if (!is_waiting(scan))
		look(scan);
}

static void renewed(void *userdata, const struct scanner_answer *answer, const void *payload,
		    size_t length)
{
	if (take_answer(userdata, answer, payload, length))
		look(userdata);
}

static void revived(void *userdata, const struct scanner_answer *answer, const void *payload,
		    size_t length)
{
	struct devices_scan *scan = userdata;

	if (!take_answer(scan, answer, payload, length))
		return;
	take_luns(scan);
	finish(scan, 0);
}

static int arm_timer(struct devices_scan *scan, uint64_t at_usec);

/* Time begins when the scanner begins, however long the scan waited in line. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct devices_scan *scan = userdata;
	uint64_t now = turn_usec(CLOCK_MONOTONIC),
		 began = scan->job ? scanner_job_began(scan->job) : 0;
	int r;

	if (scan->job && began == 0)
		began = now;
	if (scan->job && now - began < scan->timeout_usec) {
		r = arm_timer(scan, began + scan->timeout_usec);
		if (r < 0)
			finish(scan, r);
		return 0;
	}
	scan->expired = true;
	if (scan->job)
		finish(scan, -ETIMEDOUT);
	else if (!scan->running) /* a list does not take long */
		look(scan);
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
	if (scan->job || scan->running || scan->expired || is_waiting(scan))
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

int devices_new(struct poller *poller, const struct sysfs *sysfs, struct scanner *scanner,
		devices_attention_t attention, void *userdata, struct devices **ret)
{
	_cleanup_(devices_freep) struct devices *devices = calloc(1, sizeof(*devices));
	int r;

	if (!devices)
		return -ENOMEM;
	devices->event = sd_event_ref(poller_event(poller));
	devices->sysfs = sysfs;
	devices->scanner = scanner;
	devices->attention = attention;
	devices->userdata = userdata;
	r = uevent_new(poller, &uevent_callbacks, devices, &devices->uevent);
	if (r < 0)
		return r;
	r = work_new(poller, "ois-list", 1, &devices->list_work);
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

static int start_scan(struct devices *devices, enum scanner_order order, uint32_t sid,
		      uint32_t host, const uint64_t *lun, uint64_t timeout_usec,
		      devices_done_t done, void *userdata, struct devices_scan **ret)
{
	_cleanup_(scan_freep) struct devices_scan *scan = NULL;
	const struct scanner_request request = {
		.order = order,
		.sid = sid,
		.host = host,
		.lun = lun ? *lun : 0,
		.all_luns = !lun,
		.load_disk_driver = !devices->disk_driver_loaded,
	};
	int r;

	r = scan_new(devices, sid, host, done, userdata, &scan);
	if (r < 0)
		return r;
	scan->timeout_usec = timeout_usec;
	r = arm_timer(scan, turn_usec(CLOCK_MONOTONIC) + timeout_usec);
	if (r >= 0)
		r = scanner_submit(devices->scanner, &request,
				   order == SCANNER_RENEW ? renewed : scanned, scan, &scan->job);
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
	return start_scan(devices, SCANNER_SCAN, sid, host, lun, timeout_usec, done, userdata, ret);
}

int devices_renew(struct devices *devices, uint32_t sid, uint32_t host, const uint64_t *lun,
		  uint64_t timeout_usec, devices_done_t done, void *userdata,
		  struct devices_scan **ret)
{
	return start_scan(devices, SCANNER_RENEW, sid, host, lun, timeout_usec, done, userdata,
			  ret);
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
	scan->asked_usec = turn_usec(CLOCK_MONOTONIC);
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
	/* The kernel looks at a disk that is set running, and waits for it. */
	const struct scanner_request request = {
		.order = SCANNER_REVIVE,
		.sid = sid,
		.host = host,
		.stable = stable,
	};
	int r;

	r = scan_new(devices, sid, host, done, userdata, &scan);
	if (r < 0)
		return r;
	scan->list_only = true;
	r = scanner_submit(devices->scanner, &request, revived, scan, &scan->job);
	if (r < 0)
		return r;
	link_scan(devices, scan);
	*ret = TAKE_PTR(scan);
	return 0;
}
