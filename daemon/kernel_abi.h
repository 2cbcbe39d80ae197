/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Layout and numbers of the kernel's iSCSI control interface, NETLINK_ISCSI. No kernel package
 * installs its header (scsi/iscsi_if.h), so the part we use is written down here; the interface has
 * been the same from Linux 3.16 to 6.12, and what it lays out is asserted below. All integers are
 * in host byte order.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define KERNEL_NETLINK_FAMILY 8
/* Multicast group of all events but those for the path resolution of adapters. */
#define KERNEL_NETLINK_GROUP 1
/* The group of these. */
#define KERNEL_NETLINK_GROUP_PATHS 2
#define KERNEL_BHS_SIZE            48
/* Largest data segment of a PDU that crosses the interface, in either direction. */
#define KERNEL_PDU_DATA_MAX 8192
/* Longest value of SET_PARAM that any supported kernel takes: one page, NUL included. */
#define KERNEL_VALUE_MAX 4096

/* Requests; also the nlmsg_type of request and reply. */
enum iscsi_kernel_request {
	KERNEL_REQUEST_CREATE_SESSION = 11,
	KERNEL_REQUEST_DESTROY_SESSION = 12,
	KERNEL_REQUEST_CREATE_CONNECTION = 13,
	KERNEL_REQUEST_DESTROY_CONNECTION = 14,
	KERNEL_REQUEST_BIND_CONNECTION = 15,
	KERNEL_REQUEST_SET_PARAM = 16,
	KERNEL_REQUEST_START_CONNECTION = 17,
	KERNEL_REQUEST_STOP_CONNECTION = 18,
	KERNEL_REQUEST_SEND_PDU = 19,
	KERNEL_REQUEST_GET_STATISTICS = 20,   /* also the type word of its answer */
	KERNEL_REQUEST_CONNECT_ENDPOINT = 22, /* a sockaddr follows */
	KERNEL_REQUEST_POLL_ENDPOINT = 23,
	KERNEL_REQUEST_DISCONNECT_ENDPOINT = 24,
	KERNEL_REQUEST_SET_HOST_PARAM = 26, /* text, ended by NUL, follows */
	KERNEL_REQUEST_UNBIND_SESSION = 27,
	KERNEL_REQUEST_CREATE_BOUND_SESSION = 28,
	KERNEL_REQUEST_CONNECT_ENDPOINT_THROUGH_HOST = 29, /* a sockaddr follows */
	KERNEL_REQUEST_UPDATE_PATH = 30,                   /* struct iscsi_kernel_path follows */
	KERNEL_REQUEST_SET_INTERFACE = 31, /* struct iscsi_kernel_interface_parameter follow */
	KERNEL_REQUEST_PING = 32,          /* a sockaddr follows */
	KERNEL_REQUEST_GET_CHAP = 33,      /* also the type word of its answer */
	KERNEL_REQUEST_DELETE_CHAP = 34,
	KERNEL_REQUEST_SET_FLASH_NODE = 35, /* attributes follow */
	KERNEL_REQUEST_NEW_FLASH_NODE = 36, /* "ipv4" or "ipv6" follows */
	KERNEL_REQUEST_DELETE_FLASH_NODE = 37,
	KERNEL_REQUEST_LOGIN_FLASH_NODE = 38,
	KERNEL_REQUEST_LOGOUT_FLASH_NODE = 39,
	KERNEL_REQUEST_SET_CHAP = 41,            /* attributes follow */
	KERNEL_REQUEST_GET_HOST_STATISTICS = 42, /* also the type word of its answer */
	KERNEL_REQUEST_DESTROY_SESSION_ASYNC = 43,
};

/* Events: the type word of a message whose nlmsg_type is 0. INTERFACE_ERROR occurs in replies only.
 */
enum iscsi_kernel_event_type {
	KERNEL_EVENT_RECEIVED_PDU = 101,
	KERNEL_EVENT_CONNECTION_ERROR = 102,
	KERNEL_EVENT_INTERFACE_ERROR = 103,
	KERNEL_EVENT_DESTROYED_SESSION = 104,
	KERNEL_EVENT_UNBOUND_SESSION = 105,
	KERNEL_EVENT_CREATED_SESSION = 106,
	KERNEL_EVENT_PATH_REQUEST = 107,
	KERNEL_EVENT_INTERFACE_DOWN = 108,
	KERNEL_EVENT_LOGIN_STATE = 109,
	KERNEL_EVENT_HOST_EVENT = 110,
	KERNEL_EVENT_PING_COMPLETE = 111,
};

/* Parameters of SET_HOST_PARAM. */
enum iscsi_kernel_host_param {
	KERNEL_HOST_PARAM_HARDWARE_ADDRESS = 0,
	KERNEL_HOST_PARAM_INITIATOR_NAME = 1,
	KERNEL_HOST_PARAM_NET_DEVICE = 2,
	KERNEL_HOST_PARAM_ADDRESS = 3,
};

enum iscsi_kernel_family {
	KERNEL_FAMILY_IPV4 = 1,
	KERNEL_FAMILY_IPV6 = 2,
};

/* What became of a ping. */
enum iscsi_kernel_ping {
	KERNEL_PING_SUCCESS = 0,
	KERNEL_PING_FIRMWARE_DISABLED = 1,
	KERNEL_PING_INVALID_ADDRESS = 2,
	KERNEL_PING_INVALID_LINK_LOCAL = 3,
	KERNEL_PING_TIMEOUT = 4,
	KERNEL_PING_BAD_DESTINATION = 5,
	KERNEL_PING_OVERSIZE = 6,
	KERNEL_PING_ICMP_ERROR = 7,
	KERNEL_PING_TOO_MANY = 8,
	KERNEL_PING_NO_ARP = 9,
};

enum iscsi_kernel_chap_type {
	KERNEL_CHAP_OUTGOING = 0, /* proves this host to targets */
	KERNEL_CHAP_INCOMING = 1, /* proves targets to this host */
};

/* Attributes of SET_CHAP. */
enum iscsi_kernel_chap_param {
	KERNEL_CHAP_PARAM_INDEX = 0,
	KERNEL_CHAP_PARAM_TYPE = 1,
	KERNEL_CHAP_PARAM_USER_NAME = 2,
	KERNEL_CHAP_PARAM_SECRET = 3,
	KERNEL_CHAP_PARAM_SECRET_LENGTH = 4,
};

/* States of KERNEL_EVENT_LOGIN_STATE: how a login that an adapter does by itself has ended. */
enum iscsi_kernel_login_state {
	KERNEL_LOGIN_STATE_FREE = 0,
	KERNEL_LOGIN_STATE_LOGGED_IN = 3,
};

/* Codes of KERNEL_EVENT_HOST_EVENT. */
enum iscsi_kernel_host_code {
	KERNEL_HOST_LINK_UP = 1,
	KERNEL_HOST_LINK_DOWN = 2,
};

/*
 * Parameters of SET_PARAM that transports take. Values are text, decimal numbers or
 * strings. All but SESSION_RECOVERY_TIMEOUT need a bound connection.
 */
enum iscsi_kernel_param {
	KERNEL_PARAM_MAX_RECV_DLENGTH = 0, /* our MaxRecvDataSegmentLength */
	KERNEL_PARAM_MAX_XMIT_DLENGTH = 1, /* the target's; the kernel has no default */
	KERNEL_PARAM_HEADER_DIGEST = 2,    /* 1: CRC32C; lost by KERNEL_STOP_RECOVER */
	KERNEL_PARAM_DATA_DIGEST = 3,      /* the same */
	KERNEL_PARAM_INITIAL_R2T = 4,
	KERNEL_PARAM_MAX_R2T = 5, /* a power of two only */
	KERNEL_PARAM_IMMEDIATE_DATA = 6,
	KERNEL_PARAM_FIRST_BURST_LENGTH = 7,
	KERNEL_PARAM_MAX_BURST_LENGTH = 8,
	KERNEL_PARAM_DATA_PDU_IN_ORDER = 9,
	KERNEL_PARAM_DATA_SEQUENCE_IN_ORDER = 10,
	KERNEL_PARAM_ERROR_RECOVERY_LEVEL = 11,
	KERNEL_PARAM_EXP_STATSN = 14, /* last StatSN received, plus 1 */
	KERNEL_PARAM_TARGET_NAME = 15,
	KERNEL_PARAM_TARGET_PORTAL_GROUP_TAG = 16,
	KERNEL_PARAM_PERSISTENT_ADDRESS = 17,
	KERNEL_PARAM_PERSISTENT_PORT = 18,
	KERNEL_PARAM_SESSION_RECOVERY_TIMEOUT = 19, /* seconds; negative: never */
	KERNEL_PARAM_USER_NAME = 22,
	KERNEL_PARAM_USER_NAME_IN = 23,
	KERNEL_PARAM_PASSWORD = 24, /* root can read it in sysfs; as the next */
	KERNEL_PARAM_PASSWORD_IN = 25,
	KERNEL_PARAM_FAST_ABORT = 26,
	KERNEL_PARAM_ABORT_TIMEOUT = 27,
	KERNEL_PARAM_LU_RESET_TIMEOUT = 28,
	KERNEL_PARAM_NOOP_TIMEOUT = 30,  /* seconds the answer to a NOP-Out may take */
	KERNEL_PARAM_NOOP_INTERVAL = 31, /* idle seconds before a NOP-Out */
	KERNEL_PARAM_INTERFACE_NAME = 32,
	KERNEL_PARAM_INITIATOR_NAME = 34,
	KERNEL_PARAM_TARGET_RESET_TIMEOUT = 35,
	KERNEL_PARAM_TARGET_ALIAS = 36,
	KERNEL_PARAM_BOOT_ROOT = 39,
	KERNEL_PARAM_BOOT_NIC = 40,
	KERNEL_PARAM_BOOT_TARGET = 41,
	KERNEL_PARAM_DISCOVERY_SESSION = 43,
};

enum iscsi_kernel_stop {
	/* Tasks fail; the connection can only be destroyed. */
	KERNEL_STOP_TERMINATE = 1,
	/* Tasks are queued again; the session is blocked and its recovery timer runs. */
	KERNEL_STOP_RECOVER = 3,
};

/* Why the kernel gave a connection up; connection_error.c says what follows. Numbers not listed may
 * come. */
enum iscsi_kernel_error {
	KERNEL_ERROR_NONE = 0,
	KERNEL_ERROR_DATASN = 1001,      /* Data-In out of sequence */
	KERNEL_ERROR_DATA_OFFSET = 1002, /* Data-In beyond the buffer of the command */
	KERNEL_ERROR_MAX_CMDSN = 1003,   /* not raised by any kernel */
	KERNEL_ERROR_EXP_CMDSN = 1004,   /* not raised */
	KERNEL_ERROR_BAD_OPCODE = 1005,  /* unknown opcode, or illegal with this ITT */
	KERNEL_ERROR_DATA_LENGTH = 1006, /* data segment too long, R2T outside the command */
	KERNEL_ERROR_AHS_LENGTH = 1007,  /* additional header segment too long or out of place */
	KERNEL_ERROR_PROTOCOL = 1008,    /* other violation of the protocol */
	KERNEL_ERROR_LUN = 1009,         /* not raised */
	KERNEL_ERROR_BAD_ITT = 1010,     /* response to a task that is not there */
	KERNEL_ERROR_CONNECTION =
		1011,                /* adapter, memory, or an event that could not be delivered */
	KERNEL_ERROR_R2TSN = 1012,   /* R2T out of sequence */
	KERNEL_ERROR_SESSION = 1013, /* not raised */
	KERNEL_ERROR_HEADER_DIGEST = 1014,   /* CRC mismatch */
	KERNEL_ERROR_DATA_DIGEST = 1015,     /* CRC mismatch */
	KERNEL_ERROR_PARAM_NOT_FOUND = 1016, /* not raised */
	KERNEL_ERROR_NO_SCSI_COMMAND = 1017, /* not raised */
	KERNEL_ERROR_INVALID_HOST =
		1018,                 /* the host goes away: destroy the session, do not recover */
	KERNEL_ERROR_TRANSMIT = 1019, /* send error */
	KERNEL_ERROR_CLOSED = 1020,   /* FIN or RST from the target */
	KERNEL_ERROR_SCSI_RESET =
		1021, /* task management timed out: SCSI error handling wants a new session */
	KERNEL_ERROR_NOOP_TIMEOUT = 1022, /* NOP-Out not answered in time */
};

/* Follows the 16 bytes of struct nlmsghdr in every message; a payload follows it. */
struct iscsi_kernel_event {
	uint32_t type;    /* as nlmsg_type, or KERNEL_EVENT_INTERFACE_ERROR */
	uint32_t iferror; /* negative errno of KERNEL_EVENT_INTERFACE_ERROR; undefined in anything
			     else */
	uint64_t transport_handle;
	union {
		struct {
			uint32_t initial_cmdsn;
			uint16_t commands_max;
			uint16_t queue_depth;
		} create_session;
		struct {
			uint64_t endpoint;
			uint32_t initial_cmdsn;
			uint16_t commands_max;
			uint16_t queue_depth;
		} create_bound_session;
		struct {
			uint32_t non_blocking;
		} connect_endpoint;
		struct {
			uint32_t host;
			uint32_t non_blocking;
		} connect_endpoint_through_host;
		struct {
			uint64_t endpoint;
			uint32_t timeout_msec;
		} poll_endpoint;
		struct {
			uint64_t endpoint;
		} disconnect_endpoint;
		/* create, destroy and start of a connection; of a session only sid counts */
		struct {
			uint32_t sid;
			uint32_t cid;
		} object;
		struct {
			uint32_t sid;
			uint32_t cid;
			uint64_t handle;
			uint32_t is_leading;
		} bind;
		struct {
			uint32_t sid;
			uint32_t cid;
			uint32_t param;
			uint32_t length;
		} set_param;
		struct {
			uint32_t sid;
			uint32_t cid;
			uint64_t unused;
			uint32_t flag;
		} stop;
		struct {
			uint32_t sid;
			uint32_t cid;
			uint32_t header_size;
			uint32_t data_size;
		} send_pdu;
		struct {
			uint32_t host;
			uint32_t param; /* enum iscsi_kernel_host_param */
			uint32_t length;
		} set_host_param;
		struct {
			uint32_t host;
			uint32_t interface;
			uint32_t family; /* enum iscsi_kernel_family */
			uint32_t size;
			uint32_t cookie; /* comes back */
		} ping;
		struct {
			uint32_t host;
			uint32_t n_entries;
			uint16_t index;
		} get_chap;
		struct {
			uint32_t host;
			uint16_t index;
		} delete_chap;
		/* set, delete, log in and out; a new one has the length of its text as index */
		struct {
			uint32_t host;
			uint32_t index;
			uint32_t unused;
		} flash_node;
		struct {
			uint32_t host;
		} host;
		uint8_t size[24];
	} request;
	union {
		/* of bind, start and send PDU: 0 or a negative errno; of poll endpoint 1, too */
		int32_t retcode;
		uint64_t endpoint; /* reply to connect endpoint */
		/* reply to create session; events created and unbound session */
		struct {
			uint32_t sid;
			uint32_t host;
		} session;
		/* event destroyed session: the other way round */
		struct {
			uint32_t host;
			uint32_t sid;
		} destroyed;
		struct {
			uint32_t sid;
			uint32_t cid;
			uint64_t unused;
		} received_pdu;
		struct {
			uint32_t sid;
			uint32_t cid;
			uint32_t error;
		} connection_error;
		struct {
			uint32_t sid;
			uint32_t cid;
			uint32_t state; /* enum iscsi_kernel_login_state */
		} login_state;
		struct {
			uint32_t host;
			uint32_t data_size;
			uint32_t code; /* enum iscsi_kernel_host_code, or another */
		} host_event;
		struct {
			uint32_t host;
			uint32_t status; /* enum iscsi_kernel_ping */
			uint32_t cookie;
			uint32_t data_size;
		} ping;
		uint32_t flash_node; /* reply to new flash node: its index */
		struct {
			uint32_t host;
		} path; /* events path request and interface down */
		uint8_t size[16];
	} result;
};

/* What adapters without a neighbour table ask for, and are told. Addresses in network order, an
 * IPv4 one in the first four bytes. */
struct iscsi_kernel_path {
	uint64_t handle; /* as in the request */
	uint8_t hardware_address[6], unused[6];
	uint32_t address_length; /* 4 or 16 */
	uint8_t source[16], target[16];
	uint16_t vlan; /* in an answer with the priority in bits 12 to 15 */
	uint16_t mtu;
};

/*
 * Parameters of the network of an adapter's port. Each is the value of a netlink attribute whose
 * type is its number: this, and its own value behind it. Switches are 1 (off) and 2 (on), but the
 * AUTOCFG of the link-local address, which is 1 (on) and 2 (off).
 */
enum iscsi_kernel_network {
	KERNEL_NETWORK_IPV4_ADDRESS = 1,
	KERNEL_NETWORK_IPV4_SUBNET = 2,
	KERNEL_NETWORK_IPV4_GATEWAY = 3,
	KERNEL_NETWORK_IPV4_BOOTPROTO = 4, /* 1: static, 2: DHCP */
	KERNEL_NETWORK_IPV6_LINK_LOCAL = 6,
	KERNEL_NETWORK_IPV6_ADDRESS = 7,
	KERNEL_NETWORK_IPV6_ROUTER = 8,
	KERNEL_NETWORK_IPV6_ADDRESS_AUTOCFG = 9, /* 1: off, 2: by neighbour discovery */
	KERNEL_NETWORK_IPV6_LINK_LOCAL_AUTOCFG = 10,
	KERNEL_NETWORK_ENABLED = 12,
	KERNEL_NETWORK_VLAN_ENABLED = 15,
	KERNEL_NETWORK_VLAN_TAG = 16, /* the VLAN in bits 0 to 11, its priority in 13 to 15 */
	KERNEL_NETWORK_MTU = 19,
};

#define KERNEL_PARAMETER_NETWORK 2

struct iscsi_kernel_interface_parameter {
	uint32_t interface_number;
	uint32_t length;
	uint16_t parameter;
	uint8_t interface_type; /* 1: IPv4, 2: IPv6 */
	uint8_t parameter_type;
};

_Static_assert(sizeof(struct iscsi_kernel_interface_parameter) == 12,
	       "kernel ABI: size of an interface parameter");
_Static_assert(sizeof(struct iscsi_kernel_path) == 64, "kernel ABI: size of a path");
_Static_assert(offsetof(struct iscsi_kernel_path, address_length) == 20,
	       "kernel ABI: address_length");
_Static_assert(offsetof(struct iscsi_kernel_path, source) == 24, "kernel ABI: source");
_Static_assert(offsetof(struct iscsi_kernel_path, target) == 40, "kernel ABI: target");
_Static_assert(offsetof(struct iscsi_kernel_path, vlan) == 56, "kernel ABI: vlan");

/* Payload of the answer to KERNEL_REQUEST_GET_STATISTICS; @n_custom of the last struct follow. */
#define KERNEL_COUNTER_NAME_MAX 64

struct iscsi_kernel_statistics {
	uint64_t transmitted_bytes;
	uint64_t received_bytes;
	uint32_t counters[19]; /* enum iscsi_kernel_counter */
	uint32_t n_custom;
};

struct iscsi_kernel_custom_counter {
	char name[KERNEL_COUNTER_NAME_MAX]; /* not ended by NUL if it is that long */
	uint64_t value;
};

_Static_assert(sizeof(struct iscsi_kernel_statistics) == 96, "kernel ABI: size of the statistics");
_Static_assert(offsetof(struct iscsi_kernel_statistics, n_custom) == 92, "kernel ABI: n_custom");
_Static_assert(sizeof(struct iscsi_kernel_custom_counter) == 72, "kernel ABI: custom counter");

/* An entry in the answer to KERNEL_REQUEST_GET_CHAP. */
struct iscsi_kernel_chap {
	uint16_t index;
	uint32_t type; /* enum iscsi_kernel_chap_type */
	char user_name[256];
	uint8_t secret[256];
	uint8_t secret_length;
};

_Static_assert(sizeof(struct iscsi_kernel_chap) == 524, "kernel ABI: size of a CHAP entry");
_Static_assert(offsetof(struct iscsi_kernel_chap, type) == 4, "kernel ABI: type");
_Static_assert(offsetof(struct iscsi_kernel_chap, secret_length) == 520, "kernel ABI: length");

/* The answer to KERNEL_REQUEST_GET_HOST_STATISTICS; struct iscsi_kernel_custom_counter follow. */
#define KERNEL_HOST_COUNTERS 82

struct iscsi_kernel_host_statistics {
	uint64_t counters[KERNEL_HOST_COUNTERS]; /* host_counter.def */
	uint32_t n_custom;
	uint32_t unused;
};

_Static_assert(sizeof(struct iscsi_kernel_host_statistics) == 664, "kernel ABI: host statistics");

/* The value of an attribute, which follows struct nlattr; its own value follows it. */
struct iscsi_kernel_attribute {
	uint32_t length;
	uint16_t param;
} __attribute__((packed));

#define KERNEL_ABI_AT(field, offset)                                                               \
	_Static_assert(offsetof(struct iscsi_kernel_event, field) == (offset),                     \
		       "kernel ABI: " #field)

_Static_assert(sizeof(struct iscsi_kernel_event) == 56, "kernel ABI: size of the event structure");
KERNEL_ABI_AT(type, 0);
KERNEL_ABI_AT(iferror, 4);
KERNEL_ABI_AT(transport_handle, 8);
KERNEL_ABI_AT(request.create_session.initial_cmdsn, 16);
KERNEL_ABI_AT(request.create_session.commands_max, 20);
KERNEL_ABI_AT(request.create_session.queue_depth, 22);
KERNEL_ABI_AT(request.create_bound_session.endpoint, 16);
KERNEL_ABI_AT(request.create_bound_session.initial_cmdsn, 24);
KERNEL_ABI_AT(request.create_bound_session.commands_max, 28);
KERNEL_ABI_AT(request.create_bound_session.queue_depth, 30);
KERNEL_ABI_AT(request.connect_endpoint.non_blocking, 16);
KERNEL_ABI_AT(request.connect_endpoint_through_host.host, 16);
KERNEL_ABI_AT(request.connect_endpoint_through_host.non_blocking, 20);
KERNEL_ABI_AT(request.poll_endpoint.endpoint, 16);
KERNEL_ABI_AT(request.poll_endpoint.timeout_msec, 24);
KERNEL_ABI_AT(request.disconnect_endpoint.endpoint, 16);
KERNEL_ABI_AT(request.host.host, 16);
KERNEL_ABI_AT(request.object.sid, 16);
KERNEL_ABI_AT(request.object.cid, 20);
KERNEL_ABI_AT(request.bind.handle, 24);
KERNEL_ABI_AT(request.bind.is_leading, 32);
KERNEL_ABI_AT(request.set_param.param, 24);
KERNEL_ABI_AT(request.set_param.length, 28);
KERNEL_ABI_AT(request.stop.flag, 32);
KERNEL_ABI_AT(request.send_pdu.header_size, 24);
KERNEL_ABI_AT(request.send_pdu.data_size, 28);
KERNEL_ABI_AT(result.retcode, 40);
KERNEL_ABI_AT(result.endpoint, 40);
KERNEL_ABI_AT(result.session.sid, 40);
KERNEL_ABI_AT(result.session.host, 44);
KERNEL_ABI_AT(result.destroyed.host, 40);
KERNEL_ABI_AT(result.destroyed.sid, 44);
KERNEL_ABI_AT(result.received_pdu.sid, 40);
KERNEL_ABI_AT(result.received_pdu.cid, 44);
KERNEL_ABI_AT(result.connection_error.error, 48);
KERNEL_ABI_AT(result.login_state.sid, 40);
KERNEL_ABI_AT(result.login_state.state, 48);
KERNEL_ABI_AT(request.set_host_param.param, 20);
KERNEL_ABI_AT(request.set_host_param.length, 24);
KERNEL_ABI_AT(request.ping.interface, 20);
KERNEL_ABI_AT(request.ping.family, 24);
KERNEL_ABI_AT(request.ping.size, 28);
KERNEL_ABI_AT(request.ping.cookie, 32);
KERNEL_ABI_AT(request.get_chap.n_entries, 20);
KERNEL_ABI_AT(request.get_chap.index, 24);
KERNEL_ABI_AT(request.delete_chap.index, 20);
KERNEL_ABI_AT(request.flash_node.index, 20);
KERNEL_ABI_AT(request.host.host, 16);
KERNEL_ABI_AT(result.ping.host, 40);
KERNEL_ABI_AT(result.ping.status, 44);
KERNEL_ABI_AT(result.ping.cookie, 48);
KERNEL_ABI_AT(result.flash_node, 40);
KERNEL_ABI_AT(result.host_event.host, 40);
KERNEL_ABI_AT(result.host_event.code, 48);
KERNEL_ABI_AT(result.path.host, 40);

#undef KERNEL_ABI_AT
