/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Worker threads. Queue and list of ended pieces are guarded by one mutex; an idle thread waits on
 * the condition and costs nothing. Ended pieces reach the loop through an eventfd, which is written
 * only when the list was empty, so a burst of completions is one wake-up. Each write is an edge of
 * its own, so the counter need not be read.
 */
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "poller.h"
#include "turn.h"
#include "work.h"

/* Enough for getaddrinfo() with any name service module; the default of 8 MiB would be locked in
 * memory. */
#define THREAD_STACK_SIZE (256 * 1024)

/* Pieces told of in one turn of the loop. */
#define DELIVERED_MAX 8

struct piece {
	work_run_t run;
	work_done_t done;
	void *argument;
	int result;
	struct piece *next;
};

struct pieces {
	struct piece *first;
	struct piece **end; /* where the next one is hung in */
};

struct work {
	char name[16]; /* all that the kernel keeps of a thread's name */
	struct poller *poller;
	struct poller_entry *entry;
	struct poller_call more;
	struct pieces ended; /* taken from .completed */
	int completed_fd;
	unsigned threads_max;
	unsigned pending; /* of the loop: not yet told done() */

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t wakeup;
	struct pieces queued;
	struct pieces completed;
	unsigned n_queued;
	unsigned n_idle;
	bool stopping;

	unsigned n_threads;
	pthread_t threads[];
};

static void pieces_init(struct pieces *pieces)
{
	pieces->first = NULL;
	pieces->end = &pieces->first;
}

static void pieces_append(struct pieces *pieces, struct piece *piece)
{
	piece->next = NULL;
	*pieces->end = piece;
	pieces->end = &piece->next;
}

static struct piece *pieces_take_first(struct pieces *pieces)
{
	struct piece *piece = pieces->first;

	if (!piece)
		return NULL;
	pieces->first = piece->next;
	if (!pieces->first)
		pieces->end = &pieces->first;
	return piece;
}

static void pieces_move(struct pieces *from, struct pieces *to)
{
	if (!from->first)
		return;
	*to->end = from->first;
	to->end = from->end;
	pieces_init(from);
}

/* The loop is woken without the mutex, or the first thing it would do is to wait for it. */
static void complete(struct work *work, struct piece *piece)
{
	bool was_empty;

	pthread_mutex_lock(&work->mutex);
	was_empty = !work->completed.first;
	pieces_append(&work->completed, piece);
	pthread_mutex_unlock(&work->mutex);
	if (was_empty)
		(void)eventfd_write(work->completed_fd, 1);
}

static void *thread_main(void *argument)
{
	struct work *work = argument;

	pthread_mutex_lock(&work->mutex);
	while (!work->stopping) {
		struct piece *piece = pieces_take_first(&work->queued);

		if (!piece) {
			work->n_idle++;
			pthread_cond_wait(&work->wakeup, &work->mutex);
			work->n_idle--;
			continue;
		}
		work->n_queued--;
		pthread_mutex_unlock(&work->mutex);
		piece->result = piece->run(piece->argument);
		complete(work, piece);
		pthread_mutex_lock(&work->mutex);
	}
	pthread_mutex_unlock(&work->mutex);
	return NULL;
}

/* Signals belong to the loop, so a thread is born with all of them blocked. */
static int start_thread(struct work *work)
{
	pthread_attr_t attributes;
	sigset_t all, saved;
	pthread_t *thread = &work->threads[work->n_threads];
	int r;

	r = pthread_attr_init(&attributes);
	if (r != 0)
		return -r;
	(void)pthread_attr_setstacksize(&attributes, THREAD_STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	r = pthread_create(thread, &attributes, thread_main, work);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	pthread_attr_destroy(&attributes);
	if (r != 0)
		return -r;
	(void)pthread_setname_np(*thread, work->name);
	work->n_threads++;
	return 0;
}

static bool deliver_one(struct work *work, struct pieces *pieces)
{
	struct piece *piece = pieces_take_first(pieces);

	if (!piece)
		return false;
	work->pending--;
	piece->done(piece->argument, piece->result);
	free(piece);
	return true;
}

static void deliver_all(struct work *work, struct pieces *pieces)
{
	while (deliver_one(work, pieces))
		;
}

static void take_completed(struct work *work)
{
	pthread_mutex_lock(&work->mutex);
	pieces_move(&work->completed, &work->ended);
	pthread_mutex_unlock(&work->mutex);
}

static void tell_more(void *userdata)
{
	(void)work_deliver(userdata);
}

bool work_deliver(struct work *work)
{
	size_t n = 0;

	take_completed(work);
	while (n < DELIVERED_MAX && !turn_ends(n) && deliver_one(work, &work->ended))
		n++;
	if (!work->ended.first)
		return true;
	poller_call_later(work->poller, &work->more, tell_more, work);
	return false;
}

static void on_completed(void *userdata, uint32_t revents)
{
	(void)work_deliver(userdata);
}

int work_new(struct poller *poller, const char *name, unsigned threads_max, struct work **ret)
{
	_cleanup_(work_freep) struct work *work = NULL;
	int r;

	assert(threads_max > 0);
	work = calloc(1, sizeof(*work) + threads_max * sizeof(work->threads[0]));
	if (!work)
		return -ENOMEM;
	work->completed_fd = -EBADF;
	work->threads_max = threads_max;
	(void)snprintf(work->name, sizeof(work->name), "%s", name);
	pieces_init(&work->queued);
	pieces_init(&work->completed);
	pieces_init(&work->ended);
	work->poller = poller;
	pthread_mutex_init(&work->mutex, NULL);
	pthread_cond_init(&work->wakeup, NULL);

	work->completed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (work->completed_fd < 0)
		return -errno;
	r = poller_add(poller, work->completed_fd, EPOLLIN | EPOLLET, on_completed, work,
		       &work->entry);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(work);
	return 0;
}

struct work *work_free(struct work *work)
{
	struct pieces cancelled;

	if (!work)
		return NULL;
	pieces_init(&cancelled);
	pthread_mutex_lock(&work->mutex);
	work->stopping = true;
	pieces_move(&work->queued, &cancelled);
	pthread_cond_broadcast(&work->wakeup);
	pthread_mutex_unlock(&work->mutex);
	for (unsigned i = 0; i < work->n_threads; i++)
		pthread_join(work->threads[i], NULL);

	take_completed(work);
	deliver_all(work, &work->ended);
	for (struct piece *piece = cancelled.first; piece; piece = piece->next)
		piece->result = -ECANCELED;
	deliver_all(work, &cancelled);

	poller_call_off(&work->more);
	work->entry = poller_remove(work->entry);
	close_fd(work->completed_fd);
	pthread_cond_destroy(&work->wakeup);
	pthread_mutex_destroy(&work->mutex);
	free(work);
	return NULL;
}

int work_submit(struct work *work, work_run_t run, work_done_t done, void *argument)
{
	_cleanup_free_ struct piece *piece = NULL;
	bool need_thread, wake;
	int r = 0;

	piece = malloc(sizeof(*piece));
	if (!piece)
		return -ENOMEM;
	*piece = (struct piece){ .run = run, .done = done, .argument = argument };

	pthread_mutex_lock(&work->mutex);
	if (work->stopping) {
		pthread_mutex_unlock(&work->mutex);
		return -ECANCELED;
	}
	need_thread = work->n_queued >= work->n_idle && work->n_threads < work->threads_max;
	if (need_thread)
		r = start_thread(work);
	/* A thread less is slower; without any nothing would ever run. */
	if (r < 0 && work->n_threads == 0) {
		pthread_mutex_unlock(&work->mutex);
		return r;
	}
	pieces_append(&work->queued, TAKE_PTR(piece));
	work->n_queued++;
	work->pending++;
	wake = work->n_idle > 0;
	pthread_mutex_unlock(&work->mutex);
	if (wake)
		pthread_cond_signal(&work->wakeup);
	return 0;
}

unsigned work_pending(const struct work *work)
{
	return work->pending;
}
