// SPDX-License-Identifier: GPL-2.0-only
/*
 * Endpoints: connections on their way, and the sockets below those that have arrived.
 */
#include <linux/delay.h>
#include <linux/tcp.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <net/tcp_states.h>
#include <scsi/scsi_host.h>
#include "adapter.h"

#define CANCEL_MAX (12 * HZ) /* bnx2i's patience with a connect in progress */

/* The adapter may choose where nobody said which port; it takes the first one. */
static struct port *choose_port(struct Scsi_Host *host)
{
	struct port **port;

	if (host)
		return ta_port(host);
	if (adapter.row->flags & ROW_NEEDS_HOST)
		return NULL;
	for (port = adapter.ports; *port; port++)
		if (READ_ONCE((*port)->host))
			return *port;
	return NULL;
}

static void on_data_ready(struct sock *sk)
{
	struct endpoint *endpoint;

	read_lock_bh(&sk->sk_callback_lock);
	endpoint = sk->sk_user_data;
	if (endpoint && endpoint->conn)
		iscsi_conn_queue_recv(endpoint->conn);
	else if (endpoint)
		endpoint->data_ready(sk);
	read_unlock_bh(&sk->sk_callback_lock);
}

static void on_state_change(struct sock *sk)
{
	struct endpoint *endpoint;

	read_lock_bh(&sk->sk_callback_lock);
	endpoint = sk->sk_user_data;
	if (endpoint) {
		endpoint->state_change(sk);
		wake_up(&endpoint->wait);
		/* What came before the end is still to be read. */
		if (endpoint->conn)
			iscsi_conn_queue_recv(endpoint->conn);
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

static void on_write_space(struct sock *sk)
{
	struct endpoint *endpoint;

	read_lock_bh(&sk->sk_callback_lock);
	endpoint = sk->sk_user_data;
	if (endpoint) {
		endpoint->write_space(sk);
		if (endpoint->conn)
			iscsi_conn_queue_xmit(endpoint->conn);
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

static void take_socket(struct endpoint *endpoint, struct socket *socket)
{
	struct sock *sk = socket->sk;

	write_lock_bh(&sk->sk_callback_lock);
	endpoint->socket = socket;
	endpoint->data_ready = sk->sk_data_ready;
	endpoint->state_change = sk->sk_state_change;
	endpoint->write_space = sk->sk_write_space;
	sk->sk_user_data = endpoint;
	sk->sk_data_ready = on_data_ready;
	sk->sk_state_change = on_state_change;
	sk->sk_write_space = on_write_space;
	write_unlock_bh(&sk->sk_callback_lock);
}

/* After it nothing that happens to the socket reaches us. */
static void leave_socket(struct endpoint *endpoint)
{
	struct sock *sk = endpoint->socket->sk;

	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_user_data = NULL;
	sk->sk_data_ready = endpoint->data_ready;
	sk->sk_state_change = endpoint->state_change;
	sk->sk_write_space = endpoint->write_space;
	write_unlock_bh(&sk->sk_callback_lock);
}

static int length_of(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					      : sizeof(struct sockaddr_in);
}

static int bind_source(struct endpoint *endpoint, struct socket *socket)
{
	if (endpoint->source.ss_family != endpoint->target.ss_family)
		return 0;
	return kernel_bind(socket, (struct sockaddr *)&endpoint->source,
			   length_of(&endpoint->source));
}

/* Sends the SYN. A failure is the endpoint's: it shows when it is polled. */
void ta_open_socket(struct endpoint *endpoint)
{
	struct socket *socket;
	int rc;

	if (endpoint->never)
		return;
	rc = sock_create_kern(endpoint->net, endpoint->target.ss_family, SOCK_STREAM, IPPROTO_TCP,
			      &socket);
	if (rc) {
		endpoint->error = rc;
		return;
	}
	socket->sk->sk_allocation = GFP_ATOMIC;
	tcp_sock_set_nodelay(socket->sk);
	take_socket(endpoint, socket);
	rc = bind_source(endpoint, socket);
	if (!rc)
		rc = kernel_connect(socket, (struct sockaddr *)&endpoint->target,
				    length_of(&endpoint->target), O_NONBLOCK);
	if (rc && rc != -EINPROGRESS)
		endpoint->error = rc;
}

static int check_target(const struct sockaddr *target)
{
	return target->sa_family == AF_INET || target->sa_family == AF_INET6 ? 0 : -EAFNOSUPPORT;
}

/* ---- endpoints, and the objects by which user space knows them ---- */

/* An object that has lost its endpoint may still be asked for. */
struct endpoint *ta_get_endpoint(struct iscsi_endpoint *ep)
{
	struct endpoint *endpoint;

	mutex_lock(&adapter.endpoint_lock);
	endpoint = *(struct endpoint **)ep->dd_data;
	if (endpoint)
		kref_get(&endpoint->references);
	mutex_unlock(&adapter.endpoint_lock);
	return endpoint;
}

static void free_endpoint(struct kref *references)
{
	struct endpoint *endpoint = container_of(references, struct endpoint, references);

	put_net(endpoint->net);
	kfree(endpoint);
}

void ta_put_endpoint(struct endpoint *endpoint)
{
	kref_put(&endpoint->references, free_endpoint);
}

void ta_name_endpoint(struct endpoint *endpoint, struct iscsi_endpoint *ep)
{
	mutex_lock(&adapter.endpoint_lock);
	if (endpoint->ep)
		*(struct endpoint **)endpoint->ep->dd_data = NULL;
	endpoint->ep = ep;
	if (ep)
		*(struct endpoint **)ep->dd_data = endpoint;
	mutex_unlock(&adapter.endpoint_lock);
}

struct endpoint *ta_new_endpoint(struct port *port, const struct sockaddr *target)
{
	struct endpoint *endpoint = kzalloc(sizeof(*endpoint), GFP_KERNEL);
	struct iscsi_endpoint *ep;

	if (!endpoint)
		return NULL;
	ep = iscsi_create_endpoint(sizeof(endpoint));
	if (!ep) {
		kfree(endpoint);
		return NULL;
	}
	kref_init(&endpoint->references);
	endpoint->port = port;
	endpoint->ready = jiffies;
	init_waitqueue_head(&endpoint->wait);
	memcpy(&endpoint->target, target,
	       target->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					     : sizeof(struct sockaddr_in));
	ta_name_endpoint(endpoint, ep);
	mutex_lock(&port->lock);
	endpoint->net = get_net(port->net);
	endpoint->source = port->address[target->sa_family == AF_INET6];
	list_add_tail(&endpoint->list, &port->endpoints);
	mutex_unlock(&port->lock);
	return endpoint;
}

static int begin(struct endpoint *endpoint)
{
	if (adapter.row->flags & ROW_PATH)
		return ta_ask_path(endpoint, endpoint->port->host);
	if (!(adapter.row->flags & ROW_FIRMWARE))
		ta_open_socket(endpoint);
	return 0;
}

struct iscsi_endpoint *ta_ep_connect(struct Scsi_Host *host, struct sockaddr *target,
				     int non_blocking)
{
	struct port *port = choose_port(host);
	struct endpoint *endpoint;
	unsigned int value;
	int rc;

	if (!port || !READ_ONCE(port->host))
		return ERR_PTR(-ENXIO);
	if (check_target(target))
		return ERR_PTR(check_target(target));
	if (!port->link && adapter.row->link_error)
		return ERR_PTR(adapter.row->link_error);
	if (ta_fault(port, FAULT_CONNECT_ERROR, &value))
		return ERR_PTR(-(int)value);
	endpoint = ta_new_endpoint(port, target);
	if (!endpoint)
		return ERR_PTR(-ENOMEM);
	if (ta_fault(port, FAULT_CONNECT_DELAY, &value))
		endpoint->ready = jiffies + msecs_to_jiffies(value);
	endpoint->never = ta_fault(port, FAULT_CONNECT_NEVER, &value);
	rc = begin(endpoint);
	if (rc) {
		endpoint->error = rc;
		ta_ep_disconnect(endpoint->ep);
		return ERR_PTR(rc);
	}
	return endpoint->ep;
}

/* 1: connected, 0: not yet, negative: it failed. */
int ta_state(struct endpoint *endpoint)
{
	struct sock *sk;

	if (endpoint->error)
		return endpoint->error;
	if (endpoint->never || !endpoint->socket || time_before(jiffies, endpoint->ready))
		return 0;
	sk = endpoint->socket->sk;
	switch (READ_ONCE(sk->sk_state)) {
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT: /* and the peer has gone again */
		return 1;
	case TCP_SYN_SENT:
		return 0;
	default:
		return -1;
	}
}

int ta_ep_poll(struct iscsi_endpoint *ep, int timeout_ms)
{
	struct endpoint *endpoint = ta_get_endpoint(ep);
	unsigned int value;
	int rc;

	if (!endpoint)
		return -EINVAL;
	if (adapter.row->flags & ROW_POLL_WAITS)
		wait_event_interruptible_timeout(endpoint->wait, ta_state(endpoint) != 0,
						 msecs_to_jiffies(max(timeout_ms, 0)));
	rc = ta_state(endpoint);
	if (ta_fault(endpoint->port, FAULT_POLL_ERROR, &value))
		rc = -(int)value;
	else if (rc < 0)
		rc = adapter.row->flags & ROW_POLL_FAILS ? -1 : 0;
	ta_put_endpoint(endpoint);
	return rc;
}

void ta_close_socket(struct endpoint *endpoint)
{
	struct socket *socket = endpoint->socket;

	endpoint->error = 0;
	if (!socket)
		return;
	leave_socket(endpoint);
	endpoint->socket = NULL;
	kernel_sock_shutdown(socket, SHUT_RDWR);
	sock_release(socket);
}

void ta_close(struct endpoint *endpoint)
{
	struct port *port = endpoint->port;
	unsigned int value;

	mutex_lock(&port->lock);
	list_del(&endpoint->list);
	mutex_unlock(&port->lock);
	if (adapter.row->flags & ROW_SLOW_CANCEL)
		wait_event_timeout(endpoint->wait, ta_state(endpoint), CANCEL_MAX);
	if (endpoint->bound) {
		ta_detach(ta_connection(endpoint->bound));
		ta_connection(endpoint->bound)->endpoint = NULL;
	}
	if (ta_fault(port, FAULT_DISCONNECT_DELAY, &value))
		msleep(value);
	ta_close_socket(endpoint);
	ta_name_endpoint(endpoint, NULL);
	ta_put_endpoint(endpoint);
}

/* What the firmware has begun goes on without it. */
void ta_ep_disconnect(struct iscsi_endpoint *ep)
{
	struct endpoint *endpoint = ta_get_endpoint(ep);

	if (endpoint) {
		if (adapter.row->flags & ROW_FIRMWARE && endpoint->bound)
			ta_name_endpoint(endpoint, NULL);
		else
			ta_close(endpoint);
		ta_put_endpoint(endpoint);
	}
	iscsi_destroy_endpoint(ep);
}

int ta_get_ep_param(struct iscsi_endpoint *ep, enum iscsi_param param, char *buffer)
{
	struct endpoint *endpoint = ta_get_endpoint(ep);
	int length = -ENOSYS;

	if (!endpoint)
		return -ENOTCONN;
	if (param == ISCSI_PARAM_CONN_PORT || param == ISCSI_PARAM_CONN_ADDRESS)
		length = iscsi_conn_get_addr_param(&endpoint->target, param, buffer);
	ta_put_endpoint(endpoint);
	return length;
}

/* The connection is lost, as if the peer had closed it. */
void ta_cut(struct endpoint *endpoint)
{
	if (endpoint->socket)
		kernel_sock_shutdown(endpoint->socket, SHUT_RDWR);
}

/*
 * What is to happen at once: "cut", or "error CODE" (enum iscsi_err), to all connections of the
 * port; "event CODE" (enum iscsi_host_event_code), "if-down".
 */
int ta_raise(struct port *port, const char *text)
{
	struct endpoint *endpoint;
	char name[16];
	int code = 0;

	if (sscanf(text, "%15s %d", name, &code) < 1)
		return -EINVAL;
	mutex_lock(&port->lock);
	if (!strcmp(name, "event") && port->host)
		iscsi_post_host_event(port->host->host_no, &adapter.transport, code, 0, NULL);
	if (!strcmp(name, "if-down") && port->host)
		iscsi_offload_mesg(port->host, &adapter.transport, ISCSI_KEVENT_IF_DOWN, NULL, 0);
	list_for_each_entry (endpoint, &port->endpoints, list) {
		if (!strcmp(name, "cut"))
			ta_cut(endpoint);
		else if (!strcmp(name, "error") && endpoint->conn)
			iscsi_conn_failure(endpoint->conn, code);
	}
	mutex_unlock(&port->lock);
	return 0;
}
