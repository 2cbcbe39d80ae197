/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading secrets: from a file, standard input or the terminal without echo, never from the command
 * line.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli.h"

#define SECRET_MAX 4096

/* Puts the terminal back and lets the signal do what it would have done. */
static int terminal = -1;
static struct termios terminal_before;

static void restore_terminal(int number)
{
	(void)tcsetattr(terminal, TCSAFLUSH, &terminal_before);
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

void secret_buffer_done(struct secret_buffer *secret)
{
	if (secret->bytes)
		explicit_bzero(secret->bytes, SECRET_MAX);
	free(secret->bytes);
	*secret = (struct secret_buffer){};
}

/* Reads up to the end, or to the end of the line if @line. Returns the length. */
static int read_bytes(int fd, bool line, char *bytes)
{
	size_t length = 0;
	ssize_t n;

	while (length < SECRET_MAX) {
		n = read(fd, bytes + length, SECRET_MAX - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		length += (size_t)n;
		if (n == 0 || (line && bytes[length - 1] == '\n'))
			return (int)length;
	}
	return -EMSGSIZE;
}

static int read_file(const char *path, char *bytes)
{
	int fd = STDIN_FILENO, r;

	if (strcmp(path, "-") != 0)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	r = read_bytes(fd, false, bytes);
	if (fd != STDIN_FILENO)
		(void)close(fd);
	return r;
}

static int read_without_echo(int fd, char *bytes)
{
	struct sigaction action = { .sa_handler = restore_terminal }, interrupt, terminate;
	struct termios quiet;
	int r;

	if (tcgetattr(fd, &terminal_before) < 0)
		return -errno;
	quiet = terminal_before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	quiet.c_lflag |= ICANON;
	terminal = fd;
	(void)sigaction(SIGINT, &action, &interrupt);
	(void)sigaction(SIGTERM, &action, &terminate);
	if (tcsetattr(fd, TCSAFLUSH, &quiet) < 0)
		r = -errno;
	else
		r = read_bytes(fd, true, bytes);
	(void)tcsetattr(fd, TCSAFLUSH, &terminal_before);
	(void)sigaction(SIGINT, &interrupt, NULL);
	(void)sigaction(SIGTERM, &terminate, NULL);
	return r;
}

static int read_prompt(const char *prompt, char *bytes)
{
	int fd, r;

	fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	(void)dprintf(fd, "%s: ", prompt);
	r = read_without_echo(fd, bytes);
	(void)dprintf(fd, "\n");
	(void)close(fd);
	return r;
}

/* Replaces digits by the bytes they stand for. */
static int decode(struct secret_buffer *secret, enum ois_secret_format format)
{
	struct secret_buffer decoded = { .bytes = malloc(SECRET_MAX) };
	int r;

	if (!decoded.bytes)
		return -ENOMEM;
	r = ois_secret_decode(format, secret->bytes, secret->length, decoded.bytes, SECRET_MAX,
			      &decoded.length);
	if (r < 0) {
		secret_buffer_done(&decoded);
		return r == -EINVAL ? -EILSEQ : r;
	}
	secret_buffer_done(secret);
	*secret = decoded;
	return 0;
}

static enum status report_unread(const struct secret_option *option, enum ois_secret_format format,
				 const char *prompt, int r)
{
	if (r == -ENODATA)
		message_error("Failed to read the %s: it is empty", prompt);
	else if (r == -EILSEQ)
		message_error("Failed to read the %s: it is not written in %s", prompt,
			      format == OIS_SECRET_HEX ? "hexadecimal digits, two for each byte"
						       : "base64 digits with their padding");
	else if (option->source == SECRET_PROMPT)
		message_error("Failed to ask for the %s: %s; without a terminal use --secret-file",
			      prompt, strerror(-r));
	else
		message_error("Failed to read the %s from '%s': %s", prompt, option->path,
			      r == -EMSGSIZE ? "it is too long" : strerror(-r));
	return STATUS_FAILED;
}

enum status secret_read(const struct secret_option *option, enum ois_secret_format format,
			const char *prompt, struct secret_buffer *ret)
{
	struct secret_buffer secret = { .bytes = malloc(SECRET_MAX) };
	int r;

	if (!secret.bytes)
		r = -ENOMEM;
	else if (option->source == SECRET_PROMPT)
		r = read_prompt(prompt, secret.bytes);
	else
		r = read_file(option->path, secret.bytes);
	/* Editors and echo end the file with a line end, which nobody means as part of a secret. */
	if (r > 0 && secret.bytes[r - 1] == '\n')
		r--;
	if (r >= 0) {
		secret.length = (size_t)r;
		r = r > 0 ? decode(&secret, format) : -ENODATA;
	}
	if (r >= 0) {
		*ret = secret;
		return STATUS_DONE;
	}
	secret_buffer_done(&secret);
	return report_unread(option, format, prompt, r);
}
