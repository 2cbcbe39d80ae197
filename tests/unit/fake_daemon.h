/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A daemon made of canned replies: a thread that accepts connections on a socket and plays a list
 * of scenes. A call that is not the one expected is remembered, and fails the test when the daemon
 * is stopped.
 */
#pragma once

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "json.h"
#include "message.h"

struct scene {
	const char *method;     /* NULL: the end */
	const char *parameters; /* expected, as JSON; NULL: any */
	/* Sent as they are, each followed by a NUL. */
	const char *replies[6];
	const char *raw;     /* sent last, without a NUL */
	size_t raw_repeated; /* so often; 0: once */
	bool in_bytes;       /* every byte on its own */
	bool hang_up;        /* close the connection then; the next scene accepts a new one */
	bool interrupt;      /* send the client SIGINT */
	bool wait;           /* for the client to close the connection */
};

struct fake_daemon {
	char directory[32], path[64];
	int listener;
	const struct scene *scenes;
	size_t played;
	char fault[1024]; /* empty: none */
	pthread_t thread;
};

static inline bool fake_send(int fd, const char *data, size_t length, bool in_bytes)
{
	while (length > 0) {
		ssize_t n = send(fd, data, in_bytes ? 1 : length, MSG_NOSIGNAL);

		if (n < 0)
			return false;
		data += n;
		length -= (size_t)n;
	}
	return true;
}

/* Reads one call; 0 at the end of the connection. */
static inline int fake_receive(int fd, struct varlink_stream *stream, json_object **ret)
{
	uint8_t *at;
	size_t size;
	ssize_t n;
	int r;

	while ((r = varlink_stream_next(stream, ret)) == 0) {
		if (varlink_stream_reserve(stream, &at, &size) < 0)
			return -1;
		n = recv(fd, at, size, 0);
		if (n <= 0)
			return 0;
		varlink_stream_received(stream, (size_t)n);
	}
	return r;
}

static inline void fake_check(struct fake_daemon *fake, const struct scene *scene,
			      json_object *message)
{
	_cleanup_json_ json_object *expected = NULL;
	struct varlink_call call;

	if (varlink_call_parse(message, &call) < 0)
		(void)snprintf(fake->fault, sizeof(fake->fault), "scene %zu: no call",
			       fake->played);
	else if (strcmp(call.method, scene->method) != 0)
		(void)snprintf(fake->fault, sizeof(fake->fault), "scene %zu: %s instead of %s",
			       fake->played, call.method, scene->method);
	else if (scene->parameters &&
		 (json_parse(scene->parameters, strlen(scene->parameters), &expected) < 0 ||
		  !json_object_equal(expected, call.parameters)))
		(void)snprintf(
			fake->fault, sizeof(fake->fault), "scene %zu: parameters %s", fake->played,
			json_object_to_json_string_ext(call.parameters, JSON_C_TO_STRING_PLAIN));
}

static inline void fake_answer(int fd, const struct scene *scene)
{
	_cleanup_(buffer_done) struct buffer replies = {};

	/* In one piece, so that the client finds them together. */
	for (size_t i = 0; i < ELEMENTSOF(scene->replies) && scene->replies[i]; i++)
		(void)buffer_append(&replies, scene->replies[i], strlen(scene->replies[i]) + 1);
	if (!fake_send(fd, (const char *)replies.data, replies.length, scene->in_bytes))
		return;
	for (size_t i = 0; scene->raw && (i == 0 || i < scene->raw_repeated); i++)
		if (!fake_send(fd, scene->raw, strlen(scene->raw), scene->in_bytes))
			return;
}

static inline void fake_interrupt(int fd)
{
	struct ucred client;
	socklen_t length = sizeof(client);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &client, &length) == 0)
		(void)kill(client.pid, SIGINT);
}

/* Plays scenes on one connection until it ends. */
static inline void fake_serve(struct fake_daemon *fake, int fd)
{
	struct varlink_stream stream;
	bool go_on = true;

	varlink_stream_init(&stream, VARLINK_CALL_MAX);
	while (go_on && fake->scenes[fake->played].method) {
		const struct scene *scene = &fake->scenes[fake->played];
		_cleanup_json_ json_object *message = NULL;

		if (fake_receive(fd, &stream, &message) <= 0)
			break;
		fake_check(fake, scene, message);
		fake_answer(fd, scene);
		fake->played++;
		go_on = !scene->hang_up;
		if (scene->interrupt)
			fake_interrupt(fd);
		if (scene->wait) {
			_cleanup_json_ json_object *more = NULL;

			if (fake_receive(fd, &stream, &more) != 0)
				(void)snprintf(fake->fault, sizeof(fake->fault),
					       "the connection was not closed");
			go_on = false;
		}
	}
	varlink_stream_done(&stream);
}

static inline void *fake_run(void *userdata)
{
	struct fake_daemon *fake = userdata;

	while (fake->scenes[fake->played].method) {
		int fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			break;
		fake_serve(fake, fd);
		(void)close(fd);
	}
	/* A call too many fails, rather than wait for ever. */
	(void)shutdown(fake->listener, SHUT_RDWR);
	return NULL;
}

static inline void fake_listen(struct fake_daemon *fake)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)strcpy(fake->directory, "/tmp/ois-test-XXXXXX");
	assert_non_null(mkdtemp(fake->directory));
	(void)snprintf(fake->path, sizeof(fake->path), "%s/socket", fake->directory);
	(void)strcpy(address.sun_path, fake->path);
	fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fake->listener >= 0);
	assert_int_equal(bind(fake->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fake->listener, 16), 0);
}

static inline void fake_unlisten(struct fake_daemon *fake)
{
	(void)close(fake->listener);
	(void)unlink(fake->path);
	(void)rmdir(fake->directory);
}

static inline void fake_start(struct fake_daemon *fake, const struct scene *scenes)
{
	*fake = (struct fake_daemon){ .scenes = scenes };
	fake_listen(fake);
	assert_int_equal(pthread_create(&fake->thread, NULL, fake_run, fake), 0);
}

/* Fails if not all scenes were played as they should. */
static inline void fake_stop(struct fake_daemon *fake)
{
	size_t expected = 0;

	while (fake->scenes[expected].method)
		expected++;
	(void)shutdown(fake->listener, SHUT_RDWR);
	assert_int_equal(pthread_join(fake->thread, NULL), 0);
	fake_unlisten(fake);
	assert_string_equal(fake->fault, "");
	assert_int_equal(fake->played, expected);
}
