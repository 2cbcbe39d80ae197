/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls of the daemon's methods, and their answers. */
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include "play.h"

void end_clients(struct play *play)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		play->clients[i].fd = close_fd(play->clients[i].fd);
}

void play_client(struct play *play, const struct line *line)
{
	unsigned long number = strtoul(line->words[1], NULL, 10);

	if (number < 1 || number > CLIENTS_MAX)
		fail("there are clients 1 to %d", CLIENTS_MAX);
	play->client = &play->clients[number - 1];
}

void play_leave(struct play *play, const struct line *line)
{
	play->client->fd = close_fd(play->client->fd);
}

static void send_call(struct play *play, const char *format, ...) _printf_(2, 3);
static void send_call(struct play *play, const char *format, ...)
{
	char message[4096];
	va_list arguments;
	int n;

	start_daemon(play);
	if (play->client->fd < 0)
		play->client->fd = connect_socket(play, "socket", SOCK_STREAM);
	else if (!play->client->replied)
		fail("the call before has not ended: reply is missing, or another client");
	va_start(arguments, format);
	n = vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	if ((size_t)n >= sizeof(message) ||
	    send(play->client->fd, message, (size_t)n + 1, MSG_NOSIGNAL) != n + 1)
		fail("cannot send a call");
	play->client->replied = false;
	buffer_clear(&play->client->reply);
}

/* True if the last of the messages, which end with NULs, is the last of the call. */
static bool complete(const struct buffer *reply)
{
	const char *text = (const char *)reply->data;
	size_t last = reply->length - 1;

	if (reply->length == 0 || text[last] != '\0')
		return false;
	while (last > 0 && text[last - 1] != '\0')
		last--;
	return !strstr(text + last, "\"continues\":true");
}

static void receive_reply(struct client *client)
{
	struct pollfd poll_fd = { .fd = client->fd, .events = POLLIN };
	char piece[4096];
	ssize_t n;

	if (poll(&poll_fd, 1, PATIENCE_MS) <= 0)
		fail("no reply");
	n = recv(client->fd, piece, sizeof(piece), 0);
	if (n <= 0)
		fail("the daemon closed the connection");
	check(buffer_append(&client->reply, piece, (size_t)n), "reply");
}

void play_progress(struct play *play, const struct line *line)
{
	struct client *client = play->client;

	while (!memmem(client->reply.data, client->reply.length, line->rest, strlen(line->rest))) {
		if (complete(&client->reply))
			fail("\"%s\" is in no reply", line->rest);
		receive_reply(client);
	}
}

static void await_reply(struct play *play)
{
	while (!complete(&play->client->reply))
		receive_reply(play->client);
	/* As lines they can be searched and shown. */
	for (size_t i = 0; i + 1 < play->client->reply.length; i++)
		if (!play->client->reply.data[i])
			play->client->reply.data[i] = '\n';
	play->client->replied = true;
}

static const char *reply_text(const struct play *play)
{
	return (const char *)play->client->reply.data;
}

static void call_and_check(struct play *play)
{
	await_reply(play);
	if (strstr(reply_text(play), "\"error\""))
		fail("refused: %s", reply_text(play));
}

void play_reply(struct play *play, const struct line *line)
{
	if (!play->client->replied)
		await_reply(play);
	if (!strstr(reply_text(play), line->rest))
		fail("\"%s\" is not in the reply:\n%s", line->rest, reply_text(play));
}

static void call_method(struct play *play, const struct line *line, const char *more)
{
	const char *parameters = line->rest + strcspn(line->rest, " ");

	parameters += strspn(parameters, " ");
	send_call(play, "{\"method\":\"org.ois.%s\",\"parameters\":%s%s}", line->words[1],
		  *parameters ? parameters : "{}", more);
}

void play_call(struct play *play, const struct line *line)
{
	call_method(play, line, "");
}

void play_list(struct play *play, const struct line *line)
{
	call_method(play, line, ",\"more\":true");
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
