/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The socket of the service: from the service manager or made here, who may connect and how often,
 * and what a user may do. Credentials are those of the time of connect(2): the user is safe to
 * decide by, the process would not be.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <systemd/sd-daemon.h>

#include "service_private.h"
#include "trace.h"

#define LISTEN_NAME    "varlink"
#define LISTEN_BACKLOG 128
/* Accepted before others get their turn of the loop. */
#define ACCEPTS_PER_TURN 16
/* Rest when there are no descriptors. */
#define ACCEPT_PAUSE_USEC (1000 * UINT64_C(1000))

/* Who may what */

static bool is_member(int fd, gid_t gid)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	_cleanup_free_ gid_t *groups = NULL;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	if (peer.gid == gid)
		return true;
	size = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) >= 0 || errno != ERANGE)
		return false;
	groups = malloc(size);
	if (!groups || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return false;
	for (size_t i = 0; i < size / sizeof(*groups); i++)
		if (groups[i] == gid)
			return true;
	return false;
}

static void look_up_member(struct connection *connection)
{
	const struct config *config = connection->service->manager->config;

	connection->member =
		config->access_group_known && is_member(connection->fd, config->access_gid);
}

bool connection_may_change(const struct connection *connection)
{
	return connection->uid == 0;
}

bool connection_may_read(const struct connection *connection)
{
	return connection->uid == 0 || connection->uid == geteuid() || connection->member;
}

void service_reload(struct service *service)
{
	for (struct connection *c = service->connections; c; c = c->next)
		look_up_member(c);
}

/* Accepting */

static bool has_room(const struct service *service, uid_t uid)
{
	size_t same = 0;

	if (uid == 0)
		return service->n_connections < SERVICE_CONNECTIONS_MAX;
	if (service->n_connections >= SERVICE_CONNECTIONS_MAX - SERVICE_CONNECTIONS_RESERVED)
		return false;
	for (const struct connection *c = service->connections; c; c = c->next)
		same += c->uid == uid;
	return same < SERVICE_CONNECTIONS_PER_USER;
}

static int resume_accept(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct service *service = userdata;

	return sd_event_source_set_enabled(service->accept, SD_EVENT_ON);
}

/* The connection stays in the queue of the socket, which would wake us at once: rest for a while.
 */
static int pause_accept(struct service *service)
{
	int r;

	service->pause = sd_event_source_disable_unref(service->pause);
	r = sd_event_add_time_relative(service->manager->event, &service->pause, CLOCK_MONOTONIC,
				       ACCEPT_PAUSE_USEC, 0, resume_accept, service);
	if (r < 0)
		return 0;
	return sd_event_source_set_enabled(service->accept, SD_EVENT_OFF);
}

/* 0: accepted or refused; -EAGAIN: none is waiting. */
static int accept_one(struct service *service)
{
	_cleanup_close_ int fd = -EBADF;
	struct connection *connection;
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t size = sizeof(peer);
	int r;

	fd = accept4(service->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid == (uid_t)-1)
		return 0;
	if (!has_room(service, peer.uid)) {
		service->refused++;
		trace("connection of user %u refused, %zu are open, %" PRIu64
		      " were refused so far",
		      peer.uid, service->n_connections, service->refused);
		return 0;
	}
	r = connection_new(service, fd, peer.uid, &connection);
	if (r < 0)
		return 0;
	(void)TAKE_FD(fd);
	look_up_member(connection);
	return 0;
}

static int accept_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct service *service = userdata;

	for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++) {
		int r = accept_one(service);

		if (r == -EAGAIN)
			break;
		if (r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOBUFS)
			return pause_accept(service);
	}
	return 0;
}

/* Listening */

/* The socket the service manager listens on for us; -ENOENT: none. */
static int listen_passed(int *ret)
{
	_cleanup_close_ int fd = -EBADF;
	char **names = NULL;
	int n;

	n = sd_listen_fds_with_names(1, &names);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		int passed = SD_LISTEN_FDS_START + i;

		if (fd < 0 && strcmp(names[i], LISTEN_NAME) == 0 &&
		    sd_is_socket(passed, AF_UNIX, SOCK_STREAM, 1) > 0)
			fd = passed;
		else
			(void)close_fd(passed);
		free(names[i]);
	}
	free(names);
	if (fd < 0)
		return -ENOENT;
	/* The service manager hands sockets over in blocking mode. */
	if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

/* Removes the socket of a daemon that has ended. -EADDRINUSE: it has not. */
static int remove_stale(const struct sockaddr_un *address)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat status;

	if (lstat(address->sun_path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) >= 0 || errno == EAGAIN)
		return -EADDRINUSE;
	if (errno != ECONNREFUSED)
		return -errno;
	return unlink(address->sun_path) < 0 ? -errno : 0;
}

static int make_parent(const char *path)
{
	_cleanup_free_ char *directory = strdup(path);
	char *slash;

	if (!directory)
		return -ENOMEM;
	slash = strrchr(directory, '/');
	if (!slash || slash == directory)
		return 0;
	*slash = '\0';
	if (mkdir(directory, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	/* Whatever the umask is. */
	return chmod(directory, 0755) < 0 ? -errno : 0;
}

static int listen_at(const char *path, int *ret)
{
	_cleanup_close_ int fd = -EBADF;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	(void)strcpy(address.sun_path, path);
	r = make_parent(path);
	if (r >= 0)
		r = remove_stale(&address);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	/* Everybody may connect; each method decides. */
	if (chmod(path, 0666) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

static int service_listen(struct service *service)
{
	int r;

	r = listen_passed(&service->fd);
	if (r == -ENOENT) {
		r = listen_at(service->manager->paths.socket, &service->fd);
		service->made = r >= 0;
	}
	if (r < 0)
		return r;
	r = sd_event_add_io(service->manager->event, &service->accept, service->fd, EPOLLIN,
			    accept_ready, service);
	if (r < 0)
		return r;
	(void)sd_event_source_set_description(service->accept, "service-accept");
	return sd_event_source_set_priority(service->accept, SERVICE_PRIORITY);
}

/* Making and freeing */

int service_new(struct manager *manager, struct service **ret)
{
	_cleanup_(service_freep) struct service *service = NULL;
	int r;

	service = calloc(1, sizeof(*service));
	if (!service)
		return -ENOMEM;
	service->manager = manager;
	service->fd = -EBADF;
	r = varlink_registry_new(&service->registry);
	if (r >= 0)
		r = service_listen(service);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(service);
	return 0;
}

struct service *service_free(struct service *service)
{
	if (!service)
		return NULL;
	for (struct connection *c = service->connections; c; c = c->next)
		if (c->call)
			call_fail(c->call, -ESHUTDOWN, NULL);
	while (service->connections)
		(void)connection_free(service->connections);
	service->accept = sd_event_source_disable_unref(service->accept);
	service->pause = sd_event_source_disable_unref(service->pause);
	if (service->made)
		(void)unlink(service->manager->paths.socket);
	service->fd = close_fd(service->fd);
	service->registry = varlink_registry_free(service->registry);
	free(service);
	return NULL;
}

size_t service_subscribers(const struct service *service)
{
	return service->n_subscribers;
}

const char *service_state(const struct service *service)
{
	static const char *const names[] = {
		[MANAGER_STARTING] = "starting",
		[MANAGER_RUNNING] = "running",
		[MANAGER_STOPPING] = "stopping",
	};

	return names[service->manager->state];
}
