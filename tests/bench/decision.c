/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * decision: the processor time of one login's decisions, from the configuration to the outcome: the
 * login machine against responses that were recorded before, so that nothing of a target or of the
 * system is measured. Prints a line for each kind of login: its name, a tab, nanoseconds.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "login.h"
#include "responder.h"
#include "secret.h"

#define RESPONSES_MAX 8
/* Of several rounds the best counts: the others were disturbed. */
#define ROUNDS     10
#define ROUND_NSEC 50000000

static struct secret *initiator_secret, *target_secret;

static const struct row {
	const char *name;
	bool discovery, chap, mutual;
	enum chap_algorithm algorithm;
} rows[] = {
	{ .name = "no authentication" },
	{ "discovery", .discovery = true },
	{ "CHAP md5", .chap = true, .algorithm = CHAP_ALGORITHM_MD5 },
	{ "CHAP sha1", .chap = true, .algorithm = CHAP_ALGORITHM_SHA1 },
	{ "CHAP sha256", .chap = true, .algorithm = CHAP_ALGORITHM_SHA256 },
	{ "CHAP sha3_256", .chap = true, .algorithm = CHAP_ALGORITHM_SHA3_256 },
	{ "mutual CHAP md5", .chap = true, .mutual = true, .algorithm = CHAP_ALGORITHM_MD5 },
	{ "mutual CHAP sha256", .chap = true, .mutual = true, .algorithm = CHAP_ALGORITHM_SHA256 },
	{ "mutual CHAP sha3_256", .chap = true, .mutual = true,
	  .algorithm = CHAP_ALGORITHM_SHA3_256 },
};

struct response {
	uint8_t header[PDU_HEADER_LENGTH];
	struct buffer text;
};

struct dialogue {
	struct login_config config;
	struct response responses[RESPONSES_MAX];
	size_t n;
};

static void configure(const struct row *row, struct login_config *ret)
{
	*ret = (struct login_config){
		.initiator_name = "iqn.2026-11.org.example:host",
		.target_name = row->discovery ? NULL : "iqn.2026-11.org.example:disk",
		.isid = { 0x80, 1, 2, 3, 4, 5 },
		.cmdsn = 1,
		.portal_group_tag = -1,
		.secret = initiator_secret,
		.target_secret = row->mutual ? target_secret : NULL,
	};
	iscsi_offer_init(&ret->offer);
	if (!row->chap)
		return;
	/* As the daemon does by default: all are offered, the target chooses. */
	ret->authentication = LOGIN_AUTHENTICATION_CHAP;
	for (int i = 0; i < _CHAP_ALGORITHM_MAX; i++)
		ret->chap_algorithms[ret->n_chap_algorithms++] = (enum chap_algorithm)i;
	ret->user_name = "alice";
	ret->target_user_name = row->mutual ? "storage" : NULL;
}

static void take_event(struct event *event)
{
	_cleanup_free_ char *message = NULL;

	(void)event_message(event, &message);
	errx(1, "a login raised an event: %s", message ? message : "");
}

static void record(const struct row *row, struct dialogue *ret)
{
	const struct responder_config config = {
		.algorithm = row->algorithm,
		.name = "storage",
		.secret = target_secret,
	};
	_cleanup_(login_freep) struct login *login = NULL;
	struct responder responder;

	*ret = (struct dialogue){ 0 };
	configure(row, &ret->config);
	if (login_new(&ret->config, &login) < 0)
		err(1, "login");
	responder_init(&responder, &config);
	for (;;) {
		struct response *response = &ret->responses[ret->n];
		struct login_step step;

		login_next(login, &step);
		if (step.type == LOGIN_STEP_DONE)
			break;
		if (step.type == LOGIN_STEP_EVENT)
			take_event(step.event);
		if (step.type != LOGIN_STEP_SEND || ret->n == RESPONSES_MAX ||
		    responder_answer(&responder, step.send.header, step.send.data,
				     step.send.data_length, response->header, &response->text) < 0)
			errx(1, "%s does not come to an end", row->name);
		login_receive(login, response->header, response->text.data, response->text.length);
		ret->n++;
	}
}

static void replay(const struct dialogue *dialogue)
{
	struct login_step step;
	struct login *login;

	if (login_new(&dialogue->config, &login) < 0)
		err(1, "login");
	for (size_t i = 0; i < dialogue->n; i++) {
		const struct response *response = &dialogue->responses[i];

		login_next(login, &step);
		login_receive(login, response->header, response->text.data, response->text.length);
	}
	login_next(login, &step);
	if (step.type != LOGIN_STEP_DONE)
		errx(1, "a login ended otherwise than before");
	login_free(login);
}

static uint64_t processor_nsec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Of one login, in the best of the rounds. */
static uint64_t measure(const struct dialogue *dialogue)
{
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t begin = processor_nsec(), end, n = 0;

		do {
			for (int i = 0; i < 64; i++)
				replay(dialogue);
			n += 64;
			end = processor_nsec();
		} while (end - begin < ROUND_NSEC);
		if ((end - begin) / n < best)
			best = (end - begin) / n;
	}
	return best;
}

static struct secret *make_secret(const char *text)
{
	struct secret *secret;

	if (secret_new(text, strlen(text), &secret) < 0)
		err(1, "secret");
	return secret;
}

int main(void)
{
	initiator_secret = make_secret("secret-of-the-initiator");
	target_secret = make_secret("secret-of-the-target");
	for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
		struct dialogue dialogue;

		record(&rows[i], &dialogue);
		(void)printf("%s\t%llu\n", rows[i].name, (unsigned long long)measure(&dialogue));
		for (size_t k = 0; k < dialogue.n; k++)
			buffer_done(&dialogue.responses[k].text);
	}
	initiator_secret = secret_free(initiator_secret);
	target_secret = secret_free(target_secret);
	return 0;
}
