/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plays a script: the real daemon, with files and sockets of its own, against the scripted target
 * of target.h. CONTRIBUTING.md describes the language; each of its verbs is one function here.
 * Whatever does not work ends the program with a message that names the line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "buffer.h"
#include "target.h"

#define TARGET_NAME    "iqn.2026-11.example:script"
#define INITIATOR_NAME "iqn.2026-11.example:initiator"
/* Nothing here takes longer unless it is broken. */
#define PATIENCE_MS 20000
#define EVENTS_MAX  256
#define CLIENTS_MAX 4

struct journal_entry {
	char *entry; /* as it came to the journal */
	bool expected;
};

/* One who calls the daemon's methods. */
struct client {
	int fd;
	bool replied;
	struct buffer reply;
};

struct play {
	const char *oisd;
	bool kernel; /* the daemon may use the kernel's iSCSI */
	char directory[64];
	struct target *target;

	pid_t daemon;
	int journal, clock;
	bool nameless, rival, created;
	const struct refusal *refused; /* NULL: nothing */
	struct buffer config;
	struct client clients[CLIENTS_MAX], *client;
	char address[128];
	char secret[512], target_secret[512];

	struct journal_entry events[EVENTS_MAX];
	size_t n_events;
};

/* What a verb is given: its line as words, the first of them the verb, and what follows it. */
struct line {
	char **words;
	size_t n;
	const char *rest;
};

_Noreturn void fail(const char *format, ...) _printf_(1, 2);
/* Fails if @r is negative. */
void check(int r, const char *what);

/* play_daemon.c */
void play_config(struct play *play, const struct line *line);
void play_file(struct play *play, const struct line *line);
void play_environment(struct play *play, const struct line *line);
void play_refuse(struct play *play, const struct line *line);
void play_rival(struct play *play, const struct line *line);
void play_start(struct play *play, const struct line *line);
void play_terminate(struct play *play, const struct line *line);
void play_reload(struct play *play, const struct line *line);
void play_stop(struct play *play, const struct line *line);
void play_continue(struct play *play, const struct line *line);
void play_advance(struct play *play, const struct line *line);
void play_no_descriptors(struct play *play, const struct line *line);
void start_daemon(struct play *play);
void end_daemon(struct play *play);
/* A connection to a socket in the script's directory. */
int connect_socket(const struct play *play, const char *name, int type);

/* play_call.c */
void end_clients(struct play *play);
void play_client(struct play *play, const struct line *line);
void play_leave(struct play *play, const struct line *line);
void play_secret(struct play *play, const struct line *line);
void play_target_secret(struct play *play, const struct line *line);
void play_refuse_secret(struct play *play, const struct line *line);
void play_node(struct play *play, const struct line *line);
void play_login(struct play *play, const struct line *line);
void play_logout(struct play *play, const struct line *line);
void play_discover(struct play *play, const struct line *line);
void play_call(struct play *play, const struct line *line);
void play_list(struct play *play, const struct line *line);
void play_progress(struct play *play, const struct line *line);
void play_reply(struct play *play, const struct line *line);

/* play_command.c */
void play_write(struct play *play, const struct line *line);

/* play_event.c */
/* Appends the value of a field in the last event that has it. Errors: -ENOENT. */
int append_last(const struct play *play, const char *field, struct buffer *out);
void play_event(struct play *play, const struct line *line);
void play_absent(struct play *play, const struct line *line);
/* Of all that came, no error is left that the script did not expect. */
void check_all_expected(struct play *play);
