// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data path: PDUs between libiscsi and a socket. All of it runs in the host's work queue, one
 * work at a time.
 */
#include <linux/bvec.h>
#include <linux/scatterlist.h>
#include <linux/sched/mm.h>
#include <linux/uio.h>
#include <net/tcp.h>
#include <scsi/scsi_cmnd.h>
#include "adapter.h"

struct connection *ta_connection(struct iscsi_conn *conn)
{
	struct iscsi_tcp_conn *tcp_conn = conn->dd_data;

	return tcp_conn->dd_data;
}

/* ---- receiving ---- */

static int receive(read_descriptor_t *descriptor, struct sk_buff *skb, unsigned int offset,
		   size_t length)
{
	struct iscsi_conn *conn = descriptor->arg.data;
	unsigned int consumed, total = 0;
	int status;

	do {
		consumed = iscsi_tcp_recv_skb(conn, skb, offset + total, false, &status);
		total += consumed;
	} while (consumed && status != ISCSI_TCP_SKB_DONE);
	return total;
}

/* By the peer, by a reset, or by ta_cut(); and nothing is left to be read. */
static bool is_closed(struct sock *sk)
{
	return sk->sk_shutdown & RCV_SHUTDOWN && skb_queue_empty(&sk->sk_receive_queue);
}

void ta_receive_work(struct work_struct *work)
{
	struct iscsi_conn *conn = container_of(work, struct iscsi_conn, recvwork);
	struct iscsi_tcp_conn *tcp_conn = conn->dd_data;
	struct endpoint *endpoint = ta_connection(conn)->endpoint;
	read_descriptor_t descriptor = { .arg.data = conn, .count = 1 };
	struct sock *sk;
	bool closed;

	if (!endpoint || !endpoint->conn)
		return;
	sk = endpoint->socket->sk;
	lock_sock(sk);
	/* libiscsi takes its locks on this path as interrupts do. */
	local_bh_disable();
	tcp_read_sock(sk, &descriptor, receive);
	iscsi_tcp_segment_unmap(&tcp_conn->in.segment);
	closed = is_closed(sk);
	local_bh_enable();
	release_sock(sk);
	if (!closed || conn->session->state == ISCSI_STATE_LOGGING_OUT)
		return;
	if (ta_connection(conn)->own)
		queue_work(adapter.work, &ta_connection(conn)->lost);
	else
		iscsi_conn_failure(conn, adapter.row->lost);
}

/* ---- sending ---- */

/* One piece of a segment; the number of bytes sent. */
static int send_piece(struct socket *socket, struct iscsi_segment *segment)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	unsigned int length = segment->size - segment->copied;
	struct bio_vec page;
	struct kvec memory;

	if (segment->total_copied + segment->size < segment->total_size)
		msg.msg_flags |= MSG_MORE;
	if (segment->data) {
		memory.iov_base = segment->data + segment->copied;
		memory.iov_len = length;
		return kernel_sendmsg(socket, &msg, &memory, 1, length);
	}
	page.bv_page = sg_page(segment->sg);
	page.bv_offset = segment->sg->offset + segment->sg_offset + segment->copied;
	page.bv_len = length;
	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, &page, 1, length);
	return sock_sendmsg(socket, &msg);
}

static int send_segment(struct connection *connection, struct iscsi_segment *segment)
{
	struct iscsi_conn *conn = connection->conn;
	int sent = 0;

	while (!iscsi_tcp_segment_done(conn->dd_data, segment, 0, sent)) {
		sent = send_piece(connection->endpoint->socket, segment);
		if (sent < 0) {
			iscsi_tcp_segment_unmap(segment);
			return sent;
		}
		conn->txdata_octets += sent;
	}
	return 0;
}

static int send_rest(struct connection *connection)
{
	int rc;

	for (;;) {
		rc = send_segment(connection, &connection->out);
		if (rc || !connection->payload.total_size)
			return rc;
		connection->out = connection->payload;
		connection->payload.total_size = 0;
	}
}

/* Sends what is left of the PDU that was prepared last. */
int ta_xmit_pdu(struct iscsi_task *task)
{
	struct iscsi_conn *conn = task->conn;
	struct connection *connection = ta_connection(conn);
	unsigned int flags;
	int rc;

	if (!connection->endpoint || !connection->endpoint->conn)
		return -ENOTCONN;
	flags = memalloc_noreclaim_save();
	rc = send_rest(connection);
	memalloc_noreclaim_restore(flags);
	if (!rc || rc == -EAGAIN)
		return rc;
	iscsi_conn_failure(conn, adapter.row->lost);
	return -EIO;
}

int ta_alloc_pdu(struct iscsi_task *task, u8 opcode)
{
	task->hdr = task->dd_data + sizeof(struct iscsi_tcp_task);
	task->hdr_max = sizeof(struct task_header) - ISCSI_DIGEST_SIZE;
	return 0;
}

int ta_init_pdu(struct iscsi_task *task, unsigned int offset, unsigned int count)
{
	struct iscsi_conn *conn = task->conn;
	struct connection *connection = ta_connection(conn);
	struct ahash_request *hash = conn->datadgst_en ? connection->tx_hash : NULL;
	unsigned int length = task->hdr_len;
	struct scsi_data_buffer *buffer;

	if (!connection->endpoint || !connection->endpoint->conn)
		return -ENOTCONN;
	if (ta_fault_at(connection->endpoint->port, FAULT_CUT_AFTER, connection->sent++))
		ta_cut(connection->endpoint);
	if (conn->hdrdgst_en) {
		iscsi_tcp_dgst_header(connection->tx_hash, task->hdr, length,
				      (u8 *)task->hdr + length);
		length += ISCSI_DIGEST_SIZE;
	}
	iscsi_segment_init_linear(&connection->out, task->hdr, length, NULL, NULL);
	connection->payload.total_size = 0;
	if (!count)
		return 0;
	if (!task->sc) {
		iscsi_segment_init_linear(&connection->payload, task->data, count, NULL, hash);
		return 0;
	}
	buffer = &task->sc->sdb;
	return iscsi_segment_seek_sg(&connection->payload, buffer->table.sgl, buffer->table.nents,
				     offset, count, NULL, hash)
		       ? -EIO
		       : 0;
}
