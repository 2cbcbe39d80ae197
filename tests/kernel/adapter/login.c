// SPDX-License-Identifier: GPL-2.0-only
/*
 * The firmware's login: as short as a target lets it be, with CHAP where the session has a user
 * name and a secret.
 */
#include <crypto/hash.h>
#include <linux/net.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <net/sock.h>
#include "adapter.h"

#define TEXT_MAX      8192
#define ROUNDS        8
#define PATIENCE      (10 * HZ)
#define MD5           "5" /* CHAP_A */
#define MD5_LENGTH    16
#define CHALLENGE_MAX 256

struct exchange {
	struct socket *socket;
	struct iscsi_login_req request;
	struct iscsi_login_rsp response;
	char text[TEXT_MAX + 1];
	unsigned int length;
};

static int send_all(struct socket *socket, void *header, void *data, unsigned int length)
{
	struct kvec memory[] = { { header, sizeof(struct iscsi_hdr) },
				 { data, iscsi_padded(length) } };
	struct msghdr msg = { .msg_flags = MSG_NOSIGNAL };
	int rc = kernel_sendmsg(socket, &msg, memory, length ? 2 : 1,
				memory[0].iov_len + memory[1].iov_len);

	return rc < 0 ? rc : 0;
}

static int receive_all(struct socket *socket, void *data, unsigned int length)
{
	struct kvec memory = { data, length };
	struct msghdr msg = {};
	int rc = length ? kernel_recvmsg(socket, &msg, &memory, 1, length, MSG_WAITALL) : 0;

	if (rc < 0)
		return rc;
	return rc == (int)length ? 0 : -ECONNRESET;
}

static int receive_response(struct exchange *x)
{
	int rc = receive_all(x->socket, &x->response, sizeof(x->response));

	if (rc)
		return rc;
	x->length = ntoh24(x->response.dlength);
	if (x->response.opcode != ISCSI_OP_LOGIN_RSP || x->length > TEXT_MAX)
		return -EPROTO;
	rc = receive_all(x->socket, x->text, iscsi_padded(x->length));
	x->text[x->length] = 0;
	return rc;
}

static void add_key(struct exchange *x, const char *key, const char *value)
{
	x->length += scnprintf(x->text + x->length, TEXT_MAX - x->length, "%s=%s", key, value) + 1;
}

static void add_names(struct exchange *x, struct iscsi_session *session, const char *initiator)
{
	add_key(x, "InitiatorName", initiator);
	add_key(x, "TargetName", session->targetname);
	add_key(x, "SessionType", "Normal");
}

static void add_number(struct exchange *x, const char *key, unsigned int told, unsigned int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", told ?: number);
	add_key(x, key, text);
}

/* Every key that a target would ask for; numbers are those that user space has set, if any. */
static void make_offer(struct exchange *x, struct iscsi_conn *conn)
{
	static const char *const keys[][2] = {
		{ "HeaderDigest", "None" },    { "DataDigest", "None" },
		{ "MaxConnections", "1" },     { "InitialR2T", "Yes" },
		{ "ImmediateData", "Yes" },    { "DefaultTime2Wait", "0" },
		{ "DefaultTime2Retain", "0" }, { "MaxOutstandingR2T", "1" },
		{ "DataPDUInOrder", "Yes" },   { "DataSequenceInOrder", "Yes" },
		{ "ErrorRecoveryLevel", "0" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		add_key(x, keys[i][0], keys[i][1]);
	add_number(x, "MaxRecvDataSegmentLength", conn->max_recv_dlength, 8192);
	add_number(x, "MaxBurstLength", conn->session->max_burst, 65536);
	add_number(x, "FirstBurstLength", conn->session->first_burst, 8192);
}

static void take_value(struct iscsi_conn *conn, const char *key, const char *value)
{
	struct iscsi_session *session = conn->session;
	unsigned int number = 0;
	bool yes = !strcmp(value, "Yes");

	/* What is no number is not looked at as one. */
	if (kstrtouint(value, 0, &number))
		number = 0;
	if (!strcmp(key, "MaxRecvDataSegmentLength"))
		conn->max_xmit_dlength = number;
	else if (!strcmp(key, "MaxBurstLength"))
		session->max_burst = number;
	else if (!strcmp(key, "FirstBurstLength"))
		session->first_burst = number;
	else if (!strcmp(key, "InitialR2T"))
		session->initial_r2t_en = yes;
	else if (!strcmp(key, "ImmediateData"))
		session->imm_data_en = yes;
	else if (!strcmp(key, "TargetPortalGroupTag"))
		session->tpgt = number;
	else if (!strcmp(key, "TargetAlias"))
		iscsi_switch_str_param(&session->targetalias, (char *)value);
}

static void take_text(struct iscsi_conn *conn, struct exchange *x)
{
	char *key, *value;

	for (key = x->text; key < x->text + x->length; key = value + strlen(value) + 1) {
		value = strchr(key, '=');
		if (!value)
			return;
		*value++ = 0;
		take_value(conn, key, value);
	}
}

static void make_request(struct exchange *x, struct iscsi_session *session)
{
	struct iscsi_login_req *request = &x->request;

	memset(request, 0, sizeof(*request));
	request->opcode = ISCSI_OP_LOGIN | ISCSI_OP_IMMEDIATE;
	memcpy(request->isid, session->isid, sizeof(request->isid));
	request->cmdsn = cpu_to_be32(session->cmdsn);
}

/* Sends the text there is, and has that of the answer in its place. */
static int turn(struct exchange *x, u8 flags)
{
	int rc;

	x->request.flags = flags;
	hton24(x->request.dlength, x->length);
	memset(x->text + x->length, 0, iscsi_padded(x->length) - x->length);
	rc = send_all(x->socket, &x->request, x->text, x->length) ?: receive_response(x);
	if (rc)
		return rc;
	if (x->response.status_class)
		return -EACCES;
	x->request.exp_statsn = cpu_to_be32(be32_to_cpu(x->response.statsn) + 1);
	return 0;
}

/* ---- CHAP ---- */

static const char *value_of(const struct exchange *x, const char *key)
{
	size_t length = strlen(key);
	const char *at;

	for (at = x->text; at < x->text + x->length; at += strlen(at) + 1)
		if (!strncmp(at, key, length) && at[length] == '=')
			return at + length + 1;
	return NULL;
}

/* The bytes of a value in hex; 0: it is none, or they do not fit. */
static unsigned int bytes_of(const struct exchange *x, const char *key, u8 *bytes, unsigned int max)
{
	const char *value = value_of(x, key);
	size_t length;

	if (!value || strncasecmp(value, "0x", 2))
		return 0;
	length = strlen(value + 2) / 2;
	return length <= max && !hex2bin(bytes, value + 2, length) ? length : 0;
}

static void add_bytes(struct exchange *x, const char *key, const u8 *bytes, unsigned int length)
{
	x->length += scnprintf(x->text + x->length, TEXT_MAX - x->length, "%s=0x%*phN", key,
			       (int)length, bytes) +
		     1;
}

static int digest(u8 identifier, const char *secret, const u8 *challenge, unsigned int length,
		  u8 result[MD5_LENGTH])
{
	struct crypto_shash *tfm = crypto_alloc_shash("md5", 0, 0);
	struct shash_desc *desc;
	int rc;

	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	desc = kzalloc(sizeof(*desc) + crypto_shash_descsize(tfm), GFP_KERNEL);
	if (desc) {
		desc->tfm = tfm;
		rc = crypto_shash_init(desc) ?: crypto_shash_update(desc, &identifier, 1)
			?: crypto_shash_update(desc, (const u8 *)secret, strlen(secret))
			?: crypto_shash_update(desc, challenge, length)
			?: crypto_shash_final(desc, result);
	} else {
		rc = -ENOMEM;
	}
	kfree_sensitive(desc);
	crypto_free_shash(tfm);
	return rc;
}

static bool is_given(const char *name, const char *secret)
{
	return name && secret && *name && *secret;
}

/* Our answer, and the last turn of the stage. */
static int answer(struct exchange *x, struct iscsi_session *session, const u8 *own)
{
	u8 challenge[CHALLENGE_MAX], result[MD5_LENGTH];
	unsigned int length = bytes_of(x, "CHAP_C", challenge, sizeof(challenge));
	const char *text = value_of(x, "CHAP_I");
	u8 identifier;
	int rc;

	if (!length || !text || kstrtou8(text, 0, &identifier))
		return -EPROTO;
	rc = digest(identifier, session->password, challenge, length, result);
	if (rc)
		return rc;
	x->length = 0;
	add_key(x, "CHAP_N", session->username);
	add_bytes(x, "CHAP_R", result, sizeof(result));
	if (is_given(session->username_in, session->password_in)) {
		add_number(x, "CHAP_I", own[0], 0);
		add_bytes(x, "CHAP_C", own, MD5_LENGTH);
	}
	return turn(x, ISCSI_FLAG_LOGIN_TRANSIT | ISCSI_OP_PARMS_NEGOTIATION_STAGE);
}

static int check_target(const struct exchange *x, struct iscsi_session *session, const u8 *own)
{
	u8 expected[MD5_LENGTH], result[MD5_LENGTH];
	const char *name = value_of(x, "CHAP_N");
	int rc = digest(own[0], session->password_in, own, MD5_LENGTH, expected);

	if (rc)
		return rc;
	return name && !strcmp(name, session->username_in) &&
			       bytes_of(x, "CHAP_R", result, sizeof(result)) == MD5_LENGTH &&
			       !memcmp(result, expected, MD5_LENGTH)
		       ? 0
		       : -EACCES;
}

static int prove(struct exchange *x, struct iscsi_session *session)
{
	u8 own[MD5_LENGTH];
	int rc;

	get_random_bytes(own, sizeof(own));
	own[0] |= 1;
	add_key(x, "AuthMethod", "CHAP");
	rc = turn(x, 0);
	if (rc)
		return rc;
	x->length = 0;
	add_key(x, "CHAP_A", MD5);
	rc = turn(x, 0) ?: answer(x, session, own);
	if (!rc && is_given(session->username_in, session->password_in))
		rc = check_target(x, session, own);
	x->length = 0;
	return rc;
}

/* ---- all of it ---- */

static int negotiate(struct exchange *x, struct iscsi_conn *conn)
{
	unsigned int i;
	int rc;

	make_offer(x, conn);
	for (i = 0; i < ROUNDS; i++) {
		rc = turn(x, ISCSI_FLAG_LOGIN_TRANSIT | ISCSI_OP_PARMS_NEGOTIATION_STAGE << 2 |
				     ISCSI_FULL_FEATURE_PHASE);
		if (rc)
			return rc;
		take_text(conn, x);
		if (x->response.flags & ISCSI_FLAG_LOGIN_TRANSIT &&
		    (x->response.flags & 3) == ISCSI_FULL_FEATURE_PHASE)
			return 0;
		x->length = 0;
	}
	return -EPROTO;
}

/* Sleeps. The session has its target's name; what was negotiated is in it and its connection after
 * that. */
int ta_log_in(struct socket *socket, struct iscsi_conn *conn, const char *initiator)
{
	struct iscsi_session *session = conn->session;
	struct exchange *x;
	int rc;

	if (!session->targetname)
		return -EINVAL;
	x = kzalloc(sizeof(*x), GFP_KERNEL);
	if (!x)
		return -ENOMEM;
	x->socket = socket;
	socket->sk->sk_rcvtimeo = PATIENCE;
	conn->max_xmit_dlength = ISCSI_DEF_MAX_RECV_SEG_LEN;
	/* As offered: a target need not answer that. */
	session->initial_r2t_en = session->imm_data_en = 1;
	make_request(x, session);
	add_names(x, session, initiator);
	rc = is_given(session->username, session->password) ? prove(x, session) : 0;
	rc = rc ?: negotiate(x, conn);
	if (!rc) {
		conn->exp_statsn = be32_to_cpu(x->response.statsn) + 1;
		session->tsid = be16_to_cpu(x->response.tsih);
	}
	kfree(x);
	return rc;
}

/* On a connection that libiscsi has left: whatever else comes from the target is thrown away with
 * it. */
void ta_log_out(struct socket *socket, struct iscsi_conn *conn)
{
	struct iscsi_logout request = {
		.opcode = ISCSI_OP_LOGOUT | ISCSI_OP_IMMEDIATE,
		.flags = ISCSI_FLAG_CMD_FINAL | ISCSI_LOGOUT_REASON_CLOSE_SESSION,
		.cmdsn = cpu_to_be32(conn->session->cmdsn),
		.exp_statsn = cpu_to_be32(conn->exp_statsn),
	};
	struct iscsi_hdr response = {};

	socket->sk->sk_rcvtimeo = HZ;
	if (!send_all(socket, &request, NULL, 0))
		receive_all(socket, &response, sizeof(response));
}
