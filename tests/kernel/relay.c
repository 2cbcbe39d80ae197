/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * relay: forwards TCP connections, and cuts all it has when it gets SIGUSR1, with FIN and RST by
 * turns. New ones are taken at once: what a short interruption on the way looks like.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char usage[] =
	"Usage: relay PORT ADDRESS ADDRESS_PORT\n"
	"\n"
	"Takes connections at 127.0.0.1:PORT and makes one each to ADDRESS:ADDRESS_PORT. A line\n"
	"\"ready\" says that it listens. SIGUSR1 cuts those that there are.\n";

static struct sockaddr_in address(const char *host, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	if (inet_pton(AF_INET, host, &a.sin_addr) != 1 || !a.sin_port)
		errx(2, "no address: %s port %s", host, port);
	return a;
}

static int open_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		err(2, "socket");
	return fd;
}

/* False at the end. Each side reads whatever the other one does: nobody waits for the other. */
static bool pass(int from, int to)
{
	static char buffer[65536];
	ssize_t n = read(from, buffer, sizeof(buffer)), done = 0;

	while (n > done) {
		ssize_t r = write(to, buffer + done, (size_t)(n - done));

		if (r < 0)
			return false;
		done += r;
	}
	return n > 0;
}

/* A process for each connection; SIGUSR2 ends it, and with it both sockets. */
static void forward(int client, const struct sockaddr_in *to, bool reset)
{
	const struct linger linger = { .l_onoff = reset };
	int target = open_socket();
	struct pollfd fds[] = { { .fd = client, .events = POLLIN },
				{ .fd = target, .events = POLLIN } };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGUSR2, SIG_DFL);
	(void)setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	(void)setsockopt(target, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	if (connect(target, (const struct sockaddr *)to, sizeof(*to)) < 0)
		err(1, "connect");
	while (poll(fds, 2, -1) > 0)
		for (unsigned i = 0; i < 2; i++)
			if (fds[i].revents && !pass(fds[i].fd, fds[!i].fd))
				exit(0);
}

/* Sent to the process group, of which only this process does not mind. */
static void cut(int signal)
{
	(void)kill(0, SIGUSR2);
}

int main(int argc, char *argv[])
{
	struct sigaction action = { .sa_handler = cut, .sa_flags = SA_RESTART };
	struct sockaddr_in at, to;
	int listener, yes = 1;

	if (argc != 4) {
		fputs(usage, stderr);
		return 2;
	}
	at = address("127.0.0.1", argv[1]);
	to = address(argv[2], argv[3]);
	(void)setpgid(0, 0);
	(void)signal(SIGCHLD, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGUSR2, SIG_IGN);
	(void)sigaction(SIGUSR1, &action, NULL);
	listener = open_socket();
	(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listener, 16) < 0)
		err(2, "127.0.0.1:%s", argv[1]);
	puts("ready");
	(void)fflush(stdout);
	for (bool reset = false;; reset = !reset) {
		int client = accept(listener, NULL, NULL);
		pid_t pid = client < 0 ? -1 : fork();

		if (pid < 0)
			err(2, "a connection");
		if (pid == 0) {
			close(listener);
			forward(client, &to, reset);
		}
		close(client);
	}
}
