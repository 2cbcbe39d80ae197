/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * oisd: options, the state of the process, and the event loop with its signals. What the daemon
 * does is the manager's.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#include "manager.h"
#include "manager_private.h"
#include "notify.h"
#include "scanner_message.h"
#include "scanner_serve.h"
#include "trace.h"
#include "turn.h"

/* Linux 5.6; older kernels say EINVAL. */
#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif
#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

struct options {
	struct manager_paths paths;
	bool debug;
};

/* Options with an argument set a path, the others are told apart by their letter. */
struct option_row {
	const char *name;
	const char *argument; /* NULL: takes none */
	int letter;
	size_t path; /* offset in struct manager_paths */
	const char *help;
};

#define PATH_OPTION(long_name, value, member, text)                                                \
	{                                                                                          \
		.name = long_name, .argument = value,                                              \
		.path = offsetof(struct manager_paths, member), .help = text                       \
	}

static const struct option_row option_rows[] = {
	PATH_OPTION("config", "FILE", configuration, "Configuration file"),
	PATH_OPTION("listen", "PATH", socket, "Socket to make if the service manager passes none"),
	PATH_OPTION("records", "DIRECTORY", records, "Directory of node records"),
	PATH_OPTION("journal", "PATH", journal, "Socket of the journal"),
	PATH_OPTION("initiator-name-file", "FILE", initiator_name, "File with the initiator name"),
	PATH_OPTION("sysfs", "DIRECTORY", sysfs, "Where sysfs is mounted"),
	{ .name = "debug", .letter = 'd', .help = "Write traces to standard error" },
	{ .name = "version", .letter = 'V', .help = "Print the version" },
	{ .name = "help", .letter = 'h', .help = "Print this text" },
};

static const struct manager_paths default_paths = {
	.configuration = "/etc/ois/ois.conf",
	.initiator_name = "/etc/iscsi/initiatorname.iscsi",
	.records = "/etc/ois",
	.socket = "/run/ois/org.ois",
	.journal = JOURNAL_SOCKET,
	.sysfs = "/sys",
	/* What runs, even if an upgrade has put another program in its place. */
	.program = "/proc/self/exe",
};

static const char **path_at(struct manager_paths *paths, size_t offset)
{
	return (const char **)(void *)((char *)paths + offset);
}

static void print_help(void)
{
	struct manager_paths paths = default_paths;

	printf("oisd [OPTION...]\n\niSCSI initiator daemon.\n\n");
	for (size_t i = 0; i < ELEMENTSOF(option_rows); i++) {
		const struct option_row *row = &option_rows[i];
		char left[48];

		(void)snprintf(left, sizeof(left), "--%s%s%s", row->name, row->argument ? "=" : "",
			       row->argument ? row->argument : "");
		printf("  %-28s %s", left, row->help);
		if (row->argument)
			printf(" [%s]", *path_at(&paths, row->path));
		printf("\n");
	}
	printf("\nSee oisd(8).\n");
}

/* 1: run; 0: done; -EINVAL: told what is wrong. */
static int parse_options(int argc, char **argv, struct options *ret)
{
	struct option table[ELEMENTSOF(option_rows) + 1] = { 0 };
	struct options options = { .paths = default_paths };
	int index;

	for (size_t i = 0; i < ELEMENTSOF(option_rows); i++)
		table[i] = (struct option){
			.name = option_rows[i].name,
			.has_arg = option_rows[i].argument ? required_argument : no_argument,
			.val = option_rows[i].letter,
		};
	for (;;) {
		int letter = getopt_long(argc, argv, "", table, &index);

		if (letter < 0)
			break;
		switch (letter) {
		case 0:
			*path_at(&options.paths, option_rows[index].path) = optarg;
			break;
		case 'd':
			options.debug = true;
			break;
		case 'V':
			printf("oisd %s\n", OIS_VERSION);
			return 0;
		case 'h':
			print_help();
			return 0;
		default:
			return -EINVAL;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "%s: unexpected argument '%s'\n", argv[0], argv[optind]);
		return -EINVAL;
	}
	*ret = options;
	return 1;
}

/* True if more memory may be locked than the limit says: a privilege. */
static bool may_exceed(rlim_t limit)
{
	size_t size = (size_t)limit + 1;
	void *memory =
		mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return false;
	(void)munmap(memory, size);
	return true;
}

/* From this size on, memory is mapped for itself and goes back to the system when it is freed. */
#define LARGE_BUFFER (128 * 1024)

/*
 * The disk this program was read from may be one it has to bring back. So what is mapped now, all
 * code above all, is read in and locked; what comes later, such as stacks of threads, is locked as
 * far as it is touched. Where the amount is limited, an allocation might fail because it cannot be
 * locked: then nothing is.
 */
static void lock_memory(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	/* Else malloc keeps room for the largest buffer there ever was, all of it locked. */
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BUFFER);
	(void)setrlimit(RLIMIT_MEMLOCK, &limit);
	(void)getrlimit(RLIMIT_MEMLOCK, &limit);
	if (mlockall(MCL_CURRENT) >= 0 && mlockall(MCL_FUTURE | MCL_ONFAULT) >= 0 &&
	    (limit.rlim_cur == RLIM_INFINITY || may_exceed(limit.rlim_cur)))
		return;
	trace("memory is not locked: %s", strerror(errno));
	(void)munlockall();
}

/* Much of this is a right of root's; without it we run as well as we can. */
static void prepare_process(bool debug)
{
	struct rlimit limit;

	lock_memory();
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) < 0)
		trace("writes may wait for disks of ours: %s", strerror(errno));
	/* Secrets are in our memory: no core dumps, no debuggers. */
	if (!debug)
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (getrlimit(RLIMIT_NOFILE, &limit) >= 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	(void)signal(SIGPIPE, SIG_IGN);
}

/* Signals */

static int stop(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct manager *manager = userdata;

	trace("signal %u, stopping", info->ssi_signo);
	notify_stopping();
	manager->state = MANAGER_STOPPING;
	return sd_event_exit(manager->event, 0);
}

static void reload_done(void *userdata, int error, const struct config_fault *fault)
{
	notify_reloaded();
}

static int reload(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	notify_reloading();
	/* What is wrong with a configuration is an event. */
	if (manager_reload(userdata, reload_done, NULL) < 0)
		notify_reloaded();
	return 0;
}

static int add_signals(struct manager *manager)
{
	static const struct {
		int number;
		sd_event_signal_handler_t handler;
	} signals[] = {
		{ SIGTERM, stop },
		{ SIGINT, stop },
		{ SIGHUP, reload },
	};

	for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
		int r = sd_event_add_signal(manager->event, NULL, signals[i].number,
					    signals[i].handler, manager);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Threads inherit this: signals, and children, are the loop's. */
static void block_signals(void)
{
	sigset_t signals;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGHUP);
	(void)sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
}

/* Running */

/* A turn of the loop should not take longer. */
#define TURN_TRACED_USEC 10000

static void raise_version(struct manager *manager, enum event_number number)
{
	struct event *event = event_new(number);

	event_set_string(event, FIELD_VERSION, OIS_VERSION);
	eventlog_raise(manager->log, event);
}

static int fail_start(const char *doing, const char *what, int error)
{
	fprintf(stderr, "oisd: cannot %s%s%s: %s\n", doing, what[0] ? " " : "", what,
		strerror(-error));
	(void)sd_notifyf(0, "ERRNO=%d", -error);
	return error;
}

/* sd_event_loop(), and how long one thing ever kept all others waiting. */
static int run_turns(struct manager *manager)
{
	uint64_t turn;
	int code = 0, r = 0;

	while (r >= 0 && sd_event_get_state(manager->event) != SD_EVENT_FINISHED) {
		r = sd_event_run(manager->event, UINT64_MAX);
		turn = turn_lasted_usec();
		if (turn > manager->longest_turn_usec)
			manager->longest_turn_usec = turn;
		if (turn > TURN_TRACED_USEC)
			trace("the loop was busy for %" PRIu64 " us", turn);
	}
	if (r >= 0)
		(void)sd_event_get_exit_code(manager->event, &code);
	return r < 0 ? r : code;
}

static int run_loop(struct manager *manager)
{
	_cleanup_(notify_freep) struct notify *notify = NULL;
	int r;

	r = notify_new(manager, &notify);
	if (r < 0)
		return fail_start("notify the service manager", "", r);
	raise_version(manager, EVENT_DAEMON_STARTED);
	r = run_turns(manager);
	raise_version(manager, EVENT_DAEMON_STOPPED);
	return r;
}

static int run(const struct manager_paths *paths)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	_cleanup_(manager_freep) struct manager *manager = NULL;
	int r;

	r = sd_event_default(&event);
	if (r >= 0)
		r = manager_new(event, paths, &manager);
	if (r >= 0)
		r = add_signals(manager);
	if (r < 0)
		return fail_start("start", "", r);
	r = manager_start(manager);
	if (r < 0)
		return fail_start("serve", paths->socket, r);
	return run_loop(manager);
}

/* As scanner.c starts it: with the places of sysfs and /proc, and a word if it is to write traces.
 */
static int run_scanner(int argc, char **argv)
{
	struct sysfs sysfs;
	int r = -EINVAL;

	if (argc == 3 || argc == 4) {
		sysfs = (struct sysfs){ .root = argv[1], .proc = argv[2] };
		trace_enabled = argc == 4;
		prepare_process(trace_enabled);
		r = scanner_serve(&sysfs);
	}
	fprintf(stderr, "%s: is started by oisd: %s\n", argv[0], strerror(-r));
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct options options;
	int r;

	if (argc > 0 && strcmp(argv[0], SCANNER_NAME) == 0)
		return run_scanner(argc, argv);
	r = parse_options(argc, argv, &options);
	if (r <= 0)
		return r < 0 ? 2 : EXIT_SUCCESS;
	trace_enabled = options.debug;
	block_signals();
	prepare_process(options.debug);
	return run(&options.paths) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
