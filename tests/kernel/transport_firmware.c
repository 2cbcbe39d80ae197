/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* transport: what adapters with firmware offer beyond connections. */
#include <err.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "transport.h"

/* ---- parameters in attributes ---- */

static size_t value_bytes(const char *type, const char *text, uint8_t *bytes)
{
	uint32_t number = (uint32_t)strtoul(text, NULL, 0);
	struct sockaddr_storage address;

	memset(bytes, 0, 256);
	memcpy(bytes, &number, sizeof(number));
	if (type[0] == 'u')
		return (size_t)atoi(type + 1) / 8;
	if (strcmp(type, "text") == 0)
		return (size_t)snprintf((char *)bytes, 256, "%s", text) + 1;
	/* ip: as wide as the family; ip16: IPv4 with zeros behind. */
	if (parse_address(text, &address) == sizeof(struct sockaddr_in6))
		memcpy(bytes, &((struct sockaddr_in6 *)&address)->sin6_addr, 16);
	else
		memcpy(bytes, &((struct sockaddr_in *)&address)->sin_addr, 4);
	return address.ss_family == AF_INET6 || strcmp(type, "ip16") == 0 ? 16 : 4;
}

/* The attribute's data: a head, into which number and length are written, and the value. */
static void add_attribute(struct message *m, uint8_t *head, size_t head_length, size_t length_at,
			  size_t number_at, const char *text)
{
	char type[8], value[240];
	uint8_t bytes[256];
	unsigned number;
	uint32_t length;
	uint16_t attribute[2];

	if (sscanf(text, "%u:%7[^:]:%239[^\n]", &number, type, value) != 3)
		errx(2, "not NUMBER:TYPE:VALUE: %s", text);
	length = (uint32_t)value_bytes(type, value, bytes);
	memcpy(head + length_at, &length, sizeof(length));
	attribute[1] = (uint16_t)number;
	memcpy(head + number_at, &attribute[1], sizeof(attribute[1]));
	attribute[0] = (uint16_t)(sizeof(attribute) + head_length + length);
	add(m, attribute, sizeof(attribute));
	add(m, head, head_length);
	add(m, bytes, length);
	add(m, "\0\0\0", -attribute[0] & 3);
}

/* HOST 4|6 NUMBER net|iscsi PARAMETER... */
void verb_iface(char **argument)
{
	struct message m = request(SET_IFACE_PARAMS, (uint32_t)atoi(argument[0]));
	uint8_t head[12] = { (uint8_t)atoi(argument[2]), [10] = argument[1][0] == '6' ? 2 : 1,
			     [11] = strcmp(argument[3], "net") == 0 ? 2 : 5 };

	for (argument += 4; *argument; argument++)
		add_attribute(&m, head, sizeof(head), 4, 8, *argument);
	call(&m);
}

void verb_node_set(char **argument)
{
	struct message m = request(SET_FLASHNODE_PARAMS, (uint32_t)atoi(argument[0]));
	uint8_t head[6] = { 0 };

	m.word[5] = (uint32_t)atoi(argument[1]);
	for (argument += 2; *argument; argument++)
		add_attribute(&m, head, sizeof(head), 0, 4, *argument);
	call(&m);
}

void verb_chap_set(char **argument)
{
	struct message m = request(SET_CHAP, (uint32_t)atoi(argument[0]));
	uint8_t head[6] = { 0 };

	for (argument += 1; *argument; argument++)
		add_attribute(&m, head, sizeof(head), 0, 4, *argument);
	call(&m);
}

/* ---- tables and nodes of firmware ---- */

/* An answer that goes to all who listen; there is a reply only to a failure. */
static struct message answer(struct message *m)
{
	unsigned type = m->header.nlmsg_type;

	send_request(m);
	for (;;) {
		if (!next(m))
			errx(1, "no answer to request %u", type);
		if (m->header.nlmsg_type == type && m->word[0] == FAILED)
			errx(1, "request %u: %s", type, strerror(-(int)m->word[1]));
		if (m->header.nlmsg_type == 0 && m->word[0] == type)
			return *m;
	}
}

/* HOST INDEX N: one line an entry. */
void verb_chap_get(char **argument)
{
	struct message m = request(GET_CHAP, (uint32_t)atoi(argument[0]));

	m.word[5] = (uint32_t)atoi(argument[2]);
	m.half[12] = (uint16_t)atoi(argument[1]);
	m = answer(&m);
	for (uint32_t i = 0; i < m.word[5] && i < 15; i++) {
		const char *record = m.payload + (size_t)i * 524;
		uint16_t index;
		uint32_t type;

		memcpy(&index, record, sizeof(index));
		memcpy(&type, record + 4, sizeof(type));
		printf("%u %u %.255s %.255s %u\n", index, type, record + 8, record + 264,
		       (uint8_t)record[520]);
	}
}

void verb_chap_delete(char **argument)
{
	struct message m = request(DELETE_CHAP, (uint32_t)atoi(argument[0]));

	m.half[10] = (uint16_t)atoi(argument[1]);
	call(&m);
}

/* All counters in one line. */
void verb_host_stats(char **argument)
{
	struct message m = request(GET_HOST_STATS, (uint32_t)atoi(argument[0]));
	uint64_t counter;

	m = answer(&m);
	for (size_t i = 0; i < 82; i++) {
		memcpy(&counter, m.payload + i * sizeof(counter), sizeof(counter));
		printf("%s%lu", i ? " " : "", counter);
	}
	printf("\n");
}

/* HOST 4|6 SIZE COOKIE ADDRESS */
void verb_ping(char **argument)
{
	struct message m = request(PING, (uint32_t)atoi(argument[0]));
	struct sockaddr_storage target;
	size_t length = parse_address(argument[4], &target);

	m.word[6] = argument[1][0] == '6' ? 2 : 1;
	m.word[7] = (uint32_t)atoi(argument[2]);
	m.word[8] = (uint32_t)atoi(argument[3]);
	add(&m, &target, length);
	call(&m);
}

void verb_node_new(char **argument)
{
	struct message m = request(NEW_FLASHNODE, (uint32_t)atoi(argument[0]));

	m.word[5] = (uint32_t)strlen(argument[1]) + 1;
	add(&m, argument[1], m.word[5]);
	call(&m);
	printf("%u\n", m.word[10]);
}

static void node(unsigned type, char **argument)
{
	struct message m = request(type, (uint32_t)atoi(argument[0]));

	m.word[5] = (uint32_t)atoi(argument[1]);
	call(&m);
}

void verb_node_delete(char **argument)
{
	node(DEL_FLASHNODE, argument);
}

void verb_node_login(char **argument)
{
	node(LOGIN_FLASHNODE, argument);
}

void verb_node_logout(char **argument)
{
	node(LOGOUT_FLASHNODE, argument);
}

void verb_session_logout(char **argument)
{
	node(LOGOUT_FLASHNODE_SID, argument);
}

/* The adapter logs in; its word for it is an event. */
static void self_login(uint32_t sid, const char *target)
{
	struct message m;

	set(sid, 15, target);
	simple(START_CONN, sid);
	m = await(LOGIN_STATE, sid);
	if (m.word[12] != 3)
		errx(1, "login state %u", m.word[12]);
}

void verb_self_login(char **argument)
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
	bind_conn(sid, endpoint);
	/* By which others know where it goes. */
	set(sid, 17, argument[2]);
	set(sid, 18, "3260");
	self_login(sid, argument[1]);
	scan(host);
	printf("%u\n", sid);
}

void verb_self_relogin(char **argument)
{
	uint32_t sid = (uint32_t)atoi(argument[0]);

	stop(sid, 3);
	bind_conn(sid, strtoull(argument[1], NULL, 10));
	self_login(sid, argument[2]);
}
