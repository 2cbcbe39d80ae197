/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * login and logout: one call for each target named, all at the same time.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

struct batch {
	struct cli *cli;
	bool login;
	size_t pending;               /* calls */
	size_t done, present, failed; /* nodes or sessions */
	enum status status;           /* of failures that no summary counts */
};

/* One call of a batch. */
struct part {
	struct batch *batch;
	const char *which; /* as on the command line */
	struct ois_call *call;
	size_t failed; /* told already */
};

static const char *batch_verb(const struct batch *batch)
{
	return batch->login ? "log in to" : "log out of";
}

/* "iqn.x at 10.0.0.1:3260" */
static char *progress_name(const struct ois_progress *progress)
{
	_cleanup_free_ char *portal = NULL;
	char *name;
	int64_t port = 0;

	(void)ois_progress_get_port(progress, &port);
	portal = format_portal(ois_progress_get_address(progress), (int)port);
	if (asprintf(&name, "%s at %s", ois_progress_get_target_name(progress) ?: "?",
		     portal ?: "?") < 0)
		return NULL;
	return name;
}

static char *progress_devices(const struct ois_progress *progress)
{
	struct ois_logical_unit *unit;
	char *text = NULL, *longer;
	const char *device;

	for (size_t i = 0; (unit = ois_progress_get_logical_unit(progress, i)); i++) {
		device = ois_logical_unit_get_block_device(unit);
		if (!device)
			continue;
		if (asprintf(&longer, "%s %s", text ?: ":", device) < 0)
			break;
		free(text);
		text = longer;
	}
	return text;
}

static void tell_failure(struct part *part, const char *name, const struct ois_failure *failure)
{
	int64_t event = 0;

	part->failed++;
	part->batch->failed++;
	message_error("Failed to %s %s: %s", batch_verb(part->batch), name,
		      ois_failure_get_message(failure) ?: "unknown reason");
	(void)ois_failure_get_event(failure, &event);
	report_event(part->batch->cli, event);
}

/* What there is to say of a logout that did not go as usual. */
static const char *ending_text(const struct ois_progress *progress)
{
	static const struct {
		const char *ending, *text;
	} texts[] = {
		{ "refused", "; the target refused it" },
		{ "unanswered", "; the target did not answer" },
		{ "unconnected", "; the target could not be told" },
		{ "forced", "; by force, since commands did not end" },
	};
	const char *ending = ois_progress_get_text(progress, "ending") ?: "";

	for (size_t i = 0; i < ELEMENTSOF(texts); i++)
		if (strcmp(texts[i].ending, ending) == 0)
			return texts[i].text;
	return "";
}

static void tell_done(struct batch *batch, const char *name, const struct ois_progress *progress)
{
	_cleanup_free_ char *devices = progress_devices(progress);
	bool present = ois_progress_is_present(progress) > 0;
	char session[48] = "";
	int64_t number;

	if (ois_progress_get_session(progress, &number) >= 0)
		(void)snprintf(session, sizeof(session), ", session %" PRId64, number);
	if (batch->login && present)
		batch->present++;
	else
		batch->done++;
	result_line(&batch->cli->output, STYLE_PLAIN, "%s: %s%s%s%s", name,
		    !batch->login ? "logged out"
		    : present     ? "was logged in already"
				  : "logged in",
		    session, devices ?: "", ending_text(progress));
}

static void tell_step(struct part *part, const char *name, const struct ois_progress *progress)
{
	const struct ois_failure *failure = ois_progress_get_failure(progress);
	const char *phase = ois_progress_get_phase(progress) ?: "";
	struct batch *batch = part->batch;
	char words[64];
	int64_t attempt = 1;

	(void)ois_progress_get_attempt(progress, &attempt);
	if (failure && strcmp(phase, "retrying") == 0) {
		message_notice(&batch->cli->output,
			       "%s: attempt %" PRId64 " failed, trying again: %s", name, attempt,
			       ois_failure_get_message(failure) ?: "unknown reason");
		return;
	}
	(void)snprintf(words, sizeof(words), "%s", phase);
	spaces_for_underscores(words);
	progress_line(&batch->cli->output, "%s: %zu done, %zu failed; %s: %s",
		      batch->login ? "Login" : "Logout", batch->done + batch->present,
		      batch->failed, words, name);
}

static void hear_progress(struct part *part, const struct ois_progress *progress)
{
	const struct ois_failure *failure = ois_progress_get_failure(progress);
	const char *phase = ois_progress_get_phase(progress) ?: "";
	bool closed = strcmp(phase, "closed") == 0, logged_in = strcmp(phase, "logged_in") == 0;
	_cleanup_free_ char *name = progress_name(progress);

	if (!name)
		return;
	/* A logout that fails leaves the session "logged_in". */
	if (failure && logged_in && option_given(part->batch->cli, OPTION_SHUTDOWN))
		result_line(&part->batch->cli->output, STYLE_PLAIN, "%s: stays, %s", name,
			    ois_failure_get_message(failure) ?: "it is in use");
	else if (failure && (closed || (!part->batch->login && logged_in)))
		tell_failure(part, name, failure);
	else if (part->batch->login ? logged_in : closed)
		tell_done(part->batch, name, progress);
	else
		tell_step(part, name, progress);
}

/* The one thing that was selected, if the daemon says which. The caller frees. */
static char *error_name(const struct ois_error *error)
{
	const char *target = ois_error_get_text(error, "node.targetName")
				     ?: ois_error_get_text(error, "targetName");
	const char *address = ois_error_get_text(error, "node.address"),
		   *port = ois_error_get_text(error, "node.port");
	_cleanup_free_ char *portal = NULL;
	char *name;

	if (!target)
		return NULL;
	if (!address || !port)
		return strdup(target);
	portal = format_portal(address, atoi(port));
	return asprintf(&name, "%s at %s", target, portal ?: address) < 0 ? NULL : name;
}

static void hear_error(struct part *part, const struct ois_error *error)
{
	struct batch *batch = part->batch;
	int r = ois_error_get_errno(error);
	enum status status = status_from_errno(r);
	_cleanup_free_ char *name = error_name(error);

	/* That there is nothing is no failure of "all". */
	if (!part->which && r == -ESRCH)
		return;
	/* What a progress reply told is not told again. */
	if (part->failed == 0) {
		batch->failed++;
		(void)report(batch->cli, r, error, "%s %s", batch_verb(batch),
			     name ?: part->which ?: "everything");
	}
	if (batch->status == STATUS_DONE)
		batch->status = status;
	else if (batch->status != status)
		batch->status = STATUS_FAILED;
}

static int hear_reply(struct ois_call *call, const struct ois_reply *reply, void *userdata)
{
	struct part *part = userdata;
	struct batch *batch = part->batch;
	const struct ois_error *error = ois_reply_get_error(reply);
	const struct ois_progress *progress = ois_reply_get_progress(reply);

	if (ois_reply_is_last(reply))
		batch->pending--;
	if (error)
		hear_error(part, error);
	else if (batch->cli->output.json != JSON_OFF)
		json_print(&batch->cli->output, ois_reply_get_json(reply));
	if (progress)
		hear_progress(part, progress);
	return 0;
}

static enum status start_part(struct batch *batch, struct part *part, const char *which)
{
	_cleanup_(selector_freep) struct ois_selector *selector = NULL;
	struct cli *cli = batch->cli;
	enum status status;
	unsigned flags;
	int r;

	*part = (struct part){ .batch = batch, .which = which };
	status = batch->login ? select_nodes(cli, which, &selector)
			      : select_sessions(cli, which, &selector);
	if (status != STATUS_DONE)
		return status;
	if (batch->login) {
		flags = option_given(cli, OPTION_NO_WAIT) ? OIS_LOGIN_NO_WAIT : 0;
		r = ois_login_call(cli->client, selector, flags, &part->call);
	} else {
		flags = option_given(cli, OPTION_SHUTDOWN) ? OIS_LOGOUT_SHUTDOWN
			: option_given(cli, OPTION_FORCE)  ? OIS_FORCE
							   : 0;
		r = ois_logout_call(cli->client, selector, flags, &part->call);
	}
	if (r >= 0)
		r = ois_call_start(part->call, hear_reply, part);
	if (r < 0)
		return report(cli, r, NULL, "%s %s", batch_verb(batch), which ?: "all");
	batch->pending++;
	return STATUS_DONE;
}

static enum status batch_status(const struct batch *batch)
{
	if (batch->failed == 0)
		return batch->status;
	if (batch->done + batch->present > 0)
		return STATUS_PARTLY;
	return batch->status != STATUS_DONE ? batch->status : STATUS_FAILED;
}

static void print_summary(const struct batch *batch)
{
	const struct output *output = &batch->cli->output;
	size_t total = batch->done + batch->present + batch->failed;

	if (option_given(batch->cli, OPTION_NO_WAIT) && batch->failed == 0) {
		result_line(output, STYLE_PLAIN,
			    "Logins are under way; 'ois-ctl sessions' shows them");
		return;
	}
	if (total == 0 && batch->status == STATUS_DONE) {
		message_notice(output, "Nothing to %s.", batch_verb(batch));
		return;
	}
	if (total < 2 || !output->legend)
		return;
	if (batch->login)
		result_line(output, STYLE_PLAIN,
			    "%zu logged in, %zu were logged in already, %zu failed.", batch->done,
			    batch->present, batch->failed);
	else
		result_line(output, STYLE_PLAIN, "%zu logged out, %zu failed.", batch->done,
			    batch->failed);
}

/* What is under way goes on in the daemon; whoever interrupts the wait for it is told so. */
static void say_interrupted(int signal_number)
{
	static const char text[] = "\nInterrupted. What is under way goes on; 'ois-ctl sessions' "
				   "shows it, and 'ois-ctl logout' ends logins.\n";

	(void)!write(STDERR_FILENO, text, strlen(text));
	(void)signal(signal_number, SIG_DFL);
	(void)raise(signal_number);
}

static void wait_for_replies(struct batch *batch)
{
	int r = 0;

	while (batch->pending > 0 && (r >= 0 || r == -EINTR)) {
		r = ois_client_process(batch->cli->client);
		if (r >= 0 && batch->pending > 0)
			r = ois_client_wait(batch->cli->client, OIS_TIMEOUT_NONE);
	}
}

/* @names: NULL-terminated; an empty array is one call that selects everything. */
static enum status run_batch(struct cli *cli, bool login, char **names)
{
	struct batch batch = { .cli = cli, .login = login };
	enum status status = STATUS_DONE;
	struct part *parts;
	struct sigaction action = { .sa_handler = say_interrupted }, before;
	size_t n = 0;

	while (names[n])
		n++;
	parts = calloc(n + 1, sizeof(*parts));
	if (!parts)
		return report(cli, -ENOMEM, NULL, "%s %s", batch_verb(&batch), "targets");
	(void)sigaction(SIGINT, NULL, &before);
	if (before.sa_handler != SIG_IGN)
		(void)sigaction(SIGINT, &action, NULL);
	for (size_t i = 0; status == STATUS_DONE && i < (n ?: 1); i++)
		status = start_part(&batch, &parts[i], names[i]);
	if (status == STATUS_DONE)
		wait_for_replies(&batch);
	(void)sigaction(SIGINT, &before, NULL);
	for (size_t i = 0; i <= n; i++)
		ois_call_unref(parts[i].call);
	free(parts);
	progress_clear(&cli->output);
	if (status != STATUS_DONE)
		return status;
	if (cli->output.json == JSON_OFF)
		print_summary(&batch);
	return batch_status(&batch);
}

enum status verb_login(struct cli *cli, char **arguments)
{
	if (option_given(cli, OPTION_ALL) && *arguments)
		return usage_error("Either targets or --all");
	if (!*arguments && !option_given(cli, OPTION_ALL) && !cli->startup)
		return usage_error(
			"Name the targets to log in to, or say --all or --startup=automatic");
	return run_batch(cli, true, arguments);
}

enum status verb_logout(struct cli *cli, char **arguments)
{
	if (option_given(cli, OPTION_ALL) && *arguments)
		return usage_error("Either sessions and targets, or --all");
	if (option_given(cli, OPTION_FORCE) && option_given(cli, OPTION_SHUTDOWN))
		return usage_error("Either --force or --shutdown");
	if (!*arguments && !option_given(cli, OPTION_ALL))
		return usage_error("Name the sessions or targets to log out of, or say --all");
	return run_batch(cli, false, arguments);
}
