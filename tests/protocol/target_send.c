/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The target's answers: from words to a PDU, and on their way. */
#include <string.h>
#include <sys/socket.h>

#include "keys.h"
#include "parse.h"
#include "target_private.h"
#include "text.h"

/* What the target's answer says, before it becomes a PDU. */
struct answer {
	uint32_t csg, nsg, status, tsih, itt, statsn, expcmdsn, maxcmdsn, version, ttt, reason,
		opcode, event, vcode, parameter[3], time2wait;
	uint32_t sn, offset, wanted;       /* of data: DataSN or R2TSN, and which */
	uint32_t headerdigest, datadigest; /* added to the right one */
	uint32_t isid;                     /* added to the last byte */
	uint32_t length;                   /* of the data segment, as the header says */
	uint32_t pieces, cut;              /* bytes sent at once, bytes sent at all; 0: all */
	bool transit, more, final, agree;
	struct buffer data;
	struct {
		uint8_t at, value;
	} bytes[8]; /* of the header, in the end */
	size_t n_bytes;
};

/* "+1" is relative to @right, other numbers are what they are. */
static uint32_t number(const char *text, uint32_t right)
{
	if (*text == '+' || *text == '-')
		return right + (uint32_t)strtol(text, NULL, 0);
	return (uint32_t)strtoul(text, NULL, 0);
}

static int set_field(struct answer *answer, const char *name, const char *value)
{
	const struct {
		const char *name;
		uint32_t *value;
	} fields[] = {
		{ "csg", &answer->csg },
		{ "nsg", &answer->nsg },
		{ "status", &answer->status },
		{ "tsih", &answer->tsih },
		{ "itt", &answer->itt },
		{ "statsn", &answer->statsn },
		{ "expcmdsn", &answer->expcmdsn },
		{ "maxcmdsn", &answer->maxcmdsn },
		{ "version", &answer->version },
		{ "ttt", &answer->ttt },
		{ "reason", &answer->reason },
		{ "opcode", &answer->opcode },
		{ "event", &answer->event },
		{ "isid", &answer->isid },
		{ "length", &answer->length },
		{ "pieces", &answer->pieces },
		{ "cut", &answer->cut },
		{ "sn", &answer->sn },
		{ "offset", &answer->offset },
		{ "wanted", &answer->wanted },
		{ "headerdigest", &answer->headerdigest },
		{ "datadigest", &answer->datadigest },
		{ "vcode", &answer->vcode },
		{ "parameter1", &answer->parameter[0] },
		{ "parameter2", &answer->parameter[1] },
		{ "parameter3", &answer->parameter[2] },
		{ "time2wait", &answer->time2wait },
	};
	unsigned at;

	if (sscanf(name, "byte%u", &at) == 1 && at < PDU_HEADER_LENGTH &&
	    answer->n_bytes < ELEMENTSOF(answer->bytes)) {
		answer->bytes[answer->n_bytes].at = (uint8_t)at;
		answer->bytes[answer->n_bytes++].value = (uint8_t)number(value, 0);
		return 0;
	}
	for (size_t i = 0; i < ELEMENTSOF(fields); i++)
		if (strcmp(fields[i].name, name) == 0) {
			*fields[i].value = number(value, *fields[i].value);
			return 0;
		}
	return complain(-EINVAL, "unknown field", name);
}

/* "request" is the header of the last request, everything else hex. */
static int set_data(struct answer *answer, const struct connection *connection, const char *text)
{
	_cleanup_(buffer_done) struct buffer digits = { 0 };
	uint8_t *bytes;
	size_t length;
	int r;

	if (strcmp(text, "request") == 0)
		return buffer_append(&answer->data, connection->received, PDU_HEADER_LENGTH);
	r = expand(&digits, connection, &connection->request_data, text);
	if (r >= 0)
		r = buffer_reserve(&answer->data, digits.length / 2 + 1, &bytes);
	if (r >= 0)
		r = hex_decode((char *)digits.data, digits.length, bytes, digits.length / 2 + 1,
			       &length);
	if (r >= 0)
		buffer_commit(&answer->data, length);
	return r;
}

static int add_key(struct answer *answer, struct connection *connection, const char *word)
{
	int r;

	if (strncmp(word, "CHAP_A=", 7) == 0)
		(void)text_parse_number(word + 7, strlen(word + 7), &connection->chap_algorithm);
	r = expand(&answer->data, connection, &connection->request_data, word);
	return r < 0 ? r : buffer_append(&answer->data, "", 1);
}

static int parse_word(struct answer *answer, struct connection *connection, char *word)
{
	char *equals = strchr(word, '=');

	if (strcmp(word, "T") == 0)
		answer->transit = true;
	else if (strcmp(word, "C") == 0)
		answer->more = true;
	else if (strcmp(word, "F") == 0)
		answer->final = true;
	else if (strcmp(word, "agree") == 0)
		answer->agree = true;
	else if (!is_field(word))
		return add_key(answer, connection, word);
	else if (strncmp(word, "data=", 5) == 0)
		return set_data(answer, connection, equals + 1);
	else {
		*equals = '\0';
		return set_field(answer, word, equals + 1);
	}
	return 0;
}

static void fill_login(const struct answer *answer, const struct pdu *request, struct pdu *pdu)
{
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
		pdu->logout_response.time2wait = (uint16_t)answer->time2wait;
		pdu->logout_response.numbers = numbers;
	} else if (pdu->opcode == PDU_OPCODE_REJECT) {
		pdu->itt = PDU_TAG_RESERVED;
		pdu->reject.reason = (uint8_t)answer->reason;
		pdu->reject.numbers = numbers;
	} else if (pdu->opcode == PDU_OPCODE_NOP_IN) {
		pdu->nop_in.ttt = answer->ttt;
		pdu->nop_in.numbers = numbers;
	} else if (pdu->opcode == PDU_OPCODE_ASYNC_MESSAGE) {
		pdu->itt = PDU_TAG_RESERVED;
		pdu->async.event = (uint8_t)answer->event;
		pdu->async.vendor_code = (uint8_t)answer->vcode;
		for (size_t i = 0; i < ELEMENTSOF(answer->parameter); i++)
			pdu->async.parameter[i] = (uint16_t)answer->parameter[i];
		pdu->async.numbers = numbers;
	} else if (pdu->opcode == PDU_OPCODE_TASK_MANAGEMENT_RESPONSE) {
		pdu->task_management_response.response = (uint8_t)answer->status;
		pdu->task_management_response.numbers = numbers;
	}
}

/* Answers to a SCSI command. */
static void fill_scsi(const struct answer *answer, struct pdu *pdu)
{
	struct pdu_numbers numbers = { answer->statsn, answer->expcmdsn, answer->maxcmdsn };

	if (pdu->opcode == PDU_OPCODE_SCSI_RESPONSE) {
		pdu->scsi_response.status = (uint8_t)answer->status;
		pdu->scsi_response.numbers = numbers;
	} else if (pdu->opcode == PDU_OPCODE_DATA_IN) {
		pdu->data_in.final = answer->final;
		pdu->data_in.ttt = PDU_TAG_RESERVED;
		pdu->data_in.numbers = numbers;
		pdu->data_in.data_sn = answer->sn;
		pdu->data_in.buffer_offset = answer->offset;
	} else if (pdu->opcode == PDU_OPCODE_R2T) {
		pdu->r2t.ttt = 1;
		pdu->r2t.numbers = numbers;
		pdu->r2t.r2t_sn = answer->sn;
		pdu->r2t.buffer_offset = answer->offset;
		pdu->r2t.desired_length = answer->wanted;
	}
}

/* R2Ts and data without status have the number that is next, and use up none. */
static bool has_status(enum pdu_opcode opcode)
{
	return opcode != PDU_OPCODE_DATA_IN && opcode != PDU_OPCODE_R2T;
}

/* The CmdSN that is next after a request; none is used up by an immediate one. */
static uint32_t next_cmd_sn(const struct pdu *request)
{
	uint32_t cmd_sn = 0;

	if (request->opcode == PDU_OPCODE_LOGIN_REQUEST)
		cmd_sn = request->login_request.cmd_sn;
	else if (request->opcode == PDU_OPCODE_TEXT_REQUEST)
		cmd_sn = request->text_request.cmd_sn;
	else if (request->opcode == PDU_OPCODE_LOGOUT_REQUEST)
		cmd_sn = request->logout_request.cmd_sn;
	else if (request->opcode == PDU_OPCODE_NOP_OUT)
		cmd_sn = request->nop_out.cmd_sn;
	else if (request->opcode == PDU_OPCODE_SCSI_COMMAND)
		cmd_sn = request->scsi_command.cmd_sn;
	else if (request->opcode == PDU_OPCODE_TASK_MANAGEMENT_REQUEST)
		cmd_sn = request->task_management_request.cmd_sn;
	return cmd_sn + !request->immediate;
}

/* An offer is answered as it is, a list with its first element. */
static int agree_to(struct answer *answer, const struct text_pair *pair)
{
	size_t length = strcspn(pair->value, ",");
	enum iscsi_key key;

	if (length > pair->value_length)
		length = pair->value_length;
	if (key_from_name(pair->key, pair->key_length, &key) < 0 ||
	    key_row(key)->function == KEY_DECLARATIVE ||
	    find_key(&answer->data, pair->key, pair->key_length))
		return 0;
	return buffer_printf(&answer->data, "%.*s=%.*s%c", (int)pair->key_length, pair->key,
			     (int)length, pair->value, 0);
}

/* All that was offered and that the script says nothing about. */
static int agree(struct answer *answer, const struct connection *connection)
{
	struct text_iterator iterator;
	struct text_pair pair;
	int r = 0;

	text_iterator_init(&iterator, connection->request_data.data,
			   connection->request_data.length);
	while (r >= 0 && text_iterator_next(&iterator, &pair, NULL) > 0)
		r = agree_to(answer, &pair);
	if (r >= 0 && !find_key(&answer->data, "TargetPortalGroupTag", 20))
		r = buffer_append(&answer->data, "TargetPortalGroupTag=1", 23);
	return r;
}

void digest_put(const void *data, size_t length, uint32_t add, uint8_t ret[4])
{
	const uint8_t *bytes = data;
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < length; i++) {
		crc ^= bytes[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
	}
	crc = ~crc + add;
	for (unsigned i = 0; i < 4; i++)
		ret[i] = (uint8_t)(crc >> 8 * i);
}

/* Appends the digest of what is behind @start. */
static int append_digest(struct buffer *whole, size_t start, bool digest, uint32_t add)
{
	uint8_t bytes[4];

	if (!digest)
		return 0;
	digest_put(whole->data + start, whole->length - start, add, bytes);
	return buffer_append(whole, bytes, sizeof(bytes));
}

static int append_data(struct buffer *whole, const struct connection *connection,
		       const struct answer *answer)
{
	size_t start = whole->length;
	int r;

	if (answer->data.length == 0)
		return 0;
	r = buffer_append(whole, answer->data.data, answer->data.length);
	if (r >= 0)
		r = buffer_append(whole, "\0\0\0", pdu_padding(answer->data.length));
	return r < 0 ? r : append_digest(whole, start, connection->data_digest, answer->datadigest);
}

static int send_all(const struct connection *connection, const struct answer *answer)
{
	_cleanup_(buffer_done) struct buffer whole = { 0 };
	size_t length, piece;
	int r;

	r = buffer_append(&whole, connection->sent, PDU_HEADER_LENGTH);
	if (r >= 0)
		r = append_digest(&whole, 0, connection->header_digest, answer->headerdigest);
	if (r >= 0)
		r = append_data(&whole, connection, answer);
	if (r < 0)
		return r;
	length = answer->cut ? answer->cut : whole.length;
	piece = answer->pieces ? answer->pieces : length;
	for (size_t at = 0; at < length; at += piece) {
		size_t n = piece < length - at ? piece : length - at;

		if (send(connection->fd, whole.data + at, n, MSG_NOSIGNAL) != (ssize_t)n)
			return complain(-errno, "cannot send", strerror(errno));
	}
	return 0;
}

/* Digests begin behind the last Login Response. */
static void agree_to_digests(struct connection *connection, const struct answer *answer)
{
	const struct text_pair *pair;

	pair = find_key(&answer->data, "HeaderDigest", 12);
	if (pair)
		connection->header_digest_agreed = text_value_is(pair, "CRC32C");
	pair = find_key(&answer->data, "DataDigest", 10);
	if (pair)
		connection->data_digest_agreed = text_value_is(pair, "CRC32C");
	if (!answer->transit || answer->nsg != PDU_STAGE_FULL_FEATURE)
		return;
	connection->header_digest = connection->header_digest_agreed;
	connection->data_digest = connection->data_digest_agreed;
}

static int send_answer(struct connection *connection, struct answer *answer, enum pdu_opcode opcode)
{
	struct pdu pdu = {
		.opcode = answer->opcode ? (enum pdu_opcode)answer->opcode : opcode,
		.itt = answer->itt,
		.data_length = (uint32_t)answer->data.length + answer->length,
	};
	int r;

	if (pdu.opcode == PDU_OPCODE_LOGIN_RESPONSE)
		fill_login(answer, &connection->request, &pdu);
	else
		fill_other(answer, &pdu);
	fill_scsi(answer, &pdu);
	pdu_encode(&pdu, connection->sent);
	for (size_t i = 0; i < answer->n_bytes; i++)
		connection->sent[answer->bytes[i].at] = answer->bytes[i].value;
	r = send_all(connection, answer);
	if (r >= 0 && pdu.opcode == PDU_OPCODE_LOGIN_RESPONSE)
		agree_to_digests(connection, answer);
	return r;
}

int target_send(struct target *target, char **words, size_t n)
{
	const struct opcode_word *opcode = n > 0 ? opcode_word(words[0]) : NULL;
	struct connection *connection = target->current;
	struct answer answer = { 0 };
	int r = 0;

	if (!opcode)
		return complain(-EINVAL, "unknown opcode", n > 0 ? words[0] : "");
	if (!connection)
		return no_connection();
	answer.csg = connection->request.login_request.csg;
	answer.itt = connection->request.itt;
	answer.statsn = connection->stat_sn;
	connection->stat_sn += has_status(opcode->response);
	answer.expcmdsn = next_cmd_sn(&connection->request);
	answer.maxcmdsn = answer.expcmdsn + 16;
	answer.ttt = PDU_TAG_RESERVED;
	for (size_t i = 1; i < n && r >= 0; i++)
		r = parse_word(&answer, connection, words[i]);
	if (r >= 0 && answer.agree)
		r = agree(&answer, connection);
	if (r >= 0)
		r = send_answer(connection, &answer, opcode->response);
	buffer_done(&connection->sent_data);
	connection->sent_data = answer.data;
	return r;
}
