/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * There are two sockets between the daemon and its scanner: one carries requests and answers, the
 * other one nothing, it is there to be closed when one of the two ends (see scanner_serve.c). No
 * more is asked for at a time than has its turn, so the scanner needs no queue, what waits here can
 * be called off, and scans that hang leave room for commands.
 */
#include <poll.h>
#include <spawn.h>
#include <stdalign.h>
#include <sys/socket.h>
#include <unistd.h>

#include "poller.h"
#include "scanner.h"
#include "trace.h"
#include "turn.h"

/* Commands of people that may hang at the same time; others wait behind them, and run into their
 * deadline. */
#define COMMANDS_MAX 8
/* One that lived shorter is not started again at once: something is wrong with it. */
#define LIFE_USEC UINT64_C(1000000)
/* Answers taken in in one turn of the loop. */
#define ANSWERS_MAX 8
/* How long it may take to end when the daemon does. */
#define END_MSEC 1000

struct scanner_job {
	struct scanner_request request;
	scanner_told_t told; /* NULL: cancelled */
	void *userdata;
	uint64_t began_usec;
	struct scanner_job *next;
};

/* Jobs that wait for one of the slots from @first_slot on. */
struct line {
	struct scanner_job *first, **end;
	uint32_t first_slot, n_slots;
};

struct scanner {
	struct poller *poller;
	const struct sysfs *sysfs;
	const char *program;
	struct work *loader;
	struct eventlog *log;

	bool starting;
	uint64_t started_usec;
	int fd, life; /* -EBADF: no process */
	struct poller_entry *entry;
	sd_event_source *life_source;

	struct line scans, commands;
	struct scanner_answer answer;
	/* Its payload */
	alignas(max_align_t) uint8_t payload[SCANNER_PAYLOAD_MAX];
	uint32_t n_slots;
	struct scanner_job *slots[]; /* jobs the process is at */
};

/* Jobs */

static void line_init(struct line *line, uint32_t first_slot, uint32_t n_slots)
{
	*line = (struct line){ .first_slot = first_slot, .n_slots = n_slots };
	line->end = &line->first;
}

static struct scanner_job *take_first(struct line *line)
{
	struct scanner_job *job = line->first;

	line->first = job->next;
	if (!line->first)
		line->end = &line->first;
	return job;
}

static void tell(struct scanner_job *job, const struct scanner_answer *answer, const void *payload,
		 size_t length)
{
	scanner_told_t told = job->told;
	void *userdata = job->userdata;

	if (answer->last)
		free(job);
	if (told)
		told(userdata, answer, payload, length);
}

static void fail(struct scanner_job *job, int error)
{
	const struct scanner_answer answer = { .last = true, .error = error };

	tell(job, &answer, NULL, 0);
}

/* What is asked for from inside told() waits for the next start. */
static void fail_line(struct line *line, int error)
{
	struct scanner_job *job = line->first;

	line_init(line, line->first_slot, line->n_slots);
	while (job) {
		struct scanner_job *next = job->next;

		fail(job, error);
		job = next;
	}
}

static void fail_waiting(struct scanner *scanner, int error)
{
	fail_line(&scanner->scans, error);
	fail_line(&scanner->commands, error);
}

static bool find_slot(const struct scanner *scanner, const struct line *line, uint32_t *ret)
{
	for (uint32_t i = line->first_slot; i < line->first_slot + line->n_slots; i++)
		if (!scanner->slots[i]) {
			*ret = i;
			return true;
		}
	return false;
}

/* False: the socket takes no more now. */
static bool send_line(struct scanner *scanner, struct line *line)
{
	uint32_t slot;

	while (line->first) {
		struct scanner_job *job = line->first;

		if (!job->told) {
			free(take_first(line));
			continue;
		}
		if (!find_slot(scanner, line, &slot))
			return true;
		job->request.slot = slot;
		if (send(scanner->fd, &job->request, sizeof(job->request),
			 MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return errno != EAGAIN;
		job->began_usec = turn_usec(CLOCK_MONOTONIC);
		scanner->slots[slot] = take_first(line);
	}
	return true;
}

static void send_requests(struct scanner *scanner)
{
	bool sent;

	if (scanner->fd < 0)
		return;
	sent = send_line(scanner, &scanner->scans);
	sent = send_line(scanner, &scanner->commands) && sent;
	(void)poller_set_events(scanner->entry, sent ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

/* 1: there may be more; 0: not now; negative: never again. */
static int take_answer(struct scanner *scanner)
{
	struct scanner_answer *answer = &scanner->answer;
	struct iovec parts[] = {
		{ answer, sizeof(*answer) },
		{ scanner->payload, sizeof(scanner->payload) },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = ELEMENTSOF(parts) };
	struct scanner_job *job;
	ssize_t n;

	n = recvmsg(scanner->fd, &message, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if ((size_t)n < sizeof(*answer) || answer->slot >= scanner->n_slots)
		return -ECONNRESET;
	job = scanner->slots[answer->slot];
	if (!job)
		return -ECONNRESET;
	if (answer->last)
		scanner->slots[answer->slot] = NULL;
	tell(job, answer, scanner->payload, (size_t)n - sizeof(*answer));
	return 1;
}

static void on_ready(void *userdata, uint32_t revents)
{
	struct scanner *scanner = userdata;
	int r = 1;

	for (unsigned i = 0; i < ANSWERS_MAX && r > 0; i++)
		r = take_answer(scanner);
	/* That it is gone is told by the other socket. */
	if (r < 0)
		(void)poller_set_events(scanner->entry, 0);
	else
		send_requests(scanner);
}

/* The process */

static void hang_up(struct scanner *scanner)
{
	scanner->entry = poller_remove(scanner->entry);
	scanner->life_source = sd_event_source_disable_unref(scanner->life_source);
	scanner->fd = close_fd(scanner->fd);
	scanner->life = close_fd(scanner->life);
}

static void raise_lost(struct scanner *scanner, int error, uint64_t n_jobs)
{
	struct event *event = event_new(EVENT_SCANNER_LOST);

	event_set_string(event, FIELD_REASON, error < 0 ? "it cannot be started" : "it ended");
	if (error < 0)
		event_set_errno(event, error);
	event_set_number(event, FIELD_COUNT, n_jobs);
	eventlog_raise(scanner->log, event);
}

static uint64_t count_jobs(const struct scanner *scanner)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < scanner->n_slots; i++)
		if (scanner->slots[i])
			n++;
	return n;
}

/* One of those that it was at may be why it ended: they are not tried again. */
static int on_end(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct scanner *scanner = userdata;
	int r;

	do
		r = take_answer(scanner);
	while (r > 0);
	hang_up(scanner);
	raise_lost(scanner, 0, count_jobs(scanner));
	for (uint32_t i = 0; i < scanner->n_slots; i++) {
		struct scanner_job *job = scanner->slots[i];

		scanner->slots[i] = NULL;
		if (job)
			fail(job, -EIO);
	}
	if ((scanner->scans.first || scanner->commands.first ||
	     turn_usec(CLOCK_MONOTONIC) - scanner->started_usec > LIFE_USEC) &&
	    (r = scanner_start(scanner)) < 0)
		fail_waiting(scanner, r);
	return 0;
}

static int on_reaped(sd_event_source *source, const siginfo_t *info, void *userdata)
{
	trace("scanner %d has ended: %d, %d", (int)info->si_pid, info->si_code, info->si_status);
	return 0;
}

struct start {
	struct scanner *scanner;
	int ours[2], theirs[2]; /* requests and answers; life */
	pid_t pid;
};

static struct start *start_free(struct start *start)
{
	if (!start)
		return NULL;
	for (unsigned i = 0; i < 2; i++) {
		close_fd(start->ours[i]);
		close_fd(start->theirs[i]);
	}
	free(start);
	return NULL;
}

DEFINE_CLEANUP(struct start *, start_free);

/*
 * In a worker: the disk that the program lies on may have to be waited for. The process is not a
 * copy of the daemon at any time, so it has nothing of it: neither secrets nor descriptors. All
 * signals are blocked here, and so they are there: it ends with the daemon.
 */
static int run_start(void *argument)
{
	struct start *start = argument;
	const struct scanner *scanner = start->scanner;
	const char *const arguments[] = {
		SCANNER_NAME,
		scanner->sysfs->root,
		scanner->sysfs->proc,
		trace_enabled ? "debug" : NULL,
		NULL,
	};
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return -r;
	r = posix_spawn_file_actions_adddup2(&actions, start->theirs[0], SCANNER_MESSAGES);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, start->theirs[1], SCANNER_LIFE);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(&actions, SCANNER_LIFE + 1);
	if (r == 0)
		r = posix_spawn(&start->pid, scanner->program, &actions, NULL, (char **)arguments,
				environ);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static int adopt(struct scanner *scanner, struct start *start)
{
	sd_event *event = poller_event(scanner->poller);
	int r;

	/* The daemon ends, and so does what it has started meanwhile. */
	if (sd_event_get_state(event) == SD_EVENT_FINISHED) {
		scanner->life = TAKE_FD(start->ours[1]);
		return -ECANCELED;
	}
	/* Else it is reaped when the daemon ends. */
	(void)sd_event_add_child(event, NULL, start->pid, WEXITED, on_reaped, NULL);
	r = poller_add(scanner->poller, start->ours[0], EPOLLIN, on_ready, scanner,
		       &scanner->entry);
	if (r >= 0)
		r = sd_event_add_io(event, &scanner->life_source, start->ours[1], EPOLLHUP, on_end,
				    scanner);
	if (r < 0) {
		hang_up(scanner);
		return r;
	}
	(void)sd_event_source_set_description(scanner->life_source, "scanner-life");
	scanner->fd = TAKE_FD(start->ours[0]);
	scanner->life = TAKE_FD(start->ours[1]);
	scanner->started_usec = turn_usec(CLOCK_MONOTONIC);
	return 0;
}

static void started(void *argument, int result)
{
	_cleanup_(start_freep) struct start *start = argument;
	struct scanner *scanner = start->scanner;

	scanner->starting = false;
	if (result >= 0)
		result = adopt(scanner, start);
	if (result >= 0) {
		send_requests(scanner);
		return;
	}
	if (result != -ECANCELED)
		raise_lost(scanner, result, 0);
	fail_waiting(scanner, result);
}

static int start_new(struct scanner *scanner, struct start **ret)
{
	_cleanup_(start_freep) struct start *start = malloc(sizeof(*start));
	int pair[2];

	if (!start)
		return -ENOMEM;
	*start = (struct start){ scanner, { -EBADF, -EBADF }, { -EBADF, -EBADF }, 0 };
	for (unsigned i = 0; i < 2; i++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			return -errno;
		start->ours[i] = pair[0];
		start->theirs[i] = pair[1];
	}
	*ret = TAKE_PTR(start);
	return 0;
}

static int start(struct scanner *scanner)
{
	_cleanup_(start_freep) struct start *start = NULL;
	int r;

	r = start_new(scanner, &start);
	if (r >= 0)
		r = work_submit(scanner->loader, run_start, started, start);
	if (r >= 0)
		(void)TAKE_PTR(start);
	return r;
}

int scanner_start(struct scanner *scanner)
{
	int r;

	if (scanner->starting || scanner->fd >= 0)
		return 0;
	r = start(scanner);
	scanner->starting = r >= 0;
	if (r < 0)
		raise_lost(scanner, r, 0);
	return r;
}

/* Calls */

int scanner_new(struct poller *poller, const struct sysfs *sysfs, const char *program,
		unsigned scans_max, struct work *loader, struct eventlog *log, struct scanner **ret)
{
	uint32_t n_slots = scans_max + COMMANDS_MAX;
	struct scanner *scanner;

	scanner = calloc(1, sizeof(*scanner) + n_slots * sizeof(scanner->slots[0]));
	if (!scanner)
		return -ENOMEM;
	scanner->poller = poller;
	scanner->sysfs = sysfs;
	scanner->program = program;
	scanner->loader = loader;
	scanner->log = log;
	scanner->fd = scanner->life = -EBADF;
	scanner->n_slots = n_slots;
	line_init(&scanner->scans, 0, scans_max);
	line_init(&scanner->commands, scans_max, COMMANDS_MAX);
	*ret = scanner;
	return 0;
}

/* As a rule it ends at once, and a service manager finds nothing that is left of us. */
static void await_end(const struct scanner *scanner)
{
	struct pollfd end = { .fd = scanner->life, .events = 0 };

	if (scanner->life < 0)
		return;
	(void)shutdown(scanner->life, SHUT_WR);
	(void)poll(&end, 1, END_MSEC);
}

struct scanner *scanner_free(struct scanner *scanner)
{
	if (!scanner)
		return NULL;
	await_end(scanner);
	hang_up(scanner);
	fail_waiting(scanner, -ECANCELED);
	for (uint32_t i = 0; i < scanner->n_slots; i++)
		free(scanner->slots[i]);
	free(scanner);
	return NULL;
}

int scanner_submit(struct scanner *scanner, const struct scanner_request *request,
		   scanner_told_t told, void *userdata, struct scanner_job **ret)
{
	struct line *line =
		request->order == SCANNER_COMMAND ? &scanner->commands : &scanner->scans;
	struct scanner_job *job;
	int r;

	r = scanner_start(scanner);
	if (r < 0)
		return r;
	job = malloc(sizeof(*job));
	if (!job)
		return -ENOMEM;
	*job = (struct scanner_job){
		.request = *request,
		.told = told,
		.userdata = userdata,
	};
	*line->end = job;
	line->end = &job->next;
	send_requests(scanner);
	*ret = job;
	return 0;
}

uint64_t scanner_job_began(const struct scanner_job *job)
{
	return job->began_usec;
}

struct scanner_job *scanner_cancel(struct scanner_job *job)
{
	if (job)
		job->told = NULL;
	return NULL;
}
