/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* floor: the kernel's control interface. */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "floor.h"

#define RECEIVE_BUFFER (32 << 20)

static uint64_t transport;

struct message *request(struct batch *b, unsigned type, uint32_t sid, const void *payload,
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

void submit(int fd, struct batch *b)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (sendto(fd, b->bytes, b->length, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		err(1, "cannot send to the kernel");
	b->length = 0;
}

void check_reply(const struct message *m)
{
	unsigned type = m->header.nlmsg_type;

	if (m->word[0] == KERNEL_FAILED)
		errx(1, "the kernel refused request %u: %s", type, strerror(-(int)m->word[1]));
	if ((type == BIND_CONN || type == START_CONN || type == SEND_PDU) && m->word[10])
		errx(1, "kernel request %u failed: %s", type, strerror(-(int)m->word[10]));
}

/* Sends the batch and reads its replies; the last one is handed out. Only for a socket without
 * events. */
struct message call(int fd, struct batch *b)
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

int open_netlink(int family, uint32_t groups)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family), size = RECEIVE_BUFFER;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "cannot open netlink socket %d", family);
	return fd;
}

/* The kernel has made it. */
void take_session(struct run *r, struct session *s, const struct message *reply)
{
	s->sid = reply->word[10];
	s->host = reply->word[11];
	if (s->sid >= SIDS)
		errx(1, "session id %u", s->sid);
	r->by_sid[s->sid] = s;
}

void open_transport(const char *name)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/iscsi_transport/%s/handle", name);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%lu", &transport) != 1)
		errx(1, "no transport %s: its module has to be loaded", name);
	fclose(f);
}

/* What the kernel shows of it, and scans it by. */
void set_target(struct batch *b, const struct session *s, const struct portal *portal)
{
	param(b, s->sid, 15, s->target);
	param(b, s->sid, 17, portal->host);
	param(b, s->sid, 18, portal->port);
}

/* What was negotiated, and two time-outs. */
void set_parameters(struct batch *b, const struct run *r, const struct session *s)
{
	const struct pdu *p = s->in;
	bool initial_r2t = strcmp(value(p, "InitialR2T", "Yes"), "No") != 0;
	char number[16];

	param(b, s->sid, 0, r->receive_max);
	param(b, s->sid, 1, value(p, "MaxRecvDataSegmentLength", "8192"));
	param(b, s->sid, 4, initial_r2t ? "1" : "0");
	param(b, s->sid, 6, strcmp(value(p, "ImmediateData", "Yes"), "Yes") == 0 ? "1" : "0");
	param(b, s->sid, 7, value(p, "FirstBurstLength", "65536"));
	param(b, s->sid, 8, value(p, "MaxBurstLength", "262144"));
	snprintf(number, sizeof(number), "%u", s->statsn + 1);
	param(b, s->sid, 14, number);
	param(b, s->sid, 16, value(p, "TargetPortalGroupTag", "0"));
	param(b, s->sid, 30, "5");
	param(b, s->sid, 31, "5");
}
