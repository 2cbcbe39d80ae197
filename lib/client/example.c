/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How to use libois: prints the sessions, then logs in to the target named and follows it. A test
 * runs this program: ois-example [SOCKET [TARGET]].
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ois/ois.h>

/* Says what was attempted and why it failed. */
static int fail(const char *attempt, int r, struct ois_error *error)
{
	printf("Failed to %s: %s", attempt, error ? ois_error_get_message(error) : strerror(-r));
	if (error && ois_error_get_event(error) > 0)
		printf(" (event %u)", ois_error_get_event(error));
	printf("\n");
	ois_error_unref(error);
	return r;
}

static int print_status(struct ois_client *client)
{
	struct ois_status *status = NULL;
	struct ois_error *error = NULL;
	int64_t sessions = 0;
	int r;

	r = ois_get_status(client, &status, &error);
	if (r < 0)
		return fail("get the status", r, error);
	ois_status_get_sessions(status, &sessions);
	printf("oisd %s has %" PRId64 " sessions\n", ois_status_get_version(status), sessions);
	ois_status_unref(status);
	return 0;
}

static int print_sessions(struct ois_client *client)
{
	struct ois_session **sessions = NULL;
	struct ois_logical_unit *unit;
	struct ois_error *error = NULL;
	int64_t number;
	int r;

	r = ois_list_sessions(client, NULL, OIS_LIST_LOGICAL_UNITS, &sessions, &error);
	if (r < 0)
		return fail("list the sessions", r, error);
	for (struct ois_session **s = sessions; *s; s++) {
		if (ois_session_get_session(*s, &number) < 0)
			continue; /* still logging in */
		printf("session %" PRId64 ": %s at %s", number, ois_session_get_target_name(*s),
		       ois_session_get_address(*s));
		for (size_t i = 0; (unit = ois_session_get_logical_unit(*s, i)); i++)
			if (ois_logical_unit_get_block_device(unit))
				printf(", %s", ois_logical_unit_get_block_device(unit));
		printf("\n");
	}
	ois_sessions_free(sessions);
	return 0;
}

/* Hears every step of the login. */
static int hear_progress(struct ois_call *call, const struct ois_reply *reply, void *userdata)
{
	const struct ois_progress *progress = ois_reply_get_progress(reply);

	(void)call;
	(void)userdata;
	if (progress)
		printf("%s: %s\n", ois_progress_get_target_name(progress),
		       ois_progress_get_phase(progress));
	return 0;
}

static int login(struct ois_client *client, const char *target)
{
	struct ois_selector *selector = NULL;
	struct ois_error *error = NULL;
	struct ois_call *call = NULL;
	char attempt[300];
	int r;

	snprintf(attempt, sizeof(attempt), "log in to %s", target);
	r = ois_selector_new(&selector);
	if (r >= 0)
		r = ois_selector_set_target_name(selector, target);
	if (r >= 0)
		r = ois_login_call(client, selector, 0, &call);
	if (r >= 0)
		r = ois_call_run(call, hear_progress, NULL, &error);
	if (r < 0)
		r = fail(attempt, r, error);
	ois_call_unref(call);
	ois_selector_free(selector);
	return r;
}

int main(int argc, char **argv)
{
	struct ois_client *client = NULL;
	int r;

	r = ois_client_new(argc > 1 ? argv[1] : NULL, &client);
	if (r < 0)
		return fail("make a client", r, NULL) < 0;
	r = print_status(client);
	if (r >= 0)
		r = print_sessions(client);
	if (r >= 0 && argc > 2)
		r = login(client, argv[2]);
	ois_client_free(client);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
