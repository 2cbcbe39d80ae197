/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "json.h"
#include "oisd.h"

const char *oisd_program;

static void wait_for(int fd, short events)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	if (poll(&poll_fd, 1, PATIENCE_MS) != 1)
		fail_msg("nothing came in time");
}

static int bind_notify(const struct oisd *oisd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", oisd->directory);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

void oisd_prepare(struct oisd *oisd, const char *configuration)
{
	char path[128];
	FILE *file;

	*oisd = (struct oisd){ .directory = "/tmp/ois-varlink-XXXXXX", .pid = -1 };
	assert_non_null(mkdtemp(oisd->directory));
	/* For clients of other users. */
	assert_int_equal(chmod(oisd->directory, 0755), 0);
	(void)snprintf(oisd->socket, sizeof(oisd->socket), "%s/run/org.ois", oisd->directory);
	oisd->notify = bind_notify(oisd);
	if (!configuration)
		return;
	(void)snprintf(path, sizeof(path), "%s/ois.conf", oisd->directory);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(configuration, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* In the child. */
static _Noreturn void execute(const struct oisd *oisd, int listener)
{
	static const struct {
		const char *option, *name;
	} paths[] = {
		{ "config", "ois.conf" }, { "listen", "run/org.ois" },
		{ "records", "records" }, { "journal", "journal" },
		{ "sysfs", "no-sysfs" },  { "initiator-name-file", "initiatorname.iscsi" },
	};
	char *arguments[16] = { (char *)(uintptr_t)oisd_program, (char *)(uintptr_t) "--debug" };
	char path[128], pid[16];
	size_t n = 2;
	int log;

	for (size_t i = 0; i < ELEMENTSOF(paths); i++)
		if (asprintf(&arguments[n++], "--%s=%s/%s", paths[i].option, oisd->directory,
			     paths[i].name) < 0)
			_exit(99);
	(void)snprintf(path, sizeof(path), "%s/notify", oisd->directory);
	(void)setenv("NOTIFY_SOCKET", path, 1);
	if (listener >= 0) {
		(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
		(void)setenv("LISTEN_PID", pid, 1);
		(void)setenv("LISTEN_FDS", "1", 1);
		(void)setenv("LISTEN_FDNAMES", "varlink", 1);
		(void)dup2(listener, 3);
	}
	(void)snprintf(path, sizeof(path), "%s/log", oisd->directory);
	log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	(void)dup2(log, STDERR_FILENO);
	(void)execv(oisd_program, arguments);
	_exit(98);
}

void oisd_start(struct oisd *oisd, int listener)
{
	char text[256];

	(void)fflush(NULL);
	oisd->pid = fork();
	assert_true(oisd->pid >= 0);
	if (oisd->pid == 0)
		execute(oisd, listener);
	oisd_expect_notify(oisd, "READY=1", text);
}

int oisd_run_another(const struct oisd *oisd)
{
	pid_t pid;
	int status;

	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		execute(oisd, -1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int oisd_stop(struct oisd *oisd, int signal)
{
	int status;

	assert_int_equal(kill(oisd->pid, signal), 0);
	assert_int_equal(waitpid(oisd->pid, &status, 0), oisd->pid);
	oisd->pid = -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	return remove(path);
}

void oisd_done(struct oisd *oisd)
{
	if (oisd->pid > 0)
		(void)oisd_stop(oisd, SIGKILL);
	(void)close(oisd->notify);
	(void)nftw(oisd->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void oisd_expect_notify(struct oisd *oisd, const char *text, char ret[256])
{
	ssize_t n;

	do {
		wait_for(oisd->notify, POLLIN);
		n = recv(oisd->notify, ret, 255, 0);
		assert_true(n >= 0);
		ret[n] = '\0';
	} while (strncmp(ret, text, strlen(text)) != 0);
}

char *oisd_read_file(const struct oisd *oisd, const char *name)
{
	char path[160], *text = calloc(1, 1 << 20);
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", oisd->directory, name);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 20) - 1, file) > 0 || feof(file));
	(void)fclose(file);
	return text;
}

long oisd_resident(const struct oisd *oisd)
{
	char path[64];
	long pages = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)oisd->pid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%*s %ld", &pages), 1);
	(void)fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Bytes looked at in one go; larger regions than so many belong to the sanitizers. */
#define SCAN_SIZE  (1 << 20)
#define REGION_MAX (UINT64_C(1) << 28)

static size_t count_in_region(int memory, uint64_t start, uint64_t end, const char *text)
{
	static char bytes[SCAN_SIZE];
	size_t length = strlen(text), count = 0;

	/* Chunks overlap by what may be cut in two. */
	for (uint64_t at = start; at < end; at += sizeof(bytes) - length + 1) {
		size_t size = end - at < sizeof(bytes) ? (size_t)(end - at) : sizeof(bytes);
		ssize_t n = pread(memory, bytes, size, (off_t)at);
		const char *found = bytes;

		while (n > 0 &&
		       (found = memmem(found, (size_t)(bytes + n - found), text, length))) {
			found++;
			count++;
		}
	}
	return count;
}

size_t oisd_count_in_memory(const struct oisd *oisd, const char *text)
{
	char path[64], line[512];
	uint64_t start, end;
	size_t count = 0;
	FILE *maps;
	int memory;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)oisd->pid);
	maps = fopen(path, "re");
	assert_non_null(maps);
	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)oisd->pid);
	memory = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(memory >= 0);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " rw", &start, &end) == 2 &&
		    strstr(line, " rw") && end - start <= REGION_MAX)
			count += count_in_region(memory, start, end, text);
	(void)close(memory);
	(void)fclose(maps);
	return count;
}

/* Client */

void client_open(struct client *client, const struct oisd *oisd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*client = (struct client){ .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	assert_true(client->fd >= 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", oisd->socket);
	if (connect(client->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		fail_msg("%s: %s", oisd->socket, strerror(errno));
}

void client_close(struct client *client)
{
	(void)close(client->fd);
	buffer_done(&client->input);
	client->fd = -1;
}

void client_send(struct client *client, const void *data, size_t length)
{
	const char *bytes = data;

	while (length > 0) {
		ssize_t n = send(client->fd, bytes, length, MSG_NOSIGNAL);

		/* The daemon may close before it has read everything. */
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return;
		assert_true(n > 0);
		bytes += n;
		length -= (size_t)n;
	}
}

const char *client_receive_text(struct client *client)
{
	static char *text;
	uint8_t *at;
	const uint8_t *nul;
	ssize_t n;

	for (;;) {
		nul = client->input.length > 0 ? memchr(client->input.data, 0, client->input.length)
					       : NULL;
		if (nul)
			break;
		assert_int_equal(buffer_reserve(&client->input, 65536, &at), 0);
		wait_for(client->fd, POLLIN);
		n = recv(client->fd, at, 65536, 0);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return NULL;
		assert_true(n > 0);
		buffer_commit(&client->input, (size_t)n);
	}
	free(text);
	text = strdup((const char *)client->input.data);
	assert_non_null(text);
	buffer_consume(&client->input, (size_t)(nul - client->input.data) + 1);
	return text;
}

json_object *client_receive(struct client *client)
{
	const char *text = client_receive_text(client);
	json_object *message = NULL;

	if (!text)
		return NULL;
	if (json_parse(text, strlen(text), &message) < 0)
		fail_msg("not JSON: %s", text);
	return message;
}

void client_send_call(struct client *client, const char *method, const char *parameters,
		      const char *flag)
{
	char *text;
	int n = asprintf(&text, "{\"method\":\"%s\",\"parameters\":%s%s%s%s}", method,
			 parameters ? parameters : "{}", flag ? ",\"" : "", flag ? flag : "",
			 flag ? "\":true" : "");

	assert_true(n > 0);
	client_send(client, text, (size_t)n + 1);
	free(text);
}

json_object *client_call(struct client *client, const char *method, const char *parameters)
{
	json_object *reply;

	client_send_call(client, method, parameters, NULL);
	reply = client_receive(client);
	assert_non_null(reply);
	return reply;
}

json_object *client_stream(struct client *client, const char *method, const char *parameters)
{
	json_object *replies = json_object_new_array(), *reply;
	bool continues;

	client_send_call(client, method, parameters, "more");
	do {
		reply = client_receive(client);
		assert_non_null(reply);
		continues = false;
		(void)json_get_bool(reply, "continues", &continues);
		assert_int_equal(json_append(replies, reply), 0);
	} while (continues);
	return replies;
}

const char *text_at(json_object *message, const char *path)
{
	json_object *value = json_get_path(message, path);

	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

int64_t number_at(json_object *message, const char *path)
{
	int64_t number = -1;

	(void)json_to_int(json_get_path(message, path), &number);
	return number;
}
