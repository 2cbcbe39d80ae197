/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls of the daemon's methods, and their answers. */
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include "play.h"

static void send_call(struct play *play, const char *format, ...) _printf_(2, 3);
static void send_call(struct play *play, const char *format, ...)
{
	char message[4096];
	va_list arguments;
	int n;

	start_daemon(play);
	if (play->call < 0)
		play->call = connect_socket(play, "socket", SOCK_STREAM);
	va_start(arguments, format);
	n = vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	if ((size_t)n >= sizeof(message) ||
	    send(play->call, message, (size_t)n + 1, MSG_NOSIGNAL) != n + 1)
		fail("cannot send a call");
	play->replied = false;
}

/* True if the last of the messages, which end with NULs, is the last of the call. */
static bool complete(const struct buffer *reply)
{
	const char *text = (const char *)reply->data;
	size_t last = reply->length - 1;

	if (text[last] != '\0')
		return false;
	while (last > 0 && text[last - 1] != '\0')
		last--;
	return !strstr(text + last, "\"continues\":true");
}

static void await_reply(struct play *play)
{
	char piece[4096];

	buffer_clear(&play->reply);
	do {
		struct pollfd poll_fd = { .fd = play->call, .events = POLLIN };
		ssize_t n;

		if (poll(&poll_fd, 1, PATIENCE_MS) <= 0)
			fail("no reply");
		n = recv(play->call, piece, sizeof(piece), 0);
		if (n <= 0)
			fail("the daemon closed the connection");
		check(buffer_append(&play->reply, piece, (size_t)n), "reply");
	} while (!complete(&play->reply));
	/* As lines they can be searched and shown. */
	for (size_t i = 0; i + 1 < play->reply.length; i++)
		if (!play->reply.data[i])
			play->reply.data[i] = '\n';
	play->replied = true;
}

static const char *reply_text(const struct play *play)
{
	return (const char *)play->reply.data;
}

static void call_and_check(struct play *play)
{
	await_reply(play);
	if (strstr(reply_text(play), "\"error\""))
		fail("refused: %s", reply_text(play));
}

void play_reply(struct play *play, const struct line *line)
{
	if (!play->replied)
		await_reply(play);
	if (!strstr(reply_text(play), line->rest))
		fail("\"%s\" is not in the reply:\n%s", line->rest, reply_text(play));
}

void play_call(struct play *play, const struct line *line)
{
	const char *parameters = line->rest + strcspn(line->rest, " ");

	parameters += strspn(parameters, " ");
	send_call(play, "{\"method\":\"org.ois.%s\",\"parameters\":%s}", line->words[1],
		  *parameters ? parameters : "{}");
}

/* Nodes and their secrets */

static void send_secret(struct play *play, const char *role, const char *secret)
{
	send_call(play,
		  "{\"method\":\"org.ois.node.SetSecret\",\"parameters\":{\"selector\":{"
		  "\"targetName\":\"" TARGET_NAME "\"},\"role\":\"%s\",\"secret\":\"%s\"}}",
		  role, secret);
}

/* Once: to store it again would be a change of the node. */
static void store_secret(struct play *play, const char *role, char *secret)
{
	if (!secret[0])
		return;
	send_secret(play, role, secret);
	call_and_check(play);
	secret[0] = '\0';
}

static void create_node(struct play *play)
{
	if (play->created)
		return;
	send_call(play,
		  "{\"method\":\"org.ois.node.Create\",\"parameters\":{\"key\":{\"targetName\":"
		  "\"" TARGET_NAME "\",\"address\":\"%s\",\"port\":%u}}}",
		  play->address, target_port(play->target));
	call_and_check(play);
	play->created = true;
}

void play_secret(struct play *play, const struct line *line)
{
	(void)snprintf(play->secret, sizeof(play->secret), "%s", line->rest);
}

void play_target_secret(struct play *play, const struct line *line)
{
	(void)snprintf(play->target_secret, sizeof(play->target_secret), "%s", line->rest);
}

void play_refuse_secret(struct play *play, const struct line *line)
{
	create_node(play);
	send_secret(play, line->words[1], line->words[2]);
	await_reply(play);
	if (!strstr(reply_text(play), "org.ois.node.SecretTooShort"))
		fail("the secret is not refused: %s", reply_text(play));
}

void play_node(struct play *play, const struct line *line)
{
	create_node(play);
	store_secret(play, "initiator", play->secret);
	store_secret(play, "target", play->target_secret);
}

/* What lasts */

void play_login(struct play *play, const struct line *line)
{
	play_node(play, line);
	send_call(play, "{\"method\":\"org.ois.session.Login\",\"parameters\":{\"selector\":{}},"
			"\"more\":true}");
}

void play_logout(struct play *play, const struct line *line)
{
	send_call(play, "{\"method\":\"org.ois.session.Logout\",\"parameters\":{\"selector\":{}},"
			"\"more\":true}");
}

/* NAME=VALUE as a member of a JSON object; VALUE is a number or text. */
static void add_member(struct buffer *out, const char *word)
{
	const char *equals = strchr(word, '='), *quote;

	if (!equals)
		fail("not NAME=VALUE: %s", word);
	quote = equals[1 + strspn(equals + 1, "0123456789")] ? "\"" : "";
	check(buffer_printf(out, ",\"%.*s\":%s%s%s", (int)(equals - word), word, quote, equals + 1,
			    quote),
	      "parameters");
}

void play_discover(struct play *play, const struct line *line)
{
	_cleanup_(buffer_done) struct buffer parameters = { 0 };

	for (size_t i = 1; i < line->n; i++)
		add_member(&parameters, line->words[i]);
	check(buffer_append(&parameters, "", 1), "parameters");
	send_call(play,
		  "{\"method\":\"org.ois.discovery.Discover\",\"parameters\":{\"method\":"
		  "\"send_targets\",\"address\":\"%s\",\"port\":%u%s},\"more\":true}",
		  play->address, target_port(play->target), (char *)parameters.data);
}
