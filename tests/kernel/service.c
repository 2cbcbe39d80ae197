/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service: runs a program as the service manager would, for guests that have none: with a listening
 * socket that is there before it, and a notification socket. The program keeps our process id; that
 * it is ready is one line in a pipe, so that nobody has to ask again and again.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTEN_FD 3 /* SD_LISTEN_FDS_START */

static const char usage[] =
	"Usage: service [--listen PATH [--mode MODE] [--name NAME]] --ready FD COMMAND "
	"[ARGUMENT]...\n"
	"\n"
	"  --listen PATH  a socket the command is given, as socket activation does\n"
	"  --mode MODE    its permissions (0666)\n"
	"  --name NAME    its name for sd_listen_fds_with_names(3)\n"
	"  --ready PIPE   a line \"ready\" is written here when the command says READY=1; end of "
	"file\n"
	"                 without it: the command has ended\n";

static int open_socket(const char *path, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		errx(1, "path too long: %s", path);
	strcpy(address.sun_path, path);
	(void)unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "cannot bind %s", path);
	return fd;
}

/* The socket activation protocol: descriptor 3, and the process id of the one it is for. */
static void pass_socket(const char *path, mode_t mode, const char *name)
{
	char pid[16];
	int fd = open_socket(path, SOCK_STREAM);

	if (chmod(path, mode) < 0 || listen(fd, SOMAXCONN) < 0)
		err(1, "cannot listen on %s", path);
	/* dup2() takes close-on-exec away, unless there is nothing to do. */
	if (fd == LISTEN_FD ? fcntl(fd, F_SETFD, 0) < 0 : dup2(fd, LISTEN_FD) < 0)
		err(1, "descriptor %d", LISTEN_FD);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", name, 1);
}

static void wait_until_ready(int notify, int command, int ready)
{
	struct pollfd fds[] = { { .fd = notify, .events = POLLIN },
				{ .fd = command, .events = POLLIN } };
	char text[4096];

	while (poll(fds, 2, -1) > 0 || errno == EINTR) {
		ssize_t n;

		if (fds[0].revents & POLLIN) {
			n = recv(notify, text, sizeof(text) - 1, 0);
			text[n > 0 ? n : 0] = 0;
			if (strncmp(text, "READY=1", 7) == 0 || strstr(text, "\nREADY=1")) {
				dprintf(ready, "ready\n");
				return;
			}
		} else if (fds[1].revents & POLLIN)
			return;
	}
}

/* A grandchild waits: the command must not find a child it did not make. */
static void start_waiting(int ready)
{
	char path[64];
	int notify, command;
	pid_t pid;

	snprintf(path, sizeof(path), "/run/notify.%d", (int)getpid());
	notify = open_socket(path, SOCK_DGRAM);
	setenv("NOTIFY_SOCKET", path, 1);
	command = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (command < 0)
		err(1, "pidfd_open");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		if (fork() == 0)
			wait_until_ready(notify, command, ready);
		_exit(0);
	}
	(void)waitpid(pid, NULL, 0);
	close(notify);
	close(command);
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ "mode", required_argument, NULL, 'm' },
		{ "name", required_argument, NULL, 'n' },
		{ "ready", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *path = NULL, *name = "socket";
	int ready = -1;
	mode_t mode = 0666;

	for (int c; (c = getopt_long(argc, argv, "+", options, NULL)) >= 0;) {
		switch (c) {
		case 'l':
			path = optarg;
			break;
		case 'm':
			mode = (mode_t)strtoul(optarg, NULL, 8);
			break;
		case 'n':
			name = optarg;
			break;
		case 'r':
			ready = atoi(optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return 2;
		}
	}
	if (fcntl(ready, F_SETFD, FD_CLOEXEC) < 0 || optind == argc) {
		fputs(usage, stderr);
		return 2;
	}
	start_waiting(ready);
	if (path)
		pass_socket(path, mode, name);
	execvp(argv[optind], argv + optind);
	err(127, "cannot run %s", argv[optind]);
}
