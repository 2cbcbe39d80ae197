/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sessions, connections and transports in sysfs. What a driver does not offer and what the kernel
 * has not been told is unset, never an error; a session is gone when its state cannot be read any
 * more.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "parse.h"
#include "sysfs.h"
#include "sysfs_private.h"
#include "table.h"
#include "transport.h"

/* What the longest name takes in a directory's buffer. */
#define ENTRY_MAX (sizeof(struct dirent64) + 8)

/* Attributes */

int sysfs_open(const struct sysfs *sysfs, int flags, const char *format, ...)
{
	char path[PATH_MAX];
	va_list arguments;
	int length, n, fd;

	length = snprintf(path, sizeof(path), "%s/", sysfs->root);
	if (length < 0 || (size_t)length >= sizeof(path))
		return -ENAMETOOLONG;
	va_start(arguments, format);
	n = vsnprintf(path + length, sizeof(path) - (size_t)length, format, arguments);
	va_end(arguments);
	if (n < 0 || (size_t)n >= sizeof(path) - (size_t)length)
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sysfs_read_open(int fd, char *ret, size_t size)
{
	ssize_t length = read(fd, ret, size - 1);

	if (length < 0) {
		ret[0] = '\0';
		return -errno;
	}
	while (length > 0 && (ret[length - 1] == '\n' || ret[length - 1] == ' '))
		length--;
	ret[length] = '\0';
	if (strcmp(ret, "(null)") == 0)
		ret[0] = '\0';
	return 0;
}

int sysfs_read_string(int directory_fd, const char *name, char *ret, size_t size)
{
	_cleanup_close_ int fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC);

	ret[0] = '\0';
	return fd < 0 ? -errno : sysfs_read_open(fd, ret, size);
}

static int64_t parse_number(const char *text)
{
	int64_t value = -1;

	/* "off" of recovery_tmo is no number, either. */
	(void)parse_i64(text, INT64_MIN, INT64_MAX, &value);
	return value;
}

int64_t sysfs_read_number(int directory_fd, const char *name)
{
	char text[32];

	return sysfs_read_string(directory_fd, name, text, sizeof(text)) < 0 ? -1
									     : parse_number(text);
}

void directory_init(int fd, struct directory *directory)
{
	directory->at = directory->length = 0;
	directory->ended = false;
	directory->fd = fd;
}

int directory_open(int parent_fd, const char *name, struct directory *directory)
{
	directory_init(openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), directory);
	return directory->fd < 0 ? -errno : 0;
}

const char *directory_next(struct directory *directory)
{
	for (;;) {
		const struct dirent64 *entry;

		if (directory->at >= directory->length && directory->ended)
			return NULL;
		if (directory->at >= directory->length) {
			ssize_t n = getdents64(directory->fd, directory->buffer,
					       sizeof(directory->buffer));

			if (n <= 0)
				return NULL;
			directory->at = 0;
			directory->length = (size_t)n;
			/* With room for one more there was none. */
			directory->ended = sizeof(directory->buffer) - (size_t)n >= ENTRY_MAX;
		}
		entry = (const struct dirent64 *)(const void *)(directory->buffer + directory->at);
		directory->at += entry->d_reclen;
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return entry->d_name;
	}
}

/* Transports */

void sysfs_name_transport(char *name, size_t size)
{
	const struct transport *transport = transport_find_host(name);

	if (transport)
		(void)snprintf(name, size, "%s", transport->name);
}

int sysfs_transport_list(const struct sysfs *sysfs, sysfs_name_t found, void *userdata)
{
	_cleanup_close_ int fd = sysfs_open(sysfs, O_RDONLY | O_DIRECTORY, "class/iscsi_transport");
	struct directory directory;
	const char *name;
	int r = 0;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	directory_init(fd, &directory);
	while (r >= 0 && (name = directory_next(&directory)))
		r = found(userdata, name);
	return r;
}

static int parse_hex(const char *text, uint32_t *ret)
{
	unsigned long value;
	char *end;

	if (strncmp(text, "0x", 2) != 0 || text[2] == '\0' || text[2] == '-' || text[2] == '+')
		return -EINVAL;
	errno = 0;
	value = strtoul(text + 2, &end, 16);
	if (errno != 0 || *end != '\0' || value > UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)value;
	return 0;
}

int sysfs_transport_read(const struct sysfs *sysfs, const char *name, uint64_t *ret_handle,
			 uint32_t *ret_capabilities)
{
	_cleanup_close_ int fd =
		sysfs_open(sysfs, O_PATH | O_DIRECTORY, "class/iscsi_transport/%s", name);
	char text[32] = "";
	uint64_t handle;
	uint32_t capabilities;
	int r;

	if (fd < 0)
		return fd;
	r = sysfs_read_string(fd, "handle", text, sizeof(text));
	if (r < 0)
		return r;
	r = parse_u64(text, 0, UINT64_MAX, &handle);
	if (r < 0)
		return r;
	r = sysfs_read_string(fd, "caps", text, sizeof(text));
	if (r < 0)
		return r;
	r = parse_hex(text, &capabilities);
	if (r < 0)
		return r;
	*ret_handle = handle;
	*ret_capabilities = capabilities;
	return 0;
}

/* Sessions */

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int sysfs_parse_object(const char *name, const char *prefix, uint32_t *ret)
{
	size_t length = strlen(prefix);
	uint64_t number;

	if (strncmp(name, prefix, length) != 0 ||
	    parse_u64(name + length, 0, UINT32_MAX, &number) < 0)
		return -EINVAL;
	*ret = (uint32_t)number;
	return 0;
}

int sysfs_list_objects(const struct sysfs *sysfs, const char *class, const char *prefix,
		       uint32_t **ret, size_t *ret_n)
{
	int fd = sysfs_open(sysfs, O_RDONLY | O_DIRECTORY, "class/%s", class);
	_cleanup_(directory_close) struct directory directory = { .fd = -EBADF };
	_cleanup_free_ uint32_t *numbers = NULL;
	size_t n = 0, allocated = 0;
	const char *name;
	uint32_t number;

	if (fd < 0 && fd != -ENOENT)
		return fd;
	directory_init(fd, &directory);
	while (fd >= 0 && (name = directory_next(&directory))) {
		if (sysfs_parse_object(name, prefix, &number) < 0)
			continue;
		if (n == allocated) {
			uint32_t *larger;

			allocated = allocated > 0 ? allocated * 2 : 64;
			larger = reallocarray(numbers, allocated, sizeof(*numbers));
			if (!larger)
				return -ENOMEM;
			numbers = larger;
		}
		numbers[n++] = number;
	}
	if (n > 0)
		qsort(numbers, n, sizeof(*numbers), compare_u32);
	*ret = TAKE_PTR(numbers);
	*ret_n = n;
	return 0;
}

int sysfs_session_list(const struct sysfs *sysfs, uint32_t **ret, size_t *ret_n)
{
	return sysfs_list_objects(sysfs, "iscsi_session", "session", ret, ret_n);
}

static const char *const session_states[] = {
	[SYSFS_SESSION_LOGGED_IN] = "LOGGED_IN",
	[SYSFS_SESSION_FAILED] = "FAILED",
	[SYSFS_SESSION_FREE] = "FREE",
};

static const char *const connection_states[] = {
	[SYSFS_CONNECTION_UP] = "up",
	[SYSFS_CONNECTION_DOWN] = "down",
	[SYSFS_CONNECTION_FAILED] = "failed",
	[SYSFS_CONNECTION_BOUND] = "bound",
};

static const char *const target_states[] = {
	[SYSFS_TARGET_UNBOUND] = "UNBOUND",
	[SYSFS_TARGET_ALLOCATED] = "ALLOCATED",
	[SYSFS_TARGET_SCANNED] = "SCANNED",
	[SYSFS_TARGET_UNBINDING] = "UNBINDING",
};

static enum sysfs_target_state read_target_state(int session_fd)
{
	char text[32];
	int value = -1;

	if (sysfs_read_string(session_fd, "target_state", text, sizeof(text)) >= 0)
		value = table_value(target_states, ELEMENTSOF(target_states), text);
	return value < 0 ? SYSFS_TARGET_UNKNOWN : (enum sysfs_target_state)value;
}

/* Fails if there is no session any more. */
static int read_session_state(int session_fd, enum sysfs_session_state *ret)
{
	char text[32];
	int value;

	if (sysfs_read_string(session_fd, "state", text, sizeof(text)) < 0)
		return -ENOENT;
	value = table_value(session_states, ELEMENTSOF(session_states), text);
	*ret = value < 0 ? SYSFS_SESSION_UNKNOWN : (enum sysfs_session_state)value;
	return 0;
}

static enum sysfs_connection_state read_connection_state(int connection_fd)
{
	char text[32];
	int value = -1;

	if (connection_fd >= 0 &&
	    sysfs_read_string(connection_fd, "state", text, sizeof(text)) >= 0)
		value = table_value(connection_states, ELEMENTSOF(connection_states), text);
	return value < 0 ? SYSFS_CONNECTION_UNKNOWN : (enum sysfs_connection_state)value;
}

struct attribute {
	const char *name;
	size_t offset;
	size_t size; /* of the string; 0: a number */
};

#define NUMBER(name, field)                                                                        \
	{                                                                                          \
		name, offsetof(struct sysfs_session, field), 0                                     \
	}
#define STRING(name, field)                                                                        \
	{                                                                                          \
		name, offsetof(struct sysfs_session, field),                                       \
			sizeof(((struct sysfs_session *)0)->field)                                 \
	}

/* In two parts: what a session is, and what else can be said of it. */
enum part { IDENTITY, DETAILS, _PART_MAX };

struct attributes {
	const struct attribute *rows;
	size_t n;
};

#define ATTRIBUTES(...)                                                                            \
	{                                                                                          \
		(const struct attribute[]){ __VA_ARGS__ },                                         \
			ELEMENTSOF(((const struct attribute[]){ __VA_ARGS__ }))                    \
	}

static const struct attributes session_attributes[_PART_MAX] = {
	[IDENTITY] = ATTRIBUTES(STRING("targetname", target_name), STRING("ifacename", interface),
				NUMBER("creator", creator)),
	[DETAILS] = ATTRIBUTES(
		STRING("initiatorname", initiator_name), STRING("targetalias", target_alias),
		STRING("isid", isid), NUMBER("tsid", tsih), NUMBER("tpgt", portal_group_tag),
		NUMBER("initial_r2t", initial_r2t), NUMBER("immediate_data", immediate_data),
		NUMBER("max_burst_len", max_burst_length),
		NUMBER("first_burst_len", first_burst_length),
		NUMBER("max_outstanding_r2t", max_outstanding_r2t),
		NUMBER("data_pdu_in_order", data_pdu_in_order),
		NUMBER("data_seq_in_order", data_sequence_in_order),
		NUMBER("erl", error_recovery_level), NUMBER("recovery_tmo", recovery_timeout),
		NUMBER("abort_tmo", abort_timeout), NUMBER("lu_reset_tmo", lu_reset_timeout),
		NUMBER("tgt_reset_tmo", target_reset_timeout)),
};

static const struct attributes connection_attributes[_PART_MAX] = {
	[IDENTITY] = ATTRIBUTES(STRING("persistent_address", persistent_address),
				NUMBER("persistent_port", persistent_port)),
	[DETAILS] = ATTRIBUTES(
		STRING("address", address), NUMBER("port", port), NUMBER("local_port", local_port),
		NUMBER("header_digest", header_digest), NUMBER("data_digest", data_digest),
		NUMBER("max_recv_dlength", max_recv_data_segment_length),
		NUMBER("max_xmit_dlength", max_xmit_data_segment_length),
		NUMBER("recv_tmo", noop_interval), NUMBER("ping_tmo", noop_timeout)),
};

static const struct attributes host_attributes[_PART_MAX] = {
	[IDENTITY] = ATTRIBUTES(STRING("proc_name", transport)),
	[DETAILS] = ATTRIBUTES(NUMBER("can_queue", can_queue)),
};

static const struct attributes iscsi_host_attributes[_PART_MAX] = {
	[DETAILS] = ATTRIBUTES(STRING("ipaddress", local_address)),
};

/* With @fd negative everything is unset. */
static void read_attributes(int fd, const struct attributes *attributes,
			    struct sysfs_session *session)
{
	for (size_t i = 0; i < attributes->n; i++) {
		const struct attribute *row = &attributes->rows[i];
		void *field = (char *)session + row->offset;

		if (row->size > 0 && fd >= 0)
			(void)sysfs_read_string(fd, row->name, field, row->size);
		else if (row->size > 0)
			*(char *)field = '\0';
		else
			*(int64_t *)field = fd < 0 ? -1 : sysfs_read_number(fd, row->name);
	}
}

void sysfs_shorten_address(char *address, size_t size)
{
	struct in6_addr binary;

	if (inet_pton(AF_INET6, address, &binary) == 1)
		(void)inet_ntop(AF_INET6, &binary, address, (socklen_t)size);
}

/* The class entry is a link to ".../hostH/sessionS/iscsi_session/sessionS". */
static int read_host(const struct sysfs *sysfs, uint32_t sid, uint32_t *ret)
{
	char path[PATH_MAX], link[PATH_MAX], component[32], *end, *begin;
	ssize_t length;
	int n;

	n = snprintf(path, sizeof(path), "%s/class/iscsi_session/session%" PRIu32, sysfs->root,
		     sid);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	length = readlink(path, link, sizeof(link) - 1);
	if (length < 0)
		return -errno;
	link[length] = '\0';
	(void)snprintf(component, sizeof(component), "/session%" PRIu32 "/", sid);
	end = strstr(link, component);
	if (!end)
		return -ENOENT;
	*end = '\0';
	begin = strrchr(link, '/');
	return begin && sysfs_parse_object(begin + 1, "host", ret) == 0 ? 0 : -ENOENT;
}

static int open_session(const struct sysfs *sysfs, uint32_t sid)
{
	return sysfs_open(sysfs, O_PATH | O_DIRECTORY, "class/iscsi_session/session%" PRIu32, sid);
}

static int open_connection(const struct sysfs *sysfs, uint32_t sid)
{
	return sysfs_open(sysfs, O_PATH | O_DIRECTORY,
			  "class/iscsi_connection/connection%" PRIu32 ":0", sid);
}

int sysfs_open_host(const struct sysfs *sysfs, const char *class, uint32_t host)
{
	return sysfs_open(sysfs, O_PATH | O_DIRECTORY, "class/%s/host%" PRIu32, class, host);
}

/*
 * Where an adapter logs in by itself the state of the session tells. Of one that its firmware made
 * (creator -1) the kernel's interface never hears of the connection, and calls it down; any other
 * it calls up as soon as the login begins.
 */
static enum sysfs_connection_state judge_connection(const struct sysfs_session *session)
{
	const struct transport *transport = transport_find(session->transport);
	bool logged_in = session->state == SYSFS_SESSION_LOGGED_IN;

	if (!transport || transport->kind != TRANSPORT_ADAPTER)
		return session->connection_state;
	if (session->creator == -1)
		return logged_in ? SYSFS_CONNECTION_UP : SYSFS_CONNECTION_FAILED;
	if (session->connection_state == SYSFS_CONNECTION_UP && !logged_in)
		return SYSFS_CONNECTION_BOUND;
	return session->connection_state;
}

int sysfs_session_identify(const struct sysfs *sysfs, uint32_t sid, struct sysfs_session *ret)
{
	_cleanup_close_ int session_fd = -EBADF, connection_fd = -EBADF, host_fd = -EBADF;
	struct sysfs_session session = { .sid = sid };
	int r;

	r = read_host(sysfs, sid, &session.host);
	if (r < 0)
		return r;
	session_fd = open_session(sysfs, sid);
	if (session_fd < 0)
		return session_fd;
	connection_fd = open_connection(sysfs, sid);
	host_fd = sysfs_open_host(sysfs, "scsi_host", session.host);

	session.has_connection = connection_fd >= 0;
	session.connection_state = read_connection_state(connection_fd);
	session.target_state = read_target_state(session_fd);
	read_attributes(session_fd, &session_attributes[IDENTITY], &session);
	read_attributes(connection_fd, &connection_attributes[IDENTITY], &session);
	read_attributes(host_fd, &host_attributes[IDENTITY], &session);
	sysfs_name_transport(session.transport, sizeof(session.transport));
	read_attributes(-EBADF, &session_attributes[DETAILS], &session);
	read_attributes(-EBADF, &connection_attributes[DETAILS], &session);
	read_attributes(-EBADF, &host_attributes[DETAILS], &session);
	/* Last, so that a session that went away in between is noticed. */
	r = read_session_state(session_fd, &session.state);
	if (r < 0)
		return r;
	session.connection_state = judge_connection(&session);
	*ret = session;
	return 0;
}

void sysfs_session_complete(const struct sysfs *sysfs, struct sysfs_session *session)
{
	_cleanup_close_ int session_fd = open_session(sysfs, session->sid),
			    connection_fd = open_connection(sysfs, session->sid),
			    host_fd = sysfs_open_host(sysfs, "scsi_host", session->host),
			    iscsi_host_fd = sysfs_open_host(sysfs, "iscsi_host", session->host);

	read_attributes(session_fd, &session_attributes[DETAILS], session);
	read_attributes(connection_fd, &connection_attributes[DETAILS], session);
	read_attributes(host_fd, &host_attributes[DETAILS], session);
	read_attributes(iscsi_host_fd, &iscsi_host_attributes[DETAILS], session);
	/* An adapter that logs in by itself does so with its own name. */
	if (!session->initiator_name[0] && iscsi_host_fd >= 0)
		(void)sysfs_read_string(iscsi_host_fd, "initiatorname", session->initiator_name,
					sizeof(session->initiator_name));
	sysfs_shorten_address(session->address, sizeof(session->address));
	sysfs_shorten_address(session->local_address, sizeof(session->local_address));
}

int sysfs_session_read(const struct sysfs *sysfs, uint32_t sid, struct sysfs_session *ret)
{
	struct sysfs_session session;
	int r;

	r = sysfs_session_identify(sysfs, sid, &session);
	if (r < 0)
		return r;
	sysfs_session_complete(sysfs, &session);
	*ret = session;
	return 0;
}

int sysfs_session_read_state(const struct sysfs *sysfs, uint32_t sid, enum sysfs_session_state *ret,
			     enum sysfs_connection_state *ret_connection)
{
	_cleanup_close_ int session_fd = open_session(sysfs, sid),
			    connection_fd = open_connection(sysfs, sid);
	enum sysfs_connection_state connection_state = read_connection_state(connection_fd);
	int r;

	r = read_session_state(session_fd, ret);
	if (r < 0)
		return r;
	*ret_connection = connection_state;
	return 0;
}

enum sysfs_target_state sysfs_session_read_target_state(const struct sysfs *sysfs, uint32_t sid)
{
	_cleanup_close_ int fd = open_session(sysfs, sid);

	return fd < 0 ? SYSFS_TARGET_UNKNOWN : read_target_state(fd);
}
