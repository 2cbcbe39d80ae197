/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * floor: the yardstick of the benchmark. An initiator that does what target and kernel demand and
 * nothing else: no records, no authentication, no events, no recovery. It logs in on its own
 * sockets and hands them to the kernel (NETLINK_ISCSI); what it needs for that is time any
 * initiator needs. It shares no code with the product on purpose, and it gives up at the first
 * surprise.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define INITIATOR      "iqn.2026-11.org.example:floor"
#define IN_FLIGHT      64 /* logins at the same time */
#define SCANNERS       32 /* hosts scanned at the same time: a scan is some twenty round trips */
#define BHS            48
#define DATA_MAX       32768
#define FIRST_CMDSN    1
#define SIDS           65536
#define RECEIVE_BUFFER (32 << 20)

/* ---- PDUs ---- */

struct pdu {
	uint8_t bhs[BHS];
	char data[DATA_MAX];
	size_t length; /* of data, without padding */
};

static void put32(uint8_t *at, uint32_t value)
{
	value = htonl(value);
	memcpy(at, &value, sizeof(value));
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return ntohl(value);
}

static size_t padded(size_t length)
{
	return (length + 3) & ~(size_t)3;
}

static size_t data_length(const uint8_t *bhs)
{
	return (size_t)bhs[5] << 16 | (size_t)bhs[6] << 8 | bhs[7];
}

/* NUL-terminated "key=value" after "key=value". LIO answers in one response if every key has been
 * offered. */
static const char offer[] =
	"HeaderDigest=None\0DataDigest=None\0MaxConnections=1\0InitialR2T=No\0"
	"ImmediateData=Yes\0MaxRecvDataSegmentLength=262144\0MaxBurstLength=1048576\0"
	"FirstBurstLength=262144\0DefaultTime2Wait=0\0DefaultTime2Retain=0\0"
	"MaxOutstandingR2T=1\0DataPDUInOrder=Yes\0DataSequenceInOrder=Yes\0"
	"ErrorRecoveryLevel=0";
static const char discovery_offer[] =
	"HeaderDigest=None\0DataDigest=None\0MaxRecvDataSegmentLength=16384\0"
	"DefaultTime2Wait=0\0DefaultTime2Retain=0\0ErrorRecoveryLevel=0";

/* RFC 7143, 11.12: straight to the operational stage, asking for full feature phase: one round
 * trip. */
static void login_request(struct pdu *p, const char *target)
{
	const char *keys = target ? offer : discovery_offer;
	size_t keys_length = target ? sizeof(offer) : sizeof(discovery_offer);
	int n;

	memset(p->bhs, 0, BHS);
	p->bhs[0] = 0x43;
	p->bhs[1] = 0x87;
	p->bhs[8] = 0x80; /* ISID: random, of the process */
	put32(p->bhs + 9, (uint32_t)getpid());
	put32(p->bhs + 24, FIRST_CMDSN);
	n = snprintf(p->data, DATA_MAX, "InitiatorName=" INITIATOR "%cSessionType=%s%c%s%s", 0,
		     target ? "Normal" : "Discovery", 0, target ? "TargetName=" : "",
		     target ? target : "");
	p->length = (size_t)n + !!target;
	memcpy(p->data + p->length, keys, keys_length);
	p->length += keys_length;
}

static void send_pdu(int fd, struct pdu *p)
{
	struct iovec iov[] = { { p->bhs, BHS }, { p->data, padded(p->length) } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	p->bhs[5] = (uint8_t)(p->length >> 16);
	p->bhs[6] = (uint8_t)(p->length >> 8);
	p->bhs[7] = (uint8_t)p->length;
	memset(p->data + p->length, 0, padded(p->length) - p->length);
	if (sendmsg(fd, &m, MSG_NOSIGNAL) != (ssize_t)(BHS + padded(p->length)))
		err(1, "cannot send to the target");
}

/* The value of a key of @p, or @otherwise. */
static const char *value(const struct pdu *p, const char *key, const char *otherwise)
{
	size_t n = strlen(key);

	for (const char *s = p->data; s < p->data + p->length; s += strlen(s) + 1) {
		if (strncmp(s, key, n) == 0 && s[n] == '=')
			return s + n + 1;
	}
	return otherwise;
}

/* All has been said in one request: a target that wants more is none for this program. */
static void check_login(const struct pdu *p, const char *target)
{
	if (p->bhs[0] != 0x23 || p->bhs[36] != 0)
		errx(1, "login to %s refused: opcode 0x%02x, status 0x%02x%02x", target, p->bhs[0],
		     p->bhs[36], p->bhs[37]);
	if ((p->bhs[1] & 0x83) != 0x83)
		errx(1, "login to %s wants another round", target);
}

static void check_size(const struct pdu *p)
{
	if (data_length(p->bhs) >= DATA_MAX - 4)
		errx(1, "PDU too large: %zu bytes", data_length(p->bhs));
}

/* ---- discovery: blocking, one connection ---- */

struct portal {
	struct sockaddr_storage address;
	socklen_t length;
	char host[64], port[8];
};

static void parse_portal(const char *text, struct portal *p)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *ai;

	snprintf(p->port, sizeof(p->port), "3260");
	if (sscanf(text, "[%63[^]]]:%7s", p->host, p->port) < 1 &&
	    sscanf(text, "%63[^:]:%7s", p->host, p->port) < 1)
		errx(2, "not a portal: %s", text);
	if (getaddrinfo(p->host, p->port, &hints, &ai) != 0)
		errx(2, "not an address: %s", text);
	memcpy(&p->address, ai->ai_addr, ai->ai_addrlen);
	p->length = ai->ai_addrlen;
	freeaddrinfo(ai);
}

static int connect_portal(const struct portal *p, int flags)
{
	int fd = socket(p->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	int one = 1;

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
	    (connect(fd, (const struct sockaddr *)&p->address, p->length) < 0 &&
	     errno != EINPROGRESS))
		err(1, "cannot connect to %s", p->host);
	return fd;
}

static void receive(int fd, void *buffer, size_t length)
{
	if (length && recv(fd, buffer, length, MSG_WAITALL) != (ssize_t)length)
		errx(1, "the target closed the connection");
}

static void receive_pdu(int fd, struct pdu *p)
{
	receive(fd, p->bhs, BHS);
	check_size(p);
	p->length = data_length(p->bhs);
	receive(fd, p->data, padded(p->length));
	p->data[p->length] = 0;
}

static void text_request(struct pdu *p, const char *text, uint32_t cmdsn)
{
	uint32_t statsn = get32(p->bhs + 24), ttt = get32(p->bhs + 20);
	size_t length = text ? strlen(text) + 1 : 0;

	memset(p->bhs, 0, BHS);
	p->bhs[0] = 0x04;
	p->bhs[1] = 0x80;
	put32(p->bhs + 16, 1);
	put32(p->bhs + 20, text ? UINT32_MAX : ttt);
	put32(p->bhs + 24, cmdsn);
	put32(p->bhs + 28, statsn + 1);
	memcpy(p->data, text ? text : "", length);
	p->length = length;
}

static void logout_request(uint8_t *bhs, uint32_t cmdsn, uint32_t exp_statsn)
{
	memset(bhs, 0, BHS);
	bhs[0] = 0x46;
	bhs[1] = 0x80;
	put32(bhs + 16, 2);
	put32(bhs + 24, cmdsn);
	put32(bhs + 28, exp_statsn);
}

struct session {
	char *target;
	int fd;
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
};

static void add_target(struct run *r, const char *name)
{
	r->sessions = reallocarray(r->sessions, r->n + 1, sizeof(*r->sessions));
	if (!r->sessions)
		err(1, "targets");
	r->sessions[r->n++] = (struct session){ .target = strdup(name), .fd = -1 };
}

/* A key may be split between two responses: all text is collected, then read. */
static void discover(struct run *r)
{
	struct pdu *p = malloc(sizeof(*p));
	char *text = NULL;
	size_t length = 0;
	uint32_t cmdsn = FIRST_CMDSN;
	int fd = connect_portal(&r->portal, 0);

	if (!p)
		err(1, "discovery");
	login_request(p, NULL);
	send_pdu(fd, p);
	receive_pdu(fd, p);
	check_login(p, "the discovery session");
	text_request(p, "SendTargets=All", cmdsn++);
	for (;;) {
		send_pdu(fd, p);
		receive_pdu(fd, p);
		if (p->bhs[0] != 0x24)
			errx(1, "no text response, but opcode 0x%02x", p->bhs[0]);
		text = realloc(text, length + p->length + 1);
		if (!text)
			err(1, "discovery");
		memcpy(text + length, p->data, p->length + 1);
		length += p->length;
		if (p->bhs[1] & 0x80)
			break;
		text_request(p, NULL, cmdsn++);
	}
	logout_request(p->bhs, cmdsn, get32(p->bhs + 24) + 1);
	p->length = 0;
	send_pdu(fd, p);
	receive_pdu(fd, p);
	close(fd);
	for (const char *s = text; s < text + length; s += strlen(s) + 1) {
		if (strncmp(s, "TargetName=", 11) == 0)
			add_target(r, s + 11);
	}
	free(text);
	free(p);
}

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
	UNBIND_SESSION = 27,
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

static uint64_t transport;

static struct message *request(struct batch *b, unsigned type, uint32_t sid, const void *payload,
			       size_t length)
{
	struct message *m = (struct message *)(void *)(b->bytes + b->length);

	memset(m, 0, sizeof(*m));
	m->header.nlmsg_len = (uint32_t)(sizeof(*m) + length);
	m->header.nlmsg_type = (uint16_t)type;
	m->word[0] = type;
	m->dword[1] = transport;
	m->word[4] = sid;
	memcpy(m + 1, payload ? payload : "", length);
	/* Every message begins at a multiple of eight: the kernel asks for four. */
	m->header.nlmsg_len = (uint32_t)((m->header.nlmsg_len + 7) & ~7U);
	b->length += m->header.nlmsg_len;
	b->n++;
	return m;
}

static void param(struct batch *b, uint32_t sid, uint32_t number, const char *text)
{
	struct message *m = request(b, SET_PARAM, sid, text, strlen(text) + 1);

	m->word[6] = number;
	m->word[7] = (uint32_t)strlen(text) + 1;
}

static void submit(int fd, struct batch *b)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (sendto(fd, b->bytes, b->length, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		err(1, "cannot send to the kernel");
	b->length = 0;
}

static void check_reply(const struct message *m)
{
	unsigned type = m->header.nlmsg_type;

	if (m->word[0] == KERNEL_FAILED)
		errx(1, "the kernel refused request %u: %s", type, strerror(-(int)m->word[1]));
	if ((type == BIND_CONN || type == START_CONN || type == SEND_PDU) && m->word[10])
		errx(1, "kernel request %u failed: %s", type, strerror(-(int)m->word[10]));
}

/* Sends the batch and reads its replies; the last one is handed out. Only for a socket without
 * events. */
static struct message call(int fd, struct batch *b)
{
	struct message replies[64];
	struct iovec iov[64];
	struct mmsghdr headers[64] = { 0 };
	unsigned n = b->n;

	for (unsigned i = 0; i < n; i++) {
		iov[i] = (struct iovec){ &replies[i], sizeof(replies[i]) };
		headers[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	submit(fd, b);
	b->n = 0;
	if (recvmmsg(fd, headers, n, MSG_DONTWAIT, NULL) != (int)n)
		err(1, "replies of the kernel are missing");
	for (unsigned i = 0; i < n; i++)
		check_reply(&replies[i]);
	return replies[n - 1];
}

static int open_netlink(int family, uint32_t groups)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family), size = RECEIVE_BUFFER;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "cannot open netlink socket %d", family);
	return fd;
}

static void open_transport(void)
{
	FILE *f = fopen("/sys/class/iscsi_transport/tcp/handle", "re");

	if (!f || fscanf(f, "%lu", &transport) != 1)
		errx(1, "no transport tcp: modprobe iscsi_tcp");
	fclose(f);
}

/* ---- scanning: the write to "scan" returns when the scan is done, so threads do it ---- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct session *queue[SIDS];
	unsigned head, tail;
	int done; /* eventfd */
} scans = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

static void scan(struct session *s)
{
	char path[96];
	struct dirent *entry;
	unsigned disks = 0;
	DIR *directory;
	int fd;

	snprintf(path, sizeof(path), "/sys/class/scsi_host/host%u/scan", s->host);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "- - -", 5) != 5)
		err(1, "cannot scan host %u", s->host);
	close(fd);
	snprintf(path, sizeof(path), "/sys/devices/platform/host%u/session%u/target%u:0:0", s->host,
		 s->sid, s->host);
	directory = opendir(path);
	while (directory && (entry = readdir(directory)))
		disks += entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
	if (!disks)
		errx(1, "%s has no disks", s->target);
	closedir(directory);
	s->disks = disks;
	__atomic_store_n(&s->scanned, true, __ATOMIC_RELEASE);
}

static void *scanner(void *argument)
{
	for (;;) {
		struct session *s;

		pthread_mutex_lock(&scans.lock);
		while (scans.head == scans.tail)
			pthread_cond_wait(&scans.more, &scans.lock);
		s = scans.queue[scans.head++];
		pthread_mutex_unlock(&scans.lock);
		scan(s);
		eventfd_write(scans.done, 1);
	}
	return argument;
}

static void scan_later(struct session *s)
{
	pthread_mutex_lock(&scans.lock);
	scans.queue[scans.tail++] = s;
	pthread_cond_signal(&scans.more);
	pthread_mutex_unlock(&scans.lock);
}

/* ---- login ---- */

static void set_parameters(struct batch *b, const struct session *s, const struct portal *portal)
{
	const struct pdu *p = s->in;
	bool initial_r2t = strcmp(value(p, "InitialR2T", "Yes"), "No") != 0;
	char number[16];

	param(b, s->sid, 0, "262144");
	param(b, s->sid, 1, value(p, "MaxRecvDataSegmentLength", "8192"));
	param(b, s->sid, 4, initial_r2t ? "1" : "0");
	param(b, s->sid, 6, strcmp(value(p, "ImmediateData", "Yes"), "Yes") == 0 ? "1" : "0");
	param(b, s->sid, 7, value(p, "FirstBurstLength", "65536"));
	param(b, s->sid, 8, value(p, "MaxBurstLength", "262144"));
	snprintf(number, sizeof(number), "%u", s->statsn + 1);
	param(b, s->sid, 14, number);
	param(b, s->sid, 15, s->target);
	param(b, s->sid, 16, value(p, "TargetPortalGroupTag", "0"));
	param(b, s->sid, 17, portal->host);
	param(b, s->sid, 18, portal->port);
	param(b, s->sid, 30, "5");
	param(b, s->sid, 31, "5");
}

/* The socket is in full feature phase: three datagrams make it a session of the kernel. */
static void hand_over(struct run *r, struct session *s)
{
	struct batch b = { .length = 0 };
	struct message reply;

	request(&b, CREATE_SESSION, FIRST_CMDSN, NULL, 0);
	reply = call(r->netlink, &b);
	s->sid = reply.word[10];
	s->host = reply.word[11];
	if (s->sid >= SIDS)
		errx(1, "session id %u", s->sid);
	r->by_sid[s->sid] = s;
	request(&b, CREATE_CONN, s->sid, NULL, 0);
	call(r->netlink, &b);
	{
		struct message *m = request(&b, BIND_CONN, s->sid, NULL, 0);

		m->dword[3] = (uint64_t)s->fd;
		m->word[8] = 1;
	}
	set_parameters(&b, s, &r->portal);
	request(&b, START_CONN, s->sid, NULL, 0);
	call(r->netlink, &b);
	close(s->fd);
	free(s->in);
	s->in = NULL;
	scan_later(s);
}

static void login_start(struct run *r, struct session *s)
{
	struct epoll_event e = { .events = EPOLLOUT, .data.ptr = s };

	s->fd = connect_portal(&r->portal, SOCK_NONBLOCK);
	s->in = malloc(sizeof(*s->in));
	if (!s->in || epoll_ctl(r->epoll, EPOLL_CTL_ADD, s->fd, &e) < 0)
		err(1, "login");
}

static void login_send(struct run *r, struct session *s)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = s };

	login_request(s->in, s->target);
	send_pdu(s->fd, s->in);
	s->received = 0;
	epoll_ctl(r->epoll, EPOLL_CTL_MOD, s->fd, &e);
}

/* Reads exactly one PDU: what follows belongs to the kernel. True when there is one. */
static bool login_receive(struct session *s)
{
	for (;;) {
		size_t end = BHS;
		ssize_t n;

		if (s->received >= BHS) {
			check_size(s->in);
			s->in->length = data_length(s->in->bhs);
			end += padded(s->in->length);
			if (s->received == end)
				return true;
		}
		/* Data lie right behind the header. */
		n = recv(s->fd, s->in->bhs + s->received, end - s->received, 0);
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n <= 0)
			errx(1, "%s closed the connection during login", s->target);
		s->received += (size_t)n;
	}
}

/* True when the session is the kernel's. */
static bool login_continue(struct run *r, struct session *s, uint32_t events)
{
	if (events & EPOLLOUT) {
		login_send(r, s);
		return false;
	}
	if (!login_receive(s))
		return false;
	s->in->data[s->in->length] = 0;
	s->statsn = get32(s->in->bhs + 24);
	check_login(s->in, s->target);
	epoll_ctl(r->epoll, EPOLL_CTL_DEL, s->fd, NULL);
	hand_over(r, s);
	return true;
}

/* A disk is there when its driver is bound:
 * "bind@/devices/platform/host1/session1/target1:0:0/1:0:0:0". */
static void read_uevents(struct run *r)
{
	char buffer[8192];
	ssize_t n;

	while ((n = recv(r->uevent, buffer, sizeof(buffer) - 1, MSG_DONTWAIT)) > 0) {
		const char *at;
		unsigned sid;

		buffer[n] = 0;
		if (strncmp(buffer, "bind@", 5) != 0)
			continue;
		at = strstr(buffer, "/session");
		if (at && sscanf(at, "/session%u/target", &sid) == 1 && sid < SIDS &&
		    r->by_sid[sid])
			r->by_sid[sid]->bound++;
	}
	if (n < 0 && errno != EAGAIN)
		err(1, "uevents");
}

static bool all_disks(const struct run *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct session *s = &r->sessions[i];

		if (!__atomic_load_n(&s->scanned, __ATOMIC_ACQUIRE) || s->bound < s->disks)
			return false;
	}
	return true;
}

static void login_setup(struct run *r)
{
	struct epoll_event e = { .events = EPOLLIN };

	open_transport();
	r->netlink = open_netlink(NETLINK_ISCSI, 0);
	/* The kernel complains on its slow console when nobody listens to its events: never read,
	 * never full. */
	r->listener = open_netlink(NETLINK_ISCSI, 1);
	r->uevent = open_netlink(NETLINK_KOBJECT_UEVENT, 1);
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	scans.done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->epoll < 0 || scans.done < 0)
		err(1, "epoll");
	e.data.ptr = &r->uevent;
	epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->uevent, &e);
	e.data.ptr = &scans;
	epoll_ctl(r->epoll, EPOLL_CTL_ADD, scans.done, &e);
	for (size_t i = 0; i < SCANNERS && i < r->n; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, scanner, NULL) != 0)
			errx(1, "no thread");
	}
}

static void login(struct run *r)
{
	size_t started = 0, in_flight = 0;
	eventfd_t count;

	login_setup(r);
	for (;;) {
		struct epoll_event events[IN_FLIGHT];
		int n;

		for (; started < r->n && in_flight < IN_FLIGHT; started++, in_flight++)
			login_start(r, &r->sessions[started]);
		n = epoll_wait(r->epoll, events, IN_FLIGHT, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == &r->uevent)
				read_uevents(r);
			else if (events[i].data.ptr == &scans)
				(void)eventfd_read(scans.done, &count);
			else
				in_flight -=
					login_continue(r, events[i].data.ptr, events[i].events);
		}
		if (started == r->n && !in_flight && all_disks(r))
			return;
	}
}

/* ---- logout ---- */

static void find_sessions(struct run *r)
{
	DIR *directory = opendir("/sys/class/iscsi_session");
	struct dirent *entry;
	unsigned sid;

	while (directory && (entry = readdir(directory))) {
		if (sscanf(entry->d_name, "session%u", &sid) != 1 || sid >= SIDS)
			continue;
		add_target(r, entry->d_name);
		r->sessions[r->n - 1].sid = sid;
	}
	if (directory)
		closedir(directory);
	for (size_t i = 0; i < r->n; i++)
		r->by_sid[r->sessions[i].sid] = &r->sessions[i];
}

/* Unbound: log out. Logged out: remove. Answers how many sessions have gone. */
static unsigned logout_message(struct run *r, const struct message *m)
{
	struct batch b = { .length = 0 };
	uint32_t sid = m->word[10];
	uint8_t bhs[BHS];

	if (m->header.nlmsg_type != 0) {
		check_reply(m);
		return m->header.nlmsg_type == DESTROY_SESSION;
	}
	if (sid >= SIDS || !r->by_sid[sid])
		return 0;
	if (m->word[0] == KERNEL_UNBOUND && !r->by_sid[sid]->unbound) {
		struct message *request_logout;

		r->by_sid[sid]->unbound = true;
		logout_request(bhs, 0, 0); /* the kernel writes the numbers */
		request_logout = request(&b, SEND_PDU, sid, bhs, BHS);
		request_logout->word[6] = BHS;
		submit(r->netlink, &b);
	} else if (m->word[0] == KERNEL_RECEIVED_PDU && !r->by_sid[sid]->gone) {
		r->by_sid[sid]->gone = true;
		request(&b, STOP_CONN, sid, NULL, 0)->word[8] = 1;
		request(&b, DESTROY_CONN, sid, NULL, 0);
		request(&b, DESTROY_SESSION, sid, NULL, 0);
		submit(r->netlink, &b);
	}
	return 0;
}

static void logout(struct run *r)
{
	struct batch b = { .length = 0 };
	size_t gone = 0;

	open_transport();
	r->netlink = open_netlink(NETLINK_ISCSI, 1);
	for (size_t i = 0; i < r->n; i++) {
		request(&b, UNBIND_SESSION, r->sessions[i].sid, NULL, 0);
		if (b.length > sizeof(b.bytes) - 1024 || i + 1 == r->n)
			submit(r->netlink, &b);
	}
	while (gone < r->n) {
		_Alignas(8) char buffer[16384];

		if (recv(r->netlink, buffer, sizeof(buffer), 0) < (ssize_t)sizeof(struct message))
			err(1, "cannot hear the kernel");
		gone += logout_message(r, (struct message *)(void *)buffer);
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char *argv[])
{
	static struct run r;
	double start = now();

	if (argc == 3 && strcmp(argv[1], "discover") == 0) {
		parse_portal(argv[2], &r.portal);
		discover(&r);
		for (size_t i = 0; i < r.n; i++)
			puts(r.sessions[i].target);
	} else if (argc == 3 && strcmp(argv[1], "login") == 0) {
		parse_portal(argv[2], &r.portal);
		discover(&r);
		start = now();
		login(&r);
	} else if (argc == 2 && strcmp(argv[1], "logout") == 0) {
		find_sessions(&r);
		logout(&r);
	} else {
		fputs("Usage: floor discover ADDRESS[:PORT] | login ADDRESS[:PORT] | logout\n",
		      stderr);
		return 2;
	}
	printf("%s %zu in %.4f\n", argv[1], r.n, now() - start);
	return 0;
}
