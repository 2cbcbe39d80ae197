/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plays a script: the real daemon, with files and sockets of its own, against the scripted target
 * of target.c. One line, one step: config LINE            a line for ois.conf; "config [Node]" and
 * settings below it secret TEXT, target-secret TEXT refuse-secret ROLE TEXT   the daemon must
 * refuse it refuse nodelay         the daemon runs under a filter that refuses TCP_NODELAY address
 * ADDRESS        the node's address, instead of the target's no-target              nobody listens
 * on the target's port no-initiator-name      the host has no initiator name yet start starts the
 * daemon; login and discover do it, too login, discover        asks the daemon, and goes on accept,
 * close, reset, expect-close, > PDU, < PDU      see target.h stop, continue         stops the
 * daemon's process, lets it run again event N FIELD=VALUE... waits for the journal entry; VALUE*
 * compares the beginning absent N               this event has not come so far reply TEXT the
 * answer to login or discover has ended, and TEXT stands in it Usage: play OISD SCRIPT
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "buffer.h"
#include "target.h"

#define TARGET_NAME    "iqn.2026-11.example:script"
#define INITIATOR_NAME "iqn.2026-11.example:initiator"
/* Nothing here takes longer unless it is broken. */
#define PATIENCE_MS 20000
#define WORDS_MAX   64
#define EVENTS_MAX  256

struct play {
	const char *oisd;
	char directory[64];
	struct target *target;
	pid_t daemon;
	int journal, call;
	bool refuse_nodelay, nameless;
	struct buffer config, reply;
	char address[128];
	char secret[512], target_secret[512];
	char *events[EVENTS_MAX];
	size_t n_events;
	bool replied;
};

static _Noreturn void fail(const char *format, ...) _printf_(1, 2);
static const char *script;
static unsigned line_number;

static _Noreturn void fail(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s:%u: ", script, line_number);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

static void check(int r, const char *what)
{
	if (r < 0)
		fail("%s: %s", what, strerror(-r));
}

static void path_of(const struct play *play, const char *name, char ret[108])
{
	if (snprintf(ret, 108, "%s/%s", play->directory, name) >= 108)
		fail("the temporary directory has too long a name");
}

static void write_file(const struct play *play, const char *name, const void *data, size_t length)
{
	char path[108];
	FILE *file;

	path_of(play, name, path);
	file = fopen(path, "we");
	if (!file || fwrite(data, 1, length, file) != length || fclose(file) != 0)
		fail("cannot write %s", path);
}

static int unix_socket(const struct play *play, const char *name, int type, bool listen_there)
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

/* A system in which TCP_NODELAY is forbidden, as a sandbox may do. */
static void refuse_nodelay(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setsockopt, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TCP_NODELAY, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ELEMENTSOF(filter), .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(126);
}

static _Noreturn void run_daemon(const struct play *play, int notify)
{
	char options[5][160], notify_path[108];
	const struct {
		const char *option, *name;
	} paths[] = {
		{ "--config", "ois.conf" },
		{ "--listen", "socket" },
		{ "--records", "records" },
		{ "--journal", "journal" },
		{ "--initiator-name-file", "initiatorname.iscsi" },
	};

	for (size_t i = 0; i < ELEMENTSOF(paths); i++)
		(void)snprintf(options[i], sizeof(options[i]), "%s=%s/%s", paths[i].option,
			       play->directory, paths[i].name);
	path_of(play, "notify", notify_path);
	(void)setenv("NOTIFY_SOCKET", notify_path, 1);
	(void)close(notify);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (play->refuse_nodelay)
		refuse_nodelay();
	execl(play->oisd, play->oisd, options[0], options[1], options[2], options[3], options[4],
	      NULL);
	fprintf(stderr, "%s: %s\n", play->oisd, strerror(errno));
	_exit(127);
}

static void await_ready(const struct play *play, int notify)
{
	char message[512];

	for (;;) {
		struct pollfd poll_fd = { .fd = notify, .events = POLLIN };
		ssize_t n;

		if (poll(&poll_fd, 1, PATIENCE_MS) <= 0)
			fail("the daemon does not become ready");
		n = recv(notify, message, sizeof(message) - 1, 0);
		message[n > 0 ? n : 0] = '\0';
		if (strstr(message, "READY=1"))
			return;
	}
}

static void start_daemon(struct play *play)
{
	static const char name[] = "InitiatorName=" INITIATOR_NAME "\n";
	int notify;

	if (play->daemon > 0)
		return;
	write_file(play, "ois.conf", play->config.length ? (char *)play->config.data : "",
		   play->config.length);
	if (!play->nameless)
		write_file(play, "initiatorname.iscsi", name, strlen(name));
	play->journal = unix_socket(play, "journal", SOCK_DGRAM, true);
	notify = unix_socket(play, "notify", SOCK_DGRAM, true);
	play->daemon = fork();
	if (play->daemon < 0)
		fail("fork failed");
	if (play->daemon == 0)
		run_daemon(play, notify);
	await_ready(play, notify);
	(void)close(notify);
}

/* Calls */

static void send_call(int fd, const char *format, ...) _printf_(2, 3);
static void send_call(int fd, const char *format, ...)
{
	char message[2048];
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	if (send(fd, message, (size_t)n + 1, MSG_NOSIGNAL) != n + 1)
		fail("cannot send a call");
}

/* Reads replies into play->reply until one is the last. */
static void await_reply(struct play *play, int fd)
{
	char piece[4096];

	buffer_clear(&play->reply);
	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&poll_fd, 1, PATIENCE_MS) <= 0)
			fail("no reply");
		n = recv(fd, piece, sizeof(piece), 0);
		if (n <= 0)
			fail("the daemon closed the connection");
		check(buffer_append(&play->reply, piece, (size_t)n), "reply");
		if (play->reply.data[play->reply.length - 1] != '\0')
			continue;
		/* The last message: the one after the last NUL but one. */
		for (size_t i = play->reply.length - 1;; i--) {
			if (i > 0 && play->reply.data[i - 1] != '\0')
				continue;
			if (!strstr((char *)play->reply.data + i, "\"continues\":true"))
				return;
			break;
		}
	}
}

static void call_and_check(struct play *play)
{
	await_reply(play, play->call);
	if (strstr((char *)play->reply.data, "\"error\""))
		fail("refused: %s", (char *)play->reply.data);
}

static void send_secret(struct play *play, const char *role, const char *secret)
{
	send_call(play->call,
		  "{\"method\":\"org.ois.node.SetSecret\",\"parameters\":{\"selector\":{"
		  "\"targetName\":"
		  "\"" TARGET_NAME "\"},\"role\":\"%s\",\"secret\":\"%s\"}}",
		  role, secret);
}

static void store_secret(struct play *play, const char *role, const char *secret)
{
	if (!secret[0])
		return;
	send_secret(play, role, secret);
	call_and_check(play);
}

static void create_node(struct play *play)
{
	start_daemon(play);
	play->call = unix_socket(play, "socket", SOCK_STREAM, false);
	send_call(play->call,
		  "{\"method\":\"org.ois.node.Create\",\"parameters\":{\"key\":{\"targetName\":"
		  "\"" TARGET_NAME "\",\"address\":\"%s\",\"port\":%u}}}",
		  play->address, target_port(play->target));
	call_and_check(play);
}

static void refuse_secret(struct play *play, const char *role, const char *secret)
{
	create_node(play);
	send_secret(play, role, secret);
	await_reply(play, play->call);
	if (!strstr((char *)play->reply.data, "org.ois.node.SecretTooShort"))
		fail("the secret is not refused: %s", (char *)play->reply.data);
}

static void do_login(struct play *play)
{
	create_node(play);
	store_secret(play, "initiator", play->secret);
	store_secret(play, "target", play->target_secret);
	send_call(play->call, "{\"method\":\"org.ois.session.Login\",\"parameters\":{\"selector\":{"
			      "}},\"more\":true}");
}

static void do_discover(struct play *play)
{
	start_daemon(play);
	play->call = unix_socket(play, "socket", SOCK_STREAM, false);
	send_call(play->call,
		  "{\"method\":\"org.ois.discovery.Discover\",\"parameters\":{\"method\":\"send_"
		  "targets\","
		  "\"address\":\"127.0.0.1\",\"port\":%u},\"more\":true}",
		  target_port(play->target));
}

static void do_reply(struct play *play, const char *text)
{
	if (!play->replied)
		await_reply(play, play->call);
	play->replied = true;
	/* Several messages, NUL between them. */
	if (!memmem(play->reply.data, play->reply.length, text, strlen(text))) {
		for (size_t i = 0; i + 1 < play->reply.length; i++)
			if (!play->reply.data[i])
				play->reply.data[i] = '\n';
		fail("\"%s\" is not in the reply:\n%s", text, (char *)play->reply.data);
	}
}

/* Events */

static bool field_matches(const char *entry, const char *word)
{
	const char *equals = strchr(word, '=');
	size_t name = equals ? (size_t)(equals - word) : 0;
	size_t length = strlen(word);
	bool prefix = length > 0 && word[length - 1] == '*';

	if (!equals)
		fail("not FIELD=VALUE: %s", word);
	for (const char *line = entry; line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		size_t n = strcspn(line, "\n");

		if (strncmp(line, word, name + 1) != 0)
			continue;
		if (prefix ? strncmp(line, word, length - 1) == 0
			   : n == length && strncmp(line, word, n) == 0)
			return true;
	}
	return false;
}

static bool is_event(const char *entry, unsigned number)
{
	char word[32];

	(void)snprintf(word, sizeof(word), "OIS_EVENT=%u", number);
	return field_matches(entry, word);
}

static void receive_event(struct play *play, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = play->journal, .events = POLLIN };
	char entry[65536];
	ssize_t n;

	if (poll(&poll_fd, 1, timeout_ms) <= 0)
		return;
	n = recv(play->journal, entry, sizeof(entry) - 1, 0);
	if (n <= 0 || play->n_events == EVENTS_MAX)
		fail("too many events, or none");
	entry[n] = '\0';
	play->events[play->n_events++] = strdup(entry);
}

static void do_event(struct play *play, char **words, size_t n)
{
	unsigned number = (unsigned)strtoul(words[0], NULL, 10);
	size_t i = 0;

	for (;; i++) {
		if (i == play->n_events)
			receive_event(play, PATIENCE_MS);
		if (i == play->n_events) {
			for (size_t k = 0; k < play->n_events; k++)
				fprintf(stderr, "--- received:\n%s", play->events[k]);
			fail("event %u did not come", number);
		}
		if (is_event(play->events[i], number))
			break;
	}
	for (size_t k = 1; k < n; k++)
		if (!field_matches(play->events[i], words[k]))
			fail("event %u lacks %s:\n%s", number, words[k], play->events[i]);
}

static void do_absent(struct play *play, unsigned number)
{
	size_t before;

	do {
		before = play->n_events;
		receive_event(play, 0);
	} while (play->n_events > before);
	for (size_t i = 0; i < play->n_events; i++)
		if (is_event(play->events[i], number))
			fail("event %u came:\n%s", number, play->events[i]);
}

/* The rest */

static void do_stop(struct play *play)
{
	int status;

	if (kill(play->daemon, SIGSTOP) < 0 || waitpid(play->daemon, &status, WUNTRACED) < 0 ||
	    !WIFSTOPPED(status))
		fail("cannot stop the daemon");
}

static void finish(struct play *play)
{
	char command[128];
	int status;

	if (play->daemon > 0) {
		(void)kill(play->daemon, SIGTERM);
		if (waitpid(play->daemon, &status, 0) < 0 || !WIFEXITED(status) ||
		    WEXITSTATUS(status) != 0)
			fail("the daemon ended with status 0x%x", status);
	}
	play->target = target_free(play->target);
	buffer_done(&play->config);
	buffer_done(&play->reply);
	for (size_t i = 0; i < play->n_events; i++)
		free(play->events[i]);
	(void)close_fd(play->journal);
	(void)close_fd(play->call);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", play->directory);
	if (system(command) != 0)
		fail("cannot remove %s", play->directory);
}

static void step(struct play *play, char **words, size_t n, const char *rest)
{
	const char *verb = words[0];

	if (strcmp(verb, "config") == 0)
		check(buffer_printf(&play->config, "%s\n", rest), verb);
	else if (strcmp(verb, "secret") == 0)
		(void)snprintf(play->secret, sizeof(play->secret), "%s", rest);
	else if (strcmp(verb, "target-secret") == 0)
		(void)snprintf(play->target_secret, sizeof(play->target_secret), "%s", rest);
	else if (strcmp(verb, "refuse-secret") == 0 && n == 3)
		refuse_secret(play, words[1], words[2]);
	else if (strcmp(verb, "refuse") == 0)
		play->refuse_nodelay = true;
	else if (strcmp(verb, "address") == 0)
		(void)snprintf(play->address, sizeof(play->address), "%s", rest);
	else if (strcmp(verb, "no-initiator-name") == 0)
		play->nameless = true;
	else if (strcmp(verb, "start") == 0)
		start_daemon(play);
	else if (strcmp(verb, "no-target") == 0)
		target_deafen(play->target);
	else if (strcmp(verb, "login") == 0)
		do_login(play);
	else if (strcmp(verb, "discover") == 0)
		do_discover(play);
	else if (strcmp(verb, "accept") == 0)
		check(target_accept(play->target, PATIENCE_MS), verb);
	else if (strcmp(verb, "close") == 0 || strcmp(verb, "reset") == 0)
		check(target_close(play->target, verb[0] == 'r'), verb);
	else if (strcmp(verb, "expect-close") == 0)
		check(target_expect_close(play->target, PATIENCE_MS), verb);
	else if (strcmp(verb, ">") == 0)
		check(target_expect(play->target, words + 1, n - 1, PATIENCE_MS), "expected PDU");
	else if (strcmp(verb, "<") == 0)
		check(target_send(play->target, words + 1, n - 1), "PDU to send");
	else if (strcmp(verb, "stop") == 0)
		do_stop(play);
	else if (strcmp(verb, "continue") == 0)
		check(kill(play->daemon, SIGCONT) < 0 ? -errno : 0, verb);
	else if (strcmp(verb, "event") == 0 && n > 1)
		do_event(play, words + 1, n - 1);
	else if (strcmp(verb, "absent") == 0 && n > 1)
		do_absent(play, (unsigned)strtoul(words[1], NULL, 10));
	else if (strcmp(verb, "reply") == 0)
		do_reply(play, rest);
	else
		fail("unknown step: %s", verb);
}

static void play_line(struct play *play, char *line)
{
	char *words[WORDS_MAX], *save = NULL, *copy;
	const char *rest;
	size_t n = 0;

	line[strcspn(line, "\n")] = '\0';
	if (line[0] == '#' || line[strspn(line, " \t")] == '\0')
		return;
	copy = strdup(line);
	if (!copy)
		fail("no memory");
	rest = line + strcspn(line, " ");
	rest += strspn(rest, " ");
	for (char *word = strtok_r(copy, " \t", &save); word && n < WORDS_MAX;
	     word = strtok_r(NULL, " \t", &save))
		words[n++] = word;
	step(play, words, n, rest);
	free(copy);
}

int main(int argc, char **argv)
{
	struct play play = { .address = "127.0.0.1",
			     .directory = "/tmp/ois-play-XXXXXX",
			     .journal = -EBADF,
			     .call = -EBADF };
	char line[4096];
	FILE *file;

	if (argc != 3) {
		fprintf(stderr, "usage: %s OISD SCRIPT\n", argv[0]);
		return 2;
	}
	play.oisd = argv[1];
	script = argv[2];
	file = fopen(script, "re");
	if (!file || !mkdtemp(play.directory))
		fail("cannot begin: %s", strerror(errno));
	check(target_new(&play.target), "target");
	while (fgets(line, sizeof(line), file)) {
		line_number++;
		play_line(&play, line);
	}
	(void)fclose(file);
	finish(&play);
	return 0;
}
