/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An epoll set within that of the loop. The kernel puts what it has told of at the end of its list
 * of ready descriptors, so that all have their turn however many there are.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "poller.h"
#include "turn.h"

/* Handled in one turn of the loop. */
#define READY_MAX 8
#define CALLS_MAX 8
/* What is put off outside of turns of ours waits for whatever else is ready; what is left of a turn
 * that was over has waited once. */
#define PRIORITY_CALLS (SD_EVENT_PRIORITY_NORMAL + 10)
#define PRIORITY_LEFT  SD_EVENT_PRIORITY_NORMAL

struct poller {
	sd_event *event;
	sd_event_source *source;
	sd_event_source *rest; /* for what no descriptor will tell of */
	int fd;
	struct epoll_event ready[READY_MAX];
	int n_ready, n_handled; /* of them */
	bool in_turn;
	bool owed; /* the last turn had no time for calls: the next one is theirs */
	struct poller_call *calls, **calls_end;
	size_t n_calls;
};

struct poller_entry {
	struct poller *poller;
	int fd;
	uint32_t events;
	poller_ready_t ready;
	void *userdata;
};

static int on_rest(sd_event_source *source, void *userdata);

/* Errors: -ENOMEM, the first time only. */
static int wake(struct poller *poller, int64_t priority)
{
	int r = turn_defer(poller->event, &poller->rest, priority, on_rest, poller);

	/* It may be waiting since before there was something left. */
	return r < 0 ? r : sd_event_source_set_priority(poller->rest, priority);
}

static void wake_for_rest(struct poller *poller)
{
	bool left = poller->owed || poller->n_handled < poller->n_ready;

	if ((left || poller->calls) && !poller->in_turn)
		(void)wake(poller, left ? PRIORITY_LEFT : PRIORITY_CALLS);
}

/* The rest comes in the next turn. */
static void handle_ready(struct poller *poller)
{
	for (size_t n = 0; poller->n_handled < poller->n_ready && !turn_ends(n); n++) {
		const struct epoll_event *ready = &poller->ready[poller->n_handled++];
		struct poller_entry *entry = ready->data.ptr;

		/* NULL: removed by the handler of another one. */
		if (entry)
			entry->ready(entry->userdata, ready->events);
	}
}

/*
 * The same, but one may be long: with thousands of connections to a portal the kernel takes
 * milliseconds to find a port for another one. One that asks for itself again has its turn next
 * time.
 */
static void make_calls(struct poller *poller)
{
	size_t n = poller->n_calls < CALLS_MAX ? poller->n_calls : CALLS_MAX;

	while (n-- > 0 && poller->calls) {
		struct poller_call *call = poller->calls;

		poller_call_off(call);
		call->function(call->userdata);
		if (n > 0 && turn_is_over())
			return;
	}
}

static void take_turn(struct poller *poller)
{
	bool owed = poller->owed;

	poller->in_turn = true;
	if (!owed)
		handle_ready(poller);
	poller->owed = !owed && poller->calls && turn_is_over();
	if (!poller->owed)
		make_calls(poller);
	poller->in_turn = false;
	wake_for_rest(poller);
}

static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct poller *poller = userdata;

	if (poller->n_handled >= poller->n_ready) {
		poller->n_ready = epoll_wait(fd, poller->ready, READY_MAX, 0);
		poller->n_handled = 0;
	}
	take_turn(poller);
	return 0;
}

static int on_rest(sd_event_source *source, void *userdata)
{
	take_turn(userdata);
	return 0;
}

int poller_new(sd_event *event, struct poller **ret)
{
	_cleanup_(poller_freep) struct poller *poller = calloc(1, sizeof(*poller));
	int r;

	if (!poller)
		return -ENOMEM;
	poller->fd = -EBADF;
	poller->calls_end = &poller->calls;
	poller->event = sd_event_ref(event);
	poller->fd = epoll_create1(EPOLL_CLOEXEC);
	if (poller->fd < 0)
		return -errno;
	r = sd_event_add_io(event, &poller->source, poller->fd, EPOLLIN, on_ready, poller);
	if (r < 0)
		return r;
	(void)sd_event_source_set_description(poller->source, "poller");
	r = wake(poller, PRIORITY_CALLS);
	if (r >= 0)
		r = sd_event_source_set_enabled(poller->rest, SD_EVENT_OFF);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(poller);
	return 0;
}

struct poller *poller_free(struct poller *poller)
{
	if (!poller)
		return NULL;
	assert(!poller->calls);
	sd_event_source_disable_unref(poller->source);
	sd_event_source_disable_unref(poller->rest);
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

	for (int i = poller->n_handled; i < poller->n_ready; i++)
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

void poller_call_later(struct poller *poller, struct poller_call *call,
		       void (*function)(void *userdata), void *userdata)
{
	if (call->poller)
		return;
	*call = (struct poller_call){ poller, function, userdata, NULL, poller->calls_end };
	*poller->calls_end = call;
	poller->calls_end = &call->next;
	poller->n_calls++;
	wake_for_rest(poller);
}

void poller_call_off(struct poller_call *call)
{
	struct poller *poller = call->poller;

	if (!poller)
		return;
	*call->previous = call->next;
	if (call->next)
		call->next->previous = call->previous;
	else
		poller->calls_end = call->previous;
	poller->n_calls--;
	call->poller = NULL;
}
