// layers: ois-iscsi ois-events ois-base
/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each row of leniency.def: what it describes is tolerated and reported, refused with the setting
 * strict, and a target that keeps to the standard is not affected.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake_target.h"
#include "leniency.h"
#include "sendtargets.h"

/* Logins with one deviation. Each begins one and plays it to its end. */

static void play_text_unterminated(void)
{
	static const char last_pair[] = "TargetAlias=the disk";

	begin();
	reply("", false, NULL);
	reply_bytes(last_pair, strlen(last_pair), false, NULL);
	reply("", true, NULL);
	if (last.type == LOGIN_STEP_DONE)
		assert_string_equal(last.result->target_alias, "the disk");
}

static void play_key_repeated(void)
{
	begin();
	reply("TargetAlias=the disk|MaxBurstLength=262144|FirstBurstLength=65536", false, NULL);
	reply("TargetAlias=the disk|MaxBurstLength=262144|TargetPortalGroupTag=1|"
	      "TargetPortalGroupTag=1",
	      true, NULL);
	if (last.type == LOGIN_STEP_DONE)
		assert_int_equal(last.result->parameters.max_burst_length, 262144);
}

static void play_key_unanswered(void)
{
	begin();
	reply_only("TargetPortalGroupTag=1", true, NULL);
	if (last.type != LOGIN_STEP_DONE)
		return;
	assert_true(last.result->parameters.initial_r2t);
	assert_int_equal(last.result->parameters.max_burst_length, 262144);
	assert_int_equal(last.result->parameters.first_burst_length, 65536);
}

static void play_key_not_understood(void)
{
	begin();
	reply("MaxOutstandingR2T=NotUnderstood|InitiatorAlias=NotUnderstood|"
	      "MaxRecvDataSegmentLength=Irrelevant",
	      true, NULL);
	if (last.type != LOGIN_STEP_DONE)
		return;
	assert_int_equal(last.result->parameters.max_outstanding_r2t, 1);
	assert_int_equal(last.result->parameters.max_xmit_data_segment_length, 8192);
	assert_int_equal(last.result->parameters.max_recv_data_segment_length, 262144);
}

static void play_key_relevant(void)
{
	begin();
	reply("MaxBurstLength=Irrelevant", true, NULL);
	if (last.type == LOGIN_STEP_DONE)
		assert_int_equal(last.result->parameters.max_burst_length, 262144);
}

static void play_unknown_key_last(void)
{
	begin();
	/* In between it is answered, and that is the end of it. */
	reply("X-com.example.colour=red", false, NULL);
	assert_true(mentions((const char *)request_text.data, "X-com.example.colour"));
	reply("X-com.example.colour=blue", true, NULL);
}

static void play_answer_not_admissible(void)
{
	config.offer.default_time2wait = 5;
	config.offer.initial_r2t = true;
	config.offer.immediate_data = false;
	begin();
	reply("DefaultTime2Wait=2|DefaultTime2Retain=20|InitialR2T=No|ImmediateData=Yes", true,
	      NULL);
	if (last.type != LOGIN_STEP_DONE)
		return;
	assert_int_equal(last.result->parameters.default_time2wait, 5);
	assert_int_equal(last.result->parameters.default_time2retain, 0);
	assert_true(last.result->parameters.initial_r2t);
	assert_false(last.result->parameters.immediate_data);
}

static void play_portal_group_missing(void)
{
	begin();
	reply_only("HeaderDigest=None|DataDigest=None|MaxConnections=1|InitialR2T=Yes|"
		   "ImmediateData=Yes|MaxBurstLength=262144|FirstBurstLength=65536|"
		   "DefaultTime2Wait=2|DefaultTime2Retain=0|MaxOutstandingR2T=1|"
		   "DataPDUInOrder=Yes|DataSequenceInOrder=Yes|ErrorRecoveryLevel=0",
		   true, NULL);
	if (last.type == LOGIN_STEP_DONE)
		assert_int_equal(last.result->portal_group_tag, -1);
}

static void play_portal_group_changed(void)
{
	config.portal_group_tag = 1;
	begin();
	reply("TargetPortalGroupTag=2", true, NULL);
	if (last.type == LOGIN_STEP_DONE)
		assert_int_equal(last.result->portal_group_tag, 2);
}

static void early_tsih(struct pdu *response)
{
	response->login_response.tsih = 5;
}

static void play_tsih_early(void)
{
	begin();
	reply("", false, early_tsih);
	reply("", true, NULL);
	if (last.type == LOGIN_STEP_DONE)
		assert_int_equal(last.result->tsih, TSIH);
}

static void restart_stat_sn(struct pdu *response)
{
	response->login_response.numbers.stat_sn = 1;
}

static void play_statsn_restarted(void)
{
	begin();
	reply("", false, NULL);
	reply("", false, NULL);
	reply("", true, restart_stat_sn);
	if (last.type == LOGIN_STEP_DONE)
		assert_int_equal(last.result->stat_sn, 1);
	assert_non_null(raised(EVENT_STATSN_INVALID));
}

static void play_first_burst_excess(void)
{
	begin();
	reply("MaxBurstLength=32768|FirstBurstLength=65536", true, NULL);
	if (last.type == LOGIN_STEP_DONE)
		assert_int_equal(last.result->parameters.first_burst_length, 32768);
	assert_non_null(raised(EVENT_BURST_LENGTH_INVALID));
}

static void straight_to_full_feature(struct pdu *response)
{
	response->login_response.nsg = PDU_STAGE_FULL_FEATURE;
	response->login_response.tsih = TSIH;
}

static void play_stage_skipped(void)
{
	struct iscsi_parameters defaults;

	chap_config(false);
	begin();
	reply("AuthMethod=CHAP|TargetPortalGroupTag=1", false, NULL);
	reply("CHAP_A=5|CHAP_I=1|CHAP_C=0x0102030405060708", false, NULL);
	reply("", true, straight_to_full_feature);
	if (last.type != LOGIN_STEP_DONE)
		return;
	iscsi_parameters_init(&defaults);
	/* What the offer makes more careful. */
	defaults.default_time2retain = 0;
	assert_true(last.result->authenticated);
	assert_memory_equal(&last.result->parameters, &defaults, sizeof(defaults));
}

/* SendTargets, in the same way */

static struct sendtargets *exchange;
static struct sendtargets_step step;
static uint32_t exchange_stat_sn;

static void exchange_run(void)
{
	for (;;) {
		sendtargets_next(exchange, &step);
		if (step.type == SENDTARGETS_STEP_EVENT)
			events[n_events++] = step.event;
		else if (step.type != SENDTARGETS_STEP_SEND && step.type != SENDTARGETS_STEP_TARGET)
			return;
	}
}

static void exchange_begin(void)
{
	struct sendtargets_config asked_for = {
		.address = "192.0.2.1", .port = 3260, .itt = 2, .strict = config.strict
	};

	exchange = sendtargets_free(exchange);
	exchange_stat_sn = 0;
	forget_events();
	assert_int_equal(sendtargets_new(&asked_for, &exchange), 0);
	exchange_run();
}

/* The next response; with a tag, there is more to come unless it is the last. */
static void exchange_reply(const char *text, size_t length, bool final, uint32_t ttt)
{
	struct pdu response = {
		.opcode = PDU_OPCODE_TEXT_RESPONSE,
		.itt = 2,
		.data_length = (uint32_t)length,
		.text_response = { .final = final, .ttt = ttt },
	};
	uint8_t header[PDU_HEADER_LENGTH];

	response.text_response.numbers.stat_sn = exchange_stat_sn++;
	pdu_encode(&response, header);
	sendtargets_receive(exchange, header, text, length);
	exchange_run();
}

/* As if it had been a login, for check(). */
static void exchange_end(void)
{
	last = (struct login_step){ .type = LOGIN_STEP_FAILED };
	if (step.type == SENDTARGETS_STEP_DONE)
		last.type = LOGIN_STEP_DONE;
	else
		last.failed.event = step.failed.event;
	exchange = sendtargets_free(exchange);
}

#define DISK_A "TargetName=iqn.2026-11.com.example:a"

static void play_text_not_continued(void)
{
	size_t within = strlen("TargetName=");

	exchange_begin();
	exchange_reply(DISK_A, within, false, 9);
	if (step.type == SENDTARGETS_STEP_WAIT) {
		exchange_reply(&DISK_A[within], sizeof(DISK_A) - within, true, PDU_TAG_RESERVED);
		assert_int_equal(step.done.targets, 1);
	}
	exchange_end();
}

static void play_final_tag(void)
{
	exchange_begin();
	exchange_reply(DISK_A, sizeof(DISK_A), true, 9);
	assert_non_null(raised(EVENT_PDU_INVALID));
	exchange_end();
}

/* It costs the target, and not the discovery. */
static void play_name_characters(void)
{
	static const char text[] = "TargetName=iqn.2000-01.com.example:NAS.Disk_1";

	exchange_begin();
	exchange_reply(text, sizeof(text), true, PDU_TAG_RESERVED);
	assert_int_equal(step.type, SENDTARGETS_STEP_DONE);
	exchange_end();
	if (!raised(EVENT_DISCOVERY_ENTRY_INVALID))
		return;
	last.type = LOGIN_STEP_FAILED;
	last.failed.event = EVENT_DISCOVERY_ENTRY_INVALID;
}

/* Redirections */

static void set_moved(struct pdu *response)
{
	response->login_response.transit = false;
	response->login_response.status_class = 1;
	response->login_response.status_detail = 1;
}

static void play_redirect_group(void)
{
	begin();
	reply_only("TargetAddress=192.0.2.7:3261,2", false, set_moved);
	if (last.type != LOGIN_STEP_REDIRECT)
		return;
	assert_string_equal(last.redirect.address, "192.0.2.7");
	assert_int_equal(last.redirect.port, 3261);
}

static void moved_without_isid(struct pdu *response)
{
	set_moved(response);
	memset(response->login_response.isid, 0, sizeof(response->login_response.isid));
}

static void play_redirect_isid(void)
{
	begin();
	reply_only("TargetAddress=192.0.2.7:3261", false, moved_without_isid);
	if (last.type == LOGIN_STEP_REDIRECT)
		assert_int_equal(last.redirect.port, 3261);
}

static void test_redirect_unterminated(void **state)
{
	static const char text[] = "TargetAddress=192.0.2.7:3261";

	for (unsigned strict = 0; strict < 2; strict++) {
		config.strict = strict;
		begin();
		reply_bytes(text, strlen(text), false, set_moved);
		assert_int_equal(last.type, strict ? LOGIN_STEP_FAILED : LOGIN_STEP_REDIRECT);
		if (strict)
			assert_int_equal(last.failed.event, EVENT_REDIRECT_INVALID);
		else
			assert_int_equal(last.redirect.port, 3261);
	}
}

/* Refusals */

static void set_refused(struct pdu *response)
{
	response->login_response.transit = false;
	response->login_response.status_class = 2;
	response->login_response.status_detail = 3;
}

static void refused_without_isid(struct pdu *response)
{
	set_refused(response);
	memset(response->login_response.isid, 0, sizeof(response->login_response.isid));
}

static void other_version_wanted(struct pdu *response)
{
	set_refused(response);
	response->login_response.version_max = 4;
	response->login_response.version_active = 3;
}

/* Nothing goes on after it: what counts is the status, with the setting strict, too. */
static void test_refusal_identity(void **state)
{
	for (unsigned strict = 0; strict < 2; strict++) {
		config.strict = strict;
		begin();
		reply_only("", false, refused_without_isid);
		assert_int_equal(n_events, 1);
		assert_failed(EVENT_LOGIN_FAILED, -ENOENT);
		begin();
		reply_only("", false, other_version_wanted);
		assert_int_equal(n_events, 1);
		assert_failed(EVENT_LOGIN_FAILED, -ENOENT);
	}
}

/* All rows */

static const struct {
	void (*play)(void);
	enum event_number fault; /* with the setting strict */
} rows[_LENIENCY_MAX] = {
	[LENIENCY_TEXT_UNTERMINATED] = { play_text_unterminated, EVENT_LOGIN_RESPONSE_INVALID },
	[LENIENCY_KEY_REPEATED] = { play_key_repeated, EVENT_LOGIN_RESPONSE_INVALID },
	[LENIENCY_KEY_UNANSWERED] = { play_key_unanswered, EVENT_LOGIN_RESPONSE_INVALID },
	[LENIENCY_KEY_NOT_UNDERSTOOD] = { play_key_not_understood, EVENT_LOGIN_RESPONSE_INVALID },
	[LENIENCY_KEY_RELEVANT] = { play_key_relevant, EVENT_LOGIN_RESPONSE_INVALID },
	[LENIENCY_UNKNOWN_KEY_LAST] = { play_unknown_key_last, EVENT_LOGIN_RESPONSE_INVALID },
	[LENIENCY_ANSWER_NOT_ADMISSIBLE] = { play_answer_not_admissible,
					     EVENT_LOGIN_RESPONSE_INVALID },
	[LENIENCY_PORTAL_GROUP_MISSING] = { play_portal_group_missing,
					    EVENT_LOGIN_RESPONSE_INVALID },
	[LENIENCY_PORTAL_GROUP_CHANGED] = { play_portal_group_changed,
					    EVENT_LOGIN_RESPONSE_INVALID },
	[LENIENCY_TSIH_EARLY] = { play_tsih_early, EVENT_LOGIN_RESPONSE_INVALID },
	[LENIENCY_STATSN_RESTARTED] = { play_statsn_restarted, EVENT_STATSN_INVALID },
	[LENIENCY_FIRST_BURST_EXCESS] = { play_first_burst_excess, EVENT_BURST_LENGTH_INVALID },
	[LENIENCY_STAGE_SKIPPED] = { play_stage_skipped, EVENT_LOGIN_RESPONSE_INVALID },
	[LENIENCY_REDIRECT_GROUP] = { play_redirect_group, EVENT_REDIRECT_INVALID },
	[LENIENCY_REDIRECT_ISID] = { play_redirect_isid, EVENT_LOGIN_RESPONSE_INVALID },
	[LENIENCY_TEXT_NOT_CONTINUED] = { play_text_not_continued, EVENT_PDU_INVALID },
	[LENIENCY_FINAL_TAG] = { play_final_tag, EVENT_PDU_INVALID },
	[LENIENCY_NAME_CHARACTERS] = { play_name_characters, EVENT_DISCOVERY_ENTRY_INVALID },
};

static void fresh(void **state, bool strict)
{
	teardown(state);
	setup(state);
	config.offer.first_burst_length = 65536;
	config.strict = strict;
}

static void test_each(void **state)
{
	for (enum leniency which = 0; which < _LENIENCY_MAX; which++) {
		const struct leniency_row *row = leniency_row(which);
		const struct event *event;

		if (!rows[which].play)
			fail_msg("%s has no test", row->name);
		fresh(state, false);
		rows[which].play();
		if (last.type == LOGIN_STEP_FAILED)
			fail_msg("%s is refused", row->name);
		event = raised(EVENT_DEVIATION_TOLERATED);
		assert_non_null(event);
		/* This one, and no other. */
		assert_string_equal(event_get(event, FIELD_LENIENCY), row->name);
		assert_string_equal(event_get(event, FIELD_OUTCOME), "continued");

		fresh(state, true);
		rows[which].play();
		if (last.type != LOGIN_STEP_FAILED || last.failed.event != rows[which].fault)
			fail_msg("%s is tolerated though it must not be", row->name);
		assert_null(raised(EVENT_DEVIATION_TOLERATED));
	}
}

/* The reason in event 11 is what the row says, and where it stands. */
static void test_reason(void **state)
{
	fresh(state, true);
	play_tsih_early();
	assert_string_equal(event_get(raised(EVENT_LOGIN_RESPONSE_INVALID), FIELD_REASON),
			    "the TSIH of a new session is set before the last login response "
			    "(RFC 7143, 11.13.3)");
	fresh(state, true);
	play_key_unanswered();
	assert_string_equal(event_get(raised(EVENT_LOGIN_RESPONSE_INVALID), FIELD_REASON),
			    "HeaderDigest: a key that was offered is not answered (RFC 7143, "
			    "6.2.2)");
}

/* Several at once make one event. */
static void test_together(void **state)
{
	fresh(state, false);
	config.portal_group_tag = 1;
	begin();
	reply("TargetPortalGroupTag=2", false, early_tsih);
	reply("TargetPortalGroupTag=2", true, NULL);
	assert_int_equal(last.type, LOGIN_STEP_DONE);
	assert_int_equal(n_events, 1);
	assert_string_equal(event_get(events[0], FIELD_LENIENCY),
			    "key-repeated portal-group-changed tsih-early");
}

/* Who keeps to the standard is not affected by the setting. */
static void test_nothing_to_tolerate(void **state)
{
	for (unsigned variant = 0; variant < 8; variant++) {
		fresh(state, variant & 1);
		if (variant & 2)
			chap_config(true);
		else if (variant & 4)
			config.target_name = NULL;
		begin();
		target_serve();
		assert_int_equal(last.type, LOGIN_STEP_DONE);
		assert_int_equal(n_events, 0);
	}
}

/* What may be left unanswered: what decides by itself, and what the other answers make irrelevant.
 */
static void test_optional_answers(void **state)
{
	fresh(state, true);
	config.offer.immediate_data = false;
	config.offer.initial_r2t = false;
	begin();
	reply_only("TargetPortalGroupTag=1|HeaderDigest=None|DataDigest=None|MaxConnections=1|"
		   "InitialR2T=Yes|MaxBurstLength=262144|DefaultTime2Wait=2|DefaultTime2Retain=0|"
		   "MaxOutstandingR2T=1|ErrorRecoveryLevel=0",
		   true, NULL);
	assert_int_equal(last.type, LOGIN_STEP_DONE);
	assert_false(last.result->parameters.immediate_data);
	assert_true(last.result->parameters.data_pdu_in_order);
	assert_int_equal(n_events, 0);
}

/* Irrelevant is right where other answers make it so, those that come later, too; Reject always. */
static void test_irrelevant(void **state)
{
	static const struct {
		const char *text;
		bool right;
	} answers[] = {
		{ "FirstBurstLength=Irrelevant|InitialR2T=Yes|ImmediateData=No", true },
		{ "InitialR2T=Yes|ImmediateData=No|FirstBurstLength=Irrelevant", true },
		{ "FirstBurstLength=Irrelevant|InitialR2T=Yes|ImmediateData=Yes", false },
		{ "FirstBurstLength=Irrelevant|InitialR2T=No|ImmediateData=No", false },
		{ "FirstBurstLength=Irrelevant", false },
		{ "HeaderDigest=Irrelevant", false },
		{ "DefaultTime2Wait=Irrelevant", false },
		{ "DataPDUInOrder=Irrelevant", false },
		{ "MaxConnections=Reject|HeaderDigest=Reject|FirstBurstLength=Reject", true },
	};

	for (size_t i = 0; i < ELEMENTSOF(answers); i++) {
		fresh(state, true);
		begin();
		reply(answers[i].text, true, NULL);
		if ((last.type == LOGIN_STEP_DONE) != answers[i].right)
			fail_msg("%s", answers[i].text);
		if (answers[i].right)
			assert_int_equal(n_events, 0);
		else
			assert_failed(EVENT_LOGIN_RESPONSE_INVALID, -EPROTO);
	}
}

/* What is never let pass, however lenient. */
static void wrong_isid(struct pdu *response)
{
	response->login_response.isid[0] ^= 1;
}

static void wrong_itt(struct pdu *response)
{
	response->itt ^= 1;
}

static void wrong_version(struct pdu *response)
{
	response->login_response.version_active = 1;
}

static void no_tsih(struct pdu *response)
{
	response->login_response.tsih = 0;
}

static void redirect_wrong_isid(struct pdu *response)
{
	set_moved(response);
	wrong_isid(response);
}

static void redirect_wrong_version(struct pdu *response)
{
	set_moved(response);
	wrong_version(response);
}

static void skip_stat_sn(struct pdu *response)
{
	response->login_response.numbers.stat_sn++;
}

static void test_never(void **state)
{
	static const mutate_t mutations[] = { wrong_isid, wrong_itt, wrong_version, no_tsih };
	static const mutate_t redirects[] = { redirect_wrong_isid, redirect_wrong_version };
	static const char *const texts[] = {
		"MaxBurstLength=16777215",     /* above the offer, and not forgiving */
		"DefaultTime2Wait=3601",       /* no value of the key */
		"TargetAlias=a|TargetAlias=b", /* repeated with another value */
		"MaxBurstLength=512|MaxBurstLength=1024",
		"HeaderDigest=CRC32C",
		("TargetName=" TARGET),
		"SessionType=Normal",
		"SessionType=Reject|X-com.example.y=NotUnderstood",
	};

	for (size_t i = 0; i < ELEMENTSOF(mutations); i++) {
		fresh(state, false);
		begin();
		reply("", true, mutations[i]);
		assert_failed(EVENT_LOGIN_RESPONSE_INVALID, -EPROTO);
	}
	for (size_t i = 0; i < ELEMENTSOF(redirects); i++) {
		fresh(state, false);
		begin();
		reply_only("TargetAddress=192.0.2.7", false, redirects[i]);
		assert_failed(EVENT_LOGIN_RESPONSE_INVALID, -EPROTO);
		assert_null(raised(EVENT_LOGIN_REDIRECTED));
	}
	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		fresh(state, false);
		begin();
		reply(texts[i], true, NULL);
		assert_failed(EVENT_LOGIN_RESPONSE_INVALID, -EPROTO);
	}
	/* StatSN may restart at the end only. */
	fresh(state, false);
	begin();
	reply("", false, NULL);
	reply("", false, skip_stat_sn);
	assert_failed(EVENT_STATSN_INVALID, -EPROTO);
	/* No stage is skipped before the initiator's proof, or when the target owes its own. */
	for (unsigned mutual = 0; mutual < 2; mutual++) {
		fresh(state, false);
		chap_config(mutual);
		begin();
		reply("AuthMethod=CHAP|TargetPortalGroupTag=1", mutual == 0,
		      mutual ? NULL : straight_to_full_feature);
		if (mutual) {
			reply("CHAP_A=5|CHAP_I=1|CHAP_C=0x0102030405060708", false, NULL);
			reply("", true, straight_to_full_feature);
		}
		assert_int_equal(last.type, LOGIN_STEP_FAILED);
	}
	/* A digest that is needed is not had by skipping the stage that agrees on it. */
	fresh(state, false);
	config.header_digest_required = true;
	play_stage_skipped();
	assert_failed(EVENT_HEADER_DIGEST_REQUIRED, -EPROTO);
}

static void test_rows(void **state)
{
	for (enum leniency which = 0; which < _LENIENCY_MAX; which++) {
		const struct leniency_row *row = leniency_row(which);

		assert_int_equal(strncmp(row->rfc, "RFC 7143, ", 10), 0);
		assert_null(strpbrk(row->name, " _"));
		/* A clause, and two sentences. */
		assert_int_not_equal(row->deviation[strlen(row->deviation) - 1], '.');
		assert_int_equal(row->targets[strlen(row->targets) - 1], '.');
		assert_int_equal(row->reaction[strlen(row->reaction) - 1], '.');
		for (enum leniency other = 0; other < which; other++)
			assert_string_not_equal(row->name, leniency_row(other)->name);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_rows),
		TEST(test_each),
		TEST(test_reason),
		TEST(test_together),
		TEST(test_redirect_unterminated),
		TEST(test_refusal_identity),
		TEST(test_nothing_to_tolerate),
		TEST(test_optional_answers),
		TEST(test_irrelevant),
		TEST(test_never),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
