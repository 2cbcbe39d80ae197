/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* floor: its parts. What fails here ends the program. */
#pragma once
#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define BHS         48
#define DATA_MAX    32768
#define FIRST_CMDSN 1
#define SIDS        65536

/* ---- PDUs ---- */

struct pdu {
	uint8_t bhs[BHS];
	char data[DATA_MAX];
	size_t length; /* of data, without padding */
};

uint32_t get32(const uint8_t *at);
size_t padded(size_t length);
size_t data_length(const uint8_t *bhs);
void login_request(struct pdu *p, const char *target, const char *receive_max);
void text_request(struct pdu *p, const char *text, uint32_t cmdsn);
void logout_request(uint8_t *bhs, uint32_t cmdsn, uint32_t exp_statsn);
void finish_pdu(struct pdu *p);
const char *value(const struct pdu *p, const char *key, const char *otherwise);
void check_login(const struct pdu *p, const char *target);
void check_size(const struct pdu *p);

/* ---- sessions ---- */

struct portal {
	struct sockaddr_storage address;
	socklen_t length;
	char host[64], port[8];
};

struct session {
	char *target;
	int fd;
	uint64_t endpoint; /* instead of the descriptor */
	bool connected;
	size_t received;
	struct pdu *in;
	uint32_t sid, host, statsn;
	unsigned disks, bound; /* disks found by the scan, disks that have their block device */
	bool scanned, unbound, gone;
};

struct run {
	struct session *sessions;
	size_t n;
	struct session *by_sid[SIDS];
	struct portal portal;
	int netlink, listener, uevent, epoll;
	const char *receive_max; /* MaxRecvDataSegmentLength */
};

/* ---- the kernel's control interface ---- */

enum {
	CREATE_SESSION = 11,
	DESTROY_SESSION = 12,
	CREATE_CONN = 13,
	DESTROY_CONN = 14,
	BIND_CONN = 15,
	SET_PARAM = 16,
	START_CONN = 17,
	STOP_CONN = 18,
	SEND_PDU = 19,
	EP_POLL = 23,
	UNBIND_SESSION = 27,
	CREATE_BOUND_SESSION = 28,
	EP_CONNECT_THROUGH_HOST = 29,
	KERNEL_RECEIVED_PDU = 101,
	KERNEL_FAILED = 103,
	KERNEL_UNBOUND = 105,
};

/* A netlink header, and the kernel's struct iscsi_uevent as words; 64-bit values take two. */
struct message {
	struct nlmsghdr header;
	union {
		uint32_t
			word[14]; /* 0 type, 1 error, 2-3 transport, 4-9 arguments, 10-13 results */
		uint64_t dword[7];
	};
};

/* Requests that go to the kernel in one datagram, and are executed inside sendmsg(). */
struct batch {
	_Alignas(8) char bytes[16384];
	size_t length;
	unsigned n;
};

struct message *request(struct batch *b, unsigned type, uint32_t sid, const void *payload,
			size_t length);
void submit(int fd, struct batch *b);
struct message call(int fd, struct batch *b);
void take_session(struct run *r, struct session *s, const struct message *reply);
void check_reply(const struct message *m);
int open_netlink(int family, uint32_t groups);
void open_transport(const char *name);
void set_target(struct batch *b, const struct session *s, const struct portal *portal);
void set_parameters(struct batch *b, const struct run *r, const struct session *s);

/* ---- from a session to its disks ---- */

void login_setup(struct run *r);
void scan_later(struct session *s);
bool take_common(struct run *r, void *source);
bool all_disks(const struct run *r);
void find_sessions(struct run *r);
void add_target(struct run *r, const char *name);

/* ---- logins through endpoints ---- */

void login_through(struct run *r, uint32_t host);
