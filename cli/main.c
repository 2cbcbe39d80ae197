/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ois-ctl: the command line of the iSCSI initiator daemon. The table of verbs stands in verbs.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

int main(int argc, char **argv)
{
	struct cli cli = { .argv = argv };
	char **arguments;
	int status, r;

	text_await_locale();
	status = options_parse(&cli, argc, argv, &arguments);
	if (status < 0) {
		r = ois_client_new(cli.socket, &cli.client);
		if (r >= 0) {
			ois_client_set_timeout(cli.client, cli.timeout_usec);
			status = (int)cli.verb->run(&cli, arguments);
		} else {
			message_error("Failed to use the socket '%s': %s",
				      cli.socket ?: OIS_SOCKET_PATH, strerror(-r));
			status = STATUS_FAILED;
		}
	}
	progress_clear(&cli.output);
	pager_close();
	ois_client_free(cli.client);
	options_done(&cli);
	return status;
}
