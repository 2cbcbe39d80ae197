/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * transport: speaks the kernel's control interface for endpoint transports, one verb a call,
 * without a daemon. It shares no code with the product on purpose, and gives up at the first
 * surprise: what it prints goes to shell scripts.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "transport.h"

#define PATIENCE 20 /* seconds */

static int netlink;
static uint64_t transport;

/* ---- requests and answers ---- */

static void open_netlink(uint32_t groups)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups };

	netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ISCSI);
	if (netlink < 0 || bind(netlink, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "cannot open the kernel's control interface");
}

static void open_transport(const char *name)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/iscsi_transport/%s/handle", name);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%lu", &transport) != 1)
		errx(1, "no transport %s", name);
	fclose(f);
}

/* The next message; false when none came in time. */
bool next(struct message *m)
{
	struct pollfd p = { .fd = netlink, .events = POLLIN };

	if (poll(&p, 1, PATIENCE * 1000) <= 0)
		return false;
	if (recv(netlink, m, sizeof(*m), 0) < (ssize_t)HEAD)
		err(1, "cannot hear the kernel");
	return true;
}

struct message request(unsigned type, uint32_t sid)
{
	struct message m = { .header.nlmsg_type = (uint16_t)type, .header.nlmsg_len = HEAD };

	m.word[0] = type;
	m.dword[1] = transport;
	m.word[4] = sid;
	return m;
}

void add(struct message *m, const void *data, size_t length)
{
	if (m->header.nlmsg_len + length > sizeof(*m))
		errx(1, "request too long");
	memcpy((char *)m + m->header.nlmsg_len, data, length);
	m->header.nlmsg_len += (uint32_t)length;
}

/* Events that come before the reply are kept for await(). */
static struct message kept[16];
static unsigned n_kept;

void send_request(const struct message *m)
{
	if (send(netlink, m, m->header.nlmsg_len, 0) < 0)
		err(1, "cannot send to the kernel");
}

/* Sends the request; negative: the kernel's error, else the transport's return code. */
static int try_call(struct message *m)
{
	unsigned type = m->header.nlmsg_type;

	send_request(m);
	for (;;) {
		if (!next(m))
			errx(1, "no reply to request %u", type);
		if (m->header.nlmsg_type == type)
			break;
		if (m->header.nlmsg_type == 0 && n_kept < 16)
			kept[n_kept++] = *m;
	}
	if (m->word[0] == FAILED)
		return (int)m->word[1];
	if (type == BIND_CONN || type == START_CONN || type == SEND_PDU || type == EP_POLL)
		return (int)m->word[10];
	return 0;
}

void call(struct message *m)
{
	unsigned type = m->header.nlmsg_type;
	int rc = try_call(m);

	if (rc < 0)
		errx(1, "request %u: %s", type, strerror(-rc));
}

/* Where an event has its session. */
static uint32_t sid_of(const struct message *m)
{
	return m->word[0] == SESSION_DESTROYED ? m->word[11] : m->word[10];
}

/* The next event of a kind about a session. A connection error is a surprise, unless it is awaited.
 */
struct message await(unsigned type, uint32_t sid)
{
	struct message m;
	unsigned i;

	for (i = 0;; i++) {
		if (i < n_kept)
			m = kept[i];
		else if (!next(&m))
			errx(1, "no event %u of session %u", type, sid);
		if (m.header.nlmsg_type != 0 || sid_of(&m) != sid)
			continue;
		if (m.word[0] == type)
			break;
		if (m.word[0] == CONN_ERROR)
			errx(1, "connection error %u", m.word[12]);
	}
	n_kept = 0;
	return m;
}

void simple(unsigned type, uint32_t sid)
{
	struct message m = request(type, sid);

	call(&m);
}

void set(uint32_t sid, unsigned number, const char *text)
{
	struct message m = request(SET_PARAM, sid);

	m.word[6] = number;
	m.word[7] = (uint32_t)strlen(text) + 1;
	add(&m, text, strlen(text) + 1);
	call(&m);
}

/* ---- PDUs ---- */

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return ntohl(value);
}

static void send_pdu(uint32_t sid, uint8_t *bhs, const char *data, size_t length)
{
	struct message m = request(SEND_PDU, sid);

	bhs[6] = (uint8_t)(length >> 8);
	bhs[7] = (uint8_t)length;
	m.word[6] = BHS;
	m.word[7] = (uint32_t)((length + 3) & ~(size_t)3);
	add(&m, bhs, BHS);
	add(&m, data, length);
	add(&m, "\0\0\0", m.word[7] - length);
	call(&m);
}

/* Straight to the operational stage, with every key that LIO would ask for: one round trip. */
static void send_login(uint32_t sid, const char *target, bool digests)
{
	static const char *const offers[] = {
		"SessionType=Normal",
		"MaxConnections=1",
		"InitialR2T=Yes",
		"ImmediateData=Yes",
		"MaxRecvDataSegmentLength=8192",
		"MaxBurstLength=65536",
		"FirstBurstLength=8192",
		"DefaultTime2Wait=0",
		"DefaultTime2Retain=0",
		"MaxOutstandingR2T=1",
		"DataPDUInOrder=Yes",
		"DataSequenceInOrder=Yes",
		"ErrorRecoveryLevel=0",
		"InitiatorName=iqn.2026-11.org.example:transport",
	};
	const char *digest = digests ? "CRC32C" : "None";
	uint8_t bhs[BHS] = { 0x43, 0x87, [8] = 0x80, [12] = 1, [13] = 1 };
	char data[2048];
	size_t length;

	length = (size_t)snprintf(data, sizeof(data),
				  "TargetName=%s%cHeaderDigest=%s%cDataDigest=%s", target, 0,
				  digest, 0, digest) +
		 1;
	for (size_t i = 0; i < sizeof(offers) / sizeof(*offers); i++)
		length +=
			(size_t)snprintf(data + length, sizeof(data) - length, "%s", offers[i]) + 1;
	send_pdu(sid, bhs, data, length);
}

/* The kernel's counter of StatSN goes on from the response. */
static void receive_login(uint32_t sid)
{
	struct message m = await(RECEIVED_PDU, sid);
	const uint8_t *bhs = (const uint8_t *)m.payload;
	char number[16];

	if (bhs[0] != 0x23 || bhs[36] || (bhs[1] & 0x83) != 0x83)
		errx(1, "login response: opcode 0x%02x, flags 0x%02x, status 0x%02x%02x", bhs[0],
		     bhs[1], bhs[36], bhs[37]);
	snprintf(number, sizeof(number), "%u", get32(bhs + 24) + 1);
	set(sid, 14, number);
}

/* ---- verbs ---- */

size_t parse_address(const char *text, struct sockaddr_storage *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(3260);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
		errx(2, "not an address: %s", text);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(3260);
	return sizeof(*v6);
}

/* Through the host, or, with "-", wherever the transport likes. */
static uint64_t ep_connect(const char *host, const char *address)
{
	bool through = strcmp(host, "-") != 0;
	struct message m = request(through ? EP_CONNECT_THROUGH_HOST : EP_CONNECT, 1);
	struct sockaddr_storage target;
	size_t length = parse_address(address, &target);

	if (through) {
		m.word[4] = (uint32_t)atoi(host);
		m.word[5] = 1;
	}
	add(&m, &target, length);
	call(&m);
	return m.dword[5];
}

static int ep_poll(uint64_t endpoint, unsigned timeout_ms)
{
	struct message m = request(EP_POLL, 0);

	m.dword[2] = endpoint;
	m.word[6] = timeout_ms;
	return try_call(&m);
}

static void ep_disconnect(uint64_t endpoint)
{
	struct message m = request(EP_DISCONNECT, 0);

	m.dword[2] = endpoint;
	call(&m);
}

/* Polls as a daemon does: a millisecond in the kernel, the rest here. */
static void ep_wait(uint64_t endpoint)
{
	int rc = 0;

	for (unsigned i = 0; i < PATIENCE * 100 && !rc; i++) {
		rc = ep_poll(endpoint, 1);
		if (!rc)
			usleep(10000);
	}
	if (rc != 1)
		errx(1, "endpoint: %s", rc ? strerror(-rc) : "still connecting");
}

void bind_conn(uint32_t sid, uint64_t endpoint)
{
	struct message m = request(BIND_CONN, sid);

	m.dword[3] = endpoint;
	m.word[8] = 1;
	call(&m);
}

static void log_in(uint32_t sid, uint64_t endpoint, const char *target, bool digests)
{
	static const struct {
		unsigned number;
		const char *value;
	} values[] = { { 0, "8192" }, { 1, "8192" },  { 4, "1" },  { 5, "1" }, { 6, "1" },
		       { 7, "8192" }, { 8, "65536" }, { 30, "5" }, { 31, "5" } };

	bind_conn(sid, endpoint);
	set(sid, 15, target);
	send_login(sid, target, digests);
	receive_login(sid);
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		set(sid, values[i].number, values[i].value);
	set(sid, 2, digests ? "1" : "0");
	set(sid, 3, digests ? "1" : "0");
	simple(START_CONN, sid);
}

static bool wants_digests(const char *word)
{
	return word && strcmp(word, "digests") == 0;
}

void scan(uint32_t host)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/scsi_host/host%u/scan", host);
	f = fopen(path, "we");
	if (!f || fputs("- - -", f) < 0 || fclose(f) != 0)
		err(1, "cannot scan host %u", host);
}

static void verb_login(char **argument)
{
	uint64_t endpoint = strtoull(argument[0], NULL, 10);
	struct message m = request(CREATE_BOUND_SESSION, 0);
	uint32_t sid, host;

	m.dword[2] = endpoint;
	m.word[6] = FIRST_CMDSN;
	call(&m);
	sid = m.word[10];
	host = m.word[11];
	simple(CREATE_CONN, sid);
	log_in(sid, endpoint, argument[1], wants_digests(argument[2]));
	scan(host);
	printf("%u\n", sid);
}

void stop(uint32_t sid, uint32_t flag)
{
	struct message m = request(STOP_CONN, sid);

	m.word[8] = flag;
	call(&m);
}

/* A new connection for a session that has lost its own. */
static void verb_relogin(char **argument)
{
	uint32_t sid = (uint32_t)atoi(argument[0]);

	stop(sid, 3);
	log_in(sid, strtoull(argument[1], NULL, 10), argument[2], wants_digests(argument[3]));
}

static void verb_destroy(char **argument)
{
	uint32_t sid = (uint32_t)atoi(argument[0]);

	stop(sid, 1);
	simple(DESTROY_CONN, sid);
	simple(DESTROY_SESSION, sid);
}

static void verb_logout(char **argument)
{
	uint8_t bhs[BHS] = { 0x46, 0x80 };
	uint32_t sid = (uint32_t)atoi(argument[0]);

	simple(UNBIND_SESSION, sid);
	await(UNBOUND, sid);
	send_pdu(sid, bhs, "", 0);
	await(RECEIVED_PDU, sid);
	verb_destroy(argument);
}

static void verb_connect(char **argument)
{
	printf("%lu\n", ep_connect(argument[0], argument[1]));
}

static void verb_poll(char **argument)
{
	printf("%d\n", ep_poll(strtoull(argument[0], NULL, 10),
			       argument[1] ? (unsigned)atoi(argument[1]) : 1));
}

static void verb_wait(char **argument)
{
	ep_wait(strtoull(argument[0], NULL, 10));
}

static void verb_disconnect(char **argument)
{
	ep_disconnect(strtoull(argument[0], NULL, 10));
}

/* The kernel's struct iscsi_path. */
struct path {
	uint64_t handle;
	uint8_t mac[6], old_mac[6];
	uint32_t length;
	uint8_t source[16], destination[16];
	uint16_t vlan, mtu;
};

/* HOST HANDLE MAC SOURCE VLAN MTU; a MAC of zeros is a negative answer. */
static void verb_path(char **argument)
{
	struct message m = request(PATH_UPDATE, (uint32_t)atoi(argument[0]));
	struct path path = { .handle = strtoull(argument[1], NULL, 10) };

	if (sscanf(argument[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &path.mac[0], &path.mac[1],
		   &path.mac[2], &path.mac[3], &path.mac[4], &path.mac[5]) != 6)
		errx(2, "not a hardware address: %s", argument[2]);
	path.length = strchr(argument[3], ':') ? 16 : 4;
	if (inet_pton(path.length == 4 ? AF_INET : AF_INET6, argument[3], path.source) != 1)
		errx(2, "not an address: %s", argument[3]);
	path.vlan = (uint16_t)atoi(argument[4]);
	path.mtu = (uint16_t)atoi(argument[5]);
	add(&m, &path, sizeof(path));
	call(&m);
}

/* ---- disks ---- */

/* The first disk of a session that can be opened: its object in sysfs is older than its node. */
static bool print_disk(void)
{
	glob_t found;
	char node[64] = "";

	if (glob("/sys/class/iscsi_session/session*/device/target*/*/block/*", 0, NULL, &found) !=
	    0)
		return false;
	snprintf(node, sizeof(node), "/dev/%s", basename(found.gl_pathv[0]));
	globfree(&found);
	return access(node, R_OK) == 0 && puts(node) >= 0;
}

/* The kernel looks at what a scan found when it likes, and then tells of it. */
static void verb_await_disk(char **argument)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int uevents = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	struct pollfd p = { .fd = uevents, .events = POLLIN };
	char uevent[8192];

	(void)argument;
	if (uevents < 0 || bind(uevents, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "cannot hear of devices");
	while (!print_disk()) {
		if (poll(&p, 1, PATIENCE * 1000) <= 0)
			errx(1, "no disk");
		/* One that was lost makes no difference: it is looked again in any case. */
		(void)recv(uevents, uevent, sizeof(uevent), 0);
	}
}

/* ---- events ---- */

static void print_path_request(const struct message *m)
{
	char destination[INET6_ADDRSTRLEN];
	struct path path;

	memcpy(&path, m->payload, sizeof(path));
	inet_ntop(path.length == 4 ? AF_INET : AF_INET6, path.destination, destination,
		  sizeof(destination));
	printf("path-request %u %lu %s %u %u\n", m->word[10], path.handle, destination, path.vlan,
	       path.mtu);
}

/* One line for each kind that has a name here: the name, and what of the event's words belongs to
 * it. */
static const struct {
	unsigned type;
	const char *name;
	unsigned n; /* words */
} events[] = {
	{ CONN_ERROR, "connection-error", 3 },         /* SESSION CONNECTION CODE */
	{ SESSION_DESTROYED, "session-destroyed", 2 }, /* HOST SESSION */
	{ UNBOUND, "session-unbound", 2 },             /* SESSION HOST */
	{ SESSION_CREATED, "session-created", 2 },     /* SESSION HOST */
	{ IF_DOWN, "interface-down", 1 },              /* HOST */
	{ LOGIN_STATE, "login-state", 3 },             /* SESSION CONNECTION STATE */
	{ HOST_EVENT, "host-event", 3 },               /* HOST LENGTH CODE */
	{ PING_DONE, "ping-done", 3 },                 /* HOST STATUS COOKIE */
};

static void print_event(const struct message *m)
{
	if (m->word[0] == PATH_REQUEST)
		print_path_request(m);
	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
		if (events[i].type != m->word[0])
			continue;
		printf("%s", events[i].name);
		for (unsigned n = 0; n < events[i].n; n++)
			printf(" %u", m->word[10 + n]);
		printf("\n");
	}
	fflush(stdout);
}

/* For ever. */
static void verb_events(char **argument)
{
	struct message m;

	(void)argument;
	printf("listening\n");
	fflush(stdout);
	while (recv(netlink, &m, sizeof(m), 0) >= (ssize_t)HEAD)
		print_event(&m);
	err(1, "cannot hear the kernel");
}

static const struct {
	const char *name, *arguments;
	int n; /* of those that must be there */
	void (*run)(char **argument);
} verbs[] = {
	{ "connect", "HOST|- ADDRESS", 2, verb_connect },
	{ "poll", "ENDPOINT [MS]", 1, verb_poll },
	{ "wait", "ENDPOINT", 1, verb_wait },
	{ "disconnect", "ENDPOINT", 1, verb_disconnect },
	{ "path", "HOST HANDLE MAC SOURCE VLAN MTU", 6, verb_path },
	{ "login", "ENDPOINT TARGET [digests]", 2, verb_login },
	{ "relogin", "SESSION ENDPOINT TARGET [digests]", 3, verb_relogin },
	{ "logout", "SESSION", 1, verb_logout },
	{ "destroy", "SESSION", 1, verb_destroy },
	{ "await-disk", "", 0, verb_await_disk },
	{ "events", "", 0, verb_events },
	{ "iface", "HOST 4|6 NUMBER net|iscsi PARAMETER:TYPE:VALUE...", 5, verb_iface },
	{ "ping", "HOST 4|6 SIZE COOKIE ADDRESS", 5, verb_ping },
	{ "chap-get", "HOST INDEX N", 3, verb_chap_get },
	{ "chap-set", "HOST PARAMETER:TYPE:VALUE...", 2, verb_chap_set },
	{ "chap-delete", "HOST INDEX", 2, verb_chap_delete },
	{ "host-stats", "HOST", 1, verb_host_stats },
	{ "node-new", "HOST ipv4|ipv6", 2, verb_node_new },
	{ "node-set", "HOST NODE PARAMETER:TYPE:VALUE...", 3, verb_node_set },
	{ "node-delete", "HOST NODE", 2, verb_node_delete },
	{ "node-login", "HOST NODE", 2, verb_node_login },
	{ "node-logout", "HOST NODE", 2, verb_node_logout },
	{ "session-logout", "HOST SESSION", 2, verb_session_logout },
	{ "self-login", "ENDPOINT TARGET ADDRESS", 3, verb_self_login },
	{ "self-relogin", "SESSION ENDPOINT TARGET", 3, verb_self_relogin },
};

int main(int argc, char *argv[])
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs) && argc >= 3; i++) {
		if (strcmp(verbs[i].name, argv[2]) != 0 || argc - 3 < verbs[i].n)
			continue;
		open_transport(argv[1]);
		/* Who listens to the other group is asked for paths. */
		open_netlink(verbs[i].run == verb_events ? 3 : 1);
		verbs[i].run(argv + 3);
		return 0;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		fprintf(stderr, "%s transport TRANSPORT %s %s\n",
			i ? "      " : "Usage:", verbs[i].name, verbs[i].arguments);
	return 2;
}
