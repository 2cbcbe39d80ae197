/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An iSCSI adapter without hardware, for tests: see README.md.
 *
 * A port is a SCSI host; its connections are kernel sockets in a network namespace that the test
 * chooses. Everything that user space can ask of a port comes with the transport class's mutex
 * held, except where a comment says otherwise.
 */
#pragma once
#include <linux/device.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/socket.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <scsi/libiscsi_tcp.h>

struct net;
struct scsi_host_template;

/* What the drivers do differently. */
enum {
	ROW_NEEDS_HOST = BIT(0),  /* no connection without a named host */
	ROW_SETS_HOST = BIT(1),   /* SET_HOST_PARAM is accepted */
	ROW_POLL_WAITS = BIT(2),  /* polling an endpoint sleeps */
	ROW_POLL_FAILS = BIT(3),  /* it shows that a connect failed; else this goes on for ever */
	ROW_PATH = BIT(4),        /* user space is asked for the path of a connection */
	ROW_PATH_STRICT = BIT(5), /* and hears of it if the answer is not welcome */
	ROW_SLOW_CANCEL = BIT(6), /* a disconnect waits for the end of a connect */
	ROW_IF_DOWN = BIT(7),     /* user space is told before the port goes */
	ROW_IFACES = BIT(8),      /* user space sets up network interfaces */
	ROW_ONE_IFACE = BIT(9),   /* one for each family, and address and mask together */
	ROW_VLAN_HIDES = BIT(10), /* the tag is not shown while it is not in use */
	ROW_RESTARTS = BIT(11),   /* connections are lost when an interface is set up */
	ROW_FIRMWARE = BIT(12),   /* logs in by itself, and has tables, ping and flash nodes */
};

/* The most a driver takes of a parameter. It sets this where it is told more, or refuses. */
struct limit {
	enum iscsi_param param;
	int max;
	bool refuses;
};

/* A real driver, as a table. */
struct row {
	const char *name;
	unsigned int bit; /* in the table of attributes */
	unsigned int caps;
	unsigned int flags;
	int link_error;             /* of a connection while the link is down; 0: it is tried */
	enum iscsi_err lost;        /* error code of a connection that the peer closed */
	const struct limit *limits; /* until one without a maximum */
};

const struct row *ta_find_row(const char *name);
umode_t ta_is_visible(int param_type, int param);

/* Faults to order: fault.c has their names. */
enum fault {
	FAULT_CONNECT_ERROR,
	FAULT_CONNECT_DELAY,
	FAULT_CONNECT_NEVER,
	FAULT_POLL_ERROR,
	FAULT_BIND_ERROR,
	FAULT_START_ERROR,
	FAULT_CUT_AT_BIND,
	FAULT_CUT_AFTER,
	FAULT_DISCONNECT_DELAY,
	FAULT_PATH_IGNORED,
	FAULT_PING_STATUS,
	FAULT_LOGIN_ERROR,
	FAULT_LOGIN_DELAY,
	FAULT_CONNECTION_KEPT,
	FAULT_NETWORK_ERROR,
	FAULT_MESSAGE_AT_START,
	N_FAULTS,
};

#define TA_NET_PARAMS   (ISCSI_NET_PARAM_REDIRECT_EN + 1)
#define TA_ISCSI_PARAMS (ISCSI_IFACE_PARAM_INITIATOR_NAME + 1)
#define TA_VALUE_MAX    16
#define TA_IFACES       3

struct iface {
	struct iscsi_iface *object; /* NULL: it is not enabled */
	unsigned int type, number;
	u8 net[TA_NET_PARAMS][TA_VALUE_MAX], iscsi[TA_ISCSI_PARAMS][TA_VALUE_MAX];
};

#define TA_CHAP_ENTRIES 16
#define TA_FLASH_NODES  8
#define TA_OWN_SESSIONS 16 /* those of flash nodes first */

struct chap {
	bool used;
	struct iscsi_chap_rec record;
};

struct order {
	bool armed;
	unsigned int times; /* that often; 0: until it is cleared */
	unsigned int value;
};

/* Its device is the parent of the host, and has the attributes by which the test plays. */
struct port {
	struct device dev;
	unsigned int number;
	struct work_struct unplug;
	struct mutex lock;      /* of what follows; taken inside the transport class's locks */
	struct Scsi_Host *host; /* NULL: unplugged */
	struct net *net;
	struct list_head endpoints;
	bool link;
	u32 speed; /* enum iscsi_port_speed */
	u8 hwaddress[6];
	char netdev[16];
	struct sockaddr_storage address[2]; /* IPv4, IPv6; family 0: none */
	struct iface ifaces[TA_IFACES];
	struct chap chap[TA_CHAP_ENTRIES];
	struct iscsi_bus_flash_session *nodes[TA_FLASH_NODES];
	struct iscsi_cls_session *own[TA_OWN_SESSIONS];
	struct iscsi_path path; /* the last answer of user space */
	spinlock_t order_lock;
	struct order orders[N_FAULTS];
};

/* It outlives the object that user space names where the firmware keeps the connection. */
struct endpoint {
	struct kref references;
	struct iscsi_endpoint *ep; /* NULL: that is gone */
	struct port *port;
	struct list_head list;                  /* of the port; its lock */
	struct sockaddr_storage target, source; /* source with family 0: any */
	struct net *net;
	struct socket *socket;
	struct iscsi_conn *bound; /* whose it is */
	struct iscsi_conn *conn;  /* who is told what happens to the socket; its callback lock */
	wait_queue_head_t wait;
	int error;
	bool asked; /* for the path, and there is no answer yet; the lock of the port */
	bool never;
	unsigned long ready; /* not connected before, in jiffies */
	void (*data_ready)(struct sock *sk);
	void (*state_change)(struct sock *sk);
	void (*write_space)(struct sock *sk);
};

/* What libiscsi_tcp keeps for us with each connection. */
struct connection {
	struct iscsi_conn *conn;
	struct endpoint *endpoint;
	struct iscsi_segment out, payload;
	struct ahash_request *tx_hash, *rx_hash;
	unsigned int sent; /* PDUs since it was bound */
	/* With firmware only. */
	struct delayed_work login;
	struct work_struct lost;
	bool own;    /* session of the firmware's own */
	bool worked; /* user space's session has been logged in */
};

/* and with each task, for the header and its digest. */
struct task_header {
	struct iscsi_hdr hdr;
	char rest[ISCSI_MAX_AHS_SIZE + ISCSI_DIGEST_SIZE];
};

struct adapter {
	const struct row *row;
	struct iscsi_transport transport;
	struct scsi_transport_template *template;
	struct device *root;
	struct port **ports;
	struct workqueue_struct *work; /* what firmware does while nobody waits */
	struct mutex endpoint_lock;    /* of the way from objects to endpoints */
};
extern struct adapter adapter;

/* port.c */
extern struct scsi_host_template ta_host_template;
int ta_add_ports(void);
void ta_remove_ports(void);
struct port *ta_port(struct Scsi_Host *host);
int ta_get_host_param(struct Scsi_Host *host, enum iscsi_host_param param, char *buffer);
int ta_set_host_param(struct Scsi_Host *host, enum iscsi_host_param param, char *buffer,
		      int length);

/* fault.c */
bool ta_fault(struct port *port, enum fault fault, unsigned int *ret_value);
bool ta_fault_at(struct port *port, enum fault fault, unsigned int moment);
ssize_t ta_show_faults(struct port *port, char *buffer);
int ta_order_fault(struct port *port, const char *text);

/* endpoint.c */
struct iscsi_endpoint *ta_ep_connect(struct Scsi_Host *host, struct sockaddr *target,
				     int non_blocking);
int ta_ep_poll(struct iscsi_endpoint *ep, int timeout_ms);
void ta_ep_disconnect(struct iscsi_endpoint *ep);
int ta_get_ep_param(struct iscsi_endpoint *ep, enum iscsi_param param, char *buffer);
void ta_open_socket(struct endpoint *endpoint);
struct endpoint *ta_new_endpoint(struct port *port, const struct sockaddr *target);
struct endpoint *ta_get_endpoint(struct iscsi_endpoint *ep);
void ta_put_endpoint(struct endpoint *endpoint);
void ta_name_endpoint(struct endpoint *endpoint, struct iscsi_endpoint *ep);
void ta_close(struct endpoint *endpoint);
void ta_close_socket(struct endpoint *endpoint);
int ta_state(struct endpoint *endpoint);
void ta_cut(struct endpoint *endpoint);
int ta_raise(struct port *port, const char *text);

/* path.c */
int ta_ask_path(struct endpoint *endpoint, struct Scsi_Host *host);
int ta_set_path(struct Scsi_Host *host, struct iscsi_path *path);
ssize_t ta_show_path(struct port *port, char *buffer);

/* iface.c */
void ta_init_ifaces(struct port *port);
void ta_add_ifaces(struct port *port, struct Scsi_Host *host);
void ta_remove_ifaces(struct port *port);
int ta_set_iface_param(struct Scsi_Host *host, void *data, u32 length);
int ta_get_iface_param(struct iscsi_iface *object, enum iscsi_param_type type, int param,
		       char *buffer);

/* table.c, for firmware */
int ta_get_chap(struct Scsi_Host *host, u16 index, u32 *n, char *buffer);
int ta_set_chap(struct Scsi_Host *host, void *data, int length);
int ta_delete_chap(struct Scsi_Host *host, u16 index);
int ta_get_host_stats(struct Scsi_Host *host, char *buffer, int length);

/* ping.c, for firmware */
int ta_send_ping(struct Scsi_Host *host, u32 iface_num, u32 iface_type, u32 size, u32 cookie,
		 struct sockaddr *target);

/* flash.c, for firmware */
bool ta_uses_chap(struct port *port, unsigned int index);
void ta_remove_nodes(struct port *port, struct Scsi_Host *host);
void ta_complete_flash(struct iscsi_transport *transport);

/* login.c, for firmware */
int ta_log_in(struct socket *socket, struct iscsi_conn *conn, const char *initiator);
void ta_log_out(struct socket *socket, struct iscsi_conn *conn);

/* firmware.c */
void ta_complete_firmware(struct iscsi_transport *transport);
void ta_init_firmware(struct connection *connection);
int ta_bind_firmware(struct iscsi_cls_session *cls_session, struct iscsi_cls_conn *cls_conn,
		     struct endpoint *endpoint, int is_leading);
void ta_stop_firmware(struct connection *connection);
int ta_add_own_session(struct port *port, unsigned int index, const char *target,
		       const struct sockaddr_storage *address);
int ta_remove_own_session(struct port *port, unsigned int index);
void ta_remove_own_sessions(struct port *port);
int ta_order_own_session(struct port *port, const char *text);

/* session.c */
extern const struct iscsi_transport ta_transport;
extern struct iscsi_transport ta_data_transport;
struct iscsi_cls_session *ta_new_session(struct Scsi_Host *host, u16 cmds_max, u32 cmdsn,
					 unsigned int target_id);
void ta_attach(struct connection *connection, struct endpoint *endpoint);
void ta_detach(struct connection *connection);

/* data.c */
struct connection *ta_connection(struct iscsi_conn *conn);
void ta_receive_work(struct work_struct *work);
int ta_alloc_pdu(struct iscsi_task *task, u8 opcode);
int ta_init_pdu(struct iscsi_task *task, unsigned int offset, unsigned int count);
int ta_xmit_pdu(struct iscsi_task *task);
