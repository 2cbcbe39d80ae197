/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A portal that answers a discovery with pings without end: logins elsewhere do not wait for the
 * end of that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "json.h"
#include "oisd.h"
#include "pdu.h"

#define PINGS  1000 /* at a time */
#define LOGINS 20

static struct oisd oisd;
static struct client client;

static int listen_at(int *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

/* In the child: whatever goes wrong ends it, and with it the discovery. */
static struct pdu receive(int fd)
{
	uint8_t header[PDU_HEADER_LENGTH], data[8192];
	struct pdu pdu;
	size_t length;

	if (recv(fd, header, sizeof(header), MSG_WAITALL) != (ssize_t)sizeof(header) ||
	    pdu_decode(header, &pdu) < 0)
		_exit(1);
	length = pdu.data_length + pdu_padding(pdu.data_length);
	if (length > sizeof(data) ||
	    (length > 0 && recv(fd, data, length, MSG_WAITALL) != (ssize_t)length))
		_exit(1);
	return pdu;
}

static void log_in(int fd)
{
	uint8_t header[PDU_HEADER_LENGTH];
	struct pdu request = receive(fd), response = { .opcode = PDU_OPCODE_LOGIN_RESPONSE };

	response.itt = request.itt;
	response.login_response.transit = true;
	response.login_response.csg = request.login_request.csg;
	response.login_response.nsg = request.login_request.nsg;
	response.login_response.tsih = 1;
	response.login_response.numbers = (struct pdu_numbers){ 1, 1, 16 };
	memcpy(response.login_response.isid, request.login_request.isid, 6);
	pdu_encode(&response, header);
	if (send(fd, header, sizeof(header), MSG_NOSIGNAL) != (ssize_t)sizeof(header))
		_exit(1);
}

static _Noreturn void flood(int listener)
{
	static uint8_t pings[PINGS][PDU_HEADER_LENGTH];
	int fd = accept(listener, NULL, NULL);

	log_in(fd);
	(void)receive(fd);
	for (size_t i = 0; i < PINGS; i++)
		pdu_encode(
			&(struct pdu){
				.opcode = PDU_OPCODE_NOP_IN,
				.itt = PDU_TAG_RESERVED,
				.nop_in.ttt = PDU_TAG_RESERVED,
				.nop_in.numbers = { 2, 1, 16 },
			},
			pings[i]);
	while (send(fd, pings, sizeof(pings), MSG_NOSIGNAL) > 0)
		;
	_exit(0);
}

/* Until the discovery waits for its answer. */
static void begin_discovery(struct client *discovery, int port)
{
	const char *phase = "";
	char parameters[128];

	(void)snprintf(parameters, sizeof(parameters),
		       "{\"method\":\"send_targets\",\"address\":\"127.0.0.1\",\"port\":%d}", port);
	client_open(discovery, &oisd);
	client_send_call(discovery, "org.ois.discovery.Discover", parameters, "more");
	while (strcmp(phase, "querying") != 0) {
		json_object *reply = client_receive(discovery);

		assert_non_null(json_get_path(reply, "continues"));
		phase = text_at(reply, "parameters.phase");
		phase = strcmp(phase, "querying") == 0 ? "querying" : "";
		json_object_put(reply);
	}
}

static void create_node(int port)
{
	char parameters[256];
	json_object *reply;

	(void)snprintf(parameters, sizeof(parameters),
		       "{\"key\":{\"targetName\":\"iqn.2026-11.example:disk\","
		       "\"address\":\"127.0.0.1\",\"port\":%d}}",
		       port);
	reply = client_call(&client, "org.ois.node.Create", parameters);
	assert_string_equal(text_at(reply, "error"), "");
	json_object_put(reply);
}

static void test_pings(void **state)
{
	int portal, portal_port, refusing, refusing_port, status;
	struct pollfd ended = { .events = POLLIN };
	struct client discovery;
	pid_t child;

	portal = listen_at(&portal_port);
	refusing = listen_at(&refusing_port);
	(void)close(refusing);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		flood(portal);
	create_node(refusing_port);
	begin_discovery(&discovery, portal_port);
	for (int i = 0; i < LOGINS; i++)
		json_object_put(client_stream(&client, "org.ois.session.Login",
					      "{\"selector\":{},\"retryMax\":0}"));
	/* The discovery goes on. */
	ended.fd = discovery.fd;
	assert_int_equal(poll(&ended, 1, 0), 0);
	client_close(&discovery);
	(void)kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	(void)close(portal);
}

static int start(void **state)
{
	oisd_prepare(&oisd, NULL);
	oisd_start(&oisd, -1);
	client_open(&client, &oisd);
	return 0;
}

static int stop(void **state)
{
	int status;

	client_close(&client);
	status = oisd_stop(&oisd, SIGTERM);
	oisd_done(&oisd);
	return status;
}

int main(int argc, char *argv[])
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pings, start, stop),
	};

	if (argc != 2) {
		(void)fprintf(stderr, "Usage: %s OISD\n", argv[0]);
		return 2;
	}
	oisd_program = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
