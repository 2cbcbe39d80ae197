/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An epoll set within that of the loop. The kernel puts what it has told of at the end of its list
 * of ready descriptors, so that all have their turn however many there are.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "poller.h"

/* Handled in one turn of the loop. */
#define READY_MAX 16

struct poller {
	sd_event *event;
	sd_event_source *source;
	int fd;
	struct epoll_event ready[READY_MAX];
	int n_ready;
};

struct poller_entry {
	struct poller *poller;
	int fd;
	uint32_t events;
	poller_ready_t ready;
	void *userdata;
};

static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct poller *poller = userdata;

	poller->n_ready = epoll_wait(fd, poller->ready, READY_MAX, 0);
	for (int i = 0; i < poller->n_ready; i++) {
		struct poller_entry *entry = poller->ready[i].data.ptr;

		/* Removed by the handler of another one. */
		if (entry)
			entry->ready(entry->userdata, poller->ready[i].events);
	}
	poller->n_ready = 0;
	return 0;
}

int poller_new(sd_event *event, struct poller **ret)
{
	_cleanup_(poller_freep) struct poller *poller = calloc(1, sizeof(*poller));
	int r;

	if (!poller)
		return -ENOMEM;
	poller->fd = -EBADF;
	poller->event = sd_event_ref(event);
	poller->fd = epoll_create1(EPOLL_CLOEXEC);
	if (poller->fd < 0)
		return -errno;
	r = sd_event_add_io(event, &poller->source, poller->fd, EPOLLIN, on_ready, poller);
	if (r < 0)
		return r;
	(void)sd_event_source_set_description(poller->source, "sockets");
	*ret = TAKE_PTR(poller);
	return 0;
}

struct poller *poller_free(struct poller *poller)
{
	if (!poller)
		return NULL;
	sd_event_source_disable_unref(poller->source);
	close_fd(poller->fd);
	sd_event_unref(poller->event);
	free(poller);
	return NULL;
}

sd_event *poller_event(const struct poller *poller)
{
	return poller->event;
}

static int control(struct poller_entry *entry, int operation, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = entry };

	return epoll_ctl(entry->poller->fd, operation, entry->fd, &event) < 0 ? -errno : 0;
}

int poller_add(struct poller *poller, int fd, uint32_t events, poller_ready_t ready, void *userdata,
	       struct poller_entry **ret)
{
	_cleanup_free_ struct poller_entry *entry = malloc(sizeof(*entry));
	int r;

	if (!entry)
		return -ENOMEM;
	*entry = (struct poller_entry){ poller, fd, events, ready, userdata };
	r = control(entry, EPOLL_CTL_ADD, events);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(entry);
	return 0;
}

/* What was told already of @entry, and not handled yet. */
static void drop_ready(struct poller_entry *entry)
{
	struct poller *poller = entry->poller;

	for (int i = 0; i < poller->n_ready; i++)
		if (poller->ready[i].data.ptr == entry)
			poller->ready[i].data.ptr = NULL;
}

/* Errors and hang-ups are told of all that is in the set, so what is to be silent is taken out. */
int poller_set_events(struct poller_entry *entry, uint32_t events)
{
	int operation = EPOLL_CTL_MOD;
	int r;

	if (events == entry->events)
		return 0;
	if (events == 0) {
		operation = EPOLL_CTL_DEL;
		drop_ready(entry);
	} else if (entry->events == 0) {
		operation = EPOLL_CTL_ADD;
	}
	r = control(entry, operation, events);
	if (r >= 0)
		entry->events = events;
	return r;
}

struct poller_entry *poller_remove(struct poller_entry *entry)
{
	if (!entry)
		return NULL;
	(void)poller_set_events(entry, 0);
	free(entry);
	return NULL;
}
