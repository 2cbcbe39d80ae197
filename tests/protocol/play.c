/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The language of scripts: lines, words, variables, and which function a verb is.
 * Usage: play [--kernel] OISD SCRIPT
 */
#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "play.h"

#define WORDS_MAX 64

static const char *script;
static unsigned line_number;

_Noreturn void fail(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s:%u: ", script, line_number);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

void check(int r, const char *what)
{
	if (r < 0)
		fail("%s: %s", what, strerror(-r));
}

/* The target's part */

static void play_address(struct play *play, const struct line *line)
{
	(void)snprintf(play->address, sizeof(play->address), "%s", line->words[1]);
}

static void play_no_initiator_name(struct play *play, const struct line *line)
{
	play->nameless = true;
}

static void play_no_target(struct play *play, const struct line *line)
{
	target_deafen(play->target);
}

static void play_block(struct play *play, const struct line *line)
{
	target_block(play->target);
}

static void play_accept(struct play *play, const struct line *line)
{
	check(target_accept(play->target, PATIENCE_MS), line->words[0]);
}

static void play_connection(struct play *play, const struct line *line)
{
	check(target_select(play->target, (unsigned)strtoul(line->words[1], NULL, 10)),
	      line->words[0]);
}

static void play_close(struct play *play, const struct line *line)
{
	check(target_close(play->target, line->words[0][0] == 'r'), line->words[0]);
}

static void play_expect_close(struct play *play, const struct line *line)
{
	check(target_expect_close(play->target, PATIENCE_MS), line->words[0]);
}

static void play_expect(struct play *play, const struct line *line)
{
	check(target_expect(play->target, line->words + 1, line->n - 1, PATIENCE_MS),
	      "expected PDU");
}

static void play_send(struct play *play, const struct line *line)
{
	check(target_send(play->target, line->words + 1, line->n - 1), "PDU to send");
}

static const struct verb {
	const char *name;
	size_t words; /* that must follow */
	void (*play)(struct play *play, const struct line *line);
} verbs[] = {
	{ "config", 1, play_config },
	{ "file", 1, play_file },
	{ "environment", 1, play_environment },
	{ "no-initiator-name", 0, play_no_initiator_name },
	{ "refuse", 1, play_refuse },
	{ "rival", 1, play_rival },
	{ "start", 0, play_start },
	{ "terminate", 0, play_terminate },
	{ "reload", 0, play_reload },
	{ "stop", 0, play_stop },
	{ "continue", 0, play_continue },
	{ "advance", 1, play_advance },
	{ "no-descriptors", 0, play_no_descriptors },

	{ "address", 1, play_address },
	{ "secret", 1, play_secret },
	{ "target-secret", 1, play_target_secret },
	{ "refuse-secret", 2, play_refuse_secret },
	{ "node", 0, play_node },
	{ "login", 0, play_login },
	{ "logout", 0, play_logout },
	{ "discover", 0, play_discover },
	{ "client", 1, play_client },
	{ "leave", 0, play_leave },
	{ "call", 1, play_call },
	{ "list", 1, play_list },
	{ "progress", 1, play_progress },
	{ "reply", 1, play_reply },
	{ "write", 1, play_write },

	{ "no-target", 0, play_no_target },
	{ "block", 0, play_block },
	{ "accept", 0, play_accept },
	{ "connection", 1, play_connection },
	{ "close", 0, play_close },
	{ "reset", 0, play_close },
	{ "expect-close", 0, play_expect_close },
	{ ">", 1, play_expect },
	{ "<", 1, play_send },

	{ "event", 1, play_event },
	{ "absent", 1, play_absent },
};

static int append_variable(const struct play *play, const char *name, struct buffer *out)
{
	if (strcmp(name, "directory") == 0)
		return buffer_append_string(out, play->directory);
	if (strcmp(name, "version") == 0)
		return buffer_append_string(out, OIS_VERSION);
	if (strcmp(name, "session") == 0)
		return append_last(play, "OIS_SESSION", out);
	if (strcmp(name, "uid") == 0)
		return buffer_printf(out, "%u", (unsigned)getuid());
	return target_variable(play->target, name, out);
}

/* $name */
static void expand_variables(const struct play *play, const char *text, struct buffer *out)
{
	int r = 0;

	while (*text && r >= 0) {
		const char *dollar = strchrnul(text, '$');
		char name[32] = "";
		size_t n = 0;

		r = buffer_append(out, text, (size_t)(dollar - text));
		text = dollar;
		if (r < 0 || !*text)
			break;
		for (text++; islower((unsigned char)*text) && n < sizeof(name) - 1; text++)
			name[n++] = *text;
		r = append_variable(play, name, out);
		if (r < 0)
			fail("no variable $%s", name);
	}
	check(r < 0 ? r : buffer_append(out, "", 1), "line");
}

/* Words are separated by blanks; between quotation marks blanks are part of a word. */
static size_t split(char *line, char *words[WORDS_MAX])
{
	char *at = line + strspn(line, " \t");
	size_t n = 0;

	while (*at && n < WORDS_MAX) {
		bool quoted = false;
		char *out = at;

		words[n++] = at;
		for (; *at && (quoted || (*at != ' ' && *at != '\t')); at++) {
			if (*at == '"')
				quoted = !quoted;
			else
				*out++ = *at;
		}
		if (*at)
			at++;
		*out = '\0';
		at += strspn(at, " \t");
	}
	return n;
}

static void play_line(struct play *play, const char *text)
{
	_cleanup_(buffer_done) struct buffer expanded = { 0 };
	_cleanup_free_ char *copy = NULL;
	char *words[WORDS_MAX];
	struct line line = { .words = words };

	if (text[0] == '#' || text[strspn(text, " \t")] == '\0')
		return;
	expand_variables(play, text, &expanded);
	copy = strdup((char *)expanded.data);
	if (!copy)
		fail("no memory");
	line.n = split(copy, words);
	line.rest = (char *)expanded.data + strcspn((char *)expanded.data, " ");
	line.rest += strspn(line.rest, " ");
	for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
		if (strcmp(verbs[i].name, words[0]) == 0 && line.n > verbs[i].words) {
			verbs[i].play(play, &line);
			return;
		}
	fail("unknown or incomplete: %s", text);
}

/* Lines between "repeat N" and "end" are played N times. */
static void play_lines(struct play *play, char **lines, size_t n)
{
	size_t start = 0;
	unsigned again = 0;

	for (size_t i = 0; i < n; i++) {
		line_number = (unsigned)i + 1;
		if (sscanf(lines[i], "repeat %u", &again) == 1)
			start = i;
		else if (strcmp(lines[i], "end") != 0)
			play_line(play, lines[i]);
		else if (again > 0 && --again > 0)
			i = start;
	}
}

static char **read_lines(const char *path, size_t *ret_n)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	char **lines = NULL, **longer;
	size_t n = 0, size = 0;

	if (!file)
		fail("cannot be read");
	while (getline(&line, &size, file) >= 0) {
		line[strcspn(line, "\n")] = '\0';
		longer = reallocarray(lines, n + 1, sizeof(*lines));
		if (!longer || !(longer[n++] = strdup(line)))
			fail("no memory");
		lines = longer;
	}
	*ret_n = n;
	return lines;
}

static void finish(struct play *play)
{
	char command[128];

	end_daemon(play);
	check_all_expected(play);
	play->target = target_free(play->target);
	buffer_done(&play->config);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		buffer_done(&play->clients[i].reply);
	for (size_t i = 0; i < play->n_events; i++)
		free(play->events[i].entry);
	(void)close_fd(play->journal);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", play->directory);
	if (system(command) != 0)
		fail("cannot remove %s", play->directory);
}

int main(int argc, char **argv)
{
	struct play play = { .address = "127.0.0.1",
			     .directory = "/tmp/ois-play-XXXXXX",
			     .journal = -EBADF,
			     .clock = -EBADF };
	char **lines;
	size_t n;

	if (argc == 4 && strcmp(argv[1], "--kernel") == 0)
		play.kernel = true;
	else if (argc != 3) {
		fprintf(stderr, "usage: %s [--kernel] OISD SCRIPT\n", argv[0]);
		return 2;
	}
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		play.clients[i].fd = -EBADF;
	play.client = &play.clients[0];
	play.oisd = argv[argc - 2];
	script = argv[argc - 1];
	lines = read_lines(script, &n);
	if (!mkdtemp(play.directory))
		fail("no directory for files: %s", strerror(errno));
	check(target_new(&play.target), "target");
	play_lines(&play, lines, n);
	finish(&play);
	for (size_t i = 0; i < n; i++)
		free(lines[i]);
	free(lines);
	return 0;
}
