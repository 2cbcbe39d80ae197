/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* transport: its two halves. What fails here ends the program. */
#pragma once
#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define BHS         48
#define DATA_MAX    8192
#define FIRST_CMDSN 1

enum {
	DESTROY_SESSION = 12,
	CREATE_CONN = 13,
	DESTROY_CONN = 14,
	BIND_CONN = 15,
	SET_PARAM = 16,
	START_CONN = 17,
	STOP_CONN = 18,
	SEND_PDU = 19,
	EP_CONNECT = 22,
	EP_POLL = 23,
	EP_DISCONNECT = 24,
	UNBIND_SESSION = 27,
	CREATE_BOUND_SESSION = 28,
	EP_CONNECT_THROUGH_HOST = 29,
	PATH_UPDATE = 30,
	SET_IFACE_PARAMS = 31,
	PING = 32,
	GET_CHAP = 33,
	DELETE_CHAP = 34,
	SET_FLASHNODE_PARAMS = 35,
	NEW_FLASHNODE = 36,
	DEL_FLASHNODE = 37,
	LOGIN_FLASHNODE = 38,
	LOGOUT_FLASHNODE = 39,
	LOGOUT_FLASHNODE_SID = 40,
	SET_CHAP = 41,
	GET_HOST_STATS = 42,
	RECEIVED_PDU = 101,
	CONN_ERROR = 102,
	FAILED = 103,
	SESSION_DESTROYED = 104,
	UNBOUND = 105,
	SESSION_CREATED = 106,
	PATH_REQUEST = 107,
	IF_DOWN = 108,
	LOGIN_STATE = 109,
	HOST_EVENT = 110,
	PING_DONE = 111,
};

/* A netlink header, and the kernel's struct iscsi_uevent as words; 64-bit values take two. */
struct message {
	struct nlmsghdr header;
	union {
		uint32_t
			word[14]; /* 0 type, 1 error, 2-3 transport, 4-9 arguments, 10-13 results */
		uint64_t dword[7];
		uint16_t half[28];
	};
	char payload[BHS + DATA_MAX + 8];
};

#define HEAD offsetof(struct message, payload)

bool next(struct message *m);
struct message request(unsigned type, uint32_t sid);
void add(struct message *m, const void *data, size_t length);
void send_request(const struct message *m);
void call(struct message *m);
struct message await(unsigned type, uint32_t sid);
void simple(unsigned type, uint32_t sid);
void set(uint32_t sid, unsigned number, const char *text);
size_t parse_address(const char *text, struct sockaddr_storage *address);
void bind_conn(uint32_t sid, uint64_t endpoint);
void scan(uint32_t host);
void stop(uint32_t sid, uint32_t flag);

/* Verbs for adapters with firmware. */
void verb_iface(char **argument);
void verb_node_set(char **argument);
void verb_chap_set(char **argument);
void verb_chap_get(char **argument);
void verb_chap_delete(char **argument);
void verb_host_stats(char **argument);
void verb_ping(char **argument);
void verb_node_new(char **argument);
void verb_node_delete(char **argument);
void verb_node_login(char **argument);
void verb_node_logout(char **argument);
void verb_session_logout(char **argument);
void verb_self_login(char **argument);
void verb_self_relogin(char **argument);
