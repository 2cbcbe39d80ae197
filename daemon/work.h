/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Blocking system calls off the loop. A piece of work runs in one of a bounded number of threads
 * and its completion runs in the event loop, in the order in which the pieces ended. A piece shares
 * nothing with the loop but its argument, which belongs to the thread while it runs.
 */
#pragma once

#include <stdbool.h>

#include "cleanup.h"

struct poller;
struct work;

/*
 * A pool of up to @threads_max threads, made when first needed and kept; 1 gives strict order.
 * @name is the thread name. Errors: -ENOMEM, -EMFILE; those of poller_add().
 */
int work_new(struct poller *poller, const char *name, unsigned threads_max, struct work **ret);
/*
 * Lets running pieces end (which takes as long as they take) and joins the threads; done() of every
 * piece that was not begun is called with -ECANCELED. Not from inside a done().
 */
struct work *work_free(struct work *work);
DEFINE_CLEANUP(struct work *, work_free);

typedef int (*work_run_t)(void *argument);
typedef void (*work_done_t)(void *argument, int result);

/*
 * Queues a piece; never waits. done() is called exactly once, never from inside this call. Errors:
 * -ENOMEM; -EAGAIN (the system allows no thread, and there is none yet); -ECANCELED (the pool is
 * being freed).
 */
int work_submit(struct work *work, work_run_t run, work_done_t done, void *argument);

/*
 * Calls done() of pieces that have ended, as the loop does, for what must be known before something
 * else. False: there are more, which have their turn next time.
 */
bool work_deliver(struct work *work);

/* Pieces whose done() has not been called yet. */
unsigned work_pending(const struct work *work);
