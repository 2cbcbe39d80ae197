/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Prints oisd(8) with the table of login statuses in place of the line @STATUSES@. Runs at build
 * time.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "login.h"

/* What is no failure needs no more words. */
static const char *const outcomes[_LOGIN_OUTCOME_MAX] = {
	[LOGIN_OUTCOME_FAIL] = "Not tried again",
	[LOGIN_OUTCOME_PATIENCE] = "Tried again for automatic nodes only",
	[LOGIN_OUTCOME_RETRY] = "Tried again",
};

/* The rows hold parts of sentences. */
static void print_sentence(const char *text)
{
	printf("%c%s.\n", toupper((unsigned char)text[0]), text + 1);
}

static void print_status(const struct login_status *row)
{
	puts(".TP");
	if (row->status_class == LOGIN_STATUS_OTHER)
		puts(".B other");
	else if (row->status_detail == LOGIN_STATUS_OTHER)
		printf(".B 0x%02x\\fR, other\n", row->status_class);
	else
		printf(".B 0x%02x%02x\n", row->status_class, row->status_detail);
	print_sentence(row->meaning);
	print_sentence(row->advice);
	if (outcomes[row->outcome])
		printf(".br\n%s; \\fI%s\\fR.\n", outcomes[row->outcome],
		       strerrorname_np(-row->error));
}

int main(int argc, char **argv)
{
	_cleanup_(fclosep) FILE *template = argc == 2 ? fopen(argv[1], "re") : NULL;
	_cleanup_free_ char *line = NULL;
	const struct login_status *row;
	size_t size = 0;

	if (!template) {
		fprintf(stderr, "usage: gen_login_status TEMPLATE\n");
		return EXIT_FAILURE;
	}
	while (getline(&line, &size, template) >= 0) {
		if (strcmp(line, "@STATUSES@\n") != 0)
			fputs(line, stdout);
		else
			for (size_t i = 0; (row = login_status_at(i)); i++)
				print_status(row);
	}
	return ferror(template) || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
