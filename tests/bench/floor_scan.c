/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * floor: from a session to its disks. The write to "scan" returns when the scan is done, so threads
 * do it.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "floor.h"

#define SCANNERS 32 /* scans at the same time: each is some twenty round trips */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct session *queue[SIDS];
	unsigned head, tail;
	int done; /* eventfd */
} scans = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

/* Nobody else's disks: the sessions of an adapter have their host in common. */
static void scan(struct session *s)
{
	char path[96], which[32];
	struct dirent *entry;
	unsigned disks = 0, target = 0;
	DIR *directory;
	FILE *f;
	int fd, n;

	snprintf(path, sizeof(path), "/sys/class/iscsi_session/session%u/target_id", s->sid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%u", &target) != 1)
		errx(1, "session %u has no number of its target", s->sid);
	fclose(f);
	snprintf(path, sizeof(path), "/sys/class/scsi_host/host%u/scan", s->host);
	n = snprintf(which, sizeof(which), "0 %u -", target);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, which, (size_t)n) != n)
		err(1, "cannot scan host %u", s->host);
	close(fd);
	snprintf(path, sizeof(path), "/sys/class/iscsi_session/session%u/device/target%u:0:%u",
		 s->sid, s->host, target);
	directory = opendir(path);
	while (directory && (entry = readdir(directory)))
		disks += entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
	if (!disks)
		errx(1, "%s has no disks", s->target);
	closedir(directory);
	s->disks = disks;
	__atomic_store_n(&s->scanned, true, __ATOMIC_RELEASE);
}

static void *scanner(void *argument)
{
	for (;;) {
		struct session *s;

		pthread_mutex_lock(&scans.lock);
		while (scans.head == scans.tail)
			pthread_cond_wait(&scans.more, &scans.lock);
		s = scans.queue[scans.head++];
		pthread_mutex_unlock(&scans.lock);
		scan(s);
		eventfd_write(scans.done, 1);
	}
	return argument;
}

void scan_later(struct session *s)
{
	pthread_mutex_lock(&scans.lock);
	scans.queue[scans.tail++] = s;
	pthread_cond_signal(&scans.more);
	pthread_mutex_unlock(&scans.lock);
}

/* A disk is there when its driver is bound:
 * "bind@/devices/platform/host1/session1/target1:0:0/1:0:0:0". */
static void read_uevents(struct run *r)
{
	char buffer[8192];
	ssize_t n;

	while ((n = recv(r->uevent, buffer, sizeof(buffer) - 1, MSG_DONTWAIT)) > 0) {
		const char *at;
		unsigned sid;

		buffer[n] = 0;
		if (strncmp(buffer, "bind@", 5) != 0)
			continue;
		at = strstr(buffer, "/session");
		if (at && sscanf(at, "/session%u/target", &sid) == 1 && sid < SIDS &&
		    r->by_sid[sid])
			r->by_sid[sid]->bound++;
	}
	if (n < 0 && errno != EAGAIN)
		err(1, "uevents");
}

/* True if it was of the sources that login_setup() has added. */
bool take_common(struct run *r, void *source)
{
	eventfd_t count;

	if (source == &r->uevent)
		read_uevents(r);
	else if (source == &scans)
		(void)eventfd_read(scans.done, &count);
	else
		return false;
	return true;
}

bool all_disks(const struct run *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct session *s = &r->sessions[i];

		if (!__atomic_load_n(&s->scanned, __ATOMIC_ACQUIRE) || s->bound < s->disks)
			return false;
	}
	return true;
}

void login_setup(struct run *r)
{
	struct epoll_event e = { .events = EPOLLIN };

	r->netlink = open_netlink(NETLINK_ISCSI, 0);
	/* The kernel complains on its slow console when nobody listens to its events: never read,
	 * never full. */
	r->listener = open_netlink(NETLINK_ISCSI, 1);
	r->uevent = open_netlink(NETLINK_KOBJECT_UEVENT, 1);
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	scans.done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->epoll < 0 || scans.done < 0)
		err(1, "epoll");
	e.data.ptr = &r->uevent;
	epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->uevent, &e);
	e.data.ptr = &scans;
	epoll_ctl(r->epoll, EPOLL_CTL_ADD, scans.done, &e);
	for (size_t i = 0; i < SCANNERS && i < r->n; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, scanner, NULL) != 0)
			errx(1, "no thread");
	}
}

void add_target(struct run *r, const char *name)
{
	r->sessions = reallocarray(r->sessions, r->n + 1, sizeof(*r->sessions));
	if (!r->sessions)
		err(1, "targets");
	r->sessions[r->n++] = (struct session){ .target = strdup(name), .fd = -1 };
}

void find_sessions(struct run *r)
{
	DIR *directory = opendir("/sys/class/iscsi_session");
	struct dirent *entry;
	unsigned sid;

	while (directory && (entry = readdir(directory))) {
		if (sscanf(entry->d_name, "session%u", &sid) != 1 || sid >= SIDS)
			continue;
		add_target(r, entry->d_name);
		r->sessions[r->n - 1].sid = sid;
	}
	if (directory)
		closedir(directory);
	for (size_t i = 0; i < r->n; i++)
		r->by_sid[r->sessions[i].sid] = &r->sessions[i];
}
