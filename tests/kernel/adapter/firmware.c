// SPDX-License-Identifier: GPL-2.0-only
/*
 * An adapter that logs in by itself, as qla4xxx does. An endpoint is no more than an address there:
 * the connection is opened by START and closed by the removal of the connection. Sessions of the
 * firmware's own have no user space that cares for them: they come back by themselves, too.
 */
#include <linux/inet.h>
#include <linux/module.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <scsi/scsi_host.h>
#include "adapter.h"

#define CONNECT_MAX   (10 * HZ)
#define RETRY         (HZ / 2)
#define OWN_CMDS      128
#define OWN_TARGET_ID 0x800 /* and the index of the session: apart from those of user space */

static const char *initiator_name(struct iscsi_session *session)
{
	struct iscsi_host *ihost = shost_priv(session->host);

	return ihost->initiatorname;
}

static int open_and_log_in(struct endpoint *endpoint, struct iscsi_conn *conn)
{
	unsigned int value;

	if (ta_fault(endpoint->port, FAULT_LOGIN_ERROR, &value))
		return -(int)value;
	ta_open_socket(endpoint);
	wait_event_timeout(endpoint->wait, ta_state(endpoint) != 0, CONNECT_MAX);
	if (ta_state(endpoint) <= 0)
		return -ECONNREFUSED;
	return ta_log_in(endpoint->socket, conn, initiator_name(conn->session));
}

static void start(struct connection *connection)
{
	struct iscsi_conn *conn = connection->conn;

	ta_attach(connection, connection->endpoint);
	iscsi_conn_start(conn->cls_conn);
	iscsi_conn_queue_recv(conn);
	if (connection->own) {
		queue_work(conn->session->cls_session->workq,
			   &conn->session->cls_session->scan_work);
		return;
	}
	connection->worked = true;
	iscsi_conn_login_event(conn->cls_conn, ISCSI_CONN_STATE_LOGGED_IN);
}

/* Of a session that worked before it is told as another loss. */
static void fail(struct connection *connection)
{
	ta_close_socket(connection->endpoint);
	if (connection->worked)
		iscsi_conn_failure(connection->conn, adapter.row->lost);
	else
		iscsi_conn_login_event(connection->conn->cls_conn, ISCSI_CONN_STATE_FREE);
}

static void login_work(struct work_struct *work)
{
	struct connection *connection = container_of(work, struct connection, login.work);
	int rc = open_and_log_in(connection->endpoint, connection->conn);

	if (!rc) {
		start(connection);
	} else if (connection->own) {
		ta_close_socket(connection->endpoint);
		queue_delayed_work(adapter.work, &connection->login, RETRY);
	} else {
		fail(connection);
	}
}

/* The connection of a session of its own is lost: it gets another one. */
static void lost_work(struct work_struct *work)
{
	struct connection *connection = container_of(work, struct connection, lost);
	struct iscsi_cls_conn *cls_conn = connection->conn->cls_conn;

	ta_detach(connection);
	iscsi_conn_stop(cls_conn, STOP_CONN_RECOVER);
	ta_close_socket(connection->endpoint);
	iscsi_conn_bind(iscsi_conn_to_session(cls_conn), cls_conn, 1);
	queue_delayed_work(adapter.work, &connection->login, RETRY);
}

void ta_init_firmware(struct connection *connection)
{
	struct iscsi_session *session = connection->conn->session;

	INIT_DELAYED_WORK(&connection->login, login_work);
	INIT_WORK(&connection->lost, lost_work);
	session->isid[0] = 0x80;
	session->isid[1] = 0x51;
	session->isid[4] = session->cls_session->sid >> 8;
	session->isid[5] = session->cls_session->sid;
}

/* Logged in, and the target has not gone. */
static bool is_active(struct connection *connection)
{
	struct endpoint *endpoint = connection->endpoint;

	return endpoint && endpoint->conn && ta_state(endpoint) > 0 &&
	       !(endpoint->socket->sk->sk_shutdown & RCV_SHUTDOWN);
}

static void drop(struct connection *connection)
{
	struct endpoint *endpoint = connection->endpoint;

	ta_detach(connection);
	connection->endpoint = NULL;
	endpoint->bound = NULL;
	if (!endpoint->ep)
		ta_close(endpoint);
}

/* A session that is still logged in keeps its connection, under the new name. */
int ta_bind_firmware(struct iscsi_cls_session *cls_session, struct iscsi_cls_conn *cls_conn,
		     struct endpoint *endpoint, int is_leading)
{
	struct connection *connection = ta_connection(cls_conn->dd_data);
	unsigned int value;

	if (endpoint->port != ta_port(iscsi_session_to_shost(cls_session)) || endpoint->bound)
		return -EEXIST;
	if (ta_fault(endpoint->port, FAULT_BIND_ERROR, &value))
		return -(int)value;
	if (is_active(connection)) {
		struct iscsi_endpoint *ep = endpoint->ep;

		ta_close(endpoint);
		ta_name_endpoint(connection->endpoint, ep);
	} else {
		if (connection->endpoint)
			drop(connection);
		connection->endpoint = endpoint;
		endpoint->bound = connection->conn;
	}
	return iscsi_conn_bind(cls_session, cls_conn, is_leading);
}

static bool has_own_session(struct port *port, const char *target)
{
	unsigned int i;

	for (i = 0; i < TA_OWN_SESSIONS; i++) {
		struct iscsi_session *session = port->own[i] ? port->own[i]->dd_data : NULL;

		if (session && target && !strcmp(session->targetname, target))
			return true;
	}
	return false;
}

static int start_conn(struct iscsi_cls_conn *cls_conn)
{
	struct iscsi_conn *conn = cls_conn->dd_data;
	struct connection *connection = ta_connection(conn);
	struct port *port = ta_port(conn->session->host);
	unsigned int value, delay = 0;

	if (ta_fault(port, FAULT_START_ERROR, &value))
		return -(int)value;
	if (!connection->endpoint)
		return -EINVAL;
	if (is_active(connection)) {
		iscsi_conn_start(cls_conn);
		iscsi_conn_login_event(cls_conn, ISCSI_CONN_STATE_LOGGED_IN);
		return 0;
	}
	if (has_own_session(port, conn->session->targetname))
		return -EEXIST;
	ta_fault(port, FAULT_LOGIN_DELAY, &delay);
	mod_delayed_work(adapter.work, &connection->login, msecs_to_jiffies(delay));
	return 0;
}

/* A login that is on its way ends; a session is logged out. */
void ta_stop_firmware(struct connection *connection)
{
	struct endpoint *endpoint = connection->endpoint;

	if (!endpoint)
		return;
	if (!is_active(connection) && endpoint->socket)
		kernel_sock_shutdown(endpoint->socket, SHUT_RDWR);
	cancel_work_sync(&connection->lost);
	cancel_delayed_work_sync(&connection->login);
	if (is_active(connection)) {
		ta_detach(connection);
		ta_log_out(endpoint->socket, connection->conn);
	}
	drop(connection);
}

static int poll(struct iscsi_endpoint *ep, int timeout_ms)
{
	struct endpoint *endpoint = ta_get_endpoint(ep);
	unsigned int value;
	int rc = 0;

	if (!endpoint)
		return -EINVAL;
	if (ta_fault(endpoint->port, FAULT_POLL_ERROR, &value))
		rc = -(int)value;
	else if (!endpoint->never && time_after_eq(jiffies, endpoint->ready))
		rc = READ_ONCE(endpoint->port->host) != NULL;
	ta_put_endpoint(endpoint);
	return rc;
}

/* ---- sessions of its own ---- */

static void name_session(struct iscsi_cls_conn *cls_conn, const char *target,
			 const struct sockaddr_storage *address)
{
	struct iscsi_conn *conn = cls_conn->dd_data;
	char text[INET6_ADDRSTRLEN + 1];
	bool v6 = address->ss_family == AF_INET6;

	if (v6)
		snprintf(text, sizeof(text), "%pI6", &((struct sockaddr_in6 *)address)->sin6_addr);
	else
		snprintf(text, sizeof(text), "%pI4", &((struct sockaddr_in *)address)->sin_addr);
	iscsi_switch_str_param(&conn->session->targetname, (char *)target);
	iscsi_switch_str_param(&conn->session->portal_type, v6 ? "ipv6" : "ipv4");
	iscsi_switch_str_param(&conn->persistent_address, text);
	conn->persistent_port = ntohs(((struct sockaddr_in *)address)->sin_port);
}

static int add_connection(struct port *port, struct iscsi_cls_session *cls_session,
			  const char *target, const struct sockaddr_storage *address)
{
	struct iscsi_cls_conn *cls_conn = adapter.transport.create_conn(cls_session, 0);
	struct connection *connection;
	struct endpoint *endpoint;

	if (!cls_conn)
		return -ENOMEM;
	endpoint = ta_new_endpoint(port, (const struct sockaddr *)address);
	if (!endpoint) {
		adapter.transport.destroy_conn(cls_conn);
		return -ENOMEM;
	}
	connection = ta_connection(cls_conn->dd_data);
	connection->own = true;
	connection->endpoint = endpoint;
	endpoint->bound = connection->conn;
	/* For its attributes. */
	endpoint->ep->conn = cls_conn;
	cls_conn->ep = endpoint->ep;
	name_session(cls_conn, target, address);
	iscsi_conn_bind(cls_session, cls_conn, 1);
	queue_delayed_work(adapter.work, &connection->login, 0);
	return 0;
}

/* At once there is a session, and a login that goes on until it succeeds. The module can go
 * nevertheless. */
int ta_add_own_session(struct port *port, unsigned int index, const char *target,
		       const struct sockaddr_storage *address)
{
	struct Scsi_Host *host = READ_ONCE(port->host);
	struct iscsi_cls_session *cls_session;
	int rc;

	if (!host || index >= TA_OWN_SESSIONS)
		return -ENODEV;
	if (port->own[index])
		return -EEXIST;
	cls_session = ta_new_session(host, OWN_CMDS, 0, OWN_TARGET_ID + index);
	if (!cls_session)
		return -ENOMEM;
	rc = add_connection(port, cls_session, target, address);
	if (rc) {
		adapter.transport.destroy_session(cls_session);
		return rc;
	}
	module_put(THIS_MODULE);
	port->own[index] = cls_session;
	return 0;
}

static int find_conn(struct device *dev, void *data)
{
	struct iscsi_cls_conn **ret = data;

	if (strncmp(dev_name(dev), "connection", 10))
		return 0;
	*ret = iscsi_dev_to_conn(dev);
	return 1;
}

int ta_remove_own_session(struct port *port, unsigned int index)
{
	struct iscsi_cls_session *cls_session;
	struct iscsi_cls_conn *cls_conn = NULL;
	struct iscsi_endpoint *ep;

	if (index >= TA_OWN_SESSIONS || !port->own[index])
		return -ENOENT;
	cls_session = port->own[index];
	port->own[index] = NULL;
	__module_get(THIS_MODULE);
	device_for_each_child(&cls_session->dev, &cls_conn, find_conn);
	if (cls_conn) {
		ep = cls_conn->ep;
		cls_conn->ep = NULL;
		iscsi_suspend_tx(cls_conn->dd_data);
		iscsi_suspend_rx(cls_conn->dd_data);
		ta_stop_firmware(ta_connection(cls_conn->dd_data));
		iscsi_conn_stop(cls_conn, STOP_CONN_TERM);
		if (ep)
			ta_ep_disconnect(ep);
		adapter.transport.destroy_conn(cls_conn);
	}
	adapter.transport.destroy_session(cls_session);
	return 0;
}

void ta_remove_own_sessions(struct port *port)
{
	unsigned int i;

	for (i = 0; i < TA_OWN_SESSIONS; i++)
		ta_remove_own_session(port, i);
}

/* "ADDRESS TARGET": a session that the firmware made before there was a driver. Empty: all of its
 * own go. */
int ta_order_own_session(struct port *port, const char *text)
{
	struct sockaddr_storage address;
	char host[INET6_ADDRSTRLEN + 1], target[224];
	unsigned int i;

	if (!(adapter.row->flags & ROW_FIRMWARE))
		return -EOPNOTSUPP;
	if (sscanf(text, "%46s %223s", host, target) != 2) {
		ta_remove_own_sessions(port);
		return 0;
	}
	if (inet_pton_with_scope(&init_net, AF_UNSPEC, host, "3260", &address))
		return -EINVAL;
	for (i = TA_FLASH_NODES; i < TA_OWN_SESSIONS && port->own[i]; i++)
		;
	return ta_add_own_session(port, i, target, &address);
}

static int logout_sid(struct iscsi_cls_session *cls_session)
{
	struct port *port = ta_port(iscsi_session_to_shost(cls_session));
	unsigned int i;

	for (i = 0; i < TA_OWN_SESSIONS; i++)
		if (port->own[i] == cls_session)
			return i < TA_FLASH_NODES ? ta_remove_own_session(port, i) : -EPERM;
	return -ENXIO;
}

void ta_complete_firmware(struct iscsi_transport *transport)
{
	transport->start_conn = start_conn;
	transport->ep_poll = poll;
	transport->send_ping = ta_send_ping;
	transport->get_chap = ta_get_chap;
	transport->set_chap = ta_set_chap;
	transport->delete_chap = ta_delete_chap;
	transport->get_host_stats = ta_get_host_stats;
	transport->logout_flashnode_sid = logout_sid;
	ta_complete_flash(transport);
}
