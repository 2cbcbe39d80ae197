/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For tests of the daemon's Varlink socket: a real oisd with files and sockets of its own, and a
 * client that is as rude as the test wants. Whatever does not work fails the test.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <json-c/json.h>

#include "buffer.h"

/* Nothing here takes longer unless it is broken. */
#define PATIENCE_MS 20000

struct oisd {
	char directory[64];
	char socket[96];
	pid_t pid;
	int notify; /* what the service manager hears */
};

/* The program to test. */
extern const char *oisd_program;

/* Makes the directory, with @configuration as ois.conf (NULL: none). */
void oisd_prepare(struct oisd *oisd, const char *configuration);
/* @listener: passed as a service manager would; -1: none. Returns when the daemon is ready. */
void oisd_start(struct oisd *oisd, int listener);
/* Runs a second one on the same paths, and returns its exit status. */
int oisd_run_another(const struct oisd *oisd);
/* Ends it with a signal and returns its exit status, or -1 if a signal killed it. */
int oisd_stop(struct oisd *oisd, int signal);
/* Removes the directory. */
void oisd_done(struct oisd *oisd);
/* Waits for a message to the service manager that begins with @text; NUL-terminated copy in @ret.
 */
void oisd_expect_notify(struct oisd *oisd, const char *text, char ret[256]);
/* Resident memory in KiB. */
long oisd_resident(const struct oisd *oisd);
/* How often @text stands in its memory. */
size_t oisd_count_in_memory(const struct oisd *oisd, const char *text);
/* Content of a file in the directory; the caller frees it. */
char *oisd_read_file(const struct oisd *oisd, const char *name);

struct client {
	int fd;
	struct buffer input;
};

void client_open(struct client *client, const struct oisd *oisd);
void client_close(struct client *client);
void client_send(struct client *client, const void *data, size_t length);
/* The next message as text, borrowed until the next call; NULL at the end of the connection. */
const char *client_receive_text(struct client *client);
/* The next message; NULL at the end of the connection. The caller puts it. */
json_object *client_receive(struct client *client);

/* Sends a call; @parameters is JSON text or NULL. */
void client_send_call(struct client *client, const char *method, const char *parameters,
		      const char *flag);
/* One call, one reply. */
json_object *client_call(struct client *client, const char *method, const char *parameters);
/* A call with "more": collects the replies in an array. */
json_object *client_stream(struct client *client, const char *method, const char *parameters);

/* The string at a dotted path of a message, "" if there is none. */
const char *text_at(json_object *message, const char *path);
/* The number there, -1 if there is none. */
int64_t number_at(json_object *message, const char *path);
