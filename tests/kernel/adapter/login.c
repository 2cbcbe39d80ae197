// SPDX-License-Identifier: GPL-2.0-only
/*
 * The firmware's login: as short as a target lets it be, without authentication.
 */
#include <linux/net.h>
#include <linux/slab.h>
#include <net/sock.h>
#include "adapter.h"

#define TEXT_MAX 8192
#define ROUNDS   8
#define PATIENCE (10 * HZ)

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

/* Every key that a target would ask for. */
static void make_offer(struct exchange *x, struct iscsi_session *session, const char *initiator)
{
	static const char *const keys[][2] = {
		{ "SessionType", "Normal" },
		{ "HeaderDigest", "None" },
		{ "DataDigest", "None" },
		{ "MaxConnections", "1" },
		{ "InitialR2T", "Yes" },
		{ "ImmediateData", "Yes" },
		{ "MaxRecvDataSegmentLength", "8192" },
		{ "MaxBurstLength", "65536" },
		{ "FirstBurstLength", "8192" },
		{ "DefaultTime2Wait", "0" },
		{ "DefaultTime2Retain", "0" },
		{ "MaxOutstandingR2T", "1" },
		{ "DataPDUInOrder", "Yes" },
		{ "DataSequenceInOrder", "Yes" },
		{ "ErrorRecoveryLevel", "0" },
	};
	unsigned int i;

	add_key(x, "InitiatorName", initiator);
	add_key(x, "TargetName", session->targetname);
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		add_key(x, keys[i][0], keys[i][1]);
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
	request->flags = ISCSI_FLAG_LOGIN_TRANSIT | ISCSI_OP_PARMS_NEGOTIATION_STAGE << 2 |
			 ISCSI_FULL_FEATURE_PHASE;
	memcpy(request->isid, session->isid, sizeof(request->isid));
	request->cmdsn = cpu_to_be32(session->cmdsn);
}

static int run(struct exchange *x, struct iscsi_conn *conn)
{
	unsigned int i;
	int rc;

	for (i = 0; i < ROUNDS; i++) {
		hton24(x->request.dlength, x->length);
		memset(x->text + x->length, 0, iscsi_padded(x->length) - x->length);
		rc = send_all(x->socket, &x->request, x->text, x->length) ?: receive_response(x);
		if (rc)
			return rc;
		if (x->response.status_class)
			return -EACCES;
		take_text(conn, x);
		if (x->response.flags & ISCSI_FLAG_LOGIN_TRANSIT &&
		    (x->response.flags & 3) == ISCSI_FULL_FEATURE_PHASE)
			return 0;
		x->length = 0;
		x->request.exp_statsn = cpu_to_be32(be32_to_cpu(x->response.statsn) + 1);
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
	make_request(x, session);
	make_offer(x, session, initiator);
	rc = run(x, conn);
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
