/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "buffer.h"
#include "parse.h"
#include "pdu.h"
#include "target.h"
#include "text.h"

struct target {
	int listener, fd;
	uint16_t port;
	uint8_t received[PDU_HEADER_LENGTH];
	struct pdu request;
	struct buffer text;
	uint32_t stat_sn;
};

int target_new(struct target **ret)
{
	_cleanup_(target_freep) struct target *target = NULL;
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);

	target = calloc(1, sizeof(*target));
	if (!target)
		return -ENOMEM;
	target->fd = -EBADF;
	target->stat_sn = 1000;
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

struct target *target_free(struct target *target)
{
	if (!target)
		return NULL;
	(void)close_fd(target->fd);
	(void)close_fd(target->listener);
	buffer_done(&target->text);
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

static int complain(int error, const char *what, const char *detail)
{
	fprintf(stderr, "target: %s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
	return error;
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
	int r = wait_readable(target->listener, timeout_ms, "a connection");

	if (r < 0)
		return r;
	target->fd = close_fd(target->fd);
	target->fd = accept4(target->listener, NULL, NULL, SOCK_CLOEXEC);
	return target->fd < 0 ? complain(-errno, "accept failed", strerror(errno)) : 0;
}

int target_close(struct target *target, int reset)
{
	struct linger linger = { .l_onoff = 1 };

	if (reset)
		(void)setsockopt(target->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	target->fd = close_fd(target->fd);
	return 0;
}

int target_expect_close(struct target *target, int timeout_ms)
{
	char discard[256];
	ssize_t n;

	do {
		if (wait_readable(target->fd, timeout_ms, "the end of the connection") < 0)
			return -ETIMEDOUT;
		n = recv(target->fd, discard, sizeof(discard), 0);
	} while (n > 0);
	return n == 0 || errno == ECONNRESET ? 0 : -errno;
}

static int receive_all(struct target *target, void *data, size_t length, int timeout_ms)
{
	for (size_t have = 0; have < length;) {
		ssize_t n;

		if (wait_readable(target->fd, timeout_ms, "a PDU") < 0)
			return -ETIMEDOUT;
		n = recv(target->fd, (char *)data + have, length - have, 0);
		if (n <= 0)
			return complain(-ECONNRESET, "the initiator closed the connection", NULL);
		have += (size_t)n;
	}
	return 0;
}

static int receive_pdu(struct target *target, int timeout_ms)
{
	uint8_t padding[4], *data;
	size_t length;
	int r;

	r = receive_all(target, target->received, sizeof(target->received), timeout_ms);
	if (r < 0)
		return r;
	r = pdu_decode(target->received, &target->request);
	if (r < 0)
		return complain(r, "a PDU with an unknown opcode came", NULL);
	length = target->request.data_length;
	buffer_clear(&target->text);
	r = buffer_reserve(&target->text, length, &data);
	if (r >= 0 && length > 0)
		r = receive_all(target, data, length, timeout_ms);
	if (r >= 0 && pdu_padding(length) > 0)
		r = receive_all(target, padding, pdu_padding(length), timeout_ms);
	buffer_commit(&target->text, r < 0 ? 0 : length);
	return r;
}

static const struct opcode_word {
	const char *word;
	enum pdu_opcode request, response;
} opcode_words[] = {
	{ "login", PDU_OPCODE_LOGIN_REQUEST, PDU_OPCODE_LOGIN_RESPONSE },
	{ "text", PDU_OPCODE_TEXT_REQUEST, PDU_OPCODE_TEXT_RESPONSE },
	{ "logout", PDU_OPCODE_LOGOUT_REQUEST, PDU_OPCODE_LOGOUT_RESPONSE },
	{ "nop", PDU_OPCODE_NOP_OUT, PDU_OPCODE_NOP_IN },
	{ "reject", PDU_OPCODE_REJECT, PDU_OPCODE_REJECT },
	{ "async", PDU_OPCODE_ASYNC_MESSAGE, PDU_OPCODE_ASYNC_MESSAGE },
};

static const struct opcode_word *opcode_word(const char *word)
{
	for (size_t i = 0; i < ELEMENTSOF(opcode_words); i++)
		if (strcmp(opcode_words[i].word, word) == 0)
			return &opcode_words[i];
	return NULL;
}

/* The value of a key in what was received, or NULL. */
static const struct text_pair *find_key(struct target *target, const char *key, size_t length)
{
	static struct text_pair pair;
	struct text_iterator iterator;

	text_iterator_init(&iterator, target->text.data, target->text.length);
	while (text_iterator_next(&iterator, &pair, NULL) > 0)
		if (pair.key_length == length && memcmp(pair.key, key, length) == 0)
			return &pair;
	return NULL;
}

static int check_key(struct target *target, const char *word)
{
	const char *equals = strchr(word, '=');
	const struct text_pair *pair;

	if (*word == '!') {
		if (find_key(target, word + 1, strlen(word + 1)))
			return complain(-EPROTO, "a key came that should not", word + 1);
		return 0;
	}
	pair = find_key(target, word, (size_t)(equals - word));
	if (!pair)
		return complain(-EPROTO, "a key is missing", word);
	if (strcmp(equals + 1, "*") != 0 && !text_value_is(pair, equals + 1)) {
		fprintf(stderr, "target: expected %s, received %.*s\n", word,
			(int)pair->value_length, pair->value);
		return -EPROTO;
	}
	return 0;
}

static int check_login_field(const struct pdu *pdu, const char *name, uint64_t value)
{
	uint64_t is;

	if (strcmp(name, "csg") == 0)
		is = pdu->login_request.csg;
	else if (strcmp(name, "nsg") == 0)
		is = pdu->login_request.nsg;
	else if (strcmp(name, "tsih") == 0)
		is = pdu->login_request.tsih;
	else
		return complain(-EINVAL, "unknown field", name);
	return is == value ? 0 : complain(-EPROTO, "a header field differs", name);
}

static int check_flag(const struct pdu *pdu, char flag)
{
	bool is = false;

	if (pdu->opcode == PDU_OPCODE_LOGIN_REQUEST)
		is = flag == 'T' ? pdu->login_request.transit : pdu->login_request.more;
	else if (pdu->opcode == PDU_OPCODE_TEXT_REQUEST)
		is = flag == 'F' ? pdu->text_request.final : pdu->text_request.more;
	return is ? 0 : complain(-EPROTO, "a flag is not set", NULL);
}

int target_expect(struct target *target, char **words, size_t n, int timeout_ms)
{
	const struct opcode_word *opcode = n > 0 ? opcode_word(words[0]) : NULL;
	int r;

	if (!opcode)
		return complain(-EINVAL, "unknown opcode", n > 0 ? words[0] : "");
	r = receive_pdu(target, timeout_ms);
	if (r < 0)
		return r;
	if (target->request.opcode != opcode->request)
		return complain(-EPROTO, "another PDU came",
				pdu_opcode_to_string(target->request.opcode));
	for (size_t i = 1; i < n && r >= 0; i++) {
		char *equals = strchr(words[i], '=');

		if (strlen(words[i]) == 1) {
			r = check_flag(&target->request, words[i][0]);
		} else if (islower((unsigned char)words[i][0]) && equals) {
			*equals = '\0';
			r = check_login_field(&target->request, words[i],
					      strtoull(equals + 1, NULL, 0));
		} else {
			r = check_key(target, words[i]);
		}
	}
	return r;
}

/* Sending */

static int expand(struct buffer *out, const char *value)
{
	int r = 0;

	while (*value && r >= 0) {
		char digits[3];
		unsigned times;

		if (sscanf(value, "{%2[0-9a-fA-F]*%u}", digits, &times) == 2) {
			for (unsigned i = 0; i < times && r >= 0; i++)
				r = buffer_append_string(out, digits);
			value = strchr(value, '}') + 1;
		} else {
			r = buffer_append(out, value++, 1);
		}
	}
	return r;
}

static int add_key(struct buffer *out, const char *word)
{
	int r = expand(out, word);

	return r < 0 ? r : buffer_append(out, "", 1);
}

/* "+1" is relative to @right, other numbers are what they are. */
static uint32_t number(const char *text, uint32_t right)
{
	if (*text == '+' || *text == '-')
		return right + (uint32_t)strtol(text, NULL, 0);
	return (uint32_t)strtoul(text, NULL, 0);
}

struct field {
	const char *name;
	uint32_t *value;
};

static int set_field(const struct field *fields, size_t n, const char *name, const char *value)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(fields[i].name, name) == 0) {
			*fields[i].value = number(value, *fields[i].value);
			return 0;
		}
	return complain(-EINVAL, "unknown field", name);
}

/* What the target's answer says, before it becomes a PDU. */
struct answer {
	uint32_t csg, nsg, status, tsih, itt, statsn, expcmdsn, maxcmdsn, version, ttt, reason,
		opcode;
	uint32_t isid; /* added to the last byte */
	bool transit, more, final;
	struct buffer data;
	bool raw;
};

static int parse_word(struct answer *answer, char *word)
{
	const struct field fields[] = {
		{ "csg", &answer->csg },           { "nsg", &answer->nsg },
		{ "status", &answer->status },     { "tsih", &answer->tsih },
		{ "itt", &answer->itt },           { "statsn", &answer->statsn },
		{ "expcmdsn", &answer->expcmdsn }, { "maxcmdsn", &answer->maxcmdsn },
		{ "version", &answer->version },   { "ttt", &answer->ttt },
		{ "reason", &answer->reason },     { "opcode", &answer->opcode },
		{ "isid", &answer->isid },
	};
	char *equals = strchr(word, '=');

	if (strcmp(word, "T") == 0)
		answer->transit = true;
	else if (strcmp(word, "C") == 0)
		answer->more = true;
	else if (strcmp(word, "F") == 0)
		answer->final = true;
	else if (!equals || !islower((unsigned char)*word))
		return add_key(&answer->data, word);
	else if (strncmp(word, "data=", 5) == 0) {
		_cleanup_(buffer_done) struct buffer digits = { 0 };
		uint8_t *bytes;
		size_t length;
		int r;

		r = expand(&digits, word + 5);
		if (r >= 0)
			r = buffer_reserve(&answer->data, digits.length / 2 + 1, &bytes);
		if (r >= 0)
			r = hex_decode((char *)digits.data, digits.length, bytes,
				       digits.length / 2 + 1, &length);
		if (r >= 0)
			buffer_commit(&answer->data, length);
		return r;
	} else {
		*equals = '\0';
		return set_field(fields, ELEMENTSOF(fields), word, equals + 1);
	}
	return 0;
}

static void fill_login(struct target *target, const struct answer *answer, struct pdu *pdu)
{
	const struct pdu *request = &target->request;

	pdu->login_response.transit = answer->transit;
	pdu->login_response.more = answer->more;
	pdu->login_response.csg = (uint8_t)answer->csg;
	pdu->login_response.nsg = (uint8_t)answer->nsg;
	pdu->login_response.version_max = (uint8_t)answer->version;
	pdu->login_response.version_active = (uint8_t)answer->version;
	memcpy(pdu->login_response.isid, request->login_request.isid, 6);
	pdu->login_response.isid[5] = (uint8_t)(pdu->login_response.isid[5] + answer->isid);
	pdu->login_response.tsih = (uint16_t)answer->tsih;
	pdu->login_response.status_class = (uint8_t)(answer->status >> 8);
	pdu->login_response.status_detail = (uint8_t)answer->status;
	pdu->login_response.numbers =
		(struct pdu_numbers){ answer->statsn, answer->expcmdsn, answer->maxcmdsn };
}

static void fill_other(const struct answer *answer, struct pdu *pdu)
{
	struct pdu_numbers numbers = { answer->statsn, answer->expcmdsn, answer->maxcmdsn };

	if (pdu->opcode == PDU_OPCODE_TEXT_RESPONSE) {
		pdu->text_response.final = answer->final;
		pdu->text_response.more = answer->more;
		pdu->text_response.ttt = answer->ttt;
		pdu->text_response.numbers = numbers;
	} else if (pdu->opcode == PDU_OPCODE_LOGOUT_RESPONSE) {
		pdu->logout_response.response = (uint8_t)answer->status;
		pdu->logout_response.numbers = numbers;
	} else if (pdu->opcode == PDU_OPCODE_REJECT) {
		pdu->itt = PDU_TAG_RESERVED;
		pdu->reject.reason = (uint8_t)answer->reason;
		pdu->reject.numbers = numbers;
	} else if (pdu->opcode == PDU_OPCODE_NOP_IN) {
		pdu->nop_in.ttt = answer->ttt;
		pdu->nop_in.numbers = numbers;
	}
}

static uint32_t request_cmd_sn(const struct pdu *request)
{
	if (request->opcode == PDU_OPCODE_LOGIN_REQUEST)
		return request->login_request.cmd_sn;
	if (request->opcode == PDU_OPCODE_TEXT_REQUEST)
		return request->text_request.cmd_sn;
	return request->logout_request.cmd_sn;
}

int target_send(struct target *target, char **words, size_t n)
{
	const struct opcode_word *opcode = n > 0 ? opcode_word(words[0]) : NULL;
	uint32_t cmd_sn = request_cmd_sn(&target->request);
	struct answer answer = {
		.csg = target->request.login_request.csg,
		.itt = target->request.itt,
		.statsn = target->stat_sn++,
		.expcmdsn = cmd_sn,
		.maxcmdsn = cmd_sn + 16,
		.ttt = PDU_TAG_RESERVED,
	};
	uint8_t header[PDU_HEADER_LENGTH];
	struct pdu pdu = { 0 };
	int r = 0;

	if (!opcode)
		return complain(-EINVAL, "unknown opcode", n > 0 ? words[0] : "");
	for (size_t i = 1; i < n && r >= 0; i++)
		r = parse_word(&answer, words[i]);
	pdu.opcode = answer.opcode ? (enum pdu_opcode)answer.opcode : opcode->response;
	pdu.itt = answer.itt;
	if (pdu.opcode == PDU_OPCODE_LOGIN_RESPONSE)
		fill_login(target, &answer, &pdu);
	else
		fill_other(&answer, &pdu);
	pdu.data_length = (uint32_t)answer.data.length;
	pdu_encode(&pdu, header);
	if (r >= 0)
		r = buffer_append(&answer.data, "\0\0\0", pdu_padding(answer.data.length));
	if (r >= 0 && send(target->fd, header, sizeof(header),
			   MSG_NOSIGNAL | (answer.data.length ? MSG_MORE : 0)) < 0)
		r = -errno;
	if (r >= 0 && answer.data.length > 0 &&
	    send(target->fd, answer.data.data, answer.data.length, MSG_NOSIGNAL) < 0)
		r = -errno;
	buffer_done(&answer.data);
	return r < 0 ? complain(r, "cannot send", strerror(-r)) : 0;
}
