/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon's process: its files, its surroundings, its clock. */
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "play.h"

/* Files */

static void path_of(const struct play *play, const char *name, char ret[108])
{
	if (snprintf(ret, 108, "%s/%s", play->directory, name) >= 108)
		fail("the path is too long: %s/%s", play->directory, name);
}

static void write_file(const struct play *play, const char *name, const char *mode,
		       const void *data, size_t length)
{
	char path[108];
	FILE *file;

	path_of(play, name, path);
	for (char *slash = path; (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		(void)mkdir(path, 0700);
		*slash = '/';
	}
	file = fopen(path, mode);
	if (!file || fwrite(data, 1, length, file) != length || fclose(file) != 0)
		fail("cannot write %s: %s", path, strerror(errno));
}

static void write_config(const struct play *play)
{
	write_file(play, "ois.conf", "we", play->config.length ? (char *)play->config.data : "",
		   play->config.length);
}

static int open_socket(const struct play *play, const char *name, int type, bool listen_there)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	path_of(play, name, address.sun_path);
	if (fd < 0)
		fail("no socket");
	if (listen_there && bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail("cannot bind %s: %s", address.sun_path, strerror(errno));
	if (!listen_there && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail("cannot connect to %s: %s", address.sun_path, strerror(errno));
	return fd;
}

int connect_socket(const struct play *play, const char *name, int type)
{
	return open_socket(play, name, type, false);
}

void play_config(struct play *play, const struct line *line)
{
	check(buffer_printf(&play->config, "%s\n", line->rest), "config");
}

void play_file(struct play *play, const struct line *line)
{
	const char *text = line->rest + strcspn(line->rest, " ");

	text += strspn(text, " ");
	write_file(play, line->words[1], "ae", text, strlen(text));
	write_file(play, line->words[1], "ae", "\n", 1);
}

void play_environment(struct play *play, const struct line *line)
{
	if (putenv(strdup(line->rest)) != 0)
		fail("no memory");
}

/* What the system refuses the daemon */

struct refusal {
	long call;
	int error;
	size_t n; /* arguments that must be these */
	struct {
		unsigned number;
		uint32_t value;
	} arguments[2];
};

/* As a sandbox may, and a route of type prohibit. */
static const struct {
	const char *name;
	struct refusal refusal;
} refusals[] = {
	{ "nodelay", { SYS_setsockopt, EPERM, 2, { { 1, IPPROTO_TCP }, { 2, TCP_NODELAY } } } },
	{ "connect", { SYS_connect, EACCES, 1, { { 2, sizeof(struct sockaddr_in) } } } },
};

/* A machine without iSCSI, whatever the one is that runs the test. */
static const struct refusal no_iscsi[] = {
	{ SYS_socket, EPROTONOSUPPORT, 2, { { 0, AF_NETLINK }, { 2, NETLINK_ISCSI } } },
	{ .call = SYS_init_module, .error = EPERM },
	{ .call = SYS_finit_module, .error = EPERM },
};

static void refuse(const struct refusal *refusal)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)refusal->call, 0, 5),
		/* Two arguments; without them, what is true anyway. */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)refusal->call, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)refusal->call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)refusal->error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ELEMENTSOF(filter), .filter = filter };

	for (size_t i = 0; i < refusal->n; i++) {
		filter[2 + 2 * i].k = (uint32_t)(offsetof(struct seccomp_data, args) +
						 refusal->arguments[i].number * sizeof(uint64_t));
		filter[3 + 2 * i].k = refusal->arguments[i].value;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(126);
}

void play_refuse(struct play *play, const struct line *line)
{
	for (size_t i = 0; i < ELEMENTSOF(refusals); i++)
		if (strcmp(line->rest, refusals[i].name) == 0)
			play->refused = &refusals[i].refusal;
	if (!play->refused)
		fail("this cannot be refused");
}

void play_rival(struct play *play, const struct line *line)
{
	play->rival = line->words[1][0] == 'c';
	if (!play->rival || !play->kernel)
		fail("a rival makes a connection, in the kernel");
}

/* The process */

static _Noreturn void run_daemon(const struct play *play, int clock)
{
	static const struct {
		const char *option, *name;
	} paths[] = {
		{ "config", "ois.conf" },
		{ "listen", "socket" },
		{ "records", "records" },
		{ "journal", "journal" },
		{ "initiator-name-file", "initiatorname.iscsi" },
		{ "sysfs", "no-sysfs" },
	};
	static char rival[] = "rival", connection[] = "connection";
	char options[ELEMENTSOF(paths)][160], *whole[ELEMENTSOF(paths) + 4] = { rival, connection };
	char path[108], number[16], **arguments = whole + 2;
	size_t n = ELEMENTSOF(paths) - play->kernel;

	arguments[0] = (char *)(uintptr_t)play->oisd;
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(options[i], sizeof(options[i]), "--%s=%s/%s", paths[i].option,
			       play->directory, paths[i].name);
		arguments[i + 1] = options[i];
	}
	path_of(play, "notify", path);
	(void)setenv("NOTIFY_SOCKET", path, 1);
	(void)snprintf(number, sizeof(number), "%d", dup(clock));
	(void)setenv("OIS_TEST_CLOCK", number, 1);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; !play->kernel && i < ELEMENTSOF(no_iscsi); i++)
		refuse(&no_iscsi[i]);
	if (play->refused)
		refuse(play->refused);
	(void)execvp(play->rival ? rival : play->oisd, play->rival ? whole : arguments);
	fprintf(stderr, "%s: %s\n", play->oisd, strerror(errno));
	_exit(127);
}

/* @end: readable when the daemon has ended, since only it has the other side. */
static void await_ready(int notify, int end)
{
	char message[512];

	for (;;) {
		struct pollfd fds[] = { { .fd = notify, .events = POLLIN }, { .fd = end } };
		ssize_t n;

		if (poll(fds, 2, PATIENCE_MS) <= 0 || fds[1].revents)
			fail("the daemon does not become ready");
		n = recv(notify, message, sizeof(message) - 1, 0);
		message[n > 0 ? n : 0] = '\0';
		if (strstr(message, "READY=1"))
			return;
	}
}

void start_daemon(struct play *play)
{
	static const char name[] = "InitiatorName=" INITIATOR_NAME "\n";
	int notify, clock[2];
	char path[108];

	if (play->daemon > 0)
		return;
	write_config(play);
	if (!play->nameless)
		write_file(play, "initiatorname.iscsi", "we", name, strlen(name));
	if (play->journal < 0)
		play->journal = open_socket(play, "journal", SOCK_DGRAM, true);
	notify = open_socket(play, "notify", SOCK_DGRAM, true);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, clock) < 0)
		fail("no socket");
	play->daemon = fork();
	if (play->daemon < 0)
		fail("fork failed");
	if (play->daemon == 0)
		run_daemon(play, clock[1]);
	(void)close(clock[1]);
	play->clock = clock[0];
	await_ready(notify, play->clock);
	(void)close(notify);
	path_of(play, "notify", path);
	(void)unlink(path);
}

void end_daemon(struct play *play)
{
	int status;

	if (play->daemon <= 0)
		return;
	(void)kill(play->daemon, SIGTERM);
	if (waitpid(play->daemon, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail("the daemon ended with status 0x%x", (unsigned)status);
	play->daemon = 0;
	play->clock = close_fd(play->clock);
	end_clients(play);
}

void play_start(struct play *play, const struct line *line)
{
	start_daemon(play);
}

void play_terminate(struct play *play, const struct line *line)
{
	end_daemon(play);
}

void play_reload(struct play *play, const struct line *line)
{
	write_config(play);
	check(kill(play->daemon, SIGHUP) < 0 ? -errno : 0, "reload");
}

void play_stop(struct play *play, const struct line *line)
{
	int status;

	if (kill(play->daemon, SIGSTOP) < 0 || waitpid(play->daemon, &status, WUNTRACED) < 0 ||
	    !WIFSTOPPED(status))
		fail("cannot stop the daemon");
}

void play_continue(struct play *play, const struct line *line)
{
	check(kill(play->daemon, SIGCONT) < 0 ? -errno : 0, "continue");
}

void play_advance(struct play *play, const struct line *line)
{
	int64_t nsec = (int64_t)(strtod(line->words[1], NULL) * 1e9);
	struct pollfd poll_fd = { .fd = play->clock, .events = POLLIN };

	if (write(play->clock, &nsec, sizeof(nsec)) != (ssize_t)sizeof(nsec) ||
	    poll(&poll_fd, 1, PATIENCE_MS) <= 0 ||
	    read(play->clock, &nsec, sizeof(nsec)) != (ssize_t)sizeof(nsec))
		fail("the daemon's clock cannot be moved");
}

/* The lowest number that is free is what a new descriptor would get, and may not be any more. */
void play_no_descriptors(struct play *play, const struct line *line)
{
	struct rlimit limit = { 0 };
	char path[64];
	struct stat ignored;

	start_daemon(play);
	do
		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%llu", (int)play->daemon,
			       (unsigned long long)limit.rlim_cur++);
	while (lstat(path, &ignored) == 0);
	limit.rlim_max = --limit.rlim_cur;
	if (prlimit(play->daemon, RLIMIT_NOFILE, &limit, NULL) < 0)
		fail("cannot limit the daemon: %s", strerror(errno));
}
