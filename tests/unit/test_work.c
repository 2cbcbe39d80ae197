// layers: oisd-core
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Worker threads: order, limits, what a thread inherits, and the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "poller.h"
#include "work.h"

#define PIECES 50

static sd_event *event;
static struct poller *poller;
static struct work *work;
static pthread_t loop_thread;

struct piece {
	int number;
	int result;
	unsigned n_done;
	bool ran;
};

static struct piece pieces[PIECES];
static int done_order[PIECES + 1];
static unsigned n_done;

static int set_up(void **state)
{
	memset(pieces, 0, sizeof(pieces));
	for (int i = 0; i < PIECES; i++)
		pieces[i].number = i;
	n_done = 0;
	loop_thread = pthread_self();
	/* A test that hangs is a test that failed. */
	alarm(60);
	assert_int_equal(sd_event_new(&event), 0);
	return poller_new(event, &poller);
}

static int tear_down(void **state)
{
	work = work_free(work);
	poller = poller_free(poller);
	event = sd_event_unref(event);
	alarm(0);
	return 0;
}

static void on_done(void *argument, int result)
{
	struct piece *piece = argument;

	assert_true(pthread_equal(pthread_self(), loop_thread));
	piece->result = result;
	piece->n_done++;
	done_order[n_done++] = piece->number;
}

static int run_number(void *argument)
{
	struct piece *piece = argument;

	piece->ran = true;
	return piece->number;
}

static void make(unsigned threads)
{
	assert_int_equal(work_new(poller, "test-worker", threads, &work), 0);
}

static void submit(work_run_t run, struct piece *piece)
{
	assert_int_equal(work_submit(work, run, on_done, piece), 0);
}

static void run_until(unsigned n)
{
	while (n_done < n)
		assert_true(sd_event_run(event, UINT64_MAX) >= 0);
}

static void order_of_one_thread(void **state)
{
	make(1);
	for (unsigned i = 0; i < PIECES; i++)
		submit(run_number, &pieces[i]);
	/* Nothing is told from inside submit. */
	assert_int_equal(n_done, 0);
	assert_int_equal(work_pending(work), PIECES);
	run_until(PIECES);
	assert_int_equal(work_pending(work), 0);
	for (int i = 0; i < PIECES; i++) {
		assert_int_equal(done_order[i], i);
		assert_int_equal(pieces[i].result, i);
		assert_int_equal(pieces[i].n_done, 1);
	}
	/* All is told: no wake-up is left over. */
	assert_int_equal(sd_event_run(event, 0), 0);
}

static pthread_barrier_t barrier;

static int run_barrier(void *argument)
{
	pthread_barrier_wait(&barrier);
	return 0;
}

/* None of the pieces ends before all have begun. */
static void side_by_side(void **state)
{
	make(4);
	pthread_barrier_init(&barrier, NULL, 4);
	for (unsigned round = 1; round <= 2; round++) {
		for (unsigned i = 0; i < 4; i++)
			submit(run_barrier, &pieces[i]);
		run_until(4 * round);
	}
	pthread_barrier_destroy(&barrier);
}

static atomic_uint n_running, n_running_most;
static pthread_mutex_t threads_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_t threads[PIECES];
static unsigned n_threads;

static int run_count(void *argument)
{
	unsigned running = atomic_fetch_add(&n_running, 1) + 1;
	unsigned i, most = atomic_load(&n_running_most);

	while (running > most && !atomic_compare_exchange_weak(&n_running_most, &most, running))
		;
	pthread_mutex_lock(&threads_mutex);
	for (i = 0; i < n_threads; i++)
		if (pthread_equal(threads[i], pthread_self()))
			break;
	if (i == n_threads)
		threads[n_threads++] = pthread_self();
	pthread_mutex_unlock(&threads_mutex);
	atomic_fetch_sub(&n_running, 1);
	return 0;
}

static void no_more_than_asked_for(void **state)
{
	make(3);
	for (unsigned i = 0; i < PIECES; i++)
		submit(run_count, &pieces[i]);
	run_until(PIECES);
	assert_in_range(n_threads, 1, 3);
	assert_in_range(atomic_load(&n_running_most), 1, 3);
}

static int run_inspect(void *argument)
{
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	if (!sigismember(&mask, SIGTERM) || !sigismember(&mask, SIGCHLD) ||
	    !sigismember(&mask, SIGHUP))
		return -EINTR;
	if (pthread_equal(pthread_self(), loop_thread))
		return -EDEADLK;
	return 0;
}

static void signals_stay_with_the_loop(void **state)
{
	sigset_t mask;

	make(1);
	submit(run_inspect, &pieces[0]);
	run_until(1);
	assert_int_equal(pieces[0].result, 0);
	/* Blocked for the birth of the thread only. */
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	assert_false(sigismember(&mask, SIGTERM));
}

static void on_done_submit_next(void *argument, int result)
{
	struct piece *piece = argument;

	on_done(argument, result);
	if (piece->number + 1 < PIECES)
		assert_int_equal(work_submit(work, run_number, on_done_submit_next,
					     &pieces[piece->number + 1]),
				 0);
}

static void submit_from_done(void **state)
{
	make(2);
	assert_int_equal(work_submit(work, run_number, on_done_submit_next, &pieces[0]), 0);
	run_until(PIECES);
	for (int i = 0; i < PIECES; i++)
		assert_int_equal(done_order[i], i);
}

static sem_t begun, release;

static int run_wait(void *argument)
{
	sem_post(&begun);
	sem_wait(&release);
	return run_number(argument);
}

static void *release_main(void *argument)
{
	sem_post(&release);
	return NULL;
}

/* The piece in progress ends by itself, the others were either run or cancelled, and all are told.
 */
static void free_with_pieces(void **state)
{
	pthread_t releaser;

	make(1);
	sem_init(&begun, 0, 0);
	sem_init(&release, 0, 0);
	submit(run_wait, &pieces[0]);
	for (unsigned i = 1; i < 10; i++)
		submit(run_number, &pieces[i]);
	sem_wait(&begun);
	assert_int_equal(pthread_create(&releaser, NULL, release_main, NULL), 0);
	work = work_free(work);
	pthread_join(releaser, NULL);
	assert_true(pieces[0].ran);
	assert_int_equal(n_done, 10);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(pieces[i].n_done, 1);
		assert_int_equal(pieces[i].result, pieces[i].ran ? i : -ECANCELED);
	}
	sem_destroy(&begun);
	sem_destroy(&release);
}

static void on_done_submit_again(void *argument, int result)
{
	struct piece *piece = argument;

	on_done(argument, result);
	piece->result = work_submit(work, run_number, on_done, argument);
}

static void submit_while_freeing(void **state)
{
	make(1);
	assert_int_equal(work_submit(work, run_number, on_done_submit_again, &pieces[0]), 0);
	work = work_free(work);
	assert_int_equal(n_done, 1);
	assert_int_equal(pieces[0].result, -ECANCELED);
}

static void free_unused(void **state)
{
	make(8);
	assert_int_equal(work_pending(work), 0);
	work = work_free(work);
	assert_null(work);
	assert_null(work_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(order_of_one_thread, set_up, tear_down),
		cmocka_unit_test_setup_teardown(side_by_side, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_more_than_asked_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(signals_stay_with_the_loop, set_up, tear_down),
		cmocka_unit_test_setup_teardown(submit_from_done, set_up, tear_down),
		cmocka_unit_test_setup_teardown(free_with_pieces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(submit_while_freeing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(free_unused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
