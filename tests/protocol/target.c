/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "chap.h"
#include "parse.h"
#include "secret.h"
#include "target_private.h"
#include "text.h"

int target_new(struct target **ret)
{
	_cleanup_(target_freep) struct target *target = NULL;
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);

	target = calloc(1, sizeof(*target));
	if (!target)
		return -ENOMEM;
	target->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (target->listener < 0 ||
	    bind(target->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(target->listener, 16) < 0 ||
	    getsockname(target->listener, (struct sockaddr *)&address, &length) < 0)
		return -errno;
	target->port = ntohs(address.sin_port);
	*ret = TAKE_PTR(target);
	return 0;
}

static void connection_free(struct connection *connection)
{
	(void)close_fd(connection->fd);
	buffer_done(&connection->request_data);
	buffer_done(&connection->sent_data);
	free(connection);
}

struct target *target_free(struct target *target)
{
	if (!target)
		return NULL;
	for (size_t i = 0; i < target->n_connections; i++)
		connection_free(target->connections[i]);
	free(target->connections);
	(void)close_fd(target->listener);
	free(target);
	return NULL;
}

uint16_t target_port(const struct target *target)
{
	return target->port;
}

void target_deafen(struct target *target)
{
	target->listener = close_fd(target->listener);
}

/* Where the queue of connections is full, the system answers no more of them. */
void target_block(struct target *target)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				       .sin_port = htons(target->port) };
	struct pollfd poll_fd = { .events = POLLOUT };

	(void)listen(target->listener, 0);
	do {
		poll_fd.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(poll_fd.fd, (struct sockaddr *)&address, sizeof(address));
	} while (poll(&poll_fd, 1, 0) > 0);
}

int complain(int error, const char *what, const char *detail)
{
	fprintf(stderr, "target: %s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
	return error;
}

int no_connection(void)
{
	return complain(-ENOTCONN, "no connection was accepted", NULL);
}

static int wait_readable(int fd, int timeout_ms, const char *what)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	if (poll(&poll_fd, 1, timeout_ms) <= 0)
		return complain(-ETIMEDOUT, "nothing came in time", what);
	return 0;
}

int target_accept(struct target *target, int timeout_ms)
{
	int r = wait_readable(target->listener, timeout_ms, "a connection"), on = 1;
	struct connection **connections, *connection;

	if (r < 0)
		return r;
	connections =
		reallocarray(target->connections, target->n_connections + 1, sizeof(*connections));
	if (!connections)
		return -ENOMEM;
	target->connections = connections;
	connection = calloc(1, sizeof(*connection));
	if (!connection)
		return -ENOMEM;
	connections[target->n_connections++] = target->current = connection;
	connection->stat_sn = 1000;
	connection->fd = accept4(target->listener, NULL, NULL, SOCK_CLOEXEC);
	if (connection->fd < 0)
		return complain(-errno, "accept failed", strerror(errno));
	(void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return 0;
}

int target_select(struct target *target, unsigned number)
{
	if (number == 0 || number > target->n_connections)
		return no_connection();
	target->current = target->connections[number - 1];
	return 0;
}

int target_close(struct target *target, int reset)
{
	struct linger linger = { .l_onoff = 1 };

	if (!target->current)
		return no_connection();
	if (reset)
		(void)setsockopt(target->current->fd, SOL_SOCKET, SO_LINGER, &linger,
				 sizeof(linger));
	target->current->fd = close_fd(target->current->fd);
	return 0;
}

int target_expect_close(struct target *target, int timeout_ms)
{
	char discard[256];
	ssize_t n;

	if (!target->current)
		return no_connection();
	do {
		if (wait_readable(target->current->fd, timeout_ms, "the end of the connection") < 0)
			return -ETIMEDOUT;
		n = recv(target->current->fd, discard, sizeof(discard), 0);
	} while (n > 0);
	return n == 0 || errno == ECONNRESET ? 0 : -errno;
}

static const struct opcode_word opcode_words[] = {
	{ "login", PDU_OPCODE_LOGIN_REQUEST, PDU_OPCODE_LOGIN_RESPONSE },
	{ "text", PDU_OPCODE_TEXT_REQUEST, PDU_OPCODE_TEXT_RESPONSE },
	{ "logout", PDU_OPCODE_LOGOUT_REQUEST, PDU_OPCODE_LOGOUT_RESPONSE },
	{ "nop", PDU_OPCODE_NOP_OUT, PDU_OPCODE_NOP_IN },
	{ "reject", PDU_OPCODE_REJECT, PDU_OPCODE_REJECT },
	{ "async", PDU_OPCODE_ASYNC_MESSAGE, PDU_OPCODE_ASYNC_MESSAGE },
	{ "scsi", PDU_OPCODE_SCSI_COMMAND, PDU_OPCODE_SCSI_RESPONSE },
	{ "data", PDU_OPCODE_DATA_OUT, PDU_OPCODE_DATA_IN },
	{ "task", PDU_OPCODE_TASK_MANAGEMENT_REQUEST, PDU_OPCODE_TASK_MANAGEMENT_RESPONSE },
	{ "r2t", PDU_OPCODE_R2T, PDU_OPCODE_R2T },
};

const struct opcode_word *opcode_word(const char *word)
{
	for (size_t i = 0; i < ELEMENTSOF(opcode_words); i++)
		if (strcmp(opcode_words[i].word, word) == 0)
			return &opcode_words[i];
	return NULL;
}

const struct text_pair *find_key(const struct buffer *text, const char *key, size_t length)
{
	static struct text_pair pair;
	struct text_iterator iterator;

	text_iterator_init(&iterator, text->data, text->length);
	while (text_iterator_next(&iterator, &pair, NULL) > 0)
		if (pair.key_length == length && memcmp(pair.key, key, length) == 0)
			return &pair;
	return NULL;
}

/* Values */

static int append_chap(struct buffer *out, const struct connection *connection,
		       const struct buffer *asked, const char *word, size_t length)
{
	_cleanup_(secret_freep) struct secret *secret = NULL;
	uint8_t challenge[CHAP_CHALLENGE_MAX], response[CHAP_RESPONSE_MAX];
	int algorithm = chap_algorithm_from_number((unsigned)connection->chap_algorithm);
	char digits[2 * CHAP_RESPONSE_MAX + 1];
	const struct text_pair *pair;
	uint64_t identifier;
	size_t n;
	int r;

	pair = find_key(asked, "CHAP_I", 6);
	r = pair ? text_parse_number(pair->value, pair->value_length, &identifier) : -ENOENT;
	pair = find_key(asked, "CHAP_C", 6);
	if (r >= 0)
		r = pair ? text_parse_binary(pair->value, pair->value_length, challenge,
					     sizeof(challenge), &n)
			 : -ENOENT;
	if (r < 0 || algorithm < 0)
		return complain(-EINVAL, "there is no challenge to answer", NULL);
	r = secret_new(word, length, &secret);
	if (r >= 0)
		r = chap_respond((enum chap_algorithm)algorithm, (uint8_t)identifier, secret,
				 challenge, n, response);
	if (r < 0)
		return r;
	hex_encode(response, chap_response_length((enum chap_algorithm)algorithm), digits);
	return buffer_printf(out, "0x%s", digits);
}

int expand(struct buffer *out, const struct connection *connection, const struct buffer *asked,
	   const char *value)
{
	int r = 0;

	while (*value && r >= 0) {
		const char *end = *value == '{' ? strchr(value, '}') : NULL;
		char digits[65];
		unsigned times;

		if (end && sscanf(value, "{%64[0-9a-fA-F]*%u}", digits, &times) == 2) {
			for (unsigned i = 0; i < times && r >= 0; i++)
				r = buffer_append_string(out, digits);
			value = end + 1;
		} else if (end && strncmp(value, "{chap:", 6) == 0) {
			r = append_chap(out, connection, asked, value + 6,
					(size_t)(end - value - 6));
			value = end + 1;
		} else {
			r = buffer_append(out, value++, 1);
		}
	}
	return r;
}

bool is_field(const char *word)
{
	size_t length = strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789");

	return length > 0 && word[length] == '=';
}

/* Receiving */

static int receive_all(struct connection *connection, void *data, size_t length, int timeout_ms)
{
	for (size_t have = 0; have < length;) {
		ssize_t n;

		if (wait_readable(connection->fd, timeout_ms, "a PDU") < 0)
			return -ETIMEDOUT;
		n = recv(connection->fd, (char *)data + have, length - have, 0);
		if (n <= 0)
			return complain(-ECONNRESET, "the initiator closed the connection", NULL);
		have += (size_t)n;
	}
	return 0;
}

/* The initiator's digests are its own business: the tests are about what it makes of ours. */
static int skip_digest(struct connection *connection, bool digest, int timeout_ms)
{
	uint8_t ignored[4];

	return digest ? receive_all(connection, ignored, sizeof(ignored), timeout_ms) : 0;
}

static int receive_pdu(struct connection *connection, int timeout_ms)
{
	uint8_t padding[4], *data;
	size_t length;
	int r;

	r = receive_all(connection, connection->received, sizeof(connection->received), timeout_ms);
	if (r >= 0)
		r = skip_digest(connection, connection->header_digest, timeout_ms);
	if (r < 0)
		return r;
	r = pdu_decode(connection->received, &connection->request);
	if (r < 0)
		return complain(r, "a PDU with an unknown opcode came", NULL);
	length = connection->request.data_length;
	buffer_clear(&connection->request_data);
	r = buffer_reserve(&connection->request_data, length, &data);
	if (r >= 0 && length > 0)
		r = receive_all(connection, data, length, timeout_ms);
	if (r >= 0 && pdu_padding(length) > 0)
		r = receive_all(connection, padding, pdu_padding(length), timeout_ms);
	if (r >= 0 && length > 0)
		r = skip_digest(connection, connection->data_digest, timeout_ms);
	buffer_commit(&connection->request_data, r < 0 ? 0 : length);
	return r;
}

static int check_key(struct connection *connection, const char *word)
{
	_cleanup_(buffer_done) struct buffer value = { 0 };
	const char *equals = strchr(word, '=');
	const struct text_pair *pair;

	if (*word == '!') {
		if (find_key(&connection->request_data, word + 1, strlen(word + 1)))
			return complain(-EPROTO, "a key came that should not", word + 1);
		return 0;
	}
	if (!equals)
		return complain(-EINVAL, "neither a flag nor a key", word);
	if (expand(&value, connection, &connection->sent_data, equals + 1) < 0 ||
	    buffer_append(&value, "", 1) < 0)
		return -EINVAL;
	pair = find_key(&connection->request_data, word, (size_t)(equals - word));
	if (!pair)
		return complain(-EPROTO, "a key is missing", word);
	if (strcmp(equals + 1, "*") != 0 && !text_value_is(pair, (char *)value.data)) {
		fprintf(stderr, "target: expected %s, received %.*s\n", word,
			(int)pair->value_length, pair->value);
		return -EPROTO;
	}
	return 0;
}

static int check_field(const struct pdu *pdu, const char *name, uint64_t value)
{
	const struct {
		const char *name;
		enum pdu_opcode opcode;
		uint64_t is;
	} fields[] = {
		{ "csg", PDU_OPCODE_LOGIN_REQUEST, pdu->login_request.csg },
		{ "nsg", PDU_OPCODE_LOGIN_REQUEST, pdu->login_request.nsg },
		{ "tsih", PDU_OPCODE_LOGIN_REQUEST, pdu->login_request.tsih },
		{ "cid", PDU_OPCODE_LOGIN_REQUEST, pdu->login_request.cid },
		{ "expstatsn", PDU_OPCODE_LOGIN_REQUEST, pdu->login_request.exp_stat_sn },
		{ "ttt", PDU_OPCODE_TEXT_REQUEST, pdu->text_request.ttt },
		{ "expstatsn", PDU_OPCODE_TEXT_REQUEST, pdu->text_request.exp_stat_sn },
		{ "reason", PDU_OPCODE_LOGOUT_REQUEST, pdu->logout_request.reason },
		{ "command", PDU_OPCODE_SCSI_COMMAND, pdu->scsi_command.cdb[0] },
		{ "function", PDU_OPCODE_TASK_MANAGEMENT_REQUEST,
		  pdu->task_management_request.function },
	};

	for (size_t i = 0; i < ELEMENTSOF(fields); i++)
		if (fields[i].opcode == pdu->opcode && strcmp(fields[i].name, name) == 0)
			return fields[i].is == value
				       ? 0
				       : complain(-EPROTO, "a header field differs", name);
	return complain(-EINVAL, "unknown field", name);
}

static int check_flag(const struct pdu *pdu, char flag)
{
	bool is = false;

	if (pdu->opcode == PDU_OPCODE_LOGIN_REQUEST)
		is = flag == 'T' ? pdu->login_request.transit : pdu->login_request.more;
	else if (pdu->opcode == PDU_OPCODE_TEXT_REQUEST)
		is = flag == 'F' ? pdu->text_request.final : pdu->text_request.more;
	else if (pdu->opcode == PDU_OPCODE_SCSI_COMMAND)
		is = flag == 'R' ? pdu->scsi_command.read : pdu->scsi_command.write;
	return is ? 0 : complain(-EPROTO, "a flag is not set", NULL);
}

int target_expect(struct target *target, char **words, size_t n, int timeout_ms)
{
	const struct opcode_word *opcode = n > 0 ? opcode_word(words[0]) : NULL;
	struct connection *connection = target->current;
	int r;

	if (!opcode)
		return complain(-EINVAL, "unknown opcode", n > 0 ? words[0] : "");
	if (!connection)
		return no_connection();
	r = receive_pdu(connection, timeout_ms);
	if (r < 0)
		return r;
	if (connection->request.opcode != opcode->request)
		return complain(-EPROTO, "another PDU came",
				pdu_opcode_to_string(connection->request.opcode));
	for (size_t i = 1; i < n && r >= 0; i++) {
		char *equals = strchr(words[i], '=');

		if (strlen(words[i]) == 1) {
			r = check_flag(&connection->request, words[i][0]);
		} else if (is_field(words[i])) {
			*equals = '\0';
			r = check_field(&connection->request, words[i],
					strtoull(equals + 1, NULL, 0));
		} else {
			r = check_key(connection, words[i]);
		}
	}
	return r;
}

/* Variables */

static int append_hex(struct buffer *out, const void *data, size_t length)
{
	_cleanup_free_ char *digits = malloc(2 * length + 1);

	if (!digits)
		return -ENOMEM;
	hex_encode(data, length, digits);
	return buffer_append_string(out, digits);
}

int target_variable(const struct target *target, const char *name, struct buffer *out)
{
	const struct connection *connection = target->current;

	if (strcmp(name, "port") == 0)
		return buffer_printf(out, "%u", target->port);
	if (!connection)
		return no_connection();
	if (strcmp(name, "request") == 0)
		return append_hex(out, connection->received, PDU_HEADER_LENGTH);
	if (strcmp(name, "response") == 0)
		return append_hex(out, connection->sent, PDU_HEADER_LENGTH);
	if (strcmp(name, "data") == 0)
		return append_hex(out, connection->sent_data.data, connection->sent_data.length);
	if (strcmp(name, "length") == 0)
		return buffer_printf(out, "%zu", connection->sent_data.length);
	if (strcmp(name, "isid") == 0)
		return append_hex(out, connection->request.login_request.isid, 6);
	return -ENOENT;
}
