// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions and connections, as user space asks for them.
 */
#include <crypto/hash.h>
#include <linux/module.h>
#include <net/sock.h>
#include <scsi/scsi_host.h>
#include "adapter.h"

struct iscsi_cls_session *ta_new_session(struct Scsi_Host *host, u16 cmds_max, u32 cmdsn,
					 unsigned int target_id)
{
	struct iscsi_cls_session *cls_session;
	struct iscsi_session *session;

	cls_session = iscsi_session_setup(
		&adapter.transport, host, cmds_max, 0,
		sizeof(struct iscsi_tcp_task) + sizeof(struct task_header), cmdsn, target_id);
	if (!cls_session)
		return NULL;
	session = cls_session->dd_data;
	/* Padding and digests, which an adapter claims to do, are done by libiscsi here. */
	session->tt = &ta_data_transport;
	if (iscsi_tcp_r2tpool_alloc(session)) {
		iscsi_session_teardown(cls_session);
		return NULL;
	}
	return cls_session;
}

static struct iscsi_cls_session *create_session(struct iscsi_endpoint *ep, u16 cmds_max, u16 depth,
						u32 cmdsn)
{
	struct endpoint *endpoint = ep ? ta_get_endpoint(ep) : NULL;
	struct Scsi_Host *host;

	if (!endpoint)
		return NULL;
	host = READ_ONCE(endpoint->port->host);
	ta_put_endpoint(endpoint);
	return host ? ta_new_session(host, cmds_max, cmdsn, ISCSI_MAX_TARGET) : NULL;
}

static void destroy_session(struct iscsi_cls_session *cls_session)
{
	struct iscsi_session *session = cls_session->dd_data;

	iscsi_session_remove(cls_session);
	iscsi_tcp_r2tpool_free(session);
	iscsi_session_free(cls_session);
}

static void free_hashes(struct connection *connection)
{
	struct crypto_ahash *tfm;

	if (connection->rx_hash)
		ahash_request_free(connection->rx_hash);
	if (!connection->tx_hash)
		return;
	tfm = crypto_ahash_reqtfm(connection->tx_hash);
	ahash_request_free(connection->tx_hash);
	crypto_free_ahash(tfm);
}

static int new_hashes(struct connection *connection)
{
	struct crypto_ahash *tfm = crypto_alloc_ahash("crc32c", 0, CRYPTO_ALG_ASYNC);

	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	connection->tx_hash = ahash_request_alloc(tfm, GFP_KERNEL);
	if (!connection->tx_hash) {
		crypto_free_ahash(tfm);
		return -ENOMEM;
	}
	connection->rx_hash = ahash_request_alloc(tfm, GFP_KERNEL);
	if (!connection->rx_hash)
		return -ENOMEM;
	ahash_request_set_callback(connection->tx_hash, 0, NULL, NULL);
	ahash_request_set_callback(connection->rx_hash, 0, NULL, NULL);
	return 0;
}

static struct iscsi_cls_conn *create_conn(struct iscsi_cls_session *cls_session, u32 cid)
{
	struct iscsi_cls_conn *cls_conn;
	struct connection *connection;
	struct iscsi_conn *conn;

	cls_conn = iscsi_tcp_conn_setup(cls_session, sizeof(*connection), cid);
	if (!cls_conn)
		return NULL;
	conn = cls_conn->dd_data;
	INIT_WORK(&conn->recvwork, ta_receive_work);
	connection = ta_connection(conn);
	connection->conn = conn;
	if (new_hashes(connection)) {
		free_hashes(connection);
		iscsi_tcp_conn_teardown(cls_conn);
		return NULL;
	}
	((struct iscsi_tcp_conn *)conn->dd_data)->rx_hash = connection->rx_hash;
	ta_init_firmware(connection);
	return cls_conn;
}

static void destroy_conn(struct iscsi_cls_conn *cls_conn)
{
	struct connection *connection = ta_connection(cls_conn->dd_data);
	struct port *port = ta_port(iscsi_session_to_shost(iscsi_conn_to_session(cls_conn)));
	unsigned int value;

	if (adapter.row->flags & ROW_FIRMWARE) {
		ta_stop_firmware(connection);
		/* As the driver does. */
		if (ta_fault(port, FAULT_CONNECTION_KEPT, &value))
			return;
	}
	free_hashes(connection);
	iscsi_tcp_conn_teardown(cls_conn);
}

/* From now on the connection hears of what comes. */
void ta_attach(struct connection *connection, struct endpoint *endpoint)
{
	struct sock *sk = endpoint->socket->sk;

	memset(&connection->out, 0, sizeof(connection->out));
	memset(&connection->payload, 0, sizeof(connection->payload));
	connection->sent = 0;
	connection->endpoint = endpoint;
	endpoint->bound = connection->conn;
	iscsi_tcp_hdr_recv_prep(connection->conn->dd_data);
	write_lock_bh(&sk->sk_callback_lock);
	endpoint->conn = connection->conn;
	write_unlock_bh(&sk->sk_callback_lock);
}

/* After it no task of the connection touches the socket. */
void ta_detach(struct connection *connection)
{
	struct endpoint *endpoint = connection->endpoint;

	if (endpoint->socket) {
		write_lock_bh(&endpoint->socket->sk->sk_callback_lock);
		endpoint->conn = NULL;
		write_unlock_bh(&endpoint->socket->sk->sk_callback_lock);
	}
	iscsi_suspend_tx(connection->conn);
	iscsi_suspend_rx(connection->conn);
}

static int bind_endpoint(struct iscsi_cls_session *cls_session, struct iscsi_cls_conn *cls_conn,
			 struct endpoint *endpoint, int is_leading)
{
	struct iscsi_conn *conn = cls_conn->dd_data;
	struct connection *connection = ta_connection(conn);
	struct port *port = ta_port(iscsi_session_to_shost(cls_session));
	unsigned int value;
	int rc;

	if (endpoint->port != port || endpoint->bound || connection->endpoint)
		return -EEXIST;
	if (ta_fault(port, FAULT_BIND_ERROR, &value))
		return -(int)value;
	if (ta_state(endpoint) <= 0)
		return -EINVAL;
	rc = iscsi_conn_bind(cls_session, cls_conn, is_leading);
	if (rc)
		return rc;
	ta_attach(connection, endpoint);
	if (ta_fault(port, FAULT_CUT_AT_BIND, &value))
		ta_cut(endpoint);
	/* Whatever came before, data or the end. */
	iscsi_conn_queue_recv(conn);
	return 0;
}

static int bind_conn(struct iscsi_cls_session *cls_session, struct iscsi_cls_conn *cls_conn,
		     u64 handle, int is_leading)
{
	struct iscsi_endpoint *ep = iscsi_lookup_endpoint(handle);
	struct endpoint *endpoint;
	int rc = -EINVAL;

	if (!ep)
		return -EINVAL;
	endpoint = ta_get_endpoint(ep);
	if (endpoint) {
		rc = adapter.row->flags & ROW_FIRMWARE
			     ? ta_bind_firmware(cls_session, cls_conn, endpoint, is_leading)
			     : bind_endpoint(cls_session, cls_conn, endpoint, is_leading);
		ta_put_endpoint(endpoint);
	}
	iscsi_put_endpoint(ep);
	return rc;
}

/* As if the target had said it right after its last Login Response. */
static void receive_message(struct iscsi_conn *conn)
{
	struct iscsi_async message = {
		.opcode = ISCSI_OP_ASYNC_EVENT,
		.flags = ISCSI_FLAG_CMD_FINAL,
		.statsn = cpu_to_be32(conn->exp_statsn),
		.exp_cmdsn = cpu_to_be32(conn->session->exp_cmdsn),
		.max_cmdsn = cpu_to_be32(conn->session->max_cmdsn),
		.async_event = ISCSI_ASYNC_MSG_VENDOR_SPECIFIC,
	};
	struct iscsi_hdr *header = (struct iscsi_hdr *)&message;

	header->itt = RESERVED_ITT;
	iscsi_complete_pdu(conn, header, NULL, 0);
}

static int start_conn(struct iscsi_cls_conn *cls_conn)
{
	struct port *port = ta_port(iscsi_session_to_shost(iscsi_conn_to_session(cls_conn)));
	unsigned int value;

	if (ta_fault(port, FAULT_START_ERROR, &value))
		return -(int)value;
	if (ta_fault(port, FAULT_MESSAGE_AT_START, &value))
		receive_message(cls_conn->dd_data);
	return iscsi_conn_start(cls_conn);
}

/* Some values are taken for less. */
static int set_limited(struct iscsi_cls_conn *cls_conn, const struct limit *limit, char *text,
		       int length)
{
	char most[16];
	int value;

	if (kstrtoint(strim(text), 10, &value) || value <= limit->max)
		return iscsi_set_param(cls_conn, limit->param, text, length);
	if (limit->refuses)
		return -EINVAL;
	snprintf(most, sizeof(most), "%d", limit->max);
	return iscsi_set_param(cls_conn, limit->param, most, strlen(most) + 1);
}

static int set_param(struct iscsi_cls_conn *cls_conn, enum iscsi_param param, char *text,
		     int length)
{
	const struct limit *limit;

	if (param == ISCSI_PARAM_MAX_R2T)
		return iscsi_tcp_set_max_r2t(cls_conn->dd_data, text);
	for (limit = adapter.row->limits; limit && limit->max; limit++)
		if (limit->param == param)
			return set_limited(cls_conn, limit, text, length);
	return iscsi_set_param(cls_conn, param, text, length);
}

static void get_stats(struct iscsi_cls_conn *cls_conn, struct iscsi_stats *stats)
{
	struct iscsi_conn *conn = cls_conn->dd_data;

	iscsi_tcp_conn_get_stats(cls_conn, stats);
	stats->custom_length = 1;
	strscpy(stats->custom[0].desc, "eh_abort_cnt", sizeof(stats->custom[0].desc));
	stats->custom[0].value = conn->eh_abort_cnt;
}

/* What all drivers offer; adapter.c adds the name, and what a row has beyond this. */
const struct iscsi_transport ta_transport = {
	.owner = THIS_MODULE,
	.create_session = create_session,
	.destroy_session = destroy_session,
	.create_conn = create_conn,
	.bind_conn = bind_conn,
	.unbind_conn = iscsi_conn_unbind,
	.destroy_conn = destroy_conn,
	.start_conn = start_conn,
	.stop_conn = iscsi_conn_stop,
	.set_param = set_param,
	.attr_is_visible = ta_is_visible,
	.get_conn_param = iscsi_conn_get_param,
	.get_session_param = iscsi_session_get_param,
	.get_host_param = ta_get_host_param,
	.get_ep_param = ta_get_ep_param,
	.get_stats = get_stats,
	.send_pdu = iscsi_conn_send_pdu,
	.ep_connect = ta_ep_connect,
	.ep_poll = ta_ep_poll,
	.ep_disconnect = ta_ep_disconnect,
	.session_recovery_timedout = iscsi_session_recovery_timedout,
};

/* What libiscsi calls for the data path. */
struct iscsi_transport ta_data_transport = {
	.owner = THIS_MODULE,
	.init_task = iscsi_tcp_task_init,
	.xmit_task = iscsi_tcp_task_xmit,
	.cleanup_task = iscsi_tcp_cleanup_task,
	.alloc_pdu = ta_alloc_pdu,
	.init_pdu = ta_init_pdu,
	.xmit_pdu = ta_xmit_pdu,
};
